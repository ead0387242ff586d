/*
 * catalog.h - the providers that the tool knows: the files that ship, and those of
 * a directory of one's own, which go before them.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include "bundle.h"
#include "provider.h"

struct catalog;

/* own: a bundle that holds "provider:ID" texts, or NULL; it must outlive this. */
struct catalog	*catalog_new(const struct bundle *own, struct err *);
void		 catalog_free(struct catalog *);	/* takes NULL */

size_t		 catalog_count(const struct catalog *);
struct str	 catalog_id(const struct catalog *, size_t i);	/* sorted */
/* STR_NONE, and a sentence that names the nearest, when there is none. */
struct str	 catalog_text(const struct catalog *, struct str id, struct err *);
/* provider_free() ends it. */
struct provider	*catalog_read(const struct catalog *, struct str id, struct err *);

#endif
