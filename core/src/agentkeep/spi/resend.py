"""When a statement may be sent to the server again, and what its failure means.

An adapter writes one function that sends a statement once, and two functions over its driver's errors. This module does
the rest, for every adapter alike:

- A statement of which nothing was sent is sent once more.
- A read is sent once more after a lost connection, or if a connection that had been idle stays silent.
- A write that is repeatable is sent once more after a lost connection. It is not after a timeout, because the first one
  may still be running or waiting for a lock, and the caller has waited long enough.
- Contention (a deadlock, a serialization failure) is tried again after pauses that grow, with jitter.
- If a write may have happened, the error is `OutcomeUnknown`. This holds for every failure that follows a sending
  without an answer, an error reply included.
- A deadline bounds all of this, the wait for a connection included, and the statements of `one_call` together.

How an adapter uses it:

    class Client:
        def __init__(self, pool: Pool, seconds: float) -> None:
            self._pool = pool
            self._resend = Resend(server="duckdb at host:1234", cause=cause, translate=translate, seconds=seconds)

        async def run(self, statement: str, effect: Effect) -> list[Row]:
            async def send(attempt: Attempt) -> list[Row]:
                async with self._pool.connection(new=attempt.needs_new_connection) as connection:
                    attempt.sending(reused=connection.was_used_before)
                    return await connection.fetch(statement)

            return await self._resend.run(effect, send)

(FLT-2, FLT-5, ERR-2)
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from enum import Enum
from math import inf
from typing import TypeVar

from agentkeep.errors import OutcomeUnknown, PersistenceError, Unavailable
from agentkeep.spi.one_call import shared_end

T = TypeVar("T")

_log = logging.getLogger("agentkeep")

_CONTENTION_TRIES = 8
_CONTENTION_SECONDS = 0.01
"""The first pause is at most twice this long; each further one is up to twice as long as the one before."""


def end_of_call(seconds: float) -> float:
    """When a call that may take `seconds` must have ended, by the event loop's clock: see `one_call`."""
    return shared_end(asyncio.get_running_loop().time() + seconds)


class Effect(Enum):
    """What a second run of the same statement does."""

    READ = "read"
    """The statement changes nothing."""
    REPEATABLE = "repeatable write"
    """The second run changes nothing and returns the same. It may need other arguments: see `Attempt.may_have_run`."""
    ONCE = "write"
    """The second run may write again, so the statement is never sent after a sending that may have arrived."""


class Cause(Enum):
    """Why a sending failed. An adapter finds it by the error's class or code, never by its text."""

    LOST = "lost"
    """The connection failed, or no connection could be made."""
    TIMEOUT = "timeout"
    """No answer came in time; the server may still be at work."""
    CONTENTION = "contention"
    """The server undid the statement because of another transaction; the same statement may succeed now."""
    REFUSED = "refused"
    """The server answered with an error and did nothing; or the driver refused, and nothing was sent."""
    UNREADABLE = "unreadable"
    """The server answered, and the driver can't read the answer."""


_WITHOUT_ANSWER = frozenset({Cause.LOST, Cause.TIMEOUT, Cause.UNREADABLE})


class Attempt:
    """One sending of a statement. The adapter's function says by it how far it has come."""

    __slots__ = ("_call", "_timer", "is_sent", "may_have_run", "needs_new_connection", "reused")

    def __init__(self, call: _Call, timer: asyncio.Timeout) -> None:
        self._call = call
        self._timer = timer
        self.is_sent: bool = False
        self.reused: bool = False
        self.needs_new_connection: bool = call.needs_new_connection
        """A connection failed just now, and others that were idle may have failed with it: use a new one."""
        self.may_have_run: bool = call.may_have_run
        """An earlier sending of this write got no answer, so the write may have happened already."""

    def sending(self, *, reused: bool = False) -> None:
        """Call it right before the first byte of the statement goes to the server.

        `reused`: the connection has served an earlier call, so it may have died in silence since. A read then waits for
        half of the remaining time, which leaves the other half for a new connection.
        """
        self.is_sent = True
        self.reused = reused
        call = self._call
        halves_time = reused and call.effect is Effect.READ and not call.was_resent and not self._timer.expired()
        if halves_time and call.deadline is not None:
            now = asyncio.get_running_loop().time()
            self._timer.reschedule(now + (call.deadline - now) / 2)

    @property
    def seconds_left(self) -> float:
        """Until this attempt is given up. A cancelled attempt may use them to end its statement on the server."""
        end = self._timer.when()
        return inf if end is None else max(0.0, end - asyncio.get_running_loop().time())

    def did_nothing(self) -> None:
        """Call it if the server answered that it did nothing and the adapter goes on by itself (a redirection)."""
        self.is_sent = False


class _Call:
    """What is known of one call over all its attempts."""

    __slots__ = ("contentions", "deadline", "effect", "may_have_run", "needs_new_connection", "was_resent")

    def __init__(self, effect: Effect, deadline: float | None) -> None:
        self.effect: Effect = effect
        self.deadline: float | None = deadline
        self.contentions: int = 0
        self.may_have_run: bool = False
        self.needs_new_connection: bool = False
        self.was_resent: bool = False

    def pause(self, cause: Cause, attempt: Attempt) -> float | None:
        """Seconds to wait before the next attempt; None if there must be none."""
        without_answer = cause in _WITHOUT_ANSWER
        self.needs_new_connection = without_answer
        self.may_have_run |= without_answer and attempt.is_sent and self.effect is not Effect.READ
        if cause is Cause.CONTENTION:
            self.contentions += 1
            longest = _CONTENTION_SECONDS * 2**self.contentions
            pause = longest * random.random()  # noqa: S311 - spreads the writers
            may = self.contentions < _CONTENTION_TRIES
        else:
            pause = 0.0
            may = not self.was_resent and _may_resend(self.effect, cause, attempt)
            self.was_resent = True
        if may and self.deadline is not None:
            may = asyncio.get_running_loop().time() + pause < self.deadline
        return pause if may else None


class Resend:
    """The policy for one client. `run` is the only method that an adapter needs."""

    def __init__(
        self,
        *,
        server: str,
        cause: Callable[[Exception], Cause],
        translate: Callable[[Exception], PersistenceError],
        seconds: float | None,
        option: str = "timeout",
    ) -> None:
        """`server` names the server in logs and errors, without a password. `seconds` bounds each call; None: no bound.

        `translate` returns our error for a driver's error after which nothing was written: `Unavailable`, `Refused`,
        `ConfigurationError`, `Corrupt`, … `option` is the name of the adapter's option that sets `seconds`.
        """
        self._server = server
        self._cause = cause
        self._translate = translate
        self._seconds = seconds
        self._option = option

    async def run(
        self,
        effect: Effect,
        send: Callable[[Attempt], Awaitable[T]],
        *,
        deadline: float | None = None,
        after_lost: bool = False,
    ) -> T:
        """What `send` returns. `send` is called again if this module's rules allow it.

        `send` raises the driver's errors as they are. Raises what `translate` returns, or `OutcomeUnknown`.
        `deadline`: of the event loop's clock, if the call began earlier. `after_lost`: a sending of this call, together
        with others, got no answer. So this is the second sending of a repeatable write, and there is no third.
        """
        if deadline is None and self._seconds is not None:
            deadline = end_of_call(self._seconds)
        call = _Call(effect, deadline)
        if after_lost:
            call.may_have_run = call.was_resent = call.needs_new_connection = True
        while True:
            timer = asyncio.timeout_at(deadline)
            attempt = Attempt(call, timer)
            try:
                async with timer:
                    result = await send(attempt)
            except Exception as error:
                pause = self._after(call, attempt, error, timed_out=timer.expired())
            else:
                if not attempt.is_sent:
                    raise RuntimeError("the adapter's function returned without a call of attempt.sending()")
                return result
            if pause:
                await asyncio.sleep(pause)

    def _after(self, call: _Call, attempt: Attempt, error: Exception, *, timed_out: bool) -> float:
        """Seconds to wait before the next attempt. Raises if there must be none."""
        if timed_out:
            cause = Cause.TIMEOUT
        elif isinstance(error, PersistenceError):
            cause = Cause.REFUSED  # whoever raised an error of ours knows more than this policy
        else:
            cause = self._cause(error)
        pause = call.pause(cause, attempt)
        if pause is None:
            ours = self._no_answer(attempt) if timed_out else self._ours(error)
            if call.may_have_run and not isinstance(ours, OutcomeUnknown):
                ours = OutcomeUnknown(f"{ours}; a write was sent and no answer came, so it may have happened")
            if ours is error:
                raise ours
            raise ours from error
        level = logging.DEBUG if cause is Cause.CONTENTION else logging.INFO
        # without the error's text, which may hold content
        _log.log(level, "%s: a %s is sent again after %s", self._server, call.effect.value, type(error).__name__)
        return pause

    def _ours(self, error: Exception) -> PersistenceError:
        return error if isinstance(error, PersistenceError) else self._translate(error)

    def _no_answer(self, attempt: Attempt) -> Unavailable:
        what = "answer came" if attempt.is_sent else "connection was free"
        return Unavailable(f"{self._server}: no {what} within {self._seconds:g} seconds (option {self._option})")


def _may_resend(effect: Effect, cause: Cause, attempt: Attempt) -> bool:
    if cause not in (Cause.LOST, Cause.TIMEOUT):
        return False
    if not attempt.is_sent:
        return True
    if effect is Effect.READ:
        return cause is Cause.LOST or attempt.reused
    return effect is Effect.REPEATABLE and cause is Cause.LOST
