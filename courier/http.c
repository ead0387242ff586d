/* http.c - see http.h. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/codec.h"
#include "../base/digest.h"
#include "../base/json.h"
#include "../base/os.h"
#include "../base/when.h"
#include "google.h"
#include "http.h"
#include "../letter.h"
#include "oauth1.h"
#include "transfer.h"

#define POLL_MS		1000
#define BEGIN_AT_ONCE	16	/* attempts that are begun between two looks at others */
#define HEADERS_OURS	16	/* at most of those that are not the destination's */
#define SECRET_LEAST	4	/* bytes: shorter ones are in every text */
#define PIECE		(64 * 1024)	/* of a body in a file, to be signed */

#ifdef TEST_NO_SECOND_TOKEN	/* tests/google.sh must notice */
#define SECOND	false
#else
#define SECOND	true
#endif
#ifdef TEST_STATUS_ALONE	/* likewise */
#define RULES	false
#else
#define RULES	true
#endif

#ifdef TEST_ALL_HEADERS		/* tests/modes.sh must notice */
#define ALL_HEADERS	true
#else
#define ALL_HEADERS	false
#endif

static const struct json_limits answer_limits = { 64, 100000 };

/* One attempt while it is here. */
struct sending {
	struct http	*http;
	struct attempt	*attempt;
	size_t		 place;		/* in under_way */
	int64_t		 began;		/* steady ms */
	CURL		*easy;
	struct arena	*arena;		/* what is written for it; holds secrets */
	struct str	 host;		/* of the URL, for sentences */

	struct pair	*headers;	/* one of a name */
	size_t		 nheaders;
	struct str	*secrets;	/* that are in them, to be known again */
	size_t		 nsecrets;
	struct curl_slist *lines;	/* the same, as libcurl wants them */

	/* Of a service that takes several events in one request. */
	struct sending	*next_waits;	/* for one to go with */
	struct sending	*next_row;	/* of its leader's request */
	struct sending	*leader;	/* whose request is its, or NULL */
	bool		 asks;		/* its own request is under way */
	size_t		 nrows;		/* of a leader, with itself */
	size_t		 row;		/* its place in the request */
	struct str	 element;	/* of the body that it would have alone */
	struct str	 key;
	struct buf	 joined;	/* a leader's: the body for all */

	struct str	 url;
	bool		 hidden;	/* it is a secret */
	struct google_waiter waiter;	/* for a token; first of what begins later */
	struct str	 token;		/* that went with it, or .n 0 */
	bool		 again;		/* another one does */

	bool		 no_body;	/* GET and HEAD */
	bool		 from_file;
	struct buf	 made;		/* a body that a template gave */
	struct str	 body;		/* unless from_file */
	uint64_t	 size;		/* of the body, wherever it is */
	uint64_t	 sent;		/* of that in a file */
	bool		 unread;	/* the file did not give it */

	size_t		 answer;	/* bytes of it that came */
	size_t		 answer_headers;
	struct buf	 whole;		/* all of it, where the service's rules want it */
	bool		 enough;	/* the rest of the answer is not read */
	bool		 headers_long;
	bool		 encoded;	/* it has a Content-Encoding */
	int64_t		 retry_after;	/* ms */
	int64_t		 retry_at;	/* ms, by the service's own header */
	char		 error[CURL_ERROR_SIZE];
};

struct http {
	struct log	*log;
	struct attempt_taker taker;
	struct str	 ca_file;
	CURLM		*multi;
	struct google	*google;
	struct sending	*under_way[HTTP_MOST];
	size_t		 nunder_way;
	struct sending	*waits, **waits_end;	/* to go with others */

	pthread_t	 thread;
	pthread_mutex_t	 lock;		/* of what follows */
	struct attempt	*given, **given_end;
	size_t		 n;		/* given and under way */
	bool		 stop;
};

/* --- headers ----------------------------------------------------------------------- */

/* Over one of that name.  The name is a constant or the configuration's. */
static void
set_header(struct sending *s, struct str name, struct str value)
{
	size_t i = 0;

	while (i < s->nheaders && !str_eq_nocase(s->headers[i].name, name))
		i++;
	if (i == s->nheaders)
		s->nheaders++;
	s->headers[i] = (struct pair){ name, value };
}

/*
 * One of ours, of what others have said: one that no header can hold, or that is not
 * there, is left out, since the body holds it as well.
 */
static void
set_ours(struct sending *s, const char *name, struct str value)
{
	if (value.n > 0 && value.n <= LETTER_HEADER_MAX && letter_is_value(value))
		set_header(s, str_of(name), value);
}

/* Of the request that came; .n 0: it had none, or several. */
static struct str
header_of(const struct attempt *a, struct str wanted, struct arena *arena)
{
	struct str pair, name, raw, found = STR("");
	size_t at = 0, in;

	while (json_next(a->event.headers, &at, &pair) == JSON_ARRAY) {
		in = 0;
		if (json_next(pair, &in, &name) != JSON_STRING ||
		    !str_eq_nocase(name, wanted))
			continue;
		if (found.n > 0 || json_next(pair, &in, &raw) != JSON_STRING)
			return STR("");
		found = json_unescape(arena, raw);
	}
	return found;
}

static int
no_memory(struct err *e)
{
	return err_set(e, ERR_OS, "there was no memory to send it");
}

static int
ours(struct sending *s, struct err *e)
{
	const struct attempt *a = s->attempt;
	struct str number = arena_printf(s->arena, "%" PRIu64, a->number);

	if (number.p == NULL)
		return no_memory(e);
	/* What says how the body is to be read goes with the body as it came. */
	if (a->to->body.n > 0 && !s->no_body) {
		set_header(s, STR("Content-Type"), STR("application/json"));
	} else if (!s->no_body) {
		set_ours(s, "Content-Type", header_of(a, STR("content-type"), s->arena));
		set_ours(s, "Content-Encoding",
		    header_of(a, STR("content-encoding"), s->arena));
	}
	set_ours(s, "Hooklatch-Event", str_of(a->event.id));
	set_ours(s, "Hooklatch-Hook", a->event.hook);
	set_ours(s, "Hooklatch-Provider", a->event.provider);
	set_ours(s, "Hooklatch-Type", a->event.event_type);
	set_ours(s, "Hooklatch-Attempt", number);
	set_ours(s, "traceparent", a->event.trace);
	set_ours(s, "X-Request-ID", a->event.request_id);
	return 0;
}

static void
remember(struct sending *s, struct str secret_text)
{
	if (secret_text.n >= SECRET_LEAST)
		s->secrets[s->nsecrets++] = secret_text;
}

/* A secret of the destination: as it is written there, and what it is for. */
static int
secret(struct sending *s, struct str written, const char *what, struct str *bytes,
    struct err *e)
{
	*bytes = bundle_secret(s->attempt->secrets, written);
	if (bytes->p == NULL || !letter_is_value(*bytes))
		return err_set(e, ERR_CONF, "%s: %s", what, bytes->p == NULL ?
		    "the secret was not read" : "the secret holds control bytes");
	remember(s, *bytes);
	return 0;
}

static int
theirs(struct sending *s, struct letter *l, struct err *e)
{
	const struct destination *to = s->attempt->to;

	for (size_t i = 0; i < to->nheaders; i++) {
		struct pair h = to->headers[i];
		struct buf out = BUF(LETTER_HEADER_MAX);
		int r;

		if (letter_check_header(h.name, e) == -1)
			return -1;
		if (conf_is_reference(h.value)) {
			r = secret(s, h.value, "headers", &h.value, e);
		} else {
			r = letter_write(&out, h.value, LETTER_HEADER, l, s->arena, e);
			h.value = arena_str(s->arena, buf_str(&out));
			buf_free(&out);
		}
		if (r == -1)
			return err_at(e, "the header %.*s", STR_ARG(h.name));
		if (h.value.p == NULL)
			return no_memory(e);
		set_header(s, h.name, h.value);
	}
	return 0;
}

/* --- the signature -------------------------------------------------------------------- */

static bool
add_file(struct hmac *h, int fd, uint64_t size)
{
	char piece[PIECE];
	uint64_t at = 0;
	ssize_t n;

	while (at < size) {
		n = pread(fd, piece, size - at < PIECE ? (size_t)(size - at) : PIECE,
		    (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		hmac_add(h, (struct str){ piece, (size_t)n });
		at += (uint64_t)n;
	}
	return true;
}

/*
 * Standard Webhooks: the HMAC of "ID.SECONDS.BODY".  The time is that of the attempt:
 * receivers refuse an old one, and an event may be days old.
 */
static int
sign(struct sending *s, struct err *e)
{
	const struct attempt *a = s->attempt;
	struct str id = str_of(a->event.id), when, written, text;
	unsigned char key[LETTER_KEY_MAX], mac[32];
	struct hmac *h = NULL;
	bool read = true;
	size_t n;

	if (secret(s, a->to->sign, "sign", &written, e) == -1 ||
	    letter_key(written, key, &n, e) == -1)
		return -1;
	when = arena_printf(s->arena, "%" PRId64, when_now() / 1000);
	if (when.p != NULL)
		h = hmac_new((struct str){ (char *)key, n });
	explicit_bzero(key, sizeof(key));
	if (h == NULL)
		return no_memory(e);
	hmac_add(h, id);
	hmac_add(h, STR("."));
	hmac_add(h, when);
	hmac_add(h, STR("."));
	if (s->from_file)
		read = add_file(h, a->event.body_fd, s->size);
	else
		hmac_add(h, s->body);
	hmac_end(h, mac);
	text = arena_printf(s->arena, "v1,%.*s", STR_ARG(base64_encode(s->arena,
	    (struct str){ (char *)mac, sizeof(mac) })));
	if (text.p == NULL)
		return no_memory(e);
	if (!read)
		return err_set(e, ERR_IO, "the body could not be read from its file");
	set_header(s, STR("webhook-id"), id);
	set_header(s, STR("webhook-timestamp"), when);
	set_header(s, STR("webhook-signature"), text);
	return 0;
}

/* --- who we are ------------------------------------------------------------------------ */

static struct google_want
want_of(const struct sending *s)
{
	const struct destination *to = s->attempt->to;
	struct google_want w = { .id = str_eq(to->google, STR("id")),
		.scope = to->scope, .audience = to->audience, .metadata = to->metadata };

	if (to->credentials_used.n > 0)
		w.credentials = bundle_secret(s->attempt->secrets, to->credentials_used);
	if (w.id && w.audience.n == 0)
		w.audience = letter_audience(s->hidden ? s->url : to->url);
	return w;
}

static int
with_token(struct sending *s, struct str token, struct err *e)
{
	struct str value;

	s->token = arena_str(s->arena, token);
	value = arena_join(s->arena, (struct str []){ STR("Bearer "), token }, 2);
	if (s->token.p == NULL || value.p == NULL)
		return no_memory(e);
	remember(s, s->token);
	set_header(s, STR("Authorization"), value);
	return 0;
}

static int
no_token(const struct err *why, struct err *e)
{
	return err_set(e, why->code == ERR_OS ? ERR_OS : ERR_AWAY,
	    "nothing was sent, there is no token of Google's: %s", why->text);
}

/* 1: it is waited for. */
static int
by_google(struct sending *s, struct err *e)
{
	struct google_want w = want_of(s);
	struct str token;
	struct err why;

	if (s->attempt->to->credentials_used.n > 0 && w.credentials.n == 0)
		return err_set(e, ERR_CONF, "credentials: the secret was not read");
	switch (google_ask(s->http->google, &w, &s->waiter, &token, &why)) {
	case GOOGLE_HERE:
		return with_token(s, token, e);
	case GOOGLE_WAIT:
		return 1;
	case GOOGLE_NONE:
		break;
	}
	return no_token(&why, e);
}

/* A body that is a form is signed too, and one in a file is too long to be. */
static int
form_of(const struct sending *s, struct str *form, struct err *e)
{
	*form = STR("");
	for (size_t i = 0; i < s->nheaders; i++)
		if (str_eq_nocase(s->headers[i].name, STR("content-type")) &&
		    str_starts_nocase(s->headers[i].value,
		    STR("application/x-www-form-urlencoded"))) {
			if (s->from_file)
				return err_set(e, ERR_DATA, "a form of this length is "
				    "not signed by OAuth 1.0a");
			*form = s->body;
		}
	return 0;
}

static int
by_oauth1(struct sending *s, struct str *value, struct err *e)
{
	const struct destination *to = s->attempt->to;
	unsigned char dice[16];
	struct oauth1 o = { .method = to->method, .url = s->url,
		.seconds = when_now() / 1000, .version = true };
	struct str *const into[] = { &o.consumer_key, &o.consumer_secret, &o.token,
		&o.token_secret };

	for (size_t i = 0; i < CONF_OAUTH1; i++)
		if (secret(s, conf_oauth1(to, conf_oauth1_names[i]), "oauth1", into[i],
		    e) == -1)
			return -1;
	if (form_of(s, &o.form, e) == -1)
		return -1;
	if (os_random(dice, sizeof(dice)) == -1)
		return err_set(e, ERR_OS, "there is no randomness to sign with");
	o.nonce = hex_encode(s->arena, (struct str){ (char *)dice, sizeof(dice) }, false);
	*value = o.nonce.p == NULL ? STR_NONE : oauth1_header(&o, s->arena);
	return 0;
}

/*
 * The place where an Authorization is made, whatever kind the destination has.  1: it
 * comes later, and told() goes on.
 */
static int
authorize(struct sending *s, struct err *e)
{
	const struct destination *to = s->attempt->to;
	struct str bytes, value;

	if (to->bearer.n > 0) {
		if (secret(s, to->bearer, "bearer", &bytes, e) == -1)
			return -1;
		value = arena_join(s->arena,
		    (struct str []){ STR("Bearer "), bytes }, 2);
	} else if (to->basic.n > 0) {
		if (secret(s, to->basic, "basic", &bytes, e) == -1)
			return -1;
		if (str_find(bytes, ':') < 0)
			return err_set(e, ERR_CONF, "basic: the secret is not "
			    "\"USER:PASSWORD\"");
		remember(s, str_skip(bytes, (size_t)str_find(bytes, ':') + 1));
		bytes = base64_encode(s->arena, bytes);
		remember(s, bytes);
		value = bytes.p == NULL ? STR_NONE : arena_join(s->arena,
		    (struct str []){ STR("Basic "), bytes }, 2);
	} else if (to->noauth1 > 0) {
		if (by_oauth1(s, &value, e) == -1)
			return -1;
	} else {
		return to->google.n > 0 ? by_google(s, e) : 0;
	}
	if (value.p == NULL)
		return no_memory(e);
	set_header(s, STR("Authorization"), value);
	return 0;
}

/* --- what is sent ------------------------------------------------------------------------ */

static bool
is_method(struct str method)
{
	static const char *const all[] = { "", "POST", "PUT", "PATCH", "DELETE", "GET",
		"HEAD" };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (str_eq(method, str_of(all[i])))
			return true;
	return false;
}

static int
write_body(struct sending *s, struct letter *l, struct err *e)
{
	const struct attempt *a = s->attempt;

	s->made = BUF(LETTER_JSON_MAX);
	if (!is_method(a->to->method))
		return err_set(e, ERR_CONF, "the method is none of POST, PUT, PATCH, "
		    "DELETE, GET and HEAD");
	s->no_body = str_eq(a->to->method, STR("GET")) ||
	    str_eq(a->to->method, STR("HEAD"));
	if (s->no_body)
		return 0;
	if (a->to->body.n > 0) {
		if (letter_write(&s->made, a->to->body, LETTER_JSON, l, s->arena, e) ==
		    -1)
			return err_at(e, "the body");
		s->body = buf_str(&s->made);
	} else if (a->event.body.p != NULL) {
		s->body = a->event.body;
	} else {
		s->from_file = a->event.body_fd != -1;
		s->size = s->from_file ? a->event.size : 0;
		return 0;
	}
	s->size = s->body.n;
	return 0;
}

/* The whole URL is a secret: no part of it is said. */
static int
secret_url(struct sending *s, struct err *e)
{
	struct str host;

	s->hidden = true;
	if (secret(s, s->attempt->to->url, "http", &s->url, e) == -1)
		return -1;
	if (!letter_is_url(s->url))
		return err_set(e, ERR_CONF, "the secret that \"http\" names is no URL");
	s->url = arena_str(s->arena, s->url);
	host = letter_host(s->url);
	remember(s, host.p == NULL ? STR("") : str_skip(s->url,
	    (size_t)(host.p - s->url.p) + host.n));
	return s->url.p == NULL ? no_memory(e) : 0;
}

static int
write_url(struct sending *s, struct letter *l, struct err *e)
{
	struct buf out = BUF(LETTER_URL_MAX);
	int r;

	if (conf_is_reference(s->attempt->to->url))
		return secret_url(s, e);
	r = letter_write(&out, s->attempt->to->url, LETTER_URL, l, s->arena, e);
	s->url = arena_str(s->arena, buf_str(&out));
	buf_free(&out);
	if (r == -1)
		return err_at(e, "the URL");
	return s->url.p == NULL ? no_memory(e) : 0;
}

/* All that is written of the event and the secrets, but who we are; nothing is sent yet. */
static int
render(struct sending *s, struct err *e)
{
	const struct attempt *a = s->attempt;
	struct letter l = { .event = &a->event, .destination = a->to->name,
		.attempt = a->number };

	s->headers = arena_alloc(s->arena,
	    (a->to->nheaders + HEADERS_OURS) * sizeof(s->headers[0]));
	s->secrets = arena_alloc(s->arena,
	    (a->to->nheaders + HEADERS_OURS) * sizeof(s->secrets[0]));
	if (s->headers == NULL || s->secrets == NULL)
		return no_memory(e);
	if (write_url(s, &l, e) == -1 || write_body(s, &l, e) == -1 ||
	    ours(s, e) == -1 || theirs(s, &l, e) == -1)
		return -1;
	s->host = s->hidden ? STR("the destination") : letter_host(s->url);
	return a->to->sign.n > 0 ? sign(s, e) : 0;
}

/* --- libcurl's side ------------------------------------------------------------------------ */

static size_t
give_body(char *p, size_t size, size_t n, void *from)
{
	struct sending *s = from;
	uint64_t left = s->size - s->sent;
	ssize_t got;

	if (left == 0)
		return 0;
	do {
		got = pread(s->attempt->event.body_fd, p,
		    left < size * n ? (size_t)left : size * n, (off_t)s->sent);
	} while (got == -1 && errno == EINTR);
	if (got <= 0) {
		s->unread = true;
		return CURL_READFUNC_ABORT;
	}
	s->sent += (uint64_t)got;
	return (size_t)got;
}

/* To the beginning: when a kept connection turns out to be dead. */
static int
seek_body(void *of, curl_off_t offset, int origin)
{
	struct sending *s = of;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > s->size)
		return CURL_SEEKFUNC_FAIL;
	s->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t
take_answer(char *p, size_t size, size_t n, void *into)
{
	struct sending *s = into;
	struct buf *out = &s->attempt->output;

	n *= size;
	if (out->n < out->limit)
		buf_put(out, str_head((struct str){ p, n }, out->limit - out->n));
	buf_put(&s->attempt->answer, (struct str){ p, n });
	if (s->attempt->to->nanswers > 0 || s->attempt->to->batch.done.n > 0)
		buf_put(&s->whole, (struct str){ p, n });
	s->answer += n;
	s->enough = s->answer > HTTP_ANSWER;
	return s->enough ? 0 : n;	/* 0 ends the transfer */
}

/* "Retry-After: 120", or a date (RFC 9110, section 10.2.3). */
static int64_t
retry_after(struct str value)
{
	int64_t ms = 0;

	if (when_parse(value, WHEN_HTTP, &ms))
		ms -= when_now();
	else if (!when_parse(value, WHEN_S, &ms))
		return 0;
	return ms < 0 ? 0 : ms > HTTP_WAIT_MOST ? HTTP_WAIT_MOST : ms;
}

/*
 * Of an answer that goes to the sender: what the body is, and in which language.  All
 * else is between the destination and us; X-Accel-Redirect, and whatever other names the
 * web server obeys, would be taken for our own word.
 */
static void
take_answers_header(struct sending *s, struct str name, struct str value)
{
	struct attempt *a = s->attempt;

	if (a->answer.limit == 0 || !str_printable(value))
		return;
	if (str_eq_nocase(name, STR("content-encoding")))
		s->encoded = !str_eq_nocase(value, STR("identity"));
	else if (str_eq_nocase(name, STR("content-type")) && value.n <= SPOKEN_TYPE)
		snprintf(a->type, sizeof(a->type), "%.*s", STR_ARG(value));
	else if (str_eq_nocase(name, STR("content-language")) || ALL_HEADERS)
		buf_printf(&a->headers, "%.*s: %.*s\r\n", STR_ARG(name),
		    STR_ARG(value));
}

static void
forget_answer(struct sending *s)
{
	struct attempt *a = s->attempt;

	s->encoded = false;
	a->type[0] = '\0';
	buf_reset(&a->headers);
	buf_reset(&a->answer);
}

/* "1700000000": until then. */
static int64_t
retry_at(struct str value)
{
	int64_t ms = 0;

	if (!when_parse(value, WHEN_S, &ms) || (ms -= when_now()) < 0)
		return 0;
	return ms > HTTP_WAIT_MOST ? HTTP_WAIT_MOST : ms;
}

static size_t
take_header(char *p, size_t size, size_t n, void *into)
{
	struct str rest = { p, size * n }, name;
	struct sending *s = into;

	s->answer_headers += rest.n;
	if (s->answer_headers > HTTP_HEADERS) {
		s->headers_long = true;
		return 0;
	}
	while (rest.n > 0 && strchr("\r\n", rest.p[rest.n - 1]) != NULL)
		rest.n--;
	if (str_starts(rest, STR("HTTP/"))) {	/* those before were of a 1xx */
		s->retry_after = s->retry_at = 0;
		forget_answer(s);
	}
	name = str_cut(&rest, ':');
	if (rest.p != NULL)
		take_answers_header(s, name, str_trim(rest));
	if (rest.p != NULL && str_eq_nocase(name, STR("retry-after")))
		s->retry_after = retry_after(str_trim(rest));
	else if (rest.p != NULL && s->attempt->to->retry_at.n > 0 &&
	    str_eq_nocase(name, s->attempt->to->retry_at))
		s->retry_at = retry_at(str_trim(rest));
	return size * n;
}

static bool
add_line(struct sending *s, const char *line)
{
	struct curl_slist *more = curl_slist_append(s->lines, line);

	if (more != NULL)
		s->lines = more;
	return more != NULL;
}

static bool
add_lines(struct sending *s)
{
	bool typed = false;

	for (size_t i = 0; i < s->nheaders; i++) {
		struct pair *h = &s->headers[i];
		/* libcurl takes "Name:" for "without it". */
		struct str line = arena_join(s->arena, (struct str []){ h->name,
		    h->value.n > 0 ? STR(": ") : STR(";"), h->value, STR("\0") }, 4);

		if (line.p == NULL || !add_line(s, line.p))
			return false;
		typed |= str_eq_nocase(h->name, STR("content-type"));
	}
	/* Neither what libcurl would say of a body without a type, nor its pause. */
	return (typed || add_line(s, "Content-Type:")) && add_line(s, "Expect:");
}

static bool
set_body(struct sending *s)
{
	CURL *e = s->easy;

	if (s->no_body)
		return curl_easy_setopt(e, str_eq(s->attempt->to->method, STR("HEAD")) ?
		    CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L) == CURLE_OK;
	if (curl_easy_setopt(e, CURLOPT_POST, 1L) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->size) !=
	    CURLE_OK)
		return false;
	if (!s->from_file)
		return curl_easy_setopt(e, CURLOPT_POSTFIELDS,
		    s->size > 0 ? s->body.p : "") == CURLE_OK;
	return curl_easy_setopt(e, CURLOPT_READFUNCTION, give_body) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_READDATA, s) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, seek_body) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_SEEKDATA, s) == CURLE_OK;
}

static bool
set_all(struct sending *s, const char *url)
{
	const struct destination *to = s->attempt->to;
	struct str method = to->method.n > 0 ? to->method : STR("POST");
	int64_t timeout = s->attempt->timeout;
	long whole = timeout > 0 && timeout < LONG_MAX ? (long)timeout :
	    HTTP_CONNECT_MS;
	CURL *e = s->easy;

	method = arena_str(s->arena, method);
	return method.p != NULL && add_lines(s) && transfer_set(e, &(struct transfer){
		.protocols = "http,https", .url = url, .ca_file = s->http->ca_file,
		.connect_ms = whole < HTTP_CONNECT_MS ? whole : HTTP_CONNECT_MS,
		.whole_ms = whole, .owner = s, .error = s->error }) &&
	    set_body(s) &&
	    (s->no_body ||
	    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method.p) == CURLE_OK) &&
	    curl_easy_setopt(e, CURLOPT_HTTPHEADER, s->lines) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS) ==
	    CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_answer) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_WRITEDATA, s) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_HEADERDATA, s) == CURLE_OK;
}

/* --- an attempt from its beginning to its end ------------------------------------------------ */

static void
lines_free(struct sending *s)
{
	for (struct curl_slist *l = s->lines; l != NULL; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(s->lines);
	s->lines = NULL;
}

static void
sending_free(struct sending *s)
{
	curl_easy_cleanup(s->easy);
	lines_free(s);
	buf_free(&s->made);
	buf_free(&s->joined);
	buf_free(&s->whole);
	arena_wipe(s->arena);
	free(s);
}

/* It is the taker's from here on. */
static void
tell(struct http *h, struct attempt *a, int64_t began)
{
	a->took = when_steady() - began;
	a->sender = NULL;
	pthread_mutex_lock(&h->lock);
	h->n--;
	pthread_mutex_unlock(&h->lock);
	h->taker.ended(h->taker.arg, a);
}

/*
 * Some servers answer with what they were sent, and answers are kept for people to read:
 * what was secret is not, also where the output was cut in the middle of it.
 */
static void
hide_secrets(const struct sending *s, struct buf *out)
{
	for (size_t i = 0; i < s->nsecrets && out->n > 0; i++) {
		struct str x = s->secrets[i];
		char *at = out->p, *stop = out->p + out->n;

		for (; (at = memmem(at, (size_t)(stop - at), x.p, x.n)) != NULL; at += x.n)
			memset(at, '*', x.n);
		for (size_t n = x.n - 1; n >= SECRET_LEAST; n--)
			if (str_ends(buf_str(out), str_head(x, n)))
				memset(out->p + out->n - n, '*', n);
	}
}

static void
end(struct sending *s)
{
	struct http *h = s->http;
	struct attempt *a = s->attempt;
	int64_t began = s->began;

	hide_secrets(s, &a->output);
	h->under_way[s->place] = h->under_way[--h->nunder_way];
	h->under_way[s->place]->place = s->place;
	sending_free(s);
	tell(h, a, began);
}

/* What became of a leader's request became of those that went with it. */
static void
end_all_rows(struct sending *s)
{
	struct sending *r, *next;

	hide_secrets(s, &s->attempt->output);
	for (r = s->next_row; r != NULL; r = next) {
		struct attempt *a = r->attempt, *from = s->attempt;

		next = r->next_row;
		if (a->outcome == 0) {
			attempt_say(a, from->outcome, from->code, "%s", from->sentence);
			a->retry_after = from->retry_after;
			buf_put(&a->output, buf_str(&from->output));
		}
		a->beside = true;
		end(r);
	}
	end(s);
}

/* It was not sent at all. */
static void
not_sent(struct attempt *a, const struct err *e)
{
	attempt_say(a, e->code == ERR_DATA ? OUTCOME_DEAD : OUTCOME_LATER, -1, "%s",
	    e->text);
}

/* Off it goes, or it ends here.  r: what authorize() gave. */
static void
launch(struct sending *s, int r, struct err *e)
{
	if (r == 1)
		return;
	if (r == 0 && ((s->easy = curl_easy_init()) == NULL || !set_all(s, s->url.p) ||
	    curl_multi_add_handle(s->http->multi, s->easy) != CURLM_OK))
		r = no_memory(e);
	if (r == -1) {
		not_sent(s->attempt, e);
		end_all_rows(s);
	}
}

/* The token that it waited for. */
static void
told(struct google_waiter *w, struct str token, const struct err *why)
{
	struct sending *s = (struct sending *)(void *)((char *)w -
	    offsetof(struct sending, waiter));
	struct err e = { ERR_NONE, "" };

	launch(s, token.p == NULL ? no_token(why, &e) : with_token(s, token, &e), &e);
}

/* As before it was sent. */
static void
start_over(struct sending *s)
{
	curl_easy_cleanup(s->easy);
	s->easy = NULL;
	lines_free(s);
	buf_reset(&s->attempt->output);
	buf_reset(&s->whole);
	forget_answer(s);
	s->enough = false;
	s->answer = s->answer_headers = 0;
	s->sent = 0;
	s->retry_after = s->retry_at = 0;
	s->error[0] = '\0';
}

/*
 * A token may end before its time: revoked, or by another's clock.  Once it is sent
 * again with a new one, and nobody hears of the first.
 */
static bool
goes_again(struct sending *s, long status)
{
	struct google_want w = want_of(s);
	struct err e = { ERR_NONE, "" };

	if (!SECOND || status != 401 || s->token.n == 0 || s->again)
		return false;
	google_refused(s->http->google, &w, s->token);
	start_over(s);
	s->again = true;
	launch(s, by_google(s, &e), &e);
	return true;
}

static void
launch_alone(struct sending *s)
{
	struct err e = { ERR_NONE, "" };

	launch(s, authorize(s, &e), &e);
}

/*
 * May it be a request together with others?  Where the destination signs or has headers
 * of its own, each event has its own; where a sender waits, it waits for no other.
 */
static bool
may_join(struct sending *s)
{
	const struct destination *to = s->attempt->to;
	struct str path, other;

	if (to->batch.list.n == 0 || to->mode != FORWARD_AFTER || to->nheaders > 0 || to->sign.n > 0 ||
	    s->no_body || s->from_file ||
	    json_scan(s->body, answer_limits, NULL) != JSON_OK)
		return false;
	path = arena_printf(s->arena, "%.*s[0]", STR_ARG(to->batch.list));
	if (path.p == NULL || json_find(s->body, path, &s->element) != JSON_OBJECT)
		return false;
	path = arena_printf(s->arena, "%.*s[1]", STR_ARG(to->batch.list));
	if (path.p == NULL || json_has(s->body, path))
		return false;
	if (to->batch.key.n > 0 && json_find(s->element, to->batch.key, &other) !=
	    JSON_NONE)
		s->key = other;
	return true;
}

static void
wait_for_others(struct sending *s)
{
	struct http *h = s->http;

	s->next_waits = NULL;
	*h->waits_end = s;
	h->waits_end = &s->next_waits;
}

static void
begin(struct http *h, struct attempt *a)
{
	struct sending *s = calloc(1, sizeof(*s));
	struct err e = { ERR_NONE, "" };

	if (s == NULL || (s->arena = arena_new(LETTER_MEMORY)) == NULL) {
		free(s);
		no_memory(&e);
		not_sent(a, &e);
		tell(h, a, when_steady());
		return;
	}
	s->http = h;
	s->attempt = a;
	s->waiter.told = told;
	s->whole = BUF(a->to->batch.list.n > 0 ? HTTP_ANSWER : HTTP_WHOLE);
	s->nrows = 1;
	s->began = when_steady();
	a->sender = s;
	s->place = h->nunder_way++;
	h->under_way[s->place] = s;
	if (render(s, &e) == -1)
		launch(s, -1, &e);
	else if (may_join(s))
		wait_for_others(s);
	else
		launch_alone(s);
}

/* --- several events in one request --------------------------------------------------------------- */

static bool
same_template(const struct sending *a, const struct sending *b)
{
	struct str x = a->body, y = b->body;
	size_t before = (size_t)(a->element.p - x.p);
	size_t behind = x.n - before - a->element.n;

	return before == (size_t)(b->element.p - y.p) &&
	    behind == y.n - before - b->element.n &&
	    memcmp(x.p, y.p, before) == 0 &&
	    memcmp(x.p + x.n - behind, y.p + y.n - behind, behind) == 0;
}

static bool
may_go_with(const struct sending *s, const struct sending *leader, uint64_t bytes)
{
	const struct destination *to = leader->attempt->to;

	return s->attempt->to == to && s->attempt->secrets == leader->attempt->secrets &&
	    leader->nrows < to->batch.most && bytes + s->element.n + 1 <= to->batch.bytes &&
	    str_eq(s->url, leader->url) && str_eq(s->key, leader->key) &&
	    same_template(s, leader);
}

/* Requests of its destination that are under way. */
static uint64_t
requests_to(const struct http *h, const struct destination *to)
{
	uint64_t n = 0;

	for (size_t i = 0; i < h->nunder_way; i++)
		n += h->under_way[i]->asks && h->under_way[i]->attempt->to == to;
	return n;
}

/* What was said of one event alone is not said of all. */
static int
join(struct sending *s, struct err *e)
{
	size_t before = (size_t)(s->element.p - s->body.p);
	struct str body = buf_str(&s->made);
	size_t n = 0;

	s->body = body;
	s->size = body.n;
	s->row = 0;
	if (s->nrows == 1)
		return 0;
	s->nheaders = 0;
	set_header(s, STR("Content-Type"), STR("application/json"));
	buf_free(&s->joined);
	s->joined = BUF(s->attempt->to->batch.bytes + LETTER_JSON_MAX);
	buf_put(&s->joined, str_head(body, before));
	for (struct sending *r = s; r != NULL; r = r->next_row) {
		if (n > 0)
			buf_putc(&s->joined, ',');
		r->row = n++;
		buf_put(&s->joined, r->element);
	}
	buf_put(&s->joined, str_skip(body, before + s->element.n));
	if (!buf_ok(&s->joined))
		return no_memory(e);
	s->body = buf_str(&s->joined);
	s->size = s->body.n;
	return 0;
}

static void
launch_rows(struct sending *s)
{
	struct err e = { ERR_NONE, "" };

	s->asks = true;
	s->nsecrets = 0;	/* all of them are authorize()'s, which comes anew */
	if (join(s, &e) == -1)
		launch(s, -1, &e);
	else
		launch_alone(s);
}

/* A leader and all that wait and may go with it, in their order. */
static void
gather(struct http *h, struct sending *s)
{
	struct sending **at = &h->waits, **end = &s->next_row, *r;
	uint64_t bytes = s->body.n;

	while ((r = *at) != NULL) {
		if (!may_go_with(r, s, bytes)) {
			at = &r->next_waits;
			continue;
		}
		*at = r->next_waits;
		r->leader = s;
		*end = r;
		end = &r->next_row;
		bytes += r->element.n + 1;
		s->nrows++;
	}
	h->waits_end = &h->waits;
	while (*h->waits_end != NULL)
		h->waits_end = &(*h->waits_end)->next_waits;
}

/*
 * While a destination has as many requests under way as it may, what is due gathers and
 * goes in one when one of them is back.
 */
static void
launch_waiting(struct http *h)
{
	struct sending **at = &h->waits, *s;

	while ((s = *at) != NULL) {
		if (requests_to(h, s->attempt->to) >= s->attempt->to->concurrency) {
			at = &s->next_waits;
			continue;
		}
		*at = s->next_waits;
		gather(h, s);
		launch_rows(s);
		at = &h->waits;
	}
}

/*
 * The request is refused for something in it, and nobody knows for which event: in
 * halves, until that one is alone.
 */
static void
halve(struct sending *s)
{
	struct sending **at = &s->next_row, *second;

	for (size_t i = 1; i < s->nrows / 2; i++)
		at = &(*at)->next_row;
	second = *at;
	*at = NULL;
	second->nrows = s->nrows - s->nrows / 2;
	second->leader = NULL;
	second->again = s->again;
	for (struct sending *r = second->next_row; r != NULL; r = r->next_row)
		r->leader = second;
	s->nrows /= 2;
	start_over(s);
	launch_rows(s);
	launch_rows(second);
}

/* --- what came of it ---------------------------------------------------------------------------- */

static enum outcome
judge(long status)
{
	static const short never[] = { 400, 410, 413, 414, 415, 422 };

	if (status >= 200 && status < 300)
		return OUTCOME_DONE;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (status == never[i])
			return OUTCOME_DEAD;
	return OUTCOME_LATER;
}

/* Of an answer for several events what is its own. */
static void
keep_instead(struct sending *s, struct str own)
{
	struct buf *out = &s->attempt->output;

	buf_reset(out);
	buf_put(out, str_head(own, out->limit));
	if (s->leader != NULL)
		hide_secrets(s->leader, out);
}

/* Where a path leads: "list[].a" into the entry whose "index" is the event's place. */
static bool
look_at(struct sending *s, struct str text, struct str has, struct str *in,
    struct str *path)
{
	const char *mark = memmem(has.p, has.n, "[].", 3);
	struct str list, one, raw;
	uint64_t index;
	size_t at = 0;

	*in = text;
	*path = has;
	if (mark == NULL)
		return true;
	*path = str_skip(has, (size_t)(mark - has.p) + 3);
	if (json_find(text, str_head(has, (size_t)(mark - has.p)), &list) != JSON_ARRAY)
		return false;
	while (json_next(list, &at, &one) == JSON_OBJECT)
		if (json_find(one, STR("index"), &raw) == JSON_NUMBER &&
		    str_to_u64(raw, &index) && index == s->row) {
			*in = one;
			return true;
		}
	return false;
}

/*
 * The service's rule for that answer, or NULL.  A rule that looks into an answer which
 * cannot be read holds as well: what may say that it failed has not said that it did
 * not.
 */
static const struct answer_rule *
rule_of(struct sending *s, const struct buf *whole, long status, bool *unread)
{
	const struct destination *to = s->attempt->to;
	struct str text = buf_str(whole), in, path, raw, found;
	enum json_kind kind;

	*unread = false;
	for (size_t i = 0; RULES && i < to->nanswers; i++) {
		const struct answer_rule *r = &to->answers[i];

		if (r->status != status)
			continue;
		if (r->has.n == 0)
			return r;
		if (!buf_ok(whole) || json_scan(text, answer_limits, NULL) != JSON_OK) {
			*unread = true;
			return status >= 200 && status < 300 ? r : NULL;
		}
		if (!look_at(s, text, r->has, &in, &path) || !json_has(in, path))
			continue;
		if (in.p != text.p)
			keep_instead(s, in);
		if (r->equals.n == 0)
			return r;
		kind = json_find(in, path, &raw);
		found = kind == JSON_STRING ? json_unescape(s->arena, raw) : STR_NONE;
		if (found.p != NULL && str_eq(found, r->equals))
			return r;
	}
	return NULL;
}

/* Was the event at its place taken? */
static bool
has_place(struct sending *s, const struct buf *whole)
{
	struct str text = buf_str(whole), raw, path = arena_printf(s->arena, "%.*s[%zu]",
	    STR_ARG(s->attempt->to->batch.done), s->row);

	if (path.p == NULL || !buf_ok(whole) ||
	    json_scan(text, answer_limits, NULL) != JSON_OK ||
	    json_find(text, path, &raw) != JSON_STRING || raw.n == 0)
		return false;
	keep_instead(s, raw);
	return true;
}

/* One event's share of an answer. */
static void
answered(struct sending *s, const struct buf *whole, long status)
{
	struct attempt *a = s->attempt;
	enum outcome outcome = judge(status);
	bool unread;
	const struct answer_rule *rule = rule_of(s, whole, status, &unread);

	if (status == 429 && s->retry_after == 0)
		s->retry_after = s->retry_at;

	if (rule != NULL && unread) {
		attempt_say(a, OUTCOME_LATER, (int)status, "the destination answered %ld "
		    "and nothing that can be read, so nobody knows what became of it",
		    status);
		return;
	}
	if (rule != NULL) {
		attempt_say(a, str_eq(rule->is, STR("done")) ? OUTCOME_DONE :
		    str_eq(rule->is, STR("dead")) ? OUTCOME_DEAD : OUTCOME_LATER,
		    (int)status, "the destination answered %ld: %.*s", status,
		    STR_ARG(rule->says));
		return;
	}
	if (RULES && outcome == OUTCOME_DONE && a->to->batch.done.n > 0 &&
	    !has_place(s, whole)) {
		attempt_say(a, OUTCOME_LATER, (int)status, "the destination answered %ld "
		    "and does not say that it took the event", status);
		return;
	}
	if (status >= 300 && status < 400)
		attempt_say(a, outcome, (int)status, "the destination answered %ld; "
		    "redirects are not followed: its URL belongs in the configuration",
		    status);
	else if (outcome == OUTCOME_LATER && s->retry_after > 0)
		attempt_say(a, outcome, (int)status, "the destination answered %ld and "
		    "asks to wait %" PRId64 " s", status, (s->retry_after + 999) / 1000);
	else
		attempt_say(a, outcome, (int)status, "the destination answered %ld",
		    status);
	if (outcome == OUTCOME_LATER)
		a->retry_after = s->retry_after;
}

/* Promise 7: no secret is in an answer, also not one that the destination repeats. */
static bool
holds_secret(const struct sending *s)
{
	const struct buf *b = &s->attempt->answer;

	for (size_t i = 0; i < s->nsecrets && b->n > 0; i++)
		if (memmem(b->p, b->n, s->secrets[i].p, s->secrets[i].n) != NULL)
			return true;
	return false;
}

/* Can what it answered go to the sender?  Then it has been taken, else it has not. */
static void
judge_answer(struct sending *s, long status)
{
	struct attempt *a = s->attempt;

	a->status = status >= 200 && status < 300 ? (unsigned)status : 200;
	if (!buf_ok(&a->answer))
		attempt_say(a, OUTCOME_LATER, (int)status, "its answer is longer than "
		    "%zu bytes", a->answer.limit);
	else if (s->encoded)
		attempt_say(a, OUTCOME_LATER, (int)status, "its answer has a "
		    "Content-Encoding, which was not asked for");
	else if (holds_secret(s) || !buf_ok(&a->headers))
		attempt_say(a, OUTCOME_LATER, (int)status, "its answer holds %s and "
		    "cannot be passed on", buf_ok(&a->headers) ? "one of our secrets" :
		    "headers that are too long");
}

/* Is it one of several, and not known which, that this speaks of? */
static bool
speaks_of_one(struct sending *s, long status)
{
	bool unread;

	if (s->nrows == 1)
		return false;
	if (judge(status) == OUTCOME_DEAD)
		return rule_of(s, &s->whole, status, &unread) == NULL;
	return judge(status) == OUTCOME_DONE && !buf_ok(&s->whole);
}

static void
all_answered(struct sending *s, long status)
{
	const struct buf *whole = &s->whole;

	for (struct sending *r = s->next_row; r != NULL; r = r->next_row) {
		r->retry_after = s->retry_after;
		buf_put(&r->attempt->output, buf_str(&s->attempt->output));
		hide_secrets(s, &r->attempt->output);
		answered(r, whole, status);
	}
	answered(s, whole, status);
}

/* libcurl's own words, of which some are the peer's. */
static struct str
plainly(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p >= 0x7f)
			*p = '?';
	return str_of(text);
}

static void __attribute__((format(printf, 2, 3)))
say(struct sending *s, const char *fmt, ...)
{
	char text[ATTEMPT_SENTENCE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	attempt_say(s->attempt, OUTCOME_LATER, -1, "%.*s %s",
	    STR_ARG(str_head(s->host, ATTEMPT_SENTENCE / 2)), text);
}

/* No URL is in it: a URL may hold what only the destination knows. */
static void
broke(struct sending *s, CURLcode rc, long status)
{
	int64_t seconds = (s->attempt->timeout + 999) / 1000;
	curl_off_t connected = 0;
	long reason = 0;

	switch (rc) {
	case CURLE_COULDNT_RESOLVE_HOST:
		say(s, "has no address: the name was not found");
		break;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(s->easy, CURLINFO_OS_ERRNO, &reason);
		say(s, "was not reached: %s", reason != 0 ? strerrordesc_np((int)reason) :
		    "no connection");
		break;
	case CURLE_OPERATION_TIMEDOUT:
		curl_easy_getinfo(s->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
		if (connected == 0)
			say(s, "was not reached in time");
		else if (status == 0)
			say(s, "did not answer in %" PRId64 " s", seconds);
		else
			say(s, "began to answer %ld and was not done in %" PRId64 " s",
			    status, seconds);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
		say(s, "was not believed, nothing was sent: %s",
		    s->error[0] == '\0' || s->hidden ? curl_easy_strerror(rc) : plainly(s->error).p);
		break;
	case CURLE_SSL_CACERT_BADFILE:
		say(s, "cannot be verified: the file of roots (ca_file) is not there or "
		    "holds none");
		break;
	case CURLE_GOT_NOTHING:
		say(s, "closed the connection without an answer");
		break;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		say(s, "answered something that is not HTTP");
		break;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		if (status == 0)
			say(s, "broke the connection off without an answer");
		else
			say(s, "answered %ld and broke off in the middle of it", status);
		break;
	case CURLE_OUT_OF_MEMORY:
		/* So it is called when a header is over 100 KB. */
		say(s, "answered with a header that is too long, or there was no memory");
		break;
	default:
		say(s, "could not be asked: %s", curl_easy_strerror(rc));
	}
}

static void
done(struct http *h, CURL *easy, CURLcode rc)
{
	struct sending *s = NULL;
	long status = 0;

	if (google_done(h->google, easy, rc))
		return;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&s);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(h->multi, easy);
	if (s->unread)
		attempt_say(s->attempt, OUTCOME_LATER, -1,
		    "the body could not be read from its file");
	else if (s->headers_long)
		say(s, "answered with more than %d KiB of headers", HTTP_HEADERS / 1024);
	else if ((rc == CURLE_OK || s->enough) && goes_again(s, status))
		return;
	else if ((rc == CURLE_OK || s->enough) && speaks_of_one(s, status)) {
		halve(s);
		return;
	} else if (rc == CURLE_OK || s->enough)
		all_answered(s, status);
	else
		broke(s, rc, status);
	if (s->attempt->answer.limit > 0 && s->attempt->outcome == OUTCOME_DONE)
		judge_answer(s, status);
	end_all_rows(s);
}

/* --- the thread -------------------------------------------------------------------------------------- */

/* Some of what was given, so that what is under way does not wait for the rest. */
static bool
take_orders(struct http *h, bool *more)
{
	struct attempt *a;
	bool stop = false;

	*more = true;
	for (unsigned i = 0; i < BEGIN_AT_ONCE && *more && !stop; i++) {
		pthread_mutex_lock(&h->lock);
		stop = h->stop;
		if ((a = stop ? NULL : h->given) != NULL &&
		    (h->given = a->next) == NULL)
			h->given_end = &h->given;
		*more = h->given != NULL;
		pthread_mutex_unlock(&h->lock);
		if (a != NULL)
			begin(h, a);
	}
	return !stop;
}

static void
stopped(struct attempt *a)
{
	attempt_say(a, OUTCOME_LATER, -1, "the courier stopped");
}

/* All of what is here, begun or not. */
static void
end_all(struct http *h)
{
	struct attempt *a, *next;
	int64_t now = when_steady();

	while (h->nunder_way > 0) {
		struct sending *s = h->under_way[h->nunder_way - 1];

		if (s->easy != NULL)
			curl_multi_remove_handle(h->multi, s->easy);
		stopped(s->attempt);
		end(s);
	}
	/* Nothing is given any more: http_give() has seen stop. */
	for (a = h->given; a != NULL; a = next) {
		next = a->next;
		stopped(a);
		tell(h, a, now);
	}
}

static void *
work(void *arg)
{
	struct http *h = arg;
	CURLMcode mc = CURLM_OK;
	CURLMsg *m;
	int running, left;
	bool more;

	pthread_setname_np(pthread_self(), "http");
	while (take_orders(h, &more)) {
		/* What is due at the same time travels together. */
		if (!more)
			launch_waiting(h);
		if ((mc = curl_multi_perform(h->multi, &running)) != CURLM_OK)
			log_say(h->log, LOG_ERROR_, "libcurl: %s",
			    curl_multi_strerror(mc));
		while ((m = curl_multi_info_read(h->multi, &left)) != NULL)
			if (m->msg == CURLMSG_DONE)
				done(h, m->easy_handle, m->data.result);
		curl_multi_poll(h->multi, NULL, 0, more ? 0 : POLL_MS, NULL);
	}
	end_all(h);
	return NULL;
}

static void
http_free(struct http *h)
{
	google_free(h->google);
	curl_multi_cleanup(h->multi);
	pthread_mutex_destroy(&h->lock);
	free((char *)(uintptr_t)h->ca_file.p);
	free(h);
}

struct http *
http_start(const char *ca_file, struct log *log, const struct attempt_taker *taker,
    struct err *e)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL || (h->multi = transfer_multi()) == NULL) {
		err_set(e, ERR_OS, "libcurl did not start");
		free(h);
		return NULL;
	}
	h->log = log;
	h->taker = *taker;
	h->given_end = &h->given;
	h->waits_end = &h->waits;
	pthread_mutex_init(&h->lock, NULL);
	h->ca_file = str_of(ca_file == NULL ? NULL : strdup(ca_file));
	if ((ca_file != NULL && h->ca_file.p == NULL) ||
	    (h->google = google_new(h->multi, h->ca_file)) == NULL ||
	    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_KEPT) !=
	    CURLM_OK || pthread_create(&h->thread, NULL, work, h) != 0) {
		err_set(e, ERR_OS, "the thread that sends over HTTP did not start");
		http_free(h);
		return NULL;
	}
	return h;
}

bool
http_give(struct http *h, struct attempt *a)
{
	bool taken;

	pthread_mutex_lock(&h->lock);
	if ((taken = !h->stop && h->n < HTTP_MOST)) {
		a->next = NULL;
		*h->given_end = a;
		h->given_end = &a->next;
		h->n++;
	}
	pthread_mutex_unlock(&h->lock);
	if (taken)
		curl_multi_wakeup(h->multi);
	return taken;
}

void
http_stop(struct http *h)
{
	if (h == NULL)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_mutex_unlock(&h->lock);
	curl_multi_wakeup(h->multi);
	pthread_join(h->thread, NULL);
	http_free(h);
}
