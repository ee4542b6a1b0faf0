"""A `SessionStore` of the Claude Agent SDK over a keep.

| Claude Agent SDK | Agentkeep |
|---|---|
| (project, session) | a session; its names stand in `metadata` |
| (project, session, subpath) | a session that belongs to that one, which is its `parent_id` |
| entry | a message: `event` is the entry, verbatim; its `uuid` is the message's id |
| summary | the session's `state`, written in the commit of the entries that it sums up |
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from agentkeep import Conflict, NewMessage, Session, SessionFields, SessionNotFound, View
from agentkeep.bridging import append_once, from_stored, item_message, item_of, joined_id, to_stored
from agentkeep.retention import BELONGS_TO, delete_whole
from claude_agent_sdk import (
    SessionKey,
    SessionListSubkeysKey,
    SessionStore,
    SessionStoreEntry,
    SessionStoreListEntry,
    SessionSummaryEntry,
    fold_session_summary,
)

FRAMEWORK = MAIN = "claude-agent"
"""The `agent_name` of main transcripts; subagents have `claude-agent/sub`, so that a listing can leave them out."""
SUB = "claude-agent/sub"
_TRIES = 30
_LONGEST_PAUSE = 0.3
"""Seconds between two tries."""
_USAGE = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class AgentkeepSessionStore(SessionStore):
    """All six methods. Give it an open keep, or a view of it for one tenant or user.

    An append lands whole or not at all, and entries with a `uuid` are stored once, however often they are sent.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._sessions = view.sessions
        self._messages = view.messages
        self._batch = view.capabilities.max_batch

    async def append(self, key: SessionKey, entries: list[SessionStoreEntry]) -> None:
        """At most 2 round trips for each `max_batch` entries: the summary is read, then written with the entries."""
        for start in range(0, len(entries), self._batch):
            batch = entries[start : start + self._batch]
            messages = [_message(entry) for entry in batch]
            messages = list({message.id: message for message in reversed(messages)}.values())[::-1]
            if "subpath" in key:
                await append_once(self._messages, _id(key), messages, create=_fields(key), stored="skip")
            else:
                await self._append_main(key, batch, messages)

    async def _append_main(self, key: SessionKey, entries: list[SessionStoreEntry], messages: list[NewMessage]) -> None:
        """Again if another process wrote the summary meanwhile."""
        for attempt in range(_TRIES):
            session = await self._sessions.find(_id(key))
            summary = fold_session_summary(None if session is None else _summary(session), key, entries)
            try:
                await append_once(
                    self._messages,
                    _id(key),
                    messages,
                    create=_fields(key),
                    update={"state": {"summary": to_stored(summary["data"])}},
                    add=_usage(entries),
                    stored="skip",
                    expected_version=0 if session is None else session.version,
                )
            except Conflict:
                if attempt == _TRIES - 1:
                    raise
                longest = min(_LONGEST_PAUSE, 0.005 * 2**attempt)
                await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - so that of many writers each gets a turn
            else:
                return

    async def load(self, key: SessionKey) -> list[SessionStoreEntry] | None:
        try:
            return [item_of(message, FRAMEWORK) async for message in self._messages.iterate(_id(key))]
        except SessionNotFound:
            return None

    async def list_sessions(self, project_key: str) -> list[SessionStoreListEntry]:
        return [
            {"session_id": _names(session)[1], "mtime": _milliseconds(session.updated_at)}
            async for session in self._sessions.iterate(agent_name=MAIN, metadata={"project": joined_id(project_key)})
        ]

    async def list_session_summaries(self, project_key: str) -> list[SessionSummaryEntry]:
        return [
            _summary(session)
            async for session in self._sessions.iterate(agent_name=MAIN, metadata={"project": joined_id(project_key)})
        ]

    async def delete(self, key: SessionKey) -> None:
        """A main transcript goes with its subagents'."""
        await delete_whole(self._view, _id(key))

    async def list_subkeys(self, key: SessionListSubkeysKey) -> list[str]:
        main = joined_id(key["project_key"], key["session_id"])
        subagents = self._sessions.iterate(metadata={BELONGS_TO: main}, order="created_at")
        return [_names(session)[2] async for session in subagents]


def _id(key: SessionKey) -> str:
    return joined_id(*_parts(key))


def _parts(key: SessionKey) -> list[str]:
    names = [key["project_key"], key["session_id"]]
    return [*names, key["subpath"]] if "subpath" in key else names


def _fields(key: SessionKey) -> SessionFields:
    """Of the session that the first append makes. `names` are the plain names: an id may hold their digest.

    A transcript and its subagents' must not expire apart, so a keep's `idle_ttl` is not theirs.
    """
    metadata = {"project": joined_id(key["project_key"]), "names": to_stored(_parts(key))}
    if "subpath" not in key:
        return {"agent_name": MAIN, "metadata": metadata, "idle_ttl": None}
    main = joined_id(key["project_key"], key["session_id"])
    return {"agent_name": SUB, "parent_id": main, "metadata": {**metadata, BELONGS_TO: main}, "idle_ttl": None}


def _names(session: Session) -> list[str]:
    return cast("list[str]", from_stored(session.metadata["names"]))


def _summary(session: Session) -> SessionSummaryEntry:
    return {
        "session_id": _names(session)[1],
        "mtime": _milliseconds(session.updated_at),
        "data": from_stored(session.state.get("summary", {})),
    }


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _message(entry: SessionStoreEntry) -> NewMessage:
    """An entry without a `uuid` gets an id of this call, so that our own second try stores it once."""
    message = _object(entry.get("message"))
    return item_message(
        FRAMEWORK,
        entry,
        id=joined_id(uuid) if (uuid := entry.get("uuid")) else uuid4().hex,
        role=joined_id(str(message.get("role") or entry["type"])),
    )


def _usage(entries: Iterable[SessionStoreEntry]) -> dict[str, int]:
    """Tokens of the answers in a batch. An answer in several entries (one a content block) counts once, by its id."""
    answers = [_object(entry.get("message")) for entry in entries]
    by_id = {answer.get("id", index): _object(answer.get("usage")) for index, answer in enumerate(answers)}
    return {name: total for name in _USAGE if (total := sum(_count(usage.get(name)) for usage in by_id.values()))}


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0
