/*
 * store.h - where events are kept, as the door sees it: something that takes a put
 * and gives it back with its outcome.
 *
 *	door --give--> store ... --fd becomes readable--> take --> door answers
 *
 * There are two: the SQLite inbox (store_sqlite.c: batch.h with bodies.h in front)
 * and an engine elsewhere (engine.h).  Each has its own threads; the calls below are
 * the door's alone and wait for nothing but a lock that is held for a moment.
 *
 * An outcome is stored (p->refusal 0) only when the store has it durably: promise 1
 * is the store's to keep.
 */
#ifndef COURIER_STORE_H
#define COURIER_STORE_H

#include "limits.h"
#include "put.h"

struct store;

struct store_counters {
	uint64_t	events, repeats, refused, batches, bytes, largest;
};

struct store_kind {
	/* false: too much waits; the put stays the caller's. */
	bool	(*give)(struct store *, struct put *);
	int	(*fd)(const struct store *);	/* readable: outcomes wait */
	void	(*take)(struct store *, struct puts *);		/* all of them */
	/*
	 * Could an event of size bytes be taken now?  0, or why not: *why is always
	 * a text, good until the next call.  size 0: of any ordinary size.
	 */
	enum wire_refusal (*health)(struct store *, uint64_t size,
	    const char **why);
	/* patience: ms that an event may wait in it. */
	void	(*limit)(struct store *, const struct inbox_limits *,
	    int64_t patience);
	struct store_counters (*counters)(struct store *);
	/* What waits is tried to its end.  Outcomes may still wait. */
	void	(*stop)(struct store *);
	void	(*free)(struct store *);	/* after stop */
};

/* The first member of each store. */
struct store {
	const struct store_kind	*kind;
};

#endif
