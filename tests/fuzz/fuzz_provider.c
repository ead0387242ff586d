/*
 * fuzz_provider - whatever a provider's file holds, reading it ends, with a provider
 * or with a sentence; and what is read judges a request.  The file ends at the first
 * NUL, the request's body follows.
 */
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "handshake.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
judge(const struct provider *p, struct arena *a, struct str body)
{
	static const struct str names[] = { STR("one"), STR("two") };
	static const struct str texts[] = { STR("c2VjcmV0"), STR("736563726574") };
	static const char *const env[] = { "REQUEST_METHOD=POST",
	    "REQUEST_URI=/h?s=ab&hub.challenge=x&crc_token=y&t=1700000000",
	    "CONTENT_TYPE=application/json", "HTTP_X_SIG=t=1700000000,v1=abcd",
	    "HTTP_X_TIME=1700000000", "HTTP_X_ID=i", "HTTP_AUTHORIZATION=Basic c2Vj",
	    NULL };
	static const struct str url = STR("https://example.com/h?x"),
	    key = STR("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707"
	    "511a");
	struct texts params[PARAM_COUNT];
	struct request q;
	struct route *r;
	struct verdict v;
	struct event ev = { .body_fd = -1 };
	struct err e;

	for (size_t i = 0; i < PARAM_COUNT; i++)
		params[i] = (struct texts){ i == PARAM_PUBLIC_KEY ? &key : &url, 1 };
	if ((r = route_new(p, NULL, names, texts, 2, params, &e)) == NULL)
		return;
	if (request_init(&q, a, (char **)(uintptr_t)env) == 0) {
		q.body = body;
		handshake_try(r, &q, false);
		v = auth_verify(r, &q, NULL, 1700000000000);
		if (v.reason == NULL || v.scheme == NULL)
			abort();
		handshake_try(r, &q, true);
		auth_event(r, &q, &v, AUTH_KEPT, &ev);
	}
	route_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size);
	size_t n = nul != NULL ? (size_t)(nul - data) : size;
	struct str body = { (const char *)data + n, size - n };
	struct err e = { 0 };
	struct provider *p = provider_read((struct str){ (const char *)data, n },
	    STR("own"), "fuzz", &e);
	struct arena *a;

	if (p == NULL && (e.code == ERR_NONE || e.text[0] == '\0'))
		abort();
	if (p == NULL || (a = arena_new(1 << 20)) == NULL)
		return 0;
	judge(p, a, str_skip(body, 1));
	arena_free(a);
	provider_free(p);
	return 0;
}
