/*
 * dump.h - a request from a file: one of the quarantine's or the inbox's, what
 * "sign --json" prints, or HTTP as it went over the wire (curl -v, tcpdump, a proxy).
 */
#ifndef DUMP_H
#define DUMP_H

#include "base/err.h"
#include "sent.h"

struct dump {
	struct sent	 sent;
	struct str	 hook;		/* .n == 0: the file does not say */
	struct str	 provider;	/* likewise */
	struct str	 reason;	/* why it was refused; likewise */
	int64_t		 at;		/* ms: when it came; 0: not said */
	uint64_t	 missing;	/* bytes that Content-Length promised more */
};

/* Texts are the arena's.  name stands in errors. */
int	dump_read(struct dump *, struct str text, const char *name, struct arena *,
	    struct err *);

#endif
