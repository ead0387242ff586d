/*
 * retention.h - how long, and how much, the inbox keeps.
 *
 * Oldest first, by order of arrival, a few rows inside each batch's transaction,
 * so that it costs no sync of its own:
 *	- by age: what is older than `age`;
 *	- by bytes: pages in use + files + WAL shall stay an eighth below `bytes`,
 *	  so that what arrives finds room; nothing younger than `keep` is removed
 *	  for it.
 * What still has to be delivered stays, however old: its destination's give_up ends
 * that.  When that is not enough and `bytes` is passed, the inbox is full: events are
 * refused until age, removal by hand or a larger limit makes room.  Ids are
 * forgotten by their own clock, and only when their event is gone.
 */
#ifndef COURIER_RETENTION_H
#define COURIER_RETENTION_H

#include "inbox.h"

#define RETENTION_MOST	256		/* rows removed in one transaction */

struct retention {
	int64_t		floor;		/* events.n up to which a round has come, over
					 * those that wait */

	/* Of the last retention_run(). */
	bool		more;		/* there may be more to remove now */
	bool		full;		/* over the limit, and nothing was removed */
	uint64_t	used;		/* bytes, after it */
	unsigned	removed;

	/* Files to be removed when the transaction has committed. */
	char		files[RETENTION_MOST][EVENT_ID_LEN + 1];
	size_t		nfiles;
	int64_t		bytes;		/* of those files */
};

/*
 * Removes at most rows, inside a transaction.  want: room for a long body that is
 * about to come.
 */
enum inbox_code	retention_run(struct inbox *, struct retention *, int64_t now,
		    unsigned rows, uint64_t want, struct err *);

/* After the commit: the files.  After a rollback nothing is to be done. */
void		retention_committed(struct inbox *, struct retention *);

#endif
