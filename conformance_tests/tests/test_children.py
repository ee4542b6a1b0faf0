"""Child processes: forked by a server that has imported what they need, or started anew in another environment."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from agentkeep import Keep, PersistenceAdapter
from agentkeep_conformance.child_server import ForkedProcess
from agentkeep_conformance.children import ChildFailed, ChildFunction, report, spawn
from agentkeep_conformance.enrolment import Enrolment
from agentkeep_memory import MemoryAdapter

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Enrolled(Enrolment):
    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return MemoryAdapter(f"{dsn}{namespace}", **options)


async def tell(keep: Keep, argument: str) -> list[Any]:
    return [os.getpid(), os.getppid(), len(argument), os.environ.get("AGENTKEEP_SOME"), await keep.sessions.count()]


async def fail(keep: Keep) -> None:
    raise LookupError("what the child says")


async def stay(keep: Keep) -> None:
    report("here")
    signal.pause()


def child(function: ChildFunction, *args: Any, copies: int | None = None) -> Any:
    return spawn(Enrolled, "children", "n", function, args, tenant="default", idle_ttl=None, copies=copies)


async def test_children_are_forked_by_one_server_which_is_not_this_process() -> None:
    one, two = [await (await child(tell, "x" * 300_000)).result() for _ in range(2)]
    assert len({one[0], two[0], os.getpid()}) == 3
    assert one[1] == two[1] != os.getpid()
    assert one[2:] == two[2:] == [300_000, None, 0]


async def test_another_environment_takes_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKEEP_SOME", "value")
    told = await (await child(tell, "")).result()
    assert told[1:] == [os.getpid(), 0, "value", 0]
    monkeypatch.undo()
    assert (await (await child(tell, "")).result())[3] is None


async def test_a_child_that_fails_says_why() -> None:
    failing = await child(fail)
    with pytest.raises(ChildFailed, match="LookupError: what the child says"):
        await failing.result()
    assert failing.process.returncode == 1


async def test_a_killed_child_ends_and_the_server_goes_on() -> None:
    staying = await child(stay)
    assert isinstance(staying.process, ForkedProcess)
    assert [await anext(staying.reports())] == ["here"]
    await staying.kill()
    await staying.kill()
    assert staying.process.returncode == -signal.SIGKILL
    assert (await (await child(tell, "")).result())[2] == 0
