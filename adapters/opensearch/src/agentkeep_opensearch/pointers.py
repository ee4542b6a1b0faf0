"""What a message id points to: a small document in each session, beside those of its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agentkeep_opensearch import log
from agentkeep_opensearch.documents import Session


class Pointed(NamedTuple):
    """What a message id points to."""

    life: int
    seq: int

    def is_in(self, session: Session) -> bool:
        return self.life == session.life and log.contains(session.log, self.seq)


def pointed_of(message_ids: Sequence[str], found: Sequence[Mapping[str, Any]]) -> dict[str, Pointed]:
    """From the replies for their pointers, those that are there."""
    return {
        message_id: Pointed(int(each["_source"]["life"]), int(each["_source"]["seq"]))
        for message_id, each in zip(message_ids, found, strict=True)
        if each.get("found")
    }
