"""A rule of the database's owner forbids a write, and the error says that trying again may help.

A caller that believes it tries for ever.
"""

from agentkeep_sqlite import errors
from over import plant
from over_sqlite import OverSQLite

FAMILY = "troubles"
CLAUSE = "ERR-2"

plant(errors, "_REFUSED", set[int]())


class TestFault(OverSQLite):
    pass
