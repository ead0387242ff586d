/*
 * lacking.h - secrets that a bundle lacks, asked of the courier: those that only it can
 * fetch ("gcp:", courier/vault.h).
 *
 *	lacking_begin --> lacking_step, lacking_step, ... --> 1: the bundle is whole
 *	                 (whenever lacking_fd is ready)    -1: a sentence
 *
 * Of who reads the configuration: the master, or a worker that has none.  Nothing
 * blocks, so a master goes on with its work while it asks; a start may wait with
 * lacking_all().  A courier that is away is waited for, since at a start both come up
 * together; what it could not fetch is final here, since it has tried long enough.
 */
#ifndef LACKING_H
#define LACKING_H

#include "bundle.h"
#include "base/err.h"
#include "base/str.h"

#define LACKING_MS	12000		/* for all of them, and for the courier */

struct lacking;

/*
 * Of a bundle that conf_gather() made, which outlives it.  *a becomes NULL when
 * nothing is lacking.  -1: the configuration is wrong.
 */
int		 lacking_begin(struct lacking **a, struct bundle *,
		    const char *conf_path, int64_t now, struct err *);
void		 lacking_free(struct lacking *);	/* takes NULL */

int		 lacking_fd(const struct lacking *);	/* -1: not connected */
/* 1, 0 or -1, as above; now in steady ms. */
int		 lacking_step(struct lacking *, int64_t now, struct err *);
/* When to call again at the latest, in steady ms. */
int64_t		 lacking_next(const struct lacking *);

/* All of it at once. */
int		 lacking_all(struct bundle *, const char *conf_path, struct err *);

#endif
