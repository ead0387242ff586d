/*
 * fuzz_json.c - a line with a path, then a text: scanned, searched and read.
 *
 * What passes our scan must pass json-c's strict reading too, and what is found
 * must be a value of that text, in it.
 */
#include <stdlib.h>
#include <string.h>

#define json_bool	json_c_bool	/* ours is a function */
#include <json-c/json_tokener.h>
#undef json_bool

#include "base/buf.h"
#include "base/json.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(cond)	do { if (!(cond)) abort(); } while (0)

static const struct json_limits limits = { 60, 100000 };

static void
strict(struct str text)
{
	struct json_tokener *tok = json_tokener_new_ex(128);
	char *copy = strndup(text.p, text.n);	/* no NUL in what passed */
	struct json_object *o;

	json_tokener_set_flags(tok, JSON_TOKENER_STRICT |
	    JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, copy, (int)text.n + 1);
	MUST(json_tokener_get_error(tok) == json_tokener_success);
	json_object_put(o);
	json_tokener_free(tok);
	free(copy);
}

static void
found(struct str text, struct str path)
{
	struct buf b = BUF(16 << 20);
	struct arena *a = arena_new(16 << 20);
	struct str raw, whole, bare;
	enum json_kind kind = json_find(text, path, &raw);

	if (kind == JSON_NONE)
		goto out;
	MUST(raw.p >= text.p && raw.p + raw.n <= text.p + text.n);
	whole = kind == JSON_STRING ? (struct str){ raw.p - 1, raw.n + 2 } : raw;
	MUST(json_scan(whole, limits, NULL) == JSON_OK);
	bare = json_unescape(a, raw);
	MUST(bare.p != NULL && bare.n <= raw.n);
	buf_json(&b, bare);
	MUST(buf_ok(&b) && json_scan(buf_str(&b), limits, NULL) == JSON_OK);
out:
	arena_free(a);
	buf_free(&b);
}

static void
visit(const struct json_doc *d, const struct json_object *o, size_t n)
{
	struct str source = json_source(d, o), name;
	size_t i;

	MUST(source.n > 0 && source.n <= n);
	for (i = 0; i < json_count(o) && i < 100; i++)
		visit(d, json_kind(o) == JSON_ARRAY ? json_at(o, i) :
		    json_nth(o, i, &name), source.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n }, path;
	struct json_doc *d;
	struct err e = { ERR_NONE, "" };
	size_t at = 0;
	bool json;

	path = str_cut(&text, '\n');
	if (text.p == NULL)
		return 0;
	json = json_scan(text, limits, &at) == JSON_OK;
	MUST(at <= text.n);
	if (json) {
		strict(text);
		found(text, path);
	} else {
		struct str raw;

		if (json_find(text, path, &raw) != JSON_NONE)
			MUST(raw.p >= text.p && raw.p + raw.n <= text.p +
			    text.n);
	}
	d = json_read(text, "f", &e);
	MUST((d == NULL) == (e.text[0] != '\0'));
	MUST(d != NULL || !json || strstr(e.text, "second time") != NULL ||
	    strstr(e.text, "may not hold") != NULL);
	if (d != NULL)
		visit(d, json_root(d), text.n);
	json_close(d);
	return 0;
}
