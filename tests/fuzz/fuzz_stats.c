/*
 * fuzz_stats.c - counters as a worker that was taken over might send them.
 *
 * The first byte: does it come from a worker, or to the tool?  However much comes, a
 * table keeps its bounds; what it holds crosses the wall unchanged and can be shown.
 */
#include <stdlib.h>
#include <string.h>

#include "stats.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(cond)	do { if (!(cond)) abort(); } while (0)
#define SERIES		64

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stats *s = stats_new(SERIES, 4096), *again = stats_new(1024, 1 << 20);
	struct buf b = BUF(1 << 22), one = BUF(1 << 22), two = BUF(1 << 22);
	size_t at = 0;

	MUST(s != NULL && again != NULL);
	if (size > 0)
		stats_get(s, (struct str){ (const char *)data + 1, size - 1 },
		    data[0] & 1);
	MUST(stats_count(s) <= SERIES + 256);
	while (stats_put(s, &b, &at, 1000)) {
		MUST(stats_get(again, buf_str(&b), false) == 0);
		buf_reset(&b);
	}
	stats_text(s, &one);
	stats_text(again, &two);
	MUST(buf_ok(&one) && str_eq(buf_str(&one), buf_str(&two)));
	stats_json(s, &b);
	stats_table(s, &b);
	MUST(buf_ok(&b));
	stats_clear(s);
	MUST(stats_empty(s));
	buf_free(&b);
	buf_free(&one);
	buf_free(&two);
	stats_free(s);
	stats_free(again);
	return 0;
}
