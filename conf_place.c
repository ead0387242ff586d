/*
 * conf_place.c - a configuration where it is used: the environment in place of a
 * file, what the machine decides when the file does not, and the files and
 * secrets that belong to it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "engine_url.h"
#include "letter.h"
#include "service.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/os.h"

#define PROVIDER_MAX	(1 << 20)	/* bytes of a provider's file */
#define SOCKET_MAX	107		/* sizeof(sun_path) - 1 */

static const char *
environment(const char *name)
{
	return getenv(name);
}

/* --- the environment alone ---------------------------------------------------- */

/* An empty variable is one that was not set. */
static const char *
filled(const char *s)
{
	return s != NULL && *s != '\0' ? s : NULL;
}

int
conf_from_environment(struct buf *text, const char *(*get)(const char *name),
    struct err *e)
{
	static const struct {
		const char *variable, *key;
		bool secret;		/* named, not copied */
		bool provider;		/* only beside PROVIDER: shells set some */
	} t[] = {
		{ "SECRET", "secret", true, false },
		{ "VERIFY_TOKEN", "verify_token", true, false },
		{ "PUBLIC_KEY", "public_key", true, false },
		{ "PUBLIC_URL", "url", false, false },
		{ "AUDIENCE", "audience", false, true },
		{ "EMAIL", "email", false, true },
		{ "TOKEN", "token", false, true },
	};
	const char *provider = filled(get("PROVIDER"));
	/* Of the inbox; a secret is named, not copied. */
	static const struct { const char *variable, *key; bool secret; } top[] = {
		{ "INBOX", "inbox", false },
		{ "INBOX_SECRET", "inbox_secret", true },
		{ "DURABILITY", "durability", false },
		{ "CLAIM_CHECK", "claim_check", false },
		{ "CLAIM_CHECK_TOKEN", "claim_check_token", true },
	};
	size_t i;

	if (provider == NULL && filled(get("SECRET")) == NULL)
		return err_set(e, ERR_CONF, "there is neither a configuration "
		    "file nor a SECRET: set SECRET to the value that the sender "
		    "puts into the header \"Secret\", or PROVIDER to who sends "
		    "and SECRET to what it signs with");
	buf_put(text, STR("{\n"));
	for (i = 0; i < sizeof(top) / sizeof(top[0]); i++) {
		const char *value = filled(get(top[i].variable));

		if (value == NULL)
			continue;
		buf_printf(text, "\t\"%s\": ", top[i].key);
		if (top[i].secret)
			buf_printf(text, "\"env:%s\"", top[i].variable);
		else
			buf_json(text, str_of(value));
		buf_put(text, STR(",\n"));
	}
	buf_put(text, STR("\t\"hooks\": {\n\t\t\"/\": {\n\t\t\t\"provider\": "));
	buf_json(text, str_of(provider != NULL ? provider : "secret-header"));
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *value = filled(get(t[i].variable));

		if (value == NULL || (t[i].provider && provider == NULL))
			continue;
		buf_printf(text, ",\n\t\t\t\"%s\": ", t[i].key);
		if (t[i].secret)
			buf_printf(text, "\"env:%s\"", t[i].variable);
		else
			buf_json(text, str_of(value));
	}
	buf_put(text, STR("\n\t\t}\n\t}\n}\n"));
	if (!buf_ok(text))
		return err_set(e, ERR_CONF, "the variables of the environment "
		    "are too long for a configuration");
	return 0;
}

/* --- the place ------------------------------------------------------------------ */

/* The first of the directories that systemd names, or STR_NONE. */
static struct str
first_directory(const char *list)
{
	struct str rest = str_of(filled(list)), first;

	if (rest.p == NULL)
		return STR_NONE;
	first = str_cut(&rest, ':');
	return first.n > 0 && first.p[0] == '/' ? first : STR_NONE;
}

/* .p NULL when there is no place for it. */
static struct str
default_inbox(struct arena *a, const struct conf_place *at)
{
	struct str state = first_directory(at->state_directory);
	const char *xdg = filled(at->xdg_state_home);

	if (state.p != NULL)
		return arena_printf(a, "sqlite:%.*s/inbox.db", STR_ARG(state));
	if (at->root)
		return STR("sqlite:/var/lib/hooklatch/inbox.db");
	/* The XDG specification wants a relative one to be ignored. */
	if (xdg != NULL && *xdg == '/')
		return arena_printf(a, "sqlite:%s/hooklatch/inbox.db", xdg);
	if (filled(at->home) != NULL && *at->home == '/')
		return arena_printf(a,
		    "sqlite:%s/.local/state/hooklatch/inbox.db", at->home);
	return STR_NONE;
}

/* What only the SQLite inbox can do, and what only an engine wants. */
static int
settle_engine(const struct conf *c, struct err *e)
{
	const char *given = c->inbox_secret.p != NULL ? "inbox_secret" :
	    c->claim_check.n > 0 ? "claim_check" :
	    c->durability != DURABLE_STRICT ? "durability" : NULL;

	if (c->claim_check_token.n > 0 && c->claim_check.n == 0)
		return err_set(e, ERR_CONF, "%.*s: \"claim_check_token\" is for the "
		    "bucket of \"claim_check\", which is not set", STR_ARG(c->name));
	if (c->inbox_kind != INBOX_ENGINE)
		return given == NULL ? 0 : err_set(e, ERR_CONF, "%.*s: \"%s\" is for "
		    "an inbox in an engine, and \"inbox\" is \"%.*s\"",
		    STR_ARG(c->name), given, STR_ARG(c->inbox));
	for (size_t i = 0; i < c->nhooks; i++) {
		const struct hook *h = &c->hooks[i];

		if (h->refuse_replay)
			return err_set(e, ERR_CONF, "%.*s: hook \"%.*s\": "
			    "\"replay\": \"refuse\" needs an inbox of SQLite: an "
			    "engine cannot be asked for signed bytes that came "
			    "before", STR_ARG(h->where), STR_ARG(h->path));
		for (size_t j = 0; j < h->nsecrets; j++)
			if (conf_captured(h->secrets[j]).p != NULL)
				return err_set(e, ERR_CONF, "%.*s: hook \"%.*s\": "
				    "\"captured:\" secrets are kept beside an "
				    "inbox of SQLite, and \"inbox\" is an engine",
				    STR_ARG(h->where), STR_ARG(h->path));
	}
	return 0;
}

static int
settle_inbox(struct conf *c, const struct conf_place *at, struct buf *warn,
    struct err *e)
{
	struct str inbox;

	if (c->inbox.p == NULL && at->cloud_run) {
		conf_set_inbox(c, STR("none"));
		if (warn != NULL)
			buf_put(warn, STR("the disk of Cloud Run is memory, so "
			    "\"inbox\" is \"none\": events are verified, "
			    "answered and logged, and not kept; keeping them "
			    "there needs an engine: \"pubsub:\", \"redis:\", "
			    "\"nats:\" or \"kafka:\"\n"));
		return 0;
	}
	if (c->inbox.p == NULL) {
		inbox = default_inbox(c->arena, at);
		if (inbox.p == NULL)
			return err_set(e, ERR_CONF, "%.*s: there is no place for "
			    "the inbox: set \"inbox\" (\"sqlite:/PATH\" or "
			    "\"none\"), or HOME", STR_ARG(c->name));
		conf_set_inbox(c, inbox);
	}
	if (c->inbox_kind != INBOX_SQLITE || c->volatile_ok)
		return 0;
	if (at->cloud_run)
		return err_set(e, ERR_CONF, "%.*s: \"inbox\" is on the disk of "
		    "Cloud Run, which is memory and goes with the instance: set "
		    "\"inbox\" to an engine or \"none\", or \"volatile\": true if events may be "
		    "lost", STR_ARG(c->name));
	if (at->is_tmpfs != NULL && at->is_tmpfs(c->inbox_path.p))
		return err_set(e, ERR_CONF, "%.*s: the inbox %.*s is on a tmpfs, "
		    "which is memory: set \"inbox\" to a path on a disk, or "
		    "\"volatile\": true if events may be lost", STR_ARG(c->name),
		    STR_ARG(c->inbox_path));
	return 0;
}

/* Elsewhere anybody could say that the platform had checked. */
static int
settle_tokens(const struct conf *c, const struct conf_place *at, struct err *e)
{
	for (size_t i = 0; i < c->nhooks && !at->cloud_run; i++)
		if (c->hooks[i].platform_token)
			return err_set(e, ERR_CONF, "%.*s: hook \"%.*s\": "
			    "\"token\": \"platform\" is for Cloud Run (K_SERVICE "
			    "is not set): say \"verify\"",
			    STR_ARG(c->hooks[i].where), STR_ARG(c->hooks[i].path));
	return 0;
}

/* What is handed on after the answer waits in the inbox; what comes before it need not. */
static int
settle_deliveries(const struct conf *c, struct err *e)
{
	bool none = c->inbox_kind == INBOX_STDOUT;	/* nor is there a courier */

	for (size_t i = 0; i < c->nhooks && c->inbox_kind != INBOX_SQLITE; i++) {
		const struct hook *h = &c->hooks[i];

		for (size_t k = 0; k < h->ndeliver; k++)
			if (none || conf_destination(c, h->deliver[k].to)->mode ==
			    FORWARD_AFTER)
				return err_set(e, ERR_CONF, "%.*s: \"deliver\" to "
				    "\"%.*s\" wants an inbox in which events wait: set "
				    "\"inbox\": \"sqlite:/PATH\"%s",
				    STR_ARG(h->where), STR_ARG(h->deliver[k].to),
				    none ? "" : ", or the destination's \"mode\": "
				    "\"before_answer\"");
	}
	return 0;
}

/* Of the courier's half; in the other they are not set, and not looked at. */
const char *const conf_google_variables[CONF_GOOGLE_VARIABLES + 1] = {
	"GOOGLE_APPLICATION_CREDENTIALS",
	"GCE_METADATA_HOST", NULL };

static const char *
variable(const struct conf_place *at, const char *name)
{
	return at->variable == NULL ? NULL : filled(at->variable(name));
}

/* An inbox in Pub/Sub: who we are there, and where; own and metadata are the machine's. */
static int
settle_pubsub(struct conf *c, const struct conf_place *at, struct str own,
    struct str metadata, struct err *e)
{
	const char *emulator = variable(at, CONF_PUBSUB_EMULATOR);

	c->inbox_secret_used = c->inbox_secret;
	c->inbox_metadata = c->inbox_emulator = STR("");
	if (c->inbox.p == NULL || engine_of(c->inbox) != ENGINE_PUBSUB)
		return 0;
	if (emulator != NULL) {
		c->inbox_secret_used = STR_NONE;
		c->inbox_emulator = arena_str(c->arena, str_of(emulator));
		if (c->inbox_emulator.p == NULL)
			return err_set(e, ERR_OS, "%.*s: no memory", STR_ARG(c->name));
		return engine_is_host(c->inbox_emulator) ? 0 :
		    err_set(e, ERR_CONF, "%.*s: the variable %s is no HOST:PORT",
		    STR_ARG(c->name), CONF_PUBSUB_EMULATOR);
	}
	if (c->inbox_secret.p == NULL && own.n > 0)
		c->inbox_secret_used = own;
	c->inbox_metadata = metadata;
	return 0;
}

/* It is on this machine and asks nobody who he is. */
static int
settle_emulator(struct conf *c, struct destination *d, const struct conf_place *at,
    struct err *e)
{
	const char *host = d->emulator.n == 0 ? NULL : variable(at, d->emulator.p);
	struct str old = letter_host(d->url);

	if (host == NULL)
		return 0;
	d->url = arena_printf(c->arena, "http://%s%.*s", host,
	    (int)((size_t)(d->url.p + d->url.n - old.p) - old.n), old.p + old.n);
	if (d->url.p == NULL)
		return err_set(e, ERR_OS, "%.*s: no memory", STR_ARG(c->name));
	if (letter_check(d->url, LETTER_URL, e) == -1)
		return err_at(e, "%.*s: the variable %.*s is no HOST:PORT",
		    STR_ARG(d->where), STR_ARG(d->emulator));
	d->google = STR("");
	return 0;
}

static int
settle_google(struct conf *c, const struct conf_place *at, struct err *e)
{
	const char *file = variable(at, "GOOGLE_APPLICATION_CREDENTIALS");
	const char *host = variable(at, "GCE_METADATA_HOST");

	c->google_file = file == NULL ? STR("") :
	    arena_printf(c->arena, "file:%s", file);
	c->google_metadata = host == NULL ? STR("") :
	    arena_str(c->arena, str_of(host));
	if (c->google_file.p == NULL || c->google_metadata.p == NULL)
		return err_set(e, ERR_OS, "%.*s: no memory", STR_ARG(c->name));
	if (settle_pubsub(c, at, c->google_file, c->google_metadata, e) == -1)
		return -1;
	for (size_t i = 0; i < c->ndestinations; i++) {
		struct destination *d = &c->destinations[i];

		if (settle_emulator(c, d, at, e) == -1)
			return -1;
		d->credentials_used = d->google.n > 0 ? d->credentials : STR("");
		if (d->google.n == 0)
			continue;
		if (d->credentials.n == 0)
			d->credentials_used = c->google_file;
		d->metadata = c->google_metadata;
	}
	if (conf_claim_google(c)) {
		c->claim_credentials = c->google_file;
		c->claim_metadata = c->google_metadata;
	}
	return 0;
}

int
conf_settle(struct conf *c, const struct conf_place *at, struct buf *warn,
    struct err *e)
{
	struct str run, courier, state = STR_NONE;

	if (settle_inbox(c, at, warn, e) == -1 || settle_engine(c, e) == -1 ||
	    settle_tokens(c, at, e) == -1 || settle_deliveries(c, e) == -1 ||
	    settle_google(c, at, e) == -1)
		return -1;
	if (c->nhooks == 0 && warn != NULL)
		buf_put(warn, STR("there are no hooks: every request will be "
		    "answered 404\n"));
	if (c->metrics.n > 0 && c->inbox_kind != INBOX_SQLITE && warn != NULL)
		buf_put(warn, STR("\"metrics\" are what a courier adds up: here, where "
		    "there is no inbox, it must be started too (hooklatch serve "
		    "does)\n"));
	if (c->courier.p != NULL)
		return 0;
	run = first_directory(at->runtime_directory);
	/* Who may not write to /run has a place where an inbox would be. */
	if (c->inbox_kind == INBOX_ENGINE && !at->root && run.p == NULL)
		state = default_inbox(c->arena, at);
	if (state.p != NULL)
		courier = arena_printf(c->arena, "%.*scourier.sock",
		    (int)(state.n - strlen("sqlite:inbox.db")),
		    state.p + strlen("sqlite:"));
	else if (c->inbox_kind == INBOX_SQLITE)
		courier = arena_printf(c->arena, "%.*s.sock",
		    STR_ARG(c->inbox_path));
	else
		courier = arena_printf(c->arena, "%.*s/courier.sock",
		    STR_ARG(run.p != NULL ? run : STR("/run/hooklatch")));
	if (courier.p == NULL)
		return err_set(e, ERR_OS, "%.*s: no memory", STR_ARG(c->name));
	if (courier.n > SOCKET_MAX)
		return err_set(e, ERR_CONF, "%.*s: the path of the courier's "
		    "socket is longer than a socket's may be (%d bytes): set "
		    "\"courier\": \"unix:/PATH\"", STR_ARG(c->name), SOCKET_MAX);
	c->courier = courier;
	return 0;
}

struct conf_place
conf_here(void)
{
	return (struct conf_place){
		.root = geteuid() == 0,
		.state_directory = getenv("STATE_DIRECTORY"),
		.runtime_directory = getenv("RUNTIME_DIRECTORY"),
		.xdg_state_home = getenv("XDG_STATE_HOME"),
		.home = getenv("HOME"),
		.cloud_run = filled(getenv("K_SERVICE")) != NULL,
		.variable = environment,
		.is_tmpfs = os_is_tmpfs,
	};
}

/* --- the bundle ------------------------------------------------------------------- */

/*
 * The courier's environment holds no SECRET, for the hook is not its half; what
 * it wants from the text is what INBOX and its like say.
 */
static const char *
environment_of_courier(const char *name)
{
	const char *value = filled(getenv(name));

	return value == NULL && strcmp(name, "PROVIDER") == 0 ?
	    "secret-header" : value;
}

/* The text of the configuration, into the bundle as "conf". */
static int
gather_text(struct bundle *b, const char *path, enum conf_half half, struct err *e)
{
	struct buf text = BUF(CONF_TEXT_MAX);
	char *p;
	size_t n;
	int rc;

	if (path != NULL) {
		if ((p = os_read_file(path, CONF_TEXT_MAX, &n, e)) == NULL)
			return -1;
		rc = bundle_put(b, STR("conf"), (struct str){ p, n });
		explicit_bzero(p, n);	/* "plain:" secrets */
		free(p);
	} else {
		if (conf_from_environment(&text, half == HALF_ROAD ? environment :
		    environment_of_courier, e) == -1) {
			buf_free(&text);
			return -1;
		}
		rc = bundle_put(b, STR("conf"), buf_str(&text));
		buf_free(&text);
	}
	return rc == 0 ? 0 : err_set(e, ERR_OS, "no memory");
}

static int
gather_secret(struct bundle *b, const struct hook *h, struct str written,
    struct err *e)
{
	if (written.p == NULL || !conf_is_reference(written))
		return 0;		/* a key itself, or one to be captured */
	if (bundle_read_secret(b, written, e) == 0)
		return 0;
	return err_at(e, "%.*s: hook \"%.*s\"", STR_ARG(h->where),
	    STR_ARG(h->path));
}

static int
gather_secrets(struct bundle *b, const struct conf *c, struct err *e)
{
	size_t i, j;

	for (i = 0; i < c->nhooks; i++) {
		const struct hook *h = &c->hooks[i];

		for (j = 0; j < h->nsecrets; j++)
			if (gather_secret(b, h, h->secrets[j], e) == -1)
				return -1;
		for (j = 0; j < h->params[PARAM_PUBLIC_KEY].n; j++)
			if (gather_secret(b, h, h->params[PARAM_PUBLIC_KEY].v[j],
			    e) == -1)
				return -1;
		if (gather_secret(b, h, conf_param(h, PARAM_VERIFY_TOKEN), e) == -1)
			return -1;
	}
	return 0;
}

static bool
any_fetched(const struct str *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bundle_is_fetched(all[i]))
			return true;
	return false;
}

bool
conf_fetches(const struct conf *c)
{
	bool any = bundle_is_fetched(c->inbox_secret) ||
	    bundle_is_fetched(c->claim_check_token);

	for (size_t i = 0; i < c->nhooks; i++) {
		const struct hook *h = &c->hooks[i];

		any |= any_fetched(h->secrets, h->nsecrets) ||
		    bundle_is_fetched(h->fetch_secret) ||
		    bundle_is_fetched(conf_param(h, PARAM_VERIFY_TOKEN)) ||
		    any_fetched(h->params[PARAM_PUBLIC_KEY].v,
		    h->params[PARAM_PUBLIC_KEY].n);
	}
	for (size_t i = 0; i < c->ndestinations; i++) {
		const struct destination *d = &c->destinations[i];
		const struct str own[] = { d->own_url, d->sign, d->bearer, d->basic,
			d->credentials };

		any |= any_fetched(own, sizeof(own) / sizeof(own[0]));
		for (size_t j = 0; j < d->nenvironment; j++)
			any |= bundle_is_fetched(d->environment[j].value);
		for (size_t j = 0; j < d->nheaders; j++)
			any |= bundle_is_fetched(d->headers[j].value);
		for (size_t j = 0; j < d->noauth1; j++)
			any |= bundle_is_fetched(d->oauth1[j].value);
	}
	return any;
}

static int
gather_of_destination(struct bundle *b, const struct destination *d, struct err *e)
{
	const struct str own[] = { d->own_url, d->sign, d->bearer, d->basic,
		d->credentials_used };
	struct str url;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(own) / sizeof(own[0]); i++)
		if (conf_is_reference(own[i]))
			rc = bundle_read_secret(b, own[i], e);
	if (rc == 0 && conf_is_reference(d->own_url) &&
	    (url = bundle_secret(b, d->own_url)).p != NULL && !letter_is_url(url))
		rc = err_set(e, ERR_CONF, "the secret that \"http\" names is no URL");
	for (size_t i = 0; rc == 0 && i < d->nenvironment; i++)
		if (conf_is_reference(d->environment[i].value))
			rc = bundle_read_secret(b, d->environment[i].value, e);
	for (size_t i = 0; rc == 0 && i < d->nheaders; i++)
		if (conf_is_reference(d->headers[i].value))
			rc = bundle_read_secret(b, d->headers[i].value, e);
	for (size_t i = 0; rc == 0 && i < d->noauth1; i++)
		rc = bundle_read_secret(b, d->oauth1[i].value, e);
	return rc == 0 ? 0 : err_at(e, "%.*s: destination \"%.*s\"",
	    STR_ARG(d->where), STR_ARG(d->name));
}

/*
 * The courier's half: what it shows an engine, what it fetches keys with, what
 * destinations are sent.
 */
static int
gather_courier_secrets(struct bundle *b, const struct conf *c, struct err *e)
{
	if (c->inbox_secret_used.p != NULL
	    && bundle_read_secret(b, c->inbox_secret_used, e) == -1)
		return err_at(e, "%.*s: the credentials of the inbox",
		    STR_ARG(c->name));
	if ((conf_is_reference(c->claim_check_token)
	    && bundle_read_secret(b, c->claim_check_token, e) == -1)
	    || (c->claim_credentials.n > 0
	    && bundle_read_secret(b, c->claim_credentials, e) == -1))
		return err_at(e, "%.*s: \"claim_check\"", STR_ARG(c->name));
	for (size_t i = 0; i < c->nhooks; i++)
		if (gather_secret(b, &c->hooks[i], c->hooks[i].fetch_secret,
		    e) == -1)
			return -1;
	for (size_t i = 0; i < c->ndestinations; i++)
		if (gather_of_destination(b, &c->destinations[i], e) == -1)
			return -1;
	/* By whom those are fetched that only the courier can fetch. */
	if (conf_fetches(c) && c->google_file.n > 0 &&
	    bundle_read_secret(b, c->google_file, e) == -1)
		return err_at(e, "GOOGLE_APPLICATION_CREDENTIALS");
	return 0;
}

/* One file of an operator's directory, as "provider:ID" or "service:ID". */
static int
gather_file(struct bundle *b, const char *kind, struct str dir, const char *file,
    struct err *e)
{
	struct str id = { file, strlen(file) - strlen(".json") };
	bool service = strcmp(kind, "service") == 0;
	char path[4096], name[300];
	char *p;
	size_t n;
	int rc;

	if (snprintf(path, sizeof(path), "%.*s/%s", STR_ARG(dir), file) >=
	    (int)sizeof(path))
		return err_set(e, ERR_NOINPUT, "%.*s: the path is too long",
		    STR_ARG(dir));
	snprintf(name, sizeof(name), "%s:%.*s", kind, STR_ARG(id));
	if ((p = os_read_file(path, service ? SERVICE_MAX : PROVIDER_MAX, &n, e)) ==
	    NULL)
		return -1;
	rc = service ? service_check(id, (struct str){ p, n }, path, e) : 0;
	if (rc == 0 && bundle_put(b, str_of(name), (struct str){ p, n }) == -1)
		rc = err_set(e, ERR_OS, "no memory");
	free(p);
	return rc;
}

static int
gather_directory(struct bundle *b, const char *kind, struct str path, struct err *e)
{
	char name[4096];
	struct dirent *d;
	DIR *dir;
	int rc = 0;

	snprintf(name, sizeof(name), "%.*s", STR_ARG(path));
	if ((dir = opendir(name)) == NULL)
		return err_set(e, ERR_NOINPUT, "%s: %s", name, strerror(errno));
	while (rc == 0 && (d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.' &&
		    str_ends(str_of(d->d_name), STR(".json")))
			rc = gather_file(b, kind, path, d->d_name, e);
	closedir(dir);
	return rc;
}

int
conf_gather_providers(struct bundle *b, struct str path, struct err *e)
{
	int rc = gather_directory(b, "provider", path, e);

	if (rc == 0 && bundle_put(b, STR("providers"), path) == -1)
		return err_set(e, ERR_OS, "no memory");
	return rc;
}

static int
gather_providers(struct bundle *b, const struct conf *c, struct err *e)
{
	if (c->providers_dir.p == NULL ||
	    conf_gather_providers(b, c->providers_dir, e) == 0)
		return 0;
	return err_at(e, "%.*s: \"providers\"", STR_ARG(c->name));
}

/*
 * Before the rest: what a destination may say depends on its service.  What is wrong with
 * the text itself is said by who reads all of it.
 */
static int
gather_services(struct bundle *b, struct err *e)
{
	struct err unread;
	struct json_doc *doc = json_read(bundle_get(b, STR("conf")), "", &unread);
	const struct json_object *dir = doc == NULL ? NULL :
	    json_member(json_root(doc), "services");
	int rc = 0;

	if (json_kind(dir) == JSON_STRING && str_starts(json_text(dir), STR("/")) &&
	    gather_directory(b, "service", json_text(dir), e) == -1)
		rc = e->code == ERR_NOINPUT ? err_at(e, "\"services\"") : -1;
	json_close(doc);
	return rc;
}

struct bundle *
conf_gather(const char *path, enum conf_half half, struct err *e)
{
	struct bundle *b = bundle_new();
	struct conf *c = NULL;

	if (b == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	if (gather_text(b, path, half, e) == -1 || gather_services(b, e) == -1 ||
	    (c = conf_gathered(b, path, e)) == NULL)
		goto bad;
	if ((half == HALF_COURIER && settle_google(c, &(struct conf_place){
	    .variable = environment }, e) == -1) ||
	    (half == HALF_ROAD && gather_secrets(b, c, e) == -1) ||
	    (half == HALF_COURIER && gather_courier_secrets(b, c, e) == -1) ||
	    gather_providers(b, c, e) == -1)
		goto bad;
	conf_free(c);
	return b;
bad:
	conf_free(c);
	bundle_free(b);
	return NULL;
}
