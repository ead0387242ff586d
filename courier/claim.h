/*
 * claim.h - a claim check: what is larger than an engine's message may be is put into a
 * bucket first, and the message says where it lies.
 *
 *	engine --claim_give--> PUT --2xx--> told(), with a reference --> engine
 *	                           --all else, or too late--> told(), refused
 *
 * An object's name is SHA256-NAME: the digest of the body, and the beginning of the name
 * by which the engine knows the event again (repeat_key.h).  So one name is one content,
 * the provider's next try puts the same object, and that it is there already is success.
 * An object is never deleted here: what the engine then does not take leaves one behind,
 * and how long objects are kept is the bucket's rule.
 *
 * A bucket is whatever takes a PUT of HTTP and says 2xx when the object is durable.
 * Google Cloud Storage has gs://BUCKET/PREFIX for a short name: its XML API, a token of
 * Google's, and x-goog-if-generation-match: 0, so that who may only create objects
 * (roles/storage.objectCreator) is enough.
 * https://cloud.google.com/storage/docs/xml-api/put-object-upload
 *
 * One thread, with a multi handle of its own.
 */
#ifndef COURIER_CLAIM_H
#define COURIER_CLAIM_H

#include "../base/log.h"
#include "../conf.h"
#include "put.h"

#define CLAIM_AT_ONCE	16		/* uploads; the others wait */
#define CLAIM_WAITS	1024
#define CLAIM_ANSWER	(64 * 1024)	/* bytes of an answer that are read */

struct claim;

/*
 * Called from claim's thread, once for each put that was given.  p->refusal 0: p->claim
 * is {"claim":{"url":...,"sha256":...,"size":...}}, from malloc.
 */
typedef void	claim_told(void *arg, struct put *p);

/* Where conf says; copies what it keeps.  NULL: it did not start. */
struct claim	*claim_start(const struct conf *, const struct bundle *, struct log *,
		    claim_told *, void *arg, struct err *);
/*
 * Takes the put over until it is told.  until: steady ms, then it is refused.  false:
 * CLAIM_WAITS wait, or it is stopping; the put stays the caller's.
 */
bool		 claim_give(struct claim *, struct put *, int64_t until);
/* What was given is tried to its end and told; nothing is taken any more. */
void		 claim_stop(struct claim *);
/* Stopped; wipes.  Takes NULL. */
void		 claim_free(struct claim *);

#endif
