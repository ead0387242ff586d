/*
 * service.h - a service is a file of data: what a destination that names one sends.
 *
 *	{ "service": "pubsub", "topic": "projects/p/topics/t" }
 *	--> services/pubsub.json --> the URL, body, token and answers of an http destination
 *
 * A file says, in JSON with comments:
 *
 *	name, docs	for people
 *	parameters	what the destination must give, by name: "means" for sentences,
 *			"form" with "*" for any text, "optional", and "words" where its
 *			text may hold letter.h's words (what holds none is not an event's)
 *	one_of		of these exactly one
 *	url, body	templates (letter.h) in which {param:NAME} is the parameter's text.
 *			A member of the body that wants one which is not given is left out,
 *			and so is an object that is empty by it
 *	google, scope	as those keys of a destination
 *	authorization	"oauth1": the destination must have that
 *	per_day		true: the destination must say how many a day, since each costs
 *	retry_at	a header of an answer 429 that says when to come again, in seconds
 *			since 1970
 *	emulator	a variable, "HOST:PORT" of a service on this machine: plain HTTP there,
 *			and no token
 *	answers		what counts for something else than its status says, first match:
 *			"status", "has" (a path into an answer of JSON; in it "LIST[]" is the
 *			entry of LIST whose "index" is the event's place), "equals", "is" (done,
 *			later, dead), "says"
 *	batch		events that are due travel in one request: "list" is the array of the
 *			body that has one element for each, "most" and "bytes" are its limits,
 *			"key" a member of which all in a request have the same, "done" a list in
 *			an answer of 2xx: who has no text in it at his place was not taken
 *
 * Where the URL begins with its own host the parameter "endpoint" stands for that.
 * Compiled in by script/embed-providers; an operator's own are "service:ID" in the bundle
 * and go first.  conf.c applies one as it reads.  Pure.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "conf.h"

#define SERVICE_MAX	(64 * 1024)	/* bytes of a file */

/*
 * Is it a file that says only what is above, and may it be called that?  -1 and
 * "name:line:column: sentence".  A parameter cannot be called like a key that all
 * destinations have.
 */
int	service_check(struct str id, struct str text, const char *name, struct err *);

/*
 * Is there a service of that name, and does it have such a parameter?  own: a bundle,
 * or NULL.
 */
bool	service_is(const struct bundle *own, struct str id);
bool	service_takes(const struct bundle *own, struct str id, struct str parameter);
/* "bigquery, cloud-run, ..." */
const char	*service_names(const struct bundle *own, char out[256]);

/*
 * Fills in url, body, google, scope, emulator and answers of a destination that names
 * one.  -1 and a sentence that says what is missing.
 */
int	service_apply(struct destination *, const struct bundle *own, struct arena *,
	    struct err *);

/* What script/embed-providers writes. */
struct service_text {
	struct str	 id;
	struct str	 text;
};
extern const struct service_text service_texts[];	/* sorted by id */
extern const size_t service_texts_count;

#endif
