-- name: session_columns
s.id, s.user_id, s.agent_name, d.title, s.status, d.current_route, d.current_step, d.state, d.metadata, s.counters,
    s.parent_id, s.forked_at_seq, s.version, s.schema_version, s.message_count, s.last_seq, s.created_at, s.updated_at,
    s.last_message_at, s.completed_at, s.ends_at, s.idle_ttl, s.expires_at

-- name: is_visible
-- The session of an id, if it has not expired and the scope may see it.
s.tenant = :tenant AND s.id = :id AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (:user_id IS NULL OR s.user_id = :user_id)

-- name: load_session
-- What a write needs to know of a session that has not expired, whichever user's it is.
SELECT key, user_id, version, message_count, last_seq, label_count, counters, updated_at, ends_at, idle_ttl, expires_at
FROM {prefix}session
WHERE tenant = :tenant AND id = :id;

-- name: get_session
SELECT {session_columns}
FROM {prefix}session AS s LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE {is_visible};

-- name: get_sessions
-- Of a JSON list of ids.
SELECT {session_columns}
FROM json_each(:ids) AS wanted
CROSS JOIN {prefix}session AS s ON s.tenant = :tenant AND s.id = wanted.value
LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE (s.expires_at IS NULL OR s.expires_at > :now) AND (:user_id IS NULL OR s.user_id = :user_id);

-- name: session_of_key
SELECT {session_columns}
FROM {prefix}session AS s LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE s.key = :key;

-- name: has_unsettled
-- Whether any session has expired since :settled.
SELECT 1 FROM {prefix}session WHERE listed = 1 AND expires_at > :settled AND expires_at <= :now LIMIT 1;

-- name: insert_session
INSERT INTO {prefix}session (tenant, id, user_id, agent_name, status, parent_id, forked_at_seq, version, schema_version,
    message_count, last_seq, label_count, counters, created_at, updated_at, last_message_at, completed_at, ends_at,
    idle_ttl, expires_at)
VALUES (:tenant, :id, :user_id, :agent_name, :status, :parent_id, :forked_at_seq, :version, :schema_version,
    :message_count, :last_seq, :label_count, :counters, :created_at, :updated_at, :last_message_at, :completed_at,
    :ends_at, :idle_ttl, :expires_at)
RETURNING key;

-- name: insert_data
INSERT INTO {prefix}session_data (session, title, current_route, current_step, state, metadata)
VALUES (:key, :title, :current_route, :current_step, :state, :metadata);

-- name: insert_label
INSERT INTO {prefix}session_label (session, label, tenant, id, created_at, updated_at)
SELECT key, :label, tenant, id, created_at, updated_at FROM {prefix}session WHERE key = :key;

-- name: copy_labels
INSERT INTO {prefix}session_label (session, label, tenant, id, created_at, updated_at)
SELECT s.key, l.label, s.tenant, s.id, s.created_at, s.updated_at
FROM {prefix}session AS s CROSS JOIN {prefix}session_label AS l ON l.session = :parent
WHERE s.key = :key;

-- name: update_session
-- Every column that a write can change.
UPDATE {prefix}session
SET user_id = :user_id, agent_name = :agent_name, status = :status, version = :version, schema_version = :schema_version,
    message_count = :message_count, last_seq = :last_seq, label_count = :label_count, counters = :counters,
    updated_at = :updated_at, last_message_at = :last_message_at, completed_at = :completed_at, ends_at = :ends_at,
    idle_ttl = :idle_ttl, expires_at = :expires_at
WHERE key = :key;

-- name: update_data
UPDATE {prefix}session_data
SET title = :title, current_route = :current_route, current_step = :current_step, state = :state, metadata = :metadata
WHERE session = :key;

-- name: tenants
-- One look into the index for each tenant, however many sessions it has.
WITH RECURSIVE found (tenant) AS (
    SELECT min(tenant) FROM {prefix}session
    UNION ALL
    SELECT (SELECT min(tenant) FROM {prefix}session WHERE tenant > found.tenant) FROM found WHERE tenant IS NOT NULL
)
SELECT tenant FROM found WHERE tenant IS NOT NULL;

-- name: update_log
-- The columns that an append without other changes writes (CNT-1).
UPDATE {prefix}session
SET message_count = :message_count, last_seq = :last_seq, last_message_at = :last_message_at, counters = :counters,
    updated_at = :updated_at, expires_at = :expires_at
WHERE key = :key;

-- name: update_labels
-- Only for sessions that have labels (label_count).
UPDATE {prefix}session_label SET updated_at = :updated_at WHERE session = :key;

-- name: delete_labels
DELETE FROM {prefix}session_label WHERE session = :key;

-- name: delete_data
DELETE FROM {prefix}session_data WHERE session = :key;

-- name: delete_session
DELETE FROM {prefix}session WHERE key = :key;
