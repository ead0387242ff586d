/*
 * provider_find.c - the text of a provider's file, by its id.  See provider_texts.h.
 */
#include "provider_texts.h"

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
