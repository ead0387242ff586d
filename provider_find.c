/*
 * provider_find.c - the text of a provider's file, by its id.  See provider_texts.h.
 */
#include <stdio.h>

#include "provider_texts.h"

#define ID_MAX	255		/* a file's name is not longer */

struct str
provider_source(const struct bundle *own, struct str id,
    char name[PROVIDER_NAME_MAX])
{
	struct str text = STR_NONE, dir = STR("providers");
	char entry[sizeof("provider:") + ID_MAX];

	if (own != NULL && id.n <= ID_MAX) {
		snprintf(entry, sizeof(entry), "provider:%.*s", STR_ARG(id));
		text = bundle_get(own, str_of(entry));
	}
	if (text.p != NULL)
		dir = bundle_get(own, STR("providers"));
	else
		text = provider_text(id);
	if (name != NULL)
		snprintf(name, PROVIDER_NAME_MAX, "%.*s%s%.*s.json",
		    STR_ARG(str_head(dir, 200)), dir.n > 0 ? "/" : "",
		    STR_ARG(str_head(id, ID_MAX)));
	return text;
}

struct str
provider_text(struct str id)
{
	size_t low = 0, high = provider_texts_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = str_cmp(id, provider_texts[mid].id);

		if (c == 0)
			return provider_texts[mid].text;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return STR_NONE;
}

size_t
provider_text_count(void)
{
	return provider_texts_count;
}

struct str
provider_text_id(size_t i)
{
	return i < provider_texts_count ? provider_texts[i].id : STR_NONE;
}

struct str
provider_nearest(struct str id)
{
	struct str best = STR_NONE;
	size_t far = 2 + id.n / 4;

	if (id.n > 64)
		return best;
	for (size_t i = 0; i < provider_texts_count; i++) {
		size_t d = str_distance(id, provider_texts[i].id);

		if (d < far) {
			far = d;
			best = provider_texts[i].id;
		}
	}
	return best;
}
