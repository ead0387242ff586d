/*
 * ledger.h - what is still to be delivered, in the inbox: a row for each event and
 * destination, and one for each attempt.
 *
 *	            .---------- an attempt failed ---------.
 *	            v                                      |
 *	 add --> WAITS --an attempt--> (under way, in delivery.c's memory)
 *	  |        ^ |                                     |
 *	  |        | |                              done --+-- dead: by rule
 *	  v        | |                               v           v
 *	BEHIND ----' '--a newer came--> LEFT_OUT    DONE        DEAD
 *	  |  the one before it is at its end  ^
 *	  '-----------a newer came------------'     replay: DONE, DEAD, LEFT_OUT --> WAITS
 *
 * Dropped by an operator, what WAITS or is BEHIND is LEFT_OUT too.
 *
 * What is delivered inside a request (mode before_answer or answer) is none of the
 * lanes' business:
 *
 *	 add --> MISSED --the sender asked, and an attempt was taken--> DONE
 *	           ^  |
 *	           '--'-- it was not: until the sender asks again, or a replay: --> WAITS
 *
 * It is MISSED until it is done, also while it is under way: that is what it is if we
 * die.  What the sender was told is in answers, one for an event, and never changes.
 *
 * What is under way still WAITS here: a courier that is killed tries it again, so an
 * event is delivered at least once (promise 5).  Of those with one key only the oldest
 * WAITS, the others are BEHIND: so they go in the order in which they came.
 *
 * Writing is the batch's thread's, inside its transaction; reading is anybody's who has
 * a side of the inbox.
 */
#ifndef COURIER_LEDGER_H
#define COURIER_LEDGER_H

#include <sqlite3.h>

#include "../base/err.h"
#include "../event.h"
#include "../wire.h"
#include "attempt.h"

#define LEDGER_ATTEMPTS	20	/* of one delivery that are kept, the newest */

/* The tables, for inbox.c's steps. */
extern const char ledger_schema[], ledger_schema_modes[];

/* --- writing: each gives a result code of SQLite ------------------------------ */

struct ledger;

/* Statements for a connection; NULL and *rc. */
struct ledger	*ledger_open(sqlite3 *, int *rc);
void		 ledger_close(struct ledger *);		/* takes NULL */

/* A new event's; event: events.n.  now: ms since 1970. */
int	ledger_add(struct ledger *, int64_t event, const struct forward *,
	    int64_t now);

/*
 * What an attempt came to.  state: WAITS (again, at due), DONE or DEAD.  tries: with
 * this one, if it counts.  Where the latest wins, one that would wait again is left out
 * when a newer one is there.  What was left out, or is gone, is left so.  Written
 * twice it is as written once.
 */
int	ledger_record(struct ledger *, const struct attempt *,
	    enum delivery_state, int64_t due, uint64_t tries);

/* The same of one inside a request: DONE, or as it was.  made: attempts, with this one. */
int	ledger_record_asked(struct ledger *, const struct attempt *, bool done);
/* What the sender of an event (events.n) is told; the first that is written stays. */
int	ledger_speak(struct ledger *, int64_t event, const struct spoken *, int64_t now);
/* Has an event, by our id, deliveries that are made inside its request? */
int	ledger_is_asked(struct ledger *, const char *id, bool *yes);

/* Of a destination; now: ms since 1970. */
int	ledger_pause(struct ledger *, struct str destination, bool on, int64_t now);

/*
 * Once more, at due: what is at its end.  A delivery that was never there is made,
 * without a key.  *made: was anything done?
 */
int	ledger_replay(struct ledger *, int64_t event, struct str destination,
	    int64_t due, bool *made);

/*
 * An open one need not go: it is left out, and the next of its key may go.  What is under
 * way is not called back; if it ends well it is done.
 */
int	ledger_drop(struct ledger *, int64_t delivery, bool *dropped);

/* --- reading ------------------------------------------------------------------- */

/* ?1 destination, ?2 now: what is due (at most ?3 rows, the key last), what is next. */
extern const char ledger_due_now[], ledger_due_next[];
/*
 * ?1 events.id: n, event, tries, made, since, destination, mode, state of what is
 * delivered inside its request.  ?1 events.n: status, type, headers, body.
 */
extern const char ledger_asked[], ledger_spoken[];

struct ledger_row {
	uint64_t	n;		/* deliveries.n */
	uint64_t	event;		/* events.n */
	enum delivery_state state;
	uint64_t	tries;		/* since it was added, or replayed */
	uint64_t	made;		/* attempts in all */
	int64_t		since;		/* ms: added, or to be replayed */
	int64_t		due;
	bool		keyed;
	char		key[FORWARD_KEY_MAX];
	size_t		nkey;
};

#endif
