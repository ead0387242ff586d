/*
 * sample.c - a request as a provider would send it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "base/when.h"
#include "cli/sample.h"
#include "provider_examples.h"

#define SAMPLE_MAX	((size_t)64 << 20)	/* of a body */

/* --- who signs ------------------------------------------------------------ */

/* One more text of a parameter. */
static int
put_param(struct sample *s, struct texts *param, struct str value)
{
	struct str *v = arena_alloc(s->arena, (param->n + 1) * sizeof(*v));

	if (v == NULL)
		return -1;
	if (param->n > 0)
		memcpy(v, param->v, param->n * sizeof(*v));
	v[param->n] = value;
	*param = (struct texts){ v, param->n + 1 };
	return 0;
}

/* "NAME=VALUE" of --param; a VALUE that names a secret is read. */
static int
params_read(struct sample *s, const struct words *words, struct texts *params,
    struct err *e)
{
	struct str name, value;
	int which;

	for (size_t i = 0; i < words->n; i++) {
		value = str_of(words->p[i]);
		name = str_cut(&value, '=');
		for (which = 0; which < PARAM_COUNT; which++)
			if (str_eq(name, str_of(hook_param_names[which])))
				break;
		if (which == PARAM_COUNT || value.p == NULL)
			return err_set(e, ERR_USAGE, "--param \"%s\": write NAME=VALUE; "
			    "the names are those of hooklatch.json(5)", words->p[i]);
		if (str_starts(value, STR("env:")) || str_starts(value, STR("file:"))) {
			if (bundle_read_secret(s->bundle, value, e) == -1)
				return -1;
			value = bundle_secret(s->bundle, value);
		}
		if (put_param(s, &params[which], value) == -1)
			return err_set(e, ERR_OS, "not enough memory");
	}
	return 0;
}

/* A secret of the one who types: never as an argument itself. */
static int
secret_read(struct sample *s, struct str name, struct str *text, struct err *e)
{
	if (!str_starts(name, STR("env:")) && !str_starts(name, STR("file:")))
		return err_set(e, ERR_USAGE, "--secret takes env:NAME or file:PATH: "
		    "an argument can be seen by every user of the machine");
	if (bundle_read_secret(s->bundle, name, e) == -1)
		return -1;
	*text = bundle_secret(s->bundle, name);
	return 0;
}

/* The hook's route with one secret: one that is given, or its old one. */
static int
route_with(struct sample *s, const char *secret, struct err *e)
{
	const struct hook *h = s->route->hook;
	struct str name = str_of(secret), text;

	if (str_eq(name, STR("old"))) {
		if (h->nsecrets < 2)
			return err_set(e, ERR_USAGE, "the hook has no second secret");
		name = h->secrets[1];
		text = bundle_secret(s->bundle, name);
	} else if (secret_read(s, name, &text, e) == -1) {
		return -1;
	}
	s->own = route_new(s->route->provider, h, &name, &text, 1,
	    s->route->params, e);
	s->route = s->own;
	return s->own != NULL ? 0 : -1;
}

static int
route_of_hook(struct sample *s, const struct sample_options *o, struct err *e)
{
	const struct route *r;
	bool known = false;

	if ((s->conf = cli_conf(o->config, &s->bundle, NULL, e)) == NULL ||
	    (s->catalog = catalog_new(s->bundle, e)) == NULL ||
	    (s->routes = routes_new(s->conf, s->bundle, e)) == NULL)
		return -1;
	if ((r = s->route = routes_find(s->routes, str_of(o->hook))) == NULL)
		return err_set(e, ERR_USAGE, "the configuration has no hook \"%s\"",
		    o->hook);
	if (o->secret != NULL)
		return route_with(s, o->secret, e);
	if (r->hook->auth != AUTH_NONE && r->ncaptured > 0 &&
	    r->hook->nsecrets == r->ncaptured)
		return err_set(e, ERR_USAGE, "the hook's secret came by a handshake: "
		    "\"hooklatch capture show %.*s\" shows it, --secret takes it",
		    STR_ARG(r->captured[0]));
	for (size_t i = 0; i < r->hook->nsecrets; i++)
		known |= bundle_secret(s->bundle, r->hook->secrets[i]).n > 0;
	if (r->hook->auth != AUTH_NONE && r->hook->nsecrets > 0 && !known)
		return err_set(e, ERR_USAGE, "the hook's secret is fetched by the courier "
		    "alone: put it into a variable (gcloud secrets versions access "
		    "latest --secret=NAME shows it) and give its name, --secret env:NAME");
	return 0;
}

static int
route_of_provider(struct sample *s, const struct sample_options *o,
    const char *id, struct err *e)
{
	struct texts params[PARAM_COUNT] = { { NULL, 0 } };
	struct str name = str_of(o->secret), text = STR_NONE;

	if ((s->bundle = bundle_new()) == NULL)
		return err_set(e, ERR_OS, "not enough memory");
	if ((o->dir != NULL &&
	    conf_gather_providers(s->bundle, str_of(o->dir), e) == -1) ||
	    (s->catalog = catalog_new(s->bundle, e)) == NULL ||
	    (s->provider = catalog_read(s->catalog, str_of(id), e)) == NULL)
		return -1;
	if (o->secret != NULL) {
		if (secret_read(s, name, &text, e) == -1)
			return -1;
	} else if (s->provider->wants_secret && o->private_key == NULL) {
		return err_set(e, ERR_USAGE, "%s signs with a secret: give --secret "
		    "env:NAME or --secret file:PATH", id);
	}
	if (params_read(s, &o->params, params, e) == -1)
		return -1;
	/* Where the URL is signed, it is the one that it is sent to. */
	if (params[PARAM_URL].n == 0 && o->url != NULL && put_param(s,
	    &params[PARAM_URL], str_head(str_of(o->url),
	    strcspn(o->url, "?#"))) == -1)
		return err_set(e, ERR_OS, "not enough memory");
	s->own = route_new(s->provider, NULL, &name, &text, o->secret != NULL ? 1 : 0,
	    params, e);
	s->route = s->own;
	return s->own != NULL ? 0 : -1;
}

/* --- what is sent --------------------------------------------------------- */

static char *
read_stdin(size_t *n, struct err *e)
{
	struct buf b = BUF(SAMPLE_MAX);
	char text[65536];
	ssize_t got;

	while ((got = read(0, text, sizeof(text))) > 0)
		buf_put(&b, (struct str){ text, (size_t)got });
	if (got == -1 || !buf_ok(&b)) {
		err_set(e, ERR_IO, "standard input: %s", got == -1 ?
		    strerror(errno) : "too much");
		buf_free(&b);
		return NULL;
	}
	buf_putc(&b, '\0');
	*n = b.n - 1;
	return b.p;
}

/* The body of the file's first genuine event, and what it says it is. */
static int
body_sample(struct sample *s, struct sign_wish *w, struct err *e)
{
	const struct provider *p = s->route->provider;
	struct example *examples, *x;
	struct err none;
	struct str text;
	size_t n;

	w->body = STR("{\"hello\":\"from hooklatch\"}");
	if (p == NULL || (text = catalog_text(s->catalog, p->id, &none)).p == NULL)
		return 0;
	if (provider_examples(text, "its examples", s->arena, &examples, &n, e) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		x = &examples[i];
		if (x->expect != EXPECT_GENUINE || x->sent.body.n == 0)
			continue;
		for (size_t j = 0; j < x->sent.nheaders && w->content_type.n == 0; j++)
			if (str_eq_nocase(x->sent.headers[j].name, STR("content-type")))
				w->content_type = x->sent.headers[j].value;
		/* A published vector may sign what the provider never sends. */
		if (w->content_type.n == 0 && (p->bodies & BODY_JSON) != 0 &&
		    *x->sent.body.p != '{' && *x->sent.body.p != '[')
			continue;
		w->body = x->sent.body;
		if (w->type.n == 0 && x->event_type.p != NULL)
			w->type = x->event_type;
		return 0;
	}
	if ((p->bodies & (BODY_JSON | BODY_ANY)) == 0 && (p->bodies & BODY_FORM) != 0)
		w->body = STR("hello=from+hooklatch");
	return 0;
}

static int
body_read(struct sample *s, const struct sample_options *o, struct sign_wish *w,
    struct err *e)
{
	char *text;
	size_t n = 0;

	if (o->body == NULL)
		return body_sample(s, w, e);
	text = strcmp(o->body, "-") == 0 ? read_stdin(&n, e) :
	    os_read_file(o->body, SAMPLE_MAX, &n, e);
	if (text == NULL)
		return -1;
	w->body = arena_str(s->arena, (struct str){ text, n });
	free(text);
	return w->body.p != NULL ? 0 : err_set(e, ERR_OS, "not enough memory");
}

static int
headers_read(struct sample *s, const struct words *words, struct sign_wish *w,
    struct err *e)
{
	struct header *h;
	struct str value, name;

	h = arena_alloc(s->arena, (words->n + 1) * sizeof(*h));
	for (size_t i = 0; h != NULL && i < words->n; i++) {
		value = str_of(words->p[i]);
		name = str_trim(str_cut(&value, ':'));
		if (value.p == NULL || name.n == 0)
			return err_set(e, ERR_USAGE, "--header \"%s\": write NAME: VALUE",
			    words->p[i]);
		h[i] = (struct header){ name, str_trim(value) };
	}
	w->headers = h;
	w->nheaders = words->n;
	return h != NULL ? 0 : err_set(e, ERR_OS, "not enough memory");
}

static int
private_key_read(struct sample *s, const char *path, struct sign_wish *w,
    struct err *e)
{
	char *text;
	size_t n = 0;

	if ((text = os_read_file(path, 65536, &n, e)) == NULL)
		return -1;
	while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
		n--;
	w->private_key = arena_str(s->arena, (struct str){ text, n });
	explicit_bzero(text, n);
	free(text);
	return w->private_key.p != NULL ? 0 :
	    err_set(e, ERR_OS, "not enough memory");
}

/* ms; seconds, or a span; "-" before it: not yet. */
static int
age_read(const char *text, int64_t *ms, struct err *e)
{
	bool ahead = *text == '-';
	uint64_t seconds;

	if (str_to_u64(str_of(text + ahead), &seconds) &&
	    seconds < UINT32_MAX)
		*ms = (int64_t)seconds * 1000;
	else if (cli_span(text + ahead, ms, e) == -1)
		return -1;
	if (ahead)
		*ms = -*ms;
	return 0;
}

static int
scheme_find(const struct sample *s, const char *name, int *alternative,
    struct err *e)
{
	const struct provider *p = s->route->provider;

	for (size_t i = 0; p != NULL && i < p->nsignatures; i++)
		if (strcmp(p->signatures[i].algorithm->name, name) == 0) {
			*alternative = (int)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "the provider does not sign with \"%s\"", name);
}

static int
forge_find(const char *name, const struct forgery **f, struct err *e)
{
	struct buf all = BUF(4096);
	int rc = 0;

	if ((*f = forgery_find(str_of(name))) != NULL)
		return 0;
	for (size_t i = 0; (*f = forgery_at(i)) != NULL; i++)
		buf_printf(&all, "%s%s", i > 0 ? ", " : "", forgery_name(*f));
	rc = err_set(e, ERR_USAGE, "--forge \"%.40s\" is none of %.*s", name,
	    (int)all.n, all.p);
	buf_free(&all);
	return rc;
}

static int
spoil(struct sample *s, const struct forgery *f, struct err *e)
{
	struct sent spoiled;

	if (s->request.alternative < 0)
		return err_set(e, ERR_USAGE, "nothing is signed here");
	switch (forge(f, s->route->provider, &s->request, s->arena, &spoiled)) {
	case FORGED_NOT:
		return err_set(e, ERR_USAGE, "--forge %s: there is nothing in this "
		    "request to spoil so", forgery_name(f));
	case FORGED_UNSEEN:
		s->unseen = true;
		break;
	case FORGED:
		break;
	}
	s->request = spoiled;
	return 0;
}

int
sample_make(struct sample *s, const struct sample_options *o,
    const char *provider, struct err *e)
{
	struct sign_wish w = { .alternative = -1, .now = when_now() };
	const struct forgery *f = NULL;
	int64_t age = 0;

	*s = (struct sample){ .route = NULL };
	if (o->forge != NULL && forge_find(o->forge, &f, e) == -1)
		return -1;
	if ((provider != NULL) == (o->hook != NULL))
		return err_set(e, ERR_USAGE, "name a provider, or a hook with --hook and "
		    "--config; \"hooklatch providers\" lists the first");
	if (o->age != NULL && age_read(o->age, &age, e) == -1)
		return -1;
	if ((s->arena = arena_new(4 * SAMPLE_MAX)) == NULL)
		return err_set(e, ERR_OS, "not enough memory");
	w.url = str_of(o->url);
	if (o->url == NULL)
		w.url = arena_printf(s->arena, "http://127.0.0.1:8080%s%s",
		    o->hook != NULL ? o->hook : "/hooks/",
		    o->hook != NULL ? "" : provider);
	if ((o->hook != NULL ? route_of_hook(s, o, e) :
	    route_of_provider(s, o, provider, e)) == -1)
		return -1;
	if (o->scheme != NULL && scheme_find(s, o->scheme, &w.alternative, e) == -1)
		return -1;
	w.content_type = str_of(o->content_type);
	w.type = str_of(o->type);
	w.id = str_of(o->id);
	w.key_id = str_of(o->key_id);
	w.now -= age;
	w.fresh = o->fresh && o->body == NULL;
	if (body_read(s, o, &w, e) == -1 ||
	    headers_read(s, &o->headers, &w, e) == -1 || (o->private_key != NULL &&
	    private_key_read(s, o->private_key, &w, e) == -1))
		return -1;
	s->body = w.body;
	if (auth_sign(s->route, &w, s->arena, &s->request, e) == -1)
		return -1;
	return f == NULL ? 0 : spoil(s, f, e);
}

void
sample_free(struct sample *s)
{
	route_free(s->own);
	routes_free(s->routes);
	catalog_free(s->catalog);
	provider_free(s->provider);
	conf_free(s->conf);
	bundle_free(s->bundle);
	arena_free(s->arena);
}

void
sample_warn(const struct sample *s, const char *command)
{
	if (s->unseen)
		fprintf(stderr, "hooklatch %s: the provider does not sign what is "
		    "changed here: this will be accepted\n", command);
}
