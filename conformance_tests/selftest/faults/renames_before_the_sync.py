"""A file takes the place of the old one before its content is on the disk: a power cut leaves an empty file.

It declares durability="fsync" all the same, and a killed process loses nothing of it.
"""

from pathlib import Path

from over_file import OneFile, OverFile, write

FAMILY = "power_cuts"
CLAUSE = "FLT-1"


class Unsynced(OneFile):
    def save(self, path: Path, content: bytes) -> None:
        new = path.with_suffix(".new")
        write(new, content, sync=False)
        new.replace(path)


class TestFault(OverFile):
    lock = Unsynced
