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
 */
#ifndef POOL_H
#define POOL_H

#include "base/log.h"
#include "handler.h"

#define POOL_WORKERS_MAX	256
#define POOL_DRAIN_MS		8000
#define POOL_SWAP_MS		5000

struct pool {
	const char	*conf_path;	/* NULL: the environment */
	int		 listener;
	const char	*unlink_path;	/* at the end, or NULL */
	unsigned	 workers;
	int		 lifeline;	/* a pipe's read end, or -1 */
	struct log	*log;
	struct setting	*setting;	/* taken over */
	/* Runs in the child until told to stop; its result is the exit status. */
	int		(*worker)(struct setting *, int listener,
			    struct wire *master, struct log *);
};

/* Until told to stop.  The exit status. */
int	pool_run(struct pool *);

/* conf_gather() and setting_new() together: what start and reload share. */
struct setting	*pool_read_setting(const char *conf_path, uint64_t generation,
		    struct err *);

#endif
