/*
 * test_providers.c - every example of every provider's file, and what can be made
 * of each genuine one: a flipped byte, a body re-serialised, a signature cut short
 * or doubled, another secret, a clock outside the window.  Each must be refused,
 * unless what the provider signs does not cover it; and then "weak" must say so.
 */
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "auth_sign.h"
#include "base/arena.h"
#include "base/os.h"
#include "handshake.h"
#include "provider.h"
#include "test.h"

#define ARENA	(8 * 1024 * 1024)

/* --- a request of an example ------------------------------------------------- */

struct change {
	struct str	 body;		/* .p NULL: as it is */
	struct str	 target;
	const struct header *headers;
	size_t		 nheaders;
	struct str	 secret;	/* .p NULL: the example's */
	int64_t		 clock;		/* 0: the example's */
};

/* As a web server would hand it over: "X-Foo" -> "HTTP_X_FOO=...". */
static char *
parameter(struct arena *a, struct str name, struct str value)
{
	char *s = arena_bytes(a, name.n + value.n + 8);
	size_t n = 0;

	if (!str_eq_nocase(name, STR("content-type")))
		for (const char *p = "HTTP_"; *p != '\0'; p++)
			s[n++] = *p;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		s[n++] = c == '-' ? '_' : c >= 'a' && c <= 'z' ?
		    (char)(c - 'a' + 'A') : c;
	}
	s[n++] = '=';
	memcpy(s + n, value.p, value.n);
	s[n + value.n] = '\0';
	return s;
}

static void
make_request(struct request *q, struct arena *a, const struct example *x,
    const struct change *c)
{
	const struct header *headers = c->headers != NULL ? c->headers : x->headers;
	size_t n = c->headers != NULL ? c->nheaders : x->nheaders, i;
	char **env = arena_alloc(a, (n + 4) * sizeof(*env));
	struct str target = c->target.p != NULL ? c->target : x->target;

	for (i = 0; i < n; i++)
		env[i] = parameter(a, headers[i].name, headers[i].value);
	env[i++] = (char *)(uintptr_t)arena_printf(a, "REQUEST_METHOD=%.*s",
	    STR_ARG(x->method)).p;
	env[i++] = (char *)(uintptr_t)arena_printf(a, "REQUEST_URI=%.*s",
	    STR_ARG(target)).p;
	if (request_init(q, a, env) != 0)
		abort();
	q->body = c->body.p != NULL ? c->body : x->body;
}

static struct route *
make_route(const struct provider *p, const struct example *x,
    const struct change *c, struct hook *hook, struct err *e)
{
	static const struct str names[] = { STR("first"), STR("second"),
	    STR("third"), STR("fourth") };
	struct str params[PARAM_COUNT];

	/* An example gives what it is about; the rest must only be there. */
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		params[i] = x->params[i].p == NULL && (p->asks & (1u << i)) != 0 ?
		    STR("not of this example") : x->params[i];

	*hook = (struct hook){ .path = STR("/hook"), .provider = p->id,
	    .where = STR("test"), .window = -1, .open_handshake = x->open };
	return route_new(p, hook, names,
	    c->secret.p != NULL ? &c->secret : x->secrets,
	    c->secret.p != NULL ? 1 : x->nsecrets, params, e);
}

struct outcome {
	struct verdict	 verdict;
	struct handshake hs;
	bool		 answered;
	struct str	 id, type;
};

/* The road in short: handshake, verify, handshake again. */
static bool
judge(const struct provider *p, const struct example *x, const struct change *c,
    struct arena *a, struct outcome *out, struct err *e)
{
	struct hook hook;
	struct route *r = make_route(p, x, c, &hook, e);
	struct request q;
	bool proven;

	if (r == NULL)
		return false;
	*out = (struct outcome){ .id = STR_NONE };
	make_request(&q, a, x, c);
	out->hs = handshake_try(r, &q, false);
	out->answered = out->hs.step == HANDSHAKE_ANSWER ||
	    out->hs.step == HANDSHAKE_REFUSE;
	if (!out->answered) {
		out->verdict = auth_verify(r, &q,
		    c->clock != 0 ? c->clock : x->clock);
		if (out->verdict.code == VERDICT_GENUINE) {
			struct handshake again = handshake_try(r, &q, true);

			if (out->hs.step == HANDSHAKE_VERIFY)
				out->hs = again;
			out->answered = out->hs.step == HANDSHAKE_ANSWER ||
			    out->hs.step == HANDSHAKE_REFUSE;
			out->id = auth_event_id(r, &q, &out->verdict, &proven);
			out->type = auth_event_type(r, &q);
		}
	}
	/* Nothing of the verdict points into the keys but the secret's name. */
	route_free(r);
	return true;
}

static bool
is_genuine(const struct provider *p, const struct example *x,
    const struct change *c)
{
	struct arena *a = arena_new(ARENA);
	struct outcome out;
	struct err e;
	bool genuine = judge(p, x, c, a, &out, &e) && !out.answered &&
	    out.verdict.code == VERDICT_GENUINE;

	arena_free(a);
	return genuine;
}

/* --- what the file says ---------------------------------------------------------- */

static void
check_example(const struct provider *p, const struct example *x)
{
	struct arena *a = arena_new(ARENA);
	struct change none = { .clock = 0 };
	struct outcome out;
	struct err e;

	if (!judge(p, x, &none, a, &out, &e)) {
		CHECKF(false, "%.*s: %.*s: a route: %s", STR_ARG(p->id),
		    STR_ARG(x->says), e.text);
		goto out;
	}
	if (x->expect == EXPECT_ANSWER) {
		CHECKF(out.answered, "%.*s: %.*s: is answered, not %s (%s)",
		    STR_ARG(p->id), STR_ARG(x->says),
		    verdict_name(out.verdict.code), out.verdict.reason);
		if (!out.answered)
			goto out;
		CHECKF(x->status == 0 || out.hs.answer.status == x->status,
		    "%.*s: %.*s: status %d, not %d (%s)", STR_ARG(p->id),
		    STR_ARG(x->says), x->status, out.hs.answer.status,
		    out.hs.reason);
		CHECKF(x->type.n == 0 || str_eq(out.hs.answer.type, x->type),
		    "%.*s: %.*s: type %.*s, not %.*s", STR_ARG(p->id),
		    STR_ARG(x->says), STR_ARG(x->type),
		    STR_ARG(out.hs.answer.type));
		CHECKF(x->answer.p == NULL || str_eq(out.hs.answer.body, x->answer),
		    "%.*s: %.*s: body %.*s, not %.*s", STR_ARG(p->id),
		    STR_ARG(x->says), STR_ARG(x->answer),
		    STR_ARG(out.hs.answer.body));
		goto out;
	}
	CHECKF(!out.answered, "%.*s: %.*s: is no handshake (%s)", STR_ARG(p->id),
	    STR_ARG(x->says), out.hs.reason);
	CHECKF((int)out.verdict.code == (int)x->expect,
	    "%.*s: %.*s: is %s, not %s (%s)", STR_ARG(p->id), STR_ARG(x->says),
	    verdict_name((enum verdict_code)x->expect),
	    verdict_name(out.verdict.code), out.verdict.reason);
	if (x->event_id.p != NULL)
		CHECKF(str_eq(out.id, x->event_id), "%.*s: %.*s: id %.*s, not %.*s",
		    STR_ARG(p->id), STR_ARG(x->says), STR_ARG(x->event_id),
		    STR_ARG(out.id));
	if (x->event_type.p != NULL)
		CHECKF(str_eq(out.type, x->event_type),
		    "%.*s: %.*s: type %.*s, not %.*s", STR_ARG(p->id),
		    STR_ARG(x->says), STR_ARG(x->event_type), STR_ARG(out.type));
out:
	arena_free(a);
}

/* --- what is made of a genuine one -------------------------------------------------- */

/* The alternative that held: its place is where a signature is cut or doubled. */
static const struct signature *
which_held(const struct provider *p, const struct example *x)
{
	struct arena *a = arena_new(ARENA);
	struct change none = { .clock = 0 };
	struct outcome out = { .answered = false };
	struct err e;
	const struct signature *s = NULL;

	if (judge(p, x, &none, a, &out, &e) && out.verdict.alternative >= 0)
		s = &p->signatures[out.verdict.alternative];
	arena_free(a);
	return s;
}

/* A byte of the body is flipped, at three places. */
static void
flip_body(const struct provider *p, const struct example *x,
    const struct signature *s)
{
	bool covered = (s->covers & COVERS_BODY) != 0;
	char *body = malloc(x->body.n + 1);

	memcpy(body, x->body.p, x->body.n);
	for (size_t i = 0; covered && x->body.n > 0 && i < 3; i++) {
		size_t at = i * (x->body.n - 1) / 2;
		struct change c = { .body = { body, x->body.n } };

		body[at] ^= 0x01;
		CHECKF(!is_genuine(p, x, &c), "%.*s: %.*s: byte %zu of the body "
		    "flipped is refused", STR_ARG(p->id), STR_ARG(x->says), at);
		body[at] ^= 0x01;
	}
	free(body);
}

/* The body with a space after its first byte: the same JSON, other bytes. */
static void
respace_body(const struct provider *p, const struct example *x,
    const struct signature *s)
{
	char *body = malloc(x->body.n + 2);
	struct change c = { .body = { body, x->body.n + 1 } };

	if ((s->covers & COVERS_BODY) != 0 && x->body.n > 0) {
		body[0] = x->body.p[0];
		body[1] = ' ';
		memcpy(body + 2, x->body.p + 1, x->body.n - 1);
		CHECKF(!is_genuine(p, x, &c), "%.*s: %.*s: the body re-serialised is "
		    "refused", STR_ARG(p->id), STR_ARG(x->says));
	}
	free(body);
}

static bool
is_place_of(const struct signature *s, struct str name)
{
	for (size_t i = 0; i < s->nplaces; i++)
		if (s->places[i].kind == PLACE_HEADER &&
		    str_eq_nocase(s->places[i].name, name))
			return true;
	return false;
}

/* Several signatures in one value: a spoiled one of them is not missed. */
static bool
holds_several(const struct signature *s, struct str value)
{
	size_t items = 1;

	for (size_t i = 0; s->form.list != 0 && i < value.n; i++)
		items += value.p[i] == s->form.list;
	return items > s->form.nitems;
}

/* The signature's header cut short by n bytes, empty, changed, absent, doubled. */
static void
spoil_header(const struct provider *p, const struct example *x,
    const struct signature *s)
{
	enum { CUT, CUT_HALF, FLIP, GONE, EMPTY, TWICE, JOINED, WAYS };
	static const char *const says[] = { "cut short", "cut in half", "changed",
	    "not there", "empty", "sent twice", "joined by the web server" };

	for (int way = 0; way < WAYS; way++) {
		struct arena *a = arena_new(ARENA);
		struct header *h = arena_alloc(a, (x->nheaders + 1) * sizeof(*h));
		struct change c = { .headers = h };
		bool had = false;

		for (size_t i = 0; i < x->nheaders; i++) {
			struct str v = x->headers[i].value;
			char *w = arena_bytes(a, 2 * v.n + 3);

			h[c.nheaders] = x->headers[i];
			if (!is_place_of(s, x->headers[i].name) || v.n == 0) {
				c.nheaders++;
				continue;
			}
			had = !holds_several(s, v) || way >= GONE;
			memcpy(w, v.p, v.n);
			switch (way) {
			case CUT:
				h[c.nheaders++].value = str_head(v, v.n - 1);
				break;
			case CUT_HALF:
				h[c.nheaders++].value = str_head(v, v.n / 2);
				break;
			case EMPTY:
				h[c.nheaders++].value = STR("");
				break;
			case FLIP:
				w[v.n / 2] = v.p[v.n / 2] == '0' ? '1' : '0';
				h[c.nheaders++].value = (struct str){ w, v.n };
				break;
			case TWICE:
				h[c.nheaders++].value = v;
				h[c.nheaders++] = x->headers[i];
				break;
			case JOINED:
				memcpy(w + v.n, ", ", 2);
				memcpy(w + v.n + 2, v.p, v.n);
				h[c.nheaders++].value =
				    (struct str){ w, 2 * v.n + 2 };
				break;
			default:
				break;
			}
		}
		/* A provider that doubles it may. */
		if (had && !(s->repeats && (way == TWICE || way == JOINED)))
			CHECKF(!is_genuine(p, x, &c), "%.*s: %.*s: the signature %s "
			    "is refused", STR_ARG(p->id), STR_ARG(x->says),
			    says[way]);
		arena_free(a);
	}
}

static void
other_secret(const struct provider *p, const struct example *x,
    const struct signature *s)
{
	/* Of every way in which a secret may be written. */
	static const struct str others[] = {
		STR("another secret"), STR("00112233445566778899aabbccddeeff"),
		STR("YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4uLi4="),
		STR("whsec_YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4uLi4="),
	};

	if (s->algorithm->family == FAMILY_KEY)
		return;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct change c = { .secret = others[i] };

		CHECKF(!is_genuine(p, x, &c), "%.*s: %.*s: with another secret it is "
		    "refused", STR_ARG(p->id), STR_ARG(x->says));
	}
}

static void
other_clock(const struct provider *p, const struct example *x,
    const struct signature *s)
{
	static const int64_t far[] = { -1000, 1000, -86400000, 86400000 };
	struct arena *a = arena_new(ARENA);
	struct change none = { .clock = 0 };
	struct outcome out;
	struct err e;

	if (s->time.window > 0 && judge(p, x, &none, a, &out, &e))
		for (size_t i = 0; i < 4; i++) {
			struct change c = { .clock = out.verdict.signed_at +
			    far[i] + (far[i] < 0 ? -1 : 1) * s->time.window };

			CHECKF(!is_genuine(p, x, &c), "%.*s: %.*s: %lld ms beyond "
			    "the window is refused", STR_ARG(p->id),
			    STR_ARG(x->says), (long long)far[i]);
		}
	arena_free(a);
}

/* The query changed, where the URL is signed. */
static void
other_query(const struct provider *p, const struct example *x,
    const struct signature *s)
{
	struct arena *a = arena_new(ARENA);
	struct change c = { .target = arena_printf(a, "%.*s%cx=1",
	    STR_ARG(x->target), str_find(x->target, '?') == -1 ? '?' : '&') };

	if ((s->covers & COVERS_QUERY) != 0)
		CHECKF(!is_genuine(p, x, &c), "%.*s: %.*s: another query is refused",
		    STR_ARG(p->id), STR_ARG(x->says));
	arena_free(a);
}

/* Signed anew by auth_sign.c, the body as it is: it must hold. */
static void
sign_anew(const struct provider *p, const struct example *x,
    const struct signature *s)
{
	struct arena *a = arena_new(ARENA);
	struct sign_wish w = { .method = x->method, .url = x->url, .body = x->body,
	    .now = x->clock, .alternative = (int)(s - p->signatures) };
	struct change none = { .clock = 0 };
	struct signed_request out;
	struct example again = *x;
	struct route *r;
	struct err e = { .text = "" };

	for (size_t i = 0; i < x->nheaders; i++)
		if (str_eq_nocase(x->headers[i].name, STR("content-type")))
			w.content_type = x->headers[i].value;
	/* A published vector over what is no body of that kind. */
	if (w.content_type.n == 0 && x->body.n > 0 && x->body.p[0] != '{' &&
	    s->places[0].kind != PLACE_HEADER)
		goto out;
	/* Signing does not write multipart. */
	if (s->places[0].kind == PLACE_FIELD &&
	    str_starts_nocase(w.content_type, STR("multipart/")))
		goto out;
	if ((s->algorithm->family == FAMILY_KEY && x->private_key.n == 0) ||
	    (r = route_new(p, NULL, x->secrets, x->secrets, x->nsecrets, x->params,
	    &e)) == NULL)
		goto out;
	w.private_key = x->private_key;
	if (auth_sign(r, &w, a, &out, &e) != 0) {
		CHECKF(false, "%.*s: %.*s: is signed anew: %s", STR_ARG(p->id),
		    STR_ARG(x->says), e.text);
	} else {
		again.headers = out.headers;
		again.nheaders = out.nheaders;
		again.body = out.body;
		again.target = str_skip(out.url, x->url.n - x->target.n);
		/* A handshake is one still. */
		CHECKF(is_genuine(p, &again, &none), "%.*s: %.*s: signed anew it "
		    "holds", STR_ARG(p->id), STR_ARG(x->says));
	}
	route_free(r);
out:
	arena_free(a);
}

static void
check_provider(struct str id, struct str text)
{
	struct arena *a = arena_new(ARENA);
	struct example *x;
	size_t n, genuine = 0, forged = 0, covers_body = 0;
	char name[100];
	struct provider *p;
	struct err e;

	snprintf(name, sizeof(name), "providers/%.*s.json", STR_ARG(id));
	if ((p = provider_read(text, id, name, &e)) == NULL ||
	    provider_examples(text, name, a, &x, &n, &e) != 0) {
		CHECKF(false, "it is read: %s", e.text);
		goto out;
	}
	CHECKF(p->docs.n > 0 && p->setup.n > 0 && !str_eq(p->name, p->id),
	    "%s: has a name, docs and a set-up", name);
	for (size_t i = 0; i < n; i++) {
		const struct signature *s;

		check_example(p, &x[i]);
		genuine += x[i].expect == EXPECT_GENUINE;
		forged += x[i].expect != EXPECT_GENUINE &&
		    x[i].expect != EXPECT_ANSWER;
		if (x[i].expect != EXPECT_GENUINE ||
		    (s = which_held(p, &x[i])) == NULL)
			continue;
		flip_body(p, &x[i], s);
		respace_body(p, &x[i], s);
		spoil_header(p, &x[i], s);
		other_secret(p, &x[i], s);
		other_clock(p, &x[i], s);
		other_query(p, &x[i], s);
		sign_anew(p, &x[i], s);
	}
	CHECKF(p->nsignatures == 0 || (genuine >= 1 && forged >= 2),
	    "%s: one genuine example and two forged at least", name);
	for (size_t i = 0; i < p->nsignatures; i++)
		covers_body += (p->signatures[i].covers &
		    (COVERS_BODY | COVERS_FIELDS)) != 0;
	CHECKF(covers_body == p->nsignatures || p->nweak > 0,
	    "%s: \"weak\" says that the body is not covered", name);
out:
	provider_free(p);
	arena_free(a);
}

/* "providers/acme.json": a file that is being written. */
static void
check_file(const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct str id = str_of(name);
	struct err e;
	size_t n;
	char *text = os_read_file(path, 1 << 20, &n, &e);

	CHECKF(text != NULL, "%s: is read", path);
	if (text == NULL)
		return;
	if (str_ends(id, STR(".json")))
		id.n -= 5;
	check_provider(id, (struct str){ text, n });
	free(text);
}

/* With arguments only those files, from the disk. */
int
main(int argc, char **argv)
{
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			check_file(argv[i]);
		TEST_END("providers");
	}
	CHECK(provider_text_count() >= 200, "there are 200 providers");
	for (size_t i = 0; i < provider_text_count(); i++) {
		struct str id = provider_text_id(i);

		if (i > 0)
			CHECKF(str_cmp(provider_text_id(i - 1), id) < 0,
			    "%.*s: the table is sorted", STR_ARG(id));
		CHECKF(provider_text(id).p != NULL, "%.*s: is found",
		    STR_ARG(id));
		check_provider(id, provider_text(id));
	}
	CHECK(provider_text(STR("no-such")).p == NULL, "what is not there is not found");
	TEST_END("providers");
}
