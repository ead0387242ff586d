/*
 * stats.c - the table of all families, and series that are counted.  See stats.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "stats.h"
#include "wire.h"

/* --- the table ---------------------------------------------------------------- */

enum kind { COUNTER, GAUGE, HISTOGRAM };
static const char *const kind_names[] = { "counter", "gauge", "histogram" };

/* Who counts it: a worker may say nothing of what is the courier's. */
enum by { BY_WORKERS = 1, BY_COURIER, BY_BOTH };
static const char *const by_names[] = { "", "workers", "courier", "both" };

#define BOUNDS_MAX	16

struct family {
	const char	*name;
	enum kind	 kind;
	const char	*labels[STATS_LABELS];
	uint64_t	 unit;		/* what is counted is divided by it: us -> s */
	const uint64_t	*bounds;	/* of a histogram: upwards, 0 at the end */
	enum by		 by;
	const char	*means;
};

static const uint64_t us_request[] = { 100, 250, 500, 1000, 2500, 5000, 10000, 25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 10000000, 0 };
static const uint64_t us_commit[] = { 250, 500, 1000, 2500, 5000, 10000, 25000, 50000,
    100000, 250000, 500000, 1000000, 2500000, 10000000, 0 };
static const uint64_t ms_attempt[] = { 10, 25, 50, 100, 250, 500, 1000, 2500, 5000,
    10000, 30000, 60000, 300000, 0 };
static const uint64_t n_batch[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 0 };

static const struct family families[STATS_COUNT] = {
	[STATS_REQUESTS] = { "hooklatch_requests_total", COUNTER,
	    { "hook", "status", "verdict" }, 1, NULL, BY_WORKERS,
	    "Requests that were answered. The hook \"none\": there was no such hook; the "
	    "verdict \"none\": it did not come to one." },
	[STATS_REFUSED] = { "hooklatch_refused_total", COUNTER,
	    { "hook", "reason" }, 1, NULL, BY_WORKERS,
	    "Requests that were refused, by the reason that their line in the log has." },
	[STATS_MATCHES] = { "hooklatch_secret_matches_total", COUNTER,
	    { "hook", "secret" }, 1, NULL, BY_WORKERS,
	    "Requests that were proven, by the name of the secret that matched: when an "
	    "old one has no more, it can go." },
	[STATS_REQUEST_SECONDS] = { "hooklatch_request_seconds", HISTOGRAM,
	    { NULL }, 1000000, us_request, BY_WORKERS,
	    "From a whole request to its answer, the commit included." },
	[STATS_EVENTS] = { "hooklatch_events_total", COUNTER,
	    { "hook" }, 1, NULL, BY_COURIER,
	    "New events that were committed." },
	[STATS_REPEATS] = { "hooklatch_repeats_total", COUNTER,
	    { "hook" }, 1, NULL, BY_COURIER,
	    "Repeats: events that the inbox had already." },
	[STATS_MARKED] = { "hooklatch_events_marked_total", COUNTER,
	    { "hook", "mark" }, 1, NULL, BY_COURIER,
	    "New events whose id came before with other bytes (\"other-body\"), or whose "
	    "signed bytes came before under another id (\"other-id\")." },
	[STATS_COMMIT_SECONDS] = { "hooklatch_commit_seconds", HISTOGRAM,
	    { NULL }, 1000000, us_commit, BY_COURIER,
	    "From the begin of a batch to the end of its sync." },
	[STATS_BATCH_EVENTS] = { "hooklatch_batch_events", HISTOGRAM,
	    { NULL }, 1, n_batch, BY_COURIER,
	    "Events in one commit." },
	[STATS_QUEUE] = { "hooklatch_queue_events", GAUGE,
	    { NULL }, 1, NULL, BY_COURIER,
	    "Events that wait to be committed." },
	[STATS_QUEUE_OLDEST] = { "hooklatch_queue_oldest_seconds", GAUGE,
	    { NULL }, 1000, NULL, BY_COURIER,
	    "How long the oldest of them has waited." },
	[STATS_INBOX_READY] = { "hooklatch_inbox_ready", GAUGE,
	    { NULL }, 1, NULL, BY_COURIER,
	    "1: an event could be taken now." },
	[STATS_INBOX_ROOM] = { "hooklatch_inbox_room_bytes", GAUGE,
	    { NULL }, 1, NULL, BY_COURIER,
	    "Bytes below \"inbox_bytes\"." },
	[STATS_ATTEMPTS] = { "hooklatch_attempts_total", COUNTER,
	    { "destination", "result" }, 1, NULL, BY_COURIER,
	    "Attempts to deliver: \"done\", \"later\" (to be tried again) or \"dead\"." },
	[STATS_ATTEMPT_SECONDS] = { "hooklatch_attempt_seconds", HISTOGRAM,
	    { "destination" }, 1000, ms_attempt, BY_COURIER,
	    "How long an attempt took." },
	[STATS_DELIVERIES] = { "hooklatch_deliveries_total", COUNTER,
	    { "destination", "result" }, 1, NULL, BY_COURIER,
	    "Deliveries that have ended: \"done\" or \"dead\"." },
	[STATS_WAITING] = { "hooklatch_deliveries_waiting", GAUGE,
	    { "destination" }, 1, NULL, BY_COURIER,
	    "Deliveries that wait for their turn, at most 100,000 counted; looked at every "
	    "5 s. Those behind another of their key are not among them." },
	[STATS_WAITING_OLDEST] = { "hooklatch_deliveries_oldest_seconds", GAUGE,
	    { "destination" }, 1000, NULL, BY_COURIER,
	    "How long the oldest of them has waited since its commit, or its replay." },
	[STATS_DEAD] = { "hooklatch_dead_letters", GAUGE,
	    { "destination" }, 1, NULL, BY_COURIER,
	    "Deliveries that were given up and are kept." },
	[STATS_WORKERS] = { "hooklatch_workers", GAUGE,
	    { NULL }, 1, NULL, BY_COURIER,
	    "Workers that are connected to the courier, the one for long bodies among them." },
	[STATS_RELOAD] = { "hooklatch_reload_success", GAUGE,
	    { "program" }, 1, NULL, BY_BOTH,
	    "1: the configuration was good when it was last read; 0: it was refused, and "
	    "the old one stays." },
	[STATS_RELOAD_TIME] = { "hooklatch_reload_success_timestamp_seconds", GAUGE,
	    { "program" }, 1000, NULL, BY_BOTH,
	    "When a configuration was last taken." },
	[STATS_BUILD] = { "hooklatch_build_info", GAUGE,
	    { "program", "version" }, 1, NULL, BY_BOTH,
	    "1, for each program that has told its version." },
	[STATS_START] = { "hooklatch_start_time_seconds", GAUGE,
	    { NULL }, 1000, NULL, BY_COURIER,
	    "When the courier was started: all counters began at 0 then." },
	[STATS_OVERFLOW] = { "hooklatch_series_overflow_total", COUNTER,
	    { NULL }, 1, NULL, BY_BOTH,
	    "What was counted under the hook \"other\", as there are too many series "
	    "already." },
};

static size_t
nlabels(const struct family *f)
{
	size_t n = 0;

	while (n < STATS_LABELS && f->labels[n] != NULL)
		n++;
	return n;
}

static size_t
nbounds(const struct family *f)
{
	size_t n = 0;

	while (f->bounds != NULL && f->bounds[n] != 0)
		n++;
	return n;
}

/* --- series ------------------------------------------------------------------- */

/* Open addressing, linear; a key is the id and the labels, each behind its length. */
#define KEY_MAX		(1 + STATS_LABELS * (2 + STATS_LABEL_MAX))
#define RESERVE		256	/* more, for what has no hook, or the hook "other" */
#define RESERVE_BYTES	(32u * 1024)

struct counts {
	uint64_t	in[BOUNDS_MAX];	/* not cumulative; the last: above all bounds */
	uint64_t	sum;
};

struct series {
	uint32_t	 hash;
	uint32_t	 at;		/* its key, in .keys */
	uint32_t	 n;		/* 0: the place is free */
	uint64_t	 value;
	struct counts	*counts;	/* of a histogram */
};

struct stats {
	struct series	*places;
	size_t		 mask;		/* their number, less one */
	size_t		 n, most;
	char		*keys;
	size_t		 nkeys, bytes;
};

struct stats *
stats_new(size_t most, size_t bytes)
{
	struct stats *s = calloc(1, sizeof(*s));
	size_t places = 64;

	if (s == NULL)
		return NULL;
	s->most = most;
	s->bytes = bytes;
	while (places * 3 / 4 < most + RESERVE)
		places *= 2;
	s->mask = places - 1;
	s->places = calloc(places, sizeof(s->places[0]));
	s->keys = malloc(bytes + RESERVE_BYTES);
	if (s->places == NULL || s->keys == NULL) {
		stats_free(s);
		return NULL;
	}
	return s;
}

void
stats_clear(struct stats *s)
{
	for (size_t i = 0; s->n > 0 && i <= s->mask; i++) {
		if (s->places[i].n == 0)
			continue;
		free(s->places[i].counts);
		s->places[i] = (struct series){ .n = 0 };
		s->n--;
	}
	s->nkeys = 0;
}

void
stats_free(struct stats *s)
{
	if (s == NULL)
		return;
	if (s->places != NULL)
		stats_clear(s);
	free(s->places);
	free(s->keys);
	free(s);
}

bool
stats_empty(const struct stats *s)
{
	return s->n == 0;
}

bool
stats_half(const struct stats *s)
{
	return s->n >= s->most / 2 || s->nkeys >= s->bytes / 2;
}

size_t
stats_count(const struct stats *s)
{
	return s->n;
}

static size_t
key_make(char key[KEY_MAX], enum stats_id id, const struct str *labels)
{
	size_t n = 0, count = nlabels(&families[id]);

	key[n++] = (char)id;
	for (size_t i = 0; i < count; i++) {
		struct str v = str_head(labels[i], STATS_LABEL_MAX);

		key[n++] = (char)(v.n >> 8);
		key[n++] = (char)(v.n & 0xff);
		if (v.n > 0)
			memcpy(key + n, v.p, v.n);
		n += v.n;
	}
	return n;
}

/* FNV-1a: what is hashed are words of ours and of the configuration. */
static uint32_t
hash_of(const char *p, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619u;
	return h;
}

/* That of the key; made where there is room, of the reserve too. */
static struct series *
series_at(struct stats *s, const char *key, size_t n, bool reserve)
{
	uint32_t hash = hash_of(key, n);
	size_t i = hash & s->mask;
	struct series *p;

	for (p = &s->places[i]; p->n != 0; p = &s->places[i]) {
		if (p->hash == hash && p->n == n &&
		    memcmp(s->keys + p->at, key, n) == 0)
			return p;
		i = (i + 1) & s->mask;
	}
	if (s->n >= s->most + (reserve ? RESERVE : 0) ||
	    s->nkeys + n > s->bytes + (reserve ? RESERVE_BYTES : 0))
		return NULL;
	if (families[(unsigned char)key[0]].kind == HISTOGRAM &&
	    (p->counts = calloc(1, sizeof(*p->counts))) == NULL)
		return NULL;
	memcpy(s->keys + s->nkeys, key, n);
	p->hash = hash;
	p->at = (uint32_t)s->nkeys;
	p->n = (uint32_t)n;
	s->nkeys += n;
	s->n++;
	return p;
}

static bool
has_hook(enum stats_id id)
{
	return families[id].labels[0] != NULL &&
	    strcmp(families[id].labels[0], "hook") == 0;
}

/* NULL: not even the reserve has room.  *other: it is not the series asked for. */
static struct series *
series_of(struct stats *s, enum stats_id id, const struct str *labels, bool *other)
{
	struct str instead[STATS_LABELS];
	char key[KEY_MAX];
	size_t n = key_make(key, id, labels), count = nlabels(&families[id]);
	struct series *p;

	*other = false;
	p = series_at(s, key, n, !has_hook(id));
	if (p != NULL || !has_hook(id))
		return p;
	*other = true;
	memcpy(instead, labels, count * sizeof(labels[0]));
	instead[0] = STR(STATS_OTHER);
	if (id == STATS_MATCHES)	/* as many as there are hooks, too */
		instead[1] = STR(STATS_OTHER);
	n = key_make(key, id, instead);
	return series_at(s, key, n, true);
}

void
stats_add(struct stats *s, enum stats_id id, const struct str *labels, uint64_t n)
{
	bool other;
	struct series *p = series_of(s, id, labels, &other);

	if (p != NULL)
		p->value += n;
	if (other)
		stats_add(s, STATS_OVERFLOW, STATS_NO_LABELS, n);
}

void
stats_set(struct stats *s, enum stats_id id, const struct str *labels, uint64_t v)
{
	bool other;
	struct series *p = series_of(s, id, labels, &other);

	if (p != NULL)
		p->value = v;
}

void
stats_observe(struct stats *s, enum stats_id id, const struct str *labels, uint64_t v)
{
	bool other;
	struct series *p = series_of(s, id, labels, &other);
	const uint64_t *bounds = families[id].bounds;
	size_t i = 0;

	if (p == NULL)
		return;
	while (bounds[i] != 0 && v > bounds[i])
		i++;
	p->counts->in[i]++;
	p->counts->sum += v;
}

static enum stats_id
id_of(const struct stats *s, const struct series *p)
{
	return (enum stats_id)(unsigned char)s->keys[p->at];
}

static void
labels_of(const struct stats *s, const struct series *p, struct str *labels)
{
	const char *key = s->keys + p->at + 1;
	size_t count = nlabels(&families[id_of(s, p)]);

	for (size_t i = 0; i < count; i++) {
		labels[i].n = (size_t)(unsigned char)key[0] << 8 |
		    (unsigned char)key[1];
		labels[i].p = key + 2;
		key += 2 + labels[i].n;
	}
}

/* --- across the wall ------------------------------------------------------------ */

bool
stats_put(const struct stats *s, struct buf *b, size_t *at, size_t most)
{
	bool some = false;

	for (; *at <= s->mask && b->n < most; (*at)++) {
		const struct series *p = &s->places[*at];
		struct str labels[STATS_LABELS];
		enum stats_id id;

		if (p->n == 0)
			continue;
		some = true;
		id = id_of(s, p);
		labels_of(s, p, labels);
		put_u8(b, id);
		for (size_t i = 0; i < nlabels(&families[id]); i++)
			put_str(b, labels[i]);
		if (p->counts == NULL) {
			put_u64(b, p->value);
			continue;
		}
		for (size_t i = 0; i <= nbounds(&families[id]); i++)
			put_u64(b, p->counts->in[i]);
		put_u64(b, p->counts->sum);
	}
	return some;
}

/* Nothing that would steer a terminal, or break a line. */
static bool
is_label(struct str v)
{
	if (v.n > STATS_LABEL_MAX)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
			return false;
	return v.p != NULL;
}

int
stats_get(struct stats *s, struct str series, bool worker)
{
	struct get g = GET(series);

	while (!g.bad && g.rest.n > 0) {
		struct str labels[STATS_LABELS];
		struct counts counts = { .sum = 0 };
		unsigned id = get_u8(&g);
		const struct family *f;
		struct series *p;
		uint64_t value;
		bool other;

		if (id >= STATS_COUNT || (worker && (families[id].by & BY_WORKERS) == 0))
			return -1;
		f = &families[id];
		for (size_t i = 0; i < nlabels(f); i++) {
			labels[i] = get_str(&g);
			if (!is_label(labels[i]))
				return -1;
		}
		if (f->kind != HISTOGRAM) {
			value = get_u64(&g);
			if (g.bad)
				return -1;
			if (f->kind == COUNTER)
				stats_add(s, id, labels, value);
			else
				stats_set(s, id, labels, value);
			continue;
		}
		for (size_t i = 0; i <= nbounds(f); i++)
			counts.in[i] = get_u64(&g);
		counts.sum = get_u64(&g);
		if (g.bad)
			return -1;
		if ((p = series_of(s, id, labels, &other)) == NULL)
			continue;
		for (size_t i = 0; i <= nbounds(f); i++)
			p->counts->in[i] += counts.in[i];
		p->counts->sum += counts.sum;
	}
	return g.bad ? -1 : 0;
}

/* --- shown ------------------------------------------------------------------------ */

static int
in_order(const void *a, const void *b, void *arg)
{
	const struct series *x = *(const struct series *const *)a;
	const struct series *y = *(const struct series *const *)b;
	const struct stats *s = arg;
	struct str xs[STATS_LABELS], ys[STATS_LABELS];
	enum stats_id id = id_of(s, x);
	int c = (int)id - (int)id_of(s, y);

	labels_of(s, x, xs);
	labels_of(s, y, ys);
	for (size_t i = 0; c == 0 && i < nlabels(&families[id]); i++)
		c = str_cmp(xs[i], ys[i]);
	return c;
}

/* Those that there are, in the order they are shown in; freed by the caller. */
static const struct series **
sorted(const struct stats *s, struct buf *b)
{
	const struct series **list = calloc(s->n + 1, sizeof(*list));
	size_t n = 0;

	if (list == NULL) {
		b->bad = true;
		return NULL;
	}
	for (size_t i = 0; i <= s->mask; i++)
		if (s->places[i].n != 0)
			list[n++] = &s->places[i];
	qsort_r(list, n, sizeof(*list), in_order, (void *)(uintptr_t)s);
	return list;
}

/* v by its unit, with the decimals that it has. */
static void
put_value(struct buf *b, const struct family *f, uint64_t v)
{
	uint64_t part = v % f->unit;
	int digits = f->unit == 1000 ? 3 : 6;

	buf_printf(b, "%llu", (unsigned long long)(v / f->unit));
	if (part == 0)
		return;
	for (; part % 10 == 0; part /= 10)
		digits--;
	buf_printf(b, ".%0*llu", digits, (unsigned long long)part);
}

/*
 * A label's value: backslash, quote and newline are escaped, and the text is UTF-8
 * (prometheus.io/docs/instrumenting/exposition_formats).
 */
static void
put_label(struct buf *b, struct str v)
{
	buf_putc(b, '"');
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		size_t n = 1;

		if (c == '\\' || c == '"')
			buf_putc(b, '\\');
		if (c == '\n') {
			buf_put(b, STR("\\n"));
		} else if (c < 0x80) {
			buf_putc(b, (char)c);
		} else if ((n = utf8_length((const unsigned char *)v.p + i,
		    v.n - i)) > 0) {
			buf_put(b, (struct str){ v.p + i, n });
			i += n - 1;
		} else {
			buf_put(b, STR("\xef\xbf\xbd"));
		}
	}
	buf_putc(b, '"');
}

/* name{labels[,le="bound"]}; bound .p NULL: without it. */
static void
put_name(struct buf *b, const struct family *f, const char *suffix,
    const struct str *labels, struct str bound)
{
	size_t n = nlabels(f);

	buf_printf(b, "%s%s", f->name, suffix);
	if (n == 0 && bound.p == NULL) {
		buf_putc(b, ' ');
		return;
	}
	buf_putc(b, '{');
	for (size_t i = 0; i < n; i++) {
		buf_printf(b, "%s%s=", i > 0 ? "," : "", f->labels[i]);
		put_label(b, labels[i]);
	}
	if (bound.p != NULL)
		buf_printf(b, "%sle=\"%.*s\"", n > 0 ? "," : "", STR_ARG(bound));
	buf_put(b, STR("} "));
}

/* The bound of the i-th bucket as text; "+Inf" for the last. */
static struct str
bound_text(struct buf *room, const struct family *f, size_t i)
{
	buf_reset(room);
	if (f->bounds[i] == 0)
		buf_put(room, STR("+Inf"));
	else
		put_value(room, f, f->bounds[i]);
	return buf_str(room);
}

static void
text_histogram(struct buf *b, const struct family *f, const struct str *labels,
    const struct counts *c)
{
	struct buf room = BUF(64);
	uint64_t sum = 0;

	for (size_t i = 0; i <= nbounds(f); i++) {
		sum += c->in[i];
		put_name(b, f, "_bucket", labels, bound_text(&room, f, i));
		buf_printf(b, "%llu\n", (unsigned long long)sum);
	}
	put_name(b, f, "_sum", labels, STR_NONE);
	put_value(b, f, c->sum);
	buf_putc(b, '\n');
	put_name(b, f, "_count", labels, STR_NONE);
	buf_printf(b, "%llu\n", (unsigned long long)sum);
	buf_free(&room);
}

void
stats_text(const struct stats *s, struct buf *b)
{
	const struct series **list = sorted(s, b);
	const struct family *f, *before = NULL;

	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		struct str labels[STATS_LABELS];

		f = &families[id_of(s, list[i])];
		labels_of(s, list[i], labels);
		if (f != before) {
			buf_printf(b, "# HELP %s ", f->name);
			buf_put(b, str_of(f->means));
			buf_printf(b, "\n# TYPE %s %s\n", f->name,
			    kind_names[f->kind]);
		}
		before = f;
		if (f->kind == HISTOGRAM) {
			text_histogram(b, f, labels, list[i]->counts);
			continue;
		}
		put_name(b, f, "", labels, STR_NONE);
		put_value(b, f, list[i]->value);
		buf_putc(b, '\n');
	}
	free(list);
}

static void
json_histogram(struct buf *b, const struct family *f, const struct counts *c)
{
	struct buf room = BUF(64);
	uint64_t sum = 0;

	buf_put(b, STR("\"buckets\":{"));
	for (size_t i = 0; i <= nbounds(f); i++) {
		struct str bound = bound_text(&room, f, i);

		sum += c->in[i];
		buf_printf(b, "%s\"%.*s\":%llu", i > 0 ? "," : "", STR_ARG(bound),
		    (unsigned long long)sum);
	}
	buf_put(b, STR("},\"sum\":"));
	put_value(b, f, c->sum);
	buf_printf(b, ",\"count\":%llu", (unsigned long long)sum);
	buf_free(&room);
}

void
stats_json(const struct stats *s, struct buf *b)
{
	const struct series **list = sorted(s, b);
	const struct family *f, *before = NULL;

	buf_putc(b, '{');
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		struct str labels[STATS_LABELS];

		f = &families[id_of(s, list[i])];
		labels_of(s, list[i], labels);
		if (f != before)
			buf_printf(b, "%s\"%s\":[", before != NULL ? "]," : "",
			    f->name);
		buf_put(b, f == before ? STR(",{") : STR("{"));
		before = f;
		for (size_t j = 0; j < nlabels(f); j++) {
			buf_printf(b, "\"%s\":", f->labels[j]);
			buf_json(b, labels[j]);
			buf_putc(b, ',');
		}
		if (f->kind == HISTOGRAM) {
			json_histogram(b, f, list[i]->counts);
		} else {
			buf_put(b, STR("\"value\":"));
			put_value(b, f, list[i]->value);
		}
		buf_putc(b, '}');
	}
	buf_put(b, before != NULL ? STR("]}\n") : STR("}\n"));
	free(list);
}

/* The bound that so many of a hundred were not above; the last: above all. */
static void
put_quantile(struct buf *b, const struct family *f, const struct counts *c,
    uint64_t count, unsigned of_hundred)
{
	size_t last = nbounds(f), i = 0;
	uint64_t sum = c->in[0];

	while (i < last && sum * 100 < count * of_hundred)
		sum += c->in[++i];
	if (i == last) {
		buf_put(b, STR("> "));
		i--;
	} else {
		buf_put(b, STR("<= "));
	}
	put_value(b, f, f->bounds[i]);
}

static void
table_value(struct buf *b, const struct family *f, const struct series *p)
{
	uint64_t count = 0;

	if (f->kind != HISTOGRAM) {
		put_value(b, f, p->value);
		return;
	}
	for (size_t i = 0; i <= nbounds(f); i++)
		count += p->counts->in[i];
	buf_printf(b, "%llu", (unsigned long long)count);
	if (count == 0)
		return;
	buf_put(b, STR(", mean "));
	put_value(b, f, p->counts->sum / count);
	buf_put(b, STR(", half "));
	put_quantile(b, f, p->counts, count, 50);
	buf_put(b, STR(", 99 of 100 "));
	put_quantile(b, f, p->counts, count, 99);
}

void
stats_table(const struct stats *s, struct buf *b)
{
	const struct series **list = sorted(s, b);
	const struct family *f, *before = NULL;
	size_t wide[STATS_LABELS] = { 0 };

	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		struct str labels[STATS_LABELS];
		size_t n;

		f = &families[id_of(s, list[i])];
		n = nlabels(f);
		if (f != before) {
			buf_printf(b, "%s%s\n", before != NULL ? "\n" : "", f->name);
			for (size_t j = 0; j < n; j++)
				wide[j] = strlen(f->labels[j]);
			for (size_t k = i; list[k] != NULL &&
			    &families[id_of(s, list[k])] == f; k++) {
				labels_of(s, list[k], labels);
				for (size_t j = 0; j < n; j++)
					if (wide[j] < labels[j].n)
						wide[j] = labels[j].n;
			}
			for (size_t j = 0; j < n; j++)
				buf_printf(b, "  %-*s%s", (int)wide[j], f->labels[j],
				    j + 1 == n ? "\n" : "");
		}
		before = f;
		labels_of(s, list[i], labels);
		for (size_t j = 0; j < n; j++)
			buf_printf(b, "  %-*.*s", (int)wide[j], STR_ARG(labels[j]));
		buf_put(b, STR("  "));
		table_value(b, f, list[i]);
		buf_putc(b, '\n');
	}
	free(list);
}

/* "done" -> `done`, for a page in Markdown. */
static void
put_markdown(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++)
		buf_putc(b, *text == '"' ? '`' : *text);
}

void
stats_manual(struct buf *b)
{
	struct buf room = BUF(64);

	buf_put(b, STR("| name | kind | labels | counted by | what |\n"
	    "|---|---|---|---|---|\n"));
	for (size_t id = 0; id < STATS_COUNT; id++) {
		const struct family *f = &families[id];

		buf_printf(b, "| `%s` | %s | ", f->name, kind_names[f->kind]);
		for (size_t i = 0; i < nlabels(f); i++)
			buf_printf(b, "%s`%s`", i > 0 ? ", " : "", f->labels[i]);
		buf_printf(b, " | %s | ", by_names[f->by]);
		put_markdown(b, f->means);
		for (size_t i = 0; i < nbounds(f); i++) {
			struct str bound = bound_text(&room, f, i);

			buf_printf(b, "%s%.*s", i == 0 ? " Bounds: " : ", ",
			    STR_ARG(bound));
		}
		buf_put(b, f->bounds != NULL ? STR(". |\n") : STR(" |\n"));
	}
	buf_free(&room);
}
