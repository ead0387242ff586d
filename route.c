/*
 * route.c - see route.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "route.h"

#define ROUTES_MEMORY	(64 * 1024 * 1024)
#define DEADLINE	10000		/* ms, where nobody says otherwise */

struct shared {				/* one provider of several hooks */
	struct shared	*next;
	struct provider	*p;
};

struct routes {
	struct route	*v;		/* sorted by path */
	size_t		 n;
	struct shared	*shared;
	struct arena	*arena;		/* keys' lists, names */
};

/* What a hook without authentication and without a provider is judged by. */
static const struct str open_text = STR(
    "{\"name\": \"anything\", \"empty\": true,"
    " \"methods\": [\"POST\", \"PUT\", \"GET\"]}");

/* --- what the hook lacks --------------------------------------------------------- */

static void
put_word(struct buf *b, size_t *n, const char *word)
{
	buf_printf(b, "%s\"%s\"", (*n)++ > 0 ? ", " : "", word);
}

static void
put_missing(unsigned asks, const struct texts *params, struct buf *b, size_t *n)
{
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if ((asks & (1u << i)) != 0 && params[i].n == 0)
			put_word(b, n, hook_param_names[i]);
}

static bool
reply_uses(const struct reply *r, enum hook_param param)
{
	bool uses = template_uses_param(&r->body, param);

	for (size_t i = 0; i < r->nheaders; i++)
		uses |= template_uses_param(&r->headers[i].value, param);
	return uses;
}

/* What the answers alone ask for: the rest does not matter with "auth": "none". */
static unsigned
answers_ask(const struct provider *p)
{
	unsigned asks = 0;

	for (unsigned param = 0; param < PARAM_COUNT; param++) {
		bool uses = reply_uses(&p->accepted, param);

		for (size_t i = 0; i < p->nhandshakes; i++) {
			const struct handshake_rule *h = &p->handshakes[i];

			uses |= reply_uses(&h->answer, param);
			for (size_t j = 0; j < h->nverify; j++)
				uses |= template_uses_param(h->verify[j].equals,
				    param);
		}
		if (uses)
			asks |= 1u << param;
	}
	return asks;
}

/*
 * What one alternative lacks for its keys, besides parameters that are asked for in
 * any case.  Nothing: it has them.
 */
static void
put_lacks(const struct route *r, const struct signature *s, size_t nsecrets,
    unsigned asks, struct buf *b)
{
	bool public = s->algorithm->family == FAMILY_KEY;
	size_t n = 0;

	if (s->from_token || (public ? r->params[PARAM_PUBLIC_KEY].n > 0 :
	    nsecrets > 0))
		return;
	if (!s->fetches) {
		put_word(b, &n, public ? "public_key" : "secret");
		return;
	}
	put_missing(s->keys.asks & ~asks, r->params, b, &n);
	if (s->keys.asks_secret && r->hook->fetch_secret.n == 0)
		put_word(b, &n, "fetch_secret");
}

/* Any alternative that can prove something will do; else all that would help. */
static void
put_keys_missing(const struct route *r, size_t nsecrets, struct buf *b, size_t *n,
    unsigned *asks)
{
	const struct provider *p = r->provider;
	struct buf one = BUF(256), all = BUF(1024);

	for (size_t i = 0; i < p->nsignatures; i++) {
		buf_reset(&one);
		put_lacks(r, &p->signatures[i], nsecrets, *asks, &one);
		if (one.n == 0) {
			buf_reset(&all);
			break;
		}
		/* Alternatives often need the same. */
		if (all.n == 0 || memmem(all.p, all.n, one.p, one.n) == NULL)
			buf_printf(&all, "%s%.*s", all.n > 0 ? " or " : "",
			    STR_ARG(buf_str(&one)));
	}
	if (all.n > 0) {
		buf_put(b, buf_str(&all));
		(*n)++;
		if (memmem(all.p, all.n, "\"public_key\"", 12) != NULL)
			*asks &= ~(1u << PARAM_PUBLIC_KEY);
	}
	buf_free(&one);
	buf_free(&all);
}

/* All that is missing, in one sentence. */
static int
complete(const struct route *r, size_t nsecrets, struct err *e)
{
	const struct provider *p = r->provider;
	bool open = r->hook->auth == AUTH_NONE;
	unsigned asks = open ? answers_ask(p) : p->asks;
	struct buf b = BUF(1024);
	size_t n = 0;

	if (!open && p->nsignatures == 0)
		return err_set(e, ERR_CONF, "the provider \"%.*s\" proves nothing: "
		    "say \"auth\": \"none\" if anybody may send to this hook",
		    STR_ARG(p->id));
	if (!open)
		put_keys_missing(r, nsecrets, &b, &n, &asks);
	put_missing(asks, r->params, &b, &n);
	if (n > 0)
		err_set(e, ERR_CONF, "the provider \"%.*s\" also needs %.*s",
		    STR_ARG(p->id), STR_ARG(buf_str(&b)));
	buf_free(&b);
	return n > 0 ? -1 : 0;
}

/* --- one route --------------------------------------------------------------------- */

/*
 * Does the text become a key of any alternative, as a secret or as a public key?  If
 * not, *e says of the last.
 */
static bool
usable(const struct route *r, struct str name, struct str text, bool public,
    struct err *e)
{
	const struct texts texts = { &text, 1 }, none = { NULL, 0 };

	for (size_t i = 0; i < r->provider->nsignatures; i++) {
		struct key *k;

		if ((r->provider->signatures[i].algorithm->family ==
		    FAMILY_KEY) != public)
			continue;
		k = auth_keys(r->provider, i, &name, &text, public ? 0 : 1,
		    public ? texts : none, e);
		if (k != NULL) {
			auth_keys_free(k);
			return true;
		}
	}
	return false;
}

/* Every text must be good for something. */
static int
check_texts(const struct route *r, const struct str *names, const struct str *texts,
    size_t n, struct texts public_keys, struct err *e)
{
	const struct provider *p = r->provider;
	struct err last;

	for (size_t i = 0; i < n; i++) {
		if (texts[i].p == NULL)		/* not here yet */
			continue;
		if (!p->wants_secret)
			return err_set(e, ERR_CONF, "the provider \"%.*s\" has no "
			    "\"secret\": its signatures are proven by "
			    "\"public_key\"", STR_ARG(p->id));
		if (!usable(r, names[i], texts[i], false, &last))
			return err_set(e, ERR_CONF, "the secret \"%.*s\" cannot be "
			    "used: %s", STR_ARG(names[i]), last.text);
	}
	for (size_t i = 0; p->wants_public_key && i < public_keys.n; i++)
		if (public_keys.v[i].p != NULL &&
		    !usable(r, STR("public_key"), public_keys.v[i], true, &last))
			return err_set(e, ERR_CONF, "the \"public_key\" cannot be "
			    "used: %s", last.text);
	return 0;
}

static int
make_keys(struct route *r, const struct str *names, const struct str *texts,
    size_t n, struct err *e)
{
	const struct provider *p = r->provider;
	struct texts public_keys = r->params[PARAM_PUBLIC_KEY];
	struct err unfit;

	r->keys = calloc(p->nsignatures + 1, sizeof(struct key *));
	if (r->keys == NULL)
		return err_set(e, ERR_OS, "no memory for keys");
	if (p->nsignatures == 0 || r->hook->auth == AUTH_NONE)
		return 0;
	if (check_texts(r, names, texts, n, public_keys, e) != 0)
		return -1;
	/* It is of one type: alternatives for another have no use for it. */
	for (size_t i = 0; i < p->nsignatures; i++)
		r->keys[i] = auth_keys(p, i, names, texts, n, public_keys, &unfit);
	return 0;
}

static void
drop_keys(struct route *r)
{
	for (size_t i = 0; r->keys != NULL && i < r->provider->nsignatures; i++)
		auth_keys_free(r->keys[i]);
	free(r->keys);
	r->keys = NULL;
}

static int
check_window(const struct route *r, struct err *e)
{
	bool timed = false;

	if (r->window <= 0)
		return 0;
	for (size_t i = 0; i < r->provider->nsignatures; i++)
		timed |= r->provider->signatures[i].time_signed;
	if (timed)
		return 0;
	return err_set(e, ERR_CONF, "\"window\" has no meaning here: the provider "
	    "\"%.*s\" signs no time", STR_ARG(r->provider->id));
}

static bool
has_platform(const struct provider *p)
{
	for (size_t i = 0; i < p->nsignatures; i++)
		if (p->signatures[i].token.platform.n > 0)
			return true;
	return false;
}

static const struct hook no_hook = {
	.path = STR("/"), .provider = STR("own"), .where = STR(""), .window = -1,
};

static int
make_route(struct route *r, const struct str *names, const struct str *texts,
    size_t n, struct err *e)
{
	r->window = r->hook->window;
	for (size_t i = 0; i < r->hook->nsecrets; i++) {
		struct str name = conf_captured(r->hook->secrets[i]);

		if (name.p == NULL)
			continue;
		if (r->ncaptured == ROUTE_CAPTURED_MAX)
			return err_set(e, ERR_CONF, "more than %d secrets that are "
			    "captured", ROUTE_CAPTURED_MAX);
		if (!provider_captures(r->provider))
			return err_set(e, ERR_CONF, "the secret \"%.*s\": no "
			    "handshake of the provider \"%.*s\" brings one",
			    STR_ARG(r->hook->secrets[i]), STR_ARG(r->provider->id));
		r->captured[r->ncaptured++] = name;
	}
	if (r->hook->platform_token && !has_platform(r->provider))
		return err_set(e, ERR_CONF, "\"token\": \"platform\": the provider "
		    "\"%.*s\" has no token that a platform checks",
		    STR_ARG(r->provider->id));
	if (r->hook != &no_hook && complete(r, n, e) != 0)
		return -1;
	if (check_window(r, e) != 0)
		return -1;
	return make_keys(r, names, texts, n, e);
}

struct route *
route_new(const struct provider *p, const struct hook *h, const struct str *names,
    const struct str *texts, size_t n, const struct texts *params, struct err *e)
{
	struct route *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_set(e, ERR_OS, "no memory for a route");
		return NULL;
	}
	r->hook = h != NULL ? h : &no_hook;
	r->provider = p;
	r->deadline = DEADLINE;
	r->max_body = UINT64_MAX;
	r->json = (struct json_limits){ 64, 1000000 };
	if (params != NULL)
		memcpy(r->params, params, sizeof(r->params));
	if (make_route(r, names, texts, n, e) == 0)
		return r;
	route_free(r);
	return NULL;
}

void
route_free(struct route *r)
{
	if (r == NULL)
		return;
	drop_keys(r);
	free(r);
}

/* --- all of a configuration --------------------------------------------------------- */

static const struct provider *
share(struct routes *all, struct provider *p, struct err *e)
{
	struct shared *s = p != NULL ? calloc(1, sizeof(*s)) : NULL;

	if (p == NULL)
		return NULL;
	if (s == NULL) {
		provider_free(p);
		err_set(e, ERR_OS, "no memory for a provider");
		return NULL;
	}
	s->p = p;
	s->next = all->shared;
	all->shared = s;
	return p;
}

static const struct provider *
find_provider(struct routes *all, const struct hook *h, const struct bundle *b,
    struct err *e)
{
	char name[PROVIDER_NAME_MAX];
	struct str text, near;

	if (h->own.p != NULL) {
		snprintf(name, sizeof(name), "%.*s: \"provider\"",
		    STR_ARG(str_head(h->where, 255)));
		return share(all, provider_read(h->own, STR("own"), name, e), e);
	}
	if (h->provider.p == NULL)
		return share(all, provider_read(open_text, STR("none"), "none", e),
		    e);
	for (struct shared *s = all->shared; s != NULL; s = s->next)
		if (str_eq(s->p->id, h->provider))
			return s->p;
	text = provider_source(b, h->provider, name);
	if (text.p != NULL)
		return share(all, provider_read(text, h->provider, name, e), e);
	near = provider_nearest(h->provider);
	if (near.p != NULL)
		err_set(e, ERR_CONF, "unknown provider \"%.*s\"; did you mean "
		    "\"%.*s\"?", STR_ARG(str_head(h->provider, 60)), STR_ARG(near));
	else
		err_set(e, ERR_CONF, "unknown provider \"%.*s\"; \"hooklatch "
		    "providers\" lists them", STR_ARG(str_head(h->provider, 60)));
	return NULL;
}

/* References become what they refer to. */
static int
resolve_texts(struct routes *all, struct texts *list, const char *name,
    const struct bundle *b, struct err *e)
{
	struct str *texts = arena_alloc(all->arena, (list->n + 1) * sizeof(*texts));

	if (texts == NULL)
		return err_set(e, ERR_OS, "no memory for routes");
	for (size_t i = 0; i < list->n; i++) {
		texts[i] = list->v[i];
		if (!conf_is_reference(texts[i]))
			continue;
		texts[i] = bundle_secret(b, texts[i]);
		if (texts[i].n == 0 && !bundle_is_fetched(list->v[i]))
			return err_set(e, ERR_CONF, "\"%s\" is %s", name,
			    texts[i].p == NULL ? "not there" : "empty");
	}
	list->v = texts;
	return 0;
}

static int
resolve(struct routes *all, struct route *r, const struct bundle *b, struct err *e)
{
	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		r->params[i] = r->hook->params[i];
		if ((i == PARAM_VERIFY_TOKEN || i == PARAM_PUBLIC_KEY) &&
		    resolve_texts(all, &r->params[i], hook_param_names[i], b,
		    e) != 0)
			return -1;
	}
	return 0;
}

static int
hook_route(struct routes *all, struct route *r, const struct conf *c,
    const struct bundle *b, struct err *e)
{
	const struct hook *h = r->hook;
	struct str *names, *texts;
	int64_t own;

	if ((r->provider = find_provider(all, h, b, e)) == NULL ||
	    resolve(all, r, b, e) != 0)
		return -1;
	names = arena_alloc(all->arena, (h->nsecrets + 1) * sizeof(*names));
	texts = arena_alloc(all->arena, (h->nsecrets + 1) * sizeof(*texts));
	if (names == NULL || texts == NULL)
		return err_set(e, ERR_OS, "no memory for routes");
	for (size_t i = 0; i < h->nsecrets; i++) {
		/* The text of "plain:TEXT" is the secret: it is no name. */
		names[i] = str_starts(h->secrets[i], STR("plain:")) ?
		    STR("plain") : h->secrets[i];
		texts[i] = bundle_secret(b, h->secrets[i]);
		if (texts[i].n == 0 && conf_captured(h->secrets[i]).p == NULL &&
		    !bundle_is_fetched(h->secrets[i]))
			return err_set(e, ERR_CONF, "the secret \"%.*s\" is %s",
			    STR_ARG(names[i]), texts[i].p == NULL ?
			    "not there" : "empty");
	}
	own = h->deadline > 0 ? h->deadline : r->provider->deadline > 0 ?
	    r->provider->deadline - r->provider->deadline / 5 : DEADLINE;
	r->deadline = own < c->max_deadline ? own : c->max_deadline;
	r->max_body = h->max_body > 0 ? h->max_body : c->max_body;
	r->json = (struct json_limits){ (unsigned)c->max_depth,
	    (size_t)c->max_values };
	if (deliver_compile(c, h, all->arena, &r->rules, &r->nrules, e) != 0)
		return -1;
	return make_route(r, names, texts, h->nsecrets, e);
}

static int
route_cmp(const void *a, const void *b)
{
	const struct route *x = a, *y = b;

	return str_cmp(x->hook->path, y->hook->path);
}

struct routes *
routes_new(const struct conf *c, const struct bundle *b, struct err *e)
{
	struct routes *all = calloc(1, sizeof(*all));

	if (all == NULL || (all->arena = arena_new(ROUTES_MEMORY)) == NULL ||
	    (all->v = calloc(c->nhooks + 1, sizeof(*all->v))) == NULL) {
		err_set(e, ERR_OS, "no memory for %zu hooks", c->nhooks);
		routes_free(all);
		return NULL;
	}
	for (size_t i = 0; i < c->nhooks; i++) {
		struct route *r = &all->v[all->n];
		bool own = c->hooks[i].own.p != NULL;

		r->hook = &c->hooks[i];
		if (hook_route(all, r, c, b, e) != 0) {
			/* Its own file's errors say where they are. */
			if (!(own && r->provider == NULL))
				err_at(e, "%.*s: %.*s", STR_ARG(r->hook->where),
				    STR_ARG(r->hook->path));
			if (r->provider != NULL)
				drop_keys(r);
			routes_free(all);
			return NULL;
		}
		all->n++;
	}
	qsort(all->v, all->n, sizeof(*all->v), route_cmp);
	return all;
}

void
routes_free(struct routes *all)
{
	if (all == NULL)
		return;
	for (size_t i = 0; i < all->n; i++)
		drop_keys(&all->v[i]);
	while (all->shared != NULL) {
		struct shared *next = all->shared->next;

		provider_free(all->shared->p);
		free(all->shared);
		all->shared = next;
	}
	free(all->v);
	arena_free(all->arena);
	free(all);
}

const struct route *
routes_find(const struct routes *all, struct str path)
{
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = str_cmp(path, all->v[mid].hook->path);

		if (c == 0)
			return &all->v[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

size_t
routes_count(const struct routes *all)
{
	return all->n;
}

const struct route *
routes_at(const struct routes *all, size_t i)
{
	return i < all->n ? &all->v[i] : NULL;
}

bool
route_asks(const struct route *r)
{
	bool asks = r->ncaptured > 0;

	for (size_t i = 0; r->keys != NULL && i < r->provider->nsignatures; i++)
		asks |= r->keys[i] == NULL && r->provider->signatures[i].fetches;
	return asks;
}

bool
routes_ask(const struct routes *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (route_asks(&all->v[i]))
			return true;
	return false;
}

/* --- warnings -------------------------------------------------------------------------- */

static void
warn(struct buf *b, const struct route *r, const char *text)
{
	buf_printf(b, "%.*s: %.*s: %s\n", STR_ARG(r->hook->where),
	    STR_ARG(r->hook->path), text);
}

static void
warn_route(const struct route *r, struct buf *b)
{
	const struct provider *p = r->provider;
	bool equal = false, bearer = false, timed = false, body = true;

	if (r->hook->auth == AUTH_NONE) {
		warn(b, r, "\"auth\" is \"none\": anybody may send to it");
		return;
	}
	for (size_t i = 0; i < r->hook->nsecrets; i++)
		if (str_starts(r->hook->secrets[i], STR("plain:"))) {
			warn(b, r, "a secret stands in the configuration "
			    "(\"plain:\"); use \"env:NAME\" or \"file:PATH\"");
			break;
		}
	for (size_t i = 0; i < p->nsignatures; i++) {
		const struct signature *s = &p->signatures[i];

		if (s->algorithm->family == FAMILY_EQUAL)
			equal = true;
		else if (s->bearer)
			bearer = true;
		else if ((s->covers & (COVERS_BODY | COVERS_FIELDS)) == 0)
			body = false;
		timed |= s->time_signed;
	}
	/* A file that ships says it in its own words. */
	if (p->nweak > 0)
		;
	else if (equal)
		warn(b, r, "the secret itself travels with each request, and "
		    "nothing is signed: whoever reads one can send others");
	else if (bearer)
		warn(b, r, "the token names the sender and says nothing of the "
		    "body: whoever reads one can send others until it expires");
	else if (!body)
		warn(b, r, "the signature does not cover the body");
	if (r->ncaptured > 0)
		warn(b, r, "its secret comes by a handshake: \"hooklatch capture\" "
		    "opens the window, and until then all is refused");
	if (r->hook->platform_token)
		warn(b, r, "\"token\" is \"platform\": the front is believed; let "
		    "nothing else reach the service");
	if (timed && r->window == 0)
		warn(b, r, "\"window\" is 0: an old request can be sent again");
	for (size_t i = 0; i < p->nweak; i++)
		buf_printf(b, "%.*s: %.*s: %.*s\n", STR_ARG(r->hook->where),
		    STR_ARG(r->hook->path), STR_ARG(p->weak[i]));
}

void
routes_warn(const struct routes *all, struct buf *b)
{
	for (size_t i = 0; i < all->n; i++)
		warn_route(&all->v[i], b);
}
