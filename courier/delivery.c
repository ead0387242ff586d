/* delivery.c - see delivery.h. */
#include <sys/eventfd.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/os.h"
#include "../base/when.h"
#include "bodies.h"
#include "delivery_parts.h"
#include "exec.h"
#include "http.h"
#include "sql.h"

#define EVENT_MEMORY	(4u << 20)	/* of one event's texts and body */
#define BUSY_MOST	1024		/* of one lane: under way, or not written down */
#define IDLE_MS		1000		/* between two looks, whatever happens */
#define AGAIN_MS	100		/* when a sender had no room */
#define CENSUS_MS	5000		/* between two countings of what waits */
#define CENSUS_MOST	100000		/* deliveries of one destination in it */
#define NEVER		INT64_MAX
#define DAY_MS		((int64_t)24 * 3600 * 1000)

#ifdef TEST_NO_COUNT_OF_BEFORE	/* tests/google.sh must notice */
#define COUNTED	false
#else
#define COUNTED	true
#endif

/* --- what others tell ---------------------------------------------------------- */

static void
ended(void *arg, struct attempt *a)
{
	struct delivery *d = arg;

	pthread_mutex_lock(&d->lock);
	a->next = d->ended;
	d->ended = a;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

static struct job *
job_of(struct order *o)
{
	return (struct job *)(void *)((char *)o - offsetof(struct job, order));
}

static enum inbox_code
write_down(struct order *o, struct inbox *inbox, int64_t now, struct err *e)
{
	struct job *j = job_of(o);
	struct ledger *l = inbox_ledger(inbox);
	int rc = j->asking != NULL ? asking_write(j, l, now) :
	    ledger_record(l, &j->attempt, j->state, j->due, j->tries);

	return inbox_code_of(inbox, rc, "writing an attempt down", e);
}

static void
written(struct order *o, bool done)
{
	struct job *j = job_of(o);
	struct delivery *d = j->delivery;

	j->noted = done;	/* if not, it is tried again: at least once */
	pthread_mutex_lock(&d->lock);
	j->attempt.next = NULL;
	j->order.next = d->written != NULL ? &d->written->order : NULL;
	d->written = j;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

void
delivery_wake(void *arg)
{
	struct delivery *d = arg;

	pthread_mutex_lock(&d->lock);
	d->awake = true;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

void
delivery_reload(struct delivery *d, struct half *half)
{
	pthread_mutex_lock(&d->lock);
	half_drop(d->next_half);
	d->next_half = half;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

bool
delivery_look(struct delivery *d, struct str name, struct delivery_lane *out)
{
	int64_t now = when_steady();
	bool found = false;

	*out = (struct delivery_lane){ 0 };
	pthread_mutex_lock(&d->lock);
	for (const struct lane *l = d->lanes; l != NULL; l = l->next)
		if (l->to != NULL && str_eq(l->name, name)) {
			found = true;
			out->running = l->running;
			out->closed_for = l->closed_until > now ?
			    l->closed_until - now : 0;
		}
	pthread_mutex_unlock(&d->lock);
	return found;
}

/* --- lanes ------------------------------------------------------------------------ */

static struct lane *
lane_of(struct delivery *d, struct str name)
{
	struct lane *l;

	for (l = d->lanes; l != NULL; l = l->next)
		if (str_eq(l->name, name))
			return l;
	if ((l = calloc(1, sizeof(*l) + name.n)) == NULL)
		return NULL;
	memcpy(l + 1, name.p, name.n);
	l->name = (struct str){ (const char *)(l + 1), name.n };
	l->next_due = NEVER;
	l->next = d->lanes;
	d->lanes = l;
	return l;
}

/* The lanes of the new half; one that it does not name waits. */
static void
take_half(struct delivery *d, struct half *half)
{
	pthread_mutex_lock(&d->lock);
	for (struct lane *l = d->lanes; l != NULL; l = l->next)
		l->to = NULL;
	for (size_t i = 0; i < half->conf->ndestinations; i++) {
		const struct destination *to = &half->conf->destinations[i];
		struct lane *l = lane_of(d, to->name);

		if (l == NULL)
			continue;
		l->to = to;
		l->look = true;
		l->failures = 0;
		l->closed_until = 0;
	}
	pthread_mutex_unlock(&d->lock);
	half_drop(d->half);
	d->half = half;
}

static struct str
row_key(const struct ledger_row *r)
{
	return r->keyed ? (struct str){ r->key, r->nkey } : STR_NONE;
}

/* Two that go one after the other. */
static bool
same_key(struct str a, struct str b)
{
	return a.p != NULL && b.p != NULL && str_eq(a, b);
}

/*
 * Is it under way, or another of its key?  The ledger leaves out what is not yet due by
 * the clock of its transaction; by ours that may be on its way already.
 */
static bool
is_busy(const struct lane *l, const struct ledger_row *r)
{
	for (const struct job *j = l->jobs; j != NULL; j = j->next)
		if (j->attempt.delivery == r->n || same_key(j->key, row_key(r)))
			return true;
	return false;
}

/* How many more may be begun now. */
unsigned
lane_room(const struct delivery *d, const struct lane *l, int64_t steady)
{
	uint64_t most = l->to->one_at_a_time ? 1 : l->to->concurrency;

	/* It counts requests, and one may carry many; others have room as well. */
	if (!l->to->one_at_a_time && l->to->batch.most > 1)
		most = DELIVERY_MOST / 8;

	if (l->closed_until > steady || d->running >= DELIVERY_MOST ||
	    d->bytes >= DELIVERY_MEMORY || l->njobs >= BUSY_MOST)
		return 0;
	/* One shows whether it is open again. */
	if (l->failures >= CIRCUIT_FAILURES)
		most = 1;
	return l->running < most ? (unsigned)most - l->running : 0;
}

static unsigned
dice(unsigned most)
{
	uint32_t n = 0;

	os_random(&n, sizeof(n));
	return n % most;
}

/* ms until try number "tries" (from 1) failed and is made again; a fifth either way. */
static int64_t
back_off(const struct destination *to, uint64_t tries)
{
	int64_t ms = to->retry_first;

	while (--tries > 0 && ms < to->retry_most)
		ms *= 2;
	if (ms > to->retry_most)
		ms = to->retry_most;
	return ms * (80 + dice(41)) / 100;
}

static void
lane_failed(struct delivery *d, struct lane *l, const struct destination *to,
    bool beside, int64_t retry_after)
{
	int64_t ms = 0;

	if (beside)
		return;
	l->failures++;
	if (l->failures >= CIRCUIT_FAILURES)
		ms = back_off(to, l->failures - CIRCUIT_FAILURES + 1);
	if (ms < retry_after)
		ms = retry_after;
	if (ms > CIRCUIT_MOST)
		ms = CIRCUIT_MOST;
	if (ms == 0)
		return;
	l->closed_until = when_steady() + ms;
	if (l->failures == CIRCUIT_FAILURES)
		log_say(d->log, LOG_WARN_, "destination %.*s failed %u times; it is "
		    "tried again from time to time", STR_ARG(l->name), l->failures);
}

static void
lane_answered(struct delivery *d, struct lane *l)
{
	if (l->failures >= CIRCUIT_FAILURES)
		log_say(d->log, LOG_INFO_, "destination %.*s answers again",
		    STR_ARG(l->name));
	l->failures = 0;
	l->closed_until = 0;
}

/* --- an attempt's end -------------------------------------------------------------- */

static void
tell(struct delivery *d, const struct job *j)
{
	const struct attempt *a = &j->attempt;
	struct line line;

	line_begin(&line, d->log, a->outcome == OUTCOME_DONE ? LOG_INFO_ : LOG_WARN_,
	    "delivery");
	line_str(&line, "id", str_of(a->event.id));
	line_str(&line, "hook", a->event.hook);
	line_str(&line, "destination", j->lane->name);
	line_str(&line, "state", str_of(delivery_state_name(j->state)));
	line_num(&line, "attempt", (int64_t)a->number);
	line_num(&line, "ms", a->took);
	if (a->code != -1)
		line_num(&line, "code", a->code);
	line_str(&line, "message", str_of(a->sentence));
	if (j->state == DELIVERY_WAITS)
		line_num(&line, "again_in_ms", j->due - when_now());
	line_end(&line);
}

/* What it comes to. */
static void
judge(struct delivery *d, struct job *j, bool stopping)
{
	struct attempt *a = &j->attempt;
	const struct destination *to = a->to;
	int64_t now = when_now(), wait, end = j->since + to->give_up;

	j->due = now;
	if (a->outcome == OUTCOME_LATER && stopping) {
		j->state = j->asking != NULL ? DELIVERY_MISSED : DELIVERY_WAITS;
		return;
	}
	j->tries++;
	if (j->given && a->outcome == OUTCOME_LATER)
		lane_failed(d, j->lane, to, a->beside, a->retry_after);
	else if (j->given)
		lane_answered(d, j->lane);
	j->state = a->outcome == OUTCOME_DONE ? DELIVERY_DONE : DELIVERY_DEAD;
	if (j->asking != NULL) {	/* whose next try is its sender's */
		if (j->state == DELIVERY_DEAD)
			j->state = DELIVERY_MISSED;
		return;
	}
	if (a->outcome != OUTCOME_LATER || now >= end ||
	    (to->tries > 0 && j->tries >= to->tries))
		return;
	j->state = DELIVERY_WAITS;
	wait = a->retry_after > 0 ? a->retry_after : back_off(to, j->tries);
	j->due = now + wait < end ? now + wait : end;
}

static void
attempt_ended(struct delivery *d, struct job *j, bool stopping)
{
	j->lane->running--;
	d->running--;
	judge(d, j, stopping);
#ifdef TEST_DONE_BEFORE_TRIED	/* and never takes it back */
	j->state = DELIVERY_DONE;
#endif
	/* Who is told 503 because we stop will ask again, and may have an answer then. */
	if (j->asking != NULL && (!stopping || j->state == DELIVERY_DONE))
		asking_judged(j);
	tell(d, j);
	totals_attempt(d->totals, j->lane->name, j->attempt.outcome, j->attempt.took);
	j->order.write = write_down;
	j->order.written = written;
	if (d->batch != NULL)
		batch_order(d->batch, &j->order);
	else
		written(&j->order, true);
}

static void
job_free(struct job *j)
{
	half_drop(j->half);
	attempt_free(&j->attempt);
}

static void
forget(struct delivery *d, struct job *j)
{
	struct job **at;

	for (at = &j->lane->jobs; *at != j; at = &(*at)->next)
		;
	*at = j->next;
	j->lane->njobs--;
	j->lane->look = true;
	d->bytes -= j->bytes;
	job_free(j);
}

/* --- an attempt's beginning ---------------------------------------------------------- */

static struct str
kept(struct arena *a, struct str s)
{
	return s.n == 0 ? STR("") : arena_str(a, s);
}

/* Opens the file of its body; 0, or errno. */
static int
open_body(struct delivery *d, struct event *ev)
{
	struct err e;
	int dir = bodies_dir(d->inbox, &e), why;

	if (dir == -1)
		return errno;
	ev->body_fd = openat(dir, ev->id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	why = ev->body_fd == -1 ? errno : 0;
	close(dir);
	return why;
}

/* A copy of the row's event; -1: no memory.  *why: errno of a body in a file, or 0. */
static int
take_row(struct delivery *d, struct attempt *a, sqlite3_stmt *st, int *why)
{
	struct inbox_row row;
	struct event *ev = &a->event;
	bool in_file;

	inbox_row_read(st, &row, &in_file);
	*ev = row.event;
	ev->hook = kept(a->arena, ev->hook);
	ev->provider = kept(a->arena, ev->provider);
	ev->event_id = kept(a->arena, ev->event_id);
	ev->event_type = kept(a->arena, ev->event_type);
	ev->method = kept(a->arena, ev->method);
	ev->target = kept(a->arena, ev->target);
	ev->remote = kept(a->arena, ev->remote);
	ev->scheme = kept(a->arena, ev->scheme);
	ev->secret = kept(a->arena, ev->secret);
	ev->request_id = kept(a->arena, ev->request_id);
	ev->trace = kept(a->arena, ev->trace);
	ev->headers = kept(a->arena, ev->headers);
	*why = 0;
	if (in_file) {
		ev->body = STR_NONE;
		*why = open_body(d, ev);
	} else {
		ev->body.p = sqlite3_column_blob(st, INBOX_BODY);
		ev->body.n = (size_t)sqlite3_column_bytes(st, INBOX_BODY);
		ev->body = kept(a->arena, ev->body);
	}
	return arena_full(a->arena) ? -1 : 0;
}

static struct job *
job_new(struct delivery *d, struct lane *l, const struct ledger_row *r,
    int64_t timeout)
{
	struct arena *arena = arena_new(EVENT_MEMORY);
	struct job *j = arena == NULL ? NULL : arena_alloc(arena, sizeof(*j));

	if (j == NULL) {
		arena_free(arena);
		return NULL;
	}
	j->attempt = (struct attempt){ .to = l->to, .secrets = d->half->bundle,
	    .event.body_fd = -1, .delivery = r->n, .number = r->made + 1,
	    .at = when_now(), .began = when_steady(), .code = -1,
	    .timeout = timeout < l->to->timeout ? timeout : l->to->timeout,
	    .output = BUF(ATTEMPT_OUTPUT), .arena = arena };
	j->delivery = d;
	j->lane = l;
	j->half = half_use(d->half);
	j->key = r->keyed ? kept(arena, row_key(r)) : STR_NONE;
	j->tries = r->tries;
	j->since = r->since;
	return j;
}

static bool
give(struct delivery *d, struct job *j)
{
	return j->attempt.to->kind == TO_EXEC ? exec_give(d->exec, &j->attempt) :
	    http_give(d->http, &j->attempt);
}

#ifdef TEST_DONE_BEFORE_TRIED	/* tests/kill.sh and tests/push.sh must notice */
static void
marked(struct order *o, bool done)
{
	(void)done;
	o->write = NULL;
}

static void
mark_done(struct delivery *d, struct job *j)
{
	attempt_say(&j->attempt, OUTCOME_DONE, 0, "marked");
	j->state = DELIVERY_DONE;
	j->order = (struct order){ .write = write_down, .written = marked };
	batch_order(d->batch, &j->order);
	while (__atomic_load_n(&j->order.write, __ATOMIC_ACQUIRE) != NULL)
		usleep(1000);
	usleep(20000);
}
#endif

/*
 * The event of an attempt.  1: it can be sent; 0: it cannot, and its outcome says why;
 * -1: it could not be looked at, which says nothing of it.
 */
static int
load(struct delivery *d, sqlite3 *db, uint64_t event, struct attempt *a)
{
	sqlite3_stmt *st = NULL;
	int rc, why = 0;
	bool there;

	rc = sqlite3_prepare_v2(db, "SELECT " INBOX_COLUMNS ", body FROM events"
	    " WHERE n = ?1", -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, (int64_t)event);
		rc = sqlite3_step(st);
	}
	there = rc == SQLITE_ROW;
	if (there && take_row(d, a, st, &why) == -1)
		rc = SQLITE_NOMEM;
	sqlite3_finalize(st);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return -1;
	if (there && why == 0)
		return 1;
	if (!there)
		attempt_say(a, OUTCOME_DEAD, -1, "the event is not in the inbox any "
		    "more");
	else if (why == ENOENT)
		attempt_say(a, OUTCOME_DEAD, -1, "the file of its body is missing");
	else
		attempt_say(a, OUTCOME_LATER, -1, "the file of its body cannot be "
		    "opened: %s", strerror(why));
	return 0;
}

bool
job_begin(struct delivery *d, struct lane *l, sqlite3 *db, const struct ledger_row *r,
    struct asking *asking, struct piece *piece, int64_t timeout)
{
	struct job *j = job_new(d, l, r, timeout);
	int whole;

	if (j == NULL)
		return false;
	j->asking = asking;
	j->piece = piece;
	if (piece != NULL)
		asking_prepare(j);
	whole = db != NULL ? load(d, db, r->event, &j->attempt) :
	    asking_event(j);
	if (whole == -1) {
		job_free(j);
		return false;
	}
	j->bytes = arena_used(j->attempt.arena);
	j->next = l->jobs;
	l->jobs = j;
	l->njobs++;
	l->running++;
	l->spent++;
	d->running++;
	d->bytes += j->bytes;
	if (whole == 0) {
		attempt_ended(d, j, false);
		return true;
	}
#ifdef TEST_DONE_BEFORE_TRIED
	mark_done(d, j);
#endif
	j->given = true;
	if (give(d, j))
		return true;
	l->running--;		/* its sender has too many: another time */
	l->spent--;
	d->running--;
	forget(d, j);
	return false;
}

static const char is_paused[] = "SELECT 1 FROM paused WHERE destination = ?1";

sqlite3_stmt *
delivery_query(sqlite3 *db, const char *sql, struct str name, int64_t now)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return NULL;
	sql_bind(st, 1, name);
	if (sqlite3_bind_parameter_count(st) > 1)
		sqlite3_bind_int64(st, 2, now);
	return st;
}

/* The number that a statement gives, 0 for none; false: it cannot be asked now. */
static bool
number(sqlite3 *db, const char *sql, struct str name, int64_t now, int64_t *out)
{
	sqlite3_stmt *st = delivery_query(db, sql, name, now);
	int rc = st == NULL ? SQLITE_ERROR : sqlite3_step(st);

	*out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

int
lane_paused(const struct lane *l, sqlite3 *db)
{
	int64_t paused;

	return number(db, is_paused, l->name, 0, &paused) ? paused != 0 : -1;
}

#define ROWS	64		/* of one look */

static void
take_due(sqlite3_stmt *st, struct ledger_row *r)
{
	const void *key = sqlite3_column_blob(st, 6);

	r->n = (uint64_t)sqlite3_column_int64(st, 0);
	r->event = (uint64_t)sqlite3_column_int64(st, 1);
	r->tries = (uint64_t)sqlite3_column_int64(st, 2);
	r->made = (uint64_t)sqlite3_column_int64(st, 3);
	r->since = sqlite3_column_int64(st, 4);
	r->due = sqlite3_column_int64(st, 5);
	r->keyed = sqlite3_column_type(st, 6) != SQLITE_NULL;
	r->nkey = (size_t)sqlite3_column_bytes(st, 6);
	if (r->nkey > sizeof(r->key))
		r->nkey = sizeof(r->key);
	if (r->nkey > 0)
		memcpy(r->key, key, r->nkey);
}

/* What is due and may go; false: it cannot be asked now. */
static bool
due_rows(struct lane *l, sqlite3 *db, int64_t now, unsigned most,
    struct ledger_row *rows, size_t *n)
{
	sqlite3_stmt *st = delivery_query(db, ledger_due_now, l->name, now);
	int rc = st == NULL ? SQLITE_ERROR : SQLITE_DONE;
	bool follows;

	*n = 0;
	if (st != NULL)		/* for each that is under way one may be passed by */
		sqlite3_bind_int64(st, 3, 2 * ((int64_t)l->njobs + most));
	while (st != NULL && *n < most && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct ledger_row *r = &rows[*n];

		take_due(st, r);
		follows = is_busy(l, r);
		for (size_t i = 0; i < *n && !follows; i++)
			follows = same_key(row_key(&rows[i]), row_key(r));
		*n += !follows;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/*
 * Attempts that were made since midnight, of a courier before this one too.  Those that
 * it was making when it was killed are not among them.
 */
static const char since_midnight[] =
    "SELECT count(*) FROM attempts JOIN deliveries ON deliveries.n = attempts.delivery"
    " WHERE deliveries.destination = ?1 AND attempts.at >= ?2";

/* How many of those may begin today; false: it cannot be asked now. */
static bool
today(struct lane *l, sqlite3 *db, int64_t now, unsigned *most)
{
	uint64_t left;
	int64_t n;

	if (l->to->per_day == 0)
		return true;
	if (l->day != now / DAY_MS) {
		if (!number(db, since_midnight, l->name, now - now % DAY_MS, &n))
			return false;
		l->day = now / DAY_MS;
		l->spent = (COUNTED ? (uint64_t)n : 0) + l->njobs;
	}
	left = l->spent < l->to->per_day ? l->to->per_day - l->spent : 0;
	if (*most > left)
		*most = (unsigned)left;
	return true;
}

static void
lane_spent(struct delivery *d, struct lane *l)
{
	if (l->told != l->day)
		log_say(d->log, LOG_WARN_, "destination %.*s has made the attempts of "
		    "today (per_day); what waits goes on at midnight UTC",
		    STR_ARG(l->name));
	l->told = l->day;
}

/* Begins what may be begun; the lane is looked at again when something changes. */
static void
look(struct delivery *d, struct lane *l)
{
	struct ledger_row rows[ROWS];
	unsigned free_ones = lane_room(d, l, when_steady());
	int64_t now = when_now(), next;
	struct err e;
	size_t n = 0, i = 0;
	sqlite3 *db;
	int paused;
	bool ok;

	if (free_ones == 0)
		return;		/* look stays: there may be room in a moment */
	/* If anything does not go well. */
	l->look = false;
	l->next_due = now + AGAIN_MS;
	if ((db = inbox_side_enter(d->side, &e)) == NULL)
		return;		/* it is being recovered */
	if (free_ones > ROWS)
		free_ones = ROWS;
	paused = lane_paused(l, db);
	ok = paused != -1 && today(l, db, now, &free_ones) && (paused == 1 ||
	    due_rows(l, db, now, free_ones, rows, &n)) &&
	    number(db, ledger_due_next, l->name, now, &next);
	for (i = 0; ok && i < n && job_begin(d, l, db, &rows[i], NULL, NULL,
	    INT64_MAX); i++)
		;
	inbox_side_leave(d->side);
	if (!ok || i < n)
		return;
	if (free_ones == 0) {
		lane_spent(d, l);
		l->next_due = now - now % DAY_MS + DAY_MS;
		return;
	}
	/* Was that all?  Then until the next is due. */
	l->look = n == free_ones;
	l->next_due = next > 0 ? next : NEVER;
}

/* For the metrics: what waits for its turn, since when, and what is dead. */
static const char waiting[] =
    "SELECT count(*), min(since) FROM (SELECT since FROM deliveries"
    " WHERE destination = ?1 AND state = 0 LIMIT ?2)";
static const char dead[] =
    "SELECT count(*) FROM (SELECT 1 FROM deliveries"
    " WHERE destination = ?1 AND state = 3 LIMIT ?2)";

static void
census(struct delivery *d)
{
	struct err e;
	sqlite3 *db;

	if (when_steady() < d->census_at || d->side == NULL)
		return;
	d->census_at = when_steady() + CENSUS_MS;
	for (struct lane *l = d->lanes; l != NULL; l = l->next) {
		uint64_t wait = 0;
		int64_t oldest = 0, kept;
		sqlite3_stmt *st;

		if ((db = inbox_side_enter(d->side, &e)) == NULL)
			return;
		st = delivery_query(db, waiting, l->name, CENSUS_MOST);
		if (st != NULL && sqlite3_step(st) == SQLITE_ROW) {
			wait = (uint64_t)sqlite3_column_int64(st, 0);
			oldest = sqlite3_column_int64(st, 1);
		}
		sqlite3_finalize(st);
		number(db, dead, l->name, CENSUS_MOST, &kept);
		inbox_side_leave(d->side);
		totals_waiting(d->totals, l->name, wait, oldest,
		    (uint64_t)kept);
	}
}

/* --- the thread ---------------------------------------------------------------------- */

/* ms until something is to be done that nobody tells us of. */
static int64_t
patience(const struct delivery *d)
{
	int64_t now = when_now(), steady = when_steady(), ms = IDLE_MS;

	for (const struct lane *l = d->lanes; l != NULL; l = l->next) {
		int64_t until = NEVER;

		if (l->to == NULL || d->side == NULL)
			continue;
		if (l->closed_until > steady)
			until = l->closed_until - steady;
		else if (l->next_due != NEVER)
			until = l->next_due > now ? l->next_due - now : 0;
		if (l->look && lane_room(d, l, steady) > 0)
			until = 0;
		if (until < ms)
			ms = until;
	}
	return d->asking_at - steady < ms ? d->asking_at - steady : ms;
}

/* With the lock held. */
static void
wait_for_work(struct delivery *d)
{
	struct timespec until;
	int64_t ms;

	if (d->ended != NULL || d->written != NULL || d->asked.first != NULL ||
	    d->spoken != NULL || d->awake || d->stop ||
	    d->next_half != NULL || (ms = patience(d)) <= 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&d->work, &d->lock, &until);
}

/* What was told; stopping: nothing more is begun. */
static void
take_told(struct delivery *d, bool stopping)
{
	struct attempt *done, *a;
	struct asking *spoken;
	struct job *noted, *j;
	struct puts asked;
	struct half *half;
	bool awake;

	puts_init(&asked);

	pthread_mutex_lock(&d->lock);
	if (!stopping)
		wait_for_work(d);
	done = d->ended;
	noted = d->written;
	half = d->next_half;
	awake = d->awake;
	spoken = d->spoken;
	puts_move(&asked, &d->asked);
	d->ended = NULL;
	d->written = NULL;
	d->spoken = NULL;
	d->next_half = NULL;
	d->awake = false;
	pthread_mutex_unlock(&d->lock);

	if (half != NULL)
		take_half(d, half);
	while ((a = done) != NULL) {
		done = a->next;
		attempt_ended(d, (struct job *)(void *)a, stopping);
	}
	while ((j = noted) != NULL) {
		noted = j->order.next != NULL ? job_of(j->order.next) : NULL;
		if (j->asking != NULL)
			asking_written(j);
		if (j->noted && (j->state == DELIVERY_DONE ||
		    j->state == DELIVERY_DEAD))
			totals_delivery(d->totals, j->lane->name,
			    j->state == DELIVERY_DONE);
		forget(d, j);
	}
	asking_spoken(spoken);
	asking_take(d, &asked);
	for (struct lane *l = d->lanes; awake && l != NULL; l = l->next)
		l->look = true;
}

static void *
run(void *arg)
{
	struct delivery *d = arg;
	bool stop = false;

	pthread_setname_np(pthread_self(), "delivery");
	while (!stop) {
		take_told(d, false);
		asking_turn(d);		/* somebody waits for those */
		for (struct lane *l = d->lanes; l != NULL; l = l->next) {
			if (l->next_due <= when_now()) {
				l->look = true;
				l->next_due = NEVER;
			}
			if (l->to != NULL && l->look && d->side != NULL)
				look(d, l);
		}
		census(d);
		pthread_mutex_lock(&d->lock);
		stop = d->stop;
		pthread_mutex_unlock(&d->lock);
	}
	return NULL;
}

/* --- its life -------------------------------------------------------------------------- */

struct delivery *
delivery_start(struct inbox *inbox, struct batch *batch, struct totals *totals,
    struct half *half, struct log *log, struct err *e)
{
	struct delivery *d = calloc(1, sizeof(*d));
	struct attempt_taker taker = { ended, d };
	pthread_condattr_t attr;
	char ca_file[4096];

	if (d == NULL) {
		half_drop(half);
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	d->inbox = inbox;
	d->batch = batch;
	d->totals = totals;
	d->log = log;
	puts_init(&d->asked);
	puts_init(&d->told);
	d->asking_at = NEVER;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->work, &attr);
	pthread_condattr_destroy(&attr);
	snprintf(ca_file, sizeof(ca_file), "%.*s", STR_ARG(half->conf->ca_file));
	take_half(d, half);
	err_set(e, ERR_OS, "no thread for deliveries");
	if ((d->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1 ||
	    (inbox != NULL && (d->side = inbox_side_new(inbox, true)) == NULL) ||
	    (d->exec = exec_start(log, &taker, e)) == NULL ||
	    (d->http = http_start(ca_file[0] != '\0' ? ca_file : NULL, log, &taker,
	    e)) == NULL || pthread_create(&d->thread, NULL, run, d) != 0) {
		delivery_stop(d);
		delivery_free(d);
		return NULL;
	}
	d->started = true;
	if (batch != NULL)
		batch_watch(batch, delivery_wake, d);
	return d;
}

void
delivery_stop(struct delivery *d)
{
	if (d == NULL)
		return;
	if (d->started) {
		pthread_mutex_lock(&d->lock);
		d->stop = true;
		pthread_cond_signal(&d->work);
		pthread_mutex_unlock(&d->lock);
		pthread_join(d->thread, NULL);
		if (d->batch != NULL)
			batch_watch(d->batch, NULL, NULL);
	}
	exec_stop(d->exec);
	http_stop(d->http);
	d->exec = NULL;
	d->http = NULL;
	take_told(d, true);
	asking_stop(d);
}

void
delivery_free(struct delivery *d)
{
	struct lane *l;

	if (d == NULL)
		return;
	while ((l = d->lanes) != NULL) {
		d->lanes = l->next;
		while (l->jobs != NULL) {
			struct job *j = l->jobs;

			l->jobs = j->next;
			job_free(j);
		}
		free(l);
	}
	asking_free_all(d);
	if (d->fd != -1)
		close(d->fd);
	if (d->side != NULL)
		inbox_side_free(d->side);
	half_drop(d->half);
	half_drop(d->next_half);
	pthread_cond_destroy(&d->work);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
