/*
 * torture.c - FastCGI as no web server sends it, to a pool on a Unix socket.
 *
 *	torture guarded SOCKET		hooklatch.fcgi: each attack must fail
 *	torture bare SOCKET		tests/tool/unframed.c: each must succeed
 *	torture nginx MEASURE BARE GUARDED SOCKET
 *					the forgery through nginx, see below
 *	torture flood SOCKET		many large bodies at once: prints how many
 *					were taken and how many refused
 *	torture patience SOCKET		prints after how many ms a request that
 *					never ends is cut off; 4000: never
 *
 * The same attacks, written once, go to both.  Against the guarded pool a promise
 * is checked: no answer to what is not one whole request, exactly one to what is.
 * Against the bare one the harm is checked: an attack that does nothing there
 * proves nothing here.
 *
 * The configuration that both serve (tests/torture.sh writes it):
 *	/hooks/signed	github, secret "s3cret"
 *	/hooks/open	takes anything from anybody
 *	/hooks/json	takes JSON from anybody
 *	/hooks/small	takes up to 4096 bytes from anybody
 *	/hooks/inside	takes anything, from 10.6.6.6 alone
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/unit/test.h"

enum { BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6,
	GET_VALUES = 9 };

#define READ_SIZE	8192	/* of libfcgi, one refill of its buffer */
#define SOON		1000	/* ms: a pool that answers has done so by then */
#define STREAM_MAX	(1 << 18)

static const char *socket_path;
static bool guarded;

/* --- a stream of records ------------------------------------------------------ */

struct stream {
	unsigned char	p[STREAM_MAX];
	size_t		n;
	/* Where each record begins, so that others can be put between. */
	size_t		at[4096];
	size_t		nat;
};

static void
put(struct stream *s, const void *p, size_t n)
{
	if (n > sizeof(s->p) - s->n)
		abort();
	memcpy(s->p + s->n, p, n);
	s->n += n;
}

static void
record(struct stream *s, unsigned type, unsigned id, const void *p, size_t n)
{
	unsigned char pad = (unsigned char)(-n & 7);
	unsigned char head[8] = { 1, (unsigned char)type,
		(unsigned char)(id >> 8), (unsigned char)id,
		(unsigned char)(n >> 8), (unsigned char)n, pad, 0 };
	static const unsigned char zeros[8];

	if (s->nat < sizeof(s->at) / sizeof(s->at[0]))
		s->at[s->nat++] = s->n;
	put(s, head, sizeof(head));
	put(s, p, n);
	put(s, zeros, pad);
}

static void
begin(struct stream *s, unsigned id, bool keep)
{
	unsigned char b[8] = { 0, 1, keep };

	record(s, BEGIN, id, b, sizeof(b));
}

static size_t
pair(unsigned char *out, const char *name, const char *value)
{
	size_t nn = strlen(name), vn = strlen(value), at = 0;

	out[at++] = (unsigned char)nn;
	if (vn < 128) {
		out[at++] = (unsigned char)vn;
	} else {
		out[at++] = (unsigned char)(0x80 | vn >> 24);
		out[at++] = (unsigned char)(vn >> 16);
		out[at++] = (unsigned char)(vn >> 8);
		out[at++] = (unsigned char)vn;
	}
	memcpy(out + at, name, nn);
	memcpy(out + at + nn, value, vn);
	return at + nn + vn;
}

/* A request, and how its records are cut. */
struct shape {
	const char	*uri;
	const char	*length;	/* CONTENT_LENGTH; NULL: as it is */
	const char	*remote;
	const char	*type;
	const void	*body;
	size_t		 nbody;
	size_t		 stdin_part;	/* bytes of a STDIN record; 0: all */
	bool		 pairs_apart;	/* a PARAMS record for each pair */
	bool		 close;		/* no FCGI_KEEP_CONN */
	bool		 no_length;	/* CONTENT_LENGTH is not sent */
};

static void
params(struct stream *s, unsigned id, const struct shape *q)
{
	char length[32];
	const char *const all[][2] = {
		{ "REQUEST_METHOD", "POST" },
		{ "REQUEST_URI", q->uri },
		{ "REMOTE_ADDR", q->remote != NULL ? q->remote : "127.0.0.1" },
		{ "CONTENT_TYPE", q->type != NULL ? q->type : "text/plain" },
		{ "HTTP_HOST", "localhost" },
		{ "CONTENT_LENGTH", q->length != NULL ? q->length : length },
	};
	unsigned char room[4096];
	size_t n = 0;

	snprintf(length, sizeof(length), "%zu", q->nbody);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (q->no_length && strcmp(all[i][0], "CONTENT_LENGTH") == 0)
			continue;
		n += pair(room + n, all[i][0], all[i][1]);
		if (q->pairs_apart) {
			record(s, PARAMS, id, room, n);
			n = 0;
		}
	}
	if (n > 0)
		record(s, PARAMS, id, room, n);
	record(s, PARAMS, id, "", 0);
}

static void
content(struct stream *s, unsigned id, const struct shape *q)
{
	size_t part = q->stdin_part > 0 ? q->stdin_part : 32768, n;

	for (size_t at = 0; at < q->nbody; at += n) {
		n = q->nbody - at < part ? q->nbody - at : part;
		record(s, STDIN, id, (const char *)q->body + at, n);
	}
	record(s, STDIN, id, "", 0);
}

static void
request(struct stream *s, unsigned id, const struct shape *q)
{
	begin(s, id, !q->close);
	params(s, id, q);
	content(s, id, q);
}

/* --- connections ----------------------------------------------------------------- */

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
fail(const char *what)
{
	fprintf(stderr, "torture: %s: %s\n", what, strerror(errno));
	exit(71);
}

static int
dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		fail("socket");
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", socket_path);
	for (int i = 0; connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1; i++) {
		if (i == 100)
			fail(socket_path);
		poll(NULL, 0, 20);	/* its backlog is full */
	}
	return fd;
}

/* All of it, or as much as the other side takes. */
static void
say(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t took = send(fd, at, n, MSG_NOSIGNAL);

		if (took <= 0)
			return;
		at += took;
		n -= (size_t)took;
	}
}

/* What came back: the answers, in order, and whether the end was seen. */
struct heard {
	unsigned	answers;	/* END_REQUESTs after a "Status:" */
	unsigned	ends;		/* END_REQUESTs */
	int		status[16];
	long		body[16];	/* X-Body: of the bare worker; -1 without */
	bool		closed;
	unsigned char	in[65536];
	size_t		nin;
	char		text[4096];	/* STDOUT of the answer being read */
	size_t		ntext;
};

static void
heard_end(struct heard *h)
{
	const char *x;

	h->text[h->ntext] = '\0';
	h->ends++;
	if (strncmp(h->text, "Status: ", 8) == 0 && h->answers < 16) {
		x = strstr(h->text, "X-Body: ");
		h->body[h->answers] = x == NULL ? -1 : atol(x + 8);
		h->status[h->answers++] = atoi(h->text + 8);
	}
	h->ntext = 0;
}

static void
heard_take(struct heard *h)
{
	size_t at = 0, n, whole;

	while (h->nin - at >= 8) {
		const unsigned char *r = h->in + at;

		n = (size_t)r[4] << 8 | r[5];
		whole = 8 + n + r[6];
		if (h->nin - at < whole)
			break;
		if (r[1] == STDOUT && n < sizeof(h->text) - h->ntext) {
			memcpy(h->text + h->ntext, r + 8, n);
			h->ntext += n;
		} else if (r[1] == END) {
			heard_end(h);
		}
		at += whole;
	}
	memmove(h->in, h->in + at, h->nin - at);
	h->nin -= at;
}

/* Listens until there are enough answers, the end, or ms have passed. */
static void
hear(int fd, struct heard *h, unsigned enough, int ms)
{
	int64_t until = now_ms() + ms, left;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while (h->ends < enough && !h->closed &&
	    (left = until - now_ms()) >= 0) {
		if (poll(&p, 1, (int)left) != 1)
			break;
		n = recv(fd, h->in + h->nin, sizeof(h->in) - h->nin, 0);
		if (n <= 0) {
			h->closed = true;
			return;
		}
		h->nin += (size_t)n;
		heard_take(h);
	}
}

/* Sends a stream on a new connection, then hangs up if told to, and listens. */
static struct heard
try_bytes(const void *p, size_t n, bool hang_up, unsigned enough, int ms)
{
	static struct heard h;
	int fd = dial();

	memset(&h, 0, sizeof(h));
	say(fd, p, n);
	if (hang_up)
		shutdown(fd, SHUT_WR);
	hear(fd, &h, enough, ms);
	close(fd);
	return h;
}

/* --- an ordinary request --------------------------------------------------------- */

static const struct shape ordinary = { .uri = "/hooks/open", .body = "hello",
	.nbody = 5, .close = true };

/* Is it answered 200 in time?  How long it took goes to *us, if not NULL. */
static bool
good(int ms, int64_t *us)
{
	static struct stream s;
	struct heard h;
	int64_t began = now_us();

	s.n = s.nat = 0;
	request(&s, 1, &ordinary);
	h = try_bytes(s.p, s.n, false, 1, ms);
	if (us != NULL)
		*us = now_us() - began;
	return h.answers == 1 && h.status[0] == 200;
}

/*
 * The verdict on an attack: harm is what an unguarded worker suffers.  After
 * each attack an ordinary request must be served all the same.
 */
static void
judge(const char *name, bool promise, bool harm)
{
	if (guarded) {
		CHECKF(promise, "%s", name);
		CHECKF(good(5000, NULL), "%s: an ordinary request is served after "
		    "it", name);
	} else {
		CHECKF(harm, "%s: the attack bites where nothing guards", name);
	}
}

/* --- the attacks -------------------------------------------------------------------- */

/* The web server dies, or lies, after each byte of a request. */
static void
cut_after_every_byte(void)
{
	static struct stream s;
	struct shape q = ordinary;
	struct heard h;
	unsigned answered = 0, served = 0, tried = 0;

	q.pairs_apart = true;
	q.stdin_part = 2;
	s.n = s.nat = 0;
	request(&s, 1, &q);
	for (size_t n = 0; n < s.n; n++) {
		h = try_bytes(s.p, n, true, 1, SOON);
		answered += h.answers;
		tried++;
		if (guarded && n % 16 == 0)
			served += good(5000, NULL);
	}
	if (guarded)
		CHECKF(served == (s.n + 15) / 16, "ordinary requests are served "
		    "between %u cut ones (%u)", tried, served);
	judge("a request cut after any byte is never answered", answered == 0,
	    answered > 0);
}

/* FCGI_ABORT_REQUEST before, between and after all records. */
static void
abort_in_every_place(void)
{
	static struct stream whole, s;
	struct shape q = ordinary;
	struct heard h;
	unsigned answered = 0;

	q.pairs_apart = true;
	q.stdin_part = 1;
	whole.n = whole.nat = 0;
	request(&whole, 1, &q);
	for (size_t i = 0; i <= whole.nat; i++) {
		size_t at = i < whole.nat ? whole.at[i] : whole.n;

		s.n = s.nat = 0;
		put(&s, whole.p, at);
		record(&s, ABORT, 1, "", 0);
		put(&s, whole.p + at, whole.n - at);
		h = try_bytes(s.p, s.n, true, 1, SOON);
		answered += h.answers;
	}
	judge("a request aborted in any place is never answered",
	    answered == 0, answered > 0);
}

/* CONTENT_LENGTH is not what comes. */
static void
wrong_lengths(void)
{
	static const char *const lengths[] = { "0", "1", "4", "6", "5000",
		"99999999999", "18446744073709551615", "18446744073709551621",
		"-5", "+5", "5x", "0x5", "5 5", "5,5" };
	static struct stream s;
	struct shape q = ordinary;
	struct heard h;
	unsigned accepted = 0, right = 0;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		q.length = lengths[i];
		s.n = s.nat = 0;
		request(&s, 1, &q);
		h = try_bytes(s.p, s.n, true, 1, SOON);
		if (h.answers > 0 && h.status[0] / 100 == 2) {
			accepted++;
			if (guarded)
				printf("CONTENT_LENGTH \"%s\" was taken for 5\n",
				    lengths[i]);
		}
	}
	judge("a body that is not as long as announced is never accepted",
	    accepted == 0, accepted > 0);

	/* Without a length, or with an empty one, all that comes is the body. */
	q.length = "";
	s.n = s.nat = 0;
	request(&s, 1, &q);
	h = try_bytes(s.p, s.n, true, 1, SOON);
	right += h.answers == 1 && h.status[0] == 200;
	q.no_length = true;
	s.n = s.nat = 0;
	request(&s, 1, &q);
	h = try_bytes(s.p, s.n, true, 1, SOON);
	right += h.answers == 1 && h.status[0] == 200;
	CHECK(right == 2, "no length, or an empty one, is no lie");
}

/*
 * A record of no bytes and of another request id makes libfcgi drop the content
 * of the next one.
 */
static void
poisoned_record(void)
{
	static const unsigned types[] = { ABORT, PARAMS, STDIN, 8, 11 };
	static struct stream s;
	struct shape q = ordinary;
	struct heard h;
	unsigned answered = 0, robbed = 0;

	q.no_length = true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		s.n = s.nat = 0;
		begin(&s, 1, false);
		params(&s, 1, &q);
		record(&s, types[i], 7, "", 0);
		content(&s, 1, &q);
		h = try_bytes(s.p, s.n, true, 1, SOON);
		answered += h.answers;
		robbed += h.answers > 0 && h.status[0] == 200 && h.body[0] == 0;
	}
	judge("a record that poisons the next ends the connection",
	    answered == 0, robbed > 0);
}

/* The parameters end at a pair, or inside one; the connection ends or not. */
static void
half_parameters(void)
{
	static struct stream s;
	unsigned char room[256];
	size_t n, uri;
	struct heard h;
	unsigned answered = 0;

	/* All that would make it another request is missing: the method's pair
	 * and the URI's are there, then the connection is lost. */
	n = pair(room, "REQUEST_METHOD", "POST");
	n += uri = pair(room + n, "REQUEST_URI", "/hooks/open");
	s.n = s.nat = 0;
	begin(&s, 1, false);
	record(&s, PARAMS, 1, room, n);
	h = try_bytes(s.p, s.n, true, 1, SOON);
	answered += h.answers;

	/* Ended by the empty record, at each byte inside of a pair. */
	for (size_t cut = n - uri + 1; cut < n; cut++) {
		s.n = s.nat = 0;
		begin(&s, 1, false);
		record(&s, PARAMS, 1, room, cut);
		record(&s, PARAMS, 1, "", 0);
		record(&s, STDIN, 1, "", 0);
		h = try_bytes(s.p, s.n, true, 1, SOON);
		answered += h.answers;
	}
	judge("half of the parameters are no parameters", answered == 0,
	    answered > 0);
}

/* The id changes on the way. */
static void
changing_ids(void)
{
	static struct stream s;
	struct shape q = ordinary;
	struct heard h;
	unsigned answered = 0;

	q.no_length = true;
	s.n = s.nat = 0;		/* the body is another request's */
	begin(&s, 1, false);
	params(&s, 1, &q);
	record(&s, STDIN, 2, "hello", 5);
	record(&s, STDIN, 1, "", 0);
	h = try_bytes(s.p, s.n, true, 1, SOON);
	answered += h.answers;

	s.n = s.nat = 0;		/* one of the parameters is */
	q.pairs_apart = true;
	begin(&s, 1, false);
	params(&s, 1, &q);
	s.p[s.at[3] + 3] = 2;
	content(&s, 1, &q);
	h = try_bytes(s.p, s.n, true, 1, SOON);
	answered += h.answers;
	judge("a record of another id ends the connection", answered == 0,
	    answered > 0);
}

/* A second BEGIN_REQUEST while the first is open. */
static void
second_begin(void)
{
	static struct stream whole, s;
	struct shape q = ordinary;
	struct heard h;
	unsigned answered = 0, ends = 0;

	q.pairs_apart = true;
	whole.n = whole.nat = 0;
	request(&whole, 1, &q);
	for (size_t i = 1; i < whole.nat; i++)
		for (unsigned id = 1; id <= 2; id++) {
			s.n = s.nat = 0;
			put(&s, whole.p, whole.at[i]);
			begin(&s, id, false);
			put(&s, whole.p + whole.at[i], whole.n - whole.at[i]);
			h = try_bytes(s.p, s.n, true, 2, SOON);
			answered += h.answers;
			ends += h.ends;
		}
	judge("a second BEGIN_REQUEST ends the connection",
	    answered == 0 && ends == 0, answered > 0);
}

/* Bytes after the end: a next request that is there too early. */
static void
bytes_after_the_end(void)
{
	static struct stream s;
	struct shape q = ordinary;
	struct heard h;
	bool none, lost;

	q.close = false;
	s.n = s.nat = 0;
	request(&s, 1, &q);
	request(&s, 1, &q);
	h = try_bytes(s.p, s.n, false, 2, SOON);
	none = h.answers == 0 && h.closed;
	lost = h.answers == 1;		/* libfcgi swallows the second */
	judge("what comes after a request ends the connection", none, lost);

	s.n = s.nat = 0;
	request(&s, 1, &q);
	put(&s, "x", 1);
	h = try_bytes(s.p, s.n, true, 2, SOON);
	judge("even one byte of it", h.answers == 0, h.answers == 1);
}

/* Four names in one GET_VALUES overflow a buffer of libfcgi 2.4.2. */
static void
management_record(void)
{
	static struct stream s;
	unsigned char room[512];
	struct heard h;
	size_t n = 0;

	for (int i = 0; i < 6; i++)
		n += pair(room + n, "FCGI_MAX_CONNS", "");
	s.n = s.nat = 0;
	record(&s, GET_VALUES, 0, room, n);
	put(&s, "\0\0\0\0\0\0\0\0", 8);
	h = try_bytes(s.p, s.n, true, 1, SOON);
	/* Nothing at all comes from the bare worker either: it died of it, and
	 * its parent says so (tests/torture.sh looks there). */
	judge("a management record ends the connection",
	    h.answers == 0 && h.ends == 0 && h.nin == 0, true);
}

/* Two names of different lengths, too many parameters, a NUL, another role. */
static void
out_of_order(void)
{
	static unsigned char room[80 * 1024];
	static struct stream s;
	struct shape q = ordinary;
	struct heard h;
	size_t n;

	for (int kind = 0; kind < 6; kind++) {
		s.n = s.nat = 0;
		begin(&s, 1, false);
		n = pair(room, "REQUEST_METHOD", "POST");
		n += pair(room + n, "REQUEST_URI", "/hooks/open");
		switch (kind) {
		case 0:			/* a NUL: "REQUEST_URI" of libfcgi */
			n += pair(room + n, "HTTP_XXX", "x");
			room[n - 5] = '\0';
			break;
		case 1:			/* 600 pairs */
			for (int i = 0; i < 600; i++)
				n += pair(room + n, "HTTP_A", "1");
			break;
		case 2:			/* longer than the record says */
			n += pair(room + n, "HTTP_A", "1");
			room[n - 8] = 200;
			break;
		case 3:			/* an empty name */
			n += pair(room + n, "", "x");
			break;
		case 4:			/* the role of an Authorizer */
			s.p[8 + 1] = 2;
			break;
		case 5:			/* version 2 */
			s.p[0] = 2;
			break;
		}
		record(&s, PARAMS, 1, room, n);
		record(&s, PARAMS, 1, "", 0);
		content(&s, 1, &q);
		h = try_bytes(s.p, s.n, true, 1, SOON);
		CHECKF(!guarded || h.answers == 0, "out of order, kind %d, is not "
		    "answered", kind);
	}
	/* 76 KiB of parameters in two records. */
	s.n = s.nat = 0;
	begin(&s, 1, false);
	memset(room, 'a', sizeof(room));
	for (int i = 0; i < 2; i++) {
		room[0] = 1;
		room[1] = 0x80;
		room[2] = 0;
		room[3] = 38000 >> 8;
		room[4] = (unsigned char)38000;
		record(&s, PARAMS, 1, room, 5 + 1 + 38000);
	}
	record(&s, PARAMS, 1, "", 0);
	content(&s, 1, &q);
	h = try_bytes(s.p, s.n, true, 1, SOON);
	CHECK(!guarded || h.answers == 0, "76 KiB of parameters are too many");
}

/* Kept connections, many requests, in pieces of every size. */
static void
kept_and_in_pieces(void)
{
	static struct stream s;
	static struct heard h;
	struct shape q = ordinary;
	int fd = dial();
	unsigned right = 0;

	q.close = false;
	q.stdin_part = 3;
	for (unsigned i = 1; i <= 300; i++) {
		s.n = s.nat = 0;
		request(&s, i * 200, &q);
		memset(&h, 0, sizeof(h));
		for (size_t at = 0; at < s.n; at += i)
			say(fd, s.p + at, s.n - at < i ? s.n - at : i);
		hear(fd, &h, 1, 5000);
		right += h.answers == 1 && h.status[0] == 200;
		if (i % 50 == 1)
			poll(NULL, 0, 5);
	}
	close(fd);
	CHECKF(right == 300, "300 requests on one connection, each in pieces, are "
	    "answered once (%u)", right);
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

#define PEERS	8		/* twice two workers, silent, and as many slow */

/* Peers that say nothing, or a byte now and then, while others work. */
static void
silent_and_trickling(void)
{
	static struct stream s;
	static int64_t us[200000];
	static char filler[4000];
	struct shape q = { .uri = "/hooks/signed", .type = "application/json",
		.body = filler, .nbody = sizeof(filler) };
	int fd[PEERS];
	size_t at[PEERS], n = 0;
	unsigned bad = 0;
	int64_t end, next = 0, took;

	memset(filler, ' ', sizeof(filler));
	s.n = s.nat = 0;
	request(&s, 1, &q);
	for (int i = 0; i < PEERS; i++) {
		fd[i] = dial();
		at[i] = 0;
		if (i % 2 == 0)		/* past its parameters, into its body */
			say(fd[i], s.p, at[i] = 400);
	}
	poll(NULL, 0, 200);
	end = now_ms() + 4000;
	while (now_ms() < end && n < sizeof(us) / sizeof(us[0])) {
		if (now_ms() >= next) {
			next = now_ms() + 100;
			for (int i = 0; i < PEERS; i += 2)
				say(fd[i], s.p + at[i]++, 1);
		}
		if (good(1000, &took))
			us[n++] = took;
		else
			bad++;
	}
	for (int i = 0; i < PEERS; i++)
		close(fd[i]);
	qsort(us, n, sizeof(us[0]), by_size);
	printf("%s: beside %d silent and %d trickling peers %zu good answers in "
	    "4 s, %u without one, p50 %lld us, p99 %lld us\n",
	    guarded ? "guarded" : "bare", PEERS / 2, PEERS / 2, n, bad,
	    n > 0 ? (long long)us[n / 2] : -1,
	    n > 0 ? (long long)us[n * 99 / 100] : -1);
	judge("silent and trickling peers hold up nobody", bad == 0 && n >= 100,
	    bad > 0 && n < 100);
}

/* --- the forgery -------------------------------------------------------------------- */

/*
 * libfcgi reads 8192 bytes at a time, and what a worker leaves unread of a body
 * is read as the next request.  So the second request is put into the body of the
 * first exactly where libfcgi's buffer ends; first: how many bytes of the stream
 * come before the body's.
 */
static void
forge(unsigned char *body, size_t n, size_t first)
{
	static struct stream s;
	struct shape q = { .uri = "/hooks/inside", .remote = "10.6.6.6",
		.body = "forged", .nbody = 6, .close = true };

	memset(body, 'x', n);
	s.n = s.nat = 0;
	request(&s, 1, &q);
	if (first > READ_SIZE || READ_SIZE - first + s.n > n)
		abort();
	memcpy(body + READ_SIZE - first, s.p, s.n);
}

static const struct forgery {
	const char	*uri;
	const char	*type;
	int		 status;
} forgeries[] = {
	{ "/hooks/json", "application/json", 400 },
	{ "/hooks/signed", "application/json", 401 },
	{ "/hooks/nowhere", "text/plain", 404 },
	{ "/hooks/small", "text/plain", 413 },
};
#define FORGERIES	(sizeof(forgeries) / sizeof(forgeries[0]))

static void
forged_requests(void)
{
	static unsigned char body[12000];
	static struct stream s;
	static struct heard h;
	char name[80];

	for (size_t i = 0; i < FORGERIES; i++) {
		struct shape q = { .uri = forgeries[i].uri,
			.type = forgeries[i].type, .body = body,
			.nbody = sizeof(body) };
		int fd = dial(), status = forgeries[i].status;
		bool one, two;

		s.n = s.nat = 0;
		begin(&s, 1, true);
		params(&s, 1, &q);
		forge(body, sizeof(body), s.n + 8);
		content(&s, 1, &q);
		memset(&h, 0, sizeof(h));
		say(fd, s.p, s.n);
		hear(fd, &h, 2, SOON);
		one = h.answers == 1 && h.ends == 1 && h.status[0] == status;
		two = h.answers == 2 && h.status[0] == status &&
		    h.status[1] == 200;
		if (one) {		/* and the connection is in order */
			struct shape next = ordinary;

			s.n = s.nat = 0;
			request(&s, 2, &next);
			say(fd, s.p, s.n);
			hear(fd, &h, 2, SOON);
			one = h.answers == 2 && h.status[1] == 200;
		}
		close(fd);
		snprintf(name, sizeof(name), "a request forged inside the body of "
		    "one that is answered %d is not run", status);
		judge(name, one, two);
	}
}

/* --- limits ----------------------------------------------------------------------------- */

#define FLOOD		24
#define FLOOD_BODY	900000

/* Bodies that are all but complete, at once; then their ends. */
static void
flood(void)
{
	static char zeros[FLOOD_BODY];
	static struct heard h;
	static struct stream s;
	struct shape q = { .uri = "/hooks/open", .close = true };
	unsigned taken = 0, refused = 0, other = 0, between = 0;
	char length[16];
	int fd[FLOOD];

	snprintf(length, sizeof(length), "%d", FLOOD_BODY);
	q.length = length;
	memset(zeros, 'z', sizeof(zeros));
	for (int i = 0; i < FLOOD; i++) {
		fd[i] = dial();
		s.n = s.nat = 0;
		begin(&s, 1, false);
		params(&s, 1, &q);
		say(fd[i], s.p, s.n);
		for (size_t at = 0; at < FLOOD_BODY; at += 30000) {
			s.n = s.nat = 0;
			record(&s, STDIN, 1, zeros + at, 30000);
			say(fd[i], s.p, s.n);
		}
		between += good(2000, NULL);
	}
	for (int i = 0; i < FLOOD; i++) {
		memset(&h, 0, sizeof(h));
		s.n = s.nat = 0;
		record(&s, STDIN, 1, "", 0);
		say(fd[i], s.p, s.n);
		hear(fd[i], &h, 1, 5000);
		taken += h.answers == 1 && h.status[0] == 200;
		refused += h.answers == 1 && h.status[0] == 503;
		other += h.answers != 1 ||
		    (h.status[0] != 200 && h.status[0] != 503);
		close(fd[i]);
	}
	printf("taken %u\nrefused %u\nother %u\nbetween %u\n", taken, refused,
	    other, between);
}

/* A byte every 100 ms: no read waits long, the whole request does. */
static void
patience(void)
{
	static struct heard h;
	static struct stream s;
	static const char body[8000];
	int fd = dial();
	int64_t began = now_ms();
	size_t at = 400;

	s.n = s.nat = 0;
	begin(&s, 1, false);
	params(&s, 1, &(struct shape){ .uri = "/hooks/open", .length = "9000" });
	record(&s, STDIN, 1, body, sizeof(body));
	memset(&h, 0, sizeof(h));
	say(fd, s.p, at);
	while (!h.closed && now_ms() - began < 4000) {
		say(fd, s.p + at++, 1);
		hear(fd, &h, 1, 100);
	}
	close(fd);
	printf("cut %lld\nanswers %u\n", (long long)(now_ms() - began), h.answers);
}

/* --- the forgery through nginx -------------------------------------------------------- */

static int
dial_port(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
		fail("connecting to nginx");
	return fd;
}

/*
 * Head and body apart, with a pause: so nginx finds the whole body in one buffer of
 * its own, and sends it in one record.
 */
static int
post(const char *port, const struct forgery *f, const void *body, size_t n)
{
	char head[512];
	int fd = dial_port(port), len;

	len = snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", f->uri, f->type, n);
	say(fd, head, (size_t)len);
	poll(NULL, 0, 100);
	say(fd, body, n);
	return fd;
}

/* The answer's status, or -1. */
static int
answer_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[4096];
	ssize_t got;

	if (poll(&p, 1, 5000) != 1 ||
	    (got = recv(fd, text, sizeof(text) - 1, 0)) < 13)
		return -1;
	text[got] = '\0';
	return atoi(text + 9);
}

/*
 * How many bytes nginx sends before those of the body: it is asked to send such a
 * request to us.
 */
static size_t
measure(int listener, const char *port, const struct forgery *f, size_t n)
{
	static char body[65536], got[65536];
	size_t have = 0;
	ssize_t r;
	char *at = NULL;
	int fd, front;

	memset(body, 'x', n);
	memcpy(body, "MARKER", 6);
	front = post(port, f, body, n);
	if ((fd = accept(listener, NULL, NULL)) == -1)
		fail("accept");
	while (at == NULL && have < sizeof(got)) {
		if ((r = recv(fd, got + have, sizeof(got) - have, 0)) <= 0)
			fail("nginx did not send it");
		have += (size_t)r;
		at = memmem(got, have, "MARKER", 6);
	}
	close(fd);
	close(front);
	if (at == NULL)
		fail("no marker");
	return (size_t)(at - got);
}

/*
 * Sends each forgery through nginx to the bare pool and to the guarded one.  What
 * nginx makes of a second answer does not matter: the pools' logs tell what ran.
 */
static void
through_nginx(const char *measuring, const char *bare, const char *ours,
    const char *path)
{
	static unsigned char body[12000];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (listener == -1 || bind(listener, (struct sockaddr *)&a,
	    sizeof(a)) == -1 || listen(listener, 8) == -1 ||
	    chmod(path, 0666) == -1)
		fail(path);
	for (size_t i = 0; i < FORGERIES; i++) {
		const struct forgery *f = &forgeries[i];
		size_t first = measure(listener, measuring, f, sizeof(body));
		int status;

		forge(body, sizeof(body), first);
		fd = post(bare, f, body, sizeof(body));
		status = answer_of(fd);
		poll(NULL, 0, 300);
		close(fd);
		CHECKF(status == f->status, "nginx and the bare pool answer %d (%d)",
		    f->status, status);
		fd = post(ours, f, body, sizeof(body));
		status = answer_of(fd);
		poll(NULL, 0, 300);
		close(fd);
		CHECKF(status == f->status, "nginx and the pool answer %d (%d)",
		    f->status, status);
	}
	close(listener);
	unlink(path);
}

int
main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "nginx") == 0) {
		through_nginx(argv[2], argv[3], argv[4], argv[5]);
		TEST_END("torture through nginx");
	}
	if (argc == 3 && (strcmp(argv[1], "flood") == 0 ||
	    strcmp(argv[1], "patience") == 0)) {
		socket_path = argv[2];
		(argv[1][0] == 'f' ? flood : patience)();
		return 0;
	}
	if (argc != 3 || (strcmp(argv[1], "guarded") != 0 &&
	    strcmp(argv[1], "bare") != 0)) {
		fputs("usage: torture guarded|bare|flood|patience SOCKET\n"
		    "       torture nginx MEASURE BARE GUARDED SOCKET\n", stderr);
		return 64;
	}
	guarded = strcmp(argv[1], "guarded") == 0;
	socket_path = argv[2];
	CHECK(good(5000, NULL), "an ordinary request is answered 200");
	cut_after_every_byte();
	abort_in_every_place();
	wrong_lengths();
	poisoned_record();
	half_parameters();
	changing_ids();
	second_begin();
	bytes_after_the_end();
	out_of_order();
	if (guarded)
		kept_and_in_pieces();
	forged_requests();
	silent_and_trickling();
	management_record();
	TEST_END(guarded ? "torture" : "torture of the bare pool");
}
