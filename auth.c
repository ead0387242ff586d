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
#include "auth_cert.h"
#include "auth_jws.h"
#include "auth_key.h"
#include "auth_static.h"
#include "base/digest.h"
#include "base/utf8.h"
#include "keyring.h"

#define KEY_MAX		8192		/* bytes of a secret */
#define KEYS_MAX	64		/* of one set of public keys */
#define GROUPS_MAX	8		/* of one request */
#define PIECES_MAX	64		/* of what is signed */
#define TRIES_MAX	SIGNATURES_MAX	/* of one request */
#define HEADERS_MAX	(1024 * 1024)	/* of one event, as JSON */
#define HIDDEN		"hidden"

/*
 * When what is known of keys is worth asking for again: a token names a key that is
 * not among them, a captured secret does not fit.  A stranger can make us ask so
 * often, and no more.
 */
#define AGAIN_KEY	(30 * KEY_SECOND)
#define AGAIN_SECRET	(KEY_SECOND / 10)

struct key {
	struct key	*next;
	struct str	 name;		/* "env:GITHUB_SECRET" */
	struct str	 bytes;		/* ours, wiped at the end */
	struct mac	*mac;
	struct pubkey	*pub;
	struct str	 kid;		/* ours: by which a token names it; or none */
	struct fixed	 fixed;
};

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
	case ENCODING_BASE64_HEX:
		return base64_decode(text, out, size, n) &&
		    hex_decode((struct str){ out, *n }, out, size, n);
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

	/* Nothing with something behind it is a key that everybody knows. */
	if (!decode(f->decode, stripped(f, text), out, KEY_MAX, n) || *n == 0)
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
	return true;
}

/* A copy of a JSON string without its escapes, to be freed; STR_NONE: none. */
static struct str
kid_copy(struct str raw)
{
	struct arena *a = arena_new(raw.n + 64);
	struct str kid = a == NULL ? STR_NONE : json_unescape(a, raw);
	char *copy = kid.n > 0 ? malloc(kid.n) : NULL;

	if (copy != NULL)
		memcpy(copy, kid.p, kid.n);
	arena_free(a);
	return copy != NULL ? (struct str){ copy, kid.n } : STR_NONE;
}

/* kid: as it stands in JSON, or none. */
static struct key *
key_of_pub(struct str name, struct pubkey *pub, struct str kid, struct err *e)
{
	struct key *k = pub == NULL ? NULL : calloc(1, sizeof(*k));

	if (pub == NULL)
		return NULL;
	if (k != NULL && kid.n > 0)
		k->kid = kid_copy(kid);
	if (k == NULL || (kid.n > 0 && k->kid.p == NULL)) {
		err_set(e, ERR_OS, "no memory for a key");
		pubkey_free(pub);
		free(k);
		return NULL;
	}
	k->name = name;
	k->pub = pub;
	return k;
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
		free((void *)(uintptr_t)k->kid.p);
		OPENSSL_cleanse(k, sizeof(*k));
		free(k);
		k = next;
	}
}

static struct str
text_member(struct str json, const char *name)
{
	struct str raw;

	return json_find(json, str_of(name), &raw) == JSON_STRING ? raw :
	    STR_NONE;
}

/*
 * A JWK set (RFC 7517, section 5): those of its keys that the algorithm is for.
 * Others are no error: a provider may sign other things with them.
 */
static struct key *
keys_of_set(const struct signature *s, struct str json, struct err *e)
{
	struct key *first = NULL, **end = &first;
	struct str list, raw, alg;
	size_t at = 0, n = 0;

	if (json_find(json, STR("keys"), &list) != JSON_ARRAY) {
		err_set(e, ERR_DATA, "it is no set of keys");
		return NULL;
	}
	while (n < KEYS_MAX && json_next(list, &at, &raw) == JSON_OBJECT) {
		struct pubkey *pub = pubkey_jwk(raw, e);

		alg = text_member(raw, "alg");
		if (pub != NULL && (pubkey_type(pub) != s->algorithm->key.type ||
		    (s->algorithm->jose != NULL && alg.n > 0 &&
		    !str_eq(alg, str_of(s->algorithm->jose))))) {
			pubkey_free(pub);
			continue;
		}
		if ((*end = key_of_pub(STR("fetched"), pub,
		    text_member(raw, "kid"), e)) != NULL) {
			end = &(*end)->next;
			n++;
		}
	}
	if (first == NULL)
		err_set(e, ERR_DATA, "no key in the set is one of %s for "
		    "signatures", key_type_name(s->algorithm->key.type));
	return first;
}

static bool
is_key_set(struct str text)
{
	static const struct json_limits limits = { 16, 4096 };
	struct str raw;

	return str_starts(text, STR("{")) &&
	    json_scan(text, limits, NULL) == JSON_OK &&
	    json_find(text, STR("keys"), &raw) == JSON_ARRAY;
}

/* A public key as somebody wrote it, or a set of them. */
static struct key *
keys_of_text(const struct signature *s, struct str name, struct str text,
    struct err *e)
{
	text = stripped(&s->key, text);
	if (is_key_set(text))
		return keys_of_set(s, text, e);
	return key_of_pub(name, pubkey_new(s->algorithm->key.type, text, e),
	    text_member(text, "kid"), e);
}

struct key *
auth_keys(const struct provider *p, size_t alternative, const struct str *names,
    const struct str *texts, size_t n, struct texts public_keys, struct err *e)
{
	const struct signature *s = &p->signatures[alternative];
	struct key *first = NULL, **end = &first;
	bool public = s->algorithm->family == FAMILY_KEY;

	/*
	 * A public key never comes from "secret" and a shared secret never from
	 * "public_key": who could swap the two would have everybody sign with what
	 * everybody knows.
	 */
	if (public && public_keys.n == 0)
		err_set(e, ERR_CONF, "there is no \"public_key\"");
	for (size_t i = 0; public && i < public_keys.n; i++) {
		*end = keys_of_text(s, STR("public_key"), public_keys.v[i], e);
		while (*end != NULL)
			end = &(*end)->next;
	}
	for (size_t i = 0; !public && i < n; i++)
		if ((*end = key_new(s, names[i], texts[i], e)) != NULL)
			end = &(*end)->next;
	return first;
}

/* The member of what was fetched that is the key; *out may live in *text. */
static bool
fetched_member(const struct key_source *k, struct str bytes, struct arena *a,
    struct str *out)
{
	static const struct json_limits limits = { 32, 10000 };

	*out = bytes;
	if (k->member.n == 0)
		return true;
	if (json_scan(bytes, limits, NULL) != JSON_OK)
		return false;
	switch (json_find(bytes, k->member, out)) {
	case JSON_STRING:
		*out = json_unescape(a, *out);
		return out->n > 0;
	case JSON_OBJECT:
		return true;
	default:
		return false;
	}
}

struct key *
auth_keys_fetched(const struct provider *p, size_t alternative, struct str bytes,
    int64_t now, int64_t *until, struct err *e)
{
	const struct signature *s = &p->signatures[alternative];
	struct arena *a = arena_new(1 << 20);
	struct key *k = NULL;
	struct str text;
	int64_t valid;

	if (a == NULL || !fetched_member(&s->keys, bytes, a, &text))
		err_set(e, ERR_DATA, "what was fetched does not hold the key");
	else if (s->algorithm->family == FAMILY_MAC)
		k = key_new(s, STR("fetched"), text, e);
	else if (!s->certified)
		k = keys_of_text(s, STR("fetched"), text, e);
	else {
		k = key_of_pub(STR("fetched"), cert_key_pem(text, &s->cert, now,
		    &valid, e), STR_NONE, e);
		if (k != NULL && valid < *until)
			*until = valid;
	}
	arena_wipe(a);
	return k;
}

struct str
auth_key_bytes(const struct key *k)
{
	return k != NULL ? k->bytes : STR_NONE;
}

struct str
auth_key_id(const struct key *k)
{
	return k != NULL ? k->kid : STR_NONE;
}

struct str
auth_first_key(const struct route *r)
{
	for (size_t i = 0; r->keys != NULL && i < r->provider->nsignatures; i++)
		if (r->keys[i] != NULL && r->keys[i]->bytes.n > 0)
			return r->keys[i]->bytes;
	return STR_NONE;
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

/* --- the form ------------------------------------------------------------------- */

/* What one group of items gave. */
struct taken {
	struct str	 sigs[NUMBERED_MAX];	/* decoded */
	size_t		 nsigs;
	size_t		 most;			/* that may come */
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
	if (t->nsigs == t->most) {
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

/* Is it any of the texts?  In a time that does not tell which. */
static bool
equals_any(struct texts texts, struct str value)
{
	bool equals = false;

	for (size_t i = 0; i < texts.n; i++)
		equals |= fixed_eq_text(texts.v[i], value);
	return equals;
}

/* A name that is a parameter of the hook must be what the hook says. */
static bool
is_ours(const struct route *r, const struct form_item *item,
    const struct str *values)
{
	for (size_t i = 0; i < item->nparts; i++)
		if (item->parts[i].kind == PART_PARAM &&
		    !equals_any(r->params[item->parts[i].index], values[i]))
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

	*t = (struct taken){ .most = f->numbered ? NUMBERED_MAX :
	    SIGNATURES_MAX };
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
		[VERDICT_WANTS_KEY] = 3, [VERDICT_DOUBLED] = 4,
	};

	if (a.code == b.code)
		return b.reason == no_signature || (b.not_ours && !a.not_ours);
	return weight[a.code] > weight[b.code];
}

/* What a request is judged with. */
struct judge {
	const struct route *r;
	size_t		 alternative;
	const struct signature *s;
	struct request	*q;
	const struct keyring *ring;
	int64_t		 now;
	size_t		 tries;		/* signatures that may still be tried */
};

/* One value of the place, or one group of a value, taken apart. */
struct look {
	struct taken	 taken;
	struct jws	 jws;
	struct scope	 scope;
	struct str	 pieces[PIECES_MAX];	/* what is signed */
	size_t		 npieces;
};

/* What a token says: places lead into it from here on, believed or not. */
static bool
look_at_token(struct judge *j, struct look *l, const char **why)
{
	struct request *q = j->q;
	struct jws *t = &l->jws;

	q->token = q->claims = STR_NONE;
	if (!jws_read(l->taken.sigs[0], q->arena, t, why))
		return false;
	*why = "the token is signed with another algorithm than the file's";
	if (!str_eq(t->alg, str_of(j->s->algorithm->jose)))
		return false;
	*why = "the token is not detached as the file says";
	if (t->unencoded != j->s->token.unencoded ||
	    (j->s->token.detached && t->payload64.n > 0))
		return false;
	q->token = t->header;
	if (!j->s->token.detached)
		q->claims = jws_claims(t);
	return true;
}

/* "header.payload", where the payload is what the file says is signed. */
static bool
detached_input(struct look *l, const struct signature *s)
{
	struct str payload;

	l->pieces[0] = l->jws.header64;
	l->pieces[1] = STR(".");
	if (s->token.unencoded) {
		l->npieces = s->signs.n + 2;
		return l->npieces <= PIECES_MAX &&
		    template_pieces(&s->signs, &l->scope, l->pieces + 2, NULL);
	}
	payload = template_text(&s->signs, &l->scope);
	if (payload.p == NULL)
		return false;
	l->pieces[2] = base64url_encode(l->scope.q->arena, payload);
	l->npieces = 3;
	return l->pieces[2].p != NULL;
}

static bool
what_is_signed(struct look *l, const struct signature *s)
{
	if (s->algorithm->jose != NULL && s->token.detached)
		return detached_input(l, s);
	if (s->algorithm->jose != NULL) {
		l->pieces[0] = l->jws.input;
		l->npieces = 1;
		return true;
	}
	l->npieces = s->signs.n;
	return l->npieces <= PIECES_MAX &&
	    template_pieces(&s->signs, &l->scope, l->pieces, NULL);
}

/* VERDICT_GENUINE: so far nothing is wrong, and l holds what is to be proven. */
static struct verdict
look_at(struct judge *j, struct str text, struct look *l)
{
	const struct signature *s = j->s;
	struct taken *t = &l->taken;
	struct verdict v;
	const char *why;

	take_apart(j->r, j->q, &s->form, text, t);
	if (t->doubled || (s->algorithm->jose != NULL && t->nsigs > 1))
		return refuse(VERDICT_DOUBLED, "a part of the signature came twice");
	if (t->nsigs == 0 && t->others)
		return refuse(VERDICT_FORGED, "signed for somebody else");
	if (t->nsigs == 0)
		return t->empty ? refuse(VERDICT_ABSENT, no_signature) :
		    refuse(VERDICT_FORGED, "no signature of this scheme");
	if (s->algorithm->jose != NULL && !look_at_token(j, l, &why)) {
		/* With several alternatives, the one that it is for says more. */
		v = refuse(VERDICT_FORGED, why);
		v.not_ours = true;
		return v;
	}
	l->scope = (struct scope){ .q = j->q, .params = j->r->params,
	    .captures = t->captures, .pairs = s->pairs };
	if (s->form.time != -1)
		l->scope.time = t->captures[s->form.time];
	if (s->time.set && !s->time.captured && place_get(&s->time.place, j->q,
	    &l->scope.time, NULL) == PLACE_DOUBLED)
		return refuse(VERDICT_DOUBLED, "the time came twice");
	/* A plain hash has the secret among its pieces: each key's own, later. */
	if (s->algorithm->family == FAMILY_HASH)
		l->scope.secret = STR("");
	if (!what_is_signed(l, s))
		return refuse(VERDICT_ABSENT, "something that is signed is not there");
	return refuse(VERDICT_GENUINE, "looked at");
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
	struct verdict v = refuse(VERDICT_WANTS_KEY, "the key is asked for");

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
	out->own = key_of_pub(STR("certificate"), pub, STR_NONE, &e);
	if (out->own == NULL)
		return refuse(VERDICT_FORGED, "the token's certificate does not hold");
	out->lists[out->n++] = out->own;
	return refuse(VERDICT_GENUINE, "a key");
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
		return refuse(VERDICT_FORGED, "the request does not say which key");
	if (!key_source_named(&s->keys))
		w.name = STR("");
	/* What comes is made a key by this hook's file, which is not another's. */
	if (key_source_url(&s->keys, j->r->params, w.name, &url, &why))
		w.id = arena_printf(j->q->arena, "%.*s\n%.*s\n%.*s\n%zu",
		    STR_ARG(buf_str(&url)), STR_ARG(w.name),
		    STR_ARG(j->r->hook->path), j->alternative);
	buf_free(&url);
	if (why != NULL && w.id.p == NULL)
		return refuse(VERDICT_FORGED, why);
	if (w.id.p == NULL || !keyring_get(j->ring, w.id, j->now, &known))
		return wants(w);
	if (known.keys == NULL)
		return refuse(VERDICT_FORGED, "the key is not to be had");
	/* A new key of theirs, or a name that somebody made up. */
	if (kid.n > 0 && !has_kid(known.keys, kid)) {
		w.again = true;
		return j->now - known.came_at >= AGAIN_KEY ? wants(w) :
		    refuse(VERDICT_FORGED, "the token's key is none of the "
		    "provider's");
	}
	out->lists[out->n++] = known.keys;
	return refuse(VERDICT_GENUINE, "a key");
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
	return refuse(VERDICT_GENUINE, "keys");
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
		return refuse(VERDICT_GENUINE, "keys");
	if (j->s->from_token)
		return key_of_token(j, l, out);
	if (j->s->fetches)
		return key_fetched(j, l, out);
	return refuse(VERDICT_FORGED, "no key for this scheme");
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
			equals |= equals_any(s->params[param], value);
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
		    refuse(VERDICT_FORGED, "the token has no claims");
	for (size_t i = 0; i < 3; i++) {
		there[i] = claim_time(claims, names[i], &ms[i]);
		if (there[i] < 0)
			return refuse(VERDICT_FORGED, "a time in the token is none");
		if (there[i] == 0 && (rule->require & (1u << i)) != 0)
			return refuse(VERDICT_FORGED, "the token lacks a time");
	}
	if ((rule->require & (1u << CLAIM_JTI)) != 0 &&
	    json_find(claims, STR("jti"), &jti) != JSON_STRING)
		return refuse(VERDICT_FORGED, "the token lacks its id");
	if (there[CLAIM_EXP] && j->now >= ms[CLAIM_EXP] + rule->leeway)
		return refuse(VERDICT_STALE, "the token has expired");
	if (there[CLAIM_EXP] && rule->longest > 0 &&
	    ms[CLAIM_EXP] > j->now + rule->longest)
		return refuse(VERDICT_STALE, "the token would hold too long");
	if (there[CLAIM_NBF] && ms[CLAIM_NBF] > j->now + rule->leeway)
		return refuse(VERDICT_STALE, "the token does not hold yet");
	if (there[CLAIM_IAT] && ms[CLAIM_IAT] > j->now + rule->leeway)
		return refuse(VERDICT_STALE, "the token was made out in the future");
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

	v = look_at(j, text, &l);
	if (v.code != VERDICT_GENUINE)
		return v;
	/* Of all groups together. */
	if (!s->form.numbered && l.taken.nsigs > j->tries)
		return refuse(VERDICT_DOUBLED, "too many signatures");
	if (!s->form.numbered && s->algorithm->family != FAMILY_KEY)
		j->tries -= l.taken.nsigs;
	v = (struct verdict){ .code = VERDICT_GENUINE, .reason = "genuine",
	    .scheme = s->algorithm->name, .secret = STR("platform"),
	    .alternative = (int)j->alternative,
	    .signed_bytes = s->algorithm->family != FAMILY_EQUAL && !s->bearer };
	if (j->r->hook->platform_token && s->token.platform.n > 0) {
		if (!checked_by_platform(j, &l))
			return refuse(VERDICT_FORGED,
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
			    refuse(VERDICT_FORGED, "no secret matched");
	}
	if (!also_holds(s, &l.scope))
		return refuse(VERDICT_FORGED, "something else that must hold does not");
	if (s->algorithm->jose != NULL && !s->token.detached &&
	    (v = judge_claims(j, v)).code != VERDICT_GENUINE)
		return v;
	return judge_time(j, l.scope.time, v);
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

/*
 * "X-Sig-1", "X-Sig-2", ...: as if they were one list, in whatever order, none twice.
 */
static bool
take_numbered(const struct signature *s, const struct request *q,
    struct str *groups, size_t *n)
{
	struct str prefix = s->places[0].name, list = STR_NONE;
	uint64_t number;
	size_t count;

	for (size_t i = 0; i < q->nheaders; i++) {
		const struct header *h = &q->headers[i];

		if (!str_starts(h->name, prefix) || h->value.n == 0 ||
		    !str_to_u64(str_skip(h->name, prefix.n), &number))
			continue;
		request_header(q, h->name, &count);
		if (count > 1 || looks_joined(s, h->value))
			return false;
		list = arena_printf(q->arena, "%.*s%s%.*s", STR_ARG(list),
		    list.n > 0 ? "," : "", STR_ARG(h->value));
		if (list.p == NULL)
			return false;
	}
	if (list.n > 0)
		groups[(*n)++] = list;
	return true;
}

/* One of the aliases; false: it is doubled and may not be. */
static bool
take_place(const struct signature *s, const struct place *place,
    struct request *q, struct str *groups, size_t *n)
{
	struct str value;

	switch (place_get(place, q, &value, NULL)) {
	case PLACE_FOUND:
		return (s->repeats || !looks_joined(s, value)) &&
		    take_value(s, value, groups, n);
	case PLACE_DOUBLED:
		if (!s->repeats)
			return false;
		for (size_t i = 0; (value = request_header_nth(q, place->name,
		    i)).p != NULL; i++)
			if (!take_value(s, value, groups, n))
				return false;
		return true;
	case PLACE_ABSENT:
		break;
	}
	return true;
}

/* The values that may hold the signature, as groups to be judged one by one. */
static struct verdict
find_groups(const struct signature *s, struct request *q, struct str *groups,
    size_t *n)
{
	bool single = true;

	*n = 0;
	if (s->form.numbered)
		single = take_numbered(s, q, groups, n);
	for (size_t i = 0; !s->form.numbered && single && i < s->nplaces && *n == 0; i++)
		single = take_place(s, &s->places[i], q, groups, n);
	if (!single)
		return refuse(VERDICT_DOUBLED, "the signature came twice");
	return *n == 0 ? refuse(VERDICT_ABSENT, no_signature) :
	    refuse(VERDICT_FORGED, "not judged yet");
}

static struct verdict
judge_once(struct judge *j)
{
	struct str groups[GROUPS_MAX];
	struct verdict v, worst;
	size_t n;

	worst = find_groups(j->s, j->q, groups, &n);
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

/* The list whose items are signed one by one; STR_NONE: the body has none. */
static struct str
items_of(const struct signature *s, struct request *q)
{
	struct str list;

	return q->body.n > 0 && request_json(q) &&
	    json_find(q->body, s->each, &list) == JSON_ARRAY ? list : STR_NONE;
}

/* Each item must be proven: one that is not spoils all. */
static struct verdict
judge_items(struct judge *j)
{
	struct verdict v = refuse(VERDICT_ABSENT, no_signature);
	struct str list = items_of(j->s, j->q);
	size_t at = 0, n = 0;

	while (json_next(list, &at, &j->q->item) != JSON_NONE) {
		if (++n > ITEMS_MAX)
			return refuse(VERDICT_FORGED, "too many items");
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
		return refuse(VERDICT_ABSENT, no_signature);
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
	struct verdict v, best = refuse(VERDICT_ABSENT, no_signature);

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
		best = refuse(VERDICT_FORGED, "it needs more memory than a request has");
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

	find_groups(j->s, j->q, groups, &n);
	for (size_t i = 0; i < n; i++) {
		if (j->s->each.n == 0 && (size_t)v->group != i)
			continue;
		if (look_at(j, groups[i], &l).code != VERDICT_GENUINE)
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
		list = items_of(j.s, q);
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
	take_apart(r, q, &s->form, value, &t);
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
	return ev->headers.p != NULL && ev->target.p != NULL &&
	    !arena_full(q->arena);
}
