"""What is sent a second time stands in the log.

`logger.info("retrying %s", statement)`.
"""

import logging
from typing import Any

from agentkeep.records import Scope
from over_wire import OverWire
from wire.link import Interrupted, Link

FAMILY = "noise"
CLAUSE = "ERR-3"


class Chatty(Link):
    async def ask(self, verb: str, scope: Scope | None, arguments: tuple[Any, ...]) -> Any:
        try:
            return await super().ask(verb, scope, arguments)
        except Interrupted:
            logging.getLogger("agentkeep").info("%s failed: %r", verb, arguments)
            raise


class TestFault(OverWire):
    link = Chatty
