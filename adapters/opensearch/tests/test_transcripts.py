"""Real trajectories go into OpenSearch by the command line, come back equal, and are found in each of their languages.

FID-1, ORD-1, SRCH-1.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep
from agentkeep.records import Scope
from agentkeep_conformance.transcripts import check_in_and_out
from agentkeep_opensearch import AnalysisQuery, OpenSearchAdapter

pytestmark = pytest.mark.anyio

_AMOUNT = 9
"""Trajectories, of 200: those with words of other scripts, and others."""
_WORDS = ["compensation", "basic economy", "insurance", "势必要更改", "꼭", "plaît", "sûr", "✈"]
"""In English, Chinese, Korean and French, and a sign. All but the English ones are rare."""


@pytest.fixture
def part(transcripts: Path, tmp_path: Path) -> Path:
    trajectories = json.loads(transcripts.read_bytes())
    trajectories.sort(key=_of_other_scripts, reverse=True)
    file = tmp_path / "part.json"
    file.write_text(json.dumps(trajectories[:_AMOUNT]), encoding="utf-8")
    return file


@pytest.fixture
def said(part: Path) -> list[str]:
    return _said(json.loads(part.read_bytes()))


async def test_in_and_out_and_found_in_each_language(
    keep: Keep, adapter: OpenSearchAdapter, dsn: str, prefix: str, part: Path, said: list[str]
) -> None:
    await asyncio.to_thread(check_in_and_out, f"{dsn}?prefix={prefix}", part)

    for words in _WORDS:
        expected = sum(all(word in text.casefold() for word in words.split()) for text in said)
        hits = await keep.messages.search(words, limit=1000)
        assert len(hits) == expected > 0, words
    english = AnalysisQuery(text="cancelling flight", language="english", role="user", limit=1000, counts=("role",))
    found = await adapter.analysis.search(Scope("default"), english)
    texts = [str(hit.message.payload) for hit in found.hits]
    assert any("cancelling" not in text for text in texts), "other forms of the words are found too"
    assert set(found.counts["role"]) == {"user"}


def _of_other_scripts(trajectory: dict[str, Any]) -> int:
    """Letters and signs that are not in the usual English text."""
    return sum(not character.isascii() and character not in "’—" for text in _said([trajectory]) for character in text)


def _said(trajectories: list[dict[str, Any]]) -> list[str]:
    messages = [message for each in trajectories for message in each["traj"]]
    return [message["content"] for message in messages if isinstance(message.get("content"), str)]
