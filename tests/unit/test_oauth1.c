/* test_oauth1.c - OAuth 1.0a by the examples of RFC 5849 and of X. */
#include "base/arena.h"
#include "base/buf.h"
#include "courier/oauth1.h"
#include "test.h"

/* RFC 5849, sections 1.2 and 3.4.1.1; X: "Creating a signature". */
static const struct {
	const char	*says;
	struct oauth1	 o;
	const char	*base;		/* or NULL: not given there */
	const char	*signature;	/* likewise; as it stands in the header */
} t[] = {
	{ "the photos of RFC 5849, section 1.2", {
	  .consumer_key = STR("dpf43f3p2l4k3l03"),
	  .consumer_secret = STR("kd94hf93k423kf44"), .token = STR("nnch734d00sl2jdk"),
	  .token_secret = STR("pfkkdhi9sl3r4s00"), .method = STR("GET"),
	  .url = STR("http://photos.example.net/photos?file=vacation.jpg&size=original"),
	  .nonce = STR("chapoH"), .seconds = 137131202 },
	  NULL, "MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D" },
	{ "the request of RFC 5849, section 3.4.1.1", {
	  .consumer_key = STR("9djdj82h48djs9d2"),
	  .consumer_secret = STR("j49sk3j29djd"), .token = STR("kkk9d7dh3k39sjv7"),
	  .token_secret = STR("dh893hdasih9"), .method = STR("POST"),
	  .url = STR("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"),
	  .form = STR("c2&a3=2+q"), .nonce = STR("7d8f3e4a"), .seconds = 137131201 },
	  "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q"
	  "%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_"
	  "key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_m"
	  "ethod%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk"
	  "9d7dh3k39sjv7",
	  /* What is printed there comes of other secrets than those it names. */
	  "r6%2FTJjbCOr97%2F%2BUU0NsvSne7s5g%3D" },
	{ "a status of X", {
	  .consumer_key = STR("xvz1evFS4wEEPTGEFPHBog"),
	  .consumer_secret = STR("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
	  .token = STR("370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
	  .token_secret = STR("LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"),
	  .method = STR("POST"), .version = true,
	  .url = STR("https://api.twitter.com/1.1/statuses/update.json"
	  "?include_entities=true"),
	  .form = STR("status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth"
	  "%20request%21"),
	  .nonce = STR("kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
	  .seconds = 1318622958 },
	  "POST&https%3A%2F%2Fapi.twitter.com%2F1.1%2Fstatuses%2Fupdate.json&"
	  "include_entities%3Dtrue%26oauth_consumer_key%3Dxvz1evFS4wEEPTGEFPHBog%26"
	  "oauth_nonce%3DkYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg%26"
	  "oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1318622958%26"
	  "oauth_token%3D370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb%26"
	  "oauth_version%3D1.0%26status%3DHello%2520Ladies%2520%252B%2520Gentlemen%252C"
	  "%2520a%2520signed%2520OAuth%2520request%2521",
	  "hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D" },
};

static void
examples(void)
{
	char want[200];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct arena *a = arena_new(1 << 20);
		struct oauth1 o = t[i].o;
		struct str base, header;

		o.url.p = test_flush(o.url.p, o.url.n);
		base = oauth1_base(&o, a);
		CHECKF(t[i].base == NULL || str_eq(base, str_of(t[i].base)),
		    "%s: what is signed, not %.*s", t[i].says, STR_ARG(base));
		header = oauth1_header(&o, a);
		snprintf(want, sizeof(want), ", oauth_signature=\"%s\"",
		    t[i].signature);
		CHECKF(str_starts(header, STR("OAuth oauth_consumer_key=\"")) &&
		    str_ends(header, str_of(want)), "%s: the signature, not %.*s",
		    t[i].says, STR_ARG(header));
		CHECKF(memmem(header.p, header.n, o.consumer_secret.p,
		    o.consumer_secret.n) == NULL && memmem(header.p, header.n,
		    o.token_secret.p, o.token_secret.n) == NULL,
		    "%s: no secret is in it", t[i].says);
		arena_free(a);
	}
}

static void
urls(void)
{
	static const struct { const char *url, *begins; } u[] = {
		{ "https://A.example", "POST&https%3A%2F%2Fa.example%2F&oauth_" },
		{ "https://a.example?b=c", "POST&https%3A%2F%2Fa.example%2F&b%3Dc%26" },
		{ "https://a.example:443/x", "POST&https%3A%2F%2Fa.example%2Fx&" },
		{ "https://a.example:80/x", "POST&https%3A%2F%2Fa.example%3A80%2Fx&" },
		{ "http://a.example:8080/x", "POST&http%3A%2F%2Fa.example%3A8080%2Fx&" },
		{ "http://a.example/%7Ex/", "POST&http%3A%2F%2Fa.example%2F%257Ex%2F&" },
		{ "http://a.example/?", "POST&http%3A%2F%2Fa.example%2F&oauth_" },
	};
	struct arena *a = arena_new(1 << 20), *small;
	struct buf long_one = BUF(1 << 16);
	struct oauth1 o = t[0].o;

	o.method = STR("POST");
	for (size_t i = 0; i < sizeof(u) / sizeof(u[0]); i++) {
		struct str base;

		o.url = str_of(u[i].url);
		base = oauth1_base(&o, a);
		CHECKF(str_starts(base, str_of(u[i].begins)), "%s: %.*s", u[i].url,
		    STR_ARG(base));
	}
	buf_put(&long_one, STR("http://a.example/?"));
	for (size_t i = 0; i < OAUTH1_PARAMS + 1; i++)
		buf_put(&long_one, STR("a=b&"));
	o.url = buf_str(&long_one);
	CHECK(oauth1_header(&o, a).p == NULL, "more parameters than there may be");
	for (size_t limit = 0; limit < 40000; limit += 97) {
		struct str header;

		small = arena_new(limit);
		header = small == NULL ? STR_NONE : oauth1_header(&t[2].o, small);
		CHECKF(header.p == NULL || str_ends(header, STR("mtUk%3D\"")),
		    "within %zu bytes it is whole or not there", limit);
		arena_free(small);
	}
	buf_free(&long_one);
	arena_free(a);
}

int
main(void)
{
	examples();
	urls();
	TEST_END("oauth1");
}
