"""The places that a value may come from, as layers: the first one that has a key decides."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from agentkeep.config._files import VARIABLE, File, Key
from agentkeep.config._schema import SECTIONS, keys_of
from agentkeep.errors import ConfigurationError

PREFIX = "AGENTKEEP_"
_REFERENCE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\})")


class ConfigValue(NamedTuple):
    """A value, and where it came from."""

    value: Any
    origin: str
    written: Any
    """As it was written: with `${NAME}` in place of secrets."""


Layer = dict[Key, ConfigValue]


def of_mapping(values: Mapping[str, Any], origin: str) -> Layer:
    """A mapping that the caller gave. Raises `ConfigurationError`."""

    def place(key: Key) -> str:
        return origin

    return _layer(values, place)


def of_file(file: File) -> Layer:
    """Raises `ConfigurationError` with the line of a key that is not known."""
    return _layer(file.values, file.place)


def of_environment() -> Layer:
    """The variables that begin with `AGENTKEEP_`; `__` leads into a section.

    Others' variables may begin so too. One that looks like a known one, but is not, is refused.
    """
    layer: Layer = {}
    for variable, text in sorted(os.environ.items()):
        if not variable.startswith(PREFIX) or variable == VARIABLE or not text:
            continue
        section, separator, name = variable.removeprefix(PREFIX).lower().partition("__")
        key = (section, name) if separator else (section,)
        if not _is_known(key):
            _refuse_typing_error(variable, key)
            continue
        value: Any = [part.strip() for part in text.split(",")] if key == ("wrappers",) else text
        layer[key] = ConfigValue(value, variable, value)
    return layer


def _layer(values: Mapping[str, Any], place: Callable[[Key], str]) -> Layer:
    layer: Layer = {}
    for name, value in values.items():
        if name in SECTIONS:
            if not isinstance(value, Mapping):
                raise ConfigurationError(f"{place((name,))}: {name} is of type {type(value).__name__}: give a table")
            for inner, item in cast("Mapping[str, Any]", value).items():
                _add(layer, (name, inner), item, place((name, inner)))
        else:
            _add(layer, (name,), value, place((name,)))
    return layer


def _add(layer: Layer, key: Key, value: Any, origin: str) -> None:
    if not _is_known(key):
        raise ConfigurationError(f"{origin}: {_unknown(key)}")
    if value is not None:
        layer[key] = ConfigValue(_filled_in(value, key, origin), origin, value)


def _is_known(key: Key) -> bool:
    section, name = (None, key[0]) if len(key) == 1 else key
    if section == "options":
        return bool(name)
    if section is not None and section not in SECTIONS:
        return False
    return name in keys_of(section) and (section is not None or name not in SECTIONS)


def _unknown(key: Key) -> str:
    """A sentence with the nearest known key and all known ones."""
    section, name = (None, key[0]) if len(key) == 1 else key
    known = keys_of(section if section in SECTIONS else None)
    near = _nearest(name, known, 0.6)
    meant = f"did you mean {near!r}? " if near else ""
    return f"there is no key {'.'.join(key)!r}: {meant}Keys{f' of {section}' if section else ''}: {', '.join(known)}"


def _refuse_typing_error(variable: str, key: Key) -> None:
    known = [PREFIX + name.upper() for name in keys_of(None) if name not in SECTIONS]
    known += [f"{PREFIX}{section}__{name}".upper() for section in SECTIONS for name in keys_of(section)]
    near = _nearest(variable, [*known, VARIABLE], 0.85)
    if near or key[0] in SECTIONS:
        meant = f"did you mean {near}?" if near else _unknown(key)
        raise ConfigurationError(f"the environment variable {variable} is not known: {meant}")


def _nearest(name: str, known: list[str], least: float) -> str | None:
    from difflib import get_close_matches  # only for an error

    near = get_close_matches(name, known, n=1, cutoff=least)
    return near[0] if near else None


def _filled_in(value: Any, key: Key, origin: str) -> Any:
    """The value with environment variables in place of `${NAME}`. Raises `ConfigurationError`."""
    if isinstance(value, list):
        return [_filled_in(item, key, origin) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _filled_in(item, key, origin) for name, item in cast("dict[str, Any]", value).items()}
    if not isinstance(value, str):
        return value

    def variable(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return "$"
        if name not in os.environ:
            raise ConfigurationError(f"{origin}: {'.'.join(key)} names ${{{name}}}, and the environment has no {name}")
        is_login = key == ("url",) and "@" in value[found.end() :].partition("/")[0]
        return quote(os.environ[name], safe="") if is_login else os.environ[name]

    return _REFERENCE.sub(variable, value)


def secrets_in(layers: list[Layer]) -> dict[str, str]:
    """The values that `${NAME}` stands for, each with what is shown for it."""
    found: dict[str, str] = {}
    for layer in layers:
        for given in layer.values():
            for name in _REFERENCE.findall(str(given.written)):
                secret = os.environ.get(name, "")
                if secret:
                    found |= {secret: f"${{{name}}}", quote(secret, safe=""): f"${{{name}}}"}
    return found
