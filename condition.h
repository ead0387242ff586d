/*
 * condition.h - "does a request look so?": the "when" of a provider's file, and that of
 * a hook's "deliver", which knows more words.
 */
#ifndef CONDITION_H
#define CONDITION_H

#include "template.h"

enum test { TEST_PRESENT, TEST_ABSENT, TEST_EQUALS,
	TEST_IN,		/* one of a list */
	TEST_LIKE,		/* a pattern: str_like() */
};

/* One of them; all of a list must hold. */
struct condition {
	enum { OF_PLACE, OF_METHOD, OF_BODY, OF_QUERY, OF_TYPE } of;
	struct place	 place;
	enum test	 test;
	struct str	 text;
	struct str	*texts;		/* of TEST_IN */
	size_t		 ntexts;
};

enum fit { FITS, FITS_NOT, FITS_PERHAPS };

/*
 * unread: the body is not looked into, what it would say is left open.  HEAD is
 * also what GET is (RFC 9110, section 9.3.2).
 */
enum fit	conditions_fit(const struct condition *, size_t n, struct request *,
		    bool unread);

#endif
