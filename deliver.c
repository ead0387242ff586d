/*
 * deliver.c - see deliver.h.
 */
#include "base/codec.h"
#include "base/digest.h"
#include "deliver.h"
#include "provider_words.h"
#include "wire.h"

/* Of the request itself: what a token says is not what others will look for. */
static bool
place_fits(const struct place *p)
{
	return p->kind == PLACE_HEADER || p->kind == PLACE_QUERY ||
	    p->kind == PLACE_FIELD || p->kind == PLACE_BODY;
}

static int
read_conditions(const struct deliver *d, struct arena *a, struct rule *out,
    struct err *e)
{
	struct reader r = { .a = a, .e = e };
	int rc = -1;

	if ((r.doc = json_read(d->when, "\"when\"", e)) == NULL)
		return -1;
	if (word_filter(&r, json_root(r.doc), &out->when, &out->nwhen) == 0)
		rc = 0;
	for (size_t i = 0; rc == 0 && i < out->nwhen; i++)
		if (out->when[i].of == OF_PLACE && !place_fits(&out->when[i].place))
			rc = err_set(e, ERR_CONF, "\"when\" looks at the body, a "
			    "field, a header or the query");
	json_close(r.doc);
	return rc;
}

int
deliver_compile(const struct conf *c, const struct hook *h, struct arena *a,
    struct rule **out, size_t *n, struct err *e)
{
	struct rule *rules = arena_alloc(a, (h->ndeliver + 1) * sizeof(*rules));

	if (rules == NULL)
		return err_set(e, ERR_OS, "no memory for routes");
	for (size_t i = 0; i < h->ndeliver; i++) {
		const struct deliver *d = &h->deliver[i];
		const struct destination *to = conf_destination(c, d->to);
		struct rule *r = &rules[i];

		r->to = d->to;
		r->by_place = to->serialize_by.n > 0;
		r->keyed = r->by_place || to->one_at_a_time || to->latest_wins;
		r->latest = to->latest_wins;
		r->delay = (uint32_t)to->delay;
		r->mode = to->mode;
		if ((d->when.n > 0 && read_conditions(d, a, r, e) == -1) ||
		    (r->by_place && place_read(&r->by, to->serialize_by, a, e) != 0))
			return err_at(e, "\"deliver\" to \"%.*s\"", STR_ARG(d->to));
	}
	*out = rules;
	*n = h->ndeliver;
	return 0;
}

/* What is long counts by its digest; what is not there is a key of its own. */
static struct str
key_of(const struct rule *r, struct request *q)
{
	unsigned char digest[32];
	struct str value;

	if (!r->by_place || place_get(&r->by, q, &value, NULL) != PLACE_FOUND)
		return STR("");
	if (value.n <= FORWARD_KEY_MAX)
		return value;
	digest_sha256(value, digest);
	return arena_printf(q->arena, "sha256:%.*s", STR_ARG(hex_encode(q->arena,
	    (struct str){ (const char *)digest, sizeof(digest) }, false)));
}

bool
deliver_choose(const struct rule *rules, size_t n, struct request *q,
    struct str type, bool answers, struct str *out)
{
	struct buf b = BUF(64 * 1024);
	bool ok;

	*out = STR("");
	if (n == 0)
		return true;
	q->type = type;
	for (size_t i = 0; i < n; i++) {
		struct forward f = { .to = rules[i].to, .key = STR_NONE,
		    .latest = rules[i].latest, .delay = rules[i].delay,
		    .mode = rules[i].mode };

		if (f.mode == FORWARD_ANSWER && !answers)
			continue;
		if (conditions_fit(rules[i].when, rules[i].nwhen, q, false) != FITS)
			continue;
		if (rules[i].keyed && (f.key = key_of(&rules[i], q)).p == NULL)
			break;
		put_forward(&b, &f);
	}
	if (b.n > 0)
		*out = arena_str(q->arena, buf_str(&b));
	ok = buf_ok(&b) && out->p != NULL && !arena_full(q->arena);
	buf_free(&b);
	return ok;
}
