/*
 * route.h - a hook, its provider and its keys: ready to judge requests.
 *
 * Made from a configuration and its bundle when a worker starts or reloads; read
 * only after that.  Here a secret's text has become key bytes, and a hook that
 * lacks what its provider's file asks for has been refused with file:line:column
 * and the missing names.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "bundle.h"
#include "conf.h"
#include "deliver.h"
#include "provider.h"

/*
 * One usable secret.  A provider's alternatives may make different keys of one
 * text (base64 decoded, as it is, a parsed public key): keys are made by
 * auth_keys(), one list for each alternative of the provider's "signature".
 */
struct key;

#define ROUTE_CAPTURED_MAX	4	/* secrets of one hook that handshakes bring */

struct route {
	const struct hook	*hook;
	const struct provider	*provider;	/* NULL with auth none and none named */
	struct texts		 params[PARAM_COUNT];	/* references resolved */
	struct key		**keys;		/* keys[alternative], a list each */
	struct str		 captured[ROUTE_CAPTURED_MAX];	/* their names; the
						 * keyring has the keys */
	size_t			 ncaptured;
	int64_t			 deadline;	/* ms until the answer, at most */
	uint64_t		 max_body;	/* bytes */
	int64_t			 window;	/* ms, both ways; 0: none */
	struct json_limits	 json;		/* of a body that is looked into */
	struct rule		*rules;		/* where its events go */
	size_t			 nrules;
};

struct routes;

/*
 * All hooks of a configuration.  conf and bundle must outlive the routes.  NULL
 * and a sentence when a hook cannot be made.  A secret that the bundle lacks
 * because only the courier can fetch it is no key: fine for who looks ("check"),
 * and setting_new() refuses it.
 */
struct routes		*routes_new(const struct conf *, const struct bundle *,
			    struct err *);
void			 routes_free(struct routes *);	/* wipes keys; takes NULL */

/* By path, byte for byte; NULL when there is no such hook. */
const struct route	*routes_find(const struct routes *, struct str path);
size_t			 routes_count(const struct routes *);
const struct route	*routes_at(const struct routes *, size_t i);

/*
 * One route without a configuration: for the tool, the examples and the tests.
 * hook and the provider must outlive the route.  params are texts (PARAM_COUNT of
 * them), or NULL.  Without a hook nothing that the provider asks for must be there:
 * what is signed with a private key needs no public one.
 */
struct route		*route_new(const struct provider *, const struct hook *,
			    const struct str *names, const struct str *texts,
			    size_t n, const struct texts *params, struct err *);
void			 route_free(struct route *);	/* takes NULL */

/*
 * Does it want what only the courier has: keys that are fetched, secrets that
 * handshakes bring?
 */
bool			 route_asks(const struct route *);
bool			 routes_ask(const struct routes *);

/*
 * Warnings a person should read ("check" prints them): static secrets, bodies
 * that nothing covers, "plain:" secrets, no authentication.
 */
void			 routes_warn(const struct routes *, struct buf *);

#endif
