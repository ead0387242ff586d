/*
 * letter.h - what is sent to a destination, made from an event: a template with words
 * in braces, and the key that it is signed with.
 *
 *	https://crm.example/orders/{body:order.id}?type={type}		a URL
 *	{provider} {event_id}						a header's value
 *	{"text": "{type}: {body:title}", "order": {body:order}}		a body of JSON
 *
 * Every value comes from somebody else, if from one who has proven who he is, so each
 * is written so that it stays a value: percent-encoded in a URL, whose host no word can
 * touch and whose path it cannot climb; without line ends in a header; escaped inside
 * of a string of JSON, a whole value outside of one.
 *
 * The words are those of the table in letter.c; docs/destinations.md lists them.  In a
 * URL and a header "{{" and "}}" stand for braces, in JSON inside of strings; outside
 * of them JSON's own braces need nothing, since no letter ever follows one.
 *
 * Pure: no clock, no file.
 */
#ifndef LETTER_H
#define LETTER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "event.h"

#define LETTER_TEXT	(64 * 1024)	/* bytes of a template */
#define LETTER_WORDS	64		/* in one template */
#define LETTER_URL_MAX	(8 * 1024)	/* bytes that come of it */
#define LETTER_HEADER_MAX (8 * 1024)
#define LETTER_JSON_MAX	(1 << 20)
#define LETTER_MEMORY	(32 << 20)	/* of an arena that letter_write() may fill */

enum letter_kind { LETTER_URL, LETTER_HEADER, LETTER_JSON };

/* What the words stand for.  All of it is the caller's. */
struct letter {
	const struct event *event;
	struct str	destination;	/* its name */
	uint64_t	attempt;	/* 1: the first */
	enum { LETTER_UNSEEN, LETTER_IS_JSON, LETTER_IS_NOT } body; /* seen once */
};

/*
 * Of the configuration: is it a template of that kind?  -1 and ERR_CONF with a sentence
 * for whoever wrote it.
 */
int	letter_check(struct str template, enum letter_kind, struct err *);

/*
 * Writes what it gives for one event, at most the buf's limit.  The arena holds values
 * meanwhile.  -1 and ERR_CONF when letter_check() would say so; ERR_DATA when this
 * event cannot be written so, however often; ERR_OS without memory.  No sentence holds
 * bytes of the event.
 */
int	letter_write(struct buf *, struct str template, enum letter_kind,
	    struct letter *, struct arena *, struct err *);

/* "host:port" of a URL, or of a template of one, as it is written there. */
struct str	letter_host(struct str url);

/* A URL that is one as it stands, "https://" or "http://", a host, no blank. */
bool	letter_is_url(struct str);

/*
 * Of a template of a URL: whom an ID token for it is made out to.  The URL without its
 * query; a path with words in it is not the same for all events, so there it is the host's.
 */
struct str	letter_audience(struct str url);

/* Printable, tabs, bytes above ASCII: what the value of a header may hold. */
bool	letter_is_value(struct str);

/*
 * May a destination set the header of that name?  Those cannot be set by which a
 * message says where it ends, or that are the connection's.
 */
int	letter_check_header(struct str name, struct err *);

/*
 * A key of Standard Webhooks, "whsec_BASE64" of 24 to 64 bytes: as bytes, which the
 * caller wipes.  The sentence holds nothing of it.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
#define LETTER_KEY_MAX	64
int	letter_key(struct str written, unsigned char key[LETTER_KEY_MAX], size_t *n,
	    struct err *);

#endif
