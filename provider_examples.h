/*
 * provider_examples.h - what else a provider's file is good for: its "examples", and a
 * schema for editors.  For the tests and the tool; the handler contains neither.
 */
#ifndef PROVIDER_EXAMPLES_H
#define PROVIDER_EXAMPLES_H

#include "provider.h"
#include "sent.h"

enum expect { EXPECT_FORGED, EXPECT_ABSENT, EXPECT_STALE, EXPECT_DOUBLED,
	EXPECT_GENUINE, EXPECT_ANSWER };	/* as enum verdict_code */

struct example {
	struct str	 says;
	struct str	 source;	/* "docs", "sdk NAME VERSION", "made" */
	int64_t		 clock;		/* ms */
	struct sent	 sent;		/* names of headers as they are written */
	struct str	*secrets;	/* texts */
	size_t		 nsecrets;
	struct texts	 params[PARAM_COUNT];
	struct header	*fetched;	/* what its keys' URLs give: URL and text */
	size_t		 nfetched;
	enum expect	 expect;
	struct str	 event_id;	/* .p NULL: not said */
	struct str	 event_type;
	int		 status;	/* of EXPECT_ANSWER; 0: not said */
	struct str	 type;
	struct str	 answer;	/* .p NULL: not said */
	struct str	 header;	/* a line of it; .p NULL: not said */
	struct str	 captured;	/* the secret that it brings; .p NULL: not said */
	bool		 open;		/* with "handshake": "open" */
	bool		 platform;	/* with "token": "platform" */
	struct str	 private_key;	/* to sign anew, for tests of signing */
};

/* Into the arena; -1 and a sentence. */
int	provider_examples(struct str text, const char *name, struct arena *,
	    struct example **, size_t *n, struct err *);

/* A JSON Schema (2020-12) of such a file. */
void	provider_schema(struct buf *);

#endif
