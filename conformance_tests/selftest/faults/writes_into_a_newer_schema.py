"""The version of what is stored is looked up and not compared: an old release writes into a newer one's tables.

A rollback of the program is enough: yesterday's code meets what today's has migrated.
"""

from agentkeep.spi.schema import SchemaVersion
from agentkeep_sqlite.client import Connection
from agentkeep_sqlite.schema import Found, Schema
from over import plant
from over_sqlite import OverSQLite

FAMILY = "schema_versions"
CLAUSE = "LIFE-4"

_find = Schema.find


def find(schema: Schema, db: Connection) -> Found:
    found = _find(schema, db)
    return found if found.version is None else found._replace(version=SchemaVersion(1, 1))


plant(Schema, "find", find)


class TestFault(OverSQLite):
    pass
