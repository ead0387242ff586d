/*
 * sent.h - a request as it is sent, and what the handler makes of it.
 *
 * For the tool and the tests: what auth_sign.h makes, what forge.h spoils, what an
 * example or a file holds.  Texts are the arena's or the caller's.
 */
#ifndef SENT_H
#define SENT_H

#include "request.h"

struct sent {
	struct str	 method;
	struct str	 url;		/* whole, or from its path on */
	struct str	 body;
	struct header	*headers;	/* names in any letter case */
	size_t		 nheaders;
	int		 alternative;	/* of the signatures that it has, or -1 */
};

/* The path and query of its URL, which the web server hands on; .n > 0. */
struct str	sent_target(struct arena *, struct str url);

/* -1: the arena is full, the headers are too many, or a NUL stands in one. */
int		sent_request(const struct sent *, struct arena *, struct request *);

#endif
