/*
 * fuzz_conf - whatever a file holds, reading it ends; and what is read prints,
 * reads back equal, and prints the same again.
 */
#include <stdlib.h>

#include "conf.h"
#include "base/buf.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct buf once = BUF(64 << 20), twice = BUF(64 << 20);
	struct conf_place at = { .home = "/home/u" };
	struct err e = { 0 };
	struct conf *c, *again;

	if ((c = conf_read(text, "fuzz", &e)) == NULL) {
		if (e.code == ERR_NONE || e.text[0] == '\0')
			abort();
		return 0;
	}
	conf_settle(c, &at, NULL, &e);
	conf_print(&once, c);
	again = conf_read(buf_str(&once), "again", &e);
	if (again == NULL || !conf_equal(c, again))
		abort();
	conf_print(&twice, again);
	if (!buf_ok(&twice) || !str_eq(buf_str(&once), buf_str(&twice)))
		abort();
	conf_free(c);
	conf_free(again);
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
