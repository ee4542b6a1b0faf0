-- name: tenants
-- One look into the index for each tenant, however many sessions it has.
WITH RECURSIVE found AS (
    (SELECT s.tenant FROM {prefix}sessions AS s ORDER BY s.tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT s.tenant FROM {prefix}sessions AS s WHERE s.tenant > found.tenant ORDER BY s.tenant LIMIT 1)
    FROM found WHERE found.tenant IS NOT NULL
)
SELECT found.tenant FROM found WHERE found.tenant IS NOT NULL

-- name: session_columns
-- A session as a row: the fields of `records.SessionRecord` in their order.
s.id, s.user_id, s.agent_name, s.title, s.status, s.current_route, s.current_step, s.state, s.metadata,
s.counters::text, s.parent_id, s.forked_at_seq, s.version, s.schema_version, s.message_count, s.last_seq, s.created_at,
s.updated_at, s.last_message_at, s.completed_at, s.ends_at, s.idle_ttl, s.expires_at

-- name: is_visible
-- Living, and in the scope.
(s.expires_at IS NULL OR s.expires_at > clock_timestamp())
AND (:scope_user::text IS NULL OR s.user_id = :scope_user::text)

-- name: create
SELECT result.outcome, {session_columns}
FROM {prefix}create(:tenant::text, :draft::text) AS result, LATERAL (SELECT (result.session).*) AS s

-- name: get
SELECT {session_columns}
FROM {prefix}sessions AS s
WHERE s.tenant = :tenant::text AND s.id = :id::text AND {is_visible}

-- name: get_many
-- One look-up by key for each id: with `= ANY` a server without statistics reads all sessions of the tenant. The first
-- column: whether the session has expired.
SELECT (s.expires_at <= clock_timestamp()) IS TRUE, {session_columns}
FROM unnest(:ids::text[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM {prefix}sessions AS held WHERE held.tenant = :tenant::text AND held.id = wanted.id OFFSET 0
) AS s
WHERE :scope_user::text IS NULL OR s.user_id = :scope_user::text

-- name: resume
-- One row: the session, and its newest messages as arrays of texts (times in microseconds since 1970), newest first.
SELECT {session_columns}, log.ids, log.seqs, log.roles, log.payloads, log.times
FROM {prefix}sessions AS s
CROSS JOIN LATERAL (
    SELECT array_agg(m.id ORDER BY m.seq DESC) AS ids, array_agg(m.seq::text ORDER BY m.seq DESC) AS seqs,
        array_agg(m.role ORDER BY m.seq DESC) AS roles, array_agg(m.payload ORDER BY m.seq DESC) AS payloads,
        array_agg((extract(epoch FROM m.created_at) * 1000000)::bigint::text ORDER BY m.seq DESC) AS times
    FROM (
        SELECT * FROM {prefix}messages AS newest
        WHERE newest.tenant = :tenant::text AND newest.session_id = :id::text
        ORDER BY newest.seq DESC LIMIT :tail::bigint
    ) AS m
) AS log
WHERE s.tenant = :tenant::text AND s.id = :id::text AND {is_visible}

-- name: update
SELECT result.outcome, result.actual, result.counter, {session_columns}
FROM {prefix}update(
    :tenant::text, :scope_user::text, :id::text, :expected_version::bigint, :changes::text, :add::text
) AS result, LATERAL (SELECT (result.session).*) AS s

-- name: touch
SELECT {session_columns}
FROM {prefix}touch(:tenant::text, :scope_user::text, :id::text, :ttl::bigint) AS s
WHERE s.id IS NOT NULL

-- name: fork
SELECT result.outcome, result.actual, {session_columns}
FROM {prefix}fork(
    :tenant::text, :scope_user::text, :id::text, :at_seq::bigint, :new_id::text, :version::bigint, :changes::text
) AS result, LATERAL (SELECT (result.session).*) AS s

-- name: restore
SELECT outcome
FROM {prefix}restore(
    :record::text, :ids::text[], :seqs::text[], :roles::text[], :times::text[], :payloads::text[], :keys::text[],
    :searches::text[]
)

-- name: delete
SELECT outcome, actual FROM {prefix}delete(:tenant::text, :scope_user::text, :id::text, :expected_version::bigint)

-- name: wait_for_writes
-- Returns when every write that now holds the lock of one of these sessions is committed. A row for each that exists and
-- may expire. In order of id, as everybody locks.
SELECT s.id FROM (SELECT DISTINCT id FROM unnest(:wanted::text[]) AS given (id) ORDER BY id) AS wanted
CROSS JOIN LATERAL (
    SELECT held.id FROM {prefix}sessions AS held
    WHERE held.tenant = :tenant::text AND held.id = wanted.id AND held.expires_at IS NOT NULL
    FOR SHARE
) AS s
