/*
 * captured.h - secrets that a handshake brings, and the windows in which they may.
 *
 * Some providers choose the secret themselves and send it when the webhook is made,
 * unsigned: whoever speaks first could be anybody.  So it is taken only while the
 * operator has opened a window for it, and only once.
 *
 *   SHUT --window--> OPEN --capture, synced--> SHUT
 *                     '-- its time is over ---> SHUT
 *
 * Each is a file of its own, NAME, in a directory beside the inbox that only the
 * courier's user may enter; removing the file removes the secret.
 */
#ifndef COURIER_CAPTURED_H
#define COURIER_CAPTURED_H

#include "../base/buf.h"
#include "../base/err.h"
#include "../wire.h"

#define CAPTURED_WINDOWS	32		/* open at the same time */
#define CAPTURED_LONGEST	86400		/* seconds that one may be open */
#define CAPTURED_SECRET_MAX	512

struct captured;

/* inbox: the path of the inbox.  May be used by several threads. */
struct captured	*captured_new(const char *inbox, struct err *);
void		 captured_free(struct captured *);	/* takes NULL */

/* seconds 0 shuts it.  -1: no name, or too many windows. */
int	captured_window(struct captured *, struct str name, uint32_t seconds,
	    struct err *);

/*
 * The first of the names (a line each) whose window is open is kept, and its window
 * shuts.  0, or REFUSED_NO_WINDOW, REFUSED_SYNC with a sentence.  name gets which.
 */
enum wire_refusal captured_take(struct captured *, struct str names,
	    struct str secret, char name[65], struct err *);

/* Into secret, which is emptied first; false: there is none. */
bool	captured_get(struct captured *, struct str name, struct buf *secret);
int	captured_forget(struct captured *, struct str name, struct err *);

/* The i-th of those that are kept or waited for, in no order that means anything. */
struct captured_row {
	char		 name[65];
	int64_t		 at;		/* ms since 1970; 0: not yet */
	uint32_t	 seconds;	/* that its window is open still */
};
size_t	captured_list(struct captured *, struct captured_row *, size_t most);

#endif
