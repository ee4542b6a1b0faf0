"""The SQLite adapter with a corpus of its own making, from before anything is planted."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from agentkeep_conformance import corpus
from over_sqlite import OverSQLite

_folder = tempfile.TemporaryDirectory(prefix="agentkeep-corpus-")


def _made_today() -> Path:
    file = Path(_folder.name, "0.1.0.stored")
    asyncio.run(corpus.make(OverSQLite(), _folder.name, file))
    return file


class OverCorpus(OverSQLite):
    corpora = (_made_today(),)
