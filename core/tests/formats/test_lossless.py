"""An item of any format comes back equal, through a database, with all that nobody knows yet."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, cast

import agentkeep.sync
import pytest
from agentkeep import InvalidInput, Message, NewMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from .samples import CASES, Case, Item

ALL = [pytest.param(case, item, id=f"{name}-{n}") for name, case in CASES.items() for n, item in enumerate(case.items)]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def through_a_database(messages: list[NewMessage]) -> list[Message]:
    with agentkeep.sync.connect("memory://") as keep:
        session = keep.sessions.create()
        keep.messages.append(session.id, messages)
        return keep.messages.tail(session.id, 1_000)


def as_json(items: list[Item]) -> str:
    """Equal for equal JSON: `1` is other than `1.0`."""
    return json.dumps(items, sort_keys=True)


@pytest.mark.parametrize(("case", "item"), ALL)
def test_an_item_comes_back_equal(case: Case, item: Item) -> None:
    before = deepcopy(item)
    stored = through_a_database(case.convert(item))
    assert as_json(case.back([*stored])) == as_json([item])
    assert item == before


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_conversation_comes_back_equal_item_for_item(case: Case) -> None:
    stored = through_a_database(case.convert(case.items))
    assert len(stored) == len(case.items)
    assert as_json(case.back([*stored])) == as_json(case.items)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all values in a JSON value."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = [*cast("dict[str, Any]", value).items()]
    elif isinstance(value, list):
        inner = [*enumerate(cast("list[Any]", value))]
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


def changed(item: Item, path: tuple[str | int, ...], new: Any, key: str) -> Item:
    """The item with a new key in the object at the path, or with another value there if that is no object."""
    copy = deepcopy(item)
    *way, last = path or (key,)
    at: Any = copy
    for step in way:
        at = at[step]
    if isinstance(at[last] if path else None, dict):
        at[last][key] = new
    else:
        at[last] = new
    return copy


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_nobody_knows_yet_comes_back_equal(name: str, data: st.DataObject) -> None:
    """Whatever stands in an item, and wherever: it comes back, or the item is refused."""
    case = CASES[name]
    item = data.draw(st.sampled_from(case.items))
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.sampled_from(places(item)))
        item = changed(item, where, data.draw(_JSON), data.draw(st.text(max_size=8)))
    try:
        messages = case.convert(item)
    except InvalidInput:
        return
    assert len(messages) == 1
    assert as_json(case.back([*messages])) == as_json([item])
