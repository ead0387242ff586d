/*
 * sql.h - texts into SQLite's statements and out of its rows: for inbox, ledger,
 * delivery, asking and reader.  Nothing is copied: what is bound must live until the
 * statement is stepped, what is read until its next step.
 */
#ifndef COURIER_SQL_H
#define COURIER_SQL_H

#include <sqlite3.h>

#include "../base/str.h"

/* An empty text is a text, also one that points nowhere. */
static inline void
sql_bind(sqlite3_stmt *st, int i, struct str s)
{
	sqlite3_bind_text64(st, i, s.n == 0 ? "" : s.p, s.n, SQLITE_STATIC,
	    SQLITE_UTF8);
}

static inline void
sql_bind_or_null(sqlite3_stmt *st, int i, struct str s)
{
	if (s.p == NULL)
		sqlite3_bind_null(st, i);
	else
		sql_bind(st, i, s);
}

/* NULL is an empty text. */
static inline struct str
sql_text(sqlite3_stmt *st, int i)
{
	struct str s;

	/* The pointer first: asking for it may change the length. */
	s.p = sqlite3_column_blob(st, i);
	s.n = (size_t)sqlite3_column_bytes(st, i);
	return s.p == NULL ? STR("") : s;
}

#endif
