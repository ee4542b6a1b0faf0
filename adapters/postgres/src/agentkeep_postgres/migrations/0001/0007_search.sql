-- The index of a search: trigrams find any part of any word in any script. Each entry also says in which tenant and in
-- which session a message is, so that a search within one of them does not read the others' (SRCH-1).
DO $$
BEGIN
    BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
        RAISE NOTICE 'pg_trgm is not available: a search reads all messages of a tenant, or of the session that it names';
    END;
    IF EXISTS (SELECT FROM pg_opclass WHERE opcname = 'gin_trgm_ops' AND pg_opclass_is_visible(oid)) THEN
        CREATE INDEX {bare}messages_trigrams ON {prefix}messages
        USING gin ((ARRAY[tenant || E'\x1f', tenant || E'\x1f' || session_id]), search gin_trgm_ops)
        WHERE search IS NOT NULL;
    END IF;
END
$$;

-- The value that an index's key is compared with. PostgreSQL 15 expects this function to be expensive. It calls it once for
-- a range of an index, and again for each row of any other plan. Without it, a plan made for a small table reads all rows
-- of a filter by a bitmap and sorts them, dead entries too, which a bitmap never marks as dead. Such a plan is then kept.
CREATE FUNCTION {prefix}as_key(value text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
BEGIN
    RETURN value;
END
$$;
