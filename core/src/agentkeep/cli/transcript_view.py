"""How a session and its messages are printed.

A message's text is indented, so that no text looks like the heading of another message.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec.structs import replace

from agentkeep.bridging import chat_messages
from agentkeep.cli.output import Output, counted, moment, visible, visible_line
from agentkeep.errors import InvalidInput
from agentkeep.models import Message, NewMessage, Session

_INDENT = "  "
_STYLES = {"user": "bold cyan", "assistant": "bold green", "tool": "bold yellow", "system": "bold magenta"}


def show_session(out: Output, session: Session) -> None:
    """The heading."""
    about = [visible_line(session.id), session.status, counted(session.message_count, "message")]
    about += [f"{name} {visible_line(value)}" for name, value in _people(session) if value]
    about.append(f"updated {moment(session.updated_at)}")
    out.line(" | ".join(about), "bold")
    if session.title:
        out.line(visible_line(session.title))


def _people(session: Session) -> tuple[tuple[str, str | None], ...]:
    return (("user", session.user_id), ("agent", session.agent_name), ("fork of", session.parent_id))


def show_message(out: Output, message: Message) -> None:
    """One message: who, when, what was said, which tools were called with what.

    A message whose `event` is a framework's own item is shown as the messages of a chat that it is.
    """
    if out.as_json:
        out.record(message)
        return
    for shown in _as_chat(message):
        heading = f"#{message.seq} {visible_line(message.role)}"
        if shown.name:
            heading += f" {visible_line(shown.name)}"
        if shown.tool_call_id:
            heading += f" (result of {visible_line(shown.tool_call_id)})"
        out.line()
        out.line(f"{heading}  {moment(message.created_at)}", _STYLES.get(message.role, "bold"))
        for text in _texts(shown):
            for line in text.split("\n"):
                out.line(f"{_INDENT}{visible(line)}".rstrip())
        for call in shown.tool_calls or ():
            out.line(f"{_INDENT}calls {visible_line(_call(call))}", "yellow")


def _as_chat(message: Message) -> list[Message | NewMessage]:
    try:
        chat = chat_messages([message])
    except InvalidInput:
        return [message]  # a form that this release does not know: it is shown as it is stored
    return [replace(made, name=message.name or made.name) for made in chat] or [message]


def _texts(message: Message | NewMessage) -> list[str]:
    if isinstance(message.content, str):
        return [message.content]
    if message.content is not None:
        return [_part(part) for part in message.content]
    if message.event is not None and not message.tool_calls:
        return [_json(message.event)]
    return []


def _part(part: Any) -> str:
    """A text part as its text, any other part of a message as JSON."""
    match part:
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return text
        case str(text):
            return text
        case _:
            return _json(part)


def _call(call: Any) -> str:
    match call:
        case {"function": {"name": str(name), "arguments": arguments}, **rest}:
            said = arguments if isinstance(arguments, str) else _json(arguments)
            id = cast("dict[str, Any]", rest).get("id")
            return f"{name}({said})" + (f" as {id}" if isinstance(id, str) else "")
        case _:
            return _json(call)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
