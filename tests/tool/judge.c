/*
 * judge.c - requests in, verdicts out: what tests/sdk.sh asks.
 *
 * usage: judge [DIRECTORY]	of provider files that add to those that ship
 *
 * Each line of standard input is an object: {"provider": ID, "examples": [...]},
 * the examples as in a provider's file, and a "now" in ms that takes the place of
 * their "clock".  For each example a line goes out:
 * {"verdict": "genuine", "reason": "...", "id": "...", "type": "...", "status": N}
 * (status: of a handshake's answer, else 0).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/os.h"
#include "provider_trial.h"

#define ARENA	((size_t)64 << 20)

static struct provider *
provider_of(struct str id, const char *dir, struct err *e)
{
	char path[1024];
	struct provider *p;
	char *text;
	size_t n;

	if (dir == NULL)
		return provider_read(provider_text(id), id, "provider", e);
	snprintf(path, sizeof(path), "%s/%.*s.json", dir, STR_ARG(id));
	if ((text = os_read_file(path, 1 << 20, &n, e)) == NULL)
		return provider_read(provider_text(id), id, "provider", e);
	p = provider_read((struct str){ text, n }, id, path, e);
	free(text);
	return p;
}

static void
put_verdict(const struct trial *t)
{
	struct buf b = BUF(1 << 20);

	buf_put(&b, STR("{\"verdict\":"));
	buf_json(&b, t->answered ? STR("answer") :
	    str_of(verdict_name(t->verdict.code)));
	buf_put(&b, STR(",\"reason\":"));
	buf_json(&b, str_of(t->answered ? t->hs.reason : t->verdict.reason));
	buf_put(&b, STR(",\"id\":"));
	buf_json(&b, t->event.event_id);
	buf_put(&b, STR(",\"type\":"));
	buf_json(&b, t->event.event_type);
	buf_printf(&b, ",\"status\":%d}\n", t->answered ? t->hs.answer.status : 0);
	fwrite(b.p, 1, b.n, stdout);
	buf_free(&b);
}

static int
judge_line(struct str line, const char *dir, struct err *e)
{
	struct json_doc *doc = json_read(line, "stdin", e);
	struct arena *a = arena_new(ARENA);
	struct provider *p = NULL;
	const struct json_object *now;
	struct example *x;
	struct trial t;
	size_t n = 0, i = 0;
	int rc = -1;

	if (doc == NULL || a == NULL)
		goto out;
	p = provider_of(json_text(json_member(json_root(doc), "provider")), dir, e);
	if (p == NULL || provider_examples(line, "stdin", a, &x, &n, e) != 0)
		goto out;
	now = json_member(json_root(doc), "now");
	for (; i < n; i++) {
		if (now != NULL)
			x[i].clock = json_int(now);
		if (!trial_judge(p, &x[i], &(struct trial_change){ .clock = 0 }, a,
		    &t, e))
			goto out;
		put_verdict(&t);
	}
	rc = 0;
out:
	provider_free(p);
	json_close(doc);
	arena_free(a);
	return rc;
}

int
main(int argc, char **argv)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	struct err e;

	while ((n = getline(&line, &room, stdin)) > 0) {
		if (judge_line((struct str){ line, (size_t)n },
		    argc > 1 ? argv[1] : NULL, &e) != 0) {
			fprintf(stderr, "judge: %s\n", e.text);
			return 1;
		}
		fflush(stdout);
	}
	free(line);
	return 0;
}
