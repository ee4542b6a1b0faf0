"""What only this process sees is declared to be seen by all: `capabilities.shared` is a lie.

strands docs#480: users could not tell what a session store guarantees to a second process.
"""

from msgspec.structs import replace
from over import Memory, OverMemory

FAMILY = "lifecycle"
CLAUSE = "ORD-5"


class Adapter(Memory):
    capabilities = replace(Memory.capabilities, shared=True)


class TestFault(OverMemory):
    adapter = Adapter
