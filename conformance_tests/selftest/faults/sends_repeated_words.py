"""A word that a query repeats is sent to the server as often.

A query of 100 kB that said one word was 100 kB on the wire, and as many conditions in the statement.
"""

from agentkeep import messages
from agentkeep.spi.text import fold
from over import plant
from over_wire import OverWire

FAMILY = "search_words"
CLAUSE = "SRCH-1"


def query_words(query: str) -> tuple[str, ...]:
    return tuple(sorted(fold(query).split(), key=len, reverse=True))


plant(messages, "query_words", query_words)


class TestFault(OverWire):
    pass
