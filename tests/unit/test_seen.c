/*
 * test_seen.c - what finds a row of "seen": all that is there and nothing that never
 * was, over runs, rolled back batches, removed rows and new starts.
 *
 * With runs of 64 entries, so that there are hundreds of them.
 */
#define SEEN_RUN	64
#include "courier/seen.c"

#include "base/os.h"
#include "test.h"

#define ROWS		6000
#define HASHES		50		/* of each kind: few, so that many rows share one */

/* What the table holds, as the test knows it. */
static struct row {
	unsigned char	 key[16], digest[16], bytes[16];
	bool		 both, there;
} rows[ROWS + 1];

static sqlite3 *db;
static struct seen *seen;

static unsigned
some(unsigned below)
{
	static uint64_t state = 88172645463325252u;	/* xorshift, the same each time */

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % below;
}

static bool
sql(const char *text)
{
	return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* Like a hash in that any bits of it are anything. */
static void
fill(unsigned char out[16], unsigned kind, unsigned which)
{
	uint64_t v = (uint64_t)(kind * HASHES + which + 1) * 0x9e3779b97f4a7c15u;

	put_le(out, v, 8);
	put_le(out + 8, v, 8);
}

static bool
put(int64_t n)
{
	struct row *r = &rows[n];
	sqlite3_stmt *st;
	bool ok;

	r->both = some(3) > 0;
	r->there = true;
	fill(r->key, r->both, some(HASHES));
	fill(r->digest, 2, some(HASHES));
	fill(r->bytes, 3, some(HASHES));
	ok = sqlite3_prepare_v2(db, "INSERT INTO seen (n, key, digest, bytes, kind,"
	    " event, until, flags) VALUES (?1, ?2, ?3, ?4, 'x', 'x', 0, 0)", -1, &st,
	    NULL) == SQLITE_OK;
	sqlite3_bind_int64(st, 1, n);
	sqlite3_bind_blob(st, 2, r->key, 16, SQLITE_STATIC);
	sqlite3_bind_blob(st, 3, r->both ? (void *)r->digest : "", r->both ? 16 : 0,
	    SQLITE_STATIC);
	if (r->both)
		sqlite3_bind_blob(st, 4, r->bytes, 16, SQLITE_STATIC);
	ok = ok && sqlite3_step(st) == SQLITE_DONE;
	sqlite3_finalize(st);
	return ok && seen_add(seen, n, r->key, r->both ? r->digest : NULL,
	    r->both ? r->bytes : NULL) == SQLITE_OK;
}

static bool
has(const struct row *r, uint64_t hash)
{
	return seen_hash(r->key, r->both ? r->digest : NULL) == hash ||
	    (r->both && (seen_hash(r->key, NULL) == hash ||
	    seen_hash(r->bytes, NULL) == hash));
}

/* Each row that has it is found, once; how many others were, by their removal. */
static bool
all_found(uint64_t hash)
{
	static bool found[ROWS + 1];
	struct seen_walk w = seen_walk(seen, hash);
	bool ok = true;
	int rc;

	memset(found, 0, sizeof(found));
	while ((rc = seen_step(&w)) == SQLITE_ROW) {
		ok &= w.n >= 1 && w.n <= ROWS && !found[w.n] && has(&rows[w.n], hash);
		found[w.n <= ROWS ? w.n : 0] = true;
	}
	seen_stop(&w);
	for (int64_t n = 1; n <= ROWS; n++)
		ok &= !rows[n].there || !has(&rows[n], hash) || found[n];
	return ok && rc == SQLITE_DONE;
}

static bool
any_found(uint64_t hash)
{
	struct seen_walk w = seen_walk(seen, hash);
	bool any = seen_step(&w) == SQLITE_ROW;

	seen_stop(&w);
	return any;
}

static bool
ones_found(void)
{
	unsigned char a[16], b[16];
	bool ok = true;

	for (unsigned i = 0; i < 6; i++) {
		fill(a, i % 4, some(HASHES));
		fill(b, 2, some(HASHES));
		ok &= all_found(seen_hash(a, i < 4 ? NULL : b));
	}
	return ok;
}

static void
reopen(void)
{
	int rc;

	seen_close(seen);
	seen = seen_open(db, &rc);
	CHECKF(seen != NULL, "it is opened: %s", sqlite3_errstr(rc));
}

/* A batch of rows from *n on, some of which never come to be. */
static bool
batch(int64_t *n)
{
	int64_t first = *n, end = first + 1 + some(90);
	bool ok = sql("BEGIN");

	if (end > ROWS)
		end = ROWS;
	for (; ok && *n < end; ++*n)
		ok = put(*n);
	if (some(6) == 0) {
		ok = ok && (some(2) == 0 || seen_commit(seen) == SQLITE_OK);
		sql("ROLLBACK");
		seen_rolled_back(seen);
		for (int64_t i = first; i < end; i++)
			rows[i].there = false;
		*n = first;
		return ok;
	}
	ok = ok && seen_commit(seen) == SQLITE_OK && sql("COMMIT");
	seen_committed(seen);
	return ok;
}

/* The oldest go, as by retention. */
static bool
forget(int64_t before)
{
	char text[64];

	for (int64_t i = 1; i < before; i++)
		rows[i].there = false;
	snprintf(text, sizeof(text), "DELETE FROM seen WHERE n < %lld", (long long)before);
	if (!sql("BEGIN") || !sql(text) || seen_forget(seen) != SQLITE_OK ||
	    seen_commit(seen) != SQLITE_OK || !sql("COMMIT"))
		return false;
	seen_committed(seen);
	return true;
}

static int64_t
ask(const char *text)
{
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static void
test_all_is_found(void)
{
	int64_t n = 1, oldest = 1;
	bool ok = true;

	for (unsigned turn = 0; n < ROWS && ok; turn++) {
		ok = batch(&n);
		CHECKF(ok, "a batch before row %lld", (long long)n);
		CHECKF(seen_next(seen) >= n, "the next row is none that was");
		if (turn % 7 == 3)
			CHECKF(ones_found(), "at row %lld all is found", (long long)n);
		if (turn % 23 == 5) {
			reopen();
			CHECKF(ones_found(), "... and by who starts at %lld", (long long)n);
		}
		if (turn % 31 == 9 && n > 2000) {
			oldest += some(800);
			CHECKF(forget(oldest), "all before %lld goes", (long long)oldest);
			CHECKF(ones_found(), "... and the others are found");
			CHECKF(ask("SELECT min(last) FROM seen_runs") >= oldest &&
			    ask("SELECT min(at) FROM seen_parts") / PARTS ==
			    ask("SELECT min(run) FROM seen_runs"),
			    "... and no run is left that has none");
		}
	}
	CHECK(ask("SELECT count(*) FROM seen_runs") > BLOCK,
	    "there are more runs than one word has bits");
	CHECK(seen->blocks[0].first <= ask("SELECT min(run) FROM seen_runs") &&
	    seen->blocks[0].first + BLOCK > ask("SELECT min(run) FROM seen_runs"),
	    "filters of runs that are gone have gone from memory");
	CHECK(forget(ROWS + 1) && ask("SELECT count(*) FROM seen_runs") == 0 &&
	    ask("SELECT count(*) FROM seen_parts") == 0, "nothing is left of nothing");
	reopen();
	CHECK(ones_found(), "... nor found");
}

/* Rows of before this was: an inbox of an older version has as many as it has. */
static void
test_made_anew(void)
{
	CHECK(sql("BEGIN"), "begun");
	for (int64_t n = 1; n < ROWS; n++)
		CHECKF(put(n), "row %lld", (long long)n);
	CHECK(sql("COMMIT"), "and none was written as a run");
	reopen();
	CHECK(ask("SELECT count(*) FROM seen_runs") > 10, "a start makes the runs");
	CHECK(ones_found(), "... in which all is found");
	CHECK(sql("DELETE FROM seen_runs; DELETE FROM seen_parts"), "they are lost");
	reopen();
	CHECK(ones_found(), "... and made again");
}

static void
test_one_key_for_all(void)
{
	struct seen_walk w;
	unsigned char key[16];
	unsigned steps = 0;

	fill(key, 1, 7);
	for (int64_t n = 1; n < 2000; n++)
		CHECK(seen_add(seen, seen_next(seen), key, NULL, NULL) == SQLITE_OK,
		    "the same key again");
	w = seen_walk(seen, seen_hash(key, NULL));
	CHECK(seen_step(&w) == SQLITE_ROW && w.n == seen_next(seen) - 1,
	    "the youngest is the first");
	while (seen_step(&w) == SQLITE_ROW)
		steps++;
	seen_stop(&w);
	CHECK(steps >= 1998, "and all of them are there");
	seen_rolled_back(seen);
}

/* The filters are worth something: of what is not there nearly nothing is looked for. */
static void
test_filters(void)
{
	unsigned found = 0, asked = 0;

	for (unsigned i = 0; i < 1000; i++) {
		unsigned char key[16];

		fill(key, 100 + i, 0);
		found += any_found(seen_hash(key, NULL));
		for (size_t b = 0; b < seen->nblocks; b++)
			asked += (unsigned)__builtin_popcountll(
			    runs_with(&seen->blocks[b], seen_hash(key, NULL)));
	}
	CHECK(found == 0, "what is not there is not found");
	CHECKF(asked <= 1000 * ask("SELECT count(*) FROM seen_runs") / 200,
	    "and looked for in few of the runs: %u", asked);
}

/* Runs of a build whose runs had another length. */
static void
test_other_length(void)
{
	int64_t runs = ask("SELECT count(*) FROM seen_runs");

	CHECK(sql("UPDATE seen_runs SET filter = x'00' WHERE run % 2 = 0"),
	    "filters of another length");
	reopen();
	CHECK(ask("SELECT count(*) FROM seen_runs") >= runs &&
	    ask("SELECT count(*) FROM seen_runs WHERE length(filter) < 2") == 0,
	    "all runs are made again");
	CHECK(ones_found(), "... and all is found");
}

int
main(void)
{
	struct err e;
	size_t n;
	char *v1 = os_read_file("tests/data/inbox-v1.sql", 1 << 20, &n, &e);
	int rc;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK || v1 == NULL || !sql(v1) ||
	    !sql("DELETE FROM seen") || !sql(seen_schema) ||
	    (seen = seen_open(db, &rc)) == NULL) {
		fprintf(stderr, "test_seen: no table: %s\n", sqlite3_errmsg(db));
		return 1;
	}
	free(v1);
	test_all_is_found();
	test_made_anew();
	test_one_key_for_all();
	test_filters();
	test_other_length();
	seen_close(seen);
	sqlite3_close(db);
	TEST_END("seen");
}
