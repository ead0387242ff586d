/*
 * test_repeats.c - promise 4 for every provider that ships: what its genuine examples
 * become, put into an inbox, repeated, and repeated as a stranger could.
 */
#include <sys/stat.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../courier/inbox.h"
#include "../../provider_trial.h"
#include "test.h"

#define ARENA	((size_t)8 << 20)

static struct log quiet = { .fd = -1, .program = "test_repeats" };
static struct inbox *box;
static unsigned minted;

enum { NEW, REPEAT, REFUSED };

/* How it is taken: as a new event, with these flags; or as one that was there. */
static int
put(struct event *ev, unsigned *flags)
{
	struct inbox_answer a = { .refusal = 0 };
	struct err e;

	snprintf(ev->id, sizeof(ev->id), "01980000-0000-7000-8000-%012x", ++minted);
	*flags = 0;
	if (inbox_put(box, ev, ev->received_at, &a, &e) != INBOX_OK)
		return -1;
	*flags = a.stored.flags & (STORED_OTHER_BODY | STORED_OTHER_ID);
	return a.refusal != 0 ? REFUSED :
	    (a.stored.flags & STORED_REPEAT) != 0 ? REPEAT : NEW;
}

static void
check_put(const char *says, struct str name, struct event ev, int want,
    unsigned want_flags)
{
	unsigned flags;
	int is = put(&ev, &flags);

	CHECKF(is == want && (is != NEW || flags == want_flags),
	    "%.*s: %s: %d (flags %u)", STR_ARG(name), says, is, flags);
}

static void
check_event(struct str name, const struct event *ev)
{
	bool by_id = ev->event_id.n > 0;
	struct event other = *ev;

	check_put("an event is stored", name, *ev, NEW, 0);
	check_put("sent again", name, *ev, by_id || ev->merge > 0 ? REPEAT : NEW, 0);
	if (!by_id && ev->merge == 0)
		return;
	if (!by_id) {
		other.digest[0] ^= 1;
		other.body = STR("another");
		other.size = other.body.n;
		check_put("another body", name, other, NEW, 0);
		return;
	}
	/* The provider writes its retry anew: other bytes, the same id. */
	other.digest[0] ^= 1;
	check_put("its id with other signed bytes", name, other,
	    ev->proven ? REPEAT : NEW, ev->proven ? 0 : STORED_OTHER_BODY);
	/* A stranger changes an id that is not signed, or takes it away. */
	other = *ev;
	other.event_id = STR("a stranger's");
	if (ev->proven) {
		check_put("another id", name, other, NEW, 0);
		return;
	}
	check_put("its signed bytes with another id", name, other, NEW,
	    STORED_OTHER_ID);
	other.event_id = STR("another stranger's");
	other.refuse_replay = true;
	check_put("... refused where the hook says so", name, other, REFUSED, 0);
}

static void
check_provider(struct str id)
{
	struct arena *a = arena_new(ARENA), *one;
	struct provider *p = NULL;
	struct example *x;
	struct trial t;
	struct err e;
	size_t n = 0;
	char hook[128], name[256];

	if (a == NULL || (p = provider_read(provider_text(id), id, "its file",
	    &e)) == NULL ||
	    provider_examples(provider_text(id), "its file", a, &x, &n, &e) != 0) {
		CHECKF(false, "%.*s: is read", STR_ARG(id));
		goto out;
	}
	CHECKF(p->event.nids == 0 || p->event.says_proven, "%.*s: says whether its "
	    "id is proven", STR_ARG(id));
	for (size_t i = 0; i < n; i++) {
		if (x[i].expect != EXPECT_GENUINE || (one = arena_new(ARENA)) == NULL)
			continue;
		snprintf(hook, sizeof(hook), "/%.*s/%zu", STR_ARG(id), i);
		snprintf(name, sizeof(name), "%.*s: %.*s", STR_ARG(id),
		    STR_ARG(str_head(x[i].says, 120)));
		if (trial_judge(p, &x[i], &(struct trial_change){ .clock = 0 }, one,
		    &t, &e) && t.verdict.code == VERDICT_GENUINE && !t.answered) {
			t.event.hook = str_of(hook);
			t.event.provider = id;
			t.event.method = x[i].sent.method;
			t.event.received_at = x[i].clock;
			t.event.body = x[i].sent.body;
			t.event.body_fd = -1;
			t.event.size = t.event.body.n;
			check_event(str_of(name), &t.event);
		}
		arena_free(one);
	}
out:
	provider_free(p);
	arena_free(a);
}

/* A file that has an id and does not say so is refused by the same check. */
static void
check_unsaid(void)
{
	struct str text = STR("{\"name\":\"A\",\"docs\":\"x\",\"setup\":\"x\",\"signature\":"
	    "{\"header\":\"X\",\"algorithm\":\"hmac-sha256\"},\"event\":{\"id\":"
	    "\"body:id\"},\"examples\":[]}"), said = STR("{\"name\":\"A\",\"docs\":"
	    "\"x\",\"setup\":\"x\",\"signature\":{\"header\":\"X\",\"algorithm\":"
	    "\"hmac-sha256\"},\"event\":{\"id\":\"header:X-Id\",\"proven\":true},"
	    "\"examples\":[]}");
	struct err e;
	struct provider *p = provider_read(text, STR("a"), "a.json", &e);

	CHECK(p != NULL && !p->event.says_proven, "a file that does not say it is "
	    "known");
	provider_free(p);
	p = provider_read(said, STR("a"), "a.json", &e);
	CHECK(p == NULL, "one that says \"proven\" of what is not signed is refused");
	provider_free(p);
}

int
main(void)
{
	static const struct inbox_limits roomy = { .bytes = 1ull << 40,
	    .keep = 86400000, .remember = 7 * 86400000ll };
	char place[] = "/var/tmp/test_repeats.XXXXXX", path[128], command[160];
	struct err e = { .text = "" };

	CHECK(mkdtemp(place) != NULL, "there is a place");
	snprintf(path, sizeof(path), "%s/inbox.db", place);
	box = inbox_new(path, &roomy, &quiet);
	CHECKF(box != NULL && inbox_settle(box, &e) == INBOX_OK, "an inbox opens: %s",
	    e.text);
	for (size_t i = 0; i < provider_text_count(); i++) {
		CHECK(inbox_begin(box, &e) == INBOX_OK, "a batch begins");
		check_provider(provider_text_id(i));
		CHECKF(inbox_commit(box, &e) == INBOX_OK, "... and commits: %s",
		    e.text);
	}
	check_unsaid();
	inbox_free(box);
	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	CHECK(system(command) == 0, "it is tidied up");
	TEST_END("repeats");
}
