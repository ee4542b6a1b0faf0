"""Conversations in the formats of other tools: from their JSON to a session's fields and messages, and back.

A conversation is a list of chat messages, or an object with that list under `messages` (or `traj`, as tau-bench's
trajectory files have it). All its other keys are kept verbatim in the session's metadata.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from agentkeep._drafts import SessionUpdate
from agentkeep._validation import check_id
from agentkeep.errors import InvalidInput
from agentkeep.formats import from_openai, to_openai
from agentkeep.models import NewMessage, Session

LISTS = ("messages", "traj")
SHAPE = "agentkeep_shape"
"""The metadata key for the original form of a conversation object, if an export could not know it otherwise."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation, ready to be imported."""

    id: str
    fields: SessionUpdate
    messages: list[NewMessage]


def is_conversation(value: Any) -> bool:
    """Whether a JSON document is one conversation, rather than a list of several."""
    if isinstance(value, dict):
        return True
    items = cast("list[Any]", value)
    return bool(items) and isinstance(items[0], dict) and "role" in items[0]


def conversation(value: Any, stem: str | None, number: int) -> Conversation:
    """The conversation of a JSON value, which is number `number` in the file `stem`. Raises `InvalidInput`."""
    if isinstance(value, list):
        return Conversation(_own_id(stem, number), {}, _messages(cast("list[Any]", value)))
    if not isinstance(value, dict):
        raise InvalidInput("it is not a conversation: give a list of messages, or an object with messages")
    given = dict(cast("dict[str, Any]", value))
    under = next((name for name in LISTS if isinstance(given.get(name), list)), None)
    if under is None:
        raise InvalidInput("it has no list of messages: give one as messages (or traj)")
    if SHAPE in given:
        raise InvalidInput(f"the key {SHAPE!r} is reserved for Agentkeep: give it another name")
    messages = _messages(given.pop(under))
    if under == "traj" and "id" not in given and given.keys() >= {"task_id", "trial"}:
        return Conversation(_own_id(stem, given["task_id"], given["trial"]), {"metadata": given}, messages)
    return _from_object(given, under, messages, stem, number)


def _own_id(stem: str | None, *parts: object) -> str:
    """An id made of the file's name and these parts. Raises `InvalidInput` if the file has no lasting name."""
    if stem is None:
        raise InvalidInput("it has no id, and standard input has no file name to make one from: give it an id")
    return "-".join((stem, *map(str, parts)))


def _from_object(
    given: dict[str, Any], under: str, messages: list[NewMessage], stem: str | None, number: int
) -> Conversation:
    fields: SessionUpdate = {}
    id = _given_id(given)
    if isinstance(given.get("id"), str):
        del given["id"]
    if _is_id(given.get("user_id")):
        fields["user_id"] = given.pop("user_id")
    if isinstance(given.get("title"), str):
        fields["title"] = given.pop("title")
    metadata: dict[str, Any] = {}
    if given.get("metadata") and isinstance(given["metadata"], dict):
        metadata = given.pop("metadata")
    repeated = metadata.keys() & {*given, SHAPE}
    if repeated:
        raise InvalidInput(f"the key {min(repeated)!r} is given both beside metadata and in it: give it once")
    fields["metadata"] = {**metadata, **given}
    if given or under != "messages":
        fields["metadata"][SHAPE] = {"list": under, "keys": [*given]}
    return Conversation(_own_id(stem, number) if id is None else id, fields, messages)


def _given_id(given: dict[str, Any]) -> str | None:
    for name in ("id", "session_id"):
        value = given.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
        if value is not None:
            raise InvalidInput(f"its {name} is neither a string nor an integer")
    return None


def to_object(session: Session, messages: Iterable[NewMessage]) -> dict[str, Any]:
    """The conversation object of a session, equal to the imported one, with the session's id."""
    items = to_openai(messages)
    metadata = dict(session.metadata)
    if _is_trajectory(session):
        return {**metadata, "traj": items}
    under, names = _shape(metadata.pop(SHAPE, None))
    top = {name: metadata.pop(name) for name in names if name in metadata}
    known = {"id": session.id, "user_id": session.user_id, "title": session.title, "metadata": metadata or None}
    if str(top.get("session_id")) == session.id:
        del known["id"]
    given = {name: value for name, value in known.items() if value is not None}
    return {**given, **top, under: items}


def _shape(kept: Any) -> tuple[str, list[str]]:
    """The value of `SHAPE`. Metadata belongs to the user, so it may have any form."""
    match kept:
        case {"list": str(under), "keys": [*names]} if under in LISTS:
            return under, [name for name in names if isinstance(name, str)]
        case _:
            return "messages", []


def _messages(items: list[Any]) -> list[NewMessage]:
    """The number in the list is the message's id, so that a second import adds nothing (IDEM-1)."""
    messages: list[NewMessage] = []
    for number, item in enumerate(items, start=1):
        try:
            (message,) = from_openai([item])
            messages.append(msgspec.structs.replace(message, id=str(number)))
        except InvalidInput as error:
            raise InvalidInput(f"message {number}: {error}") from error
    return messages


def _is_trajectory(session: Session) -> bool:
    """Whether the session was imported from a trajectory file, and has no fields that were added since."""
    metadata = session.metadata
    if SHAPE in metadata or session.title is not None or session.user_id is not None:
        return False
    return "task_id" in metadata and session.id.endswith(f"-{metadata['task_id']}-{metadata.get('trial')}")


def _is_id(value: object) -> bool:
    try:
        check_id(value, "user_id")
    except InvalidInput:
        return False
    return True
