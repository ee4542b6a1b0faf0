"""A file is emptied and written again, with a sync at the end: who is killed in between leaves half of it.

Of 40 kills at a random moment 9 destroyed the file of such a backend.
"""

from pathlib import Path

from over_file import OneFile, OverFile, write

FAMILY = "power_cuts"
CLAUSE = "FLT-1"


class InPlace(OneFile):
    def save(self, path: Path, content: bytes) -> None:
        write(path, content, sync=True)


class TestFault(OverFile):
    lock = InPlace
