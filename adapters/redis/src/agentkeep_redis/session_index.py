"""The index of a tenant's sessions, from which listings and counts are read, and the scripts that change a session.

On a single server a write changes the index in its own script. A cluster has the index in another slot than the
session: see `cluster_index.py`, which has the same methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from agentkeep.records import Scope
from agentkeep.spi.decode import session_name
from agentkeep.spi.resend import Effect

from agentkeep_redis.client import RedisClient
from agentkeep_redis.driver import Reply
from agentkeep_redis.keys import Keys
from agentkeep_redis.rows import StoredSession
from agentkeep_redis.statements import Call, load_script, pack_options, pack_scoped

Kind = Literal["c", "w"]
"""What a write is: a create, or another one, which can't bring a deleted session back."""


class Write(NamedTuple):
    """A script that changes one session, if it is one that the scope sees."""

    script: str
    scope: Scope
    session_id: str
    options: Mapping[str, Any]
    args: Sequence[bytes | str] = ()
    effect: Effect = Effect.ONCE

    def call(self, keys: Keys, index_keys: Sequence[bytes]) -> Call:
        tenant = self.scope.tenant
        options = pack_scoped(self.scope, self.options)
        channel = keys.channel(tenant, self.session_id)
        return Call(
            load_script(self.script),
            [*keys.session(tenant, self.session_id), *index_keys],
            [options, self.session_id, channel, *self.args],
            session_name(self.session_id),
        )


def session_call(
    script: str,
    keys: Keys,
    scope: Scope,
    session_id: str,
    options: Mapping[str, Any],
    args: Sequence[str] = (),
) -> Call:
    """A script that reads one session, if it is one that the scope sees."""
    all_args = [pack_scoped(scope, options), *args]
    return Call(load_script(script), keys.session(scope.tenant, session_id), all_args, session_name(session_id))


class IndexPage(NamedTuple):
    """What one reading of the index returned."""

    last: bytes
    """The last entry that was looked at; empty if none is left."""
    now: bytes
    uncertain: Mapping[str, bytes]
    """Sessions whose entries may be out of date, with what the index knows of their writers. Read the sessions
    themselves instead (ORD-5)."""
    entries: list[bytes]


class SessionIndex(Protocol):
    async def write(self, write: Write, *, kind: Kind = "w", defer: bool = False) -> Reply:
        """The script's reply. `defer`: the index of a cluster may get the change a moment later; until then the session
        is among the uncertain ones."""
        ...

    async def read(self, script: str, tenant: str, options: dict[str, Any], args: Sequence[bytes]) -> Reply:
        """The reply of a script that reads the index."""
        ...

    async def mend(self, tenant: str, page: IndexPage, stored: Mapping[str, StoredSession | None]) -> None:
        """Bring the index up to date with sessions that were read because of a page."""
        ...

    async def close(self) -> None:
        """Send what the index does not have yet, as far as the server lets us."""
        ...


class ServerIndex:
    """On a single server: every key is within a script's reach."""

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def write(self, write: Write, *, kind: Kind = "w", defer: bool = False) -> Reply:
        tenant = write.scope.tenant
        index_keys = [*self._keys.index(tenant), self._keys.pending(tenant), self._keys.tenants()]
        return await self._client.run(write.call(self._keys, index_keys), write.effect)

    async def read(self, script: str, tenant: str, options: dict[str, Any], args: Sequence[bytes]) -> Reply:
        keys = [*self._keys.index(tenant), self._keys.pending(tenant)]
        return await self._client.run(index_call(script, tenant, keys, options, args), Effect.READ)

    async def mend(self, tenant: str, page: IndexPage, stored: Mapping[str, StoredSession | None]) -> None:
        """Nothing: the scripts do it themselves."""

    async def close(self) -> None:
        """Nothing: the index has everything."""


def index_call(
    script: str, tenant: str, keys: Sequence[bytes], options: Mapping[str, Any], args: Sequence[bytes]
) -> Call:
    return Call(load_script(script), keys, [pack_options(options), *args], f"index of tenant {tenant!r}")
