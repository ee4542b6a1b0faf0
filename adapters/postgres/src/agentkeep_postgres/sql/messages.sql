-- name: message_columns
-- The fields of `records.MessageRecord`.
m.id, m.seq, m.role, m.payload, m.created_at

-- name: append
SELECT outcome, actual, counter, version, last_seq, moment, seqs, roles, payloads, times
FROM {prefix}append(
    :tenant::text, :scope_user::text, :session_id::text, :ids::text[], :roles::text[], :payloads::text[],
    :keys::text[], :searches::text[], :times::text[], :may_be_stored::boolean, :skip::boolean, :create::text,
    :expected_version::bigint, :expected_last_seq::bigint, :truncate_after::bigint, :keep_last::bigint,
    :changes::text, :add::text
)

-- name: append_many
SELECT place, last_seq, version, moment
FROM {prefix}append_many(
    :tenants::text[], :users::text[], :sessions::text[], :added::text[], :last_times::text[], :places::text[],
    :numbers::text[], :ids::text[], :roles::text[], :times::text[], :payloads::text[], :keys::text[], :searches::text[]
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
WHERE s.tenant = :tenant::text AND s.id = :session_id::text AND {is_visible}
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
WHERE s.tenant = :tenant::text AND s.id = :session_id::text AND {is_visible}
ORDER BY m.seq DESC

-- name: get_messages
-- As list_forward: a row without a message means that the session exists and has none of these.
SELECT {message_columns}
FROM {prefix}sessions AS s
LEFT JOIN LATERAL (
    SELECT found.* FROM unnest(:ids::text[]) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT * FROM {prefix}messages AS stored
        WHERE stored.session_id = :session_id::text AND {prefix}key_in('id', stored.id) = wanted.id
            AND stored.tenant = :tenant::text
        OFFSET 0
    ) AS found
) AS m ON true
WHERE s.tenant = :tenant::text AND s.id = :session_id::text AND {is_visible}

-- name: replace
SELECT result.outcome, {message_columns}
FROM {prefix}replace(
    :tenant::text, :scope_user::text, :session_id::text, :message_id::text, :expected::text, :role::text,
    :payload::text, :key::text, :search::text
) AS result, LATERAL (SELECT (result.message).*) AS m

-- name: cut
SELECT {prefix}cut(:tenant::text, :scope_user::text, :session_id::text, :after_seq::bigint, :keep_last::bigint)

-- name: pop
SELECT result.outcome, {message_columns}
FROM {prefix}pop(:tenant::text, :scope_user::text, :session_id::text) AS result,
    LATERAL (SELECT (result.message).*) AS m

-- name: request_notifications
-- Asks appends to notify for a while. Nothing that a reader sees changes.
UPDATE {prefix}sessions AS s SET watched_until = clock_timestamp() + :notify_for::bigint * interval '1 microsecond'
WHERE s.tenant = :tenant::text AND s.id = :session_id::text
RETURNING s.id
