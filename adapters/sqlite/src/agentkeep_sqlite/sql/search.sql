-- name: hit_columns
-- The last is the score: how often the words occur.
m.key, s.id,
    (SELECT sum((length(m.search_text) - length(replace(m.search_text, word.value, ''))) / length(word.value))
     FROM json_each(:words) AS word) AS score

-- name: matches
-- The filters, and each of a JSON list of words.
s.tenant = :tenant
  AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (:scope_user IS NULL OR s.user_id = :scope_user)
  AND (:user_id IS NULL OR s.user_id = :user_id)
  AND (:agent_name IS NULL OR s.agent_name = :agent_name)
  AND (:role IS NULL OR m.role = :role)
  AND NOT EXISTS (SELECT 1 FROM json_each(:words) AS word WHERE instr(m.search_text, word.value) = 0)

-- name: index_state
-- The key of the last message in the index, and of the newest message.
SELECT indexed_to, (SELECT coalesce(max(key), 0) FROM {prefix}message) FROM {prefix}upkeep;

-- name: add_to_index
INSERT INTO {prefix}search (rowid, search_text)
SELECT key, search_text FROM {prefix}message WHERE key > :indexed_to ORDER BY key LIMIT :limit;

-- name: last_of_batch
SELECT max(key), count(*) FROM (
    SELECT key FROM {prefix}message WHERE key > :indexed_to ORDER BY key LIMIT :limit
);

-- name: set_indexed_to
UPDATE {prefix}upkeep SET indexed_to = :key;

-- name: unindex
-- Runs before delete_messages, with the same range: FTS5 reads the text from the table of messages.
DELETE FROM {prefix}search WHERE rowid IN (
    SELECT key FROM {prefix}message
    WHERE session = :key AND seq > :after AND seq < :before
      AND key <= (SELECT indexed_to FROM {prefix}upkeep)
);

-- name: unindex_one
-- Runs before replace_message, for the same reason.
DELETE FROM {prefix}search WHERE rowid = :message AND :message <= (SELECT indexed_to FROM {prefix}upkeep);

-- name: reindex_one
INSERT INTO {prefix}search (rowid, search_text) SELECT key, search_text FROM {prefix}message WHERE key = :message;

-- name: user_messages
-- How many messages a user has, counted in at most :limit of the user's sessions.
SELECT count(*), coalesce(sum(message_count), 0) FROM (
    SELECT message_count FROM {prefix}session
    WHERE tenant = :tenant AND listed = 1 AND user_id = :user_id LIMIT :limit
);

-- name: search_session
-- All messages of one session, without the index: no other session's hits are read.
SELECT {hit_columns}
FROM {prefix}session AS s CROSS JOIN {prefix}message AS m ON m.session = s.key
WHERE s.id = :session_id AND {matches}
ORDER BY score DESC, m.seq DESC LIMIT :limit;

-- name: search_user
-- All messages of one user, without the index.
SELECT {hit_columns}
FROM {prefix}session AS s INDEXED BY {prefix}session_user_updated_at
CROSS JOIN {prefix}message AS m ON m.session = s.key
WHERE s.listed = 1 AND s.user_id = :user AND {matches}
ORDER BY score DESC, m.key DESC LIMIT :limit;

-- name: search_new
-- Messages that are not in the index yet, newest first.
SELECT {hit_columns}
FROM {prefix}message AS m CROSS JOIN {prefix}session AS s ON s.key = m.session
WHERE m.key > :indexed_to AND (:session_id IS NULL OR s.id = :session_id) AND {matches}
ORDER BY m.key DESC LIMIT :limit;

-- name: search_all
-- All messages of the scope, because no word is long enough for the index.
SELECT {hit_columns}
FROM {prefix}message AS m CROSS JOIN {prefix}session AS s ON s.key = m.session
WHERE (:session_id IS NULL OR s.id = :session_id) AND {matches}
ORDER BY score DESC, m.key DESC LIMIT :limit;

-- name: search_index
-- :phrases are words as FTS5 strings. FTS5 returns rows in the order of their keys, so the limit ends the search early.
SELECT {hit_columns}
FROM {prefix}search
CROSS JOIN {prefix}message AS m ON m.key = {prefix}search.rowid
CROSS JOIN {prefix}session AS s ON s.key = m.session
WHERE {prefix}search MATCH :phrases AND {prefix}search.rowid <= :indexed_to
  AND (:session_id IS NULL OR s.id = :session_id) AND {matches}
ORDER BY {prefix}search.rowid DESC LIMIT :limit;

-- name: hits
-- Of a JSON list of keys.
SELECT m.key, {message_columns} FROM json_each(:keys) AS wanted CROSS JOIN {prefix}message AS m ON m.key = wanted.value;
