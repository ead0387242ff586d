/* google.c - see google.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/codec.h"
#include "../base/digest.h"
#include "../base/json.h"
#include "../base/os.h"
#include "../base/sign.h"
#include "../base/when.h"
#include "../letter.h"
#include "google.h"
#include "transfer.h"

#define FETCH_MEMORY	(1 << 20)	/* of one fetch */
#define TOKEN_MAX	LETTER_HEADER_MAX
#define SUBJECT_MAX	(16 * 1024)	/* bytes of a subject token */
#define OLD_ONE_MS	10000		/* an old token is used without asking again */
#define JWT_S		3600		/* life of what we sign */
#define LIFE_MOST	(24 * 3600)	/* s that a token is believed to live */
#define TOKEN_URI	"https://oauth2.googleapis.com/token"
#define STS_URI		"https://sts.googleapis.com/v1/token"
#define GRANT(name)	"urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3A" name

#ifdef TEST_TOKENS_NOT_KEPT	/* tests/google.sh must notice */
#define KEEP		false
#else
#define KEEP		true
#endif

static const struct json_limits limits = { 32, 10000 };

enum step {
	GET_TOKEN,		/* the metadata server, a token endpoint, an STS */
	GET_SUBJECT,		/* what is exchanged at the STS */
	ACT_AS,			/* the account that the STS's token may act as */
};

/* One token on its way. */
struct fetch {
	struct google	*google;
	struct holding	*holding;
	struct arena	*arena;		/* wiped */
	struct google_want want;	/* copies in the arena */
	enum step	 step;
	bool		 metadata;	/* the answer must say Metadata-Flavor */
	bool		 flavoured;	/* it did */
	CURL		*easy;
	struct curl_slist *lines;
	struct str	 host;		/* who is asked, for sentences */
	struct buf	 answer;
	char		 error[CURL_ERROR_SIZE];
};

/* A token, kept or to be had. */
struct holding {
	struct holding	*next;
	unsigned char	 key[32];	/* SHA-256 of what was wanted */
	struct buf	 token;		/* empty: none */
	int64_t		 fresh_until;	/* steady ms: then a new one is fetched */
	int64_t		 good_until;	/* and then it has ended */
	int64_t		 asked;
	struct fetch	*fetch;
	struct google_waiter *waiters;
};

struct google {
	CURLM		*multi;
	struct str	 ca_file;
	struct holding	*holdings;
};

/* --- what is kept ------------------------------------------------------------------ */

static void
key_of(const struct google_want *w, unsigned char key[32])
{
	const struct str all[] = { w->id ? STR("id") : STR("access"), w->audience,
	    w->scope, w->credentials, w->metadata };
	unsigned char each[32 * 5];

	/* Of digests, so that no text of one can look like two of another. */
	for (size_t i = 0; i < 5; i++)
		digest_sha256(all[i], each + 32 * i);
	digest_sha256((struct str){ (char *)each, sizeof(each) }, key);
}

static void
lines_free(struct fetch *f)
{
	for (struct curl_slist *l = f->lines; l != NULL; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(f->lines);
	f->lines = NULL;
}

static void
fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	if (f->easy != NULL) {
		curl_multi_remove_handle(f->google->multi, f->easy);
		curl_easy_cleanup(f->easy);
	}
	lines_free(f);
	buf_wipe(&f->answer);
	if (f->arena != NULL)
		arena_wipe(f->arena);
	free(f);
}

static void
holding_free(struct holding *h)
{
	fetch_free(h->fetch);
	buf_wipe(&h->token);
	free(h);
}

/* The longest unused of those that nobody waits for goes when there are too many. */
static void
make_room(struct google *g)
{
	struct holding **at, **oldest = NULL, *h;
	size_t n = 0;

	for (at = &g->holdings; *at != NULL; at = &(*at)->next, n++)
		if ((*at)->fetch == NULL &&
		    (oldest == NULL || (*at)->asked < (*oldest)->asked))
			oldest = at;
	if (n < GOOGLE_KEPT || oldest == NULL)
		return;
	h = *oldest;
	*oldest = h->next;
	holding_free(h);
}

static struct holding *
find(struct google *g, const unsigned char key[32])
{
	struct holding *h = g->holdings;

	while (h != NULL && memcmp(h->key, key, 32) != 0)
		h = h->next;
	return h;
}

static struct holding *
hold(struct google *g, const struct google_want *w)
{
	unsigned char key[32];
	struct holding *h;

	key_of(w, key);
	if ((h = find(g, key)) != NULL)
		return h;
	make_room(g);
	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	memcpy(h->key, key, sizeof(h->key));
	h->token = BUF(TOKEN_MAX);
	h->next = g->holdings;
	g->holdings = h;
	return h;
}

/* --- asking ------------------------------------------------------------------------- */

static int
no_memory(struct err *e)
{
	return err_set(e, ERR_OS, "there was no memory to get a token");
}

static size_t
take_answer(char *p, size_t size, size_t n, void *into)
{
	struct fetch *f = into;

	buf_put(&f->answer, (struct str){ p, size * n });
	return buf_ok(&f->answer) ? size * n : 0;
}

static size_t
take_header(char *p, size_t size, size_t n, void *into)
{
	struct str rest = { p, size * n }, name;
	struct fetch *f = into;

	while (rest.n > 0 && strchr("\r\n", rest.p[rest.n - 1]) != NULL)
		rest.n--;
	name = str_cut(&rest, ':');
	if (str_eq_nocase(name, STR("metadata-flavor")) &&
	    str_eq(str_trim(rest), STR("Google")))
		f->flavoured = true;
	return size * n;
}

static bool
add_line(struct fetch *f, struct str line)
{
	struct curl_slist *more;

	line = arena_str(f->arena, line);
	more = line.p == NULL ? NULL : curl_slist_append(f->lines, line.p);
	if (more != NULL)
		f->lines = more;
	return more != NULL;
}

/* body .p NULL: GET.  Its lines are added before. */
static int
send_off(struct fetch *f, struct str url, struct str body, struct err *e)
{
	CURL *c;

	url = arena_str(f->arena, url);
	f->host = letter_host(url);
	if (url.p != NULL && f->host.n == 0)
		return err_set(e, ERR_CONF, "the credentials name a URL that does not "
		    "begin with https:// or http:// and a host");
	buf_wipe(&f->answer);
	f->answer = BUF(GOOGLE_ANSWER);
	f->flavoured = false;
	f->error[0] = '\0';
	c = f->easy = curl_easy_init();
	if (url.p == NULL || c == NULL || !add_line(f, STR("Expect:")) ||
	    !transfer_set(c, &(struct transfer){
		.protocols = "http,https", .url = url.p, .ca_file = f->google->ca_file,
		.connect_ms = GOOGLE_MS, .whole_ms = GOOGLE_MS, .owner = f,
		.error = f->error }) ||
	    (body.p != NULL &&
	    (curl_easy_setopt(c, CURLOPT_POST, 1L) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n) !=
	    CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.p) != CURLE_OK)) ||
	    curl_easy_setopt(c, CURLOPT_HTTPHEADER, f->lines) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS) !=
	    CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_PROXY, "") != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_WRITEDATA, f) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_HEADERDATA, f) != CURLE_OK ||
	    curl_multi_add_handle(f->google->multi, c) != CURLM_OK)
		return no_memory(e);
	return 0;
}

/* A text of the credentials' JSON; .p NULL: it is not there, or there is no memory. */
static struct str
text_at(struct fetch *f, struct str json, const char *path)
{
	struct str raw;

	if (json_find(json, str_of(path), &raw) != JSON_STRING)
		return STR_NONE;
	return arena_str(f->arena, json_unescape(f->arena, raw));
}

static struct str
need(struct fetch *f, const char *path, struct err *e)
{
	struct str s = text_at(f, f->want.credentials, path);

	if (s.n > 0)
		return s;
	err_set(e, ERR_CONF, "the credentials have no \"%s\"", path);
	return STR_NONE;
}

/* "name=VALUE", with & before it, of a form. */
static void
put_field(struct fetch *f, struct buf *form, const char *name, struct str value)
{
	struct str coded = url_encode(f->arena, value);

	if (coded.p == NULL)
		form->bad = true;
	buf_printf(form, "&%s=", name);
	buf_put(form, coded);
}

/* The form is copied and wiped. */
static int
post_form(struct fetch *f, struct str url, struct buf *form, struct err *e)
{
	struct str body = buf_ok(form) ? arena_str(f->arena, buf_str(form)) : STR_NONE;

	buf_wipe(form);
	if (body.p == NULL)
		return no_memory(e);
	if (!add_line(f, STR("Content-Type: application/x-www-form-urlencoded")))
		return no_memory(e);
	return send_off(f, url, body, e);
}

static struct str
scope_of(const struct fetch *f)
{
	return f->want.scope.n > 0 ? f->want.scope : STR(GOOGLE_SCOPE);
}

static int
ask_metadata(struct fetch *f, struct err *e)
{
	struct str host = f->want.metadata.n > 0 ? f->want.metadata :
	    STR(GOOGLE_METADATA);
	struct str url;

	f->metadata = true;
	if (f->want.id)
		url = arena_printf(f->arena, "http://%.*s/computeMetadata/v1/instance/"
		    "service-accounts/default/identity?audience=%.*s&format=full",
		    STR_ARG(host), STR_ARG(url_encode(f->arena, f->want.audience)));
	else
		url = arena_printf(f->arena, "http://%.*s/computeMetadata/v1/instance/"
		    "service-accounts/default/token?scopes=%.*s", STR_ARG(host),
		    STR_ARG(url_encode(f->arena, scope_of(f))));
	if (url.p == NULL || !add_line(f, STR("Metadata-Flavor: Google")))
		return no_memory(e);
	return send_off(f, url, STR_NONE, e);
}

/* "HEADER.CLAIMS.SIGNATURE" (RFC 7519), or .p NULL. */
static struct str
make_jwt(struct fetch *f, struct str aud, struct err *e)
{
	struct str email = need(f, "client_email", e), pem, kid, parts[3], text, sig;
	struct buf head = BUF(4096), claims = BUF(16 * 1024);
	int64_t now = when_now() / 1000;

	if (email.p == NULL || (pem = need(f, "private_key", e)).p == NULL)
		return STR_NONE;
	kid = text_at(f, f->want.credentials, "private_key_id");
	buf_put(&head, STR("{\"alg\":\"RS256\",\"typ\":\"JWT\""));
	if (kid.n > 0) {
		buf_put(&head, STR(",\"kid\":"));
		buf_json(&head, kid);
	}
	buf_putc(&head, '}');
	buf_put(&claims, STR("{\"iss\":"));
	buf_json(&claims, email);
	buf_put(&claims, STR(",\"aud\":"));
	buf_json(&claims, aud);
	buf_put(&claims, f->want.id ? STR(",\"target_audience\":") : STR(",\"scope\":"));
	buf_json(&claims, f->want.id ? f->want.audience : scope_of(f));
	buf_printf(&claims, ",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", now,
	    now + JWT_S);
	parts[0] = buf_ok(&head) ? base64url_encode(f->arena, buf_str(&head)) : STR_NONE;
	parts[1] = STR(".");
	parts[2] = buf_ok(&claims) ? base64url_encode(f->arena, buf_str(&claims)) :
	    STR_NONE;
	buf_free(&head);
	buf_free(&claims);
	text = parts[0].p == NULL || parts[2].p == NULL ? STR_NONE :
	    arena_join(f->arena, parts, 3);
	if (text.p == NULL) {
		no_memory(e);
		return STR_NONE;
	}
	if (sign_rs256(pem, text, f->arena, &sig, e) == -1)
		return STR_NONE;
	parts[0] = text;
	parts[2] = base64url_encode(f->arena, sig);
	text = parts[2].p == NULL ? STR_NONE : arena_join(f->arena, parts, 3);
	if (text.p == NULL)
		no_memory(e);
	return text;
}

/* Where tokens are had, which only tests and private clouds have elsewhere. */
static struct str
endpoint(struct fetch *f, const char *path, struct str without)
{
	struct str s = text_at(f, f->want.credentials, path);

	return s.n > 0 ? s : without;
}

static int
ask_as_service(struct fetch *f, struct err *e)
{
	struct str url = endpoint(f, "token_uri", STR(TOKEN_URI));
	struct buf form = BUF(64 * 1024);
	struct str jwt = make_jwt(f, url, e);

	if (jwt.p == NULL)
		return -1;
	buf_put(&form, STR("grant_type=" GRANT("jwt-bearer")));
	put_field(f, &form, "assertion", jwt);
	return post_form(f, url, &form, e);
}

static int
ask_as_user(struct fetch *f, struct err *e)
{
	struct buf form = BUF(64 * 1024);
	struct str id, secret, token;

	if (f->want.id)
		return err_set(e, ERR_CONF, "the credentials are a person's, which get "
		    "no ID token for an audience: use those of a service account");
	if ((id = need(f, "client_id", e)).p == NULL ||
	    (secret = need(f, "client_secret", e)).p == NULL ||
	    (token = need(f, "refresh_token", e)).p == NULL)
		return -1;
	buf_put(&form, STR("grant_type=refresh_token"));
	put_field(f, &form, "client_id", id);
	put_field(f, &form, "client_secret", secret);
	put_field(f, &form, "refresh_token", token);
	return post_form(f, endpoint(f, "token_uri", STR(TOKEN_URI)), &form, e);
}

/* --- a workload of elsewhere ------------------------------------------------------------- */

/* As it stands in the file or the answer: text, or a field of JSON. */
static int
exchange(struct fetch *f, struct str text, struct err *e)
{
	struct str audience = need(f, "audience", e), type, field, format;
	struct buf form = BUF(64 * 1024);

	if (audience.p == NULL ||
	    (type = need(f, "subject_token_type", e)).p == NULL)
		return -1;
	format = text_at(f, f->want.credentials, "credential_source.format.type");
	if (str_eq(format, STR("json"))) {
		field = text_at(f, f->want.credentials,
		    "credential_source.format.subject_token_field_name");
		if (json_scan(text, limits, NULL) != JSON_OK || field.n == 0 ||
		    !json_is_path(field))
			text = STR_NONE;
		else
			text = text_at(f, text, field.p);
	}
	text = str_trim(text);
	while (text.n > 0 && strchr("\r\n", text.p[text.n - 1]) != NULL)
		text.n--;
	if (text.n == 0 || text.n > SUBJECT_MAX)
		return err_set(e, ERR_AWAY, "there is no subject token where the "
		    "credentials' \"credential_source\" says");
	f->step = GET_TOKEN;
	buf_put(&form, STR("grant_type=" GRANT("token-exchange")
	    "&requested_token_type="
	    "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"));
	put_field(f, &form, "audience", audience);
	/* What acts as another account needs the scope for that alone. */
	put_field(f, &form, "scope", text_at(f, f->want.credentials,
	    "service_account_impersonation_url").n > 0 ? STR(GOOGLE_SCOPE) :
	    scope_of(f));
	put_field(f, &form, "subject_token", text);
	put_field(f, &form, "subject_token_type", type);
	return post_form(f, endpoint(f, "token_url", STR(STS_URI)), &form, e);
}

/* The headers that go with the URL of a subject token. */
static int
add_headers(struct fetch *f, struct err *e)
{
	struct json_doc *doc = json_read(f->want.credentials, "the credentials", e);
	const struct json_object *all;
	int rc = 0;

	if (doc == NULL)
		return -1;
	all = json_member(json_member(json_root(doc), "credential_source"), "headers");
	for (size_t i = 0; json_kind(all) == JSON_OBJECT && i < json_count(all); i++) {
		struct str name;
		const struct json_object *v = json_nth(all, i, &name);
		struct str line = json_kind(v) != JSON_STRING ? STR_NONE :
		    arena_join(f->arena, (struct str []){ name, STR(": "),
		    json_text(v) }, 3);

		if (letter_check_header(name, e) == -1 || !letter_is_value(line) ||
		    line.p == NULL || !add_line(f, line))
			rc = err_set(e, ERR_CONF, "the credentials' "
			    "\"credential_source.headers\" are no headers");
	}
	json_close(doc);
	return rc;
}

static int
ask_as_external(struct fetch *f, struct err *e)
{
	struct str file = text_at(f, f->want.credentials, "credential_source.file");
	struct str url = text_at(f, f->want.credentials, "credential_source.url");
	struct err why;
	char *p;
	size_t n;
	int rc;

	if (f->want.id && text_at(f, f->want.credentials,
	    "service_account_impersonation_url").n == 0)
		return err_set(e, ERR_CONF, "the credentials name no service account "
		    "to act as (service_account_impersonation_url), and only for one "
		    "of those there are ID tokens");
	if (url.n > 0) {
		f->step = GET_SUBJECT;
		return add_headers(f, e) == -1 ? -1 : send_off(f, url, STR_NONE, e);
	}
	if (file.n == 0)
		return err_set(e, ERR_CONF, "the credentials' \"credential_source\" has "
		    "neither \"file\" nor \"url\"; other sources are not known");
	/* Anew each time: who wrote it there renews it. */
	if ((p = os_read_file(file.p, SUBJECT_MAX, &n, &why)) == NULL)
		return err_set(e, ERR_AWAY, "the subject token: %s", why.text);
	rc = exchange(f, (struct str){ p, n }, e);
	explicit_bzero(p, n);
	free(p);
	return rc;
}

/* With the token of the STS. */
static int
act_as(struct fetch *f, struct str url, struct str token, struct err *e)
{
	struct buf body = BUF(16 * 1024);
	struct str line, text;

	f->step = ACT_AS;
	buf_put(&body, f->want.id ? STR("{\"includeEmail\":true,\"audience\":") :
	    STR("{\"lifetime\":\"3600s\",\"scope\":["));
	buf_json(&body, f->want.id ? f->want.audience : scope_of(f));
	buf_put(&body, f->want.id ? STR("}") : STR("]}"));
	text = buf_ok(&body) ? arena_str(f->arena, buf_str(&body)) : STR_NONE;
	buf_free(&body);
	line = arena_join(f->arena, (struct str []){ STR("Authorization: Bearer "),
	    token }, 2);
	if (f->want.id && str_ends(url, STR(":generateAccessToken")))
		url = arena_join(f->arena, (struct str []){ str_head(url,
		    url.n - strlen(":generateAccessToken")),
		    STR(":generateIdToken") }, 2);
	if (text.p == NULL || line.p == NULL || url.p == NULL || !add_line(f, line) ||
	    !add_line(f, STR("Content-Type: application/json")))
		return no_memory(e);
	return send_off(f, url, text, e);
}

/* --- beginnings -------------------------------------------------------------------------- */

static int
ask(struct fetch *f, struct err *e)
{
	struct str type;

	if (f->want.credentials.n == 0)
		return ask_metadata(f, e);
	if (json_scan(f->want.credentials, limits, NULL) != JSON_OK)
		return err_set(e, ERR_CONF, "the credentials are no JSON");
	type = text_at(f, f->want.credentials, "type");
	if (str_eq(type, STR("service_account")))
		return ask_as_service(f, e);
	if (str_eq(type, STR("authorized_user")))
		return ask_as_user(f, e);
	if (str_eq(type, STR("external_account")))
		return ask_as_external(f, e);
	return err_set(e, ERR_CONF, "the credentials' \"type\" is none of "
	    "service_account, authorized_user and external_account");
}

static bool
copy(struct arena *a, struct str *s)
{
	if (s->n > 0)
		*s = arena_str(a, *s);
	return s->n == 0 || s->p != NULL;
}

static int
fetch_begin(struct google *g, struct holding *h, const struct google_want *w,
    struct err *e)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return no_memory(e);
	f->google = g;
	f->holding = h;
	f->want = *w;
	f->arena = arena_new(FETCH_MEMORY);
	if (f->arena == NULL || !copy(f->arena, &f->want.audience) ||
	    !copy(f->arena, &f->want.scope) || !copy(f->arena, &f->want.credentials) ||
	    !copy(f->arena, &f->want.metadata))
		no_memory(e);
	else if (ask(f, e) == 0) {
		h->fetch = f;
		return 0;
	}
	fetch_free(f);
	return -1;
}

/* --- ends -------------------------------------------------------------------------------- */

/* In seconds: a number, or one in a string; 0: it does not say. */
static int64_t
life_said(struct fetch *f)
{
	struct str raw;
	enum json_kind kind = json_find(buf_str(&f->answer), STR("expires_in"), &raw);
	uint64_t n;

	return (kind == JSON_NUMBER || kind == JSON_STRING) && str_to_u64(raw, &n) ?
	    (int64_t)(n < LIFE_MOST ? n : LIFE_MOST) : 0;
}

/* Of a JWT's "exp".  It is not verified: who checks it is whom we send it to. */
static int64_t
life_of_jwt(struct fetch *f, struct str token)
{
	char *p = arena_bytes(f->arena, BASE64_ROOM(token.n));
	struct str raw, claims;
	uint64_t exp;
	size_t n;

	str_cut(&token, '.');
	claims = str_cut(&token, '.');
	if (p == NULL || !base64url_decode(claims, p, BASE64_ROOM(claims.n), &n) ||
	    json_scan((struct str){ p, n }, limits, NULL) != JSON_OK ||
	    json_find((struct str){ p, n }, STR("exp"), &raw) != JSON_NUMBER ||
	    !str_to_u64(raw, &exp) || exp > INT64_MAX / 1000)
		return 0;
	return (int64_t)exp - when_now() / 1000;
}

static void
tell_all(struct holding *h, struct str token, const struct err *e)
{
	struct google_waiter *w, *next;

	/* Who is told may ask again at once. */
	w = h->waiters;
	h->waiters = NULL;
	for (; w != NULL; w = next) {
		next = w->next;
		w->told(w, token, e);
	}
}

static void
fetched(struct fetch *f, struct str token, int64_t life)
{
	struct holding *h = f->holding;
	int64_t now = when_steady();

	if (life > LIFE_MOST)
		life = LIFE_MOST;
	buf_wipe(&h->token);
	h->token = BUF(TOKEN_MAX);
	buf_put(&h->token, token);
	h->good_until = now + life * 1000;
	h->fresh_until = now + (life - GOOGLE_EARLY > life / 2 ? life - GOOGLE_EARLY :
	    life / 2) * 1000;
	h->fetch = NULL;
	fetch_free(f);
	tell_all(h, buf_str(&h->token), NULL);
}

static void
failed(struct fetch *f, const struct err *e)
{
	struct holding *h = f->holding;
	int64_t now = when_steady();

	h->fetch = NULL;
	fetch_free(f);
	if (h->token.n > 0 && h->good_until > now) {
		h->fresh_until = now + OLD_ONE_MS;
		tell_all(h, buf_str(&h->token), NULL);
	} else {
		tell_all(h, STR_NONE, e);
	}
}

/* The code of an error, a word of RFC 6749 or of Google's: of somebody else's answer. */
static struct str
error_word(struct fetch *f)
{
	struct str all = buf_str(&f->answer), raw = STR_NONE;

	if (json_scan(all, limits, NULL) != JSON_OK ||
	    (json_find(all, STR("error"), &raw) != JSON_STRING &&
	    json_find(all, STR("error.status"), &raw) != JSON_STRING) || raw.n > 40)
		return STR_NONE;
	for (size_t i = 0; i < raw.n; i++)
		if (!((raw.p[i] >= 'a' && raw.p[i] <= 'z') || raw.p[i] == '_' ||
		    (raw.p[i] >= 'A' && raw.p[i] <= 'Z')))
			return STR_NONE;
	return raw;
}

static void
refused(struct fetch *f, long status, struct err *e)
{
	struct str word = error_word(f);

	err_set(e, ERR_AWAY, "%.*s answered %ld%s%.*s%s", STR_ARG(f->host), status,
	    word.n > 0 ? " (" : "", STR_ARG(word), word.n > 0 ? ")" : "");
}

/* 1: there is a token; 0: the next request is under way; -1. */
static int
take(struct fetch *f, struct str *token, int64_t *life, struct err *e)
{
	struct str all = buf_str(&f->answer), to;
	bool json = json_scan(all, limits, NULL) == JSON_OK;
	int64_t end;

	if (f->step == GET_SUBJECT)
		return exchange(f, arena_str(f->arena, all), e);
	if (f->metadata && !f->flavoured)
		return err_set(e, ERR_AWAY, "%.*s is not Google's metadata server: its "
		    "answer has no \"Metadata-Flavor: Google\"", STR_ARG(f->host));
	if (f->metadata && f->want.id)
		*token = arena_str(f->arena, str_trim(all));
	else if (!json)
		*token = STR_NONE;
	else if (f->step == ACT_AS)
		*token = text_at(f, all, f->want.id ? "token" : "accessToken");
	else if (f->want.id && !str_eq(text_at(f, f->want.credentials, "type"),
	    STR("external_account")))
		*token = text_at(f, all, "id_token");
	else
		*token = text_at(f, all, "access_token");
	while (token->n > 0 && strchr("\r\n", token->p[token->n - 1]) != NULL)
		token->n--;
	if (token->n == 0 || token->n > TOKEN_MAX || !letter_is_value(*token))
		return err_set(e, ERR_AWAY, "%.*s answered 200 without a token",
		    STR_ARG(f->host));
	to = text_at(f, f->want.credentials, "service_account_impersonation_url");
	if (f->step == GET_TOKEN && to.n > 0 && str_eq(text_at(f, f->want.credentials,
	    "type"), STR("external_account")))
		return act_as(f, to, *token, e);
	if (f->want.id)
		*life = life_of_jwt(f, *token);
	else if (f->step == ACT_AS)
		*life = when_parse(text_at(f, all, "expireTime"), WHEN_ISO8601, &end) ?
		    (end - when_now()) / 1000 : 0;
	else
		*life = life_said(f);
	/* One that says nothing is good for this attempt and those beside it. */
	if (*life < 1)
		*life = 1;
	return 1;
}

static void
answered(struct fetch *f, CURLcode rc, long status)
{
	struct str token = STR_NONE;
	struct err e = { ERR_NONE, "" };
	int64_t life = 0;
	int r = -1;

	curl_multi_remove_handle(f->google->multi, f->easy);
	curl_easy_cleanup(f->easy);
	f->easy = NULL;
	lines_free(f);
	if (rc == CURLE_OPERATION_TIMEDOUT)
		err_set(&e, ERR_AWAY, "%.*s did not answer in %d s", STR_ARG(f->host),
		    GOOGLE_MS / 1000);
	else if (rc != CURLE_OK)
		err_set(&e, ERR_AWAY, "%.*s: %s", STR_ARG(f->host),
		    curl_easy_strerror(rc));
	else if (status != 200)
		refused(f, status, &e);
	else
		r = take(f, &token, &life, &e);
	if (r == 1)
		fetched(f, token, life);
	else if (r == -1)
		failed(f, &e);
}

/* --- what http.c calls ------------------------------------------------------------------- */

struct google *
google_new(CURLM *multi, struct str ca_file)
{
	struct google *g = calloc(1, sizeof(*g));

	if (g != NULL) {
		g->multi = multi;
		g->ca_file = ca_file;
	}
	return g;
}

void
google_free(struct google *g)
{
	struct holding *h;

	if (g == NULL)
		return;
	while ((h = g->holdings) != NULL) {
		g->holdings = h->next;
		holding_free(h);
	}
	free(g);
}

enum google_answer
google_ask(struct google *g, const struct google_want *want, struct google_waiter *w,
    struct str *token, struct err *e)
{
	struct holding *h = hold(g, want);
	int64_t now = when_steady();

	if (h == NULL) {
		no_memory(e);
		return GOOGLE_NONE;
	}
	h->asked = now;
	if (KEEP && h->token.n > 0 && now < h->fresh_until) {
		*token = buf_str(&h->token);
		return GOOGLE_HERE;
	}
	if (h->fetch == NULL && fetch_begin(g, h, want, e) == -1)
		return GOOGLE_NONE;
	w->next = h->waiters;
	h->waiters = w;
	return GOOGLE_WAIT;
}

void
google_refused(struct google *g, const struct google_want *want, struct str token)
{
	unsigned char key[32];
	struct holding *h;

	key_of(want, key);
	/* Another attempt may have brought a new one already. */
	if ((h = find(g, key)) != NULL && str_eq(buf_str(&h->token), token)) {
		h->fresh_until = 0;
		h->good_until = 0;
	}
}

bool
google_done(struct google *g, CURL *easy, CURLcode rc)
{
	struct holding *h = g->holdings;
	long status = 0;

	while (h != NULL && (h->fetch == NULL || h->fetch->easy != easy))
		h = h->next;
	if (h == NULL)
		return false;
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	answered(h->fetch, rc, status);
	return true;
}
