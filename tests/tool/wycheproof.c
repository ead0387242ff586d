/*
 * wycheproof.c - test vectors of the Wycheproof project against what judges requests.
 *
 * usage: wycheproof FILE...
 *
 * Prints for each file how many agree, and each vector that does not; the last line is
 * "P passed F failed".  Vectors that the project calls neither valid nor invalid are
 * left out, and MACs that are cut short: nothing here takes those.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_jws.h"
#include "auth_key.h"
#include "auth_mac.h"
#include "base/codec.h"
#include "base/json.h"
#include "base/os.h"

#define FILE_MAX	((size_t)64 << 20)
#define ARENA		((size_t)4 << 20)

static unsigned long passed, failed, left_out;

struct group {
	const struct json_doc *doc;
	const struct json_object *o;
	const char	*name;		/* of the file */
};

static struct str
member(const struct json_object *o, const char *name)
{
	const struct json_object *v = json_member(o, name);

	return json_kind(v) == JSON_STRING ? json_text(v) : STR("");
}

static struct str
bytes(struct arena *a, struct str hex)
{
	char *p = arena_bytes(a, HEX_ROOM(hex.n));
	size_t n = 0;

	if (p == NULL || !hex_decode(hex, p, HEX_ROOM(hex.n), &n))
		return STR("");
	return (struct str){ p, n };
}

/* valid: what the project says; is: what we say. */
static void
compare(const struct group *g, const struct json_object *test, bool is)
{
	struct str result = member(test, "result");
	bool valid = str_eq(result, STR("valid"));

	if (!valid && !str_eq(result, STR("invalid"))) {
		left_out++;
	} else if (valid == is) {
		passed++;
	} else {
		failed++;
		printf("not kept: %s: vector %lld (%.*s) is %.*s, we say %s\n", g->name,
		    (long long)json_int(json_member(test, "tcId")),
		    STR_ARG(str_head(member(test, "comment"), 100)), STR_ARG(result),
		    is ? "valid" : "invalid");
	}
}

/* --- MACs ------------------------------------------------------------------------- */

static bool
hash_of(struct str name, enum hash *out)
{
	static const struct { struct str name; enum hash hash; } all[] = {
		{ STR("SHA-1"), HASH_SHA1 }, { STR("SHA-256"), HASH_SHA256 },
		{ STR("SHA-384"), HASH_SHA384 }, { STR("SHA-512"), HASH_SHA512 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (str_eq(name, all[i].name)) {
			*out = all[i].hash;
			return true;
		}
	return false;
}

static void
try_macs(const struct group *g, enum hash hash)
{
	const struct json_object *tests = json_member(g->o, "tests");
	bool whole = json_int(json_member(g->o, "tagSize")) ==
	    (int64_t)hash_size(hash) * 8;

	for (size_t i = 0; i < json_count(tests); i++) {
		const struct json_object *t = json_at(tests, i);
		struct arena *a = arena_new(ARENA);
		struct str message = bytes(a, member(t, "msg"));
		struct str tag = bytes(a, member(t, "tag"));
		struct mac *m = mac_new(hash, bytes(a, member(t, "key")));
		unsigned char out[HASH_MAX];

		if (!whole)
			left_out++;
		else
			compare(g, t, m != NULL && mac_pieces(m, &message, 1, out) &&
			    str_eq_secret(tag, (struct str){ (const char *)out,
			    hash_size(hash) }));
		mac_free(m);
		arena_free(a);
	}
}

/* --- signatures ----------------------------------------------------------------------- */

static bool
scheme_of(const struct group *g, struct key_scheme *s)
{
	const struct json_object *key = json_member(g->o, "key");
	struct str type = member(g->o, "type"), curve = member(key, "curve");

	*s = (struct key_scheme){ KEY_ED25519, 0, SIG_PLAIN };
	if (str_eq(type, STR("EddsaVerify")))
		return str_eq(curve, STR("edwards25519"));
	if (!hash_of(member(g->o, "sha"), &s->hash))
		return false;
	s->type = KEY_RSA;
	if (str_eq(type, STR("RsassaPkcs1Verify")))
		return true;
	if (str_eq(type, STR("RsassaPssVerify"))) {
		s->form = SIG_PSS;
		return json_int(json_member(g->o, "sLen")) ==
		    (int64_t)hash_size(s->hash) &&
		    str_eq(member(g->o, "sha"), member(g->o, "mgfSha"));
	}
	s->type = str_eq(curve, STR("secp256r1")) ? KEY_P256 :
	    str_eq(curve, STR("secp384r1")) ? KEY_P384 : KEY_P521;
	if (str_eq(type, STR("EcdsaP1363Verify")))
		s->form = SIG_RAW;
	return str_eq(type, STR("EcdsaVerify")) || s->form == SIG_RAW;
}

static void
try_signatures(const struct group *g)
{
	const struct json_object *tests = json_member(g->o, "tests");
	struct key_scheme scheme;
	struct pubkey *key;
	struct err e;

	if (!scheme_of(g, &scheme)) {
		left_out += json_count(tests);
		return;
	}
	if ((key = pubkey_new(scheme.type, member(g->o, "keyDer"), &e)) == NULL)
		printf("%s: a key is not taken: %s\n", g->name, e.text);
	for (size_t i = 0; i < json_count(tests); i++) {
		const struct json_object *t = json_at(tests, i);
		struct arena *a = arena_new(ARENA);
		struct str message = bytes(a, member(t, "msg"));

		compare(g, t, key != NULL && pubkey_fits(key, &scheme, &message, 1,
		    bytes(a, member(t, "sig"))));
		arena_free(a);
	}
	pubkey_free(key);
}

/* --- tokens --------------------------------------------------------------------------- */

struct jose {
	struct str	 name;
	bool		 shared;
	struct key_scheme scheme;
};

static const struct jose joses[] = {
	{ STR("HS256"), true, { 0, HASH_SHA256, 0 } },
	{ STR("RS256"), false, { KEY_RSA, HASH_SHA256, SIG_PLAIN } },
	{ STR("RS384"), false, { KEY_RSA, HASH_SHA384, SIG_PLAIN } },
	{ STR("RS512"), false, { KEY_RSA, HASH_SHA512, SIG_PLAIN } },
	{ STR("PS256"), false, { KEY_RSA, HASH_SHA256, SIG_PSS } },
	{ STR("PS384"), false, { KEY_RSA, HASH_SHA384, SIG_PSS } },
	{ STR("PS512"), false, { KEY_RSA, HASH_SHA512, SIG_PSS } },
	{ STR("ES256"), false, { KEY_P256, HASH_SHA256, SIG_RAW } },
	{ STR("ES512"), false, { KEY_P521, HASH_SHA512, SIG_RAW } },
};

/* What a hook would be configured for: by the key, never by the token. */
static const struct jose *
jose_of(const struct json_object *key)
{
	struct str alg = member(key, "alg");

	if (str_eq(alg, STR("ES521")))		/* as RFC 7520's keys are called there */
		alg = STR("ES512");
	if (alg.n == 0)
		alg = str_eq(member(key, "kty"), STR("RSA")) ? STR("RS256") :
		    STR("ES256");
	for (size_t i = 0; i < sizeof(joses) / sizeof(joses[0]); i++)
		if (str_eq(joses[i].name, alg))
			return &joses[i];
	return NULL;
}

static bool
token_fits(struct str token, const struct jose *jose, const struct pubkey *key,
    struct str secret, struct arena *a)
{
	unsigned char out[HASH_MAX];
	const char *why;
	struct mac *m;
	struct jws j;
	bool fits;

	if (!jws_read(token, a, &j, &why) || !str_eq(j.alg, jose->name))
		return false;
	if (!jose->shared)
		return key != NULL &&
		    pubkey_fits(key, &jose->scheme, &j.input, 1, j.signature);
	m = mac_new(jose->scheme.hash, secret);
	fits = m != NULL && secret.n > 0 && mac_pieces(m, &j.input, 1, out) &&
	    str_eq_secret(j.signature, (struct str){ (const char *)out,
	    hash_size(jose->scheme.hash) });
	mac_free(m);
	return fits;
}

static void
try_tokens(const struct group *g)
{
	const struct json_object *tests = json_member(g->o, "tests");
	const struct json_object *of = json_member(g->o, "key");
	const struct jose *jose = jose_of(of);
	struct arena *a = arena_new(ARENA);
	struct str secret = STR(""), k = member(of, "k");
	struct pubkey *key = NULL;
	struct err e;
	char *p = arena_bytes(a, BASE64_ROOM(k.n));
	size_t n;

	if (k.n == 0)
		key = pubkey_jwk(json_source(g->doc, of), &e);
	else if (p != NULL && base64url_decode(k, p, BASE64_ROOM(k.n), &n))
		secret = (struct str){ p, n };
	for (size_t i = 0; i < json_count(tests); i++) {
		const struct json_object *t = json_at(tests, i);
		const struct json_object *jws = json_member(t, "jws");

		compare(g, t, jose != NULL && json_kind(jws) == JSON_STRING &&
		    token_fits(json_text(jws), jose, key, secret, a));
	}
	pubkey_free(key);
	arena_free(a);
}

/* --- files ---------------------------------------------------------------------------- */

static void
try_file(const char *path)
{
	const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	unsigned long before = passed, broken = failed, skipped = left_out;
	struct json_doc *doc = NULL;
	const struct json_object *groups;
	struct str algorithm;
	struct err e = { .text = "" };
	size_t n = 0;
	char *text = os_read_file(path, FILE_MAX, &n, &e);
	enum hash hash = HASH_SHA1;

	if (text == NULL || (doc = json_read((struct str){ text, n }, name, &e)) == NULL) {
		printf("not kept: %s\n", e.text);
		failed++;
		free(text);
		return;
	}
	groups = json_member(json_root(doc), "testGroups");
	algorithm = member(json_root(doc), "algorithm");
	for (size_t i = 0; i < json_count(groups); i++) {
		struct group g = { doc, json_at(groups, i), name };
		struct str type = member(g.o, "type");

		if (str_eq(type, STR("JsonWebSignature")))
			try_tokens(&g);
		else if (!str_eq(type, STR("MacTest")))
			try_signatures(&g);
		else if (hash_of(str_eq(algorithm, STR("HMACSHA1")) ? STR("SHA-1") :
		    str_eq(algorithm, STR("HMACSHA256")) ? STR("SHA-256") :
		    str_eq(algorithm, STR("HMACSHA384")) ? STR("SHA-384") :
		    STR("SHA-512"), &hash))
			try_macs(&g, hash);
	}
	printf("%s: %lu agree, %lu do not, %lu left out\n", name, passed - before,
	    failed - broken, left_out - skipped);
	if (passed == before) {
		printf("not kept: %s: there is something in it\n", name);
		failed++;
	}
	json_close(doc);
	free(text);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		try_file(argv[i]);
	printf("%lu passed %lu failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
