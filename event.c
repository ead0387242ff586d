/* event.c - an event's name, and an event as a person or a program reads it. */
#include "base/codec.h"
#include "base/json.h"
#include "base/when.h"
#include "event.h"

const char *
delivery_state_name(enum delivery_state s)
{
	static const char *const names[DELIVERY_STATES] = { "waits", "behind",
	    "done", "dead", "left-out", "missed" };

	return s < DELIVERY_STATES ? names[s] : "?";
}

const char *
forward_mode_name(enum forward_mode m)
{
	static const char *const names[FORWARD_MODES] = { "after", "before_answer",
	    "answer" };

	return m < FORWARD_MODES ? names[m] : "?";
}

void
event_mint(char id[EVENT_ID_LEN + 1], int64_t ms, const unsigned char dice[10])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char u[16];
	size_t i, o = 0;

	/* RFC 9562 section 5.7: 48 bits of time, version, variant, dice. */
	for (i = 0; i < 6; i++)
		u[i] = (unsigned char)((uint64_t)ms >> (40 - 8 * i));
	for (i = 0; i < 10; i++)
		u[6 + i] = dice[i];
	u[6] = (unsigned char)((u[6] & 0x0f) | 0x70);
	u[8] = (unsigned char)((u[8] & 0x3f) | 0x80);
	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			id[o++] = '-';
		id[o++] = hex[u[i] >> 4];
		id[o++] = hex[u[i] & 15];
	}
	id[o] = '\0';
}

/* ,"name":  */
static void
name(struct buf *b, const char *n)
{
	buf_put(b, STR(",\""));
	buf_put(b, str_of(n));
	buf_put(b, STR("\":"));
}

/* What is empty is not known: null. */
static void
text(struct buf *b, const char *n, struct str value)
{
	name(b, n);
	if (value.n == 0)
		buf_put(b, STR("null"));
	else
		buf_json(b, value);
}

static void
count(struct buf *b, const char *n, uint64_t value)
{
	name(b, n);
	buf_printf(b, "%llu", (unsigned long long)value);
}

static void
moment(struct buf *b, const char *n, int64_t ms)
{
	char at[WHEN_ROOM];
	size_t len = ms == 0 ? 0 : when_print(at, ms, WHEN_ISO8601);

	text(b, n, (struct str){ at, len });
}

static void
flag(struct buf *b, const char *n)
{
	name(b, n);
	buf_put(b, STR("true"));
}

void
event_json(struct buf *b, const struct event *e, const struct stored *s,
    int64_t last_repeat_at, bool bodies)
{
	static const struct json_limits limits = { 8, 10000 };
	const char *id = s != NULL && s->id[0] != '\0' ? s->id : e->id;
	unsigned flags = s == NULL ? 0 : s->flags;

	buf_put(b, STR("{\"id\":"));
	buf_json(b, str_of(id));
	moment(b, "received_at", e->received_at);
	text(b, "hook", e->hook);
	text(b, "provider", e->provider);
	text(b, "event_id", e->event_id);
	text(b, "event_type", e->event_type);
	count(b, "size", e->size);
	count(b, "repeats", s == NULL ? 0 : s->repeats);
	if (last_repeat_at != 0)
		moment(b, "last_repeat_at", last_repeat_at);
	if (flags & STORED_REPEAT)
		flag(b, "repeat");
	if (flags & STORED_OTHER_BODY)
		flag(b, "other_body");
	if (flags & STORED_OTHER_ID)
		flag(b, "other_id");
	text(b, "method", e->method);
	text(b, "target", e->target);
	text(b, "remote", e->remote);
	text(b, "scheme", e->scheme);
	text(b, "secret", e->secret);
	moment(b, "signed_at", e->signed_at);
	text(b, "request_id", e->request_id);
	if (e->trace.n > 0)
		text(b, "trace", e->trace);

	/* It came across the wall: it is JSON on one line, or a string. */
	name(b, "headers");
	if (e->headers.n == 0)
		buf_put(b, STR("[]"));
	else if (str_find(e->headers, '\n') < 0 &&
	    json_scan(e->headers, limits, NULL) == JSON_OK)
		buf_put(b, e->headers);
	else
		buf_json(b, e->headers);

	if (bodies) {
		char *p;

		name(b, "body_base64");
		if (e->body.p == NULL) {
			buf_put(b, STR("null"));
		} else {
			buf_putc(b, '"');
			p = buf_take(b, BASE64_TEXT(e->body.n));
			if (p != NULL)
				base64_print(p, e->body);
			buf_putc(b, '"');
		}
	}
	buf_putc(b, '}');
}
