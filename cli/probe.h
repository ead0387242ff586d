/*
 * probe.h - does it answer?  One GET, and the status that comes back.
 */
#ifndef PROBE_H
#define PROBE_H

/*
 * The status, or -1 when there was no answer within ms, or when the descriptor
 * wake (-1: none) had something to read before that.
 */
int	probe_fcgi(const char *socket, const char *uri, int ms, int wake);
int	probe_http(const char *host, unsigned port, const char *uri, int ms,
	    int wake);

#endif
