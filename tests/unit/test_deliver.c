/*
 * test_deliver.c - a hook's "deliver": which destinations an event goes to, by which
 * key.  Each row is a configuration of one hook, a request, and what is chosen: names
 * in a row, with =KEY where there is one.
 */
#include <string.h>

#include "deliver.h"
#include "wire.h"
#include "test.h"

#define REF	"{\"ref\":\"refs/tags/v1\",\"n\":7,\"twice\":1,\"twice\":2,\"empty\":\"\"}"

static const struct row {
	const char	*says, *deliver, *type, *body, *want;
} table[] = {
	{ "a name: always", "'a'", "", REF, "a" },
	{ "a list: each, in its order", "['a','all','by']", "push",
	    "{\"lane\":\"x\"}", "a all= by=x" },
	{ "without a value all are one lane", "'by'", "", "{}", "by=" },
	{ "a value that stands twice is none", "'by'", "", "{\"lane\":1,\"lane\":2}",
	    "by=" },
	{ "a number is as it is written", "'by'", "", "{\"lane\":1.0e1}", "by=1.0e1" },
	{ "the type", "{'to':'a','when':{'type':'push'}}", "push", REF, "a" },
	{ "another type", "{'to':'a','when':{'type':'push'}}", "pushed", REF, "" },
	{ "no type is not any", "{'to':'a','when':{'type':{'like':'*'}}}", "", REF, "" },
	{ "no type is absent", "{'to':'a','when':{'type':false}}", "", REF, "a" },
	{ "one of a list", "{'to':'a','when':{'type':['x','push']}}", "push", REF, "a" },
	{ "none of a list", "{'to':'a','when':{'type':['x','pus']}}", "push", REF, "" },
	{ "a pattern", "{'to':'a','when':{'body:ref':{'like':'refs/tags/v*'}}}", "",
	    REF, "a" },
	{ "a pattern is of the whole text",
	    "{'to':'a','when':{'body:ref':{'like':'tags/v*'}}}", "", REF, "" },
	{ "a number of a list", "{'to':'a','when':{'body:n':[6,7]}}", "", REF, "a" },
	{ "what stands twice is not one of them",
	    "{'to':'a','when':{'body:twice':[1,2]}}", "", REF, "" },
	{ "and not absent", "{'to':'a','when':{'body:twice':false}}", "", REF, "" },
	{ "nor there", "{'to':'a','when':{'body:twice':true}}", "", REF, "" },
	{ "all must hold", "{'to':'a','when':{'type':'push','body:n':8}}", "push", REF,
	    "" },
	{ "a header", "{'to':'a','when':{'header:X-Lane':'h'}}", "", REF, "a" },
	{ "a query", "{'to':'a','when':{'query:q':'1'}}", "", REF, "a" },
	{ "one rule does not speak for another",
	    "[{'to':'a','when':{'type':'no'}},'all']", "push", REF, "all=" },
	{ "one that answers", "['says','a']", "", REF, "says a" },
};

static struct conf *
conf_of(const char *deliver)
{
	struct buf b = BUF(8192);
	struct conf *c;
	struct err e;
	const char *all[] = { "{'inbox':'none','hooks':{'/h':{'auth':'none','deliver':",
	    deliver, "}},'destinations':{'a':{'exec':'/bin/a'},'all':{'exec':'/bin/a',"
	    "'one_at_a_time':true},'by':{'exec':'/bin/a','serialize_by':'body:lane'},"
	    "'says':{'exec':'/bin/a','mode':'answer'}}}" };

	for (size_t i = 0; i < 3; i++)
		for (const char *p = all[i]; *p != '\0'; p++)
			buf_putc(&b, *p == '\'' ? '"' : *p);
	c = conf_read(buf_str(&b), "c.json", &e);
	CHECKF(c != NULL, "%s: it is read: %s", deliver, e.text);
	buf_free(&b);
	return c;
}

/* What is chosen of it, as the table has it. */
static void
choose(const struct row *t, bool handshake, struct buf *out)
{
	char *env[] = { (char *)"REQUEST_METHOD=POST", (char *)"REQUEST_URI=/h?q=1",
	    (char *)"CONTENT_TYPE=application/json", (char *)"HTTP_X_LANE=h",
	    (char *)"QUERY_STRING=q=1", NULL };
	struct arena *a = arena_new(1 << 20);
	struct conf *c = conf_of(t->deliver);
	struct request q;
	struct rule *rules;
	struct forward f;
	struct str chosen;
	struct err e;
	struct get g;
	size_t n;

	buf_reset(out);
	if (c == NULL || deliver_compile(c, &c->hooks[0], a, &rules, &n, &e) == -1 ||
	    request_init(&q, a, env) == -1) {
		CHECKF(0, "%s: it is compiled", t->says);
		return;
	}
	q.body = str_of(t->body);
	CHECKF(deliver_choose(rules, n, &q, str_of(t->type), !handshake,
	    &chosen), "%s: there is "
	    "memory", t->says);
	for (g = GET(chosen); g.rest.n > 0 && !g.bad;) {
		get_forward(&g, &f);
		buf_printf(out, "%s%.*s%s", out->n > 0 ? " " : "", STR_ARG(f.to),
		    f.key.p == NULL ? "" : "=");
		if (f.key.p != NULL)
			buf_put(out, f.key);
	}
	CHECKF(get_done(&g), "%s: it can be read by the courier", t->says);
	arena_free(a);
	conf_free(c);
}

int
main(void)
{
	struct buf out = BUF(4096), body = BUF(4096);
	struct row wide = { "a long value counts by its digest", "'by'", "", NULL, NULL };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		choose(&table[i], false, &out);
		CHECKF(str_eq(buf_str(&out), str_of(table[i].want)), "%s: \"%s\", is "
		    "\"%.*s\"", table[i].says, table[i].want, STR_ARG(buf_str(&out)));
	}
	for (size_t n = FORWARD_KEY_MAX; n <= FORWARD_KEY_MAX + 1; n++) {
		buf_reset(&body);
		buf_put(&body, STR("{\"lane\":\""));
		for (size_t i = 0; i < n; i++)
			buf_putc(&body, 'x');
		buf_put(&body, STR("\"}"));
		buf_putc(&body, '\0');
		wide.body = body.p;
		choose(&wide, false, &out);
		CHECKF((n > FORWARD_KEY_MAX) == str_starts(buf_str(&out),
		    STR("by=sha256:")) && out.n == (n > FORWARD_KEY_MAX ? 3 + 7 + 64 :
		    3 + n), "%s: of %zu bytes", wide.says, n);
	}
	choose(&(struct row){ "a handshake", "['says','a']", "", REF, "" }, true, &out);
	CHECK(str_eq(buf_str(&out), STR("a")), "a handshake has its own answer");
	buf_free(&out);
	buf_free(&body);
	TEST_END("deliver");
}
