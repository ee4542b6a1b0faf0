"""A bulk removal takes the messages of all its sessions in one transaction: each log alone is short enough."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agentkeep import PersistenceAdapter
from agentkeep_conformance.storage.sqlite import counted
from agentkeep_sqlite.client import Connection
from agentkeep_sqlite.commit import Job
from agentkeep_sqlite.tables import Tables
from over import plant
from over_sqlite import OverSQLite

FAMILY = "bounded_steps"
CLAUSE = "COST-3"

removed = Tables.remove_sessions


def remove_sessions(self: Tables, db: Connection, sessions: Sequence[tuple[int, int]]) -> None:
    for session in sessions:
        removed(self, db, [session])


plant(Tables, "remove_sessions", remove_sessions)


class TestFault(OverSQLite):
    async def longest_step(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        with counted(Job, "run") as steps:
            await call()
        return max(steps)
