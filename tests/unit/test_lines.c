/*
 * test_lines.c - lines for "stdout:": whole, in order, told once all of each is
 * written, over pipes that fill, files that end, sockets and readers that are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lines.h"
#include "test.h"

#define LINES		200

static unsigned told, well;
static uint64_t last;

static void
count(void *self, const struct line_from *from, bool written)
{
	(void)self;
	told++;
	well += written;
	if (written)
		last = from->ticket;
}

static void
start_over(void)
{
	told = well = 0;
	last = 0;
}

/* The line of this number: up to 40,000 bytes, of one letter, and its newline. */
static struct str
line_of(uint64_t number)
{
	static char text[40001];
	size_t n = 1 + (size_t)(number * 7919 % 40000);

	memset(text, 'a' + (int)(number % 26), n);
	text[n] = '\n';
	return (struct str){ text, n + 1 };
}

static void
give(struct lines *l, uint64_t number, struct str line)
{
	struct line_from from = { 1, 2, number };

	lines_take(l, &from, line);
}

/* Takes what is in fd now, at most a little; lines are compared as they come.  false: nothing. */
static struct {
	uint64_t number;
	size_t	 at;
	bool	 wrong;
} seen;

static bool
look(int fd, size_t most)
{
	char text[8192];
	ssize_t n = read(fd, text, most < sizeof(text) ? most : sizeof(text));

	for (ssize_t i = 0; i < n; i++) {
		struct str want = line_of(seen.number);

		if (text[i] != want.p[seen.at])
			seen.wrong = true;
		if (++seen.at == want.n) {
			seen.number++;
			seen.at = 0;
		}
	}
	return n > 0;
}

/* All lines, to a reader that takes a little at a time. */
static void
through(const char *what, int reader, int writer)
{
	struct lines *l = lines_new(writer, count, NULL);
	bool early = false;

	fcntl(reader, F_SETFL, O_NONBLOCK);	/* its own: the writer's still blocks */
	start_over();
	memset(&seen, 0, sizeof(seen));
	CHECKF(lines_fd(l) == -1, "%s: nothing is to be polled for", what);
	for (uint64_t i = 0; i < LINES; i++)
		give(l, i, line_of(i));
	CHECKF(told == 0, "%s: none is told before it is written", what);
	CHECKF(lines_fd(l) != -1, "%s: now there is", what);
	for (int turn = 0; turn < 100000 && told < LINES; turn++) {
		lines_write(l);
		/* At most what the kernel keeps for the reader is ahead of it. */
		if (well > seen.number + 64)
			early = true;
		look(reader, 3000);
	}
	while (look(reader, 8192))
		;
	CHECKF(told == LINES && well == LINES && last == LINES - 1,
	    "%s: each was told as written", what);
	CHECKF(seen.number == LINES && !seen.wrong && !early, "%s: they came whole and in order", what);
	CHECKF(lines_fd(l) == -1, "%s: nothing waits", what);
	CHECKF((fcntl(writer, F_GETFL) & O_NONBLOCK) == 0,
	    "%s: whoever shares the descriptor still finds it blocking", what);
	lines_free(l);
	CHECKF(fcntl(writer, F_GETFD) != -1, "%s: it stays the caller's", what);
	close(reader);
	close(writer);
}

static void
full_pipe(void)
{
	int p[2];
	struct lines *l;

	if (pipe(p) == -1)
		abort();
	start_over();
	l = lines_new(p[1], count, NULL);
	for (uint64_t i = 0; i < 100; i++)
		give(l, i, line_of(i));
	for (int turn = 0; turn < 10; turn++)
		lines_write(l);
	CHECK(well > 0 && well < 100, "a full pipe takes some, and nobody waits for it");
	CHECK(told == well, "what does not fit is told nothing yet");
	close(p[0]);
	lines_write(l);
	CHECK(told == 100 && well < 100, "when its reader has gone all are told");
	lines_free(l);
	close(p[1]);
}

static void
limits(void)
{
	int fd = open("/dev/null", O_WRONLY);
	struct lines *l = lines_new(fd, count, NULL);

	start_over();
	for (uint64_t i = 0; i <= LINES_MOST; i++)
		give(l, i, STR("a line\n"));
	CHECK(told == 1 && well == 0, "one too many is told at once");
	lines_write(l);
	CHECK(told == LINES_MOST + 1 && well == LINES_MOST, "the others are written");
	give(l, 0, STR(""));
	CHECK(well == LINES_MOST, "no line is not a line");
	give(l, 1, STR("dropped\n"));
	lines_free(l);
	CHECK(told == LINES_MOST + 2, "what waits at the end is told nothing");
	close(fd);

	l = lines_new(-1, count, NULL);
	start_over();
	give(l, 1, STR("for nobody\n"));
	for (int turn = 0; turn < 3; turn++)
		lines_write(l);
	CHECK(well == 0, "without a descriptor nothing is written");
	lines_free(l);
}

/* A file that ends within a line: it may be a full disk. */
static void
torn(void)
{
	struct rlimit before, little = { 4096, RLIM_INFINITY };
	char path[] = "/tmp/test-lines.XXXXXX", text[64];
	int fd = mkstemp(path);
	struct lines *l = lines_new(fd, count, NULL);
	ssize_t n;

	unlink(path);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	little.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &little);
	start_over();
	give(l, 1, line_of(5));			/* 39,596 bytes */
	lines_write(l);
	CHECK(told == 1 && well == 0, "a line that does not fit is told as not written");
	CHECK(lseek(fd, 0, SEEK_END) == 4096, "though a piece of it is there");
	give(l, 2, STR("nor this\n"));
	lines_write(l);
	CHECK(told == 2 && well == 0, "nor does the next");
	setrlimit(RLIMIT_FSIZE, &before);
	give(l, 3, STR("this does\n"));
	give(l, 4, STR("and this\n"));
	lines_write(l);
	CHECK(told == 4 && well == 2, "what fits is");
	n = pread(fd, text, sizeof(text), 4096);
	CHECK(n == 20 && memcmp(text, "\nthis does\nand this\n", 20) == 0,
	    "and begins on a line of its own");
	lines_free(l);
	close(fd);
}

int
main(void)
{
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	if (pipe(p) == -1)
		return 1;
	through("a pipe", p[0], p[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) == -1)
		return 1;
	through("a socket", p[0], p[1]);
	full_pipe();
	limits();
	torn();
	TEST_END("lines");
}
