"""Opening an older database brings its rows along and not the index of their metadata.

google/adk-python#4319, hermes-studio#1087: an upgrade after which nothing was found.
"""

import sqlite3
from contextlib import closing
from typing import Any

from agentkeep_sqlite import SQLiteAdapter
from over_corpus import OverCorpus

FAMILY = "upgrade"
CLAUSE = "LIFE-1"


class Adapter(SQLiteAdapter):
    def __init__(self, database: Any, **options: Any) -> None:
        super().__init__(database, **options)
        self._file = database

    async def open(self) -> None:
        await super().open()
        with closing(sqlite3.connect(self._file)) as connection, connection:
            connection.execute("DELETE FROM agentkeep_session_label")


class TestFault(OverCorpus):
    adapter = Adapter
