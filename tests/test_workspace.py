"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 300
LONGER = {"core/src/agentkeep/protocol.py": 330}
"""The contract is read in one piece."""
MEMBERS = [
    ROOT / "core",
    ROOT / "conformance_tests",
    *(page.parent for page in ROOT.glob("adapters/[a-z]*/pyproject.toml")),
]
SOURCES = [path for member in MEMBERS for path in member.rglob("*.py") if ".venv" not in path.parts]
ADAPTERS = [member for member in MEMBERS if member.parent.name == "adapters"]
CORE_FOR_ADAPTERS = {
    "agentkeep",
    *(f"agentkeep.{name}" for name in ("capabilities", "errors", "models", "protocol", "records")),
}
"""And all of `agentkeep.spi`."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_fits_an_afternoon(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGER.get(name_of(path), MOST_LINES)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=name_of)
def test_an_adapter_imports_only_what_a_stranger_may(adapter: Path) -> None:
    imported: set[str] = set()
    for path in adapter.glob("src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    ours = {name for name in imported if name.partition(".")[0] == "agentkeep" and not name.startswith("agentkeep.spi")}
    assert ours <= CORE_FOR_ADAPTERS


@pytest.mark.parametrize("adapter", ADAPTERS, ids=name_of)
def test_the_same_file_has_the_same_name_in_every_adapter(adapter: Path) -> None:
    (package,) = adapter.glob("src/agentkeep_*")
    assert {"adapter.py", "sessions.py", "messages.py", "py.typed"} <= {path.name for path in package.iterdir()}
    assert (adapter / "README.md").exists()


def test_the_lock_has_every_dependency_with_its_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = {name.lower() for name in re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==", lock, flags=re.MULTILINE)}
    assert "://" not in lock
    assert lock.count("--hash=") >= len(locked)
    for member in MEMBERS:
        project = tomllib.loads((member / "pyproject.toml").read_text())["project"]
        extras: dict[str, list[str]] = project.get("optional-dependencies", {})
        wanted = [*project["dependencies"], *(item for items in extras.values() for item in items)]
        names = {re.split(r"[\s\[<>=!~;]", requirement)[0].lower() for requirement in wanted}
        assert {name for name in names if not name.startswith("agentkeep")} <= locked


def test_extras_of_core_name_the_adapters() -> None:
    extras = tomllib.loads((ROOT / "core/pyproject.toml").read_text())["project"]["optional-dependencies"]
    for adapter in ADAPTERS:
        assert extras[adapter.name] == [f"agentkeep-{adapter.name}"]


@pytest.mark.parametrize("member", MEMBERS, ids=name_of)
def test_every_distribution_carries_the_licence(member: Path) -> None:
    """A copy each: a link would point out of the source archive."""
    assert (member / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
