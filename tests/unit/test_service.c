/* test_service.c - which files are a service, and what is said of those that are not. */
#include "base/arena.h"
#include "bundle.h"
#include "service.h"
#include "test.h"

#define S(rest)	"{\"name\":\"a\",\"url\":\"https://a/\"" rest "}"
#define P	",\"parameters\":{\"to\":{\"means\":\"m\",\"words\":true}," \
		"\"of\":{\"means\":\"m\",\"optional\":true}}"

static const struct { const char *says, *text, *want; } t[] = {
	{ "the least", S(""), NULL },
	{ "all of it", S(P ",\"docs\":\"d\",\"one_of\":[\"to\",\"of\"],\"body\":{\"a\":["
	  "\"{param:to}\",1.5,null,true]},\"google\":\"access\",\"scope\":\"s\","
	  "\"per_day\":false,\"retry_at\":\"x-reset\",\"emulator\":\"A_HOST\","
	  "\"answers\":[{\"status\":409,\"has\":\"a.b[0]\",\"equals\":\"x\","
	  "\"is\":\"done\",\"says\":\"y\"}]"), NULL },
	{ "events together", S(P ",\"body\":{\"l\":[{\"a\":\"{id}\",\"k\":\"{param:to}\"}]"
	  "},\"batch\":{\"list\":\"l\",\"most\":2,\"bytes\":9000,\"key\":\"k\","
	  "\"done\":\"ids\"},\"answers\":[{\"status\":200,\"has\":\"e[].x[0].y\","
	  "\"is\":\"dead\",\"says\":\"s\"}]"), NULL },
	{ "a list that is not there", S(",\"body\":{},\"batch\":{\"list\":\"l\","
	  "\"most\":2,\"bytes\":9}"), "\"list\" must be a list in \"body\"" },
	{ "a list of two", S(",\"body\":{\"l\":[{},{}]},\"batch\":{\"list\":\"l\","
	  "\"most\":2,\"bytes\":9}"), "\"list\" must be a list in \"body\"" },
	{ "a key that is not there", S(",\"body\":{\"l\":[{\"a\":\"b\"}]},\"batch\":{"
	  "\"list\":\"l\",\"most\":2,\"bytes\":9,\"key\":\"k\"}"),
	  "\"key\" must be a member" },
	{ "too many together", S(",\"body\":{\"l\":[{\"a\":\"b\"}]},\"batch\":{"
	  "\"list\":\"l\",\"most\":2000,\"bytes\":9}"), "\"most\" must be 2 to 1000" },
	{ "too long", S(",\"body\":{\"l\":[{\"a\":\"b\"}]},\"batch\":{"
	  "\"list\":\"l\",\"most\":2,\"bytes\":10000001}"), "\"bytes\" must be 1 to" },
	{ "a path with half a bracket", S(",\"answers\":[{\"status\":200,\"has\":"
	  "\"a[\",\"is\":\"done\",\"says\":\"s\"}]"), "\"has\" must be a path" },
	{ "OAuth 1.0a", S(",\"authorization\":\"oauth1\",\"per_day\":true"), NULL },
	{ "a URL that is given", "{\"name\":\"a\",\"url\":\"{param:to}\"" P "}", NULL },
	{ "no JSON", "{", "f.json:1:" },
	{ "a list", "[]", "f.json:1:1: a service is an object" },
	{ "no name", "{\"url\":\"https://a/\"}", "f.json:1:1: a service has no \"name\"" },
	{ "no URL", "{\"name\":\"a\"}", "f.json:1:1: a service has no \"url\"" },
	{ "a number for its name", "{\"name\":1,\"url\":\"https://a/\"}",
	  "f.json:1:2: \"name\" must be a text" },
	{ "a misspelt word", S(",\n\"bodi\":{}"), "f.json:2:1: a service has no word "
	  "\"bodi\"; did you mean \"body\"?" },
	{ "a URL of another kind", "{\"name\":\"a\",\"url\":\"ftp://a\"}",
	  "f.json:1:13: \"url\" must begin with \"https://\", " },
	{ "parameters in a list", S(",\"parameters\":[]"), "\"parameters\" must be an object" },
	{ "a parameter that does not say what it means", S(",\n\"parameters\":{\n\"a\":{}}"),
	  "f.json:3:1: a parameter has no \"means\"" },
	{ "a misspelt word of one", S(",\"parameters\":{\"a\":{\"means\":\"m\",\n"
	  "\"option\":true}}"), "f.json:2:1: a parameter has no word \"option\"; did you "
	  "mean \"optional\"?" },
	{ "a word for a truth", S(",\"parameters\":{\"a\":{\"means\":\"m\","
	  "\"words\":\"yes\"}}"), "\"words\" must be true or false" },
	{ "a parameter that is a key", S(",\"parameters\":{\"timeout\":{\"means\":\"m\"}}"),
	  "\"timeout\" is a key of every destination" },
	{ "the one that each has", S(",\"parameters\":{\"endpoint\":{\"means\":\"m\"}}"),
	  "\"endpoint\" is a key of every destination" },
	{ "a parameter with a brace", S(",\"parameters\":{\"a}\":{\"means\":\"m\"}}"),
	  "\"a}\" is no name of a parameter" },
	{ "a text for a parameter", S(",\"parameters\":{\"a\":\"m\"}"),
	  "\"a\" must be an object" },
	{ "one of what is not there", S(P ",\"one_of\":[\"to\",\"off\"]"),
	  "\"one_of\" must be a list of parameters" },
	{ "a parameter of the URL that is not there", "{\"name\":\"a\","
	  "\"url\":\"https://a/{param:x}\"" P "}", "\"x\" is no parameter of the service" },
	{ "of the body", S(P ",\"body\":{\"a\":{\"b\":[\"{type} {param:too}\"]}}"),
	  "\"too\" is no parameter of the service" },
	{ "one that does not end", S(P ",\"body\":{\"a\":\"{param:to\"}"),
	  "\"\" is no parameter of the service" },
	{ "a token of no kind", S(",\"google\":\"both\""), "\"google\" must be access or id" },
	{ "a scope of nothing", S(",\"scope\":\"s\""), "\"scope\" goes with \"google\"" },
	{ "an authorization of no kind", S(",\"authorization\":\"oauth2\""),
	  "\"authorization\" must be oauth1" },
	{ "two of them", S(",\"google\":\"id\",\"authorization\":\"oauth1\""),
	  "\"authorization\" must be oauth1, and goes without" },
	{ "a header with a line's end", S(",\"retry_at\":\"a\\nb\""),
	  "\"retry_at\" must be plain text" },
	{ "answers that are texts", S(",\"answers\":[\"a\"]"),
	  "\"answers\" must be a list of objects" },
	{ "a status that is none", S(",\"answers\":[{\"status\":20,\"is\":\"done\","
	  "\"says\":\"s\"}]"), "\"status\" must be 100 to 599" },
	{ "an outcome that is none", S(",\"answers\":[{\"status\":200,\"is\":\"fine\","
	  "\"says\":\"s\"}]"), "\"is\" must be done, later or dead" },
	{ "no sentence", S(",\"answers\":[{\"status\":200,\"is\":\"done\"}]"),
	  "an answer has no \"says\"" },
	{ "a path that is none", S(",\"answers\":[{\"status\":200,\"has\":\"a..b\","
	  "\"is\":\"done\",\"says\":\"s\"}]"), "\"has\" must be a path" },
	{ "a value of nothing", S(",\"answers\":[{\"status\":200,\"equals\":\"a\","
	  "\"is\":\"done\",\"says\":\"s\"}]"), "\"equals\" goes with \"has\"" },
};

static void
files(void)
{
	static const char *const names[] = { "", "A", "a b", "a.b", "a/b", "..", NULL };
	struct err e = { ERR_NONE, "" };

	for (size_t i = 0; i < service_texts_count; i++)
		CHECKF(service_check(service_texts[i].id, service_texts[i].text, "f.json",
		    &e) == 0, "%.*s, which ships: %s", STR_ARG(service_texts[i].id),
		    e.text);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct str text = str_of(t[i].text);
		int r;

		text.p = test_flush(text.p, text.n);
		r = service_check(STR("mine"), text, "f.json", &e);
		CHECKF(t[i].want == NULL ? r == 0 : r == -1 && strstr(e.text, t[i].want) !=
		    NULL && strncmp(e.text, "f.json:", 7) == 0, "%s: %s", t[i].says,
		    r == 0 ? "it is taken" : e.text);
	}
	for (size_t i = 0; names[i] != NULL; i++)
		CHECKF(service_check(str_of(names[i]), str_of(S("")), "f.json", &e) == -1,
		    "\"%s\" is no name of a service", names[i]);
}

/* By the bundle: one's own goes before what ships. */
static void
own(void)
{
	static const char conf[] = "{\"destinations\":{\"d\":{\"service\":\"mine\","
	    "\"to\":\"{type}\",\"priority\":\"5\"},\"p\":{\"service\":\"pubsub\","
	    "\"room\":\"r\"}}}";
	struct bundle *b = bundle_new();
	struct err e = { ERR_NONE, "" };
	struct conf *c;

	bundle_put(b, STR("conf"), str_of(conf));
	CHECK(conf_gathered(b, "c.json", &e) == NULL && strstr(e.text, "c.json:1:"
	    "18: destination \"d\": there is no service \"mine\"") != NULL,
	    "a service that is not there");
	bundle_put(b, STR("service:mine"), STR("{\"name\":\"m\",\"url\":\"https://m/\","
	    "\"parameters\":{\"to\":{\"means\":\"m\",\"words\":true},\"priority\":{"
	    "\"means\":\"p\"},\"of\":{\"means\":\"o\",\"optional\":true}},\"body\":{"
	    "\"to\":\"{param:to}\",\"of\":\"{param:of}\",\"n\":1.50,\"no\":null,"
	    "\"yes\":true}}"));
	bundle_put(b, STR("service:pubsub"), STR("{\"name\":\"p\",\"url\":"
	    "\"https://own.example/{param:room}\",\"parameters\":{\"room\":{"
	    "\"means\":\"r\"}}}"));
	c = conf_gathered(b, "c.json", &e);
	CHECKF(c != NULL, "with the files it is read: %s", e.text);
	if (c != NULL) {
		CHECK(str_eq(c->destinations[0].url, STR("https://m/")), "its URL");
		CHECKF(str_eq(c->destinations[0].body, STR("{\"to\": \"{type}\", "
		    "\"n\": 1.50, \"no\": null, \"yes\": true}")), "its body, not %.*s",
		    STR_ARG(c->destinations[0].body));
		CHECK(str_eq(c->destinations[1].url, STR("https://own.example/r")),
		    "one's own stands in the place of one that ships");
	}
	conf_free(c);
	bundle_free(b);
}

int
main(void)
{
	files();
	own();
	TEST_END("service");
}
