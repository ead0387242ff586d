/*
 * wire.h - all that can be said across a wall, in one table.
 *
 * There are three doors: worker -> courier, operator -> courier, and master <->
 * worker.  Each is a stream socket.  A message is a head of 8 bytes (u32 length
 * of what follows, u8 type, u8 version, u8 flags, u8 zero) and its fields,
 * encoded one by one, lengths first, integers big-endian; a struct is never
 * copied across.  One descriptor may ride along (SCM_RIGHTS) where the row says
 * so: then the head's flag 1 is set, and it arrives with the head's first byte.
 *
 * A message that is not in the table, longer than its row, not allowed at that
 * door, or that does not decode to its last byte ends the connection: it is not
 * argued with.  Some rows are only reserved: answering one of those is "refused,
 * not in this version".
 */
#ifndef WIRE_H
#define WIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "event.h"

#define WIRE_VERSION	3
#define WIRE_HEAD	8
#define WIRE_MAX	(EVENT_INLINE + 208 * 1024)	/* the longest row */
#define WIRE_KEY_MAX	(64 * 1024)	/* bytes of keys that are fetched */
#define WIRE_LINE_INLINE (64 * 1024)
#define SPOKEN_BODY	(256 * 1024)	/* the longest answer of a destination */
#define SPOKEN_TYPE	255
#define SPOKEN_HEADERS	1024

enum wire_type {
	/* worker -> courier, and its answers */
	WIRE_HELLO = 1,		/* who speaks: u8 role, u32 pid, str program */
	WIRE_WELCOME,		/* u8 ready, str why not */
	WIRE_EVENT,		/* u64 ticket, event [, body_fd] */
	WIRE_STORED,		/* u64 ticket, stored */
	WIRE_REFUSED,		/* u64 ticket, u8 enum wire_refusal, str why */
	WIRE_WANT_KEY,		/* u64 ticket, str hook, u8 alternative, str key,
				 * u8 again -> KEY or REFUSED */
	WIRE_KEY,		/* u64 ticket, str bytes, u32 seconds */
	WIRE_WANT_SECRET,	/* u64 ticket, str name (of a captured one, or
				 * "gcp:...") -> SECRET or REFUSED */
	WIRE_SECRET,		/* u64 ticket, str bytes */
	WIRE_ANSWER,		/* u64 ticket, stored, spoken: in the place of
				 * STORED, what a destination answers */
	WIRE_COUNTERS,		/* u64 ticket, u8 enum wire_counters, str series
				 * (stats.h) -> the same with ticket, an empty
				 * str, body_fd: what was asked for; or REFUSED,
				 * and to an operator END */
	WIRE_HEALTH,		/* u64 ticket -> STORED or REFUSED, nothing kept */
	WIRE_CAPTURE,		/* u64 ticket, str names (a line each), str secret
				 * -> STORED or REFUSED */
	WIRE_QUARANTINE,	/* str verdict, str reason, event; no reply */

	/* operator -> courier */
	WIRE_LIST = 32,		/* u64 ticket, filter -> ROW*, END */
	WIRE_SHOW,		/* u64 ticket, str id -> ROW, END */
	WIRE_ROW,		/* u64 ticket, row [, body_fd] */
	WIRE_END,		/* u64 ticket, u64 cursor, str error */
	WIRE_WINDOW,		/* u64 ticket, str name, u32 seconds (0: shut) -> END */
	WIRE_CAPTURED,		/* u64 ticket, str name (empty: all), u8 show
				 * -> CAPTURED_ROW*, END */
	WIRE_CAPTURED_ROW,	/* u64 ticket, str name, u64 captured_at (0: not yet),
				 * u32 seconds that its window is open, str secret
				 * (where it was asked for) */
	WIRE_FORGET,		/* u64 ticket, str name -> END */
	WIRE_DELIVERIES,	/* u64 ticket, deliveries_filter -> DELIVERY*, END */
	WIRE_DELIVERY,		/* u64 ticket, delivery_row; also after a SHOW's ROW */
	WIRE_ATTEMPT,		/* u64 ticket, attempt_row; after a SHOW's DELIVERY */
	WIRE_DESTINATIONS,	/* u64 ticket -> DESTINATION*, END */
	WIRE_DESTINATION,	/* u64 ticket, destination_row */
	WIRE_PAUSE,		/* u64 ticket, str destination, u8 on -> END */
	WIRE_REPLAY,		/* u64 ticket, replay, filter -> REPLAYED or END */
	WIRE_REPLAYED,		/* u64 ticket, u64 events, u64 deliveries */
	WIRE_DROP,		/* u64 ticket, str destination: what waits for it need
				 * not go -> END, its cursor how many that were */

	/* master <-> worker */
	WIRE_BUNDLE = 64,	/* u64 generation, body_fd: see bundle.h */
	WIRE_SWAPPED,		/* u64 generation, u8 ok, str why not */
	WIRE_LINE,		/* u64 ticket, str line for "stdout:" [, body_fd: the
				 * line, where it is longer than WIRE_LINE_INLINE] */
	WIRE_WRITTEN,		/* u64 ticket, u8 ok */
	WIRE_DRAIN,		/* finish what is parked, then leave */
	WIRE_RELOADED,		/* u8 ok, u64 ms: how the last reading of the
				 * configuration went, and when one was last good */
};

enum wire_door { DOOR_WORKER = 1, DOOR_OPERATOR = 2, DOOR_MASTER = 4 };
enum wire_role { ROLE_WORKER = 1, ROLE_OPERATOR = 2 };

enum wire_refusal {
	REFUSED_BUSY = 1,	/* full, locked, over a limit: 503, later */
	REFUSED_SYNC,		/* the batch's sync failed: 503 */
	REFUSED_REPLAY,		/* "replay": "refuse": 401 */
	REFUSED_RESERVED,	/* a row of another version */
	REFUSED_TOO_LARGE,	/* more than the engine takes: 413 */
	REFUSED_NO_KEY,		/* there is no such key or secret: 401 */
	REFUSED_NO_WINDOW,	/* nobody waits for a secret: 403 */
	REFUSED_DESTINATION,	/* stored, but one that must be reached before the
				 * answer was not: 503 */
};

enum wire_counters {		/* what one wants to hear */
	COUNTERS_NOTHING,	/* here is what I have counted */
	COUNTERS_TEXT,		/* of Prometheus */
	COUNTERS_SERIES,	/* as stats_put() writes them */
};

struct wire_row {
	enum wire_type	 type;
	const char	*name;
	unsigned	 doors;		/* where it may be said */
	size_t		 limit;		/* bytes after the head */
	bool		 fd;		/* may carry a descriptor */
};

/* NULL when the type is not in the table. */
const struct wire_row	*wire_row(unsigned type);

/* --- a connection ------------------------------------------------------ */

struct wire;

struct wire_msg {
	enum wire_type	 type;
	struct str	 body;		/* until the next wire_next() */
	int		 fd;		/* the receiver's to close, or -1 */
};

/*
 * Takes over fd, also when it fails (NULL: fd is closed), makes it non-blocking.
 * door: as whom we listen, so which types we accept.  out_limit: bytes that may
 * wait to be sent.
 */
struct wire	*wire_new(int fd, unsigned door, size_t out_limit);
/* Once WIRE_HELLO said who speaks: only this door from here on. */
void		 wire_door(struct wire *, unsigned door);
void		 wire_free(struct wire *);	/* closes; takes NULL */
int		 wire_fd(const struct wire *);

/*
 * Receives what is there and fits: read messages by wire_next() until it gives
 * 0, then poll again (level-triggered).  0: fine (or nothing yet), -1: the peer
 * is gone or out of order, and the connection must be freed.
 */
int	wire_receive(struct wire *, struct err *);

/* 1: *m is the next message; 0: none is whole yet; -1: out of order. */
int	wire_next(struct wire *, struct wire_msg *m, struct err *);

/*
 * Queues a message.  fd (-1: none) is duplicated.  -1 when out_limit is reached,
 * or when it is longer than its row: nothing was queued.
 */
int	wire_send(struct wire *, enum wire_type, struct str body, int fd);

/* Sends what waits, without blocking.  0: fine, -1: the peer is gone. */
int	wire_flush(struct wire *, struct err *);
bool	wire_waiting(const struct wire *);	/* something is still to be sent */

/* --- fields ------------------------------------------------------------- */

void	put_u8(struct buf *, unsigned);
void	put_u16(struct buf *, unsigned);
void	put_u32(struct buf *, uint32_t);
void	put_u64(struct buf *, uint64_t);
void	put_str(struct buf *, struct str);	/* u32 length; ~0: STR_NONE */

/* A reader that has failed stays failed and gives zeros: ask once, at the end. */
struct get {
	struct str	rest;
	bool		bad;
};
#define GET(s)	((struct get){ .rest = (s) })

unsigned	get_u8(struct get *);
unsigned	get_u16(struct get *);
uint32_t	get_u32(struct get *);
uint64_t	get_u64(struct get *);
struct str	get_str(struct get *);		/* a view into the message */
bool		get_done(const struct get *);	/* not bad, and nothing is left */

void	put_event(struct buf *, const struct event *);
/* body_fd is left -1.  One whose "deliver" does not decode to its last byte is bad. */
void	get_event(struct get *, struct event *);
void	put_forward(struct buf *, const struct forward *);
void	get_forward(struct get *, struct forward *);
void	put_stored(struct buf *, const struct stored *);
void	get_stored(struct get *, struct stored *);

/* What a destination says to the sender: all that crosses of its answer. */
struct spoken {
	unsigned	status;		/* 200 to 599 */
	struct str	type;		/* Content-Type; .n == 0: none */
	struct str	headers;	/* more lines, each ended by CRLF */
	struct str	body;
};
void	put_spoken(struct buf *, const struct spoken *);
/* Control bytes in the type, or lines that are none, are bad. */
void	get_spoken(struct get *, struct spoken *);

/* What "events list" asks.  Strings with .n == 0 do not filter. */
struct filter {
	struct str	hook;
	struct str	provider;
	struct str	type;
	struct str	event_id;
	int64_t		since;		/* received_at >= since; 0: any */
	int64_t		until;		/* received_at < until; 0: any */
	uint64_t	after;		/* cursor: only rows after it */
	uint64_t	limit;		/* rows; 0: all */
	bool		newest;		/* the newest first */
	bool		bodies;		/* with bodies */
};
void	put_filter(struct buf *, const struct filter *);
void	get_filter(struct get *, struct filter *);

/* A row of the inbox: the event and what happened to it since. */
struct inbox_row {
	uint64_t	cursor;		/* order of arrival */
	struct event	event;
	struct stored	stored;		/* flags as it came, repeats until now */
	int64_t		last_repeat_at;	/* ms, or 0 */
};
void	put_row(struct buf *, const struct inbox_row *);
void	get_row(struct get *, struct inbox_row *);

/* Which deliveries; what is empty or 0 does not filter. */
struct deliveries_filter {
	struct str	event;		/* events.id */
	struct str	destination;
	uint32_t	states;		/* bits, 1 << enum delivery_state */
	uint64_t	after;		/* cursor: only those after it */
	uint64_t	limit;
};
void	put_deliveries_filter(struct buf *, const struct deliveries_filter *);
void	get_deliveries_filter(struct get *, struct deliveries_filter *);

/* One event's delivery to one destination, and its last attempt. */
struct delivery_row {
	uint64_t	cursor;
	struct str	event;		/* events.id */
	struct str	hook;
	struct str	destination;
	enum delivery_state state;
	uint64_t	tries;		/* since it was added, or replayed */
	uint64_t	made;		/* attempts in all */
	int64_t		since;		/* ms */
	int64_t		due;		/* ms */
	int64_t		last_at;	/* ms, or 0: none was made */
	struct str	last_sentence;
};
void	put_delivery_row(struct buf *, const struct delivery_row *);
void	get_delivery_row(struct get *, struct delivery_row *);

struct attempt_row {
	struct str	destination;
	uint64_t	number;		/* from 1 */
	int64_t		at;		/* ms */
	uint64_t	took;		/* ms */
	enum outcome	outcome;
	int		code;		/* exit or HTTP status; -1: none */
	struct str	sentence;
	struct str	output;		/* its first bytes */
};
void	put_attempt_row(struct buf *, const struct attempt_row *);
void	get_attempt_row(struct get *, struct attempt_row *);

struct destination_row {
	struct str	name;
	bool		configured;
	int64_t		paused;		/* ms: since then; 0: it is not */
	uint64_t	states[DELIVERY_STATES];	/* deliveries in each */
	uint64_t	running;	/* attempts under way */
	uint64_t	closed_for;	/* ms that its circuit stays closed */
	int64_t		oldest;		/* ms: added, of those that wait; 0: none */
};
void	put_destination_row(struct buf *, const struct destination_row *);
void	get_destination_row(struct get *, struct destination_row *);

/* What is to be delivered once more, of the events that a filter finds. */
struct replay {
	struct str	event;		/* this one alone: events.id */
	struct str	to;		/* empty: where each was to go */
	uint32_t	states;		/* bits: only deliveries that stand so */
	uint32_t	rate;		/* in a second; 0: all at once */
	bool		dry;		/* only count */
};
void	put_replay(struct buf *, const struct replay *);
void	get_replay(struct get *, struct replay *);

#endif
