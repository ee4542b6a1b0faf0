"""Moves a prefix to indices with a newer mapping, while readers and writers go on (docs/adr/0013)."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from agentkeep.errors import PersistenceError, Refused, SchemaMissing, Unavailable
from agentkeep.spi.resend import Effect

from agentkeep_opensearch.bulk import GONE, removal_item, send
from agentkeep_opensearch.client import Client
from agentkeep_opensearch.driver import Reply
from agentkeep_opensearch.statements import Names

_LEASE_SECONDS = 60
_POLL_SECONDS = 0.25
_MOST_PASSES = 20
_FEW = 1_000
"""If a pass copies fewer documents, the writers wait for the last one."""
_DOCUMENTS = 100
"""In one step of the server's reindex: it holds them in memory."""
_MOST_TRIES = 6
"""Of one pass that the server fails, as it may do for want of memory or while the lease goes to another process."""
_GONE_AT_ONCE = 1_000
"""Empty documents in one request that removes them."""


_LEASE_LOST = (Refused, SchemaMissing)
"""What a change of aliases raises if one of them is not there, or an index is not."""


class Plan(NamedTuple):
    """One of the two indices of a prefix, as this release makes it."""

    name: str
    alias: str
    removals: str
    body: dict[str, Any]


class Migration:
    def __init__(self, client: Client, names: Names, plans: Sequence[Plan], old: Sequence[str]) -> None:
        """`plans`: of the messages, and of the sessions. `old`: the indices that have the aliases now."""
        self._client = client
        self._plans = plans
        self._pairs = list(zip(old, plans, strict=True))
        self._lease_prefix = f"{names.prefix}-migration-"
        self._marks = (names.unfinished, names.migrated)
        self._lease = ""
        self._copied_up_to = dict.fromkeys(old, 0)

    async def run(self, is_over: Callable[[], Awaitable[bool]]) -> None:
        """Returns when the aliases name the new indices, whichever process moved them."""
        messages, sessions = self._plans
        await self._client.create_index(messages.name, messages.body)
        self._lease = self._new_lease()
        is_ours = await self._client.create_index(sessions.name, {**sessions.body, "aliases": {self._lease: {}}})
        while not await is_over():
            if is_ours or await self._take_lease():
                with suppress(*_LEASE_LOST):  # `is_over` tells if the process that has it is done
                    await self._move()
                is_ours = False
            else:
                await asyncio.sleep(_POLL_SECONDS)

    def _new_lease(self) -> str:
        """An alias of the new sessions' index, with the second in which it ends. One process has it at a time."""
        return f"{self._lease_prefix}{int(time.time()) + _LEASE_SECONDS}-{secrets.token_hex(8)}"

    async def _take_lease(self) -> bool:
        """From a process that has not renewed it, because it was killed."""
        for lease in await _aliases(self._client, f"{self._lease_prefix}*"):
            if int(lease.split("-")[-2]) < time.time():
                self._lease = lease
                with suppress(*_LEASE_LOST):
                    await self._change([])
                    return True
        return False

    async def _change(self, actions: list[Any], *, is_last: bool = False) -> None:
        """Change aliases, all or none, and renew the lease. Raises one of `_LEASE_LOST`."""
        index, old = self._plans[-1].name, self._lease
        own: list[Any] = [{"remove": {"index": index, "alias": old, "must_exist": True}}]
        if not is_last:
            self._lease = self._new_lease()
            own.append({"add": {"index": index, "alias": self._lease}})
        await change_aliases(self._client, [*own, *actions])

    async def _move(self) -> None:
        """Raises one of `_LEASE_LOST`."""
        old = [index for index, _ in self._pairs]
        new = [plan.name for _, plan in self._pairs]
        await self._change([_closed(index, plan.removals) for index, plan in self._pairs])
        # To block an index waits for the writes that are under way: so no document is deleted from now on.
        # One that was killed before may have left a block on the new indices.
        await self._block(old)
        await unblock(self._client, [*old, *new])
        for _ in range(_MOST_PASSES):
            if await self._copy_all() < _FEW:
                break
        await self._block(old)
        try:
            await self._copy_all()
            # No node may write to the new indices before all nodes read them.
            await self._block(new)
            swaps = [action for pair in self._pairs for action in self._swap(*pair)]
            await self._change(swaps, is_last=True)
        except PersistenceError:
            with suppress(PersistenceError):
                await unblock(self._client, new)
                await self._change([])
                await unblock(self._client, old)
            raise

    def _swap(self, old: str, plan: Plan) -> list[Any]:
        return [
            {"remove": {"index": old, "alias": plan.alias, "must_exist": True}},
            {"remove": {"index": old, "alias": plan.removals, "must_exist": True}},
            {"add": {"index": plan.name, "alias": plan.alias}},
            _closed(plan.name, plan.removals),
            *({"add": {"index": self._plans[-1].name, "alias": mark}} for mark in self._marks),
        ]

    async def _block(self, indices: Sequence[str]) -> None:
        await self._change([])
        await self._client.request("PUT", f"/{','.join(indices)}/_block/write", effect=Effect.REPEATABLE)

    async def _copy_all(self) -> int:
        """The messages before the sessions: a session is what makes its messages be there."""
        return sum([await self._copy(old, plan.name) for old, plan in self._pairs])

    async def _copy(self, old: str, new: str) -> int:
        """Copy what was written since the last pass. External versions let nothing older overwrite something newer."""
        path = f"/{old}/_stats/indexing"
        only = {"level": "shards", "filter_path": "indices.*.shards.*.seq_no"}
        stats = await self._client.request("GET", path, params=only)
        copies = [copy["seq_no"] for shard in stats["indices"][old]["shards"].values() for copy in shard]
        await self._client.request("POST", f"/{old}/_refresh")
        body = {
            "conflicts": "proceed",
            "source": {
                "index": old,
                "size": _DOCUMENTS,
                "query": {"range": {"_seq_no": {"gte": self._copied_up_to[old]}}},
            },
            "dest": {"index": new, "version_type": "external"},
        }
        copied = await self._reindex(body)
        self._copied_up_to[old] = min(each["global_checkpoint"] for each in copies) + 1
        return copied

    async def _reindex(self, body: dict[str, Any]) -> int:
        """How many documents were copied. A second try skips what the first one copied, as their versions are equal."""
        copied, pause = 0, _POLL_SECONDS
        cause: str | None = None
        params = {"wait_for_completion": "false", "refresh": "true"}
        for _ in range(_MOST_TRIES):
            started = await self._client.request("POST", "/_reindex", body, effect=Effect.REPEATABLE, params=params)
            reply = await self._ended(started["task"])
            result = reply.get("response", {})
            copied += int(result.get("created", 0)) + int(result.get("updated", 0))
            cause = _cause_of_failure(reply)
            if cause is None:
                return copied
            await self._change([])  # raises if another process has taken the lease, and that is why it failed
            await asyncio.sleep(pause)
            pause *= 2
        what = f"the copy of {body['source']['index']} to a new index"
        raise Unavailable(f"{self._client.server}: {what} failed {_MOST_TRIES} times: {cause}")

    async def _ended(self, task: str) -> Reply:
        renewed = time.monotonic()
        while True:
            reply = await self._client.request("GET", f"/_tasks/{task}")
            if reply["completed"]:
                return reply
            if time.monotonic() > renewed + _LEASE_SECONDS / 4:
                await self._change([])
                renewed = time.monotonic()
            await asyncio.sleep(_POLL_SECONDS)


def _cause_of_failure(reply: Reply) -> str | None:
    """The server's name for it. Its text may show a part of a document."""
    if "error" in reply:
        return str(reply["error"].get("type"))
    failures = reply["response"]["failures"]
    if not failures:
        return None
    first = failures[0]  # of a write: {"cause": …}; of a search: {"reason": …}
    return str((first.get("cause") or first.get("reason") or first).get("type"))


async def finish(client: Client, names: Names, plans: Sequence[Plan]) -> None:
    """What follows once the aliases name the new indices. Any process may do it, also several."""
    await unblock(client, [plan.name for plan in plans])
    await change_aliases(
        client, [{"add": {"index": plan.name, "alias": plan.removals, "is_write_index": True}} for plan in plans]
    )
    await _remove_gone(client, names)
    for plan in plans:
        found = await client.request("GET", f"/{plan.alias}-*/_alias")
        for index in found:
            if index != plan.name and index.removeprefix(f"{plan.alias}-").isdecimal():
                await client.request("DELETE", f"/{index}", effect=Effect.REPEATABLE, may_be_absent=True)
    with suppress(*_LEASE_LOST):  # another process was first
        await change_aliases(client, [{"remove": {"index": plans[-1].name, "alias": names.unfinished}}])


async def remove_late(client: Client, names: Names, limit: int) -> None:
    """Delete the empty documents, `limit` at most, of writers that were late. Only a migration makes writers leave any.

    So nothing is looked for if no migration made the indices.
    """
    aliases = await _aliases_of_sessions(client, names)
    if names.migrated in aliases and not _is_migrating(aliases, names):
        await _remove_gone(client, names, limit)


async def _remove_gone(client: Client, names: Names, limit: int | None = None) -> None:
    """The next migration may need them: so they are deleted through the alias that it closes."""
    while limit is None or limit > 0:
        size = _GONE_AT_ONCE if limit is None else min(_GONE_AT_ONCE, limit)
        await client.request("POST", f"/{names.messages}/_refresh")
        body = {"query": {"term": {GONE: True}}, "size": size, "version": True, "_source": False}
        params = {"allow_partial_search_results": "false"}
        reply = await client.request("POST", f"/{names.messages}/_search", body, params=params)
        removals = [
            {"_id": hit["_id"], "routing": hit["_routing"], "version": hit["_version"], "version_type": "external_gte"}
            for hit in reply["hits"]["hits"]
        ]
        try:
            await send(client, names.messages, [removal_item(names.removals_of_messages, each) for each in removals])
        except Refused:
            if await is_migrating(client, names):
                return
            raise
        if len(removals) < size:
            return
        limit = None if limit is None else limit - size


async def is_migrating(client: Client, names: Names) -> bool:
    return _is_migrating(await _aliases_of_sessions(client, names), names)


def _is_migrating(aliases: dict[str, Reply], names: Names) -> bool:
    return aliases.get(names.removals_of_sessions, {}).get("is_write_index") is False


async def _aliases_of_sessions(client: Client, names: Names) -> dict[str, Reply]:
    """All aliases of the sessions' index."""
    return _by_name(await client.request("GET", f"/{names.sessions}/_alias", may_be_absent=True))


async def _aliases(client: Client, name: str) -> dict[str, Reply]:
    return _by_name(await client.request("GET", f"/_alias/{name}", may_be_absent=True))


def _by_name(reply: Reply) -> dict[str, Reply]:
    if "error" in reply:
        return {}
    return {alias: settings for index in reply.values() for alias, settings in index["aliases"].items()}


async def change_aliases(client: Client, actions: list[Any]) -> None:
    await client.request("POST", "/_aliases", {"actions": actions}, effect=Effect.REPEATABLE)


async def unblock(client: Client, indices: Sequence[str]) -> None:
    body = {"index.blocks.write": None}
    await client.request("PUT", f"/{','.join(indices)}/_settings", body, effect=Effect.REPEATABLE)


def _closed(index: str, alias: str) -> dict[str, Any]:
    return {"add": {"index": index, "alias": alias, "is_write_index": False}}
