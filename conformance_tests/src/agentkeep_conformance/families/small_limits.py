"""Other families' tests once more, with small limits and other options: neither may change what a call means.

The random programs run with small limits too, but a program rarely has ten sessions under two filters.
"""

from __future__ import annotations

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.repeated import TESTS, run_again
from agentkeep_conformance.small_steps import small_steps


class SmallLimits:
    @proves("READ-1", "READ-2", "READ-5", "SES-5", "ORD-5")
    @pytest.mark.parametrize("name", TESTS)
    async def test_small_limits_change_nothing(self, database: Database, twin: Keep, name: str) -> None:
        keep = await database.keep(**database.enrolment.other_options)
        with small_steps(database.enrolment.small_steps):
            await run_again(self, name, database, keep, twin)
