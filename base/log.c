/* log.c - one line for one thing that happened. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "log.h"
#include "trace.h"
#include "when.h"

/* Kept free for what line_end() adds. */
#define TAIL	64

static const struct {
	const char	*name;		/* as Google Cloud Logging has them */
	int		 syslog;
} levels[] = {
	[LOG_DEBUG_] = { "DEBUG", LOG_DEBUG },
	[LOG_INFO_] = { "INFO", LOG_INFO },
	[LOG_WARN_] = { "WARNING", LOG_WARNING },
	[LOG_ERROR_] = { "ERROR", LOG_ERR },
};

/*
 * syslog(3) waits while the daemon does not read, and this may not; so we speak
 * to its socket ourselves.
 */
static int
syslog_connect(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd != -1 &&
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * A pipe that others write to as well: poll(2) may say "room" and another may
 * take it before us.  Opened anew it is a description of our own, and that can
 * be made non-blocking without touching anybody's.
 */
static int
pipe_of_our_own(int fd)
{
	char path[32];
	struct stat st;
	int own;

	if (fstat(fd, &st) == -1 || !S_ISFIFO(st.st_mode))
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return own == -1 ? fd : own;
}

int
log_open(struct log *log, const char *where, const char *program,
    struct err *e)
{
	const char *path;

	*log = (struct log){ .fd = STDERR_FILENO, .program = program };
	if (strcmp(where, "syslog") == 0) {
		log->syslog = true;
		log->fd = syslog_connect();
		tzset();
		return 0;
	}
	if (strncmp(where, "file:", 5) == 0 && where[5] != '\0') {
		path = where + 5;
		log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND |
		    O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
		if (log->fd == -1) {
			log->fd = STDERR_FILENO;
			return err_set(e, ERR_IO, "the log %s cannot be "
			    "opened: %s", path, strerror(errno));
		}
		return 0;
	}
	if (strcmp(where, "stdout") == 0)
		log->fd = STDOUT_FILENO;
	else if (strcmp(where, "stderr") != 0)
		return err_set(e, ERR_CONF, "a log is \"stderr\", \"stdout\", "
		    "\"syslog\" or \"file:PATH\", not \"%s\"", where);
	log->text = isatty(log->fd) == 1;
	log->fd = pipe_of_our_own(log->fd);
	return 0;
}

/*
 * How a line can be written without waiting: a socket can be told so for each
 * line, a file always has room, what was made non-blocking says so, and of the
 * rest (a terminal) poll(2) is asked.
 */
static void
look(struct log *log)
{
	struct stat st;

	log->how = LOG_ASK;
	if (fstat(log->fd, &st) == -1)
		return;
	if (S_ISSOCK(st.st_mode))
		log->how = LOG_SOCKET;
	else if (S_ISREG(st.st_mode) ||
	    (fcntl(log->fd, F_GETFL) & O_NONBLOCK) != 0)
		log->how = LOG_AT_ONCE;
}

/* Whole or not at all: what is torn is lost too. */
static bool
write_line(struct log *log, const char *p, size_t n)
{
	struct pollfd ready = { .fd = log->fd, .events = POLLOUT };
	ssize_t r;

	if (log->fd == -1)
		return false;
	if (log->how == LOG_UNSEEN)
		look(log);
	if (log->how == LOG_SOCKET)
		return send(log->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		    (ssize_t)n;
	if (log->how == LOG_ASK && (poll(&ready, 1, 0) != 1 ||
	    (ready.revents & POLLOUT) == 0))
		return false;
	do
		r = write(log->fd, p, n);
	while (r == -1 && errno == EINTR);
	return r == (ssize_t)n;
}

static bool
write_syslog(struct log *log, enum log_level level, const char *p, size_t n)
{
	char text[LOG_LINE_MAX + 128], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	int len;

	if (localtime_r(&now, &tm) == NULL ||
	    strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm) == 0)
		return false;
	len = snprintf(text, sizeof(text), "<%d>%s %.48s[%ld]: %.*s",
	    LOG_DAEMON | levels[level].syslog, stamp, log->program,
	    (long)getpid(), (int)n, p);
	if (len < 0 || (size_t)len >= sizeof(text))
		return false;
	if (write_line(log, text, (size_t)len))
		return true;
	if (log->fd != -1 && (errno == EAGAIN || errno == ENOBUFS))
		return false;
	/* The daemon was started anew, or only now. */
	if (log->fd != -1)
		close(log->fd);
	log->fd = syslog_connect();
	log->how = LOG_UNSEEN;
	return write_line(log, text, (size_t)len);
}

/* The line's bytes as a buf that cannot grow, so that nothing is allocated. */
static struct buf
line_buf(struct line *l, size_t room)
{
	return (struct buf){ .p = l->text, .n = l->n, .cap = room,
		.limit = room };
}

static void
line_keep(struct line *l, const struct buf *b)
{
	if (buf_ok(b))
		l->n = b->n;
	else
		l->cut = true;
}

/* What is one word for a reader needs no quotes. */
static bool
plain(struct str s)
{
	return str_printable(s) && str_find(s, ' ') < 0 &&
	    str_find(s, '"') < 0 && str_find(s, '=') < 0 &&
	    str_find(s, '\\') < 0;
}

static void
put_name(struct buf *b, const struct line *l, const char *name)
{
	if (l->log->text) {
		buf_putc(b, ' ');
		buf_put(b, str_of(name));
		buf_putc(b, '=');
	} else {
		buf_put(b, STR(",\""));
		buf_put(b, str_of(name));
		buf_put(b, STR("\":"));
	}
}

void
line_begin(struct line *l, struct log *log, enum log_level level,
    const char *event)
{
	char now[WHEN_ROOM];
	struct str time = { now, when_print(now, when_now(), WHEN_ISO8601) };
	struct buf b;

	l->log = log;
	l->level = level;
	l->n = 0;
	l->cut = false;
	b = line_buf(l, LOG_LINE_MAX - TAIL);
	if (log->text) {
		buf_put(&b, time);
		buf_putc(&b, ' ');
		buf_put(&b, str_of(levels[level].name));
		buf_putc(&b, ' ');
		buf_put(&b, str_of(log->program));
		if (event != NULL) {
			buf_putc(&b, ' ');
			buf_put(&b, str_of(event));
		}
	} else {
		buf_put(&b, STR("{\"time\":\""));
		buf_put(&b, time);
		buf_put(&b, STR("\",\"severity\":\""));
		buf_put(&b, str_of(levels[level].name));
		buf_put(&b, STR("\",\"program\":"));
		buf_json(&b, str_of(log->program));
		if (event != NULL) {
			buf_put(&b, STR(",\"event\":"));
			buf_json(&b, str_of(event));
		}
	}
	line_keep(l, &b);
}

void
line_str(struct line *l, const char *name, struct str value)
{
	struct buf b = line_buf(l, LOG_LINE_MAX - TAIL);

	if (value.p == NULL)
		return;
	put_name(&b, l, name);
	if (l->log->text && plain(value))
		buf_put(&b, value);
	else
		buf_json(&b, value);
	line_keep(l, &b);
}

void
line_num(struct line *l, const char *name, int64_t value)
{
	struct buf b = line_buf(l, LOG_LINE_MAX - TAIL);

	put_name(&b, l, name);
	buf_num(&b, value);
	line_keep(l, &b);
}

void
line_flag(struct line *l, const char *name, bool value)
{
	struct buf b = line_buf(l, LOG_LINE_MAX - TAIL);

	put_name(&b, l, name);
	buf_put(&b, value ? STR("true") : STR("false"));
	line_keep(l, &b);
}

void
line_json(struct line *l, const char *name, struct str json)
{
	struct buf b = line_buf(l, LOG_LINE_MAX - TAIL);

	put_name(&b, l, name);
	buf_put(&b, json);
	line_keep(l, &b);
}

void
line_trace(struct line *l, struct str traceparent)
{
	char name[256];
	struct trace t;

	if (!l->log->cloud || l->log->project == NULL ||
	    !trace_parent(&t, traceparent)) {
		line_str(l, "trace", traceparent);
		return;
	}
	snprintf(name, sizeof(name), "projects/%.100s/traces/%s", l->log->project,
	    t.id);
	line_str(l, "logging.googleapis.com/trace", str_of(name));
	line_str(l, "logging.googleapis.com/spanId", str_of(t.span));
	line_flag(l, "logging.googleapis.com/trace_sampled", t.sampled);
}

void
line_end(struct line *l)
{
	struct log *log = l->log;
	struct buf b = line_buf(l, LOG_LINE_MAX);
	bool sent;

	if (log->dropped > 0) {
		put_name(&b, l, "dropped");
		buf_printf(&b, "%llu", (unsigned long long)log->dropped);
	}
	if (l->cut) {
		put_name(&b, l, "cut");
		buf_put(&b, STR("true"));
	}
	if (!log->text)
		buf_putc(&b, '}');
	if (log->syslog) {
		sent = write_syslog(log, l->level, b.p, b.n);
	} else {
		buf_putc(&b, '\n');
		sent = write_line(log, b.p, b.n);
	}
	if (sent)
		log->dropped = 0;
	else
		log->dropped++;
}

void
log_say(struct log *log, enum log_level level, const char *fmt, ...)
{
	char text[1024];
	struct line l;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	line_begin(&l, log, level, NULL);
	line_str(&l, "message", str_of(text));
	line_end(&l);
}
