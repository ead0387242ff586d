/*
 * when.h - times as providers write them.
 *
 * Everything inside is milliseconds since 1970-01-01T00:00:00Z in an int64_t.
 * Parsers are strict and refuse what overflows; no locale, no time zone data.
 */
#ifndef BASE_WHEN_H
#define BASE_WHEN_H

#include "arena.h"

enum when_unit {
	WHEN_S,			/* digits: seconds */
	WHEN_MS,		/* digits: milliseconds */
	WHEN_ISO8601,		/* RFC 3339, 0 to 9 fraction digits; no zone: UTC */
	WHEN_HTTP,		/* RFC 9110 section 5.6.7, IMF-fixdate */
};

bool		when_parse(struct str, enum when_unit, int64_t *ms);

/* Both give nothing (.p NULL, 0) for a year that has not four digits. */
struct str	when_write(struct arena *, int64_t ms, enum when_unit);
#define WHEN_ROOM	32
size_t		when_print(char out[WHEN_ROOM], int64_t ms, enum when_unit);

int64_t		when_now(void);		/* CLOCK_REALTIME */
int64_t		when_steady(void);	/* CLOCK_MONOTONIC, for deadlines */

#endif
