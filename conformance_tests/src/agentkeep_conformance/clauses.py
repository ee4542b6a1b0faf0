"""The contract's clauses, read from the docstrings of `agentkeep.protocol`, and the decorator that binds a test."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import pytest
from agentkeep import protocol

_HEAD = re.compile(r"\[([A-Z]+-[0-9]+)\] (.*)")
_Test = TypeVar("_Test", bound=Callable[..., Any])


def _read() -> dict[str, str]:
    clauses: dict[str, list[str]] = {}
    for kind in vars(protocol).values():
        if not inspect.isclass(kind) or kind.__module__ != protocol.__name__:
            continue
        current: list[str] | None = None
        for line in (inspect.getdoc(kind) or "").splitlines():
            head = _HEAD.match(line)
            if head:
                current = clauses.setdefault(head[1], [])
                current.append(head[2])
            elif current is not None and line.startswith("    "):
                current.append(line.strip())
            else:
                current = None
    return {name: " ".join(lines) for name, lines in clauses.items()}


CLAUSES = _read()
"""A clause's name to its text, in the protocol's order."""


def proves(*clauses: str) -> Callable[[_Test], _Test]:
    """Say which clauses a test proves. Raises `LookupError` for a clause that the protocol does not state."""
    unknown = [clause for clause in clauses if clause not in CLAUSES]
    if unknown or not clauses:
        raise LookupError(f"no clause {', '.join(unknown) or 'is named'}: the protocol states {', '.join(CLAUSES)}")
    return cast("Callable[[_Test], _Test]", pytest.mark.proves(*clauses))


def needs_wire(test: _Test) -> _Test:
    """Say that a test acts on the socket between adapter and server: an embedded adapter has none to act on.

    There the test is not run and stands in the table as "n/a", never as proved.
    """
    return pytest.mark.needs_wire(test)


def needs_files(test: _Test) -> _Test:
    """Say that a test acts on the files of an embedded database. A server keeps its own."""
    return pytest.mark.needs_files(test)


def needs_two_loops(test: _Test) -> _Test:
    """Say that a test uses two instances at once, each in an event loop of its own."""
    return pytest.mark.needs_two_loops(test)


def takes_long(test: _Test) -> _Test:
    """Say that a test takes long on a slow server. See `Enrolment.draws_long_tests`."""
    return pytest.mark.takes_long(test)


def needs(hook: str, otherwise: str) -> Callable[[_Test], _Test]:
    """Say that a test acts through an attribute of the enrolment, one of `Enrolment`.

    Where the enrolment leaves that as it is, or empty, the test stands in the table as "n/a", because of `otherwise`.
    """
    return cast("Callable[[_Test], _Test]", pytest.mark.needs(hook, otherwise))


def clauses_of(test: object) -> tuple[str, ...]:
    """The clauses that a test names, in the order of its decorators."""
    marks = cast("list[pytest.Mark]", getattr(test, "pytestmark", []))
    return tuple(str(clause) for mark in marks if mark.name == "proves" for clause in mark.args)


def tests_of(suite: type) -> Iterator[tuple[type, str, Callable[..., Any]]]:
    """Each test of a class and its bases: the class that holds it, its name, the function."""
    for kind in suite.__mro__:
        for name, member in vars(kind).items():
            if name.startswith("test") and callable(member):
                yield kind, name, member


def faults_of(suite: type, *, whole: bool) -> list[str]:
    """What is wrong with a suite's tests: one without a clause, two of one name, a clause without one (if `whole`)."""
    tests = list(tests_of(suite))
    faults = [f"{kind.__name__}.{name} names no clause" for kind, name, test in tests if not clauses_of(test)]
    names = Counter(name for _, name, _ in tests)
    faults += [f"there are {count} tests {name}: one hides the other" for name, count in names.items() if count > 1]
    if whole:
        proved = {clause for _, _, test in tests for clause in clauses_of(test)}
        faults += [f"clause {clause} has no test" for clause in CLAUSES if clause not in proved]
    return faults
