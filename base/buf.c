/* buf.c - bytes being written. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "utf8.h"

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = BUF(b->limit);
}

void
buf_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->bad = false;
}

bool
buf_ok(const struct buf *b)
{
	return !b->bad;
}

struct str
buf_str(const struct buf *b)
{
	/* Empty is not absent, even when nothing was ever written. */
	return (struct str){ b->p == NULL ? "" : b->p, b->n };
}

char *
buf_take(struct buf *b, size_t n)
{
	char *p;

	if (b->bad)
		return NULL;
	if (b->n > b->limit || n > b->limit - b->n) {
		b->bad = true;
		return NULL;
	}
	if (b->p == NULL || n > b->cap - b->n) {
		size_t cap = b->cap < 128 ? 256 : b->cap;

		while (cap - b->n < n && cap <= SIZE_MAX / 2)
			cap *= 2;
		if (cap > b->limit)
			cap = b->limit;
		/* A limit of 0 still gives a pointer for 0 bytes. */
		if ((p = realloc(b->p, cap == 0 ? 1 : cap)) == NULL) {
			b->bad = true;
			return NULL;
		}
		b->p = p;
		b->cap = cap;
	}
	p = b->p + b->n;
	b->n += n;
	return p;
}

void
buf_put(struct buf *b, struct str s)
{
	char *p = buf_take(b, s.n);

	if (p != NULL && s.n > 0)
		memcpy(p, s.p, s.n);
}

void
buf_putc(struct buf *b, char c)
{
	char *p;

	if (!b->bad && b->n < b->cap) {
		b->p[b->n++] = c;
		return;
	}
	if ((p = buf_take(b, 1)) != NULL)
		*p = c;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[512], *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->bad = true;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		buf_put(b, (struct str){ small, (size_t)n });
		return;
	}
	/* vsnprintf() ends with a NUL, which must fit and is not counted. */
	if ((p = buf_take(b, (size_t)n + 1)) == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n--;
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
}

void
buf_json(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, plain = 0;

	buf_putc(b, '"');
	while (i < s.n) {
		unsigned char c = p[i];
		size_t n;

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			i++;
			continue;
		}
		if (c >= 0x80 && (n = utf8_length(p + i, s.n - i)) > 0) {
			/* U+0080 to U+009F are controls too, of a terminal. */
			if (c != 0xc2 || p[i + 1] >= 0xa0) {
				i += n;
				continue;
			}
		}
		buf_put(b, (struct str){ s.p + plain, i - plain });
		i++;
		if (c == '"' || c == '\\') {
			buf_putc(b, '\\');
			buf_putc(b, (char)c);
		} else if (c == '\n') {
			buf_put(b, STR("\\n"));
		} else if (c == '\r') {
			buf_put(b, STR("\\r"));
		} else if (c == '\t') {
			buf_put(b, STR("\\t"));
		} else if (c < 0x80) {
			char u[6] = { '\\', 'u', '0', '0', hex[c >> 4],
				hex[c & 15] };

			buf_put(b, (struct str){ u, sizeof(u) });
		} else if (c == 0xc2 && i < s.n && p[i] >= 0x80 &&
		    p[i] < 0xa0) {
			char u[6] = { '\\', 'u', '0', '0', hex[p[i] >> 4],
				hex[p[i] & 15] };

			buf_put(b, (struct str){ u, sizeof(u) });
			i++;
		} else {
			buf_put(b, STR("\xef\xbf\xbd"));
		}
		plain = i;
	}
	buf_put(b, (struct str){ s.p + plain, i - plain });
	buf_putc(b, '"');
}
