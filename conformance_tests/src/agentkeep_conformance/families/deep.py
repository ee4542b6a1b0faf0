"""The families that act on several writers, on the wire and on what a crash leaves, as one base class."""

from agentkeep_conformance.families.cancellation import Cancellation
from agentkeep_conformance.families.concurrency import Concurrency
from agentkeep_conformance.families.cost import Cost
from agentkeep_conformance.families.crashes import Crashes
from agentkeep_conformance.families.erasure import Erasure
from agentkeep_conformance.families.faults import Faults
from agentkeep_conformance.families.processes import Processes
from agentkeep_conformance.families.stateful import Stateful
from agentkeep_conformance.families.upgrade import Upgrade


class Deep(Stateful, Concurrency, Processes, Faults, Crashes, Cancellation, Erasure, Cost, Upgrade):
    """All of them."""
