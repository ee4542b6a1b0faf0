"""Files of conversations in OpenAI's chat format: one JSON document, or JSON lines with a conversation each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from agentkeep.capabilities import Capabilities
from agentkeep.errors import InvalidInput
from agentkeep.transfer._conversations import Conversation, conversation, is_conversation
from agentkeep.transfer._exportfile import ExportFile, is_header
from agentkeep.transfer._files import InputFile, is_json
from agentkeep.transfer._transcripts import Transcript, check

Located = tuple[str, Any]
"""Where a conversation is in its file, and its JSON."""


class ChatFile:
    """A file of conversations to be imported: read once to check all of it, then one by one."""

    def __init__(self, file: InputFile, values: Callable[[], Iterator[Located]]) -> None:
        self._file = file
        self._values = values
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def check(self, capabilities: Capabilities) -> None:
        """Read the whole file. Raises `InvalidInput` with the location of the first entry that can't be imported."""
        seen: dict[str, str] = {}
        for where, found in self._conversations():
            try:
                check(found.id, found.fields, found.messages, capabilities)
            except InvalidInput as error:
                raise InvalidInput(f"{self._file.name}: {where}: {error}") from error
            if found.id in seen:
                raise InvalidInput(f"{self._file.name}: {where} has the id {found.id!r}, and so has {seen[found.id]}")
            seen[found.id] = where
        self._count = len(seen)

    def transcripts(self) -> Iterator[Transcript]:
        for where, found in self._conversations():
            yield Transcript(
                id=found.id,
                where=f"{self._file.name}, {where}",
                fields=found.fields,
                entries=lambda messages=found.messages: iter(messages),
            )

    def _conversations(self) -> Iterator[tuple[str, Conversation]]:
        for number, (where, value) in enumerate(self._values(), start=1):
            try:
                yield where, conversation(value, self._file.stem, number)
            except InvalidInput as error:
                raise InvalidInput(f"{self._file.name}: {where}: {error}") from error


def open_file(source: Path | BinaryIO) -> ExportFile | ChatFile:
    """The file, or what a stream such as standard input holds, in the format that its first line shows.

    Raises `InvalidInput`.
    """
    file = InputFile(source)
    texts = (text for _, text in file.lines() if text.strip())
    first, has_more = next(texts, b""), next(texts, None) is not None
    if is_json(first) and is_header(file.parse(first)):
        return ExportFile(file)
    if file.has_lines or (has_more and is_json(first)):
        return ChatFile(file, lambda: _of_lines(file))
    document = file.parse(file.whole())
    return ChatFile(file, lambda: _of_document(file, document))


def _of_lines(file: InputFile) -> Iterator[Located]:
    for number, (_, text) in enumerate(file.lines(), start=1):
        if text.strip():
            yield f"line {number}", file.parse(text, first_line=number)


def _of_document(file: InputFile, document: Any) -> Iterator[Located]:
    if not isinstance(document, list | dict):
        raise InvalidInput(f"{file.name}: not a conversation: give a list of messages, or of conversations")
    if is_conversation(document):
        yield "conversation 1", cast("Any", document)
        return
    for number, value in enumerate(cast("list[Any]", document), start=1):
        yield f"conversation {number}", value
