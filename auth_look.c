/*
 * auth_look.c - where a request may hold a signature, what it looks like, and what is
 * signed.  See auth_parts.h.
 */
#include <string.h>

#include "auth_parts.h"

const char auth_no_signature[] = "no signature";

struct verdict
auth_refuse(enum verdict_code code, const char *reason)
{
	return (struct verdict){ .code = code, .reason = reason,
	    .secret = STR(""), .alternative = -1 };
}

/* --- where it stands ---------------------------------------------------------------- */

/*
 * Web servers join a header that came several times with ", ".  Unless the form
 * itself has that, such a value is two headers.
 */
static bool
looks_joined(const struct signature *s, struct str value)
{
	if (s->places[0].kind != PLACE_HEADER || s->form.comma_space ||
	    s->algorithm->family == FAMILY_EQUAL)
		return false;
	for (size_t i = 0; i + 1 < value.n; i++)
		if (value.p[i] == ',' && value.p[i + 1] == ' ')
			return true;
	return false;
}

static bool
take_value(const struct signature *s, struct str value, struct str *groups,
    size_t *n)
{
	char sep = s->form.groups != 0 ? s->form.groups :
	    s->repeats && s->form.list != ',' ? ',' : 0;
	struct str rest = value;

	while (rest.p != NULL) {
		struct str one = sep != 0 ? str_cut(&rest, sep) : rest;

		if (sep == 0)
			rest = STR_NONE;
		one = str_trim(one);
		if (one.n == 0)
			continue;
		if (*n == GROUPS_MAX)
			return false;
		groups[(*n)++] = one;
	}
	return true;
}

/*
 * "X-Sig-1", "X-Sig-2", ...: as if they were one list, in whatever order, none twice.
 */
static bool
take_numbered(const struct signature *s, const struct request *q,
    struct str *groups, size_t *n)
{
	struct str prefix = s->places[0].name, list = STR_NONE;
	uint64_t number;
	size_t count;

	for (size_t i = 0; i < q->nheaders; i++) {
		const struct header *h = &q->headers[i];

		if (!str_starts(h->name, prefix) || h->value.n == 0 ||
		    !str_to_u64(str_skip(h->name, prefix.n), &number))
			continue;
		request_header(q, h->name, &count);
		if (count > 1 || looks_joined(s, h->value))
			return false;
		list = arena_printf(q->arena, "%.*s%s%.*s", STR_ARG(list),
		    list.n > 0 ? "," : "", STR_ARG(h->value));
		if (list.p == NULL)
			return false;
	}
	if (list.n > 0)
		groups[(*n)++] = list;
	return true;
}

/* One of the aliases; false: it is doubled and may not be. */
static bool
take_place(const struct signature *s, const struct place *place,
    struct request *q, struct str *groups, size_t *n)
{
	struct str value;

	switch (place_get(place, q, &value, NULL)) {
	case PLACE_FOUND:
		return (s->repeats || !looks_joined(s, value)) &&
		    take_value(s, value, groups, n);
	case PLACE_DOUBLED:
		if (!s->repeats)
			return false;
		for (size_t i = 0; (value = request_header_nth(q, place->name,
		    i)).p != NULL; i++)
			if (!take_value(s, value, groups, n))
				return false;
		return true;
	case PLACE_ABSENT:
		break;
	}
	return true;
}

struct verdict
auth_find_groups(const struct signature *s, struct request *q, struct str *groups,
    size_t *n)
{
	bool single = true;

	*n = 0;
	if (s->form.numbered)
		single = take_numbered(s, q, groups, n);
	for (size_t i = 0; !s->form.numbered && single && i < s->nplaces && *n == 0; i++)
		single = take_place(s, &s->places[i], q, groups, n);
	if (!single)
		return auth_refuse(VERDICT_DOUBLED, "the signature came twice");
	return *n == 0 ? auth_refuse(VERDICT_ABSENT, auth_no_signature) :
	    auth_refuse(VERDICT_FORGED, "not judged yet");
}

struct str
auth_items(const struct signature *s, struct request *q)
{
	struct str list;

	return q->body.n > 0 && request_json(q) &&
	    json_find(q->body, s->each, &list) == JSON_ARRAY ? list : STR_NONE;
}

/* --- what it looks like ----------------------------------------------------------------- */

/* Where the value of a part ends: at the text that follows it. */
static size_t
value_length(const struct form_item *item, size_t part, struct str s)
{
	struct str text;

	if (part + 1 == item->nparts)
		return s.n;
	text = item->parts[part + 1].text;
	for (size_t i = 0; i + text.n <= s.n; i++)
		if (str_starts_nocase(str_skip(s, i), text))
			return i;
	return s.n + 1;			/* nowhere */
}

/* Does the text fit the item?  If so its values stand in values[part]. */
static bool
item_fits(const struct form_item *item, struct str s, struct str *values)
{
	for (size_t i = 0; i < item->nparts; i++) {
		const struct form_part *p = &item->parts[i];
		size_t n;

		if (p->kind == PART_TEXT) {
			if (!str_starts_nocase(s, p->text))
				return false;
			s = str_skip(s, p->text.n);
			continue;
		}
		if ((n = value_length(item, i, s)) > s.n)
			return false;
		values[i] = str_head(s, n);
		s = str_skip(s, n);
	}
	return s.n == 0;
}

static void
take_sig(struct taken *t, enum encoding encoding, struct str text,
    struct arena *a)
{
	size_t room = encoding == ENCODING_RAW ? 0 : BASE64_ROOM(text.n), n;
	char *out;

	if (text.n == 0) {
		t->empty = true;
		return;
	}
	if (t->nsigs == t->most) {
		t->doubled = true;
		return;
	}
	if (encoding == ENCODING_RAW) {
		t->sigs[t->nsigs++] = text;
		return;
	}
	/* What is not written as it should be can match nothing. */
	if ((out = arena_bytes(a, room)) != NULL &&
	    auth_decode(encoding, text, out, room, &n))
		t->sigs[t->nsigs++] = (struct str){ out, n };
}

/* Is it any of the texts?  In a time that does not tell which. */
bool
auth_equals_any(struct texts texts, struct str value)
{
	bool equals = false;

	for (size_t i = 0; i < texts.n; i++)
		equals |= fixed_eq_text(texts.v[i], value);
	return equals;
}

/* A name that is a parameter of the hook must be what the hook says. */
static bool
is_ours(const struct route *r, const struct form_item *item,
    const struct str *values)
{
	for (size_t i = 0; i < item->nparts; i++)
		if (item->parts[i].kind == PART_PARAM &&
		    !auth_equals_any(r->params[item->parts[i].index], values[i]))
			return false;
	return true;
}

static void
take_item(const struct route *r, struct request *q, const struct form_item *item,
    const struct str *values, struct taken *t)
{
	if (!is_ours(r, item, values)) {
		t->others = true;
		return;
	}
	for (size_t i = 0; i < item->nparts; i++) {
		const struct form_part *p = &item->parts[i];

		switch (p->kind) {
		case PART_TEXT:
		case PART_PARAM:
			break;
		case PART_SIG:
			take_sig(t, p->encoding, values[i], q->arena);
			break;
		case PART_CAPTURE:
			if (t->captures[p->index].p != NULL)
				t->doubled = true;
			if (values[i].n > 0)
				t->captures[p->index] = values[i];
			break;
		}
	}
}

#define PARTS_MAX	32

static void
take_one(const struct route *r, struct request *q, const struct form *f,
    struct str text, size_t position, struct taken *t)
{
	struct str values[PARTS_MAX];
	const struct form_item *item;

	for (size_t i = 0; i <= f->nitems; i++) {
		/* Items with text of their own first, then by position. */
		item = &f->items[i < f->nitems ? i :
		    position < f->nitems ? position : f->nitems - 1];
		if (item->positional == (i < f->nitems) ||
		    item->nparts > PARTS_MAX || !item_fits(item, text, values))
			continue;
		take_item(r, q, item, values, t);
		return;
	}
}

void
auth_take_apart(const struct route *r, struct request *q, const struct form *f,
    struct str text, struct taken *t)
{
	struct str rest = text;

	*t = (struct taken){ .most = f->numbered ? NUMBERED_MAX :
	    SIGNATURES_MAX };
	if (f->list == 0) {
		take_one(r, q, f, text, 0, t);
		return;
	}
	for (size_t i = 0; rest.p != NULL; i++) {
		struct str item = str_cut(&rest, f->list);

		take_one(r, q, f, str_trim(item), i, t);
	}
}

/* --- what is signed ------------------------------------------------------------------------ */

/* What a token says: places lead into it from here on, believed or not. */
static bool
look_at_token(struct judge *j, struct look *l, const char **why)
{
	struct request *q = j->q;
	struct jws *t = &l->jws;

	q->token = q->claims = STR_NONE;
	if (!jws_read(l->taken.sigs[0], q->arena, t, why))
		return false;
	*why = "the token is signed with another algorithm than the file's";
	if (!str_eq(t->alg, str_of(j->s->algorithm->jose)))
		return false;
	*why = "the token is not detached as the file says";
	if (t->unencoded != j->s->token.unencoded ||
	    (j->s->token.detached && t->payload64.n > 0))
		return false;
	q->token = t->header;
	if (!j->s->token.detached)
		q->claims = jws_claims(t);
	return true;
}

/* "header.payload", where the payload is what the file says is signed. */
static bool
detached_input(struct look *l, const struct signature *s)
{
	struct str payload;

	l->pieces[0] = l->jws.header64;
	l->pieces[1] = STR(".");
	if (s->token.unencoded) {
		l->npieces = s->signs.n + 2;
		return l->npieces <= PIECES_MAX &&
		    template_pieces(&s->signs, &l->scope, l->pieces + 2, NULL);
	}
	payload = template_text(&s->signs, &l->scope);
	if (payload.p == NULL)
		return false;
	l->pieces[2] = base64url_encode(l->scope.q->arena, payload);
	l->npieces = 3;
	return l->pieces[2].p != NULL;
}

static bool
what_is_signed(struct look *l, const struct signature *s)
{
	if (s->algorithm->jose != NULL && s->token.detached)
		return detached_input(l, s);
	if (s->algorithm->jose != NULL) {
		l->pieces[0] = l->jws.input;
		l->npieces = 1;
		return true;
	}
	l->npieces = s->signs.n;
	return l->npieces <= PIECES_MAX &&
	    template_pieces(&s->signs, &l->scope, l->pieces, NULL);
}

struct verdict
auth_look_at(struct judge *j, struct str text, struct look *l)
{
	const struct signature *s = j->s;
	struct taken *t = &l->taken;
	struct verdict v;
	const char *why;

	auth_take_apart(j->r, j->q, &s->form, text, t);
	if (t->doubled || (s->algorithm->jose != NULL && t->nsigs > 1))
		return auth_refuse(VERDICT_DOUBLED, "a part of the signature came twice");
	if (t->nsigs == 0 && t->others)
		return auth_refuse(VERDICT_FORGED, "signed for somebody else");
	if (t->nsigs == 0)
		return t->empty ? auth_refuse(VERDICT_ABSENT, auth_no_signature) :
		    auth_refuse(VERDICT_FORGED, "no signature of this scheme");
	if (s->algorithm->jose != NULL && !look_at_token(j, l, &why)) {
		/* With several alternatives, the one that it is for says more. */
		v = auth_refuse(VERDICT_FORGED, why);
		v.not_ours = true;
		return v;
	}
	l->scope = (struct scope){ .q = j->q, .params = j->r->params,
	    .captures = t->captures, .pairs = s->pairs };
	if (s->form.time != -1)
		l->scope.time = t->captures[s->form.time];
	if (s->time.set && !s->time.captured && place_get(&s->time.place, j->q,
	    &l->scope.time, NULL) == PLACE_DOUBLED)
		return auth_refuse(VERDICT_DOUBLED, "the time came twice");
	/* A plain hash has the secret among its pieces: each key's own, later. */
	if (s->algorithm->family == FAMILY_HASH)
		l->scope.secret = STR("");
	if (!what_is_signed(l, s))
		return auth_refuse(VERDICT_ABSENT, "something that is signed is not there");
	return auth_refuse(VERDICT_GENUINE, "looked at");
}
