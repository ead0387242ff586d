/*
 * link.h - the worker's end of the wall to the courier.
 *
 * One connection, kept.  When the courier is away nothing waits for it: a put
 * fails at once, and the link tries to connect again at most every
 * LINK_RETRY_MS.  Who was waiting for an answer when the connection ended is the
 * handler's to know (handler.c sends those once more).
 */
#ifndef LINK_H
#define LINK_H

#include "event.h"
#include "wire.h"

#define LINK_RETRY_MS	20
#define LINK_OUT_LIMIT	(48u * 1024 * 1024)

struct link;

struct link_reply {
	uint64_t	 ticket;
	enum { REPLY_REFUSED, REPLY_STORED, REPLY_KEY, REPLY_SECRET,
	    REPLY_COUNTERS, REPLY_ANSWER } kind;
	struct stored	 as;		/* when stored, or answered */
	struct spoken	 spoken;	/* when answered */
	enum wire_refusal why;		/* when refused ... */
	struct str	 text;		/* ... the courier's sentence, for our log */
	struct str	 bytes;		/* of a key or a secret */
	uint32_t	 seconds;	/* that a key holds */
	int		 fd;		/* of counters: a memfd, the receiver's; or -1 */
	/* Texts: until the next link_next(). */
};

/*
 * path: of the courier's socket; user: as whom the courier runs.  Who listens
 * there must be that user, root (who listened before it became that user), or, in
 * a set-up of one user, ourselves: a 2xx rests on what the listener says, so a
 * stranger's word does not count.  Connects later, by link_up().
 */
struct link	*link_new(struct str path, struct str user);
void		 link_free(struct link *);
/* Is it another socket than before?  Then its connection has ended. */
bool		 link_move(struct link *, struct str path);

int		 link_fd(const struct link *);		/* -1 while it is down */
unsigned	 link_serial(const struct link *);	/* of the connection */
/* Connects when it is down and the time has come.  now in steady ms. */
bool		 link_up(struct link *, int64_t now);
bool		 link_is_strange(const struct link *);	/* a stranger listens */
/* When link_up() is worth calling again, in steady ms. */
int64_t		 link_retry_at(const struct link *);

/* -1: it cannot be taken now (down, or too much waits to be sent). */
int		 link_put(struct link *, uint64_t ticket, const struct event *);
int		 link_ask_health(struct link *, uint64_t ticket);
/* The key of that name, of an alternative of the hook's provider; see key_source.h. */
int		 link_want_key(struct link *, uint64_t ticket, struct str hook,
		    unsigned alternative, struct str key, bool again);
int		 link_want_secret(struct link *, uint64_t ticket, struct str name);
/* names: those that it may be kept under, a line each. */
int		 link_capture(struct link *, uint64_t ticket, struct str names,
		    struct str secret);
/* A request that was refused, to be looked at later: nobody answers. */
int		 link_quarantine(struct link *, struct str verdict, struct str reason,
		    const struct event *);
/*
 * Series that were counted (stats.h): nobody answers.  ask: they are answered with
 * the text of all, for that ticket.
 */
int		 link_counters(struct link *, uint64_t ticket, bool ask,
		    struct str series);

/* 0, or -1: the connection has ended and the link is down. */
int		 link_receive(struct link *);
/* 1: *r is the next reply, 0: none, -1: the connection has ended. */
int		 link_next(struct link *, struct link_reply *r);
int		 link_flush(struct link *);
bool		 link_waiting(const struct link *);

#endif
