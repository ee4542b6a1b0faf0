"""A call waits for a silent server for as long as that is silent, whatever timeout was given.

The field's adapters leave their drivers' defaults: for ever, in most.
"""

from over_wire import OverWire
from wire.link import Link

FAMILY = "faults"
CLAUSE = "FLT-2"
HANGS = True


class Patient(Link):
    def __init__(self, host: str, port: int, namespace: str, *, pool_size: int, timeout: float) -> None:
        super().__init__(host, port, namespace, pool_size=pool_size, timeout=100_000)


class TestFault(OverWire):
    link = Patient
