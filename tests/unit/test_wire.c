/* test_wire.c - what crosses the wall, and what ends the one who sends it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/os.h"
#include "key_source.h"
#include "test.h"
#include "wire.h"

static const char	an_id[] = "018bcfe5-687b-7000-8000-0123456789ab";

static struct event
an_event(void)
{
	struct event e = {
		.received_at = 1700000000123, .hook = STR("/hooks/github"),
		.provider = STR("github"), .event_id = STR("72d3162e\0x"),
		.event_type = STR("push"), .method = STR("POST"),
		.target = STR("/hooks/github?a=b"), .remote = STR("192.0.2.1"),
		.headers = STR("[[\"content-type\",\"application/json\"]]"),
		.body = STR("{\"a\":1}"), .body_fd = -1, .size = 7,
		.scheme = STR("hmac-sha256"), .secret = STR("env:GITHUB"),
		.signed_at = 1700000000000, .signed_bytes = true,
		.proven = false, .refuse_replay = true, .remember = 604800,
		.merge = 5, .request_id = STR("abc"), .trace = STR_NONE,
	};
	size_t i;

	memcpy(e.id, an_id, sizeof(an_id));
	for (i = 0; i < sizeof(e.digest); i++)
		e.digest[i] = (unsigned char)(i * 7);
	return e;
}

static bool
same(struct str a, struct str b)
{
	return (a.p == NULL) == (b.p == NULL) && str_eq(a, b);
}

static bool
same_event(const struct event *a, const struct event *b)
{
	return strcmp(a->id, b->id) == 0 && a->received_at == b->received_at &&
	    same(a->hook, b->hook) && same(a->provider, b->provider) &&
	    same(a->event_id, b->event_id) &&
	    same(a->event_type, b->event_type) && same(a->method, b->method) &&
	    same(a->target, b->target) && same(a->remote, b->remote) &&
	    same(a->headers, b->headers) && same(a->body, b->body) &&
	    a->size == b->size && same(a->scheme, b->scheme) &&
	    same(a->secret, b->secret) && a->signed_at == b->signed_at &&
	    a->signed_bytes == b->signed_bytes && a->proven == b->proven &&
	    a->refuse_replay == b->refuse_replay && a->remember == b->remember
	    && a->merge == b->merge && memcmp(a->digest, b->digest, 32) == 0 &&
	    same(a->request_id, b->request_id) && same(a->trace, b->trace);
}

/* --- fields --------------------------------------------------------------- */

static void
fields(void)
{
	struct buf b = BUF(100000);
	struct event e = an_event(), back;
	struct stored s = { .flags = STORED_REPEAT | STORED_OTHER_ID,
		.repeats = UINT64_MAX }, s2;
	struct filter f = { .hook = STR("/a"), .type = STR(""), .since = 5,
		.until = INT64_MAX, .after = UINT64_MAX, .limit = 7,
		.newest = true }, f2;
	struct inbox_row r = { .cursor = 9, .last_repeat_at = 11 }, r2;
	struct get g;
	size_t i, n;

	put_u8(&b, 0xfe);
	put_u16(&b, 0xfedc);
	put_u32(&b, 0xfedcba98);
	put_u64(&b, UINT64_C(0xfedcba9876543210));
	put_str(&b, STR("a\0b"));
	put_str(&b, STR(""));
	put_str(&b, STR_NONE);
	CHECK(str_eq(str_head(buf_str(&b), 15), STR("\xfe\xfe\xdc\xfe\xdc\xba"
	    "\x98\xfe\xdc\xba\x98\x76\x54\x32\x10")), "integers: big end first");
	g = GET(buf_str(&b));
	CHECK(get_u8(&g) == 0xfe && get_u16(&g) == 0xfedc && get_u32(&g) ==
	    0xfedcba98 && get_u64(&g) == UINT64_C(0xfedcba9876543210),
	    "integers there and back");
	CHECK(same(get_str(&g), STR("a\0b")) && same(get_str(&g), STR("")) &&
	    !get_done(&g) && same(get_str(&g), STR_NONE),
	    "bytes, none, and absent");
	CHECK(get_done(&g), "and nothing is left");
	CHECK(get_u8(&g) == 0 && !get_done(&g), "a byte more is not there");
	CHECK(get_u64(&g) == 0 && get_str(&g).p == NULL && g.bad,
	    "bad stays bad");
	g = GET(STR("\0\0\0\5abcd"));
	CHECK(get_str(&g).p == NULL && g.bad, "a length past the end");
	g = GET(STR("\xff\xff\xff\xfe" "abcd"));
	CHECK(get_str(&g).p == NULL && g.bad, "a length of 4 GB");
	g = GET(STR("ab"));
	get_u8(&g);
	CHECK(!get_done(&g), "a byte left over is not done");

	buf_reset(&b);
	memcpy(s.id, an_id, sizeof(an_id));
	r.event = e;
	r.stored = s;
	put_row(&b, &r);
	n = b.n;
	g = GET(((struct str){ test_flush(b.p, n), n }));
	get_row(&g, &r2);
	CHECK(get_done(&g) && r2.cursor == 9 && r2.last_repeat_at == 11 &&
	    same_event(&r2.event, &e) && r2.event.body_fd == -1 &&
	    strcmp(r2.stored.id, an_id) == 0 && r2.stored.flags == s.flags &&
	    r2.stored.repeats == UINT64_MAX, "a row there and back");
	for (i = 0; i < n; i++) {
		g = GET(((struct str){ test_flush(b.p, i), i }));
		get_row(&g, &r2);
		if (get_done(&g))
			CHECKF(0, "a row cut to %zu bytes", i);
	}
	CHECK(1, "a row that is cut is none");

	buf_reset(&b);
	e.body = STR_NONE;
	e.size = 1 << 20;
	put_event(&b, &e);
	g = GET(buf_str(&b));
	get_event(&g, &back);
	CHECK(get_done(&g) && same_event(&e, &back),
	    "an event whose body is elsewhere");
	e.body = STR("xx");
	buf_reset(&b);
	put_event(&b, &e);
	g = GET(buf_str(&b));
	get_event(&g, &back);
	CHECK(!get_done(&g), "a size that is not the body's is refused");

	/* An id becomes a file's name. */
	for (i = 0; i < 8; i++) {
		static const char *const ids[] = {
			"018BCFE5-687b-7000-8000-0123456789ab",
			"018bcfe5/687b-7000-8000-0123456789ab",
			"018bcfe5-687b-7000-8000-0123456789a/",
			"../../../../../../../../../../passwd",
			"018bcfe5-687b-7000-8000-0123456789a",
			"018bcfe5-687b-7000-8000-0123456789g",
			"018bcfe50687b-7000-8000-0123456789ab",
			"",
		};

		e = an_event();
		memset(e.id, 0, sizeof(e.id));
		memcpy(e.id, ids[i], strlen(ids[i]));
		buf_reset(&b);
		put_event(&b, &e);
		g = GET(buf_str(&b));
		get_event(&g, &back);
		CHECKF(!get_done(&g) && back.id[0] == '\0',
		    "no id of an event: \"%s\"", ids[i]);
	}
	e = an_event();
	buf_reset(&b);
	e.event_id = (struct str){ test_flush(memset(b.p, 'x', 256), 256),
		256 };
	put_event(&b, &e);
	g = GET(buf_str(&b));
	get_event(&g, &back);
	CHECK(!get_done(&g), "an event_id of 256 bytes is refused");
	e.event_id.n = 255;
	buf_reset(&b);
	put_event(&b, &e);
	g = GET(buf_str(&b));
	get_event(&g, &back);
	CHECK(get_done(&g), "one of 255 is taken");
	e = an_event();
	e.received_at = -1;
	buf_reset(&b);
	put_event(&b, &e);
	g = GET(buf_str(&b));
	get_event(&g, &back);
	CHECK(!get_done(&g), "a time before 1970 is refused");

	buf_reset(&b);
	s.id[0] = '\0';
	put_stored(&b, &s);
	g = GET(buf_str(&b));
	get_stored(&g, &s2);
	CHECK(get_done(&g) && s2.id[0] == '\0',
	    "the answer to health has no id");
	buf_reset(&b);
	s.flags = 64;
	put_stored(&b, &s);
	g = GET(buf_str(&b));
	get_stored(&g, &s2);
	CHECK(!get_done(&g), "a flag of no meaning is refused");

	buf_reset(&b);
	put_filter(&b, &f);
	g = GET(buf_str(&b));
	get_filter(&g, &f2);
	CHECK(get_done(&g) && same(f2.hook, f.hook) && f2.provider.p == NULL &&
	    same(f2.type, f.type) && f2.event_id.p == NULL && f2.since == 5 &&
	    f2.until == INT64_MAX && f2.after == UINT64_MAX && f2.limit == 7 &&
	    f2.newest && !f2.bodies, "a filter there and back");
	b.p[b.n - 1] = 2;
	g = GET(buf_str(&b));
	get_filter(&g, &f2);
	CHECK(!get_done(&g), "a truth of 2 is refused");
	buf_free(&b);

	CHECK(wire_row(WIRE_EVENT)->type == WIRE_EVENT &&
	    wire_row(WIRE_DRAIN)->limit == 0, "rows are found");
	CHECK(wire_row(0) == NULL && wire_row(15) == NULL && wire_row(255) ==
	    NULL, "what is not in the table is not");
	for (i = 0; i < 256; i++)
		CHECK(wire_row((unsigned)i) == NULL ||
		    wire_row((unsigned)i)->limit <= WIRE_MAX,
		    "no row is longer than the longest");
}

/* --- a connection ---------------------------------------------------------- */

static int
open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/* A connection and a bare socket that speaks to it. */
static struct wire *
listener(unsigned door, int *fd)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	*fd = pair[1];
	return wire_new(pair[0], door, 1 << 20);
}

/* Bytes, and with them n copies of a descriptor, 0 for none. */
static void
say(int to, struct str bytes, int fd, size_t n)
{
	union {
		struct cmsghdr	 align;
		char		 room[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = { (char *)bytes.p, bytes.n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = &control.align;
	size_t i;

	memset(&control, 0, sizeof(control));
	if (n > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		for (i = 0; i < n; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd,
			    sizeof(int));
	}
	if (sendmsg(to, &m, MSG_NOSIGNAL) != (ssize_t)bytes.n)
		abort();
}

static const struct {
	const char	*says;
	struct str	 bytes;
	unsigned	 door;
	size_t		 fds;
	int		 want;		/* of wire_next() */
} heads[] = {
#define S(lit)	{ lit, sizeof(lit) - 1 }
	{ "a message", S("\0\0\0\x08\x0c\x03\0\0" "12345678"), DOOR_WORKER, 0,
	    1 },
	{ "a message of no bytes", S("\0\0\0\0\x44\x03\0\0"), DOOR_MASTER, 0,
	    1 },
	{ "half a head", S("\0\0\0\x08"), DOOR_WORKER, 0, 0 },
	{ "half a message", S("\0\0\0\x08\x0c\x03\0\0" "1234"), DOOR_WORKER, 0,
	    0 },
	{ "a row with its descriptor", S("\0\0\0\x08\x42\x03\x01\0" "12345678"),
	    DOOR_MASTER, 1, 1 },
	{ "a row that may have one has none",
	    S("\0\0\0\x08\x42\x03\0\0" "12345678"), DOOR_MASTER, 0, 1 },
	{ "a type that is not in the table",
	    S("\0\0\0\x08\x0f\x03\0\0" "12345678"), DOOR_WORKER, 0, -1 },
	{ "type 0", S("\0\0\0\0\0\x03\0\0"), DOOR_WORKER, 0, -1 },
	{ "another door's type", S("\0\0\0\x08\x0c\x03\0\0" "12345678"),
	    DOOR_MASTER, 0, -1 },
	{ "an operator does not say event", S("\0\0\0\x08\x03\x03\0\0"),
	    DOOR_OPERATOR, 0, -1 },
	{ "a worker does not say list", S("\0\0\0\x08\x20\x03\0\0"),
	    DOOR_WORKER, 0, -1 },
	{ "one byte over the row", S("\0\0\0\x09\x0c\x03\0\0" "123456789"),
	    DOOR_WORKER, 0, -1 },
	{ "over the row, before it came", S("\0\0\0\x09\x0c\x03\0\0"),
	    DOOR_WORKER, 0, -1 },
	{ "4 GB", S("\xff\xff\xff\xff\x03\x03\0\0"), DOOR_WORKER, 0, -1 },
	{ "an older version", S("\0\0\0\x08\x0c\x02\0\0" "12345678"),
	    DOOR_WORKER, 0, -1 },
	{ "a newer version", S("\0\0\0\x08\x0c\x04\0\0" "12345678"),
	    DOOR_WORKER, 0, -1 },
	{ "an unknown flag", S("\0\0\0\x08\x0c\x03\x02\0" "12345678"),
	    DOOR_WORKER, 0, -1 },
	{ "a last byte that is not zero", S("\0\0\0\x08\x0c\x03\0\x01"
	    "12345678"), DOOR_WORKER, 0, -1 },
	{ "a flag without its descriptor",
	    S("\0\0\0\x08\x42\x03\x01\0" "12345678"), DOOR_MASTER, 0, -1 },
	{ "a descriptor where the row has none",
	    S("\0\0\0\x08\x0c\x03\x01\0" "12345678"), DOOR_WORKER, 1, -1 },
	{ "HTTP", S("GET / HTTP/1.1\r\n\r\n"), DOOR_WORKER, 0, -1 },
};

static void
strangers(void)
{
	int before = open_fds(), fd, other, i, r;
	struct wire_msg m;
	struct wire *w;
	struct err e;

	for (i = 0; (size_t)i < sizeof(heads) / sizeof(heads[0]); i++) {
		w = listener(heads[i].door, &fd);
		say(fd, heads[i].bytes, 1, heads[i].fds);
		CHECKF(wire_receive(w, &e) == 0, "received: %s", heads[i].says);
		m = (struct wire_msg){ .fd = -1 };
		e.text[0] = '\0';
		r = wire_next(w, &m, &e);
		CHECKF(r == heads[i].want, "%s: %d %s", heads[i].says, r,
		    e.text);
		CHECKF(r != -1 || (e.code == ERR_PROTOCOL && e.text[0] != '\0'),
		    "and a sentence: %s", heads[i].says);
		CHECKF((m.fd != -1) == (r == 1 && heads[i].fds == 1),
		    "its descriptor: %s", heads[i].says);
		if (m.fd != -1) {
			CHECK(fcntl(m.fd, F_GETFD) & FD_CLOEXEC,
			    "close-on-exec");
			close(m.fd);
		}
		wire_free(w);
		close(fd);
	}
	CHECK(open_fds() == before, "no descriptor is left open");

	w = listener(DOOR_WORKER, &fd);
	say(fd, STR("\0\0\0\x08\x0c\x03\0\0" "12345678"), 1, 1);
	CHECK(wire_receive(w, &e) == 0 && wire_next(w, &m, &e) == 1 && m.fd ==
	    -1 && wire_next(w, &m, &e) == -1,
	    "a descriptor that no message asks for ends it");
	wire_free(w);
	close(fd);
	for (i = 2; i <= 8; i++) {
		w = listener(DOOR_MASTER, &fd);
		say(fd, STR("\0\0\0\x08\x42\x03\x01\0" "12345678"), 1,
		    (size_t)i);
		CHECKF(wire_receive(w, &e) == -1 && e.code == ERR_PROTOCOL,
		    "%d descriptors end it", i);
		wire_free(w);
		close(fd);
	}
	CHECK(open_fds() == before, "and all of them are closed");

	/* A flood of them, with nothing read. */
	w = listener(DOOR_MASTER, &fd);
	for (i = 0; i < 100; i++) {
		say(fd, STR("\0\0\0\x08\x42\x03\x01\0" "12345678"), 1, 1);
		if (wire_receive(w, &e) == -1)
			break;
	}
	CHECK(i == 100 && open_fds() <= before + 2 + 64,
	    "only so many are held at a time");
	for (i = 0, r = 1; r == 1 && i < 1000; ) {
		if ((r = wire_next(w, &m, &e)) == 1) {
			i++;
			close(m.fd);
		} else if (r == 0 && wire_receive(w, &e) == 0 && i < 100) {
			r = 1;
		}
	}
	CHECKF(i == 100, "and none is lost: %d", i);
	wire_free(w);
	close(fd);
	CHECK(open_fds() == before, "no descriptor is left open");

	/* The end. */
	w = listener(DOOR_WORKER, &fd);
	say(fd, STR("\0\0\0\x08\x0c\x03\0\0" "12345678"), -1, 0);
	close(fd);
	CHECK(wire_receive(w, &e) == 0 && wire_next(w, &m, &e) == 1 &&
	    wire_receive(w, &e) == -1 && e.code == ERR_AWAY,
	    "what came before the end is read before it");
	CHECK(wire_send(w, WIRE_HEALTH, STR("12345678"), -1) == 0 &&
	    wire_flush(w, &e) == -1, "a peer that is gone, and no signal");
	wire_free(w);
	wire_free(NULL);

	/* A door that narrows. */
	w = listener(DOOR_WORKER | DOOR_OPERATOR, &fd);
	say(fd, STR("\0\0\0\0\x20\x03\0\0\0\0\0\x08\x03\x03\0\0"), -1, 0);
	wire_receive(w, &e);
	CHECK(wire_next(w, &m, &e) == 1 && m.type == WIRE_LIST,
	    "before hello either may speak");
	wire_door(w, DOOR_OPERATOR);
	CHECK(wire_next(w, &m, &e) == -1, "after it only the one");
	wire_free(w);
	close(fd);

	/* Byte by byte. */
	w = listener(DOOR_MASTER, &fd);
	for (i = 0; i < 16; i++) {
		struct str one = STR("\0\0\0\x08\x42\x03\x01\0" "12345678");

		CHECK(wire_next(w, &m, &e) == 0, "not whole yet");
		say(fd, str_head(str_skip(one, (size_t)i), 1), 1, i == 0);
		CHECK(wire_receive(w, &e) == 0, "a byte");
	}
	CHECK(wire_next(w, &m, &e) == 1 && m.fd != -1 && str_eq(m.body,
	    STR("12345678")), "a message byte by byte");
	close(m.fd);
	other = open_fds();
	wire_free(w);
	close(fd);
	CHECK(other == before + 2, "nothing else was opened");
}

/* Both ends at once: n messages, some with a descriptor, through full sockets. */
static void
traffic(void)
{
	int before = open_fds(), pair[2], small = 4096;
	struct wire *from, *to;
	struct buf body = BUF(WIRE_MAX);
	struct wire_msg m;
	struct err e;
	struct stat st;
	unsigned sent = 0, got = 0, rounds = 0, held = 0, want = 3000;
	uint64_t size;
	bool fine = true;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	from = wire_new(pair[0], DOOR_WORKER, 600 * 1024);
	to = wire_new(pair[1], DOOR_WORKER, 1024);
	while (got < want && rounds++ < 1000000 && fine) {
		while (sent < want) {
			size_t n = sent % 100 == 99 ? EVENT_INLINE :
			    sent * 37 % 5000;
			int fd = -1, r;

			buf_reset(&body);
			put_u32(&body, sent);
			memset(buf_take(&body, n), (int)('a' + sent % 26), n);
			if (sent % 7 == 3)
				fd = os_memfd("x", str_head(buf_str(&body), 4),
				    &e);
			r = wire_send(from, WIRE_EVENT, buf_str(&body), fd);
			if (fd != -1)
				close(fd);
			if (r == -1) {
				held++;
				break;
			}
			sent++;
		}
		fine = wire_flush(from, &e) == 0 && wire_receive(to, &e) == 0;
		for (;;) {
			struct get g;
			int r = wire_next(to, &m, &e);
			size_t n = got % 100 == 99 ? EVENT_INLINE :
			    got * 37 % 5000;

			if (r != 1) {
				fine = fine && r == 0;
				break;
			}
			g = GET(m.body);
			if (get_u32(&g) != got || g.rest.n != n || (n > 0 &&
			    (g.rest.p[0] != (char)('a' + got % 26) ||
			    g.rest.p[n - 1] != g.rest.p[0])) ||
			    (m.fd != -1) != (got % 7 == 3)) {
				fine = false;
				break;
			}
			if (m.fd != -1) {
				char four[4];

				if (os_memfd_sealed(m.fd, &size, &e) == -1 ||
				    pread(m.fd, four, 4, 0) != 4 ||
				    memcmp(four, m.body.p, 4) != 0)
					fine = false;
				close(m.fd);
			}
			got++;
		}
	}
	CHECKF(fine && got == want, "%u messages of %u arrive whole, in order, "
	    "each with its own descriptor", got, want);
	CHECK(held > 0, "the sender was told when it had to wait");
	CHECK(!wire_waiting(from) && fstat(wire_fd(to), &st) == 0,
	    "nothing waits at the end");
	wire_free(from);
	wire_free(to);
	CHECK(open_fds() == before, "no descriptor is left open");

	/* Limits on our own side. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	from = wire_new(pair[0], DOOR_WORKER, 100);
	to = wire_new(pair[1], DOOR_WORKER, 100);
	buf_reset(&body);
	buf_take(&body, 92);
	CHECK(wire_send(from, WIRE_EVENT, buf_str(&body), -1) == 0,
	    "up to the limit");
	CHECK(wire_send(from, WIRE_HEALTH, STR(""), -1) == -1 &&
	    wire_send(from, WIRE_HEALTH, STR(""), 1) == -1,
	    "past the limit nothing is queued");
	CHECK(wire_flush(from, &e) == 0 && wire_receive(to, &e) == 0 &&
	    wire_next(to, &m, &e) == 1 && m.body.n == 92 &&
	    wire_next(to, &m, &e) == 0, "and only what was queued arrives");
	CHECK(wire_send(from, WIRE_HEALTH, STR("123456789"), -1) == -1,
	    "longer than its row");
	CHECK(wire_send(from, WIRE_HEALTH, STR("12345678"), 1) == -1,
	    "a descriptor that the row does not have");
	CHECK(wire_send(from, (enum wire_type)99, STR(""), -1) == -1,
	    "a type that is not in the table");
	CHECK(!wire_waiting(from), "none of it waits");
	/* Descriptors queued and never sent. */
	for (sent = 0; sent < 5; sent++)
		wire_send(from, WIRE_EVENT, STR(""), 1);
	wire_free(from);
	wire_free(to);
	CHECK(open_fds() == before, "no descriptor is left open");
	buf_free(&body);
}

/* --- keys, secrets, what is refused ------------------------------------------------ */

/* Each row at its own door, as long as it is needed, and at no other. */
static void
doors(void)
{
	static const struct { enum wire_type type; unsigned doors; size_t needed; }
	t[] = {
		{ WIRE_WANT_KEY, DOOR_WORKER, 8 + 4 + 1000 + 1 + 4 + KEY_NAME_LEN + 1 },
		{ WIRE_KEY, DOOR_WORKER, 8 + 4 + WIRE_KEY_MAX + 4 },
		{ WIRE_ANSWER, DOOR_WORKER, 8 + 64 + 2 + 4 + SPOKEN_TYPE + 4 +
		    SPOKEN_HEADERS + 4 + SPOKEN_BODY },
		{ WIRE_WANT_SECRET, DOOR_WORKER, 8 + 4 + 1100 },
		{ WIRE_SECRET, DOOR_WORKER, 8 + 4 + 64 * 1024 },
		{ WIRE_CAPTURE, DOOR_WORKER, 8 + 4 + 4 * 65 + 4 + 512 },
		{ WIRE_QUARANTINE, DOOR_WORKER, EVENT_INLINE + 128 * 1024 },
		{ WIRE_WINDOW, DOOR_OPERATOR, 8 + 4 + 64 + 4 },
		{ WIRE_CAPTURED, DOOR_OPERATOR, 8 + 4 + 64 + 1 },
		{ WIRE_CAPTURED_ROW, DOOR_OPERATOR, 8 + 4 + 64 + 8 + 4 + 4 + 512 },
		{ WIRE_FORGET, DOOR_OPERATOR, 8 + 4 + 64 },
		{ WIRE_DELIVERIES, DOOR_OPERATOR, 8 + 4 + 64 + 4 + 64 + 4 + 8 + 8 },
		{ WIRE_DELIVERY, DOOR_OPERATOR, 8 + 8 + 40 + 1028 + 68 + 41 + 204 },
		{ WIRE_ATTEMPT, DOOR_OPERATOR, 8 + 68 + 29 + 204 + 4100 },
		{ WIRE_DESTINATIONS, DOOR_OPERATOR, 8 },
		{ WIRE_DESTINATION, DOOR_OPERATOR, 8 + 68 + 9 + 8 * DELIVERY_STATES + 24 },
		{ WIRE_PAUSE, DOOR_OPERATOR, 8 + 68 + 1 },
		{ WIRE_REPLAY, DOOR_OPERATOR, 8 + 4096 },
		{ WIRE_REPLAYED, DOOR_OPERATOR, 24 },
		{ WIRE_DROP, DOOR_OPERATOR, 8 + 68 },
	};
	static const unsigned all[] = { DOOR_WORKER, DOOR_OPERATOR, DOOR_MASTER };
	static char zeros[8];
	struct wire_msg m;
	struct err e;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct wire_row *row = wire_row(t[i].type);

		CHECKF(row != NULL && row->limit >= t[i].needed && !row->fd,
		    "%s is as long as it must be, and carries nothing",
		    row->name);
		for (size_t j = 0; j < 3; j++) {
			int fd, got;
			struct wire *w = listener(all[j], &fd);
			unsigned char head[8] = { 0, 0, 0, 8,
			    (unsigned char)t[i].type, WIRE_VERSION, 0, 0 };

			if (write(fd, head, 8) != 8 || write(fd, zeros, 8) != 8)
				abort();
			got = wire_receive(w, &e) == 0 ? wire_next(w, &m, &e) : -1;
			CHECKF(got == ((t[i].doors & all[j]) != 0 ? 1 : -1),
			    "%s at the door %u: %d", row->name, all[j], got);
			wire_free(w);
			close(fd);
		}
	}
}

/* --- deliveries ------------------------------------------------------------------------ */

/* A worker's words: who may be named, how often, and with what. */
static void
forwards(void)
{
	static const struct {
		const char *says;
		size_t to, key;
		unsigned times, extra;
		bool good;
		unsigned mode;
	} t[] = {
		{ "none", 1, 0, 0, 0, true, 0 },
		{ "one of the longest", FORWARD_NAME_MAX, FORWARD_KEY_MAX, 1, 0, true, 0 },
		{ "as many as may be", 5, 3, FORWARD_MOST, 0, true, 0 },
		{ "one too many", 5, 3, FORWARD_MOST + 1, 0, false, 0 },
		{ "a name of one byte too many", FORWARD_NAME_MAX + 1, 0, 1, 0, false, 0 },
		{ "no name", 0, 0, 1, 0, false, 0 },
		{ "a key of one byte too many", 1, FORWARD_KEY_MAX + 1, 1, 0, false, 0 },
		{ "a byte behind the last", 5, 3, 1, 1, false, 0 },
		{ "the beginning of another", 5, 3, 1, 7, false, 0 },
		{ "inside the request", 5, 3, 1, 0, true, FORWARD_ANSWER },
		{ "in a mode that there is not", 5, 3, 1, 0, false, FORWARD_MODES },
	};
	static const char zeros[512];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct buf all = BUF(100000), b = BUF(100000);
		struct forward f = { .to = { zeros, t[i].to },
		    .key = { zeros, t[i].key }, .latest = true, .delay = UINT32_MAX,
		    .mode = (enum forward_mode)t[i].mode };
		struct event e = an_event(), back;
		struct get g;

		for (unsigned k = 0; k < t[i].times; k++)
			put_forward(&all, &f);
		buf_put(&all, (struct str){ zeros, t[i].extra });
		e.deliver = buf_str(&all);
		put_event(&b, &e);
		g = GET(((struct str){ test_flush(b.p, b.n), b.n }));
		get_event(&g, &back);
		CHECKF(get_done(&g) == t[i].good, "destinations of an event: %s",
		    t[i].says);
		buf_free(&all);
		buf_free(&b);
	}
}

/* Nothing in an answer is a line of its own making. */
static void
answers(void)
{
	static const struct {
		const char *says;
		unsigned status;
		const char *type, *headers;
		size_t body;
		bool good;
	} t[] = {
		{ "one", 200, "text/plain", "Content-Language: de\r\n", 5, true },
		{ "nothing but a status", 204, "", "", 0, true },
		{ "two lines", 200, "", "A: b\r\nC: d\r\n", 0, true },
		{ "the longest", 599, "", "", SPOKEN_BODY, true },
		{ "one byte longer", 200, "", "", SPOKEN_BODY + 1, false },
		{ "status 199", 199, "", "", 0, false },
		{ "status 600", 600, "", "", 0, false },
		{ "a line's end in the type", 200, "a/b\r\nSet-Cookie: x", "", 0, false },
		{ "a line without its end", 200, "", "A: b", 0, false },
		{ "a bare line feed", 200, "", "A: b\nC: d\r\n", 0, false },
		{ "a line that is none", 200, "", "nothing\r\n", 0, false },
		{ "a line without a name", 200, "", ": b\r\n", 0, false },
		{ "the end of the head", 200, "", "A: b\r\n\r\n", 0, false },
		{ "a byte that is not ASCII", 200, "", "A: \xc3\xa4\r\n", 0, false },
	};
	static char body[SPOKEN_BODY + 1];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct buf b = BUF(SPOKEN_BODY + 4096);
		struct spoken s = { .status = t[i].status, .type = str_of(t[i].type),
		    .headers = str_of(t[i].headers), .body = { body, t[i].body } }, s2;
		struct get g;

		put_spoken(&b, &s);
		g = GET(((struct str){ test_flush(b.p, b.n), b.n }));
		get_spoken(&g, &s2);
		CHECKF(get_done(&g) == t[i].good, "an answer: %s", t[i].says);
		buf_free(&b);
	}
}

static void
delivery_rows(void)
{
	struct buf b = BUF(4096);
	struct attempt_row a = { .destination = STR("to"), .number = 3, .at = 4,
	    .outcome = OUTCOME_DEAD, .code = 599, .sentence = STR("s"),
	    .output = STR("o") }, a2;
	struct delivery_row d = { .cursor = 1, .event = STR("e"), .hook = STR("/h"),
	    .destination = STR("to"), .state = DELIVERY_LEFT_OUT,
	    .last_sentence = STR("s") }, d2;
	struct destination_row t = { .name = STR("to"), .configured = true,
	    .states = { 1, 2, 3, 4, 5 }, .oldest = 6 }, t2;
	struct get g;

	for (a.code = -1; a.code < 65535; a.code += 600) {
		buf_reset(&b);
		put_attempt_row(&b, &a);
		g = GET(buf_str(&b));
		get_attempt_row(&g, &a2);
		CHECK(get_done(&g) && a2.code == a.code && a2.outcome == a.outcome &&
		    same(a2.output, a.output), "an attempt there and back");
	}
	b.p[4 + 2 + 3 * 8 + 1] = 1;		/* the first byte of its code */
	g = GET(buf_str(&b));
	get_attempt_row(&g, &a2);
	CHECK(!get_done(&g), "a code that is none");
	buf_reset(&b);
	put_delivery_row(&b, &d);
	g = GET(buf_str(&b));
	get_delivery_row(&g, &d2);
	CHECK(get_done(&g) && d2.state == d.state && same(d2.hook, d.hook),
	    "a delivery there and back");
	b.p[8 + 5 + 6 + 6] = DELIVERY_STATES;
	g = GET(buf_str(&b));
	get_delivery_row(&g, &d2);
	CHECK(!get_done(&g), "a state that is none");
	buf_reset(&b);
	put_destination_row(&b, &t);
	g = GET(buf_str(&b));
	get_destination_row(&g, &t2);
	CHECK(get_done(&g) && t2.states[4] == 5 && t2.oldest == 6 && t2.configured,
	    "a destination there and back");
	buf_free(&b);
}

int
main(void)
{
	fields();
	forwards();
	answers();
	delivery_rows();
	doors();
	strangers();
	traffic();
	TEST_END("wire");
}
