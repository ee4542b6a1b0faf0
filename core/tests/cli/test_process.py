"""The installed script as a process: signals, closed pipes, terminals, start-up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from agentkeep import sync
from agentkeep.retention import BELONGS_TO

from .conftest import BOUND, SCRIPT, Run, on_terminal, user

Write = Callable[..., Path]

HOSTILE = "\x1b[31mred\x1b[0m \x07bell \x9b2J [red]markup[/red] :smile: \u202egnp.exe \r over\x00\x7f\u2028end"


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + BOUND
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {BOUND} s: {what}")
        time.sleep(0.02)


@pytest.fixture
def many(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "s", "messages": [user("x" * 500)] * 2_000})))


@pytest.mark.parametrize(
    "command", [("show", "s"), ("show", "s", "--json"), ("export",), ("export", "--format", "chat")]
)
@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_leaves_no_traceback(command: tuple[str, ...], unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        [SCRIPT, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(BOUND) == 141


def test_a_standard_output_that_was_never_open_is_one_sentence() -> None:
    done = subprocess.run(["sh", "-c", f"{SCRIPT} export >&-"], stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"standard output is closed" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.usefixtures("many")
def test_a_full_disk_is_one_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([SCRIPT, "export"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"agentkeep: the output can't be written: No space left on device\n")


def test_follow_shows_what_another_process_appends_until_ctrl_c(run: Run, conversations: Write) -> None:
    """WATCH-1."""
    run("import", str(conversations({"id": "s", "messages": [user("first"), user("second")]})))
    with Path("shown.jsonl").open("wb") as shown:
        process = subprocess.Popen([SCRIPT, "show", "s", "--tail", "1", "--follow", "--json"], stdout=shown)
    contents: Callable[[], list[str]] = lambda: [  # noqa: E731
        json.loads(line)["content"] for line in Path("shown.jsonl").read_text().splitlines()
    ]
    until(lambda: contents() == ["second"], "the tail")
    for text in ("third", "fourth"):
        assert run("append", "s", "--role", "user", "--content", text).code == 0
    until(lambda: contents() == ["second", "third", "fourth"], "what came later")
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) == 130


def test_follow_ends_when_the_session_does(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "s", "messages": [user("first")]})))
    command = [SCRIPT, "show", "s", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        while b"first" not in process.stdout.readline():
            pass
        run("rm", "s", "--yes")
        _, err = process.communicate(timeout=BOUND)
    assert (process.returncode, err) == (1, b"agentkeep: no session 's' here\n")


def test_ctrl_c_during_an_import_leaves_whole_appends(run: Run, conversations: Write) -> None:
    """FLT-3."""
    path = conversations(*({"id": f"s{n}", "messages": [user("x")] * 40} for n in range(1_000)))
    command = [SCRIPT, "import", "--json", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=BOUND)
    assert (process.returncode, err) == (130, b"")
    counts = {session["message_count"] for session in run("sessions", "--json").lines()}
    assert 40 in counts
    assert counts <= {0, 40}
    assert run("import", str(path)).code == 0
    assert {session["message_count"] for session in run("sessions", "--json").lines()} == {40}


def test_ctrl_c_ends_the_wait_for_standard_input() -> None:
    with subprocess.Popen([SCRIPT, "append", "s", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        # More than a pipe holds: when this returns, the command is reading.
        process.stdin.write(b" " * 1_000_000)
        until(lambda: process.send_signal(signal.SIGINT) or process.poll() is not None, "the end")
        # One that comes after the end was begun ends it as the system does; a shell says 130 for both.
        assert process.returncode in (130, -signal.SIGINT)
        assert process.stderr.read() == b""


def test_a_terminal_is_asked_before_anything_is_removed(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "s", "messages": []})))
    for command in (("rm", "s"), ("prune", "--max-idle", "0s")):
        refused = on_terminal(*command, answer=b"n\n")
        assert refused.code == 1
        assert "Remove 1 session from sqlite:///chat.db, tenant 'default'?" in refused.out
        interrupted = on_terminal(*command, answer=b"\x04")
        assert interrupted.code == 130
        assert run("show", "s").code == 0
    with sync.connect("sqlite:///chat.db") as keep:
        keep.sessions.create("s/agent", metadata={BELONGS_TO: "s"})
    refused = on_terminal("rm", "s", answer=b"n\n")
    assert "Remove 1 session and what belongs to it (1 session) from sqlite:///chat.db" in refused.out
    run("rm", "s/agent", "--yes")
    agreed = on_terminal("rm", "s", answer=b"y\n")
    assert (agreed.code, agreed.out.endswith("1 session removed\r\n")) == (0, True)
    assert run("show", "s").code == 1


@pytest.mark.parametrize("command", ["rm s", "prune --max-idle 0s", "prune --max-idle 30d", "rm s --json"])
def test_without_a_terminal_nothing_is_removed_unless_yes_is_said(run: Run, conversations: Write, command: str) -> None:
    run("import", str(conversations({"id": "s", "messages": []})))
    for stdin in ("< /dev/null", "<&-", "< talks.jsonl"):
        done = subprocess.run(["sh", "-c", f"{SCRIPT} {command} {stdin}"], capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
        assert b"no terminal to ask on: give --yes" in done.stderr
    assert run("show", "s").code == 0
    done = subprocess.run(["sh", "-c", f"{SCRIPT} {command} --yes <&-"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert run("show", "s").code == (0 if "30d" in command else 1)


@pytest.mark.usefixtures("run")
def test_hostile_text_is_data(run: Run, conversations: Write) -> None:
    """ISO-2."""
    messages = [
        user(HOSTILE),
        {"role": "assistant", "content": None, "tool_calls": [{"function": HOSTILE}]},
        {"role": "tool", "content": [HOSTILE], "name": HOSTILE, "tool_call_id": HOSTILE},
    ]
    talk = {"id": "[b]s[/b]", "title": HOSTILE, "user_id": "[red]u", "messages": messages}
    assert run("import", str(conversations(talk))).code == 0
    commands = (("show", "[b]s[/b]"), ("sessions",), ("search", "markup"))
    for command in commands:
        plain = run(*command).out
        assert not set(plain) & set("\x1b\x07\x9b\u202e\r\x00\x7f\u2028")
        assert "\\x1b[31mred" in plain or command[0] == "search"
        assert "[red]" in plain
        shown = on_terminal(*command).out
        assert not set(shown.replace("\r\n", "\n")) & set("\x07\x9b\u202e\r\x00\x7f\u2028")
        assert "\x1b[31mred" not in shown
        assert "[red]" in shown
        assert ":smile:" in shown or command[0] == "search"
    lines = run("show", "[b]s[/b]", "--json")
    assert lines.lines()[0]["content"] == HOSTILE
    assert not set(lines.out) & set("\x1b\x07\x9b\u202e\r\x00\x7f\u2028")


def test_colours_on_a_terminal_alone(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "s", "messages": [user("word")]})))
    for command in (("show", "s"), ("sessions",), ("search", "word"), ("doctor",)):
        assert "\x1b[" in on_terminal(*command).out
        assert "\x1b" not in run(*command).out
    assert "\x1b" not in on_terminal("show", "s", "--json").out
    assert "**" not in on_terminal("search", "word").out


def test_a_pipe_gets_whole_lines(run: Run, conversations: Write) -> None:
    run("import", str(conversations({"id": "i" * 200, "title": "t" * 400, "messages": [user("w" * 5_000)]})))
    assert f"{'i' * 200}  active" in run("sessions").out
    assert "w" * 5_000 in run("show", "i" * 200).out


def test_import_shows_its_progress_on_a_terminal(conversations: Write) -> None:
    ran = on_terminal("import", str(conversations([user("x")])))
    assert ran.code == 0
    assert "Importing" in ran.out
    assert "1/1" in ran.out


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_text_that_the_terminal_has_no_letters_for(script: Run, conversations: Write, encoding: str) -> None:
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    assert script("import", str(conversations({"id": "s", "messages": [user("図書館")]})), **environment).code == 0
    assert "\\u56f3\\u66f8\\u9928" in script("show", "s", **environment).out
    assert script("show", "s", "--json", **environment).lines()[0]["content"] == "図書館"


def test_without_its_extra_the_script_says_the_pip_command() -> None:
    hidden = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == sys.argv[1] else find(name, *rest)\n"
        "from agentkeep.cli import main; main()"
    )
    for library in ("typer", "rich", "platformdirs"):
        done = subprocess.run([sys.executable, "-c", hidden, library], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert 'pip install "agentkeep[cli]"' in done.stderr


def test_help_imports_nothing_heavy() -> None:
    listed = (
        "import sys; from agentkeep.cli import main; sys.argv[1:] = ['--help']\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "print([name for name in ('rich', 'asyncio', 'sqlalchemy', 'platformdirs') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_command_is_summed_up_in_one_whole_line(run: Run) -> None:
    listed = run("--help").out.partition("Commands:\n")[2].splitlines()
    assert len(listed) == 16
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


def test_help_of_every_command(run: Run) -> None:
    commands = (
        "import",
        "sessions",
        "show",
        "search",
        "append",
        "fork",
        "export",
        "rm",
        "prune",
        "stats",
        "doctor",
        "sweep",
    )
    for command in (*commands, "tenants", "adapters", "config"):
        ran = run(command, "--help")
        assert ran.code == 0
        assert all(option in ran.out for option in ("--url", "--tenant", "--json"))
        assert command in run("--help").out
