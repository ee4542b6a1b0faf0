"""Reads an adapter's options, which come as text in a URL's query or as values from the caller. For its `from_url`:

read_options("duckdb", url, options, {"prefix": as_prefix, "timeout": as_seconds, "clock": as_is})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from agentkeep.errors import ConfigurationError
from agentkeep.spi.urls import ENCODE, redact, split_url

Reader = Callable[[str, Any], Any]
"""Takes an option's name and its value or text, and returns the value. Raises `ConfigurationError`."""


def read_options(adapter: str, url: str, options: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The options of the URL's query and those of `options`, which come first. Raises `ConfigurationError`."""
    given: dict[str, Any] = {**dict(parse_qsl(split_url(url).query, keep_blank_values=True)), **options}
    unknown = [name for name in given if name not in readers]
    if any("@" in name for name in unknown):
        raise ConfigurationError(f"{redact(url)!r}: {ENCODE}")
    if unknown:
        known = ", ".join(sorted(readers)) or "none"
        raise ConfigurationError(f"the {adapter} adapter has no option {unknown[0]!r}; its options: {known}")
    for name in given:
        if readers[name] is as_is and name not in options:
            raise ConfigurationError(f"{name} can't stand in a URL: give it in Python, as connect(url, {name}=...)")
    return {name: readers[name](name, value) for name, value in given.items()}


def as_is(name: str, value: Any) -> Any:
    """A value that only a caller can give, such as a clock; `read_options` refuses it in a URL."""
    return value


def as_bool(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in ("true", "1", "yes", "on"):
        return True
    if text in ("false", "0", "no", "off"):
        return False
    raise ConfigurationError(f"{name} is {value!r}: give true or false")


def as_seconds(name: str, value: Any) -> timedelta:
    """A positive duration, as a timedelta or in seconds."""
    try:
        duration = value if isinstance(value, timedelta) else timedelta(seconds=float(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"{name} is {value!r}: give seconds") from error
    if duration <= timedelta(0):
        raise ConfigurationError(f"{name} is {value!r}: give more than 0 seconds")
    return duration


def as_count(name: str, value: Any) -> int:
    """A positive integer."""
    return _integer(name, value, least=1)


def as_count_from_zero(name: str, value: Any) -> int:
    """0, or a positive integer."""
    return _integer(name, value, least=0)


def _integer(name: str, value: Any, *, least: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} is {value!r}: give an integer") from error
    if number < least:
        raise ConfigurationError(f"{name} is {value!r}: give {least} or more")
    return number


def as_file(name: str, value: Any) -> str:
    """The path of a file that is there."""
    if not Path(value).is_file():
        raise ConfigurationError(f"{name} is {str(value)!r}: there is no such file")
    return str(value)


def as_prefix(name: str, value: Any) -> str:
    """The beginning of the names of tables, keys or indexes: 1 to 32 of a-z, 0-9 and _, a letter first."""
    text = str(value)
    if not (0 < len(text) <= 32 and text[0].isalpha() and text.isascii() and text.islower() and _word(text)):
        raise ConfigurationError(f"{name} is {value!r}: give 1 to 32 of a-z, 0-9 and _, beginning with a letter")
    return text


def _word(text: str) -> bool:
    return text.replace("_", "a").isalnum()


def one_of(*choices: str) -> Reader:
    """One of some words, in any case."""

    def read(name: str, value: Any) -> str:
        for choice in choices:
            if str(value).lower() == choice.lower():
                return choice
        raise ConfigurationError(f"{name} is {value!r}: give one of {', '.join(choices)}")

    return read
