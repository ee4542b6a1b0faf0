"""A namespace that its enrolment can empty is used again, after tests that passed and need no new one."""

from __future__ import annotations

from typing import Any

import anyio
from agentkeep import PersistenceAdapter
from agentkeep_conformance.database import Database
from agentkeep_conformance.enrolment import Enrolment
from agentkeep_memory import MemoryAdapter


class Emptying(Enrolment):
    """Notes what the suite asks for."""

    def __init__(self, *, can_empty: bool = True) -> None:
        self.can_empty = can_empty
        self.told: list[tuple[str, str]] = []

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return MemoryAdapter(f"{dsn}{namespace}", **options)

    def prepare(self, dsn: str, namespace: str) -> None:
        self.told.append(("prepare", namespace))

    async def copy_schema(self, dsn: str, namespace: str) -> None:
        self.told.append(("copy_schema", namespace))

    async def empty(self, dsn: str, namespace: str) -> bool:
        self.told.append(("empty", namespace))
        return self.can_empty

    async def drop(self, dsn: str, namespace: str) -> None:
        self.told.append(("drop", namespace))


def use(enrolment: Enrolment, dsn: str, *, reuse: bool = True, failed: bool = False) -> str:
    """The namespace that a test got."""
    database = Database(enrolment, dsn, reuse=reuse)
    database.reuse = database.reuse and not failed
    anyio.run(database.close)
    return database.namespace


def test_an_emptied_namespace_is_used_again() -> None:
    enrolment = Emptying()
    first = use(enrolment, "a")
    assert use(enrolment, "a") == first
    assert use(enrolment, "elsewhere") != first
    assert enrolment.told[:3] == [("prepare", first), ("empty", first), ("empty", first)]


def test_two_tests_at_once_never_share_a_namespace() -> None:
    enrolment = Emptying()
    use(enrolment, "b")
    one, two = Database(enrolment, "b", reuse=True), Database(enrolment, "b", reuse=True)
    assert one.namespace != two.namespace
    assert one.other_namespace().namespace not in (one.namespace, two.namespace)


def test_a_test_that_needs_a_new_namespace_gets_one_that_is_dropped() -> None:
    enrolment = Emptying()
    first = use(enrolment, "c")
    new = use(enrolment, "c", reuse=False)
    assert new != first
    assert enrolment.told[-2:] == [("prepare", new), ("drop", new)]


def test_the_namespace_of_a_failed_test_is_dropped() -> None:
    enrolment = Emptying()
    first = use(enrolment, "d", failed=True)
    assert enrolment.told == [("prepare", first), ("drop", first)]


def test_what_can_not_be_emptied_is_dropped() -> None:
    enrolment = Emptying(can_empty=False)
    first = use(enrolment, "e")
    assert enrolment.told == [("prepare", first), ("empty", first), ("drop", first)]
    assert use(enrolment, "e") != first


def test_a_schema_is_copied_into_a_new_namespace_alone() -> None:
    enrolment = Emptying()
    database = Database(enrolment, "f", reuse=True)
    anyio.run(database.copy_schema)
    anyio.run(database.close)
    again = Database(enrolment, "f", reuse=True)
    anyio.run(again.copy_schema)
    assert again.namespace == database.namespace
    assert enrolment.told[:2] == [("prepare", database.namespace), ("copy_schema", database.namespace)]
    assert [what for what, _ in enrolment.told].count("copy_schema") == 1
