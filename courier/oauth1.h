/*
 * oauth1.h - the Authorization header of OAuth 1.0a (RFC 5849), HMAC-SHA1: who an
 * application is, and as whom it acts.  X wants it of a reply.
 *
 * What is signed is the method, the URL and the parameters of both the URL's query and a
 * body that is a form; a body of any other type is not covered, and TLS alone keeps it.
 * SHA-1 is the method's; of its HMAC no weakness is known.
 *
 * Pure: the time and the nonce are given.
 */
#ifndef COURIER_OAUTH1_H
#define COURIER_OAUTH1_H

#include "../base/arena.h"

#define OAUTH1_PARAMS	256		/* of a query, and of a form */

struct oauth1 {
	struct str	consumer_key;
	struct str	consumer_secret;
	struct str	token;
	struct str	token_secret;
	struct str	method;		/* "POST" */
	struct str	url;		/* as it is asked for */
	struct str	form;		/* a body of application/x-www-form-urlencoded */
	struct str	nonce;		/* never the same with the same time */
	int64_t		seconds;	/* since 1970 */
	bool		version;	/* oauth_version is said */
};

/* The "signature base string" (3.4.1); .p NULL: no memory, or too many parameters. */
struct str	oauth1_base(const struct oauth1 *, struct arena *);
/* "OAuth oauth_consumer_key=..."; likewise.  All of it but the secrets is in it. */
struct str	oauth1_header(const struct oauth1 *, struct arena *);

#endif
