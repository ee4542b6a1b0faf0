"""A timeout of more milliseconds than 32 bits hold is taken as 0, as SQLite does with its busy timeout."""

from over_wire import OverWire
from wire.link import Link

FAMILY = "timeouts"
CLAUSE = "FLT-5"

MOST_SECONDS = 2**31 / 1000


class Small(Link):
    def __init__(self, host: str, port: int, namespace: str, *, pool_size: int, timeout: float) -> None:
        kept = timeout if timeout < MOST_SECONDS else 0.0
        super().__init__(host, port, namespace, pool_size=pool_size, timeout=kept)


class TestFault(OverWire):
    link = Small
