/*
 * auth_jws.c - see auth_jws.h.
 */
#include "auth_jws.h"
#include "base/codec.h"
#include "base/json.h"

/* base64url as RFC 7515 has it: without padding. */
static struct str
decoded(struct str text, struct arena *a)
{
	size_t room = BASE64_ROOM(text.n), n;
	char *out;

	if (str_find(text, '=') != -1 || (out = arena_bytes(a, room + 1)) == NULL ||
	    !base64url_decode(text, out, room, &n))
		return STR_NONE;
	return (struct str){ out, n };
}

/* A string of the header; STR_NONE when it is not there. */
static struct str
text_of(struct str json, const char *name, struct arena *a)
{
	struct str raw;

	if (json_find(json, str_of(name), &raw) != JSON_STRING)
		return STR_NONE;
	return json_unescape(a, raw);
}

/*
 * What the header says must be understood: nothing is, but that the payload is
 * unencoded.  A "b64" that "crit" does not name would mean one thing to us and
 * another to others.
 */
static bool
crit_is_known(struct jws *j, struct arena *a)
{
	struct str raw, b64;
	enum json_kind crit = json_find(j->header, STR("crit"), &raw);
	enum json_kind kind = json_find(j->header, STR("b64"), &b64);
	bool named = false;

	if ((crit == JSON_NONE && json_has(j->header, STR("crit"))) ||
	    (kind == JSON_NONE && json_has(j->header, STR("b64"))))
		return false;
	if (crit != JSON_NONE) {
		if (crit != JSON_ARRAY || json_find(raw, STR("[1]"), &raw) != JSON_NONE)
			return false;
		if (!str_eq(text_of(j->header, "crit[0]", a), STR("b64")))
			return false;
		named = true;
	}
	if (kind == JSON_NONE)
		return !named;
	j->unencoded = kind == JSON_BOOL && str_eq(b64, STR("false"));
	return kind == JSON_BOOL && named == j->unencoded;
}

bool
jws_read(struct str token, struct arena *a, struct jws *j, const char **why)
{
	static const struct json_limits limits = { 8, 512 };
	struct str rest = token;

	*j = (struct jws){ .kid = STR_NONE };
	*why = "it is no token of three parts";
	j->header64 = str_cut(&rest, '.');
	j->payload64 = str_cut(&rest, '.');
	j->signature64 = rest;
	if (rest.p == NULL || str_find(rest, '.') != -1)
		return false;
	j->input = str_head(token, j->header64.n + 1 + j->payload64.n);
	*why = "the token's header is not JSON as base64url";
	if (BASE64_ROOM(j->header64.n) > JWS_HEADER_MAX)
		return false;
	j->header = decoded(j->header64, a);
	if (j->header.n == 0 || j->header.p[0] != '{' ||
	    json_scan(j->header, limits, NULL) != JSON_OK)
		return false;
	*why = "the token's header has an extension that is not known";
	if (!crit_is_known(j, a))
		return false;
	*why = "the token does not say its algorithm";
	if ((j->alg = text_of(j->header, "alg", a)).n == 0)
		return false;
	*why = "the token's key has no name that is one";
	j->kid = text_of(j->header, "kid", a);
	if (j->kid.p == NULL && json_has(j->header, STR("kid")))
		return false;
	*why = "the token's payload is no base64url";
	if (!j->unencoded && (j->payload = decoded(j->payload64, a)).p == NULL)
		return false;
	j->signature = decoded(j->signature64, a);
	return true;
}

struct str
jws_claims(const struct jws *j)
{
	static const struct json_limits limits = { 64, 100000 };
	struct str claims = j->payload;

	return claims.n > 0 && claims.p[0] == '{' &&
	    json_scan(claims, limits, NULL) == JSON_OK ? claims : STR_NONE;
}

size_t
jws_certs(const struct jws *j, struct arena *a, struct str certs[JWS_CERTS_MAX])
{
	struct str rest, raw;
	size_t n = 0, len;

	if (json_find(j->header, STR("x5c"), &rest) != JSON_ARRAY)
		return 0;
	for (size_t at = 0; json_next(rest, &at, &raw) != JSON_NONE; n++) {
		/* This one is base64, not base64url (RFC 7515, 4.1.6). */
		size_t room = BASE64_ROOM(raw.n);
		char *out = arena_bytes(a, room + 1);

		raw = json_unescape(a, raw);
		if (n == JWS_CERTS_MAX || out == NULL ||
		    !base64_decode(raw, out, room, &len))
			return 0;
		certs[n] = (struct str){ out, len };
	}
	return n;
}
