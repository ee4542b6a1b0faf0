"""`import` and `export`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentkeep.cli.failures import REFUSED
from agentkeep.cli.output import Output, counted, say
from agentkeep.cli.settings import Settings
from agentkeep.keep import Keep
from agentkeep.transfer import ChatFile, ExportFile, Outcome, export_chats, export_lines, open_file
from agentkeep.transfer import import_files as import_into


class Totals:
    """What an import did so far."""

    def __init__(self) -> None:
        self.sessions: Counter[str] = Counter()
        """Number of sessions by `Outcome.result`."""
        self.messages: int = 0

    def add(self, outcome: Outcome) -> None:
        self.sessions[outcome.result] += 1
        self.messages += outcome.added

    def sentence(self) -> str:
        kinds = ("created", "grown", "updated", "unchanged", "expired", "refused")
        found = [f"{self.sessions[kind]:,} {kind}" for kind in kinds if self.sessions[kind]]
        sessions = counted(self.sessions.total(), "session")
        return f"{sessions} ({', '.join(found) or 'none'}), {counted(self.messages, 'new message')}"


def import_files(settings: Callable[[], Settings], out: Output, paths: Sequence[Path]) -> Coroutine[Any, Any, int]:
    """Check all files, then import them. If one is wrong, nothing is written, and no database is made.

    They are checked before there is an event loop, so that Ctrl-C ends the check at once.
    """
    wanted = settings()
    keep = wanted.connect()
    files = [open_file(sys.stdin.buffer if str(path) == "-" else path) for path in paths]
    for file in files:
        file.check(keep.capabilities)
    wanted.make_room()
    return _import(keep, out, files)


async def _import(keep: Keep, out: Output, files: Sequence[ExportFile | ChatFile]) -> int:
    totals = Totals()
    async with keep:
        with _progress(sum(map(len, files)), out) as advance:

            def report(outcome: Outcome) -> None:
                totals.add(outcome)
                advance()
                if out.as_json:
                    out.record(outcome)
                    out.flush()
                elif outcome.error is not None:
                    say(outcome.error)

            await import_into(keep, files, report)
    if not out.as_json:
        out.line(totals.sentence())
    return REFUSED if totals.sessions["refused"] else 0


@contextmanager
def _progress(total: int, out: Output) -> Generator[Callable[[], None]]:
    """A bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty() or out.as_json:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("Importing"), BarColumn(), MofNCompleteColumn(), TextColumn("sessions"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)


async def export(keep: Keep, out: Output, _: Settings, *, ids: Sequence[str], chat: bool) -> int:
    """Write sessions to standard output."""
    async for line in (export_chats if chat else export_lines)(keep, ids):
        out.raw(line.removesuffix(b"\n"))
    return 0
