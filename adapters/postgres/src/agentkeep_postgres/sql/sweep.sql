-- Removing sessions in steps (COST-3): candidates from an index, then their locks, then the removal. All who remove take
-- locks in the same order, so two of them never wait for each other. A condition is checked again under the lock.

-- name: candidates_begin
WITH candidates AS MATERIALIZED (

-- name: candidates_end
), locked AS MATERIALIZED (
    SELECT s.tenant, s.id
    FROM (SELECT * FROM candidates ORDER BY tenant, id) AS candidate
    CROSS JOIN LATERAL (
        SELECT s.tenant, s.id FROM {prefix}sessions AS s
        WHERE s.tenant = candidate.tenant AND s.id = candidate.id

-- name: only_unchanged
-- When a row was changed while we waited for its lock, the server looks at its newest version again, but at other tables as
-- they were before. So the rows of `labels` do not tell if a session still has them. Each change of them adds to the version.
AND s.version = candidate.version

-- name: locked_end
        FOR UPDATE
    ) AS s
)
SELECT {prefix}remove(ARRAY(SELECT locked.tenant FROM locked), ARRAY(SELECT locked.id FROM locked)),
    (SELECT count(*) FROM candidates)

-- name: from_expired
FROM {prefix}sessions AS s
WHERE {prefix}key_in('expiry', s.listed) AND s.expires_at <= statement_timestamp()

-- name: from_unlisted
FROM {prefix}sessions AS s
WHERE NOT {prefix}key_in('expiry', s.listed) AND s.expires_at <= statement_timestamp()

-- name: only_expired
AND s.expires_at <= statement_timestamp()

-- name: only_tenant
AND s.tenant = :tenant::text

-- name: order_expiry
ORDER BY s.expires_at
