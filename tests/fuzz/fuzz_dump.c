/*
 * fuzz_dump - a request from a file of anybody's: what is read can be judged, or it
 * is refused with a sentence.
 */
#include <stdlib.h>

#include "cli/dump.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 20);
	struct err e = { 0 };
	struct dump d;
	struct request q;

	if (dump_read(&d, (struct str){ (const char *)data, size }, "fuzz", a,
	    &e) != 0) {
		if (e.code == ERR_NONE || e.text[0] == '\0')
			abort();
	} else {
		if (d.sent.body.p == NULL || d.sent.method.p == NULL)
			abort();
		if (sent_request(&d.sent, a, &q) == 0 &&
		    (q.path.p == NULL || q.nheaders > REQUEST_HEADERS_MAX))
			abort();
	}
	arena_free(a);
	return 0;
}
