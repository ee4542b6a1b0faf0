"""`agentkeep-conformance mutate`: what its rules make, and what it says of a package with one test too few."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agentkeep_conformance.mutate import python_rules, text_rules
from agentkeep_conformance.mutate.explained import Unreadable, read
from agentkeep_conformance.mutate.mutants import Mutant, mutants_of

TOY = '''"""A toy."""

from __future__ import annotations


def grown(number: int) -> int:
    """By one, if it is small."""
    if number < 10:
        number += 1
    return number
'''
TOY_TESTS = """
from agentkeep_toycalc import grown
def test_small(): assert grown(3) == 4
def test_large(): assert grown(20) == 20
"""


COMMAND = "from agentkeep_conformance.command import main; raise SystemExit(main())"


def python(source: str) -> set[str]:
    return {source[: c.start] + c.text + source[c.end :] for c in python_rules.changes_of(source)}


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("x = a < b", {"x = a <= b"}),
        ("x = a and b or c", {"x = (c)", "x = (a and b)", "x = (a) or c", "x = (b) or c"}),
        ("x = not a", {"x = (a)"}),
        ("x = a if b else c", {"x = (a)", "x = (c)"}),
        ("x = [y for y in z if y.good]", {"x = [y for y in z if True]"}),
        ("x = z[a:b]", {"x = z[None:b]", "x = z[a:None]"}),
        ("f(a, k=b)", {"pass", "f(a, )"}),
        ("f(k=b, l=c)", {"pass", "f(l=c)", "f(k=b, )"}),
        ("with lock:\n    x = y", {"if True:\n    x = y"}),
        ("with open(x) as y:\n    z = y", set[str]()),
        ("try:\n    x = y\nexcept E:\n    x = z", {"try:\n    x = y\nexcept E:\n    raise"}),
        ("x = min(a, b) + 1", {"x = max(a, b) + 1", "x = min(a, b) - 1", "x = min(a, b) + 2"}),
        ("x: Literal[3] = y", set[str]()),
        ("'ä'\nx = 'ö' if a else c", {"'ä'\nx = ('ö')", "'ä'\nx = (c)"}),
        ("def __repr__(self):\n    return a < b", set[str]()),
        ("raise E(f'{a + 1}')", {"pass"}),
    ],
)
def test_the_rules_of_python(source: str, mutants: set[str]) -> None:
    assert python(source) == mutants


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("SELECT a FROM t WHERE b <= 5 -- <", {"SELECT a FROM t WHERE b < 5 -- <"}),
        ("SELECT a FROM t WHERE b = 'x = y' ", {"SELECT a FROM t WHERE b <> 'x = y' "}),
        ("UPDATE t SET a = b", set[str]()),
        ("SELECT a FROM t ORDER BY a DESC", {"SELECT a FROM t ORDER BY a ASC"}),
        ("    PERFORM f(x);", {"NULL;"}),
    ],
)
def test_the_rules_of_sql(source: str, mutants: set[str]) -> None:
    assert {source[: c.start] + c.text + source[c.end :] for c in text_rules.changes_of_sql(source)} == mutants


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("if a == 'b' then c = d end", {"if a ~= 'b' then c = d end", "if a == 'b' then  end"}),
        ("-- not this\nlocal a = not b", {"-- not this\nlocal a = b"}),
        ("redis.call('DEL', KEYS[1])", {""}),
    ],
)
def test_the_rules_of_lua(source: str, mutants: set[str]) -> None:
    assert {source[: c.start] + c.text + source[c.end :] for c in text_rules.changes_of_lua(source)} == mutants


def test_a_mutants_name_stays_if_lines_are_added_above(tmp_path: Path) -> None:
    def names(source: str) -> list[str]:
        (tmp_path / "toy.py").write_text(source)
        return [mutant.name for mutant in mutants_of(tmp_path, [], [])]

    assert names(TOY) == names(TOY.replace("\n\n\ndef", "\n\nOTHER = 'x'\n\n\ndef"))
    assert "toy.py grown [compare] if number < 10: => if number <= 10:" in names(TOY)


def test_a_reason_stands_above_its_survivors(tmp_path: Path) -> None:
    file = tmp_path / "explained.txt"
    file.write_text("# It only makes it slower.\na [b] c => d\na [b] e => f\n")
    assert read(file) == dict.fromkeys(("a [b] c => d", "a [b] e => f"), "It only makes it slower.")
    file.write_text("a [b] c => d\n")
    with pytest.raises(Unreadable, match="has no reason"):
        read(file)


def start(folder: Path, *arguments: str, tests: str = TOY_TESTS) -> subprocess.Popen[str]:
    """Run the command on a toy package whose tests don't know its bound, 10."""
    package = folder / "src/agentkeep_toycalc"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(TOY)
    file = folder / "adapters/toycalc/tests/test_conformance.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(tests)
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "mutate", "toycalc", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
    )


def mutate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments)
    output = process.communicate(timeout=120)[0]
    return subprocess.CompletedProcess(arguments, process.returncode, output)


SURVIVOR = "__init__.py grown [compare] if number < 10: => if number <= 10:"
OTHER = "__init__.py grown [number] if number < 10: => if number < 11:"


def test_survivors_are_shown_and_reasons_must_be_true(tmp_path: Path) -> None:
    explained = tmp_path / "explained.txt"
    killed = "__init__.py grown [number] number += 1 => number += 2"
    explained.write_text(f"# Nobody is promised a bound.\n{SURVIVOR}\n{killed}\ngone\n")
    done = mutate(tmp_path, "--explained", str(explained))
    assert done.returncode == 1, done.stdout
    assert "-    if number < 10:\n+    if number <= 10:" in done.stdout
    assert f"survivors that nobody has explained:\n  {OTHER}" in done.stdout
    assert f"was killed: {killed}" in done.stdout
    assert "is no mutant any more: gone" in done.stdout
    assert done.stdout.splitlines()[-1] == "killed 3/5 mutants; 1 survived, 1 more are explained"
    assert (tmp_path / "src/agentkeep_toycalc/__init__.py").read_text() == TOY


def test_a_cut_run_goes_on_where_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    whole = mutate(tmp_path, "--keep", str(kept))
    *found, last = kept.read_text().splitlines()
    kept.write_text("\n".join(found).replace('"why": "E ', '"why": "as it was kept ') + "\n")
    again = mutate(tmp_path, "--keep", str(kept))
    assert again.stdout.splitlines()[-1] == "killed 3/5 mutants; 2 survived, 0 more are explained"
    assert whole.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert "as it was kept" in again.stdout
    assert len(kept.read_text().splitlines()) == len([*found, last])
    kept.write_text(kept.read_text().replace('"state": "', '"state": "0'))
    other = mutate(tmp_path, "--keep", str(kept))
    assert (other.returncode, "was written by other sources" in other.stdout) == (2, True)


WAITING_TESTS = """
import pathlib, time
from agentkeep_toycalc import grown
def test_small():
    if grown(3) != 4:
        pathlib.Path("waits").touch()
        time.sleep(600)
"""


def test_the_end_of_a_cut_run_kills_no_mutant(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    process = start(tmp_path, "--keep", str(kept), tests=WAITING_TESTS)
    while not (tmp_path / "waits").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert "did not end" not in kept.read_text()


def test_what_no_test_killed_within_its_time_is_a_survivor(tmp_path: Path) -> None:
    done = mutate(tmp_path, "--limit", "0.000001")
    assert done.returncode == 1, done.stdout
    assert done.stdout.count("not killed by the limit") == 5
    assert done.stdout.splitlines()[-1] == "killed 0/5 mutants; 5 survived, 0 more are explained"


def test_all_mutants_of_what_is_kept_here_are_python() -> None:
    """No rule makes a module that can't be compiled: such a mutant is killed by nothing that a test says."""
    package = Path(python_rules.__file__).parents[1]
    mutants: list[Mutant] = mutants_of(package, ["mutate/"], [])
    assert len(mutants) > 100
    for mutant in mutants:
        compile(mutant.text, mutant.path, "exec", dont_inherit=True)
