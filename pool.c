/*
 * pool.c - the master.  See pool.h.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lacking.h"
#include "lines.h"
#include "base/os.h"
#include "base/when.h"
#include "pool.h"

#define WIRE_OUT	(8u * 1024 * 1024)	/* a worker's lines for "stdout:" */
#define DELAY_MIN	100		/* ms */
#define DELAY_MAX	5000
#define LIVED		5000		/* ms after which a death is no pattern */

struct worker {
	pid_t		 pid;		/* 0: to be started at start_at */
	struct wire	*wire;
	int64_t		 started;	/* steady ms */
	int64_t		 start_at;
	int64_t		 delay;
	uint64_t	 generation;	/* it judges by */
};

struct master {
	struct pool	*pool;
	struct worker	 workers[POOL_WORKERS_MAX + 1];	/* the last: long requests */
	unsigned	 nworkers;
	int		 aside[2];	/* its end, and the others' */
	bool		 aside_told;	/* to drain */
	int		 signals;
	uint64_t	 generation;
	int64_t		 swap_by;	/* 0: no reload is under way */
	int64_t		 stop_by;	/* 0: running */
	bool		 conf_ok;	/* the last reading of the configuration */
	int64_t		 conf_at;	/* ms since 1970: when one was taken */
	struct bundle	*read;		/* by a reload that still asks for secrets; */
	struct lacking	*asking;	/* both NULL: none does */
	struct lines	*lines;
};

struct setting *
pool_read_setting(const char *conf_path, uint64_t generation, struct err *e)
{
	struct bundle *b = conf_gather(conf_path, HALF_ROAD, e);

	if (b == NULL)
		return NULL;
	if (lacking_all(b, conf_path, e) == -1) {
		bundle_free(b);
		return NULL;
	}
	return setting_new(b, conf_path == NULL ? CONF_ENVIRONMENT : conf_path,
	    generation, e);
}

/* --- workers ----------------------------------------------------------------- */

static void
lacking_drop(struct master *m)
{
	lacking_free(m->asking);
	bundle_free(m->read);
	m->asking = NULL;
	m->read = NULL;
}

/* All that is the master's alone, in a worker and at the end. */
static void
forget_wires(struct master *m)
{
	lacking_drop(m);
	lines_free(m->lines);
	m->lines = NULL;
	for (unsigned i = 0; i < m->nworkers; i++) {
		wire_free(m->workers[i].wire);
		m->workers[i].wire = NULL;
	}
	close(m->signals);
	if (m->pool->lifeline != -1)
		close(m->pool->lifeline);
}

/* In a worker: its end of what leads aside, and not the other. */
static struct pool_post
post_of(struct master *m, const struct worker *w)
{
	bool other = w != &m->workers[m->pool->workers];

	close(m->aside[!other]);
	return (struct pool_post){ .listener = other ? m->pool->listener : -1,
		.aside = m->aside[other] };
}

/* How the configuration was when it was last read; for the metrics. */
static void
tell(struct master *m, struct worker *w)
{
	struct buf b = BUF(64);
	struct err e;

	if (w->wire == NULL)
		return;
	put_u8(&b, m->conf_ok);
	put_u64(&b, (uint64_t)m->conf_at);
	if (wire_send(w->wire, WIRE_RELOADED, buf_str(&b), -1) == 0)
		wire_flush(w->wire, &e);
	buf_free(&b);
}

static void
tell_all(struct master *m, bool ok)
{
	m->conf_ok = ok;
	if (ok)
		m->conf_at = when_now();
	for (unsigned i = 0; i < m->nworkers; i++)
		tell(m, &m->workers[i]);
}

static int
worker_start(struct master *m, struct worker *w, struct err *e)
{
	sigset_t none;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return err_set(e, ERR_OS, "socketpair: %s", strerror(errno));
	if ((w->pid = fork()) == -1) {
		w->pid = 0;
		close(pair[0]);
		close(pair[1]);
		return err_set(e, ERR_OS, "fork: %s", strerror(errno));
	}
	if (w->pid == 0) {
		struct setting *s = m->pool->setting;
		struct pool_post post = post_of(m, w);
		struct wire *wire;

		forget_wires(m);
		close(pair[0]);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if ((wire = wire_new(pair[1], DOOR_MASTER, WIRE_OUT)) == NULL)
			_exit(ERR_OS);
		_exit(m->pool->worker(s, &post, wire, m->pool->log));
	}
	close(pair[1]);
	if ((w->wire = wire_new(pair[0], DOOR_MASTER, WIRE_OUT)) == NULL)
		kill(w->pid, SIGKILL);	/* nobody could tell it anything */
	w->started = when_steady();
	w->generation = m->generation;
	tell(m, w);
	return 0;
}

/* A worker has ended: when does the next one start? */
static void
worker_ended(struct master *m, struct worker *w, int status)
{
	int64_t now = when_steady();
	bool told = m->stop_by != 0;

	if (!told)
		log_say(m->pool->log, LOG_WARN_, WIFSIGNALED(status) ?
		    "worker %ld was ended by signal %d" :
		    "worker %ld exited with status %d", (long)w->pid,
		    WIFSIGNALED(status) ? WTERMSIG(status) :
		    WEXITSTATUS(status));
	wire_free(w->wire);
	w->wire = NULL;
	w->pid = 0;
	if (now - w->started >= LIVED)
		w->delay = 0;
	w->start_at = now + w->delay;
	w->delay = w->delay == 0 ? DELAY_MIN : w->delay * 2;
	if (w->delay > DELAY_MAX)
		w->delay = DELAY_MAX;
}

static void
reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < m->nworkers; i++)
			if (m->workers[i].pid == pid)
				worker_ended(m, &m->workers[i], status);
}

/* Of the first n. */
static bool
any_alive(const struct master *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (m->workers[i].pid != 0)
			return true;
	return false;
}

/* --- reload ------------------------------------------------------------------ */

static int
send_bundle(struct master *m, struct worker *w, int fd)
{
	struct buf b = BUF(64);
	struct err e;
	int done;

	if (w->wire == NULL)	/* it has ended and is not reaped yet */
		return -1;
	put_u64(&b, m->generation);
	done = wire_send(w->wire, WIRE_BUNDLE, buf_str(&b), fd);
	buf_free(&b);
	return done == -1 ? -1 : wire_flush(w->wire, &e);
}

static void
reload_refuse(struct master *m, const struct err *e)
{
	log_say(m->pool->log, LOG_ERROR_, "reload refused, the old configuration "
	    "stays: %s", e->text);
	tell_all(m, false);
	os_notify("READY=1");
}

/* Everything is proven before the first worker hears of it.  Takes the bundle over. */
static void
reload_with(struct master *m, struct bundle *read)
{
	const char *path = m->pool->conf_path;
	struct buf bytes = BUF(64u * 1024 * 1024);
	struct setting *s;
	struct err e;
	int fd = -1;

	s = setting_new(read, path == NULL ? CONF_ENVIRONMENT : path,
	    m->generation + 1, &e);
	if (s != NULL) {
		bundle_write(s->bundle, &bytes);
		if (!buf_ok(&bytes))
			err_set(&e, ERR_OS, "no memory for the new "
			    "configuration");
		else
			fd = os_memfd("hooklatch-bundle", buf_str(&bytes), &e);
	}
	if (bytes.p != NULL)
		explicit_bzero(bytes.p, bytes.cap);
	buf_free(&bytes);
	if (fd == -1) {
		setting_drop(s);
		reload_refuse(m, &e);
		return;
	}
	setting_drop(m->pool->setting);
	m->pool->setting = s;
	m->generation++;
	m->swap_by = when_steady() + POOL_SWAP_MS;
	for (unsigned i = 0; i < m->nworkers; i++) {
		struct worker *w = &m->workers[i];

		if (w->pid != 0 && send_bundle(m, w, fd) == -1)
			kill(w->pid, SIGKILL);
	}
	close(fd);
}

/* While the courier fetches secrets all goes on as before. */
static void
reload_asks(struct master *m, int64_t now)
{
	struct bundle *read = m->read;
	struct err e;
	int done = lacking_step(m->asking, now, &e);

	if (done == 0)
		return;
	if (done == 1)
		m->read = NULL;
	lacking_drop(m);
	if (done == 1)
		reload_with(m, read);
	else
		reload_refuse(m, &e);
}

static void
reload(struct master *m)
{
	struct err e;

	os_notify("RELOADING=1");
	lacking_drop(m);		/* of a reload that this one overtakes */
	if ((m->read = conf_gather(m->pool->conf_path, HALF_ROAD, &e)) == NULL ||
	    lacking_begin(&m->asking, m->read, m->pool->conf_path, when_steady(),
	    &e) == -1) {
		lacking_drop(m);
		reload_refuse(m, &e);
	} else if (m->asking == NULL) {
		reload_with(m, m->read);
		m->read = NULL;
	}
}

static void
reload_done(struct master *m)
{
	for (unsigned i = 0; i < m->nworkers; i++)
		if (m->workers[i].pid != 0 &&
		    m->workers[i].generation != m->generation)
			return;
	m->swap_by = 0;
	tell_all(m, true);
	log_say(m->pool->log, LOG_INFO_, "reloaded, generation %llu",
	    (unsigned long long)m->generation);
	os_notify("READY=1");
}

static void
reload_overdue(struct master *m)
{
	for (unsigned i = 0; i < m->nworkers; i++) {
		struct worker *w = &m->workers[i];

		if (w->pid == 0 || w->generation == m->generation)
			continue;
		log_say(m->pool->log, LOG_ERROR_, "worker %ld did not take the "
		    "new configuration in time and is replaced", (long)w->pid);
		kill(w->pid, SIGKILL);
	}
	m->swap_by = when_steady() + POOL_SWAP_MS;
}

/* --- lines for "stdout:" ------------------------------------------------------- */

/* Said with the others of its turn, by tell_written(). */
static void
line_is_written(void *self, const struct line_from *from, bool ok)
{
	struct master *m = self;
	struct worker *w = &m->workers[from->worker];
	struct buf b = BUF(64);

	if (w->pid != from->pid || w->wire == NULL)
		return;
	put_u64(&b, from->ticket);
	put_u8(&b, ok);
	wire_send(w->wire, WIRE_WRITTEN, buf_str(&b), -1);
	buf_free(&b);
}

static void
tell_written(struct master *m)
{
	struct err e;

	for (unsigned i = 0; i < m->nworkers; i++)
		if (m->workers[i].wire != NULL && wire_waiting(m->workers[i].wire))
			wire_flush(m->workers[i].wire, &e);
}

/* false: it is not said as it should be. */
static bool
take_line(struct master *m, unsigned worker, struct get g, int fd)
{
	struct line_from from = { worker, m->workers[worker].pid, get_u64(&g) };
	struct str line = get_str(&g);
	uint64_t size = 0;
	struct err e;
	void *text;

	if (!get_done(&g) || (fd == -1) != (line.p != NULL))
		return false;
	if (fd == -1) {
		lines_take(m->lines, &from, line);
		return true;
	}
	if (os_memfd_sealed(fd, &size, &e) == -1 || size > LINES_BYTES ||
	    (text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED) {
		line_is_written(m, &from, false);
		return true;
	}
	lines_take(m->lines, &from, (struct str){ text, size });
	munmap(text, size);
	return true;
}

/* --- what workers say ----------------------------------------------------------- */

static void
take_message(struct master *m, unsigned i, const struct wire_msg *msg)
{
	struct worker *w = &m->workers[i];
	struct get g = GET(msg->body);
	uint64_t number;
	bool ok = true;
	struct str why;

	if (msg->type == WIRE_SWAPPED) {
		number = get_u64(&g);
		ok = get_u8(&g) != 0;
		why = get_str(&g);
		if (get_done(&g) && ok)
			w->generation = number;
		else
			log_say(m->pool->log, LOG_ERROR_, "worker %ld could "
			    "not swap: %.*s", (long)w->pid, STR_ARG(why));
	} else if (msg->type == WIRE_LINE) {
		ok = take_line(m, i, g, msg->fd);
	} else {
		ok = false;
	}
	if (msg->fd != -1)
		close(msg->fd);
	if (!ok)
		kill(w->pid, SIGKILL);
}

static void
hear(struct master *m, unsigned i)
{
	struct worker *w = &m->workers[i];
	struct wire_msg msg;
	struct err e;
	int got = -1;

	if (wire_receive(w->wire, &e) == 0)
		while ((got = wire_next(w->wire, &msg, &e)) == 1)
			take_message(m, i, &msg);
	if (got == -1) {	/* it has ended, or should */
		wire_free(w->wire);
		w->wire = NULL;
		kill(w->pid, SIGKILL);
	}
}

/* --- the loop ------------------------------------------------------------------- */

static void
drain(struct worker *w)
{
	struct err e;

	if (w->wire == NULL)
		return;
	wire_send(w->wire, WIRE_DRAIN, STR(""), -1);
	wire_flush(w->wire, &e);
}

static void
stop(struct master *m)
{
	if (m->stop_by != 0)
		return;
	m->stop_by = when_steady() + POOL_DRAIN_MS;
	os_notify("STOPPING=1");
	for (unsigned i = 0; i < m->pool->workers; i++)
		drain(&m->workers[i]);
}

static void
take_signals(struct master *m)
{
	struct signalfd_siginfo s;

	while (read(m->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGCHLD)
			reap(m);
		else if (s.ssi_signo == SIGHUP && m->stop_by == 0)
			reload(m);
		else if (s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT)
			stop(m);
	}
}

static int64_t
soonest(int64_t a, int64_t b)
{
	return b != 0 && b < a ? b : a;
}

/* Starts what is due; says when to look again, in steady ms. */
static int64_t
attend(struct master *m, int64_t now)
{
	int64_t next = now + 60000;
	struct err e;

	for (unsigned i = 0; i < m->nworkers; i++) {
		struct worker *w = &m->workers[i];

		if (w->pid != 0 || m->stop_by != 0)
			continue;
		if (now >= w->start_at && worker_start(m, w, &e) == -1) {
			log_say(m->pool->log, LOG_ERROR_, "%s", e.text);
			w->start_at = now + DELAY_MAX;
		}
		if (w->pid == 0)
			next = soonest(next, w->start_at);
	}
	if (m->asking != NULL)
		reload_asks(m, now);
	if (m->asking != NULL)
		next = soonest(next, lacking_next(m->asking));
	if (m->swap_by != 0)
		reload_done(m);
	if (m->swap_by != 0 && now >= m->swap_by)
		reload_overdue(m);
	if (m->stop_by != 0 && !m->aside_told &&
	    !any_alive(m, m->pool->workers)) {
		m->aside_told = true;
		drain(&m->workers[m->pool->workers]);
	}
	if (m->stop_by != 0 && now >= m->stop_by)
		for (unsigned i = 0; i < m->nworkers; i++)
			if (m->workers[i].pid != 0)
				kill(m->workers[i].pid, SIGKILL);
	return soonest(soonest(next, m->swap_by), m->stop_by);
}

static void
wait_and_hear(struct master *m, int64_t until)
{
	struct pollfd p[POOL_WORKERS_MAX + 5];
	unsigned whose[POOL_WORKERS_MAX + 5], n = 0, first;
	int64_t left = until - when_steady();

	p[n++] = (struct pollfd){ .fd = m->signals, .events = POLLIN };
	p[n++] = (struct pollfd){ .fd = m->stop_by ? -1 : m->pool->lifeline,
		.events = POLLIN };
	p[n++] = (struct pollfd){ .fd = lines_fd(m->lines), .events = POLLOUT };
	p[n++] = (struct pollfd){ .fd = m->asking ? lacking_fd(m->asking) : -1,
		.events = POLLIN };
	first = n;
	for (unsigned i = 0; i < m->nworkers; i++)
		if (m->workers[i].wire != NULL) {
			whose[n] = i;
			p[n++] = (struct pollfd){
				.fd = wire_fd(m->workers[i].wire),
				.events = wire_waiting(m->workers[i].wire) ?
				    POLLIN | POLLOUT : POLLIN };
		}
	if (poll(p, n, left < 0 ? 0 : left > 60000 ? 60000 : (int)left) == -1)
		return;
	for (unsigned i = first; i < n; i++)
		if (p[i].revents != 0)
			hear(m, whose[i]);
	if (p[0].revents != 0)
		take_signals(m);
	if (p[1].revents != 0)
		stop(m);
	lines_write(m->lines);
	tell_written(m);
}

/* Few wait there: who gives one when it is full does it himself. */
static int
aside_open(struct master *m)
{
	int room = POOL_ASIDE;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    m->aside) == -1)
		return -1;
	return setsockopt(m->aside[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

int
pool_run(struct pool *pool)
{
	struct master *m = calloc(1, sizeof(*m));
	sigset_t set;

	if (m == NULL || aside_open(m) == -1) {
		free(m);
		return ERR_OS;
	}
	m->pool = pool;
	m->nworkers = pool->workers + 1;
	m->generation = pool->setting->generation;
	m->conf_ok = true;
	m->conf_at = when_now();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	m->lines = lines_new(STDOUT_FILENO, line_is_written, m);
	if (m->signals == -1 || m->lines == NULL) {
		lines_free(m->lines);
		free(m);
		return ERR_OS;
	}
	attend(m, when_steady());
	log_say(pool->log, LOG_INFO_, "ready: %u workers, %zu hooks",
	    pool->workers, routes_count(pool->setting->routes));
	os_notify("READY=1");
	do
		wait_and_hear(m, attend(m, when_steady()));
	while (m->stop_by == 0 || any_alive(m, m->nworkers));
	if (pool->unlink_path != NULL)
		unlink(pool->unlink_path);
	log_say(pool->log, LOG_INFO_, "stopped");
	forget_wires(m);
	setting_drop(pool->setting);
	free(m);
	return 0;
}
