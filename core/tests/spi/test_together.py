"""Calls that wait for each other: who shares an exchange, and what each caller gets if one fails or is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from agentkeep.errors import OutcomeUnknown, PersistenceError, Refused, SessionNotFound, Unavailable
from agentkeep.spi import together
from agentkeep.spi.together import Sending, Together

pytestmark = pytest.mark.anyio


class Call(NamedTuple):
    name: str
    key: str = "k"
    size: int = 1


class Server:
    """Answers each call with its name, when it is let go on."""

    def __init__(self, **options: int) -> None:
        self.exchanges: list[list[str]] = []
        self.sendings: list[Sending] = []
        self.turn = asyncio.Event()
        self.turn.set()
        self.fails: dict[str, PersistenceError] = {}
        """The error of each exchange that has a call of this name."""
        self.lost: set[str] = set()
        """The names of calls whose first exchange with others gets no answer."""
        self.busy: set[str] = set()
        """The keys of calls that are not done beside those of another key."""
        self.together: Together[Call, str] = Together(
            send_one=self._send_one,
            send_many=self._send_many,
            key=lambda call: call.key,
            size=lambda call: call.size,
            seconds=60,
            **options,
        )

    async def _send_one(self, call: Call, sending: Sending) -> str:
        return (await self._exchange([call], sending))[0]

    async def _send_many(self, calls: Sequence[Call], sending: Sending) -> Sequence[str | None]:
        found = await self._exchange(calls, sending)
        if len({call.key for call in calls}) == 1:
            return found
        return [None if call.key in self.busy else answer for call, answer in zip(calls, found, strict=True)]

    async def _exchange(self, calls: Sequence[Call], sending: Sending) -> list[str]:
        self.exchanges.append([call.name for call in calls])
        self.sendings.append(sending)
        await asyncio.sleep(0)
        await self.turn.wait()
        for call in calls:
            if len(calls) > 1 and call.name in self.lost:
                raise OutcomeUnknown("no answer came")
            if call.name in self.fails:
                raise self.fails[call.name]
        return [call.name for call in calls]

    async def began(self, number: int) -> None:
        """Until so many exchanges have begun."""
        async with asyncio.timeout(60):
            while len(self.exchanges) < number:  # noqa: ASYNC110 - it counts turns of the event loop
                await asyncio.sleep(0)

    def start(self, *calls: Call) -> list[asyncio.Task[str]]:
        return [asyncio.ensure_future(self.together.run(call)) for call in calls]


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def held(calls: Sequence[Call], **options: int) -> tuple[Server, list[asyncio.Task[str]]]:
    """A server that holds back the answer to a first call, and further calls that wait for it."""
    server = Server(**options)
    server.turn.clear()
    first = server.start(Call("first"))
    await turns()
    waiting = server.start(*calls)
    await turns()
    return server, first + waiting


@pytest.fixture(autouse=True)
def never_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine 20 ms may pass anywhere."""
    monkeypatch.setattr(together, "SLOW_SECONDS", 60)


async def test_a_call_that_meets_no_other_is_sent_at_once_and_by_itself() -> None:
    server = Server()
    running = server.together.run(Call("a"))
    assert await running == "a"
    assert await server.together.run(Call("b")) == "b"
    assert server.exchanges == [["a"], ["b"]]


async def test_calls_that_wait_share_an_exchange_in_their_order() -> None:
    server, calls = await held([Call("a"), Call("b", "other"), Call("c")])
    assert server.exchanges == [["first"]]
    server.turn.set()
    assert await asyncio.gather(*calls) == ["first", "a", "b", "c"]
    assert server.exchanges == [["first"], ["a", "b", "c"]]


async def test_callers_who_call_again_at_once_stay_together() -> None:
    server, _ = await held([])

    async def write(name: str) -> None:
        for number in range(3):
            await server.together.run(Call(f"{name}{number}"))

    writers = asyncio.gather(write("a"), write("b"))
    await turns()
    server.turn.set()
    await writers
    assert server.exchanges == [["first"], ["a0", "b0"], ["a1", "b1"], ["a2", "b2"]]


@pytest.mark.parametrize(
    ("calls", "exchanges"),
    [
        ([Call("a"), Call("b"), Call("c"), Call("d")], [["a", "b", "c"], ["d"]]),
        ([Call("a", size=6), Call("b", size=4), Call("c")], [["a", "b"], ["c"]]),
        ([Call("a"), Call("b", size=99), Call("c")], [["a"], ["b"], ["c"]]),
    ],
    ids=["number", "size", "one that is larger"],
)
async def test_a_group_has_bounds(calls: list[Call], exchanges: list[list[str]]) -> None:
    server, running = await held(calls, most_calls=3, most_bytes=10)
    server.turn.set()
    assert await asyncio.gather(*running) == ["first", *(call.name for call in calls)]
    assert server.exchanges == [["first"], *exchanges]


async def test_a_call_that_fails_among_others_fails_alone() -> None:
    server, calls = await held([Call("a"), Call("b", "other"), Call("c")])
    server.fails["a"] = SessionNotFound("k")
    server.turn.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert found == ["first", server.fails["a"], "b", "c"]
    assert server.exchanges[1] == ["a", "b", "c"]
    again = [names[0] for names in server.exchanges[2:]]
    assert sorted(again) == ["a", "b", "c"]
    assert again.index("a") < again.index("c"), "calls of one key stay in their order"
    assert not any(sending.after_lost for sending in server.sendings)


@pytest.mark.parametrize("error", [Unavailable("no"), Refused("no")], ids=lambda error: type(error).__name__)
async def test_each_call_gets_the_error_that_it_has_by_itself(error: PersistenceError) -> None:
    server, calls = await held([Call("a"), Call("b")])
    server.fails |= {"a": error, "b": OutcomeUnknown("of b")}
    server.turn.set()
    assert await asyncio.gather(*calls, return_exceptions=True) == ["first", error, server.fails["b"]]


async def test_after_a_lost_answer_each_call_is_told_so() -> None:
    server, calls = await held([Call("a"), Call("b", "other")])
    server.lost = {"a"}
    server.turn.set()
    assert await asyncio.gather(*calls) == ["first", "a", "b"]
    assert server.exchanges == [["first"], ["a", "b"], ["a"], ["b"]]
    assert [sending.after_lost for sending in server.sendings] == [False, False, True, True]
    assert server.sendings[1].deadline == min(sending.deadline for sending in server.sendings[1:])


async def test_calls_of_a_busy_key_are_sent_by_themselves_and_delay_nobody() -> None:
    server, calls = await held([Call("a"), Call("b", "busy"), Call("c"), Call("d", "busy")])
    server.busy = {"busy"}
    server.turn.set()
    await server.began(2)
    await turns(1)
    server.turn.clear()  # for those of the busy key
    assert await asyncio.gather(calls[1], calls[3]) == ["a", "c"]
    await turns()
    assert not calls[2].done()
    server.turn.set()
    assert await asyncio.gather(*calls) == ["first", "a", "b", "c", "d"]
    assert server.exchanges == [["first"], ["a", "b", "c", "d"], ["b", "d"]]


async def test_an_error_that_is_not_ours_reaches_every_caller() -> None:
    server, calls = await held([Call("a"), Call("b")])
    server.fails["a"] = mistake = ZeroDivisionError("a mistake of an adapter")  # pyright: ignore[reportArgumentType]
    server.turn.set()
    assert await asyncio.gather(*calls, return_exceptions=True) == ["first", mistake, mistake]


async def test_a_slow_exchange_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "SLOW_SECONDS", 0.01)
    server, _ = await held([Call("a"), Call("b")])
    await server.began(2)  # the first one has no answer yet
    assert server.exchanges == [["first"], ["a", "b"]]
    server.turn.set()


async def test_a_cancelled_call_that_was_not_sent_is_withdrawn() -> None:
    server, calls = await held([Call("a"), Call("b"), Call("c")])
    calls[2].cancel()
    await turns()
    assert calls[2].cancelled(), "it waits for nothing"
    server.turn.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in found] == [str, str, asyncio.CancelledError, str]
    assert server.exchanges == [["first"], ["a", "c"]]


async def test_a_call_that_is_cancelled_as_its_turn_comes_is_sent_or_not_and_ends() -> None:
    server, calls = await held([Call("a"), Call("b")])
    server.turn.set()
    await asyncio.sleep(0)
    calls[1].cancel()  # it runs after the exchange has begun, or before
    async with asyncio.timeout(10):
        found = await asyncio.gather(*calls, return_exceptions=True)
    assert (found[0], found[2]) == ("first", "b")


async def in_exchange(calls: Sequence[Call]) -> tuple[Server, list[asyncio.Task[str]]]:
    """Calls whose common exchange is under way."""
    server, running = await held(calls)
    server.turn.set()
    await server.began(2)
    server.turn.clear()
    await turns()
    return server, running[1:]


async def test_a_cancelled_call_that_was_sent_waits_for_its_end() -> None:
    server, calls = await in_exchange([Call("a"), Call("b")])
    for _ in range(3):  # also if it is cancelled again
        calls[0].cancel()
        await turns()
        assert not calls[0].done()
    server.turn.set()
    assert await calls[1] == "b"
    await asyncio.wait(calls)
    assert calls[0].cancelled()
    assert await server.together.run(Call("c")) == "c"


async def test_a_cancelled_call_waits_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_CANCEL_SECONDS", 0.01)
    server, calls = await in_exchange([Call("a"), Call("b")])
    calls[0].cancel()
    await asyncio.wait(calls[:1], timeout=10)
    assert calls[0].cancelled()
    assert not calls[1].done()
    server.turn.set()
    assert await calls[1] == "b"


async def test_an_exchange_that_nobody_waits_for_is_cancelled() -> None:
    server, calls = await in_exchange([Call("a"), Call("b")])
    for call in calls:
        call.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait(calls)
    assert all(call.cancelled() for call in calls)
    server.turn.set()
    assert await server.together.run(Call("c")) == "c"
    assert server.exchanges == [["first"], ["a", "b"], ["c"]]


async def test_a_cancelled_lone_call_lets_the_others_go_on() -> None:
    server, calls = await held([Call("a"), Call("b")])
    calls[0].cancel()
    await turns()
    assert server.exchanges == [["first"], ["a", "b"]]
    server.turn.set()
    assert await asyncio.gather(*calls[1:]) == ["a", "b"]


def test_each_event_loop_has_its_own_calls() -> None:
    async def both(server: Server) -> list[str]:
        return await asyncio.gather(*server.start(Call("a"), Call("b")))

    async def make() -> Server:
        return Server()

    server = asyncio.run(make())
    for _ in range(2):
        server.turn = _set_event()
        assert asyncio.run(both(server)) == ["a", "b"]


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
