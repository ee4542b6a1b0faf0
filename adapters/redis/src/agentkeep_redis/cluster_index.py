"""The index of a tenant's sessions on a cluster, where it is in another slot than the sessions.

A writer first leaves an intent in the index's slot, then changes the session, and then sends the outcome to the index.
While a session has an intent, whoever lists reads the session itself. So a listing is exact at any moment, also after a
writer died between the two slots (ORD-5).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from agentkeep.errors import OutcomeUnknown, PersistenceError, Unavailable
from agentkeep.spi.one_call import one_call
from agentkeep.spi.resend import Effect

from agentkeep_redis.client import RedisClient, checked
from agentkeep_redis.driver import Reply
from agentkeep_redis.keys import Keys
from agentkeep_redis.rows import StoredSession, text_time
from agentkeep_redis.session_index import IndexPage, Kind, Write, index_call
from agentkeep_redis.statements import Call, load_script

_QUIET_SECONDS = 0.05
_INTENT_BYTES = 21
_TOKEN_BYTES = 8
_ABANDONED_SECONDS = 60
"""The writer of an older intent has died, or its reply was lost: no call of ours takes so long."""
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_WRITTEN = (b"created", b"written", b"deleted")


class Outcome(NamedTuple):
    """What a finished write did. An empty row: nothing; a row of a revision alone: the session is gone."""

    session_id: str
    token: str
    kind: Kind
    row: bytes


class Intent(NamedTuple):
    """A write that is under way, or whose writer died."""

    token: str
    seconds: int
    """When it was left, in seconds since the year 1 by the index's server."""


def intents_of(text: bytes) -> list[Intent]:
    """One or more of token (8), kind (1) and seconds (12)."""
    parts = [text[at : at + _INTENT_BYTES] for at in range(0, len(text), _INTENT_BYTES)]
    return [Intent(part[:_TOKEN_BYTES].decode(), int(part[_TOKEN_BYTES + 1 :])) for part in parts]


class ClusterIndex:
    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._unsent: dict[str, list[Outcome]] = {}
        """By tenant. Sending an outcome twice is harmless."""
        self._sending: asyncio.Task[None] | None = None

    async def write(self, write: Write, *, kind: Kind = "w", defer: bool = False) -> Reply:
        with one_call():
            return await self._write(write, kind, defer=defer)

    async def _write(self, write: Write, kind: Kind, *, defer: bool) -> Reply:
        tenant = write.scope.tenant
        token = secrets.token_hex(_TOKEN_BYTES // 2)
        await self._leave_intent(tenant, write.session_id, token, kind)
        try:
            reply = await self._client.run(write.call(self._keys, []), write.effect)
        except OutcomeUnknown:
            raise  # the intent stays, and a listing finds out
        except PersistenceError:
            self._finish(tenant, Outcome(write.session_id, token, kind, b""))
            raise
        row = reply[1] if reply[0] in _WRITTEN else b""
        self._finish(tenant, Outcome(write.session_id, token, kind, row))
        if not defer:
            await self._send_quietly(tenant)
        return reply

    async def _leave_intent(self, tenant: str, session_id: str, token: str, kind: Kind) -> None:
        try:
            was_empty = await self._send(tenant, (session_id, token, kind))
        except OutcomeUnknown as error:  # the intent may stand there; the session was not touched
            raise Unavailable(str(error)) from error
        if was_empty and kind == "c":
            await self._register(tenant)

    async def _register(self, tenant: str) -> None:
        """Add the tenant to the set of all tenants, which `sweep` goes through."""
        key = self._keys.tenants()
        (reply,) = await self._client.commands(key, [("SADD", key, tenant)], Effect.REPEATABLE)
        checked(reply, self._client.server)

    def _finish(self, tenant: str, outcome: Outcome) -> None:
        self._unsent.setdefault(tenant, []).append(outcome)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_when_quiet())

    async def _send_when_quiet(self) -> None:
        """A busy writer sends outcomes with its next intent, at no cost; this is for the last of its writes."""
        while self._unsent:
            before = {id(part) for parts in self._unsent.values() for part in parts}
            await asyncio.sleep(_QUIET_SECONDS)
            if before & {id(part) for parts in self._unsent.values() for part in parts}:
                for tenant in tuple(self._unsent):
                    await self._send_quietly(tenant)
                return

    async def _send_quietly(self, tenant: str) -> None:
        """The writes are done and acknowledged. Until their outcomes arrive, their intents stand for them."""
        with suppress(PersistenceError):
            await self._send(tenant, None)

    async def _send(self, tenant: str, intent: tuple[str, str, Kind] | None) -> bool:
        """Send the outcomes and leave an intent; whether the tenant had nothing there."""
        outcomes = self._unsent.pop(tenant, [])
        if not outcomes and intent is None:
            return False
        try:
            return await self._update(tenant, outcomes, intent)
        except BaseException:
            self._unsent.setdefault(tenant, []).extend(outcomes)
            raise

    async def _update(
        self, tenant: str, outcomes: Sequence[Outcome], intent: tuple[str, str, Kind] | None = None
    ) -> bool:
        reply: Any = await self._client.run(self._update_call(tenant, outcomes, intent), Effect.REPEATABLE)
        return reply == 1

    def _update_call(
        self, tenant: str, outcomes: Sequence[Outcome], intent: tuple[str, str, Kind] | None = None
    ) -> Call:
        args: list[bytes | str] = ["0" if intent is None else "1", *(intent or ("", "", "w"))]
        for outcome in outcomes:
            args += outcome
        keys = [*self._keys.index(tenant), self._keys.intents(tenant)]
        return Call(load_script("update_index"), keys, args, f"index of tenant {tenant!r}")

    async def read(self, script: str, tenant: str, options: dict[str, Any], args: Sequence[bytes]) -> Reply:
        """In one exchange with the outcomes that this adapter has not sent yet (COST-1)."""
        keys = [*self._keys.index(tenant), self._keys.intents(tenant)]
        call = index_call(script, tenant, keys, options | {"cluster": True}, args)
        outcomes = self._unsent.pop(tenant, [])
        if outcomes:
            try:
                return (await self._client.run_many([self._update_call(tenant, outcomes), call]))[1]
            except BaseException as error:  # their intents stand for them
                self._unsent.setdefault(tenant, []).extend(outcomes)
                if not isinstance(error, PersistenceError):
                    raise
        return await self._client.run(call, Effect.READ)

    async def mend(self, tenant: str, page: IndexPage, stored: Mapping[str, StoredSession | None]) -> None:
        """Bring into the index what writers that died, or a failover, left out of it."""
        now = int(page.now[:12])
        outcomes: list[Outcome] = []
        for session_id, session in stored.items():
            intents = intents_of(page.uncertain.get(session_id, b""))
            row = _gone(page.now) if session is None else session.row
            if not intents and session is None:
                outcomes.append(Outcome(session_id, "", "w", row))
            abandoned = [intent for intent in intents if now - intent.seconds > _ABANDONED_SECONDS]
            outcomes += [Outcome(session_id, intent.token, "c", row) for intent in abandoned]
        if outcomes:
            await self._update(tenant, outcomes)

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending
        for tenant in tuple(self._unsent):
            await self._send_quietly(tenant)


def _gone(now: bytes) -> bytes:
    """The row of a session that is gone as of now."""
    return b"%016d" % ((text_time(now) - _EPOCH) // timedelta(microseconds=1))
