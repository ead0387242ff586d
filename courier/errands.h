/*
 * errands.h - small things that wait for the disk, done beside the door: secrets that
 * were captured, requests that were refused.
 *
 * One thread, one after the other.  The door gives what a worker said, and answers it
 * when it is done; so the door itself never waits for a disk that hangs.
 */
#ifndef COURIER_ERRANDS_H
#define COURIER_ERRANDS_H

#include "captured.h"
#include "quarantine.h"

#define ERRANDS_MOST	256		/* that wait */

struct conn;

struct errand {
	struct errand	*next;
	struct conn	*conn;		/* the door's */
	enum wire_type	 type;		/* CAPTURE, WANT_SECRET or QUARANTINE */
	struct buf	 said;		/* the message */

	/* The outcome; of a QUARANTINE there is none. */
	uint64_t	 ticket;
	enum wire_refusal refusal;	/* 0: done */
	const char	*why;		/* of a refusal; a constant */
	struct buf	 bytes;		/* the secret that was wanted */
	bool		 broken;	/* it was no message */
};

struct errand	*errand_new(struct conn *, enum wire_type, struct str said);
void		 errand_free(struct errand *);	/* wipes; takes NULL */

struct errands;

/* Each may be NULL: then there is none of that. */
struct errands	*errands_start(struct captured *, struct quarantine *,
		    struct log *, struct err *);
void		 errands_stop(struct errands *);	/* what waits is done first */

/* false: too many wait; the errand stays the caller's. */
bool		 errands_give(struct errands *, struct errand *);
int		 errands_fd(const struct errands *);	/* readable: some are done */
struct errand	*errands_take(struct errands *);	/* or NULL; the caller's */

#endif
