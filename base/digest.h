/*
 * digest.h - SHA-2 of bytes, for identity, and the HMAC that goes with what we send
 * ourselves.  What others have signed is judged in auth_*.c.  libcrypto underneath.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "str.h"

void	digest_sha256(struct str, unsigned char out[32]);

/* The same over several pieces, as if they stood behind one another. */
struct sha256;
struct sha256	*sha256_new(void);		/* NULL without memory */
void		 sha256_add(struct sha256 *, struct str);
void		 sha256_end(struct sha256 *, unsigned char out[32]); /* and free */

/* HMAC-SHA256 (RFC 2104) over several pieces.  The key is copied, and wiped. */
struct hmac;
struct hmac	*hmac_new(struct str key);	/* NULL without memory */
void		 hmac_add(struct hmac *, struct str);
void		 hmac_end(struct hmac *, unsigned char out[32]); /* and free */

/* HMAC-SHA1, which OAuth 1.0a asks for.  false: no memory. */
bool	digest_hmac_sha1(struct str key, struct str text, unsigned char out[20]);

#endif
