"""The sync facade: from a script, from threads, and inside a running event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from agentkeep import Closed, NewMessage, SessionNotFound, sync


def test_every_verb_of_the_async_facade_is_there() -> None:
    from agentkeep.keep import Keep
    from agentkeep.messages import Messages
    from agentkeep.sessions import Sessions

    for ours, theirs in ((sync.SyncSessions, Sessions), (sync.SyncMessages, Messages), (sync.SyncKeep, Keep)):
        verbs = {name for name in vars(theirs) if not name.startswith("_")}
        missing = {name for name in verbs if not hasattr(ours, name)}
        assert missing == set()


def test_a_script_appends_reads_and_iterates() -> None:
    with sync.connect("memory://") as keep:
        session = keep.sessions.create(user_id="ann")
        keep.messages.append(session.id, [NewMessage(role="user", content=str(n)) for n in range(3)])
        assert [message.content for message in keep.messages.iterate(session.id)] == ["0", "1", "2"]
        assert [found.id for found in keep.sessions.iterate(user_id="ann")] == [session.id]
        assert keep.for_tenant("acme").sessions.count() == 0
        assert keep.for_user("ann").sessions.count() == 1
        assert keep.sweep() == 0
        assert keep.health().adapter == keep.capabilities.durability.replace("process", "memory")
        with pytest.raises(SessionNotFound):
            keep.messages.tail("absent", 1)


def test_a_watch_can_be_left() -> None:
    with sync.connect("memory://") as keep:
        session = keep.sessions.create()
        keep.messages.append(session.id, [NewMessage(role="user", content="hi")])
        watching = keep.messages.watch(session.id, after_seq=0)
        assert next(watching).content == "hi"


def test_life_2_closed_before_open_and_after_close() -> None:
    keep = sync.connect("memory://")
    with pytest.raises(Closed):
        keep.sessions.count()
    keep.close()
    keep.open()
    assert keep.sessions.count() == 0
    keep.close()
    keep.close()
    with pytest.raises(Closed):
        keep.sessions.count()


def test_it_works_inside_a_running_loop_as_in_a_notebook() -> None:
    async def cell() -> int:
        with sync.connect("memory://") as keep:
            keep.sessions.create()
            return keep.sessions.count()

    assert asyncio.run(cell()) == 1


def test_ord_4_threads_may_share_one_keep() -> None:
    with sync.connect("memory://") as keep, ThreadPoolExecutor(8) as threads:
        session = keep.sessions.create()

        def work(n: int) -> None:
            keep.messages.append(session.id, [NewMessage(role="user", content=str(n))])

        list(threads.map(work, range(200)))
        assert [message.seq for message in keep.messages.iterate(session.id)] == list(range(1, 201))


def test_an_open_that_fails_leaves_no_thread() -> None:
    import threading

    keep = sync.connect("memory://")

    async def fail() -> None:
        raise OSError("no")

    keep.target._shared.adapter.open = fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no"):
        keep.open()
    assert not [thread for thread in threading.enumerate() if thread.name == "agentkeep-sync"]
