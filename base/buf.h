/*
 * buf.h - bytes being written, with a limit given at birth.
 *
 * Grows by doubling up to its limit.  Past the limit, or without memory, it
 * becomes bad and stays so: writers need no check on each line, the one who
 * uses the result asks buf_ok() once.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "str.h"

struct buf {
	char	*p;
	size_t	 n;		/* written */
	size_t	 cap;
	size_t	 limit;
	bool	 bad;
};

#define BUF(most)	((struct buf){ .limit = (most) })

void		buf_free(struct buf *);		/* and ready to be used again */
void		buf_wipe(struct buf *);		/* the same, of one that held secrets */
void		buf_reset(struct buf *);	/* empty, memory kept, not bad */
bool		buf_ok(const struct buf *);
struct str	buf_str(const struct buf *);

void		buf_put(struct buf *, struct str);
void		buf_putc(struct buf *, char);
void		buf_printf(struct buf *, const char *fmt, ...)
		    __attribute__((format(printf, 2, 3)));

void		buf_num(struct buf *, int64_t);	/* decimal */

/* Room for n bytes at the end, counted as written; NULL when bad. */
char		*buf_take(struct buf *, size_t n);

/* Drops the first n bytes. */
void		buf_drop(struct buf *, size_t n);

/*
 * The one way for hostile bytes into a log line, a page or a JSON text: a JSON
 * string with its quotes.  Control bytes, quotes and backslashes are escaped;
 * what is not UTF-8 becomes U+FFFD.
 */
void		buf_json(struct buf *, struct str);

#endif
