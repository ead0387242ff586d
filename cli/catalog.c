/*
 * catalog.c - see catalog.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/catalog.h"

#define OWN	STR("provider:")

struct catalog {
	const struct bundle *own;
	struct str	*ids;
	size_t		 n;
};

static int
id_cmp(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

struct catalog *
catalog_new(const struct bundle *own, struct err *e)
{
	size_t room = provider_text_count() +
	    (own != NULL ? bundle_count(own) : 0), kept = 0;
	struct catalog *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->ids = calloc(room + 1, sizeof(*c->ids))) == NULL) {
		free(c);
		err_set(e, ERR_OS, "not enough memory");
		return NULL;
	}
	c->own = own;
	for (size_t i = 0; i < provider_text_count(); i++)
		c->ids[c->n++] = provider_text_id(i);
	for (size_t i = 0; own != NULL && i < bundle_count(own); i++)
		if (str_starts(bundle_name(own, i), OWN))
			c->ids[c->n++] = str_skip(bundle_name(own, i), OWN.n);
	qsort(c->ids, c->n, sizeof(*c->ids), id_cmp);
	for (size_t i = 0; i < c->n; i++)
		if (kept == 0 || !str_eq(c->ids[i], c->ids[kept - 1]))
			c->ids[kept++] = c->ids[i];
	c->n = kept;
	return c;
}

void
catalog_free(struct catalog *c)
{
	if (c != NULL)
		free(c->ids);
	free(c);
}

size_t
catalog_count(const struct catalog *c)
{
	return c->n;
}

struct str
catalog_id(const struct catalog *c, size_t i)
{
	return i < c->n ? c->ids[i] : STR_NONE;
}

struct str
catalog_text(const struct catalog *c, struct str id, struct err *e)
{
	struct str text = provider_source(c->own, id, NULL), near = STR_NONE;
	size_t far = 2 + id.n / 4;

	if (text.p != NULL)
		return text;
	for (size_t i = 0; i < c->n && id.n <= 64; i++)
		if (str_distance(id, c->ids[i]) < far) {
			far = str_distance(id, c->ids[i]);
			near = c->ids[i];
		}
	if (near.p != NULL)
		err_set(e, ERR_USAGE, "there is no provider \"%.*s\"; did you mean "
		    "\"%.*s\"?", STR_ARG(id), STR_ARG(near));
	else
		err_set(e, ERR_USAGE, "there is no provider \"%.*s\"; \"hooklatch "
		    "providers\" lists them", STR_ARG(id));
	return STR_NONE;
}

struct provider *
catalog_read(const struct catalog *c, struct str id, struct err *e)
{
	struct str text = catalog_text(c, id, e);
	char name[PROVIDER_NAME_MAX];

	if (text.p == NULL)
		return NULL;
	provider_source(c->own, id, name);
	return provider_read(text, id, name, e);
}
