"""A call is given up ten times later than it should be.

A retry inside of the driver, each with the whole timeout.
"""

from typing import Any

from over_wire import OverWire
from wire.link import Link

FAMILY = "timeouts"
CLAUSE = "FLT-5"


class Patient(Link):
    def __init__(self, *place: Any, pool_size: int, timeout: float) -> None:
        super().__init__(*place, pool_size=pool_size, timeout=timeout * 12)


class TestFault(OverWire):
    link = Patient
