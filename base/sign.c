/* sign.c - see sign.h. */
#include <limits.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "sign.h"

/* Nobody is asked for a password: the courier has no terminal. */
static int
no_password(char *p, int n, int writing, void *arg)
{
	(void)p, (void)n, (void)writing, (void)arg;
	return -1;
}

static EVP_PKEY *
read_key(struct str pem)
{
	BIO *in = pem.n > INT_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = NULL;

	if (in != NULL)
		key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
	BIO_free(in);
	return key;
}

int
sign_rs256(struct str pem, struct str text, struct arena *a, struct str *signature,
    struct err *e)
{
	EVP_PKEY *key = read_key(pem);
	EVP_MD_CTX *md = NULL;
	size_t n = SIGN_RSA_MAX;
	char *out;
	int rc = -1;

	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
		err_set(e, ERR_CONF, "the private key is no RSA key in PEM without a "
		    "password");
		goto out;
	}
	if ((md = EVP_MD_CTX_new()) == NULL || (out = arena_bytes(a, n)) == NULL) {
		err_set(e, ERR_OS, "there was no memory to sign");
		goto out;
	}
	if (EVP_PKEY_get_size(key) > SIGN_RSA_MAX ||
	    EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(md, (unsigned char *)out, &n,
	    (const unsigned char *)text.p, text.n) != 1) {
		err_set(e, ERR_CONF, "the private key does not sign");
		goto out;
	}
	*signature = (struct str){ out, n };
	rc = 0;
out:
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	return rc;
}
