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
