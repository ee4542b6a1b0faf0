"""Other families' tests once more, each call by another instance than the one before it.

A team runs several processes, and the next message of a session may reach any of them. So what an instance knows of a
session, and what it still has to do after its last call, is at each call what another instance has just made old.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any, cast

import pytest
from agentkeep import Keep, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.repeated import TESTS, run_again


class Turns:
    """Instances on one namespace, used like one: whatever it is asked for is the next one's."""

    def __init__(self, *instances: View) -> None:
        self._instances = instances
        self._turns = cycle(instances)

    def __getattr__(self, name: str) -> Any:
        return getattr(next(self._turns), name)

    def for_tenant(self, tenant: str) -> Turns:
        return Turns(*(cast("Keep", each).for_tenant(tenant) for each in self._instances))

    def for_user(self, user_id: str) -> Turns:
        return Turns(*(each.for_user(user_id) for each in self._instances))


class ByTurns:
    @proves("ORD-5", "READ-1", "READ-2", "READ-5", "SES-2", "SES-5")
    @pytest.mark.parametrize("name", TESTS)
    async def test_the_next_call_may_be_another_instances(
        self, database: Database, keep: Keep, twin: Keep, name: str
    ) -> None:
        await run_again(self, name, database, cast("Keep", Turns(keep, twin)), await database.keep())
