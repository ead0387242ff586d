/* service.c - see service.h. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "letter.h"
#include "service.h"

#define PARAM_WORD	"{param:"
#define SERVICE_ID	64		/* bytes of a name */
#define BATCH_MOST	1000		/* events of one request */
#define BATCH_BYTES	10000000

struct making {
	struct destination *d;
	struct arena	*a;
	const struct json_doc *doc;
	const struct json_object *file;
	const struct json_object *parameters;
};

static struct str
source(const struct bundle *own, struct str id)
{
	char name[SERVICE_ID + 16];
	struct str text = STR_NONE;

	if (own != NULL && id.n <= SERVICE_ID) {
		snprintf(name, sizeof(name), "service:%.*s", STR_ARG(id));
		text = bundle_get(own, str_of(name));
	}
	if (text.p != NULL)
		return text;
	for (size_t i = 0; i < service_texts_count; i++)
		if (str_eq(service_texts[i].id, id))
			return service_texts[i].text;
	return STR_NONE;
}

static struct json_doc *
open_file(const struct bundle *own, struct str id, struct err *e)
{
	struct str text = source(own, id);

	if (text.p == NULL) {
		err_set(e, ERR_CONF, "there is no such service");
		return NULL;
	}
	return json_read(text, "services", e);
}

bool
service_is(const struct bundle *own, struct str id)
{
	return source(own, id).p != NULL;
}

const char *
service_names(const struct bundle *own, char out[256])
{
	struct buf b = BUF(255);

	for (size_t i = 0; i < service_texts_count; i++) {
		buf_put(&b, i == 0 ? STR("") : STR(", "));
		buf_put(&b, service_texts[i].id);
	}
	for (size_t i = 0; own != NULL && i < bundle_count(own); i++)
		if (str_starts(bundle_name(own, i), STR("service:"))) {
			buf_put(&b, STR(", "));
			buf_put(&b, str_skip(bundle_name(own, i), 8));
		}
	memcpy(out, b.n > 0 ? b.p : "", b.n);
	out[b.n] = '\0';
	buf_free(&b);
	return out;
}

static struct str
text_of(const struct json_object *o, const char *name)
{
	const struct json_object *m = json_member(o, name);

	return json_kind(m) == JSON_STRING ? json_text(m) : STR("");
}

static bool
flag_of(const struct json_object *o, const char *name)
{
	const struct json_object *m = json_member(o, name);

	return json_kind(m) == JSON_BOOL && json_bool(m);
}

static bool
has_host(const struct json_object *file)
{
	return !str_starts(text_of(file, "url"), STR(PARAM_WORD));
}

bool
service_takes(const struct bundle *own, struct str id, struct str name)
{
	struct err e;
	struct json_doc *doc = open_file(own, id, &e);
	const struct json_object *all;
	bool takes = false;
	struct str one;

	if (doc == NULL)
		return false;
	all = json_member(json_root(doc), "parameters");
	for (size_t i = 0; i < json_count(all) && !takes; i++) {
		json_nth(all, i, &one);
		takes = str_eq(one, name);
	}
	takes |= str_eq(name, STR("endpoint")) && has_host(json_root(doc));
	json_close(doc);
	return takes;
}

static struct str
param(const struct destination *d, struct str name)
{
	for (size_t i = 0; i < d->nparams; i++)
		if (str_eq(d->params[i].name, name))
			return d->params[i].value;
	return STR_NONE;
}

/* --- what must be given ---------------------------------------------------------- */

static int
check_one(const struct making *m, struct str name, const struct json_object *rule,
    struct err *e)
{
	struct str value = param(m->d, name), form = text_of(rule, "form");
	struct str means = text_of(rule, "means");

	if (value.p == NULL && flag_of(rule, "optional"))
		return 0;
	if (value.p == NULL)
		return err_set(e, ERR_CONF, "the service %.*s needs \"%.*s\": %.*s%s%.*s",
		    STR_ARG(m->d->service), STR_ARG(name), STR_ARG(means),
		    form.n > 0 ? ", like " : "", STR_ARG(form));
	if (value.n == 0 || (form.n > 0 && !str_like(value, form)))
		return err_set(e, ERR_CONF, "\"%.*s\" is %.*s%s%.*s", STR_ARG(name),
		    STR_ARG(means), form.n > 0 ? ", like " : " and not empty",
		    STR_ARG(form));
	if (!flag_of(rule, "words") && (str_find(value, '{') >= 0 ||
	    str_find(value, '}') >= 0))
		return err_set(e, ERR_CONF, "\"%.*s\" holds a brace; words of an event do "
		    "not stand in it", STR_ARG(name));
	return 0;
}

/* What it wants of the destination besides parameters. */
static int
check_wants(const struct making *m, struct err *e)
{
	if (str_eq(text_of(m->file, "authorization"), STR("oauth1")) &&
	    m->d->noauth1 == 0)
		return err_set(e, ERR_CONF, "the service %.*s needs \"oauth1\": the keys "
		    "of the application, and the tokens of the account that it acts as",
		    STR_ARG(m->d->service));
	if (flag_of(m->file, "per_day") && m->d->per_day == 0)
		return err_set(e, ERR_CONF, "the service %.*s needs \"per_day\": how many "
		    "attempts a day may be made, since each costs", STR_ARG(m->d->service));
	return 0;
}

static int
check_all(const struct making *m, struct err *e)
{
	const struct json_object *one = json_member(m->file, "one_of");
	struct str name, all = STR("");
	size_t given = 0;

	for (size_t i = 0; i < json_count(m->parameters); i++) {
		const struct json_object *rule = json_nth(m->parameters, i, &name);

		if (check_one(m, name, rule, e) == -1)
			return -1;
	}
	if (json_kind(one) != JSON_ARRAY)
		return 0;
	for (size_t i = 0; i < json_count(one); i++) {
		name = json_text(json_at(one, i));
		given += param(m->d, name).p != NULL;
		all = arena_printf(m->a, "%.*s%s\"%.*s\"", STR_ARG(all),
		    i == 0 ? "" : ", ", STR_ARG(name));
	}
	return given == 1 ? 0 : err_set(e, ERR_CONF, "the service %.*s needs one of "
	    "%.*s", STR_ARG(m->d->service), STR_ARG(all));
}

/* --- what comes of it --------------------------------------------------------------- */

/* false: it wants a parameter that is not given. */
static bool
put_text(const struct making *m, struct buf *out, struct str text)
{
	while (text.n > 0) {
		ptrdiff_t end = str_find(text, '}');
		struct str value;

		if (!str_starts(text, STR(PARAM_WORD)) || end < 0) {
			buf_putc(out, text.p[0]);
			text = str_skip(text, 1);
			continue;
		}
		value = param(m->d, str_skip(str_head(text, (size_t)end),
		    strlen(PARAM_WORD)));
		if (value.p == NULL)
			return false;
		buf_put(out, value);
		text = str_skip(text, (size_t)end + 1);
	}
	return true;
}

/* false: it is left out, and nothing was written. */
static bool
put_json(const struct making *m, struct buf *out, const struct json_object *v)
{
	bool object = json_kind(v) == JSON_OBJECT, there = true;
	size_t begin = out->n, n = 0;
	struct buf text = BUF(LETTER_TEXT);

	switch (json_kind(v)) {
	case JSON_STRING:
		if ((there = put_text(m, &text, json_text(v))))
			buf_json(out, buf_str(&text));
		out->bad |= text.bad;
		buf_free(&text);
		return there;
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	default:		/* as it stands there */
		buf_put(out, v == NULL ? STR("null") : json_source(m->doc, v));
		return true;
	}
	buf_putc(out, object ? '{' : '[');
	for (size_t i = 0; i < json_count(v); i++) {
		struct str name = STR_NONE;
		const struct json_object *one = object ? json_nth(v, i, &name) :
		    json_at(v, i);
		size_t before = out->n;

		if (n > 0)
			buf_put(out, STR(", "));
		if (object) {
			buf_json(out, name);
			buf_put(out, STR(": "));
		}
		if (put_json(m, out, one))
			n++;
		else
			out->n = before;
	}
	buf_putc(out, object ? '}' : ']');
	if (n == 0 && json_count(v) > 0 && !out->bad)
		out->n = begin;
	return n > 0 || json_count(v) == 0;
}

static int
no_memory(struct err *e)
{
	return err_set(e, ERR_OS, "no memory for a service");
}

static int
make_url(const struct making *m, struct err *e)
{
	struct str end = param(m->d, STR("endpoint")), host, url;
	struct buf out = BUF(LETTER_TEXT);

	put_text(m, &out, text_of(m->file, "url"));
	url = m->d->url = arena_str(m->a, buf_str(&out));
	buf_free(&out);
	if (url.p == NULL)
		return no_memory(e);
	if (end.p == NULL)
		return 0;
	host = letter_host(url);
	while (str_ends(end, STR("/")))
		end.n--;
	m->d->url = arena_join(m->a, (struct str []){ end, { host.p + host.n,
	    (size_t)(url.p + url.n - host.p) - host.n } }, 2);
	return m->d->url.p == NULL ? no_memory(e) : 0;
}

static int
make_body(const struct making *m, struct err *e)
{
	const struct json_object *body = json_member(m->file, "body");
	struct buf out = BUF(LETTER_TEXT);

	if (m->d->body.n > 0 || json_kind(body) != JSON_OBJECT)
		return 0;
	put_json(m, &out, body);
	m->d->body = buf_ok(&out) ? arena_str(m->a, buf_str(&out)) : STR_NONE;
	buf_free(&out);
	return m->d->body.p == NULL ? err_set(e, ERR_CONF, "what comes of the service's "
	    "parameters is over %d KiB", LETTER_TEXT / 1024) : 0;
}

static int
make_answers(const struct making *m, struct err *e)
{
	const struct json_object *all = json_member(m->file, "answers");
	size_t n = json_kind(all) == JSON_ARRAY ? json_count(all) : 0;

	m->d->answers = arena_alloc(m->a, (n + 1) * sizeof(*m->d->answers));
	if (m->d->answers == NULL)
		return no_memory(e);
	for (size_t i = 0; i < n; i++) {
		const struct json_object *one = json_at(all, i);
		struct answer_rule *r = &m->d->answers[i];

		r->status = json_int(json_member(one, "status"));
		r->has = arena_str(m->a, text_of(one, "has"));
		r->equals = arena_str(m->a, text_of(one, "equals"));
		r->is = arena_str(m->a, text_of(one, "is"));
		r->says = arena_str(m->a, text_of(one, "says"));
		if (r->has.p == NULL || r->equals.p == NULL || r->is.p == NULL ||
		    r->says.p == NULL)
			return no_memory(e);
	}
	m->d->nanswers = n;
	return 0;
}

static int
make_batch(const struct making *m, struct err *e)
{
	const struct json_object *one = json_member(m->file, "batch");
	struct batch_rule *b = &m->d->batch;

	if (json_kind(one) != JSON_OBJECT)
		return 0;
	b->list = arena_str(m->a, text_of(one, "list"));
	b->key = arena_str(m->a, text_of(one, "key"));
	b->done = arena_str(m->a, text_of(one, "done"));
	b->most = (uint64_t)json_int(json_member(one, "most"));
	b->bytes = (uint64_t)json_int(json_member(one, "bytes"));
	return b->list.p == NULL || b->key.p == NULL || b->done.p == NULL ?
	    no_memory(e) : 0;
}

int
service_apply(struct destination *d, const struct bundle *own, struct arena *a,
    struct err *e)
{
	struct json_doc *doc = open_file(own, d->service, e);
	struct making m = { .d = d, .a = a, .doc = doc };
	int rc = -1;

	if (doc == NULL)
		return -1;
	m.file = json_root(doc);
	m.parameters = json_member(m.file, "parameters");
	d->google = arena_str(a, text_of(m.file, "google"));
	if (d->scope.n == 0)
		d->scope = arena_str(a, text_of(m.file, "scope"));
	d->emulator = arena_str(a, text_of(m.file, "emulator"));
	d->retry_at = arena_str(a, text_of(m.file, "retry_at"));
	if (d->google.p == NULL || d->emulator.p == NULL || d->retry_at.p == NULL)
		no_memory(e);
	else if (check_all(&m, e) == 0 && check_wants(&m, e) == 0 &&
	    make_url(&m, e) == 0 && make_body(&m, e) == 0 &&
	    make_answers(&m, e) == 0 && make_batch(&m, e) == 0)
		rc = 0;
	json_close(doc);
	return rc;
}

/* --- a file of one's own --------------------------------------------------------------- */

struct checking {
	const struct json_doc *doc;
	const struct json_object *parameters;
	struct err	*e;
};

static int
wrong(const struct checking *c, const struct json_object *v, const char *what,
    struct str name)
{
	return json_err(c->doc, v, c->e, "\"%.*s\" %s", STR_ARG(str_head(name, 60)), what);
}

/* The members of an object: only those, each of its kind. */
struct member {
	const char	*name;
	enum json_kind	 kind;
	bool		 needed;
};

static int
check_members(const struct checking *c, const struct json_object *o,
    const struct member *known, const char *of)
{
	const char *names[16], *near;
	struct str name;
	size_t n = 0, k;

	for (; known[n].name != NULL; n++) {
		names[n] = known[n].name;
		if (known[n].needed && json_member(o, names[n]) == NULL)
			return json_err(c->doc, o, c->e, "%s has no \"%s\"", of,
			    names[n]);
	}
	names[n] = NULL;
	for (size_t i = 0; i < json_count(o); i++) {
		const struct json_object *v = json_nth(o, i, &name);

		for (k = 0; k < n && !str_eq(name, str_of(names[k])); k++)
			;
		if (k == n) {
			near = conf_nearest(name, names);
			return json_err(c->doc, v, c->e, "%s has no word \"%.*s\"%s%s%s",
			    of, STR_ARG(str_head(name, 60)), near != NULL ?
			    "; did you mean \"" : "", near != NULL ? near : "",
			    near != NULL ? "\"?" : "");
		}
		if (json_kind(v) != known[k].kind)
			return wrong(c, v, known[k].kind == JSON_STRING ?
			    "must be a text" : known[k].kind == JSON_BOOL ?
			    "must be true or false" : known[k].kind == JSON_NUMBER ?
			    "must be a number" : known[k].kind == JSON_ARRAY ?
			    "must be a list" : "must be an object", name);
	}
	return 0;
}

static bool
is_name(struct str s, const char *more)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') ||
		    (s.p[i] >= '0' && s.p[i] <= '9') ||
		    (s.p[i] != '\0' && strchr(more, s.p[i]) != NULL)))
			return false;
	return s.n > 0 && s.n <= SERVICE_ID;
}

static bool
is_parameter(const struct checking *c, struct str name)
{
	struct str one;

	for (size_t i = 0; i < json_count(c->parameters); i++) {
		json_nth(c->parameters, i, &one);
		if (str_eq(one, name))
			return true;
	}
	return false;
}

/* Each {param:NAME} of all texts in it. */
static int
check_words(const struct checking *c, const struct json_object *v)
{
	struct str text, name;
	ptrdiff_t end;

	if (json_kind(v) == JSON_OBJECT || json_kind(v) == JSON_ARRAY) {
		for (size_t i = 0; i < json_count(v); i++)
			if (check_words(c, json_kind(v) == JSON_OBJECT ?
			    json_nth(v, i, &name) : json_at(v, i)) == -1)
				return -1;
		return 0;
	}
	if (json_kind(v) != JSON_STRING)
		return 0;
	for (text = json_text(v); text.n > 0; text = str_skip(text, 1)) {
		if (!str_starts(text, STR(PARAM_WORD)))
			continue;
		name = str_skip(text, strlen(PARAM_WORD));
		end = str_find(name, '}');
		name = str_head(name, end < 0 ? 0 : (size_t)end);
		if (!is_parameter(c, name))
			return wrong(c, v, "is no parameter of the service", name);
	}
	return 0;
}

static int
check_parameters(const struct checking *c)
{
	static const struct member known[] = {
		{ "means", JSON_STRING, true }, { "form", JSON_STRING, false },
		{ "optional", JSON_BOOL, false }, { "words", JSON_BOOL, false },
		{ NULL, JSON_NONE, false },
	};
	struct str name;

	for (size_t i = 0; i < json_count(c->parameters); i++) {
		const struct json_object *v = json_nth(c->parameters, i, &name);

		if (!is_name(name, "_"))
			return wrong(c, v, "is no name of a parameter: a-z, 0-9 and \"_\"",
			    name);
		if (conf_is_destination_key(name) || str_eq(name, STR("endpoint")))
			return wrong(c, v, "is a key of every destination: a parameter "
			    "needs another name", name);
		if (json_kind(v) != JSON_OBJECT)
			return wrong(c, v, "must be an object", name);
		if (check_members(c, v, known, "a parameter") == -1)
			return -1;
	}
	return 0;
}

/* A path in which one "[]" may stand for "[N]". */
static bool
is_answer_path(struct str s)
{
	const char *at = memmem(s.p, s.n, "[]", 2);
	char text[256];

	if (at == NULL || s.n >= sizeof(text) - 1)
		return json_is_path(s);
	snprintf(text, sizeof(text), "%.*s0%.*s", (int)(at + 1 - s.p), s.p,
	    (int)(s.p + s.n - at - 1), at + 1);
	return json_is_path(str_of(text));
}

/* Its list is one of the body, which shows one element as it is for each event. */
static int
check_batch(const struct checking *c, const struct json_object *b,
    const struct json_object *body)
{
	static const struct member known[] = {
		{ "list", JSON_STRING, true }, { "most", JSON_NUMBER, true },
		{ "bytes", JSON_NUMBER, true }, { "key", JSON_STRING, false },
		{ "done", JSON_STRING, false }, { NULL, JSON_NONE, false },
	};
	const struct json_object *list = NULL, *most, *bytes;
	struct str name, key = text_of(b, "key");
	bool there = false;

	if (b == NULL)
		return 0;
	if (check_members(c, b, known, "a batch") == -1)
		return -1;
	most = json_member(b, "most");
	bytes = json_member(b, "bytes");
	for (size_t i = 0; i < json_count(body); i++) {
		const struct json_object *v = json_nth(body, i, &name);

		if (str_eq(name, text_of(b, "list")))
			list = v;
	}
	if (json_kind(list) != JSON_ARRAY || json_count(list) != 1 ||
	    json_kind(json_at(list, 0)) != JSON_OBJECT)
		return wrong(c, json_member(b, "list"), "must be a list in \"body\" that "
		    "holds one object", STR("list"));
	for (size_t i = 0; i < json_count(json_at(list, 0)); i++) {
		json_nth(json_at(list, 0), i, &name);
		there |= str_eq(name, key);
	}
	if (json_member(b, "key") != NULL && !there)
		return wrong(c, json_member(b, "key"), "must be a member of that object",
		    STR("key"));
	if (!json_is_int(most) || json_int(most) < 2 || json_int(most) > BATCH_MOST)
		return wrong(c, most, "must be 2 to 1000", STR("most"));
	if (!json_is_int(bytes) || json_int(bytes) < 1 || json_int(bytes) > BATCH_BYTES)
		return wrong(c, bytes, "must be 1 to 10000000", STR("bytes"));
	if (json_member(b, "done") != NULL && !json_is_path(text_of(b, "done")))
		return wrong(c, json_member(b, "done"), "must be a path to a list",
		    STR("done"));
	return 0;
}

static int
check_answers(const struct checking *c, const struct json_object *all)
{
	static const struct member known[] = {
		{ "status", JSON_NUMBER, true }, { "has", JSON_STRING, false },
		{ "equals", JSON_STRING, false }, { "is", JSON_STRING, true },
		{ "says", JSON_STRING, true }, { NULL, JSON_NONE, false },
	};

	for (size_t i = 0; i < json_count(all); i++) {
		const struct json_object *v = json_at(all, i), *status;
		struct str is;

		if (json_kind(v) != JSON_OBJECT)
			return wrong(c, v, "must be a list of objects", STR("answers"));
		if (check_members(c, v, known, "an answer") == -1)
			return -1;
		status = json_member(v, "status");
		if (!json_is_int(status) || json_int(status) < 100 ||
		    json_int(status) > 599)
			return wrong(c, status, "must be 100 to 599", STR("status"));
		is = text_of(v, "is");
		if (!str_eq(is, STR("done")) && !str_eq(is, STR("later")) &&
		    !str_eq(is, STR("dead")))
			return wrong(c, json_member(v, "is"), "must be done, later or dead",
			    STR("is"));
		if (json_member(v, "has") != NULL && !is_answer_path(text_of(v, "has")))
			return wrong(c, json_member(v, "has"), "must be a path like "
			    "\"error.details[0].code\"", STR("has"));
		if (json_member(v, "equals") != NULL && json_member(v, "has") == NULL)
			return wrong(c, json_member(v, "equals"), "goes with \"has\"",
			    STR("equals"));
	}
	return 0;
}

/* What stands in the places of single words. */
static int
check_rest(const struct checking *c, const struct json_object *root)
{
	static const char *const texts[] = { "name", "docs", "scope", "emulator",
		"retry_at" };
	struct str google = text_of(root, "google"), url = text_of(root, "url");
	const struct json_object *one = json_member(root, "one_of");

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (json_member(root, texts[i]) != NULL &&
		    !str_printable(text_of(root, texts[i])))
			return wrong(c, json_member(root, texts[i]), "must be plain text",
			    str_of(texts[i]));
	if (!str_starts(url, STR("https://")) && !str_starts(url, STR("http://")) &&
	    !str_starts(url, STR(PARAM_WORD)))
		return wrong(c, json_member(root, "url"), "must begin with \"https://\", "
		    "\"http://\" or a parameter", STR("url"));
	if (json_member(root, "google") != NULL && !str_eq(google, STR("access")) &&
	    !str_eq(google, STR("id")))
		return wrong(c, json_member(root, "google"), "must be access or id",
		    STR("google"));
	if (json_member(root, "scope") != NULL && !str_eq(google, STR("access")))
		return wrong(c, json_member(root, "scope"), "goes with \"google\": "
		    "\"access\"", STR("scope"));
	if (json_member(root, "authorization") != NULL && (google.n > 0 ||
	    !str_eq(text_of(root, "authorization"), STR("oauth1"))))
		return wrong(c, json_member(root, "authorization"), "must be oauth1, and "
		    "goes without \"google\"", STR("authorization"));
	for (size_t i = 0; i < json_count(one); i++)
		if (json_kind(json_at(one, i)) != JSON_STRING ||
		    !is_parameter(c, json_text(json_at(one, i))))
			return wrong(c, json_at(one, i), "must be a list of parameters",
			    STR("one_of"));
	return 0;
}

int
service_check(struct str id, struct str text, const char *name, struct err *e)
{
	static const struct member known[] = {
		{ "name", JSON_STRING, true }, { "docs", JSON_STRING, false },
		{ "parameters", JSON_OBJECT, false }, { "one_of", JSON_ARRAY, false },
		{ "url", JSON_STRING, true }, { "body", JSON_OBJECT, false },
		{ "google", JSON_STRING, false }, { "scope", JSON_STRING, false },
		{ "authorization", JSON_STRING, false }, { "per_day", JSON_BOOL, false },
		{ "retry_at", JSON_STRING, false }, { "emulator", JSON_STRING, false },
		{ "answers", JSON_ARRAY, false }, { "batch", JSON_OBJECT, false },
		{ NULL, JSON_NONE, false },
	};
	struct checking c = { .e = e };
	const struct json_object *root;
	struct json_doc *doc;
	int rc = -1;

	if (!is_name(id, "-"))
		return err_set(e, ERR_CONF, "%s: the name of a service is a-z, 0-9 and "
		    "\"-\", at most %d", name, SERVICE_ID);
	if ((doc = json_read(text, name, e)) == NULL)
		return -1;
	c.doc = doc;
	root = json_root(doc);
	c.parameters = json_member(root, "parameters");
	if (json_kind(root) != JSON_OBJECT)
		err_set(e, ERR_CONF, "%s:1:1: a service is an object, { ... }", name);
	else if (check_members(&c, root, known, "a service") == 0 &&
	    check_parameters(&c) == 0 && check_rest(&c, root) == 0 &&
	    check_words(&c, json_member(root, "url")) == 0 &&
	    check_words(&c, json_member(root, "body")) == 0 &&
	    check_answers(&c, json_member(root, "answers")) == 0 &&
	    check_batch(&c, json_member(root, "batch"), json_member(root, "body")) == 0)
		rc = 0;
	json_close(doc);
	return rc;
}
