/*
 * answer.h - what goes back to the sender.  Nothing from a request stands in a
 * header of it, but a token that a handshake wants to hear again (reply.h).
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "base/str.h"

struct answer {
	int		 status;	/* 200 */
	struct str	 type;		/* Content-Type, sent with nosniff; .n == 0: none */
	struct str	 extra;		/* more header lines, each ended by CRLF */
	struct str	 body;
};

/*
 * The lines before the body as CGI wants them (RFC 3875, section 6), Status first
 * and the empty line last.  How many bytes; 0 when they do not fit.  nginx takes
 * 4 KiB of them unless it is told otherwise.
 */
#define ANSWER_HEAD	4000
size_t		 answer_head(char *out, size_t size, const struct answer *);

/* "OK" for 200; "Status" for what is not in the table.  RFC 9110 section 15. */
const char	*answer_reason(int status);

#endif
