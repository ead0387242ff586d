/*
 * asking.c - what is delivered inside a request: its sender waits.
 *
 * An asking is one event and all who wait for it: its request, and repeats of it.
 *
 *	TO_MAKE --room in its lane--> UNDER_WAY --done, written down--> MADE
 *	   |                             |
 *	   '-- paused, circuit closed ---'--> FAILED: all who wait are refused
 *
 * It is kept while somebody waits or something is under way, so a repeat finds what is
 * under way and joins it.  When the last sender is out of time what is under way goes on
 * to its end, and nothing more is begun.
 *
 * Without an inbox an asking is one request, with the event in its own memory, and what
 * it comes to is told and forgotten.
 *
 * One event has one answer.  The first that is known, what its destination says or the
 * fallback, is written to the inbox before anybody hears it, and then it stays: a late
 * answer is written down as delivered and told to nobody.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/when.h"
#include "delivery_parts.h"
#include "sql.h"

#define WITHIN_MS	8000	/* where it is not known how long a sender waits */
#define OWN_MEMORY	(1u << 20)	/* of an event that no inbox has */

#ifdef TEST_NOT_WAITED		/* tests/modes.sh must notice */
#define WAITED	false
#else
#define WAITED	true
#endif

enum stand { TO_MAKE, UNDER_WAY, MADE, FAILED };

/* One destination of an asking. */
struct piece {
	struct ledger_row row;
	struct lane	*lane;		/* NULL: there is none of its name */
	enum forward_mode mode;
	enum stand	 stand;
};

struct asking {
	struct asking	*next;
	struct asking	*next_spoken;
	struct delivery	*delivery;
	char		 id[EVENT_ID_LEN + 1];
	int64_t		 event;		/* events.n */
	struct puts	 puts;		/* who wait */
	unsigned	 running;	/* attempts that are not written down */
	const char	*why;		/* the last that failed: a constant */
	struct piece	*pieces;
	size_t		 npieces;

	struct spoken	*answer;	/* NULL: it is not known yet */
	bool		 is_written;	/* and in the inbox */
	struct order	 order;		/* writes it, where no attempt does */
	bool		 is_ordered;

	/* Without an inbox. */
	struct event	 own;
	struct arena	*arena;		/* of its texts and body */
};

/* --- telling the door ------------------------------------------------------------- */

static void
tell_door(struct delivery *d, struct put *p)
{
	static const uint64_t one = 1;

	pthread_mutex_lock(&d->lock);
	if (d->told.first == NULL && write(d->fd, &one, sizeof(one)) != sizeof(one))
		abort();	/* an eventfd with room always takes it */
	puts_add(&d->told, p);
	pthread_mutex_unlock(&d->lock);
}

static void
refuse(struct delivery *d, struct put *p, const char *why)
{
	p->refusal = REFUSED_DESTINATION;
	p->why = why;
	tell_door(d, p);
}

static void
refuse_all(struct asking *a, const char *why)
{
	struct put *p;

	while ((p = puts_pop(&a->puts)) != NULL)
		refuse(a->delivery, p, why);
}

/* One block, which free() ends; NULL: no memory. */
static struct spoken *
spoken_copy(const struct spoken *s)
{
	struct spoken *c = malloc(sizeof(*c) + s->type.n + s->headers.n + s->body.n);
	char *at = (char *)(c + 1);

	if (c == NULL)
		return NULL;
	*c = *s;
	for (struct str *t[] = { &c->type, &c->headers, &c->body, NULL }, **i = t;
	    *i != NULL; i++) {
		if ((*i)->n > 0)
			memcpy(at, (*i)->p, (*i)->n);
		(*i)->p = at;
		at += (*i)->n;
	}
	return c;
}

/* All is done: the answer, or the usual one where there is none. */
static void
tell_all(struct asking *a)
{
	struct put *p;

	while ((p = puts_pop(&a->puts)) != NULL) {
		if (a->answer != NULL && (p->spoken = spoken_copy(a->answer)) == NULL)
			refuse(a->delivery, p, "no memory");
		else
			tell_door(a->delivery, p);
	}
}

/* --- the one answer ------------------------------------------------------------------ */

static const struct piece *
answering(const struct asking *a)
{
	for (size_t i = 0; i < a->npieces; i++)
		if (a->pieces[i].mode == FORWARD_ANSWER)
			return &a->pieces[i];
	return NULL;
}

/* What is configured for when the destination has nothing to say; NULL: nothing is. */
static struct spoken *
fallback_of(const struct destination *to)
{
	if (to == NULL || to->fallback.n == 0)
		return NULL;
	return spoken_copy(&(struct spoken){ .status = 200, .type = to->answer_type,
	    .headers = STR(""), .body = to->fallback });
}

static struct asking *
asking_of(struct order *o)
{
	return (struct asking *)(void *)((char *)o - offsetof(struct asking, order));
}

static enum inbox_code
write_spoken(struct order *o, struct inbox *inbox, int64_t now, struct err *e)
{
	const struct asking *a = asking_of(o);
	int rc = ledger_speak(inbox_ledger(inbox), a->event, a->answer, now);

	return inbox_code_of(inbox, rc, "writing an answer down", e);
}

static void
spoken_written(struct order *o, bool done)
{
	struct asking *a = asking_of(o);
	struct delivery *d = a->delivery;

	pthread_mutex_lock(&d->lock);
	a->is_written = done;
	a->next_spoken = d->spoken;
	d->spoken = a;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

/* It is written now, and told when it is; false: there is none. */
static bool
speak_fallback(struct asking *a)
{
	const struct piece *p = answering(a);

	if (p == NULL || p->lane == NULL ||
	    (a->answer = fallback_of(p->lane->to)) == NULL)
		return false;
	if (a->delivery->batch == NULL) {
		a->is_written = true;
		return true;
	}
	a->is_ordered = true;
	a->order = (struct order){ .write = write_spoken, .written = spoken_written };
	batch_order(a->delivery->batch, &a->order);
	return true;
}

static void
not_written(struct asking *a)
{
	free(a->answer);
	a->answer = NULL;
	a->is_written = false;
	refuse_all(a, "its answer could not be written down");
}

void
asking_spoken(struct asking *a)
{
	for (; a != NULL; a = a->next_spoken) {
		a->is_ordered = false;
		if (!a->is_written)
			not_written(a);
	}
}

/* --- one attempt ------------------------------------------------------------------------ */

void
asking_prepare(struct job *j)
{
	struct attempt *a = &j->attempt;

	if (j->piece->mode != FORWARD_ANSWER)
		return;
	a->answer = BUF((size_t)a->to->answer_limit);
	a->headers = BUF(SPOKEN_HEADERS);
	a->status = 200;
}

/* What an attempt's destination says. */
static struct spoken *
spoken_of(struct attempt *a)
{
	return spoken_copy(&(struct spoken){ .status = a->status,
	    .type = a->to->kind == TO_EXEC ? a->to->answer_type : str_of(a->type),
	    .headers = buf_str(&a->headers), .body = buf_str(&a->answer) });
}

void
asking_judged(struct job *j)
{
	struct asking *a = j->asking;

	if (j->piece->mode != FORWARD_ANSWER || a->answer != NULL)
		return;
	if (j->state == DELIVERY_DONE)
		a->answer = spoken_of(&j->attempt);
	else if (a->puts.first != NULL)
		a->answer = fallback_of(j->attempt.to);
	j->speaks = a->answer != NULL;
}

int
asking_write(struct job *j, struct ledger *l, int64_t now)
{
	const struct asking *a = j->asking;
	int rc = ledger_record_asked(l, &j->attempt, j->state == DELIVERY_DONE);

	return rc == SQLITE_OK && j->speaks ?
	    ledger_speak(l, a->event, a->answer, now) : rc;
}

void
asking_written(struct job *j)
{
	struct asking *a = j->asking;

	a->running--;
	j->piece->row.made = j->attempt.number;
	j->piece->stand = j->noted && j->state == DELIVERY_DONE ? MADE : FAILED;
	if (j->piece->stand == FAILED)
		a->why = j->noted ? "a destination did not take it" :
		    "what became of it could not be written down";
	if (j->speaks && j->noted)
		a->is_written = true;
	else if (j->speaks)
		not_written(a);
}

static void
failed(struct asking *a, struct piece *p, const char *why)
{
	struct line l;

	p->stand = FAILED;
	a->why = why;
	line_begin(&l, a->delivery->log, LOG_WARN_, "delivery");
	line_str(&l, "id", str_of(a->id));
	if (p->lane != NULL)
		line_str(&l, "destination", p->lane->name);
	line_str(&l, "state", str_of(delivery_state_name(DELIVERY_MISSED)));
	line_str(&l, "message", str_of(why));
	line_end(&l);
}

/* ms until the last who waits is out of time. */
static int64_t
time_left(const struct asking *a, int64_t now)
{
	int64_t until = now;

	for (const struct put *p = a->puts.first; p != NULL; p = p->next)
		if (p->until > until)
			until = p->until;
	return until - now;
}

static void
begin(struct delivery *d, struct asking *a, struct piece *p, sqlite3 *db, int64_t left)
{
	if (job_begin(d, p->lane, db, &p->row, a, p, left)) {
		p->stand = UNDER_WAY;
		a->running++;
	}
}

/* Begins it, or it stays TO_MAKE for want of room, or it has failed. */
static void
make(struct delivery *d, struct asking *a, struct piece *p)
{
	int64_t now = when_steady(), left = time_left(a, now);
	struct lane *l = p->lane;
	int paused = -1;
	struct err e;
	sqlite3 *db;

	if (l == NULL || l->to == NULL) {
		failed(a, p, "a destination is not in the configuration any more");
	} else if (p->row.state == DELIVERY_WAITS || p->row.state == DELIVERY_BEHIND) {
		failed(a, p, "a destination has it again after the fact, and is not done");
	} else if (l->closed_until > now) {
		failed(a, p, "a destination failed too often and is left alone for now");
	} else if (left > 0 && lane_room(d, l, now) > 0) {
		if (d->side == NULL) {
			begin(d, a, p, NULL, left);
			return;
		}
		if ((db = inbox_side_enter(d->side, &e)) == NULL) {
			failed(a, p, "the inbox is being recovered");
			return;
		}
		if ((paused = lane_paused(l, db)) != 0)
			failed(a, p, paused == 1 ? "a destination is paused" :
			    "the inbox cannot be read now");
		else
			begin(d, a, p, db, left);
		inbox_side_leave(d->side);
	}
}

/* Those of a mode: what all of them come to. */
static enum stand
make_all(struct delivery *d, struct asking *a, enum forward_mode mode)
{
	enum stand all = MADE;

	for (size_t i = 0; i < a->npieces; i++) {
		struct piece *p = &a->pieces[i];

		if (p->mode != mode)
			continue;
		if (p->stand == TO_MAKE && a->puts.first != NULL)
			make(d, a, p);
		if (p->stand == TO_MAKE || p->stand == UNDER_WAY)
			all = UNDER_WAY;
		else if (p->stand == FAILED && all == MADE)
			all = FAILED;
	}
	return WAITED || mode == FORWARD_ANSWER ? all : MADE;
}

/* --- one asking --------------------------------------------------------------------------- */

/* One that was delivered need not be again; one that was answered neither. */
static enum stand
stand_of(const struct asking *a, const struct piece *p)
{
	if (p->mode == FORWARD_ANSWER)
		return a->answer != NULL ? MADE : TO_MAKE;
	return p->row.state == DELIVERY_DONE ? MADE : TO_MAKE;
}

static struct lane *
lane_find(struct delivery *d, struct str name)
{
	struct lane *l = d->lanes;

	while (l != NULL && !str_eq(l->name, name))
		l = l->next;
	return l;
}

static int
read_pieces(struct asking *a, sqlite3_stmt *st)
{
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct piece *more = realloc(a->pieces,
		    (a->npieces + 1) * sizeof(*more));

		if (more == NULL)
			return SQLITE_NOMEM;
		a->pieces = more;
		more += a->npieces++;
		*more = (struct piece){
			.row.n = (uint64_t)sqlite3_column_int64(st, 0),
			.row.event = (uint64_t)sqlite3_column_int64(st, 1),
			.row.tries = (uint64_t)sqlite3_column_int64(st, 2),
			.row.made = (uint64_t)sqlite3_column_int64(st, 3),
			.row.since = sqlite3_column_int64(st, 4),
			.lane = lane_find(a->delivery, sql_text(st, 5)),
			.mode = (enum forward_mode)sqlite3_column_int(st, 6),
			.row.state = (enum delivery_state)sqlite3_column_int(st, 7),
		};
		a->event = sqlite3_column_int64(st, 1);
	}
	return rc;
}

static int
read_answer(struct asking *a, sqlite3_stmt *st)
{
	int rc;

	sqlite3_bind_int64(st, 1, a->event);
	if ((rc = sqlite3_step(st)) != SQLITE_ROW)
		return rc;
	a->answer = spoken_copy(&(struct spoken){
		.status = (unsigned)sqlite3_column_int(st, 0),
		.type = sql_text(st, 1), .headers = sql_text(st, 2),
		.body = sql_text(st, 3) });
	a->is_written = true;
	return a->answer == NULL ? SQLITE_NOMEM : SQLITE_DONE;
}

/* What the inbox says of its event; false: it cannot be read now. */
static bool
asking_read(struct delivery *d, struct asking *a)
{
	sqlite3_stmt *st = NULL;
	struct err e;
	sqlite3 *db = inbox_side_enter(d->side, &e);
	int rc = SQLITE_ERROR;

	if (db == NULL)
		return false;
	if ((st = delivery_query(db, ledger_asked, str_of(a->id), 0)) != NULL)
		rc = read_pieces(a, st);
	sqlite3_finalize(st);
	st = NULL;
	if (rc == SQLITE_DONE && (rc = sqlite3_prepare_v2(db, ledger_spoken, -1, &st,
	    NULL)) == SQLITE_OK)
		rc = read_answer(a, st);
	sqlite3_finalize(st);
	inbox_side_leave(d->side);
	for (size_t i = 0; i < a->npieces; i++)
		a->pieces[i].stand = stand_of(a, &a->pieces[i]);
	return rc == SQLITE_DONE;
}

/* --- without an inbox ----------------------------------------------------------------------- */

static struct str
kept(struct asking *a, struct str s)
{
	return s.n == 0 ? STR("") : arena_str(a->arena, s);
}

/* The event, and its destinations as the worker says them; false: no memory. */
static bool
asking_copy(struct delivery *d, struct asking *a, const struct put *p)
{
	struct get g = GET(p->event.deliver);
	struct event *e = &a->own;
	struct forward f;
	struct str *texts[] = { &e->hook, &e->provider, &e->event_id, &e->event_type,
	    &e->method, &e->target, &e->remote, &e->headers, &e->scheme, &e->secret,
	    &e->request_id, &e->trace };

	*e = p->event;
	e->body_fd = -1;
	if ((a->arena = arena_new(OWN_MEMORY)) == NULL || (a->pieces = calloc(
	    FORWARD_MOST, sizeof(*a->pieces))) == NULL)
		return false;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = kept(a, *texts[i]);
	if (e->body.p != NULL)
		e->body = kept(a, e->body);
	if (p->event.body_fd != -1 && (e->body_fd = fcntl(p->event.body_fd,
	    F_DUPFD_CLOEXEC, 0)) == -1)
		return false;
	while (g.rest.n > 0 && a->npieces < FORWARD_MOST) {
		get_forward(&g, &f);
		a->pieces[a->npieces++] = (struct piece){
			.row = { .state = DELIVERY_MISSED, .since = when_now() },
			.lane = lane_find(d, f.to), .mode = f.mode };
	}
	return !g.bad && !arena_full(a->arena);
}

int
asking_event(struct job *j)
{
	const struct event *own = &j->asking->own;

	j->attempt.event = *own;
	if (own->body_fd == -1)
		return 1;
	j->attempt.event.body_fd = fcntl(own->body_fd, F_DUPFD_CLOEXEC, 0);
	return j->attempt.event.body_fd == -1 ? -1 : 1;
}

static void
asking_free(struct asking *a)
{
	if (a == NULL)
		return;
	if (a->own.body_fd != -1)
		close(a->own.body_fd);
	arena_free(a->arena);
	free(a->answer);
	free(a->pieces);
	free(a);
}

/* The one of a put's event, made where there is none; NULL: it cannot be. */
static struct asking *
asking_for(struct delivery *d, const struct put *p)
{
	struct asking *a = d->askings;

	while (a != NULL && strcmp(a->id, p->stored.id) != 0)
		a = a->next;
	for (size_t i = 0; a != NULL && i < a->npieces; i++)
		if (a->pieces[i].stand == FAILED)	/* once more, for the repeat */
			a->pieces[i].stand = TO_MAKE;
	if (a != NULL || (a = calloc(1, sizeof(*a))) == NULL)
		return a;
	a->delivery = d;
	a->own.body_fd = -1;
	a->why = "a destination ran out of time";
	memcpy(a->id, p->stored.id, sizeof(a->id));
	puts_init(&a->puts);
	if (!(d->side != NULL ? asking_read(d, a) : asking_copy(d, a, p))) {
		asking_free(a);
		return NULL;
	}
	a->next = d->askings;
	d->askings = a;
	return a;
}

void
asking_take(struct delivery *d, struct puts *some)
{
	struct asking *a;
	struct put *p;

	while ((p = puts_pop(some)) != NULL) {
		int64_t within = p->event.within > 0 ? p->event.within : WITHIN_MS;

		/* The rest is for writing it down, and for the way back. */
		p->until = p->arrived + within - within / 10;
		if ((a = asking_for(d, p)) == NULL)
			refuse(d, p, "it cannot be looked at now");
		else
			puts_add(&a->puts, p);
	}
}

/* As far as it goes now. */
static void
go_on(struct delivery *d, struct asking *a)
{
	enum stand all = make_all(d, a, FORWARD_BEFORE_ANSWER);

	if (all == FAILED)
		refuse_all(a, a->why);
	if (all != MADE || a->puts.first == NULL)
		return;
	if (a->answer == NULL)
		all = make_all(d, a, FORWARD_ANSWER);
	if (a->answer != NULL) {
		if (!a->is_ordered && a->is_written)
			tell_all(a);
	} else if (all == FAILED) {
		if (!speak_fallback(a))
			refuse_all(a, a->why);
	} else if (all == MADE) {
		if (answering(a) == NULL)
			tell_all(a);
		else
			refuse_all(a, "there was no memory for its answer");
	}
}

/* Is only the answer missing? */
static bool
is_before_done(const struct asking *a)
{
	for (size_t i = 0; i < a->npieces; i++)
		if (a->pieces[i].mode == FORWARD_BEFORE_ANSWER &&
		    a->pieces[i].stand != MADE)
			return false;
	return true;
}

/*
 * Who is out of time is told so.  Where only the answer is missing all hear the fallback,
 * since there is one answer; who waits for what is being written goes on waiting.
 */
static void
expire(struct delivery *d, struct asking *a, int64_t now)
{
	struct puts some;
	struct put *p;

	if (a->answer != NULL)
		return;
	puts_init(&some);
	puts_move(&some, &a->puts);
	while ((p = puts_pop(&some)) != NULL) {
		if (p->until <= now && is_before_done(a) && speak_fallback(a)) {
			puts_add(&a->puts, p);
			break;
		} else if (p->until <= now) {
			refuse(d, p, "a destination ran out of time");
		} else {
			puts_add(&a->puts, p);
			if (p->until < d->asking_at)
				d->asking_at = p->until;
		}
	}
	puts_move(&a->puts, &some);
}

void
asking_turn(struct delivery *d)
{
	struct asking **at = &d->askings, *a;
	int64_t now = when_steady();

	d->asking_at = INT64_MAX;
	while ((a = *at) != NULL) {
		go_on(d, a);
		expire(d, a, now);
		if (a->puts.first == NULL && a->running == 0 && !a->is_ordered) {
			*at = a->next;
			asking_free(a);
		} else {
			at = &a->next;
		}
	}
}

/* --- what others ask ------------------------------------------------------------------------- */

bool
delivery_ask(struct delivery *d, struct put *p)
{
	bool taken;

	pthread_mutex_lock(&d->lock);
	if ((taken = !d->draining && !d->stop && d->nasked < DELIVERY_MOST &&
	    d->nbytes + p->n <= DELIVERY_MEMORY)) {
		d->nasked++;
		d->nbytes += p->n;
		puts_add(&d->asked, p);
		pthread_cond_signal(&d->work);
	}
	pthread_mutex_unlock(&d->lock);
	return taken;
}

bool
delivery_remembers(const struct delivery *d)
{
	return d->inbox != NULL;
}

int
delivery_fd(const struct delivery *d)
{
	return d->fd;
}

void
delivery_take(struct delivery *d, struct puts *out)
{
	uint64_t n;

	puts_init(out);
	pthread_mutex_lock(&d->lock);
	if (read(d->fd, &n, sizeof(n)) == sizeof(n))
		puts_move(out, &d->told);
	d->nasked -= out->n;
	d->nbytes -= out->bytes;
	pthread_mutex_unlock(&d->lock);
}

size_t
delivery_drain(struct delivery *d)
{
	size_t n;

	pthread_mutex_lock(&d->lock);
	d->draining = true;
	n = d->nasked;
	pthread_mutex_unlock(&d->lock);
	return n;
}

void
asking_stop(struct delivery *d)
{
	for (struct asking *a = d->askings; a != NULL; a = a->next)
		refuse_all(a, "the courier stopped");
}

void
asking_free_all(struct delivery *d)
{
	struct asking *a;

	while ((a = d->askings) != NULL) {
		d->askings = a->next;
		asking_free(a);
	}
}
