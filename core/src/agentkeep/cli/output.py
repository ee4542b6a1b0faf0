"""What commands print: tables and colours for a terminal, plain text for a pipe, JSON where it is asked for.

Whatever comes from the database is data: control characters, and those that turn the direction of writing, are made
visible, so that a message can't move the cursor, ring the bell or hide text.
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
"""Those of them that JSON does not escape by itself, in UTF-8."""
_BREAKS = re.compile(r"[\t\n]")
_BREAK_NAMES = {"\n": "\\n", "\t": "\\t"}
_encoder = msgspec.json.Encoder()


def visible(text: str) -> str:
    """Text for many lines: every character that would do something other than be read becomes its escape."""
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
        self.is_terminal = sys.stdout.isatty() and not as_json
        self._console: Console | None = None

    def record(self, value: Any) -> None:
        """One JSON value on a line of its own, in UTF-8 whatever the terminal's encoding."""
        self.raw(_encoder.encode(value))

    def raw(self, line: bytes) -> None:
        """A line of JSON that is encoded already. Hidden characters in it become escapes, which say the same."""
        rest = memoryview(_HIDDEN_IN_JSON.sub(_escape_in_json, line) + b"\n")
        while rest:
            # With PYTHONUNBUFFERED one write may take only a part, when the reader goes away for instance.
            rest = rest[sys.stdout.buffer.write(rest) :]

    def flush(self) -> None:
        sys.stdout.flush()

    def line(self, text: str = "", style: str = "") -> None:
        """A line of text that is fit to be printed; `style` is seen on a terminal alone."""
        if self.is_terminal:
            self._print(self._text(text, style))
        else:
            sys.stdout.write(text + "\n")

    def marked(self, text: str, style: str) -> None:
        """A line whose parts between `**` are set off: by `style` on a terminal, by the `**` elsewhere."""
        if not self.is_terminal:
            self.line(text)
            return
        whole = self._text("")
        for place, part in enumerate(text.split("**")):
            whole.append(part, style if place % 2 else "")
        self._print(whole)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows of cells, each cell on one line."""
        cells = [[visible_line(cell) or "-" for cell in row] for row in rows]
        if self.is_terminal:
            self._rich_table(columns, cells)
        else:
            from agentkeep.cli.fitting import lines

            for line in lines({name: [row[place] for row in cells] for place, name in enumerate(columns)}):
                self.line(line)

    def listing(self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, cut: str, spare: Sequence[str]) -> None:
        """Rows that take one line each on a terminal, as far as `fitted` can; elsewhere whole."""
        from agentkeep.cli.fitting import fitted, lines

        cells = [[visible_line(cell) or "-" for cell in row] for row in rows]
        whole = {name: [row[place] for row in cells] for place, name in enumerate(columns)}
        kept = fitted(whole, get_terminal_size().columns, cut=cut, spare=spare) if self.is_terminal else whole
        for number, line in enumerate(lines(kept)):
            self.line(line, "" if number else "bold")
        missing = [name for name in spare if name not in kept and set(whole[name]) != {"-"}]
        if missing:
            self.line(f"too narrow for {', '.join(missing)}: --json shows all", "dim")

    def facts(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Names and what they are, one a line."""
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
