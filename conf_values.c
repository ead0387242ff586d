/*
 * conf_values.c - the families of plain values, alone or in a list: how each is
 * read, printed, compared and described.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "conf_parts.h"
#include "base/arena.h"

/* --- sentences ---------------------------------------------------------------- */

struct quoted
quoted(struct str s)
{
	struct quoted q = { "\"...\"" };
	struct buf b = BUF(sizeof(q.p) - 1);

	buf_json(&b, str_head(s, 60));
	if (s.n > 60 && b.n > 0)
		b.n--, buf_put(&b, STR("...\""));
	if (buf_ok(&b)) {
		memcpy(q.p, b.p, b.n);
		q.p[b.n] = '\0';
	}
	buf_free(&b);
	return q;
}

struct quoted
instead(struct reader *r, const struct option *o, const struct json_object *v)
{
	struct str number = o != NULL && o->kind->secret ? STR("a number") :
	    json_source(r->doc, v);
	struct quoted q;
	const char *word = "null";

	switch (json_kind(v)) {
	case JSON_NUMBER:
		snprintf(q.p, sizeof(q.p), "%.*s",
		    (int)(number.n < 60 ? number.n : 60), number.p);
		return q;
	case JSON_BOOL:
		word = json_bool(v) ? "true" : "false";
		break;
	case JSON_STRING:
		word = "a string";
		break;
	case JSON_ARRAY:
		word = "a list";
		break;
	case JSON_OBJECT:
		word = "an object";
		break;
	case JSON_NONE:
	case JSON_NULL:
		break;
	}
	snprintf(q.p, sizeof(q.p), "%s", word);
	return q;
}

int
wrong_type(struct reader *r, const struct option *o,
    const struct json_object *v)
{
	return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
	    o->name, o->kind->what, instead(r, o, v).p);
}

static int
wrong_text(struct reader *r, const struct option *o,
    const struct json_object *v)
{
	return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
	    o->name, o->kind->what, quoted(json_text(v)).p);
}

int
no_room(struct reader *r)
{
	return err_set(r->e, ERR_OS, "%.*s: no memory to read it",
	    STR_ARG(r->c->name));
}

/* --- what families share ------------------------------------------------------ */

bool
always(const struct option *o, const void *base)
{
	(void)o, (void)base;
	return true;
}

void
schema_string(struct buf *b, const struct kind *k)
{
	buf_put(b, STR("\"type\": \"string\""));
	if (k->pattern != NULL) {
		buf_put(b, STR(", \"pattern\": "));
		buf_json(b, str_of(k->pattern));
	}
}

/* "1 to 1g" or "that or this": its two ends. */
static void
range_ends(const struct option *o, struct str *first, struct str *last)
{
	*last = str_of(o->range);
	*first = str_cut(last, ' ');
	str_cut(last, ' ');
}

/* --- numbers ------------------------------------------------------------------ */

static uint64_t
number_get(const struct option *o, const void *base)
{
	const char *at = (const char *)base + o->at;

	switch (o->size) {
	case sizeof(bool):
		return *(const bool *)at;
	case sizeof(unsigned):
		return *(const unsigned *)at;
	default:
		return *(const uint64_t *)at;
	}
}

static void
number_put(const struct option *o, void *base, uint64_t v)
{
	char *at = (char *)base + o->at;

	switch (o->size) {
	case sizeof(bool):
		*(bool *)at = v != 0;
		break;
	case sizeof(unsigned):
		*(unsigned *)at = (unsigned)v;
		break;
	default:
		*(uint64_t *)at = v;
		break;
	}
}

/* "26m" by its units. */
static bool
number_parse(const struct unit *units, struct str s, uint64_t *out)
{
	struct str digits, suffix;
	uint64_t v;
	size_t i, n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	digits = str_head(s, n);
	suffix = str_skip(s, n);
	if (n == 0 || !str_to_u64(digits, &v))
		return false;
	for (i = 0; units[i].name != NULL; i++)
		if (str_eq(suffix, str_of(units[i].name)))
			return !__builtin_mul_overflow(v, units[i].factor, out);
	return false;
}

static void
range_of(const struct option *o, uint64_t *least, uint64_t *most)
{
	struct str first, last;

	*least = 0;
	*most = UINT64_MAX;
	range_ends(o, &first, &last);
	number_parse(o->kind->units, first, least);
	number_parse(o->kind->units, last, most);
}

static bool
in_range(const struct option *o, uint64_t v)
{
	uint64_t least, most;

	range_of(o, &least, &most);
	return v >= least && v <= most;
}

static int
number_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	uint64_t n;

	if (json_kind(v) == JSON_NUMBER && json_is_int(v) && json_int(v) >= 0) {
		if (__builtin_mul_overflow((uint64_t)json_int(v),
		    o->kind->units[0].factor, &n))
			n = UINT64_MAX;
	} else if (json_kind(v) == JSON_NUMBER && json_is_int(v)) {
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %lld",
		    o->name, o->range, (long long)json_int(v));
	} else if (json_kind(v) != JSON_STRING || o->kind->bare) {
		return wrong_type(r, o, v);
	} else if (!number_parse(o->kind->units, json_text(v), &n)) {
		return wrong_text(r, o, v);
	}
	if (!in_range(o, n))
		return json_err(r->doc, v, r->e, "\"%s\" must be %s",
		    o->name, o->range);
	number_put(o, base, n);
	return 0;
}

static void
number_preset(const struct option *o, void *base)
{
	uint64_t n;

	if (o->preset != NULL &&
	    number_parse(o->kind->units, str_of(o->preset), &n))
		number_put(o, base, n);
}

static bool
number_given(const struct option *o, const void *base)
{
	return o->preset != NULL || in_range(o, number_get(o, base));
}

/* By the largest unit that says it exactly. */
static void
number_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	const struct unit *units = o->kind->units;
	uint64_t v = number_get(o, base);
	size_t i = 0;

	(void)depth;
	while (units[i].name != NULL)
		i++;
	while (v != 0 && --i > 0) {
		if (v % units[i].factor == 0) {
			buf_printf(b, "\"%llu%s\"",
			    (unsigned long long)(v / units[i].factor),
			    units[i].name);
			return;
		}
	}
	buf_printf(b, "%llu", (unsigned long long)(v / units[0].factor));
}

static bool
number_equal(const struct option *o, const void *a, const void *b)
{
	return number_get(o, a) == number_get(o, b);
}

/* Bounds hold for plain numbers; a text is held to its pattern. */
static void
number_schema(struct buf *b, const struct option *o, unsigned depth)
{
	uint64_t factor = o->kind->units[0].factor, least, most;

	(void)depth;
	range_of(o, &least, &most);
	if (o->kind->bare) {
		buf_put(b, STR("\"type\": \"integer\""));
	} else {
		buf_put(b, STR("\"type\": [\"string\", \"integer\"], "
		    "\"pattern\": "));
		buf_json(b, str_of(o->kind->pattern));
	}
	buf_printf(b, ", \"minimum\": %llu, \"maximum\": %llu",
	    (unsigned long long)((least + factor - 1) / factor),
	    (unsigned long long)(most / factor));
}

const struct family family_number = {
	.read = number_read, .preset = number_preset, .given = number_given,
	.print = number_print, .equal = number_equal,
	.schema = number_schema, .bounds = " No from ",
};

/* --- flags and words ---------------------------------------------------------- */

/* Both begin as zero, the first of two. */

static int
flag_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	if (json_kind(v) != JSON_BOOL)
		return wrong_type(r, o, v);
	number_put(o, base, json_bool(v));
	return 0;
}

static void
flag_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	(void)depth;
	buf_put(b, number_get(o, base) ? STR("true") : STR("false"));
}

static void
flag_schema(struct buf *b, const struct option *o, unsigned depth)
{
	(void)o, (void)depth;
	buf_put(b, STR("\"type\": \"boolean\""));
}

const struct family family_flag = {
	.read = flag_read, .given = always, .print = flag_print,
	.equal = number_equal, .schema = flag_schema,
};

static int
word_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	struct str first, last;

	range_ends(o, &first, &last);
	if (json_kind(v) != JSON_STRING)
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
		    o->name, o->range, instead(r, o, v).p);
	if (!str_eq(json_text(v), first) && !str_eq(json_text(v), last))
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
		    o->name, o->range, quoted(json_text(v)).p);
	number_put(o, base, str_eq(json_text(v), last));
	return 0;
}

static void
word_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	struct str first, last;

	(void)depth;
	range_ends(o, &first, &last);
	buf_json(b, number_get(o, base) ? last : first);
}

static void
word_schema(struct buf *b, const struct option *o, unsigned depth)
{
	struct str first, last;

	(void)depth;
	range_ends(o, &first, &last);
	buf_put(b, STR("\"enum\": ["));
	buf_json(b, first);
	buf_put(b, STR(", "));
	buf_json(b, last);
	buf_putc(b, ']');
}

const struct family family_word = {
	.read = word_read, .given = always, .print = word_print,
	.equal = number_equal, .schema = word_schema, .bounds = " No : ",
};

/* --- texts -------------------------------------------------------------------- */

static struct str
text_get(const struct option *o, const void *base)
{
	return *(const struct str *)(const void *)((const char *)base + o->at);
}

int
text_take(struct reader *r, const struct option *o,
    const struct json_object *v, void *out)
{
	const struct kind *k = o->kind;
	struct str s;

	if (json_kind(v) != JSON_STRING)
		return wrong_type(r, o, v);
	s = arena_str(r->c->arena, json_text(v));
	if (s.p == NULL)
		return no_room(r);
	if (k->fits(&s)) {
		memcpy(out, &s, sizeof(s));
		return 0;
	}
	if (k->refuse != NULL && k->refuse(r, o, v) == -1)
		return -1;
	if (k->secret)
		return json_err(r->doc, v, r->e, "\"%s\" must be %s",
		    o->name, k->what);
	return wrong_text(r, o, v);
}

static int
text_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	return text_take(r, o, v, (char *)base + o->at);
}

static void
text_preset(const struct option *o, void *base)
{
	struct str preset = str_of(o->preset);

	memcpy((char *)base + o->at, &preset, sizeof(preset));
}

bool
text_given(const struct option *o, const void *base)
{
	return text_get(o, base).p != NULL;
}

static void
text_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	struct str s = text_get(o, base);
	struct buf whole = BUF(SIZE_MAX / 2);

	(void)depth;
	if (o->kind->prefix == NULL) {
		buf_json(b, s.n > 0 ? s : STR("none"));
		return;
	}
	buf_put(&whole, str_of(o->kind->prefix));
	buf_put(&whole, s);
	buf_json(b, buf_str(&whole));
	buf_free(&whole);
}

static bool
text_equal(const struct option *o, const void *a, const void *b)
{
	return str_eq(text_get(o, a), text_get(o, b));
}

static void
text_schema(struct buf *b, const struct option *o, unsigned depth)
{
	(void)depth;
	schema_string(b, o->kind);
}

const struct family family_text = {
	.read = text_read, .preset = text_preset, .given = text_given,
	.print = text_print, .equal = text_equal, .schema = text_schema,
	.form = true,
};

/* --- lists of one family's values --------------------------------------------- */

void
list_get(const struct option *o, const void *base, const void **all, size_t *n)
{
	memcpy(all, (const char *)base + o->at, sizeof(*all));
	memcpy(n, (const char *)base + o->count_at, sizeof(*n));
}

void
list_put(const struct option *o, void *base, const void *all, size_t n)
{
	memcpy((char *)base + o->at, &all, sizeof(all));
	memcpy((char *)base + o->count_at, &n, sizeof(n));
}

/* An element alone is a list of one. */
static int
list_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	const struct element *of = o->kind->family->of;
	bool list = json_kind(v) == JSON_ARRAY;
	size_t n = list ? json_count(v) : 1, i;
	char *all;

	if (list && o->kind->alone)
		return wrong_type(r, o, v);
	if (n == 0)
		return json_err(r->doc, v, r->e, "\"%s\" is an empty list; "
		    "leave it out or name at least one", o->name);
	if ((all = arena_alloc(r->c->arena, n * of->size)) == NULL)
		return no_room(r);
	for (i = 0; i < n; i++) {
		const struct json_object *item = list ? json_at(v, i) : v;

		if (list && json_kind(item) != JSON_STRING)
			return json_err(r->doc, item, r->e, "\"%s\" must be "
			    "a list of strings, and one of them is %s", o->name,
			    instead(r, o, item).p);
		if (of->read(r, o, item, all + i * of->size) == -1)
			return -1;
	}
	list_put(o, base, all, n);
	return 0;
}

bool
list_given(const struct option *o, const void *base)
{
	const void *all;
	size_t n;

	list_get(o, base, &all, &n);
	return n > 0;
}

static void
list_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	const struct element *of = o->kind->family->of;
	const void *all;
	size_t n, i;

	(void)depth;
	list_get(o, base, &all, &n);
	if (n > 1)
		buf_putc(b, '[');
	for (i = 0; i < n; i++) {
		buf_put(b, i > 0 ? STR(", ") : STR(""));
		of->print(b, (const char *)all + i * of->size);
	}
	if (n > 1)
		buf_putc(b, ']');
}

bool
list_equal(const struct option *o, const void *a, const void *b)
{
	const struct element *of = o->kind->family->of;
	const void *pa, *pb;
	size_t na, nb, i;

	list_get(o, a, &pa, &na);
	list_get(o, b, &pb, &nb);
	for (i = 0; na == nb && i < na; i++)
		if (!of->equal((const char *)pa + i * of->size,
		    (const char *)pb + i * of->size))
			return false;
	return na == nb;
}

static void
list_schema(struct buf *b, const struct option *o, unsigned depth)
{
	if (o->kind->alone) {
		schema_string(b, o->kind);
		return;
	}
	buf_put(b, STR("\"anyOf\": [{ "));
	schema_string(b, o->kind);
	buf_put(b, STR(" },"));
	indent(b, depth + 1);
	buf_put(b, STR("{ \"type\": \"array\", \"minItems\": 1, \"items\": { "));
	schema_string(b, o->kind);
	buf_put(b, STR(" } }]"));
}

static void
text_put(struct buf *b, const void *at)
{
	buf_json(b, *(const struct str *)at);
}

static bool
texts_alike(const void *a, const void *b)
{
	return str_eq(*(const struct str *)a, *(const struct str *)b);
}

static const struct element one_text = {
	sizeof(struct str), text_take, text_put, texts_alike
};
const struct family family_texts = {
	.read = list_read, .given = list_given, .print = list_print,
	.equal = list_equal, .schema = list_schema, .form = true,
	.of = &one_text,
};

/* --- networks ----------------------------------------------------------------- */

static bool
net_is_v4(const struct cidr *c)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(c->addr, mapped, sizeof(mapped)) == 0;
}

#define NET_TEXT	(INET6_ADDRSTRLEN + 4)

static void
net_text(const struct cidr *c, char out[NET_TEXT])
{
	bool v4 = net_is_v4(c);
	size_t n;

	inet_ntop(v4 ? AF_INET : AF_INET6, c->addr + (v4 ? 12 : 0), out,
	    INET6_ADDRSTRLEN);
	n = strlen(out);
	snprintf(out + n, NET_TEXT - n, "/%u", v4 ? c->bits - 96 : c->bits);
}

static bool
net_parse(struct str s, struct cidr *c)
{
	struct str length = s, text = str_cut(&length, '/');
	char addr[INET6_ADDRSTRLEN];
	uint64_t bits;
	unsigned offset = 0;

	memset(c, 0, sizeof(*c));
	if (text.n == 0 || text.n >= sizeof(addr) ||
	    memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(addr, text.p, text.n);
	addr[text.n] = '\0';
	if (inet_pton(AF_INET, addr, c->addr + 12) == 1) {
		c->addr[10] = c->addr[11] = 0xff;
		offset = 96;
	} else if (inet_pton(AF_INET6, addr, c->addr) != 1) {
		return false;
	}
	bits = 128 - offset;
	if (length.p != NULL && (!str_to_u64(length, &bits) ||
	    bits > 128 - offset))
		return false;
	c->bits = (unsigned)bits + offset;
	return true;
}

/* Clears what is beyond the length; was there anything? */
static bool
net_mask(struct cidr *c)
{
	unsigned i, left;
	bool beyond = false;

	for (i = 0; i < 16; i++) {
		unsigned char keep;

		left = c->bits > 8 * i ? c->bits - 8 * i : 0;
		keep = (unsigned char)(left >= 8 ? 0xff : 0xff00 >> left);
		beyond |= (c->addr[i] & ~keep) != 0;
		c->addr[i] &= keep;
	}
	return beyond;
}

static int
net_take(struct reader *r, const struct option *o,
    const struct json_object *v, void *out)
{
	struct cidr *c = out;
	char text[NET_TEXT];

	if (json_kind(v) != JSON_STRING)
		return wrong_type(r, o, v);
	if (!net_parse(json_text(v), c))
		return wrong_text(r, o, v);
	if (net_mask(c)) {
		net_text(c, text);
		return json_err(r->doc, v, r->e, "\"%s\": %s has bits beyond "
		    "its length; did you mean \"%s\"?", o->name,
		    quoted(json_text(v)).p, text);
	}
	return 0;
}

static void
net_put(struct buf *b, const void *at)
{
	char text[NET_TEXT];

	net_text(at, text);
	buf_json(b, str_of(text));
}

static bool
nets_alike(const void *a, const void *b)
{
	const struct cidr *one = a, *two = b;

	return one->bits == two->bits &&
	    memcmp(one->addr, two->addr, sizeof(one->addr)) == 0;
}

static const struct element one_net = {
	sizeof(struct cidr), net_take, net_put, nets_alike
};
const struct family family_nets = {
	.read = list_read, .given = list_given, .print = list_print,
	.equal = list_equal, .schema = list_schema, .form = true,
	.of = &one_net,
};

/* --- what is an editor's ------------------------------------------------------ */

static int
editor_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	(void)r, (void)o, (void)v, (void)base;
	return 0;
}

static bool
editor_given(const struct option *o, const void *base)
{
	(void)o, (void)base;
	return false;
}

static bool
editor_equal(const struct option *o, const void *a, const void *b)
{
	(void)o, (void)a, (void)b;
	return true;
}

const struct family family_editor = {
	.read = editor_read, .given = editor_given, .equal = editor_equal,
	.schema = text_schema,
};
