/* ledger.c - see ledger.h. */
#include <stdlib.h>

#include "ledger.h"
#include "sql.h"

const char ledger_schema[] =
    "CREATE TABLE deliveries (\n"
    "	n		INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "	event		INTEGER NOT NULL,	-- events.n\n"
    "	destination	TEXT NOT NULL,\n"
    "	key		TEXT,			-- those of one key go in order\n"
    "	state		INTEGER NOT NULL,	-- 0 waits, 1 behind another of"
    " its key, 2 done, 3 dead, 4 left out: a newer one came,"
    " or it was dropped\n"
    "	since		INTEGER NOT NULL,	-- ms since 1970\n"
    "	due		INTEGER NOT NULL,	-- ms: not before\n"
    "	tries		INTEGER NOT NULL DEFAULT 0,	-- since 'since'\n"
    "	made		INTEGER NOT NULL DEFAULT 0,	-- attempts in all\n"
    "	UNIQUE (event, destination)\n"
    ") STRICT;\n"
    "CREATE INDEX deliveries_due ON deliveries (destination, due, n)"
    " WHERE state = 0;\n"
    "CREATE INDEX deliveries_key ON deliveries (destination, key, event)"
    " WHERE state < 2 AND key IS NOT NULL;\n"
    "CREATE INDEX deliveries_open ON deliveries (event) WHERE state < 2;\n"
    "CREATE INDEX deliveries_dead ON deliveries (destination, n)"
    " WHERE state = 3;\n"
    "CREATE TABLE attempts (\n"
    "	delivery	INTEGER NOT NULL,	-- deliveries.n\n"
    "	number		INTEGER NOT NULL,	-- from 1\n"
    "	at		INTEGER NOT NULL,	-- ms since 1970\n"
    "	took		INTEGER NOT NULL,	-- ms\n"
    "	outcome		INTEGER NOT NULL,	-- 1 done, 2 later, 3 dead\n"
    "	code		INTEGER,		-- exit or HTTP status\n"
    "	sentence	TEXT NOT NULL,\n"
    "	output		BLOB NOT NULL,		-- its first bytes\n"
    "	PRIMARY KEY (delivery, number)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE paused (\n"
    "	destination	TEXT PRIMARY KEY,\n"
    "	since		INTEGER NOT NULL	-- ms since 1970\n"
    ") STRICT, WITHOUT ROWID;\n";

const char ledger_schema_modes[] =
    "ALTER TABLE deliveries ADD COLUMN mode INTEGER NOT NULL DEFAULT 0;\n"
    "CREATE TABLE answers (\n"
    "	event		INTEGER PRIMARY KEY,	-- events.n\n"
    "	at		INTEGER NOT NULL,	-- ms since 1970\n"
    "	status		INTEGER NOT NULL,	-- of HTTP\n"
    "	type		TEXT NOT NULL,		-- Content-Type\n"
    "	headers		TEXT NOT NULL,		-- more lines\n"
    "	body		BLOB NOT NULL\n"
    ") STRICT;\n";

const char ledger_asked[] =
    "SELECT n, event, tries, made, since, destination, mode, state FROM deliveries"
    " WHERE mode > 0 AND event = (SELECT n FROM events WHERE id = ?1)";
const char ledger_spoken[] =
    "SELECT status, type, headers, body FROM answers WHERE event = ?1";

const char ledger_due_now[] =
    "SELECT n, event, tries, made, since, due, key FROM deliveries"
    " WHERE destination = ?1 AND state = 0 AND due <= ?2 ORDER BY due, n LIMIT ?3";
const char ledger_due_next[] =
    "SELECT min(due) FROM deliveries"
    " WHERE destination = ?1 AND state = 0 AND due > ?2";

enum statement {
	ST_ADD, ST_OPEN, ST_HELD, ST_LEAVE_OUT, ST_RECORD, ST_ATTEMPT, ST_PRUNE,
	ST_GIVE_WAY, ST_NEXT, ST_PAUSE, ST_RESUME, ST_REPLAY, ST_NEW, ST_DROP,
	ST_RECORD_ASKED, ST_SPEAK, ST_IS_ASKED, ST_COUNT
};

/* "key" of ST_OPEN to ST_LEAVE_OUT: ?2; deliveries_key serves them. */
static const char *const statements[ST_COUNT] = {
	[ST_ADD] = "INSERT OR IGNORE INTO deliveries"
	    " (event, destination, key, state, since, due, mode)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[ST_OPEN] = "SELECT 1 FROM deliveries WHERE destination = ?1 AND key = ?2"
	    " AND state < 2 LIMIT 1",
	[ST_HELD] = "SELECT min(due) FROM deliveries WHERE destination = ?1"
	    " AND key = ?2 AND state < 2 AND state = 0 AND due > ?3",
	[ST_LEAVE_OUT] = "UPDATE deliveries SET state = 4 WHERE destination = ?1"
	    " AND key = ?2 AND state < 2 AND (state = 1 OR due > ?3)",
	[ST_RECORD] = "UPDATE deliveries SET state = ?2, due = ?3,"
	    " tries = ?4, made = ?5 WHERE n = ?1"
	    " AND (state = 0 OR ?2 = 2)",
	[ST_ATTEMPT] = "INSERT OR REPLACE INTO attempts"
	    " (delivery, number, at, took, outcome, code, sentence, output)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[ST_PRUNE] = "DELETE FROM attempts WHERE delivery = ?1 AND number <= ?2",
	[ST_GIVE_WAY] = "UPDATE deliveries SET state = 4 WHERE n = ?1 AND state = 0"
	    " AND EXISTS (SELECT 1 FROM deliveries o"
	    " WHERE o.destination = deliveries.destination AND o.key = deliveries.key"
	    " AND o.state < 2 AND o.key IS NOT NULL AND o.event > deliveries.event)",
	/* The oldest of its key is behind nobody any more; ?2: it is not due before. */
	[ST_NEXT] = "UPDATE deliveries SET state = 0, due = max(due, ?2)"
	    " WHERE state = 1 AND n ="
	    " (SELECT o.n FROM deliveries me JOIN deliveries o"
	    " ON o.destination = me.destination AND o.key = me.key"
	    " WHERE me.n = ?1 AND o.state < 2 AND o.key IS NOT NULL"
	    " ORDER BY o.event LIMIT 1)",
	[ST_PAUSE] = "INSERT OR IGNORE INTO paused VALUES (?1, ?2)",
	[ST_RESUME] = "DELETE FROM paused WHERE destination = ?1",
	/* It has its whole time from when it is due: a slow replay is none of its. */
	[ST_REPLAY] = "UPDATE deliveries SET tries = 0, since = ?3, due = ?3,"
	    " state = CASE WHEN EXISTS (SELECT 1 FROM deliveries o WHERE"
	    " o.destination = deliveries.destination AND o.key = deliveries.key"
	    " AND o.state < 2) THEN 1 ELSE 0 END"
	    " WHERE event = ?1 AND destination = ?2 AND state > 1",
	[ST_NEW] = "INSERT OR IGNORE INTO deliveries"
	    " (event, destination, state, since, due)"
	    " SELECT n, ?2, 0, ?3, ?3 FROM events WHERE n = ?1",
	[ST_DROP] = "UPDATE deliveries SET state = 4 WHERE n = ?1 AND state < 2",
	[ST_RECORD_ASKED] = "UPDATE deliveries SET tries = tries + 1, made = ?3,"
	    " state = CASE WHEN ?2 THEN 2 ELSE state END WHERE n = ?1",
	[ST_SPEAK] = "INSERT OR IGNORE INTO answers"
	    " (event, at, status, type, headers, body)"
	    " SELECT n, ?2, ?3, ?4, ?5, ?6 FROM events WHERE n = ?1",
	[ST_IS_ASKED] = "SELECT 1 FROM deliveries WHERE mode > 0"
	    " AND event = (SELECT n FROM events WHERE id = ?1) LIMIT 1",
};

struct ledger {
	sqlite3		*db;
	sqlite3_stmt	*st[ST_COUNT];
};

struct ledger *
ledger_open(sqlite3 *db, int *rc)
{
	struct ledger *l = calloc(1, sizeof(*l));

	*rc = SQLITE_NOMEM;
	if (l == NULL)
		return NULL;
	l->db = db;
	for (int i = 0; i < ST_COUNT; i++) {
		*rc = sqlite3_prepare_v3(db, statements[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &l->st[i], NULL);
		if (*rc != SQLITE_OK) {
			ledger_close(l);
			return NULL;
		}
	}
	return l;
}

void
ledger_close(struct ledger *l)
{
	if (l == NULL)
		return;
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(l->st[i]);
	free(l);
}

/* A statement that gives no row. */
static int
step(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The number that a statement gives; 0 for none. */
static int
number(sqlite3_stmt *st, int64_t *out)
{
	int rc = sqlite3_step(st);

	*out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void
bind_key(sqlite3_stmt *st, const struct forward *f, int64_t now)
{
	sql_bind_or_null(st, 1, f->to);
	sql_bind_or_null(st, 2, f->key);
	if (sqlite3_bind_parameter_count(st) > 2)
		sqlite3_bind_int64(st, 3, now);
}

/*
 * Those of its key that are not under way need not go.  What is due may be under way;
 * what one that is not yet due waited for holds for the new one.
 */
static int
leave_out(struct ledger *l, const struct forward *f, int64_t now, int64_t *due)
{
	int64_t held;
	int rc;

	bind_key(l->st[ST_HELD], f, now);
	if ((rc = number(l->st[ST_HELD], &held)) != SQLITE_OK)
		return rc;
	if (held > 0)
		*due = held;
	bind_key(l->st[ST_LEAVE_OUT], f, now);
	return step(l->st[ST_LEAVE_OUT]);
}

int
ledger_add(struct ledger *l, int64_t event, const struct forward *f, int64_t now)
{
	int64_t due = now + f->delay, behind = 0;
	sqlite3_stmt *st = l->st[ST_ADD];
	int rc = SQLITE_OK;

	if (f->key.p != NULL && f->latest)
		rc = leave_out(l, f, now, &due);
	if (rc == SQLITE_OK && f->key.p != NULL) {
		bind_key(l->st[ST_OPEN], f, now);
		rc = number(l->st[ST_OPEN], &behind);
	}
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(st, 1, event);
	sql_bind_or_null(st, 2, f->to);
	sql_bind_or_null(st, 3, f->key);
	sqlite3_bind_int(st, 4, f->mode != FORWARD_AFTER ? DELIVERY_MISSED :
	    behind ? DELIVERY_BEHIND : DELIVERY_WAITS);
	sqlite3_bind_int64(st, 5, now);
	sqlite3_bind_int64(st, 6, due);
	sqlite3_bind_int(st, 7, f->mode);
	return step(st);
}

static int
keep_attempt(struct ledger *l, const struct attempt *a)
{
	sqlite3_stmt *st = l->st[ST_ATTEMPT];
	int rc;

	sqlite3_bind_int64(st, 1, (int64_t)a->delivery);
	sqlite3_bind_int64(st, 2, (int64_t)a->number);
	sqlite3_bind_int64(st, 3, a->at);
	sqlite3_bind_int64(st, 4, a->took);
	sqlite3_bind_int(st, 5, a->outcome);
	if (a->code == -1)
		sqlite3_bind_null(st, 6);
	else
		sqlite3_bind_int(st, 6, a->code);
	sql_bind_or_null(st, 7, str_of(a->sentence));
	sqlite3_bind_blob64(st, 8, a->output.n > 0 ? a->output.p : "", a->output.n,
	    SQLITE_STATIC);
	if ((rc = step(st)) != SQLITE_OK || a->number <= LEDGER_ATTEMPTS)
		return rc;
	sqlite3_bind_int64(l->st[ST_PRUNE], 1, (int64_t)a->delivery);
	sqlite3_bind_int64(l->st[ST_PRUNE], 2,
	    (int64_t)(a->number - LEDGER_ATTEMPTS));
	return step(l->st[ST_PRUNE]);
}

/* The next of its key may go, at due. */
static int
let_next(struct ledger *l, uint64_t delivery, int64_t due)
{
	sqlite3_bind_int64(l->st[ST_NEXT], 1, (int64_t)delivery);
	sqlite3_bind_int64(l->st[ST_NEXT], 2, due);
	return step(l->st[ST_NEXT]);
}

int
ledger_record(struct ledger *l, const struct attempt *a, enum delivery_state state,
    int64_t due, uint64_t tries)
{
	sqlite3_stmt *st = l->st[ST_RECORD];
	int rc;

	sqlite3_bind_int64(st, 1, (int64_t)a->delivery);
	sqlite3_bind_int(st, 2, state);
	sqlite3_bind_int64(st, 3, due);
	sqlite3_bind_int64(st, 4, (int64_t)tries);
	sqlite3_bind_int64(st, 5, (int64_t)a->number);
	if ((rc = step(st)) != SQLITE_OK || (rc = keep_attempt(l, a)) != SQLITE_OK)
		return rc;
	if (state != DELIVERY_WAITS)
		return let_next(l, a->delivery, 0);
	if (!a->to->latest_wins)
		return SQLITE_OK;
	/* A newer one came while it was under way: what this waits for that does. */
	sqlite3_bind_int64(l->st[ST_GIVE_WAY], 1, (int64_t)a->delivery);
	rc = step(l->st[ST_GIVE_WAY]);
	if (rc != SQLITE_OK || sqlite3_changes(l->db) == 0)
		return rc;
	return let_next(l, a->delivery, due);
}

int
ledger_record_asked(struct ledger *l, const struct attempt *a, bool done)
{
	sqlite3_stmt *st = l->st[ST_RECORD_ASKED];
	int rc;

	sqlite3_bind_int64(st, 1, (int64_t)a->delivery);
	sqlite3_bind_int(st, 2, done);
	sqlite3_bind_int64(st, 3, (int64_t)a->number);
	return (rc = step(st)) != SQLITE_OK ? rc : keep_attempt(l, a);
}

int
ledger_speak(struct ledger *l, int64_t event, const struct spoken *s, int64_t now)
{
	sqlite3_stmt *st = l->st[ST_SPEAK];

	sqlite3_bind_int64(st, 1, event);
	sqlite3_bind_int64(st, 2, now);
	sqlite3_bind_int(st, 3, (int)s->status);
	sql_bind_or_null(st, 4, s->type.n > 0 ? s->type : STR(""));
	sql_bind_or_null(st, 5, s->headers.n > 0 ? s->headers : STR(""));
	sqlite3_bind_blob64(st, 6, s->body.n > 0 ? s->body.p : "", s->body.n,
	    SQLITE_STATIC);
	return step(st);
}

int
ledger_is_asked(struct ledger *l, const char *id, bool *yes)
{
	int64_t one = 0;
	int rc;

	sql_bind_or_null(l->st[ST_IS_ASKED], 1, str_of(id));
	rc = number(l->st[ST_IS_ASKED], &one);
	*yes = one == 1;
	return rc;
}

int
ledger_pause(struct ledger *l, struct str destination, bool on, int64_t now)
{
	sqlite3_stmt *st = l->st[on ? ST_PAUSE : ST_RESUME];

	sql_bind_or_null(st, 1, destination);
	if (on)
		sqlite3_bind_int64(st, 2, now);
	return step(st);
}

int
ledger_replay(struct ledger *l, int64_t event, struct str destination, int64_t due,
    bool *made)
{
	int rc = SQLITE_OK;

	*made = false;
	for (int i = ST_REPLAY; i <= ST_NEW && rc == SQLITE_OK && !*made; i++) {
		sqlite3_stmt *st = l->st[i];

		sqlite3_bind_int64(st, 1, event);
		sql_bind_or_null(st, 2, destination);
		sqlite3_bind_int64(st, 3, due);
		rc = step(st);
		*made = rc == SQLITE_OK && sqlite3_changes(l->db) > 0;
	}
	return rc;
}

int
ledger_drop(struct ledger *l, int64_t delivery, bool *dropped)
{
	int rc;

	sqlite3_bind_int64(l->st[ST_DROP], 1, delivery);
	rc = step(l->st[ST_DROP]);
	*dropped = rc == SQLITE_OK && sqlite3_changes(l->db) > 0;
	return *dropped ? let_next(l, (uint64_t)delivery, 0) : rc;
}
