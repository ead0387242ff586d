/*
 * trace.h - the trace that a request belongs to, as its headers say.
 *
 *	traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *	X-Cloud-Trace-Context: 0af7651916cd43dd8448eb211c80319c/13235353014750950193;o=1
 *
 * The first is W3C's, https://www.w3.org/TR/trace-context/#traceparent-header; in the
 * second, Google's, the span is decimal: https://cloud.google.com/trace/docs/trace-context
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "str.h"

#define TRACE_PARENT	56		/* bytes of a traceparent and a NUL */

struct trace {
	char	id[32 + 1];		/* lower hex, not all zero */
	char	span[16 + 1];		/* likewise */
	bool	sampled;
};

/* false: it says none that counts. */
bool	trace_parent(struct trace *, struct str traceparent);
bool	trace_cloud(struct trace *, struct str cloud_trace_context);

/* As a traceparent. */
void	trace_print(char text[TRACE_PARENT], const struct trace *);

#endif
