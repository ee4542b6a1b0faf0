-- name: is_behind
-- Whether messages up to :target (by default the newest there is) are not indexed yet, and which target that was.
SELECT indexed_to < coalesce(:target, newest), coalesce(:target, newest)
FROM {prefix}upkeep, (SELECT coalesce(max(key), 0) AS newest FROM {prefix}message);

-- name: not_indexed
-- As bytes: one damaged text is no reason to find nothing else.
SELECT key, CAST(payload AS BLOB) FROM {prefix}message
WHERE key > (SELECT indexed_to FROM {prefix}upkeep)
ORDER BY key LIMIT :limit;

-- name: add_to_index
INSERT INTO {prefix}search (rowid, text) VALUES (?, ?);

-- name: set_indexed_to
UPDATE {prefix}upkeep SET indexed_to = :key;

-- name: indexed_to
SELECT indexed_to FROM {prefix}upkeep;

-- name: reindex
UPDATE {prefix}search SET text = :text WHERE rowid = :key;

-- name: unindex
-- Goes before delete_messages, with the same range.
DELETE FROM {prefix}search WHERE rowid IN (
    SELECT key FROM {prefix}message
    WHERE session = :key AND seq > :after AND seq < :before
      AND key <= (SELECT indexed_to FROM {prefix}upkeep)
);

-- name: find_by_index
-- Words as FTS5 phrases; :others is a JSON list of those that the index can't be asked for, looked for in what it found.
SELECT s.id, m.id, m.seq, m.role, m.payload, m.created_at, -{prefix}search.rank
FROM {prefix}search
CROSS JOIN {prefix}message AS m ON m.key = {prefix}search.rowid
CROSS JOIN {prefix}session AS s ON s.key = m.session
WHERE {prefix}search MATCH :phrases
  AND s.tenant = :tenant
  AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (:scope_user IS NULL OR s.user_id = :scope_user)
  AND (:user_id IS NULL OR s.user_id = :user_id)
  AND (:agent_name IS NULL OR s.agent_name = :agent_name)
  AND (:session_id IS NULL OR s.id = :session_id)
  AND (:role IS NULL OR m.role = :role)
  AND NOT EXISTS (SELECT 1 FROM json_each(:others) AS word WHERE instr({prefix}search.text, word.value) = 0)
ORDER BY {prefix}search.rank, m.key DESC LIMIT :limit;

-- name: find_by_scan
-- No word that the index can be asked for: a walk through the scope's messages, the newest first.
SELECT s.id, m.id, m.seq, m.role, m.payload, m.created_at, 0.0
FROM {prefix}message AS m
CROSS JOIN {prefix}session AS s ON s.key = m.session
CROSS JOIN {prefix}search ON {prefix}search.rowid = m.key
WHERE s.tenant = :tenant
  AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (:scope_user IS NULL OR s.user_id = :scope_user)
  AND (:user_id IS NULL OR s.user_id = :user_id)
  AND (:agent_name IS NULL OR s.agent_name = :agent_name)
  AND (:session_id IS NULL OR s.id = :session_id)
  AND (:role IS NULL OR m.role = :role)
  AND NOT EXISTS (SELECT 1 FROM json_each(:others) AS word WHERE instr({prefix}search.text, word.value) = 0)
ORDER BY m.key DESC LIMIT :limit;
