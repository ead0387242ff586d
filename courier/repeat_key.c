/* repeat_key.c - see repeat_key.h. */
#include <stdlib.h>
#include <string.h>

#include "../base/digest.h"
#include "repeat_key.h"

static void
hash(unsigned char out[32], const char *kind, struct str hook, struct str what)
{
	struct sha256 *h = sha256_new();
	unsigned char len[4] = { (unsigned char)(hook.n >> 24),
	    (unsigned char)(hook.n >> 16), (unsigned char)(hook.n >> 8),
	    (unsigned char)hook.n };

	if (h == NULL)
		abort();	/* a key that is not one would merge events */
	sha256_add(h, (struct str){ kind, strlen(kind) + 1 });
	sha256_add(h, (struct str){ (const char *)len, sizeof(len) });
	sha256_add(h, hook);
	sha256_add(h, what);
	sha256_end(h, out);
}

void
repeat_key(struct repeat_key *k, const struct event *ev, uint64_t remember)
{
	bool has_id = ev->event_id.n > 0 && ev->event_id.n <= EVENT_ID_MAX;
	struct str digest = { (const char *)ev->digest, sizeof(ev->digest) };

	memset(k, 0, sizeof(*k));
	k->seconds = ev->remember > remember ? ev->remember : remember;
	if (has_id && (ev->proven || !ev->signed_bytes)) {
		k->kind = "id";
		hash(k->key, k->kind, ev->hook, ev->event_id);
		return;
	}
	if (ev->signed_bytes) {
		k->has_bytes = true;
		hash(k->bytes, "signed", ev->hook, digest);
	}
	if (has_id) {
		k->kind = "both";
		k->has_digest = true;
		memcpy(k->digest, ev->digest, sizeof(k->digest));
		hash(k->key, k->kind, ev->hook, ev->event_id);
	} else if (ev->merge > 0) {
		k->kind = "bytes";
		k->seconds = ev->merge;
		if (!ev->signed_bytes && ev->body.p != NULL) {
			digest_sha256(ev->body, k->digest);
			digest.p = (const char *)k->digest;
		}
		hash(k->key, k->kind, ev->hook, digest);
	}
}

void
repeat_name(char out[REPEAT_NAME], uint64_t *seconds, const struct event *ev,
    uint64_t remember)
{
	static const char hex[] = "0123456789abcdef";
	struct repeat_key k;
	size_t i;

	repeat_key(&k, ev, remember);
	*seconds = k.seconds;
	if (k.kind == NULL) {
		hash(k.key, "own", ev->hook, str_of(ev->id));
		*seconds = REPEAT_OWN;
	} else if (k.has_digest) {
		memcpy(k.bytes, k.key, sizeof(k.bytes));
		hash(k.key, "name",
		    (struct str){ (const char *)k.bytes, sizeof(k.bytes) },
		    (struct str){ (const char *)k.digest, sizeof(k.digest) });
	}
	for (i = 0; i < sizeof(k.key); i++) {
		out[2 * i] = hex[k.key[i] >> 4];
		out[2 * i + 1] = hex[k.key[i] & 15];
	}
	out[2 * i] = '\0';
}
