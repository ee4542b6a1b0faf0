"""The answer of an append says after pickling that each of its messages landed now, also those of a repetition."""

from collections.abc import Sequence

from agentkeep import Appended, Message, models
from over import OverMemory, plant

FAMILY = "stateful"
CLAUSE = "FID-5"


def appended(messages: Sequence[Message], version: int, last_seq: int, new: int) -> Appended:
    return Appended(messages, version=version, last_seq=last_seq, new=len(messages))


plant(models, "_appended", appended)


class TestFault(OverMemory):
    pass
