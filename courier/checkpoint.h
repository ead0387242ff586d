/*
 * checkpoint.h - checkpoints beside the commits, not in them.
 *
 * A thread with a connection of its own copies the log into the database
 * (PASSIVE: nobody waits for it).  What is left when it is done, the few batches
 * that came meanwhile, the writer copies itself, so that its next commit begins
 * the log anew.  A reader that holds a snapshot stops all that: `held`.
 */
#ifndef COURIER_CHECKPOINT_H
#define COURIER_CHECKPOINT_H

#include "inbox.h"

struct checkpoint;

struct checkpoint_state {
	bool		running;
	bool		held;		/* a run that copied nothing, though it could */
	enum inbox_code	code;		/* of the last run */
	uint64_t	done;		/* bytes of the log copied by the last run */
};

struct checkpoint *checkpoint_start(struct inbox *, struct log *, struct err *);
void		checkpoint_stop(struct checkpoint *);	/* takes NULL */

/* Begins a run unless one is going on. */
void		checkpoint_kick(struct checkpoint *);
struct checkpoint_state checkpoint_look(struct checkpoint *);
/* Waits for the end of a run, at most ms. */
void		checkpoint_wait(struct checkpoint *, unsigned ms);
/* So many bytes of the log are copied: by the writer itself, or (0) begun anew. */
void		checkpoint_note(struct checkpoint *, uint64_t done);

#endif
