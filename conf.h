/*
 * conf.h - the configuration: one JSON file, or the environment alone.
 *
 * All keys stand in one table of rows (conf_keys.c).  From it come parsing, defaults,
 * printing, the JSON Schema and the tables of hooklatch.json(5).  Reading is pure:
 * text in, struct conf or "file:line:column: sentence" out; two configurations
 * can exist at once, so a reload is read, compare, swap.  Each program looks at
 * its own half only: the road at hooks, the courier at inbox and limits.
 */
#ifndef CONF_H
#define CONF_H

#include "base/codec.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "bundle.h"
#include "event.h"

#define CONF_TEXT_MAX		(32 << 20)	/* bytes of a file */
#define CONF_BUCKET_MAX		2000	/* bytes of "claim_check" */
#define SECRET_MANAGER		"secretmanager.googleapis.com"
#define CONF_ENVIRONMENT	"environment"	/* the name without a file */

enum inbox_kind { INBOX_NONE, INBOX_SQLITE, INBOX_STDOUT, INBOX_ENGINE };
/*
 * What an acknowledgement of an engine must mean.  strict: that it was synced, asked
 * for and read back; engine: whatever it means there.
 */
enum durability { DURABLE_STRICT, DURABLE_ENGINE };
enum hook_auth { AUTH_PROVIDER, AUTH_NONE };

/* What a provider's file may ask of a hook, besides secrets. */
enum hook_param {
	PARAM_VERIFY_TOKEN,	/* a reference, as a secret is */
	PARAM_PUBLIC_KEY,	/* itself, or a reference: conf_is_reference() */
	PARAM_CLIENT_ID, PARAM_APP_KEY, PARAM_KEY_ID, PARAM_TOPIC_ARN,
	PARAM_WEBHOOK_ID, PARAM_AUDIENCE, PARAM_EMAIL, PARAM_ORIGIN,
	PARAM_TOPIC,
	PARAM_ISSUER,		/* of tokens: the URL where its keys are found */
	PARAM_URL,		/* the hook's public URL */
	PARAM_COUNT
};
extern const char *const hook_param_names[PARAM_COUNT];

struct cidr {
	unsigned char	addr[16];	/* IPv4 as ::ffff:a.b.c.d */
	unsigned	bits;		/* 0 to 128 */
};

/* Where an event goes after it is committed; the courier's half. */
enum destination_kind { TO_EXEC, TO_HTTP };

/* An answer that counts for something else than its status says. */
struct answer_rule {
	int64_t		status;
	struct str	has;		/* a path into its JSON, or empty; "[]" once in it:
					 * the entry whose "index" is the event's place */
	struct str	equals;		/* what stands there, or empty: anything */
	struct str	is;		/* "done", "later", "dead" */
	struct str	says;		/* for the sentence */
};

/* How several events are one request; list empty: they are not. */
struct batch_rule {
	struct str	list;		/* of the body: one element for each event */
	struct str	key;		/* a member of those: one value in a request */
	struct str	done;		/* of an answer of 2xx: a text for each event */
	uint64_t	most;		/* events of a request */
	uint64_t	bytes;		/* of its body */
};

struct destination {
	struct str	name;		/* "staging" */
	struct str	where;		/* "file:line:column", for errors later */
	enum destination_kind kind;

	/* exec */
	struct str	*argv;		/* argv[0] is a path */
	size_t		 nargv;
	struct str	directory;	/* where it runs */
	struct pair	*environment;	/* a value may be a reference */
	size_t		 nenvironment;

	/* http */
	struct str	service;	/* of services/, or empty */
	struct pair	*params;	/* its parameters, as they are written */
	size_t		 nparams;
	struct str	own_url;	/* as they are written; below what counts, */
	struct str	own_body;	/* which may be the service's */
	struct str	own_google;
	struct str	own_scope;
	struct str	url;		/* a template: letter.h */
	struct str	method;
	struct pair	*headers;	/* a value is a reference or a template */
	size_t		 nheaders;
	struct str	body;		/* a template; empty: the body as it came */
	struct str	sign;		/* references, or empty */
	struct str	bearer;
	struct str	basic;		/* of "USER:PASSWORD" */
	struct str	google;		/* "access", "id", or empty */
	struct pair	*oauth1;	/* references to its keys and tokens */
	size_t		 noauth1;
	struct answer_rule *answers;	/* of the service */
	size_t		 nanswers;
	struct batch_rule batch;	/* likewise */
	struct str	retry_at;	/* of the service: a header of 429, in seconds
					 * since 1970; or empty */
	struct str	emulator;	/* the variable that names one, or empty */
	struct str	audience;	/* of an ID token; empty: by the URL */
	struct str	scope;		/* of an access token; empty: the widest */
	struct str	credentials;	/* a reference; empty: the machine's */
	struct str	credentials_used; /* by conf_settle(): the same, or what the
					 * environment names; empty: the metadata
					 * server's */
	struct str	metadata;	/* by conf_settle(): its host, or empty */

	/* when, how often, in what order */
	int64_t		 timeout;	/* ms for one attempt */
	uint64_t	 concurrency;	/* attempts at the same time */
	bool		 one_at_a_time;
	bool		 latest_wins;	/* of those that wait only the newest goes */
	struct str	serialize_by;	/* a place in the request, or empty */
	uint64_t	 per_day;	/* attempts between midnights of UTC; 0: any */
	int64_t		 delay;		/* ms from the commit to the first attempt */
	int64_t		 retry_first;	/* ms between attempts: at first, at most */
	int64_t		 retry_most;
	uint64_t	 tries;		/* then it is dead; 0: until give_up */
	int64_t		 give_up;	/* ms from the commit, then it is dead */

	/* what it has to do with the answer */
	struct str	own_mode;	/* as it is written */
	enum forward_mode mode;
	uint64_t	 answer_limit;	/* bytes of an answer */
	struct str	answer_type;	/* Content-Type of a program's, and of */
	struct str	fallback;	/* what is answered if it fails; empty: 503 */
};

/* One entry of a hook's "deliver". */
struct deliver {
	struct str	to;		/* a destination's name */
	struct str	when;		/* conditions, as JSON text; empty: always */
};

struct hook {
	struct str	path;		/* "/hooks/github" */
	struct str	provider;	/* its id; "own" when own != .p NULL */
	struct str	own;		/* the text of a provider of one's own */
	struct str	where;		/* "file:line:column", for errors later */

	struct str	*secrets;	/* as written: "env:NAME" ... */
	size_t		 nsecrets;
	struct texts	params[PARAM_COUNT];	/* .n 0 when not given */
	struct str	fetch_secret;	/* the courier's: to fetch keys with */
	bool		 platform_token;	/* "token": "platform" */
	enum hook_auth	 auth;
	bool		 open_handshake;	/* "handshake": "open" */
	bool		 refuse_replay;		/* "replay": "refuse" */
	int64_t		 window;	/* ms; -1: as the provider's file says */
	int64_t		 deadline;	/* ms; 0: as the provider's file says */
	uint64_t	 max_body;	/* bytes; 0: the limit for all */
	struct str	 pass;		/* "@name" or empty */
	struct str	*methods;	/* or the provider's when n == 0 */
	size_t		 nmethods;
	struct cidr	*from;		/* any may match; none: everybody */
	size_t		 nfrom;
	struct str	 client_cert;	/* "verified", a SHA-1 or SHA-256
					 * fingerprint in hex, or empty */
	struct deliver	*deliver;
	size_t		 ndeliver;
};

struct conf {
	struct str	 name;		/* the file's, for messages */

	enum inbox_kind	 inbox_kind;
	struct str	 inbox;		/* as written; .p NULL before
					 * conf_settle() when it was not */
	struct str	 inbox_path;	/* of a SQLite inbox */
	struct str	 inbox_secret;	/* the courier's: an engine's, or empty */
	/* By conf_settle(): the same, or for Pub/Sub what the environment names; and
	 * there its metadata server's host, "HOST:PORT" of an emulator, or empty. */
	struct str	 inbox_secret_used;
	struct str	 inbox_metadata;
	struct str	 inbox_emulator;
	enum durability	 durability;	/* of an engine */
	struct str	 claim_check;	/* a bucket for what an engine does not take,
					 * or empty */
	struct str	 claim_check_token;	/* "google", a reference, or empty */
	struct str	 claim_credentials;	/* by conf_settle(), where the token is */
	struct str	 claim_metadata;	/* Google's: as of a destination */
	struct str	 courier;	/* path of its socket; likewise */
	bool		 volatile_ok;	/* "volatile": true */
	struct str	 log;
	struct str	 health;	/* path; empty: none */
	struct str	 metrics;	/* likewise */
	struct str	 providers_dir;	/* or empty */
	struct str	 services_dir;	/* or empty */
	struct str	 ca_file;	/* the courier's roots, or empty: Debian's */
	struct str	 secret_manager; /* URL of Google's, or empty: its own */
	struct str	 google_file;	/* by conf_settle(): "file:PATH" of the machine's
					 * credentials; empty: the metadata server's */
	struct str	 google_metadata; /* by conf_settle(): its host, or empty */
	struct str	 quarantine;	/* a directory, or empty: none */

	struct str	 handler_user;	/* "hooklatch" */
	struct str	 courier_user;	/* "hooklatch-courier" */
	struct str	 socket_group;	/* of the web server: "www-data" */

	uint64_t	 workers;	/* 0: one for each processor */
	uint64_t	 worker_memory;	/* bytes */
	uint64_t	 in_flight;	/* requests of one worker */
	uint64_t	 max_body;	/* bytes */
	uint64_t	 max_depth;	/* of JSON */
	uint64_t	 max_values;	/* of JSON */
	int64_t		 read_timeout;	/* ms for a whole request to arrive */
	int64_t		 max_deadline;	/* ms until 503, at most */
	uint64_t	 inbox_bytes;	/* pages in use + bodies + WAL */
	int64_t		 inbox_age;	/* ms that an event is kept; 0: for ever */
	int64_t		 inbox_keep;	/* ms in which none is removed for room */
	int64_t		 remember;	/* ms that an id is remembered, at least */
	uint64_t	 quarantine_requests;	/* refused ones that are kept */
	uint64_t	 quarantine_bytes;

	struct hook	*hooks;
	size_t		 nhooks;
	struct destination *destinations;
	size_t		 ndestinations;

	struct arena	*arena;		/* all the above lives here */
};

/*
 * Reads a configuration's text.  name stands in errors.  NULL and a sentence
 * with file:line:column otherwise.  Ended by conf_free(), which takes NULL.
 */
struct conf	*conf_read(struct str text, const char *name, struct err *);
/*
 * The same of what conf_gather() has gathered, with the services of one's own that are
 * in it.  path: as it was gathered from.
 */
struct conf	*conf_gathered(const struct bundle *, const char *path,
		    struct err *);
void		 conf_free(struct conf *);

/* NULL: there is none of that name. */
const struct destination *conf_destination(const struct conf *, struct str name);

/* One of a destination's "oauth1": CONF_OAUTH1 of them, NULL-ended. */
#define CONF_OAUTH1	4
extern const char *const conf_oauth1_names[CONF_OAUTH1 + 1];
struct str	 conf_oauth1(const struct destination *, const char *name);

/* The first, or only, text of a parameter; STR_NONE when it is not given. */
struct str	 conf_param(const struct hook *, enum hook_param);

/* Is it a key that a destination of any service has? */
bool		 conf_is_destination_key(struct str);

/* Does it begin like a secret as it is written: "env:", "file:", "gcp:", "plain:"? */
bool		 conf_is_reference(struct str);
/*
 * The NAME of "captured:NAME", a secret that a handshake brings and the courier
 * keeps; STR_NONE: it is another.
 */
struct str	 conf_captured(struct str written);

/* Does the bucket of "claim_check" want a token of Google's? */
bool		 conf_claim_google(const struct conf *);

/* Is there a secret that the courier has to fetch, for either half? */
bool		 conf_fetches(const struct conf *);

/* Does an event cross the wall to be kept? */
bool		 conf_keeps(enum inbox_kind);
/* Has a hook destinations?  Then the courier is needed, whatever the inbox. */
bool		 conf_delivers(const struct conf *);

/* Sets the inbox as it is written, and with it its kind and path. */
void		 conf_set_inbox(struct conf *, struct str written);

/*
 * The text that stands for the environment alone: one hook at "/" from PROVIDER
 * (default "secret-header"), SECRET, INBOX, INBOX_SECRET, DURABILITY, CLAIM_CHECK,
 * CLAIM_CHECK_TOKEN, PUBLIC_URL, VERIFY_TOKEN, PUBLIC_KEY,
 * and with PROVIDER also AUDIENCE, EMAIL, TOKEN.
 * getenv is a parameter so that tests need no environment.  No secret is in the
 * text, only its name ("env:SECRET").
 */
int	conf_from_environment(struct buf *text,
	    const char *(*get)(const char *name), struct err *);

/*
 * Everything that is not in the text: where the inbox is when the file does not
 * say, what Cloud Run (K_SERVICE) and a tmpfs change.  Called once after
 * conf_read() by each program; warnings go to warn, which may be NULL.
 */
struct conf_place {
	bool		 root;
	const char	*state_directory;	/* $STATE_DIRECTORY or NULL */
	const char	*runtime_directory;	/* $RUNTIME_DIRECTORY or NULL */
	const char	*xdg_state_home;	/* or NULL */
	const char	*home;			/* or NULL */
	bool		 cloud_run;		/* K_SERVICE is set */
	const char	*(*variable)(const char *name);	/* NULL: there are none */
	bool		(*is_tmpfs)(const char *path);	/* of its first
					 * directory that exists */
};
int	conf_settle(struct conf *, const struct conf_place *,
	    struct buf *warn, struct err *);
/* The variables of Google's that a destination goes by; NULL-ended. */
#define CONF_GOOGLE_VARIABLES	2
#define CONF_PUBSUB_EMULATOR	"PUBSUB_EMULATOR_HOST"
extern const char *const conf_google_variables[CONF_GOOGLE_VARIABLES + 1];
/* The place of this process. */
struct conf_place conf_here(void);

/* A file that reads back equal: every key with its value, defaults too. */
void	conf_print(struct buf *, const struct conf *);
void	conf_schema(struct buf *);	/* JSON Schema 2020-12 */
void	conf_manual(struct buf *);	/* the tables of hooklatch.json(5), mdoc */

/* Equal in every key. */
bool	conf_equal(const struct conf *, const struct conf *);

/* Whose secrets: the hooks', or what the courier fetches and delivers with. */
enum conf_half { HALF_NONE, HALF_ROAD, HALF_COURIER };

/*
 * Reads the file (NULL: the environment), the files of providers_dir and of
 * services_dir and every secret that the half names into a bundle: "conf",
 * "provider:...", "service:..." and "secret:...".  Who only looks needs no secret.
 */
struct bundle	*conf_gather(const char *path, enum conf_half, struct err *);

/* The providers' files of a directory alone, as "provider:ID". */
int	conf_gather_providers(struct bundle *, struct str dir, struct err *);

/* The nearest word of a NULL-ended list, or NULL when none is near. */
const char	*conf_nearest(struct str word, const char *const *words);

#endif
