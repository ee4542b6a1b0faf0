"""Gives a message another content (a redaction)."""

from __future__ import annotations

from agentkeep.errors import MessageNotFound
from agentkeep.records import MessageDraft, MessageRecord, Scope
from agentkeep.spi.resend import Effect
from msgspec.structs import replace

from agentkeep_opensearch import log
from agentkeep_opensearch.bulk import GONE, message_source
from agentkeep_opensearch.client import Client, encode, is_conflict
from agentkeep_opensearch.commit import Lost, Store
from agentkeep_opensearch.documents import Loaded, Message, stored_message, with_content
from agentkeep_opensearch.statements import message_key

_WITHOUT = ("state", "metadata", "labels")


class Replacer:
    def __init__(self, client: Client, store: Store) -> None:
        self._client = client
        self._store = store

    async def replace(self, scope: Scope, session_id: str, draft: MessageDraft, expected: str) -> MessageRecord | None:
        """None if the message has another content key than `expected`. Raises `Lost`, `MessageNotFound`.

        All pending messages get documents first, and the session forgets them. So nobody has the old content in
        hand whose writing would not be refused.
        """
        found, pointers = await self._store.load(scope, session_id, [draft.id], without=_WITHOUT)
        loaded = await self._store.living(scope, found, session_id)
        seq = _seq_of(loaded, draft.id, [p.seq for p in pointers.values() if p.life == loaded.session.life])
        if seq is None:
            raise MessageNotFound(session_id, draft.id)
        await self._store.move(loaded.session, done=False)
        stored, version = await self._document(loaded, seq)
        if stored.content_key != expected:
            return None
        session = loaded.session
        replaced = with_content(stored, draft)
        source = encode(message_source(session, replaced))
        self._client.check_length(len(source))
        record = replace(session.record, updated_at=max(self._store.now(), session.record.updated_at))
        await self._store.commit(loaded, replace(session, record=record, pending=()))
        path = f"/{self._store.names.messages}/_doc/{message_key(session.key, session.life, seq)}"
        next_one = {"version": version + 1, "version_type": "external"}  # unlike `_seq_no`, the same after a migration
        params = {"routing": session.key, "require_alias": "true", **next_one}
        reply = await self._client.request("PUT", path, source, effect=Effect.REPEATABLE, params=params)
        if is_conflict(reply):
            (now, _) = await self._document(loaded, seq)
            if now.content_key != draft.content_key:
                raise Lost
        return replaced.record()

    async def _document(self, loaded: Loaded, seq: int) -> tuple[Message, int]:
        session = loaded.session
        path = f"/{self._store.names.messages}/_doc/{message_key(session.key, session.life, seq)}"
        reply = await self._client.request("GET", path, params={"routing": session.key})
        if not reply.get("found") or GONE in reply["_source"]:
            raise Lost
        return stored_message(session.record.id, reply["_source"]), reply["_version"]


def _seq_of(loaded: Loaded, message_id: str, pointed: list[int]) -> int | None:
    session = loaded.session
    seqs = [message.seq for message in session.pending if message.id == message_id] + pointed
    return next((seq for seq in seqs if log.contains(session.log, seq)), None)
