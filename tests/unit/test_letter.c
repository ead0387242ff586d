/*
 * test_letter.c - what is made of a template and an event: values stay values, whatever
 * bytes they are.  In the tables ' is ".
 */
#include <string.h>

#include "../../base/json.h"
#include "../../letter.h"
#include "test.h"

#define COUNT(t)	(sizeof(t) / sizeof((t)[0]))

/* A copy where each ' is a ", until the eighth call after. */
static struct str
quotes(const char *text)
{
	static char room[8][4096];
	static unsigned next;
	char *p = room[next++ % 8];
	size_t n = strlen(text);

	if (n >= sizeof(room[0]))
		abort();
	for (size_t i = 0; i <= n; i++)
		p[i] = text[i] == '\'' ? '"' : text[i];
	return (struct str){ p, n };
}

static const char BODY[] =
    "{'order':{'id':17,'name':'A \\u0026 B','price':1.50e2,'note':null,'ok':true,"
    "'items':[{'sku':'x/y'},{'sku':''}]},'up':'..','lines':'a\\r\\nX: y',"
    "'inject':'\\'},{\\'admin\\':true','nul':'a\\u0000b','twice':1,'twice':2,"
    "'dot':'.','smile':'\\ud83d\\ude00','a.b':'dotted','percent':'100%&x=1#?','space':' '}";

static const char HEADERS[] =
    "[['content-type','application/json'],['x-one','1'],['x-two','a'],['x-two','b'],"
    "['x-bytes',{'base64':'w/4='}],['x-quote','say \\'hi\\'']]";

static struct event
event(const char *body)
{
	struct event e = {
		.id = "0198c0de-0000-7000-8000-000000000001",
		.received_at = 1700000000123,
		.hook = STR("/hooks/shop"), .provider = STR("shop"),
		.event_id = STR("evt_1"), .event_type = STR("order.paid"),
		.method = STR("POST"), .target = STR("/hooks/shop?a=b&c=d"),
		.headers = quotes(HEADERS), .body = quotes(body), .body_fd = -1,
	};

	e.size = e.body.n;
	return e;
}

/* --- what a configuration may say --------------------------------------------------- */

static const struct {
	enum letter_kind kind;
	const char	*template;
	const char	*why;		/* a part of the sentence; NULL: it is taken */
} checks[] = {
	{ LETTER_URL, "https://a.example/", NULL },
	{ LETTER_URL, "http://[::1]:8080/x", NULL },
	{ LETTER_URL, "https://a.example/{id}/{body:a[0].b}?t={type}&h={header:X-A}", NULL },
	{ LETTER_URL, "https://a.example?id={id}", NULL },
	{ LETTER_URL, "https://a.example/{body:\"a.b\"}", NULL },
	{ LETTER_URL, "https://a.example/%7B", NULL },
	{ LETTER_URL, "https://a.example/...", NULL },
	{ LETTER_URL, "https://{body:host}/", "no word may stand in the host" },
	{ LETTER_URL, "https://a.example{id}/", "no word may stand in the host" },
	{ LETTER_URL, "https://a.example:{id}/", "no word may stand in the host" },
	{ LETTER_URL, "{body:url}", "begins with https://" },
	{ LETTER_URL, "ftp://a.example/", "begins with https://" },
	{ LETTER_URL, "file:///etc/passwd", "begins with https://" },
	{ LETTER_URL, "https:///x", "begins with https://" },
	{ LETTER_URL, "", "begins with https://" },
	{ LETTER_URL, "https://u:p@a.example/", "no place for secrets" },
	{ LETTER_URL, "https://a.example\\@b.example/", "no name" },
	{ LETTER_URL, "https://a b/", "no name" },
	{ LETTER_URL, "https://:80/", "no name" },
	{ LETTER_URL, "https://a.example/#x", "never sent" },
	{ LETTER_URL, "https://a.example/a b", "written %XX" },
	{ LETTER_URL, "https://a.example/\r\nX: y", "written %XX" },
	{ LETTER_URL, "https://a.example/\xc3\xa4", "written %XX" },
	{ LETTER_URL, "https://a.example/%zz", "written %XX" },
	{ LETTER_URL, "https://a.example/%4", "written %XX" },
	{ LETTER_URL, "https://a.example/{{id}}", "written %XX" },
	{ LETTER_URL, "https://a.example/a/../b", "\"..\"" },
	{ LETTER_URL, "https://a.example/%2E%2e", "\"..\"" },
	{ LETTER_URL, "https://a.example/.", "\".\"" },
	{ LETTER_URL, "https://a.example/{idd}", "there is no word {idd}" },
	{ LETTER_URL, "https://a.example/{}", "there is no word {}" },
	{ LETTER_URL, "https://a.example/{id", "has no \"}\"" },
	{ LETTER_URL, "https://a.example/id}", "has no \"{\"" },
	{ LETTER_URL, "https://a.example/{id:x}", "takes nothing" },
	{ LETTER_URL, "https://a.example/{id:}", "takes nothing" },
	{ LETTER_URL, "https://a.example/{header}", "a header's name" },
	{ LETTER_URL, "https://a.example/{header:}", "a header's name" },
	{ LETTER_URL, "https://a.example/{header:a b}", "a header's name" },
	{ LETTER_URL, "https://a.example/{body:}", "leads nowhere" },
	{ LETTER_URL, "https://a.example/{body:a..b}", "leads nowhere" },
	{ LETTER_URL, "https://a.example/{body:a[x]}", "leads nowhere" },
	{ LETTER_URL, "https://a.example/{body:a[0}", "leads nowhere" },

	{ LETTER_HEADER, "", NULL },
	{ LETTER_HEADER, "Bearer-ish {id} {{x}}\t{body}", NULL },
	{ LETTER_HEADER, "a\r\nb", "line's end" },
	{ LETTER_HEADER, "a\nb", "line's end" },
	{ LETTER_HEADER, "a\x7f", "control byte" },
	{ LETTER_HEADER, "{nonsense}", "there is no word" },
	{ LETTER_HEADER, "{type<}", "there is no word" },
	{ LETTER_HEADER, "{type<99999999999999999999999}", "there is no word" },
	{ LETTER_JSON, "{'a':{headers},'b':'{headers}','c':{body_base64}}", NULL },
	{ LETTER_HEADER, "{body_base64:x}", "takes nothing" },

	{ LETTER_JSON, "{body}", NULL },
	{ LETTER_JSON, "{}", NULL },
	{ LETTER_JSON, "{'a':{body},'b':[{id},{size}],'c':'{type} {{x}}'}", NULL },
	{ LETTER_JSON, "{'a':{'b':{'c':{id}}}}", NULL },
	{ LETTER_JSON, "'{body:\\'a.b\\'}'", NULL },
	{ LETTER_JSON, "{'\\\\':'\\'{id}'}", NULL },
	{ LETTER_JSON, "{'{type}':1}", NULL },
	{ LETTER_JSON, "", "is no JSON" },
	{ LETTER_JSON, "{id}{id}", "is no JSON" },
	{ LETTER_JSON, "-{size}", "is no JSON" },
	{ LETTER_JSON, "1{size}", "is no JSON" },
	{ LETTER_JSON, "{{id}:1}", "is no JSON" },
	{ LETTER_JSON, "{'a':{id}", "is no JSON" },
	{ LETTER_JSON, "{'a':'{id}}'}", "has no \"{\"" },
	{ LETTER_JSON, "{'a':'{id'}", "there is no word" },
	{ LETTER_JSON, "{'a':id}", "is no JSON" },
};

static void
configuration(void)
{
	static char long_one[LETTER_TEXT + 2], words[LETTER_WORDS * 4 + 5];
	struct err e;

	for (size_t i = 0; i < COUNT(checks); i++) {
		struct str t = quotes(checks[i].template);
		int r;

		e = (struct err){ ERR_NONE, "" };
		r = letter_check((struct str){ test_flush(t.p, t.n), t.n },
		    checks[i].kind, &e);
		if (checks[i].why == NULL)
			CHECKF(r == 0, "%s is taken (%s)", checks[i].template, e.text);
		else
			CHECKF(r == -1 && e.code == ERR_CONF &&
			    strstr(e.text, checks[i].why) != NULL, "%s is not: %s (%s)",
			    checks[i].template, checks[i].why, e.text);
	}
	memset(long_one, 'x', sizeof(long_one) - 1);
	CHECK(letter_check(str_of(long_one), LETTER_HEADER, &e) == -1,
	    "a template has a limit");
	for (size_t i = 0; i <= LETTER_WORDS; i++)
		memcpy(words + 4 * i, "{id}", 4);
	CHECK(letter_check((struct str){ words, 4 * LETTER_WORDS }, LETTER_HEADER,
	    &e) == 0, "so many words");
	CHECK(letter_check((struct str){ words, 4 * LETTER_WORDS + 4 }, LETTER_HEADER,
	    &e) == -1, "and no more");
}

/* --- what comes of it ------------------------------------------------------------------ */

static const struct {
	enum letter_kind kind;
	const char	*template;
	const char	*gives;		/* or NULL, and */
	const char	*why;
} writes[] = {
	{ LETTER_URL, "https://a.example/{id}", "https://a.example/"
	    "0198c0de-0000-7000-8000-000000000001", NULL },
	{ LETTER_URL, "https://a.example/{hook}/{provider}?e={event_id}&t={type}",
	    "https://a.example/%2Fhooks%2Fshop/shop?e=evt_1&t=order.paid", NULL },
	{ LETTER_URL, "https://a.example/?t={target}", "https://a.example/?t="
	    "%2Fhooks%2Fshop%3Fa%3Db%26c%3Dd", NULL },
	{ LETTER_URL, "https://a.example/{body:order.items[0].sku}",
	    "https://a.example/x%2Fy", NULL },
	{ LETTER_URL, "https://a.example/?q={body:percent}",
	    "https://a.example/?q=100%25%26x%3D1%23%3F", NULL },
	{ LETTER_URL, "https://a.example/{body:lines}",
	    "https://a.example/a%0D%0AX%3A%20y", NULL },
	{ LETTER_URL, "https://a.example/{body:smile}",
	    "https://a.example/%F0%9F%98%80", NULL },
	{ LETTER_URL, "https://a.example/{body:order.id}/{body:order.price}",
	    "https://a.example/17/1.50e2", NULL },
	{ LETTER_URL, "https://a.example/x{body:up}", "https://a.example/x..", NULL },
	{ LETTER_URL, "https://a.example/{body:up}", NULL, "leads elsewhere" },
	{ LETTER_URL, "https://a.example/a/{body:up}/b", NULL, "leads elsewhere" },
	{ LETTER_URL, "https://a.example/.{body:dot}?x", NULL, "\".\"" },
	{ LETTER_URL, "https://a.example/?q={body:up}", "https://a.example/?q=..", NULL },
	{ LETTER_URL, "https://a.example/{body:nothing}", NULL, "has none" },
	{ LETTER_URL, "https://a.example/{body:order.items[1].sku}", NULL, "has none" },
	{ LETTER_URL, "https://a.example/?q={body:nothing}&r={header:x-no}",
	    "https://a.example/?q=&r=", NULL },

	{ LETTER_HEADER, "{method} {size} {attempt} {destination}", "POST @ 3 crm", NULL },
	{ LETTER_HEADER, "{received_at}", "2023-11-14T22:13:20.123Z", NULL },
	{ LETTER_HEADER, "{header:X-Two};{header:content-type}", "a, b;application/json",
	    NULL },
	{ LETTER_HEADER, "{header:x-bytes}", "\xc3\xfe", NULL },
	{ LETTER_HEADER, "{header:x-none}|{body:twice}|{body:order[0]}", "||", NULL },
	{ LETTER_HEADER, "{body:order.items}", "[{'sku':'x/y'},{'sku':''}]", NULL },
	{ LETTER_HEADER, "{body:order.name}", "A & B", NULL },
	{ LETTER_HEADER, "{body:\"a.b\"} {{}}", "dotted {}", NULL },
	{ LETTER_HEADER, "{body:lines}", NULL, "{body:lines} holds a line's end" },
	{ LETTER_HEADER, "{body:nul}", NULL, "control byte" },

	{ LETTER_JSON, "{'n':{body:order.id},'p':{body:order.price}}",
	    "{'n':17,'p':1.50e2}", NULL },
	{ LETTER_JSON, "[{body:order.note},{body:order.ok},{body:nothing},{body:twice}]",
	    "[null,true,null,null]", NULL },
	{ LETTER_JSON, "{'a':{body:order.items},'b':'{body:order.items[0]}'}",
	    "{'a':[{'sku':'x/y'},{'sku':''}],'b':'{\\'sku\\':\\'x/y\\'}'}", NULL },
	{ LETTER_JSON, "{'v':{body:inject}}", "{'v':'\\'},{\\'admin\\':true'}", NULL },
	{ LETTER_JSON, "{'v':'{body:inject}'}", "{'v':'\\'},{\\'admin\\':true'}", NULL },
	{ LETTER_JSON, "{'{body:inject}':'x{{y}}'}", "{'\\'},{\\'admin\\':true':'x{y}'}", NULL },
	{ LETTER_JSON, "'{body:lines}|{body:nul}'", "'a\\r\\nX: y|a\\u0000b'", NULL },
	{ LETTER_JSON, "'{body:\\'a.b\\'} {body:nothing}.'", "'dotted .'", NULL },
	{ LETTER_JSON, "[{type},{size},{attempt},{header:x-quote},{header:x-none}]",
	    "['order.paid',@,3,'say \\'hi\\'',null]", NULL },
	{ LETTER_HEADER, "{type<7}|{type<99}|{type<0}|{body:order.name<3}|{hook<6}",
	    "order.p|order.paid||A &|/hooks", NULL },
	{ LETTER_HEADER, "{body:smile<3}|{body:smile<4}", "|\xf0\x9f\x98\x80", NULL },
	{ LETTER_HEADER, "{hash}", "99caf23109aeee292a97a8528f25ac3115eb41a7bfa681ed18b0c9848073bf47", NULL },
	{ LETTER_URL, "https://a.example/?t={type<5}", "https://a.example/?t=order", NULL },
	{ LETTER_JSON, "['{header:x-bytes<5}',{type<2},{body:order.price<2},'{body:order<4}']",
	    "['\xef\xbf\xbd','or',1.50e2,'{\\'id']", NULL },
	{ LETTER_JSON, "[{header:x-bytes}]", "['\xef\xbf\xbd\xef\xbf\xbd']", NULL },
};

static void
is_written(const char *says, enum letter_kind kind, struct str template,
    const struct event *e, struct str gives, const char *why, enum errcode code)
{
	struct letter l = { .event = e, .destination = STR("crm"), .attempt = 3 };
	struct buf out = BUF(kind == LETTER_JSON ? LETTER_JSON_MAX : LETTER_URL_MAX);
	struct arena *a = arena_new(LETTER_MEMORY);
	struct err err = { ERR_NONE, "" };
	int r = letter_write(&out, template, kind, &l, a, &err);

	if (why == NULL)
		CHECKF(r == 0 && str_eq(buf_str(&out), gives), "%s gives %.*s (%.*s %s)",
		    says, STR_ARG(str_head(gives, 200)),
		    STR_ARG(str_head(buf_str(&out), 200)), err.text);
	else
		CHECKF(r == -1 && err.code == code && strstr(err.text, why) != NULL,
		    "%s: %s (%s)", says, why, err.text);
	buf_free(&out);
	arena_free(a);
}

static void
letters(void)
{
	struct event e = event(BODY);
	char size[16], gives[4096];

	snprintf(size, sizeof(size), "%zu", e.body.n);
	e.body.p = test_flush(e.body.p, e.body.n);
	e.headers = (struct str){ strndup(e.headers.p, e.headers.n), e.headers.n };
	for (size_t i = 0; i < COUNT(writes); i++) {
		struct str want = quotes(writes[i].gives == NULL ? "" : writes[i].gives);
		ptrdiff_t at = str_find(want, '@');

		/* "@" is the size. */
		if (at >= 0) {
			snprintf(gives, sizeof(gives), "%.*s%s%s", (int)at, want.p, size,
			    want.p + at + 1);
			want = str_of(gives);
		}
		is_written(writes[i].template, writes[i].kind, quotes(writes[i].template),
		    &e, want, writes[i].why, ERR_DATA);
	}
	free((void *)(uintptr_t)e.headers.p);
}

/* --- all of a body ------------------------------------------------------------------------ */

static void
whole_bodies(void)
{
	struct event e = event(" {'a' : 1}\n");
	char *large;

	is_written("JSON is put as it stands", LETTER_JSON, quotes("{'b':{body}}"), &e,
	    quotes("{'b': {'a' : 1}\n}"), NULL, 0);
	is_written("in a string it is text", LETTER_JSON, quotes("{'b':'{body}'}"), &e,
	    quotes("{'b':' {\\'a\\' : 1}\\n'}"), NULL, 0);
	e = event("'text'");
	is_written("a string is JSON as well", LETTER_JSON, quotes("[{body}]"), &e,
	    quotes("['text']"), NULL, 0);
	e = event("a=1&b=2");
	is_written("what is not JSON becomes a string", LETTER_JSON, quotes("[{body}]"),
	    &e, quotes("['a=1&b=2']"), NULL, 0);
	is_written("and has no fields", LETTER_JSON, quotes("[{body:a}]"), &e,
	    quotes("[null]"), NULL, 0);
	is_written("in a URL it is encoded", LETTER_URL, STR("https://a/?{body}"), &e,
	    STR("https://a/?a%3D1%26b%3D2"), NULL, 0);
	e = event("\xff\xfe");
	is_written("bytes are no text", LETTER_JSON, quotes("[{body}]"), &e, STR(""),
	    "not UTF-8", ERR_DATA);
	is_written("nor in a string", LETTER_JSON, quotes("['{body}']"), &e, STR(""),
	    "not UTF-8", ERR_DATA);
	is_written("a URL takes them", LETTER_URL, STR("https://a/{body}"), &e,
	    STR("https://a/%FF%FE"), NULL, 0);
	e = event("");
	is_written("an empty body is an empty string", LETTER_JSON, quotes("[{body}]"),
	    &e, quotes("['']"), NULL, 0);
	e.body = STR_NONE;
	is_written("none as well", LETTER_JSON, quotes("[{body}]"), &e, quotes("['']"),
	    NULL, 0);
	e.size = 300000;
	is_written("one in a file cannot be told", LETTER_JSON, quotes("[{body}]"), &e,
	    STR(""), "over 256 KiB", ERR_DATA);
	is_written("nor a field of it", LETTER_URL, STR("https://a/{body:id}"), &e,
	    STR(""), "over 256 KiB", ERR_DATA);
	is_written("the rest of it can", LETTER_JSON, quotes("[{size}]"), &e,
	    STR("[300000]"), NULL, 0);

	large = malloc(EVENT_INLINE);
	memset(large, 'x', EVENT_INLINE);
	e = event("");
	e.body = (struct str){ large, EVENT_INLINE };
	e.size = EVENT_INLINE;
	is_written("a URL has a limit", LETTER_URL, STR("https://a/{body}"), &e, STR(""),
	    "over 8192 bytes", ERR_DATA);
	is_written("so has a header", LETTER_HEADER, STR("{body}"), &e, STR(""),
	    "over 8192 bytes", ERR_DATA);
	is_written("and a body", LETTER_JSON, quotes("[{body},{body},{body},{body}]"), &e,
	    STR(""), "over 1048576 bytes", ERR_DATA);
	is_written("a template that is wrong is not the event's fault", LETTER_JSON,
	    STR("[{nothing}]"), &e, STR(""), "there is no word", ERR_CONF);
	free(large);
}

/* --- names, hosts, keys ----------------------------------------------------------------------- */

static void
names(void)
{
	static const struct { const char *name; bool fine; } t[] = {
		{ "X-Api-Key", true }, { "Host", true }, { "Content-Type", true },
		{ "", false }, { "a b", false }, { "a:", false }, { "a\r\nb", false },
		{ "\xc3\xa4", false }, { "Content-Length", false },
		{ "transfer-encoding", false }, { "Connection", false },
		{ "EXPECT", false }, { "te", false },
	};
	static const char *const hosts[][2] = {
		{ "https://a.example/x?y", "a.example" },
		{ "http://a.example:81?y@z", "a.example:81" },
		{ "https://[::1]:8/", "[::1]:8" }, { "https://", "" }, { "x", "" },
	};
	struct err e;

	for (size_t i = 0; i < COUNT(t); i++)
		CHECKF((letter_check_header(str_of(t[i].name), &e) == 0) == t[i].fine,
		    "the header \"%s\" %s", t[i].name, t[i].fine ? "can be set" :
		    "cannot");
	for (size_t i = 0; i < COUNT(hosts); i++)
		CHECKF(str_eq(letter_host(str_of(hosts[i][0])), str_of(hosts[i][1])),
		    "the host of %s", hosts[i][0]);
}

static void
whole_urls(void)
{
	static const struct { const char *url; bool is; } u[] = {
		{ "https://a.example/x?y=z", true }, { "http://127.0.0.1:1", true },
		{ "https://u:p@a.example/{x}", true }, { "https:///x", false },
		{ "ftp://a.example/", false }, { "a.example", false }, { "", false },
		{ "https://a.example/a b", false }, { "https://a.example/\n", false },
		{ "https://a.example/#x", false }, { " https://a.example/", false },
	};

	for (size_t i = 0; i < sizeof(u) / sizeof(u[0]); i++) {
		struct str s = str_of(u[i].url);

		s.p = test_flush(s.p, s.n);
		CHECKF(letter_is_url(s) == u[i].is, "%s is%s one", u[i].url,
		    u[i].is ? "" : " not");
	}
}

static void
keys(void)
{
	static const struct { const char *says, *written; size_t n; } t[] = {
		{ "that of the specification", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 24 },
		{ "one without its beginning", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 0 },
		{ "one that is too short", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaQ=", 0 },
		{ "one that is no base64", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!w", 0 },
		{ "nothing", "", 0 },
		{ "one of 65 bytes", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0 },
	};
	unsigned char key[LETTER_KEY_MAX];
	struct err e;
	size_t n;

	for (size_t i = 0; i < COUNT(t); i++) {
		n = 0;
		e.text[0] = '\0';
		CHECKF((letter_key(str_of(t[i].written), key, &n, &e) == 0 ? n : 0) ==
		    t[i].n, "a key: %s", t[i].says);
		CHECKF(t[i].n > 0 || strstr(e.text, "MfKQ") == NULL,
		    "and nothing of it is said: %s", t[i].says);
	}
	CHECK(json_is_path(STR("a[0].\"b.c\"")) && !json_is_path(STR("")),
	    "a path is known by its form");
}

int
main(void)
{
	configuration();
	letters();
	whole_bodies();
	names();
	whole_urls();
	keys();
	TEST_END("letter");
}
