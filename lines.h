/*
 * lines.h - "stdout:": the lines of all workers, written by their master.
 *
 *	worker --> master (WIRE_LINE) --> lines_take --> lines_write --> descriptor 1
 *	worker <-- master (WIRE_WRITTEN) <-- told, once all of the line is written
 *
 * What several processes write into one pipe tears as soon as it is longer than
 * PIPE_BUF (write(2), pipe(7)); so one process writes, a line after the other.  It has
 * more to do than to write, and must never wait for a reader.  Descriptor 1 may be
 * shared with others, a shell for example, who must not find it non-blocking.  So a
 * pipe is opened once more, as a description of our own; a file takes what it is
 * given; and to all else (a terminal, a socket, a pipe that may not be opened) goes no
 * more than PIPE_BUF at a time, when poll(2) says that there is room for it.
 *
 * A line that cannot be written to its end is told as not written; what follows a
 * piece of one begins on a line of its own.
 */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

#define LINES_MOST	4096			/* that wait */
#define LINES_BYTES	(256u * 1024 * 1024)	/* of all that wait */

/* Whose it is: the worker may be another process by the time it is told. */
struct line_from {
	unsigned	 worker;
	pid_t		 pid;
	uint64_t	 ticket;
};

typedef void line_told(void *self, const struct line_from *, bool written);

struct lines;

/* fd stays the caller's.  NULL without memory. */
struct lines	*lines_new(int fd, line_told *, void *self);
void		 lines_free(struct lines *);	/* what waits is dropped; takes NULL */

/* Copies the line, its newline with it.  One too many is told as not written, at once. */
void		 lines_take(struct lines *, const struct line_from *, struct str);

/* To be polled for POLLOUT; -1: nothing waits. */
int		 lines_fd(const struct lines *);
/* Writes what there is room for. */
void		 lines_write(struct lines *);

#endif
