/*
 * forge.h - a signed request, spoiled as one who has no secret would spoil it.
 *
 * The trial of a provider's examples makes each of these and wants it refused; the
 * tool sends one on demand ("hooklatch send --forge flip").
 */
#ifndef FORGE_H
#define FORGE_H

#include "provider.h"
#include "sent.h"

struct forgery;

enum forged {
	FORGED_NOT,		/* there is nothing in it to spoil so */
	FORGED_UNSEEN,		/* made, but the scheme does not cover what changed */
	FORGED,			/* made, and to be refused */
};

/* All of them, in order; NULL: there are no more. */
const struct forgery	*forgery_at(size_t i);
const struct forgery	*forgery_find(struct str name);
const char		*forgery_name(const struct forgery *);	/* "flip" */
const char		*forgery_says(const struct forgery *);

/*
 * The request bears the provider's signature that its "alternative" names.  *out
 * shares texts with it.
 */
enum forged	forge(const struct forgery *, const struct provider *,
		    const struct sent *, struct arena *, struct sent *out);

#endif
