"""Messages that exceed one document of the server (16 MiB) are read together, as of one moment (FID-4, ORD-6)."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import Keep, Message, NewMessage, connect
from agentkeep_mongo import reading

pytestmark = pytest.mark.anyio

_LARGE = {"large": "x" * 6_000_000}
"""In the metadata, as no search looks there: the words of so long a content take 1.5 seconds for each message."""
_SECONDS = 300
"""The `timeout` of these keeps. The default one is for calls of usual size: on a busy machine 120 MB took longer."""


async def _append(keep: Keep, *ids: str) -> None:
    for id in ids:
        await keep.messages.append("s", [NewMessage(role="user", content=id, id=id, metadata=_LARGE)], create={})


def _contents(messages: list[Message]) -> list[str]:
    return [str(message.content) for message in messages if message.metadata == _LARGE]


async def test_more_than_the_server_looks_up_at_once_is_read(dsn: str, prefix: str) -> None:
    ids = [f"m{number:02}" for number in range(20)]  # 120 MB, and a `$lookup` may find 100
    async with connect(dsn, prefix=prefix, timeout=_SECONDS) as keep:
        await _append(keep, *ids)
        assert _contents((await keep.messages.list("s")).items) == ids
        assert _contents((await keep.messages.list("s", newest_first=True, before=20)).items) == ids[-2::-1]


@pytest.mark.parametrize("change", ["rewind", "redaction", "append"])
async def test_a_writer_between_the_two_reads_is_met_whole_or_not_at_all(
    dsn: str, prefix: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, came = reading.moved_in, 0
    async with (
        connect(dsn, prefix=prefix, timeout=_SECONDS) as keep,
        connect(dsn, prefix=prefix, timeout=_SECONDS) as other,
    ):
        await _append(keep, "a", "b", "c")

        async def moved_in(*args: Any) -> Any:
            nonlocal came
            came += 1
            found = await read(*args)
            if came == 1 and change == "rewind":
                await other.messages.truncate("s", after_seq=1)
                await _append(other, "d", "e")
            elif came == 1 and change == "redaction":
                await other.messages.update("s", "a", content="gone")
            elif came == 1:
                await _append(other, "d")
            return found

        monkeypatch.setattr(reading, "moved_in", moved_in)
        found = _contents((await keep.messages.list("s")).items)
    assert found == {"rewind": ["a", "d", "e"], "redaction": ["gone", "b", "c"], "append": ["a", "b", "c", "d"]}[change]
    assert came >= 2
