"""An id that stands twice in one batch is stored once, and the batch lands shorter than it was.

py-key-value's planted fault: get_many dropped duplicates.
"""

from collections.abc import Sequence
from typing import Any

from agentkeep import _message_drafts
from agentkeep.capabilities import Capabilities
from agentkeep.models import NewMessage
from agentkeep.records import MessageDraft
from over import OverMemory, plant

FAMILY = "idempotency"
CLAUSE = "IDEM-1"

_drafts: Any = getattr(_message_drafts, "_message_drafts")  # noqa: B009 - private to all but this lie


def drafts(given: Sequence[NewMessage], capabilities: Capabilities) -> list[MessageDraft]:
    if not isinstance(given, list):
        return _drafts(given, capabilities)
    once = {getattr(message, "id", None) or index: message for index, message in enumerate(given)}
    return _drafts(list(once.values()), capabilities)


plant(_message_drafts, "_message_drafts", drafts)


class TestFault(OverMemory):
    pass
