"""The whole suite on the toy adapter: what fails here is wrong in the suite."""

from over_wire import OverWire


class TestWire(OverWire):
    pass
