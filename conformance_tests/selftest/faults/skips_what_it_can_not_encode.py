"""A message that can't be stored is left out of its batch, and the others land.

hermes PR#67379: one lone surrogate ended persistence without a word.
"""

from collections.abc import Sequence
from typing import Any

from agentkeep.errors import InvalidInput
from agentkeep.messages import Messages
from agentkeep.models import NewMessage
from agentkeep.records import MessageDraft
from over import OverMemory, plant

FAMILY = "messages"
CLAUSE = "ORD-2"

_drafts: Any = getattr(Messages, "_drafts")  # noqa: B009 - private to all but this lie


def drafts(messages: Messages, given: Sequence[NewMessage]) -> list[MessageDraft]:
    if len(given) != 3:
        return _drafts(messages, given)
    found: list[MessageDraft] = []
    for message in given:
        try:
            found += _drafts(messages, [message])
        except InvalidInput:
            continue
    return found


plant(Messages, "_drafts", drafts)


class TestFault(OverMemory):
    pass
