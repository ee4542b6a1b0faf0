"""An unreadable record is quoted in the error.

Parsers like to show the text around the place at which they stopped.
"""

from typing import Any

from agentkeep import Corrupt, _codec, _tails, messages
from agentkeep.records import MessageRecord
from over import OverMemory, plant

FAMILY = "error_values"
CLAUSE = "ERR-3"


decode = _codec.decode_message


def decode_message(session_id: str, record: MessageRecord) -> Any:
    try:
        return decode(session_id, record)
    except Corrupt as error:
        raise Corrupt(error.record, record.payload) from error


plant(messages, "decode_message", decode_message)
plant(_tails, "decode_message", decode_message)


class TestFault(OverMemory):
    pass
