-- name: message_columns
-- The fields of `records.MessageRecord`.
m.id, m.seq, m.role, m.payload, m.created_at

-- name: append
SELECT outcome, actual, moment, seqs, times
FROM {prefix}append(
    :tenant::text, :scope_user::text, :session_id::text, :ids::text[], :roles::text[], :payloads::text[],
    :searches::text[], :times::text[], :may_be_stored::boolean, :expected_version::bigint, :expected_last_seq::bigint,
    :truncate_after::bigint, :keep_last::bigint, :idle_ttl::bigint, :changes::text
)

-- name: list_forward
-- A session without messages in the range has one row without a message; an absent session has no row.
SELECT {message_columns}, s.created_at
FROM {prefix}sessions AS s
LEFT JOIN LATERAL (
    SELECT * FROM {prefix}messages AS log
    WHERE log.tenant = :tenant::text AND log.session_id = :session_id::text
        AND log.seq > :after::bigint AND log.seq < :before::bigint
    ORDER BY log.seq LIMIT :limit::bigint
) AS m ON true
WHERE s.tenant = :tenant::text AND s.id = :session_id::text
    AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
    AND (:scope_user::text IS NULL OR s.user_id = :scope_user::text)
ORDER BY m.seq

-- name: list_backward
SELECT {message_columns}, s.created_at
FROM {prefix}sessions AS s
LEFT JOIN LATERAL (
    SELECT * FROM {prefix}messages AS log
    WHERE log.tenant = :tenant::text AND log.session_id = :session_id::text
        AND log.seq > :after::bigint AND log.seq < :before::bigint
    ORDER BY log.seq DESC LIMIT :limit::bigint
) AS m ON true
WHERE s.tenant = :tenant::text AND s.id = :session_id::text
    AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
    AND (:scope_user::text IS NULL OR s.user_id = :scope_user::text)
ORDER BY m.seq DESC

-- name: get_message
-- As list_forward: a row without a message means that the session exists.
SELECT {message_columns}
FROM {prefix}sessions AS s
LEFT JOIN {prefix}messages AS m
    ON m.tenant = :tenant::text AND m.session_id = :session_id::text AND m.id = :message_id::text
WHERE s.tenant = :tenant::text AND s.id = :session_id::text
    AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
    AND (:scope_user::text IS NULL OR s.user_id = :scope_user::text)

-- name: replace
SELECT answer.outcome, {message_columns}
FROM {prefix}replace(
    :tenant::text, :scope_user::text, :session_id::text, :message_id::text, :old_role::text, :old_payload::text,
    :role::text, :payload::text, :search::text
) AS answer, LATERAL (SELECT (answer.message).*) AS m

-- name: cut
SELECT {prefix}cut(:tenant::text, :scope_user::text, :session_id::text, :after_seq::bigint, :keep_last::bigint)

-- name: pop
SELECT answer.outcome, {message_columns}
FROM {prefix}pop(:tenant::text, :scope_user::text, :session_id::text) AS answer,
    LATERAL (SELECT (answer.message).*) AS m

-- name: request_notifications
-- Asks appends to notify for a while. Nothing that a reader sees changes.
UPDATE {prefix}sessions AS s SET watched_until = clock_timestamp() + :notify_for::bigint * interval '1 microsecond'
WHERE s.tenant = :tenant::text AND s.id = :session_id::text
RETURNING s.id
