"""How much a Redis script does: nobody else gets a turn on that server while it runs (COST-3)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha1
from typing import Any
from unittest.mock import patch

_COUNTED = b"""
local counted_work, counted_redis = 0, redis
local function counted(name)
  return function(...)
    local reply = counted_redis[name](...)
    counted_work = counted_work + select('#', ...) + (type(reply) == 'table' and #reply or 1)
    return reply
  end
end
local redis = setmetatable({ call = counted('call'), pcall = counted('pcall') }, { __index = counted_redis })
local function counted_script()
%s
end
return { counted_script() or false, counted_work }
"""


@contextmanager
def scripts_counted(clients: Sequence[Any]) -> Generator[list[int]]:
    """The work of each script that these clients send: the arguments and the replies of its commands, one by one.

    Each class has a method `run(call, effect)` and one `run_many(calls)`. A call is a named tuple with a `script`,
    which is a named tuple of `text` and `sha`.
    """
    steps: list[int] = []
    with ExitStack() as stack:
        for client in clients:
            stack.enter_context(patch.object(client, "run", _run_counted(client.run, steps)))
            stack.enter_context(patch.object(client, "run_many", _run_many_counted(client.run_many, steps)))
        yield steps


def _run_counted(run: Any, steps: list[int]) -> Any:
    async def run_counted(self: Any, call: Any, effect: Any) -> Any:
        return _noted(await run(self, _counted(call), effect), steps)

    return run_counted


def _run_many_counted(run_many: Any, steps: list[int]) -> Any:
    async def run_many_counted(self: Any, calls: Sequence[Any]) -> list[Any]:
        return [_noted(reply, steps) for reply in await run_many(self, [_counted(call) for call in calls])]

    return run_many_counted


def _counted(call: Any) -> Any:
    text = _COUNTED.replace(b"%s", call.script.text)
    return call._replace(
        script=call.script._replace(text=text, sha=sha1(text, usedforsecurity=False).hexdigest().encode())
    )


def _noted(reply: Any, steps: list[int]) -> Any:
    answer, work = reply
    steps.append(work)
    return answer
