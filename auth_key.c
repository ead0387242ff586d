/*
 * auth_key.c - Ed25519, ECDSA and RSA.  See auth_key.h.
 */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "auth_key.h"
#include "base/arena.h"
#include "base/codec.h"
#include "base/json.h"

#define KEY_BYTES_MAX	8192		/* of a key's or a certificate's DER */
#define TEXT_MAX	16384
#define RSA_LEAST	2048
#define RSA_MOST	8192
#define EXPONENT_MOST	33		/* bits: what makes verifying slow */

struct pubkey {
	enum key_type	 type;
	EVP_PKEY	*pkey;
	EVP_MD_CTX	*ctx;		/* one process, one thread */
};

struct privkey {
	enum key_type	 type;
	EVP_PKEY	*pkey;
};

/* What there is to know of a type. */
static const struct {
	const char	*name;
	const char	*libcrypto;	/* EVP_PKEY_is_a() */
	const char	*group;		/* of a curve */
	const char	*curve;		/* "crv" of a JWK, RFC 7518 and 8037 */
	size_t		 size;		/* bytes of a field element */
} types[KEY_TYPES] = {
	[KEY_ED25519]	= { "Ed25519",	"ED25519", NULL,	"Ed25519", 32 },
	[KEY_P256]	= { "P-256",	"EC",	"prime256v1",	"P-256",   32 },
	[KEY_P384]	= { "P-384",	"EC",	"secp384r1",	"P-384",   48 },
	[KEY_P521]	= { "P-521",	"EC",	"secp521r1",	"P-521",   66 },
	[KEY_RSA]	= { "RSA",	"RSA",	NULL,		NULL,	    0 },
};

const char *
key_type_name(enum key_type type)
{
	return types[type].name;
}

static bool
is_curve(enum key_type type)
{
	return types[type].group != NULL;
}

static const EVP_MD *
md_of(const struct key_scheme *s)
{
	if (s->type == KEY_ED25519)
		return NULL;
	switch (s->hash) {
	case HASH_SHA1:
		return EVP_sha1();
	case HASH_SHA256:
		return EVP_sha256();
	case HASH_SHA384:
		return EVP_sha384();
	case HASH_SHA512:
		return EVP_sha512();
	case HASH_COUNT:
		break;
	}
	return NULL;
}

/* An RSA key whose size is neither weak nor a burden. */
static bool
rsa_is_sound(const EVP_PKEY *pkey)
{
	BIGNUM *e = NULL;
	int bits = EVP_PKEY_get_bits(pkey);
	bool sound = bits >= RSA_LEAST && bits <= RSA_MOST &&
	    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
	    BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= EXPONENT_MOST;

	BN_free(e);
	return sound;
}

/* Which type it is; KEY_TYPES: none that we take. */
static enum key_type
type_of(const EVP_PKEY *pkey)
{
	char group[32] = "";
	size_t n;

	for (enum key_type t = 0; t < KEY_TYPES; t++) {
		if (!EVP_PKEY_is_a(pkey, types[t].libcrypto))
			continue;
		if (is_curve(t) && (EVP_PKEY_get_group_name(pkey, group,
		    sizeof(group), &n) != 1 || strcmp(group, types[t].group) != 0))
			continue;
		if (t == KEY_RSA && !rsa_is_sound(pkey))
			continue;
		return t;
	}
	return KEY_TYPES;
}

/* --- making keys of numbers --------------------------------------------------- */

static EVP_PKEY *
from_params(const char *algorithm, int selection, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *pkey = NULL;

	if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, selection, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

/* A key on a curve from its point and, for signing, its scalar. */
static EVP_PKEY *
curve_key(enum key_type type, struct str point, const BIGNUM *scalar)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *pkey = NULL;

	if (bld != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
	    types[type].group, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
	    point.p, point.n) == 1 &&
	    (scalar == NULL || OSSL_PARAM_BLD_push_BN(bld,
	    OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1))
		pkey = from_params("EC", scalar != NULL ? EVP_PKEY_KEYPAIR :
		    EVP_PKEY_PUBLIC_KEY, bld);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

static EVP_PKEY *
rsa_key(struct str n, struct str e)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn_n = NULL, *bn_e = NULL;
	EVP_PKEY *pkey = NULL;

	if (n.n > RSA_MOST / 8 + 1 || e.n > 8)
		goto out;
	bn_n = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
	bn_e = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
	if (bld != NULL && bn_n != NULL && bn_e != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
		pkey = from_params("RSA", EVP_PKEY_PUBLIC_KEY, bld);
out:
	BN_free(bn_n);
	BN_free(bn_e);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

static EVP_PKEY *
from_bytes(enum key_type type, struct str raw)
{
	const unsigned char *p = (const unsigned char *)raw.p;
	size_t size = types[type].size;

	if (type == KEY_ED25519 && raw.n == size)
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p,
		    raw.n);
	if (is_curve(type) && (raw.n == 2 * size + 1 || raw.n == size + 1) &&
	    p[0] >= 2 && p[0] <= 4)
		return curve_key(type, raw, NULL);
	return d2i_PUBKEY(NULL, &p, (long)raw.n);
}

/* --- texts ---------------------------------------------------------------------- */

static struct str
without_edges(struct str s)
{
	while (s.n > 0 && strchr(" \t\r\n", s.p[0]) != NULL && s.p[0] != '\0')
		s = str_skip(s, 1);
	while (s.n > 0 && strchr(" \t\r\n", s.p[s.n - 1]) != NULL &&
	    s.p[s.n - 1] != '\0')
		s.n--;
	return s;
}

/* hex, base64 or base64url of anything; false when it is none. */
static bool
decode_any(struct str text, unsigned char *out, size_t size, size_t *n)
{
	return hex_decode(text, out, size, n) ||
	    base64_decode(text, out, size, n) ||
	    base64url_decode(text, out, size, n);
}

/*
 * What stands between the dashes, as DER.  libcrypto wants its lines in order; keys
 * come through JSON and environments without line breaks or with "\n" spelled out.
 */
static bool
pem_der(struct str text, struct str label, unsigned char *out, size_t *n)
{
	char begin[64], end[64], base64[TEXT_MAX];
	const char *from, *to;
	size_t len = 0;

	snprintf(begin, sizeof(begin), "-----BEGIN %.*s-----", STR_ARG(label));
	snprintf(end, sizeof(end), "-----END %.*s-----", STR_ARG(label));
	if ((from = memmem(text.p, text.n, begin, strlen(begin))) == NULL)
		return false;
	from += strlen(begin);
	to = memmem(from, text.n - (size_t)(from - text.p), end, strlen(end));
	if (to == NULL || (size_t)(to - from) > sizeof(base64))
		return false;
	for (; from < to; from++) {
		if (from[0] == '\\' && to - from > 1 && from[1] == 'n')
			from++;
		else if (*from != ' ' && *from != '\t' && *from != '\r' &&
		    *from != '\n')
			base64[len++] = *from;
	}
	return base64_decode((struct str){ base64, len }, out, KEY_BYTES_MAX, n);
}

static EVP_PKEY *
from_pem(struct str text)
{
	unsigned char der[KEY_BYTES_MAX];
	const unsigned char *p = der;
	EVP_PKEY *pkey = NULL;
	X509 *cert;
	size_t n;

	if (pem_der(text, STR("PUBLIC KEY"), der, &n))
		return d2i_PUBKEY(NULL, &p, (long)n);
	/* Written so it is of PKCS#1; some put SPKI into it. */
	if (pem_der(text, STR("RSA PUBLIC KEY"), der, &n)) {
		if ((pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)n)) != NULL)
			return pkey;
		p = der;
		return d2i_PUBKEY(NULL, &p, (long)n);
	}
	if (pem_der(text, STR("CERTIFICATE"), der, &n)) {
		cert = d2i_X509(NULL, &p, (long)n);
		pkey = cert != NULL ? X509_get_pubkey(cert) : NULL;
		X509_free(cert);
	}
	return pkey;
}

/* A member of a JWK that is base64url of bytes. */
static bool
jwk_bytes(struct str json, const char *name, unsigned char *out, size_t size,
    struct str *bytes)
{
	struct str text;
	size_t n;

	if (json_find(json, str_of(name), &text) != JSON_STRING ||
	    !base64url_decode(text, out, size, &n) || n == 0)
		return false;
	*bytes = (struct str){ (const char *)out, n };
	return true;
}

/*
 * A number of a JWK's point should have all its leading zeros (RFC 7518, 6.2.1.2).
 * Some publish it without them, TrueLayer for one; what is no point of the curve is
 * refused in any case.
 */
static bool
jwk_coordinate(struct str json, const char *name, unsigned char *out, size_t size)
{
	unsigned char bytes[66];
	struct str b;

	if (!jwk_bytes(json, name, bytes, sizeof(bytes), &b) || b.n > size)
		return false;
	memset(out, 0, size - b.n);
	memcpy(out + size - b.n, b.p, b.n);
	return true;
}

static EVP_PKEY *
curve_from_jwk(enum key_type type, struct str json)
{
	unsigned char point[1 + 2 * 66];
	size_t size = types[type].size;
	struct str x;

	if (type == KEY_ED25519)
		return jwk_bytes(json, "x", point, sizeof(point), &x) &&
		    x.n == size ? from_bytes(type, x) : NULL;
	point[0] = 4;
	if (!jwk_coordinate(json, "x", point + 1, size) ||
	    !jwk_coordinate(json, "y", point + 1 + size, size))
		return NULL;
	return curve_key(type, (struct str){ (char *)point, 1 + 2 * size }, NULL);
}

/* Its "key_ops" (RFC 7517, 4.3): is it there to verify? */
static bool
lists_verify(struct str list)
{
	struct str op;

	for (size_t at = 0; json_next(list, &at, &op) != JSON_NONE;)
		if (str_eq(op, STR("verify")))
			return true;
	return false;
}

static EVP_PKEY *
from_jwk(struct str json)
{
	static const struct json_limits limits = { 8, 256 };
	unsigned char n[RSA_MOST / 8 + 1], e[8];
	struct str kty, crv, use, ops, bn, be;
	enum json_kind kind;

	if (json_scan(json, limits, NULL) != JSON_OK ||
	    json_find(json, STR("kty"), &kty) != JSON_STRING)
		return NULL;
	if (json_find(json, STR("use"), &use) == JSON_STRING &&
	    !str_eq(use, STR("sig")))
		return NULL;
	kind = json_find(json, STR("key_ops"), &ops);
	if (kind != JSON_NONE && (kind != JSON_ARRAY || !lists_verify(ops)))
		return NULL;
	if (str_eq(kty, STR("RSA")))
		return jwk_bytes(json, "n", n, sizeof(n), &bn) &&
		    jwk_bytes(json, "e", e, sizeof(e), &be) ? rsa_key(bn, be) :
		    NULL;
	if (json_find(json, STR("crv"), &crv) != JSON_STRING)
		return NULL;
	for (enum key_type t = 0; t < KEY_TYPES; t++)
		if (types[t].curve != NULL && str_eq(crv, str_of(types[t].curve)) &&
		    str_eq(kty, is_curve(t) ? STR("EC") : STR("OKP")))
			return curve_from_jwk(t, json);
	return NULL;
}

/* --- public keys ------------------------------------------------------------------ */

struct pubkey *
pubkey_of(EVP_PKEY *pkey, struct err *e)
{
	enum key_type type = pkey != NULL ? type_of(pkey) : KEY_TYPES;
	struct pubkey *k = NULL;

	if (type == KEY_TYPES) {
		err_set(e, ERR_DATA, "it is no public key that is known here "
		    "(Ed25519, P-256, P-384, P-521, or RSA of %d to %d bits)",
		    RSA_LEAST, RSA_MOST);
		goto fail;
	}
	if ((k = calloc(1, sizeof(*k))) == NULL ||
	    (k->ctx = EVP_MD_CTX_new()) == NULL) {
		err_set(e, ERR_OS, "no memory for a key");
		goto fail;
	}
	k->type = type;
	k->pkey = pkey;
	ERR_clear_error();
	return k;
fail:
	free(k);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return NULL;
}

struct pubkey *
pubkey_jwk(struct str json, struct err *e)
{
	return pubkey_of(json.n <= TEXT_MAX ? from_jwk(json) : NULL, e);
}

struct pubkey *
pubkey_new(enum key_type type, struct str text, struct err *e)
{
	unsigned char bytes[KEY_BYTES_MAX];
	struct pubkey *k = NULL;
	EVP_PKEY *pkey = NULL;
	size_t n;

	text = without_edges(text);
	if (text.n > TEXT_MAX)
		goto out;
	if (str_starts(text, STR("-----BEGIN")))
		pkey = from_pem(text);
	else if (str_starts(text, STR("{")))
		pkey = from_jwk(text);
	else if (decode_any(text, bytes, sizeof(bytes), &n))
		pkey = from_bytes(type, (struct str){ (char *)bytes, n });
	if (pkey != NULL && (k = pubkey_of(pkey, e)) != NULL && k->type == type)
		return k;
out:
	pubkey_free(k);
	ERR_clear_error();
	err_set(e, ERR_CONF, "it is not a public key of %s: PEM, a JWK, or hex or "
	    "base64 of the raw key or of SPKI", types[type].name);
	return NULL;
}

void
pubkey_free(struct pubkey *k)
{
	if (k == NULL)
		return;
	EVP_MD_CTX_free(k->ctx);
	EVP_PKEY_free(k->pkey);
	free(k);
}

enum key_type
pubkey_type(const struct pubkey *k)
{
	return k->type;
}

/* --- verifying ------------------------------------------------------------------- */

/* r and s of a field element each -> ASN.1; 0 when it cannot be. */
static size_t
raw_to_der(struct str raw, size_t size, unsigned char out[KEY_SIGNATURE_MAX])
{
	const unsigned char *p = (const unsigned char *)raw.p;
	ECDSA_SIG *sig = NULL;
	BIGNUM *r = NULL, *s = NULL;
	int n = 0;

	if (raw.n != 2 * size)
		return 0;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn(p, (int)size, NULL);
	s = BN_bin2bn(p + size, (int)size, NULL);
	if (sig == NULL || r == NULL || s == NULL ||
	    ECDSA_SIG_set0(sig, r, s) != 1)
		goto out;
	r = s = NULL;			/* sig's now */
	if ((n = i2d_ECDSA_SIG(sig, NULL)) > 0 && n <= KEY_SIGNATURE_MAX)
		n = i2d_ECDSA_SIG(sig, &out);
	else
		n = 0;
out:
	BN_free(s);
	BN_free(r);
	ECDSA_SIG_free(sig);
	return n > 0 ? (size_t)n : 0;
}

/* Ed25519 signs in one go: several pieces are put together first. */
static bool
joined(const struct str *pieces, size_t n, struct str *whole, char **mem)
{
	size_t total = 0, at = 0;

	*mem = NULL;
	if (n == 1) {
		*whole = pieces[0];
		return true;
	}
	for (size_t i = 0; i < n; i++)
		total += pieces[i].n;
	if ((*mem = malloc(total + 1)) == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (pieces[i].n > 0)
			memcpy(*mem + at, pieces[i].p, pieces[i].n);
		at += pieces[i].n;
	}
	*whole = (struct str){ *mem, total };
	return true;
}

static bool
ed25519_fits(const struct pubkey *k, const struct str *pieces, size_t n,
    struct str sig)
{
	struct str whole;
	char *mem;
	bool fits = false;

	if (sig.n != 64 || !joined(pieces, n, &whole, &mem))
		return false;
	if (EVP_DigestVerifyInit(k->ctx, NULL, NULL, NULL, k->pkey) == 1)
		fits = EVP_DigestVerify(k->ctx, (const unsigned char *)sig.p,
		    sig.n, (const unsigned char *)(whole.n > 0 ? whole.p : ""),
		    whole.n) == 1;
	free(mem);
	return fits;
}

/* RFC 7518, section 3.5: salt and mask as long as the hash. */
static bool
set_pss(EVP_PKEY_CTX *ctx, const struct key_scheme *s)
{
	return s->form != SIG_PSS ||
	    (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md_of(s)) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool
digest_fits(const struct pubkey *k, const struct key_scheme *s,
    const struct str *pieces, size_t n, struct str sig)
{
	unsigned char der[KEY_SIGNATURE_MAX];
	const unsigned char *p = (const unsigned char *)sig.p;
	EVP_PKEY_CTX *ctx;
	size_t len = sig.n;

	if (s->form == SIG_RAW) {
		len = raw_to_der(sig, types[s->type].size, der);
		p = der;
	}
	if (len == 0 || EVP_DigestVerifyInit(k->ctx, &ctx, md_of(s), NULL,
	    k->pkey) != 1 || !set_pss(ctx, s))
		return false;
	for (size_t i = 0; i < n; i++)
		if (pieces[i].n > 0 && EVP_DigestVerifyUpdate(k->ctx,
		    pieces[i].p, pieces[i].n) != 1)
			return false;
	return EVP_DigestVerifyFinal(k->ctx, p, len) == 1;
}

bool
pubkey_fits(const struct pubkey *k, const struct key_scheme *s,
    const struct str *pieces, size_t n, struct str sig)
{
	bool fits;

	if (k->type != s->type || sig.n > KEY_SIGNATURE_MAX ||
	    EVP_MD_CTX_reset(k->ctx) != 1)
		return false;
	fits = s->type == KEY_ED25519 ? ed25519_fits(k, pieces, n, sig) :
	    digest_fits(k, s, pieces, n, sig);
	ERR_clear_error();		/* a forgery leaves no trace to be read later */
	return fits;
}

/* --- signing -------------------------------------------------------------- */

static EVP_PKEY *
curve_from_scalar(enum key_type type, struct str raw)
{
	unsigned char point[1 + 2 * 66];
	EC_GROUP *group = EC_GROUP_new_by_curve_name(OBJ_txt2nid(
	    types[type].group));
	BIGNUM *d = BN_bin2bn((const unsigned char *)raw.p, (int)raw.n, NULL);
	EC_POINT *q = group != NULL ? EC_POINT_new(group) : NULL;
	size_t n = 1 + 2 * types[type].size;
	EVP_PKEY *pkey = NULL;

	if (q != NULL && d != NULL && !BN_is_zero(d) &&
	    BN_cmp(d, EC_GROUP_get0_order(group)) < 0 &&
	    EC_POINT_mul(group, q, d, NULL, NULL, NULL) == 1 &&
	    EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, point,
	    sizeof(point), NULL) == n)
		pkey = curve_key(type, (struct str){ (const char *)point, n }, d);
	EC_POINT_free(q);
	BN_clear_free(d);
	EC_GROUP_free(group);
	return pkey;
}

static EVP_PKEY *
private_from_pem(struct str text)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	EVP_PKEY *pkey = bio == NULL ? NULL :
	    PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return pkey;
}

struct privkey *
privkey_new(enum key_type type, struct str text, struct err *e)
{
	unsigned char bytes[KEY_BYTES_MAX];
	struct privkey *k = NULL;
	EVP_PKEY *pkey = NULL;
	size_t n;

	text = without_edges(text);
	if (str_starts(text, STR("whsk_")))
		text = str_skip(text, 5);
	if (text.n > TEXT_MAX)
		goto out;
	if (str_starts(text, STR("-----BEGIN")))
		pkey = private_from_pem(text);
	else if (decode_any(text, bytes, sizeof(bytes), &n)) {
		if (type == KEY_ED25519 && (n == 32 || n == 64))
			pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519,
			    NULL, bytes, 32);
		else if (is_curve(type) && n == types[type].size)
			pkey = curve_from_scalar(type,
			    (struct str){ (char *)bytes, n });
	}
	if (pkey != NULL && type_of(pkey) == type &&
	    (k = calloc(1, sizeof(*k))) != NULL) {
		k->type = type;
		k->pkey = pkey;
		pkey = NULL;
	}
out:
	OPENSSL_cleanse(bytes, sizeof(bytes));
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	if (k == NULL)
		err_set(e, ERR_CONF, "it is not a private key of %s: PEM%s",
		    types[type].name, type == KEY_RSA ? "" :
		    ", or hex or base64 of its bytes");
	return k;
}

void
privkey_free(struct privkey *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

/* ASN.1 -> r and s of a field element each. */
static bool
der_to_raw(unsigned char *sig, size_t *len, size_t size)
{
	const unsigned char *p = sig;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)*len);
	bool ok = s != NULL &&
	    BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, (int)size) == (int)size &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + size, (int)size) == (int)size;

	ECDSA_SIG_free(s);
	*len = 2 * size;
	return ok;
}

bool
privkey_sign(const struct privkey *k, const struct key_scheme *s,
    const struct str *pieces, size_t n, unsigned char out[KEY_SIGNATURE_MAX],
    size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	struct str whole;
	char *mem = NULL;
	bool ok = false;

	*len = KEY_SIGNATURE_MAX;
	if (ctx == NULL || k->type != s->type || !joined(pieces, n, &whole, &mem))
		goto out;
	if (EVP_DigestSignInit(ctx, &pctx, md_of(s), NULL, k->pkey) != 1 ||
	    !set_pss(pctx, s) || EVP_DigestSign(ctx, out, len,
	    (const unsigned char *)(whole.n > 0 ? whole.p : ""), whole.n) != 1)
		goto out;
	ok = s->form != SIG_RAW || der_to_raw(out, len, types[s->type].size);
out:
	free(mem);
	EVP_MD_CTX_free(ctx);
	return ok;
}
