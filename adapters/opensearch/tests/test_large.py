"""A server whose `http.max_content_length` is small: 1 MiB (FID-4, ORD-2, ERR-2)."""

from __future__ import annotations

import asyncio

import pytest
from agentkeep import Keep, LimitExceeded, NewMessage
from agentkeep.transfer import restore
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import OPENSEARCH_SMALL

pytestmark = pytest.mark.anyio

_TOO_LONG = (600_000, 1_100_000, 8_000_000)
"""Characters. A message's text is sent as it is and folded for the search, so the first one is too long too."""


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> str:
    return dsn_of(OPENSEARCH_SMALL, request.config)


def _said(text: str, *, id: str | None = None) -> NewMessage:
    return NewMessage(role="user", content=text, id=id)


@pytest.mark.parametrize("length", _TOO_LONG)
async def test_a_message_that_is_too_long_is_refused_before_anything_is_written(keep: Keep, length: int) -> None:
    await keep.messages.append("s", [_said("small", id="small")], create={})
    with pytest.raises(LimitExceeded) as error:
        await keep.messages.append("s", [_said("x" * length)])
    assert (error.value.limit, error.value.actual > length) == (1024 * 1024, True)
    with pytest.raises(LimitExceeded):
        await keep.messages.append("new", [_said("x" * length)], create={})
    with pytest.raises(LimitExceeded):
        await keep.messages.update("s", "small", content="x" * length)
    assert [session.id for session in (await keep.sessions.list()).items] == ["s"]
    await keep.messages.append("s", [_said("after")])
    assert [message.content for message in await keep.messages.tail("s", 9)] == ["small", "after"]


@pytest.mark.parametrize("length", range(400_000, 480_000, 20_000))
async def test_a_message_near_the_limit_is_whole_or_refused(keep: Keep, length: int) -> None:
    """Its document repeats its metadata, so it may be too long if the commit is not: then it must not be committed."""
    await keep.sessions.create("s")
    message = NewMessage(role="user", content="x" * length, metadata={f"k{n}": "v" * 500 for n in range(200)})
    refused = False
    try:
        await keep.messages.append("s", [message])
    except LimitExceeded:
        refused = True
    await keep.messages.append("s", [_said("after")])
    found = [str(each.content) for each in await keep.messages.tail("s", 9)]
    assert found == (["after"] if refused else ["x" * length, "after"])
    assert len(await keep.messages.search("after")) == 1


async def test_a_batch_whose_documents_need_several_requests_lands_whole(keep: Keep) -> None:
    """Its commit is 0.7 MB. The documents have more beside the texts, and are 1.4 MB together."""
    batch = [NewMessage(role="user", content="x" * 50, metadata={"key": "v" * 100}) for _ in range(1_000)]
    await keep.messages.append("s", batch, create={})
    await keep.messages.append("s", [_said("next")])
    assert (await keep.sessions.get("s")).message_count == 1_001
    assert [message.seq async for message in keep.messages.iterate("s")] == list(range(1, 1_002))
    assert await keep.messages.truncate("s", after_seq=1) == 1_000


async def test_appends_that_are_too_long_together_land_each(keep: Keep) -> None:
    await keep.sessions.create("s")
    texts = ["x" * 300_000, "y", "z" * 480_000, *("a" * 100_000 for _ in range(8))]
    await asyncio.gather(*(keep.messages.append("s", [_said(text)]) for text in texts))
    found = [message.content async for message in keep.messages.iterate("s")]
    assert sorted(map(str, found)) == sorted(texts)


async def test_a_log_that_is_longer_than_a_request_is_copied_and_restored(keep: Keep) -> None:
    await keep.sessions.create("s")
    for _ in range(20):
        await keep.messages.append("s", [_said("x" * 100_000)])
    await keep.sessions.fork("s", new_id="copy")
    session = await keep.sessions.get("s")
    messages = [message async for message in keep.messages.iterate("s")]
    await keep.sessions.delete("s")
    await restore(keep, session, messages)
    assert [message async for message in keep.messages.iterate("s")] == messages
    copies = [message async for message in keep.messages.iterate("copy")]
    assert [copy.content for copy in copies] == [message.content for message in messages]
