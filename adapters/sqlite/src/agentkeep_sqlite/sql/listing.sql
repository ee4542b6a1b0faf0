-- The parts of listing, counting and bulk deletion. `lead` reads one index in the wanted order, the other conditions
-- filter its rows. We choose the index (INDEXED BY), because SQLite does not know how rare a value is.

-- name: select_records
SELECT {session_columns}

-- name: select_keys
SELECT s.key, s.message_count

-- name: select_positions
-- All of the lead's sessions, and whether each is a match, so that a step is bounded by what it reads.
SELECT lead.created_at, lead.id, (true

-- name: end_of_matches
) AS is_match

-- name: rest
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key

-- name: rest_of_label
CROSS JOIN {prefix}session AS s ON s.key = lead.session LEFT JOIN {prefix}session_data AS d ON d.session = s.key

-- name: from_all_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_all_updated_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1

-- name: from_all_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_all_created_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1

-- name: from_status_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_status_updated_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1 AND lead.status = :lead

-- name: from_status_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_status_created_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1 AND lead.status = :lead

-- name: from_user_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_user_updated_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1 AND lead.user_id = :lead

-- name: from_user_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_user_created_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1 AND lead.user_id = :lead

-- name: from_agent_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_agent_updated_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1 AND lead.agent_name = :lead

-- name: from_agent_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_agent_created_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1 AND lead.agent_name = :lead

-- name: from_parent_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_parent_updated_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1 AND lead.parent_id = :lead

-- name: from_parent_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_parent_created_at
{rest}
WHERE lead.tenant = :tenant AND lead.listed = 1 AND lead.parent_id = :lead

-- name: from_label_updated_at
FROM {prefix}session_label AS lead INDEXED BY {prefix}label_updated_at
{rest_of_label}
WHERE lead.tenant = :tenant AND lead.label = :lead

-- name: from_label_created_at
FROM {prefix}session_label AS lead INDEXED BY {prefix}label_created_at
{rest_of_label}
WHERE lead.tenant = :tenant AND lead.label = :lead

-- name: only_unexpired
AND (s.expires_at IS NULL OR s.expires_at > :now)

-- name: only_scope_user
AND s.user_id = :scope_user

-- name: only_user_id
AND s.user_id = :user_id

-- name: only_agent_name
AND s.agent_name = :agent_name

-- name: only_status
AND s.status = :status

-- name: only_parent_id
AND s.parent_id = :parent_id

-- name: only_labels
-- The session has all of a JSON list of labels.
AND NOT EXISTS (
    SELECT 1 FROM json_each(:labels) AS wanted
    WHERE NOT EXISTS (
        SELECT 1 FROM {prefix}session_label AS held WHERE held.session = s.key AND held.label = wanted.value
    )
)

-- name: only_updated_after
AND lead.updated_at > :updated_after

-- name: only_updated_before
AND lead.updated_at < :updated_before

-- name: behind_updated_at_ascending
AND (lead.updated_at, lead.id) > (:at, :last_id)

-- name: behind_updated_at_descending
AND (lead.updated_at, lead.id) < (:at, :last_id)

-- name: behind_created_at_ascending
AND (lead.created_at, lead.id) > (:at, :last_id)

-- name: behind_created_at_descending
AND (lead.created_at, lead.id) < (:at, :last_id)

-- name: order_updated_at_ascending
ORDER BY lead.updated_at, lead.id LIMIT :limit

-- name: order_updated_at_descending
ORDER BY lead.updated_at DESC, lead.id DESC LIMIT :limit

-- name: order_created_at_ascending
ORDER BY lead.created_at, lead.id LIMIT :limit

-- name: order_created_at_descending
ORDER BY lead.created_at DESC, lead.id DESC LIMIT :limit

-- name: first_of_them
LIMIT :limit

-- name: count_step
-- How many sessions of a step match, how many it has read, and the position of the last of them.
SELECT coalesce(sum(is_match), 0), count(*), max(created_at),
    (SELECT max(id) FROM step WHERE created_at = (SELECT max(created_at) FROM step))
FROM step

-- name: how_many_user
-- At most :limit: how rare a value is, so that the rarest leads.
SELECT count(*) FROM (
    SELECT 1 FROM {prefix}session INDEXED BY {prefix}session_user_updated_at
    WHERE tenant = :tenant AND listed = 1 AND user_id = :value LIMIT :limit
)

-- name: how_many_agent
SELECT count(*) FROM (
    SELECT 1 FROM {prefix}session INDEXED BY {prefix}session_agent_updated_at
    WHERE tenant = :tenant AND listed = 1 AND agent_name = :value LIMIT :limit
)

-- name: how_many_parent
SELECT count(*) FROM (
    SELECT 1 FROM {prefix}session INDEXED BY {prefix}session_parent_updated_at
    WHERE tenant = :tenant AND listed = 1 AND parent_id = :value LIMIT :limit
)

-- name: how_many_status
SELECT count(*) FROM (
    SELECT 1 FROM {prefix}session INDEXED BY {prefix}session_status_updated_at
    WHERE tenant = :tenant AND listed = 1 AND status = :value LIMIT :limit
)

-- name: how_many_label
SELECT count(*) FROM (
    SELECT 1 FROM {prefix}session_label INDEXED BY {prefix}label_updated_at
    WHERE tenant = :tenant AND label = :value LIMIT :limit
)
