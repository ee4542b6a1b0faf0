"""An id that stands twice in one batch is stored once, and the batch lands shorter than it was.

py-key-value's planted fault: get_many dropped duplicates.
"""

from collections.abc import Sequence
from typing import Any

from agentkeep.messages import Messages
from agentkeep.models import NewMessage
from agentkeep.records import MessageDraft
from over import OverMemory, plant

FAMILY = "idempotency"
CLAUSE = "IDEM-1"

_drafts: Any = getattr(Messages, "_drafts")  # noqa: B009 - private to all but this lie


def drafts(messages: Messages, given: Sequence[NewMessage]) -> list[MessageDraft]:
    once = {getattr(message, "id", None) or place: message for place, message in enumerate(given)}
    return _drafts(messages, list(once.values()))


plant(Messages, "_drafts", drafts)


class TestFault(OverMemory):
    pass
