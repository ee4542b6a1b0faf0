"""A command that needs what is stored makes no database of a mistyped path."""

from __future__ import annotations

from pathlib import Path

import pytest
from agentkeep import Refused
from agentkeep.cli.failures import REFUSED, USAGE, exit_code

from .conftest import Run


@pytest.mark.parametrize(
    "command",
    [
        ["sessions"],
        ["show", "s"],
        ["search", "word"],
        ["stats"],
        ["sweep"],
        ["tenants"],
        ["config", "--check"],
        ["doctor"],
        ["export"],
        ["fork", "s"],
        ["rm", "s", "--yes"],
        ["prune", "--max-idle", "30d", "--yes"],
        ["append", "s", "--role", "user", "--content", "Hi"],
    ],
    ids=lambda command: command[0],
)
def test_a_mistyped_path_is_an_error(run: Run, own_folder: Path, command: list[str]) -> None:
    ran = run("--url", "sqlite:///chta.db", *command)
    assert ran.code == USAGE
    assert "chta.db does not exist" in ran.err
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize("command", [["append", "s", "--create", "--role", "user", "--content", "Hi"], ["migrate"]])
def test_a_command_that_begins_something_makes_it(run: Run, own_folder: Path, command: list[str]) -> None:
    assert run("--url", "sqlite:///new.db", *command).code == 0
    assert (own_folder / "new.db").exists()


def test_the_default_file_is_no_mistake(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_URL")
    assert run("sessions").code == 0


def test_what_the_server_refuses_is_not_worth_another_try() -> None:
    assert exit_code(Refused("the server refused this")) == REFUSED
