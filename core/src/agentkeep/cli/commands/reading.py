"""`sessions`, `show`, `search` and `stats`."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from agentkeep._drafts import SessionFilters
from agentkeep.cli.failures import CommandError
from agentkeep.cli.output import Output, counted, moment, say, visible, visible_line
from agentkeep.cli.settings import Settings
from agentkeep.cli.transcript_view import show_message, show_session
from agentkeep.errors import CapabilityNotSupported
from agentkeep.keep import Keep
from agentkeep.models import Message, Session
from agentkeep.protocol import ListsTenants
from agentkeep.wrappers import find_ability

_PAGE = 500


async def list_sessions(
    keep: Keep, out: Output, settings: Settings, *, filters: SessionFilters, limit: int | None
) -> int:
    """Print sessions, those written to last first."""
    found: list[Session] = []
    number = 0
    async for session in keep.sessions.iterate(**filters):
        if number == limit:
            break
        number += 1
        if out.as_json:
            out.record(session)
        else:
            found.append(session)
    if not out.as_json:
        columns = ("ID", "STATUS", "MESSAGES", "UPDATED", "USER", "AGENT", "TITLE")
        out.listing(columns, map(_row, found), cut="TITLE", spare=("STATUS", "AGENT", "USER", "MESSAGES"))
    if not number or (out.is_terminal and not out.as_json):
        say(f"{counted(number, 'session') if number else 'no sessions'} in {settings.place}")
    return 0


def _row(session: Session) -> tuple[str, ...]:
    return (
        session.id,
        session.status,
        str(session.message_count),
        moment(session.updated_at),
        session.user_id or "",
        session.agent_name or "",
        session.title or "",
    )


async def show(keep: Keep, out: Output, _: Settings, *, id: str, tail: int | None, follow: bool) -> int:
    """Print a session's messages, and with `follow` new ones as they arrive, until Ctrl-C."""
    if follow and not keep.capabilities.watch:
        raise CapabilityNotSupported("watch", "the adapter of this database")
    session = await keep.sessions.get(id)
    if not out.as_json:
        show_session(out, session)
    last_seq = 0
    messages = keep.messages.iterate(id) if tail is None else _tail(keep, session, tail)
    async for message in messages:
        show_message(out, message)
        last_seq = message.seq
    if not follow:
        return 0
    out.flush()
    async for message in keep.messages.watch(id, after_seq=last_seq or session.last_seq):
        show_message(out, message)
        out.flush()
    return 0


async def show_state(keep: Keep, out: Output, _: Settings, *, id: str) -> int:
    """Print what the agent collected in a session: its state, metadata and counters, and where it stands."""
    session = await keep.sessions.get(id)
    if out.as_json:
        out.record(session)
        return 0
    show_session(out, session)
    out.facts((("route", session.current_route or "-"), ("step", session.current_step or "-")))
    for name in ("state", "metadata", "counters"):
        out.line(name, "bold")
        text = msgspec.json.format(msgspec.json.encode(getattr(session, name))).decode()
        for line in text.split("\n"):
            out.line(f"  {visible(line)}")
    return 0


async def _tail(keep: Keep, session: Session, n: int) -> AsyncIterator[Message]:
    """The newest `n`, oldest first; read from the end, in pages."""
    pages: list[list[Message]] = []
    before = None
    while n > 0:
        page = await keep.messages.list(session.id, before=before, limit=min(n, _PAGE), newest_first=True)
        pages.append(page.items[::-1])
        n -= len(page.items)
        if not page.has_more:
            break
        before = page.items[-1].seq
    for message in chain.from_iterable(reversed(pages)):
        yield message


async def search(
    keep: Keep,
    out: Output,
    _: Settings,
    *,
    query: str,
    session: str | None,
    user: str | None,
    agent: str | None,
    role: str | None,
    limit: int,
) -> int:
    """Print the messages that have all words of the query, best first."""
    hits = await keep.messages.search(query, session_id=session, user_id=user, agent_name=agent, role=role, limit=limit)
    for hit in hits:
        if out.as_json:
            out.record(hit)
            continue
        message = hit.message
        out.line(f"{visible_line(message.session_id)} #{message.seq} {visible_line(message.role)}", "bold")
        for highlight in hit.highlights:
            out.highlighted(f"  {visible_line(highlight)}", "bold yellow")
    return 0


async def tenants(keep: Keep, out: Output, settings: Settings) -> int:
    """Print the tenants that have sessions."""
    adapter = find_ability(keep.adapter, ListsTenants)
    if adapter is None:
        raise CommandError(f"the adapter of {settings.shown_url} can't list its tenants")
    for tenant in await adapter.tenants():
        if out.as_json:
            out.record({"tenant": tenant})
        else:
            out.line(visible_line(tenant))
    return 0


async def stats(keep: Keep, out: Output, settings: Settings) -> int:
    """Print how much there is."""
    statuses: Counter[str] = Counter()
    agents: Counter[str] = Counter()
    messages = 0
    async for session in keep.sessions.iterate(order="created_at"):
        statuses[session.status] += 1
        agents[session.agent_name or ""] += 1
        messages += session.message_count
    size = _file_bytes(settings.url)
    if out.as_json:
        by_agent = [{"agent_name": name or None, "sessions": count} for name, count in agents.most_common()]
        found = {"sessions": statuses.total(), "messages": messages, "by_status": statuses, "by_agent": by_agent}
        out.record({**found, "file_bytes": size})
        return 0
    out.facts((("sessions", f"{statuses.total():,}"), ("messages", f"{messages:,}")))
    out.facts((f"  {status}", f"{count:,}") for status, count in statuses.most_common())
    for name, count in agents.most_common():
        out.line(f"  agent {visible_line(name)}: {count:,}" if name else f"  no agent: {count:,}")
    if size is not None:
        out.facts([("file", f"{size:,} bytes")])
    return 0


def _file_bytes(url: str) -> int | None:
    """The size of the database's files. None if the database is not a file."""
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] != "sqlite" or len(parts.path) < 2:
        return None
    path = unquote(parts.path[1:])
    files = [Path(path + ending) for ending in ("", "-wal", "-shm")]
    return sum(file.stat().st_size for file in files if file.is_file()) or None
