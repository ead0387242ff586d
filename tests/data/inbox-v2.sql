-- What version 2 of the schema added to inbox-v1.sql.
CREATE VIEW inbox AS SELECT n, id,
	strftime('%Y-%m-%d %H:%M:%f', received_at / 1000.0, 'unixepoch') AS received,
	hook, provider, event_type, event_id, size, repeats,
	CASE flags & 6 WHEN 2 THEN 'other body' WHEN 4 THEN 'other id'
	WHEN 6 THEN 'other body, other id' ELSE '' END AS marks
FROM events;
PRAGMA user_version = 2;
