"""`agentkeep sessions` on terminals of 80 columns: a row a line, and no id cut."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from uuid import UUID

import pytest
from agentkeep import connect
from agentkeep.cli.fitting import fitted, lines, shortened
from rich.cells import cell_len

from .conftest import Run, on_terminal

WIDTH = 80
TITLE = "Where is the 図書館, and does it open on Sundays in November?"


def keep_sessions(ids: Sequence[str], *, title: str, user_id: str | None = None, agent_name: str | None = None) -> None:
    async def whole() -> None:
        async with connect("sqlite:///chat.db") as keep:
            for id in ids:
                await keep.sessions.create(id, title=title, user_id=user_id, agent_name=agent_name)

    asyncio.run(whole())


def shown(width: int = WIDTH) -> list[str]:
    """The lines of `sessions` on a terminal, without their colours, and without stderr's sentence of the database."""
    ran = on_terminal("sessions", width=width)
    assert ran.code == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", ran.out).splitlines()
    return [line for line in lines if not line.startswith("agentkeep: ")]


@pytest.mark.parametrize(
    ("ids", "fields", "columns", "note"),
    [
        ([f"s{n}" for n in range(3)], {}, "ID STATUS MESSAGES UPDATED TITLE", ""),
        ([UUID(int=n).hex for n in range(3)], {}, "ID MESSAGES UPDATED TITLE", "STATUS"),
        (["a" * 39 + str(n) for n in range(3)], {}, "ID UPDATED TITLE", "STATUS, MESSAGES"),
        (
            [UUID(int=n).hex for n in range(3)],
            {"user_id": "ann", "agent_name": "travel"},
            "ID MESSAGES UPDATED TITLE",
            "STATUS, AGENT, USER",
        ),
    ],
)
def test_a_row_is_a_line_of_80_columns_and_ids_are_whole(
    ids: list[str], fields: dict[str, str], columns: str, note: str
) -> None:
    keep_sessions(ids, title=TITLE, **fields)
    heading, *rows = shown()
    last = rows.pop() if note else ""
    assert heading.split() == columns.split()
    assert sorted(row.split()[0] for row in rows) == sorted(ids)
    assert all(cell_len(row) <= WIDTH for row in rows)
    assert all(row.endswith("…") and "Where is t" in row for row in rows)
    assert last == (f"too narrow for {note}: --json shows all" if note else "")


def test_no_cell_is_cut_where_all_fits_and_columns_without_a_value_make_room() -> None:
    keep_sessions(["s"], title="x" * 30)
    assert shown(120)[0].split() == ["ID", "STATUS", "MESSAGES", "UPDATED", "USER", "AGENT", "TITLE"]
    heading, row = shown()
    assert heading.split() == ["ID", "STATUS", "MESSAGES", "UPDATED", "TITLE"]
    assert row.endswith("x" * 30)


def test_what_cannot_be_made_to_fit_is_the_plain_table(run: Run) -> None:
    keep_sessions(["i" * 200], title=TITLE)
    assert "\n".join(shown()) == run("sessions").out.rstrip("\n")


def test_an_empty_list_is_its_heading(run: Run) -> None:
    run("migrate")
    assert shown()[0].split() == ["ID", "STATUS", "MESSAGES", "UPDATED", "USER", "AGENT", "TITLE"]


def test_a_cut_cell_has_twelve_columns_at_least() -> None:
    whole = {"ID": ["i" * 10], "STATUS": ["active"], "TITLE": ["t" * 40]}
    for width in range(24, 70):
        kept = fitted(whole, width, cut="TITLE", spare=("STATUS",))
        assert max(map(cell_len, lines(kept))) <= width
        assert len(kept["TITLE"][0]) >= 12
        assert ("STATUS" in kept) == (width >= 32)
    assert fitted(whole, 23, cut="TITLE", spare=("STATUS",)) == whole


def test_a_wide_letter_is_never_cut_in_two() -> None:
    assert [shortened("図書館です", width) for width in (10, 9, 8)] == ["図書館です", "図書館で…", "図書館…"]
