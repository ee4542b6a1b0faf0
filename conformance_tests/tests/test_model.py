"""The model and the comparing are checked themselves: random programs find adapters that lie in small ways."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from agentkeep import Keep, Message
from agentkeep.records import Append, MessageRange, MessageRecord, Scope, SessionChanges, SessionRecord
from agentkeep_conformance.agreement import Expiry, Instant, Unknown, agree
from agentkeep_conformance.families.stateful import Programs
from agentkeep_conformance.machine import IDLE_TTL
from agentkeep_memory import MemoryAdapter
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.sessions import MemorySessions
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Liar(MemoryAdapter):
    """A memory adapter with one method replaced."""

    def __init__(self, repository: str, verb: str, lie: Any) -> None:
        super().__init__()
        setattr(getattr(self, repository), verb, lie.__get__(getattr(self, repository)))


async def forgets_the_update(self: MemoryMessages, scope: Scope, append: Append) -> list[MessageRecord]:
    return await MemoryMessages.append(self, scope, msgspec.structs.replace(append, changes=None))


async def never_looks_for_ids(self: MemoryMessages, scope: Scope, append: Append) -> list[MessageRecord]:
    fresh = [msgspec.structs.replace(draft, id=f"{draft.id}+") for draft in append.messages]
    return await MemoryMessages.append(self, scope, msgspec.structs.replace(append, messages=fresh))


async def includes_the_bound(
    self: MemoryMessages, scope: Scope, session_id: str, window: MessageRange
) -> list[MessageRecord]:
    return await MemoryMessages.list(
        self, scope, session_id, msgspec.structs.replace(window, after=max(0, window.after - 1))
    )


async def counts_no_version(
    self: MemorySessions, scope: Scope, session_id: str, changes: SessionChanges, *, expected_version: int | None
) -> SessionRecord:
    return await MemorySessions.update(self, scope, session_id, changes, expected_version=None)


async def deletes_for_any_user(self: MemorySessions, scope: Scope, session_id: str) -> bool:
    return await MemorySessions.delete(self, Scope(scope.tenant), session_id)


LIES = [
    ("messages", "append", forgets_the_update),
    ("messages", "append", never_looks_for_ids),
    ("messages", "list", includes_the_bound),
    ("sessions", "update", counts_no_version),
    ("sessions", "delete", deletes_for_any_user),
]


@pytest.mark.parametrize(("repository", "verb", "lie"), LIES, ids=[lie[2].__name__ for lie in LIES])
def test_random_programs_find_the_lie(repository: str, verb: str, lie: Any) -> None:
    adapter = Liar(repository, verb, lie)
    with asyncio.Runner() as loop:
        keeps = (Keep(adapter), Keep(adapter, idle_ttl=IDLE_TTL))
        for keep in keeps:
            loop.run(keep.open())
        machine = type("Programs", (Programs,), {"loop": loop, "keeps": keeps})
        with pytest.raises(AssertionError):
            run_state_machine_as_test(machine, settings=_GENERATE)


_GENERATE = settings(
    max_examples=100,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def test_what_was_shown_once_has_to_stay() -> None:
    unknown = Unknown()
    agree(unknown, "a")
    agree(unknown, "a")
    with pytest.raises(AssertionError, match="was a"):
        agree(unknown, "b")


def test_times_go_forward_and_are_utc() -> None:
    created = Instant()
    agree(created, NOON)
    agree(Instant(created), NOON)
    with pytest.raises(AssertionError, match="went back"):
        agree(Instant(created), NOON - timedelta(microseconds=1))
    with pytest.raises(AssertionError, match="UTC"):
        agree(Instant(), NOON.replace(tzinfo=None))


def test_activity_never_shortens_a_life() -> None:
    later = NOON + timedelta(hours=9)
    agree(Expiry(NOON, timedelta(hours=1), later=later), later)
    agree(Expiry(NOON, timedelta(hours=1)), NOON + timedelta(hours=1))
    with pytest.raises(AssertionError, match="should be"):
        agree(Expiry(NOON, timedelta(hours=1), later=later), NOON + timedelta(hours=1))


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
