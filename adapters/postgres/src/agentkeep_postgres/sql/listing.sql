-- The parts of listing, counting and removing sessions; `listing.py` joins them.
--
-- A query walks the index of one of its filters, its lead, and checks the others on each session. The lead is the filter
-- with the fewest sessions, counted up to `common`, and no filter further than the smallest so far: statistics can be
-- missing or old (COST-4). A subquery with OFFSET 0 stays a look-up by the primary key.
--
-- Two things keep the planner from other plans. `key_in` makes every plan expensive but the walk of the one index that has
-- this key: the lead's, by `updated_at` or by `created_at`. And a limit is a subquery, which the planner does not know:
-- without statistics it expects three rows, so it sorts all of them if the limit is larger.

-- name: select_sessions
SELECT {session_columns}

-- name: page_begin
-- One row at least. Its first column: whether there are expired sessions in the indexes of listings.
SELECT crowd.has_expired, page.* FROM (
    SELECT (
        SELECT true FROM {prefix}sessions AS s
        WHERE {prefix}key_in('expiry', s.listed) AND s.expires_at <= statement_timestamp()
        ORDER BY s.expires_at LIMIT 1
    ) AS has_expired
) AS crowd
LEFT JOIN LATERAL (

-- name: page_end
) AS page ON true

-- name: unlist_expired
SELECT {prefix}unlist_expired(:limit::bigint)

-- name: select_rows
SELECT s.*

-- name: select_keys
SELECT s.tenant, s.id, s.version

-- name: select_count
SELECT count(*)

-- name: with
WITH

-- name: comma
,

-- name: union_all
UNION ALL

-- name: open
(

-- name: close
)

-- name: from_these
FROM (

-- name: these_end
) AS s

-- name: lead_begin
lead AS MATERIALIZED (
    SELECT best.name FROM (

-- name: lead_end
    ) AS best
)

-- name: smaller_begin
SELECT
    CASE WHEN other.size < best.size THEN other.name ELSE best.name END AS name, least(other.size, best.size) AS size
FROM (

-- name: rarest_of_one
rarest AS MATERIALIZED (SELECT (:labels::text[])[1] AS label)

-- name: rarest_of_many
rarest AS MATERIALIZED (
    SELECT wanted.label FROM unnest(:labels::text[]) AS wanted (label)
    ORDER BY (
        SELECT count(*) FROM (
            SELECT FROM {prefix}labels AS l
            WHERE {prefix}key_in('updated', l.tenant || E'\x1f' || l.label) = :tenant::text || E'\x1f' || wanted.label
            ORDER BY l.updated_at LIMIT (SELECT :common::bigint)
        ) AS first_ones
    ), wanted.label LIMIT 1
)

-- name: from_sessions
-- Two parts must follow that fill the call of `key_in`: which index (`by_…`), and its key with the wanted value (`is_…`).
FROM {prefix}sessions AS s WHERE s.listed AND {prefix}key_in(

-- name: from_labels
FROM {prefix}labels AS l
CROSS JOIN LATERAL (
    SELECT * FROM {prefix}sessions AS held WHERE held.tenant = :tenant::text AND held.id = l.session_id OFFSET 0
) AS s
WHERE {prefix}key_in(

-- name: by_updated_at
'updated',

-- name: by_created_at
'created',

-- name: is_tenant
s.tenant || E'\x1f') = :tenant::text || E'\x1f'

-- name: is_owner
s.tenant || E'\x1f' || s.user_id) = :tenant::text || E'\x1f' || :owner::text

-- name: is_agent_name
s.tenant || E'\x1f' || s.agent_name) = :tenant::text || E'\x1f' || :agent_name::text

-- name: is_status
s.tenant || E'\x1f' || s.status) = :tenant::text || E'\x1f' || :status::text

-- name: is_parent_id
s.tenant || E'\x1f' || s.parent_id) = :tenant::text || E'\x1f' || :parent_id::text

-- name: is_labels
l.tenant || E'\x1f' || l.label) = :tenant::text || E'\x1f' || (SELECT rarest.label FROM rarest)

-- name: smallest_parent_id
SELECT 'parent_id' AS name, count(*) AS size FROM (SELECT {from_sessions} {by_updated_at} {is_parent_id} ORDER BY s.updated_at LIMIT (SELECT :common::bigint)) AS first_ones

-- name: smallest_owner
SELECT 'owner' AS name, count(*) AS size FROM (SELECT {from_sessions} {by_updated_at} {is_owner} ORDER BY s.updated_at LIMIT (SELECT :common::bigint)) AS first_ones

-- name: smallest_agent_name
SELECT 'agent_name' AS name, count(*) AS size FROM (SELECT {from_sessions} {by_updated_at} {is_agent_name} ORDER BY s.updated_at LIMIT (SELECT :common::bigint)) AS first_ones

-- name: smallest_status
SELECT 'status' AS name, count(*) AS size FROM (SELECT {from_sessions} {by_updated_at} {is_status} ORDER BY s.updated_at LIMIT (SELECT :common::bigint)) AS first_ones

-- name: labels_of_rarest
FROM {prefix}labels AS l WHERE {prefix}key_in({by_updated_at} {is_labels}

-- name: smallest_labels
SELECT 'labels' AS name, count(*) AS size FROM (SELECT {labels_of_rarest} ORDER BY l.updated_at LIMIT (SELECT :common::bigint)) AS first_ones

-- name: or_smaller_owner
) AS best CROSS JOIN LATERAL (
    SELECT 'owner' AS name, count(*) AS size FROM (SELECT {from_sessions} {by_updated_at} {is_owner} ORDER BY s.updated_at LIMIT best.size) AS first_ones
) AS other

-- name: or_smaller_labels
) AS best CROSS JOIN LATERAL (
    SELECT 'labels' AS name, count(*) AS size FROM (SELECT {labels_of_rarest} ORDER BY l.updated_at LIMIT best.size) AS first_ones
) AS other

-- name: or_smaller_agent_name
) AS best CROSS JOIN LATERAL (
    SELECT 'agent_name' AS name, count(*) AS size FROM (SELECT {from_sessions} {by_updated_at} {is_agent_name} ORDER BY s.updated_at LIMIT best.size) AS first_ones
) AS other

-- name: or_smaller_status
) AS best CROSS JOIN LATERAL (
    SELECT 'status' AS name, count(*) AS size FROM (SELECT {from_sessions} {by_updated_at} {is_status} ORDER BY s.updated_at LIMIT best.size) AS first_ones
) AS other

-- name: if_owner
AND (SELECT lead.name FROM lead) = 'owner'

-- name: if_agent_name
AND (SELECT lead.name FROM lead) = 'agent_name'

-- name: if_status
AND (SELECT lead.name FROM lead) = 'status'

-- name: if_parent_id
AND (SELECT lead.name FROM lead) = 'parent_id'

-- name: if_labels
AND (SELECT lead.name FROM lead) = 'labels'

-- name: only_living
AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())

-- name: only_owner
AND s.user_id = :owner::text

-- name: only_user_id
AND s.user_id = :user_id::text

-- name: only_agent_name
AND s.agent_name = :agent_name::text

-- name: only_status
AND s.status = :status::text

-- name: only_parent_id
AND s.parent_id = :parent_id::text

-- name: only_labels
AND (
    SELECT count(*) FROM {prefix}labels AS other
    WHERE other.tenant = :tenant::text AND other.session_id = s.id AND other.label = ANY (:labels::text[])
) = cardinality(:labels::text[])

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
ORDER BY s.updated_at, s.id

-- name: order_updated_at_descending
ORDER BY s.updated_at DESC, s.id DESC

-- name: order_created_at_ascending
ORDER BY s.created_at, s.id

-- name: order_created_at_descending
ORDER BY s.created_at DESC, s.id DESC

-- name: labels_updated_after
AND l.updated_at > :updated_after::timestamptz

-- name: labels_updated_before
AND l.updated_at < :updated_before::timestamptz

-- name: labels_after_updated_at_ascending
AND (l.updated_at, l.session_id) > (:at::timestamptz, :after_id::text)

-- name: labels_after_updated_at_descending
AND (l.updated_at, l.session_id) < (:at::timestamptz, :after_id::text)

-- name: labels_after_created_at_ascending
AND (l.created_at, l.session_id) > (:at::timestamptz, :after_id::text)

-- name: labels_after_created_at_descending
AND (l.created_at, l.session_id) < (:at::timestamptz, :after_id::text)

-- name: labels_order_updated_at_ascending
ORDER BY l.updated_at, l.session_id

-- name: labels_order_updated_at_descending
ORDER BY l.updated_at DESC, l.session_id DESC

-- name: labels_order_created_at_ascending
ORDER BY l.created_at, l.session_id

-- name: labels_order_created_at_descending
ORDER BY l.created_at DESC, l.session_id DESC

-- name: limit
LIMIT (SELECT :limit::bigint)
