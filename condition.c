/*
 * condition.c - see condition.h.
 */
#include "condition.h"

static bool
is_method(const struct request *q, struct str method)
{
	return str_eq(q->method, method) || (str_eq(q->method, STR("HEAD")) &&
	    str_eq(method, STR("GET")));
}

/* Is there one at all: of the body and of the query as they are. */
static enum fit
fits_when(bool there, enum test test)
{
	return there == (test == TEST_PRESENT) ? FITS : FITS_NOT;
}

/* What is there: is it so? */
static bool
is_so(const struct condition *c, struct str value)
{
	switch (c->test) {
	case TEST_PRESENT:
		return true;
	case TEST_ABSENT:
		return false;
	case TEST_EQUALS:
		return str_eq(value, c->text);
	case TEST_IN:
		for (size_t i = 0; i < c->ntexts; i++)
			if (str_eq(value, c->texts[i]))
				return true;
		return false;
	case TEST_LIKE:
		return str_like(value, c->text);
	}
	return false;
}

static enum fit
condition_fits(const struct condition *c, struct request *q, bool unread)
{
	enum place_found found;
	struct str value;

	switch (c->of) {
	case OF_METHOD:
		return is_method(q, c->text) ? FITS : FITS_NOT;
	case OF_BODY:
		return fits_when(q->body.n > 0, c->test);
	case OF_QUERY:
		return fits_when(q->query.n > 0, c->test);
	case OF_TYPE:
		if (q->type.n == 0)
			return c->test == TEST_ABSENT ? FITS : FITS_NOT;
		return is_so(c, q->type) ? FITS : FITS_NOT;
	case OF_PLACE:
		break;
	}
	if (unread && (c->place.kind == PLACE_BODY || c->place.kind == PLACE_FIELD))
		return q->body.n > 0 ? FITS_PERHAPS : FITS_NOT;
	found = place_get(&c->place, q, &value, NULL);
	if (c->test == TEST_ABSENT)
		return found == PLACE_ABSENT && !place_unclear(&c->place, q) ?
		    FITS : FITS_NOT;
	return found == PLACE_FOUND && is_so(c, value) ? FITS : FITS_NOT;
}

enum fit
conditions_fit(const struct condition *c, size_t n, struct request *q, bool unread)
{
	enum fit all = FITS;

	for (size_t i = 0; i < n; i++) {
		enum fit one = condition_fits(&c[i], q, unread);

		if (one == FITS_NOT)
			return FITS_NOT;
		if (one == FITS_PERHAPS)
			all = FITS_PERHAPS;
	}
	return all;
}
