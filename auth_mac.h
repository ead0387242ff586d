/*
 * auth_mac.h - HMAC and plain hashes over pieces: "which bytes would the right
 * signature be?"
 *
 * A leaf, as all families are: it knows keys and bytes, not providers.  A struct
 * mac is keyed once, when a route is made; each request then costs the hashing of
 * its own bytes and two more blocks.  Large bodies are never copied: the bytes
 * come as pieces.
 */
#ifndef AUTH_MAC_H
#define AUTH_MAC_H

#include "base/str.h"

enum hash { HASH_SHA1, HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_COUNT };

#define HASH_MAX	64		/* bytes of the longest */

size_t		 hash_size(enum hash);

/* A plain hash over pieces, as if they stood behind one another. */
bool		 hash_pieces(enum hash, const struct str *pieces, size_t n,
		    unsigned char out[HASH_MAX]);

struct mac;

struct mac	*mac_new(enum hash, struct str key);	/* NULL: no memory */
void		 mac_free(struct mac *);		/* wipes; takes NULL */
bool		 mac_pieces(const struct mac *, const struct str *pieces, size_t n,
		    unsigned char out[HASH_MAX]);

#endif
