/*
 * template.h - the small language of a provider's file.
 *
 * A place names one value of a request: "header:X-Sig", "query:hub.mode",
 * "field:payload", "body:event.type", and on from there by steps:
 * "field:payload->action", "header:X-Sig->base64->signature".  A template is text
 * with places, names and functions in braces: "v0:{time}:{body}".  Both are compiled
 * once, when a file is read, and then only looked up.  A template is expanded to
 * pieces, so that what is hashed is never put together first.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "auth_mac.h"
#include "conf.h"		/* enum hook_param */
#include "request.h"

/* --- places ------------------------------------------------------------------ */

enum place_kind {
	PLACE_HEADER, PLACE_QUERY, PLACE_FIELD,
	PLACE_BODY,		/* a path into the body's JSON; ".": all of the body */
	PLACE_TOKEN,		/* into the header of the token that is judged */
	PLACE_CLAIM,		/* into its claims */
	PLACE_ITEM,		/* into the item that is judged, see "each" */
};

/* On from a value: a path into it as JSON, or what it is the encoding of. */
struct step {
	enum { STEP_JSON, STEP_BASE64, STEP_BASE64URL, STEP_DECRYPT } kind;
	struct str	 path;		/* of STEP_JSON */
};

struct place {
	enum place_kind	 kind;
	struct str	 name;		/* a header's in lower case; a body's path */
	struct str	 written;	/* as the file has it: "X-Sig" */
	struct step	*steps;
	size_t		 nsteps;
};

enum place_found { PLACE_ABSENT, PLACE_FOUND, PLACE_DOUBLED };

/*
 * Compiles "header:NAME" and the like; name and the result live in the arena.
 * -1 and a sentence without a position: the caller knows where it stands.
 */
int		 place_read(struct place *, struct str text, struct arena *,
		    struct err *);

/*
 * The value.  Of JSON: a string without its escapes or the source text of a number,
 * true or false; null, objects and arrays are absent, and so is all of a text that
 * is not well-formed.  *kind, if not NULL, is JSON's kind of it.
 */
enum place_found place_get(const struct place *, struct request *q,
		    struct str *value, enum json_kind *kind);
/* The source text of a JSON value of any kind; JSON_NONE when there is none. */
enum json_kind	 place_source(const struct place *, struct request *q,
		    struct str *raw);
/* Of JSON: is anything there, of whatever kind, be it ambiguous? */
bool		 place_there(const struct place *, struct request *q);
/*
 * Of a place that is absent: is something there all the same that cannot be taken,
 * twice, an object, what no step leads into, one of more fields than are looked at?
 * null is nothing.
 */
bool		 place_unclear(const struct place *, struct request *q);
bool		 place_eq(const struct place *, const struct place *);
/* "header:", "claim:": how a file writes its kind. */
struct str	 place_prefix(const struct place *);
/* Does the other begin there: the same value, or one inside it? */
bool		 place_leads(const struct place *, const struct place *other);

/* --- templates ---------------------------------------------------------------- */

enum piece_op {
	PIECE_TEXT, PIECE_BODY, PIECE_METHOD, PIECE_URL, PIECE_URL_ALONE,
	PIECE_PATH, PIECE_QUERY, PIECE_FIELDS, PIECE_SECRET, PIECE_TIME,
	PIECE_NOW, PIECE_CAPTURE, PIECE_PARAM, PIECE_PLACE,
	PIECE_PAIRS, PIECE_COUNT,	/* see struct pairs */
	PIECE_NAME, PIECE_VALUE,	/* of one pair */
	PIECE_CALL			/* a function of other pieces */
};

struct piece {
	enum piece_op	 op;
	/*
	 * "{body:x?}", "{id:|body:x|;}": nothing when it is absent; with text around
	 * it also when it is empty.
	 */
	bool		 optional;
	bool		 segment;
	struct str	 before, after;	/* of a segment */
	struct str	 text;		/* of PIECE_TEXT */
	unsigned	 index;		/* of a capture, of pairs, or enum hook_param */
	struct place	 place;
	const struct function *function;
	struct piece	*args;		/* of PIECE_CALL */
	size_t		 nargs;
};

struct template {
	struct piece	*pieces;
	size_t		 n;
	bool		 json;		/* values are escaped for JSON strings */
};

/*
 * A list of names and values put together: one of "pairs" of a provider's file.
 * {pairs} in what is signed is each of them by its template, one after the other.
 */
struct pairs {
	struct str	 as;		/* its name in templates: "pairs" */
	enum { PAIRS_FIELDS, PAIRS_QUERY, PAIRS_HEADERS } from;
	struct template	 named;		/* of headers: the list of their names ... */
	char		 split;		/* ... and what separates them; ... */
	struct str	*must;		/* ... names that must be among them */
	size_t		 nmust;
	bool		 sorted;	/* by name, then value */
	bool		 distinct;	/* equal pairs count once */
	struct str	*except;	/* names that are passed over */
	size_t		 nexcept;
	struct template	 each;		/* of {name} and {value} */
	struct str	 join;		/* between them */
};

/* What a template may name, beside places: said by whoever compiles it. */
struct vocabulary {
	const struct str *captures;	/* names that the form captures */
	size_t		 ncaptures;
	bool		 time;		/* {time} is known */
	bool		 secret;	/* {secret} may be named */
	bool		 keyed;		/* functions that use the key may be */
	bool		 now;		/* {now} is known */
	const struct pairs *pairs;	/* their names are known, and {count} ... */
	size_t		 npairs;	/* ... of the first of them */
	bool		 pair;		/* {name} and {value} are known */
};

int		 template_read(struct template *, struct str text,
		    const struct vocabulary *, struct arena *, struct err *);

/* One of the language's own names, which a form may not capture. */
bool		 template_is_word(struct str name);

/* What a template sees while it is expanded. */
struct scope {
	struct request	*q;
	const struct texts *params;	/* PARAM_COUNT of them */
	const struct str *captures;	/* .p NULL: was not there */
	const struct pairs *pairs;	/* a signature's, or NULL */
	struct str	 time;		/* its text as sent; .p NULL: none */
	struct str	 now;		/* seconds since 1970; .p NULL: not known */
	struct str	 secret;	/* for {secret} */
	struct str	 key;		/* bytes, for functions that use the key */
	struct str	 name, value;	/* of one pair */
};

/*
 * pieces must have room for t->n.  A value that is not there makes it false;
 * *missing, if not NULL, is then the piece that could not be had.
 */
bool		 template_pieces(const struct template *, const struct scope *,
		    struct str *pieces, const struct piece **missing);

/* The same, put together in the request's arena; .p NULL when it cannot be. */
struct str	 template_text(const struct template *, const struct scope *);

/* Is there a piece, also as a function's argument, of which that is true? */
bool		 template_any(const struct template *,
		    bool (*is)(const struct piece *, const void *),
		    const void *);
/* Only where all of the piece's value counts: not inside {crc32(...)} or a length. */
bool		 template_keeps(const struct template *,
		    bool (*is)(const struct piece *, const void *),
		    const void *);
bool		 template_has(const struct template *, enum piece_op);
bool		 template_has_place(const struct template *, const struct place *);
bool		 template_uses_param(const struct template *, enum hook_param);
bool		 template_keyed(const struct template *);
/* Does any value of the request stand in it? */
bool		 template_echoes(const struct template *);
bool		 piece_is_of_request(const struct piece *, const void *unused);
/* Does {secret} stand in it, other than inside a hash? */
bool		 template_shows_secret(const struct template *);
/* Is it {source(...)} of a place that the other is inside of?  Of any? */
bool		 piece_is_source_of(const struct piece *, const void *place);
bool		 piece_is_source(const struct piece *);
/* Is it a place alone?  That place, or NULL. */
const struct place *template_place(const struct template *);
/* Is it a parameter alone?  enum hook_param, or -1. */
int		 template_param(const struct template *);

#endif
