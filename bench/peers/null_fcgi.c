/*
 * null_fcgi.c - a plain libfcgi loop over epoll that answers 200 to everything.
 *
 * What libfcgi can do at best when nothing is looked at: kept connections, no
 * framing, no log line.  script/bench compares hooklatch with it.  It trusts its
 * peer as no server should: half a request stops it.
 *
 * usage: null_fcgi SOCKET WORKERS     (until it is ended; its workers follow)
 */
#include <fcgiapp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct conn {
	int		fd;
	FCGX_Request	request;
};

static char body[64 * 1024];

/* One request; false when the connection has ended. */
static int
answer(struct conn *c)
{
	FCGX_InitRequest(&c->request, -1, 0);
	c->request.ipcFd = c->fd;
	c->request.keepConnection = 1;
	if (FCGX_Accept_r(&c->request) != 0)
		return 0;
	while (FCGX_GetStr(body, sizeof(body), c->request.in) > 0)
		;
	FCGX_PutS("Status: 200 OK\r\n\r\n", c->request.out);
	FCGX_Finish_r(&c->request);
	return c->request.ipcFd >= 0;
}

static void
work(int listener)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	struct epoll_event got[256];
	int ep = epoll_create1(0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
	FCGX_Init();
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(ep, got, 256, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = got[i].data.ptr;

			if (c == NULL) {
				int fd = accept(listener, NULL, NULL);
				struct epoll_event e = { .events = EPOLLIN };

				if (fd == -1)
					continue;
				c = calloc(1, sizeof(*c));
				c->fd = fd;
				e.data.ptr = c;
				epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
			} else if (!answer(c)) {
				free(c);	/* libfcgi closed it */
			}
		}
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (argc != 3) {
		fputs("usage: null_fcgi SOCKET WORKERS\n", stderr);
		return 64;
	}
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[1]);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    chmod(argv[1], 0666) == -1 || listen(fd, 4096) == -1) {
		perror(argv[1]);
		return 71;
	}
	for (int i = 0; i < atoi(argv[2]); i++)
		if (fork() == 0)
			work(fd);
	for (;;)
		pause();
}
