/*
 * test_exec.c - real programs, run by the courier: what they get, what their exit says,
 * and that one that misbehaves costs its own attempt and nothing else.
 *
 * usage: test_exec [SECTION]	tests/exec.sh runs single ones, of builds that are to fail
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../base/codec.h"
#include "../../base/digest.h"
#include "../../base/os.h"
#include "../../base/when.h"
#include "../../courier/exec.h"
#include "test.h"

#define COUNT(t)	(sizeof(t) / sizeof((t)[0]))
#define LONG_MS		30000		/* far more than anything here takes */
#define SECRET		"a-secret-that-is-nobodys-business"

static char place[] = "/tmp/hooklatch-exec-XXXXXX";
static struct log quiet = { .fd = -1, .program = "test_exec" };
static struct bundle *secrets;
static struct exec *exec;

/* --- what has ended -------------------------------------------------------------- */

static struct {
	pthread_mutex_t	 lock;
	pthread_cond_t	 more;
	struct attempt	*first;
	size_t		 n;		/* since the last take_all() */
} ends = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static void
ended(void *arg, struct attempt *a)
{
	(void)arg;
	pthread_mutex_lock(&ends.lock);
	a->next = ends.first;
	ends.first = a;
	ends.n++;
	pthread_cond_signal(&ends.more);
	pthread_mutex_unlock(&ends.lock);
}

static const struct attempt_taker taker = { .ended = ended };

/* Waits for n of them, and takes all; bounded. */
static struct attempt *
take(size_t n)
{
	struct timespec until;
	struct attempt *all;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LONG_MS / 1000;
	pthread_mutex_lock(&ends.lock);
	while (ends.n < n && pthread_cond_timedwait(&ends.more, &ends.lock,
	    &until) == 0)
		continue;
	CHECKF(ends.n == n, "%zu have ended, each once", n);
	all = ends.first;
	ends.first = NULL;
	ends.n = 0;
	pthread_mutex_unlock(&ends.lock);
	return all;
}

static void
free_all(struct attempt *a)
{
	struct attempt *next;

	for (; a != NULL; a = next) {
		next = a->next;
		attempt_free(a);
	}
}

/* --- what is given ----------------------------------------------------------------- */

/* A destination is written as its words; the last is NULL. */
static struct destination
to_words(struct str *argv, const char *const *words)
{
	struct destination to = { .name = STR("deploy"), .kind = TO_EXEC,
	    .argv = argv, .timeout = LONG_MS };

	while (words[to.nargv] != NULL) {
		argv[to.nargv] = str_of(words[to.nargv]);
		to.nargv++;
	}
	return to;
}
#define WORDS(...)	(const char *const[]){ __VA_ARGS__, NULL }
#define SCRIPT(text)	WORDS("/bin/sh", "-c", text)
#define TO(name, words)							\
	struct str name##_argv[8];					\
	struct destination name = to_words(name##_argv, words)

static struct attempt *
attempt_of(const struct destination *to, struct str body)
{
	struct arena *arena = arena_new(1 << 20);
	struct attempt *a = arena_alloc(arena, sizeof(*a));

	a->arena = arena;
	a->to = to;
	a->secrets = secrets;
	a->number = 1;
	a->output = BUF(ATTEMPT_OUTPUT);
	a->began = when_steady();
	a->timeout = to->timeout;
	a->event = (struct event){
		.id = "01890a5d-ac96-774b-bcce-b302099a8057",
		.received_at = 1700000000123,
		.hook = STR("/hooks/github"),
		.provider = STR("github"),
		.event_id = STR("72d3162e"),
		.event_type = STR("push"),
		.method = STR("POST"),
		.target = STR("/hooks/github?a=1&b=two"),
		.headers = STR("[[\"host\",\"x\"],[\"content-type\","
		    "\"application\\/json\"]]"),
		.body = body,
		.body_fd = -1,
		.size = body.n,
	};
	return a;
}

/* Runs one; the caller's to free.  Its output is a C string. */
static struct attempt *
run(const struct destination *to, struct str body)
{
	struct attempt *a = attempt_of(to, body);

	if (!exec_give(exec, a)) {
		CHECK(false, "an attempt is taken");
		return a;
	}
	a = take(1);
	if (a == NULL)
		exit(1);	/* what has not ended cannot be looked at */
	a->output.limit++;
	buf_putc(&a->output, '\0');
	a->output.n--;
	CHECK(a->took >= 0 && a->sentence[0] != '\0' &&
	    strstr(a->sentence, SECRET) == NULL,
	    "what came of it is a sentence without secrets");
	return a;
}

static bool
said(const struct attempt *a, const char *text)
{
	return strcmp(a->output.p, text) == 0;
}

static char *
path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", place, name);
	return path;
}

static void
file_with(const char *name, const char *text, mode_t mode)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, mode);

	if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    fchmod(fd, mode) == -1 || close(fd) == -1)
		abort();
}

static void
nap(void)
{
	usleep(20 * 1000);
}

/* Gone, or only waiting to be asked what became of it. */
static bool
is_gone(pid_t pid)
{
	char path[64], state = '\0';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		return true;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(f);
	return state == 'Z' || state == 'X';
}

static bool
is_gone_soon(pid_t pid)
{
	for (int i = 0; i < 250 && !is_gone(pid); i++)
		nap();
	return is_gone(pid);
}

/* --- exits --------------------------------------------------------------------------- */

static void
test_exits(void)
{
	static const struct {
		const char *script;
		enum outcome outcome;
		int code;
		const char *sentence;
	} t[] = {
		{ "exit 0", OUTCOME_DONE, 0, "exit status 0" },
		{ "exit 75", OUTCOME_LATER, 75,
		    "exit status 75: it asks for another try" },
		{ "exit 65", OUTCOME_DEAD, 65,
		    "exit status 65: it cannot take this event" },
		{ "exit 1", OUTCOME_LATER, 1, "exit status 1" },
		{ "exit 64", OUTCOME_LATER, 64, "exit status 64" },
		{ "exit 78", OUTCOME_LATER, 78, "exit status 78" },
		{ "exit 127", OUTCOME_LATER, 127, "exit status 127" },
		{ "exit 255", OUTCOME_LATER, 255, "exit status 255" },
		{ "kill -SEGV $$", OUTCOME_LATER, -1, "it was killed by SIGSEGV" },
		{ "kill -KILL $$", OUTCOME_LATER, -1, "it was killed by SIGKILL" },
		{ "kill -TERM $$", OUTCOME_LATER, -1, "it was killed by SIGTERM" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		TO(to, SCRIPT(t[i].script));
		struct attempt *a = run(&to, STR("{}"));

		CHECKF(a->outcome == t[i].outcome && a->code == t[i].code,
		    "\"%s\" is judged by the rule (%d, %d)", t[i].script,
		    a->outcome, a->code);
		CHECKF(strcmp(a->sentence, t[i].sentence) == 0,
		    "\"%s\" is said: %s", t[i].script, a->sentence);
		attempt_free(a);
	}
}

/* --- the body -------------------------------------------------------------------------- */

static bool
has_digest(const struct attempt *a, struct str body)
{
	unsigned char digest[32];
	char hex[65];

	digest_sha256(body, digest);
	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return strncmp(a->output.p, hex, 64) == 0;
}

static struct str
bytes_of(size_t n)
{
	char *p = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 2654435761u >> 13);
	return (struct str){ p, n };
}

static void
test_body(void)
{
	TO(sum, WORDS("/usr/bin/sha256sum"));
	TO(deaf, WORDS("/bin/true"));
	TO(writer, SCRIPT("exec 2>&-; echo x >/proc/self/fd/0 || echo refused; cat"));
	TO(head, WORDS("/usr/bin/head", "-c", "5"));
	struct str small = bytes_of(200 * 1024), large = bytes_of(25 << 20);
	struct attempt *a, *next;
	int fd;

	a = run(&sum, STR(""));
	CHECK(has_digest(a, STR("")) && a->outcome == OUTCOME_DONE,
	    "an empty body is an empty stdin");
	attempt_free(a);
	a = run(&sum, STR_NONE);
	CHECK(has_digest(a, STR("")), "so is none");
	attempt_free(a);
	a = run(&sum, STR("a\0b\n"));
	CHECK(has_digest(a, STR("a\0b\n")), "a body may hold any byte");
	attempt_free(a);
	a = run(&sum, small);
	CHECK(has_digest(a, small), "200 KB arrive whole");
	attempt_free(a);
	a = run(&deaf, small);
	CHECK(a->outcome == OUTCOME_DONE, "who reads nothing waits for nothing");
	attempt_free(a);
	a = run(&head, STR("hello, world"));
	CHECK(said(a, "hello"), "who reads little neither");
	attempt_free(a);
	a = run(&writer, STR("as it came"));
	CHECK(said(a, "refused\nas it came"), "nobody writes to a body in memory");
	attempt_free(a);

	fd = open(path_of("body"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (write(fd, large.p, large.n) != (ssize_t)large.n)
		abort();
	for (int i = 0; i < 3; i++) {	/* at the same time, each from the start */
		a = attempt_of(&sum, STR_NONE);
		a->event.body_fd = dup(fd);
		a->event.size = large.n;
		CHECK(exec_give(exec, a), "an attempt is taken");
	}
	for (a = take(3); a != NULL; a = next) {
		next = a->next;
		CHECK(has_digest(a, large), "25 MB from a file arrive whole, from its "
		    "first byte, though others read it and it was read before");
		attempt_free(a);
	}
	a = attempt_of(&writer, STR_NONE);
	a->event.body_fd = fd;
	CHECK(exec_give(exec, a), "an attempt is taken");
	a = take(1);
	CHECK(lseek(fd, 0, SEEK_CUR) == (off_t)large.n,
	    "our own place in the file stays where it was");
	attempt_free(a);
	free((char *)(uintptr_t)small.p);
	free((char *)(uintptr_t)large.p);
}

/* --- the environment ---------------------------------------------------------------------- */

static void
test_environment(void)
{
	static const char promised[] =
	    "HOME=/\n"
	    "HOOKLATCH_ATTEMPT=3\n"
	    "HOOKLATCH_CONTENT_TYPE=application/json\n"
	    "HOOKLATCH_DESTINATION=deploy\n"
	    "HOOKLATCH_EVENT_ID=72d3162e\n"
	    "HOOKLATCH_EVENT_TYPE=\n"
	    "HOOKLATCH_HOOK=/hooks/github\n"
	    "HOOKLATCH_ID=01890a5d-ac96-774b-bcce-b302099a8057\n"
	    "HOOKLATCH_METHOD=POST\n"
	    "HOOKLATCH_PROVIDER=github\n"
	    "HOOKLATCH_RECEIVED_AT=2023-11-14T22:13:20.123Z\n"
	    "HOOKLATCH_SIZE=2\n"
	    "HOOKLATCH_TARGET=/hooks/github?a=1&b=two\n"
	    "LANG=de_DE.UTF-8\n"
	    "PATH=/usr/local/bin:/usr/bin:/bin\n"
	    "STAGE=one two\n"
	    "TOKEN=" SECRET "\n";
	struct pair pairs[] = {
		{ STR("TOKEN"), STR("env:EXEC_TOKEN") },
		{ STR("STAGE"), STR("one two") },
		{ STR("LANG"), STR("de_DE.UTF-8") },
	};
	TO(to, WORDS("/usr/bin/env"));
	TO(cmdline, SCRIPT("tr '\\0' ' ' </proc/$$/cmdline; echo; env | grep -c TOKEN"));
	struct attempt *a;
	char *lines[64], *line, *save, text[4096] = "";
	size_t n = 0;
	struct str raw;

	to.environment = cmdline.environment = pairs;
	to.nenvironment = cmdline.nenvironment = COUNT(pairs);
	a = attempt_of(&to, STR("{}"));
	a->number = 3;
	a->event.event_type = STR_NONE;
	CHECK(exec_give(exec, a), "an attempt is taken");
	a = take(1);
	buf_putc(&a->output, '\0');
	for (line = strtok_r(a->output.p, "\n", &save); line != NULL && n < 64;
	    line = strtok_r(NULL, "\n", &save)) {
		size_t i = n++;

		for (; i > 0 && strcmp(lines[i - 1], line) > 0; i--)
			lines[i] = lines[i - 1];
		lines[i] = line;
	}
	for (size_t i = 0; i < n; i++) {
		strcat(text, lines[i]);
		strcat(text, "\n");
	}
	CHECK(strcmp(text, promised) == 0, "the environment is what is promised");
	if (strcmp(text, promised) != 0)
		printf("%s", text);
	attempt_free(a);

	a = run(&cmdline, STR("{}"));
	CHECK(strstr(a->output.p, SECRET) == NULL && strstr(a->output.p, "\n1\n")
	    != NULL, "a secret is in the environment, and no argument");
	attempt_free(a);

	pairs[0].value = STR("env:EXEC_NOT_READ");
	a = run(&to, STR("{}"));
	CHECK(a->outcome == OUTCOME_LATER && strstr(a->sentence, "TOKEN was not read")
	    != NULL && a->output.n == 0,
	    "a secret that was not read is said, and nothing is run without it");
	attempt_free(a);
	pairs[0].value = STR("plain:with\0nul");
	a = run(&to, STR("{}"));
	CHECK(a->outcome == OUTCOME_LATER && strstr(a->sentence, "NUL") != NULL,
	    "a secret with a NUL is not cut, it is said");
	attempt_free(a);

	/* A stranger's values. */
	TO(show, SCRIPT("printf %s \"$HOOKLATCH_EVENT_ID|$HOOKLATCH_EVENT_TYPE|"
	    "$HOOKLATCH_CONTENT_TYPE|${#HOOKLATCH_TARGET}\""));
	raw = bytes_of(10000);
	memset((char *)(uintptr_t)raw.p, 'x', raw.n);
	a = attempt_of(&show, STR("{}"));
	a->event.event_id = STR("one\0PATH=/tmp");
	a->event.event_type = STR("$(id)`id`\"';\n&");
	a->event.target = raw;
	a->event.headers = STR("[[\"content-type\",\"a\"],[\"content-type\",\"b\"]]");
	CHECK(exec_give(exec, a), "an attempt is taken");
	a = take(1);
	CHECK(str_eq(buf_str(&a->output), STR("one|$(id)`id`\"';\n&||4096")),
	    "a stranger's value is bytes, cut at a NUL and after 4 KiB; a type that "
	    "came twice is none");
	attempt_free(a);
	free((char *)(uintptr_t)raw.p);
}

/* --- the place ------------------------------------------------------------------------------ */

static void
test_place(void)
{
	struct attempt *a;
	char want[600], *where;
	int pid, group, session, tty;
	TO(pwd, WORDS("/bin/pwd"));
	TO(mask, SCRIPT("umask; ulimit -c; ulimit -Sn"));
	TO(stat_, WORDS("/bin/cat", "/proc/self/stat"));
	TO(status, WORDS("/bin/cat", "/proc/self/status"));

	a = run(&pwd, STR(""));
	CHECK(said(a, "/\n"), "a program runs in /");
	attempt_free(a);
	pwd.directory = str_of(place);
	a = run(&pwd, STR(""));
	snprintf(want, sizeof(want), "%s\n", place);
	CHECK(said(a, want), "or in the destination's directory");
	attempt_free(a);
	a = run(&mask, STR(""));
	CHECK(said(a, "0022\n0\n1024\n"), "with umask 022, no core, 1024 descriptors");
	attempt_free(a);
	a = run(&stat_, STR(""));
	CHECK(sscanf(a->output.p, "%d (cat) %*c %*d %d %d %d", &pid, &group, &session,
	    &tty) == 4 && pid == group && pid == session && tty == 0,
	    "in a session and a group of its own, without a terminal");
	attempt_free(a);
	a = run(&status, STR(""));
	where = strstr(a->output.p, "SigBlk:");
	CHECK(where != NULL && strncmp(where, "SigBlk:\t0000000000000000\n"
	    "SigIgn:\t0000000000000000\n", 50) == 0,
	    "no signal is blocked or ignored");
	attempt_free(a);
}

static void
test_descriptors(void)
{
	TO(list, SCRIPT("cd /proc/self/fd && echo *; readlink 1; readlink 2; "
	    "readlink 0 | cut -c1-22"));
	struct attempt *a;
	int open_to_all = open("/dev/null", O_RDONLY);	/* not close-on-exec */
	char one[64], other[64], in[64];

	a = run(&list, STR("x"));
	CHECK(strncmp(a->output.p, "0 1 2\n", 6) == 0 ||
	    strncmp(a->output.p, "0 1 2 3\n", 8) == 0, /* the shell's own */
	    "no other descriptor is open in a program");
	CHECK(sscanf(a->output.p, "%*[^\n]\n%63s\n%63s\n%63s", one, other, in) == 3 &&
	    strncmp(one, "pipe:", 5) == 0 && strcmp(one, other) == 0 &&
	    strcmp(in, "/memfd:hooklatch-event") == 0,
	    "its output is one pipe, its input a file");
	attempt_free(a);
	close(open_to_all);
}

/* --- what cannot be run -------------------------------------------------------------------- */

static void
test_missing(void)
{
	static char many[150][1000];
	static struct str words[3000];
	struct { const char *program, *directory, *sentence; } t[] = {
		{ "/nonexistent/deploy", NULL, "/nonexistent/deploy: No such file or "
		    "directory; install it, or name another" },
		{ "deploy", NULL, "\"exec\" begins with \"deploy\", which is no whole "
		    "path: write it as \"/usr/local/bin/deploy\"" },
		{ "./deploy", NULL, "which is no whole path" },
		{ "", NULL, "which is no whole path" },
		{ "@plain", NULL, "Permission denied; it must be a file that the "
		    "courier's user may execute" },
		{ "/etc", NULL, "Permission denied; it must be a file" },
		{ "@lost", NULL, "it is there, but not the interpreter that it "
		    "names" },
		{ "@text", NULL, "Exec format error; a script begins with "
		    "\"#!/bin/sh\"" },
		{ "/bin/true", "/nonexistent", "its directory /nonexistent: No such "
		    "file or directory; make it, or name another" },
		{ "/bin/true", "/etc/passwd", "its directory /etc/passwd: Not a "
		    "directory" },
	};
	struct attempt *a;

	file_with("plain", "#!/bin/sh\n", 0644);
	file_with("lost", "#!/nonexistent/interpreter\n", 0755);
	file_with("text", "exit 0\n", 0755);
	for (size_t i = 0; i < COUNT(t); i++) {
		const char *program = t[i].program;
		TO(to, WORDS(*program == '@' ? path_of(program + 1) : program));

		to.directory = str_of(t[i].directory);
		a = run(&to, STR("{}"));
		CHECKF(a->outcome == OUTCOME_LATER && a->code == -1 &&
		    strstr(a->sentence, t[i].sentence) != NULL &&
		    strlen(a->sentence) < ATTEMPT_SENTENCE - 1,
		    "\"%s\" in %s is said: %s", program, t[i].directory != NULL ?
		    t[i].directory : "/", a->sentence);
		attempt_free(a);
	}

	TO(to, WORDS("/bin/true"));
	for (size_t i = 0; i < COUNT(words); i++) {
		memset(many[i % 150], 'a', 999);
		words[i] = str_of(many[i % 150]);
	}
	words[0] = STR("/bin/true");
	to.argv = words;
	to.nargv = COUNT(words);
	a = run(&to, STR("{}"));
	CHECKF(a->outcome == OUTCOME_LATER && strstr(a->sentence, "too many arguments")
	    != NULL, "more words than the kernel takes is said: %s", a->sentence);
	attempt_free(a);
}

/* --- those that misbehave -------------------------------------------------------------------- */

static void
test_hang(void)
{
	static const struct { const char *says, *script; int code; } t[] = {
		{ "one that hangs", "exec sleep 1000", -1 },
		{ "one that ignores SIGTERM",
		    "trap '' TERM; while :; do sleep 0.1; done", -1 },
		{ "one that stops itself", "kill -STOP $$; sleep 1000", -1 },
		{ "one that closed its output and hangs",
		    "exec >&- 2>&-; exec sleep 1000", -1 },
		{ "one that exits with 0 when it is asked to end",
		    "trap 'exit 0' TERM; while :; do sleep 0.1; done", 0 },
		{ "one whose child hangs", "sleep 1000; exit 0", -1 },
	};
	struct str argv[COUNT(t)][4];
	struct destination to[COUNT(t)];
	struct attempt *a, *next;
	TO(quick, SCRIPT("exec >&- 2>&-; exit 3"));

	for (size_t i = 0; i < COUNT(t); i++) {
		to[i] = to_words(argv[i], SCRIPT(t[i].script));
		to[i].timeout = i % 2 == 0 ? 1000 : 1001;
		CHECK(exec_give(exec, attempt_of(&to[i], STR("{}"))),
		    "an attempt is taken");
	}
	for (a = take(COUNT(t)); a != NULL; a = next) {
		size_t i = (size_t)(a->to - to);

		next = a->next;
		CHECKF(a->outcome == OUTCOME_LATER && a->code == t[i].code,
		    "%s is ended, for later (%d)", t[i].says, a->code);
		CHECKF(strcmp(a->sentence, i % 2 == 0 ?
		    "it ran longer than 1 s and was ended" :
		    "it ran longer than 1001 ms and was ended") == 0,
		    "%s is said: %s", t[i].says, a->sentence);
		attempt_free(a);
	}
	a = run(&quick, STR("{}"));
	CHECK(a->outcome == OUTCOME_LATER && a->code == 3 && a->output.n == 0,
	    "one that closed its output is waited for and judged by its exit");
	attempt_free(a);
}

static void
test_flood(void)
{
	TO(yes, SCRIPT("yes & yes >&2 & exec yes"));
	TO(much, SCRIPT("echo one; echo two >&2; yes | head -c 50000000; exit 7"));
	struct attempt *a, *next;
	struct rusage before, after;

	yes.timeout = 1500;
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < 2; i++)
		CHECK(exec_give(exec, attempt_of(&yes, STR("{}"))),
		    "an attempt is taken");
	a = run(&much, STR("{}"));	/* while the others flood */
	CHECK(a->code == 7 && a->output.n == ATTEMPT_OUTPUT &&
	    strncmp(a->output.p, "one\ntwo\ny\ny\n", 12) == 0,
	    "50 MB of output are read to their end, the first 4 KiB are kept");
	attempt_free(a);
	for (a = take(2); a != NULL; a = next) {
		next = a->next;
		CHECK(a->outcome == OUTCOME_LATER && a->output.n == ATTEMPT_OUTPUT &&
		    a->output.cap <= ATTEMPT_OUTPUT,
		    "one that floods is ended like another, 4 KiB kept");
		attempt_free(a);
	}
	getrusage(RUSAGE_SELF, &after);
	CHECK(after.ru_maxrss - before.ru_maxrss < 8 * 1024,
	    "a flood costs no memory");
}

/* --- what is left behind ----------------------------------------------------------------------- */

static void
test_group(void)
{
	TO(behind, SCRIPT("sleep 1000 & echo $!; exit 0"));
	TO(deaf, SCRIPT("trap '' TERM; sleep 1000 & echo $!; sleep 1000; exit 0"));
	struct attempt *a;
	pid_t pid;

	a = run(&behind, STR("{}"));
	pid = atoi(a->output.p);
	CHECK(pid > 1 && a->outcome == OUTCOME_DONE,
	    "who leaves a child with the pipe behind is not waited for");
	CHECK(is_gone_soon(pid), "what a program leaves in its group is ended");
	if (pid > 1 && !is_gone(pid))
		kill(pid, SIGKILL);
	attempt_free(a);

	deaf.timeout = 500;
	a = run(&deaf, STR("{}"));
	pid = atoi(a->output.p);
	CHECK(pid > 1 && is_gone_soon(pid),
	    "with one that is ended, so are its children that ignore SIGTERM");
	if (pid > 1 && !is_gone(pid))
		kill(pid, SIGKILL);
	attempt_free(a);
}

static void
test_escape(void)
{
	/* It is let go only when it has its session: the shell looks. */
	TO(escape, SCRIPT("setsid sh -c 'echo $$; exec yes' & "
	    "until [ \"$(cut -d' ' -f6 /proc/$!/stat)\" = $! ]; do sleep 0.05; done; "
	    "sleep 0.3; exit 0"));
	struct attempt *a = run(&escape, STR("{}"));
	pid_t pid = atoi(a->output.p);

	CHECK(pid > 1 && a->outcome == OUTCOME_DONE,
	    "one with a session of its own that floods the pipe holds nothing up");
	CHECK(is_gone_soon(pid), "and dies of the closed pipe");
	attempt_free(a);

	TO(quiet_one, SCRIPT("setsid sh -c 'echo $$; exec sleep 1000' & "
	    "until [ \"$(cut -d' ' -f6 /proc/$!/stat)\" = $! ]; do sleep 0.05; done; "
	    "sleep 0.3; exit 0"));
	a = run(&quiet_one, STR("{}"));
	pid = atoi(a->output.p);
	CHECK(pid > 1 && a->outcome == OUTCOME_DONE && !is_gone(pid),
	    "one with a session of its own lives on, as exec.h says");
	if (pid > 1)
		kill(pid, SIGKILL);
	attempt_free(a);
}

/* --- many, and the end ------------------------------------------------------------------------- */

static size_t
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
test_many(void)
{
	TO(to, SCRIPT("cat; echo \" $HOOKLATCH_ATTEMPT\"; exit 0"));
	struct attempt *a, *next;
	bool seen[65] = { false };
	size_t before = descriptors(), distinct = 0;
	unsigned long n;

	for (uint64_t i = 1; i <= 64; i++) {
		a = attempt_of(&to, STR("body"));
		a->number = i;
		CHECK(exec_give(exec, a), "an attempt is taken");
	}
	for (a = take(64); a != NULL; a = next) {
		next = a->next;
		buf_putc(&a->output, '\0');
		n = strtoul(a->output.p + 5, NULL, 10);
		CHECK(a->outcome == OUTCOME_DONE && n == a->number && n <= 64,
		    "each of 64 at once has its own output");
		distinct += n <= 64 && !seen[n];
		seen[n <= 64 ? n : 0] = true;
		attempt_free(a);
	}
	CHECK(distinct == 64, "and each ran once");
	CHECK(descriptors() == before, "no descriptor is left open");
}

static void
restart(void)
{
	struct err e;

	if ((exec = exec_start(&quiet, &taker, &e)) == NULL) {
		printf("%s\n", e.text);
		exit(1);
	}
}

static void
test_stop(void)
{
	TO(hangs, WORDS("/bin/sleep", "1000"));
	TO(deaf, SCRIPT("trap '' TERM; while :; do sleep 0.1; done"));
	TO(obeys, SCRIPT("trap 'exit 0' TERM; while :; do sleep 0.1; done"));
	TO(slow, SCRIPT("trap '' TERM; while :; do sleep 0.1; done"));
	const struct destination *ten[] = { &hangs, &deaf, &obeys, &hangs, &deaf,
	    &obeys, &hangs, &hangs, &hangs, &slow };
	struct attempt *a, *next;
	size_t n;

	slow.timeout = 100;
	for (size_t i = 0; i < COUNT(ten); i++)
		CHECK(exec_give(exec, attempt_of(ten[i], STR("{}"))),
		    "an attempt is taken");
	usleep(500 * 1000);
	exec_stop(exec);
	for (a = take(COUNT(ten)); a != NULL; a = next) {
		next = a->next;
		CHECKF(a->outcome == OUTCOME_LATER && strcmp(a->sentence,
		    a->to == &slow ? "it ran longer than 100 ms and was ended" :
		    "the courier stopped") == 0, "one that ran when we stopped is "
		    "for later: %s", a->sentence);
		attempt_free(a);
	}
	CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD,
	    "none is left when we have stopped");

	restart();
	for (n = 0; n < EXEC_MOST; n++)
		CHECK(exec_give(exec, attempt_of(&hangs, STR("{}"))),
		    "as many are taken as is said");
	a = attempt_of(&hangs, STR("{}"));
	CHECK(!exec_give(exec, a), "and no more: it stays the caller's");
	attempt_free(a);
	exec_stop(exec);
	free_all(take(EXEC_MOST));
	CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD,
	    "all of them are ended");
	exec_stop(NULL);
	restart();
}

/* --- a courier that is killed, and one that is not root -------------------------------------------- */

/* A process that is a courier; what it does then is its own. */
static pid_t
courier(void (*life)(void))
{
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) != 0)
		return pid;
	test_failed = 0;
	prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0, 0, 0);
	alarm(LONG_MS / 1000);
	restart();
	life();
	fflush(stdout);
	_exit(test_failed != 0);
}

static void
life_to_be_killed(void)
{
	char script[600];

	snprintf(script, sizeof(script), "echo $$ >%s; exec sleep 1000",
	    path_of("pid"));
	TO(to, SCRIPT(script));
	exec_give(exec, attempt_of(&to, STR("{}")));
	sleep(LONG_MS / 1000);
}

/* As the courier is: its memory closed to others, and so its /proc. */
static void
life_without_root(void)
{
	TO(cat, WORDS("/bin/cat"));
	struct attempt *a;
	struct err e;
	int fd;

	if (geteuid() == 0 && (setgid(65534) == -1 || setuid(65534) == -1))
		abort();
	CHECK(os_guard_memory(&e) == 0, "a courier guards its memory");
	fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, "from a file", 11) != 11)
		abort();
	a = attempt_of(&cat, STR_NONE);
	a->event.body_fd = fd;
	CHECK(exec_give(exec, a), "an attempt is taken");
	a = take(1);
	CHECKF(a->outcome == OUTCOME_DONE &&
	    str_eq(buf_str(&a->output), STR("from a file")),
	    "a courier that guards its memory can open a body: %s", a->sentence);
	attempt_free(a);
	exec_stop(exec);
}

/* A set-user-ID program: it has become somebody whom its courier cannot kill. */
static int
be_untouchable(void)
{
	if (setresuid(0, 0, 0) == -1)
		return 1;
	file_with("untouchable", "", 0644);
	sleep(10 * LONG_MS / 1000);
	return 0;
}

static void
life_with_untouchable(void)
{
	char program[512];

	snprintf(program, sizeof(program), "%s", path_of("set-user-id"));
	TO(to, WORDS(program, "--untouchable", place));
	struct attempt *a = attempt_of(&to, STR("{}"));
	bool runs = false;

	if (setgid(65534) == -1 || setuid(65534) == -1)
		abort();
	to.timeout = 300;
	CHECK(exec_give(exec, a), "an attempt is taken");
	for (int i = 0; i < 100 && !runs && ends.n == 0; i++, nap())
		runs = access(path_of("untouchable"), F_OK) == 0;
	if (runs) {	/* a file system may forbid it: nosuid */
		exec_stop(exec);
		a = take(1);
		CHECKF(a->outcome == OUTCOME_LATER && strcmp(a->sentence,
		    "the courier stopped") == 0, "one that cannot be ended does not "
		    "hold up our own end: %s", a->sentence);
	}
}

static void
copy_of_ourselves(const char *name, mode_t mode)
{
	char bytes[65536];
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
	    to = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			abort();
	if (fchmod(to, mode) == -1)
		abort();
	close(from);
	close(to);
}

/* Whose arguments are these?  For what must not be left behind. */
static void
kill_those_of(const char *word)
{
	DIR *d = opendir("/proc");
	struct dirent *one;
	char path[300], line[600];
	ssize_t n;
	int fd;

	while ((one = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%s/cmdline", one->d_name);
		if (atoi(one->d_name) <= 1 || (fd = open(path, O_RDONLY)) == -1)
			continue;
		n = read(fd, line, sizeof(line));
		close(fd);
		if (n > 0 && memmem(line, (size_t)n, word, strlen(word)) != NULL)
			kill(atoi(one->d_name), SIGKILL);
	}
	closedir(d);
}

static void
test_untouchable(void)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		return;
	exec_stop(exec);
	copy_of_ourselves("set-user-id", 04755);
	pid = courier(life_with_untouchable);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0, "a program beyond our signals is given up");
	kill_those_of(path_of("set-user-id"));
	restart();
}

static void
test_killed(void)
{
	pid_t pid, program = 0;
	FILE *f;
	int status;

	exec_stop(exec);	/* a process of one thread, to fork from */
	pid = courier(life_to_be_killed);
	for (int i = 0; i < 500 && program == 0; i++, nap()) {
		if ((f = fopen(path_of("pid"), "r")) == NULL)
			continue;
		if (fscanf(f, "%d", &program) != 1)
			program = 0;
		fclose(f);
	}
	CHECK(program > 1 && !is_gone(program), "a program runs");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(program > 1 && is_gone_soon(program),
	    "kill -9 of the courier ends its programs");
	if (program > 1 && !is_gone(program))
		kill(program, SIGKILL);

	pid = courier(life_without_root);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0, "a courier without root hands bodies on");
	restart();
}

/* --- all of it --------------------------------------------------------------------------------------- */

int
main(int argc, char **argv)
{
	static const struct { const char *name; void (*test)(void); } sections[] = {
		{ "exits", test_exits }, { "body", test_body },
		{ "environment", test_environment }, { "place", test_place },
		{ "descriptors", test_descriptors }, { "missing", test_missing },
		{ "hang", test_hang }, { "flood", test_flood },
		{ "group", test_group }, { "escape", test_escape },
		{ "many", test_many }, { "stop", test_stop },
		{ "killed", test_killed }, { "untouchable", test_untouchable },
	};
	struct rlimit most;
	sigset_t set;
	struct err e;

	if (argc == 3 && strcmp(argv[1], "--untouchable") == 0) {
		snprintf(place, sizeof(place), "%s", argv[2]);
		return be_untouchable();
	}
	/* As in the courier's main. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	umask(077);
	if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
		most.rlim_cur = most.rlim_max < 8192 ? most.rlim_max : 8192;
		setrlimit(RLIMIT_NOFILE, &most);
	}
	setenv("EXEC_TOKEN", SECRET, 1);
	setenv("OF_THE_COURIER", "alone", 1);
	if (mkdtemp(place) == NULL || (secrets = bundle_new()) == NULL ||
	    bundle_read_secret(secrets, STR("env:EXEC_TOKEN"), &e) == -1)
		return 1;
	chmod(place, 0755);
	restart();
	for (size_t i = 0; i < COUNT(sections); i++)
		if (argc < 2 || strcmp(argv[1], sections[i].name) == 0)
			sections[i].test();
	exec_stop(exec);
	bundle_free(secrets);
	{
		static const char *const files[] = { "body", "plain", "lost", "text",
		    "pid", "set-user-id", "untouchable" };

		for (size_t i = 0; i < COUNT(files); i++)
			unlink(path_of(files[i]));
	}
	rmdir(place);
	TEST_END("exec");
}
