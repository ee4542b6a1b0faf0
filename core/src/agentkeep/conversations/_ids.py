"""Ids that sort by the time at which they were made."""

from __future__ import annotations

import secrets
import threading
import time

_FRACTION_BITS = 12
_lock = threading.Lock()
_last = 0


def time_id() -> str:
    """A UUID of version 7 (RFC 9562) in 32 hexadecimal digits.

    Ids of one process sort in the order in which they were made. Those of several processes sort as well as their
    clocks agree.
    """
    global _last
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    moment = milliseconds << _FRACTION_BITS | (rest << _FRACTION_BITS) // 1_000_000
    with _lock:
        _last = moment = max(moment, _last + 1)
    time_part, fraction = moment >> _FRACTION_BITS, moment & (1 << _FRACTION_BITS) - 1
    return f"{time_part:012x}7{fraction:03x}{8 + secrets.randbelow(4):x}{secrets.randbits(60):015x}"
