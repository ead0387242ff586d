/*
 * explain.c - why a request was refused, by trying what could be wrong.
 *
 * One thing is changed at a time, and if that is not it, two: the secret, how its
 * text becomes a key, how the signature is written, the algorithm, the body as it was
 * before somebody rewrote it, the URL.  What holds then is what was wrong.  All of it
 * is computed here; the handler never says more than its status.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/utf8.h"
#include "base/when.h"
#include "cli/catalog.h"
#include "cli/cli.h"
#include "cli/dump.h"
#include "cli/rewrite.h"
#include "provider_trial.h"

#define EXPLAIN_MAX	((size_t)64 << 20)	/* of a file, and what is made of it */
#define TRIAL_MEMORY	((size_t)256 << 20)
#define VARIANTS_MAX	512		/* of one kind */
#define CAUSES_MAX	6
#define TEXTS_MAX	64		/* of secrets */
#define ALWAYS		((int64_t)1 << 46)	/* ms: no time is too old */

struct explain_options {
	const char	*config;
	const char	*hook;
	const char	*provider;
	const char	*dir;
	struct words	 secrets;
	struct words	 params;
	const char	*keys;
	const char	*at;
	bool		 json;
};

#define AT(field)	offsetof(struct explain_options, field)
const struct option_row explain_options[] = {
	{ "config", 'c', "FILE", AT(config), "the configuration that has the hook" },
	{ "hook", 0, "PATH", AT(hook), "the hook; default: the request's path" },
	{ "provider", 0, "ID", AT(provider),
	    "without a configuration: whose request it should be" },
	{ "dir", 'd', "DIR", AT(dir), "with --provider: also the files of a directory" },
	{ "secret", 0, "REF...", AT(secrets),
	    "one more secret to try: env:NAME or file:PATH" },
	{ "param", 0, "NAME=VALUE...", AT(params),
	    "with --provider: what else it asks for, as in the configuration" },
	{ "keys", 0, "FILE", AT(keys), "what is at the URL of its keys" },
	{ "at", 0, "TIME", AT(at), "when it came; default: what the file says, or now" },
	{ "json", 0, NULL, AT(json), "one object" },
	{ NULL, 0, NULL, 0, NULL }
};
#undef AT

/* --- what is changed -------------------------------------------------------------- */

enum kind { KIND_KEY, KIND_FORM, KIND_ALGORITHM, KIND_BODY, KIND_URL, KIND_RULE,
	KIND_HEADER, KINDS };

/* One change of one kind, and what a person is told when it is what was missing. */
struct variant {
	const char	*cause;		/* "secret", "body", ... */
	struct str	 says;		/* ... the request holds with this */
	const char	*todo;
	bool		 foreign;	/* another hook's secret: not tried with others */
	union {
		struct {
			struct str	 name, text;
			bool		 as;	/* as decode says, not as the file */
			enum encoding	 decode;
		} key;
		struct {
			enum encoding	 encoding;
			bool		 bare;	/* without what stands around it */
			bool		 tail;	/* of the header what is behind its = */
		} form;
		const struct algorithm *algorithm;
		struct str	 body;
		struct {
			struct str	 url;	/* the hook's; .p NULL: as it is */
			struct str	 target;	/* the request's; likewise */
		} at;
		size_t		 rule;	/* which of "also" is left out */
		struct header	 header;	/* once, with this value */
	};
};

struct work {
	struct arena	*a;
	struct err	*e;
	struct dump	 dump;
	struct example	 x;		/* the request and the hook, as it is */
	struct provider	*p;		/* our own, so that it can be changed */
	struct signature *was;		/* its signatures as they were read */
	struct str	 names[TEXTS_MAX];	/* of all secrets that are known */
	struct str	 texts[TEXTS_MAX];
	size_t		 ntexts;
	struct variant	*all[KINDS];
	size_t		 n[KINDS];

	const struct variant *found[CAUSES_MAX][2];
	size_t		 nfound;
};

/* --- one trial ---------------------------------------------------------------------- */

static void
change_form(struct work *k, struct signature *s, const struct variant *v)
{
	static struct form_part part;
	static struct form_item item = { &part, 1, true };

	part = (struct form_part){ .kind = PART_SIG, .encoding = v->form.encoding };
	if (s->algorithm->jose != NULL || s->algorithm->family == FAMILY_EQUAL)
		part.encoding = ENCODING_RAW;
	if (v->form.bare) {
		if (s->form.ncaptures > 0 || s->form.numbered)
			return;		/* what it captures is signed */
		s->form.items = &item;
		s->form.nitems = 1;
		s->form.list = s->form.groups = 0;
		return;
	}
	for (size_t i = 0; i < s->form.nitems; i++) {
		struct form_item *to = &s->form.items[i];
		struct form_part *parts = arena_alloc(k->a,
		    (to->nparts + 1) * sizeof(*parts));

		if (parts == NULL)
			return;
		memcpy(parts, to->parts, to->nparts * sizeof(*parts));
		for (size_t j = 0; j < to->nparts; j++)
			if (parts[j].kind == PART_SIG)
				parts[j].encoding = v->form.encoding;
		to->parts = parts;
	}
}

static bool
is_signature_header(const struct work *k, struct str name)
{
	for (size_t i = 0; i < k->p->nsignatures; i++)
		for (size_t j = 0; j < k->was[i].nplaces; j++)
			if (k->was[i].places[j].kind == PLACE_HEADER &&
			    str_eq_nocase(k->was[i].places[j].name, name))
				return true;
	return false;
}

/* "sha256=ab12" -> "ab12" */
static int
cut_tails(struct work *k, struct example *x)
{
	struct header *h = arena_alloc(k->a,
	    (x->sent.nheaders + 1) * sizeof(*h));

	if (h == NULL)
		return -1;
	for (size_t i = 0; i < x->sent.nheaders; i++) {
		ptrdiff_t at;

		h[i] = x->sent.headers[i];
		if (!is_signature_header(k, h[i].name))
			continue;
		at = str_find(h[i].value, '=');
		if (at == -1)
			at = str_find(h[i].value, ' ');
		if (at > 0 && (size_t)at < 12)
			h[i].value = str_skip(h[i].value, (size_t)at + 1);
	}
	x->sent.headers = h;
	return 0;
}

static int
change_header(struct work *k, struct example *x, const struct variant *v)
{
	struct header *h = arena_alloc(k->a,
	    (x->sent.nheaders + 1) * sizeof(*h));
	size_t n = 0;
	bool put = false;

	if (h == NULL)
		return -1;
	for (size_t i = 0; i < x->sent.nheaders; i++) {
		if (!str_eq_nocase(x->sent.headers[i].name, v->header.name))
			h[n++] = x->sent.headers[i];
		else if (!put)
			h[n++] = v->header;
		put = put || str_eq_nocase(x->sent.headers[i].name, v->header.name);
	}
	if (!put)
		h[n++] = v->header;
	x->sent.headers = h;
	x->sent.nheaders = n;
	return 0;
}

static int
change(struct work *k, struct example *x, enum kind kind, const struct variant *v)
{
	struct texts *url = &x->params[PARAM_URL];
	struct str *texts;

	switch (kind) {
	case KIND_KEY:
		if ((texts = arena_alloc(k->a, sizeof(*texts))) == NULL)
			return -1;
		*texts = v->key.text;
		x->secrets = texts;
		x->nsecrets = 1;
		for (size_t i = 0; v->key.as && i < k->p->nsignatures; i++)
			k->p->signatures[i].key = (struct key_form){
			    .decode = v->key.decode };
		return 0;
	case KIND_FORM:
		for (size_t i = 0; i < k->p->nsignatures; i++)
			change_form(k, &k->p->signatures[i], v);
		return v->form.tail ? cut_tails(k, x) : 0;
	case KIND_ALGORITHM:
		for (size_t i = 0; i < k->p->nsignatures; i++)
			if (k->p->signatures[i].algorithm->family ==
			    v->algorithm->family)
				k->p->signatures[i].algorithm = v->algorithm;
		return 0;
	case KIND_BODY:
		x->sent.body = v->body;
		return 0;
	case KIND_URL:
		if (v->at.target.p != NULL)
			x->sent.url = v->at.target;
		if (v->at.url.p == NULL)
			return 0;
		if ((texts = arena_alloc(k->a, sizeof(*texts))) == NULL)
			return -1;
		*texts = v->at.url;
		*url = (struct texts){ texts, 1 };
		return 0;
	case KIND_RULE:
		for (size_t i = 0; i < k->p->nsignatures; i++) {
			struct signature *s = &k->p->signatures[i];

			if (v->rule >= s->nalso)
				continue;
			s->also = arena_alloc(k->a, s->nalso * sizeof(*s->also));
			if (s->also == NULL)
				return -1;
			memcpy(s->also, k->was[i].also,
			    s->nalso * sizeof(*s->also));
			s->also[v->rule] = s->also[--s->nalso];
		}
		return 0;
	case KIND_HEADER:
		return change_header(k, x, v);
	case KINDS:
		break;
	}
	return -1;
}

/* forms of items are changed in place: every trial begins with its own. */
static int
fresh(struct work *k, bool timed)
{
	for (size_t i = 0; i < k->p->nsignatures; i++) {
		struct signature *s = &k->p->signatures[i];
		struct form_item *items;

		*s = k->was[i];
		items = arena_alloc(k->a, (s->form.nitems + 1) * sizeof(*items));
		if (items == NULL)
			return -1;
		memcpy(items, s->form.items, s->form.nitems * sizeof(*items));
		s->form.items = items;
		if (timed)
			continue;
		s->time.window = 0;
		s->token.leeway = ALWAYS;
		s->token.longest = 0;
	}
	return 0;
}

/* Does the request hold with none, one or two things changed? */
static bool
try(struct work *k, bool timed, enum kind one, const struct variant *v, enum kind two,
    const struct variant *w, struct verdict *verdict)
{
	struct arena *kept = k->a, *a = arena_new(TRIAL_MEMORY);
	struct example x = k->x;
	struct trial t;
	struct err e;
	bool holds = false;

	if (a == NULL)
		return false;
	k->a = a;
	if (fresh(k, timed) == 0 && (v == NULL || change(k, &x, one, v) == 0) &&
	    (w == NULL || change(k, &x, two, w) == 0) &&
	    trial_judge(k->p, &x, &(struct trial_change){ .clock = 0 }, a, &t, &e)) {
		holds = t.answered || t.verdict.code == VERDICT_GENUINE;
		if (verdict != NULL) {
			*verdict = t.verdict;
			verdict->want.id = arena_str(kept, t.verdict.want.id);
		}
	}
	k->a = kept;
	arena_free(a);
	return holds;
}

/* --- what could be tried --------------------------------------------------------------- */

static struct variant *
add(struct work *k, enum kind kind, const char *cause, const char *todo)
{
	struct variant *v = &k->all[kind][k->n[kind]];

	if (k->n[kind] == VARIANTS_MAX)
		return NULL;
	k->n[kind]++;
	*v = (struct variant){ .cause = cause, .todo = todo };
	return v;
}

static void
add_key(struct work *k, const char *cause, struct str name, struct str text,
    const char *how, enum encoding decode, bool as)
{
	struct variant *v = text.n == 0 ? NULL : add(k, KIND_KEY, cause,
	    strcmp(cause, "secret") == 0 ?
	    "put this secret into the hook's \"secret\", or both while it rotates" :
	    "store the secret as the provider shows it: no quotes, no spaces, whole");

	if (v == NULL)
		return;
	v->key.name = name;
	v->key.text = text;
	v->key.as = as;
	v->key.decode = decode;
	v->says = arena_printf(k->a, "%s %.*s%s", strcmp(cause, "secret") == 0 ?
	    "it is signed with another secret:" : "the secret", STR_ARG(name), how);
}

/* One secret, read in other ways than the provider's file says. */
static void
add_key_forms(struct work *k, struct str name, struct str text)
{
	static const struct { enum encoding decode; const char *how; } ways[] = {
		{ ENCODING_RAW, ", taken as it is written" },
		{ ENCODING_HEX, ", read as hex" },
		{ ENCODING_BASE64, ", read as base64" },
		{ ENCODING_BASE64URL, ", read as base64url" },
	};
	struct str bare = text, tail;
	ptrdiff_t at;

	while (bare.n > 0 && strchr(" \t\r\n", bare.p[0]) != NULL)
		bare = str_skip(bare, 1);
	while (bare.n > 0 && strchr(" \t\r\n", bare.p[bare.n - 1]) != NULL)
		bare.n--;
	if (bare.n < text.n)
		add_key(k, "key-form", name, bare,
		    ", without the spaces or line's end around it", 0, false);
	else
		add_key(k, "key-form", name, arena_printf(k->a, "%.*s\n",
		    STR_ARG(text)), ", with a line's end behind it", 0, false);
	if (bare.n > 2 && (bare.p[0] == '"' || bare.p[0] == '\'') &&
	    bare.p[bare.n - 1] == bare.p[0]) {
		bare = str_head(str_skip(bare, 1), bare.n - 2);
		add_key(k, "key-form", name, bare, ", without the quotes around it", 0,
		    false);
	}
	/* "whsec_", "sk_live_", "Bearer " */
	at = str_find(bare, '_');
	if (at == -1)
		at = str_find(bare, ' ');
	tail = at > 0 && at < 12 ? str_skip(bare, (size_t)at + 1) : STR_NONE;
	add_key(k, "key-form", name, tail, ", without its prefix", 0, false);
	for (size_t i = 0; i < k->p->nsignatures; i++)
		for (size_t j = 0; j < k->p->signatures[i].key.nstrip; j++)
			add_key(k, "key-form", name, arena_printf(k->a, "%.*s%.*s",
			    STR_ARG(k->p->signatures[i].key.strip[j]),
			    STR_ARG(bare)), ", with its prefix in front", 0, false);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		add_key(k, "key-form", name, bare, ways[i].how, ways[i].decode, true);
		if (tail.n > 0)
			add_key(k, "key-form", name, tail, arena_printf(k->a,
			    "%s, without its prefix", ways[i].how).p,
			    ways[i].decode, true);
	}
}

static void
add_keys(struct work *k)
{
	size_t own = k->x.nsecrets;

	for (size_t i = own; i < k->ntexts; i++) {
		size_t n = k->n[KIND_KEY];

		add_key(k, "secret", k->names[i], k->texts[i], "", 0, false);
		if (k->n[KIND_KEY] > n)
			k->all[KIND_KEY][n].foreign = true;
	}
	for (size_t i = 0; i < own; i++)
		add_key_forms(k, k->names[i], k->texts[i]);
}

static void
add_forms(struct work *k)
{
	static const struct { enum encoding encoding; const char *name; } ways[] = {
		{ ENCODING_HEX, "hex" }, { ENCODING_BASE64, "base64" },
		{ ENCODING_BASE64URL, "base64url" },
		{ ENCODING_BASE64_HEX, "base64 of the hex digits" },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct variant *v = add(k, KIND_FORM, "encoding",
		    "another product or version of the provider's? In a provider of "
		    "your own change \"form\"");

		if (v == NULL)
			return;
		v->form.encoding = ways[i].encoding;
		v->says = arena_printf(k->a, "the signature is written in %s",
		    ways[i].name);
		for (int tail = 0; tail < 2; tail++) {
			v = add(k, KIND_FORM, "prefix", "the sender is not the one that "
			    "this provider's file describes; in a provider of your own "
			    "change \"form\"");
			if (v == NULL)
				return;
			v->form.encoding = ways[i].encoding;
			v->form.bare = true;
			v->form.tail = tail != 0;
			v->says = arena_printf(k->a, "the signature stands in %s, %s "
			    "prefix", ways[i].name, tail ? "with another" :
			    "without its");
		}
	}
}

static void
add_algorithms(struct work *k)
{
	const struct algorithm *alg;

	for (size_t i = 0; (alg = provider_algorithm(i)) != NULL; i++) {
		bool other = false;
		struct variant *v;

		for (size_t j = 0; j < k->p->nsignatures; j++)
			other |= k->was[j].algorithm != alg &&
			    k->was[j].algorithm->family == alg->family &&
			    alg->family != FAMILY_KEY && alg->family != FAMILY_EQUAL &&
			    (k->was[j].algorithm->jose == NULL) ==
			    (alg->jose == NULL);
		if (!other || (v = add(k, KIND_ALGORITHM, "algorithm", "choose the "
		    "algorithm at the provider that its file names, or write a "
		    "provider of your own")) == NULL)
			continue;
		v->algorithm = alg;
		v->says = arena_printf(k->a, "the algorithm is %s", alg->name);
	}
}

static void
add_bodies(struct work *k)
{
	const struct rewriting *how;

	for (size_t i = 0; (how = rewriting_at(i)) != NULL; i++) {
		struct str body = rewrite(how, k->x.sent.body, k->a);
		struct variant *v;
		bool new = body.p != NULL && !str_eq(body, k->x.sent.body);

		for (size_t j = 0; j < k->n[KIND_BODY]; j++)
			new = new && !str_eq(body, k->all[KIND_BODY][j].body);
		if (!new || (v = add(k, KIND_BODY, "body", "the bytes were changed on "
		    "their way: find what reads and writes the body between the "
		    "provider and us (a proxy, a gateway, a script that posts it "
		    "again)")) == NULL)
			continue;
		v->body = body;
		v->says = arena_printf(k->a, "what was signed is the body as %s",
		    rewriting_says(how));
	}
}

/* --- URLs ------------------------------------------------------------------------------- */

static struct str
header_of(const struct work *k, const char *name)
{
	for (size_t i = 0; i < k->x.sent.nheaders; i++)
		if (str_eq_nocase(k->x.sent.headers[i].name, str_of(name)))
			return k->x.sent.headers[i].value;
	return STR_NONE;
}

static void
add_url(struct work *k, struct str url)
{
	struct variant *v;

	if (url.n == 0 || (k->x.params[PARAM_URL].n > 0 &&
	    str_eq(url, k->x.params[PARAM_URL].v[0])))
		return;
	for (size_t i = 0; i < k->n[KIND_URL]; i++)
		if (str_eq(k->all[KIND_URL][i].at.url, url))
			return;
	if ((v = add(k, KIND_URL, "url", "set the hook's \"url\" to it: the URL as it "
	    "is written at the provider")) == NULL)
		return;
	v->at.url = url;
	v->says = arena_printf(k->a, "the URL that was signed is %.*s", STR_ARG(url));
}

static void
add_target(struct work *k, struct str target, const char *says)
{
	struct variant *v;

	if (target.n == 0 || str_eq(target, sent_target(k->a, k->x.sent.url)) ||
	    (v = add(k, KIND_URL, "url", "let the web server hand on the URL as it "
	    "came: no rewriting, REQUEST_URI as it is")) == NULL)
		return;
	v->at.target = target;
	v->says = arena_printf(k->a, "%s: %.*s", says, STR_ARG(target));
}

static bool
is_of_url(const struct piece *p, const void *arg)
{
	(void)arg;
	return p->op == PIECE_URL || p->op == PIECE_URL_ALONE ||
	    p->op == PIECE_PATH || p->op == PIECE_QUERY ||
	    (p->op == PIECE_PARAM && p->index == PARAM_URL);
}

/* Scheme, host and path of a URL, each changed in the ways that one sees. */
static void
add_urls_of(struct work *k, struct str url, struct str target)
{
	static const char *const hosts[] = { "Host", "X-Forwarded-Host",
		"X-Original-Host" };
	static const char *const schemes[] = { "https", "http" };
	struct str rest = url, path = target, all[8];
	size_t n = 0;

	rest = memmem(url.p, url.n, "://", 3) == NULL ? STR("") :
	    str_skip(url, (size_t)((const char *)memmem(url.p, url.n, "://", 3) -
	    url.p) + 3);
	path = rest.n > 0 && str_find(rest, '/') != -1 ?
	    str_skip(rest, (size_t)str_find(rest, '/')) : STR("");
	rest = str_head(rest, rest.n - path.n);
	if (rest.n > 0)
		all[n++] = rest;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (header_of(k, hosts[i]).n > 0)
			all[n++] = header_of(k, hosts[i]);
	for (size_t i = 0, had = n; i < had && n < 8; i++)
		all[n++] = str_find(all[i], ':') != -1 ? str_head(all[i],
		    (size_t)str_find(all[i], ':')) :
		    arena_printf(k->a, "%.*s:443", STR_ARG(all[i]));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < 2; j++) {
			struct str paths[4] = { path, target, STR_NONE, STR_NONE };

			if (str_ends(path, STR("/")))
				paths[2] = str_head(path, path.n - 1);
			else
				paths[2] = arena_printf(k->a, "%.*s/", STR_ARG(path));
			paths[3] = STR("");
			for (size_t m = 0; m < 4; m++)
				add_url(k, arena_printf(k->a, "%s://%.*s%.*s",
				    schemes[j], STR_ARG(all[i]), STR_ARG(paths[m])));
		}
}

static void
add_urls(struct work *k)
{
	struct str target = sent_target(k->a, k->x.sent.url), query = target;
	struct str path = str_cut(&query, '?');
	struct str url = k->x.params[PARAM_URL].n > 0 ?
	    k->x.params[PARAM_URL].v[0] : STR_NONE;
	bool of_url = false;

	for (size_t i = 0; i < k->p->nsignatures; i++)
		of_url |= template_any(&k->was[i].signs, is_of_url, NULL);
	if (!of_url)
		return;
	add_urls_of(k, url, path);
	if (query.n > 0)
		add_target(k, path, "the query was not signed, or was added");
	add_target(k, str_ends(path, STR("/")) && path.n > 1 ?
	    str_head(path, path.n - 1) : arena_printf(k->a, "%.*s/%s%.*s",
	    STR_ARG(path), query.p != NULL ? "?" : "", STR_ARG(query)),
	    "the path that was signed ends otherwise");
	if (memmem(url.p, url.n, "://", 3) != NULL)
		add_target(k, sent_target(k->a, url),
		    "the path that was signed is the public one");
}

/* --- rules, and headers that came twice ---------------------------------------------------- */

/* What must be there, when that is no secret. */
static void
say_rule(struct work *k, struct variant *v, const struct also *also)
{
	int param = template_param(&also->equals[0]);
	const struct place *at = &also->place;
	struct str must = STR_NONE;

	if (param >= 0 && param != PARAM_VERIFY_TOKEN &&
	    k->x.params[param].n > 0)
		must = k->x.params[param].v[0];
	v->says = arena_printf(k->a, "all holds, but %.*s%.*s is not %s%.*s%s",
	    STR_ARG(place_prefix(at)), STR_ARG(at->written.n > 0 ? at->written :
	    at->name), must.p != NULL ? "\"" : "what it must be",
	    STR_ARG(must), must.p != NULL ? "\"" : "");
}

static void
add_rules(struct work *k)
{
	size_t most = 0;

	for (size_t i = 0; i < k->p->nsignatures; i++)
		if (k->was[i].nalso > most)
			most = k->was[i].nalso;
	for (size_t i = 0; i < most; i++) {
		struct variant *v = add(k, KIND_RULE, "parameter", "look at what the "
		    "hook says there, and at what the provider sends: \"hooklatch "
		    "providers\" with its id shows the rule");

		if (v == NULL)
			return;
		v->rule = i;
		for (size_t j = 0; j < k->p->nsignatures; j++)
			if (i < k->was[j].nalso)
				say_rule(k, v, &k->was[j].also[i]);
	}
}

static void
add_headers(struct work *k)
{
	for (size_t i = 0; i < k->x.sent.nheaders; i++) {
		struct header h = k->x.sent.headers[i];
		const char *comma = memmem(h.value.p, h.value.n, ", ", 2);
		struct variant *v;
		bool twice = comma != NULL;

		if (!is_signature_header(k, h.name))
			continue;
		for (size_t j = 0; j < k->x.sent.nheaders; j++)
			twice |= j != i &&
			    str_eq_nocase(k->x.sent.headers[j].name, h.name);
		if (!twice || (v = add(k, KIND_HEADER, "doubled", "find what adds the "
		    "header a second time, often a proxy, and take it out")) == NULL)
			continue;
		v->header = h;
		if (comma != NULL)
			v->header.value = str_head(h.value,
			    (size_t)(comma - h.value.p));
		v->says = arena_printf(k->a, "%.*s came twice, and holds once",
		    STR_ARG(h.name));
	}
}

/* --- the search ------------------------------------------------------------------------------ */

static void
keep(struct work *k, const struct variant *v, const struct variant *w)
{
	if (k->nfound == CAUSES_MAX)
		return;
	k->found[k->nfound][0] = v;
	k->found[k->nfound++][1] = w;
}

static void
try_one(struct work *k)
{
	for (unsigned kind = 0; kind < KINDS; kind++)
		for (size_t i = 0; i < k->n[kind]; i++)
			if (try(k, false, kind, &k->all[kind][i], KINDS, NULL, NULL))
				keep(k, &k->all[kind][i], NULL);
}

static void
try_two(struct work *k)
{
	for (unsigned one = 0; one < KINDS; one++)
		for (unsigned two = one + 1; two < KINDS; two++)
			for (size_t i = 0; i < k->n[one]; i++)
				for (size_t j = 0; j < k->n[two] && k->nfound == 0 &&
				    !k->all[one][i].foreign; j++)
					if (try(k, false, one, &k->all[one][i], two,
					    &k->all[two][j], NULL))
						keep(k, &k->all[one][i],
						    &k->all[two][j]);
}

/* --- what no trial tells ------------------------------------------------------------------------ */

/* Whose signature headers does it bear?  Up to three ids. */
static struct str
whose(struct work *k, const struct catalog *all)
{
	struct str out = STR("");
	size_t n = 0;

	for (size_t i = 0; i < catalog_count(all) && n < 3; i++) {
		struct err none;
		struct provider *p = catalog_read(all, catalog_id(all, i), &none);
		bool bears = false;

		for (size_t j = 0; p != NULL && j < p->nsignatures; j++) {
			const struct place *at = &p->signatures[j].places[0];

			bears |= at->kind == PLACE_HEADER &&
			    !str_eq(at->name, STR("authorization")) &&
			    header_of(k, arena_printf(k->a, "%.*s",
			    STR_ARG(at->name)).p).n > 0;
		}
		if (bears && !str_eq(p->id, k->p->id))
			out = arena_printf(k->a, "%.*s%s%.*s", STR_ARG(out),
			    n++ > 0 ? ", " : "", STR_ARG(p->id));
		provider_free(p);
	}
	return out;
}

/* A header that is nearly the one that is missing. */
static struct str
nearly(struct work *k, struct str wanted)
{
	for (size_t i = 0; i < k->x.sent.nheaders; i++) {
		struct str name = k->x.sent.headers[i].name;

		if (!str_eq_nocase(name, wanted) && str_distance(name, wanted) <= 3)
			return name;
	}
	return STR_NONE;
}

static struct variant *
say(struct work *k, const char *cause, struct str says, const char *todo)
{
	struct variant *v = arena_alloc(k->a, sizeof(*v));

	if (v == NULL)
		return NULL;
	*v = (struct variant){ .cause = cause, .says = says, .todo = todo };
	keep(k, v, NULL);
	return v;
}

static void
say_absent(struct work *k, const struct catalog *all)
{
	const struct place *at = &k->was[0].places[0];
	struct str near, ids = whose(k, all);

	if (at->kind == PLACE_HEADER && (near = nearly(k, at->name)).n > 0)
		say(k, "absent", arena_printf(k->a, "there is no header %.*s, but one "
		    "%.*s", STR_ARG(at->written), STR_ARG(near)),
		    "a name with an underscore is dropped by nginx "
		    "(underscores_in_headers); otherwise the sender writes it wrong");
	else if (ids.n > 0)
		say(k, "provider", arena_printf(k->a, "it looks like a request of "
		    "another provider: %.*s", STR_ARG(ids)),
		    "give the hook that \"provider\", or the sender the other URL");
	else if (at->kind == PLACE_HEADER &&
	    str_eq(at->name, STR("authorization")))
		say(k, "absent", STR("there is no Authorization header"), "Apache hands "
		    "it on with \"CGIPassAuth On\" alone; or the provider was not told "
		    "the credentials");
	else
		say(k, "absent", arena_printf(k->a, "it bears no signature (%s %.*s)",
		    at->kind == PLACE_HEADER ? "header" : at->kind == PLACE_QUERY ?
		    "query" : "in the body,", STR_ARG(at->written.n > 0 ?
		    at->written : at->name)), "was a secret set at the provider? A "
		    "proxy may drop headers; or it is not from the provider");
}

/* Is the value the secret itself, whichever alternative it is? */
static bool
is_static(const struct work *k)
{
	for (size_t i = 0; i < k->p->nsignatures; i++)
		if (k->was[i].algorithm->family != FAMILY_EQUAL)
			return false;
	return true;
}

static void
say_rest(struct work *k, const struct verdict *v, const struct catalog *all)
{
	if (v->code == VERDICT_WANTS_KEY) {
		struct str rest = v->want.id, url = str_cut(&rest, '\n');

		say(k, "keys", arena_printf(k->a, "it is proven by a key from %.*s",
		    STR_ARG(url)), "fetch that (curl -sS URL >FILE) "
		    "and say --keys FILE");
		return;
	}
	if (k->dump.missing > 0)
		say(k, "incomplete", arena_printf(k->a, "%llu bytes of the body that "
		    "Content-Length promises are not in the file",
		    (unsigned long long)k->dump.missing), "capture all of it");
	if (v->code == VERDICT_ABSENT)
		say_absent(k, all);
	else if (k->dump.reason.n > 0 && is_static(k))
		say(k, "secret", STR("the secret that came is none of the hook's; the "
		    "quarantine does not keep it"), "compare by eye what is set at "
		    "the provider with the hook's \"secret\"");
}

/* --- the whole -------------------------------------------------------------------------------- */

static void
explain(struct work *k, const struct catalog *all, struct verdict *v)
{
	static void (*const make[])(struct work *) = { add_keys, add_forms,
		add_algorithms, add_bodies, add_urls, add_rules, add_headers };
	struct verdict timeless;

	if (try(k, true, KINDS, NULL, KINDS, NULL, v))
		return;
	if (try(k, false, KINDS, NULL, KINDS, NULL, &timeless)) {
		int64_t at = timeless.signed_at;

		say(k, "clock", at != 0 ? arena_printf(k->a, "it holds but for its "
		    "time: it was signed %lld s %s it came",
		    (long long)llabs((k->x.clock - at) / 1000),
		    at < k->x.clock ? "before" : "after") :
		    STR("it holds but for its time"),
		    "compare the clock of this machine (timedatectl); an old request "
		    "that was sent again is refused rightly");
		return;
	}
	if (v->code != VERDICT_WANTS_KEY) {
		for (size_t i = 0; i < sizeof(make) / sizeof(make[0]); i++)
			make[i](k);
		try_one(k);
		if (k->nfound == 0)
			try_two(k);
	}
	if (k->nfound == 0)
		say_rest(k, v, all);
}

/* --- what is known of the hook --------------------------------------------------------------- */

static int
add_text(struct work *k, struct str name, struct str text)
{
	if (k->ntexts == TEXTS_MAX || text.p == NULL)
		return 0;
	for (size_t i = 0; i < k->ntexts; i++)
		if (str_eq(k->names[i], name))
			return 0;
	k->names[k->ntexts] = arena_str(k->a, name);
	k->texts[k->ntexts++] = text;
	return 0;
}

/* The bundle of the configuration, or one with what is given alone. */
struct known {
	struct bundle	*bundle;
	struct conf	*conf;
	struct routes	*routes;
	struct catalog	*all;
};

static int
know_given(struct work *k, struct known *n, const struct explain_options *o)
{
	for (size_t i = 0; i < o->secrets.n; i++) {
		struct str name = str_of(o->secrets.p[i]);

		if (!str_starts(name, STR("env:")) && !str_starts(name, STR("file:")))
			return err_set(k->e, ERR_USAGE, "--secret takes env:NAME or "
			    "file:PATH: an argument can be seen by every user of the "
			    "machine");
		if (bundle_read_secret(n->bundle, name, k->e) == -1)
			return -1;
		add_text(k, name, bundle_secret(n->bundle, name));
	}
	return 0;
}

static int
know_hook(struct work *k, struct known *n, const struct explain_options *o)
{
	struct str target = sent_target(k->a, k->dump.sent.url);
	struct str path = o->hook != NULL ? str_of(o->hook) : k->dump.hook.n > 0 ?
	    k->dump.hook : str_cut(&target, '?');
	const struct route *r;
	const struct hook *h;

	if ((n->routes = routes_new(n->conf, n->bundle, k->e)) == NULL)
		return -1;
	if ((r = routes_find(n->routes, path)) == NULL)
		return err_set(k->e, ERR_DATA, "the configuration has no hook "
		    "\"%.*s\": that alone is 404; --hook names another",
		    STR_ARG(path));
	h = r->hook;
	if (h->auth == AUTH_NONE)
		return err_set(k->e, ERR_DATA, "nothing is proven on this hook: \"auth\" "
		    "is \"none\"");
	if (h->own.p != NULL)
		k->p = provider_read(h->own, h->provider, "its own provider", k->e);
	else
		k->p = catalog_read(n->all, h->provider, k->e);
	if (k->p == NULL)
		return -1;
	for (size_t i = 0; i < h->nsecrets; i++)
		add_text(k, h->secrets[i], bundle_secret(n->bundle, h->secrets[i]));
	k->x.nsecrets = k->ntexts;
	memcpy(k->x.params, r->params, sizeof(k->x.params));
	/* What other hooks have may have been mixed up. */
	for (size_t i = 0; i < n->conf->nhooks; i++)
		for (size_t j = 0; j < n->conf->hooks[i].nsecrets; j++)
			add_text(k, n->conf->hooks[i].secrets[j], bundle_secret(
			    n->bundle, n->conf->hooks[i].secrets[j]));
	return know_given(k, n, o);
}

static int
know_provider(struct work *k, struct known *n, const struct explain_options *o)
{
	const char *id = o->provider;

	if (id == NULL && k->dump.provider.n > 0)
		id = k->dump.provider.p;
	if (id == NULL)
		return err_set(k->e, ERR_USAGE, "whose request should it be? Give "
		    "--config, or --provider and --secret");
	if ((k->p = catalog_read(n->all, str_of(id), k->e)) == NULL ||
	    know_given(k, n, o) == -1)
		return -1;
	k->x.nsecrets = k->ntexts;
	for (size_t i = 0; i < o->params.n; i++) {
		struct str value = str_of(o->params.p[i]), name = str_cut(&value, '=');
		unsigned which = 0;
		struct str *text = arena_alloc(k->a, sizeof(*text));

		while (which < PARAM_COUNT &&
		    !str_eq(name, str_of(hook_param_names[which])))
			which++;
		if (which == PARAM_COUNT || value.p == NULL || text == NULL)
			return err_set(k->e, ERR_USAGE, "--param \"%s\": write "
			    "NAME=VALUE; the names are those of hooklatch.json(5)",
			    o->params.p[i]);
		if (str_starts(value, STR("env:")) || str_starts(value, STR("file:"))) {
			if (bundle_read_secret(n->bundle, value, k->e) == -1)
				return -1;
			value = bundle_secret(n->bundle, value);
		}
		*text = value;
		k->x.params[which] = (struct texts){ text, 1 };
	}
	return 0;
}

static int
know(struct work *k, struct known *n, const struct explain_options *o)
{
	const char *config = o->provider == NULL ? cli_config(o->config) : NULL;

	if (config != NULL) {
		n->conf = cli_conf(config, &n->bundle, NULL, k->e);
		if (n->conf == NULL)
			return -1;
	} else if ((n->bundle = bundle_new()) == NULL) {
		return err_set(k->e, ERR_OS, "not enough memory");
	} else if (o->dir != NULL &&
	    conf_gather_providers(n->bundle, str_of(o->dir), k->e) == -1) {
		return -1;
	}
	if ((n->all = catalog_new(n->bundle, k->e)) == NULL)
		return -1;
	return n->conf != NULL ? know_hook(k, n, o) : know_provider(k, n, o);
}

/* --- reading, and saying ----------------------------------------------------------------------- */

static char *
read_file(const char *path, size_t *n, struct err *e)
{
	return os_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, EXPLAIN_MAX,
	    n, e);
}

/* An id of the quarantine: the file of that name in its directory. */
static int
read_dump(struct work *k, const struct explain_options *o, const char *what)
{
	const char *config = cli_config(o->config);
	struct conf *c = NULL;
	char path[4096];
	size_t n = 0;
	char *text;
	int rc;

	snprintf(path, sizeof(path), "%s", what);
	if (strchr(what, '/') == NULL && strlen(what) == EVENT_ID_LEN &&
	    config != NULL && (c = cli_conf(config, NULL, NULL, k->e)) != NULL &&
	    c->quarantine.n > 0)
		snprintf(path, sizeof(path), "%.*s/%s.json", STR_ARG(c->quarantine),
		    what);
	conf_free(c);
	if ((text = read_file(path, &n, k->e)) == NULL)
		return -1;
	rc = dump_read(&k->dump, (struct str){ text, n }, what, k->a, k->e);
	free(text);
	return rc;
}

static int
take_keys(struct work *k, const char *path)
{
	struct verdict v = { .code = VERDICT_FORGED };
	struct header *f = arena_alloc(k->a, sizeof(*f));
	struct str rest;
	size_t n = 0;
	char *text = read_file(path, &n, k->e);

	if (text == NULL || f == NULL)
		return -1;
	try(k, true, KINDS, NULL, KINDS, NULL, &v);
	rest = v.want.id;
	f->name = arena_str(k->a, str_cut(&rest, '\n'));
	f->value = arena_str(k->a, (struct str){ text, n });
	free(text);
	k->x.fetched = f;
	k->x.nfetched = f->name.p != NULL && f->value.p != NULL;
	return 0;
}

static void
put_sentence(struct buf *b, const struct variant *const pair[2])
{
	buf_put(b, pair[0]->says);
	if (pair[1] != NULL) {
		buf_put(b, STR("; and "));
		buf_put(b, pair[1]->says);
	}
}

/* What comes from a file, for a terminal: nothing in it moves the cursor. */
static void
put_visible(struct buf *b, struct str s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		const unsigned char *p = (const unsigned char *)s.p + i;
		bool fine = p[0] >= 0x20 && p[0] < 0x7f;

		n = 1;
		if (p[0] >= 0x80 && (n = utf8_length(p, s.n - i)) > 0)
			fine = n > 2 || p[0] > 0xc2 || p[1] >= 0xa0;
		buf_put(b, fine ? str_head(str_skip(s, i), n) : STR("?"));
		n += n == 0;
	}
}

static void
put_people(struct buf *b, const struct work *k, const struct verdict *v)
{
	if (k->dump.reason.n > 0) {
		buf_put(b, STR("then: refused ("));
		put_visible(b, k->dump.reason);
		buf_put(b, STR(")\n"));
	}
	if (v->code == VERDICT_GENUINE || v->code == VERDICT_OPEN) {
		buf_put(b, STR("now:  it holds, with this configuration and at the time "
		    "when it came\n"));
		return;
	}
	buf_printf(b, "now:  %s (%s)\n", verdict_name(v->code), v->reason);
	for (size_t i = 0; i < k->nfound; i++) {
		struct buf line = BUF(65536);

		put_sentence(&line, k->found[i]);
		buf_printf(b, "\n%s%s%s: ", k->found[i][0]->cause,
		    k->found[i][1] != NULL ? ", " : "", k->found[i][1] != NULL ?
		    k->found[i][1]->cause : "");
		put_visible(b, buf_str(&line));
		buf_printf(b, "\n  %s\n", k->found[i][0]->todo);
		if (k->found[i][1] != NULL)
			buf_printf(b, "  %s\n", k->found[i][1]->todo);
		buf_free(&line);
	}
	if (k->nfound == 0)
		buf_put(b, STR("\nNone of what was tried is it: secrets that are known "
		    "here, ways to read them and to write\nthe signature, algorithms, "
		    "rewritten bodies, URLs. So it is another secret or another body;\n"
		    "or it is forged.\n"));
}

static void
put_json(struct buf *b, const struct work *k, const struct verdict *v)
{
	buf_printf(b, "{\"verdict\":\"%s\",\"reason\":", verdict_name(v->code));
	buf_json(b, str_of(v->reason));
	buf_put(b, STR(",\"causes\":["));
	for (size_t i = 0; i < k->nfound; i++) {
		struct buf line = BUF(65536);

		buf_printf(b, "%s{\"cause\":\"%s\"", i > 0 ? "," : "",
		    k->found[i][0]->cause);
		if (k->found[i][1] != NULL)
			buf_printf(b, ",\"and\":\"%s\"", k->found[i][1]->cause);
		put_sentence(&line, k->found[i]);
		buf_put(b, STR(",\"says\":"));
		buf_json(b, buf_str(&line));
		buf_put(b, STR(",\"todo\":"));
		buf_json(b, str_of(k->found[i][0]->todo));
		buf_putc(b, '}');
		buf_free(&line);
	}
	buf_put(b, STR("]}\n"));
}

static int
begin(struct work *k, struct known *n, const struct explain_options *o,
    const char *what)
{
	if ((k->a = arena_new(4 * EXPLAIN_MAX)) == NULL)
		return err_set(k->e, ERR_OS, "not enough memory");
	if (read_dump(k, o, what) == -1 || know(k, n, o) == -1)
		return -1;
	k->x.sent = k->dump.sent;
	k->x.secrets = k->texts;
	k->x.clock = k->dump.at != 0 ? k->dump.at : when_now();
	if (o->at != NULL && cli_time(o->at, when_now(), &k->x.clock, k->e) == -1)
		return -1;
	k->was = arena_alloc(k->a, (k->p->nsignatures + 1) * sizeof(*k->was));
	for (unsigned i = 0; i < KINDS; i++) {
		k->all[i] = arena_alloc(k->a, VARIANTS_MAX * sizeof(**k->all));
		if (k->was == NULL || k->all[i] == NULL)
			return err_set(k->e, ERR_OS, "not enough memory");
	}
	if (k->p->nsignatures == 0)
		return err_set(k->e, ERR_DATA, "this provider's requests are not "
		    "proven by anything");
	memcpy(k->was, k->p->signatures, k->p->nsignatures * sizeof(*k->was));
	return o->keys != NULL ? take_keys(k, o->keys) : 0;
}

int
explain_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct explain_options o = { .config = NULL };
	struct work k = { .e = e };
	struct known n = { .bundle = NULL };
	struct verdict v = { .code = VERDICT_FORGED, .reason = "not judged" };
	struct buf b = BUF(CLI_OUT_MAX);
	int rc;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	if (argc != 1)
		return err_set(e, ERR_USAGE, "explain wants one request: a file, - for "
		    "standard input, or an id of the quarantine");
	rc = begin(&k, &n, &o, argv[0]);
	if (rc == 0) {
		explain(&k, n.all, &v);
		if (o.json)
			put_json(&b, &k, &v);
		else
			put_people(&b, &k, &v);
		rc = cli_print(&b, e);
	}
	if (rc == 0 && k.nfound == 0 && v.code != VERDICT_GENUINE)
		rc = err_set(e, ERR_DATA, "no explanation was found");
	buf_free(&b);
	provider_free(k.p);
	catalog_free(n.all);
	routes_free(n.routes);
	conf_free(n.conf);
	bundle_free(n.bundle);
	arena_wipe(k.a);
	return rc;
}
