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

#define ECHO_MAX	1024
#define TOKEN_MAX	256

static struct str
method_of(const struct request *q)
{
	/* HEAD asks what GET asks (RFC 9110, section 9.3.2). */
	return str_eq(q->method, STR("HEAD")) ? STR("GET") : q->method;
}

enum fit { FITS, FITS_NOT, FITS_PERHAPS };

/* unread: the body is not looked into, what it would say is left open. */
static enum fit
test_fits(const struct when_rule *w, struct request *q, bool unread)
{
	enum place_found found;
	struct str value;

	if (w->method)
		return str_eq(w->text, method_of(q)) || str_eq(w->text, q->method) ?
		    FITS : FITS_NOT;
	if (unread && (w->place.kind == PLACE_BODY || w->place.kind == PLACE_FIELD))
		return q->body.n > 0 ? FITS_PERHAPS : FITS_NOT;
	found = place_get(&w->place, q, &value, NULL);
	switch (w->test) {
	case TEST_ABSENT:
		return found == PLACE_ABSENT ? FITS : FITS_NOT;
	case TEST_PRESENT:
		return found == PLACE_FOUND ? FITS : FITS_NOT;
	case TEST_EQUALS:
		return found == PLACE_FOUND && str_eq(value, w->text) ?
		    FITS : FITS_NOT;
	}
	return FITS_NOT;
}

static enum fit
rule_fits(const struct handshake_rule *h, struct request *q, bool unread)
{
	enum fit all = FITS;

	for (size_t i = 0; i < h->nwhen; i++) {
		enum fit one = test_fits(&h->when[i], q, unread);

		if (one == FITS_NOT)
			return FITS_NOT;
		if (one == FITS_PERHAPS)
			all = FITS_PERHAPS;
	}
	return all;
}

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
		struct str wanted = template_text(&h->verify[i].equals, s), value;

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

static bool
is_token(struct str s)
{
	static const struct json_limits tiny = { 1, 1 };

	if (s.n == 0 || s.n > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') ||
		    (c != '\0' && strchr("+/=_.~-", c) != NULL)))
			return false;
	}
	return json_scan(s, tiny, NULL) == JSON_BROKEN;
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

/* May the request's values that stand in the answer be said back? */
static bool
may_be_echoed(const struct provider *provider, const struct handshake_rule *h,
    const struct scope *s, bool verified)
{
	for (size_t i = 0; i < h->body.n; i++) {
		const struct piece *p = &h->body.pieces[i];
		struct str value;

		if (p->op != PIECE_PLACE)
			continue;
		if (place_get(&p->place, s->q, &value, NULL) != PLACE_FOUND) {
			if (p->optional)
				continue;
			return false;
		}
		if (value.n > ECHO_MAX || (value.n > 0 && !str_printable(value)))
			return false;
		if (p->function != NULL && !verified && template_keyed(&h->body) &&
		    (!is_token(value) || begins_as_event(provider, value)))
			return false;
	}
	return true;
}

static struct handshake
answer(const struct route *r, const struct handshake_rule *h, struct request *q,
    bool verified)
{
	struct scope s = { .q = q, .params = r->params,
	    .key = auth_first_key(r) };
	struct handshake out = { .step = HANDSHAKE_ANSWER,
	    .store = h->store && verified, .reason = "handshake" };
	struct str body = STR("");

	if (!tokens_hold(h, &s))
		return refuse(h, "wrong-token");
	if (!may_be_echoed(r->provider, h, &s, verified))
		return refuse(h, "not-to-be-echoed");
	if (h->body.n > 0 && (body = template_text(&h->body, &s)).p == NULL)
		return refuse(h, "not-to-be-echoed");
	if (template_echoes(&h->body) && body.n > 2 * ECHO_MAX)
		return refuse(h, "not-to-be-echoed");
	out.answer = (struct answer){ .status = h->status, .body = body,
	    .extra = h->extra };
	if (body.n > 0)
		out.answer.type = h->type;	/* goes out with nosniff */
	return out;
}

struct handshake
handshake_try(const struct route *r, struct request *q, bool verified)
{
	const struct provider *p = r->provider;
	bool perhaps = false;

	if (q->json_state == 0)
		q->json = r->json;
	for (size_t i = 0; i < p->nhandshakes; i++) {
		const struct handshake_rule *h = &p->handshakes[i];
		bool is_signed = h->is_signed &&
		    !(h->open && r->hook->open_handshake);

		/*
		 * What is signed is not looked into before it is known who says
		 * it; handshakes that need no signature are answered first.
		 */
		if (is_signed && !verified) {
			perhaps |= rule_fits(h, q, true) != FITS_NOT;
			continue;
		}
		if (rule_fits(h, q, false) == FITS)
			return answer(r, h, q, is_signed);
	}
	return (struct handshake){ .step = perhaps ? HANDSHAKE_VERIFY :
	    HANDSHAKE_NONE, .reason = "" };
}
