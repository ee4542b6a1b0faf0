"""The model and the comparing are checked themselves: random programs find adapters that lie in small ways."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any, ClassVar, get_type_hints

import pytest
from agentkeep import Message, SessionFields, SessionFilters, SessionUpdate
from agentkeep.messages import Messages
from agentkeep.records import Scope
from agentkeep.sessions import Sessions
from agentkeep_conformance import AdapterConformance, Database
from agentkeep_conformance.agreement import (
    Computed,
    FirstVersion,
    Instant,
    NextVersion,
    SameOrLater,
    Unknown,
    agree,
    value_of,
)
from agentkeep_conformance.families import stateful
from agentkeep_conformance.families.stateful import program, run_programs, shortened
from agentkeep_memory import MemoryAdapter
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.sessions import MemorySessions
from msgspec.structs import replace

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class LyingMessages(MemoryMessages):
    lie: ClassVar[str] = ""

    async def append(self, scope: Any, append: Any) -> Any:
        match self.lie:
            case "forgets the update":
                append = replace(append, changes=None)
            case "never looks for ids":
                append = replace(append, messages=[replace(each, id=f"{each.id}+") for each in append.messages])
            case "does not slide":
                found = self._client.find_any(scope, append.session_id, self._client.now())
                before = found and found.record.expires_at
                result = await super().append(scope, append)
                if found and append.changes is None:
                    found.record = replace(found.record, expires_at=before)
                return result
            case "says that all is new":
                result = await super().append(scope, append)
                return result._replace(new=len(result.messages))
            case "skips after comparing":
                append = replace(append, stored="conflict")
            case _:
                pass
        return await super().append(scope, append)

    async def list(self, scope: Any, session_id: str, window: Any) -> Any:
        if self.lie == "includes the bound":
            window = replace(window, after=max(0, window.after - 1))
        return await super().list(scope, session_id, window)

    async def truncate(self, scope: Any, session_id: str, *, after_seq: int) -> int:
        entry = self._client.find(scope, session_id, self._client.now())
        before = entry.record.updated_at
        removed = await super().truncate(scope, session_id, after_seq=after_seq)
        if self.lie == "a cut moves no time":
            entry.record = replace(entry.record, updated_at=before)
        return removed

    async def search(self, scope: Any, query: Any) -> Any:
        if self.lie == "searches every role":
            query = replace(query, role=None)
        return await super().search(scope, query)


class LyingSessions(MemorySessions):
    lie: ClassVar[str] = ""

    async def update(
        self, scope: Any, session_id: str, changes: Any, *, add: Any = None, expected_version: Any = None
    ) -> Any:
        if self.lie == "looks at no version":
            expected_version = None
        if self.lie == "ends stay":
            changes = {name: value for name, value in changes.items() if name != "idle_ttl"}
        return await super().update(scope, session_id, changes, add=add, expected_version=expected_version)

    async def delete(self, scope: Any, session_id: str, *, expected_version: Any = None) -> bool:
        scope = Scope(scope.tenant) if self.lie == "deletes for any user" else scope
        return await super().delete(scope, session_id, expected_version=expected_version)

    async def count(self, scope: Any, query: Any) -> int:
        if self.lie == "counts with the bound" and query.updated_after is not None:
            query = replace(query, updated_after=query.updated_after - timedelta(microseconds=1))
        return await super().count(scope, query)

    async def resume(self, scope: Any, session_id: str, *, tail: int) -> Any:
        found = await super().resume(scope, session_id, tail=tail)
        return found._replace(messages=found.messages[:2]) if self.lie == "resumes with two" else found

    async def restore(self, scope: Any, record: Any, labels: Any, messages: Any) -> None:
        if self.lie == "restores the last seq of the log" and messages:
            record = replace(record, last_seq=messages[-1].seq)
        await super().restore(scope, record, labels, messages)


LIES = [
    "forgets the update",
    "never looks for ids",
    "does not slide",
    "says that all is new",
    "skips after comparing",
    "includes the bound",
    "a cut moves no time",
    "searches every role",
    "looks at no version",
    "ends stay",
    "deletes for any user",
    "counts with the bound",
    "resumes with two",
    "restores the last seq of the log",
]


class Enrolled(AdapterConformance):
    """Not collected: random programs alone are run on it."""

    __test__ = False
    lie = ""

    def open(self, dsn: str, namespace: str, **options: Any) -> MemoryAdapter:
        adapter = MemoryAdapter(f"{dsn}{namespace}", **options)
        client: Any = getattr(adapter, "_client")  # noqa: B009 - the lies stand on its insides
        adapter.sessions = type("Sessions", (LyingSessions,), {"lie": self.lie})(client)
        adapter.messages = type("Messages", (LyingMessages,), {"lie": self.lie})(client)
        return adapter


def database(lie: str) -> Database:
    enrolment = type("Enrolled", (Enrolled,), {"lie": lie})()
    return Database(enrolment, f"test_model {lie}", "n", "everyday")


@cache
def met() -> Counter[tuple[str, str, str]]:
    """What the programs of every day met on an adapter that is right."""
    return run_programs(database(""), 0)


@pytest.mark.parametrize("lie", LIES)
def test_random_programs_find_the_lie(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stateful, "SHORTEN_SECONDS", 0.0)
    with pytest.raises(AssertionError, match="after this program"):
        run_programs(database(lie), 0)


_POSITIONAL = {"self", "id", "session_id", "messages", "ids", "n"}


def options_of(verb: Any) -> set[str]:
    """The names of a verb's optional arguments, those of its fields too."""
    code, hints = verb.__code__, get_type_hints(verb)
    names = {*code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]} - _POSITIONAL
    for fields in (SessionFields, SessionUpdate, SessionFilters):
        if fields.__name__ in str(hints.get("fields", hints.get("filters", ""))):
            names |= fields.__annotations__.keys()
    return names - {"fields", "filters", "user_id" if verb.__name__ in ("find_active", "delete_user") else ""}


COMPARED_OTHERWISE = {"list", "iterate", "search", "watch", "find"}
"""By steps of their own, which compare pages, or what is found by and by."""


@pytest.mark.parametrize("repository", [Sessions, Messages])
def test_the_programs_meet_every_verb_with_every_option(repository: type) -> None:
    prefix = repository.__name__.lower()
    verbs = {name: verb for name, verb in vars(repository).items() if not name.startswith("_")}
    cells = [(f"{prefix}.{name}", "") for name in verbs.keys() - COMPARED_OTHERWISE]
    cells += [
        (f"{prefix}.{name}", option) for name in verbs.keys() - COMPARED_OTHERWISE for option in options_of(verbs[name])
    ]
    assert len(cells) > 20
    rare = sorted(cell for cell in cells if met()[*cell, "ok"] < 3)
    assert rare == [], "the programs of every day hardly ever do this with success"


@pytest.mark.parametrize(
    "cell",
    [
        ("messages.append", "create", "AlreadyExists"),
        ("messages.append", "add", "LimitExceeded"),
        ("messages.append", "stored", "Conflict"),
        ("messages.append", "expected_version", "Conflict"),
        ("messages.append", "expected_last_seq", "Conflict"),
        ("messages.append", "", "SessionNotFound"),
        ("messages.append", "", "InvalidInput"),
        ("messages.update", "", "MessageNotFound"),
        ("sessions.update", "expected_version", "Conflict"),
        ("sessions.update", "add", "LimitExceeded"),
        ("sessions.delete", "expected_version", "Conflict"),
        ("sessions.fork", "at_seq", "InvalidInput"),
        ("sessions.fork", "", "AlreadyExists"),
        ("sessions.create", "", "AlreadyExists"),
        ("sessions.get_or_create", "", "AlreadyExists"),
        ("sessions.resume", "", "SessionNotFound"),
        ("sessions.restore", "", "AlreadyExists"),
        ("sessions.restore", "", "ok"),
    ],
    ids=" ".join,
)
def test_the_programs_meet_each_outcome(cell: tuple[str, str, str]) -> None:
    assert met()[cell] > 0


def test_a_failing_program_is_made_short() -> None:
    steps = program(Random(1))
    needed = [steps[10], steps[40]]

    def fails(bench: Any, tried: list[Any]) -> Exception | None:
        return AssertionError() if all(step in tried for step in needed) else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stateful, "failure_of", fails)
        assert shortened(None, steps) == needed  # pyright: ignore[reportArgumentType]


def test_what_was_shown_once_has_to_stay() -> None:
    unknown = Unknown()
    agree(unknown, "a")
    agree(unknown, "a")
    with pytest.raises(AssertionError, match="was a"):
        agree(unknown, "b")


def test_times_go_forward_and_are_utc() -> None:
    created = Instant()
    agree(created, NOON)
    agree(Instant(created), NOON + timedelta(microseconds=1))
    for wrong in (NOON, NOON - timedelta(microseconds=1)):
        with pytest.raises(AssertionError, match="should be later"):
            agree(Instant(created), wrong)
    agree(SameOrLater(created), NOON)
    with pytest.raises(AssertionError, match="went back"):
        agree(SameOrLater(created), NOON - timedelta(microseconds=1))
    with pytest.raises(AssertionError, match="UTC"):
        agree(Instant(), NOON.replace(tzinfo=None))


def test_a_computed_time_follows_from_what_is_known_by_then() -> None:
    updated = Instant()
    ends = Computed(lambda: None if value_of(updated) is None else value_of(updated) + timedelta(hours=1))
    agree(updated, NOON)
    agree(ends, NOON + timedelta(hours=1))
    with pytest.raises(AssertionError, match="should be"):
        agree(Computed(lambda: NOON), NOON + timedelta(seconds=1))


def test_versions_go_on_by_one_and_no_life_begins_with_an_earlier_one() -> None:
    given: set[int] = set()
    first = FirstVersion(given)
    agree(first, 7)
    agree(NextVersion(first, given), 8)
    for wrong in (7, 8, 0, 1.0):
        with pytest.raises(AssertionError):
            agree(FirstVersion(given), wrong)
    with pytest.raises(AssertionError, match="should follow"):
        agree(NextVersion(first, given), 9)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [(1, 1.0), (0.0, -0.0), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({}, None), ([], None), (True, 1), (None, "")],
)
def test_near_is_not_equal(expected: Any, actual: Any) -> None:
    with pytest.raises(AssertionError, match="expected"):
        agree(expected, actual)


def test_rows_agree_with_structs_and_name_the_field_that_does_not() -> None:
    message = Message(
        **dict.fromkeys(Message.__struct_fields__, None)  # pyright: ignore[reportArgumentType]
        | {"id": "m", "seq": 1, "metadata": {"a": [1]}}
    )
    row: dict[str, Any] = {name: getattr(message, name) for name in Message.__struct_fields__}
    agree([row], [message])
    with pytest.raises(AssertionError, match=r"result\[0\]\.metadata"):
        agree([row | {"metadata": {"a": [1.0]}}], [message])
    with pytest.raises(AssertionError, match="1 rows, expected 2"):
        agree([row, row], [message])
