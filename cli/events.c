/*
 * events.c - what the inbox holds, asked of the courier.
 *
 * The running courier is asked through its socket.  When none answers, one is
 * started that only reads, with a socket pair as its single door: so every
 * command here works with the service stopped, and there is one way to read.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/when.h"
#include "cli/cli.h"
#include "wire.h"

#define PATIENCE_MS	15000		/* without a word from the courier */
#define TAIL_MS		400
#define LIMIT		20

struct events_options {
	const char	*config;
	const char	*hook;
	const char	*provider;
	const char	*type;
	const char	*event_id;
	const char	*since;
	const char	*until;
	const char	*limit;
	bool		 json;
	bool		 bodies;
	bool		 body;
};

#define AT(field)	offsetof(struct events_options, field)
const struct option_row events_options[] = {
	{ "config", 'c', "FILE", AT(config),
	    "the configuration; without it the environment" },
	{ "hook", 0, "PATH", AT(hook), "only of this hook" },
	{ "provider", 0, "ID", AT(provider), "only of this provider" },
	{ "type", 0, "TYPE", AT(type), "only of this type" },
	{ "event-id", 0, "ID", AT(event_id), "only with this id of the provider's" },
	{ "since", 0, "TIME", AT(since),
	    "not before: 10m, 2h ago, or 2026-01-31T12:00:00Z" },
	{ "until", 0, "TIME", AT(until), "before" },
	{ "limit", 'n', "N", AT(limit), "at most N events; 0: all; default 20" },
	{ "json", 0, NULL, AT(json), "one object a line" },
	{ "bodies", 0, NULL, AT(bodies), "list, tail: with body_base64 (and --json)" },
	{ "body", 0, NULL, AT(body), "show: the exact bytes of the body alone" },
	{ NULL, 0, NULL, 0, NULL }
};
#undef AT

/* --- the one who is asked ------------------------------------------------- */

struct courier {
	struct wire	*wire;
	pid_t		 reader;	/* one of our own, or 0 */
	uint64_t	 ticket;
};

static void
courier_close(struct courier *c)
{
	wire_free(c->wire);		/* a reader ends when its door closes */
	c->wire = NULL;
	if (c->reader > 0)
		while (waitpid(c->reader, NULL, 0) == -1 && errno == EINTR)
			;
	c->reader = 0;
}

static int
reader_start(struct courier *c, const char *config, struct err *e)
{
	char program[512], door[16];
	const char *argv[8];
	int pair[2];
	size_t n = 0;

	if (cli_program("hooklatch-courier", program, sizeof(program), e) == -1)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return err_set(e, ERR_OS, "socketpair: %s", strerror(errno));
	snprintf(door, sizeof(door), "%d", pair[1]);
	argv[n++] = "hooklatch-courier";
	argv[n++] = "--read-only";
	argv[n++] = "--operator-fd";
	argv[n++] = door;
	if (config != NULL) {
		argv[n++] = "-c";
		argv[n++] = config;
	}
	argv[n] = NULL;
	if ((c->reader = fork()) == 0) {
		fcntl(pair[1], F_SETFD, 0);
		execv(program, (char *const *)argv);
		_exit(ERR_OS);
	}
	close(pair[1]);
	if (c->reader == -1) {
		c->reader = 0;
		close(pair[0]);
		return err_set(e, ERR_OS, "fork: %s", strerror(errno));
	}
	c->wire = wire_new(pair[0], DOOR_OPERATOR, WIRE_MAX);
	return c->wire != NULL ? 0 : err_set(e, ERR_OS, "not enough memory");
}

/* The end of a reader of our own says why better than a closed socket. */
static int
courier_lost(struct courier *c, struct err *e)
{
	int status = 0;

	if (c->reader > 0) {
		wire_free(c->wire);
		c->wire = NULL;
		waitpid(c->reader, &status, 0);
		c->reader = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) >= 64 &&
		    WEXITSTATUS(status) <= 78)
			return err_set(e, (enum errcode)WEXITSTATUS(status),
			    "the inbox cannot be read; what hooklatch-courier said "
			    "stands above");
	}
	return err_set(e, ERR_AWAY, "the courier closed the connection: it is being "
	    "stopped, or you are neither root nor the user that it runs as");
}

/* The next message; a descriptor that comes along is the caller's. */
static int
courier_next(struct courier *c, struct wire_msg *m, struct err *e)
{
	struct pollfd p = { .fd = wire_fd(c->wire) };
	int rc;

	for (;;) {
		if ((rc = wire_next(c->wire, m, e)) != 0)
			return rc == 1 ? 0 : -1;
		p.events = (short)(POLLIN | (wire_waiting(c->wire) ? POLLOUT : 0));
		rc = poll(&p, 1, PATIENCE_MS);
		if (rc == 0)
			return err_set(e, ERR_AWAY, "the courier has not answered for "
			    "%d s; is it stopped or the disk stuck?",
			    PATIENCE_MS / 1000);
		if (rc == -1)
			return err_set(e, ERR_OS, "poll: %s", strerror(errno));
		if ((p.revents & POLLOUT) != 0 && wire_flush(c->wire, e) == -1)
			return courier_lost(c, e);
		if ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
		    wire_receive(c->wire, e) == -1) {
			/* What came before the end still counts. */
			if ((rc = wire_next(c->wire, m, e)) == 1)
				return 0;
			return courier_lost(c, e);
		}
	}
}

static int
courier_say(struct courier *c, enum wire_type type, struct buf *b, struct err *e)
{
	int rc = -1;

	if (buf_ok(b) && wire_send(c->wire, type, buf_str(b), -1) == 0)
		rc = 0;
	else
		err_set(e, ERR_SOFTWARE, "the question does not fit a message");
	buf_free(b);
	if (rc == 0 && wire_flush(c->wire, e) == -1)
		rc = courier_lost(c, e);
	return rc;
}

/* Who we are, and whether we are welcome. */
static int
courier_greet(struct courier *c, struct err *e)
{
	struct buf b = BUF(256);
	struct wire_msg m;

	put_u8(&b, ROLE_OPERATOR);
	put_u32(&b, (uint32_t)getpid());
	put_str(&b, STR("hooklatch"));
	if (courier_say(c, WIRE_HELLO, &b, e) == -1 || courier_next(c, &m, e) == -1)
		return -1;
	if (m.fd != -1)
		close(m.fd);
	if (m.type != WIRE_WELCOME)
		return err_set(e, ERR_PROTOCOL, "the courier answers in words of "
		    "another version");
	return 0;
}

static int
courier_open(struct courier *c, const struct conf *conf, const char *config,
    struct err *e)
{
	char path[256];
	struct err away;
	int fd = -1;

	*c = (struct courier){ .reader = 0 };
	signal(SIGPIPE, SIG_IGN);
	if (conf->inbox_kind != INBOX_SQLITE)
		return err_set(e, ERR_CONF, "\"inbox\" is \"%.*s\": no events are kept "
		    "here", STR_ARG(conf->inbox));
	snprintf(path, sizeof(path), "%.*s", STR_ARG(conf->courier));
	if ((fd = os_connect_unix(path, &away)) == -1) {
		if (reader_start(c, config, e) == -1)
			return -1;
	} else if ((c->wire = wire_new(fd, DOOR_OPERATOR, WIRE_MAX)) == NULL) {
		return err_set(e, ERR_OS, "not enough memory");
	}
	if (courier_greet(c, e) == 0)
		return 0;
	courier_close(c);
	return -1;
}

/* --- rows as they come ---------------------------------------------------- */

struct printer {
	const struct events_options *o;
	bool		 header;	/* the table's first line is out */
	uint64_t	 cursor;	/* of the last row */
	size_t		 rows;
	int		(*row)(struct printer *, const struct inbox_row *,
			    struct err *);
};

/* Maps a body that rides as a descriptor. */
static int
body_map(struct inbox_row *row, int fd, struct err *e)
{
	char *p;

	if (row->event.size == 0) {
		row->event.body = STR("");
		return 0;
	}
	p = mmap(NULL, row->event.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_set(e, ERR_OS, "mmap: %s", strerror(errno));
	row->event.body = (struct str){ p, row->event.size };
	return 0;
}

static int
row_take(struct printer *p, struct wire_msg *m, struct err *e)
{
	struct get g = GET(m->body);
	struct inbox_row row = { .cursor = 0 };
	bool mapped = false;
	int rc = -1;

	get_u64(&g);
	get_row(&g, &row);
	if (!get_done(&g)) {
		err_set(e, ERR_PROTOCOL, "a row that cannot be read");
	} else if (m->fd != -1 && body_map(&row, m->fd, e) == -1) {
		;
	} else {
		mapped = m->fd != -1 && row.event.size > 0;
		p->cursor = row.cursor;
		p->rows++;
		rc = p->row(p, &row, e);
	}
	if (mapped)
		munmap((void *)(uintptr_t)row.event.body.p, row.event.body.n);
	if (m->fd != -1)
		close(m->fd);
	return rc;
}

/* Every row of an answer, up to its END. */
static int
rows_take(struct courier *c, struct printer *p, struct err *e)
{
	struct wire_msg m;
	struct get g;
	struct str wrong;

	for (;;) {
		if (courier_next(c, &m, e) == -1)
			return -1;
		if (m.type == WIRE_ROW) {
			if (row_take(p, &m, e) == -1)
				return -1;
			continue;
		}
		if (m.fd != -1)
			close(m.fd);
		if (m.type != WIRE_END)
			return err_set(e, ERR_PROTOCOL, "the courier said something "
			    "that is no row");
		g = GET(m.body);
		get_u64(&g);
		get_u64(&g);
		wrong = get_str(&g);
		if (!get_done(&g))
			return err_set(e, ERR_PROTOCOL, "an end that cannot be read");
		if (wrong.n > 0)
			return err_set(e, ERR_TEMP, "%.*s", STR_ARG(wrong));
		return 0;
	}
}

static int
list(struct courier *c, const struct filter *f, struct printer *p, struct err *e)
{
	struct buf b = BUF(64 * 1024);

	put_u64(&b, ++c->ticket);
	put_filter(&b, f);
	if (courier_say(c, WIRE_LIST, &b, e) == -1)
		return -1;
	return rows_take(c, p, e);
}

/* --- how they look -------------------------------------------------------- */

static int
print_json(struct printer *p, const struct inbox_row *row, struct err *e)
{
	struct buf b = BUF(CLI_OUT_MAX);
	int rc;

	event_json(&b, &row->event, &row->stored, row->last_repeat_at,
	    p->o->bodies && row->event.body.p != NULL);
	buf_putc(&b, '\n');
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

/* A word of the sender's, harmless to a terminal; "-" when there is none. */
static void
put_word(struct buf *b, struct str word, size_t width)
{
	struct buf safe = BUF(4096);
	size_t n;

	if (word.n == 0)
		word = STR("-");
	buf_json(&safe, str_head(word, 400));
	n = safe.n >= 2 ? safe.n - 2 : 0;
	buf_printf(b, "%-*.*s", (int)width, (int)n, n > 0 ? safe.p + 1 : "");
	buf_free(&safe);
}

static void
put_time(struct buf *b, int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];

	/* As RFC 3339, in UTC: --since takes it back. */
	if (gmtime_r(&s, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		snprintf(text, sizeof(text), "%lld", (long long)s);
	buf_printf(b, "%s.%03dZ", text, (int)(ms % 1000));
}

static int
print_table(struct printer *p, const struct inbox_row *row, struct err *e)
{
	struct buf b = BUF(64 * 1024);
	char repeats[24] = "-";
	int rc;

	if (!p->header)
		buf_printf(&b, "%-24s  %-36s  %-18s  %-12s  %-20s  %8s  %7s  %s\n",
		    "RECEIVED", "ID", "HOOK", "PROVIDER", "TYPE", "SIZE", "REPEATS",
		    "EVENT ID");
	p->header = true;
	if (row->stored.repeats > 0)
		snprintf(repeats, sizeof(repeats), "%llu",
		    (unsigned long long)row->stored.repeats);
	put_time(&b, row->event.received_at);
	buf_printf(&b, "  %-36s  ", row->event.id);
	put_word(&b, row->event.hook, 18);
	buf_put(&b, STR("  "));
	put_word(&b, row->event.provider, 12);
	buf_put(&b, STR("  "));
	put_word(&b, row->event.event_type, 20);
	buf_printf(&b, "  %8llu  %7s  ", (unsigned long long)row->event.size,
	    repeats);
	put_word(&b, row->event.event_id, 0);
	buf_putc(&b, '\n');
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

static void
put_fact(struct buf *b, const char *name, struct str value)
{
	if (value.n == 0)
		return;
	buf_printf(b, "%-14s ", name);
	put_word(b, value, 0);
	buf_putc(b, '\n');
}

static bool
is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' && strchr("\t\r\n", s.p[i]) == NULL)
			return false;
	return true;
}

/* The stored headers, ["name","value"] each, a line for each. */
static void
put_headers(struct buf *b, struct str headers)
{
	struct json_doc *doc;
	const struct json_object *root, *pair;
	struct err e;

	if ((doc = json_read(headers, "headers", &e)) == NULL)
		return;
	root = json_root(doc);
	for (size_t i = 0; i < json_count(root); i++) {
		pair = json_at(root, i);
		if (json_kind(pair) != JSON_ARRAY || json_count(pair) != 2)
			continue;
		buf_put(b, STR("  "));
		put_word(b, json_text(json_at(pair, 0)), 0);
		buf_put(b, STR(": "));
		put_word(b, json_kind(json_at(pair, 1)) == JSON_STRING ?
		    json_text(json_at(pair, 1)) : STR("(bytes)"), 0);
		buf_putc(b, '\n');
	}
	json_close(doc);
}

static int
print_show(struct printer *p, const struct inbox_row *row, struct err *e)
{
	const struct event *v = &row->event;
	struct buf b = BUF(CLI_OUT_MAX);
	int rc;

	if (p->o->body) {
		buf_put(&b, v->body);
		rc = cli_print(&b, e);
		buf_free(&b);
		return rc;
	}
	put_fact(&b, "id", str_of(v->id));
	buf_printf(&b, "%-14s ", "received");
	put_time(&b, v->received_at);
	buf_putc(&b, '\n');
	put_fact(&b, "hook", v->hook);
	put_fact(&b, "provider", v->provider);
	put_fact(&b, "event id", v->event_id);
	put_fact(&b, "type", v->event_type);
	put_fact(&b, "request", v->method);
	put_fact(&b, "target", v->target);
	put_fact(&b, "from", v->remote);
	put_fact(&b, "proven by", v->scheme);
	put_fact(&b, "secret", v->secret);
	if (v->signed_at != 0) {
		buf_printf(&b, "%-14s ", "signed");
		put_time(&b, v->signed_at);
		buf_putc(&b, '\n');
	}
	buf_printf(&b, "%-14s %llu", "repeats",
	    (unsigned long long)row->stored.repeats);
	if (row->last_repeat_at != 0) {
		buf_put(&b, STR(", last "));
		put_time(&b, row->last_repeat_at);
	}
	buf_putc(&b, '\n');
	if ((row->stored.flags & STORED_OTHER_BODY) != 0)
		put_fact(&b, "warning", STR("its event id came before with other bytes"));
	if ((row->stored.flags & STORED_OTHER_ID) != 0)
		put_fact(&b, "warning", STR("its bytes came before under another id"));
	put_fact(&b, "request id", v->request_id);
	put_fact(&b, "trace", v->trace);
	buf_put(&b, STR("headers\n"));
	put_headers(&b, v->headers);
	buf_printf(&b, "body           %llu bytes%s\n", (unsigned long long)v->size,
	    is_text(v->body) ? "" : ", not text: --body writes them");
	if (v->body.n > 0 && is_text(v->body)) {
		buf_putc(&b, '\n');
		buf_put(&b, v->body);
		buf_putc(&b, '\n');
	}
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

static int
print_show_json(struct printer *p, const struct inbox_row *row, struct err *e)
{
	struct events_options o = *p->o;
	struct printer with = { .o = &o };

	o.bodies = true;
	return print_json(&with, row, e);
}

/* --- list, show, tail ----------------------------------------------------- */

static int
filter_make(struct filter *f, const struct events_options *o, struct err *e)
{
	int64_t now = when_now();

	*f = (struct filter){
		.hook = str_of(o->hook),
		.provider = str_of(o->provider),
		.type = str_of(o->type),
		.event_id = str_of(o->event_id),
		.limit = LIMIT,
		.newest = true,
		.bodies = o->bodies,
	};
	if (o->bodies && !o->json)
		return err_set(e, ERR_USAGE, "--bodies goes with --json");
	if (o->limit != NULL && !str_to_u64(str_of(o->limit), &f->limit))
		return err_set(e, ERR_USAGE, "--limit takes a number, not \"%s\"",
		    o->limit);
	if (o->since != NULL && cli_time(o->since, now, &f->since, e) == -1)
		return -1;
	if (o->until != NULL && cli_time(o->until, now, &f->until, e) == -1)
		return -1;
	return 0;
}

static int
events_list(struct courier *c, const struct events_options *o, struct err *e)
{
	struct printer p = { .o = o, .row = o->json ? print_json : print_table };
	struct filter f;

	if (filter_make(&f, o, e) == -1 || list(c, &f, &p, e) == -1)
		return -1;
	if (p.rows == 0 && !o->json)
		fprintf(stderr, "no events\n");
	return 0;
}

static int
events_show(struct courier *c, const struct events_options *o, const char *id,
    struct err *e)
{
	struct printer p = { .o = o, .row = o->json ? print_show_json : print_show };
	struct buf b = BUF(4096);

	put_u64(&b, ++c->ticket);
	put_str(&b, str_of(id));
	if (courier_say(c, WIRE_SHOW, &b, e) == -1)
		return -1;
	if (rows_take(c, &p, e) == -1) {
		if (e->code == ERR_TEMP)	/* its words about this one event */
			e->code = ERR_NOINPUT;
		return -1;
	}
	if (p.rows == 0)
		return err_set(e, ERR_NOINPUT, "there is no event %.100s; \"hooklatch "
		    "events list\" shows the ids", id);
	return 0;
}

static int
print_nothing(struct printer *p, const struct inbox_row *row, struct err *e)
{
	(void)p;
	(void)row;
	(void)e;
	return 0;
}

/*
 * The last ones, then those that come, until interrupted.  Each question is a
 * short read: a reader that stays would stop the inbox's checkpoints.
 */
static int
events_tail(struct courier *c, const struct conf *conf,
    const struct events_options *o, struct err *e)
{
	struct printer p = { .o = o, .row = print_nothing };
	struct filter f, newest;
	uint64_t before = 0;

	if (filter_make(&f, o, e) == -1)
		return -1;
	/* The cursor of the event before the last LIMIT ones. */
	newest = f;
	newest.bodies = false;
	newest.limit = f.limit == 0 ? 0 : f.limit + 1;
	if (f.limit > 0) {
		if (list(c, &newest, &p, e) == -1)
			return -1;
		if (p.rows > f.limit)
			before = p.cursor;
	}
	p = (struct printer){ .o = o, .row = o->json ? print_json : print_table,
		.cursor = before };
	f.newest = false;
	f.limit = 0;
	for (;;) {
		f.after = p.cursor;
		if (c->wire == NULL && courier_open(c, conf, o->config, e) == -1)
			return -1;
		if (list(c, &f, &p, e) == -1) {
			if (e->code == ERR_IO)	/* our own output */
				return -1;
			courier_close(c);	/* it may be back in a moment */
			poll(NULL, 0, 1000);
			continue;
		}
		poll(NULL, 0, TAIL_MS);
	}
}

int
events_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct events_options o = { .config = NULL };
	struct courier c = { .reader = 0 };
	struct conf *conf;
	const char *what;
	int rc;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	o.config = cli_config(o.config);
	what = argc > 0 ? argv[0] : "list";
	if (strcmp(what, "list") != 0 && strcmp(what, "show") != 0 &&
	    strcmp(what, "tail") != 0)
		return err_set(e, ERR_USAGE, "events list, show ID or tail; not \"%s\"",
		    what);
	if (argc > 1 + (strcmp(what, "show") == 0))
		return err_set(e, ERR_USAGE, "events %s: \"%s\" is one word too many",
		    what, argv[argc - 1]);
	if (strcmp(what, "show") == 0 && argc != 2)
		return err_set(e, ERR_USAGE, "events show needs an id");
	/*
	 * To read we need no secret, and the one who looks may not have it: an
	 * environment that only lacks it is enough.
	 */
	if (o.config == NULL && getenv("SECRET") == NULL)
		setenv("PROVIDER", "secret-header", 0);
	if ((conf = cli_conf(o.config, NULL, NULL, e)) == NULL)
		return -1;
	rc = courier_open(&c, conf, o.config, e);
	if (rc == 0 && strcmp(what, "show") == 0)
		rc = events_show(&c, &o, argv[1], e);
	else if (rc == 0 && strcmp(what, "tail") == 0)
		rc = events_tail(&c, conf, &o, e);
	else if (rc == 0)
		rc = events_list(&c, &o, e);
	courier_close(&c);
	conf_free(conf);
	return rc;
}
