/*
 * fuzz_frame.c - any bytes, in any pieces: the walk gives the same answer, and
 * what it calls whole is one request whose lengths add up.
 */
#include <stdlib.h>
#include <string.h>

#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct frame whole, pieces;
	enum frame_state a, b = FRAME_MORE;
	size_t used, at = 0, step;

	if (n < 1)
		return 0;
	step = (size_t)p[0] + 1;
	p++, n--;
	frame_init(&whole);
	frame_init(&pieces);
	a = frame_feed(&whole, p, n, &used);
	while (at < n && b == FRAME_MORE) {
		size_t part = n - at < step ? n - at : step, took;

		b = frame_feed(&pieces, p + at, part, &took);
		at += took;
	}
	if (a != b || (a == FRAME_WHOLE && at != used) ||
	    whole.body != pieces.body || whole.pairs != pieces.pairs)
		abort();
	if (a == FRAME_WHOLE && (whole.wire != used || whole.body > used ||
	    whole.stdin_at > used))
		abort();
	return 0;
}
