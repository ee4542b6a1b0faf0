"""JSON, kept verbatim (FID-1, FID-2): one strict encoder and one decoder for every adapter.

Built on msgspec, whose JSON keeps key order, int against float, ints beyond 64 bits and -0.0, and refuses lone
surrogates. What it would change in silence (NaN to null, int keys to text, tuples to lists) is refused here first.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable
from enum import Enum
from hashlib import blake2b
from math import isfinite
from types import NoneType
from typing import Any, cast

import msgspec

from agentkeep.errors import Corrupt, InvalidInput
from agentkeep.models import Message, NewMessage, Session
from agentkeep.records import MessageRecord, SessionRecord

MAX_DEPTH = 200
"""Deeper JSON is refused: parsers of several databases and of Python itself give up a little further down."""


class Payload(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """All of a message that is not a column of its own; absent fields are left out."""

    content: str | list[Any] | None = None
    name: str | None = None
    user_id: str | None = None
    tool_calls: list[Any] | None = None
    tool_call_id: str | None = None
    turn_id: str | None = None
    route: str | None = None
    step: str | None = None
    event: Any = None
    metadata: dict[str, Any] = {}


_encode = msgspec.json.Encoder().encode
decode_payload = msgspec.json.Decoder(Payload, strict=True).decode
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def check_json(value: Any, where: str, depth: int = 0) -> None:
    """Raise `InvalidInput` naming the path of the first thing that JSON can't say."""
    kind = cast("type[object]", type(value))
    if kind is str or kind is int or kind is bool or value is None:
        return
    if kind is float:
        if not isfinite(value):
            raise InvalidInput(f"{where} is {value}: JSON has no NaN and no infinities")
        return
    if depth >= MAX_DEPTH:
        raise InvalidInput(f"{where[:200]}… is nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        for key, item in cast("dict[Any, Any]", value).items():
            if not isinstance(key, str):
                raise InvalidInput(f"{where} has the key {key!r}: JSON keys are strings")
            check_json(item, f"{where}.{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            check_json(item, f"{where}[{index}]", depth + 1)
    elif not (isinstance(value, Enum) and isinstance(value, str | int)):
        raise InvalidInput(f"{where} is of type {kind.__name__}: give a dict, list, str, int, float, bool or None")


def encode_json(value: Any, where: str) -> bytes:
    """`value` as JSON in UTF-8. Raises `InvalidInput`."""
    check_json(value, where)
    return _encode_checked(value, where)


def _encode_checked(value: Any, where: str) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{where} holds a lone surrogate, which no encoding can keep: {error}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidInput(f"{where} can't be written as JSON: {error}") from error


def encode_payload(message: NewMessage) -> bytes:
    """The payload of a message as JSON in UTF-8. Raises `InvalidInput`."""
    if type(message.content) is not str:
        _check_kind(message.content, (str, list, NoneType), "content", "a str, a list or None")
        check_json(message.content, "content")
    if message.tool_calls is not None:
        _check_kind(message.tool_calls, list, "tool_calls", "a list or None")
        check_json(message.tool_calls, "tool_calls")
    if message.event is not None:
        check_json(message.event, "event")
    if message.metadata != {}:
        _check_kind(message.metadata, dict, "metadata", "a dict")
        check_json(message.metadata, "metadata")
    return _encode_checked(
        Payload(
            content=message.content,
            name=message.name,
            user_id=message.user_id,
            tool_calls=message.tool_calls,
            tool_call_id=message.tool_call_id,
            turn_id=message.turn_id,
            route=message.route,
            step=message.step,
            event=message.event,
            metadata=message.metadata,
        ),
        "message",
    )


def content_key(role: str, payload: bytes) -> str:
    """Equal for equal role and content (IDEM-1): a BLAKE2b digest of 16 bytes, as 22 letters of URL-safe base64.

    A role holds no control character, so NUL ends it.
    """
    digest = blake2b(b"%b\0%b" % (role.encode(), payload), digest_size=16).digest()
    return b2a_base64(digest).translate(_URL_SAFE)[:22].decode()


def _check_kind(value: object, kind: Any, where: str, right: str) -> None:
    if not isinstance(value, kind):
        raise InvalidInput(f"{where} is of type {type(value).__name__}: give {right}")


def decode_message(session_id: str, record: MessageRecord) -> Message:
    """Raises `Corrupt` (ERR-4)."""
    return decode_messages(session_id, (record,))[0]


def decode_messages(session_id: str, records: Iterable[MessageRecord]) -> list[Message]:
    """Raises `Corrupt` (ERR-4). One loop and no call for each, as a long tail is decoded here."""
    messages: list[Message] = []
    for record in records:
        try:
            payload = decode_payload(record.payload)
        except (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError) as error:
            raise Corrupt(f"message {record.id!r} of session {session_id!r}", str(error)) from error
        messages.append(
            Message(
                id=record.id,
                session_id=session_id,
                seq=record.seq,
                role=record.role,
                content=payload.content,
                name=payload.name,
                user_id=payload.user_id,
                tool_calls=payload.tool_calls,
                tool_call_id=payload.tool_call_id,
                turn_id=payload.turn_id,
                route=payload.route,
                step=payload.step,
                event=payload.event,
                metadata=payload.metadata,
                created_at=record.created_at,
            )
        )
    return messages


def decode_session(tenant: str, record: SessionRecord) -> Session:
    """Raises `Corrupt` (ERR-4)."""
    try:
        state = _decode_object(record.state)
        metadata = _decode_object(record.metadata)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError) as error:
        raise Corrupt(f"session {record.id!r}", str(error)) from error
    return Session(
        id=record.id,
        tenant=tenant,
        user_id=record.user_id,
        agent_name=record.agent_name,
        title=record.title,
        status=record.status,
        current_route=record.current_route,
        current_step=record.current_step,
        state=state,
        metadata=metadata,
        counters=dict(record.counters),
        parent_id=record.parent_id,
        forked_at_seq=record.forked_at_seq,
        version=record.version,
        schema_version=record.schema_version,
        message_count=record.message_count,
        last_seq=record.last_seq,
        created_at=record.created_at,
        updated_at=record.updated_at,
        last_message_at=record.last_message_at,
        completed_at=record.completed_at,
        ends_at=record.ends_at,
        idle_ttl=record.idle_ttl,
        expires_at=record.expires_at,
    )
