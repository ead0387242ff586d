/*
 * str.h - bytes from outside are (pointer, length).
 *
 * A str is a view: somebody else owns the bytes, no NUL is assumed, and nothing
 * is copied to be compared.  Parsing is cutting views off views.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	const char	*p;
	size_t		 n;
};

/* Several, in order. */
struct texts {
	const struct str *v;
	size_t		 n;
};

#define STR(lit)	((struct str){ (lit), sizeof(lit) - 1 })
#define STR_NONE	((struct str){ NULL, 0 })	/* absent, not empty */
#define STR_ARG(s)	(int)(s).n, (s).p	/* for "%.*s"; s is taken twice */

/* A view of a C string; STR_NONE of NULL. */
struct str	str_of(const char *cstr);

bool		str_eq(struct str, struct str);
bool		str_eq_nocase(struct str, struct str);	/* ASCII letters only */

/*
 * Equal, in a time that tells nothing of the content (CRYPTO_memcmp).  The
 * length of what is compared is not hidden; that of a secret should be fixed
 * by hashing both sides first when it matters: see auth_static.c.
 */
bool		str_eq_secret(struct str, struct str);

bool		str_starts(struct str s, struct str prefix);
bool		str_starts_nocase(struct str s, struct str prefix);
bool		str_ends(struct str s, struct str suffix);

/* Orders by bytes, shorter first when one is the other's beginning. */
int		str_cmp(struct str, struct str);

/*
 * The part before sep, and *rest becomes what follows it.  When sep is not
 * there the whole is returned and *rest becomes STR_NONE: loop while
 * rest.p != NULL.
 */
struct str	str_cut(struct str *rest, char sep);

struct str	str_trim(struct str);		/* spaces and tabs at both ends */
struct str	str_skip(struct str, size_t n);	/* without its first n bytes */
struct str	str_head(struct str, size_t n);	/* at most its first n bytes */

/* Where c first stands, or -1. */
ptrdiff_t	str_find(struct str, char c);

/*
 * Digits only, no sign, no space, no overflow: false and *out untouched
 * otherwise.  A leading zero is allowed.
 */
bool		str_to_u64(struct str, uint64_t *out);

/* Printable ASCII: 0x20 to 0x7e, and at least one byte. */
bool		str_printable(struct str);

/* Is s like the pattern, in which "*" is any text, also none? */
bool		str_like(struct str s, struct str pattern);

/* How unlike two words are (Levenshtein distance, ASCII case folded). */
size_t		str_distance(struct str, struct str);

#endif
