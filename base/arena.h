/*
 * arena.h - the memory of one thing that ends all at once.
 *
 * The road of a request frees nothing, so it cannot forget to: what it needs
 * comes from the request's arena and goes with arena_reset().  An arena is born
 * with its limit, in bytes handed out; at the limit arena_alloc() gives NULL
 * and the caller refuses the work, it does not abort.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "str.h"

struct arena;

/* NULL when there is no memory.  Ended by arena_free(), which takes NULL. */
struct arena	*arena_new(size_t limit);
void		 arena_free(struct arena *);
/* The same, of an arena that holds secrets: nothing of it stays behind. */
void		 arena_wipe(struct arena *);

/* Everything handed out is gone; the first block (16 KiB) is kept. */
void		 arena_reset(struct arena *);

/* Zeroed and aligned for any type; NULL at the limit. */
void		*arena_alloc(struct arena *, size_t);

/* Not zeroed: for bytes that are about to be written over. */
char		*arena_bytes(struct arena *, size_t);

/* A copy with a NUL after it that n does not count; .p NULL at the limit. */
struct str	 arena_str(struct arena *, struct str);

/* n texts, one behind the other, whatever bytes they are; likewise. */
struct str	 arena_join(struct arena *, const struct str *, size_t n);

/* Formatted; .p NULL at the limit. */
struct str	 arena_printf(struct arena *, const char *fmt, ...)
		    __attribute__((format(printf, 2, 3)));

/* Bytes handed out since the last reset. */
size_t		 arena_used(const struct arena *);

/*
 * Was anything refused since the last reset?  Then what could not be had may look as
 * if it were not there.
 */
bool		 arena_full(const struct arena *);

#endif
