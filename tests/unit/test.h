/*
 * test.h - a test is a program: promises in a row, and a count at the end.
 *
 *	CHECK(str_eq(a, b), "a name is compared whole");
 *	TEST_END("str");		the last line of main()
 *
 * Only what fails is printed, then "str: N passed, M failed".  CHECKF is for
 * tables: the promise is a format, so that the row can be named.
 */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static unsigned long test_passed, test_failed;

#define CHECK(cond, promise)	CHECKF(cond, "%s", promise)

#define CHECKF(cond, ...) do {						\
	if (cond) {							\
		test_passed++;						\
	} else {							\
		test_failed++;						\
		printf("%s:%d: not kept: ", __FILE__, __LINE__);	\
		printf(__VA_ARGS__);					\
		printf("  (%s)\n", #cond);				\
	}								\
} while (0)

/*
 * A copy of n bytes that ends where the memory ends: a parser that reads one
 * byte too many dies of it.  Until the next call.
 */
static inline const char *
test_flush(const void *p, size_t n)
{
	static char *map;
	static size_t size;
	const size_t page = 4096;
	size_t need = (n + page - 1) / page * page;

	if (map == NULL || size < need) {
		if (map != NULL)
			munmap(map, size + page);
		size = need == 0 ? page : need;
		map = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map == MAP_FAILED ||
		    mprotect(map + size, page, PROT_NONE) == -1)
			abort();
	}
	if (n > 0)
		memcpy(map + size - n, p, n);
	return map + size - n;
}

#define TEST_END(name) do {						\
	printf("%s: %lu passed, %lu failed\n", name, test_passed,	\
	    test_failed);						\
	return test_failed != 0;					\
} while (0)

#endif
