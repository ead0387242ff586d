/*
 * test_aside.c - what the courier keeps beside the inbox: secrets that handshakes
 * brought, requests that were refused, and the thread that writes both.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../base/json.h"
#include "../../courier/captured.h"
#include "../../courier/errands.h"
#include "../../courier/quarantine.h"
#include "test.h"

#define COUNT(t)	(sizeof(t) / sizeof((t)[0]))

static char place[] = "/tmp/hooklatch-aside-XXXXXX";
static struct log quiet = { .fd = -1, .program = "test_aside" };

/* --- helpers -------------------------------------------------------------------- */

static const char *
path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", place, name);
	return path;
}

static unsigned
mode_of(const char *name)
{
	struct stat st;

	return lstat(path_of(name), &st) == -1 ? 0 : st.st_mode & 07777;
}

/* How many files are there; *name, if not NULL, becomes one that is not begins. */
static size_t
files_in(const char *dir)
{
	DIR *d = opendir(path_of(dir));
	struct dirent *one;
	size_t n = 0;

	while (d != NULL && (one = readdir(d)) != NULL)
		n += one->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	return n;
}

static struct str
content(const char *name)
{
	static char bytes[65536];
	int fd = open(path_of(name), O_RDONLY);
	ssize_t n = fd == -1 ? -1 : read(fd, bytes, sizeof(bytes));

	if (fd != -1)
		close(fd);
	return n == -1 ? STR_NONE : (struct str){ bytes, (size_t)n };
}

/* What was synced, by path; the linker puts this in fsync's place. */
static char synced[16][256];
static size_t nsynced;
static const char *sync_fails;		/* of that file; NULL: none */

int	__real_fsync(int fd);
int	__wrap_fsync(int fd);

int
__wrap_fsync(int fd)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, synced[nsynced % 16], sizeof(synced[0]) - 1);
	synced[nsynced++ % 16][n < 0 ? 0 : n] = '\0';
	if (sync_fails != NULL &&
	    strcmp(synced[(nsynced - 1) % 16], path_of(sync_fails)) == 0) {
		errno = EIO;
		return -1;
	}
	return __real_fsync(fd);
}

static bool
was_synced(const char *name)
{
	for (size_t i = 0; i < 16 && i < nsynced; i++)
		if (strcmp(synced[i], path_of(name)) == 0)
			return true;
	return false;
}

/* --- secrets ---------------------------------------------------------------------- */

static bool
is_kept(struct captured *c, const char *name, const char *secret)
{
	struct buf b = BUF(CAPTURED_SECRET_MAX);
	bool is = captured_get(c, str_of(name), &b);

	is = secret == NULL ? !is : is && str_eq(buf_str(&b), str_of(secret));
	buf_free(&b);
	return is;
}

static enum wire_refusal
offer(struct captured *c, const char *names, const char *secret, char name[65])
{
	struct err e;

	return captured_take(c, str_of(names), str_of(secret), name, &e);
}

static void
test_windows(void)
{
	struct captured *c;
	struct err e;
	char name[65];

	c = captured_new(path_of("one.db"), &e);
	CHECK(c != NULL && mode_of("one.db.secrets") == 0, "nothing is made before");
	CHECK(offer(c, "one", "stranger", name) == REFUSED_NO_WINDOW &&
	    is_kept(c, "one", NULL), "without a window nothing is taken");
	CHECK(captured_window(c, STR("one"), 60, &e) == 0, "a window");
	CHECK(offer(c, "two\nthree", "stranger", name) == REFUSED_NO_WINDOW,
	    "is for its own name");
	CHECK(offer(c, "", "stranger", name) == REFUSED_NO_WINDOW &&
	    offer(c, "\n\n", "stranger", name) == REFUSED_NO_WINDOW,
	    "and for none that is empty");
	CHECK(offer(c, "one", "", name) == REFUSED_NO_WINDOW,
	    "an empty secret does not shut it");
	CHECK(offer(c, "two\none", "the secret", name) == 0 &&
	    strcmp(name, "one") == 0, "one secret is let in");
	CHECK(is_kept(c, "one", "the secret"), "and kept");
	CHECK(offer(c, "one", "stranger", name) == REFUSED_NO_WINDOW &&
	    is_kept(c, "one", "the secret"), "then it is shut");
	CHECK(offer(c, "two\none", "the secret", name) == 0 &&
	    strcmp(name, "one") == 0, "but to what is kept: its answer was lost");
	CHECK(mode_of("one.db.secrets") == 0700 &&
	    mode_of("one.db.secrets/one") == 0600, "nobody else may look");
	CHECK(files_in("one.db.secrets") == 1, "nothing else lies there");

	CHECK(captured_window(c, STR("one"), 60, &e) == 0 &&
	    captured_window(c, STR("one"), 0, &e) == 0 &&
	    offer(c, "one", "stranger", name) == REFUSED_NO_WINDOW,
	    "one that was shut by hand is shut");
	CHECK(captured_window(c, STR("one"), 60, &e) == 0 &&
	    offer(c, "one", "a new one", name) == 0 &&
	    is_kept(c, "one", "a new one"), "a new one takes the old one's place");
	CHECK(captured_window(c, STR("one"), CAPTURED_LONGEST + 1, &e) == -1,
	    "none is open for ever");
	captured_free(c);

	c = captured_new(path_of("one.db"), &e);
	CHECK(is_kept(c, "one", "a new one"), "it is there after a start");
	CHECK(offer(c, "one", "stranger", name) == REFUSED_NO_WINDOW,
	    "and no window is");
	CHECK(captured_forget(c, STR("one"), &e) == 0 && is_kept(c, "one", NULL),
	    "it is forgotten");
	CHECK(captured_forget(c, STR("one"), &e) == -1 && e.text[0] != '\0',
	    "once");
	captured_free(c);
}

/* A provider that hears yes throws its own copy away: power may fail then. */
static void
test_synced(void)
{
	static const char *const steps[] = { "sync/one.db.secrets/.one",
	    "sync/one.db.secrets", "sync" };
	struct captured *c;
	struct err e;
	char name[65];

	mkdir(path_of("sync"), 0700);
	c = captured_new(path_of("sync/one.db"), &e);
	captured_window(c, STR("one"), 60, &e);
	for (size_t i = 0; i < COUNT(steps); i++) {
		nsynced = 0;
		sync_fails = steps[i];
		CHECKF(offer(c, "one", "the secret", name) == REFUSED_SYNC,
		    "no yes without %s", steps[i]);
		CHECKF(was_synced(steps[i]), "it was tried: %s", steps[i]);
	}
	sync_fails = NULL;
	nsynced = 0;
	CHECK(offer(c, "one", "the secret", name) == 0,
	    "the window is still open, and lets it in");
	for (size_t i = 0; i < COUNT(steps); i++)
		CHECKF(was_synced(steps[i]), "synced: %s", steps[i]);
	captured_window(c, STR("two"), 60, &e);
	nsynced = 0;
	CHECK(offer(c, "two", "the secret", name) == 0 &&
	    was_synced("sync/one.db.secrets"), "the next one, too");
	captured_free(c);
}

/* As many windows as there may be, and their list. */
static void
test_many_windows(void)
{
	struct captured_row rows[CAPTURED_WINDOWS + 8];
	struct captured *c;
	struct err e;
	char name[65];
	size_t n;

	c = captured_new(path_of("many.db"), &e);
	CHECK(captured_list(c, rows, COUNT(rows)) == 0, "nothing is listed");
	for (int i = 0; i < CAPTURED_WINDOWS; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		CHECKF(captured_window(c, str_of(name), 60, &e) == 0, "window %d", i);
	}
	CHECK(captured_window(c, STR("more"), 60, &e) == -1, "no more than that");
	CHECK(captured_window(c, STR("w0"), 120, &e) == 0, "one of them for longer");
	CHECK(offer(c, "w3", "the secret", name) == 0, "one is used");
	CHECK(captured_window(c, STR("more"), 60, &e) == 0, "and makes room");
	n = captured_list(c, rows, COUNT(rows));
	CHECK(n == CAPTURED_WINDOWS + 1, "what is kept and what is waited for");
	for (size_t i = 0; i < n; i++)
		CHECKF((strcmp(rows[i].name, "w3") == 0) == (rows[i].at != 0) &&
		    (rows[i].seconds == 0) == (rows[i].at != 0), "%s: either",
		    rows[i].name);
	CHECK(captured_list(c, rows, 4) == 4, "a short list is short");
	captured_free(c);
}

/* A name is a file's, and leads nowhere else. */
static void
test_names(void)
{
	static const struct { const char *says; struct str name; bool fits; } t[] = {
		{ "letters", STR("a-Z_0.9"), true },
		{ "64 of them", STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaa"), true },
		{ "65 of them", STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaa"), false },
		{ "none", STR(""), false },
		{ "the directory", STR("."), false },
		{ "the one above", STR(".."), false },
		{ "a way up", STR("../one.db"), false },
		{ "a way down", STR("a/b"), false },
		{ "hidden", STR(".a"), false },
		{ "an option", STR("-a"), false },
		{ "a NUL", STR("a\0b"), false },
		{ "a line's end", STR("a\nb"), false },
		{ "a space", STR("a b"), false },
		{ "not ASCII", STR("\xc3\xa9"), false },
	};
	struct buf b = BUF(CAPTURED_SECRET_MAX);
	struct captured *c;
	struct err e;
	char name[65];

	c = captured_new(path_of("names.db"), &e);
	CHECK(captured_window(c, STR("first"), 60, &e) == 0 &&
	    offer(c, "first", "the secret", name) == 0, "one is there");
	for (size_t i = 0; i < COUNT(t); i++) {
		CHECKF((captured_window(c, t[i].name, 60, &e) == 0) == t[i].fits,
		    "a window's name: %s", t[i].says);
		CHECKF(memchr(t[i].name.p, '\n', t[i].name.n) != NULL ||
		    (captured_take(c, t[i].name, STR("the secret"), name, &e) == 0) ==
		    t[i].fits, "a secret's name: %s", t[i].says);
		CHECKF(captured_get(c, t[i].name, &b) == t[i].fits,
		    "to be read: %s", t[i].says);
		CHECKF((captured_forget(c, t[i].name, &e) == 0) == t[i].fits,
		    "to be forgotten: %s", t[i].says);
	}
	CHECK(files_in("names.db.secrets") == 1, "and nothing of it is left");
	/* While one is written it has another name, which is no secret's. */
	CHECK(captured_window(c, STR("a.fresh"), 60, &e) == 0 &&
	    offer(c, "a.fresh", "another", name) == 0 &&
	    captured_window(c, STR("a"), 60, &e) == 0 &&
	    offer(c, "a", "the secret", name) == 0 &&
	    is_kept(c, "a.fresh", "another") && is_kept(c, "a", "the secret"),
	    "no secret is written over by another");
	buf_free(&b);
	captured_free(c);
}

/* Who may write there could put something else in its place. */
static void
test_links(void)
{
	struct captured *c;
	struct err e;
	char name[65], to[512];

	c = captured_new(path_of("link.db"), &e);
	CHECK(captured_window(c, STR("first"), 60, &e) == 0 &&
	    offer(c, "first", "the secret", name) == 0, "the directory is there");
	snprintf(to, sizeof(to), "%s", path_of("elsewhere"));
	CHECK(symlink(to, path_of("link.db.secrets/a")) == 0 &&
	    symlink(to, path_of("link.db.secrets/.b")) == 0, "links");
	CHECK(is_kept(c, "a", NULL), "a link is not followed to be read");
	CHECK(captured_window(c, STR("b"), 60, &e) == 0 &&
	    offer(c, "b", "the secret", name) == REFUSED_SYNC &&
	    access(to, F_OK) == -1, "nor to be written");
	CHECK(captured_window(c, STR("a"), 60, &e) == 0 &&
	    offer(c, "a", "the secret", name) == 0 && access(to, F_OK) == -1 &&
	    is_kept(c, "a", "the secret"), "what is renamed takes its place");
	captured_free(c);
}

/* --- what was refused --------------------------------------------------------------- */

static struct event
refused(unsigned n, const char *body)
{
	struct event ev = { .received_at = 1750000000000, .body_fd = -1 };

	snprintf(ev.id, sizeof(ev.id), "01980000-0000-7000-8000-%012x", n);
	ev.hook = STR("/hooks/a");
	ev.provider = STR("test");
	ev.method = STR("POST");
	ev.target = STR("/hooks/a");
	ev.headers = STR("[[\"x-a\",\"b\"]]");
	ev.body = str_of(body);
	ev.size = ev.body.n;
	ev.scheme = STR("none");
	return ev;
}

static void
put_aside(struct quarantine *q, unsigned n, const char *body)
{
	struct event ev = refused(n, body);

	quarantine_put(q, STR("forged"), STR("no secret matched"), &ev);
}

static bool
is_aside(const char *dir, unsigned n)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/01980000-0000-7000-8000-%012x.json", dir, n);
	return mode_of(name) != 0;
}

static void
test_quarantine(void)
{
	static const struct json_limits limits = { 16, 1000 };
	struct quarantine *q;
	struct event ev;
	struct str text, raw;
	struct err e;
	char dir[512];

	snprintf(dir, sizeof(dir), "%s", path_of("aside"));
	q = quarantine_new(str_of(dir), 3, 100000, &quiet, &e);
	CHECK(q != NULL && mode_of("aside") == 0700, "a directory of its own");
	put_aside(q, 1, "{}");
	CHECK(is_aside("aside", 1) && mode_of(
	    "aside/01980000-0000-7000-8000-000000000001.json") == 0600,
	    "one is kept, for the courier alone");
	text = content("aside/01980000-0000-7000-8000-000000000001.json");
	CHECK(json_scan(text, limits, NULL) == JSON_OK &&
	    json_find(text, STR("verdict"), &raw) == JSON_STRING &&
	    str_eq(raw, STR("forged")) &&
	    json_find(text, STR("request.body_base64"), &raw) == JSON_STRING &&
	    str_eq(raw, STR("e30=")), "as JSON");
	put_aside(q, 2, "{}");
	put_aside(q, 3, "{}");
	CHECK(files_in("aside") == 3, "as many as may be");
	put_aside(q, 4, "{}");
	CHECK(files_in("aside") == 3 && !is_aside("aside", 1) && is_aside("aside", 4),
	    "then the oldest goes");
	put_aside(q, 4, "[]");
	text = content("aside/01980000-0000-7000-8000-000000000004.json");
	CHECK(json_find(text, STR("request.body_base64"), &raw) == JSON_STRING &&
	    str_eq(raw, STR("e30=")), "none is written over");

	/* What a worker that was taken over could say. */
	ev = refused(5, "{}");
	snprintf(ev.id, sizeof(ev.id), "../../../../../../tmp/hooklatch-evil");
	quarantine_put(q, STR("forged"), STR(""), &ev);
	CHECK(access("/tmp/hooklatch-evil.json", F_OK) == -1 &&
	    files_in("aside") <= 3, "an id that is a path is none");
	ev = refused(6, "{}");
	ev.headers = STR("[]},\"verdict\":\"genuine\",\"x\":{\"y\":[");
	ev.target = STR("\"}\n\x01");
	quarantine_put(q, STR("\"forged\""), STR("\n"), &ev);
	text = content("aside/01980000-0000-7000-8000-000000000006.json");
	CHECK(json_scan(text, limits, NULL) == JSON_OK &&
	    json_find(text, STR("verdict"), &raw) == JSON_STRING &&
	    str_eq(raw, STR("\\\"forged\\\"")), "what it says stays inside its quotes");
	quarantine_free(q);

	/* What lies there after a start; others' files are not ours. */
	close(open(path_of("aside/notes.txt"), O_WRONLY | O_CREAT, 0600));
	close(open(path_of("aside/ffffffff-0000-7000-8000-00000000000g.json"),
	    O_WRONLY | O_CREAT, 0600));
	q = quarantine_new(str_of(dir), 2, 100000, &quiet, &e);
	put_aside(q, 8, "{}");
	CHECK(is_aside("aside", 8) && mode_of("aside/notes.txt") != 0 &&
	    files_in("aside") == 4, "what is ours is counted, what is not is left");
	quarantine_free(q);
}

static void
test_quarantine_bytes(void)
{
	static char big[40001];
	struct quarantine *q;
	struct err e;
	char dir[512];

	memset(big, 'a', sizeof(big) - 1);
	snprintf(dir, sizeof(dir), "%s", path_of("bytes"));
	q = quarantine_new(str_of(dir), 100, 100000, &quiet, &e);
	put_aside(q, 1, "{}");
	put_aside(q, 2, big);
	CHECK(is_aside("bytes", 1) && is_aside("bytes", 2), "two fit");
	put_aside(q, 3, big);
	CHECK(!is_aside("bytes", 1) && !is_aside("bytes", 2) && is_aside("bytes", 3),
	    "a third does not fit beside them");
	quarantine_free(q);
	q = quarantine_new(str_of(dir), 100, 1000, &quiet, &e);
	CHECK(files_in("bytes") == 0, "nor, where less may be kept, at all");
	put_aside(q, 4, "{}");
	put_aside(q, 5, big);
	CHECK(is_aside("bytes", 4) && !is_aside("bytes", 5),
	    "what is too large is not kept, and nothing goes for it");
	quarantine_free(q);
}

/* --- the thread ------------------------------------------------------------------------ */

static struct errand *
next_done(struct errands *all)
{
	struct errand *one;
	struct pollfd p = { errands_fd(all), POLLIN, 0 };

	while ((one = errands_take(all)) == NULL)
		if (poll(&p, 1, 10000) != 1)
			return NULL;
	return one;
}

static struct errand *
errand_of(enum wire_type type, struct buf *b)
{
	struct errand *one = errand_new(NULL, type, buf_str(b));

	buf_free(b);
	return one;
}

static void
test_errands(void)
{
	struct captured *c;
	struct errands *all;
	struct errand *one;
	struct buf b = BUF(4096);
	struct event ev = refused(1, "{}");
	struct quarantine *q;
	struct err e;
	char dir[512];

	c = captured_new(path_of("errands.db"), &e);
	snprintf(dir, sizeof(dir), "%s", path_of("errands"));
	q = quarantine_new(str_of(dir), 3, 100000, &quiet, &e);
	all = errands_start(c, q, &quiet, &e);
	captured_window(c, STR("one"), 60, &e);

	put_u64(&b, 1);
	put_str(&b, STR("one"));
	put_str(&b, STR("the secret"));
	CHECK(errands_give(all, errand_of(WIRE_CAPTURE, &b)), "a secret");
	put_u64(&b, 2);
	put_str(&b, STR("one"));
	CHECK(errands_give(all, errand_of(WIRE_WANT_SECRET, &b)), "a question");
	put_u64(&b, 3);
	put_str(&b, STR("one"));
	put_str(&b, STR("stranger"));
	CHECK(errands_give(all, errand_of(WIRE_CAPTURE, &b)), "another secret");
	put_u64(&b, 4);
	put_str(&b, STR("none"));
	CHECK(errands_give(all, errand_of(WIRE_WANT_SECRET, &b)), "another question");
	put_str(&b, STR("forged"));
	put_str(&b, STR("reason"));
	put_event(&b, &ev);
	CHECK(errands_give(all, errand_of(WIRE_QUARANTINE, &b)), "a request");
	put_u64(&b, 6);
	CHECK(errands_give(all, errand_of(WIRE_CAPTURE, &b)), "half a message");
	put_u64(&b, 7);
	put_str(&b, STR("one"));
	put_str(&b, STR("and more"));
	CHECK(errands_give(all, errand_of(WIRE_WANT_SECRET, &b)), "more than one");

	one = next_done(all);
	CHECK(one != NULL && one->ticket == 1 && one->refusal == 0, "it is kept");
	errand_free(one);
	one = next_done(all);
	CHECK(one != NULL && one->ticket == 2 && one->refusal == 0 &&
	    str_eq(buf_str(&one->bytes), STR("the secret")), "and said");
	errand_free(one);
	one = next_done(all);
	CHECK(one != NULL && one->ticket == 3 && one->refusal == REFUSED_NO_WINDOW,
	    "the other is not");
	errand_free(one);
	one = next_done(all);
	CHECK(one != NULL && one->ticket == 4 && one->refusal == REFUSED_NO_KEY &&
	    one->bytes.n == 0, "what is not there is not said");
	errand_free(one);
	one = next_done(all);
	CHECK(one != NULL && !one->broken && is_aside("errands", 1),
	    "the request is set aside");
	errand_free(one);
	for (int i = 0; i < 2; i++) {
		one = next_done(all);
		CHECK(one != NULL && one->broken, "what is no message is none");
		errand_free(one);
	}
	/* What waits when it is told to stop is done. */
	captured_window(c, STR("two"), 60, &e);
	put_u64(&b, 8);
	put_str(&b, STR("two"));
	put_str(&b, STR("the last"));
	errands_give(all, errand_of(WIRE_CAPTURE, &b));
	errands_stop(all);
	CHECK(is_kept(c, "two", "the last"), "what waits is done before the end");
	captured_free(c);
	quarantine_free(q);

	all = errands_start(NULL, NULL, &quiet, &e);
	put_u64(&b, 9);
	put_str(&b, STR("one"));
	put_str(&b, STR("the secret"));
	errands_give(all, errand_of(WIRE_CAPTURE, &b));
	one = next_done(all);
	CHECK(one != NULL && one->refusal == REFUSED_NO_WINDOW,
	    "without an inbox nothing is captured");
	errand_free(one);
	errands_stop(all);
}

int
main(void)
{
	char command[64];

	umask(0);
	if (mkdtemp(place) == NULL)
		return 1;
	test_windows();
	test_synced();
	test_many_windows();
	test_names();
	test_links();
	test_quarantine();
	test_quarantine_bytes();
	test_errands();
	snprintf(command, sizeof(command), "rm -rf %s", place);
	if (system(command) != 0)
		return 1;
	TEST_END("aside");
}
