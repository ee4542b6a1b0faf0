"""What commands print: tables and colours on a terminal, plain text into a pipe, JSON with `--json`.

What comes from the database is data. Control characters, and those that change the direction of writing, are printed as
escapes, so that a message can't move the cursor, make a sound or hide text.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_HIDDEN_IN_JSON = re.compile(
    rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]|\xef\xbb\xbf"
)
"""Those of `_HIDDEN` that JSON does not escape by itself, in UTF-8."""
_BREAKS = re.compile(r"[\t\n]")
_BREAK_NAMES = {"\n": "\\n", "\t": "\\t"}
_encoder = msgspec.json.Encoder()


def visible(text: str) -> str:
    """Text for many lines, with an escape for each character that would do something on a terminal."""
    return _HIDDEN.sub(_escape, text)


def visible_line(text: str) -> str:
    """The same for one line: line breaks and tabs become escapes too."""
    return _BREAKS.sub(lambda found: _BREAK_NAMES[found[0]], visible(text))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _escape_in_json(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())


def say(sentence: str) -> None:
    """One line for the user on stderr."""
    sys.stderr.write(f"agentkeep: {visible_line(sentence)}\n")
    sys.stderr.flush()


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%SZ")


def counted(number: int, noun: str) -> str:
    """A number and its noun: "1 message", "5,308 messages"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class Output:
    """Standard output of one command."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.is_terminal: bool = sys.stdout.isatty() and not as_json
        self._console: Console | None = None

    def record(self, value: Any) -> None:
        """One JSON value on its own line, in UTF-8 whatever the terminal's encoding is."""
        self.raw(_encoder.encode(value))

    def raw(self, line: bytes) -> None:
        """A line of encoded JSON. Hidden characters in it become escapes of the same meaning."""
        rest = memoryview(_HIDDEN_IN_JSON.sub(_escape_in_json, line) + b"\n")
        while rest:
            # With PYTHONUNBUFFERED one write may write only a part, for example if the reader has gone.
            rest = rest[sys.stdout.buffer.write(rest) :]

    def flush(self) -> None:
        sys.stdout.flush()

    def line(self, text: str = "", style: str = "") -> None:
        """A line of visible text. `style` is used on a terminal only."""
        if self.is_terminal:
            self._print(self._text(text, style))
        else:
            sys.stdout.write(text + "\n")

    def highlighted(self, text: str, style: str) -> None:
        """A line with parts between `**`, which are printed in `style` on a terminal."""
        if not self.is_terminal:
            self.line(text)
            return
        whole = self._text("")
        for number, part in enumerate(text.split("**")):
            whole.append(part, style if number % 2 else "")
        self._print(whole)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows of cells, each cell on one line."""
        cells = [[visible_line(cell) or "-" for cell in row] for row in rows]
        if self.is_terminal:
            self._rich_table(columns, cells)
        else:
            from agentkeep.cli.fitting import lines

            for line in lines({name: [row[number] for row in cells] for number, name in enumerate(columns)}):
                self.line(line)

    def listing(self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, cut: str, spare: Sequence[str]) -> None:
        """Rows, each on one line of a terminal if `fitted` can do that; without a terminal they are not cut."""
        from agentkeep.cli.fitting import fitted, lines

        cells = [[visible_line(cell) or "-" for cell in row] for row in rows]
        whole = {name: [row[number] for row in cells] for number, name in enumerate(columns)}
        kept = fitted(whole, get_terminal_size().columns, cut=cut, spare=spare) if self.is_terminal else whole
        for number, line in enumerate(lines(kept)):
            self.line(line, "" if number else "bold")
        missing = [name for name in spare if name not in kept and set(whole[name]) != {"-"}]
        if missing:
            self.line(f"too narrow for {', '.join(missing)}: --json shows all", "dim")

    def facts(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Names with their values, one a line."""
        shown = [(name, visible_line(str(value))) for name, value in pairs]
        width = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            self.line(f"{name:<{width}}  {value}".rstrip())

    def _rich_table(self, columns: Sequence[str], rows: list[list[str]]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
        for name in columns[:-1]:
            table.add_column(name, no_wrap=True)
        table.add_column(columns[-1], overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self._print(table)

    def _text(self, text: str, style: str = "") -> Text:
        from rich.text import Text

        return Text(text, style=style)

    def _print(self, what: Any) -> None:
        from rich.console import Console
        from rich.text import Text

        if self._console is None:
            self._console = Console(markup=False, emoji=False, highlight=False)
        self._console.print(what, soft_wrap=isinstance(what, Text))
