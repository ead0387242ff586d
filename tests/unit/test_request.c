/*
 * test_request.c - parameters and bodies of web servers, and of those who are not.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "request.h"
#include "sent.h"
#include "test.h"

static struct arena *arena;

static int
init(struct request *q, const char *const *env)
{
	arena_reset(arena);
	return request_init(q, arena, (char **)(uintptr_t)env);
}

/* --- parameters ---------------------------------------------------------------- */

static void
test_parameters(void)
{
	const char *env[] = { "HTTP_HOST=example.com", "REQUEST_METHOD=POST",
	    "REQUEST_URI=/hooks/a%2Fb?x=1&y=%41", "CONTENT_TYPE=application/json",
	    "CONTENT_LENGTH=7", "REMOTE_ADDR=192.0.2.1", "HTTP_X_FOO=bar",
	    "HOOKLATCH_TLS_VERIFY=SUCCESS", "SSL_CLIENT_VERIFY=NONE",
	    "HOOKLATCH_TLS_FINGERPRINT=ab12", "HOOKLATCH_REQUEST_ID=r1",
	    "SCRIPT_NAME=/other", NULL };
	struct request q;

	CHECK(init(&q, env) == 0, "a request of nginx is taken");
	CHECK(q.fault == REQUEST_FINE, "nothing is wrong with it");
	CHECK(str_eq(q.method, STR("POST")), "the method");
	CHECK(str_eq(q.path, STR("/hooks/a%2Fb")), "the path is as it was sent");
	CHECK(str_eq(q.query, STR("x=1&y=%41")), "the query is as it was sent");
	CHECK(q.has_length && q.length == 7, "the length");
	CHECK(str_eq(q.remote, STR("192.0.2.1")), "the address");
	CHECK(str_eq(q.tls_verify, STR("SUCCESS")), "our name for the certificate's "
	    "verdict goes before Apache's");
	CHECK(str_eq(q.tls_fingerprint, STR("ab12")), "the fingerprint");
	CHECK(str_eq(q.request_id, STR("r1")), "the request's id");
	CHECK(q.hook.p == NULL, "no hook is named");
	CHECK(q.nheaders == 3, "three headers");
	CHECK(str_eq(q.headers[0].name, STR("host")) &&
	    str_eq(q.headers[1].name, STR("content-type")) &&
	    str_eq(q.headers[2].name, STR("x-foo")), "in order, in lower case");
	CHECK(str_eq(request_header(&q, STR("x-foo"), NULL), STR("bar")),
	    "a header's value");
}

static void
test_apache(void)
{
	const char *env[] = { "REQUEST_METHOD=GET", "REQUEST_URI=/h", "SSL_CLIENT_VERIFY="
	    "FAILED:expired", "UNIQUE_ID=u1", "CONTENT_LENGTH=", NULL };
	struct request q;

	CHECK(init(&q, env) == 0 && q.fault == REQUEST_FINE, "a request of Apache");
	CHECK(str_eq(q.tls_verify, STR("FAILED:expired")), "Apache's own name");
	CHECK(str_eq(q.request_id, STR("u1")), "mod_unique_id's name");
	CHECK(!q.has_length, "an empty length is none");
	CHECK(q.query.n == 0 && q.path.n == 2, "no query");
}

/* What a client sends arrives as HTTP_* and can name nothing else. */
static void
test_forged_parameters(void)
{
	const char *env[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/h",
	    "HTTP_REMOTE_ADDR=10.0.0.1", "HTTP_HOOKLATCH_HOOK=/other",
	    "HTTP_HOOKLATCH_TLS_VERIFY=SUCCESS", "HTTP_PROXY=http://evil",
	    "HTTP_CONTENT_TYPE=text/html", "HTTP_CONTENT_LENGTH=1",
	    "HTTP_REQUEST_URI=/other", "HTTP_=x", "HTTP_X", "=y", NULL };
	struct request q;

	CHECK(init(&q, env) == 0, "it is taken");
	CHECK(q.remote.p == NULL, "an address cannot be sent as a header");
	CHECK(q.hook.p == NULL, "nor a hook");
	CHECK(q.tls_verify.p == NULL, "nor a certificate");
	CHECK(str_eq(q.target, STR("/h")), "nor a target");
	CHECK(q.content_type.p == NULL, "nor a Content-Type beside CONTENT_TYPE");
	CHECK(!q.has_length, "nor a length");
	CHECK(request_header(&q, STR("proxy"), NULL).p == NULL, "HTTP_PROXY is none");
	CHECK(request_header(&q, STR("content-type"), NULL).p == NULL,
	    "HTTP_CONTENT_TYPE is none");
	CHECK(q.nheaders == 4, "what is left are headers like others");
}

static void
test_faults(void)
{
	static const struct {
		const char *says;
		const char *env[4];
		enum request_fault want;
	} t[] = {
		{ "no method", { "REQUEST_URI=/", NULL }, REQUEST_BAD },
		{ "an empty method", { "REQUEST_URI=/", "REQUEST_METHOD=", NULL },
		    REQUEST_BAD },
		{ "no target", { "REQUEST_METHOD=GET", NULL }, REQUEST_BAD },
		{ "an empty target", { "REQUEST_METHOD=GET", "REQUEST_URI=", NULL },
		    REQUEST_BAD },
		{ "OPTIONS *", { "REQUEST_METHOD=OPTIONS", "REQUEST_URI=*", NULL },
		    REQUEST_BAD },
		{ "an absolute target", { "REQUEST_METHOD=GET",
		    "REQUEST_URI=http://h/x", NULL }, REQUEST_BAD },
		{ "nothing at all", { NULL }, REQUEST_BAD },
		{ "a target that is only a query", { "REQUEST_METHOD=GET",
		    "REQUEST_URI=?a=1", NULL }, REQUEST_BAD },
		{ "a good one", { "REQUEST_METHOD=GET", "REQUEST_URI=/?", NULL },
		    REQUEST_FINE },
	};
	struct request q;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		CHECKF(init(&q, t[i].env) == 0, "%s: is taken", t[i].says);
		CHECKF(q.fault == t[i].want, "%s: fault %d", t[i].says, t[i].want);
	}
}

static void
test_length(void)
{
	static const struct {
		const char *text;
		bool has;
		uint64_t length;
	} t[] = {
		{ "CONTENT_LENGTH=0", true, 0 },
		{ "CONTENT_LENGTH=26214400", true, 26214400 },
		{ "CONTENT_LENGTH=", false, 0 },
		{ "CONTENT_LENGTH=-1", false, 0 },
		{ "CONTENT_LENGTH=+1", false, 0 },
		{ "CONTENT_LENGTH=1 ", false, 0 },
		{ "CONTENT_LENGTH=0x10", false, 0 },
		{ "CONTENT_LENGTH=18446744073709551616", false, 0 },
		{ "CONTENT_LENGTH=1, 1", false, 0 },
	};
	struct request q;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *env[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/", t[i].text,
		    NULL };

		init(&q, env);
		CHECKF(q.has_length == t[i].has && q.length == t[i].length, "%s",
		    t[i].text);
	}
}

static void
test_limits(void)
{
	const char *env[REQUEST_HEADERS_MAX + 4];
	char names[REQUEST_HEADERS_MAX + 1][24];
	struct arena *small = arena_new(64);
	struct request q;
	size_t n;

	for (n = 0; n <= REQUEST_HEADERS_MAX; n++) {
		snprintf(names[n], sizeof(names[n]), "HTTP_X_%zu=v", n);
		env[n] = names[n];
	}
	env[n++] = "REQUEST_METHOD=POST";
	env[n++] = "REQUEST_URI=/";
	env[n] = NULL;
	CHECK(init(&q, env) == -1, "one header too many is refused");
	CHECK(init(&q, env + 1) == 0 && q.nheaders == REQUEST_HEADERS_MAX,
	    "as many as may be are taken");
	CHECK(request_init(&q, small, (char **)(uintptr_t)(env + 1)) == -1, "no room is said");
	arena_free(small);
}

static void
test_repeats(void)
{
	const char *env[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/h?a=1&a=2&b=%00x&c&=d",
	    "HTTP_X_SIG=one", "HTTP_X_SIG=two", "HTTP_X_EMPTY=",
	    "CONTENT_TYPE=application/json", "CONTENT_TYPE=text/html", NULL };
	struct request q;
	size_t n;

	init(&q, env);
	CHECK(request_header(&q, STR("x-sig"), &n).p == NULL && n == 2,
	    "a header that came twice has no value");
	CHECK(str_eq(request_header_nth(&q, STR("x-sig"), 1), STR("two")),
	    "but each can be had");
	CHECK(request_header_nth(&q, STR("x-sig"), 2).p == NULL, "and no more");
	CHECK(request_header(&q, STR("x-empty"), &n).p != NULL && n == 1,
	    "an empty one is there");
	CHECK(request_header(&q, STR("X-Sig"), &n).p == NULL && n == 0,
	    "names are asked for in lower case");
	CHECK(str_eq(q.content_type, STR("application/json")),
	    "the first Content-Type counts");
	CHECK(request_header(&q, STR("content-type"), &n).p != NULL && n == 1,
	    "and stands once among the headers");
	CHECK(request_query(&q, STR("a"), &n).p == NULL && n == 2,
	    "a query field that came twice has no value");
	CHECK(str_eq(request_query(&q, STR("b"), &n), ((struct str){ "\0x", 2 })),
	    "a NUL is a byte like others");
	CHECK(request_query(&q, STR("c"), &n).n == 0 && n == 1,
	    "a name without a value is there, empty");
	CHECK(request_query(&q, STR("d"), &n).p == NULL && n == 0, "what is not there");
}

/* --- bodies ------------------------------------------------------------------------ */

static void
with_body(struct request *q, const char *type, struct str body)
{
	char room[256];
	const char *env[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/", room,
	    NULL };

	snprintf(room, sizeof(room), "CONTENT_TYPE=%s", type);
	init(q, env);
	q->body = body;
}

static void
test_kinds(void)
{
	static const struct {
		const char *type;
		enum body_kind want;
	} t[] = {
		{ "application/json", BODY_JSON },
		{ "Application/JSON; charset=utf-8", BODY_JSON },
		{ "application/vnd.api+json", BODY_JSON },
		{ "application/cloudevents+json;charset=UTF-8", BODY_JSON },
		{ "text/json", BODY_JSON },
		{ "application/x-www-form-urlencoded", BODY_FORM },
		{ "multipart/form-data; boundary=x", BODY_MULTIPART },
		{ "", BODY_OTHER },
		{ "text/plain", BODY_OTHER },
		{ "application/jsonx", BODY_OTHER },
		{ "application/json, application/json", BODY_OTHER },
		{ "image/x+json", BODY_OTHER },
		{ "+json", BODY_OTHER },
		{ ";application/json", BODY_OTHER },
		{ "multipart/mixed; boundary=x", BODY_OTHER },
	};
	struct request q;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		with_body(&q, t[i].type, STR(""));
		CHECKF(request_body_kind(&q) == t[i].want, "\"%s\" is kind %d",
		    t[i].type, t[i].want);
	}
}

static void
test_form(void)
{
	struct request q;
	struct pair *pairs;
	size_t n;

	with_body(&q, "application/x-www-form-urlencoded",
	    STR("a=1&b=two+words&c=%C3%A9&a=2&d"));
	CHECK(request_fields(&q, &pairs, &n) == 0 && n == 5, "five fields");
	CHECK(str_eq(request_field(&q, STR("b"), NULL), STR("two words")),
	    "a plus is a space");
	CHECK(str_eq(request_field(&q, STR("c"), NULL), STR("\xc3\xa9")), "decoded");
	CHECK(request_field(&q, STR("a"), &n).p == NULL && n == 2,
	    "twice is no value");
	with_body(&q, "application/json", STR("a=1"));
	CHECK(request_fields(&q, &pairs, &n) == -1 && n == 0,
	    "a body of another kind has no fields");
	CHECK(request_field(&q, STR("a"), &n).p == NULL && n == 0, "not one");
}

#define MULTIPART	"multipart/form-data; boundary=xYz"
#define PART(name)	"\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"

static void
test_multipart(void)
{
	static const struct {
		const char *says, *type;
		struct str body;
		int want;		/* fields, or -1 */
	} t[] = {
		{ "two fields", MULTIPART, STR("--xYz" PART("a") "1\r\n--xYz" PART("b")
		    "2\r\n--xYz--\r\n"), 2 },
		{ "a quoted boundary", "multipart/form-data; boundary=\"xYz\"",
		    STR("--xYz" PART("a") "1\r\n--xYz--"), 1 },
		{ "a preamble", MULTIPART, STR("hello\r\n--xYz" PART("a")
		    "1\r\n--xYz--"), 1 },
		{ "a file is passed over", MULTIPART, STR("--xYz\r\nContent-Disposi"
		    "tion: form-data; name=\"f\"; filename=\"x.txt\"\r\nContent-Typ"
		    "e: text/plain\r\n\r\nbytes\r\n--xYz" PART("a")
		    "1\r\n--xYz--"), 1 },
		{ "no part at all", MULTIPART, STR("--xYz--"), 0 },
		{ "no boundary", "multipart/form-data", STR("--xYz--"), -1 },
		{ "an empty boundary", "multipart/form-data; boundary=",
		    STR("----"), -1 },
		{ "another boundary", MULTIPART, STR("--other" PART("a")
		    "1\r\n--other--"), -1 },
		{ "not ended", MULTIPART, STR("--xYz" PART("a") "1"), -1 },
		{ "a part without a name", MULTIPART, STR("--xYz\r\nContent-Dispositi"
		    "on: form-data\r\n\r\n1\r\n--xYz--"), -1 },
		{ "a part without headers", MULTIPART,
		    STR("--xYz\r\n\r\n1\r\n--xYz--"), -1 },
		{ "another disposition", MULTIPART, STR("--xYz\r\nContent-Dispositio"
		    "n: attachment; name=\"a\"\r\n\r\n1\r\n--xYz--"), -1 },
		{ "a name whose quote is not ended", MULTIPART, STR("--xYz\r\nContent"
		    "-Disposition: form-data; name=\"a\r\n\r\n1\r\n--xYz--"), -1 },
		{ "an empty body", MULTIPART, STR(""), -1 },
	};
	struct request q;
	struct pair *pairs;
	size_t n;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		with_body(&q, t[i].type, t[i].body);
		CHECKF(request_fields(&q, &pairs, &n) == (t[i].want < 0 ? -1 : 0) &&
		    n == (size_t)(t[i].want < 0 ? 0 : t[i].want),
		    "multipart: %s: %d fields, not %zu", t[i].says, t[i].want, n);
	}
	with_body(&q, MULTIPART, STR("--xYz\r\nContent-Disposition: form-data; "
	    "filename=\"name=evil\"; name=\"f\"\r\n\r\nbytes\r\n--xYz"
	    PART("a \\\"b\\\"") "x\r\ny\r\n--xYz--"));
	CHECK(str_eq(request_field(&q, STR("a \"b\""), NULL), STR("x\r\ny")),
	    "a quoted name, and a value with a newline");
	CHECK(request_field(&q, STR("f"), NULL).p == NULL && q.has_files,
	    "a file is no field, and it is said that there was one");
}

static void
test_json(void)
{
	struct request q;

	with_body(&q, "text/plain", STR("{\"a\":1}"));
	CHECK(request_json(&q), "well-formed, whatever the Content-Type says");
	with_body(&q, "application/json", STR("{\"a\":1} x"));
	CHECK(!request_json(&q), "something after it");
	with_body(&q, "application/json", STR(""));
	CHECK(!request_json(&q), "nothing is not JSON");
	with_body(&q, "application/json", STR("[[[1]]]"));
	q.json.depth = 2;
	CHECK(!request_json(&q), "deeper than may be");
}

/* What a file of a request holds, as a web server would hand it over. */
static void
test_sent(void)
{
	static char name[40000];
	struct header headers[] = { { STR("X-Foo-bar"), STR(" v ") },
	    { STR("Content-Type"), STR("text/plain") } };
	struct sent s = { .method = STR("POST"), .url = STR("https://h/x?a=1#f"),
	    .headers = headers, .nheaders = 2 };
	struct request q;

	arena_reset(arena);
	CHECK(sent_request(&s, arena, &q) == 0 && str_eq(q.target, STR("/x?a=1")) &&
	    str_eq(q.content_type, STR("text/plain")) && q.nheaders == 2 &&
	    str_eq(request_header(&q, STR("x-foo-bar"), NULL), STR("v")),
	    "a request that was sent");
	/* With the name's length and not its end another's memory would be written. */
	memset(name, 'a', sizeof(name));
	name[3] = '\0';
	headers[0].name = (struct str){ name, sizeof(name) };
	CHECK(sent_request(&s, arena, &q) == -1, "a NUL in a header's name");
	headers[0].name = STR("x-a");
	headers[0].value = STR("b\0c");
	CHECK(sent_request(&s, arena, &q) == -1, "or in its value");
	headers[0].value = STR("b");
	s.url = STR("/a\0b");
	CHECK(sent_request(&s, arena, &q) == -1, "or in the URL");
	s.url = STR("/a");
	s.method = STR("PO\0ST");
	CHECK(sent_request(&s, arena, &q) == -1, "or in the method");
}

int
main(void)
{
	arena = arena_new(4 * 1024 * 1024);
	test_parameters();
	test_apache();
	test_forged_parameters();
	test_faults();
	test_length();
	test_limits();
	test_repeats();
	test_kinds();
	test_form();
	test_multipart();
	test_json();
	test_sent();
	arena_free(arena);
	TEST_END("request");
}
