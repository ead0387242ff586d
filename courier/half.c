/* half.c - see half.h. */
#include <stdlib.h>

#include "half.h"

struct half *
half_new(struct conf *conf, struct bundle *bundle)
{
	struct half *h = malloc(sizeof(*h));

	if (h == NULL) {
		conf_free(conf);
		bundle_free(bundle);
		return NULL;
	}
	*h = (struct half){ conf, bundle, 1 };
	return h;
}

struct half *
half_use(struct half *h)
{
	__atomic_add_fetch(&h->users, 1, __ATOMIC_RELAXED);
	return h;
}

void
half_drop(struct half *h)
{
	if (h == NULL || __atomic_sub_fetch(&h->users, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	conf_free(h->conf);
	bundle_free(h->bundle);
	free(h);
}
