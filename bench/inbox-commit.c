/*
 * inbox-commit.c - what the disk and SQLite give, without sockets: batches of
 * events put into a fresh inbox and committed, as batch.c does it.
 *
 *	make build/bench/inbox-commit
 *	build/bench/inbox-commit DIRECTORY [BATCH [SIZE [EVENTS]]]
 *
 * Prints events/s for events without an id, with a proven id, and with an id that
 * nothing proves (GitHub's: the dearest kind of promise 4).
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

static void
measure(const char *dir, const char *name, bool ids, bool proven, unsigned batch,
    size_t size, unsigned events)
{
	static const struct inbox_limits limits = { .remember = 86400000 };
	struct log log = { .fd = 2, .program = "inbox-commit" };
	char path[4096], *body = malloc(size), event_id[EVENT_ID_LEN];
	struct inbox *b;
	struct checkpoint *c;
	struct inbox_answer a;
	struct event ev;
	struct err e;
	double start, took, worked;
	unsigned i, n;

	snprintf(path, sizeof(path), "%s/%s.db", dir, name);
	memset(body, 'x', size);
	b = inbox_new(path, &limits, &log);
	if (b == NULL || (c = checkpoint_start(b, &log, &e)) == NULL
	    || inbox_settle(b, &e) != INBOX_OK)
		fail(&e);
	worked = cpu();
	start = seconds();
	for (n = 0; n < events; n += batch) {
		if (inbox_begin(b, &e) != INBOX_OK)
			fail(&e);
		for (i = 0; i < batch; i++) {
			fill(&ev, (struct str){ body, size }, event_id, ids,
			    proven);
			if (inbox_put(b, &ev, when_now(), &a, &e) != INBOX_OK)
				fail(&e);
		}
		if (inbox_commit(b, &e) != INBOX_OK)
			fail(&e);
		if (checkpoint_turn(c, &e) != INBOX_OK)
			fail(&e);
	}
	took = seconds() - start;
	worked = cpu() - worked;
	printf("%-8s %8.0f events/s  (batches of %u, %.2f ms each, %.0f us of "
	    "CPU for an event)\n", name, n / took, batch, took * 1e3 * batch / n,
	    worked * 1e6 / n);
	fflush(stdout);
	checkpoint_stop(c);
	inbox_free(b);
	free(body);
}

int
main(int argc, char **argv)
{
	unsigned batch = argc > 2 ? (unsigned)atoi(argv[2]) : 64;
	size_t size = argc > 3 ? (size_t)atol(argv[3]) : 7168;
	unsigned events = argc > 4 ? (unsigned)atoi(argv[4]) : 20000;

	if (argc < 2) {
		fprintf(stderr, "usage: inbox-commit DIRECTORY [BATCH [SIZE "
		    "[EVENTS]]]\n");
		return 64;
	}
	mkdir(argv[1], 0700);
	measure(argv[1], "none", false, false, batch, size, events);
	measure(argv[1], "proven", true, true, batch, size, events);
	measure(argv[1], "unproven", true, false, batch, size, events);
	return 0;
}
