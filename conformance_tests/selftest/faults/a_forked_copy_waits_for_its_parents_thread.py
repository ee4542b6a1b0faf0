"""A forked copy of the process uses the loop of its parent, which no thread runs there.

A sync keep in a forked child hung for ever.
"""

import os

from agentkeep._process import Process
from over import OverMemory

FAMILY = "loops"
CLAUSE = "ERR-1"
HANGS = True


_first = Process.id


def forget() -> None:
    """The copy takes itself for the process that it was forked from."""
    Process.id = _first


os.register_at_fork(after_in_child=forget)


class TestFault(OverMemory):
    pass
