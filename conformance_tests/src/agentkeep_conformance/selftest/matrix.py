"""What a self-test found: which test kills which fault, and what is missing of a full matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentkeep_conformance.selftest.runs import Run

_SHOWN = 3
_TRIVIAL = 0.5
"""A fault that more than this part of the tests see is no lie about one thing."""


@dataclass(frozen=True)
class Matrix:
    """The kill matrix.

    `known_gaps` names tests that are known to kill no fault, or that no adapter of the self-test passes. A test that is
    named there and has no such gap any more is a problem too, so the list can only shrink.
    """

    tests: Sequence[str]
    unfaulted: Sequence[Run]
    faults: Sequence[Run]
    known_gaps: frozenset[str] = frozenset()

    @property
    def killed(self) -> list[Run]:
        """The faults that the family which they name has seen."""
        return [run for run in self.faults if _family_killers(run)]

    @property
    def idle(self) -> list[str]:
        """The tests that see no fault, without the known ones."""
        return sorted(self._idle - self.known_gaps)

    @property
    def gaps(self) -> list[str]:
        """All tests that kill no fault, or are passed by no adapter that is right."""
        return sorted(self._idle | self._never)

    @property
    def _idle(self) -> set[str]:
        return set(self.tests) - {test for run in self.faults for test in run.killers}

    @property
    def _never(self) -> set[str]:
        return set(self.tests) - {test for run in self.unfaulted for test in run.passed}

    @property
    def problems(self) -> list[str]:
        """Why the matrix is not full, a line each; empty if it is full."""
        problems = [f"{run.planted.name} could not be run:\n{run.broken}" for run in self._all if run.broken]
        for run in self.unfaulted:
            problems += [f"{run.planted.name}, which is right, fails {test}: {why}" for test, why in run.failed.items()]
            problems += [f"{run.planted.name}, which is right, never ends in {test}" for test in sorted(run.hung)]
        never = sorted(self._never - self.known_gaps)
        problems += [f"{test} was passed by no adapter that is right" for test in never]
        closed = sorted(self.known_gaps - set(self.gaps))
        problems += [f"{test} has no gap any more: take it out of known_gaps.txt" for test in closed]
        problems += [problem for run in self.faults if not run.broken for problem in _problems(run)]
        return problems

    @property
    def _all(self) -> list[Run]:
        return [*self.unfaulted, *self.faults]

    @property
    def verdict(self) -> str:
        killed = f"killed {len(self.killed)}/{len(self.faults)} faults"
        known = f", {len(self.known_gaps)} have a known gap" if self.known_gaps else ""
        return f"{killed}; {len(self.tests)} tests, {len(self.idle)} kill nothing{known}"

    @property
    def full(self) -> bool:
        return not self.problems and not self.idle and len(self.killed) == len(self.faults)

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "full": self.full,
            "faults": {run.planted.name: _fault_json(run) for run in self.faults},
            "tests": {test: [run.planted.name for run in self.faults if test in run.killers] for test in self.tests},
            "unfaulted": {
                run.planted.name: {"passed": len(run.passed), "failed": run.failed} for run in self.unfaulted
            },
            "problems": self.problems,
            "gaps": self.gaps,
        }


def line(run: Run) -> str:
    """One row of the matrix, for people."""
    if not run.planted.family:
        state = "broken" if run.broken else f"fails {len(run.failed) + len(run.hung)}"
        word = state if run.broken or run.failed or run.hung else "right"
        return f"{word:<9} {run.planted.name}: {len(run.passed)} tests passed, {run.seconds:.0f} s"
    word = "killed" if _family_killers(run) else "broken" if run.broken else "SURVIVED"
    killers = [*_family_killers(run), *(test for test in run.killers if family_of(test) != run.planted.family)]
    more = f" +{len(killers) - _SHOWN}" if len(killers) > _SHOWN else ""
    hung = f", {len(run.hung)} hung" if run.hung else ""
    return (
        f"{word:<9} {run.planted.name} [{run.planted.clause}] <- {', '.join(killers[:_SHOWN]) or 'nothing'}{more}{hung}"
    )


def family_of(test: str) -> str:
    return test.partition("::")[0]


def _family_killers(run: Run) -> list[str]:
    return [test for test in run.killers if family_of(test) == run.planted.family]


def _problems(run: Run) -> list[str]:
    fault = run.planted
    problems: list[str] = []
    if not _family_killers(run):
        problems.append(f"{fault.name} survives the family {fault.family}, which must see it: {fault.lie}")
    if run.hung and not fault.hangs:
        problems.append(f"{fault.name} makes tests hang and does not say so: {', '.join(sorted(run.hung))}")
    if len(run.failed) > _TRIVIAL * len(run.ran) and not fault.opening:
        problems.append(f"{fault.name} fails {len(run.failed)} of {len(run.ran)} tests: it is more than one lie")
    return problems


def _fault_json(run: Run) -> dict[str, Any]:
    return {
        "lie": run.planted.lie,
        "clause": run.planted.clause,
        "family": run.planted.family,
        "killed": bool(_family_killers(run)),
        "killed_by": {test: run.failed.get(test, "it never ended") for test in run.killers},
        "hung": sorted(run.hung),
        "ran": len(run.ran),
        "seconds": round(run.seconds, 1),
    }
