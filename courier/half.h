/*
 * half.h - the courier's half of the configuration, counted: who fetches keys and who
 * delivers read it at the same time, and what is under way goes on by the one that it
 * began with.
 */
#ifndef COURIER_HALF_H
#define COURIER_HALF_H

#include "../bundle.h"
#include "../conf.h"

struct half {
	struct conf	*conf;		/* settled */
	struct bundle	*bundle;	/* the secrets that it names */
	unsigned	 users;		/* atomic */
};

/* Takes both over, also when it gives NULL (no memory).  One user: the caller. */
struct half	*half_new(struct conf *, struct bundle *);
struct half	*half_use(struct half *);
void		 half_drop(struct half *);	/* the last one wipes; takes NULL */

#endif
