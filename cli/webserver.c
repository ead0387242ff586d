/*
 * webserver.c - what the web server in front is told, and whether it was told.
 *
 * Why each line is there stands beside it, once: in webserver_lines[].
 */
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cli/webserver.h"

const struct webserver_line webserver_lines[] = {
	{ "fastcgi_keep_conn", "on", LINE_SHOULD,
	    "each request opens a new connection to the handlers" },
	{ "fastcgi_next_upstream", "error timeout non_idempotent", LINE_SHOULD,
	    "a handler that is replaced costs the request that it held (a second "
	    "try reaches hooklatch as a repeat and is harmless)" },
	{ "fastcgi_request_buffering", "on", LINE_MUST,
	    "slow senders reach the handlers, and \"pass\" cannot work" },
	{ "fastcgi_param REQUEST_METHOD", "$request_method", LINE_MUST,
	    "every request is refused" },
	{ "fastcgi_param REQUEST_URI", "$request_uri", LINE_MUST,
	    "no hook is ever found" },
	{ "fastcgi_param CONTENT_TYPE", "$content_type", LINE_MUST,
	    "bodies cannot be told apart" },
	{ "fastcgi_param CONTENT_LENGTH", "$content_length", LINE_MUST,
	    "a body that was cut cannot be known" },
	{ "fastcgi_param REMOTE_ADDR", "$remote_addr", LINE_MUST,
	    "\"from\" refuses everybody" },
	{ "fastcgi_param HOOKLATCH_REQUEST_ID", "$request_id", LINE_SHOULD,
	    "our log lines cannot be found in the web server's" },
	{ "fastcgi_param HOOKLATCH_TLS_VERIFY", "$ssl_client_verify if_not_empty",
	    LINE_CERT, "\"client_cert\" refuses everybody" },
	{ "fastcgi_param HOOKLATCH_TLS_FINGERPRINT",
	    "$ssl_client_fingerprint if_not_empty", LINE_CERT,
	    "\"client_cert\" refuses everybody" },
	{ "fastcgi_param HTTP_PROXY", "\"\"", LINE_MUST,
	    "a sender's Proxy header becomes HTTP_PROXY" },
	{ NULL, NULL, LINE_MUST, NULL }
};

static void
location(struct buf *b, const char *name, const char *pass, const char *more)
{
	buf_printf(b, "\t\tlocation %s {\n\t\t\tfastcgi_pass %s;\n", name, pass);
	for (const struct webserver_line *l = webserver_lines; l->name != NULL; l++)
		buf_printf(b, "\t\t\t%s %s;\n", l->name, l->value);
	/* hooklatch answers within 10 s; three more, and nothing will come. */
	buf_printf(b, "\t\t\tfastcgi_connect_timeout 5s;\n");
	buf_printf(b, "\t\t\tfastcgi_send_timeout 13s;\n");
	buf_printf(b, "\t\t\tfastcgi_read_timeout 13s;\n%s\t\t}\n", more);
}

void
webserver_nginx(struct buf *b, const struct webserver *w)
{
	static const char *const temp[] = {
		"client_body", "fastcgi", "proxy", "uwsgi", "scgi",
	};

	buf_printf(b, "# Written by \"hooklatch serve\" at each start.\n");
	buf_printf(b, "daemon off;\nmaster_process on;\n");
	buf_printf(b, "worker_processes %u;\n", w->processes);
	if (w->user != NULL)
		buf_printf(b, "user %s;\n", w->user);
	buf_printf(b, "pid \"%s/nginx.pid\";\n", w->dir);
	/* warn would tell of each large body that goes through a file. */
	buf_printf(b, "error_log stderr error;\n\n");
	buf_printf(b, "events {\n\tworker_connections %u;\n}\n\n", w->connections);

	buf_printf(b, "http {\n");
	for (size_t i = 0; i < sizeof(temp) / sizeof(temp[0]); i++)
		buf_printf(b, "\t%s_temp_path \"%s/nginx-%s\";\n", temp[i], w->dir,
		    temp[i]);
	/* The handlers write the line of each request, without its query. */
	buf_printf(b, "\taccess_log off;\n\tserver_tokens off;\n");
	buf_printf(b, "\tdefault_type text/plain;\n\tkeepalive_requests 100000;\n");
	buf_printf(b, "\tclient_header_timeout 30s;\n\tclient_body_timeout 30s;\n");
	buf_printf(b, "\tsend_timeout 30s;\n\treset_timedout_connection on;\n");
	buf_printf(b, "\tunderscores_in_headers off;\n\n");

	buf_printf(b, "\tupstream hooklatch {\n\t\tserver \"unix:%s\" "
	    "max_fails=0;\n", w->socket);
	buf_printf(b, "\t\tkeepalive 64;\n\t\tkeepalive_requests 1000000;\n\t}\n");
	buf_printf(b, "\tupstream hooklatch_fresh {\n\t\tserver \"unix:%s\" "
	    "max_fails=0;\n\t}\n\n", w->socket);

	buf_printf(b, "\tserver {\n\t\tlisten %s backlog=4096;\n", w->listen);
	/* The last address of the list is the one that the front itself saw. */
	if (w->front)
		buf_printf(b, "\t\tset_real_ip_from 0.0.0.0/0;\n"
		    "\t\tset_real_ip_from ::/0;\n"
		    "\t\treal_ip_header X-Forwarded-For;\n");
	/* Ours refuses first: a body just over the limit gets our own answer. */
	buf_printf(b, "\t\tclient_max_body_size %llu;\n",
	    (unsigned long long)w->max_body + (1u << 20));
	buf_printf(b, "\t\tclient_body_buffer_size 64k;\n\n");
	/*
	 * A worker that dies leaves dead connections among those that are kept,
	 * and nginx may try one after another.  So the last try is another
	 * location's, which connects anew; what was stored already is a repeat.
	 */
	location(b, "/", "hooklatch",
	    "\t\t\terror_page 502 = @hooklatch_again;\n");
	location(b, "@hooklatch_again", "hooklatch_fresh", "");
	if (w->include != NULL)
		buf_printf(b, "\t\tinclude \"%s\";\n", w->include);
	buf_printf(b, "\t}\n}\n");
}

/* --- reading nginx's files ------------------------------------------------ */

/*
 * "nginx -T" prints file after file, each behind "# configuration file PATH:".
 * The walk starts in the first and goes into an include where it stands.  It
 * remembers every directive with its block; judging comes after, because what
 * a location inherits may stand behind it.
 */
#define FILES_MAX	256
#define BLOCKS_MAX	1024
#define LINES_MAX	8192
#define NESTED_MAX	24		/* blocks, and includes */

struct config_file {
	struct str	 path;
	struct str	 text;
	bool		 walked;
};

struct block {
	size_t		 up;		/* its block; the outermost is its own */
	struct str	 kind;		/* "location" */
	struct str	 label;		/* "/hooks/" */
};

struct directive {
	size_t		 block;
	struct str	 name;		/* "fastcgi_param" */
	struct str	 key;		/* of a fastcgi_param: its first word */
	struct str	 rest;		/* the other words, one space between */
};

struct reading {
	struct arena	*arena;
	struct config_file files[FILES_MAX];
	size_t		 nfiles;
	struct block	 blocks[BLOCKS_MAX];
	size_t		 nblocks;
	struct directive lines[LINES_MAX];
	size_t		 nlines;
	unsigned	 nested;
	bool		 lost;		/* a limit was reached */

	uint64_t	 max_body;
	bool		 certs;		/* a hook wants a client's certificate */
	struct finding	*out;
	size_t		 nout;
};

static void
find(struct reading *r, bool bad, const char *fmt, ...)
{
	va_list ap;

	if (r->nout == FINDINGS_MAX)
		return;
	r->out[r->nout].bad = bad;
	va_start(ap, fmt);
	vsnprintf(r->out[r->nout].text, sizeof(r->out[r->nout].text), fmt, ap);
	va_end(ap);
	r->nout++;
}

static bool
holds(struct str text, const char *word)
{
	return text.n > 0 && memmem(text.p, text.n, word, strlen(word)) != NULL;
}

/* The files of a dump; a text without such lines is one file. */
static void
files_cut(struct reading *r, struct str dump)
{
	static const char mark[] = "# configuration file ";
	struct str rest = dump, line;
	struct config_file *f = NULL;

	while (rest.p != NULL) {
		line = str_cut(&rest, '\n');
		if (str_starts(line, STR(mark)) && str_ends(line, STR(":"))) {
			if (r->nfiles == FILES_MAX) {
				r->lost = true;
				return;
			}
			f = &r->files[r->nfiles++];
			f->path = str_skip(line, sizeof(mark) - 1);
			f->path.n--;
			f->text = (struct str){ line.p + line.n, 0 };
		} else if (f != NULL) {
			f->text.n = (size_t)(line.p + line.n - f->text.p);
		}
	}
	if (r->nfiles == 0)
		r->files[r->nfiles++] = (struct config_file){ STR(""), dump, false };
}

/* One word, or ; { } as themselves; .n == 0 and not quoted at the end. */
static struct str
word_next(struct str *rest, bool *quoted)
{
	struct str w;
	char quote;

	*quoted = false;
	for (;;) {
		while (rest->n > 0 && strchr(" \t\r\n", *rest->p) != NULL)
			*rest = str_skip(*rest, 1);
		if (rest->n == 0 || *rest->p != '#')
			break;
		while (rest->n > 0 && *rest->p != '\n')
			*rest = str_skip(*rest, 1);
	}
	w = str_head(*rest, 0);
	if (rest->n == 0)
		return w;
	if (*rest->p == '"' || *rest->p == '\'') {
		quote = *rest->p;
		*quoted = true;
		*rest = str_skip(*rest, 1);
		w.p = rest->p;
		while (rest->n > 0 && *rest->p != quote)
			*rest = str_skip(*rest,
			    *rest->p == '\\' && rest->n > 1 ? 2 : 1);
		w.n = (size_t)(rest->p - w.p);
		*rest = str_skip(*rest, 1);
		return w;
	}
	if (strchr(";{}", *rest->p) != NULL) {
		w.n = 1;
	} else {
		/* "${name}" is part of a word. */
		while (w.n < rest->n && strchr(" \t\r\n;", w.p[w.n]) == NULL &&
		    !(w.p[w.n] == '{' && (w.n == 0 || w.p[w.n - 1] != '$')))
			w.n++;
	}
	*rest = str_skip(*rest, w.n);
	return w;
}

static void
directive_take(struct reading *r, size_t block, const struct str *words, size_t n)
{
	struct directive d = { block, words[0], STR(""), STR("") };
	struct buf rest = BUF(8192);
	size_t from = 1;

	if (str_eq(words[0], STR("fastcgi_param")) && n > 1)
		d.key = words[from++];
	for (; from < n; from++) {
		if (rest.n > 0)
			buf_putc(&rest, ' ');
		buf_put(&rest, words[from]);
	}
	if (rest.n > 0)
		d.rest = arena_str(r->arena, buf_str(&rest));
	buf_free(&rest);
	if (r->nlines == LINES_MAX || d.rest.p == NULL)
		r->lost = true;
	else
		r->lines[r->nlines++] = d;
}

static void	block_walk(struct reading *, struct str *rest, size_t block);

static void
include_walk(struct reading *r, struct str pattern, size_t block)
{
	struct str dir = r->files[0].path;
	struct str full, path, rest;

	while (dir.n > 0 && dir.p[dir.n - 1] != '/')
		dir.n--;
	if (pattern.n > 0 && *pattern.p == '/')
		dir.n = 0;
	full = arena_printf(r->arena, "%.*s%.*s", STR_ARG(dir), STR_ARG(pattern));
	for (size_t i = 0; i < r->nfiles; i++) {
		path = arena_str(r->arena, r->files[i].path);
		if (full.p == NULL || path.p == NULL) {
			r->lost = true;
			return;
		}
		if (fnmatch(full.p, path.p, FNM_PATHNAME) != 0)
			continue;
		rest = r->files[i].text;
		r->files[i].walked = true;
		block_walk(r, &rest, block);
	}
}

/* Everything up to the end of the block, or of the text. */
static void
block_walk(struct reading *r, struct str *rest, size_t block)
{
	struct str words[16], w;
	size_t n = 0;
	bool quoted;

	if (r->nested == NESTED_MAX) {
		r->lost = true;
		return;
	}
	r->nested++;
	while (!r->lost) {
		w = word_next(rest, &quoted);
		if (!quoted && (w.n == 0 || str_eq(w, STR("}"))))
			break;
		if (!quoted && str_eq(w, STR(";"))) {
			if (n > 1 && str_eq(words[0], STR("include")))
				include_walk(r, words[1], block);
			else if (n > 0)
				directive_take(r, block, words, n);
			n = 0;
		} else if (!quoted && str_eq(w, STR("{"))) {
			if (r->nblocks == BLOCKS_MAX) {
				r->lost = true;
				break;
			}
			r->blocks[r->nblocks] = (struct block){ block,
				n > 0 ? words[0] : STR(""),
				n > 1 ? words[n - 1] : STR("") };
			block_walk(r, rest, r->nblocks++);
			n = 0;
		} else if (n < sizeof(words) / sizeof(words[0])) {
			words[n++] = w;
		}
	}
	r->nested--;
}

/* A directive's effective value: that of the innermost block that has it. */
static const struct directive *
effective(const struct reading *r, size_t block, struct str name, struct str key)
{
	const struct directive *found = NULL;
	bool here = false;

	for (;; block = r->blocks[block].up) {
		for (size_t i = 0; i < r->nlines; i++) {
			if (r->lines[i].block != block ||
			    !str_eq(r->lines[i].name, name))
				continue;
			here = true;
			if (str_eq(r->lines[i].key, key))
				found = &r->lines[i];
		}
		/* One fastcgi_param in a block hides all those outside it. */
		if (here || block == 0)
			return found;
	}
}

/* The upstream block that fastcgi_pass names, or 0. */
static size_t
upstream_find(const struct reading *r, struct str name)
{
	for (size_t i = 1; i < r->nblocks; i++)
		if (str_eq(r->blocks[i].kind, STR("upstream")) &&
		    str_eq(r->blocks[i].label, name))
			return i;
	return 0;
}

static bool
block_says(const struct reading *r, size_t block, struct str name, const char *word)
{
	for (size_t i = 0; i < r->nlines; i++)
		if (r->lines[i].block == block && str_eq(r->lines[i].name, name) &&
		    (word == NULL || holds(r->lines[i].rest, word)))
			return true;
	return false;
}

/* It passes to hooklatch: by a name of socket or upstream, or a parameter. */
static bool
block_is_ours(const struct reading *r, size_t block, struct str pass)
{
	size_t upstream = upstream_find(r, pass);

	if (holds(pass, "hooklatch") || (upstream != 0 &&
	    block_says(r, upstream, STR("server"), "hooklatch")))
		return true;
	for (size_t i = 0; i < r->nlines; i++)
		if (r->lines[i].block == block &&
		    str_starts(r->lines[i].key, STR("HOOKLATCH_")))
			return true;
	return false;
}

static bool
has_words(struct str text, struct str words)
{
	struct str rest, w, have;
	bool there;

	while (words.p != NULL) {
		w = str_cut(&words, ' ');
		there = false;
		for (rest = text; rest.p != NULL && !there;) {
			have = str_cut(&rest, ' ');
			there = str_eq(have, w);
		}
		if (!there)
			return false;
	}
	return true;
}

/* "26m" -> bytes. */
static bool
size_read(struct str text, uint64_t *n)
{
	unsigned shift = 0;

	if (text.n > 0 && strchr("kKmMgG", text.p[text.n - 1]) != NULL) {
		shift = strchr("kK", text.p[text.n - 1]) != NULL ? 10 :
		    strchr("mM", text.p[text.n - 1]) != NULL ? 20 : 30;
		text.n--;
	}
	if (!str_to_u64(text, n) || *n > UINT64_MAX >> shift)
		return false;
	*n <<= shift;
	return true;
}

static bool
line_said(const struct reading *r, size_t block, const struct webserver_line *l)
{
	const struct directive *d;
	struct str name, key = str_of(l->name);

	name = str_cut(&key, ' ');
	d = effective(r, block, name, key.p != NULL ? key : STR(""));
	if (d == NULL)			/* nginx's own default */
		return str_eq(name, STR("fastcgi_request_buffering"));
	if (strcmp(l->value, "\"\"") == 0)
		return d->rest.n == 0;
	return key.p != NULL || has_words(d->rest, str_of(l->value));
}

/* Does a rule of nginx's keep strangers out of it? */
static bool
guarded(const struct reading *r, size_t block)
{
	static const struct { const char *name, *value; } rules[] = {
		{ "deny", "all" }, { "internal", "" }, { "auth_request", "" },
		{ "ssl_verify_client", "on" },
	};
	const struct directive *d;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		for (size_t b = block;; b = r->blocks[b].up) {
			if (block_says(r, b, str_of(rules[i].name), rules[i].value))
				return true;
			if (b == 0)
				break;
		}
	d = effective(r, block, STR("auth_basic"), STR(""));
	return d != NULL && !str_eq(d->rest, STR("off"));
}

static void
metrics_judge(struct reading *r, size_t block)
{
	const struct directive *d = effective(r, block, STR("fastcgi_param"),
	    STR("HOOKLATCH_METRICS"));

	if (d == NULL || d->rest.n == 0 || guarded(r, block))
		return;
	find(r, true, "location %.*s: add \"allow ADDRESS; deny all;\": it sets "
	    "HOOKLATCH_METRICS, so whoever reaches it reads the metrics",
	    STR_ARG(r->blocks[block].label));
}

/* A location that passes to us: has it what it needs? */
static void
location_judge(struct reading *r, size_t block, struct str pass)
{
	struct str at = r->blocks[block].label;
	const struct directive *d;
	uint64_t size = 1u << 20;
	size_t upstream = upstream_find(r, pass);

	for (const struct webserver_line *l = webserver_lines; l->name != NULL; l++)
		if ((l->weight != LINE_CERT || r->certs) && !line_said(r, block, l))
			find(r, l->weight != LINE_SHOULD,
			    "location %.*s: add \"%s %s;\": without it %s",
			    STR_ARG(at), l->name, l->value, l->why);
	d = effective(r, block, STR("client_max_body_size"), STR(""));
	if (d != NULL && !size_read(d->rest, &size))
		size = 0;
	if (size != 0 && size < r->max_body)
		find(r, true, "location %.*s: add \"client_max_body_size %llu;\": "
		    "bodies over %llu bytes are refused before hooklatch sees them",
		    STR_ARG(at), (unsigned long long)r->max_body,
		    (unsigned long long)size);
	d = effective(r, block, STR("underscores_in_headers"), STR(""));
	if (d != NULL && str_eq(d->rest, STR("on")))
		find(r, true, "location %.*s: remove \"underscores_in_headers on;\": "
		    "X_Sig and X-Sig then look alike", STR_ARG(at));
	metrics_judge(r, block);
	/* A named location is a second try, and that is better made anew. */
	if (!str_starts(at, STR("@")) && (upstream == 0 ||
	    !block_says(r, upstream, STR("keepalive"), NULL)))
		find(r, false, "location %.*s: pass to an upstream block with "
		    "\"keepalive 64;\": without it fastcgi_keep_conn keeps nothing",
		    STR_ARG(at));
	if (upstream != 0 ? !block_says(r, upstream, STR("server"), "unix:") :
	    !str_starts(pass, STR("unix:")))
		find(r, false, "location %.*s: fastcgi_pass %.*s goes over TCP: "
		    "whoever can connect there can claim any address",
		    STR_ARG(at), STR_ARG(pass));
}

size_t
webserver_check_nginx(struct str text, uint64_t max_body, bool certs,
    struct finding *out, size_t *locations)
{
	struct reading *r;
	struct str rest, pass;
	size_t n;

	*locations = 0;
	out[0] = (struct finding){ true, "not enough memory to read the file" };
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return 1;
	if ((r->arena = arena_new(4u << 20)) == NULL) {
		free(r);
		return 1;
	}
	r->out = out;
	r->max_body = max_body;
	r->certs = certs;
	files_cut(r, text);
	r->blocks[r->nblocks++] = (struct block){ 0, STR("file"), STR("(file)") };
	/* The first includes the others; what it does not stands for itself. */
	for (size_t i = 0; i < r->nfiles; i++) {
		rest = r->files[i].text;
		if (!r->files[i].walked)
			block_walk(r, &rest, 0);
	}
	for (size_t i = 0; i < r->nlines; i++) {
		if (!str_eq(r->lines[i].name, STR("fastcgi_pass")))
			continue;
		pass = r->lines[i].rest;
		if (!block_is_ours(r, r->lines[i].block, pass))
			continue;
		++*locations;
		location_judge(r, r->lines[i].block, pass);
	}
	if (r->lost)
		find(r, true, "the configuration is too large to be read whole");
	n = r->nout;
	arena_free(r->arena);
	free(r);
	return n;
}

/* --- Apache's ------------------------------------------------------------- */

/* A directive's words, lower case names compared; .p NULL when it is not there. */
static struct str
apache_value(struct str text, struct str name, const char *with)
{
	struct str line, word, found = STR_NONE;

	while (text.p != NULL) {
		line = str_trim(str_cut(&text, '\n'));
		if (!str_starts_nocase(line, name) || line.n == name.n ||
		    (line.p[name.n] != ' ' && line.p[name.n] != '\t'))
			continue;
		word = str_trim(str_skip(line, name.n));
		if (with == NULL || holds(word, with))
			found = word;
	}
	return found;
}

size_t
webserver_check_apache(struct str text, uint64_t max_body, struct finding *out,
    size_t *places)
{
	static const char *const ways[] = {
		"ProxyPass", "ProxyPassMatch", "SetHandler", "FcgidWrapper",
		"ScriptAlias", "ScriptAliasMatch", "FcgidInitialEnv",
	};
	struct reading r = { .out = out };
	struct str v;
	uint64_t size;
	bool fcgid, proxy;

	*places = 0;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (apache_value(text, str_of(ways[i]), "hooklatch").p != NULL)
			++*places;
	if (*places == 0)
		return 0;
	proxy = apache_value(text, STR("ProxyPass"), "hooklatch").p != NULL ||
	    apache_value(text, STR("ProxyPassMatch"), "hooklatch").p != NULL ||
	    apache_value(text, STR("SetHandler"), "hooklatch").p != NULL;
	fcgid = apache_value(text, STR("FcgidWrapper"), "hooklatch").p != NULL ||
	    holds(text, "fcgid-script");

	v = apache_value(text, STR("CGIPassAuth"), NULL);
	if (v.p == NULL || !str_eq_nocase(v, STR("on")))
		find(&r, false, "add \"CGIPassAuth On\" to the hooks' <Location>: without "
		    "it Authorization is dropped, and \"basic\" and \"bearer\" are refused");
	v = apache_value(text, STR("LimitRequestBody"), NULL);
	if (v.p != NULL && str_to_u64(v, &size) && size != 0 && size < max_body)
		find(&r, true, "raise \"LimitRequestBody\" to %llu: larger bodies than "
		    "%llu bytes are refused before hooklatch sees them",
		    (unsigned long long)max_body, (unsigned long long)size);
	v = apache_value(text, STR("FcgidMaxRequestLen"), NULL);
	size = 131072;
	if (v.p != NULL && !str_to_u64(v, &size))
		size = 0;
	if (fcgid && !proxy && size < max_body)
		find(&r, true, "add \"FcgidMaxRequestLen %llu\": mod_fcgid answers 500 to "
		    "bodies over %llu bytes", (unsigned long long)max_body,
		    (unsigned long long)size);
	v = apache_value(text, STR("ProxyPass"), "hooklatch");
	if (v.p != NULL && !holds(v, "timeout="))
		find(&r, false, "add \"timeout=30\" to ProxyPass: else a request waits as "
		    "long as Apache's Timeout");
	return r.nout;
}
