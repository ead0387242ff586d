/*
 * note.c - the smallest destination: appends the event's id to a file.
 *
 *	note FILE
 *
 * One write(2) with O_APPEND for each, so that lines of many at once do not mix.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	const char *id = getenv("HOOKLATCH_EVENT_ID");
	char line[300];
	int fd, n;

	if (argc != 2 || id == NULL)
		return 64;
	n = snprintf(line, sizeof(line), "%s\n", id);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644);
	return fd == -1 || write(fd, line, (size_t)n) != n ? 75 : 0;
}
