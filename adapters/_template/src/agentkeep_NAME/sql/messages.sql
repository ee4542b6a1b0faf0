-- name: get_message
-- One row; its columns are NULL if the session has no such message. No row if the session itself is not there.
SELECT m.id, m.seq, m.role, m.payload, m.created_at
FROM {prefix}sessions AS s
LEFT JOIN {prefix}messages AS m ON m.tenant = s.tenant AND m.session_id = s.id AND m.id = :message_id
WHERE {is_visible} AND s.id = :session_id;
