/*
 * test_keys.c - tokens, public keys, certificates, and the keys that are not in the
 * configuration: who may sign, and who may not although he nearly could.
 *
 * Keys, certificates and tokens are made here with libcrypto alone, so that what
 * judges does not also make what is judged.  In the files of these tables ' is ".
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "auth.h"
#include "auth_cert.h"
#include "auth_jws.h"
#include "auth_key.h"
#include "base/arena.h"
#include "keyring.h"
#include "test.h"

#define COUNT(t)	(sizeof(t) / sizeof((t)[0]))
#define T		1700000000000	/* the clock, ms */
#define B		"{\"id\":\"evt_1\"}"

static struct arena *arena;
static EVP_PKEY *ed, *p256, *p256_other, *p384, *rsa, *rsa_other;

static struct str __attribute__((format(printf, 1, 2)))
text(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = arena_bytes(arena, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	for (int i = 0; i < n; i++)
		if (p[i] == '\'')
			p[i] = '"';
	return (struct str){ p, (size_t)n };
}

/* --- making keys --------------------------------------------------------------- */

static EVP_PKEY *
make_curve(const char *group)
{
	return EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);
}

static EVP_PKEY *
make_rsa(size_t bits)
{
	return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);
}

/* RSA of that exponent. */
static EVP_PKEY *
make_rsa_of(unsigned bits, const char *exponent)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *k = NULL;
	BIGNUM *e = NULL;

	BN_dec2bn(&e, exponent);
	if (EVP_PKEY_keygen_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) == 1 &&
	    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) == 1)
		EVP_PKEY_generate(ctx, &k);
	BN_free(e);
	EVP_PKEY_CTX_free(ctx);
	return k;
}

static struct str
b64url(const void *p, size_t n)
{
	return base64url_encode(arena, (struct str){ p, n });
}

static struct str
number64(EVP_PKEY *k, const char *param, size_t size)
{
	unsigned char bytes[1100];
	BIGNUM *n = NULL;

	if (EVP_PKEY_get_bn_param(k, param, &n) != 1)
		abort();
	if (size == 0)
		size = (size_t)BN_num_bytes(n);
	if (BN_bn2binpad(n, bytes, (int)size) != (int)size)
		abort();
	BN_free(n);
	return b64url(bytes, size);
}

/* Its public half as a JWK, with more members behind. */
static struct str
jwk(EVP_PKEY *k, const char *more)
{
	unsigned char raw[32];
	size_t n = sizeof(raw);

	if (EVP_PKEY_is_a(k, "ED25519")) {
		EVP_PKEY_get_raw_public_key(k, raw, &n);
		return text("{'kty':'OKP','crv':'Ed25519','x':'%.*s'%s}",
		    STR_ARG(b64url(raw, n)), more);
	}
	if (EVP_PKEY_is_a(k, "RSA"))
		return text("{'kty':'RSA','n':'%.*s','e':'%.*s'%s}",
		    STR_ARG(number64(k, OSSL_PKEY_PARAM_RSA_N, 0)),
		    STR_ARG(number64(k, OSSL_PKEY_PARAM_RSA_E, 0)), more);
	n = EVP_PKEY_get_bits(k) == 256 ? 32 : 48;
	return text("{'kty':'EC','crv':'P-%d','x':'%.*s','y':'%.*s'%s}",
	    EVP_PKEY_get_bits(k),
	    STR_ARG(number64(k, OSSL_PKEY_PARAM_EC_PUB_X, n)),
	    STR_ARG(number64(k, OSSL_PKEY_PARAM_EC_PUB_Y, n)), more);
}

static struct str
of_bio(BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	struct str s = arena_str(arena, (struct str){ p, (size_t)n });

	BIO_free(bio);
	return s;
}

static struct str
pem(EVP_PKEY *k)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_PUBKEY(bio, k);
	return of_bio(bio);
}

/* --- signing ---------------------------------------------------------------------- */

/* r and s as long as the field, as JWS has them. */
static struct str
raw_of_der(const unsigned char *der, size_t n, size_t size)
{
	const unsigned char *p = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
	char *out = arena_bytes(arena, 2 * size);

	if (sig == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(sig),
	    (unsigned char *)out, (int)size) < 0 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), (unsigned char *)out + size,
	    (int)size) < 0)
		abort();
	ECDSA_SIG_free(sig);
	return (struct str){ out, 2 * size };
}

/* md NULL: Ed25519.  salt: of PSS, or -1: PKCS#1 v1.5. */
static struct str
sign(EVP_PKEY *k, const char *md, int salt, struct str m)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	unsigned char *out = (unsigned char *)arena_bytes(arena, 2048);
	size_t n = 2048;

	if (EVP_DigestSignInit_ex(ctx, &pctx, md, NULL, NULL, k, NULL) != 1 ||
	    (salt >= 0 && (EVP_PKEY_CTX_set_rsa_padding(pctx,
	    RSA_PKCS1_PSS_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt) != 1)) ||
	    EVP_DigestSign(ctx, out, &n, (const unsigned char *)m.p, m.n) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
	return (struct str){ (char *)out, n };
}

static struct str
hmac256(struct str key, struct str m)
{
	char *out = arena_bytes(arena, 32);
	unsigned n = 32;

	HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)m.p, m.n,
	    (unsigned char *)out, &n);
	return (struct str){ out, n };
}

static struct str
joined(struct str a, const char *sep, struct str b)
{
	return arena_join(arena, (const struct str[]){ a, str_of(sep), b }, 3);
}

/* "header.payload.signature"; key and salt as sign(); payload: what is signed. */
static struct str
token(struct str header, struct str payload, EVP_PKEY *k, const char *md, int salt)
{
	struct str input = joined(b64url(header.p, header.n), ".",
	    b64url(payload.p, payload.n));
	struct str sig = sign(k, md, salt, input);

	if (EVP_PKEY_is_a(k, "EC"))
		sig = raw_of_der((const unsigned char *)sig.p, sig.n,
		    EVP_PKEY_get_bits(k) == 256 ? 32 : 48);
	return joined(input, ".", b64url(sig.p, sig.n));
}

static struct str
es256(const char *header, const char *claims)
{
	return token(text("%s", header), text("%s", claims), p256, "SHA256", -1);
}

/* --- judging ---------------------------------------------------------------------- */

static const struct hook hook_a = { .path = STR("/a"), .provider = STR("own"),
	.where = STR(""), .window = -1 };

static const struct hook hook_b = { .path = STR("/b"), .provider = STR("own"),
	.where = STR(""), .window = -1 };

static struct provider *
provider_of(const char *file)
{
	struct err e = { .text = "" };
	struct provider *p = provider_read(text("%s", file), STR("own"), "p.json",
	    &e);

	CHECKF(p != NULL, "a good file: %s: %s", file, e.text);
	if (p == NULL)
		exit(1);
	return p;
}

/* Without a key of its own; what its URL may name is given. */
static struct route *
route_fetching(const struct provider *p, const struct hook *h)
{
	static const struct str issuer = STR("https://id.example");
	static const struct texts params[PARAM_COUNT] = {
		[PARAM_ISSUER] = { &issuer, 1 } };
	struct err e = { .text = "" };
	struct route *r = route_new(p, h, NULL, NULL, 0, params, &e);

	CHECKF(r != NULL, "a route that fetches: %s", e.text);
	if (r == NULL)
		exit(1);
	return r;
}

static struct route *
route_with(const struct provider *p, const struct hook *h, struct str secret,
    struct str public)
{
	static const struct str name = STR("one");
	struct texts params[PARAM_COUNT] = { [PARAM_PUBLIC_KEY] = {
	    &public, public.n > 0 } };
	struct str *kept = arena_alloc(arena, sizeof(*kept));
	struct err e = { .text = "" };
	struct route *r;

	*kept = public;
	params[PARAM_PUBLIC_KEY].v = kept;
	r = route_new(p, h, &name, &secret, secret.n > 0, params, &e);
	CHECKF(r != NULL, "a route: %s", e.text);
	if (r == NULL)
		exit(1);
	return r;
}

/* A request with one header "X-T", or a query, or a body. */
static struct request
request_with(struct str header, const char *target, struct str body)
{
	char *env[] = {
		(char *)(uintptr_t)"REQUEST_METHOD=POST",
		(char *)(uintptr_t)joined(STR("REQUEST_URI="), "",
		    str_of(target)).p,
		(char *)(uintptr_t)"CONTENT_TYPE=application/json",
		(char *)(uintptr_t)joined(STR("HTTP_X_T="), "", header).p,
		NULL
	};
	struct request q;

	if (request_init(&q, arena, env) != 0)
		abort();
	q.body = body;
	return q;
}

static struct verdict
judged(const struct route *r, struct str header, const char *body,
    const struct keyring *ring, int64_t now)
{
	struct request *q = arena_alloc(arena, sizeof(*q));

	*q = request_with(header, "/a", text("%s", body));
	return auth_verify(r, q, ring, now);
}

/* --- tokens ------------------------------------------------------------------------ */

#define ES256	"{'signature':{'header':'X-T','algorithm':'jws-es256'}}"

/* The header of a token: one that is fine, and all that is not. */
static void
test_token_headers(void)
{
	static const struct {
		const char *says, *header;
		enum verdict_code want;
	} t[] = {
		{ "the file's algorithm", "{'alg':'ES256'}", VERDICT_GENUINE },
		{ "with a type", "{'typ':'JWT','alg':'ES256'}", VERDICT_GENUINE },
		{ "a key of its own is not looked at", "{'alg':'ES256','jwk':{'kty':"
		    "'EC'},'jku':'https://evil.example/'}", VERDICT_GENUINE },
		{ "no algorithm", "{'typ':'JWT'}", VERDICT_FORGED },
		{ "\"none\"", "{'alg':'none'}", VERDICT_FORGED },
		{ "in other letters", "{'alg':'es256'}", VERDICT_FORGED },
		{ "another", "{'alg':'ES384'}", VERDICT_FORGED },
		{ "twice", "{'alg':'ES256','alg':'ES256'}", VERDICT_FORGED },
		{ "a critical extension twice", "{'alg':'ES256','crit':['exp'],"
		    "'crit':['exp'],'exp':1}", VERDICT_FORGED },
		{ "\"b64\" twice", "{'alg':'ES256','b64':false,'b64':false}",
		    VERDICT_FORGED },
		{ "a key's name twice", "{'alg':'ES256','kid':'a','kid':'b'}",
		    VERDICT_FORGED },
		{ "a key's name twice, written otherwise", "{'alg':'ES256','kid':'a',"
		    "'k\\u0069d':'b'}", VERDICT_FORGED },
		{ "a key's name once", "{'alg':'ES256','kid':'a'}", VERDICT_GENUINE },
		{ "no text", "{'alg':['ES256']}", VERDICT_FORGED },
		{ "a critical extension", "{'alg':'ES256','crit':['exp'],'exp':1}",
		    VERDICT_FORGED },
		{ "an empty list of them", "{'alg':'ES256','crit':[]}",
		    VERDICT_FORGED },
		{ "one that is no list", "{'alg':'ES256','crit':'b64','b64':false}",
		    VERDICT_FORGED },
		{ "a payload that is not encoded", "{'alg':'ES256','crit':['b64'],"
		    "'b64':false}", VERDICT_FORGED },
		{ "the same, not critical", "{'alg':'ES256','b64':false}",
		    VERDICT_FORGED },
		{ "one that is, said aloud", "{'alg':'ES256','b64':true}",
		    VERDICT_GENUINE },
		{ "a key's name that is none", "{'alg':'ES256','kid':1}",
		    VERDICT_FORGED },
		{ "a list", "['ES256']", VERDICT_FORGED },
		{ "no JSON", "{'alg':'ES256'", VERDICT_FORGED },
		{ "more behind it", "{'alg':'ES256'}{}", VERDICT_FORGED },
	};
	struct provider *p = provider_of(ES256);
	struct route *r = route_with(p, &hook_a, STR(""), pem(p256));

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verdict v = judged(r, es256(t[i].header, "{'a':1}"), B,
		    NULL, T);

		CHECKF(v.code == t[i].want, "a token's header, %s: %s, %s",
		    t[i].says, verdict_name(v.code), v.reason);
	}
	route_free(r);
	provider_free(p);
}

/* The text of a token, cut and changed. */
static void
test_token_texts(void)
{
	struct provider *p = provider_of(ES256);
	struct route *r = route_with(p, &hook_a, STR(""), pem(p256));
	struct str good = es256("{'alg':'ES256'}", "{'a':1}"), bad;
	struct str other = es256("{'alg':'ES256'}", "{'a':2}");
	struct str rest = good, head = str_cut(&rest, '.'), body = str_cut(&rest,
	    '.'), zero;
	struct { const char *says; struct str token; } t[16];
	size_t n = 0;

	CHECK(judged(r, good, B, NULL, T).code == VERDICT_GENUINE,
	    "a token holds");
	zero = arena_str(arena, good);
	memset((char *)(uintptr_t)zero.p + head.n + body.n + 2, 'A', rest.n);
	t[n].says = "without its signature", t[n++].token = str_head(good,
	    head.n + body.n + 2);
	t[n].says = "without its last part", t[n++].token = str_head(good,
	    head.n + body.n + 1);
	t[n].says = "with a part more", t[n++].token = joined(good, ".", STR(""));
	t[n].says = "with padding", t[n++].token = joined(good, "==", STR(""));
	t[n].says = "cut by a letter", t[n++].token = str_head(good, good.n - 1);
	t[n].says = "with r and s of zero", t[n++].token = zero;
	t[n].says = "with the payload of another", t[n++].token =
	    joined(joined(head, ".", str_skip(str_head(other, head.n + 1 + body.n),
	    head.n + 1)), ".", rest);
	t[n].says = "with the signature of another", t[n++].token =
	    joined(str_head(good, head.n + body.n + 1), ".", str_skip(other,
	    head.n + body.n + 2));
	t[n].says = "without a payload", t[n++].token = joined(head, "..", rest);
	t[n].says = "of dots", t[n++].token = STR("..");
	bad = sign(p256, "SHA256", -1, str_head(good, head.n + body.n + 1));
	t[n].says = "signed as ASN.1", t[n++].token = joined(str_head(good, head.n +
	    body.n + 1), ".", b64url(bad.p, bad.n));
	for (size_t i = 0; i < n; i++) {
		struct verdict v = judged(r, t[i].token, B, NULL, T);

		CHECKF(v.code == VERDICT_FORGED, "a token %s: %s", t[i].says,
		    verdict_name(v.code));
	}
	CHECK(judged(r, STR(""), B, NULL, T).code == VERDICT_ABSENT,
	    "no token is none");
	CHECK(judged(r, joined(good, ", ", good), B, NULL, T).code ==
	    VERDICT_DOUBLED, "two that a web server has joined are refused");
	route_free(r);
	provider_free(p);
}

/* Each algorithm takes what it made, and nothing that another one made. */
static void
test_token_algorithms(void)
{
	struct { const char *name, *jose; EVP_PKEY *k; const char *md; int salt; }
	t[] = {
		{ "es256", "ES256", p256, "SHA256", -1 },
		{ "es384", "ES384", p384, "SHA384", -1 },
		{ "eddsa", "EdDSA", ed, NULL, -1 },
		{ "rs256", "RS256", rsa, "SHA256", -1 },
		{ "rs512", "RS512", rsa, "SHA512", -1 },
		{ "ps256", "PS256", rsa, "SHA256", 32 },
		{ "ps384", "PS384", rsa, "SHA384", 48 },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct str file = text("{'signature':{'header':'X-T','algorithm':"
		    "'jws-%s'}}", t[i].name);
		struct provider *p = provider_of(file.p);
		struct route *r = route_with(p, &hook_a, STR(""), jwk(t[i].k, ""));

		for (size_t j = 0; j < COUNT(t); j++) {
			struct str own = token(text("{'alg':'%s'}", t[j].jose),
			    STR("{}"), t[j].k, t[j].md, t[j].salt);
			/* It says what we want to hear, and is made otherwise. */
			struct str lie = token(text("{'alg':'%s'}", t[i].jose),
			    STR("{}"), t[j].k, t[j].md, t[j].salt);

			CHECKF((judged(r, own, B, NULL, T).code ==
			    VERDICT_GENUINE) == (i == j), "%s and a token of %s",
			    t[i].name, t[j].name);
			CHECKF((judged(r, lie, B, NULL, T).code ==
			    VERDICT_GENUINE) == (i == j), "%s and a token of %s "
			    "that says otherwise", t[i].name, t[j].name);
		}
		route_free(r);
		provider_free(p);
	}
}

/* The oldest of all: what everybody knows as a shared secret. */
static void
test_token_confusion(void)
{
	static const char both[] = "{'signature':["
	    "{'header':'X-T','algorithm':'jws-rs256'},"
	    "{'header':'X-T','algorithm':'jws-hs256'}]}";
	struct str public = pem(rsa), input, forged, good;
	struct provider *p = provider_of(both);
	struct route *r = route_with(p, &hook_a, STR(""), public);

	input = joined(b64url("{\"alg\":\"HS256\"}", 15), ".", b64url("{}", 2));
	forged = hmac256(public, input);
	forged = joined(input, ".", b64url(forged.p, forged.n));
	good = token(text("{'alg':'RS256'}"), STR("{}"), rsa, "SHA256", -1);
	CHECK(judged(r, good, B, NULL, T).code == VERDICT_GENUINE,
	    "a token of RSA holds");
	CHECK(judged(r, forged, B, NULL, T).code == VERDICT_FORGED,
	    "an HMAC with its public key does not");
	route_free(r);

	r = route_with(p, &hook_a, public, STR(""));
	CHECK(judged(r, forged, B, NULL, T).code == VERDICT_GENUINE,
	    "it would if that were the hook's secret");
	route_free(r);
	provider_free(p);
}

/* RFC 7519: what is there must hold, what is required must be there. */
static void
test_token_claims(void)
{
#define CLAIMS(more)	"{'signature':{'header':'X-T','algorithm':'jws-es256'" more "}}"
	static const char *const plain = CLAIMS("");
	static const char *const strict = CLAIMS(",'token':{'require':['exp','iat',"
	    "'nbf','jti'],'leeway':10,'longest':3600}");
	static const char *const audience = CLAIMS(",'also':[{'place':'claim:aud',"
	    "'equals':['one','two']},{'place':'claim:iss','equals':'me',"
	    "'optional':true}]");
	static const struct {
		const char *says, *file, *claims;
		enum verdict_code want;
	} t[] = {
		{ "none", plain, "{}", VERDICT_GENUINE },
		{ "it has not ended", plain, "{'exp':1700000000}", VERDICT_GENUINE },
		{ "within the leeway", plain, "{'exp':1699999941}",
		    VERDICT_GENUINE },
		{ "it has ended", plain, "{'exp':1699999940}", VERDICT_STALE },
		{ "its end in fractions", plain, "{'exp':1700000000.9}",
		    VERDICT_GENUINE },
		{ "its end as a text", plain, "{'exp':'1900000000'}",
		    VERDICT_FORGED },
		{ "its end as null", plain, "{'exp':null}", VERDICT_FORGED },
		{ "its end far beyond any clock", plain, "{'exp':9e99}",
		    VERDICT_FORGED },
		{ "more than a number holds", plain,
		    "{'exp':99999999999999999999999}", VERDICT_FORGED },
		{ "before all time", plain, "{'exp':-1}", VERDICT_FORGED },
		{ "not yet", plain, "{'nbf':1700000061}", VERDICT_STALE },
		{ "now", plain, "{'nbf':1700000060}", VERDICT_GENUINE },
		{ "made tomorrow", plain, "{'iat':1700086400}", VERDICT_STALE },
		{ "all that is required", strict, "{'exp':1700000100,'iat':"
		    "1700000000,'nbf':1700000000,'jti':'x'}", VERDICT_GENUINE },
		{ "no end", strict, "{'iat':1700000000,'nbf':1700000000,'jti':'x'}",
		    VERDICT_FORGED },
		{ "two ends where none is required", plain, "{'exp':1600000000,'exp':"
		    "1600000000}", VERDICT_FORGED },
		{ "from whom, twice", audience, "{'aud':'one','iss':'you','iss':'you'}",
		    VERDICT_FORGED },
		{ "two ends", strict, "{'exp':1700000100,'exp':1700000100,'iat':"
		    "1700000000,'nbf':1700000000,'jti':'x'}", VERDICT_FORGED },
		{ "no id", strict, "{'exp':1700000100,'iat':1700000000,'nbf':"
		    "1700000000}", VERDICT_FORGED },
		{ "too long", strict, "{'exp':1700003601,'iat':1700000000,'nbf':"
		    "1700000000,'jti':'x'}", VERDICT_STALE },
		{ "no object", strict, "[]", VERDICT_FORGED },
		{ "no JSON", strict, "x", VERDICT_FORGED },
		{ "for us", audience, "{'aud':'two'}", VERDICT_GENUINE },
		{ "for us among others", audience, "{'aud':['x','one']}",
		    VERDICT_GENUINE },
		{ "for others", audience, "{'aud':['x','y']}", VERDICT_FORGED },
		{ "for nobody", audience, "{'aud':[]}", VERDICT_FORGED },
		{ "for whom it does not say", audience, "{}", VERDICT_FORGED },
		{ "in a list in a list", audience, "{'aud':[['one']]}",
		    VERDICT_FORGED },
		{ "in an object", audience, "{'aud':{'0':'one'}}", VERDICT_FORGED },
		{ "from us", audience, "{'aud':'one','iss':'me'}",
		    VERDICT_GENUINE },
		{ "from another", audience, "{'aud':'one','iss':'you'}",
		    VERDICT_FORGED },
		{ "from null", audience, "{'aud':'one','iss':null}",
		    VERDICT_FORGED },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct provider *p = provider_of(t[i].file);
		struct route *r = route_with(p, &hook_a, STR(""), pem(p256));
		struct verdict v = judged(r, es256("{'alg':'ES256'}", t[i].claims),
		    B, NULL, T);

		CHECKF(v.code == t[i].want, "claims, %s: %s, %s", t[i].says,
		    verdict_name(v.code), v.reason);
		route_free(r);
		provider_free(p);
	}
}

/* A payload beside the token, encoded or not (RFC 7515, appendix F; RFC 7797). */
static void
test_detached(void)
{
	static const char *const encoded = CLAIMS(",'token':{'detached':true},'signs':"
	    "'{body}'");
	static const char *const bare = CLAIMS(",'token':{'detached':true,'unencoded':"
	    "true},'signs':'{body}'");
	struct str body = text("%s", B), h, input, sig;
	struct provider *p = provider_of(encoded);
	struct route *r = route_with(p, &hook_a, STR(""), pem(p256));
	struct str whole = token(text("{'alg':'ES256'}"), body, p256, "SHA256", -1);
	struct str rest = whole, head = str_cut(&rest, '.');

	str_cut(&rest, '.');
	CHECK(judged(r, joined(head, "..", rest), B, NULL, T).code ==
	    VERDICT_GENUINE, "a detached token holds");
	CHECK(judged(r, joined(head, "..", rest), "{}", NULL, T).code ==
	    VERDICT_FORGED, "not over another body");
	CHECK(judged(r, whole, B, NULL, T).code == VERDICT_FORGED,
	    "nor with its payload in it, which could be another's");
	h = text("{'alg':'ES256','b64':false,'crit':['b64']}");
	input = joined(b64url(h.p, h.n), ".", body);
	sig = sign(p256, "SHA256", -1, input);
	sig = raw_of_der((const unsigned char *)sig.p, sig.n, 32);
	whole = joined(b64url(h.p, h.n), "..", b64url(sig.p, sig.n));
	CHECK(judged(r, whole, B, NULL, T).code == VERDICT_FORGED,
	    "nor signed as it is where the file says encoded");
	route_free(r);
	provider_free(p);

	p = provider_of(bare);
	r = route_with(p, &hook_a, STR(""), pem(p256));
	CHECK(judged(r, whole, B, NULL, T).code == VERDICT_GENUINE,
	    "where it says so, it holds");
	CHECK(judged(r, whole, "{}", NULL, T).code == VERDICT_FORGED,
	    "not over another body");
	CHECK(judged(r, joined(head, "..", rest), B, NULL, T).code ==
	    VERDICT_FORGED, "and an encoded one does not");
	route_free(r);
	provider_free(p);
}

/* --- public keys --------------------------------------------------------------------- */

static bool
is_key(enum key_type type, struct str s)
{
	struct err e;
	struct pubkey *k = pubkey_new(type, s, &e);
	bool is = k != NULL && pubkey_type(k) == type;

	pubkey_free(k);
	return is;
}

static void
test_public_keys(void)
{
	EVP_PKEY *small = make_rsa(1024), *three = make_rsa_of(2048, "3"),
	    *huge = make_rsa_of(2048, "1099511627777"), *k1 = make_curve(
	    "secp256k1"), *x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
	    *pss = EVP_PKEY_Q_keygen(NULL, NULL, "RSA-PSS", (size_t)2048);
	struct str good = jwk(rsa, "");

	CHECK(is_key(KEY_RSA, pem(rsa)) && is_key(KEY_RSA, good), "RSA");
	CHECK(is_key(KEY_RSA, pem(three)), "RSA with 3");
	CHECK(!is_key(KEY_RSA, pem(small)) && !is_key(KEY_RSA, jwk(small, "")),
	    "a short one is weak");
	CHECK(!is_key(KEY_RSA, pem(huge)), "an exponent that takes for ever");
	CHECK(!is_key(KEY_RSA, text("{'kty':'RSA','n':'%.*s','e':'AQ'}",
	    STR_ARG(number64(rsa, OSSL_PKEY_PARAM_RSA_N, 0)))),
	    "an exponent of one signs for everybody");
	CHECK(!is_key(KEY_RSA, text("{'kty':'RSA','n':'%.*s','e':'AAAA'}",
	    STR_ARG(number64(rsa, OSSL_PKEY_PARAM_RSA_N, 0)))),
	    "nor one of zero");
	CHECK(!is_key(KEY_RSA, pem(pss)), "one that is for PSS alone");
	CHECK(!is_key(KEY_P256, pem(k1)) && !is_key(KEY_P384, pem(k1)),
	    "another curve");
	CHECK(!is_key(KEY_ED25519, pem(x25519)), "a key to agree with");
	for (enum key_type type = 0; type < KEY_TYPES; type++) {
		CHECKF(is_key(type, pem(ed)) == (type == KEY_ED25519) &&
		    is_key(type, pem(p256)) == (type == KEY_P256) &&
		    is_key(type, pem(p384)) == (type == KEY_P384) &&
		    is_key(type, pem(rsa)) == (type == KEY_RSA),
		    "%s is nothing else", key_type_name(type));
		CHECKF(is_key(type, jwk(ed, "")) == (type == KEY_ED25519) &&
		    is_key(type, jwk(p256, "")) == (type == KEY_P256) &&
		    is_key(type, jwk(p384, "")) == (type == KEY_P384),
		    "nor as a JWK: %s", key_type_name(type));
	}
	CHECK(is_key(KEY_P256, jwk(p256, ",'use':'sig'")) &&
	    !is_key(KEY_P256, jwk(p256, ",'use':'enc'")), "what it is for");
	EVP_PKEY_free(small);
	EVP_PKEY_free(three);
	EVP_PKEY_free(huge);
	EVP_PKEY_free(k1);
	EVP_PKEY_free(x25519);
	EVP_PKEY_free(pss);
}

/* How a signature is written, and with what: each alone. */
static void
test_signature_forms(void)
{
	static const struct key_scheme der = { KEY_P256, HASH_SHA256, SIG_PLAIN },
	    raw = { KEY_P256, HASH_SHA256, SIG_RAW },
	    old = { KEY_P256, HASH_SHA1, SIG_PLAIN },
	    pkcs = { KEY_RSA, HASH_SHA256, SIG_PLAIN },
	    pkcs1 = { KEY_RSA, HASH_SHA1, SIG_PLAIN },
	    pss = { KEY_RSA, HASH_SHA256, SIG_PSS };
	struct { const char *says; const struct key_scheme *s; struct str sig; }
	    t[16];
	struct str m = STR("message"), d = sign(p256, "SHA256", -1, m),
	    r = raw_of_der((const unsigned char *)d.p, d.n, 32);
	struct err e;
	struct pubkey *on[2] = { pubkey_new(KEY_P256, pem(p256), &e),
	    pubkey_new(KEY_RSA, pem(rsa), &e) };
	size_t n = 0, good;

	t[n].says = "ASN.1", t[n].s = &der, t[n++].sig = d;
	t[n].says = "raw", t[n].s = &raw, t[n++].sig = r;
	t[n].says = "SHA-1", t[n].s = &old, t[n++].sig = sign(p256, "SHA1", -1, m);
	t[n].says = "PKCS#1", t[n].s = &pkcs, t[n++].sig = sign(rsa, "SHA256", -1, m);
	t[n].says = "PKCS#1 with SHA-1", t[n].s = &pkcs1, t[n++].sig = sign(rsa,
	    "SHA1", -1, m);
	t[n].says = "PSS", t[n].s = &pss, t[n++].sig = sign(rsa, "SHA256", 32, m);
	good = n;
	t[n].says = "ASN.1 with a byte more", t[n].s = &der, t[n++].sig = joined(d, "x",
	    STR(""));
	t[n].says = "raw where ASN.1 is wanted", t[n].s = &der, t[n++].sig = r;
	t[n].says = "ASN.1 where raw is wanted", t[n].s = &raw, t[n++].sig = d;
	t[n].says = "half of it", t[n].s = &raw, t[n++].sig = str_head(r, 32);
	t[n].says = "zeros", t[n].s = &raw, t[n++].sig = (struct str){
	    memset(arena_bytes(arena, 64), 0, 64), 64 };
	t[n].says = "another hash", t[n].s = &old, t[n++].sig = d;
	t[n].says = "PSS with a short salt", t[n].s = &pss, t[n++].sig = sign(rsa,
	    "SHA256", 8, m);
	t[n].says = "PSS without one", t[n].s = &pss, t[n++].sig = sign(rsa, "SHA256",
	    0, m);
	t[n].says = "nothing", t[n].s = &pkcs, t[n++].sig = STR("");
	for (size_t i = 0; i < n; i++) {
		struct pubkey *k = on[t[i].s->type == KEY_RSA];

		CHECKF(pubkey_fits(k, t[i].s, &m, 1, t[i].sig) == (i < good),
		    "%s: %s", t[i].says, i < good ? "holds" : "does not hold");
		/* What one refused leaves nothing behind for the next. */
		CHECKF(pubkey_fits(k, t[k == on[0] ? 0 : 3].s, &m, 1,
		    t[k == on[0] ? 0 : 3].sig), "after %s a good one holds",
		    t[i].says);
	}
	CHECK(!pubkey_fits(on[1], &der, &m, 1, d) &&
	    !pubkey_fits(on[0], &pkcs, &m, 1, t[3].sig),
	    "a key of another type fits nothing");
	pubkey_free(on[0]);
	pubkey_free(on[1]);
}

/* --- certificates ------------------------------------------------------------------------ */

#define DAY	(24 * 3600)

/* What a certificate is made of; defaults for what is not said. */
struct made {
	const char	*cn;		/* "leaf" */
	const char	*cn2;		/* a second common name */
	size_t		 cn_len;	/* of one that holds a NUL */
	EVP_PKEY	*key;		/* p256 */
	X509		*issuer;	/* NULL: itself */
	EVP_PKEY	*issuer_key;
	bool		 ca;
	const char	*oid;		/* an extension */
	const char	*usage;		/* keyUsage */
	long		 from, until;	/* seconds from T; 0, 0: a day around it */
	bool		 sha1;
};

static void
add_extension(X509 *c, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *x;

	X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
	if ((x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) == NULL)
		abort();
	X509_add_ext(c, x, -1);
	X509_EXTENSION_free(x);
}

static void
add_oid(X509 *c, const char *oid)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
	X509_EXTENSION *x;

	ASN1_OCTET_STRING_set(data, (const unsigned char *)"\5\0", 2);
	x = X509_EXTENSION_create_by_OBJ(NULL, o, 0, data);
	X509_add_ext(c, x, -1);
	X509_EXTENSION_free(x);
	ASN1_OCTET_STRING_free(data);
	ASN1_OBJECT_free(o);
}

static X509 *
make_cert(struct made m)
{
	static long serial;
	X509 *c = X509_new();
	X509_NAME *name = X509_get_subject_name(c);
	EVP_PKEY *key = m.key != NULL ? m.key : p256;
	time_t now = T / 1000;

	X509_set_version(c, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)
	    (m.cn != NULL ? m.cn : "leaf"), m.cn_len > 0 ? (int)m.cn_len : -1, -1, 0);
	if (m.cn2 != NULL)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		    (const unsigned char *)m.cn2, -1, -1, 0);
	X509_time_adj_ex(X509_getm_notBefore(c), 0, m.from != 0 ? m.from : -DAY,
	    &now);
	X509_time_adj_ex(X509_getm_notAfter(c), 0, m.until != 0 ? m.until : DAY,
	    &now);
	X509_set_pubkey(c, key);
	X509_set_issuer_name(c, m.issuer != NULL ? X509_get_subject_name(m.issuer) :
	    name);
	if (m.ca)
		add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE");
	if (m.usage != NULL)
		add_extension(c, c, NID_key_usage, m.usage);
	if (m.oid != NULL)
		add_oid(c, m.oid);
	if (X509_sign(c, m.issuer != NULL ? m.issuer_key : key,
	    EVP_PKEY_is_a(m.issuer != NULL ? m.issuer_key : key, "ED25519") ? NULL :
	    m.sha1 ? EVP_sha1() : EVP_sha256()) == 0)
		abort();
	return c;
}
#define CERT(...)	make_cert((struct made){ __VA_ARGS__ })

static struct str
der(X509 *c)
{
	unsigned char *out = NULL;
	int n = i2d_X509(c, &out);
	struct str s = arena_str(arena, (struct str){ (char *)out, (size_t)n });

	OPENSSL_free(out);
	return s;
}

static struct str
pem_of(X509 *c)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(bio, c);
	return of_bio(bio);
}

static struct str
sha256_of(X509 *c)
{
	unsigned char sum[32];

	X509_digest(c, EVP_sha256(), sum, NULL);
	return hex_encode(arena, (struct str){ (char *)sum, 32 }, false);
}

/* Is the leaf's key to be had, and is it that one? */
static bool
is_leaf_key(const struct str *certs, size_t n, const struct cert_rule *rule,
    int64_t now, EVP_PKEY *key)
{
	static const struct key_scheme s = { KEY_P256, HASH_SHA256, SIG_PLAIN };
	struct err e = { .text = "" };
	struct str m = STR("message"), all = STR("");
	int64_t until = 0;
	struct pubkey *k = cert_key(certs, n, rule, now, &until, &e);
	bool is = k != NULL && pubkey_fits(k, &s, &m, 1, sign(key, "SHA256", -1, m));
	struct pubkey *again;

	CHECKF(k != NULL || e.text[0] != '\0', "a refusal says why");
	pubkey_free(k);
	/* The same as PEM. */
	for (size_t i = 0; i < n; i++) {
		const unsigned char *p = (const unsigned char *)certs[i].p;
		X509 *c = d2i_X509(NULL, &p, (long)certs[i].n);

		if (c == NULL || p != (const unsigned char *)certs[i].p + certs[i].n) {
			X509_free(c);
			return is;
		}
		all = joined(all, "", pem_of(c));
		X509_free(c);
	}
	again = cert_key_pem(all, rule, now, &until, &e);
	CHECKF(n > 8 || (again != NULL) == (k != NULL), "as PEM it is the same: %s",
	    e.text);
	pubkey_free(again);
	return is;
}

static void
test_chains(void)
{
	static const char *const leaf_oid = "1.2.3.4.1", *const inter_oid = "1.2.3.4.2";
	X509 *root = CERT(.cn = "root", .key = p256_other, .ca = true),
	    *other = CERT(.cn = "root", .key = p384, .ca = true),
	    *inter = CERT(.cn = "inter", .key = p384, .ca = true, .oid = inter_oid,
		.issuer = root, .issuer_key = p256_other),
	    *leaf = CERT(.oid = leaf_oid, .issuer = inter, .issuer_key = p384),
	    *no_ca = CERT(.cn = "inter", .key = p384, .issuer = root,
		.issuer_key = p256_other),
	    *half_ca = CERT(.cn = "inter", .key = p384, .ca = true,
		.usage = "digitalSignature", .issuer = root,
		.issuer_key = p256_other),
	    *under = CERT(.issuer = no_ca, .issuer_key = p384),
	    *old = CERT(.cn = "inter", .key = p384, .ca = true, .issuer = root,
		.issuer_key = p256_other, .from = -10 * DAY, .until = -1),
	    *lone = CERT(.cn = "leaf"),
	    *weak = CERT(.issuer = root, .issuer_key = p256_other, .sha1 = true),
	    *strong = CERT(.issuer = root, .issuer_key = p256_other),
	    *forged = CERT(.issuer = root, .issuer_key = p256);
	struct str hash = sha256_of(root), other_hash = sha256_of(other),
	    root_pem = pem_of(root), inter_pem = pem_of(inter), junk = STR("junk");
	struct str both[] = { other_hash, hash }, oids[] = { str_of(leaf_oid),
	    str_of(inter_oid) }, swapped[] = { oids[1], oids[0] }, leaf_hash =
	    sha256_of(leaf), lone_hash = sha256_of(lone);
	struct { const char *says; struct cert_rule rule; struct str certs[10];
	    size_t n; bool holds; } t[] = {
		{ "no rule", { .nroots = 0 }, { der(leaf) }, 1, true },
		{ "to a root by its hash", { &hash, 1, { 0 }, NULL, 0 },
		    { der(leaf), der(inter), der(root) }, 3, true },
		{ "by its PEM", { &root_pem, 1, { 0 }, NULL, 0 },
		    { der(leaf), der(inter), der(root) }, 3, true },
		{ "its PEM, and it did not come along", { &root_pem, 1, { 0 }, NULL,
		    0 }, { der(leaf), der(inter) }, 2, true },
		{ "its hash, and it did not come along", { &hash, 1, { 0 }, NULL, 0 },
		    { der(leaf), der(inter) }, 2, false },
		{ "any of several roots", { both, 2, { 0 }, NULL, 0 },
		    { der(leaf), der(inter), der(root) }, 3, true },
		{ "in another order", { &hash, 1, { 0 }, NULL, 0 },
		    { der(leaf), der(root), der(inter) }, 3, true },
		{ "without the one between", { &hash, 1, { 0 }, NULL, 0 },
		    { der(leaf), der(root) }, 2, false },
		{ "another root of the same name", { &other_hash, 1, { 0 }, NULL, 0 },
		    { der(leaf), der(inter), der(root), der(other) }, 4, false },
		{ "an issuer in between is no end", { &inter_pem, 1, { 0 }, NULL, 0 },
		    { der(leaf), der(inter) }, 2, false },
		{ "the root as the leaf", { &hash, 1, { 0 }, NULL, 0 },
		    { der(lone), der(root) }, 2, false },
		{ "not signed by it", { &hash, 1, { 0 }, NULL, 0 },
		    { der(forged), der(root) }, 2, false },
		{ "signed by it", { &hash, 1, { 0 }, NULL, 0 },
		    { der(strong), der(root) }, 2, true },
		{ "signed by it with SHA-1", { &hash, 1, { 0 }, NULL, 0 },
		    { der(weak), der(root) }, 2, false },
		{ "an issuer that is none", { &hash, 1, { 0 }, NULL, 0 },
		    { der(under), der(no_ca), der(root) }, 3, false },
		{ "one that may not sign certificates", { &hash, 1, { 0 }, NULL, 0 },
		    { der(leaf), der(half_ca), der(root) }, 3, false },
		{ "an issuer that has ended", { &hash, 1, { 0 }, NULL, 0 },
		    { der(leaf), der(old), der(root) }, 3, false },
		{ "extensions, each in its place", { &hash, 1, { 0 }, oids, 2 },
		    { der(leaf), der(inter), der(root) }, 3, true },
		{ "extensions that have changed places", { &hash, 1, { 0 }, swapped,
		    2 }, { der(leaf), der(inter), der(root) }, 3, false },
		{ "one that is missing", { &hash, 1, { 0 }, oids, 2 },
		    { der(leaf), der(half_ca), der(root) }, 3, false },
		{ "its leaf pinned, which is no end", { &leaf_hash, 1, { 0 }, NULL,
		    0 }, { der(leaf), der(inter), der(root) }, 3, false },
		{ "one by itself, pinned", { &lone_hash, 1, { 0 }, NULL, 0 },
		    { der(lone) }, 1, true },
		{ "junk behind it", { .nroots = 0 }, { joined(der(leaf), "x",
		    STR("")) }, 1, false },
		{ "junk beside it", { .nroots = 0 }, { der(leaf), junk }, 2, false },
		{ "eight of them", { .nroots = 0 }, { der(leaf), der(leaf), der(leaf),
		    der(leaf), der(leaf), der(leaf), der(leaf), der(leaf) }, 8,
		    true },
		{ "nine of them", { .nroots = 0 }, { der(leaf), der(leaf), der(leaf),
		    der(leaf), der(leaf), der(leaf), der(leaf), der(leaf),
		    der(leaf) }, 9, false },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		CHECKF(is_leaf_key(t[i].certs, t[i].n, &t[i].rule, T, p256) ==
		    t[i].holds, "a chain, %s", t[i].says);
	CHECK(!is_leaf_key(NULL, 0, &t[0].rule, T, p256), "no certificate is none");
	X509_free(root);
	X509_free(other);
	X509_free(inter);
	X509_free(leaf);
	X509_free(no_ca);
	X509_free(half_ca);
	X509_free(under);
	X509_free(old);
	X509_free(lone);
	X509_free(weak);
	X509_free(strong);
	X509_free(forged);
}

/* Whose it is, and when. */
static void
test_leaves(void)
{
	static const struct {
		const char *says, *name;
		struct made m;
		int64_t at;
		bool holds;
	} t[] = {
		{ "any name", "", { .cn = "any" }, 0, true },
		{ "its name", "a.example", { .cn = "a.example" }, 0, true },
		{ "in capitals", "a.example", { .cn = "A.Example" }, 0, true },
		{ "another", "a.example", { .cn = "b.example" }, 0, false },
		{ "one that goes on", "a.example", { .cn = "a.example.evil" }, 0,
		    false },
		{ "one in front", "a.example", { .cn = "evil.a.example" }, 0, false },
		{ "in the domain", "*.a.example", { .cn = "b.a.example" }, 0, true },
		{ "the domain itself", "*.a.example", { .cn = "a.example" }, 0,
		    false },
		{ "a star for a star", "*.a.example", { .cn = "*.a.example" }, 0,
		    true },
		{ "only its end", "*.a.example", { .cn = "evila.example" }, 0,
		    false },
		{ "its end with a dot alone", "*.a.example", { .cn = ".a.example" },
		    0, false },
		{ "two names", "a.example", { .cn = "evil", .cn2 = "a.example" }, 0,
		    false },
		{ "the right one first", "a.example", { .cn = "a.example",
		    .cn2 = "evil" }, 0, false },
		{ "a NUL behind it", "a.example", { .cn = "a.example\0.evil",
		    .cn_len = 15 }, 0, false },
		{ "a NUL before it", "*.a.example", { .cn = "evil\0.a.example",
		    .cn_len = 15 }, 0, false },
		{ "not valid yet", "", { .from = 60 }, 0, false },
		{ "valid in a minute", "", { .from = 60 }, T + 60000, true },
		{ "at its last second", "", { .until = 60 }, T + 60000, true },
		{ "no longer valid", "", { .until = 60 }, T + 61000, false },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct cert_rule rule = { .name = str_of(t[i].name) };
		X509 *c = make_cert(t[i].m);
		struct str one = der(c);

		CHECKF(is_leaf_key(&one, 1, &rule, t[i].at != 0 ? t[i].at : T,
		    p256) == t[i].holds, "a certificate's name and time, %s",
		    t[i].says);
		X509_free(c);
	}
}

/* A token that brings its own certificates, signed by key. */
static struct str
x5c(const struct str *certs, size_t n, EVP_PKEY *key)
{
	struct str list = STR("");

	for (size_t i = 0; i < n; i++)
		list = text("%.*s%s'%.*s'", STR_ARG(list), i > 0 ? "," : "",
		    STR_ARG(base64_encode(arena, certs[i])));
	return token(text("{'alg':'ES256','x5c':[%.*s]}", STR_ARG(list)), STR("{}"),
	    key, "SHA256", -1);
}

static void
test_x5c(void)
{
	X509 *root = CERT(.cn = "root", .key = p384, .ca = true),
	    *leaf = CERT(.issuer = root, .issuer_key = p384),
	    *evil_root = CERT(.cn = "root", .key = p256_other, .ca = true),
	    *evil = CERT(.key = p256_other, .issuer = evil_root,
		.issuer_key = p256_other);
	struct str good[] = { der(leaf), der(root) }, swapped[] = { good[1], good[0] },
	    bad[] = { der(evil), der(evil_root) },
	    mixed[] = { der(evil), good[0], good[1] },
	    many[] = { good[0], good[1], good[1], good[1], good[1], good[1], good[1],
		good[1], good[1] };
	struct str file = text("{'signature':{'header':'X-T','algorithm':'jws-es256',"
	    "'certificate':{'in':'token','roots':['%.*s']}}}",
	    STR_ARG(sha256_of(root)));
	struct provider *p = provider_of(file.p);
	struct route *r = route_with(p, &hook_a, STR(""), STR(""));
	struct { const char *says; struct str token; enum verdict_code want; } t[] = {
		{ "up to the root", x5c(good, 2, p256), VERDICT_GENUINE },
		{ "signed by another", x5c(good, 2, p256_other), VERDICT_FORGED },
		{ "the root first", x5c(swapped, 2, p256), VERDICT_FORGED },
		{ "a chain of one's own", x5c(bad, 2, p256_other), VERDICT_FORGED },
		{ "one's own leaf before it", x5c(mixed, 3, p256_other),
		    VERDICT_FORGED },
		{ "without the root", x5c(good, 1, p256), VERDICT_FORGED },
		{ "too many", x5c(many, 9, p256), VERDICT_FORGED },
		{ "none", x5c(good, 0, p256), VERDICT_FORGED },
		{ "no list at all", es256("{'alg':'ES256'}", "{}"), VERDICT_FORGED },
		{ "no list", es256("{'alg':'ES256','x5c':'AAAA'}", "{}"),
		    VERDICT_FORGED },
		{ "numbers", es256("{'alg':'ES256','x5c':[1,2]}", "{}"),
		    VERDICT_FORGED },
		{ "a key of its own", token(text("{'alg':'ES256','jwk':%.*s}",
		    STR_ARG(jwk(p256, ""))), STR("{}"), p256, "SHA256", -1),
		    VERDICT_FORGED },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verdict v = judged(r, t[i].token, B, NULL, T);

		CHECKF(v.code == t[i].want, "certificates in a token, %s: %s, %s",
		    t[i].says, verdict_name(v.code), v.reason);
	}
	CHECK(judged(r, t[0].token, B, NULL, T + 2 * DAY * 1000).code ==
	    VERDICT_FORGED, "and once they have ended");
	route_free(r);
	provider_free(p);
	X509_free(root);
	X509_free(leaf);
	X509_free(evil_root);
	X509_free(evil);
}

/* What is fetched may say that it is encrypted: nobody is asked for a password. */
static void
test_no_password(void)
{
	static const char password[] = "secret\n";
	X509 *c = CERT(.cn = "leaf");
	const struct cert_rule rule = { .nroots = 0 };
	BIO *bio = BIO_new(BIO_s_mem());
	int was = dup(0), in[2];
	struct str sealed, open;
	struct pubkey *k;
	struct err e;
	int64_t until;

	if (pipe(in) == -1 || write(in[1], password, sizeof(password) - 1) == -1 ||
	    dup2(in[0], 0) == -1)
		abort();
	close(in[0]);
	close(in[1]);
	open = pem_of(c);
	PEM_ASN1_write_bio((i2d_of_void *)i2d_X509, PEM_STRING_X509, bio, c,
	    EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL);
	sealed = of_bio(bio);
	CHECK(memmem(sealed.p, sealed.n, "ENCRYPTED", 9) != NULL, "it is encrypted");
	k = cert_key_pem(sealed, &rule, T, &until, &e);
	CHECK(k == NULL, "an encrypted certificate is none");
	pubkey_free(k);
	CHECK(!cert_rule_check(&(struct cert_rule){ .roots = &sealed, .nroots = 1 },
	    &e), "nor a root");
	k = cert_key_pem(open, &rule, T, &until, &e);
	CHECK(k != NULL, "the same, not encrypted, is one");
	pubkey_free(k);
	dup2(was, 0);
	close(was);
	X509_free(c);
}

/* --- secrets that a handshake brings ------------------------------------------------- */

/*
 * Until it has come a hook has no secret: not an empty one, of which a file's "append"
 * or "digest" would make a key that everybody knows.
 */
static void
test_no_secret_yet(void)
{
#define CAPTURES(key)	"{'signature':{'header':'X-T','form':'{sig:hex}','algorithm':"	\
			"'hmac-sha256','key':" key "},'handshakes':[{'when':{"		\
			"'header:X-Secret':true},'capture':'header:X-Secret','answer':"	\
			"{'status':200}}]}"
	static const struct { const char *says, *file; struct str known, right; } t[] = {
		{ "as it is", CAPTURES("'raw'"), STR(""), STR("captured secret") },
		{ "with a text behind", CAPTURES("{'append':'&'}"), STR("&"),
		    STR("captured secret&") },
		{ "its SHA-256", CAPTURES("{'digest':'sha256'}"),
		    STR("\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f"
		    "\xb9\x24\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b"
		    "\x78\x52\xb8\x55"),
		    STR("\x5d\x62\x39\xf1\xa1\x18\x81\x9a\x7f\x2a\x47\x65\x07\x76\xc8\xb6"
		    "\x3a\x25\xab\x9d\xb6\x32\x6d\xfc\x08\xaf\x41\x73\x50\xce\xf8\x7a") },
	};
	static const struct str names[] = { STR("captured:x"), STR("env:S") };
	static struct str secret = STR("captured:x");
	static const struct hook hook = { .path = STR("/a"), .provider = STR("own"),
	    .where = STR(""), .window = -1, .secrets = &secret, .nsecrets = 1 };
	struct str body = text("%s", B);

	for (size_t i = 0; i < COUNT(t); i++) {
		struct provider *p = provider_of(t[i].file);
		struct str texts[] = { STR_NONE, STR("s3cret") };
		struct keyring *ring = keyring_new();
		struct err e = { .text = "" };
		struct route *r;
		struct verdict v;
		struct str forged = hex_encode(arena, hmac256(t[i].known, body),
		    false);

		/* Alone, and beside one that is there already. */
		for (size_t n = 1; n <= 2; n++) {
			r = route_new(p, &hook, names, texts, n, NULL, &e);
			CHECKF(r != NULL, "a hook whose secret will come: %s",
			    e.text);
			v = judged(r, forged, B, NULL, T);
			CHECKF(v.code == VERDICT_WANTS_KEY, "%s: it is asked for",
			    t[i].says);
			keyring_refuse(ring, v.want.id, T, T + 1000);
			CHECKF(judged(r, forged, B, ring, T).code ==
			    VERDICT_FORGED, "%s: a secret that is not there proves "
			    "nothing", t[i].says);
			keyring_put(ring, v.want.id, auth_keys(p, 0, names,
			    &STR("captured secret"), 1, (struct texts){ NULL, 0 },
			    &e), T, T + 1000);
			CHECKF(judged(r, forged, B, ring, T).code ==
			    VERDICT_FORGED, "%s: nor once it is there", t[i].says);
			CHECKF(judged(r, hex_encode(arena, hmac256(t[i].right,
			    body), false), B, ring, T).code == VERDICT_GENUINE,
			    "%s: then it proves what it signed", t[i].says);
			route_free(r);
		}
		keyring_free(ring);
		provider_free(p);
	}
}

/* --- keys that are fetched ------------------------------------------------------------ */

/* What the courier has brought for that request. */
static void
bring(struct keyring *ring, const struct route *r, const struct verdict *v,
    struct str bytes)
{
	struct err e = { .text = "" };
	int64_t until = T + 3600000;
	struct key *k = auth_keys_fetched(r->provider, (size_t)v->want.alternative,
	    bytes, T, &until, &e);

	CHECKF(k != NULL, "a key that was fetched: %s", e.text);
	if (k != NULL)
		keyring_put(ring, v->want.id, k, T, until);
}

/*
 * Two hooks with providers of their own, which ask the same URL and make different
 * things of what comes: what was made for one is nothing to the other.
 */
static void
test_hooks_apart(void)
{
#define FETCHES(alg, more) "{'signature':{'header':'X-T','algorithm':'jws-" alg "',"	\
			"'keys':{'url':'https://keys.example/all'" more "}}}"
	struct str both = text("{'one':%.*s,'two':%.*s,'secret':'s3cret'}",
	    STR_ARG(jwk(p256, "")), STR_ARG(jwk(p256_other, "")));
	struct str mine = token(text("{'alg':'ES256'}"), STR("{}"), p256, "SHA256",
	    -1), other, input;
	static const char *const files[] = { FETCHES("es256", ",'member':'two'"),
	    FETCHES("hs256", ",'member':'secret'") };
	struct provider *a = provider_of(FETCHES("es256", ",'member':'one'"));
	struct route *ra = route_fetching(a, &hook_a);
	struct keyring *ring = keyring_new();
	struct verdict v = judged(ra, mine, B, ring, T);

	CHECK(v.code == VERDICT_WANTS_KEY, "a key is wanted");
	bring(ring, ra, &v, both);
	CHECK(judged(ra, mine, B, ring, T).code == VERDICT_GENUINE,
	    "and proves what it signed");
	input = joined(b64url("{\"alg\":\"HS256\"}", 15), ".", b64url("{}", 2));
	other = hmac256(STR("s3cret"), input);
	other = joined(input, ".", b64url(other.p, other.n));
	for (size_t i = 0; i < COUNT(files); i++) {
		struct provider *b = provider_of(files[i]);
		struct route *rb = route_fetching(b, &hook_b);
		struct str theirs = i == 1 ? other : token(text("{'alg':'ES256'}"),
		    STR("{}"), p256_other, "SHA256", -1);

		CHECKF((i == 1 || judged(rb, mine, B, ring, T).code ==
		    VERDICT_WANTS_KEY) && judged(rb, theirs, B, ring, T).code ==
		    VERDICT_WANTS_KEY, "another hook's key is none of ours: %zu", i);
		v = judged(rb, theirs, B, ring, T);
		bring(ring, rb, &v, both);
		CHECKF(judged(rb, theirs, B, ring, T).code == VERDICT_GENUINE &&
		    judged(rb, mine, B, ring, T).code == VERDICT_FORGED,
		    "its own proves its own: %zu", i);
		CHECKF(judged(ra, mine, B, ring, T).code == VERDICT_GENUINE &&
		    judged(ra, theirs, B, ring, T).code == VERDICT_FORGED,
		    "and changes nothing for the first: %zu", i);
		route_free(rb);
		provider_free(b);
		keyring_free(ring);
		ring = keyring_new();
		v = judged(ra, mine, B, ring, T);
		bring(ring, ra, &v, both);
	}
	keyring_free(ring);
	route_free(ra);
	provider_free(a);
}

/* Which key of a set a token means, and what a key that it does not name is worth. */
static void
test_key_sets(void)
{
	struct str set = text("{'keys':[%.*s,%.*s,%.*s,{'kty':'oct','kid':'k5','k':"
	    "'AAAA'},%.*s,%.*s]}",
	    STR_ARG(jwk(p256, ",'kid':'a\\/b'")),
	    STR_ARG(jwk(p256_other, ",'kid':'k\\u00322','alg':'ES256'")),
	    STR_ARG(jwk(p256, ",'kid':'k3','alg':'ES384'")),
	    STR_ARG(jwk(rsa, ",'kid':'k4'")),
	    STR_ARG(jwk(p256_other, ",'kid':'k6','use':'enc'")));
	struct { const char *says, *header; EVP_PKEY *k; enum verdict_code want; }
	    t[] = {
		{ "by its name", "{'alg':'ES256','kid':'a/b'}", p256,
		    VERDICT_GENUINE },
		{ "written otherwise", "{'alg':'ES256','kid':'a\\u002fb'}", p256,
		    VERDICT_GENUINE },
		{ "another's name", "{'alg':'ES256','kid':'k22'}", p256,
		    VERDICT_FORGED },
		{ "its own", "{'alg':'ES256','kid':'k22'}", p256_other,
		    VERDICT_GENUINE },
		{ "no name", "{'alg':'ES256'}", p256_other, VERDICT_GENUINE },
		{ "an empty name", "{'alg':'ES256','kid':''}", p256_other,
		    VERDICT_GENUINE },
		{ "a name that is none", "{'alg':'ES256','kid':'k7'}", p256,
		    VERDICT_FORGED },
		{ "one for another algorithm", "{'alg':'ES256','kid':'k3'}", p256,
		    VERDICT_FORGED },
		{ "one of another kind", "{'alg':'ES256','kid':'k4'}", p256,
		    VERDICT_FORGED },
		{ "a secret", "{'alg':'ES256','kid':'k5'}", p256, VERDICT_FORGED },
		{ "one to encrypt with", "{'alg':'ES256','kid':'k6'}", p256_other,
		    VERDICT_FORGED },
	};
	struct provider *p = provider_of(FETCHES("es256", ""));
	struct route *r = route_fetching(p, &hook_a);
	struct keyring *ring = keyring_new();
	struct str other = token(text("{'alg':'ES256','kid':'new'}"), STR("{}"), p256,
	    "SHA256", -1);
	struct verdict v = judged(r, es256("{'alg':'ES256'}", "{}"), B, ring, T);

	bring(ring, r, &v, set);
	for (size_t i = 0; i < COUNT(t); i++) {
		v = judged(r, token(text("%s", t[i].header), STR("{}"), t[i].k,
		    "SHA256", -1), B, ring, T);
		CHECKF(v.code == t[i].want, "a key of a set, %s: %s, %s", t[i].says,
		    verdict_name(v.code), v.reason);
	}
	v = judged(r, other, B, ring, T + 30000);
	CHECK(v.code == VERDICT_WANTS_KEY && v.want.again,
	    "a name that is not there is asked for again after a while");
	bring(ring, r, &v, set);
	v = judged(r, other, B, ring, T + 3600000);
	CHECK(v.code == VERDICT_WANTS_KEY && !v.want.again,
	    "and the set when its time is over");
	keyring_free(ring);
	route_free(r);
	provider_free(p);
}

/* What a worker remembers of keys, and for how long. */
static void
test_keyring(void)
{
	static const struct str names[] = { STR("one") };
	struct provider *p = provider_of("{'signature':{'header':'X-T','algorithm':"
	    "'hmac-sha256'}}");
	struct keyring *ring = keyring_new();
	struct ring_entry found;
	struct err e;
	char id[16];
	size_t left = 0;

#define KEY(text) auth_keys(p, 0, names, &STR(text), 1, (struct texts){ NULL, 0 }, &e)
	CHECK(!keyring_get(NULL, STR("a"), 1, &found) &&
	    !keyring_get(ring, STR("a"), 1, &found), "nothing is known");
	keyring_put(ring, STR("a"), KEY("first"), 100, 200);
	CHECK(keyring_get(ring, STR("a"), 100, &found) && found.came_at == 100 &&
	    str_eq(auth_key_bytes(found.keys), STR("first")), "a key is");
	CHECK(!keyring_get(ring, STR("a\0"), 100, &found) &&
	    !keyring_get(ring, STR(""), 100, &found), "by its whole name");
	CHECK(keyring_get(ring, STR("a"), 199, &found) &&
	    !keyring_get(ring, STR("a"), 200, &found), "until its end");
	keyring_put(ring, STR("a"), KEY("second"), 150, 300);
	CHECK(keyring_get(ring, STR("a"), 250, &found) && found.came_at == 150 &&
	    str_eq(auth_key_bytes(found.keys), STR("second")), "a new one instead");
	keyring_refuse(ring, STR("a"), 160, 300);
	CHECK(keyring_get(ring, STR("a"), 250, &found) && found.keys == NULL,
	    "or that there is none");
	keyring_put(ring, STR("good"), KEY("good"), 100, 100000);
	/* Names that strangers make up end sooner, so they go first. */
	for (int i = 0; i < 3 * KEYRING_MOST; i++) {
		snprintf(id, sizeof(id), "n%d", i);
		keyring_refuse(ring, str_of(id), 100, 1000 + i);
	}
	for (int i = 0; i < 3 * KEYRING_MOST; i++) {
		snprintf(id, sizeof(id), "n%d", i);
		left += keyring_get(ring, str_of(id), 200, &found);
	}
	CHECK(left == KEYRING_MOST - 1 && keyring_get(ring, STR("good"), 200, &found),
	    "no more than there is room for, and those that end last");
	keyring_free(ring);
	keyring_free(NULL);
	provider_free(p);
}

/* A certificate that ends sooner than it may be kept is kept until then. */
static void
test_certified(void)
{
	static const char *const file = "{'signature':{'header':'X-T','algorithm':"
	    "'jws-es256','keys':{'url':'https://keys.example/leaf'},'certificate':{"
	    "'name':'leaf.example'}}}";
	X509 *leaf = CERT(.cn = "leaf.example", .until = 600),
	    *other = CERT(.cn = "other.example"), *weak;
	EVP_PKEY *small = make_rsa(1024);
	struct provider *p = provider_of(file);
	int64_t until = T + 3600000;
	struct err e;
	struct key *k;

	weak = CERT(.cn = "leaf.example", .key = small);
	k = auth_keys_fetched(p, 0, pem_of(leaf), T, &until, &e);
	CHECK(k != NULL && until == T + 600000, "until the certificate's end");
	auth_keys_free(k);
	until = T + 60000;
	k = auth_keys_fetched(p, 0, pem_of(leaf), T, &until, &e);
	CHECK(k != NULL && until == T + 60000, "or until it is told, when that is "
	    "sooner");
	auth_keys_free(k);
	CHECK(auth_keys_fetched(p, 0, pem_of(other), T, &until, &e) == NULL,
	    "another's is none");
	CHECK(auth_keys_fetched(p, 0, joined(pem_of(other), "", pem_of(leaf)), T,
	    &until, &e) == NULL, "nor where ours stands behind it");
	CHECK(auth_keys_fetched(p, 0, pem(p256), T, &until, &e) == NULL &&
	    auth_keys_fetched(p, 0, jwk(p256, ""), T, &until, &e) == NULL,
	    "a bare key is no certificate");
	CHECK(auth_keys_fetched(p, 0, pem_of(weak), T, &until, &e) == NULL,
	    "one of a weak key is none");
	X509_free(leaf);
	X509_free(other);
	X509_free(weak);
	EVP_PKEY_free(small);
	provider_free(p);
}

/* --- what is signed ------------------------------------------------------------------- */

/* HMAC of what the file's template makes; the header is its hex. */
static struct verdict
judged_at(const char *file, const char *signs, const char *target, struct str body)
{
	struct provider *p = provider_of(file);
	struct route *r = route_with(p, &hook_a, STR("s3cret"), STR(""));
	struct str sig = hex_encode(arena, hmac256(STR("s3cret"), str_of(signs)),
	    false);
	struct request *q = arena_alloc(arena, sizeof(*q));
	struct verdict v;

	*q = request_with(sig, target, body);
	v = auth_verify(r, q, NULL, T);
	route_free(r);
	provider_free(p);
	v.scheme = NULL;		/* the provider's */
	return v;
}

/* A value counts to its end: what stands behind a NUL is signed, too. */
static void
test_signed_values(void)
{
#define SIGNS(t) "{'signature':{'header':'X-T','algorithm':'hmac-sha256','signs':'" t "'}}"
#define DEEP	"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["	\
		"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
#define WHEN_NOT(place) "{'signature':{'header':'X-T','algorithm':'hmac-sha256','signs':'a"	\
			"{body:none?}','when':{'" place "':false}}}"
#define MAY(place) "{'signature':{'header':'X-T','algorithm':'hmac-sha256','signs':'a"	\
			"{body:none?}','also':[{'place':'" place "','equals':'1',"	\
			"'optional':true}]}}"
	static const struct {
		const char *says, *file, *signs, *target, *body;
		enum verdict_code want;
	} t[] = {
		{ "a segment", SIGNS("{id:|query:id|;}"), "id:12;", "/a?id=12", B,
		    VERDICT_GENUINE },
		{ "another value in it", SIGNS("{id:|query:id|;}"), "id:12;",
		    "/a?id=13", B, VERDICT_FORGED },
		{ "a NUL and more behind it", SIGNS("{id:|query:id|;}"), "id:12;",
		    "/a?id=12%00more", B, VERDICT_FORGED },
		{ "a NUL alone", SIGNS("{id:|query:id|;}"), "id:12;",
		    "/a?id=12%00", B, VERDICT_FORGED },
		{ "a NUL in JSON", SIGNS("{id:|body:id|;}"), "id:12;", "/a",
		    "{'id':'12\\u0000more'}", VERDICT_FORGED },
		{ "JSON without one", SIGNS("{id:|body:id|;}"), "id:12;", "/a",
		    "{'id':'12'}", VERDICT_GENUINE },
		{ "a NUL where a value stands alone", SIGNS("{query:id}"), "12",
		    "/a?id=12%00more", B, VERDICT_FORGED },
		{ "a NUL in a function", SIGNS("{lower(query:id)}"), "12",
		    "/a?id=12%00more", B, VERDICT_FORGED },
		{ "an empty value", SIGNS("a{id:|query:id|;}"), "a", "/a?id=", B,
		    VERDICT_GENUINE },
		{ "none", SIGNS("a{id:|query:id|;}"), "a", "/a", B,
		    VERDICT_GENUINE },
		{ "null, which is none", SIGNS("a{id:|body:id|;}"), "a", "/a",
		    "{'id':null}", VERDICT_GENUINE },
		/* What cannot be taken may not be put in beside a signature. */
		{ "a field twice", SIGNS("a{id:|query:id|;}"), "a", "/a?id=1&id=2", B,
		    VERDICT_ABSENT },
		{ "a name twice", SIGNS("a{id:|body:id|;}"), "a", "/a",
		    "{'id':1,'id':2}", VERDICT_ABSENT },
		{ "a name twice, above it", SIGNS("a{id:|body:in.id|;}"), "a", "/a",
		    "{'in':{'id':1},'in':{'id':2}}", VERDICT_ABSENT },
		{ "an object", SIGNS("a{id:|body:id|;}"), "a", "/a", "{'id':{'x':1}}",
		    VERDICT_ABSENT },
		{ "a list", SIGNS("a{body:id?}"), "a", "/a", "{'id':[1]}",
		    VERDICT_ABSENT },
		{ "a name twice, in a function", SIGNS("a{id:|lower(body:id)|;}"), "a",
		    "/a", "{'id':'b','id':'b'}", VERDICT_ABSENT },
		{ "a name twice, behind a step", SIGNS("a{id:|body:p->id|;}"), "a",
		    "/a", "{'p':'{\\u0022id\\u0022:1,\\u0022id\\u0022:2}'}",
		    VERDICT_ABSENT },
		{ "no JSON, where a step leads in", SIGNS("a{id:|body:p->id|;}"), "a",
		    "/a", "{'p':'{'}", VERDICT_ABSENT },
		{ "more fields than are looked at", SIGNS("a{id:|query:id|;}"), "a",
		    "/a?id=1&@", B, VERDICT_ABSENT },
		{ "more fields, without it", SIGNS("a{id:|query:id|;}"), "a", "/a?@",
		    B, VERDICT_ABSENT },
		{ "only where it is not there", WHEN_NOT("query:id"), "a", "/a", B,
		    VERDICT_GENUINE },
		{ "and it is", WHEN_NOT("query:id"), "a", "/a?id=1", B,
		    VERDICT_ABSENT },
		{ "and it is, twice", WHEN_NOT("query:id"), "a", "/a?id=1&id=1", B,
		    VERDICT_ABSENT },
		{ "and it is, among too many", WHEN_NOT("query:id"), "a",
		    "/a?id=1&@", B, VERDICT_ABSENT },
		{ "and its name is there twice", WHEN_NOT("body:id"), "a", "/a",
		    "{'id':1,'id':1}", VERDICT_ABSENT },
		{ "and it is an object", WHEN_NOT("body:id"), "a", "/a", "{'id':{}}",
		    VERDICT_ABSENT },
		{ "and it is null", WHEN_NOT("body:id"), "a", "/a", "{'id':null}",
		    VERDICT_GENUINE },
		{ "what may be there and holds", MAY("query:id"), "a", "/a?id=1", B,
		    VERDICT_GENUINE },
		{ "what may be there and is not", MAY("query:id"), "a", "/a", B,
		    VERDICT_GENUINE },
		{ "what may be there and does not hold", MAY("query:id"), "a",
		    "/a?id=2", B, VERDICT_FORGED },
		{ "what may be there, among too many", MAY("query:id"), "a",
		    "/a?id=2&@", B, VERDICT_FORGED },
		{ "what may be there, twice", MAY("body:id"), "a", "/a",
		    "{'id':'2','id':'2'}", VERDICT_FORGED },
		{ "a body that is no JSON", SIGNS("a{id:|body:id|;}"), "a", "/a",
		    "id=1", VERDICT_GENUINE },
		{ "one that others might read as JSON", SIGNS("a{id:|body:id|;}"), "a",
		    "/a", "{'id':1,}", VERDICT_ABSENT },
		{ "one that is too deep for us", SIGNS("a{id:|body:id|;}"), "a", "/a",
		    "{'id':1,'p':" DEEP "}", VERDICT_ABSENT },
		{ "the same where it must not be there", WHEN_NOT("body:id"), "a", "/a",
		    "{'id':1,'p':" DEEP "}", VERDICT_ABSENT },
		{ "one behind a byte order mark", SIGNS("a{id:|body:id|;}"), "a", "/a",
		    "\xef\xbb\xbf {'id':1}", VERDICT_ABSENT },
		{ "nothing there, behind a step", SIGNS("a{id:|body:p->id|;}"), "a",
		    "/a", "{'p':'{}'}", VERDICT_GENUINE },
	};
	struct str many = STR("x");

	for (size_t i = 0; i < REQUEST_PAIRS_MAX; i++)
		many = joined(many, "&", STR("x"));

	for (size_t i = 0; i < COUNT(t); i++) {
		/* An "@" is more than there may be. */
		struct str target = str_of(t[i].target);
		struct verdict v = judged_at(t[i].file, t[i].signs,
		    str_ends(target, STR("@")) ? joined(str_head(target, target.n - 1),
		    "", many).p : target.p, text("%s", t[i].body));

		CHECKF(v.code == t[i].want, "what is signed, %s: %s", t[i].says,
		    verdict_name(v.code));
	}
}

/* Pairs of names and values: in their order, and all of them. */
static void
test_pairs(void)
{
#define PAIRS(more, signs) "{'signature':{'header':'X-T','algorithm':'hmac-sha256',"	\
			"'pairs':{'each':'{name}={value}','join':'&'" more "},'signs':'"	\
			signs "'}}"
#define OF_QUERY(more)	PAIRS(",'from':'query'" more, "{count}:{pairs}")
	static const struct {
		const char *says, *file, *signs, *target;
		enum verdict_code want;
	} t[] = {
		{ "as they come", OF_QUERY(""), "2:b=1&a=2", "/a?b=1&a=2",
		    VERDICT_GENUINE },
		{ "in another order", OF_QUERY(""), "2:b=1&a=2", "/a?a=2&b=1",
		    VERDICT_FORGED },
		{ "one more", OF_QUERY(""), "2:b=1&a=2", "/a?b=1&a=2&c=3",
		    VERDICT_FORGED },
		{ "one more without a value", OF_QUERY(""), "2:b=1&a=2",
		    "/a?b=1&a=2&c", VERDICT_FORGED },
		{ "decoded", OF_QUERY(""), "1:a=x y&", "/a?a=x+y%26",
		    VERDICT_GENUINE },
		{ "sorted", OF_QUERY(",'sorted':true"), "3:a=1&a=2&b=0",
		    "/a?b=0&a=2&a=1", VERDICT_GENUINE },
		{ "each that is twice", OF_QUERY(",'sorted':true"), "2:a=1&a=1",
		    "/a?a=1&a=1", VERDICT_GENUINE },
		{ "each once", OF_QUERY(",'sorted':true,'distinct':true"),
		    "2:a=1&b=1", "/a?a=1&b=1&a=1&b=1&a=1", VERDICT_GENUINE },
		{ "each once, with another value", OF_QUERY(",'sorted':true,"
		    "'distinct':true"), "2:a=1&b=1", "/a?a=1&b=1&a=2",
		    VERDICT_FORGED },
		{ "but for one", OF_QUERY(",'except':['sig']"), "1:a=1",
		    "/a?a=1&sig=x", VERDICT_GENUINE },
		{ "of that name alone", OF_QUERY(",'except':['sig']"), "1:a=1",
		    "/a?a=1&Sig=x", VERDICT_FORGED },
		{ "a NUL in one", OF_QUERY(""), "1:a=1", "/a?a=1%00x",
		    VERDICT_FORGED },
		{ "none", OF_QUERY(""), "0:", "/a", VERDICT_GENUINE },
		/* Of a body that is no form there are none, not zero. */
		{ "fields of JSON", PAIRS("", "{count}:{pairs}"), "0:", "/a",
		    VERDICT_ABSENT },
	};
	unsigned char sum[32];
	struct verdict v;

	for (size_t i = 0; i < COUNT(t); i++) {
		v = judged_at(t[i].file, t[i].signs, t[i].target, text("%s", B));
		CHECKF(v.code == t[i].want, "pairs, %s: %s", t[i].says,
		    verdict_name(v.code));
	}
	EVP_Digest("x-/a", 4, sum, NULL, EVP_sha256(), NULL);
	v = judged_at(SIGNS("{upper(sha256hex(lower(query:a),\\\"-\\\",path))}"),
	    hex_encode(arena, (struct str){ (char *)sum, 32 }, true).p, "/a?a=X",
	    text("%s", B));
	CHECK(v.code == VERDICT_GENUINE, "functions in functions");
}

/* Headers that the request itself lists as signed. */
static void
test_listed_headers(void)
{
#define LISTED(must) "{'signature':{'header':'X-T','form':'{names};{sig:hex}','algorithm':"\
			"'hmac-sha256','pairs':{'from':'headers','named':'{names}',"	\
			"'split':' ','each':'{name}:{value}\\n'" must "},'signs':'"	\
			"{pairs}{body}'}}"
	static const struct {
		const char *says, *file, *names, *signs;
		enum verdict_code want;
	} t[] = {
		{ "in the list's order", LISTED(""), "X-B X-A", "X-B:2\nX-A:1\n",
		    VERDICT_GENUINE },
		{ "in another", LISTED(""), "X-B X-A", "X-A:1\nX-B:2\n",
		    VERDICT_FORGED },
		{ "none", LISTED(""), "", "", VERDICT_ABSENT },
		{ "one that must be there", LISTED(",'must':['x-a']"), "X-B X-A",
		    "X-B:2\nX-A:1\n", VERDICT_GENUINE },
		{ "one that must be there and is not listed", LISTED(
		    ",'must':['x-a']"), "X-B", "X-B:2\n", VERDICT_ABSENT },
		{ "one that the request lacks", LISTED(""), "X-B X-C",
		    "X-B:2\nX-C:\n", VERDICT_ABSENT },
		{ "one that came twice", LISTED(""), "X-D", "X-D:4\n",
		    VERDICT_ABSENT },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct provider *p = provider_of(t[i].file);
		struct route *r = route_with(p, &hook_a, STR("s3cret"), STR(""));
		struct str signs = joined(str_of(t[i].signs), "", text("%s", B)),
		    head = joined(str_of(t[i].names), ";", hex_encode(arena,
		    hmac256(STR("s3cret"), signs), false));
		char *env[] = { (char *)(uintptr_t)"REQUEST_METHOD=POST",
		    (char *)(uintptr_t)"REQUEST_URI=/a",
		    (char *)(uintptr_t)joined(STR("HTTP_X_T="), "", head).p,
		    (char *)(uintptr_t)"HTTP_X_A=1", (char *)(uintptr_t)"HTTP_X_B=2",
		    (char *)(uintptr_t)"HTTP_X_D=4", (char *)(uintptr_t)"HTTP_X_D=5",
		    NULL };
		struct verdict v;
		struct request q;

		if (request_init(&q, arena, env) != 0)
			abort();
		q.body = text("%s", B);
		v = auth_verify(r, &q, NULL, T);
		CHECKF(v.code == t[i].want, "listed headers, %s: %s, %s", t[i].says,
		    verdict_name(v.code), v.reason);
		route_free(r);
		provider_free(p);
	}
}

/* A list whose items are signed one by one: all must hold, and so many may be. */
static void
test_items(void)
{
	static const char *const file = "{'bodies':['json'],'signature':{'item':'sig',"
	    "'each':'list','algorithm':'hmac-sha256','signs':'{item:a}'}}";
	struct provider *p = provider_of(file);
	struct route *r = route_with(p, &hook_a, STR("s3cret"), STR(""));
	struct str one = text("{'a':'1','sig':'%.*s'}", STR_ARG(hex_encode(arena,
	    hmac256(STR("s3cret"), STR("1")), false))), forged = text("{'a':'2',"
	    "'sig':'%.*s'}", STR_ARG(hex_encode(arena, hmac256(STR("other"),
	    STR("2")), false))), unsigned_one = text("{'a':'1'}"), all = STR("");
	struct { const char *says; struct str list; enum verdict_code want; } t[] = {
		{ "one", one, VERDICT_GENUINE },
		{ "two", joined(one, ",", one), VERDICT_GENUINE },
		{ "one and a forgery", joined(one, ",", forged), VERDICT_FORGED },
		{ "a forgery and one", joined(forged, ",", one), VERDICT_FORGED },
		{ "one and one that is not signed", joined(one, ",", unsigned_one),
		    VERDICT_ABSENT },
		{ "one and no object", joined(one, ",", STR("1")), VERDICT_ABSENT },
		{ "none", STR(""), VERDICT_ABSENT },
		{ "a thousand", STR_NONE, VERDICT_GENUINE },
		{ "one more", STR_NONE, VERDICT_FORGED },
	};

	for (int i = 0; i < ITEMS_MAX; i++)
		all = joined(all, i > 0 ? "," : "", one);
	t[COUNT(t) - 2].list = all;
	t[COUNT(t) - 1].list = joined(all, ",", one);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct str body = text("{'list':[%.*s]}", STR_ARG(t[i].list));
		struct verdict v = judged(r, STR(""), body.p, NULL, T);

		CHECKF(v.code == t[i].want, "items, %s: %s, %s", t[i].says,
		    verdict_name(v.code), v.reason);
	}
	route_free(r);
	provider_free(p);
}

/*
 * A request whose memory ends: what cannot be had is not absent.  Each is judged with
 * all that a request may use, then with less and less of it.
 */
static void
test_no_memory(void)
{
	static const struct {
		const char *says, *file, *signs, *target, *body;
		bool genuine;
	} t[] = {
		{ "a signature", SIGNS("{body:a}"), "x\n", "/a", "{'a':'x\\n'}",
		    true },
		{ "a segment that is there", SIGNS("1{a:|body:a|;}"), "1", "/a",
		    "{'a':'x\\n'}", false },
		{ "one that is not", SIGNS("1{a:|body:a|;}"), "1", "/a", "{}", true },
		{ "a value that may not be there", SIGNS("1{body:a?}"), "1", "/a",
		    "{'a':'x\\n'}", false },
		{ "a field of the query", SIGNS("1{a:|query:a|;}"), "1", "/a?a=x", "{}",
		    false },
		{ "a step", SIGNS("1{a:|body:a->b|;}"), "1", "/a",
		    "{'a':'{\\u0022b\\u0022:1}'}", false },
		{ "pairs", PAIRS(",'from':'query'", "1{pairs}"), "1", "/a?a=x", "{}",
		    false },
		{ "functions", SIGNS("1{a:|lower(body:a)|;}"), "1", "/a",
		    "{'a':'X'}", false },
	};
	char *big = arena_bytes(arena, 9u << 20);
	struct provider *p = provider_of(SIGNS("1{a:|body:a|;}"));
	struct route *r = route_with(p, &hook_a, STR("s3cret"), STR(""));
	struct str one = hex_encode(arena, hmac256(STR("s3cret"), STR("1")), false);
	struct arena *own = arena_new(8u << 20);
	struct request q = request_with(one, "/a", STR("{}"));

	/* As large as a worker has it; and a value that is larger. */
	q.arena = own;
	CHECK(auth_verify(r, &q, NULL, T).code == VERDICT_GENUINE,
	    "a request without the value is genuine");
	memset(big, 'a', 9u << 20);
	memcpy(big, "{\"a\":\"\\n", 8);
	memcpy(big + (9u << 20) - 2, "\"}", 2);
	q = request_with(one, "/a", (struct str){ big, 9u << 20 });
	q.arena = own;
	CHECK(auth_verify(r, &q, NULL, T).code == VERDICT_FORGED,
	    "with one that is too large to be looked at it is not");
	arena_free(own);
	route_free(r);
	provider_free(p);

	for (size_t i = 0; i < COUNT(t); i++) {
		struct str sig = hex_encode(arena, hmac256(STR("s3cret"),
		    str_of(t[i].signs)), false), body = text("%s", t[i].body);
		bool ever = false, wrong = false;

		p = provider_of(t[i].file);
		r = route_with(p, &hook_a, STR("s3cret"), STR(""));
		for (size_t limit = 0; limit < 4096; limit++) {
			bool genuine;

			own = arena_new(limit);
			q = request_with(sig, t[i].target, body);
			q.arena = own;
			genuine = auth_verify(r, &q, NULL, T).code == VERDICT_GENUINE;
			ever |= genuine;
			wrong |= genuine && !t[i].genuine;
			arena_free(own);
		}
		CHECKF(ever == t[i].genuine && !wrong, "with less memory, %s: %s",
		    t[i].says, wrong ? "genuine" : "never genuine");
		route_free(r);
		provider_free(p);
	}
}

int
main(void)
{
	arena = arena_new(256u << 20);
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	p256 = make_curve("P-256");
	p256_other = make_curve("P-256");
	p384 = make_curve("P-384");
	rsa = make_rsa(2048);
	rsa_other = make_rsa(2048);
	if (arena == NULL || ed == NULL || p256 == NULL || p256_other == NULL ||
	    p384 == NULL || rsa == NULL || rsa_other == NULL)
		return 1;
	test_token_headers();
	test_token_texts();
	test_token_algorithms();
	test_token_confusion();
	test_token_claims();
	test_detached();
	test_public_keys();
	test_signature_forms();
	test_chains();
	test_leaves();
	test_x5c();
	test_no_password();
	test_no_secret_yet();
	test_hooks_apart();
	test_key_sets();
	test_keyring();
	test_certified();
	test_signed_values();
	test_pairs();
	test_listed_headers();
	test_items();
	test_no_memory();
	EVP_PKEY_free(ed);
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p256_other);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(rsa_other);
	arena_free(arena);
	TEST_END("keys");
}
