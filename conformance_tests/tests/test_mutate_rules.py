"""The rules of `agentkeep-conformance mutate`, and what its measurements depend on."""

from __future__ import annotations

from pathlib import Path

import pytest
from agentkeep_conformance.mutate import python_rules, text_rules
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
