/*
 * auth_static.c - see auth_static.h.
 */
#include "auth_static.h"
#include "base/digest.h"

static struct str
bytes_of(const struct fixed *f)
{
	return (struct str){ (const char *)f->digest, sizeof(f->digest) };
}

struct fixed
fixed_of(struct str secret)
{
	struct fixed f;

	digest_sha256(secret, f.digest);
	return f;
}

bool
fixed_eq(const struct fixed *secret, struct str value)
{
	struct fixed f = fixed_of(value);

	return str_eq_secret(bytes_of(secret), bytes_of(&f));
}

bool
fixed_eq_text(struct str secret, struct str value)
{
	struct fixed f = fixed_of(secret);

	return fixed_eq(&f, value);
}
