-- Plain appends to several sessions in one transaction: no option, and ids that are new.

-- A row for each session that was appended to: its place in the arrays from 1, its last seq before, its version, and the
-- time. A session has no row, and nothing of it changed, if `append` must say why (it is absent, expired or another
-- user's), if it expires within a second, or if another transaction holds its lock. Nobody waits for a lock here, so two
-- such calls never wait for each other, and a locked session does not delay the others.
-- `p_places` and `p_numbers`: of each message, the place of its session, and its number among those for it, from 1.
-- Arrays are of texts: see `find_stored`. SQLSTATE AK404, and nothing was written: a session expired meanwhile.
CREATE FUNCTION {prefix}append_many(
    p_tenants text[], p_users text[], p_sessions text[], p_added text[], p_last_times text[], p_places text[],
    p_numbers text[], p_ids text[], p_roles text[], p_times text[], p_payloads text[], p_keys text[], p_searches text[]
) RETURNS TABLE (place int, last_seq bigint, version bigint, moment timestamptz)
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    held record;
    first_expiry timestamptz;
    seqs bigint[];
    versions bigint[];
    moments timestamptz[];
BEGIN
    FOR n IN 1 .. cardinality(p_sessions) LOOP
        seqs[n] := NULL;
        SELECT s.user_id, s.version, s.last_seq, s.updated_at, s.expires_at, s.has_labels, s.watched_until
        INTO held FROM {prefix}sessions AS s
        WHERE s.tenant = p_tenants[n] AND s.id = p_sessions[n] FOR UPDATE SKIP LOCKED;
        -- The clock is read after the lock: see `lock_living`.
        CONTINUE WHEN NOT FOUND OR held.expires_at <= clock_timestamp() + interval '1 second'
            OR p_users[n] IS NOT NULL AND held.user_id IS DISTINCT FROM p_users[n];
        moment := greatest(held.updated_at, clock_timestamp());
        UPDATE {prefix}sessions AS s SET
            updated_at = moment,
            message_count = s.message_count + p_added[n]::bigint,
            last_seq = s.last_seq + p_added[n]::bigint,
            last_message_at = coalesce(p_last_times[n]::timestamptz, moment),
            expires_at = least(s.ends_at, moment + s.idle_ttl * interval '1 microsecond')
        WHERE s.tenant = p_tenants[n] AND s.id = p_sessions[n];
        IF held.has_labels THEN
            PERFORM {prefix}date_labels(p_tenants[n], p_sessions[n], moment);
        END IF;
        IF held.watched_until > moment THEN
            PERFORM pg_notify('{bare}landed', p_tenants[n] || chr(31) || p_sessions[n]);
        END IF;
        first_expiry := least(first_expiry, held.expires_at);
        last_seq := held.last_seq;
        version := held.version;
        seqs[n] := last_seq;
        versions[n] := version;
        moments[n] := moment;
        place := n;
        RETURN NEXT;
    END LOOP;
    INSERT INTO {prefix}messages
        (tenant, session_id, seq, id, role, created_at, payload, content_key, version, search)
    SELECT p_tenants[new.at::int], p_sessions[new.at::int], seqs[new.at::int] + new.number::bigint, new.id, new.role,
        coalesce(new.time::timestamptz, moments[new.at::int]), new.payload, new.key, versions[new.at::int],
        nullif(new.search, '')
    FROM unnest(p_places, p_numbers, p_ids, p_roles, p_times, p_payloads, p_keys, p_searches)
        AS new (at, number, id, role, time, payload, key, search)
    WHERE seqs[new.at::int] IS NOT NULL;
    IF first_expiry IS NOT NULL THEN
        PERFORM {prefix}check_alive(first_expiry, interval '1 second', NULL);
    END IF;
END
$$;
