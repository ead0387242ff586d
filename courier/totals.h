/*
 * totals.h - what all processes have counted, added up: stats.h with a lock.
 *
 *	workers --WIRE_COUNTERS--> totals_take()	requests, refusals, secrets
 *	batch.c, delivery.c, main.c --> totals_*()	the courier's own
 *	/metrics, "hooklatch stats" <-- totals_say()
 *
 * Any thread may call; none of it waits for a disk or a socket.  It lives as long as
 * the process and begins at zero with it.
 */
#ifndef COURIER_TOTALS_H
#define COURIER_TOTALS_H

#include "../stats.h"
#include "../wire.h"
#include "attempt.h"
#include "put.h"

struct totals;
struct batch;

struct totals	*totals_new(void);		/* NULL without memory */
void		 totals_free(struct totals *);	/* takes NULL */

/* Whose state is shown too.  It must outlive all who may ask. */
void	totals_watch(struct totals *, struct batch *);

/* What a worker has counted; -1: it is none. */
int	totals_take(struct totals *, struct str series);
void	totals_workers(struct totals *, int more);	/* 1: came, -1: went */

/* A batch that is synced, and how long that took. */
void	totals_batch(struct totals *, const struct puts *, int64_t us);
void	totals_reload(struct totals *, bool ok);

/* --- deliveries: delivery.c calls these --------------------------------------- */

/* An attempt has ended, as its sender said. */
void	totals_attempt(struct totals *, struct str destination, enum outcome,
	    int64_t ms);
/* A delivery has ended, and that is written down: done, or dead. */
void	totals_delivery(struct totals *, struct str destination, bool done);
/*
 * Where a destination stands: how many wait for their turn, since when the oldest does
 * (ms since 1970; 0: none waits), and how many dead ones are kept.
 */
void	totals_waiting(struct totals *, struct str destination, uint64_t waiting,
	    int64_t oldest, uint64_t dead);

/* --- shown ---------------------------------------------------------------------- */

/* All of it in a sealed memfd; -1 and a sentence. */
int	totals_say(struct totals *, enum wire_counters how, struct err *);

#endif
