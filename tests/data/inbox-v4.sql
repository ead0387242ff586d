-- What version 4 of the schema added to inbox-v3.sql.
ALTER TABLE deliveries ADD COLUMN mode INTEGER NOT NULL DEFAULT 0;
CREATE TABLE answers (
	event		INTEGER PRIMARY KEY,	-- events.n
	at		INTEGER NOT NULL,	-- ms since 1970
	status		INTEGER NOT NULL,	-- of HTTP
	type		TEXT NOT NULL,		-- Content-Type
	headers		TEXT NOT NULL,		-- more lines
	body		BLOB NOT NULL
) STRICT;
PRAGMA user_version = 4;
