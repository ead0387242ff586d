/*
 * transfer.h - what holds for every transfer of the courier, whatever it is for: no
 * redirect is followed, the certificate is verified, no signal is used, nothing takes
 * longer than it may, and no name server holds up the thread.
 */
#ifndef COURIER_TRANSFER_H
#define COURIER_TRANSFER_H

#include <stdbool.h>

#include <curl/curl.h>

#include "../base/str.h"

struct transfer {
	const char	*protocols;	/* "https", "http,https" */
	const char	*url;
	struct str	 ca_file;	/* roots; empty: the system's.  NUL behind it */
	long		 connect_ms;
	long		 whole_ms;
	void		*owner;		/* CURLINFO_PRIVATE */
	char		*error;		/* CURL_ERROR_SIZE bytes */
};

/* NULL: libcurl did not start. */
CURLM	*transfer_multi(void);

bool	transfer_set(CURL *, const struct transfer *);

#endif
