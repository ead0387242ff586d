/*
 * sign.h - a signature of our own with a private key: RS256, by which the courier says
 * at a token endpoint who it is (RFC 7523).
 *
 * Here and not in auth_sign.c: that one is the road's and the tool's, and makes what
 * providers send; the courier includes nothing of the road.  libcrypto underneath.
 */
#ifndef BASE_SIGN_H
#define BASE_SIGN_H

#include "arena.h"
#include "err.h"

#define SIGN_RSA_MAX	1024		/* bytes of a signature: 8192 bits */

/*
 * RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2) over text; key: PEM, PKCS#8 or PKCS#1,
 * without a password.  *signature is the arena's.  The sentence holds nothing of the key.
 */
int	sign_rs256(struct str key, struct str text, struct arena *,
	    struct str *signature, struct err *);

#endif
