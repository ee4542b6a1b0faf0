"""A message that can't be stored is left out of its batch, and the others land.

hermes PR#67379: one lone surrogate ended persistence without a word.
"""

from collections.abc import Sequence
from typing import Any

from agentkeep import _message_drafts
from agentkeep.capabilities import Capabilities
from agentkeep.errors import InvalidInput
from agentkeep.models import NewMessage
from agentkeep.records import MessageDraft
from over import OverMemory, plant

FAMILY = "messages"
CLAUSE = "ORD-2"

_drafts: Any = getattr(_message_drafts, "_message_drafts")  # noqa: B009 - private to all but this lie


def drafts(given: Sequence[NewMessage], capabilities: Capabilities) -> list[MessageDraft]:
    if len(given) != 3:
        return _drafts(given, capabilities)
    found: list[MessageDraft] = []
    for message in given:
        try:
            found += _drafts([message], capabilities)
        except InvalidInput:
            continue
    return found


plant(_message_drafts, "_message_drafts", drafts)


class TestFault(OverMemory):
    pass
