/*
 * bodies.h - bodies over EVENT_INLINE: each a file of its own beside the inbox.
 *
 * A thread writes each to inbox.db.d/ID, syncs it, syncs the directory, and only
 * then hands the event on to be committed.  So a row never speaks of a body that
 * power loss can take, and the commits of others do not wait behind 25 MB.
 *
 * A file without a row (a crash between the two, a repeat, a refusal) is removed:
 * at once where it is known, else by the sweep at the next start.
 */
#ifndef COURIER_BODIES_H
#define COURIER_BODIES_H

#include "inbox.h"
#include "put.h"

/*
 * Writes a body into the directory and syncs the file (not yet the directory).
 * A file that is there already with the same bytes is written anew beside it and
 * takes its place: nobody knows whether the old one was synced.  With other bytes
 * it is somebody else's: INBOX_FULL.  Without an id to know it by, the event's
 * digest is made here.
 */
enum inbox_code	bodies_write(int dir, struct event *, struct err *);
enum inbox_code	bodies_sync(int dir, struct err *);
void		bodies_remove(int dir, const char *id);

/* The directory of a sound inbox; -1. */
int		bodies_dir(const struct inbox *, struct err *);

/* Removes the files that no row speaks of, and counts the others. */
enum inbox_code	bodies_sweep(struct inbox *, unsigned *removed, struct err *);

/* A UUID as event_mint() writes it: nothing else may become a file's name. */
bool		bodies_id_valid(const char *id);

/* --- the thread ---------------------------------------------------------------- */

struct bodies;

/* written is called by the thread for each, refused or ready to be committed. */
struct bodies	*bodies_start(struct inbox *, struct log *,
		    void (*written)(void *, struct put *), void *arg,
		    struct err *);
void		 bodies_give(struct bodies *, struct put *);
void		 bodies_stop(struct bodies *);	/* what waits is written first */

#endif
