/*
 * fcgi_main.c - hooklatch.fcgi: main, and the worker's loop.
 *
 * The only file that includes libfcgi.  What libfcgi may see is decided here:
 *
 *   bytes --frame.c--> one whole request --libfcgi--> parameters and body
 *                                                          |
 *   bytes <--libfcgi-- answer <------- handler.c <---------'
 *
 * The worker frames first.  It peeks at what lies in a connection's socket; when
 * a whole request is there (the normal case) libfcgi reads it from the socket,
 * else what arrives is gathered in a memfd until it is whole, and libfcgi reads
 * that.  So libfcgi never waits, never sees half a request, and never the next.
 *
 *   READING --whole--> PARKED --answer--> READING (kept) or closed
 *      |  |               |  '--a long one--> WRITING --'
 *      |  '-- read_timeout, broken: closed
 *      '-- nothing yet    '-- the web server hung up: the event goes its way
 *
 * Source for what libfcgi does: libfcgi 2.4.2, fcgiapp.c and os_unix.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NO_FCGI_DEFINES
#include <fcgiapp.h>

#include "base/os.h"
#include "base/when.h"
#include "body.h"
#include "frame.h"
#include "handler.h"
#include "pool.h"

#define SCRATCH		(256u * 1024)	/* one look at a socket */
#define ROUND_MAX	(1024u * 1024)	/* bytes of one connection per round */
#define ACCEPT_MAX	16		/* connections per round */
#define EVENTS_MAX	256
#define ARENA_MAX	(8u * 1024 * 1024)	/* of one request, body apart */
#define ARENAS_KEPT	64
#define CONNS_MAX	16384
#define FDS_SPARE	64
#define BACKLOG		4096
#define PAUSE_MS	100		/* when accept has no descriptors */
#define DRAIN_MS	7000
#define ANSWER_AT_ONCE	(32u * 1024)	/* fits any socket: libfcgi may write it */

/* --- the worker and its connections ---------------------------------------- */

enum kind { ON_LISTENER, ON_LINK, ON_MASTER, ON_SIGNALS, ON_ASIDE, ON_CONN };

struct conn {
	enum kind	 kind;		/* ON_CONN: epoll gives us this back */
	int		 fd;
	enum { READING, PARKED, WRITING, CLOSED } state;
	struct frame	 frame;
	int		 gather;	/* memfd of a request in pieces, or -1 */
	uint64_t	 gathered;	/* bytes in it */
	uint64_t	 held;		/* bytes of the body being judged */
	int64_t		 began;		/* steady ms: its first piece came */
	enum request_fault fault;	/* the body is thrown away, and why */
	FCGX_Request	 fcgi;
	struct flight	 flight;
	struct buf	 out;		/* WRITING: records ... */
	size_t		 sent;		/* ... and how much of them is */
	struct conn	*prev, *next;	/* of all */
	struct conn	*older, *newer;	/* of those in pieces, oldest first */
};

struct worker {
	struct handler	*handler;
	struct log	*log;
	struct wire	*master;	/* NULL: no master */
	int		 listener;	/* -1: it is given its requests */
	int		 aside;		/* here; others give long ones; or -1 */
	int		 signals;
	int		 epoll;
	enum kind	 kinds[ON_CONN];	/* what epoll points to */
	bool		 listening;
	int64_t		 listen_at;	/* steady ms: accept again */
	bool		 draining;
	int64_t		 drain_by;
	unsigned	 link_serial;	/* of what epoll watches */
	bool		 link_out;
	bool		 master_out;	/* epoll watches for room to write there */
	uint64_t	 memory;	/* bytes gathered and held */
	size_t		 nconns, conns_max;
	struct conn	*conns;
	struct conn	*oldest, *newest;
	struct conn	*dead;		/* freed after the round */
	struct arena	*arenas[ARENAS_KEPT];
	size_t		 narenas;
	char		 scratch[SCRATCH];
};

static const struct conf *
conf_of(struct worker *w)
{
	return handler_setting(w->handler)->conf;
}

static struct arena *
arena_take(struct worker *w)
{
	return w->narenas > 0 ? w->arenas[--w->narenas] : arena_new(ARENA_MAX);
}

static void
arena_return(struct worker *w, struct arena *a)
{
	if (a == NULL)
		return;
	if (w->narenas == ARENAS_KEPT) {
		arena_free(a);
		return;
	}
	arena_reset(a);
	w->arenas[w->narenas++] = a;
}

static void
watch(struct worker *w, int fd, uint32_t events, void *what)
{
	struct epoll_event ev = { .events = events, .data.ptr = what };

	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		log_say(w->log, LOG_ERROR_, "epoll: %s", strerror(errno));
}

static void
listen_set(struct worker *w, bool on)
{
	if (w->listening == on || w->listener == -1)
		return;
	w->listening = on;
	if (on)
		watch(w, w->listener, EPOLLIN | EPOLLEXCLUSIVE,
		    &w->kinds[ON_LISTENER]);
	else
		epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->listener, NULL);
}

/* --- requests in pieces ------------------------------------------------------ */

static void
pieces_end(struct worker *w, struct conn *c)
{
	if (c->gather == -1)
		return;
	close(c->gather);
	c->gather = -1;
	w->memory -= c->gathered;
	c->gathered = 0;
	if (c->older != NULL)
		c->older->newer = c->newer;
	else
		w->oldest = c->newer;
	if (c->newer != NULL)
		c->newer->older = c->older;
	else
		w->newest = c->older;
	c->older = c->newer = NULL;
}

static bool
pieces_begin(struct worker *w, struct conn *c, int gather)
{
	c->gather = gather;
	if (c->gather == -1)
		return false;
	c->began = when_steady();
	c->older = w->newest;
	if (w->newest != NULL)
		w->newest->newer = c;
	else
		w->oldest = c;
	w->newest = c;
	return true;
}

static void
conn_close(struct worker *w, struct conn *c)
{
	if (c->state == CLOSED)
		return;
	if (c->state == PARKED) {
		handler_forget(w->handler, &c->flight);
		body_close(&c->flight.request);
		arena_return(w, c->flight.arena);
		c->flight.arena = NULL;
		c->fcgi.ipcFd = -1;
		FCGX_Free(&c->fcgi, 0);
		w->memory -= c->held;
	}
	pieces_end(w, c);
	w->memory -= c->out.n;
	buf_free(&c->out);
	if (c->fd != -1)
		close(c->fd);
	c->state = CLOSED;
	w->nconns--;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		w->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->next = w->dead;	/* epoll's list of this round may hold it */
	w->dead = c;
}

static void
conn_broken(struct worker *w, struct conn *c, const char *why)
{
	log_say(w->log, LOG_WARN_, "a connection was closed: %s", why);
	conn_close(w, c);
}

/* Appends to the pieces; without effect once the body is thrown away. */
static bool
pieces_add(struct worker *w, struct conn *c, const char *p, size_t n)
{
	const struct conf *conf = conf_of(w);

	if (c->fault != REQUEST_FINE)
		return true;
	if (write(c->gather, p, n) != (ssize_t)n)
		return false;
	c->gathered += n;
	w->memory += n;
	if (c->frame.stdin_at == 0)	/* parameters: at most 72 KiB of them */
		return w->memory <= conf->worker_memory;
	/* Bounded whatever comes: the walk goes on, the bytes are dropped. */
	if (c->frame.body > conf->max_body)
		c->fault = REQUEST_TOO_LARGE;
	else if (w->memory + c->frame.body > conf->worker_memory)
		c->fault = REQUEST_NO_ROOM;
	if (c->fault != REQUEST_FINE) {
		if (ftruncate(c->gather, (off_t)c->frame.stdin_at) == -1)
			return false;
		w->memory -= c->gathered - c->frame.stdin_at;
		c->gathered = c->frame.stdin_at;
	}
	return true;
}

/* --- libfcgi ------------------------------------------------------------------- */

/*
 * Lets libfcgi read one whole request from fd, and makes a struct request of it.
 * false: it could not be made; the connection is to be closed.
 */
static bool
decode(struct worker *w, struct conn *c, int fd)
{
	struct request *q = &c->flight.request;
	size_t want = c->fault == REQUEST_FINE ? (size_t)c->frame.body : 0;
	enum request_fault fault = c->fault;
	char *room;
	bool fine = false;

	FCGX_InitRequest(&c->fcgi, -1, 0);
	c->fcgi.ipcFd = fd;
	c->fcgi.keepConnection = 1;	/* or its first act is to close fd */
	if (FCGX_Accept_r(&c->fcgi) != 0)
		return false;	/* it closed fd, and ipcFd says so */
	c->fcgi.keepConnection = 1;	/* a close of its own would linger */
	if (FCGX_GetError(c->fcgi.in) != 0)
		return false;

	c->flight.arena = arena_take(w);
	if (c->flight.arena == NULL ||
	    request_init(q, c->flight.arena, c->fcgi.envp) == -1)
		return false;
	if (fault == REQUEST_FINE && want > conf_of(w)->max_body)
		fault = REQUEST_TOO_LARGE;
	if (fault == REQUEST_FINE &&
	    w->memory + want > conf_of(w)->worker_memory)
		fault = REQUEST_NO_ROOM;
	if (fault != REQUEST_FINE) {
		q->fault = fault;
		return true;
	}
	if ((room = body_open(q, want)) == NULL)
		return false;
	fine = FCGX_GetStr(room, (int)want, c->fcgi.in) == (int)want &&
	    FCGX_GetChar(c->fcgi.in) == -1 && FCGX_GetError(c->fcgi.in) == 0 &&
	    (!q->has_length || q->length == want);
	if (body_seal(q, room, want) == -1)
		return false;
	if (!fine)
		q->fault = REQUEST_CUT;
	return true;
}

/* What is left of a request that libfcgi had; it may have closed its fd. */
static void
decode_failed(struct worker *w, struct conn *c, const char *why)
{
	if (c->fcgi.ipcFd == -1 && c->gather == -1)
		c->fd = -1;
	c->fcgi.ipcFd = -1;
	FCGX_Free(&c->fcgi, 0);
	if (c->flight.arena != NULL) {
		body_close(&c->flight.request);
		arena_return(w, c->flight.arena);
		c->flight.arena = NULL;
	}
	conn_broken(w, c, why);
}

#ifdef BENCH_NULL
/* The ceiling (bench/): framing, one log line, nothing judged. */
static void conn_answer(void *, struct flight *, const struct answer *);

static void
take(struct worker *w, struct conn *c)
{
	struct answer fine = { .status = 200 };
	struct line l;

	line_begin(&l, w->log, LOG_INFO_, "request");
	line_num(&l, "status", fine.status);
	line_num(&l, "bytes", (int64_t)c->flight.request.body.n);
	line_end(&l);
	conn_answer(w, &c->flight, &fine);
}
#else
static void
take(struct worker *w, struct conn *c)
{
	handler_take(w->handler, &c->flight);
}
#endif

static void
whole(struct worker *w, struct conn *c)
{
	struct request *q = &c->flight.request;
	bool pieces = c->gather != -1;

	memset(&c->flight, 0, sizeof(c->flight));
	q->body_fd = -1;
	c->flight.owner = c;
	if (pieces && lseek(c->gather, 0, SEEK_SET) == -1) {
		conn_broken(w, c, strerror(errno));
		return;
	}
	if (!decode(w, c, pieces ? c->gather : c->fd)) {
		decode_failed(w, c, "libfcgi could not read the request");
		return;
	}
	c->fcgi.ipcFd = c->fd;
	if (q->fault == REQUEST_CUT) {
		decode_failed(w, c, "the body is not as long as announced");
		return;
	}
	pieces_end(w, c);
	c->held = q->body.n;
	w->memory += c->held;
	c->state = PARKED;
	take(w, c);
}

/* The request is answered: the next, or the end of the connection. */
static void
conn_again(struct worker *w, struct conn *c)
{
	bool keep = c->frame.keep && !w->draining;

	c->state = READING;
	c->fault = REQUEST_FINE;
	frame_init(&c->frame);
	if (!keep || c->fd == -1)
		conn_close(w, c);
}

/* What the socket takes of a long answer now. */
static void
write_more(struct worker *w, struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = c };
	ssize_t n;

	while (c->sent < c->out.n) {
		n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1) {
			conn_close(w, c);
			return;
		}
		c->sent += (size_t)n;
	}
	w->memory -= c->out.n;
	buf_free(&c->out);
	epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	conn_again(w, c);
}

static void
put_stdout(struct buf *b, unsigned id, struct str bytes)
{
	while (bytes.n > 0) {
		struct str part = str_head(bytes, FRAME_CONTENT_MAX);

		frame_put(b, FRAME_TYPE_STDOUT, id, part);
		bytes = str_skip(bytes, part.n);
	}
}

/*
 * An answer that a socket may not take at once: libfcgi would give up, so the records
 * are ours.  Nothing waits for the web server to read them.
 */
static void
answer_long(struct conn *c, struct str head, struct str body)
{
	static const char complete[8];	/* FCGI_REQUEST_COMPLETE, status 0 */

	c->fcgi.ipcFd = -1;
	FCGX_Free(&c->fcgi, 0);
	c->out = BUF(head.n + body.n + body.n / 64 + 4096);
	c->sent = 0;
	put_stdout(&c->out, c->frame.id, head);
	put_stdout(&c->out, c->frame.id, body);
	frame_put(&c->out, FRAME_TYPE_STDOUT, c->frame.id, STR(""));
	frame_put(&c->out, FRAME_TYPE_END, c->frame.id,
	    (struct str){ complete, sizeof(complete) });
}

static void
write_begin(struct worker *w, struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLOUT,
		.data.ptr = c };

	c->state = WRITING;
	w->memory += c->out.n;
	if (!buf_ok(&c->out) ||
	    epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &ev) == -1)
		conn_close(w, c);
	else
		write_more(w, c);
}

static void
answer_by_libfcgi(struct conn *c, struct str head, struct str body)
{
	if (head.n > 0) {
		FCGX_PutStr(head.p, (int)head.n, c->fcgi.out);
		FCGX_PutStr(body.p, (int)body.n, c->fcgi.out);
	} else {
		FCGX_PutS("Status: 500 Internal Server Error\r\n\r\n",
		    c->fcgi.out);
	}
	/*
	 * With keepConnection libfcgi closes only what it could not write to, and
	 * whether the connection lives on is ours to say.  A failure to write
	 * never un-stores an event: the provider tries again and is told so.
	 */
	c->fcgi.keepConnection = 1;
	FCGX_Finish_r(&c->fcgi);
	if (c->fcgi.ipcFd == -1)
		c->fd = -1;
}

/* The end of the road: handler.c calls this once for each flight. */
static void
conn_answer(void *self, struct flight *f, const struct answer *a)
{
	struct worker *w = self;
	struct conn *c = f->owner;
	char room[ANSWER_HEAD];
	struct str head = { room, answer_head(room, sizeof(room), a) };
	bool at_once = head.n == 0 || a->body.n <= ANSWER_AT_ONCE;

	if (at_once)
		answer_by_libfcgi(c, head, a->body);
	else
		answer_long(c, head, a->body);
	body_close(&f->request);
	arena_return(w, f->arena);
	f->arena = NULL;
	w->memory -= c->held;
	c->held = 0;
	if (at_once)
		conn_again(w, c);
	else
		write_begin(w, c);
}

/* --- reading ------------------------------------------------------------------- */

/* The first look: is all of it there already? */
static void
read_first(struct worker *w, struct conn *c)
{
	enum frame_state s;
	ssize_t n, took;
	size_t used;

	n = recv(c->fd, w->scratch, sizeof(w->scratch), MSG_PEEK | MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_close(w, c);
		return;
	}
	frame_init(&c->frame);
	c->fault = REQUEST_FINE;
	s = frame_feed(&c->frame, w->scratch, (size_t)n, &used);
	if (s == FRAME_WHOLE && used == (size_t)n) {
		whole(w, c);
		return;
	}
	if (s != FRAME_MORE) {
		conn_broken(w, c, s == FRAME_BROKEN ? c->frame.broken :
		    "bytes after the end of the request");
		return;
	}
	took = recv(c->fd, w->scratch, (size_t)n, MSG_DONTWAIT);
	if (took != n || !pieces_begin(w, c, memfd_create("hooklatch-request",
	    MFD_CLOEXEC)) ||
	    !pieces_add(w, c, w->scratch, (size_t)n))
		conn_broken(w, c, "a request in pieces could not be kept");
}

/* --- a new connection ------------------------------------------------------------ */

static struct conn *
conn_made(struct worker *w, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->kind = ON_CONN;
	c->fd = fd;
	c->gather = -1;
	c->next = w->conns;
	if (w->conns != NULL)
		w->conns->prev = c;
	w->conns = c;
	w->nconns++;
	watch(w, fd, EPOLLIN | EPOLLRDHUP, c);
	return c;
}

/* --- long requests -------------------------------------------------------------- */

/* What goes with the two descriptors, the connection's and that of its pieces. */
struct letter_aside {
	struct frame	 frame;
	uint64_t	 gathered;
};

union two_fds {
	struct cmsghdr	 head;
	char		 room[CMSG_SPACE(2 * sizeof(int))];
};

/* false: it is short, or nobody takes it now, and it is for us to do. */
static bool
give_aside(struct worker *w, struct conn *c)
{
	struct letter_aside l = { c->frame, c->gathered };
	struct iovec v = { &l, sizeof(l) };
	union two_fds fds = { .head = { .cmsg_len = CMSG_LEN(2 * sizeof(int)),
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = &fds, .msg_controllen = sizeof(fds) };

#ifdef TEST_NOTHING_ASIDE		/* tests/long.sh must notice */
	return false;
#endif
	if (c->fault != REQUEST_FINE || c->frame.body < POOL_LONG ||
	    w->aside == -1 || w->listener == -1 || w->draining)
		return false;
	memcpy(CMSG_DATA(&fds.head), (int [2]){ c->fd, c->gather }, 2 * sizeof(int));
	if (sendmsg(w->aside, &m, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(l))
		return false;
	/* Closed here alone: it lives on there, so epoll would not forget it. */
	epoll_ctl(w->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	conn_close(w, c);
	return true;
}

/* The letter and its two descriptors, or false: there is none now. */
static bool
letter_read(int aside, struct letter_aside *l, int got[2])
{
	struct iovec v = { l, sizeof(*l) };
	union two_fds fds;
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = &fds, .msg_controllen = sizeof(fds) };
	const struct cmsghdr *c;

	if (recvmsg(aside, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(*l) ||
	    (c = CMSG_FIRSTHDR(&m)) == NULL || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return false;
	memcpy(got, CMSG_DATA(c), 2 * sizeof(int));
	return true;
}

/* A request that another worker gave; the connection ends with its answer. */
static bool
take_aside(struct worker *w)
{
	struct letter_aside l;
	struct conn *c;
	int got[2];

	if (!letter_read(w->aside, &l, got))
		return false;
	if ((c = conn_made(w, got[0])) == NULL) {
		close(got[1]);
		return true;
	}
	c->frame = l.frame;
	c->frame.keep = false;
	pieces_begin(w, c, got[1]);
	c->gathered = l.gathered;
	w->memory += l.gathered;
	whole(w, c);
	return true;
}

/* The last piece has come: make what libfcgi will read complete. */
static void
pieces_whole(struct worker *w, struct conn *c)
{
	unsigned char end[FRAME_HEAD];

	if (c->fault != REQUEST_FINE) {
		frame_empty_stdin(c->frame.id, end);
		if (pwrite(c->gather, end, sizeof(end),
		    (off_t)c->frame.stdin_at) != sizeof(end)) {
			conn_broken(w, c, strerror(errno));
			return;
		}
	}
	if (!give_aside(w, c))
		whole(w, c);
}

static void
read_more(struct worker *w, struct conn *c)
{
	enum frame_state s = FRAME_MORE;
	size_t used, round = 0;
	ssize_t n;

	while (s == FRAME_MORE && round < ROUND_MAX) {
		n = recv(c->fd, w->scratch, sizeof(w->scratch), MSG_DONTWAIT);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			conn_broken(w, c, "cut off inside a request");
			return;
		}
		round += (size_t)n;
		s = frame_feed(&c->frame, w->scratch, (size_t)n, &used);
		if (s == FRAME_BROKEN || (s == FRAME_WHOLE &&
		    used != (size_t)n)) {
			conn_broken(w, c, s == FRAME_BROKEN ? c->frame.broken :
			    "bytes after the end of the request");
			return;
		}
		if (!pieces_add(w, c, w->scratch, (size_t)n)) {
			conn_broken(w, c, "a request in pieces could not be "
			    "kept");
			return;
		}
	}
	if (s == FRAME_WHOLE)
		pieces_whole(w, c);
}

static void
conn_ready(struct worker *w, struct conn *c)
{
	if (c->state == CLOSED)
		return;			/* earlier in this round */
	if (c->state == WRITING) {
		write_more(w, c);
		return;
	}
	if (c->state == PARKED) {
		/* Nothing may come now: either it hung up or it is out of order. */
		conn_close(w, c);
		return;
	}
	if (c->gather == -1)
		read_first(w, c);
	else
		read_more(w, c);
}

static void
accept_some(struct worker *w)
{
	struct conn *c;
	int fd;

	for (int i = 0; i < ACCEPT_MAX && w->nconns < w->conns_max; i++) {
		fd = accept4(w->listener, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd == -1) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOMEM || errno == ENOBUFS) {
				log_say(w->log, LOG_WARN_, "accept: %s",
				    strerror(errno));
				listen_set(w, false);
				w->listen_at = when_steady() + PAUSE_MS;
			}
			return;
		}
		if ((c = conn_made(w, fd)) != NULL)
			conn_ready(w, c);
	}
}

/* --- master and signals ----------------------------------------------------------- */

static void
drain(struct worker *w)
{
	struct conn *c, *next;

	if (w->draining)
		return;
	/* By now the others have ended, and nothing more is given. */
	while (w->listener == -1 && take_aside(w))
		;
	w->draining = true;
	w->drain_by = when_steady() + DRAIN_MS;
	listen_set(w, false);
	for (c = w->conns; c != NULL; c = next) {
		next = c->next;
		if (c->state == READING && c->gather == -1)
			conn_close(w, c);
	}
}

/* Queues it; tell_master() sends, at the end of the turn.  As wire_send(); frees b. */
static int
say_to_master(struct worker *w, enum wire_type type, struct buf *b, int fd)
{
	int rc = wire_send(w->master, type, buf_str(b), fd);

	buf_free(b);
	return rc;
}

/* Between two requests: what is parked keeps what it was judged by. */
static void
swap(struct worker *w, uint64_t generation, int fd)
{
	struct setting *s = NULL;
	struct bundle *b = NULL;
	struct buf out = BUF(1024);
	struct err e = { .code = ERR_NONE };
	uint64_t size;
	void *bytes;

	if (os_memfd_sealed(fd, &size, &e) == 0) {
		bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (bytes != MAP_FAILED) {
			b = bundle_read((struct str){ bytes, size }, &e);
			munmap(bytes, size);
		}
	}
	if (b != NULL)
		s = setting_new(b, "reload", generation, &e);
	put_u64(&out, generation);
	put_u8(&out, s != NULL);
	put_str(&out, s != NULL ? STR("") : str_of(e.text));
	if (s != NULL)
		handler_swap(w->handler, s);
	say_to_master(w, WIRE_SWAPPED, &out, -1);
}

static void
reloaded(struct worker *w, struct get g)
{
	bool ok = get_u8(&g) != 0;
	uint64_t at = get_u64(&g);

	if (get_done(&g))
		handler_reloaded(w->handler, ok, (int64_t)at);
}

static void
master_ready(struct worker *w)
{
	struct wire_msg m;
	struct err e;
	int got = -1;

	if (wire_receive(w->master, &e) == 0)
		while ((got = wire_next(w->master, &m, &e)) == 1) {
			struct get g = GET(m.body);
			uint64_t number = m.body.n > 0 ? get_u64(&g) : 0;

			if (m.type == WIRE_DRAIN)
				drain(w);
			else if (m.type == WIRE_BUNDLE && m.fd != -1)
				swap(w, number, m.fd);
			else if (m.type == WIRE_RELOADED)
				reloaded(w, GET(m.body));
			else if (m.type == WIRE_WRITTEN)
				handler_written(w->handler, number,
				    get_u8(&g) != 0);
			if (m.fd != -1)
				close(m.fd);
		}
	if (got == -1) {	/* the master is gone: finish, and follow */
		epoll_ctl(w->epoll, EPOLL_CTL_DEL, wire_fd(w->master), NULL);
		wire_free(w->master);
		w->master = NULL;
		drain(w);
	}
}

/*
 * "stdout:": through the master where there is one, since long lines of several
 * processes tear.
 */
static int
put_line(void *self, uint64_t ticket, struct str line)
{
	struct worker *w = self;
	struct buf b = BUF(WIRE_LINE_INLINE + 16);
	struct err e;
	int fd, rc;

	if (w->master == NULL) {
		while (line.n > 0) {
			ssize_t n = write(1, line.p, line.n);

			if (n == -1 && errno != EINTR)
				return -1;
			line = str_skip(line, n == -1 ? 0 : (size_t)n);
		}
		return 1;
	}
	put_u64(&b, ticket);
	if (line.n <= WIRE_LINE_INLINE) {
		put_str(&b, line);
		return say_to_master(w, WIRE_LINE, &b, -1);
	}
	if ((fd = os_memfd("hooklatch-line", line, &e)) == -1)
		return -1;
	put_str(&b, STR_NONE);
	rc = say_to_master(w, WIRE_LINE, &b, fd);
	close(fd);
	return rc;
}

static void
signals_ready(struct worker *w)
{
	struct signalfd_siginfo s;

	/* Who takes long requests stops last: the master says when. */
	while (read(w->signals, &s, sizeof(s)) == sizeof(s))
		if (w->listener != -1 || w->master == NULL)
			drain(w);
}

/* --- the loop ------------------------------------------------------------------------ */

static void
follow_link(struct worker *w)
{
	struct epoll_event ev = { .events = EPOLLIN,
		.data.ptr = &w->kinds[ON_LINK] };
	int fd = handler_link_fd(w->handler);
	bool out = handler_link_waiting(w->handler);
	unsigned serial = handler_link_serial(w->handler);
	int how;

	if (fd == -1) {
		w->link_serial = 0;
		return;
	}
	if (serial == w->link_serial && out == w->link_out)
		return;
	how = serial == w->link_serial ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (out)
		ev.events |= EPOLLOUT;
	if (epoll_ctl(w->epoll, how, fd, &ev) == 0) {
		w->link_serial = serial;
		w->link_out = out;
	}
}

/* What was said to the master in this turn. */
static void
tell_master(struct worker *w)
{
	struct epoll_event ev = { .events = EPOLLIN,
		.data.ptr = &w->kinds[ON_MASTER] };
	struct err e;
	bool out;

	if (w->master == NULL)
		return;
	wire_flush(w->master, &e);	/* one that is gone is found by reading */
	if ((out = wire_waiting(w->master)) == w->master_out)
		return;
	if (out)
		ev.events |= EPOLLOUT;
	if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, wire_fd(w->master), &ev) == 0)
		w->master_out = out;
}

static void
bury(struct worker *w)
{
	struct conn *c;

	while ((c = w->dead) != NULL) {
		w->dead = c->next;
		free(c);
	}
}

/* What time demands.  When to wake up next, in steady ms. */
static int64_t
attend(struct worker *w)
{
	int64_t now = when_steady(), next = handler_tick(w->handler, now);
	int64_t limit = conf_of(w)->read_timeout;

	while (w->oldest != NULL && now >= w->oldest->began + limit)
		conn_broken(w, w->oldest, "the request did not arrive in time");
	if (w->oldest != NULL && w->oldest->began + limit < next)
		next = w->oldest->began + limit;
	if (!w->draining && now >= w->listen_at)
		listen_set(w, w->nconns < w->conns_max &&
		    !handler_full(w->handler));
	if (!w->listening && !w->draining && now + PAUSE_MS < next)
		next = now + PAUSE_MS;
	if (w->draining && w->drain_by < next)
		next = w->drain_by;
	return next;
}

static void
dispatch(struct worker *w, const struct epoll_event *ev)
{
	switch (*(enum kind *)ev->data.ptr) {
	case ON_LISTENER:
		accept_some(w);
		break;
	case ON_LINK:
		/* Another's loss may have ended it earlier in this round. */
		if (handler_link_fd(w->handler) != -1)
			handler_link_ready(w->handler);
		break;
	case ON_MASTER:
		if (w->master != NULL)
			master_ready(w);
		break;
	case ON_SIGNALS:
		signals_ready(w);
		break;
	case ON_ASIDE:
		take_aside(w);
		break;
	case ON_CONN:
		conn_ready(w, ev->data.ptr);
		break;
	}
}

static void
run(struct worker *w)
{
	struct epoll_event ev[EVENTS_MAX];
	int64_t wake, left;
	int n;

	for (;;) {
		wake = attend(w);
		follow_link(w);
		bury(w);
		if (w->draining && (w->nconns == 0 ||
		    when_steady() >= w->drain_by))
			return;
		left = wake - when_steady();
		n = epoll_wait(w->epoll, ev, EVENTS_MAX,
		    left < 0 ? 0 : left > 60000 ? 60000 : (int)left);
		for (int i = 0; i < n; i++)
			dispatch(w, &ev[i]);
		handler_flush(w->handler);
		tell_master(w);
	}
}

/* As many connections as there are descriptors, some spared. */
static size_t
conns_max(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return 256;
	r.rlim_cur = r.rlim_max;	/* epoll has no use for the soft limit */
	setrlimit(RLIMIT_NOFILE, &r);
	getrlimit(RLIMIT_NOFILE, &r);
	/* Each may need three: itself, its pieces, its body. */
	if (r.rlim_cur / 3 > CONNS_MAX + FDS_SPARE)
		return CONNS_MAX;
	return r.rlim_cur / 3 > FDS_SPARE ? r.rlim_cur / 3 - FDS_SPARE : 16;
}

/*
 * A worker, until told to stop.  From here on libfcgi is alive, and only here;
 * its own signal handlers see nothing, since the signals are ours (signalfd).
 */
static int
worker_run(struct setting *setting, const struct pool_post *post, struct wire *master,
    struct log *log)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct handler_ops ops = { .answer = conn_answer, .line = put_line,
		.self = w };
	char user[64];
	struct err e;
	sigset_t set;

	if (w == NULL)
		return ERR_OS;
	w->log = log;
	w->master = master;
	w->listener = post->listener;
	w->aside = post->aside;
	for (int i = 0; i < ON_CONN; i++)
		w->kinds[i] = (enum kind)i;
	snprintf(user, sizeof(user), "%.*s",
	    STR_ARG(setting->conf->handler_user));
	/* Who becomes another is dumpable again: see prctl(2). */
	if (os_become(user, (gid_t)-1, &e) == -1 ||
	    os_guard_memory(&e) == -1) {
		log_say(log, LOG_ERROR_, "%s", e.text);
		return e.code;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (master != NULL)
		signal(SIGHUP, SIG_IGN);	/* meant for the master */
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
	if (FCGX_Init() != 0) {
		log_say(log, LOG_ERROR_, "libfcgi did not start");
		return ERR_SOFTWARE;
	}
	signal(SIGPIPE, SIG_IGN);	/* FCGX_Init put its own handler there */
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->conns_max = conns_max();
	w->handler = handler_new(setting, &ops, log,
	    (size_t)setting->conf->in_flight, &e);
	if (w->signals == -1 || w->epoll == -1 || w->handler == NULL) {
		log_say(log, LOG_ERROR_, "a worker could not start");
		return ERR_OS;
	}
	if (w->listener == -1) {
		prctl(PR_SET_NAME, "hooklatch.long");
		watch(w, w->aside, EPOLLIN, &w->kinds[ON_ASIDE]);
	} else {
		fcntl(w->listener, F_SETFL, fcntl(w->listener, F_GETFL) | O_NONBLOCK);
	}
	watch(w, w->signals, EPOLLIN, &w->kinds[ON_SIGNALS]);
	if (master != NULL)
		watch(w, wire_fd(master), EPOLLIN, &w->kinds[ON_MASTER]);
	run(w);

	while (w->conns != NULL)
		conn_close(w, w->conns);
	bury(w);
	handler_free(w->handler);
	wire_free(w->master);
	while (w->narenas > 0)
		arena_free(w->arenas[--w->narenas]);
	close(w->epoll);
	close(w->signals);
	free(w);
	return 0;
}

/* --- plain CGI: one request from the environment and stdin ------------------------- */

struct cgi {
	struct flight	 flight;
	bool		 answered;
};

static void
cgi_answer(void *self, struct flight *f, const struct answer *a)
{
	struct cgi *cgi = self;
	char head[ANSWER_HEAD];
	size_t n = answer_head(head, sizeof(head), a);

	(void)f;
	if (n > 0)
		fwrite(head, 1, n, stdout);
	else
		fputs("Status: 500 Internal Server Error\r\n\r\n", stdout);
	if (a->body.n > 0)
		fwrite(a->body.p, 1, a->body.n, stdout);
	fflush(stdout);
	cgi->answered = true;
}

static int
cgi_line(void *self, uint64_t ticket, struct str line)
{
	(void)self, (void)ticket, (void)line;
	return -1;		/* fd 1 is the answer's */
}

/*
 * To its end, though nobody wants it: mod_cgid drops the answer of a program that
 * has not read all of its input.  What it hands on is bounded by its own limit.
 */
static int
cgi_too_large(struct request *q)
{
	char waste[32 * 1024];
	ssize_t got;

	do
		got = read(0, waste, sizeof(waste));
	while (got > 0 || (got == -1 && errno == EINTR));
	q->fault = REQUEST_TOO_LARGE;
	return 0;
}

/*
 * Reads stdin to its end, or as far as was announced; a web server may leave the
 * length out (Apache's mod_cgid, of a chunked body).
 */
static int
cgi_body(struct request *q, const struct conf *conf)
{
	size_t limit = (size_t)conf->max_body, n = 0, cap;
	char *room, *grown;
	ssize_t got;

	if (q->has_length && q->length > limit)
		return cgi_too_large(q);
	cap = q->has_length ? (size_t)q->length : 64 * 1024;
	if ((room = malloc(cap + 1)) == NULL)
		return -1;
	for (;;) {
		if (n == cap && q->has_length)
			break;
		if (n == cap) {
			cap = cap * 2 > limit + 1 ? limit + 1 : cap * 2;
			if ((grown = realloc(room, cap + 1)) == NULL)
				goto no;
			room = grown;
		}
		got = read(0, room + n, cap - n);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			goto no;
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > limit) {
			free(room);
			return cgi_too_large(q);
		}
	}
	if (q->has_length && n != q->length)
		goto no;
	if ((grown = body_open(q, n)) == NULL)
		goto no;
	memcpy(grown, room, n);
	free(room);
	return body_seal(q, grown, n);
no:
	free(room);
	return -1;
}

static int
cgi_run(struct setting *s, struct log *log)
{
	struct cgi cgi = { .answered = false };
	struct handler_ops ops = { .answer = cgi_answer, .line = cgi_line,
		.self = &cgi };
	struct handler *h;
	struct request *q = &cgi.flight.request;
	struct err e;
	int64_t left;

	q->body_fd = -1;
	signal(SIGPIPE, SIG_IGN);
	h = handler_new(s, &ops, log, 1, &e);
	cgi.flight.arena = arena_new(ARENA_MAX);
	if (h == NULL || cgi.flight.arena == NULL)
		return ERR_OS;
	if (request_init(q, cgi.flight.arena, environ) == -1 ||
	    cgi_body(q, s->conf) == -1) {
		log_say(log, LOG_WARN_, "the request could not be read");
		return ERR_DATA;
	}
	handler_take(h, &cgi.flight);
	while (!cgi.answered) {
		struct pollfd p = { .fd = handler_link_fd(h),
			.events = POLLIN };

		handler_flush(h);
		if (handler_link_waiting(h))
			p.events |= POLLOUT;
		left = handler_tick(h, when_steady()) - when_steady();
		if (cgi.answered)
			break;
		if (poll(&p, 1, left < 0 ? 0 : left > 1000 ? 1000 :
		    (int)left) > 0)
			handler_link_ready(h);
	}
	body_close(q);
	arena_free(cgi.flight.arena);
	handler_free(h);
	return 0;
}

/* --- main -------------------------------------------------------------------------- */

struct options {
	const char	*conf;		/* NULL: the environment is it */
	const char	*listen;	/* "unix:PATH", "HOST:PORT", or NULL */
	unsigned	 workers;	/* 0: not given */
	int		 lifeline;
};

static void
usage(FILE *out)
{
	fputs("usage: hooklatch.fcgi [-c FILE] [-l unix:PATH|HOST:PORT] "
	    "[-w N]\n"
	    "  -c FILE   configuration; else $HOOKLATCH_CONFIG, else the "
	    "environment alone\n"
	    "  -l WHERE  make the listening socket and be the master of a "
	    "pool\n"
	    "  -w N      workers (one for each processor)\n"
	    "  --lifeline FD   stop when this pipe's other end is closed\n"
	    "  --version\n"
	    "Without -l: the socket of systemd (LISTEN_FDS) or on descriptor "
	    "0, or plain CGI.\n", out);
}

static int
options_read(struct options *o, int argc, char **argv, struct err *e)
{
	static const struct option longs[] = {
		{ "lifeline", required_argument, NULL, 'L' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t n;
	int c;

	*o = (struct options){ .conf = getenv("HOOKLATCH_CONFIG"),
		.lifeline = -1 };
	while ((c = getopt_long(argc, argv, "c:l:w:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'l':
			o->listen = optarg;
			break;
		case 'w':
			if (!str_to_u64(str_of(optarg), &n) || n < 1 ||
			    n > POOL_WORKERS_MAX)
				return err_set(e, ERR_USAGE, "-w takes a "
				    "number from 1 to %d", POOL_WORKERS_MAX);
			o->workers = (unsigned)n;
			break;
		case 'L':
			if (!str_to_u64(str_of(optarg), &n) || n > INT_MAX ||
			    fcntl((int)n, F_GETFD) == -1)
				return err_set(e, ERR_USAGE, "--lifeline: "
				    "\"%s\" is not an open descriptor", optarg);
			o->lifeline = (int)n;
			break;
		case 'V':
			puts("hooklatch.fcgi " VERSION);
			exit(0);
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(ERR_USAGE);
		}
	}
	if (optind < argc)
		return err_set(e, ERR_USAGE, "hooklatch.fcgi takes no "
		    "arguments besides options; see --help");
	return 0;
}

static int
listen_tcp(const char *where, struct log *log, struct err *e)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	const char *colon = strrchr(where, ':');
	char host[64];
	int fd, one = 1;
	uint64_t port;

	if (colon == NULL || (size_t)(colon - where) >= sizeof(host) ||
	    !str_to_u64(str_of(colon + 1), &port) || port < 1 || port > 65535)
		return err_set(e, ERR_USAGE, "-l takes unix:PATH or an IPv4 "
		    "HOST:PORT, not \"%s\"", where);
	memcpy(host, where, (size_t)(colon - where));
	host[colon - where] = '\0';
	a.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		return err_set(e, ERR_USAGE, "\"%s\" is not an IPv4 address",
		    host);
	log_say(log, LOG_WARN_, "listening on TCP %s: whoever can connect to "
	    "it can say anything in the web server's name; prefer unix:PATH",
	    where);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_set(e, ERR_OS, "socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(fd, BACKLOG) == -1) {
		err_set(e, ERR_OS, "cannot listen on %s: %s", where,
		    strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * gVisor says of no Unix socket that it listens.  One that has a name and no peer
 * was made for nothing else: so FastCGI programs have always known it.
 */
static bool
is_listening(int fd)
{
	struct sockaddr_un name = { .sun_family = AF_UNSPEC }, peer;
	socklen_t on_n = sizeof(int), name_n = sizeof(name), peer_n = sizeof(peer);
	int on = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &on_n) == -1)
		return false;
	return on || (getsockname(fd, (struct sockaddr *)&name, &name_n) == 0 &&
	    name.sun_family == AF_UNIX && name_n > sizeof(name.sun_family) &&
	    getpeername(fd, (struct sockaddr *)&peer, &peer_n) == -1 &&
	    errno == ENOTCONN);
}

/*
 * The socket: our own, systemd's, or the one on descriptor 0.  -1 with
 * e->code ERR_NONE: there is none, so this is plain CGI.
 */
static int
listener_find(const struct options *o, const struct conf *conf,
    struct log *log, struct err *e)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	gid_t gid = (gid_t)-1;
	char group[64];

	e->code = ERR_NONE;
	if (o->listen != NULL && strncmp(o->listen, "unix:", 5) == 0) {
		snprintf(group, sizeof(group), "%.*s",
		    STR_ARG(conf->socket_group));
		if (geteuid() == 0 && os_group(group, &gid, e) == -1)
			return -1;
		return os_listen_unix(o->listen + 5, 0660, gid, BACKLOG, e);
	}
	if (o->listen != NULL)
		return listen_tcp(o->listen, log, e);
	if (fds != NULL && pid != NULL && atol(pid) == (long)getpid()) {
		if (strcmp(fds, "1") != 0 || !is_listening(3))
			return err_set(e, ERR_USAGE, "LISTEN_FDS=%s: exactly "
			    "one listening socket is wanted", fds);
		fcntl(3, F_SETFD, FD_CLOEXEC);
		return 3;
	}
	if (is_listening(0))
		return 0;
	if (getenv("REQUEST_METHOD") != NULL)
		return -1;
	return err_set(e, ERR_USAGE, "no socket: give -l unix:PATH, or start "
	    "it from spawn-fcgi, systemd, mod_fcgid or as CGI; see --help");
}

static int
die(struct log *log, const struct err *e)
{
	log_say(log, LOG_ERROR_, "%s", e->text);
	return e->code;
}

/* Before anything is forked: a worker that cannot start would come again. */
static int
user_check(const struct conf *conf, struct err *e)
{
	char user[64];
	uid_t uid;
	gid_t gid;

	snprintf(user, sizeof(user), "%.*s", STR_ARG(conf->handler_user));
	if (os_user(user, &uid, &gid, e) == -1)
		return -1;
	return uid != 0 ? 0 : err_set(e, ERR_CONF, "users.handler is \"%s\": "
	    "started by root the workers must have a user that is not root",
	    user);
}

/* As the command line says, or the configuration, or one for each processor. */
static unsigned
how_many(const struct options *o, const struct conf *conf)
{
	long n = o->workers > 0 ? (long)o->workers : (long)conf->workers;

	if (n < 1)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > POOL_WORKERS_MAX ? POOL_WORKERS_MAX : (unsigned)n;
}

static void
log_where(char *where, size_t size, const struct conf *conf)
{
	snprintf(where, size, "%.*s", STR_ARG(conf->log));
}

int
main(int argc, char **argv)
{
	struct log log = { .fd = 2, .program = "hooklatch.fcgi" };
	struct options o;
	struct setting *setting;
	struct err e;
	char where[512];
	bool pool;
	int listener;

	if (os_standard_fds(&e) == -1 ||
	    options_read(&o, argc, argv, &e) == -1 ||
	    os_guard_memory(&e) == -1)		/* before there is a secret */
		return die(&log, &e);
	if ((setting = pool_read_setting(o.conf, 1, &e)) == NULL)
		return die(&log, &e);
	log_where(where, sizeof(where), setting->conf);
	if (log_open(&log, where, "hooklatch.fcgi", &e) == -1)
		return die(&log, &e);
	log.cloud = getenv("K_SERVICE") != NULL;
	log.project = getenv("GOOGLE_CLOUD_PROJECT");
	listener = listener_find(&o, setting->conf, &log, &e);
	if (listener == -1 && e.code != ERR_NONE)
		return die(&log, &e);
	if (listener == -1)
		return cgi_run(setting, &log);
	if (listener == 0 && setting->conf->inbox_kind == INBOX_STDOUT) {
		err_set(&e, ERR_CONF, "inbox \"stdout:\": descriptor 1 is not "
		    "ours when a web server or spawn-fcgi starts us; start the "
		    "pool with -l, or set another inbox");
		return die(&log, &e);
	}
	if (geteuid() == 0 && user_check(setting->conf, &e) == -1)
		return die(&log, &e);
	pool = o.listen != NULL || o.workers > 0;
	if (!pool)		/* the web server or systemd is the master */
		return worker_run(setting, &(struct pool_post){ listener, -1 }, NULL,
		    &log);
	return pool_run(&(struct pool){
		.conf_path = o.conf,
		.listener = listener,
		.unlink_path = o.listen != NULL &&
		    strncmp(o.listen, "unix:", 5) == 0 ? o.listen + 5 : NULL,
		.workers = how_many(&o, setting->conf),
		.lifeline = o.lifeline,
		.log = &log,
		.setting = setting,
		.worker = worker_run,
	});
}
