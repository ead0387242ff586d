/*
 * event.h - an EVENT: one request that was verified and is to be kept.
 *
 * The noun on both sides of the wall.  The worker makes it from a request and a
 * verdict; it crosses by wire.h; the courier commits it.  Its strings belong to
 * whoever made it (an arena, a message, a row) and live as long as that.
 */
#ifndef EVENT_H
#define EVENT_H

#include "base/buf.h"
#include "base/str.h"

#define EVENT_ID_LEN	36		/* a UUIDv7 as text, RFC 9562 */
#define EVENT_INLINE	(256 * 1024)	/* longer bodies cross as a memfd */
#define EVENT_ID_MAX	255		/* a longer id of a provider is no id */

struct event {
	char		id[EVENT_ID_LEN + 1];	/* ours; minted by the worker */
	int64_t		received_at;	/* ms since 1970 */
	struct str	hook;		/* "/hooks/github" */
	struct str	provider;	/* "github", or "own" for one of the file's own */
	struct str	event_id;	/* the provider's; .n == 0: it has none */
	struct str	event_type;	/* the provider's; .n == 0: unknown */

	/* What came, exactly (promise 3). */
	struct str	method;
	struct str	target;		/* REQUEST_URI, secrets replaced */
	struct str	remote;		/* REMOTE_ADDR */
	struct str	headers;	/* JSON: [["name","value"],...], in order;
					 * a value that is not UTF-8 is
					 * ["name",{"base64":"..."}] */
	struct str	body;		/* .p NULL when it is in body_fd */
	int		body_fd;	/* sealed memfd, or -1 */
	uint64_t	size;		/* of the body, wherever it is */

	/* The verdict's facts. */
	struct str	scheme;		/* "hmac-sha256", "none" */
	struct str	secret;		/* the name of the secret that matched */
	int64_t		signed_at;	/* ms; 0 when the scheme has no time */

	/* How a repeat is known (promise 4). */
	bool		signed_bytes;	/* something was signed; digest is of it */
	bool		proven;		/* the id is as well proven as the body */
	bool		refuse_replay;	/* "replay": "refuse" */
	unsigned char	digest[32];	/* SHA-256 of the signed bytes */
	uint32_t	remember;	/* seconds that the id is remembered */
	uint32_t	merge;		/* without an id: seconds in which equal
					 * bytes are one event; 0: never */

	/* Where it goes from here: put_forward() for each, or empty. */
	struct str	deliver;
	uint32_t	within;		/* ms that its sender waits at most; 0: it is
					 * not known */

	/* To find it again in other logs. */
	struct str	request_id;	/* the web server's */
	struct str	trace;		/* as a traceparent */
};

/* When an event goes to a destination, and what that has to do with the answer. */
enum forward_mode {
	FORWARD_AFTER,		/* from the inbox, tried again until it is done */
	FORWARD_BEFORE_ANSWER,	/* inside the request: no 2xx before it is done */
	FORWARD_ANSWER,		/* likewise, and what it says is the answer */
};
#define FORWARD_MODES	3
const char	*forward_mode_name(enum forward_mode);	/* "before_answer" */

/* One destination that an event goes to; wire.h has how it is written. */
struct forward {
	struct str	to;		/* the destination's name */
	struct str	key;		/* events of one key go one after the other;
					 * .p NULL: it has none */
	bool		latest;		/* those of its key that wait need not go */
	uint32_t	delay;		/* ms until the first attempt */
	enum forward_mode mode;
};
#define FORWARD_KEY_MAX	255		/* of a longer one its digest counts */
#define FORWARD_NAME_MAX 64
#define FORWARD_MOST	32		/* of one event; conf_objects.c: of one hook */

/* What became of it: flags of struct stored. */
enum {
	STORED_REPEAT	  = 1,	/* the same event was there; id is that one's */
	STORED_OTHER_BODY = 2,	/* its event_id came before with other bytes */
	STORED_OTHER_ID	  = 4,	/* its signed bytes came before, other event_id */
};

struct stored {
	char		id[EVENT_ID_LEN + 1];	/* under which it is kept */
	unsigned	flags;
	uint64_t	repeats;
};

/* What one try to hand an event on came to. */
enum outcome {
	OUTCOME_DONE = 1,	/* it was taken */
	OUTCOME_LATER,		/* it may be taken another time */
	OUTCOME_DEAD,		/* it will not be taken, however often */
};

/* Where a delivery, of one event to one destination, stands: courier/ledger.h. */
enum delivery_state {
	DELIVERY_WAITS, DELIVERY_BEHIND, DELIVERY_DONE, DELIVERY_DEAD,
	DELIVERY_LEFT_OUT, DELIVERY_MISSED, DELIVERY_STATES
};
const char	*delivery_state_name(enum delivery_state);	/* "waits" */

/*
 * A UUIDv7 from the time and 10 random bytes.  Text of EVENT_ID_LEN and a NUL.
 */
void	event_mint(char id[EVENT_ID_LEN + 1], int64_t ms,
	    const unsigned char dice[10]);

/*
 * One line of JSON without its newline: what "stdout:" writes and "events list
 * --json --bodies" prints.  bodies adds "body_base64" (body must be inline).
 */
void	event_json(struct buf *, const struct event *, const struct stored *,
	    int64_t last_repeat_at, bool bodies);

#endif
