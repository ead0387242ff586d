/* codec.c - hex, base64, URL and form encodings. */
#include <string.h>

#include "codec.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
hex_decode(struct str s, void *out, size_t size, size_t *n)
{
	unsigned char *o = out;
	size_t i;

	if (s.n % 2 != 0 || s.n / 2 > size)
		return false;
	for (i = 0; i < s.n / 2; i++) {
		int high = hex_value(s.p[2 * i]);
		int low = hex_value(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		o[i] = (unsigned char)(high << 4 | low);
	}
	*n = i;
	return true;
}

struct str
hex_encode(struct arena *a, struct str s, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char *p;
	size_t i;

	if (s.n > SIZE_MAX / 2 - 1 || (p = arena_bytes(a, s.n * 2 + 1)) == NULL)
		return STR_NONE;
	for (i = 0; i < s.n; i++) {
		p[2 * i] = digits[(unsigned char)s.p[i] >> 4];
		p[2 * i + 1] = digits[(unsigned char)s.p[i] & 15];
	}
	p[2 * i] = '\0';
	return (struct str){ p, s.n * 2 };
}

static const char alphabet[2][65] = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

static int
base64_value(char c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	if (c == (url ? '_' : '/'))
		return 63;
	return -1;
}

/* Without padding: full groups of four, then none, two or three characters. */
static bool
decode64(struct str s, bool url, unsigned char *o, size_t size, size_t *n)
{
	size_t tail = s.n % 4, i, have = 0;
	uint32_t bits = 0;

	if (tail == 1 ||
	    s.n / 4 * 3 + (tail == 0 ? 0 : tail - 1) > size)
		return false;
	for (i = 0; i < s.n; i++) {
		int v = base64_value(s.p[i], url);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 == 3) {
			o[have++] = (unsigned char)(bits >> 16);
			o[have++] = (unsigned char)(bits >> 8);
			o[have++] = (unsigned char)bits;
			bits = 0;
		}
	}
	if (tail == 2) {
		if ((bits & 0xf) != 0)
			return false;
		o[have++] = (unsigned char)(bits >> 4);
	} else if (tail == 3) {
		if ((bits & 0x3) != 0)
			return false;
		o[have++] = (unsigned char)(bits >> 10);
		o[have++] = (unsigned char)(bits >> 2);
	}
	*n = have;
	return true;
}

/* Takes one or two '=' off the end of a whole number of groups. */
static struct str
unpad(struct str s)
{
	if (s.n == 0 || s.n % 4 != 0 || s.p[s.n - 1] != '=')
		return s;
	s.n--;
	if (s.p[s.n - 1] == '=')
		s.n--;
	return s;
}

bool
base64_decode(struct str s, void *out, size_t size, size_t *n)
{
	return s.n % 4 == 0 && decode64(unpad(s), false, out, size, n);
}

bool
base64url_decode(struct str s, void *out, size_t size, size_t *n)
{
	return decode64(unpad(s), true, out, size, n);
}

/* Three bytes are four letters; gives the count of letters written. */
static size_t
print64(char *p, struct str s, bool url)
{
	const char *letters = alphabet[url];
	size_t i, o = 0, left;

	for (i = 0; s.n - i >= 3; i += 3) {
		uint32_t v = (uint32_t)(unsigned char)s.p[i] << 16 |
		    (uint32_t)(unsigned char)s.p[i + 1] << 8 |
		    (uint32_t)(unsigned char)s.p[i + 2];

		p[o++] = letters[v >> 18];
		p[o++] = letters[v >> 12 & 63];
		p[o++] = letters[v >> 6 & 63];
		p[o++] = letters[v & 63];
	}
	left = s.n - i;
	if (left > 0) {
		uint32_t v = (uint32_t)(unsigned char)s.p[i] << 16;

		if (left == 2)
			v |= (uint32_t)(unsigned char)s.p[i + 1] << 8;
		p[o++] = letters[v >> 18];
		p[o++] = letters[v >> 12 & 63];
		if (left == 2)
			p[o++] = letters[v >> 6 & 63];
		while (!url && o % 4 != 0)
			p[o++] = '=';
	}
	return o;
}

void
base64_print(char *out, struct str s)
{
	print64(out, s, false);
}

static struct str
encode64(struct arena *a, struct str s, bool url)
{
	size_t n;
	char *p;

	if (s.n > SIZE_MAX / 4 * 3 - 8 ||
	    (p = arena_bytes(a, BASE64_TEXT(s.n) + 1)) == NULL)
		return STR_NONE;
	n = print64(p, s, url);
	p[n] = '\0';
	return (struct str){ p, n };
}

struct str
base64_encode(struct arena *a, struct str s)
{
	return encode64(a, s, false);
}

struct str
base64url_encode(struct arena *a, struct str s)
{
	return encode64(a, s, true);
}

struct str
url_decode(struct arena *a, struct str s, bool form)
{
	char *p = arena_bytes(a, s.n + 1);
	size_t i, o = 0;

	if (p == NULL)
		return STR_NONE;
	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%' && s.n - i > 2 && hex_value(s.p[i + 1]) >= 0 &&
		    hex_value(s.p[i + 2]) >= 0) {
			c = (char)(hex_value(s.p[i + 1]) << 4 |
			    hex_value(s.p[i + 2]));
			i += 2;
		} else if (c == '+' && form) {
			c = ' ';
		}
		p[o++] = c;
	}
	p[o] = '\0';
	return (struct str){ p, o };
}

static bool
unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

struct str
url_encode(struct arena *a, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i, o = 0, room = 1;
	char *p;

	for (i = 0; i < s.n; i++)
		room += unreserved(s.p[i]) ? 1 : 3;
	if ((p = arena_bytes(a, room)) == NULL)
		return STR_NONE;
	for (i = 0; i < s.n; i++) {
		if (unreserved(s.p[i])) {
			p[o++] = s.p[i];
			continue;
		}
		p[o++] = '%';
		p[o++] = digits[(unsigned char)s.p[i] >> 4];
		p[o++] = digits[(unsigned char)s.p[i] & 15];
	}
	p[o] = '\0';
	return (struct str){ p, o };
}

int
form_parse(struct arena *a, struct str text, size_t max, struct pair **pairs,
    size_t *n)
{
	struct str rest = text, one;
	struct pair *list;
	size_t count = 0;

	/* "a=1&&b=2" holds two pairs: an empty piece is none. */
	while (rest.p != NULL) {
		one = str_cut(&rest, '&');
		if (one.n > 0 && ++count > max)
			return -1;
	}
	list = arena_alloc(a, (count + 1) * sizeof(*list));
	if (list == NULL)
		return -1;
	count = 0;
	rest = text;
	while (rest.p != NULL) {
		struct pair *pair = &list[count];

		one = str_cut(&rest, '&');
		if (one.n == 0)
			continue;
		pair->name = url_decode(a, str_cut(&one, '='), true);
		pair->value = url_decode(a, one, true);
		if (pair->name.p == NULL || pair->value.p == NULL)
			return -1;
		count++;
	}
	*pairs = list;
	*n = count;
	return 0;
}

/* By bits and without a table: secrets are short. */
uint32_t
crc32c(struct str s)
{
	uint32_t crc = ~0U;

	for (size_t i = 0; i < s.n; i++) {
		crc ^= (unsigned char)s.p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78 & (0U - (crc & 1)));
	}
	return ~crc;
}
