"""Payloads that are stored as zstd frames. What is stored says so itself: a frame begins with `(`, JSON with `{`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from agentkeep.errors import ConfigurationError, Corrupt

_FRAME = b"\x28\xb5\x2f\xfd"
_INSTALL = 'pip install "agentkeep-redis[zstd]"'


class Compression:
    """Packs payloads of at least `above` bytes; None: packs none, and reads those that others packed all the same."""

    def __init__(self, above: int | None) -> None:
        self._above = above
        self._zstd: Any = None if above is None else _library()

    def pack(self, payload: bytes) -> bytes:
        if self._above is None or len(payload) < self._above:
            return payload
        return self._zstd.ZstdCompressor().compress(payload)

    def unpack(self, stored: bytes, name: str) -> bytes:
        """Raises `Corrupt` naming the record; `ConfigurationError` where the library is missing."""
        if not stored.startswith(_FRAME):
            return stored
        self._zstd = self._zstd or _library()
        try:
            return self._zstd.ZstdDecompressor().decompress(stored)
        except self._zstd.ZstdError as error:
            raise Corrupt(name, str(error)) from error


def _library() -> Any:
    try:
        return import_module("zstandard")
    except ImportError as error:
        raise ConfigurationError(f"messages compressed by zstd need a library: {_INSTALL}") from error
