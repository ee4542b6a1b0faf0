"""An excerpt shows the folded text instead of what was written.

SQLite's adapter did, if folding changed the length.
"""

from agentkeep import _highlights, messages
from agentkeep.spi.text import fold
from over import OverMemory, plant

FAMILY = "search_words"
CLAUSE = "SRCH-1"


def highlights(text: str, words: tuple[str, ...]) -> list[str]:
    return _highlights.highlights(fold(text), words)


plant(messages, "highlights", highlights)


class TestFault(OverMemory):
    pass
