/* test_inbox.c - what the inbox promises: repeats, retention, files, versions. */
#include <sys/stat.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../base/digest.h"
#include "../../base/os.h"
#include "../../courier/bodies.h"
#include "../../courier/inbox.h"
#include "../../courier/repeat_key.h"
#include "../../courier/retention.h"
#include "test.h"

#define HOUR		(3600 * 1000LL)
#define DAY		(24 * HOUR)
#define START		(1750000000LL * 1000)

static char place[256];			/* a directory of our own */
static struct log quiet = { .fd = -1, .program = "test_inbox" };

static const struct inbox_limits roomy = {
	.bytes = 1ull << 40, .age = 0, .keep = DAY, .remember = 7 * DAY,
};

/* --- helpers -------------------------------------------------------------------- */

/* An inbox in a new directory. */
static struct inbox *
fresh(const char *name, const struct inbox_limits *l)
{
	char path[512];
	struct inbox *b;
	struct err e = { .text = "" };

	snprintf(path, sizeof(path), "%s/%s", place, name);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/inbox.db", place, name);
	b = inbox_new(path, l, &quiet);
	CHECKF(b != NULL && inbox_settle(b, &e) == INBOX_OK, "%s: a new inbox "
	    "opens: %s", name, e.text);
	return b;
}

static void
mint(char id[EVENT_ID_LEN + 1], unsigned n)
{
	snprintf(id, EVENT_ID_LEN + 1, "01980000-0000-7000-8000-%012x", n);
}

/* One event in a batch of its own. */
static enum inbox_code
put(struct inbox *b, const struct event *ev, int64_t now, struct inbox_answer *a)
{
	struct err e;
	enum inbox_code code;

	if ((code = inbox_begin(b, &e)) != INBOX_OK)
		return code;
	if ((code = inbox_put(b, ev, now, a, &e)) != INBOX_OK) {
		inbox_rollback(b);
		return code;
	}
	return inbox_commit(b, &e);
}

static int64_t
ask(struct inbox *b, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t n = -1;

	if (sqlite3_prepare_v2(inbox_db(b), sql, -1, &st, NULL) == SQLITE_OK
	    && sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static struct event
plain(unsigned n, const char *event_id, const char *body)
{
	struct event ev = { .received_at = START, .body_fd = -1 };

	mint(ev.id, n);
	ev.hook = STR("/hooks/a");
	ev.provider = STR("test");
	ev.event_id = str_of(event_id);
	ev.method = STR("POST");
	ev.target = STR("/hooks/a");
	ev.headers = STR("[]");
	ev.body = str_of(body);
	ev.size = ev.body.n;
	ev.scheme = STR("none");
	return ev;
}

/* --- promise 4, as a table --------------------------------------------------------- */

enum { SIGNED = 1, PROVEN = 2, REFUSE = 4 };
enum { NEW = -1, REPLAY = -2, BUSY = -3 };	/* or the step it repeats */

#define LONG_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

struct step {
	const char	*says;
	const char	*hook, *event_id, *bytes;
	unsigned	 how;
	unsigned	 merge;		/* s */
	int64_t		 at;		/* s after the first */
	int		 own;		/* sent with our id of that step; else -1 */
	int		 want;
	unsigned	 flags;
};
#define END { .says = NULL }
#define O STORED_OTHER_BODY
#define I STORED_OTHER_ID

static const struct step proven[] = {
	{ "an event is stored",		"/a", "1", "x", 3, 0, 0, -1, NEW, 0 },
	{ "the same proven id is a repeat", "/a", "1", "x", 3, 0, 1, -1, 0, 0 },
	{ "... with other bytes too",	"/a", "1", "y", 3, 0, 2, -1, 0, 0 },
	{ "another hook, another event", "/b", "1", "x", 3, 0, 3, -1, NEW, 0 },
	{ "another id, another event",	"/a", "2", "x", 3, 0, 4, -1, NEW, 0 },
	{ "an id is compared by case",	"/a", "A", "x", 3, 0, 4, -1, NEW, 0 },
	{ "an id is compared by case",	"/a", "a", "x", 3, 0, 4, -1, NEW, 0 },
	{ "digits a double would lose",	"/a", "12345678901234567890", "x", 3, 0, 5,
	    -1, NEW, 0 },
	{ "digits a double would lose",	"/a", "12345678901234567891", "x", 3, 0, 5,
	    -1, NEW, 0 },
	{ "refuse does not refuse a repeat", "/a", "1", "x", 7, 0, 6, -1, 0, 0 },
	{ "hook and id do not run together", "/a/", "b", "x", 3, 0, 6, -1, NEW, 0 },
	{ "hook and id do not run together", "/a", "/b", "x", 3, 0, 6, -1, NEW, 0 },
	END
};
static const struct step unsigned_[] = {
	{ "nothing is signed: stored",	"/a", "1", "x", 0, 0, 0, -1, NEW, 0 },
	{ "the id alone is the key",	"/a", "1", "y", 0, 0, 1, -1, 0, 0 },
	{ "equal bytes mean nothing",	"/a", "2", "x", 0, 0, 2, -1, NEW, 0 },
	{ "refuse has nothing to refuse", "/a", "3", "x", REFUSE, 0, 3, -1, NEW, 0 },
	END
};
static const struct step unproven[] = {
	{ "signed body, unsigned id",	"/a", "1", "x", 1, 0, 0, -1, NEW, 0 },
	{ "same id, same bytes: repeat", "/a", "1", "x", 1, 0, 1, -1, 0, 0 },
	{ "same id, other bytes: new",	"/a", "1", "y", 1, 0, 2, -1, NEW, O },
	{ "... and a repeat of that",	"/a", "1", "y", 1, 0, 3, -1, 2, 0 },
	{ "... and still of the first",	"/a", "1", "x", 1, 0, 4, -1, 0, 0 },
	{ "same bytes, other id: new",	"/a", "2", "x", 1, 0, 5, -1, NEW, I },
	{ "... and a repeat of that",	"/a", "2", "x", 1, 0, 6, -1, 5, 0 },
	{ "both at once",		"/a", "2", "y", 1, 0, 7, -1, NEW, O | I },
	{ "another hook knows nothing",	"/b", "1", "x", 1, 0, 8, -1, NEW, 0 },
	{ "a third id, third bytes",	"/a", "3", "z", 1, 0, 9, -1, NEW, 0 },
	END
};
static const struct step preclaimed[] = {
	{ "an old signed request",	"/a", "old", "x", 1, 0, 0, -1, NEW, 0 },
	{ "replayed under a coming id",	"/a", "next", "x", 1, 0, 9, -1, NEW, I },
	{ "the genuine one is stored",	"/a", "next", "z", 1, 0, 10, -1, NEW, O },
	{ "... and its retry known",	"/a", "next", "z", 1, 0, 11, -1, 2, 0 },
	END
};
static const struct step refuse[] = {
	{ "refuse takes a new event",	"/a", "1", "x", 5, 0, 0, -1, NEW, 0 },
	{ "same bytes, other id: refused", "/a", "2", "x", 5, 0, 1, -1, REPLAY, 0 },
	{ "... and again: not remembered", "/a", "2", "x", 5, 0, 2, -1, REPLAY, 0 },
	{ "the retry is still a repeat", "/a", "1", "x", 5, 0, 3, -1, 0, 0 },
	{ "same id, other bytes is new", "/a", "1", "y", 5, 0, 4, -1, NEW, O },
	{ "the refused id is free",	"/a", "2", "z", 5, 0, 5, -1, NEW, 0 },
	{ "the id stripped: refused",	"/a", "", "x", 5, 0, 6, -1, REPLAY, 0 },
	{ "the id too long: refused",	"/a", LONG_ID "f", "x", 5, 0, 6, -1, REPLAY,
	    0 },
	{ "another hook",		"/b", "2", "x", 5, 0, 7, -1, NEW, 0 },
	END
};
static const struct step no_id[] = {
	{ "without an id: stored",	"/a", NULL, "x", 1, 0, 0, -1, NEW, 0 },
	{ "equal signed bytes: stored",	"/a", NULL, "x", 1, 0, 0, -1, NEW, 0 },
	{ "an empty id is no id",	"/a", "", "x", 1, 0, 0, -1, NEW, 0 },
	{ "... nor is it with refuse",	"/a", "", "x", 5, 0, 0, -1, NEW, 0 },
	{ "unsigned: stored",		"/c", "", "x", 0, 0, 0, -1, NEW, 0 },
	{ "unsigned again: stored",	"/c", "", "x", 0, 0, 0, -1, NEW, 0 },
	{ "proven, but there is none",	"/c", "", "x", 3, 0, 0, -1, NEW, 0 },
	{ "... again",			"/c", "", "x", 3, 0, 0, -1, NEW, 0 },
	{ "256 bytes are no id",	"/d", LONG_ID "f", "x", 3, 0, 0, -1, NEW, 0 },
	{ "256 bytes are no id",	"/d", LONG_ID "f", "x", 3, 0, 0, -1, NEW, 0 },
	{ "255 bytes are one",		"/d", LONG_ID, "x", 3, 0, 0, -1, NEW, 0 },
	{ "255 bytes are one",		"/d", LONG_ID, "x", 3, 0, 0, -1, 10, 0 },
	{ "later with an id: stored",	"/a", "1", "x", 1, 0, 1, -1, NEW, 0 },
	{ "its id stripped: marked",	"/a", NULL, "x", 1, 0, 2, -1, NEW, I },
	END
};
static const struct step merge[] = {
	{ "a window, signed bytes",	"/a", NULL, "x", 1, 60, 0, -1, NEW, 0 },
	{ "within it: one event",	"/a", NULL, "x", 1, 60, 59, -1, 0, 0 },
	{ "the window does not slide",	"/a", NULL, "x", 1, 60, 60, -1, NEW, 0 },
	{ "... a second one begins",	"/a", NULL, "x", 1, 60, 119, -1, 2, 0 },
	{ "... and ends",		"/a", NULL, "x", 1, 60, 120, -1, NEW, 0 },
	{ "other bytes",		"/a", NULL, "y", 1, 60, 121, -1, NEW, 0 },
	{ "another hook",		"/b", NULL, "y", 1, 60, 121, -1, NEW, 0 },
	{ "unsigned: the body counts",	"/c", "", "x", 0, 60, 121, -1, NEW, 0 },
	{ "unsigned: the body counts",	"/c", "", "x", 0, 60, 122, -1, 7, 0 },
	{ "unsigned: another body",	"/c", "", "y", 0, 60, 122, -1, NEW, 0 },
	{ "with an id no window counts", "/a", "1", "y", 1, 60, 122, -1, NEW, 0 },
	{ "with an id no window counts", "/a", "2", "z", 3, 60, 122, -1, NEW, 0 },
	{ "with an id no window counts", "/a", "3", "z", 3, 60, 122, -1, NEW, 0 },
	{ "a window of a day",		"/e", "", "q", 1, 86400, 0, -1, NEW, 0 },
	{ "a window of a day",		"/e", "", "q", 1, 86400, 86399, -1, 13, 0 },
	{ "a window of a day",		"/e", "", "q", 1, 86400, 86400, -1, NEW, 0 },
	END
};
static const struct step resent[] = {
	{ "stored, the answer lost",	"/a", "1", "x", 3, 0, 0, -1, NEW, 0 },
	{ "sent again: no repeat",	"/a", "1", "x", 3, 0, 1, 0, NEW, 0 },
	{ "a true repeat is",		"/a", "1", "x", 3, 0, 2, -1, 0, 0 },
	{ "... and counted once only",	"/a", "1", "x", 3, 0, 3, 2, 0, 0 },
	{ "signed, unproven",		"/a", "2", "y", 1, 0, 4, -1, NEW, 0 },
	{ "sent again",			"/a", "2", "y", 1, 0, 5, 4, NEW, 0 },
	{ "a marked one",		"/a", "3", "y", 1, 0, 6, -1, NEW, I },
	{ "sent again: marked as before", "/a", "3", "y", 1, 0, 7, 6, NEW, I },
	{ "... refuse does not change it", "/a", "3", "y", 5, 0, 7, 6, NEW, I },
	{ "without an id",		"/a", NULL, "z", 1, 0, 8, -1, NEW, 0 },
	{ "sent again",			"/a", NULL, "z", 1, 0, 9, 9, NEW, 0 },
	{ "unsigned, without an id",	"/a", NULL, "z", 0, 0, 8, -1, NEW, 0 },
	{ "sent again",			"/a", NULL, "z", 0, 0, 9, 11, NEW, 0 },
	{ "in a window",		"/a", NULL, "w", 1, 60, 8, -1, NEW, 0 },
	{ "sent again",			"/a", NULL, "w", 1, 60, 9, 13, NEW, 0 },
	{ "sent again past the window",	"/a", NULL, "w", 1, 60, 99, 13, NEW, 0 },
	{ "our id, other bytes: never",	"/a", NULL, "!", 1, 0, 9, 9, BUSY, 0 },
	{ "our id, another hook: never", "/b", NULL, "z", 1, 0, 9, 9, BUSY, 0 },
	{ "our id, another size: never", "/a", NULL, "zz", 0, 0, 9, 11, BUSY, 0 },
	END
};
static const struct step mixed[] = {
	{ "one provider, then another",	"/a", "1", "x", 3, 0, 0, -1, NEW, 0 },
	{ "... whose id proves nothing", "/a", "1", "x", 1, 0, 1, -1, NEW, 0 },
	{ "... and back",		"/a", "1", "q", 3, 0, 2, -1, 0, 0 },
	END
};
static const struct { const char *name; const struct step *steps; } tables[] = {
	{ "proven", proven }, { "unsigned", unsigned_ }, { "unproven", unproven },
	{ "preclaimed", preclaimed }, { "refuse", refuse }, { "no-id", no_id },
	{ "merge", merge }, { "resent", resent }, { "mixed", mixed },
};

#define MOST_STEPS	32

static struct event
event_of(const struct step *s, unsigned i)
{
	struct event ev = plain(s->own >= 0 ? (unsigned)s->own : i, s->event_id,
	    s->bytes);

	ev.received_at = START + s->at * 1000;
	ev.hook = str_of(s->hook);
	ev.signed_bytes = s->how & SIGNED;
	ev.proven = s->how & PROVEN;
	ev.refuse_replay = s->how & REFUSE;
	ev.merge = s->merge;
	digest_sha256(ev.body, ev.digest);	/* counts only when it is signed */
	return ev;
}

/* mode 0: each its own batch; 1: all in one; 2: settled anew before each. */
static void
run_table(const char *name, const struct step *t, int mode)
{
	unsigned repeats[MOST_STEPS] = { 0 }, i, rows = 0;
	char what[64], id[EVENT_ID_LEN + 1], sql[200];
	struct inbox_answer a;
	struct event ev;
	struct err e = { .text = "" };
	struct inbox *b;
	enum inbox_code code;
	bool counted;

	snprintf(what, sizeof(what), "%s-%d", name, mode);
	b = fresh(what, &roomy);
	if (mode == 1)
		CHECKF(inbox_begin(b, &e) == INBOX_OK, "%s: begins", what);
	for (i = 0; t[i].says != NULL; i++) {
		const struct step *s = &t[i];

		ev = event_of(s, i);
		if (mode == 2)
			CHECKF(inbox_settle(b, &e) == INBOX_OK, "%s: settles: %s",
			    what, e.text);
		if (mode == 1)
			code = inbox_put(b, &ev, START + s->at * 1000, &a, &e);
		else
			code = put(b, &ev, START + s->at * 1000, &a);
		CHECKF(code == INBOX_OK, "%s %u: %s: goes through", what, i,
		    s->says);
		if (s->want == REPLAY || s->want == BUSY) {
			CHECKF(a.refusal == (s->want == BUSY ? REFUSED_BUSY
			    : REFUSED_REPLAY) && !a.kept, "%s %u: %s", what, i,
			    s->says);
			continue;
		}
		CHECKF(a.refusal == 0, "%s %u: %s: it is taken", what, i, s->says);
		if (s->want == NEW) {
			CHECKF(strcmp(a.stored.id, ev.id) == 0
			    && a.stored.flags == s->flags, "%s %u: %s: new, flags "
			    "%u, not %u", what, i, s->says, s->flags,
			    a.stored.flags);
			CHECKF(a.kept == (s->own < 0), "%s %u: %s: a row for it",
			    what, i, s->says);
			rows += s->own < 0;
			continue;
		}
		mint(id, (unsigned)s->want);
		counted = s->own < 0;
		repeats[s->want] += counted;
		CHECKF(!a.kept && a.stored.flags == STORED_REPEAT
		    && strcmp(a.stored.id, id) == 0, "%s %u: %s: a repeat of step "
		    "%d", what, i, s->says, s->want);
		CHECKF(a.stored.repeats == repeats[s->want], "%s %u: %s: its %uth",
		    what, i, s->says, repeats[s->want]);
	}
	if (mode == 1)
		CHECKF(inbox_commit(b, &e) == INBOX_OK, "%s: commits", what);
	CHECKF(ask(b, "SELECT count(*) FROM events") == rows, "%s: %u rows", what,
	    rows);
	for (i = 0; t[i].says != NULL; i++) {
		mint(id, i);
		snprintf(sql, sizeof(sql), "SELECT coalesce((SELECT repeats + "
		    "(last_repeat_at IS NULL) * 100 FROM events WHERE id = '%s'),"
		    " 100)", id);
		CHECKF(ask(b, sql) == (repeats[i] > 0 ? repeats[i] : 100),
		    "%s %u: the row counts its repeats", what, i);
	}
	inbox_free(b);
}

static void
test_promise_4(void)
{
	size_t i;
	int mode;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (mode = 0; mode < 3; mode++)
			run_table(tables[i].name, tables[i].steps, mode);
}

static void
test_ids_with_any_byte(void)
{
	struct inbox *b = fresh("bytes", &roomy);
	struct inbox_answer a;
	struct event ev = plain(1, NULL, "x");

	ev.event_id = (struct str){ "a\0b", 3 };
	CHECK(put(b, &ev, START, &a) == INBOX_OK && a.kept, "an id with a NUL");
	mint(ev.id, 2);
	ev.event_id = (struct str){ "a\0c", 3 };
	CHECK(put(b, &ev, START, &a) == INBOX_OK && a.kept,
	    "what follows a NUL counts");
	mint(ev.id, 3);
	ev.event_id = (struct str){ "a", 1 };
	CHECK(put(b, &ev, START, &a) == INBOX_OK && a.kept,
	    "an id is not cut at a NUL");
	mint(ev.id, 4);
	ev.event_id = (struct str){ "\xff\xfe", 2 };
	CHECK(put(b, &ev, START, &a) == INBOX_OK && a.kept,
	    "an id need not be UTF-8");
	mint(ev.id, 5);
	CHECK(put(b, &ev, START, &a) == INBOX_OK
	    && a.stored.flags == STORED_REPEAT, "... and is known again");
	inbox_free(b);
}

static void
test_rolled_back(void)
{
	struct inbox *b = fresh("rollback", &roomy);
	struct inbox_answer a;
	struct event ev = plain(1, "1", "x");
	struct err e;

	CHECK(inbox_begin(b, &e) == INBOX_OK
	    && inbox_put(b, &ev, START, &a, &e) == INBOX_OK, "put");
	inbox_rollback(b);
	CHECK(ask(b, "SELECT count(*) FROM events") == 0
	    && ask(b, "SELECT count(*) FROM seen") == 0,
	    "nothing stays of a batch that was given up");
	mint(ev.id, 2);
	CHECK(put(b, &ev, START, &a) == INBOX_OK && a.kept,
	    "... and its ids are new");
	inbox_free(b);
}

/* --- remembering ----------------------------------------------------------------------- */

static enum inbox_code
tidy(struct inbox *b, struct retention *r, int64_t now)
{
	struct err e;
	enum inbox_code code = inbox_begin(b, &e);

	if (code == INBOX_OK)
		code = retention_run(b, r, now, RETENTION_MOST, 0, &e);
	if (code == INBOX_OK)
		code = inbox_commit(b, &e);
	if (code == INBOX_OK)
		retention_committed(b, r);
	return code;
}

static void
test_remembered_longer_than_kept(void)
{
	struct inbox_limits l = { .bytes = 1ull << 40, .age = DAY, .keep = 0,
		.remember = 7 * DAY };
	struct inbox *b = fresh("remember", &l);
	struct retention r;
	struct inbox_answer a;
	struct event ev = plain(1, "1", "x");

	put(b, &ev, START, &a);
	CHECK(tidy(b, &r, START + DAY - 1) == INBOX_OK && r.removed == 0,
	    "kept until its age");
	CHECK(tidy(b, &r, START + DAY) == INBOX_OK && r.removed == 1
	    && ask(b, "SELECT count(*) FROM events") == 0, "removed at its age");
	mint(ev.id, 2);
	CHECK(put(b, &ev, START + 2 * DAY, &a) == INBOX_OK
	    && a.stored.flags == STORED_REPEAT
	    && strcmp(a.stored.id, "01980000-0000-7000-8000-000000000001") == 0
	    && a.stored.repeats == 1 && ask(b, "SELECT count(*) FROM events") == 0,
	    "a repeat of a removed event is answered with its id");
	/* The repeat itself is remembered from when it came. */
	tidy(b, &r, START + 9 * DAY - 1);
	mint(ev.id, 3);
	CHECK(put(b, &ev, START + 9 * DAY - 1, &a) == INBOX_OK
	    && a.stored.flags == STORED_REPEAT, "remembered to the last moment");
	mint(ev.id, 4);
	tidy(b, &r, START + 17 * DAY);
	CHECK(put(b, &ev, START + 17 * DAY, &a) == INBOX_OK && a.kept,
	    "then forgotten");
	inbox_free(b);

	/* An event outlives the time of its id: then so does the id. */
	l.age = 0;
	b = fresh("remember-kept", &l);
	ev = plain(1, "1", "x");
	put(b, &ev, START, &a);
	tidy(b, &r, START + 100 * DAY);
	mint(ev.id, 2);
	CHECK(put(b, &ev, START + 100 * DAY, &a) == INBOX_OK
	    && a.stored.flags == STORED_REPEAT,
	    "an id is known as long as its event is here");
	inbox_free(b);

	/* The longest of: the configuration, the provider, the body. */
	l = (struct inbox_limits){ .bytes = 0, .age = HOUR, .remember = HOUR };
	b = fresh("remember-longest", &l);
	ev = plain(1, "1", "x");
	ev.remember = 3 * 24 * 3600;
	put(b, &ev, START, &a);
	tidy(b, &r, START + 3 * DAY - 1);
	CHECK(ask(b, "SELECT count(*) FROM events") == 0
	    && ask(b, "SELECT count(*) FROM seen") == 1,
	    "a provider that retries for three days");
	tidy(b, &r, START + 3 * DAY);
	CHECK(ask(b, "SELECT count(*) FROM seen") == 0, "... and no longer");
	ev = plain(2, "2", "x");
	put(b, &ev, START, &a);
	tidy(b, &r, START + DAY);
	CHECK(ask(b, "SELECT count(*) FROM events") == 0
	    && ask(b, "SELECT count(*) FROM seen") == 1,
	    "ids are remembered longer than bodies are kept");
	inbox_free(b);
}

/* --- retention by bytes ------------------------------------------------------------------ */

static void
fill(struct inbox *b, unsigned from, unsigned n, int64_t now)
{
	static char body[10000];
	struct inbox_answer a;
	struct event ev;
	struct err e;
	unsigned i;

	memset(body, 'x', sizeof(body));
	if (inbox_begin(b, &e) != INBOX_OK)
		return;
	for (i = 0; i < n; i++) {
		ev = plain(from + i, NULL, "");
		ev.received_at = now;
		ev.body = (struct str){ body, sizeof(body) };
		ev.size = sizeof(body);
		inbox_put(b, &ev, now, &a, &e);
	}
	inbox_commit(b, &e);
}

static void
test_retention_by_bytes(void)
{
	struct inbox_limits l = { .bytes = 8 << 20, .keep = HOUR,
		.remember = DAY };
	struct inbox *b = fresh("bytes-limit", &l);
	struct retention r;
	struct err e;
	uint64_t left;
	unsigned i;

	fill(b, 0, 100, START);
	CHECK(tidy(b, &r, START + 2 * HOUR) == INBOX_OK && r.removed == 0
	    && !r.full, "under the limit nothing is removed");
	for (i = 1; i < 12; i++)
		fill(b, i * 100, 100, START);
	inbox_checkpoint(b, SQLITE_CHECKPOINT_TRUNCATE, &left, &e);
	CHECK(tidy(b, &r, START + HOUR - 1) == INBOX_OK && r.removed == 0 && r.full,
	    "over it, and all too young: the inbox is full");
	for (i = 0; i < 20; i++) {
		CHECK(tidy(b, &r, START + HOUR) == INBOX_OK, "tidies");
		inbox_checkpoint(b, SQLITE_CHECKPOINT_TRUNCATE, &left, &e);
	}
	CHECK(!r.full && r.used <= l.bytes - l.bytes / 8 && r.removed == 0,
	    "then the oldest go until an eighth is free");
	CHECK(ask(b, "SELECT min(id) > '01980000-0000-7000-8000-000000000100' AND"
	    " max(id) = '01980000-0000-7000-8000-0000000004af' FROM events"),
	    "the oldest, and not the youngest");
	CHECK(ask(b, "SELECT count(*) FROM events") > 400,
	    "and no more of them than needed");

	l.bytes = 1 << 20;
	l.keep = 10 * HOUR;
	inbox_limit(b, &l);
	CHECK(tidy(b, &r, START + HOUR) == INBOX_OK && r.full,
	    "a smaller limit counts at once");
	l.bytes = 64 << 20;
	inbox_limit(b, &l);
	CHECK(tidy(b, &r, START + HOUR) == INBOX_OK && !r.full,
	    "and so does a larger one");
	inbox_free(b);
}

/* --- bodies in files ------------------------------------------------------------------------ */

static bool
there(struct inbox *b, const char *id)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", inbox_files(b), id);
	return access(path, F_OK) == 0;
}

static bool
is_body(struct inbox *b, const char *id, const char *bytes, size_t n)
{
	char path[1024], *p;
	struct err e;
	size_t got;
	bool same;

	snprintf(path, sizeof(path), "%s/%s", inbox_files(b), id);
	if ((p = os_read_file(path, 64 << 20, &got, &e)) == NULL)
		return false;
	same = got == n && memcmp(p, bytes, n) == 0;
	free(p);
	return same;
}

static struct event
long_event(unsigned n, const char *bytes, size_t size)
{
	struct event ev = plain(n, NULL, "");
	struct err e;

	ev.body = STR_NONE;
	ev.size = size;
	ev.body_fd = os_memfd("body", (struct str){ bytes, size }, &e);
	return ev;
}

static void
test_files(void)
{
	static char bytes[1000001];
	struct inbox *b = fresh("files", &roomy);
	struct inbox_limits l = roomy;
	struct inbox_room room;
	struct inbox_answer a;
	struct retention r;
	struct event ev, other;
	unsigned char digest[32];
	unsigned removed = 0;
	struct err e;
	size_t i;
	bool known;
	int dir = bodies_dir(b, &e);

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 251);

	ev = long_event(1, bytes, sizeof(bytes));
	CHECK(bodies_write(dir, &ev, &e) == INBOX_OK
	    && is_body(b, ev.id, bytes, sizeof(bytes)),
	    "a long body is a file of the same bytes");
	CHECK(put(b, &ev, START, &a) == INBOX_OK && a.kept
	    && ask(b, "SELECT body IS NULL AND size = 1000001 FROM events"),
	    "its row says where it is");
	CHECK(inbox_has_file(b, ev.id, &known, &e) == INBOX_OK && known,
	    "... and is found");

	CHECK(bodies_write(dir, &ev, &e) == INBOX_OK
	    && is_body(b, ev.id, bytes, sizeof(bytes)),
	    "the same one sent again is written anew");
	bytes[500000] ^= 1;
	other = long_event(1, bytes, sizeof(bytes));
	bytes[500000] ^= 1;
	CHECK(bodies_write(dir, &other, &e) == INBOX_FULL
	    && is_body(b, ev.id, bytes, sizeof(bytes)),
	    "other bytes under its id do not overwrite it");
	close(other.body_fd);
	other = long_event(1, bytes, sizeof(bytes) - 1);
	CHECK(bodies_write(dir, &other, &e) == INBOX_FULL
	    && is_body(b, ev.id, bytes, sizeof(bytes)), "nor do fewer");
	close(other.body_fd);

	other = long_event(2, bytes, 400000);
	other.merge = 60;
	bodies_write(dir, &other, &e);
	digest_sha256((struct str){ bytes, 400000 }, digest);
	CHECK(memcmp(other.digest, digest, sizeof(digest)) == 0,
	    "a body that is its own key is hashed on the way");
	CHECK(put(b, &other, START, &a) == INBOX_OK && a.kept, "stored");
	close(other.body_fd);
	other = long_event(3, bytes, 400000);
	other.merge = 60;
	bodies_write(dir, &other, &e);
	CHECK(put(b, &other, START, &a) == INBOX_OK
	    && a.stored.flags == STORED_REPEAT, "... and known again");
	close(other.body_fd);

	close(ev.body_fd);
	CHECK(inbox_settle(b, &e) == INBOX_OK, "settles");
	CHECK(bodies_sweep(b, &removed, &e) == INBOX_OK && removed == 1
	    && there(b, ev.id) && !there(b, other.id),
	    "a sweep removes the file without a row");
	inbox_room(b, &room, &e);
	CHECK(room.files == 1400001, "and counts the others");
	CHECK(openat(dir, "README", O_CREAT | O_WRONLY, 0600) != -1
	    && bodies_sweep(b, &removed, &e) == INBOX_OK && removed == 0
	    && there(b, "README"), "and leaves what is not ours");

	l.age = DAY;
	inbox_limit(b, &l);
	CHECK(tidy(b, &r, START + DAY) == INBOX_OK && r.removed == 2
	    && !there(b, ev.id), "with its row a file goes");
	inbox_room(b, &room, &e);
	CHECK(room.files == 0, "... and is counted no more");
	close(dir);
	inbox_free(b);
}

static void
test_names(void)
{
	static const struct { const char *id; bool valid; } t[] = {
		{ "01980000-0000-7000-8000-000000000001", true },
		{ "", false },
		{ "01980000-0000-7000-8000-00000000000", false },
		{ "01980000-0000-7000-8000-0000000000011", false },
		{ "01980000-0000-7000-8000-00000000000G", false },
		{ "01980000-0000-7000-8000-00000000000A", false },
		{ "0198000000000-7000-8000-000000000001", false },
		{ "../../../../../../etc/passwd0000000", false },
		{ "01980000-0000-7000-8000-0000000000/1", false },
		{ "01980000-0000-7000-8000-0000000000.1", false },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		CHECKF(bodies_id_valid(t[i].id) == t[i].valid, "\"%s\" is%s a "
		    "file's name", t[i].id, t[i].valid ? "" : " not");
}

/* --- rows ---------------------------------------------------------------------------------- */

static void
test_a_row_is_exact(void)
{
	static const char all[] = "\0\1\xff{\"a\":\r\n}\0";
	struct inbox *b = fresh("exact", &roomy);
	struct inbox_side *side;
	struct inbox_answer a;
	struct inbox_row row;
	struct event ev = plain(7, "id", "");
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
	struct err e = { .text = "" };
	bool in_file;

	ev.provider = STR("github");
	ev.event_type = STR("push");
	ev.target = STR("/hooks/a?x=%00");
	ev.remote = STR("2001:db8::1");
	ev.headers = STR("[[\"a\",{\"base64\":\"/w==\"}],[\"a\",\"2\"]]");
	ev.body = (struct str){ all, sizeof(all) };
	ev.size = sizeof(all);
	ev.scheme = STR("hmac-sha256");
	ev.secret = STR("env:GITHUB_SECRET");
	ev.signed_at = START - 5;
	ev.signed_bytes = ev.proven = true;
	digest_sha256(ev.body, ev.digest);
	ev.request_id = STR("r1");
	ev.trace = STR("00-aa-bb-01");
	put(b, &ev, START, &a);
	mint(ev.id, 8);
	put(b, &ev, START + 9, &a);

	side = inbox_side_new(b, true);
	db = inbox_side_enter(side, &e);
	CHECK(db != NULL && sqlite3_prepare_v2(db, "SELECT " INBOX_COLUMNS
	    ", body FROM events", -1, &st, NULL) == SQLITE_OK
	    && sqlite3_step(st) == SQLITE_ROW, "another connection reads it");
	inbox_row_read(st, &row, &in_file);
	CHECK(strcmp(row.event.id, "01980000-0000-7000-8000-000000000007") == 0
	    && row.event.received_at == START && row.cursor == 1
	    && row.stored.repeats == 1 && row.last_repeat_at == START + 9
	    && row.stored.flags == 0 && !in_file, "our own facts");
	CHECK(str_eq(row.event.hook, ev.hook)
	    && str_eq(row.event.provider, ev.provider)
	    && str_eq(row.event.event_id, ev.event_id)
	    && str_eq(row.event.event_type, ev.event_type)
	    && str_eq(row.event.method, ev.method)
	    && str_eq(row.event.target, ev.target)
	    && str_eq(row.event.remote, ev.remote)
	    && str_eq(row.event.headers, ev.headers), "what came");
	CHECK(str_eq(row.event.scheme, ev.scheme)
	    && str_eq(row.event.secret, ev.secret)
	    && row.event.signed_at == ev.signed_at && row.event.signed_bytes
	    && row.event.proven && memcmp(row.event.digest, ev.digest, 32) == 0
	    && str_eq(row.event.request_id, ev.request_id)
	    && str_eq(row.event.trace, ev.trace), "the verdict's facts");
	CHECK((size_t)sqlite3_column_bytes(st, INBOX_BODY) == sizeof(all)
	    && memcmp(sqlite3_column_blob(st, INBOX_BODY), all, sizeof(all)) == 0,
	    "the body, byte for byte");
	sqlite3_finalize(st);
	inbox_side_leave(side);

	CHECK(inbox_settle(b, &e) == INBOX_OK, "it settles with a side open");
	inbox_doubt(b);
	CHECK(inbox_side_enter(side, &e) == NULL,
	    "nobody reads what is not sound");
	CHECK(inbox_settle(b, &e) == INBOX_OK
	    && inbox_side_enter(side, &e) != NULL, "then they do again");
	inbox_side_leave(side);
	inbox_side_free(side);
	inbox_free(b);
}

/* --- locks ----------------------------------------------------------------------------------- */

static void
test_locks(void)
{
	struct inbox *b = fresh("locks", &roomy);
	struct inbox_answer a;
	struct event ev = plain(1, "1", "x");
	struct err e;
	sqlite3 *hand = NULL;

	sqlite3_open(inbox_path(b), &hand);
	sqlite3_exec(hand, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	CHECK(inbox_begin(b, &e) == INBOX_LOCKED,
	    "a lock by hand is told, not waited for");
	sqlite3_exec(hand, "COMMIT", NULL, NULL, NULL);
	CHECK(put(b, &ev, START, &a) == INBOX_OK, "and then it goes on");
	sqlite3_exec(hand, "BEGIN; SELECT count(*) FROM events", NULL, NULL, NULL);
	mint(ev.id, 2);
	ev.event_id = STR("2");
	CHECK(put(b, &ev, START, &a) == INBOX_OK, "a reader by hand stops nobody");
	CHECK(inbox_settle(b, &e) == INBOX_LOCKED && !inbox_sound(b),
	    "but nothing is answered before the log could be checkpointed");
	sqlite3_exec(hand, "COMMIT", NULL, NULL, NULL);
	CHECK(inbox_settle(b, &e) == INBOX_OK && inbox_sound(b), "then it is");
	sqlite3_close(hand);
	inbox_free(b);
}

/* --- versions ------------------------------------------------------------------------------- */

static char *
fixture(const char *name)
{
	char path[512];
	struct err e;
	size_t n;

	snprintf(path, sizeof(path), "tests/data/%s", name);
	return os_read_file(path, 1 << 20, &n, &e);
}

/* An inbox made by these statements. */
static enum inbox_code
made_by(const char *name, const char *sql, struct inbox **b, struct err *e)
{
	char path[512];
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/%s.db", place, name);
	CHECKF(sqlite3_open(path, &db) == SQLITE_OK
	    && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s",
	    name, sqlite3_errmsg(db));
	sqlite3_close(db);
	*b = inbox_new(path, &roomy, &quiet);
	return inbox_settle(*b, e);
}

/* Each version's rows, which the fixtures make one upon the other. */
static void
test_older(void)
{
	struct buf sql = BUF(1 << 20);
	char file[32], name[16];
	struct inbox *b;
	struct err e = { .text = "" };

	for (int version = 1; version < INBOX_VERSION; version++) {
		char *more;

		snprintf(file, sizeof(file), "inbox-v%d.sql", version);
		snprintf(name, sizeof(name), "old%d", version);
		more = fixture(file);
		CHECKF(more != NULL, "tests/data/%s is there", file);
		if (more == NULL)
			break;
		buf_put(&sql, str_of(more));
		free(more);
		buf_putc(&sql, '\0');	/* for SQLite; the next stands over it */
		CHECKF(made_by(name, sql.p, &b, &e) == INBOX_OK,
		    "an inbox of version %d is taken over: %s", version, e.text);
		sql.n--;
		CHECKF(ask(b, "PRAGMA user_version") == INBOX_VERSION &&
		    ask(b, "SELECT count(*) FROM events") == 1 &&
		    ask(b, "SELECT count(*) FROM answers") == 0,
		    "... of version %d, with its event, and what is new", version);
		if (version >= 3) {
			CHECK(ask(b, "SELECT count(*) FROM deliveries WHERE mode = 0")
			    == 2 && ask(b, "SELECT count(*) FROM deliveries WHERE"
			    " state = 0 AND tries = 1 AND key = 'main'") == 1 &&
			    ask(b, "SELECT count(*) FROM attempts") == 1 &&
			    ask(b, "SELECT count(*) FROM paused") == 1,
			    "... and its deliveries, which are made after the answer");
		}
		inbox_free(b);
	}
	buf_free(&sql);
}

static void
test_versions(void)
{
	static const struct { const char *name, *sql, *word; } bad[] = {
		{ "newer", "PRAGMA application_id = 0x484b4c54;"
		    "PRAGMA user_version = 99; CREATE TABLE events (n)",
		    "newer program" },
		{ "foreign", "CREATE TABLE mail (n)", "not an inbox" },
		{ "foreign-mark", "PRAGMA application_id = 7;"
		    "CREATE TABLE events (n)", "not an inbox" },
	};
	char path[512], *v1 = fixture("inbox-v1.sql");
	struct inbox_answer a;
	struct event ev;
	struct inbox *b;
	struct err e = { .text = "" };
	size_t i;
	int fd;

	CHECK(v1 != NULL, "tests/data/inbox-v1.sql is there");
	if (v1 == NULL)
		return;
	CHECKF(made_by("v1", v1, &b, &e) == INBOX_OK,
	    "an inbox of version 1 is taken over: %s", e.text);
	CHECK(ask(b, "PRAGMA user_version") == INBOX_VERSION,
	    "... and is of this version now");
	CHECK(ask(b, "SELECT count(*) FROM events WHERE body = x'7b7d'") == 1,
	    "... with its event");
	CHECK(ask(b, "SELECT count(*) FROM inbox") == 1, "... and what is new");
	ev = plain(2, "delivery-1", "{}");
	ev.hook = STR("/hooks/github");
	ev.signed_bytes = true;
	digest_sha256(ev.body, ev.digest);
	CHECK(put(b, &ev, START, &a) == INBOX_OK
	    && a.stored.flags == STORED_REPEAT && a.stored.repeats == 3
	    && strcmp(a.stored.id, "01980000-0000-7000-8000-000000000001") == 0,
	    "... and what it remembers");
	CHECK(inbox_settle(b, &e) == INBOX_OK
	    && ask(b, "PRAGMA user_version") == INBOX_VERSION,
	    "opening it again changes nothing");
	inbox_free(b);
	free(v1);

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECKF(made_by(bad[i].name, bad[i].sql, &b, &e) == INBOX_WRONG
		    && strstr(e.text, bad[i].word) != NULL, "%s: refused, \"%s\": "
		    "%s", bad[i].name, bad[i].word, e.text);
		inbox_free(b);
	}

	snprintf(path, sizeof(path), "%s/text.db", place);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	for (i = 0; i < 1000; i++)
		if (write(fd, "not a database\n", 15) != 15)
			break;
	close(fd);
	b = inbox_new(path, &roomy, &quiet);
	CHECK(inbox_settle(b, &e) == INBOX_WRONG, "a text is not an inbox");
	inbox_free(b);
}

static void
test_settings(void)
{
	struct inbox *b = fresh("settings", &roomy);
	struct inbox *r;
	struct err e = { .text = "" };

	CHECK(ask(b, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"),
	    "a write-ahead log");
	CHECK(ask(b, "PRAGMA synchronous") == 2, "every commit is synced");
	CHECK(ask(b, "PRAGMA wal_autocheckpoint") == 0,
	    "no checkpoint inside a commit");
	CHECK(ask(b, "SELECT count(*) FROM pragma_integrity_check"
	    " WHERE integrity_check = 'ok'") == 1, "it is whole");

	r = inbox_new(inbox_path(b), &roomy, &quiet);
	CHECKF(inbox_open_reader(r, &e) == INBOX_OK, "a reader beside it: %s",
	    e.text);
	inbox_free(r);
	inbox_free(b);
	r = inbox_new("/nonexistent/inbox.db", &roomy, &quiet);
	CHECK(inbox_open_reader(r, &e) == INBOX_WRONG
	    && access("/nonexistent", F_OK) == -1,
	    "a reader makes no inbox where there is none");
	inbox_free(r);
}

static void
sweep_away(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	if (system(command) != 0)
		printf("%s is left\n", place);
}

/* The name by which an engine knows an event again: promise 4, as one text. */
static const struct named {
	const char	*says;
	const char	*hook, *id, *body, *signs;	/* id, signs "": none */
	bool		 proven;
	uint32_t	 merge;
	bool		 same;		/* as the one before */
	uint64_t	 seconds;
} names[] = {
	{ "an id", "/a", "1", "x", "", false, 0, false, 100 },
	{ "the same id with another body, nothing signed", "/a", "1", "y", "",
	  false, 0, true, 100 },
	{ "at another hook", "/b", "1", "y", "", false, 0, false, 100 },
	{ "a proven id", "/a", "2", "x", "x", true, 0, false, 100 },
	{ "a proven id with other bytes", "/a", "2", "y", "y", true, 0, true, 100 },
	{ "an id that is not proven", "/a", "2", "y", "y", false, 0, false, 100 },
	{ "the same", "/a", "2", "y", "y", false, 0, true, 100 },
	{ "with other signed bytes", "/a", "2", "z", "z", false, 0, false, 100 },
	{ "the same bytes under another id", "/a", "3", "z", "z", false, 0, false,
	  100 },
	{ "merged by its bytes", "/a", "", "x", "", false, 7, false, 7 },
	{ "the same bytes", "/a", "", "x", "", false, 7, true, 7 },
	{ "other bytes", "/a", "", "y", "", false, 7, false, 7 },
	{ "known by nothing", "/a", "", "y", "", false, 0, false, REPEAT_OWN },
	{ "known by nothing, once more", "/a", "", "y", "", false, 0, false,
	  REPEAT_OWN },
};

static void
test_names_for_engines(void)
{
	char name[REPEAT_NAME], before[REPEAT_NAME] = "";
	unsigned char dice[10] = { 0 };
	uint64_t seconds;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct named *t = &names[i];
		struct event ev = { .hook = str_of(t->hook),
		    .event_id = str_of(t->id), .body = str_of(t->body),
		    .proven = t->proven, .merge = t->merge, .remember = 50,
		    .body_fd = -1 };

		dice[0] = (unsigned char)i;
		event_mint(ev.id, 1, dice);
		if (t->signs[0] != '\0') {
			ev.signed_bytes = true;
			digest_sha256(str_of(t->signs), ev.digest);
		}
		repeat_name(name, &seconds, &ev, 100);
		CHECKF((strcmp(name, before) == 0) == t->same, "%s", t->says);
		CHECKF(strlen(name) == REPEAT_NAME - 1 && seconds == t->seconds,
		    "%s: %llu seconds", t->says, (unsigned long long)seconds);
		memcpy(before, name, sizeof(before));
		repeat_name(name, &seconds, &ev, 100);
		CHECKF(strcmp(name, before) == 0, "%s: sent again by a worker it has "
		    "the same name", t->says);
	}
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(place, sizeof(place), "%s/test_inbox.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(place) == NULL) {
		perror(place);
		return 1;
	}
	test_promise_4();
	test_ids_with_any_byte();
	test_rolled_back();
	test_remembered_longer_than_kept();
	test_retention_by_bytes();
	test_files();
	test_names();
	test_names_for_engines();
	test_a_row_is_exact();
	test_locks();
	test_older();
	test_versions();
	test_settings();
	sweep_away();
	TEST_END("inbox");
}
