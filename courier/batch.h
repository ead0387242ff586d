/*
 * batch.h - the group commit: one thread that owns the inbox and writes.
 *
 *	for ever: wait for the first event; take the write lock; take all events
 *	that have arrived; put each; sync once; tell the outcomes.
 *
 * There is no timer and no linger: while one batch is synced the next gathers, so
 * the busier the disk or the senders, the larger the batches.  What the thread
 * does beside that (settling, retention, checkpoints) it does between batches.
 *
 * Orders are what else is to be written: what came of an attempt, what an operator
 * wants.  They go with the events into the same transaction, and what failed is done
 * again in a later one: an order says what is to be, not what to add.
 *
 * An event is refused, not kept waiting: when the inbox is not sound or full, when
 * the write lock is somebody else's for too long, when a reader holds the log
 * past its bound.
 */
#ifndef COURIER_BATCH_H
#define COURIER_BATCH_H

#include "inbox.h"
#include "store.h"
#include "totals.h"

#define BATCH_QUEUE	(64u * 1024 * 1024)	/* bytes that may wait */
#ifdef BENCH_ONE_COMMIT			/* script/bench: what batching is worth */
#define BATCH_EVENTS	1
#else
#define BATCH_EVENTS	1024			/* in one transaction */
#endif
#define BATCH_BYTES	(16u * 1024 * 1024)

struct batch;

/*
 * Settles the inbox once (INBOX_WRONG is an error, anything else is tried again by
 * the thread) and starts.  patience: ms that an event may wait for the lock.
 */
struct batch	*batch_start(struct inbox *, struct totals *, struct log *,
		    int64_t patience, struct err *);
/* What waits is committed, the log is checkpointed.  Outcomes may still wait. */
void		 batch_stop(struct batch *);
void		 batch_free(struct batch *);		/* stopped; takes NULL */

/* false: too much waits; the put stays the caller's. */
bool		 batch_give(struct batch *, struct put *);
/* One that comes from bodies.c: refused there, or to be committed. */
void		 batch_written(void *, struct put *);

int		 batch_fd(const struct batch *);	/* readable: outcomes wait */
void		 batch_take(struct batch *, struct puts *);	/* all of them */

/*
 * Could an event of size bytes be taken now?  0, or why not.  Asked for a long
 * body it also makes retention look for that room.
 */
enum wire_refusal batch_health(struct batch *, uint64_t size, const char **why);

void		 batch_limit(struct batch *, const struct inbox_limits *,
		    int64_t patience);

struct order {
	struct order	*next;
	/* In the transaction, by the batch's thread; INBOX_OK, or the batch fails. */
	enum inbox_code	(*write)(struct order *, struct inbox *, int64_t now,
			    struct err *);
	/* When it is synced; or done is false: the courier stops. */
	void		(*written)(struct order *, bool done);
};
/* From batch_stop() on nothing new is taken: an operator's page after page has an end. */
void		 batch_order(struct batch *, struct order *);

/*
 * To be called by the batch's thread after a commit that holds new deliveries, and when
 * the inbox is sound again.  One call may still come after it was taken back.
 */
void		 batch_watch(struct batch *, void (*forwarded)(void *), void *arg);

struct store_counters batch_counters(struct batch *);

/* How it stands now. */
struct batch_state {
	size_t		waiting;	/* events */
	int64_t		oldest;		/* ms that the oldest has waited */
	uint64_t	room;		/* bytes below the limit */
};
struct batch_state batch_state(struct batch *);

#endif
