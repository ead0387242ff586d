/*
 * keys.h - providers' keys, fetched for the handlers and kept.
 *
 * A thread of its own, so that no commit waits for somebody else's server.  It takes
 * the name of a key from a worker, makes the URL itself (key_source.h), and gets it:
 * https and nothing else, no redirects, the certificate verified, WIRE_KEY_MAX bytes
 * at most, FETCH_MS at most.
 *
 *   ABSENT --ask--> FETCHING --200--> FRESH --max-age--> asked again
 *                      |                                    |
 *                      |  4xx: there is none, for NONE_MS   |  outage: the old one
 *                      '--else: later, doubling to a minute '-- for STALE_MS
 *
 * A key of a name that is answered 4xx is withdrawn, and is not an old one any more;
 * where a whole set is, that is an outage.
 *
 * How often strangers can make us ask is bounded: a key that is not among those of a
 * set is looked for anew at most every AGAIN_MS, and of keys that requests name by
 * themselves at most NAMED_RATE a minute are fetched for one hook's provider.
 */
#ifndef COURIER_KEYS_H
#define COURIER_KEYS_H

#include "../base/log.h"
#include "../key_source.h"
#include "../wire.h"
#include "half.h"

#define KEYS_MOST	256		/* that are kept */
#define KEYS_AT_ONCE	8		/* that are fetched at the same time */
#define KEYS_ASKS_MOST	1024		/* that wait for an answer */
#define FETCH_MS	8000
#define CONNECT_MS	4000
#define NONE_MS		(60 * KEY_SECOND)
#define STALE_MS	((int64_t)24 * 3600 * KEY_SECOND)
#define AGAIN_MS	(30 * KEY_SECOND)
#define NAMED_RATE	30

struct conn;

/* What a worker asks for, and what it hears. */
struct key_ask {
	struct key_ask	*next;
	struct conn	*conn;		/* the door's */
	uint64_t	 ticket;
	char		*hook;
	char		*key;
	unsigned	 alternative;
	bool		 again;

	/* The outcome. */
	enum wire_refusal refusal;	/* 0: there it is */
	const char	*why;		/* of a refusal; a constant */
	struct buf	 bytes;
	uint32_t	 seconds;
};

struct key_ask	*key_ask_new(struct conn *, uint64_t ticket, struct str hook,
		    unsigned alternative, struct str key, bool again);
void		 key_ask_free(struct key_ask *);

struct keys;

/* The half is taken over; so is that of a reload. */
struct keys	*keys_start(struct half *, struct log *, struct err *);
void		 keys_reload(struct keys *, struct half *);
void		 keys_stop(struct keys *);	/* frees; takes NULL */

/* false: too many wait; the ask stays the caller's. */
bool		 keys_give(struct keys *, struct key_ask *);
int		 keys_fd(const struct keys *);	/* readable: outcomes wait */
/* The next outcome, or NULL; the caller's to free. */
struct key_ask	*keys_take(struct keys *);

#endif
