/*
 * asked.h - the courier, asked by the operator.
 *
 * The running courier is asked through its socket.  Where reading is enough and none
 * answers, one is started that only reads, with a socket pair as its single door: so
 * those commands work with the service stopped, and there is one way to read.
 */
#ifndef ASKED_H
#define ASKED_H

#include <sys/types.h>

#include "conf.h"
#include "wire.h"

struct asked {
	struct wire	*wire;
	pid_t		 reader;	/* one of our own, or 0 */
	uint64_t	 ticket;	/* of the last question */
};

/* config: its file, for a reader of our own.  reading: one will do. */
int	asked_open(struct asked *, const struct conf *, const char *config,
	    bool reading, struct err *);
/* The running courier alone, also where there is no inbox. */
int	asked_courier(struct asked *, const struct conf *, struct err *);
void	asked_close(struct asked *);

/* Sends a question; frees the buf in any case. */
int	asked_say(struct asked *, enum wire_type, struct buf *, struct err *);
/* The next message; a descriptor that comes along is the caller's. */
int	asked_next(struct asked *, struct wire_msg *, struct err *);
/* What a WIRE_END says: 0, or -1 and its sentence. */
int	asked_end(const struct wire_msg *, struct err *);

#endif
