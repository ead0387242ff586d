/*
 * delivery.h - hands events on: what is due goes to its destination's sender, what came
 * of it is written down, what failed waits for its next turn.
 *
 *	batch: commit --wake--> delivery: what is due, by the ledger
 *	                         |  load the event, make an attempt
 *	                         v
 *	                        exec, http: a sender --ended--> delivery: judge
 *	                                                         |  done, dead, or later
 *	                         batch: the next commit <--order-'
 *	                         '--written--> delivery: the next one of its key may go
 *
 * One thread.  It holds no more than what is under way: the queue is the inbox, and a
 * courier that is killed finds it there (promise 5).  For each destination there is a
 * lane: how many are under way, whether it is paused, and its circuit.
 *
 * The circuit: after CIRCUIT_FAILURES failures one after the other, whatever events they
 * were, the lane is closed for as long as a retry would wait, at most CIRCUIT_MOST; then
 * one attempt shows whether it is open again. So a destination that is away costs no
 * event its tries.
 *
 * An event whose sender must not be answered before some of its destinations have it
 * (modes before_answer and answer) is asked for by the door once it is stored:
 *
 *	door --delivery_ask--> all before_answer, beside each other --> answer --> told
 *	                         |  one failed, or out of time            |
 *	                         '--> told: refused                       '--> its fallback
 *
 * Repeats that come meanwhile wait with the first. What is done is written down, with
 * what the sender is to be told, before it is told: the next repeat is told the same.
 */
#ifndef COURIER_DELIVERY_H
#define COURIER_DELIVERY_H

#include "batch.h"
#include "half.h"
#include "inbox.h"
#include "put.h"
#include "totals.h"

#define CIRCUIT_FAILURES	5
#define CIRCUIT_MOST		60000		/* ms */
#define DELIVERY_MOST		1024		/* attempts under way, in all */
#define DELIVERY_MEMORY		(64u << 20)	/* bytes of their events */

struct delivery;

/*
 * The half is taken over; so is that of a reload.  The rest outlives it.  Without an
 * inbox (both NULL) nothing is handed on but what is asked for, and nothing of it is
 * remembered: each request has all of it made.
 */
struct delivery	*delivery_start(struct inbox *, struct batch *, struct totals *,
		    struct half *, struct log *, struct err *);
void		 delivery_reload(struct delivery *, struct half *);
/* Something may be due that was not: from any thread. */
void		 delivery_wake(void *delivery);
/*
 * Ends what is under way, which is tried again after the next start; its outcomes go to
 * the batch, which must be stopped after this and before delivery_free().
 */
void		 delivery_stop(struct delivery *);	/* takes NULL */
void		 delivery_free(struct delivery *);	/* takes NULL */

/*
 * What of a put's event comes before its answer; it is stored, or a repeat.  Until it is
 * back by delivery_take() it is ours: with a refusal, or with what is to be said.
 * false: too many, or we stop; it stays the caller's.
 */
bool		 delivery_ask(struct delivery *, struct put *);
bool		 delivery_remembers(const struct delivery *);
int		 delivery_fd(const struct delivery *);	/* readable: some are back */
void		 delivery_take(struct delivery *, struct puts *);
/* No more are taken; how many are not back. */
size_t		 delivery_drain(struct delivery *);

/* What its memory says of a destination; false: it is not in the configuration. */
struct delivery_lane {
	unsigned	running;
	int64_t		closed_for;	/* ms that the circuit stays closed; 0 */
};
bool		 delivery_look(struct delivery *, struct str destination,
		    struct delivery_lane *);

#endif
