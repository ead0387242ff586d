/*
 * engine_nats.c - a stream of NATS JetStream as the inbox.  libnats' home.
 *
 *	PUB subject, reply PREFIX.SERIAL.I	Nats-Msg-Id, Nats-Expected-Stream,
 *						Hooklatch-Id, Hooklatch-Event; the body
 *	<- {"stream":"S","seq":7,"duplicate":true} or {"error":{...}}
 *
 * All of a batch is published and then all acknowledgements are heard, each on a
 * reply subject of its own.  The library's own asynchronous publishing has a thread
 * and a copy of each message for that; this has neither.
 *
 * JetStream acknowledges when its file was written, and syncs it later: every two
 * minutes, or as the server's "sync_interval" says, from 2.10 on also "always".  No
 * client can read that back, so "strict" is refused.  What a client can read is
 * looked at whatever "durability" says: the stream, its storage, its subjects.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nats/nats.h>

#include "../base/json.h"
#include "../base/when.h"
#include "engine.h"

#define WRITE_MS	2000	/* that a socket may be full */
#define SAY_MS		60000	/* between two lines about refusals */
#define NO_STREAM	10059	/* JSStreamNotFoundErr */

struct nats {
	struct engine_setting	 set;
	char			 stream[256];
	char			 subject[256];
	natsConnection		*nc;
	natsSubscription	*sub;		/* of all acknowledgements */
	natsInbox		*inbox;
	uint64_t		 serial;	/* of the batch */
	int64_t			 said_at;
};

static void *
make(const struct engine_setting *s, struct err *e)
{
	struct nats *n;

	if (s->strict) {
		err_set(e, ERR_CONF, "JetStream acknowledges an event before it has "
		    "synced it, and no client can read back whether its "
		    "\"sync_interval\" is \"always\": say \"durability\": "
		    "\"engine-default\"");
		return NULL;
	}
	if (nats_Open(-1) != NATS_OK || (n = calloc(1, sizeof(*n))) == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	n->set = *s;
	snprintf(n->stream, sizeof(n->stream), "%.*s", STR_ARG(s->url.stream));
	snprintf(n->subject, sizeof(n->subject), "%.*s", STR_ARG(s->url.subject));
	return n;
}

static void
nats_close(void *self)
{
	struct nats *n = self;

	natsSubscription_Destroy(n->sub);
	natsConnection_Destroy(n->nc);
	natsInbox_Destroy(n->inbox);
	n->sub = NULL;
	n->nc = NULL;
	n->inbox = NULL;
}

static void
nats_free(void *self)
{
	free(self);
	nats_Close();
}

/* --- opening ----------------------------------------------------------------------- */

static natsStatus
options_make(struct nats *n, natsOptions **o, int64_t ms)
{
	const struct engine_setting *s = &n->set;
	char urls[ENGINE_HOSTS][300];
	const char *list[ENGINE_HOSTS];
	natsStatus rc = natsOptions_Create(o);
	bool brackets;

	for (size_t i = 0; i < s->url.nhosts; i++) {
		brackets = str_find(s->url.hosts[i].name, ':') >= 0;
		snprintf(urls[i], sizeof(urls[i]), "%s://%s%.*s%s:%u",
		    s->url.tls ? "tls" : "nats", brackets ? "[" : "",
		    STR_ARG(s->url.hosts[i].name), brackets ? "]" : "",
		    s->url.hosts[i].port);
		list[i] = urls[i];
	}
	if (rc == NATS_OK)
		rc = natsOptions_SetServers(*o, list, (int)s->url.nhosts);
	if (rc == NATS_OK)
		rc = natsOptions_SetTimeout(*o, ms);
	if (rc == NATS_OK)
		rc = natsOptions_SetName(*o, "hooklatch-courier");
	/* Opening again is ours: then it is read back again. */
	if (rc == NATS_OK)
		rc = natsOptions_SetAllowReconnect(*o, false);
	if (rc == NATS_OK)
		rc = natsOptions_SetWriteDeadline(*o, WRITE_MS);
	if (rc == NATS_OK && s->password != NULL)
		rc = s->user != NULL ?
		    natsOptions_SetUserInfo(*o, s->user, s->password) :
		    natsOptions_SetToken(*o, s->password);
	if (rc == NATS_OK && s->url.tls)
		rc = natsOptions_SetSecure(*o, true);
	if (rc == NATS_OK && s->url.tls && s->ca_file != NULL)
		rc = natsOptions_LoadCATrustedCertificates(*o, s->ca_file);
	return rc;
}

static int
failed(const struct nats *n, natsStatus rc, const char *doing, struct err *e)
{
	natsStatus last = rc;
	const char *more = nats_GetLastError(&last);

	if (rc == NATS_CONNECTION_AUTH_FAILED || rc == NATS_NOT_PERMITTED)
		return err_set(e, ERR_CONF, "%s: %s", n->set.password == NULL ?
		    "it lets nobody in without \"inbox_secret\"" :
		    "\"inbox_secret\" is not what it wants",
		    natsStatus_GetText(rc));
	if (rc == NATS_TIMEOUT)
		return err_set(e, ERR_TEMP, "%s: it does not answer in time", doing);
	return err_set(e, ERR_TEMP, "%s: %s%s%.150s", doing, natsStatus_GetText(rc),
	    more != NULL && last == rc ? ": " : "",
	    more != NULL && last == rc ? more : "");
}

/* Does a stream's subject, perhaps with wildcards, take ours? */
static bool
subject_taken(struct str pattern, struct str subject)
{
	struct str want, have;

	while (pattern.p != NULL && subject.p != NULL) {
		want = str_cut(&pattern, '.');
		have = str_cut(&subject, '.');
		if (str_eq(want, STR(">")))
			return true;
		if (!str_eq(want, STR("*")) && !str_eq(want, have))
			return false;
	}
	return pattern.p == NULL && subject.p == NULL;
}

static int
stream_look(struct nats *n, const jsStreamConfig *c, uint64_t *largest,
    struct err *e)
{
	bool taken = false;

	for (int i = 0; i < c->SubjectsLen; i++)
		taken = taken || subject_taken(str_of(c->Subjects[i]),
		    str_of(n->subject));
	if (!taken)
		return err_set(e, ERR_CONF, "the stream %s does not take the subject "
		    "%s: add it there, or name another", n->stream, n->subject);
	if (c->Storage != js_FileStorage)
		return err_set(e, ERR_CONF, "the stream %s is in memory, and gone "
		    "with its server: its storage must be \"file\"", n->stream);
	if (c->NoAck)
		return err_set(e, ERR_CONF, "the stream %s acknowledges nothing "
		    "(\"no_ack\")", n->stream);
	if (c->MaxMsgSize > 0 && (uint64_t)c->MaxMsgSize < *largest)
		*largest = (uint64_t)c->MaxMsgSize;
	return 0;
}

static int
stream_find(struct nats *n, int64_t until, uint64_t *largest, struct err *e)
{
	jsStreamInfo *si = NULL;
	jsCtx *js = NULL;
	jsOptions o;
	jsErrCode code = 0;
	natsStatus rc;
	int result = -1;

	jsOptions_Init(&o);
	o.Wait = until - when_steady() > 1 ? until - when_steady() : 1;
	rc = natsConnection_JetStream(&js, n->nc, &o);
	if (rc == NATS_OK)
		rc = js_GetStreamInfo(&si, js, n->stream, &o, &code);
	if (rc == NATS_NOT_FOUND || code == NO_STREAM)
		err_set(e, ERR_CONF, "there is no stream %s: make it (nats stream "
		    "add %s --subjects %s --storage file)", n->stream, n->stream,
		    n->subject);
	else if (rc == NATS_NO_RESPONDERS)
		err_set(e, ERR_CONF, "it is a server without JetStream");
	else if (rc != NATS_OK)
		failed(n, rc, "asking for the stream", e);
	else
		result = stream_look(n, si->Config, largest, e);
	jsStreamInfo_Destroy(si);
	jsCtx_Destroy(js);
	return result;
}

static int
nats_open(void *self, int64_t until, uint64_t *largest, struct err *e)
{
	struct nats *n = self;
	natsOptions *o = NULL;
	char subject[128];
	natsStatus rc;
	int64_t limit;

	rc = options_make(n, &o, until - when_steady() > 1 ?
	    until - when_steady() : 1);
	if (rc == NATS_OK)
		rc = natsConnection_Connect(&n->nc, o);
	natsOptions_Destroy(o);
	if (rc != NATS_OK)
		return failed(n, rc, "connecting", e);
	if ((rc = natsInbox_Create(&n->inbox)) == NATS_OK) {
		snprintf(subject, sizeof(subject), "%s.*.*", n->inbox);
		rc = natsConnection_SubscribeSync(&n->sub, n->nc, subject);
	}
	if (rc != NATS_OK)
		return failed(n, rc, "subscribing", e);
	limit = natsConnection_GetMaxPayload(n->nc);
	*largest = limit > 0 ? (uint64_t)limit : 1024 * 1024;
	return stream_find(n, until, largest, e);
}

/* --- a batch ------------------------------------------------------------------------- */

/* A header's value ends where its line does. */
static natsStatus
header(natsMsg *m, const char *name, struct str value, struct buf *text)
{
	buf_reset(text);
	buf_put(text, value);
	buf_putc(text, '\0');
	return buf_ok(text) ? natsMsgHeader_Set(m, name, text->p) : NATS_NO_MEMORY;
}

static natsStatus
publish(struct nats *n, const struct engine_event *v, size_t i, struct buf *text)
{
	const char *body = v->body.n > 0 ? v->body.p : "";
	char reply[160];
	natsMsg *m = NULL;
	natsStatus rc;

	snprintf(reply, sizeof(reply), "%s.%" PRIu64 ".%zu", n->inbox, n->serial, i);
	rc = natsMsg_Create(&m, n->subject, reply, body, (int)v->body.n);
	if (rc == NATS_OK)
		rc = natsMsgHeader_Set(m, "Nats-Msg-Id", v->name);
	if (rc == NATS_OK)
		rc = natsMsgHeader_Set(m, "Nats-Expected-Stream", n->stream);
	if (rc == NATS_OK)
		rc = natsMsgHeader_Set(m, "Hooklatch-Id", v->put->event.id);
	if (rc == NATS_OK)
		rc = header(m, "Hooklatch-Event", v->json, text);
	if (rc == NATS_OK)
		rc = natsConnection_PublishMsg(n->nc, m);
	natsMsg_Destroy(m);
	return rc;
}

/* What a stream refuses is one event's affair, and is said now and then. */
static void
refused(struct nats *n, struct engine_event *v, struct str error)
{
	static const struct json_limits few = { 8, 100 };
	int64_t now = when_steady();
	struct str text = STR_NONE;

	v->answered = true;
	v->why = "the stream does not take it";
	if (n->said_at != 0 && now - n->said_at < SAY_MS)
		return;
	n->said_at = now;
	if (json_scan(error, few, NULL) == JSON_OK)
		json_find(error, STR("error.description"), &text);
	log_say(n->set.log, LOG_ERROR_, "NATS: the stream %s does not take an event: "
	    "%.*s", n->stream, STR_ARG(str_head(text, 200)));
}

static void
acknowledged(struct nats *n, struct engine_event *v, struct str said)
{
	static const struct json_limits few = { 8, 100 };
	struct str raw;

	if (json_scan(said, few, NULL) != JSON_OK
	    || json_find(said, STR("error"), &raw) != JSON_NONE
	    || json_find(said, STR("seq"), &raw) != JSON_NUMBER
	    || json_find(said, STR("stream"), &raw) != JSON_STRING
	    || !str_eq(raw, str_of(n->stream))) {
		refused(n, v, said);
		return;
	}
	v->answered = true;
	v->repeat = json_find(said, STR("duplicate"), &raw) == JSON_BOOL
	    && str_eq(raw, STR("true"));
}

/* Whose is it?  PREFIX.SERIAL.I; what is of another batch is nobody's. */
static struct engine_event *
whose(const struct nats *n, struct engine_event *v, size_t count, const char *subject)
{
	struct str rest = str_of(subject), serial;
	uint64_t of, i;

	rest = str_skip(rest, strlen(n->inbox) + 1);
	serial = str_cut(&rest, '.');
	if (!str_to_u64(serial, &of) || of != n->serial || !str_to_u64(rest, &i)
	    || i >= count || v[i].answered)
		return NULL;
	return &v[i];
}

static int
hear(struct nats *n, struct engine_event *v, size_t count, size_t waiting,
    int64_t until, struct err *e)
{
	struct engine_event *one;
	natsMsg *m;
	natsStatus rc;

	while (waiting > 0) {
		m = NULL;
		rc = until - when_steady() <= 0 ? NATS_TIMEOUT :
		    natsSubscription_NextMsg(&m, n->sub, until - when_steady());
		if (rc == NATS_NO_RESPONDERS
		    || (rc == NATS_OK && natsMsg_IsNoResponders(m))) {
			natsMsg_Destroy(m);
			return err_set(e, ERR_TEMP, "nobody takes the subject %s",
			    n->subject);
		}
		if (rc != NATS_OK)
			return failed(n, rc, "hearing acknowledgements", e);
		one = whose(n, v, count, natsMsg_GetSubject(m));
		if (one != NULL) {
			acknowledged(n, one, (struct str){ natsMsg_GetData(m),
			    (size_t)natsMsg_GetDataLength(m) });
			waiting--;
		}
		natsMsg_Destroy(m);
	}
	return 0;
}

static int
nats_put(void *self, struct engine_event *v, size_t count, int64_t until,
    struct err *e)
{
	struct nats *n = self;
	struct buf text = BUF(ENGINE_MESSAGE);
	natsStatus rc = NATS_OK;
	size_t waiting = 0;

	n->serial++;
	for (size_t i = 0; rc == NATS_OK && i < count; i++) {
		if (v[i].answered)
			continue;
		rc = publish(n, &v[i], i, &text);
		waiting++;
	}
	buf_free(&text);
	if (rc != NATS_OK)
		return failed(n, rc, "publishing", e);
	return hear(n, v, count, waiting, until, e);
}

static int
nats_ping(void *self, int64_t until, struct err *e)
{
	struct nats *n = self;
	int64_t left = until - when_steady();
	natsStatus rc = natsConnection_FlushTimeout(n->nc, left > 1 ? left : 1);

	return rc == NATS_OK ? 0 : failed(n, rc, "asking whether it is there", e);
}

static void
nats_load(void)
{
	nats_Open(-1);		/* make() says it where it fails */
}

const struct engine_kind engine_nats = { ENGINE_NATS, "NATS", nats_load, make, nats_open,
	nats_put, nats_ping, nats_close, nats_free };
