"""What can't be read is `Corrupt`, names the record and shows nothing of it (ERR-3, ERR-4)."""

from __future__ import annotations

import msgspec
import pytest
from agentkeep.errors import Corrupt
from agentkeep.spi.decode import decode, decode_all, message_name, session_name


def name(row: str) -> str:
    return message_name("s1", row)


def test_readable_rows() -> None:
    assert decode("1", int, session_name) == 1
    assert decode_all(iter(["1", "2"]), int, name) == [1, 2]


def test_an_unreadable_row_is_named_and_not_quoted() -> None:
    with pytest.raises(Corrupt) as caught:
        decode_all(["1", "secret", "x"], int, lambda row: message_name("s1", f"m{len(row)}"))
    assert caught.value.record == "message 'm6' of session 's1'"
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)


def test_msgspec_says_what_is_wrong() -> None:
    with pytest.raises(Corrupt, match="Expected `int`, got `str`"):
        decode(b'"x"', lambda row: msgspec.json.decode(row, type=int), lambda row: session_name("s1"))


def test_a_mistake_of_ours_is_not_hidden() -> None:
    def broken(row: str) -> int:
        raise AssertionError

    with pytest.raises(AssertionError):
        decode_all(["1"], broken, name)
