-- The parts of listing, counting and removing: a head, the conditions of the query, an order. Each filter is a
-- part of its own, because one plan for all filters would be slow for each.

-- name: select_records
SELECT {session_columns}
FROM {prefix}sessions AS s
WHERE s.tenant = :tenant::text

-- name: select_count
SELECT count(*)
FROM {prefix}sessions AS s
WHERE s.tenant = :tenant::text

-- name: remove_first
-- The rows are locked before `remove` looks at their messages, and it sees what was committed until then.
SELECT coalesce({prefix}remove(array_agg(doomed.tenant), array_agg(doomed.id)), 0)
FROM (
    SELECT s.tenant, s.id
    FROM {prefix}sessions AS s
    WHERE

-- name: remove_end
    FOR UPDATE
) AS doomed

-- name: of_tenant
s.tenant = :tenant::text

-- name: only_living
AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())

-- name: expired
s.expires_at <= statement_timestamp()

-- name: only_tenant
AND s.tenant = :tenant::text

-- name: only_id
AND s.id = :id::text

-- name: only_scope_user
AND s.user_id = :scope_user::text

-- name: only_user_id
AND s.user_id = :user_id::text

-- name: only_agent_name
AND s.agent_name = :agent_name::text

-- name: only_status
AND s.status = :status::text

-- name: only_parent_id
AND s.parent_id = :parent_id::text

-- name: only_labels
AND s.labels @> :wanted_labels::text[]

-- name: only_updated_after
AND s.updated_at > :updated_after::timestamptz

-- name: only_updated_before
AND s.updated_at < :updated_before::timestamptz

-- name: after_updated_at_ascending
AND (s.updated_at, s.id) > (:at::timestamptz, :after_id::text)

-- name: after_updated_at_descending
AND (s.updated_at, s.id) < (:at::timestamptz, :after_id::text)

-- name: after_created_at_ascending
AND (s.created_at, s.id) > (:at::timestamptz, :after_id::text)

-- name: after_created_at_descending
AND (s.created_at, s.id) < (:at::timestamptz, :after_id::text)

-- name: order_updated_at_ascending
ORDER BY s.updated_at, s.id LIMIT :limit::bigint

-- name: order_updated_at_descending
ORDER BY s.updated_at DESC, s.id DESC LIMIT :limit::bigint

-- name: order_created_at_ascending
ORDER BY s.created_at, s.id LIMIT :limit::bigint

-- name: order_created_at_descending
ORDER BY s.created_at DESC, s.id DESC LIMIT :limit::bigint

-- name: first_of_them
-- All who remove take locks in the same order, so two of them never wait for each other.
ORDER BY s.tenant, s.id LIMIT :limit::bigint

-- name: first_expired
ORDER BY s.expires_at, s.tenant, s.id LIMIT :limit::bigint
