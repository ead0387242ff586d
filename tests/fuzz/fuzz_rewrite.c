/*
 * fuzz_rewrite - a body in every way that its bytes may have been written: JSON stays
 * JSON, and what is written anew is written the same the next time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/rewrite.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
is_json(struct str s)
{
	static const struct json_limits limits = { 1000, SIZE_MAX };

	return json_scan(s, limits, NULL) == JSON_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = { (const char *)data, size };
	const struct rewriting *how;

	/* Indented by its depth a text of brackets is long. */
	if (size > 4096)
		return 0;
	for (size_t i = 0; (how = rewriting_at(i)) != NULL; i++) {
		struct arena *a = arena_new(64 << 20);
		struct str once = rewrite(how, body, a), twice;

		if (once.p != NULL && strncmp(rewriting_says(how), "JSON", 4) == 0) {
			if (!is_json(once))
				abort();
			twice = rewrite(how, once, a);
			if (!str_eq(once, twice))
				abort();
		}
		arena_free(a);
	}
	return 0;
}
