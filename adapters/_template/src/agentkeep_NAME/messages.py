"""The messages. `agentkeep.protocol.MessageRepository` says what each verb promises; agentkeep_memory shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentkeep.errors import MessageNotFound, SessionNotFound
from agentkeep.records import Append, AppendedRecord, MessageDraft, MessageRange, MessageRecord, Scope
from agentkeep.spi.clock import Clock
from agentkeep.spi.decode import decode, message_name
from agentkeep.spi.resend import Effect

from agentkeep_NAME.client import Client
from agentkeep_NAME.rows import message_record


class CLASSMessages:
    """`append` is one atomic step of the database; `records.Append` states its order (ORD-1 to ORD-6, IDEM-1)."""

    def __init__(self, client: Client, sql: Mapping[str, str], clock: Clock) -> None:
        self._client = client
        self._sql = sql
        self._clock = clock

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        """Its effect is `REPEATABLE` if `append.is_repeatable`, else `ONCE`. The conflicts are in `spi.outcomes`."""
        raise NotImplementedError

    async def replace(
        self, scope: Scope, session_id: str, message: MessageDraft, *, expected: str
    ) -> MessageRecord | None:
        raise NotImplementedError

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> Sequence[MessageRecord]:
        raise NotImplementedError

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        values = {"tenant": scope.tenant, "scope_user": scope.user_id, "session_id": session_id}
        values |= {"message_id": message_id, "now": self._clock()}
        rows = await self._client.run(self._sql["get_message"], values, Effect.READ)
        if not rows:
            raise SessionNotFound(session_id)
        if rows[0]["id"] is None:
            raise MessageNotFound(session_id, message_id)
        return decode(rows[0], message_record, lambda _: message_name(session_id, message_id))

    async def get_many(self, scope: Scope, session_id: str, message_ids: Sequence[str]) -> Sequence[MessageRecord]:
        raise NotImplementedError

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        raise NotImplementedError

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        raise NotImplementedError

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        raise NotImplementedError
