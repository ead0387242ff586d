/*
 * reader_parts.h - what reader.c is made of: for it and reader_deliveries.c, and nobody
 * else.
 *
 *	reader.c		the connection, events, secrets that handshakes bring
 *	reader_deliveries.c	deliveries, destinations, pause and replay
 */
#ifndef COURIER_READER_PARTS_H
#define COURIER_READER_PARTS_H

#include "reader.h"

struct reader {
	const struct reading	*has;
	struct inbox_side	*side;		/* NULL: there is no inbox */
	struct wire		*wire;
	struct buf		 out;
	unsigned		 fds;		/* queued since the last sending */
	uint64_t		 ticket;	/* of the question */
};

/* What is in out, queued; -1: more waits than may. */
int	reader_say(struct reader *, enum wire_type, int fd);
/* All that waits; -1: the operator is gone, or does not read. */
int	reader_send(struct reader *);
/* The end of an answer, sent. */
int	reader_end(struct reader *, uint64_t cursor, const char *error);

/* Each reads the rest of its question and answers it; -1: end the connection. */
int	reader_list_deliveries(struct reader *, struct get *);
int	reader_list_destinations(struct reader *, struct get *);
int	reader_pause(struct reader *, struct get *);
int	reader_replay(struct reader *, struct get *);
int	reader_drop(struct reader *, struct get *);
/* Behind a SHOW's row: the deliveries of the event and their attempts, sent. */
int	reader_show_deliveries(struct reader *, struct str id);

#endif
