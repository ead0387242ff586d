/* trace.c - see trace.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "trace.h"

/* n lower digits of hex that are not all zero, and a NUL; cut off rest. */
static bool
take_id(char *out, struct str *rest, size_t n)
{
	bool zero = true;

	if (rest->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (memchr("0123456789abcdef", rest->p[i], 16) == NULL)
			return false;
		zero = zero && rest->p[i] == '0';
	}
	memcpy(out, rest->p, n);
	out[n] = '\0';
	*rest = str_skip(*rest, n);
	return !zero;
}

static bool
take(struct str *rest, char c)
{
	if (rest->n == 0 || rest->p[0] != c)
		return false;
	*rest = str_skip(*rest, 1);
	return true;
}

/* Of a later version there may be more behind it; of version 0 there is not. */
bool
trace_parent(struct trace *t, struct str s)
{
	char flags[3] = "";
	bool first = str_starts(s, STR("00-"));

	if (s.n < 3 || (!first && str_starts(s, STR("ff"))) || s.p[2] != '-')
		return false;
	s = str_skip(s, 3);
	if (!take_id(t->id, &s, 32) || !take(&s, '-') || !take_id(t->span, &s, 16) ||
	    !take(&s, '-') || s.n < 2 || (first && s.n != 2))
		return false;
	/* Two digits that may both be zero. */
	if (strchr("0123456789abcdef", s.p[0]) == NULL || s.p[0] == '\0' ||
	    strchr("0123456789abcdef", s.p[1]) == NULL || s.p[1] == '\0')
		return false;
	memcpy(flags, s.p, 2);
	t->sampled = strchr("13579bdf", flags[1]) != NULL;
	return true;
}

bool
trace_cloud(struct trace *t, struct str s)
{
	struct str rest = s, span;
	uint64_t n;

	s = str_cut(&rest, ';');
	t->sampled = str_eq(rest, STR("o=1"));
	if (!take_id(t->id, &s, 32) || !take(&s, '/'))
		return false;
	span = s;
	if (!str_to_u64(span, &n) || n == 0)
		return false;
	snprintf(t->span, sizeof(t->span), "%016" PRIx64, n);
	return true;
}

void
trace_print(char text[TRACE_PARENT], const struct trace *t)
{
	snprintf(text, TRACE_PARENT, "00-%s-%s-%s", t->id, t->span,
	    t->sampled ? "01" : "00");
}
