-- name: is_visible
-- What every statement asks of a session: it is this tenant's, the scope's user may see it, and it has not expired.
s.tenant = :tenant AND (:scope_user IS NULL OR s.user_id = :scope_user)
    AND (s.expires_at IS NULL OR s.expires_at > :now)

-- name: get_session
-- One row; none if the session is absent, expired or not visible.
SELECT s.* FROM {prefix}sessions AS s WHERE {is_visible} AND s.id = :id;
