/*
 * auth_cert.h - X.509 certificates: "whose key is this, and who says so?"
 *
 * A leaf.  Certificates come from a provider's host or inside a token; what they
 * must be is said by the provider's file.  Revocation is not asked: nobody here may
 * go out to ask.
 */
#ifndef AUTH_CERT_H
#define AUTH_CERT_H

#include "auth_key.h"

struct cert_rule {
	/*
	 * Who must have issued it in the end: PEM of a root, or the SHA-256 of one's
	 * DER in hex (then the root itself must come with the others).  PEM of an
	 * issuer in between helps where that does not come along; it is no end.  None:
	 * the host that it was fetched from is trusted, and the chain is not looked at.
	 */
	const struct str *roots;
	size_t		 nroots;
	/* The subject's common name: "*.example.com" any in that domain; .n == 0: any. */
	struct str	 name;
	/* Extensions that must be there, by OID: of the leaf, of its issuer, ... */
	const struct str *oids;
	size_t		 noids;
};

/* false and a sentence when the file's rule cannot be kept by anybody. */
bool		 cert_rule_check(const struct cert_rule *, struct err *);

/*
 * The leaf's public key.  certs: DER, the leaf first.  now: ms, within which all
 * that is looked at must be valid; *until: until when it is.  NULL and a sentence.
 */
struct pubkey	*cert_key(const struct str *certs, size_t n,
		    const struct cert_rule *, int64_t now, int64_t *until,
		    struct err *);

/* The same from PEM: one certificate or several, the leaf first. */
struct pubkey	*cert_key_pem(struct str pem, const struct cert_rule *,
		    int64_t now, int64_t *until, struct err *);

#endif
