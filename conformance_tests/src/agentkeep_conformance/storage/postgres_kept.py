"""A connection that outlives a test, for what follows each test: to connect costs the server more than that work."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from typing import TypeVar

import psycopg

T = TypeVar("T")

_connections: dict[tuple[int, str], psycopg.Connection] = {}
"""By process and dsn. A forked process must not use its parent's."""


def run_kept(dsn: str, work: Callable[[psycopg.Connection], T]) -> T:
    """What `work` returns, in a transaction. A connection that the server ended meanwhile is replaced once."""
    key = (os.getpid(), dsn)
    kept = _connections.pop(key, None)
    if kept is not None:
        try:
            return _run(key, kept, work)
        except psycopg.OperationalError:
            if not kept.closed:
                raise
    # No prepared statements: a pooler in transaction mode runs the next transaction on another connection.
    return _run(key, psycopg.connect(dsn, prepare_threshold=None), work)


def _run(key: tuple[int, str], connection: psycopg.Connection, work: Callable[[psycopg.Connection], T]) -> T:
    try:
        with connection.transaction():
            return work(connection)
    finally:
        if connection.closed:
            connection.close()
        else:
            _connections[key] = connection


@atexit.register
def _close() -> None:
    for (process, _), connection in _connections.items():
        if process == os.getpid():
            connection.close()
