/*
 * sample.h - a request as a provider would send it: what "send" posts and "sign"
 * prints.
 *
 * A secret is never an argument: "env:NAME" and "file:PATH" name it.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "auth_sign.h"
#include "cli/catalog.h"
#include "cli/cli.h"
#include "forge.h"

struct sample_options {
	const char	*config;
	const char	*dir;
	const char	*hook;
	const char	*url;
	const char	*secret;
	const char	*scheme;
	const char	*private_key;
	const char	*key_id;
	const char	*body;
	const char	*content_type;
	const char	*type;
	const char	*id;
	const char	*age;
	const char	*forge;
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
	{ "dir", 'd', "DIR", offsetof(struct sample_options, dir),	\
	    "with PROVIDER: also the files of a directory" },		\
	{ "secret", 0, "REF", offsetof(struct sample_options, secret),	\
	    "env:NAME or file:PATH; with --hook also \"old\", its second" }, \
	{ "scheme", 0, "NAME", offsetof(struct sample_options, scheme),	\
	    "of several that the provider has: ed25519, jws-es256, ..." }, \
	{ "private-key", 0, "FILE", offsetof(struct sample_options, private_key), \
	    "where a public key proves: PEM, or hex or base64 of the key" }, \
	{ "key-id", 0, "ID", offsetof(struct sample_options, key_id),	\
	    "the key's name, where the request says it (a token's kid)" }, \
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
	{ "age", 0, "TIME", offsetof(struct sample_options, age),	\
	    "signed so long ago: 600, 10m; -600: in the future" },	\
	{ "forge", 0, "WAY", offsetof(struct sample_options, forge),	\
	    "spoil it: flip, truncate, gone, ...; hooklatch(1) has all" },	\
	{ "header", 'H', "NAME: VALUE...", offsetof(struct sample_options, headers), \
	    "one more header" }

struct sample {
	struct arena	*arena;
	struct conf	*conf;
	struct bundle	*bundle;
	struct catalog	*catalog;
	struct routes	*routes;
	struct provider	*provider;
	struct route	*own;		/* made from provider */
	const struct route *route;
	struct str	 body;		/* before it was signed */
	struct sent	 request;
	bool		 unseen;	/* it is forged, and no receiver can see it */
};

/* provider: the operand, or NULL.  Ended by sample_free() in any case. */
int	sample_make(struct sample *, const struct sample_options *,
	    const char *provider, struct err *);
void	sample_free(struct sample *);
/* To stderr, when the receiver cannot know that it is forged. */
void	sample_warn(const struct sample *, const char *command);

#endif
