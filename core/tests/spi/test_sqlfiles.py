"""Named statements and ordered migrations, from the files of a package."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agentkeep.spi.sqlfiles import load_scripts, load_statements, split_script

PACKAGE = "agentkeep_sqlfiles_test"
Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a file of a package that can be imported."""
    package = tmp_path / PACKAGE
    (package / "sql").mkdir(parents=True)
    (package / "migrations").mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def write(name: str, text: str) -> None:
        (package / name).write_text(text)

    yield write
    sys.modules.pop(PACKAGE, None)


def test_statements_by_name(write: Write) -> None:
    write(
        "sql/a.sql",
        "-- The sessions.\n\n-- name: get\n-- One row.\nSELECT *\nFROM {prefix}sessions;\n\n-- name: one\nSELECT 1\n",
    )
    write("sql/b.sql", "-- name: two\nSELECT '{}', 2 -- two\n  -- of them\n;\n")
    assert load_statements(PACKAGE, {"prefix": "ak_"}) == {
        "get": "SELECT *\nFROM ak_sessions",
        "one": "SELECT 1",
        "two": "SELECT '{}', 2 -- two",
    }


def test_a_statement_within_another(write: Write) -> None:
    write("sql/a.sql", "-- name: get\nSELECT {columns} FROM {prefix}t\n-- name: columns\n{key}, b\n-- name: key\na\n")
    assert load_statements(PACKAGE, {"prefix": '"s".x_'})["get"] == 'SELECT a, b FROM "s".x_t'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-- name: a\nSELECT {nothing}\n", "no identifier and no statement"),
        ("-- name: a\n{b}\n-- name: b\n{a}\n", "contains itself"),
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n", "two statements"),
    ],
)
def test_mistakes_in_the_files_are_found_when_they_are_loaded(write: Write, text: str, why: str) -> None:
    write("sql/a.sql", text)
    with pytest.raises(ValueError, match=why):
        load_statements(PACKAGE, {"prefix": "ak_"})


def test_an_identifier_can_not_be_anything_else(write: Write) -> None:
    write("sql/a.sql", "-- name: a\nSELECT 1\n")
    with pytest.raises(ValueError, match="give an identifier"):
        load_statements(PACKAGE, {"prefix": "x; DROP TABLE y"})


def test_migrations_in_order(write: Write) -> None:
    write("migrations/0002_more.sql", "-- why\nCREATE INDEX {prefix}b;\n")
    write("migrations/0001_tables.sql", "CREATE TABLE {prefix}a (x);\nCREATE TABLE {prefix}b (y);\n")
    first, second = load_scripts(PACKAGE, {"prefix": "ak_"})
    assert split_script(first) == ["CREATE TABLE ak_a (x)", "CREATE TABLE ak_b (y)"]
    assert split_script(second) == ["CREATE INDEX ak_b"]


def test_a_gap_in_the_migrations_is_found(write: Write) -> None:
    write("migrations/0001_tables.sql", "")
    write("migrations/0003_more.sql", "")
    with pytest.raises(ValueError, match="must begin with 0002_"):
        load_scripts(PACKAGE, {})
