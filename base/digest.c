/* digest.c - SHA-256, plain and keyed, by libcrypto. */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include "digest.h"

/*
 * libcrypto fails here only without memory or without its own provider.  A
 * digest that is wrong would make two events one, so neither is survived.
 */
static void
must(int ok)
{
	if (ok != 1)
		abort();
}

void
digest_sha256(struct str s, unsigned char out[32])
{
	/* The one-shot function: no context to allocate and look up. */
	if (SHA256((const unsigned char *)(s.n == 0 ? "" : s.p), s.n,
	    out) == NULL)
		abort();
}

struct sha256 {
	EVP_MD_CTX	*md;
};

struct sha256 *
sha256_new(void)
{
	struct sha256 *h = malloc(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->md = EVP_MD_CTX_new();
	if (h->md == NULL ||
	    EVP_DigestInit_ex(h->md, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(h->md);
		free(h);
		return NULL;
	}
	return h;
}

void
sha256_add(struct sha256 *h, struct str s)
{
	if (s.n > 0)
		must(EVP_DigestUpdate(h->md, s.p, s.n));
}

void
sha256_end(struct sha256 *h, unsigned char out[32])
{
	must(EVP_DigestFinal_ex(h->md, out, NULL));
	EVP_MD_CTX_free(h->md);
	free(h);
}

struct hmac {
	EVP_MAC_CTX	*ctx;
};

struct hmac *
hmac_new(struct str key)
{
	OSSL_PARAM sha256[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (char []){ "SHA256" },
		    6),
		OSSL_PARAM_END,
	};
	struct hmac *h = malloc(sizeof(*h));
	EVP_MAC *mac;

	if (h == NULL)
		return NULL;
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	h->ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);	/* the context holds it as well */
	/* A key of no bytes is one; NULL would mean the key of before. */
	if (h->ctx == NULL || EVP_MAC_init(h->ctx,
	    (const unsigned char *)(key.n == 0 ? "" : key.p), key.n, sha256) != 1) {
		EVP_MAC_CTX_free(h->ctx);
		free(h);
		return NULL;
	}
	return h;
}

bool
digest_hmac_sha1(struct str key, struct str text, unsigned char out[20])
{
	size_t n = 0;

	return EVP_Q_mac(NULL, "HMAC", NULL, "SHA1", NULL, key.n == 0 ? "" : key.p,
	    key.n, (const unsigned char *)(text.n == 0 ? "" : text.p), text.n, out, 20,
	    &n) != NULL && n == 20;
}

void
hmac_add(struct hmac *h, struct str s)
{
	if (s.n > 0)
		must(EVP_MAC_update(h->ctx, (const unsigned char *)s.p, s.n));
}

void
hmac_end(struct hmac *h, unsigned char out[32])
{
	size_t n = 0;

	must(EVP_MAC_final(h->ctx, out, &n, 32));
	must(n == 32);
	EVP_MAC_CTX_free(h->ctx);	/* wipes the key */
	free(h);
}
