/*
 * pool.h - the master: starts workers, reaps them, reloads them, stops them.
 *
 * The master reads configuration and secrets and nothing from the internet.  It
 * forks workers that share one listening socket; libfcgi comes to life only in
 * them.  A worker that ends is replaced, at once the first time, later with a
 * delay that doubles to 5 s.  SIGHUP: secrets that only the courier can fetch are
 * asked for (lacking.h), then the new bundle goes to each worker over its
 * pipe and is swapped in between two requests; a worker that does not say
 * "swapped" in time is ended and replaced, so when the reload is said to be done
 * no revoked secret is alive.  SIGTERM: drain, within 8 s.
 *
 * Beside those workers there is one that accepts nothing: whole requests with long
 * bodies are given to it by the others (POOL_LONG), with their connections, so that
 * nobody's short one waits while 25 MB are hashed.  It is told to drain when the others
 * have ended.
 */
#ifndef POOL_H
#define POOL_H

#include "base/log.h"
#include "handler.h"

#define POOL_WORKERS_MAX	256
#define POOL_DRAIN_MS		8000
#define POOL_SWAP_MS		5000

#define POOL_LONG		(1024u * 1024)	/* bytes of a body */
#define POOL_ASIDE		2048		/* SO_SNDBUF: some five of them wait */

/* Where a worker's requests come from. */
struct pool_post {
	int		 listener;	/* -1: it is the one for long requests */
	int		 aside;		/* it takes them here, others give them; or -1 */
};

struct pool {
	const char	*conf_path;	/* NULL: the environment */
	int		 listener;
	const char	*unlink_path;	/* at the end, or NULL */
	unsigned	 workers;
	int		 lifeline;	/* a pipe's read end, or -1 */
	struct log	*log;
	struct setting	*setting;	/* taken over */
	/* Runs in the child until told to stop; its result is the exit status. */
	int		(*worker)(struct setting *, const struct pool_post *,
			    struct wire *master, struct log *);
};

/* Until told to stop.  The exit status. */
int	pool_run(struct pool *);

/* conf_gather() and setting_new() together: what start and reload share. */
struct setting	*pool_read_setting(const char *conf_path, uint64_t generation,
		    struct err *);

#endif
