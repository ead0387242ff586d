/*
 * provider_texts.h - the providers' files as texts, compiled into the programs.
 *
 * Known to both sides of the wall: the worker compiles the files of its hooks, the
 * courier only looks up where keys are to be had.
 */
#ifndef PROVIDER_TEXTS_H
#define PROVIDER_TEXTS_H

#include "base/str.h"

/* By id; STR_NONE when there is none. */
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
