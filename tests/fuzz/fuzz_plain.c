/*
 * fuzz_plain.c - a byte that says where to begin, then a text: how far it is plain,
 * by sixteen bytes at a time, by eight, and by one.
 */
#include <stdlib.h>

#define plain_byte	eight_byte
#define plain_end	eight_end
#define plain_quote	eight_quote
#define PLAIN_PORTABLE
#include "base/plain.h"
#undef BASE_PLAIN_H
#undef PLAIN_PORTABLE
#undef plain_byte
#undef plain_end
#undef plain_quote
#include "base/plain.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(cond)	do { if (!(cond)) abort(); } while (0)

/* By what the header of each says, not by how it is done. */
static const char *
first(const char *p, const char *end, bool quotes_only, bool shown)
{
	while (p < end && *p != '"' && *p != '\\' && (quotes_only ||
	    ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 &&
	    (!shown || *p != 0x7f))))
		p++;
	return p;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *end = (const char *)data + n, *p;

	if (n == 0)
		return 0;
	p = (const char *)data + 1 + data[0] % 32;
	if (p > end)
		p = end;
	for (; p <= end; p++) {
		for (int shown = 0; shown < 2; shown++) {
			MUST(plain_end(p, end, shown) == first(p, end, false, shown));
			MUST(eight_end(p, end, shown) == first(p, end, false, shown));
		}
		MUST(plain_quote(p, end) == first(p, end, true, false));
		MUST(eight_quote(p, end) == first(p, end, true, false));
	}
	return 0;
}
