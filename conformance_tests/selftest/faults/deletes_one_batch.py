"""`delete_many` removes the first batch and says that this was all.

mem0#6108: delete_all removed what one capped listing had shown.
"""

from typing import Any

from agentkeep.sessions import Sessions
from over import OverMemory, plant

FAMILY = "sessions"
CLAUSE = "SES-6"

_delete_many: Any = Sessions.delete_many


async def delete_many(sessions: Sessions, *, dry_run: bool = False, **filters: Any) -> int:
    repository = getattr(sessions, "_repository")  # noqa: B009 - private to all but this lie
    if dry_run or not any(filters.values()):
        return await _delete_many(sessions, dry_run=dry_run, **filters)
    from agentkeep.drafts import session_query

    return await repository.delete_many(getattr(sessions, "_scope"), session_query(filters), limit=100)  # noqa: B009


plant(Sessions, "delete_many", delete_many)


class TestFault(OverMemory):
    pass
