/*
 * conf_objects.c - the families of values that are objects, or may be: how each is
 * read, printed, compared and described.
 */
#include <string.h>

#include "conf_parts.h"
#include "base/arena.h"

/* --- objects of texts --------------------------------------------------------- */

static int
pair_take(struct reader *r, const struct option *o, struct str name,
    const struct json_object *v, struct pair *p)
{
	if (json_kind(v) != JSON_STRING || !o->kind->fits(&name))
		return json_err(r->doc, v, r->e, "\"%s\" must be %s",
		    o->name, o->kind->what);
	p->name = arena_str(r->c->arena, name);
	p->value = arena_str(r->c->arena, json_text(v));
	if (p->name.p == NULL || p->value.p == NULL)
		return no_room(r);
	if (memchr(p->value.p, '\0', p->value.n) != NULL ||
	    (conf_is_reference(p->value) && !fits_secret(&p->value)))
		return json_err(r->doc, v, r->e, "%s of \"%s\" is neither a text "
		    "nor \"env:NAME\", \"file:/PATH\", "
		    "\"gcp:projects/P/secrets/S\" or \"plain:TEXT\"",
		    quoted(name).p, o->name);
	return 0;
}

static int
pairs_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	size_t n = json_count(v), i;
	struct pair *all;

	if (json_kind(v) != JSON_OBJECT)
		return wrong_type(r, o, v);
	if ((all = arena_alloc(r->c->arena, (n + 1) * sizeof(*all))) == NULL)
		return no_room(r);
	for (i = 0; i < n; i++) {
		struct str name;
		const struct json_object *text = json_nth(v, i, &name);

		if (pair_take(r, o, name, text, &all[i]) == -1)
			return -1;
	}
	list_put(o, base, all, n);
	return 0;
}

static void
pairs_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	const void *all;
	size_t n, i;

	(void)depth;
	list_get(o, base, &all, &n);
	buf_putc(b, '{');
	for (i = 0; i < n; i++) {
		const struct pair *p = (const struct pair *)all + i;

		buf_put(b, i > 0 ? STR(", ") : STR(" "));
		buf_json(b, p->name);
		buf_put(b, STR(": "));
		buf_json(b, p->value);
	}
	buf_put(b, STR(" }"));
}

static bool
pairs_alike(const void *a, const void *b)
{
	const struct pair *one = a, *two = b;

	return str_eq(one->name, two->name) && str_eq(one->value, two->value);
}

static void
pairs_schema(struct buf *b, const struct option *o, unsigned depth)
{
	(void)o, (void)depth;
	buf_put(b, STR("\"type\": \"object\", "
	    "\"additionalProperties\": { \"type\": \"string\" }"));
}

static const struct element one_pair = {
	sizeof(struct pair), NULL, NULL, pairs_alike
};
const struct family family_pairs = {
	.read = pairs_read, .given = list_given, .print = pairs_print,
	.equal = list_equal, .schema = pairs_schema, .of = &one_pair,
};

/* --- a hook's provider -------------------------------------------------------- */

static int
provider_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	struct hook *h = base;

	if (json_kind(v) == JSON_OBJECT) {
		h->own = arena_str(r->c->arena, json_source(r->doc, v));
		h->provider = STR("own");
		return h->own.p == NULL ? no_room(r) : 0;
	}
	if (json_kind(v) == JSON_STRING && str_eq(json_text(v), STR("own")))
		return json_err(r->doc, v, r->e, "\"own\" is what providers "
		    "written into a hook are called; name another");
	return text_take(r, o, v, &h->provider);
}

static void
provider_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	const struct hook *h = base;

	(void)o, (void)depth;
	if (h->own.p != NULL)
		buf_put(b, h->own);
	else
		buf_json(b, h->provider);
}

static bool
provider_equal(const struct option *o, const void *a, const void *b)
{
	const struct hook *one = a, *two = b;

	(void)o;
	return str_eq(one->provider, two->provider) &&
	    str_eq(one->own, two->own);
}

static void
provider_schema_of(struct buf *b, const struct option *o, unsigned depth)
{
	(void)depth;
	buf_put(b, STR("\"anyOf\": [{ "));
	schema_string(b, o->kind);
	buf_put(b, STR(" }, { \"type\": \"object\" }]"));
}

const struct family family_provider = {
	.read = provider_read, .given = text_given, .print = provider_print,
	.equal = provider_equal, .schema = provider_schema_of,
};

/* --- a hook's destinations ---------------------------------------------------- */

/* "NAME", or { "to": "NAME", "when": { ... } }. */
static int
deliver_one(struct reader *r, const struct option *o,
    const struct json_object *v, struct deliver *d)
{
	const struct json_object *to = v;
	struct str name;

	if (json_kind(v) == JSON_OBJECT) {
		to = NULL;
		for (size_t i = 0; i < json_count(v); i++) {
			const struct json_object *value = json_nth(v, i, &name);

			if (str_eq(name, STR("to")))
				to = value;
			else if (!str_eq(name, STR("when")))
				return json_err(r->doc, value, r->e, "unknown key "
				    "%s in \"%s\"; it has \"to\" and \"when\"",
				    quoted(name).p, o->name);
			else if (json_kind(value) != JSON_OBJECT)
				return json_err(r->doc, value, r->e, "\"when\" must "
				    "be an object, not %s",
				    instead(r, NULL, value).p);
			else if ((d->when = arena_str(r->c->arena,
			    json_source(r->doc, value))).p == NULL)
				return no_room(r);
		}
	}
	if (json_kind(to) != JSON_STRING || !fits_name(json_text(to)))
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, or a list of "
		    "those", o->name, o->kind->what);
	d->to = arena_str(r->c->arena, json_text(to));
	return d->to.p != NULL ? 0 : no_room(r);
}

#define DELIVER_MOST	32	/* destinations of one hook */

static int
deliver_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	bool list = json_kind(v) == JSON_ARRAY;
	size_t n = list ? json_count(v) : 1, i, j;
	struct deliver *all;

	if (n > DELIVER_MOST)
		return json_err(r->doc, v, r->e, "\"%s\" names more than %d",
		    o->name, DELIVER_MOST);
	if ((all = arena_alloc(r->c->arena, (n + 1) * sizeof(*all))) == NULL)
		return no_room(r);
	for (i = 0; i < n; i++) {
		const struct json_object *item = list ? json_at(v, i) : v;

		if (deliver_one(r, o, item, &all[i]) == -1)
			return -1;
		for (j = 0; j < i; j++)
			if (str_eq(all[i].to, all[j].to))
				return json_err(r->doc, item, r->e, "\"%s\" names "
				    "%s twice", o->name, quoted(all[i].to).p);
	}
	list_put(o, base, all, n);
	return 0;
}

static void
deliver_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	const struct hook *h = base;

	(void)o, (void)depth;
	buf_putc(b, '[');
	for (size_t i = 0; i < h->ndeliver; i++) {
		const struct deliver *d = &h->deliver[i];

		buf_put(b, i > 0 ? STR(", ") : STR(""));
		if (d->when.n == 0) {
			buf_json(b, d->to);
			continue;
		}
		buf_put(b, STR("{ \"to\": "));
		buf_json(b, d->to);
		buf_put(b, STR(", \"when\": "));
		buf_put(b, d->when);
		buf_put(b, STR(" }"));
	}
	buf_putc(b, ']');
}

static bool
delivers_alike(const void *a, const void *b)
{
	const struct deliver *one = a, *two = b;

	return str_eq(one->to, two->to) && str_eq(one->when, two->when);
}

#define SCHEMA_NAME "\"type\": \"string\", \"pattern\": \"^" NAME_PATTERN "$\""

static void
deliver_schema(struct buf *b, const struct option *o, unsigned depth)
{
	static const char one[] = "{ \"anyOf\": [{ " SCHEMA_NAME " }, "
	    "{ \"type\": \"object\", \"required\": [\"to\"], "
	    "\"additionalProperties\": false, \"properties\": { "
	    "\"to\": { " SCHEMA_NAME " }, "
	    "\"when\": { \"type\": \"object\" } } }] }";

	(void)o;
	buf_printf(b, "\"anyOf\": [%s,", one);
	indent(b, depth + 1);
	buf_printf(b, "{ \"type\": \"array\", \"items\": %s }]", one);
}

static const struct element one_deliver = {
	sizeof(struct deliver), NULL, NULL, delivers_alike
};
const struct family family_deliver = {
	.read = deliver_read, .given = list_given, .print = deliver_print,
	.equal = list_equal, .schema = deliver_schema, .of = &one_deliver,
};

/* --- objects of keys ---------------------------------------------------------- */

static int
group_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	if (json_kind(v) != JSON_OBJECT)
		return wrong_type(r, o, v);
	return level_read(r, v, o->kind->opens, base);
}

static void
group_preset(const struct option *o, void *base)
{
	level_preset(o->kind->opens, base);
}

static void
group_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	level_print(b, o->kind->opens, base, depth);
}

static bool
group_equal(const struct option *o, const void *a, const void *b)
{
	return level_equal(o->kind->opens, a, b);
}

static void
group_schema(struct buf *b, const struct option *o, unsigned depth)
{
	level_schema(b, o->kind->opens, depth);
}

const struct family family_group = {
	.read = group_read, .preset = group_preset, .given = always,
	.print = group_print, .equal = group_equal, .schema = group_schema,
};

/* --- objects from names to objects -------------------------------------------- */

static struct str *
map_str(void *thing, size_t at)
{
	return (struct str *)(void *)((char *)thing + at);
}

static struct str
map_name(const struct map *m, const void *thing)
{
	return *(const struct str *)(const void *)
	    ((const char *)thing + m->name_at);
}

static int
map_read(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	const struct map *m = o->kind->map;
	struct json_where where = { 0 };
	size_t n = json_count(v), i;
	char *all;

	if (json_kind(v) != JSON_OBJECT)
		return wrong_type(r, o, v);
	if ((all = arena_alloc(r->c->arena, (n + 1) * m->size)) == NULL)
		return no_room(r);
	for (i = 0; i < n; i++) {
		void *thing = all + i * m->size;
		struct str *at = map_str(thing, m->where_at), name;
		const struct json_object *inside = json_nth(v, i, &name);
		const char *wrong = m->wrong(name);

		if (wrong != NULL)
			return json_err(r->doc, inside, r->e, "%s %s of a %s %s",
			    m->called, quoted(name).p, m->what, wrong);
		if (json_kind(inside) != JSON_OBJECT)
			return json_err(r->doc, inside, r->e, "%s %s must be an "
			    "object, not %s", m->what, quoted(name).p,
			    instead(r, NULL, inside).p);
		level_preset(o->kind->opens, thing);
		json_where(r->doc, inside, &where);
		*at = arena_printf(r->c->arena, "%.*s:%zu:%zu",
		    STR_ARG(r->c->name), where.line, where.column);
		name = arena_str(r->c->arena, name);
		*map_str(thing, m->name_at) = name;
		if (at->p == NULL || name.p == NULL)
			return no_room(r);
		if (level_read(r, inside, o->kind->opens, thing) == -1)
			return -1;
	}
	list_put(o, base, all, n);
	return 0;
}

static void
map_print(struct buf *b, const struct option *o, const void *base,
    unsigned depth)
{
	const struct map *m = o->kind->map;
	const void *all;
	size_t n, i;

	list_get(o, base, &all, &n);
	buf_putc(b, '{');
	for (i = 0; i < n; i++) {
		const void *thing = (const char *)all + i * m->size;

		buf_put(b, i > 0 ? STR(",") : STR(""));
		indent(b, depth + 1);
		buf_json(b, map_name(m, thing));
		buf_put(b, STR(": "));
		level_print(b, o->kind->opens, thing, depth + 1);
	}
	indent(b, depth);
	buf_putc(b, '}');
}

static bool
map_equal(const struct option *o, const void *a, const void *b)
{
	const struct map *m = o->kind->map;
	const void *pa, *pb;
	size_t na, nb, i;

	list_get(o, a, &pa, &na);
	list_get(o, b, &pb, &nb);
	for (i = 0; na == nb && i < na; i++) {
		const void *one = (const char *)pa + i * m->size;
		const void *two = (const char *)pb + i * m->size;

		if (!str_eq(map_name(m, one), map_name(m, two)) ||
		    !level_equal(o->kind->opens, one, two))
			return false;
	}
	return na == nb;
}

static void
map_schema(struct buf *b, const struct option *o, unsigned depth)
{
	buf_put(b, STR("\"type\": \"object\","));
	indent(b, depth);
	buf_put(b, STR("\"propertyNames\": { \"pattern\": "));
	buf_json(b, str_of(o->kind->pattern));
	buf_put(b, STR(" },"));
	indent(b, depth);
	buf_put(b, STR("\"additionalProperties\": {"));
	indent(b, depth + 1);
	level_schema(b, o->kind->opens, depth + 1);
	indent(b, depth);
	buf_putc(b, '}');
}

const struct family family_map = {
	.read = map_read, .given = always, .print = map_print,
	.equal = map_equal, .schema = map_schema,
};
