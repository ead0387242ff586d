/* retention.c - see retention.h. */
#include <string.h>
#include <unistd.h>

#include "bodies.h"
#include "retention.h"
#include "seen.h"

/*
 * ?1 now, ?2 rows.  An id whose event is still here is looked at again in an hour,
 * so that the oldest are not looked at for ever.
 */
static const char forget[] =
    "DELETE FROM seen WHERE n IN (SELECT n FROM seen"
    " WHERE until <= ?1 ORDER BY until LIMIT ?2) AND (kind = 'bytes'"
    " OR NOT EXISTS (SELECT 1 FROM events WHERE id = seen.event))";
static const char look_again[] =
    "UPDATE seen SET until = ?1 + 3600000 WHERE n IN (SELECT n"
    " FROM seen WHERE until <= ?1 ORDER BY until LIMIT ?2)"
    " AND kind <> 'bytes'";
/*
 * Events between two that still have to be delivered: ?1 and ?2, at most ?3.  Those two
 * are found in an index alone (SQLite would take another by itself, and read the rows of
 * all that is done): a million that wait cost no page of their bodies.
 */
static const char oldest[] =
    "SELECT n, id, received_at, size, typeof(body) = 'null' FROM events"
    " WHERE n > ?1 AND n < ?2 ORDER BY n LIMIT ?3";
static const char open_ones[] =
    "SELECT event FROM deliveries INDEXED BY deliveries_open"
    " WHERE state < 2 AND event > ?1 ORDER BY event";
static const char remove_one[] = "DELETE FROM events WHERE n = ?1";
/* ?1 to ?2: what was said of those that were removed. */
#define CLOSED	"event > ?1 AND event <= ?2 AND event NOT IN (SELECT event"	\
		" FROM deliveries INDEXED BY deliveries_open"		\
		" WHERE state < 2 AND event > ?1 AND event <= ?2)"
static const char *const removals[] = {
	"DELETE FROM attempts WHERE delivery IN (SELECT n FROM deliveries WHERE "
	    CLOSED ")",
	"DELETE FROM answers WHERE " CLOSED,
	"DELETE FROM deliveries WHERE " CLOSED,
};
#define OPEN_MOST	16384	/* of those that wait, passed by in one run */

static enum inbox_code
run(struct inbox *b, const char *sql, int64_t one, int64_t two, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(inbox_db(b), sql, -1, &st, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, one);
		sqlite3_bind_int64(st, 2, two);
		rc = sqlite3_step(st);
		sqlite3_finalize(st);
	}
	return inbox_code_of(b, rc, "retention", e);
}

/* The bytes that should go. */
static uint64_t
excess(const struct inbox_limits *l, uint64_t used, uint64_t want)
{
	uint64_t spare = l->bytes / 8;

	if (l->bytes == 0)
		return 0;
	if (spare < want)
		spare = want < l->bytes ? want : l->bytes;
	return used + spare > l->bytes ? used + spare - l->bytes : 0;
}

/* One run's walk from the oldest, over those that wait. */
struct sweep {
	const struct inbox_limits *limits;
	struct retention *r;
	sqlite3_stmt	*look, *remove;
	int64_t		 now;
	uint64_t	 over, freed;	/* bytes that should go, and do */
	unsigned	 rows;		/* that may still be removed */
	int64_t		 last;		/* events.n of the last that was */
	bool		 ended;		/* what follows is too young */
};

/* Takes the event where "look" stands. */
static int
sweep_one(struct sweep *s)
{
	struct retention *r = s->r;
	int64_t n = sqlite3_column_int64(s->look, 0);
	int64_t at = sqlite3_column_int64(s->look, 2);
	int64_t size = sqlite3_column_int64(s->look, 3);
	bool aged = s->limits->age > 0 && at <= s->now - s->limits->age;
	int rc;

	if (!aged && (s->freed >= s->over || at > s->now - s->limits->keep)) {
		s->ended = true;
		return SQLITE_DONE;
	}
	if (sqlite3_column_int(s->look, 4)) {
		memcpy(r->files[r->nfiles++], sqlite3_column_text(s->look, 1),
		    EVENT_ID_LEN);
		r->bytes += size;
	}
	s->freed += (uint64_t)size;
	s->last = r->floor = n;
	s->rows--;
	r->removed++;
	sqlite3_bind_int64(s->remove, 1, n);
	rc = sqlite3_step(s->remove);
	sqlite3_reset(s->remove);
	return rc == SQLITE_DONE ? SQLITE_ROW : rc;
}

/* Those behind the floor and before "end". */
static int
sweep_gap(struct sweep *s, int64_t end)
{
	int rc;

	sqlite3_bind_int64(s->look, 1, s->r->floor);
	sqlite3_bind_int64(s->look, 2, end);
	sqlite3_bind_int64(s->look, 3, s->rows);
	while ((rc = sqlite3_step(s->look)) == SQLITE_ROW &&
	    (rc = sweep_one(s)) == SQLITE_ROW)
		;
	sqlite3_reset(s->look);
	return rc;
}

static int
sweep_all(struct sweep *s, sqlite3_stmt *open)
{
	int rc = SQLITE_DONE, found = SQLITE_ROW;

	sqlite3_bind_int64(open, 1, s->r->floor);
	for (unsigned i = 0; i < OPEN_MOST && found == SQLITE_ROW && s->rows > 0 &&
	    !s->ended && rc == SQLITE_DONE; i++) {
		int64_t next = INT64_MAX;

		if ((found = sqlite3_step(open)) == SQLITE_ROW)
			next = sqlite3_column_int64(open, 0);
		else if (found != SQLITE_DONE)
			return found;
		if (next > s->r->floor + 1)
			rc = sweep_gap(s, next);
		if (rc == SQLITE_DONE && s->rows > 0 && !s->ended &&
		    found == SQLITE_ROW)
			s->r->floor = next;
	}
	s->ended |= found == SQLITE_DONE && s->rows > 0;
	return rc;
}

/* Is the first behind the floor old enough to be looked at? */
static bool
worth_it(const struct sweep *s)
{
	bool old = false;

	sqlite3_bind_int64(s->look, 1, s->r->floor);
	sqlite3_bind_int64(s->look, 2, INT64_MAX);
	sqlite3_bind_int64(s->look, 3, 1);
	if (sqlite3_step(s->look) == SQLITE_ROW) {
		int64_t at = sqlite3_column_int64(s->look, 2);

		old = (s->over > 0 && at <= s->now - s->limits->keep) ||
		    (s->limits->age > 0 && at <= s->now - s->limits->age);
	}
	sqlite3_reset(s->look);
	return old;
}

static enum inbox_code
remove_rows(struct inbox *b, struct retention *r, int64_t now, unsigned rows,
    uint64_t over, struct err *e)
{
	struct sweep s = { .limits = inbox_limits_of(b), .r = r, .now = now,
	    .over = over, .rows = rows };
	sqlite3_stmt *open = NULL;
	int64_t first = r->floor;
	enum inbox_code code;
	int rc;

	if ((rc = sqlite3_prepare_v2(inbox_db(b), oldest, -1, &s.look, NULL)) ==
	    SQLITE_OK && (rc = sqlite3_prepare_v2(inbox_db(b), remove_one, -1,
	    &s.remove, NULL)) == SQLITE_OK)
		rc = sqlite3_prepare_v2(inbox_db(b), open_ones, -1, &open, NULL);
	if (rc == SQLITE_OK && (s.ended = !worth_it(&s)) == false)
		rc = sweep_all(&s, open);
	sqlite3_finalize(s.look);
	sqlite3_finalize(s.remove);
	sqlite3_finalize(open);
	/* The others in the next run; when all were seen, from the oldest again. */
	if (s.ended)
		r->floor = 0;
	r->more = r->removed > 0 && !s.ended;
	code = inbox_code_of(b, rc, "retention", e);
	for (size_t i = 0; i < sizeof(removals) / sizeof(removals[0]) &&
	    code == INBOX_OK && r->removed > 0; i++)
		code = run(b, removals[i], first, s.last, e);
	return code;
}

enum inbox_code
retention_run(struct inbox *b, struct retention *r, int64_t now, unsigned rows,
    uint64_t want, struct err *e)
{
	const struct inbox_limits *l = inbox_limits_of(b);
	struct inbox_room room;
	enum inbox_code code;
	uint64_t over, most;
	int64_t floor = r->floor;

	memset(r, 0, sizeof(*r));
	r->floor = floor;
	if (rows > RETENTION_MOST)
		rows = RETENTION_MOST;
	if ((code = inbox_room(b, &room, e)) != INBOX_OK)
		return code;
	/* What a reader holds of the log is no reason to remove events. */
	most = inbox_log_share(b) * INBOX_LOG_MOST;
	over = excess(l, room.pages + room.files
	    + (room.wal < most ? room.wal : most), want);
	if ((over > 0 || l->age > 0)
	    && (code = remove_rows(b, r, now, rows, over, e)) != INBOX_OK)
		return code;
	if ((code = run(b, forget, now, rows, e)) != INBOX_OK
	    || (code = inbox_code_of(b, seen_forget(inbox_seen(b)), "retention",
	    e)) != INBOX_OK
	    || (code = run(b, look_again, now, rows, e)) != INBOX_OK
	    || (code = inbox_room(b, &room, e)) != INBOX_OK)
		return code;
	r->used = room.pages + room.files - (uint64_t)r->bytes + room.wal;
	r->full = l->bytes > 0 && r->used > l->bytes && r->removed == 0;
	return INBOX_OK;
}

void
retention_committed(struct inbox *b, struct retention *r)
{
	struct err e;
	size_t i;
	int dir;

	if (r->nfiles > 0 && (dir = bodies_dir(b, &e)) != -1) {
		for (i = 0; i < r->nfiles; i++)
			bodies_remove(dir, r->files[i]);
		close(dir);
	}
	inbox_files_add(b, -r->bytes);
	r->nfiles = 0;
	r->bytes = 0;
}
