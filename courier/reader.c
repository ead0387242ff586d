/* reader.c - see reader.h. */
#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/when.h"
#include "bodies.h"
#include "reader_parts.h"
#include "sql.h"

#define FDS_TOGETHER	16	/* descriptors that wait to be sent */

/* ?1 and ?2: the span.  An empty text, a zero: do not filter. */
#define MATCHING							\
	" FROM events WHERE n > ?1 AND n <= ?2"				\
	" AND (?3 = '' OR hook = ?3) AND (?4 = '' OR provider = ?4)"	\
	" AND (?5 = '' OR event_type = ?5) AND (?6 = '' OR event_id = ?6)" \
	" AND (?7 = 0 OR received_at >= ?7) AND (?8 = 0 OR received_at < ?8)"
#define LIST(columns, order)	"SELECT " columns MATCHING " ORDER BY n " order

static const char *const lists[2][2] = {	/* [newest][bodies] */
	{ LIST(INBOX_COLUMNS, "ASC"), LIST(INBOX_COLUMNS ", body", "ASC") },
	{ LIST(INBOX_COLUMNS, "DESC"), LIST(INBOX_COLUMNS ", body", "DESC") },
};
static const char show[] =
    "SELECT " INBOX_COLUMNS ", body FROM events WHERE id = ?1";

/* --- sending ------------------------------------------------------------------ */

int
reader_send(struct reader *r)
{
	struct pollfd p = { wire_fd(r->wire), POLLOUT, 0 };
	struct err e;

	r->fds = 0;
	while (wire_flush(r->wire, &e) == 0) {
		if (!wire_waiting(r->wire))
			return 0;
		if (poll(&p, 1, READER_SEND_MS) <= 0)
			return -1;
	}
	return -1;
}

int
reader_say(struct reader *r, enum wire_type type, int fd)
{
	if (!buf_ok(&r->out)
	    || wire_send(r->wire, type, buf_str(&r->out), fd) == -1)
		return -1;
	return 0;
}

int
reader_end(struct reader *r, uint64_t cursor, const char *error)
{
	buf_reset(&r->out);
	put_u64(&r->out, r->ticket);
	put_u64(&r->out, cursor);
	put_str(&r->out, str_of(error));
	return reader_say(r, WIRE_END, -1) == -1 ? -1 : reader_send(r);
}

/* The row where the statement stands.  1: queued, 0: its file is missing. */
static int
say_row(struct reader *r, sqlite3_stmt *st, bool body, uint64_t *cursor,
    size_t *size)
{
	struct inbox_row row;
	bool in_file;
	int fd = -1, dir, ok;
	struct err e;

	inbox_row_read(st, &row, &in_file);
	*cursor = row.cursor;
	if (body && !in_file) {
		row.event.body.p = sqlite3_column_blob(st, INBOX_BODY);
		row.event.body.n = (size_t)sqlite3_column_bytes(st, INBOX_BODY);
		if (row.event.body.p == NULL)
			row.event.body = STR("");
	} else if (body) {
		if ((dir = bodies_dir(r->has->inbox, &e)) != -1) {
			fd = openat(dir, row.event.id, O_RDONLY | O_CLOEXEC |
			    O_NOFOLLOW);
			close(dir);
		}
		r->fds++;
	}
	buf_reset(&r->out);
	put_u64(&r->out, r->ticket);
	put_row(&r->out, &row);
	ok = reader_say(r, WIRE_ROW, fd);
	*size = r->out.n;
	if (fd != -1)
		close(fd);
	return ok == -1 ? -1 : !body || !in_file || fd != -1;
}

/* --- LIST ----------------------------------------------------------------------- */

/* What is left of a list, between two pages. */
struct walk {
	struct filter	 filter;
	uint64_t	 low, high;	/* rows with low < n <= high are to come */
	uint64_t	 left;		/* rows that may still be sent */
	struct err	 error;
};

static uint64_t
number(sqlite3 *db, const char *sql, uint64_t one, int *rc)
{
	sqlite3_stmt *st = NULL;
	uint64_t n = 0;

	if (*rc != SQLITE_OK)
		return 0;
	*rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (*rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, (int64_t)one);
		*rc = sqlite3_step(st);
		if (*rc == SQLITE_ROW) {
			n = (uint64_t)sqlite3_column_int64(st, 0);
			*rc = SQLITE_OK;
		}
		sqlite3_finalize(st);
	}
	return n;
}

/* The rows of one span, as many as a page holds. */
static int
walk_span(struct reader *r, struct walk *w, sqlite3 *db, uint64_t from,
    uint64_t to, size_t *page)
{
	const struct filter *f = &w->filter;
	sqlite3_stmt *st = NULL;
	uint64_t cursor;
	size_t size;
	int rc, ok;

	rc = sqlite3_prepare_v2(db, lists[f->newest][f->bodies], -1, &st, NULL);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(st, 1, (int64_t)from);
	sqlite3_bind_int64(st, 2, (int64_t)to);
	sql_bind(st, 3, f->hook);
	sql_bind(st, 4, f->provider);
	sql_bind(st, 5, f->type);
	sql_bind(st, 6, f->event_id);
	sqlite3_bind_int64(st, 7, f->since);
	sqlite3_bind_int64(st, 8, f->until);
	while (w->left > 0 && *page < READER_PAGE && r->fds < FDS_TOGETHER
	    && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		ok = say_row(r, st, f->bodies, &cursor, &size);
		if (ok == -1) {
			rc = SQLITE_ABORT;
			break;
		}
		*page += size;
		w->left--;
		if (f->newest)
			w->high = cursor - 1;
		else
			w->low = cursor;
	}
	if (rc == SQLITE_DONE) {		/* nothing more in this span */
		if (f->newest)
			w->high = from;
		else
			w->low = to;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/*
 * One short read: the next span that holds rows at all.  Only the oldest are
 * removed, but a person may delete anywhere: gaps are stepped over by the index.
 */
static int
walk_page(struct reader *r, struct walk *w)
{
	size_t page = 0;
	uint64_t from, to, next;
	struct err e;
	int rc = SQLITE_OK;
	sqlite3 *db = inbox_side_enter(r->side, &e);

	if (db == NULL) {
		w->error = e;
		return 0;
	}
	if (w->filter.newest) {
		next = number(db, "SELECT coalesce(max(n), 0) FROM events"
		    " WHERE n <= ?1", w->high, &rc);
		w->high = next;
		from = next > READER_SPAN ? next - READER_SPAN : 0;
		to = next;
		if (from < w->low)
			from = w->low;
		if (next <= w->low)
			to = from = w->high = w->low;
	} else {
		next = number(db, "SELECT coalesce(min(n), 0) FROM events"
		    " WHERE n > ?1", w->low, &rc);
		if (next == 0 || next > w->high)
			next = w->high + 1;
		from = next - 1;
		to = from + READER_SPAN < w->high ? from + READER_SPAN : w->high;
		w->low = from;
	}
	if (rc == SQLITE_OK && from < to)
		rc = walk_span(r, w, db, from, to, &page);
	inbox_side_leave(r->side);
	if (rc == SQLITE_ABORT)
		return -1;
	if (rc != SQLITE_OK) {
		inbox_code_of(r->has->inbox, rc, "reading", &w->error);
		return 0;
	}
	return reader_send(r);
}

static int
list(struct reader *r, struct get *g)
{
	struct walk w = { .error.code = ERR_NONE };
	struct err e;
	uint64_t end;
	int rc = SQLITE_OK;
	sqlite3 *db;

	r->ticket = get_u64(g);
	get_filter(g, &w.filter);
	if (!get_done(g) || w.filter.after > INT64_MAX)
		return -1;
	w.left = w.filter.limit == 0 ? UINT64_MAX : w.filter.limit;
	w.low = w.filter.after;
	if ((db = inbox_side_enter(r->side, &e)) == NULL)
		return reader_end(r, w.filter.after, e.text);
	end = w.high = number(db, "SELECT coalesce(max(n), ?1) FROM events", 0,
	    &rc);
	inbox_side_leave(r->side);
	if (rc != SQLITE_OK)
		inbox_code_of(r->has->inbox, rc, "reading", &e);
	if (rc != SQLITE_OK)
		return reader_end(r, w.filter.after, e.text);
	while (w.low < w.high && w.left > 0 && w.error.code == ERR_NONE)
		if (walk_page(r, &w) == -1)
			return -1;
	/* Where to go on: behind all that was looked at. */
	if (!w.filter.newest || end < w.filter.after)
		end = w.low;
	return reader_end(r, end, w.error.text);
}

/* --- SHOW ----------------------------------------------------------------------- */

static int
show_one(struct reader *r, struct get *g)
{
	struct str id;
	struct err e = { .text = "" };
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
	uint64_t cursor = 0;
	size_t size;
	int rc, ok = 1;

	r->ticket = get_u64(g);
	id = get_str(g);
	if (!get_done(g))
		return -1;
	if ((db = inbox_side_enter(r->side, &e)) == NULL)
		return reader_end(r, 0, e.text);
	rc = sqlite3_prepare_v2(db, show, -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sql_bind(st, 1, id);
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			ok = say_row(r, st, true, &cursor, &size);
		else if (rc == SQLITE_DONE)
			err_set(&e, ERR_NOINPUT, "there is no event of this id");
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		inbox_code_of(r->has->inbox, rc, "reading", &e);
	sqlite3_finalize(st);
	inbox_side_leave(r->side);
	if (ok == -1 || (rc == SQLITE_ROW && reader_show_deliveries(r, id) == -1))
		return -1;
	return reader_end(r, cursor, ok == 1 ? e.text : "the file of its body is "
	    "missing");
}

/* --- secrets that handshakes bring -------------------------------------------------- */

#define ROWS_MOST	256

static int
window(struct reader *r, struct get *g)
{
	struct str name;
	struct err e = { .text = "" };
	uint32_t seconds;

	r->ticket = get_u64(g);
	name = get_str(g);
	seconds = get_u32(g);
	if (!get_done(g))
		return -1;
	if (r->has->captured == NULL)
		err_set(&e, ERR_CONF, "without an inbox there is no place for it");
	else if (r->has->alone)
		err_set(&e, ERR_AWAY, "the courier does not run");
	else if (captured_window(r->has->captured, name, seconds, &e) == 0 && seconds > 0)
		log_say(r->has->log, LOG_INFO_, "a window is open for the secret "
		    "\"%.*s\", for %u s", STR_ARG(str_head(name, 64)), seconds);
	return reader_end(r, 0, e.text);
}

static int
say_captured(struct reader *r, const struct captured_row *row, bool whole)
{
	struct buf secret = BUF(CAPTURED_SECRET_MAX);
	int rc;

	if (whole)
		captured_get(r->has->captured, str_of(row->name), &secret);
	buf_reset(&r->out);
	put_u64(&r->out, r->ticket);
	put_str(&r->out, str_of(row->name));
	put_u64(&r->out, (uint64_t)row->at);
	put_u32(&r->out, row->seconds);
	put_str(&r->out, buf_str(&secret));
	rc = reader_say(r, WIRE_CAPTURED_ROW, -1) == -1 ? -1 : reader_send(r);
	explicit_bzero(r->out.p, r->out.n);
	buf_wipe(&secret);
	return rc;
}

static int
list_captured(struct reader *r, struct get *g)
{
	struct captured_row rows[ROWS_MOST];
	struct str name;
	size_t n = 0;
	bool whole;

	r->ticket = get_u64(g);
	name = get_str(g);
	whole = get_u8(g) != 0;
	if (!get_done(g))
		return -1;
	if (r->has->captured != NULL)
		n = captured_list(r->has->captured, rows, ROWS_MOST);
	for (size_t i = 0; i < n; i++)
		if ((name.n == 0 || str_eq(name, str_of(rows[i].name))) &&
		    say_captured(r, &rows[i], whole) == -1)
			return -1;
	return reader_end(r, 0, r->has->captured == NULL ?
	    "without an inbox there are no secrets that were captured" : "");
}

static int
forget(struct reader *r, struct get *g)
{
	struct err e = { .text = "" };
	struct str name;

	r->ticket = get_u64(g);
	name = get_str(g);
	if (!get_done(g))
		return -1;
	if (r->has->captured == NULL)
		err_set(&e, ERR_NOINPUT, "there is no secret that was captured");
	else if (captured_forget(r->has->captured, name, &e) == 0)
		log_say(r->has->log, LOG_INFO_, "the secret \"%.*s\" is forgotten",
		    STR_ARG(str_head(name, 64)));
	return reader_end(r, 0, e.text);
}

/* --- what was counted ---------------------------------------------------------------- */

static int
counters(struct reader *r, struct get *g)
{
	struct err e = { .text = "what is counted is known to a courier that runs, and "
	    "none does" };
	unsigned how;
	int fd = -1, rc;

	r->ticket = get_u64(g);
	how = get_u8(g);
	if (get_str(g).n > 0 || !get_done(g) || how == COUNTERS_NOTHING ||
	    how > COUNTERS_SERIES)
		return -1;
	if (r->has->totals == NULL ||
	    (fd = totals_say(r->has->totals, how, &e)) == -1)
		return reader_end(r, 0, e.text);
	buf_reset(&r->out);
	put_u64(&r->out, r->ticket);
	put_u8(&r->out, how);
	put_str(&r->out, STR(""));
	rc = reader_say(r, WIRE_COUNTERS, fd);
	close(fd);
	return rc == -1 ? -1 : reader_send(r);
}

/* --- a connection ---------------------------------------------------------------- */

static int
answer(struct reader *r, const struct wire_msg *m)
{
	struct get g = GET(m->body);

	if (r->side == NULL && m->type != WIRE_WINDOW && m->type != WIRE_CAPTURED &&
	    m->type != WIRE_FORGET && m->type != WIRE_HELLO) {
		r->ticket = get_u64(&g);
		return reader_end(r, 0, "there is no inbox");
	}
	switch (m->type) {
	case WIRE_WINDOW:
		return window(r, &g);
	case WIRE_CAPTURED:
		return list_captured(r, &g);
	case WIRE_FORGET:
		return forget(r, &g);
	case WIRE_LIST:
		return list(r, &g);
	case WIRE_SHOW:
		return show_one(r, &g);
	case WIRE_DELIVERIES:
		return reader_list_deliveries(r, &g);
	case WIRE_DESTINATIONS:
		return reader_list_destinations(r, &g);
	case WIRE_PAUSE:
		return reader_pause(r, &g);
	case WIRE_REPLAY:
		return reader_replay(r, &g);
	case WIRE_DROP:
		return reader_drop(r, &g);
	case WIRE_HELLO:	/* to --read-only: nobody else has welcomed it */
		buf_reset(&r->out);
		put_u8(&r->out, 1);
		put_str(&r->out, STR(""));
		return reader_say(r, WIRE_WELCOME, -1) == -1 ? -1 : reader_send(r);
	case WIRE_COUNTERS:
		return counters(r, &g);
	default:
		return -1;
	}
}

void
reader_serve(const struct reading *has, struct wire *wire)
{
	struct reader r = { .has = has, .wire = wire, .out = BUF(WIRE_MAX) };
	struct pollfd p = { wire_fd(wire), POLLIN, 0 };
	struct wire_msg m;
	struct err e = { .code = ERR_NONE };
	int got;

	if (has->inbox != NULL &&
	    (r.side = inbox_side_new(has->inbox, true)) == NULL)
		return;
	for (;;) {
		while ((got = wire_next(wire, &m, &e)) == 1) {
			if (m.fd != -1)
				close(m.fd);
			if (answer(&r, &m) == -1)
				goto out;
		}
		if (got == -1 || poll(&p, 1, -1) == -1
		    || wire_receive(wire, &e) == -1)
			break;
	}
out:
	if (e.code == ERR_PROTOCOL)
		log_say(has->log, LOG_WARN_, "an operator is out of order: %s", e.text);
	if (r.side != NULL)
		inbox_side_free(r.side);
	buf_free(&r.out);
}

/* --- the threads ------------------------------------------------------------------ */

struct seat {
	struct readers	*all;
	struct wire	*wire;		/* NULL: free */
	pthread_t	 thread;
	bool		 used;		/* to be joined */
};

struct readers {
	struct reading	 has;
	pthread_mutex_t	 lock;
	struct seat	 seats[READERS_MOST];
};

static void *
sit(void *arg)
{
	struct seat *s = arg;
	struct wire *w = s->wire;

	pthread_setname_np(pthread_self(), "reader");
	reader_serve(&s->all->has, w);
	pthread_mutex_lock(&s->all->lock);
	s->wire = NULL;
	pthread_mutex_unlock(&s->all->lock);
	wire_free(w);
	return NULL;
}

struct readers *
readers_new(const struct reading *has)
{
	struct readers *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->has = *has;
		pthread_mutex_init(&r->lock, NULL);
	}
	return r;
}

bool
readers_give(struct readers *r, struct wire *w)
{
	struct seat *s = NULL;
	bool taken = false;
	size_t i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < READERS_MOST && s == NULL; i++)
		if (r->seats[i].wire == NULL)
			s = &r->seats[i];
	if (s != NULL) {
		if (s->used)
			pthread_join(s->thread, NULL);	/* it is at its end */
		s->all = r;
		s->wire = w;
		s->used = taken = pthread_create(&s->thread, NULL, sit, s) == 0;
		if (!taken)
			s->wire = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	return taken;
}

void
readers_stop(struct readers *r)
{
	size_t i;

	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	for (i = 0; i < READERS_MOST; i++)
		if (r->seats[i].wire != NULL)
			shutdown(wire_fd(r->seats[i].wire), SHUT_RDWR);
	pthread_mutex_unlock(&r->lock);
	for (i = 0; i < READERS_MOST; i++)
		if (r->seats[i].used)
			pthread_join(r->seats[i].thread, NULL);
	free(r);
}
