/*
 * body.c - where a request's body lies.  See body.h.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "body.h"
#include "event.h"

char *
body_open(struct request *q, size_t n)
{
	void *room;

	q->body = STR_NONE;
	q->body_fd = -1;
	if (n <= EVENT_INLINE)
		return arena_bytes(q->arena, n == 0 ? 1 : n);
	q->body_fd = memfd_create("hooklatch-body",
	    MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (q->body_fd == -1)
		return NULL;
	if (ftruncate(q->body_fd, (off_t)n) == 0) {
		room = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED,
		    q->body_fd, 0);
		if (room != MAP_FAILED)
			return room;
	}
	close(q->body_fd);
	q->body_fd = -1;
	return NULL;
}

int
body_seal(struct request *q, char *room, size_t n)
{
	void *sealed;

	if (q->body_fd == -1) {
		q->body = (struct str){ room, n };
		return 0;
	}
	munmap(room, n);	/* a writable mapping forbids the seal */
	if (fcntl(q->body_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK |
	    F_SEAL_GROW | F_SEAL_SEAL) == -1)
		return -1;
	sealed = mmap(NULL, n, PROT_READ, MAP_PRIVATE, q->body_fd, 0);
	if (sealed == MAP_FAILED)
		return -1;
	q->body = (struct str){ sealed, n };
	return 0;
}

void
body_close(struct request *q)
{
	if (q->body_fd == -1)
		return;
	if (q->body.p != NULL)
		munmap((void *)(uintptr_t)q->body.p, q->body.n);
	close(q->body_fd);
	q->body = STR_NONE;
	q->body_fd = -1;
}
