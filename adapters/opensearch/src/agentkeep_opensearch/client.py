"""How a request reaches OpenSearch: through opensearch-py's transport, sent again only if that is safe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import msgspec
from agentkeep.errors import Closed, ConfigurationError, LimitExceeded, PersistenceError, Unavailable
from agentkeep.spi.resend import Attempt, Effect, Resend, end_of_call

from agentkeep_opensearch.driver import ABSENT, CONFLICT, DriverClient, Reply, close_client, perform
from agentkeep_opensearch.errors import ServerError, cause_of, error_of, reply_error

GRACE_SECONDS = 2.0
"""How long a cancelled write waits for its reply."""
_BAD_OPTION = ("illegal_argument_exception", "mapper_parsing_exception")
"""What OpenSearch calls an index's setting or analyzer that it does not know."""
_PAUSE = 0.1

_deadline: ContextVar[float | None] = ContextVar("agentkeep_opensearch_deadline", default=None)

T = TypeVar("T")
encode = msgspec.json.Encoder().encode


class Client:
    """The requests of one adapter, which all run in one event loop (LIFE-2, LIFE-3)."""

    def __init__(self, make: Callable[[], DriverClient], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._driver: DriverClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limit = asyncio.Semaphore(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls = 0
        self._none_left = asyncio.Event()
        self.server = "opensearch"
        self.longest_body = 100 * 1024 * 1024
        """Bytes of one request: the server's `http.max_content_length`. This is its default."""
        self.is_migrating: Callable[[], Awaitable[bool]] = _never

    @property
    def _is_closing(self) -> bool:
        return self._loop is None

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._driver = self._make()
        self._limit = asyncio.Semaphore(self._driver.limit)
        self._none_left = asyncio.Event()
        self.server = self._driver.server
        self._resend = Resend(server=self.server, cause=cause_of, translate=self._error_of, seconds=self._seconds)

    def _error_of(self, error: Exception) -> PersistenceError:
        return error_of(error, self.server)

    async def close(self) -> None:
        """Let no new call begin, wait for those under way, and close what is ours."""
        self._loop = None
        if self._calls:
            await self._none_left.wait()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        driver, self._driver = self._driver, None
        if driver is not None and driver.owned:
            await close_client(driver.client)

    @contextmanager
    def call(self) -> Generator[None]:
        """One verb of ours: all of its requests together take `timeout` at most (FLT-5)."""
        if self._loop is None:
            raise Closed("this opensearch adapter is not open: call open() first")
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError("this opensearch adapter was opened in another event loop: make one in each loop")
        token = None
        if _deadline.get() is None:
            token = _deadline.set(end_of_call(self._seconds))
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            if token is not None:
                _deadline.reset(token)
            if self._is_closing and self._calls == 0:
                self._none_left.set()

    @contextmanager
    def until(self, deadline: float) -> Generator[None]:
        """For work that several calls share: it may take as long as the latest of them."""
        token = _deadline.set(deadline)
        try:
            yield
        finally:
            _deadline.reset(token)

    @property
    def deadline(self) -> float:
        """Of the call that is under way."""
        found = _deadline.get()
        return asyncio.get_running_loop().time() + self._seconds if found is None else found

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        effect: Effect = Effect.READ,
        params: Mapping[str, Any] | None = None,
        may_be_absent: bool = False,
    ) -> Reply:
        """The reply. A conflict of versions is a reply with status 409 (see `is_conflict`).

        `body`: an object, or bytes. Raises what `agentkeep_opensearch.errors` makes of OpenSearch's errors, and
        `LimitExceeded` for a body that the server would refuse.
        """
        data = body if body is None or isinstance(body, bytes) else encode(body)
        if data is not None:
            self.check_length(len(data))

        was_silent = False

        async def send(attempt: Attempt) -> Reply:
            nonlocal was_silent
            async with self._limit:
                driver = self._driver_in_use()
                attempt.sending(reused=True)
                make = self._make if was_silent and driver.owned else None
                sending = perform(driver.client, method, path, data, params, instead=make)
                try:
                    return await (sending if effect is Effect.READ else _to_the_end(sending, attempt))
                except asyncio.CancelledError:  # by its time too
                    was_silent = True
                    raise

        deadline = self.deadline  # of the call; a request may be one of several
        reply = await self.past_block(lambda: self._resend.run(effect, send, deadline=deadline))
        status = reply.get("status")
        if status == ABSENT and "error" in reply:
            failed = reply_error(ABSENT, reply)
            if failed.kind == "document_missing_exception":
                return {"status": CONFLICT}
            if not may_be_absent:
                raise self._error_of(failed)
        return reply

    async def past_block(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of `attempt`, which is tried again as long as a migration blocks writes."""
        while True:
            try:
                return await attempt()
            except Unavailable as error:
                cause = error.__cause__
                is_block = isinstance(cause, ServerError) and cause.kind == "cluster_block_exception"
                if not is_block or asyncio.get_running_loop().time() + _PAUSE > self.deadline:
                    raise
                if not await self.is_migrating():
                    raise
            await asyncio.sleep(_PAUSE)

    def check_length(self, length: int) -> None:
        if length > self.longest_body:
            what = f"{self.server}: the bytes of one request (http.max_content_length)"
            raise LimitExceeded(what, limit=self.longest_body, actual=length)

    def _driver_in_use(self) -> DriverClient:
        if self._driver is None:
            raise Closed("this opensearch adapter was closed during the call")
        return self._driver

    async def create_index(self, name: str, body: Any) -> bool:
        """False if another process was first."""
        try:
            await self.request("PUT", f"/{name}", body, effect=Effect.REPEATABLE)
        except PersistenceError as error:
            cause = error.__cause__
            kind = cause.kind if isinstance(cause, ServerError) else None
            if kind in _BAD_OPTION:
                hint = "check the options shards, replicas, refresh_interval and languages"
                raise ConfigurationError(f"{error}: the server can't make index {name}: {hint}") from cause
            if kind != "resource_already_exists_exception":
                raise
            return False
        return True

    def spawn(self, work: Any) -> asyncio.Task[None]:
        """A task that a caller's cancellation does not end. `close` waits for its `call`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _never() -> bool:
    return False


def is_conflict(reply: Reply) -> bool:
    """Whether a compare-and-swap lost."""
    return reply.get("status") == CONFLICT


async def _to_the_end(sending: Coroutine[Any, Any, Reply], attempt: Attempt) -> Reply:
    """The reply. If the caller is cancelled meanwhile, the request still has a moment to end.

    OpenSearch carries out a request whose connection was closed. Without this wait, a cancelled write could land after
    somebody saw that it had not (FLT-3).
    """
    task = asyncio.ensure_future(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_ignore_error)
        try:
            await asyncio.wait({task}, timeout=min(attempt.seconds_left, GRACE_SECONDS))
        finally:  # a second cancellation may come
            task.cancel()
        raise


def _ignore_error(task: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more; asyncio logs an error that nobody asked for."""
    if not task.cancelled():
        task.exception()
