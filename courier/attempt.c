/* attempt.c - see attempt.h. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "attempt.h"

void
attempt_say(struct attempt *a, enum outcome outcome, int code, const char *fmt, ...)
{
	va_list args;

	a->outcome = outcome;
	a->code = code;
	va_start(args, fmt);
	vsnprintf(a->sentence, sizeof(a->sentence), fmt, args);
	va_end(args);
}

void
attempt_free(struct attempt *a)
{
	if (a == NULL)
		return;
	if (a->event.body_fd != -1)
		close(a->event.body_fd);
	buf_free(&a->output);
	buf_free(&a->answer);
	buf_free(&a->headers);
	arena_free(a->arena);	/* and itself, which lives in it */
}
