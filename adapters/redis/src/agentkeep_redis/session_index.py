"""The index of one tenant's sessions: what listings and counts are read from.

On a single server every write brings it up to date in its own script. On a cluster it is in another slot: a write
leaves a mark there first and says what it did afterwards, and whoever lists looks at marked sessions themselves. So a
listing is exact at any moment, also after a writer died between the two slots (ORD-5).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from agentkeep.errors import OutcomeUnknown, PersistenceError, Unavailable

from agentkeep_redis.keys import Keys
from agentkeep_redis.link import Link, answer
from agentkeep_redis.scripts import load_script
from agentkeep_redis.wire import Call, Effect, Reply

Kind = Literal["c", "w"]
"""What a mark is for: a create, or another write (which can't bring a deleted session back)."""

_QUIET_SECONDS = 0.05
_MARK_BYTES = 21
_TOKEN_BYTES = 8


class Settlement(NamedTuple):
    """What a finished write did. An empty row: nothing; a revision alone: the session is gone."""

    session_id: str
    token: str
    kind: Kind
    row: bytes


class Mark(NamedTuple):
    """A write that is under way, or whose writer died."""

    token: str
    kind: Kind
    seconds: int
    """When it was left, in seconds since the year 1 by the index's server."""


def marks_of(flat: list[bytes]) -> dict[str, list[Mark]]:
    """By session id, from the reply of HGETALL."""
    return {
        session_id.decode(): [_mark(text[at : at + _MARK_BYTES]) for at in range(0, len(text), _MARK_BYTES)]
        for session_id, text in zip(flat[::2], flat[1::2], strict=True)
    }


def _mark(text: bytes) -> Mark:
    kind: Kind = "c" if text[8:9] == b"c" else "w"
    return Mark(text[:8].decode(), kind, int(text[9:]))


class SessionIndex:
    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._owed: dict[str, list[Settlement]] = {}
        self._settling: asyncio.Task[None] | None = None

    def keys_in_script(self, tenant: str) -> list[bytes]:
        """The index's keys that a session's own script writes to: none where they may be on another server."""
        if self._link.sharded:
            return []
        return [*self._keys.index(tenant), self._keys.late(tenant), self._keys.tenants()]

    async def written(
        self, tenant: str, session_id: str, kind: Kind, write: Callable[[], Awaitable[Reply]], *, at_once: bool = True
    ) -> Reply:
        """The reply of a write to a session, whose second part is the session's new row (empty on a single server).

        `at_once`: the index has it when this returns; otherwise it has a mark, and the row soon.
        """
        if not self._link.sharded:
            return await write()
        token = secrets.token_hex(_TOKEN_BYTES // 2)
        await self._mark(tenant, session_id, token, kind)
        try:
            reply = await write()
        except OutcomeUnknown:
            raise  # the mark stays, and a listing finds out
        except PersistenceError:
            self._owe(tenant, Settlement(session_id, token, kind, b""))
            raise
        row = reply[1] if reply[0] in _WRITTEN else b""
        self._owe(tenant, Settlement(session_id, token, kind, row))
        if at_once:
            await self._settle_quietly(tenant)
        return reply

    async def _mark(self, tenant: str, session_id: str, token: str, kind: Kind) -> None:
        try:
            was_empty = await self._settle(tenant, (session_id, token, kind))
        except OutcomeUnknown as error:  # the mark may stand there; the session was not touched
            raise Unavailable(str(error)) from error
        if was_empty and kind == "c":
            await self.register(tenant)

    async def register(self, tenant: str) -> None:
        """Have the tenant in the set of all tenants, which `sweep` goes through."""
        key = self._keys.tenants()
        (reply,) = await self._link.commands(key, [("SADD", key, tenant)], Effect.REPEATABLE)
        answer(reply, self._link.place)

    def _owe(self, tenant: str, settlement: Settlement) -> None:
        self._owed.setdefault(tenant, []).append(settlement)
        if self._settling is None or self._settling.done():
            self._settling = asyncio.get_running_loop().create_task(self._settle_when_quiet())

    async def _settle_when_quiet(self) -> None:
        """A busy writer settles with its next mark, at no cost; this is for the last of its writes."""
        while self._owed:
            before = {id(part) for parts in self._owed.values() for part in parts}
            await asyncio.sleep(_QUIET_SECONDS)
            if before & {id(part) for parts in self._owed.values() for part in parts}:
                for tenant in tuple(self._owed):
                    await self._settle_quietly(tenant)
                return

    async def _settle_quietly(self, tenant: str) -> None:
        """The writes are done and acknowledged; until their settlement arrives, their marks speak for them."""
        with suppress(PersistenceError):
            await self._settle(tenant, None)

    async def _settle(self, tenant: str, mark: tuple[str, str, Kind] | None) -> bool:
        """Hand over what is owed, and leave a mark; whether the tenant had nothing there."""
        owed = self._owed.pop(tenant, [])
        if not owed and mark is None:
            return False
        try:
            return await self.settle(tenant, owed, mark)
        except BaseException:
            self._owed.setdefault(tenant, []).extend(owed)  # handing over twice is harmless
            raise

    async def settle(
        self, tenant: str, settlements: list[Settlement], mark: tuple[str, str, Kind] | None = None
    ) -> bool:
        reply: Any = await self._link.call(self._settle_call(tenant, settlements, mark), Effect.REPEATABLE)
        return reply == 1

    def _settle_call(
        self, tenant: str, settlements: list[Settlement], mark: tuple[str, str, Kind] | None = None
    ) -> Call:
        args: list[bytes | str] = ["0" if mark is None else "1", *(mark or ("", "", "w"))]
        for settlement in settlements:
            args += settlement
        return Call(load_script("settle"), [*self._keys.index(tenant), self._keys.marks(tenant)], args)

    async def look(self, tenant: str, call: Call) -> Reply:
        """The reply of a script that looks at the index, in one exchange with what this adapter owes it (COST-1).

        Where that can't be handed over, its marks speak for it.
        """
        owed = self._owed.pop(tenant, [])
        if owed:
            try:
                return (await self._link.call_many([self._settle_call(tenant, owed), call]))[1]
            except BaseException as error:
                self._owed.setdefault(tenant, []).extend(owed)
                if not isinstance(error, PersistenceError):
                    raise
        return await self._link.call(call, Effect.READS)

    async def close(self) -> None:
        """Hand over what is owed, as far as the server lets us."""
        if self._settling is not None:
            self._settling.cancel()
            with suppress(asyncio.CancelledError):
                await self._settling
        for tenant in tuple(self._owed):
            await self._settle_quietly(tenant)


_WRITTEN = (b"created", b"written", b"deleted")
