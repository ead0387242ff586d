/*
 * test_providers.c - every example of every provider's file, and what is made of
 * each genuine one: see provider_trial.h.
 */
#include "base/os.h"
#include "provider_trial.h"
#include "test.h"

static void
print(void *arg, const char *sentence)
{
	(void)arg;
	printf("not kept: %s\n", sentence);
}

static void
check_provider(struct str id, struct str text, const char *name)
{
	struct trial_count count = { .says = print };

	trial_file(id, text, name, &count);
	test_passed += count.kept;
	test_failed += count.broken;
}

/* "providers/acme.json": a file that is being written. */
static void
check_file(const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct str id = str_of(name);
	struct err e;
	size_t n;
	char *text = os_read_file(path, 1 << 20, &n, &e);

	CHECKF(text != NULL, "%s: is read", path);
	if (text == NULL)
		return;
	if (str_ends(id, STR(".json")))
		id.n -= 5;
	check_provider(id, (struct str){ text, n }, path);
	free(text);
}

/* With arguments only those files, from the disk. */
int
main(int argc, char **argv)
{
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			check_file(argv[i]);
		TEST_END("providers");
	}
	CHECK(provider_text_count() >= 200, "there are 200 providers");
	for (size_t i = 0; i < provider_text_count(); i++) {
		struct str id = provider_text_id(i);
		char name[100];

		if (i > 0)
			CHECKF(str_cmp(provider_text_id(i - 1), id) < 0,
			    "%.*s: the table is sorted", STR_ARG(id));
		CHECKF(provider_text(id).p != NULL, "%.*s: is found",
		    STR_ARG(id));
		snprintf(name, sizeof(name), "providers/%.*s.json", STR_ARG(id));
		check_provider(id, provider_text(id), name);
	}
	CHECK(provider_text(STR("no-such")).p == NULL, "what is not there is not found");
	TEST_END("providers");
}
