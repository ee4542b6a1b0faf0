"""Which parts of a package a test runs, and so which mutants it may see."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from agentkeep_conformance.mutate import touched
from agentkeep_conformance.mutate.mutants import mutants_of

BRANCHES = '''
def moved(number):
    """By one."""
    if number < 10:
        return number + 1
    return number - 1
'''
SQL = """-- name: get
SELECT {columns} FROM t WHERE a = 1;

-- name: columns
-- What get and each other statement reads.
a IS NULL

-- name: only_one
AND b = 2
"""
FUNCTIONS = """CREATE FUNCTION {prefix}change(a text) RETURNS void AS $$
BEGIN
    PERFORM {prefix}note(a);
END
$$;

CREATE FUNCTION {prefix}note(a text) RETURNS void AS $$
BEGIN
    PERFORM 1;
END
$$;

CREATE INDEX i ON t (a) WHERE a > 5;
"""
LUA = """local function first(a)
  return a < 5
end

local function second(a)
  return first(a) or 6
end

if second(ARGV[1]) == true then return 1 end
"""
NAMING = """
KEYS = {"get": 1}
TABLE = {"key": "note"}
def statement(which, number): return [which, f"only_{number}", f"a {KEYS.get('change')}"]
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "toy").mkdir()
    for name, text in (("toy.py", BRANCHES), ("q.sql", SQL), ("f.sql", FUNCTIONS), ("s.lua", LUA), ("n.py", NAMING)):
        (tmp_path / "toy" / name).write_text(text)
    return tmp_path / "toy"


@pytest.fixture
def measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy's modules can import the module that stands beside it, each test its own."""
    monkeypatch.setenv(touched.FILE, str(tmp_path / "touched"))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))


@pytest.mark.usefixtures("measuring")
def test_only_tests_that_run_its_part_may_see_a_mutant(package: Path) -> None:
    def found() -> dict[str, set[frozenset[str] | None]]:
        files = ("toy.py", "q.sql", "f.sql", "s.lua")
        return {path: {m.runs_with for m in mutants_of(package, [path], [])} for path in files}

    def names(*each: str) -> frozenset[str]:
        return frozenset(touched.NAMED + name for name in each)

    blocks = {frozenset({"toy.py:3"}), frozenset({"toy.py:5"})}
    statements = {names("get"), names("columns", "get"), names("only_one")}
    functions = {names("change"), names("note", "change"), None}
    assert found() == {
        "toy.py": blocks,
        "q.sql": statements,
        "f.sql": functions,
        "s.lua": {names("s"), names("second", "s"), names("first", "second", "s")},
    }
    touched.instrument(package)
    seen = touched.Touched()
    moved = runpy.run_path(str(package / "toy.py"))["moved"]
    naming = runpy.run_path(str(package / "n.py"))
    seen.imported()
    at_import = ["named note"]
    assert (moved(20), seen.since_last()) == (19, [*at_import, "toy.py:3"])
    assert (moved(3), seen.since_last(), moved.__doc__) == (4, [*at_import, "toy.py:3", "toy.py:5"], "By one.")
    assert naming["statement"]("get", "one") == ["get", "only_one", "a None"]
    assert seen.since_last() == ["n.py:4", "named change", *at_import, "named only_one"]


@pytest.mark.usefixtures("measuring")
def test_the_measured_copy_keeps_functions_named_touched_and_named(package: Path) -> None:
    """MongoDB's adapter has a `_touched` of its own, and its measured copy called itself without an end."""
    (package / "toy.py").write_text("def _touched(n):\n    return _named(n)\ndef _named(n):\n    return n + 1\n")
    touched.instrument(package)
    seen = touched.Touched()
    assert runpy.run_path(str(package / "toy.py"))["_touched"](3) == 4
    assert seen.since_last() == ["toy.py:2", "toy.py:4"]
