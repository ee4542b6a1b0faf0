"""The Lua files, each with those that it builds on put before it."""

from __future__ import annotations

from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import NamedTuple

_SESSION = ("common", "index", "placed")
_LOG = ("common", "index", "placed", "log")
_INDEX = ("common", "index")
_LOOKED_AT = (*_INDEX, "looked_at")

_BUILT_ON = {
    "open": (),
    "create": _SESSION,
    "write": _LOG,
    "replace": _SESSION,
    "delete": _SESSION,
    "session": ("common",),
    "sessions": ("common",),
    "messages": ("common", "log"),
    "message": ("common",),
    "snapshot": ("common", "log"),
    "page": _LOOKED_AT,
    "count": _LOOKED_AT,
    "sweep": _INDEX,
    "settle": _INDEX,
}


class Script(NamedTuple):
    """A script's whole text, and the digest that the server knows it by."""

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
