"""After a connection that died unheard, the second try takes the next idle one, which died with it."""

from over_wire import OverWire
from wire.link import Link

FAMILY = "timeouts"
CLAUSE = "FLT-2"


class Trusting(Link):
    def forget_idle(self) -> None:
        pass


class TestFault(OverWire):
    link = Trusting
