/* keys.c - see keys.h. */
#include <sys/eventfd.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/codec.h"
#include "../base/json.h"
#include "../base/when.h"
#include "../key_source.h"
#include "../provider_texts.h"
#include "keys.h"
#include "transfer.h"

#define HOOK_MAX	1000		/* bytes of a hook's path: conf_keys.c */
#define ID_MAX		(KEY_URL_LEN + KEY_NAME_LEN + HOOK_MAX + 3)
#define MAX_AGE_LEAST	60		/* seconds, whatever Cache-Control says */
#define MAX_AGE_MOST	(24 * 3600)
#define MAX_AGE_SET	3600		/* of a set of keys that does not say */
#define MAX_AGE_NAMED	(24 * 3600)	/* of one that has its own name */
#define STALE_SECONDS	60		/* for which a worker may have an old one */
#define FAIL_MS		KEY_SECOND	/* doubling ... */
#define FAIL_MOST	(60 * KEY_SECOND)	/* ... to this */
#define TOKEN_SPARE	(60 * KEY_SECOND)	/* before its end a token is not used */
#define POLL_MS		1000

/*
 * One key, or set of keys, by its URL and name; and by the hook where that has to say
 * who it is, since another client may hear something else.
 */
struct kept {
	char		 id[ID_MAX];
	struct buf	 bytes;		/* .n == 0: not had yet */
	int64_t		 came_at;	/* steady ms */
	int64_t		 fresh_until;
	int64_t		 not_before;	/* after a failure */
	unsigned	 failures;
	enum wire_refusal refusal;	/* of the last failure */
	bool		 fetching;
	bool		 named;		/* not a set: it is there, or it is not */
	struct key_ask	*waiting;
};

/* A token of OAuth, for the keys of one hook. */
struct grant {
	char		*hook;
	char		 token[2048];
	int64_t		 until;		/* steady ms */
};

/* How many keys requests have named, by provider and minute. */
struct rate {
	char		 host[128];
	int64_t		 minute;
	unsigned	 n;
};

struct fetch {
	struct keys	*keys;
	CURL		*easy;
	struct curl_slist *headers;
	struct buf	 body;
	bool		 too_long;
	bool		 for_token;	/* the OAuth token first */
	bool		 renewed;	/* a token that was refused has been renewed */
	long		 max_age;	/* seconds; -1: not said */
	long		 age;
	struct kept	*kept;
	/* What a second step needs again; texts are the arena's, NUL behind each. */
	struct arena	*arena;
	struct key_source source;
	struct str	 url, key, hook, client, secret, post;
	char		 error[CURL_ERROR_SIZE];
};

struct keys {
	struct half	*half;		/* the thread's own */
	struct log	*log;
	CURLM		*multi;
	struct kept	*all[KEYS_MOST];
	size_t		 n;
	struct fetch	*fetches[KEYS_AT_ONCE];
	struct key_ask	*later, **later_end;	/* more than are fetched at once */
	size_t		 nlater;
	struct grant	 grants[16];
	struct rate	 rates[64];

	pthread_t	 thread;
	pthread_mutex_t	 lock;		/* of what follows */
	struct key_ask	*asks, **asks_end;
	size_t		 nasks;
	struct key_ask	*outcomes, **outcomes_end;
	struct half	*next_half;
	bool		 stop;
	int		 told;		/* eventfd */
};

/* --- asks --------------------------------------------------------------------- */

struct key_ask *
key_ask_new(struct conn *conn, uint64_t ticket, struct str hook,
    unsigned alternative, struct str key, bool again)
{
	struct key_ask *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->conn = conn;
	a->ticket = ticket;
	a->alternative = alternative;
	a->again = again;
	a->bytes = BUF(WIRE_KEY_MAX);
	a->hook = strndup(hook.n > 0 ? hook.p : "", hook.n);
	a->key = strndup(key.n > 0 ? key.p : "", key.n);
	if (a->hook != NULL && a->key != NULL)
		return a;
	key_ask_free(a);
	return NULL;
}

void
key_ask_free(struct key_ask *a)
{
	if (a == NULL)
		return;
	free(a->hook);
	free(a->key);
	buf_wipe(&a->bytes);
	free(a);
}

static void
tell(struct keys *k, struct key_ask *a)
{
	uint64_t one = 1;

	a->next = NULL;
	pthread_mutex_lock(&k->lock);
	*k->outcomes_end = a;
	k->outcomes_end = &a->next;
	pthread_mutex_unlock(&k->lock);
	if (write(k->told, &one, sizeof(one)) == -1)
		return;			/* it is readable already */
}

static void
refuse(struct keys *k, struct key_ask *a, enum wire_refusal why, const char *text)
{
	a->refusal = why;
	a->why = text;
	tell(k, a);
}

static void
grant(struct keys *k, struct key_ask *a, const struct kept *e, int64_t seconds)
{
	buf_put(&a->bytes, buf_str(&e->bytes));
	a->seconds = seconds < 1 ? 1 : (uint32_t)seconds;
	if (buf_ok(&a->bytes))
		tell(k, a);
	else
		refuse(k, a, REFUSED_BUSY, "no memory");
}

/* --- what is kept ----------------------------------------------------------------- */

static void
kept_free(struct kept *e)
{
	buf_wipe(&e->bytes);		/* a key may be a secret */
	free(e);
}

/* The place of the one to give up: never one that is being fetched. */
static size_t
oldest(const struct keys *k)
{
	size_t at = k->n;

	for (size_t i = 0; i < k->n; i++)
		if (!k->all[i]->fetching &&
		    (at == k->n || k->all[i]->came_at < k->all[at]->came_at))
			at = i;
	return at;
}

static struct kept *
kept_find(struct keys *k, const char *id)
{
	struct kept *e;
	size_t at;

	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->all[i]->id, id) == 0)
			return k->all[i];
	if (k->n == KEYS_MOST) {
		if ((at = oldest(k)) == k->n)
			return NULL;
		kept_free(k->all[at]);
		k->all[at] = k->all[--k->n];
	}
	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	memcpy(e->id, id, strlen(id) + 1);
	e->bytes = BUF(WIRE_KEY_MAX);
	k->all[k->n++] = e;
	return e;
}

/* All that wait for it hear the same. */
static void
answer_all(struct keys *k, struct kept *e, int64_t now)
{
	struct key_ask *a;

	while ((a = e->waiting) != NULL) {
		e->waiting = a->next;
		if (now < e->fresh_until)
			grant(k, a, e, (e->fresh_until - now) / KEY_SECOND);
		else if (e->bytes.n > 0 && now - e->came_at < STALE_MS)
			grant(k, a, e, STALE_SECONDS);
		else
			refuse(k, a, e->refusal, e->refusal == REFUSED_NO_KEY ?
			    "there is no such key" : "the key could not be fetched");
	}
}

/* --- OAuth tokens ------------------------------------------------------------------ */

static struct grant *
grant_of(struct keys *k, const char *hook)
{
	struct grant *g = &k->grants[0];

	for (size_t i = 0; i < sizeof(k->grants) / sizeof(k->grants[0]); i++) {
		if (k->grants[i].hook != NULL && strcmp(k->grants[i].hook, hook) == 0)
			return &k->grants[i];
		if (k->grants[i].until < g->until)
			g = &k->grants[i];
	}
	free(g->hook);
	explicit_bzero(g, sizeof(*g));
	g->hook = strdup(hook);
	return g->hook != NULL ? g : NULL;
}

static void
grants_drop(struct keys *k)
{
	for (size_t i = 0; i < sizeof(k->grants) / sizeof(k->grants[0]); i++)
		free(k->grants[i].hook);
	explicit_bzero(k->grants, sizeof(k->grants));
}

/* RFC 6749, section 5.1. */
static bool
grant_take(struct grant *g, struct str json, struct arena *a, int64_t now)
{
	static const struct json_limits limits = { 8, 256 };
	struct str raw;
	uint64_t seconds = 300;

	if (json_scan(json, limits, NULL) != JSON_OK)
		return false;
	if (json_find(json, STR("expires_in"), &raw) == JSON_NUMBER)
		str_to_u64(raw, &seconds);
	if (json_find(json, STR("access_token"), &raw) != JSON_STRING)
		return false;
	raw = json_unescape(a, raw);
	if (raw.n >= sizeof(g->token) || !str_printable(raw))
		return false;
	memcpy(g->token, raw.p, raw.n);
	g->token[raw.n] = '\0';
	g->until = now + (int64_t)(seconds > 86400 ? 86400 : seconds) * KEY_SECOND -
	    TOKEN_SPARE;
	return true;
}

/* --- one transfer ------------------------------------------------------------------- */

static size_t
take_body(char *p, size_t size, size_t n, void *into)
{
	struct fetch *f = into;

	if (f->body.n + size * n > WIRE_KEY_MAX) {
		f->too_long = true;
		return 0;		/* ends the transfer */
	}
	buf_put(&f->body, (struct str){ p, size * n });
	return size * n;
}

/* "Cache-Control: public, max-age=3600", "Age: 12" (RFC 9111). */
static size_t
take_header(char *p, size_t size, size_t n, void *into)
{
	struct str rest = { p, size * n }, name = str_cut(&rest, ':'), word;
	struct fetch *f = into;
	uint64_t number;

	while (rest.n > 0 && strchr("\r\n", rest.p[rest.n - 1]) != NULL)
		rest.n--;
	if (str_eq_nocase(name, STR("age")) && rest.p != NULL &&
	    str_to_u64(str_trim(rest), &number) && number < MAX_AGE_MOST)
		f->age = (long)number;
	if (!str_eq_nocase(name, STR("cache-control")))
		return size * n;
	while (rest.p != NULL) {
		word = str_trim(str_cut(&rest, ','));
		if (str_eq_nocase(word, STR("no-store")) ||
		    str_eq_nocase(word, STR("no-cache")))
			f->max_age = 0;
		else if (str_starts_nocase(word, STR("max-age=")) &&
		    str_to_u64(str_skip(word, 8), &number) && f->max_age != 0)
			f->max_age = number > MAX_AGE_MOST ? MAX_AGE_MOST :
			    (long)number;
	}
	return size * n;
}

static bool
add_header(struct fetch *f, const char *line)
{
	struct curl_slist *more = curl_slist_append(f->headers, line);

	if (more != NULL)
		f->headers = more;
	return more != NULL;
}

static void
fetch_free(struct fetch *f)
{
	curl_easy_cleanup(f->easy);
	curl_slist_free_all(f->headers);
	buf_wipe(&f->body);		/* a token may be in it */
	arena_wipe(f->arena);		/* fetch_secret was in it */
	free(f);
}

/* What holds for every transfer, whatever it is for. */
static bool
set_bounds(struct fetch *f, const char *url)
{
	CURL *e = f->easy;

	curl_easy_reset(e);
	curl_slist_free_all(f->headers);
	f->headers = NULL;
	buf_reset(&f->body);
	f->max_age = -1;
	f->age = 0;
	f->error[0] = '\0';
	return transfer_set(e, &(struct transfer){
		.protocols = "https", .url = url, .ca_file = f->keys->half->conf->ca_file,
		.connect_ms = CONNECT_MS, .whole_ms = FETCH_MS, .owner = f,
		.error = f->error }) &&
	    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_WRITEDATA, f) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_HEADERDATA, f) == CURLE_OK;
}

static bool
set_post(struct fetch *f, struct str body, const char *type)
{
	return add_header(f, type) &&
	    curl_easy_setopt(f->easy, CURLOPT_POST, 1L) == CURLE_OK &&
	    curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE,
	    (curl_off_t)body.n) == CURLE_OK &&
	    curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, body.p) == CURLE_OK &&
	    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers) == CURLE_OK;
}

/* RFC 6749, section 4.4, the client named by Basic. */
static bool
begin_token(struct fetch *f)
{
	struct str body = arena_printf(f->arena,
	    "grant_type=client_credentials&scope=%.*s",
	    STR_ARG(url_encode(f->arena, f->source.token_scope)));

	f->for_token = true;
	return body.p != NULL && set_bounds(f, f->source.token_url.p) &&
	    curl_easy_setopt(f->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) ==
	    CURLE_OK &&
	    curl_easy_setopt(f->easy, CURLOPT_USERNAME, f->client.p) == CURLE_OK &&
	    curl_easy_setopt(f->easy, CURLOPT_PASSWORD, f->secret.p) == CURLE_OK &&
	    set_post(f, body, "Content-Type: application/x-www-form-urlencoded");
}

static bool
begin_key(struct fetch *f, const char *token)
{
	struct str bearer = token == NULL ? STR_NONE : arena_printf(f->arena,
	    "Authorization: Bearer %s", token);

	f->for_token = false;
	if (!set_bounds(f, f->url.p) ||
	    (token != NULL && (bearer.p == NULL || !add_header(f, bearer.p))))
		return false;
	if (f->post.n > 0)
		return set_post(f, f->post, "Content-Type: application/json");
	return curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers) == CURLE_OK;
}

/* The next step of it: a token when one is needed and there is none. */
static bool
begin(struct fetch *f)
{
	struct grant *g = NULL;
	bool fine;

	if (f->source.token_url.n > 0 &&
	    (g = grant_of(f->keys, f->hook.p)) == NULL)
		return false;
	if (g != NULL && when_steady() >= g->until)
		fine = begin_token(f);
	else
		fine = begin_key(f, g != NULL ? g->token : NULL);
	return fine && curl_multi_add_handle(f->keys->multi, f->easy) == CURLM_OK;
}

/* --- which URL ---------------------------------------------------------------------- */

static const struct hook *
hook_find(const struct conf *c, const char *path)
{
	for (size_t i = 0; i < c->nhooks; i++)
		if (str_eq(c->hooks[i].path, str_of(path)))
			return &c->hooks[i];
	return NULL;
}

/* The hook's own, the operator's, or the one in the program. */
static struct str
file_of(const struct keys *k, const struct hook *h)
{
	return h->own.p != NULL ? h->own :
	    provider_source(k->half->bundle, h->provider, NULL);
}

/*
 * Everything about one ask, from the configuration: nothing of it is the worker's but
 * the name of the key.  NULL and *why: there is no such key.
 */
static struct fetch *
fetch_plan(struct keys *k, const struct key_ask *a, const char **why)
{
	const struct hook *h = hook_find(k->half->conf, a->hook);
	struct fetch *f = calloc(1, sizeof(*f));
	struct buf url = BUF(KEY_URL_LEN), post = BUF(64 * 1024);
	struct err e = { .text = "" };
	struct str secret;

	*why = "no memory";
	if (f == NULL || (f->arena = arena_new(1 << 20)) == NULL)
		goto fail;
	f->keys = k;
	f->body = BUF(WIRE_KEY_MAX);
	*why = "there is no such hook, or its provider fetches no keys";
	if (h == NULL || !key_source_find(&f->source, file_of(k, h), a->alternative,
	    f->arena, &e))
		goto fail;
	f->client = arena_str(f->arena, h->params[PARAM_CLIENT_ID].n > 0 ?
	    h->params[PARAM_CLIENT_ID].v[0] : STR(""));
	f->key = arena_str(f->arena, str_of(a->key));
	f->hook = arena_str(f->arena, h->path);
	if (!key_source_url(&f->source, h->params, f->key, &url, why))
		goto fail;
	secret = h->fetch_secret.p == NULL ? STR("") :
	    bundle_secret(k->half->bundle, h->fetch_secret);
	f->secret = arena_str(f->arena, secret.p == NULL ? STR("") : secret);
	f->url = arena_str(f->arena, buf_str(&url));
	*why = "no memory";
	if (!key_source_post(&f->source, h->params, f->key, f->secret, &post))
		goto fail;
	f->post = arena_str(f->arena, buf_str(&post));
	if (f->url.p == NULL || f->post.p == NULL || f->secret.p == NULL ||
	    f->client.p == NULL)
		goto fail;
	buf_free(&url);
	buf_wipe(&post);
	return f;
fail:
	buf_free(&url);
	buf_wipe(&post);
	if (f != NULL)
		fetch_free(f);
	return NULL;
}

/* How many keys that requests have named are fetched for that hook in this minute. */
static struct rate *
rate_of(struct keys *k, const char *hook, int64_t now)
{
	struct rate *r = &k->rates[0];

	for (size_t i = 0; i < sizeof(k->rates) / sizeof(k->rates[0]); i++) {
		if (strncmp(k->rates[i].host, hook, sizeof(r->host) - 1) == 0 &&
		    k->rates[i].host[0] != '\0') {
			r = &k->rates[i];
			break;
		}
		if (k->rates[i].minute < r->minute)
			r = &k->rates[i];
	}
	if (strncmp(r->host, hook, sizeof(r->host) - 1) != 0 ||
	    r->minute != now / 60000) {
		snprintf(r->host, sizeof(r->host), "%s", hook);
		r->minute = now / 60000;
		r->n = 0;
	}
	return r;
}

/* --- asking ------------------------------------------------------------------------- */

static struct fetch **
free_place(struct keys *k)
{
	for (size_t i = 0; i < KEYS_AT_ONCE; i++)
		if (k->fetches[i] == NULL)
			return &k->fetches[i];
	return NULL;
}

static void	fetch_failed(struct keys *, struct kept *, enum wire_refusal,
		    const char *url, const char *why);

/* Takes the plan over. */
static void
fetch_begin(struct keys *k, struct fetch **place, struct fetch *f, struct kept *e)
{
	f->kept = e;
	e->fetching = true;
	*place = f;
	if ((f->easy = curl_easy_init()) != NULL && begin(f))
		return;
	*place = NULL;
	e->fetching = false;
	fetch_failed(k, e, REFUSED_BUSY, f->url.p, "it could not be begun");
	fetch_free(f);
}

/* Does what is kept answer it already? */
static bool
answer_now(struct keys *k, struct key_ask *a, struct kept *e, int64_t now)
{
	bool fresh = now < e->fresh_until;

	if (fresh && !(a->again && now - e->came_at >= AGAIN_MS)) {
		grant(k, a, e, (e->fresh_until - now) / KEY_SECOND);
		return true;
	}
	if (now >= e->not_before)
		return false;
	if (e->bytes.n > 0 && now - e->came_at < STALE_MS)
		grant(k, a, e, STALE_SECONDS);
	else
		refuse(k, a, e->refusal, e->refusal == REFUSED_NO_KEY ?
		    "there is no such key" : "the key could not be fetched");
	return true;
}

static void
id_of(const struct fetch *f, char id[ID_MAX])
{
	const struct key_source *s = &f->source;
	bool is_client = s->post.n > 0 || s->token_url.n > 0;

	snprintf(id, ID_MAX, "%.*s\n%.*s\n%.*s", STR_ARG(f->url),
	    STR_ARG(key_source_named(s) ? f->key : STR("")),
	    STR_ARG(is_client ? f->hook : STR("")));
}

static void
take_ask(struct keys *k, struct key_ask *a)
{
	int64_t now = when_steady();
	const char *why;
	struct fetch *f = fetch_plan(k, a, &why), **place;
	char id[ID_MAX];
	struct kept *e;
	bool is_new;

	if (f == NULL) {
		refuse(k, a, REFUSED_NO_KEY, why);
		return;
	}
	id_of(f, id);
	e = kept_find(k, id);
	is_new = e != NULL && key_source_named(&f->source) && e->bytes.n == 0;
	if (e != NULL)
		e->named = key_source_named(&f->source);
	if (e == NULL) {
		refuse(k, a, REFUSED_BUSY, "too many keys");
	} else if (e->fetching) {
		a->next = e->waiting;
		e->waiting = a;
	} else if (answer_now(k, a, e, now)) {
		;
	} else if (is_new && rate_of(k, a->hook, now)->n >= NAMED_RATE) {
		refuse(k, a, REFUSED_BUSY, "too many keys are asked for");
	} else if ((place = free_place(k)) == NULL && k->nlater < KEYS_ASKS_MOST) {
		a->next = NULL;
		*k->later_end = a;
		k->later_end = &a->next;
		k->nlater++;
	} else if (place == NULL) {
		refuse(k, a, REFUSED_BUSY, "too many keys are fetched");
	} else {
		/* Who only waits is not counted. */
		rate_of(k, a->hook, now)->n += is_new;
		a->next = NULL;
		e->waiting = a;
		fetch_begin(k, place, f, e);
		return;
	}
	fetch_free(f);
}

/* --- the end of a transfer ------------------------------------------------------------ */

static void
fetch_failed(struct keys *k, struct kept *e, enum wire_refusal why,
    const char *url, const char *text)
{
	int64_t now = when_steady(), pause = NONE_MS;

	if (why != REFUSED_NO_KEY) {
		pause = (int64_t)FAIL_MS << (e->failures < 6 ? e->failures : 6);
		pause = pause > FAIL_MOST ? FAIL_MOST : pause;
		e->failures++;
	}
	e->refusal = why;
	e->not_before = now + pause;
	if (why == REFUSED_NO_KEY && e->named) {
		buf_reset(&e->bytes);	/* it was withdrawn */
		e->fresh_until = 0;
	}
	log_say(k->log, LOG_WARN_, "fetching a key from %s: %s%s", url, text,
	    e->bytes.n > 0 ? "; the old one is used" : "");
	answer_all(k, e, now);
}

static bool
is_json_of_keys(struct str text)
{
	struct str raw, first;
	size_t at = 0;

	if (json_find(text, STR("keys"), &raw) == JSON_ARRAY)
		return json_next(raw, &at, &first) == JSON_OBJECT;
	return json_find(text, STR("kty"), &raw) == JSON_STRING;
}

/*
 * Could it be what was asked for?  Whether it really is, the worker finds out; but a
 * page that says 200 must not take the place of keys that hold.
 */
static bool
holds_keys(const struct key_source *s, struct str text)
{
	static const struct json_limits limits = { 32, 10000 };
	struct str raw;

	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]) != NULL)
		text.n--;
	if (s->member.n > 0 || str_starts(text, STR("{"))) {
		if (json_scan(text, limits, NULL) != JSON_OK)
			return false;
		if (s->member.n == 0)
			return is_json_of_keys(text);
		switch (json_find(text, s->member, &raw)) {
		case JSON_STRING:
			return raw.n > 0;
		case JSON_OBJECT:
			return true;
		default:
			return false;
		}
	}
	/* PEM, or one word: hex, base64, a secret. */
	return (text.n > 0 && memmem(text.p, text.n, "-----BEGIN ", 11) != NULL) ||
	    (str_printable(text) && str_find(text, ' ') == -1 && text.p[0] != '<');
}

static void
fetch_came(struct keys *k, struct fetch *f)
{
	struct kept *e = f->kept;
	int64_t now = when_steady();
	long age = f->max_age >= 0 ? f->max_age - f->age :
	    key_source_named(&f->source) ? MAX_AGE_NAMED : MAX_AGE_SET;

	if (!holds_keys(&f->source, buf_str(&f->body))) {
		fetch_failed(k, e, REFUSED_BUSY, f->url.p, "what came is no key");
		return;
	}
	buf_wipe(&e->bytes);
	e->bytes = f->body;
	f->body = BUF(0);
	age = age < MAX_AGE_LEAST ? MAX_AGE_LEAST : age;
	e->came_at = now;
	e->fresh_until = now + (int64_t)age * KEY_SECOND;
	e->failures = 0;
	e->not_before = 0;
	log_say(k->log, LOG_INFO_, "fetched a key from %s: %zu bytes, for %ld s",
	    f->url.p, e->bytes.n, age);
	answer_all(k, e, now);
}

/* A token has come, or was refused: on with it.  false: it is at its end. */
static bool
go_on(struct keys *k, struct fetch *f, long status)
{
	struct grant *g = f->source.token_url.n > 0 ?
	    grant_of(k, f->hook.p) : NULL;

	if (g == NULL)
		return false;
	if (f->for_token)
		return status == 200 && grant_take(g, buf_str(&f->body),
		    f->arena, when_steady()) && begin(f);
	if (status != 401 || f->renewed)
		return false;
	g->until = 0;
	f->renewed = true;
	return begin(f);
}

static void
fetch_done(struct keys *k, CURL *easy, CURLcode rc)
{
	char text[CURL_ERROR_SIZE + 64];
	struct fetch *f = NULL;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&f);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(k->multi, easy);
	if (rc == CURLE_OK && go_on(k, f, status))
		return;
	for (size_t i = 0; i < KEYS_AT_ONCE; i++)
		if (k->fetches[i] == f)
			k->fetches[i] = NULL;
	f->kept->fetching = false;
	if (rc == CURLE_OK && status == 200 && !f->for_token && buf_ok(&f->body)) {
		fetch_came(k, f);
	} else {
		if (rc == CURLE_OK)
			snprintf(text, sizeof(text), "%s answered %ld",
			    f->for_token ? "the token's URL" : "it", status);
		else
			snprintf(text, sizeof(text), "%s", f->too_long ?
			    "it is too long" : f->error[0] != '\0' ? f->error :
			    curl_easy_strerror(rc));
		/* There is none of that name; anything else may pass. */
		fetch_failed(k, f->kept, rc == CURLE_OK && !f->for_token &&
		    status >= 400 && status < 500 && status != 401 &&
		    status != 403 && status != 408 && status != 425 &&
		    status != 429 ? REFUSED_NO_KEY : REFUSED_BUSY, f->url.p, text);
	}
	fetch_free(f);
}

/* --- the thread ------------------------------------------------------------------------ */

/* What came since the last look; false: to stop. */
static bool
take_orders(struct keys *k)
{
	struct key_ask *a, *asks;
	struct half *half;
	bool stop;

	pthread_mutex_lock(&k->lock);
	asks = k->asks;
	if (free_place(k) != NULL) {	/* who has waited goes first */
		*k->later_end = asks;
		asks = k->later;
		k->later = NULL;
		k->later_end = &k->later;
		k->nlater = 0;
	}
	k->asks = NULL;
	k->asks_end = &k->asks;
	k->nasks = 0;
	half = k->next_half;
	k->next_half = NULL;
	stop = k->stop;
	pthread_mutex_unlock(&k->lock);
	if (half != NULL) {
		/* What is under way has copies of its own. */
		half_drop(k->half);
		k->half = half;
		grants_drop(k);
	}
	while ((a = asks) != NULL) {
		asks = a->next;
		take_ask(k, a);
	}
	return !stop;
}

static void *
work(void *arg)
{
	struct keys *k = arg;
	CURLMsg *m;
	int running, left;

	pthread_setname_np(pthread_self(), "keys");
	while (take_orders(k)) {
		curl_multi_perform(k->multi, &running);
		while ((m = curl_multi_info_read(k->multi, &left)) != NULL)
			if (m->msg == CURLMSG_DONE)
				fetch_done(k, m->easy_handle, m->data.result);
		curl_multi_poll(k->multi, NULL, 0, k->later != NULL &&
		    free_place(k) != NULL ? 0 : POLL_MS, NULL);
	}
	return NULL;
}

static void
keys_free(struct keys *k)
{
	struct key_ask *a;

	for (size_t i = 0; i < KEYS_AT_ONCE; i++)
		if (k->fetches[i] != NULL) {
			curl_multi_remove_handle(k->multi, k->fetches[i]->easy);
			fetch_free(k->fetches[i]);
		}
	for (size_t i = 0; i < k->n; i++) {
		while ((a = k->all[i]->waiting) != NULL) {
			k->all[i]->waiting = a->next;
			key_ask_free(a);
		}
		kept_free(k->all[i]);
	}
	while ((a = k->later) != NULL) {
		k->later = a->next;
		key_ask_free(a);
	}
	while ((a = k->outcomes) != NULL) {
		k->outcomes = a->next;
		key_ask_free(a);
	}
	grants_drop(k);
	curl_multi_cleanup(k->multi);
	half_drop(k->half);
	half_drop(k->next_half);
	if (k->told != -1)
		close(k->told);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

struct keys *
keys_start(struct half *half, struct log *log, struct err *e)
{
	struct keys *k = calloc(1, sizeof(*k));

	if (k == NULL || (k->multi = transfer_multi()) == NULL) {
		err_set(e, ERR_OS, "libcurl did not start");
		half_drop(half);
		free(k);
		return NULL;
	}
	k->half = half;
	k->log = log;
	k->later_end = &k->later;
	k->asks_end = &k->asks;
	k->outcomes_end = &k->outcomes;
	pthread_mutex_init(&k->lock, NULL);
	k->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->told == -1 ||
	    pthread_create(&k->thread, NULL, work, k) != 0) {
		err_set(e, ERR_OS, "the thread that fetches keys: %s",
		    strerror(errno));
		keys_free(k);
		return NULL;
	}
	return k;
}

void
keys_reload(struct keys *k, struct half *half)
{
	pthread_mutex_lock(&k->lock);
	half_drop(k->next_half);
	k->next_half = half;
	pthread_mutex_unlock(&k->lock);
	curl_multi_wakeup(k->multi);
}

void
keys_stop(struct keys *k)
{
	if (k == NULL)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_mutex_unlock(&k->lock);
	curl_multi_wakeup(k->multi);
	pthread_join(k->thread, NULL);
	keys_free(k);
}

bool
keys_give(struct keys *k, struct key_ask *a)
{
	bool taken;

	a->next = NULL;
	pthread_mutex_lock(&k->lock);
	taken = k->nasks < KEYS_ASKS_MOST;
	if (taken) {
		*k->asks_end = a;
		k->asks_end = &a->next;
		k->nasks++;
	}
	pthread_mutex_unlock(&k->lock);
	if (taken)
		curl_multi_wakeup(k->multi);
	return taken;
}

int
keys_fd(const struct keys *k)
{
	return k->told;
}

struct key_ask *
keys_take(struct keys *k)
{
	struct key_ask *a;
	uint64_t n;

	pthread_mutex_lock(&k->lock);
	if ((a = k->outcomes) != NULL) {
		k->outcomes = a->next;
		if (k->outcomes == NULL)
			k->outcomes_end = &k->outcomes;
	} else if (read(k->told, &n, sizeof(n)) == -1) {
		a = NULL;		/* nobody had told */
	}
	pthread_mutex_unlock(&k->lock);
	return a;
}
