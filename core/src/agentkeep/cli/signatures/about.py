"""`doctor`, `adapters` and `config`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from agentkeep.cli.arguments import Json, Tenant, Url, common_options

if TYPE_CHECKING:
    pass


def doctor(context: typer.Context, url: Url = None, tenant: Tenant = None, as_json: Json = False) -> None:
    """Try the database; show versions and capabilities.

    It writes a session of its own, reads it back and deletes it.
    """
    from agentkeep.cli.commands.about import doctor as work
    from agentkeep.cli.running import run

    given = common_options(context, url, tenant, as_json)
    run(partial(work, given.settings, given.output()))


def adapters(context: typer.Context, url: Url = None, tenant: Tenant = None, as_json: Json = False) -> None:
    """List the installed adapters with their capabilities."""
    from agentkeep.cli.commands.about import adapters as work
    from agentkeep.cli.running import run

    run(partial(work, common_options(context, url, tenant, as_json).output()))


def config(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Open the database and ask its health.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Only print the JSON Schema of the file.")] = False,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Show each setting in force, and where it comes from."""
    from agentkeep.cli.commands.configuring import config as work
    from agentkeep.cli.commands.configuring import schema as print_schema
    from agentkeep.cli.running import run

    given = common_options(context, url, tenant, as_json)
    run(partial(print_schema, given.output()) if schema else partial(work, given.settings, given.output(), check=check))
