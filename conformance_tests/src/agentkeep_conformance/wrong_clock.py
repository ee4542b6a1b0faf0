"""A machine whose clock is wrong: for core and one adapter it is another time, and for the server and the tests not."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, tzinfo
from types import ModuleType
from typing import Any

from agentkeep import PersistenceAdapter

from agentkeep_conformance.delegating import layers_of

_OWN = __name__.partition(".")[0]


@contextmanager
def wrong_clock(adapter: PersistenceAdapter, by: timedelta) -> Generator[None]:
    """Until the block ends, `datetime.now`, `time.time` and `time.time_ns` are wrong for core and the adapter.

    A driver's own code keeps the right time. So does a function that was bound to another name before.
    """
    wrong = _wrong(by)
    with ExitStack() as restoring:
        for module in _modules_of(adapter):
            for name, value in list(vars(module).items()):
                lie: object = next((lie for right, lie in wrong if value is right), None)
                if value is time:
                    lie = _WrongTime(by)
                if lie is not None:
                    restoring.callback(setattr, module, name, value)
                    setattr(module, name, lie)
        yield


def _modules_of(adapter: PersistenceAdapter) -> list[ModuleType]:
    """Those of core, of the adapter and of what it wraps. A wrapper of the suite itself keeps the right time."""
    kinds = [kind for layer in layers_of(adapter) for kind in type(layer).__mro__]
    packages = {"agentkeep", *(kind.__module__.partition(".")[0] for kind in kinds)} - {"builtins", _OWN}
    return [module for name, module in sys.modules.items() if name.partition(".")[0] in packages]


def _wrong(by: timedelta) -> list[tuple[object, object]]:
    clock = _WrongTime(by)

    class AnyDatetime(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class WrongDatetime(datetime, metaclass=AnyDatetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + by

    return [(datetime, WrongDatetime), (time.time, clock.time), (time.time_ns, clock.time_ns)]


class _WrongTime:
    """The module `time`."""

    def __init__(self, by: timedelta) -> None:
        self._seconds = by.total_seconds()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time(self) -> float:
        return time.time() + self._seconds

    def time_ns(self) -> int:
        return time.time_ns() + int(self._seconds * 1_000_000_000)
