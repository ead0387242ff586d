/* wire.c - the messages between our processes, and the connection they take. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "wire.h"

#define FLAG_FD		1	/* of the head: a descriptor rides along */
#define FDS_MAX		64	/* that may wait, on either side */
#define IN_SIZE		(WIRE_HEAD + WIRE_MAX)
#define PAPER		1024	/* a sentence, a name, a few numbers */

enum {
	W = DOOR_WORKER,
	O = DOOR_OPERATOR,
	M = DOOR_MASTER,
};

/* An event is a little shorter than the longest, so that its row fits too. */
static const struct wire_row rows[] = {
	/* type			name		doors	limit		fd */
	{ WIRE_HELLO,		"hello",	W | O,	PAPER,		false },
	{ WIRE_WELCOME,		"welcome",	W | O,	PAPER,		false },
	{ WIRE_EVENT,		"event",	W,	WIRE_MAX - 256,	true },
	{ WIRE_STORED,		"stored",	W,	64,		false },
	{ WIRE_REFUSED,		"refused",	W | O,	PAPER,		false },
	{ WIRE_WANT_KEY,	"want-key",	W,	4 * PAPER,	false },
	{ WIRE_KEY,		"key",		W, WIRE_KEY_MAX + 64,	false },
	{ WIRE_WANT_SECRET,	"want-secret",	W,	2 * PAPER,	false },
	{ WIRE_SECRET,		"secret",	W, WIRE_KEY_MAX + 64,	false },
	{ WIRE_ANSWER,		"answer",	W, SPOKEN_BODY + 2 * PAPER,	false },
	{ WIRE_COUNTERS,	"counters",	W | O,	64 * 1024,	true },
	{ WIRE_HEALTH,		"health",	W | O,	8,		false },
	{ WIRE_CAPTURE,		"capture",	W,	2 * PAPER,	false },
	{ WIRE_QUARANTINE,	"quarantine",	W,	WIRE_MAX,	false },

	{ WIRE_LIST,		"list",		O,	4 * 1024,	false },
	{ WIRE_SHOW,		"show",		O,	PAPER,		false },
	{ WIRE_ROW,		"row",		O,	WIRE_MAX,	true },
	{ WIRE_END,		"end",		O,	PAPER,		false },
	{ WIRE_WINDOW,		"window",	O,	PAPER,		false },
	{ WIRE_CAPTURED,	"captured",	O,	PAPER,		false },
	{ WIRE_CAPTURED_ROW,	"captured-row",	O,	2 * PAPER,	false },
	{ WIRE_FORGET,		"forget",	O,	PAPER,		false },
	{ WIRE_DELIVERIES,	"deliveries",	O,	PAPER,		false },
	{ WIRE_DELIVERY,	"delivery",	O,	4 * PAPER,	false },
	{ WIRE_ATTEMPT,		"attempt",	O,	64 * 1024,	false },
	{ WIRE_DESTINATIONS,	"destinations",	O,	8,		false },
	{ WIRE_DESTINATION,	"destination",	O,	PAPER,		false },
	{ WIRE_PAUSE,		"pause",	O,	PAPER,		false },
	{ WIRE_REPLAY,		"replay",	O,	8 * 1024,	false },
	{ WIRE_REPLAYED,	"replayed",	O,	24,		false },
	{ WIRE_DROP,		"drop",		O,	PAPER,		false },

	{ WIRE_BUNDLE,		"bundle",	M,	8,		true },
	{ WIRE_SWAPPED,		"swapped",	M,	PAPER,		false },
	{ WIRE_LINE,		"line",		M, WIRE_LINE_INLINE + 16,	true },
	{ WIRE_WRITTEN,		"written",	M,	9,		false },
	{ WIRE_DRAIN,		"drain",	M,	0,		false },
	{ WIRE_RELOADED,	"reloaded",	M,	9,		false },
};

const struct wire_row *
wire_row(unsigned type)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].type == type)
			return &rows[i];
	return NULL;
}

/* --- a connection ------------------------------------------------------ */

/*
 * In: bytes from .start to .end of a buffer that holds the longest message, so
 * that a message is always one view.  Descriptors wait in their own queue, in
 * order: the next message that has the flag takes the first.
 *
 * Out: bytes of many messages, sent together.  A descriptor is sent with the
 * first byte of its message and of its sendmsg(2), one each: so the other side
 * knows that one without a message is out of order.
 */
struct ride {
	size_t	 at;		/* where its message begins, in .out */
	int	 fd;
};

struct wire {
	int		 fd;
	unsigned	 door;

	char		*in;
	size_t		 start, end;
	size_t		 held;		/* of the message the caller looks at */
	int		 fds[FDS_MAX];
	size_t		 nfds;

	struct buf	 out;
	size_t		 sent;		/* of .out */
	size_t		 out_limit;
	struct ride	 rides[FDS_MAX];
	size_t		 nrides;
};

struct wire *
wire_new(int fd, unsigned door, size_t out_limit)
{
	struct wire *w = calloc(1, sizeof(*w));
	int flags = fcntl(fd, F_GETFL);

	if (w == NULL || flags == -1 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    (w->in = malloc(IN_SIZE)) == NULL) {
		free(w);
		close(fd);
		return NULL;
	}
	w->fd = fd;
	w->door = door;
	w->out_limit = out_limit;
	/* What was sent is dropped only now and then: see wire_send(). */
	w->out = BUF(out_limit > SIZE_MAX / 2 ? SIZE_MAX : 2 * out_limit);
	return w;
}

void
wire_free(struct wire *w)
{
	size_t i;

	if (w == NULL)
		return;
	for (i = 0; i < w->nfds; i++)
		close(w->fds[i]);
	for (i = 0; i < w->nrides; i++)
		close(w->rides[i].fd);
	close(w->fd);
	buf_free(&w->out);
	free(w->in);
	free(w);
}

void
wire_door(struct wire *w, unsigned door)
{
	w->door = door;
}

int
wire_fd(const struct wire *w)
{
	return w->fd;
}

/* Keeps the one descriptor that a recvmsg(2) may bring; -1 when it was more. */
static int
take_fds(struct wire *w, struct msghdr *m)
{
	struct cmsghdr *c;
	int fd, r = (m->msg_flags & MSG_CTRUNC) ? -1 : 0;

	for (c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t n, i;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (n == 1 && r == 0 && w->nfds < FDS_MAX) {
				w->fds[w->nfds++] = fd;
			} else {
				close(fd);
				r = -1;
			}
		}
	}
	return r;
}

int
wire_receive(struct wire *w, struct err *e)
{
	size_t got = 0;

	while (w->end < IN_SIZE && w->nfds < FDS_MAX) {
		union {
			struct cmsghdr	 align;
			char		 room[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = { w->in + w->end, IN_SIZE - w->end };
		struct msghdr m = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t r = recvmsg(w->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		/* What came before the end is read first; it comes again. */
		if (got > 0 && (r == 0 || (r == -1 && errno == ECONNRESET)))
			break;
		if (r == -1)
			return err_set(e, ERR_IO, "receiving: %s",
			    strerror(errno));
		if (take_fds(w, &m) == -1)
			return err_set(e, ERR_PROTOCOL,
			    "more descriptors came than messages may carry");
		if (r == 0)
			return err_set(e, ERR_AWAY,
			    "the other side has closed the connection");
		w->end += (size_t)r;
		got += (size_t)r;
	}
	return 0;
}

/* The bytes before .start and those the caller has seen. */
static void
compact(struct wire *w)
{
	if (w->start == 0)
		return;
	memmove(w->in, w->in + w->start, w->end - w->start);
	w->end -= w->start;
	w->start = 0;
}

int
wire_next(struct wire *w, struct wire_msg *m, struct err *e)
{
	const struct wire_row *row;
	struct get head;
	unsigned type, version, flags, zero;
	uint32_t length;
	size_t have;

	w->start += w->held;
	w->held = 0;
	have = w->end - w->start;
	if (have < WIRE_HEAD) {
		if (have == 0 && w->nfds > 0)
			return err_set(e, ERR_PROTOCOL,
			    "a descriptor came with no message");
		compact(w);
		return 0;
	}

	head = GET(((struct str){ w->in + w->start, WIRE_HEAD }));
	length = get_u32(&head);
	type = get_u8(&head);
	version = get_u8(&head);
	flags = get_u8(&head);
	zero = get_u8(&head);
	if (version != WIRE_VERSION)
		return err_set(e, ERR_PROTOCOL, "a message of version %u came, "
		    "and this program speaks %d: is one of the two older?",
		    version, WIRE_VERSION);
	if ((row = wire_row(type)) == NULL)
		return err_set(e, ERR_PROTOCOL,
		    "a message of the unknown type %u came", type);
	if ((row->doors & w->door) == 0)
		return err_set(e, ERR_PROTOCOL,
		    "\"%s\" is not said at this door", row->name);
	if (length > row->limit)
		return err_set(e, ERR_PROTOCOL, "\"%s\" of %lu bytes came, at "
		    "most %zu are allowed", row->name, (unsigned long)length,
		    row->limit);
	if ((flags & ~(unsigned)FLAG_FD) != 0 || zero != 0)
		return err_set(e, ERR_PROTOCOL,
		    "\"%s\" came with an unknown flag", row->name);
	if ((flags & FLAG_FD) && !row->fd)
		return err_set(e, ERR_PROTOCOL,
		    "\"%s\" may not carry a descriptor", row->name);
	if ((flags & FLAG_FD) && w->nfds == 0)
		return err_set(e, ERR_PROTOCOL,
		    "\"%s\" came without its descriptor", row->name);
	if (have - WIRE_HEAD < length) {
		compact(w);
		return 0;
	}

	m->type = row->type;
	m->body = (struct str){ w->in + w->start + WIRE_HEAD, length };
	m->fd = -1;
	if (flags & FLAG_FD) {
		m->fd = w->fds[0];
		w->nfds--;
		memmove(w->fds, w->fds + 1, w->nfds * sizeof(w->fds[0]));
	}
	w->held = WIRE_HEAD + length;
	return 1;
}

int
wire_send(struct wire *w, enum wire_type type, struct str body, int fd)
{
	const struct wire_row *row = wire_row(type);
	size_t waiting = w->out.n - w->sent;
	int dup = -1;

	if (row == NULL || body.n > row->limit || (fd != -1 && !row->fd))
		return -1;
	if (waiting > w->out_limit || w->out_limit - waiting < WIRE_HEAD ||
	    w->out_limit - waiting - WIRE_HEAD < body.n)
		return -1;
	if (fd != -1 && (w->nrides == FDS_MAX ||
	    (dup = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1))
		return -1;

	/* Rare: mostly all is sent and both go back to 0. */
	if (w->sent > w->out_limit) {
		size_t i;

		buf_drop(&w->out, w->sent);
		for (i = 0; i < w->nrides; i++)
			w->rides[i].at -= w->sent;
		w->sent = 0;
	}
	if (buf_take(&w->out, WIRE_HEAD + body.n) == NULL) {
		/* No memory now; what was queued before is still good. */
		w->out.bad = false;
		if (dup != -1)
			close(dup);
		return -1;
	}
	w->out.n -= WIRE_HEAD + body.n;
	if (dup != -1)
		w->rides[w->nrides++] = (struct ride){ w->out.n, dup };
	put_u32(&w->out, (uint32_t)body.n);
	put_u8(&w->out, type);
	put_u8(&w->out, WIRE_VERSION);
	put_u8(&w->out, dup == -1 ? 0 : FLAG_FD);
	put_u8(&w->out, 0);
	buf_put(&w->out, body);
	return 0;
}

int
wire_flush(struct wire *w, struct err *e)
{
	while (w->sent < w->out.n) {
		union {
			struct cmsghdr	 align;
			char		 room[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec iov = { .iov_base = w->out.p + w->sent };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		bool rides = w->nrides > 0 && w->rides[0].at == w->sent;
		size_t end = w->out.n;
		ssize_t r;

		if (w->nrides > (rides ? 1 : 0))
			end = w->rides[rides ? 1 : 0].at;
		iov.iov_len = end - w->sent;
		if (rides) {
			struct cmsghdr *c = &control.align;

			memset(&control, 0, sizeof(control));
			m.msg_control = &control;
			m.msg_controllen = sizeof(control);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(c), &w->rides[0].fd, sizeof(int));
		}
		r = sendmsg(w->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (r == -1)
			return err_set(e, ERR_AWAY, "sending: %s",
			    strerror(errno));
		if (rides) {
			close(w->rides[0].fd);
			w->nrides--;
			memmove(w->rides, w->rides + 1,
			    w->nrides * sizeof(w->rides[0]));
		}
		w->sent += (size_t)r;
	}
	buf_reset(&w->out);
	w->sent = 0;
	return 0;
}

bool
wire_waiting(const struct wire *w)
{
	return w->sent < w->out.n;
}

/* --- fields ------------------------------------------------------------- */

static void
put_int(struct buf *b, uint64_t v, size_t n)
{
	char *p = buf_take(b, n);
	size_t i;

	if (p != NULL)
		for (i = 0; i < n; i++)
			p[i] = (char)(v >> (8 * (n - 1 - i)));
}

void
put_u8(struct buf *b, unsigned v)
{
	put_int(b, v, 1);
}

void
put_u16(struct buf *b, unsigned v)
{
	put_int(b, v, 2);
}

void
put_u32(struct buf *b, uint32_t v)
{
	put_int(b, v, 4);
}

void
put_u64(struct buf *b, uint64_t v)
{
	put_int(b, v, 8);
}

void
put_str(struct buf *b, struct str s)
{
	if (s.p == NULL) {
		put_u32(b, UINT32_MAX);
	} else if (s.n >= UINT32_MAX) {
		b->bad = true;
	} else {
		put_u32(b, (uint32_t)s.n);
		buf_put(b, s);
	}
}

static struct str
get_bytes(struct get *g, size_t n)
{
	struct str s;

	if (g->bad || g->rest.n < n) {
		g->bad = true;
		return STR_NONE;
	}
	s = str_head(g->rest, n);
	g->rest = str_skip(g->rest, n);
	return s;
}

static uint64_t
get_int(struct get *g, size_t n)
{
	struct str s = get_bytes(g, n);
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		v = v << 8 | (unsigned char)s.p[i];
	return v;
}

unsigned
get_u8(struct get *g)
{
	return (unsigned)get_int(g, 1);
}

unsigned
get_u16(struct get *g)
{
	return (unsigned)get_int(g, 2);
}

uint32_t
get_u32(struct get *g)
{
	return (uint32_t)get_int(g, 4);
}

uint64_t
get_u64(struct get *g)
{
	return get_int(g, 8);
}

struct str
get_str(struct get *g)
{
	uint32_t n = get_u32(g);

	if (g->bad || n == UINT32_MAX)
		return STR_NONE;
	return get_bytes(g, n);
}

bool
get_done(const struct get *g)
{
	return !g->bad && g->rest.n == 0;
}

static bool
get_bool(struct get *g)
{
	unsigned v = get_u8(g);

	if (v > 1)
		g->bad = true;
	return v == 1;
}

/* Not negative: times of our own, in ms. */
static int64_t
get_time(struct get *g)
{
	uint64_t v = get_u64(g);

	if (v > INT64_MAX) {
		g->bad = true;
		return 0;
	}
	return (int64_t)v;
}

/*
 * An id becomes a file's name on the other side, so it is one or it is nothing:
 * lower-case hex and four hyphens.  Empty where there is no event (health).
 */
static void
get_id(struct get *g, char id[EVENT_ID_LEN + 1], bool may_be_empty)
{
	struct str s = get_str(g);
	size_t i;

	id[0] = '\0';
	if (s.n == 0 && may_be_empty)
		return;
	if (s.n != EVENT_ID_LEN) {
		g->bad = true;
		return;
	}
	for (i = 0; i < EVENT_ID_LEN; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
		char c = s.p[i];

		if (hyphen ? c != '-' : !((c >= '0' && c <= '9') ||
		    (c >= 'a' && c <= 'f'))) {
			g->bad = true;
			return;
		}
	}
	memcpy(id, s.p, EVENT_ID_LEN);
	id[EVENT_ID_LEN] = '\0';
}

void
put_event(struct buf *b, const struct event *e)
{
	put_str(b, str_of(e->id));
	put_u64(b, (uint64_t)e->received_at);
	put_str(b, e->hook);
	put_str(b, e->provider);
	put_str(b, e->event_id);
	put_str(b, e->event_type);
	put_str(b, e->method);
	put_str(b, e->target);
	put_str(b, e->remote);
	put_str(b, e->headers);
	put_u64(b, e->size);
	put_str(b, e->scheme);
	put_str(b, e->secret);
	put_u64(b, (uint64_t)e->signed_at);
	put_u8(b, e->signed_bytes);
	put_u8(b, e->proven);
	put_u8(b, e->refuse_replay);
	put_str(b, (struct str){ (const char *)e->digest, sizeof(e->digest) });
	put_u32(b, e->remember);
	put_u32(b, e->merge);
	put_str(b, e->request_id);
	put_str(b, e->trace);
	put_str(b, e->deliver);
	put_u32(b, e->within);
	put_str(b, e->body);
}

void
put_forward(struct buf *b, const struct forward *f)
{
	put_str(b, f->to);
	put_str(b, f->key);
	put_u8(b, f->latest);
	put_u32(b, f->delay);
	put_u8(b, f->mode);
}

void
get_forward(struct get *g, struct forward *f)
{
	f->to = get_str(g);
	f->key = get_str(g);
	f->latest = get_bool(g);
	f->delay = get_u32(g);
	f->mode = (enum forward_mode)get_u8(g);
	if (f->mode >= FORWARD_MODES || f->to.n == 0 || f->to.n > FORWARD_NAME_MAX || f->key.n > FORWARD_KEY_MAX)
		g->bad = true;
}

/* What a worker says is looked through before it is believed: all of it, or none. */
static bool
forwards_valid(struct str deliver)
{
	struct get g = GET(deliver);
	struct forward f;
	unsigned n;

	for (n = 0; g.rest.n > 0 && !g.bad && n <= FORWARD_MOST; n++)
		get_forward(&g, &f);
	return !g.bad && n <= FORWARD_MOST;
}

void
get_event(struct get *g, struct event *e)
{
	struct str digest;

	*e = (struct event){ .body_fd = -1 };
	get_id(g, e->id, false);
	e->received_at = get_time(g);
	e->hook = get_str(g);
	e->provider = get_str(g);
	e->event_id = get_str(g);
	e->event_type = get_str(g);
	e->method = get_str(g);
	e->target = get_str(g);
	e->remote = get_str(g);
	e->headers = get_str(g);
	e->size = get_u64(g);
	e->scheme = get_str(g);
	e->secret = get_str(g);
	e->signed_at = get_time(g);
	e->signed_bytes = get_bool(g);
	e->proven = get_bool(g);
	e->refuse_replay = get_bool(g);
	digest = get_str(g);
	if (digest.n == sizeof(e->digest))
		memcpy(e->digest, digest.p, sizeof(e->digest));
	else
		g->bad = true;
	e->remember = get_u32(g);
	e->merge = get_u32(g);
	e->request_id = get_str(g);
	e->trace = get_str(g);
	e->deliver = get_str(g);
	e->within = get_u32(g);
	e->body = get_str(g);
	if (e->event_id.n > EVENT_ID_MAX || !forwards_valid(e->deliver) ||
	    (e->body.p != NULL && e->body.n != e->size))
		g->bad = true;
}

void
put_stored(struct buf *b, const struct stored *s)
{
	put_str(b, str_of(s->id));
	put_u8(b, s->flags);
	put_u64(b, s->repeats);
}

void
get_stored(struct get *g, struct stored *s)
{
	*s = (struct stored){ .flags = 0 };
	get_id(g, s->id, true);
	s->flags = get_u8(g);
	s->repeats = get_u64(g);
	if (s->flags & ~(unsigned)(STORED_REPEAT | STORED_OTHER_BODY |
	    STORED_OTHER_ID))
		g->bad = true;
}

void
put_spoken(struct buf *b, const struct spoken *s)
{
	put_u16(b, s->status);
	put_str(b, s->type);
	put_str(b, s->headers);
	put_str(b, s->body);
}

/* Whole lines, each "Name: value" and CRLF. */
static bool
lines_valid(struct str lines)
{
	struct str line;

	if (lines.n > 0 && !str_ends(lines, STR("\r\n")))
		return false;
	while (lines.n > 0) {
		line = str_cut(&lines, '\n');
		if (!str_ends(line, STR("\r")))
			return false;
		line = str_head(line, line.n - 1);
		if (str_find(line, ':') < 1 || !str_printable(line))
			return false;
	}
	return true;
}

void
get_spoken(struct get *g, struct spoken *s)
{
	s->status = get_u16(g);
	s->type = get_str(g);
	s->headers = get_str(g);
	s->body = get_str(g);
	if (s->status < 200 || s->status > 599 || s->type.n > SPOKEN_TYPE ||
	    (s->type.n > 0 && !str_printable(s->type)) || s->headers.n > SPOKEN_HEADERS ||
	    !lines_valid(s->headers) || s->body.n > SPOKEN_BODY)
		g->bad = true;
}

void
put_filter(struct buf *b, const struct filter *f)
{
	put_str(b, f->hook);
	put_str(b, f->provider);
	put_str(b, f->type);
	put_str(b, f->event_id);
	put_u64(b, (uint64_t)f->since);
	put_u64(b, (uint64_t)f->until);
	put_u64(b, f->after);
	put_u64(b, f->limit);
	put_u8(b, f->newest);
	put_u8(b, f->bodies);
}

void
get_filter(struct get *g, struct filter *f)
{
	f->hook = get_str(g);
	f->provider = get_str(g);
	f->type = get_str(g);
	f->event_id = get_str(g);
	f->since = get_time(g);
	f->until = get_time(g);
	f->after = get_u64(g);
	f->limit = get_u64(g);
	f->newest = get_bool(g);
	f->bodies = get_bool(g);
}

void
put_row(struct buf *b, const struct inbox_row *r)
{
	put_u64(b, r->cursor);
	put_event(b, &r->event);
	put_stored(b, &r->stored);
	put_u64(b, (uint64_t)r->last_repeat_at);
}

void
get_row(struct get *g, struct inbox_row *r)
{
	r->cursor = get_u64(g);
	get_event(g, &r->event);
	get_stored(g, &r->stored);
	r->last_repeat_at = get_time(g);
}

void
put_deliveries_filter(struct buf *b, const struct deliveries_filter *f)
{
	put_str(b, f->event);
	put_str(b, f->destination);
	put_u32(b, f->states);
	put_u64(b, f->after);
	put_u64(b, f->limit);
}

void
get_deliveries_filter(struct get *g, struct deliveries_filter *f)
{
	f->event = get_str(g);
	f->destination = get_str(g);
	f->states = get_u32(g);
	f->after = get_u64(g);
	f->limit = get_u64(g);
	if (f->after > INT64_MAX)
		g->bad = true;
}

void
put_delivery_row(struct buf *b, const struct delivery_row *r)
{
	put_u64(b, r->cursor);
	put_str(b, r->event);
	put_str(b, r->hook);
	put_str(b, r->destination);
	put_u8(b, r->state);
	put_u64(b, r->tries);
	put_u64(b, r->made);
	put_u64(b, (uint64_t)r->since);
	put_u64(b, (uint64_t)r->due);
	put_u64(b, (uint64_t)r->last_at);
	put_str(b, r->last_sentence);
}

void
get_delivery_row(struct get *g, struct delivery_row *r)
{
	unsigned state;

	r->cursor = get_u64(g);
	r->event = get_str(g);
	r->hook = get_str(g);
	r->destination = get_str(g);
	state = get_u8(g);
	g->bad |= state >= DELIVERY_STATES;
	r->state = (enum delivery_state)(g->bad ? 0 : state);
	r->tries = get_u64(g);
	r->made = get_u64(g);
	r->since = get_time(g);
	r->due = get_time(g);
	r->last_at = get_time(g);
	r->last_sentence = get_str(g);
}

void
put_attempt_row(struct buf *b, const struct attempt_row *r)
{
	put_str(b, r->destination);
	put_u64(b, r->number);
	put_u64(b, (uint64_t)r->at);
	put_u64(b, r->took);
	put_u8(b, r->outcome);
	put_u32(b, (uint32_t)(r->code + 1));
	put_str(b, r->sentence);
	put_str(b, r->output);
}

void
get_attempt_row(struct get *g, struct attempt_row *r)
{
	unsigned outcome;
	uint32_t code;

	r->destination = get_str(g);
	r->number = get_u64(g);
	r->at = get_time(g);
	r->took = get_u64(g);
	outcome = get_u8(g);
	g->bad |= outcome < OUTCOME_DONE || outcome > OUTCOME_DEAD;
	r->outcome = (enum outcome)(g->bad ? OUTCOME_LATER : outcome);
	code = get_u32(g);
	g->bad |= code > 0xffff;
	r->code = (int)(g->bad ? 0 : code) - 1;
	r->sentence = get_str(g);
	r->output = get_str(g);
}

void
put_destination_row(struct buf *b, const struct destination_row *r)
{
	put_str(b, r->name);
	put_u8(b, r->configured);
	put_u64(b, (uint64_t)r->paused);
	for (size_t i = 0; i < DELIVERY_STATES; i++)
		put_u64(b, r->states[i]);
	put_u64(b, r->running);
	put_u64(b, r->closed_for);
	put_u64(b, (uint64_t)r->oldest);
}

void
get_destination_row(struct get *g, struct destination_row *r)
{
	r->name = get_str(g);
	r->configured = get_bool(g);
	r->paused = get_time(g);
	for (size_t i = 0; i < DELIVERY_STATES; i++)
		r->states[i] = get_u64(g);
	r->running = get_u64(g);
	r->closed_for = get_u64(g);
	r->oldest = get_time(g);
}

void
put_replay(struct buf *b, const struct replay *r)
{
	put_str(b, r->event);
	put_str(b, r->to);
	put_u32(b, r->states);
	put_u32(b, r->rate);
	put_u8(b, r->dry);
}

void
get_replay(struct get *g, struct replay *r)
{
	r->event = get_str(g);
	r->to = get_str(g);
	r->states = get_u32(g);
	r->rate = get_u32(g);
	r->dry = get_bool(g);
}
