"""The limit of a message looks at its content; its event and metadata may be of any size.

LibreChat PR#14157: what else is in the document counts too.
"""

from agentkeep import _message_drafts as drafts
from agentkeep._codec import encode_payload
from agentkeep.models import NewMessage
from over import OverMemory, plant

FAMILY = "capabilities"
CLAUSE = "FID-4"


class Shorter(bytes):
    unseen = 0

    def __len__(self) -> int:
        return super().__len__() - self.unseen


def encode(message: NewMessage) -> bytes:
    encoded = Shorter(encode_payload(message))
    encoded.unseen = len(encode_payload(NewMessage(role="user", event=message.event)))
    return encoded


plant(drafts, "encode_payload", encode)


class TestFault(OverMemory):
    pass
