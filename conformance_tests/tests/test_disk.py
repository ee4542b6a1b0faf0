"""The recorder of what a process does to its files, and the states that a crash could leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from agentkeep_conformance.disk.records import Step, recording, steps_of
from agentkeep_conformance.disk.states import Disk
from agentkeep_conformance.servers import NotRun

PROGRAM = """
import os, sys
os.chdir(sys.argv[1])
file = os.open("a", os.O_RDWR | os.O_CREAT)
os.write(file, b"0123456789")
os.pwrite(file, b"xy", 4)
os.fsync(file)
os.ftruncate(file, 6)
os.close(file)
with open("a", "ab", buffering=0) as more:
    more.write(b"end")
os.rename("a", "b")
open("c", "wb").close()
os.unlink("c")
open(sys.argv[2], "wb").write(b"elsewhere")
"""


def recorded(folder: Path, program: str, *arguments: str) -> list[Step]:
    below = folder / "below"
    below.mkdir()
    try:
        with recording(below, folder / "records"):
            subprocess.run([sys.executable, "-B", "-c", program, str(below), *arguments], check=True)
    except NotRun as reason:
        pytest.skip(f"NOT RUN: {reason}")
    assert "LD_PRELOAD" not in os.environ
    return steps_of(folder / "records")


def test_each_step_is_recorded_in_order_and_nothing_elsewhere(tmp_path: Path) -> None:
    steps = recorded(tmp_path, PROGRAM, str(tmp_path / "elsewhere"))
    assert [(step.kind, Path(step.path).name, step.offset, step.data) for step in steps] == [
        ("create", "a", 0, b""),
        ("write", "a", 0, b"0123456789"),
        ("write", "a", 4, b"xy"),
        ("sync", "a", 0, b""),
        ("truncate", "a", 6, b""),
        ("create", "a", 0, b""),
        ("write", "a", 6, b"end"),
        ("rename", "a", 0, b""),
        ("truncate", "c", 0, b""),
        ("remove", "c", 0, b""),
    ]


def test_a_killed_process_leaves_all_and_a_power_cut_what_was_synced(tmp_path: Path) -> None:
    steps = recorded(tmp_path, PROGRAM, str(tmp_path / "elsewhere"))
    disk = Disk(tmp_path / "below")
    killed: list[dict[str, bytes]] = []
    cut: list[dict[str, bytes]] = []
    for step in steps:
        disk.do(step)
        killed.append(disk.left_by("a killed process"))
        cut.append(disk.left_by("a power cut"))
    assert killed[2] == {"a": b"0123xy6789"}
    assert killed[-1] == {"b": b"0123xyend"}
    assert killed[-1]["b"] == (tmp_path / "below/b").read_bytes()
    assert cut[2] == {"a": b""}
    assert cut[4] == {"a": b"0123xy6789"}
    assert cut[-1] == {"b": b"0123xy6789"}


def test_what_sqlite_does_in_c_is_recorded_too(tmp_path: Path) -> None:
    program = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1] + "/data.db")
db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE t (a)")
db.close()
"""
    steps = recorded(tmp_path, program)
    disk = Disk(tmp_path / "below")
    for step in steps:
        disk.do(step)
    assert disk.left_by("a power cut") == {"data.db": (tmp_path / "below/data.db").read_bytes()}
    disk.leave("a power cut", tmp_path / "left")
    assert (tmp_path / "left/data.db").read_bytes() == (tmp_path / "below/data.db").read_bytes()


def test_a_write_past_the_end_leaves_zeros_between(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    for step in (Step("write", f"{tmp_path}/a", "", 3, b"x"), Step("truncate", f"{tmp_path}/a", "", 6, b"")):
        disk.do(step)
    assert disk.left_by("a killed process") == {"a": b"\0\0\0x\0\0"}
