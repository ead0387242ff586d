/*
 * limits.h - what the configuration's "limits" say of stored events.  An engine
 * looks at remember alone: room and age are its own affair.
 */
#ifndef COURIER_LIMITS_H
#define COURIER_LIMITS_H

#include <stdint.h>

struct inbox_limits {
	uint64_t	bytes;		/* pages in use + files + WAL */
	int64_t		age;		/* ms that an event is kept; 0: for ever */
	int64_t		keep;		/* ms in which none is removed for room */
	int64_t		remember;	/* ms that an id is remembered, at least */
};

#endif
