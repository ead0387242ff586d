/*
 * frame.h - bytes -> one whole FastCGI request, or not yet.
 *
 * Source: FastCGI Specification 1.0, sections 3.3 to 5.  A pure walk over record
 * headers that knows nothing of libfcgi, of sockets or of what is in the bodies.
 * It lets libfcgi see nothing but one whole, well-formed request of the Responder
 * role: BEGIN_REQUEST, PARAMS..., empty PARAMS, STDIN..., empty STDIN, all of one
 * request id.  Everything else ends the connection: other types and ids, an
 * abort, parameters whose lengths do not add up or that hold a NUL, and bytes
 * after the end (web servers do not pipeline).  This ends at the root the cut
 * parameters, the poisoned record and the request forged inside a body.
 *
 * The walk is fed in pieces of any size and keeps its place between them.
 */
#ifndef FRAME_H
#define FRAME_H

#include "base/buf.h"
#include "base/str.h"

#define FRAME_HEAD		8		/* bytes of a record's header */
#define FRAME_PARAMS_MAX	(72 * 1024)	/* nginx sends at most 65,535 */
#define FRAME_PAIRS_MAX		512
#define FRAME_CONTENT_MAX	65528		/* of a record: 65,535, a multiple of 8 */
#define FRAME_TYPE_END		3		/* of records of an answer */
#define FRAME_TYPE_STDOUT	6

enum frame_state {
	FRAME_MORE,		/* fine so far, not yet whole */
	FRAME_WHOLE,		/* the last byte of the request has been seen */
	FRAME_BROKEN,		/* close the connection */
};

struct frame {
	/* what was learnt */
	unsigned	id;		/* the request's */
	bool		keep;		/* FCGI_KEEP_CONN */
	size_t		params;		/* bytes of parameters */
	size_t		pairs;
	uint64_t	body;		/* bytes of STDIN so far */
	uint64_t	wire;		/* bytes of the request so far, all told */
	uint64_t	stdin_at;	/* wire offset of the first STDIN record */
	const char	*broken;	/* why, for the log */

	/* where the walk stands */
	enum { FRAME_BEGIN, FRAME_PARAMS, FRAME_STDIN, FRAME_END } part;
	enum { PAIR_NAME, PAIR_VALUE, PAIR_BYTES } pair;
	unsigned char	head[FRAME_HEAD];
	unsigned	nhead;
	unsigned	content;	/* still to come of this record */
	unsigned	padding;
	unsigned	type;
	unsigned char	begin[8];
	unsigned	nbegin;
	unsigned char	length[4];	/* of a name or a value, being read */
	unsigned	nlength;
	size_t		name_len;
	size_t		pair_left;
};

void			frame_init(struct frame *);

/*
 * Walks over n more bytes.  *used becomes how many belong to this request (all
 * of them unless it became whole).
 */
enum frame_state	frame_feed(struct frame *, const void *bytes, size_t n,
			    size_t *used);

/* The records that end a request whose body was thrown away: an empty STDIN. */
void			frame_empty_stdin(unsigned id, unsigned char out[FRAME_HEAD]);

/* One record of an answer; content of at most FRAME_CONTENT_MAX bytes. */
void			frame_put(struct buf *, unsigned type, unsigned id,
			    struct str content);

#endif
