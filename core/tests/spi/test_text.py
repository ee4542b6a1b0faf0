"""SRCH-1: what a search looks at, and which words a query has."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import NewMessage
from agentkeep._highlights import highlights
from agentkeep.spi.text import fold, message_text, query_words
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("content", "event", "text"),
    [
        ("Guten Tag", {"text": "unseen"}, "Guten Tag"),
        ("", {"text": "unseen"}, ""),
        (None, {"type": "message", "id": "m1", "content": [{"text": "Hi"}, {"text": "there"}]}, "Hi\nthere"),
        (None, None, ""),
        ([{"type": "text", "text": "a"}, "b", {"input": {"city": "Oslo", "n": 5}}], None, "a\nb\nOslo"),
        ([{"type": "image", "source": {"data": "aGk=", "media_type": "x/png"}}], None, ""),
        (None, "plain", "plain"),
    ],
)
def test_text_is_of_content_or_of_event(content: Any, event: Any, text: str) -> None:
    calls = [{"id": "c1", "function": {"name": "book_flight"}}]
    assert message_text(NewMessage(role="assistant", content=content, event=event, tool_calls=calls)) == text


def test_words_are_distinct_folded_and_longest_first() -> None:
    assert query_words("b a\0A  Straße\tstrasse ccc") == ("strasse", "ccc", "b", "a")
    assert query_words(" \n\0 ") == ()
    assert query_words("wort " * 20_000) == ("wort",)


@given(st.text(), st.text())
def test_folding_joins(left: str, right: str) -> None:
    """So a part of a text is found by folding both."""
    assert fold(left) + fold(right) == fold(left + right)


def test_highlights_keep_the_text_as_it_was() -> None:
    assert highlights("Die STRASSE, die Straße", ["strasse"]) == ["Die **STRASSE**, die Straße"]
    assert highlights("ßßß Straße!", ["strasse"]) == ["ßßß **Straße**!"]
    assert highlights("x" * 100 + "Oslo" + "y" * 100, ["oslo"]) == ["x" * 40 + "**Oslo**" + "y" * 40]
    assert highlights("to Oslo and back", ["back", "oslo"]) == ["to **Oslo** and back", "to Oslo and **back**"]


@given(st.text(alphabet="aAßİŉ x", min_size=1), st.data())
def test_a_highlight_marks_what_matches(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    word = fold(text[start:]).split()
    for excerpt in highlights(text, word[:1]):
        marked = excerpt.split("**")[1]
        assert fold(word[0]) in fold(marked)
        assert excerpt.replace("**", "") in text
