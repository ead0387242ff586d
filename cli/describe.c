/*
 * describe.c - see describe.h.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/describe.h"

#define LINE_MAX_	((size_t)64 << 10)

/* --- what it takes to prove a request ------------------------------------------- */

static bool
is_in_body(const struct piece *p, const void *arg)
{
	(void)arg;
	return p->op == PIECE_PLACE && (p->place.kind == PLACE_BODY ||
	    p->place.kind == PLACE_FIELD);
}

static void
put_covers(struct buf *b, const struct signature *s)
{
	static const struct { unsigned bit; const char *name; } t[] = {
		{ COVERS_BODY, "body" }, { COVERS_FIELDS, "form fields" },
		{ COVERS_QUERY, "query" }, { COVERS_METHOD, "method" },
		{ COVERS_PATH, "path" },
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		/* The fields are in the body. */
		if ((s->covers & t[i].bit) != 0 && !(t[i].bit == COVERS_FIELDS &&
		    (s->covers & COVERS_BODY) != 0))
			buf_printf(b, "%s%s", n++ > 0 ? " + " : "", t[i].name);
	if ((s->covers & (COVERS_BODY | COVERS_FIELDS)) == 0) {
		if (s->each.n > 0)
			buf_printf(b, "%sparts of each item", n++ > 0 ? " + " : "");
		else if (template_any(&s->signs, is_in_body, NULL))
			buf_printf(b, "%sparts of the body", n++ > 0 ? " + " : "");
	}
	if (s->time_signed)
		buf_printf(b, "%stime", n++ > 0 ? " + " : "");
	if (n == 0)
		buf_put(b, STR("parts of the request"));
}

static void
put_one_proof(struct buf *b, const struct signature *s)
{
	if (s->algorithm->family == FAMILY_EQUAL) {
		buf_put(b, s->each.n > 0 ? STR("the secret itself in each item") :
		    STR("the secret itself"));
	} else if (s->bearer) {
		buf_printf(b, "a token (%s) that names the sender", s->algorithm->name);
	} else {
		buf_printf(b, "%s over ", s->algorithm->name);
		put_covers(b, s);
	}
}

void
describe_proof(struct buf *b, const struct provider *p)
{
	struct buf one = BUF(LINE_MAX_), said = BUF(LINE_MAX_);

	for (size_t i = 0; i < p->nsignatures; i++) {
		buf_reset(&one);
		put_one_proof(&one, &p->signatures[i]);
		/* Alternatives may differ in where they stand alone. */
		if (said.n > 0 && memmem(said.p, said.n, one.p, one.n) != NULL)
			continue;
		if (said.n > 0)
			buf_put(&said, STR(" or "));
		buf_put(&said, buf_str(&one));
	}
	buf_put(b, said.n > 0 ? buf_str(&said) : STR("nothing"));
	buf_free(&one);
	buf_free(&said);
}

/* "secret", "public_key", then what else its file asks for. */
static void
put_needs(struct buf *b, const struct provider *p, const char *between, bool quoted)
{
	const char *q = quoted ? "\"" : "";
	size_t n = 0;

	if (p->wants_secret)
		buf_printf(b, "%s%ssecret%s", n++ > 0 ? between : "", q, q);
	/* Keys that are fetched need not be given. */
	if (p->wants_public_key && !p->fetches &&
	    (p->asks & (1u << PARAM_PUBLIC_KEY)) == 0)
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

/* Seconds, both ways; -1: the alternatives differ. */
static int64_t
window_of(const struct provider *p)
{
	int64_t ms = p->nsignatures > 0 ? p->signatures[0].time.window : 0;

	for (size_t i = 1; i < p->nsignatures; i++)
		if (p->signatures[i].time.window != ms)
			return -1;
	return ms / 1000;
}

static bool
expires(const struct provider *p)
{
	for (size_t i = 0; i < p->nsignatures; i++)
		if (p->signatures[i].algorithm->jose == NULL ||
		    p->signatures[i].token.detached)
			return false;
	return p->nsignatures > 0;
}

static const char *
id_words(const struct provider *p)
{
	bool covered = p->event.nids > 0;

	for (size_t i = 0; i < p->nsignatures; i++) {
		bool any = false;

		for (size_t j = 0; j < p->event.nids; j++)
			any |= signature_covers(&p->signatures[i],
			    &p->event.ids[j]);
		covered &= any;
	}
	return p->event.nids == 0 ? p->event.merge > 0 ? "merge" : "none" :
	    covered ? "proven" : "not proven";
}

/* --- one line -------------------------------------------------------------------- */

void
describe_row_head(struct buf *b)
{
	buf_printf(b, "%-24s %-28s %-36s %s\n", "PROVIDER", "NAME", "PROVEN BY",
	    "NEEDS");
}

void
describe_row(struct buf *b, const struct provider *p)
{
	struct buf by = BUF(LINE_MAX_);

	put_algorithms(&by, p, ", ", false);
	buf_printf(b, "%-24.*s %-28.*s %-36.*s ", STR_ARG(p->id),
	    STR_ARG(str_head(p->name, 28)), (int)by.n, by.p);
	buf_free(&by);
	put_needs(b, p, ", ", false);
	buf_putc(b, '\n');
}

void
describe_markdown_head(struct buf *b)
{
	buf_put(b, STR("| provider | id | proven by | window | id of the event | "
	    "handshake | needs |\n| --- | --- | --- | --- | --- | --- | --- |\n"));
}

void
describe_markdown(struct buf *b, const struct provider *p)
{
	int64_t window = window_of(p);

	buf_printf(b, "| [%.*s](%.*s) | `%.*s` | ", STR_ARG(p->name),
	    STR_ARG(p->docs), STR_ARG(p->id));
	describe_proof(b, p);
	if (window > 0)
		buf_printf(b, " | %lld s", (long long)window);
	else
		buf_put(b, window == -1 ? STR(" | differs") : expires(p) ?
		    STR(" | the token's") : STR(" | -"));
	buf_printf(b, " | %s | %s | ", id_words(p),
	    provider_captures(p) ? "brings the secret" :
	    p->nhandshakes > 0 ? "yes" : "-");
	put_needs(b, p, ", ", false);
	buf_put(b, STR(" |\n"));
}

void
describe_object(struct buf *b, const struct provider *p)
{
	static const struct { enum body_kind kind; const char *name; } kinds[] = {
		{ BODY_JSON, "json" }, { BODY_FORM, "form" },
		{ BODY_MULTIPART, "multipart" }, { BODY_ANY, "any" },
	};
	struct buf proof = BUF(LINE_MAX_);
	size_t n = 0;

	describe_proof(&proof, p);
	buf_put(b, STR("{\"id\":"));
	buf_json(b, p->id);
	buf_put(b, STR(",\"name\":"));
	buf_json(b, p->name);
	buf_put(b, STR(",\"docs\":"));
	buf_json(b, p->docs);
	buf_put(b, STR(",\"setup\":"));
	buf_json(b, p->setup);
	buf_put(b, STR(",\"proof\":"));
	buf_json(b, buf_str(&proof));
	buf_put(b, STR(",\"algorithms\":["));
	put_algorithms(b, p, ",", true);
	buf_put(b, STR("],\"needs\":["));
	put_needs(b, p, ",", true);
	buf_put(b, STR("],\"bodies\":["));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((p->bodies & kinds[i].kind) != 0)
			buf_printf(b, "%s\"%s\"", n++ > 0 ? "," : "", kinds[i].name);
	buf_printf(b, "],\"fetches_keys\":%s,\"captures\":%s,\"event_id\":\"%s\","
	    "\"handshakes\":%s,\"deadline_ms\":%lld,\"retries\":",
	    p->fetches ? "true" : "false",
	    provider_captures(p) ? "true" : "false", id_words(p),
	    p->nhandshakes > 0 ? "true" : "false", (long long)p->deadline);
	buf_json(b, p->retries);
	buf_put(b, STR(",\"weak\":["));
	for (size_t i = 0; i < p->nweak; i++) {
		if (i > 0)
			buf_putc(b, ',');
		buf_json(b, p->weak[i]);
	}
	buf_put(b, STR("]}\n"));
	buf_free(&proof);
}

/* --- in full --------------------------------------------------------------------- */

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

/* "header X-Sig: t={time},v1={sig:hex}": the file's own words say it best. */
static void
put_where(struct buf *line, const struct json_object *s)
{
	static const char *const wheres[] = { "header", "query", "field", "body",
		"item" };
	const struct json_object *v;

	for (size_t i = 0; i < sizeof(wheres) / sizeof(wheres[0]); i++) {
		if ((v = json_member(s, wheres[i])) == NULL)
			continue;
		if (json_kind(v) == JSON_ARRAY)
			v = json_at(v, 0);
		if (str_eq(json_text(v), STR(".")))
			buf_put(line, STR("the body"));
		else
			buf_printf(line, "%s %.*s", wheres[i], STR_ARG(json_text(v)));
		break;
	}
	if ((v = json_member(s, "form")) != NULL)
		buf_printf(line, ": %.*s", STR_ARG(json_text(v)));
}

static void
put_keys(struct buf *b, const struct json_object *s)
{
	const struct json_object *keys = json_member(s, "keys"), *v;
	struct buf line = BUF(LINE_MAX_);

	if (keys == NULL)
		return;
	if ((v = json_member(keys, "hosts")) != NULL) {
		buf_put(&line, STR("fetched from the URL that the request names, on"));
		for (size_t i = 0; i < json_count(v); i++)
			buf_printf(&line, "%s %.*s", i > 0 ? "," : "",
			    STR_ARG(json_text(json_at(v, i))));
	} else {
		buf_printf(&line, "fetched from %.*s",
		    STR_ARG(json_text(json_member(keys, "url"))));
	}
	put_wrapped(b, "keys", buf_str(&line));
	buf_free(&line);
}

static void
put_signature(struct buf *b, const struct json_object *s,
    const struct signature *is)
{
	const struct json_object *v;
	struct buf line = BUF(LINE_MAX_);

	put_where(&line, s);
	buf_putc(&line, ',');
	buf_putc(&line, ' ');
	put_one_proof(&line, is);
	put_wrapped(b, "proof", buf_str(&line));
	if (is->algorithm->family != FAMILY_EQUAL && (is->algorithm->jose == NULL ||
	    is->token.detached)) {
		v = json_member(s, "signs");
		put_wrapped(b, "signs", v != NULL ? json_text(v) : STR("{body}"));
	}
	buf_reset(&line);
	for (size_t i = 0; (v = json_member(s, "also")) != NULL &&
	    i < json_count(v); i++) {
		const struct json_object *o = json_at(v, i);
		const struct json_object *equals = json_member(o, "equals");

		if (json_kind(equals) == JSON_ARRAY)
			equals = json_at(equals, 0);
		buf_printf(&line, "%s%.*s is %.*s", i > 0 ? ", " : "",
		    STR_ARG(json_text(json_member(o, "place"))),
		    STR_ARG(json_text(equals)));
	}
	put_wrapped(b, "and", buf_str(&line));
	put_keys(b, s);
	if (is->time.window > 0)
		buf_printf(b, "%-10s %g s old or ahead, at most\n", "window",
		    (double)is->time.window / 1000);
	buf_free(&line);
}

static void
put_conditions(struct buf *line, const struct json_object *when)
{
	for (size_t i = 0; i < json_count(when); i++) {
		struct str name;
		const struct json_object *v = json_nth(when, i, &name);

		buf_printf(line, "%s%.*s", i > 0 ? ", " : "", STR_ARG(name));
		if (json_kind(v) == JSON_STRING)
			buf_printf(line, " %.*s", STR_ARG(json_text(v)));
		else if (json_kind(v) == JSON_BOOL && !json_bool(v))
			buf_put(line, STR(" missing"));
	}
}

/* JSON on one line. */
static void
put_folded(struct buf *line, struct str text)
{
	bool space = false;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' || text.p[i] == '\t' || text.p[i] == ' ') {
			space = true;
			continue;
		}
		if (space)
			buf_putc(line, ' ');
		buf_putc(line, text.p[i]);
		space = false;
	}
}

static void
put_handshake(struct buf *b, const struct json_doc *doc,
    const struct json_object *h)
{
	const struct json_object *answer = json_member(h, "answer"), *v;
	struct buf line = BUF(LINE_MAX_);

	put_conditions(&line, json_member(h, "when"));
	if (json_bool(json_member(h, "signed")))
		buf_put(&line, STR(", signed"));
	if (json_member(h, "capture") != NULL)
		buf_printf(&line, ": the secret comes in %.*s (hooklatch capture)",
		    STR_ARG(json_text(json_member(h, "capture"))));
	buf_put(&line, STR(": answered"));
	if ((v = json_member(answer, "body")) != NULL && json_text(v).n > 0) {
		buf_printf(&line, " with %.*s", STR_ARG(json_text(v)));
	} else if ((v = json_member(answer, "json")) != NULL) {
		buf_put(&line, STR(" with "));
		put_folded(&line, json_source(doc, v));
	}
	if ((v = json_member(answer, "headers")) != NULL)
		for (size_t i = 0; i < json_count(v); i++) {
			struct str name;
			const struct json_object *o = json_nth(v, i, &name);

			buf_printf(&line, "%s %.*s: %.*s", i > 0 ? "," : "",
			    STR_ARG(name), STR_ARG(json_text(o)));
		}
	put_wrapped(b, "handshake", buf_str(&line));
	buf_free(&line);
}

static void
put_places(struct buf *b, const char *name, const struct json_object *v,
    const char *behind)
{
	struct buf line = BUF(LINE_MAX_);

	if (v == NULL)
		return;
	for (size_t i = 0; json_kind(v) == JSON_ARRAY && i < json_count(v); i++)
		buf_printf(&line, "%s%.*s", i > 0 ? " or " : "",
		    STR_ARG(json_text(json_at(v, i))));
	if (json_kind(v) == JSON_STRING)
		buf_put(&line, json_text(v));
	buf_put(&line, str_of(behind));
	put_wrapped(b, name, buf_str(&line));
	buf_free(&line);
}

static void
put_event(struct buf *b, const struct provider *p, const struct json_object *ev)
{
	char words[64];

	snprintf(words, sizeof(words), " (%s)", id_words(p));
	put_places(b, "id", json_member(ev, "id"), words);
	put_places(b, "type", json_member(ev, "type"), "");
	if (p->event.merge > 0)
		buf_printf(b, "%-10s none; equal bodies within %lu s are one event\n",
		    "id", (unsigned long)p->event.merge);
}

/* --- what to write, what to type ---------------------------------------------------- */

static void
put_variable(struct buf *b, struct str id)
{
	if (id.n > 0 && isdigit((unsigned char)id.p[0]))
		buf_putc(b, '_');
	for (size_t i = 0; i < id.n; i++)
		buf_putc(b, isalnum((unsigned char)id.p[i]) ?
		    (char)toupper((unsigned char)id.p[i]) : '_');
}

static void
put_configuration(struct buf *b, const struct provider *p)
{
	buf_printf(b, "\nin the configuration:\n  \"/hooks/%.*s\": { \"provider\": "
	    "\"%.*s\"", STR_ARG(p->id), STR_ARG(p->id));
	if (p->wants_secret && provider_captures(p)) {
		buf_printf(b, ", \"secret\": \"captured:%.*s\"", STR_ARG(p->id));
	} else if (p->wants_secret) {
		buf_put(b, STR(", \"secret\": \"env:"));
		put_variable(b, p->id);
		buf_put(b, STR("_SECRET\""));
	} else if (p->wants_public_key && !p->fetches) {
		buf_put(b, STR(", \"public_key\": \"...\""));
	}
	for (int i = 0; i < PARAM_COUNT; i++)
		if ((p->asks & (1u << i)) != 0 && !(i == PARAM_PUBLIC_KEY &&
		    !p->wants_secret && !p->fetches))
			buf_printf(b, ", \"%s\": \"...\"", hook_param_names[i]);
	buf_put(b, STR(" }\n"));
	if (p->wants_secret && provider_captures(p))
		buf_printf(b, "\nbefore the webhook is made at the provider:\n  "
		    "hooklatch capture open %.*s\n", STR_ARG(p->id));
}

static void
put_trial(struct buf *b, const struct provider *p)
{
	buf_put(b, STR("\nto try it:\n  curl -i http://127.0.0.1:8080/hooks/"));
	buf_printf(b, "%.*s -d '{}'    # refused: nothing is signed\n  hooklatch sign "
	    "%.*s", STR_ARG(p->id), STR_ARG(p->id));
	if (p->wants_secret) {
		buf_put(b, STR(" --secret env:"));
		put_variable(b, p->id);
		buf_put(b, STR("_SECRET"));
	} else if (p->wants_public_key) {
		buf_put(b, STR(" --private-key FILE"));
	}
	for (int i = 0; i < PARAM_COUNT; i++)
		if ((p->asks & (1u << i)) != 0 && i != PARAM_PUBLIC_KEY &&
		    i != PARAM_URL)
			buf_printf(b, " --param %s=...", hook_param_names[i]);
	buf_printf(b, " --curl http://127.0.0.1:8080/hooks/%.*s\n", STR_ARG(p->id));
}

int
describe_full(struct buf *b, const struct provider *p, struct str text,
    struct err *e)
{
	const struct json_object *s, *h;
	struct json_doc *doc;
	struct buf needs = BUF(LINE_MAX_);

	if ((doc = json_read(text, "its file", e)) == NULL)
		return -1;
	put_wrapped(b, "name", p->name);
	put_wrapped(b, "docs", p->docs);
	put_wrapped(b, "set-up", p->setup);
	put_needs(&needs, p, ", ", false);
	put_wrapped(b, "needs", buf_str(&needs));
	buf_free(&needs);
	s = json_member(json_root(doc), "signature");
	for (size_t i = 0; i < p->nsignatures; i++)
		put_signature(b, json_kind(s) == JSON_ARRAY ? json_at(s, i) : s,
		    &p->signatures[i]);
	put_event(b, p, json_member(json_root(doc), "event"));
	h = json_member(json_root(doc), "handshakes");
	for (size_t i = 0; i < p->nhandshakes; i++)
		put_handshake(b, doc, json_at(h, i));
	if (p->deadline > 0)
		buf_printf(b, "%-10s %g s for the answer\n", "waits",
		    (double)p->deadline / 1000);
	put_wrapped(b, "retries", p->retries);
	if (p->max_body > 0)
		buf_printf(b, "%-10s at most %llu bytes\n", "sends",
		    (unsigned long long)p->max_body);
	for (size_t i = 0; i < p->nweak; i++)
		put_wrapped(b, i == 0 ? "weak" : "", p->weak[i]);
	json_close(doc);
	put_configuration(b, p);
	put_trial(b, p);
	return 0;
}
