"""How a statement reaches MongoDB: by the driver's own pool, with this house's policy for sending again."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from agentkeep.errors import Closed, ConfigurationError, OutcomeUnknown, PersistenceError, Refused, Unavailable
from agentkeep.spi.resend import Attempt, Cause, Effect, Resend, end_of_call
from agentkeep.spi.together import Sending
from pymongo.topology_description import TopologyDescription

from agentkeep_mongo import concerns
from agentkeep_mongo.closing import close_driver
from agentkeep_mongo.concerns import Collections, Driver, collections_of
from agentkeep_mongo.errors import DRIVER_ERRORS, cause_of, error_of, was_not_sent

T = TypeVar("T")

_GRACE_SECONDS = 0.25
_NOTHING = {"_id": "nothing"}
"""A filter that matches nothing. A write by it waits until a majority has all that the primary wrote before it."""


class Recheck:
    """A commit got no answer, so it may have happened: read before another is sent."""


RECHECK: Final = Recheck()


@dataclass
class _Call:
    """How far one call of the adapter has come."""

    may_have_written: bool
    ahead: str | None = None
    """The session that it read as the primary has it, which a majority may not have yet."""


_current: ContextVar[_Call] = ContextVar("agentkeep_mongo_call")


def _not_ours(record: logging.LogRecord) -> bool:
    """PyMongo logs whole commands, so the content of messages; nothing of our commands may be logged (ERR-3)."""
    return _current.get(None) is None


logging.getLogger("pymongo.command").addFilter(_not_ours)


class Client:
    """One adapter's access to one prefix of a database. It belongs to the event loop that opened it (LIFE-3)."""

    def __init__(
        self, make: Callable[[], Driver], *, owned: bool, server: str, database: str, prefix: str, seconds: float
    ) -> None:
        """`make` returns a driver's client for each opening. `owned`: it is closed with the adapter (LIFE-2)."""
        self.server = server
        self.database = database
        self.prefix = prefix
        self.seconds = seconds
        self._make = make
        self._owned = owned
        self._driver: Driver | None = None
        self._collections: Collections | None = None
        self._opened_in: tuple[asyncio.AbstractEventLoop, int] | None = None
        self.is_replica_set = False
        self._met: object = None
        self._seen_topology: TopologyDescription | None = None
        self._under_way = 0
        self._none_left = asyncio.Event()
        self._resend = Resend(server=server, cause=cause_of, translate=self._error_of, seconds=seconds)

    @property
    def is_open(self) -> bool:
        return self._opened_in is not None

    @property
    def collections(self) -> Collections:
        if self._collections is None:
            raise Closed("this mongo adapter is not open: call open() first")
        return self._collections

    def open(self) -> None:
        """No I/O: the driver connects at the first statement."""
        self._opened_in = _running_loop(), os.getpid()
        self._none_left = asyncio.Event()
        self._driver = self._make()
        self._met = self._seen_topology = None
        self._collections = collections_of(self._driver, self.database, self.prefix)

    async def close(self) -> None:
        """Let no new call begin, wait for those under way, and close what is ours (LIFE-2)."""
        opened_in, self._opened_in = self._opened_in, None
        if opened_in is not None and opened_in != (_running_loop(), os.getpid()):
            self._driver = self._collections = None
            return  # the driver's client belongs to another event loop or process, which may be gone
        if self._under_way:
            await self._none_left.wait()
        driver, self._driver, self._collections = self._driver, None, None
        if driver is not None and self._owned:
            await close_driver(driver)

    @asynccontextmanager
    async def call(self, sending: Sending | None = None) -> AsyncGenerator[None]:
        """One call of the adapter, of any number of statements, within the time that it may take (FLT-5).

        `sending`: of a call that may have waited, or was sent together with others.
        """
        self.check_usable()
        if sending is None:
            sending = Sending(end_of_call(self.seconds))
        call = _Call(may_have_written=sending.after_lost)
        token = _current.set(call)
        self._under_way += 1
        timer = asyncio.timeout_at(sending.deadline)
        try:
            async with timer:
                try:
                    yield
                except (Unavailable, Refused, OutcomeUnknown):
                    raise
                except PersistenceError:
                    await self._confirm(call)
                    raise
                await self._confirm(call)
        except TimeoutError as error:
            if not timer.expired():
                raise
            what = f"{self.server}: the call took longer than {self.seconds:g} seconds (option timeout)"
            if call.may_have_written:
                raise OutcomeUnknown(f"{what}; a write was sent, so it may have happened") from error
            raise Unavailable(what) from error
        except (Unavailable, Refused) as error:
            if call.may_have_written:  # an earlier statement of this call
                raise OutcomeUnknown(f"{error}; a write was sent before, so it may have happened") from error
            raise
        finally:
            with suppress(ValueError):  # a generator's end may run in another context
                _current.reset(token)
            self._under_way -= 1
            if self._opened_in is None and self._under_way == 0:
                self._none_left.set()

    @property
    def may_have_written(self) -> bool:
        """Whether the current call has sent a write that may have happened."""
        return _current.get().may_have_written

    def check_usable(self) -> None:
        """Raises `Closed`, `ConfigurationError`."""
        if self._opened_in is None:
            raise Closed("this mongo adapter is not open: call open() first")
        loop, process = self._opened_in
        if process != os.getpid():
            raise ConfigurationError("this mongo adapter was opened in another process: open one after the fork")
        if loop is not _running_loop():
            raise ConfigurationError(
                "this mongo adapter was opened in another event loop: open one in each loop, or connect(own_loop=True)"
            )

    async def read(self, send: Callable[[Collections], Awaitable[T]]) -> T:
        """Run what changes nothing that anybody can see: a read, or what goes ahead of a commit or after it.

        It may run twice; if it fails nothing was written.
        """
        return await self._run(Effect.READ, send)

    async def read_seen(self, send: Callable[[Collections], Awaitable[T]]) -> T:
        """Read what a majority has, for a caller. At first a new primary does not know all of that (seen on 6.0.5)."""
        while True:
            await self.meet_primary()
            result = await self.read(send)
            if self._knows_primary():
                return result

    async def meet_primary(self) -> None:
        """Wait until the primary of a replica set knows what those before it acknowledged: a write in its term does."""
        while self.is_replica_set and not self._knows_primary():
            met = concerns.primary_of(self._topology)
            await self.read(lambda to: to.schema.update_one(_NOTHING, {"$set": {"nothing": True}}))
            if met is not None and met == concerns.primary_of(self._topology):
                self._met = met

    def _knows_primary(self) -> bool:
        if not self.is_replica_set or self._seen_topology is self._topology:
            return True
        if self._met is None or self._met != concerns.primary_of(self._topology):
            return False
        self._seen_topology = self._topology
        return True

    @property
    def _topology(self) -> TopologyDescription:
        """The driver keeps the same object until something changes."""
        return self.collections.database.client.topology_description

    async def read_ahead(self, key: str, send: Callable[[Collections], Awaitable[T]]) -> T:
        """Read a session as the primary has it now, for a writer; a majority may have it a moment later."""
        _current.get().ahead = key
        return await self.read(send)

    async def _confirm(self, call: _Call) -> None:
        """Wait until a majority has what the call tells its caller without a write of its own (ORD-5)."""
        if call.ahead is not None and self.is_replica_set:
            await self.wait_for_majority(call.ahead)

    async def wait_for_majority(self, key: str) -> None:
        """Wait until a majority has all that the primary has of a session: a shard knows its own writes alone."""
        nothing = {"_id": key, "life": None}
        await self.read(lambda to: to.sessions.update_one(nothing, {"$set": {"life": None}}))

    async def write(self, send: Callable[[Collections], Awaitable[T]], *, of_many: bool = False) -> T:
        """Run what must not run twice. Raises `OutcomeUnknown` if it may have happened.

        `of_many`: it changes several documents, so some may be changed before the server refuses one.
        """
        return await self._run(Effect.ONCE, self._counted(send, of_many=of_many))

    async def commit(self, send: Callable[[Collections], Awaitable[T]]) -> T | Recheck:
        """As `write`; but if no answer came, return `RECHECK` once: whoever can see if it happened looks (IDEM-1)."""
        counted = self._counted(send)

        async def once(attempt: Attempt) -> T | Recheck:
            if attempt.may_have_run:
                attempt.sending()
                return RECHECK
            return await self._once(counted, attempt)

        return await self._resend.run(Effect.REPEATABLE, once)

    def _counted(
        self, send: Callable[[Collections], Awaitable[T]], *, of_many: bool = False
    ) -> Callable[[Collections], Awaitable[T]]:
        async def counted(collections: Collections) -> T:
            call = _current.get()
            before, call.may_have_written = call.may_have_written, True
            try:
                result = await send(collections)
            except DRIVER_ERRORS as error:
                if was_not_sent(error) or (not of_many and cause_of(error) is Cause.REFUSED):
                    call.may_have_written = before
                raise
            if result is None:  # nothing matched
                call.may_have_written = before
            else:
                call.ahead = None
            return result

        return counted

    def _error_of(self, error: Exception) -> PersistenceError:
        return error_of(error, self.server, self._topology)

    async def _run(self, effect: Effect, send: Callable[[Collections], Awaitable[T]]) -> T:
        return await self._resend.run(effect, partial(self._once, send))

    async def _once(self, send: Callable[[Collections], Awaitable[T]], attempt: Attempt) -> T:
        attempt.sending(reused=True)
        try:
            return await _to_the_end(send(self.collections))
        except DRIVER_ERRORS as error:
            if was_not_sent(error):
                attempt.did_nothing()
            raise


async def _to_the_end(statement: Awaitable[T]) -> T:
    """What a statement returns. If the caller is cancelled meanwhile, the statement still has a moment to end.

    So a cancelled write has happened or not when the caller goes on (FLT-3), and its connection goes back to the pool.
    The driver (4.20) leaves a socket open if it is cancelled while it connects.
    """
    task = asyncio.ensure_future(statement)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody waits for its error any more
        try:
            await asyncio.wait({task}, timeout=_GRACE_SECONDS)
        finally:  # a second cancellation may come
            task.cancel()
        raise


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError("the mongo adapter runs on asyncio alone: under trio use agentkeep.sync") from None
