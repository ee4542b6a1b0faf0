"""What the words of a search find, and what they do not: the same on every backend (SRCH-1)."""

from __future__ import annotations

from collections.abc import Sequence

_LONG = "w" * 3_000
_LONG_OF = {
    "percent signs": "%",
    "underscores": "_",
    "backslashes": "\\",
    "quotes": '"',
    "asterisks": "*",
    "accents": "é",
    "ideographs": "東",
    "emoji": "😀",
}


def _of_long_words(unit: str) -> tuple[str, Sequence[str], Sequence[str]]:
    """A text and queries. Wherever a long word is cut, in characters or bytes, before or after it is escaped: one of
    these words is cut within a character, or between a character and what escapes it."""
    words = ["abc"[:letters] + 200 * unit for letters in range(4)]
    return " ".join(words), words, [f"{word}x" for word in words]


# fmt: off
MEANINGS: dict[str, tuple[str, Sequence[str], Sequence[str]]] = {
    "part of a word": ("an alphabet", ["phab", "alphabet", "n alph"], ["alphabets", "betalpha"]),
    "one letter": ("x y zz", ["y", "x z", "z"], ["q", "x q", "zzz"]),
    "two letters": ("ab cd ef", ["cd", "ab ef", "cd a"], ["bc", "ab de"]),
    "one ideograph": ("東京から大阪", ["東", "阪", "東 阪"], ["南", "東 南"]),
    "ideographs": ("请帮我搜索一下航班信息", ["航班信息", "搜索 航班", "班"], ["航信", "息信", "航班 火车"]),
    "a long word": (f"{_LONG}end tail", [_LONG, f"{_LONG}end", "w" * 2_900 + "end", "tail " + "w" * 2_500],
                    [_LONG + "w", f"x{'w' * 2_500}", "tail " + _LONG + "x"]),
    "angle brackets": ("use <div> and <b>bold words</b> here", ["<div>", "div", "bold", "<b>bold", "words</b>"],
                       ["<p>", "<divs>", "</div>", "bolder"]),
    "a nul": ("before\0after", ["before\0after", "after\0before", "fore\0aft"], ["before\0never", "beforeafter"]),
    "double quotes": ('say "aloud" now', ['"aloud"', '"aloud', 'aloud"', 'say "'], ['""aloud', "'aloud'"]),
    "an asterisk": ("a* b**c", ["a*", "b**c", "**"], ["b*c", "*a", "***"]),
    "a hyphen": ("well-known - thing", ["-", "well-known", "-known"], ["wellknown", "--", "-thing"]),
    "a percent sign": ("100% of it", ["100%", "%", "0% of"], ["1%0", "%1", "100%%"]),
    "an underscore": ("snake_case", ["snake_case", "_", "e_c"], ["snake-case", "__", "_snake"]),
    "backslashes": ("C:\\temp\\new", ["c:\\temp", "\\new", "\\"], ["c:temp", "\\\\", "\\\\temp"]),
    "a question mark": ("why? so", ["why?", "?"], ["wh??", "so?"]),
    "operators": ("this AND that OR (other)", ["AND", "and or", "(other)", "or that"], ["NOT", "this NOT other", "&"]),
    "any white space": ("alpha beta gamma", ["alpha\tgamma", "gamma\nbeta", "alpha\u3000beta"], ["alpha\tdelta"]),
    "sharp s": ("Die Straße", ["STRASSE", "straße", "strasse", "ß"], ["strase"]),
    "a dotted capital i": ("İzmir", ["İZMIR", "zmi", "i̇zmir"], ["ızmir"]),
    "a ligature": ("the ﬁle", ["FILE", "file", "ﬁle", "fil"], ["flle"]),
    "a final sigma": ("ΟΔΟΣ", ["οδος", "οδοσ", "Οδ"], ["οδοι"]),
    "an accent": ("café", ["CAFÉ", "café"], ["cafe", "cafe\u0301"]),
    "emoji": ("well done 👍🏽 👩‍👩‍👧", ["👍", "👩‍👩‍👧", "👍🏽"], ["👎"]),
    "each plane": ("ok😀 no𠮷 hi\U0010ffff up\uffff", ["ok", "no", "hi", "up", "k😀", "i\U0010ffff"], ["ok𠮷"]),
    **{f"long words of {name}": _of_long_words(unit) for name, unit in _LONG_OF.items()},
    "a code": ("E0308: at src/main.rs:42", ["e0308:", "main.rs:42", "/main"], ["e0309", "main_rs"]),
}
"""A text, queries that find it, and queries that do not."""
# fmt: on
