-- One append, in the order that `records.Append` states.

-- What an append finds of its messages (IDEM-1, IDEM-3): `known` counts those that are stored, `differs` is the position
-- of one with another content key, from 1. The arrays have an element for each message of the call, NULL if it is new.
-- `last_seq` and `version` are those of the newest stored one. Arrays are of texts, times in them in microseconds since
-- 1970: a driver knows those types without asking the server.
CREATE FUNCTION {prefix}find_stored(
    p_tenant text, p_session text, p_ids text[], p_keys text[],
    OUT known bigint, OUT differs bigint, OUT last_seq bigint, OUT version bigint,
    OUT seqs text[], OUT roles text[], OUT payloads text[], OUT times text[]
)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT count(m.seq), min(new.n) FILTER (WHERE m.content_key <> new.key), max(m.seq),
        (array_agg(m.version ORDER BY m.seq DESC) FILTER (WHERE m.seq IS NOT NULL))[1],
        array_agg(m.seq::text ORDER BY new.n), array_agg(m.role ORDER BY new.n),
        array_agg(m.payload ORDER BY new.n),
        array_agg((extract(epoch FROM m.created_at) * 1000000)::bigint::text ORDER BY new.n)
    INTO known, differs, last_seq, version, seqs, roles, payloads, times
    FROM unnest(p_ids, p_keys) WITH ORDINALITY AS new (id, key, n)
    LEFT JOIN LATERAL (
        SELECT * FROM {prefix}messages AS stored
        WHERE stored.session_id = p_session AND {prefix}key_in('id', stored.id) = new.id AND stored.tenant = p_tenant
        OFFSET 0
    ) AS m ON true;
END
$$;

-- 'appended', with the first new seq before 1 is added, the time, and the session's version and last seq now; or 'stored'
-- if the call is a repetition. `seqs` and the other arrays: see `find_stored`; NULL if no message was stored before.
-- Else 'absent'; 'foreign' (with `p_create`); 'batch' (how many are stored); 'message_id' (the position); 'version' and
-- 'last_seq' (the actual one); or an outcome of `add_counters`. SQLSTATE AK404: see `check_alive`.
CREATE FUNCTION {prefix}append(
    p_tenant text, p_user text, p_session text, p_ids text[], p_roles text[], p_payloads text[], p_keys text[],
    p_searches text[], p_times text[], p_may_be_stored boolean, p_skip boolean, p_create text, p_version bigint,
    p_last_seq bigint, p_truncate_after bigint, p_keep_last bigint, p_changes text, p_add text,
    OUT outcome text, OUT actual bigint, OUT counter text, OUT version bigint, OUT last_seq bigint,
    OUT moment timestamptz, OUT seqs text[], OUT roles text[], OUT payloads text[], OUT times text[]
)
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    held record;
    draft jsonb;
    stored record;
    known bigint := 0;
    fresh {prefix}sessions;
    new_counters jsonb;
    new_version bigint;
    new_expiry timestamptz;
    used_at timestamptz;
    added bigint := cardinality(p_ids);
    removed bigint := 0;
    surplus bigint;
    is_labelled boolean;
    watched_until timestamptz;
BEGIN
    -- Most appends: no option, and a session without an end. One statement locks the session and changes it. If it finds
    -- none, the steps below say why.
    IF added > 0 AND NOT p_may_be_stored AND coalesce(p_version, p_last_seq, p_truncate_after, p_keep_last) IS NULL
        AND coalesce(p_create, p_changes, p_add) IS NULL THEN
        used_at := clock_timestamp();
        UPDATE {prefix}sessions AS s SET
            updated_at = greatest(s.updated_at, used_at),
            message_count = s.message_count + added,
            last_seq = s.last_seq + added,
            last_message_at = coalesce(p_times[added]::timestamptz, greatest(s.updated_at, used_at))
        WHERE s.tenant = p_tenant AND s.id = p_session AND s.expires_at IS NULL
            AND (p_user IS NULL OR s.user_id = p_user)
        RETURNING s.version, s.last_seq, s.updated_at, s.has_labels, s.watched_until
        INTO version, last_seq, moment, is_labelled, watched_until;
        IF FOUND THEN
            outcome := 'appended';
            actual := last_seq - added;
            IF is_labelled THEN
                UPDATE {prefix}labels SET updated_at = moment WHERE tenant = p_tenant AND session_id = p_session;
            END IF;
            INSERT INTO {prefix}messages
                (tenant, session_id, seq, id, role, created_at, payload, content_key, version, search)
            SELECT p_tenant, p_session, actual + new.n, new.id, new.role, coalesce(new.at::timestamptz, moment),
                new.payload, new.key, version, nullif(new.search, '')
            FROM unnest(p_ids, p_roles, p_times, p_payloads, p_keys, p_searches)
                WITH ORDINALITY AS new (id, role, at, payload, key, search, n);
            IF watched_until > moment THEN
                PERFORM pg_notify('{bare}landed', p_tenant || chr(31) || p_session);
            END IF;
            RETURN;
        END IF;
    END IF;

    -- 1. The session.
    LOOP
        SELECT s.user_id, s.version, s.last_seq, s.message_count, s.counters, s.created_at, s.updated_at, s.expires_at,
            s.has_labels, s.watched_until, false AS is_new
        INTO held FROM {prefix}sessions AS s WHERE s.tenant = p_tenant AND s.id = p_session FOR UPDATE;
        -- The clock is read after the lock: see `lock_living`.
        EXIT WHEN held.version IS NOT NULL AND (held.expires_at IS NULL OR held.expires_at > clock_timestamp());
        IF p_create IS NULL THEN
            outcome := 'absent';
            RETURN;
        END IF;
        -- A session that this call makes has version 0 and last seq 0 (SES-7).
        IF p_version <> 0 OR p_last_seq <> 0 THEN
            outcome := CASE WHEN p_version <> 0 THEN 'version' ELSE 'last_seq' END;
            actual := 0;
            RETURN;
        END IF;
        draft := p_create;
        IF p_add IS NOT NULL THEN
            SELECT sums.* INTO outcome, counter, actual, new_counters
            FROM {prefix}add_counters('{}', p_add::jsonb) AS sums;
            IF outcome IS NOT NULL THEN
                RETURN;
            END IF;
        END IF;
        fresh := {prefix}new_session(p_tenant, draft);
        IF {prefix}put(fresh, draft) THEN
            SELECT fresh.user_id, fresh.version, 0::bigint AS last_seq, 0::bigint AS message_count,
                '{}'::jsonb AS counters, fresh.created_at, fresh.updated_at, fresh.expires_at, fresh.has_labels,
                NULL::timestamptz AS watched_until, true AS is_new
            INTO held;
            EXIT;
        END IF;
    END LOOP;
    IF NOT held.is_new THEN
        IF p_create IS NOT NULL AND (
            p_user IS NOT NULL AND held.user_id IS DISTINCT FROM p_user
            OR p_create::jsonb ->> 'user_id' IS NOT NULL AND held.user_id IS DISTINCT FROM p_create::jsonb ->> 'user_id'
        ) THEN
            outcome := 'foreign';
            RETURN;
        ELSIF p_user IS NOT NULL AND held.user_id IS DISTINCT FROM p_user THEN
            outcome := 'absent';
            RETURN;
        END IF;

        -- 2. The ids.
        IF p_may_be_stored AND added > 0 THEN
            SELECT * INTO stored FROM {prefix}find_stored(p_tenant, p_session, p_ids, p_keys);
            known := stored.known;
            IF known > 0 THEN
                IF NOT p_skip AND (known < added OR stored.differs IS NOT NULL) THEN
                    outcome := CASE WHEN known < added THEN 'batch' ELSE 'message_id' END;
                    actual := CASE WHEN known < added THEN known ELSE stored.differs END;
                    RETURN;
                END IF;
                seqs := stored.seqs;
                roles := stored.roles;
                payloads := stored.payloads;
                times := stored.times;
                IF known = added THEN
                    outcome := 'stored';
                    version := stored.version;
                    last_seq := stored.last_seq;
                    RETURN;
                END IF;
            END IF;
        END IF;

        -- 3. What the caller expects.
        IF p_version <> held.version THEN
            outcome := 'version';
            actual := held.version;
            RETURN;
        ELSIF p_last_seq <> held.last_seq THEN
            outcome := 'last_seq';
            actual := held.last_seq;
            RETURN;
        END IF;
        IF p_add IS NOT NULL THEN
            SELECT sums.* INTO outcome, counter, actual, new_counters
            FROM {prefix}add_counters(held.counters, p_add::jsonb) AS sums;
            IF outcome IS NOT NULL THEN
                RETURN;
            END IF;
        END IF;
    END IF;

    -- 4. The writes.
    used_at := greatest(held.updated_at, clock_timestamp());
    new_version := held.version + (p_changes IS NOT NULL)::int;
    IF p_truncate_after IS NOT NULL THEN
        removed := {prefix}cut_log(p_tenant, p_session, held.message_count, p_truncate_after, NULL);
    END IF;
    IF p_changes IS NOT NULL THEN
        PERFORM {prefix}change(p_tenant, p_session, p_changes::jsonb, NULL, held.has_labels, used_at);
    ELSIF held.has_labels THEN
        PERFORM {prefix}date_labels(p_tenant, p_session, used_at);
    END IF;
    IF known = 0 THEN
        INSERT INTO {prefix}messages
            (tenant, session_id, seq, id, role, created_at, payload, content_key, version, search)
        SELECT p_tenant, p_session, held.last_seq + new.n, new.id, new.role, coalesce(new.at::timestamptz, used_at),
            new.payload, new.key, new_version, nullif(new.search, '')
        FROM unnest(p_ids, p_roles, p_times, p_payloads, p_keys, p_searches)
            WITH ORDINALITY AS new (id, role, at, payload, key, search, n);
    ELSE
        INSERT INTO {prefix}messages
            (tenant, session_id, seq, id, role, created_at, payload, content_key, version, search)
        SELECT p_tenant, p_session, held.last_seq + row_number() OVER (ORDER BY new.n), new.id, new.role,
            coalesce(new.at::timestamptz, used_at), new.payload, new.key, new_version, nullif(new.search, '')
        FROM unnest(p_ids, p_roles, p_times, p_payloads, p_keys, p_searches)
            WITH ORDINALITY AS new (id, role, at, payload, key, search, n)
        WHERE seqs[new.n] IS NULL;
        added := added - known;
    END IF;
    surplus := held.message_count - removed + added - p_keep_last;
    IF surplus > 0 THEN
        PERFORM {prefix}cut_oldest(p_tenant, p_session, surplus);
        removed := removed + surplus;
    END IF;
    UPDATE {prefix}sessions AS s SET
        updated_at = used_at,
        message_count = s.message_count - removed + added,
        last_seq = held.last_seq + added,
        last_message_at = CASE
            WHEN known = 0 AND added > 0 AND p_keep_last IS NULL THEN coalesce(p_times[added]::timestamptz, used_at)
            WHEN removed + added > 0 THEN {prefix}newest_time(p_tenant, p_session)
            ELSE s.last_message_at
        END,
        counters = coalesce(new_counters, s.counters),
        expires_at = least(s.ends_at, used_at + s.idle_ttl * interval '1 microsecond')
    WHERE s.tenant = p_tenant AND s.id = p_session
    RETURNING s.expires_at INTO new_expiry;
    IF held.watched_until > used_at THEN
        PERFORM pg_notify('{bare}landed', p_tenant || chr(31) || p_session);
    END IF;
    IF NOT held.is_new AND held.expires_at IS NOT NULL THEN
        PERFORM {prefix}check_alive(held.expires_at, held.expires_at - held.updated_at, new_expiry);
    END IF;
    outcome := 'appended';
    actual := held.last_seq;
    version := new_version;
    last_seq := held.last_seq + added;
    moment := used_at;
END
$$;
