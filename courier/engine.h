/*
 * engine.h - an inbox that is an engine elsewhere: Redis, NATS JetStream, Kafka,
 * Google Pub/Sub.
 *
 *	AWAY --open: settings read back, what is asked for is there--> READY
 *	READY --an answer that failed or did not come in time--> AWAY, closed
 *	AWAY  --after a while that doubles to BACK_OFF_MS--> open again
 *
 * One thread (engine.c) speaks to it.  While one batch is on its way the next
 * gathers, as with batch.h: no timer, and the slower the engine the larger the
 * batches.  What is the same for all stands in engine.c, what each can do in a file
 * of its own (engine_redis.c, ...), which a build may lack.
 *
 * (1) An event is stored when the engine has acknowledged it, on the connection that
 *     was opened after its settings were read back.
 * (2) An acknowledgement that did not come means nothing: the event is refused with
 *     503, the connection is closed, and nothing that still comes over it is read.
 *     Was it kept after all, the provider's next try is a repeat, where the engine
 *     knows repeats.
 * (3) AWAY nothing waits: events are refused at once, with why.
 * (4) An event over the engine's limit is refused before any of it is sent; or, with a
 *     "claim_check", its body is put into a bucket (claim.h) and the message says where:
 *     it is stored when both have acknowledged.
 *
 * An event is one message: its body, exactly, and beside it one line of JSON, as
 * "hooklatch events list --json" writes it, with the headers as they came
 * (promise 3).  Where the engine has no headers they are two fields.  Of one in a bucket
 * the line has a member "claim", and the body is an object with that member alone.
 */
#ifndef COURIER_ENGINE_H
#define COURIER_ENGINE_H

#include "../base/log.h"
#include "../conf.h"
#include "../engine_url.h"
#include "repeat_key.h"
#include "store.h"

#define ENGINE_QUEUE	(64u * 1024 * 1024)	/* bytes that may wait */
#ifdef BENCH_ONE_COMMIT			/* script/bench: what batching is worth */
#define ENGINE_EVENTS	1
#else
#define ENGINE_EVENTS	1024			/* on their way at once */
#endif
#define ENGINE_BYTES	(16u * 1024 * 1024)	/* or one event */
#define ENGINE_MESSAGE	(1024 * 1024)		/* of the line of JSON */

/* What an engine's file is given. */
struct engine_setting {
	struct engine_url url;
	bool		 strict;	/* "durability" */
	const char	*user;		/* or NULL */
	const char	*password;	/* or NULL; alone: a token */
	const char	*ca_file;	/* or NULL: the system's */
	/* Pub/Sub's: who we are, as google.h has it, and "HOST:PORT" of an emulator. */
	struct str	 credentials;
	struct str	 metadata;
	struct str	 emulator;
	struct log	*log;
};

/* One event as it is sent. */
struct engine_event {
	struct put	*put;
	struct str	 body;
	struct str	 json;		/* one line */
	char		 name[REPEAT_NAME];	/* to know it again by */
	uint64_t	 remember;	/* seconds */
	uint64_t	 size;		/* of all of it, roughly from above */

	/* The outcome; what is left as it was is refused as unanswered. */
	bool		 answered;
	bool		 repeat;
	char		 id[EVENT_ID_LEN + 1];	/* of a repeat: the first one's */
	const char	*why;		/* refused; a constant.  NULL: stored */
	bool		 too_large;
	bool		 to_claim;	/* it goes to the bucket first; engine.c's */
};

/*
 * All but make and free are called by the thread alone.  until: steady ms.  An error
 * is a sentence for the log and the operator; it holds no secret.
 */
struct engine_kind {
	enum engine	 engine;
	const char	*name;		/* "Redis" */
	void	(*load)(void);		/* for engine_load(), or NULL */
	void	*(*make)(const struct engine_setting *, struct err *);
	/*
	 * Connects, proves itself, reads back what acknowledgements mean there, and
	 * says the largest message.  ERR_CONF: somebody must change something.
	 */
	int	(*open)(void *, int64_t until, uint64_t *largest, struct err *);
	/* Sends all and takes their acknowledgements.  -1: it must be closed. */
	int	(*put)(void *, struct engine_event *, size_t n, int64_t until,
	    struct err *);
	/* Is it still there?  Asked when nothing was sent for a while. */
	int	(*ping)(void *, int64_t until, struct err *);
	void	(*close)(void *);	/* also of what is not open */
	void	(*free)(void *);	/* closed; wipes */
};

/* Weak in engine.c: one whose library was not there is not linked. */
extern const struct engine_kind engine_redis, engine_nats, engine_kafka,
    engine_pubsub;

/*
 * To be called before anything in the process uses OpenSSL.  libnats takes a part of it
 * down at exit; handlers run backwards, so OpenSSL's own must have been added later, or
 * the same is freed twice.
 */
void		 engine_load(const struct conf *);

/*
 * The engine that conf names, with the secret from the bundle.  NULL and a sentence:
 * this build lacks it, or a setting that no try will make right.  That it is away is
 * no error.
 */
struct store	*engine_start(const struct conf *, const struct bundle *,
		    struct log *, const struct inbox_limits *, int64_t patience,
		    struct err *);

#endif
