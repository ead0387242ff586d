/*
 * rewrite.c - see rewrite.h.
 */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/json.h"
#include "cli/rewrite.h"

#define REWRITE_MAX	((size_t)64 << 20)

struct rewriting {
	const char	*says;
	struct str	(*make)(const struct rewriting *, struct str, struct arena *);
	/* Of JSON: spaces, and what becomes of text. */
	enum { SPACES_KEPT, SPACES_NONE, SPACES_WIDE, SPACES_TWO, SPACES_FOUR,
	    SPACES_TAB } spaces;
	unsigned	 text;
};

/* What a library does to the characters of a string. */
enum {
	TEXT_ASCII = 1,		/* "\u00e9" */
	TEXT_UTF8 = 2,		/* the character itself */
	TEXT_SLASH = 4,		/* "\/" */
	TEXT_BARE_SLASH = 8,	/* "/" */
	TEXT_HTML = 16,		/* "\u003c" for <, >, & */
};

static struct str
taken(struct buf *b, struct arena *a)
{
	struct str out = buf_ok(b) ? arena_str(a, buf_str(b)) : STR_NONE;

	buf_free(b);
	return out;
}

/* --- JSON, written anew --------------------------------------------------------- */

/* The character that begins at p, of which *n bytes are read; 0: none that is told. */
static uint32_t
utf8_read(const char *p, size_t left, size_t *n)
{
	const unsigned char *s = (const unsigned char *)p;
	size_t more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
	uint32_t c = s[0] & (0x3fu >> more);

	*n = 1;
	if (more == 0 || more >= left)
		return 0;
	for (size_t i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	*n = more + 1;
	return c;
}

static void
utf8_write(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(b, (char)c);
	} else if (c < 0x800) {
		buf_putc(b, (char)(0xc0 | c >> 6));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_putc(b, (char)(0xe0 | c >> 12));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(b, (char)(0xf0 | c >> 18));
		buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	}
}

static void
escape(struct buf *b, uint32_t c)
{
	if (c < 0x10000) {
		buf_printf(b, "\\u%04x", c);
		return;
	}
	c -= 0x10000;
	buf_printf(b, "\\u%04x\\u%04x", 0xd800 | c >> 10, 0xdc00 | (c & 0x3ff));
}

static int
unit(const char *p, size_t left)
{
	int n = 0;

	if (left < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		int d = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' :
		    (p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f' ?
		    (p[i] | 0x20) - 'a' + 10 : -1;

		if (d < 0)
			return -1;
		n = n << 4 | d;
	}
	return n;
}

/* An escape that is read; how many bytes, 0: it stays as it is. */
static size_t
unescape(struct buf *b, const char *p, size_t left, unsigned text)
{
	int high = unit(p, left), low;

	if (left >= 2 && p[1] == '/' && (text & TEXT_BARE_SLASH) != 0) {
		buf_putc(b, '/');
		return 2;
	}
	if ((text & TEXT_UTF8) == 0 || high < 0x80)
		return 0;
	if (high < 0xd800 || high > 0xdfff) {
		utf8_write(b, (uint32_t)high);
		return 6;
	}
	low = unit(p + 6, left - 6);
	if (high > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return 0;
	utf8_write(b, 0x10000 + ((uint32_t)(high & 0x3ff) << 10 |
	    (uint32_t)(low & 0x3ff)));
	return 12;
}

/* A string from behind its quote to its end; how many bytes it is. */
static size_t
put_string(struct buf *b, struct str s, unsigned text)
{
	size_t i = 0, n;
	uint32_t c;

	while (i < s.n && s.p[i] != '"') {
		n = 1;
		if (s.p[i] == '\\') {
			n = unescape(b, s.p + i, s.n - i, text);
			if (n == 0) {
				n = s.n - i < 2 ? 1 : 2;
				buf_put(b, (struct str){ s.p + i, n });
			}
		} else if (s.p[i] == '/' && (text & TEXT_SLASH) != 0) {
			buf_put(b, STR("\\/"));
		} else if (strchr("<>&", s.p[i]) != NULL && s.p[i] != '\0' &&
		    (text & TEXT_HTML) != 0) {
			escape(b, (unsigned char)s.p[i]);
		} else if ((unsigned char)s.p[i] >= 0x80 && (text & TEXT_ASCII) != 0 &&
		    (c = utf8_read(s.p + i, s.n - i, &n)) != 0) {
			escape(b, c);
		} else {
			n = 1;
			buf_putc(b, s.p[i]);
		}
		i += n;
	}
	return i;
}

static void
new_line(struct buf *b, const struct rewriting *how, size_t depth)
{
	buf_putc(b, '\n');
	for (size_t i = 0; i < depth; i++)
		buf_put(b, how->spaces == SPACES_TWO ? STR("  ") :
		    how->spaces == SPACES_FOUR ? STR("    ") : STR("\t"));
}

static struct str
json_anew(const struct rewriting *how, struct str body, struct arena *a)
{
	static const struct json_limits limits = { 1000, SIZE_MAX };
	bool lines = how->spaces >= SPACES_TWO, open = false;
	struct buf b = BUF(REWRITE_MAX);
	size_t depth = 0;

	if (json_scan(body, limits, NULL) != JSON_OK)
		return STR_NONE;
	for (size_t i = 0; i < body.n; i++) {
		char c = body.p[i];

		if (strchr(" \t\r\n", c) != NULL && c != '\0') {
			if (how->spaces == SPACES_KEPT)
				buf_putc(&b, c);
			continue;
		}
		if (lines && (c == '}' || c == ']')) {
			depth--;
			if (!open)
				new_line(&b, how, depth);
		} else if (lines && open) {
			new_line(&b, how, depth);
		}
		open = c == '{' || c == '[';
		buf_putc(&b, c);
		if (c == '"') {
			i += put_string(&b, str_skip(body, i + 1), how->text) + 1;
			buf_putc(&b, '"');
		} else if (open) {
			depth++;
		} else if (c == ',' && lines) {
			new_line(&b, how, depth);
		} else if ((c == ',' && how->spaces == SPACES_WIDE) ||
		    (c == ':' && how->spaces >= SPACES_WIDE)) {
			buf_putc(&b, ' ');
		}
	}
	return taken(&b, a);
}

/* --- lines, forms, wrappings ------------------------------------------------------ */

static struct str
without_end(const struct rewriting *how, struct str body, struct arena *a)
{
	(void)how;
	(void)a;
	while (body.n > 0 && strchr(" \t\r\n", body.p[body.n - 1]) != NULL)
		body.n--;
	return body;
}

static struct str
with_newline(const struct rewriting *how, struct str body, struct arena *a)
{
	(void)how;
	return arena_join(a, (const struct str[]){ body, STR("\n") }, 2);
}

static struct str
unix_lines(const struct rewriting *how, struct str body, struct arena *a)
{
	struct buf b = BUF(REWRITE_MAX);

	(void)how;
	for (size_t i = 0; i < body.n; i++)
		if (body.p[i] != '\r' || i + 1 == body.n || body.p[i + 1] != '\n')
			buf_putc(&b, body.p[i]);
	return taken(&b, a);
}

static struct str
dos_lines(const struct rewriting *how, struct str body, struct arena *a)
{
	struct buf b = BUF(REWRITE_MAX);

	(void)how;
	for (size_t i = 0; i < body.n; i++) {
		if (body.p[i] == '\n' && (i == 0 || body.p[i - 1] != '\r'))
			buf_putc(&b, '\r');
		buf_putc(&b, body.p[i]);
	}
	return taken(&b, a);
}

static struct str
without_mark(const struct rewriting *how, struct str body, struct arena *a)
{
	(void)how;
	(void)a;
	return str_starts(body, STR("\xef\xbb\xbf")) ? str_skip(body, 3) : STR_NONE;
}

static struct str
unwrapped(const struct rewriting *how, struct str body, struct arena *a)
{
	char *p = arena_bytes(a, BASE64_ROOM(body.n));
	struct str b = without_end(how, body, a);
	size_t n;

	return p != NULL && b.n > 0 && base64_decode(b, p, BASE64_ROOM(body.n), &n) ?
	    (struct str){ p, n } : STR_NONE;
}

static struct str
from_latin1(const struct rewriting *how, struct str body, struct arena *a)
{
	struct buf b = BUF(REWRITE_MAX);

	(void)how;
	for (size_t i = 0, n; i < body.n; i += n) {
		uint32_t c = (unsigned char)body.p[i] < 0x80 ?
		    (unsigned char)body.p[i] : utf8_read(body.p + i, body.n - i, &n);

		if ((unsigned char)body.p[i] < 0x80)
			n = 1;
		if (c > 0xff || (c == 0 && body.p[i] != '\0')) {
			buf_free(&b);
			return STR_NONE;
		}
		buf_putc(&b, (char)c);
	}
	return taken(&b, a);
}

static struct str
to_utf8(const struct rewriting *how, struct str body, struct arena *a)
{
	struct buf b = BUF(REWRITE_MAX);

	(void)how;
	for (size_t i = 0; i < body.n; i++)
		utf8_write(&b, (unsigned char)body.p[i]);
	return taken(&b, a);
}

static bool
is_form(struct str body)
{
	return body.n > 0 && body.p[0] != '{' && body.p[0] != '[' &&
	    body.p[0] != '<' && str_find(body, '=') != -1;
}

static struct str
plus_for_space(const struct rewriting *how, struct str body, struct arena *a)
{
	struct buf b = BUF(REWRITE_MAX);

	(void)how;
	if (!is_form(body))
		return STR_NONE;
	for (size_t i = 0; i < body.n; i++)
		if (str_starts(str_skip(body, i), STR("%20"))) {
			buf_putc(&b, '+');
			i += 2;
		} else {
			buf_putc(&b, body.p[i]);
		}
	return taken(&b, a);
}

static struct str
percent_for_space(const struct rewriting *how, struct str body, struct arena *a)
{
	struct buf b = BUF(REWRITE_MAX);

	(void)how;
	if (!is_form(body))
		return STR_NONE;
	for (size_t i = 0; i < body.n; i++)
		buf_put(&b, body.p[i] == '+' ? STR("%20") : str_head(str_skip(body,
		    i), 1));
	return taken(&b, a);
}

/* The digits behind a percent in small or in capital letters. */
static struct str
percent_case(struct str body, struct arena *a, bool small)
{
	struct buf b = BUF(REWRITE_MAX);
	size_t left = 0;

	if (!is_form(body))
		return STR_NONE;
	for (size_t i = 0; i < body.n; i++) {
		char c = body.p[i];

		if (left > 0 && small && c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		else if (left > 0 && !small && c >= 'a' && c <= 'f')
			c = (char)(c - 'a' + 'A');
		left = body.p[i] == '%' ? 2 : left > 0 ? left - 1 : 0;
		buf_putc(&b, c);
	}
	return taken(&b, a);
}

static struct str
small_percents(const struct rewriting *how, struct str body, struct arena *a)
{
	(void)how;
	return percent_case(body, a, true);
}

static struct str
capital_percents(const struct rewriting *how, struct str body, struct arena *a)
{
	(void)how;
	return percent_case(body, a, false);
}

static struct str
decoded_form(const struct rewriting *how, struct str body, struct arena *a)
{
	(void)how;
	return is_form(body) ? url_decode(a, body, true) : STR_NONE;
}

static struct str
nothing(const struct rewriting *how, struct str body, struct arena *a)
{
	(void)how;
	(void)body;
	(void)a;
	return STR("");
}

/* --- the table ---------------------------------------------------------------------- */

#define OTHER(says, make)	{ says, make, SPACES_KEPT, 0 }
#define JSON(says, spaces, text) { says, json_anew, spaces, text }

static const struct rewriting rewritings[] = {
	JSON("JSON without spaces (JSON.stringify, json.Marshal)", SPACES_NONE, 0),
	JSON("JSON with \", \" and \": \" (Python's json.dumps)", SPACES_WIDE, 0),
	OTHER("without the line's end behind it", without_end),
	OTHER("with a line's end behind it", with_newline),
	OTHER("lines that end in LF, not CR LF", unix_lines),
	OTHER("lines that end in CR LF, not LF", dos_lines),
	OTHER("without the byte order mark in front", without_mark),
	JSON("JSON indented by two spaces", SPACES_TWO, 0),
	JSON("JSON indented by four spaces", SPACES_FOUR, 0),
	JSON("JSON indented by tabs", SPACES_TAB, 0),
	JSON("JSON with \\u for what is not ASCII", SPACES_KEPT, TEXT_ASCII),
	JSON("JSON in UTF-8, without \\u", SPACES_KEPT, TEXT_UTF8),
	JSON("JSON with / written \\/", SPACES_KEPT, TEXT_SLASH),
	JSON("JSON with \\/ written /", SPACES_KEPT, TEXT_BARE_SLASH),
	JSON("JSON with <, > and & as \\u (Go)", SPACES_KEPT, TEXT_HTML),
	JSON("JSON without spaces, in UTF-8, without \\u", SPACES_NONE, TEXT_UTF8),
	JSON("JSON without spaces, with \\u for what is not ASCII", SPACES_NONE,
	    TEXT_ASCII),
	JSON("JSON as PHP's json_encode writes it", SPACES_NONE,
	    TEXT_ASCII | TEXT_SLASH),
	JSON("JSON without spaces, / written \\/", SPACES_NONE, TEXT_SLASH),
	JSON("JSON without spaces, \\/ written /", SPACES_NONE, TEXT_BARE_SLASH),
	JSON("JSON without spaces, in UTF-8, \\/ written /", SPACES_NONE,
	    TEXT_UTF8 | TEXT_BARE_SLASH),
	JSON("JSON without spaces, with <, > and & as \\u (Go)", SPACES_NONE,
	    TEXT_HTML),
	JSON("JSON as Python's json.dumps writes it, with \\u for what is not ASCII",
	    SPACES_WIDE, TEXT_ASCII),
	JSON("JSON as Python's json.dumps writes it, in UTF-8", SPACES_WIDE,
	    TEXT_UTF8),
	OTHER("a form with + for spaces, not %20", plus_for_space),
	OTHER("a form with %20 for spaces, not +", percent_for_space),
	OTHER("a form with %xx in small letters", small_percents),
	OTHER("a form with %XX in capital letters", capital_percents),
	OTHER("the form decoded", decoded_form),
	OTHER("what its base64 holds (API gateways wrap bodies so)", unwrapped),
	OTHER("ISO 8859-1, not UTF-8", from_latin1),
	OTHER("UTF-8, not ISO 8859-1", to_utf8),
	OTHER("nothing: an empty body", nothing),
};

const struct rewriting *
rewriting_at(size_t i)
{
	return i < sizeof(rewritings) / sizeof(rewritings[0]) ? &rewritings[i] : NULL;
}

const char *
rewriting_says(const struct rewriting *how)
{
	return how->says;
}

struct str
rewrite(const struct rewriting *how, struct str body, struct arena *a)
{
	return how->make(how, body, a);
}
