"""The suite's modules import each other in one direction."""

from __future__ import annotations

import ast
from pathlib import Path

import agentkeep_conformance
import pytest

PACKAGE = Path(agentkeep_conformance.__file__).parent


def imports_below(folder: Path) -> dict[str, set[str]]:
    """Each module of a package, by its dotted name, to the modules that it imports, anywhere in its text."""
    names = {_name(file, folder): file for file in folder.rglob("*.py")}
    return {name: _imported(file, names.keys() - {folder.name}) for name, file in names.items()}


def _name(file: Path, folder: Path) -> str:
    parts = file.relative_to(folder.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(file: Path, modules: set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            found |= submodules or {node.module or ""}
    return found & modules


def circle_in(imports: dict[str, set[str]]) -> list[str]:
    """Modules of which each imports the next, and the last the first; empty if there are none."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for imported in sorted(imports[module]):
            if circle := visit(imported, [*path, module]):
                return circle
        done.add(module)
        return []

    for module in sorted(imports):
        if circle := visit(module, []):
            return circle
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    imports = imports_below(PACKAGE)
    assert "agentkeep_conformance.database" in imports["agentkeep_conformance.families.ttl"]
    assert circle_in(imports) == []


def test_no_family_knows_an_adapter_or_the_whole_suite() -> None:
    families = {name: found for name, found in imports_below(PACKAGE).items() if ".families." in name}
    assert len(families) >= 25
    assert [name for name, found in families.items() if "agentkeep_conformance.suite" in found] == []
    texts = [file.read_text(encoding="utf-8") for file in (PACKAGE / "families").glob("*.py")]
    adapters = [path.name for path in (PACKAGE.parents[2] / "adapters").iterdir() if path.is_dir()]
    assert [name for name in adapters if any(f"agentkeep_{name}" in text for text in texts)] == []


@pytest.mark.parametrize("where", ["at the top", "in a function", "for types alone"])
def test_a_circle_is_found(tmp_path: Path, where: str) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "one.py").write_text("from package import two")
    back = {
        "at the top": "from package.one import x",
        "in a function": "def f():\n    import package.one",
        "for types alone": "if TYPE_CHECKING:\n    from package.one import x",
    }
    (package / "two.py").write_text(back[where])
    assert circle_in(imports_below(package)) == ["package.one", "package.two", "package.one"]
