/*
 * road.c - a web server with one connection: the same push, again and again, for
 * tests/instructions.sh.
 *
 *	road SOCKET BODY SIGNATURE REQUESTS
 *
 * Each request is written at once, with what nginx sends of a push by the files that
 * ship, and its answer is read before the next: the worker at SOCKET does the same
 * steps each time.  Delivery ids are numbers of one length.  All must be answered 200.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "frame.h"

#define BEGIN		1		/* types of records */
#define PARAMS		4
#define STDIN		5
#define BODY_MAX	(64u * 1024)	/* so that one write is one read */
#define PARAM_MAX	127		/* a length of one byte */

static void
die(const char *why)
{
	fprintf(stderr, "road: %s\n", why);
	exit(1);
}

static void
param(struct buf *b, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	if (n > PARAM_MAX || v > PARAM_MAX)
		die("a parameter is too long");
	buf_putc(b, (char)n);
	buf_putc(b, (char)v);
	buf_put(b, (struct str){ name, n });
	buf_put(b, (struct str){ value, v });
}

static void
request(struct buf *out, struct str body, const char *signature, unsigned number)
{
	static const char responder[8] = { 0, 1, 1 };	/* keep the connection */
	struct buf params = BUF(4096);
	char text[PARAM_MAX + 1];

	param(&params, "REQUEST_METHOD", "POST");
	param(&params, "REQUEST_URI", "/hooks/github");
	param(&params, "CONTENT_TYPE", "application/json");
	snprintf(text, sizeof(text), "%zu", body.n);
	param(&params, "CONTENT_LENGTH", text);
	param(&params, "REMOTE_ADDR", "192.30.252.1");
	snprintf(text, sizeof(text), "%032u", number);
	param(&params, "HOOKLATCH_REQUEST_ID", text);
	param(&params, "HTTP_PROXY", "");
	param(&params, "HTTP_HOST", "hooks.example.com");
	param(&params, "HTTP_USER_AGENT", "GitHub-Hookshot/044aadd");
	param(&params, "HTTP_ACCEPT", "*/*");
	param(&params, "HTTP_CONTENT_TYPE", "application/json");
	param(&params, "HTTP_X_GITHUB_EVENT", "push");
	snprintf(text, sizeof(text), "72d3162e-cc78-11e3-81ab-%012u", number);
	param(&params, "HTTP_X_GITHUB_DELIVERY", text);
	param(&params, "HTTP_X_HUB_SIGNATURE_256", signature);

	buf_reset(out);
	frame_put(out, BEGIN, 1, (struct str){ responder, sizeof(responder) });
	frame_put(out, PARAMS, 1, buf_str(&params));
	frame_put(out, PARAMS, 1, STR(""));
	frame_put(out, STDIN, 1, body);
	frame_put(out, STDIN, 1, STR(""));
	if (!buf_ok(&params) || !buf_ok(out))
		die("the request is too long");
	buf_free(&params);
}

/* All of an answer up to its FCGI_END_REQUEST, which is small and last. */
static void
answer(int fd)
{
	static const char fine[] = "Status: 200";
	char text[4096];
	size_t n = 0;
	ssize_t got;

	do {
		if ((got = read(fd, text + n, sizeof(text) - n)) <= 0)
			die("no whole answer");
		n += (size_t)got;
	} while (n < 16 || text[n - 15] != FRAME_TYPE_END);
	if (memmem(text, n, fine, sizeof(fine) - 1) == NULL)
		die("an answer is not 200");
}

int
main(int argc, char **argv)
{
	static char bytes[BODY_MAX];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct buf out = BUF(BODY_MAX + 8192);
	struct str body = { bytes, 0 };
	unsigned i, requests;
	FILE *f;
	int fd;

	if (argc != 5) {
		fputs("usage: road SOCKET BODY SIGNATURE REQUESTS\n", stderr);
		return 64;
	}
	if ((f = fopen(argv[2], "rb")) == NULL)
		die(argv[2]);
	body.n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	requests = (unsigned)atoi(argv[4]);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[1]);
	if ((fd = socket(AF_UNIX, SOCK_STREAM, 0)) == -1 ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
		die(argv[1]);
	for (i = 1; i <= requests; i++) {
		request(&out, body, argv[3], i);
		if (write(fd, out.p, out.n) != (ssize_t)out.n)
			die("the worker does not read");
		answer(fd);
	}
	buf_free(&out);
	return 0;
}
