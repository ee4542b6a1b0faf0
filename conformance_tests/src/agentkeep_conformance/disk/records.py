"""Records what a child process does to its files: builds the recorder, and reads what it wrote."""

from __future__ import annotations

import atexit
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal, NamedTuple, cast
from unittest.mock import patch

from agentkeep_conformance.servers import NotRun

Kind = Literal["create", "truncate", "write", "sync", "rename", "remove"]
_KINDS: dict[bytes, Kind] = {
    b"c": "create",
    b"t": "truncate",
    b"w": "write",
    b"s": "sync",
    b"r": "rename",
    b"u": "remove",
}
_HEAD = struct.Struct("<cHHQQ")


class Step(NamedTuple):
    """One thing that a process did to a file."""

    kind: Kind
    path: str
    other: str
    """Of a rename: the new path."""
    offset: int
    """Of a write: where. Of a truncation: the new length."""
    data: bytes


@contextmanager
def recording(below: Path, records: Path) -> Generator[None]:
    """The processes that are started in this block record what they do to files below a folder. Raises `NotRun`."""
    variables = {
        "LD_PRELOAD": str(_recorder()),
        "AGENTKEEP_RECORDS": str(records),
        "AGENTKEEP_RECORD_BELOW": os.path.realpath(below),
    }
    with patch.dict(os.environ, variables):
        yield


def steps_of(records: Path) -> list[Step]:
    """What was recorded, in the order in which it took effect."""
    found: list[Step] = []
    stream = records.read_bytes() if records.exists() else b""
    at = 0
    while at < len(stream):
        kind, path, other, offset, length = cast("tuple[bytes, int, int, int, int]", _HEAD.unpack_from(stream, at))
        at += _HEAD.size
        names = (stream[at : at + path].decode(), stream[at + path : at + path + other].decode())
        at += path + other
        data = stream[at : at + length] if kind == b"w" else b""
        at += len(data)
        found.append(Step(_KINDS[kind], *names, offset, data))
    return found


@cache
def _recorder() -> Path:
    """The recorder, compiled once a run. Raises `NotRun`."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        raise NotRun("the recorder of file calls needs Linux and a C compiler: cc or gcc")
    folder = mkdtemp(prefix="agentkeep-recorder-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = Path(folder, "recorder.so")
    source = Path(__file__).with_name("recorder.c")
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, source], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotRun(f"the recorder of file calls can't be compiled: {done.stderr.strip()[-500:]}")
    return library
