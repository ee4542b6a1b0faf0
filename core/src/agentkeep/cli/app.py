"""The commands and their arguments. A command's work is imported only when it runs, so that `--help` is fast."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentkeep.cli.arguments import Age, Agent, CommonOptions, Id, Json, Tenant, Url, User, Yes, common_options

if TYPE_CHECKING:
    from agentkeep._drafts import SessionFilters

app: typer.Typer = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Status = Literal["active", "completed", "abandoned"]


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


@app.command("import")
def import_command(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="JSON or JSON lines.", show_default=False)],
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


@app.command()
def sessions(
    context: typer.Context,
    user: User = None,
    agent: Agent = None,
    status: Annotated[Status | None, typer.Option(help="Only with this status.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many.", show_default="all")] = None,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """List sessions, those written to last first."""
    from agentkeep.cli.commands.reading import list_sessions

    filters: SessionFilters = {"user_id": user, "agent_name": agent, "status": status}
    common_options(context, url, tenant, as_json).run_on(partial(list_sessions, filters=filters, limit=limit))


@app.command()
def show(
    context: typer.Context,
    id: Id,
    tail: Annotated[int | None, typer.Option(min=0, help="Only this many of the newest messages.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with new messages as they arrive.")] = False,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Show a session's messages."""
    from agentkeep.cli.commands.reading import show as work

    common_options(context, url, tenant, as_json).run_on(partial(work, id=id, tail=tail, follow=follow))


@app.command()
def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Words; a message must have all of them.")],
    session: Annotated[str | None, typer.Option(help="Only in this session.")] = None,
    user: User = None,
    agent: Agent = None,
    role: Annotated[str | None, typer.Option(help="Only messages of this role.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Search messages, best first."""
    from agentkeep.cli.commands.reading import search as work

    asked = partial(work, query=query, session=session, user=user, agent=agent, role=role, limit=limit)
    common_options(context, url, tenant, as_json).run_on(asked)


@app.command()
def append(
    context: typer.Context,
    id: Id,
    source: Annotated[str | None, typer.Argument(metavar="-", help="-: read JSON from standard input.")] = None,
    role: Annotated[str | None, typer.Option(help="Such as user or assistant.")] = None,
    content: Annotated[str | None, typer.Option(metavar="TEXT", help="The message's text.")] = None,
    create: Annotated[bool, typer.Option("--create", help="Create the session if it is absent.")] = False,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Append a message: give --role and --content.

    Or give - and, on standard input, a chat message or a list of them as JSON.
    """
    from agentkeep.cli.commands.changing import append as work
    from agentkeep.cli.running import run

    given = common_options(context, url, tenant, as_json)
    what = partial(work, id=id, source=source, role=role, content=content, create=create)
    run(partial(what, given.settings, given.output()))


@app.command()
def fork(
    context: typer.Context,
    id: Id,
    at: Annotated[
        int | None, typer.Option(min=0, metavar="SEQ", help="Copy to this message.", show_default="all")
    ] = None,
    new_id: Annotated[str | None, typer.Option("--id", help="Id of the copy.", show_default="a fresh one")] = None,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Copy a session under another id, and print that id.

    Its messages are copied too.
    """
    from agentkeep.cli.commands.changing import fork as work

    common_options(context, url, tenant, as_json).run_on(partial(work, id=id, at_seq=at, new_id=new_id))


@app.command()
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


@app.command()
def rm(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="The sessions.", show_default=False)],
    yes: Yes = False,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Remove sessions with all their messages.

    It asks first. Without a terminal it can't ask: give --yes.
    """
    from agentkeep.cli.commands.changing import remove

    common_options(context, url, tenant, as_json).run_on(partial(remove, ids=ids, yes=yes))


@app.command()
def prune(
    context: typer.Context,
    older_than: Age,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many.")] = False,
    yes: Yes = False,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Remove sessions that were last written to longer ago than this.

    It asks first. Without a terminal it can't ask: give --yes.
    """
    from agentkeep.cli.commands.changing import prune as work

    asked = partial(work, older_than=older_than, dry_run=dry_run, yes=yes)
    common_options(context, url, tenant, as_json).run_on(asked)


@app.command()
def stats(context: typer.Context, url: Url = None, tenant: Tenant = None, as_json: Json = False) -> None:
    """Count sessions, by status and agent, and messages."""
    from agentkeep.cli.commands.reading import stats as work

    given = common_options(context, url, tenant, as_json)
    given.run_on(work)


@app.command()
def doctor(context: typer.Context, url: Url = None, tenant: Tenant = None, as_json: Json = False) -> None:
    """Try the database; show versions and capabilities.

    It writes a session of its own, reads it back and deletes it.
    """
    from agentkeep.cli.commands.about import doctor as work
    from agentkeep.cli.running import run

    given = common_options(context, url, tenant, as_json)
    run(partial(work, given.settings, given.output()))


@app.command()
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


@app.command()
def adapters(context: typer.Context, url: Url = None, tenant: Tenant = None, as_json: Json = False) -> None:
    """List the installed adapters with their capabilities."""
    from agentkeep.cli.commands.about import adapters as work
    from agentkeep.cli.running import run

    run(partial(work, common_options(context, url, tenant, as_json).output()))


@app.command()
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
