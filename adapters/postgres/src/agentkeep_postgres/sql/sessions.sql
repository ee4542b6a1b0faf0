-- name: session_columns
-- A session as a row; the fields of `records.SessionRecord` in their order.
s.id, s.user_id, s.agent_name, s.title, s.status, s.current_route, s.current_step, s.state, s.metadata,
s.parent_id, s.forked_at_seq, s.version, s.schema_version, s.message_count, s.last_seq, s.created_at,
s.updated_at, s.last_message_at, s.completed_at, s.expires_at

-- name: create
SELECT answer.outcome, {session_columns}
FROM {prefix}create(
    :tenant::text, :id::text, :user_id::text, :agent_name::text, :title::text, :state::text, :metadata::text,
    :labels::text[], :parent_id::text, :schema_version::bigint, :ttl::bigint
) AS answer, LATERAL (SELECT (answer.session).*) AS s

-- name: get
SELECT {session_columns}
FROM {prefix}sessions AS s
WHERE s.tenant = :tenant::text AND s.id = :id::text
    AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
    AND (:scope_user::text IS NULL OR s.user_id = :scope_user::text)

-- name: update
SELECT answer.outcome, answer.actual, {session_columns}
FROM {prefix}update(:tenant::text, :scope_user::text, :id::text, :expected_version::bigint, :changes::text) AS answer,
    LATERAL (SELECT (answer.session).*) AS s

-- name: touch
-- TTL-1: a given `ttl` is set; an `idle_ttl` never makes the time shorter.
UPDATE {prefix}sessions AS s SET
    updated_at = greatest(s.updated_at, clock_timestamp()),
    expires_at = CASE
        WHEN :ttl::bigint IS NOT NULL THEN clock_timestamp() + :ttl::bigint * interval '1 microsecond'
        WHEN :idle_ttl::bigint IS NOT NULL
            THEN greatest(s.expires_at, clock_timestamp() + :idle_ttl::bigint * interval '1 microsecond')
        ELSE s.expires_at
    END
WHERE s.tenant = :tenant::text AND s.id = :id::text
    AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
    AND (:scope_user::text IS NULL OR s.user_id = :scope_user::text)
RETURNING {session_columns}

-- name: fork
SELECT answer.outcome, {session_columns}
FROM {prefix}fork(
    :tenant::text, :scope_user::text, :id::text, :at_seq::bigint, :new_id::text, :ttl::bigint
) AS answer, LATERAL (SELECT (answer.session).*) AS s

-- name: restore
SELECT outcome
FROM {prefix}restore(
    :record::text, :ids::text[], :seqs::text[], :roles::text[], :times::text[], :payloads::text[],
    :searches::text[]
)
