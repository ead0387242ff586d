/*
 * unframed.c - a FastCGI pool as every example writes it, to try attacks on.
 *
 *	unframed CONFIGURATION SOCKET WORKERS LOG
 *
 * Each worker is a loop around FCGX_Accept_r: libfcgi takes a connection, reads a
 * request from it and waits for what is missing; the worker judges by the same
 * handler_decide() as hooklatch.fcgi, reads of the body only what that needs, and
 * answers.  So what is missing here, compared with fcgi_main.c, is the frame: an
 * attack that fails there and succeeds here has shown what the frame is for.
 *
 * Answers bear "X-Body: N", the bytes of the body that were read.  LOG gets a
 * line for each answer, "STATUS METHOD PATH REMOTE_ADDR", and one for each worker
 * that died.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_FCGI_DEFINES
#include <fcgiapp.h>

#include "base/when.h"
#include "handler.h"

#define FIRST_LOOK	512	/* is this JSON at all? */
#define WORKERS_MAX	64

static struct setting *setting;
static int log_fd = -1;
static pid_t workers[WORKERS_MAX];

static void
note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
note(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0 && write(log_fd, line, (size_t)n) == -1)
		exit(74);
}

static struct decision
judge(struct request *q)
{
	static const unsigned char dice[10];

	return handler_decide(setting, q, NULL, when_now(), dice);
}

/* Up to as many bytes as were announced; without that, to the end. */
static void
read_body(struct request *q, FCGX_Stream *in, char *room, size_t most)
{
	size_t want = q->has_length && q->length < most ? (size_t)q->length : most;
	int n = want > q->body.n ?
	    FCGX_GetStr(room + q->body.n, (int)(want - q->body.n), in) : 0;

	q->body = (struct str){ room, q->body.n + (size_t)n };
}

/* Could a JSON text begin so? */
static bool
hopeless(const struct decision *d, const struct request *q)
{
	return d->action == ACT_ANSWER && d->answer.status == 400 &&
	    q->body.n > 0 && strchr(" \t\r\n{[\"-0123456789tfn", q->body.p[0]) ==
	    NULL;
}

/*
 * The verdict, and no more of the body read than it takes: none when there is no
 * such hook, when it is announced as too large or nothing is signed; a little when
 * it does not begin like JSON; else all.
 */
static struct decision
decide(struct request *q, FCGX_Stream *in)
{
	size_t most = (size_t)setting->conf->max_body;
	struct decision d;
	char *room = malloc(most + 1);

	if (room == NULL)
		exit(71);
	q->body = (struct str){ room, 0 };
	if (q->has_length && q->length > most)
		q->fault = REQUEST_TOO_LARGE;
	d = judge(q);
	if (d.route != NULL && q->has_length &&
	    q->length > d.route->max_body) {
		q->fault = REQUEST_TOO_LARGE;
		d = judge(q);
	}
	if (d.action == ACT_ANSWER && (d.answer.status == 403 ||
	    d.answer.status == 404 || d.answer.status == 405 ||
	    d.answer.status == 413 || d.verdict.code == VERDICT_ABSENT))
		return d;
	read_body(q, in, room, FIRST_LOOK);
	d = judge(q);
	if (hopeless(&d, q))
		return d;
	read_body(q, in, room, most);
	return judge(q);
}

static void
serve(FCGX_Request *r)
{
	struct arena *arena = arena_new(8u << 20);
	struct request q;
	struct decision d;

	memset(&q, 0, sizeof(q));
	q.body_fd = -1;
	if (arena == NULL || request_init(&q, arena, r->envp) == -1)
		exit(71);
	d = decide(&q, r->in);
	FCGX_FPrintF(r->out, "Status: %d %s\r\nX-Body: %d\r\n\r\n",
	    d.answer.status, answer_reason(d.answer.status), (int)q.body.n);
	note("%d %.*s %.*s %.*s\n", d.answer.status, STR_ARG(q.method),
	    STR_ARG(q.path), STR_ARG(q.remote));
	free((char *)q.body.p);
	arena_free(arena);
}

static void
work(int listener)
{
	FCGX_Request r;

	if (FCGX_Init() != 0)
		exit(70);
	signal(SIGTERM, SIG_DFL);
	FCGX_InitRequest(&r, listener, 0);
	while (FCGX_Accept_r(&r) == 0)
		serve(&r);
	exit(0);
}

static int
listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (fd == -1 || bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    chmod(path, 0666) == -1 || listen(fd, 1024) == -1) {
		fprintf(stderr, "unframed: %s: %s\n", path, strerror(errno));
		exit(71);
	}
	return fd;
}

static void
on_term(int sig)
{
	(void)sig;
	for (int i = 0; i < WORKERS_MAX; i++)
		if (workers[i] > 0)
			kill(workers[i], SIGKILL);
	_exit(0);
}

static pid_t
start(int listener)
{
	pid_t pid = fork();

	if (pid == 0) {
		memset(workers, 0, sizeof(workers));
		work(listener);
	}
	return pid;
}

int
main(int argc, char **argv)
{
	struct bundle *b;
	struct err e;
	int listener, n, status;
	pid_t pid;

	if (argc != 5 || (n = atoi(argv[3])) < 1 || n > WORKERS_MAX) {
		fputs("usage: unframed CONFIGURATION SOCKET WORKERS LOG\n",
		    stderr);
		return 64;
	}
	log_fd = open(argv[4], O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (log_fd == -1 || (b = conf_gather(argv[1], HALF_ROAD, &e)) == NULL ||
	    (setting = setting_new(b, argv[1], 1, &e)) == NULL) {
		fprintf(stderr, "unframed: %s\n", log_fd == -1 ?
		    strerror(errno) : e.text);
		return 78;
	}
	listener = listen_at(argv[2]);
	signal(SIGTERM, on_term);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < n; i++)
		workers[i] = start(listener);
	while ((pid = wait(&status)) > 0)
		for (int i = 0; i < n; i++)
			if (workers[i] == pid) {
				note("worker ended by %s %d\n",
				    WIFSIGNALED(status) ? "signal" : "status",
				    WIFSIGNALED(status) ? WTERMSIG(status) :
				    WEXITSTATUS(status));
				workers[i] = start(listener);
			}
	return 0;
}
