-- Times are microseconds since 1970 in UTC. A key is never given twice (AUTOINCREMENT), so it names one session or one
-- message for ever: a watcher sees that its session was replaced, and the search index knows what is new.

-- listed: 0 once listings have passed the session after it expired. Then it is in no index that they read (READ-5).
CREATE TABLE {prefix}session (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    user_id TEXT,
    agent_name TEXT,
    status TEXT NOT NULL,
    parent_id TEXT,
    forked_at_seq INTEGER,
    version INTEGER NOT NULL,
    schema_version INTEGER,
    message_count INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    label_count INTEGER NOT NULL,
    counters TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_message_at INTEGER,
    completed_at INTEGER,
    ends_at INTEGER,
    idle_ttl INTEGER,
    expires_at INTEGER,
    listed INTEGER NOT NULL DEFAULT 1,
    UNIQUE (tenant, id)
);

-- Long values have a table of their own, so that an append rewrites a short row whatever the state's size.
CREATE TABLE {prefix}session_data (
    session INTEGER PRIMARY KEY,
    title TEXT,
    current_route TEXT,
    current_step TEXT,
    state TEXT NOT NULL,
    metadata TEXT NOT NULL
);

-- One row for each filterable entry of a session's metadata. It holds a digest, because an index leaves copies of its
-- rows in the file as it grows, and these survive a deletion until the next sweep. It repeats the sort keys, so that a
-- page filtered by metadata is a range of an index too.
CREATE TABLE {prefix}session_label (
    session INTEGER NOT NULL,
    label TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (session, label)
) WITHOUT ROWID;

-- version: that of the session as of the append that stored the message. search_text comes last, so that reading the
-- other columns never reads it.
CREATE TABLE {prefix}message (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    content_key TEXT NOT NULL,
    payload TEXT NOT NULL,
    search_text TEXT NOT NULL,
    UNIQUE (session, seq),
    UNIQUE (session, id)
);

-- One index for each filter that can lead a listing, in both orders. The id breaks ties.
CREATE INDEX {prefix}session_all_updated_at ON {prefix}session (tenant, updated_at, id)
    WHERE listed = 1;
CREATE INDEX {prefix}session_all_created_at ON {prefix}session (tenant, created_at, id)
    WHERE listed = 1;
CREATE INDEX {prefix}session_status_updated_at ON {prefix}session (tenant, status, updated_at, id)
    WHERE listed = 1;
CREATE INDEX {prefix}session_status_created_at ON {prefix}session (tenant, status, created_at, id)
    WHERE listed = 1;
CREATE INDEX {prefix}session_user_updated_at ON {prefix}session (tenant, user_id, updated_at, id)
    WHERE user_id IS NOT NULL AND listed = 1;
CREATE INDEX {prefix}session_user_created_at ON {prefix}session (tenant, user_id, created_at, id)
    WHERE user_id IS NOT NULL AND listed = 1;
CREATE INDEX {prefix}session_agent_updated_at ON {prefix}session (tenant, agent_name, updated_at, id)
    WHERE agent_name IS NOT NULL AND listed = 1;
CREATE INDEX {prefix}session_agent_created_at ON {prefix}session (tenant, agent_name, created_at, id)
    WHERE agent_name IS NOT NULL AND listed = 1;
CREATE INDEX {prefix}session_parent_updated_at ON {prefix}session (tenant, parent_id, updated_at, id)
    WHERE parent_id IS NOT NULL AND listed = 1;
CREATE INDEX {prefix}session_parent_created_at ON {prefix}session (tenant, parent_id, created_at, id)
    WHERE parent_id IS NOT NULL AND listed = 1;
CREATE INDEX {prefix}label_updated_at ON {prefix}session_label (tenant, label, updated_at, id);
CREATE INDEX {prefix}label_created_at ON {prefix}session_label (tenant, label, created_at, id);

-- For the sweep, and for finding the expired sessions that are still listed.
CREATE INDEX {prefix}session_expires_at ON {prefix}session (listed, expires_at, tenant) WHERE expires_at IS NOT NULL;

-- Sessions that were removed and whose messages are still to be removed, step by step.
CREATE TABLE {prefix}removal (session INTEGER PRIMARY KEY);

-- One row. indexed_to: the key of the last message in the search index. leftovers: whether that index still holds pieces
-- of removed texts. removed: how many texts were removed since the file was last rewritten.
CREATE TABLE {prefix}upkeep (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    indexed_to INTEGER NOT NULL,
    leftovers INTEGER NOT NULL,
    removed INTEGER NOT NULL
);
INSERT INTO {prefix}upkeep VALUES (1, 0, 0, 0);
