/* str.c - views of bytes. */
#include <string.h>

#include <openssl/crypto.h>

#include "str.h"

static inline unsigned char
lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

struct str
str_of(const char *cstr)
{
	if (cstr == NULL)
		return STR_NONE;
	return (struct str){ cstr, strlen(cstr) };
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_eq_nocase(struct str a, struct str b)
{
	return a.n == b.n && str_starts_nocase(a, b);
}

bool
str_eq_secret(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	return a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0;
}

bool
str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n &&
	    (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool
str_starts_nocase(struct str s, struct str prefix)
{
	size_t i;

	if (s.n < prefix.n)
		return false;
	for (i = 0; i < prefix.n; i++)
		if (lower(s.p[i]) != lower(prefix.p[i]))
			return false;
	return true;
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 ||
	    memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

int
str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (c != 0)
		return c < 0 ? -1 : 1;
	return (a.n > b.n) - (a.n < b.n);
}

struct str
str_cut(struct str *rest, char sep)
{
	struct str whole = *rest;
	ptrdiff_t at = str_find(whole, sep);

	if (at < 0) {
		*rest = STR_NONE;
		return whole;
	}
	*rest = str_skip(whole, (size_t)at + 1);
	return str_head(whole, (size_t)at);
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

struct str
str_skip(struct str s, size_t n)
{
	if (s.p == NULL)
		return s;
	if (n > s.n)
		n = s.n;
	return (struct str){ s.p + n, s.n - n };
}

struct str
str_head(struct str s, size_t n)
{
	return (struct str){ s.p, n < s.n ? n : s.n };
}

ptrdiff_t
str_find(struct str s, char c)
{
	const char *at;

	if (s.n == 0)
		return -1;
	at = memchr(s.p, c, s.n);
	return at == NULL ? -1 : at - s.p;
}

bool
str_to_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (s.n == 0)
		return false;
	for (i = 0; i < s.n; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';

		if (d > 9 || v > UINT64_MAX / 10 || v * 10 > UINT64_MAX - d)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

bool
str_printable(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
			return false;
	return s.n > 0;
}

/*
 * One row of the table, on the stack: this finds the nearest known key for a
 * sentence, so longer words are cut, which only makes them look more alike.
 */
bool
str_like(struct str s, struct str pattern)
{
	size_t i = 0, j = 0, star = SIZE_MAX, from = 0;

	while (i < s.n) {
		if (j < pattern.n && pattern.p[j] == '*') {
			star = j++;
			from = i;
		} else if (j < pattern.n && pattern.p[j] == s.p[i]) {
			i++;
			j++;
		} else if (star != SIZE_MAX) {
			/* The last star takes one byte more. */
			j = star + 1;
			i = ++from;
		} else {
			return false;
		}
	}
	while (j < pattern.n && pattern.p[j] == '*')
		j++;
	return j == pattern.n;
}

size_t
str_distance(struct str a, struct str b)
{
	size_t row[65], i, j;

	a = str_head(a, 64);
	b = str_head(b, 64);
	for (j = 0; j <= b.n; j++)
		row[j] = j;
	for (i = 1; i <= a.n; i++) {
		size_t corner = row[0];		/* row[j - 1] of the row above */

		row[0] = i;
		for (j = 1; j <= b.n; j++) {
			size_t best = corner +
			    (lower(a.p[i - 1]) != lower(b.p[j - 1]));

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.n];
}
