"""A word that a query repeats is looked for again and counts again.

A 100 kB query of one word blocked the loop for 3.8 s and took 500 MB.
"""

from agentkeep import messages
from agentkeep.spi.text import fold
from over import OverMemory, plant

FAMILY = "search_words"
CLAUSE = "SRCH-1"


def query_words(query: str) -> tuple[str, ...]:
    return tuple(sorted(fold(query).split(), key=len, reverse=True))


plant(messages, "query_words", query_words)


class TestFault(OverMemory):
    pass
