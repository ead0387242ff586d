/*
 * fuzz_token - a token and what is fetched to prove it, divided by a NUL: JWK, sets of
 * them, PEM, certificates.  The first byte chooses how they are judged.
 *
 * Who brings both may be right.  Where the certificates must lead to a root whose key
 * nobody has, or the key is one that nobody has, nothing is genuine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "auth_cert.h"
#include "auth_jws.h"
#include "auth_key.h"
#include "keyring.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define NOW	1700000000000
#define NOBODY	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEYS	"\"keys\":{\"url\":\"https://k.example/\"}"

static const struct {
	const char	*signature;
	bool		 never;		/* nothing is genuine */
} ways[] = {
	{ "\"algorithm\":\"jws-es256\"," KEYS, false },
	{ "\"algorithm\":\"jws-rs256\"," KEYS ",\"token\":{\"require\":[\"exp\"]}",
	    false },
	{ "\"algorithm\":\"jws-eddsa\"," KEYS ",\"token\":{\"detached\":true},"
	    "\"signs\":\"{body}\"", false },
	{ "\"algorithm\":\"jws-es256\",\"certificate\":{\"in\":\"token\",\"roots\":[\""
	    NOBODY "\"],\"extensions\":[\"1.2.3\"]}", true },
	{ "\"algorithm\":\"jws-es256\"," KEYS ",\"certificate\":{\"name\":"
	    "\"*.example.com\"}", false },
	{ "\"algorithm\":\"jws-rs256\"," KEYS ",\"certificate\":{\"roots\":[\"" NOBODY
	    "\"]}", true },
	{ "\"form\":\"{sig:base64}\",\"algorithm\":\"ed25519\"," KEYS, false },
	/* The hook's own, of RFC 8032: its other half is published, but not here. */
	{ "\"algorithm\":\"jws-eddsa\"", true },
	{ "\"algorithm\":\"jws-hs256\"," KEYS ",\"key\":\"base64\"", false },
};
#define WAYS	(sizeof(ways) / sizeof(ways[0]))

static struct route *
make_route(size_t i)
{
	static const struct str own = STR("d75a980182b10ab7d54bfed3c964073a0ee172f3daa6"
	    "2325af021a68f707511a");
	static const struct texts params[PARAM_COUNT] = {
		[PARAM_PUBLIC_KEY] = { &own, 1 } };
	static struct hook hook = { .path = STR("/h"), .window = -1 };
	char file[1024];
	struct provider *p;
	struct route *r;
	struct err e;

	snprintf(file, sizeof(file), "{\"signature\":{\"header\":\"X-T\",%s}}",
	    ways[i].signature);
	if ((p = provider_read(str_of(file), STR("own"), "way", &e)) == NULL ||
	    (r = route_new(p, &hook, NULL, NULL, 0, strstr(file, "keys") == NULL &&
	    strstr(file, "certificate") == NULL ? params : NULL, &e)) == NULL)
		abort();
	return r;
}

/* The leaves by themselves: none may read what is not there. */
static void
take_keys(struct str bytes)
{
	static const struct str nobody = STR(NOBODY);
	const struct cert_rule any = { .nroots = 0 }, pinned = { .roots = &nobody,
	    .nroots = 1 };
	struct err e = { 0 };
	int64_t until;
	struct pubkey *k;

	for (enum key_type type = 0; type < KEY_TYPES; type++) {
		if ((k = pubkey_new(type, bytes, &e)) == NULL && e.text[0] == '\0')
			abort();
		if (k != NULL && pubkey_type(k) != type)
			abort();
		pubkey_free(k);
	}
	pubkey_free(pubkey_jwk(bytes, &e));
	pubkey_free(cert_key(&bytes, 1, &any, NOW, &until, &e));
	if (cert_key(&bytes, 1, &pinned, NOW, &until, &e) != NULL ||
	    cert_key_pem(bytes, &pinned, NOW, &until, &e) != NULL)
		abort();
	cert_rule_check(&(struct cert_rule){ .roots = &bytes, .nroots = 1,
	    .oids = &bytes, .noids = 1 }, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct route *routes[WAYS];
	size_t way = size > 0 ? data[0] % WAYS : 0;
	struct str rest = { (const char *)data + 1, size > 0 ? size - 1 : 0 }, token;
	struct keyring *ring;
	struct verdict v;
	struct request q;
	struct arena *a;
	struct err e;
	char *env[4];

	if (size == 0)
		return 0;
	if (routes[way] == NULL)
		routes[way] = make_route(way);
	token = str_cut(&rest, '\0');
	if (rest.p == NULL)
		rest = STR("");
	take_keys(rest);
	a = arena_new(1 << 20);
	ring = keyring_new();
	env[0] = (char *)(uintptr_t)"REQUEST_METHOD=POST";
	env[1] = (char *)(uintptr_t)"REQUEST_URI=/h";
	env[2] = (char *)(uintptr_t)arena_join(a, (const struct str[]){
	    STR("HTTP_X_T="), token }, 2).p;
	env[3] = NULL;
	if (env[2] != NULL && request_init(&q, a, env) == 0) {
		q.body = STR("{\"a\":1}");
		v = auth_verify(routes[way], &q, ring, NOW);
		if (v.code == VERDICT_WANTS_KEY) {
			int64_t until = NOW + 1000;
			struct key *k = auth_keys_fetched(routes[way]->provider, 0, rest,
			    NOW, &until, &e);

			if (until > NOW + 1000)
				abort();
			if (k != NULL)
				keyring_put(ring, v.want.id, k, NOW, until);
			else
				keyring_refuse(ring, v.want.id, NOW, until);
			v = auth_verify(routes[way], &q, ring, NOW);
		}
		if (v.reason == NULL || v.code == VERDICT_WANTS_KEY ||
		    (v.code == VERDICT_GENUINE && ways[way].never))
			abort();
	}
	keyring_free(ring);
	arena_free(a);
	return 0;
}
