/*
 * handler.h - the road of a request, after it was read and before it is answered.
 *
 * handler_decide() judges: a request and a setting in, a decision out.  No clock,
 * no socket, no randomness: all of it is given.  handler_take() is the one place
 * that acts on a decision: it answers at once, or parks the request and hands its
 * event on.
 *
 *   taken --answer--> answered
 *     |  store: event to the courier (or the line to the master)
 *     v
 *   parked --stored--> answered 2xx      (1) a 2xx only after STORED or ANSWER
 *     |  |--answer---> what it says          for its ticket: promise 1
 *     |  |---refused-> answered 503      (2) what is stored later is kept, and
 *     |  '---deadline-> answered 503         the provider's retry is a repeat
 *     '-- courier gone: sent again, once, with the same id
 *
 * A request whose key is not known yet is parked as well: the courier is asked, once
 * for all that want the same, and when its answer has come they are judged again.
 */
#ifndef HANDLER_H
#define HANDLER_H

#include "answer.h"
#include "auth.h"
#include "base/log.h"
#include "event.h"
#include "handshake.h"
#include "keyring.h"
#include "link.h"

/* --- deciding --------------------------------------------------------------- */

/*
 * What a worker judges by; a reload makes a new one.  Parked requests keep the
 * one they were judged by, so it is counted.  Keys that were fetched are made by
 * its rules, and belong to it: a new one begins with none.
 */
struct setting {
	struct bundle	*bundle;
	struct conf	*conf;
	struct routes	*routes;
	struct keyring	*ring;
	uint64_t	 generation;
	unsigned	 users;
};

/* From a bundle, which it takes over.  NULL and a sentence. */
struct setting	*setting_new(struct bundle *, const char *conf_name,
		    uint64_t generation, struct err *);
struct setting	*setting_use(struct setting *);
void		 setting_drop(struct setting *);	/* takes NULL */

enum action {
	ACT_ANSWER,		/* say it now */
	ACT_STORE,		/* keep the event first, then say it */
	ACT_HEALTH,		/* ask whether an event could be taken now */
	ACT_ASK,		/* have a key brought, then judge again */
	ACT_CAPTURE,		/* have the secret kept first, then say it */
	ACT_METRICS,		/* ask for the text of what was counted */
};

struct decision {
	enum action	 action;
	const struct route *route;	/* NULL: no such hook */
	struct answer	 answer;	/* now, or once the event is kept */
	struct verdict	 verdict;
	bool		 judged;	/* it came as far as the verdict */
	const char	*reason;	/* a word for the log: "no-hook" */
	struct event	 event;		/* for ACT_STORE */
	struct str	 captured;	/* for ACT_CAPTURE: the secret, ... */
	struct answer	 not_captured;	/* ... and what is said when nobody waits */
};

/*
 * The status contract, in its order (DESIGN.md).  now in ms since 1970; dice: 10
 * random bytes for the event's id.
 */
struct decision	handler_decide(const struct setting *, struct request *q,
		    const struct keyring *, int64_t now,
		    const unsigned char dice[10]);

/* The answer once the inbox has spoken; extra lines live in the arena. */
struct answer	handler_stored(const struct decision *, const struct stored *,
		    struct arena *);
/* What a destination says in our place (wire.h); views into it. */
struct answer	handler_spoken(const struct spoken *);
struct answer	handler_refused(const struct decision *, enum wire_refusal);
/* 503 with Retry-After, or what the provider's file says; route may be NULL. */
struct answer	handler_later(const struct route *);

/* --- acting ------------------------------------------------------------------ */

/* A request on the road: from whole frame to answer. */
struct flight {
	struct request	 request;
	struct arena	*arena;
	void		*owner;		/* the caller's: a connection */

	/* handler.c's own */
	struct setting	*setting;
	struct decision	 decision;
	int64_t		 began;		/* steady us */
	int64_t		 deadline;	/* steady ms */
	uint64_t	 ticket;
	bool		 parked;
	bool		 quarantined;	/* refused, and kept to be looked at */
	unsigned	 asked;		/* how often it wanted a key */
	enum { SENT_NEVER, SENT_ONCE, SENT_LOST, SENT_TWICE } sent;
};

struct handler_ops {
	/* Sends the answer; the flight is the caller's again after it. */
	void	(*answer)(void *self, struct flight *, const struct answer *);
	/*
	 * "stdout:": one whole line with its newline.  1: written, 0: it will be
	 * said by handler_written(), -1: it cannot be.
	 */
	int	(*line)(void *self, uint64_t ticket, struct str line);
	void	*self;
};

struct handler;

/* log may be NULL.  in_flight: parked requests at most. */
struct handler	*handler_new(struct setting *, const struct handler_ops *,
		    struct log *, size_t in_flight, struct err *);
void		 handler_free(struct handler *);
void		 handler_swap(struct handler *, struct setting *);
struct setting	*handler_setting(struct handler *);

void		 handler_take(struct handler *, struct flight *);
/* The owner is gone: nobody will read the answer.  The event goes its way. */
void		 handler_forget(struct handler *, struct flight *);
void		 handler_written(struct handler *, uint64_t ticket, bool ok);

int		 handler_link_fd(const struct handler *);	/* -1: none */
/* Another number for each connection: a descriptor's number can come again. */
unsigned	 handler_link_serial(const struct handler *);
bool		 handler_link_waiting(const struct handler *);
void		 handler_link_ready(struct handler *);	/* its fd is ready */
/* Sends what the last round of requests has put together. */
void		 handler_flush(struct handler *);
/* Deadlines, and the courier's return.  When to call again, in steady ms. */
int64_t		 handler_tick(struct handler *, int64_t now);
/*
 * The master's word: was the configuration good when it was last read, and when was
 * one last taken, in ms since 1970.
 */
void		 handler_reloaded(struct handler *, bool ok, int64_t at);
/* As many are parked as may be: accept no more connections for now. */
bool		 handler_full(const struct handler *);

#endif
