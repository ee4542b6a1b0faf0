"""What all values that users get have in common: `to_dict` and a place in pydantic's models."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import msgspec
from msgspec import Struct


class Value(Struct, frozen=True, kw_only=True):
    """A frozen value that compares by its fields, pickles, and may be copied with `copy.replace`."""

    def to_dict(self) -> dict[str, Any]:
        """The value as JSON-ready dicts and lists: times in ISO 8601 with their zone, durations in seconds."""
        return {name: _as_json(getattr(self, name)) for name in self.__struct_fields__}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from agentkeep._pydantic import struct_schema  # pydantic is the caller's: Agentkeep works without it

        return struct_schema(source, handler)


def _as_json(value: Any) -> Any:
    if isinstance(value, Value):
        return value.to_dict()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list) and isinstance(next(iter(cast("list[Any]", value)), None), Value):
        return [item.to_dict() for item in cast("list[Value]", value)]
    return msgspec.to_builtins(value)
