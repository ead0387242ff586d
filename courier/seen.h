/*
 * seen.h - where in the table "seen" a key is: found at a cost that does not grow with
 * the inbox.
 *
 * Keys are hashes, so an index of theirs by SQLite changes a page or two somewhere for
 * each event: with ten million events, half of all that is written.  Rows of "seen"
 * are therefore only appended, and what finds them is appended too:
 *
 *	young	in memory, a hash table: what came since the last run
 *	run	SEEN_RUN entries of it, sorted, written once in the transaction of
 *		the event that made it full: 128 rows of seen_parts by the top bits of
 *		the hash, and a Bloom filter of it in seen_runs
 *
 * An entry is a hash and the row's n.  Most keys are new, and the filters, which are in
 * memory, say so without a look at the disk.  They stand across: a word has the
 * same bit of 64 runs, so that one look at eight words asks 64 filters.  2 bytes of
 * memory for an entry; of a run in which an entry is not, one in 2,000 says that it may
 * be (https://doi.org/10.1145/362686.362692).
 *
 * Nothing here is believed: who asks is given rows that may be the ones, and looks.
 * A row that is removed leaves its entries behind; a run whose rows are all gone
 * goes too.  All of it can be made anew from the rows, and "young" is, at a start.
 *
 * One thread, the one that writes, inside its transactions.  Results are SQLite's
 * codes.
 */
#ifndef COURIER_SEEN_H
#define COURIER_SEEN_H

#include <sqlite3.h>
#include <stdint.h>

#ifndef SEEN_RUN		/* tests have shorter ones */
#define SEEN_RUN	65536	/* entries of a run */
#endif

#define SEEN_KEY	16	/* bytes of a key: 128 bits of a SHA-256 */

struct seen;

/* The tables, for inbox.c's steps. */
extern const char seen_schema[];

/*
 * Reads what there is; writes runs, in transactions of its own, where there are more
 * rows than one holds, or runs that another build of this made.  The connection stays its owner's.  NULL and *rc.
 */
struct seen	*seen_open(sqlite3 *, int *rc);
void		 seen_close(struct seen *);		/* takes NULL */

/* The n of the next row. */
int64_t		 seen_next(struct seen *);

/*
 * What a row is found by: its key and digest together, then the key alone and its
 * bytes.  digest and bytes are NULL where it has none.  SEEN_KEY bytes each.
 */
int		 seen_add(struct seen *, int64_t n, const unsigned char *key,
		    const unsigned char *digest, const unsigned char *bytes);
uint64_t	 seen_hash(const unsigned char *key, const unsigned char *digest);

/*
 * The rows that may be those with this hash, the youngest first:
 *
 *	struct seen_walk w = seen_walk(s, hash);
 *	while ((rc = seen_step(&w)) == SQLITE_ROW && !wanted(w.n))
 *		;
 *	seen_stop(&w);
 */
struct seen_walk {
	struct seen	*seen;
	uint64_t	 hash;
	int64_t		 n;
	uint32_t	 young;		/* entry + 1 */
	size_t		 block;		/* + 1 */
	uint64_t	 runs;		/* of it, that may have it */
	sqlite3_stmt	*part;
	size_t		 at, end;	/* in it */
	int64_t		 first;		/* the run's, which its n count from */
};
struct seen_walk seen_walk(struct seen *, uint64_t hash);
int		 seen_step(struct seen_walk *);		/* SQLITE_ROW, _DONE, error */
void		 seen_stop(struct seen_walk *);

/* Before a commit, as its last writes; after it; or instead of it. */
int		 seen_commit(struct seen *);
void		 seen_committed(struct seen *);
void		 seen_rolled_back(struct seen *);

/* Rows were removed, in this transaction: what found nothing else goes with them. */
int		 seen_forget(struct seen *);

#endif
