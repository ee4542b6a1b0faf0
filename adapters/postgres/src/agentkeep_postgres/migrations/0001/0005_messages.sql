-- The verbs of `protocol.MessageRepository` that write, without `append`. The session's row lock orders the writes.

-- Removes the oldest messages of a session that the caller has locked.
CREATE FUNCTION {prefix}cut_oldest(p_tenant text, p_session text, p_count bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {prefix}messages WHERE tenant = p_tenant AND session_id = p_session AND seq <= (
        SELECT seq FROM {prefix}messages
        WHERE tenant = p_tenant AND session_id = p_session ORDER BY seq OFFSET p_count - 1 LIMIT 1
    );
END
$$;

CREATE FUNCTION {prefix}newest_time(p_tenant text, p_session text) RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (
        SELECT created_at FROM {prefix}messages
        WHERE tenant = p_tenant AND session_id = p_session ORDER BY seq DESC LIMIT 1
    );
END
$$;

-- Removes the messages after `p_after_seq`, then all but the newest `p_keep_last`, of a session that holds `p_count`.
-- Returns how many went. NULL is no bound. The caller has locked the session.
CREATE FUNCTION {prefix}cut_log(
    p_tenant text, p_session text, p_count bigint, p_after_seq bigint, p_keep_last bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    removed bigint := 0;
    surplus bigint;
BEGIN
    IF p_after_seq IS NOT NULL THEN
        DELETE FROM {prefix}messages WHERE tenant = p_tenant AND session_id = p_session AND seq > p_after_seq;
        GET DIAGNOSTICS removed = ROW_COUNT;
    END IF;
    surplus := p_count - removed - p_keep_last;
    IF surplus > 0 THEN
        PERFORM {prefix}cut_oldest(p_tenant, p_session, surplus);
        removed := removed + surplus;
    END IF;
    RETURN removed;
END
$$;

-- How many messages went; NULL if the session is absent.
CREATE FUNCTION {prefix}cut(
    p_tenant text, p_user text, p_session text, p_after_seq bigint, p_keep_last bigint
) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    held record;
    removed bigint;
BEGIN
    SELECT * INTO held FROM {prefix}lock_living(p_tenant, p_user, p_session);
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    removed := {prefix}cut_log(p_tenant, p_session, held.message_count, p_after_seq, p_keep_last);
    PERFORM {prefix}log_changed(p_tenant, p_session, removed, held.has_labels, held.moment);
    RETURN removed;
END
$$;

-- Brings the session's row and the dates of its labels up to date after its log has changed, and `p_removed` messages
-- have gone. `touch`, `change` and `append` set other columns in the same UPDATE, so they have their own.
CREATE FUNCTION {prefix}log_changed(
    p_tenant text, p_session text, p_removed bigint, p_has_labels boolean, p_moment timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {prefix}sessions AS s SET
        updated_at = p_moment,
        message_count = s.message_count - p_removed,
        last_message_at = {prefix}newest_time(p_tenant, p_session)
    WHERE s.tenant = p_tenant AND s.id = p_session;
    IF p_has_labels THEN
        PERFORM {prefix}date_labels(p_tenant, p_session, p_moment);
    END IF;
END
$$;

-- 'popped' with the newest message, 'empty', or 'absent'.
CREATE FUNCTION {prefix}pop(
    p_tenant text, p_user text, p_session text, OUT outcome text, OUT message {prefix}messages
)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    held record;
BEGIN
    SELECT * INTO held FROM {prefix}lock_living(p_tenant, p_user, p_session);
    IF NOT FOUND THEN
        outcome := 'absent';
        RETURN;
    END IF;
    SELECT * INTO message FROM {prefix}messages AS m
    WHERE m.tenant = p_tenant AND m.session_id = p_session ORDER BY m.seq DESC LIMIT 1;
    outcome := CASE WHEN FOUND THEN 'popped' ELSE 'empty' END;
    DELETE FROM {prefix}messages AS m
    WHERE m.tenant = p_tenant AND m.session_id = p_session AND m.seq = message.seq;
    PERFORM {prefix}log_changed(p_tenant, p_session, (outcome = 'popped')::int, held.has_labels, held.moment);
END
$$;

-- 'replaced' with the message; 'absent', 'missing' (the message), or 'changed' if its content key is not `p_expected`.
CREATE FUNCTION {prefix}replace(
    p_tenant text, p_user text, p_session text, p_id text, p_expected text, p_role text, p_payload text, p_key text,
    p_search text, OUT outcome text, OUT message {prefix}messages
)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    held record;
BEGIN
    SELECT * INTO held FROM {prefix}lock_living(p_tenant, p_user, p_session);
    IF NOT FOUND THEN
        outcome := 'absent';
        RETURN;
    END IF;
    SELECT * INTO message FROM {prefix}messages AS m
    WHERE m.session_id = p_session AND {prefix}key_in('id', m.id) = p_id AND m.tenant = p_tenant;
    IF NOT FOUND THEN
        outcome := 'missing';
        RETURN;
    ELSIF message.content_key <> p_expected THEN
        outcome := 'changed';
        RETURN;
    END IF;
    UPDATE {prefix}messages AS m SET
        role = p_role, payload = p_payload, content_key = p_key, search = nullif(p_search, '')
    WHERE m.tenant = p_tenant AND m.session_id = p_session AND m.seq = message.seq
    RETURNING m.* INTO message;
    PERFORM {prefix}log_changed(p_tenant, p_session, 0, held.has_labels, held.moment);
    outcome := 'replaced';
END
$$;
