/*
 * frame.c - the walk over FastCGI record headers.  See frame.h.
 */
#include <string.h>

#include "frame.h"

/* FastCGI Specification 1.0, section 8. */
enum {
	FCGI_BEGIN_REQUEST = 1,
	FCGI_ABORT_REQUEST = 2,
	FCGI_PARAMS = 4,
	FCGI_STDIN = 5,
	FCGI_RESPONDER = 1,
	FCGI_KEEP_CONN = 1,		/* a flag of BEGIN_REQUEST */
};

void
frame_init(struct frame *f)
{
	memset(f, 0, sizeof(*f));
}

static enum frame_state
broken(struct frame *f, const char *why)
{
	f->broken = why;
	return FRAME_BROKEN;
}

/* A record's header is complete: may it stand here? */
static enum frame_state
take_head(struct frame *f)
{
	const unsigned char *h = f->head;
	unsigned id = (unsigned)h[2] << 8 | h[3];

	f->type = h[1];
	f->content = (unsigned)h[4] << 8 | h[5];
	f->padding = h[6];
	if (h[0] != 1)
		return broken(f, "not FastCGI version 1");
	if (f->type == FCGI_ABORT_REQUEST)
		return broken(f, "aborted by the web server");
	if (id == 0)
		return broken(f, "a management record");
	if (f->part != FRAME_BEGIN && id != f->id)
		return broken(f, "a record of another request");

	switch (f->part) {
	case FRAME_BEGIN:
		if (f->type != FCGI_BEGIN_REQUEST)
			return broken(f, "does not begin with BEGIN_REQUEST");
		if (f->content != sizeof(f->begin))
			return broken(f, "a BEGIN_REQUEST of wrong length");
		f->id = id;
		break;
	case FRAME_PARAMS:
		if (f->type != FCGI_PARAMS)
			return broken(f, "another record among the parameters");
		if (f->content == 0 && (f->pair != PAIR_NAME || f->nlength > 0))
			return broken(f, "parameters cut short");
		if (f->params + f->content > FRAME_PARAMS_MAX)
			return broken(f, "too many bytes of parameters");
		f->params += f->content;
		break;
	case FRAME_STDIN:
		if (f->type != FCGI_STDIN)
			return broken(f, "another record inside the body");
		f->body += f->content;
		break;
	case FRAME_END:
		return broken(f, "bytes after the end of the request");
	}
	return FRAME_MORE;
}

static enum frame_state
take_begin(struct frame *f, const unsigned char *p, size_t n)
{
	memcpy(f->begin + f->nbegin, p, n);
	f->nbegin += (unsigned)n;
	if (f->nbegin < sizeof(f->begin))
		return FRAME_MORE;
	if (((unsigned)f->begin[0] << 8 | f->begin[1]) != FCGI_RESPONDER)
		return broken(f, "a role other than Responder");
	f->keep = (f->begin[2] & FCGI_KEEP_CONN) != 0;
	return FRAME_MORE;
}

/* One byte of a name's or value's length: 1 byte, or 4 with the top bit set. */
static bool
take_length(struct frame *f, unsigned char c, size_t *length)
{
	f->length[f->nlength++] = c;
	if (f->nlength == 1 && (c & 0x80) == 0) {
		*length = c;
	} else if (f->nlength == 4) {
		*length = (size_t)(f->length[0] & 0x7f) << 24 |
		    (size_t)f->length[1] << 16 | (size_t)f->length[2] << 8 |
		    f->length[3];
	} else {
		return false;
	}
	f->nlength = 0;
	return true;
}

static enum frame_state
take_params(struct frame *f, const unsigned char *p, size_t n)
{
	size_t value_len, part;

	while (n > 0) {
		switch (f->pair) {
		case PAIR_NAME:
			if (take_length(f, *p, &f->name_len))
				f->pair = PAIR_VALUE;
			p++, n--;
			break;
		case PAIR_VALUE:
			if (take_length(f, *p, &value_len)) {
				if (f->name_len == 0)
					return broken(f, "an empty name");
				if (f->name_len + value_len > FRAME_PARAMS_MAX)
					return broken(f, "a parameter too long");
				if (++f->pairs > FRAME_PAIRS_MAX)
					return broken(f, "too many parameters");
				f->pair_left = f->name_len + value_len;
				f->pair = PAIR_BYTES;
			}
			p++, n--;
			break;
		case PAIR_BYTES:
			part = n < f->pair_left ? n : f->pair_left;
			if (memchr(p, '\0', part) != NULL)
				return broken(f, "a NUL in a parameter");
			p += part;
			n -= part;
			f->pair_left -= part;
			if (f->pair_left == 0)
				f->pair = PAIR_NAME;
			break;
		}
	}
	return FRAME_MORE;
}

static enum frame_state
take_content(struct frame *f, const unsigned char *p, size_t n)
{
	switch (f->part) {
	case FRAME_BEGIN:
		return take_begin(f, p, n);
	case FRAME_PARAMS:
		return take_params(f, p, n);
	default:
		return FRAME_MORE;
	}
}

/* A record has been seen to its end, padding included. */
static enum frame_state
end_record(struct frame *f)
{
	bool empty = (f->head[4] | f->head[5]) == 0;

	f->nhead = 0;
	if (f->part == FRAME_BEGIN) {
		f->part = FRAME_PARAMS;
	} else if (f->part == FRAME_PARAMS && empty) {
		f->part = FRAME_STDIN;
		f->stdin_at = f->wire;
	} else if (f->part == FRAME_STDIN && empty) {
		f->part = FRAME_END;
		return FRAME_WHOLE;
	}
	return FRAME_MORE;
}

enum frame_state
frame_feed(struct frame *f, const void *bytes, size_t n, size_t *used)
{
	const unsigned char *p = bytes, *end = p + n;
	enum frame_state s = FRAME_MORE;
	size_t part;

	while (s == FRAME_MORE && p < end) {
		part = (size_t)(end - p);
		if (f->nhead < FRAME_HEAD) {
			if (part > FRAME_HEAD - f->nhead)
				part = FRAME_HEAD - f->nhead;
			memcpy(f->head + f->nhead, p, part);
			f->nhead += (unsigned)part;
			if (f->nhead == FRAME_HEAD)
				s = take_head(f);
		} else if (f->content > 0) {
			if (part > f->content)
				part = f->content;
			s = take_content(f, p, part);
			f->content -= (unsigned)part;
		} else {
			if (part > f->padding)
				part = f->padding;
			f->padding -= (unsigned)part;
		}
		p += part;
		f->wire += part;
		if (s == FRAME_MORE && f->nhead == FRAME_HEAD &&
		    f->content == 0 && f->padding == 0)
			s = end_record(f);
	}
	*used = (size_t)(p - (const unsigned char *)bytes);
	return s;
}

static void
put_head(unsigned char out[FRAME_HEAD], unsigned type, unsigned id, size_t content)
{
	memset(out, 0, FRAME_HEAD);
	out[0] = 1;
	out[1] = (unsigned char)type;
	out[2] = (unsigned char)(id >> 8);
	out[3] = (unsigned char)id;
	out[4] = (unsigned char)(content >> 8);
	out[5] = (unsigned char)content;
}

void
frame_empty_stdin(unsigned id, unsigned char out[FRAME_HEAD])
{
	put_head(out, FCGI_STDIN, id, 0);
}

void
frame_put(struct buf *b, unsigned type, unsigned id, struct str content)
{
	unsigned char *head = (unsigned char *)buf_take(b, FRAME_HEAD);

	if (head != NULL)
		put_head(head, type, id, content.n);
	buf_put(b, content);
}
