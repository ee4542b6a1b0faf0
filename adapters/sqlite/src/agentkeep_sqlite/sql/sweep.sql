-- name: expired
SELECT key, message_count FROM {prefix}session
WHERE listed IN (0, 1) AND expires_at <= :now
  AND (:tenant IS NULL OR tenant = :tenant)
  AND (:user_id IS NULL OR user_id = :user_id)
LIMIT :limit;

-- name: has_listed_expired
-- Whether listings walk over more than :few expired sessions.
SELECT 1 FROM {prefix}session WHERE listed = 1 AND expires_at <= :now LIMIT 1 OFFSET :few;

-- name: listed_expired
SELECT key FROM {prefix}session WHERE listed = 1 AND expires_at <= :now LIMIT :limit;

-- name: unlist
UPDATE {prefix}session SET listed = 0 WHERE key IN (SELECT value FROM json_each(:keys));

-- name: unlist_labels
DELETE FROM {prefix}session_label WHERE session IN (SELECT value FROM json_each(:keys));

-- name: add_removal
INSERT INTO {prefix}removal (session) VALUES (:key);

-- name: next_removal
SELECT session FROM {prefix}removal LIMIT 1;

-- name: end_removal
DELETE FROM {prefix}removal WHERE session = :key;

-- name: note_removed
-- FTS5 keeps the pieces of removed texts until its segments are merged, and SQLite keeps copies of rows that it moved
-- between pages. The sweep removes both: it merges the index and rewrites the file.
UPDATE {prefix}upkeep SET removed = removed + :removed, leftovers = leftovers OR :unindexed;

-- name: upkeep
-- How many texts were removed since the file was last rewritten, whether the index holds pieces, the file's size.
SELECT removed, leftovers, (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)
FROM {prefix}upkeep;

-- name: merge_index
-- :pages is how much work to do. A negative number begins a merge of all segments, whatever their levels.
-- https://sqlite.org/fts5.html#the_merge_command
INSERT INTO {prefix}search ({prefix}search, rank) VALUES ('merge', :pages);

-- name: set_merged
UPDATE {prefix}upkeep SET leftovers = 0;

-- name: note_rewritten
-- What was removed during the rewriting still counts.
UPDATE {prefix}upkeep SET removed = max(0, removed - :removed);

-- name: total_changes
-- FTS5's documentation: a merge has nothing left to do if this number grows by less than 2.
SELECT total_changes();
