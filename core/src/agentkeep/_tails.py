"""The newest messages of a session, with or without the session itself, and whole turns of them (READ-4)."""

from __future__ import annotations

from collections.abc import Sequence

from agentkeep._adapter_state import AdapterState
from agentkeep._codec import decode_messages, decode_session
from agentkeep._turns import whole_turns as kept_for_whole_turns
from agentkeep._validation import MAX_LIMIT, check_count, check_id
from agentkeep.models import Message, Resumed
from agentkeep.records import MessageRange, MessageRecord, Scope

_TURN_MARGIN = 16
"""Messages read beyond `n` in the same trip if whole turns are wanted: most turns are shorter."""
_TURN_PAGE = 100


async def tail(shared: AdapterState, scope: Scope, session_id: str, n: int, *, whole_turns: bool) -> list[Message]:
    """The newest `n` messages, oldest first."""
    shared.require_open()
    log = _Newest(shared, scope, check_id(session_id, "session_id"))
    check_count(n, "n", least=1)
    await log.read_on(_first_page(n, whole_turns=whole_turns))
    return await log.tail(n, whole_turns=whole_turns)


async def resumed(shared: AdapterState, scope: Scope, session_id: str, n: int, *, whole_turns: bool) -> Resumed:
    """A session and its newest `n` messages, oldest first."""
    shared.require_open()
    log = _Newest(shared, scope, check_id(session_id, "id"))
    check_count(n, "tail", least=1)
    limit = _first_page(n, whole_turns=whole_turns)
    record, messages = await shared.adapter.sessions.resume(scope, session_id, tail=limit)
    log.take(messages, limit)
    session = decode_session(scope.tenant, record)
    return Resumed(session=session, messages=await log.tail(n, whole_turns=whole_turns))


def _first_page(n: int, *, whole_turns: bool) -> int:
    return min(MAX_LIMIT, n + (_TURN_MARGIN if whole_turns else 0))


class _Newest:
    """The messages of a log that were read so far, newest first."""

    def __init__(self, shared: AdapterState, scope: Scope, session_id: str) -> None:
        self._shared = shared
        self._scope = scope
        self._session_id = session_id
        self._records: list[MessageRecord] = []
        self._is_all = False

    def take(self, records: Sequence[MessageRecord], limit: int) -> None:
        """Records that a read for `limit` of them returned."""
        self._records.extend(records)
        self._is_all = len(records) < limit

    async def read_on(self, limit: int) -> None:
        before = self._records[-1].seq if self._records else None
        window = MessageRange(before=before, limit=limit, newest_first=True)
        self.take(await self._shared.adapter.messages.list(self._scope, self._session_id, window), limit)

    async def tail(self, n: int, *, whole_turns: bool) -> list[Message]:
        while len(self._records) < n and not self._is_all:
            await self.read_on(min(MAX_LIMIT, n - len(self._records)))
        kept = min(n, len(self._records))
        if whole_turns:
            kept = await self._with_whole_turn(kept)
        return decode_messages(self._session_id, reversed(self._records[:kept]))

    async def _with_whole_turn(self, kept: int) -> int:
        """How many to keep so that the oldest kept one begins a turn. Each page is decoded and looked through once."""
        first = max(kept - 1, 0)
        checked = min(kept, 1)
        newest_first: list[Message] = []
        while True:
            newest_first += decode_messages(self._session_id, self._records[first + len(newest_first) :])
            found = kept_for_whole_turns(newest_first, checked, is_all=self._is_all)
            if found is not None:
                return first + found
            checked = len(newest_first)
            await self.read_on(_TURN_PAGE)
