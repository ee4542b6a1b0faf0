-- How the fields of a session change.

-- Counters after an addition (CNT-2). `outcome` is NULL, 'many_counters' with how many there would be, or
-- 'large_counter' with the counter's name and what it would be.
CREATE FUNCTION {prefix}add_counters(
    p_counters jsonb, p_add jsonb, OUT outcome text, OUT name text, OUT actual bigint, OUT counters jsonb
)
LANGUAGE plpgsql AS $$
DECLARE
    largest bigint := 9007199254740991;
BEGIN
    SELECT p_counters || jsonb_object_agg(added.key, coalesce((p_counters ->> added.key)::bigint, 0) + added.value::bigint)
    INTO counters
    FROM jsonb_each_text(p_add) AS added;
    SELECT count(*) INTO actual FROM jsonb_object_keys(counters);
    IF actual > 64 THEN
        outcome := 'many_counters';
        RETURN;
    END IF;
    SELECT each.key, each.value::bigint INTO name, actual
    FROM jsonb_each_text(counters) AS each WHERE abs(each.value::bigint) > largest LIMIT 1;
    IF FOUND THEN
        outcome := 'large_counter';
    END IF;
END
$$;

-- Sets the fields that `p_changes` names and keeps the others, adds 1 to the version (SES-2, SES-3), and stores
-- `p_counters` if it is given. Returns when the session expires now. A field that is kept is not read, so a large state
-- costs nothing. The caller has locked the session; `p_moment` becomes `updated_at`.
CREATE FUNCTION {prefix}change(
    p_tenant text, p_id text, p_changes jsonb, p_counters jsonb, p_had_labels boolean, p_moment timestamptz
) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    new_expiry timestamptz;
    new_end timestamptz := p_moment + (p_changes ->> 'ttl')::bigint * interval '1 microsecond';
    microsecond interval := '1 microsecond';
BEGIN
    UPDATE {prefix}sessions AS s SET
        user_id = CASE WHEN p_changes ? 'user_id' THEN p_changes ->> 'user_id' ELSE s.user_id END,
        agent_name = CASE WHEN p_changes ? 'agent_name' THEN p_changes ->> 'agent_name' ELSE s.agent_name END,
        title = CASE WHEN p_changes ? 'title' THEN p_changes ->> 'title' ELSE s.title END,
        status = CASE WHEN p_changes ? 'status' THEN p_changes ->> 'status' ELSE s.status END,
        completed_at = CASE
            WHEN NOT p_changes ? 'status' THEN s.completed_at
            WHEN p_changes ->> 'status' = 'completed' THEN coalesce(s.completed_at, p_moment)
        END,
        current_route = CASE WHEN p_changes ? 'current_route' THEN p_changes ->> 'current_route' ELSE s.current_route END,
        current_step = CASE WHEN p_changes ? 'current_step' THEN p_changes ->> 'current_step' ELSE s.current_step END,
        state = CASE WHEN p_changes ? 'state' THEN p_changes ->> 'state' ELSE s.state END,
        metadata = CASE WHEN p_changes ? 'metadata' THEN p_changes ->> 'metadata' ELSE s.metadata END,
        has_labels = CASE
            WHEN p_changes ? 'labels' THEN jsonb_array_length(p_changes -> 'labels') > 0
            ELSE s.has_labels
        END,
        schema_version = CASE
            WHEN p_changes ? 'schema_version' THEN (p_changes ->> 'schema_version')::bigint
            ELSE s.schema_version
        END,
        ends_at = CASE WHEN p_changes ? 'ttl' THEN new_end ELSE s.ends_at END,
        idle_ttl = CASE WHEN p_changes ? 'idle_ttl' THEN (p_changes ->> 'idle_ttl')::bigint ELSE s.idle_ttl END,
        expires_at = CASE
            WHEN NOT p_changes ?| ARRAY['ttl', 'idle_ttl'] THEN s.expires_at
            ELSE least(
                CASE WHEN p_changes ? 'ttl' THEN new_end ELSE s.ends_at END,
                p_moment + microsecond
                    * CASE WHEN p_changes ? 'idle_ttl' THEN (p_changes ->> 'idle_ttl')::bigint ELSE s.idle_ttl END
            )
        END,
        counters = coalesce(p_counters, s.counters),
        version = s.version + 1,
        updated_at = p_moment
    WHERE s.tenant = p_tenant AND s.id = p_id
    RETURNING s.expires_at INTO new_expiry;
    IF p_changes ? 'labels' THEN
        DELETE FROM {prefix}labels WHERE tenant = p_tenant AND session_id = p_id;
        PERFORM {prefix}add_labels(p_tenant, p_id, p_changes);
    ELSIF p_had_labels THEN
        PERFORM {prefix}date_labels(p_tenant, p_id, p_moment);
    END IF;
    RETURN new_expiry;
END
$$;

-- Labels repeat their session's `updated_at`.
CREATE FUNCTION {prefix}date_labels(p_tenant text, p_id text, p_moment timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {prefix}labels SET updated_at = p_moment WHERE tenant = p_tenant AND session_id = p_id;
END
$$;
