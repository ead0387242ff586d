/*
 * handler.h - the road of a request, after it was read and before it is answered.
 *
 * handler_decide() judges: request and routes in, decision out.  No clock, no
 * socket, no randomness: all of it is given.  handler_take() is the one place
 * that acts on a decision: it answers at once, or parks the request and hands
 * its event to the courier.
 */
#ifndef HANDLER_H
#define HANDLER_H

#include "answer.h"
#include "auth.h"
#include "wire.h"
#include "handshake.h"

enum action {
	ACT_ANSWER,		/* say it now */
	ACT_STORE,		/* commit first, then say it */
	ACT_HEALTH,		/* ask whether an event could be taken now */
};

struct decision {
	enum action	 action;
	const struct route *route;	/* NULL: no such hook */
	struct answer	 answer;	/* now, or once the event is stored */
	struct verdict	 verdict;
	const char	*reason;	/* a word for the log: "no-hook" */
	struct event	 event;		/* for ACT_STORE; also set for the log */
};

struct handler_limits {
	struct json_limits json;
	struct str	 health;
	bool		 keeps;		/* there is an inbox */
};

/*
 * The status contract, in its order (DESIGN.md).  now in ms since 1970; dice: 10
 * random bytes for the event's id.
 */
struct decision	handler_decide(const struct routes *,
		    const struct handler_limits *, struct request *q,
		    int64_t now, const unsigned char dice[10]);

/* The answer after the inbox has spoken. */
struct answer	handler_stored(const struct decision *, const struct stored *,
		    struct arena *);
struct answer	handler_refused(const struct decision *, enum wire_refusal);
/* 503 with Retry-After. */
struct answer	handler_later(void);

#endif
