"""A tail of whole turns begins wherever n falls: a tool result comes without its call.

openai-agents#4322: an unmatched function_call_output, and the provider answers 400.
"""

from agentkeep.messages import Messages
from agentkeep.models import Message
from over import OverMemory, plant

FAMILY = "reading"
CLAUSE = "READ-4"


async def complete_turns(messages: Messages, session_id: str, tail: list[Message]) -> None:
    """Leaves the tail as it is."""


plant(Messages, "_complete_turns", complete_turns)


class TestFault(OverMemory):
    pass
