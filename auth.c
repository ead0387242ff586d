/*
 * auth.c - a request and a route in, a verdict out.  See auth.h.
 *
 * One alternative of a provider's "signature" is judged so: find the values that
 * may hold a signature, take them apart by the form, expand what is signed, and
 * ask the family whether any of the keys made any of the signatures.  All keys and
 * all signatures are tried, whatever the first ones say: the time it takes does not
 * tell which one matched.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "auth_key.h"
#include "auth_static.h"
#include "base/digest.h"
#include "base/utf8.h"

#define KEY_MAX		8192		/* bytes of a secret */
#define GROUPS_MAX	8		/* of one request */
#define HEADERS_MAX	(1024 * 1024)	/* of one event, as JSON */
#define HIDDEN		"hidden"

struct key {
	struct key	*next;
	struct str	 name;		/* "env:GITHUB_SECRET" */
	struct str	 bytes;		/* ours, wiped at the end */
	struct mac	*mac;
	struct pubkey	*pub;
	struct fixed	 fixed;
};

const char *
verdict_name(enum verdict_code code)
{
	static const char *const names[] = {
		[VERDICT_FORGED] = "forged", [VERDICT_ABSENT] = "absent",
		[VERDICT_STALE] = "stale", [VERDICT_DOUBLED] = "doubled",
		[VERDICT_GENUINE] = "genuine", [VERDICT_OPEN] = "open",
	};

	return names[code];
}

/* --- keys ---------------------------------------------------------------------- */

static bool
decode(enum encoding encoding, struct str text, void *out, size_t size, size_t *n)
{
	switch (encoding) {
	case ENCODING_HEX:
		return hex_decode(text, out, size, n);
	case ENCODING_BASE64:
		return base64_decode(text, out, size, n);
	case ENCODING_BASE64URL:
		return base64url_decode(text, out, size, n);
	case ENCODING_RAW:
	case ENCODING_AUTO:
		if (text.n > size)
			return false;
		if (text.n > 0)
			memcpy(out, text.p, text.n);
		*n = text.n;
		return true;
	}
	return false;
}

static struct str
stripped(const struct key_form *f, struct str text)
{
	for (size_t i = 0; i < f->nstrip; i++)
		if (str_starts(text, f->strip[i]))
			return str_skip(text, f->strip[i].n);
	return text;
}

/* A secret's text -> key bytes; false when it is not written as the file says. */
static bool
key_bytes(const struct key_form *f, struct str text, unsigned char *out, size_t *n)
{
	unsigned char digest[HASH_MAX];
	struct str piece;

	if (!decode(f->decode, stripped(f, text), out, KEY_MAX, n))
		return false;
	if (f->append.n > KEY_MAX - *n)
		return false;
	if (f->append.n > 0)
		memcpy(out + *n, f->append.p, f->append.n);
	*n += f->append.n;
	if (f->digested) {
		piece = (struct str){ (const char *)out, *n };
		if (!hash_pieces(f->digest, &piece, 1, digest))
			return false;
		*n = hash_size(f->digest);
		memcpy(out, digest, *n);
		OPENSSL_cleanse(digest, sizeof(digest));
	}
	return *n > 0;
}

static struct key *
key_new(const struct signature *s, struct str name, struct str text,
    struct err *e)
{
	const struct algorithm *alg = s->algorithm;
	unsigned char bytes[KEY_MAX];
	struct key *k = calloc(1, sizeof(*k));
	char *copy = NULL;
	size_t n = 0;

	if (k == NULL)
		goto memory;
	k->name = name;
	if (alg->family == FAMILY_KEY) {
		k->pub = pubkey_new((enum key_kind)alg->key_kind,
		    stripped(&s->key, text), e);
		if (k->pub != NULL)
			return k;
		goto fail;
	}
	if (!key_bytes(&s->key, text, bytes, &n)) {
		err_set(e, ERR_CONF, "it is %s", text.n == 0 ? "empty" :
		    "not written as this provider's secrets are");
		goto fail;
	}
	if ((copy = malloc(n + 1)) == NULL)
		goto memory;
	memcpy(copy, bytes, n);
	k->bytes = (struct str){ copy, n };
	if (alg->family == FAMILY_EQUAL)
		k->fixed = fixed_of(k->bytes);
	if (alg->family == FAMILY_MAC &&
	    (k->mac = mac_new(alg->hash, k->bytes)) == NULL)
		goto memory;
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return k;
memory:
	err_set(e, ERR_OS, "no memory for a key");
fail:
	OPENSSL_cleanse(bytes, sizeof(bytes));
	auth_keys_free(k);
	return NULL;
}

void
auth_keys_free(struct key *k)
{
	while (k != NULL) {
		struct key *next = k->next;

		mac_free(k->mac);
		pubkey_free(k->pub);
		if (k->bytes.p != NULL) {
			OPENSSL_cleanse((void *)(uintptr_t)k->bytes.p, k->bytes.n);
			free((void *)(uintptr_t)k->bytes.p);
		}
		OPENSSL_cleanse(k, sizeof(*k));
		free(k);
		k = next;
	}
}

struct key *
auth_keys(const struct provider *p, size_t alternative, const struct str *names,
    const struct str *texts, size_t n, const struct str params[PARAM_COUNT],
    struct err *e)
{
	const struct signature *s = &p->signatures[alternative];
	struct key *first = NULL, **end = &first;

	/*
	 * A public key never comes from "secret" and a shared secret never from
	 * "public_key": who could swap the two would have everybody sign with what
	 * everybody knows.
	 */
	if (s->algorithm->family == FAMILY_KEY) {
		if (params[PARAM_PUBLIC_KEY].n == 0) {
			err_set(e, ERR_CONF, "there is no \"public_key\"");
			return NULL;
		}
		return key_new(s, STR("public_key"), params[PARAM_PUBLIC_KEY], e);
	}
	for (size_t i = 0; i < n; i++)
		if ((*end = key_new(s, names[i], texts[i], e)) != NULL)
			end = &(*end)->next;
	return first;
}

struct str
auth_key_bytes(const struct key *k)
{
	return k != NULL ? k->bytes : STR_NONE;
}

struct str
auth_first_key(const struct route *r)
{
	for (size_t i = 0; r->keys != NULL && i < r->provider->nsignatures; i++)
		if (r->keys[i] != NULL && r->keys[i]->bytes.n > 0)
			return r->keys[i]->bytes;
	return STR_NONE;
}

/* --- the form ------------------------------------------------------------------- */

/* What one group of items gave. */
struct taken {
	struct str	 sigs[SIGNATURES_MAX];	/* decoded */
	size_t		 nsigs;
	bool		 empty;			/* a signature of no bytes */
	bool		 doubled;		/* a name, or too many signatures */
	bool		 others;		/* a signature for somebody else */
	struct str	 captures[CAPTURES_MAX];
};

/* Where the value of a part ends: at the text that follows it. */
static size_t
value_length(const struct form_item *item, size_t part, struct str s)
{
	struct str text;

	if (part + 1 == item->nparts)
		return s.n;
	text = item->parts[part + 1].text;
	for (size_t i = 0; i + text.n <= s.n; i++)
		if (str_starts_nocase(str_skip(s, i), text))
			return i;
	return s.n + 1;			/* nowhere */
}

/* Does the text fit the item?  If so its values stand in values[part]. */
static bool
item_fits(const struct form_item *item, struct str s, struct str *values)
{
	for (size_t i = 0; i < item->nparts; i++) {
		const struct form_part *p = &item->parts[i];
		size_t n;

		if (p->kind == PART_TEXT) {
			if (!str_starts_nocase(s, p->text))
				return false;
			s = str_skip(s, p->text.n);
			continue;
		}
		if ((n = value_length(item, i, s)) > s.n)
			return false;
		values[i] = str_head(s, n);
		s = str_skip(s, n);
	}
	return s.n == 0;
}

static void
take_sig(struct taken *t, enum encoding encoding, struct str text,
    struct arena *a)
{
	size_t room = encoding == ENCODING_RAW ? 0 : BASE64_ROOM(text.n), n;
	char *out;

	if (text.n == 0) {
		t->empty = true;
		return;
	}
	if (t->nsigs == SIGNATURES_MAX) {
		t->doubled = true;
		return;
	}
	if (encoding == ENCODING_RAW) {
		t->sigs[t->nsigs++] = text;
		return;
	}
	/* What is not written as it should be can match nothing. */
	if ((out = arena_bytes(a, room)) != NULL &&
	    decode(encoding, text, out, room, &n))
		t->sigs[t->nsigs++] = (struct str){ out, n };
}

/* A name that is a parameter of the hook must be what the hook says. */
static bool
is_ours(const struct route *r, const struct form_item *item,
    const struct str *values)
{
	for (size_t i = 0; i < item->nparts; i++)
		if (item->parts[i].kind == PART_PARAM && !fixed_eq_text(
		    r->params[item->parts[i].index], values[i]))
			return false;
	return true;
}

static void
take_item(const struct route *r, struct request *q, const struct form_item *item,
    const struct str *values, struct taken *t)
{
	if (!is_ours(r, item, values)) {
		t->others = true;
		return;
	}
	for (size_t i = 0; i < item->nparts; i++) {
		const struct form_part *p = &item->parts[i];

		switch (p->kind) {
		case PART_TEXT:
		case PART_PARAM:
			break;
		case PART_SIG:
			take_sig(t, p->encoding, values[i], q->arena);
			break;
		case PART_CAPTURE:
			if (t->captures[p->index].p != NULL)
				t->doubled = true;
			if (values[i].n > 0)
				t->captures[p->index] = values[i];
			break;
		}
	}
}

#define PARTS_MAX	32

static void
take_one(const struct route *r, struct request *q, const struct form *f,
    struct str text, size_t position, struct taken *t)
{
	struct str values[PARTS_MAX];
	const struct form_item *item;

	for (size_t i = 0; i <= f->nitems; i++) {
		/* Items with text of their own first, then by position. */
		item = &f->items[i < f->nitems ? i :
		    position < f->nitems ? position : f->nitems - 1];
		if (item->positional == (i < f->nitems) ||
		    item->nparts > PARTS_MAX || !item_fits(item, text, values))
			continue;
		take_item(r, q, item, values, t);
		return;
	}
}

/* One group: "t=1,v1=ab,v1=cd" -> its names and signatures. */
static void
take_apart(const struct route *r, struct request *q, const struct form *f,
    struct str text, struct taken *t)
{
	struct str rest = text;

	*t = (struct taken){ .nsigs = 0 };
	if (f->list == 0) {
		take_one(r, q, f, text, 0, t);
		return;
	}
	for (size_t i = 0; rest.p != NULL; i++) {
		struct str item = str_cut(&rest, f->list);

		take_one(r, q, f, str_trim(item), i, t);
	}
}

/* --- one alternative --------------------------------------------------------------- */

/* Refusals that say no more than that nothing was there to be judged. */
static const char no_signature[] = "no signature";

static struct verdict
refuse(enum verdict_code code, const char *reason)
{
	return (struct verdict){ .code = code, .reason = reason,
	    .secret = STR(""), .alternative = -1 };
}

/* Which of two refusals tells more. */
static bool
tells_more(struct verdict a, struct verdict b)
{
	static const int weight[] = {
		[VERDICT_ABSENT] = 0, [VERDICT_FORGED] = 1, [VERDICT_STALE] = 2,
		[VERDICT_DOUBLED] = 3,
	};

	if (a.code == b.code)
		return b.reason == no_signature;
	return weight[a.code] > weight[b.code];
}

/*
 * Does any key fit any signature?  The key that does, or NULL.  Every key is tried
 * with every signature; the one that is remembered is the last that fits.
 */
static const struct key *
matching_key(const struct signature *s, const struct key *keys,
    const struct scope *scope, const struct str *pieces,
    const struct taken *t)
{
	const struct key *match = NULL;
	unsigned char out[HASH_MAX];
	struct str right = { (const char *)out, hash_size(s->algorithm->hash) };
	struct str own[64];

	for (const struct key *k = keys; k != NULL; k = k->next) {
		bool fits = false, made = true;

		if (s->algorithm->family == FAMILY_MAC)
			made = mac_pieces(k->mac, pieces, s->signs.n, out);
		if (s->algorithm->family == FAMILY_HASH) {
			struct scope with = *scope;

			with.secret = k->bytes;
			made = s->signs.n <= 64 &&
			    template_pieces(&s->signs, &with, own, NULL) &&
			    hash_pieces(s->algorithm->hash, own, s->signs.n, out);
		}
		for (size_t i = 0; made && i < t->nsigs; i++)
			switch (s->algorithm->family) {
			case FAMILY_MAC:
			case FAMILY_HASH:
				fits |= t->sigs[i].n == right.n &&
				    str_eq_secret(right, t->sigs[i]);
				break;
			case FAMILY_EQUAL:
				fits |= fixed_eq(&k->fixed, t->sigs[i]);
				break;
			case FAMILY_KEY:
				fits |= pubkey_fits(k->pub, pieces, s->signs.n,
				    t->sigs[i]);
				break;
			}
		match = fits ? k : match;
	}
	OPENSSL_cleanse(out, sizeof(out));
	return match;
}

static bool
also_holds(const struct signature *s, const struct scope *scope)
{
	for (size_t i = 0; i < s->nalso; i++) {
		struct str value, wanted;

		if (place_get(&s->also[i].place, scope->q, &value,
		    NULL) != PLACE_FOUND)
			return false;
		wanted = template_text(&s->also[i].equals, scope);
		if (wanted.p == NULL || !fixed_eq_text(wanted, value))
			return false;
	}
	return true;
}

static struct verdict
judge_time(const struct route *r, const struct signature *s, struct str text,
    int64_t now, struct verdict v)
{
	int64_t window = r->window >= 0 ? r->window : s->time.window, ms;

	if (!s->time.set)
		return v;
	if (text.p != NULL && when_parse(text, s->time.unit, &ms))
		v.signed_at = s->time_signed ? ms : 0;
	else if (s->time_signed && window > 0)
		return refuse(VERDICT_STALE, "the time cannot be read");
	else
		return v;
	if (s->time_signed && window > 0) {
		/* ms is any 64-bit number: no subtraction that could overflow. */
		if (ms < now && (uint64_t)now - (uint64_t)ms > (uint64_t)window)
			return refuse(VERDICT_STALE, "signed too long ago");
		if (ms > now && (uint64_t)ms - (uint64_t)now > (uint64_t)window)
			return refuse(VERDICT_STALE, "signed in the future");
	}
	return v;
}

/* One value of the place, or one group of a value. */
static struct verdict
judge_group(const struct route *r, size_t alternative, struct request *q,
    struct str text, int64_t now, size_t *tries)
{
	const struct signature *s = &r->provider->signatures[alternative];
	const struct key *match;
	struct scope scope = { .q = q, .params = r->params };
	struct taken t;
	struct str pieces[64];

	take_apart(r, q, &s->form, text, &t);
	if (t.doubled)
		return refuse(VERDICT_DOUBLED, "a part of the signature came twice");
	if (t.nsigs == 0 && t.others)
		return refuse(VERDICT_FORGED, "signed for somebody else");
	if (t.nsigs == 0)
		return t.empty ? refuse(VERDICT_ABSENT, no_signature) :
		    refuse(VERDICT_FORGED, "no signature of this scheme");
	/* Of all groups together: each may cost a public key's arithmetic. */
	if (t.nsigs > *tries)
		return refuse(VERDICT_DOUBLED, "too many signatures");
	*tries -= t.nsigs;
	scope.captures = t.captures;
	if (s->form.time != -1)
		scope.time = t.captures[s->form.time];
	if (s->time.set && !s->time.captured &&
	    place_get(&s->time.place, q, &scope.time, NULL) == PLACE_DOUBLED)
		return refuse(VERDICT_DOUBLED, "the time came twice");
	if (!also_holds(s, &scope))
		return refuse(VERDICT_FORGED, "something else that must hold does not");
	/* A plain hash has the secret among its pieces: each key's own, later. */
	if (s->algorithm->family == FAMILY_HASH)
		scope.secret = STR("");
	if (s->signs.n > 64 ||
	    !template_pieces(&s->signs, &scope, pieces, NULL))
		return refuse(VERDICT_ABSENT, "something that is signed is not there");
	match = matching_key(s, r->keys[alternative], &scope, pieces, &t);
	if (match == NULL)
		return refuse(VERDICT_FORGED, "no secret matched");
	return judge_time(r, s, scope.time, now, (struct verdict){
	    .code = VERDICT_GENUINE, .reason = "genuine",
	    .scheme = s->algorithm->name, .secret = match->name,
	    .alternative = (int)alternative,
	    .signed_bytes = s->algorithm->family != FAMILY_EQUAL });
}

/*
 * Web servers join a header that came several times with ", ".  Unless the form
 * itself has that, such a value is two headers.
 */
static bool
looks_joined(const struct signature *s, struct str value)
{
	if (s->places[0].kind != PLACE_HEADER || s->form.comma_space ||
	    s->algorithm->family == FAMILY_EQUAL)
		return false;
	for (size_t i = 0; i + 1 < value.n; i++)
		if (value.p[i] == ',' && value.p[i + 1] == ' ')
			return true;
	return false;
}

static bool
take_value(const struct signature *s, struct str value, struct str *groups,
    size_t *n)
{
	char sep = s->form.groups != 0 ? s->form.groups :
	    s->repeats && s->form.list != ',' ? ',' : 0;
	struct str rest = value;

	while (rest.p != NULL) {
		struct str one = sep != 0 ? str_cut(&rest, sep) : rest;

		if (sep == 0)
			rest = STR_NONE;
		one = str_trim(one);
		if (one.n == 0)
			continue;
		if (*n == GROUPS_MAX)
			return false;
		groups[(*n)++] = one;
	}
	return true;
}

/* The values that may hold the signature, as groups to be judged one by one. */
static struct verdict
find_groups(const struct signature *s, struct request *q, struct str *groups,
    size_t *n)
{
	const struct verdict doubled = refuse(VERDICT_DOUBLED,
	    "the signature came twice");

	*n = 0;
	for (size_t i = 0; i < s->nplaces && *n == 0; i++) {
		struct str value;
		enum place_found found = place_get(&s->places[i], q, &value, NULL);

		if (found == PLACE_DOUBLED && !s->repeats)
			return doubled;
		if (found == PLACE_DOUBLED) {
			for (size_t j = 0; (value = request_header_nth(q,
			    s->places[i].name, j)).p != NULL; j++)
				if (!take_value(s, value, groups, n))
					return doubled;
		} else if (found == PLACE_FOUND) {
			if (!s->repeats && looks_joined(s, value))
				return doubled;
			if (!take_value(s, value, groups, n))
				return doubled;
		}
	}
	if (*n == 0)
		return refuse(VERDICT_ABSENT, no_signature);
	return refuse(VERDICT_FORGED, "not judged yet");
}

static struct verdict
judge(const struct route *r, size_t alternative, struct request *q, int64_t now)
{
	const struct signature *s = &r->provider->signatures[alternative];
	struct str groups[GROUPS_MAX];
	struct verdict v, worst;
	size_t n, tries = SIGNATURES_MAX;

	if (s->kinds != 0 && s->kinds != BODY_ANY &&
	    (s->kinds & request_body_kind(q)) == 0)
		return refuse(VERDICT_ABSENT, no_signature);
	worst = find_groups(s, q, groups, &n);
	if (worst.code != VERDICT_FORGED)
		return worst;
	if (r->keys[alternative] == NULL)
		return refuse(VERDICT_FORGED, "no key for this scheme");
	for (size_t i = 0; i < n; i++) {
		v = judge_group(r, alternative, q, groups[i], now, &tries);
		v.group = (int)i;
		if (v.code == VERDICT_GENUINE)
			return v;
		if (i == 0 || tells_more(v, worst))
			worst = v;
	}
	return worst;
}

struct verdict
auth_verify(const struct route *r, struct request *q, int64_t now)
{
	struct verdict v, best = refuse(VERDICT_ABSENT, no_signature);

	if (q->json_state == 0)
		q->json = r->json;
	if (r->hook->auth == AUTH_NONE)
		return (struct verdict){ .code = VERDICT_OPEN, .reason = "open",
		    .scheme = "none", .secret = STR(""), .alternative = -1 };
	for (size_t i = 0; i < r->provider->nsignatures; i++) {
		v = judge(r, i, q, now);
		/* A doubled signature is refused whatever else is there. */
		if (v.code == VERDICT_GENUINE || v.code == VERDICT_DOUBLED) {
			best = v;
			break;
		}
		if (tells_more(v, best))
			best = v;
	}
	if (best.scheme == NULL)
		best.scheme = r->provider->nsignatures > 0 ?
		    r->provider->signatures[0].algorithm->name : "none";
	return best;
}

/* --- the event ------------------------------------------------------------------------ */

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
	struct str value;
	enum json_kind kind;

	if (t->n == 1 && t->pieces[0].op == PIECE_PLACE &&
	    t->pieces[0].function == NULL) {
		if (place_get(&t->pieces[0].place, q, &value, &kind) !=
		    PLACE_FOUND ||
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

	if (q->json_state == 0)
		q->json = r->json;
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

	if (q->json_state == 0)
		q->json = r->json;
	for (size_t i = 0; i < ev->ntypes && type.p == NULL; i++)
		type = source_text(&ev->types[i], r, q);
	return type;
}

bool
auth_digest(const struct route *r, struct request *q, const struct verdict *v,
    unsigned char digest[32])
{
	const struct signature *s = held(r, v);
	struct scope scope = { .q = q, .params = r->params, .secret = STR("") };
	struct str groups[GROUPS_MAX], pieces[64];
	struct sha256 *h;
	struct taken t;
	size_t n;

	if (s == NULL || !v->signed_bytes || s->signs.n > 64)
		return false;
	find_groups(s, q, groups, &n);
	if ((size_t)v->group >= n)
		return false;
	take_apart(r, q, &s->form, groups[v->group], &t);
	scope.captures = t.captures;
	if (s->form.time != -1)
		scope.time = t.captures[s->form.time];
	if (s->time.set && !s->time.captured)
		place_get(&s->time.place, q, &scope.time, NULL);
	if (!template_pieces(&s->signs, &scope, pieces, NULL) ||
	    (h = sha256_new()) == NULL)
		return false;
	for (size_t i = 0; i < s->signs.n; i++)
		sha256_add(h, pieces[i]);
	sha256_end(h, digest);
	return true;
}

/* --- what is stored ------------------------------------------------------------------- */

/* The secret that a value in the place of a secret is, by its name. */
static struct str
secret_name(const struct route *r, size_t alternative, struct request *q,
    struct str value)
{
	const struct signature *s = &r->provider->signatures[alternative];
	struct taken t;

	take_apart(r, q, &s->form, value, &t);
	for (const struct key *k = r->keys != NULL ? r->keys[alternative] : NULL;
	    k != NULL; k = k->next)
		for (size_t i = 0; i < t.nsigs; i++)
			if (fixed_eq(&k->fixed, t.sigs[i]))
				return k->name;
	return STR(HIDDEN);
}

/*
 * Does the file name that place for a signature?  For the secret itself: *as is
 * the alternative that does.
 */
static bool
place_named(const struct route *r, const struct place *place, bool secret,
    size_t *as)
{
	for (size_t i = 0; i < r->provider->nsignatures; i++) {
		const struct signature *s = &r->provider->signatures[i];

		if (secret && s->algorithm->family != FAMILY_EQUAL)
			continue;
		for (size_t j = 0; j < s->nplaces; j++)
			if (place_eq(&s->places[j], place)) {
				*as = i;
				return true;
			}
	}
	return false;
}

/* The value of a header as it may be kept. */
static struct str
kept_value(const struct route *r, struct request *q, const struct header *h)
{
	const struct place place = { .kind = PLACE_HEADER, .name = h->name };
	size_t as;

	if (place_named(r, &place, true, &as))
		return secret_name(r, as, q, h->value);
	/*
	 * Credentials for somebody else, the web server's own say: they are not
	 * needed to verify the event again.
	 */
	if ((str_eq(h->name, STR("authorization")) ||
	    str_eq(h->name, STR("proxy-authorization"))) &&
	    !place_named(r, &place, false, &as))
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
		struct place place = { .kind = PLACE_QUERY,
		    .name = url_decode(q->arena, name, true) };

		if (place_named(r, &place, true, &as) && value.p != NULL) {
			value = secret_name(r, as, q,
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
    struct event *ev)
{
	bool proven;

	ev->event_id = auth_event_id(r, q, v, &proven);
	ev->event_type = auth_event_type(r, q);
	ev->headers = auth_stored_headers(r, q);
	ev->target = auth_stored_target(r, q);
	ev->scheme = str_of(v->scheme);
	ev->secret = v->secret;
	ev->signed_at = v->signed_at;
	ev->proven = proven;
	ev->refuse_replay = r->hook->refuse_replay;
	ev->remember = r->provider->remember;
	ev->merge = ev->event_id.n > 0 ? 0 : r->provider->event.merge;
	ev->signed_bytes = false;
	if ((ev->event_id.n > 0 && !proven) || ev->refuse_replay)
		ev->signed_bytes = auth_digest(r, q, v, ev->digest);
	if (ev->merge > 0) {
		/* A retry may be signed anew, at another time: the body decides. */
		digest_sha256(q->body, ev->digest);
		ev->signed_bytes = true;
	}
	return ev->headers.p != NULL && ev->target.p != NULL;
}
