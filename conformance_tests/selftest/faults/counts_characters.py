"""The limit of a message is counted in characters; three times as many bytes go through.

VARCHAR(n), and limits of requests in bytes behind it.
"""

from agentkeep import _message_drafts as drafts
from agentkeep._codec import encode_payload
from agentkeep.models import NewMessage
from over import OverMemory, plant

FAMILY = "capabilities"
CLAUSE = "FID-4"


class InCharacters(bytes):
    def __len__(self) -> int:
        return len(self.decode())


def encode(message: NewMessage) -> bytes:
    return InCharacters(encode_payload(message))


plant(drafts, "encode_payload", encode)


class TestFault(OverMemory):
    pass
