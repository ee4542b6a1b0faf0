"""`import agentkeep` brings no driver, no framework and no command line, and works with no extra installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import agentkeep
import msgspec

SCRIPT = """
import sys
sys.path[:0] = {paths!r}
import agentkeep
from agentkeep import sync
foreign = sorted({{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names))
print(",".join(name for name in foreign if not name.startswith("_")))
try:
    agentkeep.connect("sqlite:///x.db")
except agentkeep.AdapterNotInstalled as refused:
    print(refused)
"""


def test_nothing_but_msgspec_is_imported_or_needed(tmp_path: Path) -> None:
    packages = {"agentkeep": agentkeep, "msgspec": msgspec}
    for name, module in packages.items():
        assert module.__file__
        (tmp_path / name).symlink_to(Path(module.__file__).parent)
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", SCRIPT.format(paths=[str(tmp_path)])],
        capture_output=True,
        text=True,
        check=True,
    )
    imported, refused = found.stdout.splitlines()
    assert set(imported.split(",")) <= {"agentkeep", "msgspec", "typing_extensions"}
    assert 'pip install "agentkeep[sqlite]"' in refused
