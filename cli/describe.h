/*
 * describe.h - a provider in words.
 */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "base/buf.h"
#include "provider.h"

/* "hmac-sha256 over body + time or the secret itself", or "nothing". */
void	describe_proof(struct buf *, const struct provider *);

/* A line of the table; the first says what stands where. */
void	describe_row_head(struct buf *);
void	describe_row(struct buf *, const struct provider *);
/* The same for docs/. */
void	describe_markdown_head(struct buf *);
void	describe_markdown(struct buf *, const struct provider *);
/* One object, one line. */
void	describe_object(struct buf *, const struct provider *);
/*
 * All of it: how to set it up, what is signed, what it does not protect, what to
 * write into the configuration, how to try it.  text: the provider's file.
 */
int	describe_full(struct buf *, const struct provider *, struct str text,
	    struct err *);

#endif
