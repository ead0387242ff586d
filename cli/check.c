/*
 * check.c - prove a configuration before it is used: ours, nginx's, Apache's.
 *
 * Ours is read exactly as the programs read it, secrets included; what it says
 * of each hook comes from what will judge the requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/webserver.h"
#include "letter.h"
#include "route.h"

#define DUMP_MAX	((size_t)16 << 20)	/* of a web server's files */
#define SCHEMA_MAX	((size_t)4 << 20)

struct check_options {
	const char	*config;
	const char	*nginx;
	const char	*apache;
	bool		 print;
	bool		 schema;
	bool		 manual;
	bool		 json;
};

#define AT(field)	offsetof(struct check_options, field)
const struct option_row check_options[] = {
	{ "config", 'c', "FILE", AT(config),
	    "the configuration; without it the environment" },
	{ "nginx", 0, "[FILE]", AT(nginx),
	    "also nginx's: what \"nginx -T\" says, or of FILE" },
	{ "apache", 0, "[FILE]", AT(apache),
	    "also Apache's: its own files, or FILE" },
	{ "print", 0, NULL, AT(print),
	    "print every key with its value; it reads back equal" },
	{ "schema", 0, NULL, AT(schema), "print the JSON Schema for editors" },
	{ "manual", 0, NULL, AT(manual), "print the tables of hooklatch.json(5)" },
	{ "json", 0, NULL, AT(json), "one object" },
	{ NULL, 0, NULL, 0, NULL }
};
#undef AT

/* --- our own -------------------------------------------------------------- */

static void
put_proof(struct buf *b, const struct route *r)
{
	if (r->hook->auth == AUTH_NONE)
		buf_put(b, STR("NOTHING: \"auth\" is \"none\""));
	else
		describe_proof(b, r->provider);
}

static void
put_secrets(struct buf *b, const struct hook *h, bool json)
{
	struct str s;

	for (size_t i = 0; i < h->nsecrets; i++) {
		s = h->secrets[i];
		if (str_starts(s, STR("plain:")))
			s = STR("plain:...");
		if (i > 0)
			buf_put(b, json ? STR(",") : STR(" "));
		if (json)
			buf_json(b, s);
		else
			buf_put(b, s);
	}
}

static void
put_hook(struct buf *b, const struct route *r)
{
	const struct hook *h = r->hook;

	buf_printf(b, "%-24.*s %-18.*s ", STR_ARG(h->path), STR_ARG(h->provider));
	put_proof(b, r);
	buf_printf(b, "\n%-24s answer within %g s, bodies to %llu bytes", "",
	    (double)r->deadline / 1000, (unsigned long long)r->max_body);
	if (h->nsecrets > 0) {
		buf_put(b, STR(", secrets "));
		put_secrets(b, h, false);
	}
	for (int i = 0; i < PARAM_COUNT; i++)
		if (h->params[i].n > 0)
			buf_printf(b, ", %s", hook_param_names[i]);
	if (h->nfrom > 0)
		buf_printf(b, ", from %zu network%s", h->nfrom,
		    h->nfrom == 1 ? "" : "s");
	if (h->client_cert.n > 0)
		buf_put(b, STR(", client certificate"));
	if (h->pass.n > 0)
		buf_printf(b, ", passed to %.*s", STR_ARG(h->pass));
	buf_putc(b, '\n');
}

static void
put_hook_json(struct buf *b, const struct route *r)
{
	const struct hook *h = r->hook;
	struct buf proof = BUF(4096);
	size_t n = 0;

	put_proof(&proof, r);
	buf_put(b, STR("{\"path\":"));
	buf_json(b, h->path);
	buf_put(b, STR(",\"provider\":"));
	buf_json(b, h->provider);
	buf_put(b, STR(",\"auth\":"));
	buf_json(b, h->auth == AUTH_NONE ? STR("none") : STR("provider"));
	buf_put(b, STR(",\"proof\":"));
	buf_json(b, buf_str(&proof));
	buf_put(b, STR(",\"secrets\":["));
	put_secrets(b, h, true);
	buf_put(b, STR("],\"given\":["));
	for (int i = 0; i < PARAM_COUNT; i++)
		if (h->params[i].n > 0)
			buf_printf(b, "%s\"%s\"", n++ > 0 ? "," : "",
			    hook_param_names[i]);
	buf_printf(b, "],\"deadline_ms\":%lld,\"max_body\":%llu,\"pass\":",
	    (long long)r->deadline, (unsigned long long)r->max_body);
	if (h->pass.n > 0)
		buf_json(b, h->pass);
	else
		buf_put(b, STR("null"));
	buf_putc(b, '}');
	buf_free(&proof);
}

/* --- what a check found --------------------------------------------------- */

struct report {
	bool		 json;
	bool		 wrong;
	struct buf	 text;		/* for people */
	struct buf	 hooks;		/* JSON, the elements */
	struct buf	 errors;
	struct buf	 warnings;
	struct str	 name;		/* of our configuration */
};

static void
report_say(struct report *r, bool wrong, const char *where, struct str sentence)
{
	struct buf *b = wrong ? &r->errors : &r->warnings;
	struct buf whole = BUF(8192);

	if (sentence.n == 0)
		return;
	r->wrong = r->wrong || wrong;
	if (where != NULL)
		buf_printf(&whole, "%s: ", where);
	buf_put(&whole, sentence);
	if (r->json) {
		if (b->n > 0)
			buf_putc(b, ',');
		buf_json(b, buf_str(&whole));
	} else {
		buf_printf(&r->text, "%s: %.*s\n", wrong ? "wrong" : "warning",
		    (int)whole.n, whole.p);
	}
	buf_free(&whole);
}

static void
report_lines(struct report *r, struct str lines)
{
	while (lines.p != NULL)
		report_say(r, false, NULL, str_cut(&lines, '\n'));
}

static bool
at_home(struct str url)
{
	struct str host = letter_host(url);

	return str_starts(host, STR("127.")) || str_starts(host, STR("localhost")) ||
	    str_starts(host, STR("[::1]"));
}

/* Nobody is asked: that needs the courier's credentials, and only it has them. */
static void
check_fetched(struct report *r, const struct conf *c, const struct bundle *bundle)
{
	struct str host = letter_host(c->secret_manager), name;
	size_t at = 0;

	while ((name = bundle_lacks(bundle, &at)).p != NULL)
		buf_printf(&r->text, "%.*s: the courier asks %.*s for it at its start and "
		    "at each reload\n", STR_ARG(name), host.n > 0 ? (int)host.n :
		    (int)strlen(SECRET_MANAGER), host.n > 0 ? host.p : SECRET_MANAGER);
}

/* Of a URL its host; of one that is a secret where it stands. */
static struct str
shown(struct str url)
{
	return !conf_is_reference(url) ? letter_host(url) :
	    str_starts(url, STR("plain:")) ? STR("a URL that is a secret") : url;
}

/* Where events go, and the secrets that the courier will want for it. */
static void
check_destinations(struct report *r, const struct conf *c, const char *path)
{
	struct bundle *bundle;
	struct err e;

	for (size_t i = 0; i < c->ndestinations; i++) {
		const struct destination *d = &c->destinations[i];
		bool secret = d->bearer.n > 0 || d->basic.n > 0 || d->noauth1 > 0;

		buf_printf(&r->text, "to %-21.*s ", STR_ARG(d->name));
		if (d->kind == TO_EXEC)
			buf_printf(&r->text, "exec %.*s", STR_ARG(d->argv[0]));
		else
			buf_printf(&r->text, "%.*s to %.*s%s", STR_ARG(d->method),
			    STR_ARG(shown(d->url)), d->sign.n > 0 ? ", signed" : "");
		buf_printf(&r->text, "%s%s%s\n", d->one_at_a_time ?
		    ", one at a time" : "", d->serialize_by.n > 0 ? ", in order" : "",
		    d->latest_wins ? ", the latest wins" : "");
		for (size_t j = 0; j < d->nheaders; j++)
			secret |= conf_is_reference(d->headers[j].value);
		if (d->kind == TO_HTTP && secret && !at_home(d->url) &&
		    str_starts(d->url, STR("http://")))
			report_say(r, false, d->where.p, STR("a secret is sent "
			    "without TLS: use https"));
		if (d->kind == TO_EXEC && access(d->argv[0].p, X_OK) == -1)
			report_say(r, false, d->where.p, STR("the program is not "
			    "there, or cannot be run"));
	}
	if ((bundle = conf_gather(path, HALF_COURIER, &e)) == NULL)
		report_say(r, true, NULL, str_of(e.text));
	else
		check_fetched(r, c, bundle);
	bundle_free(bundle);
}

/*
 * Ours.  *most becomes the largest body that a hook takes, *certs whether one
 * wants a client's certificate.
 */
static void
check_ours(struct report *r, const char *path, uint64_t *most, bool *certs)
{
	struct buf warn = BUF(256 * 1024);
	struct bundle *bundle = NULL;
	struct routes *routes = NULL;
	const struct route *route;
	struct conf *c;
	struct err e;

	if ((c = cli_conf(path, &bundle, &warn, &e)) == NULL ||
	    (routes = routes_new(c, bundle, &e)) == NULL) {
		report_say(r, true, NULL, str_of(e.text));
		goto out;
	}
	buf_printf(&r->text, "%s: inbox %.*s", path != NULL ? path : CONF_ENVIRONMENT,
	    STR_ARG(c->inbox));
	if (conf_keeps(c->inbox_kind))
		buf_printf(&r->text, ", courier unix:%.*s", STR_ARG(c->courier));
	buf_putc(&r->text, '\n');
	*most = c->max_body;
	for (size_t i = 0; i < routes_count(routes); i++) {
		route = routes_at(routes, i);
		if (route->max_body > *most)
			*most = route->max_body;
		*certs = *certs || route->hook->client_cert.n > 0;
		put_hook(&r->text, route);
		if (i > 0)
			buf_putc(&r->hooks, ',');
		put_hook_json(&r->hooks, route);
	}
	check_destinations(r, c, path);
	check_fetched(r, c, bundle);
	if (c->inbox_kind == INBOX_NONE)
		report_say(r, false, NULL, STR("inbox \"none\": events are verified, "
		    "answered and logged, and not kept"));
	report_lines(r, buf_str(&warn));
	buf_reset(&warn);
	routes_warn(routes, &warn);
	report_lines(r, buf_str(&warn));
out:
	routes_free(routes);
	bundle_free(bundle);
	conf_free(c);
	buf_free(&warn);
}

/* --- a web server's ------------------------------------------------------- */

/* Runs a program and takes what it says; its exit status, or -1. */
static int
capture(char *const argv[], struct buf *out, struct buf *both, struct err *e)
{
	struct pollfd p[2];
	struct buf *into[2] = { out, both };
	char text[8192];
	int pipes[2][2], status = 0, open_pipes = 2;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipes[0], O_CLOEXEC) == -1 || pipe2(pipes[1], O_CLOEXEC) == -1 ||
	    (pid = fork()) == -1)
		return err_set(e, ERR_OS, "%s: %s", argv[0], strerror(errno));
	if (pid == 0) {
		dup2(pipes[0][1], 1);
		dup2(pipes[1][1], 2);
		execv(argv[0], argv);
		_exit(127);
	}
	for (int i = 0; i < 2; i++) {
		close(pipes[i][1]);
		p[i] = (struct pollfd){ .fd = pipes[i][0], .events = POLLIN };
	}
	while (open_pipes > 0 && poll(p, 2, -1) > 0)
		for (int i = 0; i < 2; i++) {
			if (p[i].fd == -1 || p[i].revents == 0)
				continue;
			n = read(p[i].fd, text, sizeof(text));
			if (n > 0) {
				buf_put(into[i], (struct str){ text, (size_t)n });
			} else {
				close(p[i].fd);
				p[i].fd = -1;
				open_pipes--;
			}
		}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* A file as "nginx -T" would print it. */
static void
dump_file(struct buf *b, const char *path)
{
	struct err e;
	size_t n = 0;
	char *text;

	if ((text = os_read_file(path, DUMP_MAX, &n, &e)) == NULL)
		return;
	buf_printf(b, "# configuration file %s:\n", path);
	buf_put(b, (struct str){ text, n });
	buf_putc(b, '\n');
	free(text);
}

static bool
is_whole_nginx(const char *path)
{
	struct err e;
	size_t n = 0;
	char *text, *http;
	bool whole = false;

	if ((text = os_read_file(path, DUMP_MAX, &n, &e)) == NULL)
		return true;		/* nginx will say why */
	for (http = text; !whole && (http = strstr(http, "http")) != NULL; http += 4)
		whole = (http == text || http[-1] == '\n') &&
		    http[4 + strspn(http + 4, " \t\r\n")] == '{';
	free(text);
	return whole;
}

/* A part of a configuration: it, and ours that lie beside it. */
static void
dump_snippet(struct buf *b, const char *path)
{
	const char *slash = strrchr(path, '/');
	char pattern[1024];
	glob_t g;

	dump_file(b, path);
	snprintf(pattern, sizeof(pattern), "%.*shooklatch*.conf",
	    slash != NULL ? (int)(slash - path) + 1 : 0, path);
	if (glob(pattern, 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (strcmp(g.gl_pathv[i], path) != 0)
			dump_file(b, g.gl_pathv[i]);
	globfree(&g);
}

static void
check_nginx(struct report *r, const char *file, uint64_t most, bool certs)
{
	struct buf dump = BUF(DUMP_MAX), words = BUF(64 * 1024);
	struct finding found[FINDINGS_MAX];
	char program[512], full[PATH_MAX];
	char *argv[] = { program, (char[]){ "-T" }, (char[]){ "-c" }, full, NULL };
	size_t n, locations = 0;
	struct str line, rest;
	struct err e;

	if (*file != '\0' && realpath(file, full) == NULL) {
		snprintf(full, sizeof(full), "%s: %s", file, strerror(errno));
		report_say(r, true, NULL, str_of(full));
		return;
	}
	if (*file == '\0')
		argv[2] = NULL;
	if (*file != '\0' && !is_whole_nginx(full)) {
		dump_snippet(&dump, full);
	} else if (cli_system_program("nginx", program, sizeof(program), &e) == -1 ||
	    (n = (size_t)capture(argv, &dump, &words, &e)) == (size_t)-1) {
		report_say(r, true, NULL, str_of(e.text));
		goto out;
	} else if (n != 0) {
		rest = buf_str(&words);
		while (rest.p != NULL) {
			line = str_cut(&rest, '\n');
			if (memmem(line.p, line.n, "[emerg]", 7) != NULL ||
			    memmem(line.p, line.n, "[alert]", 7) != NULL)
				report_say(r, true, "nginx -T", line);
		}
		r->wrong = true;
		goto out;
	}
	n = webserver_check_nginx(buf_str(&dump), most, certs, found, &locations);
	for (size_t i = 0; i < n; i++)
		report_say(r, found[i].bad, "nginx", str_of(found[i].text));
	if (locations == 0)
		report_say(r, true, "nginx", STR("no location passes to hooklatch; "
		    "include hooklatch.conf in a server block, and "
		    "hooklatch-upstream.conf in the http block"));
	else if (n == 0)
		buf_printf(&r->text, "nginx: %zu location%s, all that is needed is "
		    "there\n", locations, locations == 1 ? "" : "s");
out:
	buf_free(&dump);
	buf_free(&words);
}

/* The files that Apache reads, by its own list. */
static int
dump_apache(struct report *r, struct buf *dump)
{
	struct buf list = BUF(1 << 20), words = BUF(64 * 1024);
	char program[512], path[1024];
	char *test[] = { program, (char[]){ "-t" }, NULL };
	char *includes[] = { program, (char[]){ "-t" }, (char[]){ "-D" },
		(char[]){ "DUMP_INCLUDES" }, NULL };
	struct str rest, line;
	struct err e;
	int rc = -1;

	if (cli_system_program("apachectl", program, sizeof(program), &e) == -1) {
		report_say(r, true, NULL, str_of(e.text));
		goto out;
	}
	if (capture(test, &list, &words, &e) != 0) {
		rest = buf_str(&words);
		while (rest.p != NULL)
			report_say(r, true, "apachectl -t", str_cut(&rest, '\n'));
		r->wrong = true;
		goto out;
	}
	buf_reset(&list);
	capture(includes, &list, &words, &e);
	rest = buf_str(&list);
	while (rest.p != NULL) {
		line = str_trim(str_cut(&rest, '\n'));
		if (line.n == 0 || line.p[0] != '(')
			continue;
		str_cut(&line, ' ');
		snprintf(path, sizeof(path), "%.*s", STR_ARG(str_trim(line)));
		dump_file(dump, path);
	}
	rc = 0;
out:
	buf_free(&list);
	buf_free(&words);
	return rc;
}

static void
check_apache(struct report *r, const char *file, uint64_t most)
{
	struct buf dump = BUF(DUMP_MAX);
	struct finding found[FINDINGS_MAX];
	size_t n, places = 0;

	if (*file != '\0')
		dump_file(&dump, file);
	else if (dump_apache(r, &dump) == -1)
		goto out;
	n = webserver_check_apache(buf_str(&dump), most, found, &places);
	for (size_t i = 0; i < n; i++)
		report_say(r, found[i].bad, "apache", str_of(found[i].text));
	if (places == 0)
		report_say(r, true, "apache", STR("nothing leads to hooklatch; include "
		    "one of the files of apache/"));
	else if (n == 0)
		buf_printf(&r->text, "apache: all that is needed is there\n");
out:
	buf_free(&dump);
}

/* --- the command ---------------------------------------------------------- */

static int
report_print(struct report *r, struct err *e)
{
	struct buf b = BUF(CLI_OUT_MAX);
	int rc;

	if (r->json) {
		buf_printf(&b, "{\"ok\":%s,\"config\":", r->wrong ? "false" : "true");
		buf_json(&b, r->name);
		buf_printf(&b, ",\"hooks\":[%.*s],\"errors\":[%.*s],"
		    "\"warnings\":[%.*s]}\n", (int)r->hooks.n, r->hooks.p,
		    (int)r->errors.n, r->errors.p, (int)r->warnings.n, r->warnings.p);
	} else {
		buf_put(&b, buf_str(&r->text));
	}
	rc = cli_print(&b, e);
	buf_free(&b);
	return rc;
}

/* Every key with its value, from the text alone: no secret is read for it. */
static int
print_conf(const char *path, struct err *e)
{
	struct bundle *bundle;
	struct conf *c;
	struct buf b = BUF(SCHEMA_MAX);
	int rc = -1;

	if ((bundle = conf_gather(path, HALF_NONE, e)) == NULL)
		return -1;
	c = conf_gathered(bundle, path, e);
	if (c != NULL) {
		conf_print(&b, c);
		rc = cli_print(&b, e);
	}
	conf_free(c);
	bundle_free(bundle);
	buf_free(&b);
	return rc;
}

int
check_run(const struct command *self, int argc, char **argv, struct err *e)
{
	struct check_options o = { .config = NULL };
	struct report r = { .text = BUF(CLI_OUT_MAX), .hooks = BUF(CLI_OUT_MAX),
		.errors = BUF(CLI_OUT_MAX), .warnings = BUF(CLI_OUT_MAX) };
	struct buf b = BUF(SCHEMA_MAX);
	uint64_t most = 26u << 20;
	bool certs = false;
	int rc;

	if ((argc = cli_options(self, argc, argv, &o, e)) == -1)
		return -1;
	o.config = cli_config(o.config);
	if (argc > 0)
		return err_set(e, ERR_USAGE, "check takes options only, not \"%s\"; "
		    "the file goes behind --config", argv[0]);
	if (o.print)
		return print_conf(o.config, e);
	if (o.schema || o.manual) {
		if (o.schema)
			conf_schema(&b);
		else
			conf_manual(&b);
		rc = cli_print(&b, e);
		buf_free(&b);
		return rc;
	}
	r.json = o.json;
	r.name = str_of(o.config != NULL ? o.config : CONF_ENVIRONMENT);
	/* A web server's files can be looked at without a configuration of ours. */
	if (o.config != NULL || (o.nginx == NULL && o.apache == NULL) ||
	    getenv("SECRET") != NULL)
		check_ours(&r, o.config, &most, &certs);
	if (o.nginx != NULL)
		check_nginx(&r, o.nginx, most, certs);
	if (o.apache != NULL)
		check_apache(&r, o.apache, most);
	rc = report_print(&r, e);
	if (rc == 0 && r.wrong)
		rc = err_set(e, ERR_CONF, "what is wrong stands above");
	buf_free(&r.text);
	buf_free(&r.hooks);
	buf_free(&r.errors);
	buf_free(&r.warnings);
	return rc;
}
