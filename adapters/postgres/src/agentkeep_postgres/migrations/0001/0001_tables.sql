-- The tables. Every key begins with the tenant and the session, and nothing refers from one session to another, so all
-- tables can be partitioned or distributed by them. COLLATE "C" compares bytes: ids are exact, and cheaper to compare.
--
-- Which index a statement uses must not depend on statistics (COST-4). A server that has none, or has those of one row,
-- finds all indexes equal, or takes the one with the fewest dead entries, and keeps that plan. So the key of each index
-- is an expression that no other index has and that costs much for each row of any other plan: see `key_in`. The primary
-- keys are plain and are made last, because among equal costs the newest index wins.

-- The key of an index. `p_index` does nothing but tell the keys of several indexes apart. The cost is not the function's:
-- it keeps the planner (of PostgreSQL 14 to 18) from every plan that would call it for each row. STRICT: so a comparison
-- implies that the key is not NULL, as the indexes' conditions ask.
CREATE FUNCTION {prefix}key_in(p_index text, p_key anyelement) RETURNS anyelement
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000000000 AS $$
BEGIN
    RETURN p_key;
END
$$;

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
    counters jsonb NOT NULL,
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
    ends_at timestamptz,
    idle_ttl bigint,
    expires_at timestamptz,
    has_labels boolean NOT NULL,
    watched_until timestamptz,
    listed boolean NOT NULL DEFAULT true
) WITH (fillfactor = 80); -- sessions

-- `idle_ttl` is in microseconds. `expires_at` is the earlier of `ends_at` and the last use plus `idle_ttl`.
-- `has_labels`: whether an append must bring rows of `labels` up to date.
-- `listed`: false once listings have passed the session after it expired. Then it is in no part of an index that they read (READ-5).
-- `watched_until`: appends notify only while somebody watches, because commits with NOTIFY wait for each other.

-- One index for each filter that can lead a listing, in both orders (READ-5). No id holds the separator U+001F.
CREATE INDEX {bare}sessions_updated ON {prefix}sessions
(({prefix}key_in('updated', tenant || E'\x1f')), updated_at, id)
WHERE listed;
CREATE INDEX {bare}sessions_created ON {prefix}sessions
(({prefix}key_in('created', tenant || E'\x1f')), created_at, id)
WHERE listed;
CREATE INDEX {bare}sessions_user_updated ON {prefix}sessions
(({prefix}key_in('updated', tenant || E'\x1f' || user_id)), updated_at, id)
WHERE user_id IS NOT NULL AND listed;
CREATE INDEX {bare}sessions_user_created ON {prefix}sessions
(({prefix}key_in('created', tenant || E'\x1f' || user_id)), created_at, id)
WHERE user_id IS NOT NULL AND listed;
CREATE INDEX {bare}sessions_agent_updated ON {prefix}sessions
(({prefix}key_in('updated', tenant || E'\x1f' || agent_name)), updated_at, id)
WHERE agent_name IS NOT NULL AND listed;
CREATE INDEX {bare}sessions_agent_created ON {prefix}sessions
(({prefix}key_in('created', tenant || E'\x1f' || agent_name)), created_at, id)
WHERE agent_name IS NOT NULL AND listed;
CREATE INDEX {bare}sessions_status_updated ON {prefix}sessions
(({prefix}key_in('updated', tenant || E'\x1f' || status)), updated_at, id)
WHERE listed;
CREATE INDEX {bare}sessions_status_created ON {prefix}sessions
(({prefix}key_in('created', tenant || E'\x1f' || status)), created_at, id)
WHERE listed;
CREATE INDEX {bare}sessions_parent_updated ON {prefix}sessions
(({prefix}key_in('updated', tenant || E'\x1f' || parent_id)), updated_at, id)
WHERE parent_id IS NOT NULL AND listed;
CREATE INDEX {bare}sessions_parent_created ON {prefix}sessions
(({prefix}key_in('created', tenant || E'\x1f' || parent_id)), created_at, id)
WHERE parent_id IS NOT NULL AND listed;
CREATE INDEX {bare}sessions_expiry ON {prefix}sessions (({prefix}key_in('expiry', listed)), expires_at)
WHERE expires_at IS NOT NULL;
ALTER TABLE {prefix}sessions ADD PRIMARY KEY (tenant, id);

-- One row for each filterable entry of a session's metadata. It repeats the session's sort keys, so that a page of the
-- sessions with a label is a range of an index.
CREATE TABLE {prefix}labels (
    tenant text COLLATE "C" NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    label text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 80); -- labels
CREATE INDEX {bare}labels_updated ON {prefix}labels
(({prefix}key_in('updated', tenant || E'\x1f' || label)), updated_at, session_id);
CREATE INDEX {bare}labels_created ON {prefix}labels
(({prefix}key_in('created', tenant || E'\x1f' || label)), created_at, session_id);
ALTER TABLE {prefix}labels ADD PRIMARY KEY (tenant, session_id, label);

CREATE TABLE {prefix}messages (
    tenant text COLLATE "C" NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    payload text COLLATE "C" NOT NULL,
    content_key text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    search text COLLATE "C"
) WITH (fillfactor = 100); -- messages
-- `version`: the session's as of the commit that stored the message. `search`: folded by core; NULL if it is empty.

-- IDEM-1: a message's id is unique in its session.
CREATE UNIQUE INDEX {bare}messages_id ON {prefix}messages (session_id, ({prefix}key_in('id', id)), tenant);
ALTER TABLE {prefix}messages ADD PRIMARY KEY (tenant, session_id, seq);
