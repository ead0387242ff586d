/*
 * attempt.h - one try to hand one event on to one destination.
 *
 *	delivery --> exec or http --> delivery
 *
 * delivery.c makes it from a row of the inbox and frees it when its outcome was
 * written down; between, it belongs to the sender that has it.  A sender tells what
 * came of it and judges nothing else: whether and when to try again is delivery.c's.
 */
#ifndef COURIER_ATTEMPT_H
#define COURIER_ATTEMPT_H

#include "../base/arena.h"
#include "../base/buf.h"
#include "../conf.h"
#include "../event.h"
#include "../wire.h"

#define ATTEMPT_OUTPUT	4096		/* bytes of output that are kept */
#define ATTEMPT_SENTENCE 200

struct attempt {
	struct attempt	*next;		/* in the row where it is */
	const struct destination *to;	/* outlives it */
	const struct bundle *secrets;	/* what the destination names; likewise */
	struct event	 event;		/* its body inline, or in body_fd */
	uint64_t	 delivery;	/* deliveries.n */
	uint64_t	 number;	/* 1: the first for this delivery */
	int64_t		 at;		/* ms since 1970 */
	int64_t		 began;		/* steady ms */
	int64_t		 timeout;	/* ms; the destination's, or what a request has left */

	/* What came of it: the sender's. */
	enum outcome	 outcome;
	int		 code;		/* exit status or HTTP status; -1: none */
	int64_t		 took;		/* ms */
	int64_t		 retry_after;	/* ms that the destination asked for; 0 */
	char		 sentence[ATTEMPT_SENTENCE];	/* without secrets */
	struct buf	 output;	/* its first bytes, at most its limit */
	bool		 beside;	/* another's request was its: what became of that
					 * counts once for the destination */

	/* Where what it says goes back to the sender; limit 0: it does not. */
	struct buf	 answer;	/* all of it */
	unsigned	 status;	/* of HTTP */
	char		 type[SPOKEN_TYPE + 1];	/* Content-Type */
	struct buf	 headers;	/* more lines */

	void		*sender;	/* of the sender, while it has it */
	struct arena	*arena;		/* the event's strings live here */
};

/* What a sender calls, from its own thread, once for each attempt it was given. */
struct attempt_taker {
	void		(*ended)(void *arg, struct attempt *);
	void		*arg;
};

/* printf into the sentence; what is longer is cut. */
void	attempt_say(struct attempt *, enum outcome, int code, const char *fmt, ...)
	    __attribute__((format(printf, 4, 5)));
/* Frees it and all that it holds; takes NULL. */
void	attempt_free(struct attempt *);

#endif
