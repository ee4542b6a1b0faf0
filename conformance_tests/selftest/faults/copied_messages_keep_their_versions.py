"""A fork's messages say the version that the parent had, so a repeated append returns what no one may expect there."""

from over_sqlite import OverSQLite, state

FAMILY = "versions"
CLAUSE = "IDEM-1"

state(
    "copy_messages",
    "INSERT INTO {prefix}message (session, seq, id, role, created_at, version, content_key, payload, search_text) "
    "SELECT :key, seq, id, role, created_at, version, content_key, payload, search_text "
    "FROM {prefix}message WHERE session = :parent AND seq <= :at_seq ORDER BY seq",
)


class TestFault(OverSQLite):
    pass
