/*
 * json.h - JSON, in the two ways we meet it.
 *
 * Of a request's body: json_scan() says whether it is well-formed by RFC 8259,
 * allocating nothing, within limits on depth and on the count of values; and
 * json_find() cuts the raw text of one value out of it.  No tree is built: a
 * library's tree would cost 200 times the body, keep the last of two equal
 * names silently, cut names at \u0000 and lose the digits of large numbers.
 *
 * Of files that we or the operator wrote (configuration, providers): json_read()
 * builds json-c's tree, comments allowed, and keeps where each value stands, so
 * that an error can say file:line:column.  json.c is json-c's home.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "arena.h"
#include "err.h"

/* --- a request's body ------------------------------------------------- */

enum json_kind {
	JSON_NONE, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY,
	JSON_OBJECT
};

struct json_limits {
	unsigned	depth;		/* nested { and [ */
	size_t		values;		/* of any kind */
};

enum json_state {
	JSON_OK, JSON_BROKEN, JSON_TOO_DEEP, JSON_TOO_MANY
};

/*
 * Well-formed, and nothing after it but white space.  Strict: no comments, no
 * BOM, valid UTF-8 (no overlong forms, no surrogates); \u escapes of surrogates
 * need not be paired (RFC 8259 section 8.2 allows them).  A depth over 1024 is
 * taken as 1024.  *at, if not NULL, is the offset of the first byte that is wrong.
 */
enum json_state	json_scan(struct str text, struct json_limits, size_t *at);

/*
 * The value at a path like "event.type", "items[0].id" or "[0].eventType".  A
 * name that itself holds dots is quoted in the path: "\"hub.challenge\"".  The
 * text has passed json_scan().  Gives its raw source text (a string without its
 * quotes, still escaped) and its kind; JSON_NONE when there is no such value or
 * when a name on the path occurs twice in its object: what is ambiguous is
 * absent.
 */
enum json_kind	json_find(struct str text, struct str path, struct str *raw);

/* Can a path of this form lead anywhere? */
bool		json_is_path(struct str path);

/* Is anything there, be it one or, by a name that occurs twice, ambiguous? */
bool		json_has(struct str text, struct str path);

/*
 * The elements of an array, one after the other: array is its raw text, *at begins
 * as 0.  Gives the kind and raw text of the next; JSON_NONE at the end.
 */
enum json_kind	json_next(struct str array, size_t *at, struct str *raw);

/*
 * A string's raw text without its escapes.  \u0000 becomes a NUL byte; a lone
 * surrogate becomes U+FFFD.  Without an escape it is raw itself.  .p is NULL at
 * the arena's limit.
 */
struct str	json_unescape(struct arena *, struct str raw);

/* --- our own and the operator's files ---------------------------------- */

struct json_doc;		/* the tree and the places of its values */
struct json_object;		/* json-c's */

/*
 * Reads a whole text; comments and nothing else beyond RFC 8259 are allowed.
 * name is for errors ("hooklatch.json").  A name twice in one object is an
 * error.  NULL and "name:line:column: ..." otherwise.  Ended by json_close().
 */
struct json_doc		*json_read(struct str text, const char *name,
			    struct err *);
void			 json_close(struct json_doc *);
const struct json_object *json_root(const struct json_doc *);

enum json_kind	json_kind(const struct json_object *);
struct str	json_text(const struct json_object *);	/* of a string */
int64_t		json_int(const struct json_object *);
bool		json_is_int(const struct json_object *);
bool		json_bool(const struct json_object *);
size_t		json_count(const struct json_object *);	/* members, elements */

/* NULL when there is none; a null that stands there is a JSON_NULL. */
const struct json_object *json_member(const struct json_object *,
		    const char *name);
const struct json_object *json_at(const struct json_object *, size_t i);
/* The i-th member in the file's order; *name is the tree's. */
const struct json_object *json_nth(const struct json_object *, size_t i,
		    struct str *name);

/* Its source text, comments and all: for what is handed on unread. */
struct str	json_source(const struct json_doc *, const struct json_object *);

/*
 * Where a value stands (or its name, when it is a member).  *w begins as { 0 }
 * and is carried from one call to the next: walking on costs only what lies
 * between, for those who ask about each of many.
 */
struct json_where {
	size_t		 at;
	size_t		 line;
	size_t		 column;
};
void	json_where(const struct json_doc *, const struct json_object *,
	    struct json_where *);

/*
 * An error at a value (or at its name, when the value is a member's):
 * "hooklatch.json:12:7: ...".  Always -1.
 */
int	json_err(const struct json_doc *, const struct json_object *,
	    struct err *, const char *fmt, ...)
	    __attribute__((format(printf, 4, 5)));

#endif
