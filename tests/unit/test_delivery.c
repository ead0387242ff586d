/*
 * test_delivery.c - what delivery.c does beside the good day: what it cannot read, what
 * is due and cannot go, what the ledger's clock and its own do not agree upon.
 *
 * A real inbox, a real batch, real programs (/bin/sleep, /bin/true).  That it does not
 * turn round and round is seen by the time that the process used: far less than passed.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../base/when.h"
#include "../../courier/batch.h"
#include "../../courier/delivery.h"
#include "../../courier/ledger.h"
#include "../../courier/totals.h"
#include "test.h"

static char place[256];
static struct log quiet = { .fd = -1, .program = "test_delivery" };
static const struct inbox_limits roomy = { .bytes = 1ull << 40, .keep = 1 };

static struct inbox *inbox;
static struct totals *totals;
static struct inbox_side *side;
static struct batch *batch;
static struct delivery *delivery;

static void
nap(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static int64_t
ask(const char *sql)
{
	sqlite3_stmt *st = NULL;
	struct err e;
	int64_t n = -1;
	sqlite3 *db = inbox_side_enter(side, &e);

	if (db == NULL)
		return -1;
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	inbox_side_leave(side);
	return n;
}

/* Is the answer so, within seconds? */
static bool
becomes(const char *sql, int64_t want)
{
	for (int i = 0; i < 1000; i++, nap(10))
		if (ask(sql) == want)
			return true;
	return false;
}

static struct half *
half_of(const char *destinations)
{
	struct buf text = BUF(4096);
	struct conf *c;
	struct err e;

	buf_put(&text, STR("{\"destinations\":{"));
	for (; *destinations != '\0'; destinations++)
		buf_putc(&text, *destinations == '\'' ? '"' : *destinations);
	buf_put(&text, STR("}}"));
	c = conf_read(buf_str(&text), "c.json", &e);
	CHECKF(c != NULL, "a configuration: %s", e.text);
	buf_free(&text);
	return c == NULL ? NULL : half_new(c, bundle_new());
}

static void
begin(const char *name, const char *destinations)
{
	char path[512];
	struct err e = { .text = "" };
	struct half *half = half_of(destinations);

	snprintf(path, sizeof(path), "%s/%s", place, name);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/inbox.db", place, name);
	if (half == NULL || (inbox = inbox_new(path, &roomy, &quiet)) == NULL ||
	    (totals = totals_new()) == NULL ||
	    (batch = batch_start(inbox, totals, &quiet, 1000, &e)) == NULL ||
	    (delivery = delivery_start(inbox, batch, totals, half,
	    &quiet, &e)) == NULL ||
	    (side = inbox_side_new(inbox, true)) == NULL) {
		printf("%s: it begins: %s\n", name, e.text);
		exit(1);
	}
}

static void
end(void)
{
	delivery_stop(delivery);
	batch_stop(batch);
	inbox_side_free(side);
	delivery_free(delivery);
	batch_free(batch);
	inbox_free(inbox);
	totals_free(totals);
}

/* --- orders of the test, by the batch's thread --------------------------------------- */

struct wanted {
	struct order	 order;
	const char	*sql;
	_Atomic bool	 over;
};

static enum inbox_code
write_wanted(struct order *o, struct inbox *b, int64_t now, struct err *e)
{
	struct wanted *w = (struct wanted *)(void *)o;

	(void)now;
	return inbox_code_of(b, sqlite3_exec(inbox_db(b), w->sql, NULL, NULL, NULL),
	    w->sql, e);
}

static void
written_wanted(struct order *o, bool done)
{
	(void)done;
	((struct wanted *)(void *)o)->over = true;
}

static void
order(const char *sql)
{
	struct wanted w = { { .write = write_wanted, .written = written_wanted }, sql,
	    false };

	batch_order(batch, &w.order);
	while (!w.over)
		nap(1);
	delivery_wake(delivery);
}

#define EVENT(n, body)							\
	"INSERT INTO events (n, id, received_at, hook, provider, size, flags, method," \
	" target, scheme, proven, headers, body) VALUES (" #n ","	\
	" '01980000-0000-7000-8000-00000000000" #n "', 0, '/h', 'p', 3, 0, 'POST'," \
	" '/h', 'none', 0, '[]', " body ");"
#define DELIVERY(n, to, key, due)					\
	"INSERT INTO deliveries (event, destination, key, state, since, due) VALUES (" \
	#n ", '" to "', " key ", 0, strftime('%s', 'now') * 1000, " due ");"
#define SOON	"strftime('%s', 'now') * 1000 + 1500"

/* ms of the processor */
static int64_t
used(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000 +
	    (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1000;
}

/* --- the tests ----------------------------------------------------------------------- */

static void
due_but_no_room(void)
{
	int64_t from;

	begin("room", "'one':{'exec':['/bin/sleep','5'],'one_at_a_time':true}");
	order(EVENT(1, "x'616263'") EVENT(2, "x'616263'")
	    DELIVERY(1, "one", "NULL", "0") DELIVERY(2, "one", "NULL", SOON));
	nap(2600);		/* the second is due by now */
	from = used();
	nap(1500);
	CHECK(used() - from < 700, "what is due and has no room is waited for");
	end();
}

static void
inbox_in_doubt(void)
{
	int64_t from;

	begin("doubt", "'one':{'exec':'/bin/true'}");
	order(EVENT(1, "x'616263'") DELIVERY(1, "one", "NULL", SOON));
	nap(100);
	/* As long as somebody holds a lock it is not settled. */
	{
		char path[512];
		sqlite3 *db;

		snprintf(path, sizeof(path), "%s/doubt/inbox.db", place);
		sqlite3_open(path, &db);
		CHECK(sqlite3_exec(db, "BEGIN; SELECT * FROM events", NULL, NULL,
		    NULL) == SQLITE_OK, "a reader holds the log");
		order("UPDATE events SET repeats = 1");
		inbox_doubt(inbox);
		nap(2600);
		from = used();
		nap(1500);
		CHECK(used() - from < 700, "an inbox in doubt is waited for");
		sqlite3_close(db);
	}
	CHECK(becomes("SELECT state FROM deliveries", DELIVERY_DONE),
	    "when it is sound again what is due goes");
	end();
}

static void
bodies(void)
{
	char path[512];

	begin("bodies", "'one':{'exec':'/bin/true','retry':{'first':'50ms'}}");
	snprintf(path, sizeof(path), "%s/bodies/inbox.db.d/"
	    "01980000-0000-7000-8000-000000000001", place);
	CHECK(symlink("/etc/passwd", path) == 0, "a link stands where a body should");
	order(EVENT(1, "NULL") DELIVERY(1, "one", "NULL", "0"));
	CHECK(becomes("SELECT tries > 1 FROM deliveries", 1) &&
	    ask("SELECT state FROM deliveries") == DELIVERY_WAITS,
	    "a body that cannot be opened is tried again, and is not dead");
	unlink(path);
	CHECK(becomes("SELECT state FROM deliveries", DELIVERY_DEAD),
	    "one that is not there any more is dead");
	order(EVENT(2, "x'616263'") DELIVERY(2, "one", "NULL", "0")
	    DELIVERY(9, "one", "NULL", "0"));
	CHECK(becomes("SELECT state FROM deliveries WHERE event = 2", DELIVERY_DONE) &&
	    becomes("SELECT state FROM deliveries WHERE event = 9", DELIVERY_DEAD),
	    "as is an event that is not there, and the next one goes");
	end();
}

/* The table is not there for a while: an error of every question. */
static void
cannot_be_asked(void)
{
	begin("asked", "'one':{'exec':'/bin/true'}");
	order("ALTER TABLE paused RENAME TO away;" EVENT(2, "x'616263'")
	    DELIVERY(2, "one", "NULL", "0"));
	nap(500);
	CHECK(ask("SELECT state FROM deliveries WHERE event = 2") == DELIVERY_WAITS,
	    "whether it is paused must be known");
	/* Nobody wakes it. */
	{
		struct wanted w = { { .write = write_wanted,
		    .written = written_wanted }, "ALTER TABLE away RENAME TO paused",
		    false };

		batch_order(batch, &w.order);
		while (!w.over)
			nap(1);
	}
	CHECK(becomes("SELECT state FROM deliveries WHERE event = 2", DELIVERY_DONE),
	    "it is asked again by itself");
	end();
}

static void
one_of_a_key(void)
{
	begin("key", "'one':{'exec':['/bin/sleep','1'],'serialize_by':'body:a'}");
	order(EVENT(1, "x'616263'") EVENT(2, "x'616263'") EVENT(3, "x'616263'")
	    DELIVERY(1, "one", "'a'", "0") DELIVERY(3, "one", "'b'", "0"));
	nap(300);
	order(DELIVERY(2, "one", "'a'", "0"));
	CHECK(becomes("SELECT count(*) FROM deliveries WHERE state = 2", 3), "all go");
	CHECK(ask("SELECT (SELECT at FROM attempts WHERE delivery = 3) >="
	    " (SELECT at + took FROM attempts WHERE delivery = 1)") == 1,
	    "of one key one goes at a time, whatever the ledger says");
	end();
}

/* An operator's replay: the next page as soon as one is written. */
static unsigned pages;

static void
written_again(struct order *o, bool done)
{
	if (done && ++pages < 5000)
		batch_order(batch, o);
}

static void
stops(void)
{
	struct wanted w = { { .write = write_wanted, .written = written_again },
	    "UPDATE events SET repeats = repeats + 1", false };

	begin("stops", "'one':{'exec':'/bin/true'}");
	order(EVENT(1, "x'616263'"));
	pages = 0;
	batch_order(batch, &w.order);
	nap(50);
	end();
	CHECK(pages < 5000, "a stop does not wait for one who has always more");
}

int
main(void)
{
	char command[300];

	snprintf(place, sizeof(place), "%s/test_delivery.XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	if (mkdtemp(place) == NULL)
		return 1;
	due_but_no_room();
	inbox_in_doubt();
	bodies();
	cannot_be_asked();
	one_of_a_key();
	stops();
	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	if (system(command) != 0)
		return 1;
	TEST_END("delivery");
}
