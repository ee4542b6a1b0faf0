"""NaN and infinity are stored as null, and nobody is told.

google/adk-python#734: what JSON can't say is changed in silence.
"""

from typing import Any

from agentkeep import _codec as codec
from over import OverMemory, plant

FAMILY = "fidelity"
CLAUSE = "FID-1"


def check_json(value: Any, where: str, depth: int = 0) -> None:
    """Looks at nothing; the encoder then writes null for NaN."""


plant(codec, "check_json", check_json)


class TestFault(OverMemory):
    pass
