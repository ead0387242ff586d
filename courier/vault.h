/*
 * vault.h - secrets that Google's Secret Manager keeps, "gcp:projects/P/secrets/S":
 * fetched for whoever reads the configuration, since only the courier goes out.
 *
 *	who asks			what for
 *	the courier itself		its half, at its start and at SIGHUP
 *	a master, or a worker that	secrets of hooks, by name, at its start and at
 *	has none			SIGHUP (WIRE_WANT_SECRET)
 *
 *	vault_give --> may he have it? --> a token (google.h) --> GET ...:access
 *	           --> the CRC-32C holds --> vault_take
 *
 * What a worker may ask for is what a hook names in the configuration as it is on disk at
 * that moment: one that was taken over hears no secret that it did not have already, and
 * nobody has to reload before another.  Nothing is kept here, so what is fetched is what
 * there is now.
 *
 * No connection, no whole answer, 408, 429, 5xx, a wrong CRC, no token: tried again for
 * VAULT_MS in all, doubling from VAULT_AGAIN_MS.  401: once with a new token.  Everything
 * else is the answer.  Each failure is a sentence that names the secret and says what to
 * do; no sentence holds a byte of what a secret is.
 * https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access
 */
#ifndef COURIER_VAULT_H
#define COURIER_VAULT_H

#include "../base/log.h"
#include "../bundle.h"
#include "../conf.h"

#define VAULT_MS	8000		/* for one ask; a serve waits 15 s for all */
#define VAULT_FETCH_MS	5000		/* for one request */
#define VAULT_AGAIN_MS	200
#define VAULT_AGAIN_MOST 1000
#define VAULT_AT_ONCE	16		/* requests */
#define VAULT_ASKS	256		/* that wait or are under way */
#define VAULT_SECRET	(64 * 1024)	/* bytes of a secret, as Google has it */

struct conn;

struct vault_ask {
	struct vault_ask *next;
	struct conn	*conn;		/* the door's; NULL: the courier's own */
	uint64_t	 ticket;
	struct str	 name;		/* that a worker wants; its memory is the ask's */
	struct conf	*conf;		/* the courier's own: settled, and what is */
	struct bundle	*bundle;	/* lacking is put into this */

	/* The outcome. */
	bool		 later;		/* it failed, and may do otherwise soon */
	struct err	 why;		/* ERR_NONE: there it is */
};

/* Of the courier's own configuration, both taken over.  NULL: no memory. */
struct vault_ask *vault_ask_own(struct conf *, struct bundle *);
/* Of a worker, by the configuration that is read then. */
struct vault_ask *vault_ask_new(struct conn *, uint64_t ticket, struct str name);
void		 vault_ask_free(struct vault_ask *);	/* wipes; takes NULL */

struct vault;

/* conf_path: as main() has it; outlives the vault.  ca_file: roots, or empty. */
struct vault	*vault_start(const char *conf_path, struct str ca_file, struct err *);
void		 vault_stop(struct vault *);	/* frees; takes NULL */

/* false: too many wait; the ask stays the caller's. */
bool		 vault_give(struct vault *, struct vault_ask *);
int		 vault_fd(const struct vault *);	/* readable: outcomes wait */
struct vault_ask *vault_take(struct vault *);	/* or NULL; the caller's to free */

/*
 * At a start: waits until the bundle, which stays the caller's, lacks nothing.  -1 and a
 * sentence.
 */
int		 vault_fill(struct vault *, struct conf *, struct bundle *, struct err *);

#endif
