/*
 * test_parked.c - requests that wait for the courier: for a key, for a secret to be
 * kept.  The courier is this program too, and says what a table wants said.
 *
 * In the configurations here ' is ".
 */
#include <sys/socket.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/os.h"
#include "base/when.h"
#include "handler.h"
#include "stats.h"
#include "test.h"

#define COUNT(t)	(sizeof(t) / sizeof((t)[0]))
#define FLIGHTS		80
#define IN_FLIGHT	72

static char place[] = "/tmp/hooklatch-parked-XXXXXX", path[64];
static struct handler *handler;
static struct flight flights[FLIGHTS];
static int status[FLIGHTS];		/* 0: not answered yet */
static struct str extra[FLIGHTS];
static uint64_t generation;

/* The other side of the wall. */
static int listener = -1;
static struct wire *courier;
static struct wire_msg said;		/* the last message, ... */
static struct get fields;		/* ... and what is left of it */
static uint64_t ticket;

/* --- the courier ----------------------------------------------------------------- */

/* Takes the connection that the handler has made, past its HELLO. */
static bool
meet(void)
{
	struct err e;
	int fd = accept(listener, NULL, NULL);

	wire_free(courier);
	courier = fd == -1 ? NULL : wire_new(fd, DOOR_WORKER, 1 << 20);
	if (courier == NULL)
		return false;
	handler_flush(handler);
	return wire_receive(courier, &e) == 0 && wire_next(courier, &said, &e) == 1 &&
	    said.type == WIRE_HELLO;
}

/*
 * Is the next that the handler says of that type?  0: it says nothing.  What it has
 * counted is passed over where it is not asked for.
 */
static bool
says(unsigned type)
{
	struct err e = { .text = "" };
	int got;

	handler_flush(handler);
	if (courier == NULL && (type == 0 || !meet()))
		return type == 0;
	if (wire_receive(courier, &e) == -1)
		return false;
	do
		got = wire_next(courier, &said, &e);
	while (got == 1 && said.type == WIRE_COUNTERS && type != WIRE_COUNTERS);
	if (got != 1)
		return got == 0 && type == 0;
	fields = GET(said.body);
	if (said.type != WIRE_QUARANTINE)
		ticket = get_u64(&fields);
	return said.type == type;
}

static void
reply(enum wire_type type, struct buf *b)
{
	struct err e;

	if (courier == NULL || wire_send(courier, type, buf_str(b), -1) != 0 ||
	    wire_flush(courier, &e) != 0)
		abort();
	buf_free(b);
	handler_link_ready(handler);
}

static void
reply_key(uint64_t to, const char *bytes, uint32_t seconds)
{
	struct buf b = BUF(1024);

	put_u64(&b, to);
	put_str(&b, str_of(bytes));
	put_u32(&b, seconds);
	reply(WIRE_KEY, &b);
}

static void
reply_refused(uint64_t to, enum wire_refusal why)
{
	struct buf b = BUF(1024);

	put_u64(&b, to);
	put_u8(&b, why);
	put_str(&b, STR("no"));
	reply(WIRE_REFUSED, &b);
}

static void
reply_stored(uint64_t to)
{
	static const struct stored as;
	struct buf b = BUF(1024);

	put_u64(&b, to);
	put_stored(&b, &as);
	reply(WIRE_STORED, &b);
}

static void
reply_secret(uint64_t to, const char *bytes)
{
	struct buf b = BUF(1024);

	put_u64(&b, to);
	put_str(&b, str_of(bytes));
	reply(WIRE_SECRET, &b);
}

/* It dies, and the handler notices. */
static void
die(void)
{
	wire_free(courier);
	courier = NULL;
	handler_link_ready(handler);
}

/* --- the handler ------------------------------------------------------------------- */

static void
answered(void *self, struct flight *f, const struct answer *a)
{
	size_t i = (size_t)(f - flights);

	(void)self;
	status[i] = a->status;
	extra[i] = a->extra;
}

static int
no_line(void *self, uint64_t to, struct str line)
{
	(void)self;
	(void)to;
	(void)line;
	return -1;
}

/* hooks: the members of "hooks"; more: of the top, each with a comma behind. */
static struct setting *
setting_of(const char *hooks, const char *more)
{
	struct bundle *b = bundle_new();
	struct buf conf = BUF(65536);
	struct setting *s;
	struct err e = { .text = "" };

	buf_printf(&conf, "{'inbox':'none','health':'none','courier':'unix:%s',%s"
	    "'hooks':{%s}}", path, more, hooks);
	for (size_t i = 0; i < conf.n; i++)
		if (conf.p[i] == '\'')
			conf.p[i] = '"';
	bundle_put(b, STR("conf"), buf_str(&conf));
	buf_free(&conf);
	bundle_read_secret(b, STR("plain:s3cret"), &e);
	s = setting_new(b, "c.json", ++generation, &e);
	CHECKF(s != NULL, "a setting: %s", e.text);
	if (s == NULL)
		exit(1);
	return s;
}

static void
begin(const char *hooks, const char *more)
{
	struct handler_ops ops = { .answer = answered, .line = no_line };
	struct err e;

	handler = handler_new(setting_of(hooks, more), &ops, NULL, IN_FLIGHT, &e);
	if (handler == NULL)
		exit(1);
}

static void
end(void)
{
	for (size_t i = 0; i < FLIGHTS; i++) {
		if (flights[i].setting != NULL)
			handler_forget(handler, &flights[i]);
		arena_free(flights[i].arena);
		flights[i] = (struct flight){ .arena = NULL };
		status[i] = 0;
	}
	handler_free(handler);
	wire_free(courier);
	courier = NULL;
}

/* A header's value by name; several with "\n" between them. */
static void
take(size_t i, const char *target, const char *headers, const char *body)
{
	struct flight *f = &flights[i];
	char *env[16];
	struct str rest = str_of(headers);
	size_t n = 0;

	arena_free(f->arena);
	*f = (struct flight){ .arena = arena_new(1 << 20) };
	status[i] = 0;
	env[n++] = (char *)(uintptr_t)"REQUEST_METHOD=POST";
	env[n++] = (char *)(uintptr_t)"CONTENT_TYPE=application/json";
	env[n++] = (char *)(uintptr_t)arena_printf(f->arena, "REQUEST_URI=%s",
	    target).p;
	while (rest.n > 0 && n < COUNT(env) - 1) {
		struct str line = str_cut(&rest, '\n');

		env[n++] = (char *)(uintptr_t)arena_printf(f->arena, "HTTP_%.*s",
		    STR_ARG(line)).p;
	}
	env[n] = NULL;
	if (request_init(&f->request, f->arena, env) != 0)
		abort();
	f->request.body = arena_str(f->arena, str_of(body));
	f->request.body_fd = -1;
	handler_take(handler, f);
}

/* "X_T=..." signed with that key, and its name. */
static const char *
signed_by(const char *key, const char *name)
{
	static char out[256];
	unsigned char sum[32];
	char hex[65];
	unsigned n;

	HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)"{}", 2,
	    sum, &n);
	for (unsigned i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	snprintf(out, sizeof(out), "X_T=%s\nX_KEY=%s", hex, name);
	return out;
}

/* An HMAC with a secret that is fetched by the name in X-Key. */
#define FETCH(more)	"{'signature':{'header':'X-T','form':'{sig:hex}','algorithm':"	\
			"'hmac-sha256'" more ",'keys':{'url':'https://keys.example/"	\
			"{key}','name':'header:X-Key'}}}"
#define FETCHES		"'/a':{'provider':" FETCH("") "}"

/* --- waiting for keys ------------------------------------------------------------------ */

static void
test_key(void)
{
	uint64_t first;

	begin(FETCHES, "");
	take(0, "/a", signed_by("k-one", "one"), "{}");
	take(1, "/a", signed_by("other", "one"), "{}");
	CHECK(status[0] == 0 && status[1] == 0, "who lacks a key waits");
	CHECK(says(WIRE_WANT_KEY), "the courier is asked");
	CHECK(str_eq(get_str(&fields), STR("/a")) && get_u8(&fields) == 0 &&
	    str_eq(get_str(&fields), STR("one")) && get_u8(&fields) == 0 &&
	    get_done(&fields), "for the hook's key of that name");
	CHECK(says(0), "once for both");
	first = ticket;
	reply_key(first, "k-one", 60);
	CHECK(status[0] == 200 && status[1] == 401,
	    "then they are judged: one is genuine, one is not");
	take(2, "/a", signed_by("k-one", "one"), "{}");
	CHECK(status[2] == 200 && says(0), "the key is known from then on");
	take(3, "/a", signed_by("k-one", "two"), "{}");
	CHECK(status[3] == 0 && says(WIRE_WANT_KEY), "another name is another key");
	reply_key(first, "k-one", 60);
	CHECK(status[3] == 0, "an answer of before is none for it");
	reply_key(ticket, "k-two", 60);
	CHECK(status[3] == 401, "its own is");
	reply_key(ticket, "k-one", 60);
	take(4, "/a", signed_by("k-one", "two"), "{}");
	CHECK(status[4] == 401, "and is not taken twice");
	take(5, "/a", "X_T=00\nX_KEY=../x", "{}");
	CHECK(status[5] == 401 && says(0), "a name that can be none is not asked for");
	end();
}

static void
test_no_key(void)
{
	begin(FETCHES, "");
	take(0, "/a", signed_by("k", "none"), "{}");
	take(1, "/a", signed_by("k", "none"), "{}");
	CHECK(says(WIRE_WANT_KEY), "the courier is asked");
	reply_refused(ticket, REFUSED_NO_KEY);
	CHECK(status[0] == 401 && status[1] == 401, "no such key: 401");
	take(2, "/a", signed_by("k", "none"), "{}");
	CHECK(status[2] == 401 && says(0), "which is remembered for a while");
	take(3, "/a", signed_by("k", "away"), "{}");
	CHECK(says(WIRE_WANT_KEY), "another is asked for");
	reply_refused(ticket, REFUSED_BUSY);
	CHECK(status[3] == 503, "a key that cannot be had now: 503");
	take(4, "/a", signed_by("k", "away"), "{}");
	CHECK(status[4] == 0 && says(WIRE_WANT_KEY), "which is not remembered");
	reply_key(ticket, "k", 60);
	CHECK(status[4] == 200, "and may be had later");
	take(5, "/a", signed_by("", "empty"), "{}");
	CHECK(says(WIRE_WANT_KEY), "one more");
	reply_key(ticket, "", 60);
	CHECK(status[5] == 401, "an empty key is none");
	end();
}

/* The courier dies under them. */
static void
test_lost(void)
{
	int64_t now = when_steady();

	begin(FETCHES, "");
	take(0, "/a", signed_by("k", "one"), "{}");
	CHECK(says(WIRE_WANT_KEY), "asked once");
	die();
	CHECK(status[0] == 0, "the courier is gone: it waits");
	handler_tick(handler, now + 100);
	CHECK(says(WIRE_WANT_KEY), "it is back, and asked again");
	reply_key(ticket, "k", 60);
	CHECK(status[0] == 200, "the answer counts");
	take(1, "/a", signed_by("k", "two"), "{}");
	CHECK(says(WIRE_WANT_KEY), "another");
	die();
	handler_tick(handler, now + 200);
	CHECK(says(WIRE_WANT_KEY), "asked again");
	die();
	CHECK(status[1] == 503, "lost a second time: the provider tries again");
	end();

	begin(FETCHES, "");
	CHECK(says(0), "nobody is asked for nothing");
	close(listener);
	unlink(path);
	take(0, "/a", signed_by("k", "one"), "{}");
	CHECK(status[0] == 503, "without a courier: 503 at once");
	end();
}

/* Is the series of that hook and status among what was told, with n? */
static bool
told(const char *hook, const char *code, uint64_t n)
{
	struct stats *s = stats_new(STATS_COURIER);
	struct buf text = BUF(1 << 20), wanted = BUF(1024);
	struct str series;
	bool found;

	get_u8(&fields);
	series = get_str(&fields);
	CHECK(get_done(&fields) && ticket == 0, "counters are a message");
	CHECK(stats_get(s, series, true) == 0, "and are a worker's");
	stats_text(s, &text);
	buf_printf(&wanted, "{hook=\"%s\",status=\"%s\",verdict=\"none\"} %llu\n",
	    hook, code, (unsigned long long)n);
	found = memmem(text.p, text.n, wanted.p, wanted.n) != NULL;
	buf_free(&text);
	buf_free(&wanted);
	stats_free(s);
	return found;
}

/* What was counted is told once, to whoever is there. */
static void
test_counters(void)
{
	int64_t now = when_steady();

	begin(FETCHES, "");
	take(0, "/none", "", "{}");
	take(1, "/none", "", "{}");
	CHECK(status[0] == 404 && status[1] == 404, "two for no hook");
	handler_tick(handler, now += 2000);
	CHECK(says(WIRE_COUNTERS) && told("none", "404", 2), "they are told");
	CHECK(handler_tick(handler, now += 2000) == INT64_MAX, "there is nothing new");
	CHECK(!says(WIRE_COUNTERS), "and nothing is told again");
	take(2, "/none", "", "{}");
	CHECK(handler_tick(handler, now += 2000) == INT64_MAX &&
	    says(WIRE_COUNTERS) && told("none", "404", 1), "one more");
	take(3, "/none", "", "{}");
	now += 10;
	CHECK(handler_tick(handler, now) > now && !says(WIRE_COUNTERS),
	    "not so soon after the last");
	die();
	take(4, "/none", "", "{}");
	handler_tick(handler, now += 2000);
	CHECK(says(WIRE_COUNTERS) && told("none", "404", 2),
	    "the next courier is told what the last was not");
	handler_reloaded(handler, false, 1700000000000);
	handler_tick(handler, now += 2000);
	CHECK(says(WIRE_COUNTERS), "how a reload went is news");
	end();
}

static void
test_out_of_time(void)
{
	begin(FETCHES, "");
	take(0, "/a", signed_by("k", "one"), "{}");
	CHECK(says(WIRE_WANT_KEY), "asked");
	handler_tick(handler, flights[0].deadline - 1);
	CHECK(status[0] == 0, "there is time");
	handler_tick(handler, flights[0].deadline);
	CHECK(status[0] == 503, "there is none: 503");
	take(1, "/a", signed_by("k", "one"), "{}");
	CHECK(status[1] == 0 && says(0), "the next waits for the same answer");
	handler_forget(handler, &flights[1]);
	reply_key(ticket, "k", 60);
	CHECK(status[1] == 0, "who has gone hears nothing");
	take(2, "/a", signed_by("k", "one"), "{}");
	CHECK(status[2] == 200, "what came late is known to the next");
	end();
}

/* Names that strangers make up take no more room than there is. */
static void
test_too_many(void)
{
	size_t asked = 0, later = 0;
	char name[16];

	begin(FETCHES, "");
	for (size_t i = 0; i < IN_FLIGHT; i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		take(i, "/a", signed_by("k", name), "{}");
		asked += status[i] == 0;
		later += status[i] == 503;
	}
	CHECK(asked == 64 && later == IN_FLIGHT - 64, "64 keys are asked for, more "
	    "are told to come again");
	CHECK(says(WIRE_WANT_KEY), "the first of them");
	reply_key(ticket, "k", 60);
	CHECK(status[0] == 200, "is answered");
	take(0, "/a", signed_by("k", "m"), "{}");
	CHECK(status[0] == 0, "and has made room");
	for (size_t i = 64; i < IN_FLIGHT; i++)
		take(i, "/a", signed_by("k", "m"), "{}");
	take(IN_FLIGHT, "/a", signed_by("k", "m"), "{}");
	CHECK(handler_full(handler) && status[IN_FLIGHT - 1] == 0 &&
	    status[IN_FLIGHT] == 503, "as many wait as may");
	end();
}

/* A reload: what the old file's rule has made of a key is nothing to the new one's. */
static void
test_reload(void)
{
	static const char *const after[] = {
		"'/a':{'provider':" FETCH(",'key':{'digest':'sha256'}") "}",
		/* Of another kind altogether. */
		"'/a':{'provider':{'signature':{'header':'X-T','form':'{sig:hex}',"
		"'algorithm':'ed25519','keys':{'url':'https://keys.example/{key}',"
		"'name':'header:X-Key'}}}}",
	};
	uint64_t first;

	for (size_t i = 0; i < COUNT(after); i++) {
		begin(FETCHES, "");
		take(0, "/a", signed_by("k", "one"), "{}");
		CHECK(says(WIRE_WANT_KEY), "asked by the old rule");
		first = ticket;
		handler_swap(handler, setting_of(after[i], ""));
		take(1, "/a", signed_by("k", "one"), "{}");
		CHECK(status[1] == 0 && says(WIRE_WANT_KEY),
		    "and for a request that comes later by the new one");
		reply_key(first, "k", 60);
		CHECK(status[0] == 200, "who came before is judged by the old rule");
		CHECK(status[1] == 0, "who came later is not");
		take(2, "/a", signed_by("k", "one"), "{}");
		CHECK(status[2] == 0 && says(0), "nor who comes now");
		reply_key(ticket, i == 1 ? "d75a980182b10ab7d54bfed3c964073a0ee172f3da"
		    "a62325af021a68f707511a" : "k", 60);
		CHECK(status[1] == 401 && status[2] == 401,
		    "but by what the new rule makes of it");
		/* The other way round. */
		take(3, "/a", signed_by("k", "two"), "{}");
		CHECK(says(WIRE_WANT_KEY), "asked by the new rule");
		first = ticket;
		handler_swap(handler, setting_of(FETCHES, ""));
		take(4, "/a", signed_by("k", "two"), "{}");
		CHECK(says(WIRE_WANT_KEY), "and by the old again");
		reply_key(ticket, "k", 60);
		CHECK(status[4] == 200 && status[3] == 0, "each by its own");
		reply_key(first, "k", 60);
		CHECK(status[3] == 401, "the other, too");
		end();
	}
}

/* --- destinations that come before the answer --------------------------------------------- */

static const struct spoken spoken = { .status = 201, .type = STR("text/xml"),
	.headers = STR("Content-Language: de\r\n"), .body = STR("<Response/>") };

static void
reply_answer(uint64_t to, const struct spoken *what)
{
	static const struct stored as;
	struct buf b = BUF(4096);

	put_u64(&b, to);
	put_stored(&b, &as);
	put_spoken(&b, what);
	reply(WIRE_ANSWER, &b);
}

static void
test_asked(void)
{
	struct event e;
	struct get g;
	struct forward f;
	struct spoken wrong = spoken;

	/* No inbox: it is the courier's all the same. */
	begin("'/a':{'auth':'none','deadline':'5s','deliver':['before','says']},"
	    "'/none':{'auth':'none'}",
	    "'destinations':{'before':{'exec':'/x','mode':'before_answer'},"
	    "'says':{'exec':'/x','mode':'answer'}},");
	take(0, "/none", "", "{}");
	CHECK(status[0] == 200 && says(0), "without destinations nobody is asked");
	take(1, "/a", "", "{}");
	CHECK(status[1] == 0 && says(WIRE_EVENT), "with them the courier is");
	get_event(&fields, &e);
	g = GET(e.deliver);
	CHECK(get_done(&fields) && e.within == 5000, "and knows how long the sender waits");
	get_forward(&g, &f);
	CHECK(str_eq(f.to, STR("before")) && f.mode == FORWARD_BEFORE_ANSWER, "what for");
	get_forward(&g, &f);
	CHECK(f.mode == FORWARD_ANSWER && get_done(&g), "and who answers");
	reply_answer(ticket, &spoken);
	CHECK(status[1] == 201 && str_eq(extra[1], spoken.headers),
	    "what the destination says is the answer");
	take(2, "/a", "", "{}");
	CHECK(says(WIRE_EVENT), "another");
	reply_refused(ticket, REFUSED_DESTINATION);
	CHECK(status[2] == 503 && str_eq(extra[2], STR("Retry-After: 5\r\n")),
	    "one that failed: 503 with Retry-After");
	take(3, "/a", "", "{}");
	CHECK(says(WIRE_EVENT), "another");
	reply_stored(ticket);
	CHECK(status[3] == 200, "all have it, and none answers: the usual");
	take(5, "/a", "", "{}");
	CHECK(says(WIRE_EVENT), "another");
	wrong.headers = STR("X: y\r\n\r\nbody");
	reply_answer(ticket, &wrong);
	CHECK(status[5] != 201, "what would end the head is not taken");
	end();
}

/* --- secrets that a handshake brings ------------------------------------------------------ */

#define CAPTURE	"{'signature':{'header':'X-T','form':'{sig:hex}','algorithm':'hmac-sha256'"	\
		"},'handshakes':[{'when':{'header:X-Secret':true,'header:X-T':false},"	\
		"'capture':'header:X-Secret','answer':{'status':200,'headers':{"	\
		"'X-Secret':'{header:X-Secret}'}}}]}"
#define CAPTURES "'/a':{'provider':" CAPTURE ",'secret':['captured:new','captured:old']},"	\
		"'/plain':{'provider':" CAPTURE ",'secret':'plain:s3cret'}"

static void
test_capture(void)
{
	begin(CAPTURES, "");
	take(0, "/a", "X_SECRET=chosen-by-them", "{}");
	CHECK(status[0] == 0 && says(WIRE_CAPTURE), "a secret is kept first");
	CHECK(str_eq(get_str(&fields), STR("new\nold")) &&
	    str_eq(get_str(&fields), STR("chosen-by-them")) && get_done(&fields),
	    "under one of the hook's names");
	reply_stored(ticket);
	CHECK(status[0] == 200 && str_eq(extra[0],
	    STR("X-Secret: chosen-by-them\r\n")), "then it is answered");
	take(1, "/a", "X_SECRET=chosen-by-me", "{}");
	CHECK(says(WIRE_CAPTURE), "another");
	reply_refused(ticket, REFUSED_NO_WINDOW);
	CHECK(status[1] == 403 && extra[1].n == 0, "nobody waits for it: 403");
	take(2, "/a", "X_SECRET=chosen-by-them", "{}");
	CHECK(says(WIRE_CAPTURE), "another");
	reply_refused(ticket, REFUSED_SYNC);
	CHECK(status[2] == 503, "it could not be kept: 503");
	take(3, "/a", "X_SECRET=short", "{}");
	CHECK(status[3] == 403 && says(0), "what is no secret is not offered");
	take(4, "/plain", "X_SECRET=chosen-by-them", "{}");
	CHECK(status[4] == 403 && says(0), "nor where the hook has its own");
	take(5, "/a", "X_SECRET=chosen-by-them", "{}");
	CHECK(says(WIRE_CAPTURE), "another");
	die();
	handler_tick(handler, when_steady() + 100);
	CHECK(status[5] == 0 && says(WIRE_CAPTURE), "the courier is gone: once more");
	reply_stored(ticket);
	CHECK(status[5] == 200, "and it is kept");
	end();
}

static void
test_captured(void)
{
	begin(CAPTURES, "");
	take(0, "/a", signed_by("chosen-by-them", ""), "{}");
	take(1, "/a", signed_by("the-one-before", ""), "{}");
	take(2, "/a", signed_by("chosen-by-me", ""), "{}");
	CHECK(status[0] == 0 && says(WIRE_WANT_SECRET) &&
	    str_eq(get_str(&fields), STR("new")) && get_done(&fields) && says(0),
	    "the courier is asked for the secret, once");
	reply_secret(ticket, "chosen-by-them");
	CHECK(says(WIRE_WANT_SECRET) && str_eq(get_str(&fields), STR("old")),
	    "then for the other");
	reply_secret(ticket, "the-one-before");
	CHECK(status[0] == 200 && status[1] == 200 && status[2] == 401,
	    "either proves what it signed");
	end();

	begin(CAPTURES, "");
	take(0, "/a", signed_by("", ""), "{}");
	CHECK(says(WIRE_WANT_SECRET), "asked");
	reply_refused(ticket, REFUSED_NO_KEY);
	CHECK(says(WIRE_WANT_SECRET), "for both");
	reply_refused(ticket, REFUSED_NO_KEY);
	CHECK(status[0] == 401, "who has no secret takes nothing");
	end();

	begin("'/a':{'provider':" CAPTURE ",'secret':['plain:own','captured:new']}", "");
	take(0, "/a", signed_by("own", ""), "{}");
	CHECK(status[0] == 200 && says(0), "what the hook's own secret proves asks for "
	    "no other");
	take(1, "/a", signed_by("other", ""), "{}");
	CHECK(status[1] == 0 && says(WIRE_WANT_SECRET), "what it does not prove does");
	end();
}

/* --- refused, and set aside ----------------------------------------------------------------- */

#define ASIDE	"'/a':{'provider':{'signature':[{'header':'X-T','algorithm':'equal'},{"	\
		"'query':'k','algorithm':'equal'}]},'secret':'plain:s3cret'},"		\
		CAPTURES_AS("/c")
#define CAPTURES_AS(path) "'" path "':{'provider':" CAPTURE ",'secret':'captured:new'}"

static void
test_aside(void)
{
	struct str verdict, reason;
	struct event ev;
	size_t n = 0;

	begin(ASIDE, "'quarantine':'/nowhere/at-all',");
	take(0, "/a", "X_T=guess", "{}");
	CHECK(status[0] == 401 && meet(), "the first that is refused calls the courier");
	take(0, "/a?k=guess", "X_T=guess\nX_A=b", "{\"a\":1}");
	CHECK(status[0] == 401 && says(WIRE_QUARANTINE), "what is refused is set aside");
	fields = GET(said.body);
	verdict = get_str(&fields);
	reason = get_str(&fields);
	get_event(&fields, &ev);
	CHECK(get_done(&fields) && str_eq(verdict, STR("forged")) && reason.n > 0,
	    "with what is wrong");
	CHECK(str_eq(ev.body, STR("{\"a\":1}")) && str_eq(ev.hook, STR("/a")) &&
	    memmem(ev.headers.p, ev.headers.n, "[\"x-a\",\"b\"]", 11) != NULL,
	    "whole");
	CHECK(memmem(ev.headers.p, ev.headers.n, "guess", 5) == NULL &&
	    memmem(ev.target.p, ev.target.n, "guess", 5) == NULL,
	    "but for what stands in a secret's place");
	take(1, "/a", "X_T=s3cret", "{}");
	CHECK(status[1] == 200 && says(0), "what is taken is not");
	take(2, "/none", "X_T=guess", "{}");
	CHECK(status[2] == 404 && says(0), "nor what has no hook");
	take(3, "/c", "X_SECRET=chosen-by-them", "{}");
	CHECK(says(WIRE_CAPTURE), "a secret that is offered");
	reply_refused(ticket, REFUSED_NO_WINDOW);
	CHECK(status[3] == 403 && says(0), "is not set aside when it is not taken");
	for (size_t i = 0; i < 100; i++)
		take(4, "/a", "X_T=guess", "{}");
	while (says(WIRE_QUARANTINE))
		n++;
	CHECK(n > 0 && n <= 20, "at most a few a second");
	end();

	begin(ASIDE, "");
	take(0, "/a", "X_T=guess", "{}");
	CHECK(status[0] == 401 && says(0), "nothing is set aside unless one says so");
	end();
}

int
main(void)
{
	struct err e;

	if (mkdtemp(place) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/courier.sock", place);
#define TRY(test) do {								\
	if ((listener = os_listen_unix(path, 0600, (gid_t)-1, 16, &e)) == -1)	\
		return 1;							\
	test();									\
	close(listener);							\
	unlink(path);								\
} while (0)
	TRY(test_key);
	TRY(test_no_key);
	TRY(test_lost);
	TRY(test_counters);
	TRY(test_out_of_time);
	TRY(test_too_many);
	TRY(test_reload);
	TRY(test_asked);
	TRY(test_capture);
	TRY(test_captured);
	TRY(test_aside);
	rmdir(place);
	TEST_END("parked");
}
