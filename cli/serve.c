/*
 * serve.c - everything in the foreground: courier, handlers and nginx.
 *
 *	serve ---- hooklatch-courier	restarted, told to stop last
 *	      ---- hooklatch.fcgi	its listening socket is ours: while it is
 *	      |				replaced, requests wait in the backlog
 *	      +--- nginx		told to stop first
 *
 * (1) Nothing that serve starts outlives it.  Told to stop it ends each part, in
 *     order and within STOP_MS; killed, the lifeline (a pipe whose only write end
 *     is here) ends courier and handlers, and the kernel's signal at the death of
 *     a parent ends nginx; what still runs is ended by the next serve (rundir.h).
 * (2) A part that dies is started again, but not before the last process of its
 *     group is gone: serve is a subreaper, so orphans of a part become ours.
 * (3) Each part starts with an environment that holds only what its half of the
 *     configuration names, in a process group of its own.
 * (4) A part that ends before everything was ready ends serve: its sentence is
 *     worth more than a loop of starts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/when.h"
#include "cli/cli.h"
#include "cli/probe.h"
#include "cli/rundir.h"
#include "cli/webserver.h"
#include "engine_url.h"
#include "route.h"

#define STOP_MS		7600		/* from SIGTERM to the last SIGKILL */
#define GIVE_UP_MS	(STOP_MS + 300)
#define FRONT_MS	4000		/* that the web server in front may take */
#define READY_MS	15000		/* longest wait for the first answer */
#define HEALTHY_MS	8000		/* ... and for health to say 200 */
#define TICK_MS		25
#define BACKOFF_MAX	5000
#define SETTLED_MS	10000		/* a life as long as this is no failure */
#define BACKLOG		4096
#define WORKERS_MAX	256		/* of hooklatch.fcgi, see pool.h */
#define ENV_OURS	20		/* variables besides those of secrets */

/* --- options -------------------------------------------------------------- */

struct serve_options {
	const char	*config;
	const char	*listen;
	const char	*workers;
	const char	*include;
	const char	*behind;
	bool		 no_nginx;
};

const struct option_row serve_options[] = {
	{ "config", 'c', "FILE", offsetof(struct serve_options, config),
	    "the configuration; without it the environment: PROVIDER, SECRET, INBOX" },
	{ "listen", 'l', "HOST:PORT", offsetof(struct serve_options, listen),
	    "default 127.0.0.1:8080, or 0.0.0.0:$PORT when PORT is set; "
	    "with --no-nginx also unix:PATH" },
	{ "workers", 'w', "N", offsetof(struct serve_options, workers),
	    "processes that read requests; default: as configured" },
	{ "no-nginx", 0, NULL, offsetof(struct serve_options, no_nginx),
	    "only courier and handlers, for a web server of your own" },
	{ "behind", 0, "FILE", offsetof(struct serve_options, behind),
	    "with --no-nginx: the pid file of the web server in front, which is "
	    "waited for when told to stop" },
	{ "nginx-include", 0, "FILE", offsetof(struct serve_options, include),
	    "nginx locations to add: what \"pass\": \"@name\" leads to" },
	{ NULL, 0, NULL, 0, NULL }
};

/* --- the process ---------------------------------------------------------- */

enum part_name { COURIER, POOL, NGINX, PARTS };

struct part {
	const char	*name;
	char		 program[512];
	bool		 wanted;
	pid_t		 pid;		/* 0: its leader does not run */
	pid_t		 group;		/* members may still run; 0: none */
	uint64_t	 born;
	int64_t		 started;	/* steady ms, as all times here */
	int64_t		 again;		/* not to be started before */
	int64_t		 kill_at;	/* what is left of the group is killed */
	unsigned	 falls;		/* deaths without a settled life between */
};

struct address {
	char		 host[64];	/* "127.0.0.1", "::1" */
	char		 text[80];	/* "[::1]:8080" */
	unsigned	 port;
};

struct serve {
	struct serve_options o;
	struct address	 address;
	struct conf	*conf;
	struct rundir	 dir;
	char		 conf_path[512];	/* what the parts are given */
	char		 socket[RUNDIR_MAX + 24];
	struct log	 log;
	int		 listener;
	int		 lifeline[2];
	int		 signals;
	int		 nginx_says[2];	/* its stderr */
	struct buf	 nginx_line;
	struct part	 parts[PARTS];
	const char	*health;	/* what the probes ask for */
	struct buf	 warnings;	/* of the configuration */

	int64_t		 started;
	bool		 ready;
	int64_t		 stop_at;	/* when we were told; 0: not yet */
	bool		 hurry;
	struct err	*failed;	/* why it ends early; code NONE: it does not */
};

/* --- where to listen ------------------------------------------------------ */

static bool
is_unix(const char *listen)
{
	return strncmp(listen, "unix:", strlen("unix:")) == 0;
}

static int
address_read(struct address *a, const char *option, struct err *e)
{
	const char *port_text = getenv("PORT");
	struct str text, port;
	const char *colon;
	unsigned char scratch[16];
	uint64_t n;

	/* Without nginx the port is a name for the directory, and no more. */
	if (option != NULL && is_unix(option))
		option = NULL;
	if (option == NULL && port_text != NULL) {
		snprintf(a->host, sizeof(a->host), "0.0.0.0");
		port = str_of(port_text);
	} else {
		text = str_of(option != NULL ? option : "127.0.0.1:8080");
		colon = memrchr(text.p, ':', text.n);
		port = colon != NULL ? str_skip(text, (size_t)(colon - text.p) + 1) :
		    text;
		text.n = colon != NULL ? (size_t)(colon - text.p) : 0;
		if (text.n > 1 && text.p[0] == '[' && text.p[text.n - 1] == ']')
			text = str_head(str_skip(text, 1), text.n - 2);
		if (str_eq(text, STR("localhost")) || text.n == 0)
			text = STR("127.0.0.1");
		if (text.n >= sizeof(a->host))
			text.n = sizeof(a->host) - 1;
		snprintf(a->host, sizeof(a->host), "%.*s", STR_ARG(text));
	}
	if (!str_to_u64(port, &n) || n > 65535)
		return err_set(e, ERR_USAGE, "%s: \"%.*s\" is no port",
		    option != NULL ? "--listen" : "PORT", STR_ARG(port));
	a->port = (unsigned)n;
	if (inet_pton(AF_INET, a->host, scratch) != 1 &&
	    inet_pton(AF_INET6, a->host, scratch) != 1)
		return err_set(e, ERR_USAGE, "--listen: \"%s\" is no address; write "
		    "127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080", a->host);
	return 0;
}

static void
address_name(struct address *a)
{
	bool six = strchr(a->host, ':') != NULL;

	snprintf(a->text, sizeof(a->text), "%s%s%s:%u", six ? "[" : "", a->host,
	    six ? "]" : "", a->port);
}

/*
 * Can nginx listen there?  Asked before it starts, because its own words come
 * after three seconds of trying.  Port 0 becomes one that is free.
 */
static int
address_try(struct address *a, int64_t until, struct err *e)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)a->port) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)a->port) };
	bool six = inet_pton(AF_INET6, a->host, &a6.sin6_addr) == 1;
	struct sockaddr *sa = six ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
	socklen_t n = six ? sizeof(a6) : sizeof(a4);
	int one = 1, fd, wrong;

	inet_pton(AF_INET, a->host, &a4.sin_addr);
	for (;;) {
		fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd == -1)
			return err_set(e, ERR_OS, "socket: %s", strerror(errno));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		wrong = bind(fd, sa, n) == 0 && listen(fd, 1) == 0 ? 0 : errno;
		if (wrong == 0 && getsockname(fd, sa, &n) == 0)
			a->port = ntohs(six ? a6.sin6_port : a4.sin_port);
		close(fd);
		address_name(a);
		if (wrong == 0)
			return 0;
		/* A server that was killed may take a moment to let go. */
		if (wrong != EADDRINUSE || when_steady() > until)
			return err_set(e, wrong == EACCES ? ERR_PERM : ERR_OS,
			    "cannot listen on %s: %s; choose another with --listen",
			    a->text, strerror(wrong));
		usleep(100 * 1000);
	}
}

/* --- what a part starts with ---------------------------------------------- */

struct environ {
	char	**v;
	size_t	  n, room;	/* of which the last is for NULL */
};

static void
env_pass(struct environ *env, struct str name)
{
	char text[256];
	const char *value;

	if (name.n == 0 || name.n >= sizeof(text) || env->n + 1 >= env->room)
		return;
	snprintf(text, sizeof(text), "%.*s", STR_ARG(name));
	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], text, name.n) == 0 &&
		    env->v[i][name.n] == '=')
			return;
	if ((value = getenv(text)) != NULL &&
	    asprintf(&env->v[env->n], "%s=%s", text, value) != -1)
		env->n++;
}

/* "env:NAME" names a variable. */
static void
env_pass_secret(struct environ *env, struct str written)
{
	if (written.p != NULL && str_starts(written, STR("env:")))
		env_pass(env, str_skip(written, 4));
}

/* At most so many variables does a hook name. */
static size_t
secrets_of(const struct hook *h)
{
	size_t n = h->nsecrets + 1;

	for (size_t i = 0; i < PARAM_COUNT; i++)
		n += h->params[i].n;
	return n;
}

static void
env_pass_google(struct environ *env)
{
	for (size_t i = 0; conf_google_variables[i] != NULL; i++)
		env_pass(env, str_of(conf_google_variables[i]));
}

static void
env_pass_destination(struct environ *env, const struct destination *d)
{
	env_pass_secret(env, d->own_url);
	env_pass_secret(env, d->sign);
	env_pass_secret(env, d->bearer);
	env_pass_secret(env, d->basic);
	env_pass_secret(env, d->credentials);
	env_pass(env, d->emulator);
	for (size_t i = 0; i < d->nenvironment; i++)
		env_pass_secret(env, d->environment[i].value);
	for (size_t i = 0; i < d->nheaders; i++)
		env_pass_secret(env, d->headers[i].value);
	for (size_t i = 0; i < d->noauth1; i++)
		env_pass_secret(env, d->oauth1[i].value);
}

static void
env_pass_inbox(struct environ *env, const struct conf *c)
{
	env_pass_secret(env, c->inbox_secret);
	if (engine_of(c->inbox) != ENGINE_PUBSUB)
		return;
	env_pass(env, STR(CONF_PUBSUB_EMULATOR));
	env_pass_google(env);
}

/* Does the courier say to Google who it is? */
static bool
uses_google(const struct conf *c)
{
	bool uses = conf_fetches(c) || conf_claim_google(c);

	for (size_t i = 0; i < c->ndestinations; i++)
		uses |= c->destinations[i].google.n > 0;
	return uses;
}

static int
env_make(const struct serve *s, enum part_name which, struct environ *env,
    struct err *e)
{
	static const char *const all[] = { "PATH", "LANG", "LC_ALL", "TZ" };
	/* What says where state is: both halves must come to the same place. */
	static const char *const ours[] = {
		"STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_STATE_HOME", "HOME",
		"K_SERVICE", "GOOGLE_CLOUD_PROJECT",
#ifdef __SANITIZE_ADDRESS__
		"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
#endif
	};

	env->n = 0;
	env->room = ENV_OURS + CONF_GOOGLE_VARIABLES;
	for (size_t i = 0; i < s->conf->nhooks && which != NGINX; i++)
		env->room += secrets_of(&s->conf->hooks[i]);
	for (size_t i = 0; i < s->conf->ndestinations && which == COURIER; i++)
		env->room += 6 + CONF_OAUTH1 + s->conf->destinations[i].nenvironment +
		    s->conf->destinations[i].nheaders;
	if ((env->v = calloc(env->room, sizeof(env->v[0]))) == NULL)
		return err_set(e, ERR_OS, "no memory for an environment");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		env_pass(env, str_of(all[i]));
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]) && which != NGINX; i++)
		env_pass(env, str_of(ours[i]));
	if (which == COURIER) {
		env_pass_inbox(env, s->conf);
		env_pass_secret(env, s->conf->claim_check_token);
		if (uses_google(s->conf))
			env_pass_google(env);
	}
	for (size_t i = 0; i < s->conf->nhooks && which != NGINX; i++) {
		const struct hook *h = &s->conf->hooks[i];

		if (which == COURIER) {
			env_pass_secret(env, h->fetch_secret);
			continue;
		}
		for (size_t j = 0; j < h->nsecrets; j++)
			env_pass_secret(env, h->secrets[j]);
		for (size_t j = 0; j < PARAM_COUNT; j++)
			for (size_t m = 0; m < h->params[j].n; m++)
				env_pass_secret(env, h->params[j].v[m]);
	}
	for (size_t i = 0; i < s->conf->ndestinations && which == COURIER; i++)
		env_pass_destination(env, &s->conf->destinations[i]);
	return 0;
}

static void
env_free(struct environ *env)
{
	for (size_t i = 0; i < env->n; i++) {
		explicit_bzero(env->v[i], strlen(env->v[i]));
		free(env->v[i]);
	}
	free(env->v);
}

static unsigned
processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == -1 || CPU_COUNT(&set) < 1)
		return 1;
	return CPU_COUNT(&set) > WORKERS_MAX ? WORKERS_MAX :
	    (unsigned)CPU_COUNT(&set);
}

/* Descriptors that a part may have: the hard limit, within reason. */
static rlim_t
descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return 1024;
	return r.rlim_max > 65536 ? 65536 : r.rlim_max;
}

/*
 * In the child: its own group, its descriptors, its signals.  0 stdin, 1 and 2
 * as ours (nginx: our pipe), 3 the listener (LISTEN_FDS), 4 the lifeline.  The
 * last descriptor there can be is INT_MAX; gVisor refuses to hear of a later one.
 */
static void
child_prepare(const struct serve *s, enum part_name which, pid_t parent)
{
	struct rlimit r = { descriptors(), descriptors() };
	sigset_t none;
	int nothing, lifeline, listener;

	setpgid(0, 0);
	/* Copied up first: what is put on 3 and 4 must not be written over. */
	lifeline = fcntl(s->lifeline[0], F_DUPFD_CLOEXEC, 10);
	listener = fcntl(s->listener, F_DUPFD_CLOEXEC, 10);
	nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (lifeline == -1 || listener == -1 || nothing == -1 ||
	    dup2(nothing, 0) == -1)
		_exit(ERR_OS);
	if (which == NGINX) {
		/* It watches no lifeline: the kernel tells it. */
		if (dup2(s->nginx_says[1], 1) == -1 || dup2(1, 2) == -1 ||
		    prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 || getppid() != parent)
			_exit(ERR_OS);
		close_range(3, INT_MAX, 0);
	} else {
		if (dup2(listener, 3) == -1 || dup2(lifeline, 4) == -1)
			_exit(ERR_OS);
		if (which == COURIER)
			close(3);
		close_range(5, INT_MAX, 0);
	}
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = descriptors();
	setrlimit(RLIMIT_NOFILE, &r);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
remember(struct serve *s, struct err *e)
{
	struct crew groups[PARTS];
	size_t n = 0;

	for (int i = 0; i < PARTS; i++) {
		const struct part *p = &s->parts[i];

		if (p->group == 0)
			continue;
		snprintf(groups[n].name, sizeof(groups[n].name), "%.15s", p->name);
		groups[n].id = p->group;
		groups[n++].born = p->born;
	}
	return rundir_remember(&s->dir, groups, n, e);
}

static int
part_start(struct serve *s, enum part_name which, struct err *e)
{
	struct part *p = &s->parts[which];
	char workers[16], prefix[RUNDIR_MAX + 4], nginx_conf[RUNDIR_MAX + 24];
	char listen_pid[40], listen_fds[] = "LISTEN_FDS=1";
	const char *argv[12];
	struct environ env;
	pid_t parent = getpid(), group;
	char name[16];
	size_t n = 0;

	snprintf(workers, sizeof(workers), "%s", s->o.workers != NULL ?
	    s->o.workers : "");
	if (*workers == '\0')
		snprintf(workers, sizeof(workers), "%u", s->conf->workers > 0 ?
		    (unsigned)s->conf->workers : processors());
	snprintf(prefix, sizeof(prefix), "%s/", s->dir.path);
	snprintf(nginx_conf, sizeof(nginx_conf), "%s/nginx.conf", s->dir.path);
	argv[n++] = p->name;
	if (which == NGINX) {
		argv[n++] = "-e", argv[n++] = "stderr";
		argv[n++] = "-p", argv[n++] = prefix;
		argv[n++] = "-c", argv[n++] = nginx_conf;
	} else {
		argv[n++] = "-c", argv[n++] = s->conf_path;
		argv[n++] = "--lifeline", argv[n++] = "4";
	}
	if (which == POOL)
		argv[n++] = "-w", argv[n++] = workers;
	argv[n] = NULL;

	if (env_make(s, which, &env, e) == -1)
		return -1;
	if ((p->pid = fork()) == -1) {
		p->pid = 0;
		env_free(&env);
		return err_set(e, ERR_OS, "fork: %s", strerror(errno));
	}
	if (p->pid == 0) {
		child_prepare(s, which, parent);
		if (which == POOL) {
			snprintf(listen_pid, sizeof(listen_pid), "LISTEN_PID=%ld",
			    (long)getpid());
			env.v[env.n++] = listen_pid;
			env.v[env.n++] = listen_fds;
		}
		execve(p->program, (char *const *)argv, env.v);
		dprintf(2, "hooklatch serve: %s: %s\n", p->program, strerror(errno));
		_exit(ERR_OS);
	}
	setpgid(p->pid, p->pid);	/* both do: whoever comes first */
	env_free(&env);
	p->group = p->pid;
	p->started = when_steady();
	p->kill_at = 0;
	if (!process_look(p->pid, &p->born, &group, name))
		p->born = 0;
	return remember(s, e);
}

/* --- a part's life -------------------------------------------------------- */

static bool
group_is_gone(pid_t group)
{
	return group == 0 || (kill(-group, 0) == -1 && errno == ESRCH);
}

/* Its leader is dead: what is left of it has to go before it comes again. */
static void
part_died(struct serve *s, struct part *p, int status)
{
	int64_t now = when_steady();
	char how[64];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "ended with status %d",
		    WEXITSTATUS(status));
	p->pid = 0;
	if (s->stop_at == 0 && !s->ready) {
		err_set(s->failed, WIFEXITED(status) && WEXITSTATUS(status) >= 64 &&
		    WEXITSTATUS(status) <= 78 ? (enum errcode)WEXITSTATUS(status) :
		    ERR_AWAY, "%s %s before everything was ready; what it said "
		    "stands above", p->name, how);
		s->stop_at = now;
	}
	if (s->stop_at == 0) {
		if (now - p->started > SETTLED_MS)
			p->falls = 0;
		p->again = now + (p->falls == 0 ? 0 : p->falls > 6 ? BACKOFF_MAX :
		    100 << (p->falls - 1));
		if (p->again > now + BACKOFF_MAX)
			p->again = now + BACKOFF_MAX;
		p->falls++;
		log_say(&s->log, LOG_ERROR_, "%s (process %ld) %s; starting it again",
		    p->name, (long)p->group, how);
	}
	if (!group_is_gone(p->group)) {
		kill(-p->group, p == &s->parts[NGINX] ? SIGQUIT : SIGTERM);
		if (p->kill_at == 0)
			p->kill_at = now + 1000;
	}
}

static void
reap(struct serve *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < PARTS; i++)
			if (s->parts[i].pid == pid)
				part_died(s, &s->parts[i], status);
}

/* Groups of dead leaders: gone, or out of time. */
static void
sweep(struct serve *s, int64_t now)
{
	for (int i = 0; i < PARTS; i++) {
		struct part *p = &s->parts[i];

		if (p->group == 0)
			continue;
		if (p->pid == 0 && group_is_gone(p->group)) {
			p->group = 0;
			p->kill_at = 0;
		} else if (p->kill_at != 0 && now >= p->kill_at) {
			kill(-p->group, SIGKILL);
			p->kill_at = now + 500;
		}
	}
}

/* --- nginx's words -------------------------------------------------------- */

/*
 * Its error lines quote requests, and a query may hold a secret: everything from
 * '?' to the next blank or quote goes.
 */
static void
nginx_line(struct serve *s, struct str line)
{
	struct buf b = BUF(LOG_LINE_MAX);
	enum log_level level = LOG_ERROR_;
	bool query = false;

	if (memmem(line.p, line.n, "[warn]", 6) != NULL)
		level = LOG_WARN_;
	else if (memmem(line.p, line.n, "[notice]", 8) != NULL ||
	    memmem(line.p, line.n, "[info]", 6) != NULL)
		level = LOG_INFO_;
	for (size_t i = 0; i < line.n; i++) {
		if (query && strchr(" \"'", line.p[i]) != NULL)
			query = false;
		if (!query)
			buf_putc(&b, line.p[i]);
		if (line.p[i] == '?')
			query = true;
	}
	if (b.n > 0)
		log_say(&s->log, level, "nginx: %.*s", (int)(b.n < 1500 ? b.n : 1500),
		    b.p);
	buf_free(&b);
}

static void
nginx_hear(struct serve *s)
{
	char text[4096];
	char *end;
	ssize_t n;

	while ((n = read(s->nginx_says[0], text, sizeof(text))) > 0) {
		buf_put(&s->nginx_line, (struct str){ text, (size_t)n });
		if (s->nginx_line.bad) {	/* no line is so long */
			buf_reset(&s->nginx_line);
			continue;
		}
		while ((end = memchr(s->nginx_line.p, '\n', s->nginx_line.n)) != NULL) {
			nginx_line(s, (struct str){ s->nginx_line.p,
			    (size_t)(end - s->nginx_line.p) });
			buf_drop(&s->nginx_line,
			    (size_t)(end - s->nginx_line.p) + 1);
		}
	}
}

/*
 * With a root before it.  Links stay: a file that is swapped by its link is read
 * anew through it at a reload.
 */
static int
path_from_here(const char *name, char *path, size_t size, struct err *e)
{
	char here[1024] = "";

	if (*name != '/' && getcwd(here, sizeof(here)) == NULL)
		return err_set(e, ERR_OS, "getcwd: %s", strerror(errno));
	if (snprintf(path, size, "%s%s%s", here, *here != '\0' ? "/" : "", name) >=
	    (int)size)
		return err_set(e, ERR_USAGE, "%s: the name is too long", name);
	if (access(path, R_OK) == -1)
		return err_set(e, ERR_NOINPUT, "%s: %s", name, strerror(errno));
	return 0;
}

/* The user of nginx's workers: the one named like the sockets' group. */
static void
nginx_user(const struct conf *c, char *text, size_t size)
{
	char group[64];

	snprintf(group, sizeof(group), "%.*s", STR_ARG(c->socket_group));
	snprintf(text, size, "%s %s",
	    getpwnam(group) != NULL ? group : "nobody", group);
}

static uint64_t
largest_body(const struct conf *c)
{
	uint64_t most = c->max_body;

	for (size_t i = 0; i < c->nhooks; i++)
		if (c->hooks[i].max_body > most)
			most = c->hooks[i].max_body;
	return most;
}

static int
nginx_write(struct serve *s, struct err *e)
{
	char user[140], include[1024];
	unsigned connections = (unsigned)descriptors();
	struct buf b = BUF(64 * 1024);
	int rc;

	nginx_user(s->conf, user, sizeof(user));
	if (s->o.include != NULL && path_from_here(s->o.include, include,
	    sizeof(include), e) == -1)
		return -1;
	webserver_nginx(&b, &(struct webserver){
		.dir = s->dir.path,
		.listen = s->address.text,
		.socket = s->socket,
		.user = geteuid() == 0 ? user : NULL,
		.include = s->o.include != NULL ? include : NULL,
		.processes = processors() < 4 ? processors() : 4,
		.connections = connections > 8256 ? 8192 :
		    connections > 128 ? connections - 64 : 64,
		.max_body = largest_body(s->conf),
		.front = conf_here().cloud_run,
	});
	rc = buf_ok(&b) ? rundir_write(&s->dir, "nginx.conf", buf_str(&b), 0644, e) :
	    err_set(e, ERR_SOFTWARE, "nginx.conf is too long");
	buf_free(&b);
	return rc;
}

/* --- ready ---------------------------------------------------------------- */

static void
say_ready(struct serve *s)
{
	struct buf b = BUF(4096);

	for (size_t i = 0; i < s->conf->nhooks && i < 20; i++)
		buf_printf(&b, "%s%.*s", i > 0 ? " " : "",
		    STR_ARG(s->conf->hooks[i].path));
	if (s->conf->nhooks > 20)
		buf_printf(&b, " and %zu more", s->conf->nhooks - 20);
	if (s->o.no_nginx)
		log_say(&s->log, LOG_INFO_, "serving FastCGI on unix:%s (hooks: "
		    "%.*s; inbox: %.*s)", s->socket, (int)b.n, b.p,
		    STR_ARG(s->conf->inbox));
	else
		log_say(&s->log, LOG_INFO_, "serving http://%s/ (hooks: %.*s; "
		    "inbox: %.*s)", s->address.text, (int)b.n, b.p,
		    STR_ARG(s->conf->inbox));
	buf_free(&b);
	os_notify("READY=1");
}

/*
 * First the handlers must say that an event could be taken, then nginx is
 * started, then the same must come through it.  When only health stays at 503
 * (the disk is full, say) we serve all the same: that can mend itself.
 */
static void
try_ready(struct serve *s, int64_t now)
{
	bool patient = now - s->started < HEALTHY_MS;
	bool through = s->parts[NGINX].pid != 0;
	int status;

	status = through ? probe_http(s->address.host, s->address.port, s->health,
	    1000, s->signals) : probe_fcgi(s->socket, s->health, 1000, s->signals);
	if (now - s->started > READY_MS && s->stop_at == 0) {
		err_set(s->failed, ERR_AWAY, "%s gave no answer within %d s",
		    through ? s->address.text : "hooklatch.fcgi", READY_MS / 1000);
		s->stop_at = now;
		return;
	}
	if (status == -1 || (through && (status == 502 || status == 504)) ||
	    (status == 503 && patient))
		return;
	if (!through && !s->o.no_nginx) {
		if (part_start(s, NGINX, s->failed) == -1)
			s->stop_at = now;
		return;
	}
	if (status == 503)
		log_say(&s->log, LOG_WARN_, "serving, but no event can be taken now: "
		    "%s answers 503; the courier's lines say why", s->health);
	s->ready = true;
	say_ready(s);
}

/* --- stopping ------------------------------------------------------------- */

/*
 * nginx first, so that no request comes in that nobody answers; then the
 * handlers, which finish what they hold; the courier last.  Each has a moment
 * from the beginning at which it is killed.  A web server of somebody else's (in
 * the container beside us, say) was told as well, and its pid file goes with it.
 */
static bool
front_is_gone(const struct serve *s, int64_t now)
{
	return s->o.behind == NULL || s->hurry || now >= s->stop_at + FRONT_MS ||
	    (access(s->o.behind, F_OK) == -1 && errno == ENOENT);
}

static bool
stop_step(struct serve *s, int64_t now)
{
	static const struct {
		enum part_name part;
		int signal;
		int64_t killed_after;
	} order[] = {
		{ NGINX, SIGQUIT, FRONT_MS },
		{ POOL, SIGTERM, 6800 },
		{ COURIER, SIGTERM, STOP_MS },
	};

	if (!front_is_gone(s, now))
		return false;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct part *p = &s->parts[order[i].part];

		if (p->group == 0)
			continue;
		if (p->again != -1) {
			p->again = -1;		/* told once */
			if (p->pid != 0)
				kill(p->pid, order[i].signal);
		}
		p->kill_at = s->hurry ? now : s->stop_at + order[i].killed_after;
		/* Killed, but nobody reaps it: that is not waited for. */
		return now > s->stop_at + GIVE_UP_MS;
	}
	return true;
}

/* --- reload --------------------------------------------------------------- */

/*
 * The parts read the file themselves, and say what is wrong with it.  What we
 * need of it: the variables for a part that is started later, and nginx's limit.
 */
static void
reload(struct serve *s)
{
	struct conf *now, *before = s->conf;
	struct err e;

	for (int i = 0; i < PARTS; i++)
		if (i != NGINX && s->parts[i].pid != 0)
			kill(s->parts[i].pid, SIGHUP);
	if ((now = cli_conf(s->o.config, NULL, NULL, &e)) == NULL)
		return;
	s->conf = now;
	if (largest_body(now) != largest_body(before) && s->parts[NGINX].pid != 0) {
		if (nginx_write(s, &e) == 0)
			kill(s->parts[NGINX].pid, SIGHUP);
		else
			log_say(&s->log, LOG_ERROR_, "%s", e.text);
	}
	conf_free(before);
}

/* --- the loop ------------------------------------------------------------- */

static void
take_signal(struct serve *s, int signal_number)
{
	struct err e;

	switch (signal_number) {
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		s->hurry = s->stop_at != 0;
		if (s->stop_at == 0) {
			s->stop_at = when_steady();
			os_notify("STOPPING=1");
		}
		break;
	case SIGHUP:
		reload(s);
		break;
	case SIGCHLD:
		reap(s);
		if (remember(s, &e) == -1)
			log_say(&s->log, LOG_WARN_, "%s", e.text);
		break;
	default:
		break;
	}
}

static int
serve_loop(struct serve *s, struct err *e)
{
	struct pollfd p[2] = { { .fd = s->signals, .events = POLLIN },
		{ .fd = s->nginx_says[0], .events = POLLIN } };
	struct signalfd_siginfo info;
	bool busy;
	int64_t now;

	for (;;) {
		busy = !s->ready || s->stop_at != 0;
		for (int i = 0; i < PARTS; i++)
			busy = busy || (s->parts[i].wanted && s->parts[i].pid == 0);
		if (poll(p, 2, busy ? TICK_MS : -1) == -1 && errno != EINTR)
			return err_set(e, ERR_OS, "poll: %s", strerror(errno));
		while (read(s->signals, &info, sizeof(info)) == sizeof(info))
			take_signal(s, (int)info.ssi_signo);
		nginx_hear(s);
		now = when_steady();
		sweep(s, now);
		if (s->stop_at != 0) {
			if (stop_step(s, now))
				return 0;
			continue;
		}
		for (int i = 0; i < PARTS; i++) {
			struct part *part = &s->parts[i];

			/* The first nginx is try_ready()'s to start. */
			if (!part->wanted || part->group != 0 || now < part->again ||
			    (i == NGINX && !s->ready))
				continue;
			if (part_start(s, i, e) == -1) {
				log_say(&s->log, LOG_ERROR_, "%s", e->text);
				e->code = ERR_NONE;
				part->again = now + BACKOFF_MAX;
			}
		}
		if (!s->ready)
			try_ready(s, now);
	}
}

/* --- setting it up -------------------------------------------------------- */

/* The configuration, proven as the handlers will prove it. */
static int
read_conf(struct serve *s, struct err *e)
{
	struct buf warn = BUF(64 * 1024);
	struct bundle *bundle = NULL;
	struct routes *routes = NULL;

	if ((s->conf = cli_conf(s->o.config, &bundle, &warn, e)) != NULL &&
	    (routes = routes_new(s->conf, bundle, e)) != NULL)
		for (size_t i = 0; i < routes_count(routes) && !s->o.no_nginx; i++) {
			const struct hook *h = routes_at(routes, i)->hook;

			if (h->pass.n > 0 && s->o.include == NULL) {
				err_set(e, ERR_CONF, "%.*s: \"pass\": \"%.*s\" is a "
				    "location of nginx; give the file that has it with "
				    "--nginx-include", STR_ARG(h->where),
				    STR_ARG(h->pass));
				routes_free(routes);
				routes = NULL;
				break;
			}
		}
	s->warnings = warn;
	bundle_free(bundle);
	if (routes == NULL)
		return -1;
	/* It also fetches keys and secrets and adds up counters without an inbox. */
	s->parts[COURIER].wanted = conf_keeps(s->conf->inbox_kind) ||
	    conf_delivers(s->conf) || conf_fetches(s->conf) ||
	    routes_ask(routes) || s->conf->quarantine.n > 0 ||
	    s->conf->metrics.n > 0;
	routes_free(routes);
	return 0;
}

/*
 * What the parts read: the file, or the text that stands for the environment.
 * It holds no secret, and the courier needs none of the handlers' variables.
 */
static int
name_conf(struct serve *s, struct err *e)
{
	struct buf text = BUF(64 * 1024);
	int rc;

	if (s->o.config != NULL)
		return path_from_here(s->o.config, s->conf_path,
		    sizeof(s->conf_path), e);
	rc = conf_from_environment(&text, (const char *(*)(const char *))getenv, e);
	if (rc == 0)
		rc = rundir_write(&s->dir, "environment.json", buf_str(&text), 0644, e);
	if (rc == 0)
		rc = rundir_file(&s->dir, "environment.json", s->conf_path,
		    sizeof(s->conf_path), e);
	buf_free(&text);
	return rc;
}

static int
listen_for_handlers(struct serve *s, struct err *e)
{
	gid_t gid = (gid_t)-1;
	char group[64];

	if (s->o.listen != NULL && is_unix(s->o.listen)) {
		if (snprintf(s->socket, sizeof(s->socket), "%s", s->o.listen + 5) >=
		    (int)sizeof(s->socket))
			return err_set(e, ERR_USAGE, "--listen: the path is too long "
			    "for a socket");
	} else if (rundir_file(&s->dir, "hooklatch.sock", s->socket,
	    sizeof(s->socket), e)) {
		return -1;
	}
	snprintf(group, sizeof(group), "%.*s", STR_ARG(s->conf->socket_group));
	if (geteuid() == 0 && os_group(group, &gid, e) == -1)
		return -1;
	s->listener = os_listen_unix(s->socket, geteuid() == 0 ? 0660 : 0600, gid,
	    BACKLOG, e);
	return s->listener == -1 ? -1 : 0;
}

static int
find_programs(struct serve *s, struct err *e)
{
	s->parts[COURIER].name = "hooklatch-courier";
	s->parts[POOL].name = "hooklatch.fcgi";
	s->parts[NGINX].name = "nginx";
	s->parts[POOL].wanted = true;
	s->parts[NGINX].wanted = !s->o.no_nginx;
	for (int i = 0; i < PARTS; i++) {
		struct part *p = &s->parts[i];

		if (!p->wanted)
			continue;
		if (i == NGINX ? cli_system_program(p->name, p->program,
		    sizeof(p->program), e) : cli_program(p->name, p->program,
		    sizeof(p->program), e))
			return -1;
	}
	return 0;
}

static void
say_warnings(struct serve *s)
{
	struct str rest = buf_str(&s->warnings), line;

	while (rest.n > 0) {
		line = str_cut(&rest, '\n');
		if (line.n > 0)
			log_say(&s->log, LOG_WARN_, "%.*s", STR_ARG(line));
	}
	buf_free(&s->warnings);
}

/* Signals become bytes, children's orphans become ours. */
static int
take_charge(struct serve *s, struct err *e)
{
	static const int heard[] = { SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++)
		sigaddset(&set, heard[i]);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1 ||
	    (s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) == -1 ||
	    pipe2(s->lifeline, O_CLOEXEC) == -1 ||
	    pipe2(s->nginx_says, O_CLOEXEC) == -1 ||
	    fcntl(s->nginx_says[0], F_SETFL, O_NONBLOCK) == -1)
		return err_set(e, ERR_OS, "starting: %s", strerror(errno));
	/* gVisor has none; process 1 reaps all the same, and that we may be. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1 && getpid() != 1)
		log_say(&s->log, LOG_WARN_, "this system has no child subreaper (%s): "
		    "what a killed part leaves behind is process 1's to reap",
		    strerror(errno));
	return os_guard_memory(e);
}

static int
serve_all(struct serve *s, struct err *e)
{
	char health[256], where[512];

	if (address_read(&s->address, s->o.listen, e) == -1 ||
	    read_conf(s, e) == -1 || find_programs(s, e) == -1)
		return -1;
	if (s->address.port == 0 && address_try(&s->address, 0, e) == -1)
		return -1;
	snprintf(where, sizeof(where), "%.*s", STR_ARG(s->conf->log));
	if (log_open(&s->log, where, "hooklatch", e) == -1)
		return -1;
	say_warnings(s);
	if (rundir_open(&s->dir, s->address.port, e) == -1)
		return -1;
	rundir_end_leftovers(&s->dir, &s->log);
	if (!s->o.no_nginx &&
	    address_try(&s->address, when_steady() + 3000, e) == -1)
		return -1;
	if (name_conf(s, e) == -1 || listen_for_handlers(s, e) == -1)
		return -1;
	if (!s->o.no_nginx && nginx_write(s, e) == -1)
		return -1;
	snprintf(health, sizeof(health), "%.*s", STR_ARG(s->conf->health));
	s->health = *health != '\0' ? health : "/";
	if (take_charge(s, e) == -1)
		return -1;
	s->started = when_steady();
	return serve_loop(s, e);
}

int
serve_run(const struct command *c, int argc, char **argv, struct err *e)
{
	struct serve s = { .listener = -1, .signals = -1, .lifeline = { -1, -1 },
		.nginx_says = { -1, -1 }, .nginx_line = BUF(16 * 1024),
		.dir = { .lock = -1 }, .log = { .fd = 2, .program = "hooklatch" } };
	struct err failed = { ERR_NONE, "" };
	uint64_t n;
	int rc;

	if ((argc = cli_options(c, argc, argv, &s.o, e)) == -1)
		return -1;
	s.o.config = cli_config(s.o.config);
	if (argc > 0)
		return err_set(e, ERR_USAGE, "serve takes options only, not \"%s\"",
		    argv[0]);
	if (s.o.workers != NULL && (!str_to_u64(str_of(s.o.workers), &n) || n < 1 ||
	    n > WORKERS_MAX))
		return err_set(e, ERR_USAGE, "--workers takes 1 to %d, not \"%s\"",
		    WORKERS_MAX, s.o.workers);
	if (!s.o.no_nginx && (s.o.behind != NULL ||
	    (s.o.listen != NULL && is_unix(s.o.listen))))
		return err_set(e, ERR_USAGE, "%s is for a web server of your own: say "
		    "--no-nginx", s.o.behind != NULL ? "--behind" : "--listen unix:PATH");
	s.failed = &failed;
	rc = serve_all(&s, e);
	if (rc == 0 && failed.code != ERR_NONE) {
		*e = failed;
		rc = -1;
	}
	if (s.listener != -1) {
		unlink(s.socket);
		rundir_clean(&s.dir);
	}
	buf_free(&s.nginx_line);
	buf_free(&s.warnings);
	conf_free(s.conf);
	return rc;
}
