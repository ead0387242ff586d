/*
 * link.c - the worker's end of the wall to the courier.  See link.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "link.h"

struct link {
	char		*path;
	uid_t		 courier;	/* (uid_t)-1: there is no such user */
	bool		 strange;	/* the last who listened was nobody of ours */
	struct wire	*wire;		/* NULL while it is down */
	struct buf	 out;		/* one message being written */
	int64_t		 retry_at;	/* steady ms */
	unsigned	 serial;
};

struct link *
link_new(struct str path, struct str user)
{
	struct link *l = calloc(1, sizeof(*l));
	char name[64];
	struct err e;
	gid_t gid;

	if (l == NULL)
		return NULL;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(user));
	if (os_user(name, &l->courier, &gid, &e) == -1)
		l->courier = (uid_t)-1;
	l->path = strndup(path.p, path.n);
	l->out = BUF(WIRE_MAX);
	if (l->path == NULL) {
		free(l);
		return NULL;
	}
	return l;
}

static void
down(struct link *l)
{
	wire_free(l->wire);
	l->wire = NULL;
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	down(l);
	buf_free(&l->out);
	free(l->path);
	free(l);
}

bool
link_move(struct link *l, struct str path)
{
	char *copy;

	if (str_eq(str_of(l->path), path) ||
	    (copy = strndup(path.p, path.n)) == NULL)
		return false;
	free(l->path);
	l->path = copy;
	l->retry_at = 0;
	down(l);
	return true;
}

int
link_fd(const struct link *l)
{
	return l->wire == NULL ? -1 : wire_fd(l->wire);
}

unsigned
link_serial(const struct link *l)
{
	return l->serial;
}

int64_t
link_retry_at(const struct link *l)
{
	return l->retry_at;
}

bool
link_is_strange(const struct link *l)
{
	return l->strange;
}

static bool
is_ours(const struct link *l, int fd)
{
	struct err e;
	uid_t uid;
	gid_t gid;
	pid_t pid;

	return os_peer(fd, &uid, &gid, &pid, &e) == 0 &&
	    (uid == 0 || uid == geteuid() || uid == l->courier);
}

bool
link_up(struct link *l, int64_t now)
{
	struct err e;
	int fd;

	if (l->wire != NULL)
		return true;
	if (now < l->retry_at)
		return false;
	l->retry_at = now + LINK_RETRY_MS;
	if ((fd = os_connect_unix(l->path, &e)) == -1)
		return false;
	if ((l->strange = !is_ours(l, fd))) {
		close(fd);
		return false;
	}
	if ((l->wire = wire_new(fd, DOOR_WORKER, LINK_OUT_LIMIT)) == NULL)
		return false;	/* it has closed fd */
	l->serial++;
	buf_reset(&l->out);
	put_u8(&l->out, ROLE_WORKER);
	put_u32(&l->out, (uint32_t)getpid());
	put_str(&l->out, STR("hooklatch.fcgi " VERSION));
	if (wire_send(l->wire, WIRE_HELLO, buf_str(&l->out), -1) == -1) {
		down(l);
		return false;
	}
	return true;
}

/* What has been put into l->out. */
static int
say(struct link *l, enum wire_type type, int fd)
{
	return buf_ok(&l->out) ? wire_send(l->wire, type, buf_str(&l->out), fd) :
	    -1;
}

/* false: the link is down. */
static bool
begin(struct link *l)
{
	buf_reset(&l->out);
	return l->wire != NULL;
}

static void
put_event_of(struct link *l, const struct event *event)
{
	struct event e = *event;

	if (e.body_fd != -1)
		e.body = STR_NONE;	/* it rides along */
	put_event(&l->out, &e);
}

int
link_put(struct link *l, uint64_t ticket, const struct event *event)
{
	if (!begin(l))
		return -1;
	put_u64(&l->out, ticket);
	put_event_of(l, event);
	return say(l, WIRE_EVENT, event->body_fd);
}

int
link_ask_health(struct link *l, uint64_t ticket)
{
	if (!begin(l))
		return -1;
	put_u64(&l->out, ticket);
	return say(l, WIRE_HEALTH, -1);
}

int
link_want_key(struct link *l, uint64_t ticket, struct str hook,
    unsigned alternative, struct str key, bool again)
{
	if (!begin(l))
		return -1;
	put_u64(&l->out, ticket);
	put_str(&l->out, hook);
	put_u8(&l->out, alternative);
	put_str(&l->out, key);
	put_u8(&l->out, again);
	return say(l, WIRE_WANT_KEY, -1);
}

int
link_want_secret(struct link *l, uint64_t ticket, struct str name)
{
	if (!begin(l))
		return -1;
	put_u64(&l->out, ticket);
	put_str(&l->out, name);
	return say(l, WIRE_WANT_SECRET, -1);
}

int
link_capture(struct link *l, uint64_t ticket, struct str names, struct str secret)
{
	int rc;

	if (!begin(l))
		return -1;
	put_u64(&l->out, ticket);
	put_str(&l->out, names);
	put_str(&l->out, secret);
	rc = say(l, WIRE_CAPTURE, -1);
	explicit_bzero(l->out.p, l->out.n);
	return rc;
}

int
link_quarantine(struct link *l, struct str verdict, struct str reason,
    const struct event *event)
{
	if (!begin(l))
		return -1;
	put_str(&l->out, verdict);
	put_str(&l->out, reason);
	put_event(&l->out, event);
	return say(l, WIRE_QUARANTINE, -1);
}

int
link_counters(struct link *l, uint64_t ticket, bool ask, struct str series)
{
	if (!begin(l))
		return -1;
	put_u64(&l->out, ticket);
	put_u8(&l->out, ask ? COUNTERS_TEXT : COUNTERS_NOTHING);
	put_str(&l->out, series);
	return say(l, WIRE_COUNTERS, -1);
}

int
link_receive(struct link *l)
{
	struct err e;

	if (l->wire == NULL)
		return -1;
	if (wire_receive(l->wire, &e) == -1) {
		down(l);
		return -1;
	}
	return 0;
}

/* false: it is no reply, or it does not decode to its last byte. */
static bool
read_reply(const struct wire_msg *m, struct link_reply *r)
{
	struct get g = GET(m->body);

	memset(r, 0, sizeof(*r));
	r->fd = -1;
	r->ticket = get_u64(&g);
	switch (m->type) {
	case WIRE_STORED:
		r->kind = REPLY_STORED;
		get_stored(&g, &r->as);
		break;
	case WIRE_ANSWER:
		r->kind = REPLY_ANSWER;
		get_stored(&g, &r->as);
		get_spoken(&g, &r->spoken);
		break;
	case WIRE_REFUSED:
		r->kind = REPLY_REFUSED;
		r->why = (enum wire_refusal)get_u8(&g);
		r->text = get_str(&g);
		break;
	case WIRE_KEY:
		r->kind = REPLY_KEY;
		r->bytes = get_str(&g);
		r->seconds = get_u32(&g);
		break;
	case WIRE_SECRET:
		r->kind = REPLY_SECRET;
		r->bytes = get_str(&g);
		break;
	case WIRE_COUNTERS:
		r->kind = REPLY_COUNTERS;
		get_u8(&g);
		get_str(&g);
		break;
	default:
		return false;
	}
	return get_done(&g);
}

int
link_next(struct link *l, struct link_reply *r)
{
	struct wire_msg m;
	struct err e;
	int got;

	for (;;) {
		if (l->wire == NULL)
			return -1;
		if ((got = wire_next(l->wire, &m, &e)) == 0)
			return 0;
		if (got == 1 && m.fd != -1 && m.type != WIRE_COUNTERS)
			close(m.fd);
		if (got == 1 && m.type == WIRE_WELCOME)
			continue;	/* each refusal says why by itself */
		if (got == 1 && read_reply(&m, r)) {
			if (m.type == WIRE_COUNTERS)
				r->fd = m.fd;
			return 1;
		}
		if (got == 1 && m.fd != -1 && m.type == WIRE_COUNTERS)
			close(m.fd);
		down(l);
		return -1;
	}
}

int
link_flush(struct link *l)
{
	struct err e;

	if (l->wire == NULL)
		return -1;
	if (wire_flush(l->wire, &e) == -1) {
		down(l);
		return -1;
	}
	return 0;
}

bool
link_waiting(const struct link *l)
{
	return l->wire != NULL && wire_waiting(l->wire);
}
