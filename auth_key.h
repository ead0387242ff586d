/*
 * auth_key.h - public keys: "does this signature fit this key and these bytes?"
 * A leaf: it knows keys and bytes, not providers.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include "base/err.h"
#include "base/str.h"

enum key_kind {
	KEY_ED25519,		/* RFC 8032, pure; the signature is 64 bytes */
	KEY_P256_DER,		/* ECDSA, P-256, SHA-256; ASN.1 */
	KEY_P256_RAW,		/* the same; r and s, 32 bytes each */
};

#define KEY_SIGNATURE_MAX	80	/* bytes of the longest */

struct pubkey;

/*
 * From PEM ("-----BEGIN PUBLIC KEY-----"), or hex or base64 (either alphabet) of
 * the raw key (Ed25519: 32 bytes; P-256: 65, uncompressed, or 33) or of SPKI.
 * NULL and a sentence when it is none of these, or of another kind.
 */
struct pubkey	*pubkey_new(enum key_kind, struct str text, struct err *);
void		 pubkey_free(struct pubkey *);	/* takes NULL */

bool		 pubkey_fits(const struct pubkey *, const struct str *pieces,
		    size_t n, struct str signature);

/*
 * The inverse, for auth_sign.c alone: a private key as PEM, or hex or base64 of
 * Ed25519's seed or of P-256's scalar (32 bytes; Ed25519 also seed and public key,
 * 64).
 */
struct privkey;
struct privkey	*privkey_new(enum key_kind, struct str text, struct err *);
void		 privkey_free(struct privkey *);
bool		 privkey_sign(const struct privkey *, const struct str *pieces,
		    size_t n, unsigned char out[KEY_SIGNATURE_MAX], size_t *len);

#endif
