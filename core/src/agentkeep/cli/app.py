"""The command `agentkeep`: its commands, and the options before them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from agentkeep.cli.arguments import CommonOptions, Json, Tenant, Url
from agentkeep.cli.signatures import about, changing, moving, reading

app: typer.Typer = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"agentkeep {version('agentkeep')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep, read and resume the sessions of AI agents.

    The database is --url, else AGENTKEEP_URL, else url in agentkeep.toml, else a SQLite file in your data folder:
    `agentkeep config` shows which. Exit codes: 0 done, 1 not found or refused, 2 wrong usage, 3 database unavailable.
    """
    context.obj = CommonOptions(url, tenant, as_json)


app.command("import")(moving.import_command)
_COMMANDS: tuple[Callable[..., None], ...] = (
    reading.sessions,
    reading.show,
    reading.search,
    changing.append,
    changing.fork,
    moving.export,
    changing.rm,
    changing.prune,
    changing.sweep,
    reading.stats,
    reading.tenants,
    about.doctor,
    moving.migrate,
    about.adapters,
    about.config,
)
for _command in _COMMANDS:
    app.command()(_command)
