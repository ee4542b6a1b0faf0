"""The text of a message that a search looks at."""

from __future__ import annotations

from typing import Any, cast

from agentkeep._codec import decode_payload


def searchable_text(payload: str) -> str:
    """What a search looks at: the texts of `content`, and the tools' names and arguments of `tool_calls`."""
    parsed = decode_payload(payload)
    parts: list[str] = []
    _collect_texts(parsed.content, parts)
    _collect_texts(parsed.tool_calls, parts)
    return "\n".join(parts)


_TEXT_KEYS = ("text", "content", "input", "output", "refusal", "name", "arguments", "function")
"""Where the chat formats of today keep words: OpenAI's parts and calls, Anthropic's blocks."""


def _collect_texts(value: Any, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(value)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            _collect_texts(item, parts)
    elif isinstance(value, dict):
        block = cast("dict[str, Any]", value)
        for key in _TEXT_KEYS:
            if key in block:
                _collect_texts(block[key], parts)
