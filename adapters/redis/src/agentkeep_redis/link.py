"""The two ways to reach Redis: one server (or a Sentinel's primary), or a cluster whose nodes each hold some slots."""

from __future__ import annotations

from asyncio import Lock, gather, sleep
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisClusterException, ResponseError, TryAgainError

from agentkeep_redis.errors import DRIVER_ERRORS, UNKNOWN_SCRIPT, DatabaseRefused, refused
from agentkeep_redis.wire import Broken, Call, Command, Effect, Gate, Node, Reply, exchange, is_dead, twice

Client = Redis | RedisCluster

_REDIRECTIONS = 8
_TRY_AGAIN_SECONDS = 0.05
_NOT_ASKED: Reply = ResponseError("not asked")


class Link(Protocol):
    """What the repositories send their calls through."""

    place: str
    """The server, for error messages; without a password (ERR-3)."""
    sharded: bool
    """Keys with another hash tag may be on another server."""

    async def call(self, call: Call, effect: Effect) -> Reply:
        """The script's reply. Raises `Unavailable`, `OutcomeUnknown`, `Corrupt`, `ConfigurationError`."""
        ...

    async def call_many(self, calls: Sequence[Call]) -> list[Reply]:
        """Replies of many calls that may each run twice, in as few exchanges as there are servers; in order on each."""
        ...

    async def commands(self, key: bytes, commands: Sequence[Command], effect: Effect = Effect.READS) -> list[Reply]:
        """Redis's own commands in one exchange, on the server of a key; an error reply stands in its place."""
        ...

    async def close(self) -> None:
        """Let no new exchange begin, and wait for those under way."""
        ...

    def new_connection(self, key: bytes) -> Any:
        """A connection of its own to the server of a key, not connected; whoever asked disconnects it."""
        ...


async def run(node: Node, gate: Gate, call: Call) -> Reply:
    """One script by its digest, or by its text where the server has forgotten it."""
    (reply,) = await exchange(node, gate, [call.by_digest()])
    if isinstance(reply, UNKNOWN_SCRIPT):
        (reply,) = await exchange(node, gate, [call.by_text()])
    return reply


async def run_many(node: Node, gate: Gate, calls: Sequence[Call]) -> list[Reply]:
    commands = [call.by_digest() for call in calls]
    replies = await exchange(node, gate, commands)
    if any(isinstance(reply, UNKNOWN_SCRIPT) for reply in replies):
        loads: list[Command] = [("SCRIPT", "LOAD", text) for text in {call.script.text for call in calls}]
        replies = (await exchange(node, gate, [*loads, *commands]))[len(loads) :]
    return replies


class SingleLink:
    """One server. The client's pool is used, never its own retrying commands."""

    sharded = False

    def __init__(self, client: Redis, seconds: float) -> None:
        self._pool: Any = client.connection_pool
        self._gate = Gate(self._pool.max_connections, seconds)
        known: dict[str, Any] = self._pool.connection_kwargs
        service = getattr(self._pool, "service_name", None)
        address = f"{known.get('path') or known.get('host')}:{known.get('port', '')}"
        self._database: int = known.get("db") or 0
        self.place = f"redis at {address}" if service is None else f"redis by Sentinel, service {service!r}"

    async def acquire(self) -> Any:
        try:
            return await self._connected()
        except ResponseError as error:
            # "ERR" stands for much, but with a database to select for nothing that passes by itself.
            if self._database and error.status_code == "ERR":
                raise DatabaseRefused(f"database {self._database}: {error}") from error
            raise

    async def _connected(self) -> Any:
        connection = await self._pool.get_connection()
        if is_dead(connection):
            try:
                await connection.disconnect()
                await connection.connect()
            except BaseException:
                await self._pool.release(connection)
                raise
        return connection

    async def release(self, connection: Any) -> None:
        await self._pool.release(connection)

    async def call(self, call: Call, effect: Effect) -> Reply:
        reply = await twice(partial(run, self, self._gate, call), effect, self.place)
        return answer(reply, self.place, call.record)

    async def call_many(self, calls: Sequence[Call]) -> list[Reply]:
        if not calls:
            return []
        replies = await twice(partial(run_many, self, self._gate, calls), Effect.READS, self.place)
        return [answer(reply, self.place, call.record) for call, reply in zip(calls, replies, strict=True)]

    async def commands(self, key: bytes, commands: Sequence[Command], effect: Effect = Effect.READS) -> list[Reply]:
        return await twice(partial(exchange, self, self._gate, commands), effect, self.place)

    async def close(self) -> None:
        await self._gate.close()

    def new_connection(self, key: bytes) -> Any:
        return self._pool.make_connection()


class _ClusterNode:
    """A node's own pool, which unlike a single server's gives connections unconnected and unchecked."""

    def __init__(self, node: ClusterNode) -> None:
        self._node: Any = node

    async def acquire(self) -> Any:
        connection = self._node.acquire_connection()
        try:
            if connection.should_reconnect() or is_dead(connection) or await _has_data(connection):
                await connection.disconnect()
            await connection.connect()
        except BaseException:
            self._node.release(connection)
            raise
        return connection

    async def release(self, connection: Any) -> None:
        self._node.release(connection)


async def _has_data(connection: Any) -> bool:
    """Data that nobody asked for, or an end, on an idle connection."""
    try:
        return connection.is_connected and await connection.can_read()
    except DRIVER_ERRORS:
        return True


class ClusterLink:
    """A cluster. Calls follow the slots as they move, and look for them anew after a node failed."""

    sharded = True

    def __init__(self, client: RedisCluster, seconds: float) -> None:
        self._client: Any = client
        self._gate = Gate(client.connection_kwargs.get("max_connections") or 100, seconds)
        self._is_stale = False
        self._refreshing = Lock()
        nodes = list(self._client.nodes_manager.startup_nodes)
        self.place = f"redis cluster at {nodes[0] if nodes else 'no node'}"

    async def call(self, call: Call, effect: Effect) -> Reply:
        return answer(await twice(partial(self._follow, call), effect, self.place), self.place, call.record)

    async def _follow(self, call: Call) -> Reply:
        """The reply of whichever node has the slot now."""
        node = await self._node(call.keys[0])
        reply: Reply = None
        for _ in range(_REDIRECTIONS):
            reply = await self._run(node, call)
            if isinstance(reply, MovedError):
                await self._client.nodes_manager.move_slot(reply)
                node = await self._node(call.keys[0])
            elif isinstance(reply, AskError):
                return await self._ask(reply, call)
            elif isinstance(reply, TryAgainError):
                await sleep(_TRY_AGAIN_SECONDS)
            else:
                break
        self._is_stale = self._is_stale or isinstance(reply, ClusterDownError | MovedError)
        return reply

    async def _run(self, node: Node, call: Call) -> Reply:
        try:
            return await run(node, self._gate, call)
        except Broken:
            self._is_stale = True
            raise

    async def _ask(self, redirect: Any, call: Call) -> Reply:
        """The slot is on its way to another node, which has this key already and answers if told so."""
        node = self._client.get_node(host=redirect.host, port=redirect.port)
        if node is None:
            self._is_stale = True
            return redirect
        return (await exchange(_ClusterNode(node), self._gate, [("ASKING",), call.by_text()]))[1]

    async def _node(self, key: bytes) -> Node:
        try:
            if self._is_stale:
                await self._refresh()
            return _ClusterNode(self._client.get_node_from_key(key))
        except (RedisClusterException, *DRIVER_ERRORS) as error:
            self._is_stale = True
            raise Broken(error, sent=False) from error

    async def _refresh(self) -> None:
        async with self._refreshing:
            if self._is_stale:
                await self._client.nodes_manager.initialize()
                self._is_stale = False

    async def call_many(self, calls: Sequence[Call]) -> list[Reply]:
        by_node: dict[str, list[int]] = {}
        for number, call in enumerate(calls):
            by_node.setdefault(self._name(call.keys[0]), []).append(number)
        parts = await gather(*(self._part([calls[number] for number in numbers]) for numbers in by_node.values()))
        found = {
            number: reply
            for numbers, replies in zip(by_node.values(), parts, strict=True)
            for number, reply in zip(numbers, replies, strict=True)
        }
        return [found[number] for number in range(len(calls))]

    def _name(self, key: bytes) -> str:
        try:
            return self._client.get_node_from_key(key).name
        except RedisClusterException:
            return ""

    async def _part(self, calls: Sequence[Call]) -> list[Reply]:
        """Calls that one node should answer; those that it does not are sent again one by one."""
        try:
            node = await self._node(calls[0].keys[0])
            replies = await run_many(node, self._gate, calls)
        except Broken:
            self._is_stale = True
            replies = [_NOT_ASKED] * len(calls)
        return [
            await self.call(call, Effect.READS) if isinstance(reply, ResponseError) else reply
            for call, reply in zip(calls, replies, strict=True)
        ]

    async def commands(self, key: bytes, commands: Sequence[Command], effect: Effect = Effect.READS) -> list[Reply]:
        async def send() -> list[Reply]:
            replies: list[Reply] = []
            for _ in range(_REDIRECTIONS):
                replies = await exchange(await self._node(key), self._gate, commands)
                moved = next((reply for reply in replies if isinstance(reply, MovedError)), None)
                if moved is None:
                    break
                await self._client.nodes_manager.move_slot(moved)
            return replies

        return await twice(send, effect, self.place)

    async def close(self) -> None:
        await self._gate.close()

    def new_connection(self, key: bytes) -> Any:
        node = self._client.get_node_from_key(key)
        return node.connection_class(**node.connection_kwargs)


def answer(reply: Reply, place: str, record: str = "") -> Reply:
    """The reply, or the error of ours that it stands for."""
    if isinstance(reply, ResponseError):
        raise refused(reply, place, record) from reply
    return reply
