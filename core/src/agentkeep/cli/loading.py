"""The import of whole files: several transcripts at once, so that the database can commit their appends together."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from agentkeep.cli.chatfiles import ChatFile
from agentkeep.cli.exportfile import ExportFile
from agentkeep.cli.importing import Differs, Outcome, bring_in
from agentkeep.cli.output import counted
from agentkeep.cli.transcripts import Transcript
from agentkeep.errors import Closed, OutcomeUnknown, PersistenceError, SchemaMissing, SchemaTooNew, Unavailable
from agentkeep.keep import Keep

AT_ONCE = 16
_OF_ALL = (Unavailable, OutcomeUnknown, SchemaMissing, SchemaTooNew, Closed)
"""Errors that would refuse every other transcript too."""


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


async def bring_in_all(keep: Keep, files: Sequence[ExportFile | ChatFile], report: Callable[[Outcome], None]) -> None:
    """Import all transcripts of checked files, file by file; `report` is called with each one when it is stored.

    A refused transcript is reported, and the import continues. Raises the first error of `_OF_ALL`.
    """
    for file in files:
        slots = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for transcript in file.transcripts():
                    await slots.acquire()
                    group.create_task(_one(keep, transcript, report, slots))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None


async def _one(keep: Keep, transcript: Transcript, report: Callable[[Outcome], None], slots: asyncio.Semaphore) -> None:
    try:
        outcome = await bring_in(keep, transcript)
    except Differs as error:
        outcome = _refused(transcript, f"it is stored already and {error}")
    except _OF_ALL:
        raise
    except PersistenceError as error:
        outcome = _refused(transcript, str(error))
    report(outcome)
    slots.release()


def _refused(transcript: Transcript, why: str) -> Outcome:
    return Outcome(
        session=transcript.id, result="refused", error=f"session {transcript.id!r} ({transcript.where}): {why}"
    )
