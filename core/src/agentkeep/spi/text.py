"""The text that a search looks at, and the words of a query, folded alike (SRCH-1).

A message is found if its folded text contains each word of the folded query as a part. So a search means the same on
every backend: a backend compares characters, and neither knows languages nor cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from agentkeep._items import framework_of
from agentkeep.models import Message, NewMessage

_MARKERS = ("type", "role", "id", "part_kind", "mime_type", "mimeType", "media_type", "holes")
_BYTES = ("data", "base64", "signature", "thought_signature", "thoughtSignature", "encrypted_content")
_NOT_TEXT = frozenset((*_MARKERS, *_BYTES))
"""Keys whose strings are markers, ids or bytes, in the formats of today. Keys that end in `_id` are ids too. `holes`
stands in the `event` of `agentkeep.formats`."""


def message_text(message: Message | NewMessage) -> str:
    """All strings of `content`, or, if that is None, of `event`; one a line.

    If `event` is a framework's item (`agentkeep.bridging.item_message`): of what was said in it.
    """
    if isinstance(message.content, str):
        return message.content
    if message.content is not None:
        return "\n".join(_strings(message.content))
    if framework_of(message) is None:
        return "\n".join(_strings(message.event))
    from agentkeep._chats import said  # it imports all formats

    # What is stored as JSON text may hold a lone surrogate, which no adapter can store in the searched text.
    return "\n".join(_strings(said(message))).encode(errors="replace").decode()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            if key not in _NOT_TEXT and not key.endswith("_id") and not _is_data_url(item):
                yield from _strings(item)


def _is_data_url(value: Any) -> bool:
    """An image or a file in the URL's own text."""
    return isinstance(value, str) and value.startswith("data:") and ";base64," in value[:200]


def fold(text: str) -> str:
    """`text` without differences of case. NUL, which some databases can't hold, becomes a space."""
    return text.casefold().replace("\0", " ")


def query_words(query: str) -> tuple[str, ...]:
    """The distinct folded words of a query, longest first."""
    return tuple(sorted(dict.fromkeys(fold(query).split()), key=len, reverse=True))
