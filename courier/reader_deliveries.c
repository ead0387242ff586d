/*
 * reader_deliveries.c - deliveries and destinations for an operator, and what an
 * operator orders: pause, replay, drop.  See reader_parts.h.
 *
 * Orders are written by the batch's thread; this one waits until they are synced.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/when.h"
#include "ledger.h"
#include "reader_parts.h"
#include "sql.h"

#define PAGE		256		/* rows of one read, or of one order */
#define OUTPUT_SHOWN	ATTEMPT_OUTPUT
#define HOOK_SHOWN	1024		/* a row has room for it */
#define SPAN		16384		/* rows looked at in one read */
#define ATTEMPTS	128		/* of one read: at most 600 KiB */

/* --- listing --------------------------------------------------------------------- */

#define DELIVERY_COLUMNS						\
	"d.n, e.id, e.hook, d.destination, d.state, d.tries, d.made, d.since, "	\
	"d.due, a.at, a.sentence FROM deliveries d "			\
	"JOIN events e ON e.n = d.event "				\
	"LEFT JOIN attempts a ON a.delivery = d.n AND a.number = d.made "

/* ?5: the event, or the last row of a span. */
#define DELIVERY_FILTER	" d.n > ?1 AND (?2 = '' OR d.destination = ?2)"	\
			" AND (?3 >> d.state) & 1 "
static const char list_deliveries[] =
    "SELECT " DELIVERY_COLUMNS "WHERE" DELIVERY_FILTER "AND d.n <= ?5"
    " ORDER BY d.n LIMIT ?4";
static const char of_event[] =
    "SELECT " DELIVERY_COLUMNS "WHERE" DELIVERY_FILTER "AND e.id = ?5"
    " ORDER BY d.n LIMIT ?4";
static const char last_delivery[] = "SELECT coalesce(max(n), 0) FROM deliveries";
static const char last_event[] = "SELECT coalesce(max(n), 0) FROM events";
/* ?2 and ?3: those behind this one. */
static const char attempts_of_event[] =
    "SELECT d.destination, a.number, a.at, a.took, a.outcome, a.code, a.sentence,"
    " a.output, d.n FROM events e JOIN deliveries d ON d.event = e.n"
    " JOIN attempts a ON a.delivery = d.n WHERE e.id = ?1"
    " AND (d.n, a.number) > (?2, ?3) ORDER BY d.n, a.number LIMIT ?4";

/* The one number that a question gives; SQLITE_OK or why not. */
static int
number_of(sqlite3 *db, const char *question, int64_t *n)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, question, -1, &st, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
		*n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int
say_delivery(struct reader *r, sqlite3_stmt *st, uint64_t *cursor)
{
	struct delivery_row row = {
		.cursor = (uint64_t)sqlite3_column_int64(st, 0),
		.event = sql_text(st, 1),
		.hook = str_head(sql_text(st, 2), HOOK_SHOWN),
		.destination = sql_text(st, 3),
		.state = (enum delivery_state)sqlite3_column_int(st, 4),
		.tries = (uint64_t)sqlite3_column_int64(st, 5),
		.made = (uint64_t)sqlite3_column_int64(st, 6),
		.since = sqlite3_column_int64(st, 7),
		.due = sqlite3_column_int64(st, 8),
		.last_at = sqlite3_column_int64(st, 9),
		.last_sentence = sql_text(st, 10),
	};

	*cursor = row.cursor;
	buf_reset(&r->out);
	put_u64(&r->out, r->ticket);
	put_delivery_row(&r->out, &row);
	return reader_say(r, WIRE_DELIVERY, -1);
}

/* Rows of one span, at most a page; how many, or -1.  f->after goes on. */
static int
deliveries_page(struct reader *r, struct deliveries_filter *f, bool *over,
    struct err *e)
{
	sqlite3 *db = inbox_side_enter(r->side, e);
	uint64_t most = f->limit != 0 && f->limit < PAGE ? f->limit : PAGE;
	uint64_t end = f->after + SPAN;
	int64_t last = 0;
	sqlite3_stmt *st = NULL;
	int rc, n = 0;

	if (db == NULL)
		return 0;
	if ((rc = number_of(db, last_delivery, &last)) == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, f->event.n > 0 ? of_event :
		    list_deliveries, -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, (int64_t)f->after);
		sql_bind(st, 2, f->destination);
		sqlite3_bind_int64(st, 3, f->states);
		sqlite3_bind_int64(st, 4, (int64_t)most);
		if (f->event.n > 0)
			sql_bind(st, 5, f->event);
		else
			sqlite3_bind_int64(st, 5, (int64_t)end);
		while (n >= 0 && (rc = sqlite3_step(st)) == SQLITE_ROW)
			n = say_delivery(r, st, &f->after) == -1 ? -1 : n + 1;
	}
	sqlite3_finalize(st);
	inbox_side_leave(r->side);
	if (n >= 0 && rc != SQLITE_DONE)
		inbox_code_of(r->has->inbox, rc, "reading", e);
	if (n >= 0 && (uint64_t)n < most) {	/* nothing more in this span */
		*over = f->event.n > 0 || end >= (uint64_t)last;
		if (f->event.n == 0)
			f->after = end < (uint64_t)last ? end : (uint64_t)last;
	}
	return n;
}

int
reader_list_deliveries(struct reader *r, struct get *g)
{
	struct deliveries_filter f;
	struct err e = { .text = "" };
	bool over = false;
	int n;

	r->ticket = get_u64(g);
	get_deliveries_filter(g, &f);
	if (!get_done(g) || f.after > INT64_MAX - SPAN)
		return -1;
	if (f.states == 0)
		f.states = UINT32_MAX;
	while (!over && e.text[0] == '\0') {
		n = deliveries_page(r, &f, &over, &e);
		if (n == -1 || reader_send(r) == -1)
			return -1;
		if (f.limit != 0 && (f.limit -= (uint64_t)n) == 0)
			break;
	}
	return reader_end(r, f.after, e.text);
}

static int
say_attempt(struct reader *r, sqlite3_stmt *st)
{
	struct attempt_row row = {
		.destination = sql_text(st, 0),
		.number = (uint64_t)sqlite3_column_int64(st, 1),
		.at = sqlite3_column_int64(st, 2),
		.took = (uint64_t)sqlite3_column_int64(st, 3),
		.outcome = (enum outcome)sqlite3_column_int(st, 4),
		.code = sqlite3_column_type(st, 5) == SQLITE_NULL ? -1 :
		    sqlite3_column_int(st, 5),
		.sentence = sql_text(st, 6),
		.output = str_head(sql_text(st, 7), OUTPUT_SHOWN),
	};

	buf_reset(&r->out);
	put_u64(&r->out, r->ticket);
	put_attempt_row(&r->out, &row);
	return reader_say(r, WIRE_ATTEMPT, -1);
}

/* One read of them, ended before a byte is sent; -1: the operator is gone. */
static int
attempts_page(struct reader *r, struct str id, int64_t behind[2], int *n)
{
	sqlite3_stmt *st = NULL;
	struct err e;
	sqlite3 *db = inbox_side_enter(r->side, &e);
	int ok = 0;

	*n = 0;
	if (db == NULL)
		return 0;
	if (sqlite3_prepare_v2(db, attempts_of_event, -1, &st, NULL) == SQLITE_OK) {
		sql_bind(st, 1, id);
		sqlite3_bind_int64(st, 2, behind[0]);
		sqlite3_bind_int64(st, 3, behind[1]);
		sqlite3_bind_int64(st, 4, ATTEMPTS);
		while (ok == 0 && sqlite3_step(st) == SQLITE_ROW) {
			ok = say_attempt(r, st);
			behind[0] = sqlite3_column_int64(st, 8);
			behind[1] = sqlite3_column_int64(st, 1);
			++*n;
		}
	}
	sqlite3_finalize(st);
	inbox_side_leave(r->side);
	return ok == -1 ? -1 : reader_send(r);
}

int
reader_show_deliveries(struct reader *r, struct str id)
{
	struct deliveries_filter f = { .event = id, .states = UINT32_MAX };
	int64_t behind[2] = { 0, 0 };
	bool over = false;
	struct err e = { .text = "" };
	int n = 0;

	/* Of an inbox of an older version, read only, there are none. */
	while (!over && e.text[0] == '\0')
		if (deliveries_page(r, &f, &over, &e) == -1 || reader_send(r) == -1)
			return -1;
	do {
		if (attempts_page(r, id, behind, &n) == -1)
			return -1;
	} while (n == ATTEMPTS);
	return 0;
}

/* --- destinations ------------------------------------------------------------------ */

/* Counted in one pass: a row for each destination and state, and what is only paused. */
static const char destinations[] =
    "SELECT destination, state, count(*), min(since),"
    " (SELECT p.since FROM paused p WHERE p.destination = d.destination)"
    " FROM deliveries d GROUP BY destination, state"
    " UNION ALL SELECT destination, NULL, 0, 0, since FROM paused"
    " WHERE destination NOT IN (SELECT destination FROM deliveries) ORDER BY 1";

static int
say_destination(struct reader *r, struct destination_row *row)
{
	struct delivery_lane lane = { 0 };

	if (r->has->delivery != NULL)
		row->configured = delivery_look(r->has->delivery, row->name, &lane);
	row->running = lane.running;
	row->closed_for = (uint64_t)lane.closed_for;
	buf_reset(&r->out);
	put_u64(&r->out, r->ticket);
	put_destination_row(&r->out, row);
	return reader_say(r, WIRE_DESTINATION, -1);
}

static void
add_counts(struct destination_row *row, sqlite3_stmt *st)
{
	unsigned state = (unsigned)sqlite3_column_int(st, 1);

	row->paused = sqlite3_column_int64(st, 4);
	if (sqlite3_column_type(st, 1) == SQLITE_NULL || state >= DELIVERY_STATES)
		return;
	row->states[state] = (uint64_t)sqlite3_column_int64(st, 2);
	if (state == DELIVERY_WAITS)
		row->oldest = sqlite3_column_int64(st, 3);
}

/* *rc: how the reading ended; -1: the operator is gone. */
static int
say_destinations(struct reader *r, sqlite3_stmt *st, int *rc)
{
	struct destination_row row = { .configured = false };
	char name[65];

	while ((*rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct str next = sql_text(st, 0);

		if (next.n >= sizeof(name))
			continue;
		if (row.name.n > 0 && !str_eq(row.name, next)) {
			if (say_destination(r, &row) == -1)
				return -1;
			row = (struct destination_row){ .configured = false };
		}
		if (row.name.n == 0) {
			memcpy(name, next.p, next.n);
			row.name = (struct str){ name, next.n };
		}
		add_counts(&row, st);
	}
	return row.name.n > 0 ? say_destination(r, &row) : 0;
}

/* Those that the configuration names are the tool's to add: it reads the same file. */
int
reader_list_destinations(struct reader *r, struct get *g)
{
	struct err e = { .text = "" };
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
	int rc, ok = 0;

	r->ticket = get_u64(g);
	if (!get_done(g))
		return -1;
	if ((db = inbox_side_enter(r->side, &e)) == NULL)
		return reader_end(r, 0, e.text);
	rc = sqlite3_prepare_v2(db, destinations, -1, &st, NULL);
	if (rc == SQLITE_OK)
		ok = say_destinations(r, st, &rc);
	sqlite3_finalize(st);
	inbox_side_leave(r->side);
	if (ok == -1)
		return -1;
	if (rc != SQLITE_DONE)
		inbox_code_of(r->has->inbox, rc, "reading", &e);
	return reader_end(r, 0, e.text);
}

/* --- orders --------------------------------------------------------------------------- */

struct pair_of {
	int64_t		event;		/* events.n */
	char		destination[65];
};

/* An order that this thread waits for. */
struct wish {
	struct order	 order;
	pthread_mutex_t	 lock;
	pthread_cond_t	 ended;
	bool		 over;
	bool		 done;

	struct str	 destination;	/* of a pause */
	bool		 on;

	struct pair_of	 pairs[PAGE];	/* of a replay */
	int64_t		 drops[PAGE];	/* deliveries.n */
	size_t		 n;
	int64_t		 due;		/* of the first, ms since 1970 */
	uint32_t	 rate;
	uint64_t	 made;
};

static struct wish *
wish_of(struct order *o)
{
	return (struct wish *)(void *)((char *)o - offsetof(struct wish, order));
}

static void
written(struct order *o, bool done)
{
	struct wish *w = wish_of(o);

	pthread_mutex_lock(&w->lock);
	w->over = true;
	w->done = done;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->lock);
}

static enum inbox_code
write_pause(struct order *o, struct inbox *b, int64_t now, struct err *e)
{
	struct wish *w = wish_of(o);

	return inbox_code_of(b, ledger_pause(inbox_ledger(b), w->destination, w->on,
	    now), "pausing", e);
}

/* The k-th of a replay goes k / rate seconds after its first. */
static enum inbox_code
write_replay(struct order *o, struct inbox *b, int64_t now, struct err *e)
{
	struct wish *w = wish_of(o);
	int rc = SQLITE_OK;
	bool made;

	(void)now;
	w->made = 0;
	for (size_t i = 0; i < w->n && rc == SQLITE_OK; i++) {
		int64_t due = w->due + (w->rate == 0 ? 0 :
		    (int64_t)(w->made * 1000 / w->rate));

		rc = ledger_replay(inbox_ledger(b), w->pairs[i].event,
		    str_of(w->pairs[i].destination), due, &made);
		w->made += made;
	}
	return inbox_code_of(b, rc, "replaying", e);
}

static enum inbox_code
write_drop(struct order *o, struct inbox *b, int64_t now, struct err *e)
{
	struct wish *w = wish_of(o);
	int rc = SQLITE_OK;
	bool dropped;

	(void)now;
	w->made = 0;
	for (size_t i = 0; i < w->n && rc == SQLITE_OK; i++) {
		rc = ledger_drop(inbox_ledger(b), w->drops[i], &dropped);
		w->made += dropped;
	}
	return inbox_code_of(b, rc, "dropping", e);
}

static struct wish *
wish_new(enum inbox_code (*write)(struct order *, struct inbox *, int64_t,
    struct err *))
{
	struct wish *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->order.write = write;
	w->order.written = written;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->ended, NULL);
	return w;
}

/* Until it is synced; false: the courier stops. */
static bool
wish_done(struct reader *r, struct wish *w)
{
	w->over = false;
	batch_order(r->has->batch, &w->order);
	pthread_mutex_lock(&w->lock);
	while (!w->over)
		pthread_cond_wait(&w->ended, &w->lock);
	pthread_mutex_unlock(&w->lock);
	if (w->done && r->has->delivery != NULL)
		delivery_wake(r->has->delivery);
	return w->done;
}

static void
wish_free(struct wish *w)
{
	pthread_cond_destroy(&w->ended);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static const char alone[] = "the courier does not run";
static const char stops[] = "the courier stops; try again";

int
reader_pause(struct reader *r, struct get *g)
{
	struct wish *w;
	struct str name;
	bool on, done;

	r->ticket = get_u64(g);
	name = get_str(g);
	on = get_u8(g) != 0;
	if (!get_done(g) || name.n == 0 || name.n > 64)
		return -1;
	if (r->has->batch == NULL)
		return reader_end(r, 0, alone);
	if ((w = wish_new(write_pause)) == NULL)
		return reader_end(r, 0, "no memory");
	w->destination = name;
	w->on = on;
	done = wish_done(r, w);
	wish_free(w);
	if (done)
		log_say(r->has->log, LOG_INFO_, "destination %.*s is %s",
		    STR_ARG(name), on ? "paused" : "resumed");
	return reader_end(r, 0, done ? "" : stops);
}

/*
 * What is to go once more: a page of events behind "after", with what each was to go
 * to, or with the one destination that was named.  ?9 to ?12: that, states, the id, the
 * last event that there was when it began: a replay does not follow what comes.
 */
#define MATCHING							\
	" e.n > ?1 AND e.n <= ?12 AND (?2 = '' OR e.hook = ?2)"		\
	" AND (?3 = '' OR e.provider = ?3) AND (?4 = '' OR e.event_type = ?4)" \
	" AND (?5 = '' OR e.event_id = ?5) AND (?6 = 0 OR e.received_at >= ?6)" \
	" AND (?7 = 0 OR e.received_at < ?7) AND (?11 = '' OR e.id = ?11)"
static const char replay_where_it_went[] =
    "SELECT e.n, d.destination FROM events e CROSS JOIN deliveries d ON d.event = e.n"
    " WHERE" MATCHING " AND d.state > 1 AND (?10 >> d.state) & 1"
    " AND (?9 = '' OR d.destination = ?9) ORDER BY e.n, d.destination LIMIT ?8";
static const char replay_to[] =
    "SELECT e.n, ?9 FROM events e WHERE" MATCHING " AND NOT EXISTS (SELECT 1 FROM deliveries d"
    " WHERE d.event = e.n AND d.destination = ?9 AND d.state < 2)"
    " ORDER BY e.n LIMIT ?8";

struct replaying {
	struct replay	 what;
	struct filter	 filter;
	uint64_t	 after;		/* events.n */
	int64_t		 last;		/* likewise; 0: not asked yet */
	uint64_t	 events, deliveries;
};

/*
 * The next page into the wish; the last event of a full page is left to the next one,
 * as not all of its destinations may be here.
 */
static int
replay_page(struct reader *r, struct replaying *p, struct wish *w, struct err *e)
{
	const struct filter *f = &p->filter;
	bool fresh = p->what.to.n > 0 && p->what.states == 0;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = inbox_side_enter(r->side, e);
	int64_t last = 0;
	int rc = SQLITE_OK;

	w->n = 0;
	if (db == NULL)
		return -1;
	if (p->last == 0)
		rc = number_of(db, last_event, &p->last);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, fresh ? replay_to : replay_where_it_went,
		    -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, (int64_t)p->after);
		sql_bind(st, 2, f->hook);
		sql_bind(st, 3, f->provider);
		sql_bind(st, 4, f->type);
		sql_bind(st, 5, f->event_id);
		sqlite3_bind_int64(st, 6, f->since);
		sqlite3_bind_int64(st, 7, f->until);
		sqlite3_bind_int64(st, 8, PAGE);
		sql_bind(st, 9, p->what.to);
		sqlite3_bind_int64(st, 10, p->what.states == 0 ? UINT32_MAX :
		    p->what.states);
		sql_bind(st, 11, p->what.event);
		sqlite3_bind_int64(st, 12, p->last);
		while (w->n < PAGE && (rc = sqlite3_step(st)) == SQLITE_ROW) {
			struct pair_of *o = &w->pairs[w->n];
			struct str to = sql_text(st, 1);

			if (to.n >= sizeof(o->destination))
				continue;
			o->event = sqlite3_column_int64(st, 0);
			memcpy(o->destination, to.p, to.n);
			o->destination[to.n] = '\0';
			w->n++;
		}
	}
	sqlite3_finalize(st);
	inbox_side_leave(r->side);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		inbox_code_of(r->has->inbox, rc, "reading", e);
		return -1;
	}
	if (w->n == PAGE && w->pairs[0].event != w->pairs[PAGE - 1].event)
		for (last = w->pairs[PAGE - 1].event; w->pairs[w->n - 1].event ==
		    last; w->n--)
			;
	if (w->n > 0)
		p->after = (uint64_t)w->pairs[w->n - 1].event;
	return 0;
}

static int
replay_all(struct reader *r, struct replaying *p, struct wish *w, struct err *e)
{
	int64_t begin = when_now();

	for (;;) {
		if (replay_page(r, p, w, e) == -1)
			return -1;
		if (w->n == 0)
			return 0;
		for (size_t i = 0; i < w->n; i++)
			p->events += i == 0 || w->pairs[i].event !=
			    w->pairs[i - 1].event;
		w->rate = p->what.rate;
		w->due = begin + (w->rate == 0 ? 0 :
		    (int64_t)(p->deliveries * 1000 / w->rate));
		if (!p->what.dry && !wish_done(r, w))
			return err_set(e, ERR_TEMP, "%s", stops);
		p->deliveries += p->what.dry ? w->n : w->made;
	}
}

int
reader_replay(struct reader *r, struct get *g)
{
	struct replaying p = { .after = 0 };
	struct err e = { .text = "" };
	struct wish *w;
	int rc;

	r->ticket = get_u64(g);
	get_replay(g, &p.what);
	get_filter(g, &p.filter);
	if (!get_done(g) || p.what.to.n > 64)
		return -1;
	if (r->has->batch == NULL && !p.what.dry)
		return reader_end(r, 0, alone);
	if ((w = wish_new(write_replay)) == NULL)
		return reader_end(r, 0, "no memory");
	rc = replay_all(r, &p, w, &e);
	wish_free(w);
	if (rc == -1)
		return reader_end(r, 0, e.text);
	if (!p.what.dry && p.deliveries > 0)
		log_say(r->has->log, LOG_INFO_, "an operator has %llu deliveries made "
		    "again", (unsigned long long)p.deliveries);
	buf_reset(&r->out);
	put_u64(&r->out, r->ticket);
	put_u64(&r->out, p.events);
	put_u64(&r->out, p.deliveries);
	return reader_say(r, WIRE_REPLAYED, -1) == -1 ? -1 : reader_send(r);
}

/*
 * Of those that there were when it began, ?2.  What is behind another comes to wait as that
 * one is dropped, and is found by the next page.
 */
static const char to_drop[] =
    "SELECT n FROM deliveries WHERE destination = ?1 AND state = 0 AND n <= ?2 LIMIT ?3";

static int
drop_page(struct reader *r, struct wish *w, int64_t *last, struct err *e)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = inbox_side_enter(r->side, e);
	int rc = SQLITE_OK;

	w->n = 0;
	if (db == NULL)
		return -1;
	if (*last == 0)
		rc = number_of(db, last_delivery, last);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, to_drop, -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sql_bind(st, 1, w->destination);
		sqlite3_bind_int64(st, 2, *last);
		sqlite3_bind_int64(st, 3, PAGE);
		while (w->n < PAGE && (rc = sqlite3_step(st)) == SQLITE_ROW)
			w->drops[w->n++] = sqlite3_column_int64(st, 0);
	}
	sqlite3_finalize(st);
	inbox_side_leave(r->side);
	if (rc == SQLITE_DONE || rc == SQLITE_ROW)
		return 0;
	inbox_code_of(r->has->inbox, rc, "reading", e);
	return -1;
}

static uint64_t
drop_all(struct reader *r, struct wish *w, struct err *e)
{
	uint64_t dropped = 0;
	int64_t last = 0;

	while (drop_page(r, w, &last, e) == 0 && w->n > 0) {
		if (!wish_done(r, w)) {
			err_set(e, ERR_TEMP, "%s", stops);
			break;
		}
		dropped += w->made;
	}
	return dropped;
}

int
reader_drop(struct reader *r, struct get *g)
{
	struct err e = { .text = "" };
	uint64_t dropped;
	struct wish *w;
	struct str name;

	r->ticket = get_u64(g);
	name = get_str(g);
	if (!get_done(g) || name.n == 0 || name.n > 64)
		return -1;
	if (r->has->batch == NULL)
		return reader_end(r, 0, alone);
	if ((w = wish_new(write_drop)) == NULL)
		return reader_end(r, 0, "no memory");
	w->destination = name;
	dropped = drop_all(r, w, &e);
	wish_free(w);
	if (dropped > 0)
		log_say(r->has->log, LOG_INFO_, "an operator dropped %llu deliveries to "
		    "%.*s", (unsigned long long)dropped, STR_ARG(name));
	return reader_end(r, dropped, e.text);
}
