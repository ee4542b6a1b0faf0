"""What the repositories share while the adapter is open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from agentkeep.errors import Closed, ConfigurationError
from agentkeep.records import Scope

from agentkeep_redis.compression import Compression
from agentkeep_redis.keys import Keys
from agentkeep_redis.link import Link
from agentkeep_redis.listing import SessionListing
from agentkeep_redis.scripts import load_script
from agentkeep_redis.session_index import SessionIndex
from agentkeep_redis.wire import Call, Effect, Reply

_pack = msgspec.msgpack.Encoder().encode


class Opened:
    """The parts that live from `open` to `close`."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self.link = link
        self.loop = asyncio.get_running_loop()
        self.index = SessionIndex(link, keys)
        self.listing = SessionListing(link, keys, self.index)


class Parts:
    def __init__(self, keys: Keys, compression: Compression) -> None:
        self.keys = keys
        self.compression = compression
        self.opened: Opened | None = None

    def require_opened(self) -> Opened:
        """Raises `Closed` (LIFE-2), `ConfigurationError` in another event loop than the one of `open` (LIFE-3)."""
        if self.opened is None:
            raise Closed("this redis adapter is not open: call open() first")
        if self.opened.loop is not asyncio.get_running_loop():
            raise ConfigurationError("this redis adapter was opened in another event loop: make one in each loop")
        return self.opened

    @property
    def link(self) -> Link:
        return self.require_opened().link

    @property
    def index(self) -> SessionIndex:
        return self.require_opened().index

    @property
    def listing(self) -> SessionListing:
        return self.require_opened().listing

    async def read(self, script: str, scope: Scope, session_id: str, options: Mapping[str, Any]) -> Reply:
        """A script that reads one session of what the scope sees."""
        keys = self.keys.session(scope.tenant, session_id)
        args = [_packed(scope, options)]
        return await self.link.call(Call(load_script(script), keys, args, f"session {session_id!r}"), Effect.READS)

    async def write(
        self,
        script: str,
        scope: Scope,
        session_id: str,
        options: Mapping[str, Any],
        args: Sequence[bytes | str] = (),
        effect: Effect = Effect.ONCE,
    ) -> Reply:
        """A script that changes one session of what the scope sees, and the index where that is on the same server."""
        keys = [*self.keys.session(scope.tenant, session_id), *self.index.keys_in_script(scope.tenant)]
        bell = self.keys.bell(scope.tenant, session_id)
        call = Call(
            load_script(script), keys, [_packed(scope, options), session_id, bell, *args], f"session {session_id!r}"
        )
        return await self.link.call(call, effect)


def _packed(scope: Scope, options: Mapping[str, Any]) -> bytes:
    """The options that are given; most calls have none."""
    given = {name: value for name, value in options.items() if value is not None}
    if scope.user_id is not None:
        given["user"] = scope.user_id
    return _pack(given) if given else b""
