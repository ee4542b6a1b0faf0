"""The rules of `agentkeep-conformance mutate`, and which tests may see what they change."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from agentkeep_conformance.mutate import python_rules, text_rules, touched
from agentkeep_conformance.mutate import sources as sources_module
from agentkeep_conformance.mutate.mutants import Mutant, mutants_of


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


def test_only_tests_that_run_its_part_may_see_a_mutant(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    monkeypatch.setenv(touched.FILE, str(tmp_path / "touched"))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
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


def test_a_tests_source_is_its_file_and_the_families_that_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sources() -> list[str]:
        sources_module.source_of_file.cache_clear()
        return [sources_module.source_of_file(tmp_path / f"{name}.py") for name in ("first", "second", "other")]

    monkeypatch.setattr(sources_module, "_FAMILIES", tmp_path)
    (tmp_path / "first.py").write_text("from agentkeep_conformance.families.second import x\n")
    (tmp_path / "second.py").write_text("x = 1\n")
    (tmp_path / "other.py").write_text("from agentkeep_conformance.frames import y\n")
    before = sources()
    (tmp_path / "second.py").write_text("x = 2\n")
    assert [old == new for old, new in zip(before, sources(), strict=True)] == [False, False, True]


def test_all_mutants_of_what_is_kept_here_are_python() -> None:
    """No rule makes a module that can't be compiled: such a mutant is killed by nothing that a test says."""
    package = Path(python_rules.__file__).parents[1]
    mutants: list[Mutant] = mutants_of(package, ["mutate/"], [])
    assert len(mutants) > 100
    for mutant in mutants:
        compile(mutant.text, mutant.path, "exec", dont_inherit=True)
