"""The pages say what is true: snippets run and print what they say, generated parts are fresh, links lead somewhere."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib.util
import inspect
import io
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest
from agentkeep import Capabilities, config
from agentkeep_conformance.clauses import CLAUSES

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
NAMES = [page.stem for page in PAGES]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PRINTS = re.compile(r"\bprints `([^`]+)`(?: and `([^`]+)`)?")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in list(os.environ):
        if name.startswith("AGENTKEEP_"):
            monkeypatch.delenv(name)


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    return [(language, text) for language, text in _BLOCK.findall(page.read_text()) if language in languages]


def run_python(text: str, names: dict[str, Any]) -> None:
    """Run a snippet that may use `await` at its top, as a notebook does."""
    code = compile(text, "snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    asyncio.run(_awaited(code, names))


async def _awaited(code: CodeType, names: dict[str, Any]) -> None:
    result = eval(code, names)  # noqa: S307 - our own pages
    if inspect.isawaitable(result):
        await result


def run_shell(text: str) -> None:
    for command in text.splitlines():
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_snippets_of_a_page_run_in_their_order(page: Path) -> None:
    names: dict[str, Any] = {"__name__": "snippet"}
    printed = io.StringIO()
    for language, text in blocks(page, "python", "sh", "toml"):
        if language == "toml":
            Path("agentkeep.toml").write_text(text)
            config.load().keep()
        elif language == "sh":
            run_shell(text)
        else:
            with contextlib.redirect_stdout(printed):
                run_python(text, names)
    said = [part for match in _PRINTS.findall(page.read_text()) for part in match if part]
    lines = printed.getvalue().splitlines()
    assert [part for part in said if part not in lines] == []


def test_every_language_is_run_or_is_plain_text() -> None:
    """So that no snippet is left out by a misspelt language."""
    found = {language for page in PAGES for language, _ in _BLOCK.findall(page.read_text())}
    assert found == {"python", "sh", "toml", "text"}
    fences = [line for page in PAGES for line in page.read_text().splitlines() if line.lstrip().startswith("```")]
    assert len(fences) == 2 * sum(len(_BLOCK.findall(page.read_text())) for page in PAGES)


def test_toml_of_pages_is_toml() -> None:
    assert [tomllib.loads(text) for page in PAGES for _, text in blocks(page, "toml")]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("agentkeep_pages", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = generator()


def test_every_generated_part_has_a_page() -> None:
    parts = [part for page in PAGES for part in re.findall(r"<!-- generated (\w+) -->", page.read_text())]
    assert sorted(parts) == sorted(GENERATED.PARTS)


def test_the_contract_has_every_clause_with_links_to_its_tests() -> None:
    text: str = GENERATED.contract()
    clauses = re.findall(r"^## (.+)\n\n(.+)\n\n(\d+) tests: (.*)$", text, flags=re.MULTILINE)
    assert [(name, said) for name, said, _, _ in clauses] == list(CLAUSES.items())
    for name, _, number, tests in clauses:
        links = re.findall(r"\[(\w+)\]\(\.\./(.+?)#L(\d+)\)", tests)
        assert len(links) == int(number) > 0, name
        for test, file, line in links:
            assert f"def {test}(" in (ROOT / file).read_text().splitlines()[int(line) - 1]


def test_the_reference_of_the_configuration_has_every_key() -> None:
    text: str = GENERATED.configuration()
    in_force = config.load({"url": "memory://"}).in_force()
    keys = {key for key, _, _ in in_force} | {"options", "manager.idle_ttl"}
    assert set(re.findall(r"^\| `([\w.]+)` \|", text, flags=re.MULTILINE)) == keys
    assert "`AGENTKEEP_MANAGER__WINDOW`" in text


def test_the_table_of_adapters_is_what_they_declare() -> None:
    text: str = GENERATED.adapters()
    header, *rows = text.splitlines()
    assert "sqlite" in header
    assert {name for name in Capabilities.__struct_fields__ if not any(f"`{name}`" in row for row in rows)} == set()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(#[^)]*)?\)", page.read_text()):
        assert "://" not in target, "a page must not depend on a host"
        assert (page.parent / target).exists(), target
        if anchor.startswith("#L"):
            assert int(anchor[2:]) <= len((page.parent / target).read_text().splitlines())


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    assert {name for name in (page.name for page in PAGES) if f": {name}\n" not in text} == set()


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    """Also that each page and heading that a page links to is there."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "site/reference/index.html").read_text()
    assert "for_tenant" in reference
    assert "from_openai" in reference
