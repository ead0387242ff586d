/*
 * auth_static.h - a value that is the secret itself: "is this it?"
 * A leaf: it knows bytes, not providers.
 */
#ifndef AUTH_STATIC_H
#define AUTH_STATIC_H

#include "base/str.h"

struct fixed {
	unsigned char	digest[32];	/* of the secret */
};

/* Both sides are hashed, so that not even the length shows in the time. */
struct fixed	fixed_of(struct str secret);
bool		fixed_eq(const struct fixed *, struct str value);
bool		fixed_eq_text(struct str secret, struct str value);

#endif
