/*
 * conf_keys.c - the table of all keys, and the kinds of values they take: from it
 * come reading, defaults, printing, the JSON Schema and the tables of
 * hooklatch.json(5).
 *
 * A new key is a new row.  What rows of a kind have in common (which texts fit,
 * what an error and the manual call it) stands once, in its struct kind.
 */
#include <stddef.h>
#include <string.h>

#include "conf_parts.h"
#include "engine_url.h"
#include "wire.h"

#define TEXT_MAX	4096	/* of one value that is no secret */
#define SOCKET_MAX	107	/* sizeof(sun_path) - 1 */

/* --- what fits ---------------------------------------------------------------- */

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

/* Of an engine: what is wrong with its URL, which is not repeated. */
static int
refuse_inbox(struct reader *r, const struct option *o,
    const struct json_object *v)
{
	struct engine_url url;
	struct str s = json_text(v);

	if (engine_of(s) != ENGINE_NONE)
		return json_err(r->doc, v, r->e, "\"%s\" %s", o->name,
		    engine_url(&url, s));
	return 0;
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
fits_provider(struct str *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (!((s->p[i] >= 'a' && s->p[i] <= 'z') ||
		    (s->p[i] >= '0' && s->p[i] <= '9') ||
		    (s->p[i] == '-' && i > 0)))
			return false;
	return i > 0 && i <= 64;
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

/* Nothing in it is secret: messages name it. */
static bool
fits_bucket(struct str *s)
{
	struct str rest = str_skip(*s, strlen("gs://"));

	if (s->n > CONF_BUCKET_MAX || str_find(*s, '?') != -1)
		return false;
	return str_starts(*s, STR("gs://")) ? rest.n > 0 && rest.p[0] != '/' &&
	    str_printable(rest) && str_find(rest, ' ') == -1 : fits_url(s);
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

bool
fits_text(struct str *s)
{
	return no_control(*s);
}

bool
fits_name(struct str s)
{
	return all_of(s, 1, 64, "_.-") && s.p[0] != '.' && s.p[0] != '-';
}

static const char *
name_wrong(struct str name)
{
	return fits_name(name) ? NULL :
	    "must be letters, digits, \"_\", \".\" or \"-\", at most 64";
}

bool
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
	if (str_eq(word, STR("gcp")))
		return bundle_is_fetched(*s);
	return str_eq(word, STR("plain")) && rest.n > 0;
}

static bool
fits_bucket_token(struct str *s)
{
	return str_eq(*s, STR("google")) || fits_secret(s);
}

static bool
fits_http(struct str *s)
{
	return conf_is_reference(*s) ? fits_secret(s) : fits_url(s);
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
fits_oauth1(struct str *s)
{
	for (size_t i = 0; i < CONF_OAUTH1; i++)
		if (str_eq(*s, str_of(conf_oauth1_names[i])))
			return true;
	return false;
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
fits_mode(struct str *s)
{
	for (unsigned i = 0; i < FORWARD_MODES; i++)
		if (str_eq(*s, str_of(forward_mode_name((enum forward_mode)i))))
			return true;
	return false;
}

/* Of a Content-Type. */
static bool
fits_type(struct str *s)
{
	return s->n <= SPOKEN_TYPE && str_printable(*s) && str_find(*s, '/') > 0;
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

/* --- the kinds ---------------------------------------------------------------- */

static const struct unit units_count[] = { { "", 1 }, { NULL, 0 } };
static const struct unit units_size[] = {
	{ "", 1 }, { "k", 1ULL << 10 }, { "m", 1ULL << 20 },
	{ "g", 1ULL << 30 }, { "t", 1ULL << 40 }, { NULL, 0 }
};
static const struct unit units_time[] = {
	{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 },
	{ "h", 3600 * 1000 }, { "d", 24 * 3600 * 1000 }, { NULL, 0 }
};

/* What a struct conf has many of, by name. */
static const struct map hooks = {
	"hook", "path", path_wrong, sizeof(struct hook),
	offsetof(struct hook, path), offsetof(struct hook, where)
};
static const struct map destinations = {
	"destination", "name", name_wrong, sizeof(struct destination),
	offsetof(struct destination, name), offsetof(struct destination, where)
};

#define KIND		static const struct kind
#define SECRET_PATTERN	"(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|" \
	"gcp:projects/[^/]+/(locations/[^/]+/)?secrets/[^/]+(/versions/[^/]+)?|" \
	"plain:(.|\n)+)"
#define SECRET_WHAT	"\"env:NAME\", \"file:/PATH\", \"gcp:projects/P/secrets/S\""

KIND k_editor = { .family = &family_editor, .name = "text" };
KIND k_flag = { &family_flag, "flag", "true or false", NULL, .bare = true };
KIND k_word = { .family = &family_word, .name = "word", .what = "a word" };

KIND k_count = { &family_number, "number", "a whole number", NULL,
	.units = units_count, .bare = true };
KIND k_size = { &family_number, "size",
	"a size like \"64k\" or \"26m\", or a number of bytes",
	"^[0-9]+[kmgt]?$", .units = units_size };
KIND k_time = { &family_number, "duration",
	"a duration like \"30s\" or \"7d\", or a number of seconds",
	"^[0-9]+(ms|s|m|h|d)?$", .units = units_time };

KIND k_inbox = { &family_text, "text",
	"\"sqlite:/PATH\", an engine (\"redis:\", \"nats:\", \"kafka:\" or "
	"\"pubsub:\"), \"stdout:\" or \"none\"",
	"^(none|stdout:|sqlite:/.*[^/]|(rediss?|(nats|kafka)(\\+tls)?)://[^/@]+/"
	"[^@]+|pubsub:projects/[^/@]+/topics/[^@]+)$", .fits = fits_inbox, .refuse = refuse_inbox };
KIND k_socket = { &family_text, "text",
	"\"unix:/PATH\" of at most 107 bytes",
	"^unix:/.{1,106}$", .fits = fits_socket, .prefix = "unix:" };
KIND k_log = { &family_text, "text",
	"\"stderr\", \"stdout\", \"syslog\" or \"file:/PATH\"",
	"^(stderr|stdout|syslog|file:/.+)$", .fits = fits_log };
KIND k_health = { &family_text, "path",
	"\"none\", or a plain path that does not end in \"z\"",
	"^(none|/.*[^z]|/)$", .fits = fits_health };
KIND k_path = { &family_text, "path", "an absolute path",
	"^/", .fits = fits_path };
KIND k_user = { &family_text, "name", "the name of a user or group",
	"^[A-Za-z0-9_.-]{1,32}$", .fits = fits_user };
KIND k_pass = { &family_text, "text",
	"\"@\" and the name of a location of nginx "
	"(letters, digits, \"_\", \"-\")",
	"^@[A-Za-z0-9_-]{1,64}$", .fits = fits_pass };
KIND k_cert = { &family_text, "text",
	"\"verified\", or the SHA-1 or SHA-256 fingerprint in hex",
	"^(verified|[0-9A-Fa-f:]{40,95})$", .fits = fits_cert };
KIND k_fetch_secret = { &family_text, "secret",
	SECRET_WHAT " or \"plain:TEXT\"",
	"^" SECRET_PATTERN "$", .fits = fits_secret, .secret = true };
KIND k_bucket = { &family_text, "URL",
	"\"gs://BUCKET/PREFIX\", or a URL that begins with \"https://\" or "
	"\"http://\" and has no query",
	"^(gs|https?)://[^/ ?#][^ ?#]*$", .fits = fits_bucket, .secret = true };
KIND k_bucket_token = { &family_text, "secret or word",
	"\"google\", " SECRET_WHAT " or \"plain:TEXT\"",
	"^(google|" SECRET_PATTERN ")$", .fits = fits_bucket_token, .secret = true };
KIND k_target = { &family_text, "URL",
	"a URL that begins with \"https://\" or \"http://\"",
	"^https?://[^/ #][^ #]*$", .fits = fits_url };
/* Who mistypes one may have mistyped a secret. */
KIND k_http = { &family_text, "URL or secret",
	"a URL that begins with \"https://\" or \"http://\", or where that is, like "
	"\"env:NAME\"", "^(https?://[^/ #][^ #]*|" SECRET_PATTERN ")$",
	.fits = fits_http, .secret = true };
KIND k_method = { &family_text, "method", "GET, POST, PUT, PATCH or DELETE",
	"^(GET|POST|PUT|PATCH|DELETE)$", .fits = fits_method_out };
KIND k_template = { &family_text, "text", "a template of at most 64 KiB",
	NULL, .fits = fits_template };
KIND k_said = { &family_text, "text", "a text of at most 64 KiB",
	NULL, .fits = fits_template };
KIND k_mode = { &family_text, "word", "after, before_answer or answer",
	"^(after|before_answer|answer)$", .fits = fits_mode };
KIND k_type = { &family_text, "text", "a Content-Type like \"application/json\"",
	"^[ -~]+/[ -~]*$", .fits = fits_type };
KIND k_google = { &family_text, "word", "access or id",
	"^(access|id)$", .fits = fits_google };
KIND k_plain = { &family_text, "text", "a text without control characters",
	"^.+$", .fits = fits_text };
KIND k_place = { &family_text, "text",
	"a place like \"body:repository.id\", \"header:X-Shop\" or \"query:shop\"",
	"^(body|field|header|query):.+$", .fits = fits_place };

KIND k_url = { &family_texts, "URL",
	"a URL that begins with \"https://\" or \"http://\"",
	"^https?://[^/ #][^ #]*$", .fits = fits_url, .alone = true };
KIND k_issuer = { &family_texts, "URL",
	"a URL that begins with \"https://\", without a query and a \"/\" at its end",
	"^https://[A-Za-z0-9._~:-][A-Za-z0-9._~:/-]*$", .fits = fits_issuer,
	.alone = true };
KIND k_token = { &family_texts, "secret",
	SECRET_WHAT " or \"plain:TEXT\"",
	"^" SECRET_PATTERN "$", .fits = fits_secret, .secret = true,
	.alone = true };
KIND k_secrets = { &family_texts, "secret or list",
	SECRET_WHAT ", \"plain:TEXT\" or \"captured:NAME\"",
	"^(" SECRET_PATTERN "|captured:" NAME_PATTERN ")$",
	.fits = fits_hook_secret, .secret = true };
KIND k_public_key = { &family_texts, "key or list",
	"a public key, \"env:NAME\" or \"file:/PATH\"",
	NULL, .fits = fits_public_key, .secret = true };
KIND k_arns = { &family_texts, "ARN or list",
	"an ARN, which begins with \"arn:\"", "^arn:", .fits = fits_arn };
KIND k_texts = { &family_texts, "text or list",
	"a text without control characters", "^.+$", .fits = fits_text,
	.obvious = true };
KIND k_methods = { &family_texts, "method or list",
	"GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS",
	"^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$", .fits = fits_method };
KIND k_argv = { &family_texts, "path or list",
	"the path of a program, and its arguments", "^.+$",
	.fits = fits_argument };

KIND k_nets = { .family = &family_nets, .name = "network or list",
	.what = "an address or a network like \"192.0.2.0/24\" or "
	"\"2001:db8::/32\"", .pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$" };
KIND k_headers = { &family_pairs, "object",
	"an object of texts whose keys are names of headers",
	NULL, .fits = fits_header, .secret = true };
KIND k_oauth1 = { &family_pairs, "object",
	"an object of references: \"consumer_key\", \"consumer_secret\", \"token\" "
	"and \"token_secret\"", NULL, .fits = fits_oauth1, .secret = true };
KIND k_variables = { &family_pairs, "object",
	"an object of texts whose keys are names of variables",
	NULL, .fits = fits_variable, .secret = true };
KIND k_provider = { &family_provider, "name or object",
	"the name of a provider (see \"hooklatch providers\") or an object",
	"^[a-z0-9][a-z0-9-]{0,63}$", .fits = fits_provider };
KIND k_deliver = { .family = &family_deliver, .name = "name or list",
	.what = "the name of a destination, or { \"to\": NAME, \"when\": { ... } }",
	.pattern = "^" NAME_PATTERN "$" };

KIND k_users = { &family_group, "object", "an object", NULL, .opens = USERS };
KIND k_limits = { &family_group, "object", "an object", NULL, .opens = LIMITS };
KIND k_retry = { &family_group, "object", "an object", NULL, .opens = RETRY };
KIND k_hooks = { &family_map, "object",
	"an object whose keys are the paths of hooks",
	PATH_PATTERN, .opens = HOOK, .map = &hooks };
KIND k_destinations = { &family_map, "object",
	"an object whose keys are the names of destinations",
	"^" NAME_PATTERN "$", .opens = DESTINATION, .map = &destinations };

/* --- the table ---------------------------------------------------------------- */

#define IN(s, member)	offsetof(struct s, member), sizeof(((struct s *)0)->member)
#define N(s, member)	offsetof(struct s, member)
#define NOWHERE		0, 0
#define PARAM(i)	offsetof(struct hook, params) + \
			(size_t)(i) * sizeof(struct texts), sizeof(void *)
#define PARAM_N(i)	offsetof(struct hook, params) + (size_t)(i) * \
			sizeof(struct texts) + offsetof(struct texts, n)
const struct option conf_options[] = {
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
{ TOP, "claim_check", &k_bucket, IN(conf, claim_check), NULL, NULL,
  "Where the body of an event goes that is larger than an engine's message may be: a "
  "bucket, to which it is PUT first; the message then says where it lies. Without it "
  "such an event is refused with 413.", 0 },
{ TOP, "claim_check_token", &k_bucket_token, IN(conf, claim_check_token), NULL, NULL,
  "The bearer that the bucket wants; google: a token of Google's, as gs:// has by "
  "itself.", 0 },
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
{ TOP, "services", &k_path, IN(conf, services_dir), NULL, NULL,
  "A directory of service files, ID.json each, that add to those of the programs or "
  "replace them.", 0 },
{ TOP, "ca_file", &k_path, IN(conf, ca_file), NULL, NULL,
  "Certificates of the authorities that the courier trusts when it fetches keys, "
  "instead of the system's.", 0 },
{ TOP, "secret_manager", &k_target, IN(conf, secret_manager), NULL, NULL,
  "Where Google's Secret Manager answers that keeps \"gcp:\" secrets, instead of "
  "https://secretmanager.googleapis.com: a region's, or a private one.", 0 },
{ TOP, "quarantine", &k_path, IN(conf, quarantine), NULL, NULL,
  "A directory in which the courier keeps the last requests that were refused, for "
  "hooklatch explain.", 0 },
{ TOP, "volatile", &k_flag, IN(conf, volatile_ok), "false", NULL,
  "Allows an inbox on a tmpfs or on the disk of Cloud Run, which is memory: its "
  "events are lost with it.", 0 },
{ TOP, "workers", &k_count, IN(conf, workers), "0", "0 to 256",
  "Processes that read requests; 0: one for each processor.", 0 },
{ TOP, "users", &k_users, NOWHERE, NULL, NULL,
  "Whom the programs become when root starts them.", 0 },
{ TOP, "limits", &k_limits, NOWHERE, NULL, NULL,
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
{ DESTINATION, "http", &k_http, IN(destination, own_url), NULL, NULL,
  "A URL to send the event to; may hold names in braces behind its host. One that is a "
  "secret itself is a reference like a secret's, and is not shown.", 0 },
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
{ DESTINATION, "oauth1", &k_oauth1, IN(destination, oauth1), NULL, NULL,
  "OAuth 1.0a for the Authorization header: consumer_key and consumer_secret of the "
  "application, token and token_secret of the account, each a reference like a "
  "secret's.", N(destination, noauth1) },
{ DESTINATION, "mode", &k_mode, IN(destination, own_mode), "after", NULL,
  "When events go there: after, from the inbox, whenever the sender has its answer; "
  "before_answer, inside the request, whose sender hears 503 if it fails; answer, "
  "likewise, and what the destination says is the answer.", 0 },
{ DESTINATION, "answer_type", &k_type, IN(destination, answer_type),
  "application/json", NULL, "The Content-Type of what a program answers, and of "
  "fallback.", 0 },
{ DESTINATION, "answer_limit", &k_size, IN(destination, answer_limit), "64k",
  "1k to 256k", "The longest answer; a longer one is a failure.", 0 },
{ DESTINATION, "fallback", &k_said, IN(destination, fallback), NULL, NULL,
  "What is answered, with 200, when the destination fails or has no time left; "
  "without it 503.", 0 },
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
{ DESTINATION, "per_day", &k_count, IN(destination, per_day), "0", "0 to 1000000",
  "Attempts between one midnight of UTC and the next; what is over them waits for "
  "that. 0: no such rule.", 0 },
{ DESTINATION, "delay", &k_time, IN(destination, delay), "0", "0 to 1d",
  "From the commit to the first attempt; with latest_wins the time in which events "
  "gather.", 0 },
{ DESTINATION, "retry", &k_retry, NOWHERE, NULL, NULL,
  "When an attempt that failed is made again.", 0 },

{ RETRY, "first", &k_time, IN(destination, retry_first), "5s", "10ms to 1d",
  "After the first failure; doubled after each that follows.", 0 },
{ RETRY, "most", &k_time, IN(destination, retry_most), "1h", "10ms to 7d",
  "The longest time between two attempts.", 0 },
{ RETRY, "tries", &k_count, IN(destination, tries), "0", "0 to 100000",
  "After so many attempts an event is dead; 0: after give_up.", 0 },
{ RETRY, "give_up", &k_time, IN(destination, give_up), "3d", "1s to 365d",
  "So long after its commit an event is dead.", 0 },

{ TOP, NULL, NULL, NOWHERE, NULL, NULL, NULL, 0 }
};

const char *const conf_oauth1_names[CONF_OAUTH1 + 1] = {
	"consumer_key", "consumer_secret", "token", "token_secret", NULL
};

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
