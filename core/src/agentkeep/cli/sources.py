"""Files to import: which format they have, what they hold, and a sentence for each way they can be wrong."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from agentkeep.cli.failures import CommandError
from agentkeep.errors import InvalidInput

LINE_FORMATS = (".jsonl", ".ndjson")
_BOM = b"\xef\xbb\xbf"
_decode = msgspec.json.Decoder().decode


class InputFile:
    """A file that can be read more than once; what can't (a pipe) is copied to a temporary file first.

    Raises `CommandError` where there is nothing to read.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.stem = path.stem
        self.has_lines = path.suffix.lower() in LINE_FORMATS
        try:
            with path.open("rb") as file:
                self._stream = file if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else _copied(file)
                self._path = path if self._stream is file else None
        except OSError as error:
            raise CommandError(f"{path}: {_why(error)}") from error

    def lines(self, *, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Where each line begins (in bytes) and the line, from the one that begins at `start`."""
        with self._opened() as file:
            file.seek(start)
            offset = start
            for line in file:
                yield offset, line.removeprefix(_BOM) if offset == 0 else line
                offset += len(line)

    def whole(self) -> bytes:
        with self._opened() as file:
            return file.read().removeprefix(_BOM)

    def _opened(self) -> BinaryIO:
        if self._path is not None:
            return self._path.open("rb")
        return os.fdopen(os.dup(self._stream.fileno()), "rb")

    def parse(self, text: bytes, *, first_line: int = 1) -> Any:
        """The JSON value that `text` is; its first line is the file's `first_line`.

        Raises `CommandError` with line and column.
        """
        try:
            return _decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            line, column, why = _place(text, error)
            raise CommandError(
                f"{self.name}: line {first_line + line - 1}, column {column}: not valid JSON: {why}"
            ) from error


def is_json(text: bytes) -> bool:
    try:
        _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _copied(file: BinaryIO) -> BinaryIO:
    copy = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - it lives as long as the input
    shutil.copyfileobj(file, copy)
    copy.flush()
    return copy


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a directory: name the files in it"
    return f"it can't be read: {error.strerror or error}"


def _place(text: bytes, error: Exception) -> tuple[int, int, str]:
    """Line, column (both from 1) and reason. The standard library's parser names the place, ours only the offset."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as wrong:
        line, column = _position(text[: wrong.start].decode())
        return line, column, "this is not UTF-8"
    try:
        json.loads(decoded, parse_constant=_no_constant)
    except json.JSONDecodeError as wrong:
        return wrong.lineno, wrong.colno, wrong.msg
    except RecursionError:
        return 1, 1, "it is nested too deeply"
    except InvalidInput as wrong:
        line, column = _position(decoded[: max(decoded.find(str(wrong)), 0)])
        return line, column, f"{wrong} is no JSON number"
    # Well formed, and yet refused: a number that no float can hold, half of a surrogate pair.
    return 1, 1, f"it holds a value that JSON can't keep ({error})"


def _position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _no_constant(name: str) -> Any:
    raise InvalidInput(name)
