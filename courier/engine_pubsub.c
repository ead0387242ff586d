/*
 * engine_pubsub.c - a topic of Google Cloud Pub/Sub as the inbox.
 *
 *	/google.pubsub.v1.Publisher/Publish	topic, [data, attributes, ordering key]...
 *	<- a message id for each
 *
 * Over gRPC, which is a POST of HTTP/2 with libcurl, in the engine's thread; tokens by
 * google.h.  The same over JSON was tried first: base64 and its quotes cost the other
 * side several times what binary does.  What is written of Protocol Buffers is texts and
 * lengths.  A batch is as many requests as its limits and its ordering keys want, several
 * of them under way at once.  An event is stored when its own message id has come.
 * Pub/Sub acknowledges when more than one zone has synced a message, so "strict" has
 * nothing to read back.
 *
 *	OK and an id for each message		stored
 *	UNAUTHENTICATED				another token, once
 *	CANCELLED UNKNOWN DEADLINE_EXCEEDED
 *	RESOURCE_EXHAUSTED ABORTED INTERNAL
 *	UNAVAILABLE, or none that is whole	again, until the patience is over
 *	INVALID_ARGUMENT of several messages	again in halves, to find the one it is about
 *	INVALID_ARGUMENT of one			that event is refused
 *	NOT_FOUND, PERMISSION_DENIED, others	closed: open() finds out why
 *
 * A front that answers by itself has a status of HTTP alone, which means the like.
 *
 * Nothing merges repeats, and what is sent again after a connection broke may be there
 * twice.  Each message says "hooklatch-name", the same for each repeat of an event.
 *
 * Attributes have at most 1024 bytes of UTF-8, and a message at most 100 of them; so the
 * line of JSON is cut in pieces, "hooklatch-json-01" and so on.  Where it does not fit,
 * the headers are left out of it, and "hooklatch-dropped" says so.
 * https://github.com/googleapis/googleapis/blob/master/google/pubsub/v1/pubsub.proto
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 * https://cloud.google.com/pubsub/quotas
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/os.h"
#include "../base/utf8.h"
#include "../base/when.h"
#include "../letter.h"
#include "engine.h"
#include "google.h"
#include "transfer.h"

#define HOST		"https://pubsub.googleapis.com"
#define MAY_PUBLISH	"pubsub.topics.publish"
#define SCOPE		"https://www.googleapis.com/auth/pubsub"
#define CALLS		8		/* requests under way */
#ifdef BENCH_ONE_COMMIT
#define MESSAGES	1
#else
#define MESSAGES	1000		/* of a request */
#endif
#define BYTES		10000000	/* likewise */
#define OVERHEAD	(16 * 1024)	/* of a message, besides its body and its line */
#define SHARES		(2 * ENGINE_EVENTS)	/* halves of halves, all of them */
#define BODY_MAX	((size_t)16 << 20)
#define ANSWER_MAX	(256 * 1024)
#define VALUE_MAX	1024		/* bytes of an attribute */
#define FRAME		5		/* bytes before a message of gRPC */
#define PIECES		80		/* of the line of JSON */
#define KEEP_BODY	((size_t)1 << 20)	/* memory that a call keeps */
#define FIRST_PAUSE_MS	100
#define LONGEST_PAUSE_MS 1600
#define SILENT_MS	1000		/* that nobody says he has what we have sent */
#define IDLE_S		30		/* a connection is used again after */
#define LOOK_MS		5000		/* between two looks whether it is there */
#define TURN_MS		10
#define SAY_MS		60000		/* between two lines about refusals */

#ifdef TEST_STATUS_ALONE	/* tests/pubsub.sh must notice */
#define IDS	false
#else
#define IDS	true
#endif
#ifdef TEST_NO_SECOND_TOKEN	/* likewise */
#define SECOND	false
#else
#define SECOND	true
#endif

/* By the number that gRPC has for it; and what HTTP would say. */
static const struct { const char *word; long status; } codes[] = {
	{ "OK", 200 }, { "CANCELLED", 499 }, { "UNKNOWN", 500 },
	{ "INVALID_ARGUMENT", 400 }, { "DEADLINE_EXCEEDED", 504 }, { "NOT_FOUND", 404 },
	{ "ALREADY_EXISTS", 422 }, { "PERMISSION_DENIED", 403 },
	{ "RESOURCE_EXHAUSTED", 429 }, { "FAILED_PRECONDITION", 412 },
	{ "ABORTED", 409 }, { "OUT_OF_RANGE", 422 }, { "UNIMPLEMENTED", 501 },
	{ "INTERNAL", 500 }, { "UNAVAILABLE", 503 }, { "DATA_LOSS", 422 },
	{ "UNAUTHENTICATED", 401 },
};
#define NCODES	(sizeof(codes) / sizeof(codes[0]))

/* Some of a batch's events, in one request. */
struct share {
	struct share	*next;
	size_t		 first, n;	/* of the order */
	int64_t		 not_before;	/* steady ms */
	int64_t		 pause;		/* the next one */
	bool		 under_way;
	bool		 renewed;	/* it has had its second token */
	bool		 fresh;		/* it has had its second connection */
};

/* One request.  Its handle and its memory are kept for the next. */
struct call {
	struct pubsub	*of;
	struct share	*share;		/* of a publish */
	bool		 busy;
	bool		 done;
	CURLcode	 rc;
	long		 status;
	CURL		*easy;
	struct curl_slist *lines;
	struct buf	 token;		/* that went with it */
	struct buf	 body;
	struct buf	 answer;
	size_t		 code;		/* of gRPC; NCODES: it said none */
	char		 said[200];	/* for people */
	char		 error[CURL_ERROR_SIZE];
};

struct pubsub {
	struct engine_setting	 set;
	struct google_want	 want;
	char			 metadata[256];
	char			 base[300];	/* "https://HOST" */
	char			 topic[600];
	struct buf		 message;	/* one, while it is written */
	char			*ca_file;
	CURLM			*multi;
	struct google		*google;
	struct arena		*arena;		/* of one message */
	struct call		 calls[CALLS];
	bool			 tls;
	bool			 plain;		/* a connection without TLS was made */
	bool			 emulator;	/* who asks nobody who he is */
	int64_t			 heard_at;	/* of any answer */
	int64_t			 said_at;

	/* A token that is waited for, perhaps longer than by one batch. */
	struct google_waiter	 waiter;
	bool			 asking;
	struct buf		 handed;	/* it came: whoever asks next has it */
	bool			 handed_out;
	bool			 no_token;
	struct err		 token_error;

	/* The batch. */
	struct engine_event	*events;
	size_t			 order[ENGINE_EVENTS];	/* of those that go */
	struct share		 shares[SHARES];
	size_t			 nshares;
	struct share		*first;
};

/* --- a request ----------------------------------------------------------------------- */

static size_t
take_answer(char *p, size_t size, size_t n, void *into)
{
	struct call *c = into;

	buf_put(&c->answer, (struct str){ p, size * n });
	return buf_ok(&c->answer) ? size * n : 0;
}

/* What is said of an error, percent-encoded: of it what a log line takes. */
static void
keep_said(struct call *c, struct str s)
{
	size_t n = 0;

	for (; n < s.n && n < sizeof(c->said) - 1; n++)
		c->said[n] = s.p[n] >= ' ' && s.p[n] < 0x7f ? s.p[n] : '?';
	c->said[n] = '\0';
}

/* Trailers come here as well. */
static size_t
take_header(char *p, size_t size, size_t n, void *into)
{
	struct str rest = { p, size * n }, name;
	struct call *c = into;
	uint64_t code;

	while (rest.n > 0 && strchr("\r\n", rest.p[rest.n - 1]) != NULL)
		rest.n--;
	name = str_cut(&rest, ':');
	if (rest.p != NULL && str_eq_nocase(name, STR("grpc-status")) &&
	    str_to_u64(str_trim(rest), &code) && code < NCODES)
		c->code = (size_t)code;
	else if (rest.p != NULL && str_eq_nocase(name, STR("grpc-message")))
		keep_said(c, str_trim(rest));
	return size * n;
}

/*
 * A process that was stopped for minutes, as on Cloud Run between requests, has
 * connections that nobody knows any more: what is sent there is never confirmed, and
 * without this the patience would be over before TCP gives up.
 */
static int
watch_silence(void *arg, curl_socket_t fd, curlsocktype type)
{
	static const unsigned ms = SILENT_MS;

	(void)arg;
	(void)type;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

static bool
add_line(struct call *c, const char *line)
{
	struct curl_slist *more = curl_slist_append(c->lines, line);

	if (more != NULL)
		c->lines = more;
	return more != NULL;
}

static bool
add_token(struct call *c, struct str token)
{
	struct buf line = BUF(LETTER_HEADER_MAX + 64);
	bool ok;

	buf_reset(&c->token);
	if (token.n == 0)
		return true;
	buf_put(&c->token, token);
	buf_put(&line, STR("Authorization: Bearer "));
	buf_put(&line, token);
	buf_putc(&line, '\0');
	ok = buf_ok(&line) && buf_ok(&c->token) && add_line(c, line.p);
	buf_wipe(&line);
	return ok;
}

static void
lines_free(struct call *c)
{
	for (struct curl_slist *l = c->lines; l != NULL; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(c->lines);
	c->lines = NULL;
}

static void
end_call(struct call *c)
{
	if (c->busy)
		curl_multi_remove_handle(c->of->multi, c->easy);
	c->busy = false;
	lines_free(c);
	c->share = NULL;
	buf_wipe(&c->token);
	c->token = BUF(LETTER_HEADER_MAX);
	if (c->body.cap > KEEP_BODY)
		buf_free(&c->body);
}

static int
no_memory(struct err *e)
{
	return err_set(e, ERR_OS, "no memory for a request");
}

/*
 * Without TLS nobody says that it is HTTP/2, so it must be known before.  libcurl 7.88
 * breaks connections that it uses again with that said; used again without, they are
 * what they were.  Is there none any more, HTTP/1.1 is spoken to a new one, which turn()
 * takes for no answer.
 */
static int
begin_call(struct call *c, const char *path, struct str token,
    bool fresh, int64_t until, struct err *e)
{
	struct pubsub *p = c->of;
	bool known = !p->tls && (fresh || !p->plain);
	int64_t left = until - when_steady();
	char url[400];
	CURL *h;

	if (c->easy == NULL)
		c->easy = curl_easy_init();
	if ((h = c->easy) == NULL)
		return no_memory(e);
	curl_easy_reset(h);
	buf_reset(&c->answer);
	c->done = false;
	c->code = NCODES;
	c->said[0] = '\0';
	c->error[0] = '\0';
	snprintf(url, sizeof(url), "%s%s", p->base, path);
	if (!add_line(c, "Expect:") ||
	    !add_line(c, "Content-Type: application/grpc") ||
	    !add_line(c, "TE: trailers") || !add_token(c, token) ||
	    !transfer_set(h, &(struct transfer){ .protocols = "http,https", .url = url,
		.ca_file = str_of(p->ca_file), .connect_ms = left > 1 ? (long)left : 1,
		.whole_ms = left > 1 ? (long)left : 1, .owner = c, .error = c->error }) ||
	    (c->body.n > 0 &&
	    (curl_easy_setopt(h, CURLOPT_POST, 1L) != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.n) !=
	    CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_POSTFIELDS, c->body.p) != CURLE_OK)) ||
	    curl_easy_setopt(h, CURLOPT_HTTPHEADER, c->lines) != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, known ?
	    CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2TLS) != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_PROXY, "") != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, fresh || known ? 1L :
	    0L) != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_MAXAGE_CONN, (long)IDLE_S) != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, watch_silence) != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_answer) != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_WRITEDATA, c) != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_header) != CURLE_OK ||
	    curl_easy_setopt(h, CURLOPT_HEADERDATA, c) != CURLE_OK ||
	    curl_multi_add_handle(p->multi, h) != CURLM_OK)
		return no_memory(e);
	c->busy = true;
	return 0;
}

/* --- who we are ------------------------------------------------------------------------ */

static void
told(struct google_waiter *w, struct str token, const struct err *why)
{
	struct pubsub *p = (struct pubsub *)(void *)((char *)w -
	    offsetof(struct pubsub, waiter));

	p->asking = false;
	p->handed_out = false;
	p->no_token = token.p == NULL;
	buf_put(&p->handed, token);
	if (p->no_token)
		p->token_error = *why;
}

/* 1: it is there, empty for an emulator; 0: it comes; -1. */
static int
token_ask(struct pubsub *p, struct str *token, struct err *e)
{
	struct err why = { ERR_NONE, "" };

	*token = STR("");
	if (p->emulator)
		return 1;
	if (p->handed.n > 0 && !p->handed_out) {
		p->handed_out = true;
		*token = buf_str(&p->handed);
		return 1;
	}
	buf_wipe(&p->handed);
	p->handed = BUF(LETTER_HEADER_MAX);
	if (p->no_token) {
		p->no_token = false;
		why = p->token_error;
	} else if (p->asking) {
		return 0;
	} else {
		switch (google_ask(p->google, &p->want, &p->waiter, token, &why)) {
		case GOOGLE_HERE:
			return 1;
		case GOOGLE_WAIT:
			p->asking = true;
			return 0;
		case GOOGLE_NONE:
			break;
		}
	}
	return err_set(e, why.code == ERR_CONF ? ERR_CONF : ERR_TEMP,
	    "there is no token of Google's: %s", why.text);
}

/* --- the loop ---------------------------------------------------------------------------- */

/* Something happens, or ms are over. */
static void
turn(struct pubsub *p, int64_t ms)
{
	struct call *c = NULL;
	int running, left;
	long version = 0;
	CURLMsg *m;

	curl_multi_perform(p->multi, &running);
	while ((m = curl_multi_info_read(p->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		ms = 0;
		if (google_done(p->google, m->easy_handle, m->data.result))
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		c->rc = m->data.result;
		c->status = 0;
		curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->status);
		/* Nobody but a gRPC server says 200 without one. */
		curl_easy_getinfo(c->easy, CURLINFO_HTTP_VERSION, &version);
		p->plain = c->rc == CURLE_OK && version == CURL_HTTP_VERSION_2_0;
		if (c->rc == CURLE_OK && version != CURL_HTTP_VERSION_2_0)
			c->rc = CURLE_WEIRD_SERVER_REPLY;
		else if (c->rc == CURLE_OK && c->code < NCODES)
			c->status = codes[c->code].status;
		else if (c->rc == CURLE_OK && c->status == 200)
			c->rc = CURLE_WEIRD_SERVER_REPLY;
		c->done = true;
		if (c->rc == CURLE_OK)
			p->heard_at = when_steady();
	}
	/* Of two requests on one connection libcurl 7.88 may forget one until it is asked. */
	if (ms > 0)
		curl_multi_poll(p->multi, NULL, 0, ms > TURN_MS ? TURN_MS : (int)ms,
		    NULL);
}

/* One request, awaited. */
static int
ask(struct pubsub *p, const char *path, bool with_token,
    int64_t until, struct err *e)
{
	struct call *c = &p->calls[0];
	struct str token = STR("");
	int there = 1;

	while (with_token && (there = token_ask(p, &token, e)) == 0) {
		if (when_steady() >= until)
			return err_set(e, ERR_TEMP, "Google's token does not come");
		turn(p, until - when_steady());
	}
	for (int i = 0; there != -1 && i < 2; i++) {
		/* A kept connection may be dead. */
		if (begin_call(c, path, token, i > 0, until, e) == -1)
			return -1;
		while (!c->done)
			turn(p, until - when_steady());
		if (c->rc == CURLE_OK || c->rc == CURLE_OPERATION_TIMEDOUT || i > 0)
			return 0;
		curl_multi_remove_handle(p->multi, c->easy);
		lines_free(c);
		c->busy = false;
	}
	return -1;
}

static int
failed(const struct call *c, const char *doing, struct err *e)
{
	struct str host = letter_host(str_of(c->of->base));
	int os;
	long number = 0;

	if (c->rc == CURLE_OK)
		return err_set(e, c->status == 403 || c->status == 404 ? ERR_CONF :
		    ERR_TEMP, "%s: %.*s answered %ld%s%s%s", doing, STR_ARG(host),
		    c->status, c->code < NCODES ? " (" : "",
		    c->code < NCODES ? codes[c->code].word : "",
		    c->code < NCODES ? ")" : "");
	if (c->rc == CURLE_OPERATION_TIMEDOUT)
		return err_set(e, ERR_TEMP, "%s: %.*s does not answer in time", doing,
		    STR_ARG(host));
	curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &number);
	os = c->rc == CURLE_COULDNT_CONNECT ? (int)number : 0;
	return err_set(e, ERR_TEMP, "%s: %.*s: %s", doing, STR_ARG(host),
	    os != 0 ? strerrordesc_np(os) : curl_easy_strerror(c->rc));
}

/* --- Protocol Buffers: numbers, and bytes with their length -------------------------------- */

static void
put_number(struct buf *b, uint64_t n)
{
	while (n > 0x7f) {
		buf_putc(b, (char)(n | 0x80));
		n >>= 7;
	}
	buf_putc(b, (char)n);
}

/* Of a field of n bytes, whose number is under 16. */
static size_t
field_size(size_t n)
{
	size_t size = 2 + n;

	for (size_t rest = n; rest > 0x7f; rest >>= 7)
		size++;
	return size;
}

static void
put_length(struct buf *b, unsigned field, size_t n)
{
	buf_putc(b, (char)(field << 3 | 2));
	put_number(b, n);
}

static void
put_field(struct buf *b, unsigned field, struct str bytes)
{
	put_length(b, field, bytes.n);
	buf_put(b, bytes);
}

static void
frame_begin(struct buf *b)
{
	buf_reset(b);
	buf_put(b, (struct str){ "\0\0\0\0", FRAME });
}

/* Its first byte says that it is not compressed. */
static void
frame_end(struct buf *b)
{
	size_t n = b->n - FRAME;

	for (int i = 4; i > 0 && !b->bad; i--, n >>= 8)
		b->p[i] = (char)n;
}

static bool
take_number(struct str *s, uint64_t *n)
{
	*n = 0;
	for (unsigned shift = 0; shift < 64 && s->n > 0; shift += 7) {
		unsigned char c = (unsigned char)s->p[0];

		*s = str_skip(*s, 1);
		*n |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return true;
	}
	return false;
}

/*
 * The next field of an answer: 1, 0 at the end, -1 if it is none.  Of what no answer
 * here has (fixed lengths, groups) nothing is known.
 */
static int
take_field(struct str *s, uint64_t *field, struct str *bytes)
{
	uint64_t n;

	if (s->n == 0)
		return 0;
	if (!take_number(s, field) || !take_number(s, &n))
		return -1;
	*bytes = STR_NONE;
	if ((*field & 7) == 2) {
		if (n > s->n)
			return -1;
		*bytes = str_head(*s, n);
		*s = str_skip(*s, n);
	} else if ((*field & 7) != 0) {
		return -1;
	}
	*field >>= 3;
	return 1;
}

/* The one message of an answer, without its frame; .p NULL: there is none, or more. */
static struct str
message_of(const struct call *c)
{
	struct str all = buf_str(&c->answer);
	const unsigned char *p = (const unsigned char *)all.p;

	if (!buf_ok(&c->answer) || all.n < FRAME || p[0] != 0 ||
	    ((size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4]) !=
	    all.n - FRAME)
		return STR_NONE;
	return str_skip(all, FRAME);
}

/* --- its life -------------------------------------------------------------------------- */

static void
pubsub_close(void *self)
{
	struct pubsub *p = self;

	/* Tokens stay, and who waits for one. */
	for (size_t i = 0; i < CALLS; i++)
		end_call(&p->calls[i]);
	p->events = NULL;
}

static void
pubsub_free(void *self)
{
	struct pubsub *p = self;

	pubsub_close(p);
	for (size_t i = 0; i < CALLS; i++) {
		curl_easy_cleanup(p->calls[i].easy);
		buf_free(&p->calls[i].body);
		buf_free(&p->calls[i].answer);
	}
	google_free(p->google);
	buf_wipe(&p->handed);
	buf_free(&p->message);
	if (p->multi != NULL)
		curl_multi_cleanup(p->multi);
	arena_free(p->arena);
	free(p);
}

static void *
make(const struct engine_setting *s, struct err *e)
{
	struct pubsub *p = calloc(1, sizeof(*p));
	struct str end = s->url.endpoint;

	if (p == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	p->set = *s;
	p->emulator = s->emulator.n > 0;
	p->ca_file = (char *)(uintptr_t)s->ca_file;
	p->waiter.told = told;
	p->handed = BUF(LETTER_HEADER_MAX);
	p->message = BUF(BODY_MAX);
	for (size_t i = 0; i < CALLS; i++)
		p->calls[i] = (struct call){ .of = p, .body = BUF(BODY_MAX),
		    .answer = BUF(ANSWER_MAX), .token = BUF(LETTER_HEADER_MAX) };
	snprintf(p->topic, sizeof(p->topic), "%.*s", STR_ARG(s->url.stream));
	if (p->emulator)
		snprintf(p->base, sizeof(p->base), "http://%.*s", STR_ARG(s->emulator));
	else
		snprintf(p->base, sizeof(p->base), "%.*s",
		    STR_ARG(end.n > 0 ? end : STR(HOST)));
	p->tls = str_starts(str_of(p->base), STR("https://"));
	/* The setting's strings may end before us. */
	snprintf(p->metadata, sizeof(p->metadata), "%.*s", STR_ARG(s->metadata));
	p->want = (struct google_want){ .scope = STR(SCOPE),
	    .credentials = s->credentials, .metadata = str_of(p->metadata) };
	p->multi = transfer_multi();
	p->arena = arena_new(LETTER_MEMORY);
	if (p->multi == NULL || p->arena == NULL || curl_multi_setopt(p->multi,
	    CURLMOPT_MAXCONNECTS, (long)(2 * CALLS)) != CURLM_OK ||
	    (p->google = google_new(p->multi, str_of(p->ca_file))) == NULL) {
		err_set(e, ERR_OS, "libcurl did not start");
		pubsub_free(p);
		return NULL;
	}
	return p;
}

static int
missing(const struct pubsub *p, const char *more, struct err *e)
{
	struct str rest = str_of(p->topic), project;

	str_cut(&rest, '/');
	project = str_cut(&rest, '/');
	str_cut(&rest, '/');
	return err_set(e, ERR_CONF, "there is no topic %s%s: make it (gcloud pubsub topics "
	    "create %.*s --project %.*s)", p->topic, more, STR_ARG(rest),
	    STR_ARG(project));
}

/* Who may only publish may not look at a topic, but may ask what he may. */
static int
may_publish(struct pubsub *p, int64_t until, bool *known, struct err *e)
{
	struct call *c = &p->calls[0];
	struct str rest, one;
	uint64_t field;
	int rc;

	*known = true;
	for (int i = 0; i < 2; i++) {
		frame_begin(&c->body);
		put_field(&c->body, 1, str_of(p->topic));
		put_field(&c->body, 2, STR(MAY_PUBLISH));
		frame_end(&c->body);
		rc = buf_ok(&c->body) ? ask(p,
		    "/google.iam.v1.IAMPolicy/TestIamPermissions", true, until, e) :
		    no_memory(e);
		if (rc == -1 || c->rc != CURLE_OK || c->status != 401)
			break;
		google_refused(p->google, &p->want, buf_str(&c->token));
		if (i == 0)
			end_call(c);
	}
	if (rc == 0 && c->rc == CURLE_OK && c->status == 501) {
		*known = false;		/* an emulator that "endpoint" names */
	} else if (rc == 0 && (c->rc != CURLE_OK || c->status != 200)) {
		rc = failed(c, "asking for the topic", e);
	} else if (rc == 0) {
		rest = message_of(c);
		rc = -1;
		while (take_field(&rest, &field, &one) == 1)
			if (field == 1 && str_eq(one, STR(MAY_PUBLISH)))
				rc = 0;
		if (rc == -1)
			missing(p, ", or these credentials may not publish to it "
			    "(roles/pubsub.publisher)", e);
	}
	end_call(c);
	return rc;
}

static int
topic_look(struct pubsub *p, int64_t until, struct err *e)
{
	struct call *c = &p->calls[0];
	int rc;

	frame_begin(&c->body);
	put_field(&c->body, 1, str_of(p->topic));
	frame_end(&c->body);
	rc = buf_ok(&c->body) ? ask(p, "/google.pubsub.v1.Publisher/GetTopic", true,
	    until, e) : no_memory(e);
	if (rc == 0 && c->rc == CURLE_OK && c->status == 404)
		rc = missing(p, "", e);
	else if (rc == 0 && (c->rc != CURLE_OK || c->status != 200))
		rc = failed(c, "asking for the topic", e);
	end_call(c);
	return rc;
}

static int
pubsub_open(void *self, int64_t until, uint64_t *largest, struct err *e)
{
	struct pubsub *p = self;
	bool known = false;

	*largest = BYTES - OVERHEAD;
	if (!p->emulator && may_publish(p, until, &known, e) == -1)
		return -1;
	return known ? 0 : topic_look(p, until, e);
}

/* Whoever answers is there: a question about the topic each time would cost its quota. */
static int
pubsub_ping(void *self, int64_t until, struct err *e)
{
	struct pubsub *p = self;
	struct call *c = &p->calls[0];
	int rc;

	if (when_steady() - p->heard_at < LOOK_MS)
		return 0;
	buf_reset(&c->body);
	rc = ask(p, "/", false, until, e);
	if (rc == 0 && c->rc != CURLE_OK)
		rc = failed(c, "asking whether it is there", e);
	end_call(c);
	return rc;
}

/* --- a message ------------------------------------------------------------------------- */

/* U+FFFD stands for what is not UTF-8. */
static size_t
character(struct str s, size_t at, bool *valid)
{
	const unsigned char *p = (const unsigned char *)s.p + at;
	size_t n = p[0] < 0x80 ? 1 : utf8_length(p, s.n - at);

	*valid = n > 0;
	return n > 0 ? n : 1;
}

/* As much of it as an attribute takes; *n: bytes that put_text() makes of that. */
static struct str
fitting(struct str s, size_t *n)
{
	size_t at = 0, one;
	bool valid;

	for (*n = 0; at < s.n; at += one) {
		one = character(s, at, &valid);
		if (*n + (valid ? one : 3) > VALUE_MAX)
			break;
		*n += valid ? one : 3;
	}
	return str_head(s, at);
}

static void
put_text(struct buf *b, struct str s, size_t n)
{
	size_t one;
	bool valid;

	if (n == s.n) {
		buf_put(b, s);
		return;
	}
	for (size_t at = 0; at < s.n; at += one) {
		one = character(s, at, &valid);
		buf_put(b, valid ? str_head(str_skip(s, at), one) :
		    STR("\xef\xbf\xbd"));
	}
}

/* An entry of a map is a message: its key, its value. */
static void
attribute(struct buf *b, const char *name, struct str value)
{
	struct str key = str_of(name), text;
	size_t n;

	if (value.n == 0)
		return;
	text = fitting(value, &n);
	put_length(b, 2, field_size(key.n) + field_size(n));
	put_field(b, 1, key);
	put_length(b, 2, n);
	put_text(b, text, n);
}

/* One of the request's headers; a template knows how. */
static void
header_attribute(struct pubsub *p, struct buf *b, const char *name, struct str template,
    const struct event *event)
{
	struct letter l = { .event = event };
	struct buf text = BUF(LETTER_HEADER_MAX);
	struct err e;

	if (letter_write(&text, template, LETTER_HEADER, &l, p->arena, &e) == 0 &&
	    buf_ok(&text))
		attribute(b, name, buf_str(&text));
	buf_free(&text);
	arena_reset(p->arena);
}

static void
line_attributes(struct buf *b, struct str line)
{
	struct str piece;
	char name[32];
	size_t n;

	for (unsigned i = 1; line.n > 0; i++) {
		piece = fitting(line, &n);
		snprintf(name, sizeof(name), "hooklatch-json-%02u", i);
		attribute(b, name, piece);
		line = str_skip(line, piece.n);
	}
}

/* Pieces end where characters do, so that each may lack three bytes. */
static bool
line_fits(struct str line)
{
	return line.n <= (size_t)PIECES * (VALUE_MAX - 3);
}

static void
put_line(struct buf *b, const struct engine_event *v)
{
	struct buf shorter = BUF(ENGINE_MESSAGE);
	struct event bare = v->put->event;

	if (line_fits(v->json)) {
		line_attributes(b, v->json);
		return;
	}
	bare.headers = STR("[]");
	event_json(&shorter, &bare, NULL, 0, false);
	if (!buf_ok(&shorter)) {
		b->bad = true;
	} else if (line_fits(buf_str(&shorter))) {
		line_attributes(b, buf_str(&shorter));
		attribute(b, "hooklatch-dropped", STR("headers"));
	} else {
		attribute(b, "hooklatch-dropped", STR("json"));
	}
	buf_free(&shorter);
}

static struct str
key_of(const struct pubsub *p, const struct engine_event *v)
{
	return p->set.url.by_hook ? v->put->event.hook : STR("");
}

/* PubsubMessage: data 1, attributes 2, ordering key 5. */
static void
put_message(struct pubsub *p, struct buf *out, const struct engine_event *v)
{
	const struct event *event = &v->put->event;
	struct buf *b = &p->message;
	char at[WHEN_ROOM];
	size_t n;

	buf_reset(b);
	put_field(b, 1, v->body);
	attribute(b, "hooklatch-event", str_of(event->id));
	attribute(b, "hooklatch-name", str_of(v->name));
	/* The line may lack it, and a body may look like one. */
	attribute(b, "hooklatch-claim", v->put->claim != NULL ? STR("data") : STR_NONE);
	attribute(b, "hooklatch-hook", event->hook);
	attribute(b, "hooklatch-provider", event->provider);
	attribute(b, "hooklatch-type", event->event_type);
	attribute(b, "hooklatch-event-id", event->event_id);
	attribute(b, "hooklatch-received-at", (struct str){ at,
	    when_print(at, event->received_at, WHEN_ISO8601) });
	header_attribute(p, b, "content-type", STR("{header:content-type}"), event);
	header_attribute(p, b, "content-encoding", STR("{header:content-encoding}"),
	    event);
	put_line(b, v);
	if (p->set.url.by_hook) {
		struct str key = fitting(event->hook, &n);

		put_length(b, 5, n);
		put_text(b, key, n);
	}
	out->bad |= b->bad;
	put_field(out, 2, buf_str(b));
	if (b->cap > KEEP_BODY)
		buf_free(b);
}

/* --- a batch ----------------------------------------------------------------------------- */

static struct share *
share_new(struct pubsub *p, size_t first)
{
	struct share *s = &p->shares[p->nshares++];

	*s = (struct share){ .first = first, .pause = FIRST_PAUSE_MS };
	return s;
}

static struct engine_event *
event_at(const struct pubsub *p, const struct share *s, size_t i)
{
	return &p->events[p->order[s->first + i]];
}

static struct str
key_at(const struct pubsub *p, const struct share *s)
{
	return key_of(p, event_at(p, s, 0));
}

/* Of those that wait in the order, all of one key side by side. */
static size_t
put_in_order(struct pubsub *p, size_t n)
{
	size_t out = 0;

	if (!p->set.url.by_hook) {
		for (size_t i = 0; i < n; i++)
			if (!p->events[i].answered)
				p->order[out++] = i;
		return out;
	}
	for (size_t i = 0; i < n; i++) {
		bool seen = p->events[i].answered;

		for (size_t j = 0; j < out && !seen; j++)
			seen = p->order[j] == i;
		for (size_t j = i; j < n && !seen; j++)
			if (!p->events[j].answered && str_eq(key_of(p, &p->events[j]),
			    key_of(p, &p->events[i])))
				p->order[out++] = j;
	}
	return out;
}

static void
share_out(struct pubsub *p, size_t n)
{
	struct share *s = NULL, **end = &p->first;
	uint64_t bytes = 0;

	p->nshares = 0;
	p->first = NULL;
	n = put_in_order(p, n);
	for (size_t i = 0; i < n; i++) {
		const struct engine_event *v = &p->events[p->order[i]];

		if (s == NULL || s->n == MESSAGES || bytes + v->size + OVERHEAD > BYTES ||
		    !str_eq(key_at(p, s), key_of(p, v))) {
			s = *end = share_new(p, i);
			end = &s->next;
			bytes = 0;
		}
		s->n++;
		bytes += v->size + OVERHEAD / 16;
	}
}

/* One ordering key has one request under way, the oldest. */
static bool
may_go(const struct pubsub *p, const struct share *s, int64_t now)
{
	if (s->under_way || s->not_before > now)
		return false;
	if (!p->set.url.by_hook)
		return true;
	for (const struct share *o = p->first; o != s; o = o->next)
		if (str_eq(key_at(p, o), key_at(p, s)))
			return false;
	return true;
}

static int
send_share(struct pubsub *p, struct call *c, struct share *s, struct str token,
    int64_t until, struct err *e)
{
	frame_begin(&c->body);
	put_field(&c->body, 1, str_of(p->topic));
	for (size_t i = 0; i < s->n; i++)
		put_message(p, &c->body, event_at(p, s, i));
	frame_end(&c->body);
	if (!buf_ok(&c->body))
		return no_memory(e);
	if (begin_call(c, "/google.pubsub.v1.Publisher/Publish", token, s->fresh, until,
	    e) == -1)
		return -1;
	c->share = s;
	s->under_way = true;
	return 0;
}

/* All that may go and has room. */
static int
send_some(struct pubsub *p, int64_t until, struct err *e)
{
	int64_t now = when_steady();
	struct call *c = p->calls;
	struct str token;
	int there;

	for (struct share *s = p->first; s != NULL; s = s->next) {
		if (!may_go(p, s, now))
			continue;
		while (c < p->calls + CALLS && c->busy)
			c++;
		if (c == p->calls + CALLS)
			return 0;
		if ((there = token_ask(p, &token, e)) != 1)
			return there;
		if (send_share(p, c, s, token, until, e) == -1)
			return -1;
	}
	return 0;
}

static void
share_done(struct pubsub *p, struct share *s)
{
	struct share **at = &p->first;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

/* What is refused is one event's affair, and is said now and then. */
static void
refused(struct pubsub *p, struct engine_event *v, const struct call *c)
{
	int64_t now = when_steady();

	v->answered = true;
	v->too_large = c->status == 413;
	v->why = v->too_large ? "it is larger than Pub/Sub takes" :
	    "Pub/Sub does not take it";
	if (p->said_at != 0 && now - p->said_at < SAY_MS)
		return;
	p->said_at = now;
	log_say(p->set.log, LOG_ERROR_, "Pub/Sub: an event was answered %ld: %s",
	    c->status, c->said[0] != '\0' ? c->said : "it does not say why");
}

/* To find the one among several that it does not take. */
static void
halve(struct pubsub *p, struct share *s)
{
	struct share *second = share_new(p, s->first + s->n / 2);

	second->n = s->n - s->n / 2;
	second->next = s->next;
	s->next = second;
	s->n /= 2;
}

static bool
later(struct share *s, const struct call *c)
{
	static const short again[] = { 408, 409, 429, 499, 500, 502, 503, 504 };
	int64_t ms = s->pause;
	uint32_t dice = 0;
	bool retry = c->rc != CURLE_OK && c->rc != CURLE_OUT_OF_MEMORY &&
	    c->rc != CURLE_PEER_FAILED_VERIFICATION;

	for (size_t i = 0; c->rc == CURLE_OK && i < sizeof(again) / sizeof(again[0]); i++)
		retry = retry || c->status == again[i];
	if (!retry)
		return false;
	/* A kept connection was dead: another one, at once. */
	if (c->rc != CURLE_OK && !s->fresh) {
		s->fresh = true;
		return true;
	}
	os_random(&dice, sizeof(dice));
	ms = ms * (80 + dice % 41) / 100;
	s->not_before = when_steady() + ms;
	s->pause = s->pause * 4 < LONGEST_PAUSE_MS ? s->pause * 4 : LONGEST_PAUSE_MS;
	return true;
}

/* As many ids as messages, or none counts. */
static bool
acknowledged(struct pubsub *p, struct share *s, const struct call *c)
{
	struct str rest = message_of(c), id;
	uint64_t field;
	size_t n = 0;
	int more;

	while ((more = take_field(&rest, &field, &id)) == 1)
		n += field == 1 && id.n > 0;
	if (IDS && (more == -1 || n != s->n))
		return false;
	for (size_t i = 0; i < s->n; i++)
		event_at(p, s, i)->answered = true;
	return true;
}

/* -1: the batch is at its end. */
static int
heard(struct pubsub *p, struct call *c, struct err *e)
{
	struct share *s = c->share;
	bool bad = c->rc == CURLE_OK && (c->status == 413 || c->status == 400);

	s->under_way = false;
	if (c->rc == CURLE_OK && c->status == 200 && acknowledged(p, s, c)) {
		share_done(p, s);
		return 0;
	}
	if (c->rc == CURLE_OK && c->status == 200)
		return err_set(e, ERR_TEMP, "publishing: the answer has no id for each "
		    "message");
	if (SECOND && c->rc == CURLE_OK && c->status == 401 && !s->renewed && c->token.n > 0) {
		google_refused(p->google, &p->want, buf_str(&c->token));
		s->renewed = true;
		return 0;
	}
	if (bad && s->n > 1) {
		halve(p, s);
		return 0;
	}
	if (bad) {
		refused(p, event_at(p, s, 0), c);
		share_done(p, s);
		return 0;
	}
	return later(s, c) ? 0 : failed(c, "publishing", e);
}

/* Until when nothing happens by itself. */
static int64_t
next_look(const struct pubsub *p, int64_t until)
{
	int64_t now = when_steady(), at = until;

	for (const struct share *s = p->first; s != NULL; s = s->next)
		if (!s->under_way && s->not_before > now && s->not_before < at)
			at = s->not_before;
	return at - now;
}

static int
pubsub_put(void *self, struct engine_event *v, size_t n, int64_t until, struct err *e)
{
	struct pubsub *p = self;
	struct err last = { ERR_TEMP, "publishing: it does not answer in time" };
	int rc = 0;

	p->events = v;
	/* What came for an earlier batch may be old. */
	p->no_token = false;
	p->handed_out = true;
	share_out(p, n);
	while (rc == 0 && p->first != NULL) {
		if (when_steady() >= until) {
			*e = last;
			rc = -1;
			break;
		}
		if ((rc = send_some(p, until, e)) == -1)
			break;
		turn(p, next_look(p, until));
		for (size_t i = 0; rc == 0 && i < CALLS; i++) {
			struct call *c = &p->calls[i];

			if (!c->busy || !c->done)
				continue;
			if (c->rc != CURLE_OK || c->status != 200)
				failed(c, "publishing", &last);
			rc = heard(p, c, e);
			end_call(c);
		}
	}
	for (size_t i = 0; i < CALLS; i++)
		end_call(&p->calls[i]);
	p->events = NULL;
	return rc;
}

const struct engine_kind engine_pubsub = { ENGINE_PUBSUB, "Pub/Sub", NULL, make, pubsub_open,
	pubsub_put, pubsub_ping, pubsub_close, pubsub_free };
