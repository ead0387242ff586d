/*
 * probe.c - one GET, by FastCGI or by HTTP.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/when.h"
#include "cli/probe.h"

/* A record of request 1 (FastCGI 1.0, section 3.3). */
static void
record(struct buf *b, int type, struct str content)
{
	buf_putc(b, 1);
	buf_putc(b, (char)type);
	buf_putc(b, 0);
	buf_putc(b, 1);
	buf_putc(b, (char)(content.n >> 8));
	buf_putc(b, (char)(content.n & 255));
	buf_putc(b, 0);
	buf_putc(b, 0);
	buf_put(b, content);
}

static void
param(struct buf *b, struct str name, struct str value)
{
	buf_putc(b, (char)name.n);
	buf_putc(b, (char)value.n);
	buf_put(b, name);
	buf_put(b, value);
}

/*
 * Sends and gathers until the peer closes or the text holds mark and three
 * digits: the status.
 */
static int
ask(int fd, struct str request, const char *mark, int ms, int wake)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = wake, .events = POLLIN } };
	int64_t until = when_steady() + ms;
	char text[1024];
	char *at;
	size_t n = 0;
	ssize_t got;
	int left;

	if (send(fd, request.p, request.n, MSG_NOSIGNAL) != (ssize_t)request.n)
		return -1;
	for (;;) {
		left = (int)(until - when_steady());
		if (left <= 0 || poll(p, 2, left) <= 0 || p[1].revents != 0)
			return -1;
		got = recv(fd, text + n, sizeof(text) - n, 0);
		if (got <= 0)
			return -1;
		n += (size_t)got;
		at = memmem(text, n, mark, strlen(mark));
		if (at != NULL && text + n - at >= (ptrdiff_t)strlen(mark) + 3)
			return atoi((char[]){ at[strlen(mark)], at[strlen(mark) + 1],
			    at[strlen(mark) + 2], '\0' });
		if (n == sizeof(text))
			return -1;
	}
}

int
probe_fcgi(const char *path, const char *uri, int ms, int wake)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct buf params = BUF(1024), b = BUF(4096);
	int fd, status = -1;

	if (strlen(path) >= sizeof(a.sun_path) || strlen(uri) > 127)
		return -1;
	memcpy(a.sun_path, path, strlen(path));
	param(&params, STR("REQUEST_METHOD"), STR("GET"));
	param(&params, STR("REQUEST_URI"), str_of(uri));
	param(&params, STR("CONTENT_LENGTH"), STR(""));
	param(&params, STR("REMOTE_ADDR"), STR("127.0.0.1"));
	record(&b, 1, (struct str){ "\0\1\0\0\0\0\0\0", 8 });	/* BEGIN, responder */
	record(&b, 4, buf_str(&params));
	record(&b, 4, STR(""));
	record(&b, 5, STR(""));
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) != -1 &&
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && buf_ok(&b))
		status = ask(fd, buf_str(&b), "Status: ", ms, wake);
	if (fd != -1)
		close(fd);
	buf_free(&params);
	buf_free(&b);
	return status;
}

int
probe_http(const char *host, unsigned port, const char *uri, int ms, int wake)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port) };
	bool six = inet_pton(AF_INET6, host, &a6.sin6_addr) == 1;
	struct buf b = BUF(1024);
	int fd, status = -1;

	if (!six && inet_pton(AF_INET, host, &a4.sin_addr) != 1)
		return -1;
	/* Listening everywhere is asked for on this machine. */
	if (six && memcmp(&a6.sin6_addr, &in6addr_any, sizeof(in6addr_any)) == 0)
		a6.sin6_addr = in6addr_loopback;
	if (a4.sin_addr.s_addr == htonl(INADDR_ANY))
		a4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	buf_printf(&b, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", uri);
	fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 && buf_ok(&b) && connect(fd, six ? (struct sockaddr *)&a6 :
	    (struct sockaddr *)&a4, six ? sizeof(a6) : sizeof(a4)) == 0)
		status = ask(fd, buf_str(&b), "HTTP/1.1 ", ms, wake);
	if (fd != -1)
		close(fd);
	buf_free(&b);
	return status;
}
