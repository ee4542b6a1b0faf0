"""One adapter, and whether it is open: what a keep and all its views share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from agentkeep._process import Process
from agentkeep.capabilities import MIN_MESSAGE_BYTES, Capabilities
from agentkeep.errors import CapabilityNotSupported, Closed, ConfigurationError
from agentkeep.protocol import PersistenceAdapter

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Lock

    from agentkeep._loops import Loop, LoopThread

_log = logging.getLogger("agentkeep")
_NO_EVENT_LOOP = (
    "Agentkeep runs on asyncio, and no asyncio event loop runs here: use connect(url, own_loop=True), "
    "which works under trio too, or agentkeep.sync in a thread"
)


class AdapterState:
    """One adapter and its settings. A keep and its views hold the same one."""

    __slots__ = (
        "_find_loop",
        "_locks",
        "_process",
        "adapter",
        "capabilities",
        "idle_ttl",
        "is_open",
        "loop",
        "own_loop",
    )

    def __init__(self, adapter: PersistenceAdapter, idle_ttl: timedelta | None, *, own_loop: bool = False) -> None:
        self.adapter: PersistenceAdapter = adapter
        self.capabilities: Capabilities = adapter.capabilities
        self.idle_ttl: timedelta | None = idle_ttl
        self.is_open: bool = False
        self.own_loop: LoopThread | None = None
        self.loop: Loop | None = None
        """The loop in which the adapter was opened, while it is open."""
        self._find_loop: Callable[[], object] = _anywhere
        """Raises `RuntimeError` if the caller can't await the adapter."""
        self._process = 0
        self._locks: WeakKeyDictionary[AbstractEventLoop, Lock] = WeakKeyDictionary()
        if own_loop:
            self.use_own_loop()

    def use_own_loop(self) -> LoopThread:
        """Run the adapter on a loop in a thread of its own. Only while it is closed."""
        from agentkeep._loops import LoopThread  # these import asyncio: half the time of importing agentkeep
        from agentkeep._own_loop import OnLoop

        if self.own_loop is None:
            self.own_loop = LoopThread()
            self.adapter = OnLoop(self.adapter, self.own_loop)
        return self.own_loop

    async def open(self) -> None:
        """Open the adapter unless it is open (LIFE-1)."""
        if self.own_loop is None:
            await self.open_here()
            return
        self.require_process()
        self.own_loop.start()
        try:
            await self.own_loop.arun(self.open_here())
        finally:
            if not self.is_open:
                self.own_loop.stop()

    async def open_here(self) -> None:
        """Open the adapter in the event loop that runs here."""
        from asyncio import get_running_loop
        from threading import get_ident

        from agentkeep._loops import Loop

        self.require_process()
        try:
            here = get_running_loop()
        except RuntimeError as error:
            raise ConfigurationError(_NO_EVENT_LOOP) from error
        async with self._changing(here):
            if self.is_open:
                return
            await self.adapter.open()
            self.capabilities = _checked(self.adapter)
            self.loop = self.own_loop or Loop(here, get_ident())
            self._find_loop = _anywhere if self.own_loop else get_running_loop
            self._process = Process.id
            self.is_open = True
        _log.debug("%s: opened", self.adapter.name)

    async def close(self) -> None:
        """Close the adapter if it is open. In a forked child nothing happens: the connections are the parent's."""
        if not self.is_open or self._process != Process.id:
            return
        own_loop = self.own_loop
        if own_loop is None:
            await self.close_here()
            return
        own_loop.require_elsewhere()
        try:
            with suppress(Closed):  # another call closed it meanwhile
                await own_loop.arun(self.close_here())
        finally:
            own_loop.stop()

    async def close_here(self) -> None:
        """Close the adapter in the event loop that runs here."""
        from asyncio import get_running_loop

        self.require_open()
        async with self._changing(get_running_loop()):
            if not self.is_open:
                return
            self.is_open = False
            self.loop = None
            await self.adapter.close()
        _log.debug("%s: closed", self.adapter.name)

    def require_open(self) -> None:
        """Raises `Closed` (LIFE-2), also in a forked child, and `ConfigurationError` outside of asyncio (ERR-1)."""
        if not self.is_open:
            raise Closed(f"this {self.adapter.name} keep is not open: use `async with`, or call open() first")
        if self._process != Process.id:
            self.require_process()
        try:
            self._find_loop()
        except RuntimeError as error:
            raise ConfigurationError(_NO_EVENT_LOOP) from error

    def require(self, capability: str, *, declared: bool) -> None:
        """Raises `CapabilityNotSupported` before anything is touched."""
        self.require_open()
        if not declared:
            raise CapabilityNotSupported(capability, f"the {self.adapter.name} adapter")

    @property
    def is_forked(self) -> bool:
        """Whether the process that opened this keep is another one."""
        return self.is_open and self._process != Process.id

    def require_process(self) -> None:
        """Raises `Closed` in a forked child of the process that opened the keep."""
        if self.is_forked:
            from agentkeep._loops import forked

            raise forked(self._process)

    def _changing(self, loop: AbstractEventLoop) -> Lock:
        """One open or close at a time. A lock belongs to the event loop it was first used in (LIFE-3)."""
        from asyncio import Lock

        return self._locks.setdefault(loop, Lock())


def _anywhere() -> None:
    """An adapter on its own loop can be awaited everywhere."""


def _checked(adapter: PersistenceAdapter) -> Capabilities:
    declared = adapter.capabilities
    if declared.max_message_bytes < MIN_MESSAGE_BYTES:
        raise ConfigurationError(
            f"the {adapter.name} adapter declares max_message_bytes={declared.max_message_bytes}: "
            f"every adapter must take messages of {MIN_MESSAGE_BYTES} bytes (FID-4)"
        )
    return declared
