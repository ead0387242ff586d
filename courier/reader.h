/*
 * reader.h - what an operator asks: LIST and SHOW of the inbox, and about secrets that
 * handshakes bring.
 *
 * Each connection has a thread and a read-only connection of its own.  It reads
 * in pages: a span of rows, at most READER_PAGE bytes, then the statement is
 * ended before a byte is sent.  So no snapshot outlives a page, however slow the
 * operator's terminal is, and the writer's log can always be begun anew.
 */
#ifndef COURIER_READER_H
#define COURIER_READER_H

#include "captured.h"
#include "inbox.h"

#define READERS_MOST	8
#define READER_PAGE	(1024u * 1024)	/* bytes encoded before any is sent */
#define READER_SPAN	512		/* rows looked at in one read */
#define READER_SEND_MS	30000		/* an operator that does not read is left */

struct readers;

/* Without an inbox (NULL, NULL) there is nothing to list, and that is said. */
struct readers	*readers_new(struct inbox *, struct captured *, struct log *);
void		 readers_stop(struct readers *);	/* ends all; takes NULL */

/* Takes the connection over; false: too many, and it stays the caller's. */
bool		 readers_give(struct readers *, struct wire *);

/*
 * The same in this thread, until the operator goes.  alone: no courier runs, so a
 * window would be open for nobody.
 */
void		 reader_serve(struct inbox *, struct captured *, struct wire *,
		    struct log *, bool alone);

#endif
