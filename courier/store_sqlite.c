/* store_sqlite.c - see store_sqlite.h. */
#include <stdlib.h>

#include "batch.h"
#include "bodies.h"
#include "store_sqlite.h"

struct sqlite {
	struct store	 store;		/* first */
	struct batch	*batch;
	struct bodies	*bodies;
};

static struct sqlite *
of(const struct store *s)
{
	return (struct sqlite *)(uintptr_t)s;
}

static bool
give(struct store *s, struct put *p)
{
	if (!p->is_long)
		return batch_give(of(s)->batch, p);
	bodies_give(of(s)->bodies, p);
	return true;
}

static int
fd(const struct store *s)
{
	return batch_fd(of(s)->batch);
}

static void
take(struct store *s, struct puts *out)
{
	batch_take(of(s)->batch, out);
}

static enum wire_refusal
health(struct store *s, uint64_t size, const char **why)
{
	return batch_health(of(s)->batch, size, why);
}

static void
limit(struct store *s, const struct inbox_limits *l, int64_t patience)
{
	batch_limit(of(s)->batch, l, patience);
}

static struct store_counters
counters(struct store *s)
{
	return batch_counters(of(s)->batch);
}

static void
stop(struct store *s)
{
	bodies_stop(of(s)->bodies);
	batch_stop(of(s)->batch);
}

static void
sqlite_free(struct store *s)
{
	batch_free(of(s)->batch);
	free(of(s));
}

struct store *
store_sqlite(struct inbox *inbox, struct totals *totals, struct log *log,
    int64_t patience, struct err *e)
{
	static const struct store_kind kind = { give, fd, take, health, limit,
	    counters, stop, sqlite_free };
	struct sqlite *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	s->store.kind = &kind;
	if ((s->batch = batch_start(inbox, totals, log, patience, e)) == NULL)
		goto no;
	s->bodies = bodies_start(inbox, log, batch_written, s->batch, e);
	if (s->bodies == NULL) {
		batch_stop(s->batch);
		goto no;
	}
	return &s->store;
no:
	batch_free(s->batch);
	free(s);
	return NULL;
}

struct batch *
store_batch(struct store *s)
{
	return of(s)->batch;
}
