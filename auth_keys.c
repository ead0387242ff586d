/*
 * auth_keys.c - keys, from the texts of secrets and public keys and from what was
 * fetched.  See auth.h and auth_parts.h.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "auth_cert.h"
#include "auth_parts.h"

#define KEY_MAX		8192		/* bytes of a secret */
#define KEYS_MAX	64		/* of one set of public keys */

bool
auth_decode(enum encoding encoding, struct str text, void *out, size_t size, size_t *n)
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
	if (!auth_decode(f->decode, stripped(f, text), out, KEY_MAX, n) || *n == 0)
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
struct key *
auth_key_of(struct str name, struct pubkey *pub, struct str kid, struct err *e)
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
		if ((*end = auth_key_of(STR("fetched"), pub,
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
	return auth_key_of(name, pubkey_new(s->algorithm->key.type, text, e),
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
		if (public_keys.v[i].p == NULL)		/* not here yet */
			continue;
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
		k = auth_key_of(STR("fetched"), cert_key_pem(text, &s->cert, now,
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
