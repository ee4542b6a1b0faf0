"""Plain appends to one session that wait for each other land by one update of its document.

Without it, writers of one session make the server try each update again until it meets no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agentkeep.errors import OutcomeUnknown
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep.spi.together import Sending, Together

from agentkeep_mongo.appending import Appending
from agentkeep_mongo.client import Client
from agentkeep_mongo.documents import session_key, size_of
from agentkeep_mongo.moving import STAGE_ABOVE_BYTES


class _Call(NamedTuple):
    scope: Scope
    append: Append


class _Session:
    """A session to which this process appends now."""

    def __init__(self, together: Together[_Call, AppendedRecord]) -> None:
        self.together = together
        self.callers = 0


class Joining:
    def __init__(self, client: Client, appending: Appending) -> None:
        self._client = client
        self._appending = appending
        self._sessions: dict[str, _Session] = {}

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.may_be_stored or append.has_options or not append.messages:
            async with self._client.call():
                return await self._appending.append(scope, append)
        self._client.check_usable()  # in a fork, other calls may wait for an update that only the parent knows
        key = session_key(scope.tenant, append.session_id)
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = _Session(self._together())
        session.callers += 1
        try:
            return await session.together.run(_Call(scope, append))
        finally:
            session.callers -= 1
            if not session.callers:
                self._sessions.pop(key, None)

    def _together(self) -> Together[_Call, AppendedRecord]:
        return Together(
            send_one=self._send_one,
            send_many=self._send_many,
            key=lambda _: None,
            size=lambda call: size_of(call.append.messages),
            seconds=self._client.seconds,
            most_bytes=STAGE_ABOVE_BYTES,
        )

    async def _send_one(self, call: _Call, sending: Sending) -> AppendedRecord:
        async with self._client.call(sending):
            return await self._appending.append(call.scope, call.append)

    async def _send_many(self, calls: Sequence[_Call], sending: Sending) -> Sequence[AppendedRecord | None]:
        if any(call.scope != calls[0].scope for call in calls):
            return [None] * len(calls)  # another scope may not see the session
        async with self._client.call(sending):
            joined = await self._appending.append_joined(calls[0].scope, [call.append for call in calls])
            if joined is not None:
                return list(_split(calls, joined))
            if self._client.may_have_written:
                raise OutcomeUnknown(f"{self._client.server}: no answer came to an append of several callers")
        return [None] * len(calls)


def _split(calls: Sequence[_Call], joined: AppendedRecord) -> Iterator[AppendedRecord]:
    """The result of each call."""
    start = 0
    for call in calls:
        end = start + len(call.append.messages)
        messages = joined.messages[start:end]
        yield AppendedRecord(messages, joined.version, messages[-1].seq, end - start)
        start = end
