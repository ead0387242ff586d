/*
 * provider.c - a provider's file -> struct provider.  See provider.h and
 * docs/providers.md.
 *
 * Here are the words of the file's top level and of "event"; those of "signature"
 * are in provider_signature.c, those of answers and handshakes in
 * provider_answer.c, and how words are read in provider_words.h.
 */
#include <stdlib.h>
#include <string.h>

#include "provider_words.h"

#define WEEK		(7 * 24 * 3600)

static const struct choice spans[] = {
	{ "second",	1 },
	{ "minute",	60 },
	{ "hour",	3600 },
	{ "day",	24 * 3600 },
	{ "week",	7 * 24 * 3600 },
	{ NULL,		0 }
};

/* --- "event" ------------------------------------------------------------------------------ */

struct raw_event {
	const struct json_object *id, *type, *proven, *merge;
};

struct raw_merge {
	int64_t		window;
	struct str	reason;
};

static const struct row merge_rows[] = {
	SECONDS(struct raw_merge, window),
	TEXT(struct raw_merge, reason),
	ROWS_END
};

static const struct row event_rows[] = {
	KEEP(struct raw_event, id, SHAPE_TEXTS),
	KEEP(struct raw_event, type, SHAPE_TEXTS),
	KEEP(struct raw_event, proven, SHAPE_FLAG),
	KEEP_ROWS(struct raw_event, merge, SHAPE_OBJECT, merge_rows),
	ROWS_END
};

static int
read_sources(struct reader *r, const struct json_object *v, const char *name,
    struct template **out, size_t *n)
{
	bool list = json_kind(v) == JSON_ARRAY;

	if (v == NULL)
		return 0;
	*n = list ? json_count(v) : 1;
	if ((*out = arena_alloc(r->a, (*n + 1) * sizeof(**out))) == NULL)
		return word_no_memory(r, v);
	for (size_t i = 0; i < *n; i++) {
		if (word_source(r, list ? json_at(v, i) : v, name,
		    &plain_words, &(*out)[i]) != 0)
			return -1;
		word_ask(r, &(*out)[i]);
	}
	return 0;
}

/* Is there, whichever signature holds, an id that it covers? */
static bool
ids_proven(const struct provider *p)
{
	for (size_t i = 0; i < p->nsignatures; i++) {
		bool covered = false;

		for (size_t j = 0; j < p->event.nids; j++)
			covered |= signature_covers(&p->signatures[i],
			    &p->event.ids[j]);
		if (!covered)
			return false;
	}
	return true;
}

static int
read_event(struct reader *r, const struct json_object *v)
{
	struct event_rule *ev = &r->p->event;
	struct raw_event raw = { 0 };
	struct raw_merge merge = { 0 };

	if (v == NULL)
		return 0;
	if (rows_read(r, v, "\"event\"", event_rows, &raw) != 0 ||
	    read_sources(r, raw.id, "id", &ev->ids, &ev->nids) != 0 ||
	    read_sources(r, raw.type, "type", &ev->types, &ev->ntypes) != 0)
		return -1;
	ev->says_proven = raw.proven != NULL;
	if (raw.proven != NULL) {
		if (word_expect(r, raw.proven, "proven", JSON_BOOL) != 0)
			return -1;
		if (ev->nids == 0)
			return json_err(r->doc, raw.proven, r->e,
			    "\"proven\" without an \"id\"");
		if (json_bool(raw.proven) != ids_proven(r->p))
			return json_err(r->doc, raw.proven, r->e, "\"proven\" is not "
			    "so: by what is signed the id is %s",
			    ids_proven(r->p) ? "proven" : "not proven");
	}
	if (raw.merge == NULL)
		return 0;
	if (rows_read(r, raw.merge, "\"merge\"", merge_rows, &merge) != 0)
		return -1;
	if (merge.window == 0 || merge.reason.n == 0)
		return json_err(r->doc, raw.merge, r->e,
		    "\"merge\" needs a \"window\" and a \"reason\"");
	if (ev->nids > 0)
		return json_err(r->doc, raw.merge, r->e,
		    "\"merge\" is for providers without an \"id\"");
	ev->merge = (uint32_t)(merge.window / 1000);
	ev->merge_reason = merge.reason;
	return 0;
}

/* --- the whole ----------------------------------------------------------------------------------- */

/* "3 days" -> seconds; "none" -> 0. */
static int
read_retries(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	struct provider *p = base;
	struct str rest, digits;
	uint64_t n;

	if (row_text(r, v, base, row) != 0)
		return -1;
	if (str_eq(p->retries, STR("none")))
		return 0;
	rest = p->retries;
	digits = str_cut(&rest, ' ');
	if (str_to_u64(digits, &n) && n <= 366)
		for (const struct choice *c = spans; c->name != NULL; c++) {
			struct str unit = str_of(c->name);

			if (!str_eq(rest, unit) && !(str_starts(rest, unit) &&
			    str_eq(str_skip(rest, unit.n), STR("s"))))
				continue;
			if (n * c->value > WEEK)
				p->remember = (uint32_t)(n * c->value);
			return 0;
		}
	return json_err(r->doc, v, r->e, "\"retries\" is \"none\" or like \"3 "
	    "days\" (seconds, minutes, hours, days, weeks)");
}

static int
read_asks(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	struct choice names[PARAM_COUNT + 1];
	unsigned param;

	for (unsigned i = 0; i < PARAM_COUNT; i++)
		names[i] = (struct choice){ hook_param_names[i], i };
	names[PARAM_COUNT] = (struct choice){ NULL, 0 };
	if (word_expect(r, v, row->name, JSON_ARRAY) != 0)
		return -1;
	for (size_t i = 0; i < json_count(v); i++) {
		const struct json_object *o = json_at(v, i);

		if (word_expect(r, o, row->name, JSON_STRING) != 0 || word_choose(r, o,
		    json_text(o), row->name, names, &param) != 0)
			return -1;
		*INTO(base, row->into, unsigned) |= 1u << param;
	}
	return 0;
}

static int
read_methods(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	struct provider *p = base;

	if (row_texts(r, v, base, row) != 0)
		return -1;
	for (size_t i = 0; i < p->nmethods; i++)
		for (size_t j = 0; j < p->methods[i].n; j++)
			if (p->methods[i].p[j] < 'A' || p->methods[i].p[j] > 'Z')
				return json_err(r->doc, v, r->e,
				    "a method is in capitals: \"POST\"");
	return p->nmethods > 0 ? 0 :
	    json_err(r->doc, v, r->e, "\"methods\" is empty");
}

/* For others than the road. */
static int
look_away(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	(void)base;
	return word_expect(r, v, row->name, row->shape == SHAPE_EXAMPLES ?
	    JSON_ARRAY : JSON_STRING);
}

struct raw_provider {
	struct provider	 p;		/* first: rows read into it */
	const struct json_object *signature, *time, *event, *handshakes, *accepted,
	    *refused, *malformed, *later;
};

const struct row provider_rows[] = {
	{ "$schema", look_away, 0, 0, NULL, SHAPE_TEXT, NULL },
	TEXT(struct provider, name),
	TEXT(struct provider, docs),
	TEXT(struct provider, setup),
	CHOICES(struct provider, bodies, body_words),
	FLAG(struct provider, any_type),
	FLAG(struct provider, empty),
	FLAG(struct provider, lines),
	{ "methods", read_methods, offsetof(struct provider, methods),
	    offsetof(struct provider, nmethods), NULL, SHAPE_TEXTS, NULL },
	KEEP_ROWS(struct raw_provider, signature, SHAPE_ONE_OR_LIST,
	    signature_rows),
	KEEP_ROWS(struct raw_provider, time, SHAPE_OBJECT, time_rows),
	KEEP_ROWS(struct raw_provider, event, SHAPE_OBJECT, event_rows),
	KEEP_ROWS(struct raw_provider, handshakes, SHAPE_LIST, handshake_rows),
	KEEP_ROWS(struct raw_provider, accepted, SHAPE_OBJECT, answer_rows),
	KEEP_ROWS(struct raw_provider, refused, SHAPE_OBJECT, answer_rows),
	KEEP_ROWS(struct raw_provider, malformed, SHAPE_OBJECT, answer_rows),
	KEEP_ROWS(struct raw_provider, later, SHAPE_OBJECT, answer_rows),
	SECONDS(struct provider, deadline),
	READ(struct provider, retries, read_retries, NULL, SHAPE_TEXT),
	BYTES(struct provider, max_body),
	READ(struct provider, asks, read_asks, NULL, SHAPE_PARAMS),
	TEXTS(struct provider, weak),
	{ "examples", look_away, 0, 0, NULL, SHAPE_EXAMPLES, NULL },
	ROWS_END
};

static int
read_whole(struct reader *r, struct str id)
{
	struct raw_provider raw = { .p = {
		.remember = WEEK, .bodies = BODY_ANY, .arena = r->a } };
	const struct json_object *root = json_root(r->doc);

	raw.p.id = arena_str(r->a, id);
	raw.p.methods = arena_alloc(r->a, sizeof(*raw.p.methods));
	if (raw.p.id.p == NULL || raw.p.methods == NULL)
		return word_no_memory(r, root);
	raw.p.methods[raw.p.nmethods++] = STR("POST");
	if (rows_read(r, root, "a provider", provider_rows, &raw) != 0)
		return -1;
	*r->p = raw.p;
	if (r->p->name.n == 0)
		r->p->name = r->p->id;
	if (r->p->any_type && (r->p->bodies == BODY_ANY ||
	    (r->p->bodies & (r->p->bodies - 1)) != 0))
		return json_err(r->doc, root, r->e, "with \"any_type\" the one kind "
		    "of body must stand in \"bodies\"");
	if (read_signatures(r, raw.signature, raw.time) != 0 ||
	    read_event(r, raw.event) != 0 ||
	    read_handshakes(r, raw.handshakes) != 0 ||
	    read_accepted(r, raw.accepted) != 0 ||
	    read_answer(r, raw.refused, "\"refused\"", 401,
	    &r->p->refused) != 0 ||
	    read_answer(r, raw.malformed, "\"malformed\"", 400,
	    &r->p->malformed) != 0 ||
	    read_answer(r, raw.later, "\"later\"", 503, &r->p->later) != 0)
		return -1;
	if (r->p->later.set && r->p->later.answer.status < 400)
		return json_err(r->doc, raw.later, r->e, "\"later\" is what is said when "
		    "an event cannot be kept: its \"status\" is 400 or more");
	return 0;
}

struct provider *
provider_read(struct str text, struct str id, const char *name, struct err *e)
{
	struct json_doc *doc = json_read(text, name, e);
	struct arena *a = NULL;
	struct provider *p = NULL;
	struct reader r;

	if (doc == NULL)
		return NULL;
	if ((a = arena_new(FILE_MEMORY)) == NULL ||
	    (p = arena_alloc(a, sizeof(*p))) == NULL) {
		err_set(e, ERR_OS, "%s: no memory", name);
		goto fail;
	}
	r = (struct reader){ .doc = doc, .p = p, .a = a, .e = e };
	if (read_whole(&r, id) != 0)
		goto fail;
	json_close(doc);
	return p;
fail:
	arena_free(a);
	json_close(doc);
	return NULL;
}

bool
provider_captures(const struct provider *p)
{
	for (size_t i = 0; i < p->nhandshakes; i++)
		if (p->handshakes[i].captures)
			return true;
	return false;
}

void
provider_free(struct provider *p)
{
	if (p != NULL)
		arena_free(p->arena);
}
