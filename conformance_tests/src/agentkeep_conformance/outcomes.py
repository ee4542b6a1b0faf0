"""What a run found: each test's outcome, and from them each clause's, for each adapter."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pytest

from agentkeep_conformance.clauses import CLAUSES
from agentkeep_conformance.enrolment import Tier
from agentkeep_conformance.servers import NotRun, Server

Outcome = Literal["proved", "FAILED", "known", "NOT RUN", "n/a"]
"""Of a test or a clause. `known`: a known failure, failing as written down. `n/a`: nothing there to act on, no wire or
no earlier release."""

_WORST_FIRST: tuple[Outcome, ...] = ("FAILED", "NOT RUN", "known", "proved", "n/a")


def worst(counts: Mapping[str, int]) -> str:
    """A clause's outcome, from those of its tests."""
    return next((outcome for outcome in _WORST_FIRST if counts.get(outcome)), "no test")


@dataclass
class TestOutcome:
    """One test on one adapter."""

    __test__ = False

    clauses: tuple[str, ...]
    outcome: Outcome
    seconds: float = 0.0
    why: str = ""


@dataclass
class AdapterEvidence:
    """What one run says about one adapter."""

    tests: dict[str, TestOutcome] = field(default_factory=dict[str, TestOutcome])
    declared: dict[str, Any] = field(default_factory=dict[str, Any])
    server: str = "unknown"
    measured: dict[str, int] = field(default_factory=dict[str, int])
    refused: set[str] = field(default_factory=set[str])

    def clause(self, name: str) -> Counter[str]:
        """How many tests of a clause had each outcome."""
        return Counter(test.outcome for test in self.tests.values() if name in test.clauses)

    def counts(self) -> Counter[str]:
        return Counter(test.outcome for test in self.tests.values())


class Evidence:
    """All adapters of a run."""

    def __init__(self) -> None:
        self.adapters: dict[str, AdapterEvidence] = {}
        self._declared: set[str] = set()

    def of(self, adapter: str) -> AdapterEvidence:
        return self.adapters.setdefault(adapter, AdapterEvidence())

    def first_of(self, adapter: str) -> bool:
        """True once for each adapter: its declaration is noted once a run."""
        if adapter in self._declared:
            return False
        self._declared.add(adapter)
        return True

    def not_applicable(self) -> list[tuple[str, str, tuple[str, ...], str]]:
        """Adapter, test, clauses and reason of each test with nothing to act on."""
        return [
            (name, test, found.clauses, found.why)
            for name, adapter in self.adapters.items()
            for test, found in adapter.tests.items()
            if found.outcome == "n/a"
        ]

    def counts(self) -> Counter[str]:
        return sum((adapter.counts() for adapter in self.adapters.values()), Counter[str]())

    def as_json(self, tier: Tier, seed: int) -> dict[str, Any]:
        """The evidence file's content."""
        return {
            "suite": version("agentkeep-conformance"),
            "sources": sources_hash(),
            "core": version("agentkeep"),
            "python": platform.python_version(),
            "tier": tier,
            "seed": seed,
            "counts": dict(self.counts()),
            "adapters": {name: _adapter_json(adapter) for name, adapter in sorted(self.adapters.items())},
        }


def sources_hash() -> str:
    """Of the suite's sources: two runs with one hash ran the same tests."""
    found = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()[:12]


def _adapter_json(adapter: AdapterEvidence) -> dict[str, Any]:
    return {
        "server": adapter.server,
        "declared": adapter.declared,
        "measured": adapter.measured,
        "refused": sorted(adapter.refused),
        "counts": dict(adapter.counts()),
        "clauses": {name: dict(adapter.clause(name)) for name in CLAUSES},
        "tests": {
            name: {"outcome": test.outcome, "clauses": test.clauses, "seconds": round(test.seconds, 3)}
            | ({"why": test.why} if test.why else {})
            for name, test in sorted(adapter.tests.items())
        },
    }


EVIDENCE = pytest.StashKey[Evidence]()
TIER = pytest.StashKey[Tier]()
SEED = pytest.StashKey[int]()
FAILED = pytest.StashKey[bool]()
"""Of a test: whether it failed so far."""
"""From which all that is random in the suite follows."""
REQUIRED = pytest.StashKey[bool]()
"""Whether a server that is not there fails the run."""


def dsn_of(server: Server, config: pytest.Config) -> str:
    """The server's URL. If there is none, the test is NOT RUN; if it was required, the test fails."""
    try:
        return server.dsn
    except NotRun as reason:
        if config.stash[REQUIRED]:
            pytest.fail(f"required, but NOT RUN: {reason}")
        pytest.skip(f"NOT RUN: {reason}")
