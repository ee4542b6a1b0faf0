"""`sessions`, `show`, `search`, `stats` and `tenants`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentkeep.cli.arguments import (
    Agent,
    Id,
    Json,
    Metadata,
    Tenant,
    UpdatedAfter,
    UpdatedBefore,
    Url,
    User,
    common_options,
    metadata_filter,
)

if TYPE_CHECKING:
    from agentkeep._drafts import SessionFilters

Status = Literal["active", "completed", "abandoned"]


def sessions(
    context: typer.Context,
    user: User = None,
    agent: Agent = None,
    status: Annotated[Status | None, typer.Option(help="Only with this status.")] = None,
    metadata: Metadata = None,
    updated_after: UpdatedAfter = None,
    updated_before: UpdatedBefore = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many.", show_default="all")] = None,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """List sessions, those written to last first."""
    from agentkeep.cli.commands.reading import list_sessions

    filters: SessionFilters = {
        "user_id": user,
        "agent_name": agent,
        "status": status,
        "metadata": metadata_filter(metadata),
        "updated_after": updated_after,
        "updated_before": updated_before,
    }
    common_options(context, url, tenant, as_json).run_on(partial(list_sessions, filters=filters, limit=limit))


def show(
    context: typer.Context,
    id: Id,
    tail: Annotated[int | None, typer.Option(min=0, help="Only this many of the newest messages.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with new messages as they arrive.")] = False,
    state: Annotated[bool, typer.Option("--state", help="Show what the agent collected, and no messages.")] = False,
    url: Url = None,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Show a session's messages."""
    from agentkeep.cli.commands.reading import show as work
    from agentkeep.cli.commands.reading import show_state

    given = common_options(context, url, tenant, as_json)
    given.run_on(partial(show_state, id=id) if state else partial(work, id=id, tail=tail, follow=follow))


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


def stats(context: typer.Context, url: Url = None, tenant: Tenant = None, as_json: Json = False) -> None:
    """Count sessions, by status and agent, and messages."""
    from agentkeep.cli.commands.reading import stats as work

    given = common_options(context, url, tenant, as_json)
    given.run_on(work)


def tenants(context: typer.Context, url: Url = None, tenant: Tenant = None, as_json: Json = False) -> None:
    """List the tenants that have sessions."""
    from agentkeep.cli.commands.reading import tenants as work

    common_options(context, url, tenant, as_json).run_on(work)
