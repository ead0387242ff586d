/*
 * inbox-commit.c - what the disk and SQLite give, without sockets: batches of
 * events put into a fresh inbox and committed, as batch.c does it.
 *
 *	make build/bench/inbox-commit
 *	build/bench/inbox-commit DIRECTORY [BATCH [SIZE [EVENTS]]]
 *	build/bench/inbox-commit --growth DIRECTORY BATCH SIZE EVENTS
 *
 * Prints events/s for events without an id, with a proven id, and with an id that
 * nothing proves (GitHub's: the dearest kind of promise 4).  --growth: only the last
 * of these, a line whenever the inbox has doubled, of the GROWTH events before it;
 * then how long it takes until such an inbox is open again.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/digest.h"
#include "../base/os.h"
#include "../base/when.h"
#include "../courier/checkpoint.h"
#include "../courier/inbox.h"

#define GROWTH	10000u		/* events that are measured */

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of the process: on a machine that others use it says more than the clock. */
static double
cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec)
	    + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int
fail(const struct err *e)
{
	fprintf(stderr, "inbox-commit: %s\n", e->text);
	exit(1);
}

static void
fill(struct event *ev, struct str body, char *event_id, bool ids, bool proven)
{
	unsigned char dice[10];

	memset(ev, 0, sizeof(*ev));
	ev->body_fd = -1;
	ev->received_at = when_now();
	if (os_random(dice, sizeof(dice)) == -1)
		exit(1);
	event_mint(ev->id, ev->received_at, dice);
	ev->hook = STR("/hooks/github");
	ev->provider = STR("github");
	ev->event_type = STR("push");
	ev->method = STR("POST");
	ev->target = ev->hook;
	ev->remote = STR("192.30.252.1");
	ev->headers = STR("[[\"content-type\",\"application/json\"],[\"user-agent\","
	    "\"GitHub-Hookshot/044aadd\"],[\"x-github-event\",\"push\"]]");
	ev->body = body;
	ev->size = body.n;
	ev->scheme = STR("hmac-sha256");
	ev->secret = STR("env:GITHUB_SECRET");
	ev->signed_bytes = true;
	ev->proven = proven;
	memcpy(ev->digest, dice, sizeof(dice));
	if (ids) {
		ev->event_id = (struct str){ event_id, EVENT_ID_LEN };
		memcpy(event_id, ev->id, EVENT_ID_LEN);
		memcpy(event_id, ev->id + 24, 8);	/* not in order of time */
	}
}

/* An inbox, and what has been put into it. */
struct run {
	struct log		 log;
	struct inbox		*inbox;
	struct checkpoint	*checkpoint;
	struct str		 body;
	bool			 ids, proven;
	double			 start, worked;		/* of this measure */
};

static void
run_open(struct run *r, const char *path)
{
	static const struct inbox_limits limits = { .remember = 86400000 };
	struct err e;

	r->log = (struct log){ .fd = 2, .program = "inbox-commit" };
	r->inbox = inbox_new(path, &limits, &r->log);
	if (r->inbox == NULL ||
	    (r->checkpoint = checkpoint_start(r->inbox, &r->log, &e)) == NULL ||
	    inbox_settle(r->inbox, &e) != INBOX_OK)
		fail(&e);
}

static void
run_close(struct run *r)
{
	checkpoint_stop(r->checkpoint);
	inbox_free(r->inbox);
}

static void
run_batch(struct run *r, unsigned batch)
{
	char event_id[EVENT_ID_LEN];
	struct inbox_answer a;
	struct event ev;
	struct err e;

	if (inbox_begin(r->inbox, &e) != INBOX_OK)
		fail(&e);
	for (unsigned i = 0; i < batch; i++) {
		fill(&ev, r->body, event_id, r->ids, r->proven);
		if (inbox_put(r->inbox, &ev, when_now(), &a, &e) != INBOX_OK)
			fail(&e);
	}
	if (inbox_commit(r->inbox, &e) != INBOX_OK ||
	    checkpoint_turn(r->checkpoint, &e) != INBOX_OK)
		fail(&e);
}

static void
run_begin(struct run *r)
{
	r->worked = cpu();
	r->start = seconds();
}

static void
run_tell(struct run *r, const char *what, unsigned n, unsigned batch)
{
	double took = seconds() - r->start, worked = cpu() - r->worked;

	printf("%-8s %8.0f events/s  (batches of %u, %.2f ms each, %.0f us of "
	    "CPU for an event)\n", what, n / took, batch, took * 1e3 * batch / n,
	    worked * 1e6 / n);
	fflush(stdout);
}

static void
measure(const char *dir, const char *name, bool ids, bool proven, unsigned batch,
    struct str body, unsigned events)
{
	struct run r = { .body = body, .ids = ids, .proven = proven };
	char path[4096];
	unsigned n;

	snprintf(path, sizeof(path), "%s/%s.db", dir, name);
	run_open(&r, path);
	run_begin(&r);
	for (n = 0; n < events; n += batch)
		run_batch(&r, batch);
	run_tell(&r, name, n, batch);
	run_close(&r);
}

static void
grow(const char *dir, unsigned batch, struct str body, unsigned events)
{
	struct run r = { .body = body, .ids = true };
	unsigned next = GROWTH;
	char path[4096], what[32];

	snprintf(path, sizeof(path), "%s/growth.db", dir);
	run_open(&r, path);
	for (unsigned n = 0; n < events; n += batch) {
		if (n + GROWTH >= next && n + GROWTH < next + batch)
			run_begin(&r);
		run_batch(&r, batch);
		if (n + batch >= next) {
			snprintf(what, sizeof(what), "%u", n + batch);
			run_tell(&r, what, GROWTH, batch);
			next *= 2;
		}
	}
	run_close(&r);
	run_begin(&r);
	run_open(&r, path);
	printf("open again after %.0f ms\n", (seconds() - r.start) * 1e3);
	run_close(&r);
}

int
main(int argc, char **argv)
{
	bool growth = argc > 1 && strcmp(argv[1], "--growth") == 0;
	char **arg = argv + growth;
	unsigned batch, events;
	struct str body;
	char *bytes;

	argc -= growth;
	batch = argc > 2 ? (unsigned)atoi(arg[2]) : 64;
	body.n = argc > 3 ? (size_t)atol(arg[3]) : 7168;
	events = argc > 4 ? (unsigned)atoi(arg[4]) : 20000;
	if (argc < (growth ? 5 : 2) || batch == 0 ||
	    (bytes = malloc(body.n + 1)) == NULL) {
		fprintf(stderr, "usage: inbox-commit [--growth] DIRECTORY [BATCH [SIZE "
		    "[EVENTS]]]\n");
		return 64;
	}
	memset(bytes, 'x', body.n);
	body.p = bytes;
	mkdir(arg[1], 0700);
	if (growth) {
		grow(arg[1], batch, body, events);
	} else {
		measure(arg[1], "none", false, false, batch, body, events);
		measure(arg[1], "proven", true, true, batch, body, events);
		measure(arg[1], "unproven", true, false, batch, body, events);
	}
	free(bytes);
	return 0;
}
