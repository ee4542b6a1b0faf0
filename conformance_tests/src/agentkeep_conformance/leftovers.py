"""Once every session is removed, no record may be left: no row, key or document, whatever it says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from agentkeep import Keep

from agentkeep_conformance.canaries import found_in
from agentkeep_conformance.database import Database
from agentkeep_conformance.samples import said

_ALL_TIME = datetime(9000, 1, 1, tzinfo=UTC)
_COUNTED = "counted"


async def leaves_no_record(database: Database, keep: Keep, tenants: Iterable[str] = ("default",)) -> None:
    """Remove all sessions of these tenants, which are all that the namespace has, and look for what is left.

    An adapter may leave something to the sweeps after that (FLT-1), also to those of a later time.
    """
    enrolment, where = database.enrolment, (database.dsn, database.namespace)
    await keep.for_tenant(_COUNTED).messages.append("s", [said()], create={})
    left = await enrolment.records(*where)
    assert left != 0, "the enrolment's `records` does not count what is stored"
    for tenant in (*tenants, _COUNTED):
        await keep.for_tenant(tenant).sessions.delete_many(updated_before=_ALL_TIME)
    await enrolment.settle(*where)
    left = await enrolment.records(*where)
    while left:
        before = left
        await keep.sweep()
        left = await enrolment.records(*where)
        assert left is None or left < before, f"{left} records are left, and there is no session"


class Traces:
    """What was stored in sessions that go, and their tenants: nothing of it may be left in the end."""

    def __init__(self, database: Database, keep: Keep) -> None:
        """Every other session of the namespace must be gone by then."""
        self._database = database
        self._keep = keep
        self._tenants: list[str] = []
        self._stored: dict[str, str] = {}

    def add(self, tenants: Iterable[str], text: str, about: str) -> None:
        """A text that was stored in one of these tenants. `about`: for the failure, what became of its session."""
        self._tenants += tenants
        self._stored[text] = about

    async def leave_nothing(self) -> None:
        """Neither such a text is stored any more, nor any record once all sessions are removed."""
        left = await found_in(self._database, list(self._stored))
        assert [self._stored[text] for text in left] == []
        await leaves_no_record(self._database, self._keep, self._tenants)
