/*
 * delivery_parts.h - what delivery.c and asking.c share, and nobody else.
 *
 * One thread, of delivery.c, has all of it but what stands under the lock.  delivery.c
 * makes attempts of what is due in the inbox; asking.c has them made for events whose
 * sender still waits for an answer.
 */
#ifndef COURIER_DELIVERY_PARTS_H
#define COURIER_DELIVERY_PARTS_H

#include <pthread.h>

#include "attempt.h"
#include "delivery.h"
#include "ledger.h"

/* One attempt on its way; the first member is what senders see. */
struct job {
	struct attempt	 attempt;
	struct order	 order;
	struct delivery	*delivery;
	struct lane	*lane;
	struct half	*half;
	struct job	*next;
	struct str	 key;		/* .p NULL: it has none */
	uint64_t	 tries;		/* before this one; with it, when it counts */
	int64_t		 since;		/* ms since 1970 */
	size_t		 bytes;
	bool		 given;		/* its destination was asked */
	struct asking	*asking;	/* inside a request; NULL: from the inbox */
	struct piece	*piece;		/* of that */
	bool		 speaks;	/* what its sender is told is written with it */

	/* What it comes to. */
	enum delivery_state state;
	int64_t		 due;
	bool		 noted;		/* it is written down */
};

struct lane {
	struct lane	*next;
	struct str	 name;		/* ours */
	const struct destination *to;	/* of the half; NULL: there is none now */
	struct job	*jobs;		/* under way, or not written down */
	unsigned	 njobs;
	_Atomic unsigned running;
	bool		 look;		/* something may be due */
	int64_t		 next_due;	/* ms since 1970, or NEVER */
	int64_t		 day;		/* since 1970, of which is spent; 0: none */
	int64_t		 told;		/* the day of which it was said to be over */
	uint64_t	 spent;		/* attempts, where there is a cap */
	unsigned	 failures;	/* one after the other */
	_Atomic int64_t	 closed_until;	/* steady ms, or 0 */
};

struct delivery {
	struct inbox	*inbox;		/* NULL, as the next two: there is none */
	struct inbox_side *side;
	struct batch	*batch;
	struct totals	*totals;
	struct log	*log;
	struct exec	*exec;
	struct http	*http;
	pthread_t	 thread;
	bool		 started;

	pthread_mutex_t	 lock;		/* of all until the empty line, and of lanes */
	pthread_cond_t	 work;
	struct attempt	*ended;		/* by a sender */
	struct job	*written;	/* by the batch; through job->next */
	struct puts	 asked;		/* by the door: to be delivered first */
	struct puts	 told;		/* to the door */
	struct asking	*spoken;	/* by the batch; through asking->next_spoken */
	size_t		 nasked;	/* asked and not told */
	size_t		 nbytes;	/* of their events */
	bool		 draining;
	bool		 awake;
	bool		 stop;
	struct half	*next_half;

	struct half	*half;		/* the thread's own, as what follows */
	struct lane	*lanes;
	struct asking	*askings;
	unsigned	 running;
	size_t		 bytes;
	int64_t		 census_at;	/* steady ms */
	int64_t		 asking_at;	/* steady ms: when the next is out of time */
	int		 fd;		/* an eventfd: told holds something */
};

/* --- delivery.c's, for asking.c --- */

/* How many more may be begun now. */
unsigned	 lane_room(const struct delivery *, const struct lane *, int64_t steady);
/* Is it paused?  -1: it cannot be asked now. */
int		 lane_paused(const struct lane *, sqlite3 *);
/*
 * Begins an attempt; asking and piece: for whom, or NULL, and how long it may take.
 * db: NULL without an inbox, then the event is the asking's.  false: not now.
 */
bool		 job_begin(struct delivery *, struct lane *, sqlite3 *,
		    const struct ledger_row *, struct asking *, struct piece *,
		    int64_t timeout);
sqlite3_stmt	*delivery_query(sqlite3 *, const char *sql, struct str name, int64_t now);

/* --- asking.c's, for delivery.c --- */

/* Who was asked for, from the door. */
void		 asking_take(struct delivery *, struct puts *);
/* An attempt before it is begun: what room its answer has. */
void		 asking_prepare(struct job *);
/* Its event, where no inbox has it.  1, or -1: no memory. */
int		 asking_event(struct job *);
/* What an attempt came to, before and after it is written down. */
void		 asking_judged(struct job *);
int		 asking_write(struct job *, struct ledger *, int64_t now);
void		 asking_written(struct job *);
/* Those whose fallback is written. */
void		 asking_spoken(struct asking *);
/* What can go on does, who is out of time is told.  Once for each turn. */
void		 asking_turn(struct delivery *);
/* We stop: all who wait are told. */
void		 asking_stop(struct delivery *);
void		 asking_free_all(struct delivery *);

#endif
