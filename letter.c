/* letter.c - see letter.h. */
#include <inttypes.h>
#include <string.h>

#include "base/codec.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/when.h"
#include "letter.h"

#define WORD_MAX	256		/* bytes between braces */
#define NAME_MAX_	128		/* of a header's name */

/* Of a body that the handler took: its own limits were narrower. */
static const struct json_limits any_json = { 1024, SIZE_MAX };

/* --- words ------------------------------------------------------------------------ */

/* JSON_NONE: absent.  A string's text is what it says, of others the source. */
struct value {
	enum json_kind	kind;
	struct str	text;
};

static int
no_memory(struct err *e)
{
	return err_set(e, ERR_OS, "there was no memory to write it");
}

static int
put_text(struct value *v, struct str text)
{
	*v = (struct value){ text.n > 0 ? JSON_STRING : JSON_NONE, text };
	return 0;
}

static int
put_number(struct value *v, uint64_t n, struct arena *a, struct err *e)
{
	*v = (struct value){ JSON_NUMBER, arena_printf(a, "%" PRIu64, n) };
	return v->text.p == NULL ? no_memory(e) : 0;
}

/* of: what follows the colon; .p NULL where there is none. */
#define WORD(f)								\
static int								\
f(struct value *v, struct letter *l, struct str of, struct arena *a, struct err *e)

WORD(word_id)
{
	(void)of, (void)a, (void)e;
	return put_text(v, str_of(l->event->id));
}

WORD(word_destination)
{
	(void)of, (void)a, (void)e;
	return put_text(v, l->destination);
}

WORD(word_received_at)
{
	(void)of;
	(void)e;
	/* A year without four digits has no such form. */
	return put_text(v, when_write(a, l->event->received_at, WHEN_ISO8601));
}

WORD(word_size)
{
	(void)of;
	return put_number(v, l->event->size, a, e);
}

WORD(word_attempt)
{
	(void)of;
	return put_number(v, l->attempt, a, e);
}

/* A header's value as it is kept: a string, or {"base64":"..."}. */
static struct str
header_value(struct arena *a, enum json_kind kind, struct str raw)
{
	char *bytes;
	size_t n;

	if (kind == JSON_STRING)
		return json_unescape(a, raw);
	if (kind != JSON_OBJECT ||
	    json_find(raw, STR("base64"), &raw) != JSON_STRING)
		return STR("");
	if ((bytes = arena_bytes(a, BASE64_ROOM(raw.n))) == NULL)
		return STR_NONE;
	if (!base64_decode(raw, bytes, BASE64_ROOM(raw.n), &n))
		return STR("");
	return (struct str){ bytes, n };
}

/* For names: of the event and the destination, and of no form of theirs. */
WORD(word_hash)
{
	unsigned char digest[32];
	struct str text = arena_join(a, (struct str []){ str_of(l->event->id), STR(" "),
	    l->destination }, 3);

	(void)of;
	if (text.p == NULL)
		return no_memory(e);
	digest_sha256(text, digest);
	text = hex_encode(a, (struct str){ (char *)digest, sizeof(digest) }, false);
	return text.p == NULL ? no_memory(e) : put_text(v, text);
}

WORD(word_headers)
{
	(void)of, (void)a, (void)e;
	*v = (struct value){ JSON_ARRAY, l->event->headers };
	return 0;
}

/* Several of one name are one, with commas (RFC 9110, section 5.3). */
WORD(word_header)
{
	struct str pair, name, raw, all = STR_NONE, one;
	size_t at = 0, in;

	while (json_next(l->event->headers, &at, &pair) == JSON_ARRAY) {
		in = 0;
		if (json_next(pair, &in, &name) != JSON_STRING ||
		    !str_eq_nocase(name, of))
			continue;
		one = header_value(a, json_next(pair, &in, &raw), raw);
		if (one.p != NULL && all.p != NULL)
			one = arena_join(a, (struct str []){ all, STR(", "), one }, 3);
		if (one.p == NULL)
			return no_memory(e);
		all = one;
	}
	*v = (struct value){ all.p == NULL ? JSON_NONE : JSON_STRING, all };
	return 0;
}

static int
body_of(struct letter *l, struct str *body, struct err *e)
{
	*body = l->event->body;
	if (body->p == NULL && l->event->size > 0)
		return err_set(e, ERR_DATA, "the body is over %d KiB and can only be "
		    "sent as it came, not in a template", EVENT_INLINE / 1024);
	if (body->p == NULL)
		*body = STR("");
	if (l->body == LETTER_UNSEEN)
		l->body = json_scan(*body, any_json, NULL) == JSON_OK ?
		    LETTER_IS_JSON : LETTER_IS_NOT;
	return 0;
}

WORD(word_body)
{
	struct str body;

	if (body_of(l, &body, e) == -1)
		return -1;
	if (of.p == NULL) {
		/* As it stands, even where that is one string of JSON. */
		*v = (struct value){ l->body == LETTER_IS_JSON ? JSON_OBJECT :
		    JSON_STRING, body };
		return 0;
	}
	*v = (struct value){ JSON_NONE, STR_NONE };
	if (l->body != LETTER_IS_JSON)
		return 0;
	v->kind = json_find(body, of, &v->text);
	if (v->kind == JSON_STRING)
		v->text = json_unescape(a, v->text);
	return v->kind != JSON_NONE && v->text.p == NULL ? no_memory(e) : 0;
}

/* All bytes of it, whatever they are. */
WORD(word_base64)
{
	struct str body, text;

	(void)of;
	if (body_of(l, &body, e) == -1)
		return -1;
	text = body.n == 0 ? STR("") : base64_encode(a, body);
	*v = (struct value){ JSON_STRING, text };
	return text.p == NULL ? no_memory(e) : 0;
}

enum takes { NOTHING, A_NAME, MAYBE_A_PATH };

static const struct word {
	const char	*name;
	enum takes	 takes;
	int		(*get)(struct value *, struct letter *, struct str of,
			    struct arena *, struct err *);
	size_t		 text;		/* without get: of a str in the event */
} words[] = {
	{ "id",		NOTHING,	word_id, 0 },
	{ "event_id",	NOTHING,	NULL, offsetof(struct event, event_id) },
	{ "type",	NOTHING,	NULL, offsetof(struct event, event_type) },
	{ "hook",	NOTHING,	NULL, offsetof(struct event, hook) },
	{ "provider",	NOTHING,	NULL, offsetof(struct event, provider) },
	{ "received_at", NOTHING,	word_received_at, 0 },
	{ "size",	NOTHING,	word_size, 0 },
	{ "method",	NOTHING,	NULL, offsetof(struct event, method) },
	{ "target",	NOTHING,	NULL, offsetof(struct event, target) },
	{ "attempt",	NOTHING,	word_attempt, 0 },
	{ "destination", NOTHING,	word_destination, 0 },
	{ "hash",	NOTHING,	word_hash, 0 },
	{ "headers",	NOTHING,	word_headers, 0 },
	{ "body_base64", NOTHING,	word_base64, 0 },
	{ "header",	A_NAME,		word_header, 0 },
	{ "body",	MAYBE_A_PATH,	word_body, 0 },
};

static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", s.p[i]) != NULL)
			return false;
	return s.n > 0 && s.n <= NAME_MAX_;
}

/* "type<1024" without what follows; *most: that, or SIZE_MAX. */
static struct str
cut_most(struct str text, size_t *most)
{
	size_t n = text.n;
	uint64_t number;

	*most = SIZE_MAX;
	while (n > 0 && text.p[n - 1] >= '0' && text.p[n - 1] <= '9')
		n--;
	if (n < 2 || n == text.n || text.p[n - 1] != '<' ||
	    !str_to_u64(str_skip(text, n), &number))
		return text;
	*most = number;
	return str_head(text, n - 1);
}

/*
 * What stands between braces: the word, what follows its colon (.p NULL: none), and how
 * many bytes it has at most.
 */
static const struct word *
word_find(struct str text, struct str *of, size_t *most, struct err *e)
{
	const struct word *w = NULL;
	struct str name;

	text = cut_most(text, most);
	name = str_cut(&text, ':');
	*of = text;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && w == NULL; i++)
		if (str_eq(name, str_of(words[i].name)))
			w = &words[i];
	if (w == NULL)
		err_set(e, ERR_CONF, "there is no word {%.*s}; there are id, event_id, "
		    "type, hook, provider, received_at, size, method, target, attempt, "
		    "destination, hash, headers, header:NAME, body_base64, body and "
		    "body:PATH",
		    STR_ARG(str_head(name, 40)));
	else if (w->takes == NOTHING && of->p != NULL)
		err_set(e, ERR_CONF, "{%s} takes nothing behind a colon", w->name);
	else if (w->takes == A_NAME && !is_token(*of))
		err_set(e, ERR_CONF, "{%s:...} takes a header's name", w->name);
	else if (w->takes == MAYBE_A_PATH && of->p != NULL && !json_is_path(*of))
		err_set(e, ERR_CONF, "{%s:%.*s} leads nowhere; a path is like "
		    "{body:order.items[0].id}", w->name, STR_ARG(str_head(*of, 40)));
	else
		return w;
	return NULL;
}

/* --- a template, piece by piece ------------------------------------------------------- */

struct walk {
	struct str	 rest;
	enum letter_kind kind;
	bool		 in_string;	/* of JSON */
	size_t		 nwords;
	char		 room[WORD_MAX];
};

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* From behind the opening brace.  In a string of JSON its quotes are escaped. */
static int
cut_word(struct walk *w, struct str *word, struct err *e)
{
	struct str text = w->rest;
	ptrdiff_t end = str_find(text, '}');
	size_t n = 0;

	if (end < 0 || end > WORD_MAX)
		return err_set(e, ERR_CONF, "a \"{\" has no \"}\"; a brace itself is "
		    "written \"{{\"");
	if (++w->nwords > LETTER_WORDS)
		return err_set(e, ERR_CONF, "there are more than %d words in it",
		    LETTER_WORDS);
	text = str_head(text, (size_t)end);
	w->rest = str_skip(w->rest, (size_t)end + 1);
	for (size_t i = 0; i < text.n; i++) {
		if (w->in_string && text.p[i] == '\\' && ++i == text.n)
			break;
		w->room[n++] = text.p[i];
	}
	*word = (struct str){ w->room, n };
	return 0;
}

/*
 * The next piece: text as it is, or (text .p NULL) a word.  1, or 0 at the end.
 */
static int
next_piece(struct walk *w, struct str *text, struct str *word, struct err *e)
{
	const char *p = w->rest.p;
	size_t n = w->rest.n, i = 0;
	bool quoting = w->kind != LETTER_JSON || w->in_string;

	*text = STR_NONE;
	if (n == 0)
		return 0;
	if (p[0] == '{' && !(quoting ? n > 1 && p[1] == '{' :
	    n < 2 || !is_letter(p[1]))) {
		w->rest = str_skip(w->rest, 1);
		return cut_word(w, word, e) == -1 ? -1 : 1;
	}
	if (quoting && (p[0] == '{' || p[0] == '}')) {
		if (n < 2 || p[1] != p[0])
			return err_set(e, ERR_CONF, "a \"}\" has no \"{\"; a brace "
			    "itself is written \"}}\"");
		*text = str_head(w->rest, 1);
		w->rest = str_skip(w->rest, 2);
		return 1;
	}
	if (w->kind != LETTER_JSON) {
		while (i < n && p[i] != '{' && p[i] != '}')
			i++;
	} else if (!w->in_string) {
		/* A brace here is text, unless it begins a word. */
		do {
			w->in_string = p[i] == '"';
			i++;
		} while (i < n && !w->in_string && p[i] != '{');
	} else {
		while (i < n && w->in_string && p[i] != '{' && p[i] != '}') {
			if (p[i] == '\\' && i + 1 < n)
				i++;
			else if (p[i] == '"')
				w->in_string = false;
			i++;
		}
	}
	*text = str_head(w->rest, i);
	w->rest = str_skip(w->rest, i);
	return 1;
}

/* --- values, where they stand ---------------------------------------------------------- */

static bool
is_utf8(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n;

	for (size_t i = 0; i < s.n; i += n) {
		n = p[i] < 0x80 ? 1 : utf8_length(p + i, s.n - i);
		if (n == 0)
			return false;
	}
	return true;
}

bool
letter_is_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* The path begins behind the host and ends at the query. */
static bool
in_path(struct str url)
{
	return str_find(url, '?') < 0;
}

static int
put_in_url(struct buf *out, struct str value, struct str word, struct arena *a,
    struct err *e)
{
	struct str coded;

	/*
	 * "/users/{body:id}" without an id is the URL of all users, and what is done
	 * to it may be to DELETE it.
	 */
	if (value.n == 0 && in_path(buf_str(out)))
		return err_set(e, ERR_DATA, "the URL's path wants {%.*s}, and this "
		    "event has none", STR_ARG(word));
	if (value.n > out->limit) {
		out->bad = true;
		return 0;
	}
	if ((coded = url_encode(a, value)).p == NULL)
		return no_memory(e);
	buf_put(out, coded);
	return 0;
}

static void
put_in_string(struct buf *out, struct str value)
{
	size_t at = out->n;

	buf_json(out, value);
	if (!buf_ok(out))
		return;
	/* Without its quotes. */
	memmove(out->p + at, out->p + at + 1, out->n - at - 2);
	out->n -= 2;
}

static int
put_value(struct buf *out, const struct walk *w, const struct value *v,
    struct str word, struct arena *a, struct err *e)
{
	switch (w->kind) {
	case LETTER_URL:
		return put_in_url(out, v->text, word, a, e);
	case LETTER_HEADER:
		if (!letter_is_value(v->text))
			return err_set(e, ERR_DATA, "{%.*s} holds a line's end or "
			    "another control byte, which no header may hold",
			    STR_ARG(word));
		buf_put(out, v->text);
		return 0;
	case LETTER_JSON:
		/* Written with replacements it would be another text. */
		if (str_eq(word, STR("body")) && !is_utf8(v->text))
			return err_set(e, ERR_DATA, "the body is not UTF-8 and can "
			    "only be sent as it came, not in a template");
		if (w->in_string)
			put_in_string(out, v->text);
		else if (v->kind == JSON_NONE)
			buf_put(out, STR("null"));
		else if (v->kind == JSON_STRING)
			buf_json(out, v->text);
		else
			buf_put(out, v->text);
		return 0;
	}
	return err_set(e, ERR_SOFTWARE, "there is no such kind of template");
}

/* --- what came of it -------------------------------------------------------------------- */

struct str
letter_host(struct str url)
{
	size_t n;

	if (str_starts(url, STR("https://")))
		url = str_skip(url, 8);
	else if (str_starts(url, STR("http://")))
		url = str_skip(url, 7);
	else
		return STR("");
	for (n = 0; n < url.n && strchr("/?#", url.p[n]) == NULL; n++)
		;
	return str_head(url, n);
}

bool
letter_is_url(struct str s)
{
	return letter_host(s).n > 0 && s.n <= LETTER_URL_MAX && str_printable(s) &&
	    str_find(s, ' ') < 0 && str_find(s, '#') < 0;
}

struct str
letter_audience(struct str url)
{
	struct str whole = str_head(url, str_find(url, '?') < 0 ? url.n :
	    (size_t)str_find(url, '?'));
	struct str host = letter_host(url);

	return str_find(whole, '{') < 0 ? whole :
	    (struct str){ url.p, (size_t)(host.p + host.n - url.p) };
}

static int
check_host(struct str url, struct err *e)
{
	struct str host = letter_host(url);

	if (host.n == 0)
		return err_set(e, ERR_CONF, "a URL begins with https:// or http:// and "
		    "a host");
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (c == '{' || c == '}')
			return err_set(e, ERR_CONF, "no word may stand in the host of "
			    "a URL: an event does not choose where it goes");
		if (c == '@')
			return err_set(e, ERR_CONF, "a user does not stand in a URL, "
			    "which is no place for secrets; \"basic\" names one");
		if (!is_letter(c) && (c < '0' || c > '9') && c != '[' &&
		    (i == 0 || c == '\0' || strchr("-._:]", c) == NULL))
			return err_set(e, ERR_CONF, "the host of the URL is no name "
			    "and no address");
	}
	return 0;
}

/* "." and "..", however written, lead elsewhere than the template says. */
static bool
is_dots(struct str segment)
{
	size_t dots = 0;

	while (segment.n > 0) {
		if (str_starts(segment, STR(".")))
			segment = str_skip(segment, 1);
		else if (str_starts_nocase(segment, STR("%2e")))
			segment = str_skip(segment, 3);
		else
			return false;
		dots++;
	}
	return dots == 1 || dots == 2;
}

/* Of a URL that words were put into; sample: of no event yet. */
static int
check_url(struct str url, bool sample, struct err *e)
{
	struct str host = letter_host(url), path, rest;
	char hex;
	size_t n;

	rest = (struct str){ host.p + host.n,
	    (size_t)(url.p + url.n - host.p) - host.n };
	for (size_t i = 0; i < rest.n; i++) {
		char c = rest.p[i];

		if (c == '#')
			return err_set(e, ERR_CONF, "a URL's part from \"#\" on is "
			    "never sent; in a value it is %%23");
		if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL ||
		    (c == '%' && (rest.n - i < 3 ||
		    !hex_decode((struct str){ rest.p + i + 1, 2 }, &hex, 1, &n))))
			return err_set(e, ERR_CONF, "in a URL spaces, quotes, braces "
			    "and bytes that are not ASCII are written %%XX");
	}
	path = str_cut(&rest, '?');
	while (path.p != NULL)
		if (is_dots(str_cut(&path, '/')))
			return sample ? err_set(e, ERR_CONF, "the URL's path holds "
			    "\".\" or \"..\": write what it leads to") :
			    err_set(e, ERR_DATA, "a value would make \".\" or \"..\" a "
			    "part of the URL's path, which leads elsewhere");
	return 0;
}

static int
check_json(struct str text, struct err *e)
{
	size_t at = 0;

	if (json_scan(text, any_json, &at) == JSON_OK)
		return 0;
	text = str_head(str_skip(text, at), 24);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] >= 0x7f)
			text.n = i;
	return err_set(e, ERR_CONF, "with values in it the body is no JSON from byte %zu "
	    "on, before \"%.*s\"", at, STR_ARG(text));
}

static int
word_value(const struct word *w, struct value *v, struct letter *l, struct str of,
    struct arena *a, struct err *e)
{
	int r;

	if (w->get != NULL)
		r = w->get(v, l, of, a, e);
	else
		r = put_text(v, *(const struct str *)(const void *)
		    ((const char *)l->event + w->text));
	if (v->kind == JSON_NONE)
		v->text = STR("");
	return r;
}

/* Whole characters of it; what is none is written as one of three bytes. */
static struct str
at_most(struct str s, size_t most)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, n, room = most;

	if (s.n <= most / 3)
		return s;
	while (i < s.n) {
		n = p[i] < 0x80 ? 1 : utf8_length(p + i, s.n - i);
		if ((n == 0 ? 3 : n) > room)
			break;
		room -= n == 0 ? 3 : n;
		i += n == 0 ? 1 : n;
	}
	return str_head(s, i);
}

/* l NULL: with a null for each word, which fits wherever a value does. */
static int
expand(struct buf *out, struct str template, enum letter_kind kind, struct letter *l,
    struct arena *a, struct err *e)
{
	struct walk w = { .rest = template, .kind = kind };
	struct str text, name, of;
	const struct word *word;
	struct value v = { JSON_NULL, STR("null") };
	size_t most;		/* that the piece may take at once */
	size_t room;		/* that the word says its value has */
	int r;

	while ((r = next_piece(&w, &text, &name, e)) == 1) {
		if (text.p != NULL) {
			buf_put(out, text);
			most = text.n;
		} else {
			if ((word = word_find(name, &of, &room, e)) == NULL ||
			    (l != NULL && word_value(word, &v, l, of, a, e) == -1))
				return -1;
			if (kind != LETTER_JSON || w.in_string ||
			    v.kind == JSON_STRING)
				v.text = at_most(v.text, room);
			if (put_value(out, &w, &v, name, a, e) == -1)
				return -1;
			most = 3 * v.text.n + 6;
		}
		if (!buf_ok(out))
			return out->limit - out->n >= most ? no_memory(e) :
			    err_set(e, l == NULL ? ERR_CONF : ERR_DATA, "what comes of "
			    "the template is over %zu bytes", out->limit);
	}
	return r;
}

static int
check_result(struct str text, enum letter_kind kind, bool sample, struct err *e)
{
	switch (kind) {
	case LETTER_URL:
		return check_url(text, sample, e);
	case LETTER_HEADER:
		return letter_is_value(text) ? 0 : err_set(e, ERR_CONF,
		    "no header may hold a line's end or another control byte");
	case LETTER_JSON:
		/* What held with a null holds with every value. */
		return sample ? check_json(text, e) : 0;
	}
	return -1;
}

int
letter_check(struct str template, enum letter_kind kind, struct err *e)
{
	struct buf out = BUF(kind == LETTER_URL ? LETTER_URL_MAX :
	    kind == LETTER_HEADER ? LETTER_HEADER_MAX : LETTER_JSON_MAX);
	struct arena *a;
	int r;

	if (template.n > LETTER_TEXT)
		return err_set(e, ERR_CONF, "a template has at most %d KiB",
		    LETTER_TEXT / 1024);
	if (kind == LETTER_URL && check_host(template, e) == -1)
		return -1;
	if ((a = arena_new(LETTER_MEMORY)) == NULL)
		return no_memory(e);
	r = expand(&out, template, kind, NULL, a, e);
	if (r == 0)
		r = check_result(buf_str(&out), kind, true, e);
	buf_free(&out);
	arena_free(a);
	return r;
}

int
letter_write(struct buf *out, struct str template, enum letter_kind kind,
    struct letter *l, struct arena *a, struct err *e)
{
	if (letter_check(template, kind, e) == -1)
		return -1;
	if (expand(out, template, kind, l, a, e) == -1)
		return -1;
	return check_result(buf_str(out), kind, false, e);
}

/* --- names and keys ------------------------------------------------------------------------ */

int
letter_check_header(struct str name, struct err *e)
{
	static const char *const not_yours[] = { "connection", "content-length",
	    "expect", "keep-alive", "proxy-connection", "te", "trailer",
	    "transfer-encoding", "upgrade" };

	if (!is_token(name))
		return err_set(e, ERR_CONF, "\"%.*s\" is no header's name",
		    STR_ARG(str_head(name, 40)));
	for (size_t i = 0; i < sizeof(not_yours) / sizeof(not_yours[0]); i++)
		if (str_eq_nocase(name, str_of(not_yours[i])))
			return err_set(e, ERR_CONF, "the header %s is the connection's "
			    "and cannot be set", not_yours[i]);
	return 0;
}

int
letter_key(struct str written, unsigned char key[LETTER_KEY_MAX], size_t *n,
    struct err *e)
{
	if (!str_starts(written, STR("whsec_")) ||
	    !base64_decode(str_skip(written, 6), key, LETTER_KEY_MAX, n) || *n < 24) {
		explicit_bzero(key, LETTER_KEY_MAX);
		return err_set(e, ERR_CONF, "the secret to sign with is not \"whsec_\" and "
		    "the base64 of 24 to 64 bytes; one is made by: printf whsec_; "
		    "openssl rand -base64 32");
	}
	return 0;
}
