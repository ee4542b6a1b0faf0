"""`sweep`, `prune` by the policy of the configuration, and `show --state`, `import -`, filters, completion."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from agentkeep import NewMessage
from agentkeep.sync import connect

from .conftest import SCRIPT, Run, on_terminal


def talk(id: str, texts: int = 1, **fields: object) -> None:
    with connect("sqlite:///chat.db") as keep:
        keep.sessions.create(id, **fields)  # pyright: ignore[reportArgumentType]
        keep.messages.append(id, [NewMessage(role="user", content=str(n)) for n in range(texts)])


def ids(run: Run, *arguments: str) -> list[str]:
    return sorted(line["id"] for line in run("sessions", "--json", *arguments).lines())


def test_sweep_removes_the_expired_of_all_tenants(run: Run) -> None:
    with connect("sqlite:///chat.db") as keep:
        keep.sessions.create("a", ttl=0.01)
        keep.for_tenant("acme").sessions.create("b", ttl=0.01)
        keep.sessions.create("c")
    time.sleep(0.05)
    assert run("sweep").out == "2 expired sessions removed from sqlite:///chat.db\n"
    assert run("sweep", "--json").lines() == [{"removed": 0}]
    assert ids(run) == ["c"]


def test_prune_by_the_policy_of_the_file(run: Run, own_folder: Path) -> None:
    (own_folder / "agentkeep.toml").write_text("[retention]\nmax_sessions_per_user = 1\nmax_messages_per_session = 2\n")
    for id in ("a", "b"):
        talk(id, 3, user_id="ann")
    dry = run("prune", "--dry-run")
    assert dry.out == "1 session and 1 message of others would be removed\n"
    assert ids(run) == ["a", "b"]
    assert run("prune", "--yes").out == "1 session and 1 message of others removed\n"
    assert [(line["id"], line["message_count"]) for line in run("sessions", "--json").lines()] == [("b", 2)]


def test_an_option_of_prune_comes_before_the_file(run: Run, own_folder: Path) -> None:
    (own_folder / "agentkeep.toml").write_text("[retention]\nmax_messages_per_session = 1\n")
    talk("a", 3)
    assert run("prune", "--yes", "--max-messages-per-session", "2", "--json").lines()[0]["messages"] == 1


def test_prune_without_a_policy_says_what_to_give(run: Run) -> None:
    talk("a")
    ran = run("prune", "--yes")
    assert (ran.code, "--max-idle" in ran.err, "[retention]" in ran.err) == (2, True, True)


def test_prune_by_age(run: Run) -> None:
    talk("a")
    assert run("prune", "--max-age", "1h", "--yes").out == "0 sessions removed\n"
    assert run("prune", "--max-age", "0s", "--yes").out == "1 session removed\n"


def test_sessions_by_metadata(run: Run) -> None:
    talk("web", metadata={"channel": "web", "n": 1, "vip": True})
    talk("app", metadata={"channel": "app", "n": "1"})
    assert ids(run, "--metadata", "channel=web") == ["web"]
    assert ids(run, "--metadata", "n=1") == ["web"]
    assert ids(run, "--metadata", 'n="1"') == ["app"]
    assert ids(run, "--metadata", "channel=web", "--metadata", "vip=false") == []
    wrong = run("sessions", "--metadata", "channel")
    assert (wrong.code, "KEY=VALUE" in wrong.err) == (2, True)


def test_sessions_by_time(run: Run) -> None:
    talk("a")
    today = datetime.now(UTC)
    assert ids(run, "--updated-after", "1h") == ["a"]
    assert ids(run, "--updated-before", "1h") == []
    assert ids(run, "--updated-after", (today - timedelta(days=2)).date().isoformat()) == ["a"]
    assert ids(run, "--updated-before", (today - timedelta(minutes=5)).isoformat()) == []
    wrong = run("sessions", "--updated-after", "yesterday")
    assert (wrong.code, "2026-11-28" in wrong.err) == (2, True)


def test_sessions_says_where_it_found_none(run: Run) -> None:
    run("migrate")
    assert run("sessions").err == "agentkeep: no sessions in sqlite:///chat.db, tenant 'default'\n"
    talk("a")
    assert run("sessions").err == ""
    assert "1 session in sqlite:///chat.db, tenant 'default'" in on_terminal("sessions").out


def test_the_place_shows_no_password(run: Run) -> None:
    ran = run("rm", "nobody", "--yes", "--url", "memory://user:hunter2@x", "--tenant", "acme")
    assert "hunter2" not in ran.out + ran.err
    assert "tenant 'acme'" in ran.err


def test_show_state(run: Run) -> None:
    talk("a", state={"city": "Z\u00fcrich", "n": 1.0}, metadata={"channel": "web"})
    shown = run("show", "a", "--state").out
    assert '"city": "Z\u00fcrich"' in shown
    assert '"n": 1.0' in shown
    assert '"channel": "web"' in shown
    assert "#1 user" not in shown
    assert run("show", "a", "--state", "--json").lines()[0]["state"] == {"city": "Z\u00fcrich", "n": 1.0}


def test_import_of_standard_input(script: Run, run: Run) -> None:
    assert script("import", "-", text='{"id": "a", "messages": [{"role": "user", "content": "Hi"}]}').code == 0
    assert ids(run) == ["a"]
    exported = script("export").out
    run("rm", "a", "--yes")
    assert script("import", "-", text=exported).code == 0
    assert ids(run) == ["a"]
    wrong = script("import", "-", text="[")
    assert (wrong.code, "standard input: line 1" in wrong.err) == (2, True)


def test_an_import_of_standard_input_needs_ids(script: Run) -> None:
    ran = script("import", "-", text='[{"role": "user", "content": "Hi"}]')
    assert (ran.code, "give it an id" in ran.err) == (2, True)


def test_python_m_agentkeep_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "agentkeep", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("agentkeep ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    environment = {**os.environ, "_AGENTKEEP_COMPLETE": f"source_{shell}"}
    done = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert "_AGENTKEEP_COMPLETE" in done.stdout


def test_completion_knows_the_commands() -> None:
    environment = {
        **os.environ,
        "_AGENTKEEP_COMPLETE": "complete_bash",
        "COMP_WORDS": "agentkeep sw",
        "COMP_CWORD": "1",
    }
    done = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["sweep"]


def test_tenants(run: Run) -> None:
    with connect("sqlite:///chat.db") as keep:
        assert run("tenants").out == ""
        for tenant in ("b b", "a", "c"):
            for _ in range(3):
                keep.for_tenant(tenant).sessions.create()
        gone = keep.for_tenant("gone")
        gone.sessions.delete(gone.sessions.create().id)
    assert run("tenants").out == "a\nb b\nc\n"
    assert run("tenants", "--json").lines() == [{"tenant": "a"}, {"tenant": "b b"}, {"tenant": "c"}]


def test_an_adapter_that_can_not_list_tenants_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentkeep_memory import MemoryAdapter

    monkeypatch.delattr(MemoryAdapter, "tenants")
    ran = run("tenants", "--url", "memory://")
    assert (ran.code, "can't list its tenants" in ran.err) == (2, True)
