/*
 * auth_key.h - public keys: "does this signature fit this key and these bytes?"
 *
 * A leaf: it knows keys and bytes, not providers.  A key says what it is (its
 * type); how a signature was made with it (hash, padding, how r and s are written)
 * is said by whoever asks, and never by the request.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include "auth_mac.h"
#include "base/err.h"
#include "base/str.h"

enum key_type {
	KEY_ED25519,		/* RFC 8032, pure */
	KEY_P256, KEY_P384, KEY_P521,	/* ECDSA, FIPS 186-4 */
	KEY_RSA,		/* of 2048 to 8192 bits, RFC 8017 */
	KEY_TYPES
};

enum sig_form {
	SIG_PLAIN,		/* 64 bytes of Ed25519; ECDSA as ASN.1; PKCS#1 v1.5 */
	SIG_RAW,		/* ECDSA's r and s, each as long as the field */
	SIG_PSS,		/* RSA; MGF1 and salt as long as the hash */
};

struct key_scheme {
	enum key_type	 type;
	enum hash	 hash;		/* Ed25519 has its own */
	enum sig_form	 form;
};

#define KEY_SIGNATURE_MAX	1024	/* bytes of the longest: RSA of 8192 bits */

const char	*key_type_name(enum key_type);		/* "P-256" */

struct pubkey;

/*
 * From PEM (a public key or a certificate, whose key it is then; line breaks may be
 * missing or written "\n"), or a JWK (RFC 7517), or hex or base64 (either alphabet)
 * of the raw key (Ed25519: 32 bytes; a point: compressed or not) or of SPKI.  NULL
 * and a sentence when it is none of these, or of another type.
 */
struct pubkey	*pubkey_new(enum key_type, struct str text, struct err *);

/*
 * From a JWK, whatever its type; NULL and a sentence when it is of no type that we
 * know, a secret ("oct"), or meant for something else than signatures ("use").
 */
struct pubkey	*pubkey_jwk(struct str json, struct err *);

/* From libcrypto's, of any type that we know; it is taken over in any case. */
struct evp_pkey_st;
struct pubkey	*pubkey_of(struct evp_pkey_st *, struct err *);

void		 pubkey_free(struct pubkey *);	/* takes NULL */
enum key_type	 pubkey_type(const struct pubkey *);

/* Never when the key is of another type than the scheme's. */
bool		 pubkey_fits(const struct pubkey *, const struct key_scheme *,
		    const struct str *pieces, size_t n, struct str signature);

/*
 * The inverse, for auth_sign.c alone: a private key as PEM, or hex or base64 of
 * Ed25519's seed or of P-256's scalar (32 bytes; Ed25519 also seed and public key,
 * 64).
 */
struct privkey;
struct privkey	*privkey_new(enum key_type, struct str text, struct err *);
void		 privkey_free(struct privkey *);
bool		 privkey_sign(const struct privkey *, const struct key_scheme *,
		    const struct str *pieces, size_t n,
		    unsigned char out[KEY_SIGNATURE_MAX], size_t *len);

#endif
