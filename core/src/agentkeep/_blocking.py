"""How the verbs of an asynchronous class become verbs that block, on the loop of a keep."""

from __future__ import annotations

import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from agentkeep._loops import END, Loop, next_row
from agentkeep.errors import Closed
from agentkeep.keep import Keep

Target = TypeVar("Target")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Runner:
    """The loop on which a sync keep and all its views run their calls, while it is open."""

    def __init__(self, keep: Keep) -> None:
        self._shared = keep._shared  # pyright: ignore[reportPrivateUsage] - the two faces of one keep
        self._changing = threading.Lock()
        self._loop: Loop | None = None
        self._is_opener = False

    @property
    def loop(self) -> Loop:
        """Raises `Closed`."""
        if self._loop is None:
            raise Closed("this keep is not open: use `with`, or call open() first")
        return self._loop

    def run(self, call: Coroutine[Any, Any, Result]) -> Result:
        if self._loop is None:
            call.close()
        return self.loop.run(call)

    def open(self) -> None:
        """Take the loop of a keep that is open, or else open it on a loop of its own."""
        self._shared.require_process()
        if self._loop is not None:
            return
        with self._changing:
            if self._shared.is_open:
                self._loop = self._shared.loop
                return
            own_loop = self._shared.use_own_loop()
            own_loop.start()
            try:
                own_loop.run(self._shared.open_here())
            except BaseException:
                own_loop.stop()
                raise
            self._loop, self._is_opener = own_loop, True

    def close(self) -> None:
        """Close the keep if this face opened it."""
        if self._is_opener:
            self.loop.require_elsewhere()
        with self._changing:
            loop, self._loop = self._loop, None
            if loop is None or not self._is_opener or self._shared.is_forked:
                return
            self._is_opener = False
            own_loop = self._shared.use_own_loop()
            try:
                with suppress(Closed):  # the asynchronous keep was closed meanwhile
                    own_loop.run(self._shared.close_here())
            finally:
                own_loop.stop()


class Blocking(Generic[Target]):
    """The verbs of `asynchronous`, each run to its end on a loop."""

    def __init__(self, asynchronous: Target, runner: Runner) -> None:
        self._asynchronous = asynchronous
        self.runner: Runner = runner

    @property
    def asynchronous(self) -> Target:
        """What this is the face of. If the sync keep opened it, it runs on a loop of its own: await it in any loop."""
        return self._asynchronous


Verb = Callable[Concatenate[Blocking[Target], Arguments], Result]
"""A method of a `Blocking`."""


def runs(
    method: Callable[Concatenate[Target, Arguments], Coroutine[Any, Any, Result]],
) -> Callable[[Callable[..., None]], Verb[Target, Arguments, Result]]:
    """Decorates the place of a verb that runs the coroutine `method` to its end, or what overrides `method`."""

    @wraps(method)
    def call(self: Blocking[Target], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self.runner.run(_own(self.asynchronous, method)(*args, **kwargs))

    return lambda _: cast("Verb[Target, Arguments, Result]", call)


def walks(
    method: Callable[Concatenate[Target, Arguments], AsyncGenerator[Result, None]],
) -> Callable[[Callable[..., None]], Verb[Target, Arguments, Iterator[Result]]]:
    """Decorates the place of a verb that yields what the generator `method` yields, or what overrides `method`."""

    @wraps(method)
    def walk(self: Blocking[Target], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Iterator[Result]:
        rows = _own(self.asynchronous, method)(*args, **kwargs)
        try:
            while (row := self.runner.run(next_row(rows))) is not END:
                yield row
        finally:
            with suppress(Closed):  # a keep that was closed meanwhile has ended this walk with it
                self.runner.run(_close(rows))

    return lambda _: cast("Verb[Target, Arguments, Iterator[Result]]", walk)


def _own(target: object, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method of that name of the target's own class: a keep sweeps all tenants, a view its own."""
    return getattr(target, method.__name__)


async def _close(rows: AsyncGenerator[Any, None]) -> None:
    await rows.aclose()


def as_coroutine(call: Coroutine[Any, Any, Any] | Callable[[], Any]) -> Coroutine[Any, Any, Any]:
    return call if inspect.iscoroutine(call) else _called(cast("Callable[[], Any]", call))


async def _called(function: Callable[[], Any]) -> Any:
    result = function()
    return await result if inspect.isawaitable(result) else result
