/* transfer.c - see transfer.h. */
#include "transfer.h"

#ifdef TEST_FOLLOW_REDIRECTS	/* tests/http.sh must notice */
#define REDIRECTS	1L
#else
#define REDIRECTS	0L
#endif
#ifdef TEST_WAIT_FOR_NAMES	/* likewise */
#define LEAVE		0L
#else
#define LEAVE		1L
#endif
#ifdef TEST_BELIEVE_EVERYBODY	/* likewise */
#define PEER		0L
#define HOST		0L
#else
#define PEER		1L
#define HOST		2L
#endif

CURLM *
transfer_multi(void)
{
	/* Counted, and safe from several threads: libcurl 7.84. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	return curl_multi_init();
}

/*
 * QUICK_EXIT: names are looked up by threads of libcurl's, which cannot be called back.
 * Without it the end of one transfer would wait for a name server that does not answer,
 * and all others with it; so the thread is left to end by itself.
 */
bool
transfer_set(CURL *e, const struct transfer *t)
{
	return curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, t->protocols) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, REDIRECTS) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_URL, t->url) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_PRIVATE, t->owner) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, LEAVE) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, t->whole_ms) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, t->connect_ms) ==
	    CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, PEER) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, HOST) == CURLE_OK &&
	    (t->ca_file.n == 0 ||
	    curl_easy_setopt(e, CURLOPT_CAINFO, t->ca_file.p) == CURLE_OK) &&
	    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_USERAGENT, "hooklatch/" VERSION) == CURLE_OK;
}
