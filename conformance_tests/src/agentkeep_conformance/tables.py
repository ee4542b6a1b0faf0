"""The values and ids that databases change, refuse or take for syntax: one row each, and why if that is not obvious."""

from __future__ import annotations

from itertools import chain, product
from typing import Any


def nested(depth: int) -> Any:
    """Lists and objects by turns."""
    value: Any = "deep"
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


ESCAPED = "\\0u\0'\"$%"
"""What one layer escapes, and another reads as an escape."""


def _each_three_of(characters: str) -> str:
    """A text in which every three of these characters stand beside each other, in each order."""
    return "".join(chain.from_iterable(product(characters, repeat=3)))


TEXTS: dict[str, str] = {
    "empty": "",  # Oracle and DynamoDB keep it as null
    "space": " ",  # trimmed to nothing
    "padded": "  a  ",  # trimmed
    "newlines": "a\nb\r\nc\rd\u2028e\u2029f\x85g",  # turned into one kind, or ending the text
    "tab and controls": "\t\x01\x02\x1b[0m\x7f",  # not legal in XML, escaped in JSON
    "nul": "a\x00b",  # PostgreSQL's text and C strings end here
    "only nul": "\x00",
    "quotes": "'\"`´’",  # end a literal
    "sql": "'); DROP TABLE messages; --",
    "backslashes": "\\ \\\\ \\n \\u0041 \\x00 \\",  # read as escapes a second time
    "percent and underscore": "100%_done",  # LIKE's wildcards
    "format": "%s %(a)s {0} {a} ${a} $1 :a ?",  # parameter markers of drivers
    "json inside": '{"a": [1, "b\\n"]}',  # parsed a second time
    "html": "<script>alert(1)</script>&amp;&lt;",  # escaped for a page
    "looks like null": "null",
    "looks like true": "true",
    "looks like a number": "1e5",  # guessed to be a number by a dynamic mapping
    "looks like a date": "2026-01-02T03:04:05Z",  # guessed to be a date by a dynamic mapping
    "leading zeros": "007",
    "composed": "\u00e9",  # the same letter in two forms: normalised, they are one
    "decomposed": "e\u0301",
    "compatibility": "ﬁ ① Å \u212b",  # NFKC changes these
    "casing": "ß İ ı K",  # change their length when folded
    "cjk": "你好，世界。日本語 한국어",
    "astral": "\U0001f600 \U0001d11e \U0010ffff",  # outside UTF-16's first plane, MySQL's three bytes
    "emoji sequence": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",  # joined by zero-width characters
    "rtl": "שלום \u202eabc\u202c مرحبا",  # with controls of direction
    "zero width": "a\u200bb\u200c\ufeffc",  # a byte-order mark inside
    "bom first": "\ufeffa",  # stripped by utf-8-sig
    "noncharacters": "\ufffe\uffff\ufdd0\U0001ffff",  # legal, though some refuse them
    "replacement": "\ufffd",  # what a lossy decoder leaves
    "private use": "\ue000\uf8ff\U000f0000",
    "combining only": "\u0301\u0301",
    "zalgo": "a" + "\u0300\u0316" * 50,
    "70 KB": "x" * 70_000,  # over a 64 KB column
    "1 MB": "é" * 500_000,  # over a document's or field's soft limit
    "long word": "w" * 40_000,  # over Lucene's 32,766-byte term
    "protocol": "*3\r\n$3\r\nSET\r\n",  # Redis's wire format
    "each three of them": _each_three_of(ESCAPED),
    "surrogate escape": "\\ud800",  # text about a surrogate, not one
}
"""Legal texts."""

NUMBERS: dict[str, Any] = {
    "zero": 0,
    "minus one": -1,
    "float of an int": 1.0,  # becomes 1 where numbers have one type
    "minus zero": -0.0,  # becomes 0.0
    "tenths": 0.1 + 0.2,  # 0.30000000000000004: cut to 15 digits
    "int over double": 2**53 + 1,  # the first that a double can't hold
    "int64 max": 2**63 - 1,
    "int64 min": -(2**63),
    "int over int64": 2**63,
    "int over uint64": 2**64,
    "int under int64": -(2**63) - 1,
    "300 digits": 10**300 + 7,  # a numeric column's scale
    "smallest double": 5e-324,  # a denormal, flushed to 0
    "largest double": 1.7976931348623157e308,
    "float of 2**53": 9007199254740993.0,
    "1e22": 1e22,  # printed as 1e+22 or in full, by parser
    "float int over int64": 1e19,  # integral, so written back as an int by some
    "17 digits": 0.12345678901234568,
    "minus tiny": -1e-7,
}
"""Numbers that come back as others."""

STRUCTURES: dict[str, Any] = {
    "true": True,  # 1 if there is no bool
    "false": False,
    "null": None,
    "empty list": [],  # left out by encoders that omit what is empty
    "empty object": {},  # the same, or an empty list in Lua's cjson
    "list of nulls": [None, None],
    "bools beside ints": [True, 1, False, 0, 1.0],  # equal in Python
    "empty inside": {"a": [], "b": {}, "c": "", "d": None},
    "null against missing": {"a": None, "b": {"c": None}},
    "key order": {"b": 1, "a": 2, "C": 3, "10": 4, "9": 5},  # sorted by jsonb and BSON tools
    "key order inside": [{"z": {"y": 1, "x": 2}}, {"x": 2, "y": 1}],
    "cased keys": {"a": 1, "A": 2},
    "confusable keys": {"\u00e9": 1, "e\u0301": 2},  # one after normalisation
    "dotted keys": {"a.b": 1, "a": {"b": 2}, ".": 3, "a.": 4, ".a": 5},  # expanded to objects by Mongo, OpenSearch
    "dollar keys": {"$set": {"a": 1}, "$ne": None, "$": 1, "a$b": 2},  # operators in Mongo
    "underscore keys": {"_id": 1, "_source": 2, "__proto__": {"a": 3}, "_": 4},  # the servers' own fields
    "reserved keys": {"id": "x", "seq": -1, "tenant": "other", "session_id": "y", "created_at": "never"},  # ours
    "empty key": {"": 1},
    "key with nul": {"a\x00b": 1},  # ends a BSON key
    "key of spaces": {" ": 1, "  ": 2},
    "numeric keys": {"0": "a", "1": "b", "-1": "c"},  # taken for list indices
    "long key": {"k" * 5_000: 1},
    "extended json": {"$oid": "507f1f77bcf86cd799439011", "$date": 0, "$numberLong": "1"},  # parsed by bson.json_util
    "type tags": {"__type__": "datetime", "!tag": 1, "__class__": "x", "py/object": "os.system"},  # revived by picklers
    "mixed list": [1, "1", 1.0, None, True, [], {}],  # one type a field in OpenSearch
    "list of lists": [[[]], [[1], []]],  # flattened
    "1,100 keys": {f"key{n}": n for n in range(1_100)},  # over OpenSearch's 1,000 fields
    "10,000 items": list(range(10_000)),
    "25 deep": nested(25),  # over a mapping's depth of 20
    "100 deep": nested(100),  # MongoDB's limit
    "one type then another": {"v": {"a": 1}, "w": [{"a": "one"}, {"a": 1}, {"a": None}]},
    "tool call": {"name": "f", "arguments": '{"q": "a\\"b", "n": 1.0}'},  # JSON as text inside JSON
}
"""Shapes that come back as others."""

VALUES: dict[str, Any] = {**TEXTS, **NUMBERS, **STRUCTURES}
"""Every legal JSON value of the tables above."""

NOT_JSON: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "bytes": b"abc",
    "tuple": (1, 2),  # would come back as a list
    "set": {1},
    "object": object(),
    "int key": {1: "a"},  # would come back as text
    "none key": {None: "a"},
    "lone surrogate": "\ud800",
    "low surrogate": "a\udfffb",
    "surrogates swapped": "\udc00\ud800",
    "surrogate key": {"\ud83d": 1},
    "deep surrogate": {"a": [{"b": "\udcff"}]},
    "deep nan": [[{"a": float("nan")}]],
    "201 deep": nested(201),
}
"""What no database may be given: refused before any write, everywhere alike."""

IDS: dict[str, str] = {
    "lower": "case",  # the pair is one under a case-insensitive collation
    "upper": "CASE",
    "trailing space": "case ",  # padded comparison in CHAR columns
    "leading space": " case",
    "composed": "\u00e9",  # the pair is one after normalisation
    "decomposed": "e\u0301",
    "sharp s": "ß",  # the pair is one under a German collation
    "double s": "ss",
    "percent": "%",  # LIKE
    "underscore": "_",
    "percent inside": "ca%e",
    "underscore inside": "c_se",
    "star": "*",  # glob: KEYS, SCAN MATCH
    "question": "?",
    "class": "[a-z]",
    "negated class": "[^x]*",
    "braces": "{case}",  # Redis's hash tag
    "empty braces": "{}",
    "colon": "a:b",  # our own separators, whatever they are
    "colons": "a::b",
    "ends with colon": "a:",
    "pipe": "a|b",
    "hash": "a#b",
    "slash": "a/b",  # a path
    "dots": "..",
    "up and away": "../../etc/passwd",
    "backslash": "a\\b",
    "ends with backslash": "a\\",
    "single quote": "o'clock",
    "double quote": 'a"b',
    "sql": "' OR 1=1 --",
    "operator": "$ne",
    "operator object": '{"$ne": null}',
    "where": "$where: sleep(1)",
    "lucene": "a AND (b OR c) +d -e ~2 ^3 \\*",
    "tag query": "@field:{a|b}",
    "json": '["a",1]',
    "null word": "null",
    "none word": "None",
    "zero": "0",
    "number": "1e3",
    "minus": "-1",
    "dash first": "--help",
    "at": "a@b.example",
    "plus and percent code": "a+b%20c%00",  # decoded as a URL
    "format": "%s{0}$1:name",
    "html": "<b>&amp;",
    "cjk": "会话",
    "emoji": "👩‍👩‍👧",
    "astral": "\U0001d11e",
    "rtl": "\u202eabc",
    "zero width": "ca\u200bse",
    "no-break space": "case\u00a0",  # trimmed by strip()
    "255 bytes": "i" * 255,  # cut short
    "255 bytes, other end": "i" * 254 + "j",
    "255 bytes of 3": "会" * 85,
    "system word": "_all",  # names of the servers' own
    "proto": "__proto__",
    "id word": "_id",
    "separator unit": "a\u2028b",
}
"""Legal ids, each another one."""

NOT_IDS: dict[str, Any] = {
    "empty": "",
    "none": None,
    "int": 1,
    "bytes": b"a",
    "list": ["a"],
    "operator": {"$ne": None},  # what a JSON body may hand in where a string was meant
    "256 bytes": "i" * 256,
    "256 bytes of 3": "会" * 85 + "x",
    "nul": "a\x00b",
    "newline": "a\nb",
    "tab": "a\t",
    "delete": "\x7f",
    "c1 control": "a\x85",
    "lone surrogate": "\ud800",
}
"""Refused as an id by every verb."""
