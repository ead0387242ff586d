/*
 * checkpoint.h - checkpoints beside the commits, not in them.
 *
 * A thread with a connection of its own copies the log into the database
 * (PASSIVE: nobody waits for it).  What is left when it is done, the few batches
 * that came meanwhile, the writer copies itself, so that its next commit begins
 * the log anew.
 *
 *	log of 32 MiB		the thread begins to copy (of a small inbox: a
 *				32nd of its limit)
 *	a 16th of it is left	the writer copies that
 *	four times that		the disk is slower than we are: the writer waits
 *	256 MiB			a reader holds the log: said once
 *	1 GiB			`full`: nothing more is to be committed
 *
 * The longer the log, the more often one page in it is copied once instead of
 * many times; the shorter, the sooner a start is over.
 */
#ifndef COURIER_CHECKPOINT_H
#define COURIER_CHECKPOINT_H

#include "inbox.h"

struct checkpoint;

struct checkpoint *checkpoint_start(struct inbox *, struct log *, struct err *);
void		checkpoint_stop(struct checkpoint *);	/* takes NULL */

/*
 * The writer's turn, after each batch.  INBOX_DOUBT: a sync failed, here or in
 * the thread.
 */
enum inbox_code	checkpoint_turn(struct checkpoint *, struct err *);
bool		checkpoint_full(const struct checkpoint *);

/* The inbox was settled, the log truncated: begin from nothing. */
void		checkpoint_reset(struct checkpoint *);

#endif
