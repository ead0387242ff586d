/*
 * conf_parts.h - what the configuration is made of: for conf.c, conf_keys.c,
 * conf_values.c, conf_objects.c and conf_print.c, and nobody else.
 *
 *	conf_keys.c	the table of all keys, and the kinds of values they take:
 *			which fit, what errors, the schema and the manual call them
 *	conf_values.c	the families of kinds: how a number, a text, a list is read,
 *			printed, compared, described
 *	conf_objects.c	likewise what is an object, or may be
 *	conf.c		a file -> struct conf: its objects by the table, then what must
 *			hold between keys
 *	conf_print.c	the table -> a file, the JSON Schema, the manual
 *
 * A new key is a row of conf_keys.c.  A value like no other is a kind there, or a
 * family; conf.c and conf_print.c know neither by name.
 */
#ifndef CONF_PARTS_H
#define CONF_PARTS_H

#include "conf.h"
#include "base/buf.h"

/* One reading of a file. */
struct reader {
	struct conf	*c;		/* being filled; what is kept is in its arena */
	const struct bundle *own;	/* with services of one's own, or NULL */
	struct json_doc	*doc;
	struct err	*e;
};

/* --- keys --------------------------------------------------------------------- */

/*
 * An object of the file.  Its keys are the rows of its level; they land in one
 * struct: HOOK's in a hook, RETRY's in the destination around it.
 */
enum level { TOP, LIMITS, USERS, HOOK, DESTINATION, RETRY };
#define LEVEL_KEYS	64		/* of one level */

struct option {
	enum level	 level;
	const char	*name;
	const struct kind *kind;
	size_t		 at;		/* lands there ... */
	size_t		 size;
	const char	*preset;	/* NULL: not given is a value of its own */
	const char	*range;		/* "1 to 1g"; of a word "that or this" */
	const char	*means;
	size_t		 count_at;	/* of lists: their length lands there */
};
extern const struct option conf_options[];	/* ended by one without a name */

struct kind {
	const struct family *family;
	const char	*name;		/* in the manual: "size" */
	const char	*what;		/* in errors: "must be ..." */
	const char	*pattern;	/* in the schema; NULL: none */
	const struct unit *units;	/* of a number */
	bool		(*fits)(struct str *);	/* of texts; may normalise */
	/* Of a text that does not fit: -1 and a sentence of its own, or 0. */
	int		(*refuse)(struct reader *, const struct option *,
			    const struct json_object *);
	const char	*prefix;	/* cut off by fits(), printed again */
	enum level	 opens;		/* of a group or a map: whose keys it holds */
	const struct map *map;		/* of a map */
	bool		 secret;	/* never repeated in an error */
	bool		 alone;		/* of a list: it holds one text only */
	bool		 bare;		/* a number or a flag, never a text */
	bool		 obvious;	/* the manual need not tell its form */
};

struct unit {				/* first the plain one, then upwards */
	const char	*name;		/* "m"; NULL ends the list */
	uint64_t	 factor;
};

/* An object from names to things of one level, which land in an array. */
struct map {
	const char	*what;		/* "hook" */
	const char	*called;	/* what its name is: "path" */
	const char	*(*wrong)(struct str name);	/* "must be ...", or NULL */
	size_t		 size;		/* of the struct */
	size_t		 name_at;	/* both struct str */
	size_t		 where_at;
};

/* Of a destination, of a secret that is captured: also the name of a file. */
#define NAME_PATTERN	"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
bool	fits_name(struct str);
bool	fits_text(struct str *);	/* without control characters */
bool	fits_secret(struct str *);	/* a reference that is complete */

/* --- values ------------------------------------------------------------------- */

/* base: the struct that the row's level lands in. */
struct family {
	int	(*read)(struct reader *, const struct option *,
		    const struct json_object *, void *base);
	void	(*preset)(const struct option *, void *base);	/* NULL: zero is it */
	/* Is there a value to print?  What is not given has none, and no default. */
	bool	(*given)(const struct option *, const void *base);
	void	(*print)(struct buf *, const struct option *, const void *base,
		    unsigned depth);
	bool	(*equal)(const struct option *, const void *a, const void *b);
	void	(*schema)(struct buf *, const struct option *, unsigned depth);
	/* In the manual: */
	const char *bounds;		/* what leads in a range */
	bool	 form;			/* kind.what is its form */
	const struct element *of;	/* of lists */
};
extern const struct family
    family_number,		/* lands in bool, unsigned or uint64_t */
    family_flag,		/* true or false: lands in bool */
    family_word,		/* of two; the second lands as 1 */
    family_text,		/* lands in struct str */
    family_texts,		/* one or several: struct str * and size_t */
    family_nets,		/* one or several networks: struct cidr * and size_t */
    family_pairs,		/* an object of texts: struct pair * and size_t */
    family_provider,		/* a name, or an object that is kept as its text */
    family_deliver,		/* names of destinations, each with conditions or not */
    family_group,		/* an object that lands in the struct around it */
    family_map,			/* an object from names to objects: an array, size_t */
    family_editor;		/* for editors: read over */

/* What families share. */
bool	always(const struct option *, const void *base);	/* given */
int	text_take(struct reader *, const struct option *,
	    const struct json_object *, void *out);	/* into a struct str */
bool	text_given(const struct option *, const void *base);
void	schema_string(struct buf *, const struct kind *);

/* What a list is of.  Who reads and prints it otherwise needs no read and print. */
struct element {
	size_t	size;
	int	(*read)(struct reader *, const struct option *,
		    const struct json_object *, void *out);
	void	(*print)(struct buf *, const void *);
	bool	(*equal)(const void *, const void *);
};
void	list_get(const struct option *, const void *base, const void **all,
	    size_t *n);
void	list_put(const struct option *, void *base, const void *all, size_t n);
bool	list_given(const struct option *, const void *base);
bool	list_equal(const struct option *, const void *a, const void *b);

/* --- sentences ---------------------------------------------------------------- */

/* Text of the file as a sentence may repeat it: escaped and not too long. */
struct quoted { char p[160]; };
struct quoted	quoted(struct str);
/*
 * What a value is instead of what it should be; a number is its text, unless it
 * could be a secret.  The option may be NULL.
 */
struct quoted	instead(struct reader *, const struct option *,
		    const struct json_object *);
int	wrong_type(struct reader *, const struct option *,
	    const struct json_object *);
int	no_room(struct reader *);

/* --- objects ------------------------------------------------------------------ */

/* What a level is before its keys are read, and the groups in it. */
void	level_preset(enum level, void *base);
/* The members of one object, by the rows of its level. */
int	level_read(struct reader *, const struct json_object *, enum level,
	    void *base);

/* With its braces; a newline and depth tabs begin a line. */
void	level_print(struct buf *, enum level, const void *base, unsigned depth);
bool	level_equal(enum level, const void *a, const void *b);
/* What stands inside the braces of a schema. */
void	level_schema(struct buf *, enum level, unsigned depth);
void	indent(struct buf *, unsigned depth);

#endif
