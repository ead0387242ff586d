/*
 * template.c - see template.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "template.h"

#define PIECES_MAX	64

/* --- the words -------------------------------------------------------------- */

enum function_kind { FN_HASH, FN_MAC, FN_LOWER };

struct function {
	const char	*name;
	enum function_kind kind;
	enum hash	 hash;
	bool		 base64;	/* else hex */
};

static const struct function functions[] = {
	{ "sha1hex",		FN_HASH,	HASH_SHA1,	false },
	{ "sha256hex",		FN_HASH,	HASH_SHA256,	false },
	{ "sha512hex",		FN_HASH,	HASH_SHA512,	false },
	{ "sha256base64",	FN_HASH,	HASH_SHA256,	true },
	{ "hmac-sha1-hex",	FN_MAC,		HASH_SHA1,	false },
	{ "hmac-sha1-base64",	FN_MAC,		HASH_SHA1,	true },
	{ "hmac-sha256-hex",	FN_MAC,		HASH_SHA256,	false },
	{ "hmac-sha256-base64",	FN_MAC,		HASH_SHA256,	true },
	{ "hmac-sha512-hex",	FN_MAC,		HASH_SHA512,	false },
	{ "hmac-sha512-base64",	FN_MAC,		HASH_SHA512,	true },
	{ "lower",		FN_LOWER,	0,		false },
};
#define NFUNCTIONS	(sizeof(functions) / sizeof(functions[0]))

static const struct {
	const char	*name;
	enum piece_op	 op;
} names[] = {
	{ "body",	PIECE_BODY },
	{ "method",	PIECE_METHOD },
	{ "url",	PIECE_URL },
	{ "path",	PIECE_PATH },
	{ "query",	PIECE_QUERY },
	{ "fields",	PIECE_FIELDS },
	{ "secret",	PIECE_SECRET },
	{ "time",	PIECE_TIME },
};
#define NNAMES	(sizeof(names) / sizeof(names[0]))

static const struct {
	struct str	 prefix;
	enum place_kind	 kind;
} places[] = {
	{ { "header:", 7 },	PLACE_HEADER },
	{ { "query:", 6 },	PLACE_QUERY },
	{ { "field:", 6 },	PLACE_FIELD },
	{ { "body:", 5 },	PLACE_BODY },
};
#define NPLACES	(sizeof(places) / sizeof(places[0]))

/* --- places ------------------------------------------------------------------ */

static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz",
		    s.p[i]) == NULL || s.p[i] == '\0')
			return false;
	return s.n > 0;
}

int
place_read(struct place *place, struct str text, struct arena *a, struct err *e)
{
	struct str name = STR_NONE;
	char *p;

	for (size_t i = 0; i < NPLACES && name.p == NULL; i++)
		if (str_starts(text, places[i].prefix)) {
			place->kind = places[i].kind;
			name = str_skip(text, places[i].prefix.n);
		}
	if (name.p == NULL)
		return err_set(e, ERR_CONF, "\"%.*s\" is no place: it begins with "
		    "\"header:\", \"query:\", \"field:\" or \"body:\"",
		    STR_ARG(text));
	if (name.n == 0)
		return err_set(e, ERR_CONF, "\"%.*s\" names nothing",
		    STR_ARG(text));
	if ((p = arena_bytes(a, name.n + 1)) == NULL)
		return err_set(e, ERR_CONF, "the file is too large");
	memcpy(p, name.p, name.n);
	p[name.n] = '\0';
	place->name = (struct str){ p, name.n };
	place->written = arena_str(a, name);
	if (place->written.p == NULL)
		return err_set(e, ERR_CONF, "the file is too large");
	if (place->kind != PLACE_HEADER)
		return 0;
	for (size_t i = 0; i < name.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
	if (!is_token(place->name))
		return err_set(e, ERR_CONF, "\"%.*s\" is no name of a header",
		    STR_ARG(name));
	if (strchr(p, '_') != NULL)
		return err_set(e, ERR_CONF, "\"%.*s\": web servers drop headers "
		    "with \"_\" in their names", STR_ARG(name));
	return 0;
}

bool
place_eq(const struct place *a, const struct place *b)
{
	return a->kind == b->kind && str_eq(a->name, b->name);
}

static enum place_found
body_get(const struct place *place, struct request *q, struct str *value,
    enum json_kind *kind)
{
	enum json_kind k;

	if (q->body.n == 0 || !request_json(q))
		return PLACE_ABSENT;
	k = json_find(q->body, place->name, value);
	if (kind != NULL)
		*kind = k;
	switch (k) {
	case JSON_STRING:
		if (memchr(value->p, '\\', value->n) != NULL)
			*value = json_unescape(q->arena, *value);
		return value->p != NULL ? PLACE_FOUND : PLACE_ABSENT;
	case JSON_NUMBER:
	case JSON_BOOL:
		return PLACE_FOUND;
	case JSON_NONE:
	case JSON_NULL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	*value = STR_NONE;
	return PLACE_ABSENT;
}

enum place_found
place_get(const struct place *place, struct request *q, struct str *value,
    enum json_kind *kind)
{
	size_t count = 0;

	*value = STR_NONE;
	if (kind != NULL)
		*kind = JSON_STRING;
	switch (place->kind) {
	case PLACE_HEADER:
		*value = request_header(q, place->name, &count);
		break;
	case PLACE_QUERY:
		*value = request_query(q, place->name, &count);
		break;
	case PLACE_FIELD:
		*value = request_field(q, place->name, &count);
		break;
	case PLACE_BODY:
		return body_get(place, q, value, kind);
	}
	if (count > 1)
		return PLACE_DOUBLED;
	/* An empty header is none: so do senders without a secret send theirs. */
	if (count == 0 || (place->kind == PLACE_HEADER && value->n == 0))
		return PLACE_ABSENT;
	return PLACE_FOUND;
}

/* --- compiling ---------------------------------------------------------------- */

struct nearest {
	struct str	 word;
	const char	*found;
	size_t		 distance;
};

static void
consider(struct nearest *n, const char *candidate)
{
	size_t d = str_distance(n->word, str_of(candidate));

	if (d < n->distance) {
		n->distance = d;
		n->found = candidate;
	}
}

static int
unknown_name(struct str word, const struct vocabulary *v, struct err *e)
{
	struct nearest n = { word, NULL, word.n < 4 ? 2 : 3 };
	char capture[64];

	for (size_t i = 0; i < NNAMES; i++)
		consider(&n, names[i].name);
	for (size_t i = 0; i < NFUNCTIONS; i++)
		consider(&n, functions[i].name);
	for (size_t i = 0; i < PARAM_COUNT; i++)
		consider(&n, hook_param_names[i]);
	for (size_t i = 0; i < v->ncaptures; i++)
		if (v->captures[i].n < sizeof(capture) &&
		    str_distance(word, v->captures[i]) < n.distance) {
			memcpy(capture, v->captures[i].p, v->captures[i].n);
			capture[v->captures[i].n] = '\0';
			n.found = capture;
			n.distance = str_distance(word, v->captures[i]);
		}
	if (n.found == NULL)
		return err_set(e, ERR_CONF, "unknown name {%.*s} in a template",
		    STR_ARG(word));
	return err_set(e, ERR_CONF, "unknown name {%.*s} in a template; did you "
	    "mean {%s}?", STR_ARG(word), n.found);
}

static int
read_name(struct piece *p, struct str word, const struct vocabulary *v,
    struct arena *a, struct err *e)
{
	if (str_ends(word, STR("?"))) {
		p->optional = true;
		word.n--;
	}
	if (str_find(word, ':') != -1) {
		p->op = PIECE_PLACE;
		return place_read(&p->place, word, a, e);
	}
	if (p->optional)
		return err_set(e, ERR_CONF, "{%.*s?}: only a place may be absent",
		    STR_ARG(word));
	for (size_t i = 0; i < NNAMES; i++) {
		if (!str_eq(word, str_of(names[i].name)))
			continue;
		p->op = names[i].op;
		if (p->op == PIECE_SECRET && !v->secret)
			return err_set(e, ERR_CONF, "{secret} may only stand in "
			    "what a plain hash signs");
		if (p->op == PIECE_TIME && !v->time)
			return err_set(e, ERR_CONF, "{time} is not known here: "
			    "\"time\" does not say where it is");
		return 0;
	}
	for (size_t i = 0; i < v->ncaptures; i++)
		if (str_eq(word, v->captures[i])) {
			p->op = PIECE_CAPTURE;
			p->index = (unsigned)i;
			return 0;
		}
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if (str_eq(word, str_of(hook_param_names[i]))) {
			p->op = PIECE_PARAM;
			p->index = i;
			return 0;
		}
	return unknown_name(word, v, e);
}

/* What stands between a pair of braces. */
static int
read_braces(struct piece *p, struct str word, const struct vocabulary *v,
    struct arena *a, struct err *e)
{
	ptrdiff_t paren = str_find(word, '(');

	*p = (struct piece){ .op = PIECE_TEXT };
	if (paren > 0 && str_ends(word, STR(")"))) {
		struct str name = str_head(word, (size_t)paren);

		for (size_t i = 0; i < NFUNCTIONS; i++)
			if (str_eq(name, str_of(functions[i].name)))
				p->function = &functions[i];
		if (p->function == NULL)
			return unknown_name(name, v, e);
		if (p->function->kind == FN_MAC && !v->keyed)
			return err_set(e, ERR_CONF, "{%.*s}: there is no key here "
			    "to compute it with", STR_ARG(word));
		word = str_skip(word, name.n + 1);
		word.n--;
	}
	return read_name(p, word, v, a, e);
}

static int
add_text(struct piece *p, struct str raw, struct arena *a, struct err *e)
{
	char *out = arena_bytes(a, raw.n + 1);
	size_t n = 0;

	if (out == NULL)
		return err_set(e, ERR_CONF, "the file is too large");
	for (size_t i = 0; i < raw.n; i++) {
		out[n++] = raw.p[i];
		if (raw.p[i] == '{' || raw.p[i] == '}')
			i++;			/* the second of "{{" */
	}
	*p = (struct piece){ .op = PIECE_TEXT, .text = { out, n } };
	return 0;
}

/* How much of text is literal: up to a brace that is not doubled. */
static size_t
literal_length(struct str text)
{
	size_t i = 0;

	while (i < text.n) {
		char c = text.p[i];

		if (c == '{' || c == '}') {
			if (i + 1 == text.n || text.p[i + 1] != c)
				break;
			i++;
		}
		i++;
	}
	return i;
}

int
template_read(struct template *t, struct str text, const struct vocabulary *v,
    struct arena *a, struct err *e)
{
	struct piece pieces[PIECES_MAX];
	size_t n = 0;

	while (text.n > 0) {
		size_t len = literal_length(text);
		ptrdiff_t end;

		if (n == PIECES_MAX)
			return err_set(e, ERR_CONF, "a template of more than %d "
			    "pieces", PIECES_MAX);
		if (len > 0) {
			if (add_text(&pieces[n++], str_head(text, len), a, e) != 0)
				return -1;
			text = str_skip(text, len);
			continue;
		}
		if (text.p[0] == '}' || (end = str_find(text, '}')) == -1)
			return err_set(e, ERR_CONF, "a brace without its partner; "
			    "a brace itself is written twice");
		if (read_braces(&pieces[n++], str_skip(str_head(text,
		    (size_t)end), 1), v, a, e) != 0)
			return -1;
		text = str_skip(text, (size_t)end + 1);
	}
	*t = (struct template){ .n = n };
	t->pieces = arena_alloc(a, (n + 1) * sizeof(*t->pieces));
	if (t->pieces == NULL)
		return err_set(e, ERR_CONF, "the file is too large");
	memcpy(t->pieces, pieces, n * sizeof(*pieces));
	return 0;
}

/* --- expanding ----------------------------------------------------------------- */

/* The hook's public URL up to '?', then the request's own query as it was sent. */
static struct str
full_url(const struct scope *s)
{
	struct str rest = s->params[PARAM_URL], own;

	if (rest.p == NULL)
		return STR_NONE;
	own = str_cut(&rest, '?');
	rest = str_skip(s->q->target, s->q->path.n);
	if (rest.n == 0)
		return own;
	return arena_printf(s->q->arena, "%.*s%.*s", STR_ARG(own), STR_ARG(rest));
}

static int
pair_cmp(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int c = str_cmp(x->name, y->name);

	return c != 0 ? c : str_cmp(x->value, y->value);
}

/*
 * All fields sorted by name, then value, without anything between; equal pairs
 * count once (Twilio signs the distinct values of a name).  A body that is not
 * empty and not a form has fields that nobody signed: it has none, not zero.
 */
static struct str
sorted_fields(struct request *q)
{
	struct pair *pairs, *sorted;
	size_t n, total = 0, at = 0;
	char *out;

	if (q->body.n == 0)
		return STR("");
	if (request_fields(q, &pairs, &n) != 0 || q->has_files)
		return STR_NONE;
	sorted = arena_alloc(q->arena, (n + 1) * sizeof(*sorted));
	for (size_t i = 0; i < n; i++)
		total += pairs[i].name.n + pairs[i].value.n;
	out = arena_bytes(q->arena, total + 1);
	if (sorted == NULL || out == NULL)
		return STR_NONE;
	if (n > 0) {
		memcpy(sorted, pairs, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), pair_cmp);
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && pair_cmp(&sorted[i - 1], &sorted[i]) == 0)
			continue;
		if (sorted[i].name.n > 0)
			memcpy(out + at, sorted[i].name.p, sorted[i].name.n);
		at += sorted[i].name.n;
		if (sorted[i].value.n > 0)
			memcpy(out + at, sorted[i].value.p, sorted[i].value.n);
		at += sorted[i].value.n;
	}
	return (struct str){ out, at };
}

static struct str
lower_of(struct arena *a, struct str s)
{
	char *p = arena_bytes(a, s.n + 1);

	for (size_t i = 0; p != NULL && i < s.n; i++)
		p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ?
		    (char)(s.p[i] - 'A' + 'a') : s.p[i];
	return (struct str){ p, s.n };
}

static struct str
apply(const struct function *f, const struct scope *s, struct str value)
{
	unsigned char out[HASH_MAX];
	struct str digest = { (const char *)out, hash_size(f->hash) };
	struct mac *m;
	bool ok;

	switch (f->kind) {
	case FN_LOWER:
		return lower_of(s->q->arena, value);
	case FN_HASH:
		ok = hash_pieces(f->hash, &value, 1, out);
		break;
	case FN_MAC:
		if (s->key.p == NULL || (m = mac_new(f->hash, s->key)) == NULL)
			return STR_NONE;
		ok = mac_pieces(m, &value, 1, out);
		mac_free(m);
		break;
	default:
		ok = false;
	}
	if (!ok)
		return STR_NONE;
	return f->base64 ? base64_encode(s->q->arena, digest) :
	    hex_encode(s->q->arena, digest, false);
}

static struct str
raw_value(const struct piece *p, const struct scope *s)
{
	struct str value = STR_NONE;

	switch (p->op) {
	case PIECE_TEXT:
		return p->text;
	case PIECE_BODY:
		return s->q->body.p != NULL ? s->q->body : STR("");
	case PIECE_METHOD:
		return s->q->method;
	case PIECE_URL:
		return full_url(s);
	case PIECE_PATH:
		return s->q->path;
	case PIECE_QUERY:
		return s->q->query.p != NULL ? s->q->query : STR("");
	case PIECE_FIELDS:
		return sorted_fields(s->q);
	case PIECE_SECRET:
		return s->secret;
	case PIECE_TIME:
		return s->time;
	case PIECE_CAPTURE:
		return s->captures[p->index];
	case PIECE_PARAM:
		return s->params[p->index];
	case PIECE_PLACE:
		if (place_get(&p->place, s->q, &value, NULL) != PLACE_FOUND)
			return STR_NONE;
		return value;
	}
	return STR_NONE;
}

/* Into a JSON string: what is echoed is printable ASCII, so two bytes matter. */
static struct str
escaped(struct arena *a, struct str s)
{
	char *p = arena_bytes(a, 2 * s.n + 1);
	size_t n = 0;

	if (p == NULL || (s.n > 0 && !str_printable(s)))
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			p[n++] = '\\';
		p[n++] = s.p[i];
	}
	return (struct str){ p, n };
}

bool
template_pieces(const struct template *t, const struct scope *s,
    struct str *pieces, const struct piece **missing)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct piece *p = &t->pieces[i];
		struct str value = raw_value(p, s);

		if (value.p == NULL && p->optional)
			value = STR("");
		if (value.p != NULL && p->function != NULL)
			value = apply(p->function, s, value);
		if (value.p != NULL && t->json && p->op != PIECE_TEXT)
			value = escaped(s->q->arena, value);
		if (value.p == NULL) {
			if (missing != NULL)
				*missing = p;
			return false;
		}
		pieces[i] = value;
	}
	return true;
}

struct str
template_text(const struct template *t, const struct scope *s)
{
	struct arena *a = s->q->arena;
	struct str *pieces = arena_alloc(a, (t->n + 1) * sizeof(*pieces));
	size_t total = 0, at = 0;
	char *out;

	if (pieces == NULL || !template_pieces(t, s, pieces, NULL))
		return STR_NONE;
	if (t->n == 1)
		return pieces[0];
	for (size_t i = 0; i < t->n; i++)
		total += pieces[i].n;
	if ((out = arena_bytes(a, total + 1)) == NULL)
		return STR_NONE;
	for (size_t i = 0; i < t->n; i++) {
		if (pieces[i].n > 0)
			memcpy(out + at, pieces[i].p, pieces[i].n);
		at += pieces[i].n;
	}
	return (struct str){ out, at };
}

bool
template_is_word(struct str name)
{
	for (size_t i = 0; i < NNAMES; i++)
		if (str_eq(name, str_of(names[i].name)))
			return true;
	return false;
}

/* --- asking ------------------------------------------------------------------- */

bool
template_has(const struct template *t, enum piece_op op)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->pieces[i].op == op)
			return true;
	return false;
}

bool
template_has_place(const struct template *t, const struct place *place)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->pieces[i].op == PIECE_PLACE &&
		    place_eq(&t->pieces[i].place, place))
			return true;
	return false;
}

bool
template_uses_param(const struct template *t, enum hook_param param)
{
	for (size_t i = 0; i < t->n; i++)
		if ((t->pieces[i].op == PIECE_PARAM &&
		    t->pieces[i].index == (unsigned)param) ||
		    (t->pieces[i].op == PIECE_URL && param == PARAM_URL))
			return true;
	return false;
}

bool
template_keyed(const struct template *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->pieces[i].function != NULL &&
		    t->pieces[i].function->kind == FN_MAC)
			return true;
	return false;
}

bool
template_echoes(const struct template *t)
{
	for (size_t i = 0; i < t->n; i++)
		switch (t->pieces[i].op) {
		case PIECE_TEXT:
		case PIECE_PARAM:
		case PIECE_SECRET:
			break;
		default:
			return true;
		}
	return false;
}
