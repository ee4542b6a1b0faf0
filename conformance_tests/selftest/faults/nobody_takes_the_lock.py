"""Two threads change the same dictionaries, and nobody locks them.

Each step of Python's is whole, so this passes every race that is left to luck: it needs a change of threads between two
lines. Mutants of the memory adapter without a lock survived all tests.
"""

from contextlib import nullcontext
from typing import Any

from over import Memory, OverMemory

FAMILY = "interleaving"
CLAUSE = "ORD-4"


class Unlocked(Memory):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        vars(self._client)["lock"] = nullcontext()


class TestFault(OverMemory):
    adapter = Unlocked
