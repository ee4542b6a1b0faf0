"""SQL in files beside the code: named statements, and the migrations in order.

`sql/*.sql` holds statements. Each begins with its name; the comment lines below say why it is as it is:

    -- name: get_session
    -- One row; none if the session is absent, expired or not visible.
    SELECT {session_columns} FROM {prefix}sessions WHERE id = :id AND ...;

    -- name: session_columns
    id, user_id, agent_name

`{prefix}` and other identifiers stand in braces, and the adapter says what they are. A block whose name stands in
braces is put in its place. Values are never put into the text: they go to the driver as parameters.

    statements = load_statements("agentkeep_duckdb", {"prefix": prefix})
    statements["get_session"]

`migrations/0001_what.sql`, `0002_….sql`, … are the steps of the schema; the first makes version 1:

    steps = load_scripts("agentkeep_duckdb", {"prefix": prefix})        # steps[0] makes version 1
    for statement in split_script(steps[0]): ...                        # for a driver that runs one at a time
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = "-- name: "
_IN_BRACES = re.compile(r"\{([a-z_]+)\}")
_IDENTIFIER = re.compile(r'[a-z0-9_."]*')


def load_statements(package: str, identifiers: Mapping[str, str], *, folder: str = "sql") -> dict[str, str]:
    """Each statement's text by its name, without comments and without a semicolon at its end.

    `identifiers` were checked by `agentkeep.spi.options.as_prefix`. Raises `ValueError` for a mistake in the files.
    """
    blocks: dict[str, str] = {}
    for _, text in _sql_files(package, folder):
        _, *found = text.split(_NAME)
        for block in found:
            name, _, body = block.partition("\n")
            if name in blocks:
                raise ValueError(f"{package}: two statements have the name {name!r}")
            blocks[name] = _without_comments(body).strip().removesuffix(";").rstrip()
    _check(identifiers)
    return {name: _filled(text, {**blocks, **identifiers}, name) for name, text in blocks.items()}


def load_scripts(package: str, identifiers: Mapping[str, str], *, folder: str = "migrations") -> tuple[str, ...]:
    """The steps of the schema in order, comments included. Raises `ValueError` for a mistake in the files."""
    _check(identifiers)
    scripts: list[str] = []
    for number, (name, text) in enumerate(_sql_files(package, folder), 1):
        if not name.startswith(f"{number:04}_"):
            raise ValueError(f"{package}: migration {number} is {name!r}: its name must begin with {number:04}_")
        scripts.append(_filled(text, identifiers, name))
    return tuple(scripts)


def split_script(text: str) -> list[str]:
    """The single statements of a script, without comments. Each ends with a semicolon at the end of a line."""
    return [part for raw in _without_comments(text).split(";\n") if (part := raw.strip().removesuffix(";"))]


def _sql_files(package: str, folder: str) -> list[tuple[str, str]]:
    found = [file for file in files(package).joinpath(folder).iterdir() if file.name.endswith(".sql")]
    return [(file.name, file.read_text("utf-8")) for file in sorted(found, key=lambda file: file.name)]


def _check(identifiers: Mapping[str, str]) -> None:
    for name, value in identifiers.items():
        if not _IDENTIFIER.fullmatch(value):
            raise ValueError(f"{name} is {value!r}: give an identifier of a-z, 0-9 and _")


def _filled(text: str, values: Mapping[str, str], name: str, depth: int = 0) -> str:
    if depth > len(values):
        raise ValueError(f"statement {name!r} contains itself")

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ValueError(f"{name!r} holds {match[0]}: there is no identifier and no statement of this name")
        return _filled(values[match[1]], values, name, depth + 1)

    return _IN_BRACES.sub(value_of, text)


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("--"))
