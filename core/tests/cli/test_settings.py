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

from .conftest import Run


def used(run: Run, *arguments: str) -> tuple[str, str]:
    found = json.loads(run("config", "--json", *arguments).out)
    return found["from"], found["url"]


def test_order_of_the_places(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folder / "agentkeep.toml").write_text('[agentkeep]\nurl = "sqlite:///file.db"\nsynchronous = "NORMAL"\n')
    assert used(run, "--url", "memory://") == ("--url", "memory://")
    assert used(run) == ("AGENTKEEP_URL", "sqlite:///chat.db")
    monkeypatch.setenv("AGENTKEEP_URL", "")
    assert used(run) == ("agentkeep.toml", "sqlite:///file.db")
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
    (own_folder / "agentkeep.toml").write_text('[agentkeep]\nurl = "sqlite:///file.db"\nno_such_option = 1\n')
    ran = run("sessions")
    assert (ran.code, "no_such_option" in ran.err) == (2, True)
    assert run("migrate", "--url", "sqlite:///file.db").code == 0


def test_tenant_of_the_file(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTKEEP_URL")
    (own_folder / "agentkeep.toml").write_text('[agentkeep]\nurl = "sqlite:///file.db"\ntenant = "acme"\n')
    run("append", "s", "--role", "user", "--content", "x", "--create")
    assert run("sessions", "--json").lines()[0]["tenant"] == "acme"
    assert run("sessions", "--json", "--tenant", "default").out == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[agentkeep]\nurl = ]", "line 2"),
        ("agentkeep = 3", "not a table"),
        ("url = 'sqlite:///file.db'", "has no table [agentkeep]"),
        ("[agentkeep]\nurll = 'x'", "names no database"),
        ("[agentkeep]\nurl = 3", "names no database"),
    ],
)
def test_a_wrong_file(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str) -> None:
    monkeypatch.delenv("AGENTKEEP_URL")
    (own_folder / "agentkeep.toml").write_text(text)
    ran = run("sessions")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert why in ran.err
    assert run("sessions", "--url", "memory://").code == 0


def test_no_password_is_ever_printed(run: Run, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ERR-3."""
    monkeypatch.delenv("AGENTKEEP_URL")
    (own_folder / "agentkeep.toml").write_text(
        '[agentkeep]\nurl = "nodb://me:hunter2@host/db?password=hunter2"\napi_key = "hunter2"\n'
        'other = "nodb://me:hunter2@host"\n[agentkeep.nested]\nsecret = "hunter2"\nurls = ["x://y:hunter2@z"]\n'
    )
    for arguments in (("config",), ("config", "--json"), ("sessions",), ("doctor",), ("stats",)):
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
