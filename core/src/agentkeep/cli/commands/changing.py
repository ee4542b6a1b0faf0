"""`append`, `fork` and `rm`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

import typer

from agentkeep.cli.failures import INTERRUPTED, REFUSED, CommandError
from agentkeep.cli.output import Output, counted, say
from agentkeep.cli.running import opened
from agentkeep.cli.settings import Settings
from agentkeep.errors import InvalidInput
from agentkeep.formats import from_openai
from agentkeep.keep import Keep
from agentkeep.models import NewMessage
from agentkeep.retention import BELONGS_TO, delete_whole
from agentkeep.transfer._files import parse


def append(
    settings: Callable[[], Settings],
    out: Output,
    *,
    id: str,
    source: str | None,
    role: str | None,
    content: str | None,
    create: bool,
) -> Coroutine[Any, Any, int]:
    """Append the given messages, all or none, and print them as stored.

    They are read before there is an event loop, so that Ctrl-C ends the wait for standard input.
    """
    return _append(settings, out, id, _given_messages(source, role, content), create=create)


async def _append(
    settings: Callable[[], Settings], out: Output, id: str, messages: list[NewMessage], *, create: bool
) -> int:
    async with opened(settings(), create=create) as keep:
        for message in await keep.messages.append(id, messages, create={} if create else None):
            if out.as_json:
                out.record(message)
            else:
                out.line(f"#{message.seq} {message.id}")
    return 0


def _given_messages(source: str | None, role: str | None, content: str | None) -> list[NewMessage]:
    """What `-` finds on standard input, or the one message of the options. Raises `CommandError`."""
    if source is None and role is not None and content is not None:
        return [NewMessage(role=role, content=content)]
    if source != "-" or role is not None or content is not None:
        raise CommandError("give the message as --role ROLE --content TEXT, or - and JSON on standard input")
    value = parse(sys.stdin.buffer.read(), "standard input")
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    try:
        return from_openai(items)
    except InvalidInput as error:
        raise CommandError(f"standard input: {error}") from error


async def fork(keep: Keep, out: Output, _: Settings, *, id: str, at_seq: int | None, new_id: str | None) -> int:
    """Copy a session and print the copy's id."""
    copy = await keep.sessions.fork(id, at_seq=at_seq, new_id=new_id)
    if out.as_json:
        out.record(copy)
    else:
        out.line(copy.id)
    return 0


async def remove(keep: Keep, out: Output, settings: Settings, *, ids: Sequence[str], yes: bool) -> int:
    """Remove sessions and those that belong to them; those that are absent are named and make the exit code 1."""
    wanted = list(dict.fromkeys(ids))
    if not yes:
        require_terminal()
        belonging = sum([await keep.sessions.count(metadata={BELONGS_TO: id}) for id in wanted])
        also = f" and what belongs to it ({counted(belonging, 'session')})" if belonging else ""
        if not agreed(f"Remove {counted(len(wanted), 'session')}{also} from {settings.place}?"):
            return REFUSED
    numbers: list[int] = []
    for id in wanted:
        numbers.append(await delete_whole(keep, id))
        if out.as_json:
            out.record({"session": id, "removed": numbers[-1] > 0, "sessions": numbers[-1]})
        if not numbers[-1]:
            say(f"no session {id!r} in {settings.place}")
    if not out.as_json:
        out.line(f"{counted(sum(numbers), 'session')} removed")
    return 0 if all(numbers) else REFUSED


def agreed(question: str) -> bool:
    """Ask at the terminal. Raises `CommandError` if there is none."""
    require_terminal()
    # The event loop's own handler would only cancel the task, and the question would still wait.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as error:
        raise CommandError("nothing was removed", INTERRUPTED) from error
    finally:
        signal.signal(signal.SIGINT, handler)


def require_terminal() -> None:
    """A script must give --yes. Raises `CommandError`."""
    if cast("object", sys.stdin) is None or not sys.stdin.isatty():
        raise CommandError("nothing was removed, because there is no terminal to ask on: give --yes")
