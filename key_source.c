/*
 * key_source.c - see key_source.h.
 */
#include <string.h>

#include "key_source.h"

#define HTTPS	STR("https://")
#define TEMPLATE_LEN	2048

/* --- texts with names in braces -------------------------------------------------- */

enum name { NAME_KEY, NAME_SECRET, NAME_PARAM, NAME_NONE };

/* The parameters that are public, and so may stand in a URL. */
static enum name
name_of(struct str word, unsigned *param)
{
	if (str_eq(word, STR("key")))
		return NAME_KEY;
	if (str_eq(word, STR("fetch_secret")))
		return NAME_SECRET;
	for (*param = 0; *param < PARAM_COUNT; (*param)++)
		if (str_eq(word, str_of(hook_param_names[*param])) &&
		    *param != PARAM_VERIFY_TOKEN && *param != PARAM_PUBLIC_KEY)
			return NAME_PARAM;
	return NAME_NONE;
}

/* A brace that opens a name: not one of JSON's own. */
static bool
opens_name(struct str s, size_t *length)
{
	size_t n = 1;

	while (n < s.n && ((s.p[n] >= 'a' && s.p[n] <= 'z') || s.p[n] == '_'))
		n++;
	*length = n - 1;
	return n > 1 && n < s.n && s.p[n] == '}';
}

/* The text before the next "{name}", and that name; .p NULL: there is none. */
static struct str
cut_name(struct str *rest, struct str *name)
{
	struct str text = *rest;
	size_t length;

	for (size_t i = 0; i < rest->n; i++) {
		if (rest->p[i] != '{' || !opens_name(str_skip(*rest, i), &length))
			continue;
		*name = str_head(str_skip(*rest, i + 1), length);
		*rest = str_skip(*rest, i + length + 2);
		return str_head(text, i);
	}
	*name = *rest = STR_NONE;
	return text;
}

/* Which names stand in a text; a name that is none is an error. */
static int
note_names(struct key_source *k, const struct json_doc *doc,
    const struct json_object *v, struct str text, bool posted, struct err *e)
{
	struct str rest = text, name;
	unsigned param;

	while (rest.p != NULL) {
		struct str before = cut_name(&rest, &name);

		if (!posted && str_find(before, '{') != -1)
			return json_err(doc, v, e, "a brace in \"keys\" that "
			    "opens no name");
		if (name.p == NULL)
			break;
		switch (name_of(name, &param)) {
		case NAME_KEY:
			break;
		case NAME_SECRET:
			if (!posted)
				return json_err(doc, v, e, "a secret does not stand "
				    "in a URL");
			k->asks_secret = true;
			break;
		case NAME_PARAM:
			k->asks |= 1u << param;
			break;
		case NAME_NONE:
			return json_err(doc, v, e, "unknown name {%.*s} in \"keys\"",
			    STR_ARG(str_head(name, 60)));
		}
	}
	return 0;
}

/* --- reading ------------------------------------------------------------------------ */

static int
take_text(const struct json_doc *doc, const struct json_object *v, const char *name,
    struct arena *a, struct str *out, struct err *e)
{
	if (json_kind(v) != JSON_STRING || json_text(v).n == 0 ||
	    json_text(v).n > TEMPLATE_LEN)
		return json_err(doc, v, e, "\"%s\" must be a text of at most %d bytes",
		    name, TEMPLATE_LEN);
	*out = arena_str(a, json_text(v));
	return out->p != NULL ? 0 : json_err(doc, v, e, "the file is too large");
}

static int
take_hosts(struct key_source *k, const struct json_doc *doc,
    const struct json_object *v, struct arena *a, struct err *e)
{
	if (json_kind(v) != JSON_ARRAY || json_count(v) == 0)
		return json_err(doc, v, e, "\"hosts\" must be a list of names");
	k->hosts = arena_alloc(a, json_count(v) * sizeof(*k->hosts));
	if (k->hosts == NULL)
		return json_err(doc, v, e, "the file is too large");
	for (; k->nhosts < json_count(v); k->nhosts++) {
		const struct json_object *o = json_at(v, k->nhosts);

		if (take_text(doc, o, "hosts", a, &k->hosts[k->nhosts], e) != 0 ||
		    note_names(k, doc, o, k->hosts[k->nhosts], false, e) != 0)
			return -1;
	}
	return 0;
}

/* {"url": "...", "scope": "..."}: OAuth 2.0 client credentials. */
static int
take_token(struct key_source *k, const struct json_doc *doc,
    const struct json_object *v, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < json_count(v); i++) {
		struct str name;
		const struct json_object *o = json_nth(v, i, &name);
		struct str *into = str_eq(name, STR("url")) ? &k->token_url :
		    str_eq(name, STR("scope")) ? &k->token_scope : NULL;

		if (into == NULL)
			return json_err(doc, o, e, "\"token\" has \"url\" and "
			    "\"scope\"");
		if (take_text(doc, o, "token", a, into, e) != 0)
			return -1;
	}
	if (!str_starts(k->token_url, HTTPS))
		return json_err(doc, v, e, "\"token\" needs a \"url\" of https");
	k->asks |= 1u << PARAM_CLIENT_ID;
	k->asks_secret = true;
	return 0;
}

static int
take_word(struct key_source *k, struct str name, const struct json_doc *doc,
    const struct json_object *v, struct arena *a, struct err *e)
{
	if (str_eq(name, STR("url")))
		return take_text(doc, v, "url", a, &k->url, e) != 0 ? -1 :
		    note_names(k, doc, v, k->url, false, e);
	if (str_eq(name, STR("hosts")))
		return take_hosts(k, doc, v, a, e);
	if (str_eq(name, STR("path")))
		return take_text(doc, v, "path", a, &k->path, e) != 0 ? -1 :
		    note_names(k, doc, v, k->path, false, e);
	if (str_eq(name, STR("member")))
		return take_text(doc, v, "member", a, &k->member, e);
	if (str_eq(name, STR("token")))
		return take_token(k, doc, v, a, e);
	if (str_eq(name, STR("post"))) {
		k->post = arena_str(a, json_source(doc, v));
		if (json_kind(v) != JSON_OBJECT || k->post.n > TEMPLATE_LEN)
			return json_err(doc, v, e, "\"post\" must be an object");
		return note_names(k, doc, v, k->post, true, e);
	}
	if (str_eq(name, STR("name")))
		return 0;		/* a template: provider.c reads it */
	return json_err(doc, v, e, "unknown word \"%.*s\" in \"keys\"",
	    STR_ARG(str_head(name, 60)));
}

static bool
url_is_key(const struct key_source *k)
{
	return str_eq(k->url, STR("{key}"));
}

int
key_source_read(struct key_source *k, const struct json_doc *doc,
    const struct json_object *keys, struct arena *a, struct err *e)
{
	*k = (struct key_source){ .url = STR("") };
	if (json_kind(keys) != JSON_OBJECT)
		return json_err(doc, keys, e, "\"keys\" must be an object");
	for (size_t i = 0; i < json_count(keys); i++) {
		struct str name;
		const struct json_object *v = json_nth(keys, i, &name);

		if (take_word(k, name, doc, v, a, e) != 0)
			return -1;
	}
	if (!url_is_key(k) && !str_starts(k->url, HTTPS) &&
	    !str_starts(k->url, STR("{issuer}")))
		return json_err(doc, keys, e, "\"keys\" needs a \"url\" that begins "
		    "with \"https://\" or {issuer}, or is {key}");
	if (url_is_key(k) && (k->nhosts == 0 || k->path.n == 0))
		return json_err(doc, keys, e, "where the request names the URL, "
		    "\"hosts\" and \"path\" must say which may be asked");
	if (!url_is_key(k) && (k->nhosts > 0 || k->path.n > 0))
		return json_err(doc, keys, e, "\"hosts\" and \"path\" are for a URL "
		    "that the request names: \"url\": \"{key}\"");
	return 0;
}

bool
key_source_named(const struct key_source *k)
{
	return memmem(k->url.p, k->url.n, "{key}", 5) != NULL ||
	    (k->post.n > 0 && memmem(k->post.p, k->post.n, "{key}", 5) != NULL);
}

/* --- a URL -------------------------------------------------------------------------- */

static bool
all_in(struct str s, const char *letters)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') ||
		    (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		    (s.p[i] >= '0' && s.p[i] <= '9') ||
		    (s.p[i] != '\0' && strchr(letters, s.p[i]) != NULL)))
			return false;
	return true;
}

/* No way up, and no empty segment that some server reads otherwise. */
static bool
path_is_plain(struct str s)
{
	return memmem(s.p, s.n, "..", 2) == NULL &&
	    memmem(s.p, s.n, "//", 2) == NULL;
}

static bool
label_fits(struct str pattern, struct str label)
{
	struct str last = pattern, first = str_cut(&last, '*');

	if (last.p == NULL)
		return label.n > 0 && str_eq(label, pattern);
	return label.n > first.n + last.n && str_starts(label, first) &&
	    str_ends(label, last);
}

/*
 * "a.*.b": a star is one label, or in "a.us-*.b" the rest of one.  A whole label is
 * seldom safe: where buckets have names, "sns.*.amazonaws.com" is also sns.s3's.
 */
static bool
host_fits(struct str pattern, struct str host)
{
	while (pattern.p != NULL && host.p != NULL) {
		struct str want = str_cut(&pattern, '.'), is = str_cut(&host, '.');

		if (!label_fits(want, is))
			return false;
	}
	return pattern.p == NULL && host.p == NULL;
}

/*
 * A star is one name: letters, digits and "._~-", nothing that ends it.  Who could put
 * a question there would have the host answer it with a key of his own.
 *
 * At each step of the pattern: which beginnings of the path fit it so far.
 */
static bool
path_fits(struct str pattern, struct str path)
{
	bool fits[KEY_URL_LEN + 1] = { true }, was, next;

	if (path.n > KEY_URL_LEN || memmem(path.p, path.n, "..", 2) != NULL)
		return false;
	for (size_t i = 0; i < pattern.n; i++) {
		bool star = pattern.p[i] == '*';

		was = fits[0];
		fits[0] = false;
		for (size_t j = 0; j < path.n; j++) {
			next = fits[j + 1];
			fits[j + 1] = star ? (was || fits[j]) &&
			    all_in(str_head(str_skip(path, j), 1), "._~-") :
			    was && path.p[j] == pattern.p[i];
			was = next;
		}
	}
	return fits[path.n];
}

/* A parameter's value in the place of its name. */
static bool
put_param(struct buf *b, const struct texts *params, unsigned param)
{
	if (params == NULL || params[param].n == 0)
		return false;
	buf_put(b, params[param].v[0]);
	return true;
}

/* The file's text with its names replaced; key is put in as it is. */
static bool
expand(struct str text, const struct texts *params, struct str key, struct buf *b)
{
	struct str rest = text, name;
	unsigned param;

	while (rest.p != NULL) {
		buf_put(b, cut_name(&rest, &name));
		if (name.p == NULL)
			continue;
		switch (name_of(name, &param)) {
		case NAME_KEY:
			buf_put(b, key);
			break;
		case NAME_PARAM:
			if (!put_param(b, params, param))
				return false;
			break;
		case NAME_SECRET:
		case NAME_NONE:
			return false;
		}
	}
	return buf_ok(b);
}

/* A URL that the request names: of a host and a path that the file allows. */
static bool
named_url(const struct key_source *k, const struct texts *params, struct str url,
    const char **why)
{
	struct buf pattern = BUF(KEY_URL_LEN);
	struct str host = str_skip(url, HTTPS.n), path;
	bool fits = false;
	size_t n = 0;

	*why = "the request names a key at a URL that is not https";
	if (!str_starts(url, HTTPS))
		return false;
	while (n < host.n && host.p[n] != '/')
		n++;
	path = str_skip(host, n);
	host.n = n;
	/* Nor a port, nor a user, nor a host in capitals: those are nobody's. */
	*why = "the request names a key at a foreign host";
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] >= 'A' && host.p[i] <= 'Z')
			return false;
	if (!all_in(host, ".-"))
		return false;
	for (size_t i = 0; i < k->nhosts && !fits; i++) {
		buf_reset(&pattern);
		fits = expand(k->hosts[i], params, STR(""), &pattern) &&
		    host_fits(buf_str(&pattern), host);
	}
	*why = fits ? "the request names a key at another path than the file allows" :
	    *why;
	buf_reset(&pattern);
	fits = fits && expand(k->path, params, STR(""), &pattern) &&
	    path_fits(buf_str(&pattern), path);
	buf_free(&pattern);
	return fits;
}

/* A name that stands inside the file's URL, and cannot leave the place it has. */
static bool
name_is_plain(const struct key_source *k, struct str key)
{
	const char *at = memmem(k->url.p, k->url.n, "{key}", 5);
	struct str before = k->url;

	if (at == NULL)			/* it goes into what is posted */
		return all_in(key, "._~-");
	before.n = (size_t)(at - k->url.p);
	if (str_starts(before, HTTPS))
		before = str_skip(before, HTTPS.n);
	/* Right behind the host it must begin the path. */
	if (str_find(before, '/') == -1 && !str_starts(key, STR("/")))
		return false;
	/* Behind a slash another would make an empty segment. */
	if (str_ends(before, STR("/")) && str_starts(key, STR("/")))
		return false;
	return all_in(key, "/._~-") && path_is_plain(key);
}

/* Segments that lead elsewhere than they stand. */
static bool
has_dot_segment(struct str url)
{
	struct str query = str_skip(url, HTTPS.n), rest = str_cut(&query, '?');

	while (rest.p != NULL) {
		struct str part = str_cut(&rest, '/');

		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return true;
	}
	return false;
}

bool
key_source_url(const struct key_source *k, const struct texts *params,
    struct str key, struct buf *url, const char **why)
{
	buf_reset(url);
	if (key.n > KEY_NAME_LEN) {
		*why = "the name of the key is too long";
		return false;
	}
	if (url_is_key(k)) {
		buf_put(url, key);
		return named_url(k, params, key, why) && buf_ok(url) &&
		    !has_dot_segment(key);
	}
	*why = "the name of the key is none";
	if (key_source_named(k) && (key.n == 0 || !name_is_plain(k, key)))
		return false;
	*why = "a parameter that the keys' URL names is not given";
	if (!expand(k->url, params, key, url) ||
	    !str_starts(buf_str(url), HTTPS) || url->n > KEY_URL_LEN)
		return false;
	*why = "the name of the key leads elsewhere";
	return !has_dot_segment(buf_str(url));
}

bool
key_source_post(const struct key_source *k, const struct texts *params,
    struct str key, struct str fetch_secret, struct buf *b)
{
	struct str rest = k->post, name, value;
	struct buf quoted = BUF(64 * 1024);
	unsigned param;

	buf_reset(b);
	while (rest.p != NULL) {
		buf_put(b, cut_name(&rest, &name));
		if (name.p == NULL)
			continue;
		switch (name_of(name, &param)) {
		case NAME_KEY:
			value = key;
			break;
		case NAME_SECRET:
			value = fetch_secret;
			break;
		case NAME_PARAM:
			value = params[param].n > 0 ? params[param].v[0] : STR("");
			break;
		case NAME_NONE:
		default:
			value = STR("");
		}
		/* It stands in quotes already. */
		buf_reset(&quoted);
		buf_json(&quoted, value);
		if (buf_ok(&quoted) && quoted.n >= 2)
			buf_put(b, (struct str){ quoted.p + 1, quoted.n - 2 });
		else
			b->bad = true;
	}
	buf_free(&quoted);
	return buf_ok(b);
}

bool
key_source_find(struct key_source *k, struct str text, size_t alternative,
    struct arena *a, struct err *e)
{
	struct json_doc *doc = json_read(text, "a provider's file", e);
	const struct json_object *s, *keys = NULL;
	bool found = false;

	if (doc == NULL)
		return false;
	s = json_member(json_root(doc), "signature");
	if (json_kind(s) == JSON_ARRAY)
		s = json_at(s, alternative);
	else if (alternative > 0)
		s = NULL;
	if (s != NULL)
		keys = json_member(s, "keys");
	if (keys != NULL)
		found = key_source_read(k, doc, keys, a, e) == 0;
	else
		err_set(e, ERR_DATA, "the provider's file has no \"keys\" there");
	json_close(doc);
	return found;
}
