/* gather.c - see gather.h. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "gather.h"

#define NAME	"gather"
#define ROOM	(1024 * 1024)
#define PIECE	(64 * 1024)	/* SQLite's unix files take less than 128 KiB */

struct gathered {
	sqlite3_file	 file;		/* what SQLite sees */
	sqlite3_file	*real;		/* behind us in the same memory */
	char		*bytes;		/* of one writer: made at its first write */
	int		 n;
	sqlite3_int64	 at;		/* where they belong */
};

static struct gathered *
of(sqlite3_file *f)
{
	return (struct gathered *)f;
}

static int
release(struct gathered *g)
{
	int n, i, rc = SQLITE_OK;

	for (i = 0; i < g->n && rc == SQLITE_OK; i += n) {
		n = g->n - i < PIECE ? g->n - i : PIECE;
		rc = g->real->pMethods->xWrite(g->real, g->bytes + i, n,
		    g->at + i);
	}
	g->n = 0;
	return rc;
}

static int
gather_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct gathered *g = of(f);
	int rc;

	if (g->n > 0 && (at != g->at + g->n || n > ROOM - g->n)
	    && (rc = release(g)) != SQLITE_OK)
		return rc;
	if (g->bytes == NULL)
		g->bytes = malloc(ROOM);
	if (g->bytes == NULL || n > ROOM)
		return g->real->pMethods->xWrite(g->real, p, n, at);
	if (g->n == 0)
		g->at = at;
	memcpy(g->bytes + g->n, p, (size_t)n);
	g->n += n;
	return SQLITE_OK;
}

static int
gather_sync(sqlite3_file *f, int flags)
{
	struct gathered *g = of(f);
	int rc = release(g);

	return rc != SQLITE_OK ? rc : g->real->pMethods->xSync(g->real, flags);
}

static int
gather_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	struct gathered *g = of(f);
	int rc = release(g);

	return rc != SQLITE_OK ? rc
	    : g->real->pMethods->xRead(g->real, p, n, at);
}

static int
gather_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct gathered *g = of(f);
	int rc = release(g);

	return rc != SQLITE_OK ? rc
	    : g->real->pMethods->xTruncate(g->real, size);
}

static int
gather_size(sqlite3_file *f, sqlite3_int64 *size)
{
	struct gathered *g = of(f);
	int rc = release(g);

	return rc != SQLITE_OK ? rc
	    : g->real->pMethods->xFileSize(g->real, size);
}

/* What is still gathered was never committed. */
static int
gather_close(sqlite3_file *f)
{
	struct gathered *g = of(f);

	free(g->bytes);
	g->bytes = NULL;
	return g->real->pMethods->xClose(g->real);
}

static int
gather_lock(sqlite3_file *f, int level)
{
	return of(f)->real->pMethods->xLock(of(f)->real, level);
}

static int
gather_unlock(sqlite3_file *f, int level)
{
	return of(f)->real->pMethods->xUnlock(of(f)->real, level);
}

static int
gather_reserved(sqlite3_file *f, int *out)
{
	return of(f)->real->pMethods->xCheckReservedLock(of(f)->real, out);
}

static int
gather_control(sqlite3_file *f, int op, void *arg)
{
	return of(f)->real->pMethods->xFileControl(of(f)->real, op, arg);
}

static int
gather_sector(sqlite3_file *f)
{
	return of(f)->real->pMethods->xSectorSize(of(f)->real);
}

static int
gather_device(sqlite3_file *f)
{
	return of(f)->real->pMethods->xDeviceCharacteristics(of(f)->real);
}

static const sqlite3_io_methods methods = {
	.iVersion = 1,		/* a log has no shared memory of its own */
	.xClose = gather_close,
	.xRead = gather_read,
	.xWrite = gather_write,
	.xTruncate = gather_truncate,
	.xSync = gather_sync,
	.xFileSize = gather_size,
	.xLock = gather_lock,
	.xUnlock = gather_unlock,
	.xCheckReservedLock = gather_reserved,
	.xFileControl = gather_control,
	.xSectorSize = gather_sector,
	.xDeviceCharacteristics = gather_device,
};

static int
gather_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
    int *out)
{
	sqlite3_vfs *real = vfs->pAppData;
	struct gathered *g = of(f);
	int rc;

	if (!(flags & SQLITE_OPEN_WAL))
		return real->xOpen(real, name, f, flags, out);
	memset(g, 0, sizeof(*g));
	g->real = (sqlite3_file *)(g + 1);
	rc = real->xOpen(real, name, g->real, flags, out);
	if (g->real->pMethods != NULL)
		g->file.pMethods = &methods;
	return rc;
}

const char *
gather_vfs(void)
{
	static sqlite3_vfs ours;
	sqlite3_vfs *real;

	if (sqlite3_vfs_find(NAME) != NULL)
		return NAME;
	if (sqlite3_initialize() != SQLITE_OK
	    || (real = sqlite3_vfs_find(NULL)) == NULL)
		return NULL;
	ours = *real;
	ours.pNext = NULL;
	ours.zName = NAME;
	ours.pAppData = real;
	ours.xOpen = gather_open;
	ours.szOsFile = (int)sizeof(struct gathered) + real->szOsFile;
	return sqlite3_vfs_register(&ours, 0) == SQLITE_OK ? NAME : NULL;
}
