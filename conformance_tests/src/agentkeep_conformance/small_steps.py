"""Small limits for a while: after how many rows core and an adapter go on in another step, or in another way.

A random program has a handful of sessions and messages, and a real limit is 500 or 2,000. So without this, no program
would meet a second page, a second step of a count, or a search index that is filled.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module

OF_CORE: Mapping[str, int] = {
    "agentkeep.sessions._ITERATE_PAGE": 2,
    "agentkeep.sessions._GET_MANY": 2,
    "agentkeep.messages._ITERATE_PAGE": 2,
    "agentkeep.messages._GET_MANY": 2,
    "agentkeep._tails.MAX_LIMIT": 2,
    "agentkeep._tails._TURN_MARGIN": 1,
    "agentkeep._tails._TURN_PAGE": 1,
    "agentkeep._steps._STEP": 2,
    "agentkeep.spi.watch.PAGE": 2,
}


@contextmanager
def small_steps(limits: Mapping[str, int]) -> Generator[None]:
    """Set core's limits and the named ones until the block ends. Raises `AttributeError` for a name that is gone."""
    with ExitStack() as restoring:
        for name, value in {**OF_CORE, **limits}.items():
            module, _, constant = name.rpartition(".")
            holder = import_module(module)
            restoring.callback(setattr, holder, constant, getattr(holder, constant))
            setattr(holder, constant, value)
        yield
