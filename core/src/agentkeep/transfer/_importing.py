"""Imports one transcript: new messages are appended, and stored ones must be equal to the file's.

An export's session is restored whole, in one step. A conversation's session is created, then its messages are appended
in as few appends as the adapter's `max_batch` allows. Each append has `expected_last_seq`: if somebody else
writes, it raises `Conflict`. So a killed import leaves complete appends, and the next import continues after them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast

import msgspec

from agentkeep._codec import encode_json, encode_payload
from agentkeep._drafts import SessionFields, SessionUpdate
from agentkeep.errors import AlreadyExists
from agentkeep.keep import View
from agentkeep.models import Message, NewMessage, Session
from agentkeep.transfer._restoring import as_new, restore
from agentkeep.transfer._transcripts import Transcript


class Differs(Exception):
    """The stored session differs from the file. The text names the first difference."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of one transcript."""

    session: str
    result: str
    """created, grown, updated, unchanged, expired or refused."""
    added: int = 0
    error: str | None = None


async def import_transcript(keep: View, transcript: Transcript) -> Outcome:
    """Store one transcript, or add what is new in it. Raises `Differs`, and what the keep raises."""
    if transcript.original is not None:
        return await _restore_export(keep, transcript, transcript.original)
    try:
        session = await keep.sessions.create(transcript.id, **cast("SessionFields", transcript.fields))
    except AlreadyExists:
        return await _add_to(keep, transcript)
    added = await _Import(keep, transcript, session).append_rest()
    return Outcome(session=transcript.id, result="created", added=added)


async def _restore_export(keep: View, transcript: Transcript, original: Session) -> Outcome:
    """Restore what was exported, unless it has expired since then (TTL-1)."""
    if original.expires_at is not None and original.expires_at <= datetime.now(UTC):
        return Outcome(session=transcript.id, result="expired")
    messages = [entry for entry in transcript.entries() if isinstance(entry, Message)]
    # The log may have been cut during the export, after the session's line. The messages count.
    whole = msgspec.structs.replace(original, message_count=len(messages))
    try:
        await restore(keep, whole, messages)
    except AlreadyExists:
        return await _add_to(keep, transcript)
    return Outcome(session=transcript.id, result="created", added=len(messages))


async def _add_to(keep: View, transcript: Transcript) -> Outcome:
    """Compare with the stored session, and append the messages that it does not have."""
    import_ = _Import(keep, transcript, await keep.sessions.get(transcript.id))
    await import_.compare()
    added = 0 if import_.is_ahead else await import_.append_rest()
    updated = not added and not import_.is_ahead and await import_.update_fields()
    result = "grown" if added else "updated" if updated else "unchanged"
    return Outcome(session=transcript.id, result=result, added=added)


class _Import:
    """The import of one transcript into one session."""

    def __init__(self, keep: View, transcript: Transcript, session: Session) -> None:
        self._keep = keep
        self._transcript = transcript
        self._session = session
        self._rest = transcript.entries()
        self._last_seq = session.last_seq
        self.is_ahead = False
        """Whether the database has more messages than the file."""

    async def compare(self) -> None:
        """Compare the stored messages with the file's, one by one. Raises `Differs`."""
        number = 0
        async for stored in self._stored():
            entry = next(self._rest, None)
            if entry is None:
                self.is_ahead = True
                return
            number += 1
            difference = _difference(stored, entry)
            if difference is not None:
                raise Differs(f"message {number} differs in {difference}")

    async def _stored(self) -> AsyncGenerator[Message, None]:
        if self._session.last_seq:
            async for message in self._keep.messages.iterate(self._session.id):
                yield message

    async def append_rest(self) -> int:
        """Append the messages that the session does not have, and return how many. Raises `Differs`."""
        added = 0
        for run in _runs(self._rest, self._keep.capabilities.max_batch):
            update = None if added else self._changes(has_grown=True)
            stored = await self._keep.messages.append(
                self._session.id,
                [self._next(entry, number) for number, entry in enumerate(run, start=1)],
                update=update or None,
                expected_version=self._session.version if update else None,
                expected_last_seq=self._last_seq,
            )
            self._last_seq = stored[-1].seq
            added += len(run)
        return added

    def _next(self, entry: NewMessage | Message, number: int) -> NewMessage:
        if isinstance(entry, NewMessage):
            return entry
        if entry.seq != self._last_seq + number:
            raise Differs(f"message {entry.id!r} can't be given its seq {entry.seq} again: remove the session first")
        return as_new(entry)

    async def update_fields(self) -> bool:
        """Set the fields that differ in the file, if the file is newer. Raises `Differs`."""
        changes = self._changes(has_grown=False)
        if changes:
            await self._keep.sessions.update(self._session.id, **changes, expected_version=self._session.version)
        return bool(changes)

    def _changes(self, *, has_grown: bool) -> SessionUpdate:
        """Fields that differ in the file and that an import may set. Raises `Differs`.

        If the stored session was changed after the file's, it keeps its fields. If it was not, its fields must be equal
        to the file's, unless the file is newer: an export with a later `updated_at`, or a conversation that has grown.
        """
        original = self._transcript.original
        if self._session.updated_at > self._updated_by_import():
            return {}
        changes: dict[str, Any] = {}
        for name, value in self._transcript.fields.items():
            held = getattr(self._session, name)
            if original is None and name == "metadata":
                # The user's program may have added metadata of its own. An import leaves it as it is.
                value = {**held, **cast("dict[str, Any]", value)}
            if encode_json(held, name) != encode_json(value, name):
                changes[name] = value
        is_older = has_grown if original is None else self._session.updated_at < original.updated_at
        if changes and not is_older:
            raise Differs(f"its {min(changes)} differs")
        return cast("SessionUpdate", changes)

    def _updated_by_import(self) -> datetime:
        """The `updated_at` that the session has if nobody changed it since its last import.

        An import of a conversation gives no times, so the append of the last message sets both times.
        """
        original = self._transcript.original
        if original is not None:
            return original.updated_at
        return self._session.last_message_at or self._session.created_at


def _difference(stored: Message, entry: NewMessage | Message) -> str | None:
    """The name of the first field in which a stored message differs from the file's."""
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
