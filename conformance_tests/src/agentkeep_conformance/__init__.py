"""The suite that proves an Agentkeep adapter. Inherit from `AdapterConformance` to enrol one."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.families")

from agentkeep_conformance import servers  # noqa: E402 - asserts are rewritten only in what is imported later
from agentkeep_conformance.base import AdapterConformance, KnownFailure  # noqa: E402
from agentkeep_conformance.clauses import needs_wire, proves  # noqa: E402
from agentkeep_conformance.place import Place  # noqa: E402

__all__ = ["AdapterConformance", "KnownFailure", "Place", "needs_wire", "proves", "servers"]
