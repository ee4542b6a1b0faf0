"""What the search index holds: the beginnings of all parts of a text's words (SRCH-1).

A word is found as a part of a text, so each of its tails is an entry: "order" has order, rder, der, er and r. Entries
are 8 characters at most. A word of a query is looked for by its first 8, as a beginning; the text itself then
decides. So any script works, and a search reads about as many entries as it finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, zip_longest

from agentkeep_mongo.documents import Document

LENGTH = 8
_LAST = "\U0010ffff" * (LENGTH + 1)
_ENTRIES = 20_000
_LETTERS = 1_000_000


def entries_of(text: str) -> Iterator[str]:
    """The distinct entries of a folded text."""
    seen: dict[str, None] = {}
    for word in text.split():
        for start in range(len(word)):
            seen[word[start : start + LENGTH]] = None
    return iter(seen)


def search_documents(message: Document, text: str, tenant: str, user_id: str | None) -> list[Document]:
    """What stands in the search collection for a message; several documents if the text is very long.

    `n` is the message's number of edits, so the entries of its earlier texts never stand in the way.
    """
    parts = [text[start : start + _LETTERS] for start in range(0, len(text), _LETTERS)]
    found = list(zip_longest(parts, _in_groups(entries_of(text))))
    return [
        {
            "_id": {**message["_id"], "n": message.get("n", 0), "c": number},
            "e": message["e"],
            "tenant": tenant,
            "user": user_id,
            "role": message["role"],
            "key": message["key"],
            "of": len(found),
            "text": part or "",
            "terms": terms or [],
        }
        for number, (part, terms) in enumerate(found)
        if text
    ]


def _in_groups(entries: Iterator[str]) -> Iterator[list[str]]:
    while group := list(islice(entries, _ENTRIES)):
        yield group


def part_of(word: str) -> str:
    """A regular expression for what a text with this word has in it; the server takes 32,764 bytes of one at most."""
    return re.escape(word[:LENGTH]).replace("\0", r"\x00")


def entry_filter(word: str) -> Document:
    """A filter for the entries by which a word is found."""
    if len(word) >= LENGTH:
        return {"terms": word[:LENGTH]}
    return {"terms": {"$elemMatch": {"$gte": word, "$lte": word + _LAST}}}
