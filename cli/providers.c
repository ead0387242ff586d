/*
 * providers.c - what is known of each provider, for people.
 */
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "cli/cli.h"
#include "provider.h"

struct providers_options {
	bool	json;
};

const struct option_row providers_options[] = {
	{ "json", 0, NULL, offsetof(struct providers_options, json),
	    "one object a line" },
	{ NULL, 0, NULL, 0, NULL }
};

/* --- words ---------------------------------------------------------------- */

/* "secret", "public_key", then what else its file asks for. */
static void
put_needs(struct buf *b, const struct provider *p, const char *between, bool quoted)
{
	const char *q = quoted ? "\"" : "";
	size_t n = 0;

	if (p->wants_secret)
		buf_printf(b, "%s%ssecret%s", n++ > 0 ? between : "", q, q);
	if (p->wants_public_key && (p->asks & (1u << PARAM_PUBLIC_KEY)) == 0)
		buf_printf(b, "%s%spublic_key%s", n > 0 ? quoted ? between : " or " :
		    "", q, q), n++;
	for (int i = 0; i < PARAM_COUNT; i++)
		if ((p->asks & (1u << i)) != 0)
			buf_printf(b, "%s%s%s%s", n++ > 0 ? between : "", q,
			    hook_param_names[i], q);
	if (n == 0 && !quoted)
		buf_putc(b, '-');
}

static void
put_algorithms(struct buf *b, const struct provider *p, const char *between,
    bool quoted)
{
	const char *q = quoted ? "\"" : "";
	const char *name;
	size_t n = 0;
	bool said;

	for (size_t i = 0; i < p->nsignatures; i++) {
		name = p->signatures[i].algorithm->name;
		said = false;
		for (size_t j = 0; j < i; j++)
			said = said || p->signatures[j].algorithm ==
			    p->signatures[i].algorithm;
		if (!said)
			buf_printf(b, "%s%s%s%s", n++ > 0 ? between : "", q, name, q);
	}
	if (n == 0 && !quoted)
		buf_putc(b, '-');
}

static struct provider *
provider_shipped(struct str id, struct err *e)
{
	struct str text = provider_text(id), near;
	char name[80];

	if (text.p == NULL) {
		near = provider_nearest(id);
		if (near.p != NULL)
			err_set(e, ERR_USAGE, "there is no provider \"%.*s\"; did you "
			    "mean \"%.*s\"?", STR_ARG(id), STR_ARG(near));
		else
			err_set(e, ERR_USAGE, "there is no provider \"%.*s\"; "
			    "\"hooklatch providers\" lists them", STR_ARG(id));
		return NULL;
	}
	snprintf(name, sizeof(name), "providers/%.*s.json", STR_ARG(id));
	return provider_read(text, id, name, e);
}

/* --- one line for each ---------------------------------------------------- */

static void
put_row(struct buf *b, const struct provider *p)
{
	struct buf by = BUF(1024);

	put_algorithms(&by, p, ", ", false);
	buf_printf(b, "%-24.*s %-28.*s %-32.*s ", STR_ARG(p->id),
	    STR_ARG(str_head(p->name, 28)), (int)by.n, by.p);
	buf_free(&by);
	put_needs(b, p, ", ", false);
	buf_putc(b, '\n');
}

static void
put_object(struct buf *b, const struct provider *p)
{
	static const struct { enum body_kind kind; const char *name; } kinds[] = {
		{ BODY_JSON, "json" }, { BODY_FORM, "form" },
		{ BODY_MULTIPART, "multipart" }, { BODY_ANY, "any" },
	};
	size_t n = 0;

	buf_put(b, STR("{\"id\":"));
	buf_json(b, p->id);
	buf_put(b, STR(",\"name\":"));
	buf_json(b, p->name);
	buf_put(b, STR(",\"docs\":"));
	buf_json(b, p->docs);
	buf_put(b, STR(",\"setup\":"));
	buf_json(b, p->setup);
	buf_put(b, STR(",\"algorithms\":["));
	put_algorithms(b, p, ",", true);
	buf_put(b, STR("],\"needs\":["));
	put_needs(b, p, ",", true);
	buf_put(b, STR("],\"bodies\":["));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((p->bodies & kinds[i].kind) != 0)
			buf_printf(b, "%s\"%s\"", n++ > 0 ? "," : "", kinds[i].name);
	buf_printf(b, "],\"handshakes\":%s,\"deadline_ms\":%lld,\"retries\":",
	    p->nhandshakes > 0 ? "true" : "false", (long long)p->deadline);
	buf_json(b, p->retries);
	buf_put(b, STR(",\"weak\":["));
	for (size_t i = 0; i < p->nweak; i++) {
		if (i > 0)
			buf_putc(b, ',');
		buf_json(b, p->weak[i]);
	}
	buf_put(b, STR("]}\n"));
}

/* --- one in full ---------------------------------------------------------- */

static void
put_wrapped(struct buf *b, const char *name, struct str text)
{
	size_t at = 0;
	struct str word;

	if (text.n == 0)
		return;
	buf_printf(b, "%-10s", name);
	while (text.p != NULL) {
		word = str_cut(&text, ' ');
		if (at > 0 && at + word.n > 66) {
			buf_printf(b, "\n%-10s", "");
			at = 0;
		}
		buf_printf(b, " %.*s", STR_ARG(word));
		at += word.n + 1;
	}
	buf_putc(b, '\n');
}

/* The file's own words say best what is signed. */
static void
put_signature(struct buf *b, const struct json_object *s)
{
	static const char *const wheres[] = { "header", "query", "field", "body" };
	const struct json_object *v;
	struct buf line = BUF(4096);

	for (size_t i = 0; i < 4; i++) {
		if ((v = json_member(s, wheres[i])) == NULL)
			continue;
		if (json_kind(v) == JSON_ARRAY)
			v = json_at(v, 0);
		buf_printf(&line, "%s %.*s", wheres[i], STR_ARG(json_text(v)));
		break;
	}
	if ((v = json_member(s, "form")) != NULL)
		buf_printf(&line, ": %.*s", STR_ARG(json_text(v)));
	if ((v = json_member(s, "algorithm")) != NULL)
		buf_printf(&line, ", %.*s", STR_ARG(json_text(v)));
	if (str_eq(json_text(v), STR("equal")))
		buf_put(&line, STR(": the value is the secret itself"));
	else if ((v = json_member(s, "signs")) != NULL)
		buf_printf(&line, " of %.*s", STR_ARG(json_text(v)));
	else
		buf_put(&line, STR(" of {body}"));
	put_wrapped(b, "proof", buf_str(&line));
	buf_free(&line);
}

static void
put_variable(struct buf *b, struct str id)
{
	for (size_t i = 0; i < id.n; i++)
		buf_putc(b, isalnum((unsigned char)id.p[i]) ?
		    (char)toupper((unsigned char)id.p[i]) : '_');
}

static int
put_full(struct buf *b, const struct provider *p, struct err *e)
{
	const struct json_object *s;
	struct json_doc *doc;
	struct buf needs = BUF(1024);

	if ((doc = json_read(provider_text(p->id), "its file", e)) == NULL)
		return -1;
	put_wrapped(b, "name", p->name);
	put_wrapped(b, "docs", p->docs);
	put_wrapped(b, "set-up", p->setup);
	put_needs(&needs, p, ", ", false);
	put_wrapped(b, "needs", buf_str(&needs));
	buf_free(&needs);
	s = json_member(json_root(doc), "signature");
	if (s != NULL && json_kind(s) == JSON_OBJECT)
		put_signature(b, s);
	for (size_t i = 0; s != NULL && json_kind(s) == JSON_ARRAY &&
	    i < json_count(s); i++)
		put_signature(b, json_at(s, i));
	if (p->nhandshakes > 0)
		put_wrapped(b, "handshake", STR("answered by hooklatch"));
	if (p->deadline > 0)
		buf_printf(b, "%-10s %g s for the answer\n", "waits",
		    (double)p->deadline / 1000);
	put_wrapped(b, "retries", p->retries);
	for (size_t i = 0; i < p->nweak; i++)
		put_wrapped(b, i == 0 ? "weak" : "", p->weak[i]);
	json_close(doc);

	buf_printf(b, "\nin the configuration:\n  \"/hooks/%.*s\": { \"provider\": "
	    "\"%.*s\"", STR_ARG(p->id), STR_ARG(p->id));
	if (p->wants_secret) {
		buf_put(b, STR(", \"secret\": \"env:"));
		put_variable(b, p->id);
		buf_put(b, STR("_SECRET\""));
	} else if (p->wants_public_key) {
		buf_put(b, STR(", \"public_key\": \"...\""));
	}
	for (int i = 0; i < PARAM_COUNT; i++)
		if ((p->asks & (1u << i)) != 0 && !(i == PARAM_PUBLIC_KEY &&
		    !p->wants_secret))
			buf_printf(b, ", \"%s\": \"...\"", hook_param_names[i]);
	buf_put(b, STR(" }\n\nto try it:\n  "));
	if (p->wants_secret) {
		buf_printf(b, "hooklatch sign %.*s --secret env:", STR_ARG(p->id));
		put_variable(b, p->id);
		buf_put(b, STR("_SECRET"));
	} else {
		buf_printf(b, "hooklatch sign %.*s --private-key FILE", STR_ARG(p->id));
	}
	buf_printf(b, " --curl http://127.0.0.1:8080/hooks/%.*s\n", STR_ARG(p->id));
	return 0;
}

int
providers_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct providers_options o = { false };
	struct buf b = BUF(CLI_OUT_MAX);
	struct provider *p;
	struct str id;
	int rc = 0;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	if (argc > 1)
		return err_set(e, ERR_USAGE, "one provider at a time");
	if (argc == 0 && !o.json)
		buf_printf(&b, "%-24s %-28s %-32s %s\n", "PROVIDER", "NAME",
		    "PROVEN BY", "NEEDS");
	for (size_t i = 0; i < (argc == 1 ? 1 : provider_text_count()); i++) {
		id = argc == 1 ? str_of(argv[0]) : provider_text_id(i);
		if ((p = provider_shipped(id, e)) == NULL) {
			rc = -1;
			break;
		}
		if (o.json)
			put_object(&b, p);
		else if (argc == 1)
			rc = put_full(&b, p, e);
		else
			put_row(&b, p);
		provider_free(p);
	}
	if (rc == 0)
		rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}
