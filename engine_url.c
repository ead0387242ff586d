/* engine_url.c - see engine_url.h. */
#include <string.h>

#include "engine_url.h"

#define HOST_MAX	253		/* of a name, RFC 1035 */
#define STREAM_MOST	249		/* of a topic of Kafka, the least of the three */

static const struct scheme {
	const char	*prefix;
	enum engine	 engine;
	bool		 tls;
	uint16_t	 port;
	const char	*form;
} schemes[] = {
	{ "redis://", ENGINE_REDIS, false, 6379,
	  "must be \"redis://HOST[:PORT]/DB/STREAM\"" },
	{ "rediss://", ENGINE_REDIS, true, 6379,
	  "must be \"rediss://HOST[:PORT]/DB/STREAM\"" },
	{ "nats://", ENGINE_NATS, false, 4222,
	  "must be \"nats://HOST[:PORT]/STREAM/SUBJECT\"" },
	{ "nats+tls://", ENGINE_NATS, true, 4222,
	  "must be \"nats+tls://HOST[:PORT]/STREAM/SUBJECT\"" },
	{ "kafka://", ENGINE_KAFKA, false, 9092,
	  "must be \"kafka://HOST[:PORT]/TOPIC\"" },
	{ "kafka+tls://", ENGINE_KAFKA, true, 9093,
	  "must be \"kafka+tls://HOST[:PORT]/TOPIC\"" },
	{ "pubsub:", ENGINE_PUBSUB, true, 443,
	  "must be \"pubsub:projects/PROJECT/topics/TOPIC\"" },
};
#define NSCHEMES	(sizeof(schemes) / sizeof(schemes[0]))

static const struct scheme *
scheme_of(struct str url)
{
	for (size_t i = 0; i < NSCHEMES; i++)
		if (str_starts(url, str_of(schemes[i].prefix)))
			return &schemes[i];
	return NULL;
}

enum engine
engine_of(struct str url)
{
	const struct scheme *s = scheme_of(url);

	return s == NULL ? ENGINE_NONE : s->engine;
}

/* Letters, digits and these, at least one, and few enough. */
static bool
plain(struct str s, const char *more, size_t most)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
		    || (c >= '0' && c <= '9')
		    || (c != '\0' && strchr(more, c) != NULL)))
			return false;
	}
	return s.n > 0 && s.n <= most;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT. */
static bool
host_read(struct engine_host *h, struct str s, uint16_t port)
{
	struct str rest = s;
	uint64_t n;

	if (str_starts(s, STR("["))) {
		rest = str_skip(s, 1);
		h->name = str_cut(&rest, ']');
		if (rest.p == NULL || !plain(h->name, ":.", 45)
		    || (rest.n > 0 && rest.p[0] != ':'))
			return false;
		rest = rest.n > 0 ? str_skip(rest, 1) : STR_NONE;
	} else {
		h->name = str_cut(&rest, ':');
		if (!plain(h->name, ".-_", HOST_MAX))
			return false;
	}
	h->port = port;
	if (rest.p == NULL)
		return true;
	if (!str_to_u64(rest, &n) || n == 0 || n > 65535)
		return false;
	h->port = (uint16_t)n;
	return true;
}

bool
engine_is_host(struct str s)
{
	struct engine_host h;

	return host_read(&h, s, 0) && h.port != 0;
}

/* A subject of NATS to publish to: tokens with dots between, no wildcard. */
static bool
subject_valid(struct str s)
{
	struct str rest = s;

	while (rest.p != NULL)
		if (!plain(str_cut(&rest, '.'), "_-$:/=", STREAM_MOST))
			return false;
	return s.n <= STREAM_MOST;
}

/* "https://HOST[:PORT]", with a slash behind it or not. */
static bool
endpoint_read(struct engine_url *u, struct str s)
{
	struct str rest;

	while (str_ends(s, STR("/")))
		s.n--;
	u->tls = str_starts(s, STR("https://"));
	if (!u->tls && !str_starts(s, STR("http://")))
		return false;
	u->endpoint = s;
	rest = str_skip(s, strlen(u->tls ? "https://" : "http://"));
	u->nhosts = 1;
	return host_read(&u->hosts[0], rest, u->tls ? 443 : 80);
}

/* https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names */
static bool
topic_read(struct engine_url *u, struct str s)
{
	struct str options = s, topic, project, one;

	u->stream = topic = str_cut(&options, '?');
	if (!str_eq(str_cut(&topic, '/'), STR("projects")))
		return false;
	project = str_cut(&topic, '/');
	if (!plain(project, "-.:", 100) ||
	    !str_eq(str_cut(&topic, '/'), STR("topics")) ||
	    !plain(topic, "-_.~+%", 255))
		return false;
	while (options.p != NULL) {
		one = str_cut(&options, '&');
		if (str_eq(one, STR("ordering=hook")))
			u->by_hook = true;
		else if (!str_starts(one, STR("endpoint=")) ||
		    !endpoint_read(u, str_skip(one, strlen("endpoint="))))
			return false;
	}
	return true;
}

static bool
path_read(struct engine_url *u, struct str path)
{
	struct str options, first;
	uint64_t n;

	switch (u->engine) {
	case ENGINE_REDIS:
		first = str_cut(&path, '/');
		options = path;
		if (!str_to_u64(first, &n) || n > 65535 || path.p == NULL)
			return false;
		u->db = (unsigned)n;
		u->stream = str_cut(&options, '?');
		if (options.p != NULL) {
			if (!str_starts(options, STR("wait="))
			    || !str_to_u64(str_skip(options, 5), &n)
			    || n == 0 || n > 100)
				return false;
			u->wait = (unsigned)n;
		}
		return plain(u->stream, "_.:{}/-", STREAM_MOST);
	case ENGINE_NATS:
		u->stream = str_cut(&path, '/');
		u->subject = path;
		return path.p != NULL && plain(u->stream, "_-", STREAM_MOST)
		    && subject_valid(path);
	case ENGINE_KAFKA:
		options = path;
		u->stream = str_cut(&options, '?');
		u->scram = options.p != NULL;
		return plain(u->stream, "_.-", STREAM_MOST)
		    && (options.p == NULL || str_eq(options, STR("scram")));
	case ENGINE_PUBSUB:
		return topic_read(u, path);
	case ENGINE_NONE:
		break;
	}
	return false;
}

const char *
engine_url(struct engine_url *u, struct str url)
{
	const struct scheme *s = scheme_of(url);
	struct str hosts, path;

	memset(u, 0, sizeof(*u));
	if (s == NULL)
		return "is no engine";
	u->engine = s->engine;
	u->tls = s->tls;
	path = str_skip(url, strlen(s->prefix));
	if (str_find(path, '@') >= 0)
		return "holds credentials, and is printed and logged: they stand in "
		    "\"inbox_secret\"";
	if (u->engine == ENGINE_PUBSUB)
		return path_read(u, path) ? NULL : s->form;
	hosts = str_cut(&path, '/');
	if (path.p == NULL)
		return s->form;
	while (hosts.p != NULL) {
		if (u->nhosts == ENGINE_HOSTS || (u->nhosts > 0
		    && u->engine == ENGINE_REDIS)
		    || !host_read(&u->hosts[u->nhosts++], str_cut(&hosts, ','),
		    s->port))
			return s->form;
	}
	return path_read(u, path) ? NULL : s->form;
}
