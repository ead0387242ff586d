/*
 * provider_examples.c - the "examples" of a provider's file.  See provider_examples.h.
 *
 * The road does not need them, so a worker neither reads nor keeps them.
 */
#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "provider_examples.h"

struct reader {
	struct json_doc	*doc;
	struct arena	*a;
	struct err	*e;
};

static int
text(struct reader *r, const struct json_object *v, struct str *out)
{
	if (json_kind(v) == JSON_NUMBER)
		*out = arena_str(r->a, json_source(r->doc, v));
	else if (json_kind(v) == JSON_STRING)
		*out = arena_str(r->a, json_text(v));
	else
		return json_err(r->doc, v, r->e, "in an example: a text is wanted");
	return out->p != NULL ? 0 :
	    json_err(r->doc, v, r->e, "the examples are too large");
}

/* "docs", "made", "sdk NAME VERSION". */
static int
source(struct reader *r, const struct json_object *v, struct str *out)
{
	struct str version, name;

	if (text(r, v, out) != 0)
		return -1;
	version = *out;
	if (str_eq(*out, STR("docs")) || str_eq(*out, STR("made")))
		return 0;
	if (str_eq(str_cut(&version, ' '), STR("sdk"))) {
		name = str_cut(&version, ' ');
		if (name.n > 0 && version.n > 0)
			return 0;
	}
	return json_err(r->doc, v, r->e, "\"source\" is docs, made, or sdk with its "
	    "name and version");
}

static int
headers(struct reader *r, const struct json_object *v, struct example *x)
{
	bool list = json_kind(v) == JSON_ARRAY;
	size_t n = json_count(v);

	x->sent.headers = arena_alloc(r->a, (n + 1) * sizeof(*x->sent.headers));
	if (x->sent.headers == NULL || (!list && json_kind(v) != JSON_OBJECT))
		return json_err(r->doc, v, r->e, "\"headers\" is an object, or a "
		    "list of [name, value]");
	for (size_t i = 0; i < n; i++) {
		struct header *h = &x->sent.headers[x->sent.nheaders++];
		const struct json_object *o;
		struct str name;

		if (list) {
			o = json_at(v, i);
			if (json_kind(o) != JSON_ARRAY || json_count(o) != 2)
				return json_err(r->doc, o, r->e,
				    "a header is [name, value]");
			if (text(r, json_at(o, 0), &h->name) != 0 ||
			    text(r, json_at(o, 1), &h->value) != 0)
				return -1;
			continue;
		}
		o = json_nth(v, i, &name);
		h->name = arena_str(r->a, name);
		if (text(r, o, &h->value) != 0)
			return -1;
	}
	return 0;
}

static int
body_bytes(struct reader *r, const struct json_object *v, struct str *out)
{
	struct str coded = json_text(v);
	char *p = arena_bytes(r->a, BASE64_ROOM(coded.n));
	size_t n;

	if (p == NULL || !base64_decode(coded, p, BASE64_ROOM(coded.n), &n))
		return json_err(r->doc, v, r->e, "\"body_base64\" is not base64");
	*out = (struct str){ p, n };
	return 0;
}

static int
expectation(struct reader *r, const struct json_object *v, enum expect *out)
{
	static const struct {
		const char *name;
		enum expect expect;
	} words[] = {
		{ "genuine", EXPECT_GENUINE }, { "forged", EXPECT_FORGED },
		{ "absent", EXPECT_ABSENT }, { "stale", EXPECT_STALE },
		{ "doubled", EXPECT_DOUBLED }, { "answer", EXPECT_ANSWER },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (json_kind(v) == JSON_STRING &&
		    str_eq(json_text(v), str_of(words[i].name))) {
			*out = words[i].expect;
			return 0;
		}
	return json_err(r->doc, v, r->e, "\"expect\" is genuine, forged, absent, "
	    "stale, doubled or answer");
}

static int
answer(struct reader *r, const struct json_object *v, struct example *x)
{
	const struct json_object *o;

	if ((o = json_member(v, "status")) != NULL)
		x->status = (int)json_int(o);
	if ((o = json_member(v, "type")) != NULL && text(r, o, &x->type) != 0)
		return -1;
	if ((o = json_member(v, "body")) != NULL && text(r, o, &x->answer) != 0)
		return -1;
	if ((o = json_member(v, "header")) != NULL && text(r, o, &x->header) != 0)
		return -1;
	if ((o = json_member(v, "captures")) != NULL &&
	    text(r, o, &x->captured) != 0)
		return -1;
	return 0;
}

/* A text, or a list of them. */
static int
several(struct reader *r, const struct json_object *v, struct str **out, size_t *n)
{
	bool list = json_kind(v) == JSON_ARRAY;

	*n = list ? json_count(v) : 1;
	*out = arena_alloc(r->a, (*n + 1) * sizeof(**out));
	if (*out == NULL)
		return json_err(r->doc, v, r->e, "the examples are too large");
	for (size_t i = 0; i < *n; i++)
		if (text(r, list ? json_at(v, i) : v, &(*out)[i]) != 0)
			return -1;
	return 0;
}

/* A JWK or a set of them may stand as it is. */
static int
param(struct reader *r, const struct json_object *v, struct texts *out)
{
	struct str *texts;

	if (json_kind(v) == JSON_OBJECT) {
		texts = arena_alloc(r->a, sizeof(*texts));
		if (texts == NULL || (*texts = arena_str(r->a,
		    json_source(r->doc, v))).p == NULL)
			return json_err(r->doc, v, r->e, "the examples are too large");
		*out = (struct texts){ texts, 1 };
		return 0;
	}
	if (several(r, v, &texts, &out->n) != 0)
		return -1;
	out->v = texts;
	return 0;
}

/* {"https://...": "what is there"}: an object or list stands for its JSON. */
static int
fetched(struct reader *r, const struct json_object *v, struct example *x)
{
	if (json_kind(v) != JSON_OBJECT)
		return json_err(r->doc, v, r->e, "\"fetched\" is an object from URL "
		    "to what is there");
	x->fetched = arena_alloc(r->a, (json_count(v) + 1) * sizeof(*x->fetched));
	if (x->fetched == NULL)
		return json_err(r->doc, v, r->e, "the examples are too large");
	for (size_t i = 0; i < json_count(v); i++) {
		struct header *f = &x->fetched[x->nfetched++];
		const struct json_object *o = json_nth(v, i, &f->name);

		f->name = arena_str(r->a, f->name);
		if (json_kind(o) == JSON_STRING ? text(r, o, &f->value) != 0 :
		    (f->value = arena_str(r->a, json_source(r->doc, o))).p == NULL)
			return -1;
	}
	return 0;
}

static int
one(struct reader *r, const struct json_object *o, struct example *x)
{
	*x = (struct example){ .clock = 1700000000000, .sent = {
	    .method = STR("POST"), .body = STR(""),
	    .url = STR("https://example.com/hook"), .alternative = -1 } };
	if (json_kind(o) != JSON_OBJECT)
		return json_err(r->doc, o, r->e, "an example is an object");
	for (size_t i = 0; i < json_count(o); i++) {
		struct str name;
		const struct json_object *v = json_nth(o, i, &name);
		int rc = 0;

		if (str_eq(name, STR("says")))
			rc = text(r, v, &x->says);
		else if (str_eq(name, STR("source")))
			rc = source(r, v, &x->source);
		else if (str_eq(name, STR("secret")) || str_eq(name, STR("secrets")))
			rc = several(r, v, &x->secrets, &x->nsecrets);
		else if (str_eq(name, STR("clock")))
			x->clock = json_int(v) * 1000;
		else if (str_eq(name, STR("method")))
			rc = text(r, v, &x->sent.method);
		else if (str_eq(name, STR("url")))
			rc = text(r, v, &x->sent.url);
		else if (str_eq(name, STR("headers")))
			rc = headers(r, v, x);
		else if (str_eq(name, STR("body")))
			rc = text(r, v, &x->sent.body);
		else if (str_eq(name, STR("body_base64")))
			rc = body_bytes(r, v, &x->sent.body);
		else if (str_eq(name, STR("expect")))
			rc = expectation(r, v, &x->expect);
		else if (str_eq(name, STR("id")))
			rc = text(r, v, &x->event_id);
		else if (str_eq(name, STR("type")))
			rc = text(r, v, &x->event_type);
		else if (str_eq(name, STR("answer")))
			rc = answer(r, v, x);
		else if (str_eq(name, STR("handshake")))
			x->open = str_eq(json_text(v), STR("open"));
		else if (str_eq(name, STR("fetched")))
			rc = fetched(r, v, x);
		else if (str_eq(name, STR("token")))
			x->platform = str_eq(json_text(v), STR("platform"));
		else if (str_eq(name, STR("private_key")))
			rc = text(r, v, &x->private_key);
		else {
			unsigned p = 0;

			while (p < PARAM_COUNT &&
			    !str_eq(name, str_of(hook_param_names[p])))
				p++;
			if (p == PARAM_COUNT)
				return json_err(r->doc, v, r->e, "unknown word "
				    "\"%.*s\" in an example", STR_ARG(name));
			rc = param(r, v, &x->params[p]);
		}
		if (rc != 0)
			return -1;
	}
	if (x->params[PARAM_URL].n == 0)
		x->params[PARAM_URL] = (struct texts){ &x->sent.url, 1 };
	if (x->says.n == 0 || x->source.n == 0 ||
	    json_member(o, "expect") == NULL)
		return json_err(r->doc, o, r->e, "an example says what it is: "
		    "\"says\", \"source\" and \"expect\"");
	return 0;
}

int
provider_examples(struct str file, const char *name, struct arena *a,
    struct example **out, size_t *n, struct err *e)
{
	struct reader r = { .doc = json_read(file, name, e), .a = a, .e = e };
	const struct json_object *list;
	int rc = 0;

	*out = NULL;
	*n = 0;
	if (r.doc == NULL)
		return -1;
	list = json_member(json_root(r.doc), "examples");
	*out = arena_alloc(a, (json_count(list) + 1) * sizeof(**out));
	if (*out == NULL)
		rc = err_set(e, ERR_DATA, "%s: the examples are too large", name);
	for (size_t i = 0; rc == 0 && list != NULL && i < json_count(list); i++)
		rc = one(&r, json_at(list, i), &(*out)[(*n)++]);
	json_close(r.doc);
	return rc;
}
