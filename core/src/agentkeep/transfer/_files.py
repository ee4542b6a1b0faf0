"""Files to import: their format, their content, and a sentence for each way in which they can be wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import IO, Any, BinaryIO

import msgspec

from agentkeep.errors import InvalidInput

LINE_FORMATS = (".jsonl", ".ndjson")
_BOM = b"\xef\xbb\xbf"
_LONE_SURROGATE = re.compile(
    r"(?<!\\)(?:\\\\)*(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]..)"
)
_decode = msgspec.json.Decoder().decode


class InputFile:
    """A file that can be read more than once. A pipe can't, so it is copied to a temporary file first.

    Raises `InvalidInput` if it can't be read.
    """

    def __init__(self, source: Path | BinaryIO) -> None:
        path = source if isinstance(source, Path) else Path("standard input")
        self.name: str = str(path)
        self.stem: str | None = path.stem
        """For making ids. None for a pipe, which has another name each time."""
        self.has_lines: bool = path.suffix.lower() in LINE_FORMATS
        self._path = path
        try:
            if not isinstance(source, Path):
                self._keep_copy(source)
                return
            with path.open("rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    self._keep_copy(file)
        except OSError as error:
            raise InvalidInput(f"{path}: {_why(error)}") from error

    def _keep_copy(self, stream: BinaryIO) -> None:
        self._copy = _copied(stream)
        self._path = Path(self._copy.name)
        self.stem = None

    def lines(self, *, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Each line with its offset in bytes, from the line at offset `start`. Raises `InvalidInput`."""
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                offset = start
                for line in file:
                    yield offset, line.removeprefix(_BOM) if offset == 0 else line
                    offset += len(line)
        except OSError as error:
            raise InvalidInput(f"{self.name}: {_why(error)}") from error

    def whole(self) -> bytes:
        """Raises `InvalidInput`."""
        return b"".join(line for _, line in self.lines())

    def parse(self, text: bytes, *, first_line: int = 1) -> Any:
        """The JSON value of `text`, which begins at line `first_line` of the file. Raises `InvalidInput`."""
        return parse(text, self.name, first_line=first_line)


def parse(text: bytes, name: str, *, first_line: int = 1) -> Any:
    """The JSON value of `text`. Raises `InvalidInput` with line and column."""
    try:
        return _decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        line, column, why = _location(text, error)
        location = f"line {first_line + line - 1}, column {column}"
        raise InvalidInput(f"{name}: {location}: not valid JSON: {why}") from error


def is_json(text: bytes) -> bool:
    try:
        _decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def _copied(file: BinaryIO) -> IO[bytes]:
    copy = tempfile.NamedTemporaryFile(prefix="agentkeep-")  # noqa: SIM115 - it lives as long as the input
    shutil.copyfileobj(file, copy)
    copy.flush()
    return copy


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a directory: name the files in it"
    return f"it can't be read: {error.strerror or error}"


def _location(text: bytes, error: Exception) -> tuple[int, int, str]:
    """Line, column (both from 1) and reason. The standard library's parser has both, msgspec only an offset."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as wrong:
        line, column = _position(text[: wrong.start].decode())
        return line, column, "this is not UTF-8"
    try:
        json.loads(decoded, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as wrong:
        return wrong.lineno, wrong.colno, wrong.msg
    except RecursionError:
        return 1, 1, "it is nested too deeply"
    except _NoNumber as wrong:
        line, column = _position(decoded[: _outside_strings(decoded, str(wrong))])
        return line, column, f"{wrong} is not a number that JSON can hold"
    lone = _LONE_SURROGATE.search(decoded)
    if lone is not None:
        return *_position(decoded[: lone.start()]), "half of a surrogate pair, which no encoding can keep"
    return 1, 1, str(error)


def _position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _outside_strings(document: str, text: str) -> int:
    """The first offset of `text` in a JSON document, outside of strings."""
    found = re.finditer(rf'"(?:\\.|[^"\\])*"|{re.escape(text)}', document)
    return next((match.start() for match in found if not match[0].startswith('"')), 0)


class _NoNumber(Exception):
    """Has the text that the parser found instead of a number."""


def _refuse(text: str) -> Any:
    raise _NoNumber(text)


def _finite(text: str) -> float:
    return float(text) if isfinite(float(text)) else _refuse(text)
