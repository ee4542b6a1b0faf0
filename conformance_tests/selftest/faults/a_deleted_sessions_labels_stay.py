"""The labels of a session that changed since its creation stay when it is removed.

The statement looks for the time at which they were first written.
"""

from over_sqlite import OverSQLite, state

FAMILY = "erasure_after_writes"
CLAUSE = "SES-6"

state("delete_labels", "DELETE FROM {prefix}session_label WHERE session = :key AND updated_at = created_at")


class TestFault(OverSQLite):
    pass
