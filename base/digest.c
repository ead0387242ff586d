/* digest.c - SHA-256 by libcrypto. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
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
