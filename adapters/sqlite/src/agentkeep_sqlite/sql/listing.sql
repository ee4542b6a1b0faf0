-- The parts of listing, counting and bulk deletion. `lead` reads one index in the wanted order, the other conditions
-- filter its rows. We choose the index (INDEXED BY), because SQLite does not know how rare a value is.

-- name: select_records
SELECT s.id, s.user_id, s.agent_name, d.title, s.status, d.current_route, d.current_step, d.state, d.metadata,
    s.parent_id, s.forked_at_seq, s.version, s.schema_version, s.message_count, s.last_seq, s.created_at,
    s.updated_at, s.last_message_at, s.completed_at, s.expires_at

-- name: select_count
SELECT count(*)

-- name: select_keys
SELECT s.key

-- name: from_all_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_all_updated_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant

-- name: from_all_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_all_created_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant

-- name: from_status_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_status_updated_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.status = :status

-- name: from_status_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_status_created_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.status = :status

-- name: from_user_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_user_updated_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.user_id = :user_id

-- name: from_user_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_user_created_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.user_id = :user_id

-- name: from_agent_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_agent_updated_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.agent_name = :agent_name

-- name: from_agent_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_agent_created_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.agent_name = :agent_name

-- name: from_parent_updated_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_parent_updated_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.parent_id = :parent_id

-- name: from_parent_created_at
FROM {prefix}session AS lead INDEXED BY {prefix}session_parent_created_at
CROSS JOIN {prefix}session AS s ON s.key = lead.key LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.parent_id = :parent_id

-- name: from_label_updated_at
FROM {prefix}session_label AS lead INDEXED BY {prefix}label_updated_at
CROSS JOIN {prefix}session AS s ON s.key = lead.session LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.label = :label

-- name: from_label_created_at
FROM {prefix}session_label AS lead INDEXED BY {prefix}label_created_at
CROSS JOIN {prefix}session AS s ON s.key = lead.session LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE lead.tenant = :tenant AND lead.label = :label

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
AND (lead.updated_at, lead.id) > (:at, :id)

-- name: behind_updated_at_descending
AND (lead.updated_at, lead.id) < (:at, :id)

-- name: behind_created_at_ascending
AND (lead.created_at, lead.id) > (:at, :id)

-- name: behind_created_at_descending
AND (lead.created_at, lead.id) < (:at, :id)

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
