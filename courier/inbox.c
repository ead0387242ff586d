/* inbox.c - see inbox.h. */
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gather.h"
#include "inbox.h"
#include "ledger.h"
#include "repeat_key.h"
#include "seen.h"
#include "sql.h"

#define INBOX_MARK	0x484b4c54	/* application_id: "HKLT" */
#define PAGE		8192		/* a webhook of 7 KB in one, measured */
#define WAL_FRAME_HEAD	24
#define MS_DAY		(24 * 3600 * 1000LL)
#define SETTLE_WAIT_MS	250
#ifndef MIB			/* tests/courier.sh has smaller ones */
#define MIB		(1024u * 1024)
#endif
#define LOG_SHARE	(32u * MIB)

#define TEXT_(x)	#x
#define TEXT(x)		TEXT_(x)

/*
 * The schema: one text for each version, applied in order, each in its own
 * transaction.  A text that was ever released is never changed: what is wrong
 * with it is put right by the next one.
 *
 * The body stands last in its row: a list reads what is before it and does not
 * touch its pages.
 */
static const char *const steps[INBOX_VERSION] = {
	/* 1 */
	"CREATE TABLE events (\n"
	"	n		INTEGER PRIMARY KEY AUTOINCREMENT,\n"
	"	id		TEXT NOT NULL UNIQUE,\n"
	"	received_at	INTEGER NOT NULL,	-- ms since 1970\n"
	"	hook		TEXT NOT NULL,\n"
	"	provider	TEXT NOT NULL,\n"
	"	event_id	TEXT,			-- the provider's\n"
	"	event_type	TEXT,\n"
	"	size		INTEGER NOT NULL,	-- of the body\n"
	"	flags		INTEGER NOT NULL,	-- 2: its event_id came"
	" before with other bytes, 4: its bytes with another event_id\n"
	"	repeats		INTEGER NOT NULL DEFAULT 0,\n"
	"	last_repeat_at	INTEGER,\n"
	"	method		TEXT NOT NULL,\n"
	"	target		TEXT NOT NULL,\n"
	"	remote		TEXT,\n"
	"	scheme		TEXT NOT NULL,\n"
	"	secret		TEXT,			-- the name of the one"
	" that matched\n"
	"	signed_at	INTEGER,\n"
	"	proven		INTEGER NOT NULL,	-- event_id as well as"
	" the body\n"
	"	digest		BLOB,			-- SHA-256 of what was"
	" signed\n"
	"	request_id	TEXT,\n"
	"	trace		TEXT,\n"
	"	headers		TEXT NOT NULL,		-- JSON\n"
	"	body		BLOB			-- NULL: the file"
	" inbox.db.d/ID\n"
	") STRICT;\n"
	"CREATE TABLE seen (\n"
	"	key		BLOB NOT NULL,		-- hash of kind, hook and id"
	" or bytes\n"
	"	digest		BLOB NOT NULL,		-- kind 'both': of what was"
	" signed\n"
	"	bytes		BLOB,			-- kind 'both': hash of hook"
	" and digest\n"
	"	kind		TEXT NOT NULL,		-- 'id', 'both', 'bytes'\n"
	"	event		TEXT NOT NULL,		-- events.id, also of one"
	" that is removed\n"
	"	until		INTEGER NOT NULL,	-- ms\n"
	"	flags		INTEGER NOT NULL,\n"
	"	repeats		INTEGER NOT NULL DEFAULT 0,\n"
	"	last		TEXT,			-- id of the last repeat\n"
	"	PRIMARY KEY (key, digest)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE INDEX seen_bytes ON seen (bytes) WHERE bytes IS NOT NULL;\n"
	"CREATE INDEX seen_until ON seen (until);\n",

	/* 2: for people: times that can be read, and no column too many */
	"CREATE VIEW inbox AS SELECT n, id,\n"
	"	strftime('%Y-%m-%d %H:%M:%f', received_at / 1000.0,"
	" 'unixepoch') AS received,\n"
	"	hook, provider, event_type, event_id, size, repeats,\n"
	"	CASE flags & 6 WHEN 2 THEN 'other body' WHEN 4 THEN 'other id'\n"
	"	WHEN 6 THEN 'other body, other id' ELSE '' END AS marks\n"
	"FROM events;\n",

	/* 3: deliveries */
	ledger_schema,

	/* 4: those inside a request */
	ledger_schema_modes,

	/* 5: rows of "seen" are appended, and found by hashes */
	seen_schema,
};

/*
 * A row of "seen" lives until its time, and one of an id as long as its event is
 * in the inbox.  ?1 is always now.
 */
#define LIVING	"(until > ?1 OR (kind <> 'bytes' AND EXISTS"		\
		" (SELECT 1 FROM events WHERE id = seen.event)))"

enum statement {
	ST_BEGIN, ST_COMMIT, ST_ROLLBACK, ST_EVENT, ST_SEEN, ST_FIND, ST_OTHER_BODY,
	ST_OTHER_ID, ST_REPEAT_SEEN, ST_REPEAT_EVENT, ST_SAME, ST_HAS, ST_PAGES,
	ST_FREE, ST_COUNT
};

static const char *const statements[ST_COUNT] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_EVENT] = "INSERT INTO events (id, received_at, hook, provider,"
	    " event_id, event_type, size, flags, method, target, remote, scheme,"
	    " secret, signed_at, proven, digest, request_id, trace, headers, body)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
	    " ?14, ?15, ?16, ?17, ?18, ?19, ?20) ON CONFLICT (id) DO NOTHING",
	[ST_SEEN] = "INSERT INTO seen"
	    " (n, key, digest, bytes, kind, event, until, flags)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[ST_FIND] = "SELECT event, flags, repeats, last, n FROM seen"
	    " WHERE n = ?2 AND key = ?3 AND digest = ?4 AND " LIVING,
	[ST_OTHER_BODY] = "SELECT 1 FROM seen"
	    " WHERE n = ?2 AND key = ?3 AND digest <> ?4 AND " LIVING,
	[ST_OTHER_ID] = "SELECT 1 FROM seen"
	    " WHERE n = ?2 AND key <> ?3 AND bytes = ?4 AND " LIVING,
	[ST_REPEAT_SEEN] = "UPDATE seen SET repeats = repeats + 1, last = ?2,"
	    " until = CASE kind WHEN 'bytes' THEN until"
	    " ELSE max(until, ?3) END WHERE n = ?1",
	[ST_REPEAT_EVENT] = "UPDATE events SET repeats = repeats + 1,"
	    " last_repeat_at = ?1 WHERE id = ?2",
	[ST_SAME] = "SELECT flags, repeats, hook, size, digest FROM events"
	    " WHERE id = ?1",
	[ST_HAS] = "SELECT 1 FROM events WHERE id = ?1"
	    " AND typeof(body) = 'null'",
	[ST_PAGES] = "PRAGMA page_count",
	[ST_FREE] = "PRAGMA freelist_count",
};

struct inbox_side {
	struct inbox		*inbox;
	struct inbox_side	*next;
	pthread_mutex_t		 busy;
	sqlite3			*db;
	bool			 read_only;
};

struct inbox {
	char			*path;
	char			*files;		/* PATH.d */
	char			*wal;		/* PATH-wal */
	struct inbox_limits	 limits;
	struct log		*log;
	bool			 reader;	/* opened by inbox_open_reader() */

	sqlite3			*db;
	sqlite3_stmt		*st[ST_COUNT];
	struct ledger		*ledger;
	struct seen		*seen;
	atomic_bool		 sound;
	struct stat		 db_stat;	/* of the files that are open */
	struct stat		 wal_stat;
	unsigned		 page_size;
	unsigned		 frames;	/* in the log after the last commit */
	int64_t			 file_bytes;

	pthread_mutex_t		 lock;		/* of the list of sides */
	struct inbox_side	*sides;
};

/* --- errors ------------------------------------------------------------------ */

enum inbox_code
inbox_code_of(struct inbox *b, int rc, const char *doing, struct err *e)
{
	enum inbox_code code;
	enum errcode kind = ERR_IO;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return INBOX_OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		code = INBOX_LOCKED;
		kind = ERR_TEMP;
		break;
	case SQLITE_FULL:
	case SQLITE_NOMEM:
	case SQLITE_CONSTRAINT:		/* a trigger made by hand */
	case SQLITE_TOOBIG:
		code = INBOX_FULL;
		kind = ERR_TEMP;
		break;
	case SQLITE_NOTADB:
		code = INBOX_WRONG;
		kind = ERR_DATA;
		break;
	default:
		code = INBOX_DOUBT;
		break;
	}
	err_set(e, kind, "inbox %s: %s: %s (%d)", b->path, doing,
	    sqlite3_errstr(rc), rc);
	return code;
}

static enum inbox_code
run(struct inbox *b, const char *sql, const char *doing, struct err *e)
{
	return inbox_code_of(b, sqlite3_exec(b->db, sql, NULL, NULL, NULL), doing,
	    e);
}

/* The number that a statement gives; -1 when it gives none. */
static enum inbox_code
number(struct inbox *b, sqlite3 *db, const char *sql, int64_t *out,
    struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc;

	*out = -1;
	rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			*out = sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
	}
	return inbox_code_of(b, rc, sql, e);
}

/* --- one inbox -------------------------------------------------------------- */

static char *
joined(const char *a, const char *z)
{
	char *s = malloc(strlen(a) + strlen(z) + 1);

	if (s != NULL) {
		strcpy(s, a);
		strcat(s, z);
	}
	return s;
}

struct inbox *
inbox_new(const char *path, const struct inbox_limits *limits, struct log *log)
{
	struct inbox *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	pthread_mutex_init(&b->lock, NULL);
	b->limits = *limits;
	b->log = log;
	b->path = joined(path, "");
	b->files = joined(path, ".d");
	b->wal = joined(path, "-wal");
	if (b->path == NULL || b->files == NULL || b->wal == NULL) {
		inbox_free(b);
		return NULL;
	}
	return b;
}

static void
shut(struct inbox *b)
{
	int i;

	for (i = 0; i < ST_COUNT; i++) {
		sqlite3_finalize(b->st[i]);
		b->st[i] = NULL;
	}
	ledger_close(b->ledger);
	b->ledger = NULL;
	seen_close(b->seen);
	b->seen = NULL;
	sqlite3_close(b->db);
	b->db = NULL;
	b->frames = 0;
}

void
inbox_free(struct inbox *b)
{
	if (b == NULL)
		return;
	shut(b);
	pthread_mutex_destroy(&b->lock);
	free(b->path);
	free(b->files);
	free(b->wal);
	free(b);
}

/* The file of a log that is begun anew is cut to this. */
static void
limit_log(struct inbox *b)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %llu",
	    (unsigned long long)inbox_log_share(b) * 2);
	sqlite3_exec(b->db, sql, NULL, NULL, NULL);
}

void
inbox_limit(struct inbox *b, const struct inbox_limits *limits)
{
	b->limits = *limits;
	if (b->db != NULL)
		limit_log(b);
}

const struct inbox_limits *
inbox_limits_of(const struct inbox *b)
{
	return &b->limits;
}

const char *
inbox_path(const struct inbox *b)
{
	return b->path;
}

const char *
inbox_files(const struct inbox *b)
{
	return b->files;
}

sqlite3 *
inbox_db(struct inbox *b)
{
	return b->db;
}

struct seen *
inbox_seen(struct inbox *b)
{
	return b->seen;
}

struct ledger *
inbox_ledger(struct inbox *b)
{
	return b->ledger;
}

bool
inbox_sound(const struct inbox *b)
{
	return atomic_load(&((struct inbox *)b)->sound);
}

void
inbox_doubt(struct inbox *b)
{
	atomic_store(&b->sound, false);
}

/* --- opening ------------------------------------------------------------------ */

static int
log_grew(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct inbox *b = arg;

	(void)db;
	(void)name;
	b->frames = (unsigned)frames;
	return SQLITE_OK;
}

/*
 * What every connection is told.  No checkpoint when it closes: SQLite would do
 * one there and keep its failure to itself.  No automatic ones: they would stand
 * in the way of a commit.
 */
static enum inbox_code
tune(struct inbox *b, sqlite3 *db, struct err *e)
{
	int rc;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	rc = sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 0;"
	    "PRAGMA temp_store = MEMORY;"
	    "PRAGMA synchronous = FULL;", NULL, NULL, NULL);
	return inbox_code_of(b, rc, "setting it up", e);
}

/* Promise 1 stands on these two: set, and read back. */
static enum inbox_code
demand(struct inbox *b, struct err *e)
{
	sqlite3_stmt *st = NULL;
	bool wal = false;
	int64_t sync;
	enum inbox_code code;
	int rc;

	rc = sqlite3_prepare_v2(b->db, "PRAGMA journal_mode = WAL", -1, &st, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
		wal = strcmp((const char *)sqlite3_column_text(st, 0), "wal") == 0;
	sqlite3_finalize(st);
	if ((code = inbox_code_of(b, rc, "journal_mode = WAL", e)) != INBOX_OK)
		return code;
	if (!wal) {
		err_set(e, ERR_IO, "inbox %s: this file system cannot hold a "
		    "write-ahead log (journal_mode is not \"wal\"); put the inbox "
		    "on a local disk", b->path);
		return INBOX_WRONG;
	}
	code = number(b, b->db, "PRAGMA synchronous", &sync, e);
	if (code == INBOX_OK && sync != 2) {
		err_set(e, ERR_IO, "inbox %s: SQLite does not take synchronous = "
		    "FULL", b->path);
		return INBOX_WRONG;
	}
	return code;
}

static enum inbox_code
version_of(struct inbox *b, sqlite3 *db, int64_t *version, struct err *e)
{
	int64_t mark, things;
	enum inbox_code code;

	if ((code = number(b, db, "PRAGMA user_version", version, e)) != INBOX_OK
	    || (code = number(b, db, "PRAGMA application_id", &mark, e))
	    != INBOX_OK
	    || (code = number(b, db, "SELECT count(*) FROM sqlite_schema", &things,
	    e)) != INBOX_OK)
		return code;
	if (things == 0 && mark == 0 && *version == 0)
		return inbox_code_of(b, sqlite3_exec(db, "PRAGMA page_size = "
		    TEXT(PAGE), NULL, NULL, NULL), "making it", e);
	if (mark != INBOX_MARK) {
		err_set(e, ERR_DATA, "inbox %s: this is a database, but not an "
		    "inbox of hooklatch; name another file", b->path);
		return INBOX_WRONG;
	}
	if (*version > INBOX_VERSION) {
		err_set(e, ERR_DATA, "inbox %s: its version is %lld and this "
		    "program knows %d; use the newer program", b->path,
		    (long long)*version, INBOX_VERSION);
		return INBOX_WRONG;
	}
	return INBOX_OK;
}

static enum inbox_code
migrate(struct inbox *b, int64_t version, struct err *e)
{
	char stamp[80];
	enum inbox_code code = INBOX_OK;

	for (; code == INBOX_OK && version < INBOX_VERSION; version++) {
		snprintf(stamp, sizeof(stamp), "PRAGMA application_id = %d;"
		    "PRAGMA user_version = %d; COMMIT", INBOX_MARK,
		    (int)version + 1);
		code = run(b, "BEGIN IMMEDIATE", "migration", e);
		if (code == INBOX_OK)
			code = run(b, steps[version], "migration", e);
		if (code == INBOX_OK)
			code = run(b, stamp, "migration", e);
	}
	return code;
}

static enum inbox_code
sync_directory(struct inbox *b, struct err *e)
{
	char *slash, *dir;
	int fd, failed;

	if (mkdir(b->files, 0700) == -1 && errno != EEXIST) {
		err_set(e, ERR_IO, "inbox %s: %s: %s", b->path, b->files,
		    strerror(errno));
		return errno == ENOSPC ? INBOX_FULL : INBOX_DOUBT;
	}
	if ((dir = joined(b->path, "")) == NULL)
		return INBOX_FULL;
	slash = strrchr(dir, '/');
	if (slash == NULL)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	failed = fd == -1 || fsync(fd) == -1;
	if (failed)
		err_set(e, ERR_IO, "inbox %s: syncing its directory: %s", b->path,
		    strerror(errno));
	if (fd != -1)
		close(fd);
	return failed ? INBOX_DOUBT : INBOX_OK;
}

static enum inbox_code
settle(struct inbox *b, struct err *e)
{
	enum inbox_code code;
	int64_t version, size;
	int i, rc;

	rc = sqlite3_open_v2(b->path, &b->db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, gather_vfs());
	if (rc != SQLITE_OK)
		return inbox_code_of(b, rc, "opening", e);
	sqlite3_busy_timeout(b->db, SETTLE_WAIT_MS);
	if ((code = tune(b, b->db, e)) != INBOX_OK
	    || (code = version_of(b, b->db, &version, e)) != INBOX_OK
	    || (code = demand(b, e)) != INBOX_OK)
		return code;

	/* Invariant (1). */
#ifndef TEST_TRUST_WHAT_IS_THERE	/* tests/courier-faults.sh must notice */
	rc = sqlite3_wal_checkpoint_v2(b->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
	    NULL, NULL);
#endif
	code = inbox_code_of(b, rc, "the checkpoint before the first answer", e);
	if (code != INBOX_OK
	    || (code = sync_directory(b, e)) != INBOX_OK
	    || (code = migrate(b, version, e)) != INBOX_OK
	    || (code = number(b, b->db, "PRAGMA page_size", &size, e)) != INBOX_OK
	    || (code = run(b, "PRAGMA secure_delete = FAST;"
	    "PRAGMA cache_size = -16384", "setting it up", e)) != INBOX_OK)
		return code;
	b->page_size = (unsigned)size;
	for (i = 0; i < ST_COUNT; i++) {
		rc = sqlite3_prepare_v3(b->db, statements[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &b->st[i], NULL);
		if (rc != SQLITE_OK)
			return inbox_code_of(b, rc, statements[i], e);
	}
	if ((b->ledger = ledger_open(b->db, &rc)) == NULL)
		return inbox_code_of(b, rc, "the statements of deliveries", e);
	if ((b->seen = seen_open(b->db, &rc)) == NULL)
		return inbox_code_of(b, rc, "reading what is known", e);
	limit_log(b);
	sqlite3_wal_hook(b->db, log_grew, b);
	sqlite3_busy_timeout(b->db, 0);
	return INBOX_OK;
}

enum inbox_code
inbox_settle(struct inbox *b, struct err *e)
{
	struct inbox_side *s;
	enum inbox_code code;

	/*
	 * All connections of this process are closed first, so that the log is
	 * recovered from the disk by its checksums and not believed from the
	 * shared index, which says what was written and not what is there.
	 */
	inbox_doubt(b);
	pthread_mutex_lock(&b->lock);
	for (s = b->sides; s != NULL; s = s->next) {
		pthread_mutex_lock(&s->busy);
		sqlite3_close(s->db);
		s->db = NULL;
		pthread_mutex_unlock(&s->busy);
	}
	pthread_mutex_unlock(&b->lock);
	shut(b);
	code = settle(b, e);
	if (code == INBOX_OK && (stat(b->path, &b->db_stat) == -1
	    || stat(b->wal, &b->wal_stat) == -1)) {
		err_set(e, ERR_IO, "inbox %s: %s", b->path, strerror(errno));
		code = INBOX_DOUBT;
	}
	if (code == INBOX_OK)
		atomic_store(&b->sound, true);
	else
		shut(b);
	return code;
}

static bool
same_file(const char *path, const struct stat *then)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_ino == then->st_ino
	    && now.st_dev == then->st_dev;
}

bool
inbox_in_place(const struct inbox *b)
{
	return same_file(b->path, &b->db_stat) && same_file(b->wal, &b->wal_stat);
}

enum inbox_code
inbox_open_reader(struct inbox *b, struct err *e)
{
	enum inbox_code code;
	int64_t version;
	int rc;

	if (access(b->path, R_OK) == -1) {
		err_set(e, ERR_NOINPUT, "inbox %s: %s", b->path, strerror(errno));
		return INBOX_WRONG;
	}
	rc = sqlite3_open_v2(b->path, &b->db, SQLITE_OPEN_READONLY |
	    SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return inbox_code_of(b, rc, "opening", e);
	sqlite3_busy_timeout(b->db, SETTLE_WAIT_MS);
	if ((code = tune(b, b->db, e)) != INBOX_OK
	    || (code = version_of(b, b->db, &version, e)) != INBOX_OK)
		return code;
	if (version < 1) {
		err_set(e, ERR_NOINPUT, "inbox %s: it is empty: no courier has "
		    "used it yet", b->path);
		return INBOX_WRONG;
	}
	shut(b);
	b->reader = true;
	atomic_store(&b->sound, true);
	return INBOX_OK;
}

/* --- sides ---------------------------------------------------------------------- */

struct inbox_side *
inbox_side_new(struct inbox *b, bool read_only)
{
	struct inbox_side *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->inbox = b;
	s->read_only = read_only || b->reader;
	pthread_mutex_init(&s->busy, NULL);
	pthread_mutex_lock(&b->lock);
	s->next = b->sides;
	b->sides = s;
	pthread_mutex_unlock(&b->lock);
	return s;
}

void
inbox_side_free(struct inbox_side *s)
{
	struct inbox_side **at;

	if (s == NULL)
		return;
	pthread_mutex_lock(&s->inbox->lock);
	for (at = &s->inbox->sides; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	pthread_mutex_unlock(&s->inbox->lock);
	sqlite3_close(s->db);
	pthread_mutex_destroy(&s->busy);
	free(s);
}

sqlite3 *
inbox_side_enter(struct inbox_side *s, struct err *e)
{
	int rc;

	pthread_mutex_lock(&s->busy);
	if (!inbox_sound(s->inbox)) {
		err_set(e, ERR_AWAY, "inbox %s: it is being recovered; try again",
		    s->inbox->path);
		goto no;
	}
	if (s->db != NULL)
		return s->db;
	rc = sqlite3_open_v2(s->inbox->path, &s->db, SQLITE_OPEN_NOMUTEX |
	    (s->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE), NULL);
	if (inbox_code_of(s->inbox, rc, "opening", e) != INBOX_OK
	    || tune(s->inbox, s->db, e) != INBOX_OK)
		goto no;
	sqlite3_busy_timeout(s->db, SETTLE_WAIT_MS);
	return s->db;
no:
	sqlite3_close(s->db);
	s->db = NULL;
	pthread_mutex_unlock(&s->busy);
	return NULL;
}

void
inbox_side_leave(struct inbox_side *s)
{
	pthread_mutex_unlock(&s->busy);
}

/* --- a batch -------------------------------------------------------------------- */

/* A statement that gives no row. */
static enum inbox_code
step(struct inbox *b, enum statement i, const char *doing, struct err *e)
{
	int rc = sqlite3_step(b->st[i]);

	sqlite3_reset(b->st[i]);
	return inbox_code_of(b, rc, doing, e);
}

enum inbox_code
inbox_begin(struct inbox *b, struct err *e)
{
	return step(b, ST_BEGIN, "beginning", e);
}

void
inbox_rollback(struct inbox *b)
{
	if (b->db != NULL && !sqlite3_get_autocommit(b->db)) {
		sqlite3_step(b->st[ST_ROLLBACK]);
		sqlite3_reset(b->st[ST_ROLLBACK]);
	}
	if (b->seen != NULL)
		seen_rolled_back(b->seen);
}

enum inbox_code
inbox_commit(struct inbox *b, struct err *e)
{
	enum inbox_code code = inbox_code_of(b, seen_commit(b->seen),
	    "writing what is known", e);

	if (code == INBOX_OK)
		code = step(b, ST_COMMIT, "committing", e);
	if (code == INBOX_OK)
		seen_committed(b->seen);
	else
		inbox_rollback(b);
	return code;
}

static void
bind_text_or_null(sqlite3_stmt *st, int i, struct str s)
{
	if (s.n == 0)
		sqlite3_bind_null(st, i);
	else
		sql_bind(st, i, s);
}

static void
bind_bytes(sqlite3_stmt *st, int i, const void *p, size_t n)
{
	sqlite3_bind_blob64(st, i, n == 0 ? "" : p, n, SQLITE_STATIC);
}

/* How this event is known again, and how long: its key is kept longer than it. */
struct key {
	struct repeat_key by;
	int64_t		 until;
};

static void
key_make(struct key *k, const struct inbox *b, const struct event *ev, int64_t now)
{
	const struct inbox_limits *l = &b->limits;
	int64_t span;

	/* Of a body in a file bodies.c has made the digest. */
	repeat_key(&k->by, ev, 0);
	span = (int64_t)k->by.seconds * 1000;
	if (k->by.kind == NULL || strcmp(k->by.kind, "bytes") != 0) {
		if (span < l->remember)
			span = l->remember;
		if (span < l->age + MS_DAY && l->age > 0)
			span = l->age + MS_DAY;
	}
	k->until = now + span;
}

static size_t
digest_len(const struct key *k)
{
	return k->by.has_digest ? SEEN_KEY : 0;
}

static const unsigned char *
digest_of(const struct key *k)
{
	return k->by.has_digest ? k->by.digest : NULL;
}

/*
 * The row that a statement about one row wants, among those that have this hash; the
 * statement stands on it.  SQLITE_DONE: there is none.
 */
static int
look(struct inbox *b, enum statement i, uint64_t hash, const unsigned char *key,
    const void *other, size_t n, int64_t now)
{
	struct seen_walk w = seen_walk(b->seen, hash);
	sqlite3_stmt *st = b->st[i];
	int rc;

	while ((rc = seen_step(&w)) == SQLITE_ROW) {
		sqlite3_bind_int64(st, 1, now);
		sqlite3_bind_int64(st, 2, w.n);
		bind_bytes(st, 3, key, SEEN_KEY);
		bind_bytes(st, 4, other, n);
		if ((rc = sqlite3_step(st)) != SQLITE_DONE)
			break;
		sqlite3_reset(st);
	}
	seen_stop(&w);
	return rc;
}

static void
id_copy(char out[EVENT_ID_LEN + 1], const unsigned char *id)
{
	snprintf(out, EVENT_ID_LEN + 1, "%s", id == NULL ? "" :
	    (const char *)id);
}

/* The event is known: the same one sent again, or a repeat, which is a write. */
static enum inbox_code
put_known(struct inbox *b, const struct event *ev, const struct key *k,
    int64_t now, struct inbox_answer *a, struct err *e)
{
	sqlite3_stmt *st = b->st[ST_FIND];
	const char *last = (const char *)sqlite3_column_text(st, 3);
	bool counted = last != NULL && strcmp(last, ev->id) == 0;
	int64_t n = sqlite3_column_int64(st, 4);
	enum inbox_code code;

	id_copy(a->stored.id, sqlite3_column_text(st, 0));
	a->stored.repeats = (uint64_t)sqlite3_column_int64(st, 2);
	if (strcmp(a->stored.id, ev->id) == 0) {
		a->stored.flags = (unsigned)sqlite3_column_int(st, 1);
		sqlite3_reset(st);
		return INBOX_OK;
	}
	a->stored.flags = STORED_REPEAT;
	sqlite3_reset(st);
	if (counted)
		return INBOX_OK;

	a->stored.repeats++;
	st = b->st[ST_REPEAT_SEEN];
	sqlite3_bind_int64(st, 1, n);
	sql_bind(st, 2, str_of(ev->id));
	sqlite3_bind_int64(st, 3, k->until);
	if ((code = step(b, ST_REPEAT_SEEN, "counting a repeat", e)) != INBOX_OK)
		return code;
	st = b->st[ST_REPEAT_EVENT];
	sqlite3_bind_int64(st, 1, now);
	sql_bind(st, 2, str_of(a->stored.id));
	return step(b, ST_REPEAT_EVENT, "counting a repeat", e);
}

/*
 * Our own id is there already, and no key of promise 4 said so: the worker sent
 * it, lost the courier, and sends it again.  What else it could be is not ours.
 */
static enum inbox_code
put_again(struct inbox *b, const struct event *ev, struct inbox_answer *a,
    struct err *e)
{
	sqlite3_stmt *st = b->st[ST_SAME];
	struct str hook;
	bool same = false;
	int rc;

	sql_bind(st, 1, str_of(ev->id));
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		hook.p = (const char *)sqlite3_column_text(st, 2);
		hook.n = (size_t)sqlite3_column_bytes(st, 2);
		same = str_eq(hook, ev->hook)
		    && (uint64_t)sqlite3_column_int64(st, 3) == ev->size
		    && (sqlite3_column_bytes(st, 4) == sizeof(ev->digest)
		    ? memcmp(sqlite3_column_blob(st, 4), ev->digest,
		    sizeof(ev->digest)) == 0 : !ev->signed_bytes);
		a->stored.flags = (unsigned)sqlite3_column_int(st, 0);
		a->stored.repeats = (uint64_t)sqlite3_column_int64(st, 1);
		memcpy(a->stored.id, ev->id, sizeof(a->stored.id));
	}
	sqlite3_reset(st);
	if (!same)
		a->refusal = REFUSED_BUSY;
	return inbox_code_of(b, rc, "looking for an id", e);
}

static enum inbox_code
put_marks(struct inbox *b, const struct key *k, int64_t now, unsigned *flags,
    struct err *e)
{
	int rc = SQLITE_DONE;

	*flags = 0;
	if (k->by.has_digest) {
		rc = look(b, ST_OTHER_BODY, seen_hash(k->by.key, NULL), k->by.key,
		    k->by.digest, SEEN_KEY, now);
		sqlite3_reset(b->st[ST_OTHER_BODY]);
		if (rc == SQLITE_ROW)
			*flags |= STORED_OTHER_BODY;
	}
	if (k->by.has_bytes && (rc == SQLITE_DONE || rc == SQLITE_ROW)) {
		/* Without an id the key is of another kind, or all zeros. */
		rc = look(b, ST_OTHER_ID, seen_hash(k->by.bytes, NULL), k->by.key,
		    k->by.bytes, SEEN_KEY, now);
		sqlite3_reset(b->st[ST_OTHER_ID]);
		if (rc == SQLITE_ROW)
			*flags |= STORED_OTHER_ID;
	}
	return inbox_code_of(b, rc, "looking for a repeat", e);
}

static enum inbox_code
store(struct inbox *b, const struct event *ev, unsigned flags, struct err *e)
{
	sqlite3_stmt *st = b->st[ST_EVENT];

	sql_bind(st, 1, str_of(ev->id));
	sqlite3_bind_int64(st, 2, ev->received_at);
	sql_bind(st, 3, ev->hook);
	sql_bind(st, 4, ev->provider);
	bind_text_or_null(st, 5, ev->event_id);
	bind_text_or_null(st, 6, ev->event_type);
	sqlite3_bind_int64(st, 7, (int64_t)ev->size);
	sqlite3_bind_int64(st, 8, flags);
	sql_bind(st, 9, ev->method);
	sql_bind(st, 10, ev->target);
	bind_text_or_null(st, 11, ev->remote);
	sql_bind(st, 12, ev->scheme);
	bind_text_or_null(st, 13, ev->secret);
	if (ev->signed_at == 0)
		sqlite3_bind_null(st, 14);
	else
		sqlite3_bind_int64(st, 14, ev->signed_at);
	sqlite3_bind_int(st, 15, ev->proven);
	if (ev->signed_bytes)
		bind_bytes(st, 16, ev->digest, sizeof(ev->digest));
	else
		sqlite3_bind_null(st, 16);
	bind_text_or_null(st, 17, ev->request_id);
	bind_text_or_null(st, 18, ev->trace);
	sql_bind(st, 19, ev->headers);
	if (ev->body.p == NULL && ev->size > 0)
		sqlite3_bind_null(st, 20);	/* invariant (4) */
	else
		bind_bytes(st, 20, ev->body.p, ev->body.n);
	return step(b, ST_EVENT, "storing", e);
}

static enum inbox_code
remember(struct inbox *b, const struct event *ev, const struct key *k,
    unsigned flags, struct err *e)
{
	sqlite3_stmt *st = b->st[ST_SEEN];
	int64_t n = seen_next(b->seen);
	enum inbox_code code;

	sqlite3_bind_int64(st, 1, n);
	bind_bytes(st, 2, k->by.key, SEEN_KEY);
	bind_bytes(st, 3, k->by.digest, digest_len(k));
	if (k->by.has_digest)
		bind_bytes(st, 4, k->by.bytes, SEEN_KEY);
	else
		sqlite3_bind_null(st, 4);
	sql_bind(st, 5, str_of(k->by.kind));
	sql_bind(st, 6, str_of(ev->id));
	sqlite3_bind_int64(st, 7, k->until);
	sqlite3_bind_int64(st, 8, flags);
	if ((code = step(b, ST_SEEN, "remembering", e)) != INBOX_OK)
		return code;
	return inbox_code_of(b, seen_add(b->seen, n, k->by.key, digest_of(k),
	    k->by.has_digest ? k->by.bytes : NULL), "remembering", e);
}

/* A row for each destination, in the event's own transaction. */
static enum inbox_code
forward_all(struct inbox *b, const struct event *ev, int64_t now,
    struct inbox_answer *a, struct err *e)
{
	int64_t row = sqlite3_last_insert_rowid(b->db);
	struct get g = GET(ev->deliver);
	struct forward f;
	int rc = SQLITE_OK;

	while (g.rest.n > 0 && rc == SQLITE_OK) {
		get_forward(&g, &f);
		if (g.bad) {
			err_set(e, ERR_PROTOCOL, "destinations that cannot be read");
			return INBOX_FULL;
		}
		rc = ledger_add(b->ledger, row, &f, now);
		if (f.mode == FORWARD_AFTER)
			a->forwards++;
		else
			a->asked = true;
	}
	return inbox_code_of(b, rc, "adding a delivery", e);
}

static enum inbox_code
put(struct inbox *b, const struct event *ev, int64_t now,
    struct inbox_answer *a, struct err *e)
{
	struct key k;
	enum inbox_code code;
	unsigned flags;
	int rc;

	key_make(&k, b, ev, now);
	if (k.by.kind != NULL) {
		rc = look(b, ST_FIND, seen_hash(k.by.key, digest_of(&k)), k.by.key,
		    k.by.digest, digest_len(&k), now);
		if (rc == SQLITE_ROW)
			return put_known(b, ev, &k, now, a, e);
		sqlite3_reset(b->st[ST_FIND]);
		code = inbox_code_of(b, rc, "looking for a repeat", e);
		if (code != INBOX_OK)
			return code;
	}
	if ((code = put_marks(b, &k, now, &flags, e)) != INBOX_OK)
		return code;
	if ((flags & STORED_OTHER_ID) && ev->refuse_replay) {
		a->refusal = REFUSED_REPLAY;
		return INBOX_OK;
	}
	if ((code = store(b, ev, flags, e)) != INBOX_OK)
		return code;
	if (sqlite3_changes(b->db) == 0)
		return put_again(b, ev, a, e);
	if ((code = forward_all(b, ev, now, a, e)) != INBOX_OK)
		return code;
	if (k.by.kind != NULL && (code = remember(b, ev, &k, flags, e)) != INBOX_OK)
		return code;
	a->kept = true;
	a->stored.flags = flags;
	memcpy(a->stored.id, ev->id, sizeof(a->stored.id));
	return INBOX_OK;
}

enum inbox_code
inbox_put(struct inbox *b, const struct event *ev, int64_t now,
    struct inbox_answer *a, struct err *e)
{
	enum inbox_code code;
	int rc;

	memset(a, 0, sizeof(*a));
	code = put(b, ev, now, a, e);
	if (code != INBOX_OK || a->kept || a->refusal != 0)
		return code;
	/* It is there already: was all done that its answer waits for? */
	rc = ledger_is_asked(b->ledger, a->stored.id, &a->asked);
	return inbox_code_of(b, rc, "looking for its deliveries", e);
}

enum inbox_code
inbox_has_file(struct inbox *b, const char *id, bool *yes, struct err *e)
{
	int rc;

	sql_bind(b->st[ST_HAS], 1, str_of(id));
	rc = sqlite3_step(b->st[ST_HAS]);
	*yes = rc == SQLITE_ROW;
	sqlite3_reset(b->st[ST_HAS]);
	return inbox_code_of(b, rc, "looking for a file's event", e);
}

/* --- room -------------------------------------------------------------------------- */

static enum inbox_code
count(struct inbox *b, enum statement i, uint64_t *n, struct err *e)
{
	int rc = sqlite3_step(b->st[i]);

	*n = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(b->st[i], 0) : 0;
	sqlite3_reset(b->st[i]);
	return inbox_code_of(b, rc, "counting its pages", e);
}

enum inbox_code
inbox_room(struct inbox *b, struct inbox_room *r, struct err *e)
{
	struct stat st;
	uint64_t unused;
	enum inbox_code code;

	if ((code = count(b, ST_PAGES, &r->pages, e)) != INBOX_OK
	    || (code = count(b, ST_FREE, &unused, e)) != INBOX_OK)
		return code;
	r->pages = (r->pages - unused) * b->page_size;
	r->files = b->file_bytes < 0 ? 0 : (uint64_t)b->file_bytes;
	r->wal = stat(b->wal, &st) == 0 ? (uint64_t)st.st_size : 0;
	return INBOX_OK;
}

void
inbox_files_add(struct inbox *b, int64_t bytes)
{
	b->file_bytes += bytes;
}

void
inbox_files_set(struct inbox *b, int64_t bytes)
{
	b->file_bytes = bytes;
}

uint64_t
inbox_wal_bytes(const struct inbox *b)
{
	return inbox_log_bytes(b, b->frames);
}

uint64_t
inbox_log_bytes(const struct inbox *b, unsigned frames)
{
	return (uint64_t)frames * (b->page_size + WAL_FRAME_HEAD);
}

uint64_t
inbox_log_share(const struct inbox *b)
{
	uint64_t share = b->limits.bytes / 32;

	return b->limits.bytes == 0 || share > LOG_SHARE ? LOG_SHARE : share;
}

enum inbox_code
inbox_checkpoint(struct inbox *b, int mode, uint64_t *left, struct err *e)
{
	int in_log = 0, done = 0;
	int rc = sqlite3_wal_checkpoint_v2(b->db, NULL, mode, &in_log, &done);

	if (rc == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE)
		b->frames = 0;
	*left = in_log > done ? (uint64_t)(in_log - done) : 0;
	return inbox_code_of(b, rc, "a checkpoint", e);
}

/* --- rows -------------------------------------------------------------------------- */

void
inbox_row_read(sqlite3_stmt *st, struct inbox_row *r, bool *in_file)
{
	struct event *ev = &r->event;

	memset(r, 0, sizeof(*r));
	ev->body_fd = -1;
	r->cursor = (uint64_t)sqlite3_column_int64(st, 0);
	id_copy(ev->id, sqlite3_column_text(st, 1));
	memcpy(r->stored.id, ev->id, sizeof(r->stored.id));
	ev->received_at = sqlite3_column_int64(st, 2);
	ev->hook = sql_text(st, 3);
	ev->provider = sql_text(st, 4);
	ev->event_id = sql_text(st, 5);
	ev->event_type = sql_text(st, 6);
	ev->size = (uint64_t)sqlite3_column_int64(st, 7);
	r->stored.flags = (unsigned)sqlite3_column_int64(st, 8);
	r->stored.repeats = (uint64_t)sqlite3_column_int64(st, 9);
	r->last_repeat_at = sqlite3_column_int64(st, 10);
	ev->method = sql_text(st, 11);
	ev->target = sql_text(st, 12);
	ev->remote = sql_text(st, 13);
	ev->scheme = sql_text(st, 14);
	ev->secret = sql_text(st, 15);
	ev->signed_at = sqlite3_column_int64(st, 16);
	ev->proven = sqlite3_column_int(st, 17);
	ev->signed_bytes = sqlite3_column_bytes(st, 18) == sizeof(ev->digest);
	if (ev->signed_bytes)
		memcpy(ev->digest, sqlite3_column_blob(st, 18),
		    sizeof(ev->digest));
	ev->request_id = sql_text(st, 19);
	ev->trace = sql_text(st, 20);
	ev->headers = sql_text(st, 21);
	*in_file = sqlite3_column_int(st, 22);
}
