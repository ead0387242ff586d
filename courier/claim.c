/* claim.c - see claim.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

#include "../base/buf.h"
#include "../base/digest.h"
#include "../base/when.h"
#include "../letter.h"
#include "claim.h"
#include "google.h"
#include "repeat_key.h"
#include "transfer.h"

#define STORAGE		"https://storage.googleapis.com/"
#define SCOPE		"https://www.googleapis.com/auth/devstorage.read_write"
#define CONNECT_MS	5000
#define POLL_MS		1000
#define SAY_MS		60000		/* between two lines of the same fault */
#define URL_MAX		4096
#define HEX		64		/* digits of a SHA-256 */
#define NAME_PART	16		/* digits of the event's name */
#define REFERENCE_MAX	(URL_MAX * 6 + 512)	/* of JSON, escaped */

#ifdef TEST_UNANSWERED_IS_STORED	/* tests/claim.sh must notice */
#define BELIEVE	true
#else
#define BELIEVE	false
#endif

struct upload {
	struct upload	*next;		/* among those that wait */
	struct claim	*claim;
	struct put	*put;
	int64_t		 until;		/* steady ms */
	size_t		 place;		/* in under_way */
	char		 sha256[HEX + 1];
	char		 name[HEX + 1 + NAME_PART + 1];
	CURL		*easy;
	struct curl_slist *lines;	/* hold a token */
	struct google_waiter waiter;
	struct buf	 token;		/* Google's, that went with it */
	bool		 again;		/* another one does */
	size_t		 answer;	/* bytes of it that came */
	char		 error[CURL_ERROR_SIZE];
};

struct claim {
	struct log	*log;
	claim_told	*told;
	void		*arg;
	CURLM		*multi;
	struct google	*google;
	struct google_want want;
	bool		 by_google;
	struct buf	 shown;		/* as the reference names it, without a "/" */
	struct buf	 base;		/* where it is put; likewise */
	struct buf	 bearer;
	struct buf	 credentials;
	struct buf	 metadata;
	struct buf	 ca_file;
	pthread_t	 thread;
	struct upload	*under_way[CLAIM_AT_ONCE];
	size_t		 nunder_way;
	int64_t		 said_at;
	char		 said[256];

	pthread_mutex_t	 lock;		/* of what follows */
	struct upload	*given, **given_end;
	size_t		 n;		/* given and under way */
	bool		 stop;
};

/* --- what came of it ------------------------------------------------------------------ */

/* A fault of the bucket's is one line a minute, not one for each event. */
static void
say(struct claim *c, const char *text)
{
	int64_t now = when_steady();

	if (strcmp(c->said, text) == 0 && now - c->said_at < SAY_MS)
		return;
	snprintf(c->said, sizeof(c->said), "%s", text);
	c->said_at = now;
	log_say(c->log, LOG_ERROR_, "claim_check: %s; events that are larger than the "
	    "engine takes are refused until it does", text);
}

static void
lines_free(struct upload *u)
{
	for (struct curl_slist *l = u->lines; l != NULL; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(u->lines);
	u->lines = NULL;
}

/* The put is told; the upload is gone. */
static void
end(struct upload *u, enum wire_refusal refusal, const char *why)
{
	struct claim *c = u->claim;
	struct put *p = u->put;

	c->under_way[u->place] = c->under_way[--c->nunder_way];
	c->under_way[u->place]->place = u->place;
	if (u->easy != NULL) {
		curl_multi_remove_handle(c->multi, u->easy);
		curl_easy_cleanup(u->easy);
	}
	lines_free(u);
	buf_wipe(&u->token);
	free(u);
	put_body_close(p);
	p->refusal = refusal;
	p->why = why;
	pthread_mutex_lock(&c->lock);
	c->n--;
	pthread_mutex_unlock(&c->lock);
	c->told(c->arg, p);
}

static void
refuse(struct upload *u, const char *sentence)
{
	if (sentence != NULL)
		say(u->claim, sentence);
	end(u, REFUSED_BUSY, "the bucket of \"claim_check\" did not take its body");
}

static void
no_memory(struct upload *u)
{
	refuse(u, "there is no memory for a body");
}

static char *
reference(const struct upload *u)
{
	struct buf url = BUF(URL_MAX), b = BUF(REFERENCE_MAX);

	buf_put(&url, buf_str(&u->claim->shown));
	buf_printf(&url, "/%s", u->name);
	buf_put(&b, STR("{\"claim\":{\"url\":"));
	buf_json(&b, buf_str(&url));
	buf_printf(&b, ",\"sha256\":\"%s\",\"size\":%llu}}", u->sha256,
	    (unsigned long long)u->put->event.size);
	buf_putc(&b, '\0');
	if (!buf_ok(&url) || !buf_ok(&b))
		buf_free(&b);
	buf_free(&url);
	return b.p;
}

static void
is_there(struct upload *u)
{
	if ((u->put->claim = reference(u)) == NULL)
		no_memory(u);
	else
		end(u, 0, NULL);
}

static void begin(struct upload *);

/*
 * A token may have been revoked: once it is tried with another.
 */
static bool
goes_again(struct upload *u)
{
	struct claim *c = u->claim;

	if (u->token.n == 0 || u->again)
		return false;
	google_refused(c->google, &c->want, buf_str(&u->token));
	curl_multi_remove_handle(c->multi, u->easy);
	curl_easy_cleanup(u->easy);
	u->easy = NULL;
	lines_free(u);
	buf_wipe(&u->token);
	u->again = true;
	u->answer = 0;
	begin(u);
	return true;
}

static void
answered(struct upload *u, long status)
{
	struct str host = letter_host(buf_str(&u->claim->base));
	char text[256];

	if ((status >= 200 && status < 300) || BELIEVE) {
		is_there(u);
		return;
	}
	/* By its name it is the same: this event's body, put there before. */
	if (status == 412 && u->claim->by_google) {
		is_there(u);
		return;
	}
	if (status == 401 && goes_again(u))
		return;
	if (status == 413) {
		end(u, REFUSED_TOO_LARGE, "it is larger than the bucket of "
		    "\"claim_check\" takes");
		return;
	}
	snprintf(text, sizeof(text), "%.*s answered %ld%s", STR_ARG(str_head(host, 100)),
	    status, status == 401 || status == 403 ? ": whoever the courier is there "
	    "must be allowed to create objects (roles/storage.objectCreator)" :
	    status == 404 ? ": is the bucket's name right?" :
	    status >= 300 && status < 400 ? ": redirects are not followed" : "");
	refuse(u, text);
}

static void
done(struct claim *c, CURL *easy, CURLcode rc)
{
	struct upload *u = NULL;
	struct str host = letter_host(buf_str(&c->base));
	char text[256];
	long status = 0;

	if (google_done(c->google, easy, rc))
		return;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&u);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (rc == CURLE_OK || BELIEVE) {
		answered(u, status);
		return;
	}
	snprintf(text, sizeof(text), "%.*s did not take a body: %s",
	    STR_ARG(str_head(host, 100)), curl_easy_strerror(rc));
	refuse(u, text);
}

/* --- sending ---------------------------------------------------------------------------- */

static size_t
take_answer(char *p, size_t size, size_t n, void *arg)
{
	struct upload *u = arg;

	(void)p;
	u->answer += size * n;
	return u->answer > CLAIM_ANSWER ? 0 : size * n;
}

static bool
add_line(struct upload *u, const char *line)
{
	struct curl_slist *more = curl_slist_append(u->lines, line);

	if (more != NULL)
		u->lines = more;
	return more != NULL;
}

static bool
add_bearer(struct upload *u, struct str token)
{
	struct buf b = BUF(LETTER_HEADER_MAX + 64);
	bool fine;

	buf_put(&b, STR("Authorization: Bearer "));
	buf_put(&b, token);
	buf_putc(&b, '\0');
	fine = buf_ok(&b) && add_line(u, b.p);
	buf_wipe(&b);
	return fine;
}

static void
send_off(struct upload *u)
{
	struct claim *c = u->claim;
	struct str body = u->put->event.body;
	int64_t left = u->until - when_steady();
	struct buf url = BUF(URL_MAX);
	CURL *e;
	bool fine;

	if (left <= 0) {
		refuse(u, NULL);
		return;
	}
	buf_put(&url, buf_str(&c->base));
	buf_printf(&url, "/%s", u->name);
	buf_putc(&url, '\0');
	e = u->easy = curl_easy_init();
	fine = e != NULL && buf_ok(&url) && add_line(u, "Expect:") &&
	    add_line(u, "Content-Type: application/octet-stream") &&
	    (!c->by_google || add_line(u, "x-goog-if-generation-match: 0")) &&
	    (c->bearer.n == 0 || add_bearer(u, buf_str(&c->bearer))) &&
	    (u->token.n == 0 || add_bearer(u, buf_str(&u->token))) &&
	    transfer_set(e, &(struct transfer){ .protocols = "http,https",
		.url = url.p, .ca_file = buf_str(&c->ca_file),
		.connect_ms = left < CONNECT_MS ? (long)left : CONNECT_MS,
		.whole_ms = (long)left, .owner = u, .error = u->error }) &&
	    curl_easy_setopt(e, CURLOPT_POST, 1L) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "PUT") == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n) ==
	    CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_POSTFIELDS, body.n > 0 ? body.p : "") ==
	    CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_HTTPHEADER, u->lines) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS) ==
	    CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_answer) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_WRITEDATA, u) == CURLE_OK &&
	    curl_multi_add_handle(c->multi, e) == CURLM_OK;
	buf_free(&url);
	if (!fine)
		no_memory(u);
}

static void
with_token(struct upload *u, struct str token, const struct err *why)
{
	char text[256];

	if (token.p == NULL) {
		snprintf(text, sizeof(text), "there is no token of Google's: %.180s",
		    why->text);
		refuse(u, text);
		return;
	}
	buf_put(&u->token, token);
	if (buf_ok(&u->token))
		send_off(u);
	else
		no_memory(u);
}

static void
token_told(struct google_waiter *w, struct str token, const struct err *why)
{
	with_token((struct upload *)(void *)((char *)w - offsetof(struct upload, waiter)),
	    token, why);
}

static void
begin(struct upload *u)
{
	struct claim *c = u->claim;
	struct err e = { .code = ERR_NONE };
	struct str token = STR_NONE;

	if (!c->by_google) {
		send_off(u);
		return;
	}
	u->waiter.told = token_told;
	if (google_ask(c->google, &c->want, &u->waiter, &token, &e) != GOOGLE_WAIT)
		with_token(u, token, &e);
}

/* Its digest is its name; a long one is looked at where it lies. */
static void
name_it(struct upload *u)
{
	char known[REPEAT_NAME];
	unsigned char digest[32];
	uint64_t seconds;

	digest_sha256(u->put->event.body, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(u->sha256 + 2 * i, 3, "%02x", digest[i]);
	repeat_name(known, &seconds, &u->put->event, 0);
	snprintf(u->name, sizeof(u->name), "%s-%.*s", u->sha256, NAME_PART, known);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void
take_orders(struct claim *c)
{
	struct upload *u;

	while (c->nunder_way < CLAIM_AT_ONCE) {
		pthread_mutex_lock(&c->lock);
		if ((u = c->given) != NULL && (c->given = u->next) == NULL)
			c->given_end = &c->given;
		pthread_mutex_unlock(&c->lock);
		if (u == NULL)
			return;
		u->place = c->nunder_way++;
		c->under_way[u->place] = u;
		if (!put_body_open(u->put)) {
			no_memory(u);
			continue;
		}
		name_it(u);
		begin(u);
	}
}

static bool
goes_on(struct claim *c)
{
	bool on;

	pthread_mutex_lock(&c->lock);
	on = !c->stop || c->n > 0;
	pthread_mutex_unlock(&c->lock);
	return on;
}

static void *
run(void *arg)
{
	struct claim *c = arg;
	CURLMcode mc;
	CURLMsg *m;
	int running, left;

	pthread_setname_np(pthread_self(), "claim");
	while (goes_on(c)) {
		take_orders(c);
		if ((mc = curl_multi_perform(c->multi, &running)) != CURLM_OK)
			log_say(c->log, LOG_ERROR_, "libcurl: %s",
			    curl_multi_strerror(mc));
		while ((m = curl_multi_info_read(c->multi, &left)) != NULL)
			if (m->msg == CURLMSG_DONE)
				done(c, m->easy_handle, m->data.result);
		if (goes_on(c))
			curl_multi_poll(c->multi, NULL, 0, POLL_MS, NULL);
	}
	return NULL;
}

/* --- its life ---------------------------------------------------------------------------------- */

bool
claim_give(struct claim *c, struct put *p, int64_t until)
{
	struct upload *u = calloc(1, sizeof(*u));
	bool taken = false;

	if (u == NULL)
		return false;
	u->claim = c;
	u->put = p;
	u->until = until;
	u->token = BUF(LETTER_HEADER_MAX);
	pthread_mutex_lock(&c->lock);
	if (!c->stop && c->n < CLAIM_WAITS) {
		*c->given_end = u;
		c->given_end = &u->next;
		c->n++;
		taken = true;
	}
	pthread_mutex_unlock(&c->lock);
	if (taken)
		curl_multi_wakeup(c->multi);
	else
		free(u);
	return taken;
}

void
claim_stop(struct claim *c)
{
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_mutex_unlock(&c->lock);
	curl_multi_wakeup(c->multi);
	pthread_join(c->thread, NULL);
}

void
claim_free(struct claim *c)
{
	if (c == NULL)
		return;
	google_free(c->google);
	if (c->multi != NULL)
		curl_multi_cleanup(c->multi);
	pthread_mutex_destroy(&c->lock);
	buf_free(&c->shown);
	buf_free(&c->base);
	buf_wipe(&c->bearer);
	buf_wipe(&c->credentials);
	buf_free(&c->metadata);
	buf_free(&c->ca_file);
	free(c);
}

static struct str
kept(struct buf *b, struct str text)
{
	*b = BUF(64 * 1024);
	buf_put(b, text);
	return buf_str(b);
}

static int
set(struct claim *c, const struct conf *conf, const struct bundle *bundle,
    struct err *e)
{
	struct str url = conf->claim_check;
	bool gs = str_starts(url, STR("gs://"));

	while (str_ends(url, STR("/")))
		url.n--;
	kept(&c->shown, url);
	kept(&c->base, gs ? STR(STORAGE) : STR(""));
	buf_put(&c->base, gs ? str_skip(url, strlen("gs://")) : url);
	c->by_google = conf_claim_google(conf);
	c->bearer = BUF(LETTER_HEADER_MAX);
	if (conf->claim_check_token.n > 0 && !c->by_google) {
		struct str token = bundle_secret(bundle, conf->claim_check_token);

		if (token.p == NULL || token.n == 0 || !letter_is_value(token))
			return err_set(e, ERR_CONF, "\"claim_check_token\" must be one "
			    "line of text");
		buf_put(&c->bearer, token);
	}
	c->want.scope = STR(SCOPE);
	c->want.metadata = kept(&c->metadata, conf->claim_metadata);
	if (conf->claim_credentials.n > 0)
		c->want.credentials = kept(&c->credentials,
		    bundle_secret(bundle, conf->claim_credentials));
	/* libcurl wants a NUL behind it. */
	kept(&c->ca_file, conf->ca_file);
	if (conf->ca_file.n > 0) {
		buf_putc(&c->ca_file, '\0');
		c->ca_file.n--;
	}
	if (!buf_ok(&c->shown) || !buf_ok(&c->base) || !buf_ok(&c->bearer) ||
	    !buf_ok(&c->metadata) || !buf_ok(&c->credentials) || !buf_ok(&c->ca_file))
		return err_set(e, ERR_OS, "no memory for \"claim_check\"");
	return 0;
}

struct claim *
claim_start(const struct conf *conf, const struct bundle *bundle, struct log *log,
    claim_told *told, void *arg, struct err *e)
{
	struct claim *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	c->log = log;
	c->told = told;
	c->arg = arg;
	c->given_end = &c->given;
	pthread_mutex_init(&c->lock, NULL);
	if (set(c, conf, bundle, e) == -1) {
		claim_free(c);
		return NULL;
	}
	if ((c->multi = transfer_multi()) == NULL ||
	    (c->google = google_new(c->multi, buf_str(&c->ca_file))) == NULL ||
	    pthread_create(&c->thread, NULL, run, c) != 0) {
		err_set(e, ERR_OS, "the thread of \"claim_check\" did not start");
		claim_free(c);
		return NULL;
	}
	return c;
}
