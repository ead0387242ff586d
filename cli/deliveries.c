/*
 * deliveries.c - what became of events after their commit: deliveries, and the
 * destinations that they go to, which can be paused.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/when.h"
#include "cli/asked.h"
#include "cli/cli.h"

#define LIMIT	20

struct deliveries_options {
	const char	*config;
	const char	*to;
	const char	*state;
	const char	*event;
	const char	*limit;
	bool		 json;
};

#define AT(field)	offsetof(struct deliveries_options, field)
const struct option_row deliveries_options[] = {
	{ "config", 'c', "FILE", AT(config),
	    "the configuration; without it the environment" },
	{ "to", 0, "NAME", AT(to), "only to this destination" },
	{ "state", 0, "STATE", AT(state),
	    "only those that stand so: waits, behind, done, dead, left-out or "
	    "missed" },
	{ "event", 0, "ID", AT(event), "only of this event" },
	{ "limit", 'n', "N", AT(limit), "at most N; 0: all; default 20" },
	{ "json", 0, NULL, AT(json), "one object a line" },
	{ NULL, 0, NULL, 0, NULL }
};
#undef AT

struct destinations_options {
	const char	*config;
	bool		 json;
};

#define AT(field)	offsetof(struct destinations_options, field)
const struct option_row destinations_options[] = {
	{ "config", 'c', "FILE", AT(config),
	    "the configuration; without it the environment" },
	{ "json", 0, NULL, AT(json), "list: one object a line" },
	{ NULL, 0, NULL, 0, NULL }
};
#undef AT

/* --- deliveries ---------------------------------------------------------------- */

static void
put_time(struct buf *b, const char *name, int64_t ms)
{
	buf_printf(b, ",\"%s\":", name);
	if (ms == 0) {
		buf_put(b, STR("null"));
		return;
	}
	buf_putc(b, '"');
	cli_put_time(b, ms);
	buf_putc(b, '"');
}

int
cli_print_delivery(const struct delivery_row *row, bool json, bool first,
    struct err *e)
{
	struct buf b = BUF(64 * 1024);
	const char *state = delivery_state_name(row->state);
	int rc;

	if (json) {
		buf_printf(&b, "{\"delivery\":%llu,\"id\":",
		    (unsigned long long)row->cursor);
		buf_json(&b, row->event);
		buf_put(&b, STR(",\"hook\":"));
		buf_json(&b, row->hook);
		buf_put(&b, STR(",\"destination\":"));
		buf_json(&b, row->destination);
		buf_printf(&b, ",\"state\":\"%s\",\"tries\":%llu,\"attempts\":%llu",
		    state, (unsigned long long)row->tries,
		    (unsigned long long)row->made);
		put_time(&b, "since", row->since);
		put_time(&b, "due", row->state == DELIVERY_WAITS ? row->due : 0);
		put_time(&b, "last_at", row->last_at);
		buf_put(&b, STR(",\"last\":"));
		buf_json(&b, row->last_sentence);
		buf_put(&b, STR("}\n"));
	} else {
		if (first)
			buf_printf(&b, "%-36s  %-18s  %-16s  %-8s  %8s  %-24s  %s\n",
			    "ID", "HOOK", "DESTINATION", "STATE", "ATTEMPTS", "NEXT",
			    "LAST");
		buf_printf(&b, "%-36.*s  ", STR_ARG(row->event));
		cli_put_word(&b, row->hook, 18);
		buf_put(&b, STR("  "));
		cli_put_word(&b, row->destination, 16);
		buf_printf(&b, "  %-8s  %8llu  ", state,
		    (unsigned long long)row->made);
		if (row->state == DELIVERY_WAITS)
			cli_put_time(&b, row->due);
		else
			buf_printf(&b, "%-24s", "-");
		buf_put(&b, STR("  "));
		cli_put_word(&b, row->last_sentence, 0);
		buf_putc(&b, '\n');
	}
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

static int
state_bit(const char *name, uint32_t *bits, struct err *e)
{
	for (unsigned i = 0; i < DELIVERY_STATES; i++)
		if (strcmp(delivery_state_name((enum delivery_state)i), name) == 0) {
			*bits = UINT32_C(1) << i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "--state takes waits, behind, done, dead, "
	    "left-out or missed, not \"%s\"", name);
}

static int
list_deliveries(struct asked *c, const struct deliveries_options *o, struct err *e)
{
	struct deliveries_filter f = { .event = str_of(o->event),
	    .destination = str_of(o->to), .limit = LIMIT };
	struct buf b = BUF(4096);
	struct wire_msg m;
	bool first = true;

	if (o->limit != NULL && !str_to_u64(str_of(o->limit), &f.limit))
		return err_set(e, ERR_USAGE, "--limit takes a number, not \"%s\"",
		    o->limit);
	if (o->state != NULL && state_bit(o->state, &f.states, e) == -1)
		return -1;
	put_u64(&b, ++c->ticket);
	put_deliveries_filter(&b, &f);
	if (asked_say(c, WIRE_DELIVERIES, &b, e) == -1)
		return -1;
	for (;; first = false) {
		struct delivery_row row;
		struct get g;

		if (asked_next(c, &m, e) == -1)
			return -1;
		if (m.type != WIRE_DELIVERY)
			break;
		g = GET(m.body);
		get_u64(&g);
		get_delivery_row(&g, &row);
		if (!get_done(&g))
			return err_set(e, ERR_PROTOCOL, "a row that cannot be read");
		if (cli_print_delivery(&row, o->json, first, e) == -1)
			return -1;
	}
	if (asked_end(&m, e) == -1)
		return -1;
	if (first && !o->json)
		fprintf(stderr, "no deliveries\n");
	return 0;
}

int
deliveries_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct deliveries_options o = { .config = NULL };
	struct asked c = { .reader = 0 };
	struct conf *conf;
	int rc;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	o.config = cli_config(o.config);
	if (argc > 1 || (argc == 1 && strcmp(argv[0], "list") != 0))
		return err_set(e, ERR_USAGE, "deliveries list; not \"%s\"",
		    argv[argc - 1]);
	if ((conf = cli_conf(o.config, NULL, NULL, e)) == NULL)
		return -1;
	rc = asked_open(&c, conf, o.config, true, e);
	if (rc == 0)
		rc = list_deliveries(&c, &o, e);
	asked_close(&c);
	conf_free(conf);
	return rc;
}

/* --- destinations ------------------------------------------------------------------ */

static int
print_destination(const struct destination_row *r, bool json, bool first,
    struct err *e)
{
	struct buf b = BUF(64 * 1024);
	int rc;

	if (json) {
		buf_put(&b, STR("{\"destination\":"));
		buf_json(&b, r->name);
		buf_printf(&b, ",\"configured\":%s", r->configured ? "true" : "false");
		put_time(&b, "paused_since", r->paused);
		for (unsigned i = 0; i < DELIVERY_STATES; i++)
			buf_printf(&b, ",\"%s\":%llu",
			    delivery_state_name((enum delivery_state)i),
			    (unsigned long long)r->states[i]);
		buf_printf(&b, ",\"running\":%llu,\"closed_for_ms\":%llu",
		    (unsigned long long)r->running,
		    (unsigned long long)r->closed_for);
		put_time(&b, "oldest", r->oldest);
		buf_put(&b, STR("}\n"));
	} else {
		if (first)
			buf_printf(&b, "%-16s  %8s  %8s  %8s  %8s  %8s  %8s  %s\n",
			    "DESTINATION", "WAIT", "RUN", "DONE", "DEAD", "LEFT OUT",
			    "MISSED", "STATE");
		cli_put_word(&b, r->name, 16);
		buf_printf(&b, "  %8llu  %8llu  %8llu  %8llu  %8llu  %8llu  ",
		    (unsigned long long)(r->states[DELIVERY_WAITS] +
		    r->states[DELIVERY_BEHIND]), (unsigned long long)r->running,
		    (unsigned long long)r->states[DELIVERY_DONE],
		    (unsigned long long)r->states[DELIVERY_DEAD],
		    (unsigned long long)r->states[DELIVERY_LEFT_OUT],
		    (unsigned long long)r->states[DELIVERY_MISSED]);
		if (r->paused != 0) {
			buf_put(&b, STR("paused since "));
			cli_put_time(&b, r->paused);
		} else if (!r->configured)
			buf_put(&b, STR("not in the configuration"));
		else if (r->closed_for > 0)
			buf_printf(&b, "fails; tried again in %llu ms",
			    (unsigned long long)r->closed_for);
		else
			buf_putc(&b, '-');
		buf_putc(&b, '\n');
	}
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

/* The courier names those that have deliveries; the file has the others. */
static int
list_destinations(struct asked *c, const struct conf *conf, bool json, struct err *e)
{
	bool *said = calloc(conf->ndestinations + 1, sizeof(*said)), first = true;
	struct buf b = BUF(64);
	struct wire_msg m;
	int rc = -1;

	if (said == NULL)
		return err_set(e, ERR_OS, "no memory");
	put_u64(&b, ++c->ticket);
	if (asked_say(c, WIRE_DESTINATIONS, &b, e) == -1)
		goto out;
	for (;; first = false) {
		struct destination_row row = { .configured = false };
		struct get g;

		if (asked_next(c, &m, e) == -1)
			goto out;
		if (m.type != WIRE_DESTINATION)
			break;
		g = GET(m.body);
		get_u64(&g);
		get_destination_row(&g, &row);
		if (!get_done(&g)) {
			err_set(e, ERR_PROTOCOL, "a row that cannot be read");
			goto out;
		}
		for (size_t i = 0; i < conf->ndestinations; i++)
			if (str_eq(conf->destinations[i].name, row.name))
				row.configured = said[i] = true;
		if (print_destination(&row, json, first, e) == -1)
			goto out;
	}
	if (asked_end(&m, e) == -1)
		goto out;
	for (size_t i = 0; i < conf->ndestinations; i++) {
		struct destination_row row = {
		    .name = conf->destinations[i].name, .configured = true };

		if (!said[i] && print_destination(&row, json, first, e) == -1)
			goto out;
		first &= said[i];
	}
	if (first && !json)
		fprintf(stderr, "no destinations\n");
	rc = 0;
out:
	free(said);
	return rc;
}

/* An order about one; *n: what its answer counts. */
static int
order_destination(struct asked *c, enum wire_type order, const char *name, int on,
    uint64_t *n, struct err *e)
{
	struct buf b = BUF(4096);
	struct wire_msg m;
	struct get g;

	put_u64(&b, ++c->ticket);
	put_str(&b, str_of(name));
	if (on != -1)
		put_u8(&b, (unsigned)on);
	if (asked_say(c, order, &b, e) == -1 || asked_next(c, &m, e) == -1 ||
	    asked_end(&m, e) == -1)
		return -1;
	g = GET(m.body);
	get_u64(&g);
	*n = get_u64(&g);
	return 0;
}

static int
drop_deliveries(struct asked *c, const char *name, bool json, struct err *e)
{
	struct buf b = BUF(4096);
	uint64_t n;
	int rc;

	if (order_destination(c, WIRE_DROP, name, -1, &n, e) == -1)
		return -1;
	if (json) {
		buf_put(&b, STR("{\"destination\":"));
		buf_json(&b, str_of(name));
		buf_printf(&b, ",\"dropped\":%llu}\n", (unsigned long long)n);
	} else
		buf_printf(&b, "%llu %s for %s will not go\n", (unsigned long long)n,
		    n == 1 ? "delivery" : "deliveries", name);
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

/* What an argument after "destinations" may be. */
enum wish { LIST, PAUSE, RESUME, DROP };
static const char *const wishes[] = { "list", "pause", "resume", "drop", NULL };

int
destinations_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct destinations_options o = { .config = NULL };
	struct asked c = { .reader = 0 };
	struct conf *conf;
	const char *name;
	uint64_t n;
	int wish = LIST, rc;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	o.config = cli_config(o.config);
	if (argc > 0)
		for (wish = 0; wishes[wish] != NULL &&
		    strcmp(argv[0], wishes[wish]) != 0; wish++)
			;
	if (wishes[wish] == NULL)
		return err_set(e, ERR_USAGE, "destinations list, pause, resume or drop; "
		    "not \"%s\"", argv[0]);
	if (wish == LIST ? argc > 1 : argc != 2)
		return err_set(e, ERR_USAGE, wish == LIST ? "destinations list takes no "
		    "name" : "destinations %s wants the name of one", argv[0]);
	name = wish == LIST ? "" : argv[1];
	if (strlen(name) > 64)
		return err_set(e, ERR_USAGE, "no destination has so long a name");
	if ((conf = cli_conf(o.config, NULL, NULL, e)) == NULL)
		return -1;
	/* One that is gone from the file may be resumed, and what waits for it dropped. */
	if (wish == PAUSE && conf_destination(conf, str_of(name)) == NULL) {
		conf_free(conf);
		return err_set(e, ERR_USAGE, "there is no destination \"%s\"; "
		    "\"hooklatch destinations\" lists them", name);
	}
	rc = asked_open(&c, conf, o.config, wish == LIST, e);
	if (rc == 0 && wish == LIST)
		rc = list_destinations(&c, conf, o.json, e);
	else if (rc == 0 && wish == DROP)
		rc = drop_deliveries(&c, name, o.json, e);
	else if (rc == 0)
		rc = order_destination(&c, WIRE_PAUSE, name, wish == PAUSE, &n, e);
	asked_close(&c);
	conf_free(conf);
	return rc;
}
