"""Makes a table fit the terminal. The column that names a row is never cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len, set_cell_size

GAP = 2
"""The space between two columns of the table, in characters."""
_LEAST = 12
"""A cut cell shows at least this many characters."""

Columns = Mapping[str, Sequence[str]]
"""Each column's name and its cells, from the first row to the last."""


def fitted(columns: Columns, width: int, *, cut: str, spare: Sequence[str]) -> Columns:
    """The columns that fit into lines of this width.

    If they are too wide, this leaves out the columns without a value. Then it shortens the cells of the column `cut`.
    Then it leaves out the columns `spare`, one after another. If nothing of this is enough, it returns all columns as
    they are, and the terminal folds the lines.
    """
    if _width(columns) <= width:
        return columns
    filled = {name: cells for name, cells in columns.items() if set(cells) != {"-"}}
    for number in range(len(spare) + 1):
        kept = {name: cells for name, cells in filled.items() if name not in spare[:number]}
        excess = _width(kept) - width
        if excess <= 0:
            return kept
        room = _widest(cut, kept[cut]) - excess if cut in kept else 0
        if room >= _LEAST:
            return {**kept, cut: [shortened(cell, room) for cell in kept[cut]]}
    return columns


def shortened(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def lines(columns: Columns) -> list[str]:
    """The columns' names, then a line for each row."""
    widths = [_widest(name, cells) for name, cells in columns.items()]
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return [
        (" " * GAP)
        .join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        .rstrip()
        for row in rows
    ]


def _width(columns: Columns) -> int:
    return sum(_widest(name, cells) + GAP for name, cells in columns.items()) - GAP


def _widest(name: str, cells: Sequence[str]) -> int:
    return max(map(cell_len, (name, *cells)))
