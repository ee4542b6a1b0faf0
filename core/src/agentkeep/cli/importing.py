"""Brings one transcript into the database: what is new is added, what is there already must be the same.

An export's session is restored whole, in one step. A conversation's session is created, then its messages are appended
in as few appends as the adapter's `max_batch` allows. Each append says `expected_last_seq`: another writer is met with
`Conflict`, never mixed with. So a killed import leaves whole appends, and the next import goes on behind them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast

import msgspec

from agentkeep._codec import encode_json, encode_payload
from agentkeep._drafts import SessionFields, SessionUpdate
from agentkeep.archive import as_new, restore
from agentkeep.cli.transcripts import Transcript
from agentkeep.errors import AlreadyExists
from agentkeep.keep import Keep
from agentkeep.models import Message, NewMessage, Session


class Differs(Exception):
    """What is stored is not what the file says. The text names the first thing that differs."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one transcript."""

    session: str
    result: str
    """created, grown, updated, unchanged, expired or refused."""
    added: int = 0
    error: str | None = None


async def bring_in(keep: Keep, transcript: Transcript) -> Outcome:
    """Raises `Differs`, and what the keep raises."""
    if transcript.original is not None:
        return await _bring_back(keep, transcript, transcript.original)
    try:
        session = await keep.sessions.create(transcript.id, **cast("SessionFields", transcript.fields))
    except AlreadyExists:
        return await _add_to(keep, transcript)
    added = await _Load(keep, transcript, session).append_rest()
    return Outcome(session=transcript.id, result="created", added=added)


async def _bring_back(keep: Keep, transcript: Transcript, original: Session) -> Outcome:
    """Restore what was exported. What expired since then stays away (TTL-1)."""
    if original.expires_at is not None and original.expires_at <= datetime.now(UTC):
        return Outcome(session=transcript.id, result="expired")
    messages = [entry for entry in transcript.entries() if isinstance(entry, Message)]
    # The log may have been cut between the session's line and the last of its messages: what is here is what counts.
    whole = msgspec.structs.replace(original, message_count=len(messages))
    try:
        await restore(keep, whole, messages)
    except AlreadyExists:
        return await _add_to(keep, transcript)
    return Outcome(session=transcript.id, result="created", added=len(messages))


async def _add_to(keep: Keep, transcript: Transcript) -> Outcome:
    """Compare with the session that is there, and append what the file has more."""
    load = _Load(keep, transcript, await keep.sessions.get(transcript.id))
    await load.compare()
    added = 0 if load.is_ahead else await load.append_rest()
    updated = not added and not load.is_ahead and await load.update_fields()
    result = "grown" if added else "updated" if updated else "unchanged"
    return Outcome(session=transcript.id, result=result, added=added)


class _Load:
    """One transcript on its way into one session."""

    def __init__(self, keep: Keep, transcript: Transcript, session: Session) -> None:
        self._keep = keep
        self._transcript = transcript
        self._session = session
        self._rest = transcript.entries()
        self._last_seq = session.last_seq
        self.is_ahead = False
        """The database holds more than the file."""

    async def compare(self) -> None:
        """Walk over what is stored and the file at once. Raises `Differs`."""
        place = 0
        async for stored in self._stored():
            entry = next(self._rest, None)
            if entry is None:
                self.is_ahead = True
                return
            place += 1
            difference = _difference(stored, entry)
            if difference is not None:
                raise Differs(f"message {place} differs in {difference}")

    async def _stored(self) -> AsyncGenerator[Message, None]:
        if self._session.last_seq:
            async for message in self._keep.messages.iterate(self._session.id):
                yield message

    async def append_rest(self) -> int:
        """Append what the file has and the session has not, and say how many. Raises `Differs`."""
        added = 0
        for run in _runs(self._rest, self._keep.capabilities.max_batch):
            update = None if added else self._changes(has_grown=True)
            stored = await self._keep.messages.append(
                self._session.id,
                [self._next(entry, place) for place, entry in enumerate(run, start=1)],
                update=update or None,
                expected_version=self._session.version if update else None,
                expected_last_seq=self._last_seq,
            )
            self._last_seq = stored[-1].seq
            added += len(run)
        return added

    def _next(self, entry: NewMessage | Message, place: int) -> NewMessage:
        if isinstance(entry, NewMessage):
            return entry
        if entry.seq != self._last_seq + place:
            raise Differs(f"message {entry.id!r} can't be given its seq {entry.seq} again: remove the session first")
        return as_new(entry)

    async def update_fields(self) -> bool:
        """Set the fields that the file has otherwise, if the file is the newer one. Raises `Differs`."""
        changes = self._changes(has_grown=False)
        if changes:
            await self._keep.sessions.update(self._session.id, **changes, expected_version=self._session.version)
        return bool(changes)

    def _changes(self, *, has_grown: bool) -> SessionUpdate:
        """Fields that the file has otherwise and that are the file's to set. Raises `Differs`.

        A session of a higher version than the file's was updated since, and keeps its fields. One of the same version
        must be the same, but for a conversation that has grown: the file says no version, and grew later.
        """
        original = self._transcript.original
        version = 1 if original is None else original.version
        if self._session.version > version:
            return {}
        changes: dict[str, Any] = {}
        for name, value in self._transcript.fields.items():
            held = getattr(self._session, name)
            if original is None and name == "metadata":
                # What the user's program added to the metadata is not the file's business.
                value = {**held, **cast("dict[str, Any]", value)}
            if encode_json(held, name) != encode_json(value, name):
                changes[name] = value
        is_older = self._session.version < version or (original is None and has_grown)
        if changes and not is_older:
            raise Differs(f"its {min(changes)} differs")
        return cast("SessionUpdate", changes)


def _difference(stored: Message, entry: NewMessage | Message) -> str | None:
    """The name of the first thing in which a stored message is not the file's."""
    names = ["role", "content", "name", "tool_calls", "tool_call_id", "event", "user_id", "turn_id", "route", "step"]
    if isinstance(entry, Message):
        if (stored.id, stored.seq, stored.created_at) != (entry.id, entry.seq, entry.created_at):
            return "its id, seq or time"
        entry = as_new(entry)
    if stored.role == entry.role and encode_payload(as_new(stored)) == encode_payload(entry):
        return None
    return next((name for name in names if getattr(stored, name) != getattr(entry, name)), "its metadata")


def _runs(entries: Iterator[NewMessage | Message], most: int) -> Iterator[list[NewMessage | Message]]:
    """The entries in lists of at most `most`."""
    while run := list(islice(entries, most)):
        yield run
