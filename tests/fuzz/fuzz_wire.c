/*
 * fuzz_wire.c - bytes as they might come from the other side of the wall.
 *
 * The first byte chooses the door and whether a descriptor rides along.  What
 * decodes must encode to the same bytes: one message has one form.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include "bundle.h"
#include "wire.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(cond)	do { if (!(cond)) abort(); } while (0)

/* Of an event that was taken each is one, to its last byte. */
static void
forwards(const struct get *event, struct str deliver)
{
	struct buf b = BUF(1 << 20);
	struct get g = GET(deliver);
	struct forward f;
	unsigned n;

	for (n = 0; get_done(event) && g.rest.n > 0; n++) {
		get_forward(&g, &f);
		MUST(!g.bad && f.to.n > 0 && f.to.n <= FORWARD_NAME_MAX &&
		    f.key.n <= FORWARD_KEY_MAX);
		put_forward(&b, &f);
	}
	MUST(n <= FORWARD_MOST && (n == 0 || str_eq(buf_str(&b), deliver)));
	buf_free(&b);
}

static void
fields(enum wire_type type, struct str body)
{
	struct buf b = BUF(1 << 20);
	struct get g = GET(body);
	struct event event;
	struct stored stored;
	struct spoken spoken;
	struct inbox_row row;
	struct filter filter;
	struct deliveries_filter deliveries;
	struct delivery_row delivery;
	struct attempt_row attempt;
	struct destination_row destination;
	struct replay replay;
	struct bundle *bundle;
	struct err e;

	switch (type) {
	case WIRE_EVENT:
		put_u64(&b, get_u64(&g));
		get_event(&g, &event);
		put_event(&b, &event);
		forwards(&g, event.deliver);
		break;
	case WIRE_STORED:
		put_u64(&b, get_u64(&g));
		get_stored(&g, &stored);
		put_stored(&b, &stored);
		break;
	case WIRE_ROW:
		put_u64(&b, get_u64(&g));
		get_row(&g, &row);
		put_row(&b, &row);
		break;
	case WIRE_LIST:
		put_u64(&b, get_u64(&g));
		get_filter(&g, &filter);
		put_filter(&b, &filter);
		break;
	case WIRE_WANT_KEY:
		put_u64(&b, get_u64(&g));
		put_str(&b, get_str(&g));
		put_u8(&b, get_u8(&g));
		put_str(&b, get_str(&g));
		put_u8(&b, get_u8(&g));
		break;
	case WIRE_KEY:
		put_u64(&b, get_u64(&g));
		put_str(&b, get_str(&g));
		put_u32(&b, get_u32(&g));
		break;
	case WIRE_CAPTURE:
		put_u64(&b, get_u64(&g));
		put_str(&b, get_str(&g));
		put_str(&b, get_str(&g));
		break;
	case WIRE_QUARANTINE:
		put_str(&b, get_str(&g));
		put_str(&b, get_str(&g));
		get_event(&g, &event);
		put_event(&b, &event);
		break;
	case WIRE_DELIVERIES:
		put_u64(&b, get_u64(&g));
		get_deliveries_filter(&g, &deliveries);
		put_deliveries_filter(&b, &deliveries);
		break;
	case WIRE_DELIVERY:
		put_u64(&b, get_u64(&g));
		get_delivery_row(&g, &delivery);
		put_delivery_row(&b, &delivery);
		break;
	case WIRE_ATTEMPT:
		put_u64(&b, get_u64(&g));
		get_attempt_row(&g, &attempt);
		put_attempt_row(&b, &attempt);
		break;
	case WIRE_DESTINATION:
		put_u64(&b, get_u64(&g));
		get_destination_row(&g, &destination);
		put_destination_row(&b, &destination);
		break;
	case WIRE_REPLAY:
		put_u64(&b, get_u64(&g));
		get_replay(&g, &replay);
		get_filter(&g, &filter);
		put_replay(&b, &replay);
		put_filter(&b, &filter);
		break;
	case WIRE_ANSWER:
		put_u64(&b, get_u64(&g));
		get_stored(&g, &stored);
		get_spoken(&g, &spoken);
		put_stored(&b, &stored);
		put_spoken(&b, &spoken);
		break;
	case WIRE_SECRET:	/* one text and nothing to look into: a bundle's bytes */
		bundle = bundle_read(body, &e);
		g.bad = bundle == NULL;
		g.rest.n = 0;
		if (bundle != NULL)
			bundle_write(bundle, &b);
		bundle_free(bundle);
		break;
	default:
		g.bad = true;
		break;
	}
	MUST(!get_done(&g) || str_eq(buf_str(&b), body));
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	union {
		struct cmsghdr	 align;
		char		 room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)(data + 1), n - 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct wire_msg msg;
	struct wire *w;
	struct err e;
	int pair[2], r;

	if (n < 2 || n > 60000 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return 0;
	if (data[0] & 8) {
		memset(&control, 0, sizeof(control));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &pair[0], sizeof(int));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	w = wire_new(pair[0], data[0] & 7, 1024);
	MUST(w != NULL && sendmsg(pair[1], &m, MSG_NOSIGNAL) > 0);
	close(pair[1]);
	while ((r = wire_receive(w, &e)) == 0) {
		while ((r = wire_next(w, &msg, &e)) == 1) {
			MUST(wire_row(msg.type)->doors & data[0] & 7);
			MUST(msg.body.n <= wire_row(msg.type)->limit);
			fields(msg.type, msg.body);
			if (msg.fd != -1)
				close(msg.fd);
		}
		if (r == -1)
			break;
	}
	MUST(r == -1 && e.text[0] != '\0');	/* the end comes to all */
	wire_free(w);
	return 0;
}
