/*
 * auth_parts.h - what auth.c is made of: for it, auth_keys.c, auth_look.c and
 * auth_event.c, and nobody else.
 *
 *	auth_look.c	find the values that may hold a signature, take them apart by
 *			the form, expand what is signed
 *	auth_keys.c	texts, fetched bytes -> keys
 *	auth.c		whose key, does it fit, what else must hold -> verdict
 *	auth_event.c	a verdict -> what is stored
 */
#ifndef AUTH_PARTS_H
#define AUTH_PARTS_H

#include "auth.h"
#include "auth_jws.h"
#include "auth_key.h"
#include "auth_static.h"

#define GROUPS_MAX	8		/* of one request */
#define PIECES_MAX	64		/* of what is signed */

struct key {
	struct key	*next;
	struct str	 name;		/* "env:GITHUB_SECRET" */
	struct str	 bytes;		/* ours, wiped at the end */
	struct mac	*mac;
	struct pubkey	*pub;
	struct str	 kid;		/* ours: by which a token names it; or none */
	struct fixed	 fixed;
};

/* What one group of items gave. */
struct taken {
	struct str	 sigs[NUMBERED_MAX];	/* decoded */
	size_t		 nsigs;
	size_t		 most;			/* that may come */
	bool		 empty;			/* a signature of no bytes */
	bool		 doubled;		/* a name, or too many signatures */
	bool		 others;		/* a signature for somebody else */
	struct str	 captures[CAPTURES_MAX];
};

/* What a request is judged with. */
struct judge {
	const struct route *r;
	size_t		 alternative;
	const struct signature *s;
	struct request	*q;
	const struct keyring *ring;
	int64_t		 now;
	size_t		 tries;		/* signatures that may still be tried */
};

/* One value of the place, or one group of a value, taken apart. */
struct look {
	struct taken	 taken;
	struct jws	 jws;
	struct scope	 scope;
	struct str	 pieces[PIECES_MAX];	/* what is signed */
	size_t		 npieces;
};

extern const char auth_no_signature[];	/* nothing was there to be judged */

struct verdict	auth_refuse(enum verdict_code, const char *reason);

/* As an encoding says; false: it is not written so, or longer than size. */
bool	auth_decode(enum encoding, struct str text, void *out, size_t size, size_t *n);

/* The values that may hold the signature, as groups to be judged one by one. */
struct verdict	auth_find_groups(const struct signature *, struct request *,
		    struct str *groups, size_t *n);	/* GROUPS_MAX of them */
/* One group: "t=1,v1=ab,v1=cd" -> its names and signatures. */
void	auth_take_apart(const struct route *, struct request *, const struct form *,
	    struct str text, struct taken *);
/* VERDICT_GENUINE: so far nothing is wrong, and the look holds what is to be proven. */
struct verdict	auth_look_at(struct judge *, struct str group, struct look *);
/* Is it one of them, in constant time? */
bool	auth_equals_any(struct texts, struct str value);
/* A key of its own around a public one, which is taken over; kid: or STR_NONE. */
struct key	*auth_key_of(struct str name, struct pubkey *, struct str kid,
		    struct err *);
/* The list whose items are signed one by one; STR_NONE: the body has none. */
struct str	auth_items(const struct signature *, struct request *);

#endif
