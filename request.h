/*
 * request.h - one webhook request as it came off the FastCGI socket.
 *
 * Every str in it points into the request's arena (the body: into its arena or
 * into its memfd's mapping) and dies with it.  Nothing here has been believed
 * yet: auth.h decides whether to.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "base/arena.h"
#include "base/codec.h"
#include "base/json.h"

#define REQUEST_HEADERS_MAX	200
#define REQUEST_PAIRS_MAX	1000	/* query or form fields */

struct header {
	struct str	name;		/* lower case, hyphens: "x-hub-signature" */
	struct str	value;
};

/* What was wrong before anybody looked at the content. */
enum request_fault {
	REQUEST_FINE,
	REQUEST_TOO_LARGE,	/* the body was not kept: 413 */
	REQUEST_NO_ROOM,	/* the worker's memory is taken: 503 */
	REQUEST_CUT,		/* body and CONTENT_LENGTH disagree: no answer */
	REQUEST_BAD,		/* no method, no target: 400 */
};

struct request {
	struct str	method;		/* "POST" */
	struct str	target;		/* REQUEST_URI, as sent */
	struct str	path;		/* target up to '?', as sent */
	struct str	query;		/* after '?', as sent; .n == 0 without */
	struct str	hook;		/* HOOKLATCH_HOOK of the web server, or
					 * .p NULL */
	struct str	content_type;	/* CONTENT_TYPE, as sent */
	struct str	metrics;	/* HOOKLATCH_METRICS of the web server: "1" */
	struct str	remote;		/* REMOTE_ADDR */
	struct str	tls_verify;	/* "SUCCESS", "NONE", "FAILED:..." or empty */
	struct str	tls_fingerprint; /* hex, as the web server computes it */
	struct str	request_id;	/* the web server's, or empty */
	struct header	*headers;	/* in order, repeated names kept */
	size_t		 nheaders;
	struct str	 body;		/* exact bytes: signatures cover these */
	int		 body_fd;	/* memfd that body is a mapping of, or -1 */
	bool		 has_length;	/* CONTENT_LENGTH was a number */
	uint64_t	 length;	/* that number */
	enum request_fault fault;

	struct arena	*arena;
	/* Filled when first asked for, by request_query() and request_form(). */
	struct pair	*queries;	/* .. parsed, or NULL */
	size_t		 nqueries;
	struct pair	*fields;
	size_t		 nfields;
	int		 query_state;	/* 0: not yet, 1: parsed, -1: cannot be */
	int		 form_state;
	bool		 has_files;	/* of a multipart body: not in fields */
	int		 json_state;
	struct json_limits json;	/* a route's; request_init(): the default */

	/* What is being judged, set by auth.c: places lead into it. */
	struct str	token;		/* a token's header, JSON */
	struct str	claims;		/* its payload, a JSON object */
	struct str	item;		/* one of a list, its JSON */
	struct str	key;		/* a route's: for what is encrypted with it */
	struct str	type;		/* the event's, once it is known */
};

/*
 * From FastCGI or CGI parameters ("NAME=value", NULL at the end).  Copies into
 * the arena.  The body is put in by the caller afterwards.  -1 when the arena or
 * REQUEST_HEADERS_MAX is reached.
 */
int	request_init(struct request *, struct arena *, char *const *envp);

/*
 * The value of a header, when it came exactly once.  *count, if not NULL, says
 * how often it came; STR_NONE when that is not 1.
 */
struct str	request_header(const struct request *, struct str lower_name,
		    size_t *count);
/* The i-th of that name; STR_NONE past the last. */
struct str	request_header_nth(const struct request *, struct str lower_name,
		    size_t i);

/* A query field, decoded, when it came exactly once; else as above. */
struct str	request_query(struct request *, struct str name, size_t *count);

int		request_queries(struct request *, struct pair **, size_t *n);

/* A field of a form body (urlencoded, or multipart without files). */
struct str	request_field(struct request *, struct str name, size_t *count);
int		request_fields(struct request *, struct pair **, size_t *n);

/*
 * Is the body well-formed JSON within q->json?  Scanned when first asked for:
 * before a body that nobody vouches for is looked into, and to judge it at last.
 */
bool	request_json(struct request *);

/* The kind of the body by its Content-Type. */
enum body_kind { BODY_JSON = 1, BODY_FORM = 2, BODY_MULTIPART = 4, BODY_OTHER = 8 };
enum body_kind	request_body_kind(const struct request *);

#endif
