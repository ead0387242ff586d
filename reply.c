/*
 * reply.c - see reply.h.
 */
#include <string.h>

#include "reply.h"

bool
reply_is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') ||
		    (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		    (s.p[i] >= 'a' && s.p[i] <= 'z') ||
		    (s.p[i] != '\0' && strchr("+/=_.~-", s.p[i]) != NULL)))
			return false;
	return s.n > 0 && s.n <= REPLY_TOKEN_MAX;
}

bool
reply_any(const struct reply *r, bool (*is)(const struct piece *, const void *),
    const void *arg)
{
	bool any = template_any(&r->body, is, arg);

	for (size_t i = 0; i < r->nheaders && !any; i++)
		any = template_any(&r->headers[i].value, is, arg);
	return any;
}

bool
reply_keyed(const struct reply *r)
{
	bool keyed = template_keyed(&r->body);

	for (size_t i = 0; i < r->nheaders && !keyed; i++)
		keyed = template_keyed(&r->headers[i].value);
	return keyed;
}

static bool
fits_echo(struct str value)
{
	return value.n == 0 || (value.n <= REPLY_ECHO_MAX && str_printable(value));
}

/* A value of the request that must not go out as it is. */
static bool
is_unfit(const struct piece *p, const void *arg)
{
	const struct scope *s = arg;
	struct str value;

	return p->op == PIECE_PLACE &&
	    place_get(&p->place, s->q, &value, NULL) == PLACE_FOUND &&
	    !fits_echo(value);
}

/* The same of all of the body, the query and the like, where they stand bare. */
static bool
any_whole_unfit(const struct template *t, const struct scope *s)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct template one = { .pieces = &t->pieces[i], .n = 1 };

		if (t->pieces[i].op != PIECE_PLACE &&
		    piece_is_of_request(&t->pieces[i], NULL) &&
		    !fits_echo(template_text(&one, s)))
			return true;
	}
	return false;
}

static bool
add_headers(const struct reply *r, const struct scope *s, struct answer *a)
{
	for (size_t i = 0; i < r->nheaders; i++) {
		const struct template *t = &r->headers[i].value;
		struct str value = template_text(t, s);

		if (value.n == 0 || value.n > REPLY_ECHO_MAX ||
		    !str_printable(value) ||
		    (template_echoes(t) && !reply_is_token(value)))
			return false;
		a->extra = arena_printf(s->q->arena, "%.*s%.*s: %.*s\r\n",
		    STR_ARG(a->extra), STR_ARG(r->headers[i].name),
		    STR_ARG(value));
		if (a->extra.p == NULL)
			return false;
	}
	return true;
}

bool
reply_make(const struct reply *r, const struct scope *s, struct answer *a)
{
	*a = (struct answer){ .status = r->status, .extra = r->extra,
	    .body = STR("") };
	if (template_any(&r->body, is_unfit, s) || any_whole_unfit(&r->body, s) ||
	    !add_headers(r, s, a))
		return false;
	if (r->body.n > 0 && (a->body = template_text(&r->body, s)).p == NULL)
		return false;
	if (template_echoes(&r->body) && a->body.n > 2 * REPLY_ECHO_MAX)
		return false;
	if (a->body.n > 0 || !template_echoes(&r->body))
		a->type = r->type;	/* goes out with nosniff */
	return true;
}
