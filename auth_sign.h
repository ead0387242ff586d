/*
 * auth_sign.h - the inverse of auth.h: a request made to look as the provider
 * would have sent it.  For the tool and the tests; the handler does not contain
 * it.
 *
 *	struct sign_wish w = { .method = STR("POST"), .url = ..., .body = ...,
 *	    .content_type = STR("application/json"), .now = when_now() };
 *	struct sent s;
 *	if (auth_sign(route, &w, arena, &s, &e) != 0) ...
 *
 * then send s.method s.url with s.headers (Content-Type among them) and s.body.
 */
#ifndef AUTH_SIGN_H
#define AUTH_SIGN_H

#include "auth.h"
#include "sent.h"

struct sign_wish {
	struct str	 method;	/* .n == 0: the provider's first */
	struct str	 url;		/* where it is sent; its path and query */
	struct str	 content_type;	/* .n == 0: by the provider's bodies */
	struct str	 body;
	const struct header *headers;	/* more that the sender wants, kept */
	size_t		 nheaders;
	struct str	 id;		/* of the event; .n == 0: one is made up for
				 * a header, ... */
	bool		 fresh;		/* ... and over the one that the body has */
	struct str	 type;		/* of the event; .n == 0: none is put in */
	int64_t		 now;		/* ms: the time that is signed */
	int		 alternative;	/* -1: the first that can be signed */
	struct str	 key_id;	/* of a token, or where "keys" has its name;
					 * .n == 0: the public key's, if it has one */
	struct str	 private_key;	/* of public keys: PEM, or hex or base64 of
					 * the seed (Ed25519) or scalar (P-256) */
};

/*
 * Signs with the route's first secret.  -1 and a sentence when it cannot be: no
 * private key, a body that has no room for a signature, a public key alone.
 */
int	auth_sign(const struct route *, const struct sign_wish *, struct arena *,
	    struct sent *, struct err *);

#endif
