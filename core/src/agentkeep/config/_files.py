"""Configuration files: which one is used, what it holds, and in which line each key stands."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, cast

from agentkeep.errors import ConfigurationError

VARIABLE = "AGENTKEEP_CONFIG"
NAMES = ("agentkeep.toml", "agentkeep.yaml", "agentkeep.yml")
_PYPROJECT = "pyproject.toml"
_YAML = (".yaml", ".yml")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_TABLE = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
Key = tuple[str, ...]


class File(NamedTuple):
    """A configuration file as it was read."""

    name: str
    values: dict[str, Any]
    lines: dict[Key, int]
    """The line of each key."""

    def place(self, key: Key) -> str:
        """`agentkeep.toml:3`: where a key stands, or what holds it."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.lines:
                return f"{self.name}:{self.lines[key[:length]]}"
        return self.name


def find_file() -> File | None:
    """The file that the environment names, or the first of those in the current folder. Raises `ConfigurationError`."""
    named = os.environ.get(VARIABLE)
    if named:
        return read_file(Path(named))
    for name in NAMES:
        if Path(name).exists():
            return read_file(Path(name))
    if Path(_PYPROJECT).exists():
        file = read_file(Path(_PYPROJECT))
        return file if file.values else None
    return None


def read_file(path: Path) -> File:
    """Raises `ConfigurationError` with the line of what can't be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error
    if path.suffix.lower() in _YAML:
        return _yaml(str(path), text)
    import tomllib  # only if there is a file

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    file = File(str(path), values, _toml_lines(text))
    return _tool_table(file) if path.name == _PYPROJECT else file


def _tool_table(file: File) -> File:
    """The table `[tool.agentkeep]` of a pyproject.toml."""
    tool = file.values.get("tool", {})
    values: Any = cast("dict[str, Any]", tool).get("agentkeep", {}) if isinstance(tool, dict) else {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{file.place(('tool', 'agentkeep'))}: give a table: [tool.agentkeep]")
    lines = {key[2:]: line for key, line in file.lines.items() if key[:2] == ("tool", "agentkeep") and len(key) > 2}
    return File(file.name, cast("dict[str, Any]", values), lines)


def _toml_lines(text: str) -> dict[Key, int]:
    """`tomllib` tells no lines. A text over several lines may look like a key: then its line is wrong, and no value."""
    lines: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif found := _KEY.match(line):
            lines.setdefault((*table, *_parts(found[1])), number)
    return lines


def _parts(dotted: str) -> Key:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _yaml(name: str, text: str) -> File:
    try:
        yaml: Any = import_module("yaml")
    except ImportError as error:
        raise ConfigurationError(f'{name}: YAML needs an extra: pip install "agentkeep[yaml]"') from error
    try:
        values = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return File(name, {}, {})
    if not isinstance(values, dict):
        raise ConfigurationError(f"{name}: give keys and values, such as url: sqlite:///chat.db")
    return File(name, cast("dict[str, Any]", values), dict(_yaml_lines(node, ())))


def _yaml_lines(node: Any, above: Key) -> list[tuple[Key, int]]:
    found: list[tuple[Key, int]] = []
    entries: list[tuple[Any, Any]] = node.value if node.id == "mapping" else []
    for key, value in entries:
        here = (*above, str(key.value))
        found.append((here, key.start_mark.line + 1))
        found += _yaml_lines(value, here)
    return found
