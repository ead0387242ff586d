/*
 * gather.h - the writes of a batch, gathered.
 *
 * SQLite writes each page of its log with two system calls; a batch of 64 events
 * is some five hundred.  This layer between it and the file (a VFS shim; only the
 * log goes through it) keeps writes that follow one another and makes one of
 * them, before the sync at the latest.
 *
 * It is safe because of what the inbox demands anyway: with synchronous = FULL a
 * commit syncs the log before any other connection is told of its pages, so that
 * nobody looks for what is still gathered; our own reads write it first.  A write
 * that fails here fails the sync, and with it the commit.
 */
#ifndef COURIER_GATHER_H
#define COURIER_GATHER_H

/* The name of the VFS for sqlite3_open_v2(); NULL: take SQLite's own. */
const char	*gather_vfs(void);

#endif
