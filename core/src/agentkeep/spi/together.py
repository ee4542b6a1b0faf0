"""Calls of one process that wait for each other share an exchange with the database.

While one exchange is under way, further calls wait. When it ends, all that wait are sent in one exchange. So the more
callers there are, the fewer exchanges each of them costs. A call that meets no other is sent at once, by itself.

What this module promises to the callers:

- Each call has its own result or error.
- What waits for one key (for example a session) is sent in the order in which the callers came.
- A call that fails does not fail others: after an error that says "nothing was written", each call is sent by itself.
- After a lost answer each call is sent by itself too, with `Sending.after_lost`. The adapter then looks it up by its
  ids, or raises `OutcomeUnknown`.
- A cancelled call is withdrawn if it was not sent yet. Otherwise it waits for the end of its exchange, for at most two
  seconds. An exchange that nobody waits for any more is cancelled.
- No call waits for a slow exchange: after 20 ms, those that wait are sent in another one beside it.

(FLT-3, FLT-5, ERR-2)
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from agentkeep.errors import OutcomeUnknown, PersistenceError

C = TypeVar("C")
R = TypeVar("R")

SLOW_SECONDS = 0.02
"""After so long, an exchange no longer keeps others waiting: it may wait for a lock, or its connection may be dead."""
_CANCEL_SECONDS = 2.0
"""How long a cancelled call waits for the end of its exchange."""


class Ticket(Generic[R]):
    """A call that waits for its turn, made in its caller's event loop. Another thread may take it."""

    __slots__ = ("_answer", "_end", "_is_ended", "_seconds", "_untaken", "loop")

    def __init__(self, *, seconds: float | None = None) -> None:
        """`seconds`: how long a cancelled call waits for its end after it was taken; None: until it has ended."""
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._answer: asyncio.Future[R] = self.loop.create_future()
        self._end: asyncio.Future[None] | None = None
        self._is_ended = False
        self._seconds = seconds
        self._untaken = [None]

    def take(self) -> bool:
        """Either the worker takes the call or the caller withdraws it: this returns True to only one of them."""
        try:
            self._untaken.pop()
        except IndexError:
            return False
        return True

    async def answer(self, when_left: Callable[[], object] | None = None) -> R:
        """The call's result, or its error.

        If the caller is cancelled before the call was taken, the call is withdrawn. Otherwise we wait for its end, so
        that whoever sees the cancellation also sees its effect. `when_left` is called before that wait.
        """
        try:
            return await self._answer
        except asyncio.CancelledError:
            if self._answer.cancelled() and not self.take() and not self._is_ended:
                self._end = self.loop.create_future()
                if when_left is not None:
                    when_left()
                await self._wait_for(self._end)
            raise

    async def _wait_for(self, end: asyncio.Future[None]) -> None:
        last = None if self._seconds is None else self.loop.time() + self._seconds
        while not end.done():
            left = None if last is None else last - self.loop.time()
            if left is not None and left <= 0:
                return
            with suppress(asyncio.CancelledError):  # cancelled again: the call was sent and will end soon
                await asyncio.wait({end}, timeout=left)

    @property
    def is_left(self) -> bool:
        """Whether the caller was cancelled."""
        return self._answer.cancelled()

    def end(self, result: R | None = None, error: BaseException | None = None) -> None:
        """Wake the caller. Call it in the caller's event loop; also if the caller was cancelled meanwhile."""
        self._is_ended = True
        if self._end is not None and not self._end.done():
            self._end.set_result(None)
        if self._answer.done():
            return
        if error is None:
            self._answer.set_result(result)  # pyright: ignore[reportArgumentType] - None may be a result
        elif isinstance(error, asyncio.CancelledError):
            self._answer.cancel()
        else:
            self._answer.set_exception(error)


class Sending(NamedTuple):
    """How a call is sent."""

    deadline: float
    """Of the event loop's clock."""
    after_lost: bool = False
    """The call was sent in an exchange whose answer was lost, so it may have happened already."""


class _Member(Generic[C, R]):
    """A call that waits, or that was sent with others."""

    __slots__ = ("call", "deadline", "group", "key", "ticket")

    def __init__(self, call: C, key: Hashable, deadline: float) -> None:
        self.call = call
        self.key = key
        self.deadline = deadline
        self.ticket: Ticket[R] = Ticket(seconds=_CANCEL_SECONDS)
        self.group: _Group[C, R] | None = None
        """The group that sends it now."""

    def leave(self) -> None:
        if self.group is not None:
            self.group.cancel_if_left()


class _Group(Generic[C, R]):
    """Calls that one task sends."""

    def __init__(self, members: Sequence[_Member[C, R]]) -> None:
        self.members = members
        self.task: asyncio.Task[None] | None = None
        for member in members:
            member.group = self

    def cancel_if_left(self) -> None:
        """End the task if none of its callers waits for it any more."""
        if self.task is not None and all(member.ticket.is_left for member in self.members):
            self.task.cancel()

    def end(self, error: BaseException | None) -> None:
        """Wake the callers that are still in this group. They have results already if there was no error."""
        for member in self.members:
            if member.group is self:
                member.ticket.end(error=error)


class _Line(Generic[C, R]):
    """The calls of one event loop."""

    def __init__(self) -> None:
        self.waiting: deque[_Member[C, R]] = deque()
        self.current: object | None = None
        """The exchange for whose end they wait."""
        self.timer: asyncio.TimerHandle | None = None
        self.tasks: set[asyncio.Task[None]] = set()


class Together(Generic[C, R]):
    def __init__(
        self,
        *,
        send_one: Callable[[C, Sending], Awaitable[R]],
        send_many: Callable[[Sequence[C], Sending], Awaitable[Sequence[R | None]]],
        key: Callable[[C], Hashable],
        size: Callable[[C], int],
        seconds: float,
        most_calls: int = 256,
        most_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        """`send_many` returns a result for each of two or more calls; None: send it again, with those of its key only.

        For calls of one key it may return None as well: they are then sent one by one. `seconds` bounds each call. A
        group has at most `most_calls` calls and `most_bytes` of what `size` returns, or one call that is larger.
        """
        self._send_one = send_one
        self._send_many = send_many
        self._key = key
        self._size = size
        self._seconds = seconds
        self._most_calls = most_calls
        self._most_bytes = most_bytes
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line[C, R]] = WeakKeyDictionary()

    async def run(self, call: C) -> R:
        """The result of the call. Raises what `send_one` raises for it."""
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line()
        deadline = loop.time() + self._seconds
        if line.current is None:
            exchange = line.current = object()
            try:
                return await self._send_one(call, Sending(deadline))
            finally:
                self._ended(line, exchange)
        member = _Member[C, R](call, self._key(call), deadline)
        line.waiting.append(member)
        if line.timer is None:
            line.timer = loop.call_later(SLOW_SECONDS, self._start, line)
        return await member.ticket.answer(member.leave)

    def _ended(self, line: _Line[C, R], exchange: object) -> None:
        if line.current is exchange:
            self._start(line)

    def _start(self, line: _Line[C, R]) -> None:
        """Send what waits."""
        if line.timer is not None:
            line.timer.cancel()
            line.timer = None
        members = self._next_members(line)
        if not members:
            line.current = None
            return
        group = line.current = _Group(members)
        if line.waiting:
            line.timer = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._start, line)
        self._spawn(line, group, self._exchange(line, group))

    def _next_members(self, line: _Line[C, R]) -> list[_Member[C, R]]:
        members: list[_Member[C, R]] = []
        size = 0
        while line.waiting and len(members) < self._most_calls:
            size += self._size(line.waiting[0].call)
            if members and size > self._most_bytes:
                break
            member = line.waiting.popleft()
            if not member.ticket.is_left and member.ticket.take():
                members.append(member)
        return members

    def _spawn(self, line: _Line[C, R], group: _Group[C, R], work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task of its own, so that no member's cancellation stops it."""
        task = group.task = asyncio.get_running_loop().create_task(work)
        line.tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            line.tasks.discard(task)
            group.end(asyncio.CancelledError() if task.cancelled() else task.exception())
            # The callers woke before this, so those who called again at once are in the next exchange.
            self._ended(line, group)

        task.add_done_callback(ended)

    async def _exchange(self, line: _Line[C, R], group: _Group[C, R]) -> None:
        members = group.members
        if len(members) == 1:
            await self._each(members)
            return
        try:
            first = Sending(min(member.deadline for member in members))
            results = await self._send_many([member.call for member in members], first)
        except PersistenceError as error:
            self._again(line, members, one_by_one=True, after_lost=isinstance(error, OutcomeUnknown))
            return
        again: list[_Member[C, R]] = []
        for member, result in zip(members, results, strict=True):
            if result is None:
                again.append(member)
            else:
                member.ticket.end(result)
        if again:
            self._again(line, again, one_by_one=len({member.key for member in members}) == 1)

    def _again(
        self, line: _Line[C, R], members: Sequence[_Member[C, R]], *, one_by_one: bool, after_lost: bool = False
    ) -> None:
        """Send calls again: those of one key after each other, or together."""
        by_key: defaultdict[Hashable, list[_Member[C, R]]] = defaultdict(list)
        for member in members:
            by_key[member.key].append(member)
        for of_key in by_key.values():
            group = _Group(of_key)
            work = self._each(of_key, after_lost=after_lost) if one_by_one else self._exchange(line, group)
            self._spawn(line, group, work)

    async def _each(self, members: Sequence[_Member[C, R]], *, after_lost: bool = False) -> None:
        for member in members:
            if member.ticket.is_left:
                member.ticket.end()
                continue
            try:
                result = await self._send_one(member.call, Sending(member.deadline, after_lost))
            except Exception as error:
                member.ticket.end(error=error)
            else:
                member.ticket.end(result)
