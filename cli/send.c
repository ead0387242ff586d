/*
 * send.c - post a signed sample to a URL.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "cli/sample.h"

#define ANSWER_MAX	((size_t)1 << 20)

const struct option_row send_options[] = {
	SAMPLE_OPTIONS,
	{ "json", 0, NULL, offsetof(struct sample_options, json),
	    "print the answer as one object" },
	{ NULL, 0, NULL, 0, NULL }
};

static size_t
take_answer(char *p, size_t size, size_t n, void *into)
{
	struct buf *b = into;

	if (b->n + size * n <= ANSWER_MAX)	/* the rest is not kept */
		buf_put(b, (struct str){ p, size * n });
	return size * n;
}

static struct curl_slist *
headers_make(const struct sent *r)
{
	struct curl_slist *list = NULL, *more;
	struct buf b = BUF(1 << 20);

	/* What curl would put in by itself is no provider's. */
	list = curl_slist_append(list, "Expect:");
	for (size_t i = 0; i < r->nheaders; i++) {
		buf_reset(&b);
		/* "Name;" is how curl is asked for an empty value. */
		if (r->headers[i].value.n == 0)
			buf_printf(&b, "%.*s;", STR_ARG(r->headers[i].name));
		else
			buf_printf(&b, "%.*s: %.*s", STR_ARG(r->headers[i].name),
			    STR_ARG(r->headers[i].value));
		buf_putc(&b, '\0');
		if ((more = curl_slist_append(list, b.p)) != NULL)
			list = more;
	}
	buf_free(&b);
	return list;
}

static int
post(const struct sent *r, long *status, struct buf *answer,
    struct err *e)
{
	char why[CURL_ERROR_SIZE] = "", url[8192], method[32], direct[4096];
	const char *no_proxy = getenv("no_proxy");
	struct curl_slist *headers = headers_make(r);
	CURL *c = curl_easy_init();
	CURLcode rc;

	snprintf(url, sizeof(url), "%.*s", STR_ARG(r->url));
	snprintf(method, sizeof(method), "%.*s", STR_ARG(r->method));
	/* A proxy of the environment is not meant for this machine. */
	snprintf(direct, sizeof(direct), "localhost,127.0.0.1,::1,%s",
	    no_proxy != NULL ? no_proxy : "");
	if (c == NULL || headers == NULL) {
		curl_slist_free_all(headers);
		curl_easy_cleanup(c);
		return err_set(e, ERR_OS, "not enough memory");
	}
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_NOPROXY, direct);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "hooklatch-send/" VERSION);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
	if (strcmp(method, "GET") != 0) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)r->body.n);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS,
		    r->body.p != NULL ? r->body.p : "");
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	}
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	if (rc != CURLE_OK)
		return err_set(e, ERR_AWAY, "%.300s: %s", url,
		    *why != '\0' ? why : curl_easy_strerror(rc));
	return 0;
}

/* What the sender sees, and an exit status that a script can use. */
static int
report(long status, const struct buf *answer, bool json, struct err *e)
{
	struct buf b = BUF(8 * ANSWER_MAX);
	int rc;

	if (json) {
		buf_printf(&b, "{\"status\":%ld,\"body\":", status);
		buf_json(&b, buf_str(answer));
		buf_put(&b, STR("}\n"));
	} else {
		buf_printf(&b, "%ld\n", status);
		buf_put(&b, buf_str(answer));
		if (answer->n > 0 && answer->p[answer->n - 1] != '\n')
			buf_putc(&b, '\n');
	}
	rc = cli_print(&b, e);
	buf_free(&b);
	if (rc == -1 || (status >= 200 && status < 300))
		return rc;
	return err_set(e, status == 401 || status == 403 ? ERR_PERM :
	    status >= 500 ? ERR_TEMP : ERR_DATA, "answered %ld%s", status,
	    status == 401 ? "; the line in the handler's log says why" : "");
}

int
send_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct sample_options o = { .fresh = true };
	struct sample s = { .route = NULL };
	struct buf answer = BUF(ANSWER_MAX + 1);
	long status = 0;
	int rc = -1;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	o.config = cli_config(o.config);
	if (argc > 1)
		return err_set(e, ERR_USAGE, "one provider at a time");
	if (sample_make(&s, &o, argc == 1 ? argv[0] : NULL, e) == 0) {
		sample_warn(&s, "send");
		if (post(&s.request, &status, &answer, e) == 0)
			rc = report(status, &answer, o.json, e);
	}
	sample_free(&s);
	buf_free(&answer);
	return rc;
}
