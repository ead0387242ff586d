/*
 * http.h - attempts that are sent over HTTP, all of them by one thread.
 *
 *	http_give --> render: URL, headers, body, signature (letter.h)
 *	          --> a token of Google's, where one is wanted (google.h)
 *	          --> libcurl's multi handle, connections kept, HTTP/2 over TLS
 *	          --> the status judged --> ended
 *
 * What a destination is believed: its status, Retry-After, and the first bytes of what
 * it says, for a person.  No redirect is followed, since where an event goes is the
 * operator's word; no proxy, cookie, .netrc or compression is used; its certificate
 * is verified; of its answer HTTP_ANSWER bytes are read at most.
 *
 *	2xx					DONE
 *	400 410 413 414 415 422			DEAD: this event will never be taken
 *	all others, and no whole answer		LATER: the network, the receiver or the
 *						operator may mend it
 *
 * 401, 403, 404 and 405 are a wrong key or URL and no word on the event; so are
 * redirects.  docs/destinations.md tells it to the operator.
 */
#ifndef COURIER_HTTP_H
#define COURIER_HTTP_H

#include "../base/err.h"
#include "../base/log.h"
#include "attempt.h"

#define HTTP_MOST	1024		/* attempts at the same time */
#define HTTP_KEPT	256		/* connections that wait for the next one */
#define HTTP_CONNECT_MS	10000
#define HTTP_ANSWER	(1 << 20)	/* bytes of an answer that are read */
#define HTTP_WHOLE	(64 * 1024)	/* of those that a service's rules look into */
#define HTTP_HEADERS	(64 * 1024)	/* and of its headers */
#define HTTP_WAIT_MOST	((int64_t)24 * 3600 * 1000)	/* ms of Retry-After */

struct http;

/* ca_file: roots, or NULL: the system's. */
struct http	*http_start(const char *ca_file, struct log *,
		    const struct attempt_taker *, struct err *);
/*
 * Takes the attempt over, until ended() is called with it from http's own thread, which
 * may give the next one.  false: HTTP_MOST are under way, or it is stopping; the attempt
 * stays the caller's.
 */
bool		 http_give(struct http *, struct attempt *);
/* What is under way ends as LATER.  Frees; takes NULL. */
void		 http_stop(struct http *);

#endif
