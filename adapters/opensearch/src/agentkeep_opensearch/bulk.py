"""Bulk requests: their items give messages their documents, and remove them. A long request is cut between items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from agentkeep.errors import OutcomeUnknown, PersistenceError

from agentkeep_opensearch.client import CONFLICT, Client, Effect, Reply, encode
from agentkeep_opensearch.documents import Message, Session
from agentkeep_opensearch.errors import error_of, reply_error
from agentkeep_opensearch.facts import facts_of
from agentkeep_opensearch.statements import message_key, pointer_key

LAST_VERSION = 2**62
"""The external version of a removed message: a create that arrives later is refused (see the ADR)."""

_ERROR = 400
_BYTES_A_CHARACTER = 12
"""At most: of a control character, which the facts repeat."""
_BYTES = 10 * 1024 * 1024
"""Of one bulk request. Larger ones save nothing, and a small server refuses them by its indexing pressure."""


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


def index_items(session: Session, messages: Iterable[Message]) -> list[bytes]:
    """Items of a bulk request: the pointers, then the messages in order.

    A repetition changes nothing. It never undoes a removal or a replacement, because both make the version larger.
    """
    pointers: list[bytes] = []
    documents: list[bytes] = []
    for message in messages:
        shared = {"routing": session.key}
        seq = message.seq
        own = {"_id": message_key(session.key, session.life, seq), "version": 1, "version_type": "external"}
        pointer = {
            "_id": pointer_key(session.key, message.id),
            "version": 2 * (session.life + seq),
            "version_type": "external_gte",
        }
        pointers.append(item({"index": {**shared, **pointer}}, {"life": session.life, "seq": seq}))
        documents.append(item({"index": {**shared, **own}}, message_source(session, message)))
    return pointers + documents


def removal_items(key: str, life: int, seq: int, message_id: str | None) -> list[bytes]:
    """Items of a bulk request that remove a message and its pointer, and refuse what arrives later."""
    own = {"_id": message_key(key, life, seq), "version": LAST_VERSION, "version_type": "external_gte"}
    items = [item({"delete": {"routing": key, **own}})]
    if message_id is not None:
        version = 2 * (life + seq) + 1
        pointer = {"_id": pointer_key(key, message_id), "version": version, "version_type": "external_gte"}
        items.append(item({"delete": {"routing": key, **pointer}}))
    return items


def check_fits(client: Client, session: Session, messages: Iterable[Message]) -> None:
    """Raises `LimitExceeded` for a message whose document no request can carry. To be called before its commit."""
    for message in messages:
        if (len(message.payload) + len(message.search_text)) * _BYTES_A_CHARACTER > client.longest_body:
            client.check_length(sum(map(len, index_items(session, [message])[1:])))


def item(*lines: Any) -> bytes:
    """One item, which no request may cut."""
    return b"".join(encode(line) + b"\n" for line in lines)


async def send(client: Client, index: str, items: Sequence[bytes], *, done: bool = False) -> None:
    """Send items of which a repetition changes nothing, in order. A conflict or an absent document is a normal result.

    `done`: something was committed before, so a failure is `OutcomeUnknown`.
    """
    try:
        for body in _bodies(items, min(_BYTES, client.longest_body)):
            params = {"require_alias": "true"}
            reply = await client.request("POST", f"/{index}/_bulk", body, effect=Effect.REPEATABLE, params=params)
            _check(client, reply)
    except OutcomeUnknown:
        raise
    except PersistenceError as error:
        if not done:
            raise
        raise OutcomeUnknown(f"{error}; the call's commit was made before") from error


def _bodies(items: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Of as few requests as have `most` bytes each; a longer item has a request alone."""
    body: list[bytes] = []
    length = 0
    for each in items:
        if body and length + len(each) > most:
            yield b"".join(body)
            body, length = [], 0
        body.append(each)
        length += len(each)
    if body:
        yield b"".join(body)


def _check(client: Client, reply: Reply) -> None:
    for result in (next(iter(each.values())) for each in reply["items"]):
        if result["status"] >= _ERROR and result["status"] != CONFLICT and "error" in result:
            failed = reply_error(result["status"], result)
            if failed.kind != "document_missing_exception":
                raise error_of(failed, client.server) from failed
