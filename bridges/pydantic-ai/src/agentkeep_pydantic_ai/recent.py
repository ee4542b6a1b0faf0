"""A dict that forgets what was set longest ago."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")
_LIMIT = 10_000


class Recent(OrderedDict[K, V]):
    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > _LIMIT:
            self.popitem(last=False)
