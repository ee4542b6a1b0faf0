"""What a run found so far, line by line in a file: a run that was cut goes on where it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentkeep_conformance.mutate.mutants import Mutant

Said = list[dict[str, Any]]


class OfAnotherState(Exception):
    """The file was written by other sources."""


def state_of(folder: Path, tests: list[str]) -> str:
    """Changes with the package, with the suite and with the tests that are asked. Other packages are not looked at."""
    spec = find_spec("agentkeep_conformance")
    assert spec is not None
    assert spec.origin is not None
    found = sha256(json.dumps(tests).encode())
    for root in (folder, Path(spec.origin).parent, *(Path(test.partition("::")[0]) for test in tests)):
        for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if file.is_file() and file.suffix != ".pyc":
                found.update(file.read_bytes())
    return found.hexdigest()[:16]


@dataclass(frozen=True)
class Record:
    """A mutant's verdict."""

    test: str
    clauses: list[str]
    why: str
    seconds: float
    limit: float | None
    """Seconds after which no further test was asked, if that was the end of it."""


class Kept:
    """What each part of the measurement says of tests that passed, and verdicts. Without a file nothing outlives us."""

    def __init__(self, file: Path | None, state: str) -> None:
        """Raises `OfAnotherState`."""
        self._file = file
        self.parts: dict[int, Said] = {}
        self.whole_parts: set[int] = set()
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

    def verdict(self, mutant: Mutant, limit: float | None) -> Record | None:
        found = self._verdicts.get(_key(mutant))
        return found if found and found.limit in (None, limit) else None

    def add_part(self, part: int, said: Said, *, is_whole: bool) -> None:
        """`said`: of the tests that were not measured before."""
        self._remember(part, said, is_whole=is_whole)
        self._add({"part": part, "said": said, "is_whole": is_whole})

    def _remember(self, part: int, said: Said, *, is_whole: bool) -> None:
        self.parts.setdefault(part, []).extend(said)
        if is_whole:
            self.whole_parts.add(part)

    def add_verdict(self, mutant: Mutant, record: Record) -> None:
        self._add({"mutant": _key(mutant), "record": vars(record)})

    def _add(self, line: dict[str, object]) -> None:
        if self._file:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def _key(mutant: Mutant) -> str:
    """A name may stand for two changes of equal lines."""
    return f"{mutant.path} {mutant.change.start} {mutant.name}"
