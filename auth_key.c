/*
 * auth_key.c - Ed25519 and ECDSA P-256.  See auth_key.h.
 */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "auth_key.h"
#include "base/codec.h"

#define KEY_BYTES_MAX	4096

struct pubkey {
	enum key_kind	 kind;
	EVP_PKEY	*pkey;
	EVP_MD_CTX	*ctx;		/* one process, one thread */
};

struct privkey {
	enum key_kind	 kind;
	EVP_PKEY	*pkey;
};

static const char *
kind_name(enum key_kind kind)
{
	return kind == KEY_ED25519 ? "Ed25519" : "P-256";
}

static bool
kind_fits(enum key_kind kind, const EVP_PKEY *pkey)
{
	char group[32];
	size_t n;

	if (kind == KEY_ED25519)
		return EVP_PKEY_is_a(pkey, "ED25519");
	return EVP_PKEY_is_a(pkey, "EC") &&
	    EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) == 1 &&
	    strcmp(group, "prime256v1") == 0;
}

/* A P-256 key from its point and, for signing, its scalar. */
static EVP_PKEY *
p256_key(int selection, struct str point, const BIGNUM *scalar)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (ctx == NULL || bld == NULL ||
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
	    "prime256v1", 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
	    point.p, point.n) != 1 ||
	    (scalar != NULL && OSSL_PARAM_BLD_push_BN(bld,
	    OSSL_PKEY_PARAM_PRIV_KEY, scalar) != 1))
		goto out;
	if ((params = OSSL_PARAM_BLD_to_param(bld)) == NULL ||
	    EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, selection, params) != 1)
		pkey = NULL;
out:
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *
public_from_bytes(enum key_kind kind, struct str raw)
{
	const unsigned char *p = (const unsigned char *)raw.p;

	if (kind == KEY_ED25519 && raw.n == 32)
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p,
		    raw.n);
	if (kind != KEY_ED25519 && (raw.n == 65 || raw.n == 33) && p[0] >= 2 &&
	    p[0] <= 4)
		return p256_key(EVP_PKEY_PUBLIC_KEY, raw, NULL);
	return d2i_PUBKEY(NULL, &p, (long)raw.n);
}

/* hex, base64 or base64url of anything; false when it is none. */
static bool
decode_any(struct str text, unsigned char *out, size_t size, size_t *n)
{
	return hex_decode(text, out, size, n) ||
	    base64_decode(text, out, size, n) ||
	    base64url_decode(text, out, size, n);
}

static EVP_PKEY *
from_pem(struct str text, bool private)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	EVP_PKEY *pkey = NULL;

	if (bio != NULL)
		pkey = private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) :
		    PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return pkey;
}

static struct str
without_edges(struct str s)
{
	while (s.n > 0 && (s.p[0] == '\n' || s.p[0] == '\r' || s.p[0] == ' '))
		s = str_skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r' ||
	    s.p[s.n - 1] == ' '))
		s.n--;
	return s;
}

struct pubkey *
pubkey_new(enum key_kind kind, struct str text, struct err *e)
{
	unsigned char bytes[KEY_BYTES_MAX];
	struct pubkey *k = NULL;
	EVP_PKEY *pkey = NULL;
	size_t n;

	text = without_edges(text);
	if (text.n > KEY_BYTES_MAX)
		goto out;
	if (str_starts(text, STR("-----BEGIN")))
		pkey = from_pem(text, false);
	else if (decode_any(text, bytes, sizeof(bytes), &n))
		pkey = public_from_bytes(kind,
		    (struct str){ (const char *)bytes, n });
	if (pkey == NULL || !kind_fits(kind, pkey))
		goto out;
	if ((k = calloc(1, sizeof(*k))) != NULL &&
	    (k->ctx = EVP_MD_CTX_new()) != NULL) {
		k->kind = kind;
		k->pkey = pkey;
		return k;
	}
	free(k);
	k = NULL;
out:
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	err_set(e, ERR_CONF, "it is not a public key of %s: PEM, or hex or base64 "
	    "of the raw key or of SPKI", kind_name(kind));
	return k;
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

/* r and s of 32 bytes each -> ASN.1; 0 when it cannot be. */
static size_t
raw_to_der(struct str raw, unsigned char out[KEY_SIGNATURE_MAX])
{
	const unsigned char *p = (const unsigned char *)raw.p;
	ECDSA_SIG *sig = NULL;
	BIGNUM *r = NULL, *s = NULL;
	int n = 0;

	if (raw.n != 64)
		return 0;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn(p, 32, NULL);
	s = BN_bin2bn(p + 32, 32, NULL);
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
	if (EVP_MD_CTX_reset(k->ctx) == 1 &&
	    EVP_DigestVerifyInit(k->ctx, NULL, NULL, NULL, k->pkey) == 1)
		fits = EVP_DigestVerify(k->ctx, (const unsigned char *)sig.p,
		    sig.n, (const unsigned char *)(whole.n > 0 ? whole.p : ""),
		    whole.n) == 1;
	free(mem);
	return fits;
}

bool
pubkey_fits(const struct pubkey *k, const struct str *pieces, size_t n,
    struct str sig)
{
	unsigned char der[KEY_SIGNATURE_MAX];
	size_t len = sig.n;
	bool fits = false;

	if (k->kind == KEY_ED25519)
		fits = ed25519_fits(k, pieces, n, sig);
	else {
		if (k->kind == KEY_P256_RAW) {
			if ((len = raw_to_der(sig, der)) == 0)
				goto out;
		} else if (len == 0 || len > sizeof(der))
			goto out;
		else
			memcpy(der, sig.p, len);
		if (EVP_MD_CTX_reset(k->ctx) != 1 ||
		    EVP_DigestVerifyInit(k->ctx, NULL, EVP_sha256(), NULL,
		    k->pkey) != 1)
			goto out;
		for (size_t i = 0; i < n; i++)
			if (pieces[i].n > 0 && EVP_DigestVerifyUpdate(k->ctx,
			    pieces[i].p, pieces[i].n) != 1)
				goto out;
		fits = EVP_DigestVerifyFinal(k->ctx, der, len) == 1;
	}
out:
	ERR_clear_error();		/* a forgery leaves no trace to be read later */
	return fits;
}

/* --- signing -------------------------------------------------------------- */

static EVP_PKEY *
p256_from_scalar(const unsigned char *raw)
{
	unsigned char point[65];
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BIGNUM *d = BN_bin2bn(raw, 32, NULL);
	EC_POINT *q = group != NULL ? EC_POINT_new(group) : NULL;
	EVP_PKEY *pkey = NULL;

	if (q != NULL && d != NULL && !BN_is_zero(d) &&
	    BN_cmp(d, EC_GROUP_get0_order(group)) < 0 &&
	    EC_POINT_mul(group, q, d, NULL, NULL, NULL) == 1 &&
	    EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, point,
	    sizeof(point), NULL) == sizeof(point))
		pkey = p256_key(EVP_PKEY_KEYPAIR,
		    (struct str){ (const char *)point, sizeof(point) }, d);
	EC_POINT_free(q);
	BN_clear_free(d);
	EC_GROUP_free(group);
	return pkey;
}

struct privkey *
privkey_new(enum key_kind kind, struct str text, struct err *e)
{
	unsigned char bytes[KEY_BYTES_MAX];
	struct privkey *k = NULL;
	EVP_PKEY *pkey = NULL;
	size_t n;

	text = without_edges(text);
	if (str_starts(text, STR("whsk_")))
		text = str_skip(text, 5);
	if (text.n > KEY_BYTES_MAX)
		goto out;
	if (str_starts(text, STR("-----BEGIN")))
		pkey = from_pem(text, true);
	else if (decode_any(text, bytes, sizeof(bytes), &n)) {
		if (kind == KEY_ED25519 && (n == 32 || n == 64))
			pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519,
			    NULL, bytes, 32);
		else if (kind != KEY_ED25519 && n == 32)
			pkey = p256_from_scalar(bytes);
	}
	if (pkey != NULL && kind_fits(kind, pkey) &&
	    (k = calloc(1, sizeof(*k))) != NULL) {
		k->kind = kind;
		k->pkey = pkey;
		pkey = NULL;
	}
out:
	OPENSSL_cleanse(bytes, sizeof(bytes));
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	if (k == NULL)
		err_set(e, ERR_CONF, "it is not a private key of %s: PEM, or hex "
		    "or base64 of its 32 bytes", kind_name(kind));
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

/* ASN.1 -> r and s of 32 bytes each. */
static bool
der_to_raw(unsigned char *sig, size_t *len)
{
	const unsigned char *p = sig;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)*len);
	bool ok = s != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, 32) == 32 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + 32, 32) == 32;

	ECDSA_SIG_free(s);
	*len = 64;
	return ok;
}

bool
privkey_sign(const struct privkey *k, const struct str *pieces, size_t n,
    unsigned char out[KEY_SIGNATURE_MAX], size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct str whole;
	char *mem = NULL;
	bool ok = false;

	*len = KEY_SIGNATURE_MAX;
	if (ctx == NULL || !joined(pieces, n, &whole, &mem))
		goto out;
	if (EVP_DigestSignInit(ctx, NULL, k->kind == KEY_ED25519 ? NULL :
	    EVP_sha256(), NULL, k->pkey) != 1 ||
	    EVP_DigestSign(ctx, out, len,
	    (const unsigned char *)(whole.n > 0 ? whole.p : ""), whole.n) != 1)
		goto out;
	ok = k->kind != KEY_P256_RAW || der_to_raw(out, len);
out:
	free(mem);
	EVP_MD_CTX_free(ctx);
	return ok;
}
