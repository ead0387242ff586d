/* retention.c - see retention.h. */
#include <string.h>
#include <unistd.h>

#include "bodies.h"
#include "retention.h"

/*
 * ?1 now, ?2 rows.  An id whose event is still here is looked at again in an hour,
 * so that the oldest are not looked at for ever.
 */
static const char forget[] =
    "DELETE FROM seen WHERE (key, digest) IN (SELECT key, digest FROM seen"
    " WHERE until <= ?1 ORDER BY until LIMIT ?2) AND (kind = 'bytes'"
    " OR NOT EXISTS (SELECT 1 FROM events WHERE id = seen.event))";
static const char look_again[] =
    "UPDATE seen SET until = ?1 + 3600000 WHERE (key, digest) IN (SELECT key,"
    " digest FROM seen WHERE until <= ?1 ORDER BY until LIMIT ?2)"
    " AND kind <> 'bytes'";
/* ?1 rows, ?2 behind these.  What still has to be delivered stays. */
#define OPEN(n)	"EXISTS (SELECT 1 FROM deliveries WHERE event = " n " AND state < 2)"
static const char oldest[] =
    "SELECT n, id, received_at, size, typeof(body) = 'null', " OPEN("events.n")
    " FROM events WHERE n > ?2 ORDER BY n LIMIT ?1";
/* ?1 to ?2: events, then what was said of them. */
static const char *const removals[] = {
	"DELETE FROM events WHERE n > ?1 AND n <= ?2 AND NOT " OPEN("events.n"),
	"DELETE FROM attempts WHERE delivery IN (SELECT n FROM deliveries"
	    " WHERE event > ?1 AND event <= ?2 AND NOT EXISTS"
	    " (SELECT 1 FROM events WHERE events.n = deliveries.event))",
	"DELETE FROM deliveries WHERE event > ?1 AND event <= ?2 AND NOT EXISTS"
	    " (SELECT 1 FROM events WHERE events.n = deliveries.event)",
};

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

static enum inbox_code
remove_rows(struct inbox *b, struct retention *r, int64_t now, unsigned rows,
    uint64_t over, struct err *e)
{
	const struct inbox_limits *l = inbox_limits_of(b);
	sqlite3_stmt *st = NULL;
	int64_t first = r->floor, last = 0, size, at;
	uint64_t freed = 0;
	unsigned looked = 0;
	enum inbox_code code = INBOX_OK;
	bool aged, in_file;
	int rc;

	rc = sqlite3_prepare_v2(inbox_db(b), oldest, -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, rows);
		sqlite3_bind_int64(st, 2, first);
		while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
			at = sqlite3_column_int64(st, 2);
			size = sqlite3_column_int64(st, 3);
			in_file = sqlite3_column_int(st, 4);
			aged = l->age > 0 && at <= now - l->age;
			if (!aged && (freed >= over || at > now - l->keep))
				break;
			looked++;
			r->floor = sqlite3_column_int64(st, 0);
			if (sqlite3_column_int(st, 5))
				continue;
			last = r->floor;
			freed += (uint64_t)size;
			r->removed++;
			if (in_file) {
				memcpy(r->files[r->nfiles++],
				    sqlite3_column_text(st, 1), EVENT_ID_LEN);
				r->bytes += size;
			}
		}
		sqlite3_finalize(st);
		if (rc == SQLITE_ROW)
			rc = SQLITE_DONE;
	}
	/* The others are looked at in the next round; then from the oldest again. */
	r->more = looked == rows;
	if (!r->more)
		r->floor = 0;
	if (rc != SQLITE_DONE || r->removed == 0)
		return inbox_code_of(b, rc, "retention", e);
	for (size_t i = 0; i < 3 && code == INBOX_OK; i++)
		code = run(b, removals[i], first, last, e);
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
	    || (code = run(b, look_again, now, rows, e)) != INBOX_OK
	    || (code = inbox_room(b, &room, e)) != INBOX_OK)
		return code;
	r->used = room.pages + room.files - (uint64_t)r->bytes + room.wal;
	r->full = l->bytes > 0 && r->used > l->bytes && r->removed == 0 && !r->more;
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
