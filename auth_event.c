/*
 * auth_event.c - what of a request that was proven is stored: its id and type, the hash
 * of what was signed, headers without secrets.  See auth.h.
 */
#include <string.h>

#include "auth_parts.h"
#include "base/digest.h"
#include "base/utf8.h"

#define HEADERS_MAX	(1024 * 1024)	/* of one event, as JSON */
#define HIDDEN		"hidden"

static const struct signature *
held(const struct route *r, const struct verdict *v)
{
	if (v->alternative < 0)
		return NULL;
	return &r->provider->signatures[v->alternative];
}

/* An id or a type: a string or a number, neither empty nor too long. */
static struct str
source_text(const struct template *t, const struct route *r, struct request *q)
{
	struct scope scope = { .q = q, .params = r->params };
	const struct place *place = template_place(t);
	struct str value;
	enum json_kind kind;

	if (place != NULL) {
		if (place_get(place, q, &value, &kind) != PLACE_FOUND ||
		    (kind != JSON_STRING && kind != JSON_NUMBER))
			return STR_NONE;
	} else
		value = template_text(t, &scope);
	if (value.p == NULL || value.n == 0 || value.n > EVENT_ID_MAX)
		return STR_NONE;
	return value;
}

struct str
auth_event_id(const struct route *r, struct request *q, const struct verdict *v,
    bool *proven)
{
	const struct event_rule *ev = &r->provider->event;
	const struct signature *s = held(r, v);
	struct str second = STR_NONE;

	auth_enter(r, q);
	*proven = true;
	for (size_t i = 0; i < ev->nids; i++) {
		struct str id = source_text(&ev->ids[i], r, q);

		if (id.p == NULL)
			continue;
		if (s == NULL || signature_covers(s, &ev->ids[i]))
			return id;
		if (second.p == NULL)
			second = id;
	}
	*proven = second.p == NULL;
	return second;
}

struct str
auth_event_type(const struct route *r, struct request *q)
{
	const struct event_rule *ev = &r->provider->event;
	struct str type = STR_NONE;

	auth_enter(r, q);
	for (size_t i = 0; i < ev->ntypes && type.p == NULL; i++)
		type = source_text(&ev->types[i], r, q);
	return type;
}

/* The signed bytes of one group, or of each; false: there are none. */
static bool
add_signed(struct judge *j, const struct verdict *v, struct sha256 *h)
{
	struct str groups[GROUPS_MAX];
	struct look l;
	size_t n;

	auth_find_groups(j->s, j->q, groups, &n);
	for (size_t i = 0; i < n; i++) {
		if (j->s->each.n == 0 && (size_t)v->group != i)
			continue;
		if (auth_look_at(j, groups[i], &l).code != VERDICT_GENUINE)
			return false;
		for (size_t k = 0; k < l.npieces; k++)
			sha256_add(h, l.pieces[k]);
	}
	return n > 0;
}

bool
auth_digest(const struct route *r, struct request *q, const struct verdict *v,
    unsigned char digest[32])
{
	struct judge j = { .r = r, .alternative = (size_t)v->alternative,
	    .s = held(r, v), .q = q };
	struct sha256 *h;
	struct str list;
	size_t at = 0;
	bool all = true;

	if (j.s == NULL || !v->signed_bytes || (h = sha256_new()) == NULL)
		return false;
	if (j.s->each.n == 0) {
		all = add_signed(&j, v, h);
	} else {
		list = auth_items(j.s, q);
		while (all && json_next(list, &at, &q->item) != JSON_NONE)
			all = add_signed(&j, v, h);
		q->item = STR_NONE;
	}
	sha256_end(h, digest);
	return all;
}

/* --- what is stored ------------------------------------------------------------------- */

/*
 * The secret that stands there, by its name: in the value itself, or where the file's
 * steps lead from it.
 */
static struct str
secret_name(const struct route *r, size_t alternative, const struct place *place,
    struct request *q, struct str value)
{
	const struct signature *s = &r->provider->signatures[alternative];
	struct taken t;

	if (place->nsteps > 0 && place_get(place, q, &value, NULL) != PLACE_FOUND)
		return STR(HIDDEN);
	auth_take_apart(r, q, &s->form, value, &t);
	for (const struct key *k = r->keys != NULL ? r->keys[alternative] : NULL;
	    k != NULL; k = k->next)
		for (size_t i = 0; i < t.nsigs; i++)
			if (fixed_eq(&k->fixed, t.sigs[i]))
				return k->name;
	return STR(HIDDEN);
}

/* A header of a signature that has a number each: "x-sig-" and digits. */
static bool
is_numbered(const struct signature *s, struct str prefix, struct str name)
{
	uint64_t number;

	return s->form.numbered && str_starts(name, prefix) &&
	    str_to_u64(str_skip(name, prefix.n), &number);
}

/*
 * Does the file name it for a signature, or for what is inside of it?  For the secret
 * itself: *as is the alternative that does.  NULL: none.
 */
static const struct place *
place_named(const struct route *r, enum place_kind kind, struct str name,
    bool secret, size_t *as)
{
	for (size_t i = 0; i < r->provider->nsignatures; i++) {
		const struct signature *s = &r->provider->signatures[i];

		if (secret && s->algorithm->family != FAMILY_EQUAL)
			continue;
		*as = i;
		for (size_t j = 0; j < s->nplaces; j++)
			if (s->places[j].kind == kind &&
			    (str_eq(s->places[j].name, name) ||
			    is_numbered(s, s->places[j].name, name)))
				return &s->places[j];
	}
	return NULL;
}

/* The value of a header as it may be kept. */
static struct str
kept_value(const struct route *r, struct request *q, const struct header *h)
{
	const struct place *place;
	size_t as;

	if ((place = place_named(r, PLACE_HEADER, h->name, true, &as)) != NULL)
		return secret_name(r, as, place, q, h->value);
	/*
	 * Credentials for somebody else, the web server's own say: they are not
	 * needed to verify the event again.
	 */
	if ((str_eq(h->name, STR("authorization")) ||
	    str_eq(h->name, STR("proxy-authorization"))) &&
	    place_named(r, PLACE_HEADER, h->name, false, &as) == NULL)
		return STR(HIDDEN);
	return h->value;
}

static bool
is_utf8(struct str s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		const unsigned char *p = (const unsigned char *)s.p + i;

		n = p[0] < 0x80 ? 1 : utf8_length(p, s.n - i);
		if (n == 0)
			return false;
	}
	return true;
}

struct str
auth_stored_headers(const struct route *r, struct request *q)
{
	struct buf b = BUF(HEADERS_MAX);
	struct str out = STR_NONE;

	buf_putc(&b, '[');
	for (size_t i = 0; i < q->nheaders; i++) {
		struct str value = kept_value(r, q, &q->headers[i]);

		buf_put(&b, i > 0 ? STR(",[") : STR("["));
		buf_json(&b, q->headers[i].name);
		if (is_utf8(value)) {
			buf_putc(&b, ',');
			buf_json(&b, value);
		} else {
			buf_put(&b, STR(",{\"base64\":"));
			buf_json(&b, base64_encode(q->arena, value));
			buf_putc(&b, '}');
		}
		buf_putc(&b, ']');
	}
	buf_putc(&b, ']');
	if (buf_ok(&b))
		out = arena_str(q->arena, buf_str(&b));
	buf_free(&b);
	return out;
}

struct str
auth_stored_target(const struct route *r, struct request *q)
{
	struct str rest = q->query, out = q->path;
	char sep = '?';
	size_t as;
	bool any = false;

	for (size_t i = 0; i < r->provider->nsignatures; i++)
		any |= r->provider->signatures[i].algorithm->family ==
		    FAMILY_EQUAL &&
		    r->provider->signatures[i].places[0].kind == PLACE_QUERY;
	if (!any)
		return q->target;
	while (rest.p != NULL && out.p != NULL) {
		struct str pair = str_cut(&rest, '&'), value = pair;
		struct str name = str_cut(&value, '=');
		const struct place *place = place_named(r, PLACE_QUERY,
		    url_decode(q->arena, name, true), true, &as);

		if (place != NULL && value.p != NULL) {
			value = secret_name(r, as, place, q,
			    url_decode(q->arena, value, true));
			pair = arena_printf(q->arena, "%.*s=%.*s", STR_ARG(name),
			    STR_ARG(url_encode(q->arena, value)));
		}
		out = arena_printf(q->arena, "%.*s%c%.*s", STR_ARG(out), sep,
		    STR_ARG(pair));
		sep = '&';
	}
	return out;
}

bool
auth_event(const struct route *r, struct request *q, const struct verdict *v,
    enum auth_detail detail, struct event *ev)
{
	bool proven;

	ev->event_id = auth_event_id(r, q, v, &proven);
	ev->event_type = auth_event_type(r, q);
	ev->scheme = str_of(v->scheme);
	ev->secret = v->secret;
	ev->signed_at = v->signed_at;
	ev->proven = proven;
	ev->refuse_replay = r->hook->refuse_replay;
	ev->remember = r->provider->remember;
	ev->merge = ev->event_id.n > 0 ? 0 : r->provider->event.merge;
	ev->signed_bytes = false;
	if (detail == AUTH_NAMED)
		return !arena_full(q->arena);
	ev->headers = auth_stored_headers(r, q);
	ev->target = auth_stored_target(r, q);
	if (detail == AUTH_KEPT && ev->merge > 0) {
		/* A retry may be signed anew, at another time: the body decides. */
		digest_sha256(q->body, ev->digest);
		ev->signed_bytes = true;
	} else if (detail == AUTH_KEPT &&
	    ((ev->event_id.n > 0 && !proven) || ev->refuse_replay)) {
		ev->signed_bytes = auth_digest(r, q, v, ev->digest);
	}
	return ev->headers.p != NULL && ev->target.p != NULL &&
	    !arena_full(q->arena);
}
