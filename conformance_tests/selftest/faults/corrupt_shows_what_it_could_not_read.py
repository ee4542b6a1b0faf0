"""An unreadable record is quoted in the error.

Parsers like to show the text around the place at which they stopped.
"""

from collections.abc import Iterable

from agentkeep import Corrupt, _codec, _tails, messages
from agentkeep.models import Message
from agentkeep.records import MessageRecord
from over import OverMemory, plant

FAMILY = "error_values"
CLAUSE = "ERR-3"


decode = _codec.decode_message


def decode_message(session_id: str, record: MessageRecord) -> Message:
    try:
        return decode(session_id, record)
    except Corrupt as error:
        raise Corrupt(error.record, record.payload) from error


def decode_messages(session_id: str, records: Iterable[MessageRecord]) -> list[Message]:
    return [decode_message(session_id, record) for record in records]


plant(messages, "decode_message", decode_message)
plant(messages, "decode_messages", decode_messages)
plant(_tails, "decode_messages", decode_messages)


class TestFault(OverMemory):
    pass
