/*
 * lines.c - the lines of "stdout:".  See lines.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lines.h"

#define AT_ONCE		32		/* lines in one write */
#define CHUNK		PIPE_BUF	/* there is room for it after POLLOUT */

struct waiting {
	struct waiting	*next;
	struct line_from from;
	size_t		 n;
	char		 text[];
};

struct lines {
	int		 fd;
	bool		 ours;		/* a description of our own, to be closed */
	bool		 asks;		/* poll(2) before each write, and only CHUNK */
	bool		 torn;		/* a piece of a line was the last that went */
	line_told	*told;
	void		*self;

	struct waiting	*first, **last;
	size_t		 written;	/* of the first */
	size_t		 n;
	size_t		 bytes;
};

/* The same pipe, non-blocking for nobody but us; -1: it may not be opened. */
static int
open_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

struct lines *
lines_new(int fd, line_told *told, void *self)
{
	struct lines *l = calloc(1, sizeof(*l));
	struct stat st = { .st_mode = 0 };
	int again;

	if (l == NULL)
		return NULL;
	fstat(fd, &st);
	l->fd = fd;
	l->asks = !S_ISREG(st.st_mode);
	if (S_ISFIFO(st.st_mode) && (again = open_again(fd)) != -1) {
		l->fd = again;
		l->ours = true;
		l->asks = false;
	}
	l->told = told;
	l->self = self;
	l->last = &l->first;
	return l;
}

void
lines_free(struct lines *l)
{
	struct waiting *w;

	if (l == NULL)
		return;
	while ((w = l->first) != NULL) {
		l->first = w->next;
		free(w);
	}
	if (l->ours)
		close(l->fd);
	free(l);
}

void
lines_take(struct lines *l, const struct line_from *from, struct str text)
{
	struct waiting *w;

	if (text.n == 0 || l->n == LINES_MOST || text.n > LINES_BYTES - l->bytes ||
	    (w = malloc(sizeof(*w) + text.n)) == NULL) {
		l->told(l->self, from, false);
		return;
	}
	w->next = NULL;
	w->from = *from;
	w->n = text.n;
	memcpy(w->text, text.p, text.n);
	*l->last = w;
	l->last = &w->next;
	l->n++;
	l->bytes += w->n;
}

int
lines_fd(const struct lines *l)
{
	return l->first == NULL ? -1 : l->fd;
}

static void
first_ends(struct lines *l, bool written)
{
	struct waiting *w = l->first;

	if ((l->first = w->next) == NULL)
		l->last = &l->first;
	l->written = 0;
	l->n--;
	l->bytes -= w->n;
	l->told(l->self, &w->from, written);
	free(w);
}

/* One write of what waits, from the first on; as write(2). */
static ssize_t
write_some(struct lines *l)
{
	size_t room = l->asks ? CHUNK : SSIZE_MAX, from = l->written, part;
	struct iovec v[AT_ONCE];
	struct waiting *w;
	int n = 0;

	if (l->torn)
		return write(l->fd, "\n", 1);
	for (w = l->first; w != NULL && n < AT_ONCE && room > 0; w = w->next) {
		part = w->n - from < room ? w->n - from : room;
		v[n++] = (struct iovec){ w->text + from, part };
		room -= part;
		from = 0;
	}
	return writev(l->fd, v, n);
}

void
lines_write(struct lines *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLOUT };
	size_t went, left;
	ssize_t n;

	while (l->first != NULL) {
		if (l->asks && poll(&p, 1, 0) != 1)
			return;
		n = write_some(l);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n == -1) {
			l->torn = l->torn || l->written > 0;
			first_ends(l, false);
			continue;
		}
		if (l->torn) {
			l->torn = false;
			continue;
		}
		for (went = (size_t)n; went > 0; went -= left) {
			left = l->first->n - l->written;
			if (went < left) {
				l->written += went;
				break;
			}
			first_ends(l, true);
		}
	}
}
