/*
 * provider.c - a provider's file -> struct provider.  See provider.h and
 * docs/providers.md.
 *
 * Every word that a file may use is a row of a table here.  A row either reads
 * its value at once, or keeps it for the function that puts an object together:
 * a template can only be compiled when it is known what the form captures.
 */
#include <stdlib.h>
#include <string.h>

#include "auth_key.h"
#include "base/json.h"
#include "provider.h"

#define FILE_MEMORY	(512 * 1024)
#define WEEK		(7 * 24 * 3600)
#define WORDS_MAX	32		/* of one table */

/* --- the words that are values ------------------------------------------------ */

static const struct algorithm algorithms[] = {
	{ "hmac-sha256",	FAMILY_MAC,	HASH_SHA256,	0 },
	{ "hmac-sha1",		FAMILY_MAC,	HASH_SHA1,	0 },
	{ "hmac-sha384",	FAMILY_MAC,	HASH_SHA384,	0 },
	{ "hmac-sha512",	FAMILY_MAC,	HASH_SHA512,	0 },
	{ "sha1",		FAMILY_HASH,	HASH_SHA1,	0 },
	{ "sha256",		FAMILY_HASH,	HASH_SHA256,	0 },
	{ "sha384",		FAMILY_HASH,	HASH_SHA384,	0 },
	{ "sha512",		FAMILY_HASH,	HASH_SHA512,	0 },
	{ "equal",		FAMILY_EQUAL,	0,		0 },
	{ "ed25519",		FAMILY_KEY,	0,	KEY_ED25519 },
	{ "ecdsa-p256-sha256",	FAMILY_KEY,	0,	KEY_P256_DER },
	{ "ecdsa-p256-sha256-raw", FAMILY_KEY,	0,	KEY_P256_RAW },
};

struct choice {
	const char	*name;
	unsigned	 value;
};

static const struct choice kinds[] = {
	{ "json",	BODY_JSON },
	{ "form",	BODY_FORM },
	{ "multipart",	BODY_MULTIPART },
	{ "any",	BODY_ANY },
	{ NULL,		0 }
};

static const struct choice units[] = {
	{ "s",		WHEN_S },
	{ "ms",		WHEN_MS },
	{ "iso8601",	WHEN_ISO8601 },
	{ "http",	WHEN_HTTP },
	{ NULL,		0 }
};

static const struct choice encodings[] = {
	{ "raw",	ENCODING_RAW },
	{ "hex",	ENCODING_HEX },
	{ "base64",	ENCODING_BASE64 },
	{ "base64url",	ENCODING_BASE64URL },
	{ "auto",	ENCODING_AUTO },
	{ NULL,		0 }
};

static const struct choice digests[] = {
	{ "sha1",	HASH_SHA1 },
	{ "sha256",	HASH_SHA256 },
	{ "sha384",	HASH_SHA384 },
	{ "sha512",	HASH_SHA512 },
	{ NULL,		0 }
};

static const struct choice spans[] = {
	{ "second",	1 },
	{ "minute",	60 },
	{ "hour",	3600 },
	{ "day",	24 * 3600 },
	{ "week",	7 * 24 * 3600 },
	{ NULL,		0 }
};

/* --- reading ------------------------------------------------------------------- */

struct reader {
	struct json_doc	*doc;
	struct provider	*p;
	struct arena	*a;
	struct err	*e;
};

struct row {
	const char	*name;
	/* Reads the value into base + into; NULL: keeps it there as it is. */
	int		(*read)(struct reader *, const struct json_object *,
			    void *base, const struct row *);
	size_t		 into;
	size_t		 count;		/* where a list's length goes */
	const struct choice *choices;
};

#define INTO(base, offset, type)	((type *)(void *)((char *)(base) + (offset)))

static int
no_memory(struct reader *r, const struct json_object *v)
{
	return json_err(r->doc, v, r->e, "the file is too large");
}

/* A sentence that somebody below has made, with the position it lacked. */
static int
at(struct reader *r, const struct json_object *v)
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

static int
expect(struct reader *r, const struct json_object *v, const char *name,
    enum json_kind kind)
{
	if (json_kind(v) == kind)
		return 0;
	return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s", name,
	    kind_name(kind), kind_name(json_kind(v)));
}

static int
read_object(struct reader *r, const struct json_object *o, const char *what,
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

static int
choose(struct reader *r, const struct json_object *v, struct str word,
    const char *name, const struct choice *choices, unsigned *out)
{
	const char *words[WORDS_MAX + 1], *near;
	size_t n = 0;

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
	return json_err(r->doc, v, r->e, "\"%.*s\" is no \"%s\"",
	    STR_ARG(str_head(word, 60)), name);
}

static int
copy_text(struct reader *r, const struct json_object *v, const char *name,
    struct str *out)
{
	if (expect(r, v, name, JSON_STRING) != 0)
		return -1;
	*out = arena_str(r->a, json_text(v));
	return out->p != NULL ? 0 : no_memory(r, v);
}

static int
read_text(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	struct str *out = INTO(base, row->into, struct str);

	if (copy_text(r, v, row->name, out) != 0)
		return -1;
	if (out->n == 0)
		return json_err(r->doc, v, r->e, "\"%s\" is empty", row->name);
	return 0;
}

/* A text, or a list of texts, each not empty. */
static int
read_texts(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	bool list = json_kind(v) == JSON_ARRAY;
	size_t n = list ? json_count(v) : 1;
	struct str *out = arena_alloc(r->a, (n + 1) * sizeof(*out));

	if (out == NULL)
		return no_memory(r, v);
	for (size_t i = 0; i < n; i++) {
		const struct json_object *o = list ? json_at(v, i) : v;

		if (copy_text(r, o, row->name, &out[i]) != 0)
			return -1;
		if (out[i].n == 0)
			return json_err(r->doc, o, r->e,
			    "\"%s\" holds an empty text", row->name);
	}
	*INTO(base, row->into, struct str *) = out;
	*INTO(base, row->count, size_t) = n;
	return 0;
}

static int
read_flag(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	if (expect(r, v, row->name, JSON_BOOL) != 0)
		return -1;
	*INTO(base, row->into, bool) = json_bool(v);
	return 0;
}

static int
read_count(struct reader *r, const struct json_object *v, const char *name,
    int64_t most, int64_t *out)
{
	if (!json_is_int(v) || json_int(v) < 0 || json_int(v) > most)
		return json_err(r->doc, v, r->e, "\"%s\" must be a whole number "
		    "from 0 to %lld", name, (long long)most);
	*out = json_int(v);
	return 0;
}

static int
read_seconds(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	int64_t *ms = INTO(base, row->into, int64_t);

	if (read_count(r, v, row->name, 30 * 24 * 3600, ms) != 0)
		return -1;
	*ms *= 1000;
	return 0;
}

static int
read_bytes(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	int64_t n;

	if (read_count(r, v, row->name, (int64_t)1 << 40, &n) != 0)
		return -1;
	*INTO(base, row->into, uint64_t) = (uint64_t)n;
	return 0;
}

static int
read_choice(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	unsigned value;

	if (expect(r, v, row->name, JSON_STRING) != 0 ||
	    choose(r, v, json_text(v), row->name, row->choices, &value) != 0)
		return -1;
	*INTO(base, row->into, unsigned) = value;
	return 0;
}

/* A list of choices, as one mask. */
static int
read_mask(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	unsigned *mask = INTO(base, row->into, unsigned), value;

	if (expect(r, v, row->name, JSON_ARRAY) != 0)
		return -1;
	*mask = 0;
	for (size_t i = 0; i < json_count(v); i++) {
		const struct json_object *o = json_at(v, i);

		if (expect(r, o, row->name, JSON_STRING) != 0 || choose(r, o,
		    json_text(o), row->name, row->choices, &value) != 0)
			return -1;
		*mask |= value;
	}
	return *mask != 0 ? 0 :
	    json_err(r->doc, v, r->e, "\"%s\" is empty", row->name);
}

static int
read_template(struct reader *r, const struct json_object *v, const char *name,
    const struct vocabulary *words, struct template *out)
{
	if (expect(r, v, name, JSON_STRING) != 0)
		return -1;
	if (template_read(out, json_text(v), words, r->a, r->e) != 0)
		return at(r, v);
	return 0;
}

static const struct vocabulary plain_words = { .ncaptures = 0 };

/* "body:id" alone, or a template around it. */
static int
read_source(struct reader *r, const struct json_object *v, const char *name,
    struct template *out)
{
	struct piece *piece;

	if (expect(r, v, name, JSON_STRING) != 0)
		return -1;
	if (str_find(json_text(v), '{') != -1)
		return read_template(r, v, name, &plain_words, out);
	if ((piece = arena_alloc(r->a, sizeof(*piece))) == NULL)
		return no_memory(r, v);
	piece->op = PIECE_PLACE;
	if (place_read(&piece->place, json_text(v), r->a, r->e) != 0)
		return at(r, v);
	*out = (struct template){ .pieces = piece, .n = 1 };
	return 0;
}

/* Which parameters of the hook a template asks for. */
static void
ask(struct reader *r, const struct template *t)
{
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if (template_uses_param(t, i))
			r->p->asks |= 1u << i;
}

/* --- where a value stands: "header", "query", "field", "body" -------------------- */

struct raw_where {
	const struct json_object *header, *query, *field, *body;
};

#define WHERE_ROWS(type)						\
	{ "header", NULL, offsetof(type, where.header), 0, NULL },	\
	{ "query", NULL, offsetof(type, where.query), 0, NULL },	\
	{ "field", NULL, offsetof(type, where.field), 0, NULL },	\
	{ "body", NULL, offsetof(type, where.body), 0, NULL }

static int
one_place(struct reader *r, const struct json_object *v, const char *kind,
    struct place *out)
{
	struct str text;

	if (expect(r, v, kind, JSON_STRING) != 0)
		return -1;
	text = arena_printf(r->a, "%s:%.*s", kind, STR_ARG(json_text(v)));
	if (text.p == NULL)
		return no_memory(r, v);
	return place_read(out, text, r->a, r->e) == 0 ? 0 : at(r, v);
}

/* At most one of the four; *v is then its value. */
static int
which_place(struct reader *r, const struct raw_where *w, const char **kind,
    const struct json_object **v)
{
	const struct {
		const char *kind;
		const struct json_object *v;
	} all[] = {
		{ "header", w->header }, { "query", w->query },
		{ "field", w->field }, { "body", w->body },
	};

	*kind = NULL;
	*v = NULL;
	for (size_t i = 0; i < 4; i++) {
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

/* --- "form" ----------------------------------------------------------------------- */

static struct str
next_item(struct str *rest, char sep)
{
	size_t depth = 0, i;
	struct str item;

	for (i = 0; i < rest->n && (depth > 0 || rest->p[i] != sep); i++)
		depth += rest->p[i] == '{' ? 1 : rest->p[i] == '}' && depth > 0 ?
		    (size_t)-1 : 0;
	item = str_head(*rest, i);
	*rest = i < rest->n ? str_skip(*rest, i + 1) : STR_NONE;
	return item;
}

static int
read_part(struct reader *r, const struct json_object *v, struct form *f,
    struct str word, struct form_part *part)
{
	struct str rest = word, name = str_cut(&rest, ':');

	if (str_eq(name, STR("sig"))) {
		unsigned encoding = ENCODING_RAW;

		part->kind = PART_SIG;
		if (rest.p != NULL && choose(r, v, rest, "encoding", encodings,
		    &encoding) != 0)
			return -1;
		part->encoding = (enum encoding)encoding;
		return 0;
	}
	if (rest.p != NULL || name.n == 0)
		return json_err(r->doc, v, r->e, "{%.*s} in \"form\": a name, or "
		    "{sig:hex}, {sig:base64}, {sig:base64url}", STR_ARG(word));
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if (str_eq(name, str_of(hook_param_names[i]))) {
			part->kind = PART_PARAM;
			part->index = i;
			r->p->asks |= 1u << i;
			return 0;
		}
	part->kind = PART_CAPTURE;
	for (size_t i = 0; i < f->ncaptures; i++)
		if (str_eq(name, f->captures[i]))
			return json_err(r->doc, v, r->e, "{%.*s} stands twice in "
			    "\"form\"", STR_ARG(name));
	if (f->ncaptures == CAPTURES_MAX)
		return json_err(r->doc, v, r->e, "more than %d names in \"form\"",
		    CAPTURES_MAX);
	if (str_eq(name, STR("time")))
		f->time = (int)f->ncaptures;
	else if (template_is_word(name))
		return json_err(r->doc, v, r->e, "{%.*s} in \"form\": the name has "
		    "a meaning already", STR_ARG(name));
	part->index = (unsigned)f->ncaptures;
	f->captures[f->ncaptures] = arena_str(r->a, name);
	return f->captures[f->ncaptures++].p != NULL ? 0 : no_memory(r, v);
}

static int
read_item(struct reader *r, const struct json_object *v, struct form *f,
    struct str text, struct form_item *item)
{
	bool value_before = false;

	item->positional = true;
	item->parts = arena_alloc(r->a, (text.n + 1) * sizeof(*item->parts));
	if (item->parts == NULL)
		return no_memory(r, v);
	while (text.n > 0) {
		struct form_part *part = &item->parts[item->nparts++];
		ptrdiff_t end;

		if (text.p[0] != '{') {
			end = str_find(text, '{');
			part->kind = PART_TEXT;
			part->text = arena_str(r->a, end == -1 ? text :
			    str_head(text, (size_t)end));
			if (part->text.p == NULL)
				return no_memory(r, v);
			item->positional = value_before = false;
			text = str_skip(text, part->text.n);
			continue;
		}
		if ((end = str_find(text, '}')) == -1)
			return json_err(r->doc, v, r->e,
			    "a brace without its partner in \"form\"");
		if (value_before)
			return json_err(r->doc, v, r->e, "two names in \"form\" "
			    "without text between them");
		if (read_part(r, v, f, str_skip(str_head(text, (size_t)end), 1),
		    part) != 0)
			return -1;
		value_before = true;
		text = str_skip(text, (size_t)end + 1);
	}
	return item->nparts > 0 ? 0 :
	    json_err(r->doc, v, r->e, "an empty item in \"form\"");
}

static int
read_form(struct reader *r, const struct json_object *v, struct str text,
    struct form *f)
{
	struct str rest = text;
	size_t sigs = 0, items = 1;

	for (size_t i = 0; f->list != 0 && i < text.n; i++)
		items += text.p[i] == f->list;
	f->items = arena_alloc(r->a, items * sizeof(*f->items));
	if (f->items == NULL)
		return no_memory(r, v);
	f->time = -1;
	for (size_t i = 0; i + 1 < text.n; i++)
		f->comma_space |= text.p[i] == ',' && text.p[i + 1] == ' ';
	while (rest.p != NULL) {
		struct str item = f->list != 0 ? next_item(&rest, f->list) : rest;
		struct form_item *into = &f->items[f->nitems++];

		if (f->list == 0)
			rest = STR_NONE;
		if (read_item(r, v, f, f->list != 0 ? str_trim(item) : item,
		    into) != 0)
			return -1;
		for (size_t i = 0; i < into->nparts; i++)
			sigs += into->parts[i].kind == PART_SIG;
	}
	if (sigs == 0)
		return json_err(r->doc, v, r->e,
		    "\"form\" does not say where {sig} is");
	return 0;
}

/* --- "key" -------------------------------------------------------------------------- */

static const struct row key_rows[] = {
	{ "strip",	read_texts,	offsetof(struct key_form, strip),
	    offsetof(struct key_form, nstrip), NULL },
	{ "decode",	read_choice,	offsetof(struct key_form, decode), 0,
	    encodings },
	{ "append",	read_text,	offsetof(struct key_form, append), 0, NULL },
	{ "digest",	read_choice,	offsetof(struct key_form, digest), 0,
	    digests },
	{ NULL, NULL, 0, 0, NULL }
};

static int
read_key(struct reader *r, const struct json_object *v, struct key_form *k)
{
	unsigned decode;

	if (json_kind(v) == JSON_STRING) {
		if (choose(r, v, json_text(v), "key", encodings, &decode) != 0)
			return -1;
		k->decode = (enum encoding)decode;
		return 0;
	}
	k->digested = json_member(v, "digest") != NULL;
	return read_object(r, v, "\"key\"", key_rows, k);
}

/* --- "also" and "verify": a place and what it must equal ------------------------------ */

struct raw_also {
	const struct json_object *place, *equals;
};

static const struct row also_rows[] = {
	{ "place",	NULL,	offsetof(struct raw_also, place), 0, NULL },
	{ "equals",	NULL,	offsetof(struct raw_also, equals), 0, NULL },
	{ NULL, NULL, 0, 0, NULL }
};

static int
read_also(struct reader *r, const struct json_object *v,
    const struct vocabulary *words, struct signature *s)
{
	if (expect(r, v, "also", JSON_ARRAY) != 0)
		return -1;
	s->also = arena_alloc(r->a, (json_count(v) + 1) * sizeof(*s->also));
	if (s->also == NULL)
		return no_memory(r, v);
	for (size_t i = 0; i < json_count(v); i++) {
		const struct json_object *o = json_at(v, i);
		struct raw_also raw = { 0 };
		struct also *also = &s->also[s->nalso++];

		if (read_object(r, o, "an item of \"also\"", also_rows, &raw) != 0)
			return -1;
		if (raw.place == NULL || raw.equals == NULL)
			return json_err(r->doc, o, r->e, "an item of \"also\" needs "
			    "\"place\" and \"equals\"");
		if (expect(r, raw.place, "place", JSON_STRING) != 0)
			return -1;
		if (place_read(&also->place, json_text(raw.place), r->a,
		    r->e) != 0)
			return at(r, raw.place);
		if (read_template(r, raw.equals, "equals", words,
		    &also->equals) != 0)
			return -1;
		ask(r, &also->equals);
	}
	return 0;
}

/* --- "time" ---------------------------------------------------------------------------- */

struct raw_time {
	struct raw_where where;
	struct time_rule *rule;
	unsigned	 unit;
	int64_t		 window;
};

static const struct row time_rows[] = {
	WHERE_ROWS(struct raw_time),
	{ "unit",	read_choice,	offsetof(struct raw_time, unit), 0, units },
	{ "window",	read_seconds,	offsetof(struct raw_time, window), 0, NULL },
	{ NULL, NULL, 0, 0, NULL }
};

static int
read_time(struct reader *r, const struct json_object *v, struct time_rule *t)
{
	struct raw_time raw = { .unit = WHEN_S };
	const struct json_object *where;
	const char *kind;

	if (read_object(r, v, "\"time\"", time_rows, &raw) != 0 ||
	    which_place(r, &raw.where, &kind, &where) != 0)
		return -1;
	t->set = true;
	t->captured = kind == NULL;
	t->unit = (enum when_unit)raw.unit;
	t->window = raw.window;
	return kind == NULL ? 0 : one_place(r, where, kind, &t->place);
}

/* --- "signature" ------------------------------------------------------------------------- */

struct raw_signature {
	struct raw_where where;
	const struct json_object *form, *list, *algorithm, *signs, *key, *also,
	    *time;
	bool		 repeats;
	unsigned	 kinds;
};

static const struct row signature_rows[] = {
#define KEEP(word)	{ #word, NULL, offsetof(struct raw_signature, word), 0, NULL }
	WHERE_ROWS(struct raw_signature),
	KEEP(form), KEEP(list), KEEP(algorithm), KEEP(signs), KEEP(key), KEEP(also),
	KEEP(time),
#undef KEEP
	{ "repeats",	read_flag,	offsetof(struct raw_signature, repeats), 0,
	    NULL },
	{ "for",	read_mask,	offsetof(struct raw_signature, kinds), 0,
	    kinds },
	{ NULL, NULL, 0, 0, NULL }
};

static int
read_algorithm(struct reader *r, const struct json_object *o,
    const struct json_object *v, const struct algorithm **out)
{
	const size_t n = sizeof(algorithms) / sizeof(algorithms[0]);
	struct choice choices[WORDS_MAX] = { { NULL, 0 } };
	unsigned i;

	if (v == NULL)
		return json_err(r->doc, o, r->e, "a signature needs an "
		    "\"algorithm\"");
	for (i = 0; i < n; i++)
		choices[i] = (struct choice){ algorithms[i].name, i };
	if (expect(r, v, "algorithm", JSON_STRING) != 0 ||
	    choose(r, v, json_text(v), "algorithm", choices, &i) != 0)
		return -1;
	*out = &algorithms[i];
	return 0;
}

static int
read_places(struct reader *r, const struct json_object *o,
    const struct raw_where *where, struct signature *s)
{
	const struct json_object *v;
	const char *kind;
	bool list;

	if (which_place(r, where, &kind, &v) != 0)
		return -1;
	if (kind == NULL)
		return json_err(r->doc, o, r->e, "a signature needs a \"header\", "
		    "\"query\", \"field\" or \"body\" where it stands");
	list = json_kind(v) == JSON_ARRAY;
	s->nplaces = list ? json_count(v) : 1;
	if (s->nplaces == 0)
		return json_err(r->doc, v, r->e, "\"%s\" is empty", kind);
	s->places = arena_alloc(r->a, s->nplaces * sizeof(*s->places));
	if (s->places == NULL)
		return no_memory(r, v);
	for (size_t i = 0; i < s->nplaces; i++)
		if (one_place(r, list ? json_at(v, i) : v, kind,
		    &s->places[i]) != 0)
			return -1;
	return 0;
}

static int
read_list(struct reader *r, const struct json_object *v, struct form *f)
{
	struct str text;

	if (v == NULL)
		return 0;
	if (expect(r, v, "list", JSON_STRING) != 0)
		return -1;
	text = json_text(v);
	if (text.n == 1)
		f->list = text.p[0];
	else if (text.n == 2 && text.p[0] != text.p[1]) {
		f->groups = text.p[0];
		f->list = text.p[1];
	} else
		return json_err(r->doc, v, r->e, "\"list\" is one separator, or two "
		    "different ones: of groups, and of the items in a group");
	return 0;
}

/* What of a request cannot be changed without breaking the signature. */
static unsigned
covered_by(const struct template *t)
{
	unsigned covers = 0;

	if (template_has(t, PIECE_BODY))
		covers |= COVERS_BODY | COVERS_FIELDS;
	if (template_has(t, PIECE_FIELDS))
		covers |= COVERS_FIELDS;
	if (template_has(t, PIECE_QUERY))
		covers |= COVERS_QUERY;
	if (template_has(t, PIECE_URL))
		covers |= COVERS_QUERY | COVERS_PATH;
	if (template_has(t, PIECE_PATH))
		covers |= COVERS_PATH;
	if (template_has(t, PIECE_METHOD))
		covers |= COVERS_METHOD;
	return covers;
}

static bool
place_signed(const struct signature *s, const struct place *place)
{
	if (template_has_place(&s->signs, place))
		return true;
	if (template_has(&s->signs, PIECE_TIME) && s->time.set &&
	    !s->time.captured && place_eq(&s->time.place, place))
		return true;
	switch (place->kind) {
	case PLACE_HEADER:
		return false;
	case PLACE_QUERY:
		return (s->covers & COVERS_QUERY) != 0;
	case PLACE_FIELD:
		return (s->covers & COVERS_FIELDS) != 0;
	case PLACE_BODY:
		return (s->covers & COVERS_BODY) != 0;
	}
	return false;
}

bool
signature_covers(const struct signature *s, const struct template *t)
{
	if (s->algorithm->family == FAMILY_EQUAL)
		return true;		/* nothing is covered better */
	for (size_t i = 0; i < t->n; i++)
		if (t->pieces[i].op == PIECE_PLACE &&
		    !place_signed(s, &t->pieces[i].place))
			return false;
	return true;
}

static int
check_encodings(struct reader *r, const struct json_object *v,
    const struct signature *s)
{
	bool equal = s->algorithm->family == FAMILY_EQUAL;

	for (size_t i = 0; i < s->form.nitems; i++)
		for (size_t j = 0; j < s->form.items[i].nparts; j++) {
			const struct form_part *p = &s->form.items[i].parts[j];

			if (p->kind != PART_SIG)
				continue;
			if (p->encoding == ENCODING_AUTO ||
			    (!equal && p->encoding == ENCODING_RAW))
				return json_err(r->doc, v, r->e, "\"form\" must say "
				    "how the signature is written: {sig:hex}, "
				    "{sig:base64} or {sig:base64url}");
		}
	return 0;
}

static int
read_signs(struct reader *r, const struct json_object *o,
    const struct json_object *v, const struct vocabulary *words,
    struct signature *s)
{
	enum family family = s->algorithm->family;

	if (family == FAMILY_EQUAL)
		return v == NULL ? 0 : json_err(r->doc, v, r->e, "nothing is signed "
		    "with \"equal\": leave out \"signs\"");
	if (v == NULL) {
		if (family == FAMILY_HASH)
			return json_err(r->doc, o, r->e, "a plain hash needs "
			    "\"signs\", with {secret} in it");
		if (template_read(&s->signs, STR("{body}"), words, r->a,
		    r->e) != 0)
			return at(r, o);
		return 0;
	}
	if (read_template(r, v, "signs", words, &s->signs) != 0)
		return -1;
	if (family == FAMILY_HASH && !template_has(&s->signs, PIECE_SECRET))
		return json_err(r->doc, v, r->e, "without {secret} in \"signs\" "
		    "anybody could compute a plain hash");
	if (s->signs.n == 0 || (s->signs.n == 1 &&
	    s->signs.pieces[0].op == PIECE_TEXT))
		return json_err(r->doc, v, r->e, "\"signs\" holds nothing of the "
		    "request");
	ask(r, &s->signs);
	return 0;
}

static int
check_time(struct reader *r, const struct json_object *o, struct signature *s)
{
	if (!s->time.set)
		return 0;
	if (s->time.captured) {
		if (s->form.time == -1)
			return json_err(r->doc, o, r->e, "\"time\" does not say where "
			    "it is, and \"form\" captures no {time}");
		s->time_signed = template_has(&s->signs, PIECE_TIME);
	} else
		s->time_signed = template_has(&s->signs, PIECE_TIME) ||
		    (s->algorithm->family != FAMILY_EQUAL &&
		    place_signed(s, &s->time.place));
	if (s->time.window > 0 && !s->time_signed)
		return json_err(r->doc, o, r->e, "the time has a \"window\" but is "
		    "not signed: whoever repeats the request can change it");
	return 0;
}

static int
read_signature(struct reader *r, const struct json_object *o,
    const struct time_rule *inherited, struct signature *s)
{
	struct raw_signature raw = { 0 };
	struct vocabulary words;
	struct str form;

	if (read_object(r, o, "\"signature\"", signature_rows, &raw) != 0 ||
	    read_algorithm(r, o, raw.algorithm, &s->algorithm) != 0 ||
	    read_places(r, o, &raw.where, s) != 0 ||
	    read_list(r, raw.list, &s->form) != 0)
		return -1;
	s->repeats = raw.repeats;
	s->kinds = raw.kinds;
	if (s->repeats && s->places[0].kind != PLACE_HEADER)
		return json_err(r->doc, o, r->e, "only a header may have "
		    "\"repeats\"");
	form = s->algorithm->family == FAMILY_EQUAL ? STR("{sig}") :
	    STR("{sig:hex}");
	if (raw.form != NULL) {
		if (expect(r, raw.form, "form", JSON_STRING) != 0)
			return -1;
		form = json_text(raw.form);
	}
	if (read_form(r, raw.form != NULL ? raw.form : o, form, &s->form) != 0 ||
	    check_encodings(r, raw.form != NULL ? raw.form : o, s) != 0)
		return -1;
	s->time = *inherited;
	if (raw.time != NULL) {
		s->time = (struct time_rule){ .set = false };
		if (read_time(r, raw.time, &s->time) != 0)
			return -1;
	}
	words = (struct vocabulary){
		.captures = s->form.captures,
		.ncaptures = s->form.ncaptures,
		.time = s->form.time != -1 || (s->time.set && !s->time.captured),
		.secret = s->algorithm->family == FAMILY_HASH,
	};
	if (read_signs(r, o, raw.signs, &words, s) != 0)
		return -1;
	words.secret = false;
	if (raw.also != NULL && read_also(r, raw.also, &words, s) != 0)
		return -1;
	s->covers = covered_by(&s->signs);
	for (size_t i = 0; i < s->nalso; i++)
		if (place_signed(s, &s->also[i].place))
			s->covers |= covered_by(&s->also[i].equals);
	if (raw.key != NULL) {
		if (s->algorithm->family == FAMILY_EQUAL)
			return json_err(r->doc, raw.key, r->e, "with \"equal\" the "
			    "secret is compared as it is: leave out \"key\"");
		if (read_key(r, raw.key, &s->key) != 0)
			return -1;
		if (s->key.decode == ENCODING_AUTO &&
		    s->algorithm->family != FAMILY_KEY)
			return json_err(r->doc, raw.key, r->e,
			    "\"auto\" is for public keys");
	}
	if (s->algorithm->family == FAMILY_KEY)
		r->p->wants_public_key = true;
	else
		r->p->wants_secret = true;
	return check_time(r, raw.time != NULL ? raw.time : o, s);
}

static int
read_signatures(struct reader *r, const struct json_object *v,
    const struct json_object *time)
{
	struct time_rule inherited = { .set = false };
	bool list = json_kind(v) == JSON_ARRAY;
	struct provider *p = r->p;

	if (time != NULL && read_time(r, time, &inherited) != 0)
		return -1;
	if (v == NULL)
		return time == NULL ? 0 : json_err(r->doc, time, r->e,
		    "\"time\" without a \"signature\" that signs it");
	p->nsignatures = list ? json_count(v) : 1;
	if (p->nsignatures == 0)
		return json_err(r->doc, v, r->e, "\"signature\" is empty");
	p->signatures = arena_alloc(r->a,
	    p->nsignatures * sizeof(*p->signatures));
	if (p->signatures == NULL)
		return no_memory(r, v);
	for (size_t i = 0; i < p->nsignatures; i++)
		if (read_signature(r, list ? json_at(v, i) : v, &inherited,
		    &p->signatures[i]) != 0)
			return -1;
	return 0;
}

/* --- "event" ------------------------------------------------------------------------------ */

struct raw_event {
	const struct json_object *id, *type, *proven, *merge;
};

static const struct row event_rows[] = {
	{ "id",		NULL,	offsetof(struct raw_event, id), 0, NULL },
	{ "type",	NULL,	offsetof(struct raw_event, type), 0, NULL },
	{ "proven",	NULL,	offsetof(struct raw_event, proven), 0, NULL },
	{ "merge",	NULL,	offsetof(struct raw_event, merge), 0, NULL },
	{ NULL, NULL, 0, 0, NULL }
};

struct raw_merge {
	int64_t		window;
	struct str	reason;
};

static const struct row merge_rows[] = {
	{ "window",	read_seconds,	offsetof(struct raw_merge, window), 0, NULL },
	{ "reason",	read_text,	offsetof(struct raw_merge, reason), 0, NULL },
	{ NULL, NULL, 0, 0, NULL }
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
		return no_memory(r, v);
	for (size_t i = 0; i < *n; i++) {
		if (read_source(r, list ? json_at(v, i) : v, name,
		    &(*out)[i]) != 0)
			return -1;
		ask(r, &(*out)[i]);
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
	if (read_object(r, v, "\"event\"", event_rows, &raw) != 0 ||
	    read_sources(r, raw.id, "id", &ev->ids, &ev->nids) != 0 ||
	    read_sources(r, raw.type, "type", &ev->types, &ev->ntypes) != 0)
		return -1;
	ev->says_proven = raw.proven != NULL;
	if (raw.proven != NULL) {
		if (expect(r, raw.proven, "proven", JSON_BOOL) != 0)
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
	if (read_object(r, raw.merge, "\"merge\"", merge_rows, &merge) != 0)
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

/* --- answers -------------------------------------------------------------------------------- */

struct raw_answer {
	const struct json_object *status, *body, *json, *headers, *type;
};

static const struct row answer_rows[] = {
#define KEEP(word)	{ #word, NULL, offsetof(struct raw_answer, word), 0, NULL }
	KEEP(status), KEEP(type), KEEP(body), KEEP(json), KEEP(headers),
#undef KEEP
	{ NULL, NULL, 0, 0, NULL }
};

static int
read_status(struct reader *r, const struct json_object *v, int *status)
{
	if (v == NULL)
		return 0;
	if (!json_is_int(v) || json_int(v) < 200 || json_int(v) > 599)
		return json_err(r->doc, v, r->e,
		    "\"status\" must be a number from 200 to 599");
	*status = (int)json_int(v);
	return 0;
}

/* Headers that the answer makes itself, or that would mean something to nginx. */
static bool
header_is_ours(struct str name)
{
	return str_eq_nocase(name, STR("content-type")) ||
	    str_eq_nocase(name, STR("content-length")) ||
	    str_eq_nocase(name, STR("transfer-encoding")) ||
	    str_eq_nocase(name, STR("connection")) ||
	    str_eq_nocase(name, STR("status")) ||
	    str_starts_nocase(name, STR("x-accel-")) ||
	    str_starts_nocase(name, STR("x-hooklatch-"));
}

static int
read_headers(struct reader *r, const struct json_object *v, struct str *extra)
{
	if (v == NULL)
		return 0;
	if (expect(r, v, "headers", JSON_OBJECT) != 0)
		return -1;
	for (size_t i = 0; i < json_count(v); i++) {
		struct str name, value;
		const struct json_object *o = json_nth(v, i, &name);

		if (expect(r, o, "headers", JSON_STRING) != 0)
			return -1;
		value = json_text(o);
		if (!str_printable(name) || str_find(name, ':') != -1 ||
		    str_find(name, ' ') != -1 || !str_printable(value))
			return json_err(r->doc, o, r->e, "a header's name and value "
			    "must be printable ASCII");
		if (header_is_ours(name))
			return json_err(r->doc, o, r->e, "the header \"%.*s\" is not "
			    "the file's to set", STR_ARG(name));
		*extra = arena_printf(r->a, "%.*s%.*s: %.*s\r\n", STR_ARG(*extra),
		    STR_ARG(name), STR_ARG(value));
		if (extra->p == NULL)
			return no_memory(r, v);
	}
	return 0;
}

/* A text of JSON as a template: braces that are JSON's are doubled. */
static void
put_literal(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '{' || s.p[i] == '}')
			buf_putc(b, s.p[i]);
		buf_putc(b, s.p[i]);
	}
}

static void
put_json_text(struct buf *b, struct str s)
{
	struct buf quoted = BUF(FILE_MEMORY);

	buf_json(&quoted, s);
	if (buf_ok(&quoted) && quoted.n >= 2)
		put_literal(b, (struct str){ quoted.p + 1, quoted.n - 2 });
	else
		b->bad = true;
	buf_free(&quoted);
}

/* A string: what is between braces stays, the rest is escaped. */
static void
put_json_string(struct buf *b, struct str s, bool templates)
{
	buf_putc(b, '"');
	while (s.n > 0) {
		ptrdiff_t open = templates ? str_find(s, '{') : -1, close;
		struct str text = open == -1 ? s : str_head(s, (size_t)open);

		put_json_text(b, text);
		s = str_skip(s, text.n);
		if (s.n == 0)
			break;
		if ((close = str_find(s, '}')) == -1)
			close = (ptrdiff_t)s.n - 1;
		buf_put(b, str_head(s, (size_t)close + 1));
		s = str_skip(s, (size_t)close + 1);
	}
	buf_putc(b, '"');
}

static void
put_json(struct reader *r, struct buf *b, const struct json_object *v,
    bool templates)
{
	bool object = json_kind(v) == JSON_OBJECT;

	switch (json_kind(v)) {
	case JSON_STRING:
		put_json_string(b, json_text(v), templates);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		buf_put(b, object ? STR("{{") : STR("["));
		for (size_t i = 0; i < json_count(v); i++) {
			struct str name;

			if (i > 0)
				buf_putc(b, ',');
			if (object) {
				json_nth(v, i, &name);
				put_json_string(b, name, false);
				buf_putc(b, ':');
			}
			put_json(r, b, object ? json_nth(v, i, &name) :
			    json_at(v, i), templates);
		}
		buf_put(b, object ? STR("}}") : STR("]"));
		break;
	case JSON_BOOL:
		buf_put(b, json_bool(v) ? STR("true") : STR("false"));
		break;
	case JSON_NUMBER:
		buf_put(b, json_source(r->doc, v));
		break;
	case JSON_NONE:
	case JSON_NULL:
		buf_put(b, STR("null"));
		break;
	}
}

static int
read_json_answer(struct reader *r, const struct json_object *v,
    const struct vocabulary *words, struct template *out)
{
	struct buf b = BUF(FILE_MEMORY);
	int rc = -1;

	put_json(r, &b, v, words != NULL);
	if (!buf_ok(&b))
		no_memory(r, v);
	else if (template_read(out, buf_str(&b),
	    words != NULL ? words : &plain_words, r->a, r->e) != 0)
		at(r, v);
	else
		rc = 0;
	out->json = true;
	buf_free(&b);
	return rc;
}

/* An answer that is the same each time: "accepted", "refused", "malformed". */
static int
fixed_answer(struct reader *r, const struct json_object *v, const char *what,
    int status, struct answer *out)
{
	struct raw_answer raw = { 0 };
	struct template t;

	*out = (struct answer){ .status = status };
	if (v == NULL)
		return 0;
	if (read_object(r, v, what, answer_rows, &raw) != 0 ||
	    read_status(r, raw.status, &out->status) != 0 ||
	    read_headers(r, raw.headers, &out->extra) != 0)
		return -1;
	if (raw.body != NULL && raw.json != NULL)
		return json_err(r->doc, raw.json, r->e,
		    "\"body\" or \"json\", not both");
	if (raw.type != NULL && copy_text(r, raw.type, "type", &out->type) != 0)
		return -1;
	if (raw.body != NULL) {
		if (copy_text(r, raw.body, "body", &out->body) != 0)
			return -1;
		if (out->type.n == 0 && out->body.n > 0)
			out->type = STR("text/plain");
	}
	if (raw.json != NULL) {
		if (read_json_answer(r, raw.json, NULL, &t) != 0)
			return -1;
		out->body = t.n == 1 ? t.pieces[0].text : STR("");
		if (out->type.n == 0)
			out->type = STR("application/json");
	}
	if (out->type.n > 0 && !str_printable(out->type))
		return json_err(r->doc, raw.type, r->e,
		    "\"type\" must be printable ASCII");
	return 0;
}

static int
read_answer(struct reader *r, const struct json_object *v, const char *what,
    int status, struct provider_answer *out)
{
	out->set = v != NULL;
	return fixed_answer(r, v, what, status, &out->answer);
}

/* --- "handshakes" ------------------------------------------------------------------------------ */

struct raw_handshake {
	const struct json_object *when, *verify, *answer, *refused;
	bool		 is_signed, open;
};

static const struct row handshake_rows[] = {
	{ "when",	NULL,	offsetof(struct raw_handshake, when), 0, NULL },
	{ "verify",	NULL,	offsetof(struct raw_handshake, verify), 0, NULL },
	{ "answer",	NULL,	offsetof(struct raw_handshake, answer), 0, NULL },
	{ "refused",	NULL,	offsetof(struct raw_handshake, refused), 0, NULL },
	{ "signed",	read_flag, offsetof(struct raw_handshake, is_signed), 0, NULL },
	{ "open",	read_flag, offsetof(struct raw_handshake, open), 0, NULL },
	{ NULL, NULL, 0, 0, NULL }
};

static int
add_word(struct reader *r, const struct json_object *v, struct str word,
    struct str **list, size_t *n)
{
	struct str *longer = arena_alloc(r->a, (*n + 1) * sizeof(*longer));

	for (size_t i = 0; i < *n; i++)
		if (str_eq((*list)[i], word))
			return 0;
	if (longer == NULL)
		return no_memory(r, v);
	if (*n > 0)
		memcpy(longer, *list, *n * sizeof(*longer));
	longer[(*n)++] = word;
	*list = longer;
	return 0;
}

static int
read_when(struct reader *r, const struct json_object *v, struct handshake_rule *h)
{
	if (expect(r, v, "when", JSON_OBJECT) != 0)
		return -1;
	if (json_count(v) == 0)
		return json_err(r->doc, v, r->e, "\"when\" is empty: every request "
		    "would be a handshake");
	h->when = arena_alloc(r->a, json_count(v) * sizeof(*h->when));
	if (h->when == NULL)
		return no_memory(r, v);
	for (size_t i = 0; i < json_count(v); i++) {
		struct when_rule *w = &h->when[h->nwhen++];
		struct str name;
		const struct json_object *o = json_nth(v, i, &name);

		w->method = str_eq(name, STR("method"));
		if (!w->method && place_read(&w->place, name, r->a, r->e) != 0)
			return at(r, o);
		w->test = TEST_EQUALS;
		switch (json_kind(o)) {
		case JSON_STRING:
			w->text = arena_str(r->a, json_text(o));
			break;
		case JSON_NUMBER:
			w->text = arena_str(r->a, json_source(r->doc, o));
			break;
		case JSON_BOOL:
			w->test = json_bool(o) ? TEST_PRESENT : TEST_ABSENT;
			w->text = STR("");
			break;
		default:
			return json_err(r->doc, o, r->e, "in \"when\": a text, a "
			    "number, true (is there) or false (is not there)");
		}
		if (w->text.p == NULL)
			return no_memory(r, o);
		if (w->method && w->test != TEST_EQUALS)
			return json_err(r->doc, o, r->e, "\"method\" must be a text");
		if (w->method && add_word(r, o, w->text,
		    &r->p->handshake_methods, &r->p->nhandshake_methods) != 0)
			return -1;
	}
	return 0;
}

static int
read_verify(struct reader *r, const struct json_object *v,
    struct handshake_rule *h)
{
	if (v == NULL)
		return 0;
	if (expect(r, v, "verify", JSON_OBJECT) != 0)
		return -1;
	h->verify = arena_alloc(r->a, (json_count(v) + 1) * sizeof(*h->verify));
	if (h->verify == NULL)
		return no_memory(r, v);
	for (size_t i = 0; i < json_count(v); i++) {
		struct also *a = &h->verify[h->nverify++];
		struct str name;
		const struct json_object *o = json_nth(v, i, &name);

		if (place_read(&a->place, name, r->a, r->e) != 0)
			return at(r, o);
		if (read_template(r, o, "verify", &plain_words, &a->equals) != 0)
			return -1;
		ask(r, &a->equals);
	}
	return 0;
}

static int
read_echo(struct reader *r, const struct json_object *v, struct handshake_rule *h)
{
	const struct vocabulary words = { .keyed = r->p->wants_secret };
	struct raw_answer raw = { 0 };

	h->status = 200;
	if (v == NULL)
		return 0;
	if (read_object(r, v, "\"answer\"", answer_rows, &raw) != 0 ||
	    read_status(r, raw.status, &h->status) != 0 ||
	    read_headers(r, raw.headers, &h->extra) != 0)
		return -1;
	if (raw.body != NULL && raw.json != NULL)
		return json_err(r->doc, raw.json, r->e,
		    "\"body\" or \"json\", not both");
	if (raw.body != NULL) {
		h->type = STR("text/plain");
		if (read_template(r, raw.body, "body", &words, &h->body) != 0)
			return -1;
	}
	if (raw.json != NULL) {
		h->type = STR("application/json");
		if (read_json_answer(r, raw.json, &words, &h->body) != 0)
			return -1;
	}
	ask(r, &h->body);
	if (raw.type == NULL)
		return 0;
	if (copy_text(r, raw.type, "type", &h->type) != 0)
		return -1;
	if (!str_printable(h->type))
		return json_err(r->doc, raw.type, r->e,
		    "\"type\" must be printable ASCII");
	if (template_echoes(&h->body) && !h->body.json &&
	    !str_starts_nocase(h->type, STR("text/plain")))
		return json_err(r->doc, raw.type, r->e, "what repeats the request "
		    "goes out as text/plain or as \"json\"");
	return 0;
}

/*
 * Can a token that is signed for a stranger be told from what an event signs?  If
 * that is JSON, or text and JSON; see the oracle in handshake.c.
 */
static bool
told_apart(const struct provider *p)
{
	for (size_t i = 0; i < p->nsignatures; i++) {
		const struct template *t = &p->signatures[i].signs;
		bool body = t->n > 0 && t->pieces[t->n - 1].op == PIECE_BODY &&
		    t->pieces[t->n - 1].function == NULL;

		if (p->signatures[i].algorithm->family != FAMILY_MAC)
			continue;
		if (!body || t->n > 2 ||
		    (t->n == 2 && t->pieces[0].op != PIECE_TEXT))
			return false;
	}
	return p->bodies == BODY_JSON;
}

static int
read_handshake(struct reader *r, const struct json_object *o,
    struct handshake_rule *h)
{
	struct raw_handshake raw = { 0 };

	if (read_object(r, o, "a handshake", handshake_rows, &raw) != 0)
		return -1;
	if (raw.when == NULL)
		return json_err(r->doc, o, r->e, "a handshake needs a \"when\"");
	h->is_signed = raw.is_signed;
	h->open = raw.open;
	if (read_when(r, raw.when, h) != 0 || read_verify(r, raw.verify, h) != 0 ||
	    read_echo(r, raw.answer, h) != 0 || fixed_answer(r, raw.refused,
	    "\"refused\"", 403, &h->refused) != 0)
		return -1;
	if (h->open && !h->is_signed)
		return json_err(r->doc, o, r->e, "\"open\" is for a handshake that "
		    "is \"signed\"");
	if (h->is_signed && r->p->nsignatures == 0)
		return json_err(r->doc, o, r->e, "a \"signed\" handshake of a "
		    "provider without a \"signature\"");
	if (template_keyed(&h->body) && (!h->is_signed || h->open) &&
	    !told_apart(r->p))
		return json_err(r->doc, o, r->e, "a handshake that is not signed "
		    "and answers an hmac would sign events for anybody: only with "
		    "\"bodies\": [\"json\"] and \"signs\": \"{body}\" can the two "
		    "be told apart");
	h->store = h->is_signed;
	for (size_t i = 0; i < h->nwhen; i++)
		if (!h->when[i].method && h->when[i].test == TEST_EQUALS)
			h->store = false;
	return 0;
}

static int
read_handshakes(struct reader *r, const struct json_object *v)
{
	struct provider *p = r->p;

	if (v == NULL)
		return 0;
	if (expect(r, v, "handshakes", JSON_ARRAY) != 0)
		return -1;
	p->handshakes = arena_alloc(r->a,
	    (json_count(v) + 1) * sizeof(*p->handshakes));
	if (p->handshakes == NULL)
		return no_memory(r, v);
	for (size_t i = 0; i < json_count(v); i++)
		if (read_handshake(r, json_at(v, i),
		    &p->handshakes[p->nhandshakes++]) != 0)
			return -1;
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

	if (read_text(r, v, base, row) != 0)
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
	if (expect(r, v, row->name, JSON_ARRAY) != 0)
		return -1;
	for (size_t i = 0; i < json_count(v); i++) {
		const struct json_object *o = json_at(v, i);

		if (expect(r, o, row->name, JSON_STRING) != 0 || choose(r, o,
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

	if (read_texts(r, v, base, row) != 0)
		return -1;
	for (size_t i = 0; i < p->nmethods; i++)
		for (size_t j = 0; j < p->methods[i].n; j++)
			if (p->methods[i].p[j] < 'A' || p->methods[i].p[j] > 'Z')
				return json_err(r->doc, v, r->e,
				    "a method is in capitals: \"POST\"");
	return p->nmethods > 0 ? 0 :
	    json_err(r->doc, v, r->e, "\"methods\" is empty");
}

static int
look_away(struct reader *r, const struct json_object *v, void *base,
    const struct row *row)
{
	(void)base;
	return expect(r, v, row->name, JSON_ARRAY);
}

struct raw_provider {
	struct provider	 p;		/* first: rows read into it */
	const struct json_object *signature, *time, *event, *handshakes, *accepted,
	    *refused, *malformed;
};

static const struct row provider_rows[] = {
#define P(word, read, choices)	\
	{ #word, read, offsetof(struct provider, word), 0, choices }
#define KEEP(word)	{ #word, NULL, offsetof(struct raw_provider, word), 0, NULL }
	P(name, read_text, NULL),
	P(docs, read_text, NULL),
	P(setup, read_text, NULL),
	P(bodies, read_mask, kinds),
	P(any_type, read_flag, NULL),
	P(empty, read_flag, NULL),
	{ "methods", read_methods, offsetof(struct provider, methods),
	    offsetof(struct provider, nmethods), NULL },
	KEEP(signature),
	KEEP(time),
	KEEP(event),
	KEEP(handshakes),
	KEEP(accepted),
	KEEP(refused),
	KEEP(malformed),
	P(deadline, read_seconds, NULL),
	P(retries, read_retries, NULL),
	P(max_body, read_bytes, NULL),
	P(asks, read_asks, NULL),
	{ "weak", read_texts, offsetof(struct provider, weak),
	    offsetof(struct provider, nweak), NULL },
	{ "examples", look_away, 0, 0, NULL },
#undef P
#undef KEEP
	{ NULL, NULL, 0, 0, NULL }
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
		return no_memory(r, root);
	raw.p.methods[raw.p.nmethods++] = STR("POST");
	if (read_object(r, root, "a provider", provider_rows, &raw) != 0)
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
	    read_answer(r, raw.accepted, "\"accepted\"", 200,
	    &r->p->accepted) != 0 ||
	    read_answer(r, raw.refused, "\"refused\"", 401,
	    &r->p->refused) != 0 ||
	    read_answer(r, raw.malformed, "\"malformed\"", 400,
	    &r->p->malformed) != 0)
		return -1;
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

void
provider_free(struct provider *p)
{
	if (p != NULL)
		arena_free(p->arena);
}

/* --- the texts in the program ---------------------------------------------------------------------- */

struct str
provider_text(struct str id)
{
	size_t low = 0, high = provider_texts_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = str_cmp(id, provider_texts[mid].id);

		if (c == 0)
			return provider_texts[mid].text;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return STR_NONE;
}

size_t
provider_text_count(void)
{
	return provider_texts_count;
}

struct str
provider_text_id(size_t i)
{
	return i < provider_texts_count ? provider_texts[i].id : STR_NONE;
}

struct str
provider_nearest(struct str id)
{
	struct str best = STR_NONE;
	size_t far = 2 + id.n / 4;

	if (id.n > 64)
		return best;
	for (size_t i = 0; i < provider_texts_count; i++) {
		size_t d = str_distance(id, provider_texts[i].id);

		if (d < far) {
			far = d;
			best = provider_texts[i].id;
		}
	}
	return best;
}
