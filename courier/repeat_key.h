/*
 * repeat_key.h - how an event is known again (promise 4), wherever it is kept.
 *
 *	what there is			known by
 *	an id as well proven as the	"id": hook and id
 *	body, or nothing is signed
 *	an id that is not covered	"both": hook and id, and the digest of what
 *					was signed
 *	no id, and the provider's	"bytes": hook and digest, for a while
 *	file says "merge"
 *	none of these			nothing: each is a new event
 */
#ifndef COURIER_REPEAT_KEY_H
#define COURIER_REPEAT_KEY_H

#include "../event.h"

struct repeat_key {
	const char	*kind;			/* NULL: it is not known again */
	unsigned char	 key[32];		/* hash of kind, hook and id */
	unsigned char	 digest[32];
	bool		 has_digest;		/* of "both" */
	unsigned char	 bytes[32];
	bool		 has_bytes;		/* look for them under other ids */
	uint64_t	 seconds;		/* that it is remembered */
};

/*
 * remember: seconds, at least.  Of an event without an id whose body is not in
 * memory the digest must have been made before.
 */
void	repeat_key(struct repeat_key *, const struct event *, uint64_t remember);

/*
 * The same as one name for an engine, 64 digits of hex and a NUL.  An event that is
 * not known again is named by our own id: a worker that sends it a second time,
 * because the courier went away, is still told "stored" once.
 */
#define REPEAT_NAME	65
#define REPEAT_OWN	3600		/* seconds that such a name is of use */
void	repeat_name(char out[REPEAT_NAME], uint64_t *seconds, const struct event *,
	    uint64_t remember);

#endif
