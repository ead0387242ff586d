/*
 * test_frame.c - what the walk over FastCGI records takes and what it ends.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frame.h"
#include "test.h"

enum { BEGIN = 1, ABORT = 2, PARAMS = 4, STDIN = 5, GET_VALUES = 9 };

/* A stream being written record by record. */
struct stream {
	unsigned char	p[400000];
	size_t		n;
};

static void
record(struct stream *s, unsigned type, unsigned id, const void *p, size_t n,
    unsigned padding)
{
	unsigned char *h = s->p + s->n;

	h[0] = 1;
	h[1] = (unsigned char)type;
	h[2] = (unsigned char)(id >> 8);
	h[3] = (unsigned char)id;
	h[4] = (unsigned char)(n >> 8);
	h[5] = (unsigned char)n;
	h[6] = (unsigned char)padding;
	h[7] = 0;
	if (n > 0)
		memcpy(h + 8, p, n);
	memset(h + 8 + n, 0, padding);
	s->n += 8 + n + padding;
}

static void
begin(struct stream *s, unsigned role, unsigned flags)
{
	unsigned char b[8] = { 0, (unsigned char)role, (unsigned char)flags };

	record(s, BEGIN, 1, b, 8, 0);
}

static size_t
pair(unsigned char *p, const char *name, size_t value_len, bool wide)
{
	size_t n = 0, name_len = strlen(name);

	p[n++] = (unsigned char)name_len;
	if (wide || value_len > 127) {
		p[n++] = (unsigned char)(0x80 | value_len >> 24);
		p[n++] = (unsigned char)(value_len >> 16);
		p[n++] = (unsigned char)(value_len >> 8);
	}
	p[n++] = (unsigned char)value_len;
	memcpy(p + n, name, name_len);
	memset(p + n + name_len, 'v', value_len);
	return n + name_len + value_len;
}

static void
good(struct stream *s)
{
	unsigned char p[1000];
	size_t n = pair(p, "REQUEST_METHOD", 4, false);

	s->n = 0;
	n += pair(p + n, "HTTP_X_LONG", 300, true);
	begin(s, 1, 1);
	record(s, PARAMS, 1, p, n, 3);
	record(s, PARAMS, 1, NULL, 0, 0);
	record(s, STDIN, 1, "hello", 5, 3);
	record(s, STDIN, 1, NULL, 0, 0);
}

/* Feeds the stream in pieces of step bytes, each flush against a wall. */
static enum frame_state
walk(const struct stream *s, size_t step, struct frame *f, size_t *used_all)
{
	static unsigned char *page;
	enum frame_state state = FRAME_MORE;
	size_t at = 0, used, size = 1u << 19;

	if (page == NULL) {
		page = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(page + size, 4096, PROT_NONE);
	}
	frame_init(f);
	while (at < s->n && state == FRAME_MORE) {
		size_t n = s->n - at < step ? s->n - at : step;

		memcpy(page + size - n, s->p + at, n);
		state = frame_feed(f, page + size - n, n, &used);
		at += used;
	}
	*used_all = at;
	return state;
}

static void
test_whole(void)
{
	static struct stream s;
	struct frame f;
	size_t used, cut;

	good(&s);
	for (size_t step = 1; step <= s.n; step++)
		CHECKF(walk(&s, step, &f, &used) == FRAME_WHOLE &&
		    used == s.n && f.body == 5 && f.keep && f.pairs == 2,
		    "a request in pieces of %zu bytes is whole at its end",
		    step);
	CHECK(f.wire == s.n && f.stdin_at == s.n - 8 - 16,
	    "the walk knows where the body begins");
	for (cut = 0; cut < s.n; cut++) {
		struct stream *t = malloc(sizeof(*t));

		memcpy(t->p, s.p, cut);
		t->n = cut;
		CHECKF(walk(t, 7, &f, &used) == FRAME_MORE,
		    "cut after %zu bytes it is not whole", cut);
		free(t);
	}
	s.p[s.n] = 1;
	s.n++;
	CHECK(walk(&s, 100000, &f, &used) == FRAME_WHOLE && used == s.n - 1,
	    "the walk stops where the request ends");
}

/* Each of these, run through a walk that did not look, reached libfcgi. */
static void
test_broken(void)
{
	static struct stream s;
	unsigned char p[70000];
	struct frame f;
	size_t used, n;

#define ENDS(promise) CHECK(walk(&s, 100000, &f, &used) == FRAME_BROKEN && \
	f.broken != NULL, promise)

	s.n = 0;
	begin(&s, 2, 0);
	ENDS("the role of an authorizer ends it");

	s.n = 0;
	record(&s, PARAMS, 1, "", 0, 0);
	ENDS("parameters before BEGIN_REQUEST end it");

	s.n = 0;
	record(&s, GET_VALUES, 0, "\16\0FCGI_MAX_CONNS", 16, 0);
	ENDS("a management record ends it");

	s.n = 0;
	begin(&s, 1, 1);
	record(&s, ABORT, 1, NULL, 0, 0);
	ENDS("an abort ends it");

	s.n = 0;
	begin(&s, 1, 1);
	record(&s, ABORT, 7, NULL, 0, 0);
	ENDS("an abort of another id ends it (the poisoned record)");

	s.n = 0;
	begin(&s, 1, 1);
	record(&s, PARAMS, 2, "\1\1ab", 4, 0);
	ENDS("parameters of another id end it");

	s.n = 0;
	begin(&s, 1, 1);
	begin(&s, 1, 1);
	ENDS("a second BEGIN_REQUEST ends it");

	s.n = 0;
	begin(&s, 1, 1);
	record(&s, PARAMS, 1, "\5\5ab", 4, 0);
	record(&s, PARAMS, 1, NULL, 0, 0);
	ENDS("half a parameter ends it");

	s.n = 0;
	begin(&s, 1, 1);
	record(&s, PARAMS, 1, "\1\x80", 2, 0);
	record(&s, PARAMS, 1, NULL, 0, 0);
	ENDS("half a length ends it");

	s.n = 0;
	begin(&s, 1, 1);
	record(&s, PARAMS, 1, "\1\xff\xff\xff\xffN", 6, 0);
	ENDS("a length of two gigabytes ends it (CVE-2025-23016)");

	s.n = 0;
	begin(&s, 1, 1);
	record(&s, PARAMS, 1, "\4\1N\0ULv", 7, 0);
	ENDS("a NUL in a name ends it");

	s.n = 0;
	begin(&s, 1, 1);
	record(&s, PARAMS, 1, "\0\1v", 3, 0);
	ENDS("an empty name ends it");

	s.n = 0;
	begin(&s, 1, 1);
	n = pair(p, "A", 40000, true);
	record(&s, PARAMS, 1, p, n, 0);
	record(&s, PARAMS, 1, p, n, 0);
	ENDS("more than 72 KiB of parameters end it");

	s.n = 0;
	begin(&s, 1, 1);
	for (n = 0; n < 520 * 3;)
		n += pair(p + n, "A", 0, false);
	record(&s, PARAMS, 1, p, n, 0);
	ENDS("more than 512 parameters end it");

	good(&s);
	s.n -= 8;
	record(&s, BEGIN, 1, "\0\1\1\0\0\0\0\0", 8, 0);
	ENDS("a request forged inside a body ends it");

	good(&s);
	s.p[0] = 2;
	ENDS("another version of the protocol ends it");
#undef ENDS
}

int
main(void)
{
	test_whole();
	test_broken();
	TEST_END("frame");
}
