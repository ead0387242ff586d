/* test_stats.c - what is counted, crosses the wall, and is shown. */
#include "stats.h"
#include "test.h"
#include "wire.h"

static struct stats *
some(void)
{
	struct stats *s = stats_new(STATS_COURIER);
	struct str of[] = { STR("/hooks/github"), STR("200"), STR("genuine") };
	struct str reload[] = { STR("hooklatch.fcgi") };

	if (s == NULL)
		abort();
	stats_add(s, STATS_REQUESTS, of, 2);
	stats_add(s, STATS_REQUESTS, of, 1);
	of[1] = STR("401");
	of[2] = STR("forged");
	stats_add(s, STATS_REQUESTS, of, 1);
	of[0] = STR("/a");
	stats_add(s, STATS_REQUESTS, of, 7);
	of[1] = STR("no secret matched");
	stats_add(s, STATS_REFUSED, of, 8);
	stats_observe(s, STATS_BATCH_EVENTS, STATS_NO_LABELS, 1);
	stats_observe(s, STATS_BATCH_EVENTS, STATS_NO_LABELS, 3);
	stats_observe(s, STATS_BATCH_EVENTS, STATS_NO_LABELS, 5000);
	stats_observe(s, STATS_COMMIT_SECONDS, STATS_NO_LABELS, 250);
	stats_observe(s, STATS_COMMIT_SECONDS, STATS_NO_LABELS, 251);
	stats_observe(s, STATS_COMMIT_SECONDS, STATS_NO_LABELS, 1500000);
	stats_set(s, STATS_RELOAD, reload, 1);
	stats_set(s, STATS_RELOAD, reload, 0);
	stats_set(s, STATS_RELOAD_TIME, reload, 1700000000040);
	return s;
}

static const char *
text_of(const struct stats *s, struct buf *b)
{
	buf_reset(b);
	stats_text(s, b);
	buf_putc(b, '\0');
	return buf_ok(b) ? b->p : "";
}

static bool
holds(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static void
test_text(void)
{
	struct stats *s = some();
	struct buf b = BUF(STATS_TEXT_MAX);
	const char *t = text_of(s, &b);

	CHECK(holds(t, "# TYPE hooklatch_requests_total counter\n"
	    "hooklatch_requests_total{hook=\"/a\",status=\"401\",verdict=\"forged\"} 7\n"
	    "hooklatch_requests_total{hook=\"/hooks/github\",status=\"200\","
	    "verdict=\"genuine\"} 3\n"
	    "hooklatch_requests_total{hook=\"/hooks/github\",status=\"401\","
	    "verdict=\"forged\"} 1\n# HELP hooklatch_refused_total "),
	    "series stand together, in order, each once");
	CHECK(holds(t, "hooklatch_batch_events_bucket{le=\"1\"} 1\n"
	    "hooklatch_batch_events_bucket{le=\"2\"} 1\n"
	    "hooklatch_batch_events_bucket{le=\"4\"} 2\n") &&
	    holds(t, "hooklatch_batch_events_bucket{le=\"1024\"} 2\n"
	    "hooklatch_batch_events_bucket{le=\"+Inf\"} 3\n"
	    "hooklatch_batch_events_sum 5004\nhooklatch_batch_events_count 3\n"),
	    "buckets hold all that is below them");
	CHECK(holds(t, "hooklatch_commit_seconds_bucket{le=\"0.00025\"} 1\n"
	    "hooklatch_commit_seconds_bucket{le=\"0.0005\"} 2\n") &&
	    holds(t, "hooklatch_commit_seconds_bucket{le=\"10\"} 3\n") &&
	    holds(t, "hooklatch_commit_seconds_sum 1.500501\n"),
	    "times are in seconds");
	CHECK(holds(t, "hooklatch_reload_success{program=\"hooklatch.fcgi\"} 0\n") &&
	    holds(t, "_timestamp_seconds{program=\"hooklatch.fcgi\"} "
	    "1700000000.04\n"), "a gauge is what was said last");
	CHECK(!holds(t, "hooklatch_dead_letters"), "what was not counted is not shown");
	buf_free(&b);
	stats_free(s);
}

static void
test_labels(void)
{
	struct stats *s = stats_new(100, 10000);
	struct buf b = BUF(STATS_TEXT_MAX);
	char longest[STATS_LABEL_MAX + 1];
	struct str of[] = { STR("/a\"b\\c"), STR("file:/\xff\xc3\xa4") };
	struct str cut[] = { { longest, sizeof(longest) } };
	const char *t;

	memset(longest, 'x', sizeof(longest));
	stats_add(s, STATS_MATCHES, of, 1);
	stats_add(s, STATS_EVENTS, cut, 1);
	cut[0].n--;
	stats_add(s, STATS_EVENTS, cut, 1);
	t = text_of(s, &b);
	CHECK(holds(t, "{hook=\"/a\\\"b\\\\c\",secret=\"file:/\xef\xbf\xbd\xc3\xa4\"} 1\n"),
	    "a label's value is escaped, and is UTF-8");
	CHECK(stats_count(s) == 2 && holds(t, "xxx\"} 2\n"),
	    "what is longer than a label may be is cut");
	buf_free(&b);
	stats_free(s);
}

/* As a stranger who knew a hundred thousand hooks, or a worker that was taken over. */
static void
test_bounds(void)
{
	struct stats *s = stats_new(100, 1u << 20);
	struct buf b = BUF(STATS_TEXT_MAX);
	char hook[32];
	struct str of[] = { { hook, 0 }, STR("200"), STR("genuine") };
	size_t full;
	const char *t;

	for (int i = 0; i < 100000; i++) {
		of[0].n = (size_t)snprintf(hook, sizeof(hook), "/hooks/%d", i);
		stats_add(s, STATS_REQUESTS, of, 1);
	}
	t = text_of(s, &b);
	CHECK(stats_count(s) == 102, "no more series than there may be");
	CHECK(holds(t, "{hook=\"/hooks/99\",status=\"200\",verdict=\"genuine\"} 1\n"),
	    "the first that came are shown");
	CHECK(holds(t, "{hook=\"other\",status=\"200\",verdict=\"genuine\"} 99900\n"),
	    "the others together");
	CHECK(holds(t, "hooklatch_series_overflow_total 99900\n"), "and that is said");
	of[0] = STR("/hooks/5");
	stats_add(s, STATS_REQUESTS, of, 1);
	CHECK(holds(text_of(s, &b), "\"/hooks/5\",status=\"200\",verdict=\"genuine\"} 2"),
	    "who has a series keeps it");

	for (int i = 0; i < 100000; i++) {
		of[1].p = hook;
		of[1].n = (size_t)snprintf(hook, sizeof(hook), "reason %d", i);
		stats_add(s, STATS_REFUSED, of, 1);
	}
	full = stats_count(s);
	CHECK(full <= 100 + 256, "also when every label is another");
	stats_clear(s);
	CHECK(stats_empty(s), "cleared, it is empty");
	stats_add(s, STATS_EVENTS, (struct str[]){ STR("/a") }, 1);
	CHECK(stats_count(s) == 1, "and ready");
	stats_free(s);

	s = stats_new(5000, 1000);
	for (int i = 0; i < 5000; i++) {
		of[0].p = hook;
		of[0].n = (size_t)snprintf(hook, sizeof(hook), "/hooks/%d", i);
		stats_add(s, STATS_EVENTS, of, 1);
	}
	CHECK(stats_count(s) < 100 && holds(text_of(s, &b), "{hook=\"other\"}"),
	    "bytes of labels are bounded too");
	buf_free(&b);
	stats_free(s);
}

static void
test_wall(void)
{
	struct stats *s = some(), *sum = stats_new(STATS_COURIER);
	struct buf b = BUF(STATS_TEXT_MAX), one = BUF(STATS_TEXT_MAX), two =
	    BUF(STATS_TEXT_MAX);
	struct str of[] = { STR("/a"), STR("b\nc") };
	size_t at = 0, messages = 0;
	struct str all;

	while (stats_put(s, &b, &at, 64)) {
		CHECK(stats_get(sum, buf_str(&b), false) == 0, "a message is taken");
		buf_reset(&b);
		messages++;
	}
	CHECK(messages > 2, "what is long takes several messages");
	CHECK(strcmp(text_of(s, &one), text_of(sum, &two)) == 0,
	    "what has crossed is the same");
	at = 0;
	stats_put(s, &b, &at, STATS_TEXT_MAX);
	all = buf_str(&b);
	stats_get(sum, all, false);
	CHECK(holds(text_of(sum, &two), "{hook=\"/a\",status=\"401\",verdict=\"forged\"}"
	    " 14\n") && holds(two.p, "hooklatch_batch_events_count 6\n") &&
	    holds(two.p, "hooklatch_reload_success{program=\"hooklatch.fcgi\"} 0\n"),
	    "twice: counters and histograms are added, gauges set");

	CHECK(stats_get(sum, all, true) == -1,
	    "a worker may not count what is the courier's");
	for (size_t n = 1; n < all.n; n++) {
		struct stats *none = stats_new(STATS_COURIER);
		const char *p = test_flush(all.p, n);
		int rc = stats_get(none, (struct str){ p, n }, false);

		CHECKF(rc == -1 || stats_count(none) < stats_count(s),
		    "%zu bytes of it are not all of it", n);
		stats_free(none);
	}
	buf_reset(&b);
	put_u8(&b, STATS_COUNT);
	CHECK(stats_get(sum, buf_str(&b), false) == -1, "a family that is none");
	buf_reset(&b);
	put_u8(&b, STATS_MATCHES);
	put_str(&b, of[0]);
	put_str(&b, of[1]);
	put_u64(&b, 1);
	CHECK(stats_get(sum, buf_str(&b), true) == -1, "a label with a newline");
	buf_reset(&b);
	put_u8(&b, STATS_EVENTS);
	put_str(&b, STR_NONE);
	put_u64(&b, 1);
	CHECK(stats_get(sum, buf_str(&b), false) == -1, "a label that is not there");
	buf_free(&b);
	buf_free(&one);
	buf_free(&two);
	stats_free(s);
	stats_free(sum);
}

static void
test_shown(void)
{
	struct stats *s = some(), *none = stats_new(STATS_WORKER);
	struct buf b = BUF(STATS_TEXT_MAX);

	stats_json(s, &b);
	buf_putc(&b, '\0');
	CHECK(holds(b.p, "{\"hooklatch_requests_total\":[{\"hook\":\"/a\",\"status\":"
	    "\"401\",\"verdict\":\"forged\",\"value\":7},{\"hook\":\"/hooks/github\","),
	    "JSON: a name, and its series");
	CHECK(holds(b.p, "\"hooklatch_batch_events\":[{\"buckets\":{\"1\":1,\"2\":1,"
	    "\"4\":2,") && holds(b.p, "\"+Inf\":3},\"sum\":5004,\"count\":3}],"),
	    "JSON of a histogram");
	buf_reset(&b);
	stats_json(none, &b);
	CHECK(str_eq(buf_str(&b), STR("{}\n")), "JSON of nothing");
	buf_reset(&b);
	stats_table(s, &b);
	buf_putc(&b, '\0');
	CHECK(holds(b.p, "hooklatch_requests_total\n"
	    "  hook           status  verdict\n"
	    "  /a             401     forged   7\n"
	    "  /hooks/github  200     genuine  3\n"), "a table has columns");
	CHECK(holds(b.p, "hooklatch_batch_events\n  3, mean 1668, half <= 4, 99 of 100 "
	    "> 1024\n"), "a histogram is a line");
	buf_free(&b);
	stats_free(s);
	stats_free(none);
}

int
main(void)
{
	test_text();
	test_labels();
	test_bounds();
	test_wall();
	test_shown();
	TEST_END("stats");
}
