-- name: note_removed
-- FTS5 keeps the pieces of removed texts until its segments are merged, and SQLite keeps copies of rows that it moved
-- between pages. The sweep removes both: it merges the index and rewrites the file.
UPDATE {prefix}upkeep SET removed = removed + :removed, leftovers = leftovers OR :unindexed;

-- name: upkeep
-- How many texts were removed since the file was last rewritten, whether the index holds pieces, the file's size.
SELECT removed, leftovers, (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)
FROM {prefix}upkeep;

-- name: count_messages
SELECT count(*) FROM {prefix}message;

-- name: merge_index
INSERT INTO {prefix}search ({prefix}search) VALUES ('optimize');

-- name: set_merged
UPDATE {prefix}upkeep SET leftovers = 0;

-- name: note_rewritten
-- What was removed during the rewriting still counts.
UPDATE {prefix}upkeep SET removed = max(0, removed - :removed);
