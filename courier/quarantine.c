/* quarantine.c - see quarantine.h. */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/arena.h"
#include "bodies.h"
#include "quarantine.h"

#define SUFFIX		".json"
#define NAME_LEN	(EVENT_ID_LEN + sizeof(SUFFIX))
#define FILE_MAX	(2u * 1024 * 1024)

struct one {
	char		 name[NAME_LEN];
	uint64_t	 size;
};

struct quarantine {
	int		 dir;
	uint64_t	 most, most_bytes;
	struct log	*log;
	struct one	*all;		/* oldest first */
	size_t		 n;
	uint64_t	 bytes;
	bool		 complained;
};

static int
one_cmp(const void *a, const void *b)
{
	const struct one *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* "0193...json": nothing else there is ours. */
static bool
is_ours(const char *name)
{
	char id[EVENT_ID_LEN + 1];

	if (strlen(name) != EVENT_ID_LEN + strlen(SUFFIX) ||
	    strcmp(name + EVENT_ID_LEN, SUFFIX) != 0)
		return false;
	memcpy(id, name, EVENT_ID_LEN);
	id[EVENT_ID_LEN] = '\0';
	return bodies_id_valid(id);
}

/* Room for one more: the oldest go. */
static void
make_room(struct quarantine *q, uint64_t size)
{
	size_t gone = 0;

	while (gone < q->n && (q->n - gone >= q->most ||
	    q->bytes + size > q->most_bytes)) {
		unlinkat(q->dir, q->all[gone].name, 0);
		q->bytes -= q->all[gone].size;
		gone++;
	}
	q->n -= gone;
	memmove(q->all, q->all + gone, q->n * sizeof(*q->all));
}

static int
look(struct quarantine *q, struct err *e)
{
	DIR *dir = fdopendir(dup(q->dir));
	struct dirent *d;
	struct stat st;
	struct one *more;
	size_t room = (size_t)q->most + 1;

	if (dir == NULL)
		return err_set(e, ERR_IO, "reading the quarantine: %s",
		    strerror(errno));
	while ((d = readdir(dir)) != NULL) {
		if (!is_ours(d->d_name) || fstatat(q->dir, d->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode))
			continue;
		if (q->n == room) {	/* the limit was lowered */
			room *= 2;
			if ((more = realloc(q->all, room * sizeof(*more))) == NULL)
				break;
			q->all = more;
		}
		memcpy(q->all[q->n].name, d->d_name, NAME_LEN);
		q->all[q->n].size = (uint64_t)st.st_size;
		q->bytes += q->all[q->n++].size;
	}
	closedir(dir);
	qsort(q->all, q->n, sizeof(*q->all), one_cmp);
	return 0;
}

struct quarantine *
quarantine_new(struct str path, uint64_t requests, uint64_t bytes, struct log *log,
    struct err *e)
{
	struct quarantine *q = calloc(1, sizeof(*q));
	char *name = strndup(path.p, path.n);

	if (q == NULL || name == NULL) {
		err_set(e, ERR_OS, "no memory");
		goto fail;
	}
	q->most = requests;
	q->most_bytes = bytes;
	q->log = log;
	if (mkdir(name, 0700) == -1 && errno != EEXIST) {
		err_set(e, ERR_IO, "quarantine: %s: %s", name, strerror(errno));
		q->dir = -1;
		goto fail;
	}
	q->dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->dir == -1) {
		err_set(e, ERR_IO, "quarantine: %s: %s", name, strerror(errno));
		goto fail;
	}
	if ((q->all = calloc(requests + 1, sizeof(*q->all))) == NULL) {
		err_set(e, ERR_OS, "no memory");
		goto fail;
	}
	if (look(q, e) == -1)
		goto fail;
	make_room(q, 0);
	free(name);
	return q;
fail:
	free(name);
	quarantine_free(q);
	return NULL;
}

void
quarantine_free(struct quarantine *q)
{
	if (q == NULL)
		return;
	if (q->dir > 0)
		close(q->dir);
	free(q->all);
	free(q);
}

static int
write_file(struct quarantine *q, const char *name, struct str text)
{
	int fd = openat(q->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = write(fd, text.p, text.n);
	close(fd);
	if (n == (ssize_t)text.n)
		return 0;
	unlinkat(q->dir, name, 0);
	return -1;
}

void
quarantine_put(struct quarantine *q, struct str verdict, struct str reason,
    const struct event *ev)
{
	struct buf b = BUF(FILE_MAX);
	char name[NAME_LEN];

	if (!bodies_id_valid(ev->id))
		return;
	snprintf(name, sizeof(name), "%s" SUFFIX, ev->id);
	buf_put(&b, STR("{\"verdict\":"));
	buf_json(&b, verdict);
	buf_put(&b, STR(",\"reason\":"));
	buf_json(&b, reason);
	buf_put(&b, STR(",\"request\":"));
	event_json(&b, ev, NULL, 0, true);
	buf_put(&b, STR("}\n"));
	if (!buf_ok(&b) || b.n > q->most_bytes) {
		buf_free(&b);
		return;
	}
	make_room(q, b.n);
	if (write_file(q, name, buf_str(&b)) == 0) {
		memcpy(q->all[q->n].name, name, sizeof(name));
		q->all[q->n++].size = b.n;
		q->bytes += b.n;
		q->complained = false;
	} else if (!q->complained) {
		log_say(q->log, LOG_WARN_, "quarantine: %s: %s", name,
		    strerror(errno));
		q->complained = true;	/* once, until it works again */
	}
	buf_free(&b);
}
