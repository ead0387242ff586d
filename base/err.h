/*
 * err.h - an error is a code for the program and a sentence for the person.
 *
 * The sentence says where (file:line:column for configuration), what, and what
 * to do next.  It holds no secret and no bytes of a request that have not been
 * through buf_json().  The code is the exit status of the program that gives
 * up on it (sysexits.h).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum errcode {
	ERR_NONE = 0,
	ERR_USAGE = 64,		/* EX_USAGE: the command line */
	ERR_DATA = 65,		/* EX_DATAERR: an input file or a message */
	ERR_NOINPUT = 66,	/* EX_NOINPUT: a file that is not there */
	ERR_NOUSER = 67,	/* EX_NOUSER */
	ERR_AWAY = 69,		/* EX_UNAVAILABLE: a peer that does not answer */
	ERR_SOFTWARE = 70,	/* EX_SOFTWARE: our own fault */
	ERR_OS = 71,		/* EX_OSERR: the system said no */
	ERR_IO = 74,		/* EX_IOERR: a disk or a socket */
	ERR_TEMP = 75,		/* EX_TEMPFAIL: later it may work */
	ERR_PROTOCOL = 76,	/* EX_PROTOCOL: a message out of the table */
	ERR_PERM = 77,		/* EX_NOPERM */
	ERR_CONF = 78,		/* EX_CONFIG */
};

struct err {
	enum errcode	code;
	char		text[512];
};

/* Always -1, so that a function can end with it. */
int	err_set(struct err *, enum errcode, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

/* Puts "where: " before the sentence that is there.  Always -1. */
int	err_at(struct err *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

#endif
