/*
 * codec.h - hex, base64, URL and form encodings, strictly.
 *
 * Decoders take the whole input or nothing: a wrong byte, a wrong length or
 * output that does not fit gives false.  Output goes to memory of the caller
 * whose size is given; decoded lengths come back in *n.
 * base64 is RFC 4648 section 4 with padding required; base64url section 5,
 * padding optional.  Both refuse non-zero trailing bits, so that one value has
 * one encoding.
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include "arena.h"

bool	hex_decode(struct str, void *out, size_t size, size_t *n);
bool	base64_decode(struct str, void *out, size_t size, size_t *n);
bool	base64url_decode(struct str, void *out, size_t size, size_t *n);

/* Encoders allocate in the arena; .p is NULL at its limit. */
struct str	hex_encode(struct arena *, struct str, bool upper);
struct str	base64_encode(struct arena *, struct str);
struct str	base64url_encode(struct arena *, struct str);	/* unpadded */

/* The same into BASE64_TEXT(n) bytes of the caller's, without a NUL. */
void		base64_print(char *out, struct str);
#define BASE64_TEXT(n)	(((n) + 2) / 3 * 4)

/* CRC-32C (Castagnoli), as iSCSI has it: RFC 3720, appendix B.4. */
uint32_t	crc32c(struct str);

/* The longest output that n input bytes can give. */
#define BASE64_ROOM(n)	(((n) / 4 + 1) * 3)
#define HEX_ROOM(n)	((n) / 2 + 1)

/*
 * %41 -> A, and '+' -> space when form is true (WHATWG URL, section 5.1).  A '%'
 * that is not followed by two hex digits stays as it is, as browsers do.
 */
struct str	url_decode(struct arena *, struct str, bool form);

/* Everything but letters, digits, '-', '.', '_', '~' as %XX. */
struct str	url_encode(struct arena *, struct str);

/*
 * Pairs of a query or of an application/x-www-form-urlencoded body, in order,
 * repeats kept, names and values decoded.  At most max pairs: more is -1, as is
 * the arena's limit.
 */
struct pair {
	struct str	name;
	struct str	value;
};
int	form_parse(struct arena *, struct str, size_t max,
	    struct pair **pairs, size_t *n);

#endif
