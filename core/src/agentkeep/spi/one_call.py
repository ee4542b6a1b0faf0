"""One end for all statements of a call (FLT-5). Core imports this for each command, so it does not import asyncio."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar


class _SharedTime:
    """Of the statements of one call. A task that was started in it, and outlives it, still has this in its context."""

    deadline: float | None = None
    """None before the first statement."""
    is_over: bool = False


_shared_time: ContextVar[_SharedTime | None] = ContextVar("agentkeep_shared_time", default=None)


def _time_of_call() -> _SharedTime | None:
    shared = _shared_time.get()
    return None if shared is None or shared.is_over else shared


@contextmanager
def one_call() -> Generator[None]:
    """For a call that sends several statements: they share the time that one has (FLT-5).

    A block within another one shares its time.
    """
    if _time_of_call() is not None:
        yield
        return
    shared = _SharedTime()
    token = _shared_time.set(shared)
    try:
        yield
    finally:
        shared.is_over = True
        _shared_time.reset(token)


def shared_end(end: float) -> float:
    """When the call under way must have ended: what its first statement said, which is `end` if this is the first."""
    shared = _time_of_call()
    if shared is None:
        return end
    if shared.deadline is None:
        shared.deadline = end
    return shared.deadline
