/*
 * store_sqlite.h - the embedded inbox as a store: batch.h commits, and bodies.h
 * writes those over EVENT_INLINE to files first.
 */
#ifndef COURIER_STORE_SQLITE_H
#define COURIER_STORE_SQLITE_H

#include "../base/log.h"
#include "batch.h"
#include "inbox.h"
#include "store.h"

/* The inbox stays the caller's.  NULL and a sentence. */
struct store	*store_sqlite(struct inbox *, struct totals *, struct log *,
		    int64_t patience, struct err *);
/* Its batch, for what else is written there. */
struct batch	*store_batch(struct store *);

#endif
