"""What measurements and verdicts depend on: after a change of the suite only tests that changed are asked again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from inspect import getfile
from pathlib import Path

import pytest

_MUTATE = Path(__file__).parent
_SUITE = _MUTATE.parent
_FAMILIES = _SUITE / "families"
_OF_NO_TEST = [_FAMILIES, _MUTATE, _SUITE / "suite.py"]
"""Families count for their own tests alone, and the suite only names them."""
_IMPORTED = re.compile(r"agentkeep_conformance\.families(?: import|\.)\s*(\w+)")


def state_of(folder: Path, tests: list[str]) -> str:
    """Changes with the package, with what all tests share, and with which tests are asked.

    Other packages are not looked at.
    """
    roots = [folder, _SUITE, *(Path(test.partition("::")[0]) for test in tests)]
    files = [file for root in roots for file in _files(root) if not any(_is_below(file, each) for each in _OF_NO_TEST)]
    return _hash(json.dumps(tests), files)


def state_of_families() -> str:
    """Changes with each test of the suite."""
    return _hash("", _files(_FAMILIES))


def source_of(item: pytest.Item) -> str:
    """Changes with the file of a test, and with the families that it imports."""
    return source_of_file(Path(getfile(getattr(item, "function", type(item)))))


@cache
def source_of_file(file: Path) -> str:
    found, left = {file}, [file]
    while left:
        for name in _IMPORTED.findall(left.pop().read_text(encoding="utf-8")):
            imported = _FAMILIES / f"{name}.py"
            if imported not in found and imported.is_file():
                found.add(imported)
                left.append(imported)
    return _hash("", sorted(found))


def _is_below(file: Path, path: Path) -> bool:
    return file == path or path in file.parents


def _files(root: Path) -> Iterator[Path]:
    for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if file.is_file() and file.suffix != ".pyc":
            yield file


def _hash(text: str, files: Iterator[Path] | list[Path]) -> str:
    found = sha256(text.encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()[:16]
