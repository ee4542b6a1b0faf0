"""What random programs are made of: few ids, so that they are met again, and values at the edges, named one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from agentkeep import NewMessage
from hypothesis import strategies as st

USERS = ["u1", "U1", "u%"]
"""Two that differ by case alone, and one that is a wildcard elsewhere."""

SESSIONS = ["s", "S", " s ", "s%"]
session_ids = st.sampled_from(["s", "s", "s", *SESSIONS])
"""One is met most of the time: a program that finds nothing shows nothing."""

MESSAGES = ["m", "M", "m ", "m:1", "*"]
message_ids = st.sampled_from(MESSAGES)
users = st.sampled_from(USERS)

views = st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 0, 0, 1]), st.sampled_from([None] * 4 + USERS))
"""Which instance, which tenant, and whether through a user's view."""
agents = st.sampled_from(["support", "support ", "sales"])
statuses = st.sampled_from(["active", "completed", "abandoned"])
orders = st.sampled_from(["updated_at", "-updated_at", "created_at", "-created_at"])

WORDS = ["aardvark", "Zeppelin", "日本語話", "def_main"]
"""None is part of another, so that every kind of word search has to find the same messages."""

scalars: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, 1.0, -0.0, 0.1, 2**53 + 1, 2**70, "", "1", "a.b", "\x00"]
)
_compounds: list[Any] = [[], {}, [1, 1.0], {"b": 1, "a": [{}]}, {"$ne": None, "a.b": "_", "": ""}]
json_values: st.SearchStrategy[Any] = scalars | st.sampled_from(_compounds)
objects: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["k", "K", "k.k", "$k", "_id", ""]), json_values, max_size=3
)
labels = st.dictionaries(st.sampled_from(["k", "K"]), st.sampled_from([1, True, "a"]), min_size=1, max_size=2)
"""Metadata that filters are likely to find."""
metadata = labels | objects
filters_by_metadata = labels | st.dictionaries(
    st.sampled_from(["k", "K", "k.k", "$k"]), scalars, min_size=1, max_size=2
)
texts = st.sampled_from([None, "", " ", "\x00", "e\u0301", "é", "🙂" * 3, "x" * 5000])
ends: st.SearchStrategy[Any] = st.sampled_from([timedelta(hours=1), timedelta(days=400), 7_200, 7_200.5])
"""Of fixed ends and idle times: far enough away for a program on a server's clock."""
ends_or_none = st.none() | ends
times = st.sampled_from([datetime(2000, 1, 1, 0, 0, 0, 1, UTC), datetime(2038, 1, 19, 3, 14, 8, 999_999, UTC)])
additions = st.dictionaries(
    st.sampled_from(["tokens", "a.b-c_1", "0"]), st.sampled_from([1, 2, -3, 0, 2**53 - 1]), min_size=1, max_size=2
)

contents = (
    texts
    | st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
    | st.just([{"type": "text", "n": 1.0}, {"type": "image", "data": None}])
    | st.just([{"type": "text", "text": "aardvark"}])
)


def optional(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any part of these arguments."""
    return st.fixed_dictionaries({}, optional=strategies)


def messages(ids: st.SearchStrategy[str | None]) -> st.SearchStrategy[NewMessage]:
    return st.builds(
        NewMessage,
        role=st.sampled_from(["user", "assistant", "tool"]),
        id=ids,
        content=contents,
        name=texts,
        turn_id=st.sampled_from([None, None, "t1", "t2"]),
        tool_call_id=st.sampled_from([None, None, None, "c1"]),
        event=json_values,
        metadata=objects,
        created_at=st.none() | times,
    )


batches = st.lists(messages(st.none() | message_ids), max_size=4)

created_fields = optional(
    user_id=users,
    agent_name=agents,
    title=texts,
    state=objects,
    metadata=metadata,
    ttl=ends_or_none,
    idle_ttl=ends_or_none,
    parent_id=session_ids,
    schema_version=st.just(7),
)
updated_fields = optional(
    user_id=users | st.none(),
    agent_name=agents,
    title=texts,
    status=statuses,
    current_route=texts,
    current_step=texts,
    state=objects,
    metadata=metadata,
    schema_version=st.none() | st.just(8),
    ttl=ends_or_none,
    idle_ttl=ends_or_none,
).filter(bool)
session_filters = optional(
    user_id=users, agent_name=agents, status=statuses, parent_id=session_ids, metadata=filters_by_metadata
)
message_fields = optional(
    role=st.sampled_from(["user", "assistant"]),
    content=contents,
    event=json_values,
    metadata=objects,
    name=texts,
    turn_id=st.sampled_from([None, "t1"]),
    tool_call_id=st.sampled_from([None, "c1"]),
).filter(bool)
lags = st.sampled_from([None, None, None, 0, 0, 1, "none yet"])
"""Of what a writer expects: nothing, the right number, one too few, or that there is no session."""
append_options = optional(
    create=created_fields,
    update=updated_fields,
    add=additions,
    stored=st.sampled_from(["conflict", "skip", "skip"]),
    truncate_after=st.integers(0, 4),
    keep_last=st.integers(1, 3),
)
