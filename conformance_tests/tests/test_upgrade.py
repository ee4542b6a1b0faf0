"""The upgrade family reads a corpus back, and notices one that is read differently."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from agentkeep_conformance import AdapterConformance, corpus, released
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.upgrade import Upgrade
from agentkeep_sqlite import SQLiteAdapter

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Enrolled(AdapterConformance):
    """Not collected: it only makes and reads corpora here."""

    __test__ = False

    def open(self, dsn: str, namespace: str, **options: Any) -> SQLiteAdapter:
        return SQLiteAdapter(self._file(dsn, namespace), **options)

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        shutil.copy(self._file(dsn, namespace), file)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        shutil.copy(file, self._file(dsn, namespace))

    def _file(self, dsn: str, namespace: str) -> Path:
        return Path(dsn) / f"{namespace}.db"


@pytest.fixture
async def database(tmp_path: Path) -> Any:
    await corpus.make(Enrolled(), str(tmp_path), tmp_path / "0.1.0.stored")
    enrolment = type("Enrolled", (Enrolled,), {"corpora": released(tmp_path)})()
    database = Database(enrolment, str(tmp_path), "n", "everyday")
    yield database
    await database.close()


async def test_a_corpus_of_today_is_read_migrated_and_written_on(database: Database) -> None:
    assert len(database.enrolment.corpora) == 1
    await Upgrade().test_what_each_release_stored_is_read_and_written_on(database)
    await Upgrade().test_two_instances_migrate_at_once(database)


async def test_a_corpus_that_is_read_differently_fails(database: Database) -> None:
    said = database.enrolment.corpora[0].with_suffix(".json")
    said.write_text(said.read_text().replace("10.0", "10").replace('"m1"', '"m01"').replace('"v"', '"w"'))
    with pytest.raises(AssertionError, match="read differently"):
        await Upgrade().test_what_each_release_stored_is_read_and_written_on(database)


def test_releases_are_ordered_by_number(tmp_path: Path) -> None:
    for release in ("0.10.0", "0.9.0", "1.0.0"):
        (tmp_path / f"{release}.stored").touch()
    assert [file.stem for file in released(tmp_path)] == ["0.9.0", "0.10.0", "1.0.0"]
