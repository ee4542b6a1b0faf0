"""FID-1, FID-2, FID-4: what core encodes and refuses, before any adapter is asked."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from agentkeep import Corrupt, InvalidInput, NewMessage
from agentkeep._codec import MAX_DEPTH, decode_message, encode_json, encode_payload
from agentkeep.records import MessageRecord
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def round_trip(message: NewMessage) -> Any:
    payload = encode_payload(message).decode()
    return decode_message("s", MessageRecord(id="m", seq=1, role="user", payload=payload, created_at=datetime.now(UTC)))


def nested(depth: int) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    return value


@given(JSON)
def test_fid_1_any_json_comes_back_the_same_to_the_letter(value: Any) -> None:
    assert json.dumps(round_trip(NewMessage(role="user", event=value)).event) == json.dumps(value)


@given(st.text())
def test_fid_2_any_text_comes_back(text: str) -> None:
    message = round_trip(NewMessage(role="user", content=text, name=text, route=text, step=text, turn_id=text))
    assert [message.content, message.name, message.route, message.step, message.turn_id] == [text] * 5


@pytest.mark.parametrize(
    "value",
    [
        2**64,
        -(2**70),
        10**400,
        -0.0,
        1.0,
        1,
        5e-324,
        1.7976931348623157e308,
        "\x00",
        "\U0001f9ff",
        "",
        [],
        {},
        None,
        True,
    ],
    ids=str,
)
def test_fid_1_edges_keep_value_and_type(value: Any) -> None:
    back = round_trip(NewMessage(role="user", event={"value": value})).event["value"]
    assert (repr(back), type(back)) == (repr(value), type(value))


def test_fid_1_empty_is_not_missing() -> None:
    empty = round_trip(NewMessage(role="user", content="", tool_calls=[], name=""))
    missing = round_trip(NewMessage(role="user"))
    assert (empty.content, empty.tool_calls, empty.name) == ("", [], "")
    assert (missing.content, missing.tool_calls, missing.name) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (math.nan, "metadata.a[0] is nan"),
        (math.inf, "metadata.a[0] is inf"),
        ((1, 2), "metadata.a[0] is of type tuple"),
        (b"bytes", "metadata.a[0] is of type bytes"),
        (datetime.now(UTC), "metadata.a[0] is of type datetime"),
        ({1: "one"}, "metadata.a[0] has the key 1"),
        ("\ud800", "lone surrogate"),
        ({"\udfff": 1}, "lone surrogate"),
        ({"digits": 10**5000}, "can't be written as JSON"),
        (nested(MAX_DEPTH), "nested deeper"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)
def test_fid_1_what_json_cannot_say_is_refused_with_its_path(value: Any, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        encode_payload(NewMessage(role="user", metadata={"a": [value]}))
    assert says in str(refused.value)


def test_fid_1_nesting_within_the_limit_is_kept() -> None:
    assert round_trip(NewMessage(role="user", event=nested(MAX_DEPTH - 1))).event == nested(MAX_DEPTH - 1)


def test_fid_1_text_enums_are_text() -> None:
    class Colour(StrEnum):
        RED = "red"

    assert encode_json({"colour": Colour.RED}, "state") == b'{"colour":"red"}'


@pytest.mark.parametrize("payload", ["", "{", "[]", '{"content":5}', '{"metadata":[]}', "\udcff"])
def test_err_4_an_unreadable_payload_is_corrupt_and_named(payload: str) -> None:
    record = MessageRecord(id="m7", seq=7, role="user", payload=payload, created_at=datetime.now(UTC))
    with pytest.raises(Corrupt) as raised:
        decode_message("s1", record)
    assert "m7" in raised.value.record
    assert "s1" in raised.value.record


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"content": 5}, "content is of type int"),
        ({"content": {"type": "text"}}, "content is of type dict"),
        ({"tool_calls": "call"}, "tool_calls is of type str"),
        ({"metadata": None}, "metadata is of type NoneType"),
    ],
    ids=str,
)
def test_fid_1_a_field_of_another_kind_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        encode_payload(NewMessage(role="user", **fields))
    assert says in str(refused.value)
