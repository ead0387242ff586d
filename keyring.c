/*
 * keyring.c - see keyring.h.
 */
#include <stdlib.h>
#include <string.h>

#include "keyring.h"

struct entry {
	char		*id;
	size_t		 n;
	struct key	*keys;
	int64_t		 came_at;
	int64_t		 until;
};

struct keyring {
	struct entry	 all[KEYRING_MOST];
	size_t		 n;
};

struct keyring *
keyring_new(void)
{
	return calloc(1, sizeof(struct keyring));
}

static void
drop(struct keyring *ring, struct entry *e)
{
	auth_keys_free(e->keys);
	free(e->id);
	*e = ring->all[--ring->n];
}

void
keyring_free(struct keyring *ring)
{
	if (ring == NULL)
		return;
	while (ring->n > 0)
		drop(ring, &ring->all[ring->n - 1]);
	free(ring);
}

static struct entry *
find(const struct keyring *ring, struct str id)
{
	for (size_t i = 0; ring != NULL && i < ring->n; i++)
		if (str_eq((struct str){ ring->all[i].id, ring->all[i].n }, id))
			return (struct entry *)(uintptr_t)&ring->all[i];
	return NULL;
}

static void
put(struct keyring *ring, struct str id, struct key *keys, int64_t now,
    int64_t until)
{
	struct entry *e = find(ring, id);
	char *copy;

	if (e != NULL) {
		auth_keys_free(e->keys);
	} else {
		if ((copy = malloc(id.n + 1)) == NULL) {
			auth_keys_free(keys);
			return;		/* it will be asked for again */
		}
		memcpy(copy, id.p, id.n);
		if (ring->n == KEYRING_MOST) {
			e = &ring->all[0];
			for (size_t i = 1; i < ring->n; i++)
				if (ring->all[i].until < e->until)
					e = &ring->all[i];
			drop(ring, e);
		}
		e = &ring->all[ring->n++];
		*e = (struct entry){ .id = copy, .n = id.n };
	}
	e->keys = keys;
	e->came_at = now;
	e->until = until;
}

void
keyring_put(struct keyring *ring, struct str id, struct key *keys, int64_t now,
    int64_t until)
{
	put(ring, id, keys, now, until);
}

void
keyring_refuse(struct keyring *ring, struct str id, int64_t now, int64_t until)
{
	put(ring, id, NULL, now, until);
}

bool
keyring_get(const struct keyring *ring, struct str id, int64_t now,
    struct ring_entry *out)
{
	const struct entry *e = find(ring, id);

	if (e == NULL || now >= e->until)
		return false;
	*out = (struct ring_entry){ .keys = e->keys, .came_at = e->came_at };
	return true;
}
