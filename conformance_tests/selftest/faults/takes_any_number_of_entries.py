"""Metadata may have any number of filterable entries.

Each is a row or a key of its own: 100,000 of them stopped all writers of SQLite for 2.4 s.
"""

from agentkeep import _labels as labels
from over import OverMemory, plant

FAMILY = "capabilities"
CLAUSE = "FID-4"

plant(labels, "MAX_LABELS", 10**9)


class TestFault(OverMemory):
    pass
