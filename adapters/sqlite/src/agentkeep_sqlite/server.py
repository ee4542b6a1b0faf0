"""What SQLite says of itself and of the open database: versions, settings, and the durability that they give."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from agentkeep.capabilities import Durability
from agentkeep.errors import ConfigurationError

from agentkeep_sqlite.client import Connection, Work
from agentkeep_sqlite.statements import Statements

OLDEST = (3, 35, 0)
"""The first SQLite with RETURNING."""

_FULL = 2
"""`PRAGMA synchronous`: with 2 or more, each commit is on disk when it returns."""
_MOUNTS = Path("/proc/mounts")
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs"})
_NETWORK_FUSE = ("fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.rclone", "fuse.gcsfuse", "fuse.cephfs", "fuse.smb")


def check_library() -> None:
    """Raises `ConfigurationError` if Python's SQLite is too old."""
    if sqlite3.sqlite_version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ConfigurationError(f"this Python has SQLite {sqlite3.sqlite_version}: at least {oldest} is needed")


class Settings(NamedTuple):
    """The settings of one connection."""

    synchronous: int
    journal_mode: str
    file: str

    @property
    def is_memory(self) -> bool:
        return not self.file

    @property
    def durability(self) -> Durability:
        if self.is_memory:
            return "process"
        return "fsync" if self.synchronous >= _FULL else "os"

    @property
    def warnings(self) -> list[str]:
        if self.is_memory:
            return ["everything is lost when this process ends"]
        warnings: list[str] = []
        if self.synchronous < _FULL:
            warnings.append("a power cut may lose the last commits: synchronous is not FULL")
        if self.journal_mode != "wal":
            warnings.append(f"readers and writers wait for each other: journal_mode is {self.journal_mode}, not wal")
        network = network_file_system(Path(self.file))
        if network is not None:
            warnings.append(f"the file is on a network file system ({network}), where SQLite can lose or damage data")
        return warnings


def read_settings(sql: Statements) -> Work[Settings]:
    def work(db: Connection) -> Settings:
        synchronous, journal_mode, file = db.all(sql["settings"])[0]
        return Settings(synchronous, journal_mode, file or "")

    return work


def read_versions(sql: Statements) -> Work[tuple[str, int | None]]:
    """SQLite's version and the schema's."""

    def work(db: Connection) -> tuple[str, int | None]:
        server, version = db.all(sql["versions"])[0]
        return server, version

    return work


def network_file_system(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of network file system that holds `path`. None for a local one, or if the system does not tell.

    SQLite can't trust its locks and its shared memory on a network file system.
    """
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    resolved = path.absolute().resolve()
    kind, depth = "", -1
    for fields in (line.split(" ") for line in lines):
        point = Path(fields[1].encode().decode("unicode_escape"))
        if len(point.parts) >= depth and resolved.is_relative_to(point):
            kind, depth = fields[2], len(point.parts)
    return kind if kind in _NETWORK or kind.startswith(_NETWORK_FUSE) else None
