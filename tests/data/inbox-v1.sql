-- An inbox as version 1 of the schema left it: one event of GitHub, repeated twice.
PRAGMA application_id = 1212894292;
CREATE TABLE events (
	n		INTEGER PRIMARY KEY AUTOINCREMENT,
	id		TEXT NOT NULL UNIQUE,
	received_at	INTEGER NOT NULL,	-- ms since 1970
	hook		TEXT NOT NULL,
	provider	TEXT NOT NULL,
	event_id	TEXT,			-- the provider's
	event_type	TEXT,
	size		INTEGER NOT NULL,	-- of the body
	flags		INTEGER NOT NULL,	-- 2: its event_id came before with other bytes, 4: its bytes with another event_id
	repeats		INTEGER NOT NULL DEFAULT 0,
	last_repeat_at	INTEGER,
	method		TEXT NOT NULL,
	target		TEXT NOT NULL,
	remote		TEXT,
	scheme		TEXT NOT NULL,
	secret		TEXT,			-- the name of the one that matched
	signed_at	INTEGER,
	proven		INTEGER NOT NULL,	-- event_id as well as the body
	digest		BLOB,			-- SHA-256 of what was signed
	request_id	TEXT,
	trace		TEXT,
	headers		TEXT NOT NULL,		-- JSON
	body		BLOB			-- NULL: the file inbox.db.d/ID
) STRICT;
CREATE TABLE seen (
	key		BLOB NOT NULL,		-- hash of kind, hook and id or bytes
	digest		BLOB NOT NULL,		-- kind 'both': of what was signed
	bytes		BLOB,			-- kind 'both': hash of hook and digest
	kind		TEXT NOT NULL,		-- 'id', 'both', 'bytes'
	event		TEXT NOT NULL,		-- events.id, also of one that is removed
	until		INTEGER NOT NULL,	-- ms
	flags		INTEGER NOT NULL,
	repeats		INTEGER NOT NULL DEFAULT 0,
	last		TEXT,			-- id of the last repeat
	PRIMARY KEY (key, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_bytes ON seen (bytes) WHERE bytes IS NOT NULL;
CREATE INDEX seen_until ON seen (until);
INSERT INTO events (id, received_at, hook, provider, event_id, event_type,
    size, flags, repeats, last_repeat_at, method, target, remote, scheme, secret,
    proven, digest, headers, body) VALUES
    ('01980000-0000-7000-8000-000000000001', 1750000000000, '/hooks/github',
    'github', 'delivery-1', 'push', 2, 0, 2, 1750000001000, 'POST',
    '/hooks/github', '192.30.252.1', 'hmac-sha256', 'env:GITHUB_SECRET', 0,
    x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', '[]', x'7b7d');
INSERT INTO seen (key, digest, bytes, kind, event, until, flags, repeats, last)
    VALUES (x'3e9167449b36496111134bcfb41f6d1f', x'44136fa355b3678a1146ad16f7e8649e',
    x'53a6d758deb5dfb7b93cf2922ef81d86', 'both', '01980000-0000-7000-8000-000000000001',
    1850000000000, 0, 2, '01980000-0000-7000-8000-000000000009');
PRAGMA user_version = 1;
