/*
 * quarantine.h - the last requests that were refused, for "hooklatch explain".
 *
 * Off unless the configuration names a directory; never in the inbox.  Each is a file
 * of JSON, ID.json, that says what was refused, why, and all of the request but for
 * values that stand in the place of a secret.  So many and so much are kept as the
 * configuration says, then the oldest goes: an id begins with its time.
 */
#ifndef COURIER_QUARANTINE_H
#define COURIER_QUARANTINE_H

#include "../base/log.h"
#include "../event.h"

struct quarantine;

/* Looks at what is there.  dir is made when it is not. */
struct quarantine *quarantine_new(struct str dir, uint64_t requests, uint64_t bytes,
		    struct log *, struct err *);
void		 quarantine_free(struct quarantine *);	/* takes NULL */

void		 quarantine_put(struct quarantine *, struct str verdict,
		    struct str reason, const struct event *);

#endif
