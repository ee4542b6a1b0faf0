"""A lost reply is called `Unavailable`: the write happened, and the caller is told that nothing was written.

MemOS-Cloud-OpenClaw-Plugin#145: the client gave up, the server had written.
"""

from agentkeep import Unavailable
from over_wire import OverWire
from wire.link import Interrupted, Link

FAMILY = "faults"
CLAUSE = "ERR-2"


class Forgetful(Link):
    def lost(self, verb: str, interrupted: Interrupted, *, sent: bool) -> Exception:
        return Unavailable(f"{verb}: {interrupted}")


class TestFault(OverWire):
    link = Forgetful
