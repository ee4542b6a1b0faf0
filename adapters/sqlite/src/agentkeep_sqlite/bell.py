"""A bell that rings after each commit of this process, heard in any event loop (WATCH-1, LIFE-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress


class Bell:
    def __init__(self) -> None:
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @contextmanager
    def heard(self) -> Generator[asyncio.Event]:
        """An event that is set whenever the bell rings; its listener clears it."""
        event = asyncio.Event()
        listener = (asyncio.get_running_loop(), event)
        self._listeners.add(listener)
        try:
            yield event
        finally:
            self._listeners.discard(listener)

    @property
    def has_listeners(self) -> bool:
        return bool(self._listeners)

    def ring(self) -> None:
        """From any thread."""
        for loop, event in tuple(self._listeners):
            with suppress(RuntimeError):  # that loop was closed meanwhile
                loop.call_soon_threadsafe(event.set)
