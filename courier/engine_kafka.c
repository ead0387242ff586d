/*
 * engine_kafka.c - a topic of Kafka as the inbox.  librdkafka's home.
 *
 *	produce, acks=all, idempotent	key: the event's name; hooklatch-id,
 *					hooklatch-event; the body
 *	<- a delivery report for each
 *
 * "acks=all" is the strongest word that a producer can ask for: all replicas that are
 * in sync have it.  How many that are, and whether any of them syncs, is the topic's
 * affair: "strict" reads back that min.insync.replicas is 2 or more, or flush.messages
 * is 1.  Brokers do not sync by themselves: two hosts must lose their power at once.
 *
 * Nothing merges repeats.  The idempotent producer only keeps its own second tries
 * from becoming two messages, and only as long as it lives; the key is the same for
 * each repeat, so that a reader finds them in one partition.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "../base/when.h"
#include "engine.h"

#define MESSAGE_MAX	1000000		/* bytes, where a topic does not say */
#define MESSAGE_MOST	(8 * 1024 * 1024)	/* also where it says more */

struct kafka {
	struct engine_setting	 set;
	char			 topic[256];
	rd_kafka_t		*rk;
	uint32_t		 serial;	/* of the batch */
	struct engine_event	*events;	/* of the batch, or NULL */
	size_t			 nevents;
	size_t			 waiting;
	char			 why[200];	/* of its last error */
	bool			 auth;		/* it was about who we are */
};

static void *
make(const struct engine_setting *s, struct err *e)
{
	struct kafka *k;

	if (s->password != NULL && s->user == NULL) {
		err_set(e, ERR_CONF, "\"inbox_secret\" of Kafka must be "
		    "USER:PASSWORD");
		return NULL;
	}
	if ((k = calloc(1, sizeof(*k))) == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	k->set = *s;
	snprintf(k->topic, sizeof(k->topic), "%.*s", STR_ARG(s->url.stream));
	return k;
}

static void
kafka_close(void *self)
{
	struct kafka *k = self;

	k->events = NULL;
	if (k->rk == NULL)
		return;
	rd_kafka_purge(k->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
	    RD_KAFKA_PURGE_F_NON_BLOCKING);
	rd_kafka_destroy(k->rk);
	k->rk = NULL;
}

static void
kafka_free(void *self)
{
	free(self);
}

/* --- what it tells us: all of it in rd_kafka_poll(), which our thread calls ----------- */

static void
on_error(rd_kafka_t *rk, int code, const char *reason, void *arg)
{
	struct kafka *k = arg;

	(void)rk;
	if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION
	    || code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED)
		k->auth = true;
	snprintf(k->why, sizeof(k->why), "%s", reason);
}

/* Its threads would write to our standard error. */
static void
on_log(const rd_kafka_t *rk, int level, const char *what, const char *text)
{
	(void)rk;
	(void)level;
	(void)what;
	(void)text;
}

/* The opaque of a message says which it is: its batch's serial, its place in it. */
static void
on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
	struct kafka *k = arg;
	uintptr_t tag = (uintptr_t)m->_private;
	struct engine_event *v;

	(void)rk;
	if (k->events == NULL || (uint32_t)(tag >> 16) != k->serial
	    || (tag & 0xffff) >= k->nevents)
		return;
	v = &k->events[tag & 0xffff];
	if (v->answered)
		return;
	k->waiting--;
	if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		v->answered = true;
	} else if (m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
		v->answered = true;
		v->too_large = true;
		v->why = "it is larger than the topic takes";
	} else {
		snprintf(k->why, sizeof(k->why), "%s", rd_kafka_err2str(m->err));
	}
}

/* --- opening ----------------------------------------------------------------------- */

static int
failed(const struct kafka *k, const char *doing, const char *error, struct err *e)
{
	if (k->auth)
		return err_set(e, ERR_CONF, "\"inbox_secret\" is not what it wants: "
		    "%s", k->why);
	return err_set(e, ERR_TEMP, "%s: %s%s%s", doing, error,
	    k->why[0] != '\0' ? ": " : "", k->why);
}

static int
option(rd_kafka_conf_t *c, const char *name, const char *value, struct err *e)
{
	char why[200];

	if (rd_kafka_conf_set(c, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return 0;
	/* why may repeat the value, which may be the password. */
	return err_set(e, ERR_CONF, "librdkafka does not take a value of \"%s\"",
	    name);
}

/* A password goes in the clear only inside TLS. */
static int
options_secret(const struct kafka *k, rd_kafka_conf_t *c, struct err *e)
{
	const struct engine_setting *s = &k->set;
	bool sasl = s->password != NULL;

	if (option(c, "security.protocol", s->url.tls ? sasl ? "sasl_ssl" : "ssl" :
	    sasl ? "sasl_plaintext" : "plaintext", e) == -1
	    || (s->url.tls && s->ca_file != NULL
	    && option(c, "ssl.ca.location", s->ca_file, e) == -1))
		return -1;
	if (!sasl)
		return 0;
	return option(c, "sasl.mechanisms", s->url.tls && !s->url.scram ? "PLAIN" :
	    "SCRAM-SHA-512", e) == -1
	    || option(c, "sasl.username", s->user, e) == -1
	    || option(c, "sasl.password", s->password, e) == -1 ? -1 : 0;
}

static int
options_make(struct kafka *k, rd_kafka_conf_t *c, struct err *e)
{
	static const struct { const char *name, *value; } always[] = {
		{ "client.id", "hooklatch-courier" },
		{ "acks", "all" },
		{ "enable.idempotence", "true" },
		{ "socket.nagle.disable", "true" },
		{ "linger.ms", "0" },		/* the batch is made already */
		{ "message.max.bytes", "8388608" },
		{ "message.timeout.ms", "60000" },	/* ours is shorter */
		{ "socket.keepalive.enable", "true" },
	};
	const struct engine_url *u = &k->set.url;
	struct buf servers = BUF(ENGINE_HOSTS * 300);
	int rc = 0;

	for (size_t i = 0; i < u->nhosts; i++) {
		bool brackets = str_find(u->hosts[i].name, ':') >= 0;

		buf_printf(&servers, "%s%s%.*s%s:%u", i > 0 ? "," : "",
		    brackets ? "[" : "", STR_ARG(u->hosts[i].name),
		    brackets ? "]" : "", u->hosts[i].port);
	}
	buf_putc(&servers, '\0');
	if (!buf_ok(&servers))
		rc = err_set(e, ERR_OS, "no memory");
	else
		rc = option(c, "bootstrap.servers", servers.p, e);
	buf_free(&servers);
	for (size_t i = 0; rc == 0 && i < sizeof(always) / sizeof(always[0]); i++)
		rc = option(c, always[i].name, always[i].value, e);
	rd_kafka_conf_set_opaque(c, k);
	rd_kafka_conf_set_error_cb(c, on_error);
	rd_kafka_conf_set_log_cb(c, on_log);
	rd_kafka_conf_set_dr_msg_cb(c, on_report);
	return rc == 0 ? options_secret(k, c, e) : -1;
}

static int
topic_find(struct kafka *k, int64_t until, struct err *e)
{
	rd_kafka_topic_t *t = rd_kafka_topic_new(k->rk, k->topic, NULL);
	const struct rd_kafka_metadata *md = NULL;
	int64_t left = until - when_steady();
	rd_kafka_resp_err_t rc;
	int result = -1;

	if (t == NULL)
		return err_set(e, ERR_OS, "no memory");
	rc = rd_kafka_metadata(k->rk, 0, t, &md, left > 1 ? (int)left : 1);
	rd_kafka_poll(k->rk, 0);
	if (rc == RD_KAFKA_RESP_ERR_NO_ERROR && md->topic_cnt == 1)
		rc = md->topics[0].err;
	if (rc == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		err_set(e, ERR_CONF, "there is no topic %s: make it "
		    "(kafka-topics --create --topic %s --replication-factor 3 "
		    "--config min.insync.replicas=2)", k->topic, k->topic);
	else if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		failed(k, "asking for the topic", rd_kafka_err2str(rc), e);
	else
		result = 0;
	if (md != NULL)
		rd_kafka_metadata_destroy(md);
	rd_kafka_topic_destroy(t);
	return result;
}

/* What the topic says of itself. */
struct topic_setting {
	bool		read;
	uint64_t	in_sync;	/* min.insync.replicas */
	uint64_t	flush;		/* flush.messages */
	uint64_t	largest;	/* max.message.bytes */
};

static void
topic_entries(struct topic_setting *t, const rd_kafka_ConfigResource_t *r)
{
	size_t n = 0;
	const rd_kafka_ConfigEntry_t **all = rd_kafka_ConfigResource_configs(r, &n);

	for (size_t i = 0; i < n; i++) {
		struct str name = str_of(rd_kafka_ConfigEntry_name(all[i]));
		struct str value = str_of(rd_kafka_ConfigEntry_value(all[i]));

		if (value.p == NULL)
			continue;
		if (str_eq(name, STR("min.insync.replicas")))
			t->read = str_to_u64(value, &t->in_sync) || t->read;
		else if (str_eq(name, STR("flush.messages")))
			str_to_u64(value, &t->flush);
		else if (str_eq(name, STR("max.message.bytes")))
			str_to_u64(value, &t->largest);
	}
}

static void
topic_ask(struct kafka *k, struct topic_setting *t, int64_t until)
{
	rd_kafka_queue_t *q = rd_kafka_queue_new(k->rk);
	rd_kafka_ConfigResource_t *r =
	    rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, k->topic);
	int64_t left = until - when_steady();
	const rd_kafka_ConfigResource_t **all;
	rd_kafka_event_t *ev;
	size_t n = 0;

	rd_kafka_DescribeConfigs(k->rk, &r, 1, NULL, q);
	ev = rd_kafka_queue_poll(q, left > 1 ? (int)left : 1);
	if (ev != NULL && rd_kafka_event_error(ev) == RD_KAFKA_RESP_ERR_NO_ERROR
	    && rd_kafka_event_DescribeConfigs_result(ev) != NULL) {
		all = rd_kafka_DescribeConfigs_result_resources(
		    rd_kafka_event_DescribeConfigs_result(ev), &n);
		if (n == 1 && rd_kafka_ConfigResource_error(all[0])
		    == RD_KAFKA_RESP_ERR_NO_ERROR)
			topic_entries(t, all[0]);
	}
	if (ev != NULL)
		rd_kafka_event_destroy(ev);
	rd_kafka_ConfigResource_destroy(r);
	rd_kafka_queue_destroy(q);
}

static int
durable(const struct topic_setting *t, struct err *e)
{
	if (!t->read)
		return err_set(e, ERR_CONF, "\"durability\" is \"strict\" and it does "
		    "not say what the topic's settings are: allow DescribeConfigs, "
		    "or say \"engine-default\"");
	if (t->in_sync < 2 && t->flush != 1)
		return err_set(e, ERR_CONF, "the topic's \"min.insync.replicas\" is "
		    "%" PRIu64 ", so one broker may have an event alone, in its "
		    "memory: set it to 2 or more (or \"flush.messages\" to 1), or "
		    "say \"durability\": \"engine-default\"", t->in_sync);
	return 0;
}

static int
kafka_open(void *self, int64_t until, uint64_t *largest, struct err *e)
{
	struct kafka *k = self;
	struct topic_setting t = { .largest = MESSAGE_MAX };
	rd_kafka_conf_t *c = rd_kafka_conf_new();
	char why[200];

	k->auth = false;
	k->why[0] = '\0';
	if (options_make(k, c, e) == -1) {
		rd_kafka_conf_destroy(c);
		return -1;
	}
	k->rk = rd_kafka_new(RD_KAFKA_PRODUCER, c, why, sizeof(why));
	if (k->rk == NULL) {
		rd_kafka_conf_destroy(c);
		return err_set(e, ERR_CONF, "librdkafka: %s", why);
	}
	if (topic_find(k, until, e) == -1)
		return -1;
	/* Settings are asked for only where they matter: few may read them. */
	if (k->set.strict) {
		topic_ask(k, &t, until);
		if (durable(&t, e) == -1)
			return -1;
	}
	*largest = t.largest < MESSAGE_MOST ? t.largest : MESSAGE_MOST;
	return 0;
}

/* --- a batch ------------------------------------------------------------------------- */

static int
produce(struct kafka *k, struct engine_event *v, size_t i, struct err *e)
{
	uintptr_t tag = ((uintptr_t)k->serial << 16) | i;
	rd_kafka_resp_err_t rc;

	rc = rd_kafka_producev(k->rk, RD_KAFKA_V_TOPIC(k->topic),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
	    RD_KAFKA_V_KEY(v->name, strlen(v->name)),
	    RD_KAFKA_V_VALUE((void *)(uintptr_t)(v->body.n > 0 ? v->body.p : ""),
	    v->body.n),
	    RD_KAFKA_V_HEADER("hooklatch-id", v->put->event.id, -1),
	    RD_KAFKA_V_HEADER("hooklatch-event", v->json.p, (ssize_t)v->json.n),
	    RD_KAFKA_V_OPAQUE((void *)tag), RD_KAFKA_V_END);
	if (rc == RD_KAFKA_RESP_ERR_NO_ERROR) {
		k->waiting++;
		return 0;
	}
	if (rc != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
		return failed(k, "producing", rd_kafka_err2str(rc), e);
	v->answered = true;
	v->too_large = true;
	v->why = "it is larger than the topic takes";
	return 0;
}

static int
kafka_put(void *self, struct engine_event *v, size_t n, int64_t until,
    struct err *e)
{
	struct kafka *k = self;
	int64_t left;
	size_t i;
	int rc = 0;

	k->serial++;
	k->events = v;
	k->nevents = n;
	k->waiting = 0;
	k->why[0] = '\0';
	for (i = 0; rc == 0 && i < n; i++)
		if (!v[i].answered)
			rc = produce(k, &v[i], i, e);
	while (rc == 0 && k->waiting > 0) {
		if ((left = until - when_steady()) <= 0)
			rc = failed(k, "producing", "it does not answer in time", e);
		else
			rd_kafka_poll(k->rk, left > 100 ? 100 : (int)left);
	}
	for (i = 0; rc == 0 && i < n; i++)
		if (!v[i].answered)
			rc = failed(k, "producing", "it refused an event", e);
	k->events = NULL;
	return rc;
}

static int
kafka_ping(void *self, int64_t until, struct err *e)
{
	return topic_find(self, until, e);
}

const struct engine_kind engine_kafka = { ENGINE_KAFKA, "Kafka", NULL, make, kafka_open,
	kafka_put, kafka_ping, kafka_close, kafka_free };
