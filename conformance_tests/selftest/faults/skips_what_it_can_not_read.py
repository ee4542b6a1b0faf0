"""A stored message that can't be read is left out of the log.

openai-agents#3304: pop_item drops the corrupt newest and says that there is none.
"""

from collections.abc import Sequence

from agentkeep import messages
from agentkeep._codec import decode_message
from agentkeep.errors import Corrupt
from agentkeep.models import Message
from agentkeep.records import MessageRecord
from over import OverMemory, plant

FAMILY = "errors"
CLAUSE = "ERR-4"


def decode_messages(session_id: str, records: Sequence[MessageRecord]) -> list[Message]:
    found: list[Message] = []
    for record in records:
        try:
            found.append(decode_message(session_id, record))
        except Corrupt:
            continue
    return found


plant(messages, "decode_messages", decode_messages)


class TestFault(OverMemory):
    pass
