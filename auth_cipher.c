/*
 * auth_cipher.c - see auth_cipher.h.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <limits.h>

#include "auth_cipher.h"
#include "auth_mac.h"

#define BLOCK	16

struct str
cipher_open(struct arena *a, struct str secret, struct str sealed)
{
	unsigned char key[HASH_MAX];
	const unsigned char *p = (const unsigned char *)sealed.p;
	EVP_CIPHER_CTX *ctx = NULL;
	struct str out = STR_NONE;
	unsigned char *text;
	int n = 0, last = 0;

	if (secret.n == 0 || sealed.n < 2 * BLOCK || sealed.n % BLOCK != 0 ||
	    sealed.n > INT_MAX / 2 ||
	    !hash_pieces(HASH_SHA256, &secret, 1, key))
		return STR_NONE;
	text = (unsigned char *)arena_bytes(a, sealed.n);
	if (text != NULL && (ctx = EVP_CIPHER_CTX_new()) != NULL &&
	    EVP_DecryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, p) == 1 &&
	    EVP_DecryptUpdate(ctx, text, &n, p + BLOCK,
	    (int)sealed.n - BLOCK) == 1 &&
	    EVP_DecryptFinal_ex(ctx, text + n, &last) == 1)
		out = (struct str){ (const char *)text, (size_t)(n + last) };
	EVP_CIPHER_CTX_free(ctx);
	OPENSSL_cleanse(key, sizeof(key));
	ERR_clear_error();
	return out;
}
