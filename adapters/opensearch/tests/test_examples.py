"""The example that reports on conversations, and conversations in several languages, each found by its own words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep
from agentkeep_conformance.storage.opensearch import drop_indices
from agentkeep_conformance.transcripts import run_command
from agentkeep_opensearch import OpenSearchAdapter

pytestmark = pytest.mark.anyio

_EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def url(dsn: str, prefix: str) -> Iterator[str]:
    """With the invented conversations of the examples in it."""
    url = f"{dsn}?languages=english&prefix={prefix}"
    run_command(url, "import", str(_EXAMPLES / "transcripts.jsonl"))
    yield url
    drop_indices(dsn, prefix)


def test_the_report(url: str) -> None:
    done = subprocess.run(
        [sys.executable, _EXAMPLES / "opensearch_report.py", "delivering parcels"],
        env={"AGENTKEEP_URL": url},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["assistant", "22"] in lines
    for tool in ("find_trains", "read_file", "book_inn"):
        assert [tool, str(_messages_with(tool))] in lines
    assert ["sessions", "7"] in lines
    hits = done.stdout.partition("Messages about 'delivering parcels':\n")[2].splitlines()
    assert any("support-parcel: my **parcel** has said" in hit for hit in hits)


async def test_each_language_is_found_by_its_own_words(url: str) -> None:
    async with Keep(OpenSearchAdapter.from_url(url)) as keep:
        for words, session in {
            "carrier": "support-parcel",
            "竹の庵でお願いします": "travel-kyoto",
            "شكرا": "support-refund-photo",
            "zürich": "travel-night-train",
        }.items():
            found = await keep.messages.search(words)
            assert {hit.message.session_id for hit in found} == {session}


def _messages_with(tool: str) -> int:
    """Messages of the examples that call this tool or are its result."""
    lines = (_EXAMPLES / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()
    return sum(tool in _tools(message) for line in lines for message in json.loads(line)["messages"])


def _tools(message: Any) -> list[str | None]:
    calls: list[Any] = message.get("tool_calls") or []
    return [message.get("name"), *(call["function"]["name"] for call in calls)]
