"""The metadata filter: which values are equal, decided once for all backends."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import InvalidInput
from agentkeep._labels import MAX_LABEL_BYTES, stored_labels, wanted_labels


def matches(metadata: dict[str, Any], where: dict[str, Any]) -> bool:
    return set(wanted_labels(where)) <= set(stored_labels(metadata))


@pytest.mark.parametrize(
    ("stored", "asked", "equal"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (-0.0, 0, True),
        (2**70, float(2**70), True),
        (2**53 + 1, float(2**53), False),
        (0.1, 0.1, True),
        (1, True, False),
        (0, False, False),
        (1, "1", False),
        (None, None, True),
        (None, "null", False),
        (None, 0, False),
        ("a", "A", False),
        ("a", "a ", False),
        ("é", "e\u0301", False),
        ("", "", True),
        ("x" * 10_000, "x" * 10_000, True),
        ("x" * 10_000, "x" * 9_999 + "y", False),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_filter_matches_equal_values_only(stored: Any, asked: Any, equal: bool) -> None:
    assert matches({"key": stored}, {"key": asked}) is equal


def test_null_is_not_absence() -> None:
    assert not matches({}, {"key": None})


def test_key_and_value_cannot_be_confused() -> None:
    assert not matches({'a","b': "c"}, {"a": 'b","c'})


def test_every_named_key_must_match() -> None:
    assert matches({"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 3})
    assert not matches({"a": 1, "b": 2}, {"a": 1, "b": 3})


def test_nested_values_give_no_label() -> None:
    assert stored_labels({"list": [1], "object": {"a": 1}, "text": "t"}) == stored_labels({"text": "t"})


def test_no_label_is_longer_than_an_index_can_hold() -> None:
    labels = stored_labels({"k" * size: "v" * size for size in range(1, 300)})
    assert max(len(label.encode()) for label in labels) <= MAX_LABEL_BYTES


@pytest.mark.parametrize(
    "value", [[1], {"a": 1}, float("nan"), b"x", (1,), "\ud800", 10**5000], ids=lambda value: type(value).__name__
)
def test_a_filter_by_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput):
        wanted_labels({"key": value})


def test_a_filter_key_that_no_json_can_hold_is_refused() -> None:
    with pytest.raises(InvalidInput):
        wanted_labels({"\ud800": 1})


@pytest.mark.parametrize("filters", ["plan", ["plan"], 1])
def test_a_filter_that_is_no_object_is_refused(filters: Any) -> None:
    with pytest.raises(InvalidInput):
        wanted_labels(filters)
