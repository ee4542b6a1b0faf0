"""`import`, `export` and `migrate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentkeep.cli.arguments import Json, Tenant, Url, common_options

if TYPE_CHECKING:
    pass


def import_command(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="JSON (lines); -: standard input.", show_default=False)
    ],
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Import conversations: chat messages or an export.

    OpenAI's chat messages, tau-bench trajectories, or our own export, as JSON or JSON lines.

    Importing a file again adds only what is new in it. All files are checked before anything is written.
    """
    from agentkeep.cli.commands.transfer import import_files
    from agentkeep.cli.running import run

    given = common_options(context, url, tenant, as_json)
    run(partial(import_files, given.settings, given.output(), files))


def export(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Sessions.", show_default="all")] = None,
    format: Annotated[
        Literal["agentkeep", "chat"], typer.Option(help="agentkeep: whole. chat: as OpenAI.")
    ] = "agentkeep",
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Write sessions to standard output as JSON lines.

    The format agentkeep is lossless. The format chat has one conversation a line, equal to the imported one, with its
    id here.
    """
    from agentkeep.cli.commands.transfer import export as work

    given = common_options(context, url, tenant, as_json)
    given.run_on(partial(work, ids=ids or [], chat=format == "chat"))


def migrate(
    context: typer.Context,
    sql: Annotated[bool, typer.Option("--sql", help="Only print the SQL; connect to nothing.")] = False,
    after: Annotated[int, typer.Option(min=0, metavar="VERSION", help="With --sql: the schema's version.")] = 0,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Bring the database's schema up to date.

    With --sql, print the SQL for the database's owner, and connect to nothing.
    """
    from agentkeep.cli.commands.migrating import migrate as work
    from agentkeep.cli.commands.migrating import print_sql
    from agentkeep.cli.running import run

    if after and not sql:
        raise typer.BadParameter(
            "give it with --sql only: without --sql the database says which version it has", param_hint="--after"
        )
    given = common_options(context, url, tenant, as_json)
    asked = partial(print_sql, given.settings, given.output(), after=after)
    run(asked if sql else partial(work, given.settings, given.output()))
