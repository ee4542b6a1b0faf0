-- Trigrams find any part of any word in any script. Where the extension can't be had, whole words are found.
DO $$
BEGIN
    BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
        RAISE NOTICE 'pg_trgm is not available: search finds whole words only';
    END;
    IF EXISTS (SELECT FROM pg_opclass WHERE opcname = 'gin_trgm_ops' AND pg_opclass_is_visible(oid)) THEN
        CREATE INDEX {bare}messages_trigrams ON {prefix}messages USING gin (search gin_trgm_ops);
    ELSE
        CREATE INDEX {bare}messages_words ON {prefix}messages
        USING gin (to_tsvector('simple', left(search, 100000)));
    END IF;
END
$$;
