"""The SQLite adapter on a file, without a lie."""

from over_sqlite import OverSQLite


class TestSqlite(OverSQLite):
    pass
