/*
 * provider_signature.c - "signature" of a provider's file: where it stands, what it
 * looks like, what is signed, whose key it is.
 */
#include <string.h>

#include "provider_words.h"

#define LEEWAY		60000		/* ms between our clock and a token's */

/* --- the words that are values ------------------------------------------------ */

#define MAC(hash)		FAMILY_MAC, hash, { 0, 0, 0 }
#define HASH(hash)		FAMILY_HASH, hash, { 0, 0, 0 }
#define KEY(type, hash, form)	FAMILY_KEY, 0, { type, hash, form }

static const struct algorithm algorithms[] = {
	{ "hmac-sha256",	MAC(HASH_SHA256),	NULL },
	{ "hmac-sha1",		MAC(HASH_SHA1),		NULL },
	{ "hmac-sha384",	MAC(HASH_SHA384),	NULL },
	{ "hmac-sha512",	MAC(HASH_SHA512),	NULL },
	{ "sha1",		HASH(HASH_SHA1),	NULL },
	{ "sha256",		HASH(HASH_SHA256),	NULL },
	{ "sha384",		HASH(HASH_SHA384),	NULL },
	{ "sha512",		HASH(HASH_SHA512),	NULL },
	{ "equal",		FAMILY_EQUAL, 0, { 0, 0, 0 },		NULL },
	{ "ed25519",		KEY(KEY_ED25519, 0, SIG_PLAIN),		NULL },
	{ "ecdsa-p256-sha256",	KEY(KEY_P256, HASH_SHA256, SIG_PLAIN),	NULL },
	{ "ecdsa-p256-sha256-raw", KEY(KEY_P256, HASH_SHA256, SIG_RAW),	NULL },
	{ "ecdsa-p256-sha1",	KEY(KEY_P256, HASH_SHA1, SIG_PLAIN),	NULL },
	{ "rsa-sha256",		KEY(KEY_RSA, HASH_SHA256, SIG_PLAIN),	NULL },
	{ "rsa-sha512",		KEY(KEY_RSA, HASH_SHA512, SIG_PLAIN),	NULL },
	{ "rsa-sha1",		KEY(KEY_RSA, HASH_SHA1, SIG_PLAIN),	NULL },
	{ "rsa-pss-sha256",	KEY(KEY_RSA, HASH_SHA256, SIG_PSS),	NULL },
	/* RFC 7518, section 3.1; RFC 8037. */
	{ "jws-hs256",		MAC(HASH_SHA256),			"HS256" },
	{ "jws-hs384",		MAC(HASH_SHA384),			"HS384" },
	{ "jws-hs512",		MAC(HASH_SHA512),			"HS512" },
	{ "jws-rs256",		KEY(KEY_RSA, HASH_SHA256, SIG_PLAIN),	"RS256" },
	{ "jws-rs384",		KEY(KEY_RSA, HASH_SHA384, SIG_PLAIN),	"RS384" },
	{ "jws-rs512",		KEY(KEY_RSA, HASH_SHA512, SIG_PLAIN),	"RS512" },
	{ "jws-ps256",		KEY(KEY_RSA, HASH_SHA256, SIG_PSS),	"PS256" },
	{ "jws-ps384",		KEY(KEY_RSA, HASH_SHA384, SIG_PSS),	"PS384" },
	{ "jws-ps512",		KEY(KEY_RSA, HASH_SHA512, SIG_PSS),	"PS512" },
	{ "jws-es256",		KEY(KEY_P256, HASH_SHA256, SIG_RAW),	"ES256" },
	{ "jws-es384",		KEY(KEY_P384, HASH_SHA384, SIG_RAW),	"ES384" },
	{ "jws-es512",		KEY(KEY_P521, HASH_SHA512, SIG_RAW),	"ES512" },
	{ "jws-eddsa",		KEY(KEY_ED25519, 0, SIG_PLAIN),		"EdDSA" },
};

static const struct choice units[] = {
	{ "s",		WHEN_S },
	{ "ms",		WHEN_MS },
	{ "iso8601",	WHEN_ISO8601 },
	{ "http",	WHEN_HTTP },
	{ NULL,		0 }
};

static const struct choice encodings[] = {
	{ "raw",	ENCODING_RAW },
	{ "hex",	ENCODING_HEX },
	{ "base64",	ENCODING_BASE64 },
	{ "base64url",	ENCODING_BASE64URL },
	{ "base64-hex",	ENCODING_BASE64_HEX },
	{ "auto",	ENCODING_AUTO },
	{ NULL,		0 }
};

static const struct choice digests[] = {
	{ "sha1",	HASH_SHA1 },
	{ "sha256",	HASH_SHA256 },
	{ "sha384",	HASH_SHA384 },
	{ "sha512",	HASH_SHA512 },
	{ NULL,		0 }
};

static const struct choice claim_names[] = {
	{ "exp",	1u << CLAIM_EXP },
	{ "nbf",	1u << CLAIM_NBF },
	{ "iat",	1u << CLAIM_IAT },
	{ "jti",	1u << CLAIM_JTI },
	{ NULL,		0 }
};

static const struct choice pair_sources[] = {
	{ "fields",	PAIRS_FIELDS },
	{ "query",	PAIRS_QUERY },
	{ "headers",	PAIRS_HEADERS },
	{ NULL,		0 }
};

static const struct choice cert_places[] = {
	{ "keys",	0 },
	{ "token",	1 },
	{ NULL,		0 }
};

/* --- "form" ----------------------------------------------------------------------- */

static struct str
next_item(struct str *rest, char sep)
{
	size_t depth = 0, i;
	struct str item;

	for (i = 0; i < rest->n && (depth > 0 || rest->p[i] != sep); i++)
		depth += rest->p[i] == '{' ? 1 : rest->p[i] == '}' && depth > 0 ?
		    (size_t)-1 : 0;
	item = str_head(*rest, i);
	*rest = i < rest->n ? str_skip(*rest, i + 1) : STR_NONE;
	return item;
}

static int
read_part(struct reader *r, const struct json_object *v, struct form *f,
    struct str word, struct form_part *part)
{
	struct str rest = word, name = str_cut(&rest, ':');

	if (str_eq(name, STR("sig"))) {
		unsigned encoding = ENCODING_RAW;

		part->kind = PART_SIG;
		if (rest.p != NULL && word_choose(r, v, rest, "encoding", encodings,
		    &encoding) != 0)
			return -1;
		part->encoding = (enum encoding)encoding;
		return 0;
	}
	if (rest.p != NULL || name.n == 0)
		return json_err(r->doc, v, r->e, "{%.*s} in \"form\": a name, or "
		    "{sig:hex}, {sig:base64}, {sig:base64url}", STR_ARG(word));
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if (str_eq(name, str_of(hook_param_names[i]))) {
			part->kind = PART_PARAM;
			part->index = i;
			r->p->asks |= 1u << i;
			return 0;
		}
	part->kind = PART_CAPTURE;
	for (size_t i = 0; i < f->ncaptures; i++)
		if (str_eq(name, f->captures[i]))
			return json_err(r->doc, v, r->e, "{%.*s} stands twice in "
			    "\"form\"", STR_ARG(name));
	if (f->ncaptures == CAPTURES_MAX)
		return json_err(r->doc, v, r->e, "more than %d names in \"form\"",
		    CAPTURES_MAX);
	if (str_eq(name, STR("time")))
		f->time = (int)f->ncaptures;
	else if (template_is_word(name))
		return json_err(r->doc, v, r->e, "{%.*s} in \"form\": the name has "
		    "a meaning already", STR_ARG(name));
	part->index = (unsigned)f->ncaptures;
	f->captures[f->ncaptures] = arena_str(r->a, name);
	return f->captures[f->ncaptures++].p != NULL ? 0 : word_no_memory(r, v);
}

static int
read_item(struct reader *r, const struct json_object *v, struct form *f,
    struct str text, struct form_item *item)
{
	bool value_before = false;

	item->positional = true;
	item->parts = arena_alloc(r->a, (text.n + 1) * sizeof(*item->parts));
	if (item->parts == NULL)
		return word_no_memory(r, v);
	while (text.n > 0) {
		struct form_part *part = &item->parts[item->nparts++];
		ptrdiff_t end;

		if (text.p[0] != '{') {
			end = str_find(text, '{');
			part->kind = PART_TEXT;
			part->text = arena_str(r->a, end == -1 ? text :
			    str_head(text, (size_t)end));
			if (part->text.p == NULL)
				return word_no_memory(r, v);
			item->positional = value_before = false;
			text = str_skip(text, part->text.n);
			continue;
		}
		if ((end = str_find(text, '}')) == -1)
			return json_err(r->doc, v, r->e,
			    "a brace without its partner in \"form\"");
		if (value_before)
			return json_err(r->doc, v, r->e, "two names in \"form\" "
			    "without text between them");
		if (read_part(r, v, f, str_skip(str_head(text, (size_t)end), 1),
		    part) != 0)
			return -1;
		value_before = true;
		text = str_skip(text, (size_t)end + 1);
	}
	return item->nparts > 0 ? 0 :
	    json_err(r->doc, v, r->e, "an empty item in \"form\"");
}

static int
read_form(struct reader *r, const struct json_object *v, struct str text,
    struct form *f)
{
	struct str rest = text;
	size_t sigs = 0, items = 1;

	for (size_t i = 0; f->list != 0 && i < text.n; i++)
		items += text.p[i] == f->list;
	f->items = arena_alloc(r->a, items * sizeof(*f->items));
	if (f->items == NULL)
		return word_no_memory(r, v);
	f->time = -1;
	for (size_t i = 0; i + 1 < text.n; i++)
		f->comma_space |= text.p[i] == ',' && text.p[i + 1] == ' ';
	while (rest.p != NULL) {
		struct str item = f->list != 0 ? next_item(&rest, f->list) : rest;
		struct form_item *into = &f->items[f->nitems++];

		if (f->list == 0)
			rest = STR_NONE;
		if (read_item(r, v, f, f->list != 0 ? str_trim(item) : item,
		    into) != 0)
			return -1;
		for (size_t i = 0; i < into->nparts; i++)
			sigs += into->parts[i].kind == PART_SIG;
	}
	if (sigs == 0)
		return json_err(r->doc, v, r->e,
		    "\"form\" does not say where {sig} is");
	return 0;
}

/* --- "key" -------------------------------------------------------------------------- */

static const struct row key_rows[] = {
	TEXTS(struct key_form, strip),
	CHOICE(struct key_form, decode, encodings),
	TEXT(struct key_form, append),
	CHOICE(struct key_form, digest, digests),
	ROWS_END
};

static int
read_key(struct reader *r, const struct json_object *v, struct key_form *k)
{
	unsigned decode;

	if (json_kind(v) == JSON_STRING) {
		if (word_choose(r, v, json_text(v), "key", encodings, &decode) != 0)
			return -1;
		k->decode = (enum encoding)decode;
		return 0;
	}
	k->digested = json_member(v, "digest") != NULL;
	return rows_read(r, v, "\"key\"", key_rows, k);
}

/* --- "also" and "verify": a place and what it must equal ------------------------------ */

struct raw_also {
	const struct json_object *place, *equals;
	bool		 optional;
};

static const struct row also_rows[] = {
	KEEP(struct raw_also, place, SHAPE_TEXT),
	KEEP(struct raw_also, equals, SHAPE_TEXTS),
	FLAG(struct raw_also, optional),
	ROWS_END
};

/* A template, or a list of which any will do. */
static int
read_equals(struct reader *r, const struct json_object *v,
    const struct vocabulary *words, struct also *also)
{
	bool list = json_kind(v) == JSON_ARRAY;

	also->nequals = list ? json_count(v) : 1;
	if (also->nequals == 0)
		return json_err(r->doc, v, r->e, "\"equals\" is empty");
	also->equals = arena_alloc(r->a, also->nequals * sizeof(*also->equals));
	if (also->equals == NULL)
		return word_no_memory(r, v);
	for (size_t i = 0; i < also->nequals; i++) {
		if (word_template(r, list ? json_at(v, i) : v, "equals", words,
		    &also->equals[i]) != 0)
			return -1;
		word_ask(r, &also->equals[i]);
	}
	return 0;
}

static int
read_also(struct reader *r, const struct json_object *v,
    const struct vocabulary *words, struct signature *s)
{
	if (word_expect(r, v, "also", JSON_ARRAY) != 0)
		return -1;
	s->also = arena_alloc(r->a, (json_count(v) + 1) * sizeof(*s->also));
	if (s->also == NULL)
		return word_no_memory(r, v);
	for (size_t i = 0; i < json_count(v); i++) {
		const struct json_object *o = json_at(v, i);
		struct raw_also raw = { 0 };
		struct also *also = &s->also[s->nalso++];

		if (rows_read(r, o, "an item of \"also\"", also_rows, &raw) != 0)
			return -1;
		if (raw.place == NULL || raw.equals == NULL)
			return json_err(r->doc, o, r->e, "an item of \"also\" needs "
			    "\"place\" and \"equals\"");
		if (word_expect(r, raw.place, "place", JSON_STRING) != 0)
			return -1;
		if (place_read(&also->place, json_text(raw.place), r->a,
		    r->e) != 0)
			return word_at(r, raw.place);
		also->optional = raw.optional;
		if (read_equals(r, raw.equals, words, also) != 0)
			return -1;
	}
	return 0;
}

/* --- "time" ---------------------------------------------------------------------------- */

struct raw_time {
	struct raw_where where;
	struct time_rule *rule;
	unsigned	 unit;
	int64_t		 window;
};

const struct row time_rows[] = {
	WHERE_ROWS(struct raw_time, SHAPE_TEXT),
	CHOICE(struct raw_time, unit, units),
	SECONDS(struct raw_time, window),
	ROWS_END
};

static int
read_time(struct reader *r, const struct json_object *v, struct time_rule *t)
{
	struct raw_time raw = { .unit = WHEN_S };
	const struct json_object *where;
	const char *kind;

	if (rows_read(r, v, "\"time\"", time_rows, &raw) != 0 ||
	    word_where(r, &raw.where, &kind, &where) != 0)
		return -1;
	t->set = true;
	t->captured = kind == NULL;
	t->unit = (enum when_unit)raw.unit;
	t->window = raw.window;
	return kind == NULL ? 0 : word_place(r, where, kind, &t->place);
}

/* --- "pairs", "token", "certificate" -------------------------------------------------- */

struct raw_pairs {
	const struct json_object *named, *split, *each, *join;
	unsigned	 from;
	bool		 sorted, distinct;
	struct str	 as;
	struct str	*except, *must;
	size_t		 nexcept, nmust;
};

static const struct row pairs_rows[] = {
	CHOICE(struct raw_pairs, from, pair_sources),
	TEXT(struct raw_pairs, as),
	KEEP(struct raw_pairs, named, SHAPE_TEXT),
	TEXTS(struct raw_pairs, must),
	KEEP(struct raw_pairs, split, SHAPE_TEXT),
	FLAG(struct raw_pairs, sorted),
	FLAG(struct raw_pairs, distinct),
	TEXTS(struct raw_pairs, except),
	KEEP(struct raw_pairs, each, SHAPE_TEXT),
	KEEP(struct raw_pairs, join, SHAPE_TEXT),
	ROWS_END
};

struct raw_token {
	bool		 detached, unencoded;
	int64_t		 leeway, longest;
	unsigned	 require;
	struct str	 platform;
};

static const struct row token_rows[] = {
	FLAG(struct raw_token, detached),
	FLAG(struct raw_token, unencoded),
	SECONDS(struct raw_token, leeway),
	SECONDS(struct raw_token, longest),
	CHOICES(struct raw_token, require, claim_names),
	TEXT(struct raw_token, platform),
	ROWS_END
};

struct raw_certificate {
	struct str	*roots, *extensions;
	size_t		 nroots, nextensions;
	struct str	 name;
	unsigned	 from_token;
};

static const struct row certificate_rows[] = {
	READ_AS("in", struct raw_certificate, from_token, row_choice, cert_places,
	    SHAPE_CHOICE),
	TEXT(struct raw_certificate, name),
	TEXTS(struct raw_certificate, roots),
	TEXTS(struct raw_certificate, extensions),
	ROWS_END
};

/* --- "signature" ------------------------------------------------------------------------- */

struct raw_signature {
	struct raw_where where;
	const struct json_object *form, *list, *algorithm, *signs, *key, *also,
	    *time, *when, *each, *pairs, *token, *keys, *certificate;
	bool		 repeats;
	unsigned	 kinds;
};

const struct row signature_rows[] = {
	WHERE_ROWS(struct raw_signature, SHAPE_TEXTS),
	KEEP(struct raw_signature, form, SHAPE_TEXT),
	KEEP(struct raw_signature, list, SHAPE_TEXT),
	KEEP(struct raw_signature, algorithm, SHAPE_ALGORITHM),
	KEEP(struct raw_signature, signs, SHAPE_TEXT),
	{ "key", NULL, offsetof(struct raw_signature, key), 0, encodings,
	    SHAPE_CHOICE_OR_OBJECT, key_rows },
	KEEP_ROWS(struct raw_signature, also, SHAPE_LIST, also_rows),
	KEEP_ROWS(struct raw_signature, time, SHAPE_OBJECT, time_rows),
	KEEP(struct raw_signature, when, SHAPE_MAP),
	KEEP(struct raw_signature, each, SHAPE_TEXT),
	KEEP_ROWS(struct raw_signature, pairs, SHAPE_ONE_OR_LIST, pairs_rows),
	KEEP_ROWS(struct raw_signature, token, SHAPE_OBJECT, token_rows),
	KEEP(struct raw_signature, keys, SHAPE_KEYS),
	KEEP_ROWS(struct raw_signature, certificate, SHAPE_OBJECT,
	    certificate_rows),
	FLAG(struct raw_signature, repeats),
	READ_AS("for", struct raw_signature, kinds, row_mask, body_words,
	    SHAPE_CHOICES),
	ROWS_END
};

const struct algorithm *
provider_algorithm(size_t i)
{
	return i < sizeof(algorithms) / sizeof(algorithms[0]) ?
	    &algorithms[i] : NULL;
}

static int
read_algorithm(struct reader *r, const struct json_object *o,
    const struct json_object *v, const struct algorithm **out)
{
	const size_t n = sizeof(algorithms) / sizeof(algorithms[0]);
	struct choice choices[WORDS_MAX] = { { NULL, 0 } };
	unsigned i;

	if (v == NULL)
		return json_err(r->doc, o, r->e, "a signature needs an "
		    "\"algorithm\"");
	for (i = 0; i < n; i++)
		choices[i] = (struct choice){ algorithms[i].name, i };
	if (word_expect(r, v, "algorithm", JSON_STRING) != 0 ||
	    word_choose(r, v, json_text(v), "algorithm", choices, &i) != 0)
		return -1;
	*out = &algorithms[i];
	return 0;
}

/* "X-Sig-{n}": that header with any number. */
static int
signature_place(struct reader *r, const struct json_object *v, const char *kind,
    struct signature *s, struct place *place)
{
	struct str text = json_text(v), whole;

	if (strcmp(kind, "header") != 0 || json_kind(v) != JSON_STRING ||
	    !str_ends(text, STR("{n}")))
		return word_place(r, v, kind, place);
	s->form.numbered = true;
	whole = arena_printf(r->a, "header:%.*s", STR_ARG(str_head(text,
	    text.n - 3)));
	if (whole.p == NULL)
		return word_no_memory(r, v);
	return place_read(place, whole, r->a, r->e) == 0 ? 0 : word_at(r, v);
}

static int
read_places(struct reader *r, const struct json_object *o,
    const struct raw_where *where, struct signature *s)
{
	const struct json_object *v;
	const char *kind;
	bool list;

	if (word_where(r, where, &kind, &v) != 0)
		return -1;
	if (kind == NULL)
		return json_err(r->doc, o, r->e, "a signature needs a \"header\", "
		    "\"query\", \"field\" or \"body\" where it stands");
	if (where->claim != NULL || (where->item != NULL && s->each.n == 0))
		return json_err(r->doc, v, r->e, "a signature does not stand in "
		    "a %s%s", kind, where->item != NULL ? " without \"each\"" : "");
	list = json_kind(v) == JSON_ARRAY;
	s->nplaces = list ? json_count(v) : 1;
	if (s->nplaces == 0)
		return json_err(r->doc, v, r->e, "\"%s\" is empty", kind);
	s->places = arena_alloc(r->a, s->nplaces * sizeof(*s->places));
	if (s->places == NULL)
		return word_no_memory(r, v);
	for (size_t i = 0; i < s->nplaces; i++)
		if (signature_place(r, list ? json_at(v, i) : v, kind, s,
		    &s->places[i]) != 0)
			return -1;
	return s->form.numbered && s->nplaces > 1 ? json_err(r->doc, v, r->e,
	    "a header with {n} has no aliases") : 0;
}

static int
read_list(struct reader *r, const struct json_object *v, struct form *f)
{
	struct str text;

	if (f->numbered)
		f->list = ',';		/* as if they were one */
	if (v == NULL)
		return 0;
	if (f->numbered)
		return json_err(r->doc, v, r->e, "headers with {n} are a list "
		    "already");
	if (word_expect(r, v, "list", JSON_STRING) != 0)
		return -1;
	text = json_text(v);
	if (text.n == 1)
		f->list = text.p[0];
	else if (text.n == 2 && text.p[0] != text.p[1]) {
		f->groups = text.p[0];
		f->list = text.p[1];
	} else
		return json_err(r->doc, v, r->e, "\"list\" is one separator, or two "
		    "different ones: of groups, and of the items in a group");
	return 0;
}

/* --- what cannot be changed without breaking the signature ----------------------- */

/* The pieces of the whole request, and what is covered by them. */
static bool
add_covered(const struct piece *p, const void *arg)
{
	static const unsigned covers[] = {
		[PIECE_BODY] = COVERS_BODY | COVERS_FIELDS,
		[PIECE_FIELDS] = COVERS_FIELDS,
		[PIECE_QUERY] = COVERS_QUERY,
		[PIECE_URL] = COVERS_QUERY | COVERS_PATH,
		[PIECE_URL_ALONE] = COVERS_PATH,
		[PIECE_PATH] = COVERS_PATH,
		[PIECE_METHOD] = COVERS_METHOD,
		[PIECE_CALL] = 0,		/* the highest of them */
	};
	unsigned *sum = *(unsigned *const *)arg;

	*sum |= covers[p->op];
	return false;			/* look on */
}

static bool
is_pairs(const struct piece *p, const void *index)
{
	return p->op == PIECE_PAIRS && p->index == *(const unsigned *)index;
}

static unsigned
covered_whole(const struct template *t)
{
	unsigned covers = 0, *sum = &covers;

	template_keeps(t, add_covered, &sum);
	return covers;
}

static unsigned
covered_by_pairs(const struct template *t, const struct signature *s)
{
	unsigned covers = 0;

	for (unsigned i = 0; i < s->npairs; i++)
		if (template_keeps(t, is_pairs, &i))
			covers |= s->pairs[i].from == PAIRS_QUERY ? COVERS_QUERY :
			    s->pairs[i].from == PAIRS_FIELDS ? COVERS_FIELDS : 0;
	return covers;
}

/* A field that is among the pairs of such a source, and not passed over. */
static bool
is_paired(const struct signature *s, unsigned from, struct str name)
{
	for (size_t i = 0; i < s->npairs; i++) {
		bool passed = s->pairs[i].from != from;

		for (size_t j = 0; j < s->pairs[i].nexcept; j++)
			passed |= str_eq(s->pairs[i].except[j], name);
		if (!passed)
			return true;
	}
	return false;
}

/* Is it a header that a list of signed ones must name? */
static bool
must_be_named(const struct signature *s, struct str name)
{
	for (unsigned i = 0; i < s->npairs; i++)
		for (size_t j = 0; j < s->pairs[i].nmust; j++)
			if (str_eq_nocase(s->pairs[i].must[j], name) &&
			    template_keeps(&s->signs, is_pairs, &i))
				return true;
	return false;
}

static bool
leads_to(const struct piece *p, const void *place)
{
	return (p->op == PIECE_PLACE && place_leads(&p->place, place)) ||
	    piece_is_source_of(p, place);
}

bool
place_is_signed(const struct signature *s, const struct place *place)
{
	if (template_keeps(&s->signs, leads_to, place))
		return true;
	if (template_has(&s->signs, PIECE_TIME) && s->time.set &&
	    !s->time.captured && place_eq(&s->time.place, place))
		return true;
	switch (place->kind) {
	case PLACE_HEADER:
		return must_be_named(s, place->name);
	case PLACE_ITEM:
		return false;
	case PLACE_QUERY:
		return (s->covers & COVERS_QUERY) != 0 &&
		    ((s->whole & COVERS_QUERY) != 0 ||
		    is_paired(s, PAIRS_QUERY, place->name));
	case PLACE_FIELD:
		return (s->covers & COVERS_FIELDS) != 0 &&
		    ((s->whole & COVERS_FIELDS) != 0 ||
		    is_paired(s, PAIRS_FIELDS, place->name));
	case PLACE_BODY:
		return (s->covers & COVERS_BODY) != 0;
	case PLACE_TOKEN:
		return s->algorithm->jose != NULL;
	case PLACE_CLAIM:
		return s->algorithm->jose != NULL && !s->token.detached;
	}
	return false;
}

static bool
is_unsigned_place(const struct piece *p, const void *arg)
{
	return p->op == PIECE_PLACE && !place_is_signed(arg, &p->place);
}

bool
signature_covers(const struct signature *s, const struct template *t)
{
	/* Where the body is not covered, nothing in it is covered better. */
	if (s->algorithm->family == FAMILY_EQUAL || s->bearer)
		return true;
	return !template_any(t, is_unsigned_place, s);
}

/* The token is all of the body, but for constant text: what it says is what is signed. */
static bool
is_whole_body(const struct signature *s)
{
	const struct form *f = &s->form;

	for (size_t i = 0; i < s->nplaces; i++)
		if (s->places[i].kind != PLACE_BODY || s->places[i].nsteps > 0 ||
		    !str_eq(s->places[i].name, STR(".")))
			return false;
	return f->list == 0 && f->ncaptures == 0;
}

/* What also has to hold covers what each of its texts covers: any of them will do. */
static void
derive_also(struct signature *s, const struct also *a)
{
	unsigned covers = ~0u, whole = ~0u;

	if (!place_is_signed(s, &a->place) || a->optional)
		return;
	for (size_t i = 0; i < a->nequals; i++) {
		unsigned one = covered_whole(&a->equals[i]);

		whole &= one;
		covers &= one | covered_by_pairs(&a->equals[i], s);
	}
	s->covers |= covers;
	s->whole |= whole;
}

/* Once all of it is read. */
static void
derive(struct signature *s)
{
	bool token = s->algorithm->jose != NULL && !s->token.detached;

	s->whole = covered_whole(&s->signs);
	if (token && is_whole_body(s))
		s->whole |= COVERS_BODY | COVERS_FIELDS;
	/* Only for requests without a body: none can be put in. */
	for (size_t i = 0; i < s->nwhen; i++)
		if (s->when[i].of == OF_BODY && s->when[i].test == TEST_ABSENT)
			s->whole |= COVERS_BODY | COVERS_FIELDS;
	s->covers = s->whole | covered_by_pairs(&s->signs, s);
	for (size_t i = 0; i < s->nalso; i++)
		derive_also(s, &s->also[i]);
	s->bearer = token && (s->covers & (COVERS_BODY | COVERS_FIELDS)) == 0;
}

/* --- "signs", "pairs", "token", "keys" ------------------------------------------- */

static int
check_encodings(struct reader *r, const struct json_object *v,
    const struct signature *s)
{
	bool equal = s->algorithm->family == FAMILY_EQUAL;

	for (size_t i = 0; i < s->form.nitems; i++)
		for (size_t j = 0; j < s->form.items[i].nparts; j++) {
			const struct form_part *p = &s->form.items[i].parts[j];

			if (p->kind != PART_SIG)
				continue;
			if (s->algorithm->jose != NULL) {
				if (p->encoding != ENCODING_RAW)
					return json_err(r->doc, v, r->e, "a token "
					    "stands as it is: {sig}");
				continue;
			}
			if (p->encoding == ENCODING_AUTO ||
			    (!equal && p->encoding == ENCODING_RAW))
				return json_err(r->doc, v, r->e, "\"form\" must say "
				    "how the signature is written: {sig:hex}, "
				    "{sig:base64} or {sig:base64url}");
		}
	return 0;
}

static int
read_signs(struct reader *r, const struct json_object *o,
    const struct json_object *v, const struct vocabulary *words,
    struct signature *s)
{
	enum family family = s->algorithm->family;

	if (family == FAMILY_EQUAL)
		return v == NULL ? 0 : json_err(r->doc, v, r->e, "nothing is signed "
		    "with \"equal\": leave out \"signs\"");
	if (s->algorithm->jose != NULL && !s->token.detached)
		return v == NULL ? 0 : json_err(r->doc, v, r->e, "a token holds what "
		    "it signs: leave out \"signs\", or say \"token\": "
		    "{\"detached\": true}");
	if (v == NULL) {
		if (family == FAMILY_HASH)
			return json_err(r->doc, o, r->e, "a plain hash needs "
			    "\"signs\", with {secret} in it");
		if (template_read(&s->signs, STR("{body}"), words, r->a,
		    r->e) != 0)
			return word_at(r, o);
		return 0;
	}
	if (word_template(r, v, "signs", words, &s->signs) != 0)
		return -1;
	if (family == FAMILY_HASH && !template_has(&s->signs, PIECE_SECRET))
		return json_err(r->doc, v, r->e, "without {secret} in \"signs\" "
		    "anybody could compute a plain hash");
	if (s->signs.n == 0 || (s->signs.n == 1 &&
	    s->signs.pieces[0].op == PIECE_TEXT))
		return json_err(r->doc, v, r->e, "\"signs\" holds nothing of the "
		    "request");
	word_ask(r, &s->signs);
	return 0;
}

static int
check_time(struct reader *r, const struct json_object *o, struct signature *s)
{
	if (!s->time.set)
		return 0;
	if (s->time.captured) {
		if (s->form.time == -1)
			return json_err(r->doc, o, r->e, "\"time\" does not say where "
			    "it is, and \"form\" captures no {time}");
		s->time_signed = template_has(&s->signs, PIECE_TIME);
	} else
		s->time_signed = template_has(&s->signs, PIECE_TIME) ||
		    (s->algorithm->family != FAMILY_EQUAL &&
		    place_is_signed(s, &s->time.place));
	if (s->time.window > 0 && !s->time_signed)
		return json_err(r->doc, o, r->e, "the time has a \"window\" but is "
		    "not signed: whoever repeats the request can change it");
	return 0;
}

static int
read_one_pairs(struct reader *r, const struct json_object *v,
    const struct vocabulary *words, struct pairs *out)
{
	const struct vocabulary pair = { .pair = true };
	struct raw_pairs raw = { .from = PAIRS_FIELDS, .as = STR("pairs") };

	if (rows_read(r, v, "\"pairs\"", pairs_rows, &raw) != 0)
		return -1;
	out->from = raw.from;
	out->sorted = raw.sorted;
	out->distinct = raw.distinct;
	out->except = raw.except;
	out->nexcept = raw.nexcept;
	out->as = raw.as;
	out->must = raw.must;
	out->nmust = raw.nmust;
	out->split = ',';
	if (template_is_word(raw.as))
		return json_err(r->doc, v, r->e, "{%.*s} is something else already",
		    STR_ARG(raw.as));
	if (raw.each == NULL)
		return json_err(r->doc, v, r->e, "\"pairs\" needs an \"each\": a "
		    "template of {name} and {value}");
	if (word_template(r, raw.each, "each", &pair, &out->each) != 0 ||
	    (raw.join != NULL && word_copy(r, raw.join, "join", &out->join) != 0))
		return -1;
	if (raw.split != NULL) {
		if (word_expect(r, raw.split, "split", JSON_STRING) != 0)
			return -1;
		if (json_text(raw.split).n != 1)
			return json_err(r->doc, raw.split, r->e,
			    "\"split\" is one character");
		out->split = json_text(raw.split).p[0];
	}
	if ((raw.from == PAIRS_HEADERS) != (raw.named != NULL) ||
	    (raw.nmust > 0 && raw.named == NULL))
		return json_err(r->doc, v, r->e, "\"named\" says which headers: it "
		    "goes with \"from\": \"headers\", and \"must\" with it");
	return raw.named == NULL ? 0 :
	    word_source(r, raw.named, "named", words, &out->named);
}

static int
read_pairs(struct reader *r, const struct json_object *v, struct vocabulary *words,
    struct signature *s)
{
	bool list = json_kind(v) == JSON_ARRAY;
	size_t n = v == NULL ? 0 : list ? json_count(v) : 1;

	s->pairs = arena_alloc(r->a, (n + 1) * sizeof(*s->pairs));
	if (s->pairs == NULL)
		return word_no_memory(r, v);
	for (; s->npairs < n; s->npairs++) {
		const struct json_object *o = list ? json_at(v, s->npairs) : v;

		if (read_one_pairs(r, o, words, &s->pairs[s->npairs]) != 0)
			return -1;
		for (size_t i = 0; i < s->npairs; i++)
			if (str_eq(s->pairs[i].as, s->pairs[s->npairs].as))
				return json_err(r->doc, o, r->e, "two \"pairs\" of "
				    "one name: say \"as\"");
	}
	words->pairs = s->pairs;
	words->npairs = s->npairs;
	return 0;
}

static int
read_token(struct reader *r, const struct json_object *v, struct signature *s)
{
	struct raw_token raw = { .leeway = LEEWAY };

	s->token.leeway = LEEWAY;
	if (v == NULL)
		return 0;
	if (s->algorithm->jose == NULL)
		return json_err(r->doc, v, r->e, "\"token\" is for the algorithms "
		    "that begin with \"jws-\"");
	if (rows_read(r, v, "\"token\"", token_rows, &raw) != 0)
		return -1;
	if (raw.unencoded && !raw.detached)
		return json_err(r->doc, v, r->e, "only a payload that is "
		    "\"detached\" can be \"unencoded\"");
	if (raw.detached && (raw.require != 0 || raw.longest != 0))
		return json_err(r->doc, v, r->e, "a detached payload has no claims "
		    "that could be required");
	s->token = (struct token_rule){ .detached = raw.detached,
	    .unencoded = raw.unencoded, .leeway = raw.leeway,
	    .longest = raw.longest, .require = raw.require,
	    .platform = raw.platform };
	return 0;
}

static int
read_certificate(struct reader *r, const struct json_object *v,
    struct signature *s)
{
	struct raw_certificate raw = { .from_token = 0 };

	if (v == NULL)
		return 0;
	if (rows_read(r, v, "\"certificate\"", certificate_rows, &raw) != 0)
		return -1;
	s->certified = true;
	s->from_token = raw.from_token != 0;
	s->cert = (struct cert_rule){ .roots = raw.roots, .nroots = raw.nroots,
	    .name = raw.name, .oids = raw.extensions, .noids = raw.nextensions };
	if (!cert_rule_check(&s->cert, r->e))
		return word_at(r, v);
	if (s->algorithm->family != FAMILY_KEY)
		return json_err(r->doc, v, r->e, "a certificate holds a public key: "
		    "the algorithm needs none");
	if (s->from_token && (s->algorithm->jose == NULL || s->fetches ||
	    s->cert.nroots == 0))
		return json_err(r->doc, v, r->e, "a certificate in the token proves "
		    "nothing without \"roots\" that it must be from; and \"keys\" "
		    "are not needed then");
	if (!s->from_token && !s->fetches)
		return json_err(r->doc, v, r->e, "where is the certificate fetched "
		    "from?  Say \"keys\", or \"in\": \"token\"");
	if (s->cert.noids > 0 && s->cert.nroots == 0)
		return json_err(r->doc, v, r->e, "\"extensions\" are looked at in a "
		    "chain, and that needs \"roots\"");
	return 0;
}

static int
read_keys(struct reader *r, const struct json_object *v,
    const struct vocabulary *words, struct signature *s)
{
	const struct json_object *name;

	if (v == NULL)
		return 0;
	if (s->algorithm->family == FAMILY_EQUAL ||
	    s->algorithm->family == FAMILY_HASH)
		return json_err(r->doc, v, r->e, "\"keys\" are fetched for HMACs, "
		    "public keys and tokens");
	if (key_source_read(&s->keys, r->doc, v, r->a, r->e) != 0)
		return -1;
	s->fetches = r->p->fetches = true;
	if ((name = json_member(v, "name")) != NULL)
		return word_source(r, name, "name", words, &s->key_name);
	if (key_source_named(&s->keys) && s->algorithm->jose == NULL)
		return json_err(r->doc, v, r->e, "\"keys\" needs a \"name\": where "
		    "the request says which key it is");
	return 0;
}

/* Where it stands, what it looks like, and when it is the one. */
static int
read_shape(struct reader *r, const struct json_object *o,
    const struct raw_signature *raw, struct signature *s)
{
	const struct json_object *form_at = raw->form != NULL ? raw->form : o;
	struct str form;

	if (raw->each != NULL && word_copy(r, raw->each, "each", &s->each) != 0)
		return -1;
	if (read_places(r, o, &raw->where, s) != 0 ||
	    read_list(r, raw->list, &s->form) != 0 ||
	    (raw->when != NULL &&
	    word_when(r, raw->when, &s->when, &s->nwhen) != 0))
		return -1;
	s->repeats = raw->repeats;
	s->kinds = raw->kinds;
	if (s->repeats && s->places[0].kind != PLACE_HEADER)
		return json_err(r->doc, o, r->e, "only a header may have "
		    "\"repeats\"");
	form = s->algorithm->family == FAMILY_EQUAL || s->algorithm->jose != NULL ?
	    STR("{sig}") : STR("{sig:hex}");
	if (raw->form != NULL) {
		if (word_expect(r, raw->form, "form", JSON_STRING) != 0)
			return -1;
		form = json_text(raw->form);
	}
	if (read_form(r, form_at, form, &s->form) != 0)
		return -1;
	return check_encodings(r, form_at, s);
}

static int
read_key_form(struct reader *r, const struct json_object *v, struct signature *s)
{
	if (v == NULL)
		return 0;
	if (s->algorithm->family == FAMILY_EQUAL)
		return json_err(r->doc, v, r->e, "with \"equal\" the secret is "
		    "compared as it is: leave out \"key\"");
	if (read_key(r, v, &s->key) != 0)
		return -1;
	if (s->key.decode == ENCODING_AUTO && s->algorithm->family != FAMILY_KEY)
		return json_err(r->doc, v, r->e, "\"auto\" is for public keys");
	return 0;
}

static bool
is_of_body(const struct piece *p, const void *arg)
{
	(void)arg;
	return p->op == PIECE_BODY || p->op == PIECE_FIELDS || p->op == PIECE_PAIRS ||
	    p->op == PIECE_COUNT || (p->op == PIECE_PLACE &&
	    (p->place.kind == PLACE_BODY || p->place.kind == PLACE_FIELD));
}

static int
read_signature(struct reader *r, const struct json_object *o,
    const struct time_rule *inherited, struct signature *s)
{
	struct raw_signature raw = { 0 };
	struct vocabulary words;

	if (rows_read(r, o, "\"signature\"", signature_rows, &raw) != 0 ||
	    read_algorithm(r, o, raw.algorithm, &s->algorithm) != 0 ||
	    read_shape(r, o, &raw, s) != 0)
		return -1;
	s->time = *inherited;
	if (raw.time != NULL) {
		s->time = (struct time_rule){ .set = false };
		if (read_time(r, raw.time, &s->time) != 0)
			return -1;
	}
	words = (struct vocabulary){
		.captures = s->form.captures,
		.ncaptures = s->form.ncaptures,
		.time = s->form.time != -1 || (s->time.set && !s->time.captured),
		.secret = s->algorithm->family == FAMILY_HASH,
	};
	if (read_token(r, raw.token, s) != 0 ||
	    read_pairs(r, raw.pairs, &words, s) != 0 ||
	    read_signs(r, o, raw.signs, &words, s) != 0)
		return -1;
	words.secret = false;
	if (s->each.n > 0 && template_any(&s->signs, is_of_body, NULL))
		return json_err(r->doc, raw.signs, r->e, "with \"each\" what is signed "
		    "stands in the item: a body would be read again for each");
	if ((raw.also != NULL && read_also(r, raw.also, &words, s) != 0) ||
	    read_keys(r, raw.keys, &words, s) != 0 ||
	    read_certificate(r, raw.certificate, s) != 0 ||
	    read_key_form(r, raw.key, s) != 0)
		return -1;
	derive(s);
	if (s->algorithm->family != FAMILY_KEY)
		r->p->wants_secret |= !s->fetches;
	else if (!s->from_token)
		r->p->wants_public_key = true;
	return check_time(r, raw.time != NULL ? raw.time : o, s);
}

int
read_signatures(struct reader *r, const struct json_object *v,
    const struct json_object *time)
{
	struct time_rule inherited = { .set = false };
	bool list = json_kind(v) == JSON_ARRAY;
	struct provider *p = r->p;

	if (time != NULL && read_time(r, time, &inherited) != 0)
		return -1;
	if (v == NULL)
		return time == NULL ? 0 : json_err(r->doc, time, r->e,
		    "\"time\" without a \"signature\" that signs it");
	p->nsignatures = list ? json_count(v) : 1;
	if (p->nsignatures == 0)
		return json_err(r->doc, v, r->e, "\"signature\" is empty");
	p->signatures = arena_alloc(r->a,
	    p->nsignatures * sizeof(*p->signatures));
	if (p->signatures == NULL)
		return word_no_memory(r, v);
	for (size_t i = 0; i < p->nsignatures; i++)
		if (read_signature(r, list ? json_at(v, i) : v, &inherited,
		    &p->signatures[i]) != 0)
			return -1;
	return 0;
}

