"""The class that an adapter's test module inherits from. Six lines enrol an adapter:

from agentkeep_conformance import AdapterConformance
from agentkeep_NAME import NameAdapter

class TestName(AdapterConformance):
    def open(self, dsn, namespace, **options):
        return NameAdapter(dsn, prefix=namespace, **options)
"""

from agentkeep_conformance.families.after_writes import AfterWrites
from agentkeep_conformance.families.archive import Archive
from agentkeep_conformance.families.beside_expired import BesideExpired
from agentkeep_conformance.families.bound_cursors import BoundCursors
from agentkeep_conformance.families.bounded_steps import BoundedSteps
from agentkeep_conformance.families.bulk_races import BulkRaces
from agentkeep_conformance.families.by_turns import ByTurns
from agentkeep_conformance.families.cancellation import Cancellation
from agentkeep_conformance.families.capabilities import CapabilitiesDeclared
from agentkeep_conformance.families.clocks import Clocks
from agentkeep_conformance.families.concurrency import Concurrency
from agentkeep_conformance.families.cost import Cost
from agentkeep_conformance.families.cost_reads import CostOfReads
from agentkeep_conformance.families.counters import Counters
from agentkeep_conformance.families.crashes import Crashes
from agentkeep_conformance.families.creating import Creating
from agentkeep_conformance.families.declarations import Declarations
from agentkeep_conformance.families.each_reading import EachReading
from agentkeep_conformance.families.erasure import Erasure
from agentkeep_conformance.families.erasure_after_writes import ErasureAfterWrites
from agentkeep_conformance.families.erasure_of_indexed import ErasureOfIndexed
from agentkeep_conformance.families.erasure_of_long import ErasureOfLong
from agentkeep_conformance.families.error_values import ErrorValues
from agentkeep_conformance.families.errors import Errors
from agentkeep_conformance.families.expiry import Expiry
from agentkeep_conformance.families.expiry_races import ExpiryRaces
from agentkeep_conformance.families.faults import Faults
from agentkeep_conformance.families.fidelity import Fidelity
from agentkeep_conformance.families.file_costs import FileCosts
from agentkeep_conformance.families.forks import Forks
from agentkeep_conformance.families.growth import Growth
from agentkeep_conformance.families.handing_on import HandingOn
from agentkeep_conformance.families.held_commits import HeldCommits
from agentkeep_conformance.families.held_races import HeldRaces
from agentkeep_conformance.families.held_writes import HeldWrites
from agentkeep_conformance.families.idempotency import Idempotency
from agentkeep_conformance.families.indexed_words import IndexedWords
from agentkeep_conformance.families.interleaved_searches import InterleavedSearches
from agentkeep_conformance.families.interleaving import Interleaving
from agentkeep_conformance.families.isolation import Isolation
from agentkeep_conformance.families.known_sessions import KnownSessions
from agentkeep_conformance.families.late_writes import LateWrites
from agentkeep_conformance.families.lifecycle import LifeCycle
from agentkeep_conformance.families.listing_costs import ListingCosts
from agentkeep_conformance.families.log_shapes import LogShapes
from agentkeep_conformance.families.lookups import Lookups, Redactions
from agentkeep_conformance.families.loops import Loops
from agentkeep_conformance.families.lost_answers import LostAnswers
from agentkeep_conformance.families.messages import Messages
from agentkeep_conformance.families.moving import Moving
from agentkeep_conformance.families.namesakes import Namesakes
from agentkeep_conformance.families.noise import Noise
from agentkeep_conformance.families.order_paging import OrderAndPaging
from agentkeep_conformance.families.own_writes import OwnWrites
from agentkeep_conformance.families.plain_rules import PlainRules
from agentkeep_conformance.families.power_cuts import PowerCuts
from agentkeep_conformance.families.prefixes import Prefixes
from agentkeep_conformance.families.processes import Processes
from agentkeep_conformance.families.reading import Reading
from agentkeep_conformance.families.resending import Resending
from agentkeep_conformance.families.schema_versions import SchemaVersions
from agentkeep_conformance.families.search_narrowed import SearchNarrowed
from agentkeep_conformance.families.search_words import SearchWords
from agentkeep_conformance.families.searches_beside_writes import SearchesBesideWrites
from agentkeep_conformance.families.searching import Searching
from agentkeep_conformance.families.secrets import Secrets
from agentkeep_conformance.families.sessions import Sessions
from agentkeep_conformance.families.several_callers import SeveralCallers
from agentkeep_conformance.families.skipping import Skipping
from agentkeep_conformance.families.small_limits import SmallLimits
from agentkeep_conformance.families.stateful import Stateful
from agentkeep_conformance.families.steps import Steps
from agentkeep_conformance.families.sync_faces import SyncFaces
from agentkeep_conformance.families.sync_verbs import SyncVerbs
from agentkeep_conformance.families.timeouts import Timeouts
from agentkeep_conformance.families.troubles import Troubles
from agentkeep_conformance.families.ttl import TimeToLive
from agentkeep_conformance.families.unfinished import Unfinished
from agentkeep_conformance.families.upgrade import Upgrade
from agentkeep_conformance.families.versions import Versions
from agentkeep_conformance.families.views import Views
from agentkeep_conformance.families.watching import Watching
from agentkeep_conformance.families.watching_cuts import WatchingCuts
from agentkeep_conformance.families.watching_many import WatchingMany
from agentkeep_conformance.families.wrapped import Wrapped
from agentkeep_conformance.fixtures import Fixtures


class AdapterConformance(
    Fixtures,
    LifeCycle,
    Loops,
    SyncFaces,
    SyncVerbs,
    Sessions,
    Forks,
    Messages,
    Idempotency,
    Skipping,
    Resending,
    Creating,
    Versions,
    Counters,
    Lookups,
    Redactions,
    OrderAndPaging,
    PlainRules,
    SmallLimits,
    ByTurns,
    LogShapes,
    Fidelity,
    EachReading,
    Isolation,
    Views,
    Namesakes,
    Prefixes,
    Reading,
    AfterWrites,
    BesideExpired,
    BoundCursors,
    Moving,
    Searching,
    SearchWords,
    IndexedWords,
    SearchNarrowed,
    Watching,
    WatchingMany,
    WatchingCuts,
    TimeToLive,
    Expiry,
    ExpiryRaces,
    HeldRaces,
    HeldWrites,
    HeldCommits,
    LateWrites,
    KnownSessions,
    CapabilitiesDeclared,
    Declarations,
    Errors,
    ErrorValues,
    SearchesBesideWrites,
    Secrets,
    Archive,
    Stateful,
    Clocks,
    Concurrency,
    OwnWrites,
    InterleavedSearches,
    Interleaving,
    Processes,
    Faults,
    Timeouts,
    Troubles,
    Crashes,
    PowerCuts,
    BulkRaces,
    Cancellation,
    SeveralCallers,
    Noise,
    Erasure,
    ErasureAfterWrites,
    ErasureOfIndexed,
    ErasureOfLong,
    Cost,
    CostOfReads,
    Growth,
    ListingCosts,
    FileCosts,
    Steps,
    BoundedSteps,
    Wrapped,
    HandingOn,
    LostAnswers,
    Unfinished,
    Upgrade,
    SchemaVersions,
):
    """The whole suite, for one adapter."""
