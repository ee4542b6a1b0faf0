"""The memory adapter, without a lie."""

from over import OverMemory


class TestMemory(OverMemory):
    pass
