"""The import of whole files: several transcripts at once, so that the database can commit their appends together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agentkeep.errors import Closed, OutcomeUnknown, PersistenceError, SchemaMissing, SchemaTooNew, Unavailable
from agentkeep.keep import View
from agentkeep.transfer._chatfiles import ChatFile
from agentkeep.transfer._exportfile import ExportFile
from agentkeep.transfer._importing import Differs, Outcome, import_transcript
from agentkeep.transfer._transcripts import Transcript

AT_ONCE = 16
_STOPPING = (Unavailable, OutcomeUnknown, SchemaMissing, SchemaTooNew, Closed)
"""Errors that would refuse every other transcript too."""


async def import_files(keep: View, files: Sequence[ExportFile | ChatFile], report: Callable[[Outcome], None]) -> None:
    """Import all transcripts of checked files, file by file; `report` is called with each one when it is stored.

    A refused transcript is reported, and the import continues. Raises the first error of `_STOPPING`.
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


async def _one(keep: View, transcript: Transcript, report: Callable[[Outcome], None], slots: asyncio.Semaphore) -> None:
    try:
        outcome = await import_transcript(keep, transcript)
    except Differs as error:
        outcome = _refused(transcript, f"it is stored already and {error}")
    except _STOPPING:
        raise
    except PersistenceError as error:
        outcome = _refused(transcript, str(error))
    report(outcome)
    slots.release()


def _refused(transcript: Transcript, why: str) -> Outcome:
    return Outcome(
        session=transcript.id, result="refused", error=f"session {transcript.id!r} ({transcript.where}): {why}"
    )
