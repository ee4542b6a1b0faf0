"""The suite that proves an Agentkeep adapter. Inherit from `AdapterConformance` to enrol one."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.families")

from agentkeep_conformance import servers  # noqa: E402 - pytest rewrites asserts only in what is imported later
from agentkeep_conformance.clauses import needs_wire, proves  # noqa: E402
from agentkeep_conformance.database import Database  # noqa: E402
from agentkeep_conformance.enrolment import KnownFailure, OverClient, released  # noqa: E402
from agentkeep_conformance.suite import AdapterConformance  # noqa: E402

__all__ = [
    "AdapterConformance",
    "Database",
    "KnownFailure",
    "OverClient",
    "needs_wire",
    "proves",
    "released",
    "servers",
]
