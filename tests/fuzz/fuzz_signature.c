/*
 * fuzz_signature - lines of signature headers, taken apart by every kind of form:
 * nothing is genuine unless the right signature really stands in it.  The first byte
 * chooses the form.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define LINES	20
/* How HMAC-SHA256 with the key "sec" over "{}" begins, as hex and as base64. */
#define RIGHT_HEX	"0996103"
#define RIGHT_BASE64	"CZYQO9AU"

static const char *const forms[] = {
	"\"form\": \"v1={sig:hex}\"",
	"\"form\": \"t={time},v1={sig:hex}\", \"list\": \",\"",
	"\"form\": \"t={time},v1={sig:hex}\", \"list\": \" ,\"",
	"\"form\": \"{time},{sig:hex}\", \"list\": \",\"",
	"\"form\": \"v1,{sig:base64}\", \"list\": \" \"",
	"\"form\": \"sig={sig:hex}, t={time}, n={nonce}\", \"list\": \",\"",
	"\"form\": \"{sig:hex}\", \"list\": \".\"",
	"\"form\": \"sha256={sig:hex}\", \"repeats\": true",
	"\"form\": \"a={x};b={y}:{sig:base64url};{z}\"",
	"\"form\": \"{key_id}|{sig:hex}\", \"list\": \"&\"",
};
#define FORMS	(sizeof(forms) / sizeof(forms[0]))

static struct route *
make_route(size_t i)
{
	static const struct str name = STR("one"), text = STR("sec");
	static struct hook hook = { .path = STR("/h"), .window = 0 };
	static const struct str k = STR("k");
	static const struct texts params[PARAM_COUNT] = { [PARAM_KEY_ID] = { &k, 1 } };
	char file[512];
	struct provider *p;
	struct err e;

	snprintf(file, sizeof(file), "{\"signature\": {\"header\": \"X-Sig\", %s, "
	    "\"algorithm\": \"hmac-sha256\"}}", forms[i]);
	if ((p = provider_read(str_of(file), STR("own"), "form", &e)) == NULL)
		abort();
	return route_new(p, &hook, &name, &text, 1, params, &e);
}

static bool
holds(const uint8_t *data, size_t size, const char *text)
{
	return memmem(data, size, text, strlen(text)) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct route *routes[FORMS];
	char *env[LINES + 3], *text;
	struct arena *a;
	struct str rest;
	struct request q;
	size_t n = 0, form = size > 0 ? data[0] % FORMS : 0;

	if (size == 0 || (routes[form] == NULL &&
	    (routes[form] = make_route(form)) == NULL))
		return 0;
	a = arena_new(1 << 20);
	text = (char *)(uintptr_t)arena_str(a, (struct str){ (const char *)data + 1,
	    size - 1 }).p;
	rest = (struct str){ text, size - 1 };
	while (text != NULL && rest.p != NULL && n < LINES) {
		struct str line = str_cut(&rest, '\n');

		env[n++] = (char *)(uintptr_t)arena_printf(a, "HTTP_X_SIG=%.*s",
		    STR_ARG(line)).p;
	}
	env[n++] = (char *)(uintptr_t)"REQUEST_METHOD=POST";
	env[n++] = (char *)(uintptr_t)"REQUEST_URI=/h";
	env[n] = NULL;
	if (text != NULL && env[0] != NULL && request_init(&q, a, env) == 0) {
		q.body = STR("{}");
		if (auth_verify(routes[form], &q, NULL, 1700000000000).code ==
		    VERDICT_GENUINE && !holds(data, size, RIGHT_HEX) &&
		    !holds(data, size, RIGHT_BASE64))
			abort();
	}
	arena_free(a);
	return 0;
}
