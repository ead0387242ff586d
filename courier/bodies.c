/* bodies.c - see bodies.h. */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/digest.h"
#include "bodies.h"

#define PIECE		(256 * 1024)
#define TOGETHER	16		/* files that share a sync of the directory */
#define AGAIN		".again"

static enum inbox_code
fail(struct err *e, const char *doing, const char *name)
{
	int no = errno;

	err_set(e, ERR_IO, "body %s: %s: %s", name, doing, strerror(no));
	return no == ENOSPC || no == EDQUOT || no == EFBIG || no == EMFILE
	    || no == ENFILE || no == ENOMEM ? INBOX_FULL : INBOX_DOUBT;
}

bool
bodies_id_valid(const char *id)
{
	size_t i;

	for (i = 0; i < EVENT_ID_LEN; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (id[i] != '-')
				return false;
		} else if ((id[i] < '0' || id[i] > '9')
		    && (id[i] < 'a' || id[i] > 'f')) {
			return false;
		}
	}
	return id[i] == '\0';
}

static ssize_t
read_at(int fd, char *piece, uint64_t at, uint64_t end)
{
	size_t most = end - at < PIECE ? (size_t)(end - at) : PIECE;
	ssize_t n;

	while ((n = pread(fd, piece, most, (off_t)at)) == -1 && errno == EINTR)
		;
	return n;
}

static enum inbox_code
copy(int from, int to, const struct event *ev, struct sha256 *hash, char *piece,
    struct err *e)
{
	uint64_t at;
	ssize_t got, put, n;

	for (at = 0; at < ev->size; at += (uint64_t)got) {
		got = read_at(from, piece, at, ev->size);
		if (got <= 0) {
			errno = EIO;	/* a sealed memfd that ends early */
			return fail(e, "reading", ev->id);
		}
		if (hash != NULL)
			sha256_add(hash, (struct str){ piece, (size_t)got });
		for (put = 0; put < got; put += n) {
			n = pwrite(to, piece + put, (size_t)(got - put),
			    (off_t)at + put);
			if (n == -1 && errno == EINTR)
				n = 0;
			else if (n <= 0)
				return fail(e, "writing", ev->id);
		}
	}
	return INBOX_OK;
}

static bool
equal(int a, int z, uint64_t size)
{
	static const size_t half = PIECE / 2;
	struct stat st;
	char *piece = malloc(PIECE);
	uint64_t at = 0;
	bool same = false;
	size_t n;

	if (piece == NULL || fstat(z, &st) == -1 || (uint64_t)st.st_size != size)
		goto out;
	for (; at < size; at += n) {
		n = size - at < half ? (size_t)(size - at) : half;
		if (pread(a, piece, n, (off_t)at) != (ssize_t)n
		    || pread(z, piece + half, n, (off_t)at) != (ssize_t)n
		    || memcmp(piece, piece + half, n) != 0)
			goto out;
	}
	same = true;
out:
	free(piece);
	return same;
}

enum inbox_code
bodies_write(int dir, struct event *ev, struct err *e)
{
	bool wants_digest = !ev->signed_bytes && ev->merge > 0;
	char again[EVENT_ID_LEN + sizeof(AGAIN)];
	const char *name = ev->id;
	struct sha256 *hash = NULL;
	char *piece = malloc(PIECE);
	enum inbox_code code = INBOX_FULL;
	int fd, old;

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1 && errno == EEXIST) {
		old = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (old == -1 || !equal(ev->body_fd, old, ev->size)) {
			err_set(e, ERR_DATA, "body %s: there is another one of "
			    "this id", name);
			if (old != -1)
				close(old);
			free(piece);
			return INBOX_FULL;
		}
		close(old);
		snprintf(again, sizeof(again), "%s" AGAIN, ev->id);
		name = again;
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
		    | O_NOFOLLOW, 0600);
	}
	if (fd == -1) {
		code = fail(e, "creating", name);
		goto out;
	}
	if (piece == NULL || (wants_digest && (hash = sha256_new()) == NULL)) {
		errno = ENOMEM;
		code = fail(e, "writing", name);
		goto out;
	}
	if ((code = copy(ev->body_fd, fd, ev, hash, piece, e)) != INBOX_OK)
		goto out;
	if (fsync(fd) == -1 || (name == again
	    && renameat(dir, again, dir, ev->id) == -1))
		code = fail(e, "syncing", name);
out:
	if (hash != NULL)
		sha256_end(hash, ev->digest);
	if (fd != -1) {
		close(fd);
		if (code != INBOX_OK)
			unlinkat(dir, name, 0);
	}
	free(piece);
	return code;
}

enum inbox_code
bodies_sync(int dir, struct err *e)
{
	return fsync(dir) == -1 ? fail(e, "syncing", "directory") : INBOX_OK;
}

void
bodies_remove(int dir, const char *id)
{
	unlinkat(dir, id, 0);
}

int
bodies_dir(const struct inbox *b, struct err *e)
{
	int fd = open(inbox_files(b), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		err_set(e, ERR_IO, "%s: %s", inbox_files(b), strerror(errno));
	return fd;
}

enum inbox_code
bodies_sweep(struct inbox *b, unsigned *removed, struct err *e)
{
	char id[EVENT_ID_LEN + 1];
	struct dirent *d;
	struct stat st;
	enum inbox_code code = INBOX_OK;
	int64_t bytes = 0;
	size_t len;
	DIR *dir = opendir(inbox_files(b));
	bool known;

	*removed = 0;
	if (dir == NULL)
		return fail(e, "sweeping", inbox_files(b));
	while (code == INBOX_OK && (d = readdir(dir)) != NULL) {
		len = strlen(d->d_name);
		snprintf(id, sizeof(id), "%.36s", d->d_name);
		if (!bodies_id_valid(id) || (len != EVENT_ID_LEN
		    && strcmp(d->d_name + EVENT_ID_LEN, AGAIN) != 0))
			continue;	/* not ours */
		known = false;
		if (len == EVENT_ID_LEN)
			code = inbox_has_file(b, id, &known, e);
		if (code != INBOX_OK)
			break;
		if (!known) {
			unlinkat(dirfd(dir), d->d_name, 0);
			++*removed;
		} else if (fstatat(dirfd(dir), id, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			bytes += st.st_size;
		}
	}
	closedir(dir);
	if (code == INBOX_OK)
		inbox_files_set(b, bytes);
	return code;
}

/* --- the thread ---------------------------------------------------------------- */

struct bodies {
	struct inbox	*inbox;
	struct log	*log;
	void		(*written)(void *, struct put *);
	void		*arg;
	int		 dir;
	pthread_t	 thread;
	pthread_mutex_t	 lock;
	pthread_cond_t	 work;
	struct puts	 queue;
	bool		 stop;
};

static void
refuse(struct bodies *b, struct put *p, enum inbox_code code, struct err *e)
{
	p->refusal = code == INBOX_FULL ? REFUSED_BUSY : REFUSED_SYNC;
	p->why = code == INBOX_FULL ? "no room for its body"
	    : "its body could not be written";
	log_say(b->log, LOG_ERROR_, "%s", e->text);
}

/* Several at a time, so that they share one sync of the directory. */
static void
write_some(struct bodies *b, struct puts *some)
{
	struct put *p;
	struct err e;
	enum inbox_code code;
	unsigned good = 0;

	for (p = some->first; p != NULL; p = p->next) {
		if (b->dir == -1 && (b->dir = bodies_dir(b->inbox, &e)) == -1)
			code = INBOX_DOUBT;
		else
			code = bodies_write(b->dir, &p->event, &e);
		if (code != INBOX_OK)
			refuse(b, p, code, &e);
		else
			good++;
		close(p->event.body_fd);
		p->event.body_fd = -1;
	}
	if (good > 0 && (code = bodies_sync(b->dir, &e)) != INBOX_OK) {
		for (p = some->first; p != NULL; p = p->next)
			if (p->refusal == 0) {
				bodies_remove(b->dir, p->event.id);
				refuse(b, p, code, &e);
			}
	}
	while ((p = puts_pop(some)) != NULL)
		b->written(b->arg, p);
}

static void *
run(void *arg)
{
	struct bodies *b = arg;
	struct puts some;

	pthread_setname_np(pthread_self(), "bodies");
	puts_init(&some);
	for (;;) {
		pthread_mutex_lock(&b->lock);
		while (b->queue.first == NULL && !b->stop)
			pthread_cond_wait(&b->work, &b->lock);
		while (b->queue.first != NULL && some.n < TOGETHER)
			puts_add(&some, puts_pop(&b->queue));
		pthread_mutex_unlock(&b->lock);
		if (some.first == NULL)
			return NULL;
		write_some(b, &some);
	}
}

struct bodies *
bodies_start(struct inbox *inbox, struct log *log,
    void (*written)(void *, struct put *), void *arg, struct err *e)
{
	struct bodies *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		err_set(e, ERR_OS, "no memory");
		return NULL;
	}
	b->inbox = inbox;
	b->log = log;
	b->written = written;
	b->arg = arg;
	b->dir = -1;
	puts_init(&b->queue);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	if (pthread_create(&b->thread, NULL, run, b) != 0) {
		err_set(e, ERR_OS, "no thread for bodies");
		free(b);
		return NULL;
	}
	return b;
}

void
bodies_give(struct bodies *b, struct put *p)
{
	pthread_mutex_lock(&b->lock);
	puts_add(&b->queue, p);
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
}

void
bodies_stop(struct bodies *b)
{
	if (b == NULL)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	if (b->dir != -1)
		close(b->dir);
	free(b);
}
