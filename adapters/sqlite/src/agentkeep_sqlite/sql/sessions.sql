-- name: load_session
-- What a write needs to know of a session. No row if it is absent, expired or outside the scope.
SELECT key, version, message_count, last_seq, label_count, last_message_at, completed_at, expires_at
FROM {prefix}session
WHERE tenant = :tenant AND id = :id
  AND (expires_at IS NULL OR expires_at > :now)
  AND (:user_id IS NULL OR user_id = :user_id);

-- name: session_with_id
-- The session with an id, expired or not, of any user.
SELECT key, expires_at FROM {prefix}session WHERE tenant = :tenant AND id = :id;

-- name: get_session
SELECT s.id, s.user_id, s.agent_name, d.title, s.status, d.current_route, d.current_step, d.state, d.metadata,
    s.parent_id, s.forked_at_seq, s.version, s.schema_version, s.message_count, s.last_seq, s.created_at,
    s.updated_at, s.last_message_at, s.completed_at, s.expires_at
FROM {prefix}session AS s LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE s.tenant = :tenant AND s.id = :id
  AND (s.expires_at IS NULL OR s.expires_at > :now)
  AND (:user_id IS NULL OR s.user_id = :user_id);

-- name: session_of_key
SELECT s.id, s.user_id, s.agent_name, d.title, s.status, d.current_route, d.current_step, d.state, d.metadata,
    s.parent_id, s.forked_at_seq, s.version, s.schema_version, s.message_count, s.last_seq, s.created_at,
    s.updated_at, s.last_message_at, s.completed_at, s.expires_at
FROM {prefix}session AS s LEFT JOIN {prefix}session_data AS d ON d.session = s.key
WHERE s.key = :key;

-- name: insert_session
INSERT INTO {prefix}session (tenant, id, user_id, agent_name, status, parent_id, forked_at_seq, version, schema_version,
    message_count, last_seq, label_count, created_at, updated_at, last_message_at, completed_at, expires_at)
VALUES (:tenant, :id, :user_id, :agent_name, :status, :parent_id, :forked_at_seq, :version, :schema_version,
    :message_count, :last_seq, :label_count, :created_at, :updated_at, :last_message_at, :completed_at, :expires_at)
RETURNING key;

-- name: insert_data
INSERT INTO {prefix}session_data (session, title, current_route, current_step, state, metadata)
VALUES (:key, :title, :current_route, :current_step, :state, :metadata);

-- name: insert_label
INSERT INTO {prefix}session_label (session, label, tenant, id, created_at, updated_at)
SELECT key, :label, tenant, id, created_at, updated_at FROM {prefix}session WHERE key = :key;

-- name: update_session
-- Every column that an update can name; those not named come with the value that they had in this transaction.
UPDATE {prefix}session
SET user_id = :user_id, agent_name = :agent_name, status = :status, schema_version = :schema_version,
    completed_at = :completed_at, version = version + 1
WHERE key = :key;

-- name: update_data
UPDATE {prefix}session_data
SET title = :title, current_route = :current_route, current_step = :current_step, state = :state, metadata = :metadata
WHERE session = :key;

-- name: set_label_count
UPDATE {prefix}session SET label_count = :label_count WHERE key = :key;

-- name: set_updated_at
UPDATE {prefix}session SET updated_at = max(updated_at, :now) WHERE key = :key;

-- name: set_expires_at
UPDATE {prefix}session SET expires_at = :expires_at WHERE key = :key;

-- name: set_labels_updated_at
-- Only for sessions that have labels (label_count).
UPDATE {prefix}session_label SET updated_at = max(updated_at, :now) WHERE session = :key;

-- name: fork_session
INSERT INTO {prefix}session (tenant, id, user_id, agent_name, status, parent_id, forked_at_seq, version, schema_version,
    message_count, last_seq, label_count, created_at, updated_at, last_message_at, completed_at, expires_at)
SELECT tenant, :new_id, user_id, agent_name, 'active', id, :at_seq, 1, schema_version,
    0, :at_seq, label_count, :now, :now, NULL, NULL, :expires_at
FROM {prefix}session WHERE key = :parent
RETURNING key;

-- name: fork_data
INSERT INTO {prefix}session_data (session, state, metadata)
SELECT :key, state, metadata FROM {prefix}session_data WHERE session = :parent;

-- name: fork_labels
INSERT INTO {prefix}session_label (session, label, tenant, id, created_at, updated_at)
SELECT :key, label, tenant, :new_id, :now, :now FROM {prefix}session_label WHERE session = :parent;

-- name: fork_messages
INSERT INTO {prefix}message (session, seq, id, role, created_at, payload)
SELECT :key, seq, id, role, created_at, payload
FROM {prefix}message WHERE session = :parent AND seq <= :at_seq ORDER BY seq;

-- name: delete_labels
DELETE FROM {prefix}session_label WHERE session = :key;

-- name: delete_data
DELETE FROM {prefix}session_data WHERE session = :key;

-- name: delete_session
DELETE FROM {prefix}session WHERE key = :key;

-- name: expired
SELECT key FROM {prefix}session
WHERE expires_at <= :now
  AND (:tenant IS NULL OR tenant = :tenant)
  AND (:user_id IS NULL OR user_id = :user_id)
ORDER BY expires_at LIMIT :limit;
