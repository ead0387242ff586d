/*
 * handshake.h - "is this URL yours?": a challenge in, an answer out.
 *
 * How a provider asks and what it wants to hear stands in its file.  What is
 * echoed is printable ASCII of at most 1 KiB and goes out as text/plain with
 * nosniff, or as JSON: a reflected page is not to be had here.  Verify tokens
 * are compared in constant time.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "answer.h"
#include "auth.h"

enum handshake_step {
	HANDSHAKE_NONE,		/* an ordinary request */
	HANDSHAKE_ANSWER,	/* *out answers it, now */
	HANDSHAKE_VERIFY,	/* signed: verify first, then ask again */
	HANDSHAKE_REFUSE,	/* a wrong token, or something not to be echoed */
};

struct handshake {
	enum handshake_step step;
	struct answer	 answer;
	bool		 store;		/* it is also an event (design section 5) */
	/*
	 * The secret that it brings; .p NULL: none.  It is answered only once that
	 * is kept, and refused when nobody waits for it.
	 */
	struct str	 captured;
	struct answer	 refused;	/* then */
	const char	*reason;	/* for our log */
};

/*
 * verified: auth_verify() said so already.  Asked once before it and, when the
 * answer was HANDSHAKE_VERIFY, once after.  Pure, as auth_verify() is.
 */
struct handshake handshake_try(const struct route *, struct request *q,
		    bool verified);

#endif
