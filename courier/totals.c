/* totals.c - see totals.h. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/os.h"
#include "../base/when.h"
#include "batch.h"
#include "totals.h"

/* Since when a destination's oldest delivery waits. */
struct oldest {
	struct oldest	*next;
	int64_t		 at;		/* ms since 1970, or 0 */
	size_t		 n;
	char		 destination[];
};

struct totals {
	pthread_mutex_t	 lock;
	struct stats	*stats;
	int		 workers;
	struct batch	*batch;		/* NULL: there is no inbox */
	struct oldest	*oldest;	/* as many as there are destinations */
};

static const struct str self[] = { STR("hooklatch-courier"), STR(VERSION) };

struct totals *
totals_new(void)
{
	struct totals *t = calloc(1, sizeof(*t));

	if (t == NULL || (t->stats = stats_new(STATS_COURIER)) == NULL) {
		free(t);
		return NULL;
	}
	pthread_mutex_init(&t->lock, NULL);
	stats_set(t->stats, STATS_BUILD, self, 1);
	stats_set(t->stats, STATS_START, STATS_NO_LABELS, (uint64_t)when_now());
	totals_reload(t, true);
	return t;
}

void
totals_free(struct totals *t)
{
	if (t == NULL)
		return;
	while (t->oldest != NULL) {
		struct oldest *o = t->oldest;

		t->oldest = o->next;
		free(o);
	}
	pthread_mutex_destroy(&t->lock);
	stats_free(t->stats);
	free(t);
}

void
totals_watch(struct totals *t, struct batch *b)
{
	pthread_mutex_lock(&t->lock);
	t->batch = b;
	pthread_mutex_unlock(&t->lock);
}

int
totals_take(struct totals *t, struct str series)
{
	int result;

	pthread_mutex_lock(&t->lock);
	result = stats_get(t->stats, series, true);
	pthread_mutex_unlock(&t->lock);
	return result;
}

void
totals_workers(struct totals *t, int more)
{
	pthread_mutex_lock(&t->lock);
	t->workers += more;
	pthread_mutex_unlock(&t->lock);
}

static void
count_event(struct stats *s, const struct put *p)
{
	struct str of[] = { p->event.hook, STR("other-body") };

	if (p->refusal != 0)
		return;			/* the worker counts why */
	if (p->stored.flags & STORED_REPEAT) {
		stats_add(s, STATS_REPEATS, of, 1);
		return;
	}
	stats_add(s, STATS_EVENTS, of, 1);
	if (p->stored.flags & STORED_OTHER_BODY)
		stats_add(s, STATS_MARKED, of, 1);
	of[1] = STR("other-id");
	if (p->stored.flags & STORED_OTHER_ID)
		stats_add(s, STATS_MARKED, of, 1);
}

void
totals_batch(struct totals *t, const struct puts *some, int64_t us)
{
	const struct put *p;

	pthread_mutex_lock(&t->lock);
	for (p = some->first; p != NULL; p = p->next)
		count_event(t->stats, p);
	stats_observe(t->stats, STATS_COMMIT_SECONDS, STATS_NO_LABELS, (uint64_t)us);
	stats_observe(t->stats, STATS_BATCH_EVENTS, STATS_NO_LABELS, some->n);
	pthread_mutex_unlock(&t->lock);
}

void
totals_reload(struct totals *t, bool ok)
{
	pthread_mutex_lock(&t->lock);
	stats_set(t->stats, STATS_RELOAD, self, ok);
	if (ok)
		stats_set(t->stats, STATS_RELOAD_TIME, self, (uint64_t)when_now());
	pthread_mutex_unlock(&t->lock);
}

/* --- deliveries ------------------------------------------------------------------ */

static struct str
word_of(enum outcome o)
{
	return o == OUTCOME_DONE ? STR("done") : o == OUTCOME_LATER ? STR("later") :
	    STR("dead");
}

void
totals_attempt(struct totals *t, struct str destination, enum outcome o, int64_t ms)
{
	const struct str of[] = { destination, word_of(o) };

	pthread_mutex_lock(&t->lock);
	stats_add(t->stats, STATS_ATTEMPTS, of, 1);
	stats_observe(t->stats, STATS_ATTEMPT_SECONDS, of, ms > 0 ? (uint64_t)ms : 0);
	pthread_mutex_unlock(&t->lock);
}

void
totals_delivery(struct totals *t, struct str destination, bool done)
{
	const struct str of[] = { destination,
	    word_of(done ? OUTCOME_DONE : OUTCOME_DEAD) };

	pthread_mutex_lock(&t->lock);
	stats_add(t->stats, STATS_DELIVERIES, of, 1);
	pthread_mutex_unlock(&t->lock);
}

static void
note_oldest(struct totals *t, struct str destination, int64_t at)
{
	struct oldest *o = t->oldest;

	while (o != NULL && !str_eq((struct str){ o->destination, o->n }, destination))
		o = o->next;
	if (o == NULL) {
		if ((o = calloc(1, sizeof(*o) + destination.n)) == NULL)
			return;
		memcpy(o->destination, destination.p, destination.n);
		o->n = destination.n;
		o->next = t->oldest;
		t->oldest = o;
	}
	o->at = at;
}

void
totals_waiting(struct totals *t, struct str destination, uint64_t waiting,
    int64_t oldest, uint64_t dead)
{
	pthread_mutex_lock(&t->lock);
	stats_set(t->stats, STATS_WAITING, &destination, waiting);
	note_oldest(t, destination, oldest);
	stats_set(t->stats, STATS_DEAD, &destination, dead);
	pthread_mutex_unlock(&t->lock);
}

/* --- shown ---------------------------------------------------------------------------- */

static void
look_at_inbox(struct stats *s, struct batch *b)
{
	struct batch_state now = batch_state(b);
	const char *why;

	stats_set(s, STATS_QUEUE, STATS_NO_LABELS, now.waiting);
	stats_set(s, STATS_QUEUE_OLDEST, STATS_NO_LABELS, (uint64_t)now.oldest);
	stats_set(s, STATS_INBOX_READY, STATS_NO_LABELS,
	    batch_health(b, 0, &why) == 0);
	stats_set(s, STATS_INBOX_ROOM, STATS_NO_LABELS, now.room);
}

static void
look_at_oldest(struct totals *t, int64_t now)
{
	for (const struct oldest *o = t->oldest; o != NULL; o = o->next) {
		struct str destination = { o->destination, o->n };

		stats_set(t->stats, STATS_WAITING_OLDEST, &destination,
		    o->at == 0 || o->at > now ? 0 : (uint64_t)(now - o->at));
	}
}

int
totals_say(struct totals *t, enum wire_counters how, struct err *e)
{
	struct buf out = BUF(STATS_TEXT_MAX);
	size_t at = 0;
	int fd = -1;

	pthread_mutex_lock(&t->lock);
	stats_set(t->stats, STATS_WORKERS, STATS_NO_LABELS, (uint64_t)t->workers);
	if (t->batch != NULL)
		look_at_inbox(t->stats, t->batch);
	look_at_oldest(t, when_now());
	if (how == COUNTERS_TEXT)
		stats_text(t->stats, &out);
	else
		stats_put(t->stats, &out, &at, STATS_TEXT_MAX);
	pthread_mutex_unlock(&t->lock);
	if (!buf_ok(&out))
		err_set(e, ERR_OS, "no memory for all that was counted");
	else
		fd = os_memfd("hooklatch-counters", buf_str(&out), e);
	buf_free(&out);
	return fd;
}
