/*
 * trap - listens where nobody should ever come, and writes a line for each who does.
 *
 * usage: trap FILE ADDRESS:PORT...	IPv4
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST	16

static int
listener(const char *where)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	char address[32];
	const char *colon = strchr(where, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	if (colon == NULL || (size_t)(colon - where) >= sizeof(address))
		return -1;
	memcpy(address, where, (size_t)(colon - where));
	address[colon - where] = '\0';
	at.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    listen(fd, 64) == -1)
		return -1;
	return fd;
}

int
main(int argc, char **argv)
{
	struct pollfd p[MOST];
	nfds_t n = 0;
	FILE *out;

	if (argc < 3 || argc - 2 > MOST || (out = fopen(argv[1], "a")) == NULL)
		return 64;
	for (int i = 2; i < argc; i++, n++) {
		p[n] = (struct pollfd){ .fd = listener(argv[i]), .events = POLLIN };
		if (p[n].fd == -1) {
			perror(argv[i]);
			return 71;
		}
	}
	while (poll(p, n, -1) > 0)
		for (nfds_t i = 0; i < n; i++) {
			int fd;

			if (p[i].revents == 0)
				continue;
			if ((fd = accept(p[i].fd, NULL, NULL)) != -1)
				close(fd);
			fprintf(out, "%s\n", argv[2 + i]);
			fflush(out);
		}
	return 0;
}
