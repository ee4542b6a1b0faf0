-- name: insert_message
INSERT INTO {prefix}message (session, seq, id, role, created_at, payload) VALUES (?, ?, ?, ?, ?, ?);

-- name: stored_message
-- The message that has an id (IDEM-1).
SELECT id, seq, role, payload, created_at FROM {prefix}message WHERE session = :key AND id = :id;

-- name: count_log
-- The session's row after a change of its log (CNT-1).
UPDATE {prefix}session
SET message_count = :message_count, last_seq = :last_seq, last_message_at = :last_message_at,
    updated_at = max(updated_at, :now)
WHERE key = :key;

-- name: newest
SELECT id, seq, role, payload, created_at FROM {prefix}message WHERE session = :key ORDER BY seq DESC LIMIT 1;

-- name: newest_time
SELECT created_at FROM {prefix}message WHERE session = :key ORDER BY seq DESC LIMIT 1;

-- name: first_kept
-- The seq of the oldest of the newest :keep_last messages.
SELECT seq FROM {prefix}message WHERE session = :key ORDER BY seq DESC LIMIT 1 OFFSET :keep_last - 1;

-- name: delete_messages
DELETE FROM {prefix}message WHERE session = :key AND seq > :after AND seq < :before;

-- name: list_forward
-- One row without a message if the session has none in the range. No row if the session is absent or expired.
SELECT m.id, m.seq, m.role, m.payload, m.created_at
FROM {prefix}session AS s
LEFT JOIN {prefix}message AS m ON m.session = s.key AND m.seq > :after AND m.seq < :before
WHERE s.tenant = :tenant AND s.id = :id
  AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (:user_id IS NULL OR s.user_id = :user_id)
ORDER BY m.seq LIMIT :limit;

-- name: list_backward
SELECT m.id, m.seq, m.role, m.payload, m.created_at
FROM {prefix}session AS s
LEFT JOIN {prefix}message AS m ON m.session = s.key AND m.seq > :after AND m.seq < :before
WHERE s.tenant = :tenant AND s.id = :id
  AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (:user_id IS NULL OR s.user_id = :user_id)
ORDER BY m.seq DESC LIMIT :limit;

-- name: get_message
-- As in list_forward: a row without a message means that the session is there.
SELECT m.id, m.seq, m.role, m.payload, m.created_at
FROM {prefix}session AS s
LEFT JOIN {prefix}message AS m ON m.session = s.key AND m.id = :message_id
WHERE s.tenant = :tenant AND s.id = :id
  AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (:user_id IS NULL OR s.user_id = :user_id);

-- name: new_messages
-- What a watcher has not read yet, with the key of the session that has the id now.
SELECT s.key, m.id, m.seq, m.role, m.payload, m.created_at
FROM {prefix}session AS s
LEFT JOIN {prefix}message AS m ON m.session = s.key AND m.seq > :after
WHERE s.tenant = :tenant AND s.id = :id
  AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (:user_id IS NULL OR s.user_id = :user_id)
ORDER BY m.seq LIMIT :limit;

-- name: replace_message
UPDATE {prefix}message SET role = :role, payload = :payload
WHERE session = :key AND id = :id
RETURNING key, id, seq, role, payload, created_at;

-- name: newest_key
SELECT coalesce(max(key), 0) FROM {prefix}message;

-- name: appended
-- The sessions that have messages with a key greater than :seen.
SELECT DISTINCT s.tenant, s.id FROM {prefix}message AS m CROSS JOIN {prefix}session AS s ON s.key = m.session
WHERE m.key > :seen;
