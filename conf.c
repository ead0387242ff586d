/*
 * conf.c - the table of all keys, and what comes from it: reading, defaults,
 * printing, comparing, the JSON Schema and the tables of hooklatch.json(5).
 *
 * A new key is a new row.  What rows of a kind have in common (which texts fit,
 * what an error and the manual call it) stands once, in struct kind.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "letter.h"
#include "service.h"
#include "base/arena.h"
#include "base/buf.h"
#include "engine_url.h"

#define TEXT_MAX	4096	/* of one value that is no secret */
#define SOCKET_MAX	107	/* sizeof(sun_path) - 1 */

/* --- the kinds of values ---------------------------------------------------- */

enum family {
	NUMBER,			/* lands in bool, unsigned or uint64_t */
	FLAG,			/* true or false: lands in bool */
	WORD,			/* of two; the second lands as 1 */
	TEXT,			/* lands in struct str */
	LIST,			/* one or several texts: struct str * and size_t */
	NETS,			/* one or several networks: struct cidr * and size_t */
	PROVIDER,		/* a name, or an object that is kept as its text */
	GROUP,			/* an object whose keys are the level of that name */
	HOOKS,			/* an object from path to hook */
	DESTINATIONS,		/* an object from name to destination */
	PAIRS,			/* an object of texts: struct pair * and size_t */
	DELIVER,		/* names of destinations, each with conditions or not */
	EDITOR,			/* for editors: read over */
};

struct unit {
	const char	*name;
	uint64_t	 factor;
};

struct kind {
	enum family	 family;
	const char	*name;		/* in the manual: "size" */
	const char	*what;		/* in errors: "must be ..." */
	const char	*pattern;	/* in the schema; NULL: none */
	const struct unit *units;	/* of a NUMBER: first the plain one, then
					 * upwards; ended by NULL */
	bool		(*fits)(struct str *);	/* of texts; may normalise */
	const char	*prefix;	/* cut off by fits(), printed again */
	bool		 secret;	/* never repeated in an error */
	bool		 alone;		/* of a LIST: it holds one text only */
};

static const struct unit units_count[] = { { "", 1 }, { NULL, 0 } };
static const struct unit units_size[] = {
	{ "", 1 }, { "k", 1ULL << 10 }, { "m", 1ULL << 20 },
	{ "g", 1ULL << 30 }, { "t", 1ULL << 40 }, { NULL, 0 }
};
static const struct unit units_time[] = {
	{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 },
	{ "h", 3600 * 1000 }, { "d", 24 * 3600 * 1000 }, { NULL, 0 }
};

/* Every byte is one of a set of characters, and there are least to most. */
static bool
all_of(struct str s, size_t least, size_t most, const char *punctuation)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr(punctuation, c) != NULL)))
			return false;
	}
	return s.n >= least && s.n <= most;
}

/* No control characters; what is not ASCII is allowed, for names of files. */
static bool
no_control(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n > 0 && s.n <= TEXT_MAX;
}

static bool
fits_path(struct str *s)
{
	return str_starts(*s, STR("/")) && no_control(*s);
}

static bool
fits_inbox(struct str *s)
{
	struct str path = str_skip(*s, strlen("sqlite:"));
	struct engine_url url;

	if (str_eq(*s, STR("none")) || str_eq(*s, STR("stdout:"))
	    || engine_url(&url, *s) == NULL)
		return true;
	return str_starts(*s, STR("sqlite:")) && fits_path(&path) &&
	    !str_ends(path, STR("/"));
}

static bool
fits_socket(struct str *s)
{
	if (!str_starts(*s, STR("unix:")))
		return false;
	*s = str_skip(*s, strlen("unix:"));
	return fits_path(s) && s->n <= SOCKET_MAX;
}

static bool
fits_log(struct str *s)
{
	struct str path = str_skip(*s, strlen("file:"));

	return str_eq(*s, STR("stderr")) || str_eq(*s, STR("stdout")) ||
	    str_eq(*s, STR("syslog")) ||
	    (str_starts(*s, STR("file:")) && fits_path(&path));
}

/* What is wrong with the path of a hook, or NULL.  DESIGN.md, section 6. */
static const char *
path_wrong(struct str path)
{
	struct str rest = path;
	size_t i;

	if (!str_starts(path, STR("/")))
		return "must begin with \"/\"";
	if (path.n > 1000)
		return "is longer than 1000 bytes";
	for (i = 0; i < path.n; i++) {
		if (path.p[i] <= ' ' || path.p[i] > '~')
			return "holds a byte that is not printable ASCII";
		if (path.p[i] == '%')
			return "holds \"%\": paths are compared as they were "
			    "sent, and are plain";
		if (path.p[i] == '?' || path.p[i] == '#')
			return "holds \"?\" or \"#\": a path ends before them";
	}
	str_cut(&rest, '/');
	while (rest.p != NULL) {
		struct str part = str_cut(&rest, '/');

		if (part.n == 0 && rest.p != NULL)
			return "holds \"//\"";
		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return "holds a segment \".\" or \"..\"";
	}
	return NULL;
}
/* The same for the schema. */
#define PATH_PATTERN \
	"^(?!.*//)(?!.*/\\.\\.?(/|$))/[!\"$&-/0->@-~]*$"

static bool
fits_health(struct str *s)
{
	if (str_eq(*s, STR("none"))) {
		s->n = 0;
		return true;
	}
	/* Cloud Run keeps paths that end in z for itself. */
	return path_wrong(*s) == NULL && !str_ends(*s, STR("z"));
}

static bool
fits_user(struct str *s)
{
	return all_of(*s, 1, 32, "_.-");
}

static bool
fits_pass(struct str *s)
{
	return str_starts(*s, STR("@")) &&
	    all_of(str_skip(*s, 1), 1, 64, "_-");
}

static bool
fits_url(struct str *s)
{
	struct str host;

	if (str_starts(*s, STR("https://")))
		host = str_skip(*s, strlen("https://"));
	else if (str_starts(*s, STR("http://")))
		host = str_skip(*s, strlen("http://"));
	else
		return false;
	return str_printable(host) && s->n <= TEXT_MAX && host.p[0] != '/' &&
	    str_find(host, ' ') == -1 && str_find(host, '#') == -1;
}

static bool
fits_arn(struct str *s)
{
	return str_starts(*s, STR("arn:")) && no_control(*s);
}

/* Where a token's issuer is: https, and what can stand before "/.well-known". */
static bool
fits_issuer(struct str *s)
{
	struct str rest = str_skip(*s, strlen("https://"));

	return str_starts(*s, STR("https://")) && all_of(rest, 1, 1000, "-._~:/") &&
	    rest.p[0] != '/' && !str_ends(rest, STR("/"));
}

static bool
fits_text(struct str *s)
{
	return no_control(*s);
}

bool
conf_is_reference(struct str s)
{
	return str_starts(s, STR("env:")) || str_starts(s, STR("file:")) ||
	    str_starts(s, STR("plain:"));
}

/* Of a destination, of a secret that is captured: also the name of a file. */
#define NAME_PATTERN "[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
static bool
fits_name(struct str s)
{
	return all_of(s, 1, 64, "_.-") && s.p[0] != '.' && s.p[0] != '-';
}

struct str
conf_param(const struct hook *h, enum hook_param param)
{
	return h->params[param].n > 0 ? h->params[param].v[0] : STR_NONE;
}

struct str
conf_captured(struct str s)
{
	return str_starts(s, STR("captured:")) ?
	    str_skip(s, strlen("captured:")) : STR_NONE;
}

static bool
fits_secret(struct str *s)
{
	struct str rest = *s, word = str_cut(&rest, ':');

	if (rest.p == NULL || memchr(s->p, '\0', s->n) != NULL)
		return false;
	if (str_eq(word, STR("env")))
		return all_of(rest, 1, 255, "_") &&
		    !(rest.p[0] >= '0' && rest.p[0] <= '9');
	if (str_eq(word, STR("file")))
		return fits_path(&rest);
	return str_eq(word, STR("plain")) && rest.n > 0;
}

/* A hook's may also be one that a handshake brings. */
static bool
fits_hook_secret(struct str *s)
{
	struct str name = conf_captured(*s);

	return name.p != NULL ? fits_name(name) : fits_secret(s);
}

/* A PEM has newlines. */
static bool
fits_public_key(struct str *s)
{
	if (conf_is_reference(*s))
		return fits_secret(s);
	return s->n > 0 && memchr(s->p, '\0', s->n) == NULL;
}

static bool
fits_method(struct str *s)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT",
	    "PATCH", "DELETE", "OPTIONS", NULL };
	size_t i;

	for (i = 0; known[i] != NULL; i++)
		if (str_eq(*s, str_of(known[i])))
			return true;
	return false;
}

/* "AB:CD..." as openssl(1) prints it becomes "abcd...", as a web server says. */
static bool
fits_cert(struct str *s)
{
	char *p = (char *)(uintptr_t)s->p;	/* the arena's copy, and ours */
	size_t i, n = 0;

	if (str_eq(*s, STR("verified")))
		return true;
	for (i = 0; i < s->n; i++) {
		if (p[i] == ':' && n % 2 == 0)
			continue;
		if (p[i] >= 'A' && p[i] <= 'F')
			p[n++] = (char)(p[i] - 'A' + 'a');
		else if ((p[i] >= '0' && p[i] <= '9') ||
		    (p[i] >= 'a' && p[i] <= 'f'))
			p[n++] = p[i];
		else
			return false;
	}
	s->n = n;
	return n == 40 || n == 64;
}

static bool
fits_argument(struct str *s)
{
	return s->n <= TEXT_MAX && memchr(s->p, '\0', s->n) == NULL;
}

static bool
fits_method_out(struct str *s)
{
	return fits_method(s) && !str_eq(*s, STR("HEAD")) &&
	    !str_eq(*s, STR("OPTIONS"));
}

static bool
fits_header(struct str *s)
{
	return all_of(*s, 1, 100, "-");
}

static bool
fits_variable(struct str *s)
{
	return all_of(*s, 1, 100, "_") && !(s->p[0] >= '0' && s->p[0] <= '9');
}

static bool
fits_template(struct str *s)
{
	return s->n > 0 && s->n <= 64 * 1024;
}

static bool
fits_google(struct str *s)
{
	return str_eq(*s, STR("access")) || str_eq(*s, STR("id"));
}

static bool
fits_place(struct str *s)
{
	struct str rest = *s, kind = str_cut(&rest, ':');

	return rest.n > 0 && no_control(rest) && (str_eq(kind, STR("body")) ||
	    str_eq(kind, STR("field")) || str_eq(kind, STR("header")) ||
	    str_eq(kind, STR("query")));
}

static const struct kind k_flag = { FLAG, "flag", "true or false",
	NULL, NULL, NULL, NULL, false, false };
static const struct kind k_count = { NUMBER, "number", "a whole number",
	NULL, units_count, NULL, NULL, false, false };
static const struct kind k_size = { NUMBER, "size",
	"a size like \"64k\" or \"26m\", or a number of bytes",
	"^[0-9]+[kmgt]?$", units_size, NULL, NULL, false, false };
static const struct kind k_time = { NUMBER, "duration",
	"a duration like \"30s\" or \"7d\", or a number of seconds",
	"^[0-9]+(ms|s|m|h|d)?$", units_time, NULL, NULL, false, false };
static const struct kind k_word = { WORD, "word", "a word",
	NULL, NULL, NULL, NULL, false, false };
static const struct kind k_inbox = { TEXT, "text",
	"\"sqlite:/PATH\", an engine (\"redis:\", \"nats:\" or \"kafka:\"), "
	"\"stdout:\" or \"none\"",
	"^(none|stdout:|sqlite:/.*[^/]|(rediss?|(nats|kafka)(\\+tls)?)://[^/@]+/"
	"[^@]+)$", NULL, fits_inbox, NULL, false, false };
static const struct kind k_socket = { TEXT, "text",
	"\"unix:/PATH\" of at most 107 bytes",
	"^unix:/.{1,106}$", NULL, fits_socket, "unix:", false, false };
static const struct kind k_log = { TEXT, "text",
	"\"stderr\", \"stdout\", \"syslog\" or \"file:/PATH\"",
	"^(stderr|stdout|syslog|file:/.+)$", NULL, fits_log, NULL, false, false };
static const struct kind k_health = { TEXT, "path",
	"\"none\", or a plain path that does not end in \"z\"",
	"^(none|/.*[^z]|/)$", NULL, fits_health, NULL, false, false };
static const struct kind k_path = { TEXT, "path", "an absolute path",
	"^/", NULL, fits_path, NULL, false, false };
static const struct kind k_user = { TEXT, "name",
	"the name of a user or group",
	"^[A-Za-z0-9_.-]{1,32}$", NULL, fits_user, NULL, false, false };
static const struct kind k_pass = { TEXT, "text",
	"\"@\" and the name of a location of nginx "
	"(letters, digits, \"_\", \"-\")",
	"^@[A-Za-z0-9_-]{1,64}$", NULL, fits_pass, NULL, false, false };
static const struct kind k_url = { LIST, "URL",
	"a URL that begins with \"https://\" or \"http://\"",
	"^https?://[^/ #][^ #]*$", NULL, fits_url, NULL, false, true };
static const struct kind k_issuer = { LIST, "URL",
	"a URL that begins with \"https://\", without a query and a \"/\" at its end",
	"^https://[A-Za-z0-9._~:-][A-Za-z0-9._~:/-]*$", NULL, fits_issuer, NULL,
	false, true };
static const struct kind k_arns = { LIST, "ARN or list",
	"an ARN, which begins with \"arn:\"",
	"^arn:", NULL, fits_arn, NULL, false, false };
static const struct kind k_texts = { LIST, "text or list",
	"a text without control characters", "^.+$", NULL, fits_text,
	NULL, false, false };
#define SECRET_PATTERN "(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|plain:(.|\n)+)"
static const struct kind k_token = { LIST, "secret",
	"\"env:NAME\", \"file:/PATH\" or \"plain:TEXT\"",
	"^" SECRET_PATTERN "$", NULL, fits_secret, NULL, true, true };
static const struct kind k_fetch_secret = { TEXT, "secret",
	"\"env:NAME\", \"file:/PATH\" or \"plain:TEXT\"",
	"^" SECRET_PATTERN "$", NULL, fits_secret, NULL, true, false };
static const struct kind k_public_key = { LIST, "key or list",
	"a public key, \"env:NAME\" or \"file:/PATH\"",
	NULL, NULL, fits_public_key, NULL, true, false };
static const struct kind k_cert = { TEXT, "text",
	"\"verified\", or the SHA-1 or SHA-256 fingerprint in hex",
	"^(verified|[0-9A-Fa-f:]{40,95})$", NULL, fits_cert, NULL, false, false };
static const struct kind k_secrets = { LIST, "secret or list",
	"\"env:NAME\", \"file:/PATH\", \"plain:TEXT\" or \"captured:NAME\"",
	"^(" SECRET_PATTERN "|captured:" NAME_PATTERN ")$", NULL,
	fits_hook_secret, NULL, true, false };
static const struct kind k_methods = { LIST, "method or list",
	"GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS",
	"^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$", NULL, fits_method,
	NULL, false, false };
static const struct kind k_nets = { NETS, "network or list",
	"an address or a network like \"192.0.2.0/24\" or \"2001:db8::/32\"",
	"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", NULL, NULL, NULL, false, false };
static const struct kind k_provider = { PROVIDER, "name or object",
	"the name of a provider (see \"hooklatch providers\") or an object",
	"^[a-z0-9][a-z0-9-]{0,63}$", NULL, NULL, NULL, false, false };
static const struct kind k_group = { GROUP, "object", "an object",
	NULL, NULL, NULL, NULL, false, false };
static const struct kind k_hooks = { HOOKS, "object",
	"an object whose keys are the paths of hooks",
	NULL, NULL, NULL, NULL, false, false };
static const struct kind k_destinations = { DESTINATIONS, "object",
	"an object whose keys are the names of destinations",
	NULL, NULL, NULL, NULL, false, false };
static const struct kind k_deliver = { DELIVER, "name or list",
	"the name of a destination, or { \"to\": NAME, \"when\": { ... } }",
	"^" NAME_PATTERN "$", NULL, NULL, NULL, false, false };
static const struct kind k_argv = { LIST, "path or list",
	"the path of a program, and its arguments", "^.+$", NULL, fits_argument,
	NULL, false, false };
static const struct kind k_target = { TEXT, "URL",
	"a URL that begins with \"https://\" or \"http://\"",
	"^https?://[^/ #][^ #]*$", NULL, fits_url, NULL, false, false };
static const struct kind k_method = { TEXT, "method",
	"GET, POST, PUT, PATCH or DELETE",
	"^(GET|POST|PUT|PATCH|DELETE)$", NULL, fits_method_out, NULL, false, false };
static const struct kind k_headers = { PAIRS, "object",
	"an object of texts whose keys are names of headers",
	NULL, NULL, fits_header, NULL, true, false };
static const struct kind k_variables = { PAIRS, "object",
	"an object of texts whose keys are names of variables",
	NULL, NULL, fits_variable, NULL, true, false };
static const struct kind k_template = { TEXT, "text",
	"a template of at most 64 KiB", NULL, NULL, fits_template, NULL, false,
	false };
static const struct kind k_google = { TEXT, "word", "access or id",
	"^(access|id)$", NULL, fits_google, NULL, false, false };
static const struct kind k_plain = { TEXT, "text",
	"a text without control characters", "^.+$", NULL, fits_text,
	NULL, false, false };
static const struct kind k_place = { TEXT, "text",
	"a place like \"body:repository.id\", \"header:X-Shop\" or \"query:shop\"",
	"^(body|field|header|query):.+$", NULL, fits_place, NULL, false, false };
static const struct kind k_editor = { EDITOR, "text", NULL,
	NULL, NULL, NULL, NULL, false, false };

/* --- the table ---------------------------------------------------------------- */

enum level { TOP, LIMITS, USERS, HOOK, DESTINATION, RETRY };
static const char *const level_names[] = { "the file", "limits", "users",
	"a hook", "a destination", "retry" };
/* Where a key belongs that was found elsewhere. */
static const char *const level_places[] = { "the top level of the file",
	"\"limits\"", "\"users\"", "a hook", "a destination",
	"a destination's \"retry\"" };

struct option {
	enum level	 level;
	const char	*name;
	const struct kind *kind;
	size_t		 at;		/* lands there ... */
	size_t		 size;
	const char	*preset;	/* NULL: not given is a value of its own */
	const char	*range;		/* "1 to 1g"; of a WORD "that or this" */
	const char	*means;
	size_t		 count_at;	/* of lists: their length lands there */
};
#define IN(s, member)	offsetof(struct s, member), sizeof(((struct s *)0)->member)
#define N(s, member)	offsetof(struct s, member)
#define NOWHERE		0, 0
#define PARAM(i)	offsetof(struct hook, params) + \
			(size_t)(i) * sizeof(struct texts), sizeof(void *)
#define PARAM_N(i)	offsetof(struct hook, params) + (size_t)(i) * \
			sizeof(struct texts) + offsetof(struct texts, n)

static const struct option options[] = {
{ TOP, "$schema", &k_editor, NOWHERE, NULL, NULL,
  "Where editors find the schema; the programs do not look at it.", 0 },
{ TOP, "inbox", &k_inbox, IN(conf, inbox), NULL, NULL,
  "Where events are committed before they are acknowledged: a SQLite file, an "
  "engine, one line of JSON each on standard output, or nowhere.", 0 },
{ TOP, "inbox_secret", &k_fetch_secret, IN(conf, inbox_secret), NULL, NULL,
  "What the courier shows an engine: USER:PASSWORD, or what stands for both there; "
  "the handler does not see it.", 0 },
{ TOP, "durability", &k_word, IN(conf, durability), "strict",
  "strict or engine-default",
  "strict: an engine that may acknowledge before it has synced is refused; "
  "engine-default: its own word is enough.", 0 },
{ TOP, "courier", &k_socket, IN(conf, courier), NULL, NULL,
  "The socket on which the handler finds the courier.", 0 },
{ TOP, "log", &k_log, IN(conf, log), "stderr", NULL,
  "Where the log goes. A file is kept open: rotate it by copying and truncating "
  "(logrotate's copytruncate), or let a supervisor have the log.", 0 },
{ TOP, "health", &k_health, IN(conf, health), "/health", NULL,
  "The path that answers 200 when an event could be taken now; none: no such "
  "path.", 0 },
{ TOP, "metrics", &k_health, IN(conf, metrics), NULL, NULL,
  "The path where Prometheus reads what was counted: for this machine alone, and for "
  "whom a location of the web server lets in that sets HOOKLATCH_METRICS. Everybody "
  "else is answered 404.", 0 },
{ TOP, "providers", &k_path, IN(conf, providers_dir), NULL, NULL,
  "A directory of provider files, ID.json each, that add to those of the "
  "programs or replace them.", 0 },
{ TOP, "ca_file", &k_path, IN(conf, ca_file), NULL, NULL,
  "Certificates of the authorities that the courier trusts when it fetches keys, "
  "instead of the system's.", 0 },
{ TOP, "quarantine", &k_path, IN(conf, quarantine), NULL, NULL,
  "A directory in which the courier keeps the last requests that were refused, for "
  "hooklatch explain.", 0 },
{ TOP, "volatile", &k_flag, IN(conf, volatile_ok), "false", NULL,
  "Allows an inbox on a tmpfs or on the disk of Cloud Run, which is memory: its "
  "events are lost with it.", 0 },
{ TOP, "workers", &k_count, IN(conf, workers), "0", "0 to 256",
  "Processes that read requests; 0: one for each processor.", 0 },
{ TOP, "users", &k_group, NOWHERE, NULL, NULL,
  "Whom the programs become when root starts them.", 0 },
{ TOP, "limits", &k_group, NOWHERE, NULL, NULL,
  "What memory, disk and time are bounded by.", 0 },
{ TOP, "hooks", &k_hooks, IN(conf, hooks), NULL, NULL,
  "The paths that take requests.", N(conf, nhooks) },
{ TOP, "destinations", &k_destinations, IN(conf, destinations), NULL, NULL,
  "Where events go after they are committed.", N(conf, ndestinations) },

{ USERS, "handler", &k_user, IN(conf, handler_user), "hooklatch", NULL,
  "The user that the handler runs as.", 0 },
{ USERS, "courier", &k_user, IN(conf, courier_user), "hooklatch-courier", NULL,
  "The user that the courier runs as; the inbox is its own.", 0 },
{ USERS, "group", &k_user, IN(conf, socket_group), "www-data", NULL,
  "The group of the web server, which may connect to the handler's socket.", 0 },

{ LIMITS, "worker_memory", &k_size, IN(conf, worker_memory), "64m", "1m to 64g",
  "Memory for requests of one worker.", 0 },
{ LIMITS, "in_flight", &k_count, IN(conf, in_flight), "1024", "1 to 65536",
  "Requests that one worker holds at once; more wait to be accepted.", 0 },
{ LIMITS, "body", &k_size, IN(conf, max_body), "26m", "1 to 1g",
  "Largest body of a request; more is answered 413.", 0 },
{ LIMITS, "json_depth", &k_count, IN(conf, max_depth), "128", "1 to 1000",
  "How deep a JSON body may be nested.", 0 },
{ LIMITS, "json_values", &k_count, IN(conf, max_values), "1000000",
  "1 to 100000000",
  "How many values, of any kind, a JSON body may hold.", 0 },
{ LIMITS, "read_timeout", &k_time, IN(conf, read_timeout), "30s", "100ms to 1h",
  "For a whole request to arrive from the web server, then it is dropped.", 0 },
{ LIMITS, "deadline", &k_time, IN(conf, max_deadline), "10s", "100ms to 10m",
  "Until a request whose event is not yet stored is answered 503; a provider "
  "that waits less long shortens it.", 0 },
{ LIMITS, "inbox_bytes", &k_size, IN(conf, inbox_bytes), "10g", "64k to 1024t",
  "Size of the inbox, all its files together; over it new events are answered "
  "503.", 0 },
{ LIMITS, "inbox_age", &k_time, IN(conf, inbox_age), "30d", "0 to 36500d",
  "How long an event is kept; 0: for ever.", 0 },
{ LIMITS, "inbox_keep", &k_time, IN(conf, inbox_keep), "1d", "0 to 36500d",
  "How long an event is kept even when room is needed.", 0 },
{ LIMITS, "remember", &k_time, IN(conf, remember), "7d", "0 to 36500d",
  "How long, at least, the id of an event is remembered to know a repeat.", 0 },
{ LIMITS, "quarantine_requests", &k_count, IN(conf, quarantine_requests), "100",
  "1 to 100000",
  "How many refused requests the quarantine holds; the oldest goes.", 0 },
{ LIMITS, "quarantine_bytes", &k_size, IN(conf, quarantine_bytes), "16m",
  "64k to 1t",
  "How large the quarantine may be.", 0 },

{ HOOK, "provider", &k_provider, IN(hook, provider), NULL, NULL,
  "Who sends: the name of a provider's file, or an object, which is a provider "
  "of one's own.", 0 },
{ HOOK, "secret", &k_secrets, IN(hook, secrets), NULL, NULL,
  "What the provider signs with or sends; of several any may match.",
  N(hook, nsecrets) },
{ HOOK, "auth", &k_word, IN(hook, auth), "provider", "provider or none",
  "none: anybody may send events to this hook.", 0 },
{ HOOK, "from", &k_nets, IN(hook, from), NULL, NULL,
  "Networks that REMOTE_ADDR must be in; others are answered 403.",
  N(hook, nfrom) },
{ HOOK, "client_cert", &k_cert, IN(hook, client_cert), NULL, NULL,
  "The TLS client certificate that the web server must have seen: any that it "
  "verified, or the one with this fingerprint.", 0 },
{ HOOK, "methods", &k_methods, IN(hook, methods), NULL, NULL,
  "Methods instead of those of the provider's file.", N(hook, nmethods) },
{ HOOK, "body", &k_size, IN(hook, max_body), NULL, "1 to 1g",
  "Largest body of a request, less than the limit for all.", 0 },
{ HOOK, "window", &k_time, IN(hook, window), NULL, "1s to 3650d",
  "How far the signed time may be from ours, instead of what the provider's file "
  "says.", 0 },
{ HOOK, "deadline", &k_time, IN(hook, deadline), NULL, "100ms to 10m",
  "Until a request is answered 503, instead of what the provider's file says.", 0 },
{ HOOK, "handshake", &k_word, IN(hook, open_handshake), "verified",
  "verified or open",
  "open: answers a challenge before the secret held, where the provider's file "
  "provides for it.", 0 },
{ HOOK, "replay", &k_word, IN(hook, refuse_replay), "store", "store or refuse",
  "refuse: the same signed bytes under another id are answered 401, not stored "
  "and marked.", 0 },
{ HOOK, "pass", &k_pass, IN(hook, pass), NULL, NULL,
  "A named location of nginx that gets the request once it is verified.", 0 },
{ HOOK, "verify_token", &k_token, PARAM(PARAM_VERIFY_TOKEN), NULL, NULL,
  "The token that the provider shows in its handshake; a reference like a "
  "secret's.",
  PARAM_N(PARAM_VERIFY_TOKEN) },
{ HOOK, "public_key", &k_public_key, PARAM(PARAM_PUBLIC_KEY), NULL, NULL,
  "The key that the provider's signatures verify with: as it is, or a reference "
  "like a secret's. Of several, while one replaces another, any may hold.",
  PARAM_N(PARAM_PUBLIC_KEY) },
{ HOOK, "client_id", &k_texts, PARAM(PARAM_CLIENT_ID), NULL, NULL,
  "Of the application, as the provider shows it.",
  PARAM_N(PARAM_CLIENT_ID) },
{ HOOK, "app_key", &k_texts, PARAM(PARAM_APP_KEY), NULL, NULL,
  "Of the application, as the provider shows it.",
  PARAM_N(PARAM_APP_KEY) },
{ HOOK, "key_id", &k_texts, PARAM(PARAM_KEY_ID), NULL, NULL,
  "Which of the provider's keys must have signed.",
  PARAM_N(PARAM_KEY_ID) },
{ HOOK, "topic_arn", &k_arns, PARAM(PARAM_TOPIC_ARN), NULL, NULL,
  "The topic that messages must come from.",
  PARAM_N(PARAM_TOPIC_ARN) },
{ HOOK, "webhook_id", &k_texts, PARAM(PARAM_WEBHOOK_ID), NULL, NULL,
  "Of the webhook, as the provider shows it.",
  PARAM_N(PARAM_WEBHOOK_ID) },
{ HOOK, "audience", &k_texts, PARAM(PARAM_AUDIENCE), NULL, NULL,
  "For whom a token must be made out.",
  PARAM_N(PARAM_AUDIENCE) },
{ HOOK, "email", &k_texts, PARAM(PARAM_EMAIL), NULL, NULL,
  "The account that a token must be from.",
  PARAM_N(PARAM_EMAIL) },
{ HOOK, "origin", &k_texts, PARAM(PARAM_ORIGIN), NULL, NULL,
  "The sender that may register itself.",
  PARAM_N(PARAM_ORIGIN) },
{ HOOK, "topic", &k_texts, PARAM(PARAM_TOPIC), NULL, NULL,
  "The topic that a subscription must be for.",
  PARAM_N(PARAM_TOPIC) },
{ HOOK, "issuer", &k_issuer, PARAM(PARAM_ISSUER), NULL, NULL,
  "Who makes out the tokens, where the provider's file finds its keys there.",
  PARAM_N(PARAM_ISSUER) },
{ HOOK, "fetch_secret", &k_fetch_secret, IN(hook, fetch_secret), NULL, NULL,
  "With what the courier asks for the provider's keys, where they are not public; "
  "the handler does not see it.", 0 },
{ HOOK, "token", &k_word, IN(hook, platform_token), "verify",
  "verify or platform",
  "platform: Cloud Run has checked the token's signature and removed it; only its "
  "claims are checked here.", 0 },
{ HOOK, "url", &k_url, PARAM(PARAM_URL), NULL, NULL,
  "The public URL of the hook, where it is among what is signed.",
  PARAM_N(PARAM_URL) },
{ HOOK, "deliver", &k_deliver, IN(hook, deliver), NULL, NULL,
  "The destinations that get this hook's events: names, or objects that say when.",
  N(hook, ndeliver) },

{ DESTINATION, "exec", &k_argv, IN(destination, argv), NULL, NULL,
  "A program to run, with its arguments; no shell. It gets the body on its standard "
  "input.", N(destination, nargv) },
{ DESTINATION, "directory", &k_path, IN(destination, directory), NULL, NULL,
  "Where the program runs, instead of /.", 0 },
{ DESTINATION, "environment", &k_variables, IN(destination, environment), NULL,
  NULL, "Variables that the program gets besides those that hooklatch sets; a value "
  "may be a reference like a secret's.", N(destination, nenvironment) },
{ DESTINATION, "http", &k_target, IN(destination, own_url), NULL, NULL,
  "A URL to send the event to; may hold names in braces behind its host.", 0 },
{ DESTINATION, "service", &k_plain, IN(destination, service), NULL, NULL,
  "A service to send the event to, by the name of its file in services/. What it needs "
  "to know stands beside it, by the names that docs/destinations.md lists.", 0 },
{ DESTINATION, "method", &k_method, IN(destination, method), "POST", NULL,
  "The method of that request.", 0 },
{ DESTINATION, "headers", &k_headers, IN(destination, headers), NULL, NULL,
  "Headers besides those that hooklatch sets; a value may be a reference like a "
  "secret's, or hold names in braces.", N(destination, nheaders) },
{ DESTINATION, "body", &k_template, IN(destination, own_body), NULL, NULL,
  "What is sent instead of the body as it came: JSON with names in braces.", 0 },
{ DESTINATION, "sign", &k_fetch_secret, IN(destination, sign), NULL, NULL,
  "The secret, whsec_..., that requests are signed with, as Standard Webhooks says.",
  0 },
{ DESTINATION, "bearer", &k_fetch_secret, IN(destination, bearer), NULL, NULL,
  "A token for the Authorization header.", 0 },
{ DESTINATION, "basic", &k_fetch_secret, IN(destination, basic), NULL, NULL,
  "USER:PASSWORD for the Authorization header.", 0 },
{ DESTINATION, "google", &k_google, IN(destination, own_google), NULL, NULL,
  "A token of Google's for the Authorization header: access for Google's APIs, id for "
  "services behind Google's front, like Cloud Run.", 0 },
{ DESTINATION, "audience", &k_plain, IN(destination, audience), NULL, NULL,
  "For whom an ID token is made out, instead of the URL without its query.", 0 },
{ DESTINATION, "scope", &k_plain, IN(destination, own_scope), NULL, NULL,
  "What an access token is for, instead of all of Google Cloud; several with spaces "
  "between them.", 0 },
{ DESTINATION, "credentials", &k_fetch_secret, IN(destination, credentials), NULL, NULL,
  "The JSON of Google's credentials that tokens are had with, instead of the file that "
  "GOOGLE_APPLICATION_CREDENTIALS names or else the machine's own.", 0 },
{ DESTINATION, "timeout", &k_time, IN(destination, timeout), "30s", "100ms to 1d",
  "For one attempt.", 0 },
{ DESTINATION, "concurrency", &k_count, IN(destination, concurrency), "8",
  "1 to 256", "Attempts at the same time.", 0 },
{ DESTINATION, "one_at_a_time", &k_flag, IN(destination, one_at_a_time), "false",
  NULL, "The next event waits until the one before it is done or dead.", 0 },
{ DESTINATION, "latest_wins", &k_flag, IN(destination, latest_wins), "false", NULL,
  "Of the events that wait only the newest goes; with serialize_by the newest of "
  "each value.", 0 },
{ DESTINATION, "serialize_by", &k_place, IN(destination, serialize_by), NULL, NULL,
  "Events with the same value in this place go one after the other, in the order in "
  "which they came.", 0 },
{ DESTINATION, "delay", &k_time, IN(destination, delay), "0", "0 to 1d",
  "From the commit to the first attempt; with latest_wins the time in which events "
  "gather.", 0 },
{ DESTINATION, "retry", &k_group, NOWHERE, NULL, NULL,
  "When an attempt that failed is made again.", 0 },

{ RETRY, "first", &k_time, IN(destination, retry_first), "5s", "10ms to 1d",
  "After the first failure; doubled after each that follows.", 0 },
{ RETRY, "most", &k_time, IN(destination, retry_most), "1h", "10ms to 7d",
  "The longest time between two attempts.", 0 },
{ RETRY, "tries", &k_count, IN(destination, tries), "0", "0 to 100000",
  "After so many attempts an event is dead; 0: after give_up.", 0 },
{ RETRY, "give_up", &k_time, IN(destination, give_up), "3d", "1s to 365d",
  "So long after its commit an event is dead.", 0 },
};
#define NOPTIONS	(sizeof(options) / sizeof(options[0]))

const char *const hook_param_names[PARAM_COUNT] = {
	[PARAM_VERIFY_TOKEN] = "verify_token",
	[PARAM_PUBLIC_KEY] = "public_key",
	[PARAM_CLIENT_ID] = "client_id",
	[PARAM_APP_KEY] = "app_key",
	[PARAM_KEY_ID] = "key_id",
	[PARAM_TOPIC_ARN] = "topic_arn",
	[PARAM_WEBHOOK_ID] = "webhook_id",
	[PARAM_AUDIENCE] = "audience",
	[PARAM_EMAIL] = "email",
	[PARAM_ORIGIN] = "origin",
	[PARAM_TOPIC] = "topic",
	[PARAM_ISSUER] = "issuer",
	[PARAM_URL] = "url",
};

/* Engines of later versions. */
static const char *const engines[] = { "pubsub:", NULL };

/* The level that a row of the family GROUP, HOOKS or DESTINATIONS opens. */
static enum level
opens(const struct option *o)
{
	if (o->kind->family == HOOKS)
		return HOOK;
	if (o->kind->family == DESTINATIONS)
		return DESTINATION;
	return strcmp(o->name, "retry") == 0 ? RETRY :
	    strcmp(o->name, "limits") == 0 ? LIMITS : USERS;
}

/* --- numbers ------------------------------------------------------------------ */

static uint64_t
number_get(const struct option *o, const void *base)
{
	const char *at = (const char *)base + o->at;

	switch (o->size) {
	case sizeof(bool):
		return *(const bool *)at;
	case sizeof(unsigned):
		return *(const unsigned *)at;
	default:
		return *(const uint64_t *)at;
	}
}

static void
number_put(const struct option *o, void *base, uint64_t v)
{
	char *at = (char *)base + o->at;

	switch (o->size) {
	case sizeof(bool):
		*(bool *)at = v != 0;
		break;
	case sizeof(unsigned):
		*(unsigned *)at = (unsigned)v;
		break;
	default:
		*(uint64_t *)at = v;
		break;
	}
}

/* "26m" by its units. */
static bool
number_read(const struct unit *units, struct str s, uint64_t *out)
{
	struct str digits, suffix;
	uint64_t v;
	size_t i, n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	digits = str_head(s, n);
	suffix = str_skip(s, n);
	if (n == 0 || !str_to_u64(digits, &v))
		return false;
	for (i = 0; units[i].name != NULL; i++)
		if (str_eq(suffix, str_of(units[i].name)))
			return !__builtin_mul_overflow(v, units[i].factor, out);
	return false;
}

/* By the largest unit that says it exactly, as JSON. */
static void
number_print(struct buf *b, const struct unit *units, uint64_t v)
{
	size_t i = 0;

	while (units[i].name != NULL)
		i++;
	while (v != 0 && --i > 0) {
		if (v % units[i].factor == 0) {
			buf_printf(b, "\"%llu%s\"",
			    (unsigned long long)(v / units[i].factor),
			    units[i].name);
			return;
		}
	}
	buf_printf(b, "%llu", (unsigned long long)(v / units[0].factor));
}

/* "1 to 1g" or "that or this": its two ends. */
static void
range_ends(const struct option *o, struct str *first, struct str *last)
{
	*last = str_of(o->range);
	*first = str_cut(last, ' ');
	str_cut(last, ' ');
}

static bool
in_range(const struct option *o, uint64_t v)
{
	struct str first, last;
	uint64_t least = 0, most = UINT64_MAX;

	range_ends(o, &first, &last);
	number_read(o->kind->units, first, &least);
	number_read(o->kind->units, last, &most);
	return v >= least && v <= most;
}

/* --- networks ----------------------------------------------------------------- */

static bool
net_is_v4(const struct cidr *c)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(c->addr, mapped, sizeof(mapped)) == 0;
}

#define NET_TEXT	(INET6_ADDRSTRLEN + 4)

static void
net_text(const struct cidr *c, char out[NET_TEXT])
{
	bool v4 = net_is_v4(c);
	size_t n;

	inet_ntop(v4 ? AF_INET : AF_INET6, c->addr + (v4 ? 12 : 0), out,
	    INET6_ADDRSTRLEN);
	n = strlen(out);
	snprintf(out + n, NET_TEXT - n, "/%u", v4 ? c->bits - 96 : c->bits);
}

static bool
net_read(struct str s, struct cidr *c)
{
	struct str length = s, text = str_cut(&length, '/');
	char addr[INET6_ADDRSTRLEN];
	uint64_t bits;
	unsigned offset = 0;

	memset(c, 0, sizeof(*c));
	if (text.n == 0 || text.n >= sizeof(addr) ||
	    memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(addr, text.p, text.n);
	addr[text.n] = '\0';
	if (inet_pton(AF_INET, addr, c->addr + 12) == 1) {
		c->addr[10] = c->addr[11] = 0xff;
		offset = 96;
	} else if (inet_pton(AF_INET6, addr, c->addr) != 1) {
		return false;
	}
	bits = 128 - offset;
	if (length.p != NULL && (!str_to_u64(length, &bits) ||
	    bits > 128 - offset))
		return false;
	c->bits = (unsigned)bits + offset;
	return true;
}

/* Clears what is beyond the length; was there anything? */
static bool
net_mask(struct cidr *c)
{
	unsigned i, left;
	bool beyond = false;

	for (i = 0; i < 16; i++) {
		unsigned char keep;

		left = c->bits > 8 * i ? c->bits - 8 * i : 0;
		keep = (unsigned char)(left >= 8 ? 0xff : 0xff00 >> left);
		beyond |= (c->addr[i] & ~keep) != 0;
		c->addr[i] &= keep;
	}
	return beyond;
}

/* --- reading ------------------------------------------------------------------ */

struct reader {
	struct conf	*c;
	struct json_doc	*doc;
	struct err	*e;
};

const char *
conf_nearest(struct str word, const char *const *words)
{
	const char *best = NULL;
	size_t far = 1 + word.n / 4, i;

	/* Longer than any word we have: not worth the squared time. */
	if (word.n > 64)
		return NULL;
	for (i = 0; words[i] != NULL; i++) {
		struct str w = str_of(words[i]);
		size_t d = str_distance(word, w);

		if (d < w.n && (best == NULL ? d <= far : d < far)) {
			best = words[i];
			far = d;
		}
	}
	return best;
}

/* Text of the file as a sentence may repeat it: escaped and not too long. */
struct quoted { char p[160]; };

static struct quoted
quoted(struct str s)
{
	struct quoted q = { "\"...\"" };
	struct buf b = BUF(sizeof(q.p) - 1);

	buf_json(&b, str_head(s, 60));
	if (s.n > 60 && b.n > 0)
		b.n--, buf_put(&b, STR("...\""));
	if (buf_ok(&b)) {
		memcpy(q.p, b.p, b.n);
		q.p[b.n] = '\0';
	}
	buf_free(&b);
	return q;
}

/*
 * What a value is instead of what it should be; a number is its text, unless it
 * could be a secret.
 */
static struct quoted
instead(struct reader *r, const struct option *o, const struct json_object *v)
{
	struct str number = o != NULL && o->kind->secret ? STR("a number") :
	    json_source(r->doc, v);
	struct quoted q;
	const char *word = "null";

	switch (json_kind(v)) {
	case JSON_NUMBER:
		snprintf(q.p, sizeof(q.p), "%.*s",
		    (int)(number.n < 60 ? number.n : 60), number.p);
		return q;
	case JSON_BOOL:
		word = json_bool(v) ? "true" : "false";
		break;
	case JSON_STRING:
		word = "a string";
		break;
	case JSON_ARRAY:
		word = "a list";
		break;
	case JSON_OBJECT:
		word = "an object";
		break;
	case JSON_NONE:
	case JSON_NULL:
		break;
	}
	snprintf(q.p, sizeof(q.p), "%s", word);
	return q;
}

static int
wrong_type(struct reader *r, const struct option *o,
    const struct json_object *v)
{
	return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
	    o->name, o->kind->what, instead(r, o, v).p);
}

static int
no_room(struct reader *r)
{
	return err_set(r->e, ERR_OS, "%.*s: no memory to read it",
	    STR_ARG(r->c->name));
}

static int
number_take(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	uint64_t n;

	if (json_kind(v) == JSON_NUMBER && json_is_int(v) && json_int(v) >= 0) {
		if (__builtin_mul_overflow((uint64_t)json_int(v),
		    o->kind->units[0].factor, &n))
			n = UINT64_MAX;
	} else if (json_kind(v) == JSON_NUMBER && json_is_int(v)) {
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %lld",
		    o->name, o->range, (long long)json_int(v));
	} else if (json_kind(v) != JSON_STRING || o->kind == &k_count) {
		return wrong_type(r, o, v);
	} else if (!number_read(o->kind->units, json_text(v), &n)) {
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
		    o->name, o->kind->what, quoted(json_text(v)).p);
	}
	if (!in_range(o, n))
		return json_err(r->doc, v, r->e, "\"%s\" must be %s",
		    o->name, o->range);
	number_put(o, base, n);
	return 0;
}

static int
word_take(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	struct str first, last;

	range_ends(o, &first, &last);
	if (json_kind(v) != JSON_STRING)
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
		    o->name, o->range, instead(r, o, v).p);
	if (!str_eq(json_text(v), first) && !str_eq(json_text(v), last))
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
		    o->name, o->range, quoted(json_text(v)).p);
	number_put(o, base, str_eq(json_text(v), last));
	return 0;
}

/* One text, of TEXT or of an element of LIST. */
static int
text_take(struct reader *r, const struct option *o,
    const struct json_object *v, struct str *out)
{
	const struct kind *k = o->kind;
	struct engine_url url;
	struct str s;
	size_t i;

	if (json_kind(v) != JSON_STRING)
		return wrong_type(r, o, v);
	/* A password may stand in it: it is not repeated. */
	if (k == &k_inbox && engine_of(json_text(v)) != ENGINE_NONE
	    && !k->fits(&(struct str){ json_text(v).p, json_text(v).n }))
		return json_err(r->doc, v, r->e, "\"%s\" %s", o->name,
		    engine_url(&url, json_text(v)));
	for (i = 0; k == &k_inbox && engines[i] != NULL; i++)
		if (str_starts(json_text(v), str_of(engines[i])))
			return json_err(r->doc, v, r->e, "\"%s\": engines like "
			    "\"%s\" are not in this version; use %s",
			    o->name, engines[i], k->what);
	s = arena_str(r->c->arena, json_text(v));
	if (s.p == NULL)
		return no_room(r);
	if (k->fits(&s)) {
		*out = s;
		return 0;
	}
	if (k->secret)
		return json_err(r->doc, v, r->e, "\"%s\" must be %s",
		    o->name, k->what);
	return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
	    o->name, k->what, quoted(json_text(v)).p);
}

static int
net_take(struct reader *r, const struct option *o,
    const struct json_object *v, struct cidr *out)
{
	char text[NET_TEXT];

	if (json_kind(v) != JSON_STRING)
		return wrong_type(r, o, v);
	if (!net_read(json_text(v), out))
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
		    o->name, o->kind->what, quoted(json_text(v)).p);
	if (net_mask(out)) {
		net_text(out, text);
		return json_err(r->doc, v, r->e, "\"%s\": %s has bits beyond "
		    "its length; did you mean \"%s\"?", o->name,
		    quoted(json_text(v)).p, text);
	}
	return 0;
}

/* LIST and NETS: an element alone is a list of one. */
static int
list_take(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	bool list = json_kind(v) == JSON_ARRAY;
	bool nets = o->kind->family == NETS;
	size_t n = list ? json_count(v) : 1, i;
	size_t each = nets ? sizeof(struct cidr) : sizeof(struct str);
	char *all;

	if (list && o->kind->alone)
		return wrong_type(r, o, v);
	if (n == 0)
		return json_err(r->doc, v, r->e, "\"%s\" is an empty list; "
		    "leave it out or name at least one", o->name);
	if ((all = arena_alloc(r->c->arena, n * each)) == NULL)
		return no_room(r);
	for (i = 0; i < n; i++) {
		const struct json_object *item = list ? json_at(v, i) : v;
		void *at = all + i * each;

		if (list && json_kind(item) != JSON_STRING)
			return json_err(r->doc, item, r->e, "\"%s\" must be "
			    "a list of strings, and one of them is %s", o->name,
			    instead(r, o, item).p);
		if (nets ? net_take(r, o, item, at) : text_take(r, o, item, at))
			return -1;
	}
	memcpy((char *)base + o->at, &all, sizeof(all));
	memcpy((char *)base + o->count_at, &n, sizeof(n));
	return 0;
}

static int
provider_take(struct reader *r, const struct option *o,
    const struct json_object *v, struct hook *h)
{
	struct str id;
	size_t i;

	if (json_kind(v) == JSON_OBJECT) {
		h->own = arena_str(r->c->arena, json_source(r->doc, v));
		h->provider = STR("own");
		return h->own.p == NULL ? no_room(r) : 0;
	}
	if (json_kind(v) != JSON_STRING)
		return wrong_type(r, o, v);
	id = json_text(v);
	if (str_eq(id, STR("own")))
		return json_err(r->doc, v, r->e, "\"own\" is what providers "
		    "written into a hook are called; name another");
	for (i = 0; i < id.n; i++)
		if (!((id.p[i] >= 'a' && id.p[i] <= 'z') ||
		    (id.p[i] >= '0' && id.p[i] <= '9') ||
		    (id.p[i] == '-' && i > 0)))
			break;
	if (id.n == 0 || id.n > 64 || i < id.n)
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, not %s",
		    o->name, o->kind->what, quoted(id).p);
	h->provider = arena_str(r->c->arena, id);
	return h->provider.p == NULL ? no_room(r) : 0;
}

static int
unknown_key(struct reader *r, const struct json_object *v, struct str name,
    enum level level)
{
	const char *names[NOPTIONS + 1], *near;
	const struct option *other = NULL;
	size_t i, n = 0;

	for (i = 0; i < NOPTIONS; i++) {
		if (options[i].level == level)
			names[n++] = options[i].name;
		else if (other == NULL && str_eq(name, str_of(options[i].name)))
			other = &options[i];
	}
	names[n] = NULL;
	if (other != NULL)
		return json_err(r->doc, v, r->e, "unknown key \"%s\" in %s; it "
		    "belongs in %s", other->name, level_names[level],
		    level_places[other->level]);
	if ((near = conf_nearest(name, names)) != NULL)
		return json_err(r->doc, v, r->e,
		    "unknown key %s; did you mean \"%s\"?",
		    quoted(name).p, near);
	return json_err(r->doc, v, r->e, "unknown key %s in %s",
	    quoted(name).p, level_names[level]);
}

/* An object of texts. */
static int
pairs_take(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	size_t n = json_count(v), i;
	struct pair *all;

	if (json_kind(v) != JSON_OBJECT)
		return wrong_type(r, o, v);
	if ((all = arena_alloc(r->c->arena, (n + 1) * sizeof(*all))) == NULL)
		return no_room(r);
	for (i = 0; i < n; i++) {
		const struct json_object *text;
		struct str name;

		text = json_nth(v, i, &name);
		if (json_kind(text) != JSON_STRING || !o->kind->fits(&name))
			return json_err(r->doc, text, r->e, "\"%s\" must be %s",
			    o->name, o->kind->what);
		all[i].name = arena_str(r->c->arena, name);
		all[i].value = arena_str(r->c->arena, json_text(text));
		if (all[i].name.p == NULL || all[i].value.p == NULL)
			return no_room(r);
		if (memchr(all[i].value.p, '\0', all[i].value.n) != NULL ||
		    (conf_is_reference(all[i].value) &&
		    !fits_secret(&all[i].value)))
			return json_err(r->doc, text, r->e, "%s of \"%s\" is "
			    "neither a text nor \"env:NAME\", \"file:/PATH\" or "
			    "\"plain:TEXT\"", quoted(name).p, o->name);
	}
	memcpy((char *)base + o->at, &all, sizeof(all));
	memcpy((char *)base + o->count_at, &n, sizeof(n));
	return 0;
}

/* "NAME", or { "to": "NAME", "when": { ... } }. */
static int
deliver_one(struct reader *r, const struct option *o,
    const struct json_object *v, struct deliver *d)
{
	const struct json_object *to = v;
	struct str name;

	if (json_kind(v) == JSON_OBJECT) {
		to = NULL;
		for (size_t i = 0; i < json_count(v); i++) {
			const struct json_object *value = json_nth(v, i, &name);

			if (str_eq(name, STR("to")))
				to = value;
			else if (!str_eq(name, STR("when")))
				return json_err(r->doc, value, r->e, "unknown key "
				    "%s in \"%s\"; it has \"to\" and \"when\"",
				    quoted(name).p, o->name);
			else if (json_kind(value) != JSON_OBJECT)
				return json_err(r->doc, value, r->e, "\"when\" must "
				    "be an object, not %s",
				    instead(r, NULL, value).p);
			else if ((d->when = arena_str(r->c->arena,
			    json_source(r->doc, value))).p == NULL)
				return no_room(r);
		}
	}
	if (json_kind(to) != JSON_STRING || !fits_name(json_text(to)))
		return json_err(r->doc, v, r->e, "\"%s\" must be %s, or a list of "
		    "those", o->name, o->kind->what);
	d->to = arena_str(r->c->arena, json_text(to));
	return d->to.p != NULL ? 0 : no_room(r);
}

#define DELIVER_MOST	32	/* destinations of one hook */

static int
deliver_take(struct reader *r, const struct option *o,
    const struct json_object *v, void *base)
{
	bool list = json_kind(v) == JSON_ARRAY;
	size_t n = list ? json_count(v) : 1, i, j;
	struct deliver *all;

	if (n > DELIVER_MOST)
		return json_err(r->doc, v, r->e, "\"%s\" names more than %d",
		    o->name, DELIVER_MOST);
	if ((all = arena_alloc(r->c->arena, (n + 1) * sizeof(*all))) == NULL)
		return no_room(r);
	for (i = 0; i < n; i++) {
		const struct json_object *item = list ? json_at(v, i) : v;

		if (deliver_one(r, o, item, &all[i]) == -1)
			return -1;
		for (j = 0; j < i; j++)
			if (str_eq(all[i].to, all[j].to))
				return json_err(r->doc, item, r->e, "\"%s\" names "
				    "%s twice", o->name, quoted(all[i].to).p);
	}
	memcpy((char *)base + o->at, &all, sizeof(all));
	memcpy((char *)base + o->count_at, &n, sizeof(n));
	return 0;
}

static int	hooks_take(struct reader *, const struct json_object *);
static int	destinations_take(struct reader *, const struct json_object *);

/* Of the service that the destination names. */
static bool
is_parameter(const struct json_object *destination, struct str name)
{
	const struct json_object *service = json_member(destination, "service");

	return json_kind(service) == JSON_STRING &&
	    service_takes(json_text(service), name);
}

static int
param_take(struct reader *r, const struct json_object *destination,
    const struct json_object *v, struct str name, struct destination *d)
{
	struct pair *p;

	if (json_kind(v) != JSON_STRING || !no_control(json_text(v)))
		return json_err(r->doc, v, r->e, "%s must be a text without control "
		    "characters, not %s", quoted(name).p, instead(r, NULL, v).p);
	if (d->params == NULL && (d->params = arena_alloc(r->c->arena,
	    json_count(destination) * sizeof(*d->params))) == NULL)
		return no_room(r);
	p = &d->params[d->nparams++];
	p->name = arena_str(r->c->arena, name);
	p->value = arena_str(r->c->arena, json_text(v));
	return p->name.p == NULL || p->value.p == NULL ? no_room(r) : 0;
}

/* The members of one object, by the rows of its level. */
static int
level_take(struct reader *r, const struct json_object *object,
    enum level level, void *base)
{
	size_t i, j;

	for (i = 0; i < json_count(object); i++) {
		const struct option *o = NULL;
		const struct json_object *v;
		struct str name;
		int rc = 0;

		v = json_nth(object, i, &name);
		for (j = 0; j < NOPTIONS && o == NULL; j++)
			if (options[j].level == level &&
			    str_eq(name, str_of(options[j].name)))
				o = &options[j];
		if (o == NULL && level == DESTINATION && is_parameter(object, name)) {
			if (param_take(r, object, v, name, base) == -1)
				return -1;
			continue;
		}
		if (o == NULL)
			return unknown_key(r, v, name, level);
		switch (o->kind->family) {
		case NUMBER:
			rc = number_take(r, o, v, base);
			break;
		case FLAG:
			if (json_kind(v) != JSON_BOOL)
				return wrong_type(r, o, v);
			number_put(o, base, json_bool(v));
			break;
		case WORD:
			rc = word_take(r, o, v, base);
			break;
		case TEXT:
			rc = text_take(r, o, v, (void *)((char *)base + o->at));
			break;
		case LIST:
		case NETS:
			rc = list_take(r, o, v, base);
			break;
		case PROVIDER:
			rc = provider_take(r, o, v, base);
			break;
		case GROUP:
			if (json_kind(v) != JSON_OBJECT)
				return wrong_type(r, o, v);
			rc = level_take(r, v, opens(o), base);
			if (rc == 0 && r->c->inbox_age != 0 &&
			    r->c->inbox_keep > r->c->inbox_age)
				return json_err(r->doc, v, r->e,
				    "\"inbox_keep\" is longer than \"inbox_age\"");
			break;
		case HOOKS:
			if (json_kind(v) != JSON_OBJECT)
				return wrong_type(r, o, v);
			rc = hooks_take(r, v);
			break;
		case DESTINATIONS:
			if (json_kind(v) != JSON_OBJECT)
				return wrong_type(r, o, v);
			rc = destinations_take(r, v);
			break;
		case PAIRS:
			rc = pairs_take(r, o, v, base);
			break;
		case DELIVER:
			rc = deliver_take(r, o, v, base);
			break;
		case EDITOR:
			break;
		}
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* What a level is before its keys are read. */
static void
level_preset(enum level level, void *base)
{
	size_t i;

	for (i = 0; i < NOPTIONS; i++) {
		const struct option *o = &options[i];
		struct str preset = str_of(o->preset);
		uint64_t n;

		if (o->level != level || preset.p == NULL)
			continue;
		switch (o->kind->family) {
		case NUMBER:
			if (number_read(o->kind->units, preset, &n))
				number_put(o, base, n);
			break;
		case TEXT:
			memcpy((char *)base + o->at, &preset, sizeof(preset));
			break;
		default:	/* flags and words: zero is the first of them */
			break;
		}
	}
	if (level == HOOK)
		((struct hook *)base)->window = -1;
}

/* Keys that are fine alone and wrong together. */
static int
hook_finish(struct reader *r, const struct json_object *v, struct hook *h)
{
	if (h->auth == AUTH_NONE && (h->nsecrets > 0 ||
	    h->params[PARAM_PUBLIC_KEY].n > 0))
		return json_err(r->doc, v, r->e, "hook %s has \"auth\": "
		    "\"none\" and a %s; one of them is too much",
		    quoted(h->path).p,
		    h->nsecrets > 0 ? "secret" : "public key");
	if (h->auth == AUTH_PROVIDER && h->provider.p == NULL)
		return json_err(r->doc, v, r->e, "hook %s has no \"provider\"; "
		    "if anybody may send to it, say \"auth\": \"none\"",
		    quoted(h->path).p);
	return 0;
}

static int
hooks_take(struct reader *r, const struct json_object *hooks)
{
	size_t i, n = json_count(hooks);
	struct json_where where = { 0 };
	struct conf *c = r->c;

	c->hooks = arena_alloc(c->arena, (n + 1) * sizeof(*c->hooks));
	if (c->hooks == NULL)
		return no_room(r);
	for (i = 0; i < n; i++) {
		struct hook *h = &c->hooks[i];
		const struct json_object *v;
		const char *wrong;
		struct str path;

		v = json_nth(hooks, i, &path);
		if ((wrong = path_wrong(path)) != NULL)
			return json_err(r->doc, v, r->e, "path %s of a hook %s",
			    quoted(path).p, wrong);
		if (json_kind(v) != JSON_OBJECT)
			return json_err(r->doc, v, r->e, "hook %s must be an "
			    "object, not %s", quoted(path).p,
			    instead(r, NULL, v).p);
		level_preset(HOOK, h);
		json_where(r->doc, v, &where);
		h->where = arena_printf(c->arena, "%.*s:%zu:%zu",
		    STR_ARG(c->name), where.line, where.column);
		h->path = arena_str(c->arena, path);
		if (h->where.p == NULL || h->path.p == NULL)
			return no_room(r);
		c->nhooks++;
		if (level_take(r, v, HOOK, h) == -1 ||
		    hook_finish(r, v, h) == -1)
			return -1;
	}
	return 0;
}

/* Is a template of it none? */
static bool
letters_wrong(const struct destination *d, struct err *e)
{
	if (letter_check(d->url, LETTER_URL, e) == -1) {
		err_at(e, "\"%s\"", d->service.n > 0 ? "service" : "http");
		return true;
	}
	for (size_t i = 0; i < d->nheaders; i++)
		if (letter_check_header(d->headers[i].name, e) == -1 ||
		    (!conf_is_reference(d->headers[i].value) && letter_check(
		    d->headers[i].value, LETTER_HEADER, e) == -1)) {
			err_at(e, "\"headers\"");
			return true;
		}
	if (d->body.n == 0 || letter_check(d->body, LETTER_JSON, e) == 0)
		return false;
	err_at(e, "\"body\"");
	return true;
}

/* Keys of the other kind of destination, and pairs that do not go together. */
static int
destination_finish(struct reader *r, const struct json_object *v,
    struct destination *d)
{
	bool exec = d->nargv > 0, service = d->service.n > 0;
	bool http = d->own_url.n > 0 || service;
	const char *odd = http && d->directory.n > 0 ? "directory" :
	    http && d->nenvironment > 0 ? "environment" :
	    exec && d->nheaders > 0 ? "headers" : exec && d->own_body.n > 0 ? "body" :
	    exec && d->sign.n > 0 ? "sign" : exec && d->bearer.n > 0 ? "bearer" :
	    exec && d->basic.n > 0 ? "basic" : exec && d->own_google.n > 0 ?
	    "google" : exec && d->audience.n > 0 ? "audience" :
	    exec && d->own_scope.n > 0 ? "scope" :
	    exec && d->credentials.n > 0 ? "credentials" : NULL;
	char names[256];
	unsigned who;
	bool id;
	struct err e;

	if (exec == http || (service && d->own_url.n > 0))
		return json_err(r->doc, v, r->e, "destination %s needs one of "
		    "\"exec\", \"http\" and \"service\"", quoted(d->name).p);
	if (service && !service_is(d->service))
		return json_err(r->doc, v, r->e, "destination %s: there is no service "
		    "%s; there are %s", quoted(d->name).p, quoted(d->service).p,
		    service_names(names));
	if (service && d->own_google.n > 0)
		return json_err(r->doc, v, r->e, "destination %s: the service says which "
		    "token it wants; leave \"google\" out", quoted(d->name).p);
	d->url = d->own_url;
	d->body = d->own_body;
	d->google = d->own_google;
	d->scope = d->own_scope;
	if (service && service_apply(d, r->c->arena, &e) == -1)
		return json_err(r->doc, v, r->e, "destination %s: %s",
		    quoted(d->name).p, e.text);
	who = (d->bearer.n > 0) + (d->basic.n > 0) + (d->google.n > 0);
	id = str_eq(d->google, STR("id"));
	if (odd != NULL)
		return json_err(r->doc, v, r->e, "destination %s: \"%s\" goes with "
		    "\"%s\"", quoted(d->name).p, odd, exec ? "http" : "exec");
	if (exec && (d->argv[0].n == 0 || d->argv[0].p[0] != '/'))
		return json_err(r->doc, v, r->e, "destination %s: \"exec\" begins "
		    "with the whole path of a program, like \"/usr/local/bin/"
		    "deploy\"", quoted(d->name).p);
	if (http && letters_wrong(d, &e))
		return json_err(r->doc, v, r->e, "destination %s: %s",
		    quoted(d->name).p, e.text);
	if (who > 1)
		return json_err(r->doc, v, r->e, "destination %s has more than one of "
		    "\"bearer\", \"basic\" and \"google\"", quoted(d->name).p);
	if (d->audience.n > 0 && !id)
		return json_err(r->doc, v, r->e, "destination %s: \"audience\" goes "
		    "with \"google\": \"id\"", quoted(d->name).p);
	if (d->own_scope.n > 0 && (d->google.n == 0 || id))
		return json_err(r->doc, v, r->e, "destination %s: \"scope\" goes with "
		    "\"google\": \"access\"", quoted(d->name).p);
	if (d->credentials.n > 0 && d->google.n == 0)
		return json_err(r->doc, v, r->e, "destination %s: \"credentials\" goes "
		    "with \"google\"", quoted(d->name).p);
	if (d->retry_first > d->retry_most)
		return json_err(r->doc, v, r->e, "destination %s: \"first\" of "
		    "\"retry\" is longer than \"most\"", quoted(d->name).p);
	d->kind = exec ? TO_EXEC : TO_HTTP;
	return 0;
}

static int
destinations_take(struct reader *r, const struct json_object *all)
{
	size_t i, n = json_count(all);
	struct json_where where = { 0 };
	struct conf *c = r->c;

	c->destinations = arena_alloc(c->arena, (n + 1) * sizeof(*c->destinations));
	if (c->destinations == NULL)
		return no_room(r);
	for (i = 0; i < n; i++) {
		struct destination *d = &c->destinations[i];
		const struct json_object *v;
		struct str name;

		v = json_nth(all, i, &name);
		if (!fits_name(name))
			return json_err(r->doc, v, r->e, "name %s of a destination "
			    "must be letters, digits, \"_\", \".\" or \"-\", at most "
			    "64", quoted(name).p);
		if (json_kind(v) != JSON_OBJECT)
			return json_err(r->doc, v, r->e, "destination %s must be an "
			    "object, not %s", quoted(name).p,
			    instead(r, NULL, v).p);
		level_preset(DESTINATION, d);
		level_preset(RETRY, d);
		json_where(r->doc, v, &where);
		d->where = arena_printf(c->arena, "%.*s:%zu:%zu",
		    STR_ARG(c->name), where.line, where.column);
		d->name = arena_str(c->arena, name);
		if (d->where.p == NULL || d->name.p == NULL)
			return no_room(r);
		c->ndestinations++;
		if (level_take(r, v, DESTINATION, d) == -1 ||
		    destination_finish(r, v, d) == -1)
			return -1;
	}
	return 0;
}

const struct destination *
conf_destination(const struct conf *c, struct str name)
{
	for (size_t i = 0; i < c->ndestinations; i++)
		if (str_eq(c->destinations[i].name, name))
			return &c->destinations[i];
	return NULL;
}

/* Each name of a hook's "deliver" is a destination. */
static int
deliver_finish(const struct conf *c, const struct hook *h, struct err *e)
{
	const char *names[1024], *near;
	size_t n = 0;

	for (size_t i = 0; i < h->ndeliver; i++) {
		if (conf_destination(c, h->deliver[i].to) != NULL)
			continue;
		for (size_t j = 0; j < c->ndestinations && n < 1023; j++)
			names[n++] = c->destinations[j].name.p;
		names[n] = NULL;
		near = conf_nearest(h->deliver[i].to, names);
		return err_set(e, ERR_CONF, "%.*s: hook %s: there is no destination "
		    "%s%s%s%s", STR_ARG(h->where), quoted(h->path).p,
		    quoted(h->deliver[i].to).p, near != NULL ?
		    "; did you mean \"" : "; name it in \"destinations\"",
		    near != NULL ? near : "", near != NULL ? "\"?" : "");
	}
	return 0;
}

/* What depends on keys that stand anywhere in the file. */
static int
conf_finish(struct conf *c, struct err *e)
{
	size_t i;

	if (c->inbox.p != NULL)
		conf_set_inbox(c, c->inbox);
	if (c->metrics.n > 0 && str_eq(c->metrics, c->health))
		return err_set(e, ERR_CONF, "%.*s: \"metrics\" has the path of "
		    "\"health\"; give one of them another", STR_ARG(c->name));
	for (i = 0; i < c->nhooks; i++) {
		const struct hook *h = &c->hooks[i];
		const char *more = h->max_body > c->max_body ? "body" :
		    h->deadline > c->max_deadline ? "deadline" : NULL;

		const char *page = c->health.n > 0 && str_eq(h->path,
		    c->health) ? "health" : c->metrics.n > 0 && str_eq(h->path,
		    c->metrics) ? "metrics" : NULL;

		if (page != NULL)
			return err_set(e, ERR_CONF, "%.*s: hook %s has the path "
			    "of \"%s\"; give one of them another",
			    STR_ARG(h->where), quoted(h->path).p, page);
		if (more != NULL)
			return err_set(e, ERR_CONF, "%.*s: \"%s\" of hook %s is "
			    "more than \"limits\" allows; raise \"%s\" there",
			    STR_ARG(h->where), more, quoted(h->path).p, more);
		if (deliver_finish(c, h, e) == -1)
			return -1;
	}
	return 0;
}

void
conf_set_inbox(struct conf *c, struct str written)
{
	c->inbox = written;
	c->inbox_path = STR_NONE;
	if (str_starts(written, STR("sqlite:"))) {
		c->inbox_kind = INBOX_SQLITE;
		c->inbox_path = str_skip(written, strlen("sqlite:"));
	} else {
		c->inbox_kind = str_eq(written, STR("stdout:")) ? INBOX_STDOUT :
		    engine_of(written) != ENGINE_NONE ? INBOX_ENGINE :
		    INBOX_NONE;
	}
}

bool
conf_keeps(enum inbox_kind kind)
{
	return kind == INBOX_SQLITE || kind == INBOX_ENGINE;
}

struct conf *
conf_read(struct str text, const char *name, struct err *e)
{
	struct reader r = { NULL, NULL, e };
	struct arena *a;

	if (text.n > CONF_TEXT_MAX) {
		err_set(e, ERR_CONF, "%s: is longer than %d MiB", name,
		    CONF_TEXT_MAX >> 20);
		return NULL;
	}
	/* More than the densest file needs: a list of one-letter secrets. */
	a = arena_new(64 * text.n + (1 << 20));
	r.c = a == NULL ? NULL : arena_alloc(a, sizeof(*r.c));
	if (r.c == NULL) {
		arena_free(a);
		err_set(e, ERR_OS, "%s: no memory to read it", name);
		return NULL;
	}
	r.c->arena = a;
	r.c->name = arena_str(a, str_of(name));
	level_preset(TOP, r.c);
	level_preset(LIMITS, r.c);
	level_preset(USERS, r.c);
	if ((r.doc = json_read(text, name, e)) == NULL)
		goto bad;
	if (json_kind(json_root(r.doc)) != JSON_OBJECT) {
		err_set(e, ERR_CONF, "%s:1:1: a configuration is an object, "
		    "{ ... }", name);
		goto bad;
	}
	if (level_take(&r, json_root(r.doc), TOP, r.c) == -1 ||
	    conf_finish(r.c, e) == -1)
		goto bad;
	json_close(r.doc);
	return r.c;
bad:
	json_close(r.doc);
	conf_free(r.c);
	return NULL;
}

void
conf_free(struct conf *c)
{
	if (c != NULL)
		arena_wipe(c->arena);	/* "plain:" secrets, and c itself */
}

/* --- printing ------------------------------------------------------------------- */

static struct str
text_get(const struct option *o, const void *base)
{
	return *(const struct str *)(const void *)((const char *)base + o->at);
}

static void
list_get(const struct option *o, const void *base, const void **all, size_t *n)
{
	memcpy(all, (const char *)base + o->at, sizeof(*all));
	memcpy(n, (const char *)base + o->count_at, sizeof(*n));
}

/* Is there a value to print?  What is not given has none, and no default. */
static bool
given(const struct option *o, const void *base)
{
	const void *all;
	size_t n;

	switch (o->kind->family) {
	case NUMBER:
		return o->preset != NULL || in_range(o, number_get(o, base));
	case TEXT:
	case PROVIDER:
		return text_get(o, base).p != NULL;
	case LIST:
	case NETS:
	case PAIRS:
	case DELIVER:
		list_get(o, base, &all, &n);
		return n > 0;
	case HOOKS:
	case DESTINATIONS:
	case GROUP:
	case FLAG:
	case WORD:
		return true;
	case EDITOR:
		break;
	}
	return false;
}

static void
text_print(struct buf *b, const struct kind *k, struct str s)
{
	struct buf whole = BUF(SIZE_MAX / 2);

	if (k->prefix == NULL) {
		buf_json(b, s.n > 0 ? s : STR("none"));
		return;
	}
	buf_put(&whole, str_of(k->prefix));
	buf_put(&whole, s);
	buf_json(b, buf_str(&whole));
	buf_free(&whole);
}

static void
list_print(struct buf *b, const struct option *o, const void *base)
{
	bool nets = o->kind->family == NETS;
	char net[NET_TEXT];
	const void *all;
	size_t n, i;

	list_get(o, base, &all, &n);
	if (n > 1)
		buf_putc(b, '[');
	for (i = 0; i < n; i++) {
		if (nets)
			net_text((const struct cidr *)all + i, net);
		buf_put(b, i > 0 ? STR(", ") : STR(""));
		buf_json(b, nets ? str_of(net) : ((const struct str *)all)[i]);
	}
	if (n > 1)
		buf_putc(b, ']');
}

static void
indent(struct buf *b, unsigned depth)
{
	buf_putc(b, '\n');
	while (depth-- > 0)
		buf_putc(b, '\t');
}

static void
pairs_print(struct buf *b, const struct option *o, const void *base)
{
	const void *all;
	size_t n, i;

	list_get(o, base, &all, &n);
	buf_putc(b, '{');
	for (i = 0; i < n; i++) {
		const struct pair *p = (const struct pair *)all + i;

		buf_put(b, i > 0 ? STR(", ") : STR(" "));
		buf_json(b, p->name);
		buf_put(b, STR(": "));
		buf_json(b, p->value);
	}
	buf_put(b, STR(" }"));
}

static void
deliver_print(struct buf *b, const struct hook *h)
{
	buf_putc(b, '[');
	for (size_t i = 0; i < h->ndeliver; i++) {
		const struct deliver *d = &h->deliver[i];

		buf_put(b, i > 0 ? STR(", ") : STR(""));
		if (d->when.n == 0) {
			buf_json(b, d->to);
			continue;
		}
		buf_put(b, STR("{ \"to\": "));
		buf_json(b, d->to);
		buf_put(b, STR(", \"when\": "));
		buf_put(b, d->when);
		buf_put(b, STR(" }"));
	}
	buf_putc(b, ']');
}

/* Behind the rows, of which some are always there. */
static void
params_print(struct buf *b, const struct destination *d, unsigned depth)
{
	for (size_t i = 0; i < d->nparams; i++) {
		buf_putc(b, ',');
		indent(b, depth);
		buf_json(b, d->params[i].name);
		buf_put(b, STR(": "));
		buf_json(b, d->params[i].value);
	}
}

static void
level_print(struct buf *b, enum level level, const void *base, unsigned depth)
{
	const char *sep = "";
	struct str first, last;
	size_t i, j;

	buf_putc(b, '{');
	for (i = 0; i < NOPTIONS; i++) {
		const struct option *o = &options[i];
		const struct conf *c = base;

		if (o->level != level || !given(o, base))
			continue;
		buf_put(b, str_of(sep));
		sep = ",";
		indent(b, depth + 1);
		buf_printf(b, "\"%s\": ", o->name);
		switch (o->kind->family) {
		case NUMBER:
			number_print(b, o->kind->units, number_get(o, base));
			break;
		case FLAG:
			buf_put(b, number_get(o, base) ? STR("true") :
			    STR("false"));
			break;
		case WORD:
			range_ends(o, &first, &last);
			buf_json(b, number_get(o, base) ? last : first);
			break;
		case TEXT:
			text_print(b, o->kind, text_get(o, base));
			break;
		case LIST:
		case NETS:
			list_print(b, o, base);
			break;
		case PROVIDER:
			if (((const struct hook *)base)->own.p != NULL)
				buf_put(b, ((const struct hook *)base)->own);
			else
				buf_json(b, text_get(o, base));
			break;
		case GROUP:
			level_print(b, opens(o), base, depth + 1);
			break;
		case HOOKS:
			buf_putc(b, '{');
			for (j = 0; j < c->nhooks; j++) {
				buf_put(b, j > 0 ? STR(",") : STR(""));
				indent(b, depth + 2);
				buf_json(b, c->hooks[j].path);
				buf_put(b, STR(": "));
				level_print(b, HOOK, &c->hooks[j], depth + 2);
			}
			indent(b, depth + 1);
			buf_putc(b, '}');
			break;
		case DESTINATIONS:
			buf_putc(b, '{');
			for (j = 0; j < c->ndestinations; j++) {
				buf_put(b, j > 0 ? STR(",") : STR(""));
				indent(b, depth + 2);
				buf_json(b, c->destinations[j].name);
				buf_put(b, STR(": "));
				level_print(b, DESTINATION, &c->destinations[j],
				    depth + 2);
			}
			indent(b, depth + 1);
			buf_putc(b, '}');
			break;
		case PAIRS:
			pairs_print(b, o, base);
			break;
		case DELIVER:
			deliver_print(b, base);
			break;
		case EDITOR:
			break;
		}
	}
	if (level == DESTINATION)
		params_print(b, base, depth + 1);
	indent(b, depth);
	buf_putc(b, '}');
}

void
conf_print(struct buf *b, const struct conf *c)
{
	level_print(b, TOP, c, 0);
	buf_putc(b, '\n');
}

/* --- comparing ------------------------------------------------------------------ */

static bool
list_equal(const struct option *o, const void *a, const void *b)
{
	const void *pa, *pb;
	size_t na, nb, i;

	list_get(o, a, &pa, &na);
	list_get(o, b, &pb, &nb);
	if (na != nb)
		return false;
	for (i = 0; i < na; i++) {
		const struct cidr *ca = pa, *cb = pb;
		const struct str *sa = pa, *sb = pb;

		if (o->kind->family == NETS ? ca[i].bits != cb[i].bits ||
		    memcmp(ca[i].addr, cb[i].addr, sizeof(ca[i].addr)) != 0 :
		    !str_eq(sa[i], sb[i]))
			return false;
	}
	return true;
}

static bool
pairs_equal(const struct option *o, const void *a, const void *b)
{
	const void *pa, *pb;
	size_t na, nb, i;

	list_get(o, a, &pa, &na);
	list_get(o, b, &pb, &nb);
	for (i = 0; na == nb && i < na; i++) {
		const struct pair *one = (const struct pair *)pa + i;
		const struct pair *two = (const struct pair *)pb + i;

		if (!str_eq(one->name, two->name) || !str_eq(one->value, two->value))
			return false;
	}
	return na == nb;
}

static bool
params_equal(const struct destination *a, const struct destination *b)
{
	for (size_t i = 0; a->nparams == b->nparams && i < a->nparams; i++)
		if (!str_eq(a->params[i].name, b->params[i].name) ||
		    !str_eq(a->params[i].value, b->params[i].value))
			return false;
	return a->nparams == b->nparams;
}

static bool
deliver_equal(const struct hook *a, const struct hook *b)
{
	size_t i;

	for (i = 0; a->ndeliver == b->ndeliver && i < a->ndeliver; i++)
		if (!str_eq(a->deliver[i].to, b->deliver[i].to) ||
		    !str_eq(a->deliver[i].when, b->deliver[i].when))
			return false;
	return a->ndeliver == b->ndeliver;
}

static bool
level_equal(enum level level, const void *a, const void *b)
{
	const struct hook *ha = a, *hb = b;
	const struct conf *ca = a, *cb = b;
	size_t i, j;

	for (i = 0; i < NOPTIONS; i++) {
		const struct option *o = &options[i];

		if (o->level != level)
			continue;
		switch (o->kind->family) {
		case NUMBER:
		case FLAG:
		case WORD:
			if (number_get(o, a) != number_get(o, b))
				return false;
			break;
		case TEXT:
			if (!str_eq(text_get(o, a), text_get(o, b)))
				return false;
			break;
		case PROVIDER:
			if (!str_eq(ha->provider, hb->provider) ||
			    !str_eq(ha->own, hb->own))
				return false;
			break;
		case LIST:
		case NETS:
			if (!list_equal(o, a, b))
				return false;
			break;
		case GROUP:
			if (!level_equal(opens(o), a, b))
				return false;
			break;
		case HOOKS:
			if (ca->nhooks != cb->nhooks)
				return false;
			for (j = 0; j < ca->nhooks; j++)
				if (!str_eq(ca->hooks[j].path,
				    cb->hooks[j].path) || !level_equal(HOOK,
				    &ca->hooks[j], &cb->hooks[j]))
					return false;
			break;
		case DESTINATIONS:
			if (ca->ndestinations != cb->ndestinations)
				return false;
			for (j = 0; j < ca->ndestinations; j++)
				if (!str_eq(ca->destinations[j].name,
				    cb->destinations[j].name) ||
				    !params_equal(&ca->destinations[j],
				    &cb->destinations[j]) ||
				    !level_equal(DESTINATION,
				    &ca->destinations[j], &cb->destinations[j]))
					return false;
			break;
		case PAIRS:
			if (!pairs_equal(o, a, b))
				return false;
			break;
		case DELIVER:
			if (!deliver_equal(ha, hb))
				return false;
			break;
		case EDITOR:
			break;
		}
	}
	return true;
}

bool
conf_equal(const struct conf *a, const struct conf *b)
{
	return level_equal(TOP, a, b);
}

/* --- the JSON Schema -------------------------------------------------------------- */

static void
schema_string(struct buf *b, const struct kind *k)
{
	buf_put(b, STR("\"type\": \"string\""));
	if (k->pattern != NULL) {
		buf_put(b, STR(", \"pattern\": "));
		buf_json(b, str_of(k->pattern));
	}
}

/* Bounds hold for plain numbers; a text is held to its pattern. */
static void
schema_number(struct buf *b, const struct option *o)
{
	const struct unit *units = o->kind->units;
	uint64_t least = 0, most = 0;
	struct str first, last;

	range_ends(o, &first, &last);
	number_read(units, first, &least);
	number_read(units, last, &most);
	if (o->kind->pattern == NULL) {
		buf_put(b, STR("\"type\": \"integer\""));
	} else {
		buf_put(b, STR("\"type\": [\"string\", \"integer\"], "
		    "\"pattern\": "));
		buf_json(b, str_of(o->kind->pattern));
	}
	buf_printf(b, ", \"minimum\": %llu, \"maximum\": %llu",
	    (unsigned long long)((least + units[0].factor - 1) /
	    units[0].factor), (unsigned long long)(most / units[0].factor));
}

#define SCHEMA_NAME "\"type\": \"string\", \"pattern\": \"^" NAME_PATTERN "$\""

static void
schema_deliver(struct buf *b, unsigned depth)
{
	static const char one[] = "{ \"anyOf\": [{ " SCHEMA_NAME " }, "
	    "{ \"type\": \"object\", \"required\": [\"to\"], "
	    "\"additionalProperties\": false, \"properties\": { "
	    "\"to\": { " SCHEMA_NAME " }, "
	    "\"when\": { \"type\": \"object\" } } }] }";

	buf_printf(b, "\"anyOf\": [%s,", one);
	indent(b, depth + 1);
	buf_printf(b, "{ \"type\": \"array\", \"items\": %s }]", one);
}

static void
schema_level(struct buf *b, enum level level, unsigned depth)
{
	const char *sep = "";
	struct str first, last;
	size_t i;

	buf_put(b, STR("\"type\": \"object\","));
	indent(b, depth);
	/* The parameters of services are those services' own. */
	buf_put(b, level == DESTINATION ?
	    STR("\"additionalProperties\": { \"type\": \"string\" },") :
	    STR("\"additionalProperties\": false,"));
	indent(b, depth);
	buf_put(b, STR("\"properties\": {"));
	for (i = 0; i < NOPTIONS; i++) {
		const struct option *o = &options[i];
		const struct kind *k = o->kind;

		if (o->level != level)
			continue;
		buf_put(b, str_of(sep));
		sep = ",";
		indent(b, depth + 1);
		buf_printf(b, "\"%s\": {", o->name);
		indent(b, depth + 2);
		buf_put(b, STR("\"description\": "));
		buf_json(b, str_of(o->means));
		buf_putc(b, ',');
		indent(b, depth + 2);
		switch (k->family) {
		case NUMBER:
			schema_number(b, o);
			break;
		case FLAG:
			buf_put(b, STR("\"type\": \"boolean\""));
			break;
		case WORD:
			range_ends(o, &first, &last);
			buf_put(b, STR("\"enum\": ["));
			buf_json(b, first);
			buf_put(b, STR(", "));
			buf_json(b, last);
			buf_putc(b, ']');
			break;
		case TEXT:
		case EDITOR:
			schema_string(b, k);
			break;
		case LIST:
		case NETS:
			if (k->alone) {
				schema_string(b, k);
				break;
			}
			buf_put(b, STR("\"anyOf\": [{ "));
			schema_string(b, k);
			buf_put(b, STR(" },"));
			indent(b, depth + 3);
			buf_put(b, STR("{ \"type\": \"array\", "
			    "\"minItems\": 1, \"items\": { "));
			schema_string(b, k);
			buf_put(b, STR(" } }]"));
			break;
		case PROVIDER:
			buf_put(b, STR("\"anyOf\": [{ "));
			schema_string(b, k);
			buf_put(b, STR(" }, { \"type\": \"object\" }]"));
			break;
		case GROUP:
			schema_level(b, opens(o), depth + 2);
			break;
		case HOOKS:
			buf_put(b, STR("\"type\": \"object\","));
			indent(b, depth + 2);
			buf_put(b, STR("\"propertyNames\": { \"pattern\": "));
			buf_json(b, STR(PATH_PATTERN));
			buf_put(b, STR(" },"));
			indent(b, depth + 2);
			buf_put(b, STR("\"additionalProperties\": {"));
			indent(b, depth + 3);
			schema_level(b, HOOK, depth + 3);
			indent(b, depth + 2);
			buf_putc(b, '}');
			break;
		case DESTINATIONS:
			buf_put(b, STR("\"type\": \"object\","));
			indent(b, depth + 2);
			buf_put(b, STR("\"propertyNames\": { \"pattern\": "));
			buf_json(b, STR("^" NAME_PATTERN "$"));
			buf_put(b, STR(" },"));
			indent(b, depth + 2);
			buf_put(b, STR("\"additionalProperties\": {"));
			indent(b, depth + 3);
			schema_level(b, DESTINATION, depth + 3);
			indent(b, depth + 2);
			buf_putc(b, '}');
			break;
		case PAIRS:
			buf_put(b, STR("\"type\": \"object\", "
			    "\"additionalProperties\": { \"type\": \"string\" }"));
			break;
		case DELIVER:
			schema_deliver(b, depth + 2);
			break;
		}
		if (o->preset != NULL) {
			buf_putc(b, ',');
			indent(b, depth + 2);
			buf_put(b, STR("\"default\": "));
			if (k == &k_count || k == &k_flag)
				buf_put(b, str_of(o->preset));
			else
				buf_json(b, str_of(o->preset));
		}
		indent(b, depth + 1);
		buf_putc(b, '}');
	}
	indent(b, depth);
	buf_putc(b, '}');
}

void
conf_schema(struct buf *b)
{
	buf_put(b, STR("{\n\t\"$schema\": "
	    "\"https://json-schema.org/draft/2020-12/schema\",\n"
	    "\t\"title\": \"hooklatch.json\",\n\t"));
	schema_level(b, TOP, 1);
	buf_put(b, STR("\n}\n"));
}

/* --- the manual ------------------------------------------------------------------- */

/*
 * Text of mdoc: lines of at most 78 bytes, each sentence on its own, for the
 * width of the space behind it.  A backslash is \e; no line of ours begins with
 * a dot.
 */
static void
manual_text(struct buf *b, const char *text)
{
	struct str rest = str_of(text);
	size_t column = 0;

	while (rest.p != NULL) {
		struct str word = str_cut(&rest, ' '), part;

		if (column > 0 && column + word.n >= 78) {
			buf_putc(b, '\n');
			column = 0;
		}
		if (column > 0)
			buf_putc(b, ' ');
		column += word.n + 1;
		for (part = word; part.p != NULL;) {
			buf_put(b, str_cut(&part, '\\'));
			buf_put(b, part.p != NULL ? STR("\\e") : STR(""));
		}
		if (str_ends(word, STR(".")) && rest.p != NULL) {
			buf_putc(b, '\n');
			column = 0;
		}
	}
	buf_putc(b, '\n');
}

static void
manual_level(struct buf *b, enum level level)
{
	char form[400];
	size_t i;

	buf_put(b, STR(".Bl -tag -width Ds\n"));
	for (i = 0; i < NOPTIONS; i++) {
		const struct option *o = &options[i];
		const struct kind *k = o->kind;

		if (o->level != level)
			continue;
		buf_printf(b, ".It Cm %s No \\(en Em %s", o->name, k->name);
		if (o->range != NULL)
			buf_printf(b, "%s%s", k->family == WORD ? " No : " :
			    " No from ", o->range);
		buf_putc(b, '\n');
		manual_text(b, o->means);
		if (k != &k_texts && (k->family == TEXT || k->family == LIST ||
		    k->family == NETS)) {
			snprintf(form, sizeof(form), "Its form: %s.", k->what);
			manual_text(b, form);
		}
		if (o->preset != NULL)
			buf_printf(b, "The default is\n.Ql %s .\n", o->preset);
	}
	buf_put(b, STR(".El\n"));
}

void
conf_manual(struct buf *b)
{
	buf_put(b, STR(".Ss Top level\n"));
	manual_level(b, TOP);
	buf_put(b, STR(".Ss users\n"));
	manual_level(b, USERS);
	buf_put(b, STR(".Ss limits\n"));
	manual_level(b, LIMITS);
	buf_put(b, STR(".Ss A hook\n"));
	manual_level(b, HOOK);
	buf_put(b, STR(".Ss A destination\n"));
	manual_level(b, DESTINATION);
	buf_put(b, STR(".Ss retry\n"));
	manual_level(b, RETRY);
}
