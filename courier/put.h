/*
 * put.h - one event on its way through the courier.
 *
 *	door --> store --> door			(store.h)
 *
 * The door makes it from a message and frees it when it was answered; between,
 * it belongs to whoever holds it.  The event's strings point into text.
 */
#ifndef COURIER_PUT_H
#define COURIER_PUT_H

#include <sys/mman.h>

#include "../event.h"
#include "../wire.h"

struct conn;

struct put {
	struct put		*next;		/* in the queue where it is */
	struct put		*next_long;	/* the door's, of the long ones */
	struct conn		*conn;		/* whom to answer */
	uint64_t		 ticket;
	int64_t			 arrived;	/* steady ms */
	struct event		 event;
	bool			 is_long;	/* its body is in event.body_fd */

	/* The outcome. */
	enum wire_refusal	 refusal;	/* 0: stored, as follows */
	const char		*why;		/* of a refusal; a constant */
	struct stored		 stored;
	bool			 kept;		/* a new row holds it */
	bool			 asked;		/* destinations come before its answer */
	int64_t			 until;		/* steady ms: then those have no more time */
	struct spoken		*spoken;	/* what one of them says, freed with it;
						 * NULL: the usual answer */

	char			*claim;		/* the engine's: where its body was
						 * put (claim.h); from malloc */

	size_t			 n;
	char			 text[];
};

/* A long body is looked at where it lies: the descriptor is sealed. */
static inline bool
put_body_open(struct put *p)
{
	void *at;

	if (!p->is_long)
		return true;
	at = mmap(NULL, p->event.size, PROT_READ, MAP_PRIVATE, p->event.body_fd, 0);
	if (at == MAP_FAILED)
		return false;
	p->event.body = (struct str){ at, p->event.size };
	return true;
}

static inline void
put_body_close(struct put *p)
{
	if (!p->is_long || p->event.body.p == NULL)
		return;
	munmap((void *)(uintptr_t)p->event.body.p, p->event.size);
	p->event.body = STR_NONE;
}

/* A row of them, first in first out. */
struct puts {
	struct put	*first;
	struct put	**last;
	size_t		 n;
	size_t		 bytes;
};

static inline void
puts_init(struct puts *q)
{
	q->first = NULL;
	q->last = &q->first;
	q->n = q->bytes = 0;
}

static inline void
puts_add(struct puts *q, struct put *p)
{
	p->next = NULL;
	*q->last = p;
	q->last = &p->next;
	q->n++;
	q->bytes += p->n;
}

static inline struct put *
puts_pop(struct puts *q)
{
	struct put *p = q->first;

	if (p == NULL)
		return NULL;
	if ((q->first = p->next) == NULL)
		q->last = &q->first;
	q->n--;
	q->bytes -= p->n;
	return p;
}

/* All of from to the end of to. */
static inline void
puts_move(struct puts *to, struct puts *from)
{
	if (from->first == NULL)
		return;
	*to->last = from->first;
	to->last = from->last;
	to->n += from->n;
	to->bytes += from->bytes;
	puts_init(from);
}

#endif
