/* err.c - sentences for people. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

int
err_set(struct err *e, enum errcode code, const char *fmt, ...)
{
	char text[sizeof(e->text)];	/* an argument may be e->text itself */
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->code = code;
	memcpy(e->text, text, sizeof(text));
	return -1;
}

int
err_at(struct err *e, const char *fmt, ...)
{
	char where[sizeof(e->text)], text[sizeof(e->text)];
	va_list ap;
	size_t n;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(where, sizeof(where), fmt, ap);
	va_end(ap);
	/* What does not fit is lost at the end of the sentence, not of where. */
	n = strlen(where);
	if (n > sizeof(text) - 3)
		n = sizeof(text) - 3;
	memcpy(text, e->text, sizeof(text));
	memcpy(e->text, where, n);
	memcpy(e->text + n, ": ", 2);
	n += 2;
	memcpy(e->text + n, text, sizeof(text) - n);
	e->text[sizeof(text) - 1] = '\0';
	return -1;
}
