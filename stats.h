/*
 * stats.h - what happened, counted: known to both sides of the wall.
 *
 * All families of series stand in one table (stats.c).  From it come what is counted,
 * what crosses the wall, the text that Prometheus reads, the JSON and the table of
 * "hooklatch stats", and docs/metrics.md.
 *
 *	worker: a small struct stats --series, each second--> courier: the sums
 *
 * A worker counts into memory of its own, without a lock or a system call, and sends
 * what is new (link_counters()); the courier adds up.  So a worker that dies takes with
 * it at most what it had not sent, and no counter ever goes down but when the courier
 * starts anew, at zero.
 *
 * Labels are words of the configuration (hooks, names of secrets, destinations) or of
 * fixed lists, never of a stranger, and never a secret (promise 7).  What a struct
 * stats may hold is said at its birth (promise 8): a hook that comes when it is full
 * is counted under the hook STATS_OTHER.
 */
#ifndef STATS_H
#define STATS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define STATS_LABELS		3
#define STATS_LABEL_MAX		256	/* bytes of a value; what is longer is cut */
#define STATS_NONE		"none"	/* the hook of a request that found none */
#define STATS_OTHER		"other"	/* all hooks that there was no room for */
#define STATS_MESSAGE		(60u * 1024)	/* of series in one message */
#define STATS_TEXT_MAX		(8u * 1024 * 1024)	/* of one answer */

/* How many series, and bytes of labels.  The courier's text is at most 4 MiB then. */
#define STATS_COURIER		8192, (1024u * 1024)
#define STATS_WORKER		2048, (256u * 1024)

enum stats_id {
	STATS_REQUESTS,
	STATS_REFUSED,
	STATS_MATCHES,
	STATS_REQUEST_SECONDS,
	STATS_EVENTS,
	STATS_REPEATS,
	STATS_MARKED,
	STATS_COMMIT_SECONDS,
	STATS_BATCH_EVENTS,
	STATS_QUEUE,
	STATS_QUEUE_OLDEST,
	STATS_INBOX_READY,
	STATS_INBOX_ROOM,
	STATS_ATTEMPTS,
	STATS_ATTEMPT_SECONDS,
	STATS_DELIVERIES,
	STATS_WAITING,
	STATS_WAITING_OLDEST,
	STATS_DEAD,
	STATS_WORKERS,
	STATS_RELOAD,
	STATS_RELOAD_TIME,
	STATS_BUILD,
	STATS_START,
	STATS_OVERFLOW,
	STATS_COUNT
};

struct stats;

/* At most so many series, and bytes of their labels.  NULL without memory. */
struct stats	*stats_new(size_t most, size_t bytes);
void		 stats_free(struct stats *);		/* takes NULL */
void		 stats_clear(struct stats *);		/* nothing was counted */
bool		 stats_empty(const struct stats *);
bool		 stats_half(const struct stats *);	/* it is time to send */
size_t		 stats_count(const struct stats *);	/* series that it holds */

/*
 * labels: as many as the family has.  Counters are added to, gauges are set, values of
 * histograms are observed: in the unit that the family's row says (us, ms, 1).
 */
void	stats_add(struct stats *, enum stats_id, const struct str *labels, uint64_t);
void	stats_set(struct stats *, enum stats_id, const struct str *labels, uint64_t);
void	stats_observe(struct stats *, enum stats_id, const struct str *labels,
	    uint64_t);
#define STATS_NO_LABELS		((const struct str *)NULL)

/* --- across the wall -------------------------------------------------------- */

/*
 * Series, one behind the other, from the place *at on, until the buf holds about
 * most bytes.  *at 0: from the first.  false: there is nothing more.
 */
bool	stats_put(const struct stats *, struct buf *, size_t *at, size_t most);
/*
 * Adds what stats_put() wrote.  worker: it came from a worker, who may count only
 * what is its own.  -1: it is not that; what stood before it is counted.
 */
int	stats_get(struct stats *, struct str series, bool worker);

/* --- shown -------------------------------------------------------------------- */

/* Of Prometheus' text format 0.0.4, in the order of the table, then of labels. */
void	stats_text(const struct stats *, struct buf *);
#define STATS_TEXT_TYPE	"text/plain; version=0.0.4; charset=utf-8"
/* One object: a name -> a list of series, each with its labels and its value. */
void	stats_json(const struct stats *, struct buf *);
/* For a person. */
void	stats_table(const struct stats *, struct buf *);
void	stats_manual(struct buf *);	/* the table of docs/metrics.md */

#endif
