/*
 * poster.c - gives attempts to courier/http.c, for tests/http.sh.
 *
 *	poster CA_FILE|-
 *
 * Reads a line of JSON for each attempt: a destination's url, method, headers, body,
 * sign, bearer, basic, google, audience, scope, credentials, metadata, timeout (ms), and of the event body or body_file (a path),
 * body_headers ([[name, value]...]), type, event_id, trace, request_id, size; besides
 * tag, to know it by, times (1) and attempt (1).  A line "stop" stops at once; at the end
 * of the input it is waited for all.  Writes a line of JSON for each outcome.
 *
 * Names are looked up without the network: "silent.example" has a server that never
 * answers, only localhost has an address.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../base/json.h"
#include "../../courier/http.h"

#define ARENA	(64 << 20)

struct place {
	pthread_mutex_t	 lock;
	pthread_cond_t	 ended;
	size_t		 open;
	pthread_t	 main;
};

/* What an attempt comes with; ours. */
struct parcel {
	struct attempt	 attempt;
	struct destination to;
	struct str	 tag;
};

static void
fail(const char *why)
{
	fprintf(stderr, "poster: %s\n", why);
	exit(1);
}

/* In libcurl's eyes as well: a program's own stands before the C library's. */
int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **all)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **) = NULL;
	void *found = dlsym(RTLD_NEXT, "getaddrinfo");

	while (strcmp(name, "silent.example") == 0)
		pause();
	if (found == NULL || strcmp(name, "localhost") != 0)
		return EAI_NONAME;
	memcpy(&real, &found, sizeof(real));
	return real(name, service, hints, all);
}

static void
print(struct place *place, struct attempt *a)
{
	struct parcel *p = (struct parcel *)(void *)a;
	struct buf line = BUF(1 << 20);

	buf_put(&line, STR("{\"tag\":"));
	buf_json(&line, p->tag);
	buf_printf(&line, ",\"outcome\":\"%s\",\"code\":%d,\"took\":%" PRId64
	    ",\"retry_after\":%" PRId64 ",\"sentence\":",
	    a->outcome == OUTCOME_DONE ? "done" : a->outcome == OUTCOME_LATER ? "later" :
	    a->outcome == OUTCOME_DEAD ? "dead" : "none", a->code, a->took,
	    a->retry_after);
	buf_json(&line, str_of(a->sentence));
	buf_put(&line, STR(",\"output\":"));
	buf_json(&line, buf_str(&a->output));
	buf_put(&line, STR("}\n"));
	attempt_free(a);
	pthread_mutex_lock(&place->lock);
	fwrite(line.p, 1, line.n, stdout);
	fflush(stdout);
	place->open--;
	pthread_cond_signal(&place->ended);
	pthread_mutex_unlock(&place->lock);
	buf_free(&line);
}

static void
ended(void *arg, struct attempt *a)
{
	struct place *place = arg;

	if (pthread_equal(pthread_self(), place->main))
		fail("ended() was not called from the sender's thread");
	print(place, a);
}

static struct str
text(const struct json_object *o, const char *name, struct arena *a, const char *without)
{
	const struct json_object *m = json_member(o, name);

	return arena_str(a, m == NULL ? str_of(without) : json_text(m));
}

static int64_t
number(const struct json_object *o, const char *name, int64_t without)
{
	const struct json_object *m = json_member(o, name);

	return m == NULL ? without : json_int(m);
}

static struct attempt *
attempt(const struct json_doc *doc, const struct bundle *secrets)
{
	const struct json_object *o = json_root(doc), *m;
	struct arena *a = arena_new(ARENA);
	struct parcel *p = arena_alloc(a, sizeof(*p));
	struct destination *to = &p->to;
	struct event *e = &p->attempt.event;
	struct stat st;

	p->tag = text(o, "tag", a, "");
	to->name = STR("crm");
	to->kind = TO_HTTP;
	to->url = text(o, "url", a, "");
	to->method = text(o, "method", a, "POST");
	to->body = text(o, "body", a, "");
	to->sign = text(o, "sign", a, "");
	to->bearer = text(o, "bearer", a, "");
	to->basic = text(o, "basic", a, "");
	to->google = text(o, "google", a, "");
	to->audience = text(o, "audience", a, "");
	to->scope = text(o, "scope", a, "");
	to->credentials_used = text(o, "credentials", a, "");
	to->metadata = text(o, "metadata", a, "");
	to->timeout = number(o, "timeout", 20000);
	if ((m = json_member(o, "headers")) != NULL) {
		to->nheaders = json_count(m);
		to->headers = arena_alloc(a, (to->nheaders + 1) * sizeof(struct pair));
		for (size_t i = 0; i < to->nheaders; i++) {
			const struct json_object *v = json_nth(m, i,
			    &to->headers[i].name);

			to->headers[i].name = arena_str(a, to->headers[i].name);
			to->headers[i].value = arena_str(a, json_text(v));
		}
	}
	snprintf(e->id, sizeof(e->id), "0198c0de-0000-7000-8000-000000000001");
	e->received_at = 1700000000123;
	e->hook = STR("/hooks/shop");
	e->provider = STR("shop");
	e->event_id = text(o, "event_id", a, "evt_1");
	e->event_type = text(o, "type", a, "order.paid");
	e->method = STR("POST");
	e->target = STR("/hooks/shop");
	e->trace = text(o, "trace", a, "");
	e->request_id = text(o, "request_id", a, "");
	m = json_member(o, "body_headers");
	e->headers = m == NULL ? STR("[]") : arena_str(a, json_source(doc, m));
	e->body_fd = -1;
	if ((m = json_member(o, "body_file")) != NULL) {
		e->body_fd = open(text(o, "body_file", a, "").p, O_RDONLY | O_CLOEXEC);
		if (e->body_fd == -1 || fstat(e->body_fd, &st) == -1)
			fail("a body's file is not there");
		e->size = (uint64_t)number(o, "size", st.st_size);
	} else {
		e->body = text(o, "event_body", a, "");
		e->size = e->body.n;
	}
	p->attempt.to = to;
	p->attempt.secrets = secrets;
	p->attempt.timeout = to->timeout;
	p->attempt.number = (uint64_t)number(o, "attempt", 1);
	p->attempt.output = BUF(ATTEMPT_OUTPUT);
	p->attempt.arena = a;
	return &p->attempt;
}

static void
give(struct http *h, struct place *place, struct str line, const struct bundle *secrets)
{
	struct err e = { ERR_NONE, "" };
	struct json_doc *doc = json_read(line, "stdin", &e);
	int64_t times;

	if (doc == NULL)
		fail(e.text);
	times = number(json_root(doc), "times", 1);
	for (int64_t i = 0; i < times; i++) {
		struct attempt *a = attempt(doc, secrets);

		pthread_mutex_lock(&place->lock);
		place->open++;
		pthread_mutex_unlock(&place->lock);
		if (http_give(h, a))
			continue;
		attempt_say(a, OUTCOME_LATER, -1, "not taken");
		print(place, a);
	}
	json_close(doc);
}

int
main(int argc, char *argv[])
{
	struct place place = { .open = 0, .main = pthread_self() };
	struct attempt_taker taker = { ended, &place };
	struct log log = { .fd = 2, .program = "poster" };
	struct bundle *secrets = bundle_new();
	struct err e = { ERR_NONE, "" };
	bool stop = false;
	struct http *h;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (argc != 2)
		fail("usage: poster CA_FILE|-");
	pthread_mutex_init(&place.lock, NULL);
	pthread_cond_init(&place.ended, NULL);
	h = http_start(strcmp(argv[1], "-") == 0 ? NULL : argv[1], &log, &taker, &e);
	if (h == NULL)
		fail(e.text);
	while (!stop && (n = getline(&line, &room, stdin)) > 0) {
		if (strcmp(line, "stop\n") == 0)
			stop = true;
		else
			give(h, &place, (struct str){ line, (size_t)n }, secrets);
	}
	pthread_mutex_lock(&place.lock);
	while (!stop && place.open > 0)
		pthread_cond_wait(&place.ended, &place.lock);
	pthread_mutex_unlock(&place.lock);
	http_stop(h);
	if (place.open > 0)
		fail("not all attempts ended");
	bundle_free(secrets);
	free(line);
	return 0;
}
