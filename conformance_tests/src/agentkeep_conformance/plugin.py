"""The pytest plugin: binds tests to clauses, collects what they found, and prints which clauses are proved where."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import secrets
from collections.abc import Callable, Coroutine, Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from agentkeep_conformance import heap, options, unwritten
from agentkeep_conformance.child_server import use_child_server
from agentkeep_conformance.clauses import CLAUSES, clauses_of, faults_of, tests_of
from agentkeep_conformance.enrolment import Enrolment, KnownFailure, Tier, name_of
from agentkeep_conformance.items import family_of, function_of, suite_of
from agentkeep_conformance.minute import Minute
from agentkeep_conformance.outcomes import (
    EVIDENCE,
    FAILED,
    REQUIRED,
    SEED,
    TIER,
    AdapterEvidence,
    Evidence,
    TestOutcome,
)
from agentkeep_conformance.rendering import outcome_table
from agentkeep_conformance.sampling import Candidate, is_named, left_out

_TEST = "agentkeep_test"
_NOT_APPLICABLE = "agentkeep_not_applicable"

HANGS_SECONDS: dict[Tier, float] = {"everyday": 300, "nightly": 3_600}
"""After which a test counts as hung, on a machine however loaded; of no clause."""


pytest_addoption = options.add_options


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "proves(*clauses): the clauses of the contract that a test proves")
    config.addinivalue_line("markers", "needs_wire: the test acts on the socket between adapter and server")
    config.addinivalue_line("markers", "needs_files: the test acts on the files of an embedded database")
    config.addinivalue_line("markers", "needs_two_loops: the test has two instances, each in its own event loop")
    config.addinivalue_line("markers", "takes_long: the samples of some enrolments leave the test out")
    config.addinivalue_line("markers", "needs(hook, otherwise): the test acts through a hook of the enrolment")
    use_child_server()
    config.stash[EVIDENCE] = Evidence()
    config.stash[REQUIRED] = config.getoption("--conformance-require") == "all"
    config.stash[TIER] = cast("Tier", config.getoption("--conformance-tier"))
    config.stash[SEED] = _seed(config)
    config.pluginmanager.register(_Recorder(config), "agentkeep-conformance-recorder")
    config.pluginmanager.register(unwritten, "agentkeep-conformance-unwritten")
    config.pluginmanager.register(heap, "agentkeep-conformance-heap")
    if config.getoption("--conformance-minute"):
        config.pluginmanager.register(Minute(config), "agentkeep-conformance-minute")


def _seed(config: pytest.Config) -> int:
    """Kept as the option's value, which the processes of pytest-xdist are given."""
    given = cast("int | None", config.getoption("--conformance-seed"))
    if given is None:
        given = secrets.randbits(32) if config.stash[TIER] == "nightly" else 0
        config.option.conformance_seed = given
    return given


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    enrolled = [(item, suite) for item in items if (suite := suite_of(item))]
    faults = [fault for suite in dict.fromkeys(suite for _, suite in enrolled) for fault in _enrolment_faults(suite)]
    if faults:
        raise pytest.UsageError("\n".join(["the conformance suite is not sound:", *dict.fromkeys(faults)]))
    not_chosen = {item for item, suite in enrolled if _not_chosen(item, suite, config)}
    not_chosen |= _not_sampled([(item, suite) for item, suite in enrolled if item not in not_chosen], config)
    enrolled = [(item, suite) for item, suite in enrolled if item not in not_chosen]
    not_applicable = {item: why for item, suite in enrolled if (why := _not_applicable(item, suite))}
    for item, suite in enrolled:
        if item in not_applicable:
            found = config.stash[EVIDENCE].of(name_of(suite))
            found.tests[_test_id(item)] = TestOutcome(_clauses(item), "n/a", why=not_applicable[item])
    deselected = not_chosen | set(not_applicable)
    config.hook.pytest_deselected(items=list(deselected))
    items[:] = [item for item in items if item not in deselected]
    for item, suite in enrolled:
        item.user_properties.append((_TEST, (name_of(suite), _test_id(item), _clauses(item))))
        known = suite.known_failures.get(item.name)
        if known is not None and not _expired(known):
            item.add_marker(pytest.mark.xfail(strict=True, reason=f"{known.reason} ({known.issue})"))


def _not_chosen(item: pytest.Item, suite: type[Enrolment], config: pytest.Config) -> bool:
    """Whether the enrolment leaves this test to another enrolment or tier."""
    clause = cast("str | None", config.getoption("--conformance-clause"))
    if clause and clause not in _clauses(item):
        return True
    nightly = config.stash[TIER] == "nightly"
    named = is_named(suite, config)
    if not (suite.everyday or named or nightly or config.stash[REQUIRED]):
        return True
    if suite.wire != "with" and _acts_on_the_wire(item) != (suite.wire == "only"):
        return True
    if function_of(item).__module__ == suite.__module__:
        return False
    runs_all = suite.nightly_runs_all and (nightly or named)
    return bool(suite.families) and not runs_all and family_of(item) not in suite.families


def _not_sampled(enrolled: Sequence[tuple[pytest.Item, type[Enrolment]]], config: pytest.Config) -> set[pytest.Item]:
    """What the everyday tier leaves out of enrolments that run a sample."""
    if config.stash[TIER] == "nightly" or config.getoption("--conformance-whole"):
        return set()
    sampled = [each for each in enrolled if function_of(each[0]).__module__ != each[1].__module__]
    sampled = [(item, suite) for item, suite in sampled if not is_named(suite, config)]
    sampled = [(item, suite) for item, suite in sampled if _not_applicable(item, suite) is None]
    return left_out(
        [Candidate(item, suite, _test_id(item), _clauses(item)) for item, suite in sampled], config.stash[SEED]
    )


def _acts_on_the_wire(item: pytest.Item) -> bool:
    return item.get_closest_marker("needs_wire") is not None


def _enrolment_faults(suite: type[Enrolment]) -> list[str]:
    unknown = [name for name in suite.known_failures if not hasattr(suite, name.partition("[")[0])]
    faults = faults_of(suite, whole=False) + [f"{suite.__name__}: known failure {name} is no test" for name in unknown]
    families = {kind.__module__.rpartition(".")[2] for kind, _, _ in tests_of(suite)}
    return faults + [f"{suite.__name__}: there is no family {name}" for name in set(suite.families) - families]


def _not_applicable(item: pytest.Item, suite: type[Enrolment]) -> str | None:
    """Why a test has nothing to act on with this enrolment; None if it has."""
    if _acts_on_the_wire(item) and suite.server.embedded:
        return "embedded: there is no wire"
    if item.get_closest_marker("needs_files") and not suite.server.embedded:
        return "the data is the server's: its files are not the adapter's"
    if item.get_closest_marker("needs_two_loops") and suite.one_loop:
        return "all instances share a client that belongs to one event loop"
    for marker in item.iter_markers("needs"):
        hook, otherwise = cast("tuple[str, str]", marker.args)
        if hook in suite.without or not getattr(suite, hook) or getattr(suite, hook) is getattr(Enrolment, hook):
            return otherwise
    return None


def _clauses(item: pytest.Item) -> tuple[str, ...]:
    return clauses_of(function_of(item))


def _test_id(item: pytest.Item) -> str:
    """family::test[row]: the same on every adapter."""
    return f"{family_of(item)}::{item.name}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    suite = suite_of(item)
    known: KnownFailure | None = suite.known_failures.get(item.name) if suite else None
    if known is not None and _expired(known):
        pytest.fail(f"this known failure expired on {known.expires}: {known.reason} ({known.issue})")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A call that never returns fails its test, and not the whole run."""
    if suite_of(pyfuncitem) is not None and inspect.iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = _bounded(pyfuncitem.obj, HANGS_SECONDS[pyfuncitem.config.stash[TIER]])
    return (yield)


def _bounded(test: Callable[..., Coroutine[Any, Any, None]], seconds: float) -> Callable[..., Any]:
    @functools.wraps(test)
    async def bounded(**fixtures: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(**fixtures)

    return bounded


def _expired(known: KnownFailure) -> bool:
    return known.expires < datetime.now(UTC).date()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if suite_of(item) is None:
        return report
    if report.skipped and not hasattr(report, "wasxfail") and "NOT RUN" not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"the suite has no skips: {report.longrepr}"
    if report.failed:
        item.stash[FAILED] = True
        report.sections.append(("the clauses", "\n".join(f"[{name}] {CLAUSES[name]}" for name in _clauses(item))))
    return report


class _Recorder:
    """Hears each test's report, also those that come from another process of pytest-xdist."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._evidence = config.stash[EVIDENCE]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        if _TEST in properties:
            adapter, test, clauses = cast("tuple[str, str, tuple[str, ...]]", properties[_TEST])
            _note(self._evidence.of(adapter), test, clauses, report)

    def pytest_sessionfinish(self) -> None:
        told = cast("dict[str, object] | None", getattr(self._config, "workeroutput", None))
        if told is not None:
            told[_NOT_APPLICABLE] = self._evidence.not_applicable()
            return
        file = cast("str | None", self._config.getoption("--conformance-json"))
        if file:
            Path(file).write_text(json.dumps(self._as_json(), indent=1) + "\n", encoding="utf-8")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A process of pytest-xdist ended; tests with nothing to act on have no report of their own."""
        for adapter, test, clauses, why in getattr(node, "workeroutput", {}).get(_NOT_APPLICABLE, []):
            self._evidence.of(adapter).tests.setdefault(test, TestOutcome(tuple(clauses), "n/a", why=why))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._evidence.adapters:
            stash = self._config.stash
            terminalreporter.section(f"clauses proved ({stash[TIER]} tier, seed {stash[SEED]})")
            terminalreporter.write_line(outcome_table(self._as_json()))

    def _as_json(self) -> dict[str, Any]:
        return self._evidence.as_json(self._config.stash[TIER], self._config.stash[SEED])


def _note(found: AdapterEvidence, name: str, clauses: tuple[str, ...], report: pytest.TestReport) -> None:
    test = found.tests.setdefault(name, TestOutcome(tuple(clauses), "NOT RUN", why="the run ended before it did"))
    test.seconds += report.duration
    if report.failed:
        test.outcome = "FAILED"
        test.why = str(report.longrepr).strip().rpartition("\n")[2][:300]
    elif hasattr(report, "wasxfail"):
        test.outcome, test.why = "known", report.wasxfail
    elif report.skipped:
        test.outcome, test.why = "NOT RUN", str(cast("Any", report.longrepr)[2])
    elif report.when == "call":
        test.outcome, test.why = "proved", ""
    if report.when == "teardown":
        _note_facts(found, report.user_properties)


def _note_facts(found: AdapterEvidence, properties: list[tuple[str, object]]) -> None:
    for name, value in cast("list[tuple[str, Any]]", properties):
        if name == "agentkeep_declared":
            found.declared, found.server = value["capabilities"], value["server"]
        elif name == "agentkeep_measured":
            found.measured |= value
        elif name == "agentkeep_refused":
            found.refused.add(value)
