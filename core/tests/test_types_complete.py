"""Each name that users import has a known type: `pyright --verifytypes` finds nothing to complain of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import agentkeep
import pytest


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter for which Agentkeep is installed and not linked, as for a user: pyright follows no links."""
    home = tmp_path_factory.mktemp("user")
    venv.create(home, symlinks=True)
    packages = next(home.glob("**/site-packages"))
    assert agentkeep.__file__
    shutil.copytree(
        Path(agentkeep.__file__).parent, packages / "agentkeep", ignore=shutil.ignore_patterns("__pycache__")
    )
    for installed in Path(sysconfig.get_path("purelib")).iterdir():
        if installed.suffix != ".pth" and "agentkeep" not in installed.name:
            (packages / installed.name).symlink_to(installed)
    return next(home.glob("*/python"))


@pytest.mark.parametrize("package", ["agentkeep"])
def test_every_public_type_is_known(package: str, python: Path, tmp_path: Path) -> None:
    checker = Path(sysconfig.get_path("scripts")) / "basedpyright"
    done = subprocess.run(
        [checker, "--verifytypes", package, "--ignoreexternal", "--outputjson"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"},  # --pythonpath is ignored here
        check=False,
    )
    found = json.loads(done.stdout)["typeCompleteness"]
    unknown = [
        f"{symbol['name']}: {problem['message']}"
        for symbol in found["symbols"]
        if not symbol["isTypeKnown"]
        for problem in symbol["diagnostics"] or [{"message": "its type is not known"}]
    ]
    assert unknown == []
    assert found["completenessScore"] == 1
    assert found["exportedSymbolCounts"]["withKnownType"] > 300, f"all of the package was read by {sys.executable}"
