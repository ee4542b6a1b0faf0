"""Excerpts of a found message, with the matches in `**`: made once for all backends (SRCH-1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from agentkeep.spi.text import fold

_AROUND = 40
"""Characters shown before and after a match."""
_MOST = 3
"""Excerpts of one message."""


def highlights(text: str, words: Sequence[str]) -> list[str]:
    """The first match of each of the first words, in the order of the text."""
    folded = fold(text)
    found = sorted((folded.find(word), len(word)) for word in words[:_MOST])
    return [_excerpt(text, folded, start, length) for start, length in found if start >= 0]


def _excerpt(text: str, folded: str, start: int, length: int) -> str:
    begin, end = _unfolded(text, folded, start), _unfolded(text, folded, start + length - 1) + 1
    return f"{text[max(0, begin - _AROUND) : begin]}**{text[begin:end]}**{text[end : end + _AROUND]}"


def _unfolded(text: str, folded: str, position: int) -> int:
    """The index in `text` of the character whose fold stands at `position`: a fold may be longer, never shorter."""
    if len(folded) == len(text):
        return position
    ends = accumulate(len(fold(character)) for character in text)
    return next(index for index, end in enumerate(ends) if end > position)
