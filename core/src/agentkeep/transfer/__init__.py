"""Import and export of whole sessions, as a library.

    async with agentkeep.connect("sqlite:///chat.db") as keep:
        with open("backup.jsonl", "wb") as file:
            async for line in transfer.export_lines(keep):
                file.write(line)

    file = transfer.open_file(Path("backup.jsonl"))          # our own export, or conversations in OpenAI's chat format
    file.check(keep.capabilities)                            # raises InvalidInput with the line of the first mistake
    await transfer.import_files(keep, [file], print)

An export holds everything of a session but its version, which no second life of an id may have again (SES-2).
"""

from agentkeep.transfer._chatfiles import ChatFile, open_file
from agentkeep.transfer._exportfile import ExportFile
from agentkeep.transfer._exporting import export_chats, export_lines
from agentkeep.transfer._importing import Outcome
from agentkeep.transfer._loading import import_files
from agentkeep.transfer._restoring import restore

__all__ = [
    "ChatFile",
    "ExportFile",
    "Outcome",
    "export_chats",
    "export_lines",
    "import_files",
    "open_file",
    "restore",
]
