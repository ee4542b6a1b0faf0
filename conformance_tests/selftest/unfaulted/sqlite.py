"""The SQLite adapter on a file, without a lie."""

from over_corpus import OverCorpus


class TestSqlite(OverCorpus):
    pass
