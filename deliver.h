/*
 * deliver.h - a hook's "deliver": which destinations an event goes to.
 *
 * It is decided in the worker, beside the request: by the words of "when", which are
 * those of a provider's file and the event's type, lists and patterns besides.  The
 * courier is told names and keys, and stores them in the event's own transaction.
 */
#ifndef DELIVER_H
#define DELIVER_H

#include "condition.h"
#include "conf.h"
#include "event.h"

struct rule {
	struct str	 to;
	struct condition *when;		/* all must hold; none: always */
	size_t		 nwhen;
	bool		 keyed;		/* events go one after the other ... */
	struct place	 by;		/* ... by what stands here, .. */
	bool		 by_place;	/* .. or all of them */
	bool		 latest;
	uint32_t	 delay;		/* ms */
	enum forward_mode mode;
};

/*
 * The rules of a hook into the arena.  -1: a condition or a place is none, as
 * "file:line:column: sentence" without the hook's own place.
 */
int	deliver_compile(const struct conf *, const struct hook *, struct arena *,
	    struct rule **, size_t *n, struct err *);

/*
 * Those that fit, written by put_forward(), into the request's arena.  type: the
 * event's.  answers: may a destination say what is answered?  false: no memory.
 */
bool	deliver_choose(const struct rule *, size_t n, struct request *, struct str type,
	    bool answers, struct str *out);

#endif
