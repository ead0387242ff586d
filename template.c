/*
 * template.c - see template.h.
 */
#include <stdlib.h>
#include <string.h>

#include "auth_cipher.h"
#include "base/codec.h"
#include "template.h"

#define PIECES_MAX	64
#define ARGS_MAX	8
#define STEPS_MAX	6
#define NESTING_MAX	4

/* --- the words -------------------------------------------------------------- */

enum function_kind {
	FN_HASH, FN_MAC, FN_LOWER, FN_UPPER, FN_CRC32, FN_LENGTH, FN_JSONSTRING,
	FN_ENCODEURI, FN_ENCODEURICOMPONENT, FN_SOURCE
};

enum written { AS_HEX, AS_BASE64, AS_BASE64URL };

struct function {
	const char	*name;
	enum function_kind kind;
	enum hash	 hash;		/* of hashes and MACs ... */
	enum written	 written;	/* ... and how their bytes are */
};

static const struct function functions[] = {
	{ "sha1hex",		FN_HASH,	HASH_SHA1,	AS_HEX },
	{ "sha256hex",		FN_HASH,	HASH_SHA256,	AS_HEX },
	{ "sha384hex",		FN_HASH,	HASH_SHA384,	AS_HEX },
	{ "sha512hex",		FN_HASH,	HASH_SHA512,	AS_HEX },
	{ "sha256base64",	FN_HASH,	HASH_SHA256,	AS_BASE64 },
	{ "sha256base64url",	FN_HASH,	HASH_SHA256,	AS_BASE64URL },
	{ "hmac-sha1-hex",	FN_MAC,		HASH_SHA1,	AS_HEX },
	{ "hmac-sha1-base64",	FN_MAC,		HASH_SHA1,	AS_BASE64 },
	{ "hmac-sha256-hex",	FN_MAC,		HASH_SHA256,	AS_HEX },
	{ "hmac-sha256-base64",	FN_MAC,		HASH_SHA256,	AS_BASE64 },
	{ "hmac-sha512-hex",	FN_MAC,		HASH_SHA512,	AS_HEX },
	{ "hmac-sha512-base64",	FN_MAC,		HASH_SHA512,	AS_BASE64 },
	{ "lower",		FN_LOWER,	0,		0 },
	{ "upper",		FN_UPPER,	0,		0 },
	{ "crc32",		FN_CRC32,	0,		0 },
	{ "length",		FN_LENGTH,	0,		0 },
	{ "jsonstring",		FN_JSONSTRING,	0,		0 },
	{ "encodeuri",		FN_ENCODEURI,	0,		0 },
	{ "encodeuricomponent",	FN_ENCODEURICOMPONENT, 0,	0 },
	{ "source",		FN_SOURCE,	0,		0 },
};
#define NFUNCTIONS	(sizeof(functions) / sizeof(functions[0]))

static const struct {
	const char	*name;
	enum piece_op	 op;
} names[] = {
	{ "body",	PIECE_BODY },
	{ "method",	PIECE_METHOD },
	{ "url",	PIECE_URL },
	{ "url-alone",	PIECE_URL_ALONE },
	{ "path",	PIECE_PATH },
	{ "query",	PIECE_QUERY },
	{ "fields",	PIECE_FIELDS },
	{ "secret",	PIECE_SECRET },
	{ "time",	PIECE_TIME },
	{ "now",	PIECE_NOW },
	{ "count",	PIECE_COUNT },
	{ "name",	PIECE_NAME },
	{ "value",	PIECE_VALUE },
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
	{ { "token:", 6 },	PLACE_TOKEN },
	{ { "claim:", 6 },	PLACE_CLAIM },
	{ { "item:", 5 },	PLACE_ITEM },
};
#define NPLACES	(sizeof(places) / sizeof(places[0]))

static int
too_large(struct err *e)
{
	return err_set(e, ERR_CONF, "the file is too large");
}

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

/* The part before "->", and *rest becomes what follows it. */
static struct str
cut_step(struct str *rest)
{
	const char *arrow = memmem(rest->p, rest->n, "->", 2);
	struct str part = *rest;

	if (arrow == NULL) {
		*rest = STR_NONE;
		return part;
	}
	part.n = (size_t)(arrow - part.p);
	*rest = str_skip(*rest, part.n + 2);
	return part;
}

static int
read_steps(struct place *place, struct str rest, struct arena *a, struct err *e)
{
	struct step steps[STEPS_MAX];

	while (rest.p != NULL) {
		struct str word = cut_step(&rest);
		struct step *s = &steps[place->nsteps];

		if (word.n == 0)
			return err_set(e, ERR_CONF, "\"->\" leads nowhere");
		if (place->nsteps == STEPS_MAX)
			return err_set(e, ERR_CONF, "more than %d \"->\"",
			    STEPS_MAX);
		*s = (struct step){ .kind = STEP_JSON };
		if (str_eq(word, STR("base64")))
			s->kind = STEP_BASE64;
		else if (str_eq(word, STR("base64url")))
			s->kind = STEP_BASE64URL;
		else if (str_eq(word, STR("aes-256-cbc")))
			s->kind = STEP_DECRYPT;
		else if ((s->path = arena_str(a, word)).p == NULL)
			return too_large(e);
		place->nsteps++;
	}
	place->steps = arena_alloc(a, (place->nsteps + 1) * sizeof(*steps));
	if (place->steps == NULL)
		return too_large(e);
	memcpy(place->steps, steps, place->nsteps * sizeof(*steps));
	return 0;
}

static int
read_header_name(struct place *place, char *p, struct err *e)
{
	for (size_t i = 0; i < place->name.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
	if (!is_token(place->name))
		return err_set(e, ERR_CONF, "\"%.*s\" is no name of a header",
		    STR_ARG(place->written));
	if (strchr(p, '_') != NULL)
		return err_set(e, ERR_CONF, "\"%.*s\": web servers drop headers "
		    "with \"_\" in their names", STR_ARG(place->written));
	return 0;
}

int
place_read(struct place *place, struct str text, struct arena *a, struct err *e)
{
	struct str name = STR_NONE, rest;
	char *p;

	*place = (struct place){ .nsteps = 0 };
	for (size_t i = 0; i < NPLACES && name.p == NULL; i++)
		if (str_starts(text, places[i].prefix)) {
			place->kind = places[i].kind;
			name = str_skip(text, places[i].prefix.n);
		}
	if (name.p == NULL)
		return err_set(e, ERR_CONF, "\"%.*s\" is no place: it begins with "
		    "\"header:\", \"query:\", \"field:\", \"body:\", \"token:\", "
		    "\"claim:\" or \"item:\"", STR_ARG(text));
	rest = name;
	name = cut_step(&rest);
	if (name.n == 0)
		return err_set(e, ERR_CONF, "\"%.*s\" names nothing",
		    STR_ARG(text));
	if ((p = arena_bytes(a, name.n + 1)) == NULL ||
	    (place->written = arena_str(a, name)).p == NULL)
		return too_large(e);
	memcpy(p, name.p, name.n);
	p[name.n] = '\0';
	place->name = (struct str){ p, name.n };
	if (place->kind == PLACE_HEADER && read_header_name(place, p, e) != 0)
		return -1;
	return read_steps(place, rest, a, e);
}

struct str
place_prefix(const struct place *p)
{
	for (size_t i = 0; i < NPLACES; i++)
		if (places[i].kind == p->kind)
			return places[i].prefix;
	return STR("");
}

bool
place_eq(const struct place *a, const struct place *b)
{
	if (a->kind != b->kind || !str_eq(a->name, b->name) ||
	    a->nsteps != b->nsteps)
		return false;
	for (size_t i = 0; i < a->nsteps; i++)
		if (a->steps[i].kind != b->steps[i].kind ||
		    !str_eq(a->steps[i].path, b->steps[i].path))
			return false;
	return true;
}

bool
place_leads(const struct place *outer, const struct place *other)
{
	struct place head = *other;

	if (head.nsteps > outer->nsteps)
		head.nsteps = outer->nsteps;
	return place_eq(outer, &head);
}

/* The JSON text that a place of these kinds leads into; STR_NONE: none. */
static struct str
json_of(const struct place *place, struct request *q)
{
	switch (place->kind) {
	case PLACE_TOKEN:
		return q->token;
	case PLACE_CLAIM:
		return q->claims;
	case PLACE_ITEM:
		return q->item;
	case PLACE_BODY:
		return q->body.n > 0 && request_json(q) ? q->body : STR_NONE;
	case PLACE_HEADER:
	case PLACE_QUERY:
	case PLACE_FIELD:
		break;
	}
	return STR_NONE;
}

/* A value that JSON has, as text. */
static enum place_found
as_text(struct request *q, enum json_kind kind, struct str *value)
{
	switch (kind) {
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

static struct str
decoded(struct request *q, struct str text, bool url)
{
	size_t room = BASE64_ROOM(text.n), n;
	char *out = arena_bytes(q->arena, room + 1);

	if (out == NULL || !(url ? base64url_decode(text, out, room, &n) :
	    base64_decode(text, out, room, &n)))
		return STR_NONE;
	return (struct str){ out, n };
}

/* One step on from *value; *kind becomes what JSON says it is. */
static enum place_found
take_step(const struct step *s, struct request *q, struct str *value,
    enum json_kind *kind)
{
	struct str text = *value;

	*kind = JSON_STRING;
	switch (s->kind) {
	case STEP_JSON:
		if (json_scan(text, q->json, NULL) != JSON_OK)
			break;
		*kind = json_find(text, s->path, value);
		return as_text(q, *kind, value);
	case STEP_BASE64:
	case STEP_BASE64URL:
		*value = decoded(q, text, s->kind == STEP_BASE64URL);
		return value->p != NULL ? PLACE_FOUND : PLACE_ABSENT;
	case STEP_DECRYPT:
		*value = cipher_open(q->arena, q->key, text);
		return value->p != NULL ? PLACE_FOUND : PLACE_ABSENT;
	}
	*value = STR_NONE;
	*kind = JSON_NONE;
	return PLACE_ABSENT;
}

static enum place_found
first_value(const struct place *place, struct request *q, struct str *value,
    enum json_kind *kind)
{
	struct str json;
	size_t count = 0;

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
		if (str_eq(place->name, STR("."))) {
			*value = q->body;
			return q->body.n > 0 ? PLACE_FOUND : PLACE_ABSENT;
		}
		/* fall through */
	case PLACE_TOKEN:
	case PLACE_CLAIM:
	case PLACE_ITEM:
		json = json_of(place, q);
		*kind = json.p == NULL ? JSON_NONE :
		    json_find(json, place->name, value);
		return as_text(q, *kind, value);
	}
	if (count > 1)
		return PLACE_DOUBLED;
	/* An empty header is none: so do senders without a secret send theirs. */
	if (count == 0 || (place->kind == PLACE_HEADER && value->n == 0))
		return PLACE_ABSENT;
	return PLACE_FOUND;
}

enum place_found
place_get(const struct place *place, struct request *q, struct str *value,
    enum json_kind *kind)
{
	enum json_kind here = JSON_STRING;
	enum place_found found;

	*value = STR_NONE;
	found = first_value(place, q, value, &here);
	for (size_t i = 0; found == PLACE_FOUND && i < place->nsteps; i++)
		found = take_step(&place->steps[i], q, value, &here);
	if (kind != NULL)
		*kind = here;
	return found;
}

enum json_kind
place_source(const struct place *place, struct request *q, struct str *raw)
{
	struct str json = json_of(place, q);
	enum json_kind kind = json.p == NULL || place->nsteps > 0 ? JSON_NONE :
	    json_find(json, place->name, raw);

	if (kind == JSON_STRING) {
		raw->p--;		/* its quotes */
		raw->n += 2;
	}
	return kind;
}

bool
place_there(const struct place *place, struct request *q)
{
	struct str json = json_of(place, q);

	return json.p != NULL && place->nsteps == 0 && json_has(json, place->name);
}

/* Of JSON: is something there that is no text, or twice? */
static bool
is_unclear(struct str json, struct str path)
{
	struct str raw;

	switch (json_find(json, path, &raw)) {
	case JSON_NONE:
		return json_has(json, path);
	case JSON_ARRAY:
	case JSON_OBJECT:
		return true;
	default:
		return false;
	}
}

/* Not JSON to us, too deep or badly written, and perhaps JSON to others. */
static bool
looks_like_json(struct str s)
{
	if (str_starts(s, STR("\xef\xbb\xbf")))
		s = str_skip(s, 3);
	while (s.n > 0 && (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r')))
		s = str_skip(s, 1);
	return s.n > 0 && (s.p[0] == '{' || s.p[0] == '[');
}

/*
 * More fields than are looked at, a form or JSON that is none: nobody knows what is
 * there.
 */
static bool
is_unread(const struct place *place, struct request *q)
{
	struct pair *pairs;
	size_t n;

	switch (place->kind) {
	case PLACE_BODY:
		return looks_like_json(q->body) && !request_json(q);
	case PLACE_QUERY:
		return request_queries(q, &pairs, &n) != 0;
	case PLACE_FIELD:
		return (request_body_kind(q) & (BODY_FORM | BODY_MULTIPART)) != 0 &&
		    request_fields(q, &pairs, &n) != 0;
	default:
		return false;
	}
}

bool
place_unclear(const struct place *place, struct request *q)
{
	struct str json = json_of(place, q), value = STR_NONE, text;
	enum json_kind kind = JSON_STRING;

	if (is_unread(place, q))
		return true;
	switch (first_value(place, q, &value, &kind)) {
	case PLACE_DOUBLED:
		return true;
	case PLACE_ABSENT:
		return json.p != NULL && is_unclear(json, place->name);
	case PLACE_FOUND:
		break;
	}
	for (size_t i = 0; i < place->nsteps; i++) {
		const struct step *s = &place->steps[i];

		text = value;
		if (take_step(s, q, &value, &kind) == PLACE_FOUND)
			continue;
		/* It leads into what is there: that lacks it, or it cannot be read. */
		return s->kind != STEP_JSON ||
		    json_scan(text, q->json, NULL) != JSON_OK ||
		    is_unclear(text, s->path);
	}
	return false;
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

/* Names that mean something only in some templates. */
static int
check_name(enum piece_op op, const struct vocabulary *v, struct err *e)
{
	switch (op) {
	case PIECE_SECRET:
		return v->secret ? 0 : err_set(e, ERR_CONF, "{secret} may only "
		    "stand in what a plain hash signs");
	case PIECE_TIME:
		return v->time ? 0 : err_set(e, ERR_CONF, "{time} is not known "
		    "here: \"time\" does not say where it is");
	case PIECE_NOW:
		return v->now ? 0 : err_set(e, ERR_CONF,
		    "{now} may only stand in an answer");
	case PIECE_COUNT:
		return v->npairs > 0 ? 0 : err_set(e, ERR_CONF, "{count} is not "
		    "known here: there are no \"pairs\"");
	case PIECE_NAME:
	case PIECE_VALUE:
		return v->pair ? 0 : err_set(e, ERR_CONF, "{name} and {value} may "
		    "only stand in the \"each\" of \"pairs\"");
	default:
		return 0;
	}
}

static int
read_name(struct piece *p, struct str word, const struct vocabulary *v,
    struct arena *a, struct err *e)
{
	if (str_find(word, ':') != -1) {
		if (str_ends(word, STR("?"))) {
			p->optional = true;
			word.n--;
		}
		p->op = PIECE_PLACE;
		return place_read(&p->place, word, a, e);
	}
	if (str_ends(word, STR("?")))
		return err_set(e, ERR_CONF, "{%.*s}: only a place may be absent",
		    STR_ARG(word));
	for (size_t i = 0; i < NNAMES; i++)
		if (str_eq(word, str_of(names[i].name))) {
			p->op = names[i].op;
			return check_name(p->op, v, e);
		}
	for (size_t i = 0; i < v->npairs; i++)
		if (str_eq(word, v->pairs[i].as)) {
			p->op = PIECE_PAIRS;
			p->index = (unsigned)i;
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

/* The next argument: up to a comma that stands in no quotes and no parentheses. */
static struct str
cut_arg(struct str *rest)
{
	struct str arg = *rest;
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < rest->n; i++) {
		char c = rest->p[i];

		quoted ^= c == '"';
		depth += !quoted && c == '(';
		depth -= !quoted && c == ')' && depth > 0;
		if (c == ',' && !quoted && depth == 0) {
			arg.n = i;
			*rest = str_skip(*rest, i + 1);
			return arg;
		}
	}
	*rest = STR_NONE;
	return arg;
}

static int	read_value(struct piece *, struct str, const struct vocabulary *,
		    unsigned depth, struct arena *, struct err *);

static int
read_call(struct piece *p, struct str name, struct str rest,
    const struct vocabulary *v, unsigned depth, struct arena *a, struct err *e)
{
	p->op = PIECE_CALL;
	for (size_t i = 0; i < NFUNCTIONS; i++)
		if (str_eq(name, str_of(functions[i].name)))
			p->function = &functions[i];
	if (p->function == NULL)
		return unknown_name(name, v, e);
	if (p->function->kind == FN_MAC && !v->keyed)
		return err_set(e, ERR_CONF, "{%.*s(...)}: there is no key here "
		    "to compute it with", STR_ARG(name));
	if (depth == NESTING_MAX)
		return err_set(e, ERR_CONF, "{%.*s(...)}: nested too deep",
		    STR_ARG(name));
	if ((p->args = arena_alloc(a, ARGS_MAX * sizeof(*p->args))) == NULL)
		return too_large(e);
	while (rest.p != NULL) {
		if (p->nargs == ARGS_MAX)
			return err_set(e, ERR_CONF, "{%.*s(...)}: more than %d "
			    "arguments", STR_ARG(name), ARGS_MAX);
		if (read_value(&p->args[p->nargs++], str_trim(cut_arg(&rest)), v,
		    depth + 1, a, e) != 0)
			return -1;
	}
	if (p->nargs > 1 && p->function->kind != FN_HASH &&
	    p->function->kind != FN_MAC)
		return err_set(e, ERR_CONF, "{%.*s(...)} takes one argument",
		    STR_ARG(name));
	if (p->function->kind == FN_SOURCE && (p->args[0].op != PIECE_PLACE ||
	    p->args[0].place.kind < PLACE_BODY || p->args[0].place.nsteps > 0))
		return err_set(e, ERR_CONF, "{source(...)} takes a place in JSON");
	return 0;
}

/* A name, a place, a function of some, or a text in quotes. */
static int
read_value(struct piece *p, struct str word, const struct vocabulary *v,
    unsigned depth, struct arena *a, struct err *e)
{
	ptrdiff_t paren = str_find(word, '('), quote = str_find(word, '"');

	*p = (struct piece){ .op = PIECE_TEXT };
	if (depth > 0 && word.n >= 2 && quote == 0 && str_ends(word, STR("\""))) {
		p->text = arena_str(a, str_skip(str_head(word, word.n - 1), 1));
		return p->text.p != NULL ? 0 : too_large(e);
	}
	if (paren > 0 && str_ends(word, STR(")")) && (quote == -1 || quote > paren))
		return read_call(p, str_head(word, (size_t)paren),
		    str_skip(str_head(word, word.n - 1), (size_t)paren + 1), v,
		    depth, a, e);
	return read_name(p, word, v, a, e);
}

/* What stands between a pair of braces: a value, or "before|value|after". */
static int
read_braces(struct piece *p, struct str word, const struct vocabulary *v,
    struct arena *a, struct err *e)
{
	struct str rest = word, before = str_cut(&rest, '|'), value, after;

	if (rest.p == NULL)
		return read_value(p, word, v, 0, a, e);
	after = rest;
	value = str_cut(&after, '|');
	if (after.p == NULL || str_find(after, '|') != -1)
		return err_set(e, ERR_CONF, "{%.*s}: text that goes with a value is "
		    "written {before|value|after}", STR_ARG(word));
	if (read_value(p, value, v, 0, a, e) != 0)
		return -1;
	p->optional = p->segment = true;
	p->before = arena_str(a, before);
	p->after = arena_str(a, after);
	return p->before.p != NULL && p->after.p != NULL ? 0 : too_large(e);
}

static int
add_text(struct piece *p, struct str raw, struct arena *a, struct err *e)
{
	char *out = arena_bytes(a, raw.n + 1);
	size_t n = 0;

	if (out == NULL)
		return too_large(e);
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
		return too_large(e);
	memcpy(t->pieces, pieces, n * sizeof(*pieces));
	return 0;
}

/* --- values of the whole request -------------------------------------------------- */

/* The hook's public URL up to '?'. */
static struct str
url_alone(const struct scope *s)
{
	struct str rest = s->params[PARAM_URL].n > 0 ?
	    s->params[PARAM_URL].v[0] : STR_NONE;

	return rest.p == NULL ? STR_NONE : str_cut(&rest, '?');
}

/* The same, then the request's own query as it was sent. */
static struct str
full_url(const struct scope *s)
{
	struct str own = url_alone(s), rest;

	rest = str_skip(s->q->target, s->q->path.n);
	if (own.p == NULL || rest.n == 0)
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

static struct str	joined(struct arena *, const struct str *, size_t);

/*
 * All fields sorted by name, then value, without anything between; equal pairs
 * count once (Twilio signs the distinct values of a name).  A body that is not
 * empty and not a form has fields that nobody signed: it has none, not zero.
 */
static struct str
sorted_fields(struct request *q)
{
	struct pair *pairs, *sorted;
	struct str *texts;
	size_t n, used = 0;

	if (q->body.n == 0)
		return STR("");
	if (request_fields(q, &pairs, &n) != 0 || q->has_files)
		return STR_NONE;
	sorted = arena_alloc(q->arena, (n + 1) * sizeof(*sorted));
	texts = arena_alloc(q->arena, (2 * n + 1) * sizeof(*texts));
	if (sorted == NULL || texts == NULL)
		return STR_NONE;
	if (n > 0) {
		memcpy(sorted, pairs, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), pair_cmp);
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && pair_cmp(&sorted[i - 1], &sorted[i]) == 0)
			continue;
		texts[used++] = sorted[i].name;
		texts[used++] = sorted[i].value;
	}
	return joined(q->arena, texts, used);
}

/* --- pairs ------------------------------------------------------------------------ */

static bool
is_excepted(const struct pairs *rule, struct str name)
{
	for (size_t i = 0; i < rule->nexcept; i++)
		if (str_eq(rule->except[i], name))
			return true;
	return false;
}

/* The headers that a list names, in its order.  One that is not there: false. */
static bool
named_headers(const struct scope *s, const struct pairs *rule, struct pair **pairs,
    size_t *n)
{
	struct str list = template_text(&rule->named, s), rest;
	size_t most = 1;

	*n = 0;
	if (list.p == NULL)
		return false;
	for (size_t i = 0; i < list.n; i++)
		most += list.p[i] == rule->split;
	if (most > REQUEST_HEADERS_MAX ||
	    (*pairs = arena_alloc(s->q->arena, most * sizeof(**pairs))) == NULL)
		return false;
	for (rest = list; rest.p != NULL;) {
		struct str name = str_trim(str_cut(&rest, rule->split)), lower;
		char *p;

		if (name.n == 0)
			continue;
		lower = arena_str(s->q->arena, name);
		p = (char *)(uintptr_t)lower.p;	/* the arena's, and ours */
		for (size_t i = 0; p != NULL && i < lower.n; i++)
			if (p[i] >= 'A' && p[i] <= 'Z')
				p[i] = (char)(p[i] - 'A' + 'a');
		(*pairs)[*n].name = name;
		(*pairs)[*n].value = request_header(s->q, lower, NULL);
		if ((*pairs)[(*n)++].value.p == NULL)
			return false;
	}
	for (size_t i = 0; i < rule->nmust; i++) {
		bool named = false;

		for (size_t j = 0; j < *n; j++)
			named |= str_eq_nocase((*pairs)[j].name, rule->must[i]);
		if (!named)
			return false;
	}
	return true;
}

/* The pairs of the rule, sorted and chosen. */
static bool
rule_pairs(const struct scope *s, const struct pairs *rule, struct pair **out,
    size_t *n)
{
	struct pair *all = NULL, *kept;
	size_t total = 0;

	*n = 0;
	switch (rule->from) {
	case PAIRS_QUERY:
		if (request_queries(s->q, &all, &total) != 0)
			return false;
		break;
	case PAIRS_FIELDS:
		if (s->q->body.n > 0 && (request_fields(s->q, &all, &total) != 0 ||
		    s->q->has_files))
			return false;
		break;
	case PAIRS_HEADERS:
		if (!named_headers(s, rule, &all, &total))
			return false;
		break;
	}
	kept = arena_alloc(s->q->arena, (total + 1) * sizeof(*kept));
	if (kept == NULL)
		return false;
	for (size_t i = 0; i < total; i++)
		if (!is_excepted(rule, all[i].name))
			kept[(*n)++] = all[i];
	if (rule->sorted && *n > 1)
		qsort(kept, *n, sizeof(*kept), pair_cmp);
	for (size_t i = 1; rule->distinct && i < *n;)
		if (pair_cmp(&kept[i - 1], &kept[i]) == 0) {
			memmove(&kept[i], &kept[i + 1],
			    (*n - i - 1) * sizeof(*kept));
			(*n)--;
		} else
			i++;
	*out = kept;
	return true;
}

static struct str
count_text(const struct scope *s)
{
	struct pair *pairs;
	size_t n;

	if (!rule_pairs(s, s->pairs, &pairs, &n))
		return STR_NONE;
	return arena_printf(s->q->arena, "%zu", n);
}

static struct str
pairs_text(const struct scope *s, const struct pairs *rule)
{
	struct scope one = *s;
	struct str *texts;
	struct pair *pairs;
	size_t n, used = 0;

	if (!rule_pairs(s, rule, &pairs, &n) || (texts = arena_alloc(s->q->arena,
	    (2 * n + 1) * sizeof(*texts))) == NULL)
		return STR_NONE;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			texts[used++] = rule->join;
		one.name = pairs[i].name;
		one.value = pairs[i].value;
		texts[used] = template_text(&rule->each, &one);
		if (texts[used++].p == NULL)
			return STR_NONE;
	}
	return joined(s->q->arena, texts, used);
}

/* --- functions --------------------------------------------------------------------- */

static struct str
in_case(struct arena *a, struct str s, bool upper)
{
	char first = upper ? 'a' : 'A', last = upper ? 'z' : 'Z';
	char *p = arena_bytes(a, s.n + 1);

	for (size_t i = 0; p != NULL && i < s.n; i++)
		p[i] = s.p[i] >= first && s.p[i] <= last ?
		    (char)(s.p[i] ^ 0x20) : s.p[i];
	return (struct str){ p, s.n };
}

/* The CRC of IEEE 802.3, as zlib has it; half a byte at a time. */
static uint32_t
crc32_of(struct str s)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < s.n; i++) {
		crc ^= (unsigned char)s.p[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc ^ 0xffffffff;
}

/* As JSON.stringify() of ECMAScript writes a string: nothing is escaped but what must. */
static struct str
jsonstring(struct arena *a, struct str s)
{
	static const char digits[] = "0123456789abcdef";
	static const char shorts[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
	size_t room = 3, n = 0;
	char *p;

	for (size_t i = 0; i < s.n; i++)
		room += (unsigned char)s.p[i] < 0x20 ? 6 : 2;
	if ((p = arena_bytes(a, room)) == NULL)
		return STR_NONE;
	p[n++] = '"';
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		const char *at = c != 0 ? strchr(shorts, c) : NULL;

		if (at != NULL) {
			p[n++] = '\\';
			p[n++] = letters[at - shorts];
		} else if (c < 0x20) {
			memcpy(p + n, "\\u00", 4);
			n += 4;
			p[n++] = digits[c >> 4];
			p[n++] = digits[c & 15];
		} else
			p[n++] = (char)c;
	}
	p[n++] = '"';
	return (struct str){ p, n };
}

/* encodeURI() and encodeURIComponent() of ECMAScript, of bytes that are UTF-8. */
static struct str
encodeuri(struct arena *a, struct str s, bool component)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *kept = component ? "-_.!~*'()" : "-_.!~*'();,/?:@&=+$#";
	char *p = arena_bytes(a, 3 * s.n + 1);
	size_t n = 0;

	for (size_t i = 0; p != NULL && i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') ||
		    (c != 0 && strchr(kept, c) != NULL)) {
			p[n++] = (char)c;
			continue;
		}
		p[n++] = '%';
		p[n++] = digits[c >> 4];
		p[n++] = digits[c & 15];
	}
	return (struct str){ p, n };
}

static struct str
digest_text(const struct function *f, const struct scope *s,
    const struct str *values, size_t n)
{
	unsigned char out[HASH_MAX];
	struct str digest = { (const char *)out, hash_size(f->hash) };
	struct mac *m;
	bool ok;

	if (f->kind == FN_HASH) {
		ok = hash_pieces(f->hash, values, n, out);
	} else {
		if (s->key.p == NULL || (m = mac_new(f->hash, s->key)) == NULL)
			return STR_NONE;
		ok = mac_pieces(m, values, n, out);
		mac_free(m);
	}
	if (!ok)
		return STR_NONE;
	switch (f->written) {
	case AS_HEX:
		return hex_encode(s->q->arena, digest, false);
	case AS_BASE64:
		return base64_encode(s->q->arena, digest);
	case AS_BASE64URL:
		return base64url_encode(s->q->arena, digest);
	}
	return STR_NONE;
}

static struct str	piece_value(const struct piece *, const struct scope *);

static struct str
call(const struct piece *p, const struct scope *s)
{
	struct arena *a = s->q->arena;
	struct str values[ARGS_MAX] = { { NULL, 0 } }, raw;

	if (p->function->kind == FN_SOURCE)
		return place_source(&p->args[0].place, s->q, &raw) != JSON_NONE ?
		    raw : STR_NONE;
	for (size_t i = 0; i < p->nargs; i++)
		if ((values[i] = piece_value(&p->args[i], s)).p == NULL)
			return STR_NONE;
	switch (p->function->kind) {
	case FN_HASH:
	case FN_MAC:
		return digest_text(p->function, s, values, p->nargs);
	case FN_LOWER:
	case FN_UPPER:
		return in_case(a, values[0], p->function->kind == FN_UPPER);
	case FN_CRC32:
		return arena_printf(a, "%lu", (unsigned long)crc32_of(values[0]));
	case FN_LENGTH:
		return arena_printf(a, "%zu", values[0].n);
	case FN_JSONSTRING:
		return jsonstring(a, values[0]);
	case FN_ENCODEURI:
	case FN_ENCODEURICOMPONENT:
		return encodeuri(a, values[0],
		    p->function->kind == FN_ENCODEURICOMPONENT);
	case FN_SOURCE:
		break;
	}
	return STR_NONE;
}

/* --- expanding ----------------------------------------------------------------- */

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
	case PIECE_URL_ALONE:
		return url_alone(s);
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
	case PIECE_NOW:
		return s->now;
	case PIECE_CAPTURE:
		return s->captures[p->index];
	case PIECE_PARAM:
		return s->params[p->index].n > 0 ? s->params[p->index].v[0] :
		    STR_NONE;
	case PIECE_PLACE:
		if (place_get(&p->place, s->q, &value, NULL) != PLACE_FOUND)
			return STR_NONE;
		return value;
	case PIECE_PAIRS:
		return pairs_text(s, &s->pairs[p->index]);
	case PIECE_COUNT:
		return count_text(s);
	case PIECE_NAME:
		return s->name;
	case PIECE_VALUE:
		return s->value;
	case PIECE_CALL:
		return call(p, s);
	}
	return STR_NONE;
}

static bool	any_piece(const struct piece *, size_t n, bool lossy,
		    bool (*is)(const struct piece *, const void *), const void *);

static bool
is_unclear_place(const struct piece *p, const void *scope)
{
	const struct scope *s = scope;

	return p->op == PIECE_PLACE && place_unclear(&p->place, s->q);
}

static struct str
piece_value(const struct piece *p, const struct scope *s)
{
	struct str value = raw_value(p, s);

	if (!p->optional)
		return value;
	/*
	 * Who could put in what we cannot take, a name twice or an object for a text,
	 * would have it read by others and signed by nobody.
	 */
	if (value.p == NULL && any_piece(p, 1, true, is_unclear_place, s))
		return STR_NONE;
	if (value.p == NULL || (p->segment && value.n == 0))
		return STR("");
	if (!p->segment)
		return value;
	/* Whole: a value may hold a NUL, and more behind it. */
	return arena_join(s->q->arena, (const struct str[]){ p->before, value,
	    p->after }, 3);
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
		struct str value = piece_value(p, s);

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

static struct str
joined(struct arena *a, const struct str *pieces, size_t n)
{
	size_t total = 0, at = 0;
	char *out;

	if (n == 1)
		return pieces[0];
	for (size_t i = 0; i < n; i++)
		total += pieces[i].n;
	if ((out = arena_bytes(a, total + 1)) == NULL)
		return STR_NONE;
	for (size_t i = 0; i < n; i++) {
		if (pieces[i].n > 0)
			memcpy(out + at, pieces[i].p, pieces[i].n);
		at += pieces[i].n;
	}
	return (struct str){ out, at };
}

struct str
template_text(const struct template *t, const struct scope *s)
{
	struct arena *a = s->q->arena;
	struct str *pieces = arena_alloc(a, (t->n + 1) * sizeof(*pieces));

	if (pieces == NULL || !template_pieces(t, s, pieces, NULL))
		return STR_NONE;
	return joined(a, pieces, t->n);
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

/* Of what goes in, other values can give the same result. */
static bool
is_lossy(const struct piece *p)
{
	return p->op == PIECE_CALL && (p->function->kind == FN_CRC32 ||
	    p->function->kind == FN_LENGTH);
}

static bool
any_piece(const struct piece *p, size_t n, bool lossy,
    bool (*is)(const struct piece *, const void *), const void *arg)
{
	for (size_t i = 0; i < n; i++)
		if (is(&p[i], arg) || (p[i].op == PIECE_CALL &&
		    (lossy || !is_lossy(&p[i])) &&
		    any_piece(p[i].args, p[i].nargs, lossy, is, arg)))
			return true;
	return false;
}

bool
template_any(const struct template *t,
    bool (*is)(const struct piece *, const void *), const void *arg)
{
	return any_piece(t->pieces, t->n, true, is, arg);
}

bool
template_keeps(const struct template *t,
    bool (*is)(const struct piece *, const void *), const void *arg)
{
	return any_piece(t->pieces, t->n, false, is, arg);
}

static bool
shows_secret(const struct piece *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].op == PIECE_SECRET || (p[i].op == PIECE_CALL &&
		    p[i].function->kind != FN_HASH &&
		    shows_secret(p[i].args, p[i].nargs)))
			return true;
	return false;
}

bool
template_shows_secret(const struct template *t)
{
	return shows_secret(t->pieces, t->n);
}

bool
piece_is_source(const struct piece *p)
{
	return p->op == PIECE_CALL && p->function->kind == FN_SOURCE;
}

bool
piece_is_source_of(const struct piece *p, const void *arg)
{
	const struct place *other = arg, *outer;

	if (!piece_is_source(p))
		return false;
	outer = &p->args[0].place;
	return outer->kind == other->kind &&
	    str_starts(other->name, outer->name) &&
	    (other->name.n == outer->name.n ||
	    other->name.p[outer->name.n] == '.' ||
	    other->name.p[outer->name.n] == '[');
}

static bool
is_op(const struct piece *p, const void *op)
{
	return p->op == *(const enum piece_op *)op;
}

bool
template_has(const struct template *t, enum piece_op op)
{
	return template_any(t, is_op, &op);
}

static bool
is_place(const struct piece *p, const void *place)
{
	return p->op == PIECE_PLACE && place_eq(&p->place, place);
}

bool
template_has_place(const struct template *t, const struct place *place)
{
	return template_any(t, is_place, place);
}

static bool
is_param(const struct piece *p, const void *arg)
{
	enum hook_param param = *(const enum hook_param *)arg;

	return (p->op == PIECE_PARAM && p->index == (unsigned)param) ||
	    (param == PARAM_URL &&
	    (p->op == PIECE_URL || p->op == PIECE_URL_ALONE));
}

bool
template_uses_param(const struct template *t, enum hook_param param)
{
	return template_any(t, is_param, &param);
}

static bool
is_keyed(const struct piece *p, const void *arg)
{
	(void)arg;
	return p->op == PIECE_CALL && p->function->kind == FN_MAC;
}

bool
template_keyed(const struct template *t)
{
	return template_any(t, is_keyed, NULL);
}

bool
piece_is_of_request(const struct piece *p, const void *unused)
{
	(void)unused;
	switch (p->op) {
	case PIECE_TEXT:
	case PIECE_PARAM:
	case PIECE_SECRET:
	case PIECE_NOW:
	case PIECE_CALL:	/* its arguments are asked */
		return false;
	default:
		return true;
	}
}

bool
template_echoes(const struct template *t)
{
	return template_any(t, piece_is_of_request, NULL);
}

const struct place *
template_place(const struct template *t)
{
	return t->n == 1 && t->pieces[0].op == PIECE_PLACE ?
	    &t->pieces[0].place : NULL;
}

int
template_param(const struct template *t)
{
	return t->n == 1 && t->pieces[0].op == PIECE_PARAM ?
	    (int)t->pieces[0].index : -1;
}
