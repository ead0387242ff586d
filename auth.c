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

#include "auth_cert.h"
#include "auth_parts.h"
#include "keyring.h"

#define TRIES_MAX	SIGNATURES_MAX	/* of one request */

/*
 * When what is known of keys is worth asking for again: a token names a key that is
 * not among them, a captured secret does not fit.  A stranger can make us ask so
 * often, and no more.
 */
#define AGAIN_KEY	(30 * KEY_SECOND)
#define AGAIN_SECRET	(KEY_SECOND / 10)

const char *
verdict_name(enum verdict_code code)
{
	static const char *const names[] = {
		[VERDICT_FORGED] = "forged", [VERDICT_ABSENT] = "absent",
		[VERDICT_STALE] = "stale", [VERDICT_DOUBLED] = "doubled",
		[VERDICT_GENUINE] = "genuine", [VERDICT_OPEN] = "open",
		[VERDICT_WANTS_KEY] = "wants-key",
	};

	return names[code];
}

void
auth_enter(const struct route *r, struct request *q)
{
	if (q->json_state == 0)
		q->json = r->json;
	q->key = auth_first_key(r);
}

struct scope
auth_scope(const struct route *r, struct request *q)
{
	return (struct scope){ .q = q, .params = r->params,
	    .key = auth_first_key(r), .secret = auth_first_key(r) };
}

/* Which of two refusals tells more. */
static bool
tells_more(struct verdict a, struct verdict b)
{
	static const int weight[] = {
		[VERDICT_ABSENT] = 0, [VERDICT_FORGED] = 1, [VERDICT_STALE] = 2,
		[VERDICT_WANTS_KEY] = 3, [VERDICT_DOUBLED] = 4,
	};

	if (a.code == b.code)
		return b.reason == auth_no_signature || (b.not_ours && !a.not_ours);
	return weight[a.code] > weight[b.code];
}

/* --- whose key ------------------------------------------------------------------------ */

/* Lists of keys that are tried together. */
#define LISTS_MAX	(1 + ROUTE_CAPTURED_MAX)

struct rings {
	const struct key *lists[LISTS_MAX];
	size_t		 n;
	struct key	*own;		/* of the token itself: ours to free */
	struct want	 again;		/* worth asking once more when none fits */
	bool		 may_ask;
};

static struct verdict
wants(struct want w)
{
	struct verdict v = auth_refuse(VERDICT_WANTS_KEY, "the key is asked for");

	v.want = w;
	return v;
}

/* A certificate in the token, up to a root that the file names. */
static struct verdict
key_of_token(struct judge *j, const struct look *l, struct rings *out)
{
	struct str certs[JWS_CERTS_MAX];
	size_t n = jws_certs(&l->jws, j->q->arena, certs);
	struct pubkey *pub;
	int64_t until;
	struct err e;

	pub = cert_key(certs, n, &j->s->cert, j->now, &until, &e);
	out->own = auth_key_of(STR("certificate"), pub, STR_NONE, &e);
	if (out->own == NULL)
		return auth_refuse(VERDICT_FORGED, "the token's certificate does not hold");
	out->lists[out->n++] = out->own;
	return auth_refuse(VERDICT_GENUINE, "a key");
}

static bool
has_kid(const struct key *k, struct str kid)
{
	for (; k != NULL; k = k->next)
		if (k->kid.p == NULL || str_eq(k->kid, kid))
			return true;
	return false;
}

static struct verdict
key_fetched(struct judge *j, const struct look *l, struct rings *out)
{
	const struct signature *s = j->s;
	struct str kid = s->algorithm->jose != NULL ? l->jws.kid : STR_NONE;
	struct buf url = BUF(4 * KEY_URL_LEN);
	struct want w = { .alternative = (int)j->alternative, .name = kid };
	struct ring_entry known;
	const char *why = NULL;

	if (s->key_name.n > 0)
		w.name = template_text(&s->key_name, &l->scope);
	if (key_source_named(&s->keys) && w.name.n == 0)
		return auth_refuse(VERDICT_FORGED, "the request does not say which key");
	if (!key_source_named(&s->keys))
		w.name = STR("");
	/* What comes is made a key by this hook's file, which is not another's. */
	if (key_source_url(&s->keys, j->r->params, w.name, &url, &why))
		w.id = arena_printf(j->q->arena, "%.*s\n%.*s\n%.*s\n%zu",
		    STR_ARG(buf_str(&url)), STR_ARG(w.name),
		    STR_ARG(j->r->hook->path), j->alternative);
	buf_free(&url);
	if (why != NULL && w.id.p == NULL)
		return auth_refuse(VERDICT_FORGED, why);
	if (w.id.p == NULL || !keyring_get(j->ring, w.id, j->now, &known))
		return wants(w);
	if (known.keys == NULL)
		return auth_refuse(VERDICT_FORGED, "the key is not to be had");
	/* A new key of theirs, or a name that somebody made up. */
	if (kid.n > 0 && !has_kid(known.keys, kid)) {
		w.again = true;
		return j->now - known.came_at >= AGAIN_KEY ? wants(w) :
		    auth_refuse(VERDICT_FORGED, "the token's key is none of the "
		    "provider's");
	}
	out->lists[out->n++] = known.keys;
	return auth_refuse(VERDICT_GENUINE, "a key");
}

/* Secrets that a handshake brought, or will bring. */
static struct verdict
keys_captured(struct judge *j, struct rings *out)
{
	struct ring_entry known;

	for (size_t i = 0; i < j->r->ncaptured; i++) {
		struct want w = { .alternative = (int)j->alternative,
		    .captured = true, .name = j->r->captured[i],
		    .id = arena_printf(j->q->arena, "captured:%.*s\n%.*s\n%zu",
		    STR_ARG(j->r->captured[i]), STR_ARG(j->r->hook->path),
		    j->alternative) };

		if (!keyring_get(j->ring, w.id, j->now, &known)) {
			if (out->n == 0)
				return wants(w);
			/* Those that are here may do. */
			out->may_ask = true;
			out->again = w;
			continue;
		}
		if (known.keys != NULL && out->n < LISTS_MAX)
			out->lists[out->n++] = known.keys;
		if (j->now - known.came_at >= AGAIN_SECRET) {
			w.again = out->may_ask = true;
			out->again = w;
		}
	}
	return auth_refuse(VERDICT_GENUINE, "keys");
}

static struct verdict
find_keys(struct judge *j, const struct look *l, struct rings *out)
{
	const struct key *own = j->r->keys[j->alternative];

	*out = (struct rings){ .n = 0 };
	if (own != NULL)
		out->lists[out->n++] = own;
	if (j->r->ncaptured > 0 && j->s->algorithm->family != FAMILY_KEY)
		return keys_captured(j, out);
	if (own != NULL)
		return auth_refuse(VERDICT_GENUINE, "keys");
	if (j->s->from_token)
		return key_of_token(j, l, out);
	if (j->s->fetches)
		return key_fetched(j, l, out);
	return auth_refuse(VERDICT_FORGED, "no key for this scheme");
}

/* --- does it fit? ------------------------------------------------------------------------ */

/* Does the key fit any of the signatures? */
static bool
key_fits(const struct judge *j, const struct look *l, const struct key *k)
{
	const struct signature *s = j->s;
	unsigned char out[HASH_MAX];
	struct str right = { (const char *)out, hash_size(s->algorithm->hash) };
	struct str own[PIECES_MAX];
	struct scope with = l->scope;
	bool fits = false, made = true;

	if (s->algorithm->family == FAMILY_MAC)
		made = mac_pieces(k->mac, l->pieces, l->npieces, out);
	if (s->algorithm->family == FAMILY_HASH) {
		with.secret = k->bytes;
		made = template_pieces(&s->signs, &with, own, NULL) &&
		    hash_pieces(s->algorithm->hash, own, s->signs.n, out);
	}
	for (size_t i = 0; made && i < l->taken.nsigs; i++) {
		struct str sig = s->algorithm->jose != NULL ? l->jws.signature :
		    l->taken.sigs[i];

		switch (s->algorithm->family) {
		case FAMILY_MAC:
		case FAMILY_HASH:
			fits |= sig.n == right.n && str_eq_secret(right, sig);
			break;
		case FAMILY_EQUAL:
			fits |= fixed_eq(&k->fixed, sig);
			break;
		case FAMILY_KEY:
			fits |= pubkey_fits(k->pub, &s->algorithm->key, l->pieces,
			    l->npieces, sig);
			break;
		}
	}
	OPENSSL_cleanse(out, sizeof(out));
	return fits;
}

/*
 * Every secret is tried with every signature; the one that is remembered is the last
 * that fits.  Public keys are no secrets, and cost more: each counts as a try.
 */
static const struct key *
matching_key(struct judge *j, const struct look *l, const struct rings *rings)
{
	struct str kid = j->s->algorithm->jose != NULL ? l->jws.kid : STR_NONE;
	const struct key *match = NULL;
	size_t cost = j->s->algorithm->family == FAMILY_KEY ?
	    l->taken.nsigs : 0;

	for (size_t i = 0; i < rings->n; i++)
		for (const struct key *k = rings->lists[i]; k != NULL;
		    k = k->next) {
			if (kid.n > 0 && k->kid.n > 0 && !str_eq(kid, k->kid))
				continue;
			if (cost > j->tries)
				return match;
			j->tries -= cost;
			if (key_fits(j, l, k))
				match = k;
		}
	return match;
}

/* The platform before us has checked the signature, and left its mark instead. */
static bool
checked_by_platform(const struct judge *j, const struct look *l)
{
	return j->r->hook->platform_token && j->s->token.platform.n > 0 &&
	    str_eq(l->jws.signature64, j->s->token.platform);
}

/* --- what else must hold --------------------------------------------------------------------- */

static bool
equals_one(const struct also *a, const struct scope *s, struct str value)
{
	bool equals = false;

	for (size_t i = 0; i < a->nequals; i++) {
		int param = template_param(&a->equals[i]);
		struct str wanted;

		if (param >= 0) {
			equals |= auth_equals_any(s->params[param], value);
			continue;
		}
		wanted = template_text(&a->equals[i], s);
		equals |= wanted.p != NULL && fixed_eq_text(wanted, value);
	}
	return equals;
}

/* A claim may be a list ("aud"): then any element of it will do. */
static bool
any_element(const struct also *a, const struct scope *s, struct str list)
{
	struct str raw;
	enum json_kind kind;
	size_t at = 0;

	while ((kind = json_next(list, &at, &raw)) != JSON_NONE) {
		if (kind != JSON_STRING)
			continue;
		raw = json_unescape(s->q->arena, raw);
		if (raw.p != NULL && equals_one(a, s, raw))
			return true;
	}
	return false;
}

static bool
also_holds(const struct signature *s, const struct scope *scope)
{
	for (size_t i = 0; i < s->nalso; i++) {
		const struct also *a = &s->also[i];
		struct str value;

		switch (place_get(&a->place, scope->q, &value, NULL)) {
		case PLACE_FOUND:
			if (!equals_one(a, scope, value))
				return false;
			break;
		case PLACE_ABSENT:
			if (a->place.kind == PLACE_CLAIM && place_source(&a->place,
			    scope->q, &value) == JSON_ARRAY) {
				if (!any_element(a, scope, value))
					return false;
				break;
			}
			if (a->optional && !place_there(&a->place, scope->q) &&
			    !place_unclear(&a->place, scope->q))
				break;
			return false;
		case PLACE_DOUBLED:
			return false;
		}
	}
	return true;
}

static struct verdict
judge_time(const struct judge *j, struct str text, struct verdict v)
{
	const struct signature *s = j->s;
	int64_t window = j->r->window >= 0 ? j->r->window : s->time.window, ms;
	int64_t now = j->now;

	if (!s->time.set)
		return v;
	if (text.p != NULL && when_parse(text, s->time.unit, &ms))
		v.signed_at = s->time_signed ? ms : 0;
	else if (s->time_signed && window > 0)
		return auth_refuse(VERDICT_STALE, "the time cannot be read");
	else
		return v;
	if (s->time_signed && window > 0) {
		/* ms is any 64-bit number: no subtraction that could overflow. */
		if (ms < now && (uint64_t)now - (uint64_t)ms > (uint64_t)window)
			return auth_refuse(VERDICT_STALE, "signed too long ago");
		if (ms > now && (uint64_t)ms - (uint64_t)now > (uint64_t)window)
			return auth_refuse(VERDICT_STALE, "signed in the future");
	}
	return v;
}

#define CLAIM_TIME_MOST	((uint64_t)1 << 40)	/* seconds: far beyond any clock */

/*
 * A time of a token's (RFC 7519, NumericDate), as ms.  0: it is not there; -1: it is
 * there and is none.  Fractions are cut off, exponents are not taken.
 */
static int
claim_time(struct str claims, const char *name, int64_t *ms)
{
	struct str raw, whole;
	uint64_t seconds;

	switch (json_find(claims, str_of(name), &raw)) {
	case JSON_NUMBER:
		whole = str_cut(&raw, '.');
		if ((raw.p != NULL && !str_to_u64(raw, &seconds)) ||
		    !str_to_u64(whole, &seconds) || seconds > CLAIM_TIME_MOST)
			return -1;
		*ms = (int64_t)seconds * 1000;
		return 1;
	case JSON_NONE:
		return json_has(claims, str_of(name)) ? -1 : 0;
	default:
		return -1;
	}
}

/* RFC 7519, sections 4.1.4 to 4.1.6. */
static struct verdict
judge_claims(const struct judge *j, struct verdict v)
{
	static const char *const names[] = { [CLAIM_EXP] = "exp",
	    [CLAIM_NBF] = "nbf", [CLAIM_IAT] = "iat" };
	const struct token_rule *rule = &j->s->token;
	struct str claims = j->q->claims, jti;
	int64_t ms[3] = { 0 };
	int there[3];

	if (claims.p == NULL)
		return rule->require == 0 ? v :
		    auth_refuse(VERDICT_FORGED, "the token has no claims");
	for (size_t i = 0; i < 3; i++) {
		there[i] = claim_time(claims, names[i], &ms[i]);
		if (there[i] < 0)
			return auth_refuse(VERDICT_FORGED, "a time in the token is none");
		if (there[i] == 0 && (rule->require & (1u << i)) != 0)
			return auth_refuse(VERDICT_FORGED, "the token lacks a time");
	}
	if ((rule->require & (1u << CLAIM_JTI)) != 0 &&
	    json_find(claims, STR("jti"), &jti) != JSON_STRING)
		return auth_refuse(VERDICT_FORGED, "the token lacks its id");
	if (there[CLAIM_EXP] && j->now >= ms[CLAIM_EXP] + rule->leeway)
		return auth_refuse(VERDICT_STALE, "the token has expired");
	if (there[CLAIM_EXP] && rule->longest > 0 &&
	    ms[CLAIM_EXP] > j->now + rule->longest)
		return auth_refuse(VERDICT_STALE, "the token would hold too long");
	if (there[CLAIM_NBF] && ms[CLAIM_NBF] > j->now + rule->leeway)
		return auth_refuse(VERDICT_STALE, "the token does not hold yet");
	if (there[CLAIM_IAT] && ms[CLAIM_IAT] > j->now + rule->leeway)
		return auth_refuse(VERDICT_STALE, "the token was made out in the future");
	return v;
}

/* --- all of it ------------------------------------------------------------------------------ */

static struct verdict
judge_group(struct judge *j, struct str text)
{
	const struct signature *s = j->s;
	const struct key *match;
	struct rings rings;
	struct verdict v;
	struct look l;

	v = auth_look_at(j, text, &l);
	if (v.code != VERDICT_GENUINE)
		return v;
	/* Of all groups together. */
	if (!s->form.numbered && l.taken.nsigs > j->tries)
		return auth_refuse(VERDICT_DOUBLED, "too many signatures");
	if (!s->form.numbered && s->algorithm->family != FAMILY_KEY)
		j->tries -= l.taken.nsigs;
	v = (struct verdict){ .code = VERDICT_GENUINE, .reason = "genuine",
	    .scheme = s->algorithm->name, .secret = STR("platform"),
	    .alternative = (int)j->alternative,
	    .signed_bytes = s->algorithm->family != FAMILY_EQUAL && !s->bearer };
	if (j->r->hook->platform_token && s->token.platform.n > 0) {
		if (!checked_by_platform(j, &l))
			return auth_refuse(VERDICT_FORGED,
			    "the platform has not checked the token");
	} else {
		struct verdict found = find_keys(j, &l, &rings);

		if (found.code != VERDICT_GENUINE)
			return found;
		match = matching_key(j, &l, &rings);
		if (match != NULL)
			v.secret = rings.own != NULL ? STR("certificate") :
			    match->name;
		auth_keys_free(rings.own);
		if (match == NULL)
			return rings.may_ask ? wants(rings.again) :
			    auth_refuse(VERDICT_FORGED, "no secret matched");
	}
	if (!also_holds(s, &l.scope))
		return auth_refuse(VERDICT_FORGED, "something else that must hold does not");
	if (s->algorithm->jose != NULL && !s->token.detached &&
	    (v = judge_claims(j, v)).code != VERDICT_GENUINE)
		return v;
	return judge_time(j, l.scope.time, v);
}

static struct verdict
judge_once(struct judge *j)
{
	struct str groups[GROUPS_MAX];
	struct verdict v, worst;
	size_t n;

	worst = auth_find_groups(j->s, j->q, groups, &n);
	if (worst.code != VERDICT_FORGED)
		return worst;
	for (size_t i = 0; i < n; i++) {
		v = judge_group(j, groups[i]);
		v.group = (int)i;
		if (v.code == VERDICT_GENUINE)
			return v;
		if (i == 0 || tells_more(v, worst))
			worst = v;
	}
	return worst;
}

/* Each item must be proven: one that is not spoils all. */
static struct verdict
judge_items(struct judge *j)
{
	struct verdict v = auth_refuse(VERDICT_ABSENT, auth_no_signature);
	struct str list = auth_items(j->s, j->q);
	size_t at = 0, n = 0;

	while (json_next(list, &at, &j->q->item) != JSON_NONE) {
		if (++n > ITEMS_MAX)
			return auth_refuse(VERDICT_FORGED, "too many items");
		j->tries = TRIES_MAX;
		if ((v = judge_once(j)).code != VERDICT_GENUINE)
			return v;
	}
	return v;
}

static struct verdict
judge(const struct route *r, size_t alternative, struct request *q,
    const struct keyring *ring, int64_t now)
{
	struct judge j = { .r = r, .alternative = alternative,
	    .s = &r->provider->signatures[alternative], .q = q, .ring = ring,
	    .now = now, .tries = TRIES_MAX };
	struct verdict v;

	q->token = q->claims = q->item = STR_NONE;
	if ((j.s->kinds != 0 && j.s->kinds != BODY_ANY &&
	    (j.s->kinds & request_body_kind(q)) == 0) ||
	    conditions_fit(j.s->when, j.s->nwhen, q, false) != FITS)
		return auth_refuse(VERDICT_ABSENT, auth_no_signature);
	v = j.s->each.n > 0 ? judge_items(&j) : judge_once(&j);
	if (v.code != VERDICT_GENUINE)
		q->token = q->claims = STR_NONE;
	q->item = STR_NONE;
	return v;
}

struct verdict
auth_verify(const struct route *r, struct request *q, const struct keyring *ring,
    int64_t now)
{
	struct verdict v, best = auth_refuse(VERDICT_ABSENT, auth_no_signature);

	auth_enter(r, q);
	if (r->hook->auth == AUTH_NONE)
		return (struct verdict){ .code = VERDICT_OPEN, .reason = "open",
		    .scheme = "none", .secret = STR(""), .alternative = -1 };
	for (size_t i = 0; i < r->provider->nsignatures; i++) {
		v = judge(r, i, q, ring, now);
		/* A doubled signature is refused whatever else is there. */
		if (v.code == VERDICT_GENUINE || v.code == VERDICT_DOUBLED) {
			best = v;
			break;
		}
		if (tells_more(v, best))
			best = v;
	}
	/* What could not be had was taken for absent: nothing rests on that. */
	if (arena_full(q->arena))
		best = auth_refuse(VERDICT_FORGED, "it needs more memory than a request has");
	if (best.scheme == NULL)
		best.scheme = r->provider->nsignatures > 0 ?
		    r->provider->signatures[0].algorithm->name : "none";
	return best;
}
