/*
 * log.h - one line for one thing that happened.
 *
 * A line is an object of JSON, or on a terminal the same as readable text.  It
 * is at most LOG_LINE_MAX bytes and written by one write(2), so that lines of
 * several processes do not tear (PIPE_BUF).  Values pass through buf_json().
 * No secret, signature or body is ever given to it.
 *
 * A log that cannot be written is dropped and counted, never waited for: the
 * descriptor is made non-blocking where it is ours alone, else polled first.
 * The next line that gets through says how many did not ("dropped").  The
 * program ignores SIGPIPE.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "err.h"
#include "str.h"
#include "buf.h"

#define LOG_LINE_MAX	4096

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

struct log {
	int		 fd;		/* -1: nowhere */
	bool		 text;		/* readable text instead of JSON */
	bool		 syslog;
	enum { LOG_UNSEEN, LOG_SOCKET, LOG_AT_ONCE, LOG_ASK } how;	/* to
				 * write without waiting; seen at the first line */
	const char	*program;	/* "hooklatch.fcgi" */
	bool		 cloud;		/* as Cloud Run reads lines: see below */
	const char	*project;	/* of Google Cloud, or NULL */
	uint64_t	 dropped;
};

/*
 * where: "stderr", "stdout", "syslog" or "file:PATH".  -1 and a sentence when a
 * file cannot be opened; the log then still goes to stderr.
 */
int	log_open(struct log *, const char *where, const char *program,
	    struct err *);

/*
 * A line is begun, given its fields in the order a reader wants them, and sent:
 *
 *	struct line l;
 *	line_begin(&l, log, LOG_INFO_, "request");
 *	line_str(&l, "hook", hook);
 *	line_num(&l, "status", 200);
 *	line_end(&l);
 *
 * A field that does not fit is left out, and the line says "cut":true.
 */
struct line {
	struct log	*log;
	enum log_level	 level;
	size_t		 n;
	bool		 cut;
	char		 text[LOG_LINE_MAX];
};

/* A value that is absent (.p NULL) leaves its field out. */
void	line_begin(struct line *, struct log *, enum log_level,
	    const char *event);
void	line_str(struct line *, const char *name, struct str value);
void	line_num(struct line *, const char *name, int64_t value);
void	line_flag(struct line *, const char *name, bool value);
/* A value that is JSON already. */
void	line_json(struct line *, const char *name, struct str json);
/*
 * The trace of a request, under its own name; on Cloud Run with a project as fields
 * that its console knows: https://cloud.google.com/logging/docs/structured-logging
 */
void	line_trace(struct line *, struct str traceparent);
void	line_end(struct line *);

/* A whole line with the one field "message". */
void	log_say(struct log *, enum log_level, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

#endif
