/*
 * putter.c - a worker without a web server: says events to a courier.
 *
 *	putter [options] SOCKET put		one line for each answer
 *	putter [options] SOCKET health
 *	putter [options] SOCKET list		one line for each row
 *	putter [options] SOCKET show		-i ID; the body on stdout
 *
 * With -R COURIER -C FILE it starts COURIER --read-only and speaks to that.
 *
 * An answer is "stored ID FLAGS REPEATS" or "refused REASON WHY"; no answer
 * because the courier went away is "gone".  Exit status: 0 all stored (or
 * listed), 1 something was refused, 2 the courier is away, 3 it spoke nonsense.
 *
 * For tests and measurements; nothing of it is installed.
 */
#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../base/digest.h"
#include "../../base/os.h"
#include "../../base/when.h"
#include "../../wire.h"

static struct options {
	uint64_t	 n;		/* events */
	uint64_t	 window;	/* in flight */
	uint64_t	 size;		/* of a body */
	const char	*file;		/* the body, instead */
	const char	*hook;
	const char	*id;		/* ours */
	const char	*event_id;	/* of the first; "%" becomes its number */
	const char	*signs;		/* what is said to be signed */
	bool		 proven;
	bool		 refuse_replay;
	uint64_t	 merge;
	const char	*courier;	/* to be started, instead of SOCKET */
	const char	*conf;		/* its file */
	uint64_t	 timeout;	/* ms of silence */
	bool		 quiet;		/* only a summary */
	bool		 raw;		/* a message that is none */
	uint64_t	 after, limit;
	uint64_t	 headers;	/* more of them, of 1000 bytes each */
	bool		 newest;
} o = { .n = 1, .window = 64, .size = 7168, .hook = "/hooks/test",
	.timeout = 10000 };

static int64_t
micros(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void
die(int status, const char *what, const char *why)
{
	fprintf(stderr, "putter: %s: %s\n", what, why);
	exit(status);
}

/* --- a body ------------------------------------------------------------------ */

/* The same bytes for the same number: they can be checked later. */
static void
body_make(struct buf *b, uint64_t number)
{
	struct err e;
	char *p;
	size_t n;

	buf_reset(b);
	if (o.file != NULL) {
		if ((p = os_read_file(o.file, 64 << 20, &n, &e)) == NULL)
			die(3, o.file, e.text);
		buf_put(b, (struct str){ p, n });
		free(p);
		return;
	}
	buf_printf(b, "{\"number\":%" PRIu64 ",\"filler\":\"", number);
	if (b->n + 2 < o.size) {
		n = (size_t)o.size - b->n - 2;
		p = buf_take(b, n);
		memset(p, 'x', n);
	}
	buf_printf(b, "\"}");
}

static void
event_fill(struct event *ev, uint64_t number, struct str body, char *event_id)
{
	static char headers[128 * 1024];
	size_t n;
	unsigned char dice[10];
	const char *at;

	memset(ev, 0, sizeof(*ev));
	ev->body_fd = -1;
	ev->received_at = when_now();
	if (os_random(dice, sizeof(dice)) == -1)
		die(3, "random", strerror(errno));
	event_mint(ev->id, ev->received_at, dice);
	if (o.id != NULL)
		snprintf(ev->id, sizeof(ev->id), "%s", o.id);
	ev->hook = str_of(o.hook);
	ev->provider = STR("test");
	if (o.event_id != NULL) {
		at = strchr(o.event_id, '%');
		if (at == NULL)
			snprintf(event_id, 300, "%s", o.event_id);
		else
			snprintf(event_id, 300, "%.*s%" PRIu64 "%s",
			    (int)(at - o.event_id), o.event_id, number, at + 1);
		ev->event_id = str_of(event_id);
	}
	ev->event_type = STR("push");
	ev->method = STR("POST");
	ev->target = str_of(o.hook);
	ev->remote = STR("127.0.0.1");
	n = (size_t)snprintf(headers, sizeof(headers), "[[\"content-type\","
	    "\"application/json\"],[\"user-agent\",\"putter\"],"
	    "[\"x-event\",\"push\"]");
	for (uint64_t i = 0; i < o.headers && n + 1200 < sizeof(headers); i++)
		n += (size_t)snprintf(headers + n, sizeof(headers) - n,
		    ",[\"x-more-%d\",\"%01000d\"]", (int)i, 0);
	ev->headers = (struct str){ headers, n + (size_t)snprintf(headers + n,
	    sizeof(headers) - n, "]") };
	ev->body = body;
	ev->size = body.n;
	ev->scheme = STR("none");
	ev->proven = o.proven;
	ev->refuse_replay = o.refuse_replay;
	ev->merge = (uint32_t)o.merge;
	ev->remember = 3600;
	if (o.signs != NULL) {
		ev->signed_bytes = true;
		ev->scheme = STR("hmac-sha256");
		ev->secret = STR("env:TEST");
		digest_sha256(strcmp(o.signs, "body") == 0 ? body
		    : str_of(o.signs), ev->digest);
	}
}

/* --- the wire ------------------------------------------------------------------ */

/* The courier's end is descriptor 3 of the child. */
static int
courier_start(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		die(3, "socketpair", strerror(errno));
	switch (fork()) {
	case -1:
		die(3, "fork", strerror(errno));
		break;
	case 0:
		close(pair[0]);
		if (pair[1] != 3 && dup2(pair[1], 3) == -1)
			_exit(127);
		execl(o.courier, o.courier, "-c", o.conf, "--read-only",
		    "--operator-fd", "3", (char *)NULL);
		_exit(127);
	default:
		close(pair[1]);
	}
	return pair[0];
}

static struct wire *
say_hello(const char *path, enum wire_role role)
{
	struct buf b = BUF(1024);
	struct wire *w;
	struct err e;
	int fd;

	fd = o.courier != NULL ? courier_start() : os_connect_unix(path, &e);
	if (fd == -1)
		die(2, path, e.text);
	w = wire_new(fd, role == ROLE_WORKER ? DOOR_WORKER : DOOR_OPERATOR,
	    256u << 20);
	put_u8(&b, role);
	put_u32(&b, (uint32_t)getpid());
	put_str(&b, STR("putter"));
	if (w == NULL || wire_send(w, WIRE_HELLO, buf_str(&b), -1) == -1)
		die(3, path, "no HELLO");
	buf_free(&b);
	return w;
}

/* The next message; false: the courier is gone. */
static bool
hear(struct wire *w, struct wire_msg *m)
{
	struct pollfd p = { wire_fd(w), POLLIN, 0 };
	struct err e;
	bool open;
	int got;

	/* Who takes no more may still have answered. */
	for (;;) {
		open = wire_flush(w, &e) == 0;
		if ((got = wire_next(w, m, &e)) == -1)
			die(3, "courier", e.text);
		if (got == 1)
			return true;
		p.events = (short)(POLLIN
		    | (open && wire_waiting(w) ? POLLOUT : 0));
		if (poll(&p, 1, (int)o.timeout) == 0)
			die(2, "courier", "it does not answer");
		if (wire_receive(w, &e) == -1)
			return false;
	}
}

/* --- put ------------------------------------------------------------------------ */

static int
compare(const void *a, const void *z)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)z;

	return (x > y) - (x < y);
}

static void
put_one(struct wire *w, uint64_t number, bool health)
{
	static struct buf body = BUF(65u << 20), msg = BUF(WIRE_MAX);
	char event_id[300];
	struct event ev;
	struct err e;
	int fd = -1;

	buf_reset(&msg);
	put_u64(&msg, number);
	if (!health) {
		body_make(&body, number);
		event_fill(&ev, number, buf_str(&body), event_id);
		if (ev.size > EVENT_INLINE) {
			if ((fd = os_memfd("body", ev.body, &e)) == -1)
				die(3, "memfd", e.text);
			ev.body = STR_NONE;
		}
		put_event(&msg, &ev);
	}
	if (o.raw)
		buf_drop(&msg, 3);
	if (!buf_ok(&msg) || wire_send(w, health ? WIRE_HEALTH : WIRE_EVENT,
	    buf_str(&msg), fd) == -1)
		die(3, "put", "does not fit");
	if (fd != -1)
		close(fd);
}

static int
answer(struct wire_msg *m, uint64_t *ticket)
{
	struct get g = GET(m->body);
	struct stored s;
	unsigned why;
	struct str text;

	*ticket = get_u64(&g);
	if (m->type == WIRE_STORED) {
		get_stored(&g, &s);
		if (!o.quiet)
			printf("stored %s %u %" PRIu64 "\n", s.id[0] == '\0' ? "-"
			    : s.id, s.flags, s.repeats);
		return 0;
	}
	why = get_u8(&g);
	text = get_str(&g);
	if (!o.quiet)
		printf("refused %u %.*s\n", why, STR_ARG(text));
	return 1;
}

static int
put_many(const char *path, bool health)
{
	struct wire *w = say_hello(path, ROLE_WORKER);
	int64_t *when = calloc(o.n, sizeof(*when)), start = micros(), took;
	uint64_t sent = 0, heard = 0, ticket, refused = 0;
	struct wire_msg m;
	bool gone = false;

	while (heard < o.n) {
		while (sent < o.n && sent - heard < o.window) {
			when[sent] = micros();
			put_one(w, sent++, health);
		}
		if (!hear(w, &m)) {
			gone = true;
			break;
		}
		if (m.type == WIRE_WELCOME)
			continue;
		if (m.type != WIRE_STORED && m.type != WIRE_REFUSED)
			die(3, "courier", "an answer that is none");
		refused += answer(&m, &ticket);
		if (ticket < sent)
			when[ticket] = micros() - when[ticket];
		heard++;
		fflush(stdout);
	}
	took = micros() - start;
	if (gone)
		puts("gone");
	if (o.quiet && heard > 0) {
		qsort(when, heard, sizeof(*when), compare);
		printf("%" PRIu64 " stored, %" PRIu64 " refused, %.0f/s, "
		    "p50 %.2f ms, p99 %.2f ms\n", heard - refused, refused,
		    (double)heard * 1e6 / (double)took,
		    (double)when[heard / 2] / 1e3,
		    (double)when[heard * 99 / 100] / 1e3);
	}
	wire_free(w);
	free(when);
	return gone ? 2 : refused > 0;
}

/* --- list, show -------------------------------------------------------------------- */

static int
rows(const char *path, bool show)
{
	struct wire *w = say_hello(path, ROLE_OPERATOR);
	struct filter f = { .after = o.after, .limit = o.limit,
	    .newest = o.newest };
	struct buf b = BUF(4096);
	struct wire_msg m;
	struct inbox_row r;
	struct str error;
	struct get g;
	uint64_t cursor;
	char piece[65536];
	ssize_t n;

	put_u64(&b, 1);
	if (show)
		put_str(&b, str_of(o.id));
	else
		put_filter(&b, &f);
	if (wire_send(w, show ? WIRE_SHOW : WIRE_LIST, buf_str(&b), -1) == -1)
		die(3, "list", "does not fit");
	buf_free(&b);
	for (;;) {
		if (!hear(w, &m)) {
			puts("gone");
			return 2;
		}
		g = GET(m.body);
		if (m.type == WIRE_WELCOME)
			continue;
		get_u64(&g);
		if (m.type == WIRE_REFUSED) {
			puts("refused");
			return 1;
		}
		if (m.type == WIRE_END) {
			cursor = get_u64(&g);
			error = get_str(&g);
			if (!show)
				printf("end %" PRIu64 " %.*s\n", cursor,
				    STR_ARG(error));
			wire_free(w);
			return error.n > 0;
		}
		get_row(&g, &r);
		if (m.type != WIRE_ROW || !get_done(&g))
			die(3, "courier", "a row that is none");
		if (!show)
			printf("%" PRIu64 " %s %.*s %.*s %" PRIu64 " %u %" PRIu64
			    "\n", r.cursor, r.event.id, STR_ARG(r.event.hook),
			    STR_ARG(r.event.event_id), r.event.size,
			    r.stored.flags, r.stored.repeats);
		else if (m.fd == -1)
			fwrite(r.event.body.p, 1, r.event.body.n, stdout);
		else
			while ((n = read(m.fd, piece, sizeof(piece))) > 0)
				fwrite(piece, 1, (size_t)n, stdout);
		if (m.fd != -1)
			close(m.fd);
	}
}

int
main(int argc, char **argv)
{
	static const char letters[] = "n:w:s:f:k:i:e:g:prm:R:C:t:qxa:l:NH:";
	struct { int c; uint64_t *to; } numbers[] = {
		{ 'n', &o.n }, { 'w', &o.window }, { 's', &o.size },
		{ 'm', &o.merge }, { 't', &o.timeout },
		{ 'a', &o.after }, { 'l', &o.limit }, { 'H', &o.headers },
	};
	struct { int c; const char **to; } texts[] = {
		{ 'f', &o.file }, { 'k', &o.hook }, { 'i', &o.id },
		{ 'e', &o.event_id }, { 'g', &o.signs },
		{ 'R', &o.courier }, { 'C', &o.conf },
	};
	struct { int c; bool *to; } flags[] = {
		{ 'p', &o.proven }, { 'r', &o.refuse_replay }, { 'q', &o.quiet },
		{ 'x', &o.raw }, { 'N', &o.newest },
	};
	const char *path, *verb;
	size_t i;
	int c;

	while ((c = getopt(argc, argv, letters)) != -1) {
		if (c == '?')
			die(3, "options", letters);
		for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			if (numbers[i].c == c)
				*numbers[i].to = strtoull(optarg, NULL, 10);
		for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
			if (texts[i].c == c)
				*texts[i].to = optarg;
		for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (flags[i].c == c)
				*flags[i].to = true;
	}
	if (argc - optind != 2)
		die(3, "usage", "putter [options] SOCKET put|health|list|show");
	path = argv[optind];
	verb = argv[optind + 1];
	if (strcmp(verb, "put") == 0 || strcmp(verb, "health") == 0)
		return put_many(path, verb[0] == 'h');
	if (strcmp(verb, "list") == 0 || strcmp(verb, "show") == 0)
		return rows(path, verb[0] == 's');
	die(3, verb, "put, health, list or show");
}
