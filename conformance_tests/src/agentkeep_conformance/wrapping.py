"""A wrapper that stores other bytes than it is given, as one that encrypts does (WRAP-1).

It is not encryption: it only has what is hard about encryption for an adapter. Each stored text is under a fresh random
nonce, so equal content is stored as different bytes that no adapter can read as JSON, and the stored content key is a
keyed digest of core's. The text itself stays readable, so that a scan for removed data can find it.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

from agentkeep.errors import Corrupt
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
from agentkeep.wrappers import MessagesWrapper, SessionsWrapper, Wrapper
from msgspec.structs import replace

_KEY = b"the key of a test"
_MARK = "sealed:"
_NONCE = 12
"""Letters of a nonce."""
Draft = TypeVar("Draft", bound=MessageDraft)


def seal(text: str) -> str:
    """The text as it is stored: other bytes each time."""
    return f"{_MARK}{secrets.token_urlsafe(_NONCE)[:_NONCE]}{text}"


def unseal(stored: str, record: str) -> str:
    """Raises `Corrupt` for a text that `seal` did not make (ERR-4)."""
    if not stored.startswith(_MARK):
        raise Corrupt(record, "it is not sealed")
    return stored[len(_MARK) + _NONCE :]


def keyed(content_key: str) -> str:
    """The content key that is stored: it tells nothing of the content to who has not the key."""
    digest = blake2b(content_key.encode(), key=_KEY, digest_size=16).digest()
    return urlsafe_b64encode(digest)[:22].decode()


def _seal_json(text: str) -> str:
    return json.dumps({"sealed": seal(text)}, ensure_ascii=False)


def _unseal_json(stored: str, record: str) -> str:
    try:
        return unseal(json.loads(stored)["sealed"], record)
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt(record, "it is not sealed") from error


def _sealed(draft: Draft) -> Draft:
    return replace(draft, payload=seal(draft.payload), content_key=keyed(draft.content_key))


def _message(session_id: str, record: MessageRecord) -> MessageRecord:
    name = f"message {record.id!r} of session {session_id!r}"
    return replace(record, payload=unseal(record.payload, name))


def _messages(session_id: str, records: Sequence[MessageRecord]) -> list[MessageRecord]:
    return [_message(session_id, record) for record in records]


def _session(record: SessionRecord) -> SessionRecord:
    name = f"session {record.id!r}"
    return replace(record, state=_unseal_json(record.state, name), metadata=_unseal_json(record.metadata, name))


def _new(draft: SessionDraft) -> SessionDraft:
    return replace(draft, state=_seal_json(draft.state), metadata=_seal_json(draft.metadata))


def _changes(changes: SessionChanges) -> SessionChanges:
    sealed = changes.copy()
    if "state" in changes:
        sealed["state"] = _seal_json(changes["state"])
    if "metadata" in changes:
        sealed["metadata"] = _seal_json(changes["metadata"])
    return sealed


class SealingSessions(SessionsWrapper):
    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        return _session(await super().create(scope, _new(draft), or_get=or_get))

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        return _session(await super().get(scope, session_id))

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> list[SessionRecord]:
        return [_session(record) for record in await super().get_many(scope, session_ids)]

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        record, messages = await super().resume(scope, session_id, tail=tail)
        return ResumedRecord(_session(record), _messages(session_id, messages))

    async def update(self, scope: Scope, session_id: str, changes: SessionChanges, **options: Any) -> SessionRecord:
        return _session(await super().update(scope, session_id, _changes(changes), **options))

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> Sequence[SessionRecord]:
        return [_session(record) for record in await super().list(scope, query, order, limit=limit, after=after)]

    async def touch(self, scope: Scope, session_id: str, **options: Any) -> SessionRecord:
        return _session(await super().touch(scope, session_id, **options))

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        changes = None if fork.changes is None else _changes(fork.changes)
        return _session(await super().fork(scope, replace(fork, changes=changes)))

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        sealed = replace(record, state=_seal_json(record.state), metadata=_seal_json(record.metadata))
        await super().restore(scope, sealed, labels, [_sealed(message) for message in messages])


class SealingMessages(MessagesWrapper):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        sealed = replace(
            append,
            messages=[_sealed(draft) for draft in append.messages],
            create=None if append.create is None else _new(append.create),
            changes=None if append.changes is None else _changes(append.changes),
        )
        appended = await super().append(scope, sealed)
        return appended._replace(messages=_messages(append.session_id, appended.messages))

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        replaced = await super().replace(scope, session_id, _sealed(message), expected=keyed(expected))
        return None if replaced is None else _message(session_id, replaced)

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        return _messages(session_id, await super().list(scope, session_id, window))

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        return _message(session_id, await super().get(scope, session_id, message_id))

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        return _messages(session_id, await super().get_many(scope, session_id, message_ids))

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        popped = await super().pop(scope, session_id)
        return None if popped is None else _message(session_id, popped)

    async def search(self, scope: Scope, query: SearchQuery) -> Sequence[HitRecord]:
        hits = await super().search(scope, query)
        return [hit._replace(message=_message(hit.session_id, hit.message)) for hit in hits]

    async def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        async for record in super().watch(scope, session_id, after_seq=after_seq):
            yield _message(session_id, record)


class Sealing(Wrapper):
    """Keeps every clause, whatever adapter is inside."""

    sessions_wrapper = SealingSessions
    messages_wrapper = SealingMessages
