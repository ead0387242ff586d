/*
 * test_ledger.c - what is to be delivered: in which order, what is left out, what an
 * attempt leaves behind; and that each question of it is answered by an index.
 *
 * A real inbox; the steps are a table, and after each the states of all that was added
 * stand in one word: w waits, b behind, d done, x dead, - left out, m missed.
 */
#include <sys/stat.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../courier/inbox.h"
#include "../../courier/ledger.h"
#include "../../courier/retention.h"
#include "test.h"

#define START		(1750000000LL * 1000)

static char place[256];
static struct log quiet = { .fd = -1, .program = "test_ledger" };
static const struct inbox_limits roomy = { .bytes = 1ull << 40, .keep = 1 };

static struct inbox *
fresh(const char *name)
{
	char path[512];
	struct inbox *b;
	struct err e = { .text = "" };

	snprintf(path, sizeof(path), "%s/%s", place, name);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/inbox.db", place, name);
	b = inbox_new(path, &roomy, &quiet);
	CHECKF(b != NULL && inbox_settle(b, &e) == INBOX_OK, "%s: an inbox opens: %s",
	    name, e.text);
	return b;
}

static int64_t
ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* --- steps --------------------------------------------------------------------- */

enum what { ADD, DONE, DEAD, LATER, REPLAY };

struct step {
	enum what	 what;
	int64_t		 event;		/* also deliveries.n: one destination */
	const char	*key;		/* of ADD; NULL: none */
	int64_t		 at;		/* ms after the start; of LATER, REPLAY: due */
	const char	*stand;		/* afterwards, event 1 first */
};

static const struct row {
	const char	*says;
	bool		 latest;
	uint32_t	 delay;
	struct step	 steps[10];
} table[] = {
	{ "without a key none waits for another", false, 0, {
		{ ADD, 1, NULL, 0, "w" }, { ADD, 2, NULL, 1, "ww" },
		{ DONE, 2, NULL, 2, "wd" }, { DEAD, 1, NULL, 3, "xd" } } },
	{ "of one key the oldest waits and the others are behind it", false, 0, {
		{ ADD, 1, "a", 0, "w" }, { ADD, 2, "a", 1, "wb" },
		{ ADD, 3, "b", 1, "wbw" }, { ADD, 4, "a", 2, "wbwb" },
		{ LATER, 1, NULL, 90, "wbwb" }, { DONE, 1, NULL, 3, "dwwb" },
		{ DEAD, 2, NULL, 4, "dxww" } } },
	{ "an empty key is one", false, 0, {
		{ ADD, 1, "", 0, "w" }, { ADD, 2, "", 1, "wb" },
		{ DONE, 1, NULL, 3, "dw" } } },
	{ "a replayed one goes before what came after it", false, 0, {
		{ ADD, 1, "a", 0, "w" }, { DEAD, 1, NULL, 1, "x" },
		{ ADD, 2, "a", 2, "xw" }, { ADD, 3, "a", 3, "xwb" },
		{ REPLAY, 1, NULL, 4, "bwb" }, { DONE, 2, NULL, 5, "wdb" },
		{ DONE, 1, NULL, 6, "ddw" } } },
	{ "what waits is not replayed", false, 0, {
		{ ADD, 1, "a", 0, "w" }, { REPLAY, 1, NULL, 4, "w" } } },
	{ "the latest wins over all that wait behind one that may be under way", true,
	    0, {
		{ ADD, 1, "a", 0, "w" }, { ADD, 2, "a", 1, "wb" },
		{ ADD, 3, "a", 2, "w-b" }, { DONE, 1, NULL, 3, "d-w" } } },
	{ "and over what is not yet due", true, 100, {
		{ ADD, 1, "a", 0, "w" }, { ADD, 2, "a", 50, "-w" },
		{ ADD, 3, "b", 60, "-ww" }, { ADD, 4, "a", 99, "--ww" } } },
	{ "what failed gives way to a newer one that came meanwhile", true, 0, {
		{ ADD, 1, "a", 0, "w" }, { ADD, 2, "a", 1, "wb" },
		{ LATER, 1, NULL, 900, "-w" }, { LATER, 2, NULL, 990, "-w" },
		{ ADD, 3, "a", 500, "--w" } } },
	{ "not to one of another key", true, 0, {
		{ ADD, 1, "a", 0, "w" }, { ADD, 2, "b", 1, "ww" },
		{ LATER, 1, NULL, 900, "ww" } } },
	{ "an attempt on what was left out counts when it was taken", true, 100, {
		{ ADD, 1, "a", 0, "w" }, { ADD, 2, "a", 50, "-w" },
		{ LATER, 1, NULL, 900, "-w" }, { DONE, 1, NULL, 60, "dw" } } },
	{ "what was left out is replayed, behind what waits", true, 0, {
		{ ADD, 1, "a", 0, "w" }, { ADD, 2, "a", 1, "wb" },
		{ ADD, 3, "a", 2, "w-b" }, { REPLAY, 2, NULL, 5, "wbb" },
		{ DONE, 1, NULL, 3, "dwb" }, { DONE, 2, NULL, 3, "ddw" } } },
};

static void
add_event(sqlite3 *db, int64_t n)
{
	char sql[300];

	snprintf(sql, sizeof(sql), "INSERT INTO events (n, id, received_at, hook,"
	    " provider, size, flags, method, target, scheme, proven, headers, body)"
	    " VALUES (%lld, 'id-%lld', 0, '/h', 'p', 0, 0, 'POST', '/h', 'none', 0,"
	    " '[]', x'')", (long long)n, (long long)n);
	CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "an event is there");
}

static int
take_step(struct inbox *b, const struct row *row, const struct step *s,
    uint64_t *number)
{
	struct ledger *l = inbox_ledger(b);
	struct destination to = { .latest_wins = row->latest };
	struct forward f = { .to = STR("to"), .latest = row->latest,
	    .delay = row->delay, .key = s->key == NULL ? STR_NONE : str_of(s->key) };
	struct attempt a = { .to = &to, .delivery = (uint64_t)s->event,
	    .output = BUF(16), .code = -1, .outcome = OUTCOME_LATER };
	bool made;

	switch (s->what) {
	case ADD:
		add_event(inbox_db(b), s->event);
		return ledger_add(l, s->event, &f, START + s->at);
	case REPLAY:
		return ledger_replay(l, s->event, f.to, START + s->at, &made);
	case DONE:
	case DEAD:
	case LATER:
		break;
	}
	a.number = ++*number;
	return ledger_record(l, &a, s->what == DONE ? DELIVERY_DONE :
	    s->what == DEAD ? DELIVERY_DEAD : DELIVERY_WAITS, START + s->at, 1);
}

static void
standing(sqlite3 *db, char *out)
{
	sqlite3_stmt *st = NULL;

	sqlite3_prepare_v2(db, "SELECT state FROM deliveries ORDER BY event", -1, &st,
	    NULL);
	while (sqlite3_step(st) == SQLITE_ROW)
		*out++ = "wbdx-m"[sqlite3_column_int(st, 0)];
	*out = '\0';
	sqlite3_finalize(st);
}

static void
steps(void)
{
	char name[16], stand[16];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t number = 0;
		struct inbox *b;

		snprintf(name, sizeof(name), "steps%zu", i);
		b = fresh(name);
		for (const struct step *s = table[i].steps; s->event != 0; s++) {
			CHECKF(take_step(b, &table[i], s, &number) == SQLITE_OK,
			    "%s: step %d is written", table[i].says,
			    (int)(s - table[i].steps));
			standing(inbox_db(b), stand);
			CHECKF(strcmp(stand, s->stand) == 0, "%s: step %d: %s, is %s",
			    table[i].says, (int)(s - table[i].steps), s->stand, stand);
		}
		inbox_free(b);
	}
}

/* --- what the states do not show ------------------------------------------------ */

static void
times(void)
{
	struct inbox *b = fresh("times");
	struct ledger *l = inbox_ledger(b);
	sqlite3 *db = inbox_db(b);
	struct forward f = { .to = STR("to"), .key = STR("a"), .latest = true };
	struct destination to = { .latest_wins = true };
	struct attempt a = { .to = &to, .delivery = 1, .number = 1, .code = 500,
	    .outcome = OUTCOME_LATER, .output = BUF(16) };
	bool made;

	add_event(db, 1);
	add_event(db, 2);
	add_event(db, 3);
	ledger_add(l, 1, &f, START);
	ledger_add(l, 2, &f, START + 1);
	ledger_record(l, &a, DELIVERY_WAITS, START + 5000, 1);
	CHECK(ask(db, "SELECT due FROM deliveries WHERE n = 2") == START + 5000,
	    "what is given way to waits as long as what failed would have");
	ledger_add(l, 3, &f, START + 2);
	CHECK(ask(db, "SELECT due FROM deliveries WHERE n = 3") == START + 5000,
	    "and the next one likewise");
	a.delivery = 3;
	ledger_record(l, &a, DELIVERY_WAITS, START + 9000, 7);
	ledger_record(l, &a, DELIVERY_WAITS, START + 9000, 7);
	CHECK(ask(db, "SELECT tries FROM deliveries WHERE n = 3") == 7 &&
	    ask(db, "SELECT count(*) FROM attempts WHERE delivery = 3") == 1,
	    "what is written once more, as its commit was in doubt, counts once");
	a.number = 2;
	ledger_record(l, &a, DELIVERY_DEAD, START + 9000, 8);
	ledger_replay(l, 3, STR("to"), START + 90000, &made);
	CHECK(made && ask(db, "SELECT tries FROM deliveries WHERE n = 3") == 0 &&
	    ask(db, "SELECT since FROM deliveries WHERE n = 3") == START + 90000 &&
	    ask(db, "SELECT made FROM deliveries WHERE n = 3") == 2,
	    "a replay has its whole time from when it is due, and counts its attempts on");
	ledger_replay(l, 9, STR("to"), START, &made);
	CHECK(!made, "what is not in the inbox is not replayed");
	ledger_replay(l, 3, STR("other"), START, &made);
	CHECK(made && ask(db, "SELECT count(*) FROM deliveries WHERE destination ="
	    " 'other' AND key IS NULL AND state = 0") == 1,
	    "an event goes where it never went");
	inbox_free(b);
}

static void
kept_attempts(void)
{
	struct inbox *b = fresh("attempts");
	struct ledger *l = inbox_ledger(b);
	struct forward f = { .to = STR("to"), .key = STR_NONE };
	struct destination to = { .latest_wins = false };
	struct attempt a = { .to = &to, .delivery = 1, .outcome = OUTCOME_LATER,
	    .code = -1, .output = BUF(16) };

	add_event(inbox_db(b), 1);
	ledger_add(l, 1, &f, START);
	for (a.number = 1; a.number <= 3 * LEDGER_ATTEMPTS; a.number++)
		ledger_record(l, &a, DELIVERY_WAITS, START, a.number);
	CHECK(ask(inbox_db(b), "SELECT count(*) FROM attempts") == LEDGER_ATTEMPTS &&
	    ask(inbox_db(b), "SELECT max(number) FROM attempts") ==
	    3 * LEDGER_ATTEMPTS, "of many attempts the newest are kept");
	inbox_free(b);
}

/* --- how it is asked ---------------------------------------------------------------- */

/* No statement reads a whole table, or sorts. */
static void
plan(sqlite3 *db, const char *sql)
{
	char text[4096];
	sqlite3_stmt *st = NULL;

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
	CHECKF(sqlite3_prepare_v2(db, text, -1, &st, NULL) == SQLITE_OK,
	    "it is a statement: %s", sql);
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *how = (const char *)sqlite3_column_text(st, 3);

		CHECKF(strncmp(how, "SCAN", 4) != 0 || strstr(how, "CONSTANT") != NULL,
		    "no table is read through: %s: %s", how, sql);
		CHECKF(strstr(how, "TEMP B-TREE") == NULL, "nothing is sorted: %s: %s",
		    how, sql);
		CHECKF(strstr(how, "SEARCH deliveries") == NULL || (strstr(how,
		    "destination=?)") == NULL || strstr(how, "event=?") != NULL),
		    "no index is read for all of a destination: %s: %s", how, sql);
	}
	sqlite3_finalize(st);
}

static void
plans(void)
{
	struct inbox *b = fresh("plans");
	sqlite3 *db = inbox_db(b);
	const char *sql[64];
	size_t n = 0, asked = 0;
	sqlite3_stmt *st;

	/* Those that the inbox keeps; the list grows with each that is made. */
	for (st = sqlite3_next_stmt(db, NULL); st != NULL && n < 64;
	    st = sqlite3_next_stmt(db, st))
		if (strstr(sqlite3_sql(st), "deliveries") != NULL ||
		    strstr(sqlite3_sql(st), "attempts") != NULL)
			sql[n++] = sqlite3_sql(st);
	for (size_t i = 0; i < n; i++, asked++)
		plan(db, sql[i]);
	CHECK(asked >= 9, "the statements of the ledger were looked at");
	plan(db, ledger_due_now);
	plan(db, ledger_due_next);
	plan(db, ledger_asked);
	plan(db, ledger_spoken);
	inbox_free(b);
}

/* --- what waits is kept, and costs little --------------------------------------------- */

#define WAITING	200000

static void
retention_run_once(struct inbox *b, struct retention *r)
{
	struct err e = { .text = "" };

	CHECK(inbox_begin(b, &e) == INBOX_OK, "it begins");
	CHECKF(retention_run(b, r, START, 64, 0, &e) == INBOX_OK, "it runs: %s", e.text);
	CHECK(inbox_commit(b, &e) == INBOX_OK, "it commits");
	retention_committed(b, r);
}

/* What is delivered inside a request, and what its sender is told. */
static void
asked(void)
{
	struct inbox *b = fresh("asked");
	struct ledger *l = inbox_ledger(b);
	sqlite3 *db = inbox_db(b);
	struct forward f = { .to = STR("first"), .key = STR_NONE,
	    .mode = FORWARD_BEFORE_ANSWER };
	struct destination to = { .latest_wins = false };
	struct attempt a = { .to = &to, .delivery = 1, .number = 1, .code = 500,
	    .outcome = OUTCOME_DEAD, .output = BUF(16) };
	struct spoken said = { .status = 200, .type = STR("text/plain"),
	    .headers = STR(""), .body = STR("first") };
	static struct retention r;
	bool made, yes;

	add_event(db, 1);
	add_event(db, 2);
	f.mode = FORWARD_AFTER;
	ledger_add(l, 2, &f, START);
	f.mode = FORWARD_BEFORE_ANSWER;
	ledger_add(l, 1, &f, START);
	f.to = STR("answer");
	f.mode = FORWARD_ANSWER;
	ledger_add(l, 1, &f, START);
	CHECK(ask(db, "SELECT count(*) FROM deliveries WHERE event = 1 AND state = 5") ==
	    2, "until it is done it is missed, whenever we die");
	CHECK(ledger_is_asked(l, "id-1", &yes) == SQLITE_OK && yes,
	    "it is known again by its event");
	CHECK(ledger_is_asked(l, "id-2", &yes) == SQLITE_OK && !yes,
	    "what goes after the answer is none");
	CHECK(ledger_is_asked(l, "id-9", &yes) == SQLITE_OK && !yes,
	    "nor is what is gone");

	a.delivery = 2;
	ledger_record_asked(l, &a, false);
	CHECK(ask(db, "SELECT state FROM deliveries WHERE n = 2") == 5 &&
	    ask(db, "SELECT made FROM deliveries WHERE n = 2") == 1 &&
	    ask(db, "SELECT count(*) FROM attempts WHERE delivery = 2") == 1,
	    "an attempt that failed is written down, and it is missed as before");
	a.number = 2;
	a.outcome = OUTCOME_DONE;
	ledger_record_asked(l, &a, true);
	CHECK(ask(db, "SELECT state FROM deliveries WHERE n = 2") == 2, "or it is done");

	a.delivery = 3;
	ledger_replay(l, 1, STR("answer"), START, &made);
	CHECK(made && ask(db, "SELECT state FROM deliveries WHERE n = 3") == 0,
	    "what is missed is replayed, after the fact");
	ledger_record_asked(l, &a, false);
	CHECK(ask(db, "SELECT state FROM deliveries WHERE n = 3") == 0,
	    "and a failure for its sender does not end that");
	ledger_record_asked(l, &a, true);
	CHECK(ask(db, "SELECT state FROM deliveries WHERE n = 3") == 2,
	    "though it is done when it was taken");

	CHECK(ledger_speak(l, 1, &said, START) == SQLITE_OK, "an answer is kept");
	said.body = STR("second");
	CHECK(ledger_speak(l, 1, &said, START) == SQLITE_OK &&
	    ask(db, "SELECT body = x'6669727374' FROM answers") == 1,
	    "the first one stays");
	CHECK(ledger_speak(l, 9, &said, START) == SQLITE_OK &&
	    ask(db, "SELECT count(*) FROM answers") == 1,
	    "of an event that is gone there is none");

	ledger_record(l, &(struct attempt){ .to = &to, .delivery = 1, .number = 1,
	    .outcome = OUTCOME_DONE, .output = BUF(16) }, DELIVERY_DONE, START, 1);
	inbox_limit(b, &(struct inbox_limits){ .age = 1 });
	retention_run_once(b, &r);
	CHECK(ask(db, "SELECT count(*) FROM events") == 0 &&
	    ask(db, "SELECT count(*) FROM deliveries") == 0 &&
	    ask(db, "SELECT count(*) FROM answers") == 0,
	    "what is missed holds up no event's end, and an answer goes with its event");
	inbox_free(b);
}

static void
kept_events(void)
{
	static const struct inbox_limits narrow = { .bytes = 1 << 20, .keep = 1 };
	static struct retention r;
	struct inbox *b = fresh("kept");
	sqlite3 *db = inbox_db(b);
	unsigned runs = 0, full = 0;
	char sql[500];

	inbox_limit(b, &narrow);
	snprintf(sql, sizeof(sql), "BEGIN; WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL"
	    " SELECT n + 1 FROM c WHERE n < %d) INSERT INTO events (n, id, received_at,"
	    " hook, provider, size, flags, method, target, scheme, proven, headers,"
	    " body) SELECT n, 'id-' || n, 0, '/h', 'p', 0, 0, 'POST', '/h', 'none', 0,"
	    " '[]', x'' FROM c;", WAITING);
	CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "events are there");
	CHECK(sqlite3_exec(db, "INSERT INTO deliveries (event, destination, state,"
	    " since, due) SELECT n, 'to', 0, 0, 0 FROM events ORDER BY n; COMMIT", NULL, NULL,
	    NULL) == SQLITE_OK, "and all of them wait");
	do {
		retention_run_once(b, &r);
		full += r.full;
		runs++;
	} while (r.floor != 0 && runs < 1000);
	CHECK(ask(db, "SELECT count(*) FROM events") == WAITING, "what waits is kept");
	CHECKF(full == runs, "an inbox of nothing else is full all the time, and not "
	    "only at the end of a round: %u of %u", full, runs);
	CHECKF(runs < WAITING / 5000, "a round has few runs: %u", runs);
	CHECK(!r.more, "and is not begun anew at once");

	sqlite3_exec(db, "UPDATE deliveries SET state = 2 WHERE event IN (3, 150000,"
	    " 150001, 200000); INSERT INTO attempts VALUES (3, 1, 0, 0, 1, 0, '', x''),"
	    " (4, 1, 0, 0, 2, 0, '', x'')", NULL, NULL, NULL);
	for (runs = 0; runs < 1000 && (runs == 0 || r.floor != 0); runs++)
		retention_run_once(b, &r);
	CHECK(ask(db, "SELECT count(*) FROM events") == WAITING - 4 &&
	    ask(db, "SELECT count(*) FROM events WHERE n IN (3, 150000, 150001, 200000)")
	    == 0, "what was delivered among them goes");
	CHECK(ask(db, "SELECT count(*) FROM deliveries") == WAITING - 4 &&
	    ask(db, "SELECT group_concat(delivery) FROM attempts") == 4,
	    "with its deliveries and attempts, and nothing of the others");
	inbox_free(b);
}

int
main(void)
{
	char command[300];

	snprintf(place, sizeof(place), "%s/test_ledger.XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	if (mkdtemp(place) == NULL)
		return 1;
	steps();
	times();
	asked();
	kept_attempts();
	plans();
	kept_events();
	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	if (system(command) != 0)
		return 1;
	TEST_END("ledger");
}
