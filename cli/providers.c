/*
 * providers.c - what is known of each provider, and whether a file of one's own is
 * right.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli/catalog.h"
#include "cli/cli.h"
#include "cli/describe.h"
#include "provider_trial.h"

#define FILE_MAX	((size_t)1 << 20)
#define MATCH_MAX	((size_t)1 << 20)

struct providers_options {
	const char	*config;
	const char	*dir;
	struct words	 match;
	bool		 json;
	bool		 markdown;
	bool		 schema;
	bool		 test;
};

#define AT(field)	offsetof(struct providers_options, field)
const struct option_row providers_options[] = {
	{ "config", 'c', "FILE", AT(config),
	    "also those of the directory that this configuration names" },
	{ "dir", 'd', "DIR", AT(dir), "also those of a directory" },
	{ "match", 'm', "WORD...", AT(match),
	    "only those whose name, proof or needs have this word" },
	{ "json", 0, NULL, AT(json), "one object a line" },
	{ "markdown", 0, NULL, AT(markdown), "the table for docs/" },
	{ "schema", 0, NULL, AT(schema),
	    "print the JSON Schema of such files, for editors" },
	{ "test", 0, NULL, AT(test),
	    "try files of your own: every example, and forgeries made of them" },
	{ NULL, 0, NULL, 0, NULL }
};
#undef AT

/* --- a file of one's own -------------------------------------------------------- */

/* "dir/acme.json" -> "acme". */
static struct str
id_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct str id = str_of(slash != NULL ? slash + 1 : path);

	if (str_ends(id, STR(".json")))
		id.n -= 5;
	return id;
}

static bool
is_path(const char *word)
{
	return strchr(word, '/') != NULL || str_ends(str_of(word), STR(".json"));
}

static void
say_broken(void *arg, const char *broken)
{
	(void)arg;
	printf("wrong: %s\n", broken);
}

static int
test_files(int argc, char **argv, struct err *e)
{
	int bad = 0;

	if (argc == 0)
		return err_set(e, ERR_USAGE, "--test wants the file of a provider");
	for (int i = 0; i < argc; i++) {
		struct trial_count count = { .says = say_broken };
		size_t n = 0;
		char *text = os_read_file(argv[i], FILE_MAX, &n, e);

		if (text == NULL)
			return -1;
		trial_file(id_of(argv[i]), (struct str){ text, n }, argv[i], &count);
		free(text);
		printf("%s: %lu checks hold, %lu do not\n", argv[i], count.kept,
		    count.broken);
		bad += count.broken > 0;
	}
	return bad == 0 ? 0 : err_set(e, ERR_DATA, "what is wrong stands above; "
	    "docs/providers.md has the words");
}

static int
show_file(struct buf *b, const char *path, bool json, struct err *e)
{
	size_t n = 0;
	char *text = os_read_file(path, FILE_MAX, &n, e);
	struct str whole = { text, n };
	struct provider *p = text == NULL ? NULL :
	    provider_read(whole, id_of(path), path, e);
	int rc = p == NULL ? -1 : 0;

	if (p != NULL && json)
		describe_object(b, p);
	else if (p != NULL)
		rc = describe_full(b, p, whole, e);
	provider_free(p);
	free(text);
	return rc;
}

/* --- the list -------------------------------------------------------------------- */

static bool
lacks(struct str text, struct str word)
{
	for (size_t i = 0; i + word.n <= text.n; i++)
		if (str_starts_nocase(str_skip(text, i), word))
			return false;
	return true;
}

static bool
matches(const struct provider *p, const struct words *words)
{
	struct buf b = BUF(MATCH_MAX);
	bool all = true;

	describe_object(&b, p);
	for (size_t i = 0; i < words->n; i++)
		all = all && !lacks(buf_str(&b), str_of(words->p[i]));
	buf_free(&b);
	return all;
}

static int
put_list(struct buf *b, const struct catalog *all,
    const struct providers_options *o, struct err *e)
{
	size_t shown = 0;

	if (o->markdown)
		describe_markdown_head(b);
	else if (!o->json)
		describe_row_head(b);
	for (size_t i = 0; i < catalog_count(all); i++) {
		struct provider *p = catalog_read(all, catalog_id(all, i), e);

		if (p == NULL)
			return -1;
		if (o->match.n == 0 || matches(p, &o->match)) {
			shown++;
			if (o->json)
				describe_object(b, p);
			else if (o->markdown)
				describe_markdown(b, p);
			else
				describe_row(b, p);
		}
		provider_free(p);
	}
	if (shown == 0)
		return err_set(e, ERR_DATA, "no provider has %s",
		    o->match.n == 1 ? "that word" : "all of these words");
	return 0;
}

static int
put_one(struct buf *b, const struct catalog *all, const char *id, bool json,
    struct err *e)
{
	struct provider *p = catalog_read(all, str_of(id), e);
	int rc = p == NULL ? -1 : 0;

	if (p != NULL && json)
		describe_object(b, p);
	else if (p != NULL)
		rc = describe_full(b, p, catalog_text(all, p->id, e), e);
	provider_free(p);
	return rc;
}

/* --- the command -------------------------------------------------------------------- */

/* The texts of a directory; of the configuration's, else of --dir. */
static struct bundle *
own_files(const struct providers_options *o, struct err *e)
{
	const char *config = o->dir != NULL ? NULL : cli_config(o->config);
	struct bundle *b;

	if (config != NULL)
		return conf_gather(config, HALF_NONE, e);
	if ((b = bundle_new()) == NULL) {
		err_set(e, ERR_OS, "not enough memory");
	} else if (o->dir != NULL &&
	    conf_gather_providers(b, str_of(o->dir), e) == -1) {
		bundle_free(b);
		b = NULL;
	}
	return b;
}

static int
put_known(struct buf *b, const struct providers_options *o, const char *id,
    struct err *e)
{
	struct bundle *own = own_files(o, e);
	struct catalog *all = own != NULL ? catalog_new(own, e) : NULL;
	int rc = -1;

	if (all != NULL)
		rc = id != NULL ? put_one(b, all, id, o->json, e) :
		    put_list(b, all, o, e);
	catalog_free(all);
	bundle_free(own);
	return rc;
}

int
providers_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct providers_options o = { .config = NULL };
	struct buf b = BUF(CLI_OUT_MAX);
	int rc = 0;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	if (o.test)
		return test_files(argc, argv, e);
	if (argc > 1)
		return err_set(e, ERR_USAGE, "one provider at a time");
	if (o.schema)
		provider_schema(&b);
	else if (argc == 1 && is_path(argv[0]))
		rc = show_file(&b, argv[0], o.json, e);
	else
		rc = put_known(&b, &o, argc == 1 ? argv[0] : NULL, e);
	if (rc == 0)
		rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}
