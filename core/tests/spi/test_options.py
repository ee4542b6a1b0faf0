"""The bounds of an adapter's options, and that the error says them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from agentkeep.errors import ConfigurationError
from agentkeep.spi import options
from agentkeep.spi.options import Reader


@pytest.mark.parametrize(
    ("read", "given", "value"),
    [
        (options.as_count, "1", 1),
        (options.as_count, 7, 7),
        (options.as_count_from_zero, "0", 0),
        (options.as_seconds, "0.000001", timedelta(microseconds=1)),
        (options.as_seconds, timedelta(seconds=2), timedelta(seconds=2)),
        (options.as_prefix, "a", "a"),
        (options.as_prefix, "a" * 32, "a" * 32),
        (options.as_prefix, "a_1", "a_1"),
        (options.as_bool, "Yes", True),
        (options.as_bool, "0", False),
        (options.as_bool, False, False),
    ],
)
def test_a_value_up_to_its_bound_is_taken(read: Reader, given: Any, value: Any) -> None:
    assert read("n", given) == value


@pytest.mark.parametrize(
    ("read", "given", "right"),
    [
        (options.as_count, "0", "give 1 or more"),
        (options.as_count, "1.5", "give an integer"),
        (options.as_count_from_zero, -1, "give 0 or more"),
        (options.as_seconds, "0", "give more than 0 seconds"),
        (options.as_seconds, "soon", "give seconds"),
        (options.as_prefix, "", "give 1 to 32"),
        (options.as_prefix, "a" * 33, "give 1 to 32"),
        (options.as_prefix, "1a", "give 1 to 32"),
        (options.as_prefix, "_a", "give 1 to 32"),
        (options.as_prefix, "aB", "give 1 to 32"),
        (options.as_prefix, "aé", "give 1 to 32"),
        (options.as_prefix, "a-b", "give 1 to 32"),
        (options.as_bool, "maybe", "give true or false"),
        (options.as_file, "/nowhere/at/all", "there is no such file"),
    ],
)
def test_a_value_beyond_its_bound_is_refused_and_the_error_says_what_is_right(
    read: Reader, given: Any, right: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"n is {given!r}: {right}"):
        read("n", given)
