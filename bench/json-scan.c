/*
 * json-scan.c - how fast base/json.c's scan goes over texts.
 *
 *	make build/bench/json-scan
 *	build/bench/json-scan FILE...
 *
 * Prints MB/s and microseconds for each, from as many scans as take some 400 MB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../base/json.h"
#include "../base/os.h"

#define MOST	(64u << 20)	/* bytes of a file */
#define ALL	400e6		/* bytes that are scanned */

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
scan(const char *path)
{
	static const struct json_limits limits = { .depth = 64, .values = MOST };
	struct err e;
	struct str text;
	unsigned fine = 0, times;
	double took;

	if ((text.p = os_read_file(path, MOST, &text.n, &e)) == NULL) {
		fprintf(stderr, "json-scan: %s\n", e.text);
		return 1;
	}
	times = (unsigned)(ALL / (double)(text.n + 1)) + 1;
	took = seconds();
	for (unsigned i = 0; i < times; i++)
		fine += json_scan(text, limits, NULL) == JSON_OK;
	took = seconds() - took;
	printf("%s: %zu bytes, %s: %.0f MB/s, %.2f us\n", path, text.n,
	    fine == times ? "JSON" : "no JSON", (double)text.n * times / took / 1e6,
	    took / times * 1e6);
	free((char *)text.p);
	return 0;
}

int
main(int argc, char **argv)
{
	int failed = argc < 2;

	if (failed)
		fprintf(stderr, "usage: json-scan FILE...\n");
	for (int i = 1; i < argc; i++)
		failed |= scan(argv[i]);
	return failed;
}
