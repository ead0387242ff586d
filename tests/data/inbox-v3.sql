-- What version 3 of the schema added to inbox-v2.sql: the event's delivery waits after an
-- attempt, another is done, and the first destination is paused.
CREATE TABLE deliveries (
	n		INTEGER PRIMARY KEY AUTOINCREMENT,
	event		INTEGER NOT NULL,	-- events.n
	destination	TEXT NOT NULL,
	key		TEXT,			-- those of one key go in order
	state		INTEGER NOT NULL,	-- 0 waits, 1 behind another of its key, 2 done, 3 dead, 4 left out: a newer one came, or it was dropped
	since		INTEGER NOT NULL,	-- ms since 1970
	due		INTEGER NOT NULL,	-- ms: not before
	tries		INTEGER NOT NULL DEFAULT 0,	-- since 'since'
	made		INTEGER NOT NULL DEFAULT 0,	-- attempts in all
	UNIQUE (event, destination)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (destination, due, n) WHERE state = 0;
CREATE INDEX deliveries_key ON deliveries (destination, key, event) WHERE state < 2 AND key IS NOT NULL;
CREATE INDEX deliveries_open ON deliveries (event) WHERE state < 2;
CREATE INDEX deliveries_dead ON deliveries (destination, n) WHERE state = 3;
CREATE TABLE attempts (
	delivery	INTEGER NOT NULL,	-- deliveries.n
	number		INTEGER NOT NULL,	-- from 1
	at		INTEGER NOT NULL,	-- ms since 1970
	took		INTEGER NOT NULL,	-- ms
	outcome		INTEGER NOT NULL,	-- 1 done, 2 later, 3 dead
	code		INTEGER,		-- exit or HTTP status
	sentence	TEXT NOT NULL,
	output		BLOB NOT NULL,		-- its first bytes
	PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE paused (
	destination	TEXT PRIMARY KEY,
	since		INTEGER NOT NULL	-- ms since 1970
) STRICT, WITHOUT ROWID;
INSERT INTO deliveries (event, destination, key, state, since, due, tries, made)
    VALUES (1, 'staging', 'main', 0, 1750000000000, 1750000060000, 1, 1),
    (1, 'done', NULL, 2, 1750000000000, 1750000000000, 0, 1);
INSERT INTO attempts (delivery, number, at, took, outcome, code, sentence, output)
    VALUES (1, 1, 1750000000000, 12, 2, 500, 'the destination answered 500', x'');
INSERT INTO paused VALUES ('staging', 1750000000000);
PRAGMA user_version = 3;
