/*
 * fuzz_source - where a key may be fetched from.  The first byte chooses a rule, or that
 * the input has one of its own before a NUL; the rest is what a request calls its key.
 * Whatever that is, only hosts and paths of the rule are asked.
 */
#include <stdlib.h>
#include <string.h>

#include "key_source.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct {
	const char	*rule;
	const char	*before;	/* how each URL begins, up to its path */
	const char	*ends;		/* and ends */
} rules[] = {
	{ "{\"url\":\"https://a.example{key}\",\"name\":\"header:k\"}",
	    "https://a.example/", "" },
	{ "{\"url\":\"https://a.example/k/{key}.pem\",\"name\":\"header:k\"}",
	    "https://a.example/k/", ".pem" },
	{ "{\"url\":\"{issuer}/{key}\",\"name\":\"header:k\"}",
	    "https://id.example/t/", "" },
	{ "{\"url\":\"{issuer}{key}\",\"name\":\"header:k\"}",
	    "https://id.example/t", "" },
	{ "{\"url\":\"{key}\",\"name\":\"body:u\",\"hosts\":[\"a.us-*.example\"],"
	    "\"path\":\"/c/*.pem\"}", "https://a.us-", ".pem" },
	{ "{\"url\":\"{key}\",\"name\":\"body:u\",\"hosts\":[\"*.a.example\"],"
	    "\"path\":\"/*/c?id=*\"}", "https://", "" },
};
#define RULES	(sizeof(rules) / sizeof(rules[0]))

static const struct texts *
params(void)
{
	static const struct str issuer = STR("https://id.example/t"), word = STR("w");
	static struct texts all[PARAM_COUNT];

	for (size_t i = 0; i < PARAM_COUNT; i++)
		all[i] = (struct texts){ i == PARAM_ISSUER ? &issuer : &word, 1 };
	return all;
}

/* What no URL of ours holds, wherever it comes from. */
static void
check_any(struct str url)
{
	if (url.n > KEY_URL_LEN || !str_starts(url, STR("https://")))
		abort();
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] == '\0' || url.p[i] == '\n' || url.p[i] == '\r')
			abort();
}

static void
check_named(struct str url, size_t rule)
{
	struct str host = str_skip(url, 8), path;
	size_t n = 0;

	if (!str_starts(url, str_of(rules[rule].before)) ||
	    !str_ends(url, str_of(rules[rule].ends)))
		abort();
	for (size_t i = 8; i < url.n; i++)
		if (memchr("@:\\#% \t\"<>[]{}", url.p[i], 14) != NULL ||
		    (unsigned char)url.p[i] <= 0x20 ||
		    (unsigned char)url.p[i] >= 0x7f)
			abort();
	while (n < host.n && host.p[n] != '/')
		n++;
	path = str_skip(host, n);
	host.n = n;
	for (struct str left = str_skip(path, 1); left.p != NULL && left.n > 0;) {
		struct str part = str_cut(&left, '/');

		if ((part.n == 0 && left.p != NULL) || str_eq(part, STR(".")) ||
		    str_eq(part, STR("..")))
			abort();
	}
	if (rule == 4 && !str_ends(host, STR(".example")))
		abort();
	if (rule == 5 && (!str_ends(host, STR(".a.example")) ||
	    str_find(str_head(host, host.n - 10), '.') != -1))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t rule = size > 0 ? data[0] % (RULES + 1) : 0;
	struct str rest = { (const char *)data + 1, size > 0 ? size - 1 : 0 }, text;
	struct buf url = BUF(4 * KEY_URL_LEN), post = BUF(1 << 16);
	struct arena *a = arena_new(1 << 20);
	struct key_source k;
	struct json_doc *doc;
	struct err e = { 0 };
	const char *why = NULL;

	text = rule < RULES ? str_of(rules[rule].rule) : str_cut(&rest, '\0');
	if (size == 0 || (doc = json_read(text, "rule", &e)) == NULL)
		goto out;
	if (key_source_read(&k, doc, json_root(doc), a, &e) != 0) {
		if (rule < RULES || e.text[0] == '\0')
			abort();
	} else if (key_source_url(&k, params(), rest, &url, &why)) {
		if (rule < RULES)
			check_any(buf_str(&url));
		if (rule < RULES)
			check_named(buf_str(&url), rule);
		key_source_post(&k, params(), rest, STR("secret\""), &post);
	} else if (why == NULL)
		abort();
	json_close(doc);
out:
	buf_free(&url);
	buf_free(&post);
	arena_free(a);
	return 0;
}
