/*
 * reply.h - an answer as a provider's file says it, and as it goes out.
 *
 * It is constant, or it holds values: parameters of the hook, and what the sender
 * wants to hear back.  What repeats the request is printable ASCII of at most 1 KiB
 * and goes out as text/plain or inside JSON; in a header it is a token of at most 256
 * bytes.  So neither a page nor a header of a stranger's is to be had here.
 */
#ifndef REPLY_H
#define REPLY_H

#include "answer.h"
#include "template.h"

#define REPLY_ECHO_MAX	1024
#define REPLY_TOKEN_MAX	256

struct reply_header {
	struct str	 name;
	struct template	 value;
};

struct reply {
	bool		 set;		/* the file says one */
	int		 status;
	struct str	 type;		/* Content-Type; .n == 0: none */
	struct str	 extra;		/* constant header lines */
	struct reply_header *headers;	/* that hold values */
	size_t		 nheaders;
	struct template	 body;
};

/* Letters, digits and "+/=_.~-", 1 to REPLY_TOKEN_MAX of them. */
bool	reply_is_token(struct str);

/* Is there a piece in it, body or header, of which that is true? */
bool	reply_any(const struct reply *, bool (*is)(const struct piece *,
	    const void *), const void *);
bool	reply_keyed(const struct reply *);	/* template_keyed() of any */

/* In the request's arena; false: something in it may not be said, or is not there. */
bool	reply_make(const struct reply *, const struct scope *, struct answer *);

#endif
