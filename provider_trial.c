/*
 * provider_trial.c - see provider_trial.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_sign.h"
#include "forge.h"
#include "keyring.h"
#include "provider_trial.h"

#define ARENA	((size_t)8 << 20)

/* One example of one file, while it is tried. */
struct bench {
	const struct provider *p;
	const struct example *x;
	const struct signature *s;	/* that holds in it, or NULL */
	struct str	 key_id;	/* that it is made with */
	struct str	 id;		/* of its event */
	struct trial_count *count;
};

static const struct trial_change as_it_is;

/* "github: a push: " and the promise, when it was not kept. */
static void __attribute__((format(printf, 3, 4)))
keep(struct bench *b, bool kept, const char *fmt, ...)
{
	char text[1024];
	size_t n = 0;
	va_list ap;

	if (kept) {
		b->count->kept++;
		return;
	}
	b->count->broken++;
	if (b->count->says == NULL)
		return;
	if (b->x != NULL)
		n = (size_t)snprintf(text, sizeof(text), "%.*s: %.*s: ",
		    STR_ARG(str_head(b->p->id, 64)),
		    STR_ARG(str_head(b->x->says, 200)));
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	b->count->says(b->count->arg, text);
}

/* --- an example, judged ---------------------------------------------------------- */

#define SECRETS_MAX	8

static struct route *
make_route(const struct provider *p, const struct example *x,
    const struct trial_change *c, struct hook *hook, struct err *e)
{
	static const struct str names[SECRETS_MAX] = { STR("first"),
	    STR("second"), STR("third"), STR("fourth"), STR("fifth"),
	    STR("sixth"), STR("seventh"), STR("eighth") };
	static const struct str given = STR("not of this example");
	bool other = c->secret.p != NULL;
	struct texts params[PARAM_COUNT];

	if (x->nsecrets > SECRETS_MAX) {
		err_set(e, ERR_DATA, "more than %d secrets", SECRETS_MAX);
		return NULL;
	}
	/* An example gives what it is about; the rest must only be there. */
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		params[i] = x->params[i].n == 0 && (p->asks & (1u << i)) != 0 ?
		    (struct texts){ &given, 1 } : x->params[i];
	*hook = (struct hook){ .path = STR("/hook"), .provider = p->id,
	    .where = STR("example"), .window = -1, .open_handshake = x->open,
	    .platform_token = x->platform, .fetch_secret = STR("env:ONE") };
	return route_new(p, hook, names, other ? &c->secret : x->secrets,
	    other ? 1 : x->nsecrets, params, e);
}

/*
 * What the courier would bring: the example says what is at that URL, which is the
 * first line of the key's id.  false: it does not.
 */
static bool
fetch(struct keyring *ring, const struct provider *p, const struct example *x,
    const struct want *w, int64_t now)
{
	struct str rest = w->id, url = str_cut(&rest, '\n');
	int64_t until = now + 3600000;
	struct err e;
	struct key *k;

	for (size_t i = 0; i < x->nfetched; i++) {
		if (w->captured || !str_eq(x->fetched[i].name, url))
			continue;
		k = auth_keys_fetched(p, (size_t)w->alternative,
		    x->fetched[i].value, now, &until, &e);
		if (k != NULL)
			keyring_put(ring, w->id, k, now, until);
		else
			keyring_refuse(ring, w->id, now, until);
		return true;
	}
	return false;
}

/* Where the request, or its token, names the key. */
static struct str
key_named(const struct route *r, struct request *q, const struct verdict *v)
{
	const struct place kid = { .kind = PLACE_TOKEN, .name = STR("kid") };
	const struct place *place;
	struct str name = STR_NONE;

	if (v->alternative < 0)
		return name;
	place = template_place(
	    &r->provider->signatures[v->alternative].key_name);
	place_get(place != NULL ? place : &kid, q, &name, NULL);
	return name;
}

static void
judge_request(const struct route *r, struct request *q, const struct example *x,
    int64_t now, struct trial *out)
{
	struct keyring *ring = keyring_new();
	struct handshake again;

	out->hs = handshake_try(r, q, false);
	if (out->hs.step == HANDSHAKE_NONE || out->hs.step == HANDSHAKE_VERIFY) {
		do
			out->verdict = auth_verify(r, q, ring, now);
		while (out->verdict.code == VERDICT_WANTS_KEY &&
		    !out->verdict.want.again && ring != NULL &&
		    fetch(ring, r->provider, x, &out->verdict.want, now));
		if (out->verdict.code != VERDICT_GENUINE)
			goto out;
		again = handshake_try(r, q, true);
		if (out->hs.step == HANDSHAKE_VERIFY)
			out->hs = again;
		out->key_id = key_named(r, q, &out->verdict);
		auth_event(r, q, &out->verdict, AUTH_KEPT, &out->event);
	}
	out->answered = out->hs.step == HANDSHAKE_ANSWER ||
	    out->hs.step == HANDSHAKE_REFUSE;
out:
	keyring_free(ring);
}

bool
trial_judge(const struct provider *p, const struct example *x,
    const struct trial_change *c, struct arena *a, struct trial *out,
    struct err *e)
{
	struct hook hook;
	struct route *r = make_route(p, x, c, &hook, e);
	struct request q;

	*out = (struct trial){ .answered = false };
	if (r == NULL)
		return false;
	if (sent_request(c->sent != NULL ? c->sent : &x->sent, a, &q) != 0) {
		err_set(e, ERR_DATA, "the request is too large");
		route_free(r);
		return false;
	}
	judge_request(r, &q, x, c->clock != 0 ? c->clock : x->clock, out);
	out->verdict.secret = out->event.secret = STR("");	/* the route's */
	route_free(r);
	return true;
}

bool
trial_genuine(const struct provider *p, const struct example *x,
    const struct trial_change *c)
{
	struct arena *a = arena_new(ARENA);
	struct trial t;
	struct err e;
	bool genuine = a != NULL && trial_judge(p, x, c, a, &t, &e) &&
	    !t.answered && t.verdict.code == VERDICT_GENUINE;

	arena_free(a);
	return genuine;
}

/* --- what the file says ---------------------------------------------------------- */

static void
check_answer(struct bench *b, const struct trial *t)
{
	const struct example *x = b->x;
	const struct answer *a = &t->hs.answer;

	keep(b, t->answered, "is answered, not %s (%s)",
	    verdict_name(t->verdict.code), t->verdict.reason);
	if (!t->answered)
		return;
	keep(b, x->status == 0 || a->status == x->status,
	    "status %d, not %d (%s)", x->status, a->status, t->hs.reason);
	keep(b, x->type.n == 0 || str_eq(a->type, x->type),
	    "type %.*s, not %.*s", STR_ARG(x->type), STR_ARG(a->type));
	keep(b, x->answer.p == NULL || str_eq(a->body, x->answer),
	    "body %.*s, not %.*s", STR_ARG(x->answer), STR_ARG(a->body));
	keep(b, x->header.p == NULL || (a->extra.n > 0 && memmem(a->extra.p,
	    a->extra.n, x->header.p, x->header.n) != NULL),
	    "header %.*s, not %.*s", STR_ARG(x->header), STR_ARG(a->extra));
	keep(b, x->captured.p == NULL || str_eq(t->hs.captured, x->captured),
	    "captures %.*s, not %.*s", STR_ARG(x->captured),
	    STR_ARG(t->hs.captured));
}

static void
check_example(struct bench *b, struct arena *a)
{
	const struct example *x = b->x;
	struct trial t;
	struct err e;

	if (!trial_judge(b->p, x, &as_it_is, a, &t, &e)) {
		keep(b, false, "%s", e.text);
		return;
	}
	if (x->expect == EXPECT_ANSWER) {
		check_answer(b, &t);
		return;
	}
	keep(b, !t.answered, "is no handshake (%s)", t.hs.reason);
	keep(b, (int)t.verdict.code == (int)x->expect, "is %s, not %s (%s)",
	    verdict_name((enum verdict_code)x->expect),
	    verdict_name(t.verdict.code), t.verdict.reason);
	if (x->event_id.p != NULL)
		keep(b, str_eq(t.event.event_id, x->event_id), "id %.*s, not %.*s",
		    STR_ARG(x->event_id), STR_ARG(t.event.event_id));
	if (x->event_type.p != NULL)
		keep(b, str_eq(t.event.event_type, x->event_type),
		    "type %.*s, not %.*s", STR_ARG(x->event_type),
		    STR_ARG(t.event.event_type));
	b->key_id = t.key_id;
	b->id = t.event.event_id;
	if (t.verdict.code == VERDICT_GENUINE && t.verdict.alternative >= 0)
		b->s = &b->p->signatures[t.verdict.alternative];
}

/* --- what is made of a genuine one -------------------------------------------------- */

static void
refused(struct bench *b, const struct trial_change *c, const char *what)
{
	keep(b, !trial_genuine(b->p, b->x, c), "%s is refused", what);
}

/*
 * What is changed is not covered: if it is taken and is then another event, its id
 * is not called proven, unless nothing of the request is proven better.
 */
static void
unseen(struct bench *b, const struct sent *spoiled, struct arena *a)
{
	struct trial t;
	struct err e;

	if (!trial_judge(b->p, b->x, &(struct trial_change){ .sent = spoiled }, a,
	    &t, &e) || t.verdict.code != VERDICT_GENUINE ||
	    b->s->algorithm->family == FAMILY_EQUAL || b->s->bearer ||
	    t.event.event_id.n == 0)
		return;
	keep(b, !t.event.proven || str_eq(t.event.event_id, b->id),
	    "an id that a stranger changed is not proven");
}

static void
forgeries(struct bench *b)
{
	const struct forgery *f;
	struct sent was = b->x->sent, spoiled;

	was.alternative = (int)(b->s - b->p->signatures);
	for (size_t i = 0; (f = forgery_at(i)) != NULL; i++) {
		struct arena *a = arena_new(ARENA);
		enum forged made = FORGED_NOT;

		if (a == NULL)
			keep(b, false, "no memory");
		else
			made = forge(f, b->p, &was, a, &spoiled);
		if (made == FORGED)
			refused(b, &(struct trial_change){ .sent = &spoiled },
			    forgery_says(f));
		else if (made == FORGED_UNSEEN)
			unseen(b, &spoiled, a);
		arena_free(a);
	}
}

/* A published vector may have the very secret that is another one's here. */
static bool
has_secret(const struct example *x, struct str secret)
{
	for (size_t i = 0; i < x->nsecrets; i++)
		if (str_eq(x->secrets[i], secret))
			return true;
	return false;
}

static void
other_secret(struct bench *b)
{
	/* Of every way in which a secret may be written. */
	static const struct str others[] = {
		STR("another secret"), STR("00112233445566778899aabbccddeeff"),
		STR("YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4uLi4="),
		STR("whsec_YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4uLi4="),
	};

	if (b->s->algorithm->family == FAMILY_KEY)
		return;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!has_secret(b->x, others[i]))
			refused(b, &(struct trial_change){ .secret = others[i] },
			    "another secret");
}

static void
other_clock(struct bench *b)
{
	static const int64_t far[] = { -1000, 1000, -86400000, 86400000 };
	struct arena *a = arena_new(ARENA);
	struct trial t;
	struct err e;

	if (b->s->time.window > 0 && a != NULL &&
	    trial_judge(b->p, b->x, &as_it_is, a, &t, &e))
		for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
			refused(b, &(struct trial_change){ .clock =
			    t.verdict.signed_at + far[i] +
			    (far[i] < 0 ? -1 : 1) * b->s->time.window },
			    far[i] < 0 ? "a time ahead of the window" :
			    "a time behind the window");
	arena_free(a);
}

/* Can auth_sign.c make such a request? */
static bool
can_be_signed(const struct bench *b, struct str content_type)
{
	const struct place *place = &b->s->places[0];
	struct str body = b->x->sent.body;

	/* A published vector over what is no body of that kind. */
	if (content_type.n == 0 && body.n > 0 && body.p[0] != '{' &&
	    place->kind != PLACE_HEADER)
		return false;
	/* Signing does not write multipart. */
	if (place->kind == PLACE_FIELD &&
	    str_starts_nocase(content_type, STR("multipart/")))
		return false;
	return b->s->algorithm->family == FAMILY_KEY ? b->x->private_key.n > 0 :
	    !b->s->fetches || b->x->nsecrets > 0;
}

/* Signed anew by auth_sign.c, the body as it is: it must hold. */
static void
sign_anew(struct bench *b)
{
	const struct example *x = b->x;
	struct sign_wish w = { .method = x->sent.method, .url = x->sent.url,
	    .body = x->sent.body, .now = x->clock, .private_key = x->private_key,
	    .key_id = b->key_id,
	    .alternative = (int)(b->s - b->p->signatures) };
	struct arena *a = arena_new(ARENA);
	struct route *r = NULL;
	struct sent again;
	struct err e;

	for (size_t i = 0; i < x->sent.nheaders; i++)
		if (str_eq_nocase(x->sent.headers[i].name, STR("content-type")))
			w.content_type = x->sent.headers[i].value;
	if (a == NULL || !can_be_signed(b, w.content_type) ||
	    (r = route_new(b->p, NULL, x->secrets, x->secrets, x->nsecrets,
	    x->params, &e)) == NULL)
		goto out;
	if (auth_sign(r, &w, a, &again, &e) != 0)
		keep(b, false, "is signed anew: %s", e.text);
	else
		keep(b, trial_genuine(b->p, x,
		    &(struct trial_change){ .sent = &again }),
		    "signed anew it holds");
out:
	route_free(r);
	arena_free(a);
}

static void
try_example(struct bench *b)
{
	struct arena *a = arena_new(ARENA);

	b->s = NULL;
	if (a == NULL)
		keep(b, false, "no memory");
	else
		check_example(b, a);
	if (b->x->expect == EXPECT_GENUINE && b->s != NULL) {
		forgeries(b);
		other_secret(b);
		other_clock(b);
		sign_anew(b);
	}
	arena_free(a);
}

void
trial_file(struct str id, struct str text, const char *name,
    struct trial_count *count)
{
	struct bench b = { .count = count };
	struct arena *a = arena_new(ARENA);
	size_t n = 0, genuine = 0, forged = 0, covered = 0;
	struct provider *p = NULL;
	struct example *x;
	struct err e;

	if (a == NULL || (p = provider_read(text, id, name, &e)) == NULL ||
	    provider_examples(text, name, a, &x, &n, &e) != 0) {
		keep(&b, false, "%s", a == NULL ? "no memory" : e.text);
		goto out;
	}
	b.p = p;
	keep(&b, p->docs.n > 0 && p->setup.n > 0 && !str_eq(p->name, p->id),
	    "%s: has a name, \"docs\" and a \"setup\"", name);
	keep(&b, p->event.nids == 0 || p->event.says_proven,
	    "%s: says whether its event's id is \"proven\"", name);
	for (size_t i = 0; i < n; i++) {
		b.x = &x[i];
		try_example(&b);
		genuine += x[i].expect == EXPECT_GENUINE;
		forged += x[i].expect != EXPECT_GENUINE &&
		    x[i].expect != EXPECT_ANSWER;
	}
	b.x = NULL;
	keep(&b, p->nsignatures == 0 || (genuine >= 1 && forged >= 2),
	    "%s: one genuine example and two forged at least", name);
	for (size_t i = 0; i < p->nsignatures; i++)
		covered += (p->signatures[i].covers &
		    (COVERS_BODY | COVERS_FIELDS)) != 0;
	keep(&b, covered == p->nsignatures || p->nweak > 0,
	    "%s: \"weak\" says that the body is not covered", name);
out:
	provider_free(p);
	arena_free(a);
}
