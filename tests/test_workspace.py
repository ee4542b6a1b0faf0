"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 300
LONGER = {"core/src/agentkeep/protocol.py": 430, "core/src/agentkeep/records.py": 320}
"""The contract is read in one piece, and so is what passes between core and an adapter."""
MEMBERS = [
    ROOT / "core",
    ROOT / "conformance_tests",
    *(page.parent for page in ROOT.glob("adapters/[a-z]*/pyproject.toml")),
]
SOURCES = [path for member in MEMBERS for path in member.rglob("*.py") if ".venv" not in path.parts]
ADAPTERS = [member for member in MEMBERS if member.parent.name == "adapters"]
ROOMS = {
    "adapter",
    "urls",
    "client",
    "errors",
    "schema",
    "server",
    "statements",
    "rows",
    "documents",
    "sessions",
    "messages",
    "listing",
    "search",
    "watch",
    "notify",
    "sweep",
}
"""The same file for the same job in each adapter, and no file without a job. See ARCHITECTURE.md."""
FOLDERS = {"sql", "lua", "mappings", "migrations"}
REQUIRED_ROOMS = {"adapter", "sessions", "messages"}
MOST_ENROLMENT_LINES = 70
FOR_ADAPTERS = {"capabilities", "errors", "models", "protocol", "records"}
"""Modules of core that an adapter may import, beside all of `agentkeep.spi`."""
PUBLIC = {
    *FOR_ADAPTERS,
    "bridging",
    "cli",
    "config",
    "conversations",
    "formats",
    "keep",
    "messages",
    "retention",
    "sessions",
    "spi",
    "sync",
    "testing",
    "transfer",
    "wrappers",
}
"""Modules of core that are public on purpose. All others begin with an underscore."""


NEEDS_A_KEY = frozenset(
    (
        "bell",
        "ears",
        "ring",
        "parts",
        "opened",
        "made",
        "begun",
        "shared",
        "gate",
        "apart",
        "living",
        "whose",
        "mark",
        "owe",
        "late",
        "stretch",
        "look",
        "placed",
        "given",
        "unmanaged",
        "impatient",
        "twice",
    )
)
"""Names that say nothing to who reads them first: no class and no type has one."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_fits_an_afternoon(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGER.get(name_of(path), MOST_LINES)


def imports_of(path: Path) -> set[str]:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module)
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    return imported


@pytest.mark.parametrize("adapter", [*ADAPTERS, ROOT / "adapters/_template"], ids=name_of)
def test_an_adapter_imports_only_what_a_stranger_may(adapter: Path) -> None:
    allowed = {"agentkeep", "agentkeep.spi", *(f"agentkeep.{name}" for name in FOR_ADAPTERS)}
    imported = {name for path in adapter.glob("src/**/*.py") for name in imports_of(path)}
    ours = {name for name in imported if name.partition(".")[0] == "agentkeep"}
    assert {name for name in ours if name not in allowed and not name.startswith("agentkeep.spi.")} == set()


@pytest.mark.parametrize("adapter", [*ADAPTERS, ROOT / "adapters/_template"], ids=name_of)
def test_an_adapter_has_the_rooms_of_the_house(adapter: Path) -> None:
    """A file beyond them has its line in the adapter's README: "`engine.py`: why there is such a file"."""
    (package,) = adapter.glob("src/agentkeep_*")
    readme = (adapter / "README.md").read_text()
    files = {path.stem for path in package.glob("*.py")} - {"__init__"}
    folders = {path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert files >= REQUIRED_ROOMS
    assert folders <= FOLDERS
    assert {name for name in files - ROOMS if f"`{name}.py`" not in readme} == set()
    assert (package / "py.typed").exists()


def test_classes_and_types_have_names_that_need_no_key() -> None:
    found = {(name_of(path), name) for path in SOURCES for name in class_and_type_names(path)}
    assert {(path, name) for path, name in found if name.strip("_").lower() in NEEDS_A_KEY} == set()


def class_and_type_names(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    types = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return classes | {name for name in types if name[:1].isupper() and not name.isupper()}


@pytest.mark.parametrize("adapter", ADAPTERS, ids=name_of)
def test_an_enrolment_is_read_at_a_glance(adapter: Path) -> None:
    enrolment = adapter / "tests/test_conformance.py"
    assert len(enrolment.read_text().splitlines()) <= MOST_ENROLMENT_LINES


def test_modules_of_core_are_public_on_purpose() -> None:
    """`agentkeep.spi` is public as a whole."""
    package = ROOT / "core/src/agentkeep"
    modules = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert {name for name in modules if not name.startswith("_")} <= PUBLIC
    assert [path.name for path in (package / "spi").glob("_*.py") if path.name != "__init__.py"] == []


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


def test_ci_runs_each_backend_that_a_change_may_break() -> None:
    def touched(*arguments: str) -> set[str]:
        ran = subprocess.run([ROOT / ".ci/touched", *arguments], capture_output=True, text=True, check=True)
        return {job["backend"] for job in json.loads(ran.stdout)}

    in_the_fast_lane = {"memory", "sqlite"}
    assert touched() == {adapter.name for adapter in ADAPTERS} - in_the_fast_lane
    assert touched("no-such-commit") == touched()
    assert touched("HEAD") == set()
