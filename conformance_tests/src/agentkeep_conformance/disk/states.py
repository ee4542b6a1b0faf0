"""Files as a crash could leave them, built from recorded steps.

There are two crashes. After *a killed process* the system writes all that the process has handed to it. After *a power
cut* a file holds what its last sync made safe. Names survive both: what was created, renamed or removed stays so.
This is the usual order of file systems, and it shows the usual mistake: a rename before the content is safe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

from agentkeep_conformance.disk.records import Step

Crash = Literal["a killed process", "a power cut"]


@dataclass
class _File:
    content: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


class Disk:
    """The files of a folder, after a number of steps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}

    def do(self, step: Step) -> None:
        if step.kind == "rename":
            self._files[step.other] = self._files.pop(step.path, _File())
        elif step.kind == "remove":
            self._files.pop(step.path, None)
        elif step.path != str(self._folder):
            _change(self._files.setdefault(step.path, _File()), step)

    def left_by(self, crash: Crash) -> dict[str, bytes]:
        """The files as this crash leaves them now: each path below the folder, with its content."""
        return {
            str(Path(path).relative_to(self._folder)): bytes(file.content)
            if crash == "a killed process"
            else file.synced
            for path, file in self._files.items()
        }

    def leave(self, crash: Crash, folder: Path) -> None:
        """Write them into another folder."""
        for path, content in self.left_by(crash).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def digest(self, crash: Crash) -> str:
        """The same for the same files."""
        return sha256(repr(self.left_by(crash)).encode()).hexdigest()


def _change(file: _File, step: Step) -> None:
    match step.kind:
        case "truncate":
            del file.content[step.offset :]
            file.content.extend(bytes(step.offset - len(file.content)))
        case "write":
            file.content.extend(bytes(max(0, step.offset - len(file.content))))
            file.content[step.offset : step.offset + len(step.data)] = step.data
        case "sync":
            file.synced = bytes(file.content)
        case _:
            pass
