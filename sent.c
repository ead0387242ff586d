/*
 * sent.c - see sent.h.
 */
#include <stdint.h>
#include <string.h>

#include "sent.h"

struct str
sent_target(struct arena *a, struct str url)
{
	const char *scheme = url.n > 3 ? memmem(url.p, url.n, "://", 3) : NULL;
	struct str rest = url, fragment;

	if (scheme != NULL) {
		rest = str_skip(url, (size_t)(scheme - url.p) + 3);
		while (rest.n > 0 && strchr("/?#", rest.p[0]) == NULL)
			rest = str_skip(rest, 1);
	}
	fragment = rest;
	rest = str_cut(&fragment, '#');
	if (rest.n == 0 || rest.p[0] != '/')
		return arena_join(a, (const struct str[]){ STR("/"), rest }, 2);
	return rest;
}

/* "NAME=value"; NULL where a web server could not say it: its parameters end at a NUL. */
static char *
parameter(struct arena *a, struct str prefix, struct str name, struct str value)
{
	struct str whole = arena_join(a, (const struct str[]){ prefix, name, STR("="),
	    value }, 4);

	if (whole.p == NULL || memchr(whole.p, '\0', whole.n) != NULL)
		return NULL;
	return (char *)(uintptr_t)whole.p;	/* the arena's, and ours */
}

/* As a web server hands it over: "X-Foo" -> "HTTP_X_FOO=...". */
static char *
of_header(struct arena *a, const struct header *h)
{
	struct str prefix = str_eq_nocase(h->name, STR("content-type")) ? STR("") :
	    STR("HTTP_");
	char *s = parameter(a, prefix, h->name, str_trim(h->value));

	for (size_t i = 0; s != NULL && i < prefix.n + h->name.n; i++)
		s[i] = s[i] == '-' ? '_' : s[i] >= 'a' && s[i] <= 'z' ?
		    (char)(s[i] - 'a' + 'A') : s[i];
	return s;
}

int
sent_request(const struct sent *s, struct arena *a, struct request *q)
{
	char **env = arena_alloc(a, (s->nheaders + 3) * sizeof(*env));
	size_t n = 0;

	if (env == NULL)
		return -1;
	for (; n < s->nheaders; n++)
		env[n] = of_header(a, &s->headers[n]);
	env[n++] = parameter(a, STR(""), STR("REQUEST_METHOD"), s->method);
	env[n++] = parameter(a, STR(""), STR("REQUEST_URI"), sent_target(a, s->url));
	for (size_t i = 0; i < n; i++)
		if (env[i] == NULL)
			return -1;
	if (request_init(q, a, env) != 0)
		return -1;
	q->body = s->body;
	return 0;
}
