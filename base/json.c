/*
 * json.c - JSON, in the two ways we meet it: the scan and the search of a
 * request's body, and the tree of a file of ours.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A type of json-c's; ours is a function. */
#define json_bool	json_c_bool
#include <json-c/json.h>
#undef json_bool

#include "json.h"
#include "plain.h"
#include "utf8.h"

#define DEPTH_MAX	1024	/* whatever the caller's limit is */

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* --- the scan ------------------------------------------------------------ */

/* Where a scan is, and why it stopped there. */
struct scan {
	const char	*p;
	const char	*end;
	const char	*why;
};

static inline bool
stop(struct scan *s, const char *p, const char *why)
{
	s->p = p;
	s->why = why;
	return false;
}

/* White space, and in our own files comments. */
static inline bool
scan_space(struct scan *s, bool comments)
{
	const char *p = s->p, *end = s->end;

	for (;;) {
		while (p < end && is_space(*p))
			p++;
		if (!comments || p == end || *p != '/')
			break;
		if (end - p >= 2 && p[1] == '/') {
			while (p < end && *p != '\n')
				p++;
		} else if (end - p >= 2 && p[1] == '*') {
			const char *close = memmem(p + 2, (size_t)(end - p - 2),
			    "*/", 2);

			if (close == NULL)
				return stop(s, p, "a comment does not end");
			p = close + 2;
		} else {
			return stop(s, p, "a comment begins with // or /*");
		}
	}
	s->p = p;
	return true;
}

/* From behind the opening quote to behind the closing one. */
static inline bool
scan_string(struct scan *s)
{
	const char *p = s->p, *end = s->end;

	for (;;) {
		p = plain_end(p, end, false);
		if (p == end)
			return stop(s, p, "a string does not end");
		if (*p == '"') {
			s->p = p + 1;
			return true;
		}
		if (*p == '\\') {
			int i;

			if (++p == end)
				return stop(s, p, "a string does not end");
			switch (*p) {
			case '"': case '\\': case '/': case 'b': case 'f':
			case 'n': case 'r': case 't':
				p++;
				break;
			case 'u':
				p++;
				for (i = 0; i < 4; i++, p++)
					if (p == end || hex_digit(*p) < 0)
						return stop(s, p, "\\u takes "
						    "four hex digits");
				break;
			default:
				return stop(s, p,
				    "JSON has no such escape");
			}
		} else if ((unsigned char)*p < 0x20) {
			return stop(s, p, *p == '\n' || *p == '\r' ?
			    "a line ends inside a string; is a quote missing?" :
			    "a control byte in a string is written as \\u00XX");
		} else {
			/* Text that is not ASCII has mostly more of it. */
			do {
				size_t n = utf8_length((const unsigned char *)p,
				    (size_t)(end - p));

				if (n == 0)
					return stop(s, p, "this is not UTF-8");
				p += n;
			} while (p < end && (unsigned char)*p >= 0x80);
		}
	}
}

static inline bool
scan_number(struct scan *s)
{
	const char *p = s->p, *end = s->end;

	if (*p == '-')
		p++;
	if (p == end || !is_digit(*p))
		return stop(s, p, "a number has a digit here");
	if (*p == '0') {
		p++;
		if (p < end && is_digit(*p))
			return stop(s, p, "a number does not begin with 0");
	} else {
		while (p < end && is_digit(*p))
			p++;
	}
	if (p < end && *p == '.') {
		p++;
		if (p == end || !is_digit(*p))
			return stop(s, p, "a digit follows the point");
		while (p < end && is_digit(*p))
			p++;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (p == end || !is_digit(*p))
			return stop(s, p, "an exponent has a digit here");
		while (p < end && is_digit(*p))
			p++;
	}
	s->p = p;
	return true;
}

static inline bool
scan_word(struct scan *s, const char *word, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (s->p + i == s->end || s->p[i] != word[i])
			return stop(s, s->p + i, "a value is true, false, "
			    "null, a number, or begins with \" [ or {");
	s->p += n;
	return true;
}

/* A value with nothing in it. */
static inline __attribute__((always_inline)) bool
scan_scalar(struct scan *s)
{
	if (*s->p == '"') {
		s->p++;
		return scan_string(s);
	}
	switch (*s->p) {
	case '-': case '0': case '1': case '2': case '3': case '4': case '5':
	case '6': case '7': case '8': case '9':
		return scan_number(s);
	case 't':
		return scan_word(s, "true", 4);
	case 'f':
		return scan_word(s, "false", 5);
	default:
		/* What is no value at all does not begin as null does. */
		return scan_word(s, "null", 4);
	}
}

/*
 * One bit for each level says whether it is an object: so nothing recurses, and
 * nothing is allocated.
 */
static inline __attribute__((always_inline)) void
level_put(uint64_t *objects, unsigned level, bool object)
{
	uint64_t bit = UINT64_C(1) << level % 64;

	if (level % 64 == 0)
		objects[level / 64] = 0;
	if (object)
		objects[level / 64] |= bit;
	else
		objects[level / 64] &= ~bit;
}

static inline bool
level_get(const uint64_t *objects, unsigned level)
{
	return objects[level / 64] >> level % 64 & 1;
}

static inline enum json_state
not_as(struct scan *s, enum json_state state, const char *why)
{
	stop(s, s->p, why);
	return state;
}

/* A member's name and the colon behind it. */
static inline __attribute__((always_inline)) bool
scan_name(struct scan *s, bool comments)
{
	if (s->p == s->end || *s->p != '"')
		return stop(s, s->p, s->p < s->end && *s->p == '}' ?
		    "no comma stands before }" :
		    "a name in double quotes is missing");
	s->p++;
	if (!scan_string(s) || !scan_space(s, comments))
		return false;
	if (s->p == s->end || *s->p != ':')
		return stop(s, s->p, "a colon follows a name");
	s->p++;
	return true;
}

static inline __attribute__((always_inline)) enum json_state
scan_text(struct scan *s, struct json_limits limits, bool comments,
    size_t *values)
{
	uint64_t objects[DEPTH_MAX / 64];
	unsigned depth = 0;
	size_t count = 0;
	bool object;

	if (limits.depth > DEPTH_MAX)
		limits.depth = DEPTH_MAX;

value:
	if (!scan_space(s, comments))
		return JSON_BROKEN;
value_here:
	if (s->p == s->end)
		return not_as(s, JSON_BROKEN, "a value is missing");
	if (count++ >= limits.values)
		return not_as(s, JSON_TOO_MANY, "there are too many values");
	if (*s->p == '{' || *s->p == '[') {
		if (depth == limits.depth)
			return not_as(s, JSON_TOO_DEEP, "this is too deeply nested");
		object = *s->p++ == '{';
		level_put(objects, depth++, object);
		if (!scan_space(s, comments))
			return JSON_BROKEN;
		if (s->p == s->end || *s->p != (object ? '}' : ']')) {
			if (object)
				goto name_here;
			goto value_here;
		}
		s->p++;
		depth--;
	} else if (!scan_scalar(s)) {
		return JSON_BROKEN;
	}

after:
	if (!scan_space(s, comments))
		return JSON_BROKEN;
	if (depth == 0) {
		*values = count;
		return s->p == s->end ? JSON_OK : not_as(s, JSON_BROKEN,
		    "the text has ended before this");
	}
	object = level_get(objects, depth - 1);
	if (s->p == s->end)
		return not_as(s, JSON_BROKEN, object ? "an object does not end" :
		    "an array does not end");
	if (*s->p != ',') {
		if (*s->p != (object ? '}' : ']'))
			return not_as(s, JSON_BROKEN, object ?
			    "a comma or } is missing before this" :
			    "a comma or ] is missing before this");
		s->p++;
		depth--;
		goto after;
	}
	s->p++;
	if (!object)
		goto value;
	if (!scan_space(s, comments))
		return JSON_BROKEN;

name_here:
	if (!scan_name(s, comments))
		return JSON_BROKEN;
	goto value;
}

enum json_state
json_scan(struct str text, struct json_limits limits, size_t *at)
{
	struct scan s;
	enum json_state state;
	size_t values;

	/* An absent text is an empty one: broken, at its first byte. */
	if (text.p == NULL)
		text = STR("");
	s = (struct scan){ text.p, text.p + text.n, NULL };
	state = scan_text(&s, limits, false, &values);
	if (state != JSON_OK && at != NULL)
		*at = (size_t)(s.p - text.p);
	return state;
}

/* --- the search ---------------------------------------------------------- */

/*
 * These walk a text that passed the scan.  Each still asks where the end is:
 * they may then find nonsense in a text that did not pass, but never leave it.
 */
static inline const char *
skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

/* p stands behind the opening quote; gives where the closing one is. */
static inline const char *
find_quote(const char *p, const char *end)
{
	for (;;) {
		p = plain_quote(p, end);
		if (p == end || *p == '"')
			return p;
		p += end - p >= 2 ? 2 : 1;
	}
}

static const char *
skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		switch (*p) {
		case '"':
			p = find_quote(p + 1, end);
			if (p < end)
				p++;
			if (depth == 0)
				return p;
			continue;
		case '{': case '[':
			depth++;
			break;
		case '}': case ']':
			if (depth == 0)
				return p;
			if (--depth == 0)
				return p + 1;
			break;
		case ',': case ' ': case '\n': case '\r': case '\t':
			if (depth == 0)
				return p;
			break;
		default:
			break;
		}
		p++;
	}
	return p;
}

/* One character of a raw string as UTF-8; 0 at its end. */
static size_t
next_char(struct str *raw, char out[4])
{
	unsigned u = 0, low = 0;
	size_t used = 2, i;
	char c;

	if (raw->n == 0)
		return 0;
	if (raw->p[0] != '\\' || raw->n < 2) {
		out[0] = raw->p[0];		/* a byte of one */
		*raw = str_skip(*raw, 1);
		return 1;
	}
	c = raw->p[1];
	switch (c) {
	case 'b': c = '\b'; break;
	case 'f': c = '\f'; break;
	case 'n': c = '\n'; break;
	case 'r': c = '\r'; break;
	case 't': c = '\t'; break;
	default: break;
	}
	if (c != 'u' || raw->n < 6) {
		out[0] = c;
		*raw = str_skip(*raw, 2);
		return 1;
	}
	for (i = 2; i < 6; i++)
		u = u << 4 | ((unsigned)hex_digit(raw->p[i]) & 15);
	used = 6;
	if (u >= 0xd800 && u <= 0xdbff && raw->n >= 12 && raw->p[6] == '\\' &&
	    raw->p[7] == 'u') {
		for (i = 8; i < 12; i++)
			low = low << 4 | ((unsigned)hex_digit(raw->p[i]) & 15);
	}
	*raw = str_skip(*raw, used);
	if (low >= 0xdc00 && low <= 0xdfff) {
		*raw = str_skip(*raw, 6);
		u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
	} else if (u >= 0xd800 && u <= 0xdfff) {
		u = 0xfffd;			/* one half of a pair */
	}
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		out[0] = (char)(0xc0 | u >> 6);
		out[1] = (char)(0x80 | (u & 63));
		return 2;
	}
	if (u < 0x10000) {
		out[0] = (char)(0xe0 | u >> 12);
		out[1] = (char)(0x80 | (u >> 6 & 63));
		out[2] = (char)(0x80 | (u & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | u >> 18);
	out[1] = (char)(0x80 | (u >> 12 & 63));
	out[2] = (char)(0x80 | (u >> 6 & 63));
	out[3] = (char)(0x80 | (u & 63));
	return 4;
}

static bool
name_is(struct str raw, struct str name)
{
	char c[4];
	size_t n;

	if (str_find(raw, '\\') < 0)
		return str_eq(raw, name);
	while ((n = next_char(&raw, c)) > 0) {
		if (!str_starts(name, (struct str){ c, n }))
			return false;
		name = str_skip(name, n);
	}
	return name.n == 0;
}

/* The value of the one member of that name; NULL when none or several. */
static const char *
find_member(const char *p, const char *end, struct str name, bool *several)
{
	const char *found = NULL, *quote;

	*several = false;
	if (p == end || *p != '{')
		return NULL;
	p = skip_space(p + 1, end);
	while (p < end && *p == '"') {
		struct str raw;

		quote = find_quote(p + 1, end);
		raw = (struct str){ p + 1, (size_t)(quote - p - 1) };
		p = skip_space(quote < end ? quote + 1 : end, end);
		if (p == end || *p != ':')
			return NULL;
		p = skip_space(p + 1, end);
		if (name_is(raw, name)) {
			if ((*several = found != NULL))
				return NULL;
			found = p;
		}
		p = skip_space(skip_value(p, end), end);
		if (p == end || *p != ',')
			break;
		p = skip_space(p + 1, end);
	}
	return found;
}

static const char *
find_element(const char *p, const char *end, uint64_t i)
{
	if (p == end || *p != '[')
		return NULL;
	p = skip_space(p + 1, end);
	if (p < end && *p == ']')
		return NULL;
	for (; i > 0; i--) {
		p = skip_space(skip_value(p, end), end);
		if (p == end || *p != ',')
			return NULL;
		p = skip_space(p + 1, end);
	}
	return p;
}

/*
 * Takes one step off a path: a name, or an index.  false when it is no path.
 * What follows a step is the end, a dot and a name, or a bracket.
 */
static bool
path_step(struct str *path, bool first, struct str *name, bool *index,
    uint64_t *i)
{
	struct str rest = *path;
	ptrdiff_t close;
	size_t n;

	*index = false;
	if (str_starts(rest, STR("["))) {
		if ((close = str_find(rest, ']')) < 0 ||
		    !str_to_u64(str_skip(str_head(rest, (size_t)close), 1), i))
			return false;
		*index = true;
		*path = str_skip(rest, (size_t)close + 1);
		return true;
	}
	if (!first) {
		if (!str_starts(rest, STR(".")))
			return false;
		rest = str_skip(rest, 1);
	}
	if (str_starts(rest, STR("\""))) {
		rest = str_skip(rest, 1);
		if ((close = str_find(rest, '"')) < 0)
			return false;
		*name = str_head(rest, (size_t)close);
		*path = str_skip(rest, (size_t)close + 1);
		return true;
	}
	for (n = 0; n < rest.n && rest.p[n] != '.' && rest.p[n] != '['; n++)
		;
	*name = str_head(rest, n);
	*path = str_skip(rest, n);
	return n > 0;
}

bool
json_is_path(struct str path)
{
	bool first = true, index;
	struct str name;
	uint64_t i;

	if (path.n == 0)
		return false;
	for (; path.n > 0; first = false)
		if (!path_step(&path, first, &name, &index, &i))
			return false;
	return true;
}

static enum json_kind
kind_of(char c)
{
	switch (c) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't': case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return c == '-' || is_digit(c) ? JSON_NUMBER : JSON_NONE;
	}
}

/* What stands at p: a string without its quotes. */
static enum json_kind
raw_value(const char *p, const char *end, struct str *raw)
{
	enum json_kind kind = kind_of(*p);
	const char *stop_at;

	if (kind == JSON_NONE)
		return JSON_NONE;
	if (kind == JSON_STRING)
		stop_at = find_quote(++p, end);
	else
		stop_at = skip_value(p, end);
	*raw = (struct str){ p, (size_t)(stop_at - p) };
	return kind;
}

/* Where the path leads; NULL: nowhere, or *several: to more than one place. */
static const char *
follow(struct str text, struct str path, bool *several)
{
	const char *p, *end;
	bool first = true, index;
	struct str name;
	uint64_t i;

	*several = false;
	if (text.n == 0 || path.n == 0)
		return NULL;
	end = text.p + text.n;
	p = skip_space(text.p, end);
	while (path.n > 0) {
		if (!path_step(&path, first, &name, &index, &i))
			return NULL;
		p = index ? find_element(p, end, i) :
		    find_member(p, end, name, several);
		if (p == NULL || p == end)
			return NULL;
		first = false;
	}
	return p;
}

enum json_kind
json_find(struct str text, struct str path, struct str *raw)
{
	bool several;
	const char *p = follow(text, path, &several);

	*raw = STR_NONE;
	return p == NULL ? JSON_NONE : raw_value(p, text.p + text.n, raw);
}

bool
json_has(struct str text, struct str path)
{
	bool several;

	return follow(text, path, &several) != NULL || several;
}

enum json_kind
json_next(struct str array, size_t *at, struct str *raw)
{
	const char *p, *end;
	enum json_kind kind;

	*raw = STR_NONE;
	if (*at >= array.n || (*at == 0 && array.p[0] != '['))
		return JSON_NONE;
	end = array.p + array.n;
	p = skip_space(array.p + *at + (*at == 0 ? 1 : 0), end);
	if (*at > 0) {
		if (p == end || *p != ',')
			return JSON_NONE;
		p = skip_space(p + 1, end);
	}
	if (p == end || (kind = raw_value(p, end, raw)) == JSON_NONE)
		return JSON_NONE;
	*at = (size_t)(skip_value(p, end) - array.p);
	return kind;
}

struct str
json_unescape(struct arena *a, struct str raw)
{
	char *p, c[4];
	size_t n, have = 0;

	if (str_find(raw, '\\') < 0)
		return raw.p == NULL ? STR("") : raw;
	/* Never longer: six bytes of an escape are at most three. */
	if ((p = arena_bytes(a, raw.n + 1)) == NULL)
		return STR_NONE;
	while ((n = next_char(&raw, c)) > 0) {
		memcpy(p + have, c, n);
		have += n;
	}
	p[have] = '\0';
	return (struct str){ p, have };
}

/* --- our own and the operator's files ------------------------------------- */

/*
 * Where a value stands; json-c keeps a pointer to it with each value.  json-c's
 * null is no object but NULL, which has no place and is taken for "not there":
 * so a null of the text is an object of ours in the tree, known by its kind.
 */
struct place {
	size_t		 name;		/* of its name; of itself elsewhere */
	size_t		 begin;
	size_t		 end;
	enum json_kind	 kind;
	/* Of an object: the member that was asked for last and its number, so that
	 * going through them in order costs one step each. */
	struct lh_entry	*last;
	size_t		 nlast;
};

struct json_doc {
	struct json_object *root;
	struct place	*places;
	size_t		 nplaces;
	char		*name;
	struct str	 text;		/* our copy, a NUL behind it */
};

static const struct json_limits file_limits = { 64, 1000 * 1000 };

static struct place *
place_of(const struct json_object *o)
{
	/* json-c asks for one that it could change, and does not. */
	return json_object_get_userdata((struct json_object *)o);
}

/* On to a byte of the text.  Columns count characters, as editors do. */
static void
where_move(struct json_where *w, struct str text, size_t to)
{
	if (w->line == 0 || w->at > to)
		*w = (struct json_where){ .line = 1, .column = 1 };
	for (; w->at < to && w->at < text.n; w->at++) {
		if (text.p[w->at] == '\n') {
			w->line++;
			w->column = 1;
		} else if (((unsigned char)text.p[w->at] & 0xc0) != 0x80) {
			w->column++;
		}
	}
}

/* "name:line:column: sentence". */
static int __attribute__((format(printf, 5, 0)))
error_at(struct err *e, const char *name, struct str text, size_t at,
    const char *fmt, va_list ap)
{
	struct json_where w = { 0 };
	char sentence[400];

	where_move(&w, text, at);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	return err_set(e, ERR_CONF, "%s:%zu:%zu: %s", name, w.line, w.column,
	    sentence);
}

static int __attribute__((format(printf, 4, 5)))
refuse(struct err *e, const struct json_doc *d, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_at(e, d->name, d->text, at, fmt, ap);
	va_end(ap);
	return -1;
}

/* Comments become spaces, so that what is left is RFC 8259. */
static void
blank_comments(char *p, char *end)
{
	while (p < end) {
		char *from = p;

		if (*p == '"') {
			p += find_quote(p + 1, end) - p + 1;
		} else if (*p == '/') {
			/* The scan has seen that it ends. */
			if (p[1] == '*')
				p = (char *)memmem(p + 2, (size_t)(end - p - 2),
				    "*/", 2) + 2;
			else
				while (p < end && *p != '\n')
					p++;
			memset(from, ' ', (size_t)(p - from));
		} else {
			p++;
		}
	}
}

/* The walk along text and tree. */
struct walk {
	struct json_doc	*doc;
	const char	*begin;		/* of the text without comments */
	const char	*p;
	const char	*end;
	struct arena	*names;
	struct err	*e;
};

static struct str
walk_name(struct walk *w, const char **at)
{
	struct str raw;

	*at = w->p;
	raw.p = w->p + 1;
	raw.n = (size_t)(find_quote(raw.p, w->end) - raw.p);
	w->p = skip_space(raw.p + raw.n + 1, w->end);	/* at the colon */
	w->p = skip_space(w->p + 1, w->end);
	return raw;
}

static bool
walk_comma(struct walk *w)
{
	bool more;

	w->p = skip_space(w->p, w->end);
	more = *w->p == ',';
	w->p++;
	if (more)
		w->p = skip_space(w->p, w->end);
	return more;
}

/*
 * json-c keeps the last of two equal names, so an object of the tree then has
 * fewer members than that of the text.  Only then is the place looked for.
 */
static int
check_names(struct walk *w, const struct json_object *o)
{
	const char *start = w->p, *at;
	size_t count = 0;

	do {
		struct str raw = walk_name(w, &at), name;

		name = json_unescape(w->names, raw);
		if (name.p == NULL)
			return err_set(w->e, ERR_OS, "no memory for %s",
			    w->doc->name);
		if (str_find(name, '\0') >= 0)
			return refuse(w->e, w->doc, (size_t)(at - w->begin),
			    "a name may not hold \\u0000");
		w->p = skip_value(w->p, w->end);
		count++;
	} while (walk_comma(w));
	w->p = start;
	if (count == (size_t)json_object_object_length(o))
		return 0;

	do {
		struct str one = json_unescape(w->names, walk_name(w, &at));
		const char *here;

		w->p = skip_value(w->p, w->end);
		for (here = w->p; walk_comma(w); w->p = skip_value(w->p,
		    w->end)) {
			const char *again;
			struct str raw = walk_name(w, &again);

			if (one.p != NULL && name_is(raw, one))
				return refuse(w->e, w->doc,
				    (size_t)(again - w->begin),
				    "the name \"%.*s%s\" stands here for the "
				    "second time", STR_ARG(str_head(raw, 60)),
				    raw.n > 60 ? "..." : "");
		}
		w->p = here;
	} while (walk_comma(w));
	return refuse(w->e, w->doc, (size_t)(start - w->begin),
	    "two names in this object are equal");
}

static int	walk_value(struct walk *, struct json_object **, const char *);

static int
walk_object(struct walk *w, struct json_object *o)
{
	const char *at;

	w->p = skip_space(w->p + 1, w->end);
	if (*w->p == '}') {
		w->p++;
		return 0;
	}
	if (check_names(w, o) == -1)
		return -1;
	do {
		struct str name = json_unescape(w->names, walk_name(w, &at));
		struct json_object *value, *was;
		const char *cstr;

		if (name.p == NULL ||
		    (cstr = arena_str(w->names, name).p) == NULL)
			return err_set(w->e, ERR_OS, "no memory for %s",
			    w->doc->name);
		if (!json_object_object_get_ex(o, cstr, &value))
			return refuse(w->e, w->doc, (size_t)(at - w->begin),
			    "this name cannot be read");
		was = value;
		if (walk_value(w, &value, at) == -1)
			return -1;
		if (value != was &&
		    json_object_object_add(o, cstr, value) != 0) {
			json_object_put(value);
			return err_set(w->e, ERR_OS, "no memory for %s",
			    w->doc->name);
		}
	} while (walk_comma(w));
	return 0;
}

static int
walk_array(struct walk *w, struct json_object *o)
{
	size_t i = 0;

	w->p = skip_space(w->p + 1, w->end);
	if (*w->p == ']') {
		w->p++;
		return 0;
	}
	do {
		struct json_object *value = json_object_array_get_idx(o, i);
		struct json_object *was = value;

		if (walk_value(w, &value, w->p) == -1)
			return -1;
		if (value != was &&
		    json_object_array_put_idx(o, i, value) != 0) {
			json_object_put(value);
			return err_set(w->e, ERR_OS, "no memory for %s",
			    w->doc->name);
		}
		i++;
	} while (walk_comma(w));
	return 0;
}

/* *value becomes ours when it was null.  Depth is bounded by file_limits. */
static int
walk_value(struct walk *w, struct json_object **value, const char *name)
{
	static const json_type types[] = {
		[JSON_NULL] = json_type_null,
		[JSON_BOOL] = json_type_boolean,
		[JSON_STRING] = json_type_string,
		[JSON_ARRAY] = json_type_array,
		[JSON_OBJECT] = json_type_object,
	};
	struct place *place = &w->doc->places[w->doc->nplaces];
	json_type type = json_object_get_type(*value);
	enum json_kind kind = kind_of(*w->p);
	int r = 0;

	if (kind == JSON_NUMBER ? type != json_type_int &&
	    type != json_type_double : type != types[kind])
		return refuse(w->e, w->doc, (size_t)(w->p - w->begin),
		    "this value cannot be read");
	if (kind == JSON_NULL &&
	    (*value = json_object_new_boolean(0)) == NULL)
		return err_set(w->e, ERR_OS, "no memory for %s", w->doc->name);
	w->doc->nplaces++;
	place->kind = kind;
	place->name = (size_t)(name - w->begin);
	place->begin = (size_t)(w->p - w->begin);
	/* A double keeps its text there, to be printed by; we print nothing. */
	if (type == json_type_double)
		json_object_set_serializer(*value, NULL, NULL, NULL);
	json_object_set_userdata(*value, place, NULL);
	if (kind == JSON_OBJECT)
		r = walk_object(w, *value);
	else if (kind == JSON_ARRAY)
		r = walk_array(w, *value);
	else
		w->p = skip_value(w->p, w->end);
	place->end = (size_t)(w->p - w->begin);
	return r;
}

struct json_doc *
json_read(struct str text, const char *name, struct err *e)
{
	struct json_tokener *tok = NULL;
	struct json_doc *d = NULL;
	char *copy = NULL, *bare = NULL;
	struct arena *names = NULL;
	struct walk w;
	struct scan s;
	size_t values = 0;
	bool good = false;

	if (text.n >= INT32_MAX / 2) {
		err_set(e, ERR_CONF, "%s: this is too long", name);
		return NULL;
	}
	if ((d = calloc(1, sizeof(*d))) == NULL ||
	    (d->name = strdup(name)) == NULL ||
	    (copy = malloc(text.n + 2)) == NULL ||
	    (bare = malloc(text.n + 2)) == NULL ||
	    (names = arena_new(text.n * 4 + 64 * 1024)) == NULL) {
		err_set(e, ERR_OS, "no memory for %s", name);
		goto out;
	}
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	memset(copy + text.n, 0, 2);
	d->text = (struct str){ copy, text.n };
	copy = NULL;

	s = (struct scan){ d->text.p, d->text.p + text.n, NULL };
	if (scan_text(&s, file_limits, true, &values) != JSON_OK) {
		if (s.p == d->text.p && str_starts(text, STR("\xef\xbb\xbf")))
			s.why = "the file begins with a byte order mark; save "
			    "it as UTF-8 without one";
		refuse(e, d, (size_t)(s.p - d->text.p), "%s", s.why);
		goto out;
	}
	memcpy(bare, d->text.p, text.n + 2);
	blank_comments(bare, bare + text.n);

	d->places = calloc(values, sizeof(*d->places));
	tok = json_tokener_new_ex((int)file_limits.depth + 1);
	if (d->places == NULL || tok == NULL) {
		err_set(e, ERR_OS, "no memory for %s", name);
		goto out;
	}
	/* With its NUL: a bare number ends only there. */
	d->root = json_tokener_parse_ex(tok, bare, (int)text.n + 1);
	if (json_tokener_get_error(tok) != json_tokener_success) {
		refuse(e, d, json_tokener_get_parse_end(tok), "%s",
		    json_tokener_error_desc(json_tokener_get_error(tok)));
		goto out;
	}
	w = (struct walk){ d, bare, skip_space(bare, bare + text.n),
		bare + text.n, names, e };
	good = walk_value(&w, &d->root, w.p) == 0;
out:
	arena_free(names);
	if (tok != NULL)	/* it does not take NULL */
		json_tokener_free(tok);
	free(bare);
	free(copy);
	if (!good) {
		json_close(d);
		d = NULL;
	}
	return d;
}

void
json_close(struct json_doc *d)
{
	char *text;

	if (d == NULL)
		return;
	json_object_put(d->root);
	free(d->places);
	free(d->name);
	/* A configuration may hold "plain:" secrets. */
	text = (char *)d->text.p;
	if (text != NULL)
		explicit_bzero(text, d->text.n);
	free(text);
	free(d);
}

const struct json_object *
json_root(const struct json_doc *d)
{
	return d->root;
}

enum json_kind
json_kind(const struct json_object *o)
{
	return o == NULL ? JSON_NONE : place_of(o)->kind;
}

struct str
json_text(const struct json_object *o)
{
	if (json_kind(o) != JSON_STRING)
		return STR_NONE;
	return (struct str){ json_object_get_string((struct json_object *)o),
		(size_t)json_object_get_string_len(o) };
}

int64_t
json_int(const struct json_object *o)
{
	return json_kind(o) == JSON_NUMBER ? json_object_get_int64(o) : 0;
}

bool
json_is_int(const struct json_object *o)
{
	int64_t v;

	if (json_kind(o) != JSON_NUMBER ||
	    json_object_get_type(o) != json_type_int)
		return false;
	/* json-c bends what is too large to the ends, so they mean nothing. */
	v = json_object_get_int64(o);
	return v != INT64_MAX && v != INT64_MIN;
}

bool
json_bool(const struct json_object *o)
{
	return json_kind(o) == JSON_BOOL && json_object_get_boolean(o);
}

size_t
json_count(const struct json_object *o)
{
	switch (json_kind(o)) {
	case JSON_OBJECT:
		return (size_t)json_object_object_length(o);
	case JSON_ARRAY:
		return json_object_array_length(o);
	default:
		return 0;
	}
}

const struct json_object *
json_member(const struct json_object *o, const char *name)
{
	struct json_object *value;

	if (json_kind(o) != JSON_OBJECT ||
	    !json_object_object_get_ex(o, name, &value))
		return NULL;
	return value;
}

const struct json_object *
json_at(const struct json_object *o, size_t i)
{
	if (json_kind(o) != JSON_ARRAY || i >= json_object_array_length(o))
		return NULL;
	return json_object_array_get_idx(o, i);
}

const struct json_object *
json_nth(const struct json_object *o, size_t i, struct str *name)
{
	struct place *place = o == NULL ? NULL : place_of(o);

	*name = STR_NONE;
	if (json_kind(o) != JSON_OBJECT || i >= json_count(o))
		return NULL;
	if (place->last == NULL || place->nlast > i) {
		place->last = json_object_get_object(o)->head;
		place->nlast = 0;
	}
	for (; place->nlast < i; place->nlast++)
		place->last = place->last->next;
	*name = str_of(lh_entry_k(place->last));
	return lh_entry_v(place->last);
}

struct str
json_source(const struct json_doc *d, const struct json_object *o)
{
	const struct place *place;

	if (o == NULL)
		return STR_NONE;
	place = place_of(o);
	return str_skip(str_head(d->text, place->end), place->begin);
}

void
json_where(const struct json_doc *d, const struct json_object *o,
    struct json_where *w)
{
	where_move(w, d->text, o == NULL ? 0 : place_of(o)->name);
}

int
json_err(const struct json_doc *d, const struct json_object *o, struct err *e,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_at(e, d->name, d->text, o == NULL ? 0 : place_of(o)->name, fmt,
	    ap);
	va_end(ap);
	return -1;
}
