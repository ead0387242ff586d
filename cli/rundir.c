/*
 * rundir.c - the directory of one "serve".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/when.h"
#include "cli/rundir.h"

#define STATE		"serve.state"
#define LEFTOVER_MS	3000		/* until SIGKILL */

/* A directory that is there or can be made, ours, and closed to others. */
static bool
directory_is_ours(const char *path)
{
	struct stat s;

	if (mkdir(path, geteuid() == 0 ? 0755 : 0700) == -1 && errno != EEXIST)
		return false;
	return lstat(path, &s) == 0 && S_ISDIR(s.st_mode) &&
	    s.st_uid == geteuid() && (s.st_mode & 022) == 0;
}

static bool
base_choose(char *base, size_t size)
{
	const char *runtime = getenv("RUNTIME_DIRECTORY");
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	if (runtime != NULL && *runtime == '/') {
		/* systemd may name several, with colons between. */
		snprintf(base, size, "%.*s", (int)strcspn(runtime, ":"), runtime);
		return true;
	}
	snprintf(base, size, "/run/hooklatch");
	if (geteuid() == 0 ? mkdir(base, 0755) == 0 || errno == EEXIST :
	    access(base, W_OK | X_OK) == 0)
		return true;
	if (xdg != NULL && *xdg == '/') {
		snprintf(base, size, "%s/hooklatch", xdg);
		if (directory_is_ours(base))
			return true;
	}
	/* The same place each time, so that leftovers are found again ... */
	snprintf(base, size, "/tmp/hooklatch-%lu", (unsigned long)geteuid());
	if (directory_is_ours(base))
		return true;
	/* ... unless somebody else was there first. */
	snprintf(base, size, "/tmp/hooklatch-XXXXXX");
	return mkdtemp(base) != NULL;
}

int
rundir_open(struct rundir *d, unsigned port, struct err *e)
{
	char base[256], holder[32] = "";
	char lock[RUNDIR_MAX + 8];
	ssize_t n;

	d->lock = -1;
	if (!base_choose(base, sizeof(base)))
		return err_set(e, ERR_OS,
		    "%s: %s; set RUNTIME_DIRECTORY to a directory of yours", base,
		    strerror(errno));
	if (snprintf(d->path, sizeof(d->path), "%s/serve-%u", base, port) >=
	    (int)sizeof(d->path))
		return err_set(e, ERR_OS, "%s is too long for the name of a socket; "
		    "set RUNTIME_DIRECTORY to a shorter one", base);
	if (!directory_is_ours(d->path))
		return err_set(e, ERR_PERM, "%s cannot be made or is not ours alone; "
		    "remove it or set RUNTIME_DIRECTORY", d->path);
	snprintf(lock, sizeof(lock), "%s/lock", d->path);
	if ((d->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0600)) == -1)
		return err_set(e, ERR_OS, "%s: %s", lock, strerror(errno));
	if (flock(d->lock, LOCK_EX | LOCK_NB) == -1) {
		if ((n = pread(d->lock, holder, sizeof(holder) - 1, 0)) > 0)
			holder[strcspn(holder, "\n")] = '\0';
		close(d->lock);
		d->lock = -1;
		return err_set(e, ERR_TEMP, "another \"hooklatch serve\" (process %s) "
		    "already runs in %s; stop it, or choose another port with --listen",
		    *holder != '\0' ? holder : "?", d->path);
	}
	if (ftruncate(d->lock, 0) == -1 ||
	    dprintf(d->lock, "%ld\n", (long)getpid()) < 0)
		return err_set(e, ERR_OS, "%s: %s", lock, strerror(errno));
	return 0;
}

int
rundir_file(const struct rundir *d, const char *name, char *path, size_t size,
    struct err *e)
{
	if (snprintf(path, size, "%s/%s", d->path, name) < (int)size)
		return 0;
	return err_set(e, ERR_OS, "%s/%s: the name is too long", d->path, name);
}

int
rundir_write(const struct rundir *d, const char *name, struct str bytes,
    mode_t mode, struct err *e)
{
	char path[RUNDIR_MAX + 64], fresh[RUNDIR_MAX + 70];
	int fd;

	if (rundir_file(d, name, path, sizeof(path), e) == -1)
		return -1;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	unlink(fresh);
	if ((fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)) == -1)
		return err_set(e, ERR_OS, "%s: %s", fresh, strerror(errno));
	for (size_t at = 0; at < bytes.n;) {
		ssize_t n = write(fd, bytes.p + at, bytes.n - at);

		if (n <= 0) {
			err_set(e, ERR_IO, "%s: %s", fresh, strerror(errno));
			close(fd);
			unlink(fresh);
			return -1;
		}
		at += (size_t)n;
	}
	if (fchmod(fd, mode) == -1 || close(fd) == -1 || rename(fresh, path) == -1)
		return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
	return 0;
}

void
rundir_clean(const struct rundir *d)
{
	static const char *const names[] = { "environment.json", "nginx.conf",
		"nginx.pid", STATE, "nginx-client_body", "nginx-fastcgi",
		"nginx-proxy", "nginx-uwsgi", "nginx-scgi" };
	char path[RUNDIR_MAX + 64];
	struct err e;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (rundir_file(d, names[i], path, sizeof(path), &e) == 0 &&
		    unlink(path) == -1)
			rmdir(path);	/* only when it is empty */
}

/* --- what was started ----------------------------------------------------- */

static void
boot_id(char id[40])
{
	size_t n = 0;
	struct err e;
	char *text;

	id[0] = '\0';
	text = os_read_file("/proc/sys/kernel/random/boot_id", 64, &n, &e);
	if (text != NULL)
		snprintf(id, 40, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
}

int
rundir_remember(const struct rundir *d, const struct crew *groups, size_t n,
    struct err *e)
{
	struct buf b = BUF(4096);
	char boot[40];
	int rc;

	boot_id(boot);
	buf_printf(&b, "%s\n", boot);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s %ld %llu\n", groups[i].name, (long)groups[i].id,
		    (unsigned long long)groups[i].born);
	rc = rundir_write(d, STATE, buf_str(&b), 0600, e);
	buf_free(&b);
	return rc;
}

bool
process_look(pid_t pid, uint64_t *born, pid_t *group, char name[16])
{
	char path[40], text[1024];
	char *open_at, *close_at;
	unsigned long long start;
	char state;
	ssize_t n;
	long g;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* "PID (NAME) STATE PPID PGRP ..."; a name may hold ") ". */
	if ((open_at = strchr(text, '(')) == NULL ||
	    (close_at = strrchr(text, ')')) == NULL)
		return false;
	if (sscanf(close_at + 1, " %c %*d %ld %*d %*d %*d %*u %*u %*u %*u %*u "
	    "%*u %*u %*d %*d %*d %*d %*d %*d %llu", &state, &g, &start) != 3)
		return false;
	if (state == 'Z' || state == 'X')	/* dead, only not yet reaped */
		return false;
	*close_at = '\0';
	snprintf(name, 16, "%.15s", open_at + 1);
	*born = start;
	*group = (pid_t)g;
	return true;
}

/* Is a process of this group left that was started by us? */
static bool
group_lives(const struct crew *g)
{
	DIR *d;
	struct dirent *entry;
	uint64_t born, pid;
	pid_t group;
	char name[16];
	bool lives = false;

	if (process_look(g->id, &born, &group, name) && born != g->born)
		return false;		/* the number belongs to another now */
	if ((d = opendir("/proc")) == NULL)
		return false;
	while (!lives && (entry = readdir(d)) != NULL)
		lives = str_to_u64(str_of(entry->d_name), &pid) &&
		    process_look((pid_t)pid, &born, &group, name) &&
		    group == g->id && born >= g->born &&
		    strcmp(name, g->name) == 0;
	closedir(d);
	return lives;
}

static void
group_end(const struct crew *g, struct log *log)
{
	static const struct timespec nap = { 0, 20 * 1000 * 1000 };
	int64_t start = when_steady();
	bool killed = false;

	if (g->id <= 1 || !group_lives(g))
		return;
	log_say(log, LOG_WARN_, "%s of a serve that was killed still runs (process "
	    "group %ld): ending it", g->name, (long)g->id);
	kill(-g->id, SIGTERM);
	while (group_lives(g) && when_steady() - start < 2 * LEFTOVER_MS) {
		if (!killed && when_steady() - start > LEFTOVER_MS) {
			kill(-g->id, SIGKILL);
			killed = true;
		}
		nanosleep(&nap, NULL);
	}
}

void
rundir_end_leftovers(const struct rundir *d, struct log *log)
{
	char path[RUNDIR_MAX + 64], boot[40];
	struct str rest, line, word;
	struct crew g;
	struct err e;
	uint64_t id;
	size_t n = 0;
	char *text;

	if (rundir_file(d, STATE, path, sizeof(path), &e) == -1 ||
	    (text = os_read_file(path, 4096, &n, &e)) == NULL)
		return;
	boot_id(boot);
	rest = (struct str){ text, n };
	/* Another boot: the numbers mean nothing. */
	if (str_eq(str_cut(&rest, '\n'), str_of(boot)))
		while (rest.p != NULL) {
			line = str_cut(&rest, '\n');
			word = str_cut(&line, ' ');
			snprintf(g.name, sizeof(g.name), "%.*s", STR_ARG(word));
			if (!str_to_u64(str_cut(&line, ' '), &id) ||
			    !str_to_u64(line, &g.born))
				continue;
			g.id = (pid_t)id;
			group_end(&g, log);
		}
	free(text);
	unlink(path);
}
