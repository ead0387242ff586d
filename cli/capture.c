/*
 * capture.c - secrets that a provider chooses and sends when a webhook is made.
 *
 * They come unsigned, so whoever speaks first could be anybody.  The operator opens a
 * window, makes the webhook at the provider, and the first handshake brings the
 * secret; the courier keeps it and the window is shut.
 */
#include <poll.h>
#include <stddef.h>
#include <string.h>

#include "cli/asked.h"
#include "cli/cli.h"

#define OPEN_MS		600000
#define LOOK_MS		500

struct capture_options {
	const char	*config;
	const char	*lasts;
	bool		 wait;
	bool		 json;
};

#define AT(field)	offsetof(struct capture_options, field)
const struct option_row capture_options[] = {
	{ "config", 'c', "FILE", AT(config),
	    "the configuration; without it the environment" },
	{ "for", 0, "TIME", AT(lasts), "open: so long, 90s or 2h; default 10m" },
	{ "wait", 0, NULL, AT(wait), "open: until it has come or the window is shut" },
	{ "json", 0, NULL, AT(json), "list: one object a line" },
	{ NULL, 0, NULL, 0, NULL }
};
#undef AT

/* One of those that are kept or waited for. */
struct row {
	struct str	 name;
	int64_t		 at;		/* ms; 0: not yet */
	uint32_t	 seconds;	/* that its window is open still */
	struct str	 secret;
};

typedef int	row_fn(void *arg, const struct row *, struct err *);

/* A question whose answer is an end. */
static int
say_name(struct asked *c, enum wire_type type, const char *name, int64_t ms,
    struct err *e)
{
	struct buf b = BUF(4096);
	struct wire_msg m;

	put_u64(&b, ++c->ticket);
	put_str(&b, str_of(name));
	if (type == WIRE_WINDOW)
		put_u32(&b, (uint32_t)(ms / 1000));
	if (asked_say(c, type, &b, e) == -1 || asked_next(c, &m, e) == -1)
		return -1;
	return asked_end(&m, e);
}

static int
each_row(struct asked *c, const char *name, bool show, row_fn *fn, void *arg,
    struct err *e)
{
	struct buf b = BUF(4096);
	struct wire_msg m;

	put_u64(&b, ++c->ticket);
	put_str(&b, str_of(name));
	put_u8(&b, show);
	if (asked_say(c, WIRE_CAPTURED, &b, e) == -1)
		return -1;
	for (;;) {
		struct get g;
		struct row row;

		if (asked_next(c, &m, e) == -1)
			return -1;
		if (m.type != WIRE_CAPTURED_ROW)
			return asked_end(&m, e);
		g = GET(m.body);
		get_u64(&g);
		row.name = get_str(&g);
		row.at = (int64_t)get_u64(&g);
		row.seconds = get_u32(&g);
		row.secret = get_str(&g);
		if (!get_done(&g))
			return err_set(e, ERR_PROTOCOL, "a row that cannot be read");
		if (fn(arg, &row, e) == -1)
			return -1;
	}
}

/* --- list, show ------------------------------------------------------------------ */

struct list {
	bool		 json;
	size_t		 n;
};

static int
print_row(void *arg, const struct row *row, struct err *e)
{
	struct list *l = arg;
	struct buf b = BUF(65536);
	int rc;

	if (l->json) {
		buf_put(&b, STR("{\"name\":"));
		buf_json(&b, row->name);
		buf_put(&b, STR(",\"captured_at\":"));
		if (row->at != 0) {
			buf_putc(&b, '"');
			cli_put_time(&b, row->at);
			buf_putc(&b, '"');
		} else {
			buf_put(&b, STR("null"));
		}
		buf_printf(&b, ",\"open_seconds\":%u}\n", row->seconds);
	} else {
		if (l->n == 0)
			buf_printf(&b, "%-24s  %-24s  %s\n", "NAME", "CAPTURED",
			    "WINDOW");
		buf_printf(&b, "%-24.*s  ", STR_ARG(row->name));
		if (row->at != 0)
			cli_put_time(&b, row->at);
		else
			buf_printf(&b, "%-24s", "-");
		if (row->seconds > 0)
			buf_printf(&b, "  open for %u s\n", row->seconds);
		else
			buf_put(&b, STR("  shut\n"));
	}
	l->n++;
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

static int
capture_list(struct asked *c, const struct capture_options *o, struct err *e)
{
	struct list l = { .json = o->json };

	if (each_row(c, "", false, print_row, &l, e) == -1)
		return -1;
	if (l.n == 0 && !o->json)
		fprintf(stderr, "no secret was captured, and no window is open\n");
	return 0;
}

static int
print_secret(void *arg, const struct row *row, struct err *e)
{
	bool *shown = arg;
	struct buf b = BUF(65536);
	int rc;

	if (row->at == 0)
		return 0;
	*shown = true;
	buf_put(&b, row->secret);
	buf_putc(&b, '\n');
	rc = cli_print(&b, e);
	buf_wipe(&b);
	return rc;
}

static int
capture_show(struct asked *c, const char *name, struct err *e)
{
	bool shown = false;

	if (each_row(c, name, true, print_secret, &shown, e) == -1)
		return -1;
	return shown ? 0 : err_set(e, ERR_NOINPUT, "no secret \"%s\" was captured; "
	    "\"hooklatch capture list\" shows what there is", name);
}

/* --- open ---------------------------------------------------------------------------- */

struct state {
	int64_t		 at;
	uint32_t	 seconds;
};

static int
note_state(void *arg, const struct row *row, struct err *e)
{
	struct state *s = arg;

	(void)e;
	*s = (struct state){ row->at, row->seconds };
	return 0;
}

static int
capture_open(struct asked *c, const struct capture_options *o, const char *name,
    struct err *e)
{
	struct state before = { 0, 0 }, now;
	int64_t ms = OPEN_MS;

	if (o->lasts != NULL && cli_span(o->lasts, &ms, e) == -1)
		return -1;
	if (ms < 1000 || ms > 86400000)
		return err_set(e, ERR_USAGE, "--for takes from 1s to 1d");
	if (each_row(c, name, false, note_state, &before, e) == -1 ||
	    say_name(c, WIRE_WINDOW, name, ms, e) == -1)
		return -1;
	printf("open for %lld s: make the webhook at the provider now\n",
	    (long long)(ms / 1000));
	fflush(stdout);
	while (o->wait) {
		now = (struct state){ 0, 0 };
		if (each_row(c, name, false, note_state, &now, e) == -1)
			return -1;
		if (now.at != 0 && now.at != before.at) {
			printf("captured: hooks with \"captured:%s\" have their "
			    "secret\n", name);
			return 0;
		}
		if (now.seconds == 0)
			return err_set(e, ERR_TEMP, "the window is shut, and nothing "
			    "came; the handler's log says what was asked");
		poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

/* --- the command ------------------------------------------------------------------- */

static int
capture_do(struct asked *c, const struct capture_options *o, const char *what,
    const char *name, struct err *e)
{
	if (strcmp(what, "open") == 0)
		return capture_open(c, o, name, e);
	if (strcmp(what, "shut") == 0)
		return say_name(c, WIRE_WINDOW, name, 0, e);
	if (strcmp(what, "show") == 0)
		return capture_show(c, name, e);
	return say_name(c, WIRE_FORGET, name, 0, e);
}

int
capture_run(const struct command *self, int argc, char **argv, struct err *e)
{
	static const char *const named[] = { "open", "shut", "show", "forget", NULL };
	struct capture_options o = { .config = NULL };
	struct asked c = { .reader = 0 };
	struct conf *conf;
	const char *what;
	bool list, reads;
	int rc;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	o.config = cli_config(o.config);
	what = argc > 0 ? argv[0] : "list";
	list = strcmp(what, "list") == 0;
	reads = list || strcmp(what, "show") == 0;
	for (size_t i = 0; !list && (named[i] == NULL ||
	    strcmp(what, named[i]) != 0); i++)
		if (named[i] == NULL)
			return err_set(e, ERR_USAGE, "capture open, list, show, shut or "
			    "forget; not \"%s\"", what);
	if (list ? argc > 1 : argc != 2)
		return err_set(e, ERR_USAGE, list ? "capture list takes no name" :
		    "capture %s wants the NAME of \"captured:NAME\"", what);
	if ((conf = cli_conf(o.config, NULL, NULL, e)) == NULL)
		return -1;
	rc = asked_open(&c, conf, o.config, reads, e);
	if (rc == 0)
		rc = list ? capture_list(&c, &o, e) :
		    capture_do(&c, &o, what, argv[1], e);
	asked_close(&c);
	conf_free(conf);
	return rc;
}
