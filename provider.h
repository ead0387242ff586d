/*
 * provider.h - a provider's file -> struct provider.
 *
 * A provider is a file of data (providers/ID.json).  The words it may use are
 * described in docs/providers.md and stand as rows of tables in provider.c; here
 * is what they become.  A struct provider is read only and owns its memory.
 */
#ifndef PROVIDER_H
#define PROVIDER_H

#include "answer.h"
#include "auth_cert.h"
#include "auth_key.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/when.h"
#include "condition.h"
#include "conf.h"		/* enum hook_param: what a file may ask of a hook */
#include "key_source.h"
#include "provider_texts.h"
#include "reply.h"
#include "template.h"

#define SIGNATURES_MAX	16	/* values of one request that are tried */
#define NUMBERED_MAX	100	/* the same of headers with a number each */
#define ITEMS_MAX	1000	/* of one request, where each is signed */
#define CAPTURES_MAX	8	/* names that a form captures, besides {sig} */

/* --- "signature": one way to prove a request ----------------------------- */

enum family {
	FAMILY_MAC,		/* HMAC with a shared secret */
	FAMILY_HASH,		/* a plain hash over a template with {secret} */
	FAMILY_EQUAL,		/* the value is the secret */
	FAMILY_KEY,		/* a public key */
};

struct algorithm {
	const char	*name;		/* "hmac-sha256", "jws-rs256" */
	enum family	 family;
	enum hash	 hash;		/* of MACs and hashes */
	struct key_scheme key;		/* of public keys */
	const char	*jose;		/* "RS256": it is a JWS; NULL: it is not */
};

enum encoding { ENCODING_RAW, ENCODING_HEX, ENCODING_BASE64, ENCODING_BASE64URL,
	ENCODING_BASE64_HEX,	/* base64 of the hex text */
	ENCODING_AUTO };

/* How the text of a secret becomes the key, in this order. */
struct key_form {
	struct str	*strip;		/* beginnings that are dropped */
	size_t		 nstrip;
	enum encoding	 decode;
	struct str	 append;
	bool		 digested;
	enum hash	 digest;
};

/* "t={time},v1={sig:hex}" taken apart. */
struct form_part {
	enum { PART_TEXT, PART_SIG, PART_CAPTURE, PART_PARAM } kind;
	struct str	 text;		/* in any letter case */
	enum encoding	 encoding;	/* of the signature */
	unsigned	 index;		/* of the capture, or enum hook_param */
};

struct form_item {
	struct form_part *parts;
	size_t		 nparts;
	bool		 positional;	/* no text of its own */
};

struct form {
	struct form_item *items;
	size_t		 nitems;
	struct str	 captures[CAPTURES_MAX];	/* their names */
	size_t		 ncaptures;
	int		 time;		/* which capture is {time}, or -1 */
	char		 list;		/* separator of items, or 0 */
	char		 groups;	/* separator of groups of items, or 0 */
	bool		 comma_space;	/* ", " is part of it: not a joined header */
	bool		 numbered;	/* made of headers with a number each */
};

struct time_rule {
	bool		 set;
	bool		 captured;	/* as {time} by the form; else at place */
	struct place	 place;
	enum when_unit	 unit;
	int64_t		 window;	/* ms, both ways; 0: only noted */
};

struct also {				/* what else must hold */
	struct place	 place;
	struct template	*equals;	/* any of these */
	size_t		 nequals;
	bool		 optional;	/* it may not be there at all */
};

/*
 * Of a JWS.  "exp" and "nbf" hold wherever they stand; these say what must stand
 * there.
 */
enum claim_name { CLAIM_EXP, CLAIM_NBF, CLAIM_IAT, CLAIM_JTI, CLAIM_NAMES };

struct token_rule {
	bool		 detached;	/* its payload is "signs", not in the token */
	bool		 unencoded;	/* and signed as it is: RFC 7797 */
	int64_t		 leeway;	/* ms: how far clocks may differ */
	int64_t		 longest;	/* ms that "exp" may be ahead; 0: any */
	unsigned	 require;	/* 1 << enum claim_name */
	/*
	 * What stands in the place of a signature that the platform before us has
	 * checked and taken away; only where the hook says so.
	 */
	struct str	 platform;
};

enum covers { COVERS_BODY = 1, COVERS_QUERY = 2, COVERS_METHOD = 4, COVERS_PATH = 8,
	COVERS_FIELDS = 16 };

struct signature {
	struct place	*places;	/* aliases: the first that is there */
	size_t		 nplaces;
	struct form	 form;
	bool		 repeats;	/* the header may come several times */
	const struct algorithm *algorithm;
	struct template	 signs;		/* n == 0 for FAMILY_EQUAL */
	struct key_form	 key;
	unsigned	 kinds;		/* enum body_kind it is for; 0: all */
	struct condition *when;		/* it is for requests that look so */
	size_t		 nwhen;
	struct str	 each;		/* path of a list in the body: it is judged
					 * for each item; .n == 0: once */
	struct pairs	*pairs;		/* what {pairs} and their like are */
	size_t		 npairs;
	struct also	*also;
	size_t		 nalso;
	struct time_rule time;		/* its own, or the provider's */
	struct token_rule token;

	/* Where its keys are, when the hook does not give one. */
	bool		 fetches;	/* from keys ... */
	struct key_source keys;
	struct template	 key_name;	/* ... by this name; n == 0: a token's kid */
	bool		 certified;	/* the key is a certificate's, ... */
	bool		 from_token;	/* ... which stands in the token (x5c) */
	struct cert_rule cert;

	/* Derived from "signs" and "also". */
	unsigned	 covers;
	unsigned	 whole;		/* of it: not by pairs, which may pass some over */
	bool		 time_signed;	/* so a window means something */
	bool		 bearer;	/* a token that says nothing of the request */
};

/* --- "event", "handshakes", answers ---------------------------------------- */

struct event_rule {
	struct template	*ids;		/* the first that is there, see auth.c */
	size_t		 nids;
	struct template	*types;
	size_t		 ntypes;
	bool		 says_proven;	/* the file has the word "proven" */
	uint32_t	 merge;		/* seconds; 0: never */
	struct str	 merge_reason;
};

struct handshake_rule {
	struct condition *when;
	size_t		 nwhen;
	struct also	*verify;	/* in constant time */
	size_t		 nverify;
	bool		 is_signed;	/* verified as an event first */
	bool		 open;		/* may be opened by the hook */
	bool		 store;		/* known by a field's presence alone */
	bool		 captures;	/* the hook's secret comes with it ... */
	struct place	 capture;	/* ... here */
	struct reply	 answer;
	struct answer	 refused;	/* 403 unless the file says otherwise */
};

struct provider_answer {
	bool		 set;
	struct answer	 answer;
};

#define BODY_ANY	BODY_OTHER	/* in provider.bodies: forbids none */

/* --- the whole ------------------------------------------------------------ */

struct provider {
	struct str	 id;		/* "github" */
	struct str	 name;		/* "GitHub" */
	struct str	 docs;		/* a URL */
	struct str	 setup;		/* one or two sentences */
	struct str	*weak;		/* sentences */
	size_t		 nweak;

	struct str	*methods;	/* of events: "POST" */
	size_t		 nmethods;
	struct str	*handshake_methods;	/* of handshakes that name one */
	size_t		 nhandshake_methods;
	unsigned	 bodies;	/* enum body_kind, or BODY_ANY */
	bool		 any_type;	/* the Content-Type is not looked at */
	bool		 empty;		/* an empty body is well-formed */
	bool		 lines;		/* JSON may be a text on each line */
	uint64_t	 max_body;	/* bytes; 0: not said */

	struct signature *signatures;	/* alternatives, in order */
	size_t		 nsignatures;
	struct event_rule event;
	struct handshake_rule *handshakes;
	size_t		 nhandshakes;
	struct reply	 accepted;
	struct provider_answer refused, malformed, later;

	int64_t		 deadline;	/* ms that the provider waits; 0: not said */
	struct str	 retries;	/* as written */
	uint32_t	 remember;	/* seconds: 7 days or its retries */
	unsigned	 asks;		/* 1 << enum hook_param: must be given */
	bool		 wants_secret;	/* an alternative that a secret proves ... */
	bool		 wants_public_key;	/* ... or a public key: one is enough */
	bool		 fetches;	/* an alternative can fetch its keys */

	struct arena	*arena;		/* all the above lives here */
};

/* A file's text -> provider.  name stands in errors: "providers/github.json". */
struct provider		*provider_read(struct str text, struct str id,
			    const char *name, struct err *);
void			 provider_free(struct provider *);	/* takes NULL */

/* All of them, for the tool; NULL: there are no more. */
const struct algorithm	*provider_algorithm(size_t i);

/* Does it name the hook's secret as one that comes by a handshake? */
bool			 provider_captures(const struct provider *);

/*
 * Are all values of the request in that template covered by the signature?  Where
 * nothing is signed they are as good as the rest.
 */
bool			 signature_covers(const struct signature *,
			    const struct template *);
/* Is that value of the request covered by what is signed? */
bool			 place_is_signed(const struct signature *,
			    const struct place *);

#endif
