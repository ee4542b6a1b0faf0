-- What must look, decide and write under one lock is a function: one round trip, and each statement inside sees all
-- that was committed before it, which the parts of a single statement do not (they share one older snapshot).
-- The answer's `outcome` says what happened; nothing was written unless it says so.

-- The living session, locked until the transaction ends; all NULL where it is absent, expired or another user's.
CREATE OR REPLACE FUNCTION {prefix}lock_living(p_tenant text, p_user text, p_id text) RETURNS {prefix}sessions
LANGUAGE plpgsql AS $$
DECLARE
    found_session {prefix}sessions;
BEGIN
    SELECT * INTO found_session FROM {prefix}sessions WHERE tenant = p_tenant AND id = p_id FOR UPDATE;
    IF found_session.expires_at <= clock_timestamp()
        OR p_user IS NOT NULL AND found_session.user_id IS DISTINCT FROM p_user
    THEN
        RETURN NULL;
    END IF;
    RETURN found_session;
END
$$;

-- Removes sessions that the caller has locked, with all of theirs (SES-6); says how many.
CREATE OR REPLACE FUNCTION {prefix}remove(p_tenants text[], p_ids text[]) RETURNS bigint
LANGUAGE plpgsql STRICT AS $$
DECLARE
    removed bigint;
BEGIN
    DELETE FROM {prefix}messages AS m
    USING unnest(p_tenants, p_ids) AS gone (tenant, id)
    WHERE m.tenant = gone.tenant AND m.session_id = gone.id;
    DELETE FROM {prefix}sessions AS s
    USING unnest(p_tenants, p_ids) AS gone (tenant, id)
    WHERE s.tenant = gone.tenant AND s.id = gone.id;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

-- Removes what an expired session left behind, so that its id can be given again (SES-4).
CREATE OR REPLACE FUNCTION {prefix}clear_expired(p_tenant text, p_id text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {prefix}sessions WHERE tenant = p_tenant AND id = p_id AND expires_at <= clock_timestamp();
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM {prefix}messages WHERE tenant = p_tenant AND session_id = p_id;
    RETURN true;
END
$$;

-- Stores a new session unless a living one has its id: 'created', or 'exists' with that one (SES-1).
CREATE OR REPLACE FUNCTION {prefix}put(p_new {prefix}sessions, OUT outcome text, OUT session {prefix}sessions)
LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        INSERT INTO {prefix}sessions SELECT (p_new).* ON CONFLICT (tenant, id) DO NOTHING;
        IF FOUND THEN
            outcome := 'created';
            session := p_new;
            RETURN;
        END IF;
        CONTINUE WHEN {prefix}clear_expired(p_new.tenant, p_new.id);
        SELECT * INTO session FROM {prefix}sessions WHERE tenant = p_new.tenant AND id = p_new.id;
        IF FOUND THEN
            outcome := 'exists';
            RETURN;
        END IF;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION {prefix}create(
    p_tenant text, p_id text, p_user_id text, p_agent_name text, p_title text, p_state text, p_metadata text,
    p_labels text[], p_parent_id text, p_schema_version bigint, p_ttl bigint,
    OUT outcome text, OUT session {prefix}sessions
)
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    fresh {prefix}sessions;
    stored record;
BEGIN
    fresh.tenant := p_tenant;
    fresh.id := p_id;
    fresh.user_id := p_user_id;
    fresh.agent_name := p_agent_name;
    fresh.title := p_title;
    fresh.status := 'active';
    fresh.state := p_state;
    fresh.metadata := p_metadata;
    fresh.labels := p_labels;
    fresh.parent_id := p_parent_id;
    fresh.version := 1;
    fresh.schema_version := p_schema_version;
    fresh.message_count := 0;
    fresh.last_seq := 0;
    fresh.created_at := moment;
    fresh.updated_at := moment;
    fresh.expires_at := moment + p_ttl * interval '1 microsecond';
    SELECT * INTO stored FROM {prefix}put(fresh);
    outcome := stored.outcome;
    session := stored.session;
END
$$;

-- The fields that `p_changes` (a JSON object) names, the others as they are, and a version more (SES-2, SES-3).
CREATE OR REPLACE FUNCTION {prefix}changed(p_session {prefix}sessions, p_changes text, p_moment timestamptz)
RETURNS {prefix}sessions
LANGUAGE plpgsql AS $$
DECLARE
    changes jsonb := p_changes;
    after {prefix}sessions := jsonb_populate_record(p_session, changes);
BEGIN
    IF changes ? 'status' THEN
        after.completed_at := CASE
            WHEN after.status = 'completed' THEN coalesce(p_session.completed_at, p_moment)
        END;
    END IF;
    after.version := p_session.version + 1;
    RETURN after;
END
$$;

-- Writes what `changed` gave over the session, which the caller has locked and found alive.
CREATE OR REPLACE FUNCTION {prefix}store(p_after {prefix}sessions, p_moment timestamptz) RETURNS {prefix}sessions
LANGUAGE plpgsql AS $$
DECLARE
    stored {prefix}sessions;
BEGIN
    UPDATE {prefix}sessions AS s SET
        user_id = p_after.user_id, agent_name = p_after.agent_name, title = p_after.title, status = p_after.status,
        current_route = p_after.current_route, current_step = p_after.current_step, state = p_after.state,
        metadata = p_after.metadata, labels = p_after.labels, schema_version = p_after.schema_version,
        version = p_after.version, completed_at = p_after.completed_at,
        updated_at = greatest(s.updated_at, p_moment)
    WHERE s.tenant = p_after.tenant AND s.id = p_after.id
    RETURNING s.* INTO stored;
    RETURN stored;
END
$$;

-- 'updated'; else 'absent', or 'version' with the actual one.
CREATE OR REPLACE FUNCTION {prefix}update(
    p_tenant text, p_user text, p_id text, p_version bigint, p_changes text,
    OUT outcome text, OUT actual bigint, OUT session {prefix}sessions
)
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
BEGIN
    session := {prefix}lock_living(p_tenant, p_user, p_id);
    moment := clock_timestamp();
    IF session.id IS NULL THEN
        outcome := 'absent';
        RETURN;
    ELSIF p_version <> session.version THEN
        outcome := 'version';
        actual := session.version;
        RETURN;
    END IF;
    session := {prefix}store({prefix}changed(session, p_changes, moment), moment);
    outcome := 'updated';
END
$$;

-- 'forked'; else 'absent', or 'exists'. The copy is made of one snapshot, so the parent needs no lock (SES-5).
CREATE OR REPLACE FUNCTION {prefix}fork(
    p_tenant text, p_user text, p_id text, p_at_seq bigint, p_new_id text, p_ttl bigint,
    OUT outcome text, OUT session {prefix}sessions
)
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    fresh {prefix}sessions;
BEGIN
    PERFORM {prefix}clear_expired(p_tenant, p_new_id);
    WITH parent AS (
        SELECT * FROM {prefix}sessions
        WHERE tenant = p_tenant AND id = p_id
            AND (expires_at IS NULL OR expires_at > moment)
            AND (p_user IS NULL OR user_id = p_user)
    ), copied AS (
        INSERT INTO {prefix}messages (tenant, session_id, seq, id, role, created_at, payload, search)
        SELECT m.tenant, p_new_id, m.seq, m.id, m.role, m.created_at, m.payload, m.search
        FROM parent JOIN {prefix}messages AS m ON m.tenant = parent.tenant AND m.session_id = parent.id
        WHERE m.seq <= p_at_seq
            AND NOT EXISTS (SELECT FROM {prefix}sessions AS s WHERE s.tenant = p_tenant AND s.id = p_new_id)
        RETURNING seq, created_at
    )
    INSERT INTO {prefix}sessions AS s (
        tenant, id, user_id, agent_name, status, state, metadata, labels, parent_id, forked_at_seq, version,
        schema_version, message_count, last_seq, created_at, updated_at, last_message_at, expires_at
    )
    SELECT
        tenant, p_new_id, user_id, agent_name, 'active', state, metadata, labels, p_id, p_at_seq, 1,
        schema_version, (SELECT count(*) FROM copied), p_at_seq, moment, moment,
        (SELECT created_at FROM copied ORDER BY seq DESC LIMIT 1),
        CASE WHEN p_ttl IS NULL THEN expires_at ELSE moment + p_ttl * interval '1 microsecond' END
    FROM parent
    RETURNING s.* INTO session;
    outcome := CASE WHEN session.id IS NULL THEN 'absent' ELSE 'forked' END;
EXCEPTION WHEN unique_violation THEN
    outcome := 'exists';
    session := NULL;
END
$$;

-- 'created' or 'exists'. The record's fields come as a JSON object, the log as columns.
CREATE OR REPLACE FUNCTION {prefix}restore(
    p_record text, p_ids text[], p_seqs text[], p_roles text[], p_times text[], p_payloads text[],
    p_searches text[], OUT outcome text
)
LANGUAGE plpgsql AS $$
DECLARE
    fresh {prefix}sessions := jsonb_populate_record(NULL::{prefix}sessions, p_record::jsonb);
BEGIN
    SELECT stored.outcome INTO outcome FROM {prefix}put(fresh) AS stored;
    IF outcome = 'created' THEN
        INSERT INTO {prefix}messages (tenant, session_id, id, seq, role, created_at, payload, search)
        SELECT fresh.tenant, fresh.id, m.id, m.seq::bigint, m.role, m.created_at::timestamptz, m.payload, m.search
        FROM unnest(p_ids, p_seqs, p_roles, p_times, p_payloads, p_searches)
            AS m (id, seq, role, created_at, payload, search);
    END IF;
END
$$;
