/*
 * provider_texts.h - the providers' files as texts: those compiled into the programs,
 * and the operator's own in a bundle.
 *
 * Known to both sides of the wall: the worker compiles the files of its hooks, the
 * courier only looks up where keys are to be had.
 */
#ifndef PROVIDER_TEXTS_H
#define PROVIDER_TEXTS_H

#include "bundle.h"

#define PROVIDER_NAME_MAX	512

/*
 * The operator's file, else the one in the program; STR_NONE: there is none.  own: a
 * bundle, or NULL.  name: what errors call it ("/etc/hooklatch/providers/acme.json"),
 * or NULL.
 */
struct str		 provider_source(const struct bundle *own, struct str id,
			    char name[PROVIDER_NAME_MAX]);

/* Of those in the program: by id; STR_NONE when there is none. */
struct str		 provider_text(struct str id);
size_t			 provider_text_count(void);
struct str		 provider_text_id(size_t i);	/* sorted */
/* The nearest id that is there, or STR_NONE. */
struct str		 provider_nearest(struct str id);

/* What script/embed-providers writes. */
struct provider_text {
	struct str	 id;
	struct str	 text;
};
extern const struct provider_text provider_texts[];	/* sorted by id */
extern const size_t provider_texts_count;

#endif
