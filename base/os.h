/*
 * os.h - the few things that each program asks of the system at its start.
 */
#ifndef BASE_OS_H
#define BASE_OS_H

#include <sys/types.h>

#include "err.h"
#include "str.h"

/* fds 0 to 2 exist after this: closed ones become /dev/null. */
int	os_standard_fds(struct err *);

/* No core, no ptrace by the same user (PR_SET_DUMPABLE 0, RLIMIT_CORE 0). */
int	os_guard_memory(struct err *);

/*
 * From root to a user for good: groups, gid, uid, and proof that there is no way
 * back.  extra: a further group, or (gid_t)-1.  Does nothing when we are not root.
 */
int	os_become(const char *user, gid_t extra, struct err *);

/* -1 with a sentence that says how to make them when they do not exist. */
int	os_user(const char *name, uid_t *, gid_t *, struct err *);
int	os_group(const char *name, gid_t *, struct err *);

/*
 * A listening Unix stream socket, close-on-exec, non-blocking.  A stale one that
 * nobody listens on is removed; a living one, or a path that is no socket, is an
 * error.  mode as for chmod; gid (gid_t)-1: as it comes.
 */
int	os_listen_unix(const char *path, mode_t mode, gid_t gid, int backlog,
	    struct err *);
/* Non-blocking from birth: a full backlog is an error, not a wait. */
int	os_connect_unix(const char *path, struct err *);

/* The peer's uid (SO_PEERCRED). */
int	os_peer(int fd, uid_t *, gid_t *, pid_t *, struct err *);

/* A memfd holding the bytes, sealed against any change; -1. */
int	os_memfd(const char *name, struct str bytes, struct err *);
/*
 * Is it a memfd sealed against writing, growing and shrinking?  And its size.  Who
 * looks into it maps it MAP_PRIVATE: a shared mapping counts as writable, and is
 * refused with EPERM, before Linux 6.7 and in gVisor.
 */
int	os_memfd_sealed(int fd, uint64_t *size, struct err *);

/* A whole file of at most limit bytes into malloc'ed memory (NUL after it). */
char	*os_read_file(const char *path, size_t limit, size_t *n, struct err *);

bool	os_is_tmpfs(const char *path);	/* of its first directory that exists */
int	os_random(void *, size_t);	/* getrandom(2) */

/* NOTIFY_SOCKET: "READY=1", "RELOADING=1"...; nothing when it is not set. */
void	os_notify(const char *state);

#endif
