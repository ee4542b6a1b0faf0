"""`migrate`: what it prints, and that `--sql` asks no server."""

from __future__ import annotations

from pathlib import Path

import pytest
from agentkeep import InvalidInput, SchemaTooNew
from agentkeep.models import Health
from agentkeep_memory import MemoryAdapter
from msgspec.structs import replace

from .conftest import Run


class Owned(MemoryAdapter):
    """An adapter of two migrations, whose database has the first."""

    migrated_from: int | None = None
    found = 1

    async def open(self) -> None:
        self.migrated_from = self.found
        await super().open()

    async def health(self) -> Health:
        return replace(await super().health(), schema_version=2)

    def migrations_sql(self, *, after: int = 0) -> str:
        if after > 2:
            raise InvalidInput(f"there is no schema of version {after}")
        return "".join(f"CREATE {number};\n" for number in (1, 2)[after:]) or "BEGIN; COMMIT;\n"


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentkeep_memory.MemoryAdapter", Owned)


async def refuse(adapter: MemoryAdapter) -> None:
    raise SchemaTooNew(found=9, known=2)


@pytest.mark.usefixtures("owned")
def test_the_script_is_printed_without_a_connection(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owned, "open", refuse)
    assert run("--url", "memory://", "migrate", "--sql").out == "CREATE 1;\nCREATE 2;\n"
    assert run("--url", "memory://", "migrate", "--sql", "--after", "1").out == "CREATE 2;\n"
    assert run("--url", "memory://", "migrate", "--sql", "--json").lines() == [
        {"after": 0, "sql": "CREATE 1;\nCREATE 2;\n"}
    ]


@pytest.mark.usefixtures("owned")
def test_after_the_newest_version_there_is_no_script(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owned, "open", refuse)
    sentence = "agentkeep: version 2 is the newest schema: nothing to do\n"
    asked = ("--url", "memory://", "migrate", "--sql", "--after", "2")
    assert run(*asked) == (0, "", sentence)
    assert run(*asked, "--json") == (0, '{"after":2,"sql":""}\n', sentence)


@pytest.mark.usefixtures("owned")
@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (0, "a schema of version 2 was made"),
        (1, "the schema had version 1 and has version 2 now"),
        (2, "the schema is up to date: version 2"),
    ],
)
def test_what_was_found_and_what_is_there_now_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, found: int, sentence: str
) -> None:
    """LIFE-1."""
    monkeypatch.setattr(Owned, "found", found)
    assert run("--url", "memory://", "migrate").out == f"{sentence}\n"
    assert run("--url", "memory://", "migrate", "--json").lines() == [{"from": found, "to": 2}]


@pytest.mark.usefixtures("owned")
def test_a_version_that_there_is_not_is_refused(run: Run) -> None:
    ran = run("--url", "memory://", "migrate", "--sql", "--after", "3")
    assert (ran.code, ran.out, ran.err) == (2, "", "agentkeep: there is no schema of version 3\n")
    assert run("--url", "memory://", "migrate", "--after", "1").code == 2


@pytest.mark.usefixtures("owned")
def test_a_schema_that_is_newer_is_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """LIFE-1."""
    monkeypatch.setattr(Owned, "open", refuse)
    ran = run("--url", "memory://", "migrate")
    assert (ran.code, ran.out) == (2, "")
    assert "version 9" in ran.err


def test_an_adapter_without_sql_says_so_and_touches_nothing(run: Run, own_folder: Path) -> None:
    ran = run("migrate", "--sql")
    assert (ran.code, ran.out) == (2, "")
    assert "sqlite has no SQL to print" in ran.err
    assert not list(own_folder.glob("chat.db*"))


def test_an_adapter_that_migrates_by_itself(run: Run, own_folder: Path) -> None:
    ran = run("migrate")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("the schema is up to date: version ")
    assert (own_folder / "chat.db").exists()
    assert run("--url", "memory://", "migrate").out == "this database has no schema: nothing to do\n"


def test_options_of_the_file_go_along(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_URL")
    (own_folder / "agentkeep.toml").write_text('url = "sqlite:///file.db"\nidle_ttl = 60\n')
    assert run("migrate").code == 0
    assert (own_folder / "file.db").exists()
