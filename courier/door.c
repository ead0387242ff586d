/* door.c - see door.h. */
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/os.h"
#include "../base/when.h"
#include "bodies.h"
#include "door.h"

#define OUT_LIMIT	(64u * 1024 * 1024)	/* answers of destinations are long */
#define HELLO_MS	10000		/* until it must have said who it is */
#define COUNTERS_MS	60000		/* between two lines of counters */
#define STOP_FLUSH_MS	1000
#define DRAIN_MS	3500		/* for requests that wait for a destination */
#define STOP_SECONDS	7	/* an orderly stop takes no longer: see main.c */

/* One connection; lives until it is closed and all it waits for is answered. */
struct conn {
	struct conn	*next;
	struct wire	*wire;		/* NULL: closed, or a reader has it */
	unsigned	 doors;		/* that the peer's uid may use */
	enum wire_role	 role;		/* 0: it has not said HELLO */
	pid_t		 pid;
	int64_t		 since;
	unsigned	 owed;		/* what is not answered yet */
	bool		 writing;	/* we wait until it reads */
	bool		 touched;	/* answers wait to be sent */
};

struct loop {
	struct door	*door;
	int		 epoll;
	int		 signals;
	struct conn	*conns;
	unsigned	 nconns;
	struct put	*longs;		/* those whose body is in a descriptor */
	unsigned	 nlongs;
	struct buf	 out;
	int64_t		 counters_at;
	struct store_counters said;
	int64_t		 crowd_at;	/* when "too many" may be logged again */
	bool		 stop;
	int64_t		 drained_at;	/* after stop: then it waits no longer */
};

/* --- connections ----------------------------------------------------------------- */

static void
conn_close(struct loop *l, struct conn *c, const struct err *e)
{
	if (c->wire == NULL)
		return;
	if (e != NULL && e->code == ERR_PROTOCOL)
		log_say(l->door->log, LOG_WARN_, "process %ld is out of order and "
		    "was closed: %s", (long)c->pid, e->text);
	/* A program that is just being started may hold a copy of it: closing alone
	 * would leave it among what we wait for. */
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, wire_fd(c->wire), NULL);
	if (c->role == ROLE_WORKER)
		totals_workers(l->door->totals, -1);
	wire_free(c->wire);
	c->wire = NULL;
}

static void
conns_reap(struct loop *l)
{
	struct conn **at = &l->conns, *c;

	while ((c = *at) != NULL) {
		if (c->wire != NULL || c->owed > 0) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		l->nconns--;
		free(c);
	}
}

static void
conn_flush(struct loop *l, struct conn *c)
{
	struct epoll_event ev = { .data.ptr = c };
	struct err e;
	bool waits;

	c->touched = false;
	if (c->wire == NULL)
		return;
	if (wire_flush(c->wire, &e) == -1) {
		conn_close(l, c, &e);
		return;
	}
	waits = wire_waiting(c->wire);
	if (waits != c->writing) {
		ev.events = EPOLLIN | (waits ? EPOLLOUT : 0);
		epoll_ctl(l->epoll, EPOLL_CTL_MOD, wire_fd(c->wire), &ev);
		c->writing = waits;
	}
}

/* What is in l->out, to be flushed with the others of this turn. */
static void
conn_say(struct loop *l, struct conn *c, enum wire_type type)
{
	if (c->wire == NULL)
		return;
	if (!buf_ok(&l->out)
	    || wire_send(c->wire, type, buf_str(&l->out), -1) == -1) {
		log_say(l->door->log, LOG_WARN_, "process %ld does not read its "
		    "answers and was closed", (long)c->pid);
		conn_close(l, c, NULL);
		return;
	}
	c->touched = true;
}

static void
say_refused(struct loop *l, struct conn *c, uint64_t ticket, enum wire_refusal r,
    const char *why)
{
	buf_reset(&l->out);
	put_u64(&l->out, ticket);
	put_u8(&l->out, r);
	put_str(&l->out, str_of(why));
	conn_say(l, c, WIRE_REFUSED);
}

static void
say_stored(struct loop *l, struct conn *c, uint64_t ticket,
    const struct stored *as)
{
	buf_reset(&l->out);
	put_u64(&l->out, ticket);
	put_stored(&l->out, as);
	conn_say(l, c, WIRE_STORED);
}

/* --- what they say ------------------------------------------------------------------ */

static int
out_of_order(struct err *e, const char *what)
{
	return err_set(e, ERR_PROTOCOL, "%s", what);
}

/* Its body is in the inbox, or nobody's. */
static void
body_drop(struct loop *l, struct put *p)
{
	struct put **at;

	if (p->is_long) {
		for (at = &l->longs; *at != p; at = &(*at)->next_long)
			;
		*at = p->next_long;
		l->nlongs--;
	}
	if (p->event.body_fd != -1)
		close(p->event.body_fd);
	p->is_long = false;
	p->event.body_fd = -1;
}

static void
put_free(struct loop *l, struct put *p)
{
	body_drop(l, p);
	p->conn->owed--;
	free(p->spoken);
	free(p);
}

/* Could an event be taken now?  Never where there is no inbox. */
static enum wire_refusal
health(struct loop *l, uint64_t size, const char **why)
{
	struct store *s = l->door->store;

	if (s != NULL)
		return s->kind->health(s, size, why);
	*why = "there is no inbox";
	return REFUSED_BUSY;
}

static int
take_hello(struct loop *l, struct conn *c, struct get *g, struct err *e)
{
	const char *why;
	unsigned role = get_u8(g);

	c->pid = (pid_t)get_u32(g);
	get_str(g);
	if (!get_done(g) || c->role != 0)
		return out_of_order(e, "a HELLO that is none");
	if (!(role == ROLE_WORKER && (c->doors & DOOR_WORKER))
	    && !(role == ROLE_OPERATOR && (c->doors & DOOR_OPERATOR)))
		return out_of_order(e, "a role that its user may not have");
	c->role = role;
	if (role == ROLE_WORKER)
		totals_workers(l->door->totals, 1);
	wire_door(c->wire, role == ROLE_WORKER ? DOOR_WORKER : DOOR_OPERATOR);
	buf_reset(&l->out);
	put_u8(&l->out, health(l, 0, &why) == 0);
	put_str(&l->out, str_of(why));
	conn_say(l, c, WIRE_WELCOME);
	conn_flush(l, c);
	if (role == ROLE_WORKER || c->wire == NULL)
		return 0;

	/* With what it has said already; a reader waits for its own writing. */
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, wire_fd(c->wire), NULL);
	if (!readers_give(l->door->readers, c->wire)) {
		say_refused(l, c, 0, REFUSED_BUSY, "too many operators are here");
		if (c->wire != NULL)
			wire_flush(c->wire, e);
		return err_set(e, ERR_TEMP, "too many operators");
	}
	c->wire = NULL;
	return 0;
}

/* Is its id a name, is its body where it says, is it the only one of its id? */
static int
take_long(struct loop *l, struct put *p, enum wire_refusal *r, const char **why,
    struct err *e)
{
	const struct put *q;
	uint64_t size;

	if (p->event.body_fd == -1
	    || os_memfd_sealed(p->event.body_fd, &size, e) == -1
	    || size != p->event.size)
		return out_of_order(e, "an event without its body");
	*r = health(l, size, why);
	if (*r == 0 && l->nlongs >= DOOR_LONG_MOST) {
		*r = REFUSED_BUSY;
		*why = "too many long bodies are under way";
	}
	for (q = l->longs; *r == 0 && q != NULL; q = q->next_long)
		if (strcmp(q->event.id, p->event.id) == 0) {
			*r = REFUSED_BUSY;
			*why = "it is under way already";
		}
	return 0;
}

static void
say_spoken(struct loop *l, struct conn *c, const struct put *p)
{
	buf_reset(&l->out);
	put_u64(&l->out, p->ticket);
	put_stored(&l->out, &p->stored);
	put_spoken(&l->out, p->spoken);
	conn_say(l, c, WIRE_ANSWER);
	conn_flush(l, c);	/* they are long: not all of a turn's at its end */
}

static void
answer(struct loop *l, struct put *p)
{
	if (p->refusal != 0)
		say_refused(l, p->conn, p->ticket, p->refusal, p->why);
	else if (p->spoken != NULL)
		say_spoken(l, p->conn, p);
	else
		say_stored(l, p->conn, p->ticket, &p->stored);
	put_free(l, p);
}

/* It is stored; are there destinations that come before the answer? */
static bool
ask_first(struct loop *l, struct put *p)
{
	if (p->refusal != 0 || !(delivery_remembers(l->door->delivery) ? p->asked :
	    p->event.deliver.n > 0))
		return false;
	if (delivery_remembers(l->door->delivery))
		body_drop(l, p);
	if (delivery_ask(l->door->delivery, p))
		return true;
	p->refusal = REFUSED_DESTINATION;
	p->why = "too many wait for their destinations, or the courier stops";
	return false;
}

/* There is no inbox: its destinations are all that becomes of it. */
static int
take_unkept(struct loop *l, struct put *p, struct err *e)
{
	struct event *ev = &p->event;
	uint64_t size = ev->body.n;

	if (ev->body_fd != -1 && os_memfd_sealed(ev->body_fd, &size, e) == -1)
		return -1;
	if (size != ev->size)
		return out_of_order(e, "an event without its body");
	memcpy(p->stored.id, ev->id, sizeof(p->stored.id));
	if (!ask_first(l, p))
		answer(l, p);
	return 0;
}

static int
take_event(struct loop *l, struct conn *c, struct wire_msg *m, struct err *e)
{
	struct put *p = calloc(1, sizeof(*p) + m->body.n);
	struct store *store = l->door->store;
	struct event *ev;
	enum wire_refusal r = 0;
	const char *why;
	struct get g;
	int result = 0;

	if (p == NULL)
		return err_set(e, ERR_OS, "no memory");
	p->n = m->body.n;
	memcpy(p->text, m->body.p, m->body.n);
	p->conn = c;
	p->arrived = when_steady();
	c->owed++;

	g = GET(((struct str){ p->text, p->n }));
	p->ticket = get_u64(&g);
	ev = &p->event;
	get_event(&g, ev);
	ev->body_fd = m->fd;
	m->fd = -1;
	if (!get_done(&g) || !bodies_id_valid(ev->id) || ev->hook.n == 0
	    || ev->body.n > EVENT_INLINE || ev->size > INT64_MAX
	    || (ev->body.p != NULL && ev->body_fd != -1)) {
		result = out_of_order(e, "an event that is none");
		goto out;
	}
	if (ev->body.p == NULL && ev->size == 0)
		ev->body = STR("");
	if (store == NULL && ev->deliver.n > 0) {
		if ((result = take_unkept(l, p, e)) == -1)
			goto out;
		return 0;
	}
	if (ev->body.p == NULL) {
		if ((result = take_long(l, p, &r, &why, e)) == -1 || r != 0)
			goto out;
		p->is_long = true;
		p->next_long = l->longs;
		l->longs = p;
		l->nlongs++;
	} else if ((r = health(l, 0, &why)) != 0 && store == NULL) {
		goto out;
	}
	if (store->kind->give(store, p))
		return 0;
	r = REFUSED_BUSY;
	why = "too much waits to be committed";
out:
	if (result == 0)
		say_refused(l, c, p->ticket, r, why);
	put_free(l, p);
	return result;
}

static int
take_want_key(struct loop *l, struct conn *c, struct get *g, struct err *e)
{
	uint64_t ticket = get_u64(g);
	struct str hook = get_str(g), key;
	unsigned alternative = get_u8(g);
	struct key_ask *a;
	bool again;

	key = get_str(g);
	again = get_u8(g) != 0;
	if (!get_done(g))
		return out_of_order(e, "a question for a key that is none");
	if ((a = key_ask_new(c, ticket, hook, alternative, key, again)) == NULL)
		return err_set(e, ERR_OS, "no memory");
	c->owed++;
	if (keys_give(l->door->keys, a))
		return 0;
	c->owed--;
	key_ask_free(a);
	say_refused(l, c, ticket, REFUSED_BUSY, "too many keys are asked for");
	return 0;
}

static int
take_errand(struct loop *l, struct conn *c, struct wire_msg *m, struct err *e)
{
	struct errand *one = errand_new(c, m->type, m->body);
	struct get g = GET(m->body);

	if (one == NULL)
		return err_set(e, ERR_OS, "no memory");
	c->owed++;
	if (errands_give(l->door->errands, one))
		return 0;
	c->owed--;
	errand_free(one);
	if (m->type != WIRE_QUARANTINE)
		say_refused(l, c, get_u64(&g), REFUSED_BUSY, "too much waits");
	return 0;
}

/* One that was captured is an errand, one that Google keeps is fetched. */
static int
take_want_secret(struct loop *l, struct conn *c, struct wire_msg *m, struct err *e)
{
	struct get g = GET(m->body);
	uint64_t ticket = get_u64(&g);
	struct str name = get_str(&g);
	struct vault_ask *a;

	if (!get_done(&g) || !bundle_is_fetched(name))
		return take_errand(l, c, m, e);
	if ((a = vault_ask_new(c, ticket, name)) == NULL)
		return err_set(e, ERR_OS, "no memory");
	c->owed++;
	if (vault_give(l->door->vault, a))
		return 0;
	c->owed--;
	vault_ask_free(a);
	say_refused(l, c, ticket, REFUSED_BUSY, "too many secrets are asked for");
	return 0;
}

/* What it has counted; and where it asks, what all have. */
static int
take_counters(struct loop *l, struct conn *c, struct get *g, struct err *e)
{
	uint64_t ticket = get_u64(g);
	unsigned how = get_u8(g);
	struct str series = get_str(g);
	struct err no;
	int fd, sent;

	if (!get_done(g) || how > COUNTERS_SERIES
	    || totals_take(l->door->totals, series) == -1)
		return out_of_order(e, "counters that are none");
	if (how == COUNTERS_NOTHING)
		return 0;
	if ((fd = totals_say(l->door->totals, how, &no)) == -1) {
		say_refused(l, c, ticket, REFUSED_BUSY, no.text);
		return 0;
	}
	buf_reset(&l->out);
	put_u64(&l->out, ticket);
	put_u8(&l->out, how);
	put_str(&l->out, STR(""));
	sent = wire_send(c->wire, WIRE_COUNTERS, buf_str(&l->out), fd);
	close(fd);
	if (sent == -1)
		return err_set(e, ERR_TEMP, "its answers wait already");
	c->touched = true;
	return 0;
}

static int
take(struct loop *l, struct conn *c, struct wire_msg *m, struct err *e)
{
	static const struct stored nothing;
	struct get g = GET(m->body);
	enum wire_refusal r;
	const char *why;
	uint64_t ticket;

	if (m->type == WIRE_HELLO)
		return take_hello(l, c, &g, e);
	if (c->role != ROLE_WORKER)
		return out_of_order(e, "a message before its HELLO");

	switch (m->type) {
	case WIRE_EVENT:
		return take_event(l, c, m, e);
	case WIRE_HEALTH:
		ticket = get_u64(&g);
		if (!get_done(&g))
			return out_of_order(e, "a question that is none");
		if ((r = health(l, 0, &why)) != 0)
			say_refused(l, c, ticket, r, why);
		else
			say_stored(l, c, ticket, &nothing);
		return 0;
	case WIRE_WANT_KEY:
		return take_want_key(l, c, &g, e);
	case WIRE_WANT_SECRET:
		return take_want_secret(l, c, m, e);
	case WIRE_CAPTURE:
	case WIRE_QUARANTINE:
		return take_errand(l, c, m, e);
	case WIRE_COUNTERS:
		return take_counters(l, c, &g, e);
	default:		/* what only we say */
		return out_of_order(e, "a message of ours");
	}
}

static void
conn_read(struct loop *l, struct conn *c)
{
	struct wire_msg m;
	struct err e = { .code = ERR_NONE };
	int got = wire_receive(c->wire, &e);

	while (got == 0 && c->wire != NULL
	    && (got = wire_next(c->wire, &m, &e)) == 1) {
		got = take(l, c, &m, &e);
		if (m.fd != -1)
			close(m.fd);
	}
	if (got == -1)
		conn_close(l, c, &e);
}

/* --- arrivals --------------------------------------------------------------------- */

static unsigned
doors_of(const struct door *d, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return DOOR_WORKER | DOOR_OPERATOR;
	return uid == d->handler_uid ? DOOR_WORKER : 0;
}

static void
arrive(struct loop *l, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct conn *c;
	unsigned doors;
	struct err e;
	uid_t uid = (uid_t)-1;
	gid_t gid;
	pid_t pid;

	if (os_peer(fd, &uid, &gid, &pid, &e) == -1
	    || (doors = doors_of(l->door, uid)) == 0) {
		log_say(l->door->log, LOG_WARN_, "a process of user %ld is not "
		    "let in", (long)uid);
		goto no;
	}
	if (l->nconns >= DOOR_MOST) {
		if (when_steady() >= l->crowd_at)
			log_say(l->door->log, LOG_WARN_, "there are %u "
			    "connections already; one more was closed", l->nconns);
		l->crowd_at = when_steady() + 1000;
		goto no;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL)
		goto no;
	if ((c->wire = wire_new(fd, doors, OUT_LIMIT)) == NULL) {
		free(c);		/* fd is closed already */
		return;
	}
	c->doors = doors;
	c->pid = pid;
	c->since = when_steady();
	ev.data.ptr = c;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == -1) {
		wire_free(c->wire);
		free(c);
		return;
	}
	c->next = l->conns;
	l->conns = c;
	l->nconns++;
	return;
no:
	close(fd);
}

static void
arrivals(struct loop *l)
{
	int fd;

	while ((fd = accept4(l->door->listener, NULL, NULL, SOCK_CLOEXEC |
	    SOCK_NONBLOCK)) != -1)
		arrive(l, fd);
}

/* --- outcomes ----------------------------------------------------------------------- */

static void
keys_outcomes(struct loop *l)
{
	struct key_ask *a;

	while ((a = keys_take(l->door->keys)) != NULL) {
		if (a->refusal != 0) {
			say_refused(l, a->conn, a->ticket, a->refusal, a->why);
		} else {
			buf_reset(&l->out);
			put_u64(&l->out, a->ticket);
			put_str(&l->out, buf_str(&a->bytes));
			put_u32(&l->out, a->seconds);
			conn_say(l, a->conn, WIRE_KEY);
			explicit_bzero(l->out.p, l->out.n);
		}
		a->conn->owed--;
		key_ask_free(a);
	}
}

static void
say_secret(struct loop *l, struct conn *c, uint64_t ticket, struct str bytes)
{
	buf_reset(&l->out);
	put_u64(&l->out, ticket);
	put_str(&l->out, bytes);
	conn_say(l, c, WIRE_SECRET);
	explicit_bzero(l->out.p, l->out.n);
}

static void
errand_done(struct loop *l, struct errand *one)
{
	static const struct stored nothing;
	struct err e = { .code = ERR_NONE };

	if (one->broken) {
		out_of_order(&e, "an errand that is none");
		conn_close(l, one->conn, &e);
	} else if (one->type == WIRE_QUARANTINE) {
		;
	} else if (one->refusal != 0) {
		say_refused(l, one->conn, one->ticket, one->refusal, one->why);
	} else if (one->type == WIRE_CAPTURE) {
		say_stored(l, one->conn, one->ticket, &nothing);
	} else {
		say_secret(l, one->conn, one->ticket, buf_str(&one->bytes));
	}
}

static void
errands_outcomes(struct loop *l)
{
	struct errand *one;

	while ((one = errands_take(l->door->errands)) != NULL) {
		errand_done(l, one);
		one->conn->owed--;
		errand_free(one);
	}
}

static void
vault_outcomes(struct loop *l)
{
	struct vault_ask *a;

	while ((a = vault_take(l->door->vault)) != NULL) {
		if (a->conn == NULL) {
			l->door->fetched(l->door->arg, a);
			continue;
		}
		if (a->why.code == ERR_NONE)
			say_secret(l, a->conn, a->ticket,
			    bundle_secret(a->bundle, a->name));
		else
			say_refused(l, a->conn, a->ticket, a->later ? REFUSED_BUSY :
			    REFUSED_NO_KEY, a->why.text);
		a->conn->owed--;
		vault_ask_free(a);
	}
}

static void
outcomes(struct loop *l)
{
	struct store *s = l->door->store;
	struct puts some;
	struct put *p;

	if (s == NULL)
		return;
	s->kind->take(s, &some);
	while ((p = puts_pop(&some)) != NULL)
		if (!ask_first(l, p))
			answer(l, p);
}

static void
delivery_outcomes(struct loop *l)
{
	struct puts some;
	struct put *p;

	delivery_take(l->door->delivery, &some);
	while ((p = puts_pop(&some)) != NULL)
		answer(l, p);
}

static void
flush_touched(struct loop *l)
{
	struct conn *c;

	for (c = l->conns; c != NULL; c = c->next)
		if (c->touched)
			conn_flush(l, c);
}

/* --- the clock, the signals ----------------------------------------------------------- */

static void
counters(struct loop *l)
{
	struct store_counters c;
	struct line line;

	l->counters_at = when_steady() + COUNTERS_MS;
	if (l->door->store == NULL)
		return;
	c = l->door->store->kind->counters(l->door->store);
	if (memcmp(&c, &l->said, sizeof(c)) == 0)
		return;
	l->said = c;
	line_begin(&line, l->door->log, LOG_DEBUG_, "counters");
	line_num(&line, "events", (int64_t)c.events);
	line_num(&line, "repeats", (int64_t)c.repeats);
	line_num(&line, "refused", (int64_t)c.refused);
	line_num(&line, "bytes", (int64_t)c.bytes);
	line_num(&line, "batches", (int64_t)c.batches);
	line_num(&line, "largest", (int64_t)c.largest);
	line_end(&line);
}

static void
tick(struct loop *l)
{
	int64_t now = when_steady();
	struct conn *c;

	for (c = l->conns; c != NULL; c = c->next)
		if (c->role == 0 && now - c->since > HELLO_MS)
			conn_close(l, c, NULL);
	if (now >= l->counters_at)
		counters(l);
}

static void
signalled(struct loop *l)
{
	struct signalfd_siginfo info;

	while (read(l->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			l->door->reload(l->door->arg);
		else
			l->stop = true;
	}
}

static void
lifeline(struct loop *l)
{
	char c[64];
	ssize_t n = read(l->door->lifeline, c, sizeof(c));

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
		log_say(l->door->log, LOG_WARN_, "who started us is gone");
		l->stop = true;
	}
}

/* --- the loop --------------------------------------------------------------------------- */

static int
watch(struct loop *l, int fd, void *what, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	if (fd != -1 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		return err_set(e, ERR_OS, "epoll: %s", strerror(errno));
	return 0;
}

/* The last answers. */
static void
finish(struct loop *l)
{
	int64_t until = when_steady() + STOP_FLUSH_MS;
	struct conn *c;

	if (l->drained_at == 0)
		alarm(STOP_SECONDS);
	delivery_stop(l->door->delivery);
	delivery_outcomes(l);
	if (l->door->store != NULL)
		l->door->store->kind->stop(l->door->store);
	outcomes(l);
	keys_outcomes(l);
	errands_outcomes(l);
	vault_outcomes(l);
	readers_stop(l->door->readers);
	flush_touched(l);
	for (c = l->conns; c != NULL; c = c->next) {
		while (c->wire != NULL && wire_waiting(c->wire)
		    && when_steady() < until) {
			poll(NULL, 0, 5);
			conn_flush(l, c);
		}
		conn_close(l, c, NULL);
	}
	conns_reap(l);
	counters(l);
}

static void
dispatch(struct loop *l, void *what, unsigned events)
{
	struct conn *c;

	if (what == &l->door->listener) {
		arrivals(l);
	} else if (what == &l->door->lifeline) {
		lifeline(l);
	} else if (what == &l->signals) {
		signalled(l);
	} else if (what == &l->door->store) {
		outcomes(l);
	} else if (what == &l->door->delivery) {
		delivery_outcomes(l);
	} else if (what == &l->door->keys) {
		keys_outcomes(l);
	} else if (what == &l->door->errands) {
		errands_outcomes(l);
	} else if (what == &l->door->vault) {
		vault_outcomes(l);
	} else {
		c = what;
		if (c->wire != NULL && (events & ~(unsigned)EPOLLOUT))
			conn_read(l, c);
		if (events & EPOLLOUT)
			c->touched = true;
	}
}

/* Until told to stop, and then a little for those whose destinations are at work. */
static bool
goes_on(struct loop *l)
{
	if (!l->stop)
		return true;
	if (l->drained_at == 0) {
		l->drained_at = when_steady() + DRAIN_MS;
		alarm(STOP_SECONDS);
	}
	return delivery_drain(l->door->delivery) > 0 &&
	    when_steady() < l->drained_at;
}

int
door_run(struct door *d, struct err *e)
{
	struct loop l = { .door = d, .epoll = -1, .signals = -1,
	    .out = BUF(WIRE_MAX) };
	struct epoll_event evs[64];
	sigset_t set;
	int i, n, result = -1;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l.epoll == -1 || l.signals == -1) {
		err_set(e, ERR_OS, "epoll or signalfd: %s", strerror(errno));
		goto out;
	}
	if (watch(&l, d->listener, &d->listener, e) == -1
	    || watch(&l, d->lifeline, &d->lifeline, e) == -1
	    || watch(&l, l.signals, &l.signals, e) == -1
	    || (d->store != NULL
	    && watch(&l, d->store->kind->fd(d->store), &d->store, e) == -1)
	    || watch(&l, delivery_fd(d->delivery), &d->delivery, e) == -1
	    || watch(&l, keys_fd(d->keys), &d->keys, e) == -1
	    || watch(&l, errands_fd(d->errands), &d->errands, e) == -1
	    || watch(&l, vault_fd(d->vault), &d->vault, e) == -1)
		goto out;
	l.counters_at = when_steady() + COUNTERS_MS;

	while (goes_on(&l)) {
		n = epoll_wait(l.epoll, evs, sizeof(evs) / sizeof(evs[0]),
		    l.stop ? 100 : 1000);
		for (i = 0; i < n; i++)
			dispatch(&l, evs[i].data.ptr, evs[i].events);
		flush_touched(&l);
		tick(&l);
		conns_reap(&l);
	}
	result = 0;
out:
	finish(&l);
	if (l.epoll != -1)
		close(l.epoll);
	if (l.signals != -1)
		close(l.signals);
	buf_free(&l.out);
	return result;
}
