/*
 * events.c - what the inbox holds, asked of the courier.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/when.h"
#include "cli/asked.h"
#include "cli/cli.h"

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
	const char	*to;
	const char	*rate;
	bool		 dead;
	bool		 left_out;
	bool		 missed;
	bool		 all;
	bool		 dry;
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
	{ "to", 0, "NAME", AT(to), "replay: to this destination" },
	{ "dead", 0, NULL, AT(dead), "replay: only what is dead" },
	{ "left-out", 0, NULL, AT(left_out), "replay: only what was left out or dropped" },
	{ "missed", 0, NULL, AT(missed), "replay: only what was missed inside a request" },
	{ "all", 0, NULL, AT(all),
	    "replay: without it an ID, a time, --dead, --left-out or --missed is wanted" },
	{ "rate", 0, "N", AT(rate), "replay: N in a second, not all at once" },
	{ "dry-run", 0, NULL, AT(dry), "replay: only count" },
	{ NULL, 0, NULL, 0, NULL }
};
#undef AT

/* --- rows as they come ---------------------------------------------------- */

struct printer {
	const struct events_options *o;
	bool		 header;	/* the table's first line is out */
	uint64_t	 cursor;	/* of the last row */
	size_t		 rows;
	int		(*row)(struct printer *, const struct inbox_row *,
			    struct err *);
	size_t		 deliveries;	/* behind the row */
	size_t		 attempts;
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

static int
delivery_take(struct printer *p, struct wire_msg *m, struct err *e)
{
	struct get g = GET(m->body);
	struct delivery_row row;

	get_u64(&g);
	get_delivery_row(&g, &row);
	if (!get_done(&g))
		return err_set(e, ERR_PROTOCOL, "a row that cannot be read");
	if (p->deliveries++ == 0 && !p->o->json)
		printf("\ndeliveries\n");
	return cli_print_delivery(&row, p->o->json, p->deliveries == 1, e);
}

static int
attempt_take(struct printer *p, struct wire_msg *m, struct err *e)
{
	static const char *const outcomes[] = { [OUTCOME_DONE] = "done",
	    [OUTCOME_LATER] = "later", [OUTCOME_DEAD] = "dead" };
	struct get g = GET(m->body);
	struct buf b = BUF(128 * 1024);
	struct attempt_row row;
	int rc;

	get_u64(&g);
	get_attempt_row(&g, &row);
	if (!get_done(&g))
		return err_set(e, ERR_PROTOCOL, "a row that cannot be read");
	if (p->o->json) {
		buf_put(&b, STR("{\"attempt_to\":"));
		buf_json(&b, row.destination);
		buf_printf(&b, ",\"number\":%llu,\"at\":\"",
		    (unsigned long long)row.number);
		cli_put_time(&b, row.at);
		buf_printf(&b, "\",\"ms\":%llu,\"outcome\":\"%s\",\"code\":",
		    (unsigned long long)row.took, outcomes[row.outcome]);
		if (row.code == -1)
			buf_put(&b, STR("null"));
		else
			buf_printf(&b, "%d", row.code);
		buf_put(&b, STR(",\"sentence\":"));
		buf_json(&b, row.sentence);
		buf_put(&b, STR(",\"output\":"));
		buf_json(&b, row.output);
		buf_put(&b, STR("}\n"));
	} else {
		if (p->attempts == 0)
			buf_put(&b, STR("\nattempts\n"));
		cli_put_time(&b, row.at);
		buf_put(&b, STR("  "));
		cli_put_word(&b, row.destination, 16);
		buf_printf(&b, "  #%llu  %-5s  %6llu ms  ",
		    (unsigned long long)row.number, outcomes[row.outcome],
		    (unsigned long long)row.took);
		cli_put_word(&b, row.sentence, 0);
		if (row.output.n > 0) {
			buf_put(&b, STR("\n    "));
			cli_put_word(&b, str_head(row.output, 400), 0);
		}
		buf_putc(&b, '\n');
	}
	p->attempts++;
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

/* Every row of an answer, up to its END. */
static int
rows_take(struct asked *c, struct printer *p, struct err *e)
{
	struct wire_msg m;

	for (;;) {
		if (asked_next(c, &m, e) == -1)
			return -1;
		if (m.type == WIRE_ROW) {
			if (row_take(p, &m, e) == -1)
				return -1;
			continue;
		}
		if (m.fd != -1)
			close(m.fd);
		if (m.type != WIRE_DELIVERY && m.type != WIRE_ATTEMPT)
			return asked_end(&m, e);
		if (!p->o->body && (m.type == WIRE_DELIVERY ? delivery_take(p, &m, e) :
		    attempt_take(p, &m, e)) == -1)
			return -1;
	}
}

static int
list(struct asked *c, const struct filter *f, struct printer *p, struct err *e)
{
	struct buf b = BUF(64 * 1024);

	put_u64(&b, ++c->ticket);
	put_filter(&b, f);
	if (asked_say(c, WIRE_LIST, &b, e) == -1)
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
	cli_put_time(&b, row->event.received_at);
	buf_printf(&b, "  %-36s  ", row->event.id);
	cli_put_word(&b, row->event.hook, 18);
	buf_put(&b, STR("  "));
	cli_put_word(&b, row->event.provider, 12);
	buf_put(&b, STR("  "));
	cli_put_word(&b, row->event.event_type, 20);
	buf_printf(&b, "  %8llu  %7s  ", (unsigned long long)row->event.size,
	    repeats);
	cli_put_word(&b, row->event.event_id, 0);
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
	cli_put_word(b, value, 0);
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
		cli_put_word(b, json_text(json_at(pair, 0)), 0);
		buf_put(b, STR(": "));
		cli_put_word(b, json_kind(json_at(pair, 1)) == JSON_STRING ?
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
	cli_put_time(&b, v->received_at);
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
		cli_put_time(&b, v->signed_at);
		buf_putc(&b, '\n');
	}
	buf_printf(&b, "%-14s %llu", "repeats",
	    (unsigned long long)row->stored.repeats);
	if (row->last_repeat_at != 0) {
		buf_put(&b, STR(", last "));
		cli_put_time(&b, row->last_repeat_at);
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
events_list(struct asked *c, const struct events_options *o, struct err *e)
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
events_show(struct asked *c, const struct events_options *o, const char *id,
    struct err *e)
{
	struct printer p = { .o = o, .row = o->json ? print_show_json : print_show };
	struct buf b = BUF(4096);

	put_u64(&b, ++c->ticket);
	put_str(&b, str_of(id));
	if (asked_say(c, WIRE_SHOW, &b, e) == -1)
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
events_tail(struct asked *c, const struct conf *conf,
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
		if (c->wire == NULL && asked_open(c, conf, o->config, true, e) == -1)
			return -1;
		if (list(c, &f, &p, e) == -1) {
			if (e->code == ERR_IO)	/* our own output */
				return -1;
			asked_close(c);	/* it may be back in a moment */
			poll(NULL, 0, 1000);
			continue;
		}
		poll(NULL, 0, TAIL_MS);
	}
}

/*
 * What was at its end goes once more: one event, or all that the filter finds.  To be
 * asked for everything it wants --all.
 */
static int
events_replay(struct asked *c, const struct conf *conf,
    const struct events_options *o, const char *id, struct err *e)
{
	struct replay what = { .event = str_of(id), .to = str_of(o->to),
	    .dry = o->dry, .states = (uint32_t)o->dead << DELIVERY_DEAD |
	    (uint32_t)o->left_out << DELIVERY_LEFT_OUT |
	    (uint32_t)o->missed << DELIVERY_MISSED };
	struct buf b = BUF(16 * 1024);
	struct wire_msg m;
	struct filter f;
	struct get g;
	uint64_t rate = 0, events, deliveries;

	if (filter_make(&f, o, e) == -1)
		return -1;
	/* It would wait there for ever, and keep its event. */
	if (o->to != NULL && conf_destination(conf, str_of(o->to)) == NULL)
		return err_set(e, ERR_USAGE, "there is no destination \"%.64s\"; "
		    "\"hooklatch destinations\" lists them", o->to);
	if (o->rate != NULL && (!str_to_u64(str_of(o->rate), &rate) || rate == 0 ||
	    rate > 1000000))
		return err_set(e, ERR_USAGE, "--rate takes a number from 1 to 1000000");
	if (id == NULL && !o->all && what.states == 0 && o->since == NULL &&
	    o->until == NULL)
		return err_set(e, ERR_USAGE, "events replay ID, or --dead, --left-out, "
		    "--missed, --since TIME, --until TIME or --all");
	what.rate = (uint32_t)rate;
	put_u64(&b, ++c->ticket);
	put_replay(&b, &what);
	put_filter(&b, &f);
	if (asked_say(c, WIRE_REPLAY, &b, e) == -1 || asked_next(c, &m, e) == -1)
		return -1;
	if (m.type != WIRE_REPLAYED)
		return asked_end(&m, e);
	g = GET(m.body);
	get_u64(&g);
	events = get_u64(&g);
	deliveries = get_u64(&g);
	if (!get_done(&g))
		return err_set(e, ERR_PROTOCOL, "an answer that cannot be read");
	if (o->json)
		printf("{\"events\":%llu,\"deliveries\":%llu}\n",
		    (unsigned long long)events, (unsigned long long)deliveries);
	else
		printf("%s: %llu %s, %llu %s\n", o->dry ? "would go again" :
		    "go again", (unsigned long long)events, events == 1 ? "event" :
		    "events", (unsigned long long)deliveries, deliveries == 1 ?
		    "delivery" : "deliveries");
	if (id != NULL && deliveries == 0)
		return err_set(e, ERR_NOINPUT, "nothing of %.64s is at its end; "
		    "\"hooklatch events show\" has where it stands", id);
	return 0;
}

int
events_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct events_options o = { .config = NULL };
	struct asked c = { .reader = 0 };
	struct conf *conf;
	const char *what;
	bool replay;
	int rc;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	o.config = cli_config(o.config);
	what = argc > 0 ? argv[0] : "list";
	replay = strcmp(what, "replay") == 0;
	if (strcmp(what, "list") != 0 && strcmp(what, "show") != 0 &&
	    strcmp(what, "tail") != 0 && !replay)
		return err_set(e, ERR_USAGE, "events list, show ID, tail or replay; not "
		    "\"%s\"", what);
	if (argc > 1 + (replay || strcmp(what, "show") == 0))
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
	rc = asked_open(&c, conf, o.config, !replay || o.dry, e);
	if (rc == 0 && replay)
		rc = events_replay(&c, conf, &o, argc > 1 ? argv[1] : NULL, e);
	else if (rc == 0 && strcmp(what, "show") == 0)
		rc = events_show(&c, &o, argv[1], e);
	else if (rc == 0 && strcmp(what, "tail") == 0)
		rc = events_tail(&c, conf, &o, e);
	else if (rc == 0)
		rc = events_list(&c, &o, e);
	asked_close(&c);
	conf_free(conf);
	return rc;
}
