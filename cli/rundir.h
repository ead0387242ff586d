/*
 * rundir.h - the directory of one "serve": its lock, and what it leaves behind.
 *
 * Everything that serve writes is in here.  A directory belongs to one serve at
 * a time (flock).  A file in it says which process groups serve started, so that
 * the next one can end what a killed one could not.  A process is known by its
 * id, its start time and its name: an id alone may long belong to somebody else.
 */
#ifndef RUNDIR_H
#define RUNDIR_H

#include <sys/types.h>

#include "base/err.h"
#include "base/log.h"

#define RUNDIR_MAX	80		/* so that a socket's name still fits */
#define RUNDIR_GROUPS	8

struct rundir {
	char	path[RUNDIR_MAX];
	int	lock;
};

struct crew {
	char		name[16];	/* "nginx": the start of its leader's name */
	pid_t		id;		/* process group, and its leader */
	uint64_t	born;		/* its leader's start, in clock ticks */
};

/*
 * Makes and locks it: in $RUNTIME_DIRECTORY; /run/hooklatch as root, or where
 * that is ours to write (a container); else $XDG_RUNTIME_DIR/hooklatch, or a
 * directory of ours in /tmp.  port: two serves at two ports have two.
 */
int	rundir_open(struct rundir *, unsigned port, struct err *);

/* Removes what serve and nginx wrote; the directory and its lock stay. */
void	rundir_clean(const struct rundir *);

/* "name" in it, as text of at most size. */
int	rundir_file(const struct rundir *, const char *name, char *path,
	    size_t size, struct err *);

/* Writes a file in it, whole or not at all. */
int	rundir_write(const struct rundir *, const char *name, struct str bytes,
	    mode_t, struct err *);

int	rundir_remember(const struct rundir *, const struct crew *, size_t n,
	    struct err *);
/* Ends what stands in the file and still runs; says so in the log. */
void	rundir_end_leftovers(const struct rundir *, struct log *);

/* Start, process group and name of a process; false when there is none alive. */
bool	process_look(pid_t, uint64_t *born, pid_t *group, char name[16]);

#endif
