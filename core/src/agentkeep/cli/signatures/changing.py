"""`append`, `fork`, `rm`, `prune` and `sweep`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from agentkeep.cli.arguments import Age, Id, Json, Most, Tenant, Url, Yes, common_options

if TYPE_CHECKING:
    pass


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


def rm(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="The sessions.", show_default=False)],
    yes: Yes = False,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Remove sessions and all that belongs to them.

    That is their messages, and a bridge's agents, branches and subagents. It asks first. Without a terminal it can't
    ask: give --yes.
    """
    from agentkeep.cli.commands.changing import remove

    common_options(context, url, tenant, as_json).run_on(partial(remove, ids=ids, yes=yes))


def prune(
    context: typer.Context,
    max_age: Age = None,
    max_idle: Age = None,
    max_sessions_per_user: Most = None,
    max_messages_per_session: Most = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many.")] = False,
    yes: Yes = False,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Remove what [retention] or these options do not keep.

    --max-age counts from a session's creation, --max-idle from its last write. Of each user, the newest sessions are
    kept, and of each session, the newest messages. It asks first. Without a terminal it can't ask: give --yes.
    """
    from agentkeep.cli.commands.cleaning import prune as work

    limits = {
        "max_age": max_age,
        "max_idle": max_idle,
        "max_sessions_per_user": max_sessions_per_user,
        "max_messages_per_session": max_messages_per_session,
    }
    given = {name: limit for name, limit in limits.items() if limit is not None}
    common_options(context, url, tenant, as_json).run_on(partial(work, given=given, dry_run=dry_run, yes=yes))


def sweep(context: typer.Context, url: Url = None, tenant: Tenant = None, as_json: Json = False) -> None:
    """Remove expired sessions, of all tenants."""
    from agentkeep.cli.commands.cleaning import sweep as work

    common_options(context, url, tenant, as_json).run_on(work)
