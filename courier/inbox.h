/*
 * inbox.h - the events on disk, and what may be answered from them.
 *
 *	CLOSED --open, settings read back, migrations--> open
 *	open   --checkpoint(TRUNCATE), its syncs checked--> SOUND
 *	SOUND  --a write or a sync failed--> CLOSED
 *
 * (1) Nothing is answered unless the inbox is SOUND: after a crash or a failed
 *     sync there are rows that can be read and were never synced.  Only the
 *     checkpoint, which writes every page anew and syncs it, makes them true.
 * (2) A stored or repeated event is answered after inbox_commit() gave INBOX_OK.
 * (3) inbox_commit() that fails is never tried again: the batch is refused, and
 *     whether its rows are there is known only after the next inbox_settle().
 * (4) A body in a file was synced, and its directory, before its row commits; a
 *     file without a row is removed by bodies_sweep().
 *
 * One thread owns the inbox and writes.  Other threads read (or checkpoint)
 * through a side each, which is closed under them when the inbox is settled
 * anew: so that the log is read again from the disk, by its checksums.
 *
 * The schema is in inbox.c and hooklatch-inbox(5).  SQLite's home is this folder.
 */
#ifndef COURIER_INBOX_H
#define COURIER_INBOX_H

#include <sqlite3.h>

#include "../base/err.h"
#include "../base/log.h"
#include "../event.h"
#include "../wire.h"
#include "limits.h"

#define INBOX_VERSION	5		/* of the schema: user_version */

enum inbox_code {
	INBOX_OK = 0,
	INBOX_LOCKED,		/* by somebody's hand: again in a moment */
	INBOX_FULL,		/* no room: later it may work */
	INBOX_DOUBT,		/* a write or a sync failed: settle anew */
	INBOX_WRONG,		/* not an inbox, or not of this version */
};

struct inbox;
struct inbox_side;

/* What became of an event inside its transaction. */
struct inbox_answer {
	enum wire_refusal refusal;	/* 0: stored, as follows */
	struct stored	  stored;
	bool		  kept;		/* a new row holds it (and its file) */
	unsigned	  forwards;	/* deliveries that are to be made now */
	bool		  asked;	/* and some before it is answered */
};

/* path: of the database.  Nothing is opened yet.  NULL without memory. */
struct inbox	*inbox_new(const char *path, const struct inbox_limits *,
		    struct log *);
void		 inbox_free(struct inbox *);	/* closes; takes NULL */
void		 inbox_limit(struct inbox *, const struct inbox_limits *);

const char	*inbox_path(const struct inbox *);
const char	*inbox_files(const struct inbox *);	/* "inbox.db.d" */

/*
 * Makes it SOUND: closes all there is, opens, migrates, checkpoints.  INBOX_LOCKED
 * (a reader or a writer by hand holds the log), INBOX_FULL and INBOX_DOUBT can be
 * tried again; INBOX_WRONG cannot.
 */
enum inbox_code	inbox_settle(struct inbox *, struct err *);
bool		inbox_sound(const struct inbox *);
/* What was not seen to go well: SOUND no more. */
void		inbox_doubt(struct inbox *);
/* Are its files still those that were opened?  Nobody would find what is written
 * into one that somebody has removed or replaced. */
bool		inbox_in_place(const struct inbox *);

/*
 * One batch: begin, put each, commit.  begin does not wait: INBOX_LOCKED is for
 * the caller to try again.  put gives INBOX_OK and an answer (a refusal of this
 * one event is an answer too); anything else ends the batch, which is rolled
 * back.  now: ms, by the courier's clock.
 */
enum inbox_code	inbox_begin(struct inbox *, struct err *);
enum inbox_code	inbox_put(struct inbox *, const struct event *, int64_t now,
		    struct inbox_answer *, struct err *);
enum inbox_code	inbox_commit(struct inbox *, struct err *);
void		inbox_rollback(struct inbox *);

/* Is there a row whose body is the file of this id? */
enum inbox_code	inbox_has_file(struct inbox *, const char *id, bool *yes,
		    struct err *);

/* --- room: what is used, and what may be checkpointed ------------------- */

struct inbox_room {
	uint64_t	 pages;		/* bytes of the pages in use */
	uint64_t	 files;		/* bytes of the bodies beside it */
	uint64_t	 wal;		/* bytes of the log's file */
};
enum inbox_code	inbox_room(struct inbox *, struct inbox_room *, struct err *);
void		inbox_files_add(struct inbox *, int64_t bytes);
void		inbox_files_set(struct inbox *, int64_t bytes);
uint64_t	inbox_wal_bytes(const struct inbox *);	/* after the last commit */
uint64_t	inbox_log_bytes(const struct inbox *, unsigned frames);
/*
 * What the log may grow to before it is copied, less in a small inbox; at
 * INBOX_LOG_MOST times that the writer waits for the copy.
 */
#define INBOX_LOG_MOST	4
uint64_t	inbox_log_share(const struct inbox *);

/*
 * A checkpoint on the writer's own connection: mode as SQLite's.  *left: pages of
 * the log that are not in the database yet.
 */
enum inbox_code	inbox_checkpoint(struct inbox *, int mode, uint64_t *left,
		    struct err *);

/* --- for retention.c and orders: inside a transaction ------------------------------- */

sqlite3		*inbox_db(struct inbox *);
struct ledger	*inbox_ledger(struct inbox *);
struct seen	*inbox_seen(struct inbox *);
const struct inbox_limits *inbox_limits_of(const struct inbox *);
enum inbox_code	inbox_code_of(struct inbox *, int rc, const char *doing,
		    struct err *);

/* --- sides: other threads' connections ----------------------------------- */

struct inbox_side *inbox_side_new(struct inbox *, bool read_only);
void		 inbox_side_free(struct inbox_side *);
/*
 * The connection, opened when it is not, until inbox_side_leave(): a short while,
 * in which the inbox cannot be settled.  NULL when the inbox is not sound.
 */
sqlite3		*inbox_side_enter(struct inbox_side *, struct err *);
void		 inbox_side_leave(struct inbox_side *);

/*
 * Opens an inbox only to read it, whoever else has it open: `--read-only`.
 * INBOX_WRONG with a sentence when there is none.
 */
enum inbox_code	inbox_open_reader(struct inbox *, struct err *);

/* --- rows ------------------------------------------------------------------ */

/* The columns of a row, in the order that inbox_row_read() takes them. */
#define INBOX_COLUMNS							\
	"n, id, received_at, hook, provider, event_id, event_type, "	\
	"size, flags, repeats, last_repeat_at, method, target, remote, " \
	"scheme, secret, signed_at, proven, digest, request_id, trace, "	\
	"headers, typeof(body) = 'null'"
#define INBOX_BODY	23	/* the next one, when bodies are wanted */

/* Views into the statement.  *in_file: the body is in inbox_files(). */
void	inbox_row_read(sqlite3_stmt *, struct inbox_row *, bool *in_file);

#endif
