/*
 * fuzz_request - lines of parameters, an empty line, a body: whatever they hold, they
 * become a request whose names are in lower case and whose counts keep their limits.
 */
#include <stdlib.h>
#include <string.h>

#include "request.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define LINES	256

static void
ask(struct request *q)
{
	struct pair *pairs;
	size_t n, count;

	if (q->nheaders > REQUEST_HEADERS_MAX)
		abort();
	for (size_t i = 0; i < q->nheaders; i++) {
		struct str name = q->headers[i].name;

		for (size_t j = 0; j < name.n; j++)
			if ((name.p[j] >= 'A' && name.p[j] <= 'Z') ||
			    name.p[j] == '_')
				abort();
		if (str_eq(name, STR("proxy")))
			abort();
		request_header(q, name, &count);
		if (count == 0 || request_header_nth(q, name, count - 1).p == NULL ||
		    request_header_nth(q, name, count).p != NULL)
			abort();
	}
	request_query(q, STR("a"), &count);
	if (request_fields(q, &pairs, &n) == 0 && n > REQUEST_PAIRS_MAX)
		abort();
	request_field(q, STR("a"), &count);
	if (request_json(q) != (json_scan(q->body, q->json, NULL) == JSON_OK))
		abort();
	if (q->path.n + q->query.n > q->target.n)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *env[LINES + 1];
	struct arena *a = arena_new(1 << 20);
	struct str rest = { text, size };
	struct request q;
	size_t n = 0;

	if (text == NULL || a == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while (rest.p != NULL && n < LINES) {
		struct str line = str_cut(&rest, '\n');

		if (line.n == 0)
			break;
		text[line.p - text + (ptrdiff_t)line.n] = '\0';
		env[n++] = text + (line.p - text);
	}
	env[n] = NULL;
	if (request_init(&q, a, env) == 0) {
		q.body = rest.p != NULL ? rest : STR("");
		ask(&q);
	}
	arena_free(a);
	free(text);
	return 0;
}
