/*
 * conf.c - a configuration is read: the objects of its file by the table of keys, then
 * what must hold between keys that are fine alone.
 */
#include <string.h>

#include "conf_parts.h"
#include "engine_url.h"
#include "letter.h"
#include "service.h"
#include "base/arena.h"

/* --- what a key may name ------------------------------------------------------ */

bool
conf_claim_google(const struct conf *c)
{
	return str_eq(c->claim_check_token, STR("google")) ||
	    (c->claim_check_token.n == 0 && str_starts(c->claim_check, STR("gs://")));
}

bool
conf_is_destination_key(struct str name)
{
	for (const struct option *o = conf_options; o->name != NULL; o++)
		if (o->level == DESTINATION && str_eq(name, str_of(o->name)))
			return true;
	return false;
}

bool
conf_is_reference(struct str s)
{
	return str_starts(s, STR("env:")) || str_starts(s, STR("file:")) ||
	    str_starts(s, STR("gcp:")) || str_starts(s, STR("plain:"));
}

struct str
conf_param(const struct hook *h, enum hook_param param)
{
	return h->params[param].n > 0 ? h->params[param].v[0] : STR_NONE;
}

struct str
conf_captured(struct str s)
{
	return str_starts(s, STR("captured:")) ?
	    str_skip(s, strlen("captured:")) : STR_NONE;
}

const char *
conf_nearest(struct str word, const char *const *words)
{
	const char *best = NULL;
	size_t far = 1 + word.n / 4, i;

	/* Longer than any word we have: not worth the squared time. */
	if (word.n > 64)
		return NULL;
	for (i = 0; words[i] != NULL; i++) {
		struct str w = str_of(words[i]);
		size_t d = str_distance(word, w);

		if (d < w.n && (best == NULL ? d <= far : d < far)) {
			best = words[i];
			far = d;
		}
	}
	return best;
}

/* --- keys that are fine alone and wrong together ------------------------------ */

static int
limits_finish(struct reader *r, const struct json_object *v, void *base)
{
	const struct conf *c = base;

	if (c->inbox_age != 0 && c->inbox_keep > c->inbox_age)
		return json_err(r->doc, v, r->e,
		    "\"inbox_keep\" is longer than \"inbox_age\"");
	return 0;
}

static int
hook_finish(struct reader *r, const struct json_object *v, void *base)
{
	const struct hook *h = base;

	if (h->auth == AUTH_NONE && (h->nsecrets > 0 ||
	    h->params[PARAM_PUBLIC_KEY].n > 0))
		return json_err(r->doc, v, r->e, "hook %s has \"auth\": "
		    "\"none\" and a %s; one of them is too much",
		    quoted(h->path).p,
		    h->nsecrets > 0 ? "secret" : "public key");
	if (h->auth == AUTH_PROVIDER && h->provider.p == NULL)
		return json_err(r->doc, v, r->e, "hook %s has no \"provider\"; "
		    "if anybody may send to it, say \"auth\": \"none\"",
		    quoted(h->path).p);
	return 0;
}

/* Is a template of it none? */
static bool
letters_wrong(const struct destination *d, struct err *e)
{
	if (!conf_is_reference(d->url) && letter_check(d->url, LETTER_URL, e) == -1) {
		err_at(e, "\"%s\"", d->service.n > 0 ? "service" : "http");
		return true;
	}
	for (size_t i = 0; i < d->nheaders; i++)
		if (letter_check_header(d->headers[i].name, e) == -1 ||
		    (!conf_is_reference(d->headers[i].value) && letter_check(
		    d->headers[i].value, LETTER_HEADER, e) == -1)) {
			err_at(e, "\"headers\"");
			return true;
		}
	if (d->body.n == 0 || letter_check(d->body, LETTER_JSON, e) == 0)
		return false;
	err_at(e, "\"body\"");
	return true;
}

/* What goes with a mode, and what does not. */
static int
mode_finish(struct reader *r, const struct json_object *v, struct destination *d)
{
	const char *odd = d->one_at_a_time ? "one_at_a_time" :
	    d->latest_wins ? "latest_wins" : d->serialize_by.n > 0 ? "serialize_by" :
	    d->delay > 0 ? "delay" : d->per_day > 0 ? "per_day" : NULL;

	for (unsigned i = 0; i < FORWARD_MODES; i++)
		if (str_eq(d->own_mode, str_of(forward_mode_name((enum forward_mode)i))))
			d->mode = (enum forward_mode)i;
	if (odd != NULL && d->mode != FORWARD_AFTER)
		return json_err(r->doc, v, r->e, "destination %s: \"%s\" goes with "
		    "\"mode\": \"after\"; here a sender waits",
		    quoted(d->name).p, odd);
	if (d->fallback.n > 0 && d->mode != FORWARD_ANSWER)
		return json_err(r->doc, v, r->e, "destination %s: \"fallback\" goes "
		    "with \"mode\": \"answer\"", quoted(d->name).p);
	return 0;
}

struct str
conf_oauth1(const struct destination *d, const char *name)
{
	for (size_t i = 0; i < d->noauth1; i++)
		if (str_eq(d->oauth1[i].name, str_of(name)))
			return d->oauth1[i].value;
	return STR_NONE;
}

static bool
oauth1_whole(const struct destination *d)
{
	for (size_t i = 0; i < CONF_OAUTH1; i++)
		if (!conf_is_reference(conf_oauth1(d, conf_oauth1_names[i])))
			return false;
	return true;
}

static int
no_service(struct reader *r, const struct json_object *v, const struct destination *d,
    struct str id)
{
	char names[256];

	return json_err(r->doc, v, r->e, "destination %s: there is no service %s; there "
	    "are %s", quoted(d->name).p, quoted(id).p, service_names(r->own, names));
}

/* Keys of the other kind of destination, and pairs that do not go together. */
static int
destination_finish(struct reader *r, const struct json_object *v, void *base)
{
	struct destination *d = base;
	bool exec = d->nargv > 0, service = d->service.n > 0;
	bool http = d->own_url.n > 0 || service;
	const char *odd = http && d->directory.n > 0 ? "directory" :
	    http && d->nenvironment > 0 ? "environment" :
	    exec && d->nheaders > 0 ? "headers" : exec && d->own_body.n > 0 ? "body" :
	    exec && d->sign.n > 0 ? "sign" : exec && d->bearer.n > 0 ? "bearer" :
	    exec && d->basic.n > 0 ? "basic" : exec && d->own_google.n > 0 ?
	    "google" : exec && d->audience.n > 0 ? "audience" :
	    exec && d->own_scope.n > 0 ? "scope" :
	    exec && d->credentials.n > 0 ? "credentials" :
	    exec && d->noauth1 > 0 ? "oauth1" : NULL;
	unsigned who;
	bool id;
	struct err e;

	if (exec == http || (service && d->own_url.n > 0))
		return json_err(r->doc, v, r->e, "destination %s needs one of "
		    "\"exec\", \"http\" and \"service\"", quoted(d->name).p);
	if (service && !service_is(r->own, d->service))
		return no_service(r, v, d, d->service);
	if (service && d->own_google.n > 0)
		return json_err(r->doc, v, r->e, "destination %s: the service says which "
		    "token it wants; leave \"google\" out", quoted(d->name).p);
	d->url = d->own_url;
	d->body = d->own_body;
	d->google = d->own_google;
	d->scope = d->own_scope;
	if (service && service_apply(d, r->own, r->c->arena, &e) == -1)
		return json_err(r->doc, v, r->e, "destination %s: %s",
		    quoted(d->name).p, e.text);
	who = (d->bearer.n > 0) + (d->basic.n > 0) + (d->google.n > 0) +
	    (d->noauth1 > 0);
	id = str_eq(d->google, STR("id"));
	if (odd != NULL)
		return json_err(r->doc, v, r->e, "destination %s: \"%s\" goes with "
		    "\"%s\"", quoted(d->name).p, odd, exec ? "http" : "exec");
	if (exec && (d->argv[0].n == 0 || d->argv[0].p[0] != '/'))
		return json_err(r->doc, v, r->e, "destination %s: \"exec\" begins "
		    "with the whole path of a program, like \"/usr/local/bin/"
		    "deploy\"", quoted(d->name).p);
	if (http && letters_wrong(d, &e))
		return json_err(r->doc, v, r->e, "destination %s: %s",
		    quoted(d->name).p, e.text);
	if (who > 1)
		return json_err(r->doc, v, r->e, "destination %s has more than one of "
		    "\"bearer\", \"basic\", \"google\" and \"oauth1\"",
		    quoted(d->name).p);
	if (d->noauth1 > 0 && !oauth1_whole(d))
		return json_err(r->doc, v, r->e, "destination %s: \"oauth1\" wants "
		    "\"consumer_key\", \"consumer_secret\", \"token\" and "
		    "\"token_secret\", each a reference like \"env:NAME\"",
		    quoted(d->name).p);
	if (d->audience.n > 0 && !id)
		return json_err(r->doc, v, r->e, "destination %s: \"audience\" goes "
		    "with \"google\": \"id\"", quoted(d->name).p);
	if (d->own_scope.n > 0 && (d->google.n == 0 || id))
		return json_err(r->doc, v, r->e, "destination %s: \"scope\" goes with "
		    "\"google\": \"access\"", quoted(d->name).p);
	if (d->credentials.n > 0 && d->google.n == 0)
		return json_err(r->doc, v, r->e, "destination %s: \"credentials\" goes "
		    "with \"google\"", quoted(d->name).p);
	if (mode_finish(r, v, d) == -1)
		return -1;
	if (d->retry_first > d->retry_most)
		return json_err(r->doc, v, r->e, "destination %s: \"first\" of "
		    "\"retry\" is longer than \"most\"", quoted(d->name).p);
	d->kind = exec ? TO_EXEC : TO_HTTP;
	return 0;
}

/* --- the objects of the file -------------------------------------------------- */

static const struct {
	const char	*name;
	const char	*place;		/* where a key belongs that was elsewhere */
	/* Of the whole object, once it is read; may be NULL. */
	int		(*finish)(struct reader *, const struct json_object *,
			    void *base);
} levels[] = {
	[TOP] = { "the file", "the top level of the file", NULL },
	[LIMITS] = { "limits", "\"limits\"", limits_finish },
	[USERS] = { "users", "\"users\"", NULL },
	[HOOK] = { "a hook", "a hook", hook_finish },
	[DESTINATION] = { "a destination", "a destination", destination_finish },
	[RETRY] = { "retry", "a destination's \"retry\"", NULL },
};

static int
unknown_key(struct reader *r, const struct json_object *v, struct str name,
    enum level level)
{
	const char *names[LEVEL_KEYS + 1], *near;
	const struct option *other = NULL, *o;
	size_t n = 0;

	for (o = conf_options; o->name != NULL; o++) {
		if (o->level == level && n < LEVEL_KEYS)
			names[n++] = o->name;
		else if (other == NULL && str_eq(name, str_of(o->name)))
			other = o;
	}
	names[n] = NULL;
	if (other != NULL)
		return json_err(r->doc, v, r->e, "unknown key \"%s\" in %s; it "
		    "belongs in %s", other->name, levels[level].name,
		    levels[other->level].place);
	if ((near = conf_nearest(name, names)) != NULL)
		return json_err(r->doc, v, r->e,
		    "unknown key %s; did you mean \"%s\"?",
		    quoted(name).p, near);
	return json_err(r->doc, v, r->e, "unknown key %s in %s",
	    quoted(name).p, levels[level].name);
}

/* Of the service that the destination names. */
static bool
is_parameter(const struct reader *r, const struct json_object *destination,
    struct str name)
{
	const struct json_object *service = json_member(destination, "service");

	return json_kind(service) == JSON_STRING &&
	    service_takes(r->own, json_text(service), name);
}

static int
param_take(struct reader *r, const struct json_object *destination,
    const struct json_object *v, struct str name, struct destination *d)
{
	struct pair *p;
	struct str value = json_text(v);

	if (json_kind(v) != JSON_STRING || !fits_text(&value))
		return json_err(r->doc, v, r->e, "%s must be a text without control "
		    "characters, not %s", quoted(name).p, instead(r, NULL, v).p);
	if (d->params == NULL && (d->params = arena_alloc(r->c->arena,
	    json_count(destination) * sizeof(*d->params))) == NULL)
		return no_room(r);
	p = &d->params[d->nparams++];
	p->name = arena_str(r->c->arena, name);
	p->value = arena_str(r->c->arena, json_text(v));
	return p->name.p == NULL || p->value.p == NULL ? no_room(r) : 0;
}

void
level_preset(enum level level, void *base)
{
	for (const struct option *o = conf_options; o->name != NULL; o++)
		if (o->level == level && o->kind->family->preset != NULL)
			o->kind->family->preset(o, base);
	if (level == HOOK)
		((struct hook *)base)->window = -1;
}

int
level_read(struct reader *r, const struct json_object *object,
    enum level level, void *base)
{
	for (size_t i = 0; i < json_count(object); i++) {
		const struct option *o = conf_options;
		const struct json_object *v, *service;
		struct str name;
		int rc;

		v = json_nth(object, i, &name);
		while (o->name != NULL && (o->level != level ||
		    !str_eq(name, str_of(o->name))))
			o++;
		if (o->name != NULL)
			rc = o->kind->family->read(r, o, v, base);
		else if (level == DESTINATION && is_parameter(r, object, name))
			rc = param_take(r, object, v, name, base);
		else if (level == DESTINATION && (service = json_member(object,
		    "service")) != NULL && json_kind(service) == JSON_STRING &&
		    !service_is(r->own, json_text(service)))
			rc = no_service(r, object, base, json_text(service));
		else
			rc = unknown_key(r, v, name, level);
		if (rc == -1)
			return -1;
	}
	return levels[level].finish == NULL ? 0 :
	    levels[level].finish(r, object, base);
}

/* --- the whole ---------------------------------------------------------------- */

const struct destination *
conf_destination(const struct conf *c, struct str name)
{
	for (size_t i = 0; i < c->ndestinations; i++)
		if (str_eq(c->destinations[i].name, name))
			return &c->destinations[i];
	return NULL;
}

/* One destination answers at most, and nobody else beside it. */
static int
answers_finish(const struct conf *c, const struct hook *h, struct err *e)
{
	struct str first = STR_NONE;

	for (size_t i = 0; i < h->ndeliver; i++) {
		struct str to = h->deliver[i].to;

		if (conf_destination(c, to)->mode != FORWARD_ANSWER)
			continue;
		if (first.p != NULL)
			return err_set(e, ERR_CONF, "%.*s: hook %s: both %s and %s "
			    "have \"mode\": \"answer\", and a request has one "
			    "answer; leave one of them out", STR_ARG(h->where),
			    quoted(h->path).p, quoted(first).p, quoted(to).p);
		if (h->pass.n > 0)
			return err_set(e, ERR_CONF, "%.*s: hook %s: with \"pass\" "
			    "the application answers, so %s with \"mode\": "
			    "\"answer\" cannot; leave one of them out",
			    STR_ARG(h->where), quoted(h->path).p, quoted(to).p);
		first = to;
	}
	return 0;
}

/* Each name of a hook's "deliver" is a destination. */
static int
deliver_finish(const struct conf *c, const struct hook *h, struct err *e)
{
	const char *names[1024], *near;
	size_t n = 0;

	for (size_t i = 0; i < h->ndeliver; i++) {
		if (conf_destination(c, h->deliver[i].to) != NULL)
			continue;
		for (size_t j = 0; j < c->ndestinations && n < 1023; j++)
			names[n++] = c->destinations[j].name.p;
		names[n] = NULL;
		near = conf_nearest(h->deliver[i].to, names);
		return err_set(e, ERR_CONF, "%.*s: hook %s: there is no destination "
		    "%s%s%s%s", STR_ARG(h->where), quoted(h->path).p,
		    quoted(h->deliver[i].to).p, near != NULL ?
		    "; did you mean \"" : "; name it in \"destinations\"",
		    near != NULL ? near : "", near != NULL ? "\"?" : "");
	}
	return 0;
}

/* What depends on keys that stand anywhere in the file. */
static int
conf_finish(struct conf *c, struct err *e)
{
	size_t i;

	if (c->inbox.p != NULL)
		conf_set_inbox(c, c->inbox);
	if (c->metrics.n > 0 && str_eq(c->metrics, c->health))
		return err_set(e, ERR_CONF, "%.*s: \"metrics\" has the path of "
		    "\"health\"; give one of them another", STR_ARG(c->name));
	for (i = 0; i < c->nhooks; i++) {
		const struct hook *h = &c->hooks[i];
		const char *more = h->max_body > c->max_body ? "body" :
		    h->deadline > c->max_deadline ? "deadline" : NULL;

		const char *page = c->health.n > 0 && str_eq(h->path,
		    c->health) ? "health" : c->metrics.n > 0 && str_eq(h->path,
		    c->metrics) ? "metrics" : NULL;

		if (page != NULL)
			return err_set(e, ERR_CONF, "%.*s: hook %s has the path "
			    "of \"%s\"; give one of them another",
			    STR_ARG(h->where), quoted(h->path).p, page);
		if (more != NULL)
			return err_set(e, ERR_CONF, "%.*s: \"%s\" of hook %s is "
			    "more than \"limits\" allows; raise \"%s\" there",
			    STR_ARG(h->where), more, quoted(h->path).p, more);
		if (deliver_finish(c, h, e) == -1 || answers_finish(c, h, e) == -1)
			return -1;
	}
	return 0;
}

void
conf_set_inbox(struct conf *c, struct str written)
{
	c->inbox = written;
	c->inbox_path = STR_NONE;
	if (str_starts(written, STR("sqlite:"))) {
		c->inbox_kind = INBOX_SQLITE;
		c->inbox_path = str_skip(written, strlen("sqlite:"));
	} else {
		c->inbox_kind = str_eq(written, STR("stdout:")) ? INBOX_STDOUT :
		    engine_of(written) != ENGINE_NONE ? INBOX_ENGINE :
		    INBOX_NONE;
	}
}

bool
conf_keeps(enum inbox_kind kind)
{
	return kind == INBOX_SQLITE || kind == INBOX_ENGINE;
}

bool
conf_delivers(const struct conf *c)
{
	for (size_t i = 0; i < c->nhooks; i++)
		if (c->hooks[i].ndeliver > 0)
			return true;
	return false;
}

static struct conf *
read_with(struct str text, const struct bundle *own, const char *name, struct err *e)
{
	struct reader r = { NULL, own, NULL, e };
	struct arena *a;

	if (text.n > CONF_TEXT_MAX) {
		err_set(e, ERR_CONF, "%s: is longer than %d MiB", name,
		    CONF_TEXT_MAX >> 20);
		return NULL;
	}
	/* More than the densest file needs: a list of one-letter secrets. */
	a = arena_new(64 * text.n + (1 << 20));
	r.c = a == NULL ? NULL : arena_alloc(a, sizeof(*r.c));
	if (r.c == NULL) {
		arena_free(a);
		err_set(e, ERR_OS, "%s: no memory to read it", name);
		return NULL;
	}
	r.c->arena = a;
	r.c->name = arena_str(a, str_of(name));
	level_preset(TOP, r.c);
	if ((r.doc = json_read(text, name, e)) == NULL)
		goto bad;
	if (json_kind(json_root(r.doc)) != JSON_OBJECT) {
		err_set(e, ERR_CONF, "%s:1:1: a configuration is an object, "
		    "{ ... }", name);
		goto bad;
	}
	if (level_read(&r, json_root(r.doc), TOP, r.c) == -1 ||
	    conf_finish(r.c, e) == -1)
		goto bad;
	json_close(r.doc);
	return r.c;
bad:
	json_close(r.doc);
	conf_free(r.c);
	return NULL;
}

struct conf *
conf_read(struct str text, const char *name, struct err *e)
{
	return read_with(text, NULL, name, e);
}

struct conf *
conf_gathered(const struct bundle *b, const char *path, struct err *e)
{
	return read_with(bundle_get(b, STR("conf")), b,
	    path != NULL ? path : CONF_ENVIRONMENT, e);
}

void
conf_free(struct conf *c)
{
	if (c != NULL)
		arena_wipe(c->arena);	/* "plain:" secrets, and c itself */
}
