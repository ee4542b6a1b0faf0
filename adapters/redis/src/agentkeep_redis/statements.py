"""Loads the Lua files, each with the files that it builds on before it, and packs the calls of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec
from agentkeep.records import Scope

_INDEX = ("common", "index")
_WRITE = (*_INDEX, "commit")
_NEWEST = ("newest", "common", "log")

_BUILT_ON = {
    "open": (),
    "create": _WRITE,
    "write": ("append", *_WRITE, "log"),
    "replace": _WRITE,
    "delete": _WRITE,
    "session": _NEWEST,
    "sessions": ("common",),
    "messages": _NEWEST,
    "by_id": ("common",),
    "page": _INDEX,
    "count": _INDEX,
    "sweep": _INDEX,
    "update_index": _INDEX,
}

_pack = msgspec.msgpack.Encoder().encode


class Script(NamedTuple):
    """A script's whole text, and the digest by which the server knows it."""

    text: bytes
    sha: bytes


@cache
def load_script(name: str) -> Script:
    """The script of `lua/NAME.lua`."""
    folder = files("agentkeep_redis").joinpath("lua")
    text = b"\n".join(folder.joinpath(f"{part}.lua").read_bytes() for part in (*_BUILT_ON[name], name))
    return Script(text, sha1(text, usedforsecurity=False).hexdigest().encode())


SCRIPTS = tuple(_BUILT_ON)
"""The names of all scripts."""


class Call(NamedTuple):
    """One script with its keys, which are all in one slot, and its arguments."""

    script: Script
    keys: Sequence[bytes]
    args: Sequence[bytes | str]
    record: str = ""
    """What the error names if the script finds a record that it can't read: "session 's1'"."""

    def by_digest(self) -> tuple[Any, ...]:
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.args)

    def by_text(self) -> tuple[Any, ...]:
        return ("EVAL", self.script.text, len(self.keys), *self.keys, *self.args)


def pack_options(options: Mapping[str, Any]) -> bytes:
    return _pack(options)


def pack_scoped(scope: Scope, options: Mapping[str, Any]) -> bytes:
    """The options that are not None, with the scope's user. Most calls have none, and send an empty text."""
    present = {name: value for name, value in options.items() if value is not None}
    if scope.user_id is not None:
        present["user"] = scope.user_id
    return _pack(present) if present else b""
