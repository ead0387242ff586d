/* when.c - times as providers write them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "when.h"

#define DAY	(INT64_C(24) * 3600 * 1000)

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char days[] = "SunMonTueWedThuFriSat";

/*
 * Days since 1970-01-01 of a date of the Gregorian calendar.  A year is counted
 * from March, so that the leap day is its last and the months' lengths fall
 * into a line: day (153 * m + 2) / 5 of the year for the m-th month.
 */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 +
	    day - 1 - 719468;
}

struct date {
	int	year, month, day, hour, minute, second, ms, weekday;
};

/* The reverse; only for years 0 to 9999. */
static bool
date_of(int64_t ms, struct date *d)
{
	int64_t n = ms / DAY, rest = ms % DAY, era, day, year, month;

	if (rest < 0) {
		rest += DAY;
		n--;
	}
	if (n < days_of(1, 1, 1) || n > days_of(9999, 12, 31))
		return false;
	d->weekday = (int)((n % 7 + 7 + 4) % 7);
	n += 719468;			/* since 0000-03-01 */
	era = n / 146097;		/* of 400 years */
	n %= 146097;
	year = (n - n / 1460 + n / 36524 - n / 146096) / 365;
	day = n - (365 * year + year / 4 - year / 100);
	month = (5 * day + 2) / 153;
	d->day = (int)(day - (153 * month + 2) / 5 + 1);
	d->month = (int)(month < 10 ? month + 3 : month - 9);
	d->year = (int)(era * 400 + year + (d->month <= 2));
	d->hour = (int)(rest / 3600000);
	d->minute = (int)(rest / 60000 % 60);
	d->second = (int)(rest / 1000 % 60);
	d->ms = (int)(rest % 1000);
	return true;
}

static int
month_length(int year, int month)
{
	static const char length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return length[month - 1];
}

/* Takes exactly n digits off the front. */
static bool
number(struct str *s, size_t n, int *out)
{
	uint64_t v;

	if (s->n < n || !str_to_u64(str_head(*s, n), &v))
		return false;
	*out = (int)v;
	*s = str_skip(*s, n);
	return true;
}

static bool
letter(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static bool
time_of_day(struct str *s, struct date *d)
{
	/* RFC 3339 has a second 60; it is the first of the next minute. */
	return number(s, 2, &d->hour) && letter(s, ':') &&
	    number(s, 2, &d->minute) && letter(s, ':') &&
	    number(s, 2, &d->second) && d->hour <= 23 && d->minute <= 59 &&
	    d->second <= 60;
}

static bool
date_valid(const struct date *d)
{
	return d->year >= 1 && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
	    d->day <= month_length(d->year, d->month);
}

static int64_t
date_ms(const struct date *d)
{
	return days_of(d->year, d->month, d->day) * DAY +
	    ((d->hour * 60 + d->minute) * 60 + d->second) * INT64_C(1000) +
	    d->ms;
}

static bool
parse_iso(struct str s, int64_t *ms)
{
	struct date d = { 0 };
	int hours = 0, minutes = 0, sign = 0;

	if (!number(&s, 4, &d.year) || !letter(&s, '-') ||
	    !number(&s, 2, &d.month) || !letter(&s, '-') ||
	    !number(&s, 2, &d.day) ||
	    !(letter(&s, 'T') || letter(&s, 't') || letter(&s, ' ')) ||
	    !time_of_day(&s, &d) || !date_valid(&d))
		return false;
	if (letter(&s, '.')) {
		size_t n = 0;
		int digit;

		while (number(&s, 1, &digit)) {
			if (n < 3)
				d.ms = d.ms * 10 + digit;
			if (++n > 9)
				return false;
		}
		if (n == 0)
			return false;
		for (; n < 3; n++)
			d.ms *= 10;
	}
	if (s.n > 0 && !letter(&s, 'Z') && !letter(&s, 'z')) {
		if (letter(&s, '+'))
			sign = 1;
		else if (letter(&s, '-'))
			sign = -1;
		/* RFC 3339 asks for the colon; ISO 8601 and Meta do not. */
		if (sign == 0 || !number(&s, 2, &hours) ||
		    (letter(&s, ':'), !number(&s, 2, &minutes)) ||
		    hours > 23 || minutes > 59)
			return false;
	}
	if (s.n != 0)
		return false;
	*ms = date_ms(&d) - sign * (hours * 60 + minutes) * INT64_C(60000);
	return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", and the day of the week must be true. */
static bool
parse_http(struct str s, int64_t *ms)
{
	struct date d = { 0 }, back;
	struct str weekday = str_head(s, 3), month;

	s = str_skip(s, 3);
	if (!letter(&s, ',') || !letter(&s, ' ') || !number(&s, 2, &d.day) ||
	    !letter(&s, ' '))
		return false;
	month = str_head(s, 3);
	s = str_skip(s, 3);
	for (d.month = 12; d.month >= 1; d.month--)
		if (str_eq(month, (struct str){ months + 3 * (d.month - 1), 3 }))
			break;
	if (!letter(&s, ' ') || !number(&s, 4, &d.year) || !letter(&s, ' ') ||
	    !time_of_day(&s, &d) || !str_eq(s, STR(" GMT")) ||
	    !date_valid(&d))
		return false;
	*ms = date_ms(&d);
	return date_of(days_of(d.year, d.month, d.day) * DAY, &back) &&
	    str_eq(weekday, (struct str){ days + 3 * back.weekday, 3 });
}

bool
when_parse(struct str s, enum when_unit unit, int64_t *ms)
{
	uint64_t v;
	int64_t t;

	switch (unit) {
	case WHEN_S:
		if (!str_to_u64(s, &v) || v > INT64_MAX / 1000)
			return false;
		*ms = (int64_t)v * 1000;
		return true;
	case WHEN_MS:
		if (!str_to_u64(s, &v) || v > INT64_MAX)
			return false;
		*ms = (int64_t)v;
		return true;
	case WHEN_ISO8601:
		if (!parse_iso(s, &t))
			return false;
		*ms = t;
		return true;
	case WHEN_HTTP:
		if (!parse_http(s, &t))
			return false;
		*ms = t;
		return true;
	}
	return false;
}

static char *
digits(char *p, int v, int n)
{
	int i;

	for (i = n - 1; i >= 0; i--) {
		p[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return p + n;
}

size_t
when_print(char out[WHEN_ROOM], int64_t ms, enum when_unit unit)
{
	struct date d;
	char *p = out;

	switch (unit) {
	case WHEN_S:
	case WHEN_MS:
		return (size_t)snprintf(out, WHEN_ROOM, "%lld",
		    (long long)(unit == WHEN_S ? ms / 1000 : ms));
	case WHEN_ISO8601:
		if (!date_of(ms, &d))
			return 0;
		p = digits(p, d.year, 4);
		*p++ = '-';
		p = digits(p, d.month, 2);
		*p++ = '-';
		p = digits(p, d.day, 2);
		*p++ = 'T';
		p = digits(p, d.hour, 2);
		*p++ = ':';
		p = digits(p, d.minute, 2);
		*p++ = ':';
		p = digits(p, d.second, 2);
		*p++ = '.';
		p = digits(p, d.ms, 3);
		*p++ = 'Z';
		return (size_t)(p - out);
	case WHEN_HTTP:
		if (!date_of(ms, &d))
			return 0;
		memcpy(p, days + 3 * d.weekday, 3);
		memcpy(p + 3, ", ", 2);
		p = digits(p + 5, d.day, 2);
		*p++ = ' ';
		memcpy(p, months + 3 * (d.month - 1), 3);
		p[3] = ' ';
		p = digits(p + 4, d.year, 4);
		*p++ = ' ';
		p = digits(p, d.hour, 2);
		*p++ = ':';
		p = digits(p, d.minute, 2);
		*p++ = ':';
		p = digits(p, d.second, 2);
		memcpy(p, " GMT", 4);
		return (size_t)(p + 4 - out);
	}
	return 0;
}

struct str
when_write(struct arena *a, int64_t ms, enum when_unit unit)
{
	char text[WHEN_ROOM];
	size_t n = when_print(text, ms, unit);

	return n == 0 ? STR_NONE : arena_str(a, (struct str){ text, n });
}

static int64_t
now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
when_now(void)
{
	return now(CLOCK_REALTIME);
}

int64_t
when_steady(void)
{
	return now(CLOCK_MONOTONIC);
}
