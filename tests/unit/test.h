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

#define TEST_END(name) do {						\
	printf("%s: %lu passed, %lu failed\n", name, test_passed,	\
	    test_failed);						\
	return test_failed != 0;					\
} while (0)

#endif
