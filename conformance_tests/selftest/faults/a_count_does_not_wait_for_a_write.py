"""A count takes a session for expired whose end an append moves at the moment: the next count has it again."""

from typing import Any

from agentkeep_sqlite.client import Connection
from agentkeep_sqlite.listing import Listing
from agentkeep_sqlite.tables import Tables
from over import plant
from over_sqlite import OverSQLite

FAMILY = "held_writes"
CLAUSE = "TTL-1"

counted = Listing.count_step
settled = Tables.check_settled


def check_nothing(self: Tables, db: Connection) -> None:
    """Takes every session as it stands."""


def count_step(self: Listing, *arguments: Any) -> Any:
    plant(Tables, "check_settled", check_nothing)
    try:
        return counted(self, *arguments)
    finally:
        plant(Tables, "check_settled", settled)


plant(Listing, "count_step", count_step)


class TestFault(OverSQLite):
    pass
