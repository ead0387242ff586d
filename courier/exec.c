/* exec.c - see exec.h. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../base/json.h"
#include "../base/os.h"
#include "../base/when.h"
#include "exec.h"

#define GONE_MS		1000		/* that a killed one may take when we stop */
#define PATIENCE_MS	60000		/* of one wait, when nothing is due */
#define LOOK_MS		50		/* between two looks at who is not watched */
#define NEVER		INT64_MAX
#define CHUNK		(16 * 1024)	/* of output, at once */
#define CHUNKS		8		/* then others have their turn */
#define EVENTS		64
#define DESCRIPTORS	1024		/* soft limit of a program */
#define PATH_SHOWN	100		/* bytes of a path in a sentence */
#define FAULT_FD	3		/* in the child, until exec closes it */

enum state { RUNS, ASKED, KILLED };

/* What the child could not do, through a pipe: step is one of steps[]. */
enum step { STEP_PREPARE = 1, STEP_DIRECTORY, STEP_EXEC };
struct fault {
	int		 step;
	int		 error;		/* errno */
};

struct run {
	struct attempt	*attempt;	/* NULL: this place is free */
	pid_t		 pid;		/* and its group's, once it has called setsid */
	int		 pidfd;
	int		 output;	/* -1: closed at the other end */
	int		 answer;	/* likewise: stdout, where it is an answer */
	int		 fault;
	bool		 watched;	/* by epoll, both; else it is looked at */
	enum state	 state;
	bool		 stopped;	/* asked to end because we stop */
	int64_t		 deadline;	/* steady ms: when the next step is due */
};

struct exec {
	struct log	*log;
	struct attempt_taker taker;
	pthread_t	 thread;
	int		 told;		/* an eventfd: look at what follows the lock */
	int		 epoll;

	/* The thread's own. */
	struct run	 runs[EXEC_MOST];
	bool		 stopping;

	pthread_mutex_t	 lock;		/* of what follows */
	struct attempt	*given, **given_end;
	unsigned	 n;		/* given and not yet told */
	bool		 stop;
};

/* What epoll says: of which run, and which of its descriptors. */
#define OF(what)	((what) / 3)
#define OF_PIDFD(i)	((uint64_t)(i) * 3)
#define OF_OUTPUT(i)	((uint64_t)(i) * 3 + 1)
#define OF_ANSWER(i)	((uint64_t)(i) * 3 + 2)
#define OF_TOLD		UINT64_MAX

/* --- what a program gets ---------------------------------------------------------- */

/* All that the child needs, made before the fork: it may call little. */
struct plan {
	struct arena	*arena;		/* secrets are in it: wiped */
	char		**argv;
	char		**env;
	size_t		 nenv;
	const char	*directory;
	int		 in;		/* its ends */
	int		 out;
	int		 answer;	/* -1: stdout is as stderr */
	int		 fault;
	pid_t		 parent;
	struct rlimit	 descriptors;
};

/* Bytes with a NUL behind them for those who read until one; NULL: no room. */
static char *
c_text(struct plan *p, struct str s)
{
	return (char *)(uintptr_t)arena_str(p->arena, s).p;
}

/* Over one of the same name; false: no room. */
static bool
env_set(struct plan *p, struct str name, struct str value)
{
	struct str parts[] = { name, STR("="), value }, whole;
	size_t i = 0;

	whole = arena_join(p->arena, parts, 3);
	if (whole.p == NULL)
		return false;
	while (i < p->nenv && strncmp(p->env[i], whole.p, name.n + 1) != 0)
		i++;
	p->env[i] = (char *)(uintptr_t)whole.p;
	if (i == p->nenv)
		p->nenv++;
	return true;
}

/* What the sender called it; empty when it did not, or said it twice. */
static struct str
content_type(struct arena *a, struct str headers)
{
	struct str pair, name, value, found = STR("");
	size_t at = 0, in;

	while (json_next(headers, &at, &pair) == JSON_ARRAY) {
		in = 0;
		if (json_next(pair, &in, &name) != JSON_STRING ||
		    !str_eq(name, STR("content-type")))
			continue;
		if (found.n > 0 || json_next(pair, &in, &value) != JSON_STRING)
			return STR("");
		found = json_unescape(a, value);
	}
	return found;
}

/* Our own variables; false: no room. */
static bool
env_facts(struct plan *p, const struct attempt *a)
{
	const struct event *v = &a->event;
	char received[WHEN_ROOM], number[WHEN_ROOM], size[WHEN_ROOM];
	const struct pair facts[] = {
		{ STR("PATH"), STR("/usr/local/bin:/usr/bin:/bin") },
		{ STR("HOME"), STR("/") },
		{ STR("LANG"), STR("C.UTF-8") },
		{ STR("HOOKLATCH_ID"), str_of(v->id) },
		{ STR("HOOKLATCH_HOOK"), v->hook },
		{ STR("HOOKLATCH_PROVIDER"), v->provider },
		{ STR("HOOKLATCH_EVENT_ID"), v->event_id },
		{ STR("HOOKLATCH_EVENT_TYPE"), v->event_type },
		{ STR("HOOKLATCH_RECEIVED_AT"), { received,
		    when_print(received, v->received_at, WHEN_ISO8601) } },
		{ STR("HOOKLATCH_ATTEMPT"), { number,
		    when_print(number, (int64_t)a->number, WHEN_MS) } },
		{ STR("HOOKLATCH_DESTINATION"), a->to->name },
		{ STR("HOOKLATCH_METHOD"), v->method },
		{ STR("HOOKLATCH_TARGET"), v->target },
		{ STR("HOOKLATCH_SIZE"), { size,
		    when_print(size, (int64_t)v->size, WHEN_MS) } },
		{ STR("HOOKLATCH_CONTENT_TYPE"), content_type(p->arena, v->headers) },
	};
	const size_t n = sizeof(facts) / sizeof(facts[0]);
	struct str value;

	p->env = arena_alloc(p->arena,
	    (n + a->to->nenvironment + 1) * sizeof(*p->env));
	if (p->env == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		value = facts[i].value;
		value = str_head(str_cut(&value, '\0'), EXEC_VALUE);
		if (!env_set(p, facts[i].name, value))
			return false;
	}
	return true;
}

/* Always false. */
static bool
say_no_room(struct attempt *a)
{
	attempt_say(a, OUTCOME_LATER, -1,
	    "its arguments and environment are too long, or there is no memory");
	return false;
}

/* The destination's; false, and it is said why. */
static bool
env_pairs(struct plan *p, struct attempt *a)
{
	const struct destination *to = a->to;
	struct str value;

	for (size_t i = 0; i < to->nenvironment; i++) {
		value = to->environment[i].value;
		if (conf_is_reference(value))
			value = bundle_secret(a->secrets, value);
		if (value.p == NULL || str_find(value, '\0') >= 0) {
			attempt_say(a, OUTCOME_LATER, -1, value.p == NULL ?
			    "the secret for \"environment\" %.*s was not read; see "
			    "that it is there, and reload" :
			    "the value for \"environment\" %.*s holds a NUL byte, "
			    "which no environment can: write it as text",
			    STR_ARG(str_head(to->environment[i].name, PATH_SHOWN)));
			return false;
		}
		if (!env_set(p, to->environment[i].name, value))
			return say_no_room(a);
	}
	return true;
}

/* The body as a file that is read from its first byte, whoever else reads it. */
static int
body_open(const struct event *v, struct err *e)
{
	char path[64];
	int fd;

	if (v->body_fd == -1)
		return os_memfd("hooklatch-event", v->body, e);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", v->body_fd);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		err_set(e, ERR_OS, "opening the body anew: %s; /proc must be "
		    "mounted", strerror(errno));
	return fd;
}

/* false, and it is said why. */
static bool
plan_words(struct plan *p, struct attempt *a)
{
	const struct destination *to = a->to;

	if (to->nargv == 0 || to->argv[0].n == 0 || to->argv[0].p[0] != '/') {
		attempt_say(a, OUTCOME_LATER, -1, "\"exec\" begins with \"%.*s\", "
		    "which is no whole path: write it as \"/usr/local/bin/deploy\"",
		    STR_ARG(str_head(to->nargv == 0 ? STR("") : to->argv[0],
		    PATH_SHOWN)));
		return false;
	}
	p->argv = arena_alloc(p->arena, (to->nargv + 1) * sizeof(*p->argv));
	if (p->argv == NULL)
		return say_no_room(a);
	for (size_t i = 0; i < to->nargv; i++)
		if ((p->argv[i] = c_text(p, to->argv[i])) == NULL)
			return say_no_room(a);
	p->directory = c_text(p, to->directory.n > 0 ? to->directory : STR("/"));
	if (p->directory == NULL || !env_facts(p, a))
		return say_no_room(a);
	return env_pairs(p, a);
}

static bool
plan_make(struct plan *p, struct attempt *a)
{
	struct err e;

	if ((p->arena = arena_new(EXEC_WORDS)) == NULL) {
		attempt_say(a, OUTCOME_LATER, -1, "no memory");
		return false;
	}
	if (!plan_words(p, a))
		return false;
	if ((p->in = body_open(&a->event, &e)) == -1) {
		attempt_say(a, OUTCOME_LATER, -1, "%s", e.text);
		return false;
	}
	p->parent = getpid();
	getrlimit(RLIMIT_NOFILE, &p->descriptors);
	if (p->descriptors.rlim_cur > DESCRIPTORS)
		p->descriptors.rlim_cur = DESCRIPTORS;
	return true;
}

static void
shut(int fd)
{
	if (fd != -1)
		close(fd);
}

static void
plan_free(struct plan *p)
{
	arena_wipe(p->arena);
	shut(p->in);
	shut(p->out);
	shut(p->answer);
	shut(p->fault);
}

/* --- the child -------------------------------------------------------------------- */

/*
 * Between fork and exec in a process of many threads: nothing here but calls that are
 * safe in a signal handler (signal-safety(7)).
 */
static bool
child_descriptors(struct plan *p)
{
	int out = p->answer != -1 ? p->answer : p->out;

	if (dup2(p->in, 0) == -1 || dup2(out, 1) == -1 || dup2(p->out, 2) == -1)
		return false;
	/* The others are dealt with, so what stands in the way of 3 may go. */
	if (p->fault != FAULT_FD && dup3(p->fault, FAULT_FD, O_CLOEXEC) == -1)
		return false;
	p->fault = FAULT_FD;
#ifdef TEST_NO_CLOSE		/* tests/exec.sh must notice */
	return true;
#else
	return close_range(FAULT_FD + 1, INT_MAX, 0) == 0;	/* ~0u: not in gVisor */
#endif
}

static bool
child_prepare(struct plan *p)
{
	const struct rlimit none = { 0, 0 };
	sigset_t empty;

#ifndef TEST_NO_DEATH_SIGNAL	/* tests/exec.sh must notice */
	/* The thread that forks lives until all of its programs have ended. */
	if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0, 0, 0) == -1)
		return false;
	if (getppid() != p->parent)	/* it died before we asked to be told */
		_exit(EX_TEMPFAIL);
#endif
	/* exec resets handlers; what is ignored would stay so. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);	/* but KILL, STOP and libc's own */
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	umask(022);
	return setsid() != -1 && child_descriptors(p) &&
	    setrlimit(RLIMIT_CORE, &none) == 0 &&
	    setrlimit(RLIMIT_NOFILE, &p->descriptors) == 0;
}

static _Noreturn void
child(struct plan *p)
{
	struct fault f = { STEP_PREPARE, 0 };

	if (child_prepare(p)) {
		f.step = STEP_DIRECTORY;
		if (chdir(p->directory) == 0) {
			f.step = STEP_EXEC;
			execve(p->argv[0], p->argv, p->env);
		}
	}
	f.error = errno;
	_exit(write(p->fault, &f, sizeof(f)) == sizeof(f) ? EX_OSERR : EX_TEMPFAIL);
}

/* --- what came of it ---------------------------------------------------------------- */

static void
tell(struct exec *e, struct attempt *a)
{
	a->took = when_steady() - a->began;
	pthread_mutex_lock(&e->lock);
	e->n--;
	pthread_mutex_unlock(&e->lock);
	e->taker.ended(e->taker.arg, a);
}

static void
say_fault(struct attempt *a, const struct fault *f)
{
	const struct destination *to = a->to;
	struct str program = str_head(to->argv[0], PATH_SHOWN);
	const char *what = strerror(f->error), *to_do;
	struct stat st;
	char *path;

	if (f->step == STEP_DIRECTORY) {
		attempt_say(a, OUTCOME_LATER, -1, "its directory %.*s: %s; make it, "
		    "or name another", STR_ARG(str_head(to->directory,
		    PATH_SHOWN)), what);
		return;
	}
	if (f->step != STEP_EXEC) {
		attempt_say(a, OUTCOME_LATER, -1, "a process for %.*s could not be "
		    "prepared: %s", STR_ARG(program), what);
		return;
	}
	switch (f->error) {
	case ENOENT:
		path = strndup(to->argv[0].p, to->argv[0].n);
		to_do = path != NULL && stat(path, &st) == 0 ?
		    "it is there, but not the interpreter that it names" :
		    "install it, or name another";
		free(path);
		break;
	case EACCES:
	case EPERM:
		to_do = "it must be a file that the courier's user may execute";
		break;
	case ENOEXEC:
		to_do = "a script begins with \"#!/bin/sh\"";
		break;
	case E2BIG:
		to_do = "it has too many arguments or too large an environment";
		break;
	default:
		to_do = "it could not be run";
		break;
	}
	attempt_say(a, OUTCOME_LATER, -1, "%.*s: %s; %s", STR_ARG(program), what,
	    to_do);
}

static void
say_too_long(struct attempt *a, int code)
{
	long long ms = (long long)a->timeout;

	attempt_say(a, OUTCOME_LATER, code, ms % 1000 == 0 ?
	    "it ran longer than %lld s and was ended" :
	    "it ran longer than %lld ms and was ended",
	    ms % 1000 == 0 ? ms / 1000 : ms);
}

static void
say_signal(struct attempt *a, int sig)
{
	const char *name = sigabbrev_np(sig);

	if (name != NULL)
		attempt_say(a, OUTCOME_LATER, -1, "it was killed by SIG%s", name);
	else
		attempt_say(a, OUTCOME_LATER, -1, "it was killed by signal %d", sig);
}

/* The rule of exec.h. */
static void
judge(const struct run *r, int status)
{
	struct attempt *a = r->attempt;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	struct fault f;

	/* Empty but for a fault: exec has closed it, or the child's end has. */
	if (read(r->fault, &f, sizeof(f)) == sizeof(f))
		say_fault(a, &f);
	else if (r->stopped)
		attempt_say(a, OUTCOME_LATER, code, "the courier stopped");
	else if (r->state != RUNS)
		say_too_long(a, code);
	else if (!WIFEXITED(status))
		say_signal(a, WTERMSIG(status));
	else if (code == 0 && a->answer.limit > 0 && !buf_ok(&a->answer))
		attempt_say(a, OUTCOME_LATER, code, "its answer is longer than %zu "
		    "bytes", a->answer.limit);
	else if (code == 0)
		attempt_say(a, OUTCOME_DONE, code, "exit status 0");
	else if (code == EX_DATAERR)
		attempt_say(a, OUTCOME_DEAD, code, "exit status %d: it cannot take "
		    "this event", code);
	else if (code == EX_TEMPFAIL)
		attempt_say(a, OUTCOME_LATER, code, "exit status %d: it asks for "
		    "another try", code);
	else
		attempt_say(a, OUTCOME_LATER, code, "exit status %d", code);
}

/* --- a run -------------------------------------------------------------------------- */

/*
 * To its group; to itself while it has none.  Its number is its own until it is waited
 * for, so no stranger can be hit.
 */
static void
signal_all(const struct run *r, int sig)
{
	if (kill(-r->pid, sig) == -1)
		kill(r->pid, sig);
}

/* It stays to be waited for. */
static bool
has_exited(const struct run *r)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == -1 ||
	    info.si_pid == r->pid;
}

/*
 * Closing alone is not enough for epoll: a child that was just forked has a copy yet,
 * and what is said of it would be taken for the next one's in this place.
 */
static void
unwatch(struct exec *e, int *fd)
{
	if (*fd == -1)
		return;
	epoll_ctl(e->epoll, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

/*
 * Of output what has room is kept and the rest dropped; of an answer that has no room
 * nothing counts.  false: there is no more for now.
 */
static bool
read_chunk(struct exec *e, int *fd, struct buf *kept, bool whole)
{
	char bytes[CHUNK];
	ssize_t n = read(*fd, bytes, sizeof(bytes));

	if (n > 0 && (whole || kept->n < kept->limit))
		buf_put(kept, str_head((struct str){ bytes, (size_t)n },
		    whole ? (size_t)n : kept->limit - kept->n));
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		unwatch(e, fd);
	return n > 0;
}

/* A pipe holds half as much (pipe(7)). */
static void
output_came(struct exec *e, struct run *r)
{
	struct attempt *a = r->attempt;

	for (int i = 0; i < CHUNKS && r->output != -1 &&
	    read_chunk(e, &r->output, &a->output, false); i++)
		continue;
	for (int i = 0; i < CHUNKS && r->answer != -1 &&
	    read_chunk(e, &r->answer, &a->answer, true); i++)
		continue;
}

/* The place is free after this. */
static struct attempt *
run_close(struct exec *e, struct run *r)
{
	struct attempt *a = r->attempt;

	unwatch(e, &r->pidfd);
	unwatch(e, &r->output);
	unwatch(e, &r->answer);
	shut(r->fault);
	*r = (struct run){ .pidfd = -1, .fault = -1, .output = -1, .answer = -1 };
	return a;
}

static void
run_exited(struct exec *e, struct run *r)
{
	int status;

#ifndef TEST_NO_GROUP_KILL	/* tests/exec.sh must notice */
	kill(-r->pid, SIGKILL);	/* before the wait, which gives its number away */
#endif
	output_came(e, r);	/* what is there: others with the pipe may go on */
	if (waitpid(r->pid, &status, 0) == r->pid)
		judge(r, status);
	else
		attempt_say(r->attempt, OUTCOME_LATER, -1, "how it ended is not "
		    "known: %s", strerror(errno));
	tell(e, run_close(e, r));
}

static bool
watch(struct exec *e, int fd, uint64_t what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = what };

	return epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

/* Our end does not block, the program's does. */
static bool
pipe_make(int *ours, int *its)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) == -1)
		return false;
	*ours = ends[0];
	*its = ends[1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

static bool
pipes_make(struct run *r, struct plan *p)
{
	return pipe_make(&r->output, &p->out) && pipe_make(&r->fault, &p->fault) &&
	    (r->attempt->answer.limit == 0 || pipe_make(&r->answer, &p->answer));
}

/*
 * A fork and not a vfork: where a directory or a program lies on a file system that
 * hangs, the child waits for it alone.  _Fork because the child calls nothing that
 * would want what pthread_atfork() prepares.
 */
static bool
run_begin(struct exec *e, struct run *r, struct plan *p)
{
	const size_t i = (size_t)(r - e->runs);

	if (!pipes_make(r, p) || (r->pid = _Fork()) == -1)
		return false;
	if (r->pid == 0)
		child(p);
	r->watched = watch(e, r->output, OF_OUTPUT(i)) &&
	    (r->answer == -1 || watch(e, r->answer, OF_ANSWER(i)));
#ifndef TEST_NO_PIDFD		/* tests/exec.sh: so that the other way is tried */
	r->pidfd = pidfd_open(r->pid, 0);
#endif
	/* Where that cannot be had (gVisor, no descriptor left) it runs all the same. */
	if (r->pidfd == -1 || !watch(e, r->pidfd, OF_PIDFD(i)))
		r->watched = false;
	return true;
}

static void
start(struct exec *e, struct attempt *a)
{
	struct plan p = { .in = -1, .out = -1, .answer = -1, .fault = -1 };
	struct run *r = e->runs;

	while (r->attempt != NULL)	/* EXEC_MOST are given, one has room */
		r++;
	r->attempt = a;
	if (plan_make(&p, a)) {
		if (run_begin(e, r, &p)) {
			r->deadline = when_steady() + a->timeout;
			plan_free(&p);
			return;
		}
		attempt_say(a, OUTCOME_LATER, -1, "no process could be made for "
		    "%.*s: %s", STR_ARG(str_head(a->to->argv[0], PATH_SHOWN)),
		    strerror(errno));
	}
	plan_free(&p);
	tell(e, run_close(e, r));
}

/* --- ending them -------------------------------------------------------------------- */

/* A stopped one must go on to hear it.  Who has exited by itself is judged by that. */
static void
ask_to_end(struct run *r, int64_t now, int64_t grace)
{
	if (has_exited(r))
		return;
	signal_all(r, SIGTERM);
	signal_all(r, SIGCONT);
	r->state = ASKED;
	r->deadline = now + grace;
}

static void
insist(struct exec *e, struct run *r, int64_t now)
{
	signal_all(r, SIGKILL);
	r->state = KILLED;
	r->deadline = e->stopping ? now + GONE_MS : NEVER;
}

/* Not even a kill ends who waits for a disk; while we run, it is waited for. */
static void
abandon(struct exec *e, struct run *r)
{
	log_say(e->log, LOG_WARN_, "process %d of destination %.*s does not end, "
	    "though it was killed", (int)r->pid,
	    STR_ARG(str_head(r->attempt->to->name, PATH_SHOWN)));
	attempt_say(r->attempt, OUTCOME_LATER, -1, "the courier stopped");
	tell(e, run_close(e, r));
}

static void
due(struct exec *e, struct run *r, int64_t now)
{
	if (r->state == RUNS)
		ask_to_end(r, now, EXEC_GRACE);
	else if (r->state == ASKED)
		insist(e, r, now);
	else
		abandon(e, r);
}

/* What epoll would have said. */
static void
look_at(struct exec *e, struct run *r)
{
	output_came(e, r);
	if (has_exited(r))
		run_exited(e, r);
}

/* Looks at all deadlines, and at who is not watched; how long until the next look. */
static int
look_at_all(struct exec *e)
{
	int64_t now = when_steady(), next = now + PATIENCE_MS;

	for (struct run *r = e->runs; r < e->runs + EXEC_MOST; r++) {
		if (r->attempt != NULL && !r->watched)
			look_at(e, r);
		if (r->attempt != NULL && r->deadline <= now)
			due(e, r, now);
		if (r->attempt == NULL)
			continue;
		if (r->deadline < next)
			next = r->deadline;
		if (!r->watched && now + LOOK_MS < next)
			next = now + LOOK_MS;
	}
	return next > now ? (int)(next - now) : 0;
}

static void
stop_all(struct exec *e)
{
	int64_t now = when_steady();

	e->stopping = true;
	for (struct run *r = e->runs; r < e->runs + EXEC_MOST; r++) {
		if (r->attempt == NULL)
			continue;
		if (r->state == RUNS) {
			ask_to_end(r, now, EXEC_STOP);
			r->stopped = r->state == ASKED;
		} else if (r->state == ASKED && r->deadline > now + EXEC_STOP) {
			r->deadline = now + EXEC_STOP;
		} else if (r->state == KILLED) {
			r->deadline = now + GONE_MS;
		}
	}
}

/* --- the thread --------------------------------------------------------------------- */

static void
take_orders(struct exec *e)
{
	struct attempt *a, *next;
	bool stop;
	uint64_t n;

	pthread_mutex_lock(&e->lock);
	if (read(e->told, &n, sizeof(n)) != sizeof(n))
		n = 0;		/* nobody has; the row is looked at anyway */
	a = e->given;
	e->given = NULL;
	e->given_end = &e->given;
	stop = e->stop;
	pthread_mutex_unlock(&e->lock);

	if (stop && !e->stopping)
		stop_all(e);
	for (; a != NULL; a = next) {
		next = a->next;
		a->next = NULL;
		if (stop) {
			attempt_say(a, OUTCOME_LATER, -1, "the courier stopped");
			tell(e, a);
		} else {
			start(e, a);
		}
	}
}

/* All has been told, and no more can come. */
static bool
at_end(struct exec *e)
{
	bool idle;

	pthread_mutex_lock(&e->lock);
	idle = e->n == 0;
	pthread_mutex_unlock(&e->lock);
	return e->stopping && idle;
}

/* A place may have become free by an event before: its output is nobody's then. */
static void
happened(struct exec *e, uint64_t what)
{
	struct run *r;

	if (what == OF_TOLD)
		return;
	r = &e->runs[OF(what)];
	if (r->attempt == NULL)
		return;
	if (what == OF_PIDFD(OF(what)))
		run_exited(e, r);
	else
		output_came(e, r);
}

static void *
work(void *arg)
{
	struct exec *e = arg;
	struct epoll_event events[EVENTS];
	int n, ms;

	pthread_setname_np(pthread_self(), "exec");
	for (;;) {
		take_orders(e);
		ms = look_at_all(e);
		if (at_end(e))
			return NULL;
		n = epoll_wait(e->epoll, events, EVENTS, ms);
		for (int i = 0; i < n; i++)
			happened(e, events[i].data.u64);
	}
}

/* --- what others ask ------------------------------------------------------------------ */

static void
wake(struct exec *e)
{
	static const uint64_t one = 1;

	if (write(e->told, &one, sizeof(one)) != sizeof(one))
		abort();	/* an eventfd with room always takes it */
}

static void
exec_free(struct exec *e)
{
	shut(e->told);
	shut(e->epoll);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

struct exec *
exec_start(struct log *log, const struct attempt_taker *taker, struct err *err)
{
	struct exec *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		err_set(err, ERR_OS, "no memory");
		return NULL;
	}
	e->log = log;
	e->taker = *taker;
	e->given_end = &e->given;
	for (size_t i = 0; i < EXEC_MOST; i++)
		e->runs[i] = (struct run){ .pidfd = -1, .fault = -1, .output = -1,
		    .answer = -1 };
	pthread_mutex_init(&e->lock, NULL);
	signal(SIGCHLD, SIG_DFL);
	e->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (e->told != -1 && e->epoll != -1 && watch(e, e->told, OF_TOLD) &&
	    (errno = pthread_create(&e->thread, NULL, work, e)) == 0)
		return e;
	err_set(err, ERR_OS, "the thread that starts programs: %s", strerror(errno));
	exec_free(e);
	return NULL;
}

bool
exec_give(struct exec *e, struct attempt *a)
{
	bool fits;

	pthread_mutex_lock(&e->lock);
	fits = !e->stop && e->n < EXEC_MOST;
	if (fits) {
		a->next = NULL;
		*e->given_end = a;
		e->given_end = &a->next;
		e->n++;
		wake(e);
	}
	pthread_mutex_unlock(&e->lock);
	return fits;
}

void
exec_stop(struct exec *e)
{
	if (e == NULL)
		return;
	pthread_mutex_lock(&e->lock);
	e->stop = true;
	wake(e);
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->thread, NULL);
	exec_free(e);
}
