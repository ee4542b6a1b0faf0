"""An id may hold control characters, a newline for one.

Redis inline commands, HTTP headers, log lines: what an id with a newline gets into.
"""

import re

from agentkeep import _validation as validation
from over import OverMemory, plant

FAMILY = "isolation"
CLAUSE = "ISO-2"

plant(validation, "_NOT_IN_IDS", re.compile("(?!)"))


class TestFault(OverMemory):
    pass
