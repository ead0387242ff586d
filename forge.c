/*
 * forge.c - see forge.h.
 */
#include <string.h>

#include "base/codec.h"
#include "base/json.h"
#include "forge.h"

/* One request, while it is spoiled. */
struct work {
	const struct provider *p;
	const struct signature *s;
	struct arena	*a;
	struct sent	*out;		/* as it was, to be changed */
};

struct forgery {
	const char	*name, *says;
	enum forged	(*make)(struct work *, int how);
	int		 how;
};

/* --- the body, the URL, the method ------------------------------------------------- */

static enum forged
seen(bool covered)
{
	return covered ? FORGED : FORGED_UNSEEN;
}

static bool
body_covered(const struct work *k)
{
	return (k->s->covers & COVERS_BODY) != 0;
}

static struct str
flipped(struct arena *a, struct str s, size_t at)
{
	struct str copy = arena_str(a, s);
	char *p = (char *)(uintptr_t)copy.p;	/* the arena's, and ours */

	if (p != NULL)
		p[at] ^= 0x01;
	return copy;
}

/* how: of halves of the body, which byte. */
static enum forged
flip_body(struct work *k, int how)
{
	struct str body = k->out->body;

	if (body.n == 0)
		return FORGED_NOT;
	k->out->body = flipped(k->a, body, (size_t)how * (body.n - 1) / 2);
	return seen(body_covered(k));
}

static enum forged
insert_body(struct work *k, size_t at, const char *what)
{
	struct str body = k->out->body;

	if (body.n == 0)
		return FORGED_NOT;
	k->out->body = arena_join(k->a, (const struct str[]){ str_head(body, at),
	    str_of(what), str_skip(body, at) }, 3);
	return seen(body_covered(k));
}

/* A space after its first byte: the same JSON, other bytes. */
static enum forged
respace_body(struct work *k, int how)
{
	(void)how;
	return insert_body(k, 1, " ");
}

static enum forged
longer_body(struct work *k, int how)
{
	(void)how;
	return insert_body(k, k->out->body.n, "\n");
}

static enum forged
other_query(struct work *k, int how)
{
	struct str url = k->out->url;

	(void)how;
	k->out->url = arena_printf(k->a, "%.*s%cx=1", STR_ARG(url),
	    str_find(url, '?') == -1 ? '?' : '&');
	return seen((k->s->covers & COVERS_QUERY) != 0);
}

/* --- the signature ------------------------------------------------------------------ */

enum spoil { CUT, CUT_HALF, CHANGE, GONE, EMPTY, TWICE, JOINED, UNSIGNED };

static bool
is_place_of(const struct signature *s, struct str name)
{
	for (size_t i = 0; i < s->nplaces; i++) {
		struct str at = s->places[i].name;
		uint64_t number;

		if (s->places[i].kind != PLACE_HEADER)
			continue;
		if (str_eq_nocase(at, name) || (s->form.numbered &&
		    str_starts_nocase(name, at) &&
		    str_to_u64(str_skip(name, at.n), &number)))
			return true;
	}
	return false;
}

/* Several signatures in one value: a spoiled one of them is not missed. */
static bool
holds_several(const struct signature *s, struct str value)
{
	size_t items = 1;

	for (size_t i = 0; s->form.list != 0 && i < value.n; i++)
		items += value.p[i] == s->form.list;
	return items > s->form.nitems;
}

/* "Bearer HEADER.CLAIMS.SIGNATURE" -> "none" for an algorithm, and no signature. */
static struct str
unsigned_token(struct arena *a, struct str v)
{
	struct str rest = v, before, claims;

	before = str_cut(&rest, '.');
	claims = str_cut(&rest, '.');
	if (rest.p == NULL || before.n == 0)
		return STR_NONE;
	while (before.n > 0 && before.p[before.n - 1] != ' ')
		before.n--;
	return arena_printf(a, "%.*s%.*s.%.*s.", STR_ARG(before),
	    STR_ARG(base64url_encode(a, STR("{\"alg\":\"none\"}"))),
	    STR_ARG(claims));
}

/* .p NULL: it cannot be spoiled so. */
static struct str
spoiled(struct work *k, enum spoil way, struct str v)
{
	struct str copy;
	char *p;

	switch (way) {
	case CUT:
		return str_head(v, v.n - 1);
	case CUT_HALF:
		return str_head(v, v.n / 2);
	case CHANGE:
		copy = arena_str(k->a, v);
		p = (char *)(uintptr_t)copy.p;	/* the arena's, and ours */
		if (p != NULL)
			p[v.n / 2] = v.p[v.n / 2] == '0' ? '1' : '0';
		return copy;
	case EMPTY:
		return STR("");
	case JOINED:
		return arena_printf(k->a, "%.*s, %.*s", STR_ARG(v), STR_ARG(v));
	case UNSIGNED:
		return k->s->algorithm->jose != NULL ? unsigned_token(k->a, v) :
		    STR_NONE;
	case GONE:
	case TWICE:
		break;
	}
	return STR_NONE;
}

static enum forged
spoil_headers(struct work *k, enum spoil way)
{
	struct header *h = arena_alloc(k->a,
	    (2 * k->out->nheaders + 1) * sizeof(*h));
	enum forged made = FORGED_NOT;
	size_t n = 0;

	for (size_t i = 0; h != NULL && i < k->out->nheaders; i++) {
		struct header was = k->out->headers[i];

		h[n++] = was;
		if (!is_place_of(k->s, was.name) || was.value.n == 0)
			continue;
		if (way < GONE && holds_several(k->s, was.value))
			return FORGED_NOT;
		if (way == GONE)
			n--;
		else if (way == TWICE)
			h[n++] = was;
		else if ((h[n - 1].value = spoiled(k, way, was.value)).p == NULL)
			return FORGED_NOT;
		made = FORGED;
	}
	k->out->headers = h;
	k->out->nheaders = n;
	/* A provider that doubles it may. */
	return made == FORGED && k->s->repeats && (way == TWICE || way == JOINED) ?
	    FORGED_UNSEEN : made;
}

/* Where the text stands in whole, when it stands there once; else -1. */
static ptrdiff_t
only_place(struct str whole, struct str text)
{
	const char *at = text.n == 0 ? NULL :
	    memmem(whole.p, whole.n, text.p, text.n);
	size_t behind;

	if (at == NULL)
		return -1;
	behind = (size_t)(at - whole.p) + 1;
	return memmem(whole.p + behind, whole.n - behind, text.p, text.n) != NULL ?
	    -1 : at - whole.p;
}

/* In the query, a form or JSON: the text itself, as it stands there. */
static enum forged
spoil_text(struct work *k, enum spoil way)
{
	const struct place *place = &k->s->places[0];
	struct str *whole = place->kind == PLACE_QUERY ? &k->out->url :
	    &k->out->body;
	struct request q;
	struct str value, with;
	ptrdiff_t at;

	if (way == GONE || way == TWICE || way == JOINED ||
	    sent_request(k->out, k->a, &q) != 0)
		return FORGED_NOT;
	if (k->s->each.n > 0)
		json_find(q.body, arena_printf(k->a, "%.*s[0]",
		    STR_ARG(k->s->each)), &q.item);
	if (place_get(place, &q, &value, NULL) != PLACE_FOUND || value.n < 2 ||
	    (way < GONE && holds_several(k->s, value)))
		return FORGED_NOT;
	if ((at = only_place(*whole, value)) == -1) {
		value = url_encode(k->a, value);
		if ((at = only_place(*whole, value)) == -1)
			return FORGED_NOT;
	}
	if ((with = spoiled(k, way, value)).p == NULL)
		return FORGED_NOT;
	*whole = arena_join(k->a, (const struct str[]){
	    str_head(*whole, (size_t)at), with,
	    str_skip(*whole, (size_t)at + value.n) }, 3);
	return FORGED;
}

static enum forged
spoil(struct work *k, int how)
{
	return k->s->places[0].kind == PLACE_HEADER ?
	    spoil_headers(k, (enum spoil)how) : spoil_text(k, (enum spoil)how);
}

/* --- the event's id ---------------------------------------------------------------- */

struct found {
	struct request	*q;
	const struct place *place;	/* out: the first that is there */
};

static bool
first_there(const struct piece *p, const void *arg)
{
	struct found *f = *(struct found *const *)arg;
	struct str value;

	if (p->op != PIECE_PLACE ||
	    place_get(&p->place, f->q, &value, NULL) != PLACE_FOUND || value.n == 0)
		return false;
	f->place = &p->place;
	return true;
}

/* Another last letter or digit. */
static struct str
with_other_end(struct arena *a, struct str v)
{
	struct str copy = arena_str(a, v);
	char *p = (char *)(uintptr_t)copy.p;	/* the arena's, and ours */

	if (p != NULL)
		p[v.n - 1] = v.p[v.n - 1] == '7' ? '8' : '7';
	return copy;
}

static enum forged
other_header(struct work *k, struct str name)
{
	struct header *h = arena_alloc(k->a, (k->out->nheaders + 1) * sizeof(*h));
	enum forged made = FORGED_NOT;

	for (size_t i = 0; h != NULL && i < k->out->nheaders; i++) {
		h[i] = k->out->headers[i];
		if (!str_eq_nocase(h[i].name, name) || h[i].value.n == 0)
			continue;
		h[i].value = with_other_end(k->a, h[i].value);
		made = FORGED;
	}
	k->out->headers = h;
	return made;
}

/* The id that the provider's file names first: does what is signed hold it? */
static enum forged
other_id(struct work *k, int how)
{
	struct request q;
	struct found f = { &q, NULL }, *in = &f;
	enum forged made = FORGED_NOT;
	struct str value;
	ptrdiff_t at;

	(void)how;
	if (sent_request(k->out, k->a, &q) != 0)
		return FORGED_NOT;
	for (size_t i = 0; f.place == NULL && i < k->p->event.nids; i++)
		template_any(&k->p->event.ids[i], first_there, &in);
	if (f.place == NULL || f.place->nsteps > 0)
		return FORGED_NOT;
	if (f.place->kind == PLACE_HEADER) {
		made = other_header(k, f.place->name);
	} else {
		struct str *whole = f.place->kind == PLACE_QUERY ? &k->out->url :
		    &k->out->body;

		place_get(f.place, &q, &value, NULL);
		if ((at = only_place(*whole, value)) == -1)
			return FORGED_NOT;
		*whole = arena_join(k->a, (const struct str[]){
		    str_head(*whole, (size_t)at), with_other_end(k->a, value),
		    str_skip(*whole, (size_t)at + value.n) }, 3);
		made = FORGED;
	}
	return made == FORGED_NOT ? made : seen(k->s->algorithm->family !=
	    FAMILY_EQUAL && !k->s->bearer && place_is_signed(k->s, f.place));
}

/* --- the table ---------------------------------------------------------------------- */

static const struct forgery forgeries[] = {
	{ "flip",	"a byte of the body flipped",		flip_body, 1 },
	{ "flip-first",	"the first byte of the body flipped",	flip_body, 0 },
	{ "flip-last",	"the last byte of the body flipped",	flip_body, 2 },
	{ "respace",	"the body re-serialised",		respace_body, 0 },
	{ "longer",	"a byte more behind the body",		longer_body, 0 },
	{ "query",	"another query",			other_query, 0 },
	{ "truncate",	"the signature cut short",		spoil, CUT },
	{ "half",	"the signature cut in half",		spoil, CUT_HALF },
	{ "change",	"the signature changed",		spoil, CHANGE },
	{ "gone",	"no signature",				spoil, GONE },
	{ "empty",	"an empty signature",			spoil, EMPTY },
	{ "twice",	"the signature sent twice",		spoil, TWICE },
	{ "joined",	"the signature joined by a web server",	spoil, JOINED },
	{ "none",	"a token of the algorithm \"none\"",	spoil, UNSIGNED },
	{ "id",		"another id",				other_id, 0 },
};
#define FORGERIES	(sizeof(forgeries) / sizeof(forgeries[0]))

const struct forgery *
forgery_at(size_t i)
{
	return i < FORGERIES ? &forgeries[i] : NULL;
}

const struct forgery *
forgery_find(struct str name)
{
	for (size_t i = 0; i < FORGERIES; i++)
		if (str_eq(name, str_of(forgeries[i].name)))
			return &forgeries[i];
	return NULL;
}

const char *
forgery_name(const struct forgery *f)
{
	return f->name;
}

const char *
forgery_says(const struct forgery *f)
{
	return f->says;
}

enum forged
forge(const struct forgery *f, const struct provider *p, const struct sent *was,
    struct arena *a, struct sent *out)
{
	struct work k = { .p = p, .a = a, .out = out };

	if (was->alternative < 0 || (size_t)was->alternative >= p->nsignatures)
		return FORGED_NOT;
	k.s = &p->signatures[was->alternative];
	*out = *was;
	return f->make(&k, f->how);
}
