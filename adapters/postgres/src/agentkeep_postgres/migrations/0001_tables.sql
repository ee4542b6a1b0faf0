-- Every key begins with the tenant and the session, and nothing refers across sessions, so both tables can be
-- partitioned or distributed by them. COLLATE "C" compares bytes: ids are byte-exact, and cheaper to compare.

CREATE TABLE {prefix}sessions (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C",
    agent_name text COLLATE "C",
    title text COLLATE "C",
    status text COLLATE "C" NOT NULL,
    current_route text COLLATE "C",
    current_step text COLLATE "C",
    state text COLLATE "C" NOT NULL,
    metadata text COLLATE "C" NOT NULL,
    labels text[] COLLATE "C" NOT NULL,
    parent_id text COLLATE "C",
    forked_at_seq bigint,
    version bigint NOT NULL,
    schema_version bigint,
    message_count bigint NOT NULL,
    last_seq bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_message_at timestamptz,
    completed_at timestamptz,
    expires_at timestamptz,
    watched_until timestamptz,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 80);

-- `watched_until`: appends notify only while somebody watches, because commits with NOTIFY wait for each other.

-- One index for each filter in the default order; the two of all sessions and of one user's serve the other order too.
CREATE INDEX {bare}sessions_updated ON {prefix}sessions (tenant, updated_at, id);
CREATE INDEX {bare}sessions_created ON {prefix}sessions (tenant, created_at, id);
CREATE INDEX {bare}sessions_user_updated ON {prefix}sessions (tenant, user_id, updated_at, id)
WHERE user_id IS NOT NULL;
CREATE INDEX {bare}sessions_user_created ON {prefix}sessions (tenant, user_id, created_at, id)
WHERE user_id IS NOT NULL;
CREATE INDEX {bare}sessions_agent ON {prefix}sessions (tenant, agent_name, updated_at, id)
WHERE agent_name IS NOT NULL;
CREATE INDEX {bare}sessions_status ON {prefix}sessions (tenant, status, updated_at, id);
CREATE INDEX {bare}sessions_parent ON {prefix}sessions (tenant, parent_id, updated_at, id)
WHERE parent_id IS NOT NULL;
CREATE INDEX {bare}sessions_expiry ON {prefix}sessions (expires_at)
WHERE expires_at IS NOT NULL;
-- Each label begins with its tenant, so that this index never finds another tenant's.
CREATE INDEX {bare}sessions_labels ON {prefix}sessions USING gin (labels);

CREATE TABLE {prefix}messages (
    tenant text COLLATE "C" NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    payload text COLLATE "C" NOT NULL,
    search text COLLATE "C",
    PRIMARY KEY (tenant, session_id, seq)
);

-- IDEM-1: a message's id is its key in the session.
CREATE UNIQUE INDEX {bare}messages_id ON {prefix}messages (tenant, session_id, id);
