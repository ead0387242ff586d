/* batch.c - see batch.h. */
#include <sys/eventfd.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/when.h"
#include "batch.h"
#include "bodies.h"
#include "checkpoint.h"
#include "retention.h"

#define LOG_STOP	(64u << 20)	/* a longer log is left to the next start */

#define TICK_MS		1000
#define LOCK_MS		3		/* between two tries for the lock */
#define LOCKED_MS	500		/* until health is told of it */
#define SETTLE_MS	250		/* between two tries to settle */
#define TIDY_MS		100		/* between two looks at retention */
#define PROBE		(1024 * 1024)	/* bytes that a disk must have again */

struct batch {
	struct inbox		*inbox;
	struct totals		*totals;
	struct log		*log;
	struct checkpoint	*checkpoint;
	pthread_t		 thread;
	int			 fd;		/* an eventfd */

	pthread_mutex_t		 lock;		/* of all until the empty line */
	pthread_cond_t		 work;
	struct puts		 queue;
	struct puts		 done;
	struct order		*orders;	/* in their order */
	struct order		**orders_end;
	void			(*forwarded)(void *);
	void			*forwarded_arg;
	bool			 stop;
	bool			 over;		/* the thread is at its end */
	enum wire_refusal	 refusal;	/* what a new event would get */
	const char		*why;
	int64_t			 since;		/* a batch is under way, or 0 */
	uint64_t		 room;		/* bytes below the limit */
	uint64_t		 want;		/* by a long body */
	int64_t			 patience;
	bool			 limits_new;
	struct inbox_limits	 limits;
	struct store_counters	 counters;

	/* The thread's own. */
	struct retention	 retention;
	int64_t			 tidy_at;
	uint64_t		 grown;		/* bytes since */
	int64_t			 settle_at;
	int64_t			 orders_at;	/* after a failure, not before */
	int64_t			 locked;	/* since, or 0 */
	int64_t			 tick_at;
	uint64_t		 asked;		/* want, taken */
	bool			 swept;		/* the files, at the start */
	bool			 disk_full;
	bool			 said;		/* why it cannot be settled */
	char			(*doubtful)[EVENT_ID_LEN + 1];	/* files */
	size_t			 ndoubtful;
};

/* --- telling ------------------------------------------------------------------- */

static void
tell(struct batch *b, struct puts *some)
{
	static const uint64_t one = 1;
	bool first;

	if (some->first == NULL)
		return;
	pthread_mutex_lock(&b->lock);
	first = b->done.first == NULL;
	puts_move(&b->done, some);
	if (first && write(b->fd, &one, sizeof(one)) != sizeof(one))
		abort();	/* an eventfd with room always takes it */
	pthread_mutex_unlock(&b->lock);
}

/* --- what others ask --------------------------------------------------------- */

bool
batch_give(struct batch *b, struct put *p)
{
	bool fits;

	pthread_mutex_lock(&b->lock);
	fits = b->queue.bytes + p->n <= BATCH_QUEUE;
	if (fits) {
		puts_add(&b->queue, p);
		if (b->queue.first == p)
			pthread_cond_signal(&b->work);
	}
	pthread_mutex_unlock(&b->lock);
	return fits;
}

void
batch_written(void *arg, struct put *p)
{
	struct batch *b = arg;
	struct puts one;

	if (p->refusal != 0) {
		puts_init(&one);
		puts_add(&one, p);
		tell(b, &one);
		return;
	}
	pthread_mutex_lock(&b->lock);
	puts_add(&b->queue, p);
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
}

void
batch_order(struct batch *b, struct order *o)
{
	bool over;

	o->next = NULL;
	pthread_mutex_lock(&b->lock);
	if (!(over = b->stop || b->over)) {
		*b->orders_end = o;
		b->orders_end = &o->next;
		pthread_cond_signal(&b->work);
	}
	pthread_mutex_unlock(&b->lock);
	if (over)
		o->written(o, false);
}

void
batch_watch(struct batch *b, void (*forwarded)(void *), void *arg)
{
	pthread_mutex_lock(&b->lock);
	b->forwarded = forwarded;
	b->forwarded_arg = arg;
	pthread_mutex_unlock(&b->lock);
}

int
batch_fd(const struct batch *b)
{
	return b->fd;
}

void
batch_take(struct batch *b, struct puts *out)
{
	uint64_t n;

	puts_init(out);
	pthread_mutex_lock(&b->lock);
	if (read(b->fd, &n, sizeof(n)) == sizeof(n))
		puts_move(out, &b->done);
	pthread_mutex_unlock(&b->lock);
}

enum wire_refusal
batch_health(struct batch *b, uint64_t size, const char **why)
{
	enum wire_refusal r;
	int64_t now = when_steady();

	pthread_mutex_lock(&b->lock);
	r = b->refusal;
	*why = b->why;
	if (r == 0 && b->since != 0 && now - b->since > 2 * TICK_MS) {
		r = REFUSED_BUSY;
		*why = "the disk does not answer";
	} else if (r == 0 && size > b->room) {
		r = REFUSED_BUSY;
		*why = "the inbox has no room for it";
	}
	if (size > b->want)
		b->want = size;
	pthread_mutex_unlock(&b->lock);
	return r;
}

void
batch_limit(struct batch *b, const struct inbox_limits *l, int64_t patience)
{
	pthread_mutex_lock(&b->lock);
	b->limits = *l;
	b->limits_new = true;
	b->patience = patience;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
}

struct store_counters
batch_counters(struct batch *b)
{
	struct store_counters c;

	pthread_mutex_lock(&b->lock);
	c = b->counters;
	pthread_mutex_unlock(&b->lock);
	return c;
}

struct batch_state
batch_state(struct batch *b)
{
	struct batch_state now;

	pthread_mutex_lock(&b->lock);
	now.waiting = b->queue.n;
	now.oldest = b->queue.first == NULL ? 0 :
	    when_steady() - b->queue.first->arrived;
	now.room = b->room;
	pthread_mutex_unlock(&b->lock);
	return now;
}

/* What a new event would get from now on. */
static void
judge(struct batch *b)
{
	enum wire_refusal r = REFUSED_BUSY;
	const char *why;
	uint64_t bytes, room = UINT64_MAX;

	if (!inbox_sound(b->inbox)) {
		r = REFUSED_SYNC;
		why = "the inbox is being recovered";
	} else if (b->disk_full) {
		why = "the disk is full";
	} else if (b->retention.full) {
		why = "the inbox is full";
	} else if (checkpoint_full(b->checkpoint)) {
		why = "a reader holds the inbox's log";
	} else if (b->locked != 0
	    && when_steady() - b->locked > LOCKED_MS) {
		why = "somebody holds the inbox's lock";
	} else {
		r = 0;
		why = "";
	}
	bytes = inbox_limits_of(b->inbox)->bytes;
	if (bytes > 0)
		room = bytes > b->retention.used ? bytes - b->retention.used : 0;
	pthread_mutex_lock(&b->lock);
	b->refusal = r;
	b->why = why;
	b->room = room;
	pthread_mutex_unlock(&b->lock);
}

/*
 * Removes the file of an event that got no row, unless there is one: that of the
 * same event sent before.  While nothing can be asked, its id is kept for later;
 * without memory the sweep at the next start does it.
 */
static void
drop_file(struct batch *b, const char *id)
{
	struct err e;
	bool known = true;
	void *more;
	int dir;

	if (inbox_sound(b->inbox)) {
		if (inbox_has_file(b->inbox, id, &known, &e) == INBOX_OK && !known
		    && (dir = bodies_dir(b->inbox, &e)) != -1) {
			bodies_remove(dir, id);
			close(dir);
		}
		return;
	}
	more = realloc(b->doubtful, (b->ndoubtful + 1) * sizeof(*b->doubtful));
	if (more == NULL)
		return;
	b->doubtful = more;
	memcpy(b->doubtful[b->ndoubtful++], id, EVENT_ID_LEN + 1);
}

static void
drop_doubtful(struct batch *b)
{
	while (b->ndoubtful > 0 && inbox_sound(b->inbox))
		drop_file(b, b->doubtful[--b->ndoubtful]);
	if (b->ndoubtful == 0) {
		free(b->doubtful);
		b->doubtful = NULL;
	}
}

static void
refuse(struct batch *b, struct puts *some, enum wire_refusal r, const char *why)
{
	struct put *p;

	for (p = some->first; p != NULL; p = p->next) {
		p->refusal = r;
		p->why = why;
		if (p->is_long)
			drop_file(b, p->event.id);
	}
	pthread_mutex_lock(&b->lock);
	b->counters.refused += some->n;
	pthread_mutex_unlock(&b->lock);
	tell(b, some);
}

/* All that waits, or what has waited longer than its patience. */
static void
refuse_queue(struct batch *b, bool all, enum wire_refusal r, const char *why)
{
	struct puts some;
	int64_t now = when_steady();

	puts_init(&some);
	pthread_mutex_lock(&b->lock);
	while (b->queue.first != NULL
	    && (all || now - b->queue.first->arrived >= b->patience))
		puts_add(&some, puts_pop(&b->queue));
	pthread_mutex_unlock(&b->lock);
	refuse(b, &some, r, why);
}

/* --- between batches -------------------------------------------------------------- */

static void
nap(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static void
failed(struct batch *b, enum inbox_code code, const struct err *e)
{
	if (code == INBOX_FULL) {
		if (!b->disk_full)
			log_say(b->log, LOG_ERROR_, "%s; events are refused until "
			    "there is room", e->text);
		b->disk_full = true;
	} else {
		log_say(b->log, LOG_ERROR_, "%s; events are refused until it is "
		    "recovered", e->text);
		inbox_doubt(b->inbox);
	}
}

/* Deliveries may be due that were not. */
static void
tell_watcher(struct batch *b)
{
	void (*forwarded)(void *);
	void *arg;

	pthread_mutex_lock(&b->lock);
	forwarded = b->forwarded;
	arg = b->forwarded_arg;
	pthread_mutex_unlock(&b->lock);
	if (forwarded != NULL)
		forwarded(arg);
}

/* Makes it sound again; INBOX_OK when it is. */
static enum inbox_code
settle(struct batch *b, struct err *e)
{
	enum inbox_code code;
	unsigned removed;

	b->settle_at = when_steady() + SETTLE_MS;
	code = inbox_settle(b->inbox, e);
	if (code == INBOX_OK && !b->swept) {
		if ((code = bodies_sweep(b->inbox, &removed, e)) != INBOX_OK)
			inbox_doubt(b->inbox);
		else if (removed > 0)
			log_say(b->log, LOG_INFO_, "removed %u bodies without "
			    "their events", removed);
		b->swept = code == INBOX_OK;
	}
	if (code == INBOX_OK) {
		checkpoint_reset(b->checkpoint);
		drop_doubtful(b);
		tell_watcher(b);	/* of a batch that was refused, and is there */
		b->disk_full = false;
		if (b->said)
			log_say(b->log, LOG_INFO_, "the inbox is sound again");
	} else if (!b->said) {
		log_say(b->log, LOG_ERROR_, "%s; events are refused until it is "
		    "recovered", e->text);
	}
	b->said = code != INBOX_OK;
	return code;
}

/* The disk was full: is there room again?  Asked of the disk, not of an event. */
static void
probe(struct batch *b)
{
	struct err e;
	uint64_t left;
	int dir, fd;

	if ((dir = bodies_dir(b->inbox, &e)) == -1)
		return;
	fd = openat(dir, ".probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd != -1) {
		if (posix_fallocate(fd, 0, PROBE) == 0) {
			b->disk_full = false;
			log_say(b->log, LOG_INFO_, "the disk has room again");
		}
		close(fd);
		unlinkat(dir, ".probe", 0);
	}
	close(dir);
	if (b->disk_full)
		inbox_checkpoint(b->inbox, SQLITE_CHECKPOINT_TRUNCATE, &left, &e);
}

/* --- a batch ------------------------------------------------------------------------ */

static void
take_queue(struct batch *b, struct puts *some)
{
	pthread_mutex_lock(&b->lock);
	while (b->queue.first != NULL && some->n < BATCH_EVENTS
	    && some->bytes < BATCH_BYTES)
		puts_add(some, puts_pop(&b->queue));
	b->since = when_steady();
	pthread_mutex_unlock(&b->lock);
}

#define ORDERS	1024		/* in one transaction */

static struct order *
take_orders(struct batch *b)
{
	struct order *first, *last;
	unsigned n = 1;

	pthread_mutex_lock(&b->lock);
	first = last = when_steady() >= b->orders_at ? b->orders : NULL;
	while (last != NULL && last->next != NULL && n++ < ORDERS)
		last = last->next;
	if (last != NULL) {
		b->orders_at = 0;
		if ((b->orders = last->next) == NULL)
			b->orders_end = &b->orders;
		last->next = NULL;
	}
	pthread_mutex_unlock(&b->lock);
	return first;
}

/* They were not written: before all others, the next time. */
static void
return_orders(struct batch *b, struct order *some)
{
	struct order *last = some;

	if (some == NULL)
		return;
	while (last->next != NULL)
		last = last->next;
	pthread_mutex_lock(&b->lock);
	if (b->orders == NULL)
		b->orders_end = &last->next;
	last->next = b->orders;
	b->orders = some;
	b->orders_at = when_steady() + SETTLE_MS;
	pthread_mutex_unlock(&b->lock);
}

static enum inbox_code
write_orders(struct batch *b, struct order *some, int64_t now, struct err *e)
{
	enum inbox_code code = INBOX_OK;

	for (; some != NULL && code == INBOX_OK; some = some->next)
		code = some->write(some, b->inbox, now, e);
	return code;
}

static void
end_orders(struct order *some, bool done)
{
	struct order *next;

	for (; some != NULL; some = next) {
		next = some->next;
		some->written(some, done);
	}
}

static enum inbox_code
put_all(struct batch *b, struct puts *some, int64_t now, bool *forwards,
    struct err *e)
{
	struct inbox_answer a;
	enum inbox_code code = INBOX_OK;
	struct put *p;

	for (p = some->first; p != NULL && code == INBOX_OK; p = p->next) {
		code = inbox_put(b->inbox, &p->event, now, &a, e);
		p->kept = a.kept;
		p->stored = a.stored;
		p->asked = a.asked;
		*forwards |= a.forwards > 0;
		p->refusal = a.refusal;
		p->why = a.refusal == 0 ? NULL
		    : a.refusal == REFUSED_REPLAY ? "its bytes came before under "
		    "another id" : "another event has its id";
	}
	return code;
}

/* The files, the counters, and the one warning of promise 4. */
static void
after(struct batch *b, struct puts *some)
{
	const struct put *p, *odd = NULL;
	struct store_counters *c = &b->counters;
	unsigned odds = 0;
	struct line l;

	pthread_mutex_lock(&b->lock);
	for (p = some->first; p != NULL; p = p->next) {
		if (p->refusal != 0)
			c->refused++;
		else if (p->stored.flags & STORED_REPEAT)
			c->repeats++;
		else
			c->events++;
		c->bytes += p->refusal == 0 ? p->event.size : 0;
		if (p->refusal == 0 && (p->stored.flags & STORED_OTHER_BODY)) {
			odd = p;
			odds++;
		}
	}
	c->batches++;
	if (c->largest < some->n)
		c->largest = some->n;
	b->since = 0;
	pthread_mutex_unlock(&b->lock);

	for (p = some->first; p != NULL; p = p->next)
		if (p->is_long && p->kept)
			inbox_files_add(b->inbox, (int64_t)p->event.size);
		else if (p->is_long)
			drop_file(b, p->event.id);
	if (odd != NULL) {
		line_begin(&l, b->log, LOG_WARN_, "other-body");
		line_str(&l, "message", STR("an event id that came before came "
		    "with other bytes; stored as a new event"));
		line_str(&l, "hook", odd->event.hook);
		line_str(&l, "event_id", odd->event.event_id);
		line_str(&l, "id", str_of(odd->event.id));
		line_num(&l, "in_this_batch", odds);
		line_end(&l);
	}
}

/* Nothing of the batch is true. */
static void
give_up(struct batch *b, struct puts *some, enum inbox_code code,
    const struct err *e)
{
	inbox_rollback(b->inbox);
	memset(&b->retention, 0, sizeof(b->retention));
	failed(b, code, e);
	pthread_mutex_lock(&b->lock);
	b->since = 0;
	pthread_mutex_unlock(&b->lock);
	if (code == INBOX_FULL)
		refuse(b, some, REFUSED_BUSY, "no room on the disk");
	else
		refuse(b, some, REFUSED_SYNC, "the inbox could not be synced");
}

static int64_t
steady_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
commit(struct batch *b, bool tidy)
{
	struct order *orders = NULL;
	bool forwards = false;
	struct puts some;
	struct err e;
	enum inbox_code code;
	int64_t now = when_now(), began = steady_us();
	unsigned rows;

	puts_init(&some);
	code = inbox_begin(b->inbox, &e);
	if (code == INBOX_LOCKED) {
		if (b->locked == 0)
			b->locked = when_steady();
		refuse_queue(b, false, REFUSED_BUSY,
		    "somebody holds the inbox's lock");
		nap(LOCK_MS);
		return;
	}
	b->locked = 0;
	if (code == INBOX_OK) {
		if (!b->retention.full && !checkpoint_full(b->checkpoint))
			take_queue(b, &some);
		orders = take_orders(b);
		code = put_all(b, &some, now, &forwards, &e);
	}
	if (code == INBOX_OK)
		code = write_orders(b, orders, now, &e);
	if (code == INBOX_OK && tidy) {
		rows = some.n > 32 ? (unsigned)some.n * 2 : 64;
		code = retention_run(b->inbox, &b->retention, now, rows, b->asked,
		    &e);
		b->tidy_at = when_steady() + TIDY_MS;
		b->grown = 0;
	}
#ifdef TEST_ANSWER_BEFORE_COMMIT	/* tests/kill.sh must notice */
	tell(b, &some);
	nap(LOCK_MS);
#endif
	if (code == INBOX_OK)
		code = inbox_commit(b->inbox, &e);
	if (code != INBOX_OK) {
		return_orders(b, orders);
		give_up(b, &some, code, &e);
		return;
	}
	if (some.n > 0) {
		b->disk_full = false;
		totals_batch(b->totals, &some, steady_us() - began);
	}
	b->grown += some.bytes;
	after(b, &some);
	tell(b, &some);
	end_orders(orders, true);
	if (forwards)
		tell_watcher(b);
	retention_committed(b->inbox, &b->retention);
}

static void
work(struct batch *b)
{
	int64_t now = when_steady();
	struct err e;
	uint64_t left;
	bool tidy = b->retention.more || now >= b->tidy_at
	    || b->grown > inbox_limits_of(b->inbox)->bytes / 32;

	if (!inbox_sound(b->inbox)
	    && (now < b->settle_at || settle(b, &e) != INBOX_OK)) {
		judge(b);
		refuse_queue(b, true, REFUSED_SYNC, "the inbox is being recovered");
		return;
	}
	if (now >= b->tick_at) {
		b->tick_at = now + TICK_MS;
		if (b->disk_full)
			probe(b);
		if (!inbox_in_place(b->inbox)) {
			err_set(&e, ERR_IO, "inbox %s: somebody has removed or "
			    "replaced it", inbox_path(b->inbox));
			failed(b, INBOX_DOUBT, &e);
			return;
		}
	}
	if (b->retention.full && tidy)		/* its log counts too */
		inbox_checkpoint(b->inbox, SQLITE_CHECKPOINT_TRUNCATE, &left, &e);
	commit(b, tidy);
	if (inbox_sound(b->inbox)
	    && checkpoint_turn(b->checkpoint, &e) != INBOX_OK)
		failed(b, INBOX_DOUBT, &e);
	judge(b);
	if (b->retention.full || checkpoint_full(b->checkpoint))
		refuse_queue(b, true, b->refusal, b->why);
}

/* With the lock held. */
static bool
orders_due(const struct batch *b)
{
	return b->orders != NULL && when_steady() >= b->orders_at
	    && inbox_sound(b->inbox);
}

/* Until there is something to do; false: it is time to stop. */
static bool
wait_for_work(struct batch *b)
{
	struct timespec until;
	int64_t ms = TICK_MS - 1;
	bool go_on;

	pthread_mutex_lock(&b->lock);
	if (b->queue.first == NULL && !orders_due(b) && !b->stop
	    && !b->retention.more) {
		if (b->locked != 0 || !inbox_sound(b->inbox) || b->orders != NULL)
			ms = SETTLE_MS;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += ms * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&b->work, &b->lock, &until);
	}
	if (b->limits_new) {
		inbox_limit(b->inbox, &b->limits);
		b->limits_new = false;
	}
	b->asked = b->want;
	b->want = 0;
	go_on = b->queue.first != NULL || !b->stop || orders_due(b);
	pthread_mutex_unlock(&b->lock);
	return go_on;
}

static void *
run(void *arg)
{
	struct batch *b = arg;
	struct order *orders;
	uint64_t left;
	struct err e;

	pthread_setname_np(pthread_self(), "batch");
	while (wait_for_work(b))
		work(b);
	pthread_mutex_lock(&b->lock);
	b->orders_at = 0;
	b->over = true;
	pthread_mutex_unlock(&b->lock);
	while ((orders = take_orders(b)) != NULL)
		end_orders(orders, false);
	checkpoint_stop(b->checkpoint);
	b->checkpoint = NULL;
	if (inbox_sound(b->inbox) && inbox_wal_bytes(b->inbox) < LOG_STOP)
		inbox_checkpoint(b->inbox, SQLITE_CHECKPOINT_TRUNCATE, &left, &e);
	return NULL;
}

/* --- its life ---------------------------------------------------------------------- */

struct batch *
batch_start(struct inbox *inbox, struct totals *totals, struct log *log,
    int64_t patience, struct err *e)
{
	struct batch *b = calloc(1, sizeof(*b));
	pthread_condattr_t attr;

	if (b == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	b->inbox = inbox;
	b->totals = totals;
	b->log = log;
	b->patience = patience;
	puts_init(&b->queue);
	puts_init(&b->done);
	b->orders_end = &b->orders;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->work, &attr);
	pthread_condattr_destroy(&attr);
	if ((b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
		err_set(e, ERR_OS, "eventfd: %s", strerror(errno));
		goto no;
	}
	if ((b->checkpoint = checkpoint_start(inbox, log, e)) == NULL
	    || settle(b, e) == INBOX_WRONG)
		goto no;
	judge(b);
	if (pthread_create(&b->thread, NULL, run, b) != 0) {
		err_set(e, ERR_OS, "no thread for the inbox");
		goto no;
	}
	return b;
no:
	checkpoint_stop(b->checkpoint);
	if (b->fd != -1)
		close(b->fd);
	free(b);
	return NULL;
}

void
batch_stop(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
}

void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	close(b->fd);
	free(b->doubtful);
	free(b);
}
