"""What goes over the wire: frames of 4 bytes of length and a msgpack body, and the types of each verb.

A request is `[verb, namespace, scope, arguments]`, its answer `[None, result]` or `[error, fields]`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from agentkeep.models import Health
from agentkeep.records import (
    Append,
    AppendedRecord,
    Fork,
    HitRecord,
    MessageDraft,
    MessageRange,
    MessageRecord,
    RestoredMessage,
    ResumedRecord,
    Scope,
    SearchQuery,
    SessionChanges,
    SessionDraft,
    SessionOrder,
    SessionPosition,
    SessionQuery,
    SessionRecord,
)

MAX_FRAME = 256 * 1024 * 1024


class Request(msgspec.Struct, array_like=True):
    verb: str
    namespace: str
    scope: Scope | None
    arguments: msgspec.Raw


class Answer(msgspec.Struct, array_like=True):
    error: str | None
    body: msgspec.Raw
    """The result, or the fields that make the error again."""


class Verb(NamedTuple):
    """What a verb takes and gives, and whether it writes."""

    takes: Any
    gives: Any
    writes: bool = True


VERBS: dict[str, Verb] = {
    "sessions.create": Verb(tuple[SessionDraft, bool], SessionRecord),
    "sessions.get": Verb(tuple[str], SessionRecord, writes=False),
    "sessions.get_many": Verb(tuple[list[str]], list[SessionRecord], writes=False),
    "sessions.resume": Verb(tuple[str, int], ResumedRecord, writes=False),
    "sessions.update": Verb(tuple[str, SessionChanges, dict[str, int] | None, int | None], SessionRecord),
    "sessions.list": Verb(
        tuple[SessionQuery, SessionOrder, int, SessionPosition | None], list[SessionRecord], writes=False
    ),
    "sessions.count": Verb(tuple[SessionQuery], int, writes=False),
    "sessions.touch": Verb(tuple[str, timedelta | None], SessionRecord),
    "sessions.fork": Verb(tuple[Fork], SessionRecord),
    "sessions.restore": Verb(tuple[SessionRecord, tuple[str, ...], list[RestoredMessage]], None),
    "sessions.delete": Verb(tuple[str, int | None], bool),
    "sessions.delete_many": Verb(tuple[SessionQuery, int], int),
    "messages.append": Verb(tuple[Append], AppendedRecord),
    "messages.replace": Verb(tuple[str, MessageDraft, str], MessageRecord | None),
    "messages.list": Verb(tuple[str, MessageRange], list[MessageRecord], writes=False),
    "messages.get": Verb(tuple[str, str], MessageRecord, writes=False),
    "messages.get_many": Verb(tuple[str, list[str]], list[MessageRecord], writes=False),
    "messages.truncate": Verb(tuple[str, int], int),
    "messages.trim": Verb(tuple[str, int], int),
    "messages.pop": Verb(tuple[str], MessageRecord | None),
    "messages.search": Verb(tuple[SearchQuery], list[HitRecord], writes=False),
    "adapter.health": Verb(tuple[()], Health, writes=False),
    "adapter.sweep": Verb(tuple[int], int),
    "adapter.scan": Verb(tuple[()], list[bytes], writes=False),
    "adapter.drop": Verb(tuple[()], None),
}

_TAKES = {name: msgspec.msgpack.Decoder(verb.takes) for name, verb in VERBS.items()}
_GIVES = {name: msgspec.msgpack.Decoder(verb.gives) for name, verb in VERBS.items()}
_request = msgspec.msgpack.Decoder(Request)
_answer = msgspec.msgpack.Decoder(Answer)
_encode = msgspec.msgpack.Encoder().encode


def pack_request(verb: str, namespace: str, scope: Scope | None, arguments: tuple[Any, ...]) -> bytes:
    return _framed([verb, namespace, scope, arguments])


def unpack_request(body: bytes) -> tuple[Request, tuple[Any, ...]]:
    request = _request.decode(body)
    return request, _TAKES[request.verb].decode(request.arguments)


def pack_answer(error: str | None, body: Any) -> bytes:
    return _framed([error, body])


def unpack_answer(verb: str, body: bytes) -> tuple[str | None, Any]:
    """The error's name and fields, or None and the result."""
    answer = _answer.decode(body)
    if answer.error is not None:
        return answer.error, msgspec.msgpack.decode(answer.body)
    return None, _GIVES[verb].decode(answer.body)


def _framed(parts: list[Any]) -> bytes:
    body = _encode(parts)
    return len(body).to_bytes(4, "big") + body


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Raises `IncompleteReadError` if the peer ended."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    if length > MAX_FRAME:
        raise ValueError(f"a frame of {length} bytes")
    return await reader.readexactly(length)
