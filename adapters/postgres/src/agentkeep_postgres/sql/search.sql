-- The parts of a search (SRCH-1). A message is found if its folded text contains every word. Core folded both.
--
-- At most `candidates` hits are read and ranked, so a common word costs no more than they do. The score counts how often
-- the words occur.

-- name: search_begin
SELECT {message_columns}, m.session_id, (
    SELECT sum((length(m.search) - length(replace(m.search, word, ''))) / length(word))
    FROM unnest(:words::text[]) AS word
)::float8 AS score
FROM (
    SELECT m.*
    FROM {prefix}messages AS m
    CROSS JOIN LATERAL (
        SELECT * FROM {prefix}sessions AS held WHERE held.tenant = m.tenant AND held.id = m.session_id OFFSET 0
    ) AS s
    WHERE m.search LIKE ALL (:patterns::text[])

-- name: search_end
    LIMIT :candidates::bigint
) AS m
ORDER BY score DESC, m.created_at DESC, m.session_id, m.seq DESC LIMIT :limit::bigint

-- name: index_tenant
-- With pg_trgm: the index knows the tenant and the session of each entry.
AND ARRAY[m.tenant || E'\x1f', m.tenant || E'\x1f' || m.session_id] @> ARRAY[:tenant::text || E'\x1f']

-- name: index_session
-- as_key: before the first ANALYZE a plan that reads all messages looks cheap.
AND ARRAY[m.tenant || E'\x1f', m.tenant || E'\x1f' || m.session_id]
    @> ARRAY[{prefix}as_key(:tenant::text || E'\x1f' || :session_id::text)]

-- name: from_mine
FROM {prefix}sessions AS mine
WHERE mine.listed AND {prefix}key_in('updated', mine.tenant || E'\x1f' || mine.user_id) = :tenant::text || E'\x1f' || :owner::text

-- name: index_owner
AND ARRAY[m.tenant || E'\x1f', m.tenant || E'\x1f' || m.session_id] @> ARRAY[{prefix}as_key(:tenant::text || E'\x1f')]
AND ARRAY[m.tenant || E'\x1f', m.tenant || E'\x1f' || m.session_id] && ARRAY(
    SELECT :tenant::text || E'\x1f' || mine.id {from_mine}
)

-- name: index_word_1
AND m.search LIKE :word_1::text

-- name: index_word_2
AND m.search LIKE :word_2::text

-- name: index_word_3
AND m.search LIKE :word_3::text

-- name: index_word_4
AND m.search LIKE :word_4::text

-- name: scan_tenant
-- Without pg_trgm: all messages of the tenant, of the session, or of the user's sessions are read.
AND m.tenant = :tenant::text

-- name: scan_session
AND m.tenant = :tenant::text AND m.session_id = :session_id::text

-- name: scan_owner
AND m.tenant = :tenant::text AND m.session_id = ANY (ARRAY(
    SELECT mine.id {from_mine}
))

-- name: only_role
AND m.role = :role::text
