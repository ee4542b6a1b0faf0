-- name: note_removed
-- FTS5 keeps the pieces of removed texts until its segments are merged, SQLite copies of rows where its pages were
-- rearranged: both are gone once the sweep has merged and rewritten.
UPDATE {prefix}upkeep SET removed = removed + :removed, leftovers = leftovers OR :unindexed;

-- name: upkeep_due
-- Texts removed since the last rewriting, pieces in the search index, and the database's bytes.
SELECT removed, leftovers, (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)
FROM {prefix}upkeep;

-- name: count_messages
SELECT count(*) FROM {prefix}message;

-- name: merge_index
INSERT INTO {prefix}search ({prefix}search) VALUES ('optimize');

-- name: set_merged
UPDATE {prefix}upkeep SET leftovers = 0;

-- name: note_rewritten
-- What was removed while the file was being rewritten still counts.
UPDATE {prefix}upkeep SET removed = max(0, removed - :removed);
