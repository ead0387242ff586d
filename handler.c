/*
 * handler.c - decide (pure), then act.  See handler.h.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/trace.h"
#include "base/when.h"
#include "handler.h"
#include "provider.h"
#include "counted.h"

#define RETRY_AFTER	"Retry-After: 5\r\n"
#define ASKED_MOST	64		/* keys under way */
#define ASKED_TICKET	((uint64_t)1 << 63)	/* no request's ticket has it */
#define ASKS_MOST	8		/* of one request */
#define SECRET_HOLDS	(10 * KEY_SECOND)	/* that a captured secret is believed */
#define SECRET_REFUSED_HOLDS (KEY_SECOND / 10)	/* the first event comes at once */
#define REFUSED_HOLDS	(10 * KEY_SECOND)	/* that a key is not asked for again */
#define QUARANTINE_RATE	10		/* refused requests a second */
#define METRICS_HEAD	"Cache-Control: no-store\r\n"

/* --- the setting ------------------------------------------------------------ */

struct setting *
setting_new(struct bundle *bundle, const char *conf_name, uint64_t generation,
    struct err *e)
{
	struct setting *s = calloc(1, sizeof(*s));
	struct conf_place here = conf_here();
	struct str lacks;
	size_t at = 0;

	if (s == NULL) {
		bundle_free(bundle);
		err_set(e, ERR_OS, "no memory for a configuration");
		return NULL;
	}
	s->bundle = bundle;
	s->generation = generation;
	s->users = 1;
	if ((lacks = bundle_lacks(bundle, &at)).p != NULL) {
		err_set(e, ERR_CONF, "the secret \"%.*s\" was not fetched",
		    STR_ARG(lacks));
		setting_drop(s);
		return NULL;
	}
	s->conf = conf_gathered(bundle, conf_name, e);
	if (s->conf == NULL || conf_settle(s->conf, &here, NULL, e) == -1 ||
	    (s->routes = routes_new(s->conf, bundle, e)) == NULL) {
		setting_drop(s);
		return NULL;
	}
	if ((s->ring = keyring_new()) == NULL) {
		setting_drop(s);
		err_set(e, ERR_OS, "no memory for keys");
		return NULL;
	}
	return s;
}

struct setting *
setting_use(struct setting *s)
{
	s->users++;
	return s;
}

void
setting_drop(struct setting *s)
{
	if (s == NULL || --s->users > 0)
		return;
	keyring_free(s->ring);
	routes_free(s->routes);
	conf_free(s->conf);
	bundle_free(s->bundle);
	free(s);
}

/* --- deciding --------------------------------------------------------------- */

static struct answer
plain(int status, struct str extra)
{
	return (struct answer){ .status = status, .extra = extra };
}

static struct decision
say(struct decision d, struct answer a, const char *reason)
{
	d.action = ACT_ANSWER;
	d.answer = a;
	d.reason = reason;
	return d;
}

struct answer
handler_later(const struct route *r)
{
	return r != NULL && r->provider->later.set ? r->provider->later.answer :
	    plain(503, STR(RETRY_AFTER));
}

static bool
listed(const struct str *words, size_t n, struct str word)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(words[i], word))
			return true;
	return false;
}

/* HEAD asks what GET asks (RFC 9110, section 9.3.2). */
static struct str
method_asked(const struct request *q)
{
	return str_eq(q->method, STR("HEAD")) ? STR("GET") : q->method;
}

/* Methods that bring events: the hook's own, or its provider's. */
static bool
method_for_events(const struct route *r, struct str method)
{
	if (r->hook->nmethods > 0)
		return listed(r->hook->methods, r->hook->nmethods, method);
	return listed(r->provider->methods, r->provider->nmethods, method);
}

/* By the name it came under too: some ask by HEAD itself. */
static bool
method_for_handshakes(const struct route *r, const struct request *q)
{
	const struct provider *p = r->provider;

	return listed(p->handshake_methods, p->nhandshake_methods,
	    method_asked(q)) || listed(p->handshake_methods,
	    p->nhandshake_methods, q->method);
}

static struct answer
method_not_allowed(const struct route *r, struct arena *a)
{
	const struct provider *p = r->provider;
	const struct str *own = r->hook->nmethods > 0 ? r->hook->methods :
	    p->methods;
	size_t n = r->hook->nmethods > 0 ? r->hook->nmethods : p->nmethods;
	struct str allow = STR("Allow: "), sep = STR("");

	for (size_t i = 0; i < n; i++) {
		allow = arena_printf(a, "%.*s%.*s%.*s", STR_ARG(allow),
		    STR_ARG(sep), STR_ARG(own[i]));
		sep = STR(", ");
	}
	for (size_t i = 0; i < p->nhandshake_methods; i++)
		if (!listed(own, n, p->handshake_methods[i]))
			allow = arena_printf(a, "%.*s, %.*s", STR_ARG(allow),
			    STR_ARG(p->handshake_methods[i]));
	return plain(405, arena_printf(a, "%.*s\r\n", STR_ARG(allow)));
}

/* An address as 16 bytes, IPv4 mapped into IPv6 (RFC 4291, section 2.5.5.2). */
static bool
address(struct str text, unsigned char out[16])
{
	char s[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof(s))
		return false;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	if (inet_pton(AF_INET6, s, out) == 1)
		return true;
	memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	return inet_pton(AF_INET, s, out + 12) == 1;
}

static bool
within(const struct cidr *c, const unsigned char addr[16])
{
	unsigned whole = c->bits / 8, left = c->bits % 8;
	unsigned char mask;

	if (memcmp(c->addr, addr, whole) != 0)
		return false;
	if (left == 0)
		return true;
	mask = (unsigned char)(0xff << (8 - left));
	return ((c->addr[whole] ^ addr[whole]) & mask) == 0;
}

static bool
may_come_from(const struct hook *h, const struct request *q)
{
	unsigned char addr[16];

	if (h->nfrom == 0)
		return true;
	if (!address(q->remote, addr))
		return false;
	for (size_t i = 0; i < h->nfrom; i++)
		if (within(&h->from[i], addr))
			return true;
	return false;
}

/* A fingerprint without the colons that some web servers put between bytes. */
static bool
same_fingerprint(struct str a, struct str b)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a.n && a.p[i] == ':')
			i++;
		while (j < b.n && b.p[j] == ':')
			j++;
		if (i == a.n || j == b.n)
			return i == a.n && j == b.n;
		if (!str_eq_nocase(str_head(str_skip(a, i), 1),
		    str_head(str_skip(b, j), 1)))
			return false;
		i++, j++;
	}
}

static bool
certificate_fits(const struct hook *h, const struct request *q)
{
	if (h->client_cert.n == 0)
		return true;
	if (!str_eq(q->tls_verify, STR("SUCCESS")))
		return false;
	return str_eq(h->client_cert, STR("verified")) ||
	    same_fingerprint(h->client_cert, q->tls_fingerprint);
}

static struct answer
or_default(const struct provider_answer *said, int status)
{
	return said->set ? said->answer : plain(status, STR_NONE);
}

/* What the provider wants to hear; false: something in it is not to be had. */
static bool
accepted(const struct route *r, struct request *q, int64_t now, struct answer *a)
{
	struct scope s = auth_scope(r, q);

	s.now = arena_printf(q->arena, "%lld", (long long)(now / 1000));
	return reply_make(&r->provider->accepted, &s, a);
}

static struct answer
refused(const struct provider *p)
{
	return or_default(&p->refused, 401);
}

/* The kind that the body has to be, or 0 when its Content-Type is forbidden. */
static enum body_kind
kind_wanted(const struct provider *p, const struct request *q)
{
	enum body_kind said = request_body_kind(q);

	if (p->any_type)
		return p->bodies;		/* the one kind it sends */
	if (p->bodies == 0 || (p->bodies & BODY_ANY) != 0)
		return said;
	if (q->content_type.n == 0)		/* nothing said, nothing wrong */
		return (p->bodies & BODY_JSON) ? BODY_JSON : p->bodies;
	return (enum body_kind)(p->bodies & said);
}

/* Each line a text of its own; nothing on the last one. */
static bool
lines_of_json(const struct request *q)
{
	struct str rest = q->body, line;

	while (rest.p != NULL) {
		line = str_trim(str_cut(&rest, '\n'));
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0 && rest.n == 0)
			break;
		if (json_scan(line, q->json, NULL) != JSON_OK)
			return false;
	}
	return true;
}

static bool
well_formed(const struct provider *p, struct request *q, enum body_kind kind)
{
	struct pair *pairs;
	size_t n;

	if (q->body.n == 0)
		return p->empty || (kind & (BODY_JSON | BODY_MULTIPART)) == 0;
	if (kind & BODY_JSON)
		return request_json(q) || (p->lines && lines_of_json(q));
	if (kind & (BODY_FORM | BODY_MULTIPART))
		return request_fields(q, &pairs, &n) == 0;
	return true;
}

/* As a traceparent, whichever header says it. */
static struct str
trace_of(const struct request *q)
{
	struct str header = request_header(q, STR("traceparent"), NULL);
	char text[TRACE_PARENT];
	struct trace t;

	if (header.n == TRACE_PARENT - 1 && trace_parent(&t, header))
		return header;
	header = request_header(q, STR("x-cloud-trace-context"), NULL);
	if (!trace_cloud(&t, header))
		return STR_NONE;
	trace_print(text, &t);
	return arena_str(q->arena, str_of(text));
}

/*
 * Nobody hears more of it than the log line and the application behind us, or the
 * line of "stdout:", or whoever keeps it or hands it on.
 */
static enum auth_detail
detail_wanted(const struct setting *s, const struct route *r)
{
	if (conf_keeps(s->conf->inbox_kind) || r->nrules > 0)
		return AUTH_KEPT;
	return s->conf->inbox_kind == INBOX_STDOUT ? AUTH_SHOWN : AUTH_NAMED;
}

/* handshake: its own answer goes back.  false when the arena is full. */
static bool
event_of(const struct setting *s, const struct route *r, struct request *q,
    const struct verdict *v, int64_t now, const unsigned char dice[10],
    bool handshake, struct event *e)
{
	*e = (struct event){
		.received_at = now,
		.hook = r->hook->path,
		.provider = r->hook->provider,
		.method = q->method,
		.remote = q->remote,
		.body = q->body,
		.body_fd = q->body_fd,
		.size = q->body.n,
		.request_id = q->request_id,
		.trace = trace_of(q),
		.within = (uint32_t)r->deadline,
	};
	event_mint(e->id, now, dice);
	return auth_event(r, q, v, detail_wanted(s, r), e) &&
	    deliver_choose(r->rules, r->nrules, q, e->event_type, !handshake,
	    &e->deliver);
}

static bool
is_health(const struct setting *s, const struct request *q)
{
	return s->conf->health.n > 0 && q->hook.p == NULL &&
	    str_eq(q->path, s->conf->health) &&
	    routes_find(s->routes, q->path) == NULL;
}

static bool
is_metrics(const struct setting *s, const struct request *q)
{
	return s->conf->metrics.n > 0 && q->hook.p == NULL &&
	    (str_eq(q->path, s->conf->metrics) || str_eq(q->metrics, STR("1"))) &&
	    routes_find(s->routes, q->path) == NULL;
}

/* Did it pass somebody on the way, who has the address that the web server sees? */
static bool
was_forwarded(const struct request *q)
{
	static const struct str marks[] = { STR("x-forwarded-for"), STR("forwarded"),
	    STR("via"), STR("x-real-ip") };
	size_t n;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		request_header(q, marks[i], &n);
		if (n > 0)
			return true;
	}
	return false;
}

/*
 * May it see what was counted?  A location of the web server says so, or it comes from
 * this machine: itself, not through a proxy that runs here.
 */
static bool
may_see_metrics(const struct request *q)
{
#ifdef TEST_METRICS_FOR_ALL		/* tests/stats.sh must notice */
	(void)q;
	return true || was_forwarded(q);
#else
	static const unsigned char here[16] = { [15] = 1 };
	static const unsigned char mapped[13] = { [10] = 0xff, [11] = 0xff,
	    [12] = 127 };
	unsigned char addr[16];

	if (str_eq(q->metrics, STR("1")))
		return true;
	if (was_forwarded(q))
		return false;
	if (str_eq(q->remote, STR("unix:")))
		return true;
	return address(q->remote, addr) && (memcmp(addr, here, 16) == 0 ||
	    memcmp(addr, mapped, sizeof(mapped)) == 0);
#endif
}

/* The secret of a hook comes by a handshake, and the hook is one that waits for it. */
static struct decision
capture(struct decision d, const struct handshake *hs)
{
	if (d.route->ncaptured == 0)
		return say(d, hs->refused, "secret-not-captured");
	d.action = ACT_CAPTURE;
	d.answer = hs->answer;
	d.not_captured = hs->refused;
	d.captured = hs->captured;
	d.reason = "captured";
	return d;
}

/* A page of ours, which is read and nothing else. */
static struct decision
page(struct decision d, enum action action, struct answer a, const char *reason,
    struct str method)
{
	if (!str_eq(method, STR("GET")))
		return say(d, plain(405, STR("Allow: GET, HEAD\r\n")), "method");
	d.action = action;
	d.answer = a;
	d.reason = reason;
	return d;
}

/*
 * Why it is turned away before anything in it is judged, and with what; NULL: it is not.
 * The order is the status contract's.
 */
static const char *
turned_away(const struct route *r, const struct request *q, struct str method,
    struct answer *a)
{
	if (!method_for_events(r, method) && !method_for_handshakes(r, q)) {
		*a = method_not_allowed(r, q->arena);
		return "method";
	}
	if (q->fault == REQUEST_TOO_LARGE || q->body.n > r->max_body) {
		*a = plain(413, STR_NONE);
		return "body-too-large";
	}
	if (q->fault == REQUEST_NO_ROOM) {
		*a = handler_later(r);
		return "worker-memory";
	}
	*a = plain(403, STR_NONE);
	if (!may_come_from(r->hook, q))
		return "address";
	return certificate_fits(r->hook, q) ? NULL : "client-certificate";
}

struct decision
handler_decide(const struct setting *s, struct request *q,
    const struct keyring *ring, int64_t now, const unsigned char dice[10])
{
	struct decision d = { .action = ACT_ANSWER, .verdict.alternative = -1 };
	const struct route *r;
	const struct provider *p;
	struct handshake hs;
	struct str method = method_asked(q);
	enum body_kind kind;
	struct answer no;
	const char *why;

	if (q->fault == REQUEST_BAD)
		return say(d, plain(400, STR_NONE), "bad-request");
	if (is_health(s, q))
		return page(d, ACT_HEALTH, plain(200, STR_NONE), "health", method);
	if (is_metrics(s, q) && may_see_metrics(q))
		return page(d, ACT_METRICS, (struct answer){ .status = 200,
		    .type = STR(STATS_TEXT_TYPE), .extra = STR(METRICS_HEAD) },
		    "metrics", method);
	r = d.route = routes_find(s->routes, q->hook.p ? q->hook : q->path);
	if (r == NULL)
		return say(d, plain(404, STR_NONE), "no-hook");
	p = r->provider;
	q->json = r->json;
	if ((why = turned_away(r, q, method, &no)) != NULL)
		return say(d, no, why);

	hs = handshake_try(r, q, false);
	if (hs.step == HANDSHAKE_ANSWER && hs.captured.p != NULL)
		return capture(d, &hs);
	if (hs.step == HANDSHAKE_ANSWER && !hs.store)
		return say(d, hs.answer, "handshake");
	if (hs.step == HANDSHAKE_REFUSE)
		return say(d, hs.answer, hs.reason);
	if (hs.step == HANDSHAKE_NONE && !method_for_events(r, method))
		return say(d, method_not_allowed(r, q->arena), "method");

	d.verdict = auth_verify(r, q, ring, now);
	if (d.verdict.code == VERDICT_WANTS_KEY) {
		d.action = ACT_ASK;
		d.reason = d.verdict.reason;
		return d;
	}
	d.judged = true;
	event_mint(d.event.id, now, dice);
	if (d.verdict.code != VERDICT_GENUINE && d.verdict.code != VERDICT_OPEN)
		return say(d, refused(p), d.verdict.reason);
	if (hs.step == HANDSHAKE_VERIFY) {
		hs = handshake_try(r, q, true);
		if (hs.step == HANDSHAKE_REFUSE)
			return say(d, hs.answer, hs.reason);
		if (hs.step == HANDSHAKE_ANSWER && !hs.store)
			return say(d, hs.answer, "handshake");
	}

	if ((kind = kind_wanted(p, q)) == 0)
		return say(d, plain(415, STR_NONE), "content-type");
	if (!well_formed(p, q, kind))
		return say(d, or_default(&p->malformed, 400), "malformed");

	d.action = ACT_STORE;
	if (!event_of(s, r, q, &d.verdict, now, dice,
	    hs.step == HANDSHAKE_ANSWER, &d.event))
		return say(d, handler_later(r), "worker-memory");
	if (hs.step == HANDSHAKE_ANSWER)
		d.answer = hs.answer;
	else if (!accepted(r, q, now, &d.answer))
		return say(d, plain(500, STR_NONE), "no-answer");
	d.reason = hs.step == HANDSHAKE_ANSWER ? "handshake" : "accepted";
	return d;
}

struct answer
handler_stored(const struct decision *d, const struct stored *as,
    struct arena *a)
{
	const struct hook *h;
	struct str extra;
	bool repeat = (as->flags & STORED_REPEAT) != 0;

	if (d->action != ACT_STORE || d->route->hook->pass.n == 0)
		return d->answer;
	/*
	 * 503 and not 200: nginx follows the redirect and the application's own
	 * status goes back; any other front shows the 503, never a false 2xx.
	 */
	h = d->route->hook;
	extra = arena_printf(a, RETRY_AFTER "X-Accel-Redirect: %.*s\r\n"
	    "X-Hooklatch-Event: %s\r\nX-Hooklatch-Hook: %.*s\r\n"
	    "X-Hooklatch-Provider: %.*s\r\nX-Hooklatch-Repeat: %d\r\n",
	    STR_ARG(h->pass), as->id, STR_ARG(h->path), STR_ARG(h->provider),
	    repeat);
	return extra.p == NULL ? handler_later(d->route) : plain(503, extra);
}

struct answer
handler_spoken(const struct spoken *s)
{
	return (struct answer){ .status = (int)s->status, .type = s->type,
	    .extra = s->headers, .body = s->body };
}

struct answer
handler_refused(const struct decision *d, enum wire_refusal why)
{
	switch (why) {
	case REFUSED_REPLAY:
		return refused(d->route->provider);
	case REFUSED_TOO_LARGE:
		return plain(413, STR_NONE);
	case REFUSED_NO_WINDOW:
		return d->not_captured;
	default:
		return handler_later(d->route);
	}
}

/* --- acting ------------------------------------------------------------------ */

/* A key that the courier is asked for: for all requests that want it. */
struct asked {
	char		*id;		/* struct want; NULL: free */
	size_t		 n;
	struct setting	*setting;	/* whose route it is */
	const struct route *route;
	size_t		 alternative;
	bool		 captured;
	uint32_t	 serial;	/* so that old replies miss */
};

struct handler {
	struct setting	*setting;
	struct handler_ops ops;
	struct log	*log;
	struct link	*link;		/* NULL without a courier */
	struct counted	*counted;		/* what the courier does not know yet */
	struct asked	 asked[ASKED_MOST];
	int64_t		 quarantined_in;	/* steady second, and how many in it */
	unsigned	 quarantined;
	struct flight	**slots;	/* parked, by ticket */
	uint32_t	*serials;	/* a slot's, so that old replies miss */
	uint32_t	*unused;	/* slots, a stack */
	size_t		 nslots;
	size_t		 nunused;
	size_t		 lost;		/* parked when the courier went away */
	int64_t		 next_deadline;	/* steady ms; the nearest, or sooner */
	unsigned char	 dice[1280];
	size_t		 ndice;
};

static int64_t
steady_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
asked_end(struct asked *a)
{
	free(a->id);
	setting_drop(a->setting);
	*a = (struct asked){ .serial = a->serial + 1 };
}

static void
asked_forget(struct handler *h)
{
	for (size_t i = 0; i < ASKED_MOST; i++)
		if (h->asked[i].id != NULL)
			asked_end(&h->asked[i]);
}

static void
follow_inbox(struct handler *h)
{
	const struct conf *c = h->setting->conf;

	if (h->link == NULL && (conf_keeps(c->inbox_kind) || conf_delivers(c) ||
	    c->metrics.n > 0 || c->quarantine.n > 0 || routes_ask(h->setting->routes)))
		h->link = link_new(c->courier, c->courier_user);
}

void
handler_reloaded(struct handler *h, bool ok, int64_t at)
{
	counted_reloaded(h->counted, ok, at);
}

struct handler *
handler_new(struct setting *s, const struct handler_ops *ops, struct log *log,
    size_t in_flight, struct err *e)
{
	struct handler *h = calloc(1, sizeof(*h));

	if (h == NULL)
		goto no_memory;
	h->setting = s;
	h->ops = *ops;
	h->log = log;
	h->nslots = h->nunused = in_flight;
	h->next_deadline = INT64_MAX;
	h->slots = calloc(in_flight, sizeof(h->slots[0]));
	h->serials = calloc(in_flight, sizeof(h->serials[0]));
	h->unused = calloc(in_flight, sizeof(h->unused[0]));
	h->counted = counted_new();
	if (h->slots == NULL || h->serials == NULL || h->unused == NULL ||
	    h->counted == NULL)
		goto no_memory;
	for (size_t i = 0; i < in_flight; i++)
		h->unused[i] = (uint32_t)(in_flight - 1 - i);
	follow_inbox(h);
	return h;
no_memory:
	err_set(e, ERR_OS, "no memory for %zu requests in flight", in_flight);
	handler_free(h);
	return NULL;
}

void
handler_free(struct handler *h)
{
	if (h == NULL)
		return;
	if (h->link != NULL && link_fd(h->link) != -1) {
		counted_tell(h->counted, h->link);
		link_flush(h->link);
	}
	link_free(h->link);
	counted_free(h->counted);
	asked_forget(h);
	setting_drop(h->setting);
	free(h->slots);
	free(h->serials);
	free(h->unused);
	free(h);
}

struct setting *
handler_setting(struct handler *h)
{
	return h->setting;
}

bool
handler_full(const struct handler *h)
{
	/* A reload may lower what may be parked; there are no more slots. */
	return h->nunused == 0 ||
	    h->nslots - h->nunused >= h->setting->conf->in_flight;
}

static const unsigned char *
dice(struct handler *h)
{
	if (h->ndice < 10) {
		if (os_random(h->dice, sizeof(h->dice)) == -1)
			return NULL;
		h->ndice = sizeof(h->dice);
	}
	h->ndice -= 10;
	return h->dice + h->ndice;
}

static void
count(struct handler *h, const struct flight *f, int status, bool refused, int64_t us)
{
	const struct decision *d = &f->decision;
	const struct verdict *v = &d->verdict;
	struct str hook = d->route != NULL ? d->route->hook->path : STR(STATS_NONE);

	counted_request(h->counted, hook, status, d->judged ?
	    str_of(verdict_name(v->code)) : STR(STATS_NONE), us);
	if (refused)
		counted_refused(h->counted, hook, str_of(d->reason));
	if (d->judged && v->code == VERDICT_GENUINE)
		counted_match(h->counted, hook, v->secret);
}

/* What Cloud Run's console shows a request by.  No path that is no hook's, no query. */
static void
log_for_cloud(struct line *l, const struct flight *f, int status, int64_t us)
{
	const struct decision *d = &f->decision;
	const struct request *q = &f->request;
	struct str path = d->route != NULL ? d->route->hook->path : STR("");
	char text[1400];
	struct buf b = BUF(2048);

	snprintf(text, sizeof(text), "%d %s%s%.*s", status, d->reason,
	    path.n > 0 ? " " : "", STR_ARG(path));
	line_str(l, "message", str_of(text));
	buf_put(&b, STR("{\"requestMethod\":"));
	buf_json(&b, str_head(q->method, 16));
	if (path.n > 0) {
		buf_put(&b, STR(",\"requestUrl\":"));
		buf_json(&b, path);
	}
	buf_printf(&b, ",\"status\":%d,\"requestSize\":\"%zu\",\"latency\":"
	    "\"%lld.%06llds\"}", status, q->body.n, (long long)(us / 1000000),
	    (long long)(us % 1000000));
	if (buf_ok(&b))
		line_json(l, "httpRequest", buf_str(&b));
	buf_free(&b);
}

static void
log_request(struct handler *h, const struct flight *f, int status, int64_t us)
{
	const struct decision *d = &f->decision;
	const struct request *q = &f->request;
	bool known = d->route != NULL;
	struct str trace = trace_of(q);
	struct line l;

	if (h->log == NULL)
		return;
	line_begin(&l, h->log, status >= 500 ? LOG_WARN_ : LOG_INFO_,
	    "request");
	if (h->log->cloud && !h->log->text)
		log_for_cloud(&l, f, status, us);
	line_num(&l, "status", status);
	/* A path that is no hook is anybody's text: only the hooks' are logged. */
	if (known) {
		line_str(&l, "hook", d->route->hook->path);
		line_str(&l, "provider", d->route->hook->provider);
	}
	if (d->judged)
		line_str(&l, "verdict",
		    str_of(verdict_name(d->verdict.code)));
	line_str(&l, "reason", str_of(d->reason));
	if (d->verdict.secret.n > 0)
		line_str(&l, "secret", d->verdict.secret);
	if (d->action == ACT_STORE) {
		line_str(&l, "id", str_of(d->event.id));
		if (d->event.event_id.n > 0)
			line_str(&l, "event_id", d->event.event_id);
		if (d->event.event_type.n > 0)
			line_str(&l, "event_type", d->event.event_type);
	}
	if (f->quarantined)
		line_str(&l, "quarantined", str_of(d->event.id));
	line_num(&l, "bytes", (int64_t)q->body.n);
	line_num(&l, "ms", us / 1000);
	if (q->request_id.n > 0)
		line_str(&l, "request_id", q->request_id);
	if (trace.n > 0)
		line_trace(&l, trace);
	line_end(&l);
}

static void
unpark(struct handler *h, struct flight *f)
{
	uint32_t slot = (uint32_t)f->ticket;

	h->slots[slot] = NULL;
	h->serials[slot]++;
	h->unused[h->nunused++] = slot;
	f->parked = false;
}

/* Was it refused for what it is? */
static bool
is_refused(const struct decision *d)
{
	return d->action == ACT_ANSWER && d->route != NULL && d->judged &&
	    d->answer.status >= 400 && d->answer.status < 500;
}

/*
 * A request that was refused goes to the courier to be looked at later, when the
 * configuration says so.  At most a few a second, and none while events wait.
 */
static void
quarantine(struct handler *h, struct flight *f)
{
	const struct decision *d = &f->decision;
	struct request *q = &f->request;
	int64_t second = when_steady() / 1000;
	struct event e = { .received_at = when_now(), .body_fd = -1 };

	if (!is_refused(d) || f->setting->conf->quarantine.n == 0 ||
	    q->body.n > EVENT_INLINE || h->link == NULL ||
	    !link_up(h->link, when_steady()) || link_waiting(h->link))
		return;
	if (second != h->quarantined_in) {
		h->quarantined_in = second;
		h->quarantined = 0;
	}
	if (h->quarantined++ >= QUARANTINE_RATE)
		return;
	memcpy(e.id, d->event.id, sizeof(e.id));
	e.hook = d->route->hook->path;
	e.provider = d->route->hook->provider;
	e.method = q->method;
	e.remote = q->remote;
	e.body = q->body;
	e.size = q->body.n;
	e.headers = auth_stored_headers(d->route, q);
	e.target = auth_stored_target(d->route, q);
	e.scheme = str_of(d->verdict.scheme);
	if (e.headers.p == NULL || e.target.p == NULL || e.id[0] == '\0')
		return;
	f->quarantined = link_quarantine(h->link,
	    str_of(verdict_name(d->verdict.code)), str_of(d->reason), &e) == 0;
}

/* refused: it was not what was asked for. */
static void
end(struct handler *h, struct flight *f, const struct answer *a, bool refused)
{
	struct setting *s = f->setting;
	enum action was = f->decision.action;
	int64_t us = steady_us() - f->began;

	quarantine(h, f);
	if (f->parked)
		unpark(h, f);
	if (was != ACT_HEALTH && was != ACT_METRICS && h->link != NULL)
		count(h, f, a->status, refused, us);
	log_request(h, f, a->status, us);
	f->setting = NULL;
	h->ops.answer(h->ops.self, f, a);	/* f may be gone after this */
	setting_drop(s);
}

static void
finish(struct handler *h, struct flight *f, const struct answer *a)
{
	end(h, f, a, a->status >= 400);
}

static void
finish_later(struct handler *h, struct flight *f, const char *reason)
{
	struct answer a = handler_later(f->decision.route);

	f->decision.reason = reason;
	finish(h, f, &a);
}

/* A word for the log, of what is kept. */
static void
reason_stored(struct flight *f, const struct stored *as)
{
	if (as->flags & STORED_REPEAT)
		f->decision.reason = "repeat";
	if (as->flags & STORED_OTHER_BODY)
		f->decision.reason = "same-id-other-bytes";
	else if (as->flags & STORED_OTHER_ID)
		f->decision.reason = "same-bytes-other-id";
}

static void
finish_stored(struct handler *h, struct flight *f, const struct stored *as)
{
	struct answer a = handler_stored(&f->decision, as, f->arena);

	reason_stored(f, as);
	/* "pass" answers 503 to nginx, and that is no refusal. */
	end(h, f, &a, false);
}

/* What it says is no refusal of ours, whatever its status. */
static void
finish_spoken(struct handler *h, struct flight *f, const struct link_reply *r)
{
	struct answer a = handler_spoken(&r->spoken);

	f->decision.reason = "answered";
	reason_stored(f, &r->as);
	end(h, f, &a, false);
}

static bool
park(struct handler *h, struct flight *f)
{
	uint32_t slot;
	int64_t wait;

	if (h->nunused == 0)
		return false;
	slot = h->unused[--h->nunused];
	h->slots[slot] = f;
	f->ticket = (uint64_t)h->serials[slot] << 32 | slot;
	f->parked = true;
	wait = f->decision.route != NULL ? f->decision.route->deadline :
	    f->setting->conf->max_deadline;
	f->deadline = f->began / 1000 + wait;
	if (f->deadline < h->next_deadline)
		h->next_deadline = f->deadline;
	return true;
}

static struct flight *
parked(struct handler *h, uint64_t ticket)
{
	uint32_t slot = (uint32_t)ticket;

	if (slot >= h->nslots || h->slots[slot] == NULL ||
	    h->slots[slot]->ticket != ticket)
		return NULL;		/* answered already, at its deadline */
	return h->slots[slot];
}

static void
hand_over_line(struct handler *h, struct flight *f)
{
	struct stored as = { .flags = 0 };
	struct buf line = BUF(f->request.body.n * 2 + 512 * 1024);
	int done;

	memcpy(as.id, f->decision.event.id, sizeof(as.id));
	event_json(&line, &f->decision.event, &as, 0, true);
	buf_putc(&line, '\n');
	done = !buf_ok(&line) ? -1 :
	    h->ops.line(h->ops.self, f->ticket, buf_str(&line));
	buf_free(&line);
	if (done == 1)
		finish_stored(h, f, &as);
	else if (done == -1)
		finish_later(h, f, "stdout-failed");
}

/* Who is asked for that key already, or a free place; NULL: there is none. */
static struct asked *
asked_find(struct handler *h, const struct setting *s, struct str id)
{
	struct asked *unused = NULL;

	for (size_t i = 0; i < ASKED_MOST; i++) {
		struct asked *a = &h->asked[i];

		if (a->id == NULL)
			unused = a;
		else if (a->setting == s && str_eq((struct str){ a->id, a->n }, id))
			return a;
	}
	return unused;
}

/* -1: nobody can be asked now. */
static int
ask(struct handler *h, struct flight *f)
{
	const struct want *w = &f->decision.verdict.want;
	const struct route *r = f->decision.route;
	struct asked *a = asked_find(h, f->setting, w->id);
	uint64_t ticket;

	if (a == NULL)
		return -1;
	if (a->id != NULL)
		return 0;		/* for another request */
	ticket = ASKED_TICKET | (uint64_t)a->serial << 16 |
	    (uint64_t)(a - h->asked);
	if ((w->captured ? link_want_secret(h->link, ticket, w->name) :
	    link_want_key(h->link, ticket, r->hook->path,
	    (unsigned)w->alternative, w->name, w->again)) == -1 ||
	    (a->id = malloc(w->id.n)) == NULL)
		return -1;
	memcpy(a->id, w->id.p, w->id.n);
	a->n = w->id.n;
	a->setting = setting_use(f->setting);
	a->route = r;
	a->alternative = (size_t)w->alternative;
	a->captured = w->captured;
	return 0;
}

static int
hand_over_secret(struct handler *h, struct flight *f)
{
	const struct route *r = f->decision.route;
	struct str names = STR("");

	for (size_t i = 0; i < r->ncaptured; i++)
		names = arena_printf(f->arena, "%.*s%s%.*s", STR_ARG(names),
		    i > 0 ? "\n" : "", STR_ARG(r->captured[i]));
	return names.p == NULL ? -1 :
	    link_capture(h->link, f->ticket, names, f->decision.captured);
}

static int
hand_over(struct handler *h, struct flight *f)
{
	if (h->link == NULL || !link_up(h->link, when_steady()))
		return -1;
	switch (f->decision.action) {
	case ACT_HEALTH:
		return link_ask_health(h->link, f->ticket);
	case ACT_ASK:
		return ask(h, f);
	case ACT_CAPTURE:
		return hand_over_secret(h, f);
	case ACT_STORE:
		return link_put(h->link, f->ticket, &f->decision.event);
	case ACT_METRICS:
		/* So that it finds its own in the answer. */
		counted_tell(h->counted, h->link);
		return link_counters(h->link, f->ticket, true, STR(""));
	case ACT_ANSWER:
		break;
	}
	return -1;
}

/* Is the courier the one who must do it? */
static bool
is_for_courier(const struct flight *f, enum inbox_kind inbox)
{
	if (f->decision.action == ACT_ASK || f->decision.action == ACT_CAPTURE ||
	    f->decision.action == ACT_METRICS)
		return true;
	/* Without an inbox it is the courier who reaches destinations. */
	if (f->decision.action == ACT_STORE && f->decision.event.deliver.n > 0)
		return true;
	return conf_keeps(inbox);
}

/* What was decided is done; the flight may be gone after it. */
static void
act(struct handler *h, struct flight *f)
{
	struct stored as = { .flags = 0 };
	enum inbox_kind inbox = h->setting->conf->inbox_kind;

	if (f->decision.action == ACT_ANSWER) {
		finish(h, f, &f->decision.answer);
		return;
	}
	memcpy(as.id, f->decision.event.id, sizeof(as.id));
	if (!is_for_courier(f, inbox) && (inbox == INBOX_NONE ||
	    f->decision.action == ACT_HEALTH)) {
		finish_stored(h, f, &as);
	} else if (!f->parked && !park(h, f)) {
		finish_later(h, f, "in-flight-limit");
	} else if (!is_for_courier(f, inbox)) {
		hand_over_line(h, f);
	} else if (hand_over(h, f) == -1) {
		finish_later(h, f, h->link != NULL && link_is_strange(h->link) ?
		    "courier-is-a-stranger" : "courier-away");
	} else {
		f->sent = SENT_ONCE;
	}
}

void
handler_take(struct handler *h, struct flight *f)
{
	const unsigned char *d = dice(h);

	f->began = steady_us();
	f->parked = f->quarantined = false;
	f->asked = 0;
	f->sent = SENT_NEVER;
	f->setting = setting_use(h->setting);
	if (d == NULL) {
		memset(&f->decision, 0, sizeof(f->decision));
		finish_later(h, f, "no-randomness");
		return;
	}
	f->decision = handler_decide(f->setting, &f->request, f->setting->ring,
	    when_now(), d);
	act(h, f);
}

/* Once more, with the key that has come; or with another that it wants. */
static void
judge_again(struct handler *h, struct flight *f)
{
	const unsigned char *d = dice(h);

	if (d == NULL || ++f->asked > ASKS_MOST) {
		finish_later(h, f, d == NULL ? "no-randomness" : "too-many-keys");
		return;
	}
	f->sent = SENT_NEVER;
	f->decision = handler_decide(f->setting, &f->request, f->setting->ring,
	    when_now(), d);
	act(h, f);
}

void
handler_forget(struct handler *h, struct flight *f)
{
	if (f->parked)
		unpark(h, f);
	setting_drop(f->setting);
	f->setting = NULL;
}

void
handler_written(struct handler *h, uint64_t ticket, bool ok)
{
	struct flight *f = parked(h, ticket);
	struct stored as = { .flags = 0 };

	if (f == NULL)
		return;
	memcpy(as.id, f->decision.event.id, sizeof(as.id));
	if (ok)
		finish_stored(h, f, &as);
	else
		finish_later(h, f, "stdout-failed");
}

int
handler_link_fd(const struct handler *h)
{
	return h->link == NULL ? -1 : link_fd(h->link);
}

bool
handler_link_waiting(const struct handler *h)
{
	return h->link != NULL && link_waiting(h->link);
}

/*
 * The courier is gone.  What it had may be committed or not; the same ids sent
 * again make it exact.  A second loss is not tried: the provider will.
 */
static void
link_lost(struct handler *h)
{
	h->lost = 0;
	counted_lost(h->counted);
	asked_forget(h);
	for (size_t i = 0; i < h->nslots; i++) {
		struct flight *f = h->slots[i];

		if (f == NULL || f->sent == SENT_NEVER)
			continue;
		if (f->sent == SENT_TWICE || f->decision.action == ACT_HEALTH ||
		    f->decision.action == ACT_METRICS) {
			finish_later(h, f, "courier-away");
		} else {
			f->sent = SENT_LOST;
			h->lost++;
		}
	}
}

static void
send_again(struct handler *h)
{
	for (size_t i = 0; i < h->nslots && h->lost > 0; i++) {
		struct flight *f = h->slots[i];

		if (f == NULL || f->sent != SENT_LOST)
			continue;
		f->sent = SENT_TWICE;
		if (hand_over(h, f) == -1)
			finish_later(h, f, "courier-away");
	}
	h->lost = 0;
}

void
handler_swap(struct handler *h, struct setting *s)
{
	setting_drop(h->setting);
	h->setting = s;
	/* Another courier: what the old one had in hand is sent to the new one. */
	if (h->link != NULL && link_move(h->link, s->conf->courier))
		link_lost(h);
	follow_inbox(h);
}

/* All requests of a setting that want that key are judged again, or cannot be now. */
static void
release(struct handler *h, const struct setting *s, struct str id, bool known)
{
	for (size_t i = 0; i < h->nslots; i++) {
		struct flight *f = h->slots[i];

		if (f == NULL || f->decision.action != ACT_ASK || f->setting != s ||
		    !str_eq(f->decision.verdict.want.id, id))
			continue;
		if (known)
			judge_again(h, f);
		else
			finish_later(h, f, "key-not-to-be-had-now");
	}
}

static void
keep_key(struct handler *h, const struct asked *a, struct str id,
    const struct link_reply *r)
{
	struct keyring *ring = a->setting->ring;
	const struct provider *p = a->route->provider;
	static const struct str name = STR("captured");
	int64_t now = when_now(), until = now + REFUSED_HOLDS;
	struct key *k = NULL;
	struct err e = { .text = "" };

	if (r->kind == REPLY_SECRET) {
		until = now + SECRET_HOLDS;
		k = auth_keys(p, a->alternative, &name, &r->bytes, 1,
		    (struct texts){ NULL, 0 }, &e);
	} else if (r->kind == REPLY_KEY) {
		until = now + (int64_t)r->seconds * KEY_SECOND;
		k = auth_keys_fetched(p, a->alternative, r->bytes, now, &until, &e);
	}
	if (k != NULL) {
		keyring_put(ring, id, k, now, until);
		return;
	}
	if (r->kind != REPLY_REFUSED && h->log != NULL)
		log_say(h->log, LOG_WARN_, "a key of the provider %.*s cannot be "
		    "used: %s", STR_ARG(p->id), e.text);
	keyring_refuse(ring, id, now, now + (a->captured ? SECRET_REFUSED_HOLDS :
	    REFUSED_HOLDS));
}

/* The courier's word about a key. */
static void
take_key(struct handler *h, const struct link_reply *r)
{
	struct asked *a = &h->asked[r->ticket & (ASKED_MOST - 1)];
	bool known = r->kind != REPLY_REFUSED || r->why == REFUSED_NO_KEY;
	struct asked was;
	struct str id;

	if (a->id == NULL || (r->ticket & ~ASKED_TICKET) >> 16 != a->serial)
		return;
	/* Who is judged again may ask again: the place must be free by then. */
	was = *a;
	*a = (struct asked){ .serial = a->serial + 1 };
	id = (struct str){ was.id, was.n };
	if (known)
		keep_key(h, &was, id, r);
	release(h, was.setting, id, known);
	asked_end(&was);
}

/* The text of all counters, in a memfd of the courier's. */
static void
take_counters(struct handler *h, struct flight *f, int fd)
{
	struct answer a = f->decision.answer;
	struct err e;
	uint64_t size;
	void *text;

	if (f->decision.action != ACT_METRICS || fd == -1 ||
	    os_memfd_sealed(fd, &size, &e) == -1 || size == 0 ||
	    size > STATS_TEXT_MAX || (text = mmap(NULL, size, PROT_READ,
	    MAP_PRIVATE, fd, 0)) == MAP_FAILED) {
		finish_later(h, f, "no-counters");
		return;
	}
	if (!str_eq(f->request.method, STR("HEAD")))
		a.body = (struct str){ text, size };
	finish(h, f, &a);
	munmap(text, size);
}

static void
take_reply(struct handler *h, const struct link_reply *r)
{
	struct flight *f;
	struct answer a;

	if (r->kind == REPLY_COUNTERS) {
		if ((f = parked(h, r->ticket)) != NULL)
			take_counters(h, f, r->fd);
		if (r->fd != -1)
			close(r->fd);
		return;
	}
	if ((r->ticket & ASKED_TICKET) != 0) {
		take_key(h, r);
		return;
	}
	if ((f = parked(h, r->ticket)) == NULL)
		return;
	if (r->kind == REPLY_STORED && f->decision.action == ACT_CAPTURE) {
		finish(h, f, &f->decision.answer);
		return;
	}
	if (r->kind == REPLY_STORED) {
		finish_stored(h, f, &r->as);
		return;
	}
	if (r->kind == REPLY_ANSWER && f->decision.action == ACT_STORE) {
		finish_spoken(h, f, r);
		return;
	}
	if (f->decision.action == ACT_METRICS) {
		finish_later(h, f, "no-counters");
		return;
	}
	a = handler_refused(&f->decision, r->why);
	f->decision.reason = r->why == REFUSED_REPLAY ? "replay" :
	    r->why == REFUSED_SYNC ? "sync-failed" :
	    r->why == REFUSED_NO_WINDOW ? "no-window-for-a-secret" :
	    r->why == REFUSED_DESTINATION ? "destination-failed" : "inbox-busy";
	finish(h, f, &a);
}

unsigned
handler_link_serial(const struct handler *h)
{
	return h->link == NULL ? 0 : link_serial(h->link);
}

void
handler_link_ready(struct handler *h)
{
	struct link_reply r;
	int got = -1;

	if (link_receive(h->link) == 0)
		while ((got = link_next(h->link, &r)) == 1)
			take_reply(h, &r);
	if (got == -1)
		link_lost(h);
	else
		handler_flush(h);
}

void
handler_flush(struct handler *h)
{
	if (h->link != NULL && link_waiting(h->link) &&
	    link_flush(h->link) == -1)
		link_lost(h);
}

int64_t
handler_tick(struct handler *h, int64_t now)
{
	int64_t next = INT64_MAX;

	if (h->link != NULL && counted_tick(h->counted, h->link, now, &next))
		handler_flush(h);
	if (h->lost > 0 && link_up(h->link, now)) {
		send_again(h);
		handler_flush(h);
	}
	if (now >= h->next_deadline) {
		h->next_deadline = INT64_MAX;
		for (size_t i = 0; i < h->nslots; i++) {
			struct flight *f = h->slots[i];

			if (f == NULL)
				continue;
			if (now >= f->deadline)
				finish_later(h, f, "out-of-time");
			else if (f->deadline < h->next_deadline)
				h->next_deadline = f->deadline;
		}
	}
	if (h->lost > 0 && link_retry_at(h->link) < next)
		next = link_retry_at(h->link);
	return next < h->next_deadline ? next : h->next_deadline;
}
