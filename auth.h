/*
 * auth.h - is this request from whom it says?  A request and a route in, a
 * verdict out.
 *
 * Deciding is pure: no clock, no socket, no global.  A request is refused unless
 * it is proven.  The families (auth_mac.c, auth_key.c, auth_static.c) each answer
 * one question, "does this signature fit this key and these bytes"; everything
 * else, where a signature stands, what is signed, when it is stale, is said by
 * the provider's file (provider.h).
 */
#ifndef AUTH_H
#define AUTH_H

#include "event.h"
#include "request.h"
#include "route.h"

enum verdict_code {
	VERDICT_FORGED,		/* zero: refused unless proven */
	VERDICT_ABSENT,		/* no signature, or an empty one */
	VERDICT_STALE,		/* outside the window, either way */
	VERDICT_DOUBLED,	/* the header came twice and may not */
	VERDICT_GENUINE,
	VERDICT_OPEN,		/* "auth": "none" */
	VERDICT_WANTS_KEY,	/* not judged yet: see struct want */
};

/* The keys that are known by now, see keyring.h; NULL: none. */
struct keyring;

/* A key that must be had before the request can be judged. */
struct want {
	struct str	 id;		/* under which the keyring keeps it */
	int		 alternative;	/* whose keys */
	bool		 captured;	/* a secret that a handshake brought */
	struct str	 name;		/* of the key, or of that secret */
	bool		 again;		/* what is known is not enough */
};

struct verdict {
	enum verdict_code code;
	const char	*reason;	/* for our log alone: "no secret matched" */
	const char	*scheme;	/* "hmac-sha256" */
	struct str	 secret;	/* the name of the secret that matched */
	int64_t		 signed_at;	/* ms; 0: the scheme has no time */
	int		 alternative;	/* of the provider's signatures, or -1 */
	int		 group;		/* of the signatures in one header */
	bool		 signed_bytes;	/* something was signed: auth_digest() */
	bool		 not_ours;	/* a token that is not for this alternative */
	struct want	 want;		/* of VERDICT_WANTS_KEY; in q->arena */
};

/* now: ms since 1970.  What is computed on the way lives in q->arena. */
struct verdict	auth_verify(const struct route *, struct request *q,
		    const struct keyring *, int64_t now);

/* What places lead into is the route's from here on: limits, and how to decrypt. */
void		auth_enter(const struct route *, struct request *q);

/* "genuine", "absent", ... */
const char	*verdict_name(enum verdict_code);

/*
 * The provider's id and type of an event; .n == 0 when it has none.  An id that
 * is empty, over EVENT_ID_MAX bytes, or neither string nor number is none; a
 * number is its source text.  *proven: the id is as well proven as the body by
 * what the verdict says held (promise 4).  Where a file names several places, one
 * that is proven goes before one that a stranger could have added.
 */
struct str	auth_event_id(const struct route *, struct request *q,
		    const struct verdict *, bool *proven);
struct str	auth_event_type(const struct route *, struct request *q);

/*
 * SHA-256 of exactly the signed bytes.  Only on demand: it costs as much as the
 * verification.  false: nothing was signed.
 */
bool		auth_digest(const struct route *, struct request *q,
		    const struct verdict *, unsigned char digest[32]);

/* How much of an event somebody will read. */
enum auth_detail {
	AUTH_NAMED,	/* event_id, event_type, scheme, secret, signed_at, and how
			 * long an id counts: proven, refuse_replay, remember, merge */
	AUTH_SHOWN,	/* also headers and target */
	AUTH_KEPT,	/* also what a repeat is known by: signed_bytes, digest */
};

/*
 * What of an event comes from the verdict and the provider's file.  false when the
 * arena is full.
 */
bool		auth_event(const struct route *, struct request *q,
		    const struct verdict *, enum auth_detail, struct event *);

/*
 * Where the request holds the secret itself (a static header, a query field, a
 * Basic password): the same headers and target with the value replaced by the
 * name of the secret that it is, or by "hidden" when it is none of ours
 * (promise 3).  So is Authorization where the provider's file does not name it.
 * headers is JSON as in event.h.
 */
struct str	auth_stored_headers(const struct route *, struct request *q);
struct str	auth_stored_target(const struct route *, struct request *q);

/*
 * The keys of one alternative of a provider, from texts of secrets, or from the
 * hook's public keys.  A text that is not written as this alternative wants it is left
 * out; NULL and a sentence about the last of them when none is.
 */
struct key	*auth_keys(const struct provider *, size_t alternative,
		    const struct str *names, const struct str *texts, size_t n,
		    struct texts public_keys, struct err *);

/*
 * From what was fetched: a JWKS, a key, a certificate, as the file says.  *until:
 * until when they may be used, ms since 1970; lowered, never raised.
 */
struct key	*auth_keys_fetched(const struct provider *, size_t alternative,
		    struct str bytes, int64_t now, int64_t *until, struct err *);

void		 auth_keys_free(struct key *);

/* The bytes, and the name in a set, of the first key of a list: for auth_sign.c. */
struct str	auth_key_bytes(const struct key *);
struct str	auth_key_id(const struct key *);

/* The first secret's bytes, for a handshake that answers with them; or none. */
struct str	auth_first_key(const struct route *);

/* What a template of an answer sees. */
struct scope	auth_scope(const struct route *, struct request *q);

#endif
