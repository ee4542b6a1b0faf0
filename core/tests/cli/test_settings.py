"""Which database a command uses, and how it says that there is none."""

from __future__ import annotations

import json
import os
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from agentkeep import (
    ConfigurationError,
    Corrupt,
    OutcomeUnknown,
    PersistenceError,
    SchemaMissing,
    SchemaTooNew,
    Unavailable,
)
from agentkeep.config import json_schema

from .conftest import Run


def used(run: Run, *arguments: str) -> tuple[str, str]:
    found = json.loads(run("config", "--json", *arguments).out)["settings"]["url"]
    return found["from"], found["value"]


def test_order_of_the_places(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folder / "agentkeep.toml").write_text('url = "sqlite:///file.db"\n[options]\nsynchronous = "NORMAL"\n')
    assert used(run, "--url", "memory://") == ("argument", "memory://")
    assert used(run) == ("AGENTKEEP_URL", "sqlite:///chat.db")
    monkeypatch.setenv("AGENTKEEP_URL", "")
    assert used(run) == ("agentkeep.toml:1", "sqlite:///file.db")
    (own_folder / "agentkeep.toml").unlink()
    origin, url = used(run)
    assert origin == "default"
    assert url.endswith("/agentkeep.db")


def test_the_default_is_a_file_of_the_user(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_URL")
    assert run("config").code == 0
    home = Path(os.environ["HOME"])
    assert not list(home.rglob("agentkeep.db"))
    assert run("append", "s", "--role", "user", "--content", "x", "--create").code == 0
    assert len(list(home.rglob("agentkeep.db"))) == 1
    assert json.loads(run("stats", "--json").out)["file_bytes"] > 0


def test_options_of_the_file_go_with_its_url_alone(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_URL")
    (own_folder / "agentkeep.toml").write_text('url = "sqlite:///file.db"\n[options]\nno_such_option = 1\n')
    ran = run("sessions")
    assert (ran.code, "agentkeep.toml:3" in ran.err, "no_such_option" in ran.err) == (2, True, True)
    assert run("migrate", "--url", "sqlite:///file.db").code == 0


def test_tenant_of_the_file(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_URL")
    (own_folder / "agentkeep.toml").write_text('url = "sqlite:///file.db"\ntenant = "acme"\n')
    run("append", "s", "--role", "user", "--content", "x", "--create")
    assert run("sessions", "--json").lines()[0]["tenant"] == "acme"
    assert run("sessions", "--json", "--tenant", "default").out == ""


def test_a_wrong_file(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_URL")
    (own_folder / "agentkeep.toml").write_text('url = "memory://"\ntennant = "x"\n')
    ran = run("sessions")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "agentkeep.toml:2: there is no key 'tennant': did you mean 'tenant'?" in ran.err


def test_config_shows_what_is_in_force_and_where_it_comes_from(run: Run, own_folder: Path) -> None:
    (own_folder / "agentkeep.toml").write_text("tenant = 'acme'\n[manager]\nwindow = 50\n")
    rows = [line.split() for line in run("config").out.splitlines()]
    assert ["url", "sqlite:///chat.db", "AGENTKEEP_URL"] in rows
    assert ["tenant", "acme", "agentkeep.toml:1"] in rows
    assert ["manager.window", "50", "agentkeep.toml:3"] in rows
    assert ["manager.auto_save", "true", "default"] in rows
    assert not (own_folder / "chat.db").exists()


def test_config_check_opens_and_asks(run: Run, own_folder: Path) -> None:
    missing = run("config", "--check")
    assert (missing.code, "chat.db" in missing.err) == (2, True)
    assert not (own_folder / "chat.db").exists()
    run("migrate")
    ran = run("config", "--check")
    assert ran.code == 0
    assert "SQLite 3" in ran.out
    assert json.loads(run("config", "--check", "--json").out)["health"]["health"] == "ok"


@pytest.mark.parametrize("text", ["[manager]\nidle_ttl = 'soon'\n", "[retention]\nmax_age = 'soon'\n"])
def test_config_check_finds_what_only_a_program_uses(run: Run, own_folder: Path, text: str) -> None:
    (own_folder / "agentkeep.toml").write_text(text)
    run("migrate")
    assert run("config").code == 0
    ran = run("config", "--check")
    assert (ran.code, "agentkeep.toml:2: " in ran.err) == (2, True)


def test_config_schema_prints_the_one_that_is_shipped(run: Run) -> None:
    assert json.loads(run("config", "--schema").out) == json_schema()


def test_no_password_is_ever_printed(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ERR-3."""
    monkeypatch.delenv("AGENTKEEP_URL")
    monkeypatch.setenv("OF_THE_OTHER", "hunter2")
    (own_folder / "agentkeep.toml").write_text(
        'url = "nodb://me:hunter2@host/db?password=hunter2"\n[options]\napi_key = "hunter2"\n'
        'other = "nodb://me:${OF_THE_OTHER}@host"\n[options.nested]\nsecret = "hunter2"\nurls = ["x://y:hunter2@z"]\n'
    )
    for arguments in (("config",), ("config", "--json"), ("config", "--check"), ("sessions",), ("doctor",), ("stats",)):
        ran = run(*arguments)
        assert "hunter2" not in ran.out + ran.err
    assert "me:***@host" in run("config").out


@pytest.mark.parametrize(
    ("url", "code", "why"),
    [
        ("chat.db", 2, "is not a URL"),
        ("", 2, "such as sqlite:///chat.db"),
        ("oracle://localhost", 2, "adapter for oracle://"),
        ("sqlite:///chat.db?no_such_option=1", 2, "no_such_option"),
        ("sqlite:///nowhere/chat.db", 2, "nowhere"),
        ("sqlite:///text.db", 2, "text.db"),
    ],
)
def test_wrong_urls(run: Run, own_folder: Path, url: str, code: int, why: str) -> None:
    (own_folder / "text.db").write_text("This is no database.\n" * 100)
    ran = run("--url", url, "sessions")
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert why in ran.err
    assert (own_folder / "text.db").read_text() == "This is no database.\n" * 100


def test_an_adapter_that_is_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_installed() -> dict[str, EntryPoint]:
        return {}

    monkeypatch.setattr("agentkeep._registry.installed_adapters", none_installed)
    ran = run("--url", "redis://localhost", "sessions")
    assert (ran.code, 'pip install "agentkeep[redis]"' in ran.err) == (2, True)


def test_an_unavailable_database_is_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentkeep_memory import MemoryAdapter

    async def refuse(adapter: MemoryAdapter) -> None:
        raise Unavailable("the server does not answer")

    monkeypatch.setattr(MemoryAdapter, "open", refuse)
    for command in (("sessions",), ("doctor",), ("stats",), ("export",)):
        ran = run("--url", "memory://", *command)
        assert (ran.code, ran.err) == (3, "agentkeep: the server does not answer\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable("it does not answer"), 3),
        (OutcomeUnknown("the reply was lost"), 3),
        (ConfigurationError("no such certificate"), 2),
        (SchemaMissing("there is no schema"), 2),
        (SchemaTooNew(found=9, known=1), 2),
        (Corrupt("session 's'"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_may_help_to_try_again_is_3(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: PersistenceError, code: int
) -> None:
    from agentkeep_memory import MemoryAdapter

    async def refuse(adapter: MemoryAdapter) -> None:
        raise error

    monkeypatch.setattr(MemoryAdapter, "open", refuse)
    for command in ("sessions", "migrate"):
        assert run("--url", "memory://", command) == (code, "", f"agentkeep: {error}\n")


def test_a_folder_of_the_user_that_cant_be_made_is_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_URL")
    (Path(os.environ["HOME"]) / "data").write_text("a file stands in the way")
    ran = run("sessions")
    assert (ran.code, "can't be made" in ran.err) == (2, True)
