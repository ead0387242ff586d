/*
 * auth_sign.c - see auth_sign.h.
 *
 * What a provider's file says is done backwards: put in what is signed beside the
 * body (a time, an id, a token), expand the template over the request so far, sign,
 * and write the signature in its form where it stands.
 */
#include <stdlib.h>
#include <string.h>

#include "auth_key.h"
#include "auth_sign.h"
#include "base/os.h"

#define HEADERS_MORE	32
#define MADE_UP		16		/* random bytes of an id */

struct work {
	const struct route *r;
	const struct signature *s;
	const struct sign_wish *w;
	struct sent *out;
	struct arena	*a;
	struct err	*e;
	size_t		 room;		/* of out->headers */
	struct str	 token;		/* a token's header, JSON */
	struct str	 claims;	/* its claims, JSON */
	struct str	 item;		/* path of the one that is signed: "items[0]" */
};

static int
no_memory(struct work *k)
{
	return err_set(k->e, ERR_OS, "the request is too large to be signed");
}

/* --- the request so far ---------------------------------------------------------- */

/* As the receiver will see it. */
static int
make_request(struct work *k, struct request *q)
{
	if (sent_request(k->out, k->a, q) != 0)
		return no_memory(k);
	q->json = k->r->json;
	q->token = k->token;
	q->claims = k->claims;
	if (k->item.n > 0)
		json_find(q->body, k->item, &q->item);
	return 0;
}

static bool
is_there(struct work *k, const struct place *place)
{
	struct request q;
	struct str value;

	return make_request(k, &q) == 0 &&
	    place_get(place, &q, &value, NULL) == PLACE_FOUND;
}

/* --- putting values in ------------------------------------------------------------ */

static int
put_header(struct work *k, struct str name, struct str value)
{
	for (size_t i = 0; i < k->out->nheaders; i++)
		if (str_eq_nocase(k->out->headers[i].name, name)) {
			k->out->headers[i].value = value;
			return 0;
		}
	if (k->out->nheaders == k->room)
		return no_memory(k);
	k->out->headers[k->out->nheaders++] = (struct header){ name, value };
	return 0;
}

/* The pairs of a query or a form without those of that name, then name=value. */
static struct str
with_pair(struct arena *a, struct str pairs, struct str name, struct str value)
{
	struct str rest = pairs, out = STR(""), sep = STR("");

	while (rest.p != NULL && rest.n > 0) {
		struct str pair = str_cut(&rest, '&'), v = pair;
		struct str n = url_decode(a, str_cut(&v, '='), true);

		if (str_eq(n, name))
			continue;
		out = arena_printf(a, "%.*s%.*s%.*s", STR_ARG(out), STR_ARG(sep),
		    STR_ARG(pair));
		sep = STR("&");
	}
	return arena_printf(a, "%.*s%.*s%.*s=%.*s", STR_ARG(out), STR_ARG(sep),
	    STR_ARG(url_encode(a, name)), STR_ARG(url_encode(a, value)));
}

static int
put_query(struct work *k, struct str name, struct str value)
{
	struct str query = k->out->url, before = str_cut(&query, '?');

	k->out->url = arena_printf(k->a, "%.*s?%.*s", STR_ARG(before),
	    STR_ARG(with_pair(k->a, query, name, value)));
	return k->out->url.p != NULL ? 0 : no_memory(k);
}

static int
put_field(struct work *k, struct str name, struct str value)
{
	struct request q;

	if (make_request(k, &q) != 0)
		return -1;
	if (request_body_kind(&q) != BODY_FORM)
		return err_set(k->e, ERR_USAGE, "the field \"%.*s\" can only be put "
		    "into a body of application/x-www-form-urlencoded",
		    STR_ARG(name));
	k->out->body = with_pair(k->a, k->out->body, name, value);
	return k->out->body.p != NULL ? 0 : no_memory(k);
}

/* The last name of a path like "a.b": before it, and without its quotes. */
static struct str
last_name(struct str path, struct str *parent)
{
	size_t i = path.n;
	bool quoted = path.n > 1 && path.p[path.n - 1] == '"';

	if (quoted)
		for (i = path.n - 1; i > 0 && path.p[i - 1] != '"'; i--)
			;
	else
		while (i > 0 && path.p[i - 1] != '.')
			i--;
	if (quoted) {
		*parent = str_head(path, i > 1 ? i - 2 : 0);
		return str_head(str_skip(path, i), path.n - i - 1);
	}
	*parent = str_head(path, i > 0 ? i - 1 : 0);
	return str_skip(path, i);
}

/* Replaces the bytes of part, which lies in whole. */
static struct str
spliced(struct arena *a, struct str whole, struct str part, struct str with)
{
	size_t at = (size_t)(part.p - whole.p);

	return arena_printf(a, "%.*s%.*s%.*s", STR_ARG(str_head(whole, at)),
	    STR_ARG(with), STR_ARG(str_skip(whole, at + part.n)));
}

/*
 * A value into a JSON text: over the one that is there, else as a new member, making
 * the objects on the way.  source is JSON.
 */
static int
put_json(struct work *k, struct str *json, struct str path, struct str source)
{
	struct str raw, parent, name, member, after;
	enum json_kind kind = json_find(*json, path, &raw);

	if (kind == JSON_STRING) {
		raw.p--;		/* its quotes */
		raw.n += 2;
	}
	if (kind != JSON_NONE) {
		*json = spliced(k->a, *json, raw, source);
		return json->p != NULL ? 0 : no_memory(k);
	}
	name = last_name(path, &parent);
	if (name.n == 0 || str_find(name, '[') != -1)
		return err_set(k->e, ERR_USAGE, "the body has no \"%.*s\" that the "
		    "signature could be put into", STR_ARG(path));
	member = arena_printf(k->a, "\"%.*s\":%.*s", STR_ARG(name),
	    STR_ARG(source));
	if (parent.n > 0) {
		kind = json_find(*json, parent, &raw);
		if (kind == JSON_NONE || kind == JSON_NULL)
			return put_json(k, json, parent, arena_printf(k->a,
			    "{%.*s}", STR_ARG(member)));
	} else {
		raw = *json;
		while (raw.n > 0 && strchr(" \t\r\n", raw.p[0]) != NULL)
			raw = str_skip(raw, 1);
		kind = raw.n > 0 && raw.p[0] == '{' ? JSON_OBJECT : JSON_ARRAY;
	}
	if (kind != JSON_OBJECT)
		return err_set(k->e, ERR_USAGE, "the signature stands in the body: it "
		    "must be a JSON object");
	/* After its brace; no comma where it was empty. */
	raw = str_skip(raw, 1);
	after = raw;
	while (after.n > 0 && strchr(" \t\r\n", after.p[0]) != NULL)
		after = str_skip(after, 1);
	if (after.n > 0 && after.p[0] != '}')
		member = arena_printf(k->a, "%.*s,", STR_ARG(member));
	*json = spliced(k->a, *json, str_head(raw, 0), member);
	return json->p != NULL ? 0 : no_memory(k);
}

/* A value as JSON; bare: a number, or true and false, unless a string is there. */
static struct str
as_json(struct work *k, struct str json, struct str path, struct str value,
    bool bare)
{
	struct buf b = BUF(1 << 20);
	struct str old, out;

	if (bare && json_find(json, path, &old) != JSON_STRING)
		return value;
	buf_json(&b, value);
	out = arena_str(k->a, buf_str(&b));
	buf_free(&b);
	return out;
}

static int	put_steps(struct work *, const struct step *, size_t n,
		    struct str *text, struct str value, bool bare);

/* The other way along a step: what the value is inside of. */
static int
put_step(struct work *k, const struct step *s, size_t left, struct str *text,
    struct str value, bool bare)
{
	struct str inner = STR_NONE, raw;
	char *room;
	size_t n;

	switch (s->kind) {
	case STEP_JSON:
		if (text->n == 0)
			*text = STR("{}");
		if (left == 0)
			return put_json(k, text, s->path, as_json(k, *text, s->path,
			    value, bare));
		if (json_find(*text, s->path, &raw) == JSON_STRING)
			inner = json_unescape(k->a, raw);
		if (put_steps(k, s + 1, left, &inner, value, bare) != 0)
			return -1;
		return put_json(k, text, s->path, as_json(k, *text, s->path, inner,
		    false));
	case STEP_BASE64:
	case STEP_BASE64URL:
		room = arena_bytes(k->a, BASE64_ROOM(text->n) + 1);
		if (text->n > 0 && room != NULL && (s->kind == STEP_BASE64 ?
		    base64_decode(*text, room, BASE64_ROOM(text->n), &n) :
		    base64url_decode(*text, room, BASE64_ROOM(text->n), &n)))
			inner = (struct str){ room, n };
		if (put_steps(k, s + 1, left, &inner, value, bare) != 0)
			return -1;
		*text = s->kind == STEP_BASE64 ? base64_encode(k->a, inner) :
		    base64url_encode(k->a, inner);
		return text->p != NULL ? 0 : no_memory(k);
	case STEP_DECRYPT:
		break;
	}
	return err_set(k->e, ERR_USAGE, "nothing is encrypted here");
}

static int
put_steps(struct work *k, const struct step *s, size_t n, struct str *text,
    struct str value, bool bare)
{
	if (n == 0) {
		*text = value;
		return 0;
	}
	return put_step(k, s, n - 1, text, value, bare);
}

/* The value into what stands at the place now, when steps lead on from there. */
static int
through_steps(struct work *k, const struct place *place, struct str *value,
    bool bare)
{
	struct place first = *place;
	struct request q;
	struct str text;

	if (place->nsteps == 0)
		return 0;
	first.nsteps = 0;
	if (make_request(k, &q) != 0)
		return -1;
	if (place_get(&first, &q, &text, NULL) != PLACE_FOUND)
		text = STR_NONE;
	if (put_steps(k, place->steps, place->nsteps, &text, *value, bare) != 0)
		return -1;
	*value = text;
	return 0;
}

static int
put_value(struct work *k, const struct place *place, struct str value, bool bare)
{
	struct str path = place->name;

	if (through_steps(k, place, &value, bare) != 0)
		return -1;
	bare = bare && place->nsteps == 0;
	switch (place->kind) {
	case PLACE_HEADER:
		return put_header(k, place->written, value);
	case PLACE_QUERY:
		return put_query(k, place->name, value);
	case PLACE_FIELD:
		return put_field(k, place->name, value);
	case PLACE_TOKEN:
		return put_json(k, &k->token, path, as_json(k, k->token, path,
		    value, bare));
	case PLACE_CLAIM:
		return put_json(k, &k->claims, path, as_json(k, k->claims, path,
		    value, bare));
	case PLACE_ITEM:
		path = arena_printf(k->a, "%.*s.%.*s", STR_ARG(k->item),
		    STR_ARG(path));
		break;
	case PLACE_BODY:
		break;
	}
	if (str_eq(place->name, STR("."))) {
		k->out->body = value;
		return 0;
	}
	if (json_scan(k->out->body, k->r->json, NULL) != JSON_OK)
		return err_set(k->e, ERR_USAGE, "the body must be JSON: \"%.*s\" "
		    "stands in it", STR_ARG(place->name));
	return put_json(k, &k->out->body, path, as_json(k, k->out->body, path,
	    value, bare));
}

static struct str
made_up(struct work *k)
{
	char bytes[MADE_UP];

	if (os_random(bytes, sizeof(bytes)) != 0)
		return STR_NONE;
	return hex_encode(k->a, (struct str){ bytes, sizeof(bytes) }, false);
}

/* --- what is signed beside the body -------------------------------------------------- */

/* Did the caller give that header? */
static bool
named_already(const struct work *k, const struct place *place)
{
	for (size_t i = 0; i < k->w->nheaders; i++)
		if (place->kind == PLACE_HEADER &&
		    str_eq_nocase(k->w->headers[i].name, place->name))
			return true;
	return false;
}

/* A number that no event had yet, for ids that are numbers. */
static struct str
made_up_number(struct work *k)
{
	uint64_t n = 0;

	if (os_random(&n, sizeof(n)) != 0)
		return STR_NONE;
	return arena_printf(k->a, "%llu",
	    (unsigned long long)(n >> 12));	/* exact in a double, too */
}

/* Can the request hold a value there: a form's field, a name of a JSON object? */
static bool
fits(const struct work *k, const struct request *q, const struct place *place)
{
	if (place->nsteps > 0)
		return false;
	switch (place->kind) {
	case PLACE_FIELD:
		return request_body_kind(q) == BODY_FORM;
	case PLACE_BODY:
	case PLACE_ITEM:
		return q->body.n > 0 &&
		    json_scan(q->body, k->r->json, NULL) == JSON_OK;
	case PLACE_CLAIM:
		return k->claims.n > 0;
	case PLACE_HEADER:
	case PLACE_QUERY:
	case PLACE_TOKEN:
		break;
	}
	return true;
}

/*
 * An id or a type into a place of a list that can take it; one that the signature
 * names is preferred, then one that is there already.
 */
static int
put_source(struct work *k, const struct template *list, size_t n, struct str wish,
    bool make)
{
	const struct place *place = NULL;
	enum json_kind kind = JSON_STRING;
	struct request q;
	struct str old;
	int best = 0;

	if (make_request(k, &q) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct place *one = template_place(&list[i]);
		int rank;

		if (one == NULL || !fits(k, &q, one))
			continue;
		rank = template_has_place(&k->s->signs, one) ? 3 :
		    is_there(k, one) ? 2 : 1;
		if (rank > best) {
			best = rank;
			place = one;
		}
	}
	if (place == NULL)
		return 0;
	if (wish.n > 0)
		return put_value(k, place, wish, false);
	if (!make || named_already(k, place))
		return 0;
	if (place->kind != PLACE_HEADER && place->kind != PLACE_CLAIM &&
	    (!k->w->fresh ||
	    place_get(place, &q, &old, &kind) != PLACE_FOUND))
		return 0;
	return kind == JSON_NUMBER ?
	    put_value(k, place, made_up_number(k), true) :
	    put_value(k, place, made_up(k), false);
}

static int
put_time(struct work *k)
{
	const struct time_rule *t = &k->s->time;

	if (!t->set || t->captured)
		return 0;
	return put_value(k, &t->place, when_write(k->a, k->w->now, t->unit),
	    t->unit == WHEN_S || t->unit == WHEN_MS);
}

struct filling {
	struct work	*k;
	bool		*failed;
};

/*
 * A value that is signed and not there yet: a token, a nonce.  What an item holds is
 * the sender's to say.
 */
static bool
fill_place(const struct piece *p, const void *arg)
{
	const struct filling *f = arg;

	if (p->op != PIECE_PLACE || p->optional || p->place.kind == PLACE_TOKEN ||
	    p->place.kind == PLACE_ITEM || is_there(f->k, &p->place))
		return false;
	*f->failed = put_value(f->k, &p->place, made_up(f->k), false) != 0;
	return *f->failed;		/* else look on */
}

static int
put_rest(struct work *k)
{
	bool failed = false;
	const struct filling f = { k, &failed };

	template_any(&k->s->signs, fill_place, &f);
	return failed ? -1 : 0;
}

/*
 * A list of headers that are signed: it names itself, where it is one, the time's,
 * those that it must, and those that the caller gave.
 */
static int
put_names(struct work *k, const struct pairs *p)
{
	const struct place *list = template_place(&p->named);
	struct str names = STR("");
	char sep[2] = { p->split, '\0' };

	if (p->from != PAIRS_HEADERS || list == NULL || is_there(k, list))
		return 0;
	if (list->kind == PLACE_HEADER)
		names = list->name;
	if (k->s->time.set && !k->s->time.captured &&
	    k->s->time.place.kind == PLACE_HEADER)
		names = arena_printf(k->a, "%.*s%s%.*s", STR_ARG(names),
		    names.n > 0 ? sep : "", STR_ARG(k->s->time.place.name));
	for (size_t i = 0; i < p->nmust; i++)
		if (memmem(names.p, names.n, p->must[i].p, p->must[i].n) == NULL)
			names = arena_printf(k->a, "%.*s%s%.*s", STR_ARG(names),
			    names.n > 0 ? sep : "", STR_ARG(p->must[i]));
	for (size_t i = 0; i < k->w->nheaders; i++)
		names = arena_printf(k->a, "%.*s%s%.*s", STR_ARG(names),
		    names.n > 0 ? sep : "", STR_ARG(k->w->headers[i].name));
	return names.p == NULL ? no_memory(k) : put_value(k, list, names, false);
}

static int
put_all_names(struct work *k)
{
	for (size_t i = 0; i < k->s->npairs; i++)
		if (put_names(k, &k->s->pairs[i]) != 0)
			return -1;
	return 0;
}

/* Does the form capture the list of headers that these pairs are? */
static bool
pairs_list(const struct pairs *p, size_t capture)
{
	const struct template *t = &p->named;

	for (size_t i = 0; p->from == PAIRS_HEADERS && i < t->n; i++)
		if (t->pieces[i].op == PIECE_CAPTURE &&
		    t->pieces[i].index == capture)
			return true;
	return false;
}

static bool
lists_headers(const struct signature *s, size_t capture)
{
	for (size_t i = 0; i < s->npairs; i++)
		if (pairs_list(&s->pairs[i], capture))
			return true;
	return false;
}

/* What the form captures, so that the template can be expanded. */
static int
fill_captures(struct work *k, struct str captures[CAPTURES_MAX])
{
	const struct form *f = &k->s->form;

	for (size_t i = 0; i < f->ncaptures; i++) {
		captures[i] = (int)i == f->time ? when_write(k->a, k->w->now,
		    k->s->time.set ? k->s->time.unit : WHEN_S) :
		    lists_headers(k->s, i) && k->out->nheaders > 0 ?
		    k->out->headers[0].name : made_up(k);
		if (captures[i].p == NULL)
			return no_memory(k);
	}
	return 0;
}

static void
fill_scope(struct work *k, struct scope *s, struct request *q,
    const struct str *captures)
{
	*s = (struct scope){ .q = q, .params = k->r->params,
	    .captures = captures, .pairs = k->s->pairs,
	    .secret = auth_key_bytes(k->r->keys[k->out->alternative]) };
	if (k->s->form.time != -1)
		s->time = captures[k->s->form.time];
	if (k->s->time.set && !k->s->time.captured)
		place_get(&k->s->time.place, q, &s->time, NULL);
}

static int
put_also(struct work *k, const struct str *captures)
{
	for (size_t i = 0; i < k->s->nalso; i++) {
		const struct also *also = &k->s->also[i];
		struct request q;
		struct scope s;
		struct str value;

		if (make_request(k, &q) != 0)
			return -1;
		fill_scope(k, &s, &q, captures);
		value = template_text(&also->equals[0], &s);
		if (value.p == NULL && also->optional)
			continue;
		if (value.p == NULL)
			return err_set(k->e, ERR_USAGE, "\"%.*s\" must equal "
			    "something that is not given",
			    STR_ARG(also->place.name));
		if (put_value(k, &also->place, value,
		    str_eq(value, STR("true")) || str_eq(value, STR("false"))) != 0)
			return -1;
	}
	return 0;
}

/* --- tokens ---------------------------------------------------------------------------- */

#define TOKEN_HOLDS	300000		/* ms */

static int
put_number(struct work *k, const char *name, int64_t ms)
{
	const struct place place = { .kind = PLACE_CLAIM, .name = str_of(name) };

	return put_value(k, &place, when_write(k->a, ms, WHEN_S), true);
}

/* A header, and claims with the times that are looked at. */
static int
begin_token(struct work *k)
{
	const struct token_rule *t = &k->s->token;
	struct str kid = k->w->key_id.n > 0 ? k->w->key_id :
	    auth_key_id(k->r->keys[k->out->alternative]);

	if (k->s->from_token)
		return err_set(k->e, ERR_USAGE, "the key's certificates stand in the "
		    "token: nobody but the provider has them");
	k->token = arena_printf(k->a, "{\"alg\":\"%s\"%s}", k->s->algorithm->jose,
	    t->unencoded ? ",\"b64\":false,\"crit\":[\"b64\"]" : "");
	if (k->token.p == NULL)
		return no_memory(k);
	if (kid.n > 0 && put_value(k, &(const struct place){ .kind = PLACE_TOKEN,
	    .name = STR("kid") }, kid, false) != 0)
		return -1;
	if (t->detached)
		return 0;
	k->claims = STR("{}");
	return put_number(k, "iat", k->w->now) != 0 ||
	    put_number(k, "exp", k->w->now + TOKEN_HOLDS) != 0 ||
	    ((t->require & (1u << CLAIM_NBF)) != 0 &&
	    put_number(k, "nbf", k->w->now) != 0) ||
	    ((t->require & (1u << CLAIM_JTI)) != 0 && put_value(k,
	    &(const struct place){ .kind = PLACE_CLAIM, .name = STR("jti") },
	    made_up(k), false) != 0) ? -1 : 0;
}

/* --- signing ----------------------------------------------------------------------------- */

static int
compute(struct work *k, const struct str *pieces, size_t n, unsigned char *out,
    size_t *len)
{
	const struct algorithm *alg = k->s->algorithm;
	struct str secret = auth_key_bytes(k->r->keys[k->out->alternative]);
	struct privkey *key;
	struct mac *m;
	bool ok = false;

	*len = hash_size(alg->hash);
	switch (alg->family) {
	case FAMILY_EQUAL:
		return 0;
	case FAMILY_HASH:
		ok = hash_pieces(alg->hash, pieces, n, out);
		break;
	case FAMILY_MAC:
		if ((m = mac_new(alg->hash, secret)) != NULL)
			ok = mac_pieces(m, pieces, n, out);
		mac_free(m);
		break;
	case FAMILY_KEY:
		key = privkey_new(alg->key.type, k->w->private_key, k->e);
		if (key == NULL)
			return err_at(k->e, "the private key cannot be used");
		ok = privkey_sign(key, &alg->key, pieces, n, out, len);
		privkey_free(key);
		break;
	}
	return ok ? 0 : err_set(k->e, ERR_SOFTWARE, "the signature could not be made");
}

static struct str
encoded(struct arena *a, enum encoding encoding, struct str sig)
{
	switch (encoding) {
	case ENCODING_HEX:
		return hex_encode(a, sig, false);
	case ENCODING_BASE64:
		return base64_encode(a, sig);
	case ENCODING_BASE64URL:
		return base64url_encode(a, sig);
	case ENCODING_BASE64_HEX:
		return base64_encode(a, hex_encode(a, sig, false));
	case ENCODING_RAW:
	case ENCODING_AUTO:
		break;
	}
	return sig;
}

static struct str
in_form(struct work *k, struct str sig, const struct str *captures)
{
	const struct form *f = &k->s->form;
	struct str out = STR("");

	for (size_t i = 0; i < f->nitems; i++) {
		if (i > 0)
			out = arena_printf(k->a, "%.*s%c%s", STR_ARG(out), f->list,
			    f->comma_space && f->list == ',' ? " " : "");
		for (size_t j = 0; j < f->items[i].nparts; j++) {
			const struct form_part *p = &f->items[i].parts[j];
			struct str part = p->text;

			if (p->kind == PART_SIG)
				part = encoded(k->a, p->encoding, sig);
			if (p->kind == PART_CAPTURE)
				part = captures[p->index];
			if (p->kind == PART_PARAM &&
			    k->r->params[p->index].n > 0)
				part = k->r->params[p->index].v[0];
			out = arena_printf(k->a, "%.*s%.*s", STR_ARG(out),
			    STR_ARG(part));
		}
	}
	return out;
}

/* What is signed, as pieces; of a token "header.payload". */
static int
what_is_signed(struct work *k, const struct scope *s, struct str pieces[64],
    size_t *n)
{
	const struct signature *sig = k->s;
	const struct piece *missing;
	struct str payload = k->claims;

	*n = sig->signs.n;
	if (sig->algorithm->jose == NULL || sig->token.detached) {
		if (sig->signs.n > 60 || !template_pieces(&sig->signs, s, pieces + 2,
		    &missing))
			return err_set(k->e, ERR_USAGE, "something that the provider "
			    "signs is not there%s", template_uses_param(
			    &sig->signs, PARAM_URL) ? ": the hook's \"url\"?" : "");
		if (sig->algorithm->jose == NULL) {
			memmove(pieces, pieces + 2, *n * sizeof(*pieces));
			return 0;
		}
		payload = template_text(&sig->signs, s);
	}
	pieces[0] = base64url_encode(k->a, k->token);
	pieces[1] = STR(".");
	*n += 2;
	if (sig->token.unencoded)
		return 0;
	pieces[2] = base64url_encode(k->a, payload);
	*n = 3;
	return pieces[0].p != NULL && pieces[2].p != NULL ? 0 : no_memory(k);
}

/* The signature as it stands in the form; a token with what it belongs to. */
static struct str
whole_value(struct work *k, struct str sig, const struct str *pieces,
    const struct str *captures)
{
	struct str value;

	if (k->s->algorithm->jose == NULL)
		return in_form(k, sig, captures);
	value = arena_printf(k->a, "%.*s.%.*s.%.*s", STR_ARG(pieces[0]),
	    STR_ARG(k->s->token.detached ? STR("") : pieces[2]),
	    STR_ARG(base64url_encode(k->a, sig)));
	return value.p == NULL ? value : in_form(k, value, captures);
}

/* One signature: of the request, or of one item of it. */
static int
sign_one(struct work *k, const struct str *captures)
{
	unsigned char out[HASH_MAX + KEY_SIGNATURE_MAX];
	struct place place = k->s->places[0];
	struct str pieces[64], sig, value;
	struct request q;
	struct scope s;
	size_t len = 0, n;

	if (make_request(k, &q) != 0)
		return -1;
	fill_scope(k, &s, &q, captures);
	if (what_is_signed(k, &s, pieces, &n) != 0 ||
	    compute(k, pieces, n, out, &len) != 0)
		return -1;
	sig = k->s->algorithm->family == FAMILY_EQUAL ? s.secret :
	    (struct str){ (const char *)out, len };
	value = whole_value(k, sig, pieces, captures);
	if (value.p == NULL)
		return no_memory(k);
	if (k->s->form.numbered)
		place.written = arena_printf(k->a, "%.*s1", STR_ARG(place.written));
	return put_value(k, &place, value, false);
}

static int
sign_items(struct work *k, const struct str *captures)
{
	struct str list, raw;
	size_t at = 0;

	if (json_find(k->out->body, k->s->each, &list) != JSON_ARRAY)
		return err_set(k->e, ERR_USAGE, "the body has no list \"%.*s\" whose "
		    "items could be signed", STR_ARG(k->s->each));
	for (size_t i = 0; json_next(list, &at, &raw) != JSON_NONE; i++) {
		k->item = arena_printf(k->a, "%.*s[%zu]", STR_ARG(k->s->each), i);
		if (k->item.p == NULL)
			return no_memory(k);
		if (sign_one(k, captures) != 0)
			return -1;
		/* It has grown: the list is where it was, and longer. */
		json_find(k->out->body, k->s->each, &list);
		for (size_t j = at = 0; j <= i; j++)
			json_next(list, &at, &raw);
	}
	return 0;
}

/* A header or a query field that says a text: the signer can put it in. */
static bool
can_be_put(const struct condition *c)
{
	return c->of == OF_PLACE && c->test == TEST_EQUALS &&
	    (c->place.kind == PLACE_HEADER || c->place.kind == PLACE_QUERY) &&
	    c->place.nsteps == 0;
}

/* What the alternative is known by: "X-Signature-Version: v2". */
static int
put_when(struct work *k)
{
	for (size_t i = 0; i < k->s->nwhen; i++) {
		const struct condition *c = &k->s->when[i];

		if (can_be_put(c) && !is_there(k, &c->place) &&
		    put_value(k, &c->place, c->text, false) != 0)
			return -1;
	}
	return 0;
}

/* Where the request says which key it is signed with. */
static int
put_key_id(struct work *k)
{
	const struct place *place = template_place(&k->s->key_name);

	return place == NULL || k->w->key_id.n == 0 ? 0 :
	    put_value(k, place, k->w->key_id, false);
}

static int
sign(struct work *k)
{
	struct str captures[CAPTURES_MAX] = { { NULL, 0 } };
	const struct event_rule *ev = &k->r->provider->event;
	const struct place *place = &k->s->places[0];

	if ((place->kind == PLACE_BODY || place->kind == PLACE_FIELD) &&
	    k->s->algorithm->jose == NULL && (k->s->covers & COVERS_BODY) != 0)
		return err_set(k->e, ERR_USAGE, "the signature stands in the body that "
		    "it covers");
	if (k->s->algorithm->jose != NULL && begin_token(k) != 0)
		return -1;
	if (put_when(k) != 0 || put_source(k, ev->ids, ev->nids, k->w->id, true) != 0 ||
	    put_source(k, ev->types, ev->ntypes, k->w->type, false) != 0 ||
	    put_time(k) != 0 || put_key_id(k) != 0 || put_all_names(k) != 0 ||
	    put_rest(k) != 0 ||
	    fill_captures(k, captures) != 0 || put_also(k, captures) != 0)
		return -1;
	return k->s->each.n > 0 ? sign_items(k, captures) : sign_one(k, captures);
}

static bool
can_sign(const struct route *r, size_t i, const struct sign_wish *w,
    struct request *q)
{
	const struct signature *s = &r->provider->signatures[i];
	struct str value;

	if (s->kinds != 0 && (s->kinds & (request_body_kind(q) | BODY_ANY)) == 0)
		return false;
	/* What the signature itself brings cannot be asked for yet. */
	for (size_t j = 0; w->alternative < 0 && j < s->nwhen; j++)
		if (conditions_fit(&s->when[j], 1, q, false) == FITS_NOT &&
		    !(can_be_put(&s->when[j]) && place_get(&s->when[j].place, q,
		    &value, NULL) == PLACE_ABSENT))
			return false;
	if (s->algorithm->family == FAMILY_KEY)
		return w->private_key.n > 0;
	return r->keys[i] != NULL;
}

static struct str
content_type(const struct route *r, const struct sign_wish *w)
{
	unsigned bodies = r->provider->bodies;
	bool json = w->body.n > 0 && (w->body.p[0] == '{' || w->body.p[0] == '[');

	if (w->content_type.n > 0)
		return w->content_type;
	if ((bodies & BODY_FORM) != 0 && !(json && (bodies & BODY_JSON) != 0))
		return STR("application/x-www-form-urlencoded");
	if (w->body.n == 0 && (bodies & BODY_JSON) == 0)
		return STR_NONE;
	return STR("application/json");
}

int
auth_sign(const struct route *r, const struct sign_wish *w, struct arena *a,
    struct sent *out, struct err *e)
{
	struct work k = { .r = r, .w = w, .out = out, .a = a, .e = e,
	    .room = w->nheaders + HEADERS_MORE };
	struct request q;
	struct str type = content_type(r, w);
	size_t n = r->provider->nsignatures, i;

	*out = (struct sent){ .alternative = w->alternative,
	    .method = w->method.n > 0 ? w->method : r->provider->methods[0],
	    .url = w->url, .body = w->body.p != NULL ? w->body : STR("") };
	if ((out->headers = arena_alloc(a, k.room * sizeof(*out->headers))) == NULL)
		return no_memory(&k);
	for (i = 0; i < w->nheaders; i++) {
		out->headers[out->nheaders++] = w->headers[i];
		if (str_eq_nocase(w->headers[i].name, STR("content-type")))
			type = STR_NONE;
	}
	if (type.n > 0)
		put_header(&k, STR("Content-Type"), type);
	if (r->hook->auth == AUTH_NONE || n == 0) {
		out->alternative = -1;
		return 0;
	}
	if (make_request(&k, &q) != 0)
		return -1;
	for (i = 0; w->alternative < 0 && i < n; i++)
		if (can_sign(r, i, w, &q)) {
			out->alternative = (int)i;
			break;
		}
	if (out->alternative < 0 || (size_t)out->alternative >= n ||
	    !can_sign(r, (size_t)out->alternative, w, &q))
		return err_set(e, ERR_USAGE, "the provider \"%.*s\" signs with %s",
		    STR_ARG(r->provider->id), r->provider->wants_public_key ?
		    "a private key, and none is given" :
		    "a secret, and none that fits is given");
	k.s = &r->provider->signatures[out->alternative];
	return sign(&k);
}
