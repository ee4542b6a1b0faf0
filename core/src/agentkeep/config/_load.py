"""Reads a configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec

from agentkeep.config._config import Config
from agentkeep.config._files import File, Key, find_file, read_file
from agentkeep.config._layers import ConfigValue, Layer, of_environment, of_file, of_mapping, secrets_in
from agentkeep.config._schema import Settings
from agentkeep.errors import ConfigurationError

_PLACE = re.compile(r"(?P<why>.*?) - at `\$\.(?P<key>[^`\[]+)", re.DOTALL)


Source = str | PathLike[str] | Mapping[str, Any] | None
"""A file, a mapping, or None: the file of the current folder, if there is one."""


def load(source: Source = None, *, default_url: str | None = None, **given: Any) -> Config:
    """The configuration, from all places that it may come from. Reads no more than the file.

    `source` and `given` are as in `from_config`. `default_url` is used if no place names a database.
    Raises `ConfigurationError` with the place of what is wrong.
    """
    file: File | None = None
    explicit = of_mapping({name: value for name, value in given.items() if value is not None}, "argument")
    layers = [explicit]
    if isinstance(source, Mapping):
        layers += [of_mapping(source, "argument"), of_environment()]
    else:
        file = find_file() if source is None else read_file(Path(source))
        layers += [of_environment()] + ([] if file is None else [of_file(file)])
    if default_url is not None:
        layers.append({("url",): ConfigValue(default_url, "default", default_url)})
    merged = _merged(layers)
    return Config(_settings(merged), merged, secrets_in(layers), None if file is None else file.name)


def _merged(layers: list[Layer]) -> Layer:
    """The first value of each key. Options count only down to the layer that names the URL."""
    with_url = next((number for number, layer in enumerate(layers) if ("url",) in layer), len(layers))
    merged: Layer = {}
    for number, layer in reversed([*enumerate(layers)]):
        merged |= {key: value for key, value in layer.items() if key[0] != "options" or number <= with_url}
    return merged


def _settings(merged: Layer) -> Settings:
    values: dict[str, Any] = {}
    for key, given in merged.items():
        value = _plain(given.value)
        section, *rest = key
        if rest:
            values.setdefault(section, {})[rest[0]] = value
        else:
            values[section] = value
    options = values.pop("options", {})  # as they are: the adapter reads them
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise _wrong(str(error), merged) from None  # the cause may show a value
    return msgspec.structs.replace(settings, options=options)


def _plain(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _wrong(message: str, merged: Layer) -> ConfigurationError:
    found = _PLACE.match(message)
    if found is None:
        return ConfigurationError(message)
    key: Key = tuple(found["key"].split("."))
    origin = merged[key].origin if key in merged else "the configuration"
    return ConfigurationError(f"{origin}: {'.'.join(key)}: {found['why']}")
