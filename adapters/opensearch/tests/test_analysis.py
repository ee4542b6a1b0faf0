"""The adapter's own verb: analysed search."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from agentkeep import Keep, NewMessage
from agentkeep.errors import InvalidInput
from agentkeep.records import Scope
from agentkeep_opensearch import AnalysisQuery, AnalysisResult, OpenSearchAdapter

pytestmark = pytest.mark.anyio

_DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def filled(keep: Keep) -> Keep:
    ann, bob = keep.for_user("ann"), keep.for_user("bob")
    await ann.sessions.create("a", agent_name="support")
    await bob.sessions.create("b", agent_name="sales")
    call = {"id": "1", "type": "function", "function": {"name": "find_flight", "arguments": "{}"}}
    said = "My flights were cancelled yesterday"
    await ann.messages.append(
        "a",
        [
            NewMessage(role="user", id="m1", content=said, metadata={"topic": "travel", "n": 3}, created_at=_DAY),
            NewMessage(role="assistant", id="m2", tool_calls=[call], created_at=_DAY),
            NewMessage(role="tool", id="m3", tool_call_id="1", name="find_flight", content="LH400", created_at=_DAY),
        ],
    )
    later = _DAY + timedelta(days=1)
    await bob.messages.append("b", [NewMessage(role="user", id="m4", content="a flight please", created_at=later)])
    return keep


async def _found(adapter: OpenSearchAdapter, scope: Scope | None = None, **query: Any) -> list[str]:
    result = await adapter.analysis.search(scope or Scope("default"), AnalysisQuery(**query))
    return [hit.message.id for hit in result.hits]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"text": "flight cancel", "language": "english"}, ["m1"]),
        ({"text": "flight cancel"}, []),
        ({"text": "flights were", "match": "phrase"}, ["m1"]),
        ({"text": "were flights", "match": "phrase"}, []),
        ({"text": "canceled flihgts", "is_fuzzy": True}, ["m1"]),
        ({"text": "yesterday please", "match": "any"}, ["m1", "m4"]),
        ({"text": '"*<-) OR ( \0 {"'}, []),
        ({"tool": "find_flight"}, ["m2", "m3"]),
        ({"role": "user"}, ["m1", "m4"]),
        ({"user_id": "bob"}, ["m4"]),
        ({"agent_name": "support", "role": "tool"}, ["m3"]),
        ({"session_id": "b"}, ["m4"]),
        ({"metadata": {"topic": "travel", "n": 3}}, ["m1"]),
        ({"metadata": {"n": "4"}}, []),
        ({"after": _DAY}, ["m4"]),
        ({"before": _DAY + timedelta(seconds=1), "role": "user"}, ["m1"]),
    ],
)
async def test_each_condition(filled: Keep, adapter: OpenSearchAdapter, query: Any, found: list[str]) -> None:
    assert sorted(await _found(adapter, **query)) == found


async def test_counts(filled: Keep, adapter: OpenSearchAdapter) -> None:
    names = ("day", "role", "tool", "agent_name", "user_id", "session")
    result: AnalysisResult = await adapter.analysis.search(Scope("default"), AnalysisQuery(counts=names, limit=0))
    assert result.hits == []
    assert result.counts == {
        "day": {"2026-03-01": 3, "2026-03-02": 1},
        "role": {"user": 2, "assistant": 1, "tool": 1},
        "tool": {"find_flight": 2},
        "agent_name": {"support": 3, "sales": 1},
        "user_id": {"ann": 3, "bob": 1},
        "session": {"sessions": 2},
    }


@pytest.mark.parametrize(("scope", "query"), [(Scope("default", "bob"), {}), (Scope("default"), {"user_id": "bob"})])
async def test_a_users_search_counts_no_message_of_another(
    filled: Keep, adapter: OpenSearchAdapter, scope: Scope, query: Any
) -> None:
    """ISO-1. Nor do the hits of others take places of its limit."""
    assert await _found(adapter, scope, limit=1, **query) == ["m4"]
    result = await adapter.analysis.search(scope, AnalysisQuery(counts=("role",), **query))
    assert result.counts["role"] == {"user": 1}


async def test_highlights_mark_what_matches(filled: Keep, adapter: OpenSearchAdapter) -> None:
    result = await adapter.analysis.search(Scope("default"), AnalysisQuery(text="cancel", language="english"))
    assert [hit.highlights for hit in result.hits] == [["my flights were **cancelled** yesterday"]]


async def test_what_the_scope_does_not_see_or_is_gone_is_no_hit(filled: Keep, adapter: OpenSearchAdapter) -> None:
    assert await _found(adapter, Scope("other"), role="user") == []
    assert await _found(adapter, Scope("default", "ann"), role="user") == ["m1"]
    await filled.messages.truncate("a", after_seq=0)
    await filled.sessions.delete("b")
    assert await _found(adapter) == []


@pytest.mark.parametrize("wrong", [{"language": "klingon"}, {"limit": -1}, {"limit": 1001}, {"text": "x" * 10_001}])
async def test_what_is_no_query_is_refused(keep: Keep, adapter: OpenSearchAdapter, wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        await _found(adapter, **wrong)
