/* os.c - what each program asks of the system at its start. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include "os.h"

int
os_standard_fds(struct err *e)
{
	int fd, got;

	/* open() takes the lowest that is free, which is the one asked about. */
	for (fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
			continue;
		got = open("/dev/null", O_RDWR);
		if (got != fd) {
			if (got != -1)
				close(got);
			return err_set(e, ERR_OS,
			    "descriptor %d is closed and /dev/null cannot take "
			    "its place: %s", fd, strerror(errno));
		}
	}
	return 0;
}

int
os_guard_memory(struct err *e)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) == -1)
		return err_set(e, ERR_OS, "core files cannot be forbidden: %s",
		    strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return err_set(e, ERR_OS, "the process's memory cannot be "
		    "closed to others: %s", strerror(errno));
	return 0;
}

int
os_user(const char *name, uid_t *uid, gid_t *gid, struct err *e)
{
	struct passwd *pw;

	errno = 0;
	if ((pw = getpwnam(name)) == NULL) {
		if (errno != 0 && errno != ENOENT && errno != ESRCH)
			return err_set(e, ERR_OS, "looking up user \"%s\": %s",
			    name, strerror(errno));
		return err_set(e, ERR_NOUSER, "there is no user \"%s\"; make "
		    "it with: useradd --system --no-create-home --shell "
		    "/usr/sbin/nologin %s", name, name);
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

int
os_group(const char *name, gid_t *gid, struct err *e)
{
	struct group *gr;

	errno = 0;
	if ((gr = getgrnam(name)) == NULL) {
		if (errno != 0 && errno != ENOENT && errno != ESRCH)
			return err_set(e, ERR_OS, "looking up group \"%s\": %s",
			    name, strerror(errno));
		return err_set(e, ERR_NOUSER, "there is no group \"%s\"; make "
		    "it with: groupadd --system %s", name, name);
	}
	*gid = gr->gr_gid;
	return 0;
}

int
os_become(const char *user, gid_t extra, struct err *e)
{
	uid_t uid, u[3];
	gid_t gid, g[3], groups[2];
	size_t n = 0;

	if (geteuid() != 0)
		return 0;
	if (os_user(user, &uid, &gid, e) == -1)
		return -1;
	if (uid == 0)
		return err_set(e, ERR_CONF, "user \"%s\" is root, which is to "
		    "be given up", user);
	groups[n++] = gid;
	if (extra != (gid_t)-1 && extra != gid)
		groups[n++] = extra;
	if (setgroups(n, groups) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return err_set(e, ERR_OS, "cannot become user \"%s\": %s",
		    user, strerror(errno));

	/* Asked, not assumed. */
	if (getresuid(&u[0], &u[1], &u[2]) == -1 ||
	    getresgid(&g[0], &g[1], &g[2]) == -1 ||
	    u[0] != uid || u[1] != uid || u[2] != uid ||
	    g[0] != gid || g[1] != gid || g[2] != gid ||
	    setresuid((uid_t)-1, 0, (uid_t)-1) != -1 || setuid(0) != -1 ||
	    (gid != 0 && setgid(0) != -1))
		return err_set(e, ERR_OS, "root was not given up for good on "
		    "becoming user \"%s\"", user);
	return 0;
}

static int
address(const char *path, struct sockaddr_un *sun, struct err *e)
{
	size_t n = strlen(path);

	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (n == 0 || n >= sizeof(sun->sun_path))
		return err_set(e, ERR_CONF, "the socket path \"%s\" has %zu "
		    "bytes; it may have 1 to %zu", path, n,
		    sizeof(sun->sun_path) - 1);
	memcpy(sun->sun_path, path, n);
	return 0;
}

/* 0 when the path is free now. */
static int
remove_stale(const char *path, const struct sockaddr_un *sun, struct err *e)
{
	struct stat st;
	int fd, r, why;

	if (lstat(path, &st) == -1) {
		if (errno == ENOENT)
			return 0;
		return err_set(e, ERR_OS, "%s: %s", path, strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONF, "%s is there and is no socket; "
		    "move it away or choose another path", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_set(e, ERR_OS, "socket: %s", strerror(errno));
	r = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	why = errno;
	close(fd);
	if (r == 0 || why == EAGAIN)
		return err_set(e, ERR_AWAY, "another process listens on %s; "
		    "stop it first", path);
	if (why == ENOENT)
		return 0;
	if (why != ECONNREFUSED)
		return err_set(e, ERR_OS, "%s: %s", path, strerror(why));
	if (unlink(path) == -1 && errno != ENOENT)
		return err_set(e, ERR_OS, "%s is stale and cannot be removed: "
		    "%s", path, strerror(errno));
	return 0;
}

int
os_listen_unix(const char *path, mode_t mode, gid_t gid, int backlog,
    struct err *e)
{
	struct sockaddr_un sun;
	mode_t mask;
	int fd, r;

	if (address(path, &sun, e) == -1 || remove_stale(path, &sun, e) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_set(e, ERR_OS, "socket: %s", strerror(errno));
	/* Nobody's before it is who it should be, and only then listening. */
	mask = umask(0777);
	r = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (r == -1) {
		err_set(e, ERR_OS, "cannot make the socket %s: %s", path,
		    strerror(errno));
		close(fd);
		return -1;
	}
	if ((gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) == -1) ||
	    chmod(path, mode) == -1 || listen(fd, backlog) == -1) {
		err_set(e, ERR_OS, "cannot listen on %s: %s", path,
		    strerror(errno));
		unlink(path);
		close(fd);
		return -1;
	}
	return fd;
}

int
os_connect_unix(const char *path, struct err *e)
{
	struct sockaddr_un sun;
	int fd;

	if (address(path, &sun, e) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_set(e, ERR_OS, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		err_set(e, errno == EACCES ? ERR_PERM : ERR_AWAY,
		    "cannot connect to %s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int
os_peer(int fd, uid_t *uid, gid_t *gid, pid_t *pid, struct err *e)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == -1 ||
	    n != sizeof(who))
		return err_set(e, ERR_OS, "the peer of a socket is not known: "
		    "%s", strerror(errno));
	*uid = who.uid;
	*gid = who.gid;
	*pid = who.pid;
	return 0;
}

int
os_memfd(const char *name, struct str bytes, struct err *e)
{
	size_t done = 0;
	ssize_t r;
	int fd;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return err_set(e, ERR_OS, "memfd_create: %s", strerror(errno));
	while (done < bytes.n) {
		r = pwrite(fd, bytes.p + done, bytes.n - done, (off_t)done);
		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0) {
			err_set(e, ERR_OS, "writing a memfd of %zu bytes: %s",
			    bytes.n, r == 0 ? "it is full" : strerror(errno));
			close(fd);
			return -1;
		}
		done += (size_t)r;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
	    F_SEAL_SEAL) == -1) {
		err_set(e, ERR_OS, "sealing a memfd: %s", strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int
os_memfd_sealed(int fd, uint64_t *size, struct err *e)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals == -1)
		return err_set(e, ERR_PROTOCOL, "a descriptor that came is no "
		    "memfd");
	if ((seals & want) != want)
		return err_set(e, ERR_PROTOCOL, "a memfd that came is not "
		    "sealed, its sender could still change it");
	if (fstat(fd, &st) == -1 || st.st_size < 0)
		return err_set(e, ERR_OS, "a memfd's size is not known: %s",
		    strerror(errno));
	*size = (uint64_t)st.st_size;
	return 0;
}

char *
os_read_file(const char *path, size_t limit, size_t *n, struct err *e)
{
	size_t have = 0, room;
	char *p = NULL, *larger;
	struct stat st;
	ssize_t r;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1) {
		err_set(e, errno == ENOENT ? ERR_NOINPUT :
		    errno == EACCES ? ERR_PERM : ERR_IO, "cannot open %s: %s",
		    path, strerror(errno));
		return NULL;
	}
	/* The size is a hint: a pipe has none, and a file may be growing. */
	room = 4096;
	if (fstat(fd, &st) == 0 && st.st_size > 0 &&
	    (uint64_t)st.st_size <= limit)
		room = (size_t)st.st_size + 2;
	if ((p = malloc(room)) == NULL) {
		err_set(e, ERR_OS, "no memory to read %s", path);
		goto bad;
	}
	for (;;) {
		if (room - have < 2) {
			if (room > SIZE_MAX / 2 ||
			    (larger = malloc(room * 2)) == NULL) {
				err_set(e, ERR_OS, "no memory to read %s",
				    path);
				goto bad;
			}
			/* It may be a secret: no copy stays behind. */
			memcpy(larger, p, have);
			explicit_bzero(p, room);
			free(p);
			p = larger;
			room *= 2;
		}
		r = read(fd, p + have, room - have - 1);
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1) {
			err_set(e, ERR_IO, "cannot read %s: %s", path,
			    strerror(errno));
			goto bad;
		}
		if (r == 0)
			break;
		have += (size_t)r;
		if (have > limit) {
			err_set(e, ERR_DATA, "%s has more than %zu bytes",
			    path, limit);
			goto bad;
		}
	}
	close(fd);
	p[have] = '\0';
	*n = have;
	return p;
bad:
	if (p != NULL)
		explicit_bzero(p, room);
	free(p);
	close(fd);
	return NULL;
}

bool
os_is_tmpfs(const char *path)
{
	char dir[4096];
	struct statfs fs;
	size_t n = strlen(path);
	char *slash;

	if (n >= sizeof(dir))
		return false;
	memcpy(dir, path, n + 1);
	while (statfs(dir, &fs) == -1) {
		if (errno != ENOENT && errno != ENOTDIR)
			return false;
		slash = strrchr(dir, '/');
		if (slash == NULL) {
			if (statfs(".", &fs) == -1)
				return false;
			break;
		}
		slash[slash == dir ? 1 : 0] = '\0';
		if (slash == dir && statfs(dir, &fs) == -1)
			return false;
		if (slash == dir)
			break;
	}
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

int
os_random(void *p, size_t n)
{
	unsigned char *at = p;
	ssize_t r;

	while (n > 0) {
		r = getrandom(at, n, 0);
		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0)
			return -1;
		at += r;
		n -= (size_t)r;
	}
	return 0;
}

void
os_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t n;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	n = strlen(path);
	if (n >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, n);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';		/* an abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}
