/*
 * app.c - an application behind the web server: what "pass" hands on arrives
 * here.  It keeps the n-th request as DIR/n.head and DIR/n.body, as received and
 * without the framing of chunks, and answers "app n"; 500 to a path that holds
 * "/fail".
 *
 * usage: app PORT DIR		one connection at a time, one request each
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEAD_MAX	(64 * 1024)
#define BODY_MAX	(64L * 1024 * 1024)

/* The value of a header in a NUL-ended head, or NULL. */
static const char *
header(const char *head, const char *name)
{
	const char *line;

	for (line = strstr(head, "\r\n"); line != NULL;
	    line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, strlen(name)) == 0 &&
		    line[strlen(name)] == ':')
			return line + strlen(name) + 1;
	}
	return NULL;
}

/* Up to and including the empty line.  false: none came. */
static bool
read_head(FILE *in, char *head)
{
	size_t n = 0;
	int c;

	while (n < HEAD_MAX - 1 && (c = getc(in)) != EOF) {
		head[n++] = (char)c;
		head[n] = '\0';
		if (n >= 4 && strcmp(head + n - 4, "\r\n\r\n") == 0)
			return true;
	}
	return false;
}

static bool
copy(FILE *in, FILE *out, long n)
{
	char part[8192];
	size_t want, got;

	while (n > 0) {
		want = n < (long)sizeof(part) ? (size_t)n : sizeof(part);
		got = fread(part, 1, want, in);
		if (got == 0)
			return false;
		fwrite(part, 1, got, out);
		n -= (long)got;
	}
	return true;
}

static bool
copy_body(FILE *in, FILE *out, const char *head)
{
	const char *length = header(head, "Content-Length");
	const char *coding = header(head, "Transfer-Encoding");
	char line[64];
	long n;

	if (coding == NULL)
		return length == NULL ||
		    copy(in, out, strtol(length, NULL, 10));
	for (;;) {
		if (fgets(line, sizeof(line), in) == NULL)
			return false;
		n = strtol(line, NULL, 16);
		if (n < 0 || n > BODY_MAX)
			return false;
		if (n == 0)
			return fgets(line, sizeof(line), in) != NULL;
		if (!copy(in, out, n) || fgets(line, sizeof(line), in) == NULL)
			return false;
	}
}

static FILE *
open_part(const char *dir, unsigned n, const char *part)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%u.%s", dir, n, part);
	return fopen(path, "w");
}

static void
serve(int fd, const char *dir, unsigned n)
{
	static char head[HEAD_MAX];
	FILE *in, *out, *file;
	int status = 500;

	in = fdopen(fd, "r");
	out = fdopen(dup(fd), "w");
	if (in == NULL || out == NULL || !read_head(in, head))
		goto end;
	file = open_part(dir, n, "body");
	if (file == NULL || !copy_body(in, file, head) || fclose(file) != 0)
		goto end;
	/* The head last: when it is there, so is the body. */
	file = open_part(dir, n, "head");
	if (file == NULL || fputs(head, file) == EOF || fclose(file) != 0)
		goto end;
	head[strcspn(head, "\r")] = '\0';
	if (strstr(head, "/fail") == NULL)
		status = 200;
	fprintf(out, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\n"
	    "X-App: yes\r\nConnection: close\r\n\r\napp %u\n", status,
	    status == 200 ? "OK" : "Failed", n);
end:
	if (out != NULL)
		fclose(out);
	if (in != NULL)
		fclose(in);
	else
		close(fd);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct timeval patience = { .tv_sec = 30 };
	unsigned n = 0;
	int sock, fd, one = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: app PORT DIR\n");
		return 64;
	}
	at.sin_port = htons((uint16_t)atoi(argv[1]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(sock, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(sock, 64) != 0) {
		perror("app");
		return 1;
	}
	while ((fd = accept(sock, NULL, NULL)) != -1) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		    sizeof(patience));
		serve(fd, argv[2], ++n);
	}
	return 1;
}
