"""One node of three is killed with SIGKILL: while processes append, and while a keep is open (FLT-1, FLT-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from agentkeep import Keep, NewMessage, OutcomeUnknown, Unavailable
from agentkeep_conformance.failover import check_logs, told_while
from agentkeep_conformance.outcomes import TIER, dsn_of
from agentkeep_conformance.servers import OPENSEARCH_CLUSTER, NotRun
from agentkeep_conformance.servers.opensearch import request as ask
from agentkeep_conformance.storage.opensearch import drop_indices
from agentkeep_opensearch import OpenSearchAdapter
from agentkeep_opensearch.listing import Refresher

pytestmark = pytest.mark.anyio

_LONGEST_PAUSE = 30
"""Seconds without an acknowledged append: an append may wait as long as the adapter's `timeout`."""
_EVERYDAY, _NIGHTLY = (4, 5), (8, 10)
"""How many processes append, and the seconds that they go on with two nodes. Two of each URL, each with two calls at a
time, meet the failure as surely as four of each, and a call that waits at the end is waited for."""


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """The first node's, in place of the one node's. The cluster is whole again afterwards."""
    yield dsn_of(OPENSEARCH_CLUSTER, request.config)
    OPENSEARCH_CLUSTER.restart()


def hosts_of(dsn: str) -> dict[str, str]:
    """Host and port of each node, by its name."""
    nodes = ask(dsn, "GET", "/_nodes/http")["nodes"].values()
    return {node["name"]: node["http"]["publish_address"] for node in nodes}


def node_of_primary(dsn: str, prefix: str) -> str:
    """The name of the node that holds the primary shard of the sessions."""
    found = ask(dsn, "GET", f"/_cluster/state/nodes,routing_table/{prefix}-sessions")
    (index,) = found["routing_table"]["indices"].values()
    (primary,) = (copy for copy in index["shards"]["0"] if copy["primary"])
    return str(found["nodes"][primary["node"]]["name"])


def kill(name: str) -> None:
    try:
        OPENSEARCH_CLUSTER.kill(int(name.removeprefix("node-")))
    except NotRun as reason:
        pytest.skip(f"NOT RUN: {reason}")


async def create(url: str, prefix: str) -> None:
    """The indices, of which each shard has a copy on another node."""
    async with Keep(OpenSearchAdapter.from_url(url, prefix=prefix)):
        health = ask(url, "GET", f"/_cluster/health/{prefix}-*?wait_for_status=green&timeout=30s")
    assert health["status"] == "green"


async def test_nothing_acknowledged_is_lost_and_nothing_doubled(
    dsn: str, prefix: str, request: pytest.FixtureRequest
) -> None:
    """Half of the processes know all hosts, the others only the killed one."""
    await create(dsn, prefix)
    name, hosts = node_of_primary(dsn, prefix), hosts_of(dsn)
    one, all_hosts = f"opensearch://{hosts[name]}", f"opensearch://{','.join(hosts.values())}"
    processes, seconds = _NIGHTLY if request.config.stash[TIER] == "nightly" else _EVERYDAY
    told = await told_while([all_hosts, one], prefix, lambda: kill(name), seconds, processes=processes)
    await asyncio.to_thread(OPENSEARCH_CLUSTER.restart)

    async with Keep(OpenSearchAdapter.from_url(all_hosts, prefix=prefix)) as keep:
        found = await check_logs(keep, told[all_hosts] + told[one])
    drop_indices(dsn, prefix)
    for url, each in told.items():
        sums = {
            kind: sum(len(getattr(one, kind)) for one in each) for kind in ("acknowledged", "unknown", "not_written")
        }
        print(url, sums, f"{sum(one.resent for one in each)} resent, {found} messages in all")
    longest = max(each.longest_pause for each in told[all_hosts])
    print(f"longest pause {longest:.1f} s")
    assert longest < _LONGEST_PAUSE
    assert any(each.resent for each in told[all_hosts]), "no request met the failure, so nothing was proved"
    assert all(each.not_written or each.unknown for each in told[one]), "their only host is gone"


async def test_a_keep_with_several_hosts_opens_and_works_with_one_down(dsn: str, prefix: str) -> None:
    """The client takes hosts in turn, so each of three keeps begins at another."""
    await create(dsn, prefix)
    hosts = hosts_of(dsn)
    kill("node-2")
    for number in range(3):
        url = f"opensearch://{','.join(hosts.values())}"
        async with Keep(OpenSearchAdapter.from_url(url, prefix=prefix)) as keep:
            for _ in range(6):
                await keep.messages.append(f"s{number}", [NewMessage(role="user", content="x")], create={})
            assert [message.seq for message in await keep.messages.tail(f"s{number}", 9)] == [1, 2, 3, 4, 5, 6]


async def test_an_open_keep_goes_on_when_a_host_dies(dsn: str, prefix: str) -> None:
    """A host that refuses connections fails no call: each is sent once more, to another one."""
    await create(dsn, prefix)
    hosts = hosts_of(dsn)
    name = node_of_primary(dsn, prefix)
    async with Keep(OpenSearchAdapter.from_url(f"opensearch://{','.join(hosts.values())}", prefix=prefix)) as keep:
        await keep.messages.append("s", [NewMessage(role="user", content="0")], create={})
        await asyncio.to_thread(kill, name)
        for number in range(1, 10):
            await keep.messages.append("s", [NewMessage(role="user", content=str(number))])
        texts = [message.content for message in await keep.messages.tail("s", 20)]
        assert texts == [str(number) for number in range(10)]


async def test_a_keep_of_one_host_says_that_it_is_gone_and_works_when_it_is_back(dsn: str, prefix: str) -> None:
    await create(dsn, prefix)
    name = "node-1"
    async with Keep(OpenSearchAdapter.from_url(f"opensearch://{hosts_of(dsn)[name]}", prefix=prefix)) as keep:
        await keep.messages.append("s", [NewMessage(role="user", content="before")], create={})
        await asyncio.to_thread(kill, name)
        with pytest.raises(Unavailable) as error:
            await keep.messages.append("s", [NewMessage(role="user", content="meanwhile", id="m")])
        assert not isinstance(error.value, OutcomeUnknown), "an id of ours is looked for first, so nothing was written"
        await asyncio.to_thread(OPENSEARCH_CLUSTER.restart)
        await keep.messages.append("s", [NewMessage(role="user", content="after")])
        assert [message.content for message in await keep.messages.tail("s", 9)] == ["before", "after"]


async def test_a_count_without_one_of_the_shards_is_an_error(dsn: str, prefix: str) -> None:
    """Each of the three nodes holds one shard of the sessions. One goes after the refresh (ERR-1, ORD-5)."""
    adapter = OpenSearchAdapter.from_url(dsn, prefix=prefix, shards=3, replicas=0)
    whole, killed = Refresher.refresh, False

    async def refresh(refresher: Refresher) -> None:
        nonlocal killed
        if not killed:
            await whole(refresher)
            await asyncio.to_thread(kill, "node-2")
            killed = True

    async with Keep(adapter) as keep:
        for number in range(20):
            await keep.sessions.create(f"s{number}", user_id="u")
        assert await keep.sessions.count() == 20
        with patch.object(Refresher, "refresh", refresh):
            with pytest.raises(Unavailable):
                await keep.sessions.count()
            with pytest.raises(Unavailable):
                await keep.sessions.delete_many(user_id="u", dry_run=True)
            with pytest.raises(Unavailable):
                await keep.sessions.list()
    await asyncio.to_thread(OPENSEARCH_CLUSTER.restart)
    drop_indices(dsn, prefix)
