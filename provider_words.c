/*
 * provider_words.c - see provider_words.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider_words.h"

const struct choice body_words[] = {
	{ "json",	BODY_JSON },
	{ "form",	BODY_FORM },
	{ "multipart",	BODY_MULTIPART },
	{ "any",	BODY_ANY },
	{ NULL,		0 }
};

int
word_no_memory(struct reader *r, const struct json_object *v)
{
	return json_err(r->doc, v, r->e, "the file is too large");
}

/* A sentence that somebody below has made, with the position it lacked. */
int
word_at(struct reader *r, const struct json_object *v)
{
	struct err e = *r->e;

	return json_err(r->doc, v, r->e, "%s", e.text);
}

static const char *
kind_name(enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_NONE] = "nothing", [JSON_NULL] = "null",
		[JSON_BOOL] = "true or false", [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a text", [JSON_ARRAY] = "a list",
		[JSON_OBJECT] = "an object",
	};

	return names[kind];
}

int
word_expect(struct reader *r, const struct json_object *v, const char *name,
    enum json_kind kind)
{
	if (json_kind(v) == kind)
		return 0;
	return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s", name,
	    kind_name(kind), kind_name(json_kind(v)));
}

int
rows_read(struct reader *r, const struct json_object *o, const char *what,
    const struct row *rows, void *base)
{
	if (json_kind(o) != JSON_OBJECT)
		return json_err(r->doc, o, r->e, "%s must be an object, not %s",
		    what, kind_name(json_kind(o)));
	for (size_t i = 0; i < json_count(o); i++) {
		struct str name;
		const struct json_object *v = json_nth(o, i, &name);
		const struct row *row = rows;
		const char *words[WORDS_MAX + 1], *near;
		size_t n = 0;

		if (json_kind(v) == JSON_NULL)
			return json_err(r->doc, v, r->e, "\"%.*s\" in %s is null: "
			    "leave it out", STR_ARG(str_head(name, 60)), what);
		while (row->name != NULL && !str_eq(name, str_of(row->name)))
			row++;
		if (row->name != NULL) {
			if (row->read == NULL)
				*INTO(base, row->into,
				    const struct json_object *) = v;
			else if (row->read(r, v, base, row) != 0)
				return -1;
			continue;
		}
		for (row = rows; row->name != NULL && n < WORDS_MAX; row++)
			words[n++] = row->name;
		words[n] = NULL;
		if ((near = conf_nearest(name, words)) != NULL)
			return json_err(r->doc, v, r->e, "unknown word \"%.*s\" in "
			    "%s; did you mean \"%s\"?",
			    STR_ARG(str_head(name, 60)), what, near);
		return json_err(r->doc, v, r->e, "unknown word \"%.*s\" in %s",
		    STR_ARG(str_head(name, 60)), what);
	}
	return 0;
}

int
word_choose(struct reader *r, const struct json_object *v, struct str word,
    const char *name, const struct choice *choices, unsigned *out)
{
	const char *words[WORDS_MAX + 1], *near;
	char list[256] = "";
	size_t n = 0, at = 0;

	for (const struct choice *c = choices; c->name != NULL; c++) {
		if (str_eq(word, str_of(c->name))) {
			*out = c->value;
			return 0;
		}
		words[n++] = c->name;
	}
	words[n] = NULL;
	if ((near = conf_nearest(word, words)) != NULL)
		return json_err(r->doc, v, r->e, "\"%.*s\" is no \"%s\"; did you "
		    "mean \"%s\"?", STR_ARG(str_head(word, 60)), name, near);
	for (size_t i = 0; i < n && at < sizeof(list); i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s\"%s\"",
		    i > 0 ? ", " : "", words[i]);
	return json_err(r->doc, v, r->e, "\"%.*s\" is no \"%s\"%s%s",
	    STR_ARG(str_head(word, 60)), name, at < sizeof(list) ? "; there is " :
	    "; docs/providers.md has them", at < sizeof(list) ? list : "");
}

int
word_copy(struct reader *r, const struct json_object *v, const char *name,
    struct str *out)
{
	if (word_expect(r, v, name, JSON_STRING) != 0)
		return -1;
	*out = arena_str(r->a, json_text(v));
	return out->p != NULL ? 0 : word_no_memory(r, v);
}

int
row_text(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	struct str *out = INTO(base, row->into, struct str);

	if (word_copy(r, v, row->name, out) != 0)
		return -1;
	if (out->n == 0)
		return json_err(r->doc, v, r->e, "\"%s\" is empty", row->name);
	return 0;
}

/* A text, or a list of texts, each not empty. */
int
row_texts(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	bool list = json_kind(v) == JSON_ARRAY;
	size_t n = list ? json_count(v) : 1;
	struct str *out = arena_alloc(r->a, (n + 1) * sizeof(*out));

	if (out == NULL)
		return word_no_memory(r, v);
	for (size_t i = 0; i < n; i++) {
		const struct json_object *o = list ? json_at(v, i) : v;

		if (word_copy(r, o, row->name, &out[i]) != 0)
			return -1;
		if (out[i].n == 0)
			return json_err(r->doc, o, r->e,
			    "\"%s\" holds an empty text", row->name);
	}
	*INTO(base, row->into, struct str *) = out;
	*INTO(base, row->count, size_t) = n;
	return 0;
}

int
row_flag(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	if (word_expect(r, v, row->name, JSON_BOOL) != 0)
		return -1;
	*INTO(base, row->into, bool) = json_bool(v);
	return 0;
}

int
word_count(struct reader *r, const struct json_object *v, const char *name,
    int64_t most, int64_t *out)
{
	if (!json_is_int(v) || json_int(v) < 0 || json_int(v) > most)
		return json_err(r->doc, v, r->e, "\"%s\" must be a whole number "
		    "from 0 to %lld", name, (long long)most);
	*out = json_int(v);
	return 0;
}

int
row_seconds(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	int64_t *ms = INTO(base, row->into, int64_t);

	if (word_count(r, v, row->name, 30 * 24 * 3600, ms) != 0)
		return -1;
	*ms *= 1000;
	return 0;
}

int
row_bytes(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	int64_t n;

	if (word_count(r, v, row->name, (int64_t)1 << 40, &n) != 0)
		return -1;
	*INTO(base, row->into, uint64_t) = (uint64_t)n;
	return 0;
}

int
row_choice(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	unsigned value;

	if (word_expect(r, v, row->name, JSON_STRING) != 0 ||
	    word_choose(r, v, json_text(v), row->name, row->choices, &value) != 0)
		return -1;
	*INTO(base, row->into, unsigned) = value;
	return 0;
}

/* A list of choices, as one mask. */
int
row_mask(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	unsigned *mask = INTO(base, row->into, unsigned), value;

	if (word_expect(r, v, row->name, JSON_ARRAY) != 0)
		return -1;
	*mask = 0;
	for (size_t i = 0; i < json_count(v); i++) {
		const struct json_object *o = json_at(v, i);

		if (word_expect(r, o, row->name, JSON_STRING) != 0 || word_choose(r, o,
		    json_text(o), row->name, row->choices, &value) != 0)
			return -1;
		*mask |= value;
	}
	return *mask != 0 ? 0 :
	    json_err(r->doc, v, r->e, "\"%s\" is empty", row->name);
}

int
word_template(struct reader *r, const struct json_object *v, const char *name,
    const struct vocabulary *words, struct template *out)
{
	if (word_expect(r, v, name, JSON_STRING) != 0)
		return -1;
	if (template_read(out, json_text(v), words, r->a, r->e) != 0)
		return word_at(r, v);
	return 0;
}

const struct vocabulary plain_words = { .ncaptures = 0 };

/* "body:id" alone, or a template around it. */
int
word_source(struct reader *r, const struct json_object *v, const char *name,
    const struct vocabulary *words, struct template *out)
{
	struct piece *piece;

	if (word_expect(r, v, name, JSON_STRING) != 0)
		return -1;
	if (str_find(json_text(v), '{') != -1)
		return word_template(r, v, name, words, out);
	if ((piece = arena_alloc(r->a, sizeof(*piece))) == NULL)
		return word_no_memory(r, v);
	piece->op = PIECE_PLACE;
	if (place_read(&piece->place, json_text(v), r->a, r->e) != 0)
		return word_at(r, v);
	*out = (struct template){ .pieces = piece, .n = 1 };
	return 0;
}

/* Which parameters of the hook a template asks for. */
void
word_ask(struct reader *r, const struct template *t)
{
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if (template_uses_param(t, i))
			r->p->asks |= 1u << i;
}

/* --- where a value stands, and what a request must look like -------------------- */

int
word_place(struct reader *r, const struct json_object *v, const char *kind,
    struct place *out)
{
	struct str text;

	if (word_expect(r, v, kind, JSON_STRING) != 0)
		return -1;
	text = arena_printf(r->a, "%s:%.*s", kind, STR_ARG(json_text(v)));
	if (text.p == NULL)
		return word_no_memory(r, v);
	return place_read(out, text, r->a, r->e) == 0 ? 0 : word_at(r, v);
}

/* At most one of them; *v is then its value. */
int
word_where(struct reader *r, const struct raw_where *w, const char **kind,
    const struct json_object **v)
{
	const struct {
		const char *kind;
		const struct json_object *v;
	} all[] = {
		{ "header", w->header }, { "query", w->query },
		{ "field", w->field }, { "body", w->body },
		{ "claim", w->claim }, { "item", w->item },
	};

	*kind = NULL;
	*v = NULL;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].v == NULL)
			continue;
		if (*kind != NULL)
			return json_err(r->doc, all[i].v, r->e, "\"%s\" and \"%s\": "
			    "a value stands in one place", *kind, all[i].kind);
		*kind = all[i].kind;
		*v = all[i].v;
	}
	return 0;
}

/* A text, or a number as it is written; .p NULL: neither. */
static struct str
plain_text(struct reader *r, const struct json_object *o)
{
	if (json_kind(o) == JSON_STRING)
		return arena_str(r->a, json_text(o));
	return json_kind(o) == JSON_NUMBER ? arena_str(r->a, json_source(r->doc, o)) :
	    STR_NONE;
}

/* ["a", "b"]: one of them. */
static int
read_list(struct reader *r, const struct json_object *o, struct condition *c)
{
	c->test = TEST_IN;
	c->texts = arena_alloc(r->a, (json_count(o) + 1) * sizeof(*c->texts));
	if (c->texts == NULL)
		return word_no_memory(r, o);
	for (size_t i = 0; i < json_count(o); i++) {
		struct str text = plain_text(r, json_at(o, i));

		if (text.p == NULL)
			return json_err(r->doc, json_at(o, i), r->e, "in \"when\": a "
			    "list holds texts and numbers");
		c->texts[c->ntexts++] = text;
	}
	if (c->ntexts == 0)
		return json_err(r->doc, o, r->e, "in \"when\": an empty list fits "
		    "nothing");
	c->text = STR("");
	return 0;
}

/* { "like": "release-*" } */
static int
read_pattern(struct reader *r, const struct json_object *o, struct condition *c)
{
	const struct json_object *v;
	struct str name = STR_NONE;

	v = json_count(o) == 1 ? json_nth(o, 0, &name) : NULL;
	if (!str_eq(name, STR("like")) || json_kind(v) != JSON_STRING)
		return json_err(r->doc, o, r->e, "in \"when\": an object is "
		    "{ \"like\": \"PATTERN\" }, where * is any text");
	c->test = TEST_LIKE;
	c->text = arena_str(r->a, json_text(v));
	return 0;
}

/* What a condition says about a value. */
static int
read_test(struct reader *r, const struct json_object *o, struct condition *c,
    bool filter)
{
	if (filter && json_kind(o) == JSON_ARRAY)
		return read_list(r, o, c);
	switch (json_kind(o)) {
	case JSON_STRING:
	case JSON_NUMBER:
		c->text = plain_text(r, o);
		break;
	case JSON_BOOL:
		c->test = json_bool(o) ? TEST_PRESENT : TEST_ABSENT;
		c->text = STR("");
		break;
	case JSON_OBJECT:
		if (filter && read_pattern(r, o, c) != 0)
			return -1;
		if (filter)
			break;
		/* FALLTHROUGH */
	default:
		return json_err(r->doc, o, r->e, "in \"when\": a text, a number, "
		    "true (is there) or false (is not there)%s", filter ?
		    ", a list of texts, or { \"like\": \"PATTERN\" }" : "");
	}
	return c->text.p != NULL ? 0 : word_no_memory(r, o);
}

/*
 * "method", "body" and "query" are of the whole request, "type" of the event; the rest
 * are places.
 */
static int
read_condition(struct reader *r, const struct json_object *o, struct str name,
    struct condition *c, bool filter)
{
	*c = (struct condition){ .of = OF_PLACE, .test = TEST_EQUALS };
	if (str_eq(name, STR("method")))
		c->of = OF_METHOD;
	else if (str_eq(name, STR("body")))
		c->of = OF_BODY;
	else if (str_eq(name, STR("query")))
		c->of = OF_QUERY;
	else if (filter && str_eq(name, STR("type")))
		c->of = OF_TYPE;
	else if (place_read(&c->place, name, r->a, r->e) != 0)
		return word_at(r, o);
	if (read_test(r, o, c, filter) != 0)
		return -1;
	if (c->of == OF_METHOD && c->test != TEST_EQUALS)
		return json_err(r->doc, o, r->e, "\"method\" must be a text");
	if ((c->of == OF_BODY || c->of == OF_QUERY) && c->test != TEST_PRESENT &&
	    c->test != TEST_ABSENT)
		return json_err(r->doc, o, r->e, "\"%.*s\" alone is true (is there) "
		    "or false (is empty)", STR_ARG(name));
	return 0;
}

static int
read_when(struct reader *r, const struct json_object *v, struct condition **out,
    size_t *n, bool filter)
{
	if (word_expect(r, v, "when", JSON_OBJECT) != 0)
		return -1;
	if (json_count(v) == 0)
		return json_err(r->doc, v, r->e, "\"when\" is empty: it would fit "
		    "every request");
	*out = arena_alloc(r->a, json_count(v) * sizeof(**out));
	if (*out == NULL)
		return word_no_memory(r, v);
	for (size_t i = 0; i < json_count(v); i++) {
		struct str name;
		const struct json_object *o = json_nth(v, i, &name);

		if (read_condition(r, o, name, &(*out)[(*n)++], filter) != 0)
			return -1;
	}
	return 0;
}

int
word_when(struct reader *r, const struct json_object *v, struct condition **out,
    size_t *n)
{
	return read_when(r, v, out, n, false);
}

int
word_filter(struct reader *r, const struct json_object *v, struct condition **out,
    size_t *n)
{
	return read_when(r, v, out, n, true);
}
