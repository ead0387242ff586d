/* oauth1.c - see oauth1.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/codec.h"
#include "../base/digest.h"
#include "oauth1.h"

#define OURS	7			/* oauth_... */
#define BASE_MAX (2 << 20)

/* What goes into the header, and with that into what is signed. */
static size_t
ours(const struct oauth1 *o, struct arena *a, struct pair *p)
{
	size_t n = 0;

	p[n++] = (struct pair){ STR("oauth_consumer_key"), o->consumer_key };
	p[n++] = (struct pair){ STR("oauth_nonce"), o->nonce };
	p[n++] = (struct pair){ STR("oauth_signature_method"), STR("HMAC-SHA1") };
	p[n++] = (struct pair){ STR("oauth_timestamp"),
	    arena_printf(a, "%" PRId64, o->seconds) };
	p[n++] = (struct pair){ STR("oauth_token"), o->token };
	if (o->version)
		p[n++] = (struct pair){ STR("oauth_version"), STR("1.0") };
	return n;
}

/* By the bytes of what is encoded, first of names, then of values (3.4.1.3.2). */
static int
pair_cmp(const void *x, const void *y)
{
	const struct pair *a = x, *b = y;
	int r = str_cmp(a->name, b->name);

	return r != 0 ? r : str_cmp(a->value, b->value);
}

/* 3.4.1.3: all parameters, encoded, sorted, and as one text. */
static struct str
parameters(const struct oauth1 *o, struct str query, struct arena *a)
{
	struct pair *all = arena_alloc(a, (2 * OAUTH1_PARAMS + OURS) * sizeof(*all));
	const struct str from[] = { query, o->form };
	struct buf out = BUF(BASE_MAX);
	struct str text;
	size_t n;

	if (all == NULL)
		return STR_NONE;
	n = ours(o, a, all);
	for (size_t i = 0; i < 2; i++) {
		struct pair *some;
		size_t more;

		if (from[i].n == 0)
			continue;
		if (form_parse(a, from[i], OAUTH1_PARAMS, &some, &more) == -1)
			return STR_NONE;
		memcpy(all + n, some, more * sizeof(*some));
		n += more;
	}
	for (size_t i = 0; i < n; i++) {
		all[i].name = url_encode(a, all[i].name);
		all[i].value = url_encode(a, all[i].value);
	}
	qsort(all, n, sizeof(*all), pair_cmp);
	for (size_t i = 0; i < n; i++) {
		buf_put(&out, i == 0 ? STR("") : STR("&"));
		buf_put(&out, all[i].name);
		buf_putc(&out, '=');
		buf_put(&out, all[i].value);
	}
	text = buf_ok(&out) && !arena_full(a) ? arena_str(a, buf_str(&out)) : STR_NONE;
	buf_free(&out);
	return text;
}

/* 3.4.1.2: scheme and host in lower case, without a port that goes without saying. */
static struct str
base_url(struct str url, struct arena *a)
{
	bool tls = str_starts_nocase(url, STR("https://"));
	struct str rest = str_skip(url, tls ? strlen("https://") : strlen("http://"));
	size_t n = 0;
	struct str host, path;
	char *p;

	while (n < rest.n && rest.p[n] != '/')
		n++;
	host = str_head(rest, n);
	path = str_skip(rest, n);
	if (str_ends(host, tls ? STR(":443") : STR(":80")))
		host.n -= tls ? 4 : 3;
	if (path.n == 0)
		path = STR("/");
	host = arena_str(a, host);
	if ((p = (char *)(uintptr_t)host.p) == NULL)
		return STR_NONE;
	for (size_t i = 0; i < host.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] += 'a' - 'A';
	return arena_join(a, (struct str []){ tls ? STR("https://") : STR("http://"), host,
	    path }, 3);
}

struct str
oauth1_base(const struct oauth1 *o, struct arena *a)
{
	struct str query = o->url, url = base_url(str_cut(&query, '?'), a);
	struct str all = parameters(o, query, a);

	if (url.p == NULL || all.p == NULL)
		return STR_NONE;
	url = url_encode(a, url);
	all = url_encode(a, all);
	return url.p == NULL || all.p == NULL ? STR_NONE : arena_join(a,
	    (struct str []){ o->method, STR("&"), url, STR("&"), all }, 5);
}

static struct str
signature(const struct oauth1 *o, struct arena *a)
{
	struct str base = oauth1_base(o, a), key, one = url_encode(a,
	    o->consumer_secret), two = url_encode(a, o->token_secret);
	unsigned char mac[20];

	if (base.p == NULL || one.p == NULL || two.p == NULL)
		return STR_NONE;
	key = arena_join(a, (struct str []){ one, STR("&"), two }, 3);
	if (key.p == NULL || !digest_hmac_sha1(key, base, mac))
		return STR_NONE;
	return base64_encode(a, (struct str){ (char *)mac, sizeof(mac) });
}

struct str
oauth1_header(const struct oauth1 *o, struct arena *a)
{
	struct pair p[OURS];
	struct buf out = BUF(16 * 1024);
	size_t n = ours(o, a, p);
	struct str text;

	p[n++] = (struct pair){ STR("oauth_signature"), signature(o, a) };
	if (p[n - 1].value.p == NULL)
		return STR_NONE;
	buf_put(&out, STR("OAuth "));
	for (size_t i = 0; i < n; i++) {
		buf_put(&out, i == 0 ? STR("") : STR(", "));
		buf_put(&out, p[i].name);
		buf_put(&out, STR("=\""));
		buf_put(&out, url_encode(a, p[i].value));
		buf_putc(&out, '"');
	}
	text = buf_ok(&out) && !arena_full(a) ? arena_str(a, buf_str(&out)) : STR_NONE;
	buf_free(&out);
	return text;
}
