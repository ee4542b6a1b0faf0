-- Functions do what must read, decide and write under one lock: one round trip, and each statement inside sees all that
-- was committed before it. The parts of a single statement share one older snapshot.
--
-- A function's `outcome` says what happened. If it names an error, nothing was written. All are PL/pgSQL: it keeps plans
-- for the connection's life, and SQL functions plan at each call (before PostgreSQL 18).
-- This file: how a session is found and locked, how long it lives, how it is stored and removed.

-- Locks a session until the transaction ends. No row if it is absent, expired or another user's. The columns that may be
-- large are not read.
CREATE FUNCTION {prefix}lock_living(
    p_tenant text, p_user text, p_id text, OUT version bigint, OUT last_seq bigint, OUT message_count bigint,
    OUT counters jsonb, OUT expires_at timestamptz, OUT has_labels boolean, OUT life interval, OUT moment timestamptz
) RETURNS SETOF record
LANGUAGE plpgsql AS $$
DECLARE
    owner text;
    used_at timestamptz;
BEGIN
    SELECT s.user_id, s.version, s.last_seq, s.message_count, s.counters, s.expires_at, s.has_labels, s.updated_at
    INTO owner, version, last_seq, message_count, counters, expires_at, has_labels, used_at
    FROM {prefix}sessions AS s WHERE s.tenant = p_tenant AND s.id = p_id FOR UPDATE;
    -- The clock is read after the lock, so a reader who saw the session expired before this one decides alike.
    IF NOT FOUND OR expires_at <= clock_timestamp() OR p_user IS NOT NULL AND owner IS DISTINCT FROM p_user THEN
        RETURN;
    END IF;
    life := expires_at - used_at;
    -- `updated_at` never goes back, even if the server's clock does.
    moment := greatest(used_at, clock_timestamp());
    RETURN NEXT;
END
$$;

-- SQLSTATE AK404, and the whole call is rolled back, if the session expired during the call: readers may have seen that,
-- and nothing brings it back (TTL-1). The last step of each call that may move the expiry. The commit takes a moment too:
-- so a call that moves it is refused in the last 20 ms, or the last tenth of a shorter life.
CREATE FUNCTION {prefix}check_alive(p_expired_at timestamptz, p_life interval, p_expires_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    reserve interval := '0';
BEGIN
    IF p_expires_at IS NULL OR p_expires_at > p_expired_at THEN
        reserve := least(interval '20 ms', p_life / 10);
    END IF;
    IF p_expired_at <= clock_timestamp() + reserve THEN
        RAISE EXCEPTION 'the session expired during the call' USING ERRCODE = 'AK404';
    END IF;
END
$$;

-- Removes sessions that the caller has locked, with all that belongs to them (SES-6); returns how many.
CREATE FUNCTION {prefix}remove(p_tenants text[], p_ids text[]) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    gone bigint := coalesce(cardinality(p_ids), 0);
BEGIN
    FOR n IN 1 .. gone LOOP
        DELETE FROM {prefix}messages WHERE tenant = p_tenants[n] AND session_id = p_ids[n];
        DELETE FROM {prefix}labels WHERE tenant = p_tenants[n] AND session_id = p_ids[n];
        DELETE FROM {prefix}sessions WHERE tenant = p_tenants[n] AND id = p_ids[n];
    END LOOP;
    RETURN gone;
END
$$;

-- Removes what an expired session left, so that its id can be used again (SES-4).
CREATE FUNCTION {prefix}clear_expired(p_tenant text, p_id text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM {prefix}sessions
    WHERE tenant = p_tenant AND id = p_id AND expires_at <= clock_timestamp() FOR UPDATE;
    RETURN FOUND AND {prefix}remove(ARRAY[p_tenant], ARRAY[p_id]) = 1;
END
$$;

-- Gives a session that has no labels those of a JSON object's field.
CREATE FUNCTION {prefix}add_labels(p_tenant text, p_id text, p_fields jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {prefix}labels (tenant, session_id, label, created_at, updated_at)
    SELECT DISTINCT s.tenant, s.id, label, s.created_at, s.updated_at
    FROM {prefix}sessions AS s, jsonb_array_elements_text(p_fields -> 'labels') AS label
    WHERE s.tenant = p_tenant AND s.id = p_id;
END
$$;

-- Stores a new session with its labels: true, or false if there is a living one of its id (SES-1).
CREATE FUNCTION {prefix}put(p_new {prefix}sessions, p_fields jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        INSERT INTO {prefix}sessions SELECT (p_new).* ON CONFLICT (tenant, id) DO NOTHING;
        IF FOUND THEN
            IF p_new.has_labels THEN
                PERFORM {prefix}add_labels(p_new.tenant, p_new.id, p_fields);
            END IF;
            RETURN true;
        END IF;
        IF NOT {prefix}clear_expired(p_new.tenant, p_new.id) THEN
            PERFORM FROM {prefix}sessions WHERE tenant = p_new.tenant AND id = p_new.id;
            IF FOUND THEN
                RETURN false;
            END IF;
        END IF;
    END LOOP;
END
$$;

-- The row of a session that begins now. `p_draft`: the fields of `records.SessionDraft`, durations in microseconds.
CREATE FUNCTION {prefix}new_session(p_tenant text, p_draft jsonb) RETURNS {prefix}sessions
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    session {prefix}sessions := jsonb_populate_record(NULL::{prefix}sessions, p_draft);
BEGIN
    session.tenant := p_tenant;
    session.status := 'active';
    session.counters := '{}';
    session.message_count := 0;
    session.last_seq := 0;
    session.created_at := moment;
    session.updated_at := moment;
    session.ends_at := moment + (p_draft ->> 'ttl')::bigint * interval '1 microsecond';
    session.expires_at := least(session.ends_at, moment + session.idle_ttl * interval '1 microsecond');
    session.has_labels := jsonb_array_length(p_draft -> 'labels') > 0;
    session.listed := true;
    RETURN session;
END
$$;

-- Takes up to `p_limit` expired sessions out of the indexes that listings read (READ-5); they stay for the sweep. It
-- waits for the writes that hold their locks.
CREATE FUNCTION {prefix}unlist_expired(p_limit bigint) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    expired record;
BEGIN
    FOR expired IN
        SELECT s.tenant, s.id FROM {prefix}sessions AS s
        WHERE {prefix}key_in('expiry', s.listed) AND s.expires_at <= statement_timestamp()
        ORDER BY s.expires_at LIMIT p_limit FOR UPDATE
    LOOP
        UPDATE {prefix}sessions AS s SET listed = false WHERE s.tenant = expired.tenant AND s.id = expired.id;
        DELETE FROM {prefix}labels AS l WHERE l.tenant = expired.tenant AND l.session_id = expired.id;
    END LOOP;
END
$$;
