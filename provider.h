/*
 * provider.h - a provider's file -> struct provider.
 *
 * A provider is a file of data (providers/ID.json).  The words it may use are
 * described in docs/providers.md and stand as rows of tables in provider.c; here
 * is what they become.  A struct provider is read only and owns its memory.
 */
#ifndef PROVIDER_H
#define PROVIDER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/when.h"
#include "conf.h"		/* enum hook_param: what a file may ask of a hook */

struct provider;		/* provider_rows.h: for the road and the tool */

/* A file's text -> provider.  name stands in errors: "providers/github.json". */
struct provider		*provider_read(struct str text, struct str id,
			    const char *name, struct err *);
void			 provider_free(struct provider *);

/* The texts compiled into the program, by id; STR_NONE when there is none. */
struct str		 provider_text(struct str id);
size_t			 provider_text_count(void);
struct str		 provider_text_id(size_t i);	/* sorted */

#endif
