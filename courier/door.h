/*
 * door.h - the courier's socket: who may say what, and the loop that listens.
 *
 *	who			may be
 *	the handler's user	a worker
 *	root, our own user	a worker or an operator, by its HELLO
 *	anybody else		gone
 *
 * The peer's uid is the kernel's word (SO_PEERCRED).  In a one-user set-up the
 * handler and the courier have one uid, and the door keeps nobody apart:
 * SECURITY.md says what that loses.  A peer that breaks the protocol is closed
 * and logged, not argued with.
 */
#ifndef COURIER_DOOR_H
#define COURIER_DOOR_H

#include <sys/types.h>

#include "delivery.h"
#include "errands.h"
#include "keys.h"
#include "reader.h"
#include "store.h"
#include "totals.h"
#include "vault.h"

#define DOOR_MOST	256		/* connections */
#define DOOR_LONG_MOST	256		/* bodies over EVENT_INLINE under way */

/* What main() has made before the loop begins; the loop owns none of it. */
struct door {
	int		 listener;
	int		 lifeline;	/* a pipe's end, or -1 */
	uid_t		 handler_uid;	/* (uid_t)-1: there is no such user */
	struct store	*store;		/* NULL: there is no inbox */
	struct readers	*readers;
	struct keys	*keys;
	struct delivery	*delivery;
	struct errands	*errands;
	struct vault	*vault;
	struct totals	*totals;
	struct log	*log;
	void		(*reload)(void *);	/* on SIGHUP */
	/* The vault has done with an ask of main()'s, which frees it. */
	void		(*fetched)(void *, struct vault_ask *);
	void		*arg;
};

/*
 * Serves until SIGTERM, SIGINT or the end of the lifeline; then what is under way
 * is committed and answered.  The signals must be blocked in all threads.
 */
int	door_run(struct door *, struct err *);

#endif
