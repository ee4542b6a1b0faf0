"""`import` and `export`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentkeep.cli.chatfiles import ChatFile, open_file
from agentkeep.cli.exportfile import ExportFile
from agentkeep.cli.exporting import export_chat, export_whole
from agentkeep.cli.failures import REFUSED
from agentkeep.cli.importing import Outcome
from agentkeep.cli.loading import Totals, bring_in_all
from agentkeep.cli.output import Output, say
from agentkeep.cli.settings import Settings
from agentkeep.keep import Keep


def import_files(settings: Callable[[], Settings], out: Output, paths: Sequence[Path]) -> Coroutine[Any, Any, int]:
    """Check all files, then import them. If one is wrong, nothing is written, and no database is made.

    They are checked before there is an event loop, so that Ctrl-C ends the check at once.
    """
    wanted = settings()
    keep = wanted.connect()
    files = [open_file(path) for path in paths]
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

            await bring_in_all(keep, files, report)
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


async def export(keep: Keep, out: Output, settings: Settings, *, ids: Sequence[str], chat: bool) -> int:
    """Write sessions to standard output."""
    if chat:
        await export_chat(keep, ids, out.raw)
    else:
        await export_whole(keep, ids, settings.tenant, out.raw)
    return 0
