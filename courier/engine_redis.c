/*
 * engine_redis.c - a stream of Redis as the inbox.  hiredis' home.
 *
 *	MULTI
 *	EVALSHA script 2 STREAM hooklatch:seen:{STREAM}:NAME SECONDS ID hook ... body
 *	...
 *	EXEC
 *
 * All of a batch is written in one piece and answered in one round.  With
 * "appendfsync always" Redis syncs its log after each turn of its loop and only then
 * writes the answers (redis.conf, APPEND ONLY MODE); a turn reads 16 KB of a
 * connection, two events, and the MULTI makes one turn of the batch, so one sync.
 * A repeat's answer is true too: what it was found by is synced before it is written.
 *
 * De-duplication is a script, since nothing else asks and writes at once: "SET NX" in
 * a MULTI cannot keep the XADD from being done, and a WATCH for each event is two more
 * rounds.  What a script writes is one MULTI in the log of Redis: after a crash both
 * the name and the event are there, or neither.
 *
 * hiredis 0.14 has no TLS: rediss:// is refused.
 */
#include <sys/time.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "../base/when.h"
#include "engine.h"

#define MESSAGE_MAX	(8u * 1024 * 1024)	/* bytes; Redis itself takes 512 MB */
#define ARGS		19
#define FULL		"the engine's memory is full"

static const char script[] =
    "local was = redis.call('GET', KEYS[2])\n"
    "if was then return was end\n"
    "redis.call('XADD', KEYS[1], '*', 'id', ARGV[2], unpack(ARGV, 3))\n"
    "redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[1])\n"
    "return ''\n";

struct redis {
	struct engine_setting	 set;
	char			 host[256];
	char			 stream[256];
	redisContext		*c;
	char			 sha[41];	/* of the script */
};

/* --- talking ---------------------------------------------------------------------- */

static void *
make(const struct engine_setting *s, struct err *e)
{
	struct redis *r;

	if (s->url.tls) {
		err_set(e, ERR_CONF, "\"inbox\": hiredis of Debian 12 has no TLS: use "
		    "redis:// to a tunnel on this machine (stunnel, spiped)");
		return NULL;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	r->set = *s;
	snprintf(r->host, sizeof(r->host), "%.*s", STR_ARG(s->url.hosts[0].name));
	snprintf(r->stream, sizeof(r->stream), "%.*s", STR_ARG(s->url.stream));
	return r;
}

static void
redis_close(void *self)
{
	struct redis *r = self;

	if (r->c != NULL)
		redisFree(r->c);
	r->c = NULL;
}

static void
redis_free(void *self)
{
	free(self);
}

/* What is left until then for the next read or write. */
static int
hurry(struct redis *r, int64_t until, struct err *e)
{
	int64_t left = until - when_steady();
	struct timeval t = { left / 1000, left % 1000 * 1000 };

	if (left <= 0)
		return err_set(e, ERR_TEMP, "%s:%u does not answer in time",
		    r->host, r->set.url.hosts[0].port);
	if (redisSetTimeout(r->c, t) != REDIS_OK)
		return err_set(e, ERR_OS, "no time limit for a socket");
	return 0;
}

static int
broken(const struct redis *r, struct err *e)
{
	bool late = r->c->err == REDIS_ERR_IO
	    && (errno == EAGAIN || errno == EWOULDBLOCK);

	return err_set(e, ERR_TEMP, "%s:%u: %s", r->host,
	    r->set.url.hosts[0].port, late ? "it does not answer in time" :
	    r->c->errstr);
}

/* The next answer, the caller's to free; NULL: the connection is of no use. */
static redisReply *
hear(struct redis *r, int64_t until, struct err *e)
{
	void *reply = NULL;

	if (hurry(r, until, e) == -1)
		return NULL;
	if (redisGetReply(r->c, &reply) != REDIS_OK) {
		broken(r, e);
		return NULL;
	}
	return reply;
}

/* One command and its answer. */
static redisReply *
ask(struct redis *r, int64_t until, struct err *e, int argc, const char **argv)
{
	if (redisAppendCommandArgv(r->c, argc, argv, NULL) != REDIS_OK) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	return hear(r, until, e);
}
#define ASK(r, until, e, ...)						\
	ask((r), (until), (e),						\
	    (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)), \
	    (const char *[]){ __VA_ARGS__ })

static bool
says(const redisReply *a, const char *text)
{
	return (a->type == REDIS_REPLY_STATUS || a->type == REDIS_REPLY_STRING)
	    && strcmp(a->str, text) == 0;
}

/* --- opening ----------------------------------------------------------------------- */

/* OK, or the sentence with what Redis says. */
static int
must(redisReply *a, const char *what, struct err *e)
{
	int rc = 0;

	if (a == NULL)
		return -1;
	if (a->type == REDIS_REPLY_ERROR)
		rc = err_set(e, ERR_CONF, "%s: %.150s", what, a->str);
	freeReplyObject(a);
	return rc;
}

static int
prove(struct redis *r, int64_t until, struct err *e)
{
	const struct engine_setting *s = &r->set;
	char db[16];

	if (s->password != NULL && must(s->user != NULL && s->user[0] != '\0' ?
	    ASK(r, until, e, "AUTH", s->user, s->password) :
	    ASK(r, until, e, "AUTH", s->password),
	    "\"inbox_secret\" is not what it wants", e) == -1)
		return -1;
	snprintf(db, sizeof(db), "%u", s->url.db);
	return must(ASK(r, until, e, "SELECT", db),
	    s->password == NULL ? "it lets nobody in without \"inbox_secret\"" :
	    "no such database", e);
}

/*
 * A setting as Redis has it now.  Where CONFIG is forbidden (hosted ones) nothing can
 * be read back.
 */
static int
setting(struct redis *r, const char *name, char *value, size_t room, int64_t until,
    struct err *e)
{
	redisReply *a = ASK(r, until, e, "CONFIG", "GET", name);
	int rc = 0;

	value[0] = '\0';
	if (a == NULL)
		return -1;
	if (a->type == REDIS_REPLY_ARRAY && a->elements == 2
	    && a->element[1]->type == REDIS_REPLY_STRING)
		snprintf(value, room, "%s", a->element[1]->str);
	else
		rc = err_set(e, ERR_CONF, "\"durability\" is \"strict\" and it does "
		    "not say what its \"%s\" is: allow CONFIG GET, or say "
		    "\"engine-default\"", name);
	freeReplyObject(a);
	return rc;
}

/* What an acknowledgement means there: read back, not believed. */
static int
durable(struct redis *r, int64_t until, struct err *e)
{
	static const struct { const char *name, *value; } wanted[] = {
		{ "appendonly", "yes" },
		{ "appendfsync", "always" },
	};
	char value[64];

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (setting(r, wanted[i].name, value, sizeof(value), until, e)
		    == -1)
			return -1;
		if (strcmp(value, wanted[i].value) != 0)
			return err_set(e, ERR_CONF, "its \"%s\" is \"%s\", so it "
			    "answers before it has synced: set it to \"%s\" "
			    "(redis-cli CONFIG SET %s %s, and in redis.conf), or "
			    "say \"durability\": \"engine-default\"",
			    wanted[i].name, value, wanted[i].value,
			    wanted[i].name, wanted[i].value);
	}
	if (setting(r, "maxmemory-policy", value, sizeof(value), until, e) == -1)
		return -1;
	if (strncmp(value, "allkeys-", 8) == 0)
		return err_set(e, ERR_CONF, "its \"maxmemory-policy\" is \"%s\", so "
		    "it may throw the stream away: set it to \"noeviction\", or "
		    "say \"durability\": \"engine-default\"", value);
	return 0;
}

static int
script_load(struct redis *r, int64_t until, struct err *e)
{
	redisReply *a = ASK(r, until, e, "SCRIPT", "LOAD", script);
	int rc = 0;

	if (a == NULL)
		return -1;
	if (a->type == REDIS_REPLY_STRING && a->len == 40)
		memcpy(r->sha, a->str, 41);
	else
		rc = err_set(e, ERR_CONF, "it takes no script: %.150s",
		    a->type == REDIS_REPLY_ERROR ? a->str : "");
	freeReplyObject(a);
	return rc;
}

/* Not before it has read its log, and only where it writes. */
static int
serving(struct redis *r, int64_t until, struct err *e)
{
	redisReply *a = ASK(r, until, e, "ROLE");
	int rc = 0;

	if (a == NULL)
		return -1;
	if (a->type == REDIS_REPLY_ERROR)
		rc = err_set(e, ERR_TEMP, "%.150s", a->str);
	else if (a->type == REDIS_REPLY_ARRAY && a->elements > 0
	    && !says(a->element[0], "master"))
		rc = err_set(e, ERR_CONF, "it is a replica, which takes no events: "
		    "\"inbox\" must name the master");
	freeReplyObject(a);
	return rc;
}

static int
redis_open(void *self, int64_t until, uint64_t *largest, struct err *e)
{
	struct redis *r = self;
	int64_t left = until - when_steady();
	struct timeval t = { left / 1000, left % 1000 * 1000 };

	r->c = redisConnectWithTimeout(r->host, r->set.url.hosts[0].port, t);
	if (r->c == NULL)
		return err_set(e, ERR_OS, "no memory");
	if (r->c->err != 0)
		return broken(r, e);
	redisEnableKeepAlive(r->c);
	*largest = MESSAGE_MAX;
	if (prove(r, until, e) == -1 || serving(r, until, e) == -1
	    || (r->set.strict && durable(r, until, e) == -1))
		return -1;
	return script_load(r, until, e);
}

/* --- a batch ------------------------------------------------------------------------- */

static int
append(struct redis *r, const struct engine_event *v)
{
	const struct event *ev = &v->put->event;
	char seen[REPEAT_NAME + 300], seconds[24];
	const char *p[ARGS] = { "EVALSHA", r->sha, "2", r->stream, seen, seconds,
	    ev->id };
	size_t n[ARGS], i;
	int argc = 7;

	/* Of one slot with the stream, should it be a cluster one day. */
	if (strchr(r->stream, '{') != NULL)
		snprintf(seen, sizeof(seen), "hooklatch:seen:%s:%s", r->stream,
		    v->name);
	else
		snprintf(seen, sizeof(seen), "hooklatch:seen:{%s}:%s", r->stream,
		    v->name);
	snprintf(seconds, sizeof(seconds), "%" PRIu64, v->remember == 0 ? 1 :
	    v->remember);
	for (i = 0; i < (size_t)argc; i++)
		n[i] = strlen(p[i]);
#define FIELD(name, value)						\
	p[argc] = name, n[argc++] = strlen(name),			\
	p[argc] = (value).n > 0 ? (value).p : "", n[argc++] = (value).n
	FIELD("hook", ev->hook);
	FIELD("provider", ev->provider);
	FIELD("event_id", ev->event_id);
	FIELD("event_type", ev->event_type);
	FIELD("event", v->json);
	FIELD("body", v->body);
#undef FIELD
	return redisAppendCommandArgv(r->c, argc, p, n) == REDIS_OK ? 0 : -1;
}

/* Past its "maxmemory": this event's affair, and over when there is room. */
static bool
is_full(const redisReply *a)
{
	return a->type == REDIS_REPLY_ERROR && strncmp(a->str, "OOM ", 4) == 0;
}

/* -1: Redis is not what it was when it was opened. */
static int
understand(struct engine_event *v, const redisReply *a, struct err *e)
{
	if (a->type == REDIS_REPLY_STRING) {
		v->answered = true;
		v->repeat = a->len > 0 && strcmp(a->str, v->put->event.id) != 0;
		if (v->repeat)
			snprintf(v->id, sizeof(v->id), "%s", a->str);
		return 0;
	}
	if (is_full(a)) {
		v->answered = true;
		v->why = FULL;
		return 0;
	}
	return err_set(e, ERR_TEMP, "%.150s", a->type == REDIS_REPLY_ERROR ? a->str
	    : "an answer that is none");
}

/* Replicas have it too, where the URL asks for that. */
static int
replicated(struct redis *r, int64_t until, struct err *e)
{
	redisReply *a = hear(r, until, e);
	int rc = 0;

	if (a == NULL)
		return -1;
	if (a->type != REDIS_REPLY_INTEGER || a->integer < (int)r->set.url.wait)
		rc = err_set(e, ERR_TEMP, "%lld of %u replicas have the events",
		    a->type == REDIS_REPLY_INTEGER ? a->integer : 0,
		    r->set.url.wait);
	freeReplyObject(a);
	return rc;
}

/*
 * Has a setting been changed since it was opened?  Asked behind each batch, in the
 * same round: what was acknowledged after "CONFIG SET appendfsync no" is no promise.
 */
static int
still_durable(struct redis *r, int64_t until, struct err *e)
{
	redisReply *a = hear(r, until, e);
	bool yes;

	if (a == NULL)
		return -1;
	yes = a->type == REDIS_REPLY_ARRAY && a->elements == 2
	    && says(a->element[1], "always");
	freeReplyObject(a);
	return yes ? 0 : err_set(e, ERR_CONF, "its \"appendfsync\" is no longer "
	    "\"always\"");
}

/* Anything that is not in the batch: an answer that must be this. */
static int
expect(struct redis *r, const char *text, int64_t until, struct err *e)
{
	redisReply *a = hear(r, until, e);
	int rc = 0;

	if (a == NULL)
		return -1;
	if (!says(a, text))
		rc = err_set(e, ERR_TEMP, "%.150s", a->type == REDIS_REPLY_ERROR ?
		    a->str : "an answer that is none");
	freeReplyObject(a);
	return rc;
}

/* Each is queued; where one is not, EXEC does none of them. */
static int
queued(struct redis *r, struct engine_event *v, size_t n, int64_t until,
    struct err *e)
{
	bool full = false;
	redisReply *a;

	if (expect(r, "OK", until, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (v[i].answered)
			continue;
		if ((a = hear(r, until, e)) == NULL)
			return -1;
		full = full || is_full(a);
		if (!says(a, "QUEUED") && !full) {
			err_set(e, ERR_TEMP, "%.150s", a->type ==
			    REDIS_REPLY_ERROR ? a->str : "an answer that is none");
			freeReplyObject(a);
			return -1;
		}
		freeReplyObject(a);
	}
	for (size_t i = 0; full && i < n; i++)
		if (!v[i].answered) {
			v[i].answered = true;
			v[i].why = FULL;
		}
	return 0;
}

/* The answer of EXEC: one for each, or an error when one was not queued. */
static int
executed(struct redis *r, struct engine_event *v, size_t n, int64_t until,
    struct err *e)
{
	redisReply *a = hear(r, until, e);
	size_t i, at = 0;
	int rc = 0;

	if (a == NULL)
		return -1;
	for (i = 0; i < n; i++)
		at += !v[i].answered;
	if (at > 0 && (a->type != REDIS_REPLY_ARRAY || a->elements != at))
		rc = err_set(e, ERR_TEMP, "%.150s", a->type == REDIS_REPLY_ERROR ?
		    a->str : "an answer that is none");
	for (i = at = 0; rc == 0 && i < n; i++)
		if (!v[i].answered)
			rc = understand(&v[i], a->element[at++], e);
	freeReplyObject(a);
	return rc;
}

/* What the round as a whole did not earn nobody is told. */
static int
take_back(struct engine_event *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].why == NULL)
			v[i].answered = false;
	return -1;
}

static int
redis_put(void *self, struct engine_event *v, size_t n, int64_t until,
    struct err *e)
{
	struct redis *r = self;
	int64_t left = until - when_steady();
	char replicas[16], ms[24];

	redisAppendCommand(r->c, "MULTI");
	for (size_t i = 0; i < n; i++)
		if (!v[i].answered && append(r, &v[i]) == -1)
			return err_set(e, ERR_OS, "no memory for a batch");
	redisAppendCommand(r->c, "EXEC");
	snprintf(replicas, sizeof(replicas), "%u", r->set.url.wait);
	snprintf(ms, sizeof(ms), "%" PRId64, left > 1 ? left : 1);
	if (r->set.url.wait > 0)
		redisAppendCommand(r->c, "WAIT %s %s", replicas, ms);
	if (r->set.strict)
		redisAppendCommand(r->c, "CONFIG GET appendfsync");
	if (queued(r, v, n, until, e) == -1)
		return -1;
	if (executed(r, v, n, until, e) == -1
	    || (r->set.url.wait > 0 && replicated(r, until, e) == -1)
	    || (r->set.strict && still_durable(r, until, e) == -1))
		return take_back(v, n);
	return 0;
}

static int
redis_ping(void *self, int64_t until, struct err *e)
{
	return must(ASK(self, until, e, "PING"), "PING", e);
}

const struct engine_kind engine_redis = { ENGINE_REDIS, "Redis", NULL, make, redis_open,
	redis_put, redis_ping, redis_close, redis_free };
