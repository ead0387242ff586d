/*
 * nats.c - a stream of NATS by hand, for tests/engine-nats.sh.
 *
 *	nats URL STREAM make SUBJECT [memory] [MAX-MESSAGES]
 *	nats URL STREAM delete
 *	nats URL STREAM ids			the event_id of each message
 *	nats URL STREAM count			how many messages there are
 *	nats URL STREAM body|json EVENT-ID	of those with that event_id
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nats/nats.h>

static void
must(natsStatus s, const char *what)
{
	if (s == NATS_OK)
		return;
	fprintf(stderr, "nats: %s: %s\n", what, natsStatus_GetText(s));
	exit(1);
}

/* The value of "event_id" in a line of ours; no escapes are expected. */
static void
id_of(const char *json, char *id, size_t room)
{
	static const char name[] = "\"event_id\":\"";
	const char *p = strstr(json, name), *end;

	id[0] = '\0';
	if (p == NULL || (end = strchr(p += sizeof(name) - 1, '"')) == NULL)
		return;
	snprintf(id, room, "%.*s", (int)(end - p), p);
}

static void
read_all(jsCtx *js, const char *stream, const char *verb, const char *wanted)
{
	natsSubscription *sub = NULL;
	jsStreamInfo *si = NULL;
	jsSubOptions so;
	const char *json;
	char id[300];
	natsMsg *m;

	must(js_GetStreamInfo(&si, js, stream, NULL, NULL), "stream");
	jsSubOptions_Init(&so);
	if (strcmp(verb, "count") == 0) {
		printf("%llu\n", (unsigned long long)si->State.Msgs);
		return;
	}
	so.Stream = stream;
	so.Ordered = true;
	if (si->State.Msgs == 0)
		return;
	must(js_SubscribeSync(&sub, js, ">", NULL, &so, NULL), "subscribe");
	for (uint64_t i = 0; i < si->State.Msgs; i++) {
		must(natsSubscription_NextMsg(&m, sub, 5000), "message");
		must(natsMsgHeader_Get(m, "Hooklatch-Event", &json), "header");
		id_of(json, id, sizeof(id));
		if (strcmp(verb, "ids") == 0)
			puts(id);
		else if (strcmp(id, wanted) != 0)
			;
		else if (strcmp(verb, "body") == 0)
			fwrite(natsMsg_GetData(m), 1,
			    (size_t)natsMsg_GetDataLength(m), stdout);
		else
			puts(json);
		natsMsg_Destroy(m);
	}
}

int
main(int argc, char **argv)
{
	const char *subjects[1];
	natsConnection *nc = NULL;
	jsCtx *js = NULL;
	jsStreamConfig c;

	if (argc < 4)
		return 64;
	must(natsConnection_ConnectTo(&nc, argv[1]), "connect");
	must(natsConnection_JetStream(&js, nc, NULL), "JetStream");
	if (strcmp(argv[3], "make") == 0) {
		jsStreamConfig_Init(&c);
		subjects[0] = argv[4];
		c.Name = argv[2];
		c.Subjects = subjects;
		c.SubjectsLen = 1;
		c.Storage = argc > 5 && strcmp(argv[5], "memory") == 0 ?
		    js_MemoryStorage : js_FileStorage;
		if (argc > 6) {
			c.MaxMsgs = atoi(argv[6]);
			c.Discard = js_DiscardNew;
		}
		must(js_AddStream(NULL, js, &c, NULL, NULL), "make");
	} else if (strcmp(argv[3], "delete") == 0) {
		must(js_DeleteStream(js, argv[2], NULL, NULL), "delete");
	} else {
		read_all(js, argv[2], argv[3], argc > 4 ? argv[4] : "");
	}
	fflush(stdout);
	_Exit(0);
}
