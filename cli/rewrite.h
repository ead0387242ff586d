/*
 * rewrite.h - the ways in which the bytes of a body change between a provider and us.
 *
 * What was signed can be had back from what arrived by doing what the provider did:
 * writing JSON as its library writes it, a form as its client encodes it.
 */
#ifndef REWRITE_H
#define REWRITE_H

#include "base/arena.h"

struct rewriting;

/* In order of how often they are to blame; NULL: there are no more. */
const struct rewriting	*rewriting_at(size_t i);
/* What the bytes that were signed look like: "JSON without spaces (...)". */
const char		*rewriting_says(const struct rewriting *);
/* .p NULL: it cannot be done to this body. */
struct str		rewrite(const struct rewriting *, struct str body,
			    struct arena *);

#endif
