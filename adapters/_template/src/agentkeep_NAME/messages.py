"""The messages. `agentkeep.protocol.MessageRepository` says what each verb promises; agentkeep_memory shows it."""

from __future__ import annotations

from agentkeep.records import Append, MessageRange, MessageRecord, Scope


class CLASSMessages:
    """`append` is one atomic step of the database: `records.Append` states its order (ORD-1 to ORD-6, IDEM-1)."""

    async def append(self, scope: Scope, append: Append) -> list[MessageRecord]:
        raise NotImplementedError

    async def replace(
        self, scope: Scope, session_id: str, message_id: str, *, role: str, payload: str, expected: MessageRecord
    ) -> MessageRecord | None:
        raise NotImplementedError

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        raise NotImplementedError

    async def get(self, scope: Scope, session_id: str, message_id: str) -> MessageRecord:
        raise NotImplementedError

    async def truncate(self, scope: Scope, session_id: str, *, after_seq: int) -> int:
        raise NotImplementedError

    async def trim(self, scope: Scope, session_id: str, *, keep_last: int) -> int:
        raise NotImplementedError

    async def pop(self, scope: Scope, session_id: str) -> MessageRecord | None:
        raise NotImplementedError
