/*
 * counted.c - see counted.h.
 */
#include <stdlib.h>

#include "counted.h"

struct counted {
	struct stats	*stats;
	int64_t		 tell_at;	/* steady ms: not before */
	unsigned	 told;		/* link_serial() on which we said who we are; 0 */
	bool		 reloads;	/* there is a master, who tells of them */
	bool		 reload_ok;
	int64_t		 reloaded_at;	/* ms since 1970 */
};

struct counted *
counted_new(void)
{
	struct counted *t = calloc(1, sizeof(*t));

	if (t != NULL && (t->stats = stats_new(STATS_WORKER)) == NULL) {
		free(t);
		t = NULL;
	}
	return t;
}

void
counted_free(struct counted *t)
{
	if (t == NULL)
		return;
	stats_free(t->stats);
	free(t);
}

/* --- counting ------------------------------------------------------------------ */

void
counted_request(struct counted *t, struct str hook, int status, struct str verdict,
    int64_t us)
{
	char digits[3];
	const struct str of[] = { hook, { digits, sizeof(digits) }, verdict };

	for (int i = 2; i >= 0; i--, status /= 10)
		digits[i] = (char)('0' + status % 10);
	stats_add(t->stats, STATS_REQUESTS, of, 1);
	stats_observe(t->stats, STATS_REQUEST_SECONDS, STATS_NO_LABELS, (uint64_t)us);
}

void
counted_refused(struct counted *t, struct str hook, struct str reason)
{
	const struct str of[] = { hook, reason };

	stats_add(t->stats, STATS_REFUSED, of, 1);
}

void
counted_match(struct counted *t, struct str hook, struct str secret)
{
	const struct str of[] = { hook, secret };

	stats_add(t->stats, STATS_MATCHES, of, 1);
}

void
counted_reloaded(struct counted *t, bool ok, int64_t at)
{
	t->reloads = true;
	t->reload_ok = ok;
	t->reloaded_at = at;
	t->told = 0;
}

void
counted_lost(struct counted *t)
{
	t->told = 0;
}

/* --- telling --------------------------------------------------------------------- */

/* Who we are, and how the last reload went: gauges, so once is enough. */
static void
put_self(struct counted *t, unsigned serial)
{
	const struct str self[] = { STR("hooklatch.fcgi"), STR(VERSION) };

	if (t->told == serial)
		return;
	t->told = serial;
	stats_set(t->stats, STATS_BUILD, self, 1);
	if (!t->reloads)
		return;
	stats_set(t->stats, STATS_RELOAD, self, t->reload_ok);
	stats_set(t->stats, STATS_RELOAD_TIME, self, (uint64_t)t->reloaded_at);
}

void
counted_tell(struct counted *t, struct link *l)
{
	struct buf b = BUF(STATS_MESSAGE + 4096);
	unsigned told = 0;
	bool fine = true;
	size_t at = 0;

	put_self(t, link_serial(l));
	while (fine && stats_put(t->stats, &b, &at, STATS_MESSAGE)) {
		fine = buf_ok(&b) && link_counters(l, 0, false, buf_str(&b)) == 0;
		told += fine;
		buf_reset(&b);
	}
	/* What stood in the second message may be lost so; nothing is told twice. */
	if (fine || told > 0)
		stats_clear(t->stats);
	buf_free(&b);
}

static bool
nothing_new(const struct counted *t, const struct link *l)
{
	return stats_empty(t->stats) && t->told != 0 && t->told == link_serial(l);
}

bool
counted_tick(struct counted *t, struct link *l, int64_t now, int64_t *next)
{
	/* A courier that does not read is not sent more and more. */
	bool half = stats_half(t->stats), may = half || !link_waiting(l);
	bool told = false;

	*next = INT64_MAX;
	if (nothing_new(t, l))
		return false;
	if (now >= t->tell_at || half) {
		t->tell_at = now + COUNTED_MS;
		if (link_up(l, now) && may) {
			counted_tell(t, l);
			told = true;
		}
	}
	if (!nothing_new(t, l))
		*next = t->tell_at;
	return told;
}
