/*
 * provider_words.h - how the words of a provider's file are read: provider.c,
 * provider_signature.c and provider_answer.c share it, deliver.c has the conditions
 * from it, and nobody else.
 *
 * A table of rows says which words an object may hold.  A row either reads its value
 * at once, or keeps it for the function that puts the object together: a template
 * can only be compiled when it is known what the form captures.  Every function
 * here gives -1 and "file:line:column: sentence".
 */
#ifndef PROVIDER_WORDS_H
#define PROVIDER_WORDS_H

#include "base/json.h"
#include "provider.h"

#define FILE_MEMORY	(512 * 1024)
#define WORDS_MAX	48		/* of one table */

struct reader {
	struct json_doc	*doc;
	struct provider	*p;
	struct arena	*a;
	struct err	*e;
};

/* A word that is a value. */
struct choice {
	const char	*name;
	unsigned	 value;
};
extern const struct choice body_words[];	/* enum body_kind */

/* What an editor is told of a value: provider_schema.c. */
enum shape {
	SHAPE_TEXT, SHAPE_TEXTS,	/* one, or one or a list */
	SHAPE_FLAG, SHAPE_COUNT, SHAPE_CHOICE, SHAPE_CHOICES,
	SHAPE_OBJECT, SHAPE_LIST,	/* of rows, a list of such */
	SHAPE_ONE_OR_LIST,		/* an object of rows, or a list of such */
	SHAPE_CHOICE_OR_OBJECT,
	SHAPE_MAP,			/* any names, and texts, numbers, true, false */
	SHAPE_ALGORITHM,		/* provider_algorithm() has them */
	SHAPE_KEYS,			/* key_source.h has them */
	SHAPE_PARAMS,			/* hook_param_names has them */
	SHAPE_EXAMPLES,			/* provider_examples.c has them */
	SHAPE_ANY,
};

struct row {
	const char	*name;
	/* Reads the value into base + into; NULL: keeps it there as it is. */
	int		(*read)(struct reader *, const struct json_object *,
			    void *base, const struct row *);
	size_t		 into;
	size_t		 count;		/* where a list's length goes */
	const struct choice *choices;
	enum shape	 shape;
	const struct row *rows;		/* of SHAPE_OBJECT and the like */
};

#define INTO(base, offset, type)	((type *)(void *)((char *)(base) + (offset)))
#define ROWS_END		{ NULL, NULL, 0, 0, NULL, SHAPE_ANY, NULL }

/* A row that reads at once, into a member; mostly of the word's name. */
#define READ_AS(name, type, member, read, choices, shape)		\
	{ name, read, offsetof(type, member), 0, choices, shape, NULL }
#define READ(type, word, read, choices, shape)				\
	READ_AS(#word, type, word, read, choices, shape)
#define TEXT(type, word)	READ(type, word, row_text, NULL, SHAPE_TEXT)
#define FLAG(type, word)	READ(type, word, row_flag, NULL, SHAPE_FLAG)
#define SECONDS(type, word)	READ(type, word, row_seconds, NULL, SHAPE_COUNT)
#define BYTES(type, word)	READ(type, word, row_bytes, NULL, SHAPE_COUNT)
#define CHOICE(type, word, choices)					\
	READ(type, word, row_choice, choices, SHAPE_CHOICE)
#define CHOICES(type, word, choices)					\
	READ(type, word, row_mask, choices, SHAPE_CHOICES)
/* Its length into "n" and the word. */
#define TEXTS(type, word)						\
	{ #word, row_texts, offsetof(type, word), offsetof(type, n##word),	\
	    NULL, SHAPE_TEXTS, NULL }

/* A row that keeps its value for whoever puts the object together. */
#define KEEP(type, word, shape)		KEEP_ROWS(type, word, shape, NULL)
#define KEEP_ROWS(type, word, shape, rows)				\
	{ #word, NULL, offsetof(type, word), 0, NULL, shape, rows }
#define KEEP_CHOICE(type, word, choices)				\
	{ #word, NULL, offsetof(type, word), 0, choices, SHAPE_CHOICE, NULL }

/* what: how an error names the object. */
int	rows_read(struct reader *, const struct json_object *, const char *what,
	    const struct row *, void *base);

/* Rows that read at once. */
int	row_text(struct reader *, const struct json_object *, void *base,
	    const struct row *);		/* struct str, not empty */
int	row_texts(struct reader *, const struct json_object *, void *base,
	    const struct row *);		/* one or a list: struct str *, size_t */
int	row_flag(struct reader *, const struct json_object *, void *base,
	    const struct row *);		/* bool */
int	row_seconds(struct reader *, const struct json_object *, void *base,
	    const struct row *);		/* int64_t, ms */
int	row_bytes(struct reader *, const struct json_object *, void *base,
	    const struct row *);		/* uint64_t */
int	row_choice(struct reader *, const struct json_object *, void *base,
	    const struct row *);		/* unsigned */
int	row_mask(struct reader *, const struct json_object *, void *base,
	    const struct row *);		/* unsigned: a list of choices */

int	word_expect(struct reader *, const struct json_object *, const char *name,
	    enum json_kind);
int	word_choose(struct reader *, const struct json_object *, struct str word,
	    const char *name, const struct choice *, unsigned *out);
int	word_copy(struct reader *, const struct json_object *, const char *name,
	    struct str *out);
int	word_count(struct reader *, const struct json_object *, const char *name,
	    int64_t most, int64_t *out);
int	word_template(struct reader *, const struct json_object *, const char *name,
	    const struct vocabulary *, struct template *out);
/* "body:id" alone, or a template around it. */
int	word_source(struct reader *, const struct json_object *, const char *name,
	    const struct vocabulary *, struct template *out);
extern const struct vocabulary plain_words;	/* places and parameters alone */

/* What else the hook must give, because a template names it. */
void	word_ask(struct reader *, const struct template *);

int	word_no_memory(struct reader *, const struct json_object *);
/* A sentence that somebody below has made, with the position it lacked. */
int	word_at(struct reader *, const struct json_object *);

/* Where a value stands: at most one of these words, and its value. */
struct raw_where {
	const struct json_object *header, *query, *field, *body, *claim, *item;
};
#define WHERE_ROW(type, word, shape)					\
	{ #word, NULL, offsetof(type, where.word), 0, NULL, shape, NULL }
#define WHERE_ROWS(type, shape)						\
	WHERE_ROW(type, header, shape), WHERE_ROW(type, query, shape),	\
	WHERE_ROW(type, field, shape), WHERE_ROW(type, body, shape),	\
	WHERE_ROW(type, claim, shape), WHERE_ROW(type, item, shape)
int	word_where(struct reader *, const struct raw_where *, const char **kind,
	    const struct json_object **v);
int	word_place(struct reader *, const struct json_object *, const char *kind,
	    struct place *);

/* "when": what a request must look like. */
int	word_when(struct reader *, const struct json_object *, struct condition **,
	    size_t *n);
/* That of a hook's "deliver": also the event's type, lists and patterns. */
int	word_filter(struct reader *, const struct json_object *, struct condition **,
	    size_t *n);

/* --- the parts --------------------------------------------------------------- */

extern const struct row provider_rows[], signature_rows[], time_rows[],
    answer_rows[], handshake_rows[];

/* "signature" and the "time" of them all. */
int	read_signatures(struct reader *, const struct json_object *signature,
	    const struct json_object *time);
/* "accepted", "refused", "malformed"; v NULL: the file does not say. */
int	read_accepted(struct reader *, const struct json_object *v);
int	read_answer(struct reader *, const struct json_object *v, const char *what,
	    int status, struct provider_answer *);
int	read_handshakes(struct reader *, const struct json_object *);

#endif
