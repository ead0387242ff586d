/* arena.c - blocks, handed out from the front. */
#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define FIRST	((size_t)16 * 1024)
#define ALIGN	alignof(max_align_t)

struct block {
	struct block	*next;
	size_t		 size;		/* of bytes */
	size_t		 used;
	alignas(max_align_t) char bytes[];
};

struct arena {
	size_t		 limit;
	size_t		 used;
	bool		 full;
	struct block	*first;		/* kept by arena_reset() */
	struct block	*last;		/* the one that is handed out from */
};

static struct block *
block_new(size_t size)
{
	struct block *b = malloc(sizeof(*b) + size);

	if (b == NULL)
		return NULL;
	b->next = NULL;
	b->size = size;
	b->used = 0;
	return b;
}

struct arena *
arena_new(size_t limit)
{
	struct arena *a = malloc(sizeof(*a));

	if (a == NULL)
		return NULL;
	a->limit = limit;
	a->used = 0;
	a->full = false;
	a->first = a->last = block_new(FIRST);
	if (a->first == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

void
arena_reset(struct arena *a)
{
	struct block *b, *next;

	for (b = a->first->next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	a->first->next = NULL;
	a->first->used = 0;
	a->last = a->first;
	a->used = 0;
	a->full = false;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	arena_reset(a);
	free(a->first);
	free(a);
}

void
arena_wipe(struct arena *a)
{
	if (a == NULL)
		return;
	for (struct block *b = a->first; b != NULL; b = b->next)
		explicit_bzero(b->bytes, b->used);
	arena_free(a);
}

static char *
refuse(struct arena *a)
{
	a->full = true;
	return NULL;
}

/* n bytes at a multiple of align, a power of two; the gap is not counted. */
static char *
take(struct arena *a, size_t n, size_t align)
{
	struct block *b = a->last;
	size_t gap = (align - b->used % align) % align;
	char *p;

	if (n > a->limit - a->used)
		return refuse(a);
	if (gap > b->size - b->used || n > b->size - b->used - gap) {
		size_t size = b->size < FIRST * 16 ? b->size * 2 : FIRST * 16;

		b = block_new(n > size ? n : size);
		if (b == NULL)
			return refuse(a);
		/*
		 * What is large gets a block of its own behind the current one,
		 * so that the room left there is not lost.
		 */
		if (n > size / 2) {
			b->next = a->last->next;
			a->last->next = b;
		} else {
			b->next = a->last->next;
			a->last->next = b;
			a->last = b;
		}
		gap = 0;
	}
	p = b->bytes + b->used + gap;
	b->used += gap + n;
	a->used += n;
	return p;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	char *p = take(a, n, ALIGN);

	if (p != NULL)
		memset(p, 0, n);
	return p;
}

char *
arena_bytes(struct arena *a, size_t n)
{
	return take(a, n, 1);
}

struct str
arena_str(struct arena *a, struct str s)
{
	char *p;

	if (s.n == SIZE_MAX || (p = arena_bytes(a, s.n + 1)) == NULL)
		return STR_NONE;
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){ p, s.n };
}

struct str
arena_join(struct arena *a, const struct str *parts, size_t n)
{
	size_t size = 0, at = 0;
	char *p;

	for (size_t i = 0; i < n; i++) {
		if (parts[i].n > SIZE_MAX - 1 - size)
			return STR_NONE;
		size += parts[i].n;
	}
	if ((p = arena_bytes(a, size + 1)) == NULL)
		return STR_NONE;
	for (size_t i = 0; i < n; at += parts[i++].n)
		if (parts[i].n > 0)
			memcpy(p + at, parts[i].p, parts[i].n);
	p[size] = '\0';
	return (struct str){ p, size };
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (p = arena_bytes(a, (size_t)n + 1)) == NULL)
		return STR_NONE;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (struct str){ p, (size_t)n };
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}

bool
arena_full(const struct arena *a)
{
	return a->full;
}
