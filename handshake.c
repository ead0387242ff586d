/*
 * handshake.c - see handshake.h.
 *
 * The oracle: X asks GET ?crc_token=T and wants HMAC(secret, T) back, from anybody,
 * and signs its events with HMAC(secret, body).  Who could choose T as a whole body
 * would have us sign it.  So what is signed for a stranger must be a short token,
 * must not be JSON by itself, and must not begin with the text that a provider's
 * signed bytes begin with; the loader lets such a handshake be only where bodies
 * are JSON and nothing but such a text and the body is signed.
 */
#include <string.h>

#include "auth_static.h"
#include "handshake.h"

#define SECRET_LEAST	8		/* bytes of one that is captured ... */
#define SECRET_MOST	512

static struct handshake
refuse(const struct handshake_rule *h, const char *reason)
{
	return (struct handshake){ .step = HANDSHAKE_REFUSE,
	    .answer = h->refused, .reason = reason };
}

/* All are compared, so that the time does not tell which one was wrong. */
static bool
tokens_hold(const struct handshake_rule *h, const struct scope *s)
{
	bool hold = true;

	for (size_t i = 0; i < h->nverify; i++) {
		struct str wanted = template_text(h->verify[i].equals, s), value;

		if (place_get(&h->verify[i].place, s->q, &value, NULL) !=
		    PLACE_FOUND)
			value = STR("");
		if (wanted.n == 0)
			hold = false;
		else
			hold &= fixed_eq_text(wanted, value);
	}
	return hold;
}

/* Would it be an event's signed bytes, with the text that they begin with? */
static bool
begins_as_event(const struct provider *p, struct str s)
{
	for (size_t i = 0; i < p->nsignatures; i++) {
		const struct template *t = &p->signatures[i].signs;

		if (t->n > 1 && t->pieces[0].op == PIECE_TEXT &&
		    str_starts(s, t->pieces[0].text))
			return true;
	}
	return false;
}

struct asked {
	const struct provider *p;
	struct request	*q;
};

/*
 * A value that is signed for a stranger: a token that no event could be.  More of the
 * request than a place holds could be one in any case.
 */
static bool
is_risky(const struct piece *piece, const void *arg)
{
	static const struct json_limits tiny = { 1, 1 };
	const struct asked *a = arg;
	struct str value;

	if (piece->op != PIECE_PLACE)
		return piece_is_source(piece) || piece_is_of_request(piece, NULL);
	if (place_get(&piece->place, a->q, &value, NULL) != PLACE_FOUND)
		return false;
	return !reply_is_token(value) ||
	    json_scan(value, tiny, NULL) != JSON_BROKEN ||
	    begins_as_event(a->p, value);
}

static bool
would_sign_for_anybody(const struct route *r, const struct handshake_rule *h,
    struct request *q, bool verified)
{
	const struct asked a = { .p = r->provider, .q = q };

	return !verified && reply_keyed(&h->answer) &&
	    reply_any(&h->answer, is_risky, &a);
}

/* The secret that comes with it, when it could be one. */
static bool
take_secret(const struct handshake_rule *h, struct request *q, struct str *secret)
{
	return place_get(&h->capture, q, secret, NULL) == PLACE_FOUND &&
	    secret->n >= SECRET_LEAST && secret->n <= SECRET_MOST &&
	    str_printable(*secret);
}

static struct handshake
answer(const struct route *r, const struct handshake_rule *h, struct request *q,
    bool verified)
{
	struct scope s = auth_scope(r, q);
	struct handshake out = { .step = HANDSHAKE_ANSWER,
	    .store = h->store && verified, .refused = h->refused,
	    .reason = "handshake" };

	if (!tokens_hold(h, &s))
		return refuse(h, "wrong-token");
	if (would_sign_for_anybody(r, h, q, verified) ||
	    !reply_make(&h->answer, &s, &out.answer))
		return refuse(h, "not-to-be-echoed");
	if (h->captures && !take_secret(h, q, &out.captured))
		return refuse(h, "no-secret");
	if (arena_full(q->arena))	/* what could not be had looked absent */
		return refuse(h, "no-memory");
	return out;
}

struct handshake
handshake_try(const struct route *r, struct request *q, bool verified)
{
	const struct provider *p = r->provider;
	bool perhaps = false;

	auth_enter(r, q);
	for (size_t i = 0; i < p->nhandshakes; i++) {
		const struct handshake_rule *h = &p->handshakes[i];
		bool is_signed = h->is_signed &&
		    !(h->open && r->hook->open_handshake);

		/*
		 * What is signed is not looked into before it is known who says
		 * it; handshakes that need no signature are answered first.
		 */
		if (is_signed && !verified) {
			perhaps |= conditions_fit(h->when, h->nwhen, q, true) !=
			    FITS_NOT;
			continue;
		}
		if (conditions_fit(h->when, h->nwhen, q, false) == FITS)
			return answer(r, h, q, is_signed);
	}
	return (struct handshake){ .step = perhaps ? HANDSHAKE_VERIFY :
	    HANDSHAKE_NONE, .reason = "" };
}
