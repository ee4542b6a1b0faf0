"""A tail of whole turns begins wherever n falls: a tool result comes without its call.

openai-agents#4322: an unmatched function_call_output, and the provider answers 400.
"""

from collections.abc import Sequence

from agentkeep import _tails
from agentkeep.models import Message
from over import OverMemory, plant

FAMILY = "reading"
CLAUSE = "READ-4"


def as_many_as_asked(newest_first: Sequence[Message], n: int, *, is_all: bool) -> int:
    return n


plant(_tails, "kept_for_whole_turns", as_many_as_asked)


class TestFault(OverMemory):
    pass
