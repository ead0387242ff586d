/*
 * counted.h - what one worker has counted and the courier has not been told yet.
 *
 * Counting is a few instructions in memory of the worker's own: no lock, no system
 * call.  Once a second, while there is something new, all of it goes to the courier in
 * as few messages as it takes, and the counting begins anew.  While the courier is away
 * it is kept, within its bound (STATS_WORKER).
 */
#ifndef COUNTED_H
#define COUNTED_H

#include "link.h"
#include "stats.h"

#define COUNTED_MS	1000		/* between two tellings */

struct counted;

struct counted	*counted_new(void);		/* NULL without memory */
void		 counted_free(struct counted *);	/* takes NULL */

/* A request was answered, us after it was whole.  verdict: a word, or STATS_NONE. */
void		 counted_request(struct counted *, struct str hook, int status,
		    struct str verdict, int64_t us);
void		 counted_refused(struct counted *, struct str hook, struct str reason);
void		 counted_match(struct counted *, struct str hook, struct str secret);

/* As handler_reloaded(): it is told as soon as may be, and on each connection. */
void		 counted_reloaded(struct counted *, bool ok, int64_t at);
/* The connection has ended: the next courier knows nothing. */
void		 counted_lost(struct counted *);

/* Puts all of it into a link that is up; what does not fit is kept. */
void		 counted_tell(struct counted *, struct link *);
/*
 * The same when it is time.  *next: when to call again, in steady ms.  true: the link
 * has something to send.
 */
bool		 counted_tick(struct counted *, struct link *, int64_t now,
		    int64_t *next);

#endif
