/*
 * sample.h - a request as a provider would send it: what "send" posts and "sign"
 * prints.
 *
 * A secret is never an argument: "env:NAME" and "file:PATH" name it.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "auth_sign.h"
#include "cli/cli.h"

struct sample_options {
	const char	*config;
	const char	*hook;
	const char	*url;
	const char	*secret;
	const char	*private_key;
	const char	*body;
	const char	*content_type;
	const char	*type;
	const char	*id;
	const char	*age;
	struct words	 params;
	struct words	 headers;
	bool		 json;
	const char	*curl;		/* sign only */
	bool		 fresh;		/* send only: a sample is a new event each time */
};

/* The rows that send and sign share; each adds its own. */
#define SAMPLE_OPTIONS							\
	{ "config", 'c', "FILE", offsetof(struct sample_options, config), \
	    "the configuration that has the hook" },			\
	{ "hook", 0, "PATH", offsetof(struct sample_options, hook),	\
	    "sign as the sender of this hook" },			\
	{ "url", 0, "URL", offsetof(struct sample_options, url),	\
	    "where it is sent; default http://127.0.0.1:8080 and the hook" }, \
	{ "secret", 0, "REF", offsetof(struct sample_options, secret),	\
	    "with PROVIDER: env:NAME or file:PATH" },			\
	{ "private-key", 0, "FILE", offsetof(struct sample_options, private_key), \
	    "for Ed25519 and ECDSA: PEM, or hex or base64 of the key" }, \
	{ "param", 0, "NAME=VALUE...", offsetof(struct sample_options, params), \
	    "with PROVIDER: what else it asks for, as in the configuration" }, \
	{ "body", 0, "FILE", offsetof(struct sample_options, body),	\
	    "the body; - is standard input; default: a sample" },	\
	{ "content-type", 0, "TYPE", offsetof(struct sample_options, content_type), \
	    "default: what the provider sends" },			\
	{ "type", 0, "TYPE", offsetof(struct sample_options, type),	\
	    "the event's type, where a header says it" },		\
	{ "id", 0, "ID", offsetof(struct sample_options, id),		\
	    "the event's id; default: a new one" },			\
	{ "age", 0, "SECONDS", offsetof(struct sample_options, age),	\
	    "signed so long ago" },					\
	{ "header", 'H', "NAME: VALUE...", offsetof(struct sample_options, headers), \
	    "one more header" }

struct sample {
	struct arena	*arena;
	struct conf	*conf;
	struct bundle	*bundle;
	struct routes	*routes;
	struct provider	*provider;
	struct route	*own;		/* made from provider */
	const struct route *route;
	struct str	 body;		/* before it was signed */
	struct sent request;
};

/* provider: the operand, or NULL.  Ended by sample_free() in any case. */
int	sample_make(struct sample *, const struct sample_options *,
	    const char *provider, struct err *);
void	sample_free(struct sample *);

#endif
