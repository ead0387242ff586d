/*
 * google.h - tokens of Google's: who the courier is when it calls Google's services, or
 * a service behind Google's front.
 *
 *	google_ask --> one is kept --> here
 *	           --> else fetched, by one fetch however many ask --> told()
 *
 * Where they come from is said by the credentials, which are the JSON that Google hands
 * out ("type" service_account, authorized_user, external_account), or without any by the
 * metadata server of the machine.  What is asked of whom:
 *
 *	service_account		its token_uri, with a JWT that its key signs (RFC 7523)
 *	authorized_user		the token endpoint, with its refresh token
 *	external_account	its subject token, from a file or a URL; with that its STS
 *				(RFC 8693); with that, where it says so, the account that
 *				it may act as
 *	none			http://metadata.google.internal
 *
 * A token is used until GOOGLE_EARLY before its end, or half of its life where that is
 * less.  If no new one can be had, the old one is used to its end.  It is in memory
 * only, and wiped.  What fails is a sentence without secrets.
 *
 * No thread of its own: all of it is called by the thread that owns the multi handle,
 * and told() comes from there.
 * https://cloud.google.com/docs/authentication/application-default-credentials
 */
#ifndef COURIER_GOOGLE_H
#define COURIER_GOOGLE_H

#include <curl/curl.h>

#include "../base/arena.h"
#include "../base/err.h"

#define GOOGLE_EARLY	300		/* s */
#define GOOGLE_KEPT	64		/* different tokens; the longest unused goes */
#define GOOGLE_MS	10000		/* for one request */
#define GOOGLE_ANSWER	(64 * 1024)	/* bytes of an answer */
#define GOOGLE_SCOPE	"https://www.googleapis.com/auth/cloud-platform"
#define GOOGLE_METADATA	"metadata.google.internal"

struct google;

struct google_want {
	bool		 id;		/* an ID token, not an access token */
	struct str	 audience;	/* of an ID token */
	struct str	 scope;		/* of an access token; empty: GOOGLE_SCOPE */
	struct str	 credentials;	/* JSON; empty: the metadata server's */
	struct str	 metadata;	/* its host; empty: GOOGLE_METADATA */
};

/* Who waits; his own memory, until told() or google_free(). */
struct google_waiter {
	struct google_waiter *next;
	/* token .p NULL: there is none, and e says why. */
	void		(*told)(struct google_waiter *, struct str token,
			    const struct err *e);
};

enum google_answer { GOOGLE_HERE, GOOGLE_WAIT, GOOGLE_NONE };

/* The multi handle outlives it; ca_file as transfer.h has it. */
struct google	*google_new(CURLM *, struct str ca_file);
/* Nobody who still waits is told.  Takes NULL. */
void		 google_free(struct google *);

/* *token is valid until the next call of any of these. */
enum google_answer google_ask(struct google *, const struct google_want *,
		    struct google_waiter *, struct str *token, struct err *);
/* That token was refused (401): whoever asks next gets another. */
void		 google_refused(struct google *, const struct google_want *,
		    struct str token);
/* A transfer of the multi handle is done.  false: it was none of ours. */
bool		 google_done(struct google *, CURL *, CURLcode);

#endif
