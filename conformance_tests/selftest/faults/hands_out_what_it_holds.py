"""What is read is kept, and handed out to the next reader as it is: one caller's change is another's data.

LangGraph's InMemorySaver and py-key-value's MemoryStore (planted faults E2, E3).
"""

from collections.abc import Sequence
from functools import lru_cache

from agentkeep import _codec as codec
from agentkeep import messages, sessions
from agentkeep.models import Message, Session
from agentkeep.records import MessageRecord, SessionRecord
from over import OverMemory, plant

FAMILY = "fidelity"
CLAUSE = "FID-5"


@lru_cache
def decode_message(session_id: str, record: MessageRecord) -> Message:
    return codec.decode_message(session_id, record)


def decode_messages(session_id: str, records: Sequence[MessageRecord]) -> list[Message]:
    return [decode_message(session_id, record) for record in records]


@lru_cache
def decode_session(tenant: str, record: SessionRecord) -> Session:
    return codec.decode_session(tenant, record)


plant(messages, "decode_message", decode_message)
plant(messages, "decode_messages", decode_messages)
plant(sessions, "decode_session", decode_session)


class TestFault(OverMemory):
    pass
