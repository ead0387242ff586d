/* test_handler.c - the status contract: a request in, a decision out. */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "handler.h"
#include "test.h"

static const char configuration[] = "{"
    "\"inbox\": \"sqlite:/var/lib/hooklatch/inbox.db\", \"metrics\": \"/metrics\","
    "\"limits\": { \"json_depth\": 20, \"json_values\": 100 },"
    "\"hooks\": {"
    "\"/github\": { \"provider\": \"github\", \"secret\": \"plain:s3cret\" },"
    "\"/two\": { \"provider\": \"github\", \"secret\": [\"plain:new\", "
	"\"plain:s3cret\"] },"
    "\"/all\": { \"provider\": \"dropbox\", \"secret\": \"plain:s3cret\","
	"\"from\": \"192.0.2.0/24\", \"client_cert\": \"verified\","
	"\"body\": 100 },"
    "\"/open\": { \"auth\": \"none\" },"
    "\"/from\": { \"auth\": \"none\", \"from\": [\"192.0.2.0/24\","
	"\"198.51.100.128/25\", \"203.0.113.7\", \"2001:db8:4000::/34\"] },"
    "\"/from6\": { \"auth\": \"none\", \"from\": \"::/0\" },"
    "\"/cert\": { \"auth\": \"none\", \"client_cert\": \"verified\" },"
    "\"/print\": { \"auth\": \"none\", \"client_cert\": \"01:23:45:67:89:ab:cd:"
	"ef:01:23:45:67:89:ab:cd:ef:01:23:45:67\" },"
    "\"/small\": { \"auth\": \"none\", \"body\": 10 },"
    "\"/put\": { \"provider\": \"github\", \"secret\": \"plain:s3cret\","
	"\"methods\": [\"PUT\", \"PATCH\"] },"
    "\"/pass\": { \"provider\": \"github\", \"secret\": \"plain:s3cret\","
	"\"pass\": \"@app\" },"
    "\"/once\": { \"provider\": \"github\", \"secret\": \"plain:s3cret\","
	"\"replay\": \"refuse\" },"
    "\"/basic\": { \"provider\": \"basic\", \"secret\": \"plain:user:pass\" },"
    "\"/bearer\": { \"provider\": \"bearer\", \"secret\": \"plain:s3cret\" },"
    "\"/guide\": { \"provider\": \"secret-header\","
	"\"secret\": \"plain:s3cret\" },"
    "\"/head\": { \"provider\": \"trello\", \"secret\": \"plain:s3cret\","
	"\"url\": \"https://example.com/head\" },"
    "\"/lines\": { \"provider\": { \"signature\": { \"header\": "
	"\"X-Hub-Signature-256\", \"form\": \"sha256={sig:hex}\","
	"\"algorithm\": \"hmac-sha256\" }, \"bodies\": [\"json\"],"
	"\"lines\": true, \"later\": { \"status\": 429, \"headers\": "
	"{ \"Retry-After\": \"7\" } } }, \"secret\": \"plain:s3cret\" },"
    "\"/meta\": { \"provider\": \"meta\", \"secret\": \"plain:s3cret\","
	"\"verify_token\": \"plain:t0ken\" }"
    "} }";

#define NOW	1700000000000
static const unsigned char dice[10] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
static struct setting *setting;
static struct arena *arena;

/* A request, with defaults for what is not said. */
struct ask {
	const char	*method;	/* POST */
	const char	*target;	/* /github */
	const char	*remote;	/* 192.0.2.7 */
	const char	*type;		/* application/json; "": none */
	const char	*body;		/* {} */
	const char	*secret;	/* GitHub's or Dropbox's signature by it */
	const char	*header[5];	/* "HTTP_X=y", or any other parameter */
	enum request_fault fault;
};

static void
hex_of(const char *secret, const char *body, char out[65])
{
	unsigned char sum[32];
	unsigned n;

	HMAC(EVP_sha256(), secret, (int)strlen(secret),
	    (const unsigned char *)body, strlen(body), sum, &n);
	for (unsigned i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static char *
env(const char *name, const char *value)
{
	struct str s = arena_printf(arena, "%s=%s", name, value);

	return (char *)s.p;
}

static struct request *
request_of(const struct ask *a)
{
	struct request *q = arena_alloc(arena, sizeof(*q));
	const char *body = a->body != NULL ? a->body : "{}";
	char hex[65], text[128], *envp[20];
	size_t n = 0;

	envp[n++] = env("REQUEST_METHOD", a->method ? a->method : "POST");
	envp[n++] = env("REQUEST_URI", a->target ? a->target : "/github");
	envp[n++] = env("REMOTE_ADDR", a->remote ? a->remote : "192.0.2.7");
	envp[n++] = env("CONTENT_TYPE", a->type ? a->type : "application/json");
	if (a->secret != NULL) {
		hex_of(a->secret, body, hex);
		envp[n++] = env("HTTP_X_DROPBOX_SIGNATURE", hex);
		snprintf(text, sizeof(text), "sha256=%s", hex);
		envp[n++] = env("HTTP_X_HUB_SIGNATURE_256", text);
	}
	for (size_t i = 0; i < 5 && a->header[i] != NULL; i++)
		envp[n++] = (char *)a->header[i];
	envp[n] = NULL;
	if (request_init(q, arena, envp) == -1)
		return NULL;
	if (a->fault != REQUEST_FINE)
		q->fault = a->fault;
	q->body = a->fault == REQUEST_FINE ? str_of(body) : STR("");
	return q;
}

static struct decision
decide(struct ask a)
{
	struct request *q = request_of(&a);

	return handler_decide(setting, q, NULL, NOW, dice);
}

#define DECIDE(...)	decide((struct ask){ __VA_ARGS__ })

static bool
has(struct str text, const char *part)
{
	return text.n > 0 &&
	    memmem(text.p, text.n, part, strlen(part)) != NULL;
}

/* --- the order of the contract ------------------------------------------------ */

/*
 * One request with every fault at once; row by row the first fault that was
 * answered is mended, and the next answers.
 */
static void
in_order(void)
{
	static const char big[] = "x 3456789 123456789 123456789 123456789 123456789 "
	    "123456789 123456789 123456789 123456789 123456789 123456789";
	static const char *const cert = "HOOKLATCH_TLS_VERIFY=SUCCESS";
	static const struct {
		struct ask	 ask;
		int		 status;
		const char	*reason;
	} rows[] = {
		{ { .method = "PUT", .target = "/nowhere", .remote = "10.0.0.1",
		    .type = "text/plain", .body = big }, 404, "no-hook" },
		{ { .method = "PUT", .target = "/all", .remote = "10.0.0.1",
		    .type = "text/plain", .body = big }, 405, "method" },
		{ { .target = "/all", .remote = "10.0.0.1",
		    .type = "text/plain", .body = big }, 413, "body-too-large" },
		{ { .target = "/all", .remote = "10.0.0.1",
		    .type = "text/plain", .body = "x" }, 403, "address" },
		{ { .target = "/all", .type = "text/plain", .body = "x" }, 403,
		    "client-certificate" },
		{ { .target = "/all", .type = "text/plain", .body = "x",
		    .header = { cert } }, 401, NULL },
		{ { .target = "/all", .type = "text/plain", .body = "x",
		    .header = { cert }, .secret = "other" }, 401, NULL },
		{ { .target = "/all", .type = "text/plain", .body = "x",
		    .header = { cert }, .secret = "s3cret" }, 415,
		    "content-type" },
		{ { .target = "/all", .body = "x", .header = { cert },
		    .secret = "s3cret" }, 400, "malformed" },
		{ { .target = "/all", .header = { cert }, .secret = "s3cret" },
		    200, "accepted" },

		/* The handshake stands after 403 and before 401. */
		{ { .method = "GET", .target = "/nowhere?challenge=abc",
		    .remote = "10.0.0.1", .body = big }, 404, "no-hook" },
		{ { .method = "GET", .target = "/all?challenge=abc",
		    .remote = "10.0.0.1", .body = big }, 413, "body-too-large" },
		{ { .method = "GET", .target = "/all?challenge=abc",
		    .remote = "10.0.0.1" }, 403, "address" },
		{ { .method = "GET", .target = "/all?challenge=abc" }, 403,
		    "client-certificate" },
		{ { .method = "GET", .target = "/all?challenge=abc", .body = "",
		    .header = { cert } }, 200, "handshake" },
		{ { .method = "GET", .target = "/all", .body = "",
		    .header = { cert } }, 405, "method" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct decision d = decide(rows[i].ask);

		CHECKF(d.answer.status == rows[i].status &&
		    (rows[i].reason == NULL ||
		    strcmp(d.reason, rows[i].reason) == 0),
		    "row %zu is answered %d (%d, %s)", i, rows[i].status,
		    d.answer.status, d.reason);
		CHECKF((d.action == ACT_STORE) == (rows[i].status == 200 &&
		    strcmp(d.reason, "accepted") == 0),
		    "row %zu is stored only when accepted", i);
		CHECKF((d.route == NULL) == (rows[i].status == 404),
		    "row %zu names its hook", i);
	}
}

/* --- single rows ---------------------------------------------------------------- */

static void
methods(void)
{
	struct decision d;

	d = DECIDE(.method = "GET");
	CHECK(d.answer.status == 405 && has(d.answer.extra, "Allow: POST\r\n"),
	    "405 says what is allowed");
	d = DECIDE(.method = "GET", .target = "/all", .body = "",
	    .header = { "HOOKLATCH_TLS_VERIFY=SUCCESS" });
	CHECK(d.answer.status == 405 &&
	    has(d.answer.extra, "Allow: POST, GET\r\n"),
	    "Allow names the method of handshakes too");
	d = DECIDE(.method = "HEAD");
	CHECK(d.answer.status == 405, "HEAD is GET: not allowed where that is not");
	d = DECIDE(.method = "HEAD", .target = "/all?challenge=abc", .body = "",
	    .header = { "HOOKLATCH_TLS_VERIFY=SUCCESS" });
	CHECK(d.answer.status == 200, "HEAD of a handshake is as its GET");
	d = DECIDE(.method = "HEAD", .target = "/head", .body = "");
	CHECK(d.action == ACT_ANSWER && d.answer.status == 200,
	    "a handshake may be asked by HEAD itself");
	d = DECIDE(.method = "GET", .target = "/head", .body = "");
	CHECK(d.answer.status == 405, "and not by GET then");
	d = DECIDE(.method = "post");
	CHECK(d.answer.status == 405, "methods have a letter case");
	d = DECIDE(.target = "/put", .secret = "s3cret");
	CHECK(d.answer.status == 405 &&
	    has(d.answer.extra, "Allow: PUT, PATCH\r\n"),
	    "a hook's own methods are instead of its provider's");
	d = DECIDE(.target = "/put", .method = "PATCH", .secret = "s3cret");
	CHECK(d.answer.status == 200, "a hook's own method is taken");
	d = DECIDE(.method = "", .secret = "s3cret");
	CHECK(d.answer.status == 400, "no method at all is 400");
	d = DECIDE(.method = "DELETE", .target = "/open");
	CHECK(d.answer.status == 405, "an open hook does not take any method");
}

static void
paths(void)
{
	static const struct {
		const char	*target;
		int		 status;
	} rows[] = {
		{ "/github", 200 }, { "/github?", 200 }, { "/github?a=b", 200 },
		{ "/github/", 404 }, { "//github", 404 }, { "/./github", 404 },
		{ "/a/../github", 404 }, { "/git%68ub", 404 }, { "/GitHub", 404 },
		{ "/github;x", 404 }, { "/github%3Fa", 404 }, { "/github#a", 404 },
		{ "/githu", 404 }, { "/githubb", 404 }, { "/", 404 },
		{ "", 400 }, { "github", 400 }, { "http://h/github", 400 },
		{ "*", 400 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct decision d = DECIDE(.target = rows[i].target,
		    .secret = "s3cret");

		CHECKF(d.answer.status == rows[i].status, "\"%s\" is %d (%d)",
		    rows[i].target, rows[i].status, d.answer.status);
	}
	CHECK(DECIDE(.target = "/elsewhere", .secret = "s3cret",
	    .header = { "HOOKLATCH_HOOK=/github" }).answer.status == 200,
	    "a location can name the hook");
	CHECK(DECIDE(.target = "/github", .secret = "s3cret",
	    .header = { "HOOKLATCH_HOOK=/nowhere" }).answer.status == 404,
	    "a hook that is named and unknown is not looked for by path");
	CHECK(DECIDE(.target = "/nowhere", .secret = "s3cret",
	    .header = { "HTTP_HOOKLATCH_HOOK=/github" }).answer.status == 404,
	    "a header of the client names no hook");
}

static void
addresses(void)
{
	static const struct {
		const char	*target, *remote;
		bool		 in;
	} rows[] = {
		{ "/from", "192.0.2.0", true }, { "/from", "192.0.2.255", true },
		{ "/from", "192.0.1.255", false }, { "/from", "192.0.3.0", false },
		{ "/from", "198.51.100.127", false },
		{ "/from", "198.51.100.128", true },
		{ "/from", "198.51.100.255", true },
		{ "/from", "203.0.113.7", true },
		{ "/from", "203.0.113.6", false },
		{ "/from", "::ffff:192.0.2.9", true },
		{ "/from", "::ffff:c000:209", true },
		{ "/from", "::ffff:192.0.3.9", false },
		{ "/from", "::192.0.2.9", false },
		{ "/from", "2001:db8:4000::", true },
		{ "/from", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", true },
		{ "/from", "2001:db8:8000::", false },
		{ "/from", "2001:db8:3fff:ffff::1", false },
		{ "/from", "", false }, { "/from", "unix:", false },
		{ "/from", "localhost", false }, { "/from", "192.0.2", false },
		{ "/from", "192.0.2.9 ", false }, { "/from", " 192.0.2.9", false },
		{ "/from", "192.0.2.9, 10.0.0.1", false },
		{ "/from", "192.0.2.9:80", false }, { "/from", "192.0.2.009", false },
		{ "/from", "192.0.2.9.9", false }, { "/from", "3221225993", false },
		{ "/from", "2001:db8:4000::1%eth0", false },
		{ "/from", "[2001:db8:4000::1]", false },
		{ "/from", "2001:0db8:4000:0000:0000:0000:0000:0000:0000:0001:"
		    "0000:0000:0000:0000", false },
		{ "/from6", "192.0.2.9", true }, { "/from6", "::1", true },
		{ "/from6", "x", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct decision d = DECIDE(.target = rows[i].target,
		    .remote = rows[i].remote,
		    .header = { "HTTP_X_FORWARDED_FOR=192.0.2.9" });

		CHECKF(d.answer.status == (rows[i].in ? 200 : 403),
		    "%s: \"%s\" is %s (%d)", rows[i].target, rows[i].remote,
		    rows[i].in ? "let in" : "kept out", d.answer.status);
	}
}

static void
certificates(void)
{
#define PRINT	"0123456789ABCDEF0123456789ABCDEF01234567"
	static const struct {
		const char	*target;
		const char	*header[3];
		int		 status;
	} rows[] = {
		{ "/cert", { NULL }, 403 },
		{ "/cert", { "HOOKLATCH_TLS_VERIFY=SUCCESS" }, 200 },
		{ "/cert", { "SSL_CLIENT_VERIFY=SUCCESS" }, 200 },
		{ "/cert", { "HOOKLATCH_TLS_VERIFY=NONE" }, 403 },
		{ "/cert", { "HOOKLATCH_TLS_VERIFY=FAILED:expired" }, 403 },
		{ "/cert", { "HOOKLATCH_TLS_VERIFY=success" }, 403 },
		{ "/cert", { "HOOKLATCH_TLS_VERIFY=SUCCESSFUL" }, 403 },
		{ "/cert", { "HOOKLATCH_TLS_VERIFY=" }, 403 },
		{ "/cert", { "HTTP_HOOKLATCH_TLS_VERIFY=SUCCESS" }, 403 },
		{ "/cert", { "HTTP_SSL_CLIENT_VERIFY=SUCCESS" }, 403 },
		{ "/print", { "HOOKLATCH_TLS_VERIFY=SUCCESS" }, 403 },
		{ "/print", { "HOOKLATCH_TLS_VERIFY=SUCCESS",
		    "HOOKLATCH_TLS_FINGERPRINT=" PRINT }, 200 },
		{ "/print", { "HOOKLATCH_TLS_VERIFY=SUCCESS",
		    "HOOKLATCH_TLS_FINGERPRINT=01:23:45:67:89:AB:CD:EF:01:23:45:"
		    "67:89:AB:CD:EF:01:23:45:67" }, 200 },
		{ "/print", { "HOOKLATCH_TLS_VERIFY=SUCCESS",
		    "HOOKLATCH_TLS_FINGERPRINT=" PRINT "0" }, 403 },
		{ "/print", { "HOOKLATCH_TLS_VERIFY=SUCCESS",
		    "HOOKLATCH_TLS_FINGERPRINT=0123" }, 403 },
		{ "/print", { "HOOKLATCH_TLS_VERIFY=SUCCESS",
		    "HOOKLATCH_TLS_FINGERPRINT=:" }, 403 },
		{ "/print", { "HOOKLATCH_TLS_VERIFY=FAILED:x",
		    "HOOKLATCH_TLS_FINGERPRINT=" PRINT }, 403 },
		{ "/print", { "HOOKLATCH_TLS_FINGERPRINT=" PRINT }, 403 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct decision d = DECIDE(.target = rows[i].target, .header = {
		    rows[i].header[0], rows[i].header[1] });

		CHECKF(d.answer.status == rows[i].status, "%s, row %zu, is %d "
		    "(%d)", rows[i].target, i, rows[i].status, d.answer.status);
	}
}

static void
handshakes(void)
{
	struct decision d;

	d = DECIDE(.method = "GET", .body = "", .target = "/meta?hub.mode="
	    "subscribe&hub.challenge=1158201444&hub.verify_token=t0ken");
	CHECK(d.answer.status == 200 && d.action == ACT_ANSWER &&
	    str_eq(d.answer.body, STR("1158201444")) &&
	    str_starts(d.answer.type, STR("text/plain")),
	    "a challenge with the right token is echoed as text");
	d = DECIDE(.method = "GET", .body = "", .target = "/meta?hub.mode="
	    "subscribe&hub.challenge=1158201444&hub.verify_token=token");
	CHECK(d.answer.status == 403 && d.answer.body.n == 0,
	    "a challenge with a wrong token is refused");
	d = DECIDE(.method = "GET", .body = "", .target = "/meta?hub.mode="
	    "subscribe&hub.challenge=1158201444");
	CHECK(d.answer.status / 100 == 4, "a challenge without a token is refused");
	d = DECIDE(.method = "GET", .body = "", .target = "/meta?hub.mode="
	    "subscribe&hub.challenge=a%0d%0ab&hub.verify_token=t0ken");
	CHECK(d.answer.status / 100 == 4 && d.answer.body.n == 0,
	    "what is not printable is not echoed");
	d = DECIDE(.target = "/guide", .body = "{\"challenge\":\"x\"}");
	CHECK(d.answer.status == 401, "a signed handshake is verified first");
	d = DECIDE(.target = "/guide", .body = "{\"challenge\":\"x\"}",
	    .header = { "HTTP_SECRET=s3cret" });
	CHECK(d.answer.status == 200 && str_eq(d.answer.body, STR("x")),
	    "and echoed once the secret held");
	d = DECIDE(.target = "/guide", .body = "{\"challenge\":\"x\"}",
	    .header = { "HTTP_SECRET=s3cre" });
	CHECK(d.answer.status == 401 && d.answer.body.n == 0,
	    "a wrong secret hears nothing of its challenge");
}

static void
authentication(void)
{
	struct decision d;
	char sig[128], hex[65];

	hex_of("s3cret", "{}", hex);
	snprintf(sig, sizeof(sig), "HTTP_X_HUB_SIGNATURE_256=sha256=%s", hex);

	d = DECIDE(.secret = NULL);
	CHECK(d.answer.status == 401 && d.verdict.code == VERDICT_ABSENT,
	    "no signature is 401");
	d = DECIDE(.secret = "wrong");
	CHECK(d.answer.status == 401 && d.verdict.code == VERDICT_FORGED,
	    "a wrong signature is 401");
	d = DECIDE(.secret = "s3cret", .header = { sig });
	CHECK(d.answer.status == 401 && d.verdict.code == VERDICT_DOUBLED,
	    "the right signature twice is 401");
	d = DECIDE(.secret = "s3cret");
	CHECK(d.answer.status == 200 && d.verdict.code == VERDICT_GENUINE,
	    "the right signature once is 200");
	CHECK(d.answer.body.n == 0 && d.answer.type.n == 0,
	    "what is accepted gets an empty answer");
	d = DECIDE(.target = "/two", .secret = "s3cret");
	CHECK(d.answer.status == 200, "of two secrets the second may match");
	d = DECIDE(.target = "/two", .secret = "new");
	CHECK(d.answer.status == 200, "of two secrets the first may match");
	d = DECIDE(.target = "/open");
	CHECK(d.answer.status == 200 && d.verdict.code == VERDICT_OPEN,
	    "an open hook asks for nothing");

	d = DECIDE(.target = "/basic");
	CHECK(d.answer.status == 401 &&
	    has(d.answer.extra, "WWW-Authenticate: Basic"),
	    "401 of a Basic hook asks for Basic");
	d = DECIDE(.target = "/basic",
	    .header = { "HTTP_AUTHORIZATION=Basic dXNlcjpwYXNz" });
	CHECK(d.answer.status == 200 && !has(d.event.headers, "dXNlcjpwYXNz"),
	    "a Basic password is let in, and not stored");
	d = DECIDE(.target = "/bearer",
	    .header = { "HTTP_AUTHORIZATION=Bearer s3cret" });
	CHECK(d.answer.status == 200 && !has(d.event.headers, "s3cret"),
	    "a bearer token is let in, and not stored");
	d = DECIDE(.target = "/bearer", .header = {
	    "HTTP_AUTHORIZATION=Bearer s3cret", "HTTP_AUTHORIZATION=Bearer x" });
	CHECK(d.answer.status == 401, "two Authorizations are 401");
}

static void
contents(void)
{
	static const char deep[] = "[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]";
	static const struct {
		const char	*target, *type, *body;
		int		 status;
	} rows[] = {
		{ "/github", "application/json", "{\"a\":[1,2.5e3,null]}", 200 },
		{ "/github", "application/json; charset=utf-8", "{}", 200 },
		{ "/github", "Application/JSON", "{}", 200 },
		{ "/github", "application/vnd.github+json", "{}", 200 },
		{ "/github", "", "{}", 200 },
		{ "/github", "application/x-www-form-urlencoded", "payload=%7B%7D",
		    200 },
		{ "/github", "text/plain", "{}", 415 },
		{ "/github", "application/xml", "<a/>", 415 },
		{ "/github", "multipart/form-data; boundary=x", "{}", 415 },
		{ "/github", "application/json", "", 400 },
		{ "/github", "application/json", "{", 400 },
		{ "/github", "application/json", "{}x", 400 },
		{ "/github", "application/json", "{'a':1}", 400 },
		{ "/github", "application/json", "{\"a\":NaN}", 400 },
		{ "/github", "application/json", "[1,]", 400 },
		{ "/github", "application/json", "\xff", 400 },
		{ "/github", "application/json", "\xef\xbb\xbf{}", 400 },
		{ "/github", "application/json", deep, 400 },
		{ "/github", "application/json", "x=1", 400 },
		/* The guide's own and the open ones forbid no type. */
		{ "/open", "text/plain", "anything", 200 },
		{ "/open", "application/json", "{\"a\":1}", 200 },
		{ "/open", "application/json", "{", 400 },
		{ "/open", "application/x-www-form-urlencoded", "{\"a\":1}", 200 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct decision d = DECIDE(.target = rows[i].target,
		    .type = rows[i].type, .body = rows[i].body,
		    .secret = "s3cret");

		CHECKF(d.answer.status == rows[i].status,
		    "%s: %s \"%.20s\" is %d (%d)", rows[i].target, rows[i].type,
		    rows[i].body, rows[i].status, d.answer.status);
	}
	CHECK(DECIDE(.target = "/guide", .header = { "HTTP_SECRET=s3cret" },
	    .type = "application/x-www-form-urlencoded").answer.status == 200,
	    "the guide's scheme takes JSON whatever curl -d calls it");
	CHECK(DECIDE(.target = "/guide", .header = { "HTTP_SECRET=s3cret" },
	    .body = "{").answer.status == 400,
	    "and refuses what is no JSON");
}

static void
limits(void)
{
	struct decision d;
	char values[402] = "[";

	CHECK(DECIDE(.target = "/small", .type = "text/plain",
	    .body = "0123456789").answer.status == 200, "a body of the limit");
	CHECK(DECIDE(.target = "/small", .type = "text/plain",
	    .body = "0123456789a").answer.status == 413, "a body of a byte more");
	d = DECIDE(.target = "/github", .fault = REQUEST_TOO_LARGE);
	CHECK(d.answer.status == 413, "a body that was not kept is 413");
	d = DECIDE(.target = "/nowhere", .fault = REQUEST_TOO_LARGE);
	CHECK(d.answer.status == 404, "404 goes before it");
	d = DECIDE(.target = "/github", .fault = REQUEST_NO_ROOM);
	CHECK(d.answer.status == 503 && has(d.answer.extra, "Retry-After: "),
	    "a worker without room says when to try again");
	static const char *const lengths[] = { "CONTENT_LENGTH=-2",
	    "CONTENT_LENGTH=2x", "CONTENT_LENGTH=18446744073709551618" };
	for (size_t i = 0; i < 3; i++)
		CHECKF(DECIDE(.secret = "s3cret",
		    .header = { lengths[i] }).answer.status == 400,
		    "%s is no request", lengths[i]);
	CHECK(DECIDE(.secret = "s3cret",
	    .header = { "CONTENT_LENGTH=" }).answer.status == 200,
	    "an empty length is none");
	for (int i = 0; i < 99; i++)
		strcat(values, "1,");
	strcat(values, "1]");
	d = DECIDE(.body = values, .secret = "s3cret");
	CHECK(d.answer.status == 400, "101 values are more than the limit of 100");
}

static void
health(void)
{
	struct decision d;

	d = DECIDE(.method = "GET", .target = "/health", .body = "");
	CHECK(d.action == ACT_HEALTH && d.answer.status == 200, "GET /health asks");
	d = DECIDE(.method = "HEAD", .target = "/health", .body = "");
	CHECK(d.action == ACT_HEALTH, "HEAD /health asks");
	d = DECIDE(.method = "GET", .target = "/health?x=y", .body = "");
	CHECK(d.action == ACT_HEALTH, "a query changes nothing");
	d = DECIDE(.target = "/health");
	CHECK(d.action == ACT_ANSWER && d.answer.status == 405 &&
	    has(d.answer.extra, "Allow: GET, HEAD\r\n"), "POST /health is 405");
	d = DECIDE(.method = "GET", .target = "/healthy", .body = "");
	CHECK(d.answer.status == 404, "/healthy is no hook");
	d = DECIDE(.method = "GET", .target = "/health", .body = "",
	    .header = { "HOOKLATCH_HOOK=/github" });
	CHECK(d.action == ACT_ANSWER && d.answer.status == 405,
	    "a hook that is named goes before health");
}

/* Who may see what was counted; everybody else sees that nothing is there. */
static void
metrics(void)
{
	static const struct {
		const char	*says;
		struct ask	 ask;
		int		 status;	/* 0: it is asked for */
	} t[] = {
		{ "this machine", { .remote = "127.0.0.1" }, 0 },
		{ "another of its addresses", { .remote = "127.9.8.7" }, 0 },
		{ "by IPv6", { .remote = "::1" }, 0 },
		{ "by IPv6 that maps IPv4", { .remote = "::ffff:127.0.0.1" }, 0 },
		{ "a Unix socket", { .remote = "unix:" }, 0 },
		{ "HEAD", { .remote = "::1", .method = "HEAD" }, 0 },
		{ "a query", { .remote = "::1", .target = "/metrics?x=1" }, 0 },
		{ "POST", { .remote = "::1", .method = "POST" }, 405 },
		{ "a stranger", { .remote = "192.0.2.7" }, 404 },
		{ "one near by", { .remote = "10.0.0.1" }, 404 },
		{ "by IPv6", { .remote = "2001:db8::1" }, 404 },
		{ "IPv6 that ends as ours", { .remote = "fe80::1" }, 404 },
		{ "IPv6 with 127 elsewhere", { .remote = "::127.0.0.1" }, 404 },
		{ "no address", { .remote = "" }, 404 },
		{ "what is no address", { .remote = "localhost" }, 404 },
		{ "a socket's path", { .remote = "unix:/tmp/x" }, 404 },
		{ "a proxy that runs here", { .remote = "127.0.0.1",
		    .header = { "HTTP_X_FORWARDED_FOR=192.0.2.7" } }, 404 },
		{ "another that does", { .remote = "127.0.0.1",
		    .header = { "HTTP_FORWARDED=for=192.0.2.7" } }, 404 },
		{ "one that says Via, twice", { .remote = "127.0.0.1",
		    .header = { "HTTP_VIA=1.1 a", "HTTP_VIA=1.1 b" } }, 404 },
		{ "whom the web server vouches for", { .remote = "192.0.2.7",
		    .target = "/elsewhere", .header = { "HOOKLATCH_METRICS=1",
		    "HTTP_X_FORWARDED_FOR=192.0.2.7" } }, 0 },
		{ "whom it says no to", { .remote = "192.0.2.7",
		    .header = { "HOOKLATCH_METRICS=0" } }, 404 },
		{ "a header of that name", { .remote = "192.0.2.7",
		    .header = { "HTTP_HOOKLATCH_METRICS=1" } }, 404 },
		{ "a hook that is named", { .remote = "::1",
		    .header = { "HOOKLATCH_HOOK=/github" } }, 405 },
		{ "a hook that was asked for", { .remote = "::1",
		    .target = "/github", .header = { "HOOKLATCH_METRICS=1" } }, 405 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct ask a = t[i].ask;
		struct decision d;

		a.method = a.method != NULL ? a.method : "GET";
		a.target = a.target != NULL ? a.target : "/metrics";
		a.body = "";
		d = decide(a);
		CHECKF(t[i].status == 0 ? d.action == ACT_METRICS &&
		    d.answer.status == 200 && d.answer.type.n > 0 :
		    d.action == ACT_ANSWER && d.answer.status == t[i].status,
		    "%s (%d)", t[i].says, d.answer.status);
	}
}

/* Where nothing is kept, what only an inbox reads is not made. */
static void
events_not_kept(void)
{
	struct decision d;

	setting->conf->inbox_kind = INBOX_NONE;
	d = DECIDE(.body = "{}", .secret = "s3cret", .header = {
	    "HTTP_X_GITHUB_DELIVERY=72d3162e-cc78", "HTTP_X_GITHUB_EVENT=ping" });
	setting->conf->inbox_kind = INBOX_SQLITE;
	CHECK(d.action == ACT_STORE && str_eq(d.event.event_id,
	    STR("72d3162e-cc78")) && str_eq(d.event.event_type, STR("ping")),
	    "without an inbox an event has its names, for the log");
	CHECK(d.event.headers.p == NULL && !d.event.signed_bytes,
	    "and nothing that costs");
}

/* --- what is stored, and said then --------------------------------------------- */

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void
events(void)
{
	static const char body[] = "{\"zen\":\"Keep it simple\"}";
	struct decision d = DECIDE(.body = body, .secret = "s3cret",
	    .target = "/github?x=1", .header = {
	    "HTTP_X_GITHUB_DELIVERY=72d3162e-cc78", "HTTP_X_GITHUB_EVENT=ping",
	    "HOOKLATCH_REQUEST_ID=abc", "HTTP_TRACEPARENT=" TRACE });
	const struct event *e = &d.event;
	unsigned char sum[32];

	CHECK(d.action == ACT_STORE, "a genuine push is to be stored");
	CHECK(strncmp(e->id, "018bcfe5-6800-7", 15) == 0 &&
	    strlen(e->id) == EVENT_ID_LEN, "its id is a UUIDv7 of now");
	CHECK(e->received_at == NOW, "its time is given");
	CHECK(str_eq(e->hook, STR("/github")) &&
	    str_eq(e->provider, STR("github")), "hook and provider");
	CHECK(str_eq(e->event_id, STR("72d3162e-cc78")) &&
	    str_eq(e->event_type, STR("ping")), "the provider's id and type");
	CHECK(str_eq(e->body, str_of(body)) && e->size == sizeof(body) - 1,
	    "the exact body");
	CHECK(str_eq(e->target, STR("/github?x=1")) &&
	    str_eq(e->method, STR("POST")), "target and method as sent");
	CHECK(str_eq(e->remote, STR("192.0.2.7")), "who sent it");
	CHECK(has(e->headers, "[\"x-github-event\",\"ping\"]"), "its headers");
	CHECK(str_eq(e->scheme, STR("hmac-sha256")) && e->secret.n > 0 &&
	    !has(e->secret, "s3cret"), "the verdict's facts, by name");
	EVP_Digest(body, sizeof(body) - 1, sum, NULL, EVP_sha256(), NULL);
	CHECK(e->signed_bytes && !e->proven && memcmp(sum, e->digest, 32) == 0,
	    "an id in a header is not proven: the digest of what is signed");
	CHECK(!e->refuse_replay, "replays are stored unless refused");
	CHECK(str_eq(e->request_id, STR("abc")) &&
	    str_eq(e->trace, STR(TRACE)), "what finds it in other logs");
	CHECK(DECIDE(.target = "/once", .secret = "s3cret").event.refuse_replay,
	    "\"replay\": \"refuse\" goes with the event");

	d = DECIDE(.secret = "s3cret", .header = {
	    "HTTP_X_CLOUD_TRACE_CONTEXT=0af7651916cd43dd8448eb211c80319c/"
	    "13235353014750950193;o=1", "HTTP_TRACEPARENT=00-11-22-01" });
	CHECK(str_eq(d.event.trace, STR(TRACE)), "Google's trace header, where there "
	    "is no other that counts, as a traceparent");
	d = DECIDE(.secret = "s3cret", .header = { "HTTP_TRACEPARENT=a\nb" });
	CHECK(d.event.trace.n == 0, "a trace that is none");
}

static void
answers(void)
{
	struct stored as = { .id = "018bcfe5-6800-7000-8000-000000000000" };
	struct decision d = DECIDE(.secret = "s3cret");
	struct answer a = handler_stored(&d, &as, arena);

	CHECK(a.status == 200 && a.extra.n == 0 && a.body.n == 0,
	    "stored: 200 and nothing else");
	as.flags = STORED_REPEAT;
	CHECK(handler_stored(&d, &as, arena).status == 200, "a repeat: 200");
	a = handler_refused(&d, REFUSED_BUSY);
	CHECK(a.status == 503 && has(a.extra, "Retry-After: "), "busy: 503");
	a = handler_refused(&d, REFUSED_SYNC);
	CHECK(a.status == 503 && has(a.extra, "Retry-After: "),
	    "a failed sync: 503");
	CHECK(handler_refused(&d, REFUSED_RESERVED).status == 503,
	    "a courier of another version: 503");
	CHECK(handler_refused(&d, REFUSED_TOO_LARGE).status == 413,
	    "too large for the engine: 413");
	CHECK(handler_refused(&d, REFUSED_REPLAY).status == 401,
	    "a replay that is refused: 401");
	a = handler_later(NULL);
	CHECK(a.status == 503 && has(a.extra, "Retry-After: "), "later: 503");

	d = DECIDE(.target = "/pass", .secret = "s3cret");
	as.flags = 0;
	a = handler_stored(&d, &as, arena);
	CHECK(a.status == 503 && has(a.extra, "X-Accel-Redirect: @app\r\n") &&
	    has(a.extra, "X-Hooklatch-Event: 018bcfe5-6800-7000-8000-"
	    "000000000000\r\n") && has(a.extra, "X-Hooklatch-Hook: /pass\r\n") &&
	    has(a.extra, "X-Hooklatch-Provider: github\r\n") &&
	    has(a.extra, "X-Hooklatch-Repeat: 0\r\n"),
	    "pass: 503 to all but nginx, and who it is");
	as.flags = STORED_REPEAT;
	a = handler_stored(&d, &as, arena);
	CHECK(has(a.extra, "X-Hooklatch-Repeat: 1\r\n"), "a repeat passes, marked");
	d = DECIDE(.target = "/pass", .secret = "wrong");
	CHECK(d.action == ACT_ANSWER && d.answer.status == 401 &&
	    !has(d.answer.extra, "X-Accel"), "what is not genuine does not pass");
}

/* What a provider's file says of bodies in lines, and of "not now". */
static void
lines_and_later(void)
{
	static const struct { const char *says, *body; int status; } t[] = {
		{ "one text", "{\"a\":1}", 200 },
		{ "one text on several lines", "{\n\"a\":1\n}", 200 },
		{ "a text on each line", "{\"a\":1}\n{\"a\":2}\r\n[3]\n", 200 },
		{ "without the last line's end", "{\"a\":1}\n{\"a\":2}", 200 },
		{ "one that is broken", "{\"a\":1}\n{\"a\":2\n", 400 },
		{ "an empty line between", "{\"a\":1}\n\n{\"a\":2}\n", 400 },
		{ "two on a line", "{\"a\":1}{\"a\":2}\n", 400 },
		{ "lines alone", "\n\n", 400 },
	};
	struct decision d;
	struct answer a;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		d = DECIDE(.target = "/lines", .secret = "s3cret",
		    .body = t[i].body);
		CHECKF(d.answer.status == t[i].status, "lines of JSON: %s: %d",
		    t[i].says, d.answer.status);
	}
	d = DECIDE(.secret = "s3cret", .body = "{\"a\":1}\n{\"a\":2}\n");
	CHECK(d.answer.status == 400, "where the file does not say so they are not "
	    "well-formed");
	d = DECIDE(.target = "/lines", .secret = "s3cret");
	a = handler_refused(&d, REFUSED_BUSY);
	CHECK(a.status == 429 && has(a.extra, "Retry-After: 7\r\n"),
	    "busy: what the provider tries again after");
	CHECK(handler_refused(&d, REFUSED_REPLAY).status == 401,
	    "what is refused is refused as ever");
}

/* Deciding is pure: the same in, the same out, and nothing else moved. */
static void
pure(void)
{
	struct ask a = { .secret = "s3cret", .header = {
	    "HTTP_X_GITHUB_DELIVERY=1" } };
	struct decision first = decide(a), again = decide(a);

	CHECK(strcmp(first.event.id, again.event.id) == 0 &&
	    str_eq(first.event.headers, again.event.headers) &&
	    memcmp(first.event.digest, again.event.digest, 32) == 0,
	    "the same request is decided the same");
	CHECK(setting->users == 1, "a decision keeps no setting");
}

int
main(void)
{
	struct bundle *b = bundle_new();
	struct err e;

	if (b == NULL || bundle_put(b, STR("conf"),
	    str_of(configuration)) == -1)
		return 1;
	static const char *const secrets[] = { "plain:s3cret", "plain:new",
	    "plain:t0ken", "plain:user:pass" };
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		bundle_read_secret(b, str_of(secrets[i]), &e);
	setting = setting_new(b, "test", 1, &e);
	if (setting == NULL || (arena = arena_new(64u << 20)) == NULL) {
		printf("the configuration was refused: %s\n", e.text);
		test_failed++;
		TEST_END("handler");
	}
	in_order();
	methods();
	paths();
	addresses();
	certificates();
	handshakes();
	authentication();
	contents();
	limits();
	health();
	metrics();
	events();
	events_not_kept();
	answers();
	lines_and_later();
	pure();
	arena_free(arena);
	setting_drop(setting);
	TEST_END("handler");
}
