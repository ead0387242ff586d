/* buf.c - bytes being written. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "plain.h"
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
buf_num(struct buf *b, int64_t v)
{
	char text[20], *p = text + sizeof(text);
	uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (v < 0)
		*--p = '-';
	buf_put(b, (struct str){ p, (size_t)(text + sizeof(text) - p) });
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

static void
put_escape(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char u[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	size_t n = 2;

	switch (c) {
	case '"': case '\\':
		u[1] = (char)c;
		break;
	case '\n':
		u[1] = 'n';
		break;
	case '\r':
		u[1] = 'r';
		break;
	case '\t':
		u[1] = 't';
		break;
	default:
		n = sizeof(u);
	}
	buf_put(b, (struct str){ u, n });
}

/* How many bytes of other than ASCII stand as they are; *bare: they are a control. */
static size_t
foreign(const char *p, size_t n, bool *bare)
{
	const unsigned char *at = (const unsigned char *)p;
	size_t len = utf8_length(at, n);

	/* U+0080 to U+009F are controls too, of a terminal. */
	*bare = len == 2 && at[0] == 0xc2 && at[1] < 0xa0;
	return len;
}

void
buf_json(struct buf *b, struct str s)
{
	const char *p = s.p, *end = s.p + s.n, *from = p;

	buf_putc(b, '"');
	while ((p = plain_end(p, end, true)) < end) {
		bool control = false;
		size_t n = foreign(p, (size_t)(end - p), &control);

		if (n > 0 && !control) {
			p += n;
			continue;
		}
		buf_put(b, (struct str){ from, (size_t)(p - from) });
		if (control)
			put_escape(b, (unsigned char)p[1]);
		else if ((unsigned char)*p < 0x80)
			put_escape(b, (unsigned char)*p);
		else
			buf_put(b, STR("\xef\xbf\xbd"));
		p += control ? n : 1;
		from = p;
	}
	buf_put(b, (struct str){ from, (size_t)(end - from) });
	buf_putc(b, '"');
}
