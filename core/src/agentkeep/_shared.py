"""One opened adapter and what the facade needs besides it, shared by all views."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from agentkeep.capabilities import Capabilities
from agentkeep.errors import CapabilityNotSupported, Closed
from agentkeep.protocol import PersistenceAdapter

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Lock


class Shared:
    """One opened adapter and its settings. Views for tenants and users hold the same one."""

    __slots__ = ("_locks", "adapter", "capabilities", "idle_ttl", "is_open")

    def __init__(self, adapter: PersistenceAdapter, idle_ttl: timedelta | None) -> None:
        self.adapter = adapter
        self.capabilities: Capabilities = adapter.capabilities
        self.idle_ttl = idle_ttl
        self.is_open = False
        self._locks: WeakKeyDictionary[AbstractEventLoop, Lock] = WeakKeyDictionary()

    def changing(self) -> Lock:
        """One open or close at a time. A lock belongs to the event loop it was first used in (LIFE-3)."""
        from asyncio import Lock, get_running_loop  # late: half the time of importing agentkeep

        return self._locks.setdefault(get_running_loop(), Lock())

    def require_open(self) -> None:
        """Raises `Closed` (LIFE-2)."""
        if not self.is_open:
            raise Closed(f"this {self.adapter.name} keep is not open: use `async with`, or call open() first")

    def require(self, capability: str, *, declared: bool) -> None:
        """Raises `CapabilityNotSupported` before anything is touched."""
        self.require_open()
        if not declared:
            raise CapabilityNotSupported(capability, f"the {self.adapter.name} adapter")
