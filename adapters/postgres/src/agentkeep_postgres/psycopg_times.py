"""psycopg reads times by the connection's time zone and DateStyle; here they are read as UTC whatever those are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class UtcLoader(Loader):
    """A `timestamptz` in binary: microseconds since 2000."""

    format = Format.BINARY

    def load(self, data: Buffer) -> datetime:
        return _EPOCH + timedelta(microseconds=int.from_bytes(data, "big", signed=True))
