/*
 * main.c - hooklatch-courier: owns the inbox, and all that goes out.
 *
 * Its user is the only one that may read what is stored, and holds what keys are
 * fetched and events delivered with; what reads the internet's requests is another
 * process, of another user, behind a socket (door.h).
 */
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/os.h"
#include "../conf.h"
#include "door.h"
#include "engine.h"
#include "store_sqlite.h"

#define PROGRAM		"hooklatch-courier"
#define CLAIM_TRIES	20	/* of 100 ms: a courier that is just ending */
#define BACKLOG		256

struct options {
	const char	*conf;		/* NULL: the environment */
	bool		 read_only;
	int		 operator_fd;
	int		 lifeline;
};

/* All that the process is; made in main(). */
struct courier {
	struct options	 options;
	struct conf	*conf;
	struct bundle	*bundle;
	char		*path;		/* of the inbox; NULL: there is none */
	char		*socket;
	bool		 root;
	uid_t		 uid, handler_uid;
	gid_t		 handler_gid;
	struct log	 log;
	struct inbox	*inbox;
	struct batch	*batch;		/* the store's; NULL: there is no inbox */
	struct captured	*captured;
	struct quarantine *quarantine;
	struct totals	*totals;
	struct vault_ask *asked;	/* of the last reload; the vault's, or NULL */
	struct door	 door;
};

/* --- the command line -------------------------------------------------------------- */

static const char usage[] =
    "usage: hooklatch-courier [-c FILE] [--lifeline FD]\n"
    "       hooklatch-courier [-c FILE] --read-only --operator-fd FD\n"
    "       hooklatch-courier -h | --version\n"
    "\n"
    "Owns the inbox: commits events, hands them on, answers operators.\n"
    "  -c FILE           the configuration; else $HOOKLATCH_CONFIG, else the\n"
    "                    environment is one\n"
    "  --lifeline FD     stop in order when this pipe ends\n"
    "  --read-only       only answer the operator on --operator-fd\n";

static int
descriptor(const char *text, int *fd, struct err *e)
{
	uint64_t n;

	if (!str_to_u64(str_of(text), &n) || n > 65535
	    || fcntl((int)n, F_SETFD, FD_CLOEXEC) == -1)
		return err_set(e, ERR_USAGE, "\"%s\" is not an open descriptor",
		    text);
	*fd = (int)n;
	return 0;
}

static int
options_read(struct options *o, int argc, char **argv, struct err *e)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "lifeline", required_argument, NULL, 'l' },
		{ "operator-fd", required_argument, NULL, 'o' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ .conf = getenv("HOOKLATCH_CONFIG"),
	    .operator_fd = -1, .lifeline = -1 };
	if (o->conf != NULL && o->conf[0] == '\0')
		o->conf = NULL;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'l':
			if (descriptor(optarg, &o->lifeline, e) == -1)
				return -1;
			break;
		case 'o':
			if (descriptor(optarg, &o->operator_fd, e) == -1)
				return -1;
			break;
		case 'r':
			o->read_only = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'v':
			puts(PROGRAM " " VERSION);
			exit(0);
		default:
			return err_set(e, ERR_USAGE, "see " PROGRAM " -h");
		}
	}
	if (optind != argc)
		return err_set(e, ERR_USAGE, "what is \"%s\"? see " PROGRAM " -h",
		    argv[optind]);
	if (o->read_only != (o->operator_fd != -1))
		return err_set(e, ERR_USAGE, "--read-only and --operator-fd go "
		    "together");
	return 0;
}

/* --- the configuration ---------------------------------------------------------------- */

/* *bundle: its half, with what keys are fetched by. */
static struct conf *
conf_open(const char *path, enum conf_half half, struct buf *warn,
    struct bundle **bundle, struct err *e)
{
	struct conf_place here = conf_here();
	struct conf *c = NULL;

	if ((*bundle = conf_gather(path, half, e)) != NULL)
		c = conf_gathered(*bundle, path, e);
	if (c != NULL && conf_settle(c, &here, warn, e) == -1) {
		conf_free(c);
		c = NULL;
	}
	if (c == NULL) {
		bundle_free(*bundle);
		*bundle = NULL;
	}
	return c;
}

static struct inbox_limits
limits_of(const struct conf *c)
{
	return (struct inbox_limits){
		.bytes = c->inbox_bytes,
		.age = c->inbox_age,
		.keep = c->inbox_keep,
		.remember = c->remember,
	};
}

/* An event waits for the lock a little less long than its worker waits for us. */
static int64_t
patience_of(const struct conf *c)
{
	return c->max_deadline - c->max_deadline / 10;
}

static int
configure(struct courier *c, struct err *e)
{
	struct buf warn = BUF(64 * 1024);
	struct str rest, line;
	char *log;

	if ((c->conf = conf_open(c->options.conf, c->options.read_only ?
	    HALF_NONE : HALF_COURIER, &warn, &c->bundle, e)) == NULL) {
		buf_free(&warn);
		return -1;
	}
	log = strndup(c->conf->log.p, c->conf->log.n);
	if (log_open(&c->log, log == NULL ? "stderr" : log, PROGRAM, e) == -1)
		log_say(&c->log, LOG_WARN_, "%s", e->text);
	free(log);
	for (rest = buf_str(&warn); rest.n > 0 && !c->options.read_only;) {
		line = str_cut(&rest, '\n');
		if (line.n > 0)
			log_say(&c->log, LOG_WARN_, "%.*s", STR_ARG(line));
	}
	buf_free(&warn);
	if (c->conf->inbox_kind == INBOX_SQLITE && (c->path = strndup(
	    c->conf->inbox_path.p, c->conf->inbox_path.n)) == NULL)
		return err_set(e, ERR_OS, "no memory");
	c->socket = strndup(c->conf->courier.p, c->conf->courier.n);
	return c->socket != NULL ? 0 : err_set(e, ERR_OS, "no memory");
}

static void
refuse(struct courier *c, const struct err *e)
{
	log_say(&c->log, LOG_ERROR_, "reload refused, the old configuration stays: %s",
	    e->text);
	totals_reload(c->totals, false);
}

/* Takes both over. */
static void
take_conf(struct courier *c, struct conf *now, struct bundle *bundle)
{
	struct store *store = c->door.store;
	struct inbox_limits l = limits_of(now);
	struct half *half;

	if (store != NULL)
		store->kind->limit(store, &l, patience_of(now));
	if ((half = half_new(now, bundle)) == NULL) {
		log_say(&c->log, LOG_ERROR_, "reload: no memory");
		return;
	}
	delivery_reload(c->door.delivery, half_use(half));
	keys_reload(c->door.keys, half);
	totals_reload(c->totals, true);
	log_say(&c->log, LOG_INFO_, "reloaded");
}

/*
 * SIGHUP: the limits, whose keys are fetched, what is delivered to.  A bad file, or a
 * secret that cannot be had, changes nothing; and nobody waits while one is fetched.
 */
static void
reload(void *arg)
{
	struct courier *c = arg;
	struct bundle *bundle;
	struct err e;
	struct conf *now = conf_open(c->options.conf, HALF_COURIER, NULL, &bundle,
	    &e);
	struct vault_ask *ask;
	size_t at = 0;

	c->asked = NULL;	/* what an earlier one waits for is not wanted now */
	if (now == NULL) {
		refuse(c, &e);
	} else if (bundle_lacks(bundle, &at).p == NULL) {
		take_conf(c, now, bundle);
	} else if ((ask = vault_ask_own(now, bundle)) == NULL ||
	    !vault_give(c->door.vault, ask)) {
		vault_ask_free(ask);
		err_set(&e, ERR_OS, "no memory to fetch secrets");
		refuse(c, &e);
	} else {
		c->asked = ask;
	}
}

static void
fetched(void *arg, struct vault_ask *ask)
{
	struct courier *c = arg;

	if (ask == c->asked && ask->why.code == ERR_NONE) {
		take_conf(c, ask->conf, ask->bundle);
		ask->conf = NULL;
		ask->bundle = NULL;
	} else if (ask == c->asked) {
		refuse(c, &ask->why);
	}
	if (ask == c->asked)
		c->asked = NULL;
	vault_ask_free(ask);
}

/* --- places: what root is needed for --------------------------------------------------- */

/*
 * Who speaks to us.  Started by root there are two users; else there is one, or
 * the handler's group is also ours (as a unit of systemd can say).
 */
static int
users_find(struct courier *c, struct err *e)
{
	char user[256], courier_user[256];
	gid_t gid, groups[256];
	struct err unknown;
	int n;

	snprintf(user, sizeof(user), "%.*s", STR_ARG(c->conf->handler_user));
	snprintf(courier_user, sizeof(courier_user), "%.*s",
	    STR_ARG(c->conf->courier_user));
	c->root = geteuid() == 0;
	c->uid = geteuid();
	c->handler_gid = (gid_t)-1;
	if (c->root)
		return os_user(courier_user, &c->uid, &gid, e) == -1 ? -1
		    : os_user(user, &c->handler_uid, &c->handler_gid, e);
	if (os_user(user, &c->handler_uid, &gid, &unknown) == -1) {
		c->handler_uid = (uid_t)-1;
		return 0;
	}
	for (n = getgroups(256, groups); n > 0; n--)
		if (groups[n - 1] == gid)
			c->handler_gid = gid;
	if (getegid() == gid)
		c->handler_gid = gid;
	return 0;
}

/* The directory of a file, if it is not there. */
static int
directory_make(const struct courier *c, const char *file, struct err *e)
{
	char *dir = strdup(file), *slash;
	int result = 0;

	if (dir == NULL)
		return err_set(e, ERR_OS, "no memory");
	slash = strrchr(dir, '/');
	if (slash == NULL || slash == dir)
		goto out;
	*slash = '\0';
	if (access(dir, F_OK) == 0)
		goto out;
	if (directory_make(c, dir, e) == -1) {
		result = -1;
		goto out;
	}
	/* The handler's group may pass through it to the socket. */
	if (mkdir(dir, 0750) == -1 || chmod(dir, 0750) == -1
	    || ((c->root || c->handler_gid != (gid_t)-1)
	    && chown(dir, c->root ? c->uid : (uid_t)-1, c->handler_gid) == -1))
		result = err_set(e, ERR_OS, "making %s: %s", dir,
		    strerror(errno));
out:
	free(dir);
	return result;
}

static int
places_make(struct courier *c, struct err *e)
{
	if ((c->path != NULL && directory_make(c, c->path, e) == -1)
	    || directory_make(c, c->socket, e) == -1)
		return -1;
	c->door.listener = os_listen_unix(c->socket, 0660, c->handler_gid, BACKLOG,
	    e);
	return c->door.listener == -1 ? -1 : 0;
}

static int
privileges_drop(struct courier *c, struct err *e)
{
	char user[256];

	snprintf(user, sizeof(user), "%.*s", STR_ARG(c->conf->courier_user));
	if (os_become(user, (gid_t)-1, e) == -1)
		return -1;
	return os_guard_memory(e);
}

/*
 * One courier for one inbox: a second one would sweep away the bodies that the
 * first is writing.  The lock goes with the process, however it ends.
 */
static int
claim(struct courier *c, struct err *e)
{
	const char *files;
	int fd, i;

	if (c->inbox == NULL)
		return 0;
	files = inbox_files(c->inbox);
	if (mkdir(files, 0700) == -1 && errno != EEXIST)
		return err_set(e, ERR_IO, "%s: %s", files, strerror(errno));
	if ((fd = open(files, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return err_set(e, ERR_IO, "%s: %s", files, strerror(errno));
	for (i = 0; flock(fd, LOCK_EX | LOCK_NB) == -1; i++) {
		if (i == CLAIM_TRIES) {
			close(fd);
			return err_set(e, ERR_TEMP, "inbox %s: another courier has "
			    "it", c->path);
		}
		usleep(100 * 1000);
	}
	return 0;	/* fd stays open as long as we live */
}

/* --- signals -------------------------------------------------------------------------- */

/* All that is not answered now will be asked again: as after a kill. */
static void
too_slow(int sig)
{
	(void)sig;
	_exit(0);
}

static void
signals_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* past a limit on files: an error will do */
	signal(SIGALRM, too_slow);
}

static void
descriptors_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < 8192 ? r.rlim_max : 8192;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* --- the two lives ---------------------------------------------------------------------- */

/* Where events are kept. */
static int
store_begin(struct courier *c, struct err *e)
{
	struct door *d = &c->door;

	struct inbox_limits limits = limits_of(c->conf);

	if (c->inbox != NULL)
		d->store = store_sqlite(c->inbox, c->totals, &c->log,
		    patience_of(c->conf), e);
	else if (c->conf->inbox_kind == INBOX_ENGINE)
		d->store = engine_start(c->conf, c->bundle, &c->log, &limits,
		    patience_of(c->conf), e);
	else
		return 0;
	if (d->store == NULL)
		return -1;
	if (c->inbox != NULL) {
		c->batch = store_batch(d->store);
		totals_watch(c->totals, c->batch);
	}
	return 0;
}

/* A start without its secrets is none: who started us tries again. */
static int
secrets_fill(struct courier *c, struct err *e)
{
	size_t at = 0;

	return bundle_lacks(c->bundle, &at).p == NULL ? 0 :
	    vault_fill(c->door.vault, c->conf, c->bundle, e);
}

static int
serve(struct courier *c, struct err *e)
{
	const struct conf *conf = c->conf;
	struct door *d = &c->door;
	struct half *half;
	char engine[512];
	int result;

	snprintf(engine, sizeof(engine), "%.*s", STR_ARG(conf->inbox));
	if ((c->totals = d->totals = totals_new()) == NULL)
		return err_set(e, ERR_OS, "no memory");
	engine_load(conf);
	if ((d->vault = vault_start(c->options.conf, conf->ca_file, e)) == NULL ||
	    secrets_fill(c, e) == -1)
		return -1;
	if (store_begin(c, e) == -1)
		return -1;
	if (conf->quarantine.n > 0 && (c->quarantine = quarantine_new(
	    conf->quarantine, conf->quarantine_requests, conf->quarantine_bytes,
	    &c->log, e)) == NULL)
		return -1;
	d->errands = errands_start(c->captured, c->quarantine, &c->log, e);
	/* Who reads the configuration from here on has a share in it. */
	half = half_new(c->conf, c->bundle);
	c->conf = NULL;
	c->bundle = NULL;
	if (half == NULL)
		return err_set(e, ERR_OS, "no memory");
	d->keys = keys_start(half_use(half), &c->log, e);
	if (d->keys != NULL)
		d->delivery = delivery_start(c->inbox, c->batch, c->totals,
		    half_use(half), &c->log, e);
	half_drop(half);
	d->readers = readers_new(&(struct reading){ .inbox = c->inbox,
	    .captured = c->captured, .batch = c->batch,
	    .delivery = c->batch != NULL ? d->delivery : NULL, .totals = c->totals, .log = &c->log });
	if (d->readers == NULL || d->errands == NULL || d->keys == NULL ||
	    d->delivery == NULL)
		return -1;
	d->lifeline = c->options.lifeline;
	d->handler_uid = c->handler_uid;
	d->log = &c->log;
	d->reload = reload;
	d->fetched = fetched;
	d->arg = c;

	log_say(&c->log, LOG_INFO_, "started: inbox %s, socket %s",
	    c->path == NULL ? engine : c->path, c->socket);
	os_notify("READY=1");
	result = door_run(d, e);
	unlink(c->socket);
	errands_stop(d->errands);
	vault_stop(d->vault);
	keys_stop(d->keys);
	delivery_free(d->delivery);
	if (d->store != NULL)
		d->store->kind->free(d->store);
	totals_free(c->totals);
	quarantine_free(c->quarantine);
	log_say(&c->log, LOG_INFO_, "stopped");
	return result;
}

static int
read_only(struct courier *c, struct err *e)
{
	struct wire *w;

	if (c->inbox != NULL && inbox_open_reader(c->inbox, e) != INBOX_OK)
		return -1;
	if ((w = wire_new(c->options.operator_fd, DOOR_OPERATOR, 4 * 1024 * 1024))
	    == NULL)
		return err_set(e, ERR_OS, "no memory");
	reader_serve(&(struct reading){ .inbox = c->inbox, .captured = c->captured,
	    .log = &c->log, .alone = true }, w);
	wire_free(w);
	return 0;
}

static int
die(struct courier *c, const struct err *e)
{
	if (c->door.listener != -1)
		unlink(c->socket);
	if (c->log.program != NULL)
		log_say(&c->log, LOG_ERROR_, "%s", e->text);
	else
		fprintf(stderr, PROGRAM ": %s\n", e->text);
	return e->code;
}

int
main(int argc, char **argv)
{
	struct courier c = { .door.listener = -1 };
	struct inbox_limits limits;
	struct err e;

	umask(0077);
	if (os_standard_fds(&e) == -1
	    || options_read(&c.options, argc, argv, &e) == -1
	    || configure(&c, &e) == -1)
		return die(&c, &e);
	limits = limits_of(c.conf);
	if (c.path != NULL && ((c.inbox = inbox_new(c.path, &limits, &c.log)) ==
	    NULL || (c.captured = captured_new(c.path, &e)) == NULL))
		return ERR_OS;

	signals_block();
	descriptors_raise();
	if (c.options.read_only) {
		if (privileges_drop(&c, &e) == -1 || read_only(&c, &e) == -1)
			return die(&c, &e);
		return 0;
	}
	if (users_find(&c, &e) == -1
	    || places_make(&c, &e) == -1		/* the last need for root */
	    || privileges_drop(&c, &e) == -1
	    || claim(&c, &e) == -1
	    || serve(&c, &e) == -1)			/* until told to stop */
		return die(&c, &e);
	inbox_free(c.inbox);
	captured_free(c.captured);
	free(c.path);
	free(c.socket);
	return 0;
}
