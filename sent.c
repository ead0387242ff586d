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
		return arena_printf(a, "/%.*s", STR_ARG(rest));
	return rest;
}

/* As a web server hands it over: "X-Foo" -> "HTTP_X_FOO=...". */
static char *
parameter(struct arena *a, struct str name, struct str value)
{
	struct str prefix = str_eq_nocase(name, STR("content-type")) ? STR("") :
	    STR("HTTP_");
	struct str whole = arena_printf(a, "%.*s%.*s=%.*s", STR_ARG(prefix),
	    STR_ARG(name), STR_ARG(str_trim(value)));
	char *s = (char *)(uintptr_t)whole.p;	/* the arena's, and ours */

	for (size_t i = 0; s != NULL && i < prefix.n + name.n; i++)
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
		env[n] = parameter(a, s->headers[n].name, s->headers[n].value);
	env[n++] = (char *)(uintptr_t)arena_printf(a, "REQUEST_METHOD=%.*s",
	    STR_ARG(s->method)).p;
	env[n++] = (char *)(uintptr_t)arena_printf(a, "REQUEST_URI=%.*s",
	    STR_ARG(sent_target(a, s->url))).p;
	for (size_t i = 0; i < n; i++)
		if (env[i] == NULL)
			return -1;
	if (request_init(q, a, env) != 0)
		return -1;
	q->body = s->body;
	return 0;
}
