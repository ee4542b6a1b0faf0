"""What a run found so far, line by line in a file: a run that was cut goes on where it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentkeep_conformance.mutate.mutants import Mutant

Said = list[dict[str, Any]]


class OfAnotherState(Exception):
    """The file was written by other sources."""


@dataclass(frozen=True)
class Record:
    """A mutant's verdict."""

    test: str
    clauses: list[str]
    why: str
    seconds: float
    limit: float | None
    """Seconds after which no further test was asked, if that was the end of it."""
    source: str
    """Of the test that killed; the families' state if none did."""


class Kept:
    """What the measurement says of tests that passed, and verdicts. Without a file nothing outlives us."""

    def __init__(self, file: Path | None, state: str) -> None:
        """Raises `OfAnotherState`."""
        self._file = file
        self.tests: dict[str, dict[str, Any]] = {}
        """By the test's name."""
        self.whole_parts: set[tuple[int, str]] = set()
        """Of which all tests are measured, with the state of the families at that time."""
        self._verdicts: dict[str, Record] = {}
        if file and file.is_file():
            first, *lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            if first != {"state": state}:
                raise OfAnotherState(f"{file} was written by other sources: remove it, or take its sources")
            for line in lines:
                if "part" in line:
                    self._remember(**line)
                else:
                    self._verdicts[line["mutant"]] = Record(**line["record"])
        else:
            self._add({"state": state})

    def add_part(self, part: int, said: Said, whole_at: str) -> None:
        """`said`: of tests not measured before. `whole_at`: the families' state; empty if some tests are left."""
        self._remember(part, said, whole_at)
        self._add({"part": part, "said": said, "whole_at": whole_at})

    def _remember(self, part: int, said: Said, whole_at: str) -> None:
        self.tests |= {each["test"]: each for each in said}
        if whole_at:
            self.whole_parts.add((part, whole_at))

    def verdict(self, mutant: Mutant, limit: float | None) -> Record | None:
        found = self._verdicts.get(_key(mutant))
        return found if found and found.limit in (None, limit) else None

    def add_verdict(self, mutant: Mutant, record: Record) -> None:
        self._add({"mutant": _key(mutant), "record": vars(record)})

    def _add(self, line: dict[str, object]) -> None:
        if self._file:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def _key(mutant: Mutant) -> str:
    """A name may stand for two changes of equal lines."""
    return f"{mutant.path} {mutant.change.start} {mutant.name}"
