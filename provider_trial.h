/*
 * provider_trial.h - the examples of a provider's file, tried.
 *
 * Each is judged as the road would judge it; and of each genuine one further
 * requests are made (a flipped byte, the body re-serialised, a signature cut short
 * or doubled, another secret, a clock outside the window, signed anew) that must be
 * refused where what is signed covers it, or hold.  The tests run it over all
 * files that ship, "hooklatch providers --test" over one's own.  The handler does
 * not contain it.
 */
#ifndef PROVIDER_TRIAL_H
#define PROVIDER_TRIAL_H

#include "auth.h"
#include "handshake.h"
#include "provider_examples.h"

/* An example, with something changed; { 0 }: as it is. */
struct trial_change {
	const struct sent *sent;	/* NULL: as it is */
	struct str	 secret;	/* .p NULL: the example's */
	int64_t		 clock;		/* ms; 0: the example's */
};

/* What became of it; texts live in the arena. */
struct trial {
	struct verdict	 verdict;	/* when !answered; its secret is not kept */
	struct handshake hs;
	bool		 answered;	/* it was a handshake */
	struct event	 event;		/* of a genuine one */
	struct str	 key_id;	/* where it says whose key it is; or .p NULL */
};

/* false and a sentence when the hook itself could not be made of it. */
bool	trial_judge(const struct provider *, const struct example *,
	    const struct trial_change *, struct arena *, struct trial *,
	    struct err *);

/* Judged genuine, and no handshake? */
bool	trial_genuine(const struct provider *, const struct example *,
	    const struct trial_change *);

struct trial_count {
	unsigned long	 kept, broken;
	void		(*says)(void *arg, const char *broken);	/* a sentence each */
	void		*arg;
};

/* All of a file: what it must say, its examples, and what is made of them. */
void	trial_file(struct str id, struct str text, const char *name,
	    struct trial_count *);

#endif
