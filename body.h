/*
 * body.h - where a request's body lies.
 *
 * Up to EVENT_INLINE bytes: in the request's arena.  More: in a memfd that is
 * mapped, sealed once it is full, and handed to the courier as it is; the bytes
 * of a large body are never copied on their way to the disk's file.
 */
#ifndef BODY_H
#define BODY_H

#include "request.h"

/* Room for n bytes, to be filled to the last.  NULL: there is none. */
char	*body_open(struct request *, size_t n);
/* It is full: from now on it is read only, and q->body is it.  -1: no. */
int	 body_seal(struct request *, char *room, size_t n);
/* Before the arena is reset. */
void	 body_close(struct request *);

#endif
