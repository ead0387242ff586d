/*
 * auth_jws.h - a compact JWS (RFC 7515), taken apart.
 *
 * A leaf: what the parts say is not believed here.  The algorithm that the header
 * names is only compared with the one that a provider's file names; keys and URLs
 * that it carries ("jwk", "jku", "x5u") are not looked at, certificates ("x5c") only
 * where the file says that they are the way.
 */
#ifndef AUTH_JWS_H
#define AUTH_JWS_H

#include "base/arena.h"
#include "base/str.h"

#define JWS_HEADER_MAX	16384		/* bytes of its JSON: x5c makes it long */
#define JWS_CERTS_MAX	8

struct jws {
	struct str	 header;	/* JSON */
	struct str	 input;		/* what is signed: "header.payload", as sent */
	struct str	 header64;	/* as sent, base64url */
	struct str	 payload64;	/* likewise; .n == 0: detached, or empty */
	struct str	 signature64;
	struct str	 payload;	/* bytes; .n == 0: detached, or empty */
	struct str	 signature;	/* bytes; .n == 0: it is no base64url */
	struct str	 alg;
	struct str	 kid;		/* .p NULL: it names no key */
	bool		 unencoded;	/* RFC 7797: the payload is signed as it is */
};

/*
 * false when it is none, and *why is then a sentence for the log.  Refused are
 * padding, a name that stands twice, and every "crit" but the one of RFC 7797.
 */
bool		 jws_read(struct str token, struct arena *, struct jws *,
		    const char **why);

/* The payload when it is a JSON object; STR_NONE when it is not. */
struct str	 jws_claims(const struct jws *);

/* Its "x5c": certificates as DER, the leaf first.  How many; 0: none, or broken. */
size_t		 jws_certs(const struct jws *, struct arena *,
		    struct str certs[JWS_CERTS_MAX]);

#endif
