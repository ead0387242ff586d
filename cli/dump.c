/*
 * dump.c - see dump.h.
 */
#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "base/when.h"
#include "cli/dump.h"

/* --- JSON of ours ------------------------------------------------------------------ */

static struct str
copied(struct arena *a, const struct json_object *o)
{
	return json_kind(o) == JSON_STRING ? arena_str(a, json_text(o)) : STR_NONE;
}

static struct str
from_base64(struct arena *a, struct str coded)
{
	char *p = arena_bytes(a, BASE64_ROOM(coded.n));
	size_t n;

	return p != NULL && base64_decode(coded, p, BASE64_ROOM(coded.n), &n) ?
	    (struct str){ p, n } : STR_NONE;
}

/* [["name","value"], ...]; a value that is no text is {"base64": "..."}. */
static int
take_headers(struct sent *s, const struct json_object *list, struct arena *a)
{
	s->headers = arena_alloc(a, (json_count(list) + 1) * sizeof(*s->headers));
	if (s->headers == NULL)
		return -1;
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json_object *pair = json_at(list, i), *v;
		struct header *h = &s->headers[s->nheaders];

		if (json_kind(pair) != JSON_ARRAY || json_count(pair) != 2)
			return -1;
		v = json_at(pair, 1);
		h->name = copied(a, json_at(pair, 0));
		h->value = json_kind(v) == JSON_OBJECT ? from_base64(a,
		    json_text(json_member(v, "base64"))) : copied(a, v);
		if (h->name.p == NULL || h->value.p == NULL)
			return -1;
		s->nheaders++;
	}
	return 0;
}

static int
read_json(struct dump *d, const struct json_object *root, const char *name,
    struct arena *a, struct err *e)
{
	const struct json_object *o = json_member(root, "request"), *v;

	d->reason = copied(a, json_member(root, "reason"));
	if (o == NULL)
		o = root;
	d->hook = copied(a, json_member(o, "hook"));
	d->provider = copied(a, json_member(o, "provider"));
	d->sent.method = copied(a, json_member(o, "method"));
	d->sent.url = copied(a, json_member(o, "target"));
	if (d->sent.url.p == NULL)
		d->sent.url = copied(a, json_member(o, "url"));
	if ((v = json_member(o, "received_at")) != NULL &&
	    !when_parse(json_text(v), WHEN_ISO8601, &d->at))
		d->at = 0;
	if ((v = json_member(o, "body_base64")) != NULL)
		d->sent.body = from_base64(a, json_text(v));
	else
		d->sent.body = copied(a, json_member(o, "body"));
	v = json_member(o, "headers");
	if (d->sent.method.p == NULL || d->sent.url.p == NULL ||
	    json_kind(v) != JSON_ARRAY || take_headers(&d->sent, v, a) != 0)
		return err_set(e, ERR_DATA, "%s: there is no request in this JSON: "
		    "method, target, headers, body_base64", name);
	if (d->sent.body.p == NULL)
		return err_set(e, ERR_DATA, "%s: its body is missing: \"events show "
		    "--json\" has it", name);
	return 0;
}

/* --- HTTP -------------------------------------------------------------------------- */

static struct str
next_line(struct str *rest)
{
	struct str line = str_cut(rest, '\n');

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* "> POST /x HTTP/1.1" as curl -v has it, too. */
static struct str
bare(struct str line)
{
	return str_starts(line, STR("> ")) ? str_skip(line, 2) : line;
}

static bool
is_method(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 'A' || s.p[i] > 'Z')
			return false;
	return s.n > 0;
}

static int
read_http(struct dump *d, struct str text, const char *name, struct arena *a,
    struct err *e)
{
	struct str rest = text, line = bare(next_line(&rest)), value;
	uint64_t length = UINT64_MAX;
	size_t room = 0;

	d->sent.method = str_cut(&line, ' ');
	d->sent.url = str_cut(&line, ' ');
	if (!is_method(d->sent.method) || (!str_starts(d->sent.url, STR("/")) &&
	    !str_starts(d->sent.url, STR("http"))))
		return err_set(e, ERR_DATA, "%s: neither a request of HTTP (\"POST "
		    "/path HTTP/1.1\", headers, an empty line, the body) nor JSON of "
		    "ours", name);
	for (size_t i = 0; i < text.n; i++)
		room += text.p[i] == '\n';
	d->sent.headers = arena_alloc(a, (room + 1) * sizeof(*d->sent.headers));
	if (d->sent.headers == NULL)
		return err_set(e, ERR_DATA, "%s: it is too large", name);
	while (rest.p != NULL && (line = bare(next_line(&rest))).n > 0 &&
	    !str_eq(line, STR(">"))) {
		struct header *h = &d->sent.headers[d->sent.nheaders];

		value = line;
		h->name = str_cut(&value, ':');
		h->value = str_trim(value);
		if (value.p == NULL)
			return err_set(e, ERR_DATA, "%s: \"%.*s\" is no header", name,
			    STR_ARG(str_head(h->name, 60)));
		if (str_eq_nocase(h->name, STR("content-length")))
			str_to_u64(h->value, &length);
		d->sent.nheaders++;
	}
	d->sent.body = rest.p != NULL ? rest : STR("");
	if (length == UINT64_MAX)
		return 0;
	/* An editor puts a line's end behind it. */
	if (length <= d->sent.body.n)
		d->sent.body = str_head(d->sent.body, (size_t)length);
	else
		d->missing = length - d->sent.body.n;
	return 0;
}

int
dump_read(struct dump *d, struct str text, const char *name, struct arena *a,
    struct err *e)
{
	struct json_doc *doc;
	struct str copy = arena_str(a, text);
	int rc;

	*d = (struct dump){ .sent = { .alternative = -1 } };
	if (copy.p == NULL)
		return err_set(e, ERR_DATA, "%s: it is too large", name);
	if (copy.n == 0 || *copy.p != '{')
		return read_http(d, copy, name, a, e);
	if ((doc = json_read(copy, name, e)) == NULL)
		return -1;
	rc = read_json(d, json_root(doc), name, a, e);
	json_close(doc);
	return rc;
}
