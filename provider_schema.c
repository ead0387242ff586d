/*
 * provider_schema.c - a JSON Schema (2020-12) of providers' files, for editors.
 *
 * Written from the tables of rows that also read a file, so it knows neither more
 * nor fewer words.  What a template or a place may be is not for a schema:
 * "hooklatch providers --test" says that.
 */
#include "provider_examples.h"
#include "provider_words.h"

static void
indent(struct buf *b, unsigned depth)
{
	buf_putc(b, '\n');
	while (depth-- > 0)
		buf_putc(b, '\t');
}

static void
put_choices(struct buf *b, const struct choice *c)
{
	buf_put(b, STR("{ \"enum\": ["));
	for (size_t i = 0; c[i].name != NULL; i++)
		buf_printf(b, "%s\"%s\"", i > 0 ? ", " : "", c[i].name);
	buf_put(b, STR("] }"));
}

static void
put_algorithms(struct buf *b)
{
	buf_put(b, STR("{ \"enum\": ["));
	for (size_t i = 0; provider_algorithm(i) != NULL; i++)
		buf_printf(b, "%s\"%s\"", i > 0 ? ", " : "",
		    provider_algorithm(i)->name);
	buf_put(b, STR("] }"));
}

static void
put_params(struct buf *b)
{
	buf_put(b, STR("{ \"type\": \"array\", \"items\": { \"enum\": ["));
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		buf_printf(b, "%s\"%s\"", i > 0 ? ", " : "", hook_param_names[i]);
	buf_put(b, STR("] } }"));
}

#define ONE_TEXT	"{ \"type\": \"string\" }"
#define ONE_OR_MORE	"{ \"anyOf\": [" ONE_TEXT ", { \"type\": \"array\", " \
			"\"items\": " ONE_TEXT " }] }"

struct literal {
	const char	*name, *schema;
};

static const struct literal key_words[] = {		/* key_source.c */
	{ "url",	ONE_TEXT },
	{ "name",	ONE_TEXT },
	{ "hosts",	"{ \"type\": \"array\", \"items\": " ONE_TEXT " }" },
	{ "path",	ONE_TEXT },
	{ "member",	ONE_TEXT },
	{ "post",	"{ \"type\": \"object\" }" },
	{ "token",	"{ \"type\": \"object\", \"properties\": { \"url\": "
			ONE_TEXT ", \"scope\": " ONE_TEXT " }, "
			"\"additionalProperties\": false }" },
	{ NULL,		NULL }
};

static const struct literal example_words[] = {		/* provider_examples.c */
	{ "says",	ONE_TEXT },
	{ "source",	"{ \"type\": \"string\", \"pattern\": "
			"\"^(docs|made|sdk .+ .+)$\" }" },
	{ "expect",	"{ \"enum\": [\"genuine\", \"forged\", \"absent\", \"stale\", "
			"\"doubled\", \"answer\"] }" },
	{ "clock",	"{ \"type\": \"integer\" }" },
	{ "method",	ONE_TEXT },
	{ "url",	ONE_TEXT },
	{ "headers",	"{ \"type\": [\"object\", \"array\"] }" },
	{ "body",	ONE_TEXT },
	{ "body_base64", ONE_TEXT },
	{ "secret",	ONE_OR_MORE },
	{ "secrets",	ONE_OR_MORE },
	{ "id",		"{ \"type\": [\"string\", \"number\"] }" },
	{ "type",	ONE_TEXT },
	{ "answer",	"{ \"type\": \"object\" }" },
	{ "handshake",	"{ \"const\": \"open\" }" },
	{ "token",	"{ \"enum\": [\"verify\", \"platform\"] }" },
	{ "fetched",	"{ \"type\": \"object\" }" },
	{ "private_key", ONE_TEXT },
	{ NULL,		NULL }
};

static void
put_literals(struct buf *b, const struct literal *l, bool params, unsigned depth)
{
	buf_put(b, STR("{ \"type\": \"object\", \"additionalProperties\": false, "
	    "\"properties\": {"));
	for (size_t i = 0; l[i].name != NULL; i++) {
		indent(b, depth + 1);
		buf_printf(b, "%s\"%s\": %s", i > 0 ? ", " : "", l[i].name,
		    l[i].schema);
	}
	for (unsigned i = 0; params && i < PARAM_COUNT; i++)
		/* The example's "url" is the request's, and the hook's with it. */
		if (i != PARAM_URL) {
			indent(b, depth + 1);
			buf_printf(b, ", \"%s\": { \"type\": [\"string\", \"array\", "
			    "\"object\"] }", hook_param_names[i]);
		}
	indent(b, depth);
	buf_put(b, STR("} }"));
}

static void	put_object(struct buf *, const struct row *, unsigned depth);

static void
put_value(struct buf *b, const struct row *row, unsigned depth)
{
	switch (row->shape) {
	case SHAPE_TEXT:
		buf_put(b, STR(ONE_TEXT));
		break;
	case SHAPE_TEXTS:
		buf_put(b, STR(ONE_OR_MORE));
		break;
	case SHAPE_FLAG:
		buf_put(b, STR("{ \"type\": \"boolean\" }"));
		break;
	case SHAPE_COUNT:
		buf_put(b, STR("{ \"type\": \"integer\", \"minimum\": 0 }"));
		break;
	case SHAPE_CHOICE:
		put_choices(b, row->choices);
		break;
	case SHAPE_CHOICES:
		buf_put(b, STR("{ \"type\": \"array\", \"minItems\": 1, "
		    "\"items\": "));
		put_choices(b, row->choices);
		buf_put(b, STR(" }"));
		break;
	case SHAPE_OBJECT:
		put_object(b, row->rows, depth);
		break;
	case SHAPE_LIST:
		buf_put(b, STR("{ \"type\": \"array\", \"items\": "));
		put_object(b, row->rows, depth);
		buf_put(b, STR(" }"));
		break;
	case SHAPE_ONE_OR_LIST:
		buf_put(b, STR("{ \"anyOf\": ["));
		put_object(b, row->rows, depth);
		buf_put(b, STR(", { \"type\": \"array\", \"minItems\": 1, "
		    "\"items\": "));
		put_object(b, row->rows, depth);
		buf_put(b, STR(" }] }"));
		break;
	case SHAPE_CHOICE_OR_OBJECT:
		buf_put(b, STR("{ \"anyOf\": ["));
		put_choices(b, row->choices);
		buf_put(b, STR(", "));
		put_object(b, row->rows, depth);
		buf_put(b, STR("] }"));
		break;
	case SHAPE_MAP:
		buf_put(b, STR("{ \"type\": \"object\", \"additionalProperties\": "
		    "{ \"type\": [\"string\", \"number\", \"boolean\"] } }"));
		break;
	case SHAPE_ALGORITHM:
		put_algorithms(b);
		break;
	case SHAPE_KEYS:
		put_literals(b, key_words, false, depth);
		break;
	case SHAPE_PARAMS:
		put_params(b);
		break;
	case SHAPE_EXAMPLES:
		buf_put(b, STR("{ \"type\": \"array\", \"items\": "));
		put_literals(b, example_words, true, depth);
		buf_put(b, STR(" }"));
		break;
	case SHAPE_ANY:
		buf_put(b, STR("true"));
		break;
	}
}

static void
put_properties(struct buf *b, const struct row *rows, unsigned depth)
{
	buf_put(b, STR("\"type\": \"object\", \"additionalProperties\": false, "
	    "\"properties\": {"));
	for (size_t i = 0; rows[i].name != NULL; i++) {
		indent(b, depth + 1);
		buf_printf(b, "%s\"%s\": ", i > 0 ? ", " : "", rows[i].name);
		put_value(b, &rows[i], depth + 1);
	}
	indent(b, depth);
	buf_putc(b, '}');
}

static void
put_object(struct buf *b, const struct row *rows, unsigned depth)
{
	buf_put(b, STR("{ "));
	put_properties(b, rows, depth);
	buf_put(b, STR(" }"));
}

void
provider_schema(struct buf *b)
{
	buf_put(b, STR("{ \"$schema\": "
	    "\"https://json-schema.org/draft/2020-12/schema\",\n"
	    "\"title\": \"a provider's file of hooklatch\",\n"
	    "\"description\": \"docs/providers.md says what the words mean\",\n"
	    "\"required\": [\"name\", \"docs\", \"setup\"],\n"));
	put_properties(b, provider_rows, 0);
	buf_put(b, STR(" }\n"));
}
