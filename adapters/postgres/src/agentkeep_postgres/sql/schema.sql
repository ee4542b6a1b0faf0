-- name: lock
-- One migration at a time over all prefixes, because they share the objects of an extension. COMMIT releases it.
SELECT pg_advisory_xact_lock(7310583296418)

-- name: create_versions
-- `oldest`: the oldest version whose release may still use the schema (LIFE-4).
CREATE TABLE IF NOT EXISTS {prefix}schema_version (
    version bigint PRIMARY KEY,
    oldest bigint NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)

-- name: add_version
INSERT INTO {prefix}schema_version (version, oldest) VALUES (:version::bigint, :oldest::bigint)

-- name: version
SELECT version, oldest FROM {prefix}schema_version ORDER BY version DESC LIMIT 1

-- name: server
-- For `open` and `health`. It fails if the schema is missing.
SELECT (SELECT max(version) FROM {prefix}schema_version) AS version,
    (SELECT oldest FROM {prefix}schema_version ORDER BY version DESC LIMIT 1) AS oldest,
    to_regclass(:trigrams::text) IS NOT NULL AS trigrams,
    current_setting('server_version') AS server,
    current_setting('server_encoding') AS encoding,
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS standbys,
    current_setting('default_transaction_isolation') AS isolation,
    pg_is_in_recovery() AS is_replica

-- name: settings
-- A plan that is made while a table has one page is kept as long as the connection. Statistics of so small a table let a
-- scan look cheaper than a look-up by key; the scan then goes on while the table grows (COST-4). No statement of ours
-- needs one. The functions that statements call set the same for themselves.
SELECT set_config('enable_seqscan', 'off', false)

-- name: create_schema
-- CREATE SCHEMA IF NOT EXISTS needs the right to create a schema even if the schema exists.
DO $$ BEGIN
    IF to_regnamespace('{schema}') IS NULL THEN
        CREATE SCHEMA {schema};
    END IF;
END $$
