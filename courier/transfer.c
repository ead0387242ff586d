/* transfer.c - see transfer.h. */
#include "transfer.h"

CURLM *
transfer_multi(void)
{
	/* Counted, and safe from several threads: libcurl 7.84. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return NULL;
	return curl_multi_init();
}

bool
transfer_set(CURL *e, const struct transfer *t)
{
	return curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, t->protocols) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_URL, t->url) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_PRIVATE, t->owner) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, t->whole_ms) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, t->connect_ms) ==
	    CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	    (t->ca_file.n == 0 ||
	    curl_easy_setopt(e, CURLOPT_CAINFO, t->ca_file.p) == CURLE_OK) &&
	    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
	    curl_easy_setopt(e, CURLOPT_USERAGENT, "hooklatch/" VERSION) == CURLE_OK;
}
