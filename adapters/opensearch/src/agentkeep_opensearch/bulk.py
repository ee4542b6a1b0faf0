"""Bulk requests: their items give messages their documents, and remove them. A long request is cut between items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
from agentkeep.errors import OutcomeUnknown, PersistenceError, Refused
from agentkeep.spi.resend import Effect

from agentkeep_opensearch.client import Client, encode
from agentkeep_opensearch.documents import Message, Session
from agentkeep_opensearch.driver import CONFLICT, Reply
from agentkeep_opensearch.errors import error_of, reply_error
from agentkeep_opensearch.facts import facts_of
from agentkeep_opensearch.statements import message_key, pointer_key

LAST_VERSION = 2**62
"""The external version of a removed message: a create that arrives later is refused (see the ADR)."""

GONE = "is_gone"
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

    Of a dead session, a copy that is being written, the messages come first: nobody reads them, and who removes a copy
    whose writer was killed learns from them which pointers there are.
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
    return documents + pointers if session.is_dead else pointers + documents


def removals_of(key: str, life: int, seq: int, message_id: str | None) -> list[dict[str, Any]]:
    """Which documents go with a message: its own and its pointer. Their versions refuse what arrives later."""
    shared = {"routing": key, "version_type": "external_gte"}
    own = {**shared, "_id": message_key(key, life, seq), "version": LAST_VERSION}
    if message_id is None:
        return [own]
    return [own, {**shared, "_id": pointer_key(key, message_id), "version": 2 * (life + seq) + 1}]


def removal_item(alias: str, removal: dict[str, Any]) -> bytes:
    """Deletes a document, unless a migration has closed this alias: its copy would not notice that it is gone."""
    return item({"delete": {**removal, "_index": alias}})


def gone_item(removal: dict[str, Any]) -> bytes:
    """Puts an empty document in the place of one, for the time of a migration. A read treats it as absent."""
    return item({"index": removal}, {GONE: True})


def check_fits(client: Client, session: Session, messages: Iterable[Message]) -> None:
    """Raises `LimitExceeded` for a message whose document no request can carry. To be called before its commit."""
    for message in messages:
        if (len(message.payload) + len(message.search_text)) * _BYTES_A_CHARACTER > client.longest_body:
            client.check_length(sum(map(len, index_items(session, [message])[1:])))


def item(*lines: Any) -> bytes:
    """One item, which no request may cut."""
    return b"".join(encode(line) + b"\n" for line in lines)


async def send(
    client: Client, index: str, items: Sequence[bytes], *, done: bool = False, instead: Sequence[bytes] = ()
) -> None:
    """Send items of which a repetition changes nothing, in order. A conflict or an absent document is a normal result.

    `done`: something was committed before, so a failure is `OutcomeUnknown`.
    `instead`: what to send if a migration has closed the alias that the items name.
    """
    try:
        try:
            await _send(client, index, items)
        except Refused:
            if not instead:
                raise
            await _send(client, index, instead if await client.is_migrating() else items)
    except OutcomeUnknown:
        raise
    except PersistenceError as error:
        if not done:
            raise
        raise OutcomeUnknown(f"{error}; the call's commit was made before") from error


async def _send(client: Client, index: str, items: Sequence[bytes]) -> None:
    async def one(body: bytes) -> None:
        params = {"require_alias": "true"}
        reply = await client.request("POST", f"/{index}/_bulk", body, effect=Effect.REPEATABLE, params=params)
        _check(client, reply)

    for body in _bodies(items, min(_BYTES, client.longest_body)):
        await client.past_block(partial(one, body))


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
