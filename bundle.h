/*
 * bundle.h - all that a process was given from outside, as bytes.
 *
 * Configuration text, the secrets that it names, the operator's own provider
 * files: read once, by the one process that may, into a list of named blobs.
 * Everything later is computed from the bundle alone.  So a reload is "read a
 * bundle, try it, hand the same bytes to each worker", no worker opens a file
 * after its start, and a test needs no file system.
 */
#ifndef BUNDLE_H
#define BUNDLE_H

#include "base/buf.h"
#include "base/err.h"

struct bundle;

struct bundle	*bundle_new(void);
void		 bundle_free(struct bundle *);	/* wipes; takes NULL */

/* Copies.  name: "conf", "secret:env:NAME", "secret:file:PATH", "provider:ID",
   "providers": the directory of those, for errors; "service:ID"; "lacks:gcp:NAME" for a secret
   that is still to be fetched. */
int		 bundle_put(struct bundle *, struct str name, struct str bytes);
				/* over one of that name; -1: no memory */
/* STR_NONE when it is not there. */
struct str	 bundle_get(const struct bundle *, struct str name);
size_t		 bundle_count(const struct bundle *);
struct str	 bundle_name(const struct bundle *, size_t i);

/*
 * A secret as it is written in the configuration: "env:NAME", "file:PATH" (one
 * trailing newline dropped) or "plain:TEXT".  Reads it into the bundle.  Of
 * "gcp:NAME" it notes that the bundle lacks it: only the courier can fetch it
 * (courier/vault.h).
 */
int	bundle_read_secret(struct bundle *, struct str written, struct err *);

/* Its bytes; STR_NONE when it was not read. */
struct str	bundle_secret(const struct bundle *, struct str written);

/*
 * Is it "gcp:projects/P/secrets/S", with "/locations/L" before and "/versions/V"
 * behind the secret or not: one of Google's Secret Manager?
 */
bool		bundle_is_fetched(struct str written);
/* The next one that it lacks, from *i on, which begins at 0; STR_NONE: no more. */
struct str	bundle_lacks(const struct bundle *, size_t *i);
/* It was fetched.  -1: no memory. */
int		bundle_put_secret(struct bundle *, struct str written, struct str bytes);

/*
 * The bundle as bytes and back, for the pipe to a worker.  The bytes are taken
 * from the buf in one piece, so that wiping it before buf_free() leaves no copy.
 */
void		 bundle_write(const struct bundle *, struct buf *);
struct bundle	*bundle_read(struct str, struct err *);

#endif
