/*
 * fuzz_letter - a template and an event, both of whatever bytes: what is written is a URL
 * of the same host, a header's value, JSON; or nothing.
 *
 * The input is a byte for the kind, the template, a NUL, headers, a NUL, the body.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "letter.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
is_json(struct str s)
{
	static const struct json_limits limits = { 1024, SIZE_MAX };

	return json_scan(s, limits, NULL) == JSON_OK;
}

static void
check_url(struct str url, struct str template)
{
	struct str path = url, segment;

	if (!str_eq(letter_host(url), letter_host(template)))
		abort();
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] >= 0x7f || url.p[i] == '#' ||
		    url.p[i] == '{')
			abort();
	path = str_cut(&path, '?');
	while (path.p != NULL) {
		segment = str_cut(&path, '/');
		if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data + 1, size - 1 }, template, headers;
	struct event event = { .id = "0198c0de-0000-7000-8000-000000000001",
		.event_id = STR("evt_1"), .hook = STR("/hooks/shop"), .body_fd = -1 };
	struct letter l = { .event = &event, .destination = STR("crm"), .attempt = 1 };
	struct buf out = BUF(64 * 1024);
	enum letter_kind kind;
	struct arena *a;
	struct err e = { ERR_NONE, "" };
	bool fine;

	if (size < 1 || size > 16384)
		return 0;
	kind = (enum letter_kind)(data[0] % 3);
	template = str_cut(&rest, '\0');
	headers = rest.p == NULL ? STR("") : str_cut(&rest, '\0');
	/* Headers were written by us. */
	event.headers = is_json(headers) ? headers : STR("[]");
	event.body = rest;
	event.size = rest.n;
	event.event_type = str_head(rest, 16);
	a = arena_new(LETTER_MEMORY);
	fine = letter_check(template, kind, &e) == 0;
	if (!fine && (e.code != ERR_CONF || e.text[0] == '\0'))
		abort();
	if (letter_write(&out, template, kind, &l, a, &e) == -1) {
		if (e.text[0] == '\0' || fine == (e.code == ERR_CONF))
			abort();
	} else {
		if (!fine)
			abort();
		if (kind == LETTER_URL)
			check_url(buf_str(&out), template);
		else if (kind == LETTER_HEADER && !letter_is_value(buf_str(&out)))
			abort();
		else if (kind == LETTER_JSON && !is_json(buf_str(&out)))
			abort();
	}
	buf_free(&out);
	arena_free(a);
	return 0;
}
