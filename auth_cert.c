/*
 * auth_cert.c - see auth_cert.h.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auth_cert.h"
#include "base/codec.h"

#define CERTS_MAX	8
#define NAME_MAX_	256

static bool
is_pem(struct str s)
{
	return str_starts(s, STR("-----BEGIN"));
}

/* Left to itself libcrypto would ask the terminal, and wait. */
static int
no_password(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static X509 *
pem_next(BIO *bio)
{
	return PEM_read_bio_X509(bio, NULL, no_password, NULL);
}

static X509 *
pem_one(struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *cert = bio == NULL ? NULL : pem_next(bio);

	BIO_free(bio);
	return cert;
}

bool
cert_rule_check(const struct cert_rule *rule, struct err *e)
{
	unsigned char digest[32];
	size_t n;

	for (size_t i = 0; i < rule->nroots; i++) {
		X509 *cert = NULL;
		bool fine = is_pem(rule->roots[i]) ?
		    (cert = pem_one(rule->roots[i])) != NULL :
		    hex_decode(rule->roots[i], digest, sizeof(digest), &n) &&
		    n == sizeof(digest);

		X509_free(cert);
		if (!fine)
			return err_set(e, ERR_CONF, "a root is PEM, or the SHA-256 "
			    "of its DER in hex") == 0;
	}
	for (size_t i = 0; i < rule->noids; i++) {
		char oid[128];
		ASN1_OBJECT *o;

		snprintf(oid, sizeof(oid), "%.*s",
		    STR_ARG(str_head(rule->oids[i], sizeof(oid) - 1)));
		if ((o = OBJ_txt2obj(oid, 1)) == NULL)
			return err_set(e, ERR_CONF, "\"%s\" is no OID", oid) == 0;
		ASN1_OBJECT_free(o);
	}
	ERR_clear_error();
	return true;
}

/* --- what one certificate must be ---------------------------------------------- */

static bool
has_oid(const X509 *cert, struct str text)
{
	char oid[128];
	ASN1_OBJECT *o;
	bool has;

	snprintf(oid, sizeof(oid), "%.*s", STR_ARG(str_head(text, sizeof(oid) - 1)));
	if ((o = OBJ_txt2obj(oid, 1)) == NULL)
		return false;
	has = X509_get_ext_by_OBJ(cert, o, -1) >= 0;
	ASN1_OBJECT_free(o);
	return has;
}

/* The one common name; what it holds beyond printable ASCII is no name. */
static bool
name_fits(const X509 *cert, struct str wanted)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *data;
	struct str name;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return false;
	data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	name = (struct str){ (const char *)ASN1_STRING_get0_data(data),
	    (size_t)ASN1_STRING_length(data) };
	if (name.n > NAME_MAX_ || !str_printable(name))
		return false;
	if (str_starts(wanted, STR("*."))) {
		wanted = str_skip(wanted, 1);
		return name.n > wanted.n && str_eq_nocase(
		    str_skip(name, name.n - wanted.n), wanted);
	}
	return str_eq_nocase(name, wanted);
}

/* A certificate's own time, in ms; false when it cannot be read. */
static bool
time_of(const ASN1_TIME *t, int64_t *ms)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	*ms = (int64_t)timegm(&tm) * 1000;
	return true;
}

/* --- the chain -------------------------------------------------------------------- */

struct chain {
	X509		*leaf;
	STACK_OF(X509)	*others;
	X509		*all[CERTS_MAX];	/* the leaf too; freed at the end */
	size_t		 n;
};

static void
chain_free(struct chain *c)
{
	for (size_t i = 0; i < c->n; i++)
		X509_free(c->all[i]);
	sk_X509_free(c->others);
	ERR_clear_error();
}

static bool
is_root(const X509 *cert, struct str hex)
{
	unsigned char wanted[32], digest[32];
	unsigned len = 0;
	size_t n;

	return hex_decode(hex, wanted, sizeof(wanted), &n) &&
	    n == sizeof(wanted) &&
	    X509_digest(cert, EVP_sha256(), digest, &len) == 1 &&
	    len == sizeof(digest) && memcmp(wanted, digest, sizeof(digest)) == 0;
}

/* The roots that the rule names, of those it holds and those that came along. */
static bool
add_roots(X509_STORE *store, const struct chain *c, const struct cert_rule *rule)
{
	bool any = false;

	for (size_t i = 0; i < rule->nroots; i++) {
		if (is_pem(rule->roots[i])) {
			X509 *root = pem_one(rule->roots[i]);

			any |= root != NULL && X509_STORE_add_cert(store, root) == 1;
			X509_free(root);
			continue;
		}
		for (size_t j = 0; j < c->n; j++)
			if (is_root(c->all[j], rule->roots[i]))
				any |= X509_STORE_add_cert(store, c->all[j]) == 1;
	}
	return any;
}

static int
verify_chain(const struct chain *c, const struct cert_rule *rule, int64_t now,
    struct err *e)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *built;
	int rc = -1;

	if (store == NULL || ctx == NULL) {
		err_set(e, ERR_OS, "no memory for a chain of certificates");
		goto out;
	}
	if (!add_roots(store, c, rule)) {
		err_set(e, ERR_DATA, "the certificate is not from a root that the "
		    "provider's file names");
		goto out;
	}
	if (X509_STORE_CTX_init(ctx, store, c->leaf, c->others) != 1)
		goto out;
	X509_STORE_CTX_set_time(ctx, 0, (time_t)(now / 1000));
	/* No SHA-1 below the root, no RSA below 2048 bits. */
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), 2);
	if (X509_verify_cert(ctx) != 1) {
		err_set(e, ERR_DATA, "the certificate's chain does not hold: %s",
		    X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
		goto out;
	}
	built = X509_STORE_CTX_get0_chain(ctx);
	for (size_t i = 0; i < rule->noids; i++)
		if ((int)i >= sk_X509_num(built) ||
		    !has_oid(sk_X509_value(built, (int)i), rule->oids[i])) {
			err_set(e, ERR_DATA, "certificate %zu of the chain lacks the "
			    "extension %.*s", i, STR_ARG(rule->oids[i]));
			goto out;
		}
	rc = 0;
out:
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return rc;
}

static struct pubkey *
chain_key(const struct chain *c, const struct cert_rule *rule, int64_t now,
    int64_t *until, struct err *e)
{
	int64_t from;

	if (!time_of(X509_get0_notBefore(c->leaf), &from) ||
	    !time_of(X509_get0_notAfter(c->leaf), until)) {
		err_set(e, ERR_DATA, "the certificate says no time");
		return NULL;
	}
	if (now < from || now > *until) {
		err_set(e, ERR_DATA, "the certificate is %s",
		    now < from ? "not valid yet" : "no longer valid");
		return NULL;
	}
	if (rule->name.n > 0 && !name_fits(c->leaf, rule->name)) {
		err_set(e, ERR_DATA, "the certificate is not for %.*s",
		    STR_ARG(rule->name));
		return NULL;
	}
	if (rule->nroots > 0 && verify_chain(c, rule, now, e) != 0)
		return NULL;
	return pubkey_of(X509_get_pubkey(c->leaf), e);
}

/* Takes the certificate over. */
static bool
chain_add(struct chain *c, X509 *cert)
{
	if (cert == NULL || c->n == CERTS_MAX) {
		X509_free(cert);
		return false;
	}
	c->all[c->n++] = cert;
	if (c->leaf == NULL)
		c->leaf = cert;
	else if (sk_X509_push(c->others, cert) == 0)
		return false;
	return true;
}

struct pubkey *
cert_key(const struct str *certs, size_t n, const struct cert_rule *rule,
    int64_t now, int64_t *until, struct err *e)
{
	struct chain c = { .others = sk_X509_new_null() };
	struct pubkey *k = NULL;

	for (size_t i = 0; i < n; i++) {
		const unsigned char *p = (const unsigned char *)certs[i].p;

		if (c.others == NULL || !chain_add(&c, d2i_X509(NULL, &p,
		    (long)certs[i].n)) || (size_t)(p -
		    (const unsigned char *)certs[i].p) != certs[i].n) {
			err_set(e, ERR_DATA, "certificate %zu is none", i);
			goto out;
		}
	}
	if (c.leaf == NULL)
		err_set(e, ERR_DATA, "there is no certificate");
	else
		k = chain_key(&c, rule, now, until, e);
out:
	chain_free(&c);
	return k;
}

struct pubkey *
cert_key_pem(struct str pem, const struct cert_rule *rule, int64_t now,
    int64_t *until, struct err *e)
{
	struct chain c = { .others = sk_X509_new_null() };
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	struct pubkey *k = NULL;

	while (bio != NULL && c.others != NULL && c.n < CERTS_MAX)
		if (!chain_add(&c, pem_next(bio)))
			break;
	if (c.leaf == NULL)
		err_set(e, ERR_DATA, "there is no certificate in what was fetched");
	else
		k = chain_key(&c, rule, now, until, e);
	BIO_free(bio);
	chain_free(&c);
	return k;
}
