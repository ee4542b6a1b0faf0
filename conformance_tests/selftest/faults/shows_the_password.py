"""The error about a URL shows it whole, with its password.

Every 'could not connect to …' of every driver.
"""

from typing import Any, Self

from agentkeep.errors import ConfigurationError
from over import Memory, OverMemory

FAMILY = "errors"
CLAUSE = "ERR-3"


class Adapter(Memory):
    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        raise ConfigurationError(f"can't connect to {url}")


class TestFault(OverMemory):
    adapter = Adapter
