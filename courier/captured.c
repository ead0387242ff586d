/* captured.c - see captured.h. */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/when.h"
#include "captured.h"

struct window {
	char		 name[65];
	int64_t		 until;		/* steady ms */
};

struct captured {
	char		*path;		/* of the directory */
	pthread_mutex_t	 lock;
	struct window	 windows[CAPTURED_WINDOWS];
};

struct captured *
captured_new(const char *inbox, struct err *e)
{
	struct captured *c = calloc(1, sizeof(*c));

	if (c == NULL || asprintf(&c->path, "%s.secrets", inbox) == -1) {
		free(c);
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void
captured_free(struct captured *c)
{
	if (c == NULL)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c->path);
	free(c);
}

/* As conf_keys.c takes one in "captured:NAME": it is a file's name, and no way out. */
static bool
name_fits(struct str s, char name[65])
{
	if (s.n == 0 || s.n > 64 || s.p[0] == '.' || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') ||
		    (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		    (s.p[i] >= '0' && s.p[i] <= '9') ||
		    (s.p[i] != '\0' && strchr("_.-", s.p[i]) != NULL)))
			return false;
	memcpy(name, s.p, s.n);
	name[s.n] = '\0';
	return true;
}

/* --- windows ------------------------------------------------------------------ */

/* The window of that name that is open, or a free place; under the lock. */
static struct window *
window_find(struct captured *c, const char *name, bool place)
{
	struct window *unused = NULL;
	int64_t now = when_steady();

	for (size_t i = 0; i < CAPTURED_WINDOWS; i++) {
		struct window *w = &c->windows[i];

		if (now >= w->until)
			unused = w;
		else if (strcmp(w->name, name) == 0)
			return w;
	}
	return place ? unused : NULL;
}

int
captured_window(struct captured *c, struct str name, uint32_t seconds, struct err *e)
{
	struct window *w;
	char text[65];

	if (!name_fits(name, text))
		return err_set(e, ERR_USAGE, "that is no name of a secret");
	if (seconds > CAPTURED_LONGEST)
		return err_set(e, ERR_USAGE, "a window is open for a day at most");
	pthread_mutex_lock(&c->lock);
	if ((w = window_find(c, text, true)) != NULL) {
		memcpy(w->name, text, sizeof(text));
		w->until = when_steady() + (int64_t)seconds * 1000;
	}
	pthread_mutex_unlock(&c->lock);
	return w != NULL ? 0 : err_set(e, ERR_TEMP, "%d windows are open already",
	    CAPTURED_WINDOWS);
}

/* --- files --------------------------------------------------------------------- */

/* The directory that the directory's own name stands in. */
static int
sync_parent(const struct captured *c)
{
	char *parent = strdup(c->path), *slash;
	int fd, rc = -1;

	if (parent == NULL)
		return -1;
	if ((slash = strrchr(parent, '/')) != NULL)
		slash[slash == parent] = '\0';
	fd = open(slash == NULL ? "." : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1) {
		rc = fsync(fd);
		close(fd);
	}
	free(parent);
	return rc;
}

/*
 * The directory, made when it is not there; -1.  Who has made it may have ended before
 * its name was on the disk: so that is synced each time.
 */
static int
open_dir(const struct captured *c, bool make, struct err *e)
{
	int fd;

	if (make && ((mkdir(c->path, 0700) == -1 && errno != EEXIST) ||
	    sync_parent(c) == -1))
		return err_set(e, ERR_IO, "%s: %s", c->path, strerror(errno));
	fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd != -1 ? fd :
	    err_set(e, ERR_IO, "%s: %s", c->path, strerror(errno));
}

static int
write_file(int dir, const char *name, struct str secret)
{
	char fresh[1 + 65];		/* no secret's name: it begins with a dot */
	ssize_t n = -1;
	int fd, rc = -1;

	snprintf(fresh, sizeof(fresh), ".%s", name);
	fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd == -1)
		return -1;
	n = write(fd, secret.p, secret.n);
	if (n == (ssize_t)secret.n && fsync(fd) == 0 &&
	    renameat(dir, fresh, dir, name) == 0 && fsync(dir) == 0)
		rc = 0;
	close(fd);
	return rc;
}

/* Sent again, because the answer was lost: it is what is kept already. */
static bool
is_kept(struct captured *c, struct str names, struct str secret, char name[65])
{
	struct buf kept = BUF(CAPTURED_SECRET_MAX);
	bool same = false;

	while (names.p != NULL && !same) {
		struct str one = str_cut(&names, '\n');

		same = name_fits(one, name) && captured_get(c, one, &kept) &&
		    str_eq_secret(buf_str(&kept), secret);
	}
	buf_wipe(&kept);
	return same;
}

enum wire_refusal
captured_take(struct captured *c, struct str names, struct str secret,
    char name[65], struct err *e)
{
	struct str rest = names;
	struct window *w = NULL;
	int dir;

	if (secret.n == 0 || secret.n > CAPTURED_SECRET_MAX) {
		err_set(e, ERR_DATA, "it is no secret");
		return REFUSED_NO_WINDOW;
	}
	/* Under the lock to its end: a window lets one secret in. */
	pthread_mutex_lock(&c->lock);
	while (rest.p != NULL && w == NULL) {
		struct str one = str_cut(&rest, '\n');

		if (name_fits(one, name))
			w = window_find(c, name, false);
	}
	if (w == NULL) {
		bool known = is_kept(c, names, secret, name);

		pthread_mutex_unlock(&c->lock);
		if (known)
			return 0;
		err_set(e, ERR_PERM, "no window is open for it");
		return REFUSED_NO_WINDOW;
	}
	if ((dir = open_dir(c, true, e)) == -1 || write_file(dir, name,
	    secret) == -1) {
		pthread_mutex_unlock(&c->lock);
		if (dir != -1)
			err_set(e, ERR_IO, "%s/%s: %s", c->path, name,
			    strerror(errno));
		if (dir != -1)
			close(dir);
		return REFUSED_SYNC;
	}
	w->until = 0;
	pthread_mutex_unlock(&c->lock);
	close(dir);
	return 0;
}

bool
captured_get(struct captured *c, struct str name, struct buf *secret)
{
	char text[65], bytes[CAPTURED_SECRET_MAX];
	struct err e;
	int dir, fd = -1;
	ssize_t n = 0;

	buf_reset(secret);
	if (!name_fits(name, text) || (dir = open_dir(c, false, &e)) == -1)
		return false;
	fd = openat(dir, text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	close(dir);
	if (fd == -1)
		return false;
	n = read(fd, bytes, sizeof(bytes));
	close(fd);
	if (n > 0)
		buf_put(secret, (struct str){ bytes, (size_t)n });
	explicit_bzero(bytes, sizeof(bytes));
	return n > 0 && buf_ok(secret);
}

int
captured_forget(struct captured *c, struct str name, struct err *e)
{
	char text[65];
	int dir, rc;

	if (!name_fits(name, text))
		return err_set(e, ERR_USAGE, "that is no name of a secret");
	if ((dir = open_dir(c, false, e)) == -1)
		return err_set(e, ERR_NOINPUT, "there is no secret \"%s\"", text);
	rc = unlinkat(dir, text, 0) == -1 ? err_set(e, errno == ENOENT ?
	    ERR_NOINPUT : ERR_IO, "the secret \"%s\": %s", text, errno == ENOENT ?
	    "there is none" : strerror(errno)) : fsync(dir);
	close(dir);
	return rc;
}

size_t
captured_list(struct captured *c, struct captured_row *rows, size_t most)
{
	int64_t now = when_steady();
	struct dirent *d;
	struct stat st;
	struct err e;
	size_t n = 0, i;
	int fd = open_dir(c, false, &e);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);

	if (dir == NULL && fd != -1)
		close(fd);
	while (dir != NULL && n < most && (d = readdir(dir)) != NULL) {
		rows[n] = (struct captured_row){ .at = 0 };
		if (!name_fits(str_of(d->d_name), rows[n].name) ||
		    fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
		    !S_ISREG(st.st_mode))
			continue;
		rows[n++].at = (int64_t)st.st_mtim.tv_sec * 1000 +
		    st.st_mtim.tv_nsec / 1000000;
	}
	if (dir != NULL)
		closedir(dir);
	pthread_mutex_lock(&c->lock);
	for (size_t j = 0; j < CAPTURED_WINDOWS; j++) {
		const struct window *w = &c->windows[j];

		if (now >= w->until)
			continue;
		for (i = 0; i < n && strcmp(rows[i].name, w->name) != 0; i++)
			;
		if (i == most)
			break;
		if (i == n) {
			rows[n] = (struct captured_row){ .at = 0 };
			memcpy(rows[n++].name, w->name, sizeof(w->name));
		}
		rows[i].seconds = (uint32_t)((w->until - now + 999) / 1000);
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}
