-- The log's functions, as those of 0002_sessions.sql. The session's row lock makes the order of a session's writes.

-- All of `records.Append`, in its order. 'appended' with the first new seq, 'stored' with the seqs and times of a
-- repeated call; else 'absent', 'partial' (how many are stored), 'other' (which of them differs, from 1), 'version' or
-- 'last_seq' (the actual one). SQLSTATE AK404, and all is rolled back, where the session expired meanwhile: readers may
-- have seen it absent, and nothing brings it back (SES-4). Arrays are of texts, times in them ISO 8601 or microseconds since 1970: a driver knows
-- those without asking the server about its types.
CREATE OR REPLACE FUNCTION {prefix}append(
    p_tenant text, p_user text, p_session text, p_ids text[], p_roles text[], p_payloads text[], p_searches text[],
    p_times text[], p_may_be_stored boolean, p_version bigint, p_last_seq bigint, p_truncate_after bigint,
    p_keep_last bigint, p_idle_ttl bigint, p_changes text,
    OUT outcome text, OUT actual bigint, OUT moment timestamptz, OUT seqs text[], OUT times text[]
)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    session {prefix}sessions;
    added bigint := cardinality(p_ids);
    removed bigint := 0;
    surplus bigint := 0;
    differing bigint;
BEGIN
    session := {prefix}lock_living(p_tenant, p_user, p_session);
    IF session.id IS NULL THEN
        outcome := 'absent';
        RETURN;
    END IF;

    IF p_may_be_stored AND EXISTS (
        SELECT FROM {prefix}messages WHERE tenant = p_tenant AND session_id = p_session AND id = ANY (p_ids)
    ) THEN
        SELECT count(*), min(new.n) FILTER (WHERE m.role <> new.role OR m.payload <> new.payload),
            array_agg(m.seq::text ORDER BY new.n),
            array_agg((extract(epoch FROM m.created_at) * 1000000)::bigint::text ORDER BY new.n)
        INTO actual, differing, seqs, times
        FROM unnest(p_ids, p_roles, p_payloads) WITH ORDINALITY AS new (id, role, payload, n)
        JOIN {prefix}messages AS m ON m.tenant = p_tenant AND m.session_id = p_session AND m.id = new.id;
        outcome := CASE WHEN actual < added THEN 'partial' WHEN differing > 0 THEN 'other' ELSE 'stored' END;
        IF outcome = 'other' THEN
            actual := differing;
        END IF;
        RETURN;
    END IF;

    IF p_version <> session.version THEN
        outcome := 'version';
        actual := session.version;
        RETURN;
    ELSIF p_last_seq <> session.last_seq THEN
        outcome := 'last_seq';
        actual := session.last_seq;
        RETURN;
    END IF;

    moment := clock_timestamp();
    IF p_truncate_after IS NOT NULL THEN
        DELETE FROM {prefix}messages
        WHERE tenant = p_tenant AND session_id = p_session AND seq > p_truncate_after;
        GET DIAGNOSTICS removed = ROW_COUNT;
    END IF;
    INSERT INTO {prefix}messages (tenant, session_id, seq, id, role, created_at, payload, search)
    SELECT p_tenant, p_session, session.last_seq + new.n, new.id, new.role, coalesce(new.at::timestamptz, moment), new.payload,
        new.search
    FROM unnest(p_ids, p_roles, p_times, p_payloads, p_searches)
        WITH ORDINALITY AS new (id, role, at, payload, search, n);
    surplus := session.message_count - removed + added - p_keep_last;
    IF surplus > 0 THEN
        PERFORM {prefix}cut_oldest(p_tenant, p_session, surplus);
        removed := removed + surplus;
    END IF;

    IF p_changes IS NOT NULL THEN
        PERFORM {prefix}store({prefix}changed(session, p_changes, moment), moment);
    END IF;
    UPDATE {prefix}sessions SET
        updated_at = greatest(updated_at, moment),
        message_count = message_count - removed + added,
        last_seq = last_seq + added,
        last_message_at = CASE
            WHEN added > 0 THEN coalesce(p_times[added]::timestamptz, moment)
            WHEN removed > 0 THEN {prefix}newest_time(p_tenant, p_session)
            ELSE last_message_at
        END,
        expires_at = CASE
            WHEN p_idle_ttl IS NULL THEN expires_at
            ELSE greatest(expires_at, moment + p_idle_ttl * interval '1 microsecond')
        END
    WHERE tenant = p_tenant AND id = p_session;
    IF session.watched_until > moment THEN
        PERFORM pg_notify('{bare}landed', p_tenant || chr(31) || p_session);
    END IF;
    IF session.expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'the session expired during the append' USING ERRCODE = 'AK404';
    END IF;
    outcome := 'appended';
    actual := session.last_seq + 1;
END
$$;

-- Removes the oldest messages of a session; its caller holds the lock.
CREATE OR REPLACE FUNCTION {prefix}cut_oldest(p_tenant text, p_session text, p_count bigint) RETURNS void
LANGUAGE sql AS $$
DELETE FROM {prefix}messages WHERE tenant = p_tenant AND session_id = p_session AND seq <= (
    SELECT seq FROM {prefix}messages
    WHERE tenant = p_tenant AND session_id = p_session ORDER BY seq OFFSET p_count - 1 LIMIT 1
);
$$;

CREATE OR REPLACE FUNCTION {prefix}newest_time(p_tenant text, p_session text) RETURNS timestamptz
LANGUAGE sql AS $$
SELECT created_at FROM {prefix}messages
WHERE tenant = p_tenant AND session_id = p_session ORDER BY seq DESC LIMIT 1;
$$;

-- Keeps the newest `p_keep_last` of the messages up to `p_after_seq` of a session that the caller has locked and found
-- alive; how many went.
CREATE OR REPLACE FUNCTION {prefix}cut_locked(p_session {prefix}sessions, p_after_seq bigint, p_keep_last bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    removed bigint := 0;
    surplus bigint;
BEGIN
    IF p_after_seq IS NOT NULL THEN
        DELETE FROM {prefix}messages
        WHERE tenant = p_session.tenant AND session_id = p_session.id AND seq > p_after_seq;
        GET DIAGNOSTICS removed = ROW_COUNT;
    END IF;
    surplus := p_session.message_count - removed - p_keep_last;
    IF surplus > 0 THEN
        PERFORM {prefix}cut_oldest(p_session.tenant, p_session.id, surplus);
        removed := removed + surplus;
    END IF;
    UPDATE {prefix}sessions SET
        updated_at = greatest(updated_at, moment),
        message_count = message_count - removed,
        last_message_at = {prefix}newest_time(p_session.tenant, p_session.id)
    WHERE tenant = p_session.tenant AND id = p_session.id;
    RETURN removed;
END
$$;

-- As `cut_locked`; NULL where there is no session.
CREATE OR REPLACE FUNCTION {prefix}cut(
    p_tenant text, p_user text, p_session text, p_after_seq bigint, p_keep_last bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    session {prefix}sessions := {prefix}lock_living(p_tenant, p_user, p_session);
BEGIN
    RETURN CASE WHEN session.id IS NOT NULL THEN {prefix}cut_locked(session, p_after_seq, p_keep_last) END;
END
$$;

-- 'popped' with the newest message, 'empty', or 'absent'.
CREATE OR REPLACE FUNCTION {prefix}pop(
    p_tenant text, p_user text, p_session text, OUT outcome text, OUT message {prefix}messages
)
LANGUAGE plpgsql AS $$
DECLARE
    session {prefix}sessions := {prefix}lock_living(p_tenant, p_user, p_session);
BEGIN
    IF session.id IS NULL THEN
        outcome := 'absent';
        RETURN;
    END IF;
    SELECT * INTO message FROM {prefix}messages
    WHERE tenant = p_tenant AND session_id = p_session ORDER BY seq DESC LIMIT 1;
    outcome := CASE WHEN FOUND THEN 'popped' ELSE 'empty' END;
    PERFORM {prefix}cut_locked(session, message.seq - 1, NULL);
END
$$;

-- 'replaced' with the message; 'absent', 'missing' (the message), or 'changed' where it is not what was expected.
CREATE OR REPLACE FUNCTION {prefix}replace(
    p_tenant text, p_user text, p_session text, p_id text, p_old_role text, p_old_payload text, p_role text,
    p_payload text, p_search text, OUT outcome text, OUT message {prefix}messages
)
LANGUAGE plpgsql AS $$
DECLARE
    session {prefix}sessions := {prefix}lock_living(p_tenant, p_user, p_session);
BEGIN
    IF session.id IS NULL THEN
        outcome := 'absent';
        RETURN;
    END IF;
    SELECT * INTO message FROM {prefix}messages
    WHERE tenant = p_tenant AND session_id = p_session AND id = p_id;
    IF NOT FOUND THEN
        outcome := 'missing';
    ELSIF message.role <> p_old_role OR message.payload <> p_old_payload THEN
        outcome := 'changed';
    ELSE
        UPDATE {prefix}messages SET role = p_role, payload = p_payload, search = p_search
        WHERE tenant = p_tenant AND session_id = p_session AND seq = message.seq
        RETURNING * INTO message;
        UPDATE {prefix}sessions SET updated_at = greatest(updated_at, clock_timestamp())
        WHERE tenant = p_tenant AND id = p_session;
        outcome := 'replaced';
    END IF;
END
$$;
