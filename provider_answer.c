/*
 * provider_answer.c - what a provider's file says of answers: to events, to
 * forgeries, and to handshakes.
 */
#include <string.h>

#include "provider_words.h"

/* --- answers -------------------------------------------------------------------------------- */

struct raw_answer {
	const struct json_object *status, *body, *json, *headers, *type;
};

const struct row answer_rows[] = {
	KEEP(struct raw_answer, status, SHAPE_COUNT),
	KEEP(struct raw_answer, type, SHAPE_TEXT),
	KEEP(struct raw_answer, body, SHAPE_TEXT),
	KEEP(struct raw_answer, json, SHAPE_ANY),
	KEEP(struct raw_answer, headers, SHAPE_MAP),
	ROWS_END
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

/* One header of an answer: constant, or with values in it. */
static int
read_header(struct reader *r, const struct json_object *o, struct str name,
    const struct vocabulary *words, struct reply *out)
{
	struct reply_header *h = &out->headers[out->nheaders];
	struct str value;

	if (word_expect(r, o, "headers", JSON_STRING) != 0)
		return -1;
	value = json_text(o);
	if (!str_printable(name) || str_find(name, ':') != -1 ||
	    str_find(name, ' ') != -1 || !str_printable(value))
		return json_err(r->doc, o, r->e, "a header's name and value must be "
		    "printable ASCII");
	if (header_is_ours(name))
		return json_err(r->doc, o, r->e, "the header \"%.*s\" is not the "
		    "file's to set", STR_ARG(name));
	if (words == NULL || str_find(value, '{') == -1) {
		out->extra = arena_printf(r->a, "%.*s%.*s: %.*s\r\n",
		    STR_ARG(out->extra), STR_ARG(name), STR_ARG(value));
		return out->extra.p != NULL ? 0 : word_no_memory(r, o);
	}
	if ((h->name = arena_str(r->a, name)).p == NULL)
		return word_no_memory(r, o);
	if (word_template(r, o, "headers", words, &h->value) != 0)
		return -1;
	word_ask(r, &h->value);
	out->nheaders++;
	return 0;
}

static int
read_headers(struct reader *r, const struct json_object *v,
    const struct vocabulary *words, struct reply *out)
{
	if (v == NULL)
		return 0;
	out->headers = arena_alloc(r->a,
	    (json_count(v) + 1) * sizeof(*out->headers));
	if (out->headers == NULL)
		return word_no_memory(r, v);
	if (word_expect(r, v, "headers", JSON_OBJECT) != 0)
		return -1;
	for (size_t i = 0; i < json_count(v); i++) {
		struct str name;
		const struct json_object *o = json_nth(v, i, &name);

		if (read_header(r, o, name, words, out) != 0)
			return -1;
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
		word_no_memory(r, v);
	else if (template_read(out, buf_str(&b),
	    words != NULL ? words : &plain_words, r->a, r->e) != 0)
		word_at(r, v);
	else
		rc = 0;
	out->json = true;
	buf_free(&b);
	return rc;
}

static int
constant_text(struct reader *r, const struct json_object *v, struct template *out)
{
	struct buf b = BUF(FILE_MEMORY);
	int rc;

	if (word_expect(r, v, "body", JSON_STRING) != 0)
		return -1;
	put_literal(&b, json_text(v));
	rc = !buf_ok(&b) ? word_no_memory(r, v) : template_read(out, buf_str(&b),
	    &plain_words, r->a, r->e) == 0 ? 0 : word_at(r, v);
	buf_free(&b);
	return rc;
}

static int
read_type(struct reader *r, const struct json_object *v, struct reply *out)
{
	if (v == NULL)
		return 0;
	if (word_copy(r, v, "type", &out->type) != 0)
		return -1;
	if (!str_printable(out->type))
		return json_err(r->doc, v, r->e, "\"type\" must be printable ASCII");
	if (template_echoes(&out->body) && !out->body.json &&
	    !str_starts_nocase(out->type, STR("text/plain")))
		return json_err(r->doc, v, r->e, "what repeats the request goes out "
		    "as text/plain or as \"json\"");
	return 0;
}

/* words NULL: constant texts, in which a brace is a brace. */
static int
read_reply(struct reader *r, const struct json_object *v, const char *what,
    int status, const struct vocabulary *words, struct reply *out)
{
	struct raw_answer raw = { 0 };

	*out = (struct reply){ .set = v != NULL, .status = status,
	    .type = STR(""), .extra = STR("") };
	if (v == NULL)
		return 0;
	if (rows_read(r, v, what, answer_rows, &raw) != 0 ||
	    read_status(r, raw.status, &out->status) != 0 ||
	    read_headers(r, raw.headers, words, out) != 0)
		return -1;
	if (raw.body != NULL && raw.json != NULL)
		return json_err(r->doc, raw.json, r->e,
		    "\"body\" or \"json\", not both");
	if (raw.body != NULL) {
		out->type = STR("text/plain");
		if (words == NULL ? constant_text(r, raw.body, &out->body) != 0 :
		    word_template(r, raw.body, "body", words, &out->body) != 0)
			return -1;
	}
	if (raw.json != NULL) {
		out->type = STR("application/json");
		if (read_json_answer(r, raw.json, words, &out->body) != 0)
			return -1;
	}
	word_ask(r, &out->body);
	if (template_shows_secret(&out->body))
		return json_err(r->doc, v, r->e, "{secret} in an answer stands inside "
		    "a hash");
	for (size_t i = 0; i < out->nheaders; i++)
		if (template_shows_secret(&out->headers[i].value))
			return json_err(r->doc, v, r->e, "{secret} in an answer "
			    "stands inside a hash");
	return read_type(r, raw.type, out);
}

/* An answer that is the same each time. */
static int
fixed_answer(struct reader *r, const struct json_object *v, const char *what,
    int status, struct answer *out)
{
	struct reply reply;

	if (read_reply(r, v, what, status, NULL, &reply) != 0)
		return -1;
	*out = (struct answer){ .status = reply.status, .type = reply.type,
	    .extra = reply.extra, .body = reply.body.n > 0 ?
	    reply.body.pieces[0].text : STR("") };
	return 0;
}

int
read_answer(struct reader *r, const struct json_object *v, const char *what,
    int status, struct provider_answer *out)
{
	out->set = v != NULL;
	return fixed_answer(r, v, what, status, &out->answer);
}

/* It may hold what the hook says, the time, and a hash with the secret. */
int
read_accepted(struct reader *r, const struct json_object *v)
{
	const struct vocabulary words = { .now = true,
	    .secret = r->p->wants_secret };
	struct reply *out = &r->p->accepted;

	if (read_reply(r, v, "\"accepted\"", 200, &words, out) != 0)
		return -1;
	if (reply_any(out, piece_is_of_request, NULL))
		return json_err(r->doc, v, r->e, "the answer to an event does not "
		    "repeat what came");
	return 0;
}

/* --- "handshakes" ------------------------------------------------------------------------------ */

struct raw_handshake {
	const struct json_object *when, *verify, *answer, *refused, *capture;
	bool		 is_signed, open;
};

const struct row handshake_rows[] = {
	KEEP(struct raw_handshake, when, SHAPE_MAP),
	KEEP(struct raw_handshake, verify, SHAPE_MAP),
	KEEP_ROWS(struct raw_handshake, answer, SHAPE_OBJECT, answer_rows),
	KEEP_ROWS(struct raw_handshake, refused, SHAPE_OBJECT, answer_rows),
	KEEP(struct raw_handshake, capture, SHAPE_TEXT),
	READ_AS("signed", struct raw_handshake, is_signed, row_flag, NULL, SHAPE_FLAG),
	FLAG(struct raw_handshake, open),
	ROWS_END
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
		return word_no_memory(r, v);
	if (*n > 0)
		memcpy(longer, *list, *n * sizeof(*longer));
	longer[(*n)++] = word;
	*list = longer;
	return 0;
}

/* The methods that bring handshakes are the provider's too. */
static int
note_methods(struct reader *r, const struct json_object *v,
    const struct handshake_rule *h)
{
	for (size_t i = 0; i < h->nwhen; i++)
		if (h->when[i].of == OF_METHOD && add_word(r, v, h->when[i].text,
		    &r->p->handshake_methods, &r->p->nhandshake_methods) != 0)
			return -1;
	return 0;
}

static int
read_verify(struct reader *r, const struct json_object *v,
    struct handshake_rule *h)
{
	if (v == NULL)
		return 0;
	if (word_expect(r, v, "verify", JSON_OBJECT) != 0)
		return -1;
	h->verify = arena_alloc(r->a, (json_count(v) + 1) * sizeof(*h->verify));
	if (h->verify == NULL)
		return word_no_memory(r, v);
	for (size_t i = 0; i < json_count(v); i++) {
		struct also *a = &h->verify[h->nverify++];
		struct str name;
		const struct json_object *o = json_nth(v, i, &name);

		if (place_read(&a->place, name, r->a, r->e) != 0)
			return word_at(r, o);
		a->nequals = 1;
		if ((a->equals = arena_alloc(r->a, sizeof(*a->equals))) == NULL)
			return word_no_memory(r, o);
		if (word_template(r, o, "verify", &plain_words, a->equals) != 0)
			return -1;
		word_ask(r, a->equals);
	}
	return 0;
}

static int
read_capture(struct reader *r, const struct json_object *v,
    struct handshake_rule *h)
{
	if (v == NULL)
		return 0;
	if (word_expect(r, v, "capture", JSON_STRING) != 0)
		return -1;
	if (place_read(&h->capture, json_text(v), r->a, r->e) != 0)
		return word_at(r, v);
	h->captures = true;
	if (h->is_signed || !r->p->wants_secret)
		return json_err(r->doc, v, r->e, "\"capture\" takes the secret that "
		    "events are proven with: its handshake cannot be signed");
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
		/* What a token signs looks like a token. */
		if (!body || p->signatures[i].algorithm->jose != NULL || t->n > 2 ||
		    (t->n == 2 && t->pieces[0].op != PIECE_TEXT))
			return false;
	}
	return p->bodies == BODY_JSON;
}

static int
read_handshake(struct reader *r, const struct json_object *o,
    struct handshake_rule *h)
{
	const struct vocabulary words = { .keyed = r->p->wants_secret };
	struct raw_handshake raw = { 0 };

	if (rows_read(r, o, "a handshake", handshake_rows, &raw) != 0)
		return -1;
	if (raw.when == NULL)
		return json_err(r->doc, o, r->e, "a handshake needs a \"when\"");
	h->is_signed = raw.is_signed;
	h->open = raw.open;
	if (word_when(r, raw.when, &h->when, &h->nwhen) != 0 ||
	    note_methods(r, o, h) != 0 || read_verify(r, raw.verify, h) != 0 ||
	    read_capture(r, raw.capture, h) != 0 ||
	    read_reply(r, raw.answer, "\"answer\"", 200, &words, &h->answer) != 0 ||
	    fixed_answer(r, raw.refused, "\"refused\"", 403, &h->refused) != 0)
		return -1;
	if (h->open && !h->is_signed)
		return json_err(r->doc, o, r->e, "\"open\" is for a handshake that "
		    "is \"signed\"");
	if (h->is_signed && r->p->nsignatures == 0)
		return json_err(r->doc, o, r->e, "a \"signed\" handshake of a "
		    "provider without a \"signature\"");
	if (reply_keyed(&h->answer) && (!h->is_signed || h->open) &&
	    !told_apart(r->p))
		return json_err(r->doc, o, r->e, "a handshake that is not signed "
		    "and answers an hmac would sign events for anybody: only with "
		    "\"bodies\": [\"json\"] and \"signs\": \"{body}\" can the two "
		    "be told apart");
	h->store = h->is_signed;
	for (size_t i = 0; i < h->nwhen; i++)
		if (h->when[i].of != OF_METHOD && h->when[i].test == TEST_EQUALS)
			h->store = false;
	return 0;
}

int
read_handshakes(struct reader *r, const struct json_object *v)
{
	struct provider *p = r->p;

	if (v == NULL)
		return 0;
	if (word_expect(r, v, "handshakes", JSON_ARRAY) != 0)
		return -1;
	p->handshakes = arena_alloc(r->a,
	    (json_count(v) + 1) * sizeof(*p->handshakes));
	if (p->handshakes == NULL)
		return word_no_memory(r, v);
	for (size_t i = 0; i < json_count(v); i++)
		if (read_handshake(r, json_at(v, i),
		    &p->handshakes[p->nhandshakes++]) != 0)
			return -1;
	return 0;
}
