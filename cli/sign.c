/*
 * sign.c - print a sample's headers, as arguments of curl.
 */
#include <stddef.h>
#include <string.h>

#include "cli/sample.h"

#define LINE_MAX_	((size_t)100 << 10)	/* Linux takes 128 KiB in one word */

const struct option_row sign_options[] = {
	SAMPLE_OPTIONS,
	{ "curl", 0, "URL", offsetof(struct sample_options, curl),
	    "print a whole line of curl, to be pasted" },
	{ "json", 0, NULL, offsetof(struct sample_options, json),
	    "print method, url, headers as one object" },
	{ NULL, 0, NULL, 0, NULL }
};

/* For a shell: in quotes, unless nothing in it needs them. */
static void
put_quoted(struct buf *b, struct str s)
{
	buf_putc(b, '\'');
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\'')
			buf_put(b, STR("'\\''"));
		else
			buf_putc(b, s.p[i]);
	buf_putc(b, '\'');
}

static void
put_headers(struct buf *b, const struct sent *r, const char *between)
{
	struct buf h = BUF(1 << 20);

	for (size_t i = 0; i < r->nheaders; i++) {
		buf_reset(&h);
		buf_printf(&h, r->headers[i].value.n > 0 ? "%.*s: %.*s" : "%.*s;%.*s",
		    STR_ARG(r->headers[i].name), STR_ARG(r->headers[i].value));
		buf_printf(b, "%s-H ", i > 0 ? between : "");
		put_quoted(b, buf_str(&h));
	}
	buf_free(&h);
}

static int
put_curl(struct buf *b, const struct sample *s, const struct sample_options *o,
    struct err *e)
{
	const struct sent *r = &s->request;
	bool same = str_eq(r->body, s->body);

	buf_printf(b, "curl -sS -X %.*s ", STR_ARG(r->method));
	put_headers(b, r, " ");
	if (r->nheaders > 0)
		buf_putc(b, ' ');
	if (o->body != NULL && strcmp(o->body, "-") != 0 && same) {
		buf_put(b, STR("--data-binary @"));
		put_quoted(b, str_of(o->body));
	} else if (r->body.n > LINE_MAX_ || (r->body.n > 0 &&
	    (memchr(r->body.p, '\0', r->body.n) != NULL || *r->body.p == '@'))) {
		return err_set(e, ERR_DATA, "this body does not fit a line: put it into "
		    "a file and use --body, or use \"hooklatch send\"");
	} else {
		buf_put(b, STR("--data-binary "));
		put_quoted(b, r->body);
	}
	buf_putc(b, ' ');
	put_quoted(b, r->url);
	buf_putc(b, '\n');
	return 0;
}

static void
put_object(struct buf *b, const struct sent *r)
{
	buf_put(b, STR("{\"method\":"));
	buf_json(b, r->method);
	buf_put(b, STR(",\"url\":"));
	buf_json(b, r->url);
	buf_put(b, STR(",\"headers\":["));
	for (size_t i = 0; i < r->nheaders; i++) {
		buf_put(b, i > 0 ? STR(",[") : STR("["));
		buf_json(b, r->headers[i].name);
		buf_putc(b, ',');
		buf_json(b, r->headers[i].value);
		buf_putc(b, ']');
	}
	buf_put(b, STR("],\"body\":"));
	buf_json(b, r->body);
	buf_put(b, STR("}\n"));
}

int
sign_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct sample_options o = { .config = NULL };
	struct sample s = { .route = NULL };
	struct buf b = BUF(CLI_OUT_MAX);
	int rc;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	o.config = cli_config(o.config);
	if (argc > 1)
		return err_set(e, ERR_USAGE, "one provider at a time");
	if (o.curl != NULL)
		o.url = o.curl;
	rc = sample_make(&s, &o, argc == 1 ? argv[0] : NULL, e);
	if (rc == 0)
		sample_warn(&s, "sign");
	if (rc == 0 && o.json) {
		put_object(&b, &s.request);
	} else if (rc == 0 && o.curl != NULL) {
		rc = put_curl(&b, &s, &o, e);
	} else if (rc == 0) {
		put_headers(&b, &s.request, "\n");
		if (s.request.nheaders > 0)
			buf_putc(&b, '\n');
		if (!str_eq(s.request.body, s.body))
			fprintf(stderr, "hooklatch sign: the body changed, because the "
			    "signature or the id stands in it: use --curl or --json\n");
		if (s.request.nheaders == 0 && str_eq(s.request.body, s.body))
			fprintf(stderr, "hooklatch sign: the signature stands in the "
			    "URL: use --curl or --json\n");
	}
	if (rc == 0)
		rc = cli_print(&b, e);
	sample_free(&s);
	buf_free(&b);
	return rc;
}
