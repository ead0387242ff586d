/*
 * answer.c - see answer.h.
 */
#include <stdio.h>

#include "answer.h"

static const struct {
	int		 status;
	const char	*reason;
} reasons[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 498, "Token Invalid" },	/* GoCardless */
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};

const char *
answer_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Status";
}

size_t
answer_head(char *out, size_t size, const struct answer *a)
{
	bool typed = a->type.n > 0;
	int n;

	n = snprintf(out, size, "Status: %d %s\r\n%s%.*s%s%.*s", a->status,
	    answer_reason(a->status), typed ? "Content-Type: " : "",
	    STR_ARG(a->type),
	    typed ? "\r\nX-Content-Type-Options: nosniff\r\n" : "",
	    STR_ARG(a->extra));
	if (n < 0 || (size_t)n >= size)
		return 0;
	/* Without its length an empty body would go out in chunks. */
	if (a->status != 204)
		n += snprintf(out + n, size - (size_t)n,
		    "Content-Length: %zu\r\n", a->body.n);
	if ((size_t)n >= size)
		return 0;
	n += snprintf(out + n, size - (size_t)n, "\r\n");
	return (size_t)n < size ? (size_t)n : 0;
}
