"""What the facade needs besides an adapter, shared by all views on it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from weakref import WeakKeyDictionary

from agentkeep.capabilities import Capabilities
from agentkeep.errors import CapabilityNotSupported, Closed
from agentkeep.protocol import PersistenceAdapter


class Shared:
    """One opened adapter and its settings. Views for tenants and users hold the same one."""

    __slots__ = ("_locks", "adapter", "capabilities", "idle_ttl", "is_open")

    def __init__(self, adapter: PersistenceAdapter, idle_ttl: timedelta | None) -> None:
        self.adapter = adapter
        self.capabilities: Capabilities = adapter.capabilities
        self.idle_ttl = idle_ttl
        self.is_open = False
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def changing(self) -> asyncio.Lock:
        """One open or close at a time. A lock belongs to the event loop it was first used in (LIFE-3)."""
        return self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    def require_open(self) -> None:
        """Raises `Closed` (LIFE-2)."""
        if not self.is_open:
            raise Closed(f"this {self.adapter.name} keep is not open: use `async with`, or call open() first")

    def require(self, capability: str, *, declared: bool) -> None:
        """Raises `CapabilityNotSupported` before anything is touched."""
        self.require_open()
        if not declared:
            raise CapabilityNotSupported(capability, f"the {self.adapter.name} adapter")
