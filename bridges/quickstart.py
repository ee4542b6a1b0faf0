"""A bridge's README program, as a test runs it: with a scripted model, in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def program(bridge: Path) -> dict[str, Any]:
    """The names that the first Python block of the README defines."""
    block = re.search(r"^```python\n(.*?)^```", (bridge / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    assert block
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(block[1], str(bridge / "README.md"), "exec"), names)  # noqa: S102 - our own page
    return names
