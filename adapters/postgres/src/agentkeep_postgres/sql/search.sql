-- The parts of a search. The stored text is folded, and so are the words.

-- name: search_parts
-- A hit contains every word as a part of its text. The longest word uses the index of trigrams. Without that index the
-- server reads all messages of the tenant, or of the session. The score counts the occurrences.
SELECT {message_columns}, m.session_id, (
    SELECT sum((length(m.search) - length(replace(m.search, word, ''))) / length(word))
    FROM unnest(:words::text[]) AS word
)::float8 AS score
FROM {prefix}messages AS m
JOIN {prefix}sessions AS s ON s.tenant = m.tenant AND s.id = m.session_id
WHERE m.tenant = :tenant::text AND m.search LIKE :pattern::text AND m.search LIKE ALL (:patterns::text[])

-- name: search_words
-- Without trigrams: a hit contains every word of the query as a whole word.
SELECT {message_columns}, m.session_id,
    ts_rank(to_tsvector('simple', left(m.search, 100000)), plainto_tsquery('simple', :text::text))::float8 AS score
FROM {prefix}messages AS m
JOIN {prefix}sessions AS s ON s.tenant = m.tenant AND s.id = m.session_id
WHERE m.tenant = :tenant::text
    AND to_tsvector('simple', left(m.search, 100000)) @@ plainto_tsquery('simple', :text::text)

-- name: only_session_id
AND m.session_id = :session_id::text AND s.id = :session_id::text

-- name: only_role
AND m.role = :role::text

-- name: best_first
ORDER BY score DESC, m.created_at DESC, m.session_id, m.seq DESC LIMIT :limit::bigint
