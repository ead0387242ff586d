/* seen.c - see seen.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "seen.h"

#define PART_BITS	7
#define PARTS		(1u << PART_BITS)	/* of a run: a page each */
#define ENTRY		12		/* bytes: hash, n less the run's first */
#define FILTER_BITS	((size_t)16 * SEEN_RUN)
#define PROBES		8
#define BLOCK		64		/* runs whose filters stand across */
#define BUCKETS		((size_t)2 * SEEN_RUN)

_Static_assert((SEEN_RUN & (SEEN_RUN - 1)) == 0 && SEEN_RUN >= 64,
    "a run has a power of two of entries");

const char seen_schema[] =
    "ALTER TABLE seen RENAME TO seen_before;\n"
    "DROP INDEX seen_bytes;\n"
    "DROP INDEX seen_until;\n"
    "CREATE TABLE seen (\n"
    "	n		INTEGER PRIMARY KEY,\n"
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
    "	last		TEXT			-- id of the last repeat\n"
    ") STRICT;\n"
    "INSERT INTO seen (key, digest, bytes, kind, event, until, flags, repeats, last)\n"
    "	SELECT key, digest, bytes, kind, event, until, flags, repeats, last\n"
    "	FROM seen_before;\n"
    "DROP TABLE seen_before;\n"
    "CREATE INDEX seen_until ON seen (until);\n"
    /* How rows of seen are found: courier/seen.h. */
    "CREATE TABLE seen_runs (\n"
    "	run		INTEGER PRIMARY KEY,\n"
    "	first		INTEGER NOT NULL,	-- seen.n\n"
    "	last		INTEGER NOT NULL,\n"
    "	filter		BLOB NOT NULL\n"
    ") STRICT;\n"
    "CREATE TABLE seen_parts (\n"
    "	at		INTEGER PRIMARY KEY,	-- 128 * run + part\n"
    "	entries		BLOB NOT NULL\n"
    ") STRICT;\n";

enum statement {
	ST_PART, ST_PUT_PART, ST_PUT_RUN, ST_LEAST_ROW, ST_DROP_RUNS, ST_LEAST_RUN,
	ST_DROP_PARTS, ST_COUNT
};

static const char *const statements[ST_COUNT] = {
	[ST_PART] = "SELECT first, entries FROM seen_parts JOIN seen_runs"
	    " ON run = ?1 WHERE at = ?2",
	[ST_PUT_PART] = "INSERT INTO seen_parts (at, entries) VALUES (?1, ?2)",
	[ST_PUT_RUN] = "INSERT INTO seen_runs (run, first, last, filter)"
	    " VALUES (?1, ?2, ?3, ?4)",
	[ST_LEAST_ROW] = "SELECT min(n) FROM seen",
	[ST_DROP_RUNS] = "DELETE FROM seen_runs WHERE last < ?1",
	[ST_LEAST_RUN] = "SELECT min(run) FROM seen_runs",
	[ST_DROP_PARTS] = "DELETE FROM seen_parts WHERE at < ?1",
};

struct entry {
	uint64_t	 hash;
	int64_t		 n;
	uint32_t	 next;		/* of its bucket, + 1 */
};

/* Filters of BLOCK runs: bit r of word i is bit i of run "first + r". */
struct block {
	int64_t		 first;
	uint64_t	*words;		/* FILTER_BITS */
};

struct seen {
	sqlite3		*db;
	sqlite3_stmt	*st[ST_COUNT];
	int64_t		 next;		/* n of a row */
	int64_t		 run;		/* of the next one */

	/* Young entries, in the order in which they came. */
	struct entry	*young;
	size_t		 n, cap;
	size_t		 kept;		/* those that are committed */
	uint32_t	*buckets;	/* entry + 1; 0: none */
	bool		 written;	/* as a run, which is not committed */
	bool		 forgot;	/* runs were removed, likewise */

	uint64_t	*filter;	/* of one run, FILTER_BITS bits */
	struct block	*blocks;	/* by their first run */
	size_t		 nblocks;
};

/* --- bytes ---------------------------------------------------------------------------- */

static uint64_t
get_le(const unsigned char *p, unsigned n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static void
put_le(unsigned char *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 8)
		p[i] = (unsigned char)v;
}

/* Keys are SHA-256s, or the beginnings of them. */
uint64_t
seen_hash(const unsigned char *key, const unsigned char *digest)
{
	return get_le(key, 8) ^ (digest == NULL ? 0 : get_le(digest, 8));
}

static unsigned
part_of(uint64_t hash)
{
	return (unsigned)(hash >> (64 - PART_BITS));
}

/* --- filters --------------------------------------------------------------------------- */

/* Two halves of a hash make as many as are wanted (Kirsch and Mitzenmacher, 2006). */
static size_t
probe(uint64_t hash, unsigned i)
{
	return (size_t)((hash & UINT32_MAX) + i * (hash >> 32 | 1)) % FILTER_BITS;
}

/* Rows become columns: Hacker's Delight, 7-3, for 64 by 64. */
static void
transpose(uint64_t m[64])
{
	uint64_t mask = UINT32_MAX;

	for (unsigned j = 32; j != 0; j >>= 1, mask ^= mask << j)
		for (unsigned k = 0; k < 64; k = ((k | j) + 1) & ~j) {
			uint64_t t = (m[k] >> j ^ m[k | j]) & mask;

			m[k] ^= t << j;
			m[k | j] ^= t;
		}
}

static struct block *
block_of(struct seen *s, int64_t run)
{
	struct block *b;

	for (size_t i = s->nblocks; i-- > 0;)
		if (run >= s->blocks[i].first && run < s->blocks[i].first + BLOCK)
			return &s->blocks[i];
	b = realloc(s->blocks, (s->nblocks + 1) * sizeof(*b));
	if (b == NULL)
		return NULL;
	s->blocks = b;
	b += s->nblocks;
	b->first = run - run % BLOCK;
	if ((b->words = calloc(FILTER_BITS, sizeof(*b->words))) == NULL)
		return NULL;
	s->nblocks++;
	return b;
}

/* The filters of some runs of one block, into it: rows[i] is of run first + i. */
static void
stand_across(struct block *b, const unsigned char *const rows[BLOCK])
{
	uint64_t m[BLOCK];

	for (size_t at = 0; at < FILTER_BITS; at += 64) {
		for (unsigned r = 0; r < BLOCK; r++)
			m[r] = rows[r] == NULL ? 0 : get_le(rows[r] + at / 8, 8);
		transpose(m);
		for (unsigned i = 0; i < 64; i++)
			b->words[at + i] |= m[i];
	}
}

static uint64_t
runs_with(const struct block *b, uint64_t hash)
{
	uint64_t runs = UINT64_MAX;

	for (unsigned i = 0; i < PROBES && runs != 0; i++)
		runs &= b->words[probe(hash, i)];
	return runs;
}

static void
blocks_drop(struct seen *s, int64_t before)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nblocks; i++)
		if (s->blocks[i].first + BLOCK <= before)
			free(s->blocks[i].words);
		else
			s->blocks[kept++] = s->blocks[i];
	s->nblocks = kept;
}

/* --- young entries ----------------------------------------------------------------------- */

static size_t
bucket_of(uint64_t hash)
{
	return (size_t)hash & (BUCKETS - 1);
}

static int
young_room(struct seen *s, size_t more)
{
	size_t cap = s->cap > 0 ? s->cap * 2 : SEEN_RUN / 16 + more;
	struct entry *e;

	if (s->n + more <= s->cap)
		return SQLITE_OK;
	if ((e = realloc(s->young, cap * sizeof(*e))) == NULL)
		return SQLITE_NOMEM;
	s->young = e;
	s->cap = cap;
	return SQLITE_OK;
}

static void
young_put(struct seen *s, uint64_t hash, int64_t n)
{
	uint32_t *head = &s->buckets[bucket_of(hash)];

	s->young[s->n] = (struct entry){ hash, n, *head };
	*head = (uint32_t)++s->n;
}

int
seen_add(struct seen *s, int64_t n, const unsigned char *key,
    const unsigned char *digest, const unsigned char *bytes)
{
	if (young_room(s, 3) != SQLITE_OK)
		return SQLITE_NOMEM;
	young_put(s, seen_hash(key, digest), n);
	if (digest != NULL)
		young_put(s, seen_hash(key, NULL), n);
	if (bytes != NULL)
		young_put(s, seen_hash(bytes, NULL), n);
	if (n >= s->next)
		s->next = n + 1;
	return SQLITE_OK;
}

/* Those that came last stand first in their buckets. */
static void
young_cut(struct seen *s, size_t n)
{
	while (s->n > n) {
		struct entry *e = &s->young[--s->n];

		s->buckets[bucket_of(e->hash)] = e->next;
	}
}

int64_t
seen_next(struct seen *s)
{
	return s->next;
}

/* --- a run -------------------------------------------------------------------------------- */

static int
by_hash(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->n > y->n ? -1 : x->n < y->n;	/* the youngest first */
}

static int
step_once(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* The least of something, or what it is where there is nothing. */
static int
least(sqlite3_stmt *st, int64_t nothing, int64_t *n)
{
	int rc = sqlite3_step(st);

	*n = rc == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL ?
	    sqlite3_column_int64(st, 0) : nothing;
	sqlite3_reset(st);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int
write_part(struct seen *s, unsigned part, const struct entry *e, size_t n,
    int64_t first, unsigned char *room)
{
	for (size_t i = 0; i < n; i++) {
		put_le(room + i * ENTRY, e[i].hash, 8);
		put_le(room + i * ENTRY + 8, (uint64_t)(e[i].n - first), 4);
	}
	sqlite3_bind_int64(s->st[ST_PUT_PART], 1, s->run * PARTS + part);
	sqlite3_bind_blob64(s->st[ST_PUT_PART], 2, room, n * ENTRY, SQLITE_STATIC);
	return step_once(s->st[ST_PUT_PART]);
}

/* The young entries as a run; until the commit they are young nevertheless. */
static int
write_run(struct seen *s)
{
	struct entry *sorted = malloc(s->n * sizeof(*sorted));
	unsigned char *room = malloc(s->n * ENTRY), *filter = (unsigned char *)s->filter;
	int64_t first = s->young[0].n, last = s->young[s->n - 1].n;
	size_t at = 0, end;
	int rc = SQLITE_NOMEM;

	if (sorted == NULL || room == NULL)
		goto out;
	memcpy(sorted, s->young, s->n * sizeof(*sorted));
	qsort(sorted, s->n, sizeof(*sorted), by_hash);
	memset(filter, 0, FILTER_BITS / 8);
	for (size_t i = 0; i < s->n; i++)
		for (unsigned k = 0; k < PROBES; k++) {
			size_t bit = probe(sorted[i].hash, k);

			filter[bit / 8] |= (unsigned char)(1u << bit % 8);
		}
	rc = SQLITE_OK;
	for (unsigned part = 0; part < PARTS && rc == SQLITE_OK; part++, at = end) {
		for (end = at; end < s->n && part_of(sorted[end].hash) == part; end++)
			;
		if (end > at)
			rc = write_part(s, part, sorted + at, end - at, first, room);
	}
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(s->st[ST_PUT_RUN], 1, s->run);
		sqlite3_bind_int64(s->st[ST_PUT_RUN], 2, first);
		sqlite3_bind_int64(s->st[ST_PUT_RUN], 3, last);
		sqlite3_bind_blob64(s->st[ST_PUT_RUN], 4, filter, FILTER_BITS / 8,
		    SQLITE_STATIC);
		rc = step_once(s->st[ST_PUT_RUN]);
	}
	s->written = rc == SQLITE_OK;
out:
	free(sorted);
	free(room);
	return rc;
}

int
seen_commit(struct seen *s)
{
	if (s->n < SEEN_RUN)
		return SQLITE_OK;
	/* What can fail, fails before the commit. */
	if (block_of(s, s->run) == NULL)
		return SQLITE_NOMEM;
	return write_run(s);
}

void
seen_committed(struct seen *s)
{
	const unsigned char *rows[BLOCK] = { NULL };
	int64_t run;

	s->kept = s->n;
	if (s->written) {
		rows[s->run % BLOCK] = (const unsigned char *)s->filter;
		stand_across(block_of(s, s->run), rows);
		s->run++;
		s->written = false;
		young_cut(s, 0);
		s->kept = 0;
	}
	if (s->forgot && least(s->st[ST_LEAST_RUN], s->run, &run) == SQLITE_OK)
		blocks_drop(s, run);
	s->forgot = false;
}

void
seen_rolled_back(struct seen *s)
{
	young_cut(s, s->kept);
	s->written = s->forgot = false;
}

int
seen_forget(struct seen *s)
{
	int64_t row, run;
	int rc = least(s->st[ST_LEAST_ROW], INT64_MAX, &row);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s->st[ST_DROP_RUNS], 1, row);
	if ((rc = step_once(s->st[ST_DROP_RUNS])) != SQLITE_OK ||
	    sqlite3_changes(s->db) == 0)
		return rc;
	s->forgot = true;
	if ((rc = least(s->st[ST_LEAST_RUN], s->run, &run)) != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s->st[ST_DROP_PARTS], 1, run * PARTS);
	return step_once(s->st[ST_DROP_PARTS]);
}

/* --- looking ------------------------------------------------------------------------------- */

struct seen_walk
seen_walk(struct seen *s, uint64_t hash)
{
	return (struct seen_walk){ .seen = s, .hash = hash,
	    .young = s->buckets[bucket_of(hash)], .block = s->nblocks + 1 };
}

/* The entries of this hash in a part, which is sorted: at to end. */
static void
narrow(struct seen_walk *w, const unsigned char *p, size_t n)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (get_le(p + mid * ENTRY, 8) < w->hash)
			low = mid + 1;
		else
			high = mid;
	}
	w->at = low;
	w->end = n;
}

/* The next run that may have it; its part stays open until it is over. */
static int
next_part(struct seen_walk *w)
{
	struct seen *s = w->seen;
	sqlite3_stmt *st = s->st[ST_PART];
	unsigned bit;
	int64_t run;
	int rc;

	while (w->runs == 0) {
		if (w->block <= 1)
			return SQLITE_DONE;
		w->block--;
		w->runs = runs_with(&s->blocks[w->block - 1], w->hash);
	}
	bit = 63u - (unsigned)__builtin_clzll(w->runs);
	w->runs &= ~(UINT64_C(1) << bit);
	run = s->blocks[w->block - 1].first + bit;
	sqlite3_bind_int64(st, 1, run);
	sqlite3_bind_int64(st, 2, run * PARTS + part_of(w->hash));
	if ((rc = sqlite3_step(st)) != SQLITE_ROW) {
		sqlite3_reset(st);
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	}
	w->part = st;
	w->first = sqlite3_column_int64(st, 0);
	narrow(w, sqlite3_column_blob(st, 1),
	    (size_t)sqlite3_column_bytes(st, 1) / ENTRY);
	return SQLITE_OK;
}

int
seen_step(struct seen_walk *w)
{
	const unsigned char *p;
	int rc;

	while (w->young > 0) {
		const struct entry *e = &w->seen->young[w->young - 1];

		w->young = e->next;
		if (e->hash == w->hash) {
			w->n = e->n;
			return SQLITE_ROW;
		}
	}
	for (;;) {
		if (w->part != NULL && w->at < w->end) {
			p = (const unsigned char *)sqlite3_column_blob(w->part, 1) +
			    w->at++ * ENTRY;
			if (get_le(p, 8) == w->hash) {
				w->n = w->first + (int64_t)get_le(p + 8, 4);
				return SQLITE_ROW;
			}
		}
		seen_stop(w);
		if ((rc = next_part(w)) != SQLITE_OK)
			return rc;
	}
}

void
seen_stop(struct seen_walk *w)
{
	if (w->part != NULL)
		sqlite3_reset(w->part);
	w->part = NULL;
}

/* --- from what there is ----------------------------------------------------------------------- */

static int
load_runs(struct seen *s, int64_t *last)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "SELECT run, last, filter FROM seen_runs"
	    " ORDER BY run", -1, &st, NULL);
	const unsigned char *rows[BLOCK] = { NULL };
	unsigned char *copies = malloc(BLOCK * FILTER_BITS / 8);
	struct block *b = NULL;

	if (rc == SQLITE_OK && copies == NULL)
		rc = SQLITE_NOMEM;
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		int64_t run;
		size_t bit;

		rc = sqlite3_step(st);
		run = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;
		if (b != NULL && (run < b->first || run >= b->first + BLOCK)) {
			stand_across(b, rows);
			memset(rows, 0, sizeof(rows));
			b = NULL;
		}
		if (rc != SQLITE_ROW)
			break;
		if (run < 0 || sqlite3_column_bytes(st, 2) != FILTER_BITS / 8) {
			rc = SQLITE_MISMATCH;
			break;
		}
		if (b == NULL && (b = block_of(s, run)) == NULL) {
			rc = SQLITE_NOMEM;
			break;
		}
		bit = (size_t)(run % BLOCK);
		rows[bit] = memcpy(copies + bit * FILTER_BITS / 8,
		    sqlite3_column_blob(st, 2), FILTER_BITS / 8);
		*last = sqlite3_column_int64(st, 1);
		s->run = run + 1;
	}
	sqlite3_finalize(st);
	free(copies);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Runs of another length, or of nobody knows what: they are made again from the rows. */
static int
drop_runs(struct seen *s)
{
	blocks_drop(s, INT64_MAX);
	s->run = 1;
	return sqlite3_exec(s->db, "BEGIN IMMEDIATE; DELETE FROM seen_runs;"
	    "DELETE FROM seen_parts; COMMIT", NULL, NULL, NULL);
}

/* The rows that are in no run, as young ones; some chunk of them. */
static int
load_young(struct seen *s, sqlite3_stmt *st, bool *more)
{
	int rc;

	sqlite3_bind_int64(st, 1, s->next);
	sqlite3_bind_int64(st, 2, SEEN_RUN / 16);
	*more = false;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		*more = true;
		rc = sqlite3_column_bytes(st, 1) < SEEN_KEY ? SQLITE_CORRUPT :
		    seen_add(s, sqlite3_column_int64(st, 0),
		    sqlite3_column_blob(st, 1),
		    sqlite3_column_bytes(st, 2) < SEEN_KEY ? NULL :
		    sqlite3_column_blob(st, 2),
		    sqlite3_column_bytes(st, 3) < SEEN_KEY ? NULL :
		    sqlite3_column_blob(st, 3));
		if (rc != SQLITE_OK)
			break;
	}
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
load_rows(struct seen *s)
{
	sqlite3_stmt *st = NULL;
	bool more = true;
	int rc = sqlite3_prepare_v2(s->db, "SELECT n, key, digest, bytes FROM seen"
	    " WHERE n >= ?1 ORDER BY n LIMIT ?2", -1, &st, NULL);

	while (rc == SQLITE_OK && more) {
		if ((rc = load_young(s, st, &more)) != SQLITE_OK || s->n < SEEN_RUN)
			continue;
		if ((rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL,
		    NULL)) == SQLITE_OK && (rc = seen_commit(s)) == SQLITE_OK &&
		    (rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL)) ==
		    SQLITE_OK)
			seen_committed(s);
	}
	s->kept = s->n;
	sqlite3_finalize(st);
	return rc;
}

struct seen *
seen_open(sqlite3 *db, int *rc)
{
	struct seen *s = calloc(1, sizeof(*s));
	int64_t last = 0;

	*rc = SQLITE_NOMEM;
	if (s == NULL)
		return NULL;
	s->db = db;
	s->run = 1;
	s->buckets = calloc(BUCKETS, sizeof(*s->buckets));
	s->filter = malloc(FILTER_BITS / 8);
	if (s->buckets == NULL || s->filter == NULL)
		goto no;
	*rc = SQLITE_OK;
	for (int i = 0; i < ST_COUNT && *rc == SQLITE_OK; i++)
		*rc = sqlite3_prepare_v3(db, statements[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &s->st[i], NULL);
	if (*rc == SQLITE_OK &&
	    (*rc = load_runs(s, &last)) == SQLITE_MISMATCH) {
		last = 0;
		*rc = drop_runs(s);
	}
	s->next = last + 1;
	if (*rc == SQLITE_OK)
		*rc = load_rows(s);
	if (*rc == SQLITE_OK)
		return s;
no:
	seen_close(s);
	return NULL;
}

void
seen_close(struct seen *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(s->st[i]);
	blocks_drop(s, INT64_MAX);
	free(s->blocks);
	free(s->filter);
	free(s->buckets);
	free(s->young);
	free(s);
}
