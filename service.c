/* service.c - see service.h. */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "letter.h"
#include "service.h"

#define PARAM_WORD	"{param:"

struct making {
	struct destination *d;
	struct arena	*a;
	const struct json_object *file;
	const struct json_object *parameters;
};

static struct str
source(struct str id)
{
	for (size_t i = 0; i < service_texts_count; i++)
		if (str_eq(service_texts[i].id, id))
			return service_texts[i].text;
	return STR_NONE;
}

static struct json_doc *
open_file(struct str id, struct err *e)
{
	struct str text = source(id);

	if (text.p == NULL) {
		err_set(e, ERR_CONF, "there is no such service");
		return NULL;
	}
	return json_read(text, "services", e);
}

bool
service_is(struct str id)
{
	return source(id).p != NULL;
}

const char *
service_names(char out[256])
{
	struct buf b = BUF(255);

	for (size_t i = 0; i < service_texts_count; i++) {
		buf_put(&b, i == 0 ? STR("") : STR(", "));
		buf_put(&b, service_texts[i].id);
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
service_takes(struct str id, struct str name)
{
	struct err e;
	struct json_doc *doc = open_file(id, &e);
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
	default:
		buf_put(out, json_kind(v) == JSON_BOOL ? json_bool(v) ? STR("true") :
		    STR("false") : STR("null"));
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
service_apply(struct destination *d, struct arena *a, struct err *e)
{
	struct json_doc *doc = open_file(d->service, e);
	struct making m = { .d = d, .a = a };
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
