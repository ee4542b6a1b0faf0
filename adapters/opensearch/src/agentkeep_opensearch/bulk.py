"""The lines of bulk requests: they give messages their documents, and remove them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from agentkeep_opensearch.documents import Message, Session
from agentkeep_opensearch.facts import facts_of
from agentkeep_opensearch.statements import message_key, pointer_key

LAST_VERSION = 2**62
"""The external version of a removed message: a create that arrives later is refused (see the ADR)."""


def message_source(session: Session, message: Message) -> dict[str, Any]:
    return {
        "session": session.key,
        "tenant": session.tenant,
        "user_id": session.record.user_id,
        "agent_name": session.record.agent_name,
        "life": session.life,
        "order": f"{session.key}{message.seq:017d}",
        "at": message.created_at // 1000,
        **_facts(message.payload),
        **msgspec.structs.asdict(message),
    }


def _facts(payload: str) -> dict[str, Any]:
    facts = facts_of(payload)
    return {"tools": facts.tools, "facts": [f"{key}\0{text}" for key, text in facts.metadata.items()]}


def index_lines(session: Session, messages: Iterable[Message]) -> list[Any]:
    """Lines of a bulk request: the pointers, then the messages in order.

    A repetition changes nothing. It never undoes a removal or a replacement, because both make the version larger.
    """
    pointers: list[Any] = []
    documents: list[Any] = []
    for message in messages:
        shared = {"routing": session.key}
        seq = message.seq
        own = {"_id": message_key(session.key, session.life, seq), "version": 1, "version_type": "external"}
        pointer = {
            "_id": pointer_key(session.key, message.id),
            "version": 2 * (session.life + seq),
            "version_type": "external_gte",
        }
        pointers += [{"index": {**shared, **pointer}}, {"life": session.life, "seq": seq}]
        documents += [{"index": {**shared, **own}}, message_source(session, message)]
    return pointers + documents


def removal_lines(key: str, life: int, seq: int, message_id: str | None) -> list[Any]:
    """Lines of a bulk request that remove a message and its pointer, and refuse what arrives later."""
    own = {"_id": message_key(key, life, seq), "version": LAST_VERSION, "version_type": "external_gte"}
    lines: list[Any] = [{"delete": {"routing": key, **own}}]
    if message_id is not None:
        version = 2 * (life + seq) + 1
        pointer = {"_id": pointer_key(key, message_id), "version": version, "version_type": "external_gte"}
        lines.append({"delete": {"routing": key, **pointer}})
    return lines
