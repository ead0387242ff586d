/*
 * sender.c - a provider under load: signs GitHub pushes and posts them.
 *
 *	sender -p PORT [-c CONNECTIONS] [-n EVENTS] [-r FILE] ...
 *
 * One process, one epoll loop, HTTP/1.1 with connections kept.  Each event has
 * an id of its own (PREFIX-0000000001 ...) and a body of its own that follows
 * from the number alone, so that two senders with one prefix send the same.
 *
 * As a provider does, it sends an event again, with the same id and bytes, when
 * the connection fails, when no answer comes in time or when the answer is 5xx.
 * The id of each event that was answered 2xx is appended to FILE at once: what
 * stands there was acknowledged, and must never be missing from the inbox.
 *
 * SIGTERM: no new events; what is under way is brought to its end.  Then, one
 * a line: "status 200 5999", "failed 3", "lost 0", "p99_us 812" and so on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define CONNS_MAX	4096
#define ANSWER_MAX	16384
#define HEAD_MAX	2048
#define BODY_MAX	(32u << 20)
#define NUMBER_LEN	10		/* digits of an event's number in its body */
#define LANES		8		/* number % LANES is the body's "lane" */
#define DEFAULT_TIMEOUT	15000		/* ms for an answer: nginx has 13 s */
#define RETRY_FIRST	50		/* ms */
#define RETRY_LAST	1000
#define GRACE		60000		/* ms to end what is under way */

struct options {
	const char	*host;
	unsigned	 port;
	const char	*path;
	const char	*name;		/* Host: */
	const char	*secret;
	const char	*prefix;
	const char	*record;
	const char	*file;		/* a body, or NULL */
	unsigned long	 conns;
	unsigned long	 events;	/* at most */
	unsigned long	 first;
	unsigned long	 size;		/* of a body */
	unsigned long	 rate;		/* a second; 0: as fast as it goes */
	unsigned long	 seconds;	/* for new events; 0: no limit */
	unsigned long	 timeout;	/* ms */
	bool		 once;		/* no second try */
	bool		 close;		/* a connection for each request */
};

/* An event that is not acknowledged yet and waits for its next try. */
struct again {
	unsigned long	number;
	unsigned	tries;
	int64_t		at;		/* us */
};

enum state { CLOSED, CONNECTING, IDLE, WRITING, READING };

struct conn {
	enum state	 state;
	int		 fd;
	unsigned long	 number;	/* of the event in its hands */
	unsigned	 tries;
	int64_t		 since;		/* us: sending began */
	int64_t		 not_before;	/* us: after a connect that failed */
	char		*out;
	size_t		 nout, sent;
	char		 in[ANSWER_MAX];
	size_t		 nin;
};

static struct options opt = {
	.host = "127.0.0.1",
	.path = "/hooks/github",
	.name = "localhost",
	.secret = "secret",
	.prefix = "delivery",
	.conns = 16,
	.events = 1000,
	.first = 1,
	.size = 7000,
	.timeout = DEFAULT_TIMEOUT,
};

static struct conn	*conns;
static int		 poller;
static int		 record = -1;
static char		*body;
static size_t		 body_len;
static ptrdiff_t	 number_at = -1;	/* in the body */
static ptrdiff_t	 lane_at = -1;
static EVP_MAC_CTX	*mac;

static unsigned long	 next_number, begun, acknowledged, lost;
static unsigned long	 statuses[600], failed, retried;
static struct again	*again;		/* in no order: it is short */
static size_t		 nagain, again_cap;
static uint32_t		*times;		/* us, of each answer */
static size_t		 ntimes, times_cap;
static volatile sig_atomic_t told_to_stop;

static void die(const char *fmt, ...) __attribute__((noreturn,
    format(printf, 1, 2)));

static void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("sender: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(71);
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
on_signal(int sig)
{
	(void)sig;
	told_to_stop = 1;
}

static void *
grow(void *p, size_t *cap, size_t size)
{
	*cap = *cap == 0 ? 1024 : *cap * 2;
	if ((p = realloc(p, *cap * size)) == NULL)
		die("no memory");
	return p;
}

/* --- what is sent ------------------------------------------------------------ */

/* A push as GitHub sends it, in shape: many small fields, some text. */
static void
body_make(size_t size)
{
	static const char start[] =
	    "{\"ref\":\"refs/heads/main\",\"number\":\"0000000000\",\"lane\":\"0\","
	    "\"repository\":{\"id\":35129377,\"private\":false},\"commits\":[";
	static const char end[] = "{\"id\":\"end\"}]}";
	char commit[256];
	size_t room = size + sizeof(start) + sizeof(end) + sizeof(commit) * 2;
	int n;

	if ((body = malloc(room)) == NULL)
		die("no memory");
	memcpy(body, start, sizeof(start) - 1);
	body_len = sizeof(start) - 1;
	for (unsigned i = 0; body_len + sizeof(end) + 190 < size; i++) {
		n = snprintf(commit, sizeof(commit), "{\"id\":\"%040x\","
		    "\"distinct\":true,\"message\":\"Change number %u\","
		    "\"author\":{\"name\":\"A\\u00e9 B\",\"email\":"
		    "\"a@example.org\"},\"added\":[],\"modified\":[\"a/b.c\"]},",
		    i * 2654435761u, i);
		memcpy(body + body_len, commit, (size_t)n);
		body_len += (size_t)n;
	}
	memcpy(body + body_len, end, sizeof(end) - 1);
	body_len += sizeof(end) - 1;
	while (body_len < size)		/* JSON allows spaces after it */
		body[body_len++] = ' ';
}

static void
body_read(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL || (body = malloc(BODY_MAX)) == NULL)
		die("%s: %s", path, strerror(errno));
	body_len = fread(body, 1, BODY_MAX, f);
	fclose(f);
}

static void
mac_make(const char *secret)
{
	OSSL_PARAM sha256[] = {
		OSSL_PARAM_construct_utf8_string("digest", (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	if (hmac == NULL || (mac = EVP_MAC_CTX_new(hmac)) == NULL ||
	    EVP_MAC_init(mac, (const unsigned char *)secret, strlen(secret),
	    sha256) != 1)
		die("no HMAC");
	EVP_MAC_free(hmac);
}

static void
sign(char hex[65])
{
	unsigned char sum[32];
	size_t n;

	if (EVP_MAC_init(mac, NULL, 0, NULL) != 1 ||
	    EVP_MAC_update(mac, (unsigned char *)body, body_len) != 1 ||
	    EVP_MAC_final(mac, sum, &n, sizeof(sum)) != 1)
		die("no HMAC");
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

static void
request_make(struct conn *c)
{
	char digits[NUMBER_LEN + 12], hex[65];
	int n;

	if (number_at != -1) {
		snprintf(digits, sizeof(digits), "%0*lu", NUMBER_LEN, c->number);
		memcpy(body + number_at, digits, NUMBER_LEN);
	}
	if (lane_at != -1)
		body[lane_at] = (char)('0' + c->number % LANES);
	sign(hex);
	n = snprintf(c->out, HEAD_MAX, "POST %s HTTP/1.1\r\nHost: %s\r\n"
	    "User-Agent: GitHub-Hookshot/test\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n"
	    "X-GitHub-Event: push\r\nX-GitHub-Delivery: %s-%0*lu\r\n"
	    "X-Hub-Signature-256: sha256=%s\r\n%s\r\n", opt.path, opt.name,
	    body_len, opt.prefix, NUMBER_LEN, c->number, hex,
	    opt.close ? "Connection: close\r\n" : "");
	if (n < 0 || n >= HEAD_MAX)
		die("a head too long");
	memcpy(c->out + n, body, body_len);
	c->nout = (size_t)n + body_len;
	c->sent = 0;
	c->nin = 0;
}

/* --- what became of it ---------------------------------------------------------- */

static void
acknowledge(const struct conn *c)
{
	char line[256];
	int n;

	acknowledged++;
	if (record == -1)
		return;
	n = snprintf(line, sizeof(line), "%s-%0*lu\n", opt.prefix, NUMBER_LEN,
	    c->number);
	if (write(record, line, (size_t)n) != n)
		die("the record cannot be written: %s", strerror(errno));
}

static void
try_again(const struct conn *c)
{
	unsigned delay = c->tries < 5 ? RETRY_FIRST << c->tries : RETRY_LAST;

	if (opt.once) {
		lost++;
		return;
	}
	if (delay > RETRY_LAST)
		delay = RETRY_LAST;
	if (nagain == again_cap)
		again = grow(again, &again_cap, sizeof(again[0]));
	again[nagain++] = (struct again){ c->number, c->tries + 1,
		now_us() + (int64_t)delay * 1000 };
}

static void
conn_close(struct conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->state = CLOSED;
}

/* No answer came: nobody knows whether the event was stored. */
static void
conn_failed(struct conn *c)
{
	bool held = c->state == WRITING || c->state == READING;

	conn_close(c);
	c->not_before = now_us() + 20000;
	if (held) {
		failed++;
		try_again(c);
	}
}

static void
answered(struct conn *c, int status, bool keep)
{
	int64_t took = now_us() - c->since;

	if (ntimes == times_cap)
		times = grow(times, &times_cap, sizeof(times[0]));
	times[ntimes++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
	statuses[status < 600 ? status : 599]++;
	if (status >= 200 && status < 300)
		acknowledge(c);
	else if (status >= 500)
		try_again(c);
	else
		lost++;
	c->state = IDLE;
	if (!keep || opt.close)
		conn_close(c);
}

/* --- the answer ------------------------------------------------------------------ */

/* The value of a header, in the head that ends at end; NULL without it. */
static const char *
header(const char *head, const char *end, const char *name)
{
	size_t n = strlen(name);
	const char *line = head;

	while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		line++;
		if ((size_t)(end - line) > n && strncasecmp(line, name, n) == 0 &&
		    line[n] == ':') {
			for (line += n + 1; *line == ' '; line++)
				;
			return line;
		}
	}
	return NULL;
}

/* Length of a chunked body, or -1 when it is not all there. */
static ptrdiff_t
chunked_length(const char *p, size_t n)
{
	const char *start = p, *end = p + n, *line;
	unsigned long size;

	for (;;) {
		line = memmem(p, (size_t)(end - p), "\r\n", 2);
		if (line == NULL)
			return -1;
		size = strtoul(p, NULL, 16);
		p = line + 2;
		if (size + 2 > (size_t)(end - p))
			return -1;
		p += size + 2;
		if (size == 0)
			return p - start;
	}
}

/* 1: a whole answer was taken, 0: not yet, -1: nonsense. */
static int
answer_take(struct conn *c)
{
	const char *end, *length, *coding, *how;
	size_t head;
	ptrdiff_t rest = 0;
	int status;

	c->in[c->nin] = '\0';
	if ((end = memmem(c->in, c->nin, "\r\n\r\n", 4)) == NULL)
		return c->nin < sizeof(c->in) - 1 ? 0 : -1;
	head = (size_t)(end - c->in) + 4;
	if (sscanf(c->in, "HTTP/1.%*d %d", &status) != 1 || status < 100)
		return -1;
	coding = header(c->in, end, "Transfer-Encoding");
	length = header(c->in, end, "Content-Length");
	if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0) {
		if ((rest = chunked_length(c->in + head, c->nin - head)) == -1)
			return c->nin < sizeof(c->in) - 1 ? 0 : -1;
	} else if (length != NULL) {
		rest = strtol(length, NULL, 10);
	}
	if (c->nin < head + (size_t)rest)
		return c->nin < sizeof(c->in) - 1 ? 0 : -1;
	how = header(c->in, end, "Connection");
	answered(c, status, how == NULL || strncasecmp(how, "close", 5) != 0);
	return 1;
}

/* --- connections ----------------------------------------------------------------- */

static void
conn_watch(struct conn *c, uint32_t events, int how)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(poller, how, c->fd, &ev) == -1)
		die("epoll_ctl: %s", strerror(errno));
}

static void
conn_open(struct conn *c)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)opt.port) };
	int one = 1;

	inet_pton(AF_INET, opt.host, &a.sin_addr);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		die("socket: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->state = CONNECTING;
	c->since = now_us();
	if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == -1 &&
	    errno != EINPROGRESS) {
		conn_failed(c);
		return;
	}
	conn_watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void
conn_write(struct conn *c)
{
	ssize_t n;

	while (c->sent < c->nout) {
		n = send(c->fd, c->out + c->sent, c->nout - c->sent,
		    MSG_NOSIGNAL);
		if (n == -1 && errno == EAGAIN) {
			conn_watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
			return;
		}
		if (n == -1) {
			conn_failed(c);
			return;
		}
		c->sent += (size_t)n;
	}
	c->state = READING;
	conn_watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

static void
conn_begin(struct conn *c, unsigned long number, unsigned tries)
{
	c->number = number;
	c->tries = tries;
	c->since = now_us();
	retried += tries > 0;
	request_make(c);
	c->state = WRITING;
	conn_write(c);
}

static void
conn_ready(struct conn *c, uint32_t events)
{
	ssize_t n;
	int why = 0;
	socklen_t len = sizeof(why);

	if (c->state == CONNECTING) {
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &len) == -1 ||
		    why != 0) {
			conn_failed(c);
			return;
		}
		c->state = IDLE;
		conn_watch(c, EPOLLIN, EPOLL_CTL_MOD);
		return;
	}
	if ((events & EPOLLOUT) && c->state == WRITING)
		conn_write(c);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || c->state == CLOSED)
		return;
	n = recv(c->fd, c->in + c->nin, sizeof(c->in) - 1 - c->nin, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0 || c->state == IDLE) {
		conn_failed(c);		/* an idle one was closed, or talks */
		return;
	}
	c->nin += (size_t)n;
	if (answer_take(c) == -1)
		conn_failed(c);
}

/* --- the loop ---------------------------------------------------------------------- */

static bool
may_begin_new(int64_t now, int64_t start)
{
	if (told_to_stop || begun >= opt.events)
		return false;
	if (opt.seconds != 0 &&
	    now - start >= (int64_t)opt.seconds * 1000000)
		return false;
	return opt.rate == 0 || begun < (unsigned long)((now - start) *
	    (int64_t)opt.rate / 1000000) + 1;
}

/* What this free connection does next; false: nothing now. */
static bool
give_work(struct conn *c, int64_t now, int64_t start)
{
	for (size_t i = 0; i < nagain; i++)
		if (again[i].at <= now) {
			struct again a = again[i];

			again[i] = again[--nagain];
			conn_begin(c, a.number, a.tries);
			return true;
		}
	if (!may_begin_new(now, start))
		return false;
	begun++;
	conn_begin(c, next_number++, 0);
	return true;
}

static bool
all_done(int64_t now, int64_t start)
{
	if (nagain > 0)
		return false;
	for (unsigned long i = 0; i < opt.conns; i++)
		if (conns[i].state == WRITING || conns[i].state == READING)
			return false;
	return told_to_stop || begun >= opt.events || (opt.seconds != 0 &&
	    now - start >= (int64_t)opt.seconds * 1000000);
}

static void
run(int64_t start)
{
	struct epoll_event ev[256];
	int64_t now, ending = 0;

	for (;;) {
		now = now_us();
		for (unsigned long i = 0; i < opt.conns; i++) {
			struct conn *c = &conns[i];

			if ((c->state == WRITING || c->state == READING ||
			    c->state == CONNECTING) &&
			    now - c->since > (int64_t)opt.timeout * 1000)
				conn_failed(c);
			if (c->state == CLOSED && now >= c->not_before)
				conn_open(c);
			if (c->state == IDLE)
				give_work(c, now, start);
		}
		if (all_done(now, start))
			return;
		if (ending == 0 && (told_to_stop || begun >= opt.events))
			ending = now;
		if (ending != 0 && now - ending > (int64_t)GRACE * 1000) {
			for (unsigned long i = 0; i < opt.conns; i++)
				if (conns[i].state == WRITING ||
				    conns[i].state == READING)
					lost++;
			lost += nagain;
			return;
		}
		int n = epoll_wait(poller, ev, 256,
		    opt.rate != 0 || nagain > 0 ? 1 : 20);

		for (int i = 0; i < n; i++)
			conn_ready(ev[i].data.ptr, ev[i].events);
	}
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t
percentile(unsigned per_mille)
{
	return ntimes == 0 ? 0 : times[(ntimes - 1) * per_mille / 1000];
}

static void
report(int64_t took)
{
	if (ntimes > 0)
		qsort(times, ntimes, sizeof(times[0]), by_size);
	for (int i = 0; i < 600; i++)
		if (statuses[i] > 0)
			printf("status %d %lu\n", i, statuses[i]);
	printf("events %lu\nacknowledged %lu\nfailed %lu\nretried %lu\n"
	    "lost %lu\n", begun, acknowledged, failed, retried, lost);
	printf("ms %" PRId64 "\nrate %" PRId64 "\n", took / 1000,
	    took == 0 ? 0 : (int64_t)acknowledged * 1000000 / took);
	printf("p50_us %u\np99_us %u\nmax_us %u\n", percentile(500),
	    percentile(990), percentile(1000));
}

/* --- main -------------------------------------------------------------------------- */

static unsigned long
number(const char *text, unsigned long max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || v > max)
		die("\"%s\" is no number up to %lu", text, max);
	return v;
}

static void
options_read(int argc, char **argv)
{
	static const char usage[] =
	    "usage: sender -p PORT [-c CONNECTIONS] [-n EVENTS] [-g FIRST]\n"
	    "  [-R PER_SECOND] [-t SECONDS] [-b BYTES | -f FILE] [-r RECORD]\n"
	    "  [-i PREFIX] [-s SECRET] [-P PATH] [-h HOST] [-o TIMEOUT_MS]\n"
	    "  [-1] no second try  [-C] a connection for each request\n"
	    "In FILE the first 0000000000 becomes the event's number.\n";
	int c;

	while ((c = getopt(argc, argv,
	    "p:c:n:g:R:t:b:f:r:i:s:P:h:o:1C")) != -1) {
		switch (c) {
		case 'p': opt.port = (unsigned)number(optarg, 65535); break;
		case 'c': opt.conns = number(optarg, CONNS_MAX); break;
		case 'n': opt.events = number(optarg, 100000000); break;
		case 'g': opt.first = number(optarg, 999999999); break;
		case 'R': opt.rate = number(optarg, 1000000); break;
		case 't': opt.seconds = number(optarg, 86400); break;
		case 'b': opt.size = number(optarg, BODY_MAX - 1024); break;
		case 'f': opt.file = optarg; break;
		case 'r': opt.record = optarg; break;
		case 'i': opt.prefix = optarg; break;
		case 's': opt.secret = optarg; break;
		case 'P': opt.path = optarg; break;
		case 'h': opt.host = optarg; break;
		case 'o': opt.timeout = number(optarg, 600000); break;
		case '1': opt.once = true; break;
		case 'C': opt.close = true; break;
		default:
			fputs(usage, stderr);
			exit(64);
		}
	}
	if (opt.port == 0 || opt.conns == 0 || optind < argc) {
		fputs(usage, stderr);
		exit(64);
	}
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	const char *place;
	int64_t start;

	options_read(argc, argv);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (opt.file != NULL)
		body_read(opt.file);
	else
		body_make(opt.size);
	place = memmem(body, body_len, "0000000000", NUMBER_LEN);
	if (place != NULL)
		number_at = place - body;
	place = memmem(body, body_len, "\"lane\":\"0\"", 10);
	if (place != NULL)
		lane_at = place - body + 8;
	mac_make(opt.secret);
	if (opt.record != NULL && (record = open(opt.record, O_WRONLY |
	    O_CREAT | O_APPEND | O_CLOEXEC, 0666)) == -1)
		die("%s: %s", opt.record, strerror(errno));
	next_number = opt.first;
	if ((poller = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    (conns = calloc(opt.conns, sizeof(conns[0]))) == NULL)
		die("%s", strerror(errno));
	for (unsigned long i = 0; i < opt.conns; i++) {
		conns[i].fd = -1;
		if ((conns[i].out = malloc(HEAD_MAX + body_len)) == NULL)
			die("no memory");
	}
	start = now_us();
	run(start);
	report(now_us() - start);
	return lost == 0 ? 0 : 1;
}
