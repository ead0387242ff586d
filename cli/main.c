/*
 * main.c - hooklatch, the operator's tool: one row for each subcommand.
 *
 * Exit status: 0, or what sysexits.h says of the error (err.h): 64 the command
 * line, 65 data that is wrong, 66 a file that is not there, 69 a service that
 * does not answer, 70 our own fault, 71 the system said no, 74 input or output,
 * 75 try again later, 77 not allowed, 78 the configuration.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/os.h"
#include "base/when.h"
#include "cli/cli.h"

static int	help_run(const struct command *, int, char **, struct err *);
static int	version_run(const struct command *, int, char **, struct err *);

static const struct option_row no_options[] = { { NULL, 0, NULL, 0, NULL } };

static const struct command commands[] = {
	{ "serve", "", "run everything in the foreground: courier, handlers, nginx",
	    serve_options, serve_run },
	{ "check", "", "prove a configuration, ours or the web server's",
	    check_options, check_run },
	{ "providers", "[ID | FILE...]", "what is known of each provider; try a file of your own",
	    providers_options, providers_run },
	{ "events", "list | show ID | tail | replay [ID]",
	    "what the inbox holds; have it delivered again",
	    events_options, events_run },
	{ "deliveries", "", "where events went, and what came of it",
	    deliveries_options, deliveries_run },
	{ "destinations", "list | pause NAME | resume NAME | drop NAME",
	    "where events go, and how they stand", destinations_options,
	    destinations_run },
	{ "explain", "FILE | ID | -", "why a request was refused, by trying what could "
	    "be wrong", explain_options, explain_run },
	{ "capture", "open | list | show | shut | forget [NAME]",
	    "secrets that a handshake brings, and when they may come",
	    capture_options, capture_run },
	{ "stats", "", "what was counted, for a person or for Prometheus",
	    stats_options, stats_run },
	{ "send", "[PROVIDER]", "post a signed sample to a URL",
	    send_options, send_run },
	{ "sign", "[PROVIDER]", "print a sample's headers for curl",
	    sign_options, sign_run },
	{ "help", "[COMMAND]", "this text, or a command's options",
	    no_options, help_run },
	{ "version", "", "print the version",
	    no_options, version_run },
};
#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void
help_all(FILE *to)
{
	fprintf(to, "usage: hooklatch COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].says);
	fprintf(to, "\n\"hooklatch help COMMAND\" lists its options; "
	    "hooklatch(1) has the examples.\n");
}

static void
help_one(FILE *to, const struct command *c)
{
	char left[64];

	fprintf(to, "usage: hooklatch %s [OPTION...]%s%s\n\n%s\n", c->name,
	    *c->operands != '\0' ? " " : "", c->operands, c->says);
	if (c->options[0].name != NULL)
		fprintf(to, "\n");
	for (const struct option_row *o = c->options; o->name != NULL; o++) {
		if (o->letter != 0)
			snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter,
			    o->name, o->arg != NULL ? " " : "",
			    o->arg != NULL ? o->arg : "");
		else
			snprintf(left, sizeof(left), "--%s%s%s", o->name,
			    o->arg != NULL ? " " : "",
			    o->arg != NULL ? o->arg : "");
		fprintf(to, "  %-24s %s\n", left, o->says);
	}
}

static int
help_run(const struct command *self, int argc, char **argv, struct err *e)
{
	const struct command *c;

	(void)self;
	if (argc == 0) {
		help_all(stdout);
		return 0;
	}
	if ((c = command_find(argv[0])) == NULL)
		return err_set(e, ERR_USAGE, "there is no command \"%s\"", argv[0]);
	help_one(stdout, c);
	return 0;
}

static int
version_run(const struct command *self, int argc, char **argv, struct err *e)
{
	(void)self;
	(void)argc;
	(void)argv;
	(void)e;
	printf("hooklatch %s\n", VERSION);
	return 0;
}

/* --- options -------------------------------------------------------------- */

static const struct option_row *
option_find(const struct option_row *rows, const char *word, size_t n)
{
	for (; rows->name != NULL; rows++)
		if ((n == 1 && rows->letter == *word) ||
		    (strlen(rows->name) == n && memcmp(rows->name, word, n) == 0))
			return rows;
	return NULL;
}

static int
option_unknown(const struct command *c, const char *word, struct err *e)
{
	const char *words[40];
	const char *near;
	size_t n = 0;

	for (const struct option_row *o = c->options; o->name != NULL && n < 39; o++)
		words[n++] = o->name;
	words[n] = NULL;
	near = conf_nearest(str_of(word + strspn(word, "-")), words);
	if (near != NULL)
		return err_set(e, ERR_USAGE,
		    "there is no option %s; did you mean --%s?", word, near);
	return err_set(e, ERR_USAGE,
	    "there is no option %s; \"hooklatch help %s\" lists them", word,
	    c->name);
}

int
cli_options(const struct command *c, int argc, char **argv, void *into,
    struct err *e)
{
	const struct option_row *o;
	const char *word, *value, *equals;
	struct words *several;
	int operands = 0;

	for (int i = 0; i < argc; i++) {
		word = argv[i];
		if (strcmp(word, "--") == 0) {
			while (++i < argc)
				argv[operands++] = argv[i];
			break;
		}
		if (word[0] != '-' || word[1] == '\0') {
			argv[operands++] = argv[i];
			continue;
		}
		value = NULL;
		if (word[1] == '-') {
			equals = strchr(word, '=');
			o = option_find(c->options, word + 2, equals != NULL ?
			    (size_t)(equals - word - 2) : strlen(word + 2));
			if (equals != NULL)
				value = equals + 1;
		} else {
			o = option_find(c->options, word + 1, 1);
			if (word[2] != '\0')
				value = word + 2;
		}
		if (o == NULL)
			return option_unknown(c, word, e);
		if (o->arg == NULL) {
			if (value != NULL)
				return err_set(e, ERR_USAGE,
				    "--%s takes no value", o->name);
			*(bool *)((char *)into + o->at) = true;
			continue;
		}
		/* "-" and "-60" are no options. */
		if (value == NULL && i + 1 < argc && (argv[i + 1][0] != '-' ||
		    strchr("0123456789", argv[i + 1][1]) != NULL))
			value = argv[++i];
		if (value == NULL && *o->arg == '[')
			value = "";
		if (value == NULL)
			return err_set(e, ERR_USAGE, "--%s needs %s", o->name, o->arg);
		if (!str_ends(str_of(o->arg), STR("..."))) {
			*(const char **)((char *)into + o->at) = value;
			continue;
		}
		several = (struct words *)((char *)into + o->at);
		if (several->n == WORDS_MAX)
			return err_set(e, ERR_USAGE, "--%s: %d are too many",
			    o->name, WORDS_MAX + 1);
		several->p[several->n++] = value;
	}
	return operands;
}

/* --- what several subcommands need ---------------------------------------- */

int
cli_program(const char *name, char *path, size_t size, struct err *e)
{
	static const char *const where[] = { "", "../lib/hooklatch/" };
	char self[1024];
	ssize_t n;

	if ((n = readlink("/proc/self/exe", self, sizeof(self) - 1)) <= 0)
		return err_set(e, ERR_OS,
		    "/proc/self/exe: %s; is /proc mounted?", strerror(errno));
	self[n] = '\0';
	*(strrchr(self, '/') + 1) = '\0';
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++)
		if (snprintf(path, size, "%s%s%s", self, where[i], name) <
		    (int)size && access(path, X_OK) == 0)
			return 0;
	return err_set(e, ERR_NOINPUT,
	    "%s is neither in %s nor in %s../lib/hooklatch; run \"make\" or "
	    "\"make install\"", name, self, self);
}

int
cli_system_program(const char *name, char *path, size_t size, struct err *e)
{
	const char *env = getenv("PATH");
	struct str rest, dir;
	char list[4096];

	/* sbin is not in the PATH of ordinary users, and nginx is there. */
	snprintf(list, sizeof(list), "%s:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin",
	    env != NULL ? env : "/usr/local/bin:/usr/bin:/bin");
	rest = str_of(list);
	while (rest.p != NULL) {
		dir = str_cut(&rest, ':');
		if (dir.n > 0 && dir.p[0] == '/' && snprintf(path, size, "%.*s/%s",
		    STR_ARG(dir), name) < (int)size && access(path, X_OK) == 0)
			return 0;
	}
	return err_set(e, ERR_NOINPUT, "%s is not installed", name);
}

const char *
cli_config(const char *option)
{
	const char *env = getenv("HOOKLATCH_CONFIG");

	return option != NULL ? option : env != NULL && *env != '\0' ? env : NULL;
}

struct conf *
cli_conf(const char *path, struct bundle **bundle, struct buf *warnings,
    struct err *e)
{
	struct conf_place place = conf_here();
	struct bundle *b;
	struct conf *c;

	if ((b = conf_gather(path, bundle != NULL ? HALF_ROAD : HALF_NONE, e)) == NULL)
		return NULL;
	c = conf_gathered(b, path, e);
	if (c != NULL && conf_settle(c, &place, warnings, e) == -1) {
		conf_free(c);
		c = NULL;
	}
	if (c != NULL && bundle != NULL)
		*bundle = b;
	else
		bundle_free(b);
	return c;
}

static bool
span_read(struct str text, int64_t *ms)
{
	static const struct { char letter; int64_t ms; } units[] = {
		{ 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 },
	};
	struct str number = str_head(text, text.n > 0 ? text.n - 1 : 0);
	uint64_t n;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && text.n > 1; i++)
		if (text.p[text.n - 1] == units[i].letter &&
		    str_to_u64(number, &n) &&
		    n <= (uint64_t)(INT64_MAX / units[i].ms)) {
			*ms = (int64_t)n * units[i].ms;
			return true;
		}
	return false;
}

int
cli_span(const char *text, int64_t *ms, struct err *e)
{
	return span_read(str_of(text), ms) ? 0 : err_set(e, ERR_USAGE, "\"%s\" is no "
	    "span of time: write 90s, 10m, 2h or 3d", text);
}

int
cli_time(const char *text, int64_t now, int64_t *ms, struct err *e)
{
	struct str t = str_trim(str_of(text));
	int64_t span;

	if (when_parse(t, WHEN_ISO8601, ms))
		return 0;
	if (str_ends(t, STR(" ago")))
		t.n -= 4;
	if (!span_read(t, &span) || span >= now)
		return err_set(e, ERR_USAGE, "\"%s\" is no time: write 90s, 10m, 2h "
		    "or 3d (before now), or 2026-01-31T12:00:00Z", text);
	*ms = now - span;
	return 0;
}

void
cli_put_word(struct buf *b, struct str word, size_t width)
{
	struct buf safe = BUF(4096);
	size_t n;

	if (word.n == 0)
		word = STR("-");
	buf_json(&safe, str_head(word, 400));
	n = safe.n >= 2 ? safe.n - 2 : 0;
	buf_printf(b, "%-*.*s", (int)width, (int)n, n > 0 ? safe.p + 1 : "");
	buf_free(&safe);
}

void
cli_put_time(struct buf *b, int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];

	if (gmtime_r(&s, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		snprintf(text, sizeof(text), "%lld", (long long)s);
	buf_printf(b, "%s.%03dZ", text, (int)(ms % 1000));
}

int
cli_print(struct buf *b, struct err *e)
{
	if (b->bad)
		return err_set(e, ERR_OS, "not enough memory for the output");
	if (fwrite(b->p, 1, b->n, stdout) != b->n || fflush(stdout) != 0)
		return err_set(e, ERR_IO, "standard output: %s", strerror(errno));
	return 0;
}

/* --- main ----------------------------------------------------------------- */

int
main(int argc, char **argv)
{
	const struct command *c;
	struct err e = { ERR_NONE, "" };

	if (os_standard_fds(&e) == -1)
		return ERR_OS;
	if (argc < 2) {
		help_all(stderr);
		return ERR_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		c = command_find("help");
	else if (strcmp(argv[1], "--version") == 0)
		c = command_find("version");
	else
		c = command_find(argv[1]);
	if (c == NULL) {
		fprintf(stderr, "hooklatch: there is no command \"%s\"\n\n", argv[1]);
		help_all(stderr);
		return ERR_USAGE;
	}
	for (int i = 2; i < argc && c->run != help_run; i++) {
		if (strcmp(argv[i], "--") == 0)
			break;
		if (strcmp(argv[i], "--help") == 0) {
			help_one(stdout, c);
			return 0;
		}
	}
	if (c->run(c, argc - 2, argv + 2, &e) == 0 && fflush(stdout) == 0)
		return 0;
	if (e.code == ERR_NONE)
		err_set(&e, ERR_IO, "standard output: %s", strerror(errno));
	fprintf(stderr, "hooklatch %s: %s\n", c->name, e.text);
	return e.code;
}
