/*
 * engine_url.h - an inbox that is an engine elsewhere, as the configuration writes it.
 *
 *	redis://HOST[:6379]/DB/STREAM[?wait=REPLICAS]
 *	nats://HOST[:4222][,HOST...]/STREAM/SUBJECT
 *	kafka://HOST[:9092][,HOST...]/TOPIC[?scram]
 *	pubsub:projects/PROJECT/topics/TOPIC[?endpoint=URL][&ordering=hook]
 *
 * With TLS: rediss://, nats+tls://, kafka+tls://.  An address of IPv6 stands in
 * brackets.  Credentials never stand in it: it is logged and printed.  Pub/Sub has no
 * host of one's own; its endpoint may be a region's, or one to test with over http://.
 */
#ifndef ENGINE_URL_H
#define ENGINE_URL_H

#include "base/str.h"

#define ENGINE_HOSTS	16

enum engine { ENGINE_NONE, ENGINE_REDIS, ENGINE_NATS, ENGINE_KAFKA, ENGINE_PUBSUB };

struct engine_host {
	struct str	name;		/* without brackets */
	uint16_t	port;
};

struct engine_url {
	enum engine	 engine;
	bool		 tls;
	struct engine_host hosts[ENGINE_HOSTS];
	size_t		 nhosts;
	struct str	 stream;	/* or a topic; of Pub/Sub with its project */
	struct str	 subject;	/* NATS */
	unsigned	 db;		/* Redis */
	unsigned	 wait;		/* Redis: replicas that must have it */
	bool		 scram;		/* Kafka: SCRAM-SHA-512 also inside TLS */
	struct str	 endpoint;	/* Pub/Sub: "https://HOST[:PORT]", or empty */
	bool		 by_hook;	/* Pub/Sub: events of a hook in order */
};

/* By its scheme; ENGINE_NONE: it is another kind of inbox. */
enum engine	 engine_of(struct str url);
/* Views into url.  NULL, or what is wrong: the end of a sentence. */
const char	*engine_url(struct engine_url *, struct str url);
/* Is it HOST:PORT, as the variable of an emulator has it? */
bool		 engine_is_host(struct str);

#endif
