"""A `ConversationStore` of Pydantic AI over a keep.

| Pydantic AI | Agentkeep |
|---|---|
| conversation | a session; its scope is the session's user |
| record | the session's `state`; `expected_revision` is checked by the session's version |
| entry | a message; `metadata.parent` is the entry before it, and the log holds all branches |
| fork | a copy of the session, so that deleting a conversation erases its messages |
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import pydantic
from agentkeep import (
    AlreadyExists,
    Conflict,
    Message,
    MessageNotFound,
    Session,
    SessionFields,
    SessionNotFound,
    SessionUpdate,
    View,
)
from agentkeep.bridging import from_stored, joined_id, single_name, to_stored
from pydantic_ai import RunUsage
from pydantic_ai.conversation_store import (
    ConversationConflict,
    ConversationEntry,
    ConversationRecord,
    ConversationStore,
)
from pydantic_ai.exceptions import UserError

from agentkeep_pydantic_ai.entries import as_entry, as_message, usage_of
from agentkeep_pydantic_ai.recent import Recent

AGENT = "pydantic-ai"
"""The `agent_name` of these sessions."""
_PAGE = 1_000
_records = pydantic.TypeAdapter(ConversationRecord)


@dataclass(frozen=True)
class Revision:
    """What is stored under one revision of a conversation."""

    version: int
    ends: frozenset[str]
    """The last entries of its history and of the branches that it left."""


class AgentkeepConversationStore(ConversationStore):
    """Give it an open keep, or a view of it for one tenant or user. A save is one append: all of it lands, or nothing.

    Loading and saving cost 2 round trips each. `delete` erases all messages of a conversation; its forks keep copies.
    """

    def __init__(self, view: View) -> None:
        self._sessions = view.sessions
        self._messages = view.messages
        self._batch = view.capabilities.max_batch
        self._revisions: Recent[tuple[str, str], Revision] = Recent()
        """By conversation and revision."""
        self._session_of: Recent[str, str] = Recent()
        """By the last entry of a history. Pydantic AI asks for a history by it alone, right after the record."""

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        session = await self._sessions.find(joined_id(conversation_id))
        return None if session is None or "record" not in session.state else await self._record(session)

    async def read_records(self, *, scope: str | None = None, limit: int | None = None) -> list[ConversationRecord]:
        records: list[ConversationRecord] = []
        user = None if scope is None else joined_id(scope)
        async for session in self._sessions.iterate(agent_name=AGENT, user_id=user):
            if limit is not None and len(records) >= limit:
                break
            if "record" in session.state:
                records.append(await self._record(session))
        return records

    async def write_record(
        self,
        record: ConversationRecord,
        *,
        new_entries: Sequence[ConversationEntry] = (),
        expected_revision: str | None,
    ) -> None:
        try:
            stored = await self._revision(record.conversation_id, expected_revision)
            await self._check_end(record, new_entries, stored)
            try:
                await self._store(record, new_entries, stored)
            except (AlreadyExists, Conflict):
                if stored is not None or not await self._removed_leftover(record.conversation_id):
                    raise
                await self._store(record, new_entries, stored)
        except (AlreadyExists, Conflict, LookupError, MessageNotFound, SessionNotFound) as error:
            raise ConversationConflict(record.conversation_id) from error

    async def _store(
        self, record: ConversationRecord, new_entries: Sequence[ConversationEntry], stored: Revision | None
    ) -> None:
        if stored is None and record.forked_from is not None and not new_entries:
            await self._fork(record)
        else:
            await self._append(record, new_entries, stored)

    async def _removed_leftover(self, conversation_id: str) -> bool:
        """A first save of several batches that was cut short left a session without a record, which nobody reads."""
        session = await self._sessions.find(joined_id(conversation_id))
        if session is None or "record" in session.state:
            return False
        return await self._sessions.delete(session.id, expected_version=session.version)

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        stored = await self._revision(conversation_id, expected_revision)
        try:
            deleted = stored is not None and await self._sessions.delete(
                joined_id(conversation_id), expected_version=stored.version
            )
        except Conflict as error:
            raise ConversationConflict(conversation_id) from error
        if not deleted:
            raise ConversationConflict(conversation_id)

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        """It looks through all conversations if this store has not just read or written the entry's record."""
        session_id = self._session_of.get(entry_id)
        if session_id is not None:
            found = await self._messages_of(session_id, entry_id)
            if found:
                return as_entry(found[0])
        async for session in self._sessions.iterate(agent_name=AGENT):
            found = await self._messages_of(session.id, entry_id)
            if found:
                self._session_of[entry_id] = session.id
                return as_entry(found[0])
        raise LookupError(f"entry {entry_id!r} is in no stored conversation")

    async def read_history(self, head_id: str | None, *, limit: int | None = None) -> list[ConversationEntry]:
        """One round trip for each 1,000 messages from the log's end to the first that is needed.

        If the oldest messages were removed (a retention policy, `messages.trim`), the history begins with what is left.
        """
        if head_id is None or limit == 0:
            return []
        if head_id not in self._session_of:
            await self.read_entry(head_id)
        history: list[ConversationEntry] = []
        wanted: str | None = head_id
        oldest_seq = 1
        async for message in self._backwards(self._session_of[head_id], limit):
            oldest_seq = message.seq
            if message.id != wanted:
                continue  # of another branch
            history.append(as_entry(message))
            wanted = history[-1].parent_id
            if wanted is None or len(history) == limit:
                return history[::-1]
        if oldest_seq > 1:
            return history[::-1]
        raise LookupError(f"entry {wanted!r} is in no stored conversation")

    async def _backwards(self, session_id: str, limit: int | None) -> AsyncGenerator[Message, None]:
        before, size = None, min(limit or _PAGE, _PAGE)
        while True:
            try:
                page = await self._messages.list(session_id, before=before, limit=size, newest_first=True)
            except SessionNotFound:
                return
            for message in page.items:
                yield message
            if not page.has_more:
                return
            before, size = page.items[-1].seq, _PAGE

    async def _messages_of(self, session_id: str, entry_id: str) -> list[Message]:
        try:
            return list((await self._messages.get_many(session_id, [entry_id])).values())
        except SessionNotFound:
            return []

    async def _revision(self, conversation_id: str, revision: str | None) -> Revision | None:
        """What is stored under the revision; None for no revision. Raises `ConversationConflict`."""
        if revision is None:
            return None
        if (conversation_id, revision) not in self._revisions:
            record = await self.read_record(conversation_id)
            if record is None or record.revision != revision:
                raise ConversationConflict(conversation_id)
        return self._revisions[conversation_id, revision]

    async def _check_end(
        self, record: ConversationRecord, new_entries: Sequence[ConversationEntry], stored: Revision | None
    ) -> None:
        """Raises `LookupError` if the record's head is an entry that nobody has."""
        known = {entry.id for entry in new_entries}
        if stored is not None:
            known |= stored.ends
        if record.head_id is None or record.head_id in known:
            return
        source = record.conversation_id if stored else record.forked_from
        if source is None or not await self._messages_of(joined_id(source), record.head_id):
            raise LookupError(f"entry {record.head_id!r} is not stored")

    async def _append(
        self, record: ConversationRecord, new_entries: Sequence[ConversationEntry], stored: Revision | None
    ) -> None:
        """More entries than one append takes go ahead in batches, which no record points to before the last one."""
        session_id = joined_id(record.conversation_id)
        messages = [as_message(entry) for entry in new_entries]
        create: SessionFields = {"agent_name": AGENT, "user_id": _user(record)}
        version = 0 if stored is None else stored.version
        ahead = max(0, len(messages) - self._batch)
        for start in range(0, ahead, self._batch):
            batch = messages[start : min(start + self._batch, ahead)]
            version = (await self._messages.append(session_id, batch, create=create, expected_version=version)).version
        landed = await self._messages.append(
            session_id,
            messages[ahead:],
            create=create,
            update=_update(record),
            add=usage_of(new_entries),
            expected_version=version,
        )
        self._remember(record, session_id, landed.version)

    async def _fork(self, record: ConversationRecord) -> None:
        source = joined_id(cast("str", record.forked_from))
        session_id = joined_id(record.conversation_id)
        at_seq = 0
        if record.head_id is not None:
            at_seq = (await self._messages.get(source, record.head_id)).seq
        forked = await self._sessions.fork(source, at_seq=at_seq, new_id=session_id, update=_update(record))
        self._remember(record, session_id, forked.version)

    async def _record(self, session: Session) -> ConversationRecord:
        if session.agent_name != AGENT:
            raise UserError(
                f"session {session.id!r} is of {session.agent_name}, not of Pydantic AI: give another id, or "
                "the view of a tenant for each framework (keep.for_tenant)"
            )
        record = _records.validate_python(from_stored(session.state["record"]))
        if joined_id(record.conversation_id) != session.id:
            record = await self._of_copy(session, record)
        self._remember(record, session.id, session.version)
        return record

    async def _of_copy(self, session: Session, record: ConversationRecord) -> ConversationRecord:
        """`sessions.fork` and `agentkeep fork` copy a conversation with its record, which names the source.

        A copy up to an earlier message ends with the newest message that it has.
        """
        ends = [end for end in [record.head_id, *record.branches] if end is not None]
        kept = await self._messages.get_many(session.id, ends)
        head_id = record.head_id
        if head_id is not None and head_id not in kept:
            newest = await self._messages.tail(session.id, 1)
            head_id = newest[0].id if newest else None
        whole = head_id == record.head_id
        return replace(
            record,
            conversation_id=single_name(session.id),
            head_id=head_id,
            branches=[end for end in record.branches if end in kept and end != head_id],
            usage=record.usage if whole else RunUsage(),
            deferred_tool_requests=record.deferred_tool_requests if whole else None,
            forked_from=record.conversation_id,
            forked_at=head_id,
        )

    def _remember(self, record: ConversationRecord, session_id: str, version: int) -> None:
        ends = frozenset(end for end in [record.head_id, *record.branches] if end is not None)
        self._revisions[record.conversation_id, record.revision] = Revision(version, ends)
        for end in ends:
            self._session_of[end] = session_id


def _user(record: ConversationRecord) -> str | None:
    return None if record.scope is None else joined_id(record.scope)


def _update(record: ConversationRecord) -> SessionUpdate:
    update: SessionUpdate = {"state": {"record": to_stored(_records.dump_python(record, mode="json"))}}
    if record.scope is not None:
        update["user_id"] = _user(record)
    return update
