/*
 * webserver.h - the nginx in front: its configuration for "serve", and what any
 * web server's configuration must say for us.
 *
 * The lines of nginx that matter are one table, webserver_lines[].  "serve"
 * writes them, "check --nginx" looks for them, and a test runs that check over
 * the snippet in nginx/, so the three cannot drift apart.
 */
#ifndef WEBSERVER_H
#define WEBSERVER_H

#include "base/buf.h"
#include "base/err.h"

struct webserver {
	const char	*dir;		/* everything it writes is in here */
	const char	*listen;	/* "127.0.0.1:8080" */
	const char	*socket;	/* of the handlers */
	const char	*user;		/* "www-data www-data", or NULL: stay */
	const char	*include;	/* a file of locations, or NULL */
	unsigned	 processes;
	unsigned	 connections;	/* of each process */
	uint64_t	 max_body;	/* bytes that are let through */
	bool		 front;		/* Cloud Run's, which alone reaches it */
};

/* The whole nginx.conf.  Pure. */
void	webserver_nginx(struct buf *, const struct webserver *);

/* What a location that passes to us says. */
struct webserver_line {
	const char	*name;		/* "fastcgi_keep_conn" */
	const char	*value;		/* "on" */
	enum { LINE_MUST, LINE_SHOULD, LINE_CERT } weight;
	const char	*why;		/* told when it is missing */
};
extern const struct webserver_line webserver_lines[];	/* NULL name ends */

struct finding {
	bool		 bad;		/* it will not work; else a warning */
	char		 text[400];
};
#define FINDINGS_MAX	64

/*
 * Reads what "nginx -T" (or a file) says and finds what our locations lack.
 * max_body: the largest body that a hook takes; certs: a hook wants a client's
 * certificate.  *locations: how many of them there are.  Gives the number of findings; pure.
 */
size_t	webserver_check_nginx(struct str text, uint64_t max_body, bool certs,
	    struct finding *out, size_t *locations);

/* The same of Apache's files. */
size_t	webserver_check_apache(struct str text, uint64_t max_body,
	    struct finding *out, size_t *places);

#endif
