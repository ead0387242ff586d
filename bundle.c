/* bundle.c - named blobs, wiped at the end. */
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "bundle.h"
#include "wire.h"

#define BLOBS_MAX	4096
#define SECRET_MAX	(64 * 1024)
#define FETCHED		"gcp:"
#define LACKS		"lacks:"

struct blob {
	struct str	 name;		/* both in one allocation, name first */
	struct str	 bytes;
	char		*memory;
};

struct bundle {
	struct blob	*blobs;
	size_t		 n;
	size_t		 room;
};

struct bundle *
bundle_new(void)
{
	return calloc(1, sizeof(struct bundle));
}

static void
wipe(struct blob *b)
{
	explicit_bzero(b->memory, b->name.n + b->bytes.n + 2);
	free(b->memory);
}

void
bundle_free(struct bundle *b)
{
	size_t i;

	if (b == NULL)
		return;
	for (i = 0; i < b->n; i++)
		wipe(&b->blobs[i]);
	free(b->blobs);
	free(b);
}

static struct blob *
find(const struct bundle *b, struct str name)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (str_eq(b->blobs[i].name, name))
			return &b->blobs[i];
	return NULL;
}

/* A NUL stands behind each, for those who hand them to C. */
static int
copy(struct blob *to, struct str name, struct str bytes)
{
	char *p;

	if (name.n > SIZE_MAX / 4 || bytes.n > SIZE_MAX / 4 ||
	    (p = malloc(name.n + bytes.n + 2)) == NULL)
		return -1;
	if (name.n > 0)
		memcpy(p, name.p, name.n);
	p[name.n] = '\0';
	if (bytes.n > 0)
		memcpy(p + name.n + 1, bytes.p, bytes.n);
	p[name.n + 1 + bytes.n] = '\0';
	to->memory = p;
	to->name = (struct str){ p, name.n };
	to->bytes = (struct str){ p + name.n + 1, bytes.n };
	return 0;
}

int
bundle_put(struct bundle *b, struct str name, struct str bytes)
{
	struct blob *old = find(b, name), fresh;

	if (old == NULL && b->n == b->room) {
		size_t room = b->room == 0 ? 16 : b->room * 2;
		struct blob *larger;

		if (room > BLOBS_MAX || (larger = realloc(b->blobs,
		    room * sizeof(*larger))) == NULL)
			return -1;
		b->blobs = larger;
		b->room = room;
	}
	if (copy(&fresh, name, bytes) == -1)
		return -1;
	if (old != NULL) {
		wipe(old);
		*old = fresh;
	} else {
		b->blobs[b->n++] = fresh;
	}
	return 0;
}

struct str
bundle_get(const struct bundle *b, struct str name)
{
	const struct blob *blob = find(b, name);

	return blob == NULL ? STR_NONE : blob->bytes;
}

size_t
bundle_count(const struct bundle *b)
{
	return b->n;
}

struct str
bundle_name(const struct bundle *b, size_t i)
{
	return i < b->n ? b->blobs[i].name : STR_NONE;
}

/* A segment of the path that such a secret has. */
static bool
is_segment(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' &&
		    s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
		    (s.p[i] != '\0' && strchr("_-.:", s.p[i]) != NULL)))
			return false;
	return s.n > 0 && s.n <= 255 && s.p[0] != '.';
}

/* "NAME/SEGMENT", which is cut off. */
static bool
cut_pair(struct str *rest, const char *name)
{
	return str_eq(str_cut(rest, '/'), str_of(name)) && rest->p != NULL &&
	    is_segment(str_cut(rest, '/'));
}

bool
bundle_is_fetched(struct str written)
{
	struct str rest = str_skip(written, strlen(FETCHED));

	if (!str_starts(written, STR(FETCHED)) || !cut_pair(&rest, "projects") ||
	    (str_starts(rest, STR("locations/")) && !cut_pair(&rest, "locations")) ||
	    rest.p == NULL || !cut_pair(&rest, "secrets"))
		return false;
	return rest.p == NULL || (cut_pair(&rest, "versions") && rest.p == NULL);
}

/*
 * "secret:" before a secret as it is written.  A long path is refused before,
 * so a name that does not fit is the name of nothing.
 */
static struct str
name_of(struct str written, char room[4096 + 16])
{
	if (written.n > 4096)
		return STR_NONE;
	memcpy(room, "secret:", 7);
	memcpy(room + 7, written.p, written.n);
	return (struct str){ room, 7 + written.n };
}

static int
no_room(struct err *e)
{
	return err_set(e, ERR_OS, "no memory, or more than %d blobs", BLOBS_MAX);
}

int
bundle_read_secret(struct bundle *b, struct str written, struct err *e)
{
	char room[4096 + 16], word[4096 + 1], *file = NULL;
	struct str rest, bytes;
	size_t n;
	int r;

	/* Its text is never shown: it may be the secret itself, misplaced. */
	if (str_starts(written, STR("plain:"))) {
		if (written.n == 6)
			return err_set(e, ERR_CONF,
			    "the secret after \"plain:\" is empty");
		return 0;
	}
	if (bundle_is_fetched(written)) {
		memcpy(word, LACKS, strlen(LACKS));
		memcpy(word + strlen(LACKS), written.p, written.n);
		return bundle_put(b, (struct str){ word, strlen(LACKS) + written.n },
		    STR("")) == 0 ? 0 : no_room(e);
	}
	if (!str_starts(written, STR("env:")) &&
	    !str_starts(written, STR("file:")))
		return err_set(e, ERR_CONF, "a secret is written \"env:NAME\", "
		    "\"file:PATH\", \"gcp:projects/P/secrets/S\" or "
		    "\"plain:TEXT\"");
	rest = str_skip(written, written.p[0] == 'e' ? 4 : 5);
	if (rest.n == 0 || rest.n >= sizeof(word) || written.n > 4096 ||
	    str_find(rest, '\0') >= 0)
		return err_set(e, ERR_CONF, "what stands after \"%.*s\" is not "
		    "a name", (int)(written.n - rest.n), written.p);
	memcpy(word, rest.p, rest.n);
	word[rest.n] = '\0';

	if (written.p[0] == 'e') {
		bytes = str_of(getenv(word));
		if (bytes.p == NULL)
			return err_set(e, ERR_CONF, "the environment variable "
			    "%s, which holds a secret, is not set", word);
		if (bytes.n == 0)
			return err_set(e, ERR_CONF, "the environment variable "
			    "%s, which holds a secret, is empty", word);
	} else {
		file = os_read_file(word, SECRET_MAX, &n, e);
		if (file == NULL)
			return err_at(e, "reading a secret");
		bytes = (struct str){ file, n };
		if (str_ends(bytes, STR("\n")))
			bytes.n -= str_ends(bytes, STR("\r\n")) ? 2 : 1;
		if (bytes.n == 0) {
			free(file);
			return err_set(e, ERR_CONF,
			    "%s, which holds a secret, is empty", word);
		}
	}
	r = bundle_put(b, name_of(written, room), bytes);
	if (file != NULL) {
		explicit_bzero(file, n);
		free(file);
	}
	return r == 0 ? 0 : no_room(e);
}

struct str
bundle_secret(const struct bundle *b, struct str written)
{
	char room[4096 + 16];
	struct str name;

	if (str_starts(written, STR("plain:")))
		return str_skip(written, 6);
	if (!str_starts(written, STR("env:")) && !str_starts(written, STR("file:")) &&
	    !str_starts(written, STR(FETCHED)))
		return STR_NONE;
	name = name_of(written, room);
	return name.p == NULL ? STR_NONE : bundle_get(b, name);
}

struct str
bundle_lacks(const struct bundle *b, size_t *i)
{
	while (*i < b->n) {
		struct str name = b->blobs[(*i)++].name;

		if (!str_starts(name, STR(LACKS)))
			continue;
		name = str_skip(name, strlen(LACKS));
		if (bundle_secret(b, name).p == NULL)
			return name;
	}
	return STR_NONE;
}

int
bundle_put_secret(struct bundle *b, struct str written, struct str bytes)
{
	char room[4096 + 16];
	struct str name = name_of(written, room);

	return name.p == NULL ? -1 : bundle_put(b, name, bytes);
}

void
bundle_write(const struct bundle *b, struct buf *out)
{
	size_t need = 4, i;

	for (i = 0; i < b->n; i++)
		need += 8 + b->blobs[i].name.n + b->blobs[i].bytes.n;
	if (buf_take(out, need) == NULL)
		return;
	out->n -= need;
	put_u32(out, (uint32_t)b->n);
	for (i = 0; i < b->n; i++) {
		put_str(out, b->blobs[i].name);
		put_str(out, b->blobs[i].bytes);
	}
}

struct bundle *
bundle_read(struct str s, struct err *e)
{
	struct bundle *b = bundle_new();
	struct get g = GET(s);
	uint32_t n = get_u32(&g), i;

	if (b == NULL) {
		err_set(e, ERR_OS, "no memory for a bundle");
		return NULL;
	}
	if (n > BLOBS_MAX)
		g.bad = true;
	for (i = 0; i < n && !g.bad; i++) {
		struct str name = get_str(&g), bytes = get_str(&g);

		if (g.bad || name.p == NULL || bytes.p == NULL ||
		    find(b, name) != NULL) {
			g.bad = true;
		} else if (bundle_put(b, name, bytes) == -1) {
			err_set(e, ERR_OS, "no memory for a bundle");
			bundle_free(b);
			return NULL;
		}
	}
	if (!get_done(&g)) {
		bundle_free(b);
		err_set(e, ERR_PROTOCOL, "a bundle does not decode");
		return NULL;
	}
	return b;
}
