"""The survivors that change nothing that is promised, each with its reason. The list may hold nothing else."""

from __future__ import annotations

from pathlib import Path


class Unreadable(Exception):
    """The list is not written as it must be."""


def read(file: Path) -> dict[str, str]:
    """A mutant's name to the reason. A line that begins with # is the reason of all names below it, up to the next.

    Raises `Unreadable`.
    """
    found: dict[str, str] = {}
    reason = ""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    for line in lines:
        if line.startswith("#"):
            reason = line.removeprefix("#").strip()
        elif line.strip() and not reason:
            raise Unreadable(f"{file}: {line!r} has no reason: write one above it, after #")
        elif line.strip():
            found[line.strip()] = reason
    return found
