/*
 * request.c - parameters and a body -> struct request.  See request.h.
 */
#include <string.h>

#include "request.h"

#define JSON_DEPTH	64
#define JSON_VALUES	1000000
#define BOUNDARY_MAX	70		/* RFC 2046, section 5.1.1 */

/*
 * What the web server says of itself.  A client's headers arrive only as HTTP_*
 * and can name none of these.  Of two rows for one member the upper one counts, of
 * a parameter that comes twice the first.
 */
static const struct {
	struct str	name;
	size_t		into;
} params[] = {
#define PARAM(name, member)	{ STR(name), offsetof(struct request, member) }
	PARAM("REQUEST_METHOD",			method),
	PARAM("REQUEST_URI",			target),
	PARAM("HOOKLATCH_HOOK",			hook),
	PARAM("HOOKLATCH_METRICS",		metrics),
	PARAM("CONTENT_TYPE",			content_type),
	PARAM("REMOTE_ADDR",			remote),
	PARAM("HOOKLATCH_TLS_VERIFY",		tls_verify),
	PARAM("SSL_CLIENT_VERIFY",		tls_verify),
	PARAM("HOOKLATCH_TLS_FINGERPRINT",	tls_fingerprint),
	PARAM("SSL_CLIENT_FINGERPRINT",		tls_fingerprint),
	PARAM("HOOKLATCH_REQUEST_ID",		request_id),
	PARAM("UNIQUE_ID",			request_id),
#undef PARAM
};
#define NPARAMS	(sizeof(params) / sizeof(params[0]))

/*
 * Headers that are none: HTTP_PROXY would become somebody's http_proxy
 * (CVE-2016-5385), and the twins of CONTENT_TYPE and CONTENT_LENGTH are what the
 * sender wrote, not what the web server made of it.
 */
static bool
is_no_header(struct str lower_name)
{
	return str_eq(lower_name, STR("proxy")) ||
	    str_eq(lower_name, STR("content-type")) ||
	    str_eq(lower_name, STR("content-length"));
}

/* X_FOO -> x-foo. */
static struct str
header_name(struct arena *a, struct str name)
{
	char *p = arena_bytes(a, name.n + 1);

	for (size_t i = 0; p != NULL && i < name.n; i++) {
		char c = name.p[i];

		p[i] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ?
		    (char)(c - 'A' + 'a') : c;
	}
	return (struct str){ p, name.n };
}

static int
take_params(struct request *q, char *const *envp)
{
	struct str values[NPARAMS] = { STR_NONE }, length = STR_NONE;

	for (; *envp != NULL; envp++) {
		struct str value = str_of(*envp), name = str_cut(&value, '=');

		if (value.p == NULL || str_starts(name, STR("HTTP_")))
			continue;
		for (size_t i = 0; i < NPARAMS; i++)
			if (values[i].n == 0 && str_eq(name, params[i].name))
				values[i] = value;
		if (length.n == 0 && str_eq(name, STR("CONTENT_LENGTH")))
			length = value;
	}
	for (size_t i = 0; i < NPARAMS; i++) {
		struct str *into = (struct str *)((char *)q + params[i].into);

		if (into->p != NULL || values[i].n == 0)
			continue;
		*into = arena_str(q->arena, values[i]);
		if (into->p == NULL)
			return -1;
	}
	/* None, or an empty one, is no length; what is no number is no request. */
	q->has_length = str_to_u64(length, &q->length);
	if (length.n > 0 && !q->has_length)
		q->fault = REQUEST_BAD;
	return 0;
}

/* Content-Type once, as the web server understood it. */
static int
take_headers(struct request *q, char *const *envp)
{
	bool typed = false;

	for (; *envp != NULL; envp++) {
		struct str value = str_of(*envp), name = str_cut(&value, '=');
		struct header *h = &q->headers[q->nheaders];

		if (value.p == NULL)
			continue;
		if (str_eq(name, STR("CONTENT_TYPE"))) {
			if (typed || value.n == 0)
				continue;
			typed = true;
			h->name = STR("content-type");
		} else if (str_starts(name, STR("HTTP_")) && name.n > 5) {
			h->name = header_name(q->arena, str_skip(name, 5));
			if (h->name.p != NULL && is_no_header(h->name))
				continue;
		} else
			continue;
		h->value = arena_str(q->arena, value);
		if (h->name.p == NULL || h->value.p == NULL)
			return -1;
		q->nheaders++;
	}
	return 0;
}

int
request_init(struct request *q, struct arena *a, char *const *envp)
{
	size_t n = 0;

	*q = (struct request){ .arena = a, .body_fd = -1,
	    .json = { JSON_DEPTH, JSON_VALUES } };
	for (char *const *env = envp; *env != NULL; env++)
		n += strncmp(*env, "HTTP_", 5) == 0 ||
		    strncmp(*env, "CONTENT_TYPE=", 13) == 0;
	if (n > REQUEST_HEADERS_MAX)
		return -1;
	q->headers = arena_alloc(a, (n + 1) * sizeof(*q->headers));
	if (q->headers == NULL || take_params(q, envp) != 0 ||
	    take_headers(q, envp) != 0)
		return -1;
	if (q->method.n == 0 || q->target.n == 0 || q->target.p[0] != '/')
		q->fault = REQUEST_BAD;
	q->query = q->target;
	q->path = str_cut(&q->query, '?');
	return 0;
}

/* --- headers ----------------------------------------------------------------- */

struct str
request_header_nth(const struct request *q, struct str name, size_t i)
{
	for (size_t h = 0; h < q->nheaders; h++)
		if (str_eq(q->headers[h].name, name) && i-- == 0)
			return q->headers[h].value;
	return STR_NONE;
}

struct str
request_header(const struct request *q, struct str name, size_t *count)
{
	struct str value = STR_NONE;
	size_t n = 0;

	for (size_t h = 0; h < q->nheaders; h++)
		if (str_eq(q->headers[h].name, name) && n++ == 0)
			value = q->headers[h].value;
	if (count != NULL)
		*count = n;
	return n == 1 ? value : STR_NONE;
}

/* --- query and form ----------------------------------------------------------- */

static struct str
pair_get(const struct pair *pairs, size_t npairs, struct str name, size_t *count)
{
	struct str value = STR_NONE;
	size_t n = 0;

	for (size_t i = 0; i < npairs; i++)
		if (str_eq(pairs[i].name, name) && n++ == 0)
			value = pairs[i].value;
	if (count != NULL)
		*count = n;
	return n == 1 ? value : STR_NONE;
}

int
request_queries(struct request *q, struct pair **pairs, size_t *n)
{
	if (q->query_state == 0)
		q->query_state = form_parse(q->arena, q->query,
		    REQUEST_PAIRS_MAX, &q->queries, &q->nqueries) == 0 ? 1 : -1;
	*pairs = q->queries;
	*n = q->query_state == 1 ? q->nqueries : 0;
	return q->query_state == 1 ? 0 : -1;
}

struct str
request_query(struct request *q, struct str name, size_t *count)
{
	struct pair *pairs;
	size_t n;

	request_queries(q, &pairs, &n);
	return pair_get(pairs, n, name, count);
}

/* The next parameter of a header like "form-data; name=\"a\"; filename=b". */
static bool
next_param(struct request *q, struct str *rest, struct str *name,
    struct str *value)
{
	struct str s = str_trim(*rest);
	size_t n = 0;
	char *p;

	if (s.n == 0 || s.p[0] != ';')
		return false;
	s = str_trim(str_skip(s, 1));
	while (n < s.n && s.p[n] != '=' && s.p[n] != ';')
		n++;
	if (n == s.n || s.p[n] != '=')
		return false;
	*name = str_trim(str_head(s, n));
	s = str_trim(str_skip(s, n + 1));
	if (s.n == 0 || s.p[0] != '"') {
		for (n = 0; n < s.n && s.p[n] != ';'; n++)
			;
		*value = str_trim(str_head(s, n));
		*rest = str_skip(s, n);
		return true;
	}
	if ((p = arena_bytes(q->arena, s.n)) == NULL)
		return false;
	*value = (struct str){ p, 0 };
	for (n = 1; n < s.n && s.p[n] != '"'; n++) {
		if (s.p[n] == '\\' && n + 1 < s.n &&
		    (s.p[n + 1] == '"' || s.p[n + 1] == '\\'))
			n++;
		p[value->n++] = s.p[n];
	}
	*rest = str_skip(s, n + 1);
	return n < s.n;			/* the quote that ends it */
}

static struct str
param_get(struct request *q, struct str header, struct str wanted)
{
	struct str rest = header, name, value;
	ptrdiff_t semicolon = str_find(rest, ';');

	if (semicolon == -1)
		return STR_NONE;
	rest = str_skip(rest, (size_t)semicolon);
	while (next_param(q, &rest, &name, &value))
		if (str_eq_nocase(name, wanted))
			return value;
	return STR_NONE;
}

/* Cuts off what stands before text, and text itself; .p NULL: it is not there. */
static struct str
cut_text(struct str *rest, struct str text)
{
	const char *at = rest->n >= text.n ?
	    memmem(rest->p, rest->n, text.p, text.n) : NULL;
	struct str before;

	if (at == NULL)
		return STR_NONE;
	before = str_head(*rest, (size_t)(at - rest->p));
	*rest = str_skip(*rest, before.n + text.n);
	return before;
}

/* A part's Content-Disposition -> its name; false when it is not a form's. */
static bool
part_name(struct request *q, struct str head, struct str *name, bool *file)
{
	while (head.p != NULL) {
		struct str line = str_cut(&head, '\n');
		struct str field = str_trim(str_cut(&line, ':'));

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (!str_eq_nocase(field, STR("content-disposition")) ||
		    line.p == NULL)
			continue;
		*name = param_get(q, line, STR("name"));
		*file = param_get(q, line, STR("filename")).p != NULL ||
		    param_get(q, line, STR("filename*")).p != NULL;
		return name->p != NULL &&
		    str_starts_nocase(str_trim(line), STR("form-data"));
	}
	return false;
}

/* RFC 7578.  Parts that are files are passed over; their bytes are not looked at. */
static int
multipart_parse(struct request *q)
{
	struct str boundary = param_get(q, q->content_type, STR("boundary"));
	struct str rest = q->body, delimiter;

	if (boundary.n == 0 || boundary.n > BOUNDARY_MAX)
		return -1;
	delimiter = arena_printf(q->arena, "\r\n--%.*s", STR_ARG(boundary));
	q->fields = arena_alloc(q->arena, REQUEST_PAIRS_MAX * sizeof(*q->fields));
	if (delimiter.p == NULL || q->fields == NULL)
		return -1;
	/* The first delimiter may stand at the very beginning. */
	if (str_starts(rest, str_skip(delimiter, 2)))
		rest = str_skip(rest, delimiter.n - 2);
	else if (cut_text(&rest, delimiter).p == NULL)
		return -1;
	for (;;) {
		struct str head, value, name;
		bool file;

		if (str_starts(rest, STR("--")))
			return 0;
		if (!str_starts(rest, STR("\r\n")))
			return -1;
		/* A part without headers begins with an empty line. */
		head = cut_text(&rest, STR("\r\n\r\n"));
		if (head.p == NULL)
			return -1;
		value = cut_text(&rest, delimiter);
		if (value.p == NULL || !part_name(q, head, &name, &file))
			return -1;
		if (file) {
			q->has_files = true;
			continue;
		}
		if (q->nfields == REQUEST_PAIRS_MAX)
			return -1;
		q->fields[q->nfields++] = (struct pair){ name, value };
	}
}

int
request_fields(struct request *q, struct pair **pairs, size_t *n)
{
	if (q->form_state == 0) {
		int rc = -1;

		switch (request_body_kind(q)) {
		case BODY_FORM:
			rc = form_parse(q->arena, q->body, REQUEST_PAIRS_MAX,
			    &q->fields, &q->nfields);
			break;
		case BODY_MULTIPART:
			rc = multipart_parse(q);
			break;
		case BODY_JSON:
		case BODY_OTHER:
			break;
		}
		q->form_state = rc == 0 ? 1 : -1;
		if (rc != 0)
			q->nfields = 0;
	}
	*pairs = q->fields;
	*n = q->nfields;
	return q->form_state == 1 ? 0 : -1;
}

struct str
request_field(struct request *q, struct str name, size_t *count)
{
	struct pair *pairs;
	size_t n;

	if (request_fields(q, &pairs, &n) != 0)
		n = 0;
	return pair_get(pairs, n, name, count);
}

/* --- the body ------------------------------------------------------------------ */

bool
request_json(struct request *q)
{
	if (q->json_state == 0)
		q->json_state = json_scan(q->body, q->json, NULL) == JSON_OK ?
		    1 : -1;
	return q->json_state == 1;
}

enum body_kind
request_body_kind(const struct request *q)
{
	struct str rest = q->content_type, type = str_trim(str_cut(&rest, ';'));
	struct str json = STR("+json"), tail;

	tail = str_skip(type, type.n > json.n ? type.n - json.n : 0);
	if (str_eq_nocase(type, STR("application/json")) ||
	    str_eq_nocase(type, STR("text/json")) ||
	    (str_starts_nocase(type, STR("application/")) &&
	    str_eq_nocase(tail, json)))
		return BODY_JSON;
	if (str_eq_nocase(type, STR("application/x-www-form-urlencoded")))
		return BODY_FORM;
	if (str_eq_nocase(type, STR("multipart/form-data")))
		return BODY_MULTIPART;
	return BODY_OTHER;
}
