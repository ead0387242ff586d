/*
 * fuzz_place - a template, and a request that it is expanded of, divided by NULs:
 * template, query, a header's value, body.  The first byte chooses what the body is.
 * What may be answered with it holds nothing that ends a line.
 */
#include <stdlib.h>
#include <string.h>

#include "reply.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const types[] = {
	"CONTENT_TYPE=application/json",
	"CONTENT_TYPE=application/x-www-form-urlencoded",
	"CONTENT_TYPE=multipart/form-data; boundary=b",
	"CONTENT_TYPE=text/plain",
};

static const struct str captures[] = { STR("one"), STR("two") };

/* Pairs of all sources, over templates that are read once. */
static struct pairs *
all_pairs(void)
{
	static const struct vocabulary pair = { .pair = true }, named = {
	    .captures = captures, .ncaptures = 2 };
	static struct str except[] = { STR("a") }, must[] = { STR("x-v") };
	static struct pairs p[3];
	static struct arena *a;
	struct err e;

	if (a != NULL)
		return p;
	a = arena_new(1 << 16);
	p[0] = (struct pairs){ .as = STR("pairs"), .from = PAIRS_FIELDS,
	    .sorted = true, .distinct = true, .except = except, .nexcept = 1,
	    .join = STR("&") };
	p[1] = (struct pairs){ .as = STR("asked"), .from = PAIRS_QUERY,
	    .distinct = true, .join = STR("") };
	p[2] = (struct pairs){ .as = STR("listed"), .from = PAIRS_HEADERS,
	    .split = ',', .must = must, .nmust = 1, .join = STR("\n") };
	for (size_t i = 0; i < 3; i++)
		if (template_read(&p[i].each, STR("{lower(name)}={value}"), &pair, a,
		    &e) != 0)
			abort();
	if (template_read(&p[2].named, STR("{one}"), &named, a, &e) != 0)
		abort();
	return p;
}

static void
answer_with(const struct template *t, const struct scope *s)
{
	struct reply_header header = { STR("X-R"), *t };
	struct reply r = { .set = true, .status = 200, .type = STR("text/plain"),
	    .extra = STR(""), .headers = &header, .nheaders = 1, .body = *t };
	struct answer out;

	if (reply_make(&r, s, &out)) {
		struct str line = out.extra;

		if (!str_starts(line, STR("X-R: ")) || !str_ends(line, STR("\r\n")) ||
		    !str_printable(str_head(line, line.n - 2)))
			abort();
	}
	r.nheaders = 0;
	r.body.json = true;
	reply_make(&r, s, &out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str url = STR("https://example.com/h?x");
	struct str rest = { (const char *)data + 1, size > 0 ? size - 1 : 0 }, text,
	    query, header;
	struct str caught[] = { STR("x-v, host"), STR_NONE };
	struct texts params[PARAM_COUNT];
	const struct vocabulary words = { .captures = captures, .ncaptures = 2,
	    .time = true, .secret = true, .keyed = true, .now = true,
	    .pairs = all_pairs(), .npairs = 3 };
	struct scope s = { .params = params, .captures = caught,
	    .pairs = words.pairs, .time = STR("1700000000"), .now = STR("1"),
	    .secret = STR("s3cret"), .key = STR("key") };
	struct arena *a = arena_new(1 << 20);
	struct template t;
	struct request q;
	struct err e = { 0 };
	char *env[6];

	for (size_t i = 0; i < PARAM_COUNT; i++)
		params[i] = (struct texts){ &url, 1 };
	text = str_cut(&rest, '\0');
	query = str_cut(&rest, '\0');
	header = str_cut(&rest, '\0');
	if (size == 0)
		goto out;
	if (template_read(&t, text, &words, a, &e) != 0) {
		if (e.text[0] == '\0')
			abort();
		goto out;
	}
	env[0] = (char *)(uintptr_t)"REQUEST_METHOD=POST";
	env[1] = (char *)(uintptr_t)types[data[0] % 4];
	env[2] = (char *)(uintptr_t)arena_join(a, (const struct str[]){
	    STR("REQUEST_URI=/h?"), query }, 2).p;
	env[3] = (char *)(uintptr_t)arena_join(a, (const struct str[]){
	    STR("HTTP_X_V="), header }, 2).p;
	env[4] = (char *)(uintptr_t)"HTTP_HOST=example.com";
	env[5] = NULL;
	if (env[2] == NULL || env[3] == NULL || request_init(&q, a, env) != 0)
		goto out;
	q.body = rest.p != NULL ? rest : STR("");
	q.key = s.key;
	/* As if they had been taken from a token and a list. */
	q.token = q.claims = q.item = request_json(&q) ? q.body : STR_NONE;
	s.q = &q;
	template_text(&t, &s);
	answer_with(&t, &s);
out:
	arena_free(a);
	return 0;
}
