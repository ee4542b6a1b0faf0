"""A Redis Cluster: calls go to the node that has their slot, follow slots as they move, and look for them again after a
node failed."""

from __future__ import annotations

from asyncio import Lock, Semaphore, gather, sleep, timeout
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from agentkeep.errors import ConfigurationError, OutcomeUnknown, Unavailable
from agentkeep.spi.resend import Attempt, Effect
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisClusterException, ResponseError, TryAgainError

from agentkeep_redis.client import (
    CallsUnderWay,
    DriverClient,
    checked,
    exchange,
    resend_policy,
    run_script,
    run_scripts,
)
from agentkeep_redis.driver import Command, NodePool, Pool, Reply
from agentkeep_redis.errors import DRIVER_ERRORS, error_of, root_of
from agentkeep_redis.statements import Call

_REDIRECTIONS = 8
_TRY_AGAIN_SECONDS = 0.05
_REDIRECTS = (MovedError, AskError, TryAgainError)


class ClusterClient:
    is_cluster = True

    def __init__(self, make: Callable[[], DriverClient], seconds: float) -> None:
        """`make` returns a client for each opening. `seconds`: how long one call may take (FLT-5)."""
        self._make = make
        self._seconds = seconds
        self._under_way = CallsUnderWay()
        self._made: DriverClient | None = None
        self._client: Any = None
        self._limits: dict[str, Semaphore] = {}
        self._is_stale = False
        self._refreshing = Lock()
        self.server = "redis cluster"

    async def open(self) -> None:
        made = self._made = self._make()
        self._client = made.client
        self._limits = {}
        self._is_stale = False
        self._refreshing = Lock()
        nodes: Any = self._client.nodes_manager
        self.server = f"redis cluster at {next(iter(nodes.startup_nodes), 'no node')}"
        self._resend = resend_policy(self.server, self._seconds)
        try:
            async with timeout(self._seconds):
                # The client's own `initialize` also asks for all commands, which nobody here needs (LIFE-1).
                await (nodes.initialize() if made.owned else self._client.initialize())
        except (RedisClusterException, *DRIVER_ERRORS) as error:
            if isinstance(root_of(error), ResponseError) and await _is_without_slots(nodes, self._seconds):
                raise ConfigurationError(
                    f"{self.server}: the server runs without cluster mode; use redis:// instead of redis+cluster://"
                ) from error
            raise error_of(error, self.server) from error
        self._under_way.open()

    async def close(self) -> None:
        await self._under_way.close()
        made, self._made = self._made, None
        if made is not None and made.owned:
            nodes: Any = self._client.nodes_manager
            for which in ("nodes_cache", "startup_nodes"):
                with suppress(*DRIVER_ERRORS, RedisClusterException):
                    await nodes.aclose(which)

    async def run(self, call: Call, effect: Effect) -> Reply:
        with self._under_way:
            return await self._run(call, effect)

    async def _run(self, call: Call, effect: Effect) -> Reply:
        async def send(attempt: Attempt) -> Reply:
            return checked(await self._follow(call, attempt), self.server, call.record)

        return await self._sent(effect, send)

    async def _sent(self, effect: Effect, send: Callable[[Attempt], Awaitable[Reply]]) -> Reply:
        """What `send` returns. After a failure the next attempt, or the next call, asks where the slots are."""

        async def attempt_once(attempt: Attempt) -> Reply:
            self._is_stale |= attempt.needs_new_connection
            return await send(attempt)

        try:
            return await self._resend.run(effect, attempt_once)
        except (Unavailable, OutcomeUnknown):
            self._is_stale = True
            raise

    async def _follow(self, call: Call, attempt: Attempt) -> Reply:
        """The reply of whichever node has the slot now."""
        pool: Pool = await self._pool_of(call.keys[0])
        reply: Reply = None
        for _ in range(_REDIRECTIONS):
            reply = await run_script(pool, attempt, call)
            if not isinstance(reply, _REDIRECTS):
                break
            attempt.did_nothing()
            if isinstance(reply, MovedError):
                self._is_stale = True
                pool = self._pool_at(reply) or await self._pool_of(call.keys[0])
            elif isinstance(reply, AskError):
                return await self._ask(reply, call, attempt)
            else:
                await sleep(_TRY_AGAIN_SECONDS)
        self._is_stale = self._is_stale or isinstance(reply, ClusterDownError | MovedError)
        return reply

    async def _ask(self, redirect: Any, call: Call, attempt: Attempt) -> Reply:
        """The slot is on its way to another node, which has this key already and serves it after ASKING."""
        pool = self._pool_at(redirect)
        if pool is None:
            self._is_stale = True
            return redirect
        return (await exchange(pool, attempt, [("ASKING",), call.by_text()]))[1]

    def _pool_at(self, redirect: Any) -> NodePool | None:
        node = self._client.get_node(host=redirect.host, port=redirect.port)
        return None if node is None else self._pool(node)

    async def _pool_of(self, key: bytes) -> NodePool:
        if self._is_stale:
            await self._refresh()
        return self._pool(self._client.get_node_from_key(key))

    def _pool(self, node: Any) -> NodePool:
        """Each node has a limit of its own: one that is slow keeps nobody from the others."""
        limit = self._limits.get(node.name)
        if limit is None:
            spare = 1 if self._made is not None and self._made.owned else 0  # see urls.py
            limit = self._limits[node.name] = Semaphore(node.max_connections - spare)
        return NodePool(node, limit)

    async def _refresh(self) -> None:
        async with self._refreshing:
            if self._is_stale:
                await self._client.nodes_manager.initialize()
                self._is_stale = False

    async def run_many(self, calls: Sequence[Call]) -> list[Reply]:
        by_node: dict[str, list[int]] = {}
        for number, call in enumerate(calls):
            by_node.setdefault(self._name(call.keys[0]), []).append(number)
        with self._under_way:
            parts = await gather(*(self._part([calls[number] for number in numbers]) for numbers in by_node.values()))
        replies: list[Reply] = [None] * len(calls)
        for numbers, part in zip(by_node.values(), parts, strict=True):
            for number, reply in zip(numbers, part, strict=True):
                replies[number] = reply
        return replies

    def _name(self, key: bytes) -> str:
        try:
            return self._client.get_node_from_key(key).name
        except RedisClusterException:
            return ""

    async def _part(self, calls: Sequence[Call]) -> list[Reply]:
        """Calls of one node's slots. What the node does not serve any more is sent again, call by call."""

        async def send(attempt: Attempt) -> list[Reply]:
            pool = await self._pool_of(calls[0].keys[0])
            return await run_scripts(pool, attempt, calls)

        replies = await self._sent(Effect.READ, send)
        return [
            await self._run(call, Effect.READ) if isinstance(reply, ResponseError) else reply
            for call, reply in zip(calls, replies, strict=True)
        ]

    async def commands(self, key: bytes, commands: Sequence[Command], effect: Effect = Effect.READ) -> list[Reply]:
        async def send(attempt: Attempt) -> list[Reply]:
            replies: list[Reply] = []
            pool: Pool = await self._pool_of(key)
            for _ in range(_REDIRECTIONS):
                replies = await exchange(pool, attempt, commands)
                moved = next((reply for reply in replies if isinstance(reply, MovedError)), None)
                if moved is None:
                    break
                attempt.did_nothing()
                self._is_stale = True
                pool = self._pool_at(moved) or await self._pool_of(key)
            return replies

        with self._under_way:
            return await self._sent(effect, send)

    def new_connection(self, key: bytes) -> Any:
        return self._pool(self._client.get_node_from_key(key)).new_connection()


async def _is_without_slots(nodes: Any, seconds: float) -> bool:
    """Whether a server of the URL says so itself: it may refuse other things for a while, as too many clients."""
    with suppress(*DRIVER_ERRORS):
        async with timeout(seconds):
            for node in tuple(nodes.startup_nodes.values()):
                info = await node.execute_command("INFO", "cluster")
                if info["cluster_enabled"] == 0:
                    return True
    return False
