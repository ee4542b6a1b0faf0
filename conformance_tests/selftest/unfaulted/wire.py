"""The toy adapter over TCP, without a lie."""

from over_wire import OverWire


class TestWire(OverWire):
    pass
