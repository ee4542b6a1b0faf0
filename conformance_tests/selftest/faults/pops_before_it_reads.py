"""The newest message is removed, and then read: one that can't be read is lost with the error that tells of it."""

from agentkeep import Message
from agentkeep._codec import decode_message
from agentkeep.messages import Messages
from over import OverMemory, plant

FAMILY = "errors"
CLAUSE = "ERR-4"


async def pop(self: Messages, session_id: str) -> Message | None:
    record = await self._repository.pop(self._scope, session_id)  # pyright: ignore[reportPrivateUsage]
    return None if record is None else decode_message(session_id, record)


plant(Messages, "pop", pop)


class TestFault(OverMemory):
    pass
