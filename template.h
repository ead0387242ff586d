/*
 * template.h - the small language of a provider's file.
 *
 * A place names one value of a request: "header:X-Sig", "query:hub.mode",
 * "field:payload", "body:event.type".  A template is text with places, names and
 * functions in braces: "v0:{time}:{body}".  Both are compiled once, when a file
 * is read, and then only looked up.  A template is expanded to pieces, so that
 * what is hashed is never put together first.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "auth_mac.h"
#include "conf.h"		/* enum hook_param */
#include "request.h"

enum place_kind { PLACE_HEADER, PLACE_QUERY, PLACE_FIELD, PLACE_BODY };

struct place {
	enum place_kind	 kind;
	struct str	 name;		/* a header's in lower case; a body's path */
	struct str	 written;	/* as the file has it: "X-Sig" */
};

enum place_found { PLACE_ABSENT, PLACE_FOUND, PLACE_DOUBLED };

/*
 * Compiles "header:NAME" and the like; name and the result live in the arena.
 * -1 and a sentence without a position: the caller knows where it stands.
 */
int		 place_read(struct place *, struct str text, struct arena *,
		    struct err *);

/*
 * The value.  A body's is a string without its escapes or the source text of a
 * number, true or false; null, objects and arrays are absent, and so is all of a
 * body that is not well-formed.  *kind, if not NULL, is JSON's kind of it.
 */
enum place_found place_get(const struct place *, struct request *,
		    struct str *value, enum json_kind *kind);
bool		 place_eq(const struct place *, const struct place *);

enum piece_op {
	PIECE_TEXT, PIECE_BODY, PIECE_METHOD, PIECE_URL, PIECE_PATH, PIECE_QUERY,
	PIECE_FIELDS, PIECE_SECRET, PIECE_TIME, PIECE_CAPTURE, PIECE_PARAM,
	PIECE_PLACE
};

struct piece {
	enum piece_op	 op;
	const struct function *function;	/* of it, or NULL */
	bool		 optional;	/* "{body:x?}": nothing when absent */
	struct str	 text;		/* of PIECE_TEXT */
	unsigned	 index;		/* of a capture, or enum hook_param */
	struct place	 place;
};

struct template {
	struct piece	*pieces;
	size_t		 n;
	bool		 json;		/* values are escaped for JSON strings */
};

/* What a template may name, beside places: said by whoever compiles it. */
struct vocabulary {
	const struct str *captures;	/* names that the form captures */
	size_t		 ncaptures;
	bool		 time;		/* {time} is known */
	bool		 secret;	/* {secret} may be named */
	bool		 keyed;		/* functions that use the key may be */
};

int		 template_read(struct template *, struct str text,
		    const struct vocabulary *, struct arena *, struct err *);

/* One of the language's own names, which a form may not capture. */
bool		 template_is_word(struct str name);

/* What a template sees while it is expanded. */
struct scope {
	struct request	*q;
	const struct str *params;	/* PARAM_COUNT of them */
	const struct str *captures;	/* .p NULL: was not there */
	struct str	 time;		/* its text as sent; .p NULL: none */
	struct str	 secret;	/* for {secret} */
	struct str	 key;		/* bytes, for functions that use the key */
};

/*
 * pieces must have room for t->n.  A value that is not there makes it false;
 * *missing, if not NULL, is then the piece that could not be had.
 */
bool		 template_pieces(const struct template *, const struct scope *,
		    struct str *pieces, const struct piece **missing);

/* The same, put together in the request's arena; .p NULL when it cannot be. */
struct str	 template_text(const struct template *, const struct scope *);

/* Is there a piece of that kind (of body: also inside a function)? */
bool		 template_has(const struct template *, enum piece_op);
bool		 template_has_place(const struct template *, const struct place *);
bool		 template_uses_param(const struct template *, enum hook_param);
bool		 template_keyed(const struct template *);
/* Does any value of the request stand in it? */
bool		 template_echoes(const struct template *);

#endif
