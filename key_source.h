/*
 * key_source.h - where a provider's keys are: which URL, and which host may be asked.
 *
 * "keys" of a signature in a provider's file.  Known to both sides of the wall: the
 * worker says by name which key a request wants, and the courier makes the URL
 * itself, from the file's rule and the hook's parameters.  It believes nothing but
 * that name, so a worker that was taken over can have no other URL fetched.
 */
#ifndef KEY_SOURCE_H
#define KEY_SOURCE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "conf.h"

/* ms.  In it all ages of keys are counted; the tests make keys age faster. */
#ifndef KEY_SECOND
#define KEY_SECOND	1000
#endif

#define KEY_NAME_LEN	512		/* bytes of a key's name */
#define KEY_URL_LEN	1024

struct key_source {
	/*
	 * https; {key} is the name of the key, {issuer} and the like parameters of
	 * the hook.  Is it "{key}" alone, then the request names the URL, and hosts
	 * and path say which.
	 */
	struct str	 url;
	struct str	*hosts;		/* "keys.example.com", "keys.eu-*.example.com" */
	size_t		 nhosts;
	struct str	 path;		/* "/certs/" and a star: one name */
	struct str	 member;	/* of the JSON that comes; .n == 0: all of it */

	/* Where keys are not public: what is posted, and OAuth 2.0 before it. */
	struct str	 post;		/* JSON with {key}, {fetch_secret}, ...; or empty */
	struct str	 token_url;	/* of client credentials (RFC 6749, 4.4) */
	struct str	 token_scope;
	unsigned	 asks;		/* 1 << enum hook_param: named in it */
	bool		 asks_secret;	/* fetch_secret must be given */
};

/* From a file's "keys"; texts live in the arena.  -1 and file:line:column. */
int	key_source_read(struct key_source *, const struct json_doc *,
	    const struct json_object *keys, struct arena *, struct err *);

/* Does the request name the key in the URL, or is there one URL for all? */
bool	key_source_named(const struct key_source *);

/*
 * The URL of one key.  false: none may be made of it, and *why says what is wrong,
 * for the log.  params: PARAM_COUNT of them.
 */
bool	key_source_url(const struct key_source *, const struct texts *params,
	    struct str key, struct buf *url, const char **why);

/* What is posted, escaped for JSON; empty when it is a GET. */
bool	key_source_post(const struct key_source *, const struct texts *params,
	    struct str key, struct str fetch_secret, struct buf *body);

/*
 * The source of one alternative of a provider's "signature", from the file's text:
 * for the courier, which does not read the rest.  false: it has none.
 */
bool	key_source_find(struct key_source *, struct str text, size_t alternative,
	    struct arena *, struct err *);

#endif
