/*
 * keyring.h - what a worker knows of keys that are not its own to read: fetched ones,
 * and secrets that a handshake brought.
 *
 * The courier has them; the worker asks over the wall and keeps the answer here for
 * as long as it may.  Judging only looks: a key that is not here makes a verdict that
 * says which one is wanted, the caller asks, and the request is judged again.
 */
#ifndef KEYRING_H
#define KEYRING_H

#include "auth.h"

#define KEYRING_MOST	256		/* entries; the one that ends first goes */

struct keyring	*keyring_new(void);		/* NULL: no memory */
void		 keyring_free(struct keyring *);	/* wipes; takes NULL */

/* An answer has come: keys, which are taken over; until: ms since 1970. */
void		 keyring_put(struct keyring *, struct str id, struct key *,
		    int64_t now, int64_t until);
/* There is no such key, or it cannot be used: not to be asked again before until. */
void		 keyring_refuse(struct keyring *, struct str id, int64_t now,
		    int64_t until);

struct ring_entry {
	const struct key *keys;		/* NULL: refused */
	int64_t		 came_at;	/* ms */
};

/* false: nothing is known of it (now). */
bool		 keyring_get(const struct keyring *, struct str id, int64_t now,
		    struct ring_entry *);

#endif
