/*
 * reader.h - what an operator asks: LIST and SHOW of the inbox, about deliveries and
 * destinations, and about secrets that handshakes bring.
 *
 * Each connection has a thread and a read-only connection of its own.  It reads
 * in pages: a span of rows, at most READER_PAGE bytes, then the statement is
 * ended before a byte is sent.  So no snapshot outlives a page, however slow the
 * operator's terminal is, and the writer's log can always be begun anew.
 */
#ifndef COURIER_READER_H
#define COURIER_READER_H

#include "batch.h"
#include "captured.h"
#include "delivery.h"
#include "inbox.h"
#include "totals.h"

#define READERS_MOST	8
#define READER_PAGE	(1024u * 1024)	/* bytes encoded before any is sent */
#define READER_SPAN	512		/* rows looked at in one read */
#define READER_SEND_MS	30000		/* an operator that does not read is left */

/* What may be looked at. */
struct reading {
	struct inbox	*inbox;		/* NULL, as captured: there is none */
	struct captured	*captured;
	struct batch	*batch;		/* for what is ordered; NULL: alone */
	struct delivery	*delivery;	/* likewise */
	struct totals	*totals;	/* likewise */
	struct log	*log;
	bool		 alone;		/* no courier runs: nothing can be ordered */
};

struct readers;

struct readers	*readers_new(const struct reading *);
void		 readers_stop(struct readers *);	/* ends all; takes NULL */

/* Takes the connection over; false: too many, and it stays the caller's. */
bool		 readers_give(struct readers *, struct wire *);

/* The same in this thread, until the operator goes. */
void		 reader_serve(const struct reading *, struct wire *);

#endif
