"""Words are compared in lower case instead of folded: STRASSE does not find Straße.

`lower()` of SQL and of many index analysers.
"""

from agentkeep import _highlights
from agentkeep.spi import text
from over import OverMemory, plant

FAMILY = "search_words"
CLAUSE = "SRCH-1"


def fold(written: str) -> str:
    return written.lower().replace("\0", " ")


for module in (text, _highlights):
    plant(module, "fold", fold)


class TestFault(OverMemory):
    pass
