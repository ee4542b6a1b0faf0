-- The verbs of `protocol.SessionRepository` that write.

-- 'created', or 'exists' with the living session of that id (SES-1). `p_draft`: see `new_session`.
CREATE FUNCTION {prefix}create(p_tenant text, p_draft text, OUT outcome text, OUT session {prefix}sessions)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    LOOP
        session := {prefix}new_session(p_tenant, p_draft::jsonb);
        IF {prefix}put(session, p_draft::jsonb) THEN
            outcome := 'created';
            RETURN;
        END IF;
        SELECT * INTO session FROM {prefix}sessions
        WHERE tenant = p_tenant AND id = session.id AND (expires_at IS NULL OR expires_at > clock_timestamp());
        IF FOUND THEN
            outcome := 'exists';
            RETURN;
        END IF;
    END LOOP;
END
$$;

-- 'updated'; else 'absent', 'version' with the actual one, or an outcome of `add_counters`.
CREATE FUNCTION {prefix}update(
    p_tenant text, p_user text, p_id text, p_version bigint, p_changes text, p_add text,
    OUT outcome text, OUT actual bigint, OUT counter text, OUT session {prefix}sessions
)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    held record;
    counters jsonb;
    expires_at timestamptz;
BEGIN
    SELECT * INTO held FROM {prefix}lock_living(p_tenant, p_user, p_id);
    IF NOT FOUND THEN
        outcome := 'absent';
        RETURN;
    ELSIF p_version <> held.version THEN
        outcome := 'version';
        actual := held.version;
        RETURN;
    END IF;
    IF p_add IS NOT NULL THEN
        SELECT added.* INTO outcome, counter, actual, counters FROM {prefix}add_counters(held.counters, p_add::jsonb) AS added;
        IF outcome IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    expires_at := {prefix}change(p_tenant, p_id, p_changes::jsonb, counters, held.has_labels, held.moment);
    SELECT * INTO session FROM {prefix}sessions AS s WHERE s.tenant = p_tenant AND s.id = p_id;
    PERFORM {prefix}check_alive(held.expires_at, held.life, expires_at);
    outcome := 'updated';
END
$$;

-- The session, or all NULL if it is absent. With `p_ttl` it has a new fixed end (TTL-3).
CREATE FUNCTION {prefix}touch(p_tenant text, p_user text, p_id text, p_ttl bigint) RETURNS {prefix}sessions
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    held record;
    session {prefix}sessions;
    new_end timestamptz;
BEGIN
    SELECT * INTO held FROM {prefix}lock_living(p_tenant, p_user, p_id);
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    new_end := held.moment + p_ttl * interval '1 microsecond';
    UPDATE {prefix}sessions AS s SET
        updated_at = held.moment,
        ends_at = coalesce(new_end, s.ends_at),
        expires_at = least(coalesce(new_end, s.ends_at), held.moment + s.idle_ttl * interval '1 microsecond')
    WHERE s.tenant = p_tenant AND s.id = p_id
    RETURNING s.* INTO session;
    IF held.has_labels THEN
        PERFORM {prefix}date_labels(p_tenant, p_id, held.moment);
    END IF;
    PERFORM {prefix}check_alive(held.expires_at, held.life, session.expires_at);
    RETURN session;
END
$$;

-- 'forked'; else 'absent', 'exists' (of `p_new_id`), or 'seq' with the parent's last one if `p_at_seq` was never given
-- (SES-5). One statement reads the parent and its log, so both are of one moment and the parent needs no lock.
CREATE FUNCTION {prefix}fork(
    p_tenant text, p_user text, p_id text, p_at_seq bigint, p_new_id text, p_version bigint, p_changes text,
    OUT outcome text, OUT actual bigint, OUT session {prefix}sessions
)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    moment timestamptz;
    changes jsonb := p_changes;
BEGIN
    PERFORM {prefix}clear_expired(p_tenant, p_new_id);
    moment := clock_timestamp();
    WITH parent AS (
        SELECT *, coalesce(p_at_seq, last_seq) AS at_seq FROM {prefix}sessions
        WHERE tenant = p_tenant AND id = p_id AND coalesce(p_at_seq, last_seq) <= last_seq
            AND (expires_at IS NULL OR expires_at > moment) AND (p_user IS NULL OR user_id = p_user)
            AND NOT EXISTS (SELECT FROM {prefix}sessions AS other WHERE other.tenant = p_tenant AND other.id = p_new_id)
    ), copied AS (
        INSERT INTO {prefix}messages
            (tenant, session_id, seq, id, role, created_at, payload, content_key, version, search)
        SELECT tenant, p_new_id, seq, id, role, created_at, payload, content_key, p_version, search
        FROM {prefix}messages
        WHERE tenant = p_tenant AND session_id = p_id AND seq <= (SELECT at_seq FROM parent)
        RETURNING seq, created_at
    ), labelled AS (
        INSERT INTO {prefix}labels (tenant, session_id, label, created_at, updated_at)
        SELECT tenant, p_new_id, label, moment, moment FROM {prefix}labels
        WHERE tenant = p_tenant AND session_id = p_id AND EXISTS (SELECT FROM parent)
    )
    INSERT INTO {prefix}sessions AS s (
        tenant, id, user_id, agent_name, status, state, metadata, counters, parent_id, forked_at_seq, version,
        schema_version, message_count, last_seq, created_at, updated_at, last_message_at, ends_at, idle_ttl,
        expires_at, has_labels
    )
    SELECT
        tenant, p_new_id, user_id, agent_name, 'active', state, metadata, counters, p_id, at_seq, p_version,
        schema_version, (SELECT count(*) FROM copied), at_seq, moment, moment,
        (SELECT created_at FROM copied ORDER BY seq DESC LIMIT 1), ends_at, idle_ttl,
        least(ends_at, moment + idle_ttl * interval '1 microsecond'), has_labels
    FROM parent
    RETURNING s.* INTO session;
    IF session.id IS NULL THEN
        SELECT s.last_seq INTO actual FROM {prefix}lock_living(p_tenant, p_user, p_id) AS s;
        PERFORM FROM {prefix}sessions AS s WHERE s.tenant = p_tenant AND s.id = p_new_id;
        -- The last case: the parent was absent when it was read, and another has been made under its id since.
        outcome := CASE
            WHEN actual IS NULL THEN 'absent' WHEN FOUND THEN 'exists' WHEN p_at_seq > actual THEN 'seq' ELSE 'absent'
        END;
        RETURN;
    END IF;
    IF changes IS NOT NULL THEN
        PERFORM {prefix}change(p_tenant, p_new_id, changes, NULL, session.has_labels, moment);
        UPDATE {prefix}sessions AS s SET version = p_version
        WHERE s.tenant = p_tenant AND s.id = p_new_id RETURNING s.* INTO session;
    END IF;
    outcome := 'forked';
EXCEPTION WHEN unique_violation THEN
    outcome := 'exists';
    session := NULL;
END
$$;

-- 'created' or 'exists'. The record's fields come as a JSON object, the log as columns.
CREATE FUNCTION {prefix}restore(
    p_record text, p_ids text[], p_seqs text[], p_roles text[], p_times text[], p_payloads text[], p_keys text[],
    p_searches text[], OUT outcome text
)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    fields jsonb := p_record;
    session {prefix}sessions := jsonb_populate_record(NULL::{prefix}sessions, fields);
BEGIN
    session.has_labels := jsonb_array_length(fields -> 'labels') > 0;
    session.listed := true;
    IF NOT {prefix}put(session, fields) THEN
        outcome := 'exists';
        RETURN;
    END IF;
    INSERT INTO {prefix}messages
        (tenant, session_id, seq, id, role, created_at, payload, content_key, version, search)
    SELECT session.tenant, session.id, m.seq::bigint, m.id, m.role, m.created_at::timestamptz, m.payload, m.content_key,
        session.version, nullif(m.search, '')
    FROM unnest(p_ids, p_seqs, p_roles, p_times, p_payloads, p_keys, p_searches)
        AS m (id, seq, role, created_at, payload, content_key, search);
    outcome := 'created';
END
$$;

-- 'deleted', 'absent', or 'version' with the actual one.
CREATE FUNCTION {prefix}delete(
    p_tenant text, p_user text, p_id text, p_version bigint, OUT outcome text, OUT actual bigint
)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    SELECT version INTO actual FROM {prefix}lock_living(p_tenant, p_user, p_id);
    IF NOT FOUND THEN
        outcome := 'absent';
    ELSIF p_version <> actual THEN
        outcome := 'version';
    ELSE
        PERFORM {prefix}remove(ARRAY[p_tenant], ARRAY[p_id]);
        outcome := 'deleted';
    END IF;
END
$$;
