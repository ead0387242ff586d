/*
 * conf_print.c - what the table of keys gives besides reading: a configuration as a
 * file, two of them compared, the JSON Schema, the tables of hooklatch.json(5).
 */
#include <stdio.h>

#include "conf_parts.h"

void
indent(struct buf *b, unsigned depth)
{
	buf_putc(b, '\n');
	while (depth-- > 0)
		buf_putc(b, '\t');
}

/* --- printing ----------------------------------------------------------------- */

/* Behind the rows, of which some are always there. */
static void
params_print(struct buf *b, const struct destination *d, unsigned depth)
{
	for (size_t i = 0; i < d->nparams; i++) {
		buf_putc(b, ',');
		indent(b, depth);
		buf_json(b, d->params[i].name);
		buf_put(b, STR(": "));
		buf_json(b, d->params[i].value);
	}
}

void
level_print(struct buf *b, enum level level, const void *base, unsigned depth)
{
	const char *sep = "";

	buf_putc(b, '{');
	for (const struct option *o = conf_options; o->name != NULL; o++) {
		const struct family *f = o->kind->family;

		if (o->level != level || !f->given(o, base))
			continue;
		buf_put(b, str_of(sep));
		sep = ",";
		indent(b, depth + 1);
		buf_printf(b, "\"%s\": ", o->name);
		f->print(b, o, base, depth + 1);
	}
	if (level == DESTINATION)
		params_print(b, base, depth + 1);
	indent(b, depth);
	buf_putc(b, '}');
}

void
conf_print(struct buf *b, const struct conf *c)
{
	level_print(b, TOP, c, 0);
	buf_putc(b, '\n');
}

/* --- comparing ---------------------------------------------------------------- */

static bool
params_equal(const struct destination *a, const struct destination *b)
{
	for (size_t i = 0; a->nparams == b->nparams && i < a->nparams; i++)
		if (!str_eq(a->params[i].name, b->params[i].name) ||
		    !str_eq(a->params[i].value, b->params[i].value))
			return false;
	return a->nparams == b->nparams;
}

bool
level_equal(enum level level, const void *a, const void *b)
{
	for (const struct option *o = conf_options; o->name != NULL; o++)
		if (o->level == level && !o->kind->family->equal(o, a, b))
			return false;
	return level != DESTINATION || params_equal(a, b);
}

bool
conf_equal(const struct conf *a, const struct conf *b)
{
	return level_equal(TOP, a, b);
}

/* --- the JSON Schema ---------------------------------------------------------- */

void
level_schema(struct buf *b, enum level level, unsigned depth)
{
	const char *sep = "";

	buf_put(b, STR("\"type\": \"object\","));
	indent(b, depth);
	/* The parameters of services are those services' own. */
	buf_put(b, level == DESTINATION ?
	    STR("\"additionalProperties\": { \"type\": \"string\" },") :
	    STR("\"additionalProperties\": false,"));
	indent(b, depth);
	buf_put(b, STR("\"properties\": {"));
	for (const struct option *o = conf_options; o->name != NULL; o++) {
		if (o->level != level)
			continue;
		buf_put(b, str_of(sep));
		sep = ",";
		indent(b, depth + 1);
		buf_printf(b, "\"%s\": {", o->name);
		indent(b, depth + 2);
		buf_put(b, STR("\"description\": "));
		buf_json(b, str_of(o->means));
		buf_putc(b, ',');
		indent(b, depth + 2);
		o->kind->family->schema(b, o, depth + 2);
		if (o->preset != NULL) {
			buf_putc(b, ',');
			indent(b, depth + 2);
			buf_put(b, STR("\"default\": "));
			if (o->kind->bare)
				buf_put(b, str_of(o->preset));
			else
				buf_json(b, str_of(o->preset));
		}
		indent(b, depth + 1);
		buf_putc(b, '}');
	}
	indent(b, depth);
	buf_putc(b, '}');
}

void
conf_schema(struct buf *b)
{
	buf_put(b, STR("{\n\t\"$schema\": "
	    "\"https://json-schema.org/draft/2020-12/schema\",\n"
	    "\t\"title\": \"hooklatch.json\",\n\t"));
	level_schema(b, TOP, 1);
	buf_put(b, STR("\n}\n"));
}

/* --- the manual ------------------------------------------------------------------- */

/*
 * Text of mdoc: lines of at most 78 bytes, each sentence on its own, for the
 * width of the space behind it.  A backslash is \e; no line of ours begins with
 * a dot.
 */
static void
manual_text(struct buf *b, const char *text)
{
	struct str rest = str_of(text);
	size_t column = 0;

	while (rest.p != NULL) {
		struct str word = str_cut(&rest, ' '), part;

		if (column > 0 && column + word.n >= 78) {
			buf_putc(b, '\n');
			column = 0;
		}
		if (column > 0)
			buf_putc(b, ' ');
		column += word.n + 1;
		for (part = word; part.p != NULL;) {
			buf_put(b, str_cut(&part, '\\'));
			buf_put(b, part.p != NULL ? STR("\\e") : STR(""));
		}
		if (str_ends(word, STR(".")) && rest.p != NULL) {
			buf_putc(b, '\n');
			column = 0;
		}
	}
	buf_putc(b, '\n');
}

static void
manual_level(struct buf *b, enum level level)
{
	char form[400];

	buf_put(b, STR(".Bl -tag -width Ds\n"));
	for (const struct option *o = conf_options; o->name != NULL; o++) {
		const struct kind *k = o->kind;

		if (o->level != level)
			continue;
		buf_printf(b, ".It Cm %s No \\(en Em %s", o->name, k->name);
		if (o->range != NULL)
			buf_printf(b, "%s%s", k->family->bounds, o->range);
		buf_putc(b, '\n');
		manual_text(b, o->means);
		if (k->family->form && !k->obvious) {
			snprintf(form, sizeof(form), "Its form: %s.", k->what);
			manual_text(b, form);
		}
		if (o->preset != NULL)
			buf_printf(b, "The default is\n.Ql %s .\n", o->preset);
	}
	buf_put(b, STR(".El\n"));
}

void
conf_manual(struct buf *b)
{
	buf_put(b, STR(".Ss Top level\n"));
	manual_level(b, TOP);
	buf_put(b, STR(".Ss users\n"));
	manual_level(b, USERS);
	buf_put(b, STR(".Ss limits\n"));
	manual_level(b, LIMITS);
	buf_put(b, STR(".Ss A hook\n"));
	manual_level(b, HOOK);
	buf_put(b, STR(".Ss A destination\n"));
	manual_level(b, DESTINATION);
	buf_put(b, STR(".Ss retry\n"));
	manual_level(b, RETRY);
}
