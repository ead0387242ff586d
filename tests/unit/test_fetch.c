/*
 * test_fetch.c - providers' keys, fetched by the courier: what it believes, how long,
 * and how often it can be made to ask.
 *
 * The provider is a thread of ours behind TLS on the loopback.  Time is ours as well:
 * the linker puts our when_steady() in its place, which stands still unless it is
 * moved on by hand.  In the configurations here ' is ".
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "../../base/when.h"
#include "../../courier/keys.h"
#include "test.h"

#define COUNT(t)	(sizeof(t) / sizeof((t)[0]))
#define SET		"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"1\"}]}"
#define SET_2		"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"2\"}]}"
#define HOUR		((int64_t)3600 * KEY_SECOND)

static char place[] = "/tmp/hooklatch-fetch-XXXXXX", ca_file[64];
static struct log quiet = { .fd = -1, .program = "test_fetch" };
static struct keys *keys;

/* --- time ------------------------------------------------------------------------ */

static _Atomic int64_t steady = 60000 * KEY_SECOND;

int64_t	__wrap_when_steady(void);

int64_t
__wrap_when_steady(void)
{
	return atomic_load(&steady);
}

static void
later(int64_t ms)
{
	atomic_fetch_add(&steady, ms);
}

/* --- the provider -------------------------------------------------------------------- */

/* What is said at a path; the rest is 404.  "*" behind it: at all that begins so. */
struct said {
	const char	*path;
	const char	*body;		/* NULL: nothing is ever answered */
	int		 status;
	const char	*headers;	/* each with its CRLF */
	size_t		 length;	/* of the body; 0: of its text */
};

static struct {
	int		 listener;
	unsigned	 port;
	SSL_CTX		*ctx;
	pthread_mutex_t	 lock;
	struct said	 says[8];
	size_t		 nsays;
	unsigned	 asked;		/* requests that came */
	char		 last[8192];	/* the last of them */
	bool		 held;		/* none is answered for now */
	pthread_cond_t	 go_on;
} provider = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.go_on = PTHREAD_COND_INITIALIZER };

/* Another thing is said at a path from now on. */
static void
say(struct said s)
{
	size_t i;

	pthread_mutex_lock(&provider.lock);
	for (i = 0; i < provider.nsays; i++)
		if (strcmp(provider.says[i].path, s.path) == 0)
			break;
	provider.says[i] = s;
	if (i == provider.nsays)
		provider.nsays++;
	pthread_mutex_unlock(&provider.lock);
}
#define SAY(where, ...)	say((struct said){ .path = (where), .body = __VA_ARGS__ })

static unsigned
asked(void)
{
	unsigned n;

	pthread_mutex_lock(&provider.lock);
	n = provider.asked;
	pthread_mutex_unlock(&provider.lock);
	return n;
}

static bool
heard(const char *text)
{
	bool has;

	pthread_mutex_lock(&provider.lock);
	has = strstr(provider.last, text) != NULL;
	pthread_mutex_unlock(&provider.lock);
	return has;
}

static void
hold(bool held)
{
	pthread_mutex_lock(&provider.lock);
	provider.held = held;
	pthread_cond_broadcast(&provider.go_on);
	pthread_mutex_unlock(&provider.lock);
}

static struct said
answer_to(const char *request)
{
	const char *path = strchr(request, ' ') + 1;
	struct said s = { .status = 404, .body = "{}" };

	for (size_t i = 0; i < provider.nsays; i++) {
		const struct said *one = &provider.says[i];
		size_t n = strlen(one->path);
		bool begins = one->path[n - 1] == '*';

		if (strncmp(path, one->path, n - begins) == 0 &&
		    (begins || path[n] == ' '))
			s = *one;
	}
	return s;
}

static bool
is_whole(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n"),
	    *length = strcasestr(request, "\r\ncontent-length:");

	return end != NULL && (length == NULL ||
	    strlen(end + 4) >= (size_t)atoi(length + 17));
}

static void *
serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	SSL *ssl = SSL_new(provider.ctx);
	char request[8192] = "", head[1024];
	size_t n = 0;
	struct said s;
	int got;

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) != 1)
		goto out;
	while (!is_whole(request) && n < sizeof(request) - 1 &&
	    (got = SSL_read(ssl, request + n, (int)(sizeof(request) - 1 - n))) > 0)
		request[n += (size_t)got] = '\0';
	if (!is_whole(request))
		goto out;
	pthread_mutex_lock(&provider.lock);
	provider.asked++;
	memcpy(provider.last, request, sizeof(request));
	while (provider.held)
		pthread_cond_wait(&provider.go_on, &provider.lock);
	s = answer_to(request);
	pthread_mutex_unlock(&provider.lock);
	if (s.body == NULL) {
		SSL_read(ssl, request, 1);	/* until the other gives up */
		goto out;
	}
	if (s.length == 0)
		s.length = strlen(s.body);
	got = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n%s\r\n", s.status == 0 ? 200 : s.status, s.length,
	    s.headers != NULL ? s.headers : "");
	SSL_write(ssl, head, got);
	if (s.length > 0)
		SSL_write(ssl, s.body, (int)s.length);
	SSL_shutdown(ssl);
out:
	SSL_free(ssl);
	close(fd);
	return NULL;
}

static void *
serve(void *arg)
{
	pthread_attr_t attr;
	pthread_t one;
	int fd;

	(void)arg;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	while ((fd = accept(provider.listener, NULL, NULL)) != -1)
		if (pthread_create(&one, &attr, serve_one,
		    (void *)(intptr_t)fd) != 0)
			close(fd);
	return NULL;
}

static bool
provider_start(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *c = X509_new();
	X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
	    "IP:127.0.0.1");
	pthread_t thread;
	FILE *f;

	X509_set_version(c, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
	    (const unsigned char *)"provider", -1, -1, 0);
	X509_set_issuer_name(c, X509_get_subject_name(c));
	X509_gmtime_adj(X509_getm_notBefore(c), -3600);
	X509_gmtime_adj(X509_getm_notAfter(c), 3600);
	X509_set_pubkey(c, key);
	X509_add_ext(c, x, -1);
	X509_EXTENSION_free(x);
	X509_sign(c, key, EVP_sha256());
	snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", place);
	if ((f = fopen(ca_file, "w")) == NULL)
		return false;
	PEM_write_X509(f, c);
	fclose(f);
	provider.ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(provider.ctx, c);
	SSL_CTX_use_PrivateKey(provider.ctx, key);
	X509_free(c);
	EVP_PKEY_free(key);
	provider.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(provider.listener, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(provider.listener, 64) == -1 ||
	    getsockname(provider.listener, (struct sockaddr *)&a, &len) == -1)
		return false;
	provider.port = ntohs(a.sin_port);
	return pthread_create(&thread, NULL, serve, NULL) == 0 &&
	    pthread_detach(thread) == 0;
}

/* --- the courier ------------------------------------------------------------------------ */

static struct bundle *
bundle_of(void)
{
	struct bundle *b = bundle_new();
	struct err e;

	bundle_read_secret(b, STR("plain:secret-one"), &e);
	bundle_read_secret(b, STR("plain:secret-two"), &e);
	return b;
}

/* hooks: the members of "hooks", where @ is the provider's URL. */
static struct conf *
conf_of(const char *hooks, bool trusted)
{
	struct buf text = BUF(65536);
	struct conf *c;
	struct err e = { .text = "" };

	buf_put(&text, STR("{"));
	if (trusted)
		buf_printf(&text, "\"ca_file\":\"%s\",", ca_file);
	buf_put(&text, STR("\"hooks\":{"));
	for (; *hooks != '\0'; hooks++)
		if (*hooks == '@')
			buf_printf(&text, "https://127.0.0.1:%u", provider.port);
		else
			buf_putc(&text, *hooks == '\'' ? '"' : *hooks);
	buf_put(&text, STR("}}"));
	c = conf_read(buf_str(&text), "c.json", &e);
	CHECKF(c != NULL, "a configuration: %s", e.text);
	buf_free(&text);
	if (c == NULL)
		exit(1);
	return c;
}

static void
begin_so(const char *hooks, bool trusted)
{
	struct err e;

	pthread_mutex_lock(&provider.lock);
	provider.nsays = 0;
	provider.asked = 0;
	pthread_mutex_unlock(&provider.lock);
	keys = keys_start(half_new(conf_of(hooks, trusted), bundle_of()), &quiet, &e);
	if (keys == NULL)
		exit(1);
}

static void
begin(const char *hooks)
{
	begin_so(hooks, true);
}

static void
end(void)
{
	keys_stop(keys);
}

static void
give(uint64_t ticket, const char *hook, const char *key, bool again)
{
	struct key_ask *a = key_ask_new(NULL, ticket, str_of(hook), 0, str_of(key),
	    again);

	if (!keys_give(keys, a))
		abort();
}

/* The next outcome; NULL: none comes. */
static struct key_ask *
next(void)
{
	struct pollfd p = { keys_fd(keys), POLLIN, 0 };
	struct key_ask *a;

	while ((a = keys_take(keys)) == NULL)
		if (poll(&p, 1, 20000) != 1)
			return NULL;
	return a;
}

/* One question and its answer. */
static struct {
	enum wire_refusal refusal;	/* 0: there it is */
	char		 bytes[WIRE_KEY_MAX + 1];
	size_t		 n;
	uint32_t	 seconds;
} got;

static void
hear(void)
{
	struct key_ask *a = next();

	memset(&got, 0, sizeof(got));
	CHECK(a != NULL, "an answer comes");
	if (a == NULL)
		exit(1);
	got.refusal = a->refusal;
	got.n = a->bytes.n;
	if (got.n > 0)
		memcpy(got.bytes, a->bytes.p, got.n);
	got.seconds = a->seconds;
	CHECK((a->refusal != 0) == (a->why != NULL), "a refusal says why");
	key_ask_free(a);
}

static void
ask_again(const char *hook, const char *key, bool again)
{
	give(1, hook, key, again);
	hear();
}

static void
ask(const char *hook, const char *key)
{
	ask_again(hook, key, false);
}

static bool
is(const char *bytes)
{
	return got.refusal == 0 && got.n == strlen(bytes) &&
	    memcmp(got.bytes, bytes, got.n) == 0;
}

#define KEYS(alg, keys)	"{'signature':{'header':'X-T','algorithm':'" alg "','keys':{"	\
			keys "}}}"
#define ALL		"'/a':{'provider':" KEYS("jws-rs256", "'url':'@/all'") "}"
#define NAMED		"'/a':{'provider':" KEYS("jws-rs256", "'url':'@/key/{key}',"	\
			"'name':'token:kid'") "}"

/* --- how long ---------------------------------------------------------------------------- */

static void
test_kept(void)
{
	begin(ALL);
	SAY("/all", SET);
	ask("/a", "");
	CHECK(is(SET) && heard("GET /all HTTP/1.1\r\n"), "a set of keys is fetched");
	CHECK(got.seconds == 3600, "for an hour");
	SAY("/all", SET_2);
	ask("/a", "whatever it is called");
	CHECK(is(SET) && asked() == 1, "and kept, whatever name is asked for");
	later(HOUR - 1);
	ask("/a", "");
	CHECK(is(SET) && asked() == 1, "to its end");
	later(1);
	ask("/a", "");
	CHECK(is(SET_2) && asked() == 2, "then it is fetched anew");
	ask("/b", "");
	CHECK(got.refusal == REFUSED_NO_KEY && asked() == 2, "no such hook: no key");
	end();
}

static void
test_ages(void)
{
	static const struct { const char *says, *headers; uint32_t seconds; } t[] = {
		{ "none is said", NULL, 3600 },
		{ "one that is said", "Cache-Control: max-age=600\r\n", 600 },
		{ "among others", "cache-control: public, max-age=600, "
		    "must-revalidate\r\n", 600 },
		{ "in capitals", "CACHE-CONTROL: MAX-AGE=600\r\n", 600 },
		{ "less what it is old", "Cache-Control: max-age=600\r\nAge: 200\r\n",
		    400 },
		{ "older than that", "Cache-Control: max-age=600\r\nAge: 900\r\n",
		    60 },
		{ "none at all", "Cache-Control: no-store\r\n", 60 },
		{ "none at all, and one", "Cache-Control: no-cache, max-age=600\r\n",
		    60 },
		{ "a moment", "Cache-Control: max-age=0\r\n", 60 },
		{ "for ever", "Cache-Control: max-age=31536000\r\n", 86400 },
		{ "more than a number holds", "Cache-Control: max-age="
		    "99999999999999999999999\r\n", 3600 },
		{ "less than nothing", "Cache-Control: max-age=-1\r\n", 3600 },
		{ "no number", "Cache-Control: max-age=\r\nAge: x\r\n", 3600 },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		begin(ALL);
		SAY("/all", SET, .headers = t[i].headers);
		ask("/a", "");
		CHECKF(is(SET) && got.seconds == t[i].seconds, "an age, %s: %u", t[i].says,
		    got.seconds);
		end();
	}
}

static void
test_failures(void)
{
	begin(ALL);
	SAY("/all", "", .status = 500);
	ask("/a", "");
	CHECK(got.refusal == REFUSED_BUSY && asked() == 1, "an error of theirs: later");
	ask("/a", "");
	CHECK(got.refusal == REFUSED_BUSY && asked() == 1, "not at once");
	later(KEY_SECOND);
	ask("/a", "");
	CHECK(got.refusal == REFUSED_BUSY && asked() == 2, "after a second");
	later(2 * KEY_SECOND - 1);
	ask("/a", "");
	CHECK(asked() == 2, "then after two");
	later(1);
	SAY("/all", SET);
	ask("/a", "");
	CHECK(is(SET) && asked() == 3, "and it may be there again");
	SAY("/all", "", .status = 503);
	later(HOUR);
	ask("/a", "");
	CHECK(is(SET) && asked() == 4 && got.seconds == 60,
	    "in an outage the old ones hold, for a minute at a time");
	later(22 * HOUR);
	ask("/a", "");
	CHECK(is(SET) && asked() == 5, "for a day");
	later(2 * HOUR);
	ask("/a", "");
	CHECK(got.refusal == REFUSED_BUSY && asked() == 6, "and no longer");
	end();

	begin(ALL);
	SAY("/all", "", .status = 429);
	ask("/a", "");
	CHECK(got.refusal == REFUSED_BUSY, "too many requests: later");
	end();

	begin(NAMED);
	ask("/a", "one");
	CHECK(got.refusal == REFUSED_NO_KEY && asked() == 1, "404: there is none");
	later(KEY_SECOND * 50);
	ask("/a", "one");
	CHECK(got.refusal == REFUSED_NO_KEY && asked() == 1, "for a minute");
	later(KEY_SECOND * 11);
	SAY("/key/one", SET);
	ask("/a", "one");
	CHECK(is(SET) && asked() == 2 && got.seconds == 86400, "then there may be, and a "
	    "key of a name is kept for a day");
	end();
}

/* --- what is believed ---------------------------------------------------------------------- */

static void
test_content(void)
{
	static char long_one[WIRE_KEY_MAX + 2];

	memset(long_one, ' ', sizeof(long_one) - 1);
	memcpy(long_one, SET, sizeof(SET) - 1);
	begin(ALL);
	SAY("/all", long_one);
	ask("/a", "");
	CHECK(got.refusal == REFUSED_BUSY, "a byte more than there is room for");
	later(2 * KEY_SECOND);
	SAY("/all", long_one, .length = WIRE_KEY_MAX);
	ask("/a", "");
	CHECK(got.refusal == 0 && got.n == WIRE_KEY_MAX, "as much as there is");
	end();

	begin(ALL);
	SAY("/all", "", .status = 302, .headers = "Location: /moved\r\n");
	SAY("/moved", SET);
	ask("/a", "");
	CHECK(got.refusal == REFUSED_BUSY && asked() == 1, "nobody follows elsewhere");
	end();

	begin_so(ALL, false);
	SAY("/all", SET);
	ask("/a", "");
	CHECK(got.refusal == REFUSED_BUSY && asked() == 0,
	    "a stranger's certificate: nothing is asked");
	end();

	begin("'/a':{'provider':" KEYS("jws-rs256", "'url':'https://localhost:1/all'")
	    "}");
	ask("/a", "");
	CHECK(got.refusal == REFUSED_BUSY, "nobody is there");
	end();
}

/* --- which URL ----------------------------------------------------------------------------- */

static void
test_urls(void)
{
	static const char *const bad[] = { "", "..", "../x", "a/../b", "a?b", "a#b",
	    "a%2e", "a b", "a\\b", "a:b", "a@b", "a\r\nX: y", "a//b", "\xc3\xa9" };
	char longest[KEY_NAME_LEN + 2];

	begin(NAMED);
	SAY("/key/*", SET);
	for (size_t i = 0; i < COUNT(bad); i++) {
		ask("/a", bad[i]);
		CHECKF(got.refusal == REFUSED_NO_KEY && asked() == 0,
		    "no key is called \"%s\"", bad[i]);
	}
	memset(longest, 'a', sizeof(longest));
	longest[KEY_NAME_LEN + 1] = '\0';
	ask("/a", longest);
	CHECK(got.refusal == REFUSED_NO_KEY && asked() == 0, "nor so long");
	longest[KEY_NAME_LEN] = '\0';
	ask("/a", longest);
	CHECK(is(SET) && asked() == 1, "a letter less may be");
	ask("/a", "a-b_c~d.e");
	CHECK(is(SET) && heard("GET /key/a-b_c~d.e HTTP"), "and this");
	end();
}

/* --- how often ------------------------------------------------------------------------------ */

static void
test_again(void)
{
	begin(ALL);
	SAY("/all", SET);
	ask("/a", "");
	SAY("/all", SET_2);
	ask_again("/a", "", true);
	CHECK(is(SET) && asked() == 1, "what has just come is not asked for again");
	later(30 * KEY_SECOND);
	ask("/a", "");
	CHECK(is(SET) && asked() == 1, "nor later, as long as it will do");
	ask_again("/a", "", true);
	CHECK(is(SET_2) && asked() == 2, "where it will not do, it is");
	ask_again("/a", "", true);
	CHECK(is(SET_2) && asked() == 2, "once");
	later(30 * KEY_SECOND);
	SAY("/all", "", .status = 500);
	ask_again("/a", "", true);
	CHECK(is(SET_2) && asked() == 3 && got.seconds == 3570,
	    "if that fails the others still hold");
	end();
}

/* Many who want the same wait for one answer. */
static void
test_together(void)
{
	begin(ALL);
	SAY("/all", SET);
	hold(true);
	for (uint64_t i = 0; i < 100; i++)
		give(i, "/a", "", false);
	hold(false);
	for (int i = 0; i < 100; i++) {
		hear();
		CHECK(is(SET), "all hear the same");
	}
	CHECK(asked() == 1, "of one request");
	end();
}

/* Strangers make up names: so many a minute are looked for. */
static void
test_rate(void)
{
	unsigned none = 0, busy = 0;
	char name[16];

	begin(NAMED ",'/b':{'provider':" KEYS("jws-rs256", "'url':'@/key/{key}',"
	    "'name':'token:kid'") "}");
	SAY("/key/good", SET);
	ask("/a", "good");
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ask("/a", name);
		none += got.refusal == REFUSED_NO_KEY;
		busy += got.refusal == REFUSED_BUSY;
	}
	CHECKF(none == NAMED_RATE - 1 && busy == 300 - none && asked() == NAMED_RATE,
	    "no more names than may be are asked for: %u", asked());
	ask("/a", "good");
	CHECK(is(SET) && asked() == NAMED_RATE, "what is kept is still there");
	ask("/b", "good2");
	CHECK(got.refusal == REFUSED_NO_KEY, "another hook has its own share");
	later(24 * HOUR);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		ask("/a", name);
	}
	SAY("/key/good", SET_2);
	ask("/a", "good");
	CHECK(is(SET_2), "a key that was had is fetched anew whatever strangers do");
	end();
}

/* Who waits for a free place is not counted again and again. */
static void
test_waiting(void)
{
	unsigned had = 0;
	char name[16];

	begin(NAMED);
	SAY("/key/*", SET);
	hold(true);
	for (uint64_t i = 0; i < NAMED_RATE; i++) {
		snprintf(name, sizeof(name), "n%d", (int)i);
		give(i, "/a", name, false);
	}
	/* More than are fetched at once; each end of one lets another begin. */
	while (asked() < KEYS_AT_ONCE)
		poll(NULL, 0, 1);
	for (int i = 0; i < 50; i++) {
		give(100, "/b", "", false);
		hear();			/* there is no such hook: a turn of the loop */
	}
	hold(false);
	for (int i = 0; i < NAMED_RATE; i++) {
		hear();
		had += is(SET);
	}
	CHECKF(had == NAMED_RATE, "as many as may be are had, however long they wait: "
	    "%u", had);
	end();
}

/* --- keys that are not public ------------------------------------------------------------------ */

#define POSTS(path, id, secret) "'" path "':{'provider':" KEYS("jws-hs256", "'url':"	\
		"'@/keys','name':'token:kid','member':'key','post':{'id':"		\
		"'{client_id}','secret':'{fetch_secret}','key':'{key}'}")		\
		",'client_id':'" id "','fetch_secret':'plain:" secret "'}"

/* Two hooks of one provider, as two clients of it: what one may have is not the other's. */
static void
test_clients(void)
{
	begin(POSTS("/a", "one", "secret-one") "," POSTS("/b", "other",
	    "secret-two"));
	SAY("/keys", "{\"key\":\"of one\"}");
	ask("/a", "k");
	CHECK(is("{\"key\":\"of one\"}") && asked() == 1 && heard("POST /keys HTTP") &&
	    heard("Content-Type: application/json\r\n") &&
	    heard("{\"id\":\"one\",\"secret\":\"secret-one\",\"key\":\"k\"}"),
	    "a key is posted for");
	SAY("/keys", "{\"key\":\"of the other\"}");
	ask("/b", "k");
	CHECK(is("{\"key\":\"of the other\"}") && asked() == 2 &&
	    heard("\"secret\":\"secret-two\""), "the other client has its own");
	ask("/a", "k");
	CHECK(is("{\"key\":\"of one\"}") && asked() == 2, "and each keeps its own");
	ask("/a", "k\",\"id\":\"x");
	CHECK(got.refusal == REFUSED_NO_KEY && asked() == 2,
	    "no name leaves its quotes");
	SAY("/keys", "{}", .status = 401);
	ask("/a", "k2");
	CHECK(got.refusal == REFUSED_BUSY, "a client that is refused: later");
	end();
}

#define OAUTH	"'/a':{'provider':" KEYS("jws-rs256", "'url':'@/key/{key}','name':"	\
		"'token:kid','token':{'url':'@/token','scope':'a b'}")			\
		",'client_id':'one','fetch_secret':'plain:secret-one'}"

static void
test_oauth(void)
{
	begin(OAUTH);
	SAY("/token", "{\"access_token\":\"t\\/1\",\"expires_in\":600}");
	SAY("/key/*", SET);
	ask("/a", "one");
	CHECK(is(SET) && asked() == 2 && heard("GET /key/one HTTP") &&
	    heard("Authorization: Bearer t/1\r\n"), "a token comes first");
	ask("/a", "two");
	CHECK(is(SET) && asked() == 3, "and holds for others");
	later(541 * KEY_SECOND);
	SAY("/token", "{\"access_token\":\"t2\",\"expires_in\":600}");
	ask("/a", "three");
	CHECK(is(SET) && asked() == 5 && heard("Authorization: Bearer t2\r\n"),
	    "until a minute before its end");
	SAY("/key/*", "", .status = 401);
	ask("/a", "four");
	CHECK(got.refusal == REFUSED_BUSY && asked() == 8,
	    "one that is refused is renewed, once");
	end();

	begin(OAUTH);
	SAY("/token", "{\"error\":\"invalid_client\"}", .status = 400);
	SAY("/key/*", SET);
	ask("/a", "one");
	CHECK(got.refusal == REFUSED_BUSY && asked() == 1 &&
	    heard("grant_type=client_credentials&scope=a%20b") &&
	    heard("Authorization: Basic b25lOnNlY3JldC1vbmU=\r\n"),
	    "no token, no key");
	SAY("/token", "{\"access_token\":\"a\\r\\nX: y\"}");
	later(2 * KEY_SECOND);
	ask("/a", "one");
	CHECK(got.refusal == REFUSED_BUSY && asked() == 2, "nor by one that is none");
	end();
}

/* --- what comes instead of keys ------------------------------------------------------------------ */

/* A page that says 200 is not worth the keys that were there. */
static void
test_no_keys(void)
{
	static const char pem[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END "
	    "CERTIFICATE-----\n";
	static const struct { const char *says, *body; bool is_key; } t[] = {
		{ "a set", SET, true },
		{ "an empty set", "{\"keys\":[]}", false },
		{ "a key", "{\"kty\":\"OKP\"}", true },
		{ "PEM", pem, true },
		{ "PEM with text before it", "subject=x\n-----BEGIN CERTIFICATE-----\n"
		    "AAAA\n-----END CERTIFICATE-----\n", true },
		{ "base64", "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
		    "\n", true },
		{ "hex", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
		    true },
		{ "a page", "<!DOCTYPE html><title>Down for maintenance</title>", false },
		{ "an error", "{\"error\":\"too many requests\"}", false },
		{ "a page of one word", "<html></html>", false },
		{ "half of JSON", "{\"keys\":[", false },
		{ "a sentence", "Down for maintenance", false },
		{ "nothing", "", false },
		{ "white space", " \r\n", false },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		begin(ALL);
		SAY("/all", SET_2);
		ask("/a", "");
		SAY("/all", t[i].body);
		later(HOUR);
		ask("/a", "");
		CHECKF(asked() == 2 && is(t[i].is_key ? t[i].body : SET_2),
		    "what comes instead of keys: %s", t[i].says);
		end();
	}
	begin(POSTS("/a", "one", "secret-one"));
	SAY("/keys", "{\"key\":\"of one\"}");
	ask("/a", "k");
	SAY("/keys", "{\"error\":{}}");
	later(25 * HOUR);
	ask("/a", "k");
	CHECK(got.refusal == REFUSED_BUSY, "an answer without its member is none");
	end();
}

/* A key of its own name that is withdrawn is not used for another day. */
static void
test_withdrawn(void)
{
	begin(NAMED "," "'/all':{'provider':" KEYS("jws-rs256", "'url':'@/all'") "}");
	SAY("/key/one", SET, .headers = "Cache-Control: max-age=60\r\n");
	SAY("/all", SET, .headers = "Cache-Control: max-age=60\r\n");
	ask("/a", "one");
	ask("/all", "");
	later(61 * KEY_SECOND);
	SAY("/key/one", "", .status = 404);
	SAY("/all", "", .status = 404);
	ask("/a", "one");
	CHECK(got.refusal == REFUSED_NO_KEY, "a key that is no longer there is none");
	ask("/a", "one");
	CHECK(got.refusal == REFUSED_NO_KEY, "nor when it is asked for again");
	ask("/all", "");
	CHECK(is(SET), "where all keys are gone that is an outage");
	end();
}

/* Told to stop while somebody waits for a provider that does not answer. */
static void
test_stop(void)
{
	begin(ALL);
	SAY("/all", NULL);
	give(1, "/a", "", false);
	while (asked() == 0)
		poll(NULL, 0, 1);
	end();
	CHECK(true, "it stops");
}

/* The configuration is read anew: what is asked then is asked by the new one. */
static void
test_reload(void)
{
	begin(ALL);
	SAY("/all", SET);
	SAY("/new", SET_2);
	ask("/a", "");
	keys_reload(keys, half_new(conf_of("'/a':{'provider':" KEYS("jws-rs256",
	    "'url':'@/new'") "}", true), bundle_of()));
	ask("/a", "");
	CHECK(is(SET_2), "another URL is another key");
	keys_reload(keys, half_new(conf_of("'/b':{'provider':" KEYS("jws-rs256",
	    "'url':'@/new'") "}", true), bundle_of()));
	ask("/a", "");
	CHECK(got.refusal == REFUSED_NO_KEY, "a hook that is gone has none");
	end();
}

int
main(void)
{
	char command[64];

	if (mkdtemp(place) == NULL || !provider_start())
		return 1;
	test_kept();
	test_ages();
	test_failures();
	test_content();
	test_urls();
	test_again();
	test_together();
	test_rate();
	test_waiting();
	test_clients();
	test_oauth();
	test_no_keys();
	test_withdrawn();
	test_stop();
	test_reload();
	SSL_CTX_free(provider.ctx);
	snprintf(command, sizeof(command), "rm -rf %s", place);
	if (system(command) != 0)
		return 1;
	TEST_END("fetch");
}
