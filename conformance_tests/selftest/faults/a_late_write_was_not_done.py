"""A write that got no answer in time is said not to have happened.

A timeout taken for a refusal.
"""

from agentkeep import Unavailable
from over_wire import OverWire
from wire.link import Interrupted, Link

FAMILY = "timeouts"
CLAUSE = "ERR-2"


class Sure(Link):
    def lost(self, verb: str, interrupted: Interrupted, *, sent: bool) -> Exception:
        if isinstance(interrupted.cause, TimeoutError):
            return Unavailable(f"{verb}: too late")
        return super().lost(verb, interrupted, sent=sent)


class TestFault(OverWire):
    link = Sure
