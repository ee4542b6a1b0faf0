-- name: message_columns
m.id, m.seq, m.role, m.payload, m.created_at

-- name: insert_message
INSERT INTO {prefix}message (session, seq, id, role, created_at, version, content_key, payload, search_text)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: copy_messages
INSERT INTO {prefix}message (session, seq, id, role, created_at, version, content_key, payload, search_text)
SELECT :key, seq, id, role, created_at, :version, content_key, payload, search_text
FROM {prefix}message WHERE session = :parent AND seq <= :at_seq ORDER BY seq;

-- name: stored_messages
-- Those of a JSON list of ids that the session holds, with what tells a repetition (IDEM-1).
SELECT {message_columns}, m.version, m.content_key
FROM json_each(:ids) AS wanted
CROSS JOIN {prefix}message AS m ON m.session = :key AND m.id = wanted.value;

-- name: newest
SELECT {message_columns} FROM {prefix}message AS m WHERE m.session = :key ORDER BY m.seq DESC LIMIT 1;

-- name: newest_time
SELECT created_at FROM {prefix}message WHERE session = :key AND seq <= :at_seq ORDER BY seq DESC LIMIT 1;

-- name: count_up_to
SELECT count(*) FROM {prefix}message WHERE session = :key AND seq <= :at_seq;

-- name: seq_after_step
-- The seq of the first message that a removal of the :step oldest messages leaves.
SELECT seq FROM {prefix}message WHERE session = :key ORDER BY seq LIMIT 1 OFFSET :step;

-- name: delete_messages
DELETE FROM {prefix}message WHERE session = :key AND seq > :after AND seq < :before;

-- name: list_forward
-- One row without a message if the session has none in the range. No row if the session is absent or expired.
SELECT {message_columns}
FROM {prefix}session AS s
LEFT JOIN {prefix}message AS m ON m.session = s.key AND m.seq > :after AND m.seq < :before
WHERE {is_visible}
ORDER BY m.seq LIMIT :limit;

-- name: list_backward
SELECT {message_columns}
FROM {prefix}session AS s
LEFT JOIN {prefix}message AS m ON m.session = s.key AND m.seq > :after AND m.seq < :before
WHERE {is_visible}
ORDER BY m.seq DESC LIMIT :limit;

-- name: get_message
-- As in list_forward: a row without a message means that the session is there.
SELECT {message_columns}
FROM {prefix}session AS s
LEFT JOIN {prefix}message AS m ON m.session = s.key AND m.id = :message_id
WHERE {is_visible};

-- name: get_messages
-- Of a JSON list of ids. As in list_forward: a row without a message means that the session is there.
SELECT {message_columns}
FROM {prefix}session AS s
CROSS JOIN json_each(:ids) AS wanted
LEFT JOIN {prefix}message AS m ON m.session = s.key AND m.id = wanted.value
WHERE {is_visible};

-- name: new_messages
-- What a watcher has not read yet, with the key of the session that has the id now.
SELECT s.key, {message_columns}
FROM {prefix}session AS s
LEFT JOIN {prefix}message AS m ON m.session = s.key AND m.seq > :after
WHERE {is_visible}
ORDER BY m.seq LIMIT :limit;

-- name: replace_message
UPDATE {prefix}message
SET role = :role, payload = :payload, content_key = :content_key, search_text = :search_text
WHERE session = :key AND id = :id;

-- name: message_key
SELECT key FROM {prefix}message WHERE session = :key AND id = :id;

-- name: newest_key
SELECT coalesce(max(key), 0) FROM {prefix}message;

-- name: appended
-- The sessions that have messages with a key greater than :seen.
SELECT DISTINCT s.tenant, s.id FROM {prefix}message AS m CROSS JOIN {prefix}session AS s ON s.key = m.session
WHERE m.key > :seen;
